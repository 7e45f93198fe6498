/*
 * Continuous queries: their statements, with the words of InfluxDB 1.8; and what is run when, by a
 * clock that the test moves.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "tests/lib/dbtest.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

#define S        INT64_C(1000000000)
#define T0       (INT64_C(1700000000) * S) /* 2023-11-14T22:13:20Z */
#define CQ(text) "CREATE CONTINUOUS QUERY " text

static struct bb_error err;

static void expect(struct dbtest *t, const char *text, const char *answer)
{
    dbtest_expect(t, text, answer);
}

static void test_statements(void **state)
{
    static const char begin[] = "t: name=\"q\" query=\"CREATE CONTINUOUS QUERY q ON t BEGIN SELECT "
                                "mean(v) INTO t.autogen.m FROM t.autogen.r GROUP BY time(10s) "
                                "END\"\n";
    static const char with_r[] =
        "t: name=\"r\" query=\"CREATE CONTINUOUS QUERY r ON t RESAMPLE EVERY 5s FOR 1m BEGIN "
        "SELECT max(v) INTO u.p.:MEASUREMENT FROM (SELECT mean(v) AS v FROM t.autogen.r WHERE a = "
        "'x' GROUP BY b), u.autogen./^m/ GROUP BY time(20s), * END\"\n";
    char both[2000];
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE u; CREATE RETENTION POLICY p ON u DURATION 0s REPLICATION 1");
    expect(&t, CQ("q ON t BEGIN SELECT mean(v) INTO m FROM r GROUP BY time(10s) END"), "");
    expect(&t, "SHOW CONTINUOUS QUERIES", begin);
    expect(&t, CQ("q ON t BEGIN SELECT MEAN(v) INTO M FROM r GROUP BY time(10s) END"), "");
    expect(&t, "SHOW CONTINUOUS QUERIES", begin);
    expect(&t, CQ("q ON t BEGIN SELECT mean(v) INTO m FROM r GROUP BY time(11s) END"),
           "error: continuous query already exists\n");
    expect(&t,
           CQ("r ON t RESAMPLE EVERY 5s FOR 1m BEGIN SELECT max(v) INTO u.p.:MEASUREMENT FROM "
              "(SELECT mean(v) AS v FROM r WHERE a = 'x' GROUP BY b), u../^m/ "
              "GROUP BY time(20s), * END"),
           "");
    (void)snprintf(both, sizeof(both), "%s%s", begin, with_r);
    expect(&t, "SHOW CONTINUOUS QUERIES", both);
    dbtest_crash(&t);
    expect(&t, "SHOW CONTINUOUS QUERIES", both);
    expect(&t, "DROP CONTINUOUS QUERY q ON t; DROP CONTINUOUS QUERY q ON t", "");
    expect(&t, "DROP CONTINUOUS QUERY q ON none", "");
    expect(&t, "SHOW CONTINUOUS QUERIES", with_r);
    dbtest_reopen(&t);
    expect(&t, "SHOW CONTINUOUS QUERIES", with_r);
    dbtest_run(&t, "DROP DATABASE u; DROP DATABASE t; CREATE DATABASE t");
    expect(&t, "SHOW CONTINUOUS QUERIES", "");
    dbtest_close(&t);
}

static void test_refused(void **state)
{
    static const char *const cases[][2] = {
        {CQ("q ON none BEGIN SELECT mean(v) INTO m FROM r GROUP BY time(10s) END"),
         "error: database not found: none\n"},
        {CQ("q ON t BEGIN SELECT mean(v) INTO none..m FROM r GROUP BY time(10s) END"),
         "error: database not found: none\n"},
        {CQ("q ON t BEGIN SELECT mean(v) INTO m FROM none..r GROUP BY time(10s) END"),
         "error: database not found: none\n"},
        {CQ("q ON t BEGIN SELECT mean(v) INTO none.m FROM r GROUP BY time(10s) END"),
         "error: retention policy not found: t.none\n"},
        {CQ("q ON t BEGIN SELECT mean(v) INTO m FROM (SELECT v FROM none.r) GROUP BY time(10s) "
            "END"),
         "error: retention policy not found: t.none\n"},
        {CQ("q ON t BEGIN SELECT mean(v) INTO bare..m FROM r GROUP BY time(10s) END"),
         "error: retention policy not found: bare.autogen\n"},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE bare; DROP RETENTION POLICY autogen ON bare");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(&t, cases[i][0], cases[i][1]);
    }
    expect(&t, "SHOW CONTINUOUS QUERIES", "");
    dbtest_close(&t);
}

