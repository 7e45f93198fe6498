/** Which part of the log the outputs of a merge stand for. */
#ifndef BBI_PARTITION_RANGE_H
#define BBI_PARTITION_RANGE_H

#include <stddef.h>

#include "engine/base/meta.h"
#include "engine/partition/span.h"

/**
 * The LSNs of an output of a merge. An output must not count as newer than a segment outside of the
 * merge that is newer than its rows, so it takes its range from those inputs alone whose rows can
 * be in it: own partition, all that reach into the span; shared, all but those that lie in a
 * partition which gets its own file.
 */
void bbi_split_range(const struct bbi_segment_meta *const *inputs, size_t input_count,
                     const struct bbi_span *own, size_t own_count, size_t lane, uint64_t *lsn_lo,
                     uint64_t *lsn_hi);

#endif
