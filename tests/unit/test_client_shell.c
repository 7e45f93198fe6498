/* Parts of the shell: where statements end, what a cursor asks for, text for a terminal. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "client/shell_complete.h"
#include "client/shell_input.h"
#include "client/shell_text.h"
#include "tests/lib/unit.h"

static void test_open_input(void **state)
{
    (void)state;
    static const char *const open[] = {"SELECT",
                                       "SELECT x FROM",
                                       "SELECT x,",
                                       "SELECT mean(",
                                       "SELECT 'a",
                                       "SELECT \"a\\\"",
                                       "SELECT /* a",
                                       "x WHERE a =",
                                       "x WHERE a = 'b' AND",
                                       "SELECT x FROM -- m",
                                       "a group by\n"};
    static const char *const whole[] = {"SHOW DATABASES",
                                        "SELECT x FROM m",
                                        "SELECT x FROM;",
                                        "SELECT ');' FROM m",
                                        "SELECT (x) FROM m -- (",
                                        "SELECT * FROM m",
                                        "SELECT \"a\\\"\" FROM /x/",
                                        ""};
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        if (!bbsh_input_open(open[i]))
            fail_msg("%s", open[i]);
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        if (bbsh_input_open(whole[i]))
            fail_msg("%s", whole[i]);
}

static void test_statements(void **state)
{
    (void)state;
    const char *text = " ; -- c;\nSELECT ';' ;\n\\plot a; b\n SHOW \"x;\\\";\"/*;*/ ;; ";
    static const char *const want[] = {"SELECT ';'", "\\plot a; b", "SHOW \"x;\\\";\"/*;*/"};
    size_t count = 0, begin, end, next;
    while ((next = bbsh_input_statement(text, &begin, &end)) > 0) {
        assert_true(count < 3);
        assert_int_equal(end - begin, strlen(want[count]));
        assert_memory_equal(text + begin, want[count], end - begin);
        text += next;
        count++;
    }
    assert_int_equal(count, 3);
}

static void expect_place(const char *text, int wanted, const char *word, const char *measurement,
                         const char *tag)
{
    struct bbsh_place place;
    const char *mark = strchr(text, '^');
    char whole[256];
    size_t cursor = (size_t)(mark - text);
    snprintf(whole, sizeof(whole), "%.*s%s", (int)cursor, text, mark + 1);
    bbsh_place_find(whole, cursor, &place);
    if (place.wanted != wanted)
        fail_msg("%s: wanted %d", text, place.wanted);
    assert_int_equal(cursor - place.word, strlen(word));
    assert_memory_equal(whole + place.word, word, strlen(word));
    assert_string_equal(place.measurement, measurement);
    assert_string_equal(place.tag, tag);
}

static void test_places(void **state)
{
    (void)state;
    expect_place("^", BBSH_WANT_KEYWORD, "", "", "");
    expect_place("SEL^", BBSH_WANT_KEYWORD, "SEL", "", "");
    expect_place("\\pl^", BBSH_WANT_COMMAND, "\\pl", "", "");
    expect_place("\\use e^", BBSH_WANT_DATABASE, "e", "", "");
    expect_place("SELECT v^ FROM m", BBSH_WANT_FIELD, "v", "m", "");
    expect_place("SELECT mean(^ FROM \"m 1\"", BBSH_WANT_FIELD, "", "m 1", "");
    expect_place("SELECT v FROM re^", BBSH_WANT_MEASUREMENT, "re", "re", "");
    expect_place("SELECT v FROM \"re^", BBSH_WANT_MEASUREMENT, "\"re", "re", "");
    expect_place("SELECT v FROM m W^", BBSH_WANT_KEYWORD, "W", "m", "");
    expect_place("SELECT v FROM m WHERE d^", BBSH_WANT_TAG_OR_FIELD, "d", "m", "");
    expect_place("SELECT v FROM m WHERE dev = ^", BBSH_WANT_TAG_VALUE, "", "m", "dev");
    expect_place("SELECT v FROM m WHERE \"d v\" != 'M^", BBSH_WANT_TAG_VALUE, "'M", "m", "d v");
    expect_place("SELECT v FROM m WHERE a = 'b' A^", BBSH_WANT_KEYWORD, "A", "m", "a");
    expect_place("SELECT v FROM m GROUP BY time(1d), f^", BBSH_WANT_TAG_OR_FIELD, "f", "m", "");
    expect_place("SHOW TAG KEYS ON e^", BBSH_WANT_DATABASE, "e", "", "");
}

