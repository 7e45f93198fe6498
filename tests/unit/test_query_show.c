/* SHOW ... CARDINALITY, SHARDS, QUERIES and their kin, KILL QUERY, DROP SHARD. Answers are those of
 * influxd 1.6.7 on the same lines, but for shard numbers. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/rng.h"

static struct dbtest t;

static int setup(void **state)
{
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "cpu,host=a,region=eu v=1,u=2i 1000\ncpu,host=b,region=us v=2 2000\n"
                     "cpu,host=c v=3,t=\"x\" 3000\nmem,host=a,rack=r1 free=1i,b=true 1000\n"
                     "mem,rack=r2 free=5i 1000\ndisk used=1 1000\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dbtest_close(&t);
    return 0;
}

static void cardinalities(void **state)
{
    static const char *const cases[][2] = {
        {"SHOW SERIES CARDINALITY", ": cardinality estimation=6i\n"},
        {"SHOW SERIES CARDINALITY ON nope", ": cardinality estimation=0i\n"},
        {"SHOW SERIES EXACT CARDINALITY ON nope", "error: database not found: nope\n"},
        {"SHOW SERIES EXACT CARDINALITY", "cpu: count=3i\ndisk: count=1i\nmem: count=2i\n"},
        {"SHOW SERIES CARDINALITY FROM cpu", "cpu: count=3i\n"},
        {"SHOW SERIES EXACT CARDINALITY WHERE host = 'a'", "cpu: count=1i\nmem: count=1i\n"},
        {"SHOW SERIES EXACT CARDINALITY OFFSET 1", ""},
        {"SHOW SERIES EXACT CARDINALITY WHERE time > 0",
         "error: SHOW SERIES EXACT CARDINALITY doesn't support time in WHERE clause\n"},
        {"SHOW MEASUREMENT CARDINALITY", ": cardinality estimation=3i\n"},
        {"SHOW MEASUREMENT CARDINALITY ON nope", ": cardinality estimation=0i\n"},
        {"SHOW MEASUREMENT EXACT CARDINALITY", ": count=3i\n"},
        {"SHOW MEASUREMENT CARDINALITY FROM /m$|nope/", ": count=1i\n"},
        {"SHOW MEASUREMENT EXACT CARDINALITY WHERE host = 'a'", ": count=2i\n"},
        {"SHOW MEASUREMENT EXACT CARDINALITY WHERE host = 'z'", ""},
        {"SHOW TAG KEY CARDINALITY", "cpu: count=2i\nmem: count=2i\n"},
        {"SHOW TAG KEY EXACT CARDINALITY FROM mem WHERE rack = 'r2'", "mem: count=1i\n"},
        {"SHOW TAG VALUES CARDINALITY WITH KEY = host", "cpu: count=3i\nmem: count=1i\n"},
        {"SHOW TAG VALUES EXACT CARDINALITY FROM cpu WITH KEY IN (host, region)",
         "cpu: count=5i\n"},
        {"SHOW TAG VALUES CARDINALITY FROM cpu WITH KEY = host WHERE region = 'eu'",
         "cpu: count=1i\n"},
        {"SHOW TAG VALUES EXACT CARDINALITY FROM cpu WITH KEY = nope", ""},
        {"SHOW FIELD KEY CARDINALITY", "cpu: count=3i\ndisk: count=1i\nmem: count=2i\n"},
        {"SHOW FIELD KEY EXACT CARDINALITY FROM nope", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dbtest_expect(&t, cases[i][0], cases[i][1]);
    }
}

/* A count for each combination of values; measurements are counted over all of them. */
static void cardinalities_by_group(void **state)
{
    static const struct {
        const char *text;
        const char *answer;
    } asked[] = {
        {"SHOW SERIES CARDINALITY GROUP BY host",
         "cpu{host=a}: count=1i\ncpu{host=b}: count=1i\ncpu{host=c}: count=1i\n"
         "disk{host=}: count=1i\nmem{host=}: count=1i\nmem{host=a}: count=1i\n"},
        {"SHOW SERIES EXACT CARDINALITY FROM mem GROUP BY rack, host",
         "mem{host=,rack=r2}: count=1i\nmem{host=a,rack=r1}: count=1i\n"},
        {"SHOW SERIES EXACT CARDINALITY FROM disk GROUP BY *", "disk: count=1i\n"},
        {"SHOW SERIES EXACT CARDINALITY FROM cpu, disk WHERE host != 'b' GROUP BY /^reg/",
         "cpu{region=}: count=1i\ncpu{region=eu}: count=1i\ndisk{region=}: count=1i\n"},
        {"SHOW SERIES EXACT CARDINALITY FROM cpu GROUP BY region OFFSET 1", ""},
        {"SHOW MEASUREMENT EXACT CARDINALITY GROUP BY host",
         "{host=}: count=2i\n{host=a}: count=2i\n{host=b}: count=1i\n{host=c}: count=1i\n"},
        {"SHOW TAG KEY CARDINALITY GROUP BY host",
         "cpu{host=a}: count=2i\ncpu{host=b}: count=2i\ncpu{host=c}: count=1i\n"
         "mem{host=}: count=1i\nmem{host=a}: count=2i\n"},
        {"SHOW TAG VALUES CARDINALITY FROM cpu WITH KEY = host GROUP BY region",
         "cpu{region=}: count=1i\ncpu{region=eu}: count=1i\ncpu{region=us}: count=1i\n"},
        {"SHOW FIELD KEY EXACT CARDINALITY FROM cpu GROUP BY region",
         "cpu{region=}: count=3i\ncpu{region=eu}: count=3i\ncpu{region=us}: count=3i\n"},
        {"SHOW SERIES EXACT CARDINALITY GROUP BY time(1h)",
         "error: only tags may stand in GROUP BY of a CARDINALITY\n"},
    };
    (void)state;
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < sizeof(asked) / sizeof(asked[0]); k++) {
            dbtest_expect(&t, asked[k].text, asked[k].answer);
        }
        dbtest_flush(&t);
    }
}

