/*
 * Calls and columns that are refused: each message is that of InfluxDB 1.8 for the same text,
 * over a measurement that is not there.
 */
#include <stdio.h>
#include <string.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

struct refusal {
    const char *columns;
    const char *message;
};

/* clang-format off */
static const struct refusal refusals[] = {
    {"top(v)",
     "invalid number of arguments for top, expected at least 2, got 1"},
    {"top(v,t)",
     "expected integer as last argument in top(), found t"},
    {"top(v,0)",
     "limit (0) in top function must be at least 1"},
    {"top(v,1),max(v)",
     "selector function top() cannot be combined with other functions"},
    {"abs(/v/)",
     "field must contain at least one variable"},
    {"exp(1.5)+1",
     "field must contain at least one variable"},
    {"sin(sqrt(4))*(2+abs(-1))",
     "field must contain at least one variable"},
    {"difference(exp(1))",
     "expected field argument in difference()"},
    {"pow(2,3)",
     "field must contain at least one variable"},
    {"top(v,max(v),1)",
     "only fields or tags are allowed in top(), found max(v)"},
    {"top(max(v),1)",
     "expected first argument to be a field in top(), found max(v)"},
    {"top(*,2)",
     "expected first argument to be a field in top(), found *"},
    {"bottom(/v/,2)",
     "expected first argument to be a field in bottom(), found /v/"},
    {"sample(v)",
     "invalid number of arguments for sample, expected 2, got 1"},
    {"sample(v,0)",
     "sample window must be greater than 1, got 0"},
    {"sample(v,1.5)",
     "expected integer argument in sample()"},
    {"percentile(v)",
     "invalid number of arguments for percentile, expected 2, got 1"},
    {"percentile(v,'x')",
     "expected float argument in percentile()"},
    {"percentile(v,1,2)",
     "invalid number of arguments for percentile, expected 2, got 3"},
    {"percentile(v,1m)",
     "expected float argument in percentile()"},
    {"derivative(v,1)",
     "second argument to derivative must be a duration, got *influxql.IntegerLiteral"},
    {"derivative(v,-1s)",
     "duration argument must be positive, got -1s"},
    {"derivative(v,0s)",
     "duration argument must be positive, got 0s"},
    {"derivative()",
     "invalid number of arguments for derivative, expected at least 1 but no more than 2, got 0"},
    {"derivative(v,1s,2)",
     "invalid number of arguments for derivative, expected at least 1 but no more than 2, got 3"},
    {"derivative(mean(v))",
     "derivative aggregate requires a GROUP BY interval"},
    {"difference(v,1)",
     "invalid number of arguments for difference, expected 1, got 2"},
    {"difference()",
     "invalid number of arguments for difference, expected 1, got 0"},
    {"cumulative_sum(v,1)",
     "invalid number of arguments for cumulative_sum, expected 1, got 2"},
    {"moving_average(v)",
     "invalid number of arguments for moving_average, expected 2, got 1"},
    {"moving_average(v,1)",
     "moving_average window must be greater than 1, got 1"},
    {"moving_average(v,1.5)",
     "second argument for moving_average must be an integer, got *influxql.NumberLiteral"},
    {"moving_average(v,2s)",
     "second argument for moving_average must be an integer, got *influxql.DurationLiteral"},
    {"elapsed(v,1)",
     "second argument to elapsed must be a duration, got *influxql.IntegerLiteral"},
    {"elapsed(v,0s)",
     "duration argument must be positive, got 0s"},
    {"elapsed(v,1s,2)",
     "invalid number of arguments for elapsed, expected at least 1 but no more than 2, got 3"},
    {"integral(v,1)",
     "second argument must be a duration"},
    {"integral(v,0s)",
     "duration argument must be positive, got 0s"},
    {"integral(v,1s,1)",
     "invalid number of arguments for integral, expected at least 1 but no more than 2, got 3"},
    {"integral(mean(v))",
     "expected field argument in integral()"},
    {"distinct()",
     "distinct function requires at least one argument"},
    {"distinct(*)",
     "expected field argument in distinct()"},
    {"distinct(v,v)",
     "distinct function can only have one argument"},
    {"distinct(v),v",
     "aggregate function distinct() cannot be combined with other functions or fields"},
    {"count(distinct())",
     "distinct function requires at least one argument"},
    {"count(distinct(*))",
     "expected field argument in distinct()"},
    {"exponential_moving_average(v)",
     "invalid number of arguments for exponential_moving_average, expected at least 2 but no "
     "more than 4, got 1"},
    {"exponential_moving_average(v,0)",
     "exponential_moving_average period must be greater than or equal to 1"},
    {"exponential_moving_average(v,1.5)",
     "exponential_moving_average period must be an integer"},
    {"exponential_moving_average(v,2,-2)",
     "exponential_moving_average hold period must be greater than or equal to 0"},
    {"exponential_moving_average(v,2,1,'foo')",
     "exponential_moving_average warmup type must be one of: 'exponential' 'simple'"},
    {"exponential_moving_average(v,2,1.5)",
     "exponential_moving_average hold period must be an integer"},
    {"exponential_moving_average(v,2,1,1)",
     "exponential_moving_average warmup type must be a string"},
    {"exponential_moving_average(v,2,1,1,1)",
     "invalid number of arguments for exponential_moving_average, expected at least 2 but no "
     "more than 4, got 5"},
    {"kaufmans_efficiency_ratio(v,2,1,1)",
     "invalid number of arguments for kaufmans_efficiency_ratio, expected at least 2 but no "
     "more than 3, got 4"},
    {"chande_momentum_oscillator(v,2,1,none)",
     "chande_momentum_oscillator warmup type must be a string"},
    {"holt_winters(v)",
     "invalid number of arguments for holt_winters, expected 3, got 1"},
    {"holt_winters(v,1,1)",
     "must use aggregate function with holt_winters"},
    {"holt_winters(mean(v),1,1)",
     "holt_winters aggregate requires a GROUP BY interval"},
    {"holt_winters(mean(v),0,1)",
     "second arg to holt_winters must be greater than 0, got 0"},
    {"holt_winters(mean(v),'a',1)",
     "expected integer argument as second arg in holt_winters"},
    {"derivative(v),v",
     "mixing aggregate and non-aggregate queries is not supported"},
    {"derivative(derivative(v))",
     "derivative aggregate requires a GROUP BY interval"},
    {"mean(mean(v))",
     "expected field argument in mean()"},
    {"difference(5)",
     "expected field argument in difference()"},
    {"2*difference(*)",
     "unsupported expression with wildcard: difference()"},
    {"difference(v*2)",
     "expected field argument in difference()"},
    {"difference(distinct(v))",
     "difference aggregate requires a GROUP BY interval"},
    {"cumulative_sum(top(v,1))",
     "cumulative_sum aggregate requires a GROUP BY interval"},
    {"min(v),percentile(v,5),t",
     "mixing multiple selector functions with tags or fields is not supported"},
    {"foo(v)",
     "undefined function foo()"},
    {"derivative(foo(v))",
     "derivative aggregate requires a GROUP BY interval"},
    {"elapsed(max(v),1s)",
     "elapsed aggregate requires a GROUP BY interval"},
    {"sum(distinct(v))",
     "expected field argument in sum()"},
    {"max(distinct v)",
     "expected field argument in max()"},
    {"sum('x')",
     "expected field argument in sum()"},
    {"mean(5)",
     "expected field argument in mean()"},
    {"mean(v+1)",
     "expected field argument in mean()"},
    {"5",
     "field must contain at least one variable"},
    {"'x'",
     "field must contain at least one variable"},
    {"5+6",
     "field must contain at least one variable"},
    {"time",
     "at least 1 non-time field must be queried"},
    {"top(v,1.25)",
     "expected integer as last argument in top(), found 1.250"},
    {"top(v,3),v,bottom(v)",
     "selector function top() cannot be combined with other functions"},
    {"sum(w)+top(v,0)",
     "limit (0) in top function must be at least 1"},
    {"foo(v)-sum(w,3)",
     "undefined function foo()"},
    {"sum(w,3)-(foo(v))",
     "invalid number of arguments for sum, expected 1, got 2"},
    {"sqrt(16)",
     "field must contain at least one variable"},
    {"abs('x')+pow(2,/y/)",
     "cannot perform a binary expression on two literals"},
    {"sqrt(2,v)",
     "invalid number of arguments for sqrt, expected 1, got 2"},
    {"now()",
     "undefined function now()"},
    {"elapsed(now())",
     "elapsed aggregate requires a GROUP BY interval"},
    {"triple_exponential_derivative(v,3,0)",
     "triple_exponential_derivative hold period must be greater than or equal to 1"},
    {"sample(v,2),top(v,2)",
     "selector function top() cannot be combined with other functions"},
};

