/*
 * AVX2 kernels. Each 128-bit half holds 4 values of up to 25 bits, or 2 of up to 57, from a load of
 * its own: a byte shuffle brings each lane its bytes, a variable shift and a mask its value. After
 * 8 values the bit position has moved by `width` bytes, so indexes and shifts stay the same for a
 * whole column. Wider values and tails go through the plain kernel.
 */
#ifdef __x86_64__

#include <immintrin.h>

#include "engine/base/bytes.h"
#include "engine/codec/chunk_layout.h"
#include "engine/codec/kernel.h"
#include "engine/codec/kernel_layers.h"

#define TARGET __attribute__((target("avx2,fma,bmi,bmi2,lzcnt,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

#define NARROW_MAX 25
#define WIDE_MAX   57

struct lanes {
    const uint8_t *at;
    size_t upper; /* bytes from the load of the low half to that of the high half */
    __m256i index;
    __m256i shift;
    __m256i mask;
};

INLINE struct lanes lanes32(const uint8_t *packed, size_t bit, unsigned width)
{
    size_t upper = bit % 8 + 4 * (size_t)width;
    __m256i start = _mm256_set_m128i(_mm_set1_epi32((int)(upper % 8)),
                                     _mm_set1_epi32((int)(bit % 8)));
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3);
    __m256i at = _mm256_add_epi32(_mm256_mullo_epi32(lane, _mm256_set1_epi32((int)width)), start);
    __m256i byte = _mm256_shuffle_epi8(_mm256_srli_epi32(at, 3),
                                       _mm256_broadcastsi128_si256(_mm_setr_epi8(
                                           0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12)));
    return (struct lanes){
        .at = packed + bit / 8,
        .upper = upper / 8,
        .index = _mm256_add_epi8(byte, _mm256_set1_epi32(0x03020100)),
        .shift = _mm256_and_si256(at, _mm256_set1_epi32(7)),
        .mask = _mm256_set1_epi32((int)(uint32_t)bbi_low_mask(width)),
    };
}

INLINE __m256i load_halves(const uint8_t *at, size_t upper)
{
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(at + upper));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

INLINE __m256i get32(const struct lanes *l, const uint8_t *at)
{
    __m256i v = _mm256_shuffle_epi8(load_halves(at, l->upper), l->index);
    return _mm256_and_si256(_mm256_srlv_epi32(v, l->shift), l->mask);
}

/* Four wide values from bit `bit` on. */
INLINE struct lanes lanes64(const uint8_t *packed, size_t bit, unsigned width)
{
    size_t upper = bit % 8 + 2 * (size_t)width;
    int64_t low = (int64_t)(bit % 8);
    int64_t high = (int64_t)(upper % 8);
    __m256i at = _mm256_setr_epi64x(low, low + (int64_t)width, high, high + (int64_t)width);
    __m256i byte = _mm256_shuffle_epi8(
        _mm256_srli_epi64(at, 3), _mm256_setr_epi64x(0, 0x0808080808080808, 0, 0x0808080808080808));
    return (struct lanes){
        .at = packed + bit / 8,
        .upper = upper / 8,
        .index = _mm256_add_epi8(byte, _mm256_set1_epi64x(0x0706050403020100)),
        .shift = _mm256_and_si256(at, _mm256_set1_epi64x(7)),
        .mask = _mm256_set1_epi64x((int64_t)bbi_low_mask(width)),
    };
}

INLINE __m256i get64(const struct lanes *l, const uint8_t *at)
{
    __m256i v = _mm256_shuffle_epi8(load_halves(at, l->upper), l->index);
    return _mm256_and_si256(_mm256_srlv_epi64(v, l->shift), l->mask);
}

INLINE void store(void *out, __m256i v)
{
    _mm256_storeu_si256((__m256i *)out, v);
}

INLINE __m256i load(const void *in)
{
    return _mm256_loadu_si256((const __m256i *)in);
}

INLINE size_t unpack64_body(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                            uint64_t *out)
{
    struct lanes even = lanes64(packed, bit, width);
    struct lanes odd = lanes64(packed, bit + 4 * (size_t)width, width);
    const uint8_t *at = even.at;
    const uint8_t *at4 = odd.at;
    size_t i = 0;
    for (; i + 8 <= n; i += 8, at += width, at4 += width) {
        store(out + i, get64(&even, at));
        store(out + i + 4, get64(&odd, at4));
    }
    return i;
}

