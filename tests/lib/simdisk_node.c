#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/simdisk_internal.h"

void *sim_alloc(size_t size)
{
    void *p = calloc(1, size == 0 ? 1 : size);
    BB_ASSERT(p != NULL);
    return p;
}

char *sim_strdup(const char *s, size_t len)
{
    char *copy = sim_alloc(len + 1);
    memcpy(copy, s, len);
    return copy;
}

void content_free(struct content *c)
{
    for (size_t k = 0; k < c->chunk_count; k++) {
        free(c->chunks[k]);
    }
    free(c->chunks);
    *c = (struct content){0};
}

void content_copy(struct content *to, const struct content *from)
{
    content_free(to);
    content_resize(to, from->size);
    for (size_t k = 0; k < from->chunk_count; k++) {
        if (from->chunks[k] != NULL) {
            to->chunks[k] = sim_alloc(CHUNK_BYTES);
            memcpy(to->chunks[k], from->chunks[k], CHUNK_BYTES);
        }
    }
}

void content_resize(struct content *c, uint64_t size)
{
    size_t count = (size_t)((size + CHUNK_BYTES - 1) / CHUNK_BYTES);
    for (size_t k = count; k < c->chunk_count; k++) {
        free(c->chunks[k]);
    }
    if (count != c->chunk_count) {
        c->chunks = realloc(c->chunks, (count == 0 ? 1 : count) * sizeof(*c->chunks));
        BB_ASSERT(c->chunks != NULL);
        for (size_t k = c->chunk_count; k < count; k++) {
            c->chunks[k] = NULL;
        }
        c->chunk_count = count;
    }
    /* What was cut off must read as zeros if the file grows again. */
    size_t in_last = (size_t)(size % CHUNK_BYTES);
    if (size < c->size && in_last != 0 && c->chunks[count - 1] != NULL) {
        memset(c->chunks[count - 1] + in_last, 0, CHUNK_BYTES - in_last);
    }
    c->size = size;
}

void content_write(struct content *c, const uint8_t *data, uint64_t len, uint64_t offset)
{
    if (len != 0 && offset + len > c->size) {
        content_resize(c, offset + len);
    }
    while (len != 0) {
        size_t chunk = (size_t)(offset / CHUNK_BYTES);
        size_t at = (size_t)(offset % CHUNK_BYTES);
        size_t n = CHUNK_BYTES - at < len ? CHUNK_BYTES - at : (size_t)len;
        if (c->chunks[chunk] == NULL) {
            c->chunks[chunk] = sim_alloc(CHUNK_BYTES);
        }
        memcpy(c->chunks[chunk] + at, data, n);
        data += n;
        offset += n;
        len -= n;
    }
}

void content_read(const struct content *c, uint8_t *data, uint64_t len, uint64_t offset)
{
    BB_ASSERT(offset <= c->size && len <= c->size - offset);
    while (len != 0) {
        size_t chunk = (size_t)(offset / CHUNK_BYTES);
        size_t at = (size_t)(offset % CHUNK_BYTES);
        size_t n = CHUNK_BYTES - at < len ? CHUNK_BYTES - at : (size_t)len;
        if (c->chunks[chunk] == NULL) {
            memset(data, 0, n);
        } else {
            memcpy(data, c->chunks[chunk] + at, n);
        }
        data += n;
        offset += n;
        len -= n;
    }
}

struct node *node_create(bool is_dir)
{
    struct node *node = sim_alloc(sizeof(*node));
    node->refs = 1;
    node->is_dir = is_dir;
    return node;
}

void node_ref(struct node *node)
{
    node->refs++;
}

static void forget_changes(struct node *node)
{
    while (node->first != NULL) {
        struct change *next = node->first->next;
        free(node->first);
        node->first = next;
    }
    node->last = NULL;
}

void node_unref(struct simdisk *disk, struct node *node)
{
    if (--node->refs != 0) {
        return;
    }
    disk->used -= node->live.size;
    forget_changes(node);
    dir_forget(disk, node);
    content_free(&node->live);
    content_free(&node->durable);
    entries_free(disk, &node->live_names);
    entries_free(disk, &node->durable_names);
    blob_free(&node->snapshot);
    blob_free(&node->after);
    free(node);
}

void node_resize(struct simdisk *disk, struct node *node, uint64_t size)
{
    disk->used = disk->used - node->live.size + size;
    content_resize(&node->live, size);
}

