/* Wildcards and patterns of fields and dimensions; types of names. */
#include <stdlib.h>
#include <string.h>

#include "engine/query/plan_internal.h"
#include "engine/query/presence.h"
#include "engine/query/regex.h"

/* A field or tag of some measurement of the plan. */
struct name {
    const char *name;
    enum bbi_ql_type type; /* TAG, or a field's */
};

struct name_list {
    struct name *list;
    size_t count;
    size_t cap;
};

enum bbi_ql_type bbi_ql_type_of(enum bbi_type type)
{
    switch (type) {
    case BBI_FLOAT:
        return BBI_QL_TYPE_FLOAT;
    case BBI_INT:
        return BBI_QL_TYPE_INTEGER;
    case BBI_UINT:
        return BBI_QL_TYPE_UNSIGNED;
    case BBI_BOOL:
        return BBI_QL_TYPE_BOOLEAN;
    case BBI_STRING:
        return BBI_QL_TYPE_STRING;
    }
    return BBI_QL_TYPE_UNKNOWN;
}

/* Of a name with different types in different measurements, the one that stands for all: float,
 * integer, unsigned, string, boolean, tag. */
static unsigned rank_of(enum bbi_ql_type type)
{
    static const enum bbi_ql_type order[] = {BBI_QL_TYPE_FLOAT,    BBI_QL_TYPE_INTEGER,
                                             BBI_QL_TYPE_UNSIGNED, BBI_QL_TYPE_STRING,
                                             BBI_QL_TYPE_BOOLEAN,  BBI_QL_TYPE_TAG};
    for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (order[i] == type) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void raise(enum bbi_ql_type *type, enum bbi_ql_type found)
{
    if (found != BBI_QL_TYPE_UNKNOWN &&
        (*type == BBI_QL_TYPE_UNKNOWN || rank_of(found) < rank_of(*type))) {
        *type = found;
    }
}

/* A subquery's column, or a tag that it groups by, also where the column's type is not known; with
 * a cast that says which type, even if the column's own is not known, it is that type. */
static enum bbi_ql_type type_in(const struct bbi_plan *sub, const char *name, enum bbi_ql_type cast)
{
    bool plain = cast == BBI_QL_TYPE_UNKNOWN || cast == BBI_QL_TYPE_FIELD;
    for (size_t i = 0; i < sub->output_count; i++) {
        if (strcmp(sub->outputs[i].name, name) != 0) {
            continue;
        }
        if (!plain || sub->outputs[i].type != BBI_QL_TYPE_UNKNOWN) {
            return plain ? sub->outputs[i].type : cast;
        }
        break;
    }
    for (size_t i = 0; i < sub->own_dim_count; i++) {
        if (strcmp(sub->own_dims[i], name) == 0) {
            return plain ? BBI_QL_TYPE_TAG : cast;
        }
    }
    return BBI_QL_TYPE_UNKNOWN;
}

static int look_up(struct bbi_plan *plan, struct bbi_measurement *m, struct bb_error *err)
{
    const struct bbi_plan *root = plan;
    while (root->parent != NULL) {
        root = root->parent;
    }
    return bbi_presence_find(plan->ctx, m, &root->reach, err);
}

/* Of a field that is there, else of a tag. */
static int name_type_in(struct bbi_plan *plan, struct bbi_measurement *m, const char *name,
                        enum bbi_ql_type cast, enum bbi_ql_type *type, struct bb_error *err)
{
    struct bbi_catalog *catalog = plan->ctx->env->catalog;
    const uint8_t *bytes = (const uint8_t *)name;
    enum bbi_type stored;
    uint32_t field_id;
    bool is_tag = false;
    int rc = look_up(plan, m, err);
    *type = BBI_QL_TYPE_UNKNOWN;
    if (rc == BB_OK && cast != BBI_QL_TYPE_TAG) {
        rc = bbi_catalog_field_find(catalog, m->db_id, m->id, bytes, strlen(name), &field_id,
                                    &stored, err);
        if (rc == BB_OK && bbi_presence_has(m, field_id)) {
            *type = bbi_ql_type_of(stored);
            return BB_OK;
        }
        rc = rc == BB_ENOTFOUND ? BB_OK : rc;
    }
    if (rc == BB_OK && m->has_shard && (cast == BBI_QL_TYPE_UNKNOWN || cast == BBI_QL_TYPE_TAG)) {
        rc = bbi_catalog_tag_key_exists(catalog, m->db_id, m->id, bytes, strlen(name), &is_tag,
                                        err);
        *type = is_tag ? BBI_QL_TYPE_TAG : *type;
    }
    return rc;
}

/* Of a column that has no type for its operands' sake, though other sources may have the name. */
static bool is_mistyped(const struct bbi_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->sub_count; i++) {
        const struct bbi_plan *sub = plan->subs[i];
        size_t k = 0;
        while (k < sub->output_count && strcmp(sub->outputs[k].name, name) != 0) {
            k++;
        }
        if (k < sub->output_count && sub->outputs[k].is_mistyped) {
            return true;
        }
    }
    return false;
}

