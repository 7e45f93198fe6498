#include "engine/catalog/apply.h"

#include <string.h>

#include "engine/catalog/key.h"
#include "engine/catalog/posting.h"
#include "engine/catalog/purge.h"
#include "engine/catalog/strsort.h"

/* Tags and series that are sorted together: the more, the fuller LMDB's pages. */
#define ITEMS_MAX ((size_t)512 << 10)

/* The longest value is a list behind a blob, or a bitmap of 65,536 ids. */
#define SCRATCH_MAX ((size_t)1 << 20)

/* A policy's record: a name of 255 bytes and numbers. */
#define RP_BYTES_MAX 512

/* ---- keys and values ---- */

size_t bbi_series_index_key(uint8_t key[BBI_SERIES_KEY_BYTES], uint32_t db_id, uint32_t sid)
{
    uint8_t *at = bbi_index_put_uint(key, db_id);
    bbi_put_be32(at, sid);
    return (size_t)(at - key) + 4;
}

size_t bbi_hash_index_key(uint8_t key[BBI_SERIES_KEY_BYTES], uint32_t db_id, uint64_t hash)
{
    uint8_t *at = bbi_index_put_uint(key, db_id);
    bbi_put_be64(at, hash);
    return (size_t)(at - key) + 8;
}

int bbi_series_value_get(const struct bbi_index_entry *entry, uint32_t *mid, const uint8_t **key,
                         size_t *key_len, struct bb_error *err)
{
    struct bbi_cursor c;
    bbi_cursor_init(&c, entry->value, entry->value_len);
    unsigned version = bbi_cursor_u8(&c);
    uint64_t id = bbi_cursor_varint(&c);
    if (c.err == BB_OK && version != BBI_SERIES_VERSION) {
        return bbi_error_set(err, BB_EVERSION, "series record: unknown version %u", version);
    }
    *mid = (uint32_t)id;
    *key_len = bbi_cursor_left(&c);
    *key = bbi_cursor_bytes(&c, *key_len);
    if (c.err != BB_OK || id > UINT32_MAX) {
        return bbi_error_set(err, BB_ECORRUPT, "series record: malformed");
    }
    return BB_OK;
}

/* ---- records ---- */

struct misc_key {
    uint8_t bytes[1 + BBI_INDEX_UINT_MAX + 8];
    size_t len;
};

static struct misc_key misc_start(enum bbi_index_misc kind)
{
    return (struct misc_key){.bytes = {(uint8_t)kind}, .len = 1};
}

static void misc_uint(struct misc_key *k, uint32_t v)
{
    k->len = (size_t)(bbi_index_put_uint(k->bytes + k->len, v) - k->bytes);
}

static void misc_be64(struct misc_key *k, uint64_t v)
{
    bbi_put_be64(k->bytes + k->len, v);
    k->len += 8;
}

static int misc_put(struct bbi_index_writer *w, const struct misc_key *k, const uint8_t *value,
                    size_t len, struct bb_error *err)
{
    return bbi_index_put(w, BBI_INDEX_MISC, k->bytes, k->len, value, len, err);
}

static int misc_delete(struct bbi_index_writer *w, const struct misc_key *k, struct bb_error *err)
{
    return bbi_index_delete(w, BBI_INDEX_MISC, k->bytes, k->len, err);
}

static struct misc_key rp_key(uint32_t rp_id)
{
    struct misc_key k = misc_start(BBI_MISC_RP);
    bbi_put_be32(k.bytes + k.len, rp_id);
    k.len += 4;
    return k;
}

