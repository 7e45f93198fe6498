#include "engine/query/program.h"

#include <math.h>
#include <string.h>

#include "engine/influxql/influxql.h"
#include "engine/query/emit.h"

/* Right-hand sides and parentheses nest as deep as the parser lets them; each level of them may
 * hold one of each precedence. */
#define DEPTH_MAX (BBI_QL_DEPTH_MAX * 8)

struct compiler {
    struct bbi_qctx *ctx;
    bbi_program_leaf_fn leaf;
    void *arg;
    struct bbi_program *out;
    size_t cap;
    size_t height; /* of the stack */
};

static int emit_code(struct compiler *c, struct bbi_instruction instruction, struct bb_error *err)
{
    struct bbi_program *p = c->out;
    if (p->count == c->cap) {
        size_t cap = c->cap == 0 ? 8 : c->cap * 2;
        struct bbi_instruction *code;
        int rc = bbi_qctx_array(c->ctx, cap, sizeof(code[0]), &code, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (p->count != 0) {
            memcpy(code, p->code, p->count * sizeof(code[0]));
        }
        p->code = code;
        c->cap = cap;
    }
    p->code[p->count++] = instruction;
    if (instruction.code == BBI_PUSH_CONST || instruction.code == BBI_PUSH_SLOT) {
        c->height++;
        p->depth = c->height > p->depth ? c->height : p->depth;
    } else if (instruction.code == BBI_APPLY) {
        c->height--;
    } else if (instruction.code == BBI_CALL) {
        c->height -= instruction.args - 1U;
    }
    return BB_OK;
}

static bool constant_of(const struct bbi_ql_expr *expr, struct bb_value *out)
{
    switch (expr->kind) {
    case BBI_QL_NUMBER:
        *out = bbi_value_float(expr->u.number);
        return true;
    case BBI_QL_INTEGER:
        *out = bbi_value_int(expr->u.integer);
        return true;
    case BBI_QL_UNSIGNED:
        *out = bbi_value_uint(expr->u.unsigned_integer);
        return true;
    case BBI_QL_STRING:
        *out = bbi_value_string(expr->u.string, strlen(expr->u.string));
        return true;
    case BBI_QL_BOOLEAN:
        *out = bbi_value_bool(expr->u.boolean);
        return true;
    case BBI_QL_DURATION:
    case BBI_QL_TIME:
    case BBI_QL_NULL:
    case BBI_QL_WILDCARD:
        memset(out, 0, sizeof(*out));
        return true;
    default:
        return false;
    }
}

static int compile_leaf(struct compiler *c, const struct bbi_ql_expr *expr, struct bb_error *err)
{
    struct bbi_instruction instruction = {.code = BBI_PUSH_CONST, .expr = expr};
    if (constant_of(expr, &instruction.value)) {
        return emit_code(c, instruction, err);
    }
    if (expr->kind != BBI_QL_VAR && expr->kind != BBI_QL_CALL && expr->kind != BBI_QL_DISTINCT) {
        return bbi_error_set(err, BB_EUNSUPPORTED, "this kind of expression is not supported here");
    }
    instruction.code = BBI_PUSH_SLOT;
    int rc = c->leaf(c->arg, expr, &instruction.slot, err);
    if (instruction.slot == BBI_PROGRAM_NOTHING) {
        instruction.code = BBI_PUSH_CONST;
    }
    return rc == BB_OK ? emit_code(c, instruction, err) : rc;
}

static int compile_expr(struct compiler *c, const struct bbi_ql_expr *expr, unsigned depth,
                        struct bb_error *err);

static bool is_math(const struct bbi_ql_expr *expr, enum bbi_func *func)
{
    return expr->kind == BBI_QL_CALL && bbi_func_find(expr->u.call.name, func) &&
           bbi_func_info(*func)->class == BBI_FN_MATH;
}

/* Leaves, parentheses and math functions. */
static int compile_term(struct compiler *c, const struct bbi_ql_expr *expr, unsigned depth,
                        struct bb_error *err)
{
    enum bbi_func func;
    int rc = BB_OK;
    if (expr->kind == BBI_QL_PAREN) {
        return compile_expr(c, expr->u.inner, depth + 1, err);
    }
    if (!is_math(expr, &func)) {
        return compile_leaf(c, expr, err);
    }
    for (size_t i = 0; rc == BB_OK && i < expr->u.call.arg_count; i++) {
        rc = compile_expr(c, expr->u.call.args[i], depth + 1, err);
    }
    struct bbi_instruction instruction = {.code = BBI_CALL,
                                          .func = (uint8_t)func,
                                          .args = (uint8_t)expr->u.call.arg_count,
                                          .expr = expr};
    return rc == BB_OK ? emit_code(c, instruction, err) : rc;
}

/* A literal without a value, which a boolean takes for false: b = 1h. */
static bool is_nothing(const struct bbi_ql_expr *expr)
{
    return expr->kind == BBI_QL_DURATION || expr->kind == BBI_QL_TIME ||
           expr->kind == BBI_QL_NULL || expr->kind == BBI_QL_WILDCARD ||
           expr->kind == BBI_QL_DISTINCT;
}

/* The right-hand side of a binary expression, and its operator; the left one is on the stack. */
static int compile_rest(struct compiler *c, const struct bbi_ql_expr *expr, unsigned depth,
                        struct bb_error *err)
{
    struct bbi_instruction instruction = {
        .code = BBI_APPLY, .op = (uint8_t)expr->u.binary.op, .expr = expr};
    const struct bbi_ql_expr *rhs = expr->u.binary.rhs;
    if (expr->u.binary.op == BBI_QL_EQREGEX || expr->u.binary.op == BBI_QL_NEQREGEX) {
        struct bbi_regex *regex;
        if (rhs->kind != BBI_QL_REGEX) {
            return bbi_error_set(err, BB_EPARSE, "expected a regular expression");
        }
        int rc = bbi_regex_compile(&c->ctx->arena, rhs->u.string, &regex, err);
        if (rc != BB_OK) {
            return rc;
        }
        instruction.code = expr->u.binary.op == BBI_QL_EQREGEX ? BBI_MATCH : BBI_NOMATCH;
        instruction.regex = regex;
    } else {
        int rc = compile_expr(c, rhs, depth + 1, err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    instruction.null_is_false = is_nothing(rhs) || is_nothing(expr->u.binary.lhs);
    return emit_code(c, instruction, err);
}

/* Operators in a row lean to the left without a bound on their number, so that side is walked in a
 * loop. */
static int compile_expr(struct compiler *c, const struct bbi_ql_expr *expr, unsigned depth,
                        struct bb_error *err)
{
    if (depth > DEPTH_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "expression is nested too deeply");
    }
    size_t length = 0;
    const struct bbi_ql_expr *at = expr;
    for (; at->kind == BBI_QL_BINARY; at = at->u.binary.lhs) {
        length++;
    }
    const struct bbi_ql_expr **spine;
    int rc = bbi_qctx_array(c->ctx, length + 1, sizeof(spine[0]), &spine, err);
    size_t i = length;
    for (at = expr; rc == BB_OK && at->kind == BBI_QL_BINARY; at = at->u.binary.lhs) {
        spine[--i] = at;
    }
    if (rc == BB_OK) {
        rc = compile_term(c, at, depth, err);
    }
    for (i = 0; rc == BB_OK && i < length; i++) {
        rc = compile_rest(c, spine[i], depth, err);
    }
    return rc;
}

int bbi_program_compile(struct bbi_qctx *ctx, const struct bbi_ql_expr *expr,
                        bbi_program_leaf_fn leaf, void *arg, struct bbi_program *out,
                        struct bb_error *err)
{
    memset(out, 0, sizeof(*out));
    struct compiler c = {.ctx = ctx, .leaf = leaf, .arg = arg, .out = out};
    return compile_expr(&c, expr, 0, err);
}

static int match(const struct bbi_instruction *in, struct bb_value *top, struct bb_error *err)
{
    bool found = false;
    if (top->kind != BB_VALUE_STRING) {
        *top = bbi_value_bool(false);
        return BB_OK;
    }
    int rc = bbi_regex_match(in->regex, top->v.str, top->length, &found, err);
    *top = bbi_value_bool(found == (in->code == BBI_MATCH));
    return rc;
}

/* Only equality and its opposite hold of two tags, and of a field nothing holds beside a tag that
 * is not there. */
static struct bb_value compare_names(const struct bbi_instruction *in, struct bb_value a,
                                     struct bb_value b)
{
    bool none_left = (in->tags & 1) != 0 && a.length == 0;
    bool none_right = (in->tags & 2) != 0 && b.length == 0;
    if (in->tags != 3) {
        return none_left || none_right ? bbi_value_bool(false) : bbi_program_apply(in->op, a, b);
    }
    bool same = !none_left && a.length == b.length && memcmp(a.v.str, b.v.str, a.length) == 0;
    return bbi_value_bool(in->op == BBI_QL_EQ ? same : in->op == BBI_QL_NEQ && !same);
}

static void make_false(struct bb_value *a, struct bb_value *b)
{
    if (a->kind == BB_VALUE_NULL && b->kind == BB_VALUE_BOOL) {
        *a = bbi_value_bool(false);
    } else if (b->kind == BB_VALUE_NULL && a->kind == BB_VALUE_BOOL) {
        *b = bbi_value_bool(false);
    }
}

/* In a condition InfluxDB divides integers as such, towards zero. */
static struct bb_value apply_in_condition(enum bbi_ql_op op, struct bb_value lhs,
                                          struct bb_value rhs)
{
    if (op != BBI_QL_DIV || lhs.kind != BB_VALUE_INT || rhs.kind != BB_VALUE_INT) {
        return bbi_program_apply(op, lhs, rhs);
    }
    if (rhs.v.i == 0 || rhs.v.i == -1) {
        return bbi_value_int(rhs.v.i == 0 ? 0 : (int64_t)(0 - (uint64_t)lhs.v.i));
    }
    return bbi_value_int(lhs.v.i / rhs.v.i);
}

int bbi_program_run(const struct bbi_program *program, const struct bb_value *slots,
                    struct bb_value *stack, struct bb_value *result, struct bb_error *err)
{
    size_t top = 0;
    for (size_t i = 0; i < program->count; i++) {
        const struct bbi_instruction *in = &program->code[i];
        switch ((enum bbi_opcode)in->code) {
        case BBI_PUSH_CONST:
            stack[top++] = in->value;
            break;
        case BBI_PUSH_SLOT:
            stack[top++] = slots[in->slot];
            break;
        case BBI_APPLY:
            top--;
            if (program->null_is_false || in->null_is_false) {
                make_false(&stack[top - 1], &stack[top]);
            }
            stack[top - 1] = program->in_column
                                 ? bbi_program_apply(in->op, stack[top - 1], stack[top])
                                 : apply_in_condition(in->op, stack[top - 1], stack[top]);
            break;
        case BBI_NAMES:
            top--;
            stack[top - 1] = compare_names(in, stack[top - 1], stack[top]);
            break;
        case BBI_CALL:
            top -= in->args - 1U;
            stack[top - 1] = bbi_math_call(in->func, &stack[top - 1]);
            break;
        case BBI_MATCH:
        case BBI_NOMATCH: {
            int rc = match(in, &stack[top - 1], err);
            if (rc != BB_OK) {
                return rc;
            }
            break;
        }
        }
    }
    *result = stack[0];
    return BB_OK;
}

/* ---- arithmetic ---- */

static const struct bb_value null_value = {.kind = BB_VALUE_NULL};

static bool is_comparison(enum bbi_ql_op op)
{
    return op >= BBI_QL_EQ && op <= BBI_QL_GTE;
}

/* Of two types that do not go together. */
static struct bb_value no_result(enum bbi_ql_op op)
{
    return is_comparison(op) ? bbi_value_bool(false) : null_value;
}

static struct bb_value apply_bool(enum bbi_ql_op op, bool a, bool b)
{
    switch (op) {
    case BBI_QL_AND:
    case BBI_QL_BITAND:
        return bbi_value_bool(a && b);
    case BBI_QL_OR:
    case BBI_QL_BITOR:
        return bbi_value_bool(a || b);
    case BBI_QL_BITXOR:
    case BBI_QL_NEQ:
        return bbi_value_bool(a != b);
    case BBI_QL_EQ:
        return bbi_value_bool(a == b);
    default:
        return no_result(op);
    }
}

#define COMPARE_CASES(a, b)            \
    case BBI_QL_EQ:                    \
        return bbi_value_bool(a == b); \
    case BBI_QL_NEQ:                   \
        return bbi_value_bool(a != b); \
    case BBI_QL_LT:                    \
        return bbi_value_bool(a < b);  \
    case BBI_QL_LTE:                   \
        return bbi_value_bool(a <= b); \
    case BBI_QL_GT:                    \
        return bbi_value_bool(a > b);  \
    case BBI_QL_GTE:                   \
        return bbi_value_bool(a >= b)

static struct bb_value apply_float(enum bbi_ql_op op, double a, double b)
{
    switch (op) {
        COMPARE_CASES(a, b);
    case BBI_QL_ADD:
        return bbi_value_float(a + b);
    case BBI_QL_SUB:
        return bbi_value_float(a - b);
    case BBI_QL_MUL:
        return bbi_value_float(a * b);
    case BBI_QL_DIV:
        return bbi_value_float(b == 0 ? 0 : a / b);
    case BBI_QL_MOD:
        return bbi_value_float(fmod(a, b));
    default:
        return no_result(op);
    }
}

static struct bb_value apply_int(enum bbi_ql_op op, int64_t a, int64_t b)
{
    switch (op) {
        COMPARE_CASES(a, b);
    case BBI_QL_ADD:
        return bbi_value_int((int64_t)((uint64_t)a + (uint64_t)b));
    case BBI_QL_SUB:
        return bbi_value_int((int64_t)((uint64_t)a - (uint64_t)b));
    case BBI_QL_MUL:
        return bbi_value_int((int64_t)((uint64_t)a * (uint64_t)b));
    case BBI_QL_DIV:
        return bbi_value_float(b == 0 ? 0 : (double)a / (double)b);
    case BBI_QL_MOD:
        return bbi_value_int(b == 0 || b == -1 ? 0 : a % b);
    case BBI_QL_BITAND:
        return bbi_value_int(a & b);
    case BBI_QL_BITOR:
        return bbi_value_int(a | b);
    case BBI_QL_BITXOR:
        return bbi_value_int(a ^ b);
    default:
        return no_result(op);
    }
}

static struct bb_value apply_uint(enum bbi_ql_op op, uint64_t a, uint64_t b)
{
    switch (op) {
        COMPARE_CASES(a, b);
    case BBI_QL_ADD:
        return bbi_value_uint(a + b);
    case BBI_QL_SUB:
        return bbi_value_uint(a - b);
    case BBI_QL_MUL:
        return bbi_value_uint(a * b);
    case BBI_QL_DIV:
        return bbi_value_uint(b == 0 ? 0 : a / b);
    case BBI_QL_MOD:
        return bbi_value_uint(b == 0 ? 0 : a % b);
    case BBI_QL_BITAND:
        return bbi_value_uint(a & b);
    case BBI_QL_BITOR:
        return bbi_value_uint(a | b);
    case BBI_QL_BITXOR:
        return bbi_value_uint(a ^ b);
    default:
        return no_result(op);
    }
}

static struct bb_value apply_string(enum bbi_ql_op op, const struct bb_value *a,
                                    const struct bb_value *b)
{
    if (op != BBI_QL_EQ && op != BBI_QL_NEQ) {
        return no_result(op);
    }
    bool same = a->length == b->length &&
                (a->length == 0 || memcmp(a->v.str, b->v.str, a->length) == 0);
    return bbi_value_bool(same == (op == BBI_QL_EQ));
}

static bool to_float(const struct bb_value *v, double *out)
{
    switch (v->kind) {
    case BB_VALUE_FLOAT:
        *out = v->v.f;
        return true;
    case BB_VALUE_INT:
        *out = (double)v->v.i;
        return true;
    case BB_VALUE_UINT:
        *out = (double)v->v.u;
        return true;
    default:
        return false;
    }
}

/* A negative integer is below every unsigned one; beyond comparisons both count modulo 2^64. */
static struct bb_value apply_mixed(enum bbi_ql_op op, const struct bb_value *a,
                                   const struct bb_value *b)
{
    uint64_t x = a->kind == BB_VALUE_INT ? (uint64_t)a->v.i : a->v.u;
    uint64_t y = b->kind == BB_VALUE_INT ? (uint64_t)b->v.i : b->v.u;
    if (is_comparison(op)) {
        if (a->kind == BB_VALUE_INT && a->v.i < 0) {
            return apply_int(op, -1, 0);
        }
        if (b->kind == BB_VALUE_INT && b->v.i < 0) {
            return apply_int(op, 0, -1);
        }
    }
    return apply_uint(op, x, y);
}

struct bb_value bbi_program_apply(enum bbi_ql_op op, struct bb_value lhs, struct bb_value rhs)
{
    double a;
    double b;
    if (lhs.kind == BB_VALUE_BOOL && rhs.kind == BB_VALUE_BOOL) {
        return apply_bool(op, lhs.v.b, rhs.v.b);
    }
    if (lhs.kind == BB_VALUE_BOOL && rhs.kind != BB_VALUE_NULL &&
        (op == BBI_QL_BITAND || op == BBI_QL_BITOR || op == BBI_QL_BITXOR)) {
        return bbi_value_bool(false); /* as InfluxDB has it */
    }
    if (lhs.kind == BB_VALUE_STRING && rhs.kind == BB_VALUE_STRING) {
        return apply_string(op, &lhs, &rhs);
    }
    if (lhs.kind == BB_VALUE_INT && rhs.kind == BB_VALUE_INT) {
        return apply_int(op, lhs.v.i, rhs.v.i);
    }
    if (!to_float(&lhs, &a) || !to_float(&rhs, &b)) {
        return no_result(op);
    }
    if (lhs.kind == BB_VALUE_FLOAT || rhs.kind == BB_VALUE_FLOAT) {
        return apply_float(op, a, b);
    }
    return apply_mixed(op, &lhs, &rhs);
}

struct bb_value bbi_value_cast(struct bb_value v, enum bbi_ql_type type)
{
    double f;
    if (type == BBI_QL_TYPE_STRING) {
        return v.kind == BB_VALUE_STRING ? v : null_value;
    }
    if (type == BBI_QL_TYPE_BOOLEAN) {
        return v.kind == BB_VALUE_BOOL ? v : null_value;
    }
    if (!to_float(&v, &f)) {
        return null_value;
    }
    switch (type) {
    case BBI_QL_TYPE_FLOAT:
        return bbi_value_float(f);
    case BBI_QL_TYPE_INTEGER:
        if (v.kind == BB_VALUE_FLOAT) {
            bool fits = f >= -0x1p63 && f < 0x1p63;
            return bbi_value_int(fits ? (int64_t)f : INT64_MIN);
        }
        return bbi_value_int(v.kind == BB_VALUE_UINT ? (int64_t)v.v.u : v.v.i);
    case BBI_QL_TYPE_UNSIGNED:
        if (v.kind == BB_VALUE_FLOAT) {
            bool wraps = f > -0x1p63 && f < 0;
            bool fits = f >= 0 && f < 0x1p64;
            return bbi_value_uint(wraps  ? (uint64_t)(int64_t)f
                                  : fits ? (uint64_t)f
                                         : (uint64_t)1 << 63);
        }
        return bbi_value_uint(v.kind == BB_VALUE_INT ? (uint64_t)v.v.i : v.v.u);
    default:
        return v;
    }
}

bool bbi_value_equal(const struct bb_value *a, const struct bb_value *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case BB_VALUE_NULL:
        return true;
    case BB_VALUE_BOOL:
        return a->v.b == b->v.b;
    case BB_VALUE_STRING:
        return a->length == b->length &&
               (a->length == 0 || memcmp(a->v.str, b->v.str, a->length) == 0);
    default:
        return a->v.u == b->v.u;
    }
}
