/*
 * Listing tag keys and values: from the posting lists of LMDB and the keys of the overlays. All tag
 * keys of a measurement are in the schema besides, because planning a query asks for them often.
 */
#include <string.h>

#include "engine/catalog/internal.h"
#include "engine/catalog/names.h"
#include "engine/catalog/posting.h"
#include "engine/catalog/scan.h"

struct tag_list {
    struct bbi_catalog *cat;
    uint32_t db_id;
    const roaring_bitmap_t *within; /* NULL: all */
    const uint8_t *key;             /* list the values of this key; NULL: list keys */
    size_t key_len;
    struct bbi_names_builder *names;
};

static bool same_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static int take_posting(struct tag_list *l, const struct bbi_posting *p, struct bb_error *err)
{
    struct bbi_posting_tag tag;
    bool any = true;
    int rc = bbi_posting_tag_of(p->blob, p->blob_len, &tag, err);
    bool wanted = rc == BB_OK && tag.has_value == (l->key != NULL) &&
                  (l->key == NULL || same_bytes(tag.key, tag.key_len, l->key, l->key_len)) &&
                  (l->key == NULL || bbi_names_builder_wants(l->names, tag.value, tag.value_len));
    if (wanted && l->within != NULL) {
        rc = bbi_posting_intersects(p, l->within, &any, err);
    }
    if (rc != BB_OK || !wanted || !any) {
        return rc;
    }
    return l->key == NULL ? bbi_names_builder_add(l->names, tag.key, tag.key_len, 0, 0, err)
                          : bbi_names_builder_add(l->names, tag.value, tag.value_len, 0, 0, err);
}

static int take_lists(struct tag_list *l, const struct bbi_posting_prefix *prefix,
                      enum bbi_posting_form form, struct bb_error *err)
{
    struct bbi_scan scan;
    struct bbi_index_entry e;
    bool found = true;
    int rc = BB_OK;
    bbi_scan_init(&scan, l->cat->index, l->cat->acct, BBI_INDEX_POSTINGS, prefix->bytes,
                  prefix->len);
    while (rc == BB_OK && found) {
        struct bbi_posting p;
        rc = bbi_scan_next(&scan, &e, &found, err);
        if (rc == BB_OK && found) {
            rc = bbi_posting_parse(&e, form, &p, err);
        }
        if (rc == BB_OK && found) {
            rc = take_posting(l, &p, err);
        }
    }
    bbi_scan_fini(&scan);
    return rc;
}

static int take_measurement(struct tag_list *l, uint32_t mid, struct bb_error *err)
{
    struct bbi_posting_prefix prefix;
    int rc = BB_OK;
    if (l->key == NULL) {
        bbi_posting_form_prefix(&prefix, l->db_id, mid, BBI_POSTING_KEY);
        rc = take_lists(l, &prefix, BBI_POSTING_KEY, err);
    } else {
        struct bbi_buf blob;
        bbi_buf_init(&blob, l->cat->acct, SIZE_MAX / 2);
        bbi_buf_block(&blob, l->key, l->key_len);
        rc = bbi_buf_check(&blob, "tag key", err);
        if (rc == BB_OK && bbi_posting_blob_prefix(&prefix, l->db_id, mid, BBI_POSTING_VALUE,
                                                   blob.data, blob.len)) {
            rc = take_lists(l, &prefix, BBI_POSTING_VALUE, err);
        }
        bbi_buf_fini(&blob);
    }
    if (rc == BB_OK) {
        bbi_posting_form_prefix(&prefix, l->db_id, mid, BBI_POSTING_LONG);
        rc = take_lists(l, &prefix, BBI_POSTING_LONG, err);
    }
    return rc;
}

static int take_overlay(void *arg, const struct bbi_overlay_series *series, struct bb_error *err)
{
    struct tag_list *l = arg;
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t measurement_len;
    int rc = BB_OK;
    if (l->within != NULL && !roaring_bitmap_contains(l->within, series->sid)) {
        return BB_OK;
    }
    (void)bbi_key_first(&c, series->key, series->key_len, &measurement_len);
    while (rc == BB_OK && bbi_key_next(&c, &tag)) {
        if (l->key == NULL) {
            rc = bbi_names_builder_add(l->names, tag.key, tag.key_len, 0, 0, err);
        } else if (same_bytes(tag.key, tag.key_len, l->key, l->key_len)) {
            rc = bbi_names_builder_add(l->names, tag.value, tag.value_len, 0, 0, err);
        }
    }
    return rc;
}

