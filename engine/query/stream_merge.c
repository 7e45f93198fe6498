/* Sources of a plan, and several streams as one. */
#include "engine/query/trace.h"

#include <string.h>

struct head {
    struct bbi_stream *stream;
    struct bbi_stream_point point;
    bool any;  /* the point is there */
    bool used; /* and was given: the stream has to be asked again */
};

/*
 * As InfluxDB merges. Rows stand in the order of time, and those of one time in that of their
 * strings. Points for functions are only brought together by windows: those of one source that lie
 * in a window come before those of the next. What is alike in all of that comes as InfluxDB's heap
 * has it.
 */
struct merge {
    struct bbi_stream base;
    const struct bbi_plan *plan;
    bool by_window;
    struct head *heads;
    size_t count;
    size_t *heap; /* of heads that have a point which was not given */
    size_t heap_count;
    struct head *last; /* which gave the last point; NULL: all heads are to be looked at */
    struct bbi_group group;
    int64_t window;
};

static int64_t window_of(const struct merge *m, int64_t time)
{
    const struct bbi_buckets *b = &m->plan->buckets;
    return b->width_ns == 0 ? 0 : bbi_bucket_of(b, time);
}

static int compare_values(const struct bb_value *a, const struct bb_value *b)
{
    size_t n = a->length < b->length ? a->length : b->length;
    int c = n == 0 ? 0 : memcmp(a->v.str, b->v.str, n);
    return c != 0 ? c : (a->length > b->length) - (a->length < b->length);
}

/* Of columns, strings alone count, up to the first that is none. */
static int compare_columns(const struct bbi_plan *plan, const struct bb_value *a,
                           const struct bb_value *b)
{
    int c = 0;
    for (size_t i = 0; a != NULL && b != NULL && c == 0 && i < plan->tie_count; i++) {
        if (a[i].kind != BB_VALUE_STRING || b[i].kind != BB_VALUE_STRING) {
            return 0;
        }
        c = compare_values(&a[i], &b[i]);
    }
    return c;
}

static bool is_less(const struct merge *m, size_t i, size_t k)
{
    const struct bbi_stream_point *a = &m->heads[i].point;
    const struct bbi_stream_point *b = &m->heads[k].point;
    int c = bbi_group_compare_order(m->plan, &a->group, &b->group);
    int64_t x = m->by_window ? window_of(m, a->time) : a->time;
    int64_t y = m->by_window ? window_of(m, b->time) : b->time;
    c = c == 0 ? (x > y) - (x < y) : c;
    if (c == 0 && !m->by_window) {
        c = compare_columns(m->plan, a->aux, b->aux);
    }
    return m->plan->descending ? c > 0 : c < 0;
}

/* ---- the heap: the same exchanges as Go's container/heap, for the order of equals ---- */

static void exchange(struct merge *m, size_t i, size_t k)
{
    size_t t = m->heap[i];
    m->heap[i] = m->heap[k];
    m->heap[k] = t;
}

static void sift_down(struct merge *m, size_t i, size_t n)
{
    for (size_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && is_less(m, m->heap[child + 1], m->heap[child])) {
            child++;
        }
        if (!is_less(m, m->heap[child], m->heap[i])) {
            return;
        }
        exchange(m, i, child);
        i = child;
    }
}

