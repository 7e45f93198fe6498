/*
 * Beyond InfluxQL: approximate percentiles, lookback(). Each answer in four states of the storage.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

/* ---- approximate percentiles ---- */

static const char few_lines[] = "m,h=a v=1.5,i=1i,u=5i 1000000000000\n"
                                "m,h=a v=2.5,i=2i,s=\"q\" 1060000000000\n"
                                "m,h=b v=3,b=true 1060000000000\n"
                                "m,h=b v=-1,i=4i 1120000000000\n"
                                "m v=7 1120000000000\n"
                                "n v=2i 1120000000000\n"
                                "m,h=c i=9i 1300000000000\n";

/* Few numbers: the least and the largest are exact, as is every zero. */
static const struct dbtest_question approximate[] = {
    {"SELECT percentile_approx(v, 0), percentile_approx(v, 100) FROM m",
     "m: time=0 percentile_approx=-1 percentile_approx_1=7\n"},
    {"SELECT percentile_approx(i, 100) FROM m GROUP BY h",
     "m{h=a}: time=0 percentile_approx=2\nm{h=b}: time=0 percentile_approx=4\n"
     "m{h=c}: time=0 percentile_approx=9\n"},
    {"SELECT median_approx(i) FROM m WHERE time >= 1000s AND time < 1330s GROUP BY time(1m) "
     "fill(none)",
     "m: time=960000000000 median_approx=1\nm: time=1020000000000 median_approx=2\n"
     "m: time=1080000000000 median_approx=4\nm: time=1260000000000 median_approx=9\n"},
    {"SELECT percentile_approx(v, 100) FROM m, n",
     "m: time=0 percentile_approx=7\nn: time=0 percentile_approx=2\n"},
    {"SELECT percentile_approx(*, 100) FROM m",
     "m: time=0 percentile_approx_i=9 percentile_approx_u=5 percentile_approx_v=7\n"},
    {"SELECT percentile_approx(d, 100) FROM (SELECT v * 2 AS d FROM m)",
     "m: time=0 percentile_approx=14\n"},
    {"SELECT difference(percentile_approx(v, 100)) FROM m WHERE time >= 1000s AND time < 1180s "
     "GROUP BY time(1m)",
     "m: time=1020000000000 difference=1.5\nm: time=1080000000000 difference=4\n"},
    {"SELECT percentile_approx(v, 50) FROM m WHERE h = 'nobody'", ""},
    {"SELECT percentile_approx(s, 50) FROM m",
     "error: unsupported percentile approx iterator type: *query.stringInterruptIterator\n"},
    {"SELECT percentile_approx(v) FROM m",
     "error: invalid number of arguments for percentile_approx, expected 2, got 1\n"},
    {"SELECT percentile_approx(v, 'x') FROM m",
     "error: expected float argument in percentile_approx()\n"},
    {"SELECT median_approx(v, 2) FROM m",
     "error: invalid number of arguments for median_approx, expected 1, got 2\n"},
};

static void test_approximate(void **state)
{
    (void)state;
    dbtest_ask_all(few_lines, approximate, sizeof(approximate) / sizeof(approximate[0]));
}

#define METERS 5
#define SLOTS  4000

static void make_readings(struct rng *rng, struct bbi_buf *out)
{
    for (int m = 0; m < METERS; m++) {
        for (int64_t slot = 0; slot < SLOTS; slot++) {
            bbi_buf_printf(out, "u,id=m%d v=%u.%03u %" PRId64 "\n", m,
                           (unsigned)rng_below(rng, (uint64_t)m + 1),
                           (unsigned)rng_below(rng, 1000),
                           (INT64_C(1262304000) + slot * 1800) * 1000000000);
        }
    }
    bbi_buf_u8(out, 0);
    assert_int_equal(out->err, BB_OK);
}

/* The numbers behind "=" at the end of each line. */
static size_t read_numbers(struct dbtest *t, const char *text, double *list, size_t cap)
{
    struct bbi_buf out;
    size_t n = 0;
    bbi_buf_init(&out, NULL, 16u << 20);
    dbtest_query(t, text, &out);
    for (char *at = (char *)out.data; (at = strchr(at, '\n')) != NULL; at++) {
        char *number = at;
        while (*number != '=' && number > (char *)out.data) {
            number--;
        }
        assert_true(n < cap);
        list[n++] = strtod(number + 1, NULL);
    }
    bbi_buf_fini(&out);
    return n;
}

