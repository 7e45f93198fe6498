#include "tests/lib/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/influxql/influxql.h"

static struct bbi_arena arena;

static int setup(void **state)
{
    (void)state;
    bbi_arena_init(&arena, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bbi_arena_fini(&arena);
    return 0;
}

static struct bbi_ql_query *parse_with(const char *text, const struct bbi_ql_options *options)
{
    struct bbi_ql_query *query;
    struct bb_error err;

    int rc = bbi_ql_parse(text, strlen(text), options, &arena, &query, &err);
    if (rc != BB_OK) {
        fail_msg("'%s': %s", text, err.text);
    }
    return query;
}

static const struct bbi_ql_statement *parse(const char *text)
{
    struct bbi_ql_query *query = parse_with(text, NULL);
    assert_int_equal(query->statement_count, 1);
    return query->statements[0];
}

static const struct bbi_ql_select *parse_select(const char *text)
{
    const struct bbi_ql_statement *statement = parse(text);
    assert_int_equal(statement->kind, BBI_QL_SELECT);
    return statement->u.select;
}

static void expect_text(const struct bbi_ql_statement *statement, const char *want)
{
    struct bbi_buf buf;

    bbi_buf_init(&buf, NULL, SIZE_MAX);
    bbi_ql_format(statement, &buf);
    bbi_buf_u8(&buf, 0);
    assert_int_equal(buf.err, BB_OK);
    assert_string_equal((const char *)buf.data, want);
    bbi_buf_fini(&buf);
}

/* Statements and how they print; "" where the text is printed as it stands. */
static const struct {
    const char *text;
    const char *printed;
} good[] = {
    {"select a from m", "SELECT a FROM m"},
    {"SELECT * FROM m", ""},
    {"SELECT *::field, *::tag FROM m", ""},
    {"SELECT a::float, b::integer, c::unsigned, d::string, e::boolean, f::tag, g::field FROM m",
     ""},
    {"SELECT a.b.c, \"x y\", \"select\", \"\", _1 FROM m",
     "SELECT \"a.b.c\", \"x y\", \"select\", \"\", _1 FROM m"},
    {"SELECT MEAN(a) AS \"the mean\", f(), top(a, b, 3), percentile(/x/, 5) FROM m",
     "SELECT mean(a) AS \"the mean\", f(), top(a, b, 3), percentile(/x/, 5) FROM m"},
    {"SELECT DISTINCT a, distinct(b), count(distinct c), count(DISTINCT(d)) FROM m",
     "SELECT DISTINCT a, distinct(b), count(DISTINCT c), count(distinct(d)) FROM m"},
    {"SELECT /a\\/b\\d/ FROM /m.*/", ""},
    {"SELECT a+b*c-(d/e%f)&g|h^i FROM m", "SELECT a + b * c - (d / e % f) & g | h ^ i FROM m"},
    {"SELECT -a, +a, -(a), -f(a), -1, - 1.5, +2, -5m, a - -b, a/-b, -a*b FROM m",
     "SELECT -1 * a, 1 * a, -1 * (a), -1 * f(a), -1, -1.5, 2, -5m, a - -1 * b, a / -b, -1 * a * b "
     "FROM m"},
    {"SELECT 1, 1.0, 1., .5, 18446744073709551615, 9223372036854775807 FROM m",
     "SELECT 1, 1.0, 1.0, 0.5, 18446744073709551615, 9223372036854775807 FROM m"},
    {"SELECT -9223372036854775808 FROM m", ""},
    {"SELECT a FROM m WHERE a = 'it\\'s \\\\ \\n \"' AND b = \"q\\\"\\\\\"",
     "SELECT a FROM m WHERE a = 'it\\'s \\\\ \\n \"' AND b = \"q\\\"\\\\\""},
    {"SELECT a FROM m WHERE a = 1 OR b <> 2 AND NOT_ >= 3 AND (c < 4 OR d <= 5) AND e > 6",
     "SELECT a FROM m WHERE a = 1 OR b != 2 AND NOT_ >= 3 AND (c < 4 OR d <= 5) AND e > 6"},
    {"SELECT a FROM m WHERE a =~ /x/ AND b !~ /y\\//", ""},
    {"SELECT a FROM m WHERE true = FALSE", "SELECT a FROM m WHERE true = false"},
    {"SELECT a FROM m WHERE time > now() - 1h30m AND time < '2020-01-01' + 1w2d",
     "SELECT a FROM m WHERE time > now() - 90m AND time < '2020-01-01' + 9d"},
    {"SELECT a FROM m WHERE time > 1u AND time > 1\xc2\xb5 AND time > 1500ms AND time > 7ns",
     "SELECT a FROM m WHERE time > 1u AND time > 1u AND time > 1500ms AND time > 7ns"},
    {"SELECT a FROM m, rp.m, db.rp.m, db..m, /r/, rp./r/, db.rp./r/, db../r/", ""},
    {"SELECT a FROM \"my db\".\"my rp\".\"my m\"", ""},
    {"SELECT a FROM (SELECT b FROM (SELECT c FROM m WHERE c > 1) GROUP BY t), n", ""},
    {"SELECT a INTO m FROM n", ""},
    {"SELECT a INTO db.rp.m FROM n", ""},
    {"SELECT a INTO db..m FROM n", ""},
    {"SELECT a INTO rp.:MEASUREMENT FROM n", ""},
    {"SELECT a INTO db.rp.:MEASUREMENT FROM /n/", ""},
    {"SELECT a INTO db..:MEASUREMENT FROM n", ""},
    {"SELECT mean(a) FROM m GROUP BY time(1h, 30m), host, *, /re/", ""},
    {"SELECT mean(a) FROM m GROUP BY time(1mo), time(1y6mo)",
     "SELECT mean(a) FROM m GROUP BY time(1mo), time(18mo)"},
    {"SELECT mean(a) FROM m GROUP BY time(24mo)", "SELECT mean(a) FROM m GROUP BY time(2y)"},
    {"SELECT mean(a) FROM m GROUP BY time(1d) fill(none)", ""},
    {"SELECT mean(a) FROM m GROUP BY time(1d) fill(previous)", ""},
    {"SELECT mean(a) FROM m GROUP BY time(1d) fill(linear)", ""},
    {"SELECT mean(a) FROM m GROUP BY time(1d) fill(-5)", ""},
    {"SELECT mean(a) FROM m GROUP BY time(1d) fill(0.25)", ""},
    {"SELECT a FROM m ORDER BY time", "SELECT a FROM m ORDER BY time ASC"},
    {"SELECT a FROM m ORDER BY time DESC", ""},
    {"SELECT a FROM m ORDER BY DESC", ""},
    {"SELECT a FROM m LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4 TZ('Europe/Berlin')", ""},
    {"SELECT a FROM m LIMIT 99999999999999999999", "SELECT a FROM m LIMIT 9223372036854775807"},
    {"SELECT a -- comment\n /* x * / **/ FROM m;;", "SELECT a FROM m"},
    {"SELECT a\r\nFROM\tm", "SELECT a FROM m"},
    {"EXPLAIN SELECT a FROM m", ""},
    {"EXPLAIN ANALYZE SELECT a FROM m", ""},
    {"DELETE FROM m", ""},
    {"DELETE WHERE time < '2000-01-01'", ""},
    {"DELETE FROM m, /n/ WHERE a = 'b'", ""},
    {"DROP SERIES FROM m WHERE a = 'b'", ""},
    {"DROP MEASUREMENT \"a b\"", ""},
    {"DROP DATABASE d", ""},
    {"DROP RETENTION POLICY p ON d", ""},
    {"DROP SHARD 18446744073709551615", ""},
    {"DROP USER u", ""},
    {"DROP CONTINUOUS QUERY c ON d", ""},
    {"DROP SUBSCRIPTION s ON d.p", ""},
    {"CREATE DATABASE d", ""},
    {"CREATE DATABASE d WITH DURATION INF REPLICATION 2 SHARD DURATION 1w NAME p",
     "CREATE DATABASE d WITH DURATION 0s REPLICATION 2 SHARD DURATION 168h0m0s NAME p"},
    {"CREATE DATABASE d WITH DURATION 90m SHARD DURATION 5400500ms NAME \"\"",
     "CREATE DATABASE d WITH DURATION 1h30m0s SHARD DURATION 1h30m0.5s"},
    {"CREATE DATABASE d WITH NAME p", ""},
    {"CREATE RETENTION POLICY p ON d DURATION 30d REPLICATION 1", ""},
    {"CREATE RETENTION POLICY p ON d DURATION INF REPLICATION 1 SHARD DURATION 0s DEFAULT",
     "CREATE RETENTION POLICY p ON d DURATION 0s REPLICATION 1 DEFAULT"},
    {"ALTER RETENTION POLICY p ON d SHARD DURATION 0s", ""},
    {"ALTER RETENTION POLICY default ON d DEFAULT SHARD DURATION 2h REPLICATION 3 DURATION 1h",
     "ALTER RETENTION POLICY \"default\" ON d DURATION 1h REPLICATION 3 SHARD DURATION 2h DEFAULT"},
    {"CREATE USER u WITH PASSWORD 'secret' WITH ALL PRIVILEGES",
     "CREATE USER u WITH PASSWORD [REDACTED] WITH ALL PRIVILEGES"},
    {"SET PASSWORD FOR u = 'secret'", "SET PASSWORD FOR u = [REDACTED]"},
    {"GRANT ALL TO u", "GRANT ALL PRIVILEGES TO u"},
    {"GRANT READ ON d TO u", ""},
    {"GRANT WRITE ON d TO u", ""},
    {"REVOKE ALL PRIVILEGES ON d FROM u", ""},
    {"REVOKE ALL FROM u", "REVOKE ALL PRIVILEGES FROM u"},
    {"KILL QUERY 5", ""},
    {"KILL QUERY 5 ON \"host:8088\"", ""},
    {"CREATE CONTINUOUS QUERY c ON d BEGIN SELECT mean(a) INTO b FROM m GROUP BY time(1h) END", ""},
    {"CREATE CONTINUOUS QUERY c ON d RESAMPLE EVERY 30m FOR 2h BEGIN SELECT mean(a) INTO b FROM m "
     "GROUP BY time(1h) END",
     ""},
    {"CREATE SUBSCRIPTION s ON d.p DESTINATIONS ANY 'udp://a:1', 'http://b'", ""},
    {"SHOW DATABASES", ""},
    {"SHOW RETENTION POLICIES", ""},
    {"SHOW RETENTION POLICIES ON d", ""},
    {"SHOW MEASUREMENTS ON d WITH MEASUREMENT =~ /x/ WHERE a = 'b' ORDER BY ASC LIMIT 1 OFFSET 2",
     ""},
    {"SHOW MEASUREMENTS ON *.*", ""},
    {"SHOW MEASUREMENTS ON d.p WITH MEASUREMENT = m", ""},
    {"SHOW SERIES ON d FROM m, /n/ WHERE a = 'b' ORDER BY ASC LIMIT 1 OFFSET 2", ""},
    {"SHOW SERIES EXACT", "SHOW SERIES"},
    {"SHOW SERIES EXACT CARDINALITY ON d FROM m WHERE a = 'b' GROUP BY c LIMIT 1 OFFSET 2", ""},
    {"SHOW SERIES CARDINALITY", ""},
    {"SHOW MEASUREMENT CARDINALITY ON d", ""},
    {"SHOW MEASUREMENT EXACT CARDINALITY", ""},
    {"SHOW TAG KEYS ON d FROM m WITH KEY = k WHERE a = 'b' LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4",
     ""},
    {"SHOW TAG KEY CARDINALITY", ""},
    {"SHOW TAG VALUES WITH KEY = k", ""},
    {"SHOW TAG VALUES WITH KEY != k", ""},
    {"SHOW TAG VALUES ON d FROM m WITH KEY IN (a, \"b c\") WHERE x = 'y' LIMIT 3", ""},
    {"SHOW TAG VALUES WITH KEY =~ /k/", ""},
    {"SHOW TAG VALUES WITH KEY !~ /k\\/l/", ""},
    {"SHOW TAG VALUES EXACT CARDINALITY ON d FROM m WITH KEY = k", ""},
    {"SHOW FIELD KEYS ON d FROM m LIMIT 1", ""},
    {"SHOW FIELD KEY EXACT CARDINALITY FROM m", ""},
    {"SHOW SHARDS", ""},
    {"SHOW SHARD GROUPS", ""},
    {"SHOW QUERIES", ""},
    {"SHOW STATS", ""},
    {"SHOW STATS FOR 'indexes'", ""},
    {"SHOW DIAGNOSTICS FOR 'build'", ""},
    {"SHOW CONTINUOUS QUERIES", ""},
    {"SHOW SUBSCRIPTIONS", ""},
    {"SHOW USERS", ""},
    {"SHOW GRANTS FOR \"a b\"", ""},
};

static void statements_print_as_they_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        expect_text(parse(good[i].text),
                    good[i].printed[0] == '\0' ? good[i].text : good[i].printed);
    }
}

