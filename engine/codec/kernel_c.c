#include <string.h>

#include "engine/base/bytes.h"
#include "engine/codec/kernel.h"

/* One value is one unaligned 8-byte load, or two above 57 bits, where shift and width together may
 * pass 64. */
static inline uint64_t value_at(const uint8_t *packed, size_t index, unsigned width, uint64_t mask)
{
    size_t bit = index * width;
    const uint8_t *at = packed + bit / 8;
    unsigned shift = (unsigned)(bit % 8);
    uint64_t v = bbi_get_u64(at) >> shift;
    if (shift + width > 64) {
        v |= (uint64_t)at[8] << (64 - shift);
    }
    return v & mask;
}

static void unpack32(const uint8_t *packed, size_t first, size_t n, unsigned width, uint32_t *out)
{
    uint64_t mask = bbi_low_mask(width);
    for (size_t i = 0; i < n; i++) {
        size_t bit = (first + i) * width;
        out[i] = (uint32_t)((bbi_get_u64(packed + bit / 8) >> (bit % 8)) & mask);
    }
}

static void unpack64(const uint8_t *packed, size_t first, size_t n, unsigned width, uint64_t *out)
{
    uint64_t mask = bbi_low_mask(width);
    for (size_t i = 0; i < n; i++) {
        out[i] = value_at(packed, first + i, width, mask);
    }
}

static unsigned __int128 sum(const uint8_t *packed, size_t first, size_t n, unsigned width)
{
    uint64_t mask = bbi_low_mask(width);
    unsigned __int128 total = 0;
    if (width > 32) {
        for (size_t i = 0; i < n; i++) {
            total += value_at(packed, first + i, width, mask);
        }
        return total;
    }
    uint64_t narrow = 0;
    for (size_t i = 0; i < n; i++) {
        size_t bit = (first + i) * width;
        narrow += (bbi_get_u64(packed + bit / 8) >> (bit % 8)) & mask;
    }
    return narrow;
}

static void minmax(const uint8_t *packed, size_t first, size_t n, unsigned width, uint64_t *min,
                   uint64_t *max)
{
    uint64_t mask = bbi_low_mask(width);
    uint64_t lo = UINT64_MAX;
    uint64_t hi = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = value_at(packed, first + i, width, mask);
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
    }
    *min = lo;
    *max = hi;
}

static inline unsigned bit_at(const uint8_t *bitmap, size_t bit)
{
    return (unsigned)(bitmap[bit / 8] >> (bit % 8)) & 1;
}

static void expand32(uint32_t *dst, size_t n, const uint8_t *bitmap, size_t bit, unsigned group_log,
                     const uint32_t *src, unsigned shift)
{
    size_t group = (size_t)1 << group_log;
    for (size_t i = 0; i < n; i += group, bit++) {
        if (bit_at(bitmap, bit) != 0) {
            for (size_t j = i; j < i + group && j < n; j++) {
                dst[j] += *src++ << shift;
            }
        }
    }
}

static void expand64(uint64_t *dst, size_t n, const uint8_t *bitmap, size_t bit, unsigned group_log,
                     const uint64_t *src, unsigned shift)
{
    size_t group = (size_t)1 << group_log;
    for (size_t i = 0; i < n; i += group, bit++) {
        if (bit_at(bitmap, bit) != 0) {
            for (size_t j = i; j < i + group && j < n; j++) {
                dst[j] += *src++ << shift;
            }
        }
    }
}

static void scan32(uint32_t *v, size_t n, uint32_t start, uint32_t base, bool zigzag)
{
    uint32_t sum_so_far = start;
    for (size_t i = 0; i < n; i++) {
        uint32_t d = zigzag ? (v[i] >> 1) ^ (0 - (v[i] & 1)) : v[i];
        sum_so_far += d + base;
        v[i] = sum_so_far;
    }
}

/* The correctly rounded quotient, by division: the SIMD kernels reach the same bits with a
 * reciprocal and one correction, and the encoder stores only what both give. */
static inline uint64_t quotient(double k, const struct bbi_scale *scale)
{
    double q = k * scale->gcd / scale->power;
    if (scale->float32) {
        q = (double)(float)q;
    }
    uint64_t bits;
    memcpy(&bits, &q, sizeof(bits));
    return bits;
}

static void double32(const int32_t *r, size_t n, int64_t base, const struct bbi_scale *scale,
                     uint64_t *out)
{
    double add = (double)base;
    for (size_t i = 0; i < n; i++) {
        out[i] = quotient((double)r[i] + add, scale);
    }
}

static void double64(const int64_t *k, size_t n, const struct bbi_scale *scale, uint64_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = quotient((double)k[i], scale);
    }
}

const struct bbi_kernel_ops bbi_kernel_c = {
    .unpack32 = unpack32,
    .unpack64 = unpack64,
    .sum = sum,
    .minmax = minmax,
    .expand32 = expand32,
    .expand64 = expand64,
    .scan32 = scan32,
    .double32 = double32,
    .double64 = double64,
};