static void check_safe(const char *raw, size_t n, const char *want)
{
    struct text t;
    text_init(&t, 1000);
    bbsh_put_safe(&t, raw, n);
    assert_string_equal(text_get(&t), want);
    text_fini(&t);
}

static void check_fitted(const char *raw, size_t width, bool right, const char *want)
{
    struct text t;
    text_init(&t, 1000);
    bbsh_put_fitted(&t, raw, strlen(raw), width, right, true);
    assert_string_equal(text_get(&t), want);
    assert_int_equal(bbsh_width(text_get(&t), t.len), width);
    text_fini(&t);
}

static void test_text(void **state)
{
    (void)state;
    check_safe("a\n\t\033[2J\x7f\xff\xc3\xa9", 11, "a\\n\\t\\x1b[2J\\x7f\\xff\u00e9");
    check_safe("\xc2\x9b"
               "1m",
               4, "\\xc2\\x9b1m");
    check_safe("\0", 1, "\\x00");
    check_fitted("abc", 5, false, "abc  ");
    check_fitted("12", 4, true, "  12");
    check_fitted("abcdef", 4, false, "abc\u2026");
    check_fitted("\u65e5\u672c\u8a9e", 4, false, "\u65e5\u2026 ");
    check_fitted("e\u0301te", 3, false, "e\u0301te");
}

static void check_time(int64_t time_ns, const char *zone, const char *want)
{
    struct text t;
    text_init(&t, 1000);
    assert_true(bbsh_set_zone(zone));
    bbsh_put_time(&t, time_ns, bbsh_is_utc(zone));
    assert_string_equal(text_get(&t), want);
    text_fini(&t);
}

static void test_times(void **state)
{
    (void)state;
    check_time(0, "", "1970-01-01T00:00:00Z");
    check_time(-1, "UTC", "1969-12-31T23:59:59.999999999Z");
    check_time(INT64_MAX, "", "2262-04-11T23:47:16.854775807Z");
    check_time(INT64_MIN, "", "1677-09-21T00:12:43.145224192Z");
    check_time(INT64_C(1711846800000000000), "Europe/London", "2024-03-31T02:00:00+01:00");
    check_time(INT64_C(1711846799500000000), "Europe/London", "2024-03-31T00:59:59.5+00:00");
    check_time(0, "America/St_Johns", "1969-12-31T20:30:00-03:30");
    assert_false(bbsh_set_zone("Nowhere/Land"));
    assert_false(bbsh_set_zone("../../etc/passwd"));
    assert_false(bbsh_set_zone("/etc/localtime"));
}

static void check_found(const char *query, const char *want)
{
    char zone[16];
    bbsh_find_zone(query, zone, sizeof(zone));
    assert_string_equal(zone, want);
}

static void test_zone_of_a_query(void **state)
{
    (void)state;
    check_found("SELECT v FROM m tz('Europe/Rome')", "Europe/Rome");
    check_found("select v from m TZ ( 'Asia/Tokyo' ) ; select v from m", "Asia/Tokyo");
    check_found("SELECT v FROM m", "");
    check_found("SELECT v FROM m WHERE s = 'x\\' tz(' AND \"tz(\" > 1", "");
    check_found("SELECT notz('A/B') FROM tz", "");
    check_found("SELECT v FROM m tz('", "");
    check_found("SELECT v FROM m tz('')", "");
    check_found("SELECT v FROM m tz('Europe/Far_Too_Long_A_Name')", "");
    check_found("SELECT 'open", "");
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_input), cmocka_unit_test(test_statements),
        cmocka_unit_test(test_places),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_times),      cmocka_unit_test(test_zone_of_a_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
