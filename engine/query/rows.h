/**
 * Rows decoded into vectors: some rows of one series, a vector for each of the scan's fields.
 *
 * They come from a chunk (at most BBI_SEGMENT_CHUNK_ROWS) or from a window of the merge, and look
 * the same. Thread  one owner at a time.
 */
#ifndef BBI_QUERY_ROWS_H
#define BBI_QUERY_ROWS_H

#include "engine/query/cursor.h"

struct bbi_vector {
    uint8_t type;                  /* enum bbi_type */
    bool present;                  /* false: no row has a value */
    const uint64_t *bits;          /* [count]; those of absent rows mean nothing */
    const struct bbi_string *strs; /* [count] instead, for BBI_STRING */
    const uint64_t *valid;         /* bit r%64 of word r/64; NULL: all rows have a value */
};

struct bbi_rows {
    size_t count;
    const int64_t *times;       /* [count] rising */
    struct bbi_vector *vectors; /* [scan->field_count] */
};

/** Room to decode chunks into. */
struct bbi_row_buffer {
    const struct bbi_qscan *scan;
    const uint8_t *types; /* [scan->field_count] */
    struct bbi_rows rows;
    int64_t *times;
    void **values;    /* [field_count] bits or strings of a chunk */
    uint64_t **valid; /* [field_count] */
};

/** types: of the scan's fields; borrowed. */
int bbi_row_buffer_init(struct bbi_row_buffer *b, const struct bbi_qscan *scan,
                        const uint8_t *types, struct bb_error *err) BB_CHECKED;
void bbi_row_buffer_fini(struct bbi_row_buffer *b);

/** Decode rows [from, to) of the cursor's chunk, all fields of the scan, into b->rows. */
int bbi_rows_decode(struct bbi_row_buffer *b, struct bbi_qscan_cursor *c, size_t from, size_t to,
                    struct bb_error *err) BB_CHECKED;

/** Present a window of the merge as b->rows, without copying. */
void bbi_rows_present(struct bbi_row_buffer *b, const struct bbi_window *window);

static inline bool bbi_vector_has(const struct bbi_vector *v, size_t row)
{
    return v->present && (v->valid == NULL || (v->valid[row / 64] >> (row % 64) & 1) != 0);
}

/** The value of a row, of no kind if it has none. Strings are borrowed. */
struct bb_value bbi_vector_get(const struct bbi_vector *v, size_t row);

#endif
