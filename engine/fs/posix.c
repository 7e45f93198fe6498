#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/fs/fs.h"

#define FILE_MODE 0640
#define DIR_MODE  0750

struct posix_file {
    struct bbi_file base;
    int fd;
    char path[];
};

static int fd_of(const struct bbi_file *file)
{
    return ((const struct posix_file *)(const void *)file)->fd;
}

/* Only EINTR is worth repeating; the macro yields the last result of the call. */
#define RETRY(result, call) \
    do {                    \
        (result) = (call);  \
    } while ((result) == -1 && errno == EINTR)

/* off_t is signed: offsets beyond are refused before the system sees them. */
static int check_range(const struct bbi_file *file, const char *what, uint64_t offset, uint64_t len,
                       struct bb_error *err)
{
    if (offset <= INT64_MAX && len <= INT64_MAX - offset) {
        return BB_OK;
    }
    return bbi_error_set(err, BB_EINVAL, "%s %s: offset %llu is out of range", what, file->path,
                         (unsigned long long)offset);
}

static struct posix_file *make_file(const struct bbi_fs *fs, const char *path)
{
    size_t len = strlen(path) + 1;
    struct posix_file *f = bbi_mem_alloc(NULL, sizeof(*f) + len);
    if (f != NULL) {
        memcpy(f->path, path, len);
        f->base.fs = fs;
        f->base.path = f->path;
        f->fd = -1;
    }
    return f;
}

static int posix_open(const struct bbi_fs *fs, const char *path, unsigned flags,
                      struct bbi_file **file, struct bb_error *err)
{
    int mode = (flags & BBI_FS_WRITE) == 0  ? O_RDONLY
               : (flags & BBI_FS_READ) == 0 ? O_WRONLY
                                            : O_RDWR;
    mode |= (flags & BBI_FS_CREATE) != 0 ? O_CREAT : 0;
    mode |= (flags & BBI_FS_EXCL) != 0 ? O_EXCL : 0;
    mode |= (flags & BBI_FS_TRUNC) != 0 ? O_TRUNC : 0;
    struct posix_file *f = make_file(fs, path);
    if (f == NULL) {
        return bbi_error_nomem(err, "open file");
    }
    RETRY(f->fd, open(path, mode | O_CLOEXEC, FILE_MODE));
    if (f->fd == -1) {
        int rc = errno == EEXIST
                     ? bbi_error_set(err, BB_EEXIST, "create %s: it exists already", path)
                     : bbi_error_errno(err, errno, "open %s", path);
        bbi_mem_free(f);
        return rc;
    }
    *file = &f->base;
    return BB_OK;
}

static int posix_read_some(struct bbi_file *file, void *data, size_t len, uint64_t offset,
                           size_t *got, struct bb_error *err)
{
    int rc = check_range(file, "read", offset, len, err);
    if (rc != BB_OK) {
        return rc;
    }
    size_t done = 0;
    while (done < len) {
        ssize_t n;
        RETRY(n, pread(fd_of(file), (char *)data + done, len - done, (off_t)(offset + done)));
        if (n < 0) {
            return bbi_error_errno(err, errno, "read %s at %llu", file->path,
                                   (unsigned long long)(offset + done));
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    *got = done;
    return BB_OK;
}

static int posix_write(struct bbi_file *file, const void *data, size_t len, uint64_t offset,
                       struct bb_error *err)
{
    int rc = check_range(file, "write", offset, len, err);
    if (rc != BB_OK) {
        return rc;
    }
    size_t done = 0;
    while (done < len) {
        ssize_t n;
        RETRY(n,
              pwrite(fd_of(file), (const char *)data + done, len - done, (off_t)(offset + done)));
        if (n <= 0) {
            return bbi_error_errno(err, n == 0 ? EIO : errno, "write %s at %llu", file->path,
                                   (unsigned long long)(offset + done));
        }
        done += (size_t)n;
    }
    return BB_OK;
}

static int posix_size(struct bbi_file *file, uint64_t *size_bytes, struct bb_error *err)
{
    struct stat st;
    if (fstat(fd_of(file), &st) != 0) {
        return bbi_error_errno(err, errno, "stat %s", file->path);
    }
    *size_bytes = (uint64_t)st.st_size;
    return BB_OK;
}

static int posix_truncate(struct bbi_file *file, uint64_t size_bytes, struct bb_error *err)
{
    int rc = check_range(file, "truncate", size_bytes, 0, err);
    if (rc != BB_OK) {
        return rc;
    }
    int done;
    RETRY(done, ftruncate(fd_of(file), (off_t)size_bytes));
    if (done != 0) {
        return bbi_error_errno(err, errno, "truncate %s to %llu", file->path,
                               (unsigned long long)size_bytes);
    }
    return BB_OK;
}

/* fallocate itself rather than posix_fallocate: where it is unsupported, glibc would write a byte
 * to each block. */
static int posix_reserve(struct bbi_file *file, uint64_t offset, uint64_t len, struct bb_error *err)
{
    int rc = check_range(file, "reserve", offset, len, err);
    if (rc != BB_OK || len == 0) {
        return rc;
    }
    int done;
    RETRY(done, fallocate(fd_of(file), 0, (off_t)offset, (off_t)len));
    if (done == 0) {
        return BB_OK;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL && errno != ENODEV) {
        return bbi_error_errno(err, errno, "reserve %llu bytes in %s", (unsigned long long)len,
                               file->path);
    }
    uint64_t size_bytes;
    rc = posix_size(file, &size_bytes, err);
    if (rc == BB_OK && size_bytes < offset + len) {
        rc = posix_truncate(file, offset + len, err);
    }
    return rc;
}

static int posix_sync(struct bbi_file *file, struct bb_error *err)
{
    int done;
    RETRY(done, fdatasync(fd_of(file)));
    if (done != 0) {
        return bbi_error_errno(err, errno, "sync %s", file->path);
    }
    return BB_OK;
}

/* After EINTR the descriptor is closed on Linux; a second close could hit another thread's file. */
static void posix_close(struct bbi_file *file)
{
    (void)close(fd_of(file));
    bbi_mem_free(file);
}

static int posix_rename(const struct bbi_fs *fs, const char *from, const char *to,
                        struct bb_error *err)
{
    (void)fs;
    if (rename(from, to) != 0) {
        return bbi_error_errno(err, errno, "rename %s to %s", from, to);
    }
    return BB_OK;
}

static int posix_unlink(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    (void)fs;
    if (unlink(path) != 0) {
        return bbi_error_errno(err, errno, "remove %s", path);
    }
    return BB_OK;
}

static int posix_mkdir(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    (void)fs;
    if (mkdir(path, DIR_MODE) == 0) {
        return BB_OK;
    }
    int reason = errno;
    struct stat st;
    if (reason == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return BB_OK;
    }
    return bbi_error_errno(err, reason, "make directory %s", path);
}

static int posix_sync_dir(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    (void)fs;
    int fd;
    RETRY(fd, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd == -1) {
        return bbi_error_errno(err, errno, "open directory %s", path);
    }
    int done;
    RETRY(done, fsync(fd));
    int reason = errno;
    (void)close(fd);
    if (done != 0) {
        return bbi_error_errno(err, reason, "sync directory %s", path);
    }
    return BB_OK;
}

static int posix_list(const struct bbi_fs *fs, const char *path, struct bbi_buf *names,
                      struct bb_error *err)
{
    (void)fs;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return bbi_error_errno(err, errno, "list %s", path);
    }
    int rc = BB_OK;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            rc = errno == 0 ? BB_OK : bbi_error_errno(err, errno, "list %s", path);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            bbi_buf_put(names, entry->d_name, strlen(entry->d_name) + 1);
        }
    }
    (void)closedir(dir);
    return rc;
}

