/*
 * Streams: LIMIT stops them early and gives what it would without; they end when they are told to,
 * and when memory does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "tests/lib/dbtest.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

#define METERS   6
#define READINGS 3000
#define MINUTE   INT64_C(60)
#define START_S  INT64_C(1262304000)

/* Random steps, few values, gaps; the last meter has one reading. */
static void make_lines(struct rng *rng, const char *name, struct bbi_buf *out)
{
    for (int m = 0; m < METERS; m++) {
        int count = m == METERS - 1 ? 1 : READINGS;
        int64_t at = START_S;
        for (int i = 0; i < count; i++) {
            at += MINUTE * (1 + (int64_t)rng_below(rng, 3));
            bbi_buf_printf(out, "%s,id=m%d,half=%c v=%u.5,n=%ui %" PRId64 "000000000\n", name, m,
                           "ab"[m % 2], (unsigned)rng_below(rng, 100), (unsigned)rng_below(rng, 10),
                           at);
        }
    }
}

static void load(struct dbtest *t, enum dbtest_state state)
{
    struct rng rng = rng_of(11);
    struct bbi_buf lines;
    bbi_buf_init(&lines, NULL, 64u << 20);
    make_lines(&rng, "u", &lines);
    make_lines(&rng, "w", &lines);
    bbi_buf_u8(&lines, 0);
    dbtest_open(t);
    dbtest_load(t, state, (const char *)lines.data);
    bbi_buf_fini(&lines);
}

/* ---- LIMIT ---- */

#define DAY " WHERE time >= '2010-01-01' AND time < '2010-01-05' "

/* Behind each comes ORDER BY, LIMIT and OFFSET; none groups by more inside than outside. */
static const char *const questions[] = {
    "SELECT derivative(v) FROM u GROUP BY id",
    "SELECT derivative(v) FROM u",
    "SELECT difference(v), difference(n) FROM u, w GROUP BY half",
    "SELECT cumulative_sum(n) FROM u, w GROUP BY id",
    "SELECT moving_average(v, 3) FROM u WHERE v > 20 GROUP BY id",
    "SELECT median(v) FROM u" DAY "GROUP BY time(7m), id",
    "SELECT median(v), median(n) FROM u, w" DAY "GROUP BY time(7m), half fill(none)",
    "SELECT stddev(v) FROM u" DAY "GROUP BY time(5m), id fill(previous)",
    "SELECT top(v, 2) FROM u" DAY "GROUP BY time(11m), half",
    "SELECT difference(mean(v)) FROM u" DAY "GROUP BY time(5m), id",
    "SELECT difference(mean(v)) FROM u" DAY "GROUP BY time(1m) fill(0)",
    "SELECT difference(median(v)) FROM u" DAY "GROUP BY time(5m), half fill(linear)",
    "SELECT d FROM (SELECT v * 2 AS d FROM u)",
    "SELECT d FROM (SELECT difference(v) AS d FROM u, w GROUP BY id) GROUP BY id",
    "SELECT a, b FROM (SELECT first(v) AS a, last(n) AS b FROM u" DAY
    "GROUP BY time(5m), half) GROUP BY half",
    "SELECT mean(v) FROM u" DAY "GROUP BY time(5m)",
    "SELECT max(v), half FROM u" DAY "GROUP BY time(1m) fill(previous)",
    "SELECT sum(v) FROM u" DAY "AND v > 90 GROUP BY time(1m) fill(none)",
    "SELECT last(n) FROM u WHERE id = 'm3' AND time < '2010-01-09' GROUP BY time(1m)",
    "SELECT v FROM (SELECT v FROM u), (SELECT v FROM w) GROUP BY id",
    "SELECT v, d FROM (SELECT v FROM u), (SELECT v * 2 AS d FROM w) GROUP BY half",
    "SELECT d FROM (SELECT difference(v) AS d FROM u GROUP BY id)",
    "SELECT max(d) FROM (SELECT difference(v) AS d FROM u GROUP BY id)" DAY "GROUP BY time(9m), id",
};

#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* The lines of each group, told by what stands before ": ", in [offset, offset + limit). */
static void slice(const char *all, size_t limit, size_t offset, struct bbi_buf *out)
{
    const char *group = "";
    size_t group_length = 0;
    size_t at = 0;
    const char *end = all + strlen(all);
    while (all < end) {
        size_t length = (size_t)((char *)memchr(all, '\n', (size_t)(end - all)) - all) + 1;
        size_t head = (size_t)((char *)memmem(all, length, ": ", 2) - all);
        if (head != group_length || memcmp(all, group, head) != 0) {
            group = all;
            group_length = head;
            at = 0;
        }
        if (at >= offset && at < offset + limit) {
            bbi_buf_put(out, all, length);
        }
        at++;
        all += length;
    }
    bbi_buf_u8(out, 0);
}

