/*
 * Where nearly all rows are, little is to be read: a segment mostly has one partition, and a
 * memtable whose times reach over a few has rows in each of them among its first series. Only what
 * is scattered is looked at row by row.
 */
#include "engine/query/shard_places.h"

/* Series between two looks at the switch. */
#define CHECK_EVERY 1024

struct places {
    struct bbi_qctx *ctx;
    int64_t shard_ns;
    bool ends_only;
    roaring_bitmap_t *found;
};

uint32_t bbi_place_of(int64_t time_ns, int64_t shard_ns)
{
    int64_t q = time_ns / shard_ns;
    return (uint32_t)(q - (time_ns % shard_ns < 0) + BBI_PLACE_ZERO);
}

int64_t bbi_place_start(uint32_t place, int64_t shard_ns)
{
    return ((int64_t)place - BBI_PLACE_ZERO) * shard_ns;
}

static uint32_t place_of(const struct places *p, int64_t time_ns)
{
    return bbi_place_of(time_ns, p->shard_ns);
}

/* A stretch with a row at each end. True: nothing is left to be found in it. */
static bool add_ends(struct places *p, int64_t tmin, int64_t tmax)
{
    uint64_t first = place_of(p, tmin);
    uint64_t end = (uint64_t)place_of(p, tmax) + 1;
    roaring_bitmap_add(p->found, (uint32_t)first);
    roaring_bitmap_add(p->found, (uint32_t)(end - 1));
    return p->ends_only || roaring_bitmap_range_cardinality(p->found, first, end) == end - first;
}

/* The same of a stretch that may have lost the rows at its ends. */
static bool is_known(const struct places *p, int64_t tmin, int64_t tmax)
{
    uint64_t first = place_of(p, tmin);
    uint64_t end = (uint64_t)place_of(p, tmax) + 1;
    return roaring_bitmap_range_cardinality(p->found, first, end) == end - first;
}

/* ---- segments ---- */

/* From the first row of a partition to the first of the next that has one. */
static int add_chunk(struct places *p, struct bbi_timepage *tp, size_t k, struct bb_error *err)
{
    uint32_t last = place_of(p, tp->tmax[k]);
    int rc = BB_OK;
    for (uint32_t place = place_of(p, tp->tmin[k]); rc == BB_OK && place < last;) {
        size_t row;
        int64_t time = 0;
        rc = bbi_timepage_lower_bound(tp, k, bbi_place_start(place + 1, p->shard_ns), &row, err);
        rc = rc == BB_OK ? bbi_timepage_times(tp, k, row, row + 1, &time, err) : rc;
        if (rc == BB_OK) {
            place = place_of(p, time);
            roaring_bitmap_add(p->found, place);
        }
    }
    return rc;
}

static int add_group(struct places *p, const struct bbi_segment *segment, size_t group,
                     struct bbi_timepage *tp, struct bb_error *err)
{
    int rc = bbi_segment_read_time(segment, group, tp, err);
    for (size_t k = 0; rc == BB_OK && k < tp->chunk_count; k++) {
        if (!add_ends(p, tp->tmin[k], tp->tmax[k])) {
            rc = add_chunk(p, tp, k, err);
        }
    }
    return rc == BB_OK ? bbi_qctx_check(p->ctx, err) : rc;
}

static int add_groups(struct places *p, const struct bbi_live_segment *live,
                      struct bbi_timepage *tp, struct bb_error *err)
{
    size_t count;
    int rc = bbi_segment_pin(live->segment, err);
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_segment_group *groups = bbi_segment_groups(live->segment, &count);
    for (size_t g = 0; rc == BB_OK && g < count; g++) {
        if (!add_ends(p, groups[g].tmin, groups[g].tmax)) {
            rc = add_group(p, live->segment, g, tp, err);
        }
    }
    bbi_segment_unpin(live->segment);
    return rc;
}

