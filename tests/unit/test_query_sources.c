/*
 * Several sources of one name, and subqueries under functions that look beside their range: points
 * come as InfluxDB 1.8 merges them; and what of a subquery it does not look at. All answers were
 * compared with its.
 */
#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

struct question {
    const char *text;
    const char *answer;
};

static const char lines[] = "m,h=a v=1,i=1i,s=\"x\" 1000000000000\n"
                            "m,h=b v=2,i=2i 1000000000000\n"
                            "m,h=a v=4,i=9i 1060000000000\n"
                            "m,h=b v=8,i=7i,s=\"y\" 1120000000000\n"
                            "n,h=a w=1 1060000000000\n"
                            "other,h=c v=16 1060000000000\n";

/* clang-format off */
static const struct question questions[] = {
    {"select v from m, m",
     "m: time=1000000000000 v=1\n"
     "m: time=1000000000000 v=1\n"
     "m: time=1000000000000 v=2\n"
     "m: time=1000000000000 v=2\n"
     "m: time=1060000000000 v=4\n"
     "m: time=1060000000000 v=4\n"
     "m: time=1120000000000 v=8\n"
     "m: time=1120000000000 v=8\n"},
    {"select v from m, rp2.m order by time desc",
     "m: time=1120000000000 v=8\n"
     "m: time=1060000000000 v=16\n"
     "m: time=1060000000000 v=4\n"
     "m: time=1000000000000 v=2\n"
     "m: time=1000000000000 v=1\n"},
    {"select elapsed(v) from rp2.m, m",
     "m: time=1000000000000 elapsed=-60000000000i\n"
     "m: time=1000000000000 elapsed=0i\n"
     "m: time=1060000000000 elapsed=60000000000i\n"
     "m: time=1120000000000 elapsed=60000000000i\n"},
    {"select cumulative_sum(v) from (select v from m), m",
     "m: time=1000000000000 cumulative_sum=1\n"
     "m: time=1000000000000 cumulative_sum=3\n"
     "m: time=1060000000000 cumulative_sum=7\n"
     "m: time=1120000000000 cumulative_sum=15\n"
     "m: time=1000000000000 cumulative_sum=16\n"
     "m: time=1000000000000 cumulative_sum=18\n"
     "m: time=1060000000000 cumulative_sum=22\n"
     "m: time=1120000000000 cumulative_sum=30\n"},
    {"select cumulative_sum(v) from m, (select v from m) order by time desc",
     "m: time=1120000000000 cumulative_sum=8\n"
     "m: time=1060000000000 cumulative_sum=12\n"
     "m: time=1000000000000 cumulative_sum=14\n"
     "m: time=1000000000000 cumulative_sum=15\n"
     "m: time=1120000000000 cumulative_sum=23\n"
     "m: time=1060000000000 cumulative_sum=27\n"
     "m: time=1000000000000 cumulative_sum=29\n"
     "m: time=1000000000000 cumulative_sum=30\n"},
    {"select derivative(v, 1s) from rp2.m, m limit 1",
     "m: time=1000000000000 derivative=0.25\n"},
    {"select moving_average(v, 2) from m, rp2.m",
     "m: time=1000000000000 moving_average=1.5\n"
     "m: time=1060000000000 moving_average=3\n"
     "m: time=1120000000000 moving_average=6\n"
     "m: time=1060000000000 moving_average=12\n"},
    {"select difference(last(v)) from m, rp2.m where time >= 900s and time < 1200s group "
      "by time(1m)",
     "m: time=1020000000000 difference=14\n"
     "m: time=1080000000000 difference=-8\n"},
    {"select max(i) from (select v from m), m",
     ""},
    {"select count(i) from (select v from m), m",
     "m: time=0 count=4i\n"},
    {"select max(i) from m, (select v from m)",
     "m: time=1060000000000 max=9i\n"},
    {"select zz::float from (select v from m)",
     "m: time=1000000000000 zz=null\n"
     "m: time=1000000000000 zz=null\n"
     "m: time=1060000000000 zz=null\n"
     "m: time=1120000000000 zz=null\n"},
    {"select zz::field from (select v from m)",
     ""},
    {"select bottom(v::string, 2) from (select v from nope)",
     "error: unsupported bottom iterator type: *query.stringInterruptIterator\n"},
    {"select first(x) from (select h as x, v from m)",
     "m: time=1000000000000 first=\"b\"\n"},
    {"select distinct(h) from (select v from m group by h)",
     "m: time=0 distinct=\"a\"\n"
     "m: time=0 distinct=\"b\"\n"},
    {"select sum(x) from (select h as x, v from m)",
     "error: unsupported sum iterator type: *query.stringInterruptIterator\n"},
    {"select x from (select percentile(s, 1) ^ v as x from m)",
     ""},
    {"select w from (select spread(s) from m), n",
     "error: unsupported spread iterator type: *query.stringInterruptIterator\n"},
    {"select max(w) from (select spread(s) from m), n",
     "n: time=1060000000000 max=1\n"},
    {"select v from (select v from m group by time(1m))",
     "error: fill(none) must be used with a function\n"},
    {"select v from (select v from m group by time(1m) fill(0))",
     "error: GROUP BY requires at least one aggregate function\n"},
    {"select holt_winters(first(s), 2, 2) from m where time > 0 and time < 2000s group by time(1m)",
     "error: unsupported elapsed iterator type: *query.stringInterruptIterator\n"},
    {"select i from m where i / 2 = 4",
     "m: time=1060000000000 i=9i\n"},
    {"select i from m where i / 2 = 4.5",
     ""},
    {"select i / 2 as x from m where i / 0 = 0 and i > 7 and (i / -1 = -9 or v = 100)",
     "m: time=1060000000000 x=4.5\n"},
    {"select *::field from (select v, h from m limit 1)",
     "m: time=1000000000000 v=1\n"},
    {"select *::tag, v from (select v, h from m limit 1)",
     "m: time=1000000000000 h=\"a\" v=1\n"},
    {"select top(s, h, 2) from m",
     "error: unsupported max iterator type: *query.stringInterruptIterator\n"},
    {"select v from m, n where s != 'x'",
     "m: time=1120000000000 v=8\n"},
    {"select w from m, n where s != 'x'",
     ""},
    {"select w from m, n where h != 'x'",
     "n: time=1060000000000 w=1\n"},
    {"select count(d) from (select difference(v) as d from m) where time > 1000s and time "
      "< 1200s group by time(1m) fill(none)",
     "m: time=1080000000000 count=1i\n"},
    {"select d from (select difference(v) as d from m where time > 1000s and time < 1200s)",
     "m: time=1120000000000 d=4\n"},
    {"select d from (select difference(mean(v)) as d from m group by time(1m)) where time "
      "> 1000s and time < 1200s",
     "m: time=1080000000000 d=4\n"},
    {"select difference(max(d)) from (select difference(mean(v)) as d from m group by "
      "time(1m)) where time > 1060s and time < 1200s group by time(1m)",
     ""},
    {"select x, h from (select max(v) as x from m group by time(10m), h) where time >= "
      "600s and time < 1200s",
     "m: time=600000000000 x=4 h=\"a\"\n"
     "m: time=600000000000 x=8 h=\"b\"\n"},
    {"select median(x) from (select first(v) as x from m where v > 1 and time >= 900s and time "
     "< 1500s group by time(5m), h fill(10)) where time >= 900s and time < 1500s group by time(5m)",
     "m: time=900000000000 median=2\n"
     "m: time=1200000000000 median=10\n"
     "m: time=900000000000 median=4\n"
     "m: time=1200000000000 median=10\n"},
    {"select spread(x) from (select first(v) as x from m where v > 1 and time >= 900s and time < "
     "1500s group by time(5m), h fill(linear)) where time >= 900s and time < 1500s group by "
     "time(5m)",
     "m: time=900000000000 spread=0\n"
     "m: time=900000000000 spread=0\n"},
    {"select sum(x) from (select first(v) as x, h from m where v > 1 and time >= 900s and time "
     "< 1500s group by time(5m), h fill(10)) where time >= 900s and time < 1500s group by time(5m)",
     "m: time=900000000000 sum=4\n"
     "m: time=1200000000000 sum=10\n"
     "m: time=900000000000 sum=2\n"
     "m: time=1200000000000 sum=10\n"},
    {"select spread(v) from (select first(v) as v from m where v > 1 and time >= 900s and time "
     "< 1500s group by time(5m), h fill(10)), m where time >= 900s and time < 1500s group by "
     "time(5m)",
     "m: time=900000000000 spread=7\n"
     "m: time=1200000000000 spread=0\n"
     "m: time=900000000000 spread=0\n"
     "m: time=1200000000000 spread=0\n"},
    {"select max(v), median(s) from m, other where h = 'c'",
     "other: time=0 max=16 median=null\n"},
    {"select max(v), median(s) from m, other where h = 'b'",
     "error: unsupported median iterator type: *query.stringInterruptIterator\n"},
    {"select top(i, h, 2) from (select w from n), m",
     ""},
    {"select top(i, h, 2) from m, (select w from n)",
     "m: time=1060000000000 top=9i h=\"a\"\n"
     "m: time=1120000000000 top=7i h=\"b\"\n"},
    {"select * from (select min(s) from m soffset 20), n",
     "n: time=1060000000000 h=\"a\" min=null w=1\n"},
    {"select min(s) from (select min(s) as s from m soffset 20)",
     "error: unsupported min iterator type: *query.stringInterruptIterator\n"},
    {"select v from (select v, distinct(i) from m), nope.m",
     "error: aggregate function distinct() cannot be combined with other functions or fields\n"},
    {"select t from (select w, t from n group by t)",
     "n: time=1060000000000 t=null\n"},
    {"select t::field from (select w, t from n group by t)",
     ""},
    {"select h::field from (select w from n group by h)",
     ""},
    {"select x::integer from (select ln(v - 3) as x from m)",
     "m: time=1000000000000 x=null\n"
     "m: time=1000000000000 x=null\n"
     "m: time=1060000000000 x=0i\n"
     "m: time=1120000000000 x=1i\n"},
    {"select x from (select median(v) as x from m where v > 1 and v < 8 group by h)",
     "m: time=0 x=2\n"
     "m: time=0 x=4\n"},
    {"select x from (select mode(i) as x from m where v > 1 and v < 8 group by h)",
     "m: time=0 x=2i\n"
     "m: time=0 x=9i\n"},
    {"select x from (select mean(v) as x from m where v > 1 and v < 8 group by h)",
     "m: time=0 x=4\n"
     "m: time=0 x=2\n"},
    {"select h, round(x) from (select holt_winters_with_fit(max(v), 1, 0) as x from m where time "
     ">= 960s and time < 1140s group by time(1m), h)",
     "m: time=960000000000 h=\"a\" round=1\n"
     "m: time=960000000000 h=\"b\" round=2\n"
     "m: time=1020000000000 h=\"a\" round=4\n"
     "m: time=1020000000000 h=\"b\" round=4\n"
     "m: time=1080000000000 h=\"a\" round=9\n"
     "m: time=1080000000000 h=\"b\" round=8\n"
     "m: time=1140000000000 h=\"b\" round=19\n"},
    {"select sum(s) from m where h > 'x'",
     ""},
    {"select count(w), min(h), sum(z) from n fill(-1.5)",
     "n: time=0 count=1i min=-1.5 sum=null\n"},
    {"select count(u) from (select w, u from n fill(-1.5))",
     ""},
    {"select v from m where h / '' or v = 1",
     "m: time=1000000000000 v=1\n"},
    {"select w from n where (w = 2 and h + h) or w + 1 or w = 3",
     "n: time=1060000000000 w=1\n"},
    {"select w from n where h + h",
     ""},
    {"select sum(s) from m where h >= y",
     ""},
    {"select sum(s) from m where y = z",
     ""},
    {"select sum(s) from m where h = h",
     "error: unsupported sum iterator type: *query.stringInterruptIterator\n"},
    {"select v from m where h >= h",
     ""},
    {"select w from n where u::field != 'x'",
     "n: time=1060000000000 w=1\n"},
    {"select w from n where h != u::field",
     "n: time=1060000000000 w=1\n"},
    {"select w from n where h::field != 'x'",
     ""},
    {"select x from (select distinct(v) as x, i from m order by time desc)",
     "error: subqueries must be ordered in the same direction as the query itself\n"},
    {"select x from (select v as x from m fill(none) order by time desc)",
     "error: subqueries must be ordered in the same direction as the query itself\n"},
};
/* clang-format on */

static void test_sources(void **state)
{
    (void)state;
    for (enum dbtest_state s = DBTEST_MEMTABLE; s < DBTEST_STATES; s++) {
        struct dbtest t;
        print_message("%s\n", dbtest_state_name(s));
        dbtest_open(&t);
        dbtest_load(&t, s, lines);
        dbtest_run(&t, "create retention policy rp2 on t duration inf replication 1;"
                       "select v into rp2.m from other group by *");
        for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
            dbtest_expect(&t, questions[i].text, questions[i].answer);
        }
        dbtest_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
