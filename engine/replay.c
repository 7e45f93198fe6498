/*
 * Recovery: the catalog tells the live segments and the checkpoint; the log tells the rest.
 *
 * Frames above the checkpoint are applied in order to the catalog, the memtable and the set of
 * deletions. When the memtable is full meanwhile, it is flushed as in normal running. Applying a
 * frame that a segment holds already changes nothing: what it says is repeated by the later frames
 * that said otherwise.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/record.h"
#include "engine/db_impl.h"
#include "engine/wal/batchrec.h"

/* A field that cells may refer to. */
struct known_field {
    uint32_t db_id;
    uint32_t field_id;
    uint32_t measurement_id;
    uint8_t type;
};

#define KNOWN_FIELDS 64

struct replay {
    struct bb_db *db;
    struct bbi_batchbuf batch;
    struct known_field fields[KNOWN_FIELDS]; /* looked up lately, by field id */
    uint64_t lost_rows;                      /* of series or fields that only lost frames knew */
    uint64_t lost_records;
};

/* ---- segments ---- */

static int for_each_segment(struct bb_db *db,
                            int (*add)(void *arg, const struct bbi_segment_meta *meta,
                                       struct bb_error *err),
                            void *arg, struct bb_error *err)
{
    struct bbi_fs_names names;
    int rc = bbi_fs_list(db->fs, db->segment_dir, &names, err);
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        char path[BBI_FS_PATH_MAX];
        struct bbi_segment_meta meta;
        struct bb_error bad;
        uint64_t id;
        if (!bbi_segment_parse_name(names.names[i], &id)) {
            continue;
        }
        rc = bbi_segment_path(path, db->segment_dir, id, err);
        if (rc == BB_OK && bbi_segment_read_meta(db->fs, path, &meta, &bad) != BB_OK) {
            bbi_log(BBI_LOG_ERROR, "segment_unreadable", "reason=\"%s\"", bad.text);
        } else if (rc == BB_OK) {
            rc = add(arg, &meta, err);
        }
    }
    bbi_fs_names_fini(&names);
    return rc;
}

static int list_segments(void *arg,
                         int (*add)(void *add_arg, const struct bbi_segment_meta *meta,
                                    struct bb_error *err),
                         void *add_arg, struct bb_error *err)
{
    return for_each_segment(arg, add, add_arg, err);
}

static bool is_live(const struct bbi_catalog_state *state, uint64_t id)
{
    size_t low = 0;
    size_t high = state->segment_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (state->segments[mid].id < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < state->segment_count && state->segments[low].id == id;
}

/* Move a file to quarantine/, for whoever may save it. */
static void set_aside(struct bb_db *db, const char *path, const char *name)
{
    char kept[BBI_FS_PATH_MAX];
    struct bb_error err;
    if (bbi_fs_join(kept, db->quarantine_dir, name, &err) != BB_OK ||
        (bbi_fs_rename(db->fs, path, kept, &err) != BB_OK && err.code != BB_ENOTFOUND)) {
        bbi_log(BBI_LOG_ERROR, "quarantine_failed", "reason=\"%s\"", err.text);
    }
}

static void remove_orphan(struct bb_db *db, const char *name, bool doubtful)
{
    char path[BBI_FS_PATH_MAX];
    struct bb_error err;
    int rc = bbi_fs_join(path, db->segment_dir, name, &err);
    if (rc == BB_OK && doubtful) {
        bbi_log(BBI_LOG_WARN, "segment_unknown", "name=%s kept=quarantine", name);
        set_aside(db, path, name);
    } else if (rc == BB_OK) {
        rc = bbi_fs_unlink(db->fs, path, &err);
    }
    if (rc != BB_OK) {
        bbi_log(BBI_LOG_WARN, "orphan_kept", "reason=\"%s\"", err.text);
    }
}

/* Files that a crash left behind: unfinished, never published, or replaced and not yet removed. A
 * catalog that has lost something, or knows of nothing at all, is not believed that a segment is
 * none of its own. */
static int remove_orphans(struct bb_db *db, const struct bbi_catalog_state *state,
                          struct bb_error *err)
{
    struct bbi_fs_names names;
    bool doubtful = state->damaged || (state->segment_count == 0 && state->checkpoint_lsn == 0);
    int rc = bbi_fs_list(db->fs, db->segment_dir, &names, err);
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        uint64_t id;
        if (bbi_segment_is_tmp_name(names.names[i])) {
            remove_orphan(db, names.names[i], false);
        } else if (bbi_segment_parse_name(names.names[i], &id) && !is_live(state, id)) {
            remove_orphan(db, names.names[i], doubtful);
        }
    }
    bbi_fs_names_fini(&names);
    return rc;
}

