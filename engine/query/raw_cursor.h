/**
 * The rows of one measurement, group by group in the order of time, one at a time.
 *
 * Groups that fit into memory are read many at a time, each series once, and given one after the
 * other. A group that does not fit is given as it is read: shard by shard, each in windows of time
 * that fit. A window also brings the next row of each series, so that the heap of the merge can go
 * on over the seam as if there were none.
 *
 * Thread  one owner at a time.
 */
#ifndef BBI_QUERY_RAW_CURSOR_H
#define BBI_QUERY_RAW_CURSOR_H

#include "engine/query/raw_merge.h"

/** What the next row comes from. */
enum bbi_raw_stage {
    BBI_RAW_PORTION, /* groups that have to be read */
    BBI_RAW_GROUP,   /* the next group of those in memory */
    BBI_RAW_SERIES,  /* its only series */
    BBI_RAW_SHARD,   /* its next shard */
    BBI_RAW_LAPSE,   /* the next shard of a group that does not fit */
    BBI_RAW_WINDOW,  /* the next window of that shard */
    BBI_RAW_HEAP     /* the series of the shard or the window, merged or swept */
};

/** Rows in any order within a window of the query: window by window, series after series. */
struct bbi_raw_sweep {
    bool on;      /* of this group */
    int64_t tmin; /* the window */
    int64_t tmax;
    size_t at;    /* of the series whose rows are given */
    size_t count; /* series that are left */
};

/** A stretch of a shard of a group that does not fit. */
struct bbi_raw_window {
    int64_t lapse;      /* how many shards are done */
    int64_t shard_tmin; /* of its data */
    int64_t shard_tmax;
    int64_t tmin; /* the window */
    int64_t tmax;
    uint64_t width; /* of the next one, ns - 1 */
    bool begun;     /* the heap stands from the window before */
    bool first;     /* of its shard */
};

struct bbi_raw_row {
    size_t series_at; /* in the portion */
    struct bbi_raw_head head;
};

struct bbi_raw_cursor {
    struct bbi_binding *b;
    /** Called before memory that rows lie in goes: who still holds some has to let go. May be NULL.
     */
    int (*before_drop)(void *arg, struct bb_error *err);
    void *arg;
    struct bbi_raw_store store;
    struct bbi_raw_merge merge;
    struct bbi_buckets shards;
    uint64_t budget;
    uint64_t row_bytes;
    enum bbi_raw_stage stage;
    bool holds; /* rows were given since the last drop */
    bool skips; /* the group that is given is not wanted any more */
    /** Set after open if few rows of a group may be wanted, nobody knows how many: a group that is
     * read as it is given begins with a short window. */
    bool is_hasty;
    /** Set after open if the rows of a group's window may come in any order. */
    bool any_order;
    struct bbi_raw_sweep sweep;
    /* series by group */
    uint32_t *members; /* [series.count] indexes, group after group */
    size_t *group_at;  /* [groups + 2] */
    size_t size;       /* groups to read at a time */
    size_t done;
    /* the portion that is read */
    struct bbi_qscan *scan;
    uint32_t *portion;
    uint32_t *portion_tags;
    uint32_t *portion_groups;
    uint32_t *place; /* [series.count] of a member: its index in the portion */
    size_t first;    /* its groups: [first, first + count), of which `at` are begun */
    size_t count;
    size_t at;
    /* the group that is given */
    size_t group;
    uint64_t seen;    /* rows, for OFFSET and LIMIT */
    uint32_t *series; /* [2 * series.count] its places, then those in the shard */
    size_t series_count;
    struct bbi_raw_head head; /* of its only series */
    int64_t shard;
    int64_t heap_tmin; /* rows of the heap beyond these times have to wait */
    int64_t heap_tmax;
    struct bbi_raw_window window;
};

/** Open on a binding without calls, whose names the rows have. Needs bbi_raw_cursor_close
 * afterwards, also on an error. budget: bytes of rows to hold at a time. */
int bbi_raw_cursor_open(struct bbi_raw_cursor *c, struct bbi_binding *b, uint64_t budget,
                        struct bb_error *err) BB_CHECKED;
void bbi_raw_cursor_close(struct bbi_raw_cursor *c);

/** The next row within LIMIT and OFFSET; c->group is its group in the order of the query. false in
 * *any: there is none. It stays until before_drop is called. */
int bbi_raw_cursor_next(struct bbi_raw_cursor *c, struct bbi_raw_row *row, bool *any,
                        struct bb_error *err) BB_CHECKED;

/** Go on with the next group, whatever is left of the one whose row was given last. */
static inline void bbi_raw_cursor_skip(struct bbi_raw_cursor *c)
{
    c->skips = true;
}

/** The group of the row's series, which tells more than c->group if groups interleave. */
static inline uint32_t bbi_raw_cursor_group(const struct bbi_raw_cursor *c,
                                            const struct bbi_raw_row *row)
{
    return c->portion_groups[row->series_at];
}

/** The values of the plan's names: [ref_count], borrowed as the row. */
void bbi_raw_cursor_values(const struct bbi_raw_cursor *c, const struct bbi_raw_row *row,
                           struct bb_value *values);

#endif
