#include "engine/catalog/valueset.h"

#include "engine/base/hash.h"

#define CAP_MIN 16

struct bbi_valueset *bbi_valueset_create(struct bbi_account *acct)
{
    struct bbi_valueset *set = bbi_mem_zalloc(acct, 1, sizeof(*set));
    if (set == NULL) {
        return NULL;
    }
    set->acct = acct;
    set->cap = CAP_MIN;
    set->slots = bbi_mem_zalloc(acct, set->cap, sizeof(set->slots[0]));
    if (set->slots == NULL) {
        bbi_mem_free(set);
        return NULL;
    }
    return set;
}

void bbi_valueset_destroy(struct bbi_valueset **set)
{
    if (*set != NULL) {
        bbi_mem_free((*set)->slots);
        bbi_mem_free(*set);
        *set = NULL;
    }
}

static uint64_t hash_of(const uint8_t *value, size_t len)
{
    uint64_t hash = bbi_hash64(value, len);
    return hash == 0 ? 1 : hash;
}

/* Where the hash stands, or would. */
static size_t find(const uint64_t *slots, size_t cap, uint64_t hash)
{
    size_t at = hash & (cap - 1);
    while (slots[at] != 0 && slots[at] != hash) {
        at = (at + 1) & (cap - 1);
    }
    return at;
}

bool bbi_valueset_has(const struct bbi_valueset *set, const uint8_t *value, size_t len)
{
    return set->slots[find(set->slots, set->cap, hash_of(value, len))] != 0;
}

static bool grow(struct bbi_valueset *set)
{
    uint64_t *bigger = bbi_mem_zalloc(set->acct, set->cap * 2, sizeof(bigger[0]));
    if (bigger == NULL) {
        return false;
    }
    for (size_t i = 0; i < set->cap; i++) {
        if (set->slots[i] != 0) {
            bigger[find(bigger, set->cap * 2, set->slots[i])] = set->slots[i];
        }
    }
    bbi_mem_free(set->slots);
    set->slots = bigger;
    set->cap *= 2;
    return true;
}

bool bbi_valueset_add(struct bbi_valueset *set, const uint8_t *value, size_t len)
{
    if (set->count >= set->cap / 2 && !grow(set)) {
        return false;
    }
    uint64_t hash = hash_of(value, len);
    size_t at = find(set->slots, set->cap, hash);
    set->count += set->slots[at] == 0;
    set->slots[at] = hash;
    return true;
}
