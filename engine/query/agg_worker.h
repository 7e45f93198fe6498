/** One thread's part of an aggregation: see agg.h. */
#ifndef BBI_QUERY_AGG_WORKER_H
#define BBI_QUERY_AGG_WORKER_H

#include "engine/query/agg.h"
#include "engine/query/walk.h"

/** Rows [from, to) of a chunk or vector that lie in one bucket. */
struct bbi_agg_window {
    uint32_t from;
    uint32_t to;
    size_t bucket; /* counted from the aggregation's first */
};

struct bbi_agg_worker {
    struct bbi_agg *agg;
    void **blocks; /* [agg->group_count] cells of the groups that were met */
    struct bbi_arena arena;
    struct bbi_row_buffer rows;
    struct bbi_filter_scratch filter;
    struct bbi_agg_window windows[BBI_SEGMENT_CHUNK_ROWS];
    size_t window_count;
    uint64_t bits[BBI_SEGMENT_CHUNK_ROWS];
    uint64_t valid[BBI_BITMAP_WORDS(BBI_SEGMENT_CHUNK_ROWS)];
    uint64_t *masked; /* a bitmap for filtered rows */
    size_t masked_words;
    struct bbi_qstats stats;
    struct bb_error err;
    bool failed_first;
};

int bbi_agg_worker_init(struct bbi_agg_worker *w, struct bbi_agg *agg,
                        struct bb_error *err) BB_CHECKED;
void bbi_agg_worker_fini(struct bbi_agg_worker *w);
struct bbi_visitor bbi_agg_visitor(struct bbi_agg_worker *w);

#endif