static void fill_knows_its_words_in_lower_case_only(void **state)
{
    static const char text[] = "SELECT mean(a) FROM m GROUP BY time(1d) FILL(NULL)";
    struct bbi_ql_query *query;
    struct bb_error err;
    (void)state;
    assert_int_equal(bbi_ql_parse(text, strlen(text), NULL, &arena, &query, &err), BB_EPARSE);
    assert_string_equal(err.text, "error parsing query: expected number argument in fill()");
}

static void a_select_in_all_its_parts(void **state)
{
    (void)state;
    const struct bbi_ql_select *s = parse_select(
        "SELECT mean(a) AS x, b::tag INTO d.p.t FROM r.m, /n/, (SELECT c FROM q) "
        "WHERE c = 5 GROUP BY time(1h), k fill(7) ORDER BY time DESC LIMIT 1 OFFSET 2 "
        "SLIMIT 3 SOFFSET 4 TZ('UTC')");
    assert_int_equal(s->field_count, 2);
    assert_string_equal(s->fields[0].alias, "x");
    assert_int_equal(s->fields[0].expr->kind, BBI_QL_CALL);
    assert_string_equal(s->fields[0].expr->u.call.name, "mean");
    assert_int_equal(s->fields[0].expr->u.call.arg_count, 1);
    assert_null(s->fields[1].alias);
    assert_int_equal(s->fields[1].expr->u.var.type, BBI_QL_TYPE_TAG);
    assert_string_equal(s->into->database, "d");
    assert_string_equal(s->into->policy, "p");
    assert_string_equal(s->into->name, "t");
    assert_int_equal(s->source_count, 3);
    assert_null(s->sources[0].database);
    assert_string_equal(s->sources[0].policy, "r");
    assert_string_equal(s->sources[0].name, "m");
    assert_null(s->sources[1].name);
    assert_string_equal(s->sources[1].regex, "n");
    assert_true(s->sources[2].subquery->is_raw);
    assert_int_equal(s->condition->u.binary.op, BBI_QL_EQ);
    assert_int_equal(s->condition->u.binary.rhs->u.integer, 5);
    assert_int_equal(s->dimension_count, 2);
    assert_int_equal(s->dimensions[0]->u.call.args[0]->u.duration.ns, INT64_C(3600000000000));
    assert_int_equal(s->fill, BBI_QL_FILL_NUMBER);
    assert_int_equal(s->fill_value->u.integer, 7);
    assert_int_equal(s->sort_count, 1);
    assert_true(s->sorts[0].descending);
    assert_int_equal(s->limit, 1);
    assert_int_equal(s->offset, 2);
    assert_int_equal(s->slimit, 3);
    assert_int_equal(s->soffset, 4);
    assert_string_equal(s->zone, "UTC");
    assert_false(s->is_raw);
    assert_false(parse_select("SELECT a + f(b) FROM m")->is_raw);
    assert_true(parse_select("SELECT a + (b), DISTINCT c FROM m")->is_raw);
}

