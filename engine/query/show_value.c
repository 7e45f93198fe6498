/* SHOW TAG VALUES ... WHERE value: beside choosing series, in which `value` is a tag that is not
 * there, the condition is asked of each tag value, as InfluxDB 1.8 does. Likewise it is asked of
 * tag keys as `_tagKey`, and of measurements as `_name`. */
#include <string.h>

#include "engine/query/regex.h"
#include "engine/query/show.h"
#include "engine/query/show_walk.h"

static bool compares(const struct bbi_ql_expr *expr)
{
    enum bbi_ql_op op = expr->kind == BBI_QL_BINARY ? expr->u.binary.op : BBI_QL_OP_NONE;
    return op == BBI_QL_EQ || op == BBI_QL_NEQ || op == BBI_QL_EQREGEX || op == BBI_QL_NEQREGEX;
}

static bool has_name(const struct bbi_ql_expr *expr)
{
    return expr->u.binary.lhs->kind == BBI_QL_VAR;
}

static bool names(const struct bbi_ql_expr *expr, const char *name)
{
    return compares(expr) && has_name(expr) && strcmp(expr->u.binary.lhs->u.var.name, name) == 0;
}

static bool is_about_time(const struct bbi_ql_expr *expr)
{
    const struct bbi_ql_expr *rhs = expr->u.binary.rhs;
    return rhs->kind == BBI_QL_VAR && strcmp(rhs->u.var.name, "time") == 0;
}

static int check_key(void *arg, struct bbi_ql_expr *expr, struct bbi_ql_expr **out,
                     struct bb_error *err)
{
    (void)arg;
    (void)out;
    bool asked = compares(expr) && !is_about_time(expr) &&
                 (!has_name(expr) || names(expr, "_tagKey"));
    return asked ? bbi_show_check_leaf(expr, err) : BB_OK;
}

int bbi_show_check_keys(struct bbi_ql_expr *condition, struct bb_error *err)
{
    return bbi_show_visit(condition, check_key, NULL, err);
}

static int strip(void *arg, struct bbi_ql_expr *expr, struct bbi_ql_expr **out,
                 struct bb_error *err)
{
    (void)arg;
    (void)err;
    if (names(expr, "_name") || names(expr, "_tagKey") || (compares(expr) && !has_name(expr))) {
        *out = NULL;
    }
    return BB_OK;
}

int bbi_show_strip(struct bbi_qctx *ctx, struct bbi_ql_expr *condition, struct bbi_ql_expr **out,
                   struct bb_error *err)
{
    return bbi_show_rewrite(ctx, condition, strip, NULL, out, err);
}

/* ---- what is asked of values ---- */

/* A comparison with the filter's name, in its place in the filter's condition. */
struct test {
    struct bbi_ql_expr expr; /* first: who meets it there finds the rest */
    struct bbi_regex *regex; /* NULL: none */
};

struct reader {
    struct bbi_qctx *ctx;
    const struct bbi_value_filter *filter;
};

static int prepare(void *arg, struct bbi_ql_expr *expr, struct bbi_ql_expr **out,
                   struct bb_error *err)
{
    const struct reader *r = arg;
    struct test *test;
    if (!names(expr, r->filter->name)) {
        return BB_OK;
    }
    int rc = bbi_qctx_array(r->ctx, 1, sizeof(*test), &test, err);
    if (rc != BB_OK) {
        return rc;
    }
    test->expr = *expr;
    *out = &test->expr;
    const struct bbi_ql_expr *rhs = expr->u.binary.rhs;
    return rhs->kind == BBI_QL_REGEX
               ? bbi_regex_compile(&r->ctx->arena, rhs->u.string, &test->regex, err)
               : BB_OK;
}

static int keep_tests(void *arg, struct bbi_ql_expr *expr, struct bbi_ql_expr **out,
                      struct bb_error *err)
{
    const struct reader *r = arg;
    (void)err;
    *out = names(expr, r->filter->name) ? expr : NULL;
    return BB_OK;
}

int bbi_value_filter_read(struct bbi_qctx *ctx, const char *name, struct bbi_ql_expr *condition,
                          struct bbi_value_filter *out, struct bb_error *err)
{
    struct reader r = {.ctx = ctx, .filter = out};
    *out = (struct bbi_value_filter){.name = name};
    int rc = bbi_show_rewrite(ctx, condition, prepare, &r, &out->condition, err);
    return rc == BB_OK ? bbi_show_rewrite(ctx, out->condition, keep_tests, &r, &out->tests, err)
                       : rc;
}

static int passes(void *arg, const struct bbi_ql_expr *expr, bool *out, struct bb_error *err)
{
    const struct bbi_name *value = arg;
    const struct test *test = (const struct test *)expr;
    const struct bbi_ql_expr *rhs = expr->u.binary.rhs;
    enum bbi_ql_op op = expr->u.binary.op;
    bool same;
    int rc = BB_OK;
    *out = false;
    if (test->regex != NULL) {
        rc = bbi_regex_match(test->regex, value->name, value->len, &same, err);
    } else if (rhs->kind == BBI_QL_STRING) {
        same = value->len == strlen(rhs->u.string) &&
               memcmp(value->name, rhs->u.string, value->len) == 0;
    } else if (rhs->kind == BBI_QL_VAR &&
               strcmp(rhs->u.var.name, expr->u.binary.lhs->u.var.name) == 0) {
        same = true;
    } else {
        return BB_OK;
    }
    *out = rc == BB_OK && same != (op == BBI_QL_NEQ || op == BBI_QL_NEQREGEX);
    return rc;
}

int bbi_value_filter_takes(const struct bbi_value_filter *filter, const struct bbi_name *value,
                           bool *wanted, struct bb_error *err)
{
    *wanted = true;
    return filter->tests == NULL
               ? BB_OK
               : bbi_show_judge(filter->tests, passes, (void *)(uintptr_t)value, wanted, err);
}

/* ---- what is left for the choice of series ---- */

struct settler {
    struct bbi_qctx *ctx;
    const struct bbi_value_filter *filter;
    const struct bbi_name *value;
};

static int settle(void *arg, struct bbi_ql_expr *expr, struct bbi_ql_expr **out,
                  struct bb_error *err)
{
    const struct settler *s = arg;
    bool holds;
    if (!names(expr, s->filter->name)) {
        return BB_OK;
    }
    int rc = passes((void *)(uintptr_t)s->value, expr, &holds, err);
    rc = rc == BB_OK ? bbi_qctx_array(s->ctx, 1, sizeof(**out), out, err) : rc;
    if (rc == BB_OK) {
        (*out)->kind = BBI_QL_BOOLEAN;
        (*out)->u.boolean = holds;
    }
    return rc;
}

int bbi_value_filter_settle(struct bbi_qctx *ctx, const struct bbi_value_filter *filter,
                            const struct bbi_name *value, struct bbi_ql_expr **out,
                            struct bb_error *err)
{
    struct settler s = {.ctx = ctx, .filter = filter, .value = value};
    return bbi_show_rewrite(ctx, filter->condition, settle, &s, out, err);
}
