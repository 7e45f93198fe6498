#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/lineproto/lineproto.h"
#include "tests/lib/rng.h"

static int parse(const char *raw, size_t length, struct bbi_arena *arena, struct bbi_lp_key *key,
                 struct bb_error *err)
{
    return bbi_lp_key_parse((const uint8_t *)raw, length, arena, key, err);
}

/* measurement|key=value|... */
static void describe(const struct bbi_lp_key *key, char *out, size_t size)
{
    int at = snprintf(out, size, "%.*s", (int)key->measurement_length,
                      (const char *)key->measurement);
    for (uint32_t i = 0; i < key->tag_count; i++) {
        const struct bbi_lp_tag *t = &key->tags[i];
        at += snprintf(out + at, size - (size_t)at, "|%.*s=%.*s", (int)t->key_length,
                       (const char *)t->key, (int)t->value_length, (const char *)t->value);
    }
}

static void good_keys(void **state)
{
    static const struct {
        const char *raw;
        const char *want;
    } cases[] = {
        {"m", "m"},
        {"m,a=b", "m|a=b"},
        {"m,d=1,b=2,a=3,c=4", "m|a=3|b=2|c=4|d=1"},
        {"m,b=1,a=2", "m|a=2|b=1"},
        {"m,ab=1,a=2,abc=3", "m|a=2|ab=1|abc=3"},
        {"m\\ x", "m x"},
        {"m\\,x,a=b", "m,x|a=b"},
        {"m\\=x\\\"y\\z", "m=x\"y\\z"},
        {"m=x,a=b", "m=x|a=b"},
        {"m,a\\,b\\=c\\ d=e\\,f\\=g\\ h", "m|a,b=c d=e,f=g h"},
        {"m,a\\\"b=c\\\"d", "m|a\\\"b=c\\\"d"},
        {"m,a=\\", "m|a=\\"},
        {"m,a==b", "m|a==b"},
        {"m,a=\"b\"", "m|a=\"b\""},
        {"\\,m", ",m"},
        {"m,\\,a=\\,b", "m|,a=,b"},
    };
    char got[512];
    struct bbi_arena arena;
    (void)state;
    bbi_arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bbi_lp_key key;
        struct bb_error err;
        assert_ok(parse(cases[i].raw, strlen(cases[i].raw), &arena, &key, &err), &err);
        describe(&key, got, sizeof(got));
        assert_string_equal(got, cases[i].want);
    }
    bbi_arena_fini(&arena);
}

static void bad_keys(void **state)
{
    static const struct {
        const char *raw;
        const char *reason;
    } cases[] = {
        {"", "missing measurement"},
        {",a=b", "missing measurement"},
        {"m,", "missing tag key"},
        {"m,,a=b", "missing tag key"},
        {"m,=b", "missing tag key"},
        {"m,a=b,", "missing tag key"},
        {"m,a", "missing tag value"},
        {"m,a,b=c", "missing tag value"},
        {"m,a=", "missing tag value"},
        {"m,a=,b=c", "missing tag value"},
        {"m,a\\=b", "missing tag value"},
        {"m,a=b=c", "invalid tag format"},
        {"m,a=b,a=c", "duplicate tags"},
        {"m,b=1,a=2,b=3", "duplicate tags"},
        {"m,c=1,b=2,a=3,a=4", "duplicate tags"},
    };
    struct bbi_arena arena;
    (void)state;
    bbi_arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bbi_lp_key key;
        struct bb_error err;
        int rc = parse(cases[i].raw, strlen(cases[i].raw), &arena, &key, &err);
        if (rc != BB_EPARSE || strcmp(err.text, cases[i].reason) != 0) {
            fail_msg("'%s': %d, want '%s'", cases[i].raw, rc, cases[i].reason);
        }
    }
    bbi_arena_fini(&arena);
}

/* 16,000 tags in any order: sorted, in far less than a square of time. */
static void many_tags_sort(void **state)
{
    enum {
        TAGS = 8000
    };
    static char raw[BBI_LP_KEY_MAX + 1];
    struct rng rng = rng_from_env();
    struct bbi_arena arena;
    struct bbi_lp_key key;
    struct bb_error err;
    unsigned names[TAGS];
    size_t length = (size_t)snprintf(raw, sizeof(raw), "m");
    (void)state;
    for (unsigned i = 0; i < TAGS; i++) {
        names[i] = i;
    }
    for (unsigned i = TAGS; i-- > 1;) {
        unsigned other = (unsigned)rng_below(&rng, i + 1);
        unsigned moved = names[i];
        names[i] = names[other];
        names[other] = moved;
    }
    for (unsigned i = 0; i < TAGS; i++) {
        length += (size_t)snprintf(raw + length, sizeof(raw) - length, ",%04u=1", names[i]);
    }
    bbi_arena_init(&arena, NULL);
    assert_ok(parse(raw, length, &arena, &key, &err), &err);
    assert_int_equal(key.tag_count, TAGS);
    for (unsigned i = 0; i < TAGS; i++) {
        char want[8];
        (void)snprintf(want, sizeof(want), "%04u", i);
        assert_memory_equal(key.tags[i].key, want, 4);
    }
    bbi_arena_fini(&arena);
}

static void keys_have_a_limit(void **state)
{
    static char raw[BBI_LP_KEY_MAX + 2];
    struct bbi_arena arena;
    struct bbi_lp_key key;
    struct bb_error err;
    (void)state;
    memset(raw, 'a', sizeof(raw));
    bbi_arena_init(&arena, NULL);
    assert_ok(parse(raw, BBI_LP_KEY_MAX, &arena, &key, &err), &err);
    assert_int_equal(parse(raw, BBI_LP_KEY_MAX + 1, &arena, &key, &err), BB_EPARSE);
    assert_string_equal(err.text, "max key length exceeded: 65536 > 65535");
    bbi_arena_fini(&arena);
}

static void memory_may_run_out(void **state)
{
    static const char raw[] = "m\\ x,b\\ =1,a=2\\ ";
    struct bb_error err;
    uint64_t n = 0;
    int rc;
    (void)state;
    do {
        struct bbi_account account;
        struct bbi_arena arena;
        struct bbi_lp_key key;
        bbi_account_init(&account, "test", 0, NULL);
        bbi_arena_init(&arena, &account);
        bbi_mem_fail_at(++n);
        rc = parse(raw, sizeof(raw) - 1, &arena, &key, &err);
        bbi_mem_fail_at(0);
        bbi_arena_fini(&arena);
        assert_true(rc == BB_OK || rc == BB_ENOMEM);
    } while (rc != BB_OK);
    assert_true(n > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_keys),          cmocka_unit_test(bad_keys),
        cmocka_unit_test(many_tags_sort),     cmocka_unit_test(keys_have_a_limit),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