int bbi_plan_name_type(struct bbi_plan *plan, const char *name, enum bbi_ql_type cast,
                       enum bbi_ql_type *type, struct bb_error *err)
{
    bool plain = cast == BBI_QL_TYPE_UNKNOWN || cast == BBI_QL_TYPE_FIELD;
    *type = BBI_QL_TYPE_UNKNOWN;
    if (plain && is_mistyped(plan, name)) {
        return BB_OK;
    }
    for (size_t i = 0; i < plan->sub_count; i++) {
        raise(type, type_in(plan->subs[i], name, cast));
    }
    if (!plain && *type == cast) {
        return BB_OK; /* whatever the measurements beside it have */
    }
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < plan->from.count; i++) {
        enum bbi_ql_type found;
        rc = name_type_in(plan, &plan->from.list[i], name, cast, &found, err);
        raise(type, found);
    }
    return rc;
}

/* ---- all names ---- */

static int add_name(struct bbi_plan *plan, struct name_list *l, const struct bbi_name *name,
                    enum bbi_ql_type type, struct bb_error *err)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        struct name *list;
        int rc = bbi_qctx_array(plan->ctx, cap, sizeof(list[0]), &list, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (l->count != 0) {
            memcpy(list, l->list, l->count * sizeof(list[0]));
        }
        l->list = list;
        l->cap = cap;
    }
    struct name *n = &l->list[l->count];
    n->name = bbi_arena_dup(&plan->ctx->arena, name->name, name->len);
    n->type = type;
    if (n->name == NULL) {
        return bbi_error_nomem(err, "names");
    }
    l->count++;
    return BB_OK;
}

static int by_name_and_type(const void *a, const void *b)
{
    const struct name *x = a;
    const struct name *y = b;
    int c = strcmp(x->name, y->name);
    return c != 0 ? c
                  : (rank_of(x->type) > rank_of(y->type)) - (rank_of(x->type) < rank_of(y->type));
}

/* Sorted; one entry for a field whatever its types, one for a tag. */
static void unite(struct name_list *l)
{
    size_t kept = 0;
    if (l->count == 0) {
        return;
    }
    qsort(l->list, l->count, sizeof(l->list[0]), by_name_and_type);
    for (size_t i = 1; i < l->count; i++) {
        bool same = strcmp(l->list[kept].name, l->list[i].name) == 0;
        bool both_fields = l->list[kept].type != BBI_QL_TYPE_TAG &&
                           l->list[i].type != BBI_QL_TYPE_TAG;
        if (!same || (!both_fields && l->list[kept].type != l->list[i].type)) {
            l->list[++kept] = l->list[i];
        }
    }
    l->count = kept + 1;
}

