/**
 * Gathering names: each once, sorted at the end.
 */
#ifndef BBI_CATALOG_NAMES_H
#define BBI_CATALOG_NAMES_H

#include "engine/catalog/catalog.h"
#include "engine/catalog/strsort.h"

struct bbi_names_builder {
    struct bbi_buf items; /* struct bbi_strsort_item, str an offset into bytes */
    struct bbi_buf bytes;
    uint32_t *slots; /* [slot_cap], place of an item + 1, by the hash of its name and class */
    size_t slot_cap;
    size_t most; /* that are wanted, the first ones in their order */
    bool is_cut; /* there are as many; the first items, sorted by name */
    struct bbi_account *acct;
};

void bbi_names_builder_init(struct bbi_names_builder *b, struct bbi_account *acct);
void bbi_names_builder_fini(struct bbi_names_builder *b);

/** Before the first is added: only so many, at least 1, are wanted, the first ones in their order.
 * The others take no memory, but for as many and a thousand at a time. */
void bbi_names_builder_limit(struct bbi_names_builder *b, size_t most);

/** False: enough names are known that come before this one; to add it changes nothing. */
bool bbi_names_builder_wants(const struct bbi_names_builder *b, const uint8_t *name, size_t len);

/** Add a name unless it is there in the same class, by which equal names are sorted. */
int bbi_names_builder_add(struct bbi_names_builder *b, const uint8_t *name, size_t len,
                          uint32_t class, uint32_t id, struct bb_error *err) BB_CHECKED;

/** Sort and hand over; a class becomes the type. */
int bbi_names_builder_finish(struct bbi_names_builder *b, struct bbi_names *names,
                             struct bb_error *err) BB_CHECKED;

#endif
