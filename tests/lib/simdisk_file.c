#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/simdisk_internal.h"

#define SIZE_LIMIT (UINT64_C(1) << 40)

struct sim_file {
    struct bbi_file base;
    struct node *node;
    uint64_t generation;
    unsigned flags;
    bool holds_lock;
    int real_fd; /* of an external file, which is opened to read alone; else -1 */
    char path[];
};

static struct sim_file *file_of(struct bbi_file *file)
{
    return (struct sim_file *)(void *)file;
}

static struct bbi_file *make_file(const struct simdisk *disk, struct node *node, const char *path,
                                  unsigned flags)
{
    size_t len = strlen(path) + 1;
    struct sim_file *f = sim_alloc(sizeof(*f) + len);
    memcpy(f->path, path, len);
    f->base = (struct bbi_file){.fs = &disk->fs, .path = f->path};
    f->node = node;
    f->generation = disk->generation;
    f->flags = flags;
    f->real_fd = -1;
    node_ref(node);
    return &f->base;
}

static int open_place(struct simdisk *disk, const char *path, unsigned flags, struct place *place,
                      struct bb_error *err)
{
    int rc = sim_find(disk, path, place, err);
    if (rc != BB_OK) {
        return rc;
    }
    bool creates = place->node == NULL;
    if (creates && (flags & BBI_FS_CREATE) == 0) {
        return bbi_error_set(err, BB_ENOTFOUND, "open %s: no such file", path);
    }
    if (!creates && (flags & BBI_FS_EXCL) != 0) {
        return bbi_error_set(err, BB_EEXIST, "create %s: it exists already", path);
    }
    if (!creates && place->node->is_dir) {
        return bbi_error_set(err, BB_EIO, "open %s: a directory", path);
    }
    bool empties = !creates && (flags & BBI_FS_TRUNC) != 0 && place->node->live.size != 0;
    enum course course = sim_start(disk, creates || empties ? SIMDISK_OPEN : SIMDISK_READ, "open",
                                   path, err);
    if (course == REFUSED) {
        return err->code;
    }
    if (creates) {
        sim_create_file(disk, place);
    }
    if (empties) {
        node_add_change(place->node, CHANGE_RESIZE, NULL, 0, 0);
        node_resize(disk, place->node, 0);
    }
    return sim_ends(course, err);
}

static bool is_external(struct simdisk *disk, const char *path, char real[])
{
    struct place place;
    struct bb_error ignored;
    return sim_find(disk, path, &place, &ignored) == BB_OK &&
           (place.node == NULL || place.node->is_external) && sim_real_exists(disk, path, real);
}

/* The engine may check what its library wrote, but not write there itself. */
static int open_external(struct simdisk *disk, const char *path, const char *real, unsigned flags,
                         struct bbi_file **file, struct bb_error *err)
{
    if ((flags & (BBI_FS_WRITE | BBI_FS_EXCL | BBI_FS_TRUNC)) != 0) {
        return bbi_error_set(err, BB_EIO, "open %s: the file of a library, to read only", path);
    }
    if (sim_start(disk, SIMDISK_READ, "open", path, err) != GO) {
        return err->code;
    }
    int fd = open(real, O_RDONLY | O_CLOEXEC);
    BB_ASSERT(fd != -1);
    struct node *node = node_create(false);
    *file = make_file(disk, node, path, flags);
    file_of(*file)->real_fd = fd;
    node_unref(disk, node);
    return BB_OK;
}

int sim_open(const struct bbi_fs *fs, const char *path, unsigned flags, struct bbi_file **file,
             struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    struct place place;
    char real[BBI_FS_PATH_MAX];
    if (is_external(disk, path, real)) {
        return sim_unlock_disk(disk, open_external(disk, path, real, flags, file, err));
    }
    int rc = open_place(disk, path, flags, &place, err);
    if (rc == BB_OK) {
        *file = make_file(disk, place.node, path, flags);
    }
    return sim_unlock_disk(disk, rc);
}

