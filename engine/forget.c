#include "engine/forget.h"

#include <string.h>

#include "engine/partition/merge.h"

/* Series between two calls of check, where each costs little. */
#define CHECK_EVERY 1024

void bbi_forget_fini(struct bbi_forget *f)
{
    if (f->left != NULL) {
        roaring_bitmap_free(f->left);
        f->left = NULL;
    }
    if (f->unclear != NULL) {
        roaring_bitmap_free(f->unclear);
        f->unclear = NULL;
    }
    bbi_mem_free(f->covers);
    f->covers = NULL;
    bbi_snapshot_release(&f->snapshot);
}

static int begin(struct bbi_forget *f, struct bb_db *db, struct bb_error *err)
{
    f->acct = &db->query_acct;
    int rc = bbi_db_snapshot(db, &f->snapshot, err);
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_tombset *tombs = f->snapshot.tombs;
    f->left = roaring_bitmap_copy(f->candidates);
    f->unclear = roaring_bitmap_create();
    f->covers = bbi_mem_zalloc(f->acct, tombs->count, sizeof(f->covers[0]));
    if (f->left == NULL || f->unclear == NULL || f->covers == NULL) {
        return bbi_error_nomem(err, "series without rows");
    }
    for (size_t i = 0; i < tombs->count; i++) {
        f->covers[i] = tombs->tombs[i]->t.db_id == f->db_id &&
                       roaring_bitmap_is_subset(f->candidates, tombs->tombs[i]->t.series);
    }
    return BB_OK;
}

/* ---- segments ---- */

/* Whether one deletion has all rows of a time range that a segment holds of a series; 0: of all
 * candidates. */
static bool is_covered(const struct bbi_forget *f, const struct bbi_segment_meta *m, uint32_t sid,
                       int64_t tmin, int64_t tmax)
{
    const struct bbi_tombset *tombs = f->snapshot.tombs;
    for (size_t i = 0; i < tombs->count; i++) {
        const struct bbi_tombstone *t = &tombs->tombs[i]->t;
        if (t->lsn > m->tombs_lsn && t->lsn <= f->snapshot.lsn && t->db_id == m->db_id &&
            (t->rp_id == 0 || t->rp_id == m->rp_id) && t->tmin <= tmin && tmax <= t->tmax &&
            (f->covers[i] || (sid != 0 && roaring_bitmap_contains(t->series, sid)))) {
            return true;
        }
    }
    return false;
}

static bool is_hidden(const struct bbi_forget *f, const struct bbi_segment_meta *m, uint32_t sid,
                      int64_t time)
{
    return bbi_tombset_hides(f->snapshot.tombs, f->snapshot.lsn, m->db_id, m->rp_id, sid, time,
                             m->tombs_lsn);
}

/* A chunk has a row at its first and at its last time. */
static void look_at_chunk(struct bbi_forget *f, const struct bbi_segment_meta *m,
                          const struct bbi_timepage *tp, size_t k)
{
    uint32_t sid = tp->series[k];
    if (!roaring_bitmap_contains(f->left, sid)) {
        return;
    }
    if (!is_hidden(f, m, sid, tp->tmax[k]) || !is_hidden(f, m, sid, tp->tmin[k])) {
        (void)roaring_bitmap_remove(f->left, sid);
    } else if (!is_covered(f, m, sid, tp->tmin[k], tp->tmax[k])) {
        roaring_bitmap_add(f->unclear, sid);
    }
}

static int look_at_groups(struct bbi_forget *f, struct bbi_segment *seg, struct bbi_timepage *tp,
                          struct bb_error *err)
{
    const struct bbi_segment_meta *m = bbi_segment_get_meta(seg);
    size_t group_count;
    size_t first;
    size_t end;
    const struct bbi_segment_group *groups = bbi_segment_groups(seg, &group_count);
    bbi_segment_find(seg, f->mid, roaring_bitmap_minimum(f->left), roaring_bitmap_maximum(f->left),
                     &first, &end);
    int rc = BB_OK;
    for (size_t g = first; rc == BB_OK && g < end; g++) {
        rc = f->check(f->check_arg, err);
        if (rc != BB_OK || is_covered(f, m, 0, groups[g].tmin, groups[g].tmax)) {
            continue;
        }
        rc = bbi_segment_read_time(seg, g, tp, err);
        for (size_t k = 0; rc == BB_OK && k < tp->chunk_count; k++) {
            look_at_chunk(f, m, tp, k);
        }
    }
    return rc;
}

