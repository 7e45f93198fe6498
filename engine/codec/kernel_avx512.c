/*
 * AVX-512 kernels. 16 values of up to 32 bits, or 8 of up to 64, start at any bit and lie in one
 * 64-byte load: a byte permutation brings each lane its bytes, a variable shift and a mask its
 * value. After 16 values the bit position has moved by whole bytes (2 * width; width for 8), so
 * indexes and shifts stay the same for a whole column.
 */
#ifdef __x86_64__

#include <immintrin.h>

#include "engine/base/bytes.h"
#include "engine/codec/chunk_layout.h"
#include "engine/codec/kernel.h"
#include "engine/codec/kernel_layers.h"

#define TARGET                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi," \
                          "avx512vbmi2,avx2,fma,bmi,bmi2,lzcnt,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

struct lanes {
    const uint8_t *at;
    __m512i low;  /* byte indexes of each lane's first bytes */
    __m512i high; /* of the bytes behind, for lanes that straddle */
    __m512i shift;
    __m512i mask;
    bool straddle; /* a lane's bits may lie in more bytes than it has */
    bool full;     /* as wide as a lane: two loads, since they may lie in more than 64 bytes */
};

INLINE struct lanes lanes32(const uint8_t *packed, size_t bit, unsigned width)
{
    __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i at = _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32((int)width)),
                                  _mm512_set1_epi32((int)(bit % 8)));
    __m512i byte = _mm512_shuffle_epi8(
        _mm512_srli_epi32(at, 3),
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12)));
    __m512i low = _mm512_add_epi8(byte, _mm512_set1_epi32(0x03020100));
    return (struct lanes){
        .at = packed + bit / 8,
        .low = low,
        .high = _mm512_add_epi8(low, _mm512_set1_epi8(4)),
        .shift = _mm512_and_si512(at, _mm512_set1_epi32(7)),
        .mask = _mm512_set1_epi32((int)(uint32_t)bbi_low_mask(width)),
        .straddle = width > 25,
        .full = width == 32,
    };
}

INLINE __m512i get32_narrow(const struct lanes *l, const uint8_t *at)
{
    __m512i v = _mm512_permutexvar_epi8(l->low, _mm512_loadu_si512(at));
    return _mm512_and_si512(_mm512_srlv_epi32(v, l->shift), l->mask);
}

INLINE __m512i get32(const struct lanes *l, const uint8_t *at)
{
    if (!l->straddle) {
        return get32_narrow(l, at);
    }
    __m512i low = _mm512_loadu_si512(at);
    __m512i high;
    if (l->full) {
        high = _mm512_loadu_si512(at + 4);
    } else {
        high = _mm512_permutexvar_epi8(l->high, low);
        low = _mm512_permutexvar_epi8(l->low, low);
    }
    return _mm512_and_si512(_mm512_shrdv_epi32(low, high, l->shift), l->mask);
}

INLINE struct lanes lanes64(const uint8_t *packed, size_t bit, unsigned width)
{
    __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    __m512i at = _mm512_add_epi64(_mm512_mul_epu32(lane, _mm512_set1_epi64((int)width)),
                                  _mm512_set1_epi64((int)(bit % 8)));
    __m512i byte = _mm512_shuffle_epi8(
        _mm512_srli_epi64(at, 3), _mm512_broadcast_i32x4(_mm_set_epi64x(0x0808080808080808, 0)));
    __m512i low = _mm512_add_epi8(byte, _mm512_set1_epi64(0x0706050403020100));
    return (struct lanes){
        .at = packed + bit / 8,
        .low = low,
        .high = _mm512_add_epi8(low, _mm512_set1_epi8(8)),
        .shift = _mm512_and_si512(at, _mm512_set1_epi64(7)),
        .mask = _mm512_set1_epi64((int64_t)bbi_low_mask(width)),
        .straddle = width > 57,
        .full = width == 64,
    };
}