/* ---- running ---- */

static void look(struct dbtest *t, int64_t now_ns)
{
    bbi_clock_set_wall(now_ns);
    bbi_continuous_look(&t->db->continuous);
}

static void test_runs(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    look(&t, T0 + S); /* nothing there */
    dbtest_run(&t, CQ("q ON t BEGIN SELECT sum(v) INTO m FROM r WHERE a = 'x' OR a = 'z' AND "
                      "time > now() - 1h GROUP BY time(10s), a END"));
    dbtest_write(&t, "r,a=x v=1 1699999999000000000\n"
                     "r,a=x v=2 1700000000000000000\n"
                     "r,a=x v=3 1700000009999999999\n"
                     "r,a=y v=9 1700000005000000000\n"
                     "r,a=z v=4 1700000005000000000\n"
                     "r,a=x v=5 1700000010000000000\n");
    look(&t, T0 + 3 * S); /* within an interval: the clock starts */
    expect(&t, "SELECT * FROM m", "");
    look(&t, T0 + 10 * S - 1);
    expect(&t, "SELECT * FROM m", "");
    look(&t, T0 + 10 * S);
    expect(&t, "SELECT * FROM m",
           "m: time=1700000000000000000 a=\"x\" sum=5\n"
           "m: time=1700000000000000000 a=\"z\" sum=4\n");
    dbtest_write(&t, "r,a=x v=100 1700000001000000000\n"); /* too late */
    look(&t, T0 + 19 * S);
    look(&t, T0 + 39 * S); /* makes up for two intervals, one of them empty */
    look(&t, T0 + 39 * S);
    expect(&t, "SELECT * FROM m",
           "m: time=1700000000000000000 a=\"x\" sum=5\n"
           "m: time=1700000000000000000 a=\"z\" sum=4\n"
           "m: time=1700000010000000000 a=\"x\" sum=5\n");
    expect(&t, "SHOW STATS FOR 'cq'", "cq: queryFail=0u queryOk=2u\n");
    dbtest_run(&t, "DROP CONTINUOUS QUERY q ON t");
    look(&t, T0 + 60 * S);
    expect(&t, "SHOW STATS FOR 'cq'", "cq: queryFail=0u queryOk=2u\n");
    bbi_clock_reset();
    dbtest_close(&t);
}

/* A minute back, twice within an interval; another database, tags kept by GROUP BY *. */
static void test_resamples(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE u");
    dbtest_run(&t, CQ("q ON t RESAMPLE EVERY 5s FOR 30s BEGIN SELECT sum(v) AS v INTO "
                      "u.autogen.:MEASUREMENT FROM /./ GROUP BY time(10s), * END"));
    look(&t, T0 + S);
    dbtest_write(&t, "r,a=x v=1 1700000002000000000\n");
    look(&t, T0 + 4 * S);
    expect(&t, "SELECT * FROM u..r", "");
    look(&t, T0 + 5 * S);
    expect(&t, "SELECT * FROM u..r", "r: time=1700000000000000000 a=\"x\" v=1\n");
    dbtest_write(&t, "r,a=x v=2 1700000007000000000\n");
    look(&t, T0 + 9 * S);
    expect(&t, "SELECT * FROM u..r", "r: time=1700000000000000000 a=\"x\" v=1\n");
    look(&t, T0 + 10 * S);
    expect(&t, "SELECT * FROM u..r", "r: time=1700000000000000000 a=\"x\" v=3\n");
    dbtest_write(&t, "r,a=x v=4 1700000008000000000\n");
    look(&t, T0 + 29 * S);
    expect(&t, "SELECT * FROM u..r", "r: time=1700000000000000000 a=\"x\" v=7\n");
    look(&t, T0 + 36 * S);
    dbtest_write(&t, "r,a=x v=8 1700000009000000000\n");
    look(&t, T0 + 41 * S); /* more than 30 s after it has begun */
    expect(&t, "SELECT * FROM u..r", "r: time=1700000000000000000 a=\"x\" v=7\n");
    bbi_clock_reset();
    dbtest_close(&t);
}

