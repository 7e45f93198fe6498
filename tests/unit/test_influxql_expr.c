#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/batch.h"
#include "engine/influxql/expr.h"
#include "engine/influxql/influxql.h"

#define NOW INT64_C(1710511200000000000) /* 2024-03-15T14:00:00Z */
#define H   INT64_C(3600000000000)
#define D   (24 * H)
#define MIN BBI_TIME_MIN
#define MAX BBI_TIME_MAX

static const struct bbi_ql_world world = {.now_ns = NOW};

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

static struct bbi_ql_expr *parse(const char *text)
{
    struct bbi_ql_expr *expr;
    struct bb_error err;

    int rc = bbi_ql_parse_expr(text, strlen(text), NULL, &arena, &expr, &err);
    if (rc != BB_OK) {
        fail_msg("'%s': %s", text, err.text);
    }
    return expr;
}

static void print(const struct bbi_ql_expr *expr, char *out, size_t size)
{
    struct bbi_buf buf;

    bbi_buf_init(&buf, NULL, size - 1);
    bbi_ql_format_expr(expr, &buf);
    assert_int_equal(buf.err, BB_OK);
    memcpy(out, buf.data, buf.len);
    out[buf.len] = '\0';
    bbi_buf_fini(&buf);
}

static const struct {
    const char *text;
    const char *want;
} folds[] = {
    {"1 + 2 * 3", "7"},
    {"7 / 2", "3.5"},
    {"7 / 0", "0.0"},
    {"7 % 4", "3"},
    {"7 % 0", "0"},
    {"-9223372036854775808 % -1", "0"},
    {"9223372036854775807 + 1", "-9223372036854775808"},
    {"6 & 3", "2"},
    {"6 | 3", "7"},
    {"6 ^ 3", "5"},
    {"1.5 + 2", "3.5"},
    {"2 * 1.5", "3.0"},
    {"1.5 / 0", "0.0"},
    {"5.5 % 2", "1.5"},
    {"1 < 2", "true"},
    {"1 >= 2.5", "false"},
    {"18446744073709551615 - 1", "18446744073709551614"},
    {"18446744073709551615 / 0", "0"},
    {"-1 < 18446744073709551615", "true"},
    {"18446744073709551615 <= -1", "false"},
    {"18446744073709551615 > 0.5", "true"},
    {"true AND false", "false"},
    {"true OR a = 1", "true"},
    {"false OR a = 1", "a = 1"},
    {"a = 1 AND true", "a = 1"},
    {"a = 1 AND false", "false"},
    {"true = true", "true"},
    {"true ^ true", "false"},
    {"'a' + 'b'", "'ab'"},
    {"'a' = 'a'", "true"},
    {"'a' != 'a'", "false"},
    {"'2000-01-01' = '2000-01-01 00:00:00'", "true"},
    {"'2000-01-01' != '2000-01-01T00:00:00Z'", "false"},
    {"'2000-01-02' > '2000-01-01'", "true"},
    {"1h + 30m", "90m"},
    {"1h - 90m", "-30m"},
    {"2h * 3", "6h"},
    {"2h / 4", "30m"},
    {"2h / 0", "0s"},
    {"2h / 0.5", "0s"},
    {"1h * 2.9", "2h"},
    {"1h > 59m", "true"},
    {"now() - 1h", "'2024-03-15T13:00:00Z'"},
    {"1h + now()", "'2024-03-15T15:00:00Z'"},
    {"now() + 1", "'2024-03-15T14:00:00.000000001Z'"},
    {"now() - '2024-03-15'", "14h"},
    {"now() > '2024-03-15'", "true"},
    {"'2024-03-15' + 1h", "'2024-03-15T01:00:00Z'"},
    {"'2024-03-15' - 1", "'2024-03-14T23:59:59.999999999Z'"},
    {"5 + 1s", "'1970-01-01T00:00:01.000000005Z'"},
    {"0 - 1s", "'1969-12-31T23:59:59Z'"},
    {"(1 + 2)", "3"},
    {"(a + 1)", "a + 1"},
    {"(1 + 2) * b", "3 * b"},
    {"a + (1 + 2)", "a + 3"},
    {"(a + 1) * (2)", "(a + 1) * 2"},
    {"f(1 + 2, a)", "f(3, a)"},
    {"f(now())", "f('2024-03-15T14:00:00Z')"},
    {"a + 1 + 2", "a + 1 + 2"},
    {"'x' > 'y'", "'x' > 'y'"},
    {"'x' + 1", "'x' + 1"},
    {"true + 1", "true + 1"},
    {"now(1)", "now(1)"},
};

static void constants_fold(void **state)
{
    char got[200];
    (void)state;
    for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
        struct bbi_ql_expr *out;
        struct bb_error err;
        assert_ok(bbi_ql_reduce(parse(folds[i].text), &world, &arena, &out, &err), &err);
        print(out, got, sizeof(got));
        if (strcmp(got, folds[i].want) != 0) {
            fail_msg("%s: got %s, want %s", folds[i].text, got, folds[i].want);
        }
    }
}

struct split_case {
    const char *text;
    int64_t tmin;
    int64_t tmax;
    const char *rest; /* "": none */
};

