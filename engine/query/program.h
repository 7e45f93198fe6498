/**
 * Expressions compiled for evaluation row by row: postfix code over slots that the caller fills.
 *
 * The arithmetic is InfluxQL's: integer with float is float, in columns a division of integers is
 * a float (x / 0 = 0), what has no value gives none, comparisons of different types are false,
 * integers wrap.
 */
#ifndef BBI_QUERY_PROGRAM_H
#define BBI_QUERY_PROGRAM_H

#include "engine/influxql/ast.h"
#include "engine/query/context.h"
#include "engine/query/fn.h"
#include "engine/query/regex.h"

enum bbi_opcode {
    BBI_PUSH_CONST,
    BBI_PUSH_SLOT,
    BBI_APPLY,  /* op on the two topmost */
    BBI_NAMES,  /* op on the two topmost, of which those in `tags` are tags, and "" is none */
    BBI_CALL,   /* the math function func on the one or two topmost */
    BBI_MATCH,  /* regex on the topmost */
    BBI_NOMATCH /* likewise */
};

struct bbi_instruction {
    uint8_t code;       /* enum bbi_opcode */
    uint8_t op;         /* enum bbi_ql_op */
    uint8_t func;       /* enum bbi_func */
    uint8_t args;       /* of the function */
    uint8_t tags;       /* of BBI_NAMES: 1 the left, 2 the right one, 3 both */
    bool null_is_false; /* beside a boolean */
    uint32_t slot;
    struct bb_value value;
    const struct bbi_regex *regex;
    const struct bbi_ql_expr *expr; /* what it was compiled from */
};

struct bbi_program {
    struct bbi_instruction *code;
    size_t count;
    size_t depth;       /* values on the stack at most */
    bool in_column;     /* not in a condition, where integers are divided as integers */
    bool null_is_false; /* beside a boolean: in columns, and in conditions on subqueries */
};

/** The slot of what has no value. */
#define BBI_PROGRAM_NOTHING UINT32_MAX

/** Which slot a variable, a call or DISTINCT stands for. */
typedef int (*bbi_program_leaf_fn)(void *arg, const struct bbi_ql_expr *leaf, uint32_t *slot,
                                   struct bb_error *err);

/**
 * Compile into the statement's arena.
 *
 * Returns BB_OK; what leaf returned; BB_EPARSE; BB_EUNSUPPORTED for a node that has no value;
 * BB_ELIMIT nested too deep; BB_ENOMEM.
 */
int bbi_program_compile(struct bbi_qctx *ctx, const struct bbi_ql_expr *expr,
                        bbi_program_leaf_fn leaf, void *arg, struct bbi_program *out,
                        struct bb_error *err) BB_CHECKED;

/** Evaluate. stack has room for program->depth values. */
int bbi_program_run(const struct bbi_program *program, const struct bb_value *slots,
                    struct bb_value *stack, struct bb_value *result,
                    struct bb_error *err) BB_CHECKED;

/** A math function of one or two values, by InfluxDB's rules: no value where an argument is no
 * number. */
struct bb_value bbi_math_call(enum bbi_func func, const struct bb_value *args);

/**
 * A math function of literals, for struct bbi_ql_world. As in InfluxDB, what is no number gives
 * BBI_QL_NULL, an integer above int64 too. false: no such function of so many arguments.
 */
bool bbi_math_fold(const char *name, struct bbi_ql_expr *const *args, size_t arg_count,
                   struct bbi_ql_expr *out);

/** lhs op rhs, for operators that are no regex match. */
struct bb_value bbi_program_apply(enum bbi_ql_op op, struct bb_value lhs, struct bb_value rhs);

/** As InfluxDB's casts of query results: numbers to numbers; else BB_VALUE_NULL. */
struct bb_value bbi_value_cast(struct bb_value v, enum bbi_ql_type type);

/** Two values are the same: kind and bits. */
bool bbi_value_equal(const struct bb_value *a, const struct bb_value *b);

#endif
