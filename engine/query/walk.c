#include "engine/query/walk.h"

#include <string.h>

/* Series between two looks at the clock. */
#define CHECK_EVERY 64

struct walker {
    const struct bbi_qscan *scan;
    const struct bbi_region *region;
    const struct bbi_visitor *visitor;
    struct bbi_qstats *stats;
    struct bbi_qscan_cursor *cursors; /* [region->segment_count] old to new */
    struct bbi_merge all;             /* every source of the region */
    struct bbi_merge memory;          /* the memtables alone */
    bool has_all;
    bool has_memory;
};

/* ---- pure regions ---- */

/* Whether the group may hold deleted rows: those of dropped series, of which the catalog knows no
 * more, so that they are neither selected nor among the others. */
static bool holds_deleted(const struct walker *w, const struct bbi_segment_group *g)
{
    const struct bbi_qscan *scan = w->scan;
    const struct bbi_tombset *tombs = scan->ctx->snapshot.tombs;
    const struct bbi_segment_meta *meta = scan->segments[w->region->segments[0]].meta;
    return tombs != NULL && tombs->count > 0 &&
           bbi_tombset_touches_range(tombs, scan->ctx->snapshot.lsn, scan->db_id, scan->rp_id,
                                     g->series_min, g->series_max, g->tmin, g->tmax,
                                     meta->tombs_lsn);
}

/* Whether every series that the group may hold is selected and in this part, and all of its rows
 * lie in the region. */
static bool is_whole(const struct walker *w, const struct bbi_walk_part *part,
                     const struct bbi_segment_group *g, size_t series_at)
{
    const struct bbi_qscan *scan = w->scan;
    uint32_t span = g->series_max - g->series_min;
    if (g->tmin < w->region->tmin || g->tmax > w->region->tmax ||
        (part->series_first > 0 && g->series_min < scan->series[part->series_first]) ||
        (part->series_end < scan->series_count &&
         g->series_max >= scan->series[part->series_end])) {
        return false;
    }
    if (span < scan->series_count - series_at && scan->series[series_at] == g->series_min &&
        scan->series[series_at + span] == g->series_max) {
        return true;
    }
    if (holds_deleted(w, g)) {
        return false;
    }
    if (scan->complete) {
        return true;
    }
    return scan->others != NULL &&
           roaring_bitmap_range_cardinality(scan->others, g->series_min,
                                            (uint64_t)g->series_max + 1) == 0;
}

static int show_chunk(const struct walker *w, size_t series_at, struct bbi_qscan_cursor *c,
                      struct bb_error *err)
{
    size_t from;
    size_t to;
    int rc = bbi_qscan_cursor_rows(c, w->region->tmin, w->region->tmax, &from, &to, err);
    if (rc != BB_OK || from >= to) {
        return rc;
    }
    w->stats->chunks_clean++;
    rc = bbi_qctx_points(w->scan->ctx, to - from, err);
    return rc != BB_OK ? rc : w->visitor->chunk(w->visitor->arg, series_at, c, from, to, err);
}

static int walk_group(const struct walker *w, struct bbi_qscan_cursor *c, size_t series_at,
                      size_t series_end, struct bb_error *err)
{
    const uint32_t *series = w->scan->series;
    const struct bbi_timepage *time = &c->time;
    size_t chunk = bbi_timepage_find(time, series[series_at]);
    while (chunk < time->chunk_count) {
        uint32_t id = time->series[chunk];
        if (series[series_at] < id) {
            series_at = bbi_series_find(series, series_at, series_end, id);
            if (series_at == series_end) {
                return BB_OK;
            }
        }
        if (series[series_at] != id) {
            do {
                chunk++;
            } while (chunk < time->chunk_count && time->series[chunk] < series[series_at]);
            continue;
        }
        if (time->tmin[chunk] <= w->region->tmax && time->tmax[chunk] >= w->region->tmin) {
            c->chunk = chunk;
            int rc = show_chunk(w, series_at, c, err);
            if (rc != BB_OK) {
                return rc;
            }
        }
        chunk++;
    }
    return BB_OK;
}

