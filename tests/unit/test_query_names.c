/* SHOW SERIES, TAG KEYS, TAG VALUES, FIELD KEYS and the CARDINALITY forms by policy and by time,
 * and comparisons of names with names; answers are those of influxd 1.8.10 on the same lines. */
#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

/* 1970-01-02 is a Friday: the shards, of a week, begin on Monday 1969-12-29 and 1970-01-05. */
#define FRIDAY    "86400000000000"
#define SATURDAY  "172800000000000"
#define MONDAY    "345600000000000"
#define NEXT_WEEK "1209600000000000"

static const char lines[] = "cpu,host=a v=1,w=\"x\" " FRIDAY "\n"
                            "cpu,dc=x,host=b v=2 " NEXT_WEEK "\n"
                            "mem,host=a u=1i " FRIDAY "\n";

/* Two policies with rows and one without. */
static void fill(struct dbtest *t)
{
    dbtest_run(t, "CREATE RETENTION POLICY two ON t DURATION INF REPLICATION 1;"
                  "CREATE RETENTION POLICY three ON t DURATION INF REPLICATION 1");
    dbtest_write(t, lines);
    dbtest_write(t, "tmp,host=c,zone=z v=3,y=1 " NEXT_WEEK "\ntmp2,path=p free=1 " NEXT_WEEK "\n");
    dbtest_run(t, "SELECT * INTO two.cpu FROM tmp GROUP BY *;"
                  "SELECT * INTO two.disk FROM tmp2 GROUP BY *;"
                  "DROP MEASUREMENT tmp; DROP MEASUREMENT tmp2");
}

static void expect_all(struct dbtest *t, const char *const (*cases)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dbtest_expect(t, cases[i][0], cases[i][1]);
    }
}

static void run_in_states(const char *const (*cases)[2], size_t count)
{
    struct dbtest t;
    dbtest_open(&t);
    fill(&t);
    for (int stage = 0; stage < 3; stage++) {
        expect_all(&t, cases, count);
        dbtest_flush(&t);
        if (stage > 0) {
            dbtest_compact(&t);
        }
    }
    dbtest_close(&t);
}

#define ALL_SERIES                                                                   \
    ": key=\"cpu,dc=x,host=b\"\n: key=\"cpu,host=a\"\n: key=\"cpu,host=c,zone=z\"\n" \
    ": key=\"disk,path=p\"\n: key=\"mem,host=a\"\n"
#define CPU_SERIES ": key=\"cpu,dc=x,host=b\"\n: key=\"cpu,host=a\"\n: key=\"cpu,host=c,zone=z\"\n"

/* The tags of a series compared with each other, and what is said of `_tagKey`. */
static void test_cardinality_of_names(void **state)
{
    static const char *const cases[][2] = {
        {"SHOW SERIES EXACT CARDINALITY WHERE host = dc", "x: count=2i\n"},
        {"SHOW SERIES EXACT CARDINALITY WHERE host != dc", "x: count=1i\ny: count=1i\n"},
        {"SHOW SERIES EXACT CARDINALITY WHERE nope = nada", ""},
        {"SHOW SERIES EXACT CARDINALITY WHERE nope != nada", "x: count=3i\ny: count=1i\n"},
        {"SHOW SERIES EXACT CARDINALITY WHERE host != v", ""},
        {"SHOW SERIES EXACT CARDINALITY WHERE _tagKey = 'nope'", "x: count=3i\ny: count=1i\n"},
        {"SHOW SERIES EXACT CARDINALITY WHERE host = 'a' AND _tagKey = host",
         "x: count=1i\ny: count=1i\n"},
        {"SHOW TAG KEY EXACT CARDINALITY WHERE host = dc", "x: count=2i\n"},
        {"SHOW MEASUREMENT EXACT CARDINALITY WHERE host != dc", ": count=2i\n"},
        {"SHOW TAG VALUES EXACT CARDINALITY WITH KEY =~ /./ WHERE dc = host", "x: count=2i\n"},
        {"SHOW TAG VALUES EXACT CARDINALITY WITH KEY =~ /./ WHERE dc != host", "x: count=2i\n"},
        {"SHOW TAG VALUES EXACT CARDINALITY WITH KEY =~ /./ WHERE _tagKey = 'nope'", ""},
        {"SHOW TAG VALUES EXACT CARDINALITY WITH KEY =~ /./ WHERE _tagKey = host", ""},
        {"SHOW TAG VALUES EXACT CARDINALITY WITH KEY =~ /./ WHERE _tagKey != 'host'",
         "x: count=3i\ny: count=1i\n"},
        {"SHOW TAG VALUES EXACT CARDINALITY WITH KEY =~ /./ WHERE _tagKey =~ /o/ OR host = 'a'",
         "x: count=4i\ny: count=1i\n"},
        {"SHOW TAG VALUES EXACT CARDINALITY WITH KEY =~ /./ WHERE _tagKey = 'host' AND host = 'a'",
         "x: count=1i\ny: count=1i\n"},
        {"SHOW TAG VALUES EXACT CARDINALITY WITH KEY = host WHERE _tagKey = 'dc'", ""},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "x,dc=x,host=a v=1 1\nx,dc=b,host=b v=1 1\nx,dc=c,host=c v=1 1\n"
                     "y,host=a,region=a u=1 1\n");
    expect_all(&t, cases, sizeof(cases) / sizeof(cases[0]));
    dbtest_close(&t);
}

