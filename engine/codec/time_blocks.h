/** What the writer and the reader of time grids must agree on; private to time*.c. */
#ifndef BBI_CODEC_TIME_BLOCKS_H
#define BBI_CODEC_TIME_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/codec/time.h"

/* Shapes are numbered by kind, in this order. */
enum bbi_time_kind {
    BBI_TIME_REGULAR,
    BBI_TIME_GRID,
    BBI_TIME_DELTA
};

/* How the jitter of a grid block is stored. */
enum bbi_time_jitter {
    BBI_JITTER_ZIGZAG, /* few rows are off their slot */
    BBI_JITTER_BIASED  /* all are: distances from the smallest */
};

/* Irregular shapes of one kind stand together in blocks, each ending with the shape that brings it
 * to this many rows: small shapes share the columns' heads, one shape costs no more than a block to
 * unpack. */
#define BBI_TIME_BLOCK_ROWS     1024
#define BBI_TIME_BLOCK_ROWS_MAX (BBI_TIME_BLOCK_ROWS - 1 + BBI_TIMES_CHUNK_MAX)

/** Cuts shapes, taken in order, into blocks. Start from zero. */
struct bbi_time_cutter {
    enum bbi_time_kind kind;
    size_t rows;   /* of the open block; 0: none is open */
    size_t blocks; /* begun so far */
};

/** Whether this shape begins a new block; it then belongs to block number cutter->blocks - 1. */
static inline int bbi_time_cut(struct bbi_time_cutter *cutter, enum bbi_time_kind kind, size_t rows)
{
    int begins = cutter->rows == 0 || cutter->rows >= BBI_TIME_BLOCK_ROWS || cutter->kind != kind;
    cutter->kind = kind;
    cutter->rows = begins ? rows : cutter->rows + rows;
    cutter->blocks += begins ? 1 : 0;
    return begins;
}

/** A block being put together: what becomes its columns. */
struct bbi_time_packer {
    enum bbi_time_kind kind;
    size_t rows;
    size_t step_count;
    uint64_t steps[BBI_TIME_BLOCK_ROWS_MAX];  /* [step_count] gaps of a grid, or differences */
    int64_t jitter[BBI_TIME_BLOCK_ROWS_MAX];  /* [rows] of a grid */
    uint64_t column[BBI_TIME_BLOCK_ROWS_MAX]; /* work */
};

void bbi_time_pack_begin(struct bbi_time_packer *p, enum bbi_time_kind kind);

/** Add a shape: the distances rel[n] of its rows, rel[0] == 0. False, and nothing is added: it does
 * not fit a grid of this step, because two rows meet in one slot or numbers grow too large. */
bool bbi_time_pack_add(struct bbi_time_packer *p, const uint64_t *rel, size_t n, uint64_t step);

/** About how many bits rel[n] would take in a block, on a grid of this step or, step 0, as
 * differences; UINT64_MAX: not possible. What the packer held is lost. */
uint64_t bbi_time_pack_estimate(struct bbi_time_packer *p, const uint64_t *rel, size_t n,
                                uint64_t step);

/** Append the block to out. Returns the sticky error of out. */
BB_CHECKED int bbi_time_pack_end(struct bbi_time_packer *p, struct bbi_buf *out);

/** The greatest common divisor; of 0 and v it is v. */
uint64_t bbi_time_gcd(uint64_t a, uint64_t b);

#endif
