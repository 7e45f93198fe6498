#include "engine/query/shards.h"

#include "engine/partition/merge.h"
#include "engine/query/bucket.h"

#define SECONDS_FROM_YEAR_1 62135596800LL

/* Series between two looks at the switch, where each costs little. */
#define CHECK_EVERY 1024

const struct bbi_ql_condition bbi_shards_always = {NULL, BBI_TIME_MIN, BBI_TIME_MAX, false, false};

struct search {
    struct bbi_qctx *ctx;
    const struct bbi_rp *rp;
    uint32_t mid;
    int64_t tmin; /* whole shards */
    int64_t tmax;
    roaring_bitmap_t *left;    /* of which no row has been seen */
    roaring_bitmap_t *found;   /* of which some row has */
    roaring_bitmap_t *unclear; /* whose rows must be read */
};

void bbi_shards_round(const struct bbi_rp *rp, const struct bbi_ql_condition *when, int64_t *tmin,
                      int64_t *tmax)
{
    int64_t width = rp->shard_ns;
    __int128 from_year_1 = (__int128)SECONDS_FROM_YEAR_1 * 1000000000;
    struct bbi_buckets shards = {.width_ns = width, .offset_ns = -(int64_t)(from_year_1 % width)};
    *tmin = when->tmin <= BBI_TIME_MIN
                ? when->tmin
                : bbi_bucket_start(&shards, bbi_bucket_of(&shards, when->tmin));
    *tmax = bbi_bucket_last(&shards, bbi_bucket_of(&shards, when->tmax));
}

int bbi_shards_are_all(struct bbi_qctx *ctx, uint32_t db_id, const struct bbi_ql_condition *when,
                       bool *all, struct bb_error *err)
{
    struct bbi_rp *rps;
    size_t count;
    *all = false;
    if (when->has_tmin || when->has_tmax) {
        return BB_OK;
    }
    int rc = bbi_catalog_rps(ctx->env->catalog, db_id, &ctx->acct, &rps, &count, err);
    if (rc == BB_OK) {
        *all = count == 1;
        bbi_mem_free(rps);
    }
    return rc;
}

static bool is_apart(const struct search *s, int64_t tmin, int64_t tmax)
{
    return tmin > s->tmax || tmax < s->tmin;
}

/* Whether a stretch with rows at both of its ends has one in the shards, deletions left aside. */
static bool is_sure(const struct search *s, int64_t tmin, int64_t tmax)
{
    return (tmin >= s->tmin && tmin <= s->tmax) || (tmax >= s->tmin && tmax <= s->tmax);
}

static bool is_touched(const struct search *s, uint32_t sid, int64_t tmin, int64_t tmax,
                       uint64_t lsn)
{
    const struct bbi_snapshot *snapshot = &s->ctx->snapshot;
    return bbi_tombset_touches(snapshot->tombs, snapshot->lsn, s->rp->db_id, s->rp->id, sid, tmin,
                               tmax, lsn);
}

static void note(struct search *s, uint32_t sid, bool sure)
{
    if (sure) {
        (void)roaring_bitmap_remove(s->left, sid);
        roaring_bitmap_add(s->found, sid);
    } else {
        roaring_bitmap_add(s->unclear, sid);
    }
}

/* ---- segments ---- */

static void look_at_chunks(struct search *s, const struct bbi_segment_meta *meta,
                           const struct bbi_timepage *tp)
{
    for (size_t k = 0; k < tp->chunk_count; k++) {
        uint32_t sid = tp->series[k];
        if (!is_apart(s, tp->tmin[k], tp->tmax[k]) && roaring_bitmap_contains(s->left, sid)) {
            note(s, sid,
                 is_sure(s, tp->tmin[k], tp->tmax[k]) &&
                     !is_touched(s, sid, tp->tmin[k], tp->tmax[k], meta->tombs_lsn));
        }
    }
}