/* a+b*c groups as a+(b*c), a-b-c as (a-b)-c, OR below AND below comparisons. */
static void operators_bind_as_in_influxdb(void **state)
{
    (void)state;
    const struct bbi_ql_expr *e = parse_select("SELECT a + b * c FROM m")->fields[0].expr;
    assert_int_equal(e->u.binary.op, BBI_QL_ADD);
    assert_int_equal(e->u.binary.rhs->u.binary.op, BBI_QL_MUL);
    e = parse_select("SELECT a - b - c FROM m")->fields[0].expr;
    assert_int_equal(e->u.binary.lhs->kind, BBI_QL_BINARY);
    assert_int_equal(e->u.binary.rhs->kind, BBI_QL_VAR);
    e = parse_select("SELECT a | b & c FROM m")->fields[0].expr;
    assert_int_equal(e->u.binary.op, BBI_QL_BITOR);
    e = parse_select("SELECT a FROM m WHERE a = 1 OR b = 2 AND c = 3")->condition;
    assert_int_equal(e->u.binary.op, BBI_QL_OR);
    assert_int_equal(e->u.binary.rhs->u.binary.op, BBI_QL_AND);
    e = parse_select("SELECT a FROM m WHERE a + 1 = b * 2")->condition;
    assert_int_equal(e->u.binary.op, BBI_QL_EQ);
}