/* Against percentile(), by group and interval; with little memory, in portions, the same. */
static void compare_with_exact(struct dbtest *t, int percent, const char *rest)
{
    static double exact[1024];
    static double near[1024];
    char text[256];
    (void)snprintf(text, sizeof(text), "SELECT percentile(v, %d) FROM u %s", percent, rest);
    size_t n = read_numbers(t, text, exact, 1024);
    (void)snprintf(text, sizeof(text), "SELECT percentile_approx(v, %d) FROM u %s", percent, rest);
    assert_int_equal(read_numbers(t, text, near, 1024), n);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        if (!(fabs(near[i] - exact[i]) <= 0.005 * fabs(exact[i]) + 1e-12)) {
            fail_msg("%s: %zu: %.17g for %.17g", text, i, near[i], exact[i]);
        }
    }
}

static void test_error_bound(void **state)
{
    struct rng rng = rng_from_env();
    struct bbi_buf lines;
    (void)state;
    bbi_buf_init(&lines, NULL, 16u << 20);
    make_readings(&rng, &lines);
    for (int s = 0; s < DBTEST_STATES; s++) {
        struct dbtest t;
        dbtest_open(&t);
        dbtest_load(&t, (enum dbtest_state)s, (const char *)lines.data);
        for (int i = 0; i < 2; i++) {
            for (int percent = 10; percent <= 100; percent += 15) {
                compare_with_exact(&t, percent, "");
                compare_with_exact(&t, percent, "GROUP BY id");
                compare_with_exact(&t, percent,
                                   "WHERE time >= '2010-01-01' AND time < '2010-03-01' "
                                   "GROUP BY time(3d), id fill(none)");
            }
            t.options.query_memory_bytes = 4u << 20;
            dbtest_reopen(&t);
        }
        dbtest_close(&t);
    }
    bbi_buf_fini(&lines);
}

/* ---- lookback() ---- */

static const char old_lines[] = "m,h=a v=1,i=5i 100000000000\n"
                                "m,h=a v=3 160000000000\n"
                                "m,h=a v=4 400000000000\n"
                                "m,h=a v=8 460000000000\n"
                                "m,h=b v=10 40000000000\n"
                                "m,h=b v=20 430000000000\n"
                                "m,h=c v=7 200000000000\n";