/* With windows. */
static const struct refusal in_windows[] = {
    {"derivative(v)",
     "aggregate function required inside the call to derivative"},
    {"elapsed(distinct(v)), v",
     "mixing aggregate and non-aggregate queries is not supported"},
    {"holt_winters(v, 1, 1)",
     "must use aggregate function with holt_winters"},
    {"derivative(foo(v))",
     "undefined function foo()"},
    {"v",
     "GROUP BY requires at least one aggregate function"},
    {"difference(bottom(v,2))",
     "selector function bottom() cannot be combined with other functions"},
    {"relative_strength_index(distinct(v),4)",
     "aggregate function distinct() cannot be combined with other functions or fields"},
    {"elapsed(floor(v))",
     "mixing aggregate and non-aggregate queries is not supported"},
    {"cumulative_sum(floor(min(v)))",
     "unsupported call: floor"},
};
/* clang-format on */

static void expect_refused(struct dbtest *t, const struct refusal *r, const char *rest)
{
    char text[512];
    char answer[512];
    (void)snprintf(text, sizeof(text), "SELECT %s FROM nothing%s", r->columns, rest);
    (void)snprintf(answer, sizeof(answer), "error: %s\n", r->message);
    dbtest_expect(t, text, answer);
}

static void test_refusals(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        expect_refused(&t, &refusals[i], "");
    }
    for (size_t i = 0; i < sizeof(in_windows) / sizeof(in_windows[0]); i++) {
        expect_refused(&t, &in_windows[i], " WHERE time >= 0 AND time < 1h GROUP BY time(1m)");
    }
    dbtest_close(&t);
}