static int look_at_segment(struct bbi_forget *f, const struct bbi_live_segment *live,
                           struct bbi_timepage *tp, struct bb_error *err)
{
    const struct bbi_segment_meta *m = &live->meta;
    if (roaring_bitmap_is_empty(f->left) || m->series_max < roaring_bitmap_minimum(f->left) ||
        m->series_min > roaring_bitmap_maximum(f->left) || is_covered(f, m, 0, m->tmin, m->tmax)) {
        return BB_OK;
    }
    if (live->quarantined) {
        roaring_bitmap_remove_range(f->left, m->series_min, (uint64_t)m->series_max + 1);
        return BB_OK; /* what cannot be read may come back */
    }
    int rc = bbi_segment_pin(live->segment, err);
    if (rc == BB_OK) {
        rc = look_at_groups(f, live->segment, tp, err);
        bbi_segment_unpin(live->segment);
    }
    return rc;
}

/* The newest first: they have most of the series, and then little is left to look for. */
static int look_at_segments(struct bbi_forget *f, struct bb_db *db, struct bb_error *err)
{
    const struct bbi_version *version = f->snapshot.version;
    struct bbi_timepage tp;
    int rc = BB_OK;
    bbi_timepage_init(&tp, f->acct);
    for (size_t i = version->count; rc == BB_OK && i-- > 0;) {
        struct bbi_rp rp;
        struct bb_error gone;
        const struct bbi_live_segment *live = &version->segments[i];
        if (live->meta.db_id == f->db_id &&
            bbi_catalog_rp_get(db->catalog, live->meta.rp_id, &rp, &gone) == BB_OK) {
            rc = look_at_segment(f, live, &tp, err);
        }
    }
    bbi_timepage_fini(&tp);
    return rc;
}

/* ---- memory ---- */

static int look_at_space(struct bbi_forget *f, const struct bbi_memspace *space, uint32_t rp_id,
                         uint64_t base_lsn, struct bb_error *err)
{
    int rc = BB_OK;
    uint32_t seen = 0;
    roaring_bitmap_t *has_rows = roaring_bitmap_create();
    if (has_rows == NULL) {
        return bbi_error_nomem(err, "series without rows");
    }
    roaring_uint32_iterator_t *it = roaring_create_iterator(f->left);
    for (; rc == BB_OK && it != NULL && it->has_value; roaring_advance_uint32_iterator(it)) {
        int64_t tmin;
        int64_t tmax;
        uint32_t sid = it->current_value;
        rc = ++seen % CHECK_EVERY == 0 ? f->check(f->check_arg, err) : BB_OK;
        if (!bbi_memspace_series_range(space, sid, &tmin, &tmax)) {
            continue;
        }
        if (bbi_tombset_touches(f->snapshot.tombs, f->snapshot.lsn, f->db_id, rp_id, sid, tmin,
                                tmax, base_lsn)) {
            roaring_bitmap_add(f->unclear, sid);
        } else {
            roaring_bitmap_add(has_rows, sid);
        }
    }
    rc = it == NULL ? bbi_error_nomem(err, "series without rows") : rc;
    if (it != NULL) {
        roaring_free_uint32_iterator(it);
    }
    roaring_bitmap_andnot_inplace(f->left, has_rows);
    roaring_bitmap_free(has_rows);
    return rc;
}

static int look_at_memory(struct bbi_forget *f, struct bb_db *db, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; i < f->snapshot.memtable_count; i++) {
        const struct bbi_memtable *mt = f->snapshot.memtables[i];
        const struct bbi_memspace *space = NULL;
        while (rc == BB_OK && (space = bbi_memtable_next_space(mt, space)) != NULL) {
            struct bbi_memspace_info info;
            struct bbi_rp rp;
            struct bb_error gone;
            bbi_memspace_info(space, &info);
            if (info.db_id == f->db_id && info.value_count != 0 &&
                bbi_catalog_rp_get(db->catalog, info.rp_id, &rp, &gone) == BB_OK) {
                rc = look_at_space(f, space, info.rp_id, bbi_memtable_base_lsn(mt), err);
            }
        }
    }
    return rc;
}

/* ---- rows ---- */

