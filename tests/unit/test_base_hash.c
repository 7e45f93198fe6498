#include "tests/lib/unit.h"

#include <string.h>

#include "engine/base/hash.h"

/* The format on disk depends on these values. */
static void test_values_are_xxh3(void **state)
{
    (void)state;
    assert_true(bbi_hash64("", 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(bbi_hash64("a", 1) == UINT64_C(0xe6c632b61e964e1f));
    assert_true(bbi_hash64("abc", 3) == UINT64_C(0x78af5f94892f3950));
    struct bbi_hash128 h = bbi_hash128_seed("", 0, 0);
    assert_true(h.low == UINT64_C(0x6001c324468d497f) && h.high == UINT64_C(0x99aa06d3014798d8));
}

static void test_seeds_make_other_values(void **state)
{
    (void)state;
    const char *key = "reading,device_id=MTR-00012345,fuel_type=electricity";
    assert_true(bbi_hash64_seed(key, strlen(key), 0) == bbi_hash64(key, strlen(key)));
    assert_true(bbi_hash64_seed(key, strlen(key), 1) != bbi_hash64(key, strlen(key)));
    struct bbi_hash128 a = bbi_hash128_seed(key, strlen(key), 1);
    struct bbi_hash128 b = bbi_hash128_seed(key, strlen(key), 2);
    assert_true(a.low != b.low && a.high != b.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_xxh3),
        cmocka_unit_test(test_seeds_make_other_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
