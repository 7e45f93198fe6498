/* fill() and LIMIT over the points of a call. */
#include <string.h>

#include "engine/query/emit.h"
#include "engine/query/fill.h"
#include "engine/query/stream.h"

struct fill {
    struct bbi_stream base;
    struct bbi_flow flow;
    const struct bbi_call *call;
    struct bbi_stream *input;
    struct bbi_stream_point head;
    bool has_head;
    bool asked;
    bool begun;
    struct bbi_group group; /* the one whose intervals are given */
    int64_t bucket;         /* the next of them */
    int64_t previous_at;
    struct bb_value previous; /* BB_VALUE_NULL: none; a string lies in kept */
    struct bbi_buf kept;
    uint64_t count;
};

static int64_t bucket_of(const struct fill *f, int64_t time)
{
    return bbi_bucket_of(&f->flow.plan->buckets, time);
}

/* The first interval of a group: without a bound that of its first point. */
static int64_t first_bucket(const struct fill *f)
{
    if (f->flow.plan->descending) {
        return bucket_of(f, f->flow.tmax);
    }
    return bucket_of(f, bbi_flow_has_start(&f->flow) ? f->flow.tmin : f->head.time);
}

static bool has_more_intervals(const struct fill *f)
{
    if (!f->begun) {
        return false;
    }
    if (f->flow.plan->descending) {
        return bbi_flow_has_start(&f->flow) && f->bucket >= bucket_of(f, f->flow.tmin);
    }
    return f->bucket <= bucket_of(f, f->flow.tmax);
}

static int keep_previous(struct fill *f, int64_t bucket, struct bb_error *err)
{
    f->previous = f->head.value;
    f->previous_at = bucket;
    if (f->previous.kind != BB_VALUE_STRING) {
        return BB_OK;
    }
    bbi_buf_reset(&f->kept);
    bbi_buf_put(&f->kept, f->head.value.v.str, f->head.value.length);
    f->previous.v.str = (const char *)f->kept.data;
    return bbi_buf_check(&f->kept, "a value to fill with", err);
}

static struct bb_value value_of_gap(const struct fill *f, bool group_goes_on)
{
    const struct bbi_plan *plan = f->flow.plan;
    switch (plan->fill) {
    case BBI_QL_FILL_NUMBER:
        return bbi_fill_number(plan, f->call->type);
    case BBI_QL_FILL_PREVIOUS:
        return f->previous;
    case BBI_QL_FILL_LINEAR:
        if (group_goes_on && f->previous.kind != BB_VALUE_NULL) {
            return bbi_fill_between(f->previous_at, f->previous, bucket_of(f, f->head.time),
                                    f->head.value, f->bucket);
        }
        break;
    default:
        if (f->call->func == BBI_FUNC_COUNT) {
            return bbi_value_int(0);
        }
        break;
    }
    return (struct bb_value){.kind = BB_VALUE_NULL};
}

static int fill_next(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                     struct bb_error *err)
{
    struct fill *f = (struct fill *)s;
    const struct bbi_plan *plan = f->flow.plan;
    int64_t step = plan->descending ? -1 : 1;
    int rc = BB_OK;
    if (!f->asked) {
        rc = f->input->next(f->input, &f->head, &f->has_head, err);
        f->asked = true;
    }
    if (rc == BB_OK && f->count++ % 4096 == 4095) {
        rc = bbi_qctx_check(plan->ctx, err);
    }
    bool same = f->begun && f->has_head && bbi_group_same(plan, &f->head.group, &f->group);
    *any = rc == BB_OK && (f->has_head || has_more_intervals(f));
    if (!*any) {
        return rc;
    }
    if (!same && !has_more_intervals(f)) {
        f->begun = true;
        f->group = f->head.group;
        f->bucket = first_bucket(f);
        f->previous.kind = BB_VALUE_NULL;
        same = true;
    }
    int64_t at = same ? bucket_of(f, f->head.time) : 0;
    if (!same || (at - f->bucket) * step > 0) {
        *out = (struct bbi_stream_point){.group = f->group};
        out->time = bbi_bucket_start(&plan->buckets, f->bucket);
        out->value = value_of_gap(f, same);
    } else {
        *out = f->head;
        rc = keep_previous(f, at, err);
        f->asked = false;
    }
    f->bucket += step;
    return rc;
}

static void fill_skip(struct bbi_stream *s)
{
    struct fill *f = (struct fill *)s;
    if (!f->asked || (f->has_head && bbi_group_same(f->flow.plan, &f->head.group, &f->group))) {
        f->input->skip(f->input);
        f->asked = false;
    }
    f->begun = false;
}

static void fill_close(struct bbi_stream *s)
{
    struct fill *f = (struct fill *)s;
    bbi_buf_fini(&f->kept);
    bbi_stream_close(&f->input);
}

int bbi_stream_fill(const struct bbi_flow *flow, const struct bbi_call *call,
                    struct bbi_stream *input, struct bbi_stream **out, struct bb_error *err)
{
    struct fill *f;
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*f), &f, err);
    if (rc != BB_OK) {
        return rc;
    }
    f->base = (struct bbi_stream){fill_next, fill_close, input->skip != NULL ? fill_skip : NULL};
    f->flow = *flow;
    f->call = call;
    f->input = input;
    bbi_buf_init(&f->kept, &flow->plan->ctx->acct, SIZE_MAX / 4);
    *out = &f->base;
    return BB_OK;
}

/* ---- LIMIT and OFFSET ---- */

struct limit {
    struct bbi_stream base;
    const struct bbi_plan *plan;
    struct bbi_stream *input;
    struct bbi_group group;
    bool begun;
    bool skips;
    uint64_t count; /* points of the group */
};

static int limit_next(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                      struct bb_error *err)
{
    struct limit *l = (struct limit *)s;
    int rc = BB_OK;
    for (;;) {
        rc = l->input->next(l->input, out, any, err);
        if (rc != BB_OK || !*any) {
            return rc;
        }
        if (!l->begun || !bbi_group_same(l->plan, &l->group, &out->group)) {
            l->begun = true;
            l->group = out->group;
            l->count = 0;
        }
        uint64_t at = l->count++;
        if (at >= l->plan->offset &&
            (l->plan->limit == 0 || at - l->plan->offset < l->plan->limit)) {
            return BB_OK;
        }
        if (at >= l->plan->offset && l->skips) {
            l->input->skip(l->input);
        }
    }
}

static void limit_skip(struct bbi_stream *s)
{
    struct limit *l = (struct limit *)s;
    l->input->skip(l->input);
}

static void limit_close(struct bbi_stream *s)
{
    struct limit *l = (struct limit *)s;
    bbi_stream_close(&l->input);
}

int bbi_stream_limit(const struct bbi_flow *flow, struct bbi_stream *input, struct bbi_stream **out,
                     struct bb_error *err)
{
    struct limit *l;
    bool none = flow->plan->limit == 0 && flow->plan->offset == 0;
    if (none || bbi_flow_limits_source(flow)) {
        *out = input;
        return BB_OK;
    }
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*l), &l, err);
    if (rc == BB_OK) {
        l->base = (struct bbi_stream){limit_next, limit_close, NULL};
        l->plan = flow->plan;
        l->input = input;
        l->skips = input != NULL && input->skip != NULL && !bbi_plan_interleaves(flow->plan);
        l->base.skip = l->skips ? limit_skip : NULL;
        *out = &l->base;
    }
    return rc;
}