static unsigned height(const struct bbi_ql_expr *expr)
{
    if (expr->kind == BBI_QL_PAREN) {
        return 1 + height(expr->u.inner);
    }
    if (expr->kind != BBI_QL_BINARY) {
        return 1;
    }
    unsigned lhs = height(expr->u.binary.lhs);
    unsigned rhs = height(expr->u.binary.rhs);
    return 1 + (lhs > rhs ? lhs : rhs);
}

/* "before" + count times "again" + "after", on the heap. */
static char *repeat(const char *before, const char *again, size_t count, const char *after)
{
    size_t size = strlen(before) + strlen(again) * count + strlen(after) + 1;
    char *text = malloc(size);

    assert_non_null(text);
    strcpy(text, before);
    char *at = text + strlen(before);
    for (size_t i = 0; i < count; i++) {
        memcpy(at, again, strlen(again));
        at += strlen(again);
    }
    strcpy(at, after);
    return text;
}

static void long_rows_of_or_stay_shallow(void **state)
{
    (void)state;
    char *text = repeat("SELECT a FROM m WHERE x = 'y'", " OR x = 'y'", 100000, "");
    const struct bbi_ql_select *s = parse_select(text);
    assert_true(height(s->condition) < 24);
    free(text);
}

static void expect_fault(char *text, const char *fault)
{
    struct bbi_ql_query *query;
    struct bb_error err;

    assert_int_equal(bbi_ql_parse(text, strlen(text), NULL, &arena, &query, &err), BB_EPARSE);
    assert_contains(err.text, fault);
    free(text);
}

