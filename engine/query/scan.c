#include "engine/query/scan.h"

#include <stdlib.h>
#include <string.h>

#include "engine/query/emit.h"

size_t bbi_series_find(const uint32_t *ids, size_t from, size_t count, uint32_t id)
{
    size_t step = 1;
    size_t low = from;
    while (low + step <= count && ids[low + step - 1] < id) {
        low += step;
        step *= 2;
    }
    size_t high = low + step - 1 < count ? low + step - 1 : count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (ids[mid] < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* ---- sources ---- */

static bool meets(const struct bbi_qscan *scan, const struct bbi_segment_meta *meta)
{
    return meta->row_count > 0 && meta->tmin <= scan->tmax && meta->tmax >= scan->tmin &&
           meta->series_min <= scan->series[scan->series_count - 1] &&
           meta->series_max >= scan->series[0];
}

static int warn_quarantined(const struct bbi_qscan *scan, const struct bbi_segment_meta *meta,
                            struct bb_error *err)
{
    char text[160];
    (void)snprintf(text, sizeof(text),
                   "segment seg-%016llx is damaged and in quarantine: up to %llu readings are "
                   "missing here",
                   (unsigned long long)meta->id, (unsigned long long)meta->row_count);
    return bbi_emit_message(scan->ctx, text, err);
}

static int find_segments(struct bbi_qscan *scan, struct bb_error *err)
{
    const struct bbi_version *version = scan->ctx->snapshot.version;
    size_t first = 0;
    size_t count = 0;
    scan->segment_count = 0;
    if (version != NULL) {
        bbi_version_range(version, scan->db_id, scan->rp_id, &first, &count);
    }
    int rc = bbi_qctx_array(scan->ctx, count, sizeof(scan->segments[0]), &scan->segments, err);
    for (size_t i = first; rc == BB_OK && i < first + count; i++) {
        const struct bbi_live_segment *live = &version->segments[i];
        scan->ctx->stats.segments_total++;
        if (!meets(scan, &live->meta)) {
            scan->ctx->stats.segments_pruned++;
        } else if (live->quarantined) {
            rc = warn_quarantined(scan, &live->meta, err);
        } else {
            scan->segments[scan->segment_count++] = (struct bbi_qscan_segment){live->segment,
                                                                               &live->meta};
        }
    }
    return rc;
}

static void find_spaces(struct bbi_qscan *scan)
{
    const struct bbi_snapshot *snapshot = &scan->ctx->snapshot;
    scan->space_count = 0;
    for (size_t i = 0; i < snapshot->memtable_count; i++) {
        struct bbi_memspace_info info;
        const struct bbi_memspace *space = bbi_memtable_space(snapshot->memtables[i], scan->db_id,
                                                              scan->rp_id);
        if (space == NULL) {
            continue;
        }
        bbi_memspace_info(space, &info);
        if (info.value_count > 0 && info.tmin <= scan->tmax && info.tmax >= scan->tmin) {
            scan->spaces[scan->space_count++] = (struct bbi_qscan_space){
                space, info.tmin, info.tmax, info.value_count};
        }
    }
}

static void find_bounds(struct bbi_qscan *scan)
{
    int64_t tmin = INT64_MAX;
    int64_t tmax = INT64_MIN;
    for (size_t i = 0; i < scan->segment_count; i++) {
        const struct bbi_segment_meta *meta = scan->segments[i].meta;
        tmin = meta->tmin < tmin ? meta->tmin : tmin;
        tmax = meta->tmax > tmax ? meta->tmax : tmax;
    }
    for (size_t i = 0; i < scan->space_count; i++) {
        tmin = scan->spaces[i].tmin < tmin ? scan->spaces[i].tmin : tmin;
        tmax = scan->spaces[i].tmax > tmax ? scan->spaces[i].tmax : tmax;
    }
    scan->data_tmin = tmin > scan->tmin ? tmin : scan->tmin;
    scan->data_tmax = tmax < scan->tmax ? tmax : scan->tmax;
}

/* ---- regions ---- */

static int region_array(struct bbi_qscan *scan, size_t count, size_t size, void *out,
                        struct bb_error *err)
{
    void *p = bbi_arena_zalloc(&scan->region_arena, count, size);
    memcpy(out, &p, sizeof(p));
    return p == NULL ? bbi_error_nomem(err, "regions of a query") : BB_OK;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/*
 * Where regions begin: at the ends of what segments claim, which are ends of partitions, and where
 * memory begins and ends, so that what lies on disk alone stays apart.
 */
static int cut_times(struct bbi_qscan *scan, int64_t **cuts, size_t *count, struct bb_error *err)
{
    size_t n = 0;
    int rc = region_array(scan, 2 * (scan->segment_count + scan->space_count) + 1, sizeof(**cuts),
                          cuts, err);
    if (rc != BB_OK) {
        return rc;
    }
    int64_t *list = *cuts;
    list[n++] = scan->data_tmin;
    for (size_t i = 0; i < scan->segment_count; i++) {
        list[n++] = scan->segments[i].meta->span_t0;
        list[n++] = scan->segments[i].meta->span_t1;
    }
    for (size_t i = 0; i < scan->space_count; i++) {
        list[n++] = scan->spaces[i].tmin;
        list[n++] = scan->spaces[i].tmax < INT64_MAX ? scan->spaces[i].tmax + 1 : INT64_MAX;
    }
    qsort(list, n, sizeof(list[0]), by_time);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        bool inside = list[i] >= scan->data_tmin && list[i] <= scan->data_tmax;
        if (inside && (*count == 0 || list[*count - 1] != list[i])) {
            list[(*count)++] = list[i];
        }
    }
    return BB_OK;
}

struct region_list {
    struct bbi_qscan *scan;
    size_t cap;
};

static int add_region(struct region_list *l, const struct bbi_region *region, struct bb_error *err)
{
    struct bbi_qscan *scan = l->scan;
    if (region->series_first >= region->series_end) {
        return BB_OK;
    }
    if (scan->region_count == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        struct bbi_region *list;
        int rc = region_array(scan, cap, sizeof(list[0]), &list, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (scan->region_count != 0) {
            memcpy(list, scan->regions, scan->region_count * sizeof(list[0]));
        }
        scan->regions = list;
        l->cap = cap;
    }
    scan->regions[scan->region_count++] = *region;
    scan->rows += region->rows;
    return BB_OK;
}

static const struct bbi_segment_meta *meta_of(const struct bbi_qscan *scan, uint32_t segment)
{
    return scan->segments[segment].meta;
}

/* Rows of a segment that lie in a region, if they are spread evenly. */
static uint64_t estimate(const struct bbi_region *region, const struct bbi_segment_meta *meta)
{
    int64_t from = region->tmin > meta->tmin ? region->tmin : meta->tmin;
    int64_t to = region->tmax < meta->tmax ? region->tmax : meta->tmax;
    double span = (double)meta->tmax - (double)meta->tmin + 1;
    double time = ((double)to - (double)from + 1) / span;
    double series = (double)(region->series_end - region->series_first) /
                    (double)(meta->series_count == 0 ? 1 : meta->series_count);
    double rows = (double)meta->row_count * time * (series < 1 ? series : 1);
    return rows < 1 ? 1 : (uint64_t)rows;
}

static bool deletion_touches(const struct bbi_qscan *scan, const struct bbi_region *region)
{
    const struct bbi_tombset *tombs = scan->ctx->snapshot.tombs;
    return tombs != NULL && tombs->count > 0 &&
           bbi_tombset_touches_range(tombs, scan->ctx->snapshot.lsn, scan->db_id, scan->rp_id,
                                     scan->series[region->series_first],
                                     scan->series[region->series_end - 1], region->tmin,
                                     region->tmax, meta_of(scan, region->segments[0])->lsn_hi);
}

/* The region of some segments that overlap in series, or, with memory, of all. */
static int close_region(struct region_list *l, struct bbi_region *region, uint32_t *segments,
                        size_t count, struct bb_error *err)
{
    const struct bbi_qscan *scan = l->scan;
    uint32_t low = UINT32_MAX;
    uint32_t high = 0;
    int64_t tmin = INT64_MAX;
    int64_t tmax = INT64_MIN;
    struct bbi_region r = *region;
    r.segments = segments;
    r.segment_count = count;
    r.series_first = 0;
    r.series_end = scan->series_count;
    for (size_t i = 0; i < count; i++) {
        const struct bbi_segment_meta *meta = meta_of(scan, segments[i]);
        low = meta->series_min < low ? meta->series_min : low;
        high = meta->series_max > high ? meta->series_max : high;
        tmin = meta->tmin < tmin ? meta->tmin : tmin;
        tmax = meta->tmax > tmax ? meta->tmax : tmax;
    }
    if (!r.has_spaces) {
        r.series_first = bbi_series_find(scan->series, 0, scan->series_count, low);
        r.series_end = high == UINT32_MAX
                           ? scan->series_count
                           : bbi_series_find(scan->series, 0, scan->series_count, high + 1);
        r.tmin = r.tmin > tmin ? r.tmin : tmin;
        r.tmax = r.tmax < tmax ? r.tmax : tmax;
    }
    if (r.series_first >= r.series_end || r.tmin > r.tmax) {
        return BB_OK;
    }
    r.rows = 0;
    for (size_t i = 0; i < count; i++) {
        r.rows += estimate(&r, meta_of(scan, segments[i]));
    }
    for (size_t i = 0; r.has_spaces && i < scan->space_count; i++) {
        r.rows += scan->spaces[i].values;
    }
    r.pure = count == 1 && !r.has_spaces && !deletion_touches(scan, &r);
    return add_region(l, &r, err);
}

/* Sorting indexes by the segments' first series needs the scan at hand. */
static void sort_by_series(const struct bbi_qscan *scan, uint32_t *list, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t at = list[i];
        size_t k = i;
        for (; k > 0 && meta_of(scan, list[k - 1])->series_min > meta_of(scan, at)->series_min;
             k--) {
            list[k] = list[k - 1];
        }
        list[k] = at;
    }
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Between two cuts: segments that share no series get regions of their own, unless memory may hold
 * any series. */
static int add_between(struct region_list *l, int64_t tmin, int64_t tmax, struct bb_error *err)
{
    const struct bbi_qscan *scan = l->scan;
    struct bbi_region region = {.tmin = tmin, .tmax = tmax};
    uint32_t *list;
    size_t n = 0;
    int rc = region_array(l->scan, scan->segment_count, sizeof(list[0]), &list, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < scan->segment_count; i++) {
        const struct bbi_segment_meta *meta = scan->segments[i].meta;
        if (meta->tmin <= tmax && meta->tmax >= tmin) {
            list[n++] = (uint32_t)i;
        }
    }
    for (size_t i = 0; i < scan->space_count; i++) {
        region.has_spaces = region.has_spaces ||
                            (scan->spaces[i].tmin <= tmax && scan->spaces[i].tmax >= tmin);
    }
    if (region.has_spaces) {
        return close_region(l, &region, list, n, err);
    }
    sort_by_series(scan, list, n);
    for (size_t i = 0; rc == BB_OK && i < n;) {
        uint32_t high = meta_of(scan, list[i])->series_max;
        size_t end = i + 1;
        for (; end < n && meta_of(scan, list[end])->series_min <= high; end++) {
            uint32_t next = meta_of(scan, list[end])->series_max;
            high = next > high ? next : high;
        }
        qsort(list + i, end - i, sizeof(list[0]), by_index);
        rc = close_region(l, &region, list + i, end - i, err);
        i = end;
    }
    return rc;
}

static int cut_regions(struct bbi_qscan *scan, struct bb_error *err)
{
    struct region_list l = {.scan = scan};
    int64_t *cuts;
    size_t count;
    scan->regions = NULL;
    scan->region_count = 0;
    scan->rows = 0;
    bbi_arena_reset(&scan->region_arena);
    find_bounds(scan);
    if (scan->data_tmin > scan->data_tmax) {
        return BB_OK;
    }
    int rc = cut_times(scan, &cuts, &count, err);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        rc = add_between(&l, cuts[i], i + 1 < count ? cuts[i + 1] - 1 : scan->data_tmax, err);
    }
    return rc;
}

int bbi_qscan_prepare(struct bbi_qscan *scan, struct bb_error *err)
{
    scan->segments = NULL;
    scan->segment_count = 0;
    scan->space_count = 0;
    scan->data_tmin = INT64_MAX;
    scan->data_tmax = INT64_MIN;
    bbi_arena_init(&scan->region_arena, &scan->ctx->acct);
    if (scan->series_count == 0 || scan->tmin > scan->tmax) {
        return BB_OK;
    }
    int rc = find_segments(scan, err);
    if (rc == BB_OK) {
        find_spaces(scan);
        rc = cut_regions(scan, err);
    }
    return rc;
}

int bbi_qscan_restrict(struct bbi_qscan *scan, const uint32_t *series, size_t series_count,
                       struct bb_error *err)
{
    scan->complete = scan->complete && series_count == scan->series_count;
    scan->others = series_count == scan->series_count ? scan->others : NULL;
    scan->series = series;
    scan->series_count = series_count;
    if (series_count == 0) {
        scan->region_count = 0;
        return BB_OK;
    }
    return cut_regions(scan, err);
}

void bbi_qscan_fini(struct bbi_qscan *scan)
{
    bbi_arena_fini(&scan->region_arena);
    scan->region_count = 0;
}
