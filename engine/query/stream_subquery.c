/* The rows of a subquery as points of the query around it. */
#include <math.h>
#include <string.h>

#include "engine/query/emit.h"
#include "engine/query/rowset.h"

enum source_kind {
    FROM_NOTHING,
    FROM_COLUMN,
    FROM_TAG,
    FROM_ABSENT_TAG /* "" */
};

/* Where a name of the outer query comes from. */
struct mapping {
    enum source_kind kind;
    size_t index; /* of the column, or of the subquery's dims */
    enum bbi_ql_type type;
};

/* An indirection of tags and what it becomes outside. */
struct level {
    const size_t *inner;
    size_t *outer;
};

struct sub {
    struct bbi_stream base;
    const struct bbi_plan *outer;
    const struct bbi_plan *plan;
    struct bbi_rowset rows;
    bool is_open;
    struct bbi_flow flow;
    bool has_driver;
    struct mapping driver;
    struct mapping *aux; /* [outer->ref_count] */
    struct bb_value *values;
    bool has_filter;
    struct bbi_program filter;
    struct mapping *filter_from; /* [filter slots] */
    size_t filter_count;
    struct bb_value *filter_slots;
    struct bb_value *filter_stack;
    size_t *dim_at; /* [outer->dim_count] which of the subquery's dims is each */
    struct level *levels;
    size_t level_count;
    uint64_t count;
};

/* ---- names ---- */

static bool find_dim(const char *const *dims, size_t count, const char *name, size_t *index)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(dims[i], name) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* A column by its own name, or else a tag that the subquery itself groups by. */
static struct mapping map_ref(const struct bbi_plan *plan, const struct bbi_ref *ref)
{
    struct mapping m = {.type = ref->type};
    size_t own;
    if (ref->is_key) {
        m.kind = find_dim(plan->dims, plan->dim_count, ref->name, &m.index) ? FROM_TAG
                                                                            : FROM_NOTHING;
        return m;
    }
    for (size_t i = 0; i < plan->output_count; i++) {
        if (strcmp(plan->outputs[i].name, ref->name) == 0) {
            m.kind = FROM_COLUMN;
            m.index = i;
            return m;
        }
    }
    if (find_dim(plan->own_dims, plan->own_dim_count, ref->name, &own) &&
        find_dim(plan->dims, plan->dim_count, ref->name, &m.index)) {
        m.kind = FROM_TAG;
    }
    return m;
}

/* In the condition, names are those of the columns as they are told; all others are tags. */
static int filter_leaf(void *arg, const struct bbi_ql_expr *leaf, uint32_t *slot,
                       struct bb_error *err)
{
    struct sub *s = arg;
    const struct bbi_plan *plan = s->plan;
    struct mapping m = {.kind = FROM_NOTHING};
    if (leaf->kind == BBI_QL_DISTINCT) {
        *slot = BBI_PROGRAM_NOTHING;
        return BB_OK;
    }
    if (leaf->kind != BBI_QL_VAR) {
        return bbi_error_set(err, BB_EUNSUPPORTED, "a call in a condition is not supported");
    }
    m.type = leaf->u.var.type;
    for (size_t i = 0; m.kind == FROM_NOTHING && i < plan->output_count; i++) {
        if (strcmp(plan->columns[i + 1], leaf->u.var.name) == 0) {
            m.kind = FROM_COLUMN;
            m.index = i;
        }
    }
    if (m.kind == FROM_NOTHING &&
        find_dim(plan->dims, plan->dim_count, leaf->u.var.name, &m.index)) {
        m.kind = FROM_TAG;
    }
    m.kind = m.kind == FROM_NOTHING ? FROM_ABSENT_TAG : m.kind;
    struct mapping *list;
    int rc = bbi_qctx_array(plan->ctx, s->filter_count + 1, sizeof(list[0]), &list, err);
    if (rc == BB_OK) {
        if (s->filter_count != 0) {
            memcpy(list, s->filter_from, s->filter_count * sizeof(list[0]));
        }
        list[s->filter_count] = m;
        s->filter_from = list;
        *slot = (uint32_t)s->filter_count++;
    }
    return rc;
}

