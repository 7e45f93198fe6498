#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "engine/lineproto/strict.h"

#define NOW 1710511200123456789

static struct bbi_lp_field fields[BBI_LP_FIELDS_MAX];

/* The only line of a text. */
static int parse(const char *text, int64_t precision_ns, struct bbi_lp_line *line,
                 struct bb_error *err)
{
    struct bbi_lp_parser p;
    struct bbi_lp_line more;
    struct bb_error ignored;

    bbi_lp_init(&p, fields, precision_ns, NOW);
    bbi_lp_feed(&p, text, strlen(text), true);
    int rc = bbi_lp_next(&p, line, err);
    if (rc != BBI_LP_END) {
        assert_int_equal(bbi_lp_next(&p, &more, &ignored), BBI_LP_END);
    }
    return rc;
}

static void append(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *out, size_t size, const char *fmt, ...)
{
    size_t length = strlen(out);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(out + length, size - length, fmt, args);
    va_end(args);
}

static void describe_field(const struct bbi_lp_field *f, char *out, size_t size)
{
    uint8_t text[512];
    double value;
    size_t length = bbi_lp_unescape_name(f->name, f->name_length, text);

    append(out, size, "|%.*s=", (int)length, (const char *)text);
    switch (f->type) {
    case BBI_FLOAT:
        memcpy(&value, &f->v.bits, sizeof(value));
        append(out, size, "%.17g", value);
        break;
    case BBI_INT:
        append(out, size, "%lldi", (long long)f->v.bits);
        break;
    case BBI_UINT:
        append(out, size, "%lluu", (unsigned long long)f->v.bits);
        break;
    case BBI_BOOL:
        append(out, size, "%s", f->v.bits ? "true" : "false");
        break;
    default:
        length = bbi_lp_unescape_string(f->v.str, f->length, text);
        append(out, size, "<%.*s>", (int)length, (const char *)text);
        break;
    }
}

/* key|name=value|...|@time, unescaped values. */
static void describe(const struct bbi_lp_line *line, char *out, size_t size)
{
    out[0] = '\0';
    append(out, size, "%.*s", (int)line->key_length, (const char *)line->key);
    for (uint32_t i = 0; i < line->field_count; i++) {
        describe_field(&line->fields[i], out, size);
    }
    if (line->has_time) {
        append(out, size, "|@%lld", (long long)line->time_ns);
    }
}

