/* Parameters of queries, with the answers and errors of InfluxDB. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dbtest.h"

static struct dbtest t;

static int setup(void **state)
{
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,a=x v=1,n=2i,b=true 1000\nm,a=y v=2,n=3i,b=false 2000\nz,q=w s=\"it\" 5\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dbtest_close(&t);
    return 0;
}

struct a_case {
    const char *text;
    struct bb_param param;
    const char *answer;
};

static const char *const row_1 = "m: time=1000 v=1\n";
static const char *const row_2 = "m: time=2000 v=2\n";

static void values(void **state)
{
    const struct a_case cases[] = {
        {"SELECT v FROM m WHERE v > $p", {"p", BB_PARAM_FLOAT, {.f = 1.5}}, row_2},
        {"SELECT v FROM m WHERE n = $p", {"p", BB_PARAM_INT, {.i = 2}}, row_1},
        {"SELECT v FROM m WHERE n > $p",
         {"p", BB_PARAM_INT, {.i = INT64_MIN}},
         "m: time=1000 v=1\nm: time=2000 v=2\n"},
        {"SELECT v FROM m WHERE b = $p", {"p", BB_PARAM_BOOL, {.b = false}}, row_2},
        {"SELECT v FROM m WHERE a = $p", {"p", BB_PARAM_STRING, {.str = "x"}}, row_1},
        {"SELECT v FROM m WHERE a = $p", {"p", BB_PARAM_STRING, {.str = "x' OR a = 'y"}}, ""},
        {"SELECT v FROM m WHERE a =~ $p", {"p", BB_PARAM_REGEX, {.str = "^[y/]$"}}, row_2},
        {"SELECT v FROM $p LIMIT 1", {"p", BB_PARAM_IDENTIFIER, {.str = "m"}}, row_1},
        {"SELECT v FROM $p", {"p", BB_PARAM_IDENTIFIER, {.str = "m; DROP"}}, ""},
        {"SELECT v FROM m WHERE time > $p", {"p", BB_PARAM_DURATION, {.str = "1u"}}, row_2},
        {"SELECT v FROM m WHERE time > $p", {"p", BB_PARAM_DURATION_NS, {.i = 1999}}, row_2},
        {"SELECT v FROM m LIMIT $p", {"p", BB_PARAM_INT, {.i = 1}}, row_1},
        {"SELECT v FROM m WHERE a = $\"p\"", {"p", BB_PARAM_STRING, {.str = "y"}}, row_2},
        {"SHOW TAG VALUES WITH KEY = $p",
         {"p", BB_PARAM_IDENTIFIER, {.str = "q"}},
         "z: key=\"q\" value=\"w\"\n"},
    };
    (void)state;
    t.param_count = 1;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        t.params = &cases[i].param;
        dbtest_expect(&t, cases[i].text, cases[i].answer);
    }
}

static void faults(void **state)
{
    const struct a_case cases[] = {
        {"SELECT v FROM m WHERE a = $q", {"p", BB_PARAM_INT, {.i = 1}}, "missing parameter: q"},
        {"SELECT v FROM m WHERE a = $", {"p", BB_PARAM_INT, {.i = 1}}, "empty bound parameter"},
        {"SELECT v FROM m WHERE a = $p",
         {"p", BB_PARAM_ERROR, {.str = "unable to bind parameter with type <nil>"}},
         "missing parameter: unable to bind parameter with type <nil>"},
        {"SELECT * FROM $p",
         {"p", BB_PARAM_ERROR, {.str = "unable to bind parameter with type <nil>"}},
         "found unable to bind parameter with type <nil>, expected identifier at line 1, char 15"},
        {"SELECT * FROM $p",
         {"p", BB_PARAM_STRING, {.str = "m"}},
         "found m, expected identifier at line 1, char 15"},
        {"SELECT * FROM $m",
         {"p", BB_PARAM_STRING, {.str = "m"}},
         "found $m, expected identifier at line 1, char 15"},
        {"SELECT * FROM m WHERE a =~ $a",
         {"a", BB_PARAM_STRING, {.str = "x"}},
         "found x, expected regex at line 1, char 28"},
        {"SELECT * FROM m WHERE time > $a",
         {"a", BB_PARAM_DURATION, {.str = "1x"}},
         "invalid duration"},
        {"SELECT * FROM m LIMIT $a",
         {"a", BB_PARAM_INT, {.i = -1}},
         "LIMIT must be >= 0 at line 1, char 23"},
    };
    char answer[256];
    (void)state;
    t.param_count = 1;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        t.params = &cases[i].param;
        (void)snprintf(answer, sizeof(answer), "error: error parsing query: %s\n", cases[i].answer);
        dbtest_expect(&t, cases[i].text, answer);
    }
}

static void not_parameters(void **state)
{
    const struct bb_param twice[] = {{"p", BB_PARAM_INT, {.i = 1}}, {"p", BB_PARAM_INT, {.i = 2}}};
    const struct bb_param infinite = {"p", BB_PARAM_FLOAT, {.f = HUGE_VAL}};
    (void)state;
    t.params = twice;
    t.param_count = 2;
    dbtest_expect(&t, "SHOW DATABASES", "error: query parameter p is given twice\n");
    t.params = &infinite;
    t.param_count = 1;
    dbtest_expect(&t, "SHOW DATABASES", "error: query parameter p is not finite\n");
    t.param_count = BB_PARAM_COUNT_MAX + 1;
    dbtest_expect(&t, "SHOW DATABASES", "error: more than 65536 query parameters\n");
}

static void many_parameters(void **state)
{
    static struct bb_param params[1000];
    static char names[1000][8];
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "p%zu", i * 7 % 1000);
        params[i] = (struct bb_param){names[i], BB_PARAM_INT, {.i = (int64_t)(i * 7 % 1000)}};
    }
    t.params = params;
    t.param_count = 1000;
    dbtest_expect(&t, "SELECT v FROM m WHERE n = $p2; SELECT v FROM m WHERE n = $p3 OR n = $p999",
                  "m: time=1000 v=1\nm: time=2000 v=2\n");
}

static void a_bad_regex_stops_the_whole_text(void **state)
{
    (void)state;
    t.param_count = 0;
    dbtest_expect(&t, "CREATE DATABASE never; SELECT v FROM m WHERE a =~ /(/",
                  "error: error parsing query: error parsing regexp: missing closing ): `(` at "
                  "line 1, char 50\n");
    dbtest_expect(&t, "SHOW DATABASES", "databases: name=\"t\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(faults),
        cmocka_unit_test(not_parameters),
        cmocka_unit_test(many_parameters),
        cmocka_unit_test(a_bad_regex_stops_the_whole_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
