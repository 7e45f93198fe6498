/**
 * The values of one field on their way into a page; private to engine/segment.
 *
 * Rows gather in an open chunk; a closed chunk is packed at once, so that an open group costs about
 * as much memory as its pages will have bytes; a full group's page is then put together.
 */
#ifndef BBI_SEGMENT_FIELD_BUILDER_H
#define BBI_SEGMENT_FIELD_BUILDER_H

#include "engine/segment/segment.h"
#include "engine/segment/writer.h"

struct bbi_field_builder {
    uint32_t field_id;
    enum bbi_type type;
    struct bbi_account *acct;

    /* the open chunk, by row; rows without a value hold anything */
    uint64_t *bits;
    struct bbi_string *strs;
    size_t row_cap;
    uint64_t valid[BBI_BITMAP_WORDS(BBI_SEGMENT_CHUNK_ROWS)];
    bool touched; /* it has had rows put */

    /* the open group */
    uint8_t *states; /* [state_count] enum bbi_presence; chunks behind have none */
    size_t state_count, state_cap;
    struct bbi_buf words;      /* bitmaps of partial chunks */
    struct bbi_chunk *entries; /* [entry_count] */
    size_t entry_count, entry_cap;
    struct bbi_buf payload;
    struct bbi_string *values; /* [value_count] strings of closed chunks */
    size_t value_cap;
    struct bbi_arena text; /* their bytes, those of the open chunk too */
    size_t text_bytes;
    uint32_t value_count;
    uint8_t stats;
    uint64_t min_bits, max_bits;
    struct bbi_sum floats;
    __int128 integers;
};

/** NULL: out of memory. */
struct bbi_field_builder *bbi_field_builder_create(uint32_t field_id, enum bbi_type type,
                                                   struct bbi_account *acct);
void bbi_field_builder_destroy(struct bbi_field_builder **b);

/** Copy rows [from, from + n) of a column into the open chunk, at row `at`. */
BB_CHECKED int bbi_field_builder_put(struct bbi_field_builder *b, size_t at,
                                     const struct bbi_column *column, size_t from, size_t n,
                                     struct bb_error *err);

/** Pack the open chunk of `rows` rows as chunk number `chunk` of the group. */
BB_CHECKED int bbi_field_builder_close_chunk(struct bbi_field_builder *b, size_t chunk, size_t rows,
                                             struct bbi_chunk_scratch *scratch,
                                             struct bb_error *err);

/** Bytes that the group holds so far. */
size_t bbi_field_builder_bytes(const struct bbi_field_builder *b);

/**
 * Append the body of the group's page and fill in what the index says of it, but for the page's
 * place; then begin a new group. No chunk is open.
 *
 * rows    [chunk_count] of all chunks of the group
 */
BB_CHECKED int bbi_field_builder_finish_group(struct bbi_field_builder *b, const uint16_t *rows,
                                              size_t chunk_count, struct bbi_buf *out,
                                              struct bbi_segment_field *field,
                                              struct bb_error *err);

#endif