INLINE __m512i get64(const struct lanes *l, const uint8_t *at)
{
    __m512i low = _mm512_loadu_si512(at);
    if (!l->straddle) {
        __m512i v = _mm512_permutexvar_epi8(l->low, low);
        return _mm512_and_si512(_mm512_srlv_epi64(v, l->shift), l->mask);
    }
    __m512i high;
    if (l->full) {
        high = _mm512_loadu_si512(at + 8);
    } else {
        high = _mm512_permutexvar_epi8(l->high, low);
        low = _mm512_permutexvar_epi8(l->low, low);
    }
    return _mm512_and_si512(_mm512_shrdv_epi64(low, high, l->shift), l->mask);
}

/* The lanes of the last, partial vector. */
INLINE __mmask16 tail16(size_t left)
{
    return (__mmask16)(left >= 16 ? 0xffffU : (1U << left) - 1);
}

INLINE __mmask8 tail8(size_t left)
{
    return (__mmask8)(left >= 8 ? 0xffU : (1U << left) - 1);
}

TARGET static void unpack32(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                            uint32_t *out)
{
    struct lanes l = lanes32(packed, bit, width);
    size_t step = 2 * (size_t)width;
    const uint8_t *at = l.at;
    size_t i = 0;
    if (l.straddle) {
        for (; i + 16 <= n; i += 16, at += step) {
            _mm512_storeu_si512(out + i, get32(&l, at));
        }
    } else {
        for (; i + 16 <= n; i += 16, at += step) {
            _mm512_storeu_si512(out + i, get32_narrow(&l, at));
        }
    }
    if (i < n) {
        _mm512_mask_storeu_epi32(out + i, tail16(n - i), get32(&l, at));
    }
}

TARGET static void unpack64(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                            uint64_t *out)
{
    struct lanes l = lanes64(packed, bit, width);
    const uint8_t *at = l.at;
    size_t i = 0;
    for (; i + 8 <= n; i += 8, at += width) {
        _mm512_storeu_si512(out + i, get64(&l, at));
    }
    if (i < n) {
        _mm512_mask_storeu_epi64(out + i, tail8(n - i), get64(&l, at));
    }
}

/* Lanes of 32 bits hold 2^(32-width) values without overflow: 1,024 vectors up to 22 bits. */
INLINE unsigned __int128 sum_narrow(const uint8_t *packed, size_t bit, size_t n, unsigned width)
{
    struct lanes l = lanes32(packed, bit, width);
    size_t step = 2 * (size_t)width;
    const uint8_t *at = l.at;
    uint64_t total = 0;
    size_t i = 0;
    while (i < n) {
        size_t end = n - i > 16384 ? i + 16384 : n;
        __m512i acc0 = _mm512_setzero_si512();
        __m512i acc1 = _mm512_setzero_si512();
        for (; i + 32 <= end; i += 32, at += 2 * step) {
            acc0 = _mm512_add_epi32(acc0, get32_narrow(&l, at));
            acc1 = _mm512_add_epi32(acc1, get32_narrow(&l, at + step));
        }
        for (; i < end; i += 16, at += step) {
            acc0 = _mm512_add_epi32(acc0,
                                    _mm512_maskz_mov_epi32(tail16(end - i), get32_narrow(&l, at)));
        }
        __m512i odd = _mm512_add_epi64(_mm512_srli_epi64(acc0, 32), _mm512_srli_epi64(acc1, 32));
        __m512i low = _mm512_set1_epi64(0xffffffff);
        __m512i even = _mm512_add_epi64(_mm512_and_si512(acc0, low), _mm512_and_si512(acc1, low));
        total += (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(odd, even));
    }
    return total;
}

/* High and low halves of each lane are added apart: neither overflows in 2^32 vectors. */
INLINE unsigned __int128 sum_wide(const uint8_t *packed, size_t bit, size_t n, unsigned width)
{
    struct lanes l = lanes64(packed, bit, width);
    const uint8_t *at = l.at;
    __m512i low = _mm512_setzero_si512();
    __m512i high = _mm512_setzero_si512();
    __m512i ones = _mm512_set1_epi64(0xffffffff);
    for (size_t i = 0; i < n; i += 8, at += width) {
        __m512i v = _mm512_maskz_mov_epi64(tail8(n - i), get64(&l, at));
        low = _mm512_add_epi64(low, _mm512_and_si512(v, ones));
        high = _mm512_add_epi64(high, _mm512_srli_epi64(v, 32));
    }
    return ((unsigned __int128)(uint64_t)_mm512_reduce_add_epi64(high) << 32) +
           (uint64_t)_mm512_reduce_add_epi64(low);
}

