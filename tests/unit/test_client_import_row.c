#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/import_escape.h"
#include "client/import_map.h"
#include "client/import_row.h"
#include "tests/lib/unit.h"

#define ROWS_MAX    16
#define COLUMNS_MAX 12

/** A small table: the first row is the header. */
struct table {
    struct csv_field cells[ROWS_MAX * COLUMNS_MAX];
    unsigned rows, columns;
};

/** Cells are cut at ';', rows at '\n'; a cell in quotes counts as quoted, its quotes stay off. */
static struct table table_of(const char *text)
{
    struct table t = {0};
    unsigned column = 0;
    for (const char *at = text;;) {
        size_t n = strcspn(at, ";\n");
        bool quoted = n >= 2 && at[0] == '"' && at[n - 1] == '"';
        t.cells[t.rows * COLUMNS_MAX + column++] = (struct csv_field){at + quoted, n - 2 * quoted,
                                                                      quoted};
        at += n;
        if (*at != ';') {
            t.columns = t.rows == 0 ? column : t.columns;
            t.rows++;
            column = 0;
        }
        if (*at == '\0')
            return t;
        at++;
    }
}

/** Map the table and return its lines; a refused row is its reason in <>. */
static const char *convert(const char *text, const char *map_spec, const char *tz,
                           const struct row_options *options)
{
    static char out[16384];
    struct table t = table_of(text);
    struct csv_field packed[ROWS_MAX * COLUMNS_MAX];
    struct map map;
    struct zone zone;
    char error[MAP_ERROR_MAX];
    struct import_buf lines = {0};
    assert_true(zone_init(&zone, tz));
    for (unsigned row = 1; row < t.rows; row++)
        memcpy(packed + (size_t)(row - 1) * t.columns, t.cells + (size_t)row * COLUMNS_MAX,
               t.columns * sizeof(*packed));
    struct map_samples samples = {packed, t.rows - 1, options->decimal};
    assert_true(map_init(&map, t.cells, t.columns));
    struct row_maker *maker = NULL;
    if ((map_spec == NULL || map_apply(&map, map_spec, error)) &&
        map_complete(&map, &samples, error))
        maker = row_maker_create(&map, &zone, options, error);
    for (unsigned row = 1; maker != NULL && row < t.rows; row++) {
        struct csv_row r = {.fields = t.cells + (size_t)row * COLUMNS_MAX, .count = t.columns};
        const char *reason = row_make(maker, &r, &lines);
        if (reason != NULL)
            import_buf_printf(&lines, "<%s>\n", reason);
    }
    snprintf(out, sizeof(out), "%s", maker == NULL ? error : import_buf_text(&lines));
    row_maker_destroy(&maker);
    import_buf_fini(&lines);
    map_fini(&map);
    return out;
}

static const struct row_options plain = {.measurement = "reading", .decimal = '.'};

static void test_guessed(void **state)
{
    (void)state;
    assert_string_equal(convert("device_id;timestamp;value\nM 1;2024-03-15T12:00:00Z;0.10\n"
                                "M 1;2024-03-15T12:30:00Z;\nM2;2024-03-15T12:30:00Z;+1e3",
                                NULL, "UTC", &plain),
                        "reading,device_id=M\\ 1 value=0.10 1710504000000000000\n"
                        "reading,device_id=M2 value=1e3 1710505800000000000\n");
    assert_string_equal(
        convert("Date;Time;kwh;ok;note\n16/12/2006;17:24:00;4.2;true;\"a \"b\" \\c\"\n"
                "17/12/2006;00:00;NA;false;x",
                NULL, "UTC", &plain),
        "reading kwh=4.2,ok=true,note=\"a \\\"b\\\" \\\\c\" 1166289840000000000\n"
        "reading ok=false,note=\"x\" 1166313600000000000\n");
}

