#include "tests/lib/simdisk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/simdisk_internal.h"

struct simdisk *sim_disk(const struct bbi_fs *fs)
{
    return fs->state;
}

struct simdisk *sim_lock_disk(const struct bbi_fs *fs)
{
    struct simdisk *disk = sim_disk(fs);
    BB_ASSERT(pthread_mutex_lock(&disk->mutex) == 0);
    return disk;
}

int sim_unlock_disk(struct simdisk *disk, int rc)
{
    BB_ASSERT(pthread_mutex_unlock(&disk->mutex) == 0);
    return rc;
}

int sim_no_power(const char *what, const char *path, struct bb_error *err)
{
    return bbi_error_set(err, BB_EIO, "%s %s: the power is off", what, path);
}

static void sim_cut(struct simdisk *disk)
{
    disk->is_dead = true;
    disk->cut_countdown = 0;
}

bool sim_fault_is_due(struct simdisk *disk, enum simdisk_op op, const char *path)
{
    struct fault *f = &disk->fault;
    if (f->countdown == 0 || (f->ops & op) == 0 ||
        (f->path_part != NULL && strstr(path, f->path_part) == NULL)) {
        return false;
    }
    if (f->countdown > 1) {
        f->countdown--;
        return false;
    }
    f->countdown = f->forever ? 1 : 0;
    f->struck++;
    return true;
}

/* A commit has met its fault at its begin. */
enum course sim_start(struct simdisk *disk, enum simdisk_op op, const char *what, const char *path,
                      struct bb_error *err)
{
    if (disk->is_dead) {
        (void)sim_no_power(what, path, err);
        return REFUSED;
    }
    bool changes = (op & SIMDISK_CHANGES) != 0;
    if (changes) {
        disk->op_count++;
        if (disk->trace) {
            (void)fprintf(stderr, "simdisk %llu %s %s\n", (unsigned long long)disk->op_count, what,
                          path);
        }
    }
    if (changes && disk->cut_countdown != 0 && --disk->cut_countdown == 0) {
        sim_cut(disk);
        (void)sim_no_power(what, path, err);
        return CUT;
    }
    if (op != SIMDISK_EXTERNAL && sim_fault_is_due(disk, op, path)) {
        (void)bbi_error_set(err, disk->fault.code, "%s %s: simulated fault: %s", what, path,
                            bb_code_text(disk->fault.code));
        return REFUSED;
    }
    return GO;
}

int sim_ends(enum course course, const struct bb_error *err)
{
    return course == GO ? BB_OK : err->code;
}

static const struct bbi_fs_ops sim_ops = {
    .open = sim_open,
    .read_some = sim_read_some,
    .write = sim_write,
    .size = sim_size,
    .truncate = sim_truncate,
    .reserve = sim_reserve,
    .sync = sim_sync,
    .close = sim_close,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .sync_dir = sim_sync_dir,
    .list = sim_list,
    .stat = sim_stat,
    .space = sim_space,
    .lock = sim_lock,
    .external_begin = sim_external_begin,
    .external_end = sim_external_end,
    .real_path = sim_get_real_path,
};

struct simdisk *simdisk_create(uint64_t seed)
{
    struct simdisk *disk = sim_alloc(sizeof(*disk));
    disk->fs = (struct bbi_fs){.ops = &sim_ops, .state = disk};
    BB_ASSERT(pthread_mutex_init(&disk->mutex, NULL) == 0);
    disk->rng = rng_of(seed);
    disk->root = node_create(true);
    disk->generation = 1;
    disk->trace = getenv("BUSBAR_SIMDISK_TRACE") != NULL;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(disk->real_dir, sizeof(disk->real_dir), "%s/simdisk-XXXXXX",
                   tmp == NULL || strlen(tmp) > 40 ? "/tmp" : tmp);
    BB_ASSERT(mkdtemp(disk->real_dir) != NULL);
    return disk;
}