TARGET static unsigned __int128 sum(const uint8_t *packed, size_t bit, size_t n, unsigned width)
{
    return width <= 22 ? sum_narrow(packed, bit, n, width) : sum_wide(packed, bit, n, width);
}

TARGET static void minmax(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                          uint64_t *min, uint64_t *max)
{
    __m512i lo = _mm512_set1_epi64(-1);
    __m512i hi = _mm512_setzero_si512();
    if (width <= 32) {
        struct lanes l = lanes32(packed, bit, width);
        const uint8_t *at = l.at;
        for (size_t i = 0; i < n; i += 16, at += 2 * (size_t)width) {
            __mmask16 in = tail16(n - i);
            __m512i v = get32(&l, at);
            lo = _mm512_mask_min_epu32(lo, in, lo, v);
            hi = _mm512_mask_max_epu32(hi, in, hi, v);
        }
        *min = _mm512_reduce_min_epu32(lo);
        *max = _mm512_reduce_max_epu32(hi);
        return;
    }
    struct lanes l = lanes64(packed, bit, width);
    const uint8_t *at = l.at;
    for (size_t i = 0; i < n; i += 8, at += width) {
        __mmask8 in = tail8(n - i);
        __m512i v = get64(&l, at);
        lo = _mm512_mask_min_epu64(lo, in, lo, v);
        hi = _mm512_mask_max_epu64(hi, in, hi, v);
    }
    *min = _mm512_reduce_min_epu64(lo);
    *max = _mm512_reduce_max_epu64(hi);
}

/* One bit per group to one bit per lane. */
INLINE uint32_t lane_mask(uint32_t groups, uint32_t starts, uint32_t ones)
{
    return _pdep_u32(groups, starts) * ones;
}

/* The first lane of every group of 2^group_log of 16. */
static const uint16_t group_starts[5] = {0xffff, 0x5555, 0x1111, 0x0101, 0x0001};

/* For each set of marked pairs among 8: the number, counted from the first marked, of each of them
 * in its byte. */
#define NUMBER(m, i) \
    ((uint64_t)(((m) >> (i)) & 1 ? __builtin_popcount((m) & ((1 << (i)) - 1)) : 0) << (8 * (i)))
#define NUMBERS(m)                                                                             \
    (NUMBER(m, 0) | NUMBER(m, 1) | NUMBER(m, 2) | NUMBER(m, 3) | NUMBER(m, 4) | NUMBER(m, 5) | \
     NUMBER(m, 6) | NUMBER(m, 7))
#define NUMBERS_4(m)  NUMBERS(m), NUMBERS((m) + 1), NUMBERS((m) + 2), NUMBERS((m) + 3)
#define NUMBERS_16(m) NUMBERS_4(m), NUMBERS_4((m) + 4), NUMBERS_4((m) + 8), NUMBERS_4((m) + 12)
#define NUMBERS_64(m) \
    NUMBERS_16(m), NUMBERS_16((m) + 16), NUMBERS_16((m) + 32), NUMBERS_16((m) + 48)

static const uint64_t pair_numbers[256] = {NUMBERS_64(0), NUMBERS_64(64), NUMBERS_64(128),
                                           NUMBERS_64(192)};

/* Marked pairs of lanes take the pairs of `upper` in a row. (The expand instruction does this too,
 * in twice the time on Zen 5.) */
INLINE __m512i place_pairs(const uint32_t *upper, uint32_t pairs)
{
    __m512i index = _mm512_cvtepu8_epi64(
        _mm_loadl_epi64((const __m128i *)(const void *)&pair_numbers[pairs]));
    return _mm512_maskz_permutexvar_epi64((__mmask8)pairs, index, _mm512_loadu_si512(upper));
}

