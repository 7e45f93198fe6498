/**
 * Chunks: up to 1,024 values of one series and field, dense (no nulls), as a directory entry and a
 * payload.
 *
 * A chunk of doubles is turned into integers where that is exact: decimals (v == i/10^e) or
 * decimals rounded to float32, the few values that are neither (-0.0, NaN, infinities, more digits)
 * set aside as exceptions; else raw bits. int64 and uint64 are integers as they are. The integers
 * are divided by their greatest common divisor, then stored in the smallest of several codings:
 * constant, runs, dictionary, or frame of reference, delta and delta of delta, bit-packed in up to
 * three layers. Decoding gives back every bit; the encoder proves it with the decoder's own
 * arithmetic.
 *
 * The entry lives in the page's directory (bbi_chunkdir_*), column by column; a reader gets the
 * payload's place as the sum of the payload_bytes before it. Payloads are read in place and need
 * BBI_CODEC_PAD readable bytes behind them (bitpack.h).
 *
 * Hostile input: bbi_chunkdir_decode checks each entry against itself, and the other readers check
 * the payload's contents against the entry; entries come from bbi_chunk_encode or
 * bbi_chunkdir_decode only, and the caller checks that payload_bytes lie inside the page. A damaged
 * payload yields BB_ECORRUPT or wrong values, never an access out of bounds.
 *
 * Thread  all functions are thread-safe on different scratches and outputs.
 * Source  docs/format/codec.md, "Chunks".
 */
#ifndef BBI_CODEC_CHUNK_H
#define BBI_CODEC_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/batch.h"
#include "engine/base/buf.h"
#include "engine/base/cursor.h"
#include "engine/base/error.h"
#include "engine/codec/bitpack.h"

#define BBI_CHUNK_MAX 1024

/** Chunks of at least this many values carry statistics in the directory. */
#define BBI_CHUNK_STATS_MIN 512

/** A decoded directory entry. Only value_count, exception_count, exponent and payload_bytes are for
 * other modules; the rest is the codec's (chunk_layout.h). */
struct bbi_chunk {
    uint32_t payload_bytes;
    uint16_t value_count;     /* 1..BBI_CHUNK_MAX */
    uint16_t exception_count; /* values stored apart as position and raw bits */
    uint16_t part_count;      /* runs or patches */
    uint16_t dict_count;      /* words of the dictionary; 0: none */
    uint8_t mode;
    uint8_t exponent; /* decimal digits, 0..9 */
    uint8_t coding;
    uint8_t transform;
    uint8_t exception_width; /* bits of each, 64: raw */
    uint8_t group_log;       /* layered: values of a group, as a power of two */
    uint8_t dict_width;      /* bits of a gap between words */
    uint8_t width[4];        /* bits of each layer, or of each part */
    bool has_stats;          /* stats_* hold */
    uint64_t gcd;            /* >= 1: stored integers times this are the integers */
    uint64_t base;           /* added to every residual; the constant */
    uint64_t first;          /* delta: the first integer */
    uint64_t first_step;     /* delta of delta: the first difference */
    uint64_t dict_base;      /* the smallest word */
    int64_t stats_min;       /* of the integers value * 10^exponent (uint64: as its bits) */
    int64_t stats_max;
    __int128 stats_sum;
};

/** Work space of an encoder; remembers what the last chunk was like. */
struct bbi_chunk_scratch;

/** NULL: out of memory. */
struct bbi_chunk_scratch *bbi_chunk_scratch_create(struct bbi_account *acct);
void bbi_chunk_scratch_destroy(struct bbi_chunk_scratch **scratch);

/**
 * Encode bits[n] as the smallest chunk.
 *
 * type    BBI_FLOAT, BBI_INT, BBI_UINT or BBI_BOOL (0 and 1); strings: strings.h
 * n       1..BBI_CHUNK_MAX
 * out     out: the entry
 * payload appended to: out->payload_bytes bytes
 * Returns BB_OK; BB_EINVAL (type, n, a bool that is neither 0 nor 1); the sticky error of payload.
 */
BB_CHECKED int bbi_chunk_encode(enum bbi_type type, const uint64_t *bits, size_t n,
                                struct bbi_chunk *out, struct bbi_buf *payload,
                                struct bbi_chunk_scratch *scratch, struct bb_error *err);

