/**
 * A SHOW's condition, taken apart where AND and OR join its parts. Parentheses do not count.
 *
 * BB_ELIMIT "condition is nested too deeply", BB_ENOMEM, and what a leaf says; it ends the walk.
 */
#ifndef BBI_QUERY_SHOW_WALK_H
#define BBI_QUERY_SHOW_WALK_H

#include "engine/influxql/expr.h"
#include "engine/query/context.h"

/** Told of a part, in the order in which they stand. *out: what takes its place; already the part
 * itself. NULL: nothing does, and its AND or OR goes with it. */
typedef int (*bbi_show_leaf_fn)(void *arg, struct bbi_ql_expr *expr, struct bbi_ql_expr **out,
                                struct bb_error *err);

/** The condition, which is not changed, with what the leaves say in place of its parts; *out NULL:
 * nothing is left. Both may be NULL, and out the place that the condition came from. */
int bbi_show_rewrite(struct bbi_qctx *ctx, struct bbi_ql_expr *condition, bbi_show_leaf_fn leaf,
                     void *arg, struct bbi_ql_expr **out, struct bb_error *err) BB_CHECKED;

/** Tell of each part only. */
int bbi_show_visit(struct bbi_ql_expr *condition, bbi_show_leaf_fn leaf, void *arg,
                   struct bb_error *err) BB_CHECKED;

/** Whether a part holds. */
typedef int (*bbi_show_judge_fn)(void *arg, const struct bbi_ql_expr *expr, bool *holds,
                                 struct bb_error *err);

/** Whether the condition holds. All of its parts are asked. */
int bbi_show_judge(const struct bbi_ql_expr *condition, bbi_show_judge_fn leaf, void *arg,
                   bool *holds, struct bb_error *err) BB_CHECKED;

#endif