static void hostile_nesting_is_refused(void **state)
{
    (void)state;
    expect_fault(repeat("SELECT ", "(", 1000000, ""), "nests deeper than 200 levels");
    expect_fault(repeat("SELECT ", "f(", 1000000, ""), "nests deeper than 200 levels");
    expect_fault(repeat("SELECT a FROM ", "(SELECT a FROM ", 100000, "m"),
                 "nests deeper than 200 levels");
    expect_fault(repeat("SELECT ", "-", 1000000, ""), "expected ");
    expect_fault(repeat("SELECT a", "+a", 100000, " FROM m"), "deeper than 2000 operators");
    expect_fault(repeat("SELECT a FROM m WHERE a", "=a", 100000, ""), "deeper than 2000 operators");
    char *text = repeat("SELECT a", "+a", 1990, " FROM m");
    assert_int_equal(height(parse_select(text)->fields[0].expr), 1991);
    free(text);
    text = repeat("SELECT ", "(", 199, "a");
    char *closed = repeat(text, ")", 199, " FROM m");
    assert_int_equal(height(parse_select(closed)->fields[0].expr), 200);
    free(text);
    free(closed);
}

static void several_statements(void **state)
{
    (void)state;
    struct bbi_ql_query *query = parse_with("; SHOW DATABASES;;SELECT a FROM m ;", NULL);
    assert_int_equal(query->statement_count, 2);
    assert_int_equal(query->statements[0]->kind, BBI_QL_SHOW_DATABASES);
    assert_int_equal(query->statements[1]->kind, BBI_QL_SELECT);
    assert_int_equal(parse_with("", NULL)->statement_count, 0);
    assert_int_equal(parse_with(" \n-- x", NULL)->statement_count, 0);
}