int sim_lock(const struct bbi_fs *fs, const char *path, struct bbi_file **lock,
             struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    struct place place;
    unsigned flags = BBI_FS_READ | BBI_FS_WRITE | BBI_FS_CREATE;
    int rc = open_place(disk, path, flags, &place, err);
    if (rc == BB_OK && place.node->locked_in == disk->generation) {
        rc = bbi_error_set(err, BB_ELOCKED, "lock %s: another process holds it", path);
    }
    if (rc == BB_OK) {
        place.node->locked_in = disk->generation;
        *lock = make_file(disk, place.node, path, flags);
        file_of(*lock)->holds_lock = true;
    }
    return sim_unlock_disk(disk, rc);
}

void sim_close(struct bbi_file *file)
{
    struct simdisk *disk = sim_lock_disk(file->fs);
    struct sim_file *f = file_of(file);
    if (f->holds_lock && f->generation == disk->generation) {
        f->node->locked_in = 0;
    }
    if (f->real_fd != -1) {
        (void)close(f->real_fd);
    }
    node_unref(disk, f->node);
    free(f);
    (void)sim_unlock_disk(disk, BB_OK);
}

/* start_op for an open file. `needs` is READ or WRITE, or 0. */
static enum course start_file_op(struct simdisk *disk, struct bbi_file *file, enum simdisk_op op,
                                 const char *what, unsigned needs, struct bb_error *err)
{
    struct sim_file *f = file_of(file);
    if (f->generation != disk->generation) {
        (void)bbi_error_set(err, BB_EIO, "%s %s: opened before the power cut", what, file->path);
        return REFUSED;
    }
    if ((f->flags & needs) != needs) {
        (void)bbi_error_set(err, BB_EIO, "%s %s: not opened for it", what, file->path);
        return REFUSED;
    }
    return sim_start(disk, op, what, file->path, err);
}

/* Nobody means to have such a file; refusing it keeps the table of chunks small. */
static int check_size(const char *what, const struct bbi_file *file, uint64_t offset, uint64_t len,
                      struct bb_error *err)
{
    if (offset <= SIZE_LIMIT && len <= SIZE_LIMIT - offset) {
        return BB_OK;
    }
    return bbi_error_set(err, BB_EIO, "%s %s at %llu: file too large", what, file->path,
                         (unsigned long long)offset);
}

int sim_read_some(struct bbi_file *file, void *data, size_t len, uint64_t offset, size_t *got,
                  struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(file->fs);
    enum course course = start_file_op(disk, file, SIMDISK_READ, "read", BBI_FS_READ, err);
    if (course == GO && file_of(file)->real_fd != -1) {
        ssize_t n = pread(file_of(file)->real_fd, data, len, (off_t)offset);
        *got = n < 0 ? 0 : (size_t)n;
    } else if (course == GO) {
        const struct content *c = &file_of(file)->node->live;
        uint64_t left = offset < c->size ? c->size - offset : 0;
        *got = left < len ? (size_t)left : len;
        if (*got != 0) {
            content_read(c, data, *got, offset);
        }
    }
    return sim_unlock_disk(disk, sim_ends(course, err));
}

/* How many of `bytes` more the disk has room for. */
static uint64_t room(const struct simdisk *disk, uint64_t bytes)
{
    if (disk->capacity == 0) {
        return bytes;
    }
    uint64_t left = disk->used < disk->capacity ? disk->capacity - disk->used : 0;
    return bytes < left ? bytes : left;
}

static int no_space(const char *what, const struct bbi_file *file, struct bb_error *err)
{
    return bbi_error_set(err, BB_ENOSPC, "%s %s: the simulated disk is full", what, file->path);
}

static void put(struct simdisk *disk, struct node *node, const void *data, size_t len,
                uint64_t offset)
{
    if (len == 0) {
        return;
    }
    if (offset + len > node->live.size) {
        node_resize(disk, node, offset + len);
    }
    content_write(&node->live, data, len, offset);
    node_add_change(node, CHANGE_WRITE, data, len, offset);
}