static const struct {
    const char *text;
    const char *want;
} good[] = {
    {"reading,device_id=MTR-00012345,fuel_type=electricity,direction=import value=0.123 "
     "1710511200000000000",
     "reading,device_id=MTR-00012345,fuel_type=electricity,direction=import|value=0.123|@"
     "1710511200000000000"},
    {"m v=1", "m|v=1"},
    {"m v=1\n", "m|v=1"},
    {"m v=1\r\n", "m|v=1"},
    {"m v=1 5\r\n", "m|v=1|@5"},
    {"m v=t\r\n", "m|v=true"},
    {"m v=\"a\"\r\n", "m|v=<a>"},
    {"\n\r\n  \t\nm v=1", "m|v=1"},
    {"# comment \"\n#c=\"\nm v=1", "m|v=1"},
    {" \t m v=1", "m|v=1"},
    {"m  v=1  5  ", "m|v=1|@5"},
    {"m v=1 \t5", "m|v=1|@5"},
    {"m v=1 ", "m|v=1"},
    {"m v=1 -5", "m|v=1|@-5"},
    {"m v=1 0005", "m|v=1|@5"},
    {"m v=1 -9223372036854775806", "m|v=1|@-9223372036854775806"},
    {"m v=1 9223372036854775806", "m|v=1|@9223372036854775806"},
    {"m v=1 00000000000000000000000000005", "m|v=1|@5"},
    {"m a=1i,b=-1i,c=0i,d=007i", "m|a=1i|b=-1i|c=0i|d=7i"},
    {"m v=9223372036854775807i,w=-9223372036854775808i",
     "m|v=9223372036854775807i|w=-9223372036854775808i"},
    {"m v=0u,w=18446744073709551615u", "m|v=0u|w=18446744073709551615u"},
    {"m a=1e5,b=1E5,c=1e+5,d=1e-5,e=-1.5e2", "m|a=100000|b=100000|c=100000|"
                                             "d=1.0000000000000001e-05|e=-150"},
    {"m a=.5,b=5.,c=-.5,d=00012,e=-0", "m|a=0.5|b=5|c=-0.5|d=12|e=-0"},
    {"m v=123456789012345678901234567890", "m|v=1.2345678901234568e+29"},
    {"m v=0.30000000000000004", "m|v=0.30000000000000004"},
    {"m v=1e-400", "m|v=0"},
    {"m v=1.7976931348623157e308", "m|v=1.7976931348623157e+308"},
    {"m a=t,b=T,c=true,d=True,e=TRUE", "m|a=true|b=true|c=true|d=true|e=true"},
    {"m a=f,b=F,c=false,d=False,e=FALSE", "m|a=false|b=false|c=false|d=false|e=false"},
    {"m v=\"\"", "m|v=<>"},
    {"m v=\"a b,c=d\",w=1 5", "m|v=<a b,c=d>|w=1|@5"},
    {"m v=\"a\nb\"\n", "m|v=<a\nb>"},
    {"m v=\"a\\\"b\\\\c\\d\\,e\"", "m|v=<a\"b\\c\\d\\,e>"},
    {"m v=\"#\"", "m|v=<#>"},
    {"m v=\"a\"b", "m|v=<a\">"},
    {"m \"v\"=1", "m|\"v\"=1"},
    {"m v\\ =1", "m|v =1"},
    {"m v\\,w=1", "m|v,w=1"},
    {"m v\\=w=1", "m|v=w=1"},
    {"m a\\\"b=1,c\\\\d=2", "m|a\"b=1|c\\\\d=2"},
    {"m v=1,v=2", "m|v=1|v=2"},
    {"m\\ x,a\\,b=c\\=d v=1", "m\\ x,a\\,b=c\\=d|v=1"},
    {"m\\\nx v=1", "m\\\nx|v=1"},
    {"m\tv w=1", "m\tv|w=1"},
    {"\\,m v=1", "\\,m|v=1"},
    {"m,a=b\\  v=1", "m,a=b\\ |v=1"},
    {"m\xff,\xc3\xa9=\xe2\x82\xac \xf0\x9f\x98\x80=1", "m\xff,\xc3\xa9=\xe2\x82\xac"
                                                       "|\xf0\x9f\x98\x80=1"},
};

static void good_lines(void **state)
{
    char got[1024];
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct bbi_lp_line line;
        struct bb_error err;
        int rc = parse(good[i].text, 1, &line, &err);
        if (rc != BB_OK) {
            fail_msg("'%s': %d %s", good[i].text, rc, rc == BB_EPARSE ? err.text : "");
        }
        describe(&line, got, sizeof(got));
        assert_string_equal(got, good[i].want);
        if (!line.has_time) {
            assert_int_equal(line.time_ns, NOW);
        }
    }
}

