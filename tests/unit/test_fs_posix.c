#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/fs/fs.h"

/* Each test works in a directory of its own, which its end must find empty. */
static char dir[64];
static struct bb_error err;

static const struct bbi_fs *fs(void)
{
    return bbi_fs_posix();
}

static char *path_of(const char *name)
{
    static char paths[4][BBI_FS_PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    assert_ok(bbi_fs_join(path, dir, name, &err), &err);
    return path;
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/test_fs_posix-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command) != 0 || bbi_account_server()->used_bytes != 0;
}

static struct bbi_file *open_file(const char *name, unsigned flags)
{
    struct bbi_file *file;
    assert_ok(bbi_fs_open(fs(), path_of(name), flags, &file, &err), &err);
    return file;
}

#define NEW (BBI_FS_READ | BBI_FS_WRITE | BBI_FS_CREATE)

static void test_writes_and_reads_at_offsets(void **state)
{
    (void)state;
    struct bbi_file *file = open_file("a", NEW);
    assert_contains(file->path, "/a");
    assert_ok(bbi_file_write(file, "world", 5, 6, &err), &err);
    assert_ok(bbi_file_write(file, "hello ", 6, 0, &err), &err);
    assert_ok(bbi_file_write(file, "", 0, 100, &err), &err);
    uint64_t size;
    assert_ok(bbi_file_size(file, &size, &err), &err);
    assert_int_equal(size, 11);
    char text[32] = "";
    assert_ok(bbi_file_read(file, text, 11, 0, &err), &err);
    assert_string_equal(text, "hello world");
    size_t got;
    assert_ok(bbi_file_read_some(file, text, 32, 6, &got, &err), &err);
    assert_int_equal(got, 5);
    assert_ok(bbi_file_read_some(file, text, 32, 1000, &got, &err), &err);
    assert_int_equal(got, 0);
    assert_ok(bbi_file_sync(file, &err), &err);
    bbi_file_close(&file);
    assert_null(file);
    bbi_file_close(&file);
}

static void test_a_short_read_names_the_place(void **state)
{
    (void)state;
    struct bbi_file *file = open_file("short", NEW);
    assert_ok(bbi_file_write(file, "12345", 5, 0, &err), &err);
    char text[8];
    assert_int_equal(bbi_file_read(file, text, 8, 3, &err), BB_ECORRUPT);
    assert_contains(err.text, "/short at 3: the file ends 6 bytes short");
    bbi_file_close(&file);
}

static void test_open_flags(void **state)
{
    (void)state;
    struct bbi_file *file = open_file("f", NEW | BBI_FS_EXCL);
    assert_ok(bbi_file_write(file, "abc", 3, 0, &err), &err);
    bbi_file_close(&file);
    assert_int_equal(bbi_fs_open(fs(), path_of("f"), NEW | BBI_FS_EXCL, &file, &err), BB_EEXIST);
    assert_null(file);
    assert_contains(err.text, "/f: it exists already");
    assert_int_equal(bbi_fs_open(fs(), path_of("g"), BBI_FS_READ, &file, &err), BB_ENOTFOUND);
    assert_contains(err.text, "open ");
    assert_contains(err.text, "/g: No such file or directory");
    file = open_file("f", BBI_FS_READ);
    assert_int_equal(bbi_file_write(file, "x", 1, 0, &err), BB_EIO);
    assert_contains(err.text, "write ");
    bbi_file_close(&file);
    file = open_file("f", BBI_FS_WRITE);
    char c;
    assert_int_equal(bbi_file_read(file, &c, 1, 0, &err), BB_EIO);
    bbi_file_close(&file);
    file = open_file("f", BBI_FS_WRITE | BBI_FS_TRUNC);
    uint64_t size = 9;
    assert_ok(bbi_file_size(file, &size, &err), &err);
    assert_int_equal(size, 0);
    bbi_file_close(&file);
}

