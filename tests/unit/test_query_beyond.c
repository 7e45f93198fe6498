/*
 * Beyond InfluxQL: approximate percentiles. Each answer in four states of the storage.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

struct question {
    const char *text;
    const char *answer;
};

/* ---- approximate percentiles ---- */

static const char few_lines[] = "m,h=a v=1.5,i=1i,u=5i 1000000000000\n"
                                "m,h=a v=2.5,i=2i,s=\"q\" 1060000000000\n"
                                "m,h=b v=3,b=true 1060000000000\n"
                                "m,h=b v=-1,i=4i 1120000000000\n"
                                "m v=7 1120000000000\n"
                                "n v=2i 1120000000000\n"
                                "m,h=c i=9i 1300000000000\n";

/* Few numbers: the least and the largest are exact, as is every zero. */
static const struct question approximate[] = {
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

static void ask_all(const char *lines, const struct question *questions, size_t count)
{
    for (int state = 0; state < DBTEST_STATES; state++) {
        struct dbtest t;
        print_message("%s\n", dbtest_state_name((enum dbtest_state)state));
        dbtest_open(&t);
        dbtest_load(&t, (enum dbtest_state)state, lines);
        for (size_t i = 0; i < count; i++) {
            dbtest_expect(&t, questions[i].text, questions[i].answer);
        }
        dbtest_close(&t);
    }
}

static void test_approximate(void **state)
{
    (void)state;
    ask_all(few_lines, approximate, sizeof(approximate) / sizeof(approximate[0]));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approximate),
        cmocka_unit_test(test_error_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
