/* What an opened catalog tells its caller: live segments, deletions, messages. */
#include <string.h>

#include "engine/catalog/reconcile.h"
#include "engine/catalog/recover.h"
#include "engine/catalog/scan.h"

#define LIST_MAX (SIZE_MAX / 2)

void bbi_catalog_state_fini(struct bbi_catalog_state *state)
{
    for (size_t i = 0; i < state->tombstone_count; i++) {
        if (state->tombstones[i].series != NULL) {
            roaring_bitmap_free(state->tombstones[i].series);
        }
    }
    bbi_mem_free(state->segments);
    bbi_mem_free(state->tombstones);
    bbi_mem_free(state->messages);
    *state = (struct bbi_catalog_state){.segment_count = 0};
}

/* Decodes one record of misc and appends a struct to out. */
typedef int take_fn(const struct bbi_record *record, struct bbi_buf *out, struct bb_error *err);

static int take_segment(const struct bbi_record *record, struct bbi_buf *out, struct bb_error *err)
{
    struct bbi_segment_meta meta;
    int rc = bbi_record_get_segment_add(record, &meta, err);
    if (rc == BB_OK) {
        bbi_buf_put(out, &meta, sizeof(meta));
        rc = bbi_buf_check(out, "segments", err);
    }
    return rc;
}

static int take_tombstone(const struct bbi_record *record, struct bbi_buf *out,
                          struct bb_error *err)
{
    struct bbi_tombstone t;
    int rc = bbi_record_get_delete(record, 0, &t, err);
    if (rc == BB_OK) {
        bbi_buf_put(out, &t, sizeof(t));
        rc = bbi_buf_check(out, "deletions", err);
        if (rc != BB_OK) {
            roaring_bitmap_free(t.series);
        }
    }
    return rc;
}

static int take_all(struct bbi_catalog *cat, enum bbi_index_misc kind, take_fn *take,
                    struct bbi_buf *out, struct bb_error *err)
{
    uint8_t prefix = (uint8_t)kind;
    struct bbi_scan scan;
    struct bbi_index_entry e;
    bool found = true;
    int rc = BB_OK;
    bbi_scan_init(&scan, cat->index, cat->acct, BBI_INDEX_MISC, &prefix, 1);
    while (rc == BB_OK && found) {
        struct bbi_cursor c;
        struct bbi_record record;
        rc = bbi_scan_next(&scan, &e, &found, err);
        if (rc == BB_OK && found) {
            bbi_cursor_init(&c, e.value, e.value_len);
            rc = bbi_record_next(&c, &record, err);
            if (rc == BB_OK) {
                rc = take(&record, out, err);
            }
        }
    }
    bbi_scan_fini(&scan);
    return rc;
}

/* ---- live segments by the files ---- */

struct listing {
    struct bbi_buf items;       /* struct bbi_reconcile_item */
    const struct bbi_buf *gone; /* ids u64 */
};

static bool is_listed(const struct listing *l, uint64_t id)
{
    for (size_t at = 0; at < l->items.len; at += sizeof(struct bbi_reconcile_item)) {
        struct bbi_reconcile_item item;
        memcpy(&item, l->items.data + at, sizeof(item));
        if (item.meta.id == id) {
            return true;
        }
    }
    for (size_t at = 0; at < l->gone->len; at += sizeof(uint64_t)) {
        if (bbi_get_u64(l->gone->data + at) == id) {
            return true;
        }
    }
    return false;
}

static int list_one(void *arg, const struct bbi_segment_meta *meta, struct bb_error *err)
{
    struct listing *l = arg;
    struct bbi_reconcile_item item = {.meta = *meta};
    if (!is_listed(l, meta->id)) {
        bbi_buf_put(&l->items, &item, sizeof(item));
    }
    return bbi_buf_check(&l->items, "segment files", err);
}

