#include "engine/fs/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names of one directory together; a directory beyond it is not one of ours. */
#define LIST_BYTES_MAX ((size_t)256 << 20)

int bbi_fs_open(const struct bbi_fs *fs, const char *path, unsigned flags, struct bbi_file **file,
                struct bb_error *err)
{
    *file = NULL;
    BB_ASSERT((flags & (BBI_FS_READ | BBI_FS_WRITE)) != 0);
    return fs->ops->open(fs, path, flags, file, err);
}

void bbi_file_close(struct bbi_file **file)
{
    if (*file != NULL) {
        (*file)->fs->ops->close(*file);
        *file = NULL;
    }
}

int bbi_file_read_some(struct bbi_file *file, void *data, size_t len, uint64_t offset, size_t *got,
                       struct bb_error *err)
{
    *got = 0;
    return file->fs->ops->read_some(file, data, len, offset, got, err);
}

int bbi_file_read(struct bbi_file *file, void *data, size_t len, uint64_t offset,
                  struct bb_error *err)
{
    size_t got;
    int rc = bbi_file_read_some(file, data, len, offset, &got, err);
    if (rc != BB_OK || got == len) {
        return rc;
    }
    return bbi_error_set(err, BB_ECORRUPT, "read %s at %llu: the file ends %zu bytes short",
                         file->path, (unsigned long long)offset, len - got);
}

int bbi_file_write(struct bbi_file *file, const void *data, size_t len, uint64_t offset,
                   struct bb_error *err)
{
    return file->fs->ops->write(file, data, len, offset, err);
}

int bbi_file_size(struct bbi_file *file, uint64_t *size_bytes, struct bb_error *err)
{
    *size_bytes = 0;
    return file->fs->ops->size(file, size_bytes, err);
}

int bbi_file_truncate(struct bbi_file *file, uint64_t size_bytes, struct bb_error *err)
{
    return file->fs->ops->truncate(file, size_bytes, err);
}

int bbi_file_reserve(struct bbi_file *file, uint64_t offset, uint64_t len, struct bb_error *err)
{
    return file->fs->ops->reserve(file, offset, len, err);
}

int bbi_file_sync(struct bbi_file *file, struct bb_error *err)
{
    return file->fs->ops->sync(file, err);
}

int bbi_fs_rename(const struct bbi_fs *fs, const char *from, const char *to, struct bb_error *err)
{
    return fs->ops->rename(fs, from, to, err);
}

int bbi_fs_unlink(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    return fs->ops->unlink(fs, path, err);
}

int bbi_fs_mkdir(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    return fs->ops->mkdir(fs, path, err);
}

