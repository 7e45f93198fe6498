/*
 * The write path: parse and resolve outside of any lock, then under the write lock prepare the
 * memtable, append one frame to the log and apply. The order of LSNs is the order of application; a
 * batch becomes visible when the log's thread has made it durable, for queries read up to the
 * durable LSN only.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/record.h"
#include "engine/db_impl.h"
#include "engine/stage.h"
#include "engine/wal/batchrec.h"

/* A builder that a large batch has blown up is not kept for the next one. */
#define KEEP_BYTES_MAX (8u << 20)

/* Records of the catalog that one frame takes: they and a batch fit into the log's buffer. */
#define PENDING_FRAME_BYTES (1u << 20)

/* What a source position takes in a frame, at the most. */
#define SOURCE_BYTES (BBI_WAL_TOPIC_MAX + 64)

static int take_points(struct bb_db *db, struct bbi_points **out, struct bb_error *err)
{
    pthread_mutex_lock(&db->points_lock);
    *out = db->free_points;
    if (*out != NULL) {
        db->free_points = (*out)->next;
    }
    pthread_mutex_unlock(&db->points_lock);
    return *out != NULL ? BB_OK : bbi_points_create(&db->write_acct, out, err);
}

static void give_points(struct bb_db *db, struct bbi_points *points)
{
    if (bbi_points_bytes(points) > KEEP_BYTES_MAX) {
        bbi_points_destroy(&points);
        return;
    }
    pthread_mutex_lock(&db->points_lock);
    points->next = db->free_points;
    db->free_points = points;
    pthread_mutex_unlock(&db->points_lock);
}

/* Under write_lock. One frame of what the catalog has that no frame carries yet, as much as fits,
 * and, unless more of it is left, the record. *need: not 0 if the log's buffer has no room for so
 * many bytes. */
static int append_piece(struct bb_db *db, const struct bbi_append *append, bool *more, size_t *need,
                        uint64_t *lsn, struct bb_error *err)
{
    size_t quarter = (size_t)db->options.wal_buffer_bytes / 4;
    struct bbi_wal_piece pieces[2] = {{NULL, 0}, {NULL, 0}};
    int rc = BB_OK;
    *more = false;
    *lsn = bbi_wal_end(db->wal);
    bbi_buf_reset(&db->pending);
    if (bbi_catalog_has_pending(db->catalog)) {
        rc = bbi_catalog_take_pending(db->catalog,
                                      quarter < PENDING_FRAME_BYTES ? quarter : PENDING_FRAME_BYTES,
                                      &db->pending, more, err);
    }
    pieces[0] = (struct bbi_wal_piece){db->pending.data, db->pending.len};
    if (append->record != NULL && !*more) {
        *more = db->pending.len != 0 && append->record->len > quarter;
        if (!*more) {
            pieces[1] = (struct bbi_wal_piece){append->record->data, append->record->len};
        }
    }
    if (rc == BB_OK && pieces[0].length + pieces[1].length != 0) {
        rc = append->frees_space
                 ? bbi_wal_append_reserved(db->wal, pieces, lsn, err)
                 : bbi_wal_append(db->wal, pieces, pieces[1].length == 0 ? NULL : append->source,
                                  lsn, err);
        *need = rc == BB_EBUSY ? pieces[0].length + pieces[1].length + SOURCE_BYTES : 0;
    }
    if (db->pending.len != 0) {
        bbi_catalog_pending_done(db->catalog, rc == BB_OK);
    }
    return rc;
}

/* Under write_lock. Every record of the catalog stands before its uses: those that are pending come
 * first, in frames of their own if they are many. */
static int append_frames(struct bb_db *db, const struct bbi_append *append, size_t *need,
                         uint64_t *lsn, struct bb_error *err)
{
    bool more = true;
    int rc = BB_OK;
    while (rc == BB_OK && more) {
        rc = append_piece(db, append, &more, need, lsn, err);
        if (rc == BB_OK && more) {
            atomic_store_explicit(&db->applied_lsn, *lsn, memory_order_release);
        }
    }
    return rc;
}