/* The reasons are those of influxd 1.6.7; unsigned numbers and the limits are newer or our own. */
static const struct {
    const char *text;
    const char *reason;
} bad_lines[] = {
    {"m", "missing fields"},
    {"m\\", "missing fields"},
    {"m\\ v=1", "missing fields"},
    {"m,a=b", "missing fields"},
    {"m,a=b\\ v", "missing fields"},
    {"m ", "invalid field format"},
    {"m,a=b ", "invalid field format"},
    {"m v", "invalid field format"},
    {"m v,w=1", "invalid field format"},
    {"m v=1,", "invalid field format"},
    {"m v=1,w", "invalid field format"},
    {"m v =1", "invalid field format"},
    {"m,t=\"a b\" v=1", "invalid field format"},
    {"m\tv=1", "missing fields"},
    {",a=b v=1", "missing measurement"},
    {"m,a=b\\ v=1", "invalid tag format"},
    {"m,a=b=c", "invalid tag format"},
    {"m,a", "missing tag value"},
    {"m,a=", "missing tag value"},
    {"m,", "missing tag key"},
    {"m,=b", "missing tag key"},
    {"m,a=b,a=c v", "duplicate tags"},
    {"m =1", "missing field key"},
    {"m ,=1", "missing field key"},
    {"m v=1,=2", "missing field key"},
    {"m \t=1", "missing field key"},
    {"m v=", "missing field value"},
    {"m v= 1", "missing field value"},
    {"m v=,w=1", "missing field value"},
    {"m v=+1", "invalid boolean"},
    {"m v=inf", "invalid boolean"},
    {"m v=i", "invalid boolean"},
    {"m v=u", "invalid boolean"},
    {"m v=x", "invalid boolean"},
    {"m v=tr", "invalid boolean"},
    {"m v=truE", "invalid boolean"},
    {"m v=falsee", "invalid boolean"},
    {"m v=a\"b\"", "invalid boolean"},
    {"m v==1", "invalid boolean"},
    {"m v=e5", "invalid boolean"},
    {"m v=nan", "invalid number"},
    {"m v=NaN", "invalid number"},
    {"m v=N", "invalid number"},
    {"m v=-inf", "invalid number"},
    {"m v=-", "invalid number"},
    {"m v=.", "invalid number"},
    {"m v=-.", "invalid number"},
    {"m v=--1", "invalid number"},
    {"m v=1-1", "invalid number"},
    {"m v=1.1.1", "invalid number"},
    {"m v=0x10", "invalid number"},
    {"m v=1_0", "invalid number"},
    {"m v=1x", "invalid number"},
    {"m v=1\\", "invalid number"},
    {"m v=1\t5", "invalid number"},
    {"m v=1=2", "invalid number"},
    {"m v=1.0i", "invalid number"},
    {"m v=-i", "invalid number"},
    {"m v=9i10", "invalid number"},
    {"m v=1ii", "invalid number"},
    {"m v=1e5i", "invalid number"},
    {"m v=1e--5", "invalid number"},
    {"m v=-1u", "invalid number"},
    {"m v=1.0u", "invalid number"},
    {"m v=1iu", "invalid number"},
    {"m v=1e", "invalid float"},
    {"m v=1e+", "invalid float"},
    {"m v=1e5e5", "invalid float"},
    {"m v=1e5.5", "invalid float"},
    {"m v=1e400", "invalid float"},
    {"m v=-1e400", "invalid float"},
    {"m v=9223372036854775808i",
     "unable to parse integer 9223372036854775808: strconv.ParseInt: parsing "
     "\"9223372036854775808\": value out of range"},
    {"m v=-9223372036854775809i",
     "unable to parse integer -9223372036854775809: strconv.ParseInt: parsing "
     "\"-9223372036854775809\": value out of range"},
    {"m v=18446744073709551616u",
     "unable to parse unsigned 18446744073709551616: strconv.ParseUint: parsing "
     "\"18446744073709551616\": value out of range"},
    {"m v=\"a", "unbalanced quotes"},
    {"m v=\"a\\", "unbalanced quotes"},
    {"m v=\"a\\\"", "unbalanced quotes"},
    {"m v=\"a\nm v=1\n", "unbalanced quotes"},
    {"m v\\\\=1", "invalid value: field-key=v\\\\=1"},
    {"m v=1 x", "bad timestamp"},
    {"m v=1 1x", "bad timestamp"},
    {"m v=1 1.5", "bad timestamp"},
    {"m v=1 5\t", "bad timestamp"},
    {"m v=\"a\" \"b\"", "bad timestamp"},
    {"m v=1 1 2", "point is invalid"},
    {" m\\,h=q\"u v=1 1\nm v=1", "point is invalid"},
    {" m\\,h=q\"u v=1 \nm v=1", "bad timestamp"},
    {"m v=1 -", "strconv.ParseInt: parsing \"-\": invalid syntax"},
    {"m v=1 99999999999999999999",
     "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"},
    {"m v=1 9223372036854775807", "time outside range -9223372036854775806 - 9223372036854775806"},
    {"m v=1 -9223372036854775807", "time outside range -9223372036854775806 - 9223372036854775806"},
    {"m v=1 -9223372036854775808", "time outside range -9223372036854775806 - 9223372036854775806"},
};

