/* Every kernel against the plain one, and the plain one against arithmetic on the values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/codec/bitpack.h"
#include "engine/codec/chunk_layout.h"
#include "engine/codec/kernel.h"
#include "tests/unit/codec_random.h"

#define COUNT 1100

static const enum bbi_codec_kernel kernels[] = {BBI_KERNEL_C, BBI_KERNEL_AVX2, BBI_KERNEL_AVX512};
static const char *const kernel_names[] = {"c", "avx2", "avx512"};
#define KERNEL_COUNT 3

static struct codec_random rng;
static uint64_t values[COUNT];

static void fill(unsigned width, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = codec_random_below(&rng, 4) == 0 ? bbi_low_mask(width)
                                                     : codec_random_bits(&rng, width);
    }
}

/* The packed values in a block of exactly their size and the promised pad. */
static uint8_t *packed(unsigned width, size_t n)
{
    size_t bytes = bbi_bitpack_bytes(n, width);
    uint8_t *block = malloc(bytes + BBI_CODEC_PAD);
    assert_non_null(block);
    uint8_t *wide = malloc(bytes + 8);
    assert_non_null(wide);
    bbi_bitpack_pack(values, n, width, wide);
    memset(block, 0xa5, bytes + BBI_CODEC_PAD);
    memcpy(block, wide, bytes);
    free(wide);
    return block;
}

static void check_window(const uint8_t *block, unsigned width, size_t first, size_t n)
{
    uint64_t *out64 = malloc(n * sizeof(*out64) + 1);
    uint32_t *out32 = malloc(n * sizeof(*out32) + 1);
    assert_true(out64 != NULL && out32 != NULL);
    bbi_bitpack_unpack64(block, first, n, width, out64);
    assert_memory_equal(out64, values + first, n * sizeof(*out64));
    if (width <= 32) {
        bbi_bitpack_unpack32(block, first, n, width, out32);
    }
    unsigned __int128 sum = 0;
    uint64_t min = UINT64_MAX;
    uint64_t max = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = values[first + i];
        assert_true(width > 32 || out32[i] == v);
        sum += v;
        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    assert_true(bbi_bitpack_sum(block, first, n, width) == sum);
    if (n > 0) {
        uint64_t got_min;
        uint64_t got_max;
        bbi_bitpack_minmax(block, first, n, width, &got_min, &got_max);
        assert_true(got_min == min && got_max == max);
    }
    free(out64);
    free(out32);
}

static void every_width_and_window(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 336, 1023, 1024, COUNT};
    for (size_t k = 0; k < KERNEL_COUNT; k++) {
        if (!bbi_codec_set_kernel(kernels[k])) {
            printf("kernel %s is missing on this CPU\n", kernel_names[k]);
            continue;
        }
        assert_int_equal(bbi_codec_get_kernel(), kernels[k]);
        for (unsigned width = 0; width <= 64; width++) {
            for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
                size_t n = sizes[s];
                fill(width, n);
                uint8_t *block = packed(width, n);
                check_window(block, width, 0, n);
                for (int round = 0; round < 6; round++) {
                    size_t first = codec_random_below(&rng, n + 1);
                    check_window(block, width, first, codec_random_below(&rng, n - first + 1));
                }
                free(block);
            }
        }
    }
}

/* The largest values in numbers that overflow 32-bit lanes if they are not folded in time. */
static void long_sums_do_not_overflow(void **state)
{
    (void)state;
    size_t n = 70001;
    for (size_t k = 0; k < KERNEL_COUNT; k++) {
        if (!bbi_codec_set_kernel(kernels[k])) {
            continue;
        }
        for (unsigned width = 1; width <= 64; width++) {
            size_t bytes = bbi_bitpack_bytes(n, width);
            uint8_t *block = malloc(bytes + BBI_CODEC_PAD);
            assert_non_null(block);
            memset(block, 0xff, bytes + BBI_CODEC_PAD);
            unsigned __int128 want = (unsigned __int128)bbi_low_mask(width) * n;
            assert_true(bbi_bitpack_sum(block, 0, n, width) == want);
            free(block);
        }
    }
}

