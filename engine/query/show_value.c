/* SHOW TAG VALUES ... WHERE value: beside choosing series, in which `value` is a tag that is not
 * there, the condition is asked of each tag value, as InfluxDB 1.8 does. Likewise it is asked of
 * tag keys as `_tagKey`, and of measurements as `_name`. */
#include <string.h>

#include "engine/influxql/influxql.h"
#include "engine/query/regex.h"
#include "engine/query/show.h"

static bool compares(const struct bbi_ql_expr *expr)
{
    enum bbi_ql_op op = expr->u.binary.op;
    return op == BBI_QL_EQ || op == BBI_QL_NEQ || op == BBI_QL_EQREGEX || op == BBI_QL_NEQREGEX;
}

static bool names(const struct bbi_ql_expr *expr, const char *name)
{
    const struct bbi_ql_expr *lhs = expr->u.binary.lhs;
    return compares(expr) && lhs->kind == BBI_QL_VAR && strcmp(lhs->u.var.name, name) == 0;
}

static bool joins(const struct bbi_ql_expr *expr)
{
    return expr->u.binary.op == BBI_QL_AND || expr->u.binary.op == BBI_QL_OR;
}

static bool is_about_time(const struct bbi_ql_expr *expr)
{
    const struct bbi_ql_expr *rhs = expr->u.binary.rhs;
    return rhs->kind == BBI_QL_VAR && strcmp(rhs->u.var.name, "time") == 0;
}