static void compare(struct dbtest *t, const char *question, const char *order, size_t limit,
                    size_t offset)
{
    struct bbi_buf all;
    struct bbi_buf some;
    struct bbi_buf expected;
    char text[512];
    bbi_buf_init(&all, NULL, 64u << 20);
    bbi_buf_init(&some, NULL, 64u << 20);
    bbi_buf_init(&expected, NULL, 64u << 20);
    (void)snprintf(text, sizeof(text), "%s %s", question, order);
    dbtest_query(t, text, &all);
    assert_null(strstr((const char *)all.data, "error:"));
    slice((const char *)all.data, limit, offset, &expected);
    (void)snprintf(text, sizeof(text), "%s %s LIMIT %zu OFFSET %zu", question, order, limit,
                   offset);
    dbtest_query(t, text, &some);
    if (strcmp((const char *)some.data, (const char *)expected.data) != 0) {
        fail_msg("%s:\n%.600s\nexpected:\n%.600s", text, (const char *)some.data,
                 (const char *)expected.data);
    }
    bbi_buf_fini(&all);
    bbi_buf_fini(&some);
    bbi_buf_fini(&expected);
}

/* Rows of a query of one column are those without LIMIT; several columns have points of their own,
 * so that only LIMITs beyond all of them can be compared. */
static void test_limit(void **state)
{
    (void)state;
    for (int s = 0; s < DBTEST_STATES; s++) {
        struct dbtest t;
        load(&t, (enum dbtest_state)s);
        for (size_t i = 0; i < QUESTIONS; i++) {
            bool descends = strstr(questions[i], "top") == NULL;
            compare(&t, questions[i], "", 2, 0);
            compare(&t, questions[i], "", 7, 3);
            if (descends) {
                compare(&t, questions[i], "ORDER BY time DESC", 2, 0);
                compare(&t, questions[i], "ORDER BY time DESC", 300, 40);
            }
        }
        dbtest_close(&t);
    }
}

/* ---- points in any order ---- */

/* Functions that take the points of a window in any order, against the same of rows that a subquery
 * has put in order of time. */
static const char *const orderless[] = {
    "stddev(v)",         "median(n)",  "mode(v)",        "mode(n)",    "percentile(v, 40)",
    "percentile(n, 95)", "top(v, 12)", "bottom(n, 700)", "top(n, 30)", "count(distinct(v))",
};

static const char *const orderless_ends[] = {
    DAY,
    DAY "GROUP BY half",
    DAY "GROUP BY time(1d)",
    DAY "GROUP BY time(1h), half",
    DAY "GROUP BY time(1m), half fill(none)",
    DAY "GROUP BY time(5m), id fill(none)",
    DAY "AND v > 90 GROUP BY time(10m) fill(none)",
    "WHERE id =~ /m[25]/",
    "WHERE id =~ /m[0-4]/ GROUP BY id",
};

static void compare_orders(struct dbtest *t, const char *call, const char *end, const char *order)
{
    struct bbi_buf swept;
    struct bbi_buf merged;
    char text[512];
    bbi_buf_init(&swept, NULL, 64u << 20);
    bbi_buf_init(&merged, NULL, 64u << 20);
    (void)snprintf(text, sizeof(text), "SELECT %s FROM (SELECT v, n FROM u GROUP BY *) %s %s", call,
                   end, order);
    dbtest_query(t, text, &merged);
    (void)snprintf(text, sizeof(text), "SELECT %s FROM u %s %s", call, end, order);
    dbtest_query(t, text, &swept);
    if (strcmp((const char *)swept.data, (const char *)merged.data) != 0 ||
        memmem(swept.data, swept.len, "error:", 6) != NULL) {
        fail_msg("%s:\n%.600s\nexpected:\n%.600s", text, (const char *)swept.data,
                 (const char *)merged.data);
    }
    bbi_buf_fini(&swept);
    bbi_buf_fini(&merged);
}

/* Under a LIMIT rows are read in many short windows. */
static void test_any_order(void **state)
{
    (void)state;
    for (int s = 0; s < DBTEST_STATES; s++) {
        struct dbtest t;
        load(&t, (enum dbtest_state)s);
        for (size_t i = 0; i < sizeof(orderless) / sizeof(orderless[0]); i++) {
            for (size_t k = 0; k < sizeof(orderless_ends) / sizeof(orderless_ends[0]); k++) {
                compare_orders(&t, orderless[i], orderless_ends[k], "");
                compare_orders(&t, orderless[i], orderless_ends[k], "ORDER BY time DESC");
                compare_orders(&t, orderless[i], orderless_ends[k], "LIMIT 100000");
            }
        }
        dbtest_close(&t);
    }
}