static int posix_stat(const struct bbi_fs *fs, const char *path, struct bbi_fs_stat *out,
                      struct bb_error *err)
{
    (void)fs;
    struct stat st;
    if (stat(path, &st) != 0) {
        return errno == ENOENT ? BB_OK : bbi_error_errno(err, errno, "stat %s", path);
    }
    out->exists = true;
    out->is_dir = S_ISDIR(st.st_mode);
    out->size_bytes = (uint64_t)st.st_size;
    return BB_OK;
}

static int posix_space(const struct bbi_fs *fs, const char *path, struct bbi_fs_space *space,
                       struct bb_error *err)
{
    (void)fs;
    struct statvfs vfs;
    int done;
    RETRY(done, statvfs(path, &vfs));
    if (done != 0) {
        return bbi_error_errno(err, errno, "free space of %s", path);
    }
    space->total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
    space->free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return BB_OK;
}

static int posix_lock(const struct bbi_fs *fs, const char *path, struct bbi_file **lock,
                      struct bb_error *err)
{
    int rc = posix_open(fs, path, BBI_FS_READ | BBI_FS_WRITE | BBI_FS_CREATE, lock, err);
    if (rc != BB_OK) {
        return rc;
    }
    int done;
    RETRY(done, flock(fd_of(*lock), LOCK_EX | LOCK_NB));
    if (done == 0) {
        return BB_OK;
    }
    rc = errno == EWOULDBLOCK
             ? bbi_error_set(err, BB_ELOCKED, "lock %s: another process holds it", path)
             : bbi_error_errno(err, errno, "lock %s", path);
    posix_close(*lock);
    *lock = NULL;
    return rc;
}

static int posix_external_begin(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    (void)fs;
    (void)path;
    (void)err;
    return BB_OK;
}

static int posix_external_end(const struct bbi_fs *fs, const char *path, bool ok,
                              struct bb_error *err)
{
    (void)fs;
    (void)path;
    (void)ok;
    (void)err;
    return BB_OK;
}

static int posix_real_path(const struct bbi_fs *fs, const char *path, char out[BBI_FS_PATH_MAX],
                           struct bb_error *err)
{
    (void)fs;
    size_t len = strlen(path);
    if (len >= BBI_FS_PATH_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "path of %zu bytes is too long", len);
    }
    memcpy(out, path, len + 1);
    return BB_OK;
}

const struct bbi_fs *bbi_fs_posix(void)
{
    static const struct bbi_fs_ops ops = {
        .open = posix_open,
        .read_some = posix_read_some,
        .write = posix_write,
        .size = posix_size,
        .truncate = posix_truncate,
        .reserve = posix_reserve,
        .sync = posix_sync,
        .close = posix_close,
        .rename = posix_rename,
        .unlink = posix_unlink,
        .mkdir = posix_mkdir,
        .sync_dir = posix_sync_dir,
        .list = posix_list,
        .stat = posix_stat,
        .space = posix_space,
        .lock = posix_lock,
        .external_begin = posix_external_begin,
        .external_end = posix_external_end,
        .real_path = posix_real_path,
    };
    static const struct bbi_fs fs = {.ops = &ops};
    return &fs;
}