/* Policies stand in the order of their ids, those of all databases together. */
static int delete_rps(struct bbi_index_writer *w, uint32_t db_id, struct bb_error *err)
{
    struct misc_key at = rp_key(0);
    for (;;) {
        struct bbi_index_entry e;
        struct bbi_cursor c;
        struct bbi_record record;
        struct bbi_record_rp rp;
        bool found;
        int rc = bbi_index_write_seek(w, BBI_INDEX_MISC, at.bytes, at.len, &e, &found, err);
        if (rc != BB_OK || !found || e.key[0] != BBI_MISC_RP) {
            return rc;
        }
        bbi_cursor_init(&c, e.value, e.value_len);
        rc = bbi_record_next(&c, &record, err);
        if (rc == BB_OK) {
            rc = bbi_record_get_rp(&record, &rp, err);
        }
        if (rc != BB_OK || rp.rp_id == UINT32_MAX) {
            return rc;
        }
        at = rp_key(rp.rp_id);
        if (rp.db_id == db_id) {
            rc = misc_delete(w, &at, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        at = rp_key(rp.rp_id + 1);
    }
}

static int delete_db(struct bbi_index_writer *w, uint32_t db_id, struct bb_error *err)
{
    uint8_t prefix[BBI_INDEX_UINT_MAX];
    size_t len = (size_t)(bbi_index_put_uint(prefix, db_id) - prefix);
    static const enum bbi_index_table tables[] = {BBI_INDEX_SERIES, BBI_INDEX_KEYS,
                                                  BBI_INDEX_POSTINGS};
    static const enum bbi_index_misc kinds[] = {BBI_MISC_DATABASE, BBI_MISC_MEASUREMENT,
                                                BBI_MISC_FIELD, BBI_MISC_TASK, BBI_MISC_TASK_GONE};
    int rc = delete_rps(w, db_id, err);
    for (size_t i = 0; rc == BB_OK && i < sizeof(tables) / sizeof(tables[0]); i++) {
        rc = bbi_index_delete_prefix(w, tables[i], prefix, len, err);
    }
    for (size_t i = 0; rc == BB_OK && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct misc_key k = misc_start(kinds[i]);
        misc_uint(&k, db_id);
        rc = bbi_index_delete_prefix(w, BBI_INDEX_MISC, k.bytes, k.len, err);
    }
    return rc;
}

/* raw: the record with its type and length, which is what misc keeps. */
struct raw_record {
    const uint8_t *bytes;
    size_t len;
    struct bbi_record record;
};

static int apply_schema(struct bbi_index_writer *w, const struct raw_record *raw,
                        struct bb_error *err)
{
    struct bbi_record_database database;
    struct bbi_record_measurement measurement;
    struct bbi_record_field field;
    struct misc_key k;
    int rc;
    switch (raw->record.type) {
    case BBI_RECORD_DATABASE_NEW:
        rc = bbi_record_get_database(&raw->record, &database, err);
        k = misc_start(BBI_MISC_DATABASE);
        misc_uint(&k, database.db_id);
        break;
    case BBI_RECORD_MEASUREMENT_NEW:
        rc = bbi_record_get_measurement(&raw->record, &measurement, err);
        k = misc_start(BBI_MISC_MEASUREMENT);
        misc_uint(&k, measurement.db_id);
        misc_uint(&k, measurement.mid);
        break;
    default:
        rc = bbi_record_get_field(&raw->record, &field, err);
        k = misc_start(BBI_MISC_FIELD);
        misc_uint(&k, field.db_id);
        misc_uint(&k, field.field_id);
        break;
    }
    return rc != BB_OK ? rc : misc_put(w, &k, raw->bytes, raw->len, err);
}

/* Kept as RP_NEW also after RP_ALTER, which says as much: loading meets each policy once. */
static int apply_rp(struct bbi_index_writer *w, const struct raw_record *raw, struct bb_error *err)
{
    struct bbi_record_rp rp;
    uint8_t bytes[RP_BYTES_MAX];
    struct bbi_buf b = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    int rc = bbi_record_get_rp(&raw->record, &rp, err);
    if (rc != BB_OK) {
        return rc;
    }
    struct misc_key k = rp_key(rp.rp_id);
    if (raw->record.type == BBI_RECORD_RP_DROP) {
        return misc_delete(w, &k, err);
    }
    bbi_record_put_rp_new(&b, &rp);
    rc = bbi_buf_check(&b, "retention policy", err);
    return rc == BB_OK ? misc_put(w, &k, b.data, b.len, err) : rc;
}

static struct misc_key user_key(uint32_t user_id)
{
    struct misc_key k = misc_start(BBI_MISC_USER);
    bbi_put_be32(k.bytes + k.len, user_id);
    k.len += 4;
    return k;
}

/* A dropped id is not given again: the highest of them is kept. */
static int drop_user(struct bbi_index_writer *w, const struct raw_record *raw, uint32_t user_id,
                     struct bb_error *err)
{
    struct misc_key k = user_key(user_id);
    struct misc_key gone = misc_start(BBI_MISC_USER_GONE);
    struct bbi_index_entry e;
    struct bbi_record_user highest = {.user_id = 0};
    bool found;
    int rc = misc_delete(w, &k, err);
    if (rc == BB_OK) {
        rc = bbi_index_write_get(w, BBI_INDEX_MISC, gone.bytes, gone.len, &e, &found, err);
    }
    if (rc == BB_OK && found) {
        struct bbi_cursor c;
        struct bbi_record record;
        bbi_cursor_init(&c, e.value, e.value_len);
        rc = bbi_record_next(&c, &record, err);
        rc = rc == BB_OK ? bbi_record_get_user(&record, &highest, err) : rc;
    }
    return rc == BB_OK && user_id > highest.user_id ? misc_put(w, &gone, raw->bytes, raw->len, err)
                                                    : rc;
}

/* Kept as USER_NEW also after USER_ALTER, which says as much. The type is a record's first byte. */
static int apply_user(struct bbi_index_writer *w, const struct raw_record *raw,
                      struct bbi_account *acct, struct bb_error *err)
{
    struct bbi_record_user user;
    int rc = bbi_record_get_user(&raw->record, &user, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (raw->record.type == BBI_RECORD_USER_DROP) {
        return drop_user(w, raw, user.user_id, err);
    }
    struct misc_key k = user_key(user.user_id);
    uint8_t *bytes = bbi_mem_dup(acct, raw->bytes, raw->len);
    if (bytes == NULL) {
        return bbi_error_nomem(err, "user");
    }
    bytes[0] = BBI_RECORD_USER_NEW;
    rc = misc_put(w, &k, bytes, raw->len, err);
    bbi_mem_free(bytes);
    return rc;
}

static struct misc_key task_key(enum bbi_index_misc kind, uint32_t db_id)
{
    struct misc_key k = misc_start(kind);
    misc_uint(&k, db_id);
    return k;
}

/* As users': a dropped id is not given again. */
static int drop_task(struct bbi_index_writer *w, const struct raw_record *raw,
                     const struct bbi_record_task *task, struct bb_error *err)
{
    struct misc_key gone = task_key(BBI_MISC_TASK_GONE, task->db_id);
    struct bbi_index_entry e;
    struct bbi_record_task highest = {.task_id = 0};
    bool found;
    int rc = bbi_index_write_get(w, BBI_INDEX_MISC, gone.bytes, gone.len, &e, &found, err);
    if (rc == BB_OK && found) {
        struct bbi_cursor c;
        struct bbi_record record;
        bbi_cursor_init(&c, e.value, e.value_len);
        rc = bbi_record_next(&c, &record, err);
        rc = rc == BB_OK ? bbi_record_get_task(&record, &highest, err) : rc;
    }
    return rc == BB_OK && task->task_id > highest.task_id
               ? misc_put(w, &gone, raw->bytes, raw->len, err)
               : rc;
}

static int apply_task(struct bbi_index_writer *w, const struct raw_record *raw,
                      struct bb_error *err)
{
    struct bbi_record_task task;
    int rc = bbi_record_get_task(&raw->record, &task, err);
    if (rc != BB_OK) {
        return rc;
    }
    struct misc_key k = task_key(BBI_MISC_TASK, task.db_id);
    bbi_put_be32(k.bytes + k.len, task.task_id);
    k.len += 4;
    if (raw->record.type == BBI_RECORD_TASK_NEW) {
        return misc_put(w, &k, raw->bytes, raw->len, err);
    }
    rc = misc_delete(w, &k, err);
    return rc == BB_OK ? drop_task(w, raw, &task, err) : rc;
}

static int apply_segment(struct bbi_index_writer *w, const struct raw_record *raw,
                         struct bb_error *err)
{
    struct bbi_segment_meta meta;
    struct misc_key k = misc_start(BBI_MISC_SEGMENT);
    bool is_add = raw->record.type == BBI_RECORD_SEGMENT_ADD;
    int rc = is_add ? bbi_record_get_segment_add(&raw->record, &meta, err)
                    : bbi_record_get_segment_remove(&raw->record, &meta.id, err);
    if (rc != BB_OK) {
        return rc;
    }
    misc_be64(&k, meta.id);
    return is_add ? misc_put(w, &k, raw->bytes, raw->len, err) : misc_delete(w, &k, err);
}

static int apply_tombstone(struct bbi_index_writer *w, const struct raw_record *raw,
                           struct bb_error *err)
{
    struct bbi_tombstone t = {.lsn = 0};
    struct misc_key k = misc_start(BBI_MISC_TOMBSTONE);
    bool is_add = raw->record.type == BBI_RECORD_DELETE;
    int rc = is_add ? bbi_record_get_delete(&raw->record, 0, &t, err)
                    : bbi_record_get_tombstone_remove(&raw->record, &t.lsn, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (t.series != NULL) {
        roaring_bitmap_free(t.series);
    }
    misc_be64(&k, t.lsn);
    return is_add ? misc_put(w, &k, raw->bytes, raw->len, err) : misc_delete(w, &k, err);
}

static int apply_one(struct bbi_index_writer *w, const struct raw_record *raw,
                     struct bbi_account *acct, struct bb_error *err)
{
    struct bbi_record_database database;
    struct misc_key k;
    int rc;
    switch (raw->record.type) {
    case BBI_RECORD_DATABASE_NEW:
    case BBI_RECORD_MEASUREMENT_NEW:
    case BBI_RECORD_FIELD_NEW:
        return apply_schema(w, raw, err);
    case BBI_RECORD_DATABASE_DROP:
        rc = bbi_record_get_database(&raw->record, &database, err);
        return rc != BB_OK ? rc : delete_db(w, database.db_id, err);
    case BBI_RECORD_RP_NEW:
    case BBI_RECORD_RP_ALTER:
    case BBI_RECORD_RP_DROP:
        return apply_rp(w, raw, err);
    case BBI_RECORD_SEGMENT_ADD:
    case BBI_RECORD_SEGMENT_REMOVE:
        return apply_segment(w, raw, err);
    case BBI_RECORD_DELETE:
    case BBI_RECORD_TOMBSTONE_REMOVE:
        return apply_tombstone(w, raw, err);
    case BBI_RECORD_SERIES_DROP:
        return bbi_purge_series(w, &raw->record, acct, err);
    case BBI_RECORD_MEASUREMENT_DROP:
        return bbi_purge_measurement(w, &raw->record, err);
    case BBI_RECORD_USER_NEW:
    case BBI_RECORD_USER_ALTER:
    case BBI_RECORD_USER_DROP:
        return apply_user(w, raw, acct, err);
    case BBI_RECORD_TASK_NEW:
    case BBI_RECORD_TASK_DROP:
        return apply_task(w, raw, err);
    case BBI_RECORD_CHECKPOINT:
        k = misc_start(BBI_MISC_CHECKPOINT);
        return misc_put(w, &k, raw->bytes, raw->len, err);
    default:
        return bbi_error_set(err, BB_EINVAL, "record %s: not of the catalog",
                             bbi_record_type_name(raw->record.type));
    }
}

int bbi_apply_records(struct bbi_index_writer *writer, const uint8_t *records, size_t len,
                      struct bbi_account *acct, struct bb_error *err)
{
    struct bbi_cursor c;
    int rc = BB_OK;
    bbi_cursor_init(&c, records, len);
    while (rc == BB_OK && bbi_cursor_left(&c) > 0) {
        struct raw_record raw = {.bytes = c.p};
        rc = bbi_record_next(&c, &raw.record, err);
        if (rc == BB_OK) {
            raw.len = (size_t)(c.p - raw.bytes);
            rc = apply_one(writer, &raw, acct, err);
        }
    }
    return rc;
}

/* ---- series ---- */

typedef struct bbi_strsort_item item_t;

/* A run of a generation's series that is brought in together. */
struct series_run {
    struct bbi_index_writer *w;
    uint32_t db_id;
    item_t *items; /* [cap]: first for the hashes, then for the tags */
    size_t count;
    size_t cap;
    uint8_t *hashes; /* big-endian, 8 bytes each */
    uint32_t *sids;  /* [cap], of one list */
    struct bbi_buf scratch;
    struct bbi_account *acct;
};

static int put_series(struct series_run *run, const struct bbi_overlay_series *s,
                      struct bb_error *err)
{
    uint8_t key[BBI_SERIES_KEY_BYTES];
    size_t key_len = bbi_series_index_key(key, run->db_id, s->sid);
    bbi_buf_reset(&run->scratch);
    bbi_buf_u8(&run->scratch, BBI_SERIES_VERSION);
    bbi_buf_varint(&run->scratch, s->mid);
    bbi_buf_put(&run->scratch, s->key, s->key_len);
    int rc = bbi_buf_check(&run->scratch, "series record", err);
    return rc != BB_OK ? rc
                       : bbi_index_put(run->w, BBI_INDEX_SERIES, key, key_len, run->scratch.data,
                                       run->scratch.len, err);
}

/* Add ids to the list of one hash, which nearly always holds one. */
static int put_hash(struct series_run *run, const uint8_t *hash_be, const item_t *items,
                    size_t count, struct bb_error *err)
{
    uint8_t key[BBI_SERIES_KEY_BYTES];
    struct bbi_index_entry old;
    bool found;
    size_t key_len = bbi_hash_index_key(key, run->db_id, bbi_get_be64(hash_be));
    int rc = bbi_index_write_get(run->w, BBI_INDEX_KEYS, key, key_len, &old, &found, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_buf_reset(&run->scratch);
    if (found) {
        bbi_buf_put(&run->scratch, old.value, old.value_len);
    }
    for (size_t i = 0; i < count; i++) {
        bool there = false;
        for (size_t at = 0; found && at + 4 <= old.value_len; at += 4) {
            there = there || bbi_get_u32(old.value + at) == items[i].id;
        }
        if (!there) {
            bbi_buf_u32(&run->scratch, items[i].id);
        }
    }
    rc = bbi_buf_check(&run->scratch, "series hash", err);
    return rc != BB_OK ? rc
                       : bbi_index_put(run->w, BBI_INDEX_KEYS, key, key_len, run->scratch.data,
                                       run->scratch.len, err);
}

static int put_hashes(struct series_run *run, struct bbi_overlay_series *const *series,
                      size_t count, uint64_t seed, struct bb_error *err)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *hash = run->hashes + i * 8;
        bbi_put_be64(hash, bbi_hash64_seed(series[i]->key, series[i]->key_len, seed));
        run->items[i] = (item_t){.str = hash, .len = 8, .id = series[i]->sid};
    }
    bbi_strsort(run->items, count);
    int rc = BB_OK;
    for (size_t i = 0, next; rc == BB_OK && i < count; i = next) {
        next = i + 1;
        while (next < count && memcmp(run->items[next].str, run->items[i].str, 8) == 0) {
            next++;
        }
        rc = put_hash(run, run->items[i].str, &run->items[i], next - i, err);
    }
    return rc;
}

/* ---- postings ---- */

/* sids [count] ascending, of any size. */
static int put_list(struct series_run *run, uint32_t mid, const uint8_t *blob, size_t blob_len,
                    const uint32_t *sids, size_t count, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0, next; rc == BB_OK && i < count; i = next) {
        next = i + 1;
        while (next < count && sids[next] >> 16 == sids[i] >> 16) {
            next++;
        }
        rc = bbi_posting_add(run->w, run->db_id, mid, blob, blob_len, sids + i, next - i,
                             &run->scratch, err);
    }
    return rc;
}

/* The first item that is not of the list of items[i]. */
static size_t list_end(const item_t *items, size_t i, size_t end)
{
    size_t next = i + 1;
    while (next < end && items[next].len == items[i].len &&
           (items[i].len == 0 || memcmp(items[next].str, items[i].str, items[i].len) == 0)) {
        next++;
    }
    return next;
}

static int put_values(struct series_run *run, size_t begin, size_t end, struct bb_error *err)
{
    const item_t *items = run->items;
    int rc = BB_OK;
    for (size_t i = begin, next; rc == BB_OK && i < end; i = next) {
        next = list_end(items, i, end);
        for (size_t n = i; n < next; n++) {
            run->sids[n - i] = items[n].id;
        }
        rc = put_list(run, items[i].group, items[i].str, items[i].len, run->sids, next - i, err);
    }
    return rc;
}

/* Lists of tag keys: items with one key stand together, but their ids in the order of values. */
static int put_tag_keys(struct series_run *run, size_t begin, size_t end, struct bb_error *err)
{
    const item_t *items = run->items;
    int rc = BB_OK;
    for (size_t i = begin, next; rc == BB_OK && i < end; i = next) {
        uint32_t key_bytes = items[i].extra;
        roaring_bitmap_t *ids = roaring_bitmap_create();
        if (ids == NULL) {
            return bbi_error_nomem(err, "posting list");
        }
        for (next = i; next < end && items[next].extra == key_bytes &&
                       memcmp(items[next].str, items[i].str, key_bytes) == 0;
             next++) {
            roaring_bitmap_add(ids, items[next].id);
        }
        size_t count = (size_t)roaring_bitmap_get_cardinality(ids);
        roaring_bitmap_to_uint32_array(ids, run->sids);
        roaring_bitmap_free(ids);
        rc = put_list(run, items[i].group, items[i].str, key_bytes, run->sids, count, err);
    }
    return rc;
}

/* In the order of the index: all series of a measurement, then tag keys, then values. */
static int put_postings(struct series_run *run, struct bb_error *err)
{
    const item_t *items = run->items;
    int rc = BB_OK;
    bbi_strsort(run->items, run->count);
    for (size_t i = 0, next; rc == BB_OK && i < run->count; i = next) {
        next = i;
        while (next < run->count && items[next].group == items[i].group) {
            next++;
        }
        size_t tags = i;
        while (tags < next && items[tags].len == 0) {
            tags++;
        }
        rc = put_values(run, i, tags, err);
        if (rc == BB_OK) {
            rc = put_tag_keys(run, tags, next, err);
        }
        if (rc == BB_OK) {
            rc = put_values(run, tags, next, err);
        }
    }
    return rc;
}

/* One item for the series, one for each tag; extra: bytes of the tag's key in the blob. */
static int add_items(struct series_run *run, const struct bbi_overlay_series *s,
                     struct bb_error *err)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t measurement_len;
    (void)bbi_key_first(&c, s->key, s->key_len, &measurement_len);
    run->items[run->count++] = (item_t){.str = s->key, .len = 0, .group = s->mid, .id = s->sid};
    for (const uint8_t *blob = c.p; bbi_key_next(&c, &tag); blob = c.p) {
        BB_ASSERT(run->count < run->cap);
        run->items[run->count++] = (item_t){.str = blob,
                                            .len = (uint32_t)(c.p - blob),
                                            .group = s->mid,
                                            .id = s->sid,
                                            .extra = (uint32_t)(tag.key + tag.key_len - blob)};
    }
    return bbi_cursor_check(&c, "series key", err);
}

static size_t item_count(const struct bbi_overlay_series *s)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t measurement_len;
    size_t count = 1;
    (void)bbi_key_first(&c, s->key, s->key_len, &measurement_len);
    while (bbi_key_next(&c, &tag)) {
        count++;
    }
    return count;
}

