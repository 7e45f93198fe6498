/* LMDB on the simulated disk: what a cut leaves opens and holds the last commit or the one cut. */
#include "tests/lib/unit.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/rng.h"
#include "tests/lib/simdisk.h"

#define PATH "/data/catalog.mdb"

static struct bb_error err;

static void commit_file(struct simdisk *disk, const char *text, int *rc)
{
    char real[BBI_FS_PATH_MAX];
    assert_ok(bbi_fs_real_path(simdisk_fs(disk), PATH, real, &err), &err);
    *rc = bbi_fs_external_begin(simdisk_fs(disk), PATH, &err);
    if (*rc == BB_OK) {
        FILE *f = fopen(real, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
        *rc = bbi_fs_external_end(simdisk_fs(disk), PATH, true, &err);
    }
}

static struct simdisk *new_disk(uint64_t seed)
{
    struct simdisk *disk = simdisk_create(seed);
    assert_ok(bbi_fs_mkdir(simdisk_fs(disk), "/data", &err), &err);
    assert_ok(bbi_fs_sync_dir(simdisk_fs(disk), "/", &err), &err);
    return disk;
}

static uint64_t size_of(struct simdisk *disk, const char *path, bool *exists)
{
    struct bbi_fs_stat st;
    assert_ok(bbi_fs_stat(simdisk_fs(disk), path, &st, &err), &err);
    *exists = st.exists;
    return st.size_bytes;
}

static void test_the_name_needs_a_directory_sync(void **state)
{
    (void)state;
    int gone = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct simdisk *disk = new_disk(seed);
        int rc;
        bool exists;
        commit_file(disk, "committed", &rc);
        assert_ok(rc, &err);
        if (seed % 2 == 0) {
            assert_ok(bbi_fs_sync_dir(simdisk_fs(disk), "/data", &err), &err);
        }
        simdisk_reboot(disk, seed);
        uint64_t size = size_of(disk, PATH, &exists);
        assert_int_equal(size, exists ? 9 : 0);
        assert_true(exists || seed % 2 == 1);
        gone += !exists;
        simdisk_destroy(&disk);
    }
    assert_in_range(gone, 5, 29);
}

static void test_renames_take_the_real_file_along(void **state)
{
    (void)state;
    int old = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct simdisk *disk = new_disk(seed);
        const struct bbi_fs *fs = simdisk_fs(disk);
        int rc;
        bool exists;
        commit_file(disk, "committed", &rc);
        assert_ok(rc, &err);
        assert_ok(bbi_fs_sync_dir(fs, "/data", &err), &err);
        assert_ok(bbi_fs_rename(fs, PATH, "/data/old.mdb", &err), &err);
        commit_file(disk, "more", &rc);
        assert_ok(rc, &err);
        assert_int_equal(size_of(disk, "/data/old.mdb", &exists), 9);
        assert_int_equal(size_of(disk, PATH, &exists), 4);
        simdisk_reboot(disk, seed);
        uint64_t size = size_of(disk, PATH, &exists);
        assert_true(size == 9 || size == 4 || !exists);
        assert_true((size == 9) == (size_of(disk, "/data/old.mdb", &exists) == 0));
        old += size == 9;
        if (exists) {
            assert_ok(bbi_fs_unlink(fs, "/data/old.mdb", &err), &err);
            (void)size_of(disk, "/data/old.mdb", &exists);
            assert_false(exists);
        }
        simdisk_destroy(&disk);
    }
    assert_in_range(old, 5, 55);
}

static void test_a_fault_strikes_before_the_commit(void **state)
{
    (void)state;
    struct simdisk *disk = new_disk(1);
    int rc;
    bool exists;
    simdisk_fail_op(disk, SIMDISK_EXTERNAL, "catalog", 2, BB_ENOSPC, false);
    commit_file(disk, "one", &rc);
    assert_ok(rc, &err);
    commit_file(disk, "second", &rc);
    assert_int_equal(rc, BB_ENOSPC);
    assert_int_equal(size_of(disk, PATH, &exists), 3);
    commit_file(disk, "second", &rc);
    assert_ok(rc, &err);
    assert_int_equal(bbi_fs_external_end(simdisk_fs(disk), PATH, true, &err), BB_EIO);
    simdisk_destroy(&disk);
}

static void test_the_engine_can_read_it(void **state)
{
    (void)state;
    struct simdisk *disk = new_disk(1);
    const struct bbi_fs *fs = simdisk_fs(disk);
    struct bbi_file *file;
    struct bbi_buf buf;
    int rc;
    commit_file(disk, "committed", &rc);
    assert_ok(rc, &err);
    bbi_buf_init(&buf, NULL, 100);
    assert_ok(bbi_fs_read_file(fs, PATH, 100, &buf, &err), &err);
    assert_true(simdisk_corrupt(disk, PATH, 1, 0x20));
    assert_false(simdisk_corrupt(disk, PATH, 9, 0x20));
    assert_ok(bbi_fs_read_file(fs, PATH, 100, &buf, &err), &err);
    assert_int_equal(buf.len, 18);
    assert_memory_equal(buf.data, "committedcOmmitted", 18);
    bbi_buf_fini(&buf);
    assert_int_equal(bbi_fs_open(fs, PATH, BBI_FS_WRITE, &file, &err), BB_EIO);
    assert_ok(bbi_fs_open(fs, PATH, BBI_FS_READ, &file, &err), &err);
    assert_ok(bbi_fs_sync_dir(fs, "/data", &err), &err);
    simdisk_reboot(disk, 1);
    char c;
    assert_int_equal(bbi_file_read(file, &c, 1, 0, &err), BB_EIO);
    bbi_file_close(&file);
    assert_ok(bbi_fs_open(fs, PATH, BBI_FS_READ, &file, &err), &err);
    assert_ok(bbi_file_read(file, &c, 1, 1, &err), &err);
    assert_int_equal(c, 'O');
    bbi_file_close(&file);
    simdisk_destroy(&disk);
}