static int take_all(struct tag_list *l, uint32_t mid, struct bb_error *err)
{
    struct bbi_view view;
    uint32_t *mids = NULL;
    size_t count = 0;
    int rc = bbi_view_begin(l->cat, &view, err);
    if (rc == BB_OK) {
        rc = bbi_catalog_mids(l->cat, l->db_id, mid, &mids, &count, err);
    }
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        rc = take_measurement(l, mids[i], err);
    }
    if (rc == BB_OK) {
        rc = bbi_view_each(l->cat, &view, l->db_id, mid, take_overlay, l, err);
    }
    bbi_mem_free(mids);
    bbi_view_end(&view);
    return rc;
}

/* Whether posting lists and schema may tell of tags that no series has any more: mid 0, of any
 * measurement. */
static bool is_thinned(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid)
{
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    bool thinned = db != NULL && db->dropped != NULL;
    if (thinned && mid != 0) {
        const struct bbi_schema_entry *m = bbi_schema_get(&db->measurements, mid);
        thinned = m != NULL && m->thinned;
    }
    bbi_catalog_unlock(cat);
    return thinned;
}

static int list_tags(struct tag_list *l, uint32_t mid, size_t most, struct bbi_account *acct,
                     struct bbi_names *names, struct bb_error *err)
{
    struct bbi_names_builder b;
    roaring_bitmap_t *all = NULL;
    int rc = BB_OK;
    *names = (struct bbi_names){.count = 0};
    bbi_names_builder_init(&b, acct);
    bbi_names_builder_limit(&b, most);
    l->names = &b;
    if (l->within == NULL && is_thinned(l->cat, l->db_id, mid)) {
        rc = bbi_catalog_select(l->cat, l->db_id, mid, NULL, &all, err);
        l->within = all;
    }
    rc = rc == BB_OK ? take_all(l, mid, err) : rc;
    if (rc == BB_OK) {
        rc = bbi_names_builder_finish(&b, names, err);
    }
    bbi_names_builder_fini(&b);
    if (all != NULL) {
        roaring_bitmap_free(all);
    }
    return rc;
}

/* The schema knows the keys of all series. */
static int list_known_keys(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                           struct bbi_names_builder *b, struct bb_error *err)
{
    int rc = BB_OK;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db == NULL) {
        rc = bbi_catalog_no_database(db_id, err);
    } else {
        struct bbi_schema_walk w = bbi_schema_tag_keys(db, mid);
        const struct bbi_schema_entry *e;
        while (rc == BB_OK && (e = bbi_schema_walk_next(&w)) != NULL) {
            rc = bbi_names_builder_add(b, e->name, e->name_len, 0, 0, err);
        }
    }
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_tag_keys(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                         const roaring_bitmap_t *within, struct bbi_account *acct,
                         struct bbi_names *names, struct bb_error *err)
{
    struct tag_list l = {.cat = cat, .db_id = db_id, .within = within};
    struct bbi_names_builder b;
    if (within != NULL || is_thinned(cat, db_id, mid)) {
        return list_tags(&l, mid, SIZE_MAX, acct, names, err);
    }
    *names = (struct bbi_names){.count = 0};
    bbi_names_builder_init(&b, acct);
    int rc = list_known_keys(cat, db_id, mid, &b, err);
    if (rc == BB_OK) {
        rc = bbi_names_builder_finish(&b, names, err);
    }
    bbi_names_builder_fini(&b);
    return rc;
}

int bbi_catalog_tag_values(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                           const uint8_t *key, size_t key_len, const roaring_bitmap_t *within,
                           struct bbi_account *acct, struct bbi_names *names, struct bb_error *err)
{
    return bbi_catalog_tag_values_first(cat, db_id, mid, key, key_len, within, SIZE_MAX, acct,
                                        names, err);
}

