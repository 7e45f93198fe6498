/* Dropping series, and measurements with their last series. */
#include <string.h>

#include "engine/catalog/internal.h"

static void note_series(roaring_bitmap_t *left, const struct bbi_overlay *o, uint32_t db_id,
                        uint32_t mid)
{
    const struct bbi_overlay_db *db = bbi_overlay_db_find(o, db_id);
    for (size_t i = 0; db != NULL && i < db->count; i++) {
        if (db->series[i]->mid == mid) {
            roaring_bitmap_add(left, db->series[i]->sid);
        }
    }
}

/* Under the lock: the series of a measurement, all of them. The caller frees *out. */
static int list_series(struct bbi_catalog *cat, const struct bbi_schema_db *db, uint32_t mid,
                       roaring_bitmap_t **out, struct bb_error *err)
{
    *out = roaring_bitmap_create();
    int rc = *out == NULL ? bbi_error_nomem(err, "series ids") : BB_OK;
    if (rc == BB_OK) {
        rc = bbi_select_all(cat, db->id, mid, *out, err);
    }
    for (const struct bbi_overlay *o = cat->active; rc == BB_OK && o != NULL;
         o = o == cat->active ? cat->frozen : o->next) {
        note_series(*out, o, db->id, mid);
    }
    if (rc == BB_OK && db->dropped != NULL) {
        roaring_bitmap_andnot_inplace(*out, db->dropped);
    }
    return rc;
}

/* Under the lock: what goes, and whether anything is left. */
static int choose(struct bbi_catalog *cat, const struct bbi_schema_db *db,
                  const roaring_bitmap_t *sids, struct bbi_catalog_drop *drop, struct bb_error *err)
{
    int rc = list_series(cat, db, drop->mid, &drop->own, err);
    uint64_t there = rc == BB_OK ? roaring_bitmap_get_cardinality(drop->own) : 0;
    if (rc == BB_OK && sids != NULL) {
        roaring_bitmap_andnot_inplace(drop->own, sids);
        drop->last = roaring_bitmap_is_empty(drop->own);
        drop->count = there - roaring_bitmap_get_cardinality(drop->own);
        drop->sids = sids;
    } else if (rc == BB_OK) {
        drop->last = true;
        drop->count = there;
        drop->sids = drop->own;
    }
    return rc;
}

static int put_records(struct bbi_catalog_drop *drop, struct bb_error *err)
{
    struct bbi_record_series_drop r = {.db_id = drop->db_id, .mid = drop->mid};
    memcpy(&r.sids, &drop->sids, sizeof(r.sids)); /* encoding only reads it */
    bbi_record_put_series_drop(&drop->records, &r);
    if (drop->last) {
        bbi_record_put_measurement_drop(&drop->records, drop->db_id, drop->mid);
    }
    return bbi_buf_check(&drop->records, "dropped series", err);
}

/* Under the lock. What may fail is done here, so that the end cannot. */
static int begin(struct bbi_catalog *cat, const roaring_bitmap_t *sids,
                 struct bbi_catalog_drop *drop, struct bb_error *err)
{
    struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, drop->db_id);
    if (db == NULL) {
        return bbi_catalog_no_database(drop->db_id, err);
    }
    drop->known = bbi_schema_get(&db->measurements, drop->mid) != NULL;
    if (!drop->known) {
        return BB_OK;
    }
    int rc = choose(cat, db, sids, drop, err);
    rc = rc == BB_OK ? put_records(drop, err) : rc;
    if (rc == BB_OK && !bbi_schema_can_drop(db)) {
        rc = bbi_error_nomem(err, "dropped series");
    }
    if (rc == BB_OK) {
        rc = bbi_catalog_reserve(&cat->active->records, drop->records.len, err);
    }
    if (rc == BB_OK) {
        cat->drop_bytes = drop->records.len;
        cat->dropping_db_id = drop->db_id;
        cat->dropping_mid = drop->mid;
    }
    return rc;
}

static void release(struct bbi_catalog *cat, struct bbi_catalog_drop *drop)
{
    if (drop->own != NULL) {
        roaring_bitmap_free(drop->own);
    }
    bbi_buf_fini(&drop->records);
    pthread_mutex_unlock(&cat->drop_lock);
}

int bbi_catalog_drop_begin(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                           const roaring_bitmap_t *sids, struct bbi_catalog_drop *drop,
                           struct bb_error *err)
{
    *drop = (struct bbi_catalog_drop){.db_id = db_id, .mid = mid};
    bbi_buf_init(&drop->records, cat->acct, SIZE_MAX / 2);
    pthread_mutex_lock(&cat->drop_lock);
    bbi_catalog_write_lock(cat);
    int rc = begin(cat, sids, drop, err);
    bbi_catalog_unlock(cat);
    if (rc != BB_OK) {
        release(cat, drop);
    }
    return rc;
}

void bbi_catalog_drop_end(struct bbi_catalog *cat, struct bbi_catalog_drop *drop, bool appended)
{
    bbi_catalog_write_lock(cat);
    struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, drop->db_id);
    if (appended && drop->known && db != NULL) {
        bbi_schema_drop_series(db, drop->mid, drop->sids);
        bbi_limits_forget(db, drop->mid, drop->count);
        if (drop->last) {
            (void)bbi_schema_drop_measurement(db, drop->mid);
        }
        bbi_buf_put(&cat->active->records, drop->records.data, drop->records.len);
        BB_ASSERT(cat->active->records.err == BB_OK);
    }
    cat->drop_bytes = 0;
    cat->dropping_db_id = 0;
    bbi_catalog_unlock(cat);
    release(cat, drop);
}

bool bbi_catalog_was_measurement(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid)
{
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    bool was = db != NULL && bbi_schema_was_measurement(db, mid);
    bbi_catalog_unlock(cat);
    return was;
}
