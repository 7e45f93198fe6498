/*
 * Windows of points to points. A window's groups have a machine each; when it ends their results
 * come out group by group, or in the order of time if they have times of their own.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/query/machines.h"

struct result {
    size_t at; /* in the order of gathering */
    size_t machine;
    bool descending;
    struct bbi_fn_point point;
};

struct reduce {
    struct bbi_stream base;
    struct bbi_flow flow;
    bool to_window;
    struct bbi_stream *input;
    struct bbi_machines machines;
    struct bbi_stream_point head; /* the point behind the window, if any */
    bool has_head;
    bool ended;
    bool whole;     /* all of a group is one window: a forecast */
    bool cuts;      /* what fill() left empty of another interval ends a window */
    bool cut;       /* such came before the head, which may be of the same window again */
    int64_t bucket; /* the window's */
    int64_t start;
    bool multiplies; /* the function gives several points of a window */
    bool gathers;    /* results wait in a list, in order */
    struct result *results;
    size_t result_count;
    size_t result_at;
    size_t result_cap;
};

static int pull(struct reduce *r, struct bb_error *err)
{
    int rc = BB_OK;
    for (;;) {
        rc = r->input->next(r->input, &r->head, &r->has_head, err);
        if (rc != BB_OK || !r->has_head || r->head.value.kind != BB_VALUE_NULL) {
            break;
        }
        r->cut = r->cut ||
                 (r->cuts && bbi_bucket_of(&r->flow.plan->buckets, r->head.time) != r->bucket);
    }
    r->ended = !r->has_head;
    return rc;
}

static bool in_window(const struct reduce *r, const struct bbi_group *group)
{
    return r->has_head && !r->cut &&
           bbi_group_compare_order(r->flow.plan, &r->head.group, group) == 0 &&
           (r->whole || bbi_bucket_of(&r->flow.plan->buckets, r->head.time) == r->bucket);
}

/* Push all points of the next window. */
static int fill_window(struct reduce *r, struct bb_error *err)
{
    struct bbi_group group = r->head.group;
    uint64_t count = 0;
    int rc = BB_OK;
    r->cut = false;
    r->bucket = bbi_bucket_of(&r->flow.plan->buckets, r->head.time);
    r->start = bbi_flow_window(&r->flow, r->head.time);
    while (rc == BB_OK && in_window(r, &group)) {
        struct bbi_machine *machine;
        rc = bbi_machines_find(&r->machines, &r->head.group, &machine, err);
        rc = rc == BB_OK ? bbi_machines_push(&r->machines, machine, &r->head, err) : rc;
        rc = rc == BB_OK ? pull(r, err) : rc;
        if (rc == BB_OK && count++ % 4096 == 4095) {
            rc = bbi_qctx_check(r->flow.plan->ctx, err);
        }
    }
    return rc;
}

/* ---- results ---- */

static int add_result(struct reduce *r, size_t machine, const struct bbi_fn_point *point,
                      struct bb_error *err)
{
    if (r->result_count == r->result_cap) {
        size_t cap = r->result_cap == 0 ? 64 : r->result_cap * 2;
        struct result *list = bbi_mem_realloc(r->machines.spec.acct, r->results,
                                              cap * sizeof(list[0]));
        if (list == NULL) {
            return bbi_error_nomem(err, "results");
        }
        r->results = list;
        r->result_cap = cap;
    }
    size_t at = r->result_count++;
    r->results[at] = (struct result){at, machine, r->flow.plan->descending, *point};
    return BB_OK;
}

/* Results of one time stay as they were gathered. */
static int by_time(const void *a, const void *b)
{
    const struct result *x = a;
    const struct result *y = b;
    if (x->point.time_ns != y->point.time_ns) {
        bool later = x->point.time_ns > y->point.time_ns;
        return later != x->descending ? 1 : -1;
    }
    return (x->at > y->at) - (x->at < y->at);
}