int bbi_show_check_keys(const struct bbi_ql_expr *expr, unsigned depth, struct bb_error *err)
{
    if (depth > BBI_QL_DEPTH_MAX * 8) {
        return bbi_error_set(err, BB_ELIMIT, "condition is nested too deeply");
    }
    while (expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    if (expr->kind != BBI_QL_BINARY) {
        return BB_OK;
    }
    if (joins(expr)) {
        int rc = bbi_show_check_keys(expr->u.binary.lhs, depth + 1, err);
        return rc == BB_OK ? bbi_show_check_keys(expr->u.binary.rhs, depth + 1, err) : rc;
    }
    bool asked = expr->u.binary.lhs->kind != BBI_QL_VAR || names(expr, "_tagKey");
    return compares(expr) && !is_about_time(expr) && asked ? bbi_show_check_leaf(expr, err) : BB_OK;
}

/* Compile patterns (compile) or count them, in the order in which they stand. */
static int read_regexes(struct bbi_qctx *ctx, const struct bbi_ql_expr *expr, bool compile,
                        unsigned depth, struct bbi_value_filter *f, struct bb_error *err)
{
    int rc = BB_OK;
    if (depth > BBI_QL_DEPTH_MAX * 8) {
        return bbi_error_set(err, BB_ELIMIT, "condition is nested too deeply");
    }
    while (expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    if (expr->kind != BBI_QL_BINARY) {
        return BB_OK;
    }
    if (joins(expr)) {
        rc = read_regexes(ctx, expr->u.binary.lhs, compile, depth + 1, f, err);
        return rc == BB_OK ? read_regexes(ctx, expr->u.binary.rhs, compile, depth + 1, f, err) : rc;
    }
    if (names(expr, f->name)) {
        f->condition = expr;
        if (expr->u.binary.rhs->kind == BBI_QL_REGEX) {
            size_t at = f->regex_count++;
            rc = compile ? bbi_regex_compile(&ctx->arena, expr->u.binary.rhs->u.string,
                                             &f->regexes[at], err)
                         : BB_OK;
        }
    }
    return rc;
}

int bbi_value_filter_read(struct bbi_qctx *ctx, const char *name,
                          const struct bbi_ql_expr *condition, struct bbi_value_filter *out,
                          struct bb_error *err)
{
    *out = (struct bbi_value_filter){.name = name};
    if (condition == NULL) {
        return BB_OK;
    }
    int rc = read_regexes(ctx, condition, false, 0, out, err);
    if (rc != BB_OK || out->condition == NULL) {
        return rc;
    }
    rc = bbi_qctx_array(ctx, out->regex_count, sizeof(out->regexes[0]), &out->regexes, err);
    out->regex_count = 0;
    rc = rc == BB_OK ? read_regexes(ctx, condition, true, 0, out, err) : rc;
    out->condition = condition;
    return rc;
}

enum verdict {
    SAYS_NOTHING,
    REFUSES,
    TAKES
};

static int compare_value(const struct bbi_value_filter *f, const struct bbi_ql_expr *expr,
                         const struct bbi_name *value, size_t *regex_at, enum verdict *out,
                         struct bb_error *err)
{
    const struct bbi_ql_expr *rhs = expr->u.binary.rhs;
    enum bbi_ql_op op = expr->u.binary.op;
    bool negates = op == BBI_QL_NEQ || op == BBI_QL_NEQREGEX;
    bool same = false;
    int rc = BB_OK;
    *out = REFUSES;
    if (rhs->kind == BBI_QL_REGEX) {
        rc = bbi_regex_match(f->regexes[(*regex_at)++], value->name, value->len, &same, err);
    } else if (rhs->kind == BBI_QL_STRING) {
        same = value->len == strlen(rhs->u.string) &&
               memcmp(value->name, rhs->u.string, value->len) == 0;
    } else {
        return BB_OK;
    }
    *out = same != negates ? TAKES : REFUSES;
    return rc;
}

static int judge(const struct bbi_value_filter *f, const struct bbi_ql_expr *expr,
                 const struct bbi_name *value, size_t *regex_at, enum verdict *out,
                 struct bb_error *err)
{
    enum verdict left;
    enum verdict right;
    *out = SAYS_NOTHING;
    while (expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    if (expr->kind != BBI_QL_BINARY) {
        return BB_OK;
    }
    if (!joins(expr)) {
        return names(expr, f->name) ? compare_value(f, expr, value, regex_at, out, err) : BB_OK;
    }
    int rc = judge(f, expr->u.binary.lhs, value, regex_at, &left, err);
    rc = rc == BB_OK ? judge(f, expr->u.binary.rhs, value, regex_at, &right, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    if (left == SAYS_NOTHING || right == SAYS_NOTHING) {
        *out = left == SAYS_NOTHING ? right : left;
    } else if (expr->u.binary.op == BBI_QL_AND) {
        *out = left == TAKES && right == TAKES ? TAKES : REFUSES;
    } else {
        *out = left == TAKES || right == TAKES ? TAKES : REFUSES;
    }
    return rc;
}

int bbi_value_filter_takes(const struct bbi_value_filter *filter, const struct bbi_name *value,
                           bool *wanted, struct bb_error *err)
{
    enum verdict verdict = SAYS_NOTHING;
    size_t regex_at = 0;
    int rc = filter->condition == NULL
                 ? BB_OK
                 : judge(filter, filter->condition, value, &regex_at, &verdict, err);
    *wanted = verdict != REFUSES;
    return rc;
}

/* ---- what is left for the choice of series ---- */

static int settle(struct bbi_qctx *ctx, const struct bbi_value_filter *f, struct bbi_ql_expr *expr,
                  const struct bbi_name *value, size_t *regex_at, struct bbi_ql_expr **out,
                  struct bb_error *err)
{
    enum verdict verdict;
    while (expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    *out = expr;
    if (expr->kind != BBI_QL_BINARY || (!joins(expr) && !names(expr, f->name))) {
        return BB_OK;
    }
    int rc = bbi_qctx_array(ctx, 1, sizeof(**out), out, err);
    if (rc != BB_OK) {
        return rc;
    }
    **out = *expr;
    if (joins(expr)) {
        rc = settle(ctx, f, expr->u.binary.lhs, value, regex_at, &(*out)->u.binary.lhs, err);
        return rc == BB_OK
                   ? settle(ctx, f, expr->u.binary.rhs, value, regex_at, &(*out)->u.binary.rhs, err)
                   : rc;
    }
    rc = compare_value(f, expr, value, regex_at, &verdict, err);
    (*out)->kind = BBI_QL_BOOLEAN;
    (*out)->u.boolean = verdict == TAKES;
    return rc;
}

int bbi_value_filter_settle(struct bbi_qctx *ctx, const struct bbi_value_filter *filter,
                            struct bbi_ql_expr *condition, const struct bbi_name *value,
                            struct bbi_ql_expr **out, struct bb_error *err)
{
    size_t regex_at = 0;
    return settle(ctx, filter, condition, value, &regex_at, out, err);
}

int bbi_show_strip(struct bbi_qctx *ctx, struct bbi_ql_expr *condition, struct bbi_ql_expr **out,
                   struct bb_error *err)
{
    struct bbi_ql_expr *lhs;
    struct bbi_ql_expr *rhs;
    struct bbi_ql_expr *inner = condition;
    while (inner != NULL && inner->kind == BBI_QL_PAREN) {
        inner = inner->u.inner;
    }
    *out = condition;
    if (inner == NULL || inner->kind != BBI_QL_BINARY) {
        return BB_OK;
    }
    if (!joins(inner)) {
        bool away = names(inner, "_name") || names(inner, "_tagKey") ||
                    (compares(inner) && inner->u.binary.lhs->kind != BBI_QL_VAR);
        *out = away ? NULL : condition;
        return BB_OK;
    }
    int rc = bbi_show_strip(ctx, inner->u.binary.lhs, &lhs, err);
    rc = rc == BB_OK ? bbi_show_strip(ctx, inner->u.binary.rhs, &rhs, err) : rc;
    if (rc != BB_OK || lhs == NULL || rhs == NULL) {
        *out = rc == BB_OK && lhs == NULL ? rhs : lhs;
        return rc;
    }
    rc = bbi_qctx_array(ctx, 1, sizeof(**out), out, err);
    if (rc == BB_OK) {
        **out = *inner;
        (*out)->u.binary.lhs = lhs;
        (*out)->u.binary.rhs = rhs;
    }
    return rc;
}
