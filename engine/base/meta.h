/**
 * What the catalog and the segment files both say: the description of a segment, and a deletion.
 */
#ifndef BBI_BASE_META_H
#define BBI_BASE_META_H

#include <stddef.h>
#include <stdint.h>

#include <roaring/roaring.h>

/**
 * One immutable segment file. It holds rows of one database and retention policy whose log
 * positions lie in (lsn_lo, lsn_hi]. Of two segments that overlap in time, the one with the higher
 * lsn_hi is newer and wins; their ranges never interleave where they share a series and a time.
 *
 * span_t0, span_t1 is what it claims: one partition, or several that were not yet worth a file of
 * their own. A compaction writes job_parts files, disjoint in series, that replace its inputs
 * together: all of them or none.
 */
struct bbi_segment_meta {
    uint64_t id; /* never reused; the file is segments/seg-<id %016x>.bbs */
    uint32_t db_id;
    uint32_t rp_id;
    uint64_t lsn_lo;
    uint64_t lsn_hi;
    uint64_t tombs_lsn; /* deletions up to here have been applied to its rows; >= lsn_hi */
    int64_t span_t0;    /* partition span [t0, t1), ns */
    int64_t span_t1;
    int64_t tmin; /* first and last time that is there, inclusive */
    int64_t tmax;
    uint32_t series_min;
    uint32_t series_max;
    uint64_t series_count;
    uint64_t row_count;
    uint64_t value_count;
    uint64_t file_bytes;
    uint64_t job_id;   /* id of the flush or compaction that wrote it */
    uint32_t job_part; /* 0 .. job_parts - 1 */
    uint32_t job_parts;
    uint32_t level; /* rewrites that its oldest byte has seen: 0 after a flush */
};

/**
 * A DELETE: hides the rows of these series in [tmin, tmax] that stand before it in the log. rp_id 0
 * means all policies. Of a segment, it hides rows only if its lsn is above the segment's tombs_lsn:
 * up to there the flush or the compaction that wrote the segment has applied deletions already.
 */
struct bbi_tombstone {
    uint64_t lsn;
    uint32_t db_id;
    uint32_t rp_id;
    int64_t tmin;
    int64_t tmax;
    roaring_bitmap_t *series; /* owned */
};

#endif
