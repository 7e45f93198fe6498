/*
 * The write path: from names to ids, making what is not there.
 *
 * What is there is found under the read lock, or in LMDB without one. What is not is made under the
 * write lock, after a second look: someone else may have made it meanwhile, and if overlays have
 * gone into LMDB meanwhile (the epoch tells), the whole search begins anew.
 */
#include <string.h>

#include "engine/base/hash.h"
#include "engine/catalog/apply.h"
#include "engine/catalog/internal.h"

/* Keys up to this length are built on the stack. */
#define KEY_STACK_BYTES 1024

const char *bbi_type_name(enum bbi_type type)
{
    switch (type) {
    case BBI_FLOAT:
        return "float";
    case BBI_INT:
        return "integer";
    case BBI_UINT:
        return "unsigned";
    case BBI_BOOL:
        return "boolean";
    case BBI_STRING:
        return "string";
    }
    return "unknown";
}

int bbi_catalog_no_database(uint32_t db_id, struct bb_error *err)
{
    return bbi_error_set(err, BB_ENOTFOUND, "database not found: it was dropped (id %u)", db_id);
}

/* ---- series ---- */

static int find_in_list(struct bbi_index_reader *reader, uint32_t db_id,
                        const struct bbi_index_entry *list, const uint8_t *key, size_t key_len,
                        const roaring_bitmap_t *dropped, uint32_t *mid, uint32_t *sid, bool *found,
                        struct bb_error *err)
{
    for (size_t at = 0; at + 4 <= list->value_len; at += 4) {
        uint8_t index_key[BBI_SERIES_KEY_BYTES];
        struct bbi_index_entry entry;
        const uint8_t *known;
        size_t known_len;
        bool there;
        uint32_t candidate = bbi_get_u32(list->value + at);
        if (dropped != NULL && roaring_bitmap_contains(dropped, candidate)) {
            continue;
        }
        size_t len = bbi_series_index_key(index_key, db_id, candidate);
        int rc = bbi_index_get(reader, BBI_INDEX_SERIES, index_key, len, &entry, &there, err);
        if (rc == BB_OK && !there) {
            rc = bbi_error_set(err, BB_ECORRUPT, "catalog.mdb: series %u has a hash and no record",
                               candidate);
        }
        if (rc == BB_OK) {
            rc = bbi_series_value_get(&entry, mid, &known, &known_len, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        if (known_len == key_len && memcmp(known, key, key_len) == 0) {
            *sid = candidate;
            *found = true;
            return BB_OK;
        }
    }
    return BB_OK;
}

int bbi_index_find_key(struct bbi_index *index, uint32_t db_id, uint64_t hash, const uint8_t *key,
                       size_t key_len, const roaring_bitmap_t *dropped, uint32_t *mid,
                       uint32_t *sid, bool *found, struct bb_error *err)
{
    uint8_t index_key[BBI_SERIES_KEY_BYTES];
    struct bbi_index_reader *reader;
    struct bbi_index_entry list;
    bool has_list;
    *found = false;
    int rc = bbi_index_read_begin(index, &reader, err);
    if (rc != BB_OK) {
        return rc;
    }
    size_t len = bbi_hash_index_key(index_key, db_id, hash);
    rc = bbi_index_get(reader, BBI_INDEX_KEYS, index_key, len, &list, &has_list, err);
    if (rc == BB_OK && has_list) {
        rc = find_in_list(reader, db_id, &list, key, key_len, dropped, mid, sid, found, err);
    }
    bbi_index_read_end(&reader);
    return rc;
}

struct search {
    uint32_t db_id;
    const uint8_t *key;
    size_t key_len;
    uint64_t hash;
    uint64_t epoch;
    bool is_indexed; /* LMDB may have series of this database */
    bool found;
    uint32_t mid;
    uint32_t sid;
};

/* Look into the overlays; either lock is held. */
static int search_overlays(struct bbi_catalog *cat, struct search *s, struct bbi_schema_db **db,
                           struct bb_error *err)
{
    *db = bbi_schema_db_by_id(&cat->schema, s->db_id);
    if (*db == NULL) {
        return bbi_catalog_no_database(s->db_id, err);
    }
    s->is_indexed = (*db)->indexed_sid_limit != 0;
    s->epoch = cat->epoch;
    for (const struct bbi_overlay *o = cat->active; o != NULL;
         o = o == cat->active ? cat->frozen : o->next) {
        const struct bbi_overlay_series *series = bbi_overlay_find(o, s->db_id, s->hash, s->key,
                                                                   s->key_len, (*db)->dropped);
        if (series != NULL) {
            s->found = true;
            s->mid = series->mid;
            s->sid = series->sid;
            return BB_OK;
        }
    }
    return BB_OK;
}

/* Look everywhere. */
static int search(struct bbi_catalog *cat, struct search *s, struct bb_error *err)
{
    struct bbi_schema_db *db;
    bbi_catalog_read_lock(cat);
    int rc = search_overlays(cat, s, &db, err);
    if (rc != BB_OK || s->found || !s->is_indexed) {
        bbi_catalog_unlock(cat);
        return rc;
    }
    /* What was dropped is only known under the lock. */
    bool is_free = db->dropped == NULL;
    if (is_free) {
        bbi_catalog_unlock(cat);
    }
    rc = bbi_index_find_key(cat->index, s->db_id, s->hash, s->key, s->key_len,
                            is_free ? NULL : db->dropped, &s->mid, &s->sid, &s->found, err);
    if (!is_free) {
        bbi_catalog_unlock(cat);
    }
    return rc;
}

static int create_measurement(struct bbi_catalog *cat, struct bbi_schema_db *db,
                              const uint8_t *name, size_t name_len, uint32_t *mid,
                              struct bb_error *err)
{
    struct bbi_record_measurement r = {db->id, db->next.mid, name, name_len};
    struct bbi_buf records;
    if (name_len > BBI_NAME_MAX || r.mid == UINT32_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "measurement: name of %zu bytes, at most %d", name_len,
                             BBI_NAME_MAX);
    }
    bbi_buf_init(&records, cat->acct, SIZE_MAX / 2);
    bbi_record_put_measurement_new(&records, &r);
    int rc = bbi_catalog_publish(cat, &records, err);
    bbi_buf_fini(&records);
    *mid = r.mid;
    return rc;
}

/* Under the write lock. */
static int find_or_create_measurement(struct bbi_catalog *cat, struct bbi_schema_db *db,
                                      const uint8_t *name, size_t name_len, uint32_t *mid,
                                      struct bb_error *err)
{
    const struct bbi_schema_entry *e = bbi_schema_find(&db->measurements, 0, name, name_len);
    if (e != NULL) {
        *mid = e->id;
        return BB_OK;
    }
    return create_measurement(cat, db, name, name_len, mid, err);
}

/* Whether series of this measurement are being dropped: one that came now would be among neither
 * those that go nor those that stay. */
static bool is_dropping(const struct bbi_catalog *cat, const struct bbi_schema_db *db,
                        const uint8_t *name, size_t name_len)
{
    if (cat->dropping_db_id != db->id) {
        return false;
    }
    const struct bbi_schema_entry *e = bbi_schema_find(&db->measurements, 0, name, name_len);
    return e != NULL && e->id == cat->dropping_mid;
}

/* *again: overlays have gone into LMDB since the search, or series of the measurement have been
 * dropped. */
static int create_series(struct bbi_catalog *cat, struct search *s, bool *created, bool *again,
                         struct bb_error *err)
{
    struct bbi_schema_db *db;
    struct bbi_cursor c;
    size_t name_len;
    uint64_t epoch = s->epoch;
    const uint8_t *name = bbi_key_first(&c, s->key, s->key_len, &name_len);
    bbi_catalog_write_lock(cat);
    int rc = search_overlays(cat, s, &db, err);
    bool dropping = rc == BB_OK && !s->found && is_dropping(cat, db, name, name_len);
    *again = rc == BB_OK && !s->found && (s->epoch != epoch || dropping);
    if (rc == BB_OK && !s->found && !*again) {
        rc = bbi_limits_check(cat, db, s->key, s->key_len, err);
        if (rc == BB_OK) {
            rc = find_or_create_measurement(cat, db, name, name_len, &s->mid, err);
        }
        if (rc == BB_OK) {
            rc = bbi_catalog_publish_series(cat, db, s->mid, s->key, s->key_len, s->hash, &s->sid,
                                            err);
        }
        *created = rc == BB_OK;
        if (*created) {
            bbi_limits_note(cat, db, s->mid, s->key, s->key_len);
        }
    }
    bbi_catalog_unlock(cat);
    if (dropping) {
        pthread_mutex_lock(&cat->drop_lock);
        pthread_mutex_unlock(&cat->drop_lock);
    }
    return rc;
}

static int resolve(struct bbi_catalog *cat, struct search *s, bool *created, struct bb_error *err)
{
    bool again;
    int rc;
    *created = false;
    s->hash = bbi_hash64_seed(s->key, s->key_len, cat->seed);
    do {
        again = false;
        rc = search(cat, s, err);
        if (rc == BB_OK && !s->found) {
            rc = bbi_limits_prepare(cat, s->db_id, s->key, s->key_len, err);
        }
        if (rc == BB_OK && !s->found) {
            rc = create_series(cat, s, created, &again, err);
        }
    } while (rc == BB_OK && again);
    return rc;
}

int bbi_catalog_key_resolve(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *key,
                            size_t key_len, uint32_t *mid, uint32_t *sid, bool *created,
                            struct bb_error *err)
{
    struct search s = {.db_id = db_id, .key = key, .key_len = key_len};
    bool is_new;
    if (!bbi_key_valid(key, key_len)) {
        return bbi_error_set(err, BB_EINVAL, "series key: not canonical");
    }
    int rc = resolve(cat, &s, &is_new, err);
    if (rc == BB_OK) {
        *mid = s.mid;
        *sid = s.sid;
    }
    if (created != NULL) {
        *created = is_new;
    }
    return rc;
}

int bbi_catalog_series_resolve(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *measurement,
                               size_t measurement_len, const struct bbi_tag *tags, size_t tag_count,
                               uint32_t *mid, uint32_t *sid, bool *created, struct bb_error *err)
{
    uint8_t stack[KEY_STACK_BYTES];
    struct search s = {.db_id = db_id};
    bool is_new = false;
    int rc = bbi_key_size(measurement_len, tags, tag_count, &s.key_len, err);
    if (rc != BB_OK) {
        return rc;
    }
    uint8_t *key = s.key_len <= sizeof(stack) ? stack : bbi_mem_alloc(cat->acct, s.key_len);
    if (key == NULL) {
        return bbi_error_nomem(err, "series key");
    }
    bbi_key_write(key, measurement, measurement_len, tags, tag_count);
    s.key = key;
    rc = resolve(cat, &s, &is_new, err);
    if (rc == BB_OK) {
        *mid = s.mid;
        *sid = s.sid;
    }
    if (created != NULL) {
        *created = is_new;
    }
    if (key != stack) {
        bbi_mem_free(key);
    }
    return rc;
}

int bbi_catalog_key_find(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *key,
                         size_t key_len, uint32_t *mid, uint32_t *sid, struct bb_error *err)
{
    struct search s = {.db_id = db_id,
                       .key = key,
                       .key_len = key_len,
                       .hash = bbi_hash64_seed(key, key_len, cat->seed)};
    int rc = search(cat, &s, err);
    if (rc == BB_OK && !s.found) {
        return bbi_error_set(err, BB_ENOTFOUND, "no such series");
    }
    *mid = s.mid;
    *sid = s.sid;
    return rc;
}

/* ---- measurements, fields ---- */

int bbi_catalog_measurement_resolve(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *name,
                                    size_t name_len, uint32_t *mid, struct bb_error *err)
{
    bbi_catalog_write_lock(cat);
    struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    int rc = db == NULL ? bbi_catalog_no_database(db_id, err)
                        : find_or_create_measurement(cat, db, name, name_len, mid, err);
    bbi_catalog_unlock(cat);
    return rc;
}

struct field_search {
    uint32_t db_id;
    uint32_t mid;
    const uint8_t *name;
    size_t name_len;
    enum bbi_type type;
    uint32_t field_id;
    bool found;
};

/* Names in messages are cut where they would drive out the rest. */
static int text_length(size_t len)
{
    return len > 120 ? 120 : (int)len;
}

static int find_field(struct bbi_catalog *cat, struct field_search *s, struct bbi_schema_db **out,
                      struct bb_error *err)
{
    struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, s->db_id);
    *out = db;
    if (db == NULL) {
        return bbi_catalog_no_database(s->db_id, err);
    }
    const struct bbi_schema_entry *m = bbi_schema_get(&db->measurements, s->mid);
    if (m == NULL) {
        return bbi_error_set(err, BB_ENOTFOUND, "measurement not found: id %u", s->mid);
    }
    const struct bbi_schema_entry *f = bbi_schema_find(&db->fields, s->mid, s->name, s->name_len);
    if (f == NULL) {
        return BB_OK;
    }
    if (f->type != s->type) {
        return bbi_error_set(err, BB_ETYPE,
                             "field type conflict: input field \"%.*s\" on measurement \"%.*s\" is "
                             "type %s, already exists as type %s",
                             text_length(f->name_len), (const char *)f->name,
                             text_length(m->name_len), (const char *)m->name,
                             bbi_type_name(s->type), bbi_type_name(f->type));
    }
    s->field_id = f->id;
    s->found = true;
    return BB_OK;
}

