/*
 * What bounds a query: memory, time, its switch, its sink; and answers under little memory, which
 * take other ways and must be the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

#define DAY_S 86400

/* Five meters every minute for so many days. */
static void load_minutes(struct dbtest *t, int days)
{
    struct bbi_buf b;
    for (int day = 0; day < days; day++) {
        bbi_buf_init(&b, NULL, 64u << 20);
        for (int m = 0; m < 5; m++) {
            for (int s = 0; s < DAY_S; s += 60) {
                int64_t at = INT64_C(1262304000) + (int64_t)day * DAY_S + s;
                bbi_buf_printf(&b, "u,id=m%d,half=%c v=%d.%02d,n=%di %" PRId64 "000000000\n", m,
                               "ab"[m / 3], s % 50, (s / 60 + m) % 100, day * 10 + m, at);
            }
        }
        bbi_buf_u8(&b, 0);
        dbtest_write(t, (const char *)b.data);
        bbi_buf_fini(&b);
    }
}

/* ---- the same answer with little memory ---- */

static const char *const questions[] = {
    "SELECT sum(v), max(n) FROM u WHERE time >= '2010-01-01' AND time < '2010-01-12' GROUP BY "
    "time(1m)",
    "SELECT mean(v) FROM u WHERE time >= '2010-01-01' AND time < '2010-01-12' GROUP BY time(1m), "
    "id",
    "SELECT mean(v), count(n) FROM u WHERE time >= '2009-12-31' AND time < '2010-01-12' GROUP BY "
    "time(30s), half fill(previous) ORDER BY time DESC",
    "SELECT max(v), id FROM u WHERE time >= '2010-01-01' AND time < '2010-01-12' GROUP BY time(1m)",
    "SELECT count(v) FROM u WHERE time >= '2009-12-31' AND time < '2010-01-13' GROUP BY time(20s) "
    "LIMIT 9 OFFSET 5000",
    "SELECT v FROM u",
    "SELECT v, id, n FROM u ORDER BY time DESC",
    "SELECT v FROM u GROUP BY id ORDER BY time DESC",
    "SELECT n, v FROM u GROUP BY half",
    "SELECT v FROM u WHERE v > 30 GROUP BY half LIMIT 1000 OFFSET 9000",
};

#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static void test_little_memory(void **state)
{
    (void)state;
    struct dbtest t;
    struct bbi_buf much[QUESTIONS];
    dbtest_open(&t);
    load_minutes(&t, 6);
    dbtest_flush(&t);
    load_minutes(&t, 10);
    for (size_t i = 0; i < QUESTIONS; i++) {
        bbi_buf_init(&much[i], NULL, 64u << 20);
        dbtest_query(&t, questions[i], &much[i]);
    }
    t.options.query_memory_bytes = 6u << 20;
    dbtest_reopen(&t);
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct bbi_buf little;
        bbi_buf_init(&little, NULL, 64u << 20);
        dbtest_query(&t, questions[i], &little);
        if (little.len != much[i].len || memcmp(little.data, much[i].data, little.len) != 0) {
            fail_msg("%s: another answer with little memory: %.200s", questions[i],
                     (const char *)little.data);
        }
        assert_true(little.len > 100);
        bbi_buf_fini(&little);
        bbi_buf_fini(&much[i]);
    }
    dbtest_close(&t);
}

static void test_too_little_memory(void **state)
{
    (void)state;
    struct dbtest t;
    struct bbi_buf out;
    dbtest_open(&t);
    load_minutes(&t, 1);
    t.options.query_memory_bytes = 64u << 10;
    dbtest_reopen(&t);
    bbi_buf_init(&out, NULL, 1u << 20);
    dbtest_query(&t, "SELECT v FROM u", &out);
    assert_contains((const char *)out.data, "needs more memory");
    bbi_buf_fini(&out);
    dbtest_close(&t);
}

/* ---- what a SELECT may read ---- */

struct limited {
    const char *text;
    const char *error; /* NULL: none */
};