/* Rows of one time stand by their tags, not by the keys of their series. */
static void test_ties(void **state)
{
    struct dbtest t;
    struct bbi_buf lines;
    (void)state;
    dbtest_open(&t);
    bbi_buf_init(&lines, NULL, 1u << 20);
    for (int i = 1; i <= 8; i++) {
        bbi_buf_printf(&lines, "m,a=1,h=y v=1 %d\nm,a=2,h=x v=1 %d\nm,a=3,h=z v=1 %d\n", i, i, i);
    }
    bbi_buf_u8(&lines, 0);
    dbtest_write(&t, (const char *)lines.data);
    bbi_buf_fini(&lines);
    dbtest_expect(&t, "SELECT top(v, 1), h FROM m", "m: time=1 top=1 h=\"x\"\n");
    dbtest_expect(&t, "SELECT percentile(v, 100), h FROM m", "m: time=8 percentile=1 h=\"z\"\n");
    dbtest_expect(&t, "SELECT percentile(v, 5), a FROM m", "m: time=1 percentile=1 a=\"1\"\n");
    dbtest_close(&t);
}

/* ---- ending early ---- */

static uint64_t counter_of(struct dbtest *t, const char *question, const char *counter)
{
    struct bbi_buf out;
    char text[512];
    bbi_buf_init(&out, NULL, 1u << 20);
    (void)snprintf(text, sizeof(text), "EXPLAIN ANALYZE %s", question);
    dbtest_query(t, text, &out);
    const char *at = strstr((const char *)out.data, counter);
    assert_non_null(at);
    uint64_t value = strtoull(strchr(at, ':') + 1, NULL, 10);
    bbi_buf_fini(&out);
    return value;
}

/* Many readings of one series, in one segment: a LIMIT reads a small part of them. */
static void test_early_end(void **state)
{
    static const char *const early[] = {
        "SELECT derivative(v) FROM long LIMIT 5",
        "SELECT median(v) FROM long WHERE time >= 0 AND time < 2000h GROUP BY time(10s) LIMIT 5",
        "SELECT d FROM (SELECT v * 2 AS d FROM long) LIMIT 5",
        "SELECT d FROM (SELECT difference(v) AS d FROM long) LIMIT 3 OFFSET 2",
        "SELECT difference(mean(v)) FROM long WHERE time < 112h GROUP BY time(10s) LIMIT 5",
        "SELECT mean(v) FROM long WHERE time < 112h GROUP BY time(10s) LIMIT 5",
        "SELECT max(v) FROM long WHERE time < 112h GROUP BY time(10s) ORDER BY time DESC LIMIT 5",
    };
    struct dbtest t;
    struct bbi_buf lines;
    (void)state;
    dbtest_open(&t);
    bbi_buf_init(&lines, NULL, 64u << 20);
    for (int i = 0; i < 400000; i++) {
        bbi_buf_printf(&lines, "long v=%d %d000000000\n", i * 7 % 100, i);
    }
    bbi_buf_u8(&lines, 0);
    dbtest_write(&t, (const char *)lines.data);
    bbi_buf_fini(&lines);
    dbtest_flush(&t);
    for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
        uint64_t read = counter_of(&t, early[i], "values_decoded") +
                        counter_of(&t, early[i], "values_packed");
        if (read == 0 || read > 40000) {
            fail_msg("%s: %" PRIu64 " values read", early[i], read);
        }
    }
    dbtest_close(&t);
}

/* ---- stopping ---- */

struct stopper {
    uint64_t rows;
    volatile int canceled;
    struct bb_error err;
};

static int on_begin(void *arg, size_t index)
{
    (void)arg;
    (void)index;
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
    struct stopper *s = arg;
    (void)values;
    s->rows += row_count;
    s->canceled = 1;
    return 0;
}

static int on_message(void *arg, const char *level, const char *text)
{
    (void)arg;
    (void)level;
    (void)text;
    return 0;
}

static int on_end(void *arg, const struct bb_error *err)
{
    struct stopper *s = arg;
    if (err != NULL) {
        s->err = *err;
    }
    return 0;
}

