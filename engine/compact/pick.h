/**
 * Which segments to merge next.
 *
 * Segments with one span (a partition's own, or all that are shared by several partitions) form a
 * lane; in a lane, the files of one job form a run. Runs that are neighbours in the log are merged
 * when together they weigh three times the heaviest: each merge makes the bytes' segment at least a
 * third heavier than any of its inputs, so that a byte is rewritten a number of times that grows
 * with the logarithm of its partition's size, and the number of runs stays logarithmic too. A lane
 * that has nevertheless grown long merges its lightest neighbours.
 *
 * What is merged must be contiguous in the log among all that overlaps it in time, so whatever
 * stands in between joins; a segment that is damaged and still read stays, and nothing is merged
 * past it. Source  O'Neil et al., "The log-structured merge-tree" (1996);
 * size-tiered as in Bigtable.
 */
#ifndef BBI_COMPACT_PICK_H
#define BBI_COMPACT_PICK_H

#include "engine/partition/version.h"

/** A lane with more runs than this merges whatever is lightest. */
#define BBI_COMPACT_RUNS_MAX 12

struct bbi_compact_pick {
    size_t *members; /* [count] indexes into version->segments, ascending */
    size_t count;
    uint64_t too_large_bytes; /* of the smallest job that the budget ruled out; 0: none */
};

/**
 * Pick the next job among the segments of one policy: version->segments[first, first + count).
 *
 * shard_ns  the policy's partition length
 * full      merge everything that overlaps, and apply every deletion
 * budget_bytes  what the inputs may weigh, for the outputs have to find room beside them
 * pick      out: count 0: nothing to do. members is the caller's to bbi_mem_free
 */
int bbi_compact_pick(const struct bbi_version *version, size_t first, size_t count,
                     int64_t shard_ns, const struct bbi_tombset *tombs, uint64_t lsn, bool full,
                     uint64_t budget_bytes, struct bbi_account *acct, struct bbi_compact_pick *pick,
                     struct bb_error *err) BB_CHECKED;

#endif
