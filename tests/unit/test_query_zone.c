/* tz(): time strings, days of 23 and 25 hours, calendar months. The answers in days are those of
 * influxd 1.6.7; months are an extension. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/query/bucket.h"
#include "tests/lib/dbtest.h"

static struct dbtest t;

/* One reading each half hour from 2024-03-30 to 2024-04-02 and from 2024-10-26 to 10-29, UTC. */
static int setup(void **state)
{
    struct bbi_buf lines;
    (void)state;
    dbtest_open(&t);
    bbi_buf_init(&lines, NULL, 1u << 20);
    for (int64_t half = 0; half < 3 * 48; half++) {
        bbi_buf_printf(&lines, "m v=1 %lld000000000\n", 1711756800LL + half * 1800);
        bbi_buf_printf(&lines, "m v=1 %lld000000000\n", 1729900800LL + half * 1800);
    }
    bbi_buf_u8(&lines, 0);
    dbtest_write(&t, (const char *)lines.data);
    bbi_buf_fini(&lines);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dbtest_close(&t);
    return 0;
}

static void days(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        dbtest_expect(
            &t,
            "SELECT count(v) FROM m WHERE time >= '2024-03-30' AND time < '2024-04-02' "
            "GROUP BY time(1d) fill(none) tz('Europe/London')",
            "m: time=1711756800000000000 count=48i\nm: time=1711843200000000000 count=46i\n"
            "m: time=1711926000000000000 count=48i\n");
        dbtest_expect(
            &t,
            "SELECT count(v) FROM m WHERE time >= '2024-10-26' AND time < '2024-10-29' "
            "GROUP BY time(1d) fill(none) tz('Europe/London')",
            "m: time=1729897200000000000 count=46i\nm: time=1729983600000000000 count=50i\n"
            "m: time=1730073600000000000 count=48i\n");
        dbtest_flush(&t);
    }
}

/* With an offset they begin at that hour of the clocks, on the day of the change too. */
static void days_from_noon(void **state)
{
    (void)state;
    dbtest_expect(&t,
                  "SELECT count(v) FROM m WHERE time >= '2024-03-30 12:00:00' AND time < "
                  "'2024-04-01 12:00:00' GROUP BY time(1d, 12h) tz('Europe/London')",
                  "m: time=1711800000000000000 count=46i\nm: time=1711882800000000000 count=48i\n");
    dbtest_expect(&t,
                  "SELECT count(v) FROM m WHERE time >= '2024-10-26 12:00:00' AND time < "
                  "'2024-10-28 12:00:00' GROUP BY time(1d, 12h) tz('Europe/London')",
                  "m: time=1729940400000000000 count=50i\nm: time=1730030400000000000 count=48i\n");
    dbtest_expect(&t,
                  "SELECT count(v) FROM m WHERE time >= '2024-03-30 18:00:00' AND time < "
                  "'2024-03-31 18:00:00' GROUP BY time(1d, -6h) tz('Europe/London')",
                  "m: time=1711821600000000000 count=46i\n");
}

static void hours(void **state)
{
    (void)state;
    dbtest_expect(
        &t,
        "SELECT count(v) FROM m WHERE time >= '2024-10-27 00:00:00' AND time < '2024-10-27 "
        "03:00:00' GROUP BY time(1h) tz('Europe/London')",
        "m: time=1729983600000000000 count=2i\nm: time=1729987200000000000 count=2i\n"
        "m: time=1729990800000000000 count=2i\nm: time=1729994400000000000 count=2i\n");
    dbtest_expect(
        &t,
        "SELECT count(v) FROM m WHERE time >= '2024-10-27 00:00:00' AND time < '2024-10-27 "
        "01:00:00' GROUP BY time(1h) tz('Asia/Kolkata')",
        "m: time=1729967400000000000 count=2i\n");
    /* Clocks that change by half an hour cut intervals of an hour. */
    dbtest_expect(
        &t,
        "SELECT count(v) FROM m WHERE time >= '2024-06-01' AND time < '2024-10-27' GROUP BY "
        "time(1h) fill(none) LIMIT 1 tz('Australia/Lord_Howe')",
        "m: time=1729900800000000000 count=2i\n");
}

