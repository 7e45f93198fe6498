#include "engine/catalog/purge.h"

#include <string.h>

#include "engine/base/hash.h"
#include "engine/catalog/apply.h"
#include "engine/catalog/key.h"
#include "engine/catalog/posting.h"

/* From so many ids on all postings are walked. */
#define WALK_FROM 4096

#define SCRATCH_MAX ((size_t)1 << 20)

struct purge {
    struct bbi_index_writer *w;
    struct bbi_record_series_drop drop;
    bool walk;          /* postings are seen to at the end, all at once */
    struct bbi_buf key; /* of the series at hand */
    struct bbi_buf scratch;
};

/* Take an id out of the list of its key's hash. */
static int forget_hash(struct purge *p, uint32_t sid, struct bb_error *err)
{
    uint8_t key[BBI_SERIES_KEY_BYTES];
    struct bbi_index_entry list;
    bool found;
    uint64_t hash = bbi_hash64_seed(p->key.data, p->key.len, bbi_index_seed(p->w));
    size_t key_len = bbi_hash_index_key(key, p->drop.db_id, hash);
    int rc = bbi_index_write_get(p->w, BBI_INDEX_KEYS, key, key_len, &list, &found, err);
    if (rc != BB_OK || !found) {
        return rc;
    }
    bbi_buf_reset(&p->scratch);
    for (size_t at = 0; at + 4 <= list.value_len; at += 4) {
        uint32_t id = bbi_get_u32(list.value + at);
        if (id != sid) {
            bbi_buf_u32(&p->scratch, id);
        }
    }
    if (p->scratch.len == 0) {
        return bbi_index_delete(p->w, BBI_INDEX_KEYS, key, key_len, err);
    }
    rc = bbi_buf_check(&p->scratch, "series hash", err);
    return rc != BB_OK ? rc
                       : bbi_index_put(p->w, BBI_INDEX_KEYS, key, key_len, p->scratch.data,
                                       p->scratch.len, err);
}

static int forget_blob(struct purge *p, const uint8_t *blob, size_t blob_len, uint32_t sid,
                       struct bb_error *err)
{
    return bbi_posting_forget(p->w, p->drop.db_id, p->drop.mid, blob, blob_len, sid >> 16,
                              p->drop.sids, &p->scratch, err);
}

/* The list of all series, and for each tag those of its key and of its value. */
static int forget_tags(struct purge *p, uint32_t sid, struct bb_error *err)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t measurement_len;
    int rc = forget_blob(p, NULL, 0, sid, err);
    (void)bbi_key_first(&c, p->key.data, p->key.len, &measurement_len);
    for (const uint8_t *blob = c.p; rc == BB_OK && bbi_key_next(&c, &tag); blob = c.p) {
        rc = forget_blob(p, blob, (size_t)(tag.key + tag.key_len - blob), sid, err);
        if (rc == BB_OK) {
            rc = forget_blob(p, blob, (size_t)(c.p - blob), sid, err);
        }
    }
    return rc == BB_OK ? bbi_cursor_check(&c, "series key", err) : rc;
}

static int forget_series(struct purge *p, uint32_t sid, struct bb_error *err)
{
    uint8_t key[BBI_SERIES_KEY_BYTES];
    struct bbi_index_entry entry;
    const uint8_t *series_key = NULL;
    size_t series_key_len = 0;
    uint32_t mid;
    bool found;
    size_t key_len = bbi_series_index_key(key, p->drop.db_id, sid);
    int rc = bbi_index_write_get(p->w, BBI_INDEX_SERIES, key, key_len, &entry, &found, err);
    if (rc == BB_OK && found) {
        rc = bbi_series_value_get(&entry, &mid, &series_key, &series_key_len, err);
    }
    if (rc != BB_OK || !found || mid != p->drop.mid) {
        return rc;
    }
    bbi_buf_reset(&p->key);
    bbi_buf_put(&p->key, series_key, series_key_len);
    rc = bbi_buf_check(&p->key, "series key", err);
    if (rc == BB_OK) {
        rc = bbi_index_delete(p->w, BBI_INDEX_SERIES, key, key_len, err);
    }
    if (rc == BB_OK) {
        rc = forget_hash(p, sid, err);
    }
    return rc == BB_OK && !p->walk ? forget_tags(p, sid, err) : rc;
}

