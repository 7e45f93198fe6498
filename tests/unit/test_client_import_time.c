#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/import_order.h"
#include "client/import_time.h"
#include "client/import_zone.h"
#include "tests/lib/unit.h"

#define BERLIN_SPRING 1711846800 /* 2024-03-31T01:00:00Z, 02:00 becomes 03:00 */
#define BERLIN_AUTUMN 1729990800 /* 2024-10-27T01:00:00Z, 03:00 becomes 02:00 */

/** "SECONDS.NANOS[Z]" or the reason. */
static const char *read_as(const char *spec, const char *text)
{
    static char out[128];
    struct time_format format;
    struct time_reader reader;
    struct moment moment;
    char error[256];
    if (!time_format_parse(spec, &format, error, sizeof(error)))
        fail_msg("%s", error);
    time_reader_init(&reader, &format);
    const char *reason = time_read(&reader, text, strlen(text), &moment);
    if (reason != NULL)
        return reason;
    snprintf(out, sizeof(out), "%lld.%09d%s", (long long)moment.second_s, (int)moment.nanos,
             moment.is_utc ? "Z" : "");
    return out;
}

struct time_case {
    const char *spec, *text, *expected;
};

static void check_cases(const struct time_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = read_as(cases[i].spec, cases[i].text);
        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("%s as %s: %s instead of %s", cases[i].text, cases[i].spec, got,
                     cases[i].expected);
    }
}

