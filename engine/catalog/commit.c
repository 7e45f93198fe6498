/*
 * Making things durable: frozen overlays and an edit go to catalog.log, which is synced, and then
 * to LMDB in one transaction.
 *
 * When a disk or LMDB refuses, the log takes back what it wrote, so that the edit is nowhere and
 * the caller may throw its files away. Where that fails, or LMDB cannot say whether it committed,
 * the catalog is in doubt and refuses all further commits: opening it again settles what is there.
 */
#include <stdio.h>
#include <string.h>

#include "engine/catalog/apply.h"
#include "engine/catalog/internal.h"

/* Series records gather up to here before they go to the log. */
#define STAGE_BYTES ((size_t)256 << 10)
#define STAGE_MAX   ((size_t)1 << 30)

/* The log is written anew when it has grown to this multiple of its last such length, and to this
 * length at least: so its size stays in proportion to what it says. */
#define REWRITE_FACTOR 4
#define REWRITE_BYTES  ((uint64_t)8 << 20)

/* Memory that the pending buffer keeps when it is empty. */
#define PENDING_KEPT ((size_t)1 << 20)

struct commit {
    struct bbi_overlay **frozen; /* [count], oldest first; referred to */
    size_t count;
    struct bbi_buf edit; /* its records, the checkpoint last */
    struct bbi_record_checkpoint counters;
    const struct bbi_next_ids *ids;
    struct bbi_dropped_list dropped; /* in frozen: these series are not written */
};

/* ---- gathering ---- */

static int gather_frozen(struct bbi_catalog *cat, struct commit *c, struct bb_error *err)
{
    bbi_catalog_read_lock(cat);
    size_t count = 0;
    for (const struct bbi_overlay *o = cat->frozen; o != NULL; o = o->next) {
        count++;
    }
    c->frozen = bbi_mem_zalloc(cat->acct, count, sizeof(struct bbi_overlay *));
    for (struct bbi_overlay *o = cat->frozen; c->frozen != NULL && o != NULL; o = o->next) {
        bbi_overlay_ref(o);
        c->frozen[c->count++] = o;
    }
    bbi_catalog_unlock(cat);
    return c->frozen == NULL ? bbi_error_nomem(err, "catalog commit") : BB_OK;
}

static int note_dropped(struct bbi_catalog *cat, struct commit *c, const struct bbi_record *record,
                        struct bb_error *err)
{
    struct bbi_dropped_list *d = &c->dropped;
    struct bbi_record_series_drop r;
    int rc = bbi_record_get_series_drop(record, &r, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < d->count; i++) {
        if (d->list[i].db_id == r.db_id) {
            roaring_bitmap_or_inplace(d->list[i].sids, r.sids);
            roaring_bitmap_free(r.sids);
            return BB_OK;
        }
    }
    struct bbi_dropped *list = bbi_mem_realloc(cat->acct, d->list, (d->count + 1) * sizeof(*list));
    if (list == NULL) {
        roaring_bitmap_free(r.sids);
        return bbi_error_nomem(err, "catalog commit");
    }
    list[d->count++] = (struct bbi_dropped){r.db_id, r.sids};
    d->list = list;
    return BB_OK;
}

/* What the frozen overlays themselves drop. What was dropped since is written, and goes by the next
 * commit's records: the frame of the log that says so may not be synced yet, and after a power cut
 * there would be rows without a name. */
static int gather_dropped(struct bbi_catalog *cat, struct commit *c, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < c->count; i++) {
        const struct bbi_buf *records = &c->frozen[i]->records;
        struct bbi_cursor cursor;
        struct bbi_record record;
        bbi_cursor_init(&cursor, records->data, records->len);
        while (rc == BB_OK && bbi_cursor_left(&cursor) > 0) {
            rc = bbi_record_next(&cursor, &record, err);
            if (rc == BB_OK && record.type == BBI_RECORD_SERIES_DROP) {
                rc = note_dropped(cat, c, &record, err);
            }
        }
    }
    return rc;
}

