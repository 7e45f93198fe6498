/**
 * A cursor forward through the groups of one segment, for one measurement, the scan's fields and a
 * range of times: each page is read once, and only if something in it is asked for.
 */
#ifndef BBI_QUERY_CURSOR_H
#define BBI_QUERY_CURSOR_H

#include "engine/query/scan.h"

struct bbi_cursor_slot {
    size_t index; /* of the field in the group; SIZE_MAX: the group has none */
    bool loaded;
    struct bbi_fieldpage page;
};

struct bbi_qscan_cursor {
    const struct bbi_qscan *scan;
    struct bbi_qstats *stats;
    struct bbi_segment *segment; /* pinned while open */
    const struct bbi_segment_group *groups;
    size_t group_first; /* groups that may matter: [group_first, group_end) */
    size_t group_end;
    size_t group; /* whose times are loaded; SIZE_MAX: none */
    size_t next_group;
    int64_t tmin;
    int64_t tmax;
    struct bbi_timepage time;
    struct bbi_cursor_slot *slots; /* [scan->field_count] */
    size_t chunk;                  /* where it stands, unless at_end */
    bool at_end;
};

/** Open on a segment of the scan for series [series_min, series_max] and times [tmin, tmax]. */
int bbi_qscan_cursor_open(struct bbi_qscan_cursor *c, const struct bbi_qscan *scan, size_t segment,
                          uint32_t series_min, uint32_t series_max, int64_t tmin, int64_t tmax,
                          struct bbi_qstats *stats, struct bb_error *err) BB_CHECKED;
/** Also for one that is zeroed. */
void bbi_qscan_cursor_close(struct bbi_qscan_cursor *c);

/** Go to the first chunk at or behind a series whose times meet the range; at_end: none. Series are
 * asked for in rising order. */
int bbi_qscan_cursor_seek(struct bbi_qscan_cursor *c, uint32_t series_id,
                          struct bb_error *err) BB_CHECKED;

/** Go to the next chunk whose times meet the range. */
int bbi_qscan_cursor_next(struct bbi_qscan_cursor *c, struct bb_error *err) BB_CHECKED;

/** Load the times of a group, counted from the segment's first; the cursor stands on its first
 * chunk. */
int bbi_qscan_cursor_enter(struct bbi_qscan_cursor *c, size_t group,
                           struct bb_error *err) BB_CHECKED;

/** The page of the scan's field, for the group; NULL in *page: no chunk of it has the field. */
int bbi_qscan_cursor_page(struct bbi_qscan_cursor *c, size_t field, struct bbi_fieldpage **page,
                          struct bb_error *err) BB_CHECKED;

/** Whether every row of the group has a value in the scan's field, by the page index. */
bool bbi_qscan_cursor_is_full(const struct bbi_qscan_cursor *c, size_t field);

/** The rows of the current chunk in [tmin, tmax]. */
int bbi_qscan_cursor_rows(struct bbi_qscan_cursor *c, int64_t tmin, int64_t tmax, size_t *from,
                          size_t *to, struct bb_error *err) BB_CHECKED;

/** Take what the pages counted into the stats. */
void bbi_qscan_cursor_collect(struct bbi_qscan_cursor *c);

static inline uint32_t bbi_qscan_cursor_series(const struct bbi_qscan_cursor *c)
{
    return c->time.series[c->chunk];
}

#endif