static int look_at_groups(struct search *s, const struct bbi_live_segment *live,
                          struct bbi_timepage *tp, struct bb_error *err)
{
    size_t count;
    size_t first;
    size_t end;
    const struct bbi_segment_group *groups = bbi_segment_groups(live->segment, &count);
    bbi_segment_find(live->segment, s->mid, roaring_bitmap_minimum(s->left),
                     roaring_bitmap_maximum(s->left), &first, &end);
    int rc = BB_OK;
    for (size_t g = first; rc == BB_OK && g < end && !roaring_bitmap_is_empty(s->left); g++) {
        if (groups[g].measurement_id != s->mid || is_apart(s, groups[g].tmin, groups[g].tmax)) {
            continue;
        }
        rc = bbi_segment_read_time(live->segment, g, tp, err);
        if (rc == BB_OK) {
            look_at_chunks(s, &live->meta, tp);
            rc = bbi_qctx_check(s->ctx, err);
        }
    }
    return rc;
}

static int look_at_segment(struct search *s, const struct bbi_live_segment *live,
                           struct bbi_timepage *tp, struct bb_error *err)
{
    const struct bbi_segment_meta *m = &live->meta;
    if (live->quarantined || roaring_bitmap_is_empty(s->left) || is_apart(s, m->tmin, m->tmax) ||
        m->series_max < roaring_bitmap_minimum(s->left) ||
        m->series_min > roaring_bitmap_maximum(s->left)) {
        return BB_OK;
    }
    int rc = bbi_segment_pin(live->segment, err);
    if (rc == BB_OK) {
        rc = look_at_groups(s, live, tp, err);
        bbi_segment_unpin(live->segment);
    }
    return rc;
}

/* New ones first: they have most of the series of today, and then little is left to look for. */
static int look_at_segments(struct search *s, struct bb_error *err)
{
    const struct bbi_version *version = s->ctx->snapshot.version;
    struct bbi_timepage tp;
    size_t first = 0;
    size_t count = 0;
    int rc = BB_OK;
    bbi_timepage_init(&tp, &s->ctx->acct);
    if (version != NULL) {
        bbi_version_range(version, s->rp->db_id, s->rp->id, &first, &count);
    }
    for (size_t i = first + count; rc == BB_OK && i > first; i--) {
        rc = look_at_segment(s, &version->segments[i - 1], &tp, err);
    }
    bbi_timepage_fini(&tp);
    return rc;
}

/* ---- memory ---- */

int bbi_shards_each_space(struct bbi_qctx *ctx, const struct bbi_rp *rp, int64_t tmin, int64_t tmax,
                          bbi_shards_space_fn fn, void *arg, struct bb_error *err)
{
    const struct bbi_snapshot *snapshot = &ctx->snapshot;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < snapshot->memtable_count; i++) {
        const struct bbi_memtable *mt = snapshot->memtables[i];
        const struct bbi_memspace *space = bbi_memtable_space(mt, rp->db_id, rp->id);
        struct bbi_memspace_info info = {.value_count = 0};
        if (space != NULL) {
            bbi_memspace_info(space, &info);
        }
        if (info.value_count > 0 && info.tmin <= tmax && info.tmax >= tmin) {
            rc = fn(arg, space, bbi_memtable_base_lsn(mt), err);
        }
    }
    return rc;
}

static int look_at_space(void *arg, const struct bbi_memspace *space, uint64_t base_lsn,
                         struct bb_error *err)
{
    struct search *s = arg;
    uint32_t seen = 0;
    int rc = BB_OK;
    roaring_bitmap_t *ids = roaring_bitmap_copy(s->left); /* which changes meanwhile */
    if (ids == NULL) {
        return bbi_error_nomem(err, "series of a shard");
    }
    roaring_uint32_iterator_t it;
    roaring_init_iterator(ids, &it);
    for (; rc == BB_OK && it.has_value; roaring_advance_uint32_iterator(&it)) {
        uint32_t sid = it.current_value;
        int64_t tmin;
        int64_t tmax;
        if (bbi_memspace_series_range(space, sid, &tmin, &tmax) && !is_apart(s, tmin, tmax)) {
            note(s, sid, is_sure(s, tmin, tmax) && !is_touched(s, sid, tmin, tmax, base_lsn));
        }
        rc = ++seen % CHECK_EVERY == 0 ? bbi_qctx_check(s->ctx, err) : BB_OK;
    }
    roaring_bitmap_free(ids);
    return rc;
}