static int walk_pure(const struct walker *w, const struct bbi_walk_part *part, struct bb_error *err)
{
    const struct bbi_visitor *v = w->visitor;
    struct bbi_qscan_cursor *c = &w->cursors[0];
    const uint32_t *series = w->scan->series;
    size_t count = c->group_end - c->group_first;
    size_t end = count * (part->piece + 1) / part->piece_count;
    size_t at = part->series_first;
    for (size_t i = count * part->piece / part->piece_count; i < end; i++) {
        const struct bbi_segment_group *g = &c->groups[c->group_first + i];
        at = bbi_series_find(series, at, part->series_end, g->series_min);
        if (at == part->series_end || series[at] > g->series_max || g->tmin > w->region->tmax ||
            g->tmax < w->region->tmin) {
            w->stats->groups_pruned++;
            continue;
        }
        if (v->wants != NULL && !v->wants(v->arg, g, at)) {
            w->stats->groups_filtered++;
            continue;
        }
        bool done = false;
        int rc = BB_OK;
        if (v->group != NULL && is_whole(w, part, g, at)) {
            rc = v->group(v->arg, g, at, &done, err);
        }
        if (rc == BB_OK && done) {
            rc = bbi_qctx_points(w->scan->ctx, g->row_count, err);
        }
        if (rc == BB_OK && !done) {
            rc = bbi_qscan_cursor_enter(c, c->group_first + i, err);
            rc = rc == BB_OK ? walk_group(w, c, at, part->series_end, err) : rc;
        }
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

/* ---- the rest ---- */

/* The times that the memtables have of a series, in pieces. */
struct spans {
    size_t count;
    struct {
        int64_t tmin;
        int64_t tmax;
    } list[BBI_SNAPSHOT_MEMTABLES];
};

static void find_spans(const struct walker *w, uint32_t series_id, struct spans *out)
{
    out->count = 0;
    for (size_t i = 0; w->region->has_spaces && i < w->scan->space_count; i++) {
        int64_t tmin;
        int64_t tmax;
        if (bbi_memspace_series_range(w->scan->spaces[i].space, series_id, &tmin, &tmax) &&
            tmin <= w->region->tmax && tmax >= w->region->tmin) {
            out->list[out->count].tmin = tmin > w->region->tmin ? tmin : w->region->tmin;
            out->list[out->count].tmax = tmax < w->region->tmax ? tmax : w->region->tmax;
            out->count++;
        }
    }
}

static int open_merge(struct walker *w, bool with_segments, struct bbi_merge *m,
                      struct bb_error *err)
{
    const struct bbi_qscan *scan = w->scan;
    int rc = BB_OK;
    bbi_merge_init(m, &scan->ctx->acct, scan->db_id, scan->rp_id, scan->fields, scan->field_count,
                   scan->ctx->snapshot.tombs, scan->ctx->snapshot.lsn);
    for (size_t i = 0; rc == BB_OK && with_segments && i < w->region->segment_count; i++) {
        rc = bbi_merge_add_segment(m, scan->segments[w->region->segments[i]].segment, err);
    }
    for (size_t i = 0; rc == BB_OK && w->region->has_spaces && i < scan->space_count; i++) {
        rc = bbi_merge_add_memspace(m, scan->spaces[i].space, err);
    }
    return rc;
}

static int show_merged(struct walker *w, size_t series_at, bool with_segments, int64_t tmin,
                       int64_t tmax, struct bb_error *err)
{
    struct bbi_merge *m = with_segments ? &w->all : &w->memory;
    bool *open = with_segments ? &w->has_all : &w->has_memory;
    struct bbi_window window;
    int rc = BB_OK;
    if (!*open) {
        *open = true;
        rc = open_merge(w, with_segments, m, err);
    }
    if (rc == BB_OK) {
        rc = bbi_merge_series(m, w->scan->measurement_id, w->scan->series[series_at], tmin, tmax,
                              err);
    }
    while (rc == BB_OK) {
        rc = bbi_merge_next(m, &window, err);
        if (rc != BB_OK || window.rows == 0) {
            break;
        }
        w->stats->windows_merged++;
        w->stats->rows_merged += window.rows;
        rc = bbi_qctx_points(w->scan->ctx, window.rows, err);
        rc = rc == BB_OK ? w->visitor->rows(w->visitor->arg, series_at, &window, err) : rc;
        if (rc == BB_OK) {
            rc = bbi_qctx_check(w->scan->ctx, err);
        }
    }
    return rc;
}

static bool cursor_has(const struct bbi_qscan_cursor *c, uint32_t series_id)
{
    return !c->at_end && bbi_qscan_cursor_series(c) == series_id;
}

static int64_t clip_low(const struct walker *w, int64_t t)
{
    return t > w->region->tmin ? t : w->region->tmin;
}

static int64_t clip_high(const struct walker *w, int64_t t)
{
    return t < w->region->tmax ? t : w->region->tmax;
}

/* The cursor whose piece of the series begins first; SIZE_MAX: none has any. */
static size_t first_cursor(const struct walker *w, uint32_t series_id, int64_t *tmin)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < w->region->segment_count; i++) {
        const struct bbi_qscan_cursor *c = &w->cursors[i];
        if (cursor_has(c, series_id)) {
            int64_t t = clip_low(w, c->time.tmin[c->chunk]);
            if (best == SIZE_MAX || t < *tmin) {
                best = i;
                *tmin = t;
            }
        }
    }
    return best;
}

