#include "tests/lib/unit.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/rng.h"
#include "tests/lib/simdisk.h"

#define SEEDS 300
#define NEW   (BBI_FS_READ | BBI_FS_WRITE | BBI_FS_CREATE)

static struct bb_error err;

static struct bbi_file *open_file(struct simdisk *disk, const char *path, unsigned flags)
{
    struct bbi_file *file;
    assert_ok(bbi_fs_open(simdisk_fs(disk), path, flags, &file, &err), &err);
    return file;
}

static void write_file(struct simdisk *disk, const char *path, const char *text, bool sync)
{
    struct bbi_file *file = open_file(disk, path, NEW);
    assert_ok(bbi_file_write(file, text, strlen(text), 0, &err), &err);
    if (sync) {
        assert_ok(bbi_file_sync(file, &err), &err);
    }
    bbi_file_close(&file);
}

/* A file's text, or NULL if there is no such file. */
static const char *text_of(struct simdisk *disk, const char *path)
{
    static char text[4][64];
    static unsigned next;
    struct bbi_file *file;
    int rc = bbi_fs_open(simdisk_fs(disk), path, BBI_FS_READ, &file, &err);
    if (rc == BB_ENOTFOUND) {
        return NULL;
    }
    assert_ok(rc, &err);
    char *to = text[next++ % 4];
    size_t got;
    assert_ok(bbi_file_read_some(file, to, sizeof(text[0]) - 1, 0, &got, &err), &err);
    to[got] = '\0';
    bbi_file_close(&file);
    return to;
}

static bool exists(struct simdisk *disk, const char *path)
{
    struct bbi_fs_stat st;
    assert_ok(bbi_fs_stat(simdisk_fs(disk), path, &st, &err), &err);
    return st.exists;
}

static void sync_dir(struct simdisk *disk, const char *path)
{
    assert_ok(bbi_fs_sync_dir(simdisk_fs(disk), path, &err), &err);
}

static void make_dir(struct simdisk *disk, const char *path)
{
    assert_ok(bbi_fs_mkdir(simdisk_fs(disk), path, &err), &err);
}

static void move(struct simdisk *disk, const char *from, const char *to)
{
    assert_ok(bbi_fs_rename(simdisk_fs(disk), from, to, &err), &err);
}

/* Sectors of 'B' among the first n, all others being 'A'. */
static int count_new_sectors(struct bbi_file *file, int n)
{
    int found = 0;
    for (int k = 0; k < n; k++) {
        char sector[SIMDISK_SECTOR];
        assert_ok(bbi_file_read(file, sector, sizeof(sector), (uint64_t)k * sizeof(sector), &err),
                  &err);
        assert_true(sector[0] == 'A' || sector[0] == 'B');
        for (size_t i = 1; i < sizeof(sector); i++) {
            assert_int_equal(sector[i], sector[0]);
        }
        found += sector[0] == 'B';
    }
    return found;
}

static void test_unsynced_writes_are_lost_kept_or_torn(void **state)
{
    (void)state;
    enum {
        SECTORS = 16
    };
    char old[SECTORS * SIMDISK_SECTOR], new[SECTORS * SIMDISK_SECTOR];
    memset(old, 'A', sizeof(old));
    memset(new, 'B', sizeof(new));
    int lost = 0, kept = 0, torn = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct simdisk *disk = simdisk_create(seed);
        struct bbi_file *file = open_file(disk, "f", NEW);
        assert_ok(bbi_file_write(file, old, sizeof(old), 0, &err), &err);
        assert_ok(bbi_file_sync(file, &err), &err);
        sync_dir(disk, "/");
        bool synced = seed % 4 == 0;
        assert_ok(bbi_file_write(file, new, sizeof(new), 0, &err), &err);
        if (synced) {
            assert_ok(bbi_file_sync(file, &err), &err);
        }
        bbi_file_close(&file);
        simdisk_reboot(disk, seed);
        file = open_file(disk, "f", BBI_FS_READ);
        uint64_t size;
        assert_ok(bbi_file_size(file, &size, &err), &err);
        assert_int_equal(size, sizeof(old));
        int found = count_new_sectors(file, SECTORS);
        if (synced) {
            assert_int_equal(found, SECTORS);
        }
        lost += found == 0;
        kept += found == SECTORS && !synced;
        torn += found != 0 && found != SECTORS;
        bbi_file_close(&file);
        simdisk_destroy(&disk);
    }
    assert_true(lost > SEEDS / 20 && kept > SEEDS / 20 && torn > SEEDS / 20);
}