/* The next 16 values in their place: rotated there if their bits lie in 4 bytes, as those of up to
 * 25 bits do. */
INLINE __m512i get_placed(const struct lanes *l, const uint8_t *at, bool straddle, __m512i rotate,
                          __m512i placed, __m128i shift)
{
    if (straddle) {
        return _mm512_sll_epi32(get32(l, at), shift);
    }
    __m512i v = _mm512_permutexvar_epi8(l->low, _mm512_loadu_si512(at));
    return _mm512_and_si512(_mm512_rolv_epi32(v, rotate), placed);
}

/* The marked ones of 8 pairs of lanes, from the next bits of the bitmap. */
INLINE uint32_t marked_pairs(uint64_t marks, unsigned group_log)
{
    switch (group_log) {
    case 1:
        return (uint32_t)marks & 0xff;
    case 2:
        return _pdep_u32((uint32_t)marks, 0x55) * 3;
    case 3:
        return _pdep_u32((uint32_t)marks, 0x11) * 15;
    default:
        return ((uint32_t)marks & 1) * 255;
    }
}

/* Marks taken from one load, which brings at least 57: those of whole vectors. */
#define MARKS_PER_LOAD 48

INLINE void put_layer(const struct bbi_layer *layer, const struct lanes *lanes, bool straddle,
                      unsigned group_log, uint32_t *restrict dst)
{
    const struct lanes l = *lanes;
    const uint32_t *upper = layer->upper;
    const uint8_t *at = l.at;
    size_t n = layer->n;
    size_t mark = layer->mark_bit;
    unsigned mark_step = 16U >> group_log;
    size_t block = (size_t)MARKS_PER_LOAD << group_log;
    size_t step = 2 * (size_t)layer->width;
    __m512i rotate = _mm512_sub_epi32(_mm512_set1_epi32((int)layer->shift), l.shift);
    __m128i shift = _mm_cvtsi32_si128((int)layer->shift);
    __m512i placed = _mm512_sll_epi32(l.mask, shift);
    for (size_t i = 0; i < n; mark += MARKS_PER_LOAD) {
        uint64_t marks = bbi_get_u64(layer->payload + mark / 8) >> (mark % 8);
        size_t end = n - i > block ? i + block : n;
        for (; i < end; i += 16, at += step, marks >>= mark_step) {
            __m512i v = get_placed(&l, at, straddle, rotate, placed, shift);
            if (group_log > 0) {
                uint32_t pairs = marked_pairs(marks, group_log);
                v = _mm512_or_si512(v, place_pairs(upper, pairs));
                upper += 2 * (size_t)_mm_popcnt_u64(pairs);
            } else {
                __mmask16 in = (__mmask16)marks;
                v = _mm512_or_si512(v, _mm512_maskz_expandloadu_epi32(in, upper));
                upper += (size_t)_mm_popcnt_u64(in);
            }
            _mm512_storeu_si512(dst + i, v);
        }
    }
}

INLINE void put_top_layer(const struct bbi_layer *layer, const struct lanes *lanes, bool straddle,
                          uint32_t *restrict dst)
{
    const struct lanes l = *lanes;
    const uint8_t *at = l.at;
    size_t n = layer->n;
    size_t step = 2 * (size_t)layer->width;
    __m512i rotate = _mm512_sub_epi32(_mm512_set1_epi32((int)layer->shift), l.shift);
    __m128i shift = _mm_cvtsi32_si128((int)layer->shift);
    __m512i placed = _mm512_sll_epi32(l.mask, shift);
    for (size_t i = 0; i < n; i += 16, at += step) {
        _mm512_storeu_si512(dst + i, get_placed(&l, at, straddle, rotate, placed, shift));
    }
}