/**
 * Decode the values with indexes [from, to).
 *
 * payload  [payload_bytes] and BBI_CODEC_PAD more readable
 * bits_out [to - from]
 * Returns BB_OK; BB_EINVAL (window outside the chunk); BB_ECORRUPT.
 */
BB_CHECKED int bbi_chunk_decode(enum bbi_type type, const struct bbi_chunk *chunk,
                                const uint8_t *payload, size_t from, size_t to, uint64_t *bits_out,
                                struct bb_error *err);

/** The chunk's values are integers over a power of ten (exceptions apart), so bbi_chunk_sum serves
 * it. Always so for BBI_INT, BBI_UINT and BBI_BOOL. */
bool bbi_chunk_is_scaled(enum bbi_type type, const struct bbi_chunk *chunk);

/** The sum of a window: scaled / 10^exponent plus the exceptions, each of which the caller adds as
 * a double. */
struct bbi_chunk_total {
    __int128 scaled;
    unsigned exponent;
    size_t exception_count;
    double exceptions[BBI_CHUNK_MAX]; /* [exception_count], in order of position */
};

/**
 * Sum the values with indexes [from, to) exactly, without making doubles of them.
 *
 * chunk   one that bbi_chunk_is_scaled
 * Returns BB_OK; BB_EINVAL (not scaled, window outside the chunk); BB_ECORRUPT.
 */
BB_CHECKED int bbi_chunk_sum(enum bbi_type type, const struct bbi_chunk *chunk,
                             const uint8_t *payload, size_t from, size_t to,
                             struct bbi_chunk_total *out, struct bb_error *err);

/**
 * Decode the values with indexes [from, to) as integers over 10^chunk->exponent: no doubles are
 * made, so sums by bucket stay exact and cheap.
 *
 * chunk      one that bbi_chunk_is_scaled and has no exceptions (exception_count)
 * scaled_out [to - from] (uint64: their bits)
 * Returns BB_OK; BB_EINVAL (another chunk, window outside it); BB_ECORRUPT.
 */
BB_CHECKED int bbi_chunk_decode_scaled(enum bbi_type type, const struct bbi_chunk *chunk,
                                       const uint8_t *payload, size_t from, size_t to,
                                       int64_t *scaled_out, struct bb_error *err);

/** Extremes of a window. */
struct bbi_chunk_extremes {
    size_t count;      /* values that are not NaN; 0: nothing below holds */
    uint64_t min_bits; /* the earliest of the smallest, as stored (-0.0 equals 0.0) */
    uint64_t max_bits; /* the earliest of the largest */
    size_t min_at;     /* their indexes in the chunk */
    size_t max_at;
    bool non_finite; /* a NaN or an infinity is among the values */
};

/**
 * Find the extremes of the values with indexes [from, to) in the order of their type (uint64
 * unsigned, false before true).
 *
 * Returns BB_OK; BB_EINVAL (window outside the chunk); BB_ECORRUPT.
 */
BB_CHECKED int bbi_chunk_minmax(enum bbi_type type, const struct bbi_chunk *chunk,
                                const uint8_t *payload, size_t from, size_t to,
                                struct bbi_chunk_extremes *out, struct bb_error *err);

/**
 * Append the directory of chunks[n], column by column; n and each value_count are not stored.
 *
 * n       1..BBI_INTCOL_MAX
 * Returns BB_OK, or the sticky error of out.
 */
BB_CHECKED int bbi_chunkdir_encode(enum bbi_type type, const struct bbi_chunk *chunks, size_t n,
                                   struct bbi_buf *out, struct bb_error *err);

/**
 * Read a directory of n chunks, and check every entry.
 *
 * out     [n] in: value_count, which the caller knows (from the rows); out: the whole entries
 * acct    memory for the columns while they are read
 * Returns BB_OK; BB_ECORRUPT; BB_ENOMEM.
 */
BB_CHECKED int bbi_chunkdir_decode(struct bbi_cursor *c, enum bbi_type type, size_t n,
                                   struct bbi_chunk *out, struct bbi_account *acct,
                                   struct bb_error *err);

#endif
