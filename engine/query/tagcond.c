#include "engine/query/tagcond.h"

#include <string.h>

#include "engine/query/regex.h"

/* Deeper nesting is left to the row filter. */
#define PRED_DEPTH_MAX 200

struct splitter {
    struct bbi_qctx *ctx;
    uint32_t db_id;
    uint32_t mid;
    enum bbi_tagcond_fields fields;
    bool loose; /* what cannot be decided may hold: series that no row can be of are ruled out */
};

struct expr_list {
    struct bbi_ql_expr **list;
    size_t count;
    size_t cap;
};

static int push(struct bbi_qctx *ctx, struct expr_list *l, struct bbi_ql_expr *expr,
                struct bb_error *err)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 8 : l->cap * 2;
        struct bbi_ql_expr **list;
        int rc = bbi_qctx_array(ctx, cap, sizeof(list[0]), &list, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (l->count != 0) {
            memcpy(list, l->list, l->count * sizeof(list[0]));
        }
        l->list = list;
        l->cap = cap;
    }
    l->list[l->count++] = expr;
    return BB_OK;
}

/* The operands of a row of equal operators, parentheses dissolved, in no particular order. */
static int operands(struct bbi_qctx *ctx, struct bbi_ql_expr *expr, enum bbi_ql_op op,
                    struct expr_list *out, struct bb_error *err)
{
    struct expr_list todo = {0};
    int rc = push(ctx, &todo, expr, err);
    while (rc == BB_OK && todo.count > 0) {
        struct bbi_ql_expr *at = todo.list[--todo.count];
        while (at->kind == BBI_QL_PAREN) {
            at = at->u.inner;
        }
        if (at->kind == BBI_QL_BINARY && at->u.binary.op == op) {
            rc = push(ctx, &todo, at->u.binary.rhs, err);
            if (rc == BB_OK) {
                rc = push(ctx, &todo, at->u.binary.lhs, err);
            }
        } else {
            rc = push(ctx, out, at, err);
        }
    }
    return rc;
}

/* What InfluxDB's shards name themselves: SHOW SERIES takes them for fields. */
static bool is_system_name(const char *name)
{
    return strcmp(name, "_tagKey") == 0 || strcmp(name, "_tagValue") == 0 ||
           strcmp(name, "_seriesKey") == 0;
}

static int is_field(const struct splitter *s, const struct bbi_ql_expr *var, bool *field,
                    struct bb_error *err)
{
    uint32_t field_id;
    enum bbi_type type;
    const char *name = var->u.var.name;
    *field = var->u.var.type != BBI_QL_TYPE_TAG;
    if (s->fields == BBI_FIELDS_IGNORE && is_system_name(name)) {
        return BB_OK;
    }
    if (var->u.var.type != BBI_QL_TYPE_UNKNOWN || s->mid == 0) {
        *field = *field && var->u.var.type != BBI_QL_TYPE_UNKNOWN;
        return BB_OK;
    }
    int rc = bbi_catalog_field_find(s->ctx->env->catalog, s->db_id, s->mid, (const uint8_t *)name,
                                    strlen(name), &field_id, &type, err);
    *field = rc == BB_OK;
    return rc == BB_ENOTFOUND ? BB_OK : rc;
}

static enum bbi_tagpred_op leaf_op(enum bbi_ql_op op, const struct bbi_ql_expr *value)
{
    if (value->kind == BBI_QL_STRING && op == BBI_QL_EQ) {
        return BBI_TAGPRED_EQ;
    }
    if (value->kind == BBI_QL_STRING && op == BBI_QL_NEQ) {
        return BBI_TAGPRED_NEQ;
    }
    if (value->kind == BBI_QL_REGEX && op == BBI_QL_EQREGEX) {
        return BBI_TAGPRED_REGEX;
    }
    if (value->kind == BBI_QL_REGEX && op == BBI_QL_NEQREGEX) {
        return BBI_TAGPRED_NREGEX;
    }
    return BBI_TAGPRED_AND;
}

