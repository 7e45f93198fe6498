/*
 * Flushing, publishing, and the two threads that do it.
 *
 * A generation is frozen under the write lock (bbi_db_rotate), written to segments by whoever holds
 * the flush lock, and published: the catalog's commit first, then the pointers that snapshots copy,
 * in one step. A failed flush leaves the generation where it is, readable, and is tried again.
 */
#include <string.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/db_impl.h"
#include "engine/partition/flush.h"

#define RETRY_MS        1000
#define COMPACT_POLL_MS 5000

/* What goes on failing, as on a full disk, is told once in this time. */
#define REPEAT_NS INT64_C(10000000000)

int bbi_db_rotate(struct bb_db *db, uint64_t lsn, struct bb_error *err)
{
    struct bbi_memtable *fresh;
    struct bbi_catalog_stats stats;
    bbi_catalog_stats_get(db->catalog, &stats);
    if (lsn == bbi_memtable_base_lsn(db->active) && stats.overlay_series == 0 &&
        stats.pending_bytes == 0 && lsn == db->checkpoint_lsn) {
        return BB_OK;
    }
    int rc = bbi_memtable_create(&db->memtable_acct, lsn, &fresh, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_catalog_rotate(db->catalog, err);
    if (rc != BB_OK) {
        bbi_memtable_unref(&fresh);
        return rc;
    }
    pthread_mutex_lock(&db->state_lock);
    BB_ASSERT(db->flushing == NULL);
    db->flushing = db->active;
    db->flushing_lsn = lsn;
    db->active = fresh;
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
    return BB_OK;
}

uint64_t bbi_db_memtable_bytes(struct bb_db *db)
{
    pthread_mutex_lock(&db->state_lock);
    uint64_t bytes = bbi_memtable_bytes(db->active);
    bytes += db->flushing == NULL ? 0 : bbi_memtable_bytes(db->flushing);
    pthread_mutex_unlock(&db->state_lock);
    return bytes;
}

/* ---- publishing ---- */

/* Whether a tombstone still hides something: rows of the memtable, or of a segment that has not
 * applied it. */
static bool is_needed(const struct bbi_tomb *tomb, const struct bbi_version *version,
                      uint64_t checkpoint_lsn)
{
    const struct bbi_tombstone *t = &tomb->t;
    if (t->lsn > checkpoint_lsn) {
        return true;
    }
    for (size_t i = 0; i < version->count; i++) {
        const struct bbi_segment_meta *m = &version->segments[i].meta;
        if (m->db_id == t->db_id && (t->rp_id == 0 || m->rp_id == t->rp_id) &&
            m->tombs_lsn < t->lsn && m->tmin <= t->tmax && t->tmin <= m->tmax &&
            tomb->series_min <= m->series_max && m->series_min <= tomb->series_max) {
            return true;
        }
    }
    return false;
}

/* What an edit does to tombstones: those of the flushed generation reach the catalog, those that
 * hide nothing go. */
struct tomb_edit {
    struct bbi_tombstone *add; /* shallow copies */
    size_t add_count;
    uint64_t *remove;
    size_t remove_count;
};

static int plan_tombs(struct bb_db *db, const struct bbi_tombset *tombs,
                      const struct bbi_version *version, uint64_t checkpoint_lsn,
                      struct tomb_edit *edit, struct bb_error *err)
{
    memset(edit, 0, sizeof(*edit));
    edit->add = bbi_mem_zalloc(&db->background_acct, tombs->count, sizeof(edit->add[0]));
    edit->remove = bbi_mem_zalloc(&db->background_acct, tombs->count, sizeof(edit->remove[0]));
    if (edit->add == NULL || edit->remove == NULL) {
        return bbi_error_nomem(err, "deletions");
    }
    for (size_t i = 0; i < tombs->count; i++) {
        const struct bbi_tombstone *t = &tombs->tombs[i]->t;
        if (!is_needed(tombs->tombs[i], version, checkpoint_lsn)) {
            edit->remove[edit->remove_count++] = t->lsn;
        } else if (t->lsn > db->checkpoint_lsn && t->lsn <= checkpoint_lsn) {
            edit->add[edit->add_count++] = *t;
        }
    }
    return BB_OK;
}

static int open_added(struct bb_db *db, const struct bbi_publish *publish,
                      struct bbi_live_segment *added, struct bb_error *err)
{
    for (size_t i = 0; i < publish->added_count; i++) {
        char path[BBI_FS_PATH_MAX];
        int rc = bbi_segment_path(path, db->segment_dir, publish->added[i].id, err);
        if (rc == BB_OK) {
            rc = bbi_segment_open(db->fs, path, &db->segment_acct, &added[i].segment, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        added[i].meta = publish->added[i];
    }
    return BB_OK;
}

/* Take tombstones out of the set that new ones may be joining right now. */
static int forget_tombs(struct bb_db *db, const struct tomb_edit *edit, struct bb_error *err)
{
    struct bbi_tombset *set;
    if (edit->remove_count == 0) {
        return BB_OK;
    }
    pthread_mutex_lock(&db->write_lock);
    int rc = bbi_tombset_create(&db->acct, db->tombs, NULL, edit->remove, edit->remove_count, &set,
                                err);
    if (rc == BB_OK) {
        pthread_mutex_lock(&db->state_lock);
        struct bbi_tombset *old = db->tombs;
        db->tombs = set;
        pthread_mutex_unlock(&db->state_lock);
        bbi_tombset_unref(&old);
    }
    pthread_mutex_unlock(&db->write_lock);
    return rc;
}

static void mark_removed(struct bbi_version *old, const struct bbi_publish *publish)
{
    for (size_t i = 0; i < old->count; i++) {
        for (size_t k = 0; k < publish->removed_count; k++) {
            if (old->segments[i].meta.id == publish->removed[k] &&
                old->segments[i].segment != NULL) {
                bbi_segment_drop(old->segments[i].segment);
            }
        }
    }
}

/* The step that readers see. */
static void swap_state(struct bb_db *db, struct bbi_version *version,
                       const struct bbi_publish *publish)
{
    pthread_mutex_lock(&db->state_lock);
    struct bbi_version *old = db->version;
    struct bbi_memtable *flushed = NULL;
    db->version = version;
    db->state_seq++;
    if (publish->ends_flush) {
        flushed = db->flushing;
        db->flushing = NULL;
        db->trimming = true;
        db->checkpoint_lsn = publish->checkpoint_lsn;
    }
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
    bbi_memtable_unref(&flushed);
    bbi_version_unref(&old);
}

static int commit(struct bb_db *db, const struct bbi_publish *publish,
                  const struct bbi_version *version, struct tomb_edit *tombs, struct bb_error *err)
{
    uint64_t checkpoint = publish->ends_flush ? publish->checkpoint_lsn : db->checkpoint_lsn;
    pthread_mutex_lock(&db->state_lock);
    struct bbi_tombset *set = bbi_tombset_ref(db->tombs);
    pthread_mutex_unlock(&db->state_lock);
    int rc = plan_tombs(db, set, version, checkpoint, tombs, err);
    if (rc == BB_OK) {
        struct bbi_catalog_edit edit = {.add_segments = publish->added,
                                        .add_segment_count = publish->added_count,
                                        .remove_segments = publish->removed,
                                        .remove_segment_count = publish->removed_count,
                                        .add_tombstones = tombs->add,
                                        .add_tombstone_count = tombs->add_count,
                                        .remove_tombstones = tombs->remove,
                                        .remove_tombstone_count = tombs->remove_count,
                                        .checkpoint_lsn = publish->checkpoint_lsn};
        rc = bbi_catalog_commit(db->catalog, &edit, err);
        atomic_store(&db->in_doubt, rc == BB_EREADONLY);
    }
    bbi_tombset_unref(&set);
    return rc;
}

static int publish_locked(struct bb_db *db, const struct bbi_publish *publish, struct bb_error *err)
{
    struct bbi_version *version = NULL;
    struct tomb_edit tombs = {NULL, 0, NULL, 0};
    struct bbi_live_segment *added = bbi_mem_zalloc(&db->background_acct, publish->added_count,
                                                    sizeof(added[0]));
    int rc = added == NULL ? bbi_error_nomem(err, "segments") : open_added(db, publish, added, err);
    if (rc == BB_OK) {
        rc = bbi_version_create(&db->acct, db->version, added, publish->added_count,
                                publish->removed, publish->removed_count, &version, err);
    }
    if (rc == BB_OK) {
        rc = commit(db, publish, version, &tombs, err);
    }
    if (rc == BB_OK) {
        mark_removed(db->version, publish);
        swap_state(db, version, publish);
        version = NULL;
        struct bb_error kept;
        if (forget_tombs(db, &tombs, &kept) != BB_OK) {
            bbi_log(BBI_LOG_WARN, "tombstones_kept", "reason=\"%s\"", kept.text);
        }
    }
    bbi_version_unref(&version);
    for (size_t i = 0; added != NULL && i < publish->added_count; i++) {
        bbi_segment_unref(&added[i].segment);
    }
    bbi_mem_free(added);
    bbi_mem_free(tombs.add);
    bbi_mem_free(tombs.remove);
    return rc;
}

int bbi_db_publish(struct bb_db *db, const struct bbi_publish *publish, struct bb_error *err)
{
    pthread_mutex_lock(&db->publish_lock);
    int rc = atomic_load(&db->in_doubt)
                 ? bbi_error_set(err, BB_EREADONLY, "an earlier commit is in doubt")
                 : publish_locked(db, publish, err);
    pthread_mutex_unlock(&db->publish_lock);
    return rc;
}

/* ---- flushing ---- */

static uint64_t new_segment_id(void *arg)
{
    return bbi_catalog_segment_id_new(arg);
}

/* The files of one flush: splitters, one a space, and all that they wrote. */
struct flush {
    struct bbi_splitter **splitters;
    size_t splitter_count;
    struct bbi_segment_meta *metas;
    size_t meta_count;
};

static int grow_flush(struct bb_db *db, struct flush *f, size_t more, struct bb_error *err)
{
    struct bbi_splitter **splitters = bbi_mem_realloc(
        &db->background_acct, f->splitters, (f->splitter_count + 1) * sizeof(splitters[0]));
    if (splitters != NULL) {
        f->splitters = splitters;
    }
    struct bbi_segment_meta *metas = bbi_mem_realloc(&db->background_acct, f->metas,
                                                     (f->meta_count + more) * sizeof(metas[0]));
    if (metas != NULL) {
        f->metas = metas;
    }
    return splitters == NULL || metas == NULL ? bbi_error_nomem(err, "flush") : BB_OK;
}

int bbi_db_is_gone(struct bb_db *db, uint32_t db_id, uint32_t rp_id, bool *gone, struct bbi_rp *rp,
                   struct bb_error *err)
{
    struct bb_error unknown;
    *gone = !bbi_catalog_database_exists(db->catalog, db_id) ||
            bbi_catalog_rp_get(db->catalog, rp_id, rp, &unknown) != BB_OK;
    return *gone && db->wal != NULL ? bbi_db_schema_changed(db, err) : BB_OK;
}

/* One space to segments. A database or policy that has been dropped meanwhile has nothing to keep.
 */
static int flush_space(struct bb_db *db, const struct bbi_memspace *space, uint64_t base_lsn,
                       uint64_t lsn, const struct bbi_tombset *tombs, struct flush *f,
                       struct bb_error *err)
{
    struct bbi_memspace_info info;
    struct bbi_rp rp;
    const struct bbi_segment_meta *metas;
    size_t count;
    bool gone;
    bbi_memspace_info(space, &info);
    int rc = bbi_db_is_gone(db, info.db_id, info.rp_id, &gone, &rp, err);
    if (rc != BB_OK || gone || info.value_count == 0) {
        return rc;
    }
    struct bbi_split_job job = {.fs = db->fs,
                                .dir = db->segment_dir,
                                .new_id = new_segment_id,
                                .new_id_arg = db->catalog,
                                .acct = &db->background_acct,
                                .db_id = info.db_id,
                                .rp_id = info.rp_id,
                                .shard_ns = rp.shard_ns,
                                .lsn_lo = base_lsn,
                                .lsn_hi = lsn,
                                .tombs_lsn = lsn,
                                .job_id = bbi_catalog_segment_id_new(db->catalog)};
    struct bbi_splitter *splitter;
    rc = bbi_flush_space(space, &job, tombs, &splitter, err);
    if (rc == BB_OK) {
        rc = bbi_splitter_finish(splitter, &metas, &count, err);
    }
    if (rc == BB_OK) {
        rc = grow_flush(db, f, count, err);
    }
    if (rc != BB_OK) {
        bbi_splitter_destroy(&splitter, false);
        return rc;
    }
    f->splitters[f->splitter_count++] = splitter;
    memcpy(&f->metas[f->meta_count], metas, count * sizeof(metas[0]));
    f->meta_count += count;
    return BB_OK;
}

static void end_flush(struct flush *f, bool keep)
{
    for (size_t i = 0; i < f->splitter_count; i++) {
        bbi_splitter_destroy(&f->splitters[i], keep);
    }
    bbi_mem_free(f->splitters);
    bbi_mem_free(f->metas);
}

static int flush_spaces(struct bb_db *db, const struct bbi_memtable *mt, uint64_t lsn,
                        const struct bbi_tombset *tombs, struct flush *f, struct bb_error *err)
{
    int rc = BB_OK;
    const struct bbi_memspace *space = NULL;
    while (rc == BB_OK && (space = bbi_memtable_next_space(mt, space)) != NULL) {
        rc = flush_space(db, space, bbi_memtable_base_lsn(mt), lsn, tombs, f, err);
    }
    return rc;
}

static void count_flush(struct bb_db *db, const struct flush *f)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < f->meta_count; i++) {
        bytes += f->metas[i].file_bytes;
    }
    atomic_fetch_add(&db->counters.flushes, 1);
    atomic_fetch_add(&db->counters.flush_bytes_written, bytes);
}

static int flush_memtable(struct bb_db *db, const struct bbi_memtable *mt, uint64_t lsn,
                          const struct bbi_tombset *tombs, struct bb_error *err)
{
    struct flush f = {NULL, 0, NULL, 0};
    int rc = db->wal == NULL ? BB_OK : bbi_wal_wait(db->wal, lsn, err);
    if (rc == BB_OK) {
        rc = flush_spaces(db, mt, lsn, tombs, &f, err);
    }
    if (rc == BB_OK) {
        struct bbi_publish publish = {.added = f.metas,
                                      .added_count = f.meta_count,
                                      .ends_flush = true,
                                      .checkpoint_lsn = lsn};
        rc = bbi_db_publish(db, &publish, err);
    }
    if (rc == BB_OK) {
        count_flush(db, &f);
    }
    end_flush(&f, rc == BB_OK || atomic_load(&db->in_doubt));
    return rc;
}

static void trim_log(struct bb_db *db, uint64_t lsn)
{
    struct bb_error err;
    if (db->wal != NULL && bbi_wal_trim(db->wal, lsn, &err) != BB_OK) {
        bbi_log(BBI_LOG_WARN, "wal_not_trimmed", "reason=\"%s\"", err.text);
    }
    pthread_mutex_lock(&db->state_lock);
    db->trimming = false;
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
}

int bbi_db_flush_generation(struct bb_db *db, struct bb_error *err)
{
    pthread_mutex_lock(&db->state_lock);
    struct bbi_memtable *mt = db->flushing == NULL ? NULL : bbi_memtable_ref(db->flushing);
    struct bbi_tombset *tombs = bbi_tombset_ref(db->tombs);
    uint64_t lsn = db->flushing_lsn;
    pthread_mutex_unlock(&db->state_lock);
    int rc = BB_OK;
    if (mt != NULL && atomic_load(&db->in_doubt)) {
        rc = bbi_error_set(err, BB_EREADONLY, "an earlier commit is in doubt");
    } else if (mt != NULL) {
        rc = flush_memtable(db, mt, lsn, tombs, err);
        atomic_store(&db->flush_fails, rc != BB_OK);
    }
    if (rc == BB_OK && mt != NULL) {
        trim_log(db, lsn);
    }
    bbi_memtable_unref(&mt);
    bbi_tombset_unref(&tombs);
    return rc == BB_OK ? BB_OK : bbi_error_wrap(err, "flush");
}

int bb_flush(struct bb_db *db, struct bb_error *err)
{
    pthread_mutex_lock(&db->flush_lock);
    int rc = bbi_db_flush_generation(db, err);
    if (rc == BB_OK) {
        pthread_mutex_lock(&db->write_lock);
        if (db->flushing == NULL) {
            rc = bbi_db_rotate(db, bbi_wal_end(db->wal), err);
        }
        pthread_mutex_unlock(&db->write_lock);
    }
    if (rc == BB_OK) {
        rc = bbi_db_flush_generation(db, err);
    }
    pthread_mutex_unlock(&db->flush_lock);
    return rc;
}

int bb_compact(struct bb_db *db, bool full, struct bb_error *err)
{
    bool done = true;
    int rc = BB_OK;
    pthread_mutex_lock(&db->compact_lock);
    while (rc == BB_OK && done) {
        rc = bbi_db_compact_once(db, full, &done, err);
    }
    pthread_mutex_unlock(&db->compact_lock);
    return rc;
}

void bb_compact_pause(struct bb_db *db, bool paused)
{
    pthread_mutex_lock(&db->state_lock);
    atomic_store(&db->compaction_paused, paused);
    atomic_store(&db->compaction_stops, paused || atomic_load(&db->stopping));
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
    bbi_log(BBI_LOG_INFO, "compaction_pause", "on=%d", paused);
}

/* ---- threads ---- */

/* Under state_lock: sleep, or until the state changes. */
static void sleep_ms(struct bb_db *db, int64_t ms)
{
    struct timespec until;
    int64_t at = bbi_clock_mono_ns() + ms * 1000000;
    until.tv_sec = at / 1000000000;
    until.tv_nsec = at % 1000000000;
    (void)pthread_cond_timedwait(&db->state_changed, &db->state_lock, &until);
}

static void *flusher_main(void *arg)
{
    struct bb_db *db = arg;
    struct bb_error err;
    pthread_mutex_lock(&db->state_lock);
    while (!atomic_load(&db->stopping)) {
        if (db->flushing == NULL) {
            pthread_cond_wait(&db->state_changed, &db->state_lock);
            continue;
        }
        pthread_mutex_unlock(&db->state_lock);
        pthread_mutex_lock(&db->flush_lock);
        int rc = bbi_db_flush_generation(db, &err);
        pthread_mutex_unlock(&db->flush_lock);
        pthread_mutex_lock(&db->state_lock);
        if (rc != BB_OK) {
            bbi_log(BBI_LOG_ERROR, "flush_failed", "reason=\"%s\"", err.text);
            sleep_ms(db, RETRY_MS);
        }
    }
    pthread_mutex_unlock(&db->state_lock);
    return NULL;
}

static void *compactor_main(void *arg)
{
    struct bb_db *db = arg;
    struct bb_error err;
    int64_t told_ns = -REPEAT_NS;
    while (!atomic_load(&db->stopping)) {
        bool done = false;
        pthread_mutex_lock(&db->compact_lock);
        int rc = bbi_db_compact_once(db, false, &done, &err);
        pthread_mutex_unlock(&db->compact_lock);
        int64_t now_ns = bbi_clock_mono_ns();
        if (rc != BB_OK && rc != BB_ECANCELED && now_ns - told_ns >= REPEAT_NS) {
            bbi_log(BBI_LOG_ERROR, "compaction_failed", "reason=\"%s\"", err.text);
            told_ns = now_ns;
        }
        pthread_mutex_lock(&db->state_lock);
        if (!done && !atomic_load(&db->stopping)) {
            sleep_ms(db, COMPACT_POLL_MS);
        }
        pthread_mutex_unlock(&db->state_lock);
    }
    return NULL;
}

int bbi_db_start_background(struct bb_db *db, struct bb_error *err)
{
    if (pthread_create(&db->flusher, NULL, flusher_main, db) != 0) {
        return bbi_error_set(err, BB_ENOMEM, "cannot start the flush thread");
    }
    db->flusher_runs = true;
    if (pthread_create(&db->compactor, NULL, compactor_main, db) != 0) {
        bbi_db_stop_background(db);
        return bbi_error_set(err, BB_ENOMEM, "cannot start the compaction thread");
    }
    db->compactor_runs = true;
    if (db->options.no_cq) {
        return BB_OK;
    }
    int rc = bbi_continuous_start(&db->continuous, err);
    if (rc != BB_OK) {
        bbi_db_stop_background(db);
    }
    return rc;
}

void bbi_db_stop_background(struct bb_db *db)
{
    bbi_continuous_stop(&db->continuous); /* first: what it writes needs the others */
    pthread_mutex_lock(&db->state_lock);
    atomic_store(&db->stopping, 1);
    atomic_store(&db->compaction_stops, 1);
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
    if (db->flusher_runs) {
        (void)pthread_join(db->flusher, NULL);
    }
    if (db->compactor_runs) {
        (void)pthread_join(db->compactor, NULL);
    }
    db->flusher_runs = false;
    db->compactor_runs = false;
}
