#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/csv.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

/** A text that is read in pieces of `step` bytes. */
struct input {
    const char *text;
    size_t len, at, step;
    bool fails; /* at its end */
};

static ssize_t read_input(void *context, void *bytes, size_t n)
{
    struct input *in = context;
    size_t take = in->len - in->at;
    take = take > n ? n : take;
    take = take > in->step ? in->step : take;
    if (take == 0 && in->fails)
        return -1;
    memcpy(bytes, in->text + in->at, take);
    in->at += take;
    return (ssize_t)take;
}

static struct csv_reader *reader_of(struct input *in, char delimiter)
{
    struct csv_options options = {.delimiter = delimiter, .first_line = 1};
    struct csv_reader *reader = csv_create(&options, read_input, in);
    assert_non_null(reader);
    return reader;
}

/** All rows as [a|b]<c>, quoted fields in <>, reasons as !reason!. */
static const char *show(const char *text, size_t len, size_t step, char delimiter)
{
    static char out[8192];
    struct input in = {text, len, 0, step, false};
    struct csv_reader *reader = reader_of(&in, delimiter);
    struct csv_row row;
    size_t at = 0;
    out[0] = '\0';
    for (;;) {
        enum csv_result result = csv_next(reader, &row);
        if (result == CSV_END)
            break;
        assert_true(result == CSV_ROW || result == CSV_BAD);
        if (result == CSV_BAD) {
            at += (size_t)snprintf(out + at, sizeof(out) - at, "%d!%s!", (int)row.line, row.reason);
            continue;
        }
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%d", (int)row.line);
        for (unsigned i = 0; i < row.count; i++)
            at += (size_t)snprintf(out + at, sizeof(out) - at,
                                   row.fields[i].quoted ? "<%.*s>" : "[%.*s]",
                                   (int)row.fields[i].len, row.fields[i].text);
    }
    csv_destroy(&reader);
    assert_null(reader);
    return out;
}

static void check(const char *text, const char *expected)
{
    for (size_t step = 1; step < 5; step++)
        assert_string_equal(show(text, strlen(text), step, ','), expected);
    assert_string_equal(show(text, strlen(text), 1 << 20, ','), expected);
}

static void test_rows(void **state)
{
    (void)state;
    check("", "");
    check("a,b\n1,2\n", "1[a][b]2[1][2]");
    check("a,b\r\n1,2\r\n", "1[a][b]2[1][2]");
    check("a,b\n1,2", "1[a][b]2[1][2]");
    check("a,b\n1,2\r", "1[a][b]2[1][2]");
    check("\xef\xbb\xbf"
          "a,b\n",
          "1[a][b]");
    check("\n\na\n\r\n\nb\n", "3[a]6[b]");
    check(",\n,,\n", "1[][]2[][][]");
    check("a, b ,c\n", "1[a][ b ][c]");
    check("a\rb,c\n", "1[a\rb][c]");
}

static void test_quotes(void **state)
{
    (void)state;
    check("\"a\",\"\",b\n", "1<a><>[b]");
    check("\"a,b\",\"c\nd\"\nx\n", "1<a,b><c\nd>3[x]");
    check("\"a\"\"b\",\"\"\"\"\r\n", "1<a\"b><\">");
    check("\"a\"\"\n\"\"b\"\nx\n", "1<a\"\n\"b>3[x]");
    check("a\"b,c\"\n", "1[a\"b][c\"]");
    check("\"a\"", "1<a>");
    check("\"a\"\r\n", "1<a>");
}

static void test_bad_rows(void **state)
{
    (void)state;
    check("\"a\"b,c\nx\n", "1!text behind a closing quote!2[x]");
    check("a,\"b\nx,y\nz\n", "1!a quote is not closed!2[x][y]3[z]");
    const char zero[] = "a,b\0c\nx\n";
    assert_string_equal(show(zero, sizeof(zero) - 1, 3, ','), "1!holds a zero byte!2[x]");
    assert_string_equal(show("a;b,c;\"d\"\n", 10, 3, ';'), "1[a][b,c]<d>");
}

