/**
 * Chunks read as integers: what decoding, sums and extremes share.
 *
 * Private to engine/codec.
 */
#ifndef BBI_CODEC_CHUNK_READ_H
#define BBI_CODEC_CHUNK_READ_H

#include "engine/codec/chunk_layout.h"

/** The parts of a payload, found and checked against its size: where they begin, in bits. */
struct bbi_chunk_body {
    const uint8_t *payload;
    size_t exception_places;  /* packed positions */
    size_t exception_bits;    /* what is stored for each */
    size_t patches;           /* patched, or the lengths of runs */
    struct bbi_layers layers; /* layer 0 is there in every coding; the dictionary is at bit 0 */
};

/** The integers of a window. Narrow: base + r32[i]; else k64[i]. */
struct bbi_chunk_ints {
    bool narrow;
    int64_t base;
    int32_t *r32;
    const uint64_t *k64;
    union {
        uint32_t u32[BBI_CHUNK_MAX + 4 * BBI_LANES];
        uint64_t u64[BBI_CHUNK_MAX + 4 * BBI_LANES];
    } work;
    uint32_t codes[BBI_CHUNK_MAX + 4 * BBI_LANES];
};

/** Find the parts. BB_ECORRUPT: they do not fill the payload exactly. */
BB_CHECKED int bbi_chunk_open(const struct bbi_chunk *c, const uint8_t *payload,
                              struct bbi_chunk_body *body, struct bb_error *err);

/** The integers (before the gcd) of values [from, to), from < to <= value_count. BB_ECORRUPT. */
BB_CHECKED int bbi_chunk_read_ints(const struct bbi_chunk *c, const struct bbi_chunk_body *body,
                                   size_t from, size_t to, struct bbi_chunk_ints *out,
                                   struct bb_error *err);

/** The exact sum of the residuals [from, to) of a FOR transform, packed, patched or layered. */
__int128 bbi_chunk_sum_residuals(const struct bbi_chunk *c, const struct bbi_chunk_body *body,
                                 size_t from, size_t to);

/** Position of exception i < exception_count; may lie behind the chunk in a damaged payload. */
size_t bbi_chunk_exception_at(const struct bbi_chunk *c, const struct bbi_chunk_body *body,
                              size_t i);

/** The bits of its value, given those that its integer decodes to. */
uint64_t bbi_chunk_exception_value(const struct bbi_chunk *c, const struct bbi_chunk_body *body,
                                   size_t i, uint64_t decoded);

/** "chunk: <what>". Returns BB_ECORRUPT. */
int bbi_chunk_corrupt(struct bb_error *err, const char *what);

#endif