/* An unreadable segment keeps its place in the version, so that queries can tell what is missing.
 * Its file is set aside if it is damaged; it stays if it could only not be read this time. */
static void quarantine(struct bb_db *db, const char *path, struct bbi_live_segment *live,
                       const struct bb_error *why)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "seg-%016llx.bbs", (unsigned long long)live->meta.id);
    if (why->code == BB_ECORRUPT) {
        set_aside(db, path, name);
    }
    bbi_segment_unref(&live->segment);
    live->quarantined = true;
    atomic_fetch_add(&db->counters.quarantined, 1);
    bbi_log(BBI_LOG_ERROR, "segment_quarantined", "rows=%llu reason=\"%s\"",
            (unsigned long long)live->meta.row_count, why->text);
}

/* After damage to the catalog, segments may have come back whose database it no longer knows. */
static void check_owner(struct bb_db *db, const char *path, struct bbi_live_segment *live)
{
    struct bbi_rp rp;
    struct bb_error why;
    if (!bbi_catalog_database_exists(db->catalog, live->meta.db_id) ||
        bbi_catalog_rp_get(db->catalog, live->meta.rp_id, &rp, &why) != BB_OK) {
        int rc = bbi_error_set(&why, BB_ECORRUPT, "%s: the catalog lost its database", path);
        (void)rc;
        quarantine(db, path, live, &why);
    }
}

static int open_segments(struct bb_db *db, const struct bbi_catalog_state *state,
                         struct bb_error *err)
{
    struct bbi_live_segment *live = bbi_mem_zalloc(&db->acct, state->segment_count,
                                                   sizeof(live[0]));
    int rc = live == NULL ? bbi_error_nomem(err, "segments") : BB_OK;
    for (size_t i = 0; rc == BB_OK && i < state->segment_count; i++) {
        char path[BBI_FS_PATH_MAX];
        struct bb_error why;
        live[i].meta = state->segments[i];
        rc = bbi_segment_path(path, db->segment_dir, live[i].meta.id, err);
        if (rc != BB_OK) {
            break;
        }
        int opened = bbi_segment_open(db->fs, path, &db->segment_acct, &live[i].segment, &why);
        if (opened == BB_ENOMEM) {
            rc = bbi_error_nomem(err, "segments");
        } else if (opened == BB_EVERSION) {
            *err = why;
            rc = opened;
        } else if (opened != BB_OK) {
            quarantine(db, path, &live[i], &why);
        } else if (state->damaged) {
            check_owner(db, path, &live[i]);
        }
    }
    if (rc == BB_OK) {
        rc = bbi_version_create(&db->acct, NULL, live, state->segment_count, NULL, 0, &db->version,
                                err);
    }
    for (size_t i = 0; live != NULL && i < state->segment_count; i++) {
        bbi_segment_unref(&live[i].segment);
    }
    bbi_mem_free(live);
    return rc;
}

static int load_tombstones(struct bb_db *db, struct bbi_catalog_state *state, struct bb_error *err)
{
    int rc = bbi_tombset_create(&db->acct, NULL, NULL, NULL, 0, &db->tombs, err);
    for (size_t i = 0; rc == BB_OK && i < state->tombstone_count; i++) {
        struct bbi_tombset *set;
        rc = bbi_tombset_create(&db->acct, db->tombs, &state->tombstones[i], NULL, 0, &set, err);
        if (rc == BB_OK) {
            bbi_tombset_unref(&db->tombs);
            db->tombs = set;
        }
    }
    return rc;
}

/* ---- frames ---- */

/* Whether a cell's field is what the catalog says. */
static bool field_is_known(struct replay *r, uint32_t db_id, uint32_t mid,
                           const struct bbi_cell *cell)
{
    struct known_field *f = &r->fields[cell->field_id % KNOWN_FIELDS];
    if (f->db_id != db_id || f->field_id != cell->field_id) {
        struct bb_error unknown;
        enum bbi_type type;
        uint32_t field_mid;
        if (bbi_catalog_field_get(r->db->catalog, db_id, cell->field_id, &field_mid, &type, NULL,
                                  &unknown) != BB_OK) {
            return false;
        }
        *f = (struct known_field){db_id, cell->field_id, field_mid, (uint8_t)type};
    }
    return f->measurement_id == mid && f->type == cell->type;
}

