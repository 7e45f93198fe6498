/**
 * The walk over a region: see scan.h.
 */
#ifndef BBI_QUERY_WALK_H
#define BBI_QUERY_WALK_H

#include "engine/query/cursor.h"

/** A part of a region: some of its series, and of those the piece-th of piece_count pieces. Pieces
 * of a pure region are row groups, so that one long series can be cut too; of others series. */
struct bbi_walk_part {
    const struct bbi_region *region;
    size_t series_first; /* within the region's */
    size_t series_end;
    size_t piece;
    size_t piece_count; /* >= 1 */
};

/** Who is shown what there is. Other than BB_OK ends the walk. Pieces of one series come by time.
 */
struct bbi_visitor {
    void *arg;
    /**
     * A whole group, none of whose rows or series is outside of the query; false in *done: walk
     * through it. NULL: never asked.
     */
    int (*group)(void *arg, const struct bbi_segment_group *group, size_t series_at, bool *done,
                 struct bb_error *err);
    /** Whether anything in a group can matter: its statistics may refuse the filter, or what is
     * known already may settle all of its series. NULL: always. */
    bool (*wants)(void *arg, const struct bbi_segment_group *group, size_t series_at);
    /** Rows [from, to) of the cursor's chunk, which nothing overlaps. */
    int (*chunk)(void *arg, size_t series_at, struct bbi_qscan_cursor *c, size_t from, size_t to,
                 struct bb_error *err);
    /** Merged rows. */
    int (*rows)(void *arg, size_t series_at, const struct bbi_window *window, struct bb_error *err);
};

/** Walk. stats are the caller's thread's own. */
int bbi_walk(const struct bbi_qscan *scan, const struct bbi_walk_part *part,
             const struct bbi_visitor *visitor, struct bbi_qstats *stats,
             struct bb_error *err) BB_CHECKED;

#endif