static void months(void **state)
{
    (void)state;
    dbtest_expect(&t,
                  "SELECT count(v) FROM m WHERE time >= '2024-03-01' AND time < '2024-11-01' "
                  "GROUP BY time(1mo) fill(none) tz('Europe/London')",
                  "m: time=1709251200000000000 count=94i\nm: time=1711926000000000000 count=50i\n"
                  "m: time=1727737200000000000 count=144i\n");
    dbtest_expect(&t,
                  "SELECT count(v) FROM m WHERE time >= '2024-03-01' AND time < '2024-05-01' "
                  "GROUP BY time(1mo)",
                  "m: time=1709251200000000000 count=96i\nm: time=1711929600000000000 count=48i\n");
    dbtest_expect(&t,
                  "SELECT count(v) FROM m WHERE time >= '2023-01-01' AND time < '2025-01-01' "
                  "GROUP BY time(1y)",
                  "m: time=1672531200000000000 count=0i\nm: time=1704067200000000000 count=288i\n");
    dbtest_expect(&t, "SELECT count(v) FROM m WHERE time < '2025-01-01' GROUP BY time(1001y)",
                  "error: time dimension must have a duration of 1 month to 1000 years\n");
}

/* What looks at the interval before reads all of it, however long it is. */
static void interval_before(void **state)
{
    (void)state;
    dbtest_expect(&t,
                  "SELECT difference(count(v)) FROM m WHERE time >= '2024-10-28' AND time < "
                  "'2024-10-29' GROUP BY time(1d) tz('Europe/London')",
                  "m: time=1730073600000000000 difference=-2i\n");
    dbtest_expect(&t,
                  "SELECT difference(count(v)) FROM m WHERE time >= '2024-10-26' AND time < "
                  "'2024-10-27' GROUP BY time(1d) ORDER BY time DESC tz('Europe/London')",
                  "m: time=1729897200000000000 difference=-4i\n");
    dbtest_expect(&t,
                  "SELECT difference(count(v)) FROM m WHERE time >= '2024-04-01' AND time < "
                  "'2024-05-01' GROUP BY time(1mo) tz('Europe/London')",
                  "m: time=1711926000000000000 difference=-44i\n");
}

static void names(void **state)
{
    (void)state;
    dbtest_expect(&t, "SELECT v FROM m tz('Nowhere/City')",
                  "error: error parsing query: unable to find time zone Nowhere/City\n");
    dbtest_expect(&t, "SELECT first(v) FROM m tz('')", "m: time=1711756800000000000 first=1\n");
    dbtest_expect(&t, "SELECT first(v) FROM m tz('local')",
                  "error: error parsing query: unable to find time zone local\n");
    assert_int_equal(setenv("TZ", ":Asia/Kolkata", 1), 0);
    dbtest_expect(&t,
                  "SELECT count(v) FROM m WHERE time >= '2024-03-31' AND time < '2024-04-01' "
                  "GROUP BY time(1d) tz('Local')",
                  "m: time=1711823400000000000 count=48i\n");
    assert_int_equal(unsetenv("TZ"), 0);
}

/* Every time lies in the interval that it is put into, and intervals follow each other. */
static void intervals_join(void **state)
{
    static const char *const zones[] = {"Europe/London",       "America/Sao_Paulo",
                                        "Australia/Lord_Howe", "America/St_Johns",
                                        "Asia/Gaza",           "Africa/Casablanca"};
    struct bbi_zones *all;
    struct bb_error err;
    (void)state;
    assert_int_equal(bbi_zones_create(NULL, &all, &err), BB_OK);
    for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++) {
        for (int kind = 0; kind < 6; kind++) {
            struct bbi_buckets b = {.width_ns = INT64_C(86400000000000), .offset_ns = kind * 1000};
            b.months = kind == 1 ? 1 : kind == 2 ? 12 : 0;
            b.width_ns = kind == 3 ? b.width_ns / 4 : b.width_ns;
            b.offset_ns = kind == 4 ? b.width_ns / 2 : kind == 5 ? -b.width_ns / 24 : b.offset_ns;
            assert_int_equal(bbi_zones_get(all, zones[z], &b.zone, &err), BB_OK);
            int64_t last = bbi_bucket_of(&b, 0);
            for (int64_t time = 0; time < INT64_C(1900000000000000000);
                 time += INT64_C(9003000000001)) {
                int64_t n = bbi_bucket_of(&b, time);
                assert_true(n >= last && bbi_bucket_start(&b, n) <= time);
                assert_true(bbi_bucket_last(&b, n) >= time);
                assert_true(bbi_bucket_last(&b, n) + 1 == bbi_bucket_start(&b, n + 1));
                last = n;
            }
            assert_true(bbi_bucket_of(&b, BBI_TIME_MIN) <= bbi_bucket_of(&b, BBI_TIME_MIN + 1));
            assert_true(bbi_bucket_of(&b, BBI_TIME_MAX) >= last);
        }
    }
    bbi_zones_destroy(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days),           cmocka_unit_test(days_from_noon),
        cmocka_unit_test(hours),          cmocka_unit_test(months),
        cmocka_unit_test(names),          cmocka_unit_test(interval_before),
        cmocka_unit_test(intervals_join),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
