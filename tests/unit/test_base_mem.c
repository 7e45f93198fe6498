#include "tests/lib/unit.h"

#include <pthread.h>
#include <string.h>

#include "engine/base/mem.h"

static void test_blocks_are_charged_and_released(void **state)
{
    (void)state;
    struct bbi_account top, query;
    bbi_account_init(&top, "top", 0, NULL);
    bbi_account_init(&query, "query", 0, &top);
    char *a = bbi_mem_alloc(&query, 100);
    char *b = bbi_mem_alloc(&top, 50);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal((uintptr_t)a % 16, 0);
    assert_int_equal(bbi_mem_size(a), 100);
    assert_int_equal(query.used_bytes, 100);
    assert_int_equal(top.used_bytes, 150);
    bbi_mem_free(a);
    bbi_mem_free(b);
    bbi_mem_free(NULL);
    assert_int_equal(query.used_bytes, 0);
    assert_int_equal(top.used_bytes, 0);
    assert_int_equal(query.peak_bytes, 100);
    assert_int_equal(top.peak_bytes, 150);
}

static void test_limits_hold_on_every_level(void **state)
{
    (void)state;
    struct bbi_account top, left, right;
    bbi_account_init(&top, "top", 1000, NULL);
    bbi_account_init(&left, "left", 600, &top);
    bbi_account_init(&right, "right", 0, &top);
    char *a = bbi_mem_alloc(&left, 600);
    assert_non_null(a);
    assert_null(bbi_mem_alloc(&left, 1));
    assert_null(bbi_mem_alloc(&right, 401));
    assert_int_equal(right.used_bytes, 0);
    assert_int_equal(top.used_bytes, 600);
    char *b = bbi_mem_alloc(&right, 400);
    assert_non_null(b);
    assert_null(bbi_mem_realloc(&right, b, 401));
    assert_int_equal(bbi_mem_size(b), 400);
    assert_false(bbi_account_charge(&right, 1));
    bbi_mem_free(a);
    assert_true(bbi_account_charge(&right, 600));
    bbi_account_release(&right, 600);
    bbi_mem_free(b);
    assert_int_equal(top.used_bytes, 0);
}

static void test_realloc_keeps_content_and_account(void **state)
{
    (void)state;
    struct bbi_account acct, other;
    bbi_account_init(&acct, "acct", 0, NULL);
    bbi_account_init(&other, "other", 0, NULL);
    char *p = bbi_mem_realloc(&acct, NULL, 4);
    assert_non_null(p);
    memcpy(p, "abcd", 4);
    p = bbi_mem_realloc(&other, p, 100000);
    assert_non_null(p);
    assert_memory_equal(p, "abcd", 4);
    assert_int_equal(acct.used_bytes, 100000);
    assert_int_equal(other.used_bytes, 0);
    p = bbi_mem_realloc(&acct, p, 2);
    assert_memory_equal(p, "ab", 2);
    assert_int_equal(acct.used_bytes, 2);
    bbi_mem_free(p);
    assert_int_equal(acct.used_bytes, 0);
}

static void test_sizes_that_overflow_fail(void **state)
{
    (void)state;
    struct bbi_account acct;
    bbi_account_init(&acct, "acct", 0, NULL);
    assert_null(bbi_mem_alloc(&acct, SIZE_MAX));
    assert_null(bbi_mem_zalloc(&acct, SIZE_MAX / 2, 3));
    assert_null(bbi_mem_dup(&acct, "x", SIZE_MAX));
    char *p = bbi_mem_alloc(&acct, 0);
    assert_non_null(p);
    assert_null(bbi_mem_realloc(&acct, p, SIZE_MAX));
    bbi_mem_free(p);
    assert_int_equal(acct.used_bytes, 0);
}

static void test_zalloc_and_dup(void **state)
{
    (void)state;
    static const uint8_t zeros[48];
    uint8_t *z = bbi_mem_zalloc(NULL, 6, 8);
    assert_memory_equal(z, zeros, 48);
    char *d = bbi_mem_dup(NULL, "abc", 2);
    assert_string_equal(d, "ab");
    char *empty = bbi_mem_dup(NULL, NULL, 0);
    assert_string_equal(empty, "");
    bbi_mem_free(z);
    bbi_mem_free(d);
    bbi_mem_free(empty);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

static void test_the_nth_request_fails_once(void **state)
{
    (void)state;
    bbi_mem_fail_at(3);
    char *a = bbi_mem_alloc(NULL, 8);
    char *b = bbi_mem_dup(NULL, "b", 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(bbi_mem_realloc(NULL, a, 16));
    char *c = bbi_mem_realloc(NULL, a, 16);
    assert_non_null(c);
    assert_int_equal(bbi_mem_requests(), 4);
    bbi_mem_fail_at(0);
    bbi_mem_free(b);
    bbi_mem_free(c);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

#define ROUNDS 20000

static void *churn(void *arg)
{
    struct bbi_account *acct = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char *p = bbi_mem_alloc(acct, (size_t)(i % 100));
        char *moved = p == NULL ? NULL : bbi_mem_realloc(acct, p, (size_t)(i % 37) + 1);
        bbi_mem_free(moved == NULL ? p : moved);
    }
    return NULL;
}

static void test_accounts_are_thread_safe(void **state)
{
    (void)state;
    struct bbi_account top, query;
    bbi_account_init(&top, "top", 400, NULL);
    bbi_account_init(&query, "query", 250, &top);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &query), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(top.used_bytes, 0);
    assert_int_equal(query.used_bytes, 0);
    assert_in_range(query.peak_bytes, 1, 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_charged_and_released),
        cmocka_unit_test(test_limits_hold_on_every_level),
        cmocka_unit_test(test_realloc_keeps_content_and_account),
        cmocka_unit_test(test_sizes_that_overflow_fail),
        cmocka_unit_test(test_zalloc_and_dup),
        cmocka_unit_test(test_the_nth_request_fails_once),
        cmocka_unit_test(test_accounts_are_thread_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
