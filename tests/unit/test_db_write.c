/* The write path when the log refuses or stalls: what was not logged has not happened, and nobody
 * waits longer than his own deadline. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/db_impl.h"
#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"

#define MIB     (UINT64_C(1) << 20)
#define SECOND  INT64_C(1000000000)
#define WRITERS 4
#define ROWS    2000

/* A disk whose syncs of the log may be held up. */
struct gate {
    struct simdisk *disk;
    struct bbi_fs_ops ops;
    struct bbi_fs fs;
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool closed;
};

static struct gate gate;

static int gated_sync(struct bbi_file *file, struct bb_error *err)
{
    if (strstr(file->path, "/wal/") != NULL) {
        pthread_mutex_lock(&gate.lock);
        while (gate.closed) {
            pthread_cond_wait(&gate.opened, &gate.lock);
        }
        pthread_mutex_unlock(&gate.lock);
    }
    return simdisk_fs(gate.disk)->ops->sync(file, err);
}

static int gated_open(const struct bbi_fs *fs, const char *path, unsigned flags,
                      struct bbi_file **file, struct bb_error *err)
{
    int rc = simdisk_fs(gate.disk)->ops->open(fs, path, flags, file, err);
    if (rc == BB_OK) {
        (*file)->fs = &gate.fs;
    }
    return rc;
}

static void set_gate(bool closed)
{
    pthread_mutex_lock(&gate.lock);
    gate.closed = closed;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
}

/* Points that subscriptions were told of. */
static atomic_int forwarded;

static void on_stored(void *arg, struct bb_lines *lines)
{
    (void)arg;
    atomic_fetch_add(&forwarded, (int)lines->count);
}

static struct bb_db *open_db(void)
{
    struct bb_db *db;
    struct bb_error err;
    struct bb_options options;
    memset(&gate, 0, sizeof(gate));
    gate.disk = simdisk_create(3);
    gate.ops = *simdisk_fs(gate.disk)->ops;
    gate.ops.open = gated_open;
    gate.ops.sync = gated_sync;
    gate.fs = *simdisk_fs(gate.disk);
    gate.fs.ops = &gate.ops;
    assert_int_equal(pthread_mutex_init(&gate.lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&gate.opened, NULL), 0);
    bb_options_init(&options);
    options.memory_bytes = 512 * MIB;
    options.wal_buffer_bytes = MIB;
    options.manual_background = true;
    options.lines_stored = on_stored;
    atomic_store(&forwarded, 0);
    assert_ok(bbi_db_open_on(&gate.fs, "/d", &options, &db, &err), &err);
    return db;
}

static void close_db(struct bb_db **db)
{
    bbi_db_abandon(db);
    simdisk_destroy(&gate.disk);
    pthread_cond_destroy(&gate.opened);
    pthread_mutex_destroy(&gate.lock);
}

/* ---- queries ---- */

struct outcome {
    size_t rows;
    int code;
};

static int on_begin(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return 0;
}

static int on_series(void *arg, const struct bb_series *series)
{
    (void)arg;
    (void)series;
    return 0;
}

static int on_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    (void)values;
    ((struct outcome *)arg)->rows += row_count;
    return 0;
}

static int on_end(void *arg, const struct bb_error *err)
{
    ((struct outcome *)arg)->code = err == NULL ? BB_OK : err->code;
    return 0;
}

static struct outcome run(struct bb_db *db, const char *text)
{
    struct outcome o = {0, BB_OK};
    struct bb_error err;
    struct bb_sink sink = {.arg = &o,
                           .statement_begin = on_begin,
                           .series = on_series,
                           .rows = on_rows,
                           .statement_end = on_end};
    struct bb_query query = {.database = "t", .text = text, .text_length = strlen(text)};
    assert_ok(bb_query(db, &query, &sink, &err), &err);
    return o;
}

static int write_lines(struct bb_db *db, const char *lines, struct bb_error *err)
{
    struct bb_write_result result;
    struct bb_write write = {
        .database = "t", .precision_ns = 1, .lines = lines, .lines_length = strlen(lines)};
    return bb_write(db, &write, &result, err);
}

/* ---- tests ---- */

static void test_failed_drop_keeps_names(void **state)
{
    static const char *const drops[] = {"DROP SERIES FROM m WHERE s = 'a'", "DROP MEASUREMENT m",
                                        "DROP SERIES FROM /.*/", "DELETE FROM m"};
    struct bb_error err;
    struct bb_db *db = open_db();
    (void)state;
    assert_int_equal(run(db, "CREATE DATABASE t").code, BB_OK);
    assert_ok(write_lines(db, "m,s=a v=1 1\nm,s=b v=1 1\n", &err), &err);
    simdisk_fail_op(gate.disk, SIMDISK_SYNC, "/wal/", 1, BB_EIO, true);
    assert_int_equal(write_lines(db, "m,s=a v=2 2\n", &err), BB_EREADONLY);
    for (size_t i = 0; i < sizeof(drops) / sizeof(drops[0]); i++) {
        assert_int_equal(run(db, drops[i]).code, BB_EREADONLY);
        assert_int_equal(run(db, "SHOW SERIES").rows, 2);
        assert_int_equal(run(db, "SHOW MEASUREMENTS").rows, 1);
        assert_int_equal(run(db, "SHOW FIELD KEYS").rows, 1);
        assert_int_equal(run(db, "SELECT v FROM m").rows, 2);
    }
    close_db(&db);
}