static const struct limited limited[] = {
    {"SELECT count(v) FROM u WHERE id = 'm0'", NULL},
    {"SELECT count(v) FROM u WHERE time < '2010-01-01T01:00:00Z'", NULL},
    {"SELECT v FROM u WHERE id =~ /m[012]/ AND time < '2010-01-01T01:00:00Z'", NULL},
    {"SELECT count(v) FROM u", "error: max-select-point limit exceeed: ("},
    {"SELECT v FROM u", "error: max-select-point limit exceeed: ("},
    {"SELECT median(v) FROM u", "error: max-select-point limit exceeed: ("},
    {"SELECT count(v) FROM u, many WHERE time < '2010-01-01T01:00:00Z'",
     "error: max-select-series limit exceeded: (6/5)\n"},
    {"SELECT v FROM many LIMIT 1", "error: max-select-series limit exceeded: (6/5)\n"},
    {"SELECT count(v) FROM many WHERE id != '1'", NULL},
    {"SELECT count(v) FROM (SELECT v FROM many)",
     "error: max-select-series limit exceeded: (6/5)\n"},
    {"SELECT count(v) FROM u WHERE time >= '2010-01-01T00:00:05Z' AND time < "
     "'2010-01-01T00:00:35Z' GROUP BY time(10s)",
     NULL},
    {"SELECT count(v) FROM u WHERE time >= '2010-01-01T00:00:05Z' AND time < "
     "'2010-01-01T00:00:45Z' GROUP BY time(10s)",
     "error: max-select-buckets limit exceeded: (5/4)\n"},
    {"SELECT mean(c) FROM (SELECT count(v) AS c FROM u WHERE time >= '2010-01-01T00:00:05Z' AND "
     "time < '2010-01-01T00:00:45Z' GROUP BY time(10s))",
     "error: max-select-buckets limit exceeded: (5/4)\n"},
    {"SELECT count(v) FROM u WHERE time < '2010-01-01T00:00:45Z' GROUP BY time(10s)", NULL},
    {"SELECT count(v) FROM u WHERE time < '2010-01-01T00:00:45Z' GROUP BY time(1ns)", NULL},
};

static void expect_limited(struct dbtest *t)
{
    for (size_t i = 0; i < sizeof(limited) / sizeof(limited[0]); i++) {
        struct bbi_buf out;
        bbi_buf_init(&out, NULL, 1u << 20);
        dbtest_query(t, limited[i].text, &out);
        bbi_buf_u8(&out, 0);
        const char *text = (const char *)out.data;
        bool failed = strncmp(text, "error:", 6) == 0;
        if (failed != (limited[i].error != NULL) ||
            (failed && strncmp(text, limited[i].error, strlen(limited[i].error)) != 0)) {
            fail_msg("%s: %.200s", limited[i].text, text);
        }
        bbi_buf_fini(&out);
    }
}

/* The same in memory, flushed and merged: what is limited is what a query goes over, not how. */
static void test_select_limits(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    load_minutes(&t, 1);
    dbtest_write(&t, "many,id=1 v=1 1\nmany,id=2 v=1 1\nmany,id=3 v=1 1\nmany,id=4 v=1 1\n"
                     "many,id=5 v=1 1\nmany,id=6 v=1 1\n");
    t.options.select_points_max = 5 * 1440 - 1;
    t.options.select_series_max = 5;
    t.options.select_buckets_max = 4;
    dbtest_reopen(&t);
    expect_limited(&t);
    dbtest_expect(&t,
                  "SELECT count(v), median(n) FROM u WHERE time < '2010-01-01T00:05:30Z' AND id = "
                  "'m1' GROUP BY time(1m) fill(none)",
                  "u: time=1262304120000000000 count=1i median=1\n"
                  "u: time=1262304180000000000 count=1i median=1\n"
                  "u: time=1262304240000000000 count=1i median=1\n"
                  "u: time=1262304300000000000 count=1i median=1\n");
    dbtest_flush(&t);
    expect_limited(&t);
    dbtest_compact(&t);
    expect_limited(&t);
    dbtest_close(&t);
}

/* ---- stopping ---- */

struct watcher {
    uint64_t rows;
    uint64_t stop_after; /* rows; 0: never */
    volatile int canceled;
    bool cancel_by_flag;
    size_t begun;
    size_t ended;
    char errors[4][BB_ERROR_TEXT_MAX];
    char message[400];
};

static int on_begin(void *arg, size_t index)
{
    struct watcher *w = arg;
    assert_int_equal(index, w->begun);
    w->begun++;
    return 0;
}

static int on_series(void *arg, const struct bb_series *series)
{
    (void)arg;
    (void)series;
    return 0;
}

static int on_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct watcher *w = arg;
    (void)values;
    w->rows += row_count;
    if (w->stop_after == 0 || w->rows < w->stop_after) {
        return 0;
    }
    if (w->cancel_by_flag) {
        w->canceled = 1;
        return 0;
    }
    return 1;
}