static void release_dropped(struct commit *c)
{
    for (size_t i = 0; i < c->dropped.count; i++) {
        roaring_bitmap_free(c->dropped.list[i].sids);
    }
    bbi_mem_free(c->dropped.list);
}

/* Counters belong to what is written with them: ids that only the active overlay has given must not
 * look as if they had been dropped. */
static void gather_counters(struct bbi_catalog *cat, struct commit *c, uint64_t checkpoint_lsn)
{
    c->counters = cat->committed;
    c->ids = cat->committed_ids;
    if (c->count > 0) {
        const struct bbi_overlay *newest = c->frozen[c->count - 1];
        c->counters = newest->counters;
        c->ids = newest->next_ids;
    }
    c->counters.lsn = checkpoint_lsn > cat->committed.lsn ? checkpoint_lsn : cat->committed.lsn;
    c->counters.next_segment_id = atomic_load(&cat->next_segment_id) + BBI_SEGMENT_ID_RESERVE;
}

static int gather_edit(struct commit *c, const struct bbi_catalog_edit *edit, struct bb_error *err)
{
    for (size_t i = 0; i < edit->remove_segment_count; i++) {
        bbi_record_put_segment_remove(&c->edit, edit->remove_segments[i]);
    }
    for (size_t i = 0; i < edit->add_segment_count; i++) {
        bbi_record_put_segment_add(&c->edit, &edit->add_segments[i]);
    }
    for (size_t i = 0; i < edit->remove_tombstone_count; i++) {
        bbi_record_put_tombstone_remove(&c->edit, edit->remove_tombstones[i]);
    }
    for (size_t i = 0; i < edit->add_tombstone_count; i++) {
        BB_ASSERT(edit->add_tombstones[i].lsn != 0);
        bbi_record_put_delete(&c->edit, &edit->add_tombstones[i]);
    }
    bbi_record_put_checkpoint(&c->edit, &c->counters, c->ids);
    return bbi_buf_check(&c->edit, "catalog edit", err);
}

/* ---- writing ---- */

/* Records one by one, so that frames can close between them. */
static int log_records(struct bbi_catlog *log, const struct bbi_buf *records, struct bb_error *err)
{
    struct bbi_cursor c;
    int rc = BB_OK;
    bbi_cursor_init(&c, records->data, records->len);
    while (rc == BB_OK && bbi_cursor_left(&c) > 0) {
        struct bbi_record record;
        const uint8_t *start = c.p;
        rc = bbi_record_next(&c, &record, err);
        if (rc == BB_OK) {
            rc = bbi_catlog_add(log, start, (size_t)(c.p - start), err);
        }
    }
    return rc;
}

int bbi_catalog_log_stage(struct bbi_catlog *log, struct bbi_buf *stage, size_t at_least,
                          struct bb_error *err)
{
    int rc = BB_OK;
    if (stage->err != BB_OK || stage->len >= at_least) {
        rc = bbi_buf_check(stage, "series records", err);
        if (rc == BB_OK) {
            rc = log_records(log, stage, err);
        }
        bbi_buf_reset(stage);
    }
    return rc;
}

static int log_series(struct bbi_catalog *cat, const struct bbi_overlay *o,
                      const struct bbi_dropped_list *list, struct bb_error *err)
{
    struct bbi_series_writer writer;
    struct bbi_buf stage;
    int rc = BB_OK;
    bbi_series_writer_init(&writer, cat->acct);
    bbi_buf_init(&stage, cat->acct, STAGE_MAX);
    for (const struct bbi_overlay_db *db = o->dbs; rc == BB_OK && db != NULL; db = db->next) {
        const roaring_bitmap_t *dropped = bbi_dropped_find(list, db->db_id);
        for (size_t i = 0; rc == BB_OK && i < db->count; i++) {
            const struct bbi_overlay_series *s = db->series[i];
            if (dropped != NULL && roaring_bitmap_contains(dropped, s->sid)) {
                continue;
            }
            bbi_series_writer_add(&writer, db->db_id,
                                  &(struct bbi_record_series){s->sid, s->mid, s->key, s->key_len},
                                  &stage);
            rc = bbi_catalog_log_stage(&cat->log, &stage, STAGE_BYTES, err);
        }
    }
    bbi_series_writer_close(&writer, &stage);
    if (rc == BB_OK) {
        rc = bbi_buf_check(&writer.body, "series records", err);
    }
    if (rc == BB_OK) {
        rc = bbi_catalog_log_stage(&cat->log, &stage, 0, err);
    }
    bbi_series_writer_fini(&writer);
    bbi_buf_fini(&stage);
    return rc;
}

