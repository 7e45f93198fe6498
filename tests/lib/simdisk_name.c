#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/simdisk_internal.h"

int sim_walk(struct simdisk *disk, const char *path, struct place *place, struct bb_error *err)
{
    *place = (struct place){.node = disk->root};
    const char *at = path;
    for (;;) {
        at += strspn(at, "/");
        size_t len = strcspn(at, "/");
        if (len == 0) {
            return BB_OK;
        }
        if (len == 1 && at[0] == '.') {
            at += len;
            continue;
        }
        if (place->node == NULL || !place->node->is_dir) {
            return bbi_error_set(err, BB_ENOTFOUND, "%s: no such directory", path);
        }
        BB_ASSERT(len < sizeof(place->name) && !(len == 2 && memcmp(at, "..", 2) == 0));
        memcpy(place->name, at, len);
        place->name[len] = '\0';
        place->dir = place->node;
        place->node = entries_find(&place->dir->live_names, place->name);
        at += len;
    }
}

int sim_find(struct simdisk *disk, const char *path, struct place *place, struct bb_error *err)
{
    if (disk->is_dead) {
        return sim_no_power("find", path, err);
    }
    return sim_walk(disk, path, place, err);
}

int sim_find_dir(struct simdisk *disk, const char *path, struct node **dir, struct bb_error *err)
{
    struct place place;
    int rc = sim_find(disk, path, &place, err);
    if (rc == BB_OK && (place.node == NULL || !place.node->is_dir)) {
        rc = bbi_error_set(err, BB_ENOTFOUND, "%s: no such directory", path);
    }
    *dir = place.node;
    return rc;
}

bool sim_real_exists(const struct simdisk *disk, const char *path, char real[])
{
    sim_real_path(disk, path, real);
    return access(real, F_OK) == 0;
}

void sim_create_file(struct simdisk *disk, struct place *place)
{
    place->node = node_create(false);
    (void)dir_change(disk, place->dir, NULL, place->name, place->node, NULL, 0);
    node_unref(disk, place->node);
}

static int missing(const char *what, const char *path, struct bb_error *err)
{
    return bbi_error_set(err, BB_ENOTFOUND, "%s %s: no such file", what, path);
}

/* A file of a library that has not committed to it yet, or one beside it, like LMDB's locks. */
static int rename_real(const struct simdisk *disk, const char *from, const char *to,
                       struct bb_error *err)
{
    char real_from[BBI_FS_PATH_MAX];
    char real_to[BBI_FS_PATH_MAX];
    if (!sim_real_exists(disk, from, real_from)) {
        return missing("rename", from, err);
    }
    sim_real_path(disk, to, real_to);
    BB_ASSERT(rename(real_from, real_to) == 0);
    return BB_OK;
}

static void move(struct simdisk *disk, struct place *from, struct place *to)
{
    struct node *node = from->node;
    node_ref(node);
    if (from->dir == to->dir) {
        (void)dir_change(disk, from->dir, from->name, to->name, node, NULL, 0);
    } else {
        uint64_t seq = dir_change(disk, to->dir, NULL, to->name, node, NULL, 0);
        (void)dir_change(disk, from->dir, from->name, NULL, NULL, to->dir, seq);
    }
    node_unref(disk, node);
}

