#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/simdisk_internal.h"

/* Call each on this directory and all below it, by their live names. */
static void each_dir(struct node *dir, void (*each)(void *arg, struct node *dir), void *arg)
{
    each(arg, dir);
    for (size_t k = 0; k < dir->live_names.count; k++) {
        if (dir->live_names.at[k].node->is_dir) {
            each_dir(dir->live_names.at[k].node, each, arg);
        }
    }
}

/* None, all, or any prefix of the operations. */
static void choose_prefix(void *arg, struct node *dir)
{
    struct rng *r = arg;
    uint64_t count = 0;
    for (struct dir_op *op = dir->first_op; op != NULL; op = op->next) {
        count++;
    }
    uint64_t kept = rng_one_in(r, 4) ? 0 : rng_one_in(r, 3) ? count : rng_below(r, count + 1);
    dir->keep_seq = 0;
    for (struct dir_op *op = dir->first_op; op != NULL && kept > 0; op = op->next, kept--) {
        dir->keep_seq = op->seq;
    }
}

/* And what those that are kept need. */
static void keep_prefix(void *arg, struct node *dir)
{
    dir_sync(arg, dir, dir->keep_seq);
}

/* Sectors of the new state in the old one, but not in the two meta pages. */
static void mix_blobs(struct blob *to, const struct blob *after, struct rng *r)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t old_len = to->len;
    if (after->len > to->len && !rng_one_in(r, 4)) {
        uint8_t *longer = sim_alloc(after->len);
        if (old_len != 0) {
            memcpy(longer, to->data, old_len);
        }
        free(to->data);
        to->data = longer;
        to->len = after->len;
    }
    bool all = rng_one_in(r, 3);
    size_t end = to->len < after->len ? to->len : after->len;
    for (size_t at = 2 * page; at < end; at += SIMDISK_SECTOR) {
        size_t n = end - at < SIMDISK_SECTOR ? end - at : SIMDISK_SECTOR;
        if (all || rng_one_in(r, 2)) {
            memcpy(to->data + at, after->data + at, n);
        }
    }
    to->exists = true;
}

static void reboot_external(const struct simdisk *disk, struct node *node, const char *path,
                            struct rng *r)
{
    char real_path[BBI_FS_PATH_MAX];
    sim_real_path(disk, path, real_path);
    if (node->after.exists) {
        switch (rng_below(r, 3)) {
        case 0:
            break;
        case 1:
            blob_free(&node->snapshot);
            node->snapshot = node->after;
            node->after = (struct blob){0};
            break;
        default:
            mix_blobs(&node->snapshot, &node->after, r);
            break;
        }
    }
    blob_free(&node->after);
    node->in_commit = false;
    node->snapshot.exists = true;
    blob_write(&node->snapshot, real_path);
}

static void reboot_file(struct simdisk *disk, struct node *node, const char *path, struct rng *r)
{
    if (node->rebooted_in == disk->generation) {
        return; /* a second name of the same file */
    }
    node->rebooted_in = disk->generation;
    node->locked_in = 0;
    if (node->is_external) {
        reboot_external(disk, node, path, r);
        return;
    }
    node_settle(node, r);
    disk->used -= node->live.size;
    content_copy(&node->live, &node->durable);
    disk->used += node->live.size;
}

/* What is durable becomes what there is. */
static void reboot_tree(struct simdisk *disk, struct node *dir, const char *path, struct rng *r)
{
    struct entries old = dir->live_names;
    dir->live_names = (struct entries){0};
    entries_copy(disk, &dir->live_names, &dir->durable_names);
    dir_forget(disk, dir);
    for (size_t k = 0; k < dir->live_names.count; k++) {
        char below[BBI_FS_PATH_MAX];
        struct node *node = dir->live_names.at[k].node;
        int len = snprintf(below, sizeof(below), "%s/%s", path, dir->live_names.at[k].name);
        BB_ASSERT(len > 0 && (size_t)len < sizeof(below));
        if (node->is_dir) {
            reboot_tree(disk, node, below, r);
        } else {
            reboot_file(disk, node, below, r);
        }
    }
    entries_free(disk, &old);
}

void simdisk_reboot(struct simdisk *disk, uint64_t seed)
{
    struct rng r = rng_of(seed);
    BB_ASSERT(pthread_mutex_lock(&disk->mutex) == 0);
    each_dir(disk->root, choose_prefix, &r);
    each_dir(disk->root, keep_prefix, disk);
    disk->generation++;
    sim_empty_real_dir(disk);
    reboot_tree(disk, disk->root, "", &r);
    disk->is_dead = false;
    disk->cut_countdown = 0;
    disk->fault = (struct fault){0};
    BB_ASSERT(pthread_mutex_unlock(&disk->mutex) == 0);
}
