/*
 * Writing and reading a segment while memory runs out, files fail and the power goes: an error is
 * told, nothing leaks, and a file under a segment's name is whole, always.
 */
#include "tests/lib/simdisk.h"
#include "tests/lib/torture.h"
#include "tests/lib/unit.h"
#include "tests/unit/segment_model.h"

#define DIR  "/segments"
#define PATH "/segments/seg-0000000000000007.bbs"

static struct model model;

static int write_segment(const struct bbi_fs *fs, struct bb_error *err)
{
    struct bbi_segment_meta meta;
    return model_write(&model, fs, DIR, 7, false, NULL, &meta, err);
}

static int read_segment(const struct bbi_fs *fs, struct bb_error *err)
{
    struct bbi_segment *seg = NULL;
    int code = bbi_segment_open(fs, PATH, NULL, &seg, err);
    if (code == BB_OK) {
        code = bbi_segment_verify(seg, NULL, err);
    }
    if (code != BB_OK && seg != NULL) {
        /* The fault is over: the segment is still good for use. */
        struct bb_error second;
        assert_ok(bbi_segment_verify(seg, NULL, &second), &second);
    }
    bbi_segment_unref(&seg);
    return code;
}

static void make_dir(void *arg, struct simdisk *disk)
{
    struct bb_error err;
    (void)arg;
    assert_ok(bbi_fs_mkdir(simdisk_fs(disk), DIR, &err), &err);
    assert_ok(bbi_fs_sync_dir(simdisk_fs(disk), "/", &err), &err);
}

/* ---- memory ---- */

static int write_in_memory(void *arg, struct bb_error *err)
{
    struct simdisk *disk = arg;
    int code = write_segment(simdisk_fs(disk), err);
    struct bbi_fs_names names;
    struct bb_error ignored;
    if (code != BB_OK && bbi_fs_list(simdisk_fs(disk), DIR, &names, &ignored) == BB_OK) {
        assert_int_equal(names.count, 0);
        bbi_fs_names_fini(&names);
    }
    if (code == BB_OK) {
        assert_ok(bbi_fs_unlink(simdisk_fs(disk), PATH, err), err);
    }
    return code;
}

static void test_write_without_memory(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    make_dir(NULL, disk);
    uint64_t runs = torture_memory(write_in_memory, disk);
    print_message("%" PRIu64 " allocations failed in turn\n", runs);
    assert_true(runs > 20);
    simdisk_destroy(&disk);
}

static int read_in_memory(void *arg, struct bb_error *err)
{
    return read_segment(simdisk_fs(arg), err);
}

static void test_read_without_memory(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bb_error err;
    make_dir(NULL, disk);
    assert_ok(write_segment(simdisk_fs(disk), &err), &err);
    uint64_t runs = torture_memory(read_in_memory, disk);
    print_message("%" PRIu64 " allocations failed in turn\n", runs);
    assert_true(runs > 10);
    simdisk_destroy(&disk);
}

/* ---- files ---- */

static int run_write(void *arg, struct simdisk *disk, struct bb_error *err)
{
    (void)arg;
    return write_segment(simdisk_fs(disk), err);
}

/* A file under the name of a segment is whole; one that was reported written is there. */
static void check_whole(void *arg, struct simdisk *disk, int code)
{
    struct bbi_fs_stat st;
    struct bb_error err;
    (void)arg;
    /* Faults that stay on may hit what the check itself does. */
    simdisk_fail_op(disk, 0, NULL, 0, BB_OK, false);
    assert_ok(bbi_fs_stat(simdisk_fs(disk), PATH, &st, &err), &err);
    assert_true(code != BB_OK || st.exists);
    if (st.exists) {
        assert_ok(read_segment(simdisk_fs(disk), &err), &err);
    }
}

static void test_write_on_a_failing_disk(void **state)
{
    (void)state;
    struct torture t = {.prepare = make_dir, .run = run_write, .check = check_whole};
    assert_true(torture_faults(&t, SIMDISK_CHANGES, BB_EIO) > 5);
    assert_true(torture_faults(&t, SIMDISK_WRITE, BB_ENOSPC) > 0);
}

static void test_write_while_the_power_goes(void **state)
{
    (void)state;
    struct torture t = {.prepare = make_dir, .run = run_write, .check = check_whole};
    assert_true(torture_cuts(&t, 1, 20) > 100);
}

static void prepare_read(void *arg, struct simdisk *disk)
{
    struct bb_error err;
    make_dir(arg, disk);
    assert_ok(write_segment(simdisk_fs(disk), &err), &err);
}

static int run_read(void *arg, struct simdisk *disk, struct bb_error *err)
{
    (void)arg;
    struct bbi_segment *seg = NULL;
    int code = bbi_segment_open(simdisk_fs(disk), PATH, NULL, &seg, err);
    if (code == BB_OK) {
        code = bbi_segment_verify(seg, NULL, err);
    }
    bbi_segment_unref(&seg);
    return code;
}

static void check_read(void *arg, struct simdisk *disk, int code)
{
    (void)arg;
    assert_int_equal(code, BB_EIO);
    check_whole(NULL, disk, BB_OK);
}

static void test_read_on_a_failing_disk(void **state)
{
    (void)state;
    struct torture t = {.prepare = prepare_read, .run = run_read, .check = check_read};
    assert_true(torture_faults(&t, SIMDISK_READ, BB_EIO) > 5);
}

int main(void)
{
    struct rng rng = rng_from_env();
    model_init(&model, &rng);
    for (uint32_t i = 0; i < 6; i++) {
        model_add(&model, 1 + i / 3, i, 1 + 1100 * (i % 2) + i, MODEL_WILD);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_without_memory),
        cmocka_unit_test(test_read_without_memory),
        cmocka_unit_test(test_write_on_a_failing_disk),
        cmocka_unit_test(test_write_while_the_power_goes),
        cmocka_unit_test(test_read_on_a_failing_disk),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    model_fini(&model);
    return failed;
}