static void test_unsynced_lengths_vary(void **state)
{
    (void)state;
    int none = 0, part = 0, whole = 0, zeros = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct simdisk *disk = simdisk_create(seed);
        struct bbi_file *file = open_file(disk, "f", NEW);
        char data[3000];
        memset(data, 'D', sizeof(data));
        assert_ok(bbi_file_write(file, data, 100, 0, &err), &err);
        assert_ok(bbi_file_sync(file, &err), &err);
        sync_dir(disk, "/");
        assert_ok(bbi_file_write(file, data, 3000, 100, &err), &err);
        bbi_file_close(&file);
        simdisk_reboot(disk, seed);
        file = open_file(disk, "f", BBI_FS_READ);
        uint64_t size;
        assert_ok(bbi_file_size(file, &size, &err), &err);
        assert_in_range(size, 100, 3100);
        assert_true(size == 100 || size == 3100 || size % SIMDISK_SECTOR == 0);
        char back[3100] = "";
        assert_ok(bbi_file_read(file, back, size, 0, &err), &err);
        bool holes = memchr(back, 0, size) != NULL;
        assert_memory_equal(back, data, 100);
        none += size == 100;
        part += size > 100 && size < 3100;
        whole += size == 3100 && !holes;
        zeros += holes;
        bbi_file_close(&file);
        simdisk_destroy(&disk);
    }
    assert_true(none > 10 && part > 5 && whole > 10 && zeros > 10);
}

static void test_unsynced_names_are_a_prefix(void **state)
{
    (void)state;
    int seen[4] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct simdisk *disk = simdisk_create(seed);
        write_file(disk, "/kept", "k", true);
        sync_dir(disk, "/");
        write_file(disk, "/a", "a", true);
        write_file(disk, "/b", "b", true);
        write_file(disk, "/c", "c", true);
        simdisk_reboot(disk, seed);
        assert_string_equal(text_of(disk, "/kept"), "k");
        int count = 0;
        const char *const names[] = {"/a", "/b", "/c"};
        for (; count < 3 && exists(disk, names[count]); count++) {
            assert_non_null(text_of(disk, names[count]));
        }
        for (int k = count; k < 3; k++) {
            assert_false(exists(disk, names[k]));
        }
        seen[count]++;
        simdisk_destroy(&disk);
    }
    for (int k = 0; k < 4; k++) {
        assert_true(seen[k] > 10);
    }
}

static void test_renames_are_whole_but_may_be_undone(void **state)
{
    (void)state;
    int undone = 0, done = 0, empty = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct simdisk *disk = simdisk_create(seed);
        write_file(disk, "/name", "old", true);
        write_file(disk, "/name.tmp", "new", seed % 2 == 0);
        sync_dir(disk, "/");
        move(disk, "/name.tmp", "/name");
        assert_string_equal(text_of(disk, "/name"), "new");
        bool synced = seed % 8 < 4;
        if (synced) {
            sync_dir(disk, "/");
        }
        simdisk_reboot(disk, seed);
        const char *text = text_of(disk, "/name");
        assert_non_null(text);
        bool is_old = strcmp(text, "old") == 0;
        assert_true(is_old == exists(disk, "/name.tmp"));
        assert_true(is_old || seed % 2 == 1 || strcmp(text, "new") == 0);
        assert_true(!synced || !is_old);
        undone += is_old;
        done += !is_old;
        empty += text[0] == '\0';
        simdisk_destroy(&disk);
    }
    assert_true(undone > 10 && done > 10 && empty > 10);
}

static void test_a_rename_between_directories_loses_nothing(void **state)
{
    (void)state;
    int both = 0, old_only = 0, new_only = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct simdisk *disk = simdisk_create(seed);
        make_dir(disk, "/segments");
        sync_dir(disk, "/");
        write_file(disk, "/segments/s", "data", true);
        sync_dir(disk, "/segments");
        make_dir(disk, "/quarantine");
        make_dir(disk, "/quarantine/deep");
        move(disk, "/segments/s", "/quarantine/deep/s");
        if (seed % 3 == 0) {
            sync_dir(disk, "/segments");
        } else if (seed % 3 == 1) {
            sync_dir(disk, "/quarantine/deep");
        }
        simdisk_reboot(disk, seed);
        const char *old = text_of(disk, "/segments/s");
        const char *new = text_of(disk, "/quarantine/deep/s");
        assert_true(old != NULL || new != NULL);
        assert_true(old == NULL || strcmp(old, "data") == 0);
        assert_true(new == NULL || strcmp(new, "data") == 0);
        assert_true(seed % 3 != 0 || old == NULL);
        both += old != NULL && new != NULL;
        old_only += new == NULL;
        new_only += old == NULL;
        simdisk_destroy(&disk);
    }
    assert_true(both > 5 && old_only > 5 && new_only > 5);
}

