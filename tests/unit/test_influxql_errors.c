#include "tests/lib/unit.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/influxql/influxql.h"

#define PREFIX "error parsing query: "

struct bad_query {
    const char *text;
    const char *reason; /* behind PREFIX */
};

/* The reasons are those of influxd 1.6.7, to the letter. */
static const struct bad_query as_influxd[] = {
    {"SELECT", "found EOF, expected identifier, string, number, bool at line 1, char 8"},
    {"SELECT 1", "found EOF, expected FROM at line 1, char 9"},
    {"SELECT a FROM", "found EOF, expected identifier at line 1, char 15"},
    {"SELECT a FROM m WHERE",
     "found EOF, expected identifier, string, number, bool at line 1, char 23"},
    {"SELECT a FROM m LIMIT -1", "found -, expected integer at line 1, char 23"},
    {"SELECT a FROM m LIMIT x", "found x, expected integer at line 1, char 23"},
    {"SELECT a FROM m ORDER BY a", "only ORDER BY time supported at this time"},
    {"SELECT a FROM m ORDER BY time, a", "only ORDER BY time supported at this time"},
    {"SELECT a FROM m WHERE a =~ \"x\"", "found x, expected regex at line 1, char 28"},
    {"SELECT a FROM m WHERE a =~ /x", "bad regex:  at line 1, char 27"},
    {"SELECT 'abc", "found abc, expected identifier, string, number, bool at line 1, char 7"},
    {"SELECT 'a\\q'", "found \\q, expected identifier, string, number, bool at line 1, char 11"},
    {"SELECT \"a", "found a, expected identifier, string, number, bool at line 1, char 7"},
    {"SELECT \"a\\q\"", "found \\q, expected identifier, string, number, bool at line 1, char 11"},
    {"SELECT a FROM m /abc/", "found  , expected regex at line 1, char 16"},
    {"SELECT a = 1 FROM m",
     "invalid operator = in SELECT clause at line 1, char 8; operator is intended for WHERE "
     "clause"},
    {"SELECT a FROM m GROUP BY time(1x)", "invalid duration"},
    {"SELECT a FROM m WHERE time > 1mo", "invalid duration"},
    {"SELECT 9999999999w FROM m",
     "overflowed duration 9999999999w: choose a smaller duration or INF"},
    {"SELECT -$x FROM m", "found $x, expected identifier, number, duration, ( at line 1, char 9"},
    {"SELECT $ FROM m", "empty bound parameter"},
    {"SELECT $x FROM m", "missing parameter: x"},
    {"SELECT a FROM a.b.c.d", "too many segments in \"a\".\"b\".\"c\".d at line 1, char 1"},
    {"DELETE FROM a.b", "retention policy not supported at line 1, char 1"},
    {"DELETE FROM a.b.c", "retention policy not supported at line 1, char 1"},
    {"DELETE", "found EOF, expected FROM, WHERE at line 1, char 8"},
    {"DROP SERIES FROM a.b", "retention policy not supported at line 1, char 1"},
    {"DROP SERIES", "found EOF, expected FROM, WHERE at line 1, char 13"},
    {"CREATE RETENTION POLICY r ON d DURATION 1h REPLICATION 1 SHARD DURATION INF",
     "invalid duration INF for shard duration at line 1, char 73"},
    {"ALTER RETENTION POLICY r ON d",
     "found EOF, expected DURATION, REPLICATION, SHARD, DEFAULT at line 1, char 31"},
    {"ALTER RETENTION POLICY r ON d DURATION 1h DURATION 2h",
     "found duplicate DURATION option at line 1, char 43"},
    {"CREATE DATABASE d WITH x",
     "found x, expected DURATION, NAME, REPLICATION, SHARD at line 1, char 24"},
    {"CREATE DATABASE d WITH DURATION 1h NAME",
     "found EOF, expected identifier at line 1, char 41"},
    {"CREATE",
     "found EOF, expected CONTINUOUS, DATABASE, USER, RETENTION, SUBSCRIPTION at line 1, char 8"},
    {"SHOW",
     "found EOF, expected CONTINUOUS, DATABASES, DIAGNOSTICS, FIELD, GRANTS, MEASUREMENT, "
     "MEASUREMENTS, QUERIES, RETENTION, SERIES, SHARD, SHARDS, STATS, SUBSCRIPTIONS, TAG, USERS "
     "at line 1, char 6"},
    {"DROP", "found EOF, expected CONTINUOUS, DATABASE, MEASUREMENT, RETENTION, SERIES, SHARD, "
             "SUBSCRIPTION, USER at line 1, char 6"},
    {"SHOW TAG", "found EOF, expected KEY, KEYS, VALUES at line 1, char 10"},
    {"SHOW FIELD", "found EOF, expected KEY, KEYS at line 1, char 12"},
    {"SHOW MEASUREMENT", "found EOF, expected EXACT, CARDINALITY at line 1, char 18"},
    {"SHOW TAG KEY", "found EOF, expected EXACT, CARDINALITY at line 1, char 14"},
    {"SHOW FIELD KEY x", "found x, expected EXACT, CARDINALITY at line 1, char 16"},
    {"SHOW TAG VALUES", "found EOF, expected WITH at line 1, char 17"},
    {"SHOW TAG VALUES WITH KEY", "found EOF, expected IN, =, =~ at line 1, char 26"},
    {"SHOW TAG VALUES WITH KEY ~ a", "found ~, expected IN, =, =~ at line 1, char 26"},
    {"SHOW TAG VALUES WITH KEY IN a", "found a, expected ( at line 1, char 29"},
    {"SHOW TAG VALUES WITH KEY =~ a", "found a, expected regex at line 1, char 29"},
    {"SHOW MEASUREMENTS WITH MEASUREMENT > a", "found >, expected =, =~ at line 1, char 36"},
    {"EXPLAIN x", "found x, expected SELECT at line 1, char 9"},
    {"EXPLAIN ANALYZE VERBOSE SELECT a FROM m",
     "found VERBOSE, expected SELECT at line 1, char 17"},
    {"foo",
     "found foo, expected SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, "
     "SET, KILL at line 1, char 1"},
    {"SELECT a FROM m x", "found x, expected ; at line 1, char 17"},
    {"SELECT a FROM m WHERE b =~ /c/ * LIMIT 1",
     "found LIMIT, expected identifier, string, number, bool at line 1, char 34"},
    {"SELECT a FROM m WHERE b =~ /c/ - d e", "found e, expected ; at line 1, char 36"},
    {"SELECT a FROM m WHERE (b =~ //^c$/ ..)", "found $, expected ) at line 1, char 33"},
    {"SELECT a FROM m; SELECT",
     "found EOF, expected identifier, string, number, bool at line 1, char 25"},
    {"KILL QUERY x", "found x, expected integer at line 1, char 12"},
    {"KILL QUERY 99999999999999999999",
     "strconv.ParseUint: parsing \"99999999999999999999\": value out of range at line 1, char 12"},
    {"GRANT x", "found x, expected READ, WRITE, ALL [PRIVILEGES] at line 1, char 7"},
    {"GRANT READ TO u", "found TO, expected ON at line 1, char 12"},
    {"GRANT ALL x", "found x, expected ON, TO at line 1, char 11"},
    {"REVOKE READ FROM u", "found FROM, expected ON at line 1, char 13"},
    {"REVOKE ALL u", "found u, expected ON, FROM at line 1, char 12"},
    {"SET PASSWORD FOR u x", "found x, expected = at line 1, char 20"},
    {"CREATE USER u", "found EOF, expected WITH at line 1, char 15"},
    {"CREATE USER u WITH PASSWORD \"x\"", "found x, expected string at line 1, char 29"},
    {"CREATE USER u WITH PASSWORD 'x' WITH x", "found x, expected ALL at line 1, char 38"},
    {"SELECT a FROM m fill(",
     "found EOF, expected identifier, string, number, bool at line 1, char 23"},
    {"SELECT a FROM m fill(x)", "expected number argument in fill()"},
    {"SELECT a FROM m fill()", "fill requires an argument, e.g.: 0, null, none, previous, linear"},
    {"SELECT a FROM m fill(0)+1", "fill must be a function call"},
    {"SELECT a FROM m tz(1)", "expected string argument in tz()"},
    {"SELECT a FROM m tz()", "tz requires exactly one argument"},
    {"SELECT /*", "bad regex:  at line 1, char 7"},
    {"SELECT /* x", "bad regex:  at line 1, char 7"},
    {"SELECT a -- x", "found EOF, expected FROM at line 1, char 15"},
    {"SELECT a FROM (SELECT b", "found EOF, expected FROM at line 1, char 25"},
    {"SELECT a FROM (x)", "found x, expected SELECT at line 1, char 16"},
    {"SELECT a FROM (SELECT b FROM m", "found EOF, expected ) at line 1, char 32"},
    {"SELECT f( FROM m",
     "found FROM, expected identifier, string, number, bool at line 1, char 11"},
    {"SELECT f(a b) FROM m", "found b, expected ) at line 1, char 12"},
    {"SELECT a::x FROM m",
     "found x, expected float, integer, unsigned, string, boolean, field, tag at line 1, char 11"},
    {"SELECT a::1 FROM m",
     "found 1, expected float, integer, string, boolean, field, tag at line 1, char 11"},
    {"SELECT *::x FROM m", "found x, expected field, tag at line 1, char 11"},
    {"SELECT (a FROM m", "found FROM, expected ) at line 1, char 11"},
    {"SELECT - FROM m", "found FROM, expected identifier, number, duration, ( at line 1, char 10"},
    {"SELECT a FROM m WHERE a IN b", "found IN, expected ; at line 1, char 25"},
    {"SELECT distinct FROM m", "found FROM, expected identifier at line 1, char 17"},
    {"SELECT distinct 1 FROM m", "found 1, expected identifier at line 1, char 17"},
    {"SELECT a AS FROM m", "found FROM, expected identifier at line 1, char 13"},
    {"SELECT a FROM m INTO x", "found INTO, expected ; at line 1, char 17"},
    {"SELECT a INTO x.:foo FROM m", "found foo, expected MEASUREMENT at line 1, char 18"},
    {"SELECT a FROM m GROUP a", "found a, expected BY at line 1, char 23"},
    {"SELECT a FROM m GROUP BY",
     "found EOF, expected identifier, string, number, bool at line 1, char 26"},
    {"SELECT a FROM m ORDER time", "found time, expected BY at line 1, char 23"},
    {"SELECT a FROM m ORDER BY", "found EOF, expected identifier, ASC, DESC at line 1, char 26"},
    {"SELECT \xc3"
     "\xa9"
     " FROM m",
     "found \xc3"
     "\xa9"
     ", expected identifier, string, number, bool at line 1, char 8"},
    {"SELECT a FROM m WHERE a = '\xc3"
     "\xa9"
     "' x",
     "found x, expected ; at line 1, char 31"},
    {"SELECT a\nFROM m\r\n  x", "found x, expected ; at line 3, char 3"},
    {"SELECT a FROM m WHERE a = 99999999999999999999",
     "unable to parse integer at line 1, char 27"},
    {"SELECT -9223372036854775809 FROM m", "constant -9223372036854775809 underflows int64"},
    {"SELECT -18446744073709551615 FROM m", "constant -18446744073709551615 underflows int64"},
    {"CREATE CONTINUOUS QUERY c ON d BEGIN SELECT mean(a) FROM m END",
     "found FROM, expected INTO at line 1, char 53"},
    {"CREATE CONTINUOUS QUERY c ON d BEGIN SELECT mean(a) INTO x FROM m END",
     "found m, expected GROUP BY time(...) at line 1, char 65"},
    {"CREATE CONTINUOUS QUERY c ON d RESAMPLE BEGIN SELECT mean(a) INTO x FROM m GROUP BY "
     "time(1m) END",
     "found BEGIN, expected EVERY, FOR at line 1, char 41"},
    {"CREATE CONTINUOUS QUERY c ON d RESAMPLE FOR 1s BEGIN SELECT mean(a) INTO x FROM m GROUP "
     "BY time(1m) END",
     "FOR duration must be >= GROUP BY time duration: must be a minimum of 1m, got 1s"},
    {"CREATE CONTINUOUS QUERY c ON d BEGIN SELECT a INTO x FROM m",
     "found EOF, expected END at line 1, char 61"},
    {"CREATE SUBSCRIPTION s ON d.r DESTINATIONS x",
     "found x, expected ALL, ANY at line 1, char 43"},
    {"CREATE SUBSCRIPTION s ON d DESTINATIONS ALL 'a'", "found  , expected . at line 1, char 27"},
    {"CREATE SUBSCRIPTION s ON d.r DESTINATIONS ALL a",
     "found a, expected string at line 1, char 47"},
    {"SHOW GRANTS", "found EOF, expected FOR at line 1, char 13"},
    {"SHOW STATS FOR x", "found x, expected string at line 1, char 16"},
    {"CREATE RETENTION POLICY r ON d DURATION x", "found x, expected duration at line 1, char 41"},
    {"CREATE RETENTION POLICY r ON d DURATION 1h REPLICATION 0",
     "invalid value 0: must be 1 <= n <= 2147483647 at line 1, char 56"},
    {"CREATE RETENTION POLICY r ON d DURATION 1h REPLICATION 99999999999",
     "invalid value 99999999999: must be 1 <= n <= 2147483647 at line 1, char 56"},
    {"SELECT f(a,) FROM m",
     "found ), expected identifier, string, number, bool at line 1, char 12"},
    {"SELECT f(,a) FROM m",
     "found ,, expected identifier, string, number, bool at line 1, char 10"},
    {"SELECT a, FROM m",
     "found FROM, expected identifier, string, number, bool at line 1, char 11"},
    {"SELECT a b FROM m", "found b, expected FROM at line 1, char 10"},
    {"SELECT a FROM m,", "found EOF, expected identifier at line 1, char 18"},
    {"SELECT a FROM m WHERE (a = 1", "found EOF, expected ) at line 1, char 29"},
    {"SELECT a FROM m WHERE a = 1)", "found ), expected ; at line 1, char 28"},
    {"SELECT a FROM m WHERE a = b c", "found c, expected ; at line 1, char 29"},
    {"SELECT a FROM m WHERE a =~ x", "found x, expected regex at line 1, char 28"},
    {"SELECT a FROM m WHERE a !~ 'x'", "found x, expected regex at line 1, char 27"},
    {"SELECT a FROM m GROUP BY a,",
     "found EOF, expected identifier, string, number, bool at line 1, char 29"},
    {"SELECT a FROM m LIMIT", "found EOF, expected integer at line 1, char 23"},
    {"SELECT a FROM m LIMIT 1.5", "found 1.5, expected integer at line 1, char 23"},
    {"SELECT a FROM m OFFSET a", "found a, expected integer at line 1, char 24"},
    {"SELECT a FROM m ORDER BY time ASC DESC", "found DESC, expected ; at line 1, char 35"},
    {"SELECT a FROM m fill(null) fill(null)", "found fill, expected ; at line 1, char 28"},
    {"SELECT a. FROM m", "found FROM, expected identifier at line 1, char 11"},
    {"SELECT a.b.c.d FROM m", "too many segments in \"a\".\"b\".\"c\".d at line 1, char 1"},
    {"SELECT a.b.c. FROM m", "found FROM, expected identifier at line 1, char 15"},
    {"SELECT # FROM m", "found #, expected identifier, string, number, bool at line 1, char 8"},
    {"SELECT a FROM m WHERE time > 1y", "invalid duration"},
    {"SELECT count(distinct) FROM m", "found ), expected (, identifier at line 1, char 22"},
    {"SELECT \"a\"\"b\" FROM m", "found b, expected FROM at line 1, char 11"},
    {"SELECT a FROM \"m", "found m, expected identifier at line 1, char 14"},
    {"SELECT a FROM 'm'", "found m, expected identifier at line 1, char 14"},
    {"SELECT a FROM 1", "found 1, expected identifier at line 1, char 15"},
    {"SELECT a FROM /x", "bad regex:  at line 1, char 14"},
    {"SELECT a INTO FROM m", "found FROM, expected identifier at line 1, char 15"},
    {"SELECT a FROM m INTO b", "found INTO, expected ; at line 1, char 17"},
    {"SELECT a INTO a.b.c.d FROM m", "too many segments in \"a\".\"b\".\"c\".d at line 1, char 1"},
    {"SELECT *.a FROM m", "found ., expected FROM at line 1, char 9"},
    {"SELECT a AS 'b' FROM m", "found b, expected identifier at line 1, char 12"},
    {"SELECT a AS b c FROM m", "found c, expected FROM at line 1, char 15"},
    {"INSERT x",
     "found INSERT, expected SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, "
     "SET, KILL at line 1, char 1"},
    {"select a from m where a = 'it''s'", "found s, expected ; at line 1, char 30"},
    {"SHOW SERIES FROM (SELECT a FROM m)", "found (, expected identifier at line 1, char 18"},
    {"SHOW DATABASES x", "found x, expected ; at line 1, char 16"},
    {"SHOW RETENTION", "found EOF, expected POLICIES at line 1, char 16"},
    {"SHOW RETENTION POLICY", "found POLICY, expected POLICIES at line 1, char 16"},
    {"SHOW CONTINUOUS", "found EOF, expected QUERIES at line 1, char 17"},
    {"SHOW SHARD", "found EOF, expected GROUPS at line 1, char 12"},
    {"SHOW SERIES CARDINALITY FROM", "found EOF, expected identifier at line 1, char 30"},
    {"SHOW TAG KEYS FROM", "found EOF, expected identifier at line 1, char 20"},
    {"SHOW FIELD KEYS WHERE a = 1", "found WHERE, expected ; at line 1, char 17"},
    {"CREATE DATABASE", "found EOF, expected identifier at line 1, char 17"},
    {"CREATE DATABASE 1", "found 1, expected identifier at line 1, char 17"},
    {"CREATE RETENTION", "found EOF, expected POLICY at line 1, char 18"},
    {"CREATE RETENTION POLICY p", "found EOF, expected ON at line 1, char 27"},
    {"CREATE RETENTION POLICY p ON d", "found EOF, expected DURATION at line 1, char 32"},
    {"CREATE RETENTION POLICY p ON d DURATION 1h",
     "found EOF, expected REPLICATION at line 1, char 43"},
    {"CREATE RETENTION POLICY p ON d DURATION 1h REPLICATION",
     "found EOF, expected integer at line 1, char 56"},
    {"CREATE RETENTION POLICY p ON d DURATION 1h REPLICATION 1 SHARD",
     "found EOF, expected DURATION at line 1, char 64"},
    {"CREATE RETENTION POLICY p ON d DURATION 1h REPLICATION 1 SHARD DURATION x",
     "found x, expected duration at line 1, char 73"},
    {"ALTER", "found EOF, expected RETENTION at line 1, char 7"},
    {"ALTER RETENTION POLICY", "found EOF, expected identifier at line 1, char 24"},
    {"ALTER RETENTION POLICY 1", "found 1, expected identifier at line 1, char 24"},
    {"ALTER RETENTION POLICY p ON d SHARD x", "found x, expected DURATION at line 1, char 37"},
    {"ALTER RETENTION POLICY p ON d DEFAULT DEFAULT",
     "found duplicate DEFAULT option at line 1, char 39"},
    {"DROP RETENTION POLICY p", "found EOF, expected ON at line 1, char 25"},
    {"DROP MEASUREMENT", "found EOF, expected identifier at line 1, char 18"},
    {"DROP SHARD x", "found x, expected integer at line 1, char 12"},
    {"DROP USER 'u'", "found u, expected identifier at line 1, char 10"},
    {"SET PASSWORD u", "found u, expected FOR at line 1, char 14"},
    {"EXPLAIN", "found EOF, expected SELECT at line 1, char 9"},
    {"EXPLAIN ANALYZE", "found EOF, expected SELECT at line 1, char 17"},
    {"KILL", "found EOF, expected QUERY at line 1, char 6"},
    {"KILL QUERY", "found EOF, expected integer at line 1, char 12"},
    {"KILL QUERY 1 ON", "found EOF, expected identifier at line 1, char 17"},
    {"REVOKE", "found EOF, expected READ, WRITE, ALL [PRIVILEGES] at line 1, char 8"},
    {"GRANT ALL ON d", "found EOF, expected TO at line 1, char 16"},
    {"REVOKE ALL PRIVILEGES ON d TO u", "found TO, expected FROM at line 1, char 28"},
    {"CREATE CONTINUOUS QUERY c", "found EOF, expected ON at line 1, char 27"},
    {"CREATE CONTINUOUS QUERY c ON d RESAMPLE EVERY x BEGIN",
     "found x, expected duration at line 1, char 47"},
    {"CREATE SUBSCRIPTION s", "found EOF, expected ON at line 1, char 23"},
    {"CREATE SUBSCRIPTION s ON d.r", "found EOF, expected DESTINATIONS at line 1, char 30"},
    {"DROP SUBSCRIPTION s ON d", "found EOF, expected . at line 1, char 26"},
    {"DELETE FROM (SELECT a FROM m)", "found (, expected identifier at line 1, char 13"},
    {"SELECT a FROM m;;SELECT b", "found EOF, expected FROM at line 1, char 27"},
    {"a;b",
     "found a, expected SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, "
     "KILL at line 1, char 1"},
    {"SELECT a FROM m -- c\n x", "found x, expected ; at line 2, char 2"},
    {"SELECT a /* x */ b FROM m", "found b, expected FROM at line 1, char 18"},
    {"SELECT a FROM m WHERE a = .",
     "found ., expected identifier, string, number, bool at line 1, char 27"},
    {"SELECT a FROM m WHERE a = 1.2.3", "found .3, expected ; at line 1, char 30"},
    {"SELECT a FROM m WHERE 1h30 = a", "invalid duration"},
    {"SELECT a FROM m WHERE a = 5x", "invalid duration"},
    {"SELECT a FROM m WHERE a = \xc2"
     "\xb5"
     "",
     "found \xc2"
     "\xb5"
     ", expected identifier, string, number, bool at line 1, char 27"},
    {"SELECT a FROM m WHERE a = 5\xc2"
     "\xb5"
     " x",
     "found x, expected ; at line 1, char 30"},
};