static int run_reserve(struct series_run *run, size_t series_count, size_t items,
                       struct bb_error *err)
{
    bbi_mem_free(run->items);
    bbi_mem_free(run->hashes);
    bbi_mem_free(run->sids);
    run->items = bbi_mem_zalloc(run->acct, items, sizeof(item_t));
    run->hashes = bbi_mem_zalloc(run->acct, series_count, 8);
    run->sids = bbi_mem_zalloc(run->acct, items, sizeof(uint32_t));
    run->cap = items;
    run->count = 0;
    return run->items == NULL || run->hashes == NULL || run->sids == NULL
               ? bbi_error_nomem(err, "series to be indexed")
               : BB_OK;
}

const roaring_bitmap_t *bbi_dropped_find(const struct bbi_dropped_list *dropped, uint32_t db_id)
{
    for (size_t i = 0; i < dropped->count; i++) {
        if (dropped->list[i].db_id == db_id) {
            return dropped->list[i].sids;
        }
    }
    return NULL;
}

static int apply_run(struct series_run *run, struct bbi_overlay_series *const *series, size_t count,
                     size_t items, uint64_t seed, struct bb_error *err)
{
    int rc = run_reserve(run, count, items, err);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        rc = put_series(run, series[i], err);
    }
    if (rc == BB_OK) {
        rc = put_hashes(run, series, count, seed, err);
    }
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        rc = add_items(run, series[i], err);
    }
    return rc == BB_OK ? put_postings(run, err) : rc;
}