TARGET static void unpack64(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                            uint64_t *out)
{
    size_t done = width <= WIDE_MAX ? unpack64_body(packed, bit, n, width, out) : 0;
    if (done < n) {
        bbi_kernel_c.unpack64(packed, bit + done * width, n - done, width, out + done);
    }
}

INLINE size_t unpack32_wide(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                            uint32_t *out)
{
    struct lanes even = lanes64(packed, bit, width);
    struct lanes odd = lanes64(packed, bit + 4 * (size_t)width, width);
    const uint8_t *at = even.at;
    const uint8_t *at4 = odd.at;
    __m256i pick = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    size_t i = 0;
    for (; i + 8 <= n; i += 8, at += width, at4 += width) {
        __m256i low = _mm256_permutevar8x32_epi32(get64(&even, at), pick);
        __m256i high = _mm256_permutevar8x32_epi32(get64(&odd, at4), pick);
        store(out + i, _mm256_blend_epi32(low, high, 0xf0));
    }
    return i;
}

INLINE size_t unpack32_narrow(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                              uint32_t *out)
{
    struct lanes l = lanes32(packed, bit, width);
    const uint8_t *at = l.at;
    size_t i = 0;
    for (; i + 8 <= n; i += 8, at += width) {
        store(out + i, get32(&l, at));
    }
    return i;
}

TARGET static void unpack32(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                            uint32_t *out)
{
    size_t done = width <= NARROW_MAX ? unpack32_narrow(packed, bit, n, width, out)
                                      : unpack32_wide(packed, bit, n, width, out);
    if (done < n) {
        bbi_kernel_c.unpack32(packed, bit + done * width, n - done, width, out + done);
    }
}

INLINE uint64_t add_lanes(__m256i v)
{
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return (uint64_t)_mm_cvtsi128_si64(two) + (uint64_t)_mm_extract_epi64(two, 1);
}

/* Lanes of 32 bits hold 2^(32-width) values: 1,024 vectors up to 22 bits. */
INLINE uint64_t sum_narrow(const uint8_t *packed, size_t bit, size_t n, unsigned width)
{
    struct lanes l = lanes32(packed, bit, width);
    const uint8_t *at = l.at;
    __m256i low = _mm256_set1_epi64x(0xffffffff);
    uint64_t total = 0;
    for (size_t i = 0; i < n;) {
        size_t end = n - i > 8192 ? i + 8192 : n;
        __m256i acc0 = _mm256_setzero_si256();
        __m256i acc1 = _mm256_setzero_si256();
        for (; i + 16 <= end; i += 16, at += 2 * (size_t)width) {
            acc0 = _mm256_add_epi32(acc0, get32(&l, at));
            acc1 = _mm256_add_epi32(acc1, get32(&l, at + width));
        }
        for (; i < end; i += 8, at += width) {
            acc0 = _mm256_add_epi32(acc0, get32(&l, at));
        }
        __m256i odd = _mm256_add_epi64(_mm256_srli_epi64(acc0, 32), _mm256_srli_epi64(acc1, 32));
        __m256i even = _mm256_add_epi64(_mm256_and_si256(acc0, low), _mm256_and_si256(acc1, low));
        total += add_lanes(_mm256_add_epi64(odd, even));
    }
    return total;
}

/* High and low halves of each lane are added apart: neither overflows in 2^32 vectors. */
INLINE unsigned __int128 sum_wide(const uint8_t *packed, size_t bit, size_t n, unsigned width)
{
    struct lanes even = lanes64(packed, bit, width);
    struct lanes odd = lanes64(packed, bit + 4 * (size_t)width, width);
    __m256i ones = _mm256_set1_epi64x(0xffffffff);
    __m256i low = _mm256_setzero_si256();
    __m256i high = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i += 8) {
        __m256i a = get64(&even, even.at + i / 8 * width);
        __m256i b = get64(&odd, odd.at + i / 8 * width);
        low = _mm256_add_epi64(low, _mm256_and_si256(a, ones));
        low = _mm256_add_epi64(low, _mm256_and_si256(b, ones));
        high = _mm256_add_epi64(high, _mm256_srli_epi64(a, 32));
        high = _mm256_add_epi64(high, _mm256_srli_epi64(b, 32));
    }
    return ((unsigned __int128)add_lanes(high) << 32) + add_lanes(low);
}