/* Group by group, in the order of the query; those with times of their own by time, if wanted. */
static int gather_results(struct reduce *r, struct bb_error *err)
{
    struct bbi_fn_point point;
    size_t count = r->machines.count;
    bool timed = false;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        size_t machine = r->flow.plan->descending ? count - 1 - i : i;
        while (rc == BB_OK && bbi_fn_next(r->machines.list[machine].fn, &point)) {
            timed = timed || !point.timeless;
            point.time_ns = point.timeless ? r->start : point.time_ns;
            rc = add_result(r, machine, &point, err);
        }
    }
    if (rc == BB_OK && timed && !r->flow.by_group) {
        qsort(r->results, r->result_count, sizeof(r->results[0]), by_time);
    }
    return rc;
}

static int end_window(struct reduce *r, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < r->machines.count; i++) {
        rc = bbi_fn_finish(r->machines.list[i].fn, err);
        if (rc == BB_OK && i % 256 == 255) {
            rc = bbi_qctx_check(r->flow.plan->ctx, err);
        }
    }
    r->result_count = 0;
    r->result_at = 0;
    r->gathers = r->machines.count > 1 || r->multiplies;
    if (rc == BB_OK && r->gathers) {
        bbi_machines_sort(&r->machines);
        rc = gather_results(r, err);
    }
    return rc;
}

static bool next_result(struct reduce *r, struct bbi_stream_point *out)
{
    struct bbi_fn_point point;
    const struct bbi_machine *machine = r->machines.list;
    if (r->gathers) {
        if (r->result_at == r->result_count) {
            return false;
        }
        const struct result *result = &r->results[r->result_at++];
        machine += result->machine;
        point = result->point;
    } else if (r->machines.count == 0 || !bbi_fn_next(machine->fn, &point)) {
        return false;
    }
    bbi_machines_result(&r->machines, machine, &point, out);
    if (r->to_window || point.timeless) {
        out->time = r->start == BBI_TIME_MIN ? 0 : r->start;
    }
    return true;
}

static int reduce_next(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                       struct bb_error *err)
{
    struct reduce *r = (struct reduce *)s;
    int rc = BB_OK;
    *any = false;
    while (rc == BB_OK) {
        if (next_result(r, out)) {
            *any = true;
            return BB_OK;
        }
        bbi_machines_clear(&r->machines);
        r->result_count = 0;
        r->result_at = 0;
        if (!r->has_head && !r->ended) {
            rc = pull(r, err);
        }
        if (rc != BB_OK || r->ended) {
            return rc;
        }
        rc = fill_window(r, err);
        rc = rc == BB_OK ? end_window(r, err) : rc;
    }
    return rc;
}

/* There is one machine: groups do not interleave. */
static void reduce_skip(struct bbi_stream *s)
{
    struct reduce *r = (struct reduce *)s;
    if (!r->ended && r->machines.count > 0) {
        bbi_stream_skip_head(r->flow.plan, r->input, &r->machines.list[0].group, &r->head,
                             &r->has_head);
    }
    bbi_machines_clear(&r->machines);
    r->result_count = 0;
    r->result_at = 0;
}

static void reduce_close(struct bbi_stream *s)
{
    struct reduce *r = (struct reduce *)s;
    bbi_machines_fini(&r->machines);
    bbi_mem_free(r->results);
    r->results = NULL;
    bbi_stream_close(&r->input);
}

int bbi_stream_reduce(const struct bbi_flow *flow, const struct bbi_call *call, bool to_window,
                      struct bbi_stream *input, struct bbi_stream **out, struct bb_error *err)
{
    struct reduce *r;
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*r), &r, err);
    if (rc != BB_OK) {
        bbi_stream_close(&input);
        return rc;
    }
    r->base = (struct bbi_stream){reduce_next, reduce_close,
                                  input != NULL && input->skip != NULL ? reduce_skip : NULL};
    r->flow = *flow;
    r->to_window = to_window;
    r->whole = bbi_func_info(call->func)->class == BBI_FN_STREAM;
    r->cuts = !r->whole && call->func != BBI_FUNC_COUNT && !bbi_stream_joins_windows(call);
    r->multiplies = bbi_func_info(call->func)->class == BBI_FN_MULTI;
    r->input = input;
    *out = &r->base;
    return bbi_machines_init(&r->machines, flow, call, err);
}
