#include <math.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/codec/chunk_layout.h"
#include "engine/codec/kernel.h"
#include "engine/codec/kernel_layers.h"

/* One value is one unaligned 8-byte load, or two above 57 bits, where shift and width together may
 * pass 64. */
static inline uint64_t value_at(const uint8_t *packed, size_t bit, unsigned width, uint64_t mask)
{
    const uint8_t *at = packed + bit / 8;
    unsigned shift = (unsigned)(bit % 8);
    uint64_t v = bbi_get_u64(at) >> shift;
    if (shift + width > 64) {
        v |= (uint64_t)at[8] << (64 - shift);
    }
    return v & mask;
}

static void unpack32(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint32_t *out)
{
    uint64_t mask = bbi_low_mask(width);
    for (size_t i = 0; i < n; i++, bit += width) {
        out[i] = (uint32_t)((bbi_get_u64(packed + bit / 8) >> (bit % 8)) & mask);
    }
}

static void unpack64(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint64_t *out)
{
    uint64_t mask = bbi_low_mask(width);
    for (size_t i = 0; i < n; i++, bit += width) {
        out[i] = value_at(packed, bit, width, mask);
    }
}

static unsigned __int128 sum(const uint8_t *packed, size_t bit, size_t n, unsigned width)
{
    uint64_t mask = bbi_low_mask(width);
    unsigned __int128 total = 0;
    if (width > 32) {
        for (size_t i = 0; i < n; i++, bit += width) {
            total += value_at(packed, bit, width, mask);
        }
        return total;
    }
    uint64_t narrow = 0;
    for (size_t i = 0; i < n; i++, bit += width) {
        narrow += (bbi_get_u64(packed + bit / 8) >> (bit % 8)) & mask;
    }
    return narrow;
}

static void minmax(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint64_t *min,
                   uint64_t *max)
{
    uint64_t mask = bbi_low_mask(width);
    uint64_t lo = UINT64_MAX;
    uint64_t hi = 0;
    for (size_t i = 0; i < n; i++, bit += width) {
        uint64_t v = value_at(packed, bit, width, mask);
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

/* Without branches: marks are as good as random. */
static void place_upper(const struct bbi_layer *layer, uint32_t *dst)
{
    const uint32_t *upper = layer->upper;
    size_t group = (size_t)1 << layer->group_log;
    for (size_t i = 0, bit = layer->mark_bit; i < layer->n; i += group, bit++) {
        uint32_t marked = bit_at(layer->payload, bit);
        for (size_t j = 0; j < group; j++) {
            dst[i + j] |= upper[j] & (0 - marked);
        }
        upper += marked << layer->group_log;
    }
}

static void layer32(const struct bbi_layer *layer, uint32_t *dst)
{
    uint64_t mask = bbi_low_mask(layer->width);
    size_t bit = layer->bit;
    for (size_t i = 0; i < layer->n; i++, bit += layer->width) {
        uint64_t v = bbi_get_u64(layer->payload + bit / 8) >> (bit % 8);
        dst[i] = (uint32_t)((v & mask) << layer->shift);
    }
    if (layer->upper != NULL) {
        place_upper(layer, dst);
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

static size_t popcount(const uint8_t *bitmap, size_t bit, size_t n)
{
    size_t count = 0;
    for (size_t end = bit + n; bit < end; bit += 32) {
        uint64_t v = (bbi_get_u64(bitmap + bit / 8) >> (bit % 8)) & UINT32_MAX;
        v &= end - bit < 32 ? bbi_low_mask((unsigned)(end - bit)) : UINT32_MAX;
        v -= (v >> 1) & 0x55555555;
        v = (v & 0x33333333) + ((v >> 2) & 0x33333333);
        v = (v + (v >> 4)) & 0x0f0f0f0f;
        count += (size_t)((v * 0x01010101) >> 24 & 0xff);
    }
    return count;
}

static void widen32(const int32_t *r, size_t n, int64_t base, uint64_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint64_t)base + (uint64_t)(int64_t)r[i];
    }
}

static void extremes32(const int32_t *v, size_t n, int32_t *min, int32_t *max)
{
    int32_t lo = INT32_MAX;
    int32_t hi = INT32_MIN;
    for (size_t i = 0; i < n; i++) {
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
    }
    *min = lo;
    *max = hi;
}

static int64_t total32(const int32_t *v, size_t n)
{
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += v[i];
    }
    return total;
}

/* What every decoder makes of the integer i: the quotient by division, and by the reciprocal and
 * one correction where these are not proved to be the same. */
static inline bool leads_back(double i, double v, const struct bbi_scale *scale)
{
    double q = i / scale->power;
    double other = q;
    if (scale->divide) {
        other = i * scale->inverse;
        other = fma(fma(-other, scale->power, i), scale->inverse, other);
    }
    if (scale->float32) {
        q = (double)(float)q;
        other = (double)(float)other;
    }
    return memcmp(&q, &v, sizeof(v)) == 0 && memcmp(&other, &v, sizeof(v)) == 0;
}

static size_t scale(const uint64_t *bits, size_t n, const struct bbi_scale *s, int64_t *k,
                    uint16_t *bad)
{
    size_t bad_count = 0;
    for (size_t at = 0; at < n; at++) {
        double v;
        memcpy(&v, bits + at, sizeof(v));
        double i = v * s->power;
        k[at] = 0;
        if (fabs(i) < BBI_CHUNK_INT_LIMIT) {
            i = (i + 0x1.8p52) - 0x1.8p52;
            k[at] = (int64_t)i;
            if (leads_back((double)k[at], v, s)) {
                continue;
            }
        }
        bad[bad_count++] = (uint16_t)at;
    }
    return bad_count;
}

static size_t find32(const int32_t *v, size_t n, int32_t x)
{
    size_t i = 0;
    while (i < n && v[i] != x) {
        i++;
    }
    return i;
}

static uint64_t subtract_min(const uint64_t *k, size_t n, uint64_t flip, uint64_t *r)
{
    uint64_t min = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = k[i] ^ flip;
        min = x < min ? x : min;
    }
    min ^= flip;
    for (size_t i = 0; i < n; i++) {
        r[i] = k[i] - min;
    }
    return min;
}