static int compile_filter(struct sub *s, struct bb_error *err)
{
    struct bbi_qctx *ctx = s->plan->ctx;
    const struct bbi_ql_expr *rest = s->outer->when.rest;
    s->has_filter = rest != NULL;
    if (rest == NULL) {
        return BB_OK;
    }
    int rc = bbi_program_compile(ctx, rest, filter_leaf, s, &s->filter, err);
    s->filter.null_is_false = true;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, s->filter_count, sizeof(s->filter_slots[0]),
                                      &s->filter_slots, err)
                     : rc;
    return rc == BB_OK ? bbi_qctx_array(ctx, s->filter.depth, sizeof(s->filter_stack[0]),
                                        &s->filter_stack, err)
                       : rc;
}

/* ---- values ---- */

/* As InfluxDB casts: what cannot be cast stays as it is. */
static struct bb_value cast(struct bb_value v, enum bbi_ql_type type)
{
    if (type == BBI_QL_TYPE_UNKNOWN || type == BBI_QL_TYPE_FIELD || type == BBI_QL_TYPE_TAG) {
        return v;
    }
    struct bb_value out = bbi_value_cast(v, type);
    return out.kind == BB_VALUE_NULL ? v : out;
}

static struct bb_value value_of(const struct sub *s, const struct mapping *m)
{
    if (m->kind == FROM_COLUMN) {
        return cast(s->rows.values[m->index], m->type);
    }
    if (m->kind == FROM_TAG) {
        const char *tag = bbi_group_tag(&s->rows.group, m->index);
        return bbi_value_string(tag, strlen(tag));
    }
    return m->kind == FROM_ABSENT_TAG ? bbi_value_string("", 0)
                                      : (struct bb_value){.kind = BB_VALUE_NULL};
}

/* Of a column beside the one that is asked for: what is not a number is no integer. */
static struct bb_value beside(const struct sub *s, const struct mapping *m)
{
    struct bb_value null = {.kind = BB_VALUE_NULL};
    bool whole = m->type == BBI_QL_TYPE_INTEGER || m->type == BBI_QL_TYPE_UNSIGNED;
    if (m->kind == FROM_COLUMN && whole && s->rows.values[m->index].kind == BB_VALUE_FLOAT &&
        isnan(s->rows.values[m->index].v.f)) {
        return null;
    }
    return value_of(s, m);
}

static int passes(struct sub *s, bool *out, struct bb_error *err)
{
    struct bb_value result;
    *out = true;
    if (!s->has_filter) {
        return BB_OK;
    }
    for (size_t i = 0; i < s->filter_count; i++) {
        s->filter_slots[i] = beside(s, &s->filter_from[i]);
    }
    int rc = bbi_program_run(&s->filter, s->filter_slots, s->filter_stack, &result, err);
    *out = rc == BB_OK && result.kind == BB_VALUE_BOOL && result.v.b;
    return rc;
}

/* The group of the outer query. Indirections are few: one for each way that rows come in. */
static int outer_group(struct sub *s, struct bbi_group *out, struct bb_error *err)
{
    const struct bbi_group *in = &s->rows.group;
    size_t n = s->outer->dim_count;
    *out = *in;
    for (size_t i = 0; i < s->level_count; i++) {
        if (s->levels[i].inner == in->at) {
            out->at = s->levels[i].outer;
            return BB_OK;
        }
    }
    struct level *levels;
    size_t *at;
    int rc = bbi_qctx_array(s->plan->ctx, s->level_count + 1, sizeof(levels[0]), &levels, err);
    rc = rc == BB_OK ? bbi_qctx_array(s->plan->ctx, n + 1, sizeof(at[0]), &at, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        at[i] = in->at == NULL ? s->dim_at[i] : in->at[s->dim_at[i]];
    }
    if (s->level_count != 0) {
        memcpy(levels, s->levels, s->level_count * sizeof(levels[0]));
    }
    levels[s->level_count++] = (struct level){in->at, at};
    s->levels = levels;
    out->at = at;
    return BB_OK;
}

static int next_row(struct sub *s, bool *any, struct bb_error *err)
{
    bool new_group;
    bool good = false;
    int rc = BB_OK;
    *any = true;
    while (rc == BB_OK && *any && !good) {
        rc = bbi_rowset_next(&s->rows, any, &new_group, err);
        if (rc == BB_OK && *any) {
            rc = passes(s, &good, err);
        }
        if (rc == BB_OK && s->count++ % 4096 == 4095) {
            rc = bbi_qctx_check(s->plan->ctx, err);
        }
    }
    return rc;
}