INLINE void put_groups(const struct bbi_layer *layer, const struct lanes *l, bool straddle,
                       uint32_t *restrict dst)
{
    switch (layer->group_log) {
    case 0:
        put_layer(layer, l, straddle, 0, dst);
        break;
    case 1:
        put_layer(layer, l, straddle, 1, dst);
        break;
    case 2:
        put_layer(layer, l, straddle, 2, dst);
        break;
    case 3:
        put_layer(layer, l, straddle, 3, dst);
        break;
    default:
        put_layer(layer, l, straddle, 4, dst);
    }
}

TARGET static void layer32(const struct bbi_layer *layer, uint32_t *dst)
{
    struct lanes l = lanes32(layer->payload, layer->bit, layer->width);
    if (layer->upper == NULL) {
        put_top_layer(layer, &l, l.straddle, dst);
    } else if (l.straddle) {
        put_groups(layer, &l, true, dst);
    } else {
        put_groups(layer, &l, false, dst);
    }
}

TARGET static void expand64(uint64_t *dst, size_t n, const uint8_t *bitmap, size_t bit,
                            unsigned group_log, const uint64_t *src, unsigned shift)
{
    uint32_t starts = group_starts[group_log];
    uint32_t ones = (1U << (1U << group_log)) - 1;
    __m128i left = _mm_cvtsi32_si128((int)shift);
    for (size_t i = 0; i < n; i += 16, bit += 16U >> group_log) {
        uint32_t groups = bbi_get_u32(bitmap + bit / 8) >> (bit % 8);
        uint32_t lanes = lane_mask(groups, starts, ones) & tail16(n - i);
        for (size_t half = 0; half < 16; half += 8) {
            __mmask8 in = (__mmask8)(lanes >> half);
            __m512i v = _mm512_maskz_expand_epi64(in, _mm512_loadu_si512(src));
            __m512i old = _mm512_loadu_si512(dst + i + half);
            _mm512_storeu_si512(dst + i + half, _mm512_add_epi64(old, _mm512_sll_epi64(v, left)));
            src += _mm_popcnt_u32(in);
        }
    }
}

TARGET static size_t popcount(const uint8_t *bitmap, size_t bit, size_t n)
{
    size_t count = 0;
    for (; n > 57; n -= 56, bit += 56) {
        uint64_t v = bbi_get_u64(bitmap + bit / 8) >> (bit % 8);
        count += (size_t)_mm_popcnt_u64(_bzhi_u64(v, 56));
    }
    uint64_t v = bbi_get_u64(bitmap + bit / 8) >> (bit % 8);
    return count + (size_t)_mm_popcnt_u64(_bzhi_u64(v, (unsigned)n));
}

INLINE __m512i scan_vector(__m512i v)
{
    __m512i zero = _mm512_setzero_si512();
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 15));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 14));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 12));
    return _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 8));
}

TARGET static void scan32(uint32_t *v, size_t n, uint32_t start, uint32_t base, bool zigzag)
{
    __m512i carry = _mm512_set1_epi32((int)start);
    __m512i add = _mm512_set1_epi32((int)base);
    __m512i sign = _mm512_set1_epi32(zigzag ? 1 : 0);
    __m128i half = _mm_cvtsi32_si128(zigzag ? 1 : 0);
    __m512i last = _mm512_set1_epi32(15);
    for (size_t i = 0; i < n; i += 16) {
        __m512i d = _mm512_loadu_si512(v + i);
        __m512i minus = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_and_si512(d, sign));
        d = _mm512_xor_si512(_mm512_srl_epi32(d, half), minus);
        d = scan_vector(_mm512_add_epi32(d, add));
        d = _mm512_add_epi32(d, carry);
        carry = _mm512_permutexvar_epi32(last, d);
        _mm512_mask_storeu_epi32(v + i, tail16(n - i), d);
    }
}

INLINE __m512d plain_quotient(__m512d i, const struct bbi_scale *s)
{
    __m512d inverse = _mm512_set1_pd(s->inverse);
    __m512d q = _mm512_mul_pd(i, inverse);
    __m512d r = _mm512_fnmadd_pd(q, _mm512_set1_pd(s->power), i);
    return _mm512_fmadd_pd(r, inverse, q);
}