static void test_failures(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE u");
    dbtest_run(&t, CQ("a ON t BEGIN SELECT sum(v) INTO u..m FROM r GROUP BY time(10s) END"));
    dbtest_run(&t, CQ("b ON t BEGIN SELECT count(v) INTO n FROM r GROUP BY time(10s) END"));
    dbtest_run(&t, CQ("c ON t BEGIN SELECT v INTO raw FROM r GROUP BY time(10s) END"));
    dbtest_run(&t, CQ("d ON t BEGIN SELECT v INTO raw FROM r END"));
    dbtest_run(&t, "DROP DATABASE u");
    dbtest_write(&t, "r v=1 1700000002000000000\nr v=1 1700000012000000000\n");
    look(&t, T0 + S);
    look(&t, T0 + 10 * S);
    look(&t, T0 + 20 * S);
    expect(&t, "SELECT * FROM n",
           "n: time=1700000000000000000 count=1i\nn: time=1700000010000000000 count=1i\n");
    expect(&t, "SELECT * FROM raw", "");
    /* c is told when it is read; a fails twice. */
    expect(&t, "SHOW STATS FOR 'cq'", "cq: queryFail=3u queryOk=2u\n");
    bbi_clock_reset();
    dbtest_close(&t);
}

/* Ends the first SELECT that it sees. */
struct killer {
    struct bb_db *db;
    int done; /* not 0: enough */
    uint64_t qid;
    char text[100];
};

static int look_for_select(void *arg, const struct bb_running *query)
{
    struct killer *k = arg;
    if (query->text_length < sizeof(k->text) - 1 || memcmp(query->text, "SELECT", 6) != 0) {
        return 0;
    }
    memcpy(k->text, query->text, sizeof(k->text) - 1);
    k->qid = query->qid;
    return 1;
}

static void *killer_main(void *arg)
{
    struct killer *k = arg;
    struct bb_error error;
    while (k->qid == 0 && __atomic_load_n(&k->done, __ATOMIC_RELAXED) == 0) {
        bb_running_each(k->db, look_for_select, k);
        (void)usleep(1000);
    }
    if (k->qid != 0 && bb_running_kill(k->db, k->qid, &error) != BB_OK) {
        k->qid = 0;
    }
    return NULL;
}