static void test_dates(void **state)
{
    static const struct time_case cases[] = {
        {"auto", "2024-03-15T12:00:00Z", "1710504000.000000000Z"},
        {"auto", "2024-03-15 12:00:00", "1710504000.000000000"},
        {"auto", " 2024-03-15T12:00:00 ", "1710504000.000000000"},
        {"auto", "2024-03-15T12:00:00.123456789Z", "1710504000.123456789Z"},
        {"auto", "2024-03-15T12:00:00.1234567891+01:00", "1710500400.123456789Z"},
        {"auto", "2024-03-15T12:00:00-0330", "1710516600.000000000Z"},
        {"auto", "2024-03-15 12:00:00 UTC", "1710504000.000000000Z"},
        {"auto", "2024-03-15T12:00Z", "1710504000.000000000Z"},
        {"auto", "2024-03-15", "1710460800.000000000"},
        {"auto", "2024-03-15T24:00:00", "1710547200.000000000"},
        {"auto", "2024/3/5 1:02", "1709600520.000000000"},
        {"auto", "20240315", "1710460800.000000000"},
        {"auto", "20240315T120000Z", "1710504000.000000000Z"},
        {"auto", "202403151200", "1710504000.000000000"},
        {"auto", "15-Mar-2024 12:00", "1710504000.000000000"},
        {"auto", "Mar 15, 2024 12:00 PM", "1710504000.000000000"},
        {"dmy", "15/03/2024 12:00", "1710504000.000000000"},
        {"dmy", "15.3.24 12:00:00", "1710504000.000000000"},
        {"mdy", "3/15/2024 12:00 AM", "1710460800.000000000"},
        {"auto", "1600-02-29", "-11670998400.000000000"},
        {"auto", "0001-01-01", "-62135596800.000000000"},
        {"auto", "9999-12-31T23:59:59Z", "253402300799.000000000Z"},
        {"auto", "2023-02-29", "there is no such day"},
        {"auto", "2024-03-15T25:00:00Z", "there is no such time of day"},
        {"auto", "2024-03-15T24:00:01Z", "there is no such time of day"},
        {"auto", "2024-03-15T12:60:00Z", "there is no such time of day"},
        {"mdy", "15/03/2024", "there is no such day"},
        {"auto", "03/04/2024", "day or month first? give the format dmy or mdy"},
        {"auto", "", "is missing"},
        {"auto", "noon", "is not a time"},
        {"auto", "2024-03-15T12:00:00Zx", "is not a time"},
        {"auto", "2024-03-15T12:00:00+99:00", "is not a time"},
        {"auto", "2024-03", "is not a time"},
    };
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_epochs(void **state)
{
    static const struct time_case cases[] = {
        {"s", "1710504000", "1710504000.000000000Z"},
        {"s", "1710504000.5", "1710504000.500000000Z"},
        {"ms", "1710504000123", "1710504000.123000000Z"},
        {"us", "-1", "-1.999999000Z"},
        {"ns", "1710504000123456789", "1710504000.123456789Z"},
        {"ns", "9223372036854775808", "is out of range"},
        {"s", "99999999999999999999999", "is out of range"},
        {"s", "17x", "is not a time"},
        {"s", "-", "is not a time"},
    };
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_patterns(void **state)
{
    static const struct time_case cases[] = {
        {"%d/%m/%Y %H:%M", "15/03/2024 12:00", "1710504000.000000000"},
        {"%d.%m.%y, %H.%M", "15.03.24, 12.00", "1710504000.000000000"},
        {"%F %T", "2024-03-15 12:00:00", "1710504000.000000000"},
        {"%d%b%Y:%H:%M:%S", "15MAR2024:12:00:00", "1710504000.000000000"},
        {"%Y%j %H%M", "2024075 1200", "1710504000.000000000"},
        {"%m/%d/%Y %I:%M %p", "03/15/2024 01:30 pm", "1710509400.000000000"},
        {"%Y-%m-%dT%H:%M:%S.%f%z", "2024-03-15T12:00:00.25+01:00", "1710500400.250000000Z"},
        {"at %s", "at 1710504000", "1710504000.000000000Z"},
        {"100%% %F", "100% 2024-03-15", "1710460800.000000000"},
        {"%d/%m/%Y", "15/03/2024 12:00", "is not a time of the given format"},
        {"%d/%m/%Y %H:%M", "2024-03-15", "is not a time of the given format"},
        {"%Y-%m-%d", "2024-13-01", "there is no such day"},
        {"%m/%d/%Y %I %p", "03/15/2024 13 PM", "there is no such time of day"},
    };
    struct time_format format;
    char error[256];
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
    assert_false(time_format_parse("%Q", &format, error, sizeof(error)));
    assert_string_equal(error, "'%Q' in '%Q' is not known");
    assert_false(time_format_parse("%Y-%", &format, error, sizeof(error)));
    assert_false(time_format_parse("iso", &format, error, sizeof(error)));
    assert_contains(error, "'iso' is no time format");
}

static const char *guess(const char *const *texts, size_t n)
{
    struct time_sample samples[8];
    struct time_format format;
    bool needs_order;
    for (size_t i = 0; i < n; i++)
        samples[i] = (struct time_sample){texts[i], strlen(texts[i])};
    if (!time_guess(samples, n, &format, &needs_order))
        return "none";
    return needs_order ? "order?" : time_format_name(&format);
}

#define assert_guess(expected, ...)                                                    \
    do {                                                                               \
        const char *const texts[] = {__VA_ARGS__};                                     \
        assert_string_equal(guess(texts, sizeof(texts) / sizeof(texts[0])), expected); \
    } while (0)

static void test_guess(void **state)
{
    (void)state;
    assert_guess("s", "1710504000", "1710505800");
    assert_guess("ms", "1710504000000", "1710505800000");
    assert_guess("ns", "1710504000000000000");
    assert_guess("auto", "2024-03-15T12:00:00Z");
    assert_guess("auto", "20240315 1200");
    assert_guess("dmy", "01/02/2024", "13/02/2024");
    assert_guess("mdy", "01/02/2024", "01/13/2024");
    assert_guess("order?", "01/02/2024", "02/02/2024");
    assert_guess("dmy", "01/02/2024", "13/02/2024", "14/02/2024", "x", "02/02/2024");
    assert_guess("none", "x", "2024-03-15");
    assert_guess("none", "12.5", "13");
}

static void test_months_back(void **state)
{
    int64_t start, expected;
    (void)state;
    assert_true(time_of_day(2024, 3, 31, &start));
    assert_true(time_of_day(2024, 2, 29, &expected));
    assert_int_equal(time_minus_months(start + 5, 1), expected + 5);
    assert_true(time_of_day(2023, 3, 31, &expected));
    assert_int_equal(time_minus_months(start, 12), expected);
    assert_int_equal(time_minus_months(start, 0), start);
    for (int64_t day = -719162; day < 2932896; day += 97)
        assert_int_equal(time_minus_months(day * 86400 + 3, 0), day * 86400 + 3);
}

static void test_fixed_zones(void **state)
{
    struct zone zone;
    int64_t utc_s[2];
    (void)state;
    assert_true(zone_init(&zone, "UTC"));
    assert_int_equal(zone_resolve(&zone, 100, utc_s), 1);
    assert_int_equal(utc_s[0], 100);
    assert_true(zone_init(&zone, "-03:30"));
    assert_int_equal(zone_resolve(&zone, 0, utc_s), 1);
    assert_int_equal(utc_s[0], 12600);
    assert_false(zone_init(&zone, "+24:00"));
    assert_false(zone_init(&zone, "+1x"));
    assert_false(zone_init(&zone, "Mars/Olympus"));
    assert_false(zone_init(&zone, "../../etc/passwd"));
    assert_false(zone_init(&zone, "/etc/localtime"));
    assert_false(zone_init(&zone, ""));
}

static void test_daylight_saving(void **state)
{
    struct zone zone;
    int64_t utc_s[2];
    (void)state;
    assert_true(zone_init(&zone, "Europe/Berlin"));
    assert_int_equal(zone_resolve(&zone, BERLIN_SPRING + 3600 - 1, utc_s), 1);
    assert_int_equal(utc_s[0], BERLIN_SPRING - 1);
    assert_int_equal(zone_resolve(&zone, BERLIN_SPRING + 3600, utc_s), 0);
    assert_int_equal(zone_resolve(&zone, BERLIN_SPRING + 7200 - 1, utc_s), 0);
    assert_int_equal(zone_resolve(&zone, BERLIN_SPRING + 7200, utc_s), 1);
    assert_int_equal(utc_s[0], BERLIN_SPRING);
    assert_int_equal(zone_resolve(&zone, BERLIN_AUTUMN + 3600 - 1, utc_s), 1);
    assert_int_equal(zone_resolve(&zone, BERLIN_AUTUMN + 3600, utc_s), 2);
    assert_int_equal(utc_s[0], BERLIN_AUTUMN - 3600);
    assert_int_equal(utc_s[1], BERLIN_AUTUMN);
    assert_int_equal(zone_resolve(&zone, BERLIN_AUTUMN + 7200, utc_s), 1);
}

/** Each moment of years with changes comes back from the clock that shows it; Samoa leaps a day. */
static void test_zones_against_localtime(void **state)
{
    static const char *const names[] = {"Europe/London",    "Australia/Lord_Howe", "Pacific/Apia",
                                        "America/St_Johns", "Africa/Casablanca",   "Asia/Kolkata"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct zone zone;
        assert_true(zone_init(&zone, names[i]));
        for (int64_t t = 1293840000; t < 1420070400; t += 1800) { /* 2011 to 2014 */
            time_t moment = (time_t)t;
            struct tm tm;
            assert_non_null(localtime_r(&moment, &tm));
            int64_t utc_s[2] = {0, 0};
            int n = zone_resolve(&zone, t + tm.tm_gmtoff, utc_s);
            if (n < 1 || (utc_s[0] != t && (n < 2 || utc_s[1] != t)))
                fail_msg("%s: %lld", names[i], (long long)t);
            assert_true(n < 2 || utc_s[0] < utc_s[1]);
        }
    }
}

static int64_t choose(struct order *order, uint64_t series, int64_t local_s)
{
    int64_t utc_s[2] = {local_s - 7200, local_s - 3600}, chosen = 0;
    order_step(order, local_s);
    assert_true(order_choose(order, series, utc_s, &chosen));
    return local_s - chosen;
}

static void test_order(void **state)
{
    struct order rising = {0}, falling = {0};
    (void)state;
    /* Two series side by side, twice the same hour. */
    assert_int_equal(choose(&rising, 1, 7200), 7200);
    assert_int_equal(choose(&rising, 2, 7200), 7200);
    assert_int_equal(choose(&rising, 1, 9000), 7200);
    assert_int_equal(choose(&rising, 2, 9000), 7200);
    assert_int_equal(choose(&rising, 1, 7200), 3600);
    assert_int_equal(choose(&rising, 2, 7200), 3600);
    assert_int_equal(choose(&rising, 1, 9000), 3600);
    assert_int_equal(choose(&rising, 2, 9000), 3600);
    order_fini(&rising);
    order_step(&falling, 12000);
    order_step(&falling, 11000);
    order_step(&falling, 10800);
    assert_int_equal(choose(&falling, 1, 9000), 3600);
    assert_int_equal(choose(&falling, 1, 7200), 3600);
    assert_int_equal(choose(&falling, 1, 9000), 7200);
    assert_int_equal(choose(&falling, 1, 7200), 7200);
    order_fini(&falling);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates),           cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_patterns),        cmocka_unit_test(test_guess),
        cmocka_unit_test(test_months_back),     cmocka_unit_test(test_fixed_zones),
        cmocka_unit_test(test_daylight_saving), cmocka_unit_test(test_zones_against_localtime),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