static void parameters_become_literals(void **state)
{
    static const struct bbi_ql_param params[] = {
        {"b", BBI_QL_BOOLEAN, {.boolean = true}, NULL},
        {"d", BBI_QL_DURATION, {.integer = 5400000000000}, NULL},
        {"i", BBI_QL_INTEGER, {.integer = INT64_MIN}, NULL},
        {"lim", BBI_QL_INTEGER, {.integer = 7}, NULL},
        {"n", BBI_QL_NUMBER, {.number = -1.5}, NULL},
        {"r", BBI_QL_REGEX, {.string = "a/b"}, NULL},
        {"s", BBI_QL_STRING, {.string = "it's; DROP"}, NULL},
        {"u", BBI_QL_UNSIGNED, {.unsigned_integer = UINT64_MAX}, NULL},
        {"v", BBI_QL_VAR, {.string = "the field"}, NULL},
    };
    struct bbi_ql_options options = {.params = params, .param_count = 9};
    (void)state;
    struct bbi_ql_query *query = parse_with(
        "SELECT $v, $n, $i, $u FROM $v, $r WHERE a = $s AND b =~ $r AND c = $b AND "
        "time > now() - $d LIMIT $lim",
        &options);
    expect_text(query->statements[0],
                "SELECT \"the field\", -1.5, -9223372036854775808, 18446744073709551615 FROM "
                "\"the field\", /a\\/b/ WHERE a = 'it\\'s; DROP' AND b =~ /a\\/b/ AND c = true AND "
                "time > now() - 90m LIMIT 7");
    struct bbi_ql_param negative = {"d", BBI_QL_DURATION, {.integer = -5}, NULL};
    struct bbi_ql_options negatives = {.params = &negative, .param_count = 1};
    static const char policy[] = "CREATE DATABASE d WITH DURATION $d";
    struct bb_error err;
    assert_int_equal(bbi_ql_parse(policy, sizeof(policy) - 1, &negatives, &arena, &query, &err),
                     BB_EPARSE);
    assert_string_equal(err.text, "error parsing query: invalid duration at line 1, char 33");
    options.keep_params = true;
    query = parse_with("SELECT a FROM m WHERE a = $x AND b = $\"y z\"", &options);
    expect_text(query->statements[0], "SELECT a FROM m WHERE a = $x AND b = $\"y z\"");
    assert_int_equal(query->statements[0]->u.select->condition->u.binary.lhs->u.binary.rhs->kind,
                     BBI_QL_PARAM);
}

