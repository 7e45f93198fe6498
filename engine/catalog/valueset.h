/**
 * The values of one tag key of a measurement, by their hashes: how many there are and whether one
 * is among them, without going to the disk. Kept only where there is a limit on them. Two of a
 * million values share a hash with a probability of 10^-8, and then count as one.
 */
#ifndef BBI_CATALOG_VALUESET_H
#define BBI_CATALOG_VALUESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/mem.h"

struct bbi_valueset {
    uint64_t *slots; /* [cap], open addressing; 0: free */
    size_t cap;      /* a power of two */
    size_t count;
    struct bbi_account *acct;
};

/** NULL: no memory. */
struct bbi_valueset *bbi_valueset_create(struct bbi_account *acct);
/** NULLs *set, which may be NULL. */
void bbi_valueset_destroy(struct bbi_valueset **set);

bool bbi_valueset_has(const struct bbi_valueset *set, const uint8_t *value, size_t len);

/** False: no memory, unchanged. */
bool bbi_valueset_add(struct bbi_valueset *set, const uint8_t *value, size_t len);

#endif
