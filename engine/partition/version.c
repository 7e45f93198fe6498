#include "engine/partition/version.h"

#include <stdlib.h>
#include <string.h>

static int compare_live(const void *a, const void *b)
{
    const struct bbi_segment_meta *x = &((const struct bbi_live_segment *)a)->meta;
    const struct bbi_segment_meta *y = &((const struct bbi_live_segment *)b)->meta;
    if (x->db_id != y->db_id) {
        return x->db_id < y->db_id ? -1 : 1;
    }
    if (x->rp_id != y->rp_id) {
        return x->rp_id < y->rp_id ? -1 : 1;
    }
    if (x->lsn_hi != y->lsn_hi) {
        return x->lsn_hi < y->lsn_hi ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

static bool contains(const uint64_t *ids, size_t count, uint64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

int bbi_version_create(struct bbi_account *acct, const struct bbi_version *base,
                       const struct bbi_live_segment *added, size_t added_count,
                       const uint64_t *removed, size_t removed_count, struct bbi_version **out,
                       struct bb_error *err)
{
    *out = NULL;
    size_t base_count = base == NULL ? 0 : base->count;
    struct bbi_version *v = bbi_mem_alloc(acct, sizeof(*v) + (base_count + added_count) *
                                                                 sizeof(v->segments[0]));
    if (v == NULL) {
        return bbi_error_nomem(err, "list of segments");
    }
    atomic_init(&v->refs, 1);
    v->count = 0;
    for (size_t i = 0; i < base_count; i++) {
        if (!contains(removed, removed_count, base->segments[i].meta.id)) {
            v->segments[v->count++] = base->segments[i];
        }
    }
    for (size_t i = 0; i < added_count; i++) {
        v->segments[v->count++] = added[i];
    }
    for (size_t i = 0; i < v->count; i++) {
        if (v->segments[i].segment != NULL) {
            (void)bbi_segment_ref(v->segments[i].segment);
        }
    }
    qsort(v->segments, v->count, sizeof(v->segments[0]), compare_live);
    *out = v;
    return BB_OK;
}

struct bbi_version *bbi_version_ref(struct bbi_version *version)
{
    atomic_fetch_add_explicit(&version->refs, 1, memory_order_relaxed);
    return version;
}

void bbi_version_unref(struct bbi_version **version)
{
    struct bbi_version *v = *version;
    *version = NULL;
    if (v == NULL || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < v->count; i++) {
        if (v->segments[i].segment != NULL) {
            bbi_segment_unref(&v->segments[i].segment);
        }
    }
    bbi_mem_free(v);
}

void bbi_version_leave_alone(struct bbi_version *version, uint64_t id)
{
    for (size_t i = 0; i < version->count; i++) {
        if (version->segments[i].meta.id == id) {
            atomic_store(&version->segments[i].left_alone, true);
        }
    }
}

void bbi_version_range(const struct bbi_version *version, uint32_t db_id, uint32_t rp_id,
                       size_t *first, size_t *count)
{
    size_t i = 0;
    while (i < version->count &&
           (version->segments[i].meta.db_id != db_id || version->segments[i].meta.rp_id != rp_id)) {
        i++;
    }
    *first = i;
    while (i < version->count && version->segments[i].meta.db_id == db_id &&
           version->segments[i].meta.rp_id == rp_id) {
        i++;
    }
    *count = i - *first;
}

static void tomb_unref(struct bbi_tomb *tomb)
{
    if (atomic_fetch_sub_explicit(&tomb->refs, 1, memory_order_acq_rel) == 1) {
        if (tomb->t.series != NULL) {
            roaring_bitmap_free(tomb->t.series);
        }
        bbi_mem_free(tomb);
    }
}

int bbi_tombset_create(struct bbi_account *acct, const struct bbi_tombset *base,
                       struct bbi_tombstone *added, const uint64_t *removed_lsns,
                       size_t removed_count, struct bbi_tombset **out, struct bb_error *err)
{
    *out = NULL;
    size_t base_count = base == NULL ? 0 : base->count;
    struct bbi_tombset *set = bbi_mem_alloc(acct, sizeof(*set) +
                                                      (base_count + 1) * sizeof(set->tombs[0]));
    struct bbi_tomb *tomb = added == NULL ? NULL : bbi_mem_zalloc(acct, 1, sizeof(*tomb));
    if (set == NULL || (added != NULL && tomb == NULL)) {
        bbi_mem_free(set);
        bbi_mem_free(tomb);
        return bbi_error_nomem(err, "list of deletions");
    }
    atomic_init(&set->refs, 1);
    set->count = 0;
    for (size_t i = 0; i < base_count; i++) {
        if (!contains(removed_lsns, removed_count, base->tombs[i]->t.lsn)) {
            atomic_fetch_add_explicit(&base->tombs[i]->refs, 1, memory_order_relaxed);
            set->tombs[set->count++] = base->tombs[i];
        }
    }
    if (tomb != NULL) {
        atomic_init(&tomb->refs, 1);
        tomb->t = *added;
        tomb->series_min = roaring_bitmap_minimum(added->series);
        tomb->series_max = roaring_bitmap_maximum(added->series);
        added->series = NULL;
        set->tombs[set->count++] = tomb;
    }
    *out = set;
    return BB_OK;
}

struct bbi_tombset *bbi_tombset_ref(struct bbi_tombset *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void bbi_tombset_unref(struct bbi_tombset **set)
{
    struct bbi_tombset *s = *set;
    *set = NULL;
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        tomb_unref(s->tombs[i]);
    }
    bbi_mem_free(s);
}

void bbi_snapshot_release(struct bbi_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->memtable_count; i++) {
        bbi_memtable_unref(&snapshot->memtables[i]);
    }
    snapshot->memtable_count = 0;
    bbi_version_unref(&snapshot->version);
    bbi_tombset_unref(&snapshot->tombs);
}

/* What of a tombstone does not depend on series: newer than lsn, in the snapshot, same policy,
 * times meet. */
static bool applies(const struct bbi_tombstone *t, uint64_t snapshot_lsn, uint32_t db_id,
                    uint32_t rp_id, int64_t tmin, int64_t tmax, uint64_t lsn)
{
    return t->lsn > lsn && t->lsn <= snapshot_lsn && t->db_id == db_id &&
           (t->rp_id == 0 || t->rp_id == rp_id) && t->tmin <= tmax && tmin <= t->tmax;
}

bool bbi_tombset_touches(const struct bbi_tombset *set, uint64_t snapshot_lsn, uint32_t db_id,
                         uint32_t rp_id, uint32_t series_id, int64_t tmin, int64_t tmax,
                         uint64_t lsn)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct bbi_tomb *tomb = set->tombs[i];
        if (applies(&tomb->t, snapshot_lsn, db_id, rp_id, tmin, tmax, lsn) &&
            series_id >= tomb->series_min && series_id <= tomb->series_max &&
            roaring_bitmap_contains(tomb->t.series, series_id)) {
            return true;
        }
    }
    return false;
}

bool bbi_tombset_hides(const struct bbi_tombset *set, uint64_t snapshot_lsn, uint32_t db_id,
                       uint32_t rp_id, uint32_t series_id, int64_t time_ns, uint64_t cell_lsn)
{
    return bbi_tombset_touches(set, snapshot_lsn, db_id, rp_id, series_id, time_ns, time_ns,
                               cell_lsn);
}

bool bbi_tombset_touches_range(const struct bbi_tombset *set, uint64_t snapshot_lsn, uint32_t db_id,
                               uint32_t rp_id, uint32_t series_min, uint32_t series_max,
                               int64_t tmin, int64_t tmax, uint64_t lsn)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct bbi_tomb *tomb = set->tombs[i];
        if (applies(&tomb->t, snapshot_lsn, db_id, rp_id, tmin, tmax, lsn) &&
            series_min <= tomb->series_max && tomb->series_min <= series_max) {
            return true;
        }
    }
    return false;
}
