/*
 * lookback(d): a call's results as if the range began earlier, without those before it.
 *
 * The answer is that of a range that begins d earlier. Reading all of that is seldom needed: who
 * looks at one value before needs the range to begin with the last value before it that any group
 * has, and that is cheap to find: last() reads no more than one row of a chunk. So a range before
 * which every meter has a reading reaches back by a few intervals, whatever d is.
 */
#include <string.h>

#include "engine/query/trace.h"

struct lookback {
    struct bbi_stream base;
    struct bbi_flow flow;
    struct bbi_trace trace; /* of the streams below, which are opened late */
    const struct bbi_call *call;
    int64_t start; /* points before are left out */
    bool is_open;
    struct bbi_stream *input;
};

/* ---- who looks back ---- */

static bool has_intervals(const struct bbi_plan *plan)
{
    return plan->buckets.width_ns != 0;
}

static bool looks_at_before(const struct bbi_plan *plan, enum bbi_func func)
{
    switch (func) {
    case BBI_FUNC_DERIVATIVE:
    case BBI_FUNC_NN_DERIVATIVE:
    case BBI_FUNC_DIFFERENCE:
    case BBI_FUNC_NN_DIFFERENCE:
    case BBI_FUNC_ELAPSED:
    case BBI_FUNC_MOVING_AVERAGE:
        return true;
    case BBI_FUNC_INCREASE:
    case BBI_FUNC_TIME_WEIGHTED_MEAN:
        return has_intervals(plan); /* else all is one interval, which begins with the range */
    default:
        return func >= BBI_FUNC_EMA && func <= BBI_FUNC_CMO;
    }
}

bool bbi_flow_looks_back(const struct bbi_flow *flow, const struct bbi_call *call)
{
    const struct bbi_plan *plan = flow->plan;
    bool fills = has_intervals(plan) &&
                 (plan->fill == BBI_QL_FILL_PREVIOUS || plan->fill == BBI_QL_FILL_LINEAR);
    if (plan->select->lookback_ns == 0 || flow->looked_back || !bbi_flow_has_start(flow)) {
        return false;
    }
    enum bbi_fn_class class = bbi_func_info(call->func)->class;
    if (class == BBI_FN_STREAM) {
        return looks_at_before(plan, call->func);
    }
    return fills && class != BBI_FN_MULTI;
}

/* Whether the last value before the range is all that matters of what is before: of functions that
 * may have no result for it, and of those that remember more, that is not so. */
static bool wants_one(const struct bbi_call *call)
{
    const struct bbi_call *inner = call->inner == NULL ? call : call->inner;
    bool remembers = call->func == BBI_FUNC_MOVING_AVERAGE ||
                     (call->func >= BBI_FUNC_EMA && call->func <= BBI_FUNC_CMO);
    bool is_stream = bbi_func_info(inner->func)->class == BBI_FN_STREAM;
    return !remembers && (is_stream ? inner == call : bbi_func_info(inner->func)->in_cells);
}

/* ---- how far ---- */

/* Windows are looked at as a whole. */
static int64_t window_start(const struct bbi_flow *flow, int64_t time)
{
    const struct bbi_buckets *b = &flow->plan->buckets;
    return b->width_ns == 0 ? time : bbi_bucket_start(b, bbi_bucket_of(b, time));
}

static int earliest(struct bbi_stream *s, int64_t *time, struct bb_error *err)
{
    struct bbi_stream_point point;
    bool any = true;
    int rc = BB_OK;
    while (rc == BB_OK && any) {
        rc = s->next(s, &point, &any, err);
        if (rc == BB_OK && any && point.time < *time) {
            *time = point.time;
        }
    }
    return rc;
}

/* The earliest of the last times in [low, flow->tmin) that groups have a value at. */
static int find_last(const struct bbi_flow *flow, const struct bbi_call *call, int64_t low,
                     int64_t *time, struct bb_error *err)
{
    struct bbi_qctx *ctx = flow->plan->ctx;
    struct bbi_stream *stream = NULL;
    struct bbi_plan *plan;
    struct bbi_call *last;
    *time = flow->tmin;
    int rc = bbi_qctx_array(ctx, 1, sizeof(*plan), &plan, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, 1, sizeof(*last), &last, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    *plan = *flow->plan;
    plan->buckets = (struct bbi_buckets){.width_ns = 0};
    plan->fill = BBI_QL_FILL_NONE;
    *last = *(call->inner == NULL ? call : call->inner);
    last->func = BBI_FUNC_LAST;
    last->name = "last";
    last->type = last->input;
    struct bbi_flow before = *flow;
    before.plan = plan;
    before.tmin = low;
    before.tmax = flow->tmin - 1;
    before.trace = NULL;
    before.is_hasty = false;
    rc = bbi_stream_all_cells(&before, last, false, &stream, err);
    rc = rc == BB_OK ? earliest(stream, time, err) : rc;
    bbi_stream_close(&stream);
    return rc;
}

static int reach_back(const struct lookback *l, struct bbi_flow *wide, struct bb_error *err)
{
    const struct bbi_plan *plan = l->flow.plan;
    int64_t d = plan->select->lookback_ns;
    int64_t low = l->flow.tmin > BBI_TIME_MIN + d ? l->flow.tmin - d : BBI_TIME_MIN;
    int64_t time;
    *wide = l->flow;
    wide->looked_back = true;
    wide->tmin = window_start(&l->flow, low);
    if (plan->sub_count > 0 || !wants_one(l->call)) {
        return BB_OK;
    }
    int rc = find_last(&l->flow, l->call, wide->tmin, &time, err);
    wide->tmin = window_start(&l->flow, time);
    return rc;
}

/* ---- points ---- */

static int lookback_next(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                         struct bb_error *err)
{
    struct lookback *l = (struct lookback *)s;
    struct bbi_flow wide;
    int rc = BB_OK;
    *any = true;
    if (!l->is_open) {
        l->is_open = true;
        rc = reach_back(l, &wide, err);
        rc = rc == BB_OK ? bbi_stream_call(&wide, l->call, &l->input, err) : rc;
    }
    while (rc == BB_OK && *any) {
        rc = l->input->next(l->input, out, any, err);
        if (rc == BB_OK && *any && out->time >= l->start) {
            return BB_OK;
        }
    }
    *any = false;
    return rc;
}

static void lookback_close(struct bbi_stream *s)
{
    struct lookback *l = (struct lookback *)s;
    bbi_stream_close(&l->input);
}

int bbi_stream_lookback(const struct bbi_flow *flow, const struct bbi_call *call,
                        struct bbi_stream **out, struct bb_error *err)
{
    struct lookback *l;
    *out = NULL;
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*l), &l, err);
    if (rc == BB_OK) {
        l->base = (struct bbi_stream){lookback_next, lookback_close, NULL};
        l->flow = *flow;
        if (flow->trace != NULL) {
            l->trace = *flow->trace;
            l->flow.trace = &l->trace;
        }
        l->call = call;
        l->start = window_start(flow, flow->tmin);
        *out = &l->base;
    }
    return rc;
}
