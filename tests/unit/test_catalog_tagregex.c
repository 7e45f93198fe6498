#include "engine/catalog/tagregex.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/unit.h"

static struct bb_error err;

static bool found(const char *pattern, const char *text, size_t len)
{
    struct bbi_tagregex *re;
    bool matches;
    assert_ok(bbi_tagregex_compile((const uint8_t *)pattern, strlen(pattern), NULL, &re, &err),
              &err);
    assert_ok(bbi_tagregex_match(re, (const uint8_t *)text, len, &matches, &err), &err);
    bbi_tagregex_destroy(&re);
    assert_null(re);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
    return matches;
}

static void test_matching(void **state)
{
    (void)state;
    assert_true(found("b", "abc", 3));
    assert_false(found("^b", "abc", 3));
    assert_true(found("", "", 0));
    assert_true(found("^$", "", 0));
    assert_false(found("^a$", "a\n", 2));
    assert_true(found("^\\d{3}-[a-z]+$", "123-abc", 7));
    assert_true(found("(?i)ABC", "xabcx", 5));
    assert_true(found("^.$", "\xc3\xa4", 2));
    assert_true(found("a",
                      "\xff\xfe"
                      "a\xff",
                      4));
    assert_true(found("a\\/b", "a/b", 3));
    assert_true(found("x", "\0x", 2));
}

static void test_errors(void **state)
{
    (void)state;
    struct bbi_tagregex *re;
    bool matches;
    static const char *const bad[] = {"(", "a{2", "[z-a]", "*", "\\", "\xff", "(?<n>a)(?<n>b)"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int rc = bbi_tagregex_compile((const uint8_t *)bad[i], strlen(bad[i]), NULL, &re, &err);
        /* "a{2" is literal text to PCRE2 */
        assert_int_equal(rc, i == 1 ? BB_OK : BB_EPARSE);
        bbi_tagregex_destroy(&re);
    }
    char text[64];
    memset(text, 'a', sizeof(text));
    text[63] = 'b';
    assert_ok(bbi_tagregex_compile((const uint8_t *)"^(a|aa)+$", 9, NULL, &re, &err), &err);
    assert_int_equal(bbi_tagregex_match(re, (uint8_t *)text, sizeof(text), &matches, &err),
                     BB_ELIMIT);
    bbi_tagregex_destroy(&re);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

static void expect_literals(const char *pattern, const char *joined)
{
    struct bbi_tagregex *re;
    char text[100] = "";
    size_t count;
    size_t at = 0;
    assert_ok(bbi_tagregex_compile((const uint8_t *)pattern, strlen(pattern), NULL, &re, &err),
              &err);
    const struct bbi_tagregex_literal *l = bbi_tagregex_literals(re, &count);
    if (joined == NULL) {
        assert_null(l);
    } else {
        for (size_t i = 0; i < count; i++) {
            bool matches;
            assert_ok(bbi_tagregex_match(re, l[i].bytes, l[i].len, &matches, &err), &err);
            assert_true(matches);
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%.*s,", (int)l[i].len,
                                   (const char *)l[i].bytes);
        }
        assert_string_equal(text, joined);
    }
    bbi_tagregex_destroy(&re);
}

static void test_lists_of_literals(void **state)
{
    (void)state;
    expect_literals("^a$", "a,");
    expect_literals("^(a|bc|d)$", "a,bc,d,");
    expect_literals("^(?:a|bc)$", "a,bc,");
    expect_literals("^(a)$", "a,");
    expect_literals("^(|a)$", ",a,");
    expect_literals("^$", ",");
    expect_literals("^a\\.b\\/c\\-d$", "a.b/c-d,");
    expect_literals("^MTR-0001$", "MTR-0001,");
    expect_literals("^\xc3\xa4$", "\xc3\xa4,");
    expect_literals("^a|b$", NULL);
    expect_literals("a", NULL);
    expect_literals("^a", NULL);
    expect_literals("^a.$", NULL);
    expect_literals("^a*$", NULL);
    expect_literals("^[ab]$", NULL);
    expect_literals("^\\d$", NULL);
    expect_literals("^(a)(b)$", NULL);
    expect_literals("^(a|b)c$", NULL);
    expect_literals("^(?i:a|b)$", NULL);
    expect_literals("^a\\$", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_lists_of_literals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