static int rename_places(struct simdisk *disk, const char *from_path, const char *to_path,
                         struct bb_error *err)
{
    struct place from, to;
    int rc = sim_find(disk, from_path, &from, err);
    rc = rc == BB_OK ? sim_find(disk, to_path, &to, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    if (from.node == NULL) {
        return rename_real(disk, from_path, to_path, err);
    }
    if (from.node->is_dir || (to.node != NULL && to.node->is_dir)) {
        return bbi_error_set(err, BB_EIO, "rename %s: a directory", from_path);
    }
    enum course course = sim_start(disk, SIMDISK_RENAME, "rename", from_path, err);
    if (course != REFUSED && from.node != to.node) {
        if (from.node->is_external) {
            rc = rename_real(disk, from_path, to_path, err);
        }
        move(disk, &from, &to);
    }
    return course == GO ? rc : err->code;
}

int sim_rename(const struct bbi_fs *fs, const char *from, const char *to, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    return sim_unlock_disk(disk, rename_places(disk, from, to, err));
}

static int unlink_place(struct simdisk *disk, const char *path, struct bb_error *err)
{
    struct place place;
    char real[BBI_FS_PATH_MAX];
    int rc = sim_find(disk, path, &place, err);
    if (rc != BB_OK) {
        return rc;
    }
    bool is_real = sim_real_exists(disk, path, real);
    if (place.node == NULL && !is_real) {
        return missing("remove", path, err);
    }
    if (place.node != NULL && place.node->is_dir) {
        return bbi_error_set(err, BB_EIO, "remove %s: a directory", path);
    }
    enum course course = sim_start(disk, SIMDISK_UNLINK, "remove", path, err);
    if (course != REFUSED) {
        if (is_real) {
            BB_ASSERT(unlink(real) == 0);
        }
        if (place.node != NULL) {
            (void)dir_change(disk, place.dir, place.name, NULL, NULL, NULL, 0);
        }
    }
    return sim_ends(course, err);
}

int sim_unlink(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    return sim_unlock_disk(disk, unlink_place(disk, path, err));
}

int sim_mkdir(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    struct place place;
    int rc = sim_find(disk, path, &place, err);
    if (rc != BB_OK) {
        return sim_unlock_disk(disk, rc);
    }
    if (place.node != NULL) {
        rc = disk->is_dead        ? sim_no_power("make directory", path, err)
             : place.node->is_dir ? BB_OK
                                  : bbi_error_set(err, BB_EIO, "make directory %s: a file", path);
        return sim_unlock_disk(disk, rc);
    }
    enum course course = sim_start(disk, SIMDISK_MKDIR, "make directory", path, err);
    if (course != REFUSED) {
        struct node *dir = node_create(true);
        dir->parent = place.dir;
        dir->created_seq = dir_change(disk, place.dir, NULL, place.name, dir, NULL, 0);
        node_unref(disk, dir);
    }
    return sim_unlock_disk(disk, sim_ends(course, err));
}

int sim_sync_dir(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    struct node *dir;
    int rc = sim_find_dir(disk, path, &dir, err);
    if (rc == BB_OK) {
        enum course course = sim_start(disk, SIMDISK_SYNC_DIR, "sync directory", path, err);
        if (course == GO) {
            dir_sync(disk, dir, UINT64_MAX);
        }
        rc = sim_ends(course, err);
    }
    return sim_unlock_disk(disk, rc);
}

int sim_list(const struct bbi_fs *fs, const char *path, struct bbi_buf *names, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    struct node *dir;
    int rc = sim_find_dir(disk, path, &dir, err);
    if (rc == BB_OK) {
        rc = sim_ends(sim_start(disk, SIMDISK_READ, "list", path, err), err);
    }
    for (size_t k = 0; rc == BB_OK && k < dir->live_names.count; k++) {
        const char *name = dir->live_names.at[k].name;
        bbi_buf_put(names, name, strlen(name) + 1);
    }
    return sim_unlock_disk(disk, rc);
}

int sim_stat(const struct bbi_fs *fs, const char *path, struct bbi_fs_stat *st,
             struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    struct place place;
    char real[BBI_FS_PATH_MAX];
    int rc = sim_ends(sim_start(disk, SIMDISK_READ, "stat", path, err), err);
    if (rc == BB_OK && sim_find(disk, path, &place, err) == BB_OK) {
        struct blob blob = {0};
        if ((place.node == NULL || place.node->is_external) && sim_real_exists(disk, path, real)) {
            blob_read(&blob, real);
        }
        st->exists = place.node != NULL || blob.exists;
        st->is_dir = place.node != NULL && place.node->is_dir;
        st->size_bytes = blob.exists ? blob.len : place.node == NULL ? 0 : place.node->live.size;
        blob_free(&blob);
    }
    return sim_unlock_disk(disk, rc);
}

int sim_space(const struct bbi_fs *fs, const char *path, struct bbi_fs_space *space,
              struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    int rc = sim_ends(sim_start(disk, SIMDISK_READ, "free space of", path, err), err);
    if (rc == BB_OK) {
        space->total_bytes = disk->capacity == 0 ? UINT64_C(1) << 40 : disk->capacity;
        space->free_bytes = space->total_bytes > disk->used ? space->total_bytes - disk->used : 0;
    }
    return sim_unlock_disk(disk, rc);
}

/* External files */

int sim_external_begin(const struct bbi_fs *fs, const char *path, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    struct place place;
    int rc = disk->is_dead ? sim_no_power("commit", path, err) : sim_find(disk, path, &place, err);
    if (rc == BB_OK && sim_fault_is_due(disk, SIMDISK_EXTERNAL, path)) {
        rc = bbi_error_set(err, disk->fault.code, "commit %s: simulated fault", path);
    }
    if (rc == BB_OK) {
        if (place.node == NULL) {
            sim_create_file(disk, &place);
            place.node->is_external = true;
        }
        BB_ASSERT(place.node->is_external && !place.node->in_commit);
        place.node->in_commit = true;
    }
    return sim_unlock_disk(disk, rc);
}

static int end_commit(struct simdisk *disk, struct node *node, const char *path, bool ok,
                      struct bb_error *err)
{
    char real[BBI_FS_PATH_MAX];
    node->in_commit = false;
    if (!ok) {
        return disk->is_dead ? sim_no_power("commit", path, err) : BB_OK;
    }
    sim_real_path(disk, path, real);
    struct blob now = {0};
    blob_read(&now, real);
    BB_ASSERT(now.exists);
    enum course course = GO;
    if (disk->is_dead) {
        (void)sim_no_power("commit", path, err);
        course = CUT;
    } else {
        course = sim_start(disk, SIMDISK_EXTERNAL, "commit", path, err);
    }
    struct blob *keep = course == GO ? &node->snapshot : &node->after;
    blob_free(keep);
    *keep = now;
    return sim_ends(course, err);
}

int sim_external_end(const struct bbi_fs *fs, const char *path, bool ok, struct bb_error *err)
{
    struct simdisk *disk = sim_lock_disk(fs);
    struct place place;
    int rc = sim_walk(disk, path, &place, err);
    if (rc == BB_OK && (place.node == NULL || !place.node->in_commit)) {
        rc = sim_no_power("commit", path, err); /* it began before a reboot */
    }
    if (rc == BB_OK) {
        rc = end_commit(disk, place.node, path, ok, err);
    }
    return sim_unlock_disk(disk, rc);
}

int sim_get_real_path(const struct bbi_fs *fs, const char *path, char out[BBI_FS_PATH_MAX],
                      struct bb_error *err)
{
    struct simdisk *disk = sim_disk(fs);
    if (strlen(disk->real_dir) + 1 + strlen(path) >= BBI_FS_PATH_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "path is too long: %.100s...", path);
    }
    sim_real_path(disk, path, out);
    return BB_OK;
}