/* A run shows in SHOW QUERIES and ends by KILL QUERY: this one would write half a billion rows. */
static void test_killed(void **state)
{
    struct dbtest t;
    struct killer killer = {.qid = 0};
    pthread_t thread;
    (void)state;
    dbtest_open(&t);
    killer.db = t.db;
    dbtest_run(&t, CQ("q ON t BEGIN SELECT derivative(sum(v), 1s) INTO m FROM r GROUP BY time(1s) "
                      "fill(0) END"));
    look(&t, T0 - 500000000 * S);
    dbtest_write(&t, "r v=1 1300000000000000000\nr v=1 1700000002000000000\n");
    assert_int_equal(pthread_create(&thread, NULL, killer_main, &killer), 0);
    look(&t, T0 + 10 * S);
    __atomic_store_n(&killer.done, 1, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(killer.qid != 0);
    static const char run[] =
        "SELECT derivative(sum(v), 1s) INTO t.autogen.m FROM t.autogen.r WHERE";
    assert_memory_equal(killer.text, run, sizeof(run) - 1);
    expect(&t, "SHOW STATS FOR 'cq'", "cq: queryFail=1u queryOk=1u\n");
    bbi_clock_reset();
    dbtest_close(&t);
}

/* Closing ends a run that would go on for long. */
static void test_closed(void **state)
{
    struct dbtest t;
    struct bb_stats stats = {.queries = 0};
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, CQ("q ON t BEGIN SELECT derivative(sum(v), 1s) INTO m FROM r GROUP BY time(1s) "
                      "fill(0) END"));
    look(&t, T0 - 500000000 * S);
    dbtest_write(&t, "r v=1 1300000000000000000\nr v=1 1700000002000000000\n");
    bbi_clock_set_wall(T0 - 500000000 * S);
    bbi_db_abandon(&t.db);
    t.options.manual_background = false;
    t.options.cq_interval_ms = 10;
    assert_ok(bb_db_open(t.dir, &t.options, &t.db, &err), &err);
    (void)usleep(100000); /* its clock has begun */
    bb_stats_get(t.db, &stats);
    uint64_t before = stats.queries;
    bbi_clock_set_wall(T0 + 10 * S);
    for (int i = 0; i < 1000 && stats.queries == before; i++) {
        (void)usleep(10000);
        bb_stats_get(t.db, &stats);
    }
    assert_true(stats.queries > before);
    int64_t began_ns = bbi_clock_mono_ns();
    bbi_db_abandon(&t.db);
    assert_true(bbi_clock_mono_ns() - began_ns < 20 * S);
    bbi_clock_reset();
    assert_ok(bb_db_open(t.dir, &t.options, &t.db, &err), &err);
    dbtest_close(&t);
}

/* Its own thread, by the real clock. */
static void test_thread(void **state)
{
    struct dbtest t;
    char lines[200];
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, CQ("q ON t BEGIN SELECT sum(v) INTO m FROM r GROUP BY time(1s) END"));
    bbi_db_abandon(&t.db);
    t.options.manual_background = false;
    t.options.cq_interval_ms = 20;
    assert_ok(bb_db_open(t.dir, &t.options, &t.db, &err), &err);
    uint64_t runs = 0;
    for (int i = 0; i < 500 && runs < 2; i++) {
        struct bb_stats stats;
        (void)snprintf(lines, sizeof(lines), "r v=1 %" PRId64 "\n", bbi_clock_wall_ns());
        dbtest_write(&t, lines);
        (void)usleep(20000);
        bb_stats_get(t.db, &stats);
        runs = stats.cq_runs;
    }
    assert_int_equal(runs, 2);
    struct bbi_buf out;
    bbi_buf_init(&out, NULL, 1 << 20);
    dbtest_query(&t, "SELECT sum FROM m", &out);
    bbi_buf_u8(&out, 0);
    assert_non_null(strstr((const char *)out.data, "m: time="));
    bbi_buf_fini(&out);
    dbtest_close(&t);
}

/* ---- when ---- */

/* InfluxDB's rules in its own terms, for UTC: a multiple of d not above t. */
static int64_t cut(int64_t t, int64_t d)
{
    int64_t r = t % d;
    return t - (r < 0 ? r + d : r);
}

struct reference {
    bool has_run;
    int64_t last;
};

static bool reference_due(const struct bbi_cq *cq, int64_t now, struct reference *r, int64_t *start,
                          int64_t *end)
{
    int64_t interval = cq->width_ns;
    int64_t offset = cq->offset_ns;
    int64_t every = cq->every_ns != 0 ? cq->every_ns : interval;
    int64_t next = r->has_run ? r->last + every : now;
    if (next > now) {
        return false;
    }
    r->has_run = true;
    r->last = cut(now - offset, every) + offset;
    int64_t back = cq->for_ns != 0 ? cq->for_ns : interval < every ? every : interval;
    every = interval < every ? interval : every;
    *start = cut(next + interval - back - offset - 1, interval) + offset;
    *end = cut(now + interval - every - offset, interval) + offset;
    return *end > *start;
}

