/* How the streams of a call stand on one another. */
#include "engine/query/stream.h"

#include "engine/query/trace.h"

#include <string.h>

static int compare_text(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a, b);
}

int bbi_group_compare(const struct bbi_plan *plan, const struct bbi_group *a,
                      const struct bbi_group *b)
{
    int c = compare_text(a->name, b->name);
    if (a->tags == b->tags && a->at == b->at) {
        return c;
    }
    for (size_t i = 0; c == 0 && i < plan->dim_count; i++) {
        c = compare_text(bbi_group_tag(a, i), bbi_group_tag(b, i));
    }
    return c;
}

bool bbi_group_same(const struct bbi_plan *plan, const struct bbi_group *a,
                    const struct bbi_group *b)
{
    return bbi_group_compare(plan, a, b) == 0;
}

int bbi_group_compare_order(const struct bbi_plan *plan, const struct bbi_group *a,
                            const struct bbi_group *b)
{
    int c = compare_text(a->name, b->name);
    if (a->tags == b->tags && a->at == b->at) {
        return c;
    }
    for (size_t i = 0; c == 0 && i < plan->order_count; i++) {
        c = compare_text(bbi_group_tag(a, plan->order[i]), bbi_group_tag(b, plan->order[i]));
    }
    return c;
}

int64_t bbi_flow_window(const struct bbi_flow *flow, int64_t time)
{
    const struct bbi_buckets *buckets = &flow->plan->buckets;
    if (buckets->width_ns == 0) {
        return flow->tmin;
    }
    return bbi_bucket_start(buckets, bbi_bucket_of(buckets, time));
}

void bbi_stream_close(struct bbi_stream **s)
{
    if (*s != NULL) {
        (*s)->close(*s);
        *s = NULL;
    }
}

void bbi_stream_skip_head(const struct bbi_plan *plan, struct bbi_stream *s,
                          const struct bbi_group *group, const struct bbi_stream_point *head,
                          bool *has)
{
    if (!*has || bbi_group_same(plan, &head->group, group)) {
        *has = false;
        s->skip(s);
    }
}

/* ---- calls ---- */

/* Those that look at the point before need one from the interval before the first. */
static bool looks_back(const struct bbi_call *call)
{
    switch (call->func) {
    case BBI_FUNC_CUMULATIVE_SUM:
    case BBI_FUNC_INTEGRAL:
    case BBI_FUNC_HOLT_WINTERS:
    case BBI_FUNC_HOLT_WINTERS_FIT:
    case BBI_FUNC_TIME_WEIGHTED_MEAN:
        return false;
    default:
        return true;
    }
}

/* As far into the interval before (after, if falling) as the time lies in its own: of intervals of
 * one length that is their width, of days and months what the clocks say. */
static int64_t one_interval_on(const struct bbi_buckets *b, int64_t time, bool falling)
{
    int64_t at = bbi_bucket_of(b, time);
    if (falling) {
        int64_t left = bbi_bucket_last(b, at) - time;
        int64_t last = bbi_bucket_last(b, at + 1);
        return last < BBI_TIME_MAX && left < last - time ? last - left : BBI_TIME_MAX;
    }
    int64_t start = bbi_bucket_start(b, at - 1);
    int64_t into = time - bbi_bucket_start(b, at);
    return into < time - start ? start + into : time;
}

static struct bbi_flow reach_back(const struct bbi_flow *flow, const struct bbi_call *call)
{
    struct bbi_flow out = *flow;
    const struct bbi_plan *plan = flow->plan;
    const struct bbi_buckets *b = &plan->buckets;
    int64_t width = b->width_ns;
    if (width == 0 || !looks_back(call)) {
        return out;
    }
    if (!plan->descending && bbi_bucket_is_civil(b) && bbi_flow_has_start(flow)) {
        out.tmin = one_interval_on(b, flow->tmin, false);
    } else if (!plan->descending) {
        out.tmin = flow->tmin > BBI_TIME_MIN + width ? flow->tmin - width : BBI_TIME_MIN;
    } else if (bbi_bucket_is_civil(b) && flow->tmax < BBI_TIME_MAX) {
        out.tmax = one_interval_on(b, flow->tmax, true);
    } else {
        out.tmax = flow->tmax < BBI_TIME_MAX - width ? flow->tmax + width : BBI_TIME_MAX;
    }
    return out;
}

static int source_of(const struct bbi_flow *flow, const struct bbi_call *call,
                     struct bbi_stream **out, struct bb_error *err)
{
    struct bbi_ref driver = {.name = call->field, .cast = call->cast, .type = call->input};
    return bbi_stream_source(flow, &driver, out, err);
}

/* Its points are known when all of a group is; those of several groups are sorted by time. */
static bool is_forecast(const struct bbi_call *call)
{
    return call->func == BBI_FUNC_HOLT_WINTERS || call->func == BBI_FUNC_HOLT_WINTERS_FIT;
}

static int pass_call(const struct bbi_flow *flow, const struct bbi_call *call,
                     struct bbi_stream **out, struct bb_error *err)
{
    struct bbi_flow wide = reach_back(flow, call);
    wide.by_group = false;
    struct bbi_flow inner;
    struct bbi_trace_node *node;
    struct bbi_stream *input = NULL;
    int rc = bbi_trace_begin(&wide, "points to points:", call->name, &inner, &node, err);
    if (rc == BB_OK) {
        rc = call->inner != NULL ? bbi_stream_call(&inner, call->inner, &input, err)
                                 : source_of(&inner, call, &input, err);
    }
    if (rc == BB_OK) {
        rc = is_forecast(call) ? bbi_stream_reduce(&wide, call, false, input, out, err)
                               : bbi_stream_pass(&wide, call, input, out, err);
        return rc == BB_OK ? bbi_trace_wrap(flow, node, out, err) : rc;
    }
    bbi_stream_close(&input);
    return rc;
}