TARGET static unsigned __int128 sum(const uint8_t *packed, size_t bit, size_t n, unsigned width)
{
    size_t body = width <= WIDE_MAX ? n & ~(size_t)7 : 0;
    unsigned __int128 total = 0;
    if (body > 0) {
        total = width <= 22 ? sum_narrow(packed, bit, body, width)
                            : sum_wide(packed, bit, body, width);
    }
    if (body < n) {
        total += bbi_kernel_c.sum(packed, bit + body * width, n - body, width);
    }
    return total;
}

INLINE void minmax_narrow(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                          uint64_t *min, uint64_t *max)
{
    struct lanes l = lanes32(packed, bit, width);
    __m256i lo = _mm256_set1_epi32(-1);
    __m256i hi = _mm256_setzero_si256();
    const uint8_t *at = l.at;
    for (size_t i = 0; i < n; i += 8, at += width) {
        __m256i v = get32(&l, at);
        lo = _mm256_min_epu32(lo, v);
        hi = _mm256_max_epu32(hi, v);
    }
    uint32_t lows[8];
    uint32_t highs[8];
    store(lows, lo);
    store(highs, hi);
    for (size_t i = 0; i < 8; i++) {
        *min = lows[i] < *min ? lows[i] : *min;
        *max = highs[i] > *max ? highs[i] : *max;
    }
}

TARGET static void minmax(const uint8_t *packed, size_t bit, size_t n, unsigned width,
                          uint64_t *min, uint64_t *max)
{
    size_t body = width <= NARROW_MAX ? n & ~(size_t)7 : 0;
    *min = UINT64_MAX;
    *max = 0;
    if (body > 0) {
        minmax_narrow(packed, bit, body, width, min, max);
    }
    if (body < n) {
        uint64_t lo;
        uint64_t hi;
        bbi_kernel_c.minmax(packed, bit + body * width, n - body, width, &lo, &hi);
        *min = lo < *min ? lo : *min;
        *max = hi > *max ? hi : *max;
    }
}

/* The first lane of every group of 2^group_log of 16. */
static const uint16_t group_starts[5] = {0xffff, 0x5555, 0x1111, 0x0101, 0x0001};

/* A byte of ones for each of 8 lanes that is set. */
INLINE uint64_t lane_bytes(uint32_t lanes)
{
    return _pdep_u64(lanes & 0xff, 0x0101010101010101) * 0xff;
}

/* Marked lanes take the elements of `upper` in a row: their numbers are deposited into the bytes of
 * the marked ones, and a permutation follows them. */
INLINE __m256i place_lanes(const uint32_t *upper, uint64_t bytes)
{
    uint64_t numbers = _pdep_u64(0x0706050403020100, bytes);
    __m256i index = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)numbers));
    __m256i in = _mm256_cvtepi8_epi32(_mm_cvtsi64_si128((int64_t)bytes));
    return _mm256_and_si256(_mm256_permutevar8x32_epi32(load(upper), index), in);
}

/* Marks taken from one load, which brings at least 57: those of whole steps of 16 values. */
#define MARKS_PER_LOAD 48

/* Add the upper bits of marked groups to values that are in place. */
TARGET static void place_upper(const struct bbi_layer *layer, uint32_t *restrict dst)
{
    const uint32_t *upper = layer->upper;
    uint32_t starts = group_starts[layer->group_log];
    uint32_t ones = (1U << (1U << layer->group_log)) - 1;
    size_t n = layer->n;
    unsigned step = 16U >> layer->group_log;
    size_t block = (size_t)MARKS_PER_LOAD << layer->group_log;
    for (size_t i = 0, mark = layer->mark_bit; i < n; mark += MARKS_PER_LOAD) {
        uint64_t marks = bbi_get_u64(layer->payload + mark / 8) >> (mark % 8);
        size_t end = n - i > block ? i + block : n;
        for (; i < end; i += 16, marks >>= step) {
            uint32_t lanes = _pdep_u32((uint32_t)marks, starts) * ones;
            __m256i low = place_lanes(upper, lane_bytes(lanes));
            upper += (size_t)_mm_popcnt_u64(lanes & 0xff);
            __m256i high = place_lanes(upper, lane_bytes(lanes >> 8));
            upper += (size_t)_mm_popcnt_u64(lanes & 0xff00);
            store(dst + i, _mm256_or_si256(load(dst + i), low));
            store(dst + i + 8, _mm256_or_si256(load(dst + i + 8), high));
        }
    }
}

