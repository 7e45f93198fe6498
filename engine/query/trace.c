#include "engine/query/trace.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"

struct probe {
    struct bbi_stream base;
    struct bbi_stream *input;
    struct bbi_trace_node *node;
};

void bbi_trace_init(struct bbi_trace *trace)
{
    trace->first = NULL;
    trace->last = &trace->first;
}

int bbi_trace_begin(const struct bbi_flow *flow, const char *kind, const char *name,
                    struct bbi_flow *inner, struct bbi_trace_node **node, struct bb_error *err)
{
    char *text;
    *inner = *flow;
    *node = NULL;
    if (flow->trace == NULL) {
        return BB_OK;
    }
    size_t bytes = strlen(kind) + strlen(name) + 2;
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(**node), node, err);
    rc = rc == BB_OK ? bbi_qctx_array(flow->plan->ctx, bytes, 1, &text, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    (void)snprintf(text, bytes, "%s %s", kind, name);
    (*node)->text = text;
    (*node)->depth = flow->depth;
    (*node)->next = *flow->trace->last;
    *flow->trace->last = *node;
    flow->trace->last = &(*node)->next;
    inner->depth++;
    return BB_OK;
}

static int probe_next(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                      struct bb_error *err)
{
    struct probe *p = (struct probe *)s;
    int64_t start = bbi_clock_mono_ns();
    int rc = p->input->next(p->input, out, any, err);
    p->node->ns += bbi_clock_mono_ns() - start;
    p->node->points += rc == BB_OK && *any;
    return rc;
}

static void probe_skip(struct bbi_stream *s)
{
    struct probe *p = (struct probe *)s;
    p->input->skip(p->input);
}

static void probe_close(struct bbi_stream *s)
{
    struct probe *p = (struct probe *)s;
    bbi_stream_close(&p->input);
}

int bbi_trace_wrap(const struct bbi_flow *flow, struct bbi_trace_node *node, struct bbi_stream **s,
                   struct bb_error *err)
{
    struct probe *p;
    if (node == NULL || *s == NULL) {
        return BB_OK;
    }
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*p), &p, err);
    if (rc == BB_OK) {
        p->base = (struct bbi_stream){probe_next, probe_close, NULL};
        p->base.skip = (*s)->skip != NULL ? probe_skip : NULL;
        p->input = *s;
        p->node = node;
        *s = &p->base;
    }
    return rc;
}