/* Newer than 1.6.7, or our own. */
static const struct bad_query others[] = {
    {"SHOW TAG KEYS WITH KEY", "found EOF, expected IN, =, =~ at line 1, char 24"},
    {"SHOW TAG KEYS WITH time", "found WITH, expected ; at line 1, char 15"},
    {"SHOW TAG KEYS FROM m WITH", "found WITH, expected ; at line 1, char 22"},
    {"SHOW MEASUREMENTS ON 1", "found 1, expected identifier at line 1, char 22"},
    {"SELECT a FROM m WHERE time > now() - 1mo", "invalid duration"},
    {"SELECT a FROM m lookback", "lookback must be a function call"},
    {"SELECT a FROM m lookback()", "lookback requires exactly one argument"},
    {"SELECT a FROM m lookback(1)", "expected a positive duration in lookback()"},
    {"SELECT a FROM m lookback(0s)", "expected a positive duration in lookback()"},
    {"SELECT a FROM m lookback(1mo)", "invalid duration"},
    {"SELECT a FROM m GROUP BY time(1h, 1mo)", "invalid duration"},
    {"SELECT a FROM m GROUP BY time(1mo + 1mo)", "invalid duration"},
    {"SELECT a FROM m GROUP BY f(1mo)", "invalid duration"},
    {"SELECT a FROM m GROUP BY time(1mo1d)", "invalid duration"},
    {"SELECT 15251w FROM m", "overflowed duration 15251w: choose a smaller duration or INF"},
    {"SELECT a FROM m WHERE a = $\"a b\"", "missing parameter: a b"},
};