static void test_removals_and_directories_may_be_undone(void **state)
{
    (void)state;
    int removed = 0, made = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct simdisk *disk = simdisk_create(seed);
        write_file(disk, "a", "a", true);
        sync_dir(disk, ".");
        assert_ok(bbi_fs_unlink(simdisk_fs(disk), "./a", &err), &err);
        assert_false(exists(disk, "a"));
        make_dir(disk, "d");
        write_file(disk, "d/x", "x", true);
        sync_dir(disk, "d");
        simdisk_reboot(disk, seed);
        removed += !exists(disk, "a");
        bool there = exists(disk, "d");
        made += there;
        assert_true(there == exists(disk, "d/x"));
        simdisk_destroy(&disk);
    }
    assert_in_range(removed, 10, SEEDS - 10);
    assert_in_range(made, 10, SEEDS - 10);
}

/* Ten changing operations, of which the third write is the eighth. */
static int ten_ops(struct simdisk *disk, int *done)
{
    const struct bbi_fs *fs = simdisk_fs(disk);
    struct bbi_file *file = NULL;
    *done = 0;
    int rc = bbi_fs_mkdir(fs, "d", &err);
    *done += rc == BB_OK;
    rc = rc != BB_OK ? rc : bbi_fs_open(fs, "d/f", NEW, &file, &err);
    *done += rc == BB_OK;
    for (int k = 0; rc == BB_OK && k < 3; k++) {
        rc = bbi_file_write(file, "0123456789", 10, (uint64_t)k * 10, &err);
        *done += rc == BB_OK;
        rc = rc != BB_OK ? rc : bbi_file_sync(file, &err);
        *done += rc == BB_OK;
    }
    bbi_file_close(&file);
    rc = rc != BB_OK ? rc : bbi_fs_sync_dir(fs, "d", &err);
    *done += rc == BB_OK;
    rc = rc != BB_OK ? rc : bbi_fs_sync_dir(fs, "/", &err);
    *done += rc == BB_OK;
    return rc;
}

static void test_the_power_goes_at_the_nth_operation(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 11; n++) {
        struct simdisk *disk = simdisk_create(n);
        int done;
        simdisk_cut_at(disk, n);
        int rc = ten_ops(disk, &done);
        if (n == 11) {
            assert_ok(rc, &err);
            assert_int_equal(simdisk_op_count(disk), 10);
            assert_false(simdisk_is_dead(disk));
            simdisk_cut(disk);
        }
        assert_true(simdisk_is_dead(disk));
        assert_int_equal(done, n - 1);
        if (n <= 10) {
            assert_int_equal(rc, BB_EIO);
            assert_contains(err.text, "the power is off");
            assert_int_equal(simdisk_op_count(disk), n);
        }
        struct bbi_fs_stat st;
        struct bbi_fs_names names;
        struct bbi_file *file;
        assert_int_equal(bbi_fs_stat(simdisk_fs(disk), "d", &st, &err), BB_EIO);
        assert_int_equal(bbi_fs_list(simdisk_fs(disk), "/", &names, &err), BB_EIO);
        assert_int_equal(bbi_fs_open(simdisk_fs(disk), "x", NEW, &file, &err), BB_EIO);
        assert_int_equal(bbi_fs_mkdir(simdisk_fs(disk), "d", &err), BB_EIO);
        assert_int_equal(bbi_fs_unlink(simdisk_fs(disk), "none", &err), BB_EIO);
        assert_int_equal(bbi_fs_open(simdisk_fs(disk), "none", BBI_FS_READ, &file, &err), BB_EIO);
        simdisk_reboot(disk, n);
        assert_false(simdisk_is_dead(disk));
        if (n == 11) {
            assert_string_equal(text_of(disk, "d/f"), "012345678901234567890123456789");
        }
        simdisk_destroy(&disk);
    }
}

