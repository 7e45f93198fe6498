#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/codec/bitpack.h"
#include "engine/codec/intcol.h"
#include "tests/unit/codec_random.h"

static const size_t sizes[] = {0, 1, 2, 3, 7, 63, 64, 65, 513, 1023, 1024, 4097, BBI_INTCOL_MAX};
#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))

static const enum bbi_codec_kernel kernels[] = {BBI_KERNEL_C, BBI_KERNEL_AVX2, BBI_KERNEL_AVX512};

static uint64_t values[BBI_INTCOL_MAX];
static uint64_t decoded[BBI_INTCOL_MAX];

/* Encode, copy to an exact-size block so that any over-read is caught, decode, compare. Returns the
 * encoded size. */
static size_t round_trip(size_t n)
{
    struct bbi_buf buf;
    struct bb_error err;
    bbi_buf_init(&buf, NULL, 1 << 20);
    bbi_buf_u8(&buf, 0xee);
    assert_int_equal(bbi_intcol_encode(values, n, &buf), BB_OK);
    uint8_t *exact = malloc(buf.len);
    assert_non_null(exact);
    memcpy(exact, buf.data, buf.len);
    struct bbi_cursor c;
    bbi_cursor_init(&c, exact, buf.len);
    assert_int_equal(bbi_cursor_u8(&c), 0xee);
    memset(decoded, 0x5a, sizeof(decoded));
    assert_int_equal(bbi_intcol_decode(&c, n, decoded, &err), BB_OK);
    assert_int_equal(bbi_cursor_left(&c), 0);
    assert_memory_equal(values, decoded, n * sizeof(values[0]));
    for (size_t i = n; i < n + 4 && i < BBI_INTCOL_MAX; i++) {
        assert_int_equal(decoded[i], 0x5a5a5a5a5a5a5a5a);
    }
    size_t size = buf.len - 1;
    free(exact);
    bbi_buf_fini(&buf);
    return size;
}

static void every_shape_and_size(void **state)
{
    (void)state;
    struct codec_random r;
    codec_random_init(&r);
    for (size_t k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++) {
        if (!bbi_codec_set_kernel(kernels[k])) {
            continue;
        }
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            unsigned rounds = sizes[s] > 2000 ? 2 : 40;
            for (unsigned shape = 0; shape < CODEC_SHAPES * rounds; shape++) {
                codec_random_shape(&r, shape % CODEC_SHAPES, values, sizes[s]);
                round_trip(sizes[s]);
            }
        }
    }
}

static void every_width(void **state)
{
    (void)state;
    struct codec_random r;
    codec_random_init(&r);
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t n = 1; n < 200; n += 33) {
            for (size_t i = 0; i < n; i++) {
                values[i] = codec_random_bits(&r, width) | (width > 0 ? (uint64_t)(i & 1) : 0);
            }
            values[n / 2] = width == 0 ? 0 : UINT64_MAX >> (64 - width);
            size_t size = round_trip(n);
            assert_true(size <= bbi_bitpack_bytes(n, width) + 12);
        }
    }
}

static size_t size_of(uint64_t first, uint64_t step, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = first + step * i;
    }
    return round_trip(n);
}

static void sizes_are_small(void **state)
{
    (void)state;
    assert_int_equal(size_of(0, 0, 1000), 1);
    assert_int_equal(size_of(7, 0, 1000), 2);
    assert_int_equal(size_of(UINT64_MAX, 0, 1000), 11);
    assert_int_equal(size_of(5, 1, 1000), 3);
    assert_int_equal(size_of(0, 0, 0), 0);
    /* Five odd ones in a constant column cost about four bytes each. */
    for (size_t i = 0; i < 1000; i++) {
        values[i] = 30;
    }
    for (size_t i = 0; i < 5; i++) {
        values[100 + 170 * i] = 60000 + i;
    }
    assert_true(round_trip(1000) <= 24);
}

static void random_bytes_never_escape(void **state)
{
    (void)state;
    struct codec_random r;
    struct bb_error err;
    codec_random_init(&r);
    for (int round = 0; round < 40000; round++) {
        size_t len = codec_random_below(&r, 80);
        size_t n = codec_random_below(&r, round % 100 == 0 ? 20000 : 300);
        uint8_t *bytes = malloc(len + 1);
        uint64_t *out = malloc((n + 1) * sizeof(*out));
        assert_true(bytes != NULL && out != NULL);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)codec_random_u64(&r);
        }
        if (len > 2 && round % 3 == 0) {
            bytes[0] = (uint8_t)(196 + codec_random_below(&r, 3));
            bytes[1] = (uint8_t)codec_random_below(&r, 8);
            bytes[2] = (uint8_t)codec_random_below(&r, 20);
        }
        uint8_t *exact = realloc(bytes, len == 0 ? 1 : len);
        struct bbi_cursor c;
        bbi_cursor_init(&c, exact, len);
        int rc = bbi_intcol_decode(&c, n, out, &err);
        assert_true(rc == BB_OK || rc == BB_ECORRUPT);
        free(exact);
        free(out);
    }
}

static void cut_columns_are_corrupt(void **state)
{
    (void)state;
    struct codec_random r;
    struct bb_error err;
    codec_random_init(&r);
    for (unsigned round = 0; round < 300; round++) {
        struct bbi_buf buf;
        bbi_buf_init(&buf, NULL, 1 << 20);
        codec_random_shape(&r, round % CODEC_SHAPES, values, 300);
        assert_int_equal(bbi_intcol_encode(values, 300, &buf), BB_OK);
        for (size_t len = 0; len < buf.len; len += 1 + buf.len / 20) {
            struct bbi_cursor c;
            bbi_cursor_init(&c, buf.data, len);
            assert_int_equal(bbi_intcol_decode(&c, 300, decoded, &err), BB_ECORRUPT);
        }
        bbi_buf_fini(&buf);
    }
}

static void a_full_buffer_is_an_error(void **state)
{
    (void)state;
    struct bbi_buf buf;
    bbi_buf_init(&buf, NULL, 16);
    for (size_t i = 0; i < 100; i++) {
        values[i] = i * i * i;
    }
    assert_int_equal(bbi_intcol_encode(values, 100, &buf), BB_ELIMIT);
    bbi_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_and_size),    cmocka_unit_test(every_width),
        cmocka_unit_test(sizes_are_small),         cmocka_unit_test(random_bytes_never_escape),
        cmocka_unit_test(cut_columns_are_corrupt), cmocka_unit_test(a_full_buffer_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