/* Known segments first, so that files that are known are not listed twice. */
static int list_known(struct bbi_recovery *r, struct listing *l, struct bb_error *err)
{
    struct bbi_buf known;
    bbi_buf_init(&known, r->cat->acct, LIST_MAX);
    int rc = take_all(r->cat, BBI_MISC_SEGMENT, take_segment, &known, err);
    for (size_t at = 0; rc == BB_OK && at < known.len; at += sizeof(struct bbi_segment_meta)) {
        struct bbi_reconcile_item item = {.is_known = true};
        memcpy(&item.meta, known.data + at, sizeof(item.meta));
        bbi_buf_put(&l->items, &item, sizeof(item));
        rc = bbi_buf_check(&l->items, "segments", err);
    }
    bbi_buf_fini(&known);
    return rc;
}

static int apply_items(struct bbi_recovery *r, struct bbi_reconcile_item *items, size_t count,
                       struct bb_error *err)
{
    struct bbi_buf *records = &r->cat->active->records;
    uint64_t added = 0;
    uint64_t removed = 0;
    bbi_reconcile(items, count);
    for (size_t i = 0; i < count; i++) {
        if (items[i].is_live && !items[i].is_known) {
            bbi_record_put_segment_add(records, &items[i].meta);
            added++;
        } else if (!items[i].is_live && items[i].is_known) {
            bbi_record_put_segment_remove(records, items[i].meta.id);
            removed++;
        }
        if (items[i].meta.id >= r->next_segment_id) {
            r->next_segment_id = items[i].meta.id + 1;
        }
    }
    bbi_buf_printf(&r->messages,
                   "segments were reconciled with their files: %llu taken in, %llu superseded\n",
                   (unsigned long long)added, (unsigned long long)removed);
    int rc = bbi_buf_check(records, "segments", err);
    return rc == BB_OK ? bbi_recover_flush(r, err) : rc;
}

int bbi_recover_segments(struct bbi_recovery *r, bbi_catalog_list_segments_fn list, void *arg,
                         struct bb_error *err)
{
    struct listing l = {.gone = &r->removed};
    if ((!r->lost && !r->is_fresh) || list == NULL) {
        return BB_OK;
    }
    bbi_buf_init(&l.items, r->cat->acct, LIST_MAX);
    int rc = list_known(r, &l, err);
    if (rc == BB_OK) {
        rc = list(arg, list_one, &l, err);
    }
    if (r->is_fresh && l.items.len != 0) {
        bbi_buf_str(&r->messages, "catalog.log and catalog.mdb are gone, but there are segments\n");
        r->lost = true;
    }
    if (rc == BB_OK && r->lost) {
        rc = apply_items(r, (struct bbi_reconcile_item *)(void *)l.items.data,
                         l.items.len / sizeof(struct bbi_reconcile_item), err);
    }
    bbi_buf_fini(&l.items);
    return rc;
}

/* ---- state ---- */

int bbi_recover_state(struct bbi_recovery *r, struct bbi_catalog_state *state, struct bb_error *err)
{
    struct bbi_catalog *cat = r->cat;
    struct bbi_buf segments;
    struct bbi_buf tombstones;
    bbi_buf_init(&segments, cat->acct, LIST_MAX);
    bbi_buf_init(&tombstones, cat->acct, LIST_MAX);
    int rc = take_all(cat, BBI_MISC_SEGMENT, take_segment, &segments, err);
    if (rc == BB_OK) {
        rc = take_all(cat, BBI_MISC_TOMBSTONE, take_tombstone, &tombstones, err);
    }
    *state = (struct bbi_catalog_state){
        .checkpoint_lsn = cat->committed.lsn,
        .segments = (struct bbi_segment_meta *)(void *)segments.data,
        .segment_count = segments.len / sizeof(struct bbi_segment_meta),
        .tombstones = (struct bbi_tombstone *)(void *)tombstones.data,
        .tombstone_count = tombstones.len / sizeof(struct bbi_tombstone),
        .rebuilt = r->rebuilt,
        .damaged = r->lost};
    state->messages = bbi_mem_dup(cat->acct, r->messages.data, r->messages.len);
    if (rc == BB_OK && state->messages == NULL) {
        rc = bbi_error_nomem(err, "catalog state");
    }
    if (rc != BB_OK) {
        bbi_catalog_state_fini(state);
    }
    return rc;
}
