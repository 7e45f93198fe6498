/*
 * Deleting rows and names. A deletion is one record in the log: a set of series, a range of time,
 * and by its place an LSN. Names that go with it are in the same frame. Everything that may fail is
 * made ready before the frame is appended.
 */
#include <string.h>

#include "engine/base/record.h"
#include "engine/db_impl.h"
#include "engine/forget.h"

struct deletion {
    struct bbi_tombstone tombstone; /* its series are given while the set is made */
    const roaring_bitmap_t *series; /* NULL, with drop_mid: all of the measurement */
    uint32_t drop_mid;              /* not 0: the series' names go too */
    bool names_only;                /* there are no rows */
    struct bbi_catalog_drop drop;
    struct bbi_buf record;
    struct bbi_tombset *set; /* the new one, made before the log so that applying cannot fail; NULL:
                              * no rows to delete */
};

/* The set's last tombstone learns its LSN when there is one. */
static int make_tombset(struct bb_db *db, struct deletion *d, const roaring_bitmap_t *series,
                        struct bb_error *err)
{
    d->tombstone.series = roaring_bitmap_copy(series);
    if (d->tombstone.series == NULL) {
        return bbi_error_nomem(err, "deletion");
    }
    bbi_record_put_delete(&d->record, &d->tombstone);
    int rc = bbi_buf_check(&d->record, "deletion", err);
    if (rc == BB_OK) {
        rc = bbi_tombset_create(&db->acct, db->tombs, &d->tombstone, NULL, 0, &d->set, err);
    }
    if (d->tombstone.series != NULL) {
        roaring_bitmap_free(d->tombstone.series);
        d->tombstone.series = NULL;
    }
    return rc;
}

static void abandon_delete(struct bb_db *db, void *arg)
{
    struct deletion *d = arg;
    bbi_tombset_unref(&d->set);
    if (d->drop_mid != 0) {
        bbi_catalog_drop_end(db->catalog, &d->drop, false);
    }
}