/* Under the write lock. */
static int create_field(struct bbi_catalog *cat, const struct bbi_schema_db *db,
                        struct field_search *s, struct bb_error *err)
{
    struct bbi_record_field r = {db->id, s->mid, db->next.field_id, s->type, s->name, s->name_len};
    struct bbi_buf records;
    if (s->name_len > BBI_NAME_MAX || r.field_id == UINT32_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "field: name of %zu bytes, at most %d", s->name_len,
                             BBI_NAME_MAX);
    }
    bbi_buf_init(&records, cat->acct, SIZE_MAX / 2);
    bbi_record_put_field_new(&records, &r);
    int rc = bbi_catalog_publish(cat, &records, err);
    bbi_buf_fini(&records);
    s->field_id = r.field_id;
    return rc;
}

int bbi_catalog_field_resolve(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                              const uint8_t *name, size_t name_len, enum bbi_type type,
                              uint32_t *field_id, struct bb_error *err)
{
    struct field_search s = {
        .db_id = db_id, .mid = mid, .name = name, .name_len = name_len, .type = type};
    struct bbi_schema_db *db;
    bbi_catalog_read_lock(cat);
    int rc = find_field(cat, &s, &db, err);
    bbi_catalog_unlock(cat);
    if (rc == BB_OK && !s.found) {
        bbi_catalog_write_lock(cat);
        rc = find_field(cat, &s, &db, err);
        if (rc == BB_OK && !s.found) {
            rc = create_field(cat, db, &s, err);
        }
        bbi_catalog_unlock(cat);
    }
    if (rc == BB_OK) {
        *field_id = s.field_id;
    }
    return rc;
}