INLINE void put_narrow(const struct bbi_layer *layer, uint32_t *restrict dst)
{
    struct lanes l = lanes32(layer->payload, layer->bit, layer->width);
    __m128i shift = _mm_cvtsi32_si128((int)layer->shift);
    const uint8_t *at = l.at;
    size_t n = layer->n;
    size_t step = layer->width;
    for (size_t i = 0; i < n; i += 8, at += step) {
        store(dst + i, _mm256_sll_epi32(get32(&l, at), shift));
    }
}

TARGET static void layer32(const struct bbi_layer *layer, uint32_t *dst)
{
    if (layer->width <= NARROW_MAX) {
        put_narrow(layer, dst);
    } else {
        unpack32(layer->payload, layer->bit, layer->n, layer->width, dst);
        for (size_t i = 0; i < layer->n; i++) {
            dst[i] <<= layer->shift;
        }
    }
    if (layer->upper != NULL) {
        place_upper(layer, dst);
    }
}

INLINE __m256i scan_vector(__m256i v)
{
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
    __m256i low_sum = _mm256_permutevar8x32_epi32(v, _mm256_set1_epi32(3));
    return _mm256_add_epi32(v, _mm256_blend_epi32(_mm256_setzero_si256(), low_sum, 0xf0));
}

TARGET static void scan32(uint32_t *v, size_t n, uint32_t start, uint32_t base, bool zigzag)
{
    __m256i carry = _mm256_set1_epi32((int)start);
    __m256i add = _mm256_set1_epi32((int)base);
    __m256i sign = _mm256_set1_epi32(zigzag ? 1 : 0);
    __m128i half = _mm_cvtsi32_si128(zigzag ? 1 : 0);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i d = load(v + i);
        __m256i minus = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_and_si256(d, sign));
        d = _mm256_xor_si256(_mm256_srl_epi32(d, half), minus);
        d = _mm256_add_epi32(scan_vector(_mm256_add_epi32(d, add)), carry);
        carry = _mm256_permutevar8x32_epi32(d, _mm256_set1_epi32(7));
        store(v + i, d);
    }
    if (i < n) {
        bbi_kernel_c.scan32(v + i, n - i, (uint32_t)_mm256_cvtsi256_si32(carry), base, zigzag);
    }
}

INLINE __m256d quotient(__m256d k, const struct bbi_scale *s)
{
    __m256d inverse = _mm256_set1_pd(s->inverse);
    __m256d i = _mm256_mul_pd(k, _mm256_set1_pd(s->gcd));
    __m256d q = _mm256_mul_pd(i, inverse);
    __m256d r = _mm256_fnmadd_pd(q, _mm256_set1_pd(s->power), i);
    q = _mm256_fmadd_pd(r, inverse, q);
    if (s->float32) {
        q = _mm256_cvtps_pd(_mm256_cvtpd_ps(q));
    }
    return q;
}

TARGET static void double32(const int32_t *r, size_t n, int64_t base, const struct bbi_scale *scale,
                            uint64_t *out)
{
    const struct bbi_scale s = *scale;
    __m256d add = _mm256_set1_pd((double)base);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(r + i));
        __m256d k = _mm256_add_pd(_mm256_cvtepi32_pd(v), add);
        store(out + i, _mm256_castpd_si256(quotient(k, &s)));
    }
    if (i < n) {
        bbi_kernel_c.double32(r + i, n - i, base, scale, out + i);
    }
}

/* k + 1.5 * 2^52 as an integer is k in the low bits of that double: exact below 2^51. */
TARGET static void double64(const int64_t *k, size_t n, const struct bbi_scale *scale,
                            uint64_t *out)
{
    const struct bbi_scale s = *scale;
    __m256d magic = _mm256_set1_pd(6755399441055744.0);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256i v = _mm256_add_epi64(load(k + i), _mm256_castpd_si256(magic));
        __m256d d = _mm256_sub_pd(_mm256_castsi256_pd(v), magic);
        store(out + i, _mm256_castpd_si256(quotient(d, &s)));
    }
    if (i < n) {
        bbi_kernel_c.double64(k + i, n - i, scale, out + i);
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

TARGET static void widen32(const int32_t *r, size_t n, int64_t base, uint64_t *out)
{
    __m256i add = _mm256_set1_epi64x(base);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(r + i));
        store(out + i, _mm256_add_epi64(_mm256_cvtepi32_epi64(v), add));
    }
    if (i < n) {
        bbi_kernel_c.widen32(r + i, n - i, base, out + i);
    }
}

