#include "engine/query/raw_store.h"

#include <string.h>

/* Ends a walk whose rows do not fit; never leaves this file. */
#define STOP BB_CODE_COUNT

int bbi_raw_store_init(struct bbi_raw_store *s, struct bbi_binding *b, struct bb_error *err)
{
    struct bbi_qctx *ctx = b->plan->ctx;
    memset(s, 0, sizeof(*s));
    s->b = b;
    s->descending = b->plan->descending;
    bbi_arena_init(&s->arena, &ctx->acct);
    int rc = bbi_qctx_array(ctx, b->ref_fields.count, sizeof(s->field_of[0]), &s->field_of, err);
    for (size_t i = 0; rc == BB_OK && i < b->ref_fields.count; i++) {
        s->field_of[i] = bbi_field_list_find(&b->fields, b->ref_fields.ids[i]);
    }
    if (rc == BB_OK) {
        rc = bbi_row_buffer_init(&s->rows, &b->scan, b->fields.types, err);
    }
    if (rc == BB_OK && b->has_filter) {
        rc = bbi_filter_scratch_init(&s->filter, &b->filter, &ctx->acct, err);
    }
    return rc;
}

void bbi_raw_store_fini(struct bbi_raw_store *s)
{
    bbi_row_buffer_fini(&s->rows);
    bbi_filter_scratch_fini(&s->filter);
    bbi_mem_free(s->series);
    bbi_mem_free(s->top);
    bbi_mem_free(s->mask);
    bbi_arena_fini(&s->arena);
}

/* ---- which rows ---- */

static int reserve_mask(struct bbi_raw_store *s, size_t rows, struct bb_error *err)
{
    size_t words = BBI_BITMAP_WORDS(rows);
    if (words > s->mask_words) {
        uint64_t *mask = bbi_mem_realloc(&s->b->plan->ctx->acct, s->mask, words * sizeof(mask[0]));
        if (mask == NULL) {
            return bbi_error_nomem(err, "rows");
        }
        s->mask = mask;
        s->mask_words = words;
    }
    return BB_OK;
}

/* mask = rows that have a value in some field that is asked for, and pass the filter. */
static int choose_rows(struct bbi_raw_store *s, size_t series_at, struct bb_error *err)
{
    const struct bbi_rows *rows = &s->rows.rows;
    size_t words = BBI_BITMAP_WORDS(rows->count);
    size_t kept;
    int rc = reserve_mask(s, rows->count, err);
    if (rc != BB_OK) {
        return rc;
    }
    memset(s->mask, 0, words * sizeof(s->mask[0]));
    for (size_t i = 0; i < s->b->ref_fields.count; i++) {
        const struct bbi_vector *v = &rows->vectors[s->field_of[i]];
        for (size_t w = 0; v->present && w < words; w++) {
            s->mask[w] |= v->valid == NULL ? UINT64_MAX : v->valid[w];
        }
    }
    if (rows->count % 64 != 0) {
        s->mask[words - 1] &= UINT64_MAX >> (64 - rows->count % 64);
    }
    if (s->b->has_filter) {
        const char *const *tags = s->tags_of == NULL
                                      ? NULL
                                      : s->b->series.tags.list[s->tags_of[series_at]];
        rc = bbi_filter_run(&s->b->filter, rows, tags, &s->filter, &kept, err);
        s->b->plan->ctx->stats.rows_filtered += rows->count - kept;
        for (size_t w = 0; rc == BB_OK && w < words; w++) {
            s->mask[w] &= s->filter.mask[w];
        }
    }
    return rc;
}

static bool is_chosen(const struct bbi_raw_store *s, size_t row)
{
    return (s->mask[row / 64] >> (row % 64) & 1) != 0;
}

/* How many rows of the vectors stay, and which is the first and the last of them: rows within the
 * range, plus the one row that follows it. */