static int add_names_of(struct bbi_plan *plan, struct bbi_measurement *m, bool tags,
                        struct name_list *l, struct bb_error *err)
{
    struct bbi_qctx *ctx = plan->ctx;
    struct bbi_names names;
    int rc = look_up(plan, m, err);
    if (rc != BB_OK || !m->has_shard) {
        return rc;
    }
    rc = tags ? bbi_catalog_tag_keys(ctx->env->catalog, m->db_id, m->id, NULL, &ctx->acct, &names,
                                     err)
              : bbi_catalog_fields(ctx->env->catalog, m->db_id, m->id, &ctx->acct, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t k = 0; rc == BB_OK && k < names.count; k++) {
        enum bbi_ql_type type = tags ? BBI_QL_TYPE_TAG : bbi_ql_type_of(names.list[k].type);
        if (tags || bbi_presence_has(m, names.list[k].id)) {
            rc = add_name(plan, l, &names.list[k], type, err);
        }
    }
    bbi_names_fini(&names);
    return rc;
}

static int add_names_in(struct bbi_plan *plan, const struct bbi_plan *sub, bool fields, bool tags,
                        struct name_list *l, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && fields && i < sub->output_count; i++) {
        const char *text = sub->outputs[i].name;
        struct bbi_name name = {.name = (const uint8_t *)text, .len = (uint32_t)strlen(text)};
        if (!sub->outputs[i].is_picked) {
            /* A tag among its columns is a column: grouping by tags does not take it away. */
            bool is_tag = sub->outputs[i].type == BBI_QL_TYPE_TAG;
            rc = add_name(plan, l, &name, is_tag ? BBI_QL_TYPE_FIELD : sub->outputs[i].type, err);
        }
    }
    for (size_t i = 0; rc == BB_OK && tags && i < sub->own_dim_count; i++) {
        const char *text = sub->own_dims[i];
        struct bbi_name name = {.name = (const uint8_t *)text, .len = (uint32_t)strlen(text)};
        rc = add_name(plan, l, &name, BBI_QL_TYPE_TAG, err);
    }
    return rc;
}

static int gather_names(struct bbi_plan *plan, bool fields, bool tags, struct name_list *l,
                        struct bb_error *err)
{
    int rc = BB_OK;
    memset(l, 0, sizeof(*l));
    for (size_t i = 0; rc == BB_OK && i < plan->from.count; i++) {
        if (fields) {
            rc = add_names_of(plan, &plan->from.list[i], false, l, err);
        }
        if (rc == BB_OK && tags) {
            rc = add_names_of(plan, &plan->from.list[i], true, l, err);
        }
    }
    for (size_t i = 0; rc == BB_OK && i < plan->sub_count; i++) {
        rc = add_names_in(plan, plan->subs[i], fields, tags, l, err);
    }
    unite(l);
    return rc;
}

/* ---- dimensions ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_expanding(const struct bbi_ql_expr *expr)
{
    return expr->kind == BBI_QL_WILDCARD || expr->kind == BBI_QL_REGEX;
}

static int expand_dimension(struct bbi_plan *plan, const struct bbi_ql_expr *expr,
                            const struct name_list *tags, struct bb_error *err)
{
    struct bbi_regex *regex = NULL;
    int rc = BB_OK;
    if (expr->kind == BBI_QL_VAR) {
        plan->dims[plan->dim_count++] = expr->u.var.name;
        return BB_OK;
    }
    if (expr->kind == BBI_QL_REGEX) {
        rc = bbi_regex_compile(&plan->ctx->arena, expr->u.string, &regex, err);
    }
    for (size_t i = 0; rc == BB_OK && i < tags->count; i++) {
        bool found = true;
        if (regex != NULL) {
            rc = bbi_regex_match(regex, tags->list[i].name, strlen(tags->list[i].name), &found,
                                 err);
        }
        if (rc == BB_OK && found) {
            plan->dims[plan->dim_count++] = tags->list[i].name;
        }
    }
    return rc;
}

static int expand_dimensions(struct bbi_plan *plan, bool *wildcard, struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    struct name_list tags = {0};
    size_t expanding = 0;
    int rc = BB_OK;
    for (size_t i = 0; i < select->dimension_count; i++) {
        expanding += is_expanding(select->dimensions[i]);
    }
    *wildcard = expanding > 0;
    if (expanding > 0) {
        rc = gather_names(plan, false, true, &tags, err);
    }
    if (rc == BB_OK) {
        rc = bbi_qctx_array(plan->ctx, select->dimension_count + expanding * tags.count,
                            sizeof(plan->dims[0]), &plan->dims, err);
    }
    for (size_t i = 0; rc == BB_OK && i < select->dimension_count; i++) {
        if (select->dimensions[i]->kind != BBI_QL_CALL) {
            rc = expand_dimension(plan, select->dimensions[i], &tags, err);
        }
    }
    if (rc != BB_OK || plan->dim_count == 0) {
        return rc;
    }
    size_t kept = 0;
    qsort(plan->dims, plan->dim_count, sizeof(plan->dims[0]), by_text);
    for (size_t i = 1; i < plan->dim_count; i++) {
        if (strcmp(plan->dims[kept], plan->dims[i]) != 0) {
            plan->dims[++kept] = plan->dims[i];
        }
    }
    plan->dim_count = kept + 1;
    return BB_OK;
}

/* ---- fields ---- */

