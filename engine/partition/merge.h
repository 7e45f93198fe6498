/**
 * The rows of one series over several sources, as if there were one: the newest value of each
 * (time, field), without what tombstones hide.
 *
 * Works in windows of bounded size: the first rows of all sources up to the end of whichever piece
 * ends first, so at most BBI_SEGMENT_CHUNK_ROWS rows of each segment at a time, however long the
 * series is. A window that only one source has rows in is decoded straight through. Thread  one
 * owner at a time.
 */
#ifndef BBI_PARTITION_MERGE_H
#define BBI_PARTITION_MERGE_H

#include "engine/base/arena.h"
#include "engine/partition/source.h"
#include "engine/partition/version.h"
#include "engine/segment/writer.h"

struct bbi_merge_source;

struct bbi_merge {
    struct bbi_account *acct;
    const struct bbi_tombset *tombs; /* NULL: none */
    uint64_t snapshot_lsn;
    uint32_t db_id;
    uint32_t rp_id;
    const uint32_t *fields; /* [field_count] ascending; NULL: all */
    size_t field_count;
    struct bbi_merge_source *sources; /* [source_count], old to new */
    size_t source_count;
    size_t source_cap;
    struct bbi_arena arena; /* one window */
    /* the series */
    uint32_t measurement_id;
    uint32_t series_id;
    int64_t tmin;
    int64_t tmax;
    uint64_t pages_read; /* by all sources */
};

/** One window: rows by rising time. Everything is valid until the next call on the merge. */
struct bbi_window {
    size_t rows; /* 0: the end */
    const int64_t *times;
    struct bbi_column
        *columns; /* [column_count] by rising field id, each with at least one value */
    size_t column_count;
};

/**
 * Start with no sources.
 *
 * fields  only these, ascending, borrowed; NULL: all
 * tombs   borrowed; those above snapshot_lsn do not count. NULL: none
 */
void bbi_merge_init(struct bbi_merge *m, struct bbi_account *acct, uint32_t db_id, uint32_t rp_id,
                    const uint32_t *fields, size_t field_count, const struct bbi_tombset *tombs,
                    uint64_t snapshot_lsn);
void bbi_merge_fini(struct bbi_merge *m);

/** Add the next newer source. space and the segment stay alive as long as the merge. */
int bbi_merge_add_segment(struct bbi_merge *m, struct bbi_segment *seg,
                          struct bb_error *err) BB_CHECKED;
int bbi_merge_add_memspace(struct bbi_merge *m, const struct bbi_memspace *space,
                           struct bb_error *err) BB_CHECKED;

/** Begin a series, rows with tmin <= time <= tmax. Fastest when series come by rising (measurement,
 * series). */
int bbi_merge_series(struct bbi_merge *m, uint32_t measurement_id, uint32_t series_id, int64_t tmin,
                     int64_t tmax, struct bb_error *err) BB_CHECKED;

/** The next window of the series; rows whose values are all hidden are left out. */
int bbi_merge_next(struct bbi_merge *m, struct bbi_window *window, struct bb_error *err) BB_CHECKED;

/** The first series at or behind (measurement_id, series_id) that any segment source has. */
int bbi_merge_find(struct bbi_merge *m, uint32_t measurement_id, uint32_t series_id, bool *found,
                   uint32_t *found_measurement, uint32_t *found_series,
                   struct bb_error *err) BB_CHECKED;

#endif
