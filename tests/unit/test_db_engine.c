/* The engine as a whole: what is written is there, through flushes, crashes, compactions and
 * damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/dbtest.h"

#define COUNT_ALL "SELECT count(v) FROM m"

static void count_is(struct dbtest *t, unsigned n)
{
    char answer[64];
    (void)snprintf(answer, sizeof(answer), "m: time=0 count=%ui\n", n);
    dbtest_expect(t, COUNT_ALL, n == 0 ? "" : answer);
}

static void write_rows(struct dbtest *t, unsigned series, unsigned from, unsigned to,
                       unsigned step_s)
{
    struct bbi_buf lines;
    bbi_buf_init(&lines, NULL, 1u << 28);
    for (unsigned i = from; i < to; i++) {
        for (unsigned s = 0; s < series; s++) {
            bbi_buf_printf(&lines, "m,s=%u v=%u.%03u %llu\n", s, i % 7, s % 1000,
                           (unsigned long long)i * step_s * 1000000000ULL);
        }
    }
    bbi_buf_u8(&lines, 0);
    dbtest_write(t, (const char *)lines.data);
    bbi_buf_fini(&lines);
}

static void test_survives(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    write_rows(&t, 3, 0, 100, 900);
    count_is(&t, 300);
    dbtest_crash(&t);
    count_is(&t, 300);
    dbtest_flush(&t);
    count_is(&t, 300);
    write_rows(&t, 3, 50, 150, 900);
    count_is(&t, 450);
    dbtest_crash(&t);
    count_is(&t, 450);
    dbtest_reopen(&t);
    count_is(&t, 450);
    dbtest_compact(&t);
    count_is(&t, 450);
    dbtest_crash(&t);
    count_is(&t, 450);
    dbtest_close(&t);
}

static void test_delete(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    write_rows(&t, 4, 0, 100, 900);
    dbtest_run(&t, "DELETE FROM m WHERE s = '1' AND time < 45000000000000");
    count_is(&t, 350);
    dbtest_crash(&t);
    count_is(&t, 350);
    dbtest_flush(&t);
    dbtest_run(&t, "DELETE FROM m WHERE s = '2'");
    count_is(&t, 250);
    write_rows(&t, 3, 0, 10, 900);
    count_is(&t, 270);
    dbtest_crash(&t);
    count_is(&t, 270);
    dbtest_flush(&t);
    count_is(&t, 270);
    dbtest_compact(&t);
    count_is(&t, 270);
    dbtest_reopen(&t);
    count_is(&t, 270);
    assert_int_equal(t.db->tombs->count, 0);
    dbtest_run(&t, "DELETE FROM m");
    count_is(&t, 0);
    dbtest_compact(&t);
    dbtest_flush(&t);
    dbtest_compact(&t);
    struct bb_stats stats;
    bb_stats_get(t.db, &stats);
    assert_int_equal(stats.segments, 0);
    dbtest_close(&t);
}

static void test_scattered_weeks(void **state)
{
    struct dbtest t;
    struct bb_stats stats;
    (void)state;
    dbtest_open(&t);
    write_rows(&t, 1, 0, 5000, 7 * 86400);
    dbtest_flush(&t);
    bb_stats_get(t.db, &stats);
    assert_in_range(stats.segments, 1, 2);
    count_is(&t, 5000);
    write_rows(&t, 1, 0, 5000, 7 * 86400);
    dbtest_flush(&t);
    dbtest_compact(&t);
    bb_stats_get(t.db, &stats);
    assert_in_range(stats.segments, 1, 2);
    count_is(&t, 5000);
    dbtest_close(&t);
}

static void test_many_flushes(void **state)
{
    struct dbtest t;
    struct bb_stats stats;
    struct bb_error err;
    (void)state;
    dbtest_open(&t);
    for (unsigned i = 0; i < 100; i++) {
        write_rows(&t, 50, i * 6, i * 6 + 6, 900);
        dbtest_flush(&t);
        assert_int_equal(bb_compact(t.db, false, &err), BB_OK);
        bb_stats_get(t.db, &stats);
        assert_in_range(stats.segments, 1, 24);
    }
    count_is(&t, 30000);
    assert_true(stats.compaction_bytes_written < 6 * stats.flush_bytes_written);
    dbtest_close(&t);
}

static void test_own_and_shared(void **state)
{
    struct dbtest t;
    struct bb_error err;
    struct bbi_buf before;
    struct bbi_buf after;
    const char *query = "SELECT sum(v), count(v), max(v) FROM m GROUP BY s";
    (void)state;
    dbtest_open(&t);
    bbi_buf_init(&before, NULL, 1u << 20);
    bbi_buf_init(&after, NULL, 1u << 20);
    for (unsigned i = 0; i < 12; i++) {
        write_rows(&t, 40, i * 500, i * 500 + 700, 900);
        write_rows(&t, 3, i, 60, 8 * 86400);
        dbtest_flush(&t);
        bbi_buf_reset(&before);
        bbi_buf_reset(&after);
        dbtest_query(&t, query, &before);
        assert_int_equal(bb_compact(t.db, i % 3 == 2, &err), BB_OK);
        dbtest_query(&t, query, &after);
        assert_int_equal(before.len, after.len);
        assert_memory_equal(before.data, after.data, before.len);
    }
    bbi_buf_fini(&before);
    bbi_buf_fini(&after);
    dbtest_close(&t);
}

static void test_catalog_lost(void **state)
{
    struct dbtest t;
    char path[256];
    (void)state;
    dbtest_open(&t);
    write_rows(&t, 20, 0, 100, 900);
    dbtest_flush(&t);
    write_rows(&t, 20, 100, 120, 900);
    bbi_db_abandon(&t.db);
    (void)snprintf(path, sizeof(path), "%s/catalog.mdb", t.dir);
    assert_int_equal(unlink(path), 0);
    struct bb_error err;
    assert_int_equal(bb_db_open(t.dir, &t.options, &t.db, &err), BB_OK);
    count_is(&t, 2400);
    dbtest_expect(&t, "SELECT count(v) FROM m WHERE s = '7'", "m: time=0 count=120i\n");
    dbtest_close(&t);
}

static void flip_byte(const char *path, long at)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_equal(fseek(f, -1, SEEK_CUR), 0);
    assert_int_equal(fputc(c ^ 0x40, f), c ^ 0x40);
    assert_int_equal(fclose(f), 0);
}

static void test_segment_damaged(void **state)
{
    struct dbtest t;
    struct bb_stats stats;
    char path[512];
    (void)state;
    dbtest_open(&t);
    write_rows(&t, 40, 0, 1300, 900);
    dbtest_flush(&t);
    assert_true(t.db->version->count >= 2);
    struct bbi_segment_meta broken = t.db->version->segments[0].meta;
    (void)snprintf(path, sizeof(path), "%s/segments/seg-%016llx.bbs", t.dir,
                   (unsigned long long)broken.id);
    bbi_db_abandon(&t.db);
    flip_byte(path, -10);
    struct bb_error err;
    assert_int_equal(bb_db_open(t.dir, &t.options, &t.db, &err), BB_OK);
    bb_stats_get(t.db, &stats);
    assert_int_equal(stats.segments_quarantined, 1);
    assert_int_not_equal(access(path, F_OK), 0);
    count_is(&t, 52000 - (unsigned)broken.row_count);
    dbtest_close(&t);
}

static void test_refused_dirs(void **state)
{
    struct dbtest t;
    struct bb_db *second;
    struct bb_error err;
    char path[256];
    (void)state;
    dbtest_open(&t);
    assert_int_equal(bb_db_open(t.dir, &t.options, &second, &err), BB_ELOCKED);
    assert_non_null(strstr(err.text, t.dir));
    assert_int_equal(bb_db_close(&t.db, &err), BB_OK);
    (void)snprintf(path, sizeof(path), "%s/FORMAT", t.dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("busbar data format 2\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(bb_db_open(t.dir, &t.options, &second, &err), BB_EVERSION);
    assert_non_null(strstr(err.text, "newer"));
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("busbar data format 1\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(bb_db_open(t.dir, &t.options, &t.db, &err), BB_OK);
    dbtest_close(&t);
}

struct rejects {
    unsigned count;
    int code;
    char reason[256];
};

static void on_reject(void *arg, uint64_t line_number, const char *line, size_t line_length,
                      int code, const char *reason)
{
    struct rejects *r = arg;
    (void)line_number;
    (void)line;
    (void)line_length;
    r->count++;
    r->code = code;
    (void)snprintf(r->reason, sizeof(r->reason), "%s", reason);
}

static void test_rejects(void **state)
{
    struct dbtest t;
    struct bb_error err;
    struct bb_write_result result;
    struct rejects rejects = {0};
    struct bb_write write = {
        .database = "t", .precision_ns = 1, .reject = on_reject, .reject_arg = &rejects};
    (void)state;
    dbtest_open(&t);
    write.lines = "m,s=1 v=1 10\nm,s=1 v=2i 20\nm,s=1 w=3i 30\nbad\n";
    write.lines_length = strlen(write.lines);
    assert_int_equal(bb_write(t.db, &write, &result, &err), BB_OK);
    assert_int_equal(result.points_written, 2);
    assert_int_equal(result.points_rejected, 2);
    assert_int_equal(rejects.count, 2);
    count_is(&t, 1);
    write.lines = "m,s=1 v=2i 20\n";
    write.lines_length = strlen(write.lines);
    assert_int_equal(bb_write(t.db, &write, &result, &err), BB_OK);
    assert_int_equal(rejects.code, BB_ETYPE);
    assert_non_null(strstr(rejects.reason, "already exists as type float"));
    write.lines = "m,s=2 time=1 10\nm,s=2 time=1,v=5 10\nm,time=2 v=1 10\n";
    write.lines_length = strlen(write.lines);
    assert_int_equal(bb_write(t.db, &write, &result, &err), BB_OK);
    assert_int_equal(result.points_written, 1);
    assert_int_equal(result.points_rejected, 2);
    assert_int_equal(rejects.code, BB_EINVAL);
    assert_string_equal(rejects.reason,
                        "invalid tag key: input tag \"time\" on measurement \"m\" is invalid");
    write.lines = "m,s=2 time=1 10\n";
    write.lines_length = strlen(write.lines);
    assert_int_equal(bb_write(t.db, &write, &result, &err), BB_OK);
    assert_int_equal(rejects.code, BB_EINVAL);
    assert_string_equal(rejects.reason,
                        "invalid field name: input field \"time\" on measurement \"m\" is invalid");
    count_is(&t, 2);
    write.database = "nope";
    assert_int_equal(bb_write(t.db, &write, &result, &err), BB_ENOTFOUND);
    assert_string_equal(err.text, "database not found: \"nope\"");
    dbtest_close(&t);
}

struct marks {
    unsigned batches;
    unsigned points;
    unsigned deletions;
};

static void mark_batch(void *arg, const struct bbi_batch *batch, uint64_t lsn)
{
    struct marks *m = arg;
    assert_true(lsn > 0);
    m->batches++;
    m->points += (unsigned)batch->point_count;
}

static void mark_deletion(void *arg, const struct bbi_tombstone *tombstone)
{
    struct marks *m = arg;
    assert_true(tombstone->lsn > 0);
    m->deletions++;
}

static void test_hook(void **state)
{
    struct dbtest t;
    struct marks marks = {0};
    (void)state;
    dbtest_open(&t);
    t.db->hook = (struct bbi_hook){&marks, mark_batch, mark_deletion};
    write_rows(&t, 2, 0, 10, 900);
    dbtest_run(&t, "DELETE FROM m WHERE s = '0'");
    assert_int_equal(marks.batches, 1);
    assert_int_equal(marks.points, 20);
    assert_int_equal(marks.deletions, 1);
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_survives),        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_scattered_weeks), cmocka_unit_test(test_many_flushes),
        cmocka_unit_test(test_own_and_shared),  cmocka_unit_test(test_catalog_lost),
        cmocka_unit_test(test_segment_damaged), cmocka_unit_test(test_refused_dirs),
        cmocka_unit_test(test_rejects),         cmocka_unit_test(test_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