static int add_sources(struct bbi_forget *f, uint32_t rp_id, struct bbi_merge *merge,
                       struct bb_error *err)
{
    const struct bbi_version *version = f->snapshot.version;
    size_t first;
    size_t count;
    int rc = BB_OK;
    bbi_version_range(version, f->db_id, rp_id, &first, &count);
    for (size_t i = first; rc == BB_OK && i < first + count; i++) {
        if (!version->segments[i].quarantined) {
            rc = bbi_merge_add_segment(merge, version->segments[i].segment, err);
        }
    }
    for (size_t i = 0; rc == BB_OK && i < f->snapshot.memtable_count; i++) {
        const struct bbi_memspace *space = bbi_memtable_space(f->snapshot.memtables[i], f->db_id,
                                                              rp_id);
        rc = space == NULL ? BB_OK : bbi_merge_add_memspace(merge, space, err);
    }
    return rc;
}

static int read_unclear(struct bbi_forget *f, struct bbi_merge *merge, struct bb_error *err)
{
    struct bbi_window window = {.rows = 0};
    int rc = BB_OK;
    roaring_uint32_iterator_t *it = roaring_create_iterator(f->unclear);
    if (it == NULL) {
        return bbi_error_nomem(err, "series without rows");
    }
    for (; rc == BB_OK && it->has_value; roaring_advance_uint32_iterator(it)) {
        if (!roaring_bitmap_contains(f->left, it->current_value)) {
            continue;
        }
        rc = f->check(f->check_arg, err);
        rc = rc == BB_OK
                 ? bbi_merge_series(merge, f->mid, it->current_value, INT64_MIN, INT64_MAX, err)
                 : rc;
        rc = rc == BB_OK ? bbi_merge_next(merge, &window, err) : rc;
        if (rc == BB_OK && window.rows != 0) {
            (void)roaring_bitmap_remove(f->left, it->current_value);
        }
    }
    roaring_free_uint32_iterator(it);
    return rc;
}

static int read_policies(struct bbi_forget *f, struct bb_db *db, struct bb_error *err)
{
    struct bbi_rp *rps;
    size_t count;
    int rc = bbi_catalog_rps(db->catalog, f->db_id, f->acct, &rps, &count, err);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        struct bbi_merge merge;
        bbi_merge_init(&merge, f->acct, f->db_id, rps[i].id, NULL, 0, f->snapshot.tombs,
                       f->snapshot.lsn);
        rc = add_sources(f, rps[i].id, &merge, err);
        rc = rc == BB_OK ? read_unclear(f, &merge, err) : rc;
        bbi_merge_fini(&merge);
    }
    bbi_mem_free(rps);
    return rc;
}

int bbi_forget_search(struct bbi_forget *f, struct bb_db *db, struct bb_error *err)
{
    int rc = begin(f, db, err);
    rc = rc == BB_OK ? look_at_memory(f, db, err) : rc;
    rc = rc == BB_OK ? look_at_segments(f, db, err) : rc;
    if (rc == BB_OK && roaring_bitmap_intersect(f->left, f->unclear)) {
        rc = read_policies(f, db, err);
    }
    return rc;
}

/* ---- before they go ---- */

static void keep_written(struct bbi_forget *f, const struct bbi_memtable *mt,
                         roaring_bitmap_t *written)
{
    const struct bbi_memspace *space = NULL;
    if (bbi_memtable_last_lsn(mt) <= f->snapshot.lsn) {
        return;
    }
    while ((space = bbi_memtable_next_space(mt, space)) != NULL) {
        struct bbi_memspace_info info;
        bbi_memspace_info(space, &info);
        roaring_uint32_iterator_t *it = info.db_id == f->db_id ? roaring_create_iterator(f->left)
                                                               : NULL;
        for (; it != NULL && it->has_value; roaring_advance_uint32_iterator(it)) {
            if (bbi_memspace_series_lsn(space, it->current_value) > f->snapshot.lsn) {
                roaring_bitmap_add(written, it->current_value);
            }
        }
        if (it != NULL) {
            roaring_free_uint32_iterator(it);
        }
    }
}

bool bbi_forget_recheck(struct bbi_forget *f, struct bb_db *db)
{
    roaring_bitmap_t *written = roaring_bitmap_create();
    pthread_mutex_lock(&db->state_lock);
    bool overtaken = written == NULL || db->checkpoint_lsn > f->snapshot.lsn;
    struct bbi_memtable *flushing = db->flushing == NULL ? NULL : bbi_memtable_ref(db->flushing);
    pthread_mutex_unlock(&db->state_lock);
    if (!overtaken) {
        keep_written(f, db->active, written);
        if (flushing != NULL) {
            keep_written(f, flushing, written);
        }
        roaring_bitmap_andnot_inplace(f->left, written);
    }
    bbi_memtable_unref(&flushing);
    if (written != NULL) {
        roaring_bitmap_free(written);
    }
    return !overtaken;
}