/* `value` is each tag value; when series are chosen it is a tag that is not there. */
static void values_by_value(void **state)
{
    static const struct {
        const char *rest;
        const char *answer;
    } asked[] = {
        {"value != 'a'", "cpu: key=\"host\" value=\"b\"\ncpu: key=\"host\" value=\"c\"\n"},
        {"value !~ /[ab]/", "cpu: key=\"host\" value=\"c\"\n"},
        {"value !~ /a/ AND value !~ /b/", "cpu: key=\"host\" value=\"c\"\n"},
        {"value != 'a' AND region != 'us'", "cpu: key=\"host\" value=\"c\"\n"},
        {"(value = 'b' OR region = 'eu') OR value != 'z'",
         "cpu: key=\"host\" value=\"a\"\ncpu: key=\"host\" value=\"b\"\n"
         "cpu: key=\"host\" value=\"c\"\n"},
        {"value = 'a' OR region = 'eu'", "cpu: key=\"host\" value=\"a\"\n"},
        {"value = 'a'", ""},
        {"value != 'a' LIMIT 1", "cpu: key=\"host\" value=\"b\"\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "SHOW TAG VALUES FROM cpu WITH KEY = host WHERE %s",
                       asked[i].rest);
        dbtest_expect(&t, text, asked[i].answer);
    }
}

/* What a CARDINALITY cannot decide by tags does not hold; tag values have time 0, and a tag that is
 * missing is nothing, not even empty. As influxd 1.8.10. */