static int sub_next(struct bbi_stream *base, struct bbi_stream_point *out, bool *any,
                    struct bb_error *err)
{
    struct sub *s = (struct sub *)base;
    int rc = next_row(s, any, err);
    if (rc != BB_OK || !*any) {
        return rc;
    }
    out->time = s->rows.time;
    out->value = (struct bb_value){.kind = BB_VALUE_NULL};
    if (s->has_driver) {
        out->value = value_of(s, &s->driver);
    }
    for (size_t i = 0; i < s->outer->ref_count; i++) {
        s->values[i] = beside(s, &s->aux[i]);
    }
    out->aux = s->values;
    return outer_group(s, &out->group, err);
}

static void sub_skip(struct bbi_stream *base)
{
    bbi_rowset_skip(&((struct sub *)base)->rows);
}

static void sub_close(struct bbi_stream *base)
{
    struct sub *s = (struct sub *)base;
    if (s->is_open) {
        bbi_rowset_close(&s->rows);
        s->is_open = false;
    }
}

/* ---- making one ---- */

static int map_names(struct sub *s, const struct bbi_ref *driver, struct bb_error *err)
{
    struct bbi_qctx *ctx = s->plan->ctx;
    const struct bbi_plan *outer = s->outer;
    s->has_driver = driver != NULL;
    if (driver != NULL) {
        s->driver = map_ref(s->plan, driver);
    }
    int rc = bbi_qctx_array(ctx, outer->ref_count, sizeof(s->aux[0]), &s->aux, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, outer->ref_count, sizeof(s->values[0]), &s->values, err)
                     : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, outer->dim_count, sizeof(s->dim_at[0]), &s->dim_at, err)
                     : rc;
    for (size_t i = 0; rc == BB_OK && i < outer->ref_count; i++) {
        s->aux[i] = map_ref(s->plan, &outer->refs[i]);
    }
    for (size_t i = 0; rc == BB_OK && i < outer->dim_count; i++) {
        bool found = find_dim(s->plan->dims, s->plan->dim_count, outer->dims[i], &s->dim_at[i]);
        BB_ASSERT(found);
    }
    return rc == BB_OK ? compile_filter(s, err) : rc;
}

bool bbi_stream_subquery_has(const struct bbi_plan *sub, const struct bbi_ref *name)
{
    return map_ref(sub, name).kind != FROM_NOTHING;
}

static bool is_unknown(const struct bbi_ref *name)
{
    return name->type == BBI_QL_TYPE_UNKNOWN &&
           (name->cast == BBI_QL_TYPE_UNKNOWN || name->cast == BBI_QL_TYPE_FIELD);
}

int bbi_stream_subquery(const struct bbi_flow *flow, const struct bbi_plan *sub,
                        const struct bbi_ref *driver, struct bbi_stream **out, struct bb_error *err)
{
    struct sub *s;
    *out = NULL;
    /* A column of no known type has no values, though fill() may have put some there. */
    if (driver != NULL && (!bbi_stream_subquery_has(sub, driver) || is_unknown(driver))) {
        return BB_OK;
    }
    int rc = bbi_qctx_array(sub->ctx, 1, sizeof(*s), &s, err);
    if (rc != BB_OK) {
        return rc;
    }
    s->base = (struct bbi_stream){sub_next, sub_close, NULL};
    s->outer = flow->plan;
    s->plan = sub;
    s->flow = *flow;
    s->flow.plan = sub;
    s->flow.tmin = sub->own_tmin > flow->tmin ? sub->own_tmin : flow->tmin;
    s->flow.tmax = sub->own_tmax < flow->tmax ? sub->own_tmax : flow->tmax;
    rc = map_names(s, driver, err);
    if (rc == BB_OK) {
        s->is_open = true;
        *out = &s->base;
        rc = bbi_rowset_open(&s->rows, &s->flow, err);
        s->base.skip = rc == BB_OK && bbi_rowset_skips(&s->rows) ? sub_skip : NULL;
    }
    return rc;
}