TARGET static void extremes32(const int32_t *v, size_t n, int32_t *min, int32_t *max)
{
    __m256i lo = _mm256_set1_epi32(INT32_MAX);
    __m256i hi = _mm256_set1_epi32(INT32_MIN);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        lo = _mm256_min_epi32(lo, load(v + i));
        hi = _mm256_max_epi32(hi, load(v + i));
    }
    int32_t all[24];
    size_t count = 16;
    store(all, lo);
    store(all + 8, hi);
    *min = INT32_MAX;
    *max = INT32_MIN;
    for (; i < n; i++) {
        all[count++] = v[i];
    }
    for (i = 0; i < count; i++) {
        if (i < 8 || i >= 16) {
            *min = all[i] < *min ? all[i] : *min;
        }
        if (i >= 8) {
            *max = all[i] > *max ? all[i] : *max;
        }
    }
}

TARGET static int64_t total32(const int32_t *v, size_t n)
{
    __m256i acc = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(v + i));
        acc = _mm256_add_epi64(acc, _mm256_cvtepi32_epi64(x));
    }
    return (int64_t)add_lanes(acc) + bbi_kernel_c.total32(v + i, n - i);
}

TARGET static size_t scale(const uint64_t *bits, size_t n, const struct bbi_scale *scale_in,
                           int64_t *k, uint16_t *bad)
{
    const struct bbi_scale s = *scale_in;
    __m256d power = _mm256_set1_pd(s.power);
    __m256d limit = _mm256_set1_pd(BBI_CHUNK_INT_LIMIT);
    __m256d magic = _mm256_set1_pd(6755399441055744.0);
    __m256d sign = _mm256_set1_pd(-0.0);
    size_t bad_count = 0;
    size_t at = 0;
    for (; at + 4 <= n; at += 4) {
        __m256i raw = load(bits + at);
        __m256d product = _mm256_mul_pd(_mm256_castsi256_pd(raw), power);
        __m256d good = _mm256_cmp_pd(_mm256_andnot_pd(sign, product), limit, _CMP_LT_OQ);
        __m256d shifted = _mm256_add_pd(product, magic);
        __m256i i = _mm256_sub_epi64(_mm256_castpd_si256(shifted), _mm256_castpd_si256(magic));
        __m256d d = _mm256_add_pd(_mm256_sub_pd(shifted, magic), _mm256_setzero_pd());
        __m256i same = _mm256_cmpeq_epi64(_mm256_castpd_si256(quotient(d, &s)), raw);
        if (s.divide) {
            __m256d divided = _mm256_div_pd(d, power);
            if (s.float32) {
                divided = _mm256_cvtps_pd(_mm256_cvtpd_ps(divided));
            }
            same = _mm256_and_si256(same, _mm256_cmpeq_epi64(_mm256_castpd_si256(divided), raw));
        }
        store(k + at, i);
        good = _mm256_and_pd(good, _mm256_castsi256_pd(same));
        for (uint32_t left = ~(uint32_t)_mm256_movemask_pd(good) & 15; left != 0;
             left &= left - 1) {
            bad[bad_count++] = (uint16_t)(at + _tzcnt_u32(left));
        }
    }
    uint16_t last[4];
    size_t more = at < n ? bbi_kernel_c.scale(bits + at, n - at, scale_in, k + at, last) : 0;
    for (size_t i = 0; i < more; i++) {
        bad[bad_count++] = (uint16_t)(at + last[i]);
    }
    return bad_count;
}

INLINE void halve(uint8_t *lengths, size_t n)
{
    for (size_t i = 0; i < n; i += 32) {
        __m256i v = load(lengths + i);
        v = _mm256_and_si256(_mm256_max_epu8(v, _mm256_srli_epi16(v, 8)), _mm256_set1_epi16(255));
        v = _mm256_permute4x64_epi64(_mm256_packus_epi16(v, v), 0x08);
        _mm_storeu_si128((__m128i *)(void *)(lengths + i / 2), _mm256_castsi256_si128(v));
    }
}

