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

/* Under the write lock, so that no series comes meanwhile: whether the measurement has no series
 * beside those that go. */
static int is_last(struct bbi_catalog *cat, const struct bbi_schema_db *db, uint32_t mid,
                   const roaring_bitmap_t *sids, bool *last, struct bb_error *err)
{
    roaring_bitmap_t *left = roaring_bitmap_create();
    int rc = left == NULL ? bbi_error_nomem(err, "series ids") : BB_OK;
    if (rc == BB_OK) {
        rc = bbi_select_all(cat, db->id, mid, left, err);
    }
    for (const struct bbi_overlay *o = cat->active; rc == BB_OK && o != NULL;
         o = o == cat->active ? cat->frozen : o->next) {
        note_series(left, o, db->id, mid);
    }
    if (rc == BB_OK) {
        roaring_bitmap_andnot_inplace(left, sids);
        if (db->dropped != NULL) {
            roaring_bitmap_andnot_inplace(left, db->dropped);
        }
        *last = roaring_bitmap_is_empty(left);
    }
    if (left != NULL) {
        roaring_bitmap_free(left);
    }
    return rc;
}

int bbi_catalog_series_drop(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                            const roaring_bitmap_t *sids, struct bb_error *err)
{
    struct bbi_record_series_drop r = {.db_id = db_id, .mid = mid};
    struct bbi_buf records;
    bool last = false;
    bbi_buf_init(&records, cat->acct, SIZE_MAX / 2);
    memcpy(&r.sids, &sids, sizeof(sids)); /* encoding only reads it */
    bbi_record_put_series_drop(&records, &r);
    bbi_catalog_write_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    int rc = db == NULL ? bbi_catalog_no_database(db_id, err) : BB_OK;
    bool known = rc == BB_OK && bbi_schema_get(&db->measurements, mid) != NULL;
    if (known) {
        rc = is_last(cat, db, mid, sids, &last, err);
    }
    if (rc == BB_OK && last) {
        bbi_record_put_measurement_drop(&records, db_id, mid);
    }
    if (rc == BB_OK && known) {
        rc = bbi_catalog_publish(cat, &records, err);
    }
    bbi_catalog_unlock(cat);
    bbi_buf_fini(&records);
    return rc;
}

bool bbi_catalog_was_measurement(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid)
{
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    bool was = db != NULL && bbi_schema_was_measurement(db, mid);
    bbi_catalog_unlock(cat);
    return was;
}

int bbi_catalog_dropped(struct bbi_catalog *cat, uint32_t db_id, roaring_bitmap_t **out,
                        struct bb_error *err)
{
    int rc = BB_OK;
    *out = NULL;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db != NULL && db->dropped != NULL) {
        *out = roaring_bitmap_copy(db->dropped);
        rc = *out == NULL ? bbi_error_nomem(err, "dropped series") : BB_OK;
    }
    bbi_catalog_unlock(cat);
    return rc;
}