static void expect_reason(const struct bad_query *bad)
{
    struct bbi_arena arena;
    struct bbi_ql_query *query;
    struct bb_error err;

    bbi_arena_init(&arena, NULL);
    int rc = bbi_ql_parse(bad->text, strlen(bad->text), NULL, &arena, &query, &err);
    if (rc != BB_EPARSE) {
        fail_msg("'%s': code %d", bad->text, rc);
    }
    assert_null(query);
    assert_memory_equal(err.text, PREFIX, strlen(PREFIX));
    if (strcmp(err.text + strlen(PREFIX), bad->reason) != 0) {
        fail_msg("'%s':\n  got  %s\n  want %s", bad->text, err.text + strlen(PREFIX), bad->reason);
    }
    bbi_arena_fini(&arena);
}

static void reasons_are_influxds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(as_influxd) / sizeof(as_influxd[0]); i++) {
        expect_reason(&as_influxd[i]);
    }
}

static void our_own_reasons(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        expect_reason(&others[i]);
    }
}

/* A long text keeps its place and its end: only what it quotes is cut, between characters. */
static void long_texts_are_cut(void **state)
{
    char text[1200] = "SELECT a FROM m \"";
    struct bbi_arena arena;
    struct bbi_ql_query *query;
    struct bb_error err;
    (void)state;
    for (size_t i = 0; i < 500; i++) {
        strcat(text, "\xc3\xa9");
    }
    strcat(text, "\"");
    bbi_arena_init(&arena, NULL);
    assert_int_equal(bbi_ql_parse(text, strlen(text), NULL, &arena, &query, &err), BB_EPARSE);
    assert_contains(err.text, "\xc3\xa9, expected ; at line 1, char 17");
    bbi_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_are_influxds),
        cmocka_unit_test(our_own_reasons),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
