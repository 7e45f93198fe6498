/* A series goes with its last row: DELETE with times and DROP SHARD leave no names behind that have
 * nothing, and take none that has something, whoever writes meanwhile. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

static void each_history(void (*check)(struct dbtest *t, enum dbtest_event after))
{
    for (enum dbtest_event after = DBTEST_NOTHING; after < DBTEST_EVENTS; after++) {
        struct dbtest t;
        dbtest_open(&t);
        check(&t, after);
        dbtest_close(&t);
    }
}

static void last_rows(struct dbtest *t, enum dbtest_event after)
{
    dbtest_write(t, "cpu,host=a v=1,u=2i 1000\n"
                    "cpu,host=b v=2 2000\n"
                    "cpu,host=b v=2 9000\n"
                    "mem,host=a,rack=r1 free=1i 1000\n");
    dbtest_happen(t, after);
    dbtest_run(t, "DELETE WHERE time < 1000");
    dbtest_expect(t, "SHOW SERIES",
                  ": key=\"cpu,host=a\"\n: key=\"cpu,host=b\"\n: key=\"mem,host=a,rack=r1\"\n");
    dbtest_run(t, "DELETE FROM cpu WHERE time < 5000");
    for (int i = 0; i < 2; i++) {
        dbtest_expect(t, "SHOW SERIES", ": key=\"cpu,host=b\"\n: key=\"mem,host=a,rack=r1\"\n");
        dbtest_expect(t, "SHOW TAG VALUES FROM cpu WITH KEY = host",
                      "cpu: key=\"host\" value=\"b\"\n");
        dbtest_happen(t, after);
    }
    dbtest_run(t, "DELETE WHERE time <= 5000");
    for (int i = 0; i < 2; i++) {
        dbtest_expect(t, "SHOW MEASUREMENTS", "measurements: name=\"cpu\"\n");
        dbtest_expect(t, "SHOW FIELD KEYS FROM mem", "");
        dbtest_expect(t, "SELECT * FROM cpu", "cpu: time=9000 host=\"b\" u=null v=2\n");
        dbtest_happen(t, after);
    }
    dbtest_write(t, "mem,host=a,rack=r1 free=\"text\" 1000\n");
    dbtest_happen(t, after);
    dbtest_expect(t, "SELECT * FROM mem", "mem: time=1000 free=\"text\" host=\"a\" rack=\"r1\"\n");
}

static void test_last_rows(void **state)
{
    (void)state;
    each_history(last_rows);
}

/* The ends of what is stored are gone, by two deletions, and the middle is there. */
static void the_middle(struct dbtest *t, enum dbtest_event after)
{
    dbtest_write(t, "m,s=a v=1 1\nm,s=a v=1 2\nm,s=a v=1 3\nm,s=a v=1 4\nm,s=a v=1 5\n");
    dbtest_happen(t, after);
    dbtest_run(t, "DELETE WHERE time <= 2");
    dbtest_run(t, "DELETE WHERE time >= 4");
    dbtest_expect(t, "SHOW SERIES", ": key=\"m,s=a\"\n");
    dbtest_expect(t, "SELECT v FROM m", "m: time=3 v=1\n");
    dbtest_happen(t, after);
    dbtest_run(t, "DELETE WHERE time = 3");
    dbtest_expect(t, "SHOW SERIES", "");
    dbtest_happen(t, after);
    dbtest_expect(t, "SHOW SERIES", "");
}

static void test_the_middle(void **state)
{
    (void)state;
    each_history(the_middle);
}

/* Rows in another segment keep the name; those in other policies are deleted as well. */
static void elsewhere(struct dbtest *t, enum dbtest_event after)
{
    dbtest_run(t, "CREATE RETENTION POLICY p ON t DURATION INF REPLICATION 1");
    dbtest_write(t, "m,s=a v=1 1\nm,s=b v=1 1\nm,s=c v=1 1\n");
    dbtest_happen(t, after);
    dbtest_run(t, "SELECT * INTO p.m FROM m WHERE s = 'b' GROUP BY *");
    dbtest_write(t, "m,s=c v=1 1500000000000000000\n");
    dbtest_happen(t, after);
    dbtest_run(t, "DELETE WHERE s = 'b' AND time = 1; SELECT * INTO p.m FROM m GROUP BY *");
    dbtest_expect(t, "SHOW SERIES", ": key=\"m,s=a\"\n: key=\"m,s=c\"\n");
    dbtest_run(t, "DROP SHARD 4294967296"); /* of no policy */
    dbtest_run(t, "DELETE WHERE time < 10");
    dbtest_expect(t, "SHOW SERIES", ": key=\"m,s=c\"\n");
}

static void test_elsewhere(void **state)
{
    (void)state;
    each_history(elsewhere);
}

