/* Fields and tags that wildcards, types and SHOW know: those of the policy and the shards that a
 * query touches, in whatever state the rows are. */
#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

/* 1970-01-02 is a Friday: the shards, of a week, begin on Monday 1969-12-29 and 1970-01-05. */
#define FRIDAY    "86400000000000"
#define SUNDAY    "345599999999999"
#define MONDAY    "345600000000000"
#define NEXT_WEEK "1209600000000000"

static const char lines[] = "m,h=a v=1,s=\"x\" " FRIDAY "\n"
                            "m,h=a v=2,w=5i " MONDAY "\n"
                            "m,k=b v=3 " NEXT_WEEK "\n";

static void test_shards(void **state)
{
    (void)state;
    for (int in = 0; in < DBTEST_STATES; in++) {
        struct dbtest t;
        dbtest_open(&t);
        dbtest_load(&t, (enum dbtest_state)in, lines);
        dbtest_expect(&t, "SELECT * FROM m WHERE time <= " FRIDAY,
                      "m: time=" FRIDAY " h=\"a\" k=null s=\"x\" v=1\n");
        /* The whole shard counts, not only its rows in the range. */
        dbtest_expect(&t, "SELECT * FROM m WHERE time >= " MONDAY " AND time < " NEXT_WEEK,
                      "m: time=" MONDAY " h=\"a\" k=null v=2 w=5i\n");
        dbtest_expect(&t, "SELECT max(*) FROM m WHERE time > " FRIDAY " AND time <= " MONDAY,
                      "m: time=86400000000001 max_v=2 max_w=5i\n");
        dbtest_expect(&t, "SELECT median(s) FROM m WHERE time >= " MONDAY, "");
        dbtest_expect(&t, "SELECT median(s) FROM m WHERE time > " FRIDAY " AND time <= " SUNDAY,
                      "error: unsupported median iterator type: *query.stringInterruptIterator\n");
        dbtest_expect(&t, "SELECT s + 1 FROM m WHERE time >= " NEXT_WEEK, "");
        dbtest_expect(&t, "SELECT max(v) FROM m WHERE time > 9" NEXT_WEEK " GROUP BY *", "");
        dbtest_close(&t);
    }
}

static void test_policies(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,h=a v=1,s=\"x\" 1\n");
    dbtest_run(&t, "CREATE RETENTION POLICY two ON t DURATION INF REPLICATION 1");
    dbtest_run(&t, "SELECT v AS w INTO two.m FROM m GROUP BY *");
    for (int flushed = 0; flushed < 2; flushed++) {
        dbtest_expect(&t, "SELECT * FROM m", "m: time=1 h=\"a\" s=\"x\" v=1\n");
        dbtest_expect(&t, "SELECT * FROM two.m", "m: time=1 h=\"a\" w=1\n");
        dbtest_expect(&t, "SHOW FIELD KEYS FROM two.m", "m: fieldKey=\"w\" fieldType=\"float\"\n");
        dbtest_expect(&t, "SHOW FIELD KEY CARDINALITY", "m: count=2i\n");
        dbtest_expect(&t, "SHOW FIELD KEYS FROM no.m", "error: retention policy not found: no\n");
        dbtest_flush(&t);
    }
    dbtest_close(&t);
}

/* Rows that a deletion hides are no rows, before and after it is applied. */
static void test_deleted(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, lines);
    for (int stage = 0; stage < 3; stage++) {
        if (stage == 1) {
            dbtest_run(&t, "DELETE FROM m WHERE time = " FRIDAY);
            dbtest_write(&t, "m,h=a v=4 " FRIDAY "\n");
        } else if (stage == 2) {
            dbtest_flush(&t);
            dbtest_compact(&t);
        }
        dbtest_expect(&t, "SELECT * FROM m WHERE time <= " FRIDAY,
                      stage == 0 ? "m: time=" FRIDAY " h=\"a\" k=null s=\"x\" v=1\n"
                                 : "m: time=" FRIDAY " h=\"a\" k=null v=4\n");
    }
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