static int write_file(struct simdisk *disk, struct bbi_file *file, const void *data, size_t len,
                      uint64_t offset, struct bb_error *err)
{
    struct node *node = file_of(file)->node;
    uint64_t struck = disk->fault.struck;
    int rc = check_size("write", file, offset, len, err);
    if (rc != BB_OK) {
        return rc;
    }
    enum course course = start_file_op(disk, file, SIMDISK_WRITE, "write", BBI_FS_WRITE, err);
    rc = sim_ends(course, err);
    if (course == REFUSED) {
        len = disk->fault.struck != struck ? len / 2 : 0;
    }
    uint64_t end = offset + len;
    uint64_t grows = len != 0 && end > node->live.size ? end - node->live.size : 0;
    uint64_t lacks = grows - room(disk, grows);
    if (lacks != 0) {
        len -= lacks < len ? (size_t)lacks : len;
        rc = rc == BB_OK ? no_space("write", file, err) : rc;
    }
    put(disk, node, data, len, offset);
    return rc;
}

int sim_write(struct bbi_file *file, const void *data, size_t len, uint64_t offset,
              struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(file->fs);
    return sim_unlock_disk(disk, write_file(disk, file, data, len, offset, err));
}

int sim_size(struct bbi_file *file, uint64_t *size_bytes, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(file->fs);
    enum course course = start_file_op(disk, file, SIMDISK_READ, "size", 0, err);
    struct stat st;
    if (course == GO && file_of(file)->real_fd != -1) {
        BB_ASSERT(fstat(file_of(file)->real_fd, &st) == 0);
        *size_bytes = (uint64_t)st.st_size;
    } else if (course == GO) {
        *size_bytes = file_of(file)->node->live.size;
    }
    return sim_unlock_disk(disk, sim_ends(course, err));
}

int sim_truncate(struct bbi_file *file, uint64_t size_bytes, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(file->fs);
    struct node *node = file_of(file)->node;
    int rc = check_size("truncate", file, size_bytes, 0, err);
    if (rc != BB_OK) {
        return sim_unlock_disk(disk, rc);
    }
    enum course course = start_file_op(disk, file, SIMDISK_TRUNCATE, "truncate", BBI_FS_WRITE, err);
    if (course != REFUSED) {
        node_resize(disk, node, size_bytes);
        node_add_change(node, CHANGE_RESIZE, NULL, 0, size_bytes);
    }
    return sim_unlock_disk(disk, sim_ends(course, err));
}

static int reserve_file(struct simdisk *disk, struct bbi_file *file, uint64_t offset, uint64_t len,
                        struct bb_error *err)
{
    struct node *node = file_of(file)->node;
    int rc = check_size("reserve", file, offset, len, err);
    if (rc != BB_OK) {
        return rc;
    }
    enum course course = start_file_op(disk, file, SIMDISK_RESERVE, "reserve", BBI_FS_WRITE, err);
    uint64_t end = offset + len;
    uint64_t grows = len != 0 && end > node->live.size ? end - node->live.size : 0;
    if (course == REFUSED || grows == 0) {
        return sim_ends(course, err);
    }
    if (room(disk, grows) < grows) {
        return course == GO ? no_space("reserve", file, err) : err->code;
    }
    node_resize(disk, node, end);
    node_add_change(node, CHANGE_EXTEND, NULL, 0, end);
    return sim_ends(course, err);
}

int sim_reserve(struct bbi_file *file, uint64_t offset, uint64_t len, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(file->fs);
    return sim_unlock_disk(disk, reserve_file(disk, file, offset, len, err));
}

int sim_sync(struct bbi_file *file, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(file->fs);
    struct node *node = file_of(file)->node;
    uint64_t struck = disk->fault.struck;
    enum course course = start_file_op(disk, file, SIMDISK_SYNC, "sync", 0, err);
    if (course == GO) {
        node_sync(node);
    } else if (disk->fault.struck != struck) {
        node_settle(node, &disk->rng);
    }
    return sim_unlock_disk(disk, sim_ends(course, err));
}