static int write_log(struct bbi_catalog *cat, const struct commit *c, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < c->count; i++) {
        rc = log_records(&cat->log, &c->frozen[i]->records, err);
        if (rc == BB_OK) {
            rc = log_series(cat, c->frozen[i], &c->dropped, err);
        }
    }
    if (rc == BB_OK) {
        rc = log_records(&cat->log, &c->edit, err);
    }
    if (rc == BB_OK) {
        rc = bbi_catlog_commit(&cat->log, err);
    }
    return rc;
}

static int write_index(struct bbi_catalog *cat, const struct commit *c, struct bb_error *err)
{
    struct bbi_index_writer *writer;
    struct bbi_index_about about = {
        .log_id = cat->log.id.id, .log_end = cat->log.end, .seed = cat->seed};
    int rc = bbi_index_write_begin(cat->index, &writer, err);
    for (size_t i = 0; rc == BB_OK && i < c->count; i++) {
        const struct bbi_overlay *o = c->frozen[i];
        rc = bbi_apply_records(writer, o->records.data, o->records.len, cat->acct, err);
        if (rc == BB_OK) {
            rc = bbi_apply_series(writer, o, &c->dropped, cat->acct, err);
        }
    }
    if (rc == BB_OK) {
        rc = bbi_apply_records(writer, c->edit.data, c->edit.len, cat->acct, err);
    }
    if (rc != BB_OK) {
        bbi_index_write_abort(&writer);
        return rc;
    }
    return bbi_index_write_commit(&writer, &about, err);
}

/* ---- after a commit ---- */

/* Overlays that LMDB has now go away; who began to read before still holds them. */
static void retire_frozen(struct bbi_catalog *cat, const struct commit *c)
{
    bbi_catalog_write_lock(cat);
    for (size_t i = 0; i < c->count; i++) {
        const struct bbi_overlay *o = c->frozen[i];
        for (const struct bbi_overlay_db *odb = o->dbs; odb != NULL; odb = odb->next) {
            struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, odb->db_id);
            if (db != NULL && odb->count > 0 &&
                db->indexed_sid_limit <= odb->series[odb->count - 1]->sid) {
                db->indexed_sid_limit = odb->series[odb->count - 1]->sid + 1;
            }
        }
        cat->frozen = o->next;
    }
    cat->epoch += c->count > 0;
    bbi_catalog_unlock(cat);
    for (size_t i = 0; i < c->count; i++) {
        bbi_overlay_unref(c->frozen[i]);
    }
}

/* The counters outlive the overlay that they came with. */
static int keep_counters(struct bbi_catalog *cat, const struct commit *c,
                         struct bbi_next_ids **kept, struct bb_error *err)
{
    size_t bytes = c->counters.db_count * sizeof(**kept);
    *kept = bbi_mem_alloc(cat->acct, bytes);
    if (*kept == NULL) {
        return bbi_error_nomem(err, "catalog commit");
    }
    if (bytes != 0) {
        memcpy(*kept, c->ids, bytes);
    }
    return BB_OK;
}

static int doubt(struct bbi_catalog *cat, struct bb_error *err)
{
    cat->in_doubt = true;
    err->code = BB_EREADONLY;
    return bbi_error_wrap(err, "the catalog's commit is in doubt until it is opened again");
}

static int undo_log(struct bbi_catalog *cat, uint64_t end, struct bb_error *err)
{
    struct bb_error undo_err;
    if (bbi_index_is_in_doubt(cat->index) ||
        bbi_catlog_rewind(&cat->log, end, &undo_err) != BB_OK) {
        return doubt(cat, err);
    }
    return err->code;
}