bool bbi_stream_first_decides(const struct bbi_plan *plan, const struct bbi_call *call)
{
    struct bbi_ref driver = {.name = call->field, .cast = call->cast, .type = call->input};
    bool merges = call->func == BBI_FUNC_MIN || call->func == BBI_FUNC_MAX ||
                  call->func == BBI_FUNC_SUM || call->func == BBI_FUNC_FIRST ||
                  call->func == BBI_FUNC_LAST || call->tag_count > 0;
    return merges && call->inner == NULL && call->input != BBI_QL_TYPE_FLOAT &&
           plan->select->source_count > 1 && plan->select->sources[0].subquery != NULL &&
           !bbi_stream_subquery_has(plan->subs[0], &driver);
}

/* Several sources are merged by time, and groups that interleave are of one window. */
static bool takes_any_order(const struct bbi_plan *plan, const struct bbi_call *call)
{
    return plan->sub_count == 0 && plan->from.count == 1 && !bbi_plan_interleaves(plan) &&
           bbi_func_takes_any_order(call->func, call->tag_count + plan->ref_count != 0);
}

bool bbi_stream_joins_windows(const struct bbi_call *call)
{
    switch (call->func) {
    case BBI_FUNC_COUNT:
        return call->expr->u.call.args[0]->kind != BBI_QL_CALL &&
               call->expr->u.call.args[0]->kind != BBI_QL_DISTINCT;
    case BBI_FUNC_SUM:
    case BBI_FUNC_MEAN:
    case BBI_FUNC_MIN:
    case BBI_FUNC_MAX:
    case BBI_FUNC_FIRST:
    case BBI_FUNC_LAST:
        return true;
    default:
        return call->tag_count > 0;
    }
}

/* Which functions InfluxDB gives a subquery's groups as they are, and which it has them sorted for;
 * the others take what is around them. */
static bool takes_by_group(const struct bbi_flow *flow, const struct bbi_call *call)
{
    switch (call->func) {
    case BBI_FUNC_TOP:
    case BBI_FUNC_BOTTOM:
    case BBI_FUNC_SPREAD:
    case BBI_FUNC_STDDEV:
    case BBI_FUNC_MODE:
        return flow->by_group || bbi_stream_joins_windows(call);
    default:
        return bbi_stream_joins_windows(call);
    }
}

static int reduce_call(const struct bbi_flow *flow, const struct bbi_call *call, bool to_window,
                       struct bbi_stream **out, struct bb_error *err)
{
    struct bbi_flow inner;
    struct bbi_trace_node *node;
    struct bbi_stream *input = NULL;
    int rc = bbi_trace_begin(flow, "windows to points:", call->name, &inner, &node, err);
    /* What is of the whole group reads all of it. */
    inner.is_hasty = inner.is_hasty && inner.plan->buckets.width_ns != 0;
    inner.any_order = takes_any_order(flow->plan, call);
    inner.by_group = takes_by_group(flow, call);
    if (rc == BB_OK) {
        rc = bbi_stream_first_decides(flow->plan, call)
                 ? bbi_stream_merge(&inner, NULL, 0, true, &input, err)
                 : source_of(&inner, call, &input, err);
    }
    if (rc == BB_OK) {
        rc = bbi_stream_reduce(flow, call, to_window, input, out, err);
        return rc == BB_OK ? bbi_trace_wrap(flow, node, out, err) : rc;
    }
    bbi_stream_close(&input);
    return rc;
}

static int cells_call(const struct bbi_flow *flow, const struct bbi_call *call, bool to_window,
                      struct bbi_stream **out, struct bb_error *err)
{
    struct bbi_flow inner;
    struct bbi_trace_node *node;
    int rc = bbi_trace_begin(flow, "windows from cells:", call->name, &inner, &node, err);
    rc = rc == BB_OK ? bbi_stream_all_cells(&inner, call, to_window, out, err) : rc;
    return rc == BB_OK ? bbi_trace_wrap(flow, node, out, err) : rc;
}

/* Cells hold no other columns, and are of one measurement. */
static bool has_cells(const struct bbi_plan *plan, const struct bbi_call *call)
{
    bool plain = call->in_cells && plan->sub_count == 0 && plan->ref_count == 0;
    for (size_t i = 1; i < plan->from.count; i++) {
        plain = plain && strcmp(plan->from.list[i - 1].name, plan->from.list[i].name) != 0;
    }
    return plain;
}

int bbi_stream_call(const struct bbi_flow *flow, const struct bbi_call *call,
                    struct bbi_stream **out, struct bb_error *err)
{
    const struct bbi_plan *plan = flow->plan;
    enum bbi_fn_class class = bbi_func_info(call->func)->class;
    *out = NULL;
    if (bbi_flow_looks_back(flow, call)) {
        return bbi_stream_lookback(flow, call, out, err);
    }
    if (class == BBI_FN_STREAM) {
        return pass_call(flow, call, out, err);
    }
    bool has_intervals = plan->buckets.width_ns != 0;
    bool is_distinct = call->func == BBI_FUNC_DISTINCT;
    bool multiplies = class == BBI_FN_MULTI;
    bool to_window = multiplies ? is_distinct : !plan->is_selector || has_intervals;
    int rc = has_cells(plan, call) ? cells_call(flow, call, to_window, out, err)
                                   : reduce_call(flow, call, to_window, out, err);
    if (rc == BB_OK && !multiplies && has_intervals && plan->fill != BBI_QL_FILL_NONE) {
        rc = bbi_stream_fill(flow, call, *out, out, err);
    }
    return rc;
}
