/* The rows of one measurement as points. */
#include "engine/query/raw_cursor.h"
#include "engine/query/stream.h"

#include <string.h>

struct scan {
    struct bbi_stream base;
    struct bbi_plan plan; /* of rows with the names and, behind them, the driver */
    const struct bbi_measurement *measurement;
    bool has_driver;
    uint64_t budget;
    bool is_hasty;
    bool any_order;
    bool is_open;
    struct bbi_binding binding;
    struct bbi_raw_cursor cursor;
    struct bb_value *values;
    uint64_t count;
    const struct bbi_plan *limits; /* whose LIMIT holds for each group here, as groups interleave */
    uint64_t *given;               /* [groups] rows of each, for that */
};

static int scan_open(struct scan *s, struct bb_error *err)
{
    s->is_open = true;
    int rc = bbi_binding_build(&s->plan, s->measurement, &s->binding, err);
    if (rc == BB_OK && s->limits != NULL) {
        rc = bbi_qctx_array(s->plan.ctx, s->binding.series.groups.count + 1, sizeof(s->given[0]),
                            &s->given, err);
    }
    rc = rc == BB_OK ? bbi_raw_cursor_open(&s->cursor, &s->binding, s->budget, err) : rc;
    s->cursor.is_hasty = s->is_hasty;
    s->cursor.any_order = s->any_order;
    return rc;
}

static bool is_limited(struct scan *s, uint32_t group)
{
    if (s->limits == NULL) {
        return false;
    }
    uint64_t at = s->given[group]++;
    return at < s->limits->offset ||
           (s->limits->limit != 0 && at - s->limits->offset >= s->limits->limit);
}

static int scan_next(struct bbi_stream *base, struct bbi_stream_point *out, bool *any,
                     struct bb_error *err)
{
    struct scan *s = (struct scan *)base;
    struct bbi_raw_row row;
    int rc = s->is_open ? BB_OK : scan_open(s, err);
    *any = true;
    while (rc == BB_OK && *any) {
        rc = bbi_raw_cursor_next(&s->cursor, &row, any, err);
        if (rc == BB_OK && s->count++ % 4096 == 4095) {
            rc = bbi_qctx_check(s->plan.ctx, err);
        }
        if (rc != BB_OK || !*any) {
            break;
        }
        bbi_raw_cursor_values(&s->cursor, &row, s->values);
        const struct bb_value *value = &s->values[s->plan.ref_count - s->has_driver];
        if (s->has_driver && value->kind == BB_VALUE_NULL) {
            continue;
        }
        uint32_t group = bbi_raw_cursor_group(&s->cursor, &row);
        if (is_limited(s, group)) {
            continue;
        }
        out->group = (struct bbi_group){s->measurement->name, s->binding.series.groups.list[group],
                                        NULL};
        out->time = bbi_raw_time(row.head);
        out->value = s->has_driver ? *value : (struct bb_value){.kind = BB_VALUE_NULL};
        out->aux = s->values;
        return BB_OK;
    }
    *any = false;
    return rc;
}

static void scan_skip(struct bbi_stream *base)
{
    bbi_raw_cursor_skip(&((struct scan *)base)->cursor);
}

static void scan_close(struct bbi_stream *base)
{
    struct scan *s = (struct scan *)base;
    if (s->is_open) {
        bbi_raw_cursor_close(&s->cursor);
        bbi_binding_fini(&s->binding);
        s->is_open = false;
    }
}

/* A plan for rows alone: no calls, the driver behind the names. Groups that do not interleave need
 * no more rows than the limit lets through. */
static int plan_rows(struct scan *s, const struct bbi_flow *flow, const struct bbi_ref *driver,
                     struct bb_error *err)
{
    struct bbi_plan *p = &s->plan;
    *p = *flow->plan;
    p->call_count = 0;
    p->is_selector = false;
    p->when.tmin = flow->tmin;
    p->when.tmax = flow->tmax;
    p->limit = driver == NULL && p->limit != 0 && !bbi_plan_interleaves(p) ? p->limit + p->offset
                                                                           : 0;
    p->offset = 0;
    int rc = bbi_qctx_array(p->ctx, p->ref_count + 1, sizeof(p->refs[0]), &p->refs, err);
    rc = rc == BB_OK
             ? bbi_qctx_array(p->ctx, p->ref_count + 1, sizeof(s->values[0]), &s->values, err)
             : rc;
    if (rc != BB_OK) {
        return rc;
    }
    if (p->ref_count != 0) {
        memcpy(p->refs, flow->plan->refs, p->ref_count * sizeof(p->refs[0]));
    }
    if (driver != NULL) {
        struct bbi_ref *ref = &p->refs[p->ref_count++];
        *ref = *driver;
        /* A function's argument is no tag. */
        ref->cast = ref->cast == BBI_QL_TYPE_UNKNOWN ? BBI_QL_TYPE_FIELD : ref->cast;
    }
    return BB_OK;
}

int bbi_stream_scan(const struct bbi_flow *flow, const struct bbi_measurement *m,
                    const struct bbi_ref *driver, struct bbi_stream **out, struct bb_error *err)
{
    struct scan *s;
    *out = NULL;
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*s), &s, err);
    if (rc == BB_OK) {
        s->base = (struct bbi_stream){scan_next, scan_close, scan_skip};
        s->measurement = m;
        s->has_driver = driver != NULL;
        s->budget = flow->budget;
        s->is_hasty = flow->is_hasty;
        s->any_order = flow->any_order;
        s->limits = bbi_flow_limits_source(flow) && driver == NULL ? flow->plan : NULL;
        rc = plan_rows(s, flow, driver, err);
    }
    if (rc == BB_OK) {
        *out = &s->base;
    }
    return rc;
}