/* Ids may have been given out by frames that are lost. Rows of such must not become another series'
 * or field's. */
static void drop_unknown(struct replay *r, struct bbi_batch *batch)
{
    uint32_t next_series = bbi_catalog_next_series(r->db->catalog, batch->db_id);
    size_t kept = 0;
    for (size_t i = 0; i < batch->point_count; i++) {
        const struct bbi_point *point = &batch->points[i];
        bool known = point->series_id < next_series;
        for (uint32_t k = 0; known && k < point->cell_count; k++) {
            known = field_is_known(r, batch->db_id, point->measurement_id,
                                   &batch->cells[point->cell_first + k]);
        }
        if (known) {
            batch->points[kept++] = *point;
        } else if (next_series != 0 && !bbi_catalog_was_measurement(r->db->catalog, batch->db_id,
                                                                    point->measurement_id)) {
            r->lost_rows++;
        }
    }
    batch->point_count = kept;
}

static int replay_batch(struct replay *r, const struct bbi_record *record, uint64_t lsn,
                        struct bb_error *err)
{
    struct bb_db *db = r->db;
    struct bbi_cursor c;
    struct bbi_batch *batch = &r->batch.batch;
    bbi_cursor_init(&c, record->body, record->len);
    int rc = bbi_batchrec_decode(&c, &r->batch, err);
    if (rc == BB_OK) {
        drop_unknown(r, batch);
    }
    if (rc == BB_OK && batch->point_count != 0) {
        rc = bbi_memtable_prepare(db->active, batch, err);
        if (rc == BB_OK) {
            bbi_memtable_apply(db->active, batch, lsn);
            if (db->hook.batch != NULL) {
                db->hook.batch(db->hook.arg, batch, lsn);
            }
        }
    }
    return rc;
}

