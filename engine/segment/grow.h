/** Growing arrays; private to engine/segment. */
#ifndef BBI_SEGMENT_GROW_H
#define BBI_SEGMENT_GROW_H

#include "engine/base/mem.h"

/** The array with room for `need` >= 1 items, *cap updated; NULL: no memory, the old one stays. */
static inline void *bbi_grow(struct bbi_account *acct, void *items, size_t *cap, size_t need,
                             size_t item_bytes)
{
    if (need <= *cap) {
        return items;
    }
    size_t more = *cap < 8 ? 8 : *cap;
    while (more < need && more <= SIZE_MAX / 2 / item_bytes) {
        more *= 2;
    }
    void *grown = more < need ? NULL : bbi_mem_realloc(acct, items, more * item_bytes);
    *cap = grown == NULL ? *cap : more;
    return grown;
}

#endif
