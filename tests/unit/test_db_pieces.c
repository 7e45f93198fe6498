/* A text of lines that comes in pieces: wherever it is cut, what is stored and what is said of its
 * lines is the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/rng.h"

#define SAID_MAX ((size_t)1 << 20)

static const char text[] =
    "m,t=1 v=1 1\nm v=2,s=\"x\ny\" 2\r\n# c \"\n\nbad\nm\\\nx v=3 3\nm v=\"text\" 4\r\n"
    "m v=5 5\n\r\n m v=6,s=\"\\\"\n\\\\\"  6 \nm v=7 1x\nm,a=b v=8 8\n"
    "m v=9,s=\"left open\n 9\nm v=1 9";

struct said {
    struct bbi_buf buf;
    struct bb_write_result total;
};

static void say(void *arg, uint64_t line_number, const char *line, size_t line_length, int code,
                const char *reason)
{
    struct said *said = arg;
    bbi_buf_printf(&said->buf, "%llu %.*s %d %s\n", (unsigned long long)line_number,
                   (int)(line_length < 100 ? line_length : 100), line, code, reason);
}

static void said_init(struct said *said)
{
    memset(said, 0, sizeof(*said));
    bbi_buf_init(&said->buf, NULL, SAID_MAX);
}

/* Write the pieces that end at cuts[0], cuts[1] ... and at the end; what a piece leaves over stands
 * in front of the next one. */
static void write_cut(struct dbtest *t, const char *database, const char *lines, size_t size,
                      const size_t *cuts, size_t cut_count, struct said *said)
{
    struct bb_write_text state = {.now_ns = 77};
    struct bb_error err;
    size_t at = 0;
    for (size_t i = 0; i <= cut_count; i++) {
        size_t end = i == cut_count ? size : cuts[i];
        /* A copy of its own, so that a look beyond the piece is a look beyond the memory. */
        char *piece = malloc(end - at + 1);
        struct bb_write_result result;
        assert_non_null(piece);
        memcpy(piece, lines + at, end - at);
        struct bb_write write = {.database = database,
                                 .precision_ns = 1,
                                 .lines = piece,
                                 .lines_length = end - at,
                                 .reject = say,
                                 .reject_arg = said};
        int rc = bb_write_piece(t->db, &write, &state, i == cut_count, &result, &err);
        assert_int_equal(rc, BB_OK);
        assert_true(end - at - state.bytes_taken <= BB_LINE_MAX + 1);
        at += state.bytes_taken;
        said->total.points_written += result.points_written;
        said->total.points_rejected += result.points_rejected;
        free(piece);
    }
    assert_int_equal(at, size);
    assert_int_equal(state.now_ns, 77);
    assert_int_equal(bbi_wal_wait(t->db->wal, state.lsn, &err), BB_OK);
}

static void check_cut(struct dbtest *t, const size_t *cuts, size_t cut_count,
                      const struct said *whole, const struct bbi_buf *rows)
{
    struct said said;
    struct bbi_buf out;
    said_init(&said);
    bbi_buf_init(&out, NULL, SAID_MAX);
    dbtest_run(t, "DROP DATABASE c");
    dbtest_run(t, "CREATE DATABASE c");
    write_cut(t, "c", text, sizeof(text) - 1, cuts, cut_count, &said);
    dbtest_query(t, "SELECT * FROM c.autogen./.*/", &out);
    bbi_buf_u8(&out, 0);
    assert_string_equal((const char *)out.data, (const char *)rows->data);
    bbi_buf_u8(&said.buf, 0);
    assert_string_equal((const char *)said.buf.data, (const char *)whole->buf.data);
    assert_int_equal(said.total.points_written, whole->total.points_written);
    assert_int_equal(said.total.points_rejected, whole->total.points_rejected);
    bbi_buf_fini(&said.buf);
    bbi_buf_fini(&out);
}

static void test_any_cut_is_the_same(void **state)
{
    enum {
        SIZE = sizeof(text) - 1
    };
    struct rng rng = rng_from_env();
    size_t cuts[SIZE];
    struct dbtest t;
    struct said whole;
    struct bbi_buf rows;
    (void)state;
    dbtest_open(&t);
    said_init(&whole);
    bbi_buf_init(&rows, NULL, SAID_MAX);
    dbtest_run(&t, "CREATE DATABASE c");
    write_cut(&t, "c", text, SIZE, NULL, 0, &whole);
    bbi_buf_u8(&whole.buf, 0);
    dbtest_query(&t, "SELECT * FROM c.autogen./.*/", &rows);
    bbi_buf_u8(&rows, 0);
    assert_int_equal(whole.total.points_written, 6);
    assert_int_equal(whole.total.points_rejected, 4);
    for (size_t cut = 0; cut <= SIZE; cut++) {
        check_cut(&t, &cut, 1, &whole, &rows);
    }
    for (size_t i = 0; i < SIZE; i++) {
        cuts[i] = i;
    }
    check_cut(&t, cuts, SIZE, &whole, &rows);
    for (unsigned round = 0; round < 100; round++) {
        size_t n = 0;
        for (size_t i = 0; i < SIZE; i++) {
            if (rng_one_in(&rng, 12)) {
                cuts[n++] = i;
            }
        }
        check_cut(&t, cuts, n, &whole, &rows);
    }
    bbi_buf_fini(&whole.buf);
    bbi_buf_fini(&rows);
    dbtest_close(&t);
}