static size_t trim(struct bbi_raw_store *s, const struct bbi_raw_series *series, size_t *from,
                   size_t *to)
{
    const struct bbi_rows *rows = &s->rows.rows;
    const struct bbi_raw_range *range = &s->range;
    size_t count = 0;
    *from = rows->count;
    *to = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (!is_chosen(s, i)) {
            continue;
        }
        bool before = rows->times[i] < range->tmin;
        bool behind = rows->times[i] > range->tmax;
        if ((before && !s->descending) || (behind && s->descending)) {
            continue;
        }
        if (before) { /* only the last of these matters */
            count = 0;
            *from = i;
        }
        *from = count == 0 ? i : *from;
        *to = i + 1;
        count++;
        bool enough = !s->descending && range->rows_max != 0 &&
                      series->rows + count >= range->rows_max;
        if (behind || enough) {
            break;
        }
    }
    return count;
}

/* ---- the first rows of all series ---- */

/* Whether a stands behind b in the order of the query. */
static bool is_behind(const struct bbi_raw_store *s, struct bbi_raw_place a, struct bbi_raw_place b)
{
    if (a.time != b.time) {
        return s->descending ? a.time < b.time : a.time > b.time;
    }
    return a.series_at > b.series_at;
}

/* Whether enough rows stand before this place. */
static bool is_beyond(const struct bbi_raw_store *s, int64_t time, size_t series_at)
{
    struct bbi_raw_place place = {time, series_at};
    return s->range.top != 0 && s->top_count == s->range.top && is_behind(s, place, s->top[0]);
}

static void swap_places(struct bbi_raw_place *a, struct bbi_raw_place *b)
{
    struct bbi_raw_place t = *a;
    *a = *b;
    *b = t;
}

static void offer_place(struct bbi_raw_store *s, struct bbi_raw_place place)
{
    struct bbi_raw_place *top = s->top;
    size_t i = s->top_count;
    if (i < s->range.top) {
        top[s->top_count++] = place;
        for (; i > 0 && is_behind(s, top[i], top[(i - 1) / 2]); i = (i - 1) / 2) {
            swap_places(&top[i], &top[(i - 1) / 2]);
        }
        return;
    }
    if (is_behind(s, place, top[0])) {
        return;
    }
    top[0] = place;
    for (i = 0;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < s->top_count && is_behind(s, top[child + 1], top[child])) {
            child++;
        }
        if (child >= s->top_count || !is_behind(s, top[child], top[i])) {
            return;
        }
        swap_places(&top[i], &top[child]);
        i = child;
    }
}

static void offer_rows(struct bbi_raw_store *s, const struct bbi_raw_piece *piece, size_t series_at)
{
    for (size_t i = 0; s->range.top != 0 && i < piece->count; i++) {
        size_t row = s->descending ? piece->count - 1 - i : i;
        if (is_beyond(s, piece->times[row], series_at)) {
            return;
        }
        offer_place(s, (struct bbi_raw_place){piece->times[row], series_at});
    }
}

static int reserve_top(struct bbi_raw_store *s, struct bb_error *err)
{
    s->top_count = 0;
    if (s->range.top > s->top_cap) {
        bbi_mem_free(s->top);
        s->top_cap = 0;
        s->top = bbi_mem_zalloc(&s->b->plan->ctx->acct, s->range.top, sizeof(s->top[0]));
        if (s->top == NULL) {
            return bbi_error_nomem(err, "rows");
        }
        s->top_cap = s->range.top;
    }
    return BB_OK;
}

/* ---- keeping them ---- */

static int charge(struct bbi_raw_store *s, uint64_t bytes)
{
    s->bytes += bytes;
    s->over = s->over || s->bytes > s->range.bytes_max;
    return s->over ? STOP : BB_OK;
}

static int keep_strings(struct bbi_raw_store *s, const struct bbi_vector *v, size_t from, size_t to,
                        struct bbi_string *out, struct bb_error *err)
{
    size_t at = 0;
    for (size_t i = from; i < to; i++) {
        if (!is_chosen(s, i)) {
            continue;
        }
        struct bbi_string *copy = &out[at++];
        *copy = (struct bbi_string){NULL, 0};
        if (!bbi_vector_has(v, i) || v->strs[i].len == 0) {
            continue;
        }
        if (charge(s, v->strs[i].len) != BB_OK) {
            return STOP;
        }
        copy->ptr = bbi_arena_dup(&s->arena, v->strs[i].ptr, v->strs[i].len);
        copy->len = v->strs[i].len;
        if (copy->ptr == NULL) {
            return bbi_error_nomem(err, "rows");
        }
    }
    return BB_OK;
}

