/* Sources of a plan, and several streams as one. */
#include "engine/query/trace.h"

#include <string.h>

struct head {
    struct bbi_stream *stream;
    struct bbi_stream_point point;
    bool any;  /* the point is there */
    bool used; /* and was given: the stream has to be asked again */
};

struct merge {
    struct bbi_stream base;
    const struct bbi_plan *plan;
    struct head *heads;
    size_t count;
    struct bbi_group group; /* of the last point */
};

static bool comes_before(const struct bbi_plan *plan, const struct bbi_stream_point *a,
                         const struct bbi_stream_point *b)
{
    int c = bbi_group_compare_order(plan, &a->group, &b->group);
    if (c == 0) {
        c = (a->time > b->time) - (a->time < b->time);
    }
    return plan->descending ? c > 0 : c < 0;
}

static int merge_next(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                      struct bb_error *err)
{
    struct merge *m = (struct merge *)s;
    struct head *best = NULL;
    for (size_t i = 0; i < m->count; i++) {
        struct head *h = &m->heads[i];
        if (h->used) {
            int rc = h->stream->next(h->stream, &h->point, &h->any, err);
            if (rc != BB_OK) {
                return rc;
            }
            h->used = false;
        }
        if (h->any && (best == NULL || comes_before(m->plan, &h->point, &best->point))) {
            best = h;
        }
    }
    *any = best != NULL;
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
                     struct bbi_stream **out, struct bb_error *err)
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
    if (rc != BB_OK) {
        for (size_t i = 0; i < count; i++) {
            bbi_stream_close(&inputs[i]);
        }
        return rc;
    }
    bool skips = true;
    m->plan = flow->plan;
    m->count = count;
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

/* Measurements of one name, of several policies, are merged. */
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
    if (rc == BB_OK) {
        return bbi_stream_merge(&c->flow, inputs, count, &c->open, err);
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

static int open_chain(const struct bbi_flow *flow, const struct bbi_ref *driver,
                      struct bbi_stream **out, struct bb_error *err)
{
    struct chain *c;
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*c), &c, err);
    if (rc == BB_OK) {
        c->base = (struct bbi_stream){chain_next, chain_close, chain_skip};
        c->flow = *flow;
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

int bbi_stream_source(const struct bbi_flow *flow, const struct bbi_ref *driver,
                      struct bbi_stream **out, struct bb_error *err)
{
    const struct bbi_plan *plan = flow->plan;
    struct bbi_stream **inputs;
    size_t count = 0;
    *out = NULL;
    int rc = bbi_qctx_array(plan->ctx, plan->sub_count + 1, sizeof(inputs[0]), &inputs, err);
    if (rc == BB_OK && (plan->from.count > 0 || plan->sub_count == 0)) {
        rc = open_chain(flow, driver, &inputs[0], err);
        count += rc == BB_OK;
    }
    for (size_t i = 0; rc == BB_OK && i < plan->sub_count; i++) {
        rc = open_subquery(flow, plan->subs[i], driver, &inputs[count], err);
        count += inputs[count] != NULL;
    }
    if (rc == BB_OK) {
        return bbi_stream_merge(flow, inputs, count, out, err);
    }
    for (size_t i = 0; i < count; i++) {
        bbi_stream_close(&inputs[i]);
    }
    return rc;
}
