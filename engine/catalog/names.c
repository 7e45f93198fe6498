#include "engine/catalog/names.h"

#include <string.h>

#include "engine/base/hash.h"

#define SLOTS_MIN 64

typedef struct bbi_strsort_item item_t;

_Static_assert(sizeof(struct bbi_name) <= sizeof(item_t), "names are made in the items' place");

void bbi_names_fini(struct bbi_names *names)
{
    bbi_mem_free(names->list);
    bbi_mem_free(names->bytes);
    *names = (struct bbi_names){.count = 0};
}

void bbi_names_builder_init(struct bbi_names_builder *b, struct bbi_account *acct)
{
    *b = (struct bbi_names_builder){.acct = acct};
    bbi_buf_init(&b->items, acct, SIZE_MAX / 2);
    bbi_buf_init(&b->bytes, acct, SIZE_MAX / 2);
}

void bbi_names_builder_fini(struct bbi_names_builder *b)
{
    bbi_buf_fini(&b->items);
    bbi_buf_fini(&b->bytes);
    bbi_mem_free(b->slots);
    b->slots = NULL;
}

static item_t *item_at(const struct bbi_names_builder *b, size_t i)
{
    return (item_t *)(void *)b->items.data + i;
}

static const uint8_t *item_bytes(const struct bbi_names_builder *b, const item_t *it)
{
    return b->bytes.data + (uintptr_t)it->str;
}

/* The slot of a name, or the free one where it would be. cache holds the hash meanwhile. */
static size_t find_slot(const struct bbi_names_builder *b, uint64_t hash, const uint8_t *name,
                        size_t len)
{
    size_t at = hash & (b->slot_cap - 1);
    for (; b->slots[at] != 0; at = (at + 1) & (b->slot_cap - 1)) {
        const item_t *it = item_at(b, b->slots[at] - 1);
        if (it->cache == hash && it->len == len &&
            (len == 0 || memcmp(item_bytes(b, it), name, len) == 0)) {
            break;
        }
    }
    return at;
}

static bool reserve_slots(struct bbi_names_builder *b)
{
    size_t count = b->items.len / sizeof(item_t);
    if (count < b->slot_cap / 4 * 3) {
        return true;
    }
    size_t cap = b->slot_cap == 0 ? SLOTS_MIN : b->slot_cap * 2;
    uint32_t *slots = bbi_mem_zalloc(b->acct, cap, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = item_at(b, i)->cache & (cap - 1);
        while (slots[at] != 0) {
            at = (at + 1) & (cap - 1);
        }
        slots[at] = (uint32_t)i + 1;
    }
    bbi_mem_free(b->slots);
    b->slots = slots;
    b->slot_cap = cap;
    return true;
}

int bbi_names_builder_add(struct bbi_names_builder *b, const uint8_t *name, size_t len,
                          uint32_t class, uint32_t id, struct bb_error *err)
{
    if (!reserve_slots(b) || b->items.len / sizeof(item_t) >= UINT32_MAX) {
        return bbi_error_nomem(err, "list of names");
    }
    uint64_t hash = bbi_hash64_seed(name, len, class);
    size_t slot = find_slot(b, hash, name, len);
    if (b->slots[slot] != 0) {
        return BB_OK;
    }
    item_t it = {.cache = hash,
                 .str = (const uint8_t *)(uintptr_t)b->bytes.len,
                 .len = (uint32_t)len,
                 .id = class,
                 .extra = id};
    bbi_buf_put(&b->bytes, name, len);
    bbi_buf_put(&b->items, &it, sizeof(it));
    if (b->bytes.err != BB_OK || b->items.err != BB_OK) {
        return bbi_error_nomem(err, "list of names");
    }
    b->slots[slot] = (uint32_t)(b->items.len / sizeof(it));
    return BB_OK;
}

int bbi_names_builder_finish(struct bbi_names_builder *b, struct bbi_names *names,
                             struct bb_error *err)
{
    size_t count = b->items.len / sizeof(item_t);
    /* Empty lists have their blocks too: whoever frees need not ask. */
    uint8_t *list = bbi_mem_realloc(b->acct, b->items.data, b->items.len);
    if (list == NULL) {
        return bbi_error_nomem(err, "list of names");
    }
    b->items.data = NULL;
    b->items.len = 0;
    b->items.cap = 0;
    item_t *items = (item_t *)(void *)list;
    for (size_t i = 0; i < count; i++) {
        items[i].str = item_bytes(b, &items[i]);
    }
    bbi_strsort(items, count);
    for (size_t i = 0; i < count; i++) {
        item_t it = items[i];
        struct bbi_name name = {
            .name = it.str, .len = it.len, .id = it.extra, .type = (enum bbi_type)it.id};
        memcpy(list + i * sizeof(name), &name, sizeof(name));
    }
    *names = (struct bbi_names){
        .list = (struct bbi_name *)(void *)list, .count = count, .bytes = b->bytes.data};
    b->bytes.data = NULL;
    b->bytes.len = 0;
    b->bytes.cap = 0;
    return BB_OK;
}