static void test_mapped(void **state)
{
    static const char *const tags[] = {"site=a b", "x=1"};
    struct row_options options = plain;
    (void)state;
    options.tags = tags;
    options.tag_count = 2;
    assert_string_equal(
        convert("m;d;i;u;b;s;when\nfoo bar;k=1,2;5;7;yes;7;15/03/2024 12:00",
                "m=measurement,d=tag:device_id,i=field::int,u=field:un:uint,B=field::bool,"
                "s=field::string,#7=time:%d/%m/%Y %H:%M",
                "UTC", &options),
        "foo\\ bar,device_id=k\\=1\\,2,site=a\\ b,x=1 i=5i,un=7u,b=true,s=\"7\" "
        "1710504000000000000\n");
    assert_string_equal(convert("t;a;b\n1710504000;1;2", "t=time:s,a=field,*=skip", "UTC", &plain),
                        "reading a=1 1710504000000000000\n");
    assert_string_equal(
        convert("t;a;b\n1, 2024;1;2", "t=time:%j, %Y,a=field,*=skip", "UTC", &plain),
        "reading a=1 1704067200000000000\n");
}

static void test_wide(void **state)
{
    (void)state;
    assert_string_equal(convert("time;M-1;M 2;M3\n2024-03-15;1;;3\n2024-03-16;;;",
                                "*=wide:device_id:kwh", "UTC", &plain),
                        "reading,device_id=M-1 kwh=1 1710460800000000000\n"
                        "reading,device_id=M3 kwh=3 1710460800000000000\n");
    assert_string_equal(
        convert("time;M-1;M2\n2024-03-15;1;x", "*=wide:device_id:kwh", "UTC", &plain),
        "<column 3 (M2): 'x' is not a number>\n");
}

static void test_decimal_comma(void **state)
{
    struct row_options options = plain;
    (void)state;
    options.decimal = ',';
    assert_string_equal(
        convert("time;id;v\n2024-03-15;1;0,5\n2024-03-16;1;1.5", "v=field::float", "UTC", &options),
        "reading,id=1 v=0.5 1710460800000000000\n"
        "<column 3 (v): '1.5' is not a number>\n");
}

static void test_refused_rows(void **state)
{
    (void)state;
    assert_string_equal(
        convert("time;id;v\n2024-03-15;1;1.2.3\n2024-02-30;1;1\n;1;1\n2024-03-15;a\\;1\n"
                "2300-01-01;1;1\n2024-03-15;2;5",
                "v=field::float", "UTC", &plain),
        "<column 3 (v): '1.2.3' is not a number>\n"
        "<column 1 (time): '2024-02-30' there is no such day>\n"
        "<column 1 (time): '' is missing>\n"
        "<column 2 (id): 'a\\' ends with a backslash, which line protocol cannot carry>\n"
        "<column 1 (time): '2300-01-01' is outside of the years 1677 to 2262>\n"
        "reading,id=2 v=5 1710460800000000000\n");
    assert_string_equal(convert("time;n\n2024-03-15;1.5\n2024-03-15;-1\n2024-03-15;",
                                "n=field::uint", "UTC", &plain),
                        "<column 2 (n): '1.5' is not an unsigned integer>\n"
                        "<column 2 (n): '-1' is not an unsigned integer>\n");
}