static int on_message(void *arg, const char *level, const char *text)
{
    struct watcher *w = arg;
    assert_string_equal(level, "warning");
    (void)snprintf(w->message, sizeof(w->message), "%s", text);
    return 0;
}

static int on_end(void *arg, const struct bb_error *err)
{
    struct watcher *w = arg;
    (void)snprintf(w->errors[w->ended++], sizeof(w->errors[0]), "%s", err == NULL ? "" : err->text);
    return 0;
}

static int watch(struct dbtest *t, struct watcher *w, struct bb_query query, struct bb_error *err)
{
    struct bb_sink sink = {.arg = w,
                           .statement_begin = on_begin,
                           .series = on_series,
                           .rows = on_rows,
                           .message = on_message,
                           .statement_end = on_end};
    query.database = "t";
    query.text_length = strlen(query.text);
    query.canceled = &w->canceled;
    return bb_query(t->db, &query, &sink, err);
}

static void test_stopping(void **state)
{
    (void)state;
    struct dbtest t;
    struct bb_error err;
    struct bb_query query = {.text = "SELECT v FROM u"};
    dbtest_open(&t);
    load_minutes(&t, 2);
    struct watcher by_sink = {.stop_after = 1000};
    assert_int_not_equal(watch(&t, &by_sink, query, &err) == BB_OK && by_sink.errors[0][0] == '\0',
                         true);
    assert_true(by_sink.rows < 5000);
    struct watcher by_flag = {.stop_after = 1000, .cancel_by_flag = true};
    (void)watch(&t, &by_flag, query, &err);
    assert_true(by_flag.rows < 5000);
    assert_string_equal(by_flag.errors[0], "query interrupted");
    struct watcher before = {.canceled = 1};
    query.text = "SELECT count(v) FROM u";
    (void)watch(&t, &before, query, &err);
    assert_string_equal(before.errors[0], "query interrupted");
    dbtest_close(&t);
}

static void test_deadline(void **state)
{
    (void)state;
    struct dbtest t;
    struct bb_error err;
    struct watcher w = {0};
    /* Some 10^15 empty intervals, which no one waits for. */
    struct bb_query query = {.text = "SELECT count(v) FROM u WHERE time >= '1800-01-01' GROUP BY "
                                     "time(1u)",
                             .timeout_ms = 50};
    dbtest_open(&t);
    dbtest_write(&t, "u v=1 1\n");
    (void)watch(&t, &w, query, &err);
    assert_string_equal(w.errors[0], "query-timeout limit exceeded");
    dbtest_close(&t);
}

/* ---- statements ---- */

static void test_statements(void **state)
{
    (void)state;
    struct dbtest t;
    struct bb_error err;
    struct watcher w = {0};
    struct bb_query query = {.text = "SELECT v FROM u; SELECT nope(v) FROM u; SELECT v FROM u"};
    dbtest_open(&t);
    dbtest_write(&t, "u v=1 1\n");
    assert_ok(watch(&t, &w, query, &err), &err);
    assert_int_equal(w.ended, 3);
    assert_string_equal(w.errors[0], "");
    assert_string_equal(w.errors[1], "undefined function nope()");
    assert_string_equal(w.errors[2], "not executed");
    assert_int_equal(w.rows, 1);
    static const char *const heads[] = {"SHOW MEASUREMENTS", "SHOW TAG KEYS",
                                        "SHOW TAG VALUES WITH KEY = a"};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct watcher on = {0};
        char text[160];
        snprintf(text, sizeof(text), "%s WHERE v > 1; SELECT v FROM u; SHOW TAG KEYS ON nope; %s",
                 heads[i], heads[i]);
        query.text = text;
        assert_ok(watch(&t, &on, query, &err), &err);
        assert_string_equal(on.errors[0], "invalid tag comparison operator");
        assert_string_equal(on.errors[1], "");
        assert_string_equal(on.errors[3], "not executed");
        assert_int_equal(on.rows, 1);
    }
    struct watcher bad = {0};
    query.text = "CREATE DATABASE x; SELEC v";
    assert_int_equal(watch(&t, &bad, query, &err), BB_EPARSE);
    assert_int_equal(bad.begun, 0);
    dbtest_expect(&t, "SHOW DATABASES", "databases: name=\"t\"\n");
    struct watcher reader = {0};
    query.text = "CREATE DATABASE y";
    query.read_only = true;
    assert_ok(watch(&t, &reader, query, &err), &err);
    assert_string_equal(reader.errors[0], "");
    assert_string_equal(reader.message, "deprecated use of 'CREATE DATABASE y' in a read only "
                                        "context, please use a POST request instead");
    dbtest_expect(&t, "SHOW DATABASES", "databases: name=\"t\"\ndatabases: name=\"y\"\n");
    dbtest_close(&t);
}

