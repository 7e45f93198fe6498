#include "engine/codec/bitpack.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/codec/kernel.h"

static const struct bbi_kernel_ops *_Atomic active;
static _Atomic int active_kernel;

#ifdef __x86_64__
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vbmi2");
}
#endif

/* NULL: the CPU lacks it. */
static const struct bbi_kernel_ops *kernel_ops(enum bbi_codec_kernel kernel)
{
#ifdef __x86_64__
    if (kernel == BBI_KERNEL_AVX512) {
        return has_avx512() ? &bbi_kernel_avx512 : NULL;
    }
    if (kernel == BBI_KERNEL_AVX2) {
        return has_avx2() ? &bbi_kernel_avx2 : NULL;
    }
#endif
    return kernel == BBI_KERNEL_C ? &bbi_kernel_c : NULL;
}

bool bbi_codec_set_kernel(enum bbi_codec_kernel kernel)
{
    const struct bbi_kernel_ops *ops = kernel_ops(kernel);
    if (ops == NULL) {
        return false;
    }
    active_kernel = (int)kernel;
    active = ops;
    return true;
}

/* Threads that come here together all find the same answer. */
const struct bbi_kernel_ops *bbi_kernel_get(void)
{
    const struct bbi_kernel_ops *ops = active;
    if (__builtin_expect(ops != NULL, 1)) {
        return ops;
    }
    if (!bbi_codec_set_kernel(BBI_KERNEL_AVX512) && !bbi_codec_set_kernel(BBI_KERNEL_AVX2)) {
        (void)bbi_codec_set_kernel(BBI_KERNEL_C);
    }
    return active;
}

enum bbi_codec_kernel bbi_codec_get_kernel(void)
{
    (void)bbi_kernel_get();
    return (enum bbi_codec_kernel)active_kernel;
}

static inline void put_bits(struct bbi_bitwriter *w, uint64_t value, unsigned width)
{
    w->bits |= value << w->used;
    w->used += width;
    if (w->used >= 64) {
        bbi_put_u64(w->out, w->bits);
        w->out += 8;
        w->used -= 64;
        w->bits = w->used == 0 ? 0 : value >> (width - w->used);
    }
}

/* Four narrow values go in as one. */
static size_t put_fours(struct bbi_bitwriter *w, const uint64_t *v, size_t n, unsigned width)
{
    uint64_t mask = bbi_low_mask(width);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        uint64_t two = (v[i] & mask) | (v[i + 1] & mask) << width;
        uint64_t four = (v[i + 2] & mask) | (v[i + 3] & mask) << width;
        put_bits(w, two | four << (2 * width), 4 * width);
    }
    return i;
}

void bbi_bitwriter_put(struct bbi_bitwriter *w, const uint64_t *v, size_t n, unsigned width)
{
    BB_ASSERT(width <= 64);
    if (width == 0) {
        return;
    }
    uint64_t mask = bbi_low_mask(width);
    struct bbi_bitwriter local = *w;
    size_t done = width <= 16 ? put_fours(&local, v, n, width) : 0;
    for (size_t i = done; i < n; i++) {
        put_bits(&local, v[i] & mask, width);
    }
    *w = local;
}

void bbi_bitwriter_put_bitmap(struct bbi_bitwriter *w, const uint64_t *bitmap, size_t n)
{
    for (; n >= 64; n -= 64) {
        put_bits(w, *bitmap++, 64);
    }
    if (n > 0) {
        put_bits(w, *bitmap & bbi_low_mask((unsigned)n), (unsigned)n);
    }
}

uint8_t *bbi_bitwriter_end(struct bbi_bitwriter *w)
{
    if (w->used > 0) {
        bbi_put_u64(w->out, w->bits);
    }
    return w->out + (w->used + 7) / 8;
}

void bbi_bitpack_pack(const uint64_t *v, size_t n, unsigned width, uint8_t *out)
{
    struct bbi_bitwriter w = {.out = out};
    bbi_bitwriter_put(&w, v, n, width);
    (void)bbi_bitwriter_end(&w);
}

void bbi_bits_unpack32(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint32_t *out)
{
    BB_ASSERT(width <= 32);
    if (n == 0 || width == 0) {
        memset(out, 0, n * sizeof(*out));
        return;
    }
    bbi_kernel_get()->unpack32(packed, bit, n, width, out);
}

void bbi_bits_unpack64(const uint8_t *packed, size_t bit, size_t n, unsigned width, uint64_t *out)
{
    BB_ASSERT(width <= 64);
    if (n == 0 || width == 0) {
        memset(out, 0, n * sizeof(*out));
        return;
    }
    bbi_kernel_get()->unpack64(packed, bit, n, width, out);
}

void bbi_bitpack_unpack32(const uint8_t *packed, size_t first, size_t n, unsigned width,
                          uint32_t *out)
{
    bbi_bits_unpack32(packed, first * width, n, width, out);
}

void bbi_bitpack_unpack64(const uint8_t *packed, size_t first, size_t n, unsigned width,
                          uint64_t *out)
{
    bbi_bits_unpack64(packed, first * width, n, width, out);
}

unsigned __int128 bbi_bitpack_sum(const uint8_t *packed, size_t first, size_t n, unsigned width)
{
    BB_ASSERT(width <= 64 && n <= UINT32_MAX);
    if (n == 0 || width == 0) {
        return 0;
    }
    return bbi_kernel_get()->sum(packed, first * width, n, width);
}

void bbi_bitpack_minmax(const uint8_t *packed, size_t first, size_t n, unsigned width,
                        uint64_t *min, uint64_t *max)
{
    BB_ASSERT(width <= 64 && n > 0);
    *min = 0;
    *max = 0;
    if (width > 0) {
        bbi_kernel_get()->minmax(packed, first * width, n, width, min, max);
    }
}