static int keep_vector(struct bbi_raw_store *s, const struct bbi_vector *v, size_t from, size_t to,
                       size_t count, struct bbi_vector *out, struct bb_error *err)
{
    size_t size = v->type == BBI_STRING ? sizeof(struct bbi_string) : sizeof(uint64_t);
    *out = (struct bbi_vector){.type = v->type, .present = v->present};
    if (!v->present) {
        return BB_OK;
    }
    void *values = bbi_arena_alloc(&s->arena, count * size);
    uint64_t *valid = bbi_arena_zalloc(&s->arena, BBI_BITMAP_WORDS(count), sizeof(valid[0]));
    if (values == NULL || valid == NULL) {
        return bbi_error_nomem(err, "rows");
    }
    size_t at = 0;
    for (size_t i = from; i < to; i++) {
        if (is_chosen(s, i)) {
            valid[at / 64] |= (uint64_t)bbi_vector_has(v, i) << (at % 64);
            if (v->type != BBI_STRING) {
                ((uint64_t *)values)[at] = v->bits[i];
            }
            at++;
        }
    }
    out->valid = valid;
    if (v->type == BBI_STRING) {
        out->strs = values;
        return keep_strings(s, v, from, to, values, err);
    }
    out->bits = values;
    return BB_OK;
}

static int keep_piece(struct bbi_raw_store *s, size_t from, size_t to, size_t count,
                      struct bbi_raw_piece **out, struct bb_error *err)
{
    size_t fields = s->b->ref_fields.count;
    if (charge(s, sizeof(struct bbi_raw_piece) + count * 8 * (fields + 1)) != BB_OK) {
        return STOP;
    }
    struct bbi_raw_piece *piece = bbi_arena_zalloc(&s->arena, 1, sizeof(*piece));
    int64_t *times = bbi_arena_alloc(&s->arena, count * sizeof(times[0]));
    if (piece == NULL || times == NULL ||
        (piece->vectors = bbi_arena_zalloc(&s->arena, fields, sizeof(piece->vectors[0]))) == NULL) {
        return bbi_error_nomem(err, "rows");
    }
    for (size_t i = from; i < to; i++) {
        if (is_chosen(s, i)) {
            times[piece->count++] = s->rows.rows.times[i];
        }
    }
    piece->times = times;
    *out = piece;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < fields; i++) {
        rc = keep_vector(s, &s->rows.rows.vectors[s->field_of[i]], from, to, count,
                         &piece->vectors[i], err);
    }
    return rc;
}

/* The row before the range stands alone in the first piece; a later one takes its place. */
static void link_piece(struct bbi_raw_store *s, struct bbi_raw_series *series,
                       struct bbi_raw_piece *piece)
{
    if (s->descending && series->last != NULL &&
        series->last->times[series->last->count - 1] < s->range.tmin &&
        piece->times[0] < s->range.tmin) {
        series->first = series->last = NULL;
        series->rows = 0;
    }
    piece->prev = series->last;
    if (series->last == NULL) {
        series->first = piece;
    } else {
        series->last->next = piece;
    }
    series->last = piece;
    series->rows += piece->count;
}

/* Descending, the last rows_max rows count: whole pieces before them go. */
static void drop_early(struct bbi_raw_store *s, struct bbi_raw_series *series)
{
    uint64_t most = s->range.rows_max;
    while (s->descending && most != 0 && series->rows - series->first->count >= most) {
        series->rows -= series->first->count;
        series->first = series->first->next;
        series->first->prev = NULL;
    }
}

static int keep_rows(struct bbi_raw_store *s, size_t series_at, struct bb_error *err)
{
    struct bbi_raw_series *series = &s->series[series_at];
    struct bbi_raw_piece *piece = NULL;
    size_t from;
    size_t to;
    int rc = choose_rows(s, series_at, err);
    if (rc != BB_OK) {
        return rc;
    }
    size_t count = trim(s, series, &from, &to);
    if (count == 0) {
        return BB_OK;
    }
    rc = keep_piece(s, from, to, count, &piece, err);
    if (rc == BB_OK) {
        link_piece(s, series, piece);
        drop_early(s, series);
        offer_rows(s, piece, series_at);
    }
    return rc;
}

