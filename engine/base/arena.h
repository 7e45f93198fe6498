/**
 * A bump arena: many small allocations on one account, dropped at once.
 *
 * Thread  one owner at a time.
 */
#ifndef BBI_BASE_ARENA_H
#define BBI_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/mem.h"

struct bbi_arena_chunk;

struct bbi_arena {
    struct bbi_arena_chunk *chunks; /* newest first */
    uint8_t *at;                    /* free bytes of the newest chunk */
    size_t left;
    size_t next_bytes; /* size of the next chunk */
    struct bbi_account *acct;
};

void bbi_arena_init(struct bbi_arena *a, struct bbi_account *acct);

/** Drop everything. */
void bbi_arena_fini(struct bbi_arena *a);

/** Drop everything, but keep the largest chunk for what comes. */
void bbi_arena_reset(struct bbi_arena *a);

/** The slow path of bbi_arena_alloc. */
void *bbi_arena_grow(struct bbi_arena *a, size_t size);

/** size bytes, 16-byte aligned, valid until reset or fini; NULL without memory. Size 0 is valid. */
static inline void *bbi_arena_alloc(struct bbi_arena *a, size_t size)
{
    size_t rounded = (size + 15 + (size == 0)) & ~(size_t)15;
    if (rounded < size || rounded > a->left) {
        return bbi_arena_grow(a, size);
    }
    uint8_t *p = a->at;
    a->at += rounded;
    a->left -= rounded;
    return p;
}

/** Zeroed count * size bytes; NULL also when the product overflows. */
void *bbi_arena_zalloc(struct bbi_arena *a, size_t count, size_t size);

/** A copy of len bytes with a NUL behind. */
void *bbi_arena_dup(struct bbi_arena *a, const void *p, size_t len);

/** A copy of a string. */
char *bbi_arena_strdup(struct bbi_arena *a, const char *s);

#endif