static void packing_drops_high_bits_and_zeroes_the_rest(void **state)
{
    (void)state;
    uint64_t v[3] = {UINT64_MAX, 0, UINT64_MAX};
    uint8_t out[16];
    memset(out, 0xee, sizeof(out));
    bbi_bitpack_pack(v, 3, 3, out);
    assert_int_equal(out[0], 0xc7);
    assert_int_equal(out[1], 0x01);
}

static void expansion_agrees_with_the_plain_kernel(void **state)
{
    (void)state;
    const struct bbi_kernel_ops *ops[] = {
#ifdef __x86_64__
        &bbi_kernel_avx2, &bbi_kernel_avx512
#endif
    };
    uint8_t bitmap[256];
    uint32_t src32[COUNT + 64], plain32[COUNT + 64], fast32[COUNT + 64];
    uint64_t src64[COUNT + 64], plain64[COUNT + 64], fast64[COUNT + 64];
    for (int round = 0; round < 3000; round++) {
        size_t k = (size_t)round % 2;
        if (!bbi_codec_set_kernel(kernels[k + 1])) {
            continue;
        }
        for (size_t i = 0; i < sizeof(bitmap); i++) {
            bitmap[i] = (uint8_t)codec_random_bits(&rng, 1 + (unsigned)round % 8);
        }
        for (size_t i = 0; i < COUNT + 64; i++) {
            src64[i] = codec_random_u64(&rng);
            src32[i] = (uint32_t)src64[i];
            fast64[i] = plain64[i] = codec_random_u64(&rng);
            fast32[i] = plain32[i] = (uint32_t)plain64[i];
        }
        size_t n = codec_random_below(&rng, 1025);
        size_t bit = codec_random_below(&rng, 100);
        unsigned group_log = (unsigned)codec_random_below(&rng, 5);
        unsigned shift = (unsigned)codec_random_below(&rng, 32);
        bbi_kernel_c.expand64(plain64, n, bitmap, bit, group_log, src64, 2 * shift);
        ops[k]->expand64(fast64, n, bitmap, bit, group_log, src64, 2 * shift);
        assert_memory_equal(plain64, fast64, n * sizeof(plain64[0]));
        bool zigzag = codec_random_below(&rng, 2) != 0;
        bbi_kernel_c.scan32(plain32, n, src32[0], src32[1], zigzag);
        ops[k]->scan32(fast32, n, src32[0], src32[1], zigzag);
        assert_memory_equal(plain32, fast32, n * sizeof(plain32[0]));
    }
}

/* chunk_layout.h's claim, on which files that move between machines depend: for these powers the
 * reciprocal with one correction is the correctly rounded quotient, as division is. */
static void quotients_equal_division(void **state)
{
    (void)state;
    static const unsigned exponents[] = {0, 1, 2, 3, 4, 6, 7, 8};
    int64_t k[64];
    uint64_t divided[64];
    uint64_t corrected[64];
    for (size_t round = 0; round < 40000; round++) {
        unsigned e = exponents[round % 8];
        struct bbi_chunk c = {.gcd = 1, .mode = BBI_MODE_DECIMAL, .exponent = (uint8_t)e};
        struct bbi_scale scale = bbi_chunk_scale(&c);
        assert_false(scale.divide);
        for (size_t i = 0; i < 64; i++) {
            k[i] = (int64_t)codec_random_below(&rng, 1999999999999999) - 999999999999999;
            k[i] >>= codec_random_below(&rng, 50);
        }
        bbi_kernel_c.double64(k, 64, &scale, divided);
        for (size_t i = 1; i < 3; i++) {
            if (!bbi_codec_set_kernel(kernels[i])) {
                continue;
            }
            bbi_kernel_get()->double64(k, 64, &scale, corrected);
            assert_memory_equal(divided, corrected, sizeof(divided));
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    codec_random_init(&rng);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width_and_window),
        cmocka_unit_test(long_sums_do_not_overflow),
        cmocka_unit_test(packing_drops_high_bits_and_zeroes_the_rest),
        cmocka_unit_test(expansion_agrees_with_the_plain_kernel),
        cmocka_unit_test(quotients_equal_division),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