static void test_limit_of_top(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_expect(&t, "SELECT top(v, 10) FROM nothing LIMIT 3",
                  "error: limit (10) in top function can not be larger than the LIMIT (3) in the "
                  "select statement\n");
    dbtest_expect(&t, "SELECT top(v, 3) FROM nothing LIMIT 3", "");
    dbtest_close(&t);
}

static void test_types(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m s=\"x\" 1\n");
    dbtest_expect(&t, "SELECT non_negative_derivative(s) FROM m",
                  "error: unsupported derivative iterator type: *query.stringInterruptIterator\n");
    dbtest_expect(&t, "SELECT cumulative_sum(s) FROM m",
                  "error: unsupported cumulative sum iterator type: "
                  "*query.stringInterruptIterator\n");
    dbtest_close(&t);
}

/* What no series has is not refused: it has no rows. */
static void test_nothing_to_refuse(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,h=a s=\"x\",v=1,n=-1i 1\n");
    dbtest_expect(&t, "SELECT mean(s) FROM m WHERE h = 'b'", "");
    dbtest_expect(&t, "SELECT mean(s) FROM m WHERE h = 'a'",
                  "error: unsupported mean iterator type: *query.stringInterruptIterator\n");
    dbtest_write(&t, "k,h=c b=true 1\n");
    dbtest_expect(&t,
                  "SELECT difference(first(*)) FROM k, m WHERE h = 'c' AND time < 9 GROUP BY "
                  "time(1ns)",
                  "error: unsupported difference iterator type: *query.booleanInterruptIterator\n");
    dbtest_expect(&t,
                  "SELECT difference(first(*)) FROM k, m WHERE h = 'd' AND time < 9 GROUP BY "
                  "time(1ns)",
                  "");
    dbtest_expect(&t, "SELECT mean(s) FROM m WHERE n < 0 AND h = 'x' OR h = 'y'", "");
    dbtest_expect(&t, "SELECT mean(s) FROM m WHERE n > 0 AND h = 'a' OR h = 'y'",
                  "error: unsupported mean iterator type: *query.stringInterruptIterator\n");
    dbtest_write(&t, "m,h=late s=\"x\" 1800000000000000000\n");
    dbtest_expect(&t, "SELECT mean(s) FROM m WHERE h = 'a' AND time > 1700000000s", "");
    dbtest_expect(&t, "SELECT count(s) FROM m WHERE time < 9 AND h =~ /late|a/ GROUP BY h SLIMIT 1",
                  "m{h=a}: time=0 count=1i\n");
    dbtest_expect(&t,
                  "SELECT count(s) FROM m WHERE time > 10000000s AND time < 1900000000s "
                  "GROUP BY h SLIMIT 1",
                  "m{h=late}: time=10000000000000001 count=1i\n");
    dbtest_write(&t, "m,h=other v=1 1700000000000000000\n");
    dbtest_expect(&t, "SELECT mean(s) FROM m WHERE h = 'other'", "");
    dbtest_expect(&t, "SELECT mean(s) FROM m WHERE h = 'late'",
                  "error: unsupported mean iterator type: *query.stringInterruptIterator\n");
    dbtest_expect(&t, "SELECT v FROM m WHERE h =~ /a/ + 1",
                  "error: expected a regular expression\n");
    dbtest_expect(&t, "SELECT sum(v::boolean) FROM m", "");
    dbtest_expect(&t, "SELECT (abs((mean(/v/)))) FROM m", "m: time=0 abs_v=1\n");
    dbtest_expect(&t, "SELECT sum(v::string), max(n) FROM m", "m: time=0 sum=null max=-1i\n");
    dbtest_expect(&t,
                  "SELECT difference(min(n::string)), max(n) FROM m WHERE time > 0 AND time < 2 "
                  "GROUP BY time(2ns)",
                  "m: time=0 difference=null max=-1i\n");
    dbtest_expect(&t, "SELECT difference(distinct(s)) FROM m WHERE time < 9 GROUP BY time(1ns)",
                  "error: unsupported difference iterator type: *query.stringIntervalIterator\n");
    dbtest_close(&t);
}