static void bad_lines_have_influx_reasons(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
        struct bbi_lp_line line;
        struct bb_error err;
        int rc = parse(bad_lines[i].text, 1, &line, &err);
        if (rc != BB_EPARSE || strcmp(err.text, bad_lines[i].reason) != 0) {
            fail_msg("'%s': %d '%s', want '%s'", bad_lines[i].text, rc,
                     rc == BB_EPARSE ? err.text : "", bad_lines[i].reason);
        }
        assert_int_equal(line.line_number, 1);
        const char *text = bad_lines[i].text + (bad_lines[i].text[0] == ' ');
        size_t length = strlen(text);
        length -= text[length - 1] == '\n';
        assert_int_equal(line.length, length);
        assert_memory_equal(line.text, text, length);
    }
}

static void a_bad_line_costs_only_itself(void **state)
{
    static const char text[] = "a v=1 1\n\nb v=x 2\n# no\nc v=\"1\n2\" 3\nd\ne v=1 5";
    static const struct {
        int rc;
        char name;
        uint64_t number;
    } want[] = {{BB_OK, 'a', 1},     {BB_EPARSE, 'b', 3}, {BB_OK, 'c', 5},
                {BB_EPARSE, 'd', 7}, {BB_OK, 'e', 8},     {BBI_LP_END, 0, 0}};
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    (void)state;
    bbi_lp_init(&p, fields, 1, NOW);
    bbi_lp_feed(&p, text, sizeof(text) - 1, true);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(bbi_lp_next(&p, &line, &err), want[i].rc);
        if (want[i].rc != BBI_LP_END) {
            assert_int_equal(line.text[0], want[i].name);
            assert_int_equal(line.line_number, want[i].number);
        }
    }
}

static void precisions_scale_and_check(void **state)
{
    static const struct {
        int64_t precision_ns;
        const char *text;
        int64_t want; /* 0: out of range */
    } cases[] = {
        {1000, "m v=1 1710511200000000", 1710511200000000000},
        {1000000, "m v=1 1710511200000", 1710511200000000000},
        {1000000000, "m v=1 1710511200", 1710511200000000000},
        {INT64_C(60000000000), "m v=1 28508520", 1710511200000000000},
        {INT64_C(3600000000000), "m v=1 475142", 1710511200000000000},
        {1000000000, "m v=1 9223372036", 9223372036000000000},
        {1000000000, "m v=1 9223372037", 0},
        {1000000000, "m v=1 -9223372036", -9223372036000000000},
        {1000000000, "m v=1 -9223372037", 0},
        {INT64_C(3600000000000), "m v=1 9223372036854775807", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bbi_lp_line line;
        struct bb_error err;
        int rc = parse(cases[i].text, cases[i].precision_ns, &line, &err);
        assert_int_equal(rc, cases[i].want == 0 ? BB_EPARSE : BB_OK);
        if (rc == BB_OK) {
            assert_true(line.time_ns == cases[i].want);
        } else {
            assert_string_equal(err.text,
                                "time outside range -9223372036854775806 - 9223372036854775806");
        }
    }
}

static void now_is_cut_to_the_precision(void **state)
{
    struct bbi_lp_parser p;
    (void)state;
    bbi_lp_init(&p, fields, 1000000000, 1710511200123456789);
    assert_true(p.now_ns == 1710511200000000000);
    bbi_lp_init(&p, fields, 1000000000, -1);
    assert_true(p.now_ns == -1000000000);
    bbi_lp_init(&p, fields, 1, -1);
    assert_true(p.now_ns == -1);
}

static void comments_are_told_when_asked_for(void **state)
{
    static const char text[] = "# sync 42\r\nm v=1\n#x=\"\n";
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    (void)state;
    bbi_lp_init(&p, fields, 1, NOW);
    p.comments = true;
    bbi_lp_feed(&p, text, sizeof(text) - 1, true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BBI_LP_COMMENT);
    assert_int_equal(line.length, 9);
    assert_memory_equal(line.text, "# sync 42", 9);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_OK);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BBI_LP_COMMENT);
    assert_int_equal(line.line_number, 3);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BBI_LP_END);
}