/* The series of one database, a run at a time. live[] has room for all of them. */
static int apply_db(struct series_run *run, const struct bbi_overlay_db *db,
                    const roaring_bitmap_t *dropped, struct bbi_overlay_series **live,
                    struct bb_error *err)
{
    uint64_t seed = bbi_index_seed(run->w);
    size_t count = 0;
    int rc = BB_OK;
    for (size_t i = 0; i < db->count; i++) {
        if (dropped == NULL || !roaring_bitmap_contains(dropped, db->series[i]->sid)) {
            live[count++] = db->series[i];
        }
    }
    run->db_id = db->db_id;
    for (size_t i = 0, next; rc == BB_OK && i < count; i = next) {
        size_t items = 0;
        for (next = i; next < count && items < ITEMS_MAX; next++) {
            items += item_count(live[next]);
        }
        rc = apply_run(run, live + i, next - i, items, seed, err);
    }
    return rc;
}

int bbi_apply_series(struct bbi_index_writer *writer, const struct bbi_overlay *overlay,
                     const struct bbi_dropped_list *dropped, struct bbi_account *acct,
                     struct bb_error *err)
{
    struct series_run run = {.w = writer, .acct = acct};
    int rc = BB_OK;
    bbi_buf_init(&run.scratch, acct, SCRATCH_MAX);
    for (const struct bbi_overlay_db *db = overlay->dbs; rc == BB_OK && db != NULL; db = db->next) {
        struct bbi_overlay_series **live = bbi_mem_zalloc(acct, db->count,
                                                          sizeof(struct bbi_overlay_series *));
        rc = live == NULL ? bbi_error_nomem(err, "series to be indexed") : BB_OK;
        if (rc == BB_OK) {
            rc = apply_db(&run, db, bbi_dropped_find(dropped, db->db_id), live, err);
        }
        bbi_mem_free(live);
    }
    bbi_buf_fini(&run.scratch);
    bbi_mem_free(run.items);
    bbi_mem_free(run.hashes);
    bbi_mem_free(run.sids);
    return rc;
}
