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

const struct bbi_kernel_ops bbi_kernel_c = {
    .unpack32 = unpack32,
    .unpack64 = unpack64,
    .sum = sum,
    .minmax = minmax,
};
