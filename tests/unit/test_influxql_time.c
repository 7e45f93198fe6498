#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/influxql/expr.h"
#include "engine/influxql/influxql.h"
#include "tests/lib/rng.h"

#define S INT64_C(1000000000)

static void good_times(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"1970-01-01", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01 00:00:00", 0},
        {"1970-01-01    0:00:01", S},
        {"2009-03-01T00:00:00Z", 1235865600 * S},
        {"2009-03-01 00:00:00.123", 1235865600 * S + 123000000},
        {"2009-03-01T00:00:00.5Z", 1235865600 * S + 500000000},
        {"2009-03-01T00:00:00.123456789Z", 1235865600 * S + 123456789},
        {"2009-03-01T01:00:00+01:00", 1235865600 * S},
        {"2009-02-28T16:30:00-07:30", 1235865600 * S},
        {"2000-02-29", 951782400 * S},
        {"1969-12-31T23:59:59.999999999Z", -1},
        {"1677-09-21 00:12:43.145224192", INT64_MIN},
        {"2262-04-11 23:47:16.854775807", INT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got;
        assert_int_equal(bbi_ql_time_parse(cases[i].text, NULL, &got), BBI_QL_GOOD_TIME);
        if (got != cases[i].want) {
            fail_msg("%s: %lld", cases[i].text, (long long)got);
        }
    }
}

static void bad_times(void **state)
{
    static const struct {
        const char *text;
        enum bbi_ql_time_form form;
    } cases[] = {
        {"", BBI_QL_NO_TIME},
        {"x", BBI_QL_NO_TIME},
        {"2009", BBI_QL_NO_TIME},
        {"2009-3-1", BBI_QL_NO_TIME},
        {"2009-03-0", BBI_QL_NO_TIME},
        {"09-03-01", BBI_QL_NO_TIME},
        {"2009-13-01", BBI_QL_BAD_TIME},
        {"2009-00-01", BBI_QL_BAD_TIME},
        {"2009-02-29", BBI_QL_BAD_TIME},
        {"1900-02-29", BBI_QL_BAD_TIME},
        {"2009-04-31", BBI_QL_BAD_TIME},
        {"2009-03-00", BBI_QL_BAD_TIME},
        {"2009-03-01x", BBI_QL_BAD_TIME},
        {"2009-03-01 ", BBI_QL_BAD_TIME},
        {"2009-03-01 00:00", BBI_QL_BAD_TIME},
        {"2009-03-01 24:00:00", BBI_QL_BAD_TIME},
        {"2009-03-01 00:60:00", BBI_QL_BAD_TIME},
        {"2009-03-01 00:00:60", BBI_QL_BAD_TIME},
        {"2009-03-01 00:00:00.", BBI_QL_BAD_TIME},
        {"2009-03-01 00:00:00.1234567890", BBI_QL_BAD_TIME},
        {"2009-03-01 00:00:00Z", BBI_QL_BAD_TIME},
        {"2009-03-01T00:00:00", BBI_QL_BAD_TIME},
        {"2009-03-01t00:00:00Z", BBI_QL_BAD_TIME},
        {"2009-03-01T00:00:00z", BBI_QL_BAD_TIME},
        {"2009-03-01T00:00:00+1:00", BBI_QL_BAD_TIME},
        {"2009-03-01T00:00:00+0100", BBI_QL_BAD_TIME},
        {"2009-03-01T00:00:00+01:60", BBI_QL_BAD_TIME},
        {"2009-03-01T00:00:00ZZ", BBI_QL_BAD_TIME},
        {"0000-01-01", BBI_QL_FAR_TIME},
        {"9999-12-31T23:59:59Z", BBI_QL_FAR_TIME},
        {"2262-04-11 23:47:16.854775808", BBI_QL_FAR_TIME},
        {"1677-09-21 00:12:43.145224191", BBI_QL_FAR_TIME},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns;
        if (bbi_ql_time_parse(cases[i].text, NULL, &ns) != cases[i].form) {
            fail_msg("'%s'", cases[i].text);
        }
    }
    int64_t end;
    (void)bbi_ql_time_parse("9999-12-31", NULL, &end);
    assert_true(end == INT64_MAX);
    (void)bbi_ql_time_parse("0001-01-01", NULL, &end);
    assert_true(end == INT64_MIN);
}

