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
    bool straddle;
};

INLINE struct lanes lanes32(const uint8_t *packed, size_t first, unsigned width)
{
    size_t bit = first * width;
    __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i at = _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32((int)width)),
                                  _mm512_set1_epi32((int)(bit % 8)));
    __m512i byte = _mm512_srli_epi32(at, 3);
    byte = _mm512_or_si512(byte, _mm512_slli_epi32(byte, 8));
    byte = _mm512_or_si512(byte, _mm512_slli_epi32(byte, 16));
    __m512i low = _mm512_add_epi8(byte, _mm512_set1_epi32(0x03020100));
    return (struct lanes){
        .at = packed + bit / 8,
        .low = low,
        .high = _mm512_add_epi8(low, _mm512_set1_epi8(4)),
        .shift = _mm512_and_si512(at, _mm512_set1_epi32(7)),
        .mask = _mm512_set1_epi32((int)(uint32_t)bbi_low_mask(width)),
        .straddle = width > 25,
    };
}

INLINE __m512i get32(const struct lanes *l, const uint8_t *at)
{
    __m512i bytes = _mm512_loadu_si512(at);
    __m512i low = _mm512_permutexvar_epi8(l->low, bytes);
    if (l->straddle) {
        __m512i high = _mm512_permutexvar_epi8(l->high, bytes);
        return _mm512_and_si512(_mm512_shrdv_epi32(low, high, l->shift), l->mask);
    }
    return _mm512_and_si512(_mm512_srlv_epi32(low, l->shift), l->mask);
}

INLINE struct lanes lanes64(const uint8_t *packed, size_t first, unsigned width)
{
    size_t bit = first * width;
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
    };
}

