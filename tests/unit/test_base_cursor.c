#include "tests/lib/unit.h"

#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/cursor.h"
#include "tests/lib/rng.h"

static void test_reads_what_a_buffer_wrote(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int round = 0; round < 2000; round++) {
        struct bbi_buf b;
        bbi_buf_init(&b, NULL, 4096);
        uint64_t v = rng_u64(&r) >> rng_below(&r, 64);
        bbi_buf_u8(&b, (uint8_t)v);
        bbi_buf_u16(&b, (uint16_t)v);
        bbi_buf_varint(&b, v);
        bbi_buf_u32(&b, (uint32_t)v);
        bbi_buf_zigzag(&b, (int64_t)v);
        bbi_buf_zigzag(&b, -(int64_t)(v >> 1));
        bbi_buf_block(&b, "block", v % 6);
        bbi_buf_u64(&b, v);
        struct bbi_cursor c;
        struct bb_error err;
        size_t len;
        bbi_cursor_init(&c, b.data, b.len);
        assert_int_equal(bbi_cursor_u8(&c), (uint8_t)v);
        assert_int_equal(bbi_cursor_u16(&c), (uint16_t)v);
        assert_true(bbi_cursor_varint(&c) == v);
        assert_int_equal(bbi_cursor_u32(&c), (uint32_t)v);
        assert_true(bbi_cursor_zigzag(&c) == (int64_t)v);
        assert_true(bbi_cursor_zigzag(&c) == -(int64_t)(v >> 1));
        const uint8_t *block = bbi_cursor_block(&c, &len);
        assert_int_equal(len, v % 6);
        assert_memory_equal(block, "block", len);
        assert_true(bbi_cursor_u64(&c) == v);
        assert_int_equal(bbi_cursor_left(&c), 0);
        assert_int_equal(bbi_cursor_check(&c, "record", &err), BB_OK);
        bbi_buf_fini(&b);
    }
}

static void test_the_end_sticks(void **state)
{
    (void)state;
    struct bbi_cursor c;
    struct bb_error err;
    bbi_cursor_init(&c, "abc", 3);
    assert_int_equal(bbi_cursor_u32(&c), 0);
    assert_int_equal(c.err, BB_ECORRUPT);
    assert_int_equal(bbi_cursor_u8(&c), 0);
    assert_null(bbi_cursor_bytes(&c, 0));
    assert_int_equal(bbi_cursor_check(&c, "footer", &err), BB_ECORRUPT);
    assert_string_equal(err.text, "footer: truncated or malformed");

    bbi_cursor_init(&c, NULL, 0);
    assert_int_equal(bbi_cursor_left(&c), 0);
    (void)bbi_cursor_bytes(&c, 0);
    assert_int_equal(c.err, BB_OK);
    assert_null(bbi_cursor_bytes(&c, 1));
    assert_int_equal(c.err, BB_ECORRUPT);
    bbi_cursor_init(&c, "abc", 3);
    assert_null(bbi_cursor_bytes(&c, SIZE_MAX));
    assert_int_equal(c.err, BB_ECORRUPT);
}

static void test_malformed_varints_are_corrupt(void **state)
{
    (void)state;
    static const uint8_t too_long[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                       0x80, 0x80, 0x80, 0x80, 0};
    static const uint8_t too_big[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    static const uint8_t cut[] = {0x80, 0x80};
    struct bbi_cursor c;
    bbi_cursor_init(&c, too_long, sizeof(too_long));
    assert_true(bbi_cursor_varint(&c) == 0 && c.err == BB_ECORRUPT);
    bbi_cursor_init(&c, too_big, sizeof(too_big));
    assert_true(bbi_cursor_varint(&c) == 0 && c.err == BB_ECORRUPT);
    bbi_cursor_init(&c, cut, sizeof(cut));
    assert_true(bbi_cursor_varint(&c) == 0 && c.err == BB_ECORRUPT);
}

static void test_a_block_longer_than_the_rest_is_corrupt(void **state)
{
    (void)state;
    static const uint8_t block[] = {4, 'a', 'b', 'c'};
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a'};
    struct bbi_cursor c;
    size_t len = 9;
    bbi_cursor_init(&c, block, sizeof(block));
    assert_null(bbi_cursor_block(&c, &len));
    assert_int_equal(len, 0);
    assert_int_equal(c.err, BB_ECORRUPT);
    bbi_cursor_init(&c, huge, sizeof(huge));
    assert_null(bbi_cursor_block(&c, &len));
    assert_int_equal(c.err, BB_ECORRUPT);
}

static void test_any_bytes_stay_inside(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int round = 0; round < 5000; round++) {
        size_t size = rng_below(&r, 40);
        uint8_t *bytes = bbi_mem_alloc(NULL, size);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)(rng_u64(&r) | (rng_one_in(&r, 2) ? 0x80 : 0));
        }
        struct bbi_cursor c;
        bbi_cursor_init(&c, bytes, size);
        while (c.err == BB_OK) {
            size_t len;
            switch (rng_below(&r, 5)) {
            case 0:
                (void)bbi_cursor_varint(&c);
                break;
            case 1:
                (void)bbi_cursor_block(&c, &len);
                break;
            case 2:
                (void)bbi_cursor_u64(&c);
                break;
            case 3:
                (void)bbi_cursor_bytes(&c, rng_below(&r, 60));
                break;
            default:
                (void)bbi_cursor_u8(&c);
                break;
            }
            assert_true(c.p >= bytes && c.p <= bytes + size);
        }
        bbi_mem_free(bytes);
    }
}

static void test_big_endian_keys_sort_as_numbers(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int round = 0; round < 1000; round++) {
        uint64_t a = rng_u64(&r) >> rng_below(&r, 64);
        uint64_t b = rng_u64(&r) >> rng_below(&r, 64);
        uint8_t ka[8], kb[8];
        bbi_put_be64(ka, a);
        bbi_put_be64(kb, b);
        assert_true((memcmp(ka, kb, 8) < 0) == (a < b));
        assert_true(bbi_get_be64(ka) == a);
        bbi_put_be32(ka, (uint32_t)a);
        assert_int_equal(bbi_get_be32(ka), (uint32_t)a);
        assert_int_equal(ka[0], (uint32_t)a >> 24);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_a_buffer_wrote),
        cmocka_unit_test(test_the_end_sticks),
        cmocka_unit_test(test_malformed_varints_are_corrupt),
        cmocka_unit_test(test_a_block_longer_than_the_rest_is_corrupt),
        cmocka_unit_test(test_any_bytes_stay_inside),
        cmocka_unit_test(test_big_endian_keys_sort_as_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