void simdisk_destroy(struct simdisk **disk_at)
{
    struct simdisk *disk = *disk_at;
    if (disk == NULL) {
        return;
    }
    sim_empty_real_dir(disk);
    BB_ASSERT(rmdir(disk->real_dir) == 0);
    node_unref(disk, disk->root);
    (void)pthread_mutex_destroy(&disk->mutex);
    free(disk);
    *disk_at = NULL;
}

const struct bbi_fs *simdisk_fs(struct simdisk *disk)
{
    return &disk->fs;
}

uint64_t simdisk_op_count(struct simdisk *disk)
{
    (void)sim_lock_disk(&disk->fs);
    uint64_t count = disk->op_count;
    (void)sim_unlock_disk(disk, BB_OK);
    return count;
}

void simdisk_cut_at(struct simdisk *disk, uint64_t n)
{
    (void)sim_lock_disk(&disk->fs);
    disk->cut_countdown = n;
    (void)sim_unlock_disk(disk, BB_OK);
}

void simdisk_cut(struct simdisk *disk)
{
    (void)sim_lock_disk(&disk->fs);
    sim_cut(disk);
    (void)sim_unlock_disk(disk, BB_OK);
}

bool simdisk_is_dead(struct simdisk *disk)
{
    (void)sim_lock_disk(&disk->fs);
    bool is_dead = disk->is_dead;
    (void)sim_unlock_disk(disk, BB_OK);
    return is_dead;
}

void simdisk_fail_op(struct simdisk *disk, unsigned ops, const char *path_part, uint64_t n,
                     int code, bool forever)
{
    (void)sim_lock_disk(&disk->fs);
    disk->fault = (struct fault){
        .ops = ops, .path_part = path_part, .countdown = n, .code = code, .forever = forever};
    (void)sim_unlock_disk(disk, BB_OK);
}

uint64_t simdisk_fault_count(struct simdisk *disk)
{
    (void)sim_lock_disk(&disk->fs);
    uint64_t struck = disk->fault.struck;
    (void)sim_unlock_disk(disk, BB_OK);
    return struck;
}

void simdisk_set_capacity(struct simdisk *disk, uint64_t bytes)
{
    (void)sim_lock_disk(&disk->fs);
    disk->capacity = bytes;
    (void)sim_unlock_disk(disk, BB_OK);
}

uint64_t simdisk_used(struct simdisk *disk)
{
    (void)sim_lock_disk(&disk->fs);
    uint64_t used = disk->used;
    (void)sim_unlock_disk(disk, BB_OK);
    return used;
}

static void flip(struct content *c, uint64_t offset, uint8_t mask)
{
    if (offset < c->size) {
        uint8_t byte;
        content_read(c, &byte, 1, offset);
        byte ^= mask;
        content_write(c, &byte, 1, offset);
    }
}

static bool flip_external(struct simdisk *disk, struct node *node, const char *path,
                          uint64_t offset, uint8_t mask)
{
    char real[BBI_FS_PATH_MAX];
    struct blob now = {0};
    sim_real_path(disk, path, real);
    blob_read(&now, real);
    bool found = now.exists && offset < now.len;
    if (found) {
        now.data[offset] ^= mask;
        blob_write(&now, real);
    }
    if (found && offset < node->snapshot.len) {
        node->snapshot.data[offset] ^= mask;
    }
    blob_free(&now);
    return found;
}

bool simdisk_corrupt(struct simdisk *disk, const char *path, uint64_t offset, uint8_t mask)
{
    struct place place;
    struct bb_error err;
    (void)sim_lock_disk(&disk->fs);
    bool found = sim_find(disk, path, &place, &err) == BB_OK && place.node != NULL;
    if (found && place.node->is_external) {
        found = flip_external(disk, place.node, path, offset, mask);
    } else if (found) {
        found = offset < place.node->live.size;
        flip(&place.node->live, offset, mask);
        flip(&place.node->durable, offset, mask);
    }
    (void)sim_unlock_disk(disk, BB_OK);
    return found;
}