void node_add_change(struct node *node, enum change_kind kind, const void *data, uint64_t len,
                     uint64_t offset)
{
    struct change *change = sim_alloc(sizeof(*change) + (size_t)len);
    change->kind = kind;
    change->offset = offset;
    change->len = len;
    if (len != 0) {
        memcpy(change->data, data, (size_t)len);
    }
    if (node->last == NULL) {
        node->first = change;
    } else {
        node->last->next = change;
    }
    node->last = change;
}

static void apply(struct content *c, const struct change *change)
{
    if (change->kind == CHANGE_WRITE) {
        content_write(c, change->data, change->len, change->offset);
    } else if (change->kind == CHANGE_RESIZE || change->offset > c->size) {
        content_resize(c, change->offset);
    }
}

void node_sync(struct node *node)
{
    for (struct change *change = node->first; change != NULL; change = change->next) {
        apply(&node->durable, change);
    }
    forget_changes(node);
}

/* Sectors are those of the file, not of the write. */
static void apply_torn(struct content *c, const struct change *change, struct rng *r)
{
    uint64_t at = 0;
    while (at < change->len) {
        uint64_t n = SIMDISK_SECTOR - (change->offset + at) % SIMDISK_SECTOR;
        n = n > change->len - at ? change->len - at : n;
        if (rng_one_in(r, 2)) {
            content_write(c, change->data + at, n, change->offset + at);
        }
        at += n;
    }
}

void node_settle(struct node *node, struct rng *r)
{
    enum {
        NOTHING,
        EVERYTHING,
        SOME,
        KINDS
    };
    uint64_t mode = rng_below(r, KINDS);
    for (struct change *change = node->first; change != NULL; change = change->next) {
        uint64_t fate = mode == SOME ? rng_below(r, KINDS) : mode;
        if (fate == EVERYTHING) {
            apply(&node->durable, change);
        } else if (fate == SOME && change->kind == CHANGE_WRITE) {
            apply_torn(&node->durable, change, r);
        }
    }
    /* A new length without its data: zeros. */
    if (mode == SOME && node->first != NULL && node->durable.size < node->live.size &&
        rng_one_in(r, 3)) {
        content_resize(&node->durable, node->live.size);
    }
    forget_changes(node);
}

void sim_real_path(const struct simdisk *disk, const char *path, char out[BBI_FS_PATH_MAX])
{
    size_t len = strlen(disk->real_dir);
    BB_ASSERT(len + 1 + strlen(path) < BBI_FS_PATH_MAX);
    memcpy(out, disk->real_dir, len);
    out[len++] = '/';
    const char *at = path;
    while (*at == '/' || (at[0] == '.' && at[1] == '/')) {
        at++;
    }
    for (; *at != '\0'; at++) {
        out[len++] = *at == '/' ? '%' : *at;
    }
    out[len] = '\0';
}

void blob_free(struct blob *b)
{
    free(b->data);
    *b = (struct blob){0};
}

void blob_read(struct blob *b, const char *real_path)
{
    blob_free(b);
    FILE *f = fopen(real_path, "rb");
    if (f == NULL) {
        return;
    }
    BB_ASSERT(fseek(f, 0, SEEK_END) == 0);
    long size = ftell(f);
    BB_ASSERT(size >= 0 && fseek(f, 0, SEEK_SET) == 0);
    b->len = (size_t)size;
    b->data = sim_alloc(b->len);
    b->exists = true;
    BB_ASSERT(fread(b->data, 1, b->len, f) == b->len);
    BB_ASSERT(fclose(f) == 0);
}

void blob_write(const struct blob *b, const char *real_path)
{
    FILE *f = fopen(real_path, "wb");
    BB_ASSERT(f != NULL);
    if (b->len != 0) {
        BB_ASSERT(fwrite(b->data, 1, b->len, f) == b->len);
    }
    BB_ASSERT(fclose(f) == 0);
}

void sim_empty_real_dir(const struct simdisk *disk)
{
    DIR *dir = opendir(disk->real_dir);
    BB_ASSERT(dir != NULL);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char path[sizeof(disk->real_dir) + sizeof(entry->d_name) + 1];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)snprintf(path, sizeof(path), "%s/%s", disk->real_dir, entry->d_name);
            BB_ASSERT(unlink(path) == 0);
        }
    }
    (void)closedir(dir);
}