static void push_head(struct merge *m, size_t head)
{
    size_t i = m->heap_count++;
    m->heap[i] = head;
    while (i > 0 && is_less(m, m->heap[i], m->heap[(i - 1) / 2])) {
        exchange(m, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static struct head *pop_head(struct merge *m)
{
    size_t end = --m->heap_count;
    exchange(m, 0, end);
    sift_down(m, 0, end);
    return &m->heads[m->heap[end]];
}

/* ---- points ---- */

static int ask(struct head *h, struct bb_error *err)
{
    h->used = false;
    return h->stream->next(h->stream, &h->point, &h->any, err);
}

static int look_at_all(struct merge *m, struct bb_error *err)
{
    m->heap_count = 0;
    for (size_t i = 0; i < m->count; i++) {
        int rc = m->heads[i].used ? ask(&m->heads[i], err) : BB_OK;
        if (rc != BB_OK) {
            return rc;
        }
        if (m->heads[i].any) {
            m->heap[m->heap_count++] = i;
        }
    }
    for (size_t i = m->heap_count / 2; i > 0; i--) {
        sift_down(m, i - 1, m->heap_count);
    }
    return BB_OK;
}

/* Whether it goes on with the source of the last point: as long as that does not go beyond the
 * window; it may go back. */
static bool in_window(const struct merge *m, const struct head *h)
{
    int64_t window = window_of(m, h->point.time);
    return m->by_window && bbi_group_compare_order(m->plan, &h->point.group, &m->group) == 0 &&
           (m->plan->descending ? window >= m->window : window <= m->window);
}

static int merge_next(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                      struct bb_error *err)
{
    struct merge *m = (struct merge *)s;
    struct head *best = NULL;
    int rc = m->last == NULL ? look_at_all(m, err) : ask(m->last, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (m->last != NULL && m->last->any && in_window(m, m->last)) {
        best = m->last;
    } else if (m->last != NULL && m->last->any) {
        push_head(m, (size_t)(m->last - m->heads));
    }
    if (best == NULL && m->heap_count > 0) {
        best = pop_head(m);
        m->window = window_of(m, best->point.time);
    }
    *any = best != NULL;
    m->last = best;
    if (best != NULL) {
        *out = best->point;
        m->group = best->point.group;
        best->used = true;
    }
    return BB_OK;
}

/* Heads that are used gave the last point, or one before it. */
static void merge_skip(struct bbi_stream *s)
{
    struct merge *m = (struct merge *)s;
    m->last = NULL;
    for (size_t i = 0; i < m->count; i++) {
        struct head *h = &m->heads[i];
        if (h->any && bbi_group_same(m->plan, &h->point.group, &m->group)) {
            h->used = true;
            h->stream->skip(h->stream);
        }
    }
}

static void merge_close(struct bbi_stream *s)
{
    struct merge *m = (struct merge *)s;
    for (size_t i = 0; i < m->count; i++) {
        bbi_stream_close(&m->heads[i].stream);
    }
}

int bbi_stream_merge(const struct bbi_flow *flow, struct bbi_stream **inputs, size_t count,
                     bool by_window, struct bbi_stream **out, struct bb_error *err)
{
    struct merge *m;
    int rc = BB_OK;
    if (count == 1) {
        *out = inputs[0];
        return BB_OK;
    }
    rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*m), &m, err);
    if (rc == BB_OK) {
        rc = bbi_qctx_array(flow->plan->ctx, count, sizeof(m->heads[0]), &m->heads, err);
    }
    if (rc == BB_OK) {
        rc = bbi_qctx_array(flow->plan->ctx, count, sizeof(m->heap[0]), &m->heap, err);
    }
    if (rc != BB_OK) {
        for (size_t i = 0; i < count; i++) {
            bbi_stream_close(&inputs[i]);
        }
        return rc;
    }
    bool skips = true;
    m->plan = flow->plan;
    m->count = count;
    m->by_window = by_window;
    for (size_t i = 0; i < count; i++) {
        m->heads[i] = (struct head){.stream = inputs[i], .used = true};
        skips = skips && inputs[i]->skip != NULL;
    }
    m->base = (struct bbi_stream){merge_next, merge_close, skips ? merge_skip : NULL};
    *out = &m->base;
    return BB_OK;
}

/* ---- measurements: one name after the other, so that one is open at a time ---- */

struct chain {
    struct bbi_stream base;
    struct bbi_flow flow;
    const struct bbi_call *call; /* that cells answer; NULL: rows */
    bool to_window;
    bool has_driver;
    struct bbi_ref driver;
    struct bbi_trace trace; /* of the measurements, which are opened late */
    size_t done;            /* measurements */
    struct bbi_stream *open;
};

static int open_measurement(const struct chain *c, const struct bbi_measurement *m,
                            struct bbi_stream **out, struct bb_error *err)
{
    struct bbi_flow inner;
    struct bbi_trace_node *node;
    const struct bbi_ref *driver = c->has_driver ? &c->driver : NULL;
    int rc = bbi_trace_begin(&c->flow, c->call != NULL ? "cells of" : "rows of", m->name, &inner,
                             &node, err);
    if (rc == BB_OK) {
        rc = c->call != NULL ? bbi_stream_cells(&inner, m, c->call, c->to_window, out, err)
                             : bbi_stream_scan(&inner, m, driver, out, err);
    }
    return rc == BB_OK ? bbi_trace_wrap(&c->flow, node, out, err) : rc;
}

/* Measurements of one name, of several policies or sources, are merged. */
static int open_name(struct chain *c, struct bb_error *err)
{
    const struct bbi_plan *plan = c->flow.plan;
    const struct bbi_measurements *from = &plan->from;
    struct bbi_stream **inputs;
    size_t count = 0;
    const char *name = NULL;
    int rc = bbi_qctx_array(plan->ctx, from->count - c->done, sizeof(inputs[0]), &inputs, err);
    while (rc == BB_OK && c->done < from->count) {
        size_t at = plan->descending ? from->count - 1 - c->done : c->done;
        const struct bbi_measurement *m = &from->list[at];
        if (name != NULL && strcmp(name, m->name) != 0) {
            break;
        }
        name = m->name;
        rc = open_measurement(c, m, &inputs[count], err);
        count += inputs[count] != NULL;
        c->done++;
    }
    for (size_t i = 0; plan->descending && i < count / 2; i++) {
        struct bbi_stream *t = inputs[i];
        inputs[i] = inputs[count - 1 - i];
        inputs[count - 1 - i] = t;
    }
    if (rc == BB_OK) {
        return bbi_stream_merge(&c->flow, inputs, count, c->has_driver, &c->open, err);
    }
    for (size_t i = 0; i < count; i++) {
        bbi_stream_close(&inputs[i]);
    }
    return rc;
}

static int chain_next(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                      struct bb_error *err)
{
    struct chain *c = (struct chain *)s;
    int rc = BB_OK;
    *any = false;
    while (rc == BB_OK) {
        if (c->open == NULL) {
            if (c->done == c->flow.plan->from.count) {
                return BB_OK;
            }
            rc = open_name(c, err);
            continue;
        }
        rc = c->open->next(c->open, out, any, err);
        if (rc != BB_OK || *any) {
            return rc;
        }
        bbi_stream_close(&c->open);
    }
    return rc;
}

/* All that a chain opens can skip. */
static void chain_skip(struct bbi_stream *s)
{
    struct chain *c = (struct chain *)s;
    if (c->open != NULL) {
        c->open->skip(c->open);
    }
}

static void chain_close(struct bbi_stream *s)
{
    struct chain *c = (struct chain *)s;
    bbi_stream_close(&c->open);
}

/* As many intervals as the outermost query's functions look at beside its range. */
static int64_t intervals_beside(const struct bbi_call *call)
{
    const struct bbi_ql_expr *expr = call->expr;
    const struct bbi_ql_expr *span = NULL;
    switch (call->func) {
    case BBI_FUNC_DERIVATIVE:
    case BBI_FUNC_NN_DERIVATIVE:
    case BBI_FUNC_ELAPSED:
    case BBI_FUNC_DIFFERENCE:
    case BBI_FUNC_NN_DIFFERENCE:
    case BBI_FUNC_CUMULATIVE_SUM:
    case BBI_FUNC_INCREASE:
        return 1;
    default:
        break;
    }
    bool averages = call->func == BBI_FUNC_MOVING_AVERAGE ||
                    (call->func >= BBI_FUNC_EMA && call->func <= BBI_FUNC_CMO);
    if (averages && expr->kind == BBI_QL_CALL && expr->u.call.arg_count > 1) {
        span = expr->u.call.args[1];
    }
    return span != NULL && span->kind == BBI_QL_INTEGER ? span->u.integer : 0;
}

static int64_t reach_of(const struct bbi_plan *root)
{
    int64_t most = 0;
    for (size_t i = 0; i < root->call_count; i++) {
        int64_t n = intervals_beside(&root->calls[i]);
        most = n > most ? n : most;
    }
    return most;
}

/* As InfluxDB, which opens no shard for what a subquery's function looks at outside of the range of
 * the outermost query, unless that function is the outermost query's. lookback() says otherwise. */
static void stay_within(struct bbi_flow *flow)
{
    const struct bbi_plan *root = flow->plan;
    bool looks_back = root->select->lookback_ns != 0;
    while (root->parent != NULL) {
        root = root->parent;
        looks_back = looks_back || root->select->lookback_ns != 0;
    }
    if (root == flow->plan || looks_back) {
        return;
    }
    const struct bbi_buckets *b = &root->buckets;
    int64_t more = 0;
    if (b->width_ns != 0 && __builtin_mul_overflow(reach_of(root), b->width_ns, &more)) {
        more = INT64_MAX;
    }
    int64_t low = root->when.tmin;
    int64_t high = root->when.tmax;
    if (!root->descending && (__builtin_sub_overflow(low, more, &low) || low < BBI_TIME_MIN)) {
        low = BBI_TIME_MIN;
    }
    if (root->descending && (__builtin_add_overflow(high, more, &high) || high > BBI_TIME_MAX)) {
        high = BBI_TIME_MAX;
    }
    flow->tmin = flow->tmin < low ? low : flow->tmin;
    flow->tmax = flow->tmax > high ? high : flow->tmax;
}

static int open_chain(const struct bbi_flow *flow, const struct bbi_ref *driver,
                      struct bbi_stream **out, struct bb_error *err)
{
    struct chain *c;
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*c), &c, err);
    if (rc == BB_OK) {
        c->base = (struct bbi_stream){chain_next, chain_close, chain_skip};
        c->flow = *flow;
        stay_within(&c->flow);
        if (flow->trace != NULL) {
            c->trace = *flow->trace;
            c->flow.trace = &c->trace;
        }
        c->has_driver = driver != NULL;
        c->driver = driver != NULL ? *driver : (struct bbi_ref){0};
        *out = &c->base;
    }
    return rc;
}

