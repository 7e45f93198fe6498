/* Patterns by Go's rules: what is refused, in its words, and what PCRE2 is given. */
#include "engine/base/re2.h"

#include <string.h>

#include "tests/lib/unit.h"

struct row {
    const char *pattern;
    const char *expected;
};

/* clang-format off */
static const struct row refused[] = {
    {"x(?=y)",        "invalid or unsupported Perl syntax: `(?=`"},
    {"(?<!x)y",       "invalid or unsupported Perl syntax: `(?<`"},
    {"(?>x)",         "invalid or unsupported Perl syntax: `(?>`"},
    {"(?x) y",        "invalid or unsupported Perl syntax: `(?x`"},
    {"(?i-",          "invalid or unsupported Perl syntax: `(?i-`"},
    {"(?i-)y",        "invalid or unsupported Perl syntax: `(?i-)`"},
    {"(y)z\\1",       "invalid escape sequence: `\\1`"},
    {"y\\Z",          "invalid escape sequence: `\\Z`"},
    {"\\x{11FFFF}",   "invalid escape sequence: `\\x{11FFFF`"},
    {"\\x{}",         "invalid escape sequence: `\\x{}`"},
    {"\\xq1z",        "invalid escape sequence: `\\xq1`"},
    {"[a\\B]",        "invalid escape sequence: `\\B`"},
    {"y\\",           "trailing backslash at end of expression: ``"},
    {"y+*",           "invalid nested repetition operator: `+*`"},
    {"y{3}??z",       "invalid nested repetition operator: `{3}??`"},
    {"*y",            "missing argument to repetition operator: `*`"},
    {"z|+?",          "missing argument to repetition operator: `+?`"},
    {"y(?i)+",        "missing argument to repetition operator: `+`"},
    {"(*ANY)",        "missing argument to repetition operator: `*`"},
    {"y{5,4}",        "invalid repeat count: `{5,4}`"},
    {"y{1002,}",      "invalid repeat count: `{1002,}`"},
    {"y{88888888888}", "invalid repeat count: `{88888888888}`"},
    {"((y{20}z){10}){6}", "invalid repeat count: `{6}`"},
    {"[q-b]",         "invalid character class range: `q-b`"},
    {"[[:greek:]]",   "invalid character class range: `[:greek:]`"},
    {"[[:alpha :]]",  "invalid character class range: `[:alpha :]`"},
    {"\\p{Ly}",       "invalid character class range: `\\p{Ly}`"},
    {"\\pz",          "invalid character class range: `\\pz`"},
    {"\\p{Lu",        "invalid character class range: `\\p{Lu`"},
    {"z[y",           "missing closing ]: `[y`"},
    {"z[]",           "missing closing ]: `[]`"},
    {"((y)",          "missing closing ): `((y)`"},
    {"y)z",           "unexpected ): `y)z`"},
    {"(?P<y z>)",     "invalid named capture: `(?P<y z>`"},
    {"(?P<yz",        "invalid named capture: `(?P<yz`"},
    {"y\xff",         "invalid UTF-8: `y\xff`"},
};

static const struct row taken[] = {
    {"",                 ""},
    {"^(ab|c)$",         "^(?:ab|c)$"},
    {"(?P<one>a)(?P<one>b)", "(?:a)(?:b)"},
    {"(?i)a(?s-m:.)+?",  "(?i)a(?s-m:.)+?"},
    {"^*$?\\b{2}",       "(?:^)*(?:$)?(?:\\b){2}"},
    {"\\Qa.c\\E*",       "a\\x{2e}c*"},
    {"\\Qa.",            "a\\x{2e}"},
    {"a{,2}{a{02}",      "a\\x{7b}\\x{2c}2\\x{7d}\\x{7b}a\\x{7b}02\\x{7d}"},
    {"\\_\\-\\07\\x{E9}\\x4a", "_\\x{2d}\\x{7}\\x{e9}J"},
    {"\xc3\xa9\\t",      "\\x{e9}\\x{9}"},
    {"\\s[\\s\\d]",      "[\\t\\n\\f\\r\\x20][\\t\\n\\f\\r\\x20\\d]"},
    {"[]a-c[.]",         "[\\x{5d}a-c\\x{5b}\\x{2e}]"},
    {"[^^[:^word:]-z]",  "[^\\x{5e}[:^word:]\\x{2d}z]"},
    {"\\pN\\P{^Greek}",  "\\p{N}\\p{Greek}"},
    {"((y{20}z){10}){5}", "(?:(?:y{20}z){10}){5}"},
};
/* clang-format on */

static int convert(const char *pattern, struct bbi_buf *text, struct bb_error *err)
{
    bbi_buf_init(text, NULL, 65536);
    return bbi_re2_to_pcre2(pattern, strlen(pattern), text, err);
}

static void test_refused(void **state)
{
    static const char prefix[] = "error parsing regexp: ";
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct bbi_buf text;
        struct bb_error err;
        assert_int_equal(convert(refused[i].pattern, &text, &err), BB_EPARSE);
        assert_memory_equal(err.text, prefix, sizeof(prefix) - 1);
        assert_string_equal(err.text + sizeof(prefix) - 1, refused[i].expected);
        bbi_buf_fini(&text);
    }
}

static void test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        struct bbi_buf text;
        struct bb_error err;
        assert_int_equal(convert(taken[i].pattern, &text, &err), BB_OK);
        bbi_buf_u8(&text, '\0');
        assert_string_equal((const char *)text.data, taken[i].expected);
        bbi_buf_fini(&text);
    }
}

/* Deep nesting ends at a limit, and every prefix of a long pattern is read within its bounds. */
static void test_bounds(void **state)
{
    static const char long_pattern[] =
        "(?i)^(?P<n>a|[^[:alpha:]b-\\x{ff}\\pL]{2,3}?)\\Q.\\E\\x41\\101\\p{Greek}$";
    char deep[1024];
    struct bbi_buf text;
    struct bb_error err;
    (void)state;
    memset(deep, '(', sizeof(deep));
    bbi_buf_init(&text, NULL, 65536);
    assert_int_equal(bbi_re2_to_pcre2(deep, sizeof(deep), &text, &err), BB_EPARSE);
    assert_non_null(strstr(err.text, "expression nests too deeply"));
    for (size_t n = 0; n < sizeof(long_pattern); n++) {
        char *exact = test_malloc(n == 0 ? 1 : n);
        memcpy(exact, long_pattern, n);
        bbi_buf_reset(&text);
        int rc = bbi_re2_to_pcre2(exact, n, &text, &err);
        assert_true(rc == BB_OK || rc == BB_EPARSE);
        test_free(exact);
    }
    bbi_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
