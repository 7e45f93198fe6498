/**
 * A packed column of unsigned integers: directories, time gaps, dictionary codes, lengths.
 *
 * Each column takes the smallest of: all zero (1 byte), constant (2 bytes for a small one), frame
 * of reference, delta and delta of delta, each bit-packed with one width of 0 to 64 bits, the few
 * values that need more patched in. Arithmetic wraps, so every uint64 survives (signed columns go
 * through bbi_zigzag or a plain cast). The count is not stored: reader and writer know it.
 *
 * Source  docs/format/codec.md, "Integer columns".
 */
#ifndef BBI_CODEC_INTCOL_H
#define BBI_CODEC_INTCOL_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/cursor.h"
#include "engine/base/error.h"

#define BBI_INTCOL_MAX 65536

/**
 * Append the column v[n] to out.
 *
 * n       0..BBI_INTCOL_MAX; 0 appends nothing
 * Returns BB_OK, or the sticky error of out.
 */
BB_CHECKED int bbi_intcol_encode(const uint64_t *v, size_t n, struct bbi_buf *out);

/**
 * Read a column of n values; the cursor stands behind it on return. Reads nothing outside the
 * cursor's bytes.
 *
 * out     [n], filled; undefined on error
 * Returns BB_OK; BB_ECORRUPT, the cursor's error set too.
 */
BB_CHECKED int bbi_intcol_decode(struct bbi_cursor *c, size_t n, uint64_t *out,
                                 struct bb_error *err);

#endif