/* Conditions that cannot be: refused as soon as there is anything to look at, and no earlier. */
static void test_conditions_of_nothing(void **state)
{
    static const char *const empty[][2] = {
        {"SHOW TAG KEYS WHERE v > 1", ""},
        {"SHOW SERIES WHERE v > 1", ""},
        {"SHOW SERIES FROM nothing WHERE v > 1", ""},
        {"SHOW MEASUREMENTS WHERE v > 1", ""},
        {"SHOW TAG VALUES WITH KEY = a WHERE v > 1", "error: invalid tag comparison operator\n"},
    };
    static const char *const filled[][2] = {
        {"SHOW TAG KEYS FROM nothing WHERE v > 1", "error: invalid tag comparison operator\n"},
        {"SHOW SERIES FROM nothing WHERE v > 1", "error: invalid tag comparison operator\n"},
        {"SHOW SERIES FROM /nothing/ WHERE v > 1", ""},
        {"SHOW MEASUREMENTS WITH MEASUREMENT = nothing WHERE v > 1",
         "error: invalid tag comparison operator\n"},
        {"SHOW MEASUREMENTS WITH MEASUREMENT =~ /z/ WHERE a = 'x' OR v + 1 = 'a'",
         "error: left side of '=' must be a tag key\n"},
        {"SHOW TAG VALUES WITH KEY = a WHERE (v + 0 != 1 OR a = 'x') AND a !~ /./",
         "error: left side of '!=' must be a tag key\n"},
        {"SHOW TAG KEYS WHERE (a = 'x' OR v + 0 = 1)", ""},
        {"SHOW TAG KEYS WHERE (a = 'z' OR v + 0 = 1)", "m: tagKey=\"a\"\n"},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    expect_all(&t, empty, sizeof(empty) / sizeof(empty[0]));
    dbtest_write(&t, "m,a=z v=1 1\n");
    expect_all(&t, filled, sizeof(filled) / sizeof(filled[0]));
    dbtest_close(&t);
}

/* What cannot be decided by tags holds, also within OR. */
static void test_fields_within_or(void **state)
{
    static const char *const cases[][2] = {
        {"SHOW SERIES WHERE a = 'A' OR (a = 'M' AND s != 'on')", ""},
        {"SHOW TAG KEYS WHERE (a = 'M' AND v = 3) OR a = 'A'", ""},
        {"SHOW TAG VALUES WITH KEY = a WHERE a = 'A' OR a = 'M' AND v != 3", ""},
        {"SHOW SERIES WHERE a = 'A' OR (a = 'z' AND s != 'on')", ": key=\"m,a=z\"\n"},
        {"SHOW SERIES WHERE a = 'A' OR s != 'on'", ": key=\"m,a=z\"\n"},
        {"SHOW SERIES WHERE a = 'A' OR (v = 1 AND a = 'C')", ""},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,a=z v=1,s=\"b\" 1\n");
    expect_all(&t, cases, sizeof(cases) / sizeof(cases[0]));
    dbtest_close(&t);
}

static void test_series(void **state)
{
    static const char *const cases[][2] = {
        /* The names are the database's; the policy only has to have rows. */
        {"SHOW SERIES", ALL_SERIES},
        {"SHOW SERIES FROM two.cpu", CPU_SERIES},
        {"SHOW SERIES FROM disk", ": key=\"disk,path=p\"\n"},
        {"SHOW SERIES FROM three.cpu", ""},
        {"SHOW SERIES FROM three./.*/", ""},
        {"SHOW SERIES FROM nope.cpu", "error: retention policy not found: nope\n"},
        {"SHOW SERIES FROM three.cpu, mem", CPU_SERIES ": key=\"mem,host=a\"\n"},
        {"SHOW SERIES FROM two.disk, cpu, cpu LIMIT 2 OFFSET 1",
         ": key=\"cpu,host=a\"\n: key=\"cpu,host=c,zone=z\"\n"},
        /* By time, the rows say who is in a shard. */
        {"SHOW SERIES WHERE time >= " NEXT_WEEK, ": key=\"cpu,dc=x,host=b\"\n"},
        {"SHOW SERIES WHERE time > " FRIDAY " AND time < " SATURDAY,
         ": key=\"cpu,host=a\"\n: key=\"mem,host=a\"\n"},
        {"SHOW SERIES WHERE time >= " MONDAY " AND time < " MONDAY " + 1d", ""},
        {"SHOW SERIES FROM two.cpu WHERE time > 0", ": key=\"cpu,host=c,zone=z\"\n"},
        {"SHOW SERIES FROM two.cpu, mem WHERE time > 0",
         ": key=\"cpu,host=c,zone=z\"\n: key=\"mem,host=a\"\n"},
        {"SHOW SERIES FROM three.cpu WHERE time > 0", ""},
        {"SHOW SERIES WHERE time > 0 AND host = 'a' LIMIT 1", ": key=\"cpu,host=a\"\n"},
        {"SHOW SERIES WHERE time > 0 AND v = 1", ""},
        {"SHOW SERIES WHERE time > 0 AND w !~ /y/", ""},
        {"SHOW SERIES WHERE time > 0 AND \"_name\" = 'mem'", ": key=\"mem,host=a\"\n"},
        {"SHOW SERIES WHERE time > 10000d", ""},
    };
    (void)state;
    run_in_states(cases, sizeof(cases) / sizeof(cases[0]));
}

/* By names and values one by one, not by the bytes of the whole key. */
static void test_order_of_series(void **state)
{
    static const char written[] = "m,k=1 v=1 1\nm,k1=1 v=1 1\nm,k=12,l=1 v=1 1\nm,k=1,l=2 v=1 1\n"
                                  "m,k=1\\,0 v=1 1\nm,k=1\\ 0 v=1 1\nm v=1 1\nm\"a,k=1 v=1 1\n"
                                  "m\\,k=0 v=1 1\nm=k,a=1 v=1 1\nm,k\\=1=1 v=1 1\n";
    static const char *const cases[][2] = {
        {"SHOW SERIES", ": key=\"m\"\n: key=\"m,k=1\"\n: key=\"m,k=1,l=2\"\n"
                        ": key=\"m,k=1\\ 0\"\n: key=\"m,k=1\\,0\"\n: key=\"m,k=12,l=1\"\n"
                        ": key=\"m,k1=1\"\n: key=\"m,k\\=1=1\"\n: key=\"m\"a,k=1\"\n"
                        ": key=\"m\\,k=0\"\n: key=\"m=k,a=1\"\n"},
        {"SHOW SERIES FROM m LIMIT 2 OFFSET 5", ": key=\"m,k=12,l=1\"\n: key=\"m,k1=1\"\n"},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, written);
    expect_all(&t, cases, sizeof(cases) / sizeof(cases[0]));
    dbtest_close(&t);
}

static void test_tags(void **state)
{
    static const char *const cases[][2] = {
        {"SHOW TAG KEYS FROM nope.mem", "mem: tagKey=\"host\"\n"},
        {"SHOW TAG KEYS FROM other.three.disk", "disk: tagKey=\"path\"\n"},
        {"SHOW TAG KEYS FROM mem WHERE time > " NEXT_WEEK, "mem: tagKey=\"host\"\n"},
        {"SHOW TAG KEYS WHERE time > " NEXT_WEEK " + 7d", ""},
        {"SHOW TAG VALUES FROM mem WITH KEY = host WHERE time < 1d",
         "mem: key=\"host\" value=\"a\"\n"},
        {"SHOW TAG VALUES WITH KEY = host WHERE time < 0 - 7d", ""},
        {"SHOW TAG KEYS FROM nothing WHERE v > 1", "error: invalid tag comparison operator\n"},
        {"SHOW TAG VALUES WITH KEY = host WHERE v != 0 OR v >= 9",
         "error: invalid tag comparison operator\n"},
        {"SHOW SERIES FROM three.cpu WHERE v > 1", ""},
        {"SELECT v FROM cpu, mem WHERE w != dc", ""},
        {"SHOW TAG VALUES WITH KEY = host WHERE v + 1 = 2",
         "error: left side of '=' must be a tag key\n"},
        {"SHOW TAG VALUES FROM cpu WITH KEY =~ /./ WHERE _tagKey =~ /c/",
         "cpu: key=\"dc\" value=\"x\"\n"},
        {"SHOW TAG VALUES WITH KEY = host WHERE _tagKey = 'dc' OR host = 'b'", ""},
        {"SHOW TAG VALUES WITH KEY = host WHERE _tagKey = 'host' AND host = 'c'",
         "cpu: key=\"host\" value=\"c\"\n"},
        {"SHOW TAG VALUES WITH KEY =~ /./ WHERE \"_name\" = 'cpu' OR host = 'a'",
         "cpu: key=\"host\" value=\"a\"\n"},
        {"SHOW TAG KEYS FROM mem WHERE _tagKey = 'nothing'", "mem: tagKey=\"host\"\n"},
    };
    (void)state;
    run_in_states(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_fields(void **state)
{
    static const char *const cases[][2] = {
        {"SHOW FIELD KEYS",
         "cpu: fieldKey=\"v\" fieldType=\"float\"\ncpu: fieldKey=\"w\" fieldType=\"string\"\n"
         "mem: fieldKey=\"u\" fieldType=\"integer\"\n"},
        {"SHOW FIELD KEYS FROM two.cpu",
         "cpu: fieldKey=\"v\" fieldType=\"float\"\ncpu: fieldKey=\"y\" fieldType=\"float\"\n"},
        /* Each name in each policy that FROM has. */
        {"SHOW FIELD KEYS FROM two.disk, cpu",
         "cpu: fieldKey=\"v\" fieldType=\"float\"\ncpu: fieldKey=\"w\" fieldType=\"string\"\n"
         "cpu: fieldKey=\"y\" fieldType=\"float\"\n"
         "disk: fieldKey=\"free\" fieldType=\"float\"\n"},
        {"SHOW FIELD KEYS FROM cpu, two.cpu LIMIT 1 OFFSET 1",
         "cpu: fieldKey=\"w\" fieldType=\"string\"\n"},
        {"SHOW FIELD KEYS FROM three.cpu", ""},
        {"SHOW FIELD KEY CARDINALITY FROM cpu, two.cpu, two.disk",
         "cpu: count=3i\ndisk: count=1i\n"},
    };
    (void)state;
    run_in_states(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_counts(void **state)
{
    static const char *const cases[][2] = {
        {"SHOW SERIES CARDINALITY", ": cardinality estimation=5i\n"},
        {"SHOW SERIES EXACT CARDINALITY", "cpu: count=2i\nmem: count=1i\n"},
        {"SHOW SERIES CARDINALITY FROM two./.*/", "cpu: count=1i\ndisk: count=1i\n"},
        {"SHOW SERIES EXACT CARDINALITY FROM cpu, two.cpu", "cpu: count=3i\n"},
        {"SHOW SERIES EXACT CARDINALITY FROM three.cpu", ""},
        {"SHOW SERIES EXACT CARDINALITY FROM two.cpu WHERE host = 'a'", ""},
        {"SHOW SERIES EXACT CARDINALITY FROM two.cpu GROUP BY host", "cpu{host=c}: count=1i\n"},
        {"SHOW MEASUREMENT EXACT CARDINALITY", ": count=2i\n"},
        {"SHOW MEASUREMENT EXACT CARDINALITY FROM two.disk, mem", ": count=2i\n"},
        {"SHOW MEASUREMENT EXACT CARDINALITY FROM three./.*/", ""},
        {"SHOW TAG KEY CARDINALITY FROM cpu", "cpu: count=2i\n"},
        {"SHOW TAG KEY CARDINALITY FROM two.cpu, cpu", "cpu: count=3i\n"},
        {"SHOW TAG VALUES CARDINALITY FROM two.cpu WITH KEY = host", "cpu: count=1i\n"},
        {"SHOW TAG VALUES CARDINALITY FROM cpu WITH KEY = host WHERE time < " FRIDAY,
         "cpu: count=1i\n"},
        {"SHOW TAG VALUES CARDINALITY FROM cpu WITH KEY = host WHERE time > 1", ""},
    };
    (void)state;
    run_in_states(cases, sizeof(cases) / sizeof(cases[0]));
}

/* A series is in a shard as long as it has a row there, whatever has been done to its rows. */
static void test_deleted(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE RETENTION POLICY two ON t DURATION INF REPLICATION 1");
    dbtest_write(&t, "m,h=a v=1 " FRIDAY "\nm,h=a v=2 " NEXT_WEEK "\nm,h=b v=1 " FRIDAY "\n"
                     "m,h=b v=1 " MONDAY "\nm,h=b v=1 " NEXT_WEEK "\n");
    for (int stage = 0; stage < 4; stage++) {
        if (stage == 1) {
            dbtest_run(&t, "DELETE FROM m WHERE time = " FRIDAY " AND h = 'a'");
            dbtest_run(&t, "DELETE FROM m WHERE time = " MONDAY);
        } else if (stage > 1) {
            dbtest_flush(&t);
            dbtest_compact(&t);
        }
        dbtest_expect(&t, "SHOW SERIES WHERE time < " MONDAY,
                      stage == 0 ? ": key=\"m,h=a\"\n: key=\"m,h=b\"\n" : ": key=\"m,h=b\"\n");
        dbtest_expect(&t, "SHOW SERIES WHERE time >= " MONDAY " AND time < " NEXT_WEEK " - 3d",
                      stage == 0 ? ": key=\"m,h=b\"\n" : "");
        dbtest_expect(&t, "SHOW TAG KEYS WHERE time >= " MONDAY " AND time < " NEXT_WEEK " - 3d",
                      stage == 0 ? "m: tagKey=\"h\"\n" : "");
        dbtest_expect(&t, "SHOW SERIES EXACT CARDINALITY", "m: count=2i\n");
        if (stage == 2) {
            dbtest_write(&t, "m,h=a v=1 " NEXT_WEEK "\n");
        }
    }
    dbtest_close(&t);
}

/* Rows of a shard between the first and the last of a series, which only the rows can tell. */
static void test_between(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,h=a v=1 " FRIDAY "\nm,h=a v=1 " MONDAY "\nm,h=a v=2 " NEXT_WEEK "\n"
                     "m,h=b v=1 " FRIDAY "\nm,h=b v=1 " NEXT_WEEK "\n");
    for (int stage = 0; stage < 2; stage++) {
        dbtest_expect(&t, "SHOW SERIES WHERE time >= " MONDAY " AND time < " NEXT_WEEK " - 3d",
                      ": key=\"m,h=a\"\n");
        dbtest_flush(&t);
    }
    dbtest_close(&t);
}

/* Two tags are equal where both are there; SHOW and DELETE only ask who has them. */
static void test_names_with_names(void **state)
{
    static const char *const cases[][2] = {
        {"SELECT v FROM m WHERE a = b", "m: time=1 v=1\n"},
        {"SELECT v FROM m WHERE a != b AND v < 4", "m: time=2 v=2\nm: time=3 v=3\n"},
        {"SELECT v FROM m WHERE a = b OR v = 3", "m: time=1 v=1\nm: time=3 v=3\n"},
        {"SELECT v FROM m WHERE a != a", "m: time=4 v=4\nm: time=5 v=5\n"},
        {"SELECT v FROM m WHERE x = y", ""},
        {"SELECT count(v) FROM m WHERE x != y", "m: time=0 count=5i\n"},
        {"SELECT v FROM m WHERE x < y", ""},
        {"SHOW SERIES WHERE a = b", ": key=\"m,a=1,b=1\"\n: key=\"m,a=1,b=2\"\n"},
        {"SHOW SERIES WHERE a != b", ": key=\"m,a=1\"\n"},
        {"SHOW SERIES WHERE x = y", ""},
        {"SHOW SERIES WHERE _tagKey = 'x' LIMIT 1", ": key=\"m,a=1\"\n"},
        {"SHOW SERIES WHERE v + 1 = 2", "error: invalid tag comparison operator\n"},
        {"SELECT v FROM m WHERE 1 + 1", "error: invalid condition expression: 2\n"},
        {"SELECT v FROM m WHERE v - 1 AND v < 2", "m: time=1 v=1\n"},
        /* Functions of constants are constants. */
        {"SELECT v + floor(1.5) FROM m WHERE a = b", "m: time=1 v=2\n"},
        {"SELECT pow(2, abs(-3)) * v FROM m WHERE a = b", "m: time=1 v=8\n"},
        {"SELECT exp(1.5) + 1 FROM m", "error: field must contain at least one variable\n"},
        {"SELECT difference(exp(1)) FROM m", "error: expected field argument in difference()\n"},
        {"SELECT v FROM m WHERE v > abs(-4)", "m: time=5 v=5\n"},
        {"SELECT v FROM m WHERE time > abs(-4)",
         "error: invalid operation: time and *influxql.Call are not compatible\n"},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,a=1,b=1 v=1 1\nm,a=1,b=2 v=2 2\nm,a=1 v=3 3\nm,b=1 v=4 4\nm,c=1 v=5 5\n");
    expect_all(&t, cases, sizeof(cases) / sizeof(cases[0]));
    dbtest_flush(&t);
    expect_all(&t, cases, sizeof(cases) / sizeof(cases[0]));
    dbtest_run(&t, "DELETE FROM m WHERE a != b");
    dbtest_run(&t, "DELETE FROM m WHERE x = y");
    dbtest_expect(&t, "SELECT v FROM m",
                  "m: time=1 v=1\nm: time=2 v=2\nm: time=4 v=4\nm: time=5 v=5\n");
    dbtest_close(&t);
}

/* Fields are refused where there are series to ask it of; the shard is the first of the policy. */
static void test_fields_in_deletions(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,h=a v=1 1\n");
    for (int stage = 0; stage < 2; stage++) {
        struct bbi_buf out;
        bbi_buf_init(&out, NULL, 1000);
        dbtest_query(&t, "DELETE FROM m WHERE v > 1", &out);
        bbi_buf_u8(&out, 0);
        assert_non_null(strstr((const char *)out.data, "error: shard "));
        assert_non_null(strstr((const char *)out.data,
                               ": fields not supported in WHERE clause during deletion\n"));
        bbi_buf_fini(&out);
        dbtest_run(&t, "DELETE FROM m WHERE h = 'nix' AND v = 1; DELETE FROM none WHERE v = 1;"
                       "DELETE FROM m WHERE v = 1 AND time > 1000d");
        dbtest_expect(&t, "SELECT v FROM m", "m: time=1 v=1\n");
        dbtest_flush(&t);
    }
    dbtest_close(&t);
}

/* A wildcard takes the fields of shards that a function looks back to. */
static void test_fields_looked_back_for(void **state)
{
    static const char *const cases[][2] = {
        {"SELECT cumulative_sum(max(/./)) FROM old WHERE time >= 1209600s AND time < 1300000s"
         " GROUP BY time(2w) fill(0)",
         "old: time=1209600000000000 cumulative_sum_u=0 cumulative_sum_v=2\n"},
        {"SELECT cumulative_sum(max(/./)) FROM old WHERE time >= 1209600s AND time < 1300000s"
         " GROUP BY time(1w) fill(0)",
         "old: time=1209600000000000 cumulative_sum_v=2\n"},
        {"SELECT exponential_moving_average(max(/./), 3) FROM old WHERE time >= 1209600s AND"
         " time < 1300000s GROUP BY time(1d) fill(0)",
         "old: time=1296000000000000 exponential_moving_average_v=0.66666666666666663\n"},
        {"SELECT max(/./) FROM old WHERE time >= 1209600s AND time < 1300000s GROUP BY time(2w)",
         "old: time=1209600000000000 max_v=2\n"},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "old u=1,v=1 1000000000000\nold v=2 1209600000000000\n");
    expect_all(&t, cases, sizeof(cases) / sizeof(cases[0]));
    dbtest_close(&t);
}

/* ORs in a row are not nested: there may be many. */
static void test_long_conditions(void **state)
{
    struct bbi_buf text;
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, lines);
    bbi_buf_init(&text, NULL, 1 << 20);
    for (int form = 0; form < 2; form++) {
        bbi_buf_reset(&text);
        bbi_buf_printf(
            &text, form == 0 ? "SHOW MEASUREMENTS WHERE host = 'b'"
                             : "SHOW TAG VALUES WITH KEY = host WHERE host != '' OR value = 'b'");
        for (int i = 0; i < 1000; i++) {
            bbi_buf_printf(&text, form == 0 ? " OR host = 'c%d'" : " OR (value = 'c%d')", i);
        }
        bbi_buf_u8(&text, 0);
        dbtest_expect(&t, (const char *)text.data,
                      form == 0 ? "measurements: name=\"cpu\"\n"
                                : "cpu: key=\"host\" value=\"b\"\n");
    }
    bbi_buf_fini(&text);
    dbtest_close(&t);
}

/* Of many names, in two databases that share some, the first and some further on. */
static void test_pages_of_many(void **state)
{
    static const struct dbtest_question questions[] = {
        {"SHOW SERIES LIMIT 2", ": key=\"a,id=10000\"\n: key=\"a,id=10001\"\n"},
        {"SHOW SERIES LIMIT 1 OFFSET 1700", ": key=\"a,id=11700\"\n"},
        {"SHOW SERIES LIMIT 2 OFFSET 4999", ": key=\"a,id=14999\"\n: key=\"a!,id=10000\"\n"},
        {"SHOW SERIES LIMIT 9 OFFSET 9999", ": key=\"a!,id=14999\"\n"},
        {"SHOW SERIES LIMIT 9 OFFSET 10000", ""},
        {"SHOW SERIES FROM t..a, o..a LIMIT 2", ": key=\"a,id=10000\"\n: key=\"a,id=10001\"\n"},
        {"SHOW SERIES FROM t..a, o..a LIMIT 9 OFFSET 4999", ": key=\"a,id=14999\"\n"},
        {"SHOW TAG VALUES FROM a WITH KEY = id LIMIT 2",
         "a: key=\"id\" value=\"10000\"\na: key=\"id\" value=\"10001\"\n"},
        {"SHOW TAG VALUES FROM a WITH KEY = id LIMIT 1 OFFSET 1700",
         "a: key=\"id\" value=\"11700\"\n"},
        {"SHOW TAG VALUES FROM a WITH KEY = id WHERE value !~ /^1[0-3]/ LIMIT 1",
         "a: key=\"id\" value=\"14000\"\n"},
    };
    struct bbi_buf text;
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    bbi_buf_init(&text, NULL, 1 << 20);
    for (int i = 0; i < 5000; i++) {
        int id = 10000 + i * 1237 % 5000;
        bbi_buf_printf(&text, "a!,id=%d v=1 1\na,id=%d v=1 1\n", id, id);
    }
    bbi_buf_u8(&text, 0);
    dbtest_write(&t, (const char *)text.data);
    dbtest_run(&t, "CREATE DATABASE o; SELECT v INTO o..a FROM a GROUP BY *");
    bbi_buf_fini(&text);
    for (int flushed = 0; flushed < 2; flushed++) {
        dbtest_ask(&t, questions, sizeof(questions) / sizeof(questions[0]));
        dbtest_flush(&t);
    }
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_order_of_series),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_deleted),
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_names_with_names),
        cmocka_unit_test(test_fields_in_deletions),
        cmocka_unit_test(test_cardinality_of_names),
        cmocka_unit_test(test_conditions_of_nothing),
        cmocka_unit_test(test_fields_within_or),
        cmocka_unit_test(test_fields_looked_back_for),
        cmocka_unit_test(test_long_conditions),
        cmocka_unit_test(test_pages_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
