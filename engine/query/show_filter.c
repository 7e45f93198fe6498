#include <string.h>

#include "engine/influxql/influxql.h"
#include "engine/query/regex.h"
#include "engine/query/show.h"
#include "engine/query/show_walk.h"

static bool same(const struct bbi_name *name, const char *text)
{
    return name->len == strlen(text) && memcmp(name->name, text, name->len) == 0;
}

int bbi_show_key_wanted(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        const struct bbi_name *key, bool *wanted, struct bb_error *err)
{
    struct bbi_regex *regex;
    *wanted = false;
    switch (show->key_op) {
    case BBI_QL_OP_NONE:
        *wanted = true;
        return BB_OK;
    case BBI_QL_EQ:
        *wanted = same(key, show->keys[0]);
        return BB_OK;
    case BBI_QL_NEQ:
        *wanted = !same(key, show->keys[0]);
        return BB_OK;
    case BBI_QL_IN:
        for (size_t i = 0; i < show->key_count; i++) {
            *wanted = *wanted || same(key, show->keys[i]);
        }
        return BB_OK;
    default:
        break;
    }
    int rc = bbi_regex_compile(&ctx->arena, show->key_regex, &regex, err);
    if (rc == BB_OK) {
        rc = bbi_regex_match(regex, key->name, key->len, wanted, err);
    }
    *wanted = *wanted == (show->key_op == BBI_QL_EQREGEX);
    return rc;
}

/* Whether any series of the measurement has a value of the key that the pattern matches. */
static int any_value_matches(struct bbi_qctx *ctx, const struct bbi_measurement *m, const char *key,
                             const char *pattern, bool *has, struct bb_error *err)
{
    struct bbi_regex *regex;
    struct bbi_names values;
    *has = false;
    int rc = bbi_regex_compile(&ctx->arena, pattern, &regex, err);
    if (rc == BB_OK) {
        rc = bbi_catalog_tag_values(ctx->env->catalog, m->db_id, m->id, (const uint8_t *)key,
                                    strlen(key), NULL, &ctx->acct, &values, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && !*has && i < values.count; i++) {
        rc = bbi_regex_match(regex, values.list[i].name, values.list[i].len, has, err);
    }
    bbi_names_fini(&values);
    return rc;
}

static int any_value_equals(struct bbi_qctx *ctx, const struct bbi_measurement *m, const char *key,
                            const char *value, bool *has, struct bb_error *err)
{
    struct bbi_tagpred pred = {.op = BBI_TAGPRED_EQ,
                               .key = (const uint8_t *)key,
                               .key_len = strlen(key),
                               .value = (const uint8_t *)value,
                               .value_len = strlen(value)};
    roaring_bitmap_t *ids;
    *has = false;
    if (value[0] == '\0') {
        return BB_OK;
    }
    int rc = bbi_catalog_select(ctx->env->catalog, m->db_id, m->id, &pred, &ids, err);
    if (rc == BB_OK) {
        *has = !roaring_bitmap_is_empty(ids);
        roaring_bitmap_free(ids);
    }
    return rc;
}

int bbi_show_check_leaf(const struct bbi_ql_expr *expr, struct bb_error *err)
{
    enum bbi_ql_op op = expr->u.binary.op;
    enum bbi_ql_expr_kind kind = expr->u.binary.rhs->kind;
    bool regex = op == BBI_QL_EQREGEX || op == BBI_QL_NEQREGEX;
    if (op != BBI_QL_EQ && op != BBI_QL_NEQ && !regex) {
        return bbi_error_set(err, BB_EINVAL, "invalid tag comparison operator");
    }
    if (expr->u.binary.lhs->kind != BBI_QL_VAR) {
        return bbi_error_set(err, BB_EINVAL, "left side of '%s' must be a tag key",
                             bbi_ql_op_text(op));
    }
    if (regex && kind != BBI_QL_REGEX) {
        return bbi_error_set(err, BB_EINVAL, "right side of '%s' must be a regular expression",
                             bbi_ql_op_text(op));
    }
    if (!regex && kind != BBI_QL_STRING) {
        return bbi_error_set(err, BB_EINVAL, "right side of '%s' must be a tag value string",
                             bbi_ql_op_text(op));
    }
    return BB_OK;
}

static int name_has(struct bbi_qctx *ctx, const struct bbi_measurement *m, enum bbi_ql_op op,
                    const char *value, bool *has, struct bb_error *err)
{
    struct bbi_regex *regex;
    int rc = BB_OK;
    if (op == BBI_QL_EQ || op == BBI_QL_NEQ) {
        *has = strcmp(m->name, value) == 0;
    } else {
        rc = bbi_regex_compile(&ctx->arena, value, &regex, err);
        rc = rc == BB_OK
                 ? bbi_regex_match(regex, (const uint8_t *)m->name, strlen(m->name), has, err)
                 : rc;
    }
    if (op == BBI_QL_NEQ || op == BBI_QL_NEQREGEX) {
        *has = !*has;
    }
    return rc;
}

static int leaf_has(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                    const struct bbi_ql_expr *expr, bool *has, struct bb_error *err)
{
    const struct bbi_ql_expr *var = expr->u.binary.lhs;
    const struct bbi_ql_expr *value = expr->u.binary.rhs;
    enum bbi_ql_op op = expr->u.binary.op;
    *has = true;
    int rc = bbi_show_check_leaf(expr, err);
    if (rc == BB_OK && strcmp(var->u.var.name, "_name") == 0) {
        return name_has(ctx, m, op, value->u.string, has, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_catalog_tag_key_exists(ctx->env->catalog, m->db_id, m->id,
                                    (const uint8_t *)var->u.var.name, strlen(var->u.var.name), has,
                                    err);
    if (rc != BB_OK || !*has) {
        return rc;
    }
    if (value->kind == BBI_QL_REGEX) {
        rc = any_value_matches(ctx, m, var->u.var.name, value->u.string, has, err);
    } else {
        rc = any_value_equals(ctx, m, var->u.var.name, value->u.string, has, err);
    }
    if (op == BBI_QL_NEQ || op == BBI_QL_NEQREGEX) {
        *has = !*has;
    }
    return rc;
}

struct question {
    struct bbi_qctx *ctx;
    const struct bbi_measurement *m;
};

static int part_has(void *arg, const struct bbi_ql_expr *expr, bool *out, struct bb_error *err)
{
    const struct question *q = arg;
    if (expr->kind == BBI_QL_BINARY) {
        return leaf_has(q->ctx, q->m, expr, out, err);
    }
    *out = expr->kind != BBI_QL_BOOLEAN || expr->u.boolean;
    return BB_OK;
}

int bbi_show_measurement_has(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                             const struct bbi_ql_expr *condition, bool *out, struct bb_error *err)
{
    struct question q = {ctx, m};
    return bbi_show_judge(condition, part_has, &q, out, err);
}

static int check_part(void *arg, struct bbi_ql_expr *expr, struct bbi_ql_expr **out,
                      struct bb_error *err)
{
    (void)arg;
    (void)out;
    return expr->kind == BBI_QL_BINARY ? bbi_show_check_leaf(expr, err) : BB_OK;
}

int bbi_show_check_leaves(struct bbi_ql_expr *condition, struct bb_error *err)
{
    return bbi_show_visit(condition, check_part, NULL, err);
}