static int look_at_memory(struct search *s, struct bb_error *err)
{
    return bbi_shards_each_space(s->ctx, s->rp, s->tmin, s->tmax, look_at_space, s, err);
}

/* ---- where only the rows can tell ---- */

static int add_sources(const struct search *s, struct bbi_merge *merge, struct bb_error *err)
{
    const struct bbi_snapshot *snapshot = &s->ctx->snapshot;
    const struct bbi_version *version = snapshot->version;
    size_t first = 0;
    size_t count = 0;
    int rc = BB_OK;
    if (version != NULL) {
        bbi_version_range(version, s->rp->db_id, s->rp->id, &first, &count);
    }
    for (size_t i = first; rc == BB_OK && i < first + count; i++) {
        const struct bbi_live_segment *live = &version->segments[i];
        if (!live->quarantined && !is_apart(s, live->meta.tmin, live->meta.tmax)) {
            rc = bbi_merge_add_segment(merge, live->segment, err);
        }
    }
    for (size_t i = 0; rc == BB_OK && i < snapshot->memtable_count; i++) {
        const struct bbi_memspace *space = bbi_memtable_space(snapshot->memtables[i], s->rp->db_id,
                                                              s->rp->id);
        rc = space == NULL ? BB_OK : bbi_merge_add_memspace(merge, space, err);
    }
    return rc;
}

static int read_rows(struct search *s, struct bbi_merge *merge, struct bb_error *err)
{
    struct bbi_window window = {.rows = 0};
    int rc = BB_OK;
    roaring_uint32_iterator_t it;
    roaring_init_iterator(s->unclear, &it);
    for (; rc == BB_OK && it.has_value; roaring_advance_uint32_iterator(&it)) {
        uint32_t sid = it.current_value;
        if (!roaring_bitmap_contains(s->left, sid)) {
            continue;
        }
        rc = bbi_qctx_check(s->ctx, err);
        rc = rc == BB_OK ? bbi_merge_series(merge, s->mid, sid, s->tmin, s->tmax, err) : rc;
        rc = rc == BB_OK ? bbi_merge_next(merge, &window, err) : rc;
        if (rc == BB_OK && window.rows != 0) {
            note(s, sid, true);
        }
    }
    return rc;
}

static int look_at_rows(struct search *s, struct bb_error *err)
{
    struct bbi_merge merge;
    if (!roaring_bitmap_intersect(s->left, s->unclear)) {
        return BB_OK;
    }
    bbi_merge_init(&merge, &s->ctx->acct, s->rp->db_id, s->rp->id, NULL, 0, s->ctx->snapshot.tombs,
                   s->ctx->snapshot.lsn);
    int rc = add_sources(s, &merge, err);
    rc = rc == BB_OK ? read_rows(s, &merge, err) : rc;
    bbi_merge_fini(&merge);
    return rc;
}