static void test_what_was_open_is_gone_after_a_reboot(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_file *lock, *second, *file = open_file(disk, "f", NEW);
    assert_ok(bbi_fs_lock(simdisk_fs(disk), "LOCK", &lock, &err), &err);
    assert_int_equal(bbi_fs_lock(simdisk_fs(disk), "LOCK", &second, &err), BB_ELOCKED);
    sync_dir(disk, "/");
    simdisk_reboot(disk, 1);
    char c;
    size_t got;
    assert_int_equal(bbi_file_read_some(file, &c, 1, 0, &got, &err), BB_EIO);
    assert_int_equal(bbi_file_write(file, "x", 1, 0, &err), BB_EIO);
    assert_int_equal(bbi_file_sync(file, &err), BB_EIO);
    assert_contains(err.text, "opened before the power cut");
    assert_ok(bbi_fs_lock(simdisk_fs(disk), "LOCK", &second, &err), &err);
    bbi_file_close(&lock);
    assert_int_equal(bbi_fs_lock(simdisk_fs(disk), "LOCK", &lock, &err), BB_ELOCKED);
    bbi_file_close(&second);
    assert_ok(bbi_fs_lock(simdisk_fs(disk), "LOCK", &lock, &err), &err);
    bbi_file_close(&lock);
    bbi_file_close(&file);
    simdisk_destroy(&disk);
}

static void test_a_failed_sync_has_lost_data(void **state)
{
    (void)state;
    int lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct simdisk *disk = simdisk_create(seed);
        write_file(disk, "f", "old", true);
        sync_dir(disk, "/");
        struct bbi_file *file = open_file(disk, "f", NEW);
        simdisk_fail_op(disk, SIMDISK_SYNC, NULL, 1, BB_EIO, false);
        assert_ok(bbi_file_write(file, "new", 3, 0, &err), &err);
        assert_int_equal(bbi_file_sync(file, &err), BB_EIO);
        assert_int_equal(simdisk_fault_count(disk), 1);
        assert_ok(bbi_file_sync(file, &err), &err);
        bbi_file_close(&file);
        assert_string_equal(text_of(disk, "f"), "new");
        simdisk_reboot(disk, seed);
        lost += strcmp(text_of(disk, "f"), "old") == 0;
        simdisk_destroy(&disk);
    }
    assert_in_range(lost, SEEDS / 10, SEEDS - SEEDS / 10);
}

static void test_faults_strike_where_they_should(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_file *a = open_file(disk, "log-a", NEW);
    struct bbi_file *b = open_file(disk, "seg-b", NEW);
    simdisk_fail_op(disk, SIMDISK_WRITE, "seg", 2, BB_ENOSPC, false);
    assert_ok(bbi_file_write(a, "0123", 4, 0, &err), &err);
    assert_ok(bbi_file_write(b, "0123", 4, 0, &err), &err);
    assert_ok(bbi_file_write(a, "0123", 4, 0, &err), &err);
    assert_ok(bbi_file_truncate(b, 4, &err), &err);
    assert_int_equal(bbi_file_write(b, "ABCD", 4, 0, &err), BB_ENOSPC);
    assert_string_equal(err.text, "write seg-b: simulated fault: no space left on device");
    assert_string_equal(text_of(disk, "seg-b"), "AB23");
    assert_ok(bbi_file_write(b, "ABCD", 4, 0, &err), &err);
    assert_int_equal(simdisk_fault_count(disk), 1);
    simdisk_fail_op(disk, SIMDISK_RENAME | SIMDISK_UNLINK, NULL, 1, BB_EIO, true);
    assert_int_equal(bbi_fs_rename(simdisk_fs(disk), "seg-b", "c", &err), BB_EIO);
    assert_int_equal(bbi_fs_unlink(simdisk_fs(disk), "seg-b", &err), BB_EIO);
    assert_ok(bbi_file_sync(b, &err), &err);
    assert_int_equal(simdisk_fault_count(disk), 2);
    simdisk_fail_op(disk, 0, NULL, 0, 0, false);
    move(disk, "seg-b", "c");
    assert_string_equal(text_of(disk, "c"), "ABCD");
    simdisk_fail_op(disk, SIMDISK_READ, "log", 1, BB_EIO, false);
    char text[4];
    assert_int_equal(bbi_file_read(a, text, 4, 0, &err), BB_EIO);
    assert_ok(bbi_file_read(a, text, 4, 0, &err), &err);
    bbi_file_close(&a);
    bbi_file_close(&b);
    simdisk_destroy(&disk);
}