static bool differences(const uint64_t *k, size_t n, uint64_t *d)
{
    uint64_t any = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        d[i] = k[i + 1] - k[i];
        any |= d[i];
    }
    if (any >> 63 == 0) {
        return false;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        d[i] = bbi_zigzag((int64_t)d[i]);
    }
    return true;
}

static uint32_t lengths(const uint64_t *r, size_t n, uint8_t *length)
{
    uint32_t total = 0;
    for (size_t i = 0; i < n; i++) {
        length[i] = (uint8_t)bbi_bit_length(r[i]);
        total += length[i];
    }
    memset(length + n, 0, BBI_LENGTHS - n);
    return total;
}

static void profile(uint8_t *length, size_t n, struct bbi_profile *out)
{
    unsigned widest = 0;
    for (size_t i = 0; i < n; i++) {
        widest = length[i] > widest ? length[i] : widest;
    }
    out->widest = widest;
    for (unsigned g = 0; g < 5; g++, n = (n + 1) / 2) {
        uint16_t *above = out->above[g];
        memset(above, 0, (widest + 1) * sizeof(*above));
        for (size_t i = 0; i < n; i++) {
            if (length[i] > 0) {
                above[length[i] - 1]++;
            }
        }
        for (unsigned w = widest; w-- > 0;) {
            above[w] = (uint16_t)(above[w] + above[w + 1]);
        }
        for (size_t i = 0; i < n; i += 2) {
            uint8_t next = i + 1 < n ? length[i + 1] : 0;
            length[i / 2] = length[i] > next ? length[i] : next;
        }
    }
}

static size_t split(const uint64_t *v, size_t n, unsigned width, unsigned group_log,
                    uint64_t *bitmap, uint64_t *upper)
{
    size_t group = (size_t)1 << group_log;
    size_t count = 0;
    uint64_t bits = 0;
    size_t done = 0;
    for (size_t g = 0; g < n; g += group, done++) {
        uint64_t any = 0;
        for (size_t i = 0; i < group; i++) {
            upper[count + i] = g + i < n ? v[g + i] >> width : 0;
            any |= upper[count + i];
        }
        bits |= (uint64_t)(any != 0) << (done % 64);
        count += any != 0 ? group : 0;
        if (done % 64 == 63) {
            bitmap[done / 64] = bits;
            bits = 0;
        }
    }
    bitmap[done / 64] = bits;
    return count;
}

static void layers32(const struct bbi_layers *layers, size_t from, size_t to, uint32_t *dst)
{
    bbi_read_layers32(layers, from, to, dst, popcount, layer32);
}

const struct bbi_kernel_ops bbi_kernel_c = {
    .unpack32 = unpack32,
    .unpack64 = unpack64,
    .sum = sum,
    .minmax = minmax,
    .layers32 = layers32,
    .expand64 = expand64,
    .scan32 = scan32,
    .popcount = popcount,
    .double32 = double32,
    .double64 = double64,
    .widen32 = widen32,
    .extremes32 = extremes32,
    .total32 = total32,
    .find32 = find32,
    .scale = scale,
    .subtract_min = subtract_min,
    .differences = differences,
    .lengths = lengths,
    .profile = profile,
    .split = split,
};