static const struct split_case splits[] = {
    {"time > 5", 6, MAX, ""},
    {"time >= 5", 5, MAX, ""},
    {"time < 5", MIN, 4, ""},
    {"time <= 5", MIN, 5, ""},
    {"time = 5", 5, 5, ""},
    {"5 < time", 6, MAX, ""},
    {"5 >= time", MIN, 5, ""},
    {"5 = time", 5, 5, ""},
    {"TIME > 5 AND Time < 9", 6, 8, ""},
    {"\"time\" > 5", 6, MAX, ""},
    {"time > 5 AND time > 7 AND time < 20 AND time <= 10", 8, 10, ""},
    {"time > 9 AND time < 5", 10, 4, ""},
    {"time > now() - 1h", NOW - H + 1, MAX, ""},
    {"time < now() + 1d", MIN, NOW + D - 1, ""},
    {"time >= '2024-03-15'", NOW - 14 * H, MAX, ""},
    {"time >= '2024-03-15 14:00:00'", NOW, MAX, ""},
    {"time >= '2024-03-15T15:00:00+01:00'", NOW, MAX, ""},
    {"time >= '2024-03-15' + 14h", NOW, MAX, ""},
    {"time >= 1h", H, MAX, ""},
    {"time >= -1h", -H, MAX, ""},
    {"time >= 1.9", 1, MAX, ""},
    {"time >= 1710511200s", NOW, MAX, ""},
    {"time > 9223372036854775807", INT64_MAX, MAX, ""},
    {"time < -9223372036854775808", MIN, INT64_MIN, ""},
    {"time >= 9223372036854775806", MAX, MAX, ""},
    {"time <= -9223372036854775806", MIN, MIN, ""},
    {"a = 1", MIN, MAX, "a = 1"},
    {"a = 1 AND time > 5", 6, MAX, "a = 1"},
    {"time > 5 AND a = 1 AND time < 9 AND b = 'x'", 6, 8, "a = 1 AND b = 'x'"},
    {"(a = 1 OR b = 2) AND time > 5", 6, MAX, "a = 1 OR b = 2"},
    {"(a = 1 OR b = 2) AND (time > 5 AND c = 3)", 6, MAX, "(a = 1 OR b = 2) AND (c = 3)"},
    {"((time > 5))", 6, MAX, ""},
    {"(time > 5 AND a = 1)", 6, MAX, "a = 1"},
    {"((a = 1))", MIN, MAX, "a = 1"},
    /* Under OR the time is taken out and intersected all the same, as in InfluxDB. */
    {"time > 5 OR a = 1", 6, MAX, "a = 1"},
    {"time > 5 OR time < 3", 6, 2, ""},
    {"true", MIN, MAX, ""},
    {"false", MIN, MAX, "false"},
    {"true AND time > 5", 6, MAX, ""},
    {"a = 1 AND 1 = 1", MIN, MAX, "a = 1"},
    {"a = 1 AND 1 = 2", MIN, MAX, "false"},
    {"a = 1 OR 1 = 1", MIN, MAX, ""},
    {"a = 1 + 2", MIN, MAX, "a = 3"},
    {"a > now()", MIN, MAX, "a > '2024-03-15T14:00:00Z'"},
    {"a + 1", MIN, MAX, "a + 1"},
    {"host =~ /x/ AND host !~ /y/", MIN, MAX, "host =~ /x/ AND host !~ /y/"},
};

static void conditions_split(void **state)
{
    char rest[300] = "";
    (void)state;
    for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
        const struct split_case *c = &splits[i];
        struct bbi_ql_condition out;
        struct bb_error err;
        assert_ok(bbi_ql_condition_split(parse(c->text), &world, &arena, &out, &err), &err);
        rest[0] = '\0';
        if (out.rest != NULL) {
            print(out.rest, rest, sizeof(rest));
        }
        if (out.tmin != c->tmin || out.tmax != c->tmax || strcmp(rest, c->rest) != 0) {
            fail_msg("%s: got %lld..%lld %s", c->text, (long long)out.tmin, (long long)out.tmax,
                     rest);
        }
        assert_true(out.has_tmin || out.tmin == MIN);
        assert_true(out.has_tmax || out.tmax == MAX);
    }
}

static void no_condition_is_always_true(void **state)
{
    struct bbi_ql_condition out;
    struct bb_error err;
    (void)state;
    assert_ok(bbi_ql_condition_split(NULL, &world, &arena, &out, &err), &err);
    assert_null(out.rest);
    assert_false(out.has_tmin || out.has_tmax);
    assert_true(out.tmin == MIN && out.tmax == MAX);
}

/* What needs no change is shared, not copied. */
static void untouched_trees_are_shared(void **state)
{
    struct bbi_ql_condition out;
    struct bb_error err;
    (void)state;
    struct bbi_ql_expr *expr = parse("(a = 1 OR b = 'x') AND c > 2.5");
    assert_ok(bbi_ql_condition_split(expr, &world, &arena, &out, &err), &err);
    assert_ptr_equal(out.rest, expr);
}