int bbi_fs_sync_dir(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    return fs->ops->sync_dir(fs, path, err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* names[] and the text it points into become one block. */
static int index_names(const struct bbi_buf *text, struct bbi_fs_names *names, struct bb_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < text->len; i++) {
        count += text->data[i] == '\0';
    }
    char **index = bbi_mem_alloc(text->acct, count * sizeof(*index) + text->len);
    if (index == NULL) {
        return bbi_error_nomem(err, "directory listing");
    }
    char *at = (char *)(index + count);
    if (text->len != 0) {
        memcpy(at, text->data, text->len);
    }
    for (size_t i = 0; i < count; i++) {
        index[i] = at;
        at += strlen(at) + 1;
    }
    if (count != 0) {
        qsort(index, count, sizeof(*index), compare_names);
    }
    names->names = index;
    names->count = count;
    return BB_OK;
}

int bbi_fs_list(const struct bbi_fs *fs, const char *path, struct bbi_fs_names *names,
                struct bb_error *err)
{
    *names = (struct bbi_fs_names){0};
    struct bbi_buf text;
    bbi_buf_init(&text, NULL, LIST_BYTES_MAX);
    int rc = fs->ops->list(fs, path, &text, err);
    if (rc == BB_OK) {
        rc = bbi_buf_check(&text, "directory listing", err);
    }
    if (rc == BB_OK) {
        rc = index_names(&text, names, err);
    }
    bbi_buf_fini(&text);
    return rc;
}

void bbi_fs_names_fini(struct bbi_fs_names *names)
{
    bbi_mem_free(names->names);
    *names = (struct bbi_fs_names){0};
}

int bbi_fs_stat(const struct bbi_fs *fs, const char *path, struct bbi_fs_stat *st,
                struct bb_error *err)
{
    *st = (struct bbi_fs_stat){0};
    return fs->ops->stat(fs, path, st, err);
}

int bbi_fs_space(const struct bbi_fs *fs, const char *path, struct bbi_fs_space *space,
                 struct bb_error *err)
{
    *space = (struct bbi_fs_space){0};
    return fs->ops->space(fs, path, space, err);
}

int bbi_fs_lock(const struct bbi_fs *fs, const char *path, struct bbi_file **lock,
                struct bb_error *err)
{
    *lock = NULL;
    return fs->ops->lock(fs, path, lock, err);
}

int bbi_fs_external_begin(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    return fs->ops->external_begin(fs, path, err);
}

int bbi_fs_external_end(const struct bbi_fs *fs, const char *path, bool ok, struct bb_error *err)
{
    return fs->ops->external_end(fs, path, ok, err);
}

int bbi_fs_real_path(const struct bbi_fs *fs, const char *path, char out[BBI_FS_PATH_MAX],
                     struct bb_error *err)
{
    out[0] = '\0';
    return fs->ops->real_path(fs, path, out, err);
}

int bbi_fs_join(char out[BBI_FS_PATH_MAX], const char *dir, const char *name, struct bb_error *err)
{
    int len = snprintf(out, BBI_FS_PATH_MAX, "%s/%s", dir, name);
    if (len >= 0 && len < BBI_FS_PATH_MAX) {
        return BB_OK;
    }
    out[0] = '\0';
    return bbi_error_set(err, BB_ELIMIT, "path is too long: %.100s.../%.100s", dir, name);
}

static int write_and_sync(const struct bbi_fs *fs, const char *path, const void *data, size_t len,
                          struct bb_error *err)
{
    struct bbi_file *file;
    int rc = bbi_fs_open(fs, path, BBI_FS_WRITE | BBI_FS_CREATE | BBI_FS_TRUNC, &file, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_file_write(file, data, len, 0, err);
    if (rc == BB_OK) {
        rc = bbi_file_sync(file, err);
    }
    bbi_file_close(&file);
    return rc;
}

int bbi_fs_write_file_atomic(const struct bbi_fs *fs, const char *dir, const char *name,
                             const void *data, size_t len, struct bb_error *err)
{
    char path[BBI_FS_PATH_MAX];
    char tmp[BBI_FS_PATH_MAX];
    int rc = bbi_fs_join(path, dir, name, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (strlen(path) + sizeof(".tmp") > sizeof(tmp)) {
        return bbi_error_set(err, BB_ELIMIT, "path is too long: %.200s...", path);
    }
    (void)snprintf(tmp, sizeof(tmp), "%.*s.tmp", BBI_FS_PATH_MAX - 5, path);
    rc = write_and_sync(fs, tmp, data, len, err);
    if (rc == BB_OK) {
        rc = bbi_fs_rename(fs, tmp, path, err);
    }
    if (rc != BB_OK) {
        struct bb_error ignored;
        (void)!bbi_fs_unlink(fs, tmp, &ignored);
        return rc;
    }
    return bbi_fs_sync_dir(fs, dir, err);
}

int bbi_fs_read_file(const struct bbi_fs *fs, const char *path, size_t max_bytes,
                     struct bbi_buf *buf, struct bb_error *err)
{
    struct bbi_file *file;
    int rc = bbi_fs_open(fs, path, BBI_FS_READ, &file, err);
    if (rc != BB_OK) {
        return rc;
    }
    uint64_t size_bytes;
    rc = bbi_file_size(file, &size_bytes, err);
    if (rc == BB_OK && size_bytes > max_bytes) {
        rc = bbi_error_set(err, BB_ELIMIT, "read %s: %llu bytes, at most %zu expected", path,
                           (unsigned long long)size_bytes, max_bytes);
    }
    if (rc == BB_OK && size_bytes != 0) {
        uint8_t *at = bbi_buf_reserve(buf, (size_t)size_bytes);
        rc = bbi_buf_check(buf, path, err);
        if (rc == BB_OK) {
            rc = bbi_file_read(file, at, (size_t)size_bytes, 0, err);
        }
        if (rc == BB_OK) {
            buf->len += (size_t)size_bytes;
        }
    }
    bbi_file_close(&file);
    return rc;
}