static int leaf(const struct splitter *s, enum bbi_tagpred_op op, const char *key,
                const char *value, struct bbi_tagpred **out, struct bb_error *err)
{
    int rc = bbi_qctx_array(s->ctx, 1, sizeof(**out), out, err);
    if (rc == BB_OK) {
        **out = (struct bbi_tagpred){.op = op,
                                     .key = (const uint8_t *)key,
                                     .key_len = strlen(key),
                                     .value = (const uint8_t *)value,
                                     .value_len = strlen(value)};
    }
    return rc;
}

/* No series has the tag whose name is empty. */
static int constant(const struct splitter *s, bool holds, struct bbi_tagpred **out,
                    struct bb_error *err)
{
    return leaf(s, holds ? BBI_TAGPRED_EQ : BBI_TAGPRED_NEQ, "", "", out, err);
}

static int both(const struct splitter *s, const struct bbi_tagpred *a, const struct bbi_tagpred *b,
                struct bbi_tagpred **out, struct bb_error *err)
{
    const struct bbi_tagpred **children;
    int rc = bbi_qctx_array(s->ctx, 2, sizeof(children[0]), &children, err);
    rc = rc == BB_OK ? bbi_qctx_array(s->ctx, 1, sizeof(**out), out, err) : rc;
    if (rc == BB_OK) {
        children[0] = a;
        children[1] = b;
        **out = (struct bbi_tagpred){.op = BBI_TAGPRED_AND, .children = children, .child_count = 2};
    }
    return rc;
}

/* A comparison of `_name` is decided here and now. */
static int compare_name(const struct splitter *s, enum bbi_tagpred_op op, const char *value,
                        struct bbi_tagpred **out, struct bb_error *err)
{
    struct bbi_regex *regex;
    struct bbi_buf name;
    bool holds = false;
    bbi_buf_init(&name, &s->ctx->acct, SIZE_MAX / 4);
    int rc = bbi_catalog_measurement_name(s->ctx->env->catalog, s->db_id, s->mid, &name, err);
    if (rc == BB_OK && (op == BBI_TAGPRED_EQ || op == BBI_TAGPRED_NEQ)) {
        holds = name.len == strlen(value) && memcmp(name.data, value, name.len) == 0;
    } else if (rc == BB_OK) {
        rc = bbi_regex_compile(&s->ctx->arena, value, &regex, err);
        rc = rc == BB_OK ? bbi_regex_match(regex, name.data, name.len, &holds, err) : rc;
    }
    bbi_buf_fini(&name);
    if (op == BBI_TAGPRED_NEQ || op == BBI_TAGPRED_NREGEX) {
        holds = !holds;
    }
    return rc == BB_OK ? constant(s, holds, out, err) : rc;
}

/* Of two tags the index only knows who has them: equal are those of series that have both. *out
 * stays NULL if one is a field. */
static int compare_tags(const struct splitter *s, const struct bbi_ql_expr *expr,
                        struct bbi_tagpred **out, struct bb_error *err)
{
    const struct bbi_ql_expr *lhs = expr->u.binary.lhs;
    const struct bbi_ql_expr *rhs = expr->u.binary.rhs;
    struct bbi_tagpred *first;
    struct bbi_tagpred *second;
    bool field;
    int rc = is_field(s, lhs, &field, err);
    if (rc == BB_OK && !field) {
        rc = is_field(s, rhs, &field, err);
    }
    if (rc != BB_OK || field) {
        return rc;
    }
    rc = leaf(s, BBI_TAGPRED_NEQ, lhs->u.var.name, "", &first, err);
    rc = rc == BB_OK ? leaf(s, expr->u.binary.op == BBI_QL_EQ ? BBI_TAGPRED_NEQ : BBI_TAGPRED_EQ,
                            rhs->u.var.name, "", &second, err)
                     : rc;
    return rc == BB_OK ? both(s, first, second, out, err) : rc;
}

