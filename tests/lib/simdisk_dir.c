#include <stdlib.h>
#include <string.h>

#include "tests/lib/simdisk_internal.h"

static struct entry *find(const struct entries *e, const char *name)
{
    for (size_t k = 0; k < e->count; k++) {
        if (strcmp(e->at[k].name, name) == 0) {
            return &e->at[k];
        }
    }
    return NULL;
}

struct node *entries_find(const struct entries *e, const char *name)
{
    const struct entry *found = find(e, name);
    return found == NULL ? NULL : found->node;
}

void entries_set(struct simdisk *disk, struct entries *e, const char *name, struct node *node)
{
    struct entry *found = find(e, name);
    node_ref(node);
    if (found != NULL) {
        node_unref(disk, found->node);
        found->node = node;
        return;
    }
    e->at = realloc(e->at, (e->count + 1) * sizeof(*e->at));
    BB_ASSERT(e->at != NULL);
    e->at[e->count++] = (struct entry){.name = sim_strdup(name, strlen(name)), .node = node};
}

void entries_remove(struct simdisk *disk, struct entries *e, const char *name)
{
    struct entry *found = find(e, name);
    if (found == NULL) {
        return;
    }
    free(found->name);
    node_unref(disk, found->node);
    *found = e->at[--e->count];
}

void entries_copy(struct simdisk *disk, struct entries *to, const struct entries *from)
{
    for (size_t k = 0; k < from->count; k++) {
        entries_set(disk, to, from->at[k].name, from->at[k].node);
    }
}

void entries_free(struct simdisk *disk, struct entries *e)
{
    for (size_t k = 0; k < e->count; k++) {
        free(e->at[k].name);
        node_unref(disk, e->at[k].node);
    }
    free(e->at);
    *e = (struct entries){0};
}

static void apply(struct simdisk *disk, struct entries *e, const struct dir_op *op)
{
    if (op->remove != NULL) {
        entries_remove(disk, e, op->remove);
    }
    if (op->set != NULL) {
        entries_set(disk, e, op->set, op->node);
    }
}

static void drop_first(struct simdisk *disk, struct node *dir)
{
    struct dir_op *op = dir->first_op;
    dir->first_op = op->next;
    if (dir->first_op == NULL) {
        dir->last_op = NULL;
    }
    if (op->node != NULL) {
        node_unref(disk, op->node);
    }
    free(op->remove);
    free(op->set);
    free(op);
}

uint64_t dir_change(struct simdisk *disk, struct node *dir, const char *take, const char *set,
                    struct node *node, struct node *needs_dir, uint64_t needs_seq)
{
    struct dir_op *op = sim_alloc(sizeof(*op));
    op->seq = ++disk->next_seq;
    op->remove = take == NULL ? NULL : sim_strdup(take, strlen(take));
    op->set = set == NULL ? NULL : sim_strdup(set, strlen(set));
    op->node = node;
    op->needs_dir = needs_dir;
    op->needs_seq = needs_seq;
    if (node != NULL) {
        node_ref(node);
    }
    if (dir->last_op == NULL) {
        dir->first_op = op;
    } else {
        dir->last_op->next = op;
    }
    dir->last_op = op;
    apply(disk, &dir->live_names, op);
    return op->seq;
}

/* A name moved away is durable only with the name it moved to, and that only with its directory:
 * file systems keep a rename whole. */
static void sync_needs(struct simdisk *disk, const struct dir_op *op)
{
    struct node *dir = op->needs_dir;
    uint64_t seq = op->needs_seq;
    while (dir != NULL) {
        dir_sync(disk, dir, seq);
        seq = dir->created_seq;
        dir = dir->parent;
    }
}

void dir_sync(struct simdisk *disk, struct node *dir, uint64_t seq)
{
    while (dir->first_op != NULL && dir->first_op->seq <= seq) {
        sync_needs(disk, dir->first_op);
        apply(disk, &dir->durable_names, dir->first_op);
        drop_first(disk, dir);
    }
}

void dir_forget(struct simdisk *disk, struct node *dir)
{
    while (dir->first_op != NULL) {
        drop_first(disk, dir);
    }
}
