#include "engine/catalog/names.h"

#include <string.h>

#include "engine/base/hash.h"

#define SLOTS_MIN 64

/* Beyond twice as many names as are wanted, so many are gathered before they are cut. */
#define CUT_MIN 1024

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
    *b = (struct bbi_names_builder){.most = SIZE_MAX, .acct = acct};
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

void bbi_names_builder_limit(struct bbi_names_builder *b, size_t most)
{
    BB_ASSERT(most > 0);
    b->most = most;
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

bool bbi_names_builder_wants(const struct bbi_names_builder *b, const uint8_t *name, size_t len)
{
    if (!b->is_cut) {
        return true;
    }
    const item_t *last = item_at(b, b->most - 1);
    size_t shorter = len < last->len ? len : last->len;
    int order = shorter == 0 ? 0 : memcmp(name, item_bytes(b, last), shorter);
    return order != 0 ? order < 0 : len <= last->len;
}

static void put_slots(const struct bbi_names_builder *b)
{
    size_t count = b->items.len / sizeof(item_t);
    memset(b->slots, 0, b->slot_cap * sizeof(b->slots[0]));
    for (size_t i = 0; i < count; i++) {
        size_t at = item_at(b, i)->cache & (b->slot_cap - 1);
        while (b->slots[at] != 0) {
            at = (at + 1) & (b->slot_cap - 1);
        }
        b->slots[at] = (uint32_t)i + 1;
    }
}

static bool reserve_slots(struct bbi_names_builder *b)
{
    size_t count = b->items.len / sizeof(item_t);
    if (count < b->slot_cap / 4 * 3) {
        return true;
    }
    size_t cap = b->slot_cap == 0 ? SLOTS_MIN : b->slot_cap * 2;
    uint32_t *slots = bbi_mem_alloc(b->acct, cap * sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    bbi_mem_free(b->slots);
    b->slots = slots;
    b->slot_cap = cap;
    put_slots(b);
    return true;
}

/* Items of names in place of those of offsets, sorted. */
static void sort_items(item_t *items, size_t count, const uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++) {
        items[i].str = bytes + (uintptr_t)items[i].str;
    }
    bbi_strsort(items, count);
}

/* Forget all names but those that are wanted. */
static int cut(struct bbi_names_builder *b, struct bb_error *err)
{
    struct bbi_buf bytes;
    item_t *items = item_at(b, 0);
    bbi_buf_init(&bytes, b->acct, SIZE_MAX / 2);
    sort_items(items, b->items.len / sizeof(items[0]), b->bytes.data);
    for (size_t i = 0; i < b->most; i++) {
        item_t *it = &items[i];
        const uint8_t *name = it->str;
        it->cache = bbi_hash64_seed(name, it->len, it->id);
        it->str = (const uint8_t *)(uintptr_t)bytes.len;
        bbi_buf_put(&bytes, name, it->len);
    }
    bbi_buf_fini(&b->bytes);
    b->bytes = bytes;
    b->items.len = b->most * sizeof(items[0]);
    b->is_cut = true;
    put_slots(b);
    return bytes.err == BB_OK ? BB_OK : bbi_error_nomem(err, "list of names");
}

int bbi_names_builder_add(struct bbi_names_builder *b, const uint8_t *name, size_t len,
                          uint32_t class, uint32_t id, struct bb_error *err)
{
    if (!bbi_names_builder_wants(b, name, len)) {
        return BB_OK;
    }
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
    size_t count = b->items.len / sizeof(it);
    b->slots[slot] = (uint32_t)count;
    return count > CUT_MIN && (count - CUT_MIN) / 2 >= b->most ? cut(b, err) : BB_OK;
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
    sort_items(items, count, b->bytes.data);
    count = count < b->most ? count : b->most;
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
