/*
 * Many series: how long things take and how much they need, printed, with bounds that a slow
 * machine keeps. 20,000 series in `make check`; BUSBAR_SCALE=1000000 for a real measurement.
 */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/catalog/catalog.h"
#include "engine/catalog/verify.h"

static struct bb_error err;
static char dir[64];
static uint32_t count = 20000;

struct lap {
    int64_t start_ns;
    int64_t cpu_ns;
};

static struct lap lap_start(void)
{
    return (struct lap){bbi_clock_mono_ns(), bbi_clock_cpu_ns()};
}

static double lap_print(const struct lap *lap, const char *what)
{
    double wall = (double)(bbi_clock_mono_ns() - lap->start_ns) / 1e9;
    double cpu = (double)(bbi_clock_cpu_ns() - lap->cpu_ns) / 1e9;
    print_message("%-28s %8.3f s, %8.3f s of CPU\n", what, wall, cpu);
    return cpu;
}

static uint64_t file_bytes(const char *name)
{
    struct bbi_fs_stat st;
    char path[BBI_FS_PATH_MAX];
    assert_ok(bbi_fs_join(path, dir, name, &err), &err);
    assert_ok(bbi_fs_stat(bbi_fs_posix(), path, &st, &err), &err);
    return st.size_bytes;
}

static struct bbi_catalog *open_catalog(struct bbi_account *acct)
{
    struct bbi_catalog *cat;
    struct bbi_catalog_state state;
    const struct bbi_catalog_options options = {.map_bytes = 0};
    assert_ok(bbi_catalog_open(bbi_fs_posix(), dir, &options, acct, NULL, NULL, &cat, &state, &err),
              &err);
    assert_false(state.damaged);
    bbi_catalog_state_fini(&state);
    return cat;
}

/* A device each, in no order, of one fuel in two. */
static void resolve_all(struct bbi_catalog *cat, uint32_t db, bool expect_new)
{
    for (uint32_t i = 0; i < count; i++) {
        char device[32];
        uint32_t n = (uint32_t)((uint64_t)i * 7919 % count);
        int len = snprintf(device, sizeof(device), "MTR-%08u", n);
        const char *fuel = n % 2 == 0 ? "electricity" : "gas";
        const struct bbi_tag tags[] = {
            {(const uint8_t *)"device_id", 9, (uint8_t *)device, (size_t)len},
            {(const uint8_t *)"fuel_type", 9, (const uint8_t *)fuel, strlen(fuel)}};
        uint32_t mid;
        uint32_t sid;
        bool created;
        assert_ok(bbi_catalog_series_resolve(cat, db, (const uint8_t *)"reading", 7, tags, 2, &mid,
                                             &sid, &created, &err),
                  &err);
        assert_int_equal(sid, i + 1);
        assert_int_equal(created, expect_new);
        if (expect_new && i % 5000 == 4999) {
            struct bbi_buf frame;
            bool more;
            bbi_buf_init(&frame, NULL, (size_t)1 << 30);
            assert_ok(bbi_catalog_take_pending(cat, SIZE_MAX, &frame, &more, &err), &err);
            bbi_catalog_pending_done(cat, true);
            bbi_buf_fini(&frame);
        }
    }
}

static int count_one(void *arg, uint32_t sid, uint32_t mid, const uint8_t *key, size_t key_len,
                     struct bb_error *e)
{
    (void)sid;
    (void)mid;
    (void)key;
    (void)e;
    *(uint64_t *)arg += key_len != 0;
    return BB_OK;
}

static void expect_selected(struct bbi_catalog *cat, uint32_t db, enum bbi_tagpred_op op,
                            const char *key, const char *value, uint64_t want, const char *what)
{
    const struct bbi_tagpred pred = {.op = op,
                                     .key = (const uint8_t *)key,
                                     .key_len = strlen(key),
                                     .value = (const uint8_t *)value,
                                     .value_len = strlen(value)};
    roaring_bitmap_t *ids;
    struct lap lap = lap_start();
    assert_ok(bbi_catalog_select(cat, db, 0, &pred, &ids, &err), &err);
    (void)lap_print(&lap, what);
    assert_int_equal(roaring_bitmap_get_cardinality(ids), want);
    roaring_bitmap_free(ids);
}

static void query(struct bbi_catalog *cat, uint32_t db)
{
    struct bbi_names names;
    uint64_t told = 0;
    expect_selected(cat, db, BBI_TAGPRED_EQ, "device_id", "MTR-00000123", 1, "  device_id = one");
    expect_selected(cat, db, BBI_TAGPRED_EQ, "fuel_type", "gas", count / 2, "  fuel_type = half");
    expect_selected(cat, db, BBI_TAGPRED_NEQ, "device_id", "MTR-00000123", count - 1,
                    "  device_id != one");
    expect_selected(cat, db, BBI_TAGPRED_REGEX, "device_id", "00012[3-5]$",
                    3 * ((count - 1) / 1000000 + 1), "  device_id =~ some");
    struct lap lap = lap_start();
    assert_ok(bbi_catalog_series_each(cat, db, NULL, NULL, count_one, &told, &err), &err);
    (void)lap_print(&lap, "  list all series");
    assert_int_equal(told, count);
    lap = lap_start();
    assert_ok(bbi_catalog_tag_values(cat, db, 0, (const uint8_t *)"device_id", 9, NULL, NULL,
                                     &names, &err),
              &err);
    (void)lap_print(&lap, "  list all devices");
    assert_int_equal(names.count, count);
    bbi_names_fini(&names);
}

