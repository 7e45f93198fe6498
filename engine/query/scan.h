/**
 * What a query reads of one measurement: sources cut into regions, and a walk over a region that
 * shows each piece of each series once, as a chunk that nothing overlaps or as merged rows.
 *
 * A region is a stretch of time and series in which the same sources lie. Where that is one segment
 * and nothing else (no memtable, no newer deletion), the walk goes through its groups as they are
 * stored, and a whole group may be answered from the page index. Elsewhere it goes series by
 * series: a chunk whose times no other source of that series touches is shown as it is, whatever
 * overlaps goes through the merge (engine/partition/merge.h). This is the test that guards every
 * shortcut.
 *
 * Thread  a scan is read-only once prepared; each thread walks with a walker of its own.
 */
#ifndef BBI_QUERY_SCAN_H
#define BBI_QUERY_SCAN_H

#include "engine/partition/merge.h"
#include "engine/query/context.h"

struct bbi_qscan_segment {
    struct bbi_segment *segment;
    const struct bbi_segment_meta *meta;
};

struct bbi_qscan_space {
    const struct bbi_memspace *space;
    int64_t tmin;
    int64_t tmax;
    uint64_t values;
};

/** Sources and bounds; all arrays belong to the statement's arena or the snapshot. */
struct bbi_region {
    int64_t tmin; /* inclusive, as everywhere here */
    int64_t tmax;
    size_t series_first; /* [series_first, series_end) of the scan's series */
    size_t series_end;
    const uint32_t *segments; /* [segment_count] indexes into the scan's, old to new */
    size_t segment_count;
    bool has_spaces; /* memtables too: all of the scan's */
    bool pure;       /* one segment, nothing else */
    uint64_t rows;   /* an estimate */
};

struct bbi_qscan {
    struct bbi_qctx *ctx;
    uint32_t db_id;
    uint32_t rp_id;
    uint32_t measurement_id;
    const uint32_t *fields; /* [field_count] ascending */
    size_t field_count;
    int64_t tmin;
    int64_t tmax;
    const uint32_t *series; /* [series_count] ascending */
    size_t series_count;
    bool complete;                      /* series[] is all that the measurement has */
    const roaring_bitmap_t *others;     /* those of the measurement that are not in series[]; may be
                                       NULL: unknown */
    struct bbi_qscan_segment *segments; /* [segment_count] old to new */
    size_t segment_count;
    struct bbi_qscan_space spaces[BBI_SNAPSHOT_MEMTABLES]; /* old to new */
    size_t space_count;
    struct bbi_region *regions; /* [region_count] by time, then series */
    size_t region_count;
    struct bbi_arena region_arena;
    int64_t data_tmin; /* no row lies outside; data_tmin > data_tmax: there is none */
    int64_t data_tmax;
    uint64_t rows; /* an estimate */
};

/**
 * Find the sources and cut them into regions.
 *
 * scan    ctx, ids, fields, times, series and others are set; the rest is filled
 * Returns BB_OK; BB_ENOMEM. Damaged segments in the range are told to the sink as warnings.
 */
int bbi_qscan_prepare(struct bbi_qscan *scan, struct bb_error *err) BB_CHECKED;
/** Drop what prepare made; also after it failed. */
void bbi_qscan_fini(struct bbi_qscan *scan);

/** Prepare again for some of the series that it was prepared for. */
int bbi_qscan_restrict(struct bbi_qscan *scan, const uint32_t *series, size_t series_count,
                       struct bb_error *err) BB_CHECKED;

/** The first index in [from, count) of ascending ids that is >= id; near `from` it is fast. */
size_t bbi_series_find(const uint32_t *ids, size_t from, size_t count, uint32_t id);

#endif