static MDB_env *open_env(struct simdisk *disk)
{
    char real[BBI_FS_PATH_MAX];
    MDB_env *env;
    assert_ok(bbi_fs_real_path(simdisk_fs(disk), PATH, real, &err), &err);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_mapsize(env, 16 << 20), 0);
    int rc = mdb_env_open(env, real, MDB_NOSUBDIR, 0600);
    if (rc != 0) {
        mdb_env_close(env);
        return NULL;
    }
    return env;
}

/* Write round's number under many keys. */
static int commit_round(struct simdisk *disk, MDB_env *env, uint64_t round, struct rng *r)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    for (int k = 0; k < 40; k++) {
        uint32_t name = k == 0 ? 0 : (uint32_t)rng_below(r, 2000);
        uint64_t values[20] = {round};
        MDB_val key = {sizeof(name), &name};
        MDB_val value = {sizeof(values), values};
        assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    }
    int rc = bbi_fs_external_begin(simdisk_fs(disk), PATH, &err);
    if (rc != BB_OK) {
        mdb_txn_abort(txn);
        return rc;
    }
    int committed = mdb_txn_commit(txn);
    rc = bbi_fs_external_end(simdisk_fs(disk), PATH, committed == 0, &err);
    assert_int_equal(committed, 0);
    return rc;
}

/* The number under key 0, all pages having been read. */
static uint64_t read_round(MDB_env *env)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_cursor *cursor;
    MDB_val key, value;
    uint64_t round = 0;
    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_cursor_open(txn, dbi, &cursor), 0);
    uint64_t most = 0;
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        uint32_t name;
        uint64_t at;
        assert_int_equal(value.mv_size, 160);
        memcpy(&name, key.mv_data, sizeof(name));
        memcpy(&at, value.mv_data, sizeof(at));
        round = name == 0 ? at : round;
        most = at > most ? at : most;
    }
    assert_true(most == round);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return round;
}

/* A cut in the very first commit: no file, an empty one, one without meta pages, or all of it. */
static void test_a_cut_may_leave_what_lmdb_refuses(void **state)
{
    (void)state;
    int refused = 0, empty = 0, whole = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct simdisk *disk = new_disk(1);
        struct rng r = rng_of(seed);
        MDB_env *env = open_env(disk);
        assert_non_null(env);
        simdisk_cut_at(disk, 1);
        assert_int_equal(commit_round(disk, env, 1, &r), BB_EIO);
        mdb_env_close(env);
        simdisk_reboot(disk, seed);
        env = open_env(disk);
        refused += env == NULL;
        if (env != NULL) {
            uint64_t round = read_round(env);
            empty += round == 0;
            whole += round == 1;
            mdb_env_close(env);
        }
        simdisk_destroy(&disk);
    }
    assert_true(refused > 0 && empty > 0 && whole > 0);
}

static void test_lmdb_survives_cuts(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    int at_old = 0, at_new = 0;
    for (int run = 0; run < 120; run++) {
        struct simdisk *disk = new_disk(1);
        MDB_env *env = open_env(disk);
        assert_non_null(env);
        simdisk_cut_at(disk, 1 + rng_below(&r, 15));
        uint64_t acknowledged = 0;
        while (commit_round(disk, env, acknowledged + 1, &r) == BB_OK) {
            acknowledged++;
            if (acknowledged == 1 && bbi_fs_sync_dir(simdisk_fs(disk), "/data", &err) != BB_OK) {
                acknowledged = 0; /* without the name, nothing is durable */
                break;
            }
        }
        mdb_env_close(env);
        simdisk_reboot(disk, rng_u64(&r));
        env = open_env(disk);
        /* Until the first commit is through, there may be a file without meta pages. */
        assert_true(env != NULL || acknowledged == 0);
        if (env != NULL) {
            uint64_t round = read_round(env);
            assert_true(round == acknowledged || round == acknowledged + 1);
            at_old += round == acknowledged;
            at_new += round == acknowledged + 1;
            assert_ok(commit_round(disk, env, round + 1, &r), &err);
            assert_true(read_round(env) == round + 1);
            mdb_env_close(env);
        }
        simdisk_destroy(&disk);
    }
    assert_true(at_old > 20 && at_new > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_name_needs_a_directory_sync),
        cmocka_unit_test(test_renames_take_the_real_file_along),
        cmocka_unit_test(test_a_fault_strikes_before_the_commit),
        cmocka_unit_test(test_the_engine_can_read_it),
        cmocka_unit_test(test_a_cut_may_leave_what_lmdb_refuses),
        cmocka_unit_test(test_lmdb_survives_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