static struct bbi_cq random_cq(struct rng *rnd)
{
    static const int64_t widths[] = {S, 2 * S, 7 * S, 10 * S, 60 * S, 3600 * S, 86400 * S};
    struct bbi_cq cq = {.width_ns = widths[rng_below(rnd, 7)]};
    cq.every_ns = rng_one_in(rnd, 2) ? 0 : widths[rng_below(rnd, 7)];
    int64_t least = cq.every_ns > cq.width_ns ? cq.every_ns : cq.width_ns;
    cq.for_ns = rng_one_in(rnd, 2) ? 0 : least * (int64_t)(1 + rng_below(rnd, 5));
    /* Offsets that are no multiple of EVERY are cut where the intervals are. */
    cq.offset_ns = rng_one_in(rnd, 2) ? 0 : S * (int64_t)rng_below(rnd, 3);
    cq.offset_ns %= cq.every_ns != 0 && cq.every_ns < cq.width_ns ? cq.every_ns : cq.width_ns;
    return cq;
}

/* As InfluxDB where EVERY fits the intervals. Everywhere: what has ended by the last time that the
 * query was to run has been run since it ended, and nothing between two runs is left out. */
static void test_when(void **state)
{
    struct rng rnd = rng_from_env();
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct bbi_cq cq = random_cq(&rnd);
        struct bbi_cq_clock clock = {.has_run = false};
        struct reference reference = {.has_run = false};
        int64_t now = T0 + (int64_t)rng_below(&rnd, 100000) * S / 10;
        int64_t done = cut(now - cq.offset_ns, cq.width_ns) + cq.offset_ns;
        bool fits = cq.every_ns == 0 || cq.every_ns % cq.width_ns == 0 ||
                    cq.width_ns % cq.every_ns == 0;
        for (int k = 0; k < 20; k++) {
            int64_t start[2] = {0, 0};
            int64_t end[2] = {0, 0};
            bool due = bbi_cq_due(&cq, now, &clock, &start[0], &end[0]);
            bool want = reference_due(&cq, now, &reference, &start[1], &end[1]);
            assert_int_equal(clock.last_ns, reference.last);
            assert_true(due == want || (due && !fits));
            if (want) {
                assert_true(start[0] == start[1] || (start[0] < start[1] && !fits));
                assert_int_equal(end[0], end[1]);
            }
            if (due) {
                int64_t ended = cut(now - cq.offset_ns, cq.width_ns) + cq.offset_ns;
                assert_true(start[0] <= done);
                done = end[0] < ended ? end[0] : ended;
            }
            assert_true(done >= cut(clock.last_ns - cq.offset_ns, cq.width_ns) + cq.offset_ns);
            now += (int64_t)(rng_one_in(&rnd, 3) ? rng_below(&rnd, 1000000) : 13) * S / 10;
        }
    }
}

static struct bbi_cq parse(struct dbtest *t, struct bbi_arena *arena, const char *text)
{
    struct bbi_cq cq;
    assert_ok(bbi_cq_parse(text, strlen(text), t->db->zones, arena, &cq, &err), &err);
    return cq;
}

/* Days of 23 and 25 hours, and months, are run when they have ended, each once. */
static void test_civil(void **state)
{
    static const struct {
        const char *dimension;
        int64_t from_s, hours, runs;
        int64_t lengths_h[4]; /* of the runs */
    } cases[] = {
        /* 2024-03-30 to 2024-04-02 in Berlin, the clocks go forward on the 31st */
        {"time(1d)) tz('Europe/Berlin'", 1711753200, 72, 3, {24, 23, 24}},
        /* 2024-10-26 to 2024-10-29, back on the 27th */
        {"time(1d)) tz('Europe/Berlin'", 1729893600, 72, 2, {24, 25}},
        /* from 2024-02-01 in UTC */
        {"time(1mo)", 1706745600, 24 * 91, 3, {29 * 24, 31 * 24, 30 * 24}},
    };
    struct dbtest t;
    struct bbi_arena arena;
    (void)state;
    dbtest_open(&t);
    bbi_arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[200];
        struct bbi_cq_clock clock = {.has_run = false};
        int64_t runs = 0;
        int64_t last_end = cases[i].from_s * S;
        const char *zone = strchr(cases[i].dimension, ' ');
        (void)snprintf(text, sizeof(text),
                       CQ("q ON t BEGIN SELECT sum(v) INTO m FROM r GROUP BY "
                          "%.*s%s%s END"),
                       zone == NULL ? 100 : (int)(zone - cases[i].dimension) - 1,
                       cases[i].dimension, zone == NULL ? "" : zone, zone == NULL ? "" : ")");
        struct bbi_cq cq = parse(&t, &arena, text);
        for (int64_t h = 0; h <= cases[i].hours; h++) {
            int64_t start;
            int64_t end;
            int64_t now = (cases[i].from_s + h * 3600) * S + 1;
            if (bbi_cq_due(&cq, now, &clock, &start, &end) && h > 0) {
                assert_int_equal(start, last_end);
                assert_true(runs < 4);
                assert_int_equal((end - start) / S, cases[i].lengths_h[runs] * 3600);
                last_end = end;
                runs++;
            }
        }
        assert_int_equal(runs, cases[i].runs);
    }
    bbi_arena_fini(&arena);
    dbtest_close(&t);
}

