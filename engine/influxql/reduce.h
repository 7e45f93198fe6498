/** Folding, for reduce.c and condition.c. */
#ifndef BBI_INFLUXQL_REDUCE_H
#define BBI_INFLUXQL_REDUCE_H

#include "engine/base/arena.h"
#include "engine/influxql/time.h"

struct bbi_ql_fold {
    const struct bbi_ql_world *world;
    struct bbi_arena *arena;
    bool no_memory;
    bool far;           /* arithmetic on a time left int64 */
    bbi_ql_wide far_ns; /* where it went first */
};

/** A node of this kind, or NULL and no_memory. */
struct bbi_ql_expr *bbi_ql_fold_make(struct bbi_ql_fold *fold, enum bbi_ql_expr_kind kind);

/** lhs op rhs as a tree. */
struct bbi_ql_expr *bbi_ql_fold_binary(struct bbi_ql_fold *fold, enum bbi_ql_op op,
                                       struct bbi_ql_expr *lhs, struct bbi_ql_expr *rhs);

/** AND and OR where one side is true or false; NULL: it is not. */
struct bbi_ql_expr *bbi_ql_fold_logic(enum bbi_ql_op op, struct bbi_ql_expr *lhs,
                                      struct bbi_ql_expr *rhs);

/** The folded tree; expr itself where nothing folds. NULL: no_memory. */
struct bbi_ql_expr *bbi_ql_fold_expr(struct bbi_ql_fold *fold, struct bbi_ql_expr *expr);

/** Parentheses around what is left of their inside: only operators need them. */
struct bbi_ql_expr *bbi_ql_fold_paren(struct bbi_ql_fold *fold, struct bbi_ql_expr *inner);

#endif
