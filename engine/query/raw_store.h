/**
 * Rows of series held in memory for a SELECT of fields: read by the walk, kept as pieces by series.
 *
 * Only rows are kept that the filter lets pass and that have a value in one of the fields. Rows are
 * counted as they are seen by the query, so that what fits does not depend on where they were.
 */
#ifndef BBI_QUERY_RAW_STORE_H
#define BBI_QUERY_RAW_STORE_H

#include "engine/query/bind.h"
#include "engine/query/walk.h"

/** Some rows of a series by rising time. */
struct bbi_raw_piece {
    struct bbi_raw_piece *next;
    struct bbi_raw_piece *prev;
    size_t count;
    const int64_t *times;
    struct bbi_vector *vectors; /* [b->ref_fields.count] */
};

struct bbi_raw_series {
    struct bbi_raw_piece *first;
    struct bbi_raw_piece *last;
    size_t rows;
};

/** The place of a row in the order of time, then series. */
struct bbi_raw_place {
    int64_t time;
    size_t series_at;
};

/** What to read. */
struct bbi_raw_range {
    int64_t tmin; /* all rows of these times */
    int64_t tmax;
    int64_t limit_tmin; /* and the next row of each series before (if descending) or behind, not */
    int64_t limit_tmax; /* beyond these */
    uint64_t rows_max;  /* of a series: the first ones (if descending the last); 0: all */
    uint64_t bytes_max; /* of everything; beyond, the store is over */
    uint64_t top; /* of all series together: the first (last) ones by time and series; 0: all */
};

struct bbi_raw_store {
    struct bbi_binding *b;
    struct bbi_qscan *scan; /* of the portion */
    const uint32_t *tags_of;
    bool descending;
    struct bbi_raw_range range;
    struct bbi_raw_series *series; /* [series_cap] */
    size_t series_cap;
    size_t *field_of; /* [ref_fields.count] their place among the scan's fields */
    struct bbi_arena arena;
    uint64_t bytes;
    struct bbi_raw_place
        *top; /* [top_count] heap of the range.top first rows, the last one on top */
    size_t top_count;
    size_t top_cap;
    bool over; /* bytes_max was reached: what is here is incomplete */
    struct bbi_row_buffer rows;
    struct bbi_filter_scratch filter;
    uint64_t *mask;
    size_t mask_words;
};

int bbi_raw_store_init(struct bbi_raw_store *s, struct bbi_binding *b,
                       struct bb_error *err) BB_CHECKED;
void bbi_raw_store_fini(struct bbi_raw_store *s);

/** Forget all rows and read others: of the scan's series, which tags_of belongs to. */
int bbi_raw_store_read(struct bbi_raw_store *s, struct bbi_qscan *scan, const uint32_t *tags_of,
                       const struct bbi_raw_range *range, struct bb_error *err) BB_CHECKED;

#endif