int bbi_shards_keep(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                    const struct bbi_ql_condition *when, roaring_bitmap_t *ids,
                    struct bb_error *err)
{
    struct search s = {.ctx = ctx, .rp = &m->rp, .mid = m->id, .left = ids};
    int rc = bbi_qctx_snapshot(ctx, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_shards_round(&m->rp, when, &s.tmin, &s.tmax);
    s.found = roaring_bitmap_create();
    s.unclear = roaring_bitmap_create();
    rc = s.found == NULL || s.unclear == NULL ? bbi_error_nomem(err, "series of a shard") : BB_OK;
    rc = rc == BB_OK ? look_at_memory(&s, err) : rc;
    rc = rc == BB_OK ? look_at_segments(&s, err) : rc;
    rc = rc == BB_OK ? look_at_rows(&s, err) : rc;
    if (rc == BB_OK) {
        roaring_bitmap_overwrite(ids, s.found);
    }
    if (s.found != NULL) {
        roaring_bitmap_free(s.found);
    }
    if (s.unclear != NULL) {
        roaring_bitmap_free(s.unclear);
    }
    return rc;
}

/* ---- whether there is anything ---- */

enum answer {
    NO,
    PERHAPS,
    YES
};

static enum answer ask_bounds(const struct search *s, uint32_t series_min, uint32_t series_max,
                              int64_t tmin, int64_t tmax, uint64_t lsn)
{
    const struct bbi_snapshot *snapshot = &s->ctx->snapshot;
    if (is_apart(s, tmin, tmax)) {
        return NO;
    }
    bool touched = bbi_tombset_touches_range(snapshot->tombs, snapshot->lsn, s->rp->db_id,
                                             s->rp->id, series_min, series_max, tmin, tmax, lsn);
    return is_sure(s, tmin, tmax) && !touched ? YES : PERHAPS;
}

static enum answer ask_all(const struct search *s)
{
    const struct bbi_snapshot *snapshot = &s->ctx->snapshot;
    enum answer best = NO;
    size_t first = 0;
    size_t count = 0;
    for (size_t i = 0; best != YES && i < snapshot->memtable_count; i++) {
        struct bbi_memspace_info info;
        const struct bbi_memspace *space = bbi_memtable_space(snapshot->memtables[i], s->rp->db_id,
                                                              s->rp->id);
        if (space != NULL) {
            bbi_memspace_info(space, &info);
            enum answer a = info.value_count == 0
                                ? NO
                                : ask_bounds(s, 0, UINT32_MAX, info.tmin, info.tmax,
                                             bbi_memtable_base_lsn(snapshot->memtables[i]));
            best = a > best ? a : best;
        }
    }
    if (snapshot->version != NULL) {
        bbi_version_range(snapshot->version, s->rp->db_id, s->rp->id, &first, &count);
    }
    for (size_t i = first; best != YES && i < first + count; i++) {
        const struct bbi_segment_meta *m = &snapshot->version->segments[i].meta;
        enum answer a = ask_bounds(s, m->series_min, m->series_max, m->tmin, m->tmax, m->tombs_lsn);
        best = a > best ? a : best;
    }
    return best;
}

/* By looking at one measurement after the other. */
static int search_any(struct bbi_qctx *ctx, const struct bbi_rp *rp,
                      const struct bbi_ql_condition *when, bool *any, struct bb_error *err)
{
    struct bbi_measurements list;
    int rc = bbi_sources_list(ctx, rp->db_id, NULL, 0, &list, err);
    for (size_t i = 0; rc == BB_OK && !*any && i < list.count; i++) {
        roaring_bitmap_t *ids = NULL;
        list.list[i].rp = *rp;
        rc = bbi_catalog_select(ctx->env->catalog, rp->db_id, list.list[i].id, NULL, &ids, err);
        rc = rc == BB_OK ? bbi_shards_keep(ctx, &list.list[i], when, ids, err) : rc;
        *any = rc == BB_OK && !roaring_bitmap_is_empty(ids);
        if (ids != NULL) {
            roaring_bitmap_free(ids);
        }
    }
    return rc;
}

int bbi_shards_any(struct bbi_qctx *ctx, const struct bbi_rp *rp,
                   const struct bbi_ql_condition *when, bool *any, struct bb_error *err)
{
    struct search s = {.ctx = ctx, .rp = rp};
    *any = false;
    int rc = bbi_qctx_snapshot(ctx, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_shards_round(rp, when, &s.tmin, &s.tmax);
    enum answer answer = ask_all(&s);
    *any = answer == YES;
    return answer == PERHAPS ? search_any(ctx, rp, when, any, err) : BB_OK;
}
