#include "engine/base/arena.h"

#include <string.h>

#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)1 << 20)

struct bbi_arena_chunk {
    struct bbi_arena_chunk *older;
    size_t size; /* bytes behind this header */
};

_Static_assert(sizeof(struct bbi_arena_chunk) == 16, "chunks stay 16-byte aligned");

void bbi_arena_init(struct bbi_arena *a, struct bbi_account *acct)
{
    *a = (struct bbi_arena){.next_bytes = CHUNK_MIN, .acct = acct};
}

void bbi_arena_fini(struct bbi_arena *a)
{
    while (a->chunks != NULL) {
        struct bbi_arena_chunk *older = a->chunks->older;
        bbi_mem_free(a->chunks);
        a->chunks = older;
    }
    bbi_arena_init(a, a->acct);
}

static void use_chunk(struct bbi_arena *a, struct bbi_arena_chunk *chunk)
{
    a->at = (uint8_t *)(chunk + 1);
    a->left = chunk->size;
}

void bbi_arena_reset(struct bbi_arena *a)
{
    struct bbi_arena_chunk *kept = a->chunks;
    for (struct bbi_arena_chunk *c = a->chunks; c != NULL; c = c->older) {
        kept = c->size > kept->size ? c : kept;
    }
    while (a->chunks != NULL) {
        struct bbi_arena_chunk *older = a->chunks->older;
        if (a->chunks != kept) {
            bbi_mem_free(a->chunks);
        }
        a->chunks = older;
    }
    if (kept != NULL) {
        kept->older = NULL;
        a->chunks = kept;
        use_chunk(a, kept);
    }
}

/* What exceeds a quarter of a chunk gets one of its own, behind the current one, whose rest stays
 * in use. */
static void *alloc_large(struct bbi_arena *a, size_t size)
{
    struct bbi_arena_chunk *chunk = bbi_mem_alloc(a->acct, sizeof(*chunk) + size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->size = size;
    if (a->chunks == NULL) {
        chunk->older = NULL;
        a->chunks = chunk;
    } else {
        chunk->older = a->chunks->older;
        a->chunks->older = chunk;
    }
    return chunk + 1;
}

void *bbi_arena_grow(struct bbi_arena *a, size_t size)
{
    if (size > SIZE_MAX / 4) {
        return NULL;
    }
    size = (size + 15 + (size == 0)) & ~(size_t)15;
    if (size > a->next_bytes / 4) {
        return alloc_large(a, size);
    }
    struct bbi_arena_chunk *chunk = bbi_mem_alloc(a->acct, sizeof(*chunk) + a->next_bytes);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->size = a->next_bytes;
    chunk->older = a->chunks;
    a->chunks = chunk;
    a->next_bytes = a->next_bytes < CHUNK_MAX ? a->next_bytes * 2 : CHUNK_MAX;
    use_chunk(a, chunk);
    a->at += size;
    a->left -= size;
    return chunk + 1;
}

void *bbi_arena_zalloc(struct bbi_arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    void *p = bbi_arena_alloc(a, bytes);
    if (p != NULL) {
        memset(p, 0, bytes);
    }
    return p;
}

void *bbi_arena_dup(struct bbi_arena *a, const void *p, size_t len)
{
    if (len == SIZE_MAX) {
        return NULL;
    }
    char *copy = bbi_arena_alloc(a, len + 1);
    if (copy != NULL) {
        if (len != 0) {
            memcpy(copy, p, len);
        }
        copy[len] = '\0';
    }
    return copy;
}

char *bbi_arena_strdup(struct bbi_arena *a, const char *s)
{
    return bbi_arena_dup(a, s, strlen(s));
}
