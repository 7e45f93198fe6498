#include "tests/lib/unit.h"

#include <string.h>

#include "engine/base/buf.h"
#include "tests/lib/rng.h"

static void test_integers_are_little_endian(void **state)
{
    (void)state;
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 1000);
    bbi_buf_u8(&b, 0x01);
    bbi_buf_u16(&b, 0x0302);
    bbi_buf_u32(&b, 0x07060504);
    bbi_buf_u64(&b, UINT64_C(0x0f0e0d0c0b0a0908));
    bbi_buf_zero(&b, 2);
    bbi_buf_zero(&b, 0);
    bbi_buf_str(&b, "ab");
    bbi_buf_block(&b, "xyz", 3);
    bbi_buf_put(&b, NULL, 0);
    static const uint8_t want[] = {1,  2,  3,  4, 5, 6,   7,   8, 9,   10,  11, 12,
                                   13, 14, 15, 0, 0, 'a', 'b', 3, 'x', 'y', 'z'};
    assert_int_equal(b.err, BB_OK);
    assert_int_equal(b.len, sizeof(want));
    assert_memory_equal(b.data, want, sizeof(want));
    bbi_buf_reset(&b);
    bbi_buf_varint(&b, 300);
    bbi_buf_zigzag(&b, -1);
    bbi_buf_varint(&b, UINT64_MAX);
    static const uint8_t packed[] = {0xac, 0x02, 0x01, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    assert_int_equal(b.len, sizeof(packed));
    assert_memory_equal(b.data, packed, sizeof(packed));
    bbi_buf_fini(&b);
}

static void test_the_maximum_sticks(void **state)
{
    (void)state;
    struct bbi_buf b;
    struct bb_error err;
    bbi_buf_init(&b, NULL, 5);
    bbi_buf_u32(&b, 1);
    bbi_buf_u16(&b, 1);
    assert_int_equal(b.err, BB_ELIMIT);
    bbi_buf_u8(&b, 1);
    assert_int_equal(b.len, 4);
    assert_null(bbi_buf_reserve(&b, 1));
    assert_int_equal(bbi_buf_check(&b, "frame", &err), BB_ELIMIT);
    assert_string_equal(err.text, "frame: limit exceeded");
    bbi_buf_reset(&b);
    bbi_buf_put(&b, "12345", 5);
    assert_int_equal(bbi_buf_check(&b, "frame", &err), BB_OK);
    assert_non_null(bbi_buf_reserve(&b, 0));
    bbi_buf_printf(&b, "%d", 1);
    assert_int_equal(b.err, BB_ELIMIT);
    bbi_buf_fini(&b);
}

static void test_growth_keeps_content(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 100000);
    uint8_t want[100000];
    size_t len = 0;
    while (len < sizeof(want)) {
        size_t n = rng_below(&r, 700);
        n = n > sizeof(want) - len ? sizeof(want) - len : n;
        for (size_t i = 0; i < n; i++) {
            want[len + i] = (uint8_t)rng_u64(&r);
        }
        if (rng_one_in(&r, 2)) {
            bbi_buf_put(&b, want + len, n);
        } else if (n != 0) {
            uint8_t *at = bbi_buf_reserve(&b, n);
            assert_non_null(at);
            memcpy(at, want + len, n);
            b.len += n;
        }
        len += n;
        assert_int_equal(b.len, len);
        assert_true(b.cap <= b.max);
    }
    assert_memory_equal(b.data, want, len);
    bbi_buf_fini(&b);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

static void test_printf_appends(void **state)
{
    (void)state;
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 4096);
    bbi_buf_printf(&b, "%s=%d", "a", 1);
    bbi_buf_printf(&b, ";%0300d", 7);
    assert_int_equal(b.len, 304);
    assert_memory_equal(b.data, "a=1;000", 7);
    assert_int_equal(b.data[303], '7');
    bbi_buf_fini(&b);
}

static void test_no_memory_sticks(void **state)
{
    (void)state;
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 1 << 20);
    bbi_buf_u32(&b, 7);
    bbi_mem_fail_at(1);
    bbi_buf_zero(&b, 5000);
    bbi_mem_fail_at(0);
    assert_int_equal(b.err, BB_ENOMEM);
    bbi_buf_u8(&b, 1);
    bbi_buf_printf(&b, "x");
    assert_int_equal(b.len, 4);
    bbi_buf_fini(&b);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_are_little_endian),
        cmocka_unit_test(test_the_maximum_sticks),
        cmocka_unit_test(test_growth_keeps_content),
        cmocka_unit_test(test_printf_appends),
        cmocka_unit_test(test_no_memory_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
