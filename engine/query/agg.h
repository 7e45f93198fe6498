/**
 * Aggregation: a scan into cells, one for each group and bucket, over the pool's threads.
 *
 * Each thread fills cells of its own for the groups it meets; they are merged at the end. A value
 * is answered by the cheapest way that is exact: a whole row group from the page index, a chunk's
 * rows of one bucket in their packed form, decoded, or merged from several sources.
 */
#ifndef BBI_QUERY_AGG_H
#define BBI_QUERY_AGG_H

#include "engine/query/bucket.h"
#include "engine/query/filter.h"
#include "engine/query/groups.h"
#include "engine/query/state.h"

struct bbi_agg_worker;

struct bbi_agg {
    const struct bbi_qscan *scan;
    const uint8_t *types;            /* of the scan's fields */
    struct bbi_state_layout layout;  /* fields as the scan's; needs 0: for the filter alone */
    const struct bbi_filter *filter; /* NULL: none */
    const uint32_t *group_of;        /* [scan->series_count]; NULL: all in group 0 */
    size_t group_count;
    const uint32_t *tags_of; /* [scan->series_count]; NULL if the filter needs no tags */
    const struct bbi_tuples *tags;
    struct bbi_buckets buckets;
    bool ends_only;       /* one bucket, and nothing but first and last is asked for */
    int64_t bucket_first; /* cells are for [bucket_first, bucket_first + bucket_count) */
    size_t bucket_count;
    /* the result */
    void **cells; /* [group_count][bucket_count] of layout.cell_bytes; a group's is NULL: nothing */
    struct bbi_agg_worker *workers;
    unsigned worker_count;
};

/** Run. What it allocates lives until bbi_agg_fini, also on an error. */
int bbi_agg_run(struct bbi_agg *agg, struct bb_error *err) BB_CHECKED;
void bbi_agg_fini(struct bbi_agg *agg);

/** How many threads it would use, each with cells of its own. */
unsigned bbi_agg_threads(const struct bbi_qscan *scan);

static inline void *bbi_agg_cell(const struct bbi_agg *agg, size_t group, size_t bucket)
{
    uint8_t *cells = agg->cells[group];
    return cells == NULL ? NULL : cells + bucket * agg->layout.cell_bytes;
}

#endif
