/*
 * Every query four times: readings in the memtable, flushed, compacted, and mixed with overwrites
 * and deletions. The answers must be the same to the last byte, and those with an expected text
 * must be that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

#define METERS   7
#define SLOTS    900 /* of half an hour: nearly three partitions */
#define SLOT_NS  (INT64_C(1800) * 1000000000)
#define START_NS (INT64_C(1236211200) * 1000000000) /* a week begins in the middle */

struct query {
    const char *text;
    const char *answer; /* NULL: only compared between the states */
};

static const struct query small_queries[] = {
    {"SELECT v FROM m WHERE s = 'a'", "m: time=10 v=1.5\nm: time=20 v=-2\nm: time=30 v=0.25\n"},
    {"SELECT count(v), sum(v), mean(v), min(v), max(v) FROM m",
     "m: time=0 count=5i sum=0.29999999999999999 mean=0.059999999999999998 min=-2 max=1.5\n"},
    {"SELECT first(v), last(v) FROM m GROUP BY s",
     "m{s=a}: time=0 first=1.5 last=0.25\n"
     "m{s=b}: time=0 first=0.10000000000000001 last=0.45000000000000001\n"},
    {"SELECT sum(n), min(n), max(n) FROM m",
     "m: time=0 sum=9223372036854775799i min=-7i max=9223372036854775806i\n"},
    {"SELECT last(t), count(t) FROM m", "m: time=0 last=\"x\" count=2i\n"},
    {"SELECT max(v) FROM m", "m: time=10 max=1.5\n"},
    {"SELECT count(v) FROM m WHERE time >= 10 AND time < 30 GROUP BY time(10ns), s",
     "m{s=a}: time=10 count=1i\nm{s=a}: time=20 count=1i\n"
     "m{s=b}: time=10 count=1i\nm{s=b}: time=20 count=0i\n"},
    {"SELECT mean(v) FROM m WHERE s = 'nobody'", ""},
    {"SELECT v FROM m WHERE s = 'a' ORDER BY time DESC LIMIT 2",
     "m: time=30 v=0.25\nm: time=20 v=-2\n"},
    {"SELECT v, b FROM m WHERE s = 'b'",
     "m: time=15 v=0.10000000000000001 b=true\nm: time=35 v=0.45000000000000001 b=null\n"},
};

static const char small_lines[] = "m,s=a v=1.5,n=9223372036854775806i 10\n"
                                  "m,s=a v=-2,n=-7i,t=\"x\" 20\n"
                                  "m,s=a v=0.25 30\n"
                                  "m,s=b v=0.1,b=true,t=\"x\\\\y\" 15\n"
                                  "m,s=b v=0.45 35\n";

static const char *const big_queries[] = {
    "SELECT count(value), sum(value), mean(value), min(value), max(value) FROM reading",
    "SELECT sum(value) FROM reading WHERE time >= 1236211200s AND time < 1237831200s "
    "GROUP BY time(1d)",
    "SELECT sum(value), max(value) FROM reading WHERE time >= 1236211200s AND time < 1237831200s "
    "GROUP BY time(6h), device_id",
    "SELECT first(value), last(value) FROM reading GROUP BY device_id",
    "SELECT mean(value) FROM reading WHERE device_id = 'm3' OR device_id = 'm5'",
    "SELECT mean(value), sum(quality) FROM reading WHERE device_id != 'm3' GROUP BY zone",
    "SELECT value FROM reading WHERE device_id = 'm1' AND time >= 1236300000s "
    "AND time < 1236400000s",
    "SELECT value, quality, ok, note FROM reading WHERE time >= 1236800000s "
    "AND time < 1236820000s",
    "SELECT value FROM reading WHERE value > 1.9",
    "SELECT count(value) FROM reading WHERE device_id =~ /m[1-3]/ GROUP BY device_id",
    "SELECT sum(value) FROM reading WHERE time >= 1236211200s AND time < 1236511200s "
    "GROUP BY time(90m) fill(previous)",
    "SELECT count(ok), count(note), last(note) FROM reading",
    "SELECT max(value) FROM reading",
    "SELECT value FROM reading ORDER BY time DESC LIMIT 5 OFFSET 3",
    "SELECT sum(quality), min(quality), max(quality), mean(quality) "
    "FROM reading GROUP BY device_id",
    "SELECT percentile_approx(value, 95), median_approx(quality), max(value) FROM reading",
    "SELECT percentile_approx(value, 5), count(value) FROM reading WHERE time >= 1236211200s AND "
    "time < 1236511200s GROUP BY time(90m), zone fill(0)",
    "SELECT median_approx(value) FROM reading WHERE value > 0.5 AND device_id != 'm2' GROUP BY "
    "device_id",
    "SELECT percentile_approx(value::integer, 60) FROM reading GROUP BY zone",
    "SELECT median_approx(d) FROM (SELECT difference(value) AS d FROM reading GROUP BY device_id)",
    "SELECT max(p) FROM (SELECT percentile_approx(value, 90) AS p FROM reading WHERE time >= "
    "1236211200s AND time < 1236511200s GROUP BY time(3h), device_id) GROUP BY device_id",
    "SHOW TAG VALUES FROM reading WITH KEY = device_id",
    "SHOW FIELD KEYS FROM reading",
};

