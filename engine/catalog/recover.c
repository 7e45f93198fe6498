/*
 * Two copies of one truth: the log, checksummed frame by frame, and LMDB, checked page by page.
 * Each can be made from the other. LMDB says which log it follows and up to where (`about`); the
 * log says in its header what it is, and, if it was written anew from LMDB, from which state of
 * which log.
 *
 *   LMDB            log                  what happens
 *   good            good, has more       frames behind about.log_end are applied
 *   good            good, its base       written anew just before a crash: all is applied
 *   broken, none    readable             LMDB is rebuilt from the log
 *   of another log  readable             the same
 *   good            broken, short, none  the log is written anew from LMDB
 *   broken          holes                LMDB from what is readable; segments reconciled with files
 */
#include "engine/catalog/recover.h"

#include <string.h>

#include "engine/catalog/apply.h"
#include "engine/catalog/scan.h"
#include "engine/catalog/verify.h"

/* While the log is replayed, what gathers goes to LMDB in portions. */
#define PORTION_SERIES ((uint64_t)256 << 10)
#define PORTION_BYTES  ((size_t)16 << 20)

/* Which log LMDB follows when that log cannot say who it is. */
#define NAMELESS_LOG 1

#define MESSAGES_MAX ((size_t)64 << 10)

void bbi_recovery_init(struct bbi_recovery *r, struct bbi_catalog *cat)
{
    *r = (struct bbi_recovery){.cat = cat, .next_segment_id = 1};
    bbi_buf_init(&r->messages, cat->acct, MESSAGES_MAX);
    bbi_buf_init(&r->removed, cat->acct, SIZE_MAX / 2);
}

void bbi_recovery_fini(struct bbi_recovery *r)
{
    bbi_buf_fini(&r->messages);
    bbi_buf_fini(&r->removed);
}

/* ---- LMDB: checked, opened, or put aside ---- */

static int set_index_aside(struct bbi_recovery *r, const char *why, struct bb_error *err)
{
    struct bbi_buf name;
    bbi_index_close(&r->cat->index);
    bbi_buf_init(&name, r->cat->acct, BBI_FS_PATH_MAX);
    int rc = bbi_catalog_quarantine(r->cat, r->cat->index_path, &name, err);
    bbi_buf_printf(&r->messages, "catalog.mdb is set aside as %.*s: %s\n", (int)name.len,
                   name.len == 0 ? "" : (const char *)name.data, why);
    bbi_buf_fini(&name);
    r->index_was_broken = true;
    return rc;
}

static bool is_broken(int rc)
{
    return rc == BB_ECORRUPT || rc == BB_EIO;
}

static int use_index(struct bbi_recovery *r, struct bb_error *err)
{
    struct bbi_catalog *cat = r->cat;
    return bbi_index_open(cat->fs, cat->index_path, r->map_bytes, cat->acct, &cat->index, err);
}

static int open_index(struct bbi_recovery *r, struct bb_error *err)
{
    struct bbi_catalog *cat = r->cat;
    struct bbi_fs_stat st;
    int rc = bbi_fs_stat(cat->fs, cat->index_path, &st, err);
    if (rc == BB_OK && !st.exists) {
        return use_index(r, err);
    }
    if (rc == BB_OK) {
        rc = bbi_verify(cat->fs, cat->index_path, cat->acct, err);
    }
    if (rc == BB_OK) {
        rc = use_index(r, err);
    }
    if (rc == BB_ENOTFOUND) {
        rc = bbi_fs_unlink(cat->fs, cat->index_path, err);
    } else if (is_broken(rc)) {
        struct bb_error why = *err;
        rc = set_index_aside(r, why.text, err);
    } else {
        return rc;
    }
    return rc == BB_OK ? use_index(r, err) : rc;
}

/* ---- deciding ---- */

static void tell_damage(struct bbi_recovery *r)
{
    const struct bbi_catlog_scan *scan = &r->scan;
    if (!scan->exists) {
        bbi_buf_str(&r->messages, "catalog.log is missing\n");
    } else if (!scan->header_is_good) {
        bbi_buf_printf(&r->messages, "catalog.log: its header is broken, %llu frames are not\n",
                       (unsigned long long)scan->frame_count);
    }
    if (scan->hole_count != 0) {
        bbi_buf_printf(&r->messages,
                       "catalog.log: %llu damaged places, %llu bytes, the first at %llu\n",
                       (unsigned long long)scan->hole_count, (unsigned long long)scan->hole_bytes,
                       (unsigned long long)scan->first_hole);
    }
}