struct expander {
    struct bbi_plan *plan;
    struct name_list names;
    size_t cap;
};

static int add_field(struct expander *x, struct bbi_ql_expr *expr, const char *alias,
                     struct bb_error *err)
{
    struct bbi_plan *plan = x->plan;
    if (plan->output_count == x->cap) {
        size_t cap = x->cap == 0 ? 8 : x->cap * 2;
        struct bbi_ql_field *fields;
        int rc = bbi_qctx_array(plan->ctx, cap, sizeof(fields[0]), &fields, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (plan->output_count != 0) {
            memcpy(fields, plan->fields, plan->output_count * sizeof(fields[0]));
        }
        plan->fields = fields;
        x->cap = cap;
    }
    plan->fields[plan->output_count++] = (struct bbi_ql_field){expr, alias};
    return BB_OK;
}

static int new_var(struct bbi_plan *plan, const char *name, enum bbi_ql_type type,
                   struct bbi_ql_expr **out, struct bb_error *err)
{
    int rc = bbi_qctx_array(plan->ctx, 1, sizeof(**out), out, err);
    if (rc == BB_OK) {
        (*out)->kind = BBI_QL_VAR;
        (*out)->u.var.name = name;
        (*out)->u.var.type = type;
    }
    return rc;
}

static bool is_grouped_by(const struct bbi_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->dim_count; i++) {
        if (strcmp(plan->dims[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a wildcard or pattern takes a name. */
static int takes(const struct bbi_ql_expr *expr, const struct bbi_regex *regex,
                 const struct name *name, bool *out, struct bb_error *err)
{
    *out = true;
    if (expr->kind == BBI_QL_WILDCARD) {
        /* FIELD: a subquery's column that is a tag of it, but none that groups. */
        bool is_tag = name->type == BBI_QL_TYPE_TAG || name->type == BBI_QL_TYPE_FIELD;
        *out = expr->u.wildcard == BBI_QL_TYPE_UNKNOWN ||
               is_tag == (expr->u.wildcard == BBI_QL_TYPE_TAG);
        return BB_OK;
    }
    return bbi_regex_match(regex, name->name, strlen(name->name), out, err);
}

static int regex_of(struct bbi_plan *plan, const struct bbi_ql_expr *expr, struct bbi_regex **out,
                    struct bb_error *err)
{
    *out = NULL;
    return expr->kind != BBI_QL_REGEX
               ? BB_OK
               : bbi_regex_compile(&plan->ctx->arena, expr->u.string, out, err);
}

/* The cast of a name that a wildcard or pattern brought. It matters where a subquery has several
 * columns of the name: its type is that of all of them, though the first alone is read. */
static enum bbi_ql_type cast_of(const struct bbi_plan *plan, const struct name *n)
{
    if (n->type == BBI_QL_TYPE_TAG || n->type == BBI_QL_TYPE_FIELD) {
        return n->type == BBI_QL_TYPE_TAG ? n->type : BBI_QL_TYPE_UNKNOWN;
    }
    for (size_t i = 0; i < plan->sub_count; i++) {
        size_t count = 0;
        for (size_t k = 0; k < plan->subs[i]->output_count; k++) {
            count += strcmp(plan->subs[i]->outputs[k].name, n->name) == 0;
        }
        if (count > 1) {
            return n->type;
        }
    }
    return BBI_QL_TYPE_UNKNOWN;
}

/* Fields and tags; not the tags that the result is grouped by, which head its series. */
static int expand_plain(struct expander *x, const struct bbi_ql_expr *expr, bool grouped,
                        struct bb_error *err)
{
    struct bbi_regex *regex;
    int rc = regex_of(x->plan, expr, &regex, err);
    for (size_t i = 0; rc == BB_OK && i < x->names.count; i++) {
        const struct name *n = &x->names.list[i];
        struct bbi_ql_expr *var;
        bool wanted;
        if (n->type == BBI_QL_TYPE_TAG && (grouped || is_grouped_by(x->plan, n->name))) {
            continue;
        }
        rc = takes(expr, regex, n, &wanted, err);
        if (rc == BB_OK && wanted) {
            rc = new_var(x->plan, n->name, cast_of(x->plan, n), &var, err);
            if (rc == BB_OK) {
                rc = add_field(x, var, NULL, err);
            }
        }
    }
    return rc;
}

/* What stands within parentheses: (mean(*)) expands as mean(*) does. */
static struct bbi_ql_expr *bare(struct bbi_ql_expr *expr)
{
    while (expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    return expr;
}

/* The call that holds the name, the pattern or the wildcard: mean(*) of derivative(mean(*)). NULL:
 * there is none. */
static const struct bbi_ql_expr *innermost(const struct bbi_ql_expr *expr)
{
    if (expr->kind != BBI_QL_CALL || expr->u.call.arg_count == 0) {
        return NULL;
    }
    const struct bbi_ql_expr *arg = bare(expr->u.call.args[0]);
    while (arg->kind == BBI_QL_CALL && arg->u.call.arg_count > 0) {
        expr = arg;
        arg = bare(expr->u.call.args[0]);
    }
    return expr;
}

static bool expands_call(const struct bbi_ql_expr *expr)
{
    const struct bbi_ql_expr *call = innermost(expr);
    return call != NULL && is_expanding(bare(call->u.call.args[0]));
}

/* The call with a name at its innermost place. */
static int copy_call(struct bbi_plan *plan, const struct bbi_ql_expr *call, const struct name *n,
                     struct bbi_ql_expr **out, struct bb_error *err)
{
    int rc = BB_OK;
    while (rc == BB_OK) {
        struct bbi_ql_expr *copy;
        struct bbi_ql_expr **args = NULL;
        size_t count = call->u.call.arg_count;
        rc = bbi_qctx_array(plan->ctx, 1, sizeof(*copy), &copy, err);
        rc = rc == BB_OK ? bbi_qctx_array(plan->ctx, count, sizeof(args[0]), &args, err) : rc;
        if (rc != BB_OK) {
            break;
        }
        *copy = *call;
        memcpy(args, call->u.call.args, count * sizeof(args[0]));
        copy->u.call.args = args;
        *out = copy;
        out = &args[0];
        call = bare(call->u.call.args[0]);
        if (call->kind != BBI_QL_CALL) {
            return new_var(plan, n->name, cast_of(plan, n), out, err);
        }
    }
    return rc;
}

static int add_call(struct expander *x, const struct bbi_ql_field *field, const struct name *n,
                    struct bb_error *err)
{
    struct bbi_plan *plan = x->plan;
    const char *base = field->alias != NULL ? field->alias : field->expr->u.call.name;
    struct bbi_ql_expr *copy;
    size_t alias_bytes = strlen(base) + strlen(n->name) + 2;
    char *alias = bbi_arena_alloc(&plan->ctx->arena, alias_bytes);
    if (alias == NULL) {
        return bbi_error_nomem(err, "names");
    }
    (void)snprintf(alias, alias_bytes, "%s_%s", base, n->name);
    int rc = copy_call(plan, field->expr, n, &copy, err);
    return rc == BB_OK ? add_field(x, copy, alias, err) : rc;
}

/* A call for each field of a type that the function takes: max(*) gives max_a, max_b. */
static int expand_call(struct expander *x, const struct bbi_ql_field *field, struct bb_error *err)
{
    const struct bbi_ql_expr *call = innermost(field->expr);
    const struct bbi_ql_expr *arg = bare(call->u.call.args[0]);
    struct bbi_regex *regex;
    enum bbi_func func = BBI_FUNC_COUNT;
    (void)bbi_func_find(call->u.call.name, &func);
    if (arg->kind == BBI_QL_WILDCARD && arg->u.wildcard == BBI_QL_TYPE_TAG) {
        return bbi_error_set(err, BB_EINVAL, "unable to use tag wildcard in %s()",
                             call->u.call.name);
    }
    int rc = regex_of(x->plan, arg, &regex, err);
    for (size_t i = 0; rc == BB_OK && i < x->names.count; i++) {
        const struct name *n = &x->names.list[i];
        enum bbi_ql_type result;
        bool wanted;
        rc = takes(arg, regex, n, &wanted, err);
        if (rc == BB_OK && wanted && bbi_func_type(func, n->type, &result)) {
            rc = add_call(x, field, n, err);
        }
    }
    return rc;
}

/* top(x, a, b, n) has columns for a and b too. */
static int add_picked(struct expander *x, const struct bbi_ql_expr *expr, struct bb_error *err)
{
    enum bbi_func func;
    int rc = BB_OK;
    if (expr->kind != BBI_QL_CALL || !bbi_func_find(expr->u.call.name, &func) ||
        (func != BBI_FUNC_TOP && func != BBI_FUNC_BOTTOM)) {
        return BB_OK;
    }
    for (size_t i = 1; rc == BB_OK && i + 1 < expr->u.call.arg_count; i++) {
        rc = add_field(x, expr->u.call.args[i], NULL, err);
    }
    return rc;
}

static int expand_field(struct expander *x, const struct bbi_ql_field *field, bool grouped,
                        struct bb_error *err)
{
    struct bbi_ql_world world = {.now_ns = x->plan->ctx->now_ns, .fold_call = bbi_math_fold};
    struct bbi_ql_expr *expr = field->expr;
    if (bbi_ql_is_time(expr)) {
        return BB_OK;
    }
    struct bbi_ql_field inner = {bare(expr), field->alias};
    if (is_expanding(inner.expr)) {
        return expand_plain(x, inner.expr, grouped, err);
    }
    if (expands_call(inner.expr)) {
        return expand_call(x, &inner, err);
    }
    int rc = bbi_ql_reduce(expr, &world, &x->plan->ctx->arena, &expr, err);
    if (rc == BB_OK) {
        rc = add_field(x, expr, field->alias, err);
    }
    return rc == BB_OK ? add_picked(x, expr, err) : rc;
}

int bbi_plan_expand(struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    struct expander x = {.plan = plan};
    bool grouped;
    bool expanding = false;
    int rc = expand_dimensions(plan, &grouped, err);
    for (size_t i = 0; i < select->field_count; i++) {
        const struct bbi_ql_expr *expr = bare(select->fields[i].expr);
        expanding = expanding || is_expanding(expr) || expands_call(expr);
    }
    if (rc == BB_OK && expanding) {
        rc = gather_names(plan, true, true, &x.names, err);
    }
    for (size_t i = 0; rc == BB_OK && i < select->field_count; i++) {
        rc = expand_field(&x, &select->fields[i], grouped, err);
    }
    return rc;
}
