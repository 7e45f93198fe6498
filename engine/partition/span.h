/** Partitions: a retention policy's time line cut into pieces of equal length, counted from 1970.
 */
#ifndef BBI_PARTITION_SPAN_H
#define BBI_PARTITION_SPAN_H

#include <stdbool.h>
#include <stdint.h>

/** A half-open range of times [t0, t1), ns; the ends of int64 stand for themselves. */
struct bbi_span {
    int64_t t0;
    int64_t t1;
};

/** The partition of length shard_ns (> 0) that holds time_ns. */
static inline struct bbi_span bbi_span_of(int64_t time_ns, int64_t shard_ns)
{
    int64_t into = time_ns % shard_ns;
    into += into < 0 ? shard_ns : 0;
    struct bbi_span span;
    if (__builtin_sub_overflow(time_ns, into, &span.t0)) {
        span.t0 = INT64_MIN;
    }
    if (__builtin_add_overflow(time_ns, shard_ns - into, &span.t1)) {
        span.t1 = INT64_MAX;
    }
    return span;
}

static inline bool bbi_span_overlaps(struct bbi_span a, struct bbi_span b)
{
    return a.t0 < b.t1 && b.t0 < a.t1;
}

#endif