/* Move the cursors over all of their pieces that begin up to *tmax, which grows with them; false in
 * *more: none did. */
static int absorb(struct walker *w, uint32_t series_id, int64_t *tmax, bool *more,
                  struct bb_error *err)
{
    *more = false;
    for (size_t i = 0; i < w->region->segment_count; i++) {
        struct bbi_qscan_cursor *c = &w->cursors[i];
        while (cursor_has(c, series_id) && c->time.tmin[c->chunk] <= *tmax) {
            int64_t end = clip_high(w, c->time.tmax[c->chunk]);
            *tmax = end > *tmax ? end : *tmax;
            *more = true;
            int rc = bbi_qscan_cursor_next(c, err);
            if (rc != BB_OK) {
                return rc;
            }
        }
    }
    return BB_OK;
}

/* Likewise for the memtables. */
static bool absorb_spans(struct spans *spans, int64_t *tmax)
{
    bool more = false;
    for (size_t i = 0; i < spans->count;) {
        if (spans->list[i].tmin <= *tmax) {
            *tmax = spans->list[i].tmax > *tmax ? spans->list[i].tmax : *tmax;
            spans->list[i] = spans->list[--spans->count];
            more = true;
        } else {
            i++;
        }
    }
    return more;
}

/* Whether another cursor's piece or a memtable meets the first cursor's piece, or a deletion does.
 */
static bool is_clean(const struct walker *w, size_t first, uint32_t series_id,
                     const struct spans *spans)
{
    const struct bbi_qscan *scan = w->scan;
    const struct bbi_qscan_cursor *c = &w->cursors[first];
    int64_t tmin = c->time.tmin[c->chunk];
    int64_t tmax = clip_high(w, c->time.tmax[c->chunk]);
    for (size_t i = 0; i < w->region->segment_count; i++) {
        const struct bbi_qscan_cursor *other = &w->cursors[i];
        if (i != first && cursor_has(other, series_id) && other->time.tmin[other->chunk] <= tmax) {
            return false;
        }
    }
    for (size_t i = 0; i < spans->count; i++) {
        if (spans->list[i].tmin <= tmax) {
            return false;
        }
    }
    const struct bbi_tombset *tombs = scan->ctx->snapshot.tombs;
    return tombs == NULL || tombs->count == 0 ||
           !bbi_tombset_touches(tombs, scan->ctx->snapshot.lsn, scan->db_id, scan->rp_id, series_id,
                                tmin, tmax,
                                scan->segments[w->region->segments[first]].meta->lsn_hi);
}

/* The next piece of a series: a clean chunk, or a stretch of what overlaps, by rising time. */
static int next_piece(struct walker *w, size_t series_at, struct spans *spans, bool *end,
                      struct bb_error *err)
{
    uint32_t series_id = w->scan->series[series_at];
    int64_t tmin = INT64_MAX;
    int64_t span_tmin = INT64_MAX;
    size_t first = first_cursor(w, series_id, &tmin);
    for (size_t i = 0; i < spans->count; i++) {
        span_tmin = spans->list[i].tmin < span_tmin ? spans->list[i].tmin : span_tmin;
    }
    *end = first == SIZE_MAX && spans->count == 0;
    if (*end) {
        return BB_OK;
    }
    if (first != SIZE_MAX && tmin < span_tmin && is_clean(w, first, series_id, spans)) {
        int rc = show_chunk(w, series_at, &w->cursors[first], err);
        return rc == BB_OK ? bbi_qscan_cursor_next(&w->cursors[first], err) : rc;
    }
    tmin = tmin < span_tmin ? tmin : span_tmin;
    int64_t tmax = tmin;
    bool with_segments = false;
    bool more;
    do {
        int rc = absorb(w, series_id, &tmax, &more, err);
        if (rc != BB_OK) {
            return rc;
        }
        with_segments = with_segments || more;
        more = absorb_spans(spans, &tmax) || more;
    } while (more);
    return show_merged(w, series_at, with_segments, tmin, tmax, err);
}

