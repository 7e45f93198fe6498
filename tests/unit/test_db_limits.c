/* max-series-per-database and max-values-per-tag: what is beyond is refused line by line, in
 * InfluxDB's words; what is there stays; counts hold through flushes, crashes and drops. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dbtest.h"

struct refusal {
    unsigned count;
    int code;
    char text[256];
};

static void refuse(void *arg, uint64_t line_number, const char *line, size_t line_length, int code,
                   const char *reason)
{
    struct refusal *r = arg;
    (void)line_number;
    (void)line;
    (void)line_length;
    r->count++;
    r->code = code;
    (void)snprintf(r->text, sizeof(r->text), "%s", reason);
}

static struct refusal write_some(struct dbtest *t, const char *lines)
{
    struct refusal r = {.count = 0};
    struct bb_error err;
    struct bb_write_result result;
    struct bb_write write = {.database = "t",
                             .precision_ns = 1,
                             .lines = lines,
                             .lines_length = strlen(lines),
                             .reject = refuse,
                             .reject_arg = &r};
    assert_int_equal(bb_write(t->db, &write, &result, &err), BB_OK);
    assert_int_equal(result.points_rejected, r.count);
    return r;
}

static void open_limited(struct dbtest *t, uint64_t series_max, uint64_t tag_values_max)
{
    dbtest_open(t);
    t->options.series_max = series_max;
    t->options.tag_values_max = tag_values_max;
    dbtest_reopen(t);
}

static void happen(struct dbtest *t, int event)
{
    if (event == 1) {
        dbtest_flush(t);
    } else if (event == 2) {
        dbtest_crash(t);
    } else if (event == 3) {
        dbtest_reopen(t);
    }
}

static void test_series(void **state)
{
    (void)state;
    for (int event = 0; event < 4; event++) {
        struct dbtest t;
        open_limited(&t, 3, 0);
        struct refusal r = write_some(&t, "m,s=a v=1 1\nm,s=b v=1 1\nn v=1 1\n");
        assert_int_equal(r.count, 0);
        happen(&t, event);
        r = write_some(&t, "m,s=c v=1 1\nm,s=a v=2 2\no v=1 1\n");
        assert_int_equal(r.count, 2);
        assert_int_equal(r.code, BB_ELIMIT);
        assert_string_equal(r.text, "max-series-per-database limit exceeded: (3)");
        dbtest_expect(&t, "SHOW MEASUREMENTS; SELECT count(v) FROM m",
                      "measurements: name=\"m\"\nmeasurements: name=\"n\"\n"
                      "m: time=0 count=3i\n");
        /* Another database has its own. */
        dbtest_run(&t, "CREATE DATABASE u");
        dbtest_run(&t, "SELECT * INTO u.autogen.m FROM m GROUP BY *");
        dbtest_run(&t, "DROP SERIES FROM m WHERE s = 'b'");
        happen(&t, event);
        assert_int_equal(write_some(&t, "m,s=c v=1 1\n").count, 0);
        assert_int_equal(write_some(&t, "m,s=b v=1 1\n").count, 1);
        dbtest_run(&t, "DROP MEASUREMENT m");
        happen(&t, event);
        assert_int_equal(write_some(&t, "m,s=a v=1 1\nm,s=b v=1 1\nm,s=c v=1 1\n").count, 1);
        dbtest_run(&t, "DELETE WHERE time = 1");
        assert_int_equal(write_some(&t, "m,s=a v=1 1\nm,s=b v=1 1\nm,s=c v=1 1\n").count, 0);
        dbtest_close(&t);
    }
}

static void test_tag_values(void **state)
{
    (void)state;
    for (int event = 0; event < 4; event++) {
        struct dbtest t;
        open_limited(&t, 0, 2);
        assert_int_equal(write_some(&t, "m,s=a,r=1 v=1 1\nm,s=b,r=1 v=1 1\n").count, 0);
        happen(&t, event);
        struct refusal r = write_some(&t, "m,s=a,r=2 v=1 1\nm,s=c,r=1 v=1 1\nm,s=a,r=3 v=1 1\n"
                                          "n,s=c v=1 1\nm,s=b,r=2 v=1 1\nm,x=c v=1 1\n");
        assert_int_equal(r.count, 2);
        assert_int_equal(r.code, BB_ELIMIT);
        assert_string_equal(r.text, "max-values-per-tag limit exceeded (2/2): measurement=\"m\" "
                                    "tag=\"r\" value=\"3\"");
        happen(&t, event);
        r = write_some(&t, "m,s=c v=1 1\n");
        assert_string_equal(r.text, "max-values-per-tag limit exceeded (2/2): measurement=\"m\" "
                                    "tag=\"s\" value=\"c\"");
        dbtest_run(&t, "DROP SERIES FROM m WHERE s = 'a'");
        happen(&t, event);
        assert_int_equal(write_some(&t, "m,s=c v=1 1\n").count, 0);
        assert_int_equal(write_some(&t, "m,s=d v=1 1\n").count, 1);
        dbtest_run(&t, "DROP MEASUREMENT m");
        happen(&t, event);
        assert_int_equal(write_some(&t, "m,s=d v=1 1\nm,s=e v=1 1\nm,s=f v=1 1\n").count, 1);
        dbtest_close(&t);
    }
}

/* Many at a time, with the set of values growing. */
static void test_many(void **state)
{
    struct dbtest t;
    struct bbi_buf text;
    (void)state;
    open_limited(&t, 9000, 5000);
    bbi_buf_init(&text, NULL, 1u << 22);
    for (int i = 0; i < 10000; i++) {
        bbi_buf_printf(&text, "%s,s=%d v=1 1\n", i < 6000 ? "m" : "n", i);
    }
    bbi_buf_u8(&text, 0);
    assert_int_equal(write_some(&t, (const char *)text.data).count, 1000);
    assert_int_equal(write_some(&t, (const char *)text.data).count, 1000);
    assert_int_equal(write_some(&t, "o v=1 1\n").count, 1);
    bbi_buf_fini(&text);
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_tag_values),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