static int ask(struct dbtest *t, const char *text, uint32_t timeout_ms, bool canceled,
               struct stopper *s, struct bb_error *err)
{
    struct bb_sink sink = {s, on_begin, on_series, on_rows, on_message, on_end};
    *s = (struct stopper){.canceled = canceled};
    struct bb_query query = {.database = "t",
                             .text = text,
                             .text_length = strlen(text),
                             .timeout_ms = timeout_ms,
                             .canceled = &s->canceled};
    return bb_query(t->db, &query, &sink, err);
}

/* With the switch thrown from the start, and by the first rows: each ends as interrupted, soon. */
static void test_cancel(void **state)
{
    struct dbtest t;
    struct stopper s;
    struct bb_error err;
    (void)state;
    load(&t, DBTEST_MIXED);
    for (size_t i = 0; i < QUESTIONS; i++) {
        assert_ok(ask(&t, questions[i], 0, true, &s, &err), &err);
        if (s.err.code != BB_ECANCELED) {
            fail_msg("%s: %d %s", questions[i], s.err.code, s.err.text);
        }
        assert_ok(ask(&t, questions[i], 0, false, &s, &err), &err);
        assert_true(s.err.code == BB_OK || s.err.code == BB_ECANCELED);
        assert_true(s.rows > 0);
    }
    assert_ok(ask(&t, "SELECT derivative(v) FROM u, w GROUP BY id", 0, false, &s, &err), &err);
    assert_int_equal(s.err.code, BB_ECANCELED);
    assert_true(s.rows <= 2 * 1024);
    dbtest_close(&t);
}

/* A product of points that takes long: the deadline is kept. */
static void test_deadline(void **state)
{
    struct dbtest t;
    struct stopper s;
    struct bb_error err;
    (void)state;
    load(&t, DBTEST_FLUSHED);
    int64_t start = bbi_clock_mono_ns();
    assert_ok(ask(&t,
                  "SELECT sum(d) FROM (SELECT difference(m) AS d FROM (SELECT median(v) AS m FROM "
                  "u WHERE time >= 0 AND time < 100000d GROUP BY time(1s) fill(0)))",
                  50, false, &s, &err),
              &err);
    assert_int_equal(s.err.code, BB_ETIMEOUT);
    assert_true(bbi_clock_mono_ns() - start < INT64_C(5000000000));
    dbtest_close(&t);
}

/* ---- failing memory ---- */

/* Each allocation fails once: the query says so or does without, and gives back what it took. */
static void fail_each(struct dbtest *t, const char *text)
{
    struct bbi_buf want;
    bbi_buf_init(&want, NULL, 1u << 20);
    dbtest_query(t, text, &want);
    assert_null(strstr((const char *)want.data, "error:"));
    uint64_t used = t->db->query_acct.used_bytes;
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        struct stopper s;
        struct bb_error err;
        bbi_mem_fail_at(n);
        int rc = ask(t, text, 0, false, &s, &err);
        done = bbi_mem_requests() < n;
        bbi_mem_fail_at(0);
        assert_true(rc == BB_OK || rc == BB_ENOMEM);
        if (!done && s.err.code != BB_OK && s.err.code != BB_ECANCELED) {
            assert_contains(s.err.text, "memory");
        }
        if (t->db->query_acct.used_bytes != used) {
            fail_msg("%s: allocation %" PRIu64 ": %" PRIu64 " bytes are lost", text, n,
                     (uint64_t)t->db->query_acct.used_bytes);
        }
        assert_true(!done || n > 100);
    }
    dbtest_expect(t, text, (const char *)want.data);
    bbi_buf_fini(&want);
}

static void test_failing_memory(void **state)
{
    static const char *const texts[] = {
        "SELECT d FROM (SELECT difference(v) AS d FROM u, w GROUP BY id) GROUP BY id LIMIT 2",
        "SELECT top(v, 2) FROM u" DAY "GROUP BY time(1h), half LIMIT 20",
        "SELECT difference(median(v)) FROM u" DAY "GROUP BY time(6h), id fill(linear) LIMIT 3",
        "SELECT max(d) FROM (SELECT difference(mean(v)) AS d FROM u" DAY
        "GROUP BY time(12h), id) GROUP BY half",
        "SELECT percentile_approx(v, 90) FROM u" DAY "GROUP BY time(2d), id",
        "SELECT v, d FROM (SELECT v FROM u LIMIT 3), (SELECT v * 2 AS d FROM w LIMIT 3)",
    };
    struct dbtest t;
    (void)state;
    load(&t, DBTEST_MIXED);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fail_each(&t, texts[i]);
    }
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),          cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_ties),           cmocka_unit_test(test_early_end),
        cmocka_unit_test(test_cancel),         cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
