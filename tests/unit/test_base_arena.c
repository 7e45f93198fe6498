#include "tests/lib/unit.h"

#include <string.h>

#include "engine/base/arena.h"
#include "tests/lib/rng.h"

static void test_blocks_are_aligned_and_apart(void **state)
{
    (void)state;
    enum {
        N = 3000
    };
    struct rng r = rng_from_env();
    struct bbi_account acct;
    struct bbi_arena a;
    bbi_account_init(&acct, "arena", 0, NULL);
    bbi_arena_init(&a, &acct);
    for (int round = 0; round < 3; round++) {
        uint8_t *block[N];
        size_t size[N];
        for (int k = 0; k < N; k++) {
            size[k] = rng_below(&r, rng_one_in(&r, 50) ? 20000 : 100);
            block[k] = bbi_arena_alloc(&a, size[k]);
            assert_non_null(block[k]);
            assert_int_equal((uintptr_t)block[k] % 16, 0);
            memset(block[k], k & 0xff, size[k]);
        }
        for (int k = 0; k < N; k++) {
            for (size_t i = 0; i < size[k]; i++) {
                assert_int_equal(block[k][i], k & 0xff);
            }
        }
        bbi_arena_reset(&a);
        assert_in_range(acct.used_bytes, 1, (2 << 20) + 16);
    }
    bbi_arena_fini(&a);
    assert_int_equal(acct.used_bytes, 0);
}

static void test_empty_blocks_are_blocks(void **state)
{
    (void)state;
    struct bbi_arena a;
    bbi_arena_init(&a, NULL);
    void *first = bbi_arena_alloc(&a, 0);
    void *second = bbi_arena_zalloc(&a, 0, 8);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    bbi_arena_fini(&a);
}

static void test_reset_reuses_the_largest_chunk(void **state)
{
    (void)state;
    struct bbi_account acct;
    struct bbi_arena a;
    bbi_account_init(&acct, "arena", 0, NULL);
    bbi_arena_init(&a, &acct);
    bbi_arena_reset(&a);
    assert_non_null(bbi_arena_alloc(&a, 8));
    assert_non_null(bbi_arena_alloc(&a, 100000));
    bbi_arena_reset(&a);
    uint64_t kept = acct.used_bytes;
    assert_in_range(kept, 100000, 100100);
    assert_non_null(bbi_arena_alloc(&a, 60000));
    assert_non_null(bbi_arena_alloc(&a, 40000));
    assert_int_equal(acct.used_bytes, kept);
    bbi_arena_fini(&a);
    assert_int_equal(acct.used_bytes, 0);
    assert_non_null(bbi_arena_alloc(&a, 1));
    bbi_arena_fini(&a);
}

static void test_copies_end_in_nul(void **state)
{
    (void)state;
    struct bbi_arena a;
    bbi_arena_init(&a, NULL);
    assert_string_equal(bbi_arena_dup(&a, "abcdef", 3), "abc");
    assert_string_equal(bbi_arena_dup(&a, NULL, 0), "");
    assert_string_equal(bbi_arena_strdup(&a, "series"), "series");
    static const uint8_t zeros[64];
    memset(bbi_arena_alloc(&a, 64), 0xff, 64);
    assert_memory_equal(bbi_arena_zalloc(&a, 8, 8), zeros, 64);
    bbi_arena_fini(&a);
}

static void test_what_cannot_be_is_null(void **state)
{
    (void)state;
    struct bbi_account acct;
    struct bbi_arena a;
    bbi_account_init(&acct, "arena", 10000, NULL);
    bbi_arena_init(&a, &acct);
    assert_null(bbi_arena_alloc(&a, SIZE_MAX));
    assert_null(bbi_arena_alloc(&a, SIZE_MAX - 3));
    assert_null(bbi_arena_zalloc(&a, SIZE_MAX / 2, 4));
    assert_null(bbi_arena_dup(&a, "", SIZE_MAX));
    assert_null(bbi_arena_alloc(&a, 20000));
    assert_non_null(bbi_arena_alloc(&a, 5000));
    bbi_arena_fini(&a);
    for (uint64_t n = 1;; n++) {
        bbi_mem_fail_at(n);
        int done = bbi_arena_alloc(&a, 10) != NULL && bbi_arena_alloc(&a, 5000) != NULL;
        bbi_mem_fail_at(0);
        bbi_arena_fini(&a);
        assert_int_equal(acct.used_bytes, 0);
        if (done) {
            assert_int_equal(n, 3);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_aligned_and_apart),
        cmocka_unit_test(test_empty_blocks_are_blocks),
        cmocka_unit_test(test_reset_reuses_the_largest_chunk),
        cmocka_unit_test(test_copies_end_in_nul),
        cmocka_unit_test(test_what_cannot_be_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
