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
    struct bbi_account *acct;
};

void bbi_names_builder_init(struct bbi_names_builder *b, struct bbi_account *acct);
void bbi_names_builder_fini(struct bbi_names_builder *b);

/** Add a name unless it is there in the same class, by which equal names are sorted. */
int bbi_names_builder_add(struct bbi_names_builder *b, const uint8_t *name, size_t len,
                          uint32_t class, uint32_t id, struct bb_error *err) BB_CHECKED;

/** Sort and hand over; a class becomes the type. */
int bbi_names_builder_finish(struct bbi_names_builder *b, struct bbi_names *names,
                             struct bb_error *err) BB_CHECKED;

#endif