static const struct dbtest_question looking_back[] = {
    {"SELECT difference(v) FROM m WHERE time >= 300s GROUP BY h",
     "m{h=a}: time=460000000000 difference=4\n"},
    {"SELECT difference(v) FROM m WHERE time >= 300s GROUP BY h lookback(10m)",
     "m{h=a}: time=400000000000 difference=1\nm{h=a}: time=460000000000 difference=4\n"
     "m{h=b}: time=430000000000 difference=10\n"},
    {"SELECT difference(v) FROM m WHERE time >= 300s GROUP BY h lookback(200s)",
     "m{h=a}: time=400000000000 difference=1\nm{h=a}: time=460000000000 difference=4\n"},
    {"SELECT elapsed(v, 1s), derivative(v, 1m) FROM m WHERE time >= 300s AND h = 'a' "
     "lookback(10m)",
     "m: time=400000000000 elapsed=240i derivative=0.25\n"
     "m: time=460000000000 elapsed=60i derivative=4\n"},
    {"SELECT moving_average(v, 3) FROM m WHERE time >= 450s AND h = 'a' lookback(1h)",
     "m: time=460000000000 moving_average=5\n"},
    {"SELECT difference(v) FROM m WHERE time >= 300s AND v > 1 AND h = 'a' LIMIT 1 lookback(1h)",
     "m: time=400000000000 difference=1\n"},
    {"SELECT last(v) FROM m WHERE time >= 300s AND time < 480s GROUP BY time(1m), h "
     "fill(previous)",
     "m{h=a}: time=300000000000 last=null\nm{h=a}: time=360000000000 last=4\n"
     "m{h=a}: time=420000000000 last=8\n"
     "m{h=b}: time=300000000000 last=null\nm{h=b}: time=360000000000 last=null\n"
     "m{h=b}: time=420000000000 last=20\n"},
    /* A group that has values before alone is there, too. */
    {"SELECT last(v) FROM m WHERE time >= 300s AND time < 480s GROUP BY time(1m), h "
     "fill(previous) lookback(1h)",
     "m{h=a}: time=300000000000 last=3\nm{h=a}: time=360000000000 last=4\n"
     "m{h=a}: time=420000000000 last=8\n"
     "m{h=b}: time=300000000000 last=10\nm{h=b}: time=360000000000 last=10\n"
     "m{h=b}: time=420000000000 last=20\n"
     "m{h=c}: time=300000000000 last=7\nm{h=c}: time=360000000000 last=7\n"
     "m{h=c}: time=420000000000 last=7\n"},
    {"SELECT mean(v) FROM m WHERE time >= 300s AND time < 480s AND h = 'b' GROUP BY time(1m) "
     "fill(linear) lookback(1h)",
     "m: time=300000000000 mean=17.142857142857142\nm: time=360000000000 mean=18.571428571428569\n"
     "m: time=420000000000 mean=20\n"},
    {"SELECT difference(mean(v)) FROM m WHERE time >= 300s AND time < 480s AND h = 'a' GROUP BY "
     "time(1m) lookback(1h)",
     "m: time=360000000000 difference=1\nm: time=420000000000 difference=4\n"},
    {"SELECT sum(d) FROM (SELECT difference(v) AS d FROM m GROUP BY h lookback(1h)) WHERE time >= "
     "300s GROUP BY h",
     "m{h=a}: time=300000000000 sum=5\nm{h=b}: time=300000000000 sum=10\n"},
    {"SELECT difference(v) FROM m WHERE h = 'c' lookback(1h)", ""},
    {"SELECT cumulative_sum(v) FROM m WHERE time >= 300s AND h = 'a' lookback(1h)",
     "m: time=400000000000 cumulative_sum=4\nm: time=460000000000 cumulative_sum=12\n"},
    {"SELECT difference(v) FROM m WHERE time >= 300s ORDER BY time DESC lookback(1h)",
     "error: lookback() cannot be combined with ORDER BY time DESC\n"},
};

static void test_lookback(void **state)
{
    (void)state;
    dbtest_ask_all(old_lines, looking_back, sizeof(looking_back) / sizeof(looking_back[0]));
}

/* The lines of an answer with a time of so much or more. */
static void cut(const char *all, int64_t from_ns, struct bbi_buf *out)
{
    while (*all != '\0') {
        size_t length = (size_t)(strchr(all, '\n') - all) + 1;
        int64_t time = strtoll(strstr(all, ": time=") + strlen(": time="), NULL, 10);
        if (time >= from_ns) {
            bbi_buf_put(out, all, length);
        }
        all += length;
    }
    bbi_buf_u8(out, 0);
}

#define RANGE_S (INT64_C(1262304000) + 24 * 86400)

/* The answer is that of a range that begins earlier, without what is before. */
static void expect_cut(struct dbtest *t, const char *select, const char *group)
{
    struct bbi_buf wide;
    struct bbi_buf narrow;
    struct bbi_buf expected;
    char text[512];
    bbi_buf_init(&wide, NULL, 16u << 20);
    bbi_buf_init(&narrow, NULL, 16u << 20);
    bbi_buf_init(&expected, NULL, 16u << 20);
    int64_t end_s = RANGE_S + 6 * 86400;
    (void)snprintf(text, sizeof(text), "%s WHERE time >= %" PRId64 "s AND time < %" PRId64 "s %s",
                   select, RANGE_S - 20 * 86400, end_s, group);
    dbtest_query(t, text, &wide);
    cut((const char *)wide.data, RANGE_S * 1000000000, &expected);
    (void)snprintf(text, sizeof(text),
                   "%s WHERE time >= %" PRId64 "s AND time < %" PRId64 "s %s lookback(20d)", select,
                   RANGE_S, end_s, group);
    dbtest_query(t, text, &narrow);
    if (narrow.len < 100 || strcmp((const char *)narrow.data, (const char *)expected.data) != 0) {
        fail_msg("%s:\n%.600s\nexpected:\n%.600s", text, (const char *)narrow.data,
                 (const char *)expected.data);
    }
    bbi_buf_fini(&wide);
    bbi_buf_fini(&narrow);
    bbi_buf_fini(&expected);
}