TARGET static size_t find32(const int32_t *v, size_t n, int32_t x)
{
    __m256i wanted = _mm256_set1_epi32(x);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i same = _mm256_cmpeq_epi32(load(v + i), wanted);
        uint32_t found = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(same));
        if (found != 0) {
            return i + _tzcnt_u32(found);
        }
    }
    return i + bbi_kernel_c.find32(v + i, n - i, x);
}

TARGET static uint64_t subtract_min(const uint64_t *k, size_t n, uint64_t flip, uint64_t *r)
{
    /* AVX2 compares signed only: turn whatever order it is into that one. */
    uint64_t sign = (uint64_t)1 << 63;
    __m256i turn = _mm256_set1_epi64x((int64_t)(flip ^ sign));
    __m256i low = _mm256_set1_epi64x(INT64_MAX);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256i v = _mm256_xor_si256(load(k + i), turn);
        low = _mm256_blendv_epi8(low, v, _mm256_cmpgt_epi64(low, v));
    }
    int64_t lanes[4];
    store(lanes, low);
    int64_t min = INT64_MAX;
    for (size_t l = 0; l < 4; l++) {
        min = lanes[l] < min ? lanes[l] : min;
    }
    for (; i < n; i++) {
        int64_t v = (int64_t)(k[i] ^ flip ^ sign);
        min = v < min ? v : min;
    }
    uint64_t base = (uint64_t)min ^ flip ^ sign;
    __m256i all = _mm256_set1_epi64x((int64_t)base);
    for (i = 0; i + 4 <= n; i += 4) {
        store(r + i, _mm256_sub_epi64(load(k + i), all));
    }
    for (; i < n; i++) {
        r[i] = k[i] - base;
    }
    return base;
}

TARGET static bool differences(const uint64_t *k, size_t n, uint64_t *d)
{
    __m256i any = _mm256_setzero_si256();
    uint64_t rest = 0;
    size_t count = n - 1;
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m256i v = _mm256_sub_epi64(load(k + i + 1), load(k + i));
        any = _mm256_or_si256(any, v);
        store(d + i, v);
    }
    for (; i < count; i++) {
        d[i] = k[i + 1] - k[i];
        rest |= d[i];
    }
    if (_mm256_movemask_pd(_mm256_castsi256_pd(any)) == 0 && rest >> 63 == 0) {
        return false;
    }
    for (i = 0; i + 4 <= count; i += 4) {
        __m256i v = load(d + i);
        __m256i sign = _mm256_cmpgt_epi64(_mm256_setzero_si256(), v);
        store(d + i, _mm256_xor_si256(_mm256_slli_epi64(v, 1), sign));
    }
    for (; i < count; i++) {
        d[i] = bbi_zigzag((int64_t)d[i]);
    }
    return true;
}

TARGET static uint32_t lengths(const uint64_t *r, size_t n, uint8_t *length)
{
    uint32_t total = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)(64 - _lzcnt_u64(r[i]));
        length[i] = (uint8_t)bits;
        total += bits;
    }
    store(length + n, _mm256_setzero_si256());
    store(length + n + 32, _mm256_setzero_si256());
    return total;
}

INLINE unsigned count_above(const uint8_t *length, size_t n, unsigned width)
{
    unsigned count = 0;
    __m256i bound = _mm256_set1_epi8((char)width);
    for (size_t i = 0; i < n; i += 32) {
        __m256i more = _mm256_cmpgt_epi8(load(length + i), bound);
        count += (unsigned)_mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(more));
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
        store(length + n, _mm256_setzero_si256());
        for (unsigned w = 0; w < widest; w++) {
            out->above[g][w] = (uint16_t)count_above(length, n, w);
        }
        out->above[g][widest] = 0;
    }
}

static size_t split(const uint64_t *v, size_t n, unsigned width, unsigned group_log,
                    uint64_t *bitmap, uint64_t *upper)
{
    return bbi_kernel_c.split(v, n, width, group_log, bitmap, upper);
}

static void expand64(uint64_t *dst, size_t n, const uint8_t *bitmap, size_t bit, unsigned group_log,
                     const uint64_t *src, unsigned shift)
{
    bbi_kernel_c.expand64(dst, n, bitmap, bit, group_log, src, shift);
}

TARGET static void layers32(const struct bbi_layers *layers, size_t from, size_t to, uint32_t *dst)
{
    bbi_read_layers32(layers, from, to, dst, popcount, layer32);
}

const struct bbi_kernel_ops bbi_kernel_avx2 = {
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