int bbi_stream_all_cells(const struct bbi_flow *flow, const struct bbi_call *call, bool to_window,
                         struct bbi_stream **out, struct bb_error *err)
{
    int rc = open_chain(flow, NULL, out, err);
    if (rc == BB_OK) {
        struct chain *c = (struct chain *)*out;
        c->call = call;
        c->to_window = to_window;
    }
    return rc;
}

static int open_subquery(const struct bbi_flow *flow, const struct bbi_plan *sub,
                         const struct bbi_ref *driver, struct bbi_stream **out,
                         struct bb_error *err)
{
    struct bbi_flow inner;
    struct bbi_trace_node *node;
    int rc = bbi_trace_begin(flow, "rows of", "a subquery", &inner, &node, err);
    rc = rc == BB_OK ? bbi_stream_subquery(&inner, sub, driver, out, err) : rc;
    return rc == BB_OK ? bbi_trace_wrap(flow, node, out, err) : rc;
}

/* As many subqueries stand in FROM before its first measurement; all of them if there is none. */
static size_t subqueries_before(const struct bbi_plan *plan)
{
    const struct bbi_ql_select *select = plan->select;
    size_t count = 0;
    while (count < select->source_count && select->sources[count].subquery != NULL) {
        count++;
    }
    return count;
}

int bbi_stream_source(const struct bbi_flow *flow, const struct bbi_ref *driver,
                      struct bbi_stream **out, struct bb_error *err)
{
    const struct bbi_plan *plan = flow->plan;
    struct bbi_stream **inputs;
    bool has_chain = plan->from.count > 0 || plan->sub_count == 0;
    size_t before = subqueries_before(plan);
    size_t count = 0;
    *out = NULL;
    int rc = bbi_qctx_array(plan->ctx, plan->sub_count + 1, sizeof(inputs[0]), &inputs, err);
    for (size_t i = 0; rc == BB_OK && i <= plan->sub_count; i++) {
        if (i == before && has_chain) {
            rc = open_chain(flow, driver, &inputs[count], err);
            count += rc == BB_OK;
        }
        if (rc == BB_OK && i < plan->sub_count) {
            rc = open_subquery(flow, plan->subs[i], driver, &inputs[count], err);
            count += inputs[count] != NULL;
        }
    }
    if (rc == BB_OK) {
        return bbi_stream_merge(flow, inputs, count, driver != NULL, out, err);
    }
    for (size_t i = 0; i < count; i++) {
        bbi_stream_close(&inputs[i]);
    }
    return rc;
}