INLINE __m512d quotient(__m512d i, const struct bbi_scale *s)
{
    __m512d q = plain_quotient(i, s);
    return s->float32 ? _mm512_cvtps_pd(_mm512_cvtpd_ps(q)) : q;
}

INLINE __m512d double_of(__m256i r, __m512d base, const struct bbi_scale *s)
{
    __m512d k = _mm512_add_pd(_mm512_cvtepi32_pd(r), base);
    return quotient(_mm512_mul_pd(k, _mm512_set1_pd(s->gcd)), s);
}

TARGET static void double32(const int32_t *r, size_t n, int64_t base, const struct bbi_scale *scale,
                            uint64_t *out)
{
    const struct bbi_scale s = *scale;
    __m512d add = _mm512_set1_pd((double)base);
    bool plain = s.gcd == 1.0 && !s.float32;
    size_t i = 0;
    for (; plain && i + 8 <= n; i += 8) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(r + i));
        __m512d k = _mm512_add_pd(_mm512_cvtepi32_pd(v), add);
        _mm512_storeu_pd((double *)(void *)(out + i), plain_quotient(k, &s));
    }
    for (; i < n; i += 8) {
        __mmask8 in = tail8(n - i);
        __m512d q = double_of(_mm256_maskz_loadu_epi32(in, r + i), add, &s);
        _mm512_mask_storeu_pd((double *)(void *)(out + i), in, q);
    }
}

TARGET static void double64(const int64_t *k, size_t n, const struct bbi_scale *scale,
                            uint64_t *out)
{
    const struct bbi_scale s = *scale;
    for (size_t i = 0; i < n; i += 8) {
        __mmask8 in = tail8(n - i);
        __m512d v = _mm512_cvtepi64_pd(_mm512_maskz_loadu_epi64(in, k + i));
        v = _mm512_mul_pd(v, _mm512_set1_pd(s.gcd));
        _mm512_mask_storeu_pd((double *)(void *)(out + i), in, quotient(v, &s));
    }
}

TARGET static void widen32(const int32_t *r, size_t n, int64_t base, uint64_t *out)
{
    __m512i add = _mm512_set1_epi64(base);
    for (size_t i = 0; i < n; i += 8) {
        __mmask8 in = tail8(n - i);
        __m512i v = _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(in, r + i));
        _mm512_mask_storeu_epi64(out + i, in, _mm512_add_epi64(v, add));
    }
}

TARGET static void extremes32(const int32_t *v, size_t n, int32_t *min, int32_t *max)
{
    __m512i lo = _mm512_set1_epi32(INT32_MAX);
    __m512i hi = _mm512_set1_epi32(INT32_MIN);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 in = tail16(n - i);
        __m512i x = _mm512_maskz_loadu_epi32(in, v + i);
        lo = _mm512_mask_min_epi32(lo, in, lo, x);
        hi = _mm512_mask_max_epi32(hi, in, hi, x);
    }
    *min = _mm512_reduce_min_epi32(lo);
    *max = _mm512_reduce_max_epi32(hi);
}

TARGET static int64_t total32(const int32_t *v, size_t n)
{
    __m512i acc = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += 8) {
        __m256i x = _mm256_maskz_loadu_epi32(tail8(n - i), v + i);
        acc = _mm512_add_epi64(acc, _mm512_cvtepi32_epi64(x));
    }
    return _mm512_reduce_add_epi64(acc);
}

