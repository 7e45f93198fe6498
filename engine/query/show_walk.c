#include "engine/query/show_walk.h"

#include "engine/influxql/influxql.h"

/* AND and OR in a row need no parentheses, so there may be more of them than the parser nests. */
#define DEPTH_MAX (BBI_QL_DEPTH_MAX * 8)

static const struct bbi_ql_expr *inside(const struct bbi_ql_expr *expr)
{
    while (expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    return expr;
}

static bool joins(const struct bbi_ql_expr *expr)
{
    return expr->kind == BBI_QL_BINARY &&
           (expr->u.binary.op == BBI_QL_AND || expr->u.binary.op == BBI_QL_OR);
}

static int too_deep(struct bb_error *err)
{
    return bbi_error_set(err, BB_ELIMIT, "condition is nested too deeply");
}

struct walk {
    struct bbi_qctx *ctx; /* NULL: nothing is put together */
    bbi_show_leaf_fn leaf;
    void *arg;
};

/* What an AND or OR becomes with these two sides; *out is there already for one that stays. */
static int put_together(const struct walk *w, const struct bbi_ql_expr *join,
                        struct bbi_ql_expr *lhs, struct bbi_ql_expr *rhs, struct bbi_ql_expr **out,
                        struct bb_error *err)
{
    if (w->ctx == NULL || (lhs == join->u.binary.lhs && rhs == join->u.binary.rhs)) {
        return BB_OK;
    }
    if (lhs == NULL || rhs == NULL) {
        *out = lhs == NULL ? rhs : lhs;
        return BB_OK;
    }
    int rc = bbi_qctx_array(w->ctx, 1, sizeof(**out), out, err);
    if (rc == BB_OK) {
        **out = *join;
        (*out)->u.binary.lhs = lhs;
        (*out)->u.binary.rhs = rhs;
    }
    return rc;
}

static int walk(const struct walk *w, struct bbi_ql_expr *condition, unsigned depth,
                struct bbi_ql_expr **out, struct bb_error *err)
{
    struct bbi_ql_expr *expr = (struct bbi_ql_expr *)(uintptr_t)inside(condition);
    struct bbi_ql_expr *lhs;
    struct bbi_ql_expr *rhs;
    if (depth > DEPTH_MAX) {
        return too_deep(err);
    }
    *out = condition;
    if (!joins(expr)) {
        struct bbi_ql_expr *said = expr;
        int rc = w->leaf(w->arg, expr, &said, err);
        *out = said == expr ? condition : said;
        return rc;
    }
    int rc = walk(w, expr->u.binary.lhs, depth + 1, &lhs, err);
    rc = rc == BB_OK ? walk(w, expr->u.binary.rhs, depth + 1, &rhs, err) : rc;
    return rc == BB_OK ? put_together(w, expr, lhs, rhs, out, err) : rc;
}

int bbi_show_rewrite(struct bbi_qctx *ctx, struct bbi_ql_expr *condition, bbi_show_leaf_fn leaf,
                     void *arg, struct bbi_ql_expr **out, struct bb_error *err)
{
    const struct walk w = {.ctx = ctx, .leaf = leaf, .arg = arg};
    *out = NULL;
    return condition == NULL ? BB_OK : walk(&w, condition, 0, out, err);
}

int bbi_show_visit(struct bbi_ql_expr *condition, bbi_show_leaf_fn leaf, void *arg,
                   struct bb_error *err)
{
    const struct walk w = {.leaf = leaf, .arg = arg};
    struct bbi_ql_expr *same;
    return walk(&w, condition, 0, &same, err);
}

static int judge(const struct bbi_ql_expr *expr, unsigned depth, bbi_show_judge_fn leaf, void *arg,
                 bool *holds, struct bb_error *err)
{
    bool left;
    bool right;
    *holds = false;
    expr = inside(expr);
    if (depth > DEPTH_MAX) {
        return too_deep(err);
    }
    if (!joins(expr)) {
        return leaf(arg, expr, holds, err);
    }
    int rc = judge(expr->u.binary.lhs, depth + 1, leaf, arg, &left, err);
    rc = rc == BB_OK ? judge(expr->u.binary.rhs, depth + 1, leaf, arg, &right, err) : rc;
    if (rc == BB_OK) {
        *holds = expr->u.binary.op == BBI_QL_AND ? left && right : left || right;
    }
    return rc;
}

int bbi_show_judge(const struct bbi_ql_expr *condition, bbi_show_judge_fn leaf, void *arg,
                   bool *holds, struct bb_error *err)
{
    return judge(condition, 0, leaf, arg, holds, err);
}
