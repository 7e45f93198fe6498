#include "engine/catalog/key.h"

#include <string.h>

#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static struct bb_error err;

static void test_bytes(void **state)
{
    (void)state;
    static const uint8_t want[] = "\x07reading\x09"
                                  "device_id\x04"
                                  "1234";
    const struct bbi_tag tag = {BYTES("device_id"), BYTES("1234")};
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 100);
    assert_ok(bbi_key_build(&b, BYTES("reading"), &tag, 1, &err), &err);
    assert_int_equal(b.len, sizeof(want) - 1);
    assert_memory_equal(b.data, want, b.len);
    assert_true(bbi_key_valid(b.data, b.len));
    bbi_buf_fini(&b);
}

static void test_order_is_demanded(void **state)
{
    (void)state;
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 100);
    const struct bbi_tag good[] = {{BYTES(""), BYTES("")},
                                   {BYTES("a"), BYTES("")},
                                   {BYTES("aa"), BYTES("x")},
                                   {BYTES("b"), BYTES("")}};
    assert_ok(bbi_key_build(&b, BYTES(""), good, 4, &err), &err);
    const struct bbi_tag bad[] = {{BYTES("b"), BYTES("")}, {BYTES("aa"), BYTES("")}};
    size_t len = b.len;
    assert_int_equal(bbi_key_build(&b, BYTES("m"), bad, 2, &err), BB_EINVAL);
    const struct bbi_tag twice[] = {{BYTES("b"), BYTES("1")}, {BYTES("b"), BYTES("2")}};
    assert_int_equal(bbi_key_build(&b, BYTES("m"), twice, 2, &err), BB_EINVAL);
    assert_int_equal(b.len, len);
    bbi_buf_fini(&b);
}

static void test_longest(void **state)
{
    (void)state;
    static uint8_t bytes[BBI_SERIES_KEY_MAX + 1];
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 1 << 20);
    /* one byte of measurement and its length, then lengths of 1 and 3 bytes and a key of 1 */
    struct bbi_tag tag = {BYTES("k"), bytes, BBI_SERIES_KEY_MAX - 7};
    assert_ok(bbi_key_build(&b, BYTES("m"), &tag, 1, &err), &err);
    assert_int_equal(b.len, BBI_SERIES_KEY_MAX);
    assert_true(bbi_key_valid(b.data, b.len));
    tag.value_len++;
    assert_int_equal(bbi_key_build(&b, BYTES("m"), &tag, 1, &err), BB_ELIMIT);
    tag.value_len = SIZE_MAX;
    assert_int_equal(bbi_key_build(&b, BYTES("m"), &tag, 1, &err), BB_ELIMIT);
    bbi_buf_fini(&b);
}

/* Bytes are a canonical key exactly if building what they say gives them again. */
static void test_valid_is_canonical(void **state)
{
    (void)state;
    struct rng rng = rng_from_env();
    struct bbi_buf b;
    size_t good = 0;
    bbi_buf_init(&b, NULL, 1000);
    for (int i = 0; i < 500000; i++) {
        uint8_t key[12];
        struct bbi_tag tags[12];
        struct bbi_cursor c;
        size_t count = 0;
        size_t measurement_len;
        size_t len = rng_below(&rng, sizeof(key) + 1);
        for (size_t k = 0; k < len; k++) {
            key[k] = (uint8_t)(rng_one_in(&rng, 8) ? 0x80 : rng_below(&rng, 4));
        }
        const uint8_t *m = bbi_key_first(&c, key, len, &measurement_len);
        while (bbi_key_next(&c, &tags[count])) {
            count++;
        }
        bbi_buf_reset(&b);
        bool same = c.err == BB_OK &&
                    bbi_key_build(&b, m, measurement_len, tags, count, &err) == BB_OK &&
                    b.len == len && memcmp(b.data, key, len) == 0;
        assert_int_equal(bbi_key_valid(key, len), same);
        good += same;
    }
    assert_true(good > 1000);
    bbi_buf_fini(&b);
}

static void test_values(void **state)
{
    (void)state;
    struct bbi_buf b;
    size_t len;
    bbi_buf_init(&b, NULL, 100);
    const struct bbi_tag tags[] = {{BYTES("a"), BYTES("1")}, {BYTES("b"), BYTES("22")}};
    assert_ok(bbi_key_build(&b, BYTES("m"), tags, 2, &err), &err);
    assert_memory_equal(bbi_key_tag_value(b.data, b.len, BYTES("b"), &len), "22", 2);
    assert_int_equal(len, 2);
    assert_non_null(bbi_key_tag_value(b.data, b.len, BYTES("c"), &len));
    assert_int_equal(len, 0);
    bbi_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),   cmocka_unit_test(test_order_is_demanded),
        cmocka_unit_test(test_longest), cmocka_unit_test(test_valid_is_canonical),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