static int add_segments(struct places *p, const struct bbi_rp *rp, struct bb_error *err)
{
    const struct bbi_version *version = p->ctx->snapshot.version;
    struct bbi_timepage tp;
    size_t first;
    size_t count;
    int rc = BB_OK;
    bbi_timepage_init(&tp, &p->ctx->acct);
    bbi_version_range(version, rp->db_id, rp->id, &first, &count);
    for (size_t i = first; rc == BB_OK && i < first + count; i++) {
        const struct bbi_live_segment *live = &version->segments[i];
        if (!add_ends(p, live->meta.tmin, live->meta.tmax) && !live->quarantined) {
            rc = add_groups(p, live, &tp, err);
        }
    }
    bbi_timepage_fini(&tp);
    return rc;
}

/* ---- memory ---- */

static int add_fields(struct places *p, const struct bbi_memspace *space, uint32_t sid,
                      struct bbi_memrows *rows, struct bb_error *err)
{
    size_t cap = bbi_memspace_fields(space, sid, NULL, 0);
    struct bbi_memfield *fields = bbi_mem_alloc(&p->ctx->acct, cap * sizeof(fields[0]));
    int rc = fields == NULL ? bbi_error_nomem(err, "shards") : BB_OK;
    size_t count = rc == BB_OK ? bbi_memspace_fields(space, sid, fields, cap) : 0;
    for (size_t f = 0; rc == BB_OK && f < count && f < cap; f++) {
        if (is_known(p, fields[f].tmin, fields[f].tmax)) {
            continue;
        }
        rc = bbi_memspace_read(space, sid, fields[f].field_id, fields[f].tmin, fields[f].tmax,
                               p->ctx->snapshot.lsn, rows, err);
        for (size_t i = 0; rc == BB_OK && i < rows->count; i++) {
            roaring_bitmap_add(p->found, place_of(p, rows->times[i]));
        }
        rc = rc == BB_OK ? bbi_qctx_check(p->ctx, err) : rc;
    }
    bbi_mem_free(fields);
    return rc;
}

static int add_space(struct places *p, const struct bbi_memspace *space, struct bb_error *err)
{
    struct bbi_memspace_info info;
    struct bbi_memseries *series = NULL;
    struct bbi_memrows rows;
    size_t count = 0;
    bbi_memspace_info(space, &info);
    if (info.value_count == 0 || is_known(p, info.tmin, info.tmax) ||
        (p->ends_only && add_ends(p, info.tmin, info.tmax))) {
        return BB_OK;
    }
    bbi_memrows_init(&rows, &p->ctx->acct);
    int rc = bbi_memspace_series(space, &p->ctx->acct, &series, &count, err);
    for (size_t i = 0; rc == BB_OK && i < count && !is_known(p, info.tmin, info.tmax); i++) {
        int64_t tmin;
        int64_t tmax;
        rc = i % CHECK_EVERY == 0 ? bbi_qctx_check(p->ctx, err) : BB_OK;
        if (rc == BB_OK && bbi_memspace_series_range(space, series[i].series_id, &tmin, &tmax) &&
            !is_known(p, tmin, tmax)) {
            rc = add_fields(p, space, series[i].series_id, &rows, err);
        }
    }
    bbi_mem_free(series);
    bbi_memrows_fini(&rows);
    return rc;
}

int bbi_shard_places(struct bbi_qctx *ctx, const struct bbi_rp *rp, bool ends_only,
                     roaring_bitmap_t **out, struct bb_error *err)
{
    const struct bbi_snapshot *snapshot = &ctx->snapshot;
    struct places p = {ctx, rp->shard_ns, ends_only, roaring_bitmap_create()};
    *out = NULL;
    if (p.found == NULL) {
        return bbi_error_nomem(err, "shards");
    }
    int rc = add_segments(&p, rp, err);
    for (size_t i = 0; rc == BB_OK && i < snapshot->memtable_count; i++) {
        const struct bbi_memspace *space = bbi_memtable_space(snapshot->memtables[i], rp->db_id,
                                                              rp->id);
        rc = space != NULL ? add_space(&p, space, err) : BB_OK;
    }
    if (rc == BB_OK) {
        *out = p.found;
    } else {
        roaring_bitmap_free(p.found);
    }
    return rc;
}