TARGET static size_t scale(const uint64_t *bits, size_t n, const struct bbi_scale *scale_in,
                           int64_t *k, uint16_t *bad)
{
    const struct bbi_scale s = *scale_in;
    __m512d power = _mm512_set1_pd(s.power);
    __m512d limit = _mm512_set1_pd(BBI_CHUNK_INT_LIMIT);
    size_t bad_count = 0;
    for (size_t at = 0; at < n; at += 8) {
        __mmask8 in = tail8(n - at);
        __m512i raw = _mm512_maskz_loadu_epi64(in, bits + at);
        __m512d product = _mm512_mul_pd(_mm512_castsi512_pd(raw), power);
        __mmask8 good = _mm512_cmp_pd_mask(_mm512_abs_pd(product), limit, _CMP_LT_OQ);
        __m512i i = _mm512_cvtpd_epi64(product);
        __m512d d = _mm512_cvtepi64_pd(i);
        good &= _mm512_cmpeq_epi64_mask(_mm512_castpd_si512(quotient(d, &s)), raw);
        if (s.divide) {
            __m512d divided = _mm512_div_pd(d, power);
            if (s.float32) {
                divided = _mm512_cvtps_pd(_mm512_cvtpd_ps(divided));
            }
            good &= _mm512_cmpeq_epi64_mask(_mm512_castpd_si512(divided), raw);
        }
        _mm512_mask_storeu_epi64(k + at, in, i);
        for (uint32_t left = (uint32_t)(in & ~good); left != 0; left &= left - 1) {
            bad[bad_count++] = (uint16_t)(at + _tzcnt_u32(left));
        }
    }
    return bad_count;
}

/* One byte per group, in place: the larger of each pair. */
INLINE void halve(uint8_t *lengths, size_t n)
{
    for (size_t i = 0; i < n; i += 64) {
        __m512i v = _mm512_loadu_si512(lengths + i);
        v = _mm512_max_epu8(v, _mm512_srli_epi16(v, 8));
        _mm256_storeu_si256((__m256i *)(void *)(lengths + i / 2), _mm512_cvtepi16_epi8(v));
    }
}

TARGET static size_t find32(const int32_t *v, size_t n, int32_t x)
{
    __m512i wanted = _mm512_set1_epi32(x);
    for (size_t i = 0; i < n; i += 16) {
        __m512i a = _mm512_maskz_loadu_epi32(tail16(n - i), v + i);
        __mmask16 found = _mm512_mask_cmpeq_epi32_mask(tail16(n - i), a, wanted);
        if (found != 0) {
            return i + _tzcnt_u32(found);
        }
    }
    return n;
}

TARGET static uint64_t subtract_min(const uint64_t *k, size_t n, uint64_t flip, uint64_t *r)
{
    __m512i turn = _mm512_set1_epi64((int64_t)flip);
    __m512i low = _mm512_set1_epi64(-1);
    for (size_t i = 0; i < n; i += 8) {
        __mmask8 in = tail8(n - i);
        __m512i v = _mm512_xor_si512(_mm512_maskz_loadu_epi64(in, k + i), turn);
        low = _mm512_mask_min_epu64(low, in, low, v);
    }
    uint64_t min = _mm512_reduce_min_epu64(low) ^ flip;
    low = _mm512_set1_epi64((int64_t)min);
    for (size_t i = 0; i < n; i += 8) {
        __mmask8 in = tail8(n - i);
        __m512i v = _mm512_maskz_loadu_epi64(in, k + i);
        _mm512_mask_storeu_epi64(r + i, in, _mm512_sub_epi64(v, low));
    }
    return min;
}

TARGET static bool differences(const uint64_t *k, size_t n, uint64_t *d)
{
    __m512i any = _mm512_setzero_si512();
    for (size_t i = 0; i + 1 < n; i += 8) {
        __mmask8 in = tail8(n - 1 - i);
        __m512i v = _mm512_sub_epi64(_mm512_maskz_loadu_epi64(in, k + i + 1),
                                     _mm512_maskz_loadu_epi64(in, k + i));
        any = _mm512_or_si512(any, v);
        _mm512_mask_storeu_epi64(d + i, in, v);
    }
    if (_mm512_movepi64_mask(any) == 0) {
        return false;
    }
    for (size_t i = 0; i + 1 < n; i += 8) {
        __mmask8 in = tail8(n - 1 - i);
        __m512i v = _mm512_maskz_loadu_epi64(in, d + i);
        v = _mm512_xor_si512(_mm512_slli_epi64(v, 1), _mm512_srai_epi64(v, 63));
        _mm512_mask_storeu_epi64(d + i, in, v);
    }
    return true;
}

