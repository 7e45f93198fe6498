/**
 * Where things lie in a chunk's payload; shared by the encoder, the readers and the directory.
 *
 * Private to engine/codec. A payload is one string of bits: a dictionary (if there is one), the
 * exceptions (if there are any), and the residuals in one of five codings, without gaps.
 *
 * Source  docs/format/codec.md, "Chunks".
 */
#ifndef BBI_CODEC_CHUNK_LAYOUT_H
#define BBI_CODEC_CHUNK_LAYOUT_H

#include "engine/codec/bitpack.h"
#include "engine/codec/chunk.h"
#include "engine/codec/kernel.h"

/** What the integers mean. The values are on disk, as are those of the enums below. */
enum bbi_chunk_mode {
    BBI_MODE_RAW,     /* the double's bits */
    BBI_MODE_DECIMAL, /* double = i / 10^exponent, |i| < 10^15 */
    BBI_MODE_FLOAT32, /* double = (float)(i / 10^exponent), |i| < 10^15 */
    BBI_MODE_INTEGER, /* int64, uint64 or bool as it is */
    BBI_MODE_COUNT
};

enum bbi_chunk_coding {
    BBI_CODING_CONSTANT, /* no residuals: every integer is base */
    BBI_CODING_PACKED,   /* one width */
    BBI_CODING_PATCHED,  /* one width, and the high parts of few values with their positions */
    BBI_CODING_LAYERED,  /* low bits of all; groups marked in a bitmap have further bits */
    BBI_CODING_RUNS,     /* values and lengths of runs */
    BBI_CODING_COUNT
};

enum bbi_chunk_transform {
    BBI_TRANSFORM_FOR,
    BBI_TRANSFORM_DELTA,
    BBI_TRANSFORM_DELTA_ZIGZAG,
    BBI_TRANSFORM_DELTA2,
    BBI_TRANSFORM_DELTA2_ZIGZAG,
    BBI_TRANSFORM_COUNT
};

#define BBI_CHUNK_LAYERS_MAX 4

/** Width of exceptions stored as raw bits; narrower ones say by how many units in the last place,
 * zigzagged, the value differs from the decoded integer. */
#define BBI_EXCEPTION_RAW 64
#define BBI_GROUP_LOG_MAX 4

/** |i| of decimals and float32 decimals stays below this. */
#define BBI_CHUNK_INT_LIMIT 1e15

/** Integers that a transform leaves without a residual. */
static inline size_t bbi_transform_order(unsigned transform)
{
    return (transform + 1) / 2;
}

static inline bool bbi_transform_zigzag(unsigned transform)
{
    return transform == BBI_TRANSFORM_DELTA_ZIGZAG || transform == BBI_TRANSFORM_DELTA2_ZIGZAG;
}

static inline size_t bbi_chunk_residuals(const struct bbi_chunk *c)
{
    return c->value_count - bbi_transform_order(c->transform);
}

/** Bits of a position among n. */
static inline unsigned bbi_position_bits(size_t n)
{
    return bbi_bit_length(n - 1);
}

static inline size_t bbi_chunk_dict_bits(const struct bbi_chunk *c)
{
    return c->dict_count == 0 ? 0 : (c->dict_count - 1U) * (size_t)c->dict_width;
}

static inline size_t bbi_chunk_exception_bits(const struct bbi_chunk *c)
{
    return c->exception_count * ((size_t)bbi_position_bits(c->value_count) + c->exception_width);
}

/** Bits of the residuals but for the upper layers, which only the payload can tell. */
static inline size_t bbi_chunk_main_bits(const struct bbi_chunk *c)
{
    size_t m = bbi_chunk_residuals(c);
    switch (c->coding) {
    case BBI_CODING_PACKED:
    case BBI_CODING_LAYERED:
        return m * c->width[0];
    case BBI_CODING_PATCHED:
        return m * c->width[0] + c->part_count * ((size_t)bbi_position_bits(m) + c->width[1]);
    case BBI_CODING_RUNS:
        return c->part_count * ((size_t)c->width[0] + c->width[1]);
    default:
        return 0;
    }
}

/** Bytes that the entry alone implies. */
static inline size_t bbi_chunk_fixed_bytes(const struct bbi_chunk *c)
{
    size_t bits = bbi_chunk_dict_bits(c) + bbi_chunk_exception_bits(c) + bbi_chunk_main_bits(c);
    return (bits + 7) / 8;
}

/** Layers in use: 1 for codings that have none above the first. */
static inline unsigned bbi_chunk_layers(const struct bbi_chunk *c)
{
    unsigned layers = 1;
    if (c->coding == BBI_CODING_LAYERED) {
        while (layers < BBI_CHUNK_LAYERS_MAX && c->width[layers] > 0) {
            layers++;
        }
    }
    return layers;
}

/** The scale of a chunk's integers as doubles. */
struct bbi_scale bbi_chunk_scale(const struct bbi_chunk *c);

/** 10^exponent and the double next to its inverse, exponent 0..9. */
extern const double bbi_chunk_power[10];
extern const double bbi_chunk_inverse[10];

#endif
