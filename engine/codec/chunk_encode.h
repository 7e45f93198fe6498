/**
 * What the parts of the encoder share.
 *
 * Private to engine/codec.
 */
#ifndef BBI_CODEC_CHUNK_ENCODE_H
#define BBI_CODEC_CHUNK_ENCODE_H

#include "engine/codec/chunk_layout.h"

#define ROOM (BBI_CHUNK_MAX + 4 * BBI_LANES)

/* A chunk's payload at its worst: dictionary, residuals of 64 bits, bitmaps, all exceptions. */
#define PAYLOAD_MAX (3 * 8 * ROOM + 4096)

#define DICT_MAX   256
#define HASH_SLOTS 1024

struct bbi_chunk_scratch {
    struct bbi_account *acct;
    uint8_t hint_mode;
    uint8_t hint_exponent;
    uint8_t shrunk;         /* chunks in a row that needed fewer digits than the hint */
    uint8_t shrunk_highest; /* the most that any of them needed */
    size_t bad_count;
    uint16_t bad[ROOM];        /* positions of exceptions, rising */
    uint64_t exceptions[ROOM]; /* what is stored for each */
    uint8_t exception_width;
    uint64_t k[ROOM]; /* the integers */
    uint64_t residuals[3][ROOM];
    uint8_t lengths[BBI_LENGTHS];
    uint64_t words[DICT_MAX];
    uint64_t codes[ROOM];
    uint64_t slot_word[HASH_SLOTS];
    uint16_t slot_code[HASH_SLOTS];
    uint64_t layer[2][ROOM];
    struct bbi_bitwriter writer; /* into payload */
    uint8_t payload[PAYLOAD_MAX];
};

/** Turn doubles into integers s->k and exceptions; sets the entry's mode, exponent and gcd, by
 * which the integers are yet to be divided. */
void bbi_chunk_scale_doubles(struct bbi_chunk_scratch *s, const uint64_t *bits, size_t n,
                             struct bbi_chunk *out);

/** The greatest common divisor of k[n], 1 if all are 0; flip is not 0 where they are signed. */
uint64_t bbi_chunk_common_divisor(const uint64_t *k, size_t n, uint64_t flip);

#endif