/* A math function is of the type of its argument; a subquery's columns are not checked. */
static void test_types_of_columns(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m s=\"x\",v=1,n=-1i,b=true 1\n");
    dbtest_expect(&t, "SELECT asin(n), log2(s) FROM m",
                  "m: time=1 asin=-1.5707963267948966 log2=null\n");
    dbtest_expect(&t, "SELECT pow(v, 3h) FROM m", "m: time=1 pow=null\n");
    dbtest_expect(&t, "SELECT sin(n) & 1 FROM m", "m: time=1 sin=null\n");
    dbtest_expect(&t, "SELECT 2 + sin(max(v)) & max(n) FROM m GROUP BY *",
                  "error: type error: sin(max(v::float)) & max(n::integer): incompatible types: "
                  "float and integer\n");
    dbtest_expect(&t, "SELECT s::boolean + n FROM m",
                  "error: type error: s::boolean + n::integer: incompatible types: boolean and "
                  "integer\n");
    dbtest_expect(&t, "SELECT max(x) FROM (SELECT s - 2 AS x FROM m)", "");
    dbtest_expect(&t, "SELECT v FROM (SELECT s - 2 AS v FROM m), m", "");
    dbtest_expect(&t, "SELECT sum(n::string) FROM (SELECT n FROM m), m",
                  "error: unsupported sum iterator type: *query.stringInterruptIterator\n");
    dbtest_expect(&t, "SELECT top(b, h, 2) FROM m",
                  "error: unsupported top iterator type: *query.booleanReduceBooleanIterator\n");
    dbtest_expect(&t, "SELECT bottom(s, h, 2) FROM m",
                  "error: unsupported min iterator type: *query.stringInterruptIterator\n");
    dbtest_expect(&t, "SELECT v | 7 * -pow(v, 2) FROM m",
                  "error: type error: v::float | 7 * -1 * pow(v::float, 2): incompatible types: "
                  "float and float\n");
    dbtest_expect(&t, "SELECT x ^ 10 FROM (SELECT tan(none) AS x FROM m)", "");
    dbtest_expect(&t, "SELECT x ^ 10 FROM (SELECT tan(v) AS x FROM m)",
                  "error: type error: x::float ^ 10: incompatible types: float and integer\n");
    dbtest_expect(&t, "SELECT v FROM (SELECT b AS v FROM m), m",
                  "m: time=1 v=true\nm: time=1 v=1\n");
    dbtest_expect(&t, "SELECT n FROM (SELECT mean(s) FROM m)", "");
    dbtest_expect(&t, "SELECT * FROM (SELECT s - 2 AS x, n, none FROM m)",
                  "m: time=1 n=-1i none=null x=null\n");
    dbtest_expect(&t, "SELECT b ^ 1, 1 & b FROM m",
                  "error: type error: 1 & b::boolean: incompatible types: integer and boolean\n");
    dbtest_expect(&t, "SELECT b ^ 1 FROM m", "m: time=1 b=false\n");
    dbtest_expect(&t, "SELECT n / n | 0.5 FROM m",
                  "error: type error: n::integer / n::integer | 0.500: incompatible types: integer "
                  "and float\n");
    dbtest_expect(&t, "SELECT median(x), count(x), sum(x), max(n) FROM m fill(1.5)",
                  "m: time=0 median=1.5 count=1i sum=null max=-1i\n");
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limit_of_top),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_nothing_to_refuse),
        cmocka_unit_test(test_types_of_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
