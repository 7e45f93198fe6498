/*
 * From ids to keys. A slice of ids is looked up at a time, in LMDB with one reader and then, for
 * those it does not have, in the overlays; keys are copied, and nothing is held when the caller's
 * function runs.
 */
#include <string.h>

#include "engine/catalog/apply.h"
#include "engine/catalog/internal.h"

#define SLICE_FIRST 16
#define SLICE       4096

struct slice_entry {
    uint32_t sid;
    uint32_t mid;
    size_t key_at; /* into keys */
    size_t key_len;
    bool found;
};

struct slice {
    struct bbi_catalog *cat;
    uint32_t db_id;
    struct slice_entry *entries; /* [SLICE] */
    size_t count;
    struct bbi_buf keys;
};

static int keep(struct slice *s, struct slice_entry *e, uint32_t mid, const uint8_t *key,
                size_t key_len, struct bb_error *err)
{
    e->mid = mid;
    e->key_at = s->keys.len;
    e->key_len = key_len;
    e->found = true;
    bbi_buf_put(&s->keys, key, key_len);
    return bbi_buf_check(&s->keys, "series keys", err);
}

/* An entry of LMDB's table whose key is this. */
static int take_if_same(struct slice *s, struct slice_entry *e, const uint8_t *key, size_t key_len,
                        const struct bbi_index_entry *at, struct bb_error *err)
{
    uint32_t mid;
    const uint8_t *series_key;
    size_t series_key_len;
    if (at->key_len != key_len || memcmp(at->key, key, key_len) != 0) {
        return BB_OK;
    }
    int rc = bbi_series_value_get(at, &mid, &series_key, &series_key_len, err);
    return rc == BB_OK ? keep(s, e, mid, series_key, series_key_len, err) : rc;
}

/* Ids ascend: the next one is mostly the next entry. */
static int read_index(struct slice *s, struct bb_error *err)
{
    struct bbi_index_reader *reader;
    struct bbi_index_entry at;
    bool has_entry = false;
    uint32_t last = 0;
    int rc = bbi_index_read_begin(s->cat->index, &reader, err);
    for (size_t i = 0; rc == BB_OK && i < s->count; i++) {
        struct slice_entry *e = &s->entries[i];
        uint8_t key[BBI_SERIES_KEY_BYTES];
        size_t key_len = bbi_series_index_key(key, s->db_id, e->sid);
        if (has_entry && e->sid == last + 1) {
            rc = bbi_index_next(reader, BBI_INDEX_SERIES, &at, &has_entry, err);
        } else {
            rc = bbi_index_seek(reader, BBI_INDEX_SERIES, key, key_len, &at, &has_entry, err);
        }
        if (rc == BB_OK && has_entry) {
            rc = take_if_same(s, e, key, key_len, &at, err);
            has_entry = e->found;
        }
        last = e->sid;
    }
    bbi_index_read_end(&reader);
    return rc;
}

static int read_overlays(struct slice *s, const struct bbi_view *view, struct bb_error *err)
{
    int rc = BB_OK;
    bbi_catalog_read_lock(s->cat);
    for (size_t i = 0; rc == BB_OK && i < s->count; i++) {
        struct slice_entry *e = &s->entries[i];
        for (size_t o = 0; rc == BB_OK && !e->found && o < view->count; o++) {
            const struct bbi_overlay_series *series = bbi_overlay_get(view->overlays[o], s->db_id,
                                                                      e->sid);
            if (series != NULL) {
                rc = keep(s, e, series->mid, series->key, series->key_len, err);
            }
        }
    }
    bbi_catalog_unlock(s->cat);
    return rc;
}

static int read_slice(struct slice *s, const struct bbi_view *view, struct bb_error *err)
{
    bbi_buf_reset(&s->keys);
    int rc = read_index(s, err);
    return rc == BB_OK ? read_overlays(s, view, err) : rc;
}

