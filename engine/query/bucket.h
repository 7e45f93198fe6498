/**
 * Intervals of GROUP BY time(): numbered so that interval i begins at offset + i * width.
 */
#ifndef BBI_QUERY_BUCKET_H
#define BBI_QUERY_BUCKET_H

#include <stdint.h>

#include "engine/base/batch.h"

struct bbi_buckets {
    int64_t width_ns;  /* 0: no GROUP BY time(), everything is in bucket 0 */
    int64_t offset_ns; /* smaller than the width in size */
};

/** Which one a time lies in. */
static inline int64_t bbi_bucket_of(const struct bbi_buckets *b, int64_t time)
{
    if (b->width_ns == 0) {
        return 0;
    }
    __int128 t = (__int128)time - b->offset_ns;
    if (t >= INT64_MIN && t <= INT64_MAX) {
        int64_t q = (int64_t)t / b->width_ns;
        return q - (q * b->width_ns > (int64_t)t);
    }
    __int128 q = t / b->width_ns;
    return (int64_t)(q - (q * b->width_ns > t));
}

/** Where it begins; the first of all begins with time itself. */
static inline int64_t bbi_bucket_start(const struct bbi_buckets *b, int64_t bucket)
{
    __int128 t = (__int128)bucket * b->width_ns + b->offset_ns;
    if (t < BBI_TIME_MIN) {
        return BBI_TIME_MIN;
    }
    return t > INT64_MAX ? INT64_MAX : (int64_t)t;
}

/** The last time that lies in it. */
static inline int64_t bbi_bucket_last(const struct bbi_buckets *b, int64_t bucket)
{
    if (b->width_ns == 0) {
        return INT64_MAX;
    }
    __int128 t = ((__int128)bucket + 1) * b->width_ns + b->offset_ns - 1;
    if (t < INT64_MIN) {
        return INT64_MIN;
    }
    return t > INT64_MAX ? INT64_MAX : (int64_t)t;
}

#endif