static void test_bad_maps(void **state)
{
    static const struct {
        const char *table, *map, *error;
    } cases[] = {
        {"time;v\n2024-01-01;1", "x=tag", "there is no column 'x'; the columns are: time, v"},
        {"time;v\n2024-01-01;1", "v", "write COLUMN=ROLE"},
        {"time;v\n2024-01-01;1", "v=field:v:double", "'double' is no type"},
        {"time;v\n2024-01-01;1", "v=tag", "no column is a field"},
        {"a;v\nx;1", NULL, "no column looks like a time"},
        {"time;v\n01/02/2024;1", NULL, "is the day or the month first?"},
        {"time;v\nx;1", "time=time", "'x' is no time that is understood"},
        {"time;a;b\n2024-01-01;1;2", "a=field:v,b=field:v", "give the field v"},
        {"time;a;b\n2024-01-01;1;2", "*=wide:x", "write *=wide:TAG:FIELD"},
        {"time;a;b\n2024-01-01;1;2", "*=skip,*=tag", "two items for *"},
        {"time;a;b\n2024-01-01;1;2", "time=time,a=time", "two times"},
        {"time;a;b\n2024-01-01;1;2", "time=time:%Q", "'%Q' in '%Q' is not known"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_contains(convert(cases[i].table, cases[i].map, "UTC", &plain), cases[i].error);
}

static void test_local_times(void **state)
{
    static const char text[] = "time;id;v\n2024-03-31 01:30;a;1\n2024-03-31 02:30;a;2\n"
                               "2024-03-31 03:00;a;3\n2024-10-27 02:00;a;4\n2024-10-27 02:00;b;4\n"
                               "2024-10-27 02:30;a;5\n2024-10-27 02:00;a;6\n2024-10-27 02:00;b;6";
    (void)state;
    assert_string_equal(convert(text, NULL, "Europe/Berlin", &plain),
                        "reading,id=a v=1 1711845000000000000\n"
                        "<column 1 (time): '2024-03-31 02:30' is skipped by the local clock "
                        "(daylight saving begins)>\n"
                        "reading,id=a v=3 1711846800000000000\n"
                        "reading,id=a v=4 1729987200000000000\n"
                        "reading,id=b v=4 1729987200000000000\n"
                        "reading,id=a v=5 1729989000000000000\n"
                        "reading,id=a v=6 1729990800000000000\n"
                        "reading,id=b v=6 1729990800000000000\n");
}

/** An end stamp becomes the start of its interval; days and months are those of the local clock. */
static void test_end_stamps(void **state)
{
    struct row_options options = plain;
    (void)state;
    options.end_stamped = true;
    options.interval_s = 1800;
    assert_string_equal(
        convert("time;v\n2024-03-31 02:00;1\n2024-03-31 03:30;2", NULL, "Europe/Berlin", &options),
        "reading v=1 1711845000000000000\nreading v=2 1711846800000000000\n");
    options.interval_s = 86400;
    options.interval_is_days = true;
    assert_string_equal(convert("time;v\n2024-04-01;1", NULL, "Europe/Berlin", &options),
                        "reading v=1 1711839600000000000\n");
    options.interval_s = 0;
    options.interval_is_days = false;
    options.interval_months = 1;
    assert_string_equal(convert("time;v\n2024-04-01;1", NULL, "Europe/Berlin", &options),
                        "reading v=1 1709247600000000000\n");
}

static void test_escapes(void **state)
{
    static const struct {
        enum escape kind;
        const char *text, *expected;
    } cases[] = {
        {ESCAPE_MEASUREMENT, "a b,c=d\"", "a\\ b\\,c=d\""},
        {ESCAPE_MEASUREMENT, "a\\=b", "a\\\\=b"},
        {ESCAPE_TAG, "a b,c=d\"\\x", "a\\ b\\,c\\=d\"\\x"},
        {ESCAPE_FIELD, "a b,c=d\\\"", "a\\ b\\,c\\=d\\\\\""},
        {ESCAPE_STRING, "a \"b\" \\ ,=", "a \\\"b\\\" \\\\ ,="},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct import_buf out = {0};
        escape_add(&out, cases[i].kind, cases[i].text, strlen(cases[i].text));
        assert_string_equal(import_buf_text(&out), cases[i].expected);
        import_buf_fini(&out);
    }
    assert_string_equal(escape_refusal(ESCAPE_TAG, "a\nb", 3), "holds a newline");
    assert_null(escape_refusal(ESCAPE_STRING, "a\nb\\", 4));
    assert_non_null(escape_refusal(ESCAPE_FIELD, "a\\=b", 4));
    assert_null(escape_refusal(ESCAPE_FIELD, "a\\\\=b", 5));
    assert_null(escape_refusal(ESCAPE_TAG, "a\\=b", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guessed),      cmocka_unit_test(test_mapped),
        cmocka_unit_test(test_wide),         cmocka_unit_test(test_decimal_comma),
        cmocka_unit_test(test_refused_rows), cmocka_unit_test(test_bad_maps),
        cmocka_unit_test(test_local_times),  cmocka_unit_test(test_end_stamps),
        cmocka_unit_test(test_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