/* A line with an open quote, or a backslash at its end, takes the next one with it or does not. */
static void a_newline_may_end_a_line_in_quotes(void **state)
{
    static const char text[] = "m s=\"a 1\nm\\\nm v=1 1\nm s=\"b\nc\" 2\n";
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    (void)state;
    bbi_lp_init(&p, fields, 1, NOW);
    p.newline_ends = true;
    bbi_lp_feed(&p, text, sizeof(text) - 1, true);
    static const size_t lengths[] = {8, 2, 7, 6, 4};
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(bbi_lp_next(&p, &line, &err), i == 2 ? BB_OK : BB_EPARSE);
        assert_int_equal(line.length, lengths[i]);
        assert_int_equal(line.line_number, i + 1);
    }
    assert_int_equal(bbi_lp_next(&p, &line, &err), BBI_LP_END);
    p.newline_ends = false;
    bbi_lp_feed(&p, text, sizeof(text) - 1, true);
    (void)bbi_lp_next(&p, &line, &err);
    assert_true(line.length > 20);
}

static void nul_bytes_are_blanks_only_in_front(void **state)
{
    static const char text[] = "\0m v=1\0";
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    (void)state;
    bbi_lp_init(&p, fields, 1, NOW);
    bbi_lp_feed(&p, text, sizeof(text) - 2, true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_OK);
    bbi_lp_feed(&p, text, sizeof(text) - 1, true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_EPARSE);
    assert_string_equal(err.text, "invalid number");
}

/* Names are read as C strings further on, so that one with a NUL would be found under another. */
static void nul_bytes_in_names_are_refused(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        const char *reason;
    } rows[] = {
        {"m\0n v=1", 7, "NUL byte in a measurement or tag"},
        {"measurement,tag=value\0 v=1", 26, "NUL byte in a measurement or tag"},
        {"m,a\0=b v=1 5", 13, "NUL byte in a measurement or tag"},
        {"m v\0=1", 6, "NUL byte in a field name"},
        {"m s=\"\0\",v\0w=1", 13, "NUL byte in a field name"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bbi_lp_parser p;
        struct bbi_lp_line line;
        struct bb_error err;
        bbi_lp_init(&p, fields, 1, NOW);
        bbi_lp_feed(&p, rows[i].text, rows[i].length, true);
        assert_int_equal(bbi_lp_next(&p, &line, &err), BB_EPARSE);
        assert_string_equal(err.text, rows[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nul_bytes_in_names_are_refused),
        cmocka_unit_test(good_lines),
        cmocka_unit_test(bad_lines_have_influx_reasons),
        cmocka_unit_test(a_bad_line_costs_only_itself),
        cmocka_unit_test(precisions_scale_and_check),
        cmocka_unit_test(now_is_cut_to_the_precision),
        cmocka_unit_test(comments_are_told_when_asked_for),
        cmocka_unit_test(a_newline_may_end_a_line_in_quotes),
        cmocka_unit_test(nul_bytes_are_blanks_only_in_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
