/**
 * The rows of several series in the order of time, as InfluxDB gives them.
 *
 * Rows of one time stand in no order that InfluxQL defines, but users and tests see one: that of a
 * binary heap over the series of each shard, as Go's container/heap moves its items. This is the
 * same heap, so ties come out alike: within a shard by time, then by the string columns up to the
 * first that is no string, then by where the heap has the series, which enter it in the order of
 * their keys.
 */
#ifndef BBI_QUERY_RAW_MERGE_H
#define BBI_QUERY_RAW_MERGE_H

#include "engine/query/raw_store.h"

/** A row of a series. */
struct bbi_raw_head {
    const struct bbi_raw_piece *piece; /* NULL: none */
    size_t row;
};

/** A series in the heap, beside the time of its head, which is looked at most. */
struct bbi_raw_heap_item {
    int64_t time;
    size_t series_at;
};

struct bbi_raw_merge {
    const struct bbi_raw_store *store;
    bool descending;
    bool by_id;                     /* rows of one time stand by the ids of their series */
    struct bbi_raw_head *heads;     /* [store->scan->series_count] */
    struct bbi_raw_heap_item *heap; /* heads[heap[0].series_at] comes next */
    size_t count;
    size_t cap;
    uint32_t *ranks; /* [tags.count] of the series' tags among those that break ties; NULL: none */
    bool is_ranked;  /* it was tried */
};

void bbi_raw_merge_init(struct bbi_raw_merge *m, const struct bbi_raw_store *store,
                        bool descending);
void bbi_raw_merge_fini(struct bbi_raw_merge *m);

/** Make room for as many series as the store's scan has, and put all heads on their first rows. */
int bbi_raw_merge_rewind(struct bbi_raw_merge *m, struct bb_error *err) BB_CHECKED;

/** The first of a series' rows in the order of the query. */
struct bbi_raw_head bbi_raw_first(const struct bbi_raw_merge *m, size_t series_at);

/** The row behind. */
struct bbi_raw_head bbi_raw_next(const struct bbi_raw_merge *m, struct bbi_raw_head head);

static inline int64_t bbi_raw_time(struct bbi_raw_head head)
{
    return head.piece->times[head.row];
}

/** Begin a heap of these series, in this order; those without a head are left out. */
void bbi_raw_heap_begin(struct bbi_raw_merge *m, const uint32_t *series, size_t count);

/** Take the top out. */
size_t bbi_raw_heap_pop(struct bbi_raw_merge *m);

/** Put a series in, whose head has moved. */
void bbi_raw_heap_push(struct bbi_raw_merge *m, size_t series_at);

#endif