/* Under write_lock. */
static int append_once(struct bb_db *db, const struct bbi_append *append, size_t *need,
                       uint64_t *lsn, struct bb_error *err)
{
    int rc = append->prepare == NULL ? BB_OK : append->prepare(db, append->arg, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = append_frames(db, append, need, lsn, err);
    if (rc == BB_OK && append->apply != NULL) {
        append->apply(db, append->arg, *lsn);
    }
    if (rc == BB_OK) {
        atomic_store_explicit(&db->applied_lsn, *lsn, memory_order_release);
    } else if (append->abandon != NULL) {
        append->abandon(db, append->arg);
    }
    return rc;
}

int64_t bbi_db_write_deadline(void)
{
    return bbi_clock_mono_ns() + BBI_WRITE_WAIT_MS * INT64_C(1000000);
}

int bbi_db_append(struct bb_db *db, const struct bbi_append *append, uint64_t *lsn,
                  struct bb_error *err)
{
    int64_t deadline_ns = append->deadline_ns != 0 ? append->deadline_ns : bbi_db_write_deadline();
    size_t need;
    int rc;
    do {
        need = 0;
        pthread_mutex_lock(&db->write_lock);
        rc = append_once(db, append, &need, lsn, err);
        pthread_mutex_unlock(&db->write_lock);
        if (need != 0) {
            rc = bbi_wal_wait_room(db->wal, need, deadline_ns, err);
        }
    } while (need != 0 && rc == BB_OK);
    return rc;
}

int bbi_db_schema_changed(void *arg, struct bb_error *err)
{
    struct bb_db *db = arg;
    struct bbi_append append = {.record = NULL, .frees_space = true};
    uint64_t lsn;
    int rc = bbi_db_append(db, &append, &lsn, err);
    rc = rc == BB_OK ? bbi_wal_wait(db->wal, lsn, err) : rc;
    if (rc == BB_OK) {
        bbi_forward_changed(&db->forward, db->catalog);
    }
    return rc;
}

/* Batches between two looks at how many new series there are, which takes the catalog's lock. */
#define LOOK_EVERY 16

/* Whether the memtable may take more, or a flush has to begin or to end first. */
static bool wants_rotation(struct bb_db *db)
{
    struct bbi_catalog_stats stats;
    if (bbi_memtable_bytes(db->active) >= db->options.memtable_bytes) {
        return true;
    }
    if (bbi_wal_end(db->wal) - bbi_memtable_base_lsn(db->active) >= BBI_WAL_SINCE_CHECKPOINT_MAX) {
        return true;
    }
    if (++db->batches_since_look < LOOK_EVERY) {
        return false;
    }
    db->batches_since_look = 0;
    bbi_catalog_stats_get(db->catalog, &stats);
    return stats.overlay_series >= BBI_OVERLAY_SERIES_MAX;
}

static bool is_flushing(struct bb_db *db)
{
    pthread_mutex_lock(&db->state_lock);
    bool flushing = db->flushing != NULL || db->trimming;
    pthread_mutex_unlock(&db->state_lock);
    return flushing;
}

int bbi_db_rotate_if_due(struct bb_db *db, struct bb_error *err)
{
    return wants_rotation(db) && !is_flushing(db) ? bbi_db_rotate(db, bbi_wal_end(db->wal), err)
                                                  : BB_OK;
}

/* Wait, without the write lock, until no generation is being flushed and the log of the last one is
 * gone. False: it takes too long. */
static bool wait_for_flush(struct bb_db *db, int64_t deadline_ns)
{
    struct timespec until;
    until.tv_sec = deadline_ns / 1000000000;
    until.tv_nsec = deadline_ns % 1000000000;
    pthread_mutex_lock(&db->state_lock);
    int rc = 0;
    while ((db->flushing != NULL || db->trimming) && rc != ETIMEDOUT && !db->stopping) {
        rc = pthread_cond_timedwait(&db->state_changed, &db->state_lock, &until);
    }
    bool is_free = db->flushing == NULL && !db->trimming;
    pthread_mutex_unlock(&db->state_lock);
    return is_free;
}

/* Under write_lock, which is released while waiting. Make sure that the active memtable may take a
 * batch. */
static int make_room(struct bb_db *db, int64_t deadline_ns, struct bb_error *err)
{
    while (wants_rotation(db)) {
        if (!is_flushing(db)) {
            return bbi_db_rotate(db, bbi_wal_end(db->wal), err);
        }
        if (bbi_memtable_bytes(db->active) < db->options.memtable_bytes) {
            return BB_OK;
        }
        if (db->options.manual_background) {
            return bbi_error_set(err, BB_EBUSY, "memtable is full");
        }
        pthread_mutex_unlock(&db->write_lock);
        bool is_free = wait_for_flush(db, deadline_ns);
        pthread_mutex_lock(&db->write_lock);
        if (!is_free) {
            return bbi_error_set(err, BB_EBUSY, "memtable is full and the flush behind");
        }
    }
    return BB_OK;
}

/* Under write_lock, which is released while waiting. Refuse a batch that would take the space that
 * flushing what is in memory needs. Before it comes to that a flush begins, which frees the log;
 * one that is under way is worth waiting for, unless it meets the full disk itself. */
static int check_disk(struct bb_db *db, size_t bytes, int64_t deadline_ns, struct bb_error *err)
{
    bool waited = false;
    for (;;) {
        uint64_t memory = bbi_db_memtable_bytes(db);
        int rc = bbi_disk_watch_look(&db->disk, db->fs, db->dir, bytes, err);
        bbi_wal_be_frugal(db->wal, bbi_disk_watch_is_tight(&db->disk, memory));
        if (rc == BB_OK && bbi_disk_watch_is_low(&db->disk, memory) && !is_flushing(db)) {
            rc = bbi_db_rotate(db, bbi_wal_end(db->wal), err);
        }
        rc = rc == BB_OK ? bbi_disk_watch_check(&db->disk, memory, err) : rc;
        if (rc != BB_ENOSPC || waited || db->options.manual_background ||
            atomic_load(&db->flush_fails) || !is_flushing(db)) {
            return rc;
        }
        pthread_mutex_unlock(&db->write_lock);
        waited = wait_for_flush(db, deadline_ns);
        pthread_mutex_lock(&db->write_lock);
        if (!waited) {
            return rc;
        }
        db->disk.looked_ns = 0;
    }
}

static int prepare_batch(struct bb_db *db, void *arg, struct bb_error *err)
{
    struct bbi_points *points = arg;
    int rc = check_disk(db, points->records.len, points->deadline_ns, err);
    rc = rc == BB_OK ? make_room(db, points->deadline_ns, err) : rc;
    if (rc == BB_OK && points->epoch != bbi_series_cache_epoch(db->cache)) {
        points->is_stale = true;
        return bbi_error_set(err, BB_EBUSY, "series were dropped meanwhile");
    }
    return rc == BB_OK ? bbi_memtable_prepare(db->active, &points->batch, err) : rc;
}

static void apply_batch(struct bb_db *db, void *arg, uint64_t lsn)
{
    struct bbi_points *points = arg;
    bbi_memtable_apply(db->active, &points->batch, lsn);
    if (db->hook.batch != NULL) {
        db->hook.batch(db->hook.arg, &points->batch, lsn);
    }
}

static int check_write(const struct bb_write *write, struct bb_error *err)
{
    if (write->database == NULL || write->database[0] == '\0') {
        return bbi_error_set(err, BB_EINVAL, "database is required");
    }
    if (write->precision_ns <= 0) {
        return bbi_error_set(err, BB_EINVAL, "invalid precision");
    }
    return BB_OK;
}

static int find_database(struct bb_db *db, const struct bb_write *write, uint32_t *db_id,
                         struct bb_error *err)
{
    int rc = bbi_catalog_database_find(db->catalog, write->database, strlen(write->database), db_id,
                                       err);
    return rc != BB_ENOTFOUND
               ? rc
               : bbi_error_set(err, rc, "database not found: \"%s\"", write->database);
}

static int find_policy(struct bb_db *db, const struct bb_write *write, struct bbi_rp *rp,
                       struct bb_error *err)
{
    uint32_t db_id;
    int rc = find_database(db, write, &db_id, err);
    if (rc != BB_OK) {
        return rc;
    }
    const char *name = write->retention_policy == NULL ? "" : write->retention_policy;
    rc = bbi_catalog_rp_find(db->catalog, db_id, name, strlen(name), rp, err);
    if (rc != BB_ENOTFOUND) {
        return rc;
    }
    if (name[0] == '\0' && !db->options.no_autogen) {
        const char *lost = bbi_catalog_lost_default(db->catalog, db_id);
        name = lost == NULL ? "" : lost;
    }
    return bbi_error_set(err, BB_ENOPOLICY, "retention policy not found: %.200s", name);
}

/* Append what was built. *lsn is 0 when there was nothing to store. */
static int append_points(struct bb_db *db, const struct bb_write *write, struct bbi_points *points,
                         uint64_t *lsn, struct bb_error *err)
{
    int rc = BB_OK;
    *lsn = 0;
    if (points->is_stale) {
        pthread_mutex_lock(&db->write_lock); /* until the drop that it has met is over */
        pthread_mutex_unlock(&db->write_lock);
        return bbi_error_set(err, BB_EBUSY, "series were dropped meanwhile");
    }
    if (points->batch.point_count != 0) {
        bbi_buf_reset(&points->encoded);
        bbi_batchrec_encode(&points->encoded, &points->batch);
        bbi_record_put(&points->records, BBI_RECORD_BATCH, points->encoded.data,
                       points->encoded.len);
        rc = bbi_buf_check(&points->encoded, "batch", err);
    }
    if (rc == BB_OK && points->records.len != 0) {
        struct bbi_append append = {.record = &points->records,
                                    .source = write->source,
                                    .prepare = prepare_batch,
                                    .apply = apply_batch,
                                    .arg = points,
                                    .deadline_ns = points->deadline_ns};
        rc = bbi_buf_check(&points->records, "batch", err);
        rc = rc == BB_OK ? bbi_db_append(db, &append, lsn, err) : rc;
    }
    return rc;
}

/* Parse, resolve, stage and append; again if series were dropped in between, without telling of
 * rejected lines twice. */
static int write_points(struct bb_db *db, const struct bb_write *write, struct bbi_points *points,
                        struct bbi_piece *piece, struct bb_write_result *result, uint64_t *lsn,
                        struct bb_error *err)
{
    const struct bbi_piece start = *piece;
    struct bbi_rp rp;
    struct bb_write w = *write;
    int rc;
    points->deadline_ns = bbi_db_write_deadline();
    do {
        points->is_stale = false;
        *piece = start;
        rc = find_policy(db, &w, &rp, err);
        if (rc == BB_OK) {
            rc = bbi_points_build(points, db->catalog, db->cache, &rp, &w, piece, err);
        }
        if (rc == BB_OK) {
            rc = bbi_stages_run(points, &rp, w.now_ns, err);
        }
        if (rc == BB_OK) {
            rc = append_points(db, &w, points, lsn, err);
        }
        w.reject = NULL;
    } while (points->is_stale);
    if (rc == BB_OK) {
        result->points_written = points->batch.point_count;
        result->points_rejected = points->rejected;
        result->lsn = *lsn;
    }
    if (rc == BB_OK && rp.is_subscribed) {
        bbi_forward_points(&db->forward, points, *lsn);
    }
    return rc;
}

/* Only parse. */
static int scan_lines(struct bb_db *db, const struct bb_write *write, struct bbi_points *points,
                      struct bbi_piece *piece, struct bb_write_result *result, uint64_t *lsn,
                      struct bb_error *err)
{
    uint32_t db_id;
    *lsn = 0;
    int rc = find_database(db, write, &db_id, err);
    rc = rc == BB_OK ? bbi_points_scan(points, write, piece, &result->points_written, err) : rc;
    result->points_rejected = points->rejected;
    return rc;
}

static void count_batch(struct bb_db *db, const struct bb_write_result *result)
{
    atomic_fetch_add_explicit(&db->counters.points_written, result->points_written,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&db->counters.points_rejected, result->points_rejected,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&db->counters.batches, 1, memory_order_relaxed);
}

typedef int (*piece_fn)(struct bb_db *db, const struct bb_write *write, struct bbi_points *points,
                        struct bbi_piece *piece, struct bb_write_result *result, uint64_t *lsn,
                        struct bb_error *err);

static int put_piece(struct bb_db *db, piece_fn put, const struct bb_write *write,
                     struct bb_write_text *text, bool last, struct bb_write_result *result,
                     struct bb_error *err)
{
    struct bbi_piece piece = {.last = last, .cutting = text->cutting, .lines = text->lines};
    struct bb_write w = *write;
    struct bbi_points *points;
    uint64_t lsn;
    memset(result, 0, sizeof(*result));
    int rc = check_write(write, err);
    if (rc == BB_OK) {
        rc = take_points(db, &points, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    w.now_ns = text->now_ns != 0 ? text->now_ns : write->now_ns;
    w.now_ns = w.now_ns == 0 ? bbi_clock_wall_ns() : w.now_ns;
    rc = put(db, &w, points, &piece, result, &lsn, err);
    give_points(db, points);
    if (rc == BB_OK) {
        *text = (struct bb_write_text){.lines = piece.lines,
                                       .bytes_taken = write->lines_length - piece.left_over,
                                       .now_ns = w.now_ns,
                                       .lsn = lsn != 0 ? lsn : text->lsn,
                                       .cutting = piece.cutting};
    }
    return rc;
}

int bb_write_piece(struct bb_db *db, const struct bb_write *write, struct bb_write_text *text,
                   bool last, struct bb_write_result *result, struct bb_error *err)
{
    int rc = put_piece(db, write_points, write, text, last, result, err);
    if (rc == BB_OK) {
        count_batch(db, result);
    }
    return rc;
}

int bb_write_scan(struct bb_db *db, const struct bb_write *write, struct bb_write_text *text,
                  bool last, struct bb_write_result *result, struct bb_error *err)
{
    return put_piece(db, scan_lines, write, text, last, result, err);
}

int bb_write(struct bb_db *db, const struct bb_write *write, struct bb_write_result *result,
             struct bb_error *err)
{
    struct bb_write_text text = {0};
    int rc = bb_write_piece(db, write, &text, true, result, err);
    return rc == BB_OK && text.lsn != 0 ? bbi_wal_wait(db->wal, text.lsn, err) : rc;
}

static void keep_reason(void *arg, uint64_t line_number, const char *line, size_t line_length,
                        int code, const char *reason)
{
    struct bb_error *first = arg;
    (void)line_number;
    (void)line;
    (void)line_length;
    if (first->code == BB_OK) {
        (void)bbi_error_set(first, code, "%s", reason);
    }
}

int bbi_db_write_lines(void *arg, const char *database, const char *policy, const char *lines,
                       size_t length, struct bb_error *err)
{
    struct bb_error first = {.code = BB_OK};
    struct bb_write_result result;
    struct bb_write write = {.database = database,
                             .retention_policy = policy,
                             .precision_ns = 1,
                             .lines = lines,
                             .lines_length = length,
                             .reject = keep_reason,
                             .reject_arg = &first};
    int rc = bb_write(arg, &write, &result, err);
    if (rc == BB_OK && result.points_rejected > 0) {
        return bbi_error_set(err, first.code, "partial write: %.300s dropped=%llu", first.text,
                             (unsigned long long)result.points_rejected);
    }
    return rc;
}

/* A submitted batch that waits for the disk. */
struct waiting {
    struct bbi_wal_notice notice;
    bb_durable_fn durable;
    void *arg;
};

static void tell_durable(void *arg, const struct bb_error *err)
{
    struct waiting w = *(struct waiting *)arg;
    bbi_mem_free(arg);
    w.durable(w.arg, err);
}

static struct waiting *make_waiting(struct bb_db *db, bb_durable_fn durable, void *arg,
                                    struct bb_error *err)
{
    struct waiting *w = bbi_mem_alloc(&db->write_acct, sizeof(*w));
    if (w == NULL) {
        (void)bbi_error_nomem(err, "write");
        return NULL;
    }
    *w = (struct waiting){.durable = durable, .arg = arg};
    return w;
}

static void wait_for(struct bb_db *db, struct waiting *w, uint64_t lsn)
{
    w->notice = (struct bbi_wal_notice){.lsn = lsn, .fn = tell_durable, .arg = w};
    bbi_wal_notify(db->wal, &w->notice);
}

int bb_write_submit(struct bb_db *db, const struct bb_write *write, struct bb_write_result *result,
                    bb_durable_fn durable, void *arg, struct bb_error *err)
{
    struct bb_write_text text = {0};
    struct waiting *w = make_waiting(db, durable, arg, err);
    if (w == NULL) {
        return err->code;
    }
    int rc = bb_write_piece(db, write, &text, true, result, err);
    if (rc != BB_OK) {
        bbi_mem_free(w);
        return rc;
    }
    wait_for(db, w, text.lsn);
    return BB_OK;
}

int bb_durable_notify(struct bb_db *db, uint64_t lsn, bb_durable_fn durable, void *arg,
                      struct bb_error *err)
{
    struct waiting *w = make_waiting(db, durable, arg, err);
    if (w == NULL) {
        return err->code;
    }
    wait_for(db, w, lsn);
    return BB_OK;
}
