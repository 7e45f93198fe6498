#include "tests/lib/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/decimal.h"
#include "tests/lib/rng.h"

static struct rng rng;

static uint64_t bits_of(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof(b));
    return b;
}

/* The C library rounds correctly; both must agree to the last bit. */
static void expect_same(const char *text)
{
    double got;
    if (!bbi_decimal_parse(text, strlen(text), &got)) {
        fail_msg("%s: refused", text);
    }
    double want = strtod(text, NULL);
    if (bits_of(got) != bits_of(want)) {
        fail_msg("%s: got %a, want %a", text, got, want);
    }
}

static void parses_known_hard_cases(void **state)
{
    static const char *const cases[] = {
        "0",
        "-0",
        "0.123",
        "1e5",
        "1E+5",
        "1e-5",
        ".5",
        "5.",
        "-.5e1",
        "00012",
        "9007199254740993",
        "9007199254740992.99999999999999999999",
        "9007199254740993.0000000000000000000000000000000001",
        "1e22",
        "1e23",
        "8.5e22",
        "1e-22",
        "1e-23",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827021181583404541015625",
        "0.30000000000000004",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e-400",
        "1e400",
        "-1e400",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "18446744073709551615",
        "18446744073709551616",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0e99999999999999999999",
        "0.000000000000000000000000000000000000000000000000001e50",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_same(cases[i]);
    }
}

static void refuses_what_is_no_number(void **state)
{
    static const char *const cases[] = {"",      "-",     "+",   ".",   "-.",    "e5", "1e",
                                        "1e+",   "1.1.1", "0x1", "nan", "inf",   "1 ", " 1",
                                        "1e5e5", "1e5.5", "--1", "1_0", "1e--5", "1,5"};
    double v;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (bbi_decimal_parse(cases[i], strlen(cases[i]), &v)) {
            fail_msg("'%s' was taken", cases[i]);
        }
    }
}

static void agrees_with_libc_on_random_texts(void **state)
{
    char text[1200];
    (void)state;
    for (int i = 0; i < 200000; i++) {
        int whole = (int)(rng_u64(&rng) % 22);
        int fraction = (int)(rng_u64(&rng) % 22);
        size_t at = 0;
        if ((rng_u64(&rng) & 1) != 0) {
            text[at++] = '-';
        }
        for (int d = 0; d <= whole; d++) {
            text[at++] = (char)('0' + rng_u64(&rng) % 10);
        }
        text[at++] = '.';
        for (int d = 0; d < fraction; d++) {
            text[at++] = (char)('0' + rng_u64(&rng) % 10);
        }
        text[at] = '\0';
        if ((rng_u64(&rng) & 3) == 0) {
            int exponent = (int)(rng_u64(&rng) % 700) - 350;
            (void)snprintf(text + at, sizeof(text) - at, "e%d", exponent);
        }
        expect_same(text);
    }
}

static void agrees_with_libc_near_halfway(void **state)
{
    char text[1200];
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_u64(&rng) & UINT64_C(0x7fefffffffffffff);
        double low;
        memcpy(&low, &bits, sizeof(low));
        /* Exactly between two doubles, then one digit more or less at the far end. */
        (void)snprintf(text, sizeof(text), "%.*e", (int)(rng_u64(&rng) % 800), low);
        expect_same(text);
        (void)snprintf(text, sizeof(text), "%.17e", low);
        expect_same(text);
    }
}

/* The middle of two neighbours in [2^52, 2^53) has one decimal; what follows decides. */
static void rounds_ties_to_even_and_sees_far_digits(void **state)
{
    char text[1100];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        unsigned long long whole = (UINT64_C(1) << 52) + rng_u64(&rng) % (UINT64_C(1) << 52);
        int length = snprintf(text, sizeof(text), "%llu.5", whole);
        expect_same(text);
        memset(text + length, '0', 1000);
        text[length + 999] = '1';
        text[length + 1000] = '\0';
        expect_same(text);
    }
}

static void formats_shortest_and_reads_back(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},           {-0.0, "-0"},
        {1.0, "1"},           {0.1, "0.1"},
        {-15.0, "-15"},       {1e21, "1000000000000000000000"},
        {1e-7, "0.0000001"},  {0.30000000000000004, "0.30000000000000004"},
        {123.456, "123.456"},
    };
    char text[BBI_DECIMAL_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t length = bbi_decimal_format(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(length, strlen(text));
    }
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_u64(&rng);
        double value;
        double back;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value)) {
            continue;
        }
        size_t length = bbi_decimal_format(value, text);
        assert_true(bbi_decimal_parse(text, length, &back));
        assert_true(bits_of(back) == bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_known_hard_cases),
        cmocka_unit_test(refuses_what_is_no_number),
        cmocka_unit_test(agrees_with_libc_on_random_texts),
        cmocka_unit_test(agrees_with_libc_near_halfway),
        cmocka_unit_test(rounds_ties_to_even_and_sees_far_digits),
        cmocka_unit_test(formats_shortest_and_reads_back),
    };
    rng = rng_from_env();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