/* LMDB is new: everything comes from the log. */
static void decide_for_new_index(struct bbi_recovery *r)
{
    r->is_fresh = r->scan.frame_count == 0 && !r->index_was_broken;
    r->from = 0;
    r->rebuilt = r->scan.frame_count != 0;
    r->log_is_bad = !r->is_fresh && (!r->scan.header_is_good || r->scan.hole_count != 0);
    r->lost = r->log_is_bad;
}

/* LMDB has content. *follows false: of another log. */
static void decide_for_index(struct bbi_recovery *r, bool *follows)
{
    const struct bbi_catlog *log = &r->cat->log;
    const struct bbi_index_about *about = bbi_index_about(r->cat->index);
    *follows = true;
    r->log_is_bad = !r->scan.header_is_good || r->scan.hole_count != 0;
    r->from = about->log_end;
    if (r->scan.header_is_good && about->log_id != log->id.id) {
        *follows = about->log_id == log->id.base_id && about->log_end == log->id.base_end;
        r->from = 0;
    } else if (about->log_end > log->end) {
        if (r->scan.exists) {
            bbi_buf_printf(&r->messages,
                           "catalog.log ends at %llu, but %llu bytes of it were committed\n",
                           (unsigned long long)log->end, (unsigned long long)about->log_end);
        }
        r->log_is_bad = true;
        r->from = log->end;
    }
    r->lost = r->scan.hole_count != 0 && r->scan.last_hole >= r->from;
}