static void cardinalities_by_condition(void **state)
{
    static const char *const cases[][2] = {
        {"SHOW SERIES CARDINALITY WHERE v = 1", ""},
        {"SHOW SERIES CARDINALITY WHERE v = 1 OR host = 'a'", "cpu: count=1i\nmem: count=1i\n"},
        {"SHOW SERIES CARDINALITY WHERE region = ''",
         "cpu: count=1i\ndisk: count=1i\nmem: count=2i\n"},
        {"SHOW SERIES CARDINALITY WHERE true AND host > 'a'", ""},
        {"SHOW MEASUREMENT CARDINALITY WHERE v > 0", ""},
        {"SHOW TAG KEY CARDINALITY WHERE free = 1", ""},
        {"SHOW TAG KEY CARDINALITY WHERE time > 0",
         "error: SHOW TAG KEY EXACT CARDINALITY doesn't support time in WHERE clause\n"},
        {"SHOW FIELD KEY CARDINALITY WHERE time > 0",
         "error: SHOW FIELD KEY CARDINALITY doesn't support time in WHERE clause\n"},
        {"SHOW FIELD KEY CARDINALITY WHERE rack != ''", "mem: count=2i\n"},
        {"SHOW TAG VALUES CARDINALITY WITH KEY = host WHERE time > 0", ""},
        {"SHOW TAG VALUES CARDINALITY WITH KEY = host WHERE time < 1",
         "cpu: count=3i\nmem: count=1i\n"},
        {"SHOW TAG VALUES CARDINALITY WITH KEY = host WHERE region = ''", ""},
        {"SHOW TAG VALUES CARDINALITY WITH KEY = host WHERE region !~ /u$/", "cpu: count=1i\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dbtest_expect(&t, cases[i][0], cases[i][1]);
    }
}

static void conditions_on_names(void **state)
{
    static const char *const cases[][2] = {
        {"SHOW SERIES WHERE _name = 'disk'", ": key=\"disk\"\n"},
        {"SHOW SERIES WHERE _name =~ /^m/ AND rack = 'r2'", ": key=\"mem,rack=r2\"\n"},
        {"SHOW SERIES WHERE _name !~ /m|c/ OR region = 'us'",
         ": key=\"cpu,host=b,region=us\"\n: key=\"disk\"\n"},
        {"SHOW TAG VALUES WITH KEY = host WHERE _name != 'cpu'", "mem: key=\"host\" value=\"a\"\n"},
        {"SHOW MEASUREMENTS WHERE _name = 'cpu' OR rack = 'r1'",
         "measurements: name=\"cpu\"\nmeasurements: name=\"mem\"\n"},
        {"SHOW MEASUREMENTS WHERE _name !~ /e|d/", "measurements: name=\"cpu\"\n"},
        {"SHOW SERIES CARDINALITY WHERE _name = 'cpu'", "cpu: count=3i\n"},
        {"SELECT used FROM /./ WHERE _name = 'disk'", "disk: time=1000 used=1\n"},
        {"SHOW SERIES WHERE v > 1", "error: invalid tag comparison operator\n"},
        {"SHOW TAG KEYS WHERE host = 'a' AND host < 'b'",
         "error: invalid tag comparison operator\n"},
        {"SHOW SERIES WHERE used = 1 AND _name = 'disk'", ": key=\"disk\"\n"},
        {"SHOW MEASUREMENTS WHERE host = 1",
         "error: right side of '=' must be a tag value string\n"},
        {"SHOW MEASUREMENTS WHERE 'a' != host", "error: left side of '!=' must be a tag key\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dbtest_expect(&t, cases[i][0], cases[i][1]);
    }
}

/* A key is there if one of its values is wanted. As influxd 1.8.10. */
static void tag_keys_by_value(void **state)
{
    static const char *const cases[][2] = {
        {"SHOW TAG KEYS FROM gas WHERE value = 'n'", "gas: tagKey=\"site\"\n"},
        {"SHOW TAG KEYS FROM gas WHERE value = 1", ""},
        {"SHOW TAG KEYS FROM gas WHERE value !~ /a|b/", "gas: tagKey=\"site\"\n"},
        {"SHOW TAG KEYS FROM gas WHERE host = 'a'", "gas: tagKey=\"host\"\ngas: tagKey=\"site\"\n"},
    };
    (void)state;
    dbtest_write(&t, "gas,host=a,site=n value=1 1000\ngas,host=b,site=n value=2 1000\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dbtest_expect(&t, cases[i][0], cases[i][1]);
    }
}

static void databases_as_they_were_made(void **state)
{
    (void)state;
    dbtest_run(&t, "CREATE DATABASE zz; CREATE DATABASE aa");
    dbtest_expect(&t, "SHOW DATABASES",
                  "databases: name=\"t\"\ndatabases: name=\"zz\"\ndatabases: name=\"aa\"\n");
    dbtest_reopen(&t);
    dbtest_expect(&t, "SHOW DATABASES",
                  "databases: name=\"t\"\ndatabases: name=\"zz\"\ndatabases: name=\"aa\"\n");
}

static void measurements_by_tags(void **state)
{
    (void)state;
    dbtest_expect(&t, "SHOW MEASUREMENTS WHERE host != 'a'", "");
    dbtest_expect(&t, "SHOW MEASUREMENTS WHERE host !~ /b/", "measurements: name=\"mem\"\n");
    dbtest_expect(&t, "SHOW MEASUREMENTS WHERE host != ''",
                  "measurements: name=\"cpu\"\nmeasurements: name=\"mem\"\n");
    dbtest_expect(&t, "SHOW MEASUREMENTS WHERE v > 1", "error: invalid tag comparison operator\n");
    dbtest_expect(&t, "SHOW MEASUREMENTS WHERE time > 0",
                  "error: SHOW MEASUREMENTS doesn't support time in WHERE clause\n");
}

/* What a database without its default policy says of itself. */
static void no_default_policy(void **state)
{
    static const char *const cases[][2] = {
        {"CREATE DATABASE lost; CREATE RETENTION POLICY rest ON lost DURATION INF REPLICATION 1",
         ""},
        {"SELECT v INTO lost..n FROM cpu LIMIT 1", "result: time=0 written=1i\n"},
        {"SHOW TAG KEYS ON lost", ""},
        {"SHOW MEASUREMENTS ON lost", "measurements: name=\"n\"\n"},
        {"DROP RETENTION POLICY autogen ON lost", ""},
        {"SHOW MEASUREMENTS ON lost", ""},
        {"SELECT v FROM lost..n", "error: retention policy not found: autogen\n"},
        {"SELECT nothing(v) FROM lost..n", "error: undefined function nothing()\n"},
        {"SHOW SERIES ON lost", "error: retention policy not found: autogen\n"},
        {"CREATE DATABASE lost WITH DURATION 1d",
         "error: retention policy conflicts with an existing policy\n"},
        {"CREATE RETENTION POLICY autogen ON lost DURATION 2h REPLICATION 1", ""},
        {"SHOW RETENTION POLICIES ON lost",
         ": name=\"rest\" duration=\"0s\" shardGroupDuration=\"168h0m0s\" replicaN=1i "
         "default=false\n"
         ": name=\"autogen\" duration=\"2h0m0s\" shardGroupDuration=\"1h0m0s\" replicaN=1i "
         "default=true\n"},
        {"DROP RETENTION POLICY autogen ON lost", ""},
        {"DROP RETENTION POLICY rest ON lost; CREATE DATABASE lost WITH DURATION 1d", ""},
        {"SHOW RETENTION POLICIES ON lost",
         ": name=\"autogen\" duration=\"24h0m0s\" shardGroupDuration=\"1h0m0s\" replicaN=1i "
         "default=true\n"},
        {"DROP DATABASE lost", ""},
        /* Databases that are not there are told first. */
        {"SELECT nothing(v) FROM none.p.m", "error: database not found: none\n"},
        {"SELECT v FROM t.nope.cpu, none.p.m", "error: database not found: none\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dbtest_expect(&t, cases[i][0], cases[i][1]);
    }
}

static void no_shards(void **state)
{
    (void)state;
    dbtest_expect(&t, "CREATE DATABASE e", "");
    dbtest_expect(&t, "EXPLAIN SELECT v FROM e..none", ": QUERY PLAN=\"\"\n");
    dbtest_expect(&t, "DROP DATABASE e", "");
}

static void shards(void **state)
{
    static const char shown[] =
        "t: id=%s database=\"t\" retention_policy=\"autogen\" shard_group=%s "
        "start_time=\"1970-01-01T00:00:00Z\" end_time=\"1970-01-08T00:00:00Z\" "
        "expiry_time=\"1970-01-08T00:00:00Z\" owners=\"\"\n";
    char answer[512];
    (void)state;
    (void)snprintf(answer, sizeof(answer), shown, "6442450944u", "6442450944u");
    for (int i = 0; i < 2; i++) {
        dbtest_expect(&t, "SHOW SHARDS", answer);
        dbtest_expect(&t, "SHOW SHARD GROUPS",
                      "shard groups: id=6442450944u database=\"t\" retention_policy=\"autogen\" "
                      "start_time=\"1970-01-01T00:00:00Z\" end_time=\"1970-01-08T00:00:00Z\" "
                      "expiry_time=\"1970-01-08T00:00:00Z\"\n");
        dbtest_flush(&t);
    }
    dbtest_write(&t, "cpu,host=a,region=eu v=9 864000000000000\n");
    dbtest_run(&t, "DROP SHARD 99; DROP SHARD 6442450944");
    dbtest_expect(&t, "SELECT v FROM cpu", "cpu: time=864000000000000 v=9\n");
}

#define WEEKS 60

/* Rows scattered over weeks, of few series and many: a shard for each week that has one, whatever
 * file or table they are in, and none between. */
static void scattered_shards(struct rng *rng, unsigned series, unsigned rows)
{
    bool has[WEEKS] = {false};
    struct bbi_buf out;
    struct dbtest d;
    dbtest_open(&d);
    bbi_buf_init(&out, NULL, 1u << 20);
    for (unsigned i = 0; i < rows; i++) {
        char line[128];
        unsigned week = (unsigned)rng_below(rng, WEEKS);
        (void)snprintf(line, sizeof(line), "m,s=%u %s=1 %lld\n", (unsigned)rng_below(rng, series),
                       rng_one_in(rng, 3) ? "a" : "b",
                       (week * 604800LL + (long long)rng_below(rng, 604800)) * 1000000000LL);
        has[week] = true;
        dbtest_write(&d, line);
        if (rng_one_in(rng, rows / 3)) {
            dbtest_flush(&d);
        }
    }
    for (unsigned round = 0; round < 3; round++) {
        bbi_buf_reset(&out);
        dbtest_query(&d, "SHOW SHARDS", &out);
        bbi_buf_u8(&out, 0);
        const char *at = (const char *)out.data;
        for (unsigned week = 0; week < WEEKS; week++) {
            char id[32];
            (void)snprintf(id, sizeof(id), "t: id=%lluu ", 6442450944ULL + week);
            if (has[week]) {
                assert_memory_equal(at, id, strlen(id));
                at = strchr(at, '\n') + 1;
            }
        }
        assert_string_equal(at, "");
        dbtest_flush(&d);
        if (round == 1) {
            dbtest_compact(&d);
        }
    }
    bbi_buf_fini(&out);
    dbtest_close(&d);
}

static void shards_of_scattered_rows(void **state)
{
    struct rng rng = rng_from_env();
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        scattered_shards(&rng, 1 + i % 4 * 5, 4 + i * 6);
    }
}

static void lists_without_content(void **state)
{
    (void)state;
    dbtest_expect(&t, "SHOW CONTINUOUS QUERIES", "");
    dbtest_expect(&t, "SHOW SUBSCRIPTIONS", "");
    dbtest_expect(&t, "SHOW STATS FOR 'nope'", "");
    dbtest_expect(&t, "SHOW STATS FOR 'catalog'", "catalog: databases=1u series=6u\n");
    dbtest_expect(&t, "SHOW DIAGNOSTICS FOR 'nope'", "");
    struct utsname host;
    char answer[512];
    assert_int_equal(uname(&host), 0);
    (void)snprintf(answer, sizeof(answer), "network: hostname=\"%s\"\n", host.nodename);
    dbtest_expect(&t, "SHOW DIAGNOSTICS FOR 'network'", answer);
}

/* Names and replicas of policies, in influxd's words. */
static void policies(void **state)
{
    static const char *const cases[][2] = {
        {"CREATE DATABASE \"a/b\"", "error: invalid name\n"},
        {"CREATE DATABASE \"\"", "error: invalid name\n"},
        {"CREATE DATABASE d WITH NAME \".\"", "error: invalid name\n"},
        {"CREATE DATABASE f WITH REPLICATION 3", ""},
        {"SHOW RETENTION POLICIES ON f",
         ": name=\"autogen\" duration=\"0s\" shardGroupDuration=\"168h0m0s\" replicaN=3i "
         "default=true\n"},
        {"CREATE DATABASE f WITH REPLICATION 2",
         "error: retention policy conflicts with an existing policy\n"},
        {"CREATE DATABASE f WITH REPLICATION 3", ""},
        {"CREATE DATABASE h WITH DURATION 30d SHARD DURATION 2d NAME r", ""},
        {"CREATE DATABASE h WITH DURATION 30d NAME r",
         "error: retention policy conflicts with an existing policy\n"},
        {"DROP DATABASE h", ""},
        /* Name and durations are looked at before the database, and no name is the default's. */
        {"CREATE RETENTION POLICY \"\" ON none DURATION 2h REPLICATION 1", "error: invalid name\n"},
        {"CREATE RETENTION POLICY p ON none DURATION 2m REPLICATION 1",
         "error: retention policy duration must be at least 1h0m0s\n"},
        {"CREATE RETENTION POLICY p ON none DURATION 2h REPLICATION 1 SHARD DURATION 1d",
         "error: retention policy duration must be greater than the shard duration\n"},
        {"CREATE RETENTION POLICY p ON \"\" DURATION 2h REPLICATION 1",
         "error: database not found: \n"},
        {"ALTER RETENTION POLICY \"\" ON \"\" DURATION 2m", "error: database not found: \n"},
        {"ALTER RETENTION POLICY \"\" ON f DURATION 2m",
         "error: retention policy duration must be at least 1h0m0s\n"},
        {"CREATE DATABASE f WITH DURATION 2h SHARD DURATION 1d",
         "error: retention policy conflicts with an existing policy\n"},
        {"CREATE DATABASE f WITH DURATION 2m",
         "error: retention policy duration must be at least 1h0m0s\n"},
        {"CREATE DATABASE k WITH REPLICATION 1 NAME other; CREATE DATABASE k WITH REPLICATION 1",
         "error: retention policy conflicts with an existing policy\n"},
        {"DROP DATABASE k; CREATE DATABASE k WITH DURATION 2h NAME \"\"", ""},
        {"SHOW RETENTION POLICIES ON k",
         ": name=\"autogen\" duration=\"2h0m0s\" shardGroupDuration=\"1h0m0s\" replicaN=1i "
         "default=true\n"},
        {"CREATE RETENTION POLICY p ON f DURATION 2h REPLICATION 2", ""},
        {"CREATE RETENTION POLICY p ON f DURATION 2h REPLICATION 2", ""},
        {"CREATE RETENTION POLICY p ON f DURATION 2h REPLICATION 1",
         "error: retention policy already exists\n"},
        {"CREATE RETENTION POLICY p ON f DURATION 2h REPLICATION 2 DEFAULT",
         "error: retention policy conflicts with an existing policy\n"},
        {"ALTER RETENTION POLICY autogen ON f REPLICATION 4", ""},
    };
    static const char all[] =
        ": name=\"autogen\" duration=\"0s\" shardGroupDuration=\"168h0m0s\" replicaN=4i "
        "default=true\n"
        ": name=\"p\" duration=\"2h0m0s\" shardGroupDuration=\"1h0m0s\" replicaN=2i "
        "default=false\n";
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dbtest_expect(&t, cases[i][0], cases[i][1]);
    }
    dbtest_crash(&t);
    dbtest_expect(&t, "SHOW RETENTION POLICIES ON f", all);
    dbtest_reopen(&t);
    dbtest_expect(&t, "SHOW RETENTION POLICIES ON f", all);
}

/* ---- running queries ---- */

/* A sink that holds its query until it is let go. */
struct held {
    _Atomic bool begun;
    _Atomic bool go;
    int failure;
};

static int held_begin(void *arg, size_t index)
{
    struct held *h = arg;
    if (index == 0) {
        atomic_store(&h->begun, true);
        while (!atomic_load(&h->go)) {
            (void)sched_yield();
        }
    }
    return 0;
}

static int held_series(void *arg, const struct bb_series *series)
{
    (void)arg;
    (void)series;
    return 0;
}

static int held_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    (void)arg;
    (void)values;
    (void)row_count;
    return 0;
}