static void test_drop_shard(void **state)
{
    struct dbtest t;
    struct bbi_buf out;
    unsigned long long id;
    char text[64];
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,s=a v=1 1\n");
    bbi_buf_init(&out, NULL, 1u << 16);
    dbtest_query(&t, "SHOW SHARDS", &out);
    assert_int_equal(sscanf((const char *)out.data, "t: id=%llu", &id), 1);
    dbtest_write(&t, "m,s=b v=1 1\nm,s=b v=1 1500000000000000000\nn,s=c v=1 1\n");
    (void)snprintf(text, sizeof(text), "DROP SHARD %llu", id);
    dbtest_run(&t, text);
    dbtest_expect(&t, "SHOW SERIES; SHOW MEASUREMENTS",
                  ": key=\"m,s=b\"\nmeasurements: name=\"m\"\n");
    bbi_buf_fini(&out);
    dbtest_close(&t);
}

/* ---- while others write ---- */

#define ROUNDS 300

struct race {
    struct dbtest *t;
    atomic_bool done;
};

static void *keep_writing(void *arg)
{
    struct race *r = arg;
    for (unsigned i = 0; !atomic_load(&r->done); i++) {
        char lines[256];
        (void)snprintf(lines, sizeof(lines), "m,s=%u v=1 %u\nm,s=%u v=1 %u\nm,s=x%u v=1 50\n",
                       i % 5, i % 100, (i + 1) % 7, (i * 7) % 100, i % 3);
        dbtest_write(r->t, lines);
    }
    return NULL;
}

static void *keep_flushing(void *arg)
{
    struct race *r = arg;
    while (!atomic_load(&r->done)) {
        dbtest_flush(r->t);
    }
    return NULL;
}

/* Each series that is listed has rows, and each that has rows is listed. */
static void check_names(struct dbtest *t)
{
    struct bbi_buf names;
    struct bbi_buf counts;
    bbi_buf_init(&names, NULL, 1u << 20);
    bbi_buf_init(&counts, NULL, 1u << 20);
    dbtest_query(t, "SHOW TAG VALUES WITH KEY = s", &names);
    dbtest_query(t, "SELECT count(v) FROM m GROUP BY s", &counts);
    size_t listed = 0;
    for (const char *at = (const char *)names.data; (at = strstr(at, "value=\"")) != NULL; at++) {
        char want[64];
        (void)snprintf(want, sizeof(want), "{s=%.*s}", (int)strcspn(at + 7, "\""), at + 7);
        assert_non_null(strstr((const char *)counts.data, want));
        listed++;
    }
    size_t counted = 0;
    for (const char *at = (const char *)counts.data; (at = strstr(at, "{s=")) != NULL; at++) {
        counted++;
    }
    assert_int_equal(listed, counted);
    bbi_buf_fini(&names);
    bbi_buf_fini(&counts);
}

static void test_writes_meet_deletions(void **state)
{
    struct dbtest t;
    struct race r = {.t = &t};
    pthread_t threads[2];
    (void)state;
    dbtest_open(&t);
    assert_int_equal(pthread_create(&threads[0], NULL, keep_writing, &r), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, keep_flushing, &r), 0);
    for (int i = 0; i < ROUNDS; i++) {
        dbtest_run(&t, i % 2 == 0 ? "DELETE WHERE time < 100" : "DELETE WHERE time > 10");
    }
    atomic_store(&r.done, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (int i = 0; i < 3; i++) {
        check_names(&t);
        dbtest_run(&t, i == 0 ? "DELETE WHERE time < 60" : "DELETE WHERE s = '1' AND time < 90");
        check_names(&t);
        dbtest_crash(&t);
    }
    dbtest_close(&t);
}

/* Of many series, some of which keep rows. */
static void test_many_series(void **state)
{
    struct dbtest t;
    struct bbi_buf text;
    (void)state;
    dbtest_open(&t);
    bbi_buf_init(&text, NULL, 1u << 24);
    for (unsigned i = 0; i < 20000; i++) {
        bbi_buf_printf(&text, "m,id=%u v=1 %u\n", i, i % 2 == 0 ? 1 : 100);
        if (i % 4 == 0) {
            bbi_buf_printf(&text, "m,id=%u v=1 200\n", i);
        }
    }
    bbi_buf_u8(&text, 0);
    for (int flush = 0; flush < 2; flush++) {
        dbtest_write(&t, (const char *)text.data);
        if (flush != 0) {
            dbtest_flush(&t);
        }
        dbtest_run(&t, "DELETE WHERE time < 50");
        dbtest_expect(&t, "SHOW SERIES EXACT CARDINALITY", "m: count=15000i\n");
        dbtest_run(&t, "DELETE WHERE time > 50");
        dbtest_expect(&t, "SHOW SERIES EXACT CARDINALITY; SHOW MEASUREMENTS", "");
    }
    bbi_buf_fini(&text);
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_rows),   cmocka_unit_test(test_the_middle),
        cmocka_unit_test(test_elsewhere),   cmocka_unit_test(test_drop_shard),
        cmocka_unit_test(test_many_series), cmocka_unit_test(test_writes_meet_deletions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
