/* A disk that fills up: writes are refused while there is room for what frees space, deletions are
 * taken even when there is none at all, nothing acknowledged is lost, and it all goes on when space
 * returns. */
#include <stdio.h>
#include <string.h>

#include "engine/db_impl.h"
#include "tests/lib/rng.h"
#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"

#define MIB        (UINT64_C(1) << 20)
#define BATCH_ROWS 2000
#define SERIES     100

struct world {
    struct simdisk *disk;
    struct bb_db *db;
    struct rng rng;
    int64_t next_ns;
    uint64_t acked;
};

static int no_begin(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return 0;
}

static int no_series(void *arg, const struct bb_series *series)
{
    (void)arg;
    (void)series;
    return 0;
}

/* The second column of the last row. */
static int keep_value(void *arg, const struct bb_value *values, size_t row_count)
{
    *(int64_t *)arg = values[2 * row_count - 1].v.i;
    return 0;
}

static int must_end_well(void *arg, const struct bb_error *err)
{
    (void)arg;
    assert_true(err == NULL);
    return 0;
}

static int64_t run(struct world *w, const char *text)
{
    int64_t value = 0;
    struct bb_error err;
    struct bb_sink sink = {.arg = &value,
                           .statement_begin = no_begin,
                           .series = no_series,
                           .rows = keep_value,
                           .statement_end = must_end_well};
    struct bb_query query = {.database = "t", .text = text, .text_length = strlen(text)};
    assert_int_equal(bb_query(w->db, &query, &sink, &err), BB_OK);
    return value;
}

static uint64_t count(struct world *w)
{
    return (uint64_t)run(w, "SELECT count(v) FROM m");
}

/* Random doubles: nothing compresses them. */
static int write_batch(struct world *w, struct bb_error *err)
{
    struct bbi_buf lines;
    struct bb_write_result result;
    bbi_buf_init(&lines, NULL, 64 * MIB);
    for (int i = 0; i < BATCH_ROWS; i++) {
        bbi_buf_printf(&lines, "m,s=%d v=%.17g %lld\n", i % SERIES, rng_finite(&w->rng),
                       (long long)(w->next_ns + i));
    }
    struct bb_write write = {.database = "t",
                             .precision_ns = 1,
                             .lines = (const char *)lines.data,
                             .lines_length = lines.len};
    int rc = bb_write(w->db, &write, &result, err);
    bbi_buf_fini(&lines);
    if (rc == BB_OK) {
        w->next_ns += BATCH_ROWS;
        w->acked += BATCH_ROWS;
    }
    return rc;
}

static void open_world(struct world *w, bool manual_background)
{
    struct bb_error err;
    struct bb_options options;
    bb_options_init(&options);
    options.memory_bytes = 512 * MIB;
    options.memtable_bytes = 64 * MIB;
    options.manual_background = manual_background;
    assert_int_equal(bbi_db_open_on(simdisk_fs(w->disk), "/d", &options, &w->db, &err), BB_OK);
}

static void create_world(struct world *w, uint64_t capacity, bool manual_background)
{
    memset(w, 0, sizeof(*w));
    w->disk = simdisk_create(1);
    w->next_ns = 1000;
    w->rng = rng_of(7);
    simdisk_set_capacity(w->disk, capacity);
    open_world(w, manual_background);
    run(w, "CREATE DATABASE t");
}

static void destroy_world(struct world *w)
{
    struct bb_error err;
    assert_int_equal(bb_db_close(&w->db, &err), BB_OK);
    simdisk_destroy(&w->disk);
}

static void fill(struct world *w)
{
    struct bb_error err;
    int rc;
    do {
        rc = write_batch(w, &err);
    } while (rc == BB_OK);
    assert_int_equal(rc, BB_ENOSPC);
    assert_int_equal(count(w), w->acked);
}

/* The log makes way for segments as the disk fills, so that most of it holds readings. */
static void test_fills_with_readings(void **state)
{
    struct world w;
    struct bb_error err;
    (void)state;
    create_world(&w, 24 * MIB, false);
    fill(&w);
    assert_true(w.acked * 8 > 12 * MIB);
    assert_int_equal(bb_flush(w.db, &err), BB_OK);
    assert_int_equal(count(&w), w.acked);
    run(&w, "DELETE FROM m WHERE s = '1'");
    assert_int_equal(count(&w), w.acked - w.acked / SERIES);
    destroy_world(&w);
}

/* Another program takes all that is left. */
static void test_deletes_without_space(void **state)
{
    struct world w;
    struct bb_error err;
    char text[64];
    (void)state;
    create_world(&w, 48 * MIB, true);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(write_batch(&w, &err), BB_OK);
    }
    simdisk_set_capacity(w.disk, simdisk_used(w.disk));
    fill(&w);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(text, sizeof(text), "DELETE FROM m WHERE s = '%d'", i);
        run(&w, text);
    }
    assert_int_equal(count(&w), w.acked / 2);
    bbi_db_abandon(&w.db);
    open_world(&w, true);
    assert_int_equal(count(&w), w.acked / 2);
    simdisk_set_capacity(w.disk, 48 * MIB);
    assert_int_equal(write_batch(&w, &err), BB_OK);
    destroy_world(&w);
}

/* What needs no space is not held up by what does. */
static void test_drops_without_space(void **state)
{
    struct world w;
    struct bb_error err;
    struct bb_stats stats;
    (void)state;
    create_world(&w, 256 * MIB, true);
    run(&w, "CREATE DATABASE u");
    for (int i = 0; i < 16; i++) {
        assert_int_equal(write_batch(&w, &err), BB_OK);
        struct bb_write_result result;
        struct bb_write write = {
            .database = "u", .precision_ns = 1, .lines = "m v=1 1", .lines_length = 7};
        assert_int_equal(bb_write(w.db, &write, &result, &err), BB_OK);
        assert_int_equal(bb_flush(w.db, &err), BB_OK);
    }
    bb_stats_get(w.db, &stats);
    assert_int_equal(stats.segments, 32);
    run(&w, "DROP DATABASE u");
    simdisk_set_capacity(w.disk, simdisk_used(w.disk) + 4096);
    assert_int_equal(bb_compact(w.db, false, &err), BB_ENOSPC);
    bb_stats_get(w.db, &stats);
    assert_int_equal(stats.segments, 16);
    simdisk_set_capacity(w.disk, 256 * MIB);
    assert_int_equal(bb_compact(w.db, false, &err), BB_OK);
    bb_stats_get(w.db, &stats);
    assert_true(stats.segments < 16);
    assert_int_equal(count(&w), w.acked);
    destroy_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fills_with_readings),
        cmocka_unit_test(test_deletes_without_space),
        cmocka_unit_test(test_drops_without_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