static void test_too_many_columns(void **state)
{
    (void)state;
    static char text[CSV_COLUMNS_MAX + 8];
    memset(text, ',', sizeof(text));
    memcpy(text + CSV_COLUMNS_MAX, "\nx\n", 3);
    assert_string_equal(show(text, CSV_COLUMNS_MAX + 3, 1 << 20, ','), "1!too many columns!2[x]");
    struct input in = {text + 1, CSV_COLUMNS_MAX + 2, 0, 1 << 20, false};
    struct csv_reader *reader = reader_of(&in, ',');
    struct csv_row row;
    assert_int_equal(csv_next(reader, &row), CSV_ROW);
    assert_int_equal(row.count, CSV_COLUMNS_MAX);
    csv_destroy(&reader);
}

/** A line beyond the limit costs itself, whatever its length, and is shown by its first bytes. */
static void test_long_rows(void **state)
{
    (void)state;
    size_t sizes[] = {CSV_ROW_MAX + 1, 3 * CSV_ROW_MAX, 5 * CSV_ROW_MAX + 7};
    for (size_t i = 0; i < 3; i++) {
        char *text = malloc(sizes[i] + 16);
        assert_non_null(text);
        memcpy(text, "a\n", 2);
        memset(text + 2, 'x', sizes[i]);
        memcpy(text + 2 + sizes[i], "\nb\n", 3);
        assert_string_equal(show(text, sizes[i] + 5, 100000, ','),
                            "1[a]2!the row is longer than 1 MiB, or a quote is not closed!3[b]");
        text[2] = '"';
        assert_string_equal(show(text, sizes[i] + 5, 100000, ','),
                            "1[a]2!the row is longer than 1 MiB, or a quote is not closed!3[b]");
        free(text);
    }
}

/** Half a row before a failed read is never taken for a row. */
static void test_read_error(void **state)
{
    (void)state;
    struct input in = {"a,b\n1,2", 7, 0, 3, true};
    struct csv_reader *reader = reader_of(&in, ',');
    struct csv_row row;
    assert_int_equal(csv_next(reader, &row), CSV_ROW);
    assert_int_equal(csv_next(reader, &row), CSV_ERROR);
    csv_destroy(&reader);
}

static void test_positions(void **state)
{
    (void)state;
    struct input in = {"\xef\xbb\xbf"
                       "# c\na,b\n\n\"x\ny\",1\nlast",
                       24, 0, 2, false};
    struct csv_reader *reader = reader_of(&in, ',');
    struct csv_row row;
    csv_set_format(reader, ',', '#');
    assert_int_equal(csv_next(reader, &row), CSV_ROW);
    assert_int_equal(row.line, 2);
    assert_int_equal(row.end, 11);
    assert_int_equal(csv_next(reader, &row), CSV_ROW);
    assert_int_equal(row.line, 4);
    assert_int_equal(row.end_line, 6);
    assert_int_equal(row.end, 20);
    assert_int_equal(row.raw_len, 7);
    assert_memory_equal(row.raw, "\"x\ny\",1", 7);
    assert_int_equal(csv_next(reader, &row), CSV_ROW);
    assert_int_equal(row.raw_len, 4);
    assert_int_equal(row.end, 24);
    csv_destroy(&reader);
}

/** What is written with quotes where it must be comes back, however it is cut into reads. */
static void test_round_trip(void **state)
{
    (void)state;
    static char text[4096], expected[8192];
    static const char letters[] = "ab,\"\n\r;x";
    struct rng rng = rng_from_env();
    for (int round = 0; round < 2000; round++) {
        size_t at = 0, want = 0, line = 1;
        for (int row = 0; row < 5; row++) {
            want += (size_t)snprintf(expected + want, sizeof(expected) - want, "%zu", line);
            for (int column = 0; column < 3; column++) {
                text[at++] = '"';
                expected[want++] = '<';
                for (uint64_t n = rng_below(&rng, 6); n > 0; n--) {
                    char c = letters[rng_below(&rng, sizeof(letters) - 1)];
                    text[at++] = c;
                    if (c == '"')
                        text[at++] = c;
                    expected[want++] = c;
                    line += c == '\n';
                }
                text[at++] = '"';
                expected[want++] = '>';
                text[at++] = ',';
            }
            text[at - 1] = '\n';
            line++;
        }
        expected[want] = '\0';
        assert_string_equal(show(text, at, 1 + rng_below(&rng, 40), ','), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_bad_rows),  cmocka_unit_test(test_too_many_columns),
        cmocka_unit_test(test_long_rows), cmocka_unit_test(test_read_error),
        cmocka_unit_test(test_positions), cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
