#include "engine/busbar.h"

/* 1, 2.5 and 5 of each power of ten from 0.1 ms to 5 s, then what an operator counts in. */
static const uint64_t bounds_us[BB_LATENCY_BUCKETS - 1] = {
    100,    250,    500,    1000,    2500,    5000,    10000,    25000,    50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000};

uint64_t bb_latency_bound_ns(size_t bucket)
{
    return bucket < BB_LATENCY_BUCKETS - 1 ? bounds_us[bucket] * 1000 : UINT64_MAX;
}

void bb_latency_add(struct bb_latency *latency, uint64_t ns)
{
    size_t bucket = 0;
    while (bucket < BB_LATENCY_BUCKETS - 1 && ns > bounds_us[bucket] * 1000) {
        bucket++;
    }
    __atomic_fetch_add(&latency->buckets[bucket], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&latency->sum_ns, ns, __ATOMIC_RELAXED);
}

void bb_latency_read(const struct bb_latency *latency, struct bb_latency *out)
{
    for (size_t i = 0; i < BB_LATENCY_BUCKETS; i++) {
        out->buckets[i] = __atomic_load_n(&latency->buckets[i], __ATOMIC_RELAXED);
    }
    out->sum_ns = __atomic_load_n(&latency->sum_ns, __ATOMIC_RELAXED);
}
