/*
 * How the schema changes: a record goes to the schema in memory, to the active overlay (for the
 * commit that follows the next rotation) and to the pending buffer (for the next frame of the log),
 * all or none. Whatever may fail is done first: memory is reserved, then the schema changes, then
 * bytes are copied.
 */
#include <string.h>

#include "engine/base/hash.h"
#include "engine/catalog/internal.h"
#include "engine/catalog/key.h"

/* Beyond the key in a series record, and beyond the body in a record: lengths, ids, version. */
#define SERIES_HEAD_BYTES 32
#define RECORD_HEAD_BYTES 32

int bbi_catalog_reserve(struct bbi_buf *b, size_t n, struct bb_error *err)
{
    if (bbi_buf_reserve(b, n) != NULL) {
        return BB_OK;
    }
    int code = b->err;
    b->err = BB_OK;
    return code == BB_ENOMEM
               ? bbi_error_nomem(err, "schema records")
               : bbi_error_set(err, BB_EBUSY, "too many new series and fields wait for the log");
}

/* Room behind the pending records for n bytes more and for the series before them. Held at all
 * times for the series that are there: their record can always be closed. */
static int reserve_pending(struct bbi_pending *p, size_t n, struct bb_error *err)
{
    return bbi_catalog_reserve(&p->records, p->series.body.len + RECORD_HEAD_BYTES + n, err);
}

/* Undo a database whose policy could not be made. */
static void drop_again(struct bbi_catalog *cat, uint32_t db_id)
{
    uint8_t bytes[32];
    struct bbi_buf b = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    struct bbi_cursor c;
    struct bbi_record record;
    struct bb_error ignored;
    bool changed;
    bbi_record_put_database_drop(&b, db_id);
    bbi_cursor_init(&c, b.data, b.len);
    int rc = bbi_record_next(&c, &record, &ignored);
    BB_ASSERT(rc == BB_OK);
    rc = bbi_schema_apply(&cat->schema, &record, &changed, &ignored);
    BB_ASSERT(rc == BB_OK);
}

static int apply_all(struct bbi_catalog *cat, const struct bbi_buf *records, struct bb_error *err)
{
    struct bbi_cursor c;
    uint32_t created_db = 0;
    int rc = BB_OK;
    bbi_cursor_init(&c, records->data, records->len);
    while (rc == BB_OK && bbi_cursor_left(&c) > 0) {
        struct bbi_record record;
        bool changed;
        rc = bbi_record_next(&c, &record, err);
        if (rc == BB_OK) {
            rc = bbi_schema_apply(&cat->schema, &record, &changed, err);
        }
        if (rc == BB_OK && record.type == BBI_RECORD_DATABASE_NEW) {
            created_db = cat->schema.next_db_id - 1;
        }
    }
    if (rc != BB_OK && created_db != 0) {
        drop_again(cat, created_db);
    }
    return rc;
}

int bbi_catalog_publish(struct bbi_catalog *cat, const struct bbi_buf *records,
                        struct bb_error *err)
{
    struct bbi_pending *p = &cat->pending;
    int rc = bbi_buf_check(records, "schema records", err);
    if (rc == BB_OK) {
        rc = bbi_catalog_reserve(&cat->active->records, records->len + cat->drop_bytes, err);
    }
    if (rc == BB_OK) {
        rc = reserve_pending(p, records->len, err);
    }
    if (rc == BB_OK) {
        rc = apply_all(cat, records, err);
    }
    if (rc == BB_OK) {
        bbi_series_writer_close(&p->series, &p->records);
        bbi_buf_put(&p->records, records->data, records->len);
        bbi_buf_put(&cat->active->records, records->data, records->len);
        BB_ASSERT(p->records.err == BB_OK && cat->active->records.err == BB_OK);
        atomic_store(&p->any, true);
    }
    return rc;
}

int bbi_catalog_publish_series(struct bbi_catalog *cat, struct bbi_schema_db *db, uint32_t mid,
                               const uint8_t *key, size_t key_len, uint64_t hash, uint32_t *sid,
                               struct bb_error *err)
{
    struct bbi_pending *p = &cat->pending;
    struct bbi_record_series series = {
        .sid = db->next.sid, .mid = mid, .key = key, .key_len = key_len};
    if (series.sid == UINT32_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "database %u has all the series it can have", db->id);
    }
    if (!bbi_schema_note_tags(db, mid, key, key_len)) {
        return bbi_error_nomem(err, "tag keys");
    }
    if (p->series.count != 0 &&
        (p->series.db_id != db->id ||
         p->series.body.len + key_len + SERIES_HEAD_BYTES > BBI_SERIES_RECORD_BYTES)) {
        bbi_series_writer_close(&p->series, &p->records);
    }
    int rc = reserve_pending(p, key_len + SERIES_HEAD_BYTES, err);
    if (rc == BB_OK) {
        rc = bbi_catalog_reserve(&p->series.body, key_len + SERIES_HEAD_BYTES, err);
    }
    if (rc == BB_OK) {
        rc = bbi_overlay_add(cat->active, db->id, &series, hash, err);
    }
    if (rc == BB_OK) {
        bbi_series_writer_add(&p->series, db->id, &series, &p->records);
        BB_ASSERT(p->series.body.err == BB_OK && p->records.err == BB_OK);
        atomic_store(&p->any, true);
        db->next.sid++;
        *sid = series.sid;
    }
    return rc;
}