/* What a GET should not do is told with full names, if it was done, and but for a DELETE. */
static void test_read_only(void **state)
{
    static const struct {
        const char *text;
        const char *told; /* of it; NULL: nothing */
    } cases[] = {
        {"SELECT v INTO n FROM (SELECT v FROM u WHERE v > 1.5), y..u",
         "SELECT v INTO t.autogen.n FROM (SELECT v FROM t.autogen.u WHERE v > 1.500), y.autogen.u"},
        {"SELECT mean(v) + 2.25 INTO n FROM u WHERE time < 5s GROUP BY time(1s) fill(1.5)",
         "SELECT mean(v) + 2.250 INTO t.autogen.n FROM t.autogen.u WHERE time < 5s "
         "GROUP BY time(1s) fill(1.5)"},
        {"SELECT v INTO y.autogen.:MEASUREMENT FROM /u/",
         "SELECT v INTO y.autogen.:MEASUREMENT FROM t.autogen./u/"},
        {"SELECT v INTO none..n FROM u", NULL},
        {"SELECT v FROM u", NULL},
        {"DELETE FROM u WHERE v = 'x'", NULL},
        {"CREATE CONTINUOUS QUERY c ON y BEGIN SELECT sum(v) INTO n FROM u GROUP BY time(1m) END",
         "CREATE CONTINUOUS QUERY c ON y BEGIN SELECT sum(v) INTO t.autogen.n FROM t.autogen.u "
         "GROUP BY time(1m) END"},
        {"CREATE CONTINUOUS QUERY c ON y BEGIN SELECT sum(v) INTO n FROM u GROUP BY time(2m) END",
         NULL},
        {"DROP DATABASE none", "DROP DATABASE none"},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE y");
    dbtest_write(&t, "u v=1 1\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char message[400] = "";
        struct bb_error err;
        struct watcher reader = {0};
        const struct bb_query query = {.text = cases[i].text, .read_only = true};
        if (cases[i].told != NULL) {
            (void)snprintf(message, sizeof(message),
                           "deprecated use of '%s' in a read only context, please use a POST "
                           "request instead",
                           cases[i].told);
        }
        assert_ok(watch(&t, &reader, query, &err), &err);
        assert_string_equal(reader.message, message);
    }
    dbtest_close(&t);
}

/* Every allocation of a query fails once: it says so, and the next query is right. */
static void test_failing_memory(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SELECT count(v), sum(v), last(n) FROM u GROUP BY time(6h), id fill(none)",
        "SELECT v, id FROM u WHERE v > 3 LIMIT 4",
        "SELECT max(v), n FROM u GROUP BY half",
        "SHOW TAG VALUES WITH KEY = id",
        "SHOW SERIES",
    };
    struct dbtest t;
    dbtest_open(&t);
    dbtest_write(&t, "u,id=m1,half=a v=2.5,n=1i 1262304000000000000\n"
                     "u,id=m2,half=a v=4.5 1262304000000000000\n");
    dbtest_flush(&t);
    dbtest_write(&t, "u,id=m2,half=a v=3.25,n=7i 1262304000000000000\n"
                     "u,id=m3,half=b v=1e300,n=2i 1262404000000000000\n");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct bbi_buf want;
        bbi_buf_init(&want, NULL, 1u << 20);
        dbtest_query(&t, texts[i], &want);
        bool done = false;
        for (uint64_t n = 1; !done; n++) {
            struct watcher w = {0};
            struct bb_query query = {.text = texts[i]};
            struct bb_error err;
            bbi_mem_fail_at(n);
            int rc = watch(&t, &w, query, &err);
            done = bbi_mem_requests() < n;
            bbi_mem_fail_at(0);
            if (!done && rc == BB_OK && w.errors[0][0] != '\0') {
                assert_contains(w.errors[0], "memory");
            }
        }
        dbtest_expect(&t, texts[i], (const char *)want.data);
        bbi_buf_fini(&want);
    }
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_little_memory), cmocka_unit_test(test_too_little_memory),
        cmocka_unit_test(test_select_limits), cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_deadline),      cmocka_unit_test(test_statements),
        cmocka_unit_test(test_read_only),     cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
