#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "client/import_lines.h"
#include "client/import_source.h"
#include "client/status_print.h"
#include "tests/lib/unit.h"

/* ---- sources ---- */

struct file {
    char path[64];
};

static struct file write_file(const void *bytes, size_t n)
{
    struct file file = {"/tmp/busbar-test-XXXXXX"};
    int fd = mkstemp(file.path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    close(fd);
    return file;
}

static size_t pack(unsigned char *to, size_t room, const char *text)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (z_const Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = to;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = room - z.avail_out;
    deflateEnd(&z);
    return n;
}

/** All of a file, or what was read before the error and the error in <>. */
static const char *read_all(const void *bytes, size_t n, size_t step)
{
    static char out[1024];
    struct file file = write_file(bytes, n);
    char error[SOURCE_ERROR_MAX];
    struct source *source = source_open(file.path, error);
    size_t len = 0;
    ssize_t got = 0;
    unlink(file.path);
    if (source == NULL) {
        snprintf(out, sizeof(out), "<%s>", error);
        return out;
    }
    while ((got = source_read(source, out + len, step)) > 0)
        len += (size_t)got;
    out[len] = '\0';
    if (got < 0)
        snprintf(out + len, sizeof(out) - len, "<%s>", source_error(source));
    else
        assert_int_equal(source_raw_position(source), source_raw_size(source));
    source_close(&source);
    assert_null(source);
    return out;
}

static void test_plain_source(void **state)
{
    (void)state;
    assert_string_equal(read_all("a,b\n1,2\n", 8, 3), "a,b\n1,2\n");
    assert_string_equal(read_all("", 0, 3), "");
    assert_string_equal(read_all("PK\3\4xxxx", 8, 3),
                        "<is a zip archive or a spreadsheet: unpack it, or save it as CSV>");
}

static void test_gzip_source(void **state)
{
    unsigned char bytes[1024];
    (void)state;
    for (size_t step = 1; step < 9; step++) {
        size_t one = pack(bytes, sizeof(bytes), "hello, ");
        size_t two = one + pack(bytes + one, sizeof(bytes) - one, "world\n");
        assert_string_equal(read_all(bytes, two, step), "hello, world\n");
        for (size_t cut = 2; cut < one; cut++)
            assert_contains(read_all(bytes, cut, step), "<gzip: the file is cut off>");
        memset(bytes + two, 0, 8);
        bytes[two + 7] = 'x';
        assert_contains(read_all(bytes, two + 8, step), "<gzip: something else follows");
        bytes[one / 2] ^= 0x55;
        assert_contains(read_all(bytes, two, step), "<gzip: ");
    }
}

static void test_source_identity(void **state)
{
    char error[SOURCE_ERROR_MAX];
    char byte;
    (void)state;
    struct file file = write_file("0123456789", 10);
    struct source *source = source_open(file.path, error);
    assert_non_null(source);
    struct source_identity first = source_identity(source);
    assert_true(source_is_file(source) && !source_is_gzip(source));
    assert_true(source_seek(source, 7));
    assert_int_equal(source_read(source, &byte, 1), 1);
    assert_int_equal(byte, '7');
    assert_int_equal(source_raw_position(source), 8);
    source_close(&source);
    unlink(file.path);
    file = write_file("012345678x", 10);
    source = source_open(file.path, error);
    assert_non_null(source);
    struct source_identity second = source_identity(source);
    assert_int_equal(first.size_bytes, second.size_bytes);
    assert_true(first.head_crc != second.head_crc);
    source_close(&source);
    unlink(file.path);
    assert_null(source_open(file.path, error));
    assert_string_equal(error, "No such file or directory");
    assert_null(source_open("/tmp", error));
    assert_string_equal(error, "is a directory");
}

/* ---- lines ---- */

struct input {
    const char *text;
    size_t len, at, step;
    bool fails;
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

static const char *show_lines(const char *text, size_t len, size_t step, bool fails)
{
    static char out[4096];
    static const char *const kinds[] = {"P", "S", "D", "R", "BAD"};
    struct input in = {text, len, 0, step, fails};
    struct lines_reader *reader = lines_create(read_input, &in);
    struct lines_record record;
    size_t at = 0;
    enum lines_kind kind;
    assert_non_null(reader);
    out[0] = '\0';
    while ((kind = lines_next(reader, &record)) != LINES_END && kind != LINES_ERROR) {
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%d[%.*s]", kinds[kind],
                               (int)record.line, record.len > 60 ? 60 : (int)record.len,
                               record.text);
        if (kind == LINES_BAD)
            at += (size_t)snprintf(out + at, sizeof(out) - at, "(%s)", record.reason);
    }
    if (kind == LINES_ERROR)
        snprintf(out + at, sizeof(out) - at, "ERROR");
    lines_destroy(&reader);
    return out;
}

static void check_lines(const char *text, const char *expected)
{
    for (size_t step = 1; step < 6; step++)
        assert_string_equal(show_lines(text, strlen(text), step, false), expected);
}

static void test_lines(void **state)
{
    (void)state;
    check_lines("", "");
    check_lines("m v=1 5\n\n# comment\r\nm v=2 6", "P1[m v=1 5]P4[m v=2 6]");
    check_lines("m v=1 5\r\nm,t=a\\ b s=\"x\ny \\\" z\" -6\n  m v=2 7\n",
                "P1[m v=1 5]P2[m,t=a\\ b s=\"x\ny \\\" z\" -6]P4[  m v=2 7]");
    check_lines("m,t=a\\\\ b s=\"x\ny\" 5\n", "P1[m,t=a\\\\ b s=\"x\ny\" 5]");
    check_lines("m v=1\nm v=1 5\n",
                "BAD1[m v=1](has no timestamp: sent again, it would be another reading)"
                "P2[m v=1 5]");
    check_lines("m s=\"open 5\nm v=1 6\n", "BAD1[m s=\"open 5](a quote is not closed)P2[m v=1 6]");
    check_lines("# DDL\nCREATE DATABASE x\n# DML\n# CONTEXT-DATABASE: a b\n"
                "# context-retention-policy:r\nm v=1 5\n",
                "S2[CREATE DATABASE x]D4[a b]R5[r]P6[m v=1 5]");
    assert_string_equal(show_lines("m v=1 5\nm v=1 12", 16, 3, true), "P1[m v=1 5]ERROR");
}

static void test_long_lines(void **state)
{
    (void)state;
    size_t sizes[] = {LINES_MAX_BYTES + 1, 2 * LINES_MAX_BYTES, 5 * LINES_MAX_BYTES};
    for (size_t i = 0; i < 3; i++) {
        char *text = malloc(sizes[i] + 32);
        assert_non_null(text);
        memset(text, 'm', sizes[i]);
        memcpy(text + sizes[i], " v=1 5\nm v=1 6\n", 15);
        const char *shown = show_lines(text, sizes[i] + 15, 100000, false);
        assert_contains(shown, "BAD1[mmm");
        assert_contains(shown,
                        "(the line is longer than 1 MiB, or a quote is not closed)P2[m v=1 6]");
        free(text);
    }
}

/* ---- status ---- */

static const char *bytes_text(double bytes)
{
    static struct import_buf out;
    out.len = 0;
    status_add_bytes(&out, bytes);
    return import_buf_text(&out);
}

static const char *age_text(double seconds)
{
    static struct import_buf out;
    out.len = 0;
    status_add_age(&out, seconds);
    return import_buf_text(&out);
}

static void test_human_units(void **state)
{
    (void)state;
    assert_string_equal(bytes_text(0), "0 B");
    assert_string_equal(bytes_text(999), "999 B");
    assert_string_equal(bytes_text(1000), "1.00 kB");
    assert_string_equal(bytes_text(9994), "9.99 kB");
    assert_string_equal(bytes_text(9996), "10.0 kB");
    assert_string_equal(bytes_text(99960), "100 kB");
    assert_string_equal(bytes_text(999600), "1.00 MB");
    assert_string_equal(bytes_text(1e18), "1000 PB");
    assert_string_equal(age_text(5), "5 s");
    assert_string_equal(age_text(61), "1 min 1 s");
    assert_string_equal(age_text(7260), "2 h 1 min");
    assert_string_equal(age_text(90000), "1 d 1 h");
}

static void test_status_of_something_else(void **state)
{
    static const char *const bodies[] = {"", "{", "[]", "{}", "null", "<html>", "{\"storage\":5}"};
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct status_replies replies = {"http://x", bodies[i], NULL, true, ""};
        struct import_buf out = {0};
        bool healthy;
        assert_string_equal(status_print(&replies, &out, &healthy),
                            "/debug/status is not what Busbar answers");
        assert_false(healthy);
        import_buf_fini(&out);
    }
}

static void test_status_of_a_strange_server(void **state)
{
    struct status_replies replies = {
        "http://x",
        "{\"storage\":{\"series\":-5,\"segment_values\":\"x\"},\"databases\":[1,{},{\"name\":7}],"
        "\"wal\":null,\"read_only\":true,\"started\":\"soon\"}",
        "busbar_lines_rejected_total{reason=\"x\"} 2\nbusbar_lines_rejected_total{reason=\"cut",
        false, "{\"status\":\"fail\"}"};
    struct import_buf out = {0};
    bool healthy = true;
    (void)state;
    assert_null(status_print(&replies, &out, &healthy));
    assert_false(healthy);
    assert_contains(import_buf_text(&out), "UNHEALTHY; read-only");
    assert_contains(import_buf_text(&out), "rejected     x 2\n");
    import_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_source),
        cmocka_unit_test(test_gzip_source),
        cmocka_unit_test(test_source_identity),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_human_units),
        cmocka_unit_test(test_status_of_something_else),
        cmocka_unit_test(test_status_of_a_strange_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