static int tell_slice(const struct slice *s, bbi_catalog_series_fn cb, void *arg,
                      struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < s->count; i++) {
        const struct slice_entry *e = &s->entries[i];
        if (e->found) {
            rc = cb(arg, e->sid, e->mid, s->keys.data + e->key_at, e->key_len, err);
        }
    }
    return rc;
}

static int each_of(struct slice *s, const struct bbi_view *view, const roaring_bitmap_t *ids,
                   bbi_catalog_series_fn cb, void *arg, struct bb_error *err)
{
    roaring_uint32_iterator_t it;
    size_t size = SLICE_FIRST;
    int rc = BB_OK;
    roaring_init_iterator(ids, &it);
    while (rc == BB_OK && it.has_value) {
        s->count = 0;
        for (; it.has_value && s->count < size; (void)roaring_advance_uint32_iterator(&it)) {
            s->entries[s->count++] = (struct slice_entry){.sid = it.current_value};
        }
        rc = read_slice(s, view, err);
        if (rc == BB_OK) {
            rc = tell_slice(s, cb, arg, err);
        }
        size = size * 4 > SLICE ? SLICE : size * 4;
    }
    return rc;
}

int bbi_catalog_series_each(struct bbi_catalog *cat, uint32_t db_id, const roaring_bitmap_t *ids,
                            struct bbi_account *acct, bbi_catalog_series_fn cb, void *arg,
                            struct bb_error *err)
{
    struct slice s = {.cat = cat, .db_id = db_id};
    struct bbi_view view;
    roaring_bitmap_t *all = NULL;
    bbi_buf_init(&s.keys, acct, SIZE_MAX / 2);
    int rc = bbi_view_begin(cat, &view, err);
    if (rc == BB_OK && ids == NULL) {
        rc = bbi_catalog_select(cat, db_id, 0, NULL, &all, err);
        ids = all;
    }
    if (rc == BB_OK) {
        s.entries = bbi_mem_zalloc(acct, SLICE, sizeof(*s.entries));
        rc = s.entries == NULL ? bbi_error_nomem(err, "series keys") : BB_OK;
    }
    if (rc == BB_OK) {
        rc = each_of(&s, &view, ids, cb, arg, err);
    }
    if (all != NULL) {
        roaring_bitmap_free(all);
    }
    bbi_mem_free(s.entries);
    bbi_buf_fini(&s.keys);
    bbi_view_end(&view);
    return rc;
}

int bbi_catalog_series_key(struct bbi_catalog *cat, uint32_t db_id, uint32_t sid, uint32_t *mid,
                           struct bbi_buf *key, struct bb_error *err)
{
    struct slice_entry entry = {.sid = sid};
    struct slice s = {.cat = cat, .db_id = db_id, .entries = &entry, .count = 1};
    struct bbi_view view;
    bbi_buf_init(&s.keys, cat->acct, SIZE_MAX / 2);
    int rc = bbi_view_begin(cat, &view, err);
    if (rc == BB_OK) {
        rc = read_slice(&s, &view, err);
    }
    if (rc == BB_OK && !entry.found) {
        rc = bbi_error_set(err, BB_ENOTFOUND, "no series %u in database %u", sid, db_id);
    }
    if (rc == BB_OK) {
        *mid = entry.mid;
        bbi_buf_put(key, s.keys.data, entry.key_len);
        rc = bbi_buf_check(key, "series key", err);
    }
    bbi_view_end(&view);
    bbi_buf_fini(&s.keys);
    return rc;
}

int bbi_catalog_series_count(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid, uint64_t *count,
                             struct bb_error *err)
{
    roaring_bitmap_t *ids;
    *count = 0;
    int rc = bbi_catalog_select(cat, db_id, mid, NULL, &ids, err);
    if (rc == BB_OK) {
        *count = roaring_bitmap_get_cardinality(ids);
        roaring_bitmap_free(ids);
    }
    return rc;
}
