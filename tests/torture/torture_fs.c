/* Replacing a file: whatever fails, it is the old one or the new one, and it is the new one once
 * that was reported. */
#include "tests/lib/unit.h"

#include <string.h>

#include "tests/lib/rng.h"
#include "tests/lib/torture.h"

#define OLD "the old content of the file"
#define NEW "what replaces it and is a little longer"

static int replace(void *arg, struct simdisk *disk, struct bb_error *err)
{
    (void)arg;
    return bbi_fs_write_file_atomic(simdisk_fs(disk), "/data", "FORMAT", NEW, sizeof(NEW), err);
}

static void prepare(void *arg, struct simdisk *disk)
{
    (void)arg;
    struct bb_error err;
    const struct bbi_fs *fs = simdisk_fs(disk);
    assert_ok(bbi_fs_mkdir(fs, "/data", &err), &err);
    assert_ok(bbi_fs_sync_dir(fs, "/", &err), &err);
    assert_ok(bbi_fs_write_file_atomic(fs, "/data", "FORMAT", OLD, sizeof(OLD), &err), &err);
}

struct seen {
    int old;
    int new;
};

static void check(void *arg, struct simdisk *disk, int rc)
{
    struct seen *seen = arg;
    struct bb_error err;
    struct bbi_buf buf;
    bbi_buf_init(&buf, NULL, 1000);
    assert_ok(bbi_fs_read_file(simdisk_fs(disk), "/data/FORMAT", 1000, &buf, &err), &err);
    bool is_new = buf.len == sizeof(NEW) && memcmp(buf.data, NEW, sizeof(NEW)) == 0;
    bool is_old = buf.len == sizeof(OLD) && memcmp(buf.data, OLD, sizeof(OLD)) == 0;
    assert_true(is_new || is_old);
    assert_true(is_new || rc != BB_OK);
    seen->new += is_new;
    seen->old += is_old;
    bbi_buf_fini(&buf);
    assert_ok(replace(NULL, disk, &err), &err);
}

static void test_replacing_a_file_survives_cuts(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct torture t = {.prepare = prepare, .run = replace, .check = check, .arg = &seen};
    struct rng r = rng_from_env();
    assert_int_equal(torture_cuts(&t, rng_u64(&r), 40), 6 * 40);
    assert_true(seen.old > 40 && seen.new > 40);
}

static void test_replacing_a_file_survives_faults(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct torture t = {.prepare = prepare, .run = replace, .check = check, .arg = &seen};
    assert_true(torture_faults(&t, SIMDISK_CHANGES, BB_EIO) > 8);
    assert_true(torture_faults(&t, SIMDISK_WRITE | SIMDISK_RENAME, BB_ENOSPC) == 4);
    assert_true(seen.old > 5 && seen.new > 0);
}

static int list_and_read(void *arg, struct bb_error *err)
{
    struct simdisk *disk = arg;
    struct bbi_fs_names names;
    struct bbi_buf buf;
    bbi_buf_init(&buf, NULL, 1000);
    int rc = bbi_fs_list(simdisk_fs(disk), "/data", &names, err);
    if (rc == BB_OK) {
        rc = bbi_fs_read_file(simdisk_fs(disk), "/data/FORMAT", 1000, &buf, err);
    }
    bbi_fs_names_fini(&names);
    bbi_buf_fini(&buf);
    return rc;
}

static void test_reading_survives_the_lack_of_memory(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    prepare(NULL, disk);
    assert_int_equal(torture_memory(list_and_read, disk), 3);
    simdisk_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replacing_a_file_survives_cuts),
        cmocka_unit_test(test_replacing_a_file_survives_faults),
        cmocka_unit_test(test_reading_survives_the_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