/* Both tags have this value, or (negated) one has it and the other has not. */
static int one_value(const struct splitter *s, const struct bbi_ql_expr *expr, const char *value,
                     struct bbi_tagpred **out, struct bb_error *err)
{
    bool negated = expr->u.binary.op == BBI_QL_NEQ;
    const char *other = expr->u.binary.rhs->u.var.name;
    struct bbi_tagpred *first;
    struct bbi_tagpred *second;
    struct bbi_tagpred *present;
    int rc = leaf(s, BBI_TAGPRED_EQ, expr->u.binary.lhs->u.var.name, value, &first, err);
    rc = rc == BB_OK
             ? leaf(s, negated ? BBI_TAGPRED_NEQ : BBI_TAGPRED_EQ, other, value, &second, err)
             : rc;
    rc = rc == BB_OK ? both(s, first, second, out, err) : rc;
    if (rc == BB_OK && negated && s->fields == BBI_FIELDS_ABSENT) {
        rc = leaf(s, BBI_TAGPRED_NEQ, other, "", &present, err);
        rc = rc == BB_OK ? both(s, *out, present, out, err) : rc;
    }
    return rc;
}

static int any_of_values(const struct splitter *s, const struct bbi_ql_expr *expr,
                         const struct bbi_names *values, struct bbi_tagpred **out,
                         struct bb_error *err)
{
    const struct bbi_tagpred **children;
    struct bbi_tagpred *child;
    size_t count = 0;
    int rc = bbi_qctx_array(s->ctx, values->count + 1, sizeof(children[0]), &children, err);
    for (size_t i = 0; rc == BB_OK && i < values->count; i++) {
        const struct bbi_name *v = &values->list[i];
        char *text;
        rc = bbi_qctx_array(s->ctx, v->len + 1, 1, &text, err);
        if (rc == BB_OK) {
            memcpy(text, v->name, v->len);
            rc = one_value(s, expr, text, &child, err);
            children[count++] = child;
        }
    }
    if (rc == BB_OK) {
        bool absent = expr->u.binary.op == BBI_QL_NEQ && s->fields == BBI_FIELDS_NEVER;
        rc = absent ? leaf(s, BBI_TAGPRED_EQ, expr->u.binary.lhs->u.var.name, "", &child, err)
                    : constant(s, false, &child, err);
        children[count++] = child;
    }
    rc = rc == BB_OK ? bbi_qctx_array(s->ctx, 1, sizeof(**out), out, err) : rc;
    if (rc == BB_OK) {
        **out = (struct bbi_tagpred){
            .op = BBI_TAGPRED_OR, .children = children, .child_count = count};
    }
    return rc;
}

/* CARDINALITY compares the tags of each series by value: equal are two that are there. *out stays
 * NULL if one is a field. */
static int compare_values(const struct splitter *s, const struct bbi_ql_expr *expr,
                          struct bbi_tagpred **out, struct bb_error *err)
{
    const char *name = expr->u.binary.lhs->u.var.name;
    struct bbi_names values;
    bool field;
    int rc = is_field(s, expr->u.binary.lhs, &field, err);
    if (rc == BB_OK && !field) {
        rc = is_field(s, expr->u.binary.rhs, &field, err);
    }
    if (rc != BB_OK || field) {
        return rc;
    }
    rc = bbi_catalog_tag_values(s->ctx->env->catalog, s->db_id, s->mid, (const uint8_t *)name,
                                strlen(name), NULL, &s->ctx->acct, &values, err);
    if (rc == BB_OK) {
        rc = any_of_values(s, expr, &values, out, err);
        bbi_names_fini(&values);
    }
    return rc;
}