/* Names and rows go in one frame. */
static int make_drop(struct bb_db *db, struct deletion *d, struct bb_error *err)
{
    int rc = bbi_catalog_drop_begin(db->catalog, d->tombstone.db_id, d->drop_mid, d->series,
                                    &d->drop, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_buf_put(&d->record, d->drop.records.data, d->drop.records.len);
    rc = bbi_buf_check(&d->record, "deletion", err);
    if (rc == BB_OK && !d->names_only && d->drop.known && !roaring_bitmap_is_empty(d->drop.sids)) {
        rc = make_tombset(db, d, d->drop.sids, err);
    }
    if (rc != BB_OK) {
        abandon_delete(db, d);
    }
    return rc;
}

/* All that may fail is done before the log has the deletion. It needs no room in the memtable, so
 * it does not wait for any. */
static int prepare_delete(struct bb_db *db, void *arg, struct bb_error *err)
{
    struct deletion *d = arg;
    bbi_buf_reset(&d->record);
    int rc = bbi_db_rotate_if_due(db, err);
    if (rc != BB_OK) {
        return rc;
    }
    return d->drop_mid != 0 ? make_drop(db, d, err) : make_tombset(db, d, d->series, err);
}

static void apply_tombset(struct bb_db *db, struct deletion *d, uint64_t lsn)
{
    struct bbi_tomb *tomb = d->set->tombs[d->set->count - 1];
    tomb->t.lsn = lsn;
    pthread_mutex_lock(&db->state_lock);
    struct bbi_tombset *old = db->tombs;
    db->tombs = d->set;
    db->state_seq++;
    pthread_cond_broadcast(&db->state_changed);
    pthread_mutex_unlock(&db->state_lock);
    d->set = NULL;
    bbi_tombset_unref(&old);
    if (db->hook.deletion != NULL) {
        db->hook.deletion(db->hook.arg, &tomb->t);
    }
}

static void apply_delete(struct bb_db *db, void *arg, uint64_t lsn)
{
    struct deletion *d = arg;
    if (d->drop_mid != 0) {
        bbi_catalog_drop_end(db->catalog, &d->drop, true);
        bbi_series_cache_clear(db->cache);
    }
    if (d->set != NULL) {
        apply_tombset(db, d, lsn);
    }
}

static int delete_rows(struct bb_db *db, struct deletion *d, struct bb_error *err)
{
    uint64_t lsn;
    struct bbi_append append = {.record = &d->record,
                                .prepare = prepare_delete,
                                .apply = apply_delete,
                                .abandon = abandon_delete,
                                .arg = d,
                                .frees_space = true};
    bbi_buf_init(&d->record, &db->write_acct, BBI_WAL_PAYLOAD_MAX);
    int rc = bbi_db_append(db, &append, &lsn, err);
    if (rc == BB_OK) {
        rc = bbi_wal_wait(db->wal, lsn, err);
    }
    bbi_buf_fini(&d->record);
    return rc;
}

int bbi_db_delete_rows(void *db, uint32_t db_id, uint32_t rp_id, const roaring_bitmap_t *series,
                       int64_t tmin, int64_t tmax, struct bb_error *err)
{
    struct deletion d = {.tombstone = {.db_id = db_id, .rp_id = rp_id, .tmin = tmin, .tmax = tmax},
                         .series = series};
    if (roaring_bitmap_is_empty(series) || tmin > tmax) {
        return BB_OK;
    }
    return delete_rows(db, &d, err);
}

int bbi_db_drop_series(void *db, uint32_t db_id, uint32_t mid, const roaring_bitmap_t *series,
                       struct bb_error *err)
{
    struct deletion d = {.tombstone = {.db_id = db_id, .tmin = BBI_TIME_MIN, .tmax = BBI_TIME_MAX},
                         .series = series,
                         .drop_mid = mid};
    return series != NULL && roaring_bitmap_is_empty(series) ? BB_OK : delete_rows(db, &d, err);
}

/* ---- names without rows ---- */

/* Times that a search begins anew because a flush has overtaken it. */
#define FORGET_TRIES 4

struct forgetting {
    struct deletion deletion; /* first, for the functions above */
    struct bbi_forget forget;
    bool overtaken;
};

/* Rows may have come since the search: its series that have any stay. */
static int prepare_forget(struct bb_db *db, void *arg, struct bb_error *err)
{
    struct forgetting *f = arg;
    f->overtaken = !bbi_forget_recheck(&f->forget, db);
    if (f->overtaken) {
        return bbi_error_set(err, BB_EBUSY, "a flush has overtaken the search");
    }
    bbi_buf_reset(&f->deletion.record);
    if (roaring_bitmap_is_empty(f->forget.left)) {
        f->deletion.drop.known = false;
        f->deletion.drop_mid = 0;
        return BB_OK;
    }
    f->deletion.series = f->forget.left;
    int rc = bbi_db_rotate_if_due(db, err);
    return rc == BB_OK ? make_drop(db, &f->deletion, err) : rc;
}

static int forget_once(struct bb_db *db, struct forgetting *f, struct bb_error *err)
{
    uint64_t lsn;
    struct bbi_append append = {.record = &f->deletion.record,
                                .prepare = prepare_forget,
                                .apply = apply_delete,
                                .abandon = abandon_delete,
                                .arg = f,
                                .frees_space = true};
    f->overtaken = false;
    int rc = bbi_forget_search(&f->forget, db, err);
    if (rc != BB_OK || roaring_bitmap_is_empty(f->forget.left)) {
        return rc;
    }
    rc = bbi_db_append(db, &append, &lsn, err);
    return rc == BB_OK ? bbi_wal_wait(db->wal, lsn, err) : rc;
}

int bbi_db_forget_series(void *db, uint32_t db_id, uint32_t mid, const roaring_bitmap_t *series,
                         int (*check)(const void *arg, struct bb_error *err), const void *arg,
                         struct bb_error *err)
{
    int rc = BB_OK;
    bool again = true;
    for (int i = 0; i < FORGET_TRIES && again; i++) {
        struct forgetting f = {
            .deletion = {.tombstone = {.db_id = db_id}, .drop_mid = mid, .names_only = true},
            .forget = {.db_id = db_id,
                       .mid = mid,
                       .candidates = series,
                       .check = check,
                       .check_arg = arg}};
        bbi_buf_init(&f.deletion.record, &((struct bb_db *)db)->write_acct, BBI_WAL_PAYLOAD_MAX);
        rc = forget_once(db, &f, err);
        again = rc != BB_OK && f.overtaken;
        bbi_buf_fini(&f.deletion.record);
        bbi_forget_fini(&f.forget);
    }
    return rc;
}