static int commit(struct bbi_catalog *cat, struct commit *c, struct bb_error *err)
{
    struct bbi_next_ids *kept;
    uint64_t end = cat->log.end;
    int rc = keep_counters(cat, c, &kept, err);
    if (rc == BB_OK) {
        rc = write_log(cat, c, err);
        /* What a failed write or sync leaves of a frame is not known before the next start. */
        if (rc == BB_EIO) {
            bbi_mem_free(kept);
            return doubt(cat, err);
        }
        if (rc == BB_OK) {
            rc = write_index(cat, c, err);
        }
        if (rc != BB_OK) {
            rc = undo_log(cat, end, err);
        }
    }
    if (rc != BB_OK) {
        bbi_mem_free(kept);
        return rc;
    }
    bbi_mem_free(cat->committed_ids);
    cat->committed_ids = kept;
    cat->committed = c->counters;
    retire_frozen(cat, c);
    atomic_fetch_add(&cat->commit_count, 1);
    atomic_store(&cat->log_bytes, cat->log.end);
    return BB_OK;
}

static bool edit_is_empty(const struct bbi_catalog_edit *e)
{
    return e->add_segment_count == 0 && e->remove_segment_count == 0 &&
           e->add_tombstone_count == 0 && e->remove_tombstone_count == 0;
}

/* Failing to write the log anew loses nothing: the old one stands, and the next commit tries. */
static void rewrite_when_due(struct bbi_catalog *cat)
{
    struct bb_error ignored;
    if (cat->log.end >= REWRITE_BYTES && cat->log.end / REWRITE_FACTOR >= cat->rewritten_bytes) {
        (void)!bbi_catalog_rewrite_log(cat, false, &ignored);
        cat->rewritten_bytes = cat->log.end;
    }
}

static int commit_locked(struct bbi_catalog *cat, const struct bbi_catalog_edit *edit, bool always,
                         struct commit *c, struct bb_error *err)
{
    if (cat->in_doubt) {
        return bbi_error_set(err, BB_EREADONLY,
                             "catalog: an earlier commit is in doubt until it is opened again");
    }
    int rc = gather_frozen(cat, c, err);
    bool is_needed = c->count > 0 || !edit_is_empty(edit) ||
                     edit->checkpoint_lsn > cat->committed.lsn || always;
    if (rc != BB_OK || !is_needed) {
        return rc;
    }
    gather_counters(cat, c, edit->checkpoint_lsn);
    rc = gather_dropped(cat, c, err);
    rc = rc == BB_OK ? gather_edit(c, edit, err) : rc;
    if (rc == BB_OK) {
        rc = commit(cat, c, err);
    }
    if (rc == BB_OK) {
        rewrite_when_due(cat);
    }
    return rc;
}

static int commit_edit(struct bbi_catalog *cat, const struct bbi_catalog_edit *edit, bool always,
                       struct bb_error *err)
{
    struct commit c = {.count = 0};
    pthread_mutex_lock(&cat->commit_lock);
    bbi_buf_init(&c.edit, cat->acct, STAGE_MAX);
    int rc = commit_locked(cat, edit, always, &c, err);
    for (size_t i = 0; i < c.count; i++) {
        bbi_overlay_unref(c.frozen[i]);
    }
    release_dropped(&c);
    bbi_mem_free(c.frozen);
    bbi_buf_fini(&c.edit);
    pthread_mutex_unlock(&cat->commit_lock);
    return rc;
}

int bbi_catalog_commit(struct bbi_catalog *cat, const struct bbi_catalog_edit *edit,
                       struct bb_error *err)
{
    return commit_edit(cat, edit, false, err);
}

int bbi_catalog_commit_always(struct bbi_catalog *cat, const struct bbi_catalog_edit *edit,
                              struct bb_error *err)
{
    return commit_edit(cat, edit, true, err);
}

/* ---- rotation, pending records ---- */