/* A comparison of a tag with a literal; *out stays NULL if it is something else. */
static int convert_comparison(const struct splitter *s, const struct bbi_ql_expr *expr,
                              struct bbi_tagpred **out, struct bb_error *err)
{
    const struct bbi_ql_expr *var = expr->u.binary.lhs;
    const struct bbi_ql_expr *value = expr->u.binary.rhs;
    if (var->kind != BBI_QL_VAR) {
        const struct bbi_ql_expr *swap = var;
        var = value;
        value = swap;
    }
    enum bbi_tagpred_op op = leaf_op(expr->u.binary.op, value);
    bool field;
    if (var->kind != BBI_QL_VAR || op == BBI_TAGPRED_AND) {
        return BB_OK;
    }
    if (s->mid != 0 && s->fields != BBI_FIELDS_ABSENT && strcmp(var->u.var.name, "_name") == 0) {
        return compare_name(s, op, value->u.string, out, err);
    }
    int rc = is_field(s, var, &field, err);
    if (rc != BB_OK || field) {
        return rc;
    }
    rc = leaf(s, op, var->u.var.name, value->u.string, out, err);
    if (rc == BB_OK && s->fields == BBI_FIELDS_ABSENT) {
        struct bbi_tagpred *present;
        rc = leaf(s, BBI_TAGPRED_NEQ, var->u.var.name, "", &present, err);
        rc = rc == BB_OK ? both(s, *out, present, out, err) : rc;
    }
    return rc;
}

static bool is_comparison(enum bbi_ql_op op)
{
    return op == BBI_QL_EQ || op == BBI_QL_NEQ || op == BBI_QL_EQREGEX || op == BBI_QL_NEQREGEX;
}

static bool is_math(enum bbi_ql_op op)
{
    return op >= BBI_QL_ADD && op <= BBI_QL_BITAND;
}

static bool compares_names(const struct bbi_ql_expr *expr)
{
    enum bbi_ql_op op = expr->u.binary.op;
    return (op == BBI_QL_EQ || op == BBI_QL_NEQ) && expr->u.binary.lhs->kind == BBI_QL_VAR &&
           expr->u.binary.rhs->kind == BBI_QL_VAR;
}

static bool is_by_size(enum bbi_ql_op op)
{
    return op == BBI_QL_LT || op == BBI_QL_LTE || op == BBI_QL_GT || op == BBI_QL_GTE;
}

static bool is_tag_key(const struct bbi_ql_expr *expr)
{
    return expr->kind == BBI_QL_VAR && strcmp(expr->u.var.name, "_tagKey") == 0;
}

/* Tags are equal to strings, patterns and tags, or not: other operators hold for no series. What is
 * calculated in the place of a comparison holds else: InfluxDB does not ask what it comes to. */
static int may_hold(const struct splitter *s, const struct bbi_ql_expr *expr, bool *holds,
                    struct bb_error *err)
{
    const struct bbi_ql_expr *var = expr->u.binary.lhs;
    const struct bbi_ql_expr *value = expr->u.binary.rhs;
    int rc = BB_OK;
    *holds = true;
    if (var->kind != BBI_QL_VAR) {
        var = value;
        value = expr->u.binary.lhs;
    }
    if (var->kind == BBI_QL_VAR && (value->kind == BBI_QL_STRING || value->kind == BBI_QL_REGEX ||
                                    value->kind == BBI_QL_VAR)) {
        rc = is_field(s, var, holds, err);
    }
    if (rc == BB_OK && !*holds && value->kind == BBI_QL_VAR) {
        rc = is_field(s, value, holds, err);
    }
    return rc;
}

/* A condition for rows with true and false for what is calculated in the place of a comparison.
 * There may be very many operators in a row: they hang on each other's left sides. */