static int decide(struct bbi_recovery *r, struct bb_error *err)
{
    bool follows = true;
    if (bbi_index_about(r->cat->index)->log_id != 0) {
        decide_for_index(r, &follows);
    }
    if (!follows) {
        int rc = set_index_aside(r, "it follows another catalog.log", err);
        if (rc == BB_OK) {
            rc = open_index(r, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
    }
    if (bbi_index_about(r->cat->index)->log_id == 0) {
        decide_for_new_index(r);
    }
    if (r->log_is_bad) {
        tell_damage(r);
    }
    return BB_OK;
}

/* ---- schema from LMDB ---- */

static void take_counters(struct bbi_recovery *r, const struct bbi_record_checkpoint *cp)
{
    struct bbi_schema *s = &r->cat->schema;
    s->next_db_id = cp->next_db_id > s->next_db_id ? cp->next_db_id : s->next_db_id;
    s->next_rp_id = cp->next_rp_id > s->next_rp_id ? cp->next_rp_id : s->next_rp_id;
    if (cp->next_segment_id > r->next_segment_id) {
        r->next_segment_id = cp->next_segment_id;
    }
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static int absorb_checkpoint(struct bbi_recovery *r, const struct bbi_record *record,
                             struct bb_error *err)
{
    struct bbi_record_checkpoint cp;
    struct bbi_cursor c;
    int rc = bbi_record_get_checkpoint(record, &cp, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    take_counters(r, &cp);
    r->cat->committed.lsn = cp.lsn;
    for (uint32_t i = 0; rc == BB_OK && i < cp.db_count; i++) {
        struct bbi_next_ids ids;
        rc = bbi_record_get_next_ids(&c, &ids, err);
        struct bbi_schema_db *db = rc == BB_OK ? bbi_schema_db_by_id(&r->cat->schema, ids.db_id)
                                               : NULL;
        if (db != NULL) {
            db->next.mid = larger(db->next.mid, ids.mid);
            db->next.field_id = larger(db->next.field_id, ids.field_id);
            db->next.sid = larger(db->next.sid, ids.sid);
        }
    }
    return rc;
}

static int load_record(struct bbi_recovery *r, const struct bbi_index_entry *e,
                       struct bb_error *err)
{
    struct bbi_cursor c;
    struct bbi_record record;
    bool changed;
    bbi_cursor_init(&c, e->value, e->value_len);
    int rc = bbi_record_next(&c, &record, err);
    if (rc != BB_OK) {
        return rc;
    }
    return record.type == BBI_RECORD_CHECKPOINT
               ? absorb_checkpoint(r, &record, err)
               : bbi_schema_apply(&r->cat->schema, &record, &changed, err);
}

static int load_kind(struct bbi_recovery *r, enum bbi_index_misc kind, struct bb_error *err)
{
    uint8_t prefix = (uint8_t)kind;
    struct bbi_scan scan;
    struct bbi_index_entry e;
    bool found = true;
    int rc = BB_OK;
    bbi_scan_init(&scan, r->cat->index, r->cat->acct, BBI_INDEX_MISC, &prefix, 1);
    while (rc == BB_OK && found) {
        rc = bbi_scan_next(&scan, &e, &found, err);
        if (rc == BB_OK && found) {
            rc = load_record(r, &e, err);
        }
    }
    bbi_scan_fini(&scan);
    return rc;
}

/* All ids that LMDB can have are below those that are given next. */
static void limit_indexed(struct bbi_catalog *cat)
{
    for (size_t i = 0; i < cat->schema.db_count; i++) {
        struct bbi_schema_db *db = cat->schema.dbs[i];
        db->indexed_sid_limit = db->next.sid > 1 ? db->next.sid : 0;
    }
}

static int load_schema(struct bbi_recovery *r, struct bb_error *err)
{
    static const enum bbi_index_misc kinds[] = {
        BBI_MISC_DATABASE,  BBI_MISC_RP,         BBI_MISC_MEASUREMENT,
        BBI_MISC_FIELD,     BBI_MISC_CHECKPOINT, BBI_MISC_USER,
        BBI_MISC_USER_GONE, BBI_MISC_TASK,       BBI_MISC_TASK_GONE};
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        rc = load_kind(r, kinds[i], err);
    }
    limit_indexed(r->cat);
    return rc == BB_OK ? bbi_catalog_load_tag_keys(r->cat, err) : rc;
}

/* ---- replaying the log ---- */

/* The series of the portion but those that were dropped in it. The bitmaps stay the schema's. */
static int apply_series(struct bbi_catalog *cat, struct bbi_index_writer *writer,
                        struct bb_error *err)
{
    struct bbi_dropped_list dropped = {.count = 0};
    dropped.list = bbi_mem_zalloc(cat->acct, cat->schema.db_count, sizeof(dropped.list[0]));
    if (dropped.list == NULL) {
        return bbi_error_nomem(err, "replaying catalog.log");
    }
    for (size_t i = 0; i < cat->schema.db_count; i++) {
        const struct bbi_schema_db *db = cat->schema.dbs[i];
        dropped.list[dropped.count++] = (struct bbi_dropped){db->id, db->dropped};
    }
    int rc = bbi_apply_series(writer, cat->active, &dropped, cat->acct, err);
    bbi_mem_free(dropped.list);
    return rc;
}

/* Everything gathered since the last portion goes to LMDB, which has the log up to end then. */
static int flush_portion(struct bbi_recovery *r, uint64_t end, struct bb_error *err)
{
    struct bbi_catalog *cat = r->cat;
    struct bbi_index_writer *writer;
    struct bbi_index_about about = {.log_id = r->scan.header_is_good ? cat->log.id.id
                                                                     : NAMELESS_LOG,
                                    .log_end = end,
                                    .seed = cat->seed};
    struct bbi_overlay *fresh = bbi_overlay_create(cat->acct);
    if (fresh == NULL) {
        return bbi_error_nomem(err, "replaying catalog.log");
    }
    int rc = bbi_index_write_begin(cat->index, &writer, err);
    if (rc == BB_OK) {
        rc = bbi_apply_records(writer, cat->active->records.data, cat->active->records.len,
                               cat->acct, err);
    }
    if (rc == BB_OK) {
        rc = apply_series(cat, writer, err);
    }
    if (rc != BB_OK) {
        bbi_index_write_abort(&writer);
        bbi_overlay_unref(fresh);
        return rc;
    }
    rc = bbi_index_write_commit(&writer, &about, err);
    bbi_overlay_unref(cat->active);
    cat->active = fresh;
    limit_indexed(cat);
    return rc;
}

static int note_removed(struct bbi_recovery *r, const struct bbi_record *record,
                        struct bb_error *err)
{
    uint64_t id;
    int rc = bbi_record_get_segment_remove(record, &id, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_buf_u64(&r->removed, id);
    return bbi_buf_check(&r->removed, "removed segments", err);
}

static int replay_record(struct bbi_recovery *r, const struct bbi_record *record,
                         struct bb_error *err)
{
    struct bbi_buf *records = &r->cat->active->records;
    int rc = BB_OK;
    switch (record->type) {
    case BBI_RECORD_CHECKPOINT:
        rc = absorb_checkpoint(r, record, err);
        break;
    case BBI_RECORD_SEGMENT_REMOVE:
        rc = note_removed(r, record, err);
        break;
    case BBI_RECORD_SEGMENT_ADD:
    case BBI_RECORD_DELETE:
    case BBI_RECORD_TOMBSTONE_REMOVE:
        break;
    default:
        return bbi_catalog_absorb(r->cat, record, err);
    }
    if (rc == BB_OK) {
        bbi_record_put(records, record->type, record->body, record->len);
        rc = bbi_buf_check(records, "replaying catalog.log", err);
    }
    return rc;
}

static int replay_frame(void *arg, struct bbi_cursor *records, uint64_t end, bool at_commit,
                        struct bb_error *err)
{
    struct bbi_recovery *r = arg;
    while (bbi_cursor_left(records) > 0) {
        struct bbi_record record;
        int rc = bbi_record_next(records, &record, err);
        if (rc == BB_OK) {
            rc = replay_record(r, &record, err);
        }
        if (rc == BB_ECORRUPT) {
            if (r->passed_over++ == 0) {
                bbi_buf_printf(&r->messages, "catalog.log, before %llu: %s\n",
                               (unsigned long long)end, err->text);
            }
        } else if (rc != BB_OK) {
            return rc;
        }
    }
    bool is_due = r->cat->active->series_count >= PORTION_SERIES ||
                  r->cat->active->records.len >= PORTION_BYTES;
    return at_commit && is_due ? flush_portion(r, end, err) : BB_OK;
}

static int replay(struct bbi_recovery *r, struct bb_error *err)
{
    struct bbi_catalog *cat = r->cat;
    if (cat->log.file == NULL || cat->log.end <= r->from || r->scan.frame_count == 0) {
        return BB_OK;
    }
    int rc = bbi_catlog_read(&cat->log, r->from, replay_frame, r, err);
    if (rc == BB_OK) {
        rc = flush_portion(r, cat->log.end, err);
    }
    if (r->passed_over > 1) {
        bbi_buf_printf(&r->messages, "catalog.log: %llu such records were passed over\n",
                       (unsigned long long)r->passed_over);
    }
    return rc;
}

int bbi_recover_flush(struct bbi_recovery *r, struct bb_error *err)
{
    return flush_portion(r, bbi_index_about(r->cat->index)->log_end, err);
}

/* ---- all of it ---- */

static int start_log(struct bbi_recovery *r, struct bb_error *err)
{
    struct bbi_catalog *cat = r->cat;
    struct bbi_catlog_id id = {.id = bbi_catlog_new_id()};
    bbi_catlog_close(&cat->log);
    return bbi_catlog_create(cat->fs, cat->log_path, &id, cat->acct, &cat->log, err);
}

/* Open and load LMDB; where its content makes no sense, which its checksums could not tell, once
 * more with a new one. */
static int load(struct bbi_recovery *r, struct bb_error *err)
{
    struct bbi_catalog *cat = r->cat;
    for (bool again = false;; again = true) {
        int rc = open_index(r, err);
        if (rc == BB_OK) {
            rc = decide(r, err);
        }
        if (rc == BB_OK) {
            rc = load_schema(r, err);
        }
        if (!is_broken(rc) || again) {
            return rc;
        }
        struct bb_error why = *err;
        rc = set_index_aside(r, why.text, err);
        if (rc != BB_OK) {
            return rc;
        }
        bbi_schema_fini(&cat->schema);
        bbi_schema_init(&cat->schema, cat->acct);
    }
}

int bbi_recover(struct bbi_recovery *r, struct bb_error *err)
{
    struct bbi_catalog *cat = r->cat;
    int rc = bbi_catlog_open(cat->fs, cat->log_path, cat->acct, &cat->log, &r->scan, err);
    if (rc == BB_OK) {
        rc = load(r, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    cat->seed = bbi_index_about(cat->index)->seed;
    cat->rewritten_bytes = cat->log.id.base_id != 0 ? r->scan.first_commit_end : 0;
    if (!r->log_is_bad && cat->log.tail_is_dirty) {
        bbi_buf_printf(&r->messages, "catalog.log: an unfinished commit of %llu bytes is cut off\n",
                       (unsigned long long)(r->scan.file_bytes - cat->log.end));
    }
    rc = replay(r, err);
    if (rc == BB_OK && !r->log_is_bad && !r->scan.header_is_good) {
        rc = start_log(r, err);
    }
    if (rc == BB_OK && r->rebuilt) {
        bbi_buf_str(&r->messages, "catalog.mdb was rebuilt from catalog.log\n");
    }
    return rc;
}