static int held_end(void *arg, const struct bb_error *err)
{
    struct held *h = arg;
    if (err != NULL && err->code != BB_ECANCELED) {
        h->failure = err->code;
    } else if (err != NULL) {
        h->failure = h->failure == 0 ? err->code : h->failure;
    }
    return 0;
}

static void *run_held(void *arg)
{
    static const char text[] = "SELECT v FROM cpu; SET PASSWORD FOR x = 'secret'";
    struct held *h = arg;
    struct bb_error err;
    struct bb_sink sink = {.arg = h,
                           .statement_begin = held_begin,
                           .series = held_series,
                           .rows = held_rows,
                           .statement_end = held_end};
    struct bb_query query = {.database = "t", .text = text, .text_length = sizeof(text) - 1};
    int rc = bb_query(t.db, &query, &sink, &err);
    assert_int_equal(rc, BB_OK);
    return NULL;
}

static int note_one(void *arg, const struct bb_running *query)
{
    uint64_t *qid = arg;
    assert_string_equal(query->database, "t");
    assert_null(memmem(query->text, query->text_length, "secret", 6));
    assert_non_null(memmem(query->text, query->text_length, "SELECT v FROM cpu", 17));
    *qid = query->qid;
    return 0;
}

static void kill_a_query(void **state)
{
    struct held h = {.begun = false};
    struct bbi_buf out;
    struct bb_error err;
    pthread_t thread;
    uint64_t qid = 0;
    char text[64];
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_held, &h), 0);
    while (!atomic_load(&h.begun)) {
        (void)sched_yield();
    }
    bb_running_each(t.db, note_one, &qid);
    bbi_buf_init(&out, NULL, 1u << 16);
    dbtest_query(&t, "SHOW QUERIES", &out);
    assert_non_null(
        strstr((const char *)out.data, "query=\"SELECT v FROM cpu;\nSET PASSWORD FOR x"));
    assert_non_null(strstr((const char *)out.data, "query=\"SHOW QUERIES\" database=\"t\""));
    assert_non_null(strstr((const char *)out.data, "status=\"running\""));
    bbi_buf_fini(&out);
    (void)snprintf(text, sizeof(text), "KILL QUERY %llu", (unsigned long long)qid);
    dbtest_expect(&t, text, "");
    dbtest_expect(&t, text, "error: already killed\n");
    assert_int_equal(bb_running_kill(t.db, qid, &err), BB_EEXIST);
    atomic_store(&h.go, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(h.failure, BB_ECANCELED);
    assert_int_equal(bb_running_kill(t.db, qid, &err), BB_ENOTFOUND);
    dbtest_expect(&t, "KILL QUERY 99999", "error: no such query id: 99999\n");
}

