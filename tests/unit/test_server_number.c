#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/number.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

static const char *text_of_double(double v)
{
    static char text[NUMBER_MAX_BYTES + 1];
    text[number_double(text, v)] = '\0';
    return text;
}

static const char *text_of_time(int64_t v)
{
    static char text[NUMBER_MAX_BYTES + 1];
    text[number_time(text, v)] = '\0';
    return text;
}

/** What Go's encoding/json prints. */
static void test_double_layout(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {-1.5, "-1.5"},
                 {0.1, "0.1"},
                 {0.123, "0.123"},
                 {100, "100"},
                 {123456789012345680.0, "123456789012345680"},
                 {1e20, "100000000000000000000"},
                 {1e21, "1e+21"},
                 {-1.2345e100, "-1.2345e+100"},
                 {0.000001, "0.000001"},
                 {0.00000123, "0.00000123"},
                 {9.99e-7, "9.99e-7"},
                 {1e-10, "1e-10"},
                 {DBL_MAX, "1.7976931348623157e+308"},
                 {DBL_MIN, "2.2250738585072014e-308"},
                 {5e-324, "5e-324"},
                 {9007199254740992.0, "9007199254740992"},
                 {9007199254740993.0, "9007199254740992"},
                 {5.684341886080802e-14, "5.684341886080802e-14"},
                 {1.0 / 3, "0.3333333333333333"},
                 {2.0 / 3, "0.6666666666666666"},
                 {0.1 + 0.2, "0.30000000000000004"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(text_of_double(cases[i].value), cases[i].text);
}

/** What Go's strconv prints by 'f' and the shortest precision. */
static void test_plain_layout(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "-0"},
                 {-1.5, "-1.5"},
                 {1e21, "1000000000000000000000"},
                 {-1.25e-7, "-0.000000125"},
                 {INFINITY, "+Inf"},
                 {-INFINITY, "-Inf"},
                 {NAN, "NaN"},
                 {-NAN, "NaN"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[NUMBER_PLAIN_MAX_BYTES + 1];
        text[number_plain_double(text, cases[i].value)] = '\0';
        assert_string_equal(text, cases[i].text);
    }
}

/** The longest ones fit, and read back as themselves. */
static void test_plain_length(void **state)
{
    static const double cases[] = {DBL_MAX, -DBL_MAX, -DBL_MIN, -5e-324, -2.2250738585072009e-308};
    struct rng rng = rng_from_env();
    (void)state;
    for (size_t i = 0; i < 50000; i++) {
        char text[NUMBER_PLAIN_MAX_BYTES + 1];
        double v = i < sizeof(cases) / sizeof(cases[0]) ? cases[i] : rng_finite(&rng);
        size_t n = number_plain_double(text, v);
        assert_true(n <= NUMBER_PLAIN_MAX_BYTES);
        text[n] = '\0';
        double back = strtod(text, NULL);
        assert_memory_equal(&back, &v, sizeof(v));
        assert_null(strchr(text, 'e'));
    }
}

static size_t significant_digits(const char *text)
{
    size_t n = 0;
    size_t zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
            continue;
        n++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return n - zeros;
}

static double random_double(struct rng *rng)
{
    uint64_t kind = rng_below(rng, 4);
    double decimal = (double)(int64_t)(rng_u64(rng) >> (rng_below(rng, 40) + 20));
    if (kind == 0)
        return decimal / pow(10, (double)rng_below(rng, 10));
    if (kind == 1)
        return ldexp(1, (int)rng_below(rng, 2098) - 1074); /* powers of two: uneven intervals */
    if (kind == 2)
        return ldexp((double)rng_below(rng, 1 << 20), -1074);
    return rng_finite(rng);
}

/** Reads back as itself, and the nearest decimal with a digit less does not. */
static void test_double_is_shortest(void **state)
{
    struct rng rng = rng_from_env();
    (void)state;
    for (int i = 0; i < 200000; i++) {
        double v = random_double(&rng);
        const char *text = text_of_double(v);
        double back = strtod(text, NULL);
        assert_memory_equal(&back, &v, sizeof(v));
        size_t digits = significant_digits(text);
        if (digits > 1) {
            char shorter[64];
            snprintf(shorter, sizeof(shorter), "%.*e", (int)digits - 2, v);
            assert_true(strtod(shorter, NULL) != v);
        }
    }
}

static void test_integers(void **state)
{
    char text[NUMBER_MAX_BYTES + 1];
    char expect[64];
    struct rng rng = rng_from_env();
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t v = rng_u64(&rng) >> rng_below(&rng, 64);
        text[number_u64(text, v)] = '\0';
        snprintf(expect, sizeof(expect), "%" PRIu64, v);
        assert_string_equal(text, expect);
        int64_t s = (int64_t)(rng_one_in(&rng, 2) ? 0 - v : v);
        text[number_i64(text, s)] = '\0';
        snprintf(expect, sizeof(expect), "%" PRId64, s);
        assert_string_equal(text, expect);
    }
    text[number_i64(text, INT64_MIN)] = '\0';
    assert_string_equal(text, "-9223372036854775808");
}

static void test_time_of_a_zone(void **state)
{
    static const struct {
        int64_t time_ns;
        int32_t offset_s;
        const char *text;
    } cases[] = {
        {0, 3600, "1970-01-01T01:00:00+01:00"},
        {1500000000, -12600, "1969-12-31T20:30:01.5-03:30"},
        {0, 0, "1970-01-01T00:00:00Z"},
        {0, -75, "1969-12-31T23:58:45-00:01"},
        {INT64_MAX, 3600, "2262-04-11T23:47:16.854775807Z"},
    };
    char text[NUMBER_MAX_BYTES + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text[number_time_at(text, cases[i].time_ns, cases[i].offset_s)] = '\0';
        assert_string_equal(text, cases[i].text);
    }
}

static void test_time_layout(void **state)
{
    (void)state;
    assert_string_equal(text_of_time(0), "1970-01-01T00:00:00Z");
    assert_string_equal(text_of_time(-1), "1969-12-31T23:59:59.999999999Z");
    assert_string_equal(text_of_time(1500000000), "1970-01-01T00:00:01.5Z");
    assert_string_equal(text_of_time(951782400000000001), "2000-02-29T00:00:00.000000001Z");
    assert_string_equal(text_of_time(-9223372036854775806), "1677-09-21T00:12:43.145224194Z");
    assert_string_equal(text_of_time(9223372036854775806), "2262-04-11T23:47:16.854775806Z");
}

/** Against the C library, over the whole range. */
static void test_time_agrees_with_gmtime(void **state)
{
    struct rng rng = rng_from_env();
    (void)state;
    for (int i = 0; i < 100000; i++) {
        int64_t seconds = (int64_t)rng_u64(&rng) / 1000000001;
        time_t t = (time_t)seconds;
        struct tm tm;
        char expect[64];
        assert_non_null(gmtime_r(&t, &tm));
        strftime(expect, sizeof(expect), "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_string_equal(text_of_time(seconds * 1000000000), expect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_double_layout),  cmocka_unit_test(test_double_is_shortest),
        cmocka_unit_test(test_plain_layout),   cmocka_unit_test(test_plain_length),
        cmocka_unit_test(test_integers),       cmocka_unit_test(test_time_layout),
        cmocka_unit_test(test_time_of_a_zone), cmocka_unit_test(test_time_agrees_with_gmtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