static void test_a_line_without_end_is_refused_once(void **state)
{
    size_t size = 3 * BB_LINE_MAX;
    char *lines = malloc(size);
    struct dbtest t;
    struct said said;
    (void)state;
    assert_non_null(lines);
    memset(lines, 'x', size);
    memcpy(lines, "m v=1 1\n", 8);
    memcpy(lines + size - 9, "\nm v=2 2\n", 9);
    for (size_t step = BB_LINE_MAX / 2; step < size; step += BB_LINE_MAX / 3) {
        size_t cuts[8];
        size_t n = 0;
        for (size_t at = step; at < size; at += step) {
            cuts[n++] = at;
        }
        dbtest_open(&t);
        said_init(&said);
        write_cut(&t, "t", lines, size, cuts, n, &said);
        assert_int_equal(said.total.points_written, 2);
        assert_int_equal(said.total.points_rejected, 1);
        assert_memory_equal(said.buf.data, "2 xxx", 5);
        dbtest_expect(&t, "SELECT v FROM m", "m: time=1 v=1\nm: time=2 v=2\n");
        bbi_buf_fini(&said.buf);
        dbtest_close(&t);
    }
    free(lines);
}

/* A piece that fails changes nothing and may be given again. */
static void test_a_piece_that_fails(void **state)
{
    struct dbtest t;
    struct bb_write_text at = {0};
    struct bb_write_result result;
    struct bb_error err;
    struct bb_write write = {
        .database = "t", .precision_ns = 1, .lines = "m v=1 1\nm v=2 2\nm v", .lines_length = 19};
    (void)state;
    dbtest_open(&t);
    assert_int_equal(bb_write_piece(t.db, &write, &at, false, &result, &err), BB_OK);
    assert_int_equal(at.bytes_taken, 16);
    assert_int_equal(at.lines, 2);
    struct bb_write_text before = at;
    write.lines += at.bytes_taken;
    write.lines_length = 3;
    write.database = "nowhere";
    assert_int_equal(bb_write_piece(t.db, &write, &at, true, &result, &err), BB_ENOTFOUND);
    assert_memory_equal(&at, &before, sizeof(at));
    write.database = "t";
    write.lines = "m v=3 3";
    write.lines_length = 7;
    assert_int_equal(bb_write_piece(t.db, &write, &at, true, &result, &err), BB_OK);
    dbtest_crash(&t);
    dbtest_expect(&t, "SELECT v FROM m", "m: time=1 v=1\nm: time=2 v=2\nm: time=3 v=3\n");
    dbtest_close(&t);
}

static void on_durable(void *arg, const struct bb_error *err)
{
    assert_null(err);
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static void test_notify(void **state)
{
    struct dbtest t;
    _Atomic int told = 0;
    struct bb_write_text at = {0};
    struct bb_write_result result;
    struct bb_error err;
    struct bb_write write = {
        .database = "t", .precision_ns = 1, .lines = "m v=1 1\n", .lines_length = 8};
    (void)state;
    dbtest_open(&t);
    assert_int_equal(bb_durable_notify(t.db, 0, on_durable, &told, &err), BB_OK);
    assert_int_equal(told, 1);
    assert_int_equal(bb_write_piece(t.db, &write, &at, false, &result, &err), BB_OK);
    assert_int_equal(bb_durable_notify(t.db, at.lsn, on_durable, &told, &err), BB_OK);
    assert_int_equal(bb_write(t.db, &write, &result, &err), BB_OK);
    dbtest_close(&t); /* joins the log's thread, which tells after it has woken who waits */
    assert_int_equal(told, 2);
}

static void test_scan_stores_nothing(void **state)
{
    struct dbtest t;
    struct bb_write_text at = {0};
    struct bb_write_result result;
    struct bb_error err;
    const char lines[] = "m v=1 1\nbad\nm v=\"s\" 2\nm v=3";
    struct bb_write write = {.database = "t",
                             .retention_policy = "nope",
                             .precision_ns = 1,
                             .lines = lines,
                             .lines_length = strlen(lines)};
    (void)state;
    dbtest_open(&t);
    assert_int_equal(bb_write_piece(t.db, &write, &at, false, &result, &err), BB_ENOPOLICY);
    assert_int_equal(bb_write_scan(t.db, &write, &at, false, &result, &err), BB_OK);
    assert_int_equal(result.points_written, 2);
    assert_int_equal(result.points_rejected, 1);
    assert_int_equal(at.bytes_taken, strlen(lines) - strlen("m v=3"));
    assert_int_equal(at.lines, 3);
    assert_int_equal(at.lsn, 0);
    write.lines = "m v=\"s\" 1\n"; /* of another type than what was only looked at */
    write.lines_length = strlen(write.lines);
    write.retention_policy = NULL;
    assert_int_equal(bb_write(t.db, &write, &result, &err), BB_OK);
    assert_int_equal(result.points_written, 1);
    write.database = "nope";
    assert_int_equal(bb_write_scan(t.db, &write, &at, true, &result, &err), BB_ENOTFOUND);
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut_is_the_same),
        cmocka_unit_test(test_a_line_without_end_is_refused_once),
        cmocka_unit_test(test_a_piece_that_fails),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_scan_stores_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
