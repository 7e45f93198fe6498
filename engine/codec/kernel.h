/**
 * The kernel table: one set of functions per instruction set, chosen once.
 *
 * Private to engine/codec. All kernels give the same bits for the same input. They may read up to
 * BBI_CODEC_PAD bytes behind packed bytes and bitmaps; arrays of lanes are read and written up to a
 * multiple of BBI_LANES elements, so work arrays have BBI_LANES elements to spare.
 */
#ifndef BBI_CODEC_KERNEL_H
#define BBI_CODEC_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "engine/codec/bitpack.h"

/** Elements that a kernel may touch behind the end of a work array. */
#define BBI_LANES 16

/** Words of a bitmap of groups, and one to spare. */
#define BBI_MARK_WORDS (1024 / 64 + 2)

/** Elements of an array of lengths. */
#define BBI_LENGTHS (1024 + 64)

/** How integers k become doubles: k * gcd / 10^exponent, correctly rounded, then rounded to float32
 * if asked. */
struct bbi_scale {
    double gcd;
    double power;   /* 10^exponent */
    double inverse; /* the double next to 10^-exponent */
    bool float32;
    bool divide; /* the encoder must compare the two ways to the quotient */
};

/** The parts of a layered chunk in its bit string: layer l >= 1 holds further bits of those groups
 * of layer l - 1 that are marked. */
struct bbi_layers {
    unsigned count; /* 1..4 */
    unsigned group_log;
    uint8_t width[4];
    const uint8_t *payload;
    size_t value_bit[4]; /* where each layer's values begin */
    size_t mark_bit[4];  /* [l]: where the bitmap of layer l - 1's groups begins */
    size_t values[4];    /* of each layer */
};

/** How many groups of 2^g values have a member of more than w significant bits: above[g][w]. */
struct bbi_profile {
    unsigned widest; /* the most significant bits of any value; above[g][widest] == 0 */
    uint16_t above[5][65];
};

struct bbi_kernel_ops {
    /** As the functions of bitpack.h, from any bit of the string on; n >= 1, width >= 1. unpack32
     * and unpack64 write n exactly. */
    void (*unpack32)(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint32_t *out);
    void (*unpack64)(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint64_t *out);
    unsigned __int128 (*sum)(const uint8_t *packed, size_t bit, size_t n, unsigned width);
    void (*minmax)(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint64_t *min,
                   uint64_t *max);

    /** dst = the whole values of groups [from, to) of layer 0, all layers together; their widths
     * add up to at most 32. dst has BBI_LANES elements to spare. */
    void (*layers32)(const struct bbi_layers *layers, size_t from, size_t to, uint32_t *dst);

    /**
     * For each group of 2^group_log lanes of dst whose bit is set, from bit `bit` of the bitmap on,
     * add the next values of src, shifted left by `shift`. group_log <= 4.
     */
    void (*expand64)(uint64_t *dst, size_t n, const uint8_t *bitmap, size_t bit, unsigned group_log,
                     const uint64_t *src, unsigned shift);

    /** v[i] = start + the sum over j <= i of (v[j], un-zigzagged if asked, + base), wrapping. */
    void (*scan32)(uint32_t *v, size_t n, uint32_t start, uint32_t base, bool zigzag);

    /** Bits that are set among the n from `bit` on. */
    size_t (*popcount)(const uint8_t *bitmap, size_t bit, size_t n);

    /** out[i] = the double's bits of (base + r[i]) scaled; base + r[i] is below 2^53 in size. */
    void (*double32)(const int32_t *r, size_t n, int64_t base, const struct bbi_scale *scale,
                     uint64_t *out);
    /** The same of k[i], which is below 2^51 in size. */
    void (*double64)(const int64_t *k, size_t n, const struct bbi_scale *scale, uint64_t *out);

    /** out[i] = base + r[i]. */
    void (*widen32)(const int32_t *r, size_t n, int64_t base, uint64_t *out);

    /** Smallest and largest of n >= 1, and the sum. */
    void (*extremes32)(const int32_t *v, size_t n, int32_t *min, int32_t *max);
    int64_t (*total32)(const int32_t *v, size_t n);

    /** The first index of x in v[n], or n. */
    size_t (*find32)(const int32_t *v, size_t n, int32_t x);

    /* What follows serves the encoder. */

    /**
     * k[i] = the double bits[i] * 10^exponent, rounded. Positions where k[i] does not lead back to
     * the same bits, by the reciprocal and by division, go to bad[] (room for n); k there is
     * undefined. The gcd of the scale is 1. Returns how many are bad.
     */
    size_t (*scale)(const uint64_t *bits, size_t n, const struct bbi_scale *scale, int64_t *k,
                    uint16_t *bad);

    /** r[i] = k[i] - the smallest of k[n], n >= 1, which is returned; XOR with `flip` makes the
     * order unsigned. */
    uint64_t (*subtract_min)(const uint64_t *k, size_t n, uint64_t flip, uint64_t *r);

    /** d[i] = k[i + 1] - k[i] for i < n - 1; true if one is negative, and then they are zigzagged.
     */
    bool (*differences)(const uint64_t *k, size_t n, uint64_t *d);

    /** length[i] = significant bits of r[i], n <= BBI_CHUNK_MAX, zero up to BBI_LENGTHS. Returns
     * their sum. */
    uint32_t (*lengths)(const uint64_t *r, size_t n, uint8_t *length);

    /** Profile r[n] from its lengths, which are overwritten. */
    void (*profile)(uint8_t *length, size_t n, struct bbi_profile *out);

    /**
     * Mark the groups of v[n] that have a member of more than `width` bits, and gather those groups
     * without their low bits, the last filled with zeros.
     *
     * bitmap  [BBI_MARK_WORDS]
     * upper   room for BBI_LANES more than it holds
     * Returns the values gathered.
     */
    size_t (*split)(const uint64_t *v, size_t n, unsigned width, unsigned group_log,
                    uint64_t *bitmap, uint64_t *upper);
};

extern const struct bbi_kernel_ops bbi_kernel_c;
#ifdef __x86_64__
extern const struct bbi_kernel_ops bbi_kernel_avx2;
extern const struct bbi_kernel_ops bbi_kernel_avx512;
#endif

/** The kernel in use. */
const struct bbi_kernel_ops *bbi_kernel_get(void);

/** As bbi_bitpack_unpack32 and bbi_bitpack_unpack64, from any bit of the string on. */
void bbi_bits_unpack32(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint32_t *out);
void bbi_bits_unpack64(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint64_t *out);

/** Appends to a string of bits. */
struct bbi_bitwriter {
    uint8_t *out;  /* whole words written so far end here; 8 bytes behind are needed */
    uint64_t bits; /* what follows */
    unsigned used; /* how many bits that is, below 64 */
};

/** Append v[n], the low `width` bits of each. */
void bbi_bitwriter_put(struct bbi_bitwriter *w, const uint64_t *v, size_t n, unsigned width);

/** Append the first n bits of a bitmap. */
void bbi_bitwriter_put_bitmap(struct bbi_bitwriter *w, const uint64_t *bitmap, size_t n);

/** Fill up to a byte with zeros. Returns the end of the string. */
uint8_t *bbi_bitwriter_end(struct bbi_bitwriter *w);

/** width ones; width 0..64. */
static inline uint64_t bbi_low_mask(unsigned width)
{
    return width == 0 ? 0 : UINT64_MAX >> (64 - width);
}

#endif