static bool only_utc(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "UTC") == 0;
}

static bool no_stars(void *arg, const char *pattern, char *fault, size_t fault_size)
{
    (void)arg;
    (void)snprintf(fault, fault_size, "no stars in `%s`", pattern);
    return strchr(pattern, '*') == NULL;
}

static void zones_and_patterns_can_be_checked(void **state)
{
    static const struct {
        const char *text;
        const char *fault;
    } cases[] = {
        {"SELECT a FROM m TZ('UTC')", ""},
        {"SELECT a FROM m tz('Mars')", "error parsing query: unable to find time zone Mars"},
        {"SELECT a FROM /x/", ""},
        {"SELECT a FROM m WHERE b =~ /x*/",
         "error parsing query: no stars in `x*` at line 1, char 27"},
    };
    struct bbi_ql_options options = {.zone_known = only_utc, .regex_good = no_stars};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bbi_ql_query *query;
        struct bb_error err = {.text = ""};
        int rc = bbi_ql_parse(cases[i].text, strlen(cases[i].text), &options, &arena, &query, &err);
        assert_int_equal(rc, cases[i].fault[0] == '\0' ? BB_OK : BB_EPARSE);
        assert_string_equal(rc == BB_OK ? "" : err.text, cases[i].fault);
    }
}

static void a_nul_ends_the_text(void **state)
{
    static const char text[] = "SHOW DATABASES\0; nonsense";
    struct bbi_ql_query *query;
    struct bb_error err;
    (void)state;
    assert_ok(bbi_ql_parse(text, sizeof(text) - 1, NULL, &arena, &query, &err), &err);
    assert_int_equal(query->statement_count, 1);
    assert_ok(bbi_ql_parse(NULL, 0, NULL, &arena, &query, &err), &err);
    assert_int_equal(query->statement_count, 0);
}

/* Every allocation in turn fails: always BB_ENOMEM, never a crash or half a tree. */
static void memory_may_run_out(void **state)
{
    static const char text[] =
        "SELECT mean(a), $s, -b FROM x.y.z, /r/ WHERE a = 'b' AND c = 1 GROUP BY time(1h), d; SHOW "
        "TAG VALUES WITH KEY IN (a, b); SELECT a FROM a.b.c.d";
    static const struct bbi_ql_param param = {"s", BBI_QL_STRING, {.string = "x"}, NULL};
    static const struct bbi_ql_options options = {.params = &param, .param_count = 1};
    uint64_t n = 0;
    int rc;
    (void)state;
    do {
        struct bbi_account account;
        struct bbi_arena local;
        struct bbi_ql_query *query;
        struct bb_error err;
        bbi_account_init(&account, "test", 0, NULL);
        bbi_arena_init(&local, &account);
        bbi_mem_fail_at(++n);
        rc = bbi_ql_parse(text, sizeof(text) - 1, &options, &local, &query, &err);
        bbi_mem_fail_at(0);
        assert_true(rc == BB_ENOMEM || rc == BB_EPARSE);
        assert_null(query);
        bbi_arena_fini(&local);
    } while (rc == BB_ENOMEM);
    assert_true(n > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(statements_print_as_they_parse, setup, teardown),
        cmocka_unit_test_setup_teardown(fill_knows_its_words_in_lower_case_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_select_in_all_its_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(operators_bind_as_in_influxdb, setup, teardown),
        cmocka_unit_test_setup_teardown(long_rows_of_or_stay_shallow, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_nesting_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(several_statements, setup, teardown),
        cmocka_unit_test_setup_teardown(parameters_become_literals, setup, teardown),
        cmocka_unit_test_setup_teardown(zones_and_patterns_can_be_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_nul_ends_the_text, setup, teardown),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