/* The texts are influxd 1.6.7's. */
static void bad_conditions(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"time > 'x'", "invalid operation: time and *influxql.StringLiteral are not compatible"},
        {"time = '2000-13-01'", "invalid timestamp string"},
        {"time = '2000-01-01T00:00:00'", "invalid timestamp string"},
        {"time =~ /x/", "invalid operation: time and *influxql.RegexLiteral are not compatible"},
        {"time != 1", "invalid time comparison operator: !="},
        {"time + 1", "invalid time comparison operator: +"},
        {"time > '2000-01-01' + x",
         "invalid operation: time and *influxql.BinaryExpr are not compatible"},
        {"time > x", "invalid operation: time and *influxql.VarRef are not compatible"},
        {"time > f(1)", "invalid operation: time and *influxql.Call are not compatible"},
        {"time > true", "invalid operation: time and *influxql.BooleanLiteral are not compatible"},
        {"time > 18446744073709551615",
         "invalid operation: time and *influxql.UnsignedLiteral are not compatible"},
        {"time > '1000-01-01'", "time 1000-01-01T00:00:00Z underflows time literal"},
        {"time > '2500-01-01'", "time 2500-01-01T00:00:00Z overflows time literal"},
        {"time < now() + 15000w", "time 2311-09-08T14:00:00Z overflows time literal"},
        {"time > '1677-09-21 00:12:43.145224194'",
         "time 1677-09-21T00:12:43Z underflows time literal"},
        {"time > '2262-04-11 23:47:16.854775807'",
         "time 2262-04-11T23:47:16Z overflows time literal"},
        {"a", "invalid condition expression: a"},
        {"f(a)", "invalid condition expression: f(a)"},
        {"a = 1 AND b", "invalid condition expression: b"},
        {"a = 1 OR (5)", "invalid condition expression: 5"},
        {"-a", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bbi_ql_condition out;
        struct bb_error err = {.text = ""};
        int rc = bbi_ql_condition_split(parse(cases[i].text), &world, &arena, &out, &err);
        if (strcmp(rc == BB_OK ? "" : err.text, cases[i].reason) != 0) {
            fail_msg("%s: got '%s', want '%s'", cases[i].text, err.text, cases[i].reason);
        }
    }
}

static int64_t two_hours_east(void *arg, int64_t local_ns)
{
    (void)arg;
    return local_ns - 2 * H;
}

static void strings_without_a_zone_are_in_the_querys(void **state)
{
    struct bbi_ql_world east = {.now_ns = NOW, .zone_to_utc = two_hours_east};
    struct bbi_ql_condition out;
    struct bb_error err;
    (void)state;
    assert_ok(bbi_ql_condition_split(parse("time >= '2024-03-15 16:00:00' AND time < '2024-03-16'"),
                                     &east, &arena, &out, &err),
              &err);
    assert_true(out.tmin == NOW && out.tmax == NOW + 8 * H - 1);
    assert_ok(
        bbi_ql_condition_split(parse("time = '2024-03-15T14:00:00Z'"), &east, &arena, &out, &err),
        &err);
    assert_true(out.tmin == NOW);
}

static void memory_may_run_out(void **state)
{
    struct bbi_ql_expr *expr = parse(
        "(a = 1 + 2 OR (b = now())) AND time > now() - 1h AND (c = 'x' + 'y' OR d)");
    uint64_t n = 0;
    int rc;
    (void)state;
    do {
        struct bbi_account account;
        struct bbi_arena local;
        struct bbi_ql_condition out;
        struct bb_error err;
        bbi_account_init(&account, "test", 0, NULL);
        bbi_arena_init(&local, &account);
        bbi_mem_fail_at(++n);
        rc = bbi_ql_condition_split(expr, &world, &local, &out, &err);
        bbi_mem_fail_at(0);
        bbi_arena_fini(&local);
        assert_true(rc == BB_ENOMEM || rc == BB_EPARSE);
    } while (rc == BB_ENOMEM);
    assert_true(n > 1);
}

static void equality_sees_every_part(void **state)
{
    static const char *const texts[] = {
        "a",          "b",      "a::tag",  "a = 1",    "a = 2",
        "a != 1",     "(a)",    "1",       "1.0",      "'1'",
        "true",       "false",  "1s",      "2s",       "f(a)",
        "f(b)",       "g(a)",   "f(a, b)", "f()",      "*",
        "*::tag",     "f(/x/)", "f(/y/)",  "a =~ /x/", "18446744073709551615",
        "DISTINCT a",
    };
    size_t count = sizeof(texts) / sizeof(texts[0]);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(bbi_ql_expr_equal(parse(texts[i]), parse(texts[k])), i == k);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(constants_fold, setup, teardown),
        cmocka_unit_test_setup_teardown(conditions_split, setup, teardown),
        cmocka_unit_test_setup_teardown(no_condition_is_always_true, setup, teardown),
        cmocka_unit_test_setup_teardown(untouched_trees_are_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_conditions, setup, teardown),
        cmocka_unit_test_setup_teardown(strings_without_a_zone_are_in_the_querys, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_may_run_out, setup, teardown),
        cmocka_unit_test_setup_teardown(equality_sees_every_part, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