static void test_truncate_and_reserve(void **state)
{
    (void)state;
    struct bbi_file *file = open_file("r", NEW);
    uint64_t size;
    assert_ok(bbi_file_write(file, "abcdef", 6, 0, &err), &err);
    assert_ok(bbi_file_truncate(file, 3, &err), &err);
    assert_ok(bbi_file_reserve(file, 0, 100000, &err), &err);
    assert_ok(bbi_file_size(file, &size, &err), &err);
    assert_int_equal(size, 100000);
    char text[8];
    assert_ok(bbi_file_read(file, text, 8, 0, &err), &err);
    assert_memory_equal(text, "abc\0\0\0\0\0", 8);
    assert_ok(bbi_file_read(file, text, 8, 99992, &err), &err);
    assert_memory_equal(text, "\0\0\0\0\0\0\0\0", 8);
    assert_ok(bbi_file_reserve(file, 10, 20, &err), &err);
    assert_ok(bbi_file_reserve(file, 10, 0, &err), &err);
    assert_ok(bbi_file_size(file, &size, &err), &err);
    assert_int_equal(size, 100000);
    int rc = bbi_file_reserve(file, 0, UINT64_C(1) << 60, &err);
    assert_true(rc == BB_ENOSPC || rc == BB_EIO);
    bbi_file_close(&file);
}

static void test_offsets_out_of_range(void **state)
{
    (void)state;
    struct bbi_file *file = open_file("o", NEW);
    char c = 0;
    size_t got;
    assert_int_equal(bbi_file_write(file, &c, 1, UINT64_MAX, &err), BB_EINVAL);
    assert_int_equal(bbi_file_write(file, &c, 1, INT64_MAX, &err), BB_EINVAL);
    assert_int_equal(bbi_file_read(file, &c, 1, UINT64_MAX, &err), BB_EINVAL);
    assert_int_equal(bbi_file_read_some(file, &c, SIZE_MAX, 1, &got, &err), BB_EINVAL);
    assert_int_equal(bbi_file_truncate(file, UINT64_MAX, &err), BB_EINVAL);
    assert_int_equal(bbi_file_reserve(file, 1, UINT64_MAX, &err), BB_EINVAL);
    bbi_file_close(&file);
}

static void test_names(void **state)
{
    (void)state;
    assert_ok(bbi_fs_mkdir(fs(), path_of("sub"), &err), &err);
    assert_ok(bbi_fs_mkdir(fs(), path_of("sub"), &err), &err);
    assert_int_equal(bbi_fs_mkdir(fs(), path_of("no/sub"), &err), BB_ENOTFOUND);
    struct bbi_file *file = open_file("sub/a", NEW);
    assert_ok(bbi_file_write(file, "A", 1, 0, &err), &err);
    bbi_file_close(&file);
    file = open_file("b", NEW);
    bbi_file_close(&file);
    assert_int_equal(bbi_fs_mkdir(fs(), path_of("b"), &err), BB_EIO);
    assert_ok(bbi_fs_rename(fs(), path_of("sub/a"), path_of("b"), &err), &err);
    assert_int_equal(bbi_fs_rename(fs(), path_of("sub/a"), path_of("b"), &err), BB_ENOTFOUND);
    assert_ok(bbi_fs_sync_dir(fs(), path_of("sub"), &err), &err);
    assert_int_equal(bbi_fs_sync_dir(fs(), path_of("none"), &err), BB_ENOTFOUND);
    struct bbi_fs_stat st;
    assert_ok(bbi_fs_stat(fs(), path_of("b"), &st, &err), &err);
    assert_true(st.exists && !st.is_dir && st.size_bytes == 1);
    assert_ok(bbi_fs_stat(fs(), path_of("sub"), &st, &err), &err);
    assert_true(st.exists && st.is_dir);
    assert_ok(bbi_fs_stat(fs(), path_of("sub/a"), &st, &err), &err);
    assert_true(!st.exists);
    assert_int_equal(bbi_fs_stat(fs(), path_of("b/c"), &st, &err), BB_EIO);
    assert_ok(bbi_fs_unlink(fs(), path_of("b"), &err), &err);
    assert_int_equal(bbi_fs_unlink(fs(), path_of("b"), &err), BB_ENOTFOUND);
}