static void make_lines(struct rng *rng, struct bbi_buf *out)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        for (unsigned m = 0; m < METERS; m++) {
            if (rng_one_in(rng, 40)) {
                continue;
            }
            bbi_buf_printf(out, "reading,device_id=m%u,zone=z%u value=%u.%03u", m, m % 2,
                           (unsigned)rng_below(rng, 2), (unsigned)rng_below(rng, 1000));
            if (rng_one_in(rng, 3)) {
                bbi_buf_printf(out, ",quality=%ui", (unsigned)rng_below(rng, 100));
            }
            if (rng_one_in(rng, 5)) {
                bbi_buf_printf(out, ",ok=%s,note=\"n%u\"", rng_one_in(rng, 2) ? "true" : "false",
                               (unsigned)rng_below(rng, 4));
            }
            bbi_buf_printf(out, " %" PRId64 "\n", START_NS + slot * SLOT_NS);
        }
    }
    bbi_buf_u8(out, 0);
    assert_int_equal(out->err, BB_OK);
}

static void test_small(void **state)
{
    (void)state;
    for (enum dbtest_state s = DBTEST_MEMTABLE; s < DBTEST_STATES; s++) {
        struct dbtest t;
        dbtest_open(&t);
        dbtest_load(&t, s, small_lines);
        print_message("%s\n", dbtest_state_name(s));
        for (size_t i = 0; i < sizeof(small_queries) / sizeof(small_queries[0]); i++) {
            dbtest_expect(&t, small_queries[i].text, small_queries[i].answer);
        }
        dbtest_close(&t);
    }
}

static void answer_all(struct dbtest *t, struct bbi_buf *out)
{
    for (size_t i = 0; i < sizeof(big_queries) / sizeof(big_queries[0]); i++) {
        size_t before = out->len;
        bbi_buf_printf(out, "-- %s\n", big_queries[i]);
        size_t head = out->len;
        dbtest_query(t, big_queries[i], out);
        if (memmem(out->data + head, out->len - head, "error:", 6) != NULL || out->len == head) {
            fail_msg("%s", (const char *)out->data + before);
        }
    }
    bbi_buf_u8(out, 0);
}

static void test_big(void **state)
{
    struct rng rng = rng_from_env();
    struct bbi_buf lines;
    struct bbi_buf answers[DBTEST_STATES];
    (void)state;
    bbi_buf_init(&lines, NULL, 16u << 20);
    make_lines(&rng, &lines);
    for (enum dbtest_state s = DBTEST_MEMTABLE; s < DBTEST_STATES; s++) {
        struct dbtest t;
        bbi_buf_init(&answers[s], NULL, 64u << 20);
        dbtest_open(&t);
        dbtest_load(&t, s, (const char *)lines.data);
        answer_all(&t, &answers[s]);
        dbtest_close(&t);
        if (strcmp((const char *)answers[s].data, (const char *)answers[0].data) != 0) {
            size_t at = 0;
            while (answers[s].data[at] == answers[0].data[at]) {
                at++;
            }
            at = at < 300 ? 0 : at - 300;
            fail_msg("%s differs:\n%.600s\nfrom memtable:\n%.600s", dbtest_state_name(s),
                     (const char *)answers[s].data + at, (const char *)answers[0].data + at);
        }
    }
    for (enum dbtest_state s = DBTEST_MEMTABLE; s < DBTEST_STATES; s++) {
        bbi_buf_fini(&answers[s]);
    }
    bbi_buf_fini(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_small), cmocka_unit_test(test_big)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