int bbi_catalog_tag_values_first(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                                 const uint8_t *key, size_t key_len, const roaring_bitmap_t *within,
                                 size_t most, struct bbi_account *acct, struct bbi_names *names,
                                 struct bb_error *err)
{
    struct tag_list l = {.cat = cat,
                         .db_id = db_id,
                         .within = within,
                         .key = key == NULL ? (const uint8_t *)"" : key,
                         .key_len = key_len};
    return list_tags(&l, mid, most, acct, names, err);
}

/* The slow way, by the series there are. */
static int any_has_key(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid, const uint8_t *key,
                       size_t key_len, bool *exists, struct bb_error *err)
{
    struct bbi_tagpred pred = {.op = BBI_TAGPRED_NEQ,
                               .key = key,
                               .key_len = key_len,
                               .value = (const uint8_t *)"",
                               .value_len = 0};
    roaring_bitmap_t *ids;
    int rc = bbi_catalog_select(cat, db_id, mid, &pred, &ids, err);
    if (rc == BB_OK) {
        *exists = !roaring_bitmap_is_empty(ids);
        roaring_bitmap_free(ids);
    }
    return rc;
}

int bbi_catalog_tag_key_exists(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                               const uint8_t *key, size_t key_len, bool *exists,
                               struct bb_error *err)
{
    *exists = false;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db != NULL && mid != 0) {
        *exists = bbi_schema_find(&db->tag_keys, mid, key, key_len) != NULL;
    }
    for (size_t slot = 0; db != NULL && mid == 0 && slot < db->tag_keys.cap && !*exists; slot++) {
        const struct bbi_schema_entry *e = bbi_schema_slot(&db->tag_keys, slot);
        *exists = e != NULL && same_bytes(e->name, e->name_len, key, key_len);
    }
    bbi_catalog_unlock(cat);
    if (db == NULL) {
        return bbi_catalog_no_database(db_id, err);
    }
    return *exists && is_thinned(cat, db_id, mid)
               ? any_has_key(cat, db_id, mid, key, key_len, exists, err)
               : BB_OK;
}

/* ---- loading the schema's tag keys ---- */

static int load_keys(struct bbi_catalog *cat, struct bbi_schema_db *db, uint32_t mid,
                     enum bbi_posting_form form, struct bb_error *err)
{
    struct bbi_posting_prefix prefix;
    struct bbi_scan scan;
    struct bbi_index_entry e;
    bool found = true;
    int rc = BB_OK;
    bbi_posting_form_prefix(&prefix, db->id, mid, form);
    bbi_scan_init(&scan, cat->index, cat->acct, BBI_INDEX_POSTINGS, prefix.bytes, prefix.len);
    while (rc == BB_OK && found) {
        struct bbi_posting p;
        struct bbi_posting_tag tag = {.has_value = true};
        rc = bbi_scan_next(&scan, &e, &found, err);
        if (rc == BB_OK && found) {
            rc = bbi_posting_parse(&e, form, &p, err);
        }
        if (rc == BB_OK && found) {
            rc = bbi_posting_tag_of(p.blob, p.blob_len, &tag, err);
        }
        if (rc == BB_OK && found && !tag.has_value &&
            !bbi_schema_note_tag_key(db, mid, tag.key, tag.key_len)) {
            rc = bbi_error_nomem(err, "tag keys");
        }
    }
    bbi_scan_fini(&scan);
    return rc;
}

int bbi_catalog_load_tag_keys(struct bbi_catalog *cat, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < cat->schema.db_count; i++) {
        struct bbi_schema_db *db = cat->schema.dbs[i];
        for (size_t slot = 0; rc == BB_OK && slot < db->measurements.cap; slot++) {
            const struct bbi_schema_entry *e = bbi_schema_slot(&db->measurements, slot);
            if (e != NULL) {
                rc = load_keys(cat, db, e->id, BBI_POSTING_KEY, err);
            }
            if (e != NULL && rc == BB_OK) {
                rc = load_keys(cat, db, e->id, BBI_POSTING_LONG, err);
            }
        }
    }
    return rc;
}