static void test_lists_are_sorted(void **state)
{
    (void)state;
    static const char *const names[] = {"seg-2", "seg-10", "A", "z", "seg-1"};
    struct bbi_fs_names list;
    assert_ok(bbi_fs_list(fs(), dir, &list, &err), &err);
    assert_int_equal(list.count, 0);
    bbi_fs_names_fini(&list);
    for (size_t k = 0; k < 5; k++) {
        struct bbi_file *file = open_file(names[k], NEW);
        bbi_file_close(&file);
    }
    assert_ok(bbi_fs_list(fs(), dir, &list, &err), &err);
    static const char *const sorted[] = {"A", "seg-1", "seg-10", "seg-2", "z"};
    assert_int_equal(list.count, 5);
    for (size_t k = 0; k < 5; k++) {
        assert_string_equal(list.names[k], sorted[k]);
    }
    bbi_fs_names_fini(&list);
    assert_int_equal(list.count, 0);
    assert_int_equal(bbi_fs_list(fs(), path_of("none"), &list, &err), BB_ENOTFOUND);
    bbi_fs_names_fini(&list);
}

static void test_one_holder_of_a_lock(void **state)
{
    (void)state;
    struct bbi_file *lock, *second;
    assert_ok(bbi_fs_lock(fs(), path_of("LOCK"), &lock, &err), &err);
    assert_int_equal(bbi_fs_lock(fs(), path_of("LOCK"), &second, &err), BB_ELOCKED);
    assert_null(second);
    assert_contains(err.text, "/LOCK: another process holds it");
    pid_t child = fork();
    if (child == 0) {
        _exit(bbi_fs_lock(fs(), path_of("LOCK"), &second, &err) == BB_ELOCKED ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    bbi_file_close(&lock);
    assert_ok(bbi_fs_lock(fs(), path_of("LOCK"), &lock, &err), &err);
    bbi_file_close(&lock);
    assert_int_equal(bbi_fs_lock(fs(), path_of("none/LOCK"), &lock, &err), BB_ENOTFOUND);
}

static void test_space_and_external_hooks(void **state)
{
    (void)state;
    struct bbi_fs_space space;
    assert_ok(bbi_fs_space(fs(), dir, &space, &err), &err);
    assert_true(space.total_bytes >= space.free_bytes && space.total_bytes > 0);
    assert_int_equal(bbi_fs_space(fs(), path_of("none"), &space, &err), BB_ENOTFOUND);
    assert_ok(bbi_fs_external_begin(fs(), path_of("x"), &err), &err);
    assert_ok(bbi_fs_external_end(fs(), path_of("x"), true, &err), &err);
    char real[BBI_FS_PATH_MAX];
    assert_ok(bbi_fs_real_path(fs(), "data/catalog.mdb", real, &err), &err);
    assert_string_equal(real, "data/catalog.mdb");
    char longer[2 * BBI_FS_PATH_MAX];
    memset(longer, 'p', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(bbi_fs_real_path(fs(), longer, real, &err), BB_ELIMIT);
    assert_int_equal(bbi_fs_join(real, dir, longer, &err), BB_ELIMIT);
    assert_string_equal(real, "");
    longer[BBI_FS_PATH_MAX - 2 - strlen(dir)] = '\0';
    assert_ok(bbi_fs_join(real, dir, longer, &err), &err);
    assert_int_equal(bbi_fs_write_file_atomic(fs(), dir, longer, "", 0, &err), BB_ELIMIT);
}

static void test_whole_files(void **state)
{
    (void)state;
    struct bbi_buf buf;
    bbi_buf_init(&buf, NULL, 1 << 20);
    assert_ok(bbi_fs_write_file_atomic(fs(), dir, "FORMAT", "one", 3, &err), &err);
    assert_ok(bbi_fs_write_file_atomic(fs(), dir, "FORMAT", "second", 6, &err), &err);
    assert_ok(bbi_fs_write_file_atomic(fs(), dir, "empty", NULL, 0, &err), &err);
    assert_ok(bbi_fs_read_file(fs(), path_of("FORMAT"), 6, &buf, &err), &err);
    assert_ok(bbi_fs_read_file(fs(), path_of("empty"), 0, &buf, &err), &err);
    assert_ok(bbi_fs_read_file(fs(), path_of("FORMAT"), 100, &buf, &err), &err);
    assert_int_equal(buf.len, 12);
    assert_memory_equal(buf.data, "secondsecond", 12);
    assert_int_equal(bbi_fs_read_file(fs(), path_of("FORMAT"), 5, &buf, &err), BB_ELIMIT);
    assert_int_equal(bbi_fs_read_file(fs(), path_of("none"), 5, &buf, &err), BB_ENOTFOUND);
    assert_int_equal(buf.len, 12);
    bbi_buf_fini(&buf);
    bbi_buf_init(&buf, NULL, 5);
    assert_int_equal(bbi_fs_read_file(fs(), path_of("FORMAT"), 100, &buf, &err), BB_ELIMIT);
    bbi_buf_fini(&buf);
    struct bbi_fs_stat st;
    assert_ok(bbi_fs_stat(fs(), path_of("FORMAT.tmp"), &st, &err), &err);
    assert_false(st.exists);
}

/* /dev/full refuses every write for lack of space. */
static void test_a_full_device_says_so(void **state)
{
    (void)state;
    struct bbi_file *file;
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    assert_ok(bbi_fs_open(fs(), "/dev/full", BBI_FS_WRITE, &file, &err), &err);
    assert_int_equal(bbi_file_write(file, "x", 1, 0, &err), BB_ENOSPC);
    assert_string_equal(err.text, "write /dev/full at 0: No space left on device");
    bbi_file_close(&file);
}

static int use_everything(void)
{
    struct bbi_buf buf;
    struct bbi_fs_names list = {0};
    struct bbi_file *lock = NULL;
    bbi_buf_init(&buf, NULL, 1000);
    int rc = bbi_fs_lock(fs(), path_of("LOCK"), &lock, &err);
    rc = rc != BB_OK ? rc : bbi_fs_write_file_atomic(fs(), dir, "FORMAT", "1", 1, &err);
    rc = rc != BB_OK ? rc : bbi_fs_read_file(fs(), path_of("FORMAT"), 10, &buf, &err);
    rc = rc != BB_OK ? rc : bbi_fs_list(fs(), dir, &list, &err);
    bbi_fs_names_fini(&list);
    bbi_file_close(&lock);
    bbi_buf_fini(&buf);
    return rc;
}

static void test_out_of_memory_at_every_place(void **state)
{
    (void)state;
    uint64_t n = 0;
    int rc = BB_ENOMEM;
    while (rc != BB_OK) {
        bbi_mem_fail_at(++n);
        rc = use_everything();
        bbi_mem_fail_at(0);
        assert_true(rc == BB_OK || rc == BB_ENOMEM);
        assert_int_equal(bbi_account_server()->used_bytes, 0);
    }
    assert_in_range(n, 5, 20);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_writes_and_reads_at_offsets),
        TEST(test_a_short_read_names_the_place),
        TEST(test_open_flags),
        TEST(test_truncate_and_reserve),
        TEST(test_offsets_out_of_range),
        TEST(test_names),
        TEST(test_lists_are_sorted),
        TEST(test_one_holder_of_a_lock),
        TEST(test_space_and_external_hooks),
        TEST(test_whole_files),
        TEST(test_a_full_device_says_so),
        TEST(test_out_of_memory_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
