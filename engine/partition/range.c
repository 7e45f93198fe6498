#include "engine/partition/range.h"

static bool reaches(const struct bbi_segment_meta *m, struct bbi_span span)
{
    return m->tmin < span.t1 && span.t0 <= m->tmax;
}

static bool lies_in(const struct bbi_segment_meta *m, struct bbi_span span)
{
    return span.t0 <= m->tmin && m->tmax < span.t1;
}

void bbi_split_range(const struct bbi_segment_meta *const *inputs, size_t input_count,
                     const struct bbi_span *own, size_t own_count, size_t lane, uint64_t *lsn_lo,
                     uint64_t *lsn_hi)
{
    *lsn_lo = UINT64_MAX;
    *lsn_hi = 0;
    for (size_t i = 0; i < input_count; i++) {
        const struct bbi_segment_meta *m = inputs[i];
        bool in = lane == own_count || reaches(m, own[lane]);
        for (size_t k = 0; in && lane == own_count && k < own_count; k++) {
            in = !lies_in(m, own[k]);
        }
        if (in) {
            *lsn_lo = m->lsn_lo < *lsn_lo ? m->lsn_lo : *lsn_lo;
            *lsn_hi = m->lsn_hi > *lsn_hi ? m->lsn_hi : *lsn_hi;
        }
    }
}