static void not_too_many_at_a_time(void **state)
{
    struct held h = {.begun = false};
    pthread_t thread;
    (void)state;
    t.options.query_count_max = 1;
    dbtest_reopen(&t);
    assert_int_equal(pthread_create(&thread, NULL, run_held, &h), 0);
    while (!atomic_load(&h.begun)) {
        (void)sched_yield();
    }
    dbtest_expect(&t, "SHOW DATABASES", "error: max-concurrent-queries limit exceeded(1, 1)\n");
    atomic_store(&h.go, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    dbtest_expect(&t, "SHOW DATABASES", "databases: name=\"t\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cardinalities, setup, teardown),
        cmocka_unit_test_setup_teardown(cardinalities_by_group, setup, teardown),
        cmocka_unit_test_setup_teardown(values_by_value, setup, teardown),
        cmocka_unit_test_setup_teardown(cardinalities_by_condition, setup, teardown),
        cmocka_unit_test_setup_teardown(conditions_on_names, setup, teardown),
        cmocka_unit_test_setup_teardown(tag_keys_by_value, setup, teardown),
        cmocka_unit_test_setup_teardown(databases_as_they_were_made, setup, teardown),
        cmocka_unit_test_setup_teardown(measurements_by_tags, setup, teardown),
        cmocka_unit_test_setup_teardown(no_default_policy, setup, teardown),
        cmocka_unit_test_setup_teardown(no_shards, setup, teardown),
        cmocka_unit_test_setup_teardown(shards, setup, teardown),
        cmocka_unit_test(shards_of_scattered_rows),
        cmocka_unit_test_setup_teardown(lists_without_content, setup, teardown),
        cmocka_unit_test_setup_teardown(policies, setup, teardown),
        cmocka_unit_test_setup_teardown(kill_a_query, setup, teardown),
        cmocka_unit_test_setup_teardown(not_too_many_at_a_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
