/**
 * What EXPLAIN tells of streams: which there are, and with ANALYZE how many points each gave and
 * how long that took, what stands below it included.
 */
#ifndef BBI_QUERY_TRACE_H
#define BBI_QUERY_TRACE_H

#include "engine/query/stream.h"

struct bbi_trace_node {
    struct bbi_trace_node *next; /* in the order of making: a stream comes before its inputs */
    unsigned depth;
    const char *text;
    uint64_t points;
    int64_t ns;
};

struct bbi_trace {
    struct bbi_trace_node *first;
    struct bbi_trace_node **last; /* where the next one is put in */
};

void bbi_trace_init(struct bbi_trace *trace);

/** Note a stream that is about to be made of `flow`; *node is NULL if nobody traces. inner: the
 * flow for its inputs. */
int bbi_trace_begin(const struct bbi_flow *flow, const char *kind, const char *name,
                    struct bbi_flow *inner, struct bbi_trace_node **node,
                    struct bb_error *err) BB_CHECKED;

/** Count what the stream gives; *s stays to be closed on an error. */
int bbi_trace_wrap(const struct bbi_flow *flow, struct bbi_trace_node *node, struct bbi_stream **s,
                   struct bb_error *err) BB_CHECKED;

#endif
