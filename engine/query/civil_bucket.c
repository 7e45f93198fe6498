/*
 * Intervals by the clocks of a zone: day n begins when they first show its midnight, or with an
 * offset that hour of it, whether it has 23, 24 or 25 hours.
 */
#include "engine/base/calendar.h"
#include "engine/query/bucket.h"

#define NS_PER_S INT64_C(1000000000)
#define DAY_S    INT64_C(86400)

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (q * b > a);
}

/* What the clocks show at the beginning of an interval, ns; cut to what int64 has. */
static __int128 local_start(const struct bbi_buckets *b, int64_t bucket)
{
    if (b->months == 0) {
        return (__int128)bucket * b->width_ns;
    }
    int64_t month;
    if (__builtin_mul_overflow(bucket, b->months, &month) || month > INT32_MAX ||
        month < INT32_MIN) {
        return bucket < 0 ? (__int128)INT64_MIN : (__int128)INT64_MAX;
    }
    return (__int128)bbi_first_day_of_month(month) * DAY_S * NS_PER_S;
}

int64_t bbi_civil_bucket_start(const struct bbi_buckets *b, int64_t bucket)
{
    __int128 start = local_start(b, bucket) + b->offset_ns;
    if (start > BBI_TIME_MIN && start < INT64_MAX && b->zone != NULL) {
        int64_t s = floor_div((int64_t)start, NS_PER_S);
        start += ((__int128)bbi_zone_first(b->zone, s) - s) * NS_PER_S;
    }
    if (start < BBI_TIME_MIN) {
        return BBI_TIME_MIN;
    }
    return start > INT64_MAX ? INT64_MAX : (int64_t)start;
}

int64_t bbi_civil_bucket_of(const struct bbi_buckets *b, int64_t time)
{
    int64_t bucket;
    __int128 t = (__int128)time - b->offset_ns;
    if (b->zone != NULL) {
        t += (__int128)bbi_zone_offset(b->zone, floor_div(time, NS_PER_S)) * NS_PER_S;
    }
    if (b->months != 0) {
        __int128 days = t / (DAY_S * NS_PER_S);
        days -= days * DAY_S * NS_PER_S > t;
        bucket = floor_div(bbi_month_of_day((int64_t)days), b->months);
    } else {
        __int128 q = t / b->width_ns;
        bucket = (int64_t)(q - (q * b->width_ns > t));
    }
    /* Around a change of the clocks the guess may be one off. */
    while (time < bbi_civil_bucket_start(b, bucket) && time > BBI_TIME_MIN) {
        bucket--;
    }
    for (int64_t next;
         (next = bbi_civil_bucket_start(b, bucket + 1)) <= time && next != INT64_MAX;) {
        bucket++;
    }
    return bucket;
}