/* ---- records from a log ---- */

static int contradiction(uint32_t db_id, const struct bbi_record_series *s, struct bb_error *err)
{
    return bbi_error_set(err, BB_ECORRUPT,
                         "record SERIES_NEW: series %u of database %u contradicts what is known",
                         s->sid, db_id);
}

/* Whether overlay or LMDB have this key, or another one under this id. A key under a higher id than
 * the record's has been dropped and given again since: the record is old, and so known. */
static int find_series(struct bbi_catalog *cat, const struct bbi_schema_db *db,
                       const struct bbi_record_series *s, uint64_t hash, bool *known,
                       struct bb_error *err)
{
    uint32_t mid;
    uint32_t sid;
    *known = false;
    for (const struct bbi_overlay *o = cat->active; o != NULL;
         o = o == cat->active ? cat->frozen : o->next) {
        const struct bbi_overlay_series *by_key = bbi_overlay_find(o, db->id, hash, s->key,
                                                                   s->key_len, db->dropped);
        const struct bbi_overlay_series *by_sid = bbi_overlay_get(o, db->id, s->sid);
        if (bbi_schema_is_dropped(db, s->sid) ||
            (by_sid == NULL && by_key != NULL && by_key->sid > s->sid)) {
            *known = true;
            return BB_OK;
        }
        if (by_key != by_sid) {
            return contradiction(db->id, s, err);
        }
        if (by_key != NULL) {
            *known = true;
            return BB_OK;
        }
    }
    if (db->indexed_sid_limit == 0) {
        return BB_OK;
    }
    int rc = bbi_index_find_key(cat->index, db->id, hash, s->key, s->key_len, db->dropped, &mid,
                                &sid, known, err);
    return rc == BB_OK && *known && sid < s->sid ? contradiction(db->id, s, err) : rc;
}

static int absorb_one(struct bbi_catalog *cat, struct bbi_schema_db *db,
                      const struct bbi_record_series *s, struct bb_error *err)
{
    uint64_t hash = bbi_hash64_seed(s->key, s->key_len, cat->seed);
    bool known;
    if (bbi_key_valid(s->key, s->key_len) && s->sid != UINT32_MAX &&
        bbi_schema_was_measurement(db, s->mid)) {
        db->next.sid = s->sid >= db->next.sid ? s->sid + 1 : db->next.sid;
        return BB_OK;
    }
    if (!bbi_key_valid(s->key, s->key_len) || s->sid == UINT32_MAX ||
        bbi_schema_get(&db->measurements, s->mid) == NULL) {
        return contradiction(db->id, s, err);
    }
    int rc = find_series(cat, db, s, hash, &known, err);
    if (rc == BB_OK && !known && !bbi_schema_note_tags(db, s->mid, s->key, s->key_len)) {
        rc = bbi_error_nomem(err, "tag keys");
    }
    if (rc == BB_OK && !known) {
        rc = bbi_overlay_add(cat->active, db->id, s, hash, err);
    }
    if (rc == BB_OK && s->sid >= db->next.sid) {
        db->next.sid = s->sid + 1;
    }
    return rc;
}

static int absorb_series(struct bbi_catalog *cat, const struct bbi_record *record,
                         struct bb_error *err)
{
    struct bbi_series_reader reader;
    struct bbi_record_series s;
    int rc = bbi_series_reader_init(&reader, record, err);
    if (rc != BB_OK) {
        return rc;
    }
    struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, reader.db_id);
    if (db == NULL) {
        return reader.db_id < cat->schema.next_db_id
                   ? BB_OK
                   : bbi_error_set(err, BB_ECORRUPT,
                                   "record SERIES_NEW: of database %u, which was never created",
                                   reader.db_id);
    }
    while (rc == BB_OK && reader.left > 0) {
        rc = bbi_series_reader_next(&reader, &s, err);
        if (rc == BB_OK) {
            rc = absorb_one(cat, db, &s, err);
        }
    }
    return rc;
}

int bbi_catalog_absorb(struct bbi_catalog *cat, const struct bbi_record *record,
                       struct bb_error *err)
{
    bool changed;
    if (record->type == BBI_RECORD_SERIES_NEW) {
        return absorb_series(cat, record, err);
    }
    int rc = bbi_catalog_reserve(&cat->active->records, record->len + RECORD_HEAD_BYTES, err);
    if (rc == BB_OK) {
        rc = bbi_schema_apply(&cat->schema, record, &changed, err);
    }
    if (rc == BB_OK && changed) {
        bbi_record_put(&cat->active->records, record->type, record->body, record->len);
        BB_ASSERT(cat->active->records.err == BB_OK);
    }
    if (rc == BB_OK && changed && record->type == BBI_RECORD_DATABASE_DROP) {
        struct bbi_record_database r;
        rc = bbi_record_get_database(record, &r, err);
        if (rc == BB_OK) {
            bbi_overlay_drop_db(cat->active, r.db_id);
        }
    }
    return rc;
}