/* Readings with long gaps, so that what is before may be far. */
static void make_gaps(struct rng *rng, struct bbi_buf *out)
{
    for (int m = 0; m < METERS; m++) {
        int64_t at = INT64_C(1262304000);
        while (at < RANGE_S + 10 * 86400) {
            bool far = rng_one_in(rng, 20);
            at += 1800 * (int64_t)(1 + rng_below(rng, far ? 400 : 3));
            bbi_buf_printf(out, "u,id=m%d v=%u %" PRId64 "000000000\n", m,
                           (unsigned)rng_below(rng, 1000), at);
        }
    }
    bbi_buf_u8(out, 0);
    assert_int_equal(out->err, BB_OK);
}

static void test_lookback_is_a_cut(void **state)
{
    struct rng rng = rng_from_env();
    struct bbi_buf lines;
    (void)state;
    bbi_buf_init(&lines, NULL, 16u << 20);
    make_gaps(&rng, &lines);
    for (int s = 0; s < DBTEST_STATES; s++) {
        struct dbtest t;
        dbtest_open(&t);
        dbtest_load(&t, (enum dbtest_state)s, (const char *)lines.data);
        expect_cut(&t, "SELECT difference(v) FROM u", "GROUP BY id");
        expect_cut(&t, "SELECT elapsed(v), derivative(v) FROM u", "GROUP BY id");
        expect_cut(&t, "SELECT non_negative_difference(v) FROM u", "GROUP BY id LIMIT 1000");
        expect_cut(&t, "SELECT moving_average(v, 5) FROM u", "GROUP BY id");
        expect_cut(&t, "SELECT exponential_moving_average(v, 4) FROM u", "GROUP BY id");
        expect_cut(&t, "SELECT mean(v), max(v) FROM u", "GROUP BY time(1h), id fill(previous)");
        expect_cut(&t, "SELECT first(v) FROM u", "GROUP BY time(30m), id fill(linear)");
        expect_cut(&t, "SELECT median(v) FROM u", "GROUP BY time(2h) fill(previous)");
        expect_cut(&t, "SELECT difference(sum(v)) FROM u", "GROUP BY time(6h), id");
        expect_cut(&t, "SELECT derivative(last(v), 1h) FROM u", "GROUP BY time(6h) fill(previous)");
        dbtest_close(&t);
    }
    bbi_buf_fini(&lines);
}

/* With a reading just before the range, looking back a year reads no more than the range. */
static void test_lookback_is_cheap(void **state)
{
    struct dbtest t;
    struct bbi_buf out;
    (void)state;
    dbtest_open(&t);
    bbi_buf_init(&out, NULL, 64u << 20);
    for (int64_t i = 0; i < 200000; i++) {
        bbi_buf_printf(&out, "long v=%d %" PRId64 "000000000\n", (int)(i * 7 % 100), i * 60);
    }
    bbi_buf_u8(&out, 0);
    dbtest_write(&t, (const char *)out.data);
    bbi_buf_fini(&out);
    dbtest_flush(&t);
    bbi_buf_init(&out, NULL, 1u << 20);
    dbtest_query(&t,
                 "EXPLAIN ANALYZE SELECT difference(v) FROM long WHERE time >= 11990000s "
                 "lookback(365d)",
                 &out);
    const char *at = strstr((const char *)out.data, "values_decoded: ");
    assert_non_null(at);
    assert_in_range(strtoull(at + strlen("values_decoded: "), NULL, 10), 1, 5000);
    bbi_buf_fini(&out);
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approximate),       cmocka_unit_test(test_error_bound),
        cmocka_unit_test(test_lookback),          cmocka_unit_test(test_lookback_is_a_cut),
        cmocka_unit_test(test_lookback_is_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
