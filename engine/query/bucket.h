/**
 * Intervals of GROUP BY time(): numbered so that interval i begins at offset + i * width; in a
 * zone, or with calendar units, where its clocks show that (civil_bucket.c).
 */
#ifndef BBI_QUERY_BUCKET_H
#define BBI_QUERY_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/batch.h"
#include "engine/civil/zone.h"

struct bbi_buckets {
    int64_t width_ns;  /* 0: no GROUP BY time(), everything is in bucket 0 */
    int64_t offset_ns; /* smaller than the width in size */
    /* Not NULL: intervals follow these clocks. Only where the width is more than an hour, or with
     * months; narrower ones are fixed and have the zone's offset in offset_ns. */
    const struct bbi_zone *zone;
    int32_t months; /* not 0: so many calendar months, and the width is about as much */
};

/** The same for intervals that follow a zone or the calendar. */
int64_t bbi_civil_bucket_of(const struct bbi_buckets *b, int64_t time);
int64_t bbi_civil_bucket_start(const struct bbi_buckets *b, int64_t bucket);

static inline bool bbi_bucket_is_civil(const struct bbi_buckets *b)
{
    return b->zone != NULL || b->months != 0;
}

/** Which one a time lies in. */
static inline int64_t bbi_bucket_of(const struct bbi_buckets *b, int64_t time)
{
    if (b->width_ns == 0) {
        return 0;
    }
    if (bbi_bucket_is_civil(b)) {
        return bbi_civil_bucket_of(b, time);
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
    if (bbi_bucket_is_civil(b)) {
        return bbi_civil_bucket_start(b, bucket);
    }
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
    if (bbi_bucket_is_civil(b)) {
        int64_t next = bbi_civil_bucket_start(b, bucket + 1);
        return next == INT64_MAX ? next : next - 1;
    }
    __int128 t = ((__int128)bucket + 1) * b->width_ns + b->offset_ns - 1;
    if (t < INT64_MIN) {
        return INT64_MIN;
    }
    return t > INT64_MAX ? INT64_MAX : (int64_t)t;
}

#endif