TARGET static uint32_t lengths(const uint64_t *r, size_t n, uint8_t *length)
{
    __m512i total = _mm512_setzero_si512();
    size_t at = 0;
    for (; at < n; at += 8) {
        __m512i v = _mm512_maskz_loadu_epi64(tail8(n - at), r + at);
        __m512i bits = _mm512_sub_epi64(_mm512_set1_epi64(64), _mm512_lzcnt_epi64(v));
        total = _mm512_add_epi64(total, bits);
        _mm_storel_epi64((__m128i *)(void *)(length + at), _mm512_cvtepi64_epi8(bits));
    }
    _mm512_storeu_si512(length + at, _mm512_setzero_si512());
    return (uint32_t)_mm512_reduce_add_epi64(total);
}

INLINE unsigned count_above(const uint8_t *length, size_t n, unsigned width)
{
    unsigned count = 0;
    __m512i bound = _mm512_set1_epi8((char)width);
    for (size_t i = 0; i < n; i += 64) {
        __mmask64 more = _mm512_cmpgt_epu8_mask(_mm512_loadu_si512(length + i), bound);
        count += (unsigned)_mm_popcnt_u64(_bzhi_u64(more, n - i > 64 ? 64 : (unsigned)(n - i)));
    }
    return count;
}

TARGET static void profile(uint8_t *length, size_t n, struct bbi_profile *out)
{
    unsigned widest = 0;
    for (;; widest++) {
        out->above[0][widest] = (uint16_t)count_above(length, n, widest);
        if (out->above[0][widest] == 0) {
            break;
        }
    }
    out->widest = widest;
    for (unsigned g = 1; g < 5; g++) {
        halve(length, n);
        n = (n + 1) / 2;
        for (unsigned w = 0; w < widest; w++) {
            out->above[g][w] = (uint16_t)count_above(length, n, w);
        }
        out->above[g][widest] = 0;
    }
}

/* The lanes of groups that have any lane set, of 16. */
INLINE uint32_t whole_groups(uint32_t lanes, unsigned group_log, uint32_t starts, uint32_t ones)
{
    for (unsigned g = 0; g < group_log; g++) {
        lanes |= lanes >> (1U << g);
    }
    return (lanes & starts) * ones;
}

TARGET static size_t split(const uint64_t *v, size_t n, unsigned width, unsigned group_log,
                           uint64_t *bitmap, uint64_t *upper)
{
    __m128i right = _mm_cvtsi32_si128((int)width);
    uint32_t starts = group_starts[group_log];
    uint32_t ones = (1U << (1U << group_log)) - 1;
    uint64_t *out = upper;
    uint64_t bits = 0;
    unsigned filled = 0;
    for (size_t i = 0; i < n; i += 16) {
        size_t rest = n - i > 8 ? n - i - 8 : 0;
        __m512i a = _mm512_srl_epi64(_mm512_maskz_loadu_epi64(tail8(n - i), v + i), right);
        __m512i b = _mm512_srl_epi64(_mm512_maskz_loadu_epi64(tail8(rest), v + i + 8), right);
        uint32_t set = _mm512_test_epi64_mask(a, a) | (uint32_t)_mm512_test_epi64_mask(b, b) << 8;
        uint32_t lanes = whole_groups(set, group_log, starts, ones);
        _mm512_storeu_si512(out, _mm512_maskz_compress_epi64((__mmask8)lanes, a));
        out += _mm_popcnt_u32(lanes & 0xff);
        _mm512_storeu_si512(out, _mm512_maskz_compress_epi64((__mmask8)(lanes >> 8), b));
        out += _mm_popcnt_u32(lanes >> 8);
        bits |= (uint64_t)_pext_u32(lanes, starts) << filled;
        filled += 16U >> group_log;
        if (filled == 64) {
            *bitmap++ = bits;
            bits = 0;
            filled = 0;
        }
    }
    *bitmap = bits;
    return (size_t)(out - upper);
}

TARGET static void layers32(const struct bbi_layers *layers, size_t from, size_t to, uint32_t *dst)
{
    bbi_read_layers32(layers, from, to, dst, popcount, layer32);
}

const struct bbi_kernel_ops bbi_kernel_avx512 = {
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

#endif