static void test_a_full_disk(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    simdisk_set_capacity(disk, 1000);
    struct bbi_file *a = open_file(disk, "a", NEW);
    struct bbi_file *b = open_file(disk, "b", NEW);
    char data[800] = {0};
    assert_ok(bbi_file_write(a, data, 700, 0, &err), &err);
    assert_ok(bbi_file_write(a, data, 700, 0, &err), &err);
    assert_int_equal(bbi_file_reserve(b, 0, 301, &err), BB_ENOSPC);
    assert_ok(bbi_file_reserve(b, 0, 100, &err), &err);
    assert_int_equal(bbi_file_write(b, data, 400, 50, &err), BB_ENOSPC);
    assert_contains(err.text, "write b: the simulated disk is full");
    uint64_t size;
    assert_ok(bbi_file_size(b, &size, &err), &err);
    assert_int_equal(size, 300);
    struct bbi_fs_space space;
    assert_ok(bbi_fs_space(simdisk_fs(disk), "/", &space, &err), &err);
    assert_int_equal(space.free_bytes, 0);
    assert_ok(bbi_fs_unlink(simdisk_fs(disk), "a", &err), &err);
    assert_int_equal(simdisk_used(disk), 1000);
    bbi_file_close(&a);
    sync_dir(disk, "/");
    assert_int_equal(simdisk_used(disk), 300);
    assert_ok(bbi_file_write(b, data, 800, 200, &err), &err);
    assert_int_equal(bbi_file_write(b, data, 1, 1000, &err), BB_ENOSPC);
    simdisk_set_capacity(disk, 0);
    assert_ok(bbi_file_write(b, data, 800, 1000, &err), &err);
    assert_ok(bbi_file_truncate(b, 10, &err), &err);
    assert_int_equal(simdisk_used(disk), 10);
    bbi_file_close(&b);
    simdisk_destroy(&disk);
}

/* The live content against a plain array, and the durable one when all is synced. */
static void test_contents_are_right(void **state)
{
    (void)state;
    enum {
        MAX = 70000
    };
    static uint8_t want[MAX], back[MAX];
    struct rng r = rng_from_env();
    for (int round = 0; round < 20; round++) {
        struct simdisk *disk = simdisk_create(1);
        struct bbi_file *file = open_file(disk, "f", NEW);
        size_t size = 0;
        memset(want, 0, sizeof(want));
        for (int k = 0; k < 200; k++) {
            size_t at = rng_below(&r, MAX);
            size_t len = rng_below(&r, rng_one_in(&r, 5) ? MAX - at + 1 : 40) % (MAX - at + 1);
            switch (rng_below(&r, 5)) {
            case 0:
                assert_ok(bbi_file_truncate(file, at, &err), &err);
                memset(want + at, 0, MAX - at);
                size = at;
                break;
            case 1:
                assert_ok(bbi_file_reserve(file, at, len, &err), &err);
                size = len != 0 && at + len > size ? at + len : size;
                break;
            default:
                for (size_t i = 0; i < len; i++) {
                    want[at + i] = (uint8_t)rng_u64(&r);
                }
                assert_ok(bbi_file_write(file, want + at, len, at, &err), &err);
                size = len != 0 && at + len > size ? at + len : size;
                break;
            }
            size_t got;
            assert_ok(bbi_file_read_some(file, back, MAX, 0, &got, &err), &err);
            assert_int_equal(got, size);
            assert_memory_equal(back, want, size);
        }
        assert_ok(bbi_file_sync(file, &err), &err);
        sync_dir(disk, "/");
        bbi_file_close(&file);
        simdisk_reboot(disk, rng_u64(&r));
        file = open_file(disk, "f", BBI_FS_READ);
        uint64_t durable;
        assert_ok(bbi_file_size(file, &durable, &err), &err);
        assert_int_equal(durable, size);
        assert_ok(bbi_file_read(file, back, size, 0, &err), &err);
        assert_memory_equal(back, want, size);
        bbi_file_close(&file);
        simdisk_destroy(&disk);
    }
}