static int replay_delete(struct replay *r, const struct bbi_record *record, uint64_t lsn,
                         struct bb_error *err)
{
    struct bb_db *db = r->db;
    struct bbi_tombstone t;
    struct bbi_tombset *set;
    int rc = bbi_record_get_delete(record, lsn, &t, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_tombset_create(&db->acct, db->tombs, &t, NULL, 0, &set, err);
    if (rc != BB_OK) {
        roaring_bitmap_free(t.series);
        return rc;
    }
    bbi_tombset_unref(&db->tombs);
    db->tombs = set;
    if (db->hook.deletion != NULL) {
        db->hook.deletion(db->hook.arg, &set->tombs[set->count - 1]->t);
    }
    return BB_OK;
}

static int replay_record(struct replay *r, const struct bbi_record *record, uint64_t lsn,
                         struct bb_error *err)
{
    switch (record->type) {
    case BBI_RECORD_BATCH:
        return replay_batch(r, record, lsn, err);
    case BBI_RECORD_DELETE:
        return replay_delete(r, record, lsn, err);
    case BBI_RECORD_SOURCE:
        return BB_OK;
    default:
        return bbi_catalog_replay(r->db->catalog, record, err);
    }
}

/* Flush during replay, so that memory stays bounded however much the log holds. On a full disk it
 * goes on in memory: the flusher will try again. */
static int make_room(struct replay *r, const struct bbi_frame *frame, struct bb_error *err)
{
    struct bb_db *db = r->db;
    struct bbi_catalog_stats stats;
    bbi_catalog_stats_get(db->catalog, &stats);
    uint64_t base = bbi_memtable_base_lsn(db->active);
    if (bbi_memtable_bytes(db->active) < db->options.memtable_bytes &&
        stats.overlay_series < BBI_OVERLAY_SERIES_MAX &&
        frame->lsn_end - base < 2 * BBI_WAL_SINCE_CHECKPOINT_MAX) {
        return BB_OK;
    }
    int rc = db->flushing == NULL ? bbi_db_rotate(db, frame->lsn_start, err) : BB_OK;
    rc = rc == BB_OK ? bbi_db_flush_generation(db, err) : rc;
    if (rc == BB_ENOSPC) {
        bbi_log(BBI_LOG_WARN, "flush_failed", "reason=\"%s\"", err->text);
        rc = BB_OK;
    }
    return rc;
}

static int replay_records(struct replay *r, const struct bbi_frame *frame, struct bb_error *err)
{
    struct bbi_cursor c;
    struct bbi_record record;
    bbi_cursor_init(&c, frame->payload, frame->length);
    int rc = BB_OK;
    bool readable = true;
    while (rc == BB_OK && readable && bbi_cursor_left(&c) > 0) {
        rc = bbi_record_next(&c, &record, err);
        readable = rc == BB_OK;
        if (rc == BB_OK) {
            rc = replay_record(r, &record, frame->lsn_end, err);
        }
        if (rc == BB_ECORRUPT) {
            bbi_log(BBI_LOG_ERROR, "record_lost", "lsn=%llu reason=\"%s\"",
                    (unsigned long long)frame->lsn_start, err->text);
            r->lost_records++;
            rc = BB_OK;
        }
    }
    return rc;
}

static int deliver(void *arg, const struct bbi_frame *frame, struct bb_error *err)
{
    struct replay *r = arg;
    int rc = make_room(r, frame, err);
    rc = rc == BB_OK ? replay_records(r, frame, err) : rc;
    return rc == BB_OK
               ? BB_OK
               : bbi_error_wrap(err, "replay frame at %llu", (unsigned long long)frame->lsn_start);
}

static int open_log(struct bb_db *db, uint64_t checkpoint_lsn, struct bb_error *err)
{
    struct replay r = {.db = db};
    struct bbi_wal_report report;
    struct bbi_wal_options options = {.buffer_bytes = db->options.wal_buffer_bytes,
                                      .headroom_bytes = BBI_WAL_HEADROOM,
                                      .append_wait_ms = -1};
    struct bbi_wal *wal;
    bbi_batchbuf_init(&r.batch, &db->write_acct);
    int rc = bbi_wal_open(db->fs, db->wal_dir, db->quarantine_dir, &options, &db->write_acct,
                          checkpoint_lsn, deliver, &r, &wal, &report, err);
    bbi_batchbuf_fini(&r.batch);
    if (rc != BB_OK) {
        return rc;
    }
    db->wal = wal;
    atomic_store(&db->applied_lsn, bbi_wal_end(wal));
    atomic_store(&db->counters.wal_corruptions, report.corrupt_ranges + r.lost_records);
    if (report.corrupt_ranges != 0) {
        bbi_log(BBI_LOG_ERROR, "wal_corrupt", "ranges=%llu bytes=%llu detail=\"%s\"",
                (unsigned long long)report.corrupt_ranges, (unsigned long long)report.corrupt_bytes,
                report.message);
    }
    if (r.lost_rows != 0) {
        bbi_log(BBI_LOG_ERROR, "rows_lost",
                "rows=%llu reason=\"their series were announced in a damaged frame\"",
                (unsigned long long)r.lost_rows);
    }
    bbi_log(BBI_LOG_INFO, "recovered", "frames=%llu bytes=%llu torn_bytes=%llu segments=%llu",
            (unsigned long long)report.frames, (unsigned long long)report.bytes,
            (unsigned long long)report.torn_bytes, (unsigned long long)db->version->count);
    return BB_OK;
}

int bbi_db_recover(struct bb_db *db, struct bb_error *err)
{
    struct bbi_catalog_state state;
    struct bbi_catalog_options options = {.map_bytes = db->options.catalog_map_bytes};
    memset(&state, 0, sizeof(state));
    int rc = bbi_catalog_open(db->fs, db->dir, &options, &db->catalog_acct, list_segments, db,
                              &db->catalog, &state, err);
    if (rc != BB_OK) {
        return bbi_error_wrap(err, "open catalog");
    }
    if (state.messages != NULL && state.messages[0] != '\0') {
        bbi_log(state.damaged ? BBI_LOG_ERROR : BBI_LOG_WARN, "catalog_repaired", "detail=\"%s\"",
                state.messages);
    }
    uint64_t checkpoint = state.checkpoint_lsn;
    db->checkpoint_lsn = checkpoint;
    rc = remove_orphans(db, &state, err);
    rc = rc == BB_OK ? open_segments(db, &state, err) : rc;
    rc = rc == BB_OK ? load_tombstones(db, &state, err) : rc;
    rc = rc == BB_OK ? bbi_memtable_create(&db->memtable_acct, checkpoint, &db->active, err) : rc;
    bbi_catalog_state_fini(&state);
    rc = rc == BB_OK ? open_log(db, checkpoint, err) : rc;
    return rc == BB_OK ? bbi_catalog_set_limits(db->catalog, db->options.series_max,
                                                db->options.tag_values_max, err)
                       : rc;
}