/* Against the C library, all over int64; and back. */
static void formats_agree_with_libc_and_read_back(void **state)
{
    struct rng rng = rng_from_env();
    (void)state;
    for (int i = 0; i < 100000; i++) {
        int64_t ns = (int64_t)rng_u64(&rng) >> rng_below(&rng, 60);
        struct bbi_buf buf;
        char want[64];
        struct tm tm;
        int64_t seconds = ns / S - (ns % S < 0);
        time_t clock = (time_t)seconds;
        int64_t back;
        bbi_buf_init(&buf, NULL, 64);
        bbi_ql_time_format(ns, &buf);
        bbi_buf_u8(&buf, 0);
        assert_int_equal(buf.err, BB_OK);
        assert_non_null(gmtime_r(&clock, &tm));
        (void)strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
        assert_memory_equal(buf.data, want, strlen(want));
        assert_int_equal(bbi_ql_time_parse((const char *)buf.data, NULL, &back), BBI_QL_GOOD_TIME);
        assert_true(back == ns);
        bbi_buf_fini(&buf);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
        const char *printed;
    } cases[] = {
        {"0s", 0, "0s"},
        {"1ns", 1, "1ns"},
        {"1u", 1000, "1u"},
        {"1\xc2\xb5", 1000, "1u"},
        {"1ms", 1000000, "1ms"},
        {"1s", S, "1s"},
        {"1m", 60 * S, "1m"},
        {"1h30m", 5400 * S, "90m"},
        {"24h", 86400 * S, "1d"},
        {"7d", 604800 * S, "1w"},
        {"1w1d1h1m1s1ms1u1ns", 694861 * S + 1001001, "694861001001001ns"},
        {"-90s", -90 * S, "-90s"},
        {"15250w", INT64_C(15250) * 604800 * S, "15250w"},
        {"9223372036854775807ns", INT64_MAX, "9223372036854775807ns"},
    };
    char fault[BBI_QL_DURATION_FAULT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bbi_buf buf;
        int64_t ns;
        assert_true(bbi_ql_duration_read(cases[i].text, &ns, fault));
        assert_true(ns == cases[i].want);
        bbi_buf_init(&buf, NULL, 64);
        bbi_ql_duration_format(ns, &buf);
        bbi_buf_u8(&buf, 0);
        assert_string_equal((const char *)buf.data, cases[i].printed);
        bbi_buf_fini(&buf);
    }
}

static void bad_durations(void **state)
{
    static const struct {
        const char *text;
        const char *fault;
    } cases[] = {
        {"", "invalid duration"},
        {"-", "invalid duration"},
        {"5", "invalid duration"},
        {"s", "invalid duration"},
        {"5x", "invalid duration"},
        {"5n", "invalid duration"},
        {"5s5", "invalid duration"},
        {"1mo", "invalid duration"},
        {"1y", "invalid duration"},
        {"1h-5m", "invalid duration"},
        {"9223372036854775808ns", "invalid duration"},
        {"15251w", "overflowed duration 15251w: choose a smaller duration or INF"},
        {"15250w30w", "overflowed duration 30w: choose a smaller duration or INF"},
    };
    char fault[BBI_QL_DURATION_FAULT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns;
        assert_false(bbi_ql_duration_read(cases[i].text, &ns, fault));
        assert_string_equal(fault, cases[i].fault);
    }
}

static void months(void **state)
{
    static const struct {
        const char *text;
        int64_t want; /* 0: none */
    } cases[] = {
        {"1mo", 1},
        {"12mo", 12},
        {"1y", 12},
        {"1y6mo", 18},
        {"2mo1y", 14},
        {"", 0},
        {"1m", 0},
        {"mo", 0},
        {"1mo1d", 0},
        {"1yy", 0},
        {"9223372036854775807y", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got;
        assert_int_equal(bbi_ql_months_read(cases[i].text, &got), cases[i].want != 0);
        assert_true(cases[i].want == 0 || got == cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_times),
        cmocka_unit_test(bad_times),
        cmocka_unit_test(formats_agree_with_libc_and_read_back),
        cmocka_unit_test(durations),
        cmocka_unit_test(bad_durations),
        cmocka_unit_test(months),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