static int settle(const struct splitter *s, struct bbi_ql_expr *expr, struct bbi_ql_expr **out,
                  struct bb_error *err)
{
    int rc = BB_OK;
    for (;;) {
        struct bbi_ql_expr *copy;
        *out = expr;
        bool joins = expr->kind == BBI_QL_BINARY &&
                     (expr->u.binary.op == BBI_QL_AND || expr->u.binary.op == BBI_QL_OR);
        bool maths = expr->kind == BBI_QL_BINARY && is_math(expr->u.binary.op);
        if (!joins && !maths && expr->kind != BBI_QL_PAREN) {
            return BB_OK;
        }
        rc = bbi_qctx_array(s->ctx, 1, sizeof(*copy), &copy, err);
        if (rc != BB_OK) {
            return rc;
        }
        *copy = *expr;
        *out = copy;
        if (maths) {
            copy->kind = BBI_QL_BOOLEAN;
            return may_hold(s, expr, &copy->u.boolean, err);
        }
        if (joins) {
            rc = settle(s, expr->u.binary.rhs, &copy->u.binary.rhs, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        out = joins ? &copy->u.binary.lhs : &copy->u.inner;
        expr = *out;
    }
}

static int convert_leaf(const struct splitter *s, const struct bbi_ql_expr *expr,
                        struct bbi_tagpred **out, struct bb_error *err)
{
    bool never = s->fields == BBI_FIELDS_NEVER || s->fields == BBI_FIELDS_ABSENT;
    bool by_index = s->fields == BBI_FIELDS_IGNORE || s->fields == BBI_FIELDS_REFUSE;
    int rc = BB_OK;
    if (expr->kind == BBI_QL_BINARY) {
        enum bbi_ql_op op = expr->u.binary.op;
        if (s->fields == BBI_FIELDS_IGNORE && !is_comparison(op)) {
            return bbi_error_set(err, BB_EINVAL, "invalid tag comparison operator");
        }
        if (s->fields == BBI_FIELDS_KEEP && (is_math(op) || is_by_size(op))) {
            bool holds;
            rc = may_hold(s, expr, &holds, err);
            return rc == BB_OK && (is_math(op) || !holds) ? constant(s, holds, out, err) : rc;
        }
        if (never && is_comparison(op) && is_tag_key(expr->u.binary.lhs)) {
            return constant(s, true, out, err); /* who counts looks at it for each key */
        }
        by_index = by_index || (s->loose && op == BBI_QL_EQ);
        rc = !compares_names(expr) ? convert_comparison(s, expr, out, err)
             : by_index            ? compare_tags(s, expr, out, err)
             : never               ? compare_values(s, expr, out, err)
                                   : BB_OK;
    }
    if (rc == BB_OK && *out == NULL && s->fields == BBI_FIELDS_IGNORE) {
        rc = constant(s, expr->kind != BBI_QL_BOOLEAN || expr->u.boolean, out, err);
    }
    if (rc == BB_OK && *out == NULL && never) {
        rc = constant(s, expr->kind == BBI_QL_BOOLEAN && expr->u.boolean, out, err);
    }
    return rc;
}

static int convert(const struct splitter *s, struct bbi_ql_expr *expr, unsigned depth,
                   struct bbi_tagpred **out, struct bb_error *err)
{
    *out = NULL;
    while (expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    bool is_or = expr->kind == BBI_QL_BINARY && expr->u.binary.op == BBI_QL_OR;
    bool is_and = expr->kind == BBI_QL_BINARY && expr->u.binary.op == BBI_QL_AND;
    if (!is_or && !is_and) {
        return convert_leaf(s, expr, out, err);
    }
    struct expr_list list = {0};
    const struct bbi_tagpred **children;
    size_t count = 0;
    int rc = operands(s->ctx, expr, is_or ? BBI_QL_OR : BBI_QL_AND, &list, err);
    if (rc != BB_OK || depth == PRED_DEPTH_MAX) {
        return rc;
    }
    rc = bbi_qctx_array(s->ctx, list.count, sizeof(children[0]), &children, err);
    for (size_t i = 0; rc == BB_OK && i < list.count; i++) {
        struct bbi_tagpred *child;
        rc = convert(s, list.list[i], depth + 1, &child, err);
        if (rc != BB_OK || (child == NULL && (is_or || !s->loose))) {
            return rc;
        }
        if (child != NULL) {
            children[count++] = child;
        }
    }
    if (rc == BB_OK && count > 0) {
        rc = bbi_qctx_array(s->ctx, 1, sizeof(**out), out, err);
    }
    if (rc == BB_OK && count > 0) {
        **out = (struct bbi_tagpred){.op = is_or ? BBI_TAGPRED_OR : BBI_TAGPRED_AND,
                                     .children = children,
                                     .child_count = count};
    }
    return rc;
}

/* A condition of which the posting lists cannot decide anything. */
static int keep(const struct splitter *s, struct bbi_ql_expr *expr, struct expr_list *rest,
                struct bbi_tagcond *out, struct bb_error *err)
{
    int rc = BB_OK;
    if (expr->kind == BBI_QL_BOOLEAN) {
        out->never = out->never || !expr->u.boolean;
        return BB_OK;
    }
    switch (s->fields) {
    case BBI_FIELDS_IGNORE:
        return BB_OK;
    case BBI_FIELDS_NEVER:
    case BBI_FIELDS_ABSENT:
        out->never = true;
        return BB_OK;
    case BBI_FIELDS_KEEP:
        rc = settle(s, expr, &expr, err);
        break;
    case BBI_FIELDS_REFUSE:
        break;
    }
    return rc == BB_OK ? push(s->ctx, rest, expr, err) : rc;
}

int bbi_tagcond_split(struct bbi_qctx *ctx, uint32_t db_id, uint32_t mid, struct bbi_ql_expr *expr,
                      enum bbi_tagcond_fields fields, struct bbi_tagcond *out, struct bb_error *err)
{
    struct splitter s = {.ctx = ctx, .db_id = db_id, .mid = mid, .fields = fields};
    struct expr_list parts = {0};
    struct expr_list rest = {0};
    const struct bbi_tagpred **preds;
    size_t pred_count = 0;
    memset(out, 0, sizeof(*out));
    if (expr == NULL) {
        return BB_OK;
    }
    int rc = operands(ctx, expr, BBI_QL_AND, &parts, err);
    if (rc == BB_OK) {
        rc = bbi_qctx_array(ctx, parts.count, sizeof(preds[0]), &preds, err);
    }
    for (size_t i = 0; rc == BB_OK && i < parts.count; i++) {
        struct bbi_tagpred *pred;
        rc = convert(&s, parts.list[i], 0, &pred, err);
        if (rc == BB_OK && pred == NULL) {
            rc = keep(&s, parts.list[i], &rest, out, err);
            s.loose = fields == BBI_FIELDS_KEEP;
            rc = rc == BB_OK && s.loose ? convert(&s, parts.list[i], 0, &pred, err) : rc;
            s.loose = false;
        }
        if (rc == BB_OK && pred != NULL) {
            preds[pred_count++] = pred;
        }
    }
    if (rc != BB_OK) {
        return rc;
    }
    out->rest = rest.list;
    out->rest_count = rest.count;
    if (pred_count == 1) {
        out->pred = preds[0];
    } else if (pred_count > 1) {
        struct bbi_tagpred *all;
        rc = bbi_qctx_array(ctx, 1, sizeof(*all), &all, err);
        if (rc == BB_OK) {
            *all = (struct bbi_tagpred){
                .op = BBI_TAGPRED_AND, .children = preds, .child_count = pred_count};
            out->pred = all;
        }
    }
    return rc;
}

int bbi_tagcond_select(struct bbi_qctx *ctx, uint32_t db_id, uint32_t mid,
                       const struct bbi_tagcond *cond, roaring_bitmap_t **out, struct bb_error *err)
{
    if (cond->never) {
        *out = roaring_bitmap_create();
        return *out == NULL ? bbi_error_nomem(err, "series") : BB_OK;
    }
    return bbi_catalog_select(ctx->env->catalog, db_id, mid, cond->pred, out, err);
}