static void test_texts(void **state)
{
    static const char *const cases[][2] = {
        {"SELECT mean(v) INTO t.autogen.m FROM t.autogen.r GROUP BY time(10s) fill(previous)",
         "SELECT mean(v) INTO t.autogen.m FROM t.autogen.r WHERE time >= '1970-01-01T00:00:01Z' "
         "AND time < '1970-01-01T00:00:02.5Z' GROUP BY time(10s) fill(previous)"},
        {"SELECT mean(v) INTO t.autogen.m FROM t.autogen.r WHERE time > now() - 1d AND (a = 'b' OR "
         "c =~ /d/) GROUP BY time(10s), a tz('Europe/Berlin')",
         "SELECT mean(v) INTO t.autogen.m FROM t.autogen.r WHERE (a = 'b' OR c =~ /d/) AND time "
         ">= '1970-01-01T00:00:01Z' AND time < '1970-01-01T00:00:02.5Z' GROUP BY time(10s), a "
         "TZ('Europe/Berlin')"},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[400];
        struct bbi_arena arena;
        struct bbi_buf out;
        bbi_arena_init(&arena, NULL);
        bbi_buf_init(&out, NULL, 1000);
        (void)snprintf(text, sizeof(text), CQ("q ON t BEGIN %s END"), cases[i][0]);
        struct bbi_cq cq = parse(&t, &arena, text);
        assert_ok(bbi_cq_format(&cq, S, 5 * S / 2, &arena, &out, &err), &err);
        bbi_buf_u8(&out, 0);
        assert_string_equal((const char *)out.data, cases[i][1]);
        bbi_buf_fini(&out);
        bbi_arena_fini(&arena);
    }
    dbtest_close(&t);
}

/* Memory that runs out anywhere: told, and the next look goes on. */
static void test_no_memory(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, CQ("q ON t BEGIN SELECT sum(v) INTO m FROM r GROUP BY time(10s) END"));
    dbtest_write(&t, "r v=1 1700000002000000000\n");
    int64_t now = T0 + S;
    look(&t, now);
    t.db->continuous.logs_runs = false;
    for (uint64_t n = 1; n < 400; n++) {
        bbi_clock_set_wall(now += 10 * S);
        t.db->continuous.is_read = n % 2 == 0;
        bbi_mem_fail_at(n);
        bbi_continuous_look(&t.db->continuous);
        bbi_mem_fail_at(0);
    }
    struct bb_stats stats;
    bb_stats_get(t.db, &stats);
    assert_true(stats.cq_failures > 10);
    assert_true(stats.cq_runs > 10);
    bbi_clock_reset();
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_runs),       cmocka_unit_test(test_resamples),
        cmocka_unit_test(test_failures),   cmocka_unit_test(test_killed),
        cmocka_unit_test(test_closed),     cmocka_unit_test(test_thread),
        cmocka_unit_test(test_when),       cmocka_unit_test(test_civil),
        cmocka_unit_test(test_texts),      cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
