/*
 * How many series a database may have, and values a tag: looked at only when a series is created.
 *
 * Series are counted from the catalog once, at the start, and then as they come and go. The values
 * of a tag key are listed once, when the first series that has the key is created, into a set of
 * hashes that grows with each new one; dropping series of the measurement forgets it.
 */
#include "engine/catalog/internal.h"
#include "engine/catalog/key.h"

/* Of a tag in a message. */
#define TEXT_MAX 80

/* A list of values that others add to meanwhile is made again so often. */
#define TRIES 4

int bbi_catalog_set_limits(struct bbi_catalog *cat, uint64_t series_max, uint64_t tag_values_max,
                           struct bb_error *err)
{
    int rc = BB_OK;
    cat->series_max = series_max;
    cat->tag_values_max = tag_values_max;
    for (size_t i = 0; series_max != 0 && rc == BB_OK && i < cat->schema.db_count; i++) {
        struct bbi_schema_db *db = cat->schema.dbs[i];
        rc = bbi_catalog_series_count(cat, db->id, 0, &db->series_count, err);
    }
    return rc;
}

/* ---- before a series is created ---- */

/* A tag key whose values are not listed. */
struct gap {
    uint32_t mid;
    struct bbi_tag tag;
    uint32_t next_sid;
};

static bool find_gap(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *key, size_t key_len,
                     struct gap *gap)
{
    struct bbi_cursor c;
    size_t name_len;
    bool found = false;
    const uint8_t *name = bbi_key_first(&c, key, key_len, &name_len);
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    const struct bbi_schema_entry *m = db == NULL
                                           ? NULL
                                           : bbi_schema_find(&db->measurements, 0, name, name_len);
    while (m != NULL && !found && bbi_key_next(&c, &gap->tag)) {
        const struct bbi_schema_entry *e = bbi_schema_find(&db->tag_keys, m->id, gap->tag.key,
                                                           gap->tag.key_len);
        found = e != NULL && e->values == NULL;
        gap->mid = m->id;
        gap->next_sid = db->next.sid;
    }
    bbi_catalog_unlock(cat);
    return found;
}

static int list_values(struct bbi_catalog *cat, uint32_t db_id, const struct gap *gap,
                       struct bbi_valueset **out, struct bb_error *err)
{
    struct bbi_names names;
    *out = NULL;
    int rc = bbi_catalog_tag_values(cat, db_id, gap->mid, gap->tag.key, gap->tag.key_len, NULL,
                                    cat->acct, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    struct bbi_valueset *set = bbi_valueset_create(cat->acct);
    bool ok = set != NULL;
    for (size_t i = 0; ok && i < names.count; i++) {
        ok = bbi_valueset_add(set, names.list[i].name, names.list[i].len);
    }
    bbi_names_fini(&names);
    if (!ok) {
        bbi_valueset_destroy(&set);
        return bbi_error_nomem(err, "values of a tag");
    }
    *out = set;
    return BB_OK;
}

static void put_values(struct bbi_catalog *cat, uint32_t db_id, const struct gap *gap, bool anyway,
                       struct bbi_valueset **set)
{
    bbi_catalog_write_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    struct bbi_schema_entry *e = db == NULL ? NULL
                                            : bbi_schema_find(&db->tag_keys, gap->mid, gap->tag.key,
                                                              gap->tag.key_len);
    if (e != NULL && e->values == NULL && (anyway || db->next.sid == gap->next_sid)) {
        e->values = *set;
        *set = NULL;
    }
    bbi_catalog_unlock(cat);
}

int bbi_limits_prepare(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *key, size_t key_len,
                       struct bb_error *err)
{
    struct gap gap;
    int rc = BB_OK;
    for (int i = 0;
         rc == BB_OK && cat->tag_values_max != 0 && find_gap(cat, db_id, key, key_len, &gap); i++) {
        struct bbi_valueset *set;
        rc = list_values(cat, db_id, &gap, &set, err);
        if (rc == BB_OK) {
            put_values(cat, db_id, &gap, i % TRIES == TRIES - 1, &set);
        }
        bbi_valueset_destroy(&set);
    }
    return rc;
}

/* ---- under the write lock ---- */

static int text_length(size_t len)
{
    return len > TEXT_MAX ? TEXT_MAX : (int)len;
}

int bbi_limits_check(const struct bbi_catalog *cat, const struct bbi_schema_db *db,
                     const uint8_t *key, size_t key_len, struct bb_error *err)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t name_len;
    if (cat->series_max != 0 && db->series_count >= cat->series_max) {
        return bbi_error_set(err, BB_ELIMIT, "max-series-per-database limit exceeded: (%llu)",
                             (unsigned long long)cat->series_max);
    }
    if (cat->tag_values_max == 0) {
        return BB_OK;
    }
    const uint8_t *name = bbi_key_first(&c, key, key_len, &name_len);
    const struct bbi_schema_entry *m = bbi_schema_find(&db->measurements, 0, name, name_len);
    while (m != NULL && bbi_key_next(&c, &tag)) {
        const struct bbi_schema_entry *e = bbi_schema_find(&db->tag_keys, m->id, tag.key,
                                                           tag.key_len);
        if (e != NULL && e->values != NULL && e->values->count >= cat->tag_values_max &&
            !bbi_valueset_has(e->values, tag.value, tag.value_len)) {
            return bbi_error_set(
                err, BB_ELIMIT,
                "max-values-per-tag limit exceeded (%zu/%llu): measurement=\"%.*s\" tag=\"%.*s\" "
                "value=\"%.*s\"",
                e->values->count, (unsigned long long)cat->tag_values_max, text_length(name_len),
                (const char *)name, text_length(tag.key_len), (const char *)tag.key,
                text_length(tag.value_len), (const char *)tag.value);
        }
    }
    return BB_OK;
}

void bbi_limits_note(const struct bbi_catalog *cat, struct bbi_schema_db *db, uint32_t mid,
                     const uint8_t *key, size_t key_len)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t name_len;
    db->series_count++;
    if (cat->tag_values_max == 0) {
        return;
    }
    (void)bbi_key_first(&c, key, key_len, &name_len);
    while (bbi_key_next(&c, &tag)) {
        struct bbi_schema_entry *e = bbi_schema_find(&db->tag_keys, mid, tag.key, tag.key_len);
        if (e != NULL && e->values != NULL &&
            !bbi_valueset_add(e->values, tag.value, tag.value_len)) {
            bbi_valueset_destroy(&e->values); /* listed again when it is asked for */
        }
    }
}

void bbi_limits_forget(struct bbi_schema_db *db, uint32_t mid, uint64_t series_gone)
{
    struct bbi_schema_entry *m = bbi_schema_get(&db->measurements, mid);
    db->series_count -= series_gone < db->series_count ? series_gone : db->series_count;
    for (struct bbi_schema_entry *e = m == NULL ? NULL : m->tag_keys; e != NULL; e = e->next) {
        bbi_valueset_destroy(&e->values);
    }
}
