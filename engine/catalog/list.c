/* Names of what is in the schema, and look-ups in it. All results are copies. */
#include <string.h>

#include "engine/catalog/internal.h"
#include "engine/catalog/names.h"

static int list_mids(const struct bbi_catalog *cat, const struct bbi_schema_table *t, uint32_t mid,
                     uint32_t **mids, size_t *count, struct bb_error *err)
{
    *mids = bbi_mem_zalloc(cat->acct, mid == 0 ? t->count : 1, sizeof(**mids));
    if (*mids == NULL) {
        return bbi_error_nomem(err, "measurements");
    }
    if (mid != 0) {
        (*mids)[0] = mid;
        *count = bbi_schema_get(t, mid) != NULL;
        return BB_OK;
    }
    for (size_t slot = 0; slot < t->cap; slot++) {
        const struct bbi_schema_entry *e = bbi_schema_slot(t, slot);
        if (e != NULL) {
            (*mids)[(*count)++] = e->id;
        }
    }
    return BB_OK;
}

int bbi_catalog_mids(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid, uint32_t **mids,
                     size_t *count, struct bb_error *err)
{
    int rc = BB_OK;
    *mids = NULL;
    *count = 0;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db == NULL) {
        rc = bbi_catalog_no_database(db_id, err);
    } else {
        rc = list_mids(cat, &db->measurements, mid, mids, count, err);
    }
    bbi_catalog_unlock(cat);
    return rc;
}

/* ---- names ---- */

static int finish(struct bbi_names_builder *b, int rc, struct bbi_names *names,
                  struct bb_error *err)
{
    *names = (struct bbi_names){.count = 0};
    if (rc == BB_OK) {
        rc = bbi_names_builder_finish(b, names, err);
    }
    bbi_names_builder_fini(b);
    return rc;
}

int bbi_catalog_databases(struct bbi_catalog *cat, struct bbi_account *acct,
                          struct bbi_names *names, struct bb_error *err)
{
    struct bbi_names_builder b;
    int rc = BB_OK;
    bbi_names_builder_init(&b, acct);
    bbi_catalog_read_lock(cat);
    for (size_t i = 0; rc == BB_OK && i < cat->schema.db_count; i++) {
        const struct bbi_schema_db *db = cat->schema.dbs[i];
        rc = bbi_names_builder_add(&b, db->name, db->name_len, 0, db->id, err);
    }
    bbi_catalog_unlock(cat);
    return finish(&b, rc, names, err);
}

static int add_entry(struct bbi_names_builder *b, const struct bbi_schema_entry *e,
                     struct bb_error *err)
{
    return bbi_names_builder_add(b, e->name, e->name_len, (uint32_t)e->type, e->id, err);
}

int bbi_catalog_measurements(struct bbi_catalog *cat, uint32_t db_id, struct bbi_account *acct,
                             struct bbi_names *names, struct bb_error *err)
{
    struct bbi_names_builder b;
    bbi_names_builder_init(&b, acct);
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    int rc = db == NULL ? bbi_catalog_no_database(db_id, err) : BB_OK;
    for (size_t slot = 0; rc == BB_OK && slot < db->measurements.cap; slot++) {
        const struct bbi_schema_entry *e = bbi_schema_slot(&db->measurements, slot);
        rc = e != NULL ? add_entry(&b, e, err) : BB_OK;
    }
    bbi_catalog_unlock(cat);
    return finish(&b, rc, names, err);
}

int bbi_catalog_fields(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                       struct bbi_account *acct, struct bbi_names *names, struct bb_error *err)
{
    struct bbi_names_builder b;
    int rc = BB_OK;
    bbi_names_builder_init(&b, acct);
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db == NULL) {
        rc = bbi_catalog_no_database(db_id, err);
    } else {
        struct bbi_schema_walk w = bbi_schema_fields(db, mid);
        const struct bbi_schema_entry *e;
        while (rc == BB_OK && (e = bbi_schema_walk_next(&w)) != NULL) {
            rc = add_entry(&b, e, err);
        }
    }
    bbi_catalog_unlock(cat);
    return finish(&b, rc, names, err);
}

/* ---- look-ups ---- */

static int not_found(const char *what, const uint8_t *name, size_t len, struct bb_error *err)
{
    return bbi_error_set(err, BB_ENOTFOUND, "%s not found: %.*s", what, len > 200 ? 200 : (int)len,
                         (const char *)name);
}

int bbi_catalog_measurement_find(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *name,
                                 size_t name_len, uint32_t *mid, struct bb_error *err)
{
    int rc = BB_OK;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    const struct bbi_schema_entry *e = db == NULL
                                           ? NULL
                                           : bbi_schema_find(&db->measurements, 0, name, name_len);
    if (e != NULL) {
        *mid = e->id;
    } else {
        rc = db == NULL ? bbi_catalog_no_database(db_id, err)
                        : not_found("measurement", name, name_len, err);
    }
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_field_find(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                           const uint8_t *name, size_t name_len, uint32_t *field_id,
                           enum bbi_type *type, struct bb_error *err)
{
    int rc = BB_OK;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    const struct bbi_schema_entry *e = db == NULL
                                           ? NULL
                                           : bbi_schema_find(&db->fields, mid, name, name_len);
    if (e != NULL) {
        *field_id = e->id;
        *type = e->type;
    } else {
        rc = db == NULL ? bbi_catalog_no_database(db_id, err)
                        : not_found("field", name, name_len, err);
    }
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_measurement_name(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                                 struct bbi_buf *out, struct bb_error *err)
{
    int rc = BB_OK;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    const struct bbi_schema_entry *e = db == NULL ? NULL : bbi_schema_get(&db->measurements, mid);
    if (e != NULL) {
        bbi_buf_put(out, e->name, e->name_len);
        rc = bbi_buf_check(out, "measurement", err);
    } else {
        rc = db == NULL ? bbi_catalog_no_database(db_id, err)
                        : bbi_error_set(err, BB_ENOTFOUND, "measurement not found: id %u", mid);
    }
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_field_get(struct bbi_catalog *cat, uint32_t db_id, uint32_t field_id, uint32_t *mid,
                          enum bbi_type *type, struct bbi_buf *out, struct bb_error *err)
{
    int rc = BB_OK;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    const struct bbi_schema_entry *e = db == NULL ? NULL : bbi_schema_get(&db->fields, field_id);
    if (e != NULL) {
        *mid = e->owner;
        *type = e->type;
        if (out != NULL) {
            bbi_buf_put(out, e->name, e->name_len);
            rc = bbi_buf_check(out, "field", err);
        }
    } else {
        rc = db == NULL ? bbi_catalog_no_database(db_id, err)
                        : bbi_error_set(err, BB_ENOTFOUND, "field not found: id %u", field_id);
    }
    bbi_catalog_unlock(cat);
    return rc;
}
