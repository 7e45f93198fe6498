/**
 * Which rows of each chunk have a value in a field; private to engine/segment.
 *
 * Bitmaps in memory have BBI_BITMAP_WORDS(rows) words per chunk, bits behind its rows zero.
 *
 * Source  docs/format/segment.md, "Presence".
 */
#ifndef BBI_SEGMENT_PRESENCE_H
#define BBI_SEGMENT_PRESENCE_H

#include "engine/segment/page.h"

/** Set bits of bitmap[0, n). */
size_t bbi_bitmap_rank(const uint64_t *bitmap, size_t n);

/** Place of set bit number k, of which there are more than k. */
size_t bbi_bitmap_select(const uint64_t *bitmap, size_t k);

/** out = bits [from, to) of the bitmap, moved to 0. */
void bbi_bitmap_window(const uint64_t *bitmap, size_t from, size_t to, uint64_t *out);

/** out = n set bits. */
void bbi_bitmap_fill(uint64_t *out, size_t n);

/**
 * Append the presence of a field.
 *
 * states  [chunk_count] enum bbi_presence
 * rows    [chunk_count]
 * words   the bitmaps of the chunks whose state is BBI_PRESENT_SOME, one behind the other
 * arena   work memory
 * Returns BB_OK; BB_ENOMEM; the sticky error of out.
 */
BB_CHECKED int bbi_presence_encode(const uint8_t *states, const uint16_t *rows, size_t chunk_count,
                                   const uint64_t *words, struct bbi_buf *out,
                                   struct bbi_arena *arena, struct bb_error *err);

/** One chunk's presence, decoded. */
struct bbi_presence_chunk {
    enum bbi_presence state;
    uint32_t value_count;
    const uint64_t *bitmap; /* of BBI_PRESENT_SOME */
};

/**
 * Read what bbi_presence_encode wrote; the cursor stands behind it on return.
 *
 * out     [chunk_count]; bitmaps lie in the arena
 * Returns BB_OK; BB_ECORRUPT (also for a partial chunk that has none or all of its values);
 * BB_ENOMEM.
 */
BB_CHECKED int bbi_presence_decode(struct bbi_cursor *c, const uint16_t *rows, size_t chunk_count,
                                   struct bbi_presence_chunk *out, struct bbi_arena *arena,
                                   struct bb_error *err);

#endif