struct writer {
    pthread_t thread;
    struct bb_db *db;
    char *lines;
    int code;
    int64_t took_ns;
    atomic_int *told;
};

static void on_durable(void *arg, const struct bb_error *err)
{
    assert_true(err == NULL);
    atomic_fetch_sub((atomic_int *)arg, 1);
}

/* Submit until the log's buffer takes no more. */
static void *writer_main(void *arg)
{
    struct writer *w = arg;
    struct bb_write_result result;
    struct bb_error err;
    struct bb_write write = {
        .database = "t", .precision_ns = 1, .lines = w->lines, .lines_length = strlen(w->lines)};
    do {
        int64_t begin_ns = bbi_clock_mono_ns();
        atomic_fetch_add(w->told, 1);
        w->code = bb_write_submit(w->db, &write, &result, on_durable, w->told, &err);
        w->took_ns = bbi_clock_mono_ns() - begin_ns;
    } while (w->code == BB_OK);
    atomic_fetch_sub(w->told, 1);
    return NULL;
}

/* On a disk that stalls, all writers are refused at their own deadlines, not one after the other,
 * and those of them that still have room are not held up. */
static void test_stalled_disk(void **state)
{
    struct writer writers[WRITERS];
    struct bbi_buf lines;
    atomic_int told = 0;
    struct bb_db *db = open_db();
    (void)state;
    assert_int_equal(run(db, "CREATE DATABASE t").code, BB_OK);
    bbi_buf_init(&lines, NULL, 8 * MIB);
    for (int i = 0; i < ROWS; i++) {
        bbi_buf_printf(&lines, "m,s=%d v=\"%0100d\" %d\n", i % 10, i, i);
    }
    bbi_buf_u8(&lines, 0);
    set_gate(true);
    int64_t begin_ns = bbi_clock_mono_ns();
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.db = db, .lines = (char *)lines.data, .told = &told};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_int_equal(writers[i].code, BB_EBUSY);
        assert_in_range(writers[i].took_ns, 3 * SECOND, 5 * SECOND);
    }
    assert_true(bbi_clock_mono_ns() - begin_ns < 2 * BBI_WRITE_WAIT_MS * (SECOND / 1000));
    set_gate(false);
    struct bb_error err;
    assert_ok(write_lines(db, "m,s=1 v=\"x\" 5\n", &err), &err);
    while (atomic_load(&told) != 0) {
        (void)usleep(1000); /* the log tells them after it has woken who waits */
    }
    bbi_buf_fini(&lines);
    close_db(&db);
}

static void wait_for(atomic_int *number, int value)
{
    while (atomic_load(number) != value) {
        (void)usleep(1000);
    }
}

/* A subscription is told of what is on disk, and never of what will not be. */
static void test_forwarded_when_durable(void **state)
{
    struct bb_write_result result;
    struct bb_error err;
    atomic_int told = 1;
    const struct bb_write write = {
        .database = "t", .precision_ns = 1, .lines = "m v=2 2\nm v=3 3", .lines_length = 15};
    struct bb_db *db = open_db();
    (void)state;
    assert_int_equal(run(db, "CREATE DATABASE t").code, BB_OK);
    assert_int_equal(
        run(db, "CREATE SUBSCRIPTION s ON t.autogen DESTINATIONS ALL 'udp://h:1'").code, BB_OK);
    assert_ok(write_lines(db, "m v=1 1", &err), &err);
    wait_for(&forwarded, 1);
    set_gate(true);
    assert_ok(bb_write_submit(db, &write, &result, on_durable, &told, &err), &err);
    (void)usleep(50000);
    assert_int_equal(atomic_load(&forwarded), 1);
    assert_int_equal(atomic_load(&told), 1);
    set_gate(false);
    wait_for(&forwarded, 3);
    wait_for(&told, 0);
    simdisk_fail_op(gate.disk, SIMDISK_SYNC, "/wal/", 1, BB_EIO, true);
    assert_int_equal(write_lines(db, "m v=4 4", &err), BB_EREADONLY);
    close_db(&db);
    assert_int_equal(atomic_load(&forwarded), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_drop_keeps_names),
        cmocka_unit_test(test_stalled_disk),
        cmocka_unit_test(test_forwarded_when_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