static void test_many_series(void **state)
{
    (void)state;
    struct bbi_account acct;
    uint32_t db;
    char path[BBI_FS_PATH_MAX];
    bbi_account_init(&acct, "catalog", 0, NULL);
    struct bbi_catalog *cat = open_catalog(&acct);
    assert_ok(bbi_catalog_database_create(cat, "d", 1, NULL, 0, NULL, &db, &err), &err);
    struct lap lap = lap_start();
    resolve_all(cat, db, true);
    double per_series = lap_print(&lap, "resolve new series") / count;
    assert_true(per_series < 50e-6);
    uint64_t bytes = acct.used_bytes / count;
    print_message("%llu bytes each in memory\n", (unsigned long long)bytes);
    assert_true(bytes < 150 + 40);
    query(cat, db);

    assert_ok(bbi_catalog_rotate(cat, &err), &err);
    lap = lap_start();
    const struct bbi_catalog_edit edit = {.checkpoint_lsn = 1};
    assert_ok(bbi_catalog_commit(cat, &edit, &err), &err);
    (void)lap_print(&lap, "commit");
    print_message("catalog.mdb %llu, catalog.log %llu bytes, memory %llu, at most %llu\n",
                  (unsigned long long)file_bytes("catalog.mdb"),
                  (unsigned long long)file_bytes("catalog.log"),
                  (unsigned long long)acct.used_bytes, (unsigned long long)acct.peak_bytes);
    assert_true(file_bytes("catalog.mdb") / count < 400);
    lap = lap_start();
    resolve_all(cat, db, false);
    (void)lap_print(&lap, "resolve known series");
    query(cat, db);
    bbi_catalog_close(&cat);
    assert_int_equal(acct.used_bytes, 0);

    assert_ok(bbi_fs_join(path, dir, "catalog.mdb", &err), &err);
    lap = lap_start();
    assert_ok(bbi_verify(bbi_fs_posix(), path, NULL, &err), &err);
    assert_true(lap_print(&lap, "check catalog.mdb") < 0.7);
    lap = lap_start();
    cat = open_catalog(NULL);
    (void)lap_print(&lap, "open");
    bbi_catalog_close(&cat);
    assert_ok(bbi_fs_unlink(bbi_fs_posix(), path, &err), &err);
    lap = lap_start();
    cat = open_catalog(NULL);
    (void)lap_print(&lap, "open, rebuilding catalog.mdb");
    query(cat, db);
    bbi_catalog_close(&cat);
}

/* The size that a small database has on disk: 622 meters of one tag, nine flushes. */
static void test_few_series_take_little(void **state)
{
    (void)state;
    struct bbi_catalog *cat = open_catalog(NULL);
    uint32_t db;
    uint32_t mid;
    uint32_t sid;
    uint32_t field;
    assert_ok(bbi_catalog_database_create(cat, "d", 1, NULL, 0, NULL, &db, &err), &err);
    for (int i = 0; i < 622; i++) {
        char device[8];
        int len = snprintf(device, sizeof(device), "%d", 1000 + i);
        const struct bbi_tag tag = {(const uint8_t *)"device_id", 9, (uint8_t *)device,
                                    (size_t)len};
        assert_ok(bbi_catalog_series_resolve(cat, db, (const uint8_t *)"reading", 7, &tag, 1, &mid,
                                             &sid, NULL, &err),
                  &err);
    }
    assert_ok(bbi_catalog_field_resolve(cat, db, mid, (const uint8_t *)"value", 5, BBI_FLOAT,
                                        &field, &err),
              &err);
    for (uint64_t lsn = 1; lsn < 10; lsn++) {
        const struct bbi_segment_meta meta = {
            .id = bbi_catalog_segment_id_new(cat), .db_id = db, .rp_id = 1};
        const struct bbi_catalog_edit edit = {
            .add_segments = &meta, .add_segment_count = 1, .checkpoint_lsn = lsn};
        assert_ok(bbi_catalog_rotate(cat, &err), &err);
        assert_ok(bbi_catalog_commit(cat, &edit, &err), &err);
        if (lsn == 1 || lsn == 9) {
            uint64_t mdb = file_bytes("catalog.mdb");
            print_message("622 series, %llu commits: catalog.mdb %llu, catalog.log %llu bytes\n",
                          (unsigned long long)lsn, (unsigned long long)mdb,
                          (unsigned long long)file_bytes("catalog.log"));
            assert_true(mdb <= (lsn == 1 ? 160 : 250) * 1024);
        }
    }
    bbi_catalog_close(&cat);
}

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/busbar-catalog-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **state)
{
    (void)state;
    struct bbi_fs_names names;
    assert_ok(bbi_fs_list(bbi_fs_posix(), dir, &names, &err), &err);
    for (size_t i = 0; i < names.count; i++) {
        char path[BBI_FS_PATH_MAX];
        assert_ok(bbi_fs_join(path, dir, names.names[i], &err), &err);
        assert_int_equal(remove(path), 0);
    }
    bbi_fs_names_fini(&names);
    return remove(dir);
}

int main(void)
{
    const char *scale = getenv("BUSBAR_SCALE");
    if (scale != NULL) {
        count = (uint32_t)strtoul(scale, NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_few_series_take_little, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_many_series, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