static void test_it_answers_as_a_file_system(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    const struct bbi_fs *fs = simdisk_fs(disk);
    struct bbi_file *file;
    char c;
    assert_int_equal(bbi_fs_open(fs, "none", BBI_FS_READ, &file, &err), BB_ENOTFOUND);
    assert_int_equal(bbi_fs_open(fs, "no/ne", NEW, &file, &err), BB_ENOTFOUND);
    assert_int_equal(bbi_fs_rename(fs, "none", "b", &err), BB_ENOTFOUND);
    assert_int_equal(bbi_fs_unlink(fs, "none", &err), BB_ENOTFOUND);
    assert_int_equal(bbi_fs_sync_dir(fs, "none", &err), BB_ENOTFOUND);
    file = open_file(disk, "f", NEW | BBI_FS_EXCL);
    bbi_file_close(&file);
    assert_int_equal(bbi_fs_open(fs, "f", NEW | BBI_FS_EXCL, &file, &err), BB_EEXIST);
    assert_int_equal(bbi_fs_mkdir(fs, "f", &err), BB_EIO);
    assert_int_equal(bbi_fs_open(fs, "f/x", NEW, &file, &err), BB_ENOTFOUND);
    file = open_file(disk, "f", BBI_FS_WRITE);
    assert_int_equal(bbi_file_read(file, &c, 1, 0, &err), BB_EIO);
    assert_int_equal(bbi_file_write(file, "x", 1, UINT64_MAX, &err), BB_EIO);
    assert_int_equal(bbi_file_reserve(file, 1, UINT64_MAX, &err), BB_EIO);
    assert_int_equal(bbi_file_truncate(file, UINT64_MAX, &err), BB_EIO);
    assert_ok(bbi_file_write(file, "x", 1, 0, &err), &err);
    bbi_file_close(&file);
    file = open_file(disk, "f", BBI_FS_WRITE | BBI_FS_TRUNC);
    bbi_file_close(&file);
    assert_string_equal(text_of(disk, "f"), "");
    make_dir(disk, "d");
    make_dir(disk, "d");
    assert_int_equal(bbi_fs_unlink(fs, "d", &err), BB_EIO);
    assert_int_equal(bbi_fs_open(fs, "d", BBI_FS_READ, &file, &err), BB_EIO);
    struct bbi_fs_names names;
    assert_ok(bbi_fs_list(fs, "/", &names, &err), &err);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.names[0], "d");
    assert_string_equal(names.names[1], "f");
    bbi_fs_names_fini(&names);
    write_file(disk, "f", "abc", true);
    assert_true(simdisk_corrupt(disk, "f", 1, 1));
    assert_false(simdisk_corrupt(disk, "f", 3, 1));
    assert_string_equal(text_of(disk, "f"), "acc");
    simdisk_destroy(&disk);
}

static void *hammer(void *arg)
{
    struct simdisk *disk = arg;
    struct bb_error e;
    for (int k = 0; k < 200; k++) {
        struct bbi_file *file;
        char name[32];
        (void)snprintf(name, sizeof(name), "t%d", k % 7);
        if (bbi_fs_open(simdisk_fs(disk), name, NEW, &file, &e) != BB_OK) {
            continue;
        }
        int rc = bbi_file_write(file, name, 2, (uint64_t)k, &e);
        rc = rc != BB_OK ? rc : bbi_file_sync(file, &e);
        rc = rc != BB_OK ? rc : bbi_fs_sync_dir(simdisk_fs(disk), "/", &e);
        rc = rc != BB_OK || k % 5 != 0 ? rc : bbi_fs_unlink(simdisk_fs(disk), name, &e);
        bbi_file_close(&file);
        if (rc != BB_OK && rc != BB_ENOTFOUND) {
            break;
        }
    }
    return NULL;
}

static void test_threads_share_a_disk(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    pthread_t threads[4];
    simdisk_cut_at(disk, 1500);
    for (int k = 0; k < 4; k++) {
        assert_int_equal(pthread_create(&threads[k], NULL, hammer, disk), 0);
    }
    for (int k = 0; k < 4; k++) {
        assert_int_equal(pthread_join(threads[k], NULL), 0);
    }
    assert_true(simdisk_is_dead(disk));
    assert_int_equal(simdisk_op_count(disk), 1500);
    simdisk_reboot(disk, 3);
    simdisk_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsynced_writes_are_lost_kept_or_torn),
        cmocka_unit_test(test_unsynced_lengths_vary),
        cmocka_unit_test(test_unsynced_names_are_a_prefix),
        cmocka_unit_test(test_renames_are_whole_but_may_be_undone),
        cmocka_unit_test(test_a_rename_between_directories_loses_nothing),
        cmocka_unit_test(test_removals_and_directories_may_be_undone),
        cmocka_unit_test(test_the_power_goes_at_the_nth_operation),
        cmocka_unit_test(test_what_was_open_is_gone_after_a_reboot),
        cmocka_unit_test(test_a_failed_sync_has_lost_data),
        cmocka_unit_test(test_faults_strike_where_they_should),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_contents_are_right),
        cmocka_unit_test(test_it_answers_as_a_file_system),
        cmocka_unit_test(test_threads_share_a_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