/* Each of the measurement's postings, by its key: what is changed or goes moves the others. */
static int walk_postings(struct purge *p, struct bb_error *err)
{
    uint8_t at[BBI_INDEX_KEY_MAX + 1];
    uint8_t *end = bbi_index_put_uint(at, p->drop.db_id);
    end = bbi_index_put_uint(end, p->drop.mid);
    size_t prefix_len = (size_t)(end - at);
    size_t len = prefix_len;
    for (;;) {
        struct bbi_index_entry e;
        bool found;
        bool changed;
        int rc = bbi_index_write_seek(p->w, BBI_INDEX_POSTINGS, at, len, &e, &found, err);
        if (rc != BB_OK || !found || !bbi_index_has_prefix(&e, at, prefix_len)) {
            return rc;
        }
        memcpy(at, e.key, e.key_len);
        len = e.key_len;
        rc = bbi_posting_remove(p->w, &e, p->drop.sids, &p->scratch, &changed, err);
        if (rc != BB_OK) {
            return rc;
        }
        at[len++] = 0; /* the lowest key behind this one */
        if (len > BBI_INDEX_KEY_MAX) {
            len = BBI_INDEX_KEY_MAX;
            while (++at[len - 1] == 0) {
                len--;
            }
        }
    }
}

int bbi_purge_series(struct bbi_index_writer *writer, const struct bbi_record *record,
                     struct bbi_account *acct, struct bb_error *err)
{
    struct purge p = {.w = writer};
    roaring_uint32_iterator_t it;
    int rc = bbi_record_get_series_drop(record, &p.drop, err);
    if (rc != BB_OK) {
        return rc;
    }
    p.walk = roaring_bitmap_get_cardinality(p.drop.sids) >= WALK_FROM;
    bbi_buf_init(&p.key, acct, SCRATCH_MAX);
    bbi_buf_init(&p.scratch, acct, SCRATCH_MAX);
    roaring_init_iterator(p.drop.sids, &it);
    while (rc == BB_OK && it.has_value) {
        rc = forget_series(&p, it.current_value, err);
        (void)roaring_advance_uint32_iterator(&it);
    }
    if (rc == BB_OK && p.walk) {
        rc = walk_postings(&p, err);
    }
    bbi_buf_fini(&p.key);
    bbi_buf_fini(&p.scratch);
    roaring_bitmap_free(p.drop.sids);
    return rc;
}

/* ---- measurements ---- */

/* Fields stand in the order of their ids, those of all measurements of a database together. */
static int purge_fields(struct bbi_index_writer *w, uint32_t db_id, uint32_t mid,
                        struct bb_error *err)
{
    uint8_t at[1 + 2 * BBI_INDEX_UINT_MAX] = {BBI_MISC_FIELD};
    uint8_t *ids = bbi_index_put_uint(at + 1, db_id);
    size_t prefix_len = (size_t)(ids - at);
    size_t len = prefix_len;
    for (;;) {
        struct bbi_index_entry e;
        struct bbi_cursor c;
        struct bbi_record record;
        struct bbi_record_field field;
        bool found;
        int rc = bbi_index_write_seek(w, BBI_INDEX_MISC, at, len, &e, &found, err);
        if (rc != BB_OK || !found || !bbi_index_has_prefix(&e, at, prefix_len)) {
            return rc;
        }
        bbi_cursor_init(&c, e.value, e.value_len);
        rc = bbi_record_next(&c, &record, err);
        if (rc == BB_OK) {
            rc = bbi_record_get_field(&record, &field, err);
        }
        if (rc == BB_OK && field.mid == mid) {
            len = (size_t)(bbi_index_put_uint(ids, field.field_id) - at);
            rc = bbi_index_delete(w, BBI_INDEX_MISC, at, len, err);
        }
        if (rc != BB_OK || field.field_id == UINT32_MAX) {
            return rc;
        }
        len = (size_t)(bbi_index_put_uint(ids, field.field_id + 1) - at);
    }
}

int bbi_purge_measurement(struct bbi_index_writer *writer, const struct bbi_record *record,
                          struct bb_error *err)
{
    struct bbi_record_measurement r;
    uint8_t key[1 + 2 * BBI_INDEX_UINT_MAX] = {BBI_MISC_MEASUREMENT};
    int rc = bbi_record_get_measurement(record, &r, err);
    if (rc != BB_OK) {
        return rc;
    }
    uint8_t *end = bbi_index_put_uint(bbi_index_put_uint(key + 1, r.db_id), r.mid);
    rc = bbi_index_delete(writer, BBI_INDEX_MISC, key, (size_t)(end - key), err);
    if (rc == BB_OK) {
        rc = purge_fields(writer, r.db_id, r.mid, err);
    }
    return rc == BB_OK ? bbi_index_delete_prefix(writer, BBI_INDEX_POSTINGS, key + 1,
                                                 (size_t)(end - key) - 1, err)
                       : rc;
}