/* Ascending, a series that has its rows, or the one behind the range, needs no more. */
static bool is_complete(const struct bbi_raw_store *s, size_t series_at)
{
    const struct bbi_raw_series *series = &s->series[series_at];
    if (s->descending || series->rows == 0) {
        return false;
    }
    return (s->range.rows_max != 0 && series->rows >= s->range.rows_max) ||
           series->last->times[series->last->count - 1] > s->range.tmax;
}

static int visit_rows(void *arg, size_t series_at, const struct bbi_window *window,
                      struct bb_error *err)
{
    struct bbi_raw_store *s = arg;
    if (is_complete(s, series_at)) {
        return BB_OK;
    }
    bbi_rows_present(&s->rows, window);
    return keep_rows(s, series_at, err);
}

static int visit_chunk(void *arg, size_t series_at, struct bbi_qscan_cursor *c, size_t from,
                       size_t to, struct bb_error *err)
{
    struct bbi_raw_store *s = arg;
    int64_t first = s->descending ? c->time.tmax[c->chunk] : c->time.tmin[c->chunk];
    if (is_complete(s, series_at) || is_beyond(s, first, series_at)) {
        return BB_OK;
    }
    int rc = bbi_rows_decode(&s->rows, c, from, to, err);
    return rc == BB_OK ? keep_rows(s, series_at, err) : rc;
}

static bool visit_wants(void *arg, const struct bbi_segment_group *g, size_t series_at)
{
    struct bbi_raw_store *s = arg;
    if (is_beyond(s, s->descending ? g->tmax : g->tmin, series_at)) {
        return false;
    }
    return !s->b->has_filter || bbi_filter_may_match(&s->b->filter, g, s->scan);
}

static int walk_region(struct bbi_raw_store *s, const struct bbi_region *region,
                       struct bb_error *err)
{
    struct bbi_visitor visitor = {
        .arg = s, .wants = visit_wants, .chunk = visit_chunk, .rows = visit_rows};
    struct bbi_region clipped = *region;
    clipped.tmin = region->tmin > s->range.limit_tmin ? region->tmin : s->range.limit_tmin;
    clipped.tmax = region->tmax < s->range.limit_tmax ? region->tmax : s->range.limit_tmax;
    /* Rows on the far side of the range are of no use. */
    if (s->descending) {
        clipped.tmax = clipped.tmax < s->range.tmax ? clipped.tmax : s->range.tmax;
    } else {
        clipped.tmin = clipped.tmin > s->range.tmin ? clipped.tmin : s->range.tmin;
    }
    if (clipped.tmin > clipped.tmax) {
        return BB_OK;
    }
    struct bbi_walk_part part = {&clipped, region->series_first, region->series_end, 0, 1};
    return bbi_walk(s->scan, &part, &visitor, &s->b->plan->ctx->stats, err);
}

/* Whether no series needs rows of later regions. */
static bool all_complete(const struct bbi_raw_store *s)
{
    for (size_t i = 0; i < s->scan->series_count; i++) {
        if (!is_complete(s, i)) {
            return false;
        }
    }
    return true;
}

int bbi_raw_store_read(struct bbi_raw_store *s, struct bbi_qscan *scan, const uint32_t *tags_of,
                       const struct bbi_raw_range *range, struct bb_error *err)
{
    s->scan = scan;
    s->tags_of = tags_of;
    s->range = *range;
    s->bytes = 0;
    s->over = false;
    bbi_arena_reset(&s->arena);
    if (scan->series_count > s->series_cap) {
        bbi_mem_free(s->series);
        s->series_cap = 0;
        s->series = bbi_mem_zalloc(&scan->ctx->acct, scan->series_count, sizeof(s->series[0]));
        if (s->series == NULL) {
            return bbi_error_nomem(err, "rows");
        }
        s->series_cap = scan->series_count;
    }
    memset(s->series, 0, scan->series_count * sizeof(s->series[0]));
    int rc = reserve_top(s, err);
    for (size_t i = 0; rc == BB_OK && i < scan->region_count; i++) {
        rc = walk_region(s, &scan->regions[i], err);
        if (rc == BB_OK && !s->descending && all_complete(s)) {
            break;
        }
    }
    return rc == STOP ? BB_OK : rc;
}