static int walk_series(struct walker *w, size_t series_at, struct bb_error *err)
{
    struct spans spans;
    bool end = false;
    int rc = BB_OK;
    find_spans(w, w->scan->series[series_at], &spans);
    while (rc == BB_OK && !end) {
        rc = next_piece(w, series_at, &spans, &end, err);
    }
    return rc;
}

/* Move all cursors to the series or behind; yields the first series that any of them has. */
static int seek_all(struct walker *w, uint32_t series_id, uint32_t *first, bool *any,
                    struct bb_error *err)
{
    *any = false;
    for (size_t i = 0; i < w->region->segment_count; i++) {
        struct bbi_qscan_cursor *c = &w->cursors[i];
        int rc = bbi_qscan_cursor_seek(c, series_id, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (!c->at_end && (!*any || bbi_qscan_cursor_series(c) < *first)) {
            *first = bbi_qscan_cursor_series(c);
            *any = true;
        }
    }
    return BB_OK;
}

static int walk_mixed(struct walker *w, const struct bbi_walk_part *part, struct bb_error *err)
{
    const uint32_t *series = w->scan->series;
    size_t done = 0;
    for (size_t at = part->series_first; at < part->series_end; at++) {
        uint32_t first = 0;
        bool any;
        int rc = seek_all(w, series[at], &first, &any, err);
        if (rc == BB_OK && !w->region->has_spaces && (!any || first != series[at])) {
            size_t next = any ? bbi_series_find(series, at, part->series_end, first)
                              : part->series_end;
            at = next - 1;
            continue;
        }
        if (rc == BB_OK) {
            rc = walk_series(w, at, err);
        }
        if (rc == BB_OK && ++done % CHECK_EVERY == 0) {
            rc = bbi_qctx_check(w->scan->ctx, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

static int open_cursors(struct walker *w, const struct bbi_walk_part *part, struct bb_error *err)
{
    const struct bbi_qscan *scan = w->scan;
    const struct bbi_region *region = w->region;
    w->cursors = bbi_mem_zalloc(&scan->ctx->acct, region->segment_count, sizeof(w->cursors[0]));
    if (w->cursors == NULL) {
        return bbi_error_nomem(err, "cursors");
    }
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < region->segment_count; i++) {
        rc = bbi_qscan_cursor_open(
            &w->cursors[i], scan, region->segments[i], scan->series[part->series_first],
            scan->series[part->series_end - 1], region->tmin, region->tmax, w->stats, err);
    }
    return rc;
}

static void close_walker(struct walker *w)
{
    for (size_t i = 0; w->cursors != NULL && i < w->region->segment_count; i++) {
        bbi_qscan_cursor_close(&w->cursors[i]);
    }
    bbi_mem_free(w->cursors);
    if (w->has_all) {
        w->stats->pages_read += w->all.pages_read;
        bbi_merge_fini(&w->all);
    }
    if (w->has_memory) {
        bbi_merge_fini(&w->memory);
    }
}

int bbi_walk(const struct bbi_qscan *scan, const struct bbi_walk_part *whole,
             const struct bbi_visitor *visitor, struct bbi_qstats *stats, struct bb_error *err)
{
    struct walker w = {.scan = scan, .region = whole->region, .visitor = visitor, .stats = stats};
    struct bbi_walk_part part = *whole;
    if (!part.region->pure) {
        size_t count = whole->series_end - whole->series_first;
        part.series_first = whole->series_first + count * part.piece / part.piece_count;
        part.series_end = whole->series_first + count * (part.piece + 1) / part.piece_count;
    }
    if (part.series_first >= part.series_end) {
        return BB_OK;
    }
    int rc = open_cursors(&w, &part, err);
    if (rc == BB_OK) {
        rc = part.region->pure ? walk_pure(&w, &part, err) : walk_mixed(&w, &part, err);
    }
    close_walker(&w);
    return rc;
}
