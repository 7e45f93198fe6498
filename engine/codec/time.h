/**
 * Times of the chunks of a page, where what repeats costs nothing.
 *
 * A chunk is its first time and a shape: the distances of its rows from the first. Chunks of equal
 * shape share one, whatever their first times; a regular shape (t0 + i * step) also serves chunks
 * of different lengths. So a page of meters that read every half hour stores one origin and one
 * step, and one meter's gap or jitter costs only that meter. A shape that is not regular is the
 * smaller of a grid (step, gaps between slots, jitter around them) and plain differences, both
 * packed by intcol.h. All numbers are multiples of the page's unit, the greatest common divisor of
 * the times' distances: millisecond jitter is stored in milliseconds.
 *
 * Times may span all of int64: distances are uint64, arithmetic wraps.
 *
 * Hostile input: bbi_times_open checks every first and last time; a shape's rows are checked when
 * they are first unpacked, so BB_ECORRUPT may also come from the readers.
 *
 * Source  docs/format/segment.md, "Times".
 */
#ifndef BBI_CODEC_TIME_H
#define BBI_CODEC_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/cursor.h"
#include "engine/base/error.h"
#include "engine/codec/intcol.h"

/** Rows of one chunk, and rows and chunks of a page. */
#define BBI_TIMES_CHUNK_MAX 1024
#define BBI_TIMES_ROWS_MAX  BBI_INTCOL_MAX

/**
 * Append the times of a page.
 *
 * times   [sum of rows] chunk after chunk; rising strictly within a chunk
 * rows    [chunk_count] each 1..BBI_TIMES_CHUNK_MAX
 * chunk_count 1..BBI_TIMES_ROWS_MAX, and the sum of rows <= BBI_TIMES_ROWS_MAX
 * acct    work memory
 * Returns BB_OK; BB_EINVAL (the limits above, times that do not rise); BB_ENOMEM; the sticky error
 * of out.
 */
BB_CHECKED int bbi_times_encode(const int64_t *times, const uint16_t *rows, size_t chunk_count,
                                struct bbi_buf *out, struct bbi_account *acct,
                                struct bb_error *err);

struct bbi_time_shape;
struct bbi_time_block;

/** The times of a page, opened. Thread  one owner at a time: readers keep the last unpacked block
 * of shapes. */
struct bbi_times {
    size_t chunk_count;
    const uint16_t *rows; /* [chunk_count] borrowed from the caller of open */
    const int64_t *first; /* [chunk_count] */
    const int64_t *last;  /* [chunk_count] */

    /* The rest is private. */
    const uint32_t *shape_of;      /* [chunk_count] */
    struct bbi_time_shape *shapes; /* [shape_count] */
    struct bbi_time_block *blocks; /* [block_count] */
    size_t shape_count;
    size_t block_count;
    uint64_t unit;
    uint64_t *unpacked; /* distances of the block `unpacked_block` */
    size_t unpacked_block;
    struct bbi_arena arena;
};

/** Start an empty one that will allocate from acct; then open it as often as wanted. */
void bbi_times_init(struct bbi_times *t, struct bbi_account *acct);
void bbi_times_fini(struct bbi_times *t);

/**
 * Read the times of a page; the cursor stands behind them on return. What t held is forgotten.
 *
 * c       its bytes must stay until the next open or fini
 * rows    [chunk_count] each 1..BBI_TIMES_CHUNK_MAX, their sum <= BBI_TIMES_ROWS_MAX (the caller
 *         checked); borrowed as long
 * Returns BB_OK; BB_ECORRUPT; BB_ENOMEM.
 */
BB_CHECKED int bbi_times_open(struct bbi_times *t, struct bbi_cursor *c, const uint16_t *rows,
                              size_t chunk_count, struct bb_error *err);

/** Whether row i of the chunk is at t0 + i * step; step >= 1, also for a chunk of one row. */
bool bbi_times_regular(const struct bbi_times *t, size_t chunk, int64_t *t0, uint64_t *step);

/**
 * The first row of the chunk whose time is >= time; its row count if there is none. Costs a
 * division for a regular chunk, else unpacking the shape and a binary search.
 *
 * Returns BB_OK; BB_ECORRUPT; BB_ENOMEM.
 */
BB_CHECKED int bbi_times_lower_bound(struct bbi_times *t, size_t chunk, int64_t time, size_t *row,
                                     struct bb_error *err);

/** out[to - from] = the times of rows [from, to) of the chunk. BB_EINVAL: outside the chunk;
 * BB_ECORRUPT; BB_ENOMEM. */
BB_CHECKED int bbi_times_decode(struct bbi_times *t, size_t chunk, size_t from, size_t to,
                                int64_t *out, struct bb_error *err);

#endif