int bbi_catalog_counters(struct bbi_catalog *cat, struct bbi_record_checkpoint *counters,
                         struct bbi_next_ids **ids, struct bb_error *err)
{
    const struct bbi_schema *s = &cat->schema;
    *ids = bbi_mem_alloc(cat->acct, s->db_count * sizeof(**ids));
    if (*ids == NULL) {
        return bbi_error_nomem(err, "catalog counters");
    }
    *counters = (struct bbi_record_checkpoint){.next_db_id = s->next_db_id,
                                               .next_rp_id = s->next_rp_id,
                                               .db_count = (uint32_t)s->db_count};
    for (size_t i = 0; i < s->db_count; i++) {
        (*ids)[i] = s->dbs[i]->next;
    }
    return BB_OK;
}

int bbi_catalog_rotate(struct bbi_catalog *cat, struct bb_error *err)
{
    bbi_catalog_write_lock(cat);
    struct bbi_overlay *o = cat->active;
    int rc = BB_OK;
    if (!bbi_overlay_is_empty(o)) {
        struct bbi_overlay *fresh = bbi_overlay_create(cat->acct);
        if (fresh == NULL) {
            rc = bbi_error_nomem(err, "rotating the catalog");
        } else {
            rc = bbi_catalog_counters(cat, &o->counters, &o->next_ids, err);
        }
        if (rc == BB_OK) {
            struct bbi_overlay **at = &cat->frozen;
            while (*at != NULL) {
                at = &(*at)->next;
            }
            *at = o;
            cat->active = fresh;
        } else {
            bbi_overlay_unref(fresh);
        }
    }
    bbi_catalog_unlock(cat);
    return rc;
}

bool bbi_catalog_has_pending(const struct bbi_catalog *cat)
{
    return atomic_load(&cat->pending.any);
}

/* Bytes of the records, from the first, that fit into max_bytes; one at the least. */
static size_t whole_records(const struct bbi_buf *records, size_t max_bytes)
{
    struct bbi_cursor c;
    struct bbi_record record;
    struct bb_error err;
    size_t fit = 0;
    bbi_cursor_init(&c, records->data, records->len);
    while (bbi_cursor_left(&c) > 0) {
        int rc = bbi_record_next(&c, &record, &err);
        BB_ASSERT(rc == BB_OK);
        size_t end = records->len - bbi_cursor_left(&c);
        if (end > max_bytes && fit != 0) {
            break;
        }
        fit = end;
    }
    return fit;
}

int bbi_catalog_take_pending(struct bbi_catalog *cat, size_t max_bytes, struct bbi_buf *out,
                             bool *more, struct bb_error *err)
{
    struct bbi_pending *p = &cat->pending;
    size_t was = out->len;
    *more = false;
    if (!bbi_catalog_has_pending(cat)) {
        return BB_OK;
    }
    bbi_catalog_write_lock(cat);
    bbi_series_writer_close(&p->series, &p->records);
    BB_ASSERT(p->records.err == BB_OK);
    size_t take = p->records.len <= max_bytes ? p->records.len
                                              : whole_records(&p->records, max_bytes);
    bbi_buf_put(out, p->records.data, take);
    int rc = bbi_buf_check(out, "pending records", err);
    if (rc == BB_OK) {
        p->taken = take;
        *more = take != p->records.len;
    } else {
        out->len = was;
        out->err = BB_OK;
    }
    bbi_catalog_unlock(cat);
    return rc;
}

void bbi_catalog_pending_done(struct bbi_catalog *cat, bool appended)
{
    struct bbi_pending *p = &cat->pending;
    bbi_catalog_write_lock(cat);
    if (appended && p->taken != 0) {
        memmove(p->records.data, p->records.data + p->taken, p->records.len - p->taken);
        p->records.len -= p->taken;
        atomic_store(&p->any, p->records.len != 0 || p->series.count != 0);
        if (!p->any && p->records.cap > PENDING_KEPT) {
            bbi_buf_fini(&p->records);
        }
    }
    p->taken = 0;
    bbi_catalog_unlock(cat);
}

uint64_t bbi_catalog_segment_id_new(struct bbi_catalog *cat)
{
    return atomic_fetch_add(&cat->next_segment_id, 1);
}