INLINE __m512i get64(const struct lanes *l, const uint8_t *at)
{
    __m512i bytes = _mm512_loadu_si512(at);
    __m512i low = _mm512_permutexvar_epi8(l->low, bytes);
    if (l->straddle) {
        __m512i high = _mm512_permutexvar_epi8(l->high, bytes);
        return _mm512_and_si512(_mm512_shrdv_epi64(low, high, l->shift), l->mask);
    }
    return _mm512_and_si512(_mm512_srlv_epi64(low, l->shift), l->mask);
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

TARGET static void unpack32(const uint8_t *packed, size_t first, size_t n, unsigned width,
                            uint32_t *out)
{
    struct lanes l = lanes32(packed, first, width);
    size_t step = 2 * (size_t)width;
    const uint8_t *at = l.at;
    size_t i = 0;
    if (l.straddle) {
        for (; i + 16 <= n; i += 16, at += step) {
            _mm512_storeu_si512(out + i, get32(&l, at));
        }
    } else {
        for (; i + 16 <= n; i += 16, at += step) {
            _mm512_storeu_si512(out + i, get32(&l, at));
        }
    }
    if (i < n) {
        _mm512_mask_storeu_epi32(out + i, tail16(n - i), get32(&l, at));
    }
}

TARGET static void unpack64(const uint8_t *packed, size_t first, size_t n, unsigned width,
                            uint64_t *out)
{
    struct lanes l = lanes64(packed, first, width);
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
INLINE unsigned __int128 sum_narrow(const uint8_t *packed, size_t first, size_t n, unsigned width)
{
    struct lanes l = lanes32(packed, first, width);
    size_t step = 2 * (size_t)width;
    const uint8_t *at = l.at;
    uint64_t total = 0;
    size_t i = 0;
    while (i < n) {
        size_t end = n - i > 16384 ? i + 16384 : n;
        __m512i acc0 = _mm512_setzero_si512();
        __m512i acc1 = _mm512_setzero_si512();
        for (; i + 32 <= end; i += 32, at += 2 * step) {
            acc0 = _mm512_add_epi32(acc0, get32(&l, at));
            acc1 = _mm512_add_epi32(acc1, get32(&l, at + step));
        }
        for (; i < end; i += 16, at += step) {
            acc0 = _mm512_add_epi32(acc0, _mm512_maskz_mov_epi32(tail16(end - i), get32(&l, at)));
        }
        __m512i odd = _mm512_add_epi64(_mm512_srli_epi64(acc0, 32), _mm512_srli_epi64(acc1, 32));
        __m512i low = _mm512_set1_epi64(0xffffffff);
        __m512i even = _mm512_add_epi64(_mm512_and_si512(acc0, low), _mm512_and_si512(acc1, low));
        total += (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(odd, even));
    }
    return total;
}

/* High and low halves of each lane are added apart: neither overflows in 2^32 vectors. */
INLINE unsigned __int128 sum_wide(const uint8_t *packed, size_t first, size_t n, unsigned width)
{
    struct lanes l = lanes64(packed, first, width);
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

TARGET static unsigned __int128 sum(const uint8_t *packed, size_t first, size_t n, unsigned width)
{
    return width <= 22 ? sum_narrow(packed, first, n, width) : sum_wide(packed, first, n, width);
}

TARGET static void minmax(const uint8_t *packed, size_t first, size_t n, unsigned width,
                          uint64_t *min, uint64_t *max)
{
    __m512i lo = _mm512_set1_epi64(-1);
    __m512i hi = _mm512_setzero_si512();
    if (width <= 32) {
        struct lanes l = lanes32(packed, first, width);
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
    struct lanes l = lanes64(packed, first, width);
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

TARGET static void expand32(uint32_t *dst, size_t n, const uint8_t *bitmap, size_t bit,
                            unsigned group_log, const uint32_t *src, unsigned shift)
{
    uint32_t starts = group_starts[group_log];
    uint32_t ones = (1U << (1U << group_log)) - 1;
    __m128i left = _mm_cvtsi32_si128((int)shift);
    for (size_t i = 0; i < n; i += 16, bit += 16U >> group_log) {
        uint32_t groups = bbi_get_u32(bitmap + bit / 8) >> (bit % 8);
        __mmask16 lanes = (__mmask16)(lane_mask(groups, starts, ones) & tail16(n - i));
        __m512i v = _mm512_maskz_expand_epi32(lanes, _mm512_loadu_si512(src));
        __m512i old = _mm512_loadu_si512(dst + i);
        _mm512_storeu_si512(dst + i, _mm512_add_epi32(old, _mm512_sll_epi32(v, left)));
        src += _mm_popcnt_u32(lanes);
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

INLINE __m512d quotient(__m512d k, const struct bbi_scale *s)
{
    __m512d inverse = _mm512_set1_pd(s->inverse);
    __m512d i = _mm512_mul_pd(k, _mm512_set1_pd(s->gcd));
    __m512d q = _mm512_mul_pd(i, inverse);
    __m512d r = _mm512_fnmadd_pd(q, _mm512_set1_pd(s->power), i);
    q = _mm512_fmadd_pd(r, inverse, q);
    if (s->float32) {
        q = _mm512_cvtps_pd(_mm512_cvtpd_ps(q));
    }
    return q;
}

TARGET static void double32(const int32_t *r, size_t n, int64_t base, const struct bbi_scale *scale,
                            uint64_t *out)
{
    const struct bbi_scale s = *scale;
    __m512d add = _mm512_set1_pd((double)base);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(r + i));
        __m512d k = _mm512_add_pd(_mm512_cvtepi32_pd(v), add);
        _mm512_storeu_pd((double *)(void *)(out + i), quotient(k, &s));
    }
    if (i < n) {
        __m256i v = _mm256_maskz_loadu_epi32(tail8(n - i), r + i);
        __m512d k = _mm512_add_pd(_mm512_cvtepi32_pd(v), add);
        _mm512_mask_storeu_pd((double *)(void *)(out + i), tail8(n - i), quotient(k, &s));
    }
}

TARGET static void double64(const int64_t *k, size_t n, const struct bbi_scale *scale,
                            uint64_t *out)
{
    const struct bbi_scale s = *scale;
    for (size_t i = 0; i < n; i += 8) {
        __mmask8 in = tail8(n - i);
        __m512d v = _mm512_cvtepi64_pd(_mm512_maskz_loadu_epi64(in, k + i));
        _mm512_mask_storeu_pd((double *)(void *)(out + i), in, quotient(v, &s));
    }
}

TARGET static size_t popcount(const uint8_t *bitmap, size_t bits)
{
    size_t count = 0;
    for (; bits >= 64; bits -= 64, bitmap += 8) {
        count += (size_t)_mm_popcnt_u64(bbi_get_u64(bitmap));
    }
    return count + (size_t)_mm_popcnt_u64(_bzhi_u64(bbi_get_u64(bitmap), (unsigned)bits));
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
        __m512d divided = _mm512_div_pd(d, power);
        if (s.float32) {
            divided = _mm512_cvtps_pd(_mm512_cvtpd_ps(divided));
        }
        good &= _mm512_cmpeq_epi64_mask(_mm512_castpd_si512(quotient(d, &s)), raw);
        good &= _mm512_cmpeq_epi64_mask(_mm512_castpd_si512(divided), raw);
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

TARGET static void profile(const uint64_t *r, size_t n, struct bbi_profile *out)
{
    uint8_t lengths[BBI_CHUNK_MAX + 64];
    __m512i all = _mm512_setzero_si512();
    size_t at = 0;
    for (; at < n; at += 8) {
        __m512i v = _mm512_maskz_loadu_epi64(tail8(n - at), r + at);
        __m512i length = _mm512_sub_epi64(_mm512_set1_epi64(64), _mm512_lzcnt_epi64(v));
        all = _mm512_or_si512(all, v);
        _mm_storel_epi64((__m128i *)(void *)(lengths + at), _mm512_cvtepi64_epi8(length));
    }
    _mm512_storeu_si512(lengths + at, _mm512_setzero_si512());
    unsigned widest = bbi_bit_length((uint64_t)_mm512_reduce_or_epi64(all));
    out->widest = widest;
    for (unsigned g = 0; g < 5; g++, n = (n + 1) / 2) {
        for (unsigned w = 0; w <= widest; w++) {
            unsigned count = 0;
            for (size_t i = 0; i < n; i += 64) {
                __m512i v = _mm512_loadu_si512(lengths + i);
                __mmask64 more = _mm512_cmpgt_epu8_mask(v, _mm512_set1_epi8((char)w));
                count += (unsigned)_mm_popcnt_u64(
                    _bzhi_u64(more, n - i > 64 ? 64 : (unsigned)(n - i)));
            }
            out->above[g][w] = (uint16_t)count;
        }
        halve(lengths, n);
    }
}

const struct bbi_kernel_ops bbi_kernel_avx512 = {
    .unpack32 = unpack32,
    .unpack64 = unpack64,
    .sum = sum,
    .minmax = minmax,
    .expand32 = expand32,
    .expand64 = expand64,
    .scan32 = scan32,
    .popcount = popcount,
    .double32 = double32,
    .double64 = double64,
    .widen32 = widen32,
    .extremes32 = extremes32,
    .total32 = total32,
    .scale = scale,
    .profile = profile,
};

#endif
