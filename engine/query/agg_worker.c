#include "engine/query/agg_worker.h"

#include <string.h>

/* Rows of a bucket in one chunk from which on packed kernels beat decoding the chunk once. */
#define PACKED_ROWS_MIN 16

int bbi_agg_worker_init(struct bbi_agg_worker *w, struct bbi_agg *agg, struct bb_error *err)
{
    struct bbi_account *acct = &agg->scan->ctx->acct;
    w->agg = agg;
    bbi_arena_init(&w->arena, acct);
    w->blocks = bbi_mem_zalloc(acct, agg->group_count, sizeof(w->blocks[0]));
    if (w->blocks == NULL) {
        return bbi_error_nomem(err, "aggregates");
    }
    int rc = bbi_row_buffer_init(&w->rows, agg->scan, agg->types, err);
    if (rc == BB_OK && agg->filter != NULL) {
        rc = bbi_filter_scratch_init(&w->filter, agg->filter, acct, err);
    }
    return rc;
}

/* Whether cells may hold memory of their own. */
static bool has_more(const struct bbi_state_layout *layout)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        unsigned needs = layout->fields[i].needs;
        if ((needs & BBI_NEED_SKETCH) != 0 ||
            (layout->fields[i].type == BBI_FLOAT && (needs & BBI_NEED_SUM) != 0)) {
            return true;
        }
    }
    return false;
}

void bbi_agg_worker_fini(struct bbi_agg_worker *w)
{
    const struct bbi_agg *agg = w->agg;
    if (w->blocks != NULL && has_more(&agg->layout)) {
        for (size_t g = 0; g < agg->group_count; g++) {
            uint8_t *block = w->blocks[g];
            for (size_t b = 0; block != NULL && b < agg->bucket_count; b++) {
                bbi_state_fini(&agg->layout, block + b * agg->layout.cell_bytes);
            }
        }
    }
    bbi_mem_free(w->blocks);
    bbi_mem_free(w->masked);
    bbi_row_buffer_fini(&w->rows);
    bbi_filter_scratch_fini(&w->filter);
    bbi_arena_fini(&w->arena);
}

static int block_of(struct bbi_agg_worker *w, size_t series_at, uint8_t **block,
                    struct bb_error *err)
{
    const struct bbi_agg *agg = w->agg;
    uint32_t group = agg->group_of == NULL ? 0 : agg->group_of[series_at];
    if (w->blocks[group] == NULL) {
        w->blocks[group] = bbi_arena_zalloc(&w->arena, agg->bucket_count, agg->layout.cell_bytes);
        if (w->blocks[group] == NULL) {
            return bbi_error_nomem(err, "aggregates");
        }
    }
    *block = w->blocks[group];
    return BB_OK;
}

static void *cell_at(const struct bbi_agg_worker *w, uint8_t *block, size_t bucket)
{
    return block + bucket * w->agg->layout.cell_bytes;
}

/* ---- windows ---- */

static void add_window(struct bbi_agg_worker *w, size_t from, size_t to, int64_t bucket)
{
    w->windows[w->window_count++] = (struct bbi_agg_window){
        (uint32_t)from, (uint32_t)to, (size_t)(bucket - w->agg->bucket_first)};
}

/* Rows at t0 + r * step: the last row of a bucket follows from a division. */
static void cut_regular(struct bbi_agg_worker *w, int64_t t0, uint64_t step, size_t from, size_t to)
{
    const struct bbi_buckets *b = &w->agg->buckets;
    for (size_t row = from; row < to;) {
        int64_t bucket = bbi_bucket_of(b, (int64_t)((uint64_t)t0 + row * step));
        uint64_t reach = (uint64_t)bbi_bucket_last(b, bucket) - (uint64_t)t0;
        uint64_t next = reach / step + 1;
        size_t end = next < to ? (size_t)next : to;
        add_window(w, row, end, bucket);
        row = end;
    }
}

static void cut_times(struct bbi_agg_worker *w, const int64_t *times, size_t from, size_t to,
                      size_t base)
{
    const struct bbi_buckets *b = &w->agg->buckets;
    for (size_t row = from; row < to;) {
        int64_t bucket = bbi_bucket_of(b, times[row]);
        int64_t last = bbi_bucket_last(b, bucket);
        size_t end = row + 1;
        while (end < to && times[end] <= last) {
            end++;
        }
        add_window(w, base + row, base + end, bucket);
        row = end;
    }
}

static int cut_chunk(struct bbi_agg_worker *w, struct bbi_qscan_cursor *c, size_t from, size_t to,
                     struct bb_error *err)
{
    int64_t t0;
    uint64_t step;
    w->window_count = 0;
    if (w->agg->buckets.width_ns == 0) {
        add_window(w, from, to, 0);
        return BB_OK;
    }
    if (bbi_timepage_regular(&c->time, c->chunk, &t0, &step)) {
        cut_regular(w, t0, step, from, to);
        return BB_OK;
    }
    int rc = bbi_timepage_times(&c->time, c->chunk, from, to, w->rows.times, err);
    if (rc == BB_OK) {
        cut_times(w, w->rows.times, 0, to - from, from);
    }
    return rc;
}

/* ---- chunks that nothing overlaps ---- */

static int offer_row(struct bbi_agg_worker *w, struct bbi_qscan_cursor *c, size_t row,
                     uint64_t bits, size_t series_at, struct bbi_state_point *out,
                     struct bb_error *err)
{
    *out = (struct bbi_state_point){.bits = bits, .series_at = (uint32_t)series_at, .set = 1};
    (void)w;
    return bbi_timepage_times(&c->time, c->chunk, row, row + 1, &out->time, err);
}

static int packed_extremes(struct bbi_agg_worker *w, struct bbi_qscan_cursor *c,
                           struct bbi_fieldpage *fp, const struct bbi_state_field *f,
                           const struct bbi_agg_window *win, size_t series_at, void *cell,
                           size_t *count, struct bb_error *err)
{
    struct bbi_fieldpage_extremes x;
    struct bbi_state_point low = {.series_at = (uint32_t)series_at};
    struct bbi_state_point high = {.series_at = (uint32_t)series_at};
    int rc = bbi_fieldpage_minmax(fp, c->chunk, win->from, win->to, &x, err);
    if (rc != BB_OK || x.count == 0) {
        return rc;
    }
    *count = x.count;
    low.set = high.set = 1;
    low.bits = x.min_bits;
    high.bits = x.max_bits;
    if ((f->needs & BBI_NEED_TIMES) != 0) {
        rc = offer_row(w, c, x.min_row, x.min_bits, series_at, &low, err);
        rc = rc == BB_OK ? offer_row(w, c, x.max_row, x.max_bits, series_at, &high, err) : rc;
    }
    if (rc == BB_OK && (f->needs & BBI_NEED_MIN) != 0) {
        bbi_state_offer_extreme(bbi_state_min(cell, f), f->type, false, &low);
    }
    if (rc == BB_OK && (f->needs & BBI_NEED_MAX) != 0) {
        bbi_state_offer_extreme(bbi_state_max(cell, f), f->type, true, &high);
    }
    return rc;
}

/* The first or last row of a window that has a value, and the value. */
static int packed_end(struct bbi_agg_worker *w, struct bbi_qscan_cursor *c,
                      struct bbi_fieldpage *fp, bool want_last, const struct bbi_agg_window *win,
                      size_t series_at, struct bbi_state_point *out, struct bb_error *err)
{
    size_t row = want_last ? win->to - 1 : win->from;
    size_t count;
    uint64_t bits;
    if (bbi_fieldpage_presence(fp, c->chunk) != BBI_PRESENT_ALL) {
        size_t n = win->to - win->from;
        if (bbi_fieldpage_valid(fp, c->chunk, win->from, win->to, w->valid) == 0) {
            out->set = 0;
            return BB_OK;
        }
        size_t i = want_last ? n - 1 : 0;
        while ((w->valid[i / 64] >> (i % 64) & 1) == 0) {
            i = want_last ? i - 1 : i + 1;
        }
        row = win->from + i;
    }
    int rc = bbi_fieldpage_values(fp, c->chunk, row, row + 1, &bits, NULL, &count, err);
    return rc == BB_OK ? offer_row(w, c, row, bits, series_at, out, err) : rc;
}

static int packed_window(struct bbi_agg_worker *w, struct bbi_qscan_cursor *c,
                         struct bbi_fieldpage *fp, const struct bbi_state_field *f,
                         const struct bbi_agg_window *win, size_t series_at, void *cell,
                         struct bb_error *err)
{
    struct bbi_account *acct = &w->agg->scan->ctx->acct;
    size_t count = 0;
    int rc = BB_OK;
    if ((f->needs & BBI_NEED_SUM) != 0) {
        bool floats = f->type == BBI_FLOAT;
        rc = bbi_fieldpage_sum(fp, c->chunk, win->from, win->to,
                               floats ? bbi_state_float_sum(cell, f, acct) : NULL,
                               floats ? NULL : &bbi_state_sum(cell, f)->i, &count, err);
    }
    if (rc == BB_OK && (f->needs & (BBI_NEED_MIN | BBI_NEED_MAX)) != 0) {
        rc = packed_extremes(w, c, fp, f, win, series_at, cell, &count, err);
    }
    if (rc == BB_OK && (f->needs & (BBI_NEED_SUM | BBI_NEED_MIN | BBI_NEED_MAX)) == 0) {
        count = bbi_fieldpage_valid(fp, c->chunk, win->from, win->to, NULL);
        w->stats.values_from_statistics += count;
    }
    *bbi_state_count(cell, f) += count;
    for (int want_last = 0; want_last < 2; want_last++) {
        struct bbi_state_point value = {.set = 0};
        if (rc == BB_OK && (f->needs & (want_last ? BBI_NEED_LAST : BBI_NEED_FIRST)) != 0) {
            rc = packed_end(w, c, fp, want_last != 0, win, series_at, &value, err);
            bbi_state_offer_end(want_last ? bbi_state_last(cell, f) : bbi_state_first(cell, f),
                                f->type, want_last != 0, &value);
        }
    }
    return rc;
}

/* Many short windows: the chunk is decoded once. */
static int decoded_windows(struct bbi_agg_worker *w, struct bbi_qscan_cursor *c,
                           struct bbi_fieldpage *fp, const struct bbi_state_field *f,
                           size_t series_at, uint8_t *block, struct bb_error *err)
{
    size_t from = w->windows[0].from;
    size_t to = w->windows[w->window_count - 1].to;
    size_t count;
    int rc = bbi_fieldpage_values(fp, c->chunk, from, to, w->bits, w->valid, &count, err);
    const int64_t *times = NULL;
    if (rc == BB_OK && (f->needs & (BBI_NEED_TIMES | BBI_NEED_FIRST | BBI_NEED_LAST)) != 0) {
        rc = bbi_timepage_times(&c->time, c->chunk, from, to, w->rows.times, err);
        times = w->rows.times;
    }
    for (size_t i = 0; rc == BB_OK && i < w->window_count; i++) {
        const struct bbi_agg_window *win = &w->windows[i];
        rc = bbi_state_add_rows(cell_at(w, block, win->bucket), f, w->bits, times,
                                count == to - from ? NULL : w->valid, win->from - from,
                                win->to - from, (uint32_t)series_at, &w->agg->scan->ctx->acct, err);
    }
    return rc;
}

static const struct bbi_string *copy_string(void *arg, const struct bbi_string *str)
{
    struct bbi_agg_worker *w = arg;
    struct bbi_string *copy = bbi_arena_alloc(&w->arena, sizeof(*copy));
    if (copy != NULL) {
        copy->len = str->len;
        copy->ptr = str->len == 0 ? (const uint8_t *)""
                                  : bbi_arena_dup(&w->arena, str->ptr, str->len);
        copy = copy->ptr == NULL ? NULL : copy;
    }
    return copy;
}

static int string_windows(struct bbi_agg_worker *w, struct bbi_qscan_cursor *c,
                          struct bbi_fieldpage *fp, const struct bbi_state_field *f, size_t field,
                          size_t series_at, uint8_t *block, struct bb_error *err)
{
    size_t from = w->windows[0].from;
    size_t to = w->windows[w->window_count - 1].to;
    struct bbi_string *strs = w->rows.values[field];
    size_t count;
    int rc = bbi_fieldpage_strings(fp, c->chunk, from, to, strs, w->valid, &count, err);
    if (rc == BB_OK) {
        rc = bbi_timepage_times(&c->time, c->chunk, from, to, w->rows.times, err);
    }
    for (size_t i = 0; rc == BB_OK && i < w->window_count; i++) {
        const struct bbi_agg_window *win = &w->windows[i];
        rc = bbi_state_add_strings(cell_at(w, block, win->bucket), f, strs, w->rows.times, w->valid,
                                   win->from - from, win->to - from, (uint32_t)series_at,
                                   copy_string, w, err);
    }
    return rc;
}

/* Whether values in [tmin, tmax] can change nothing, because an earlier first and a later last are
 * known and nothing else is asked for. */
static bool ends_known(const struct bbi_state_field *f, void *cell, int64_t tmin, int64_t tmax)
{
    if ((f->needs & ~(BBI_NEED_FIRST | BBI_NEED_LAST)) != 0) {
        return false;
    }
    if ((f->needs & BBI_NEED_FIRST) != 0) {
        const struct bbi_state_point *first = bbi_state_first(cell, f);
        if (!first->set || first->time >= tmin) {
            return false;
        }
    }
    if ((f->needs & BBI_NEED_LAST) != 0) {
        const struct bbi_state_point *last = bbi_state_last(cell, f);
        return last->set && last->time > tmax;
    }
    return true;
}

/* Every row has a value: the windows say how many there are. */
static void count_rows(struct bbi_agg_worker *w, const struct bbi_state_field *f, uint8_t *block)
{
    for (size_t i = 0; i < w->window_count; i++) {
        const struct bbi_agg_window *win = &w->windows[i];
        *bbi_state_count(cell_at(w, block, win->bucket), f) += win->to - win->from;
        w->stats.values_from_statistics += win->to - win->from;
    }
}

static int chunk_field(struct bbi_agg_worker *w, struct bbi_qscan_cursor *c, size_t field,
                       size_t series_at, uint8_t *block, struct bb_error *err)
{
    const struct bbi_state_field *f = &w->agg->layout.fields[field];
    struct bbi_fieldpage *fp;
    if (f->needs == BBI_NEED_COUNT && bbi_qscan_cursor_is_full(c, field)) {
        count_rows(w, f, block);
        return BB_OK;
    }
    if (w->agg->ends_only && ends_known(f, block, c->time.tmin[c->chunk], c->time.tmax[c->chunk])) {
        return BB_OK;
    }
    int rc = bbi_qscan_cursor_page(c, field, &fp, err);
    if (rc != BB_OK || fp == NULL || bbi_fieldpage_presence(fp, c->chunk) == BBI_PRESENT_NONE) {
        return rc;
    }
    size_t rows = w->windows[w->window_count - 1].to - w->windows[0].from;
    bool strings = f->type == BBI_STRING && (f->needs & (BBI_NEED_FIRST | BBI_NEED_LAST)) != 0;
    bool sketches = (f->needs & BBI_NEED_SKETCH) != 0;
    if (strings) {
        return string_windows(w, c, fp, f, field, series_at, block, err);
    }
    bool many = rows < w->window_count * PACKED_ROWS_MIN && rows > 1;
    if (sketches || (f->type != BBI_STRING && f->needs != BBI_NEED_COUNT && many)) {
        return decoded_windows(w, c, fp, f, series_at, block, err);
    }
    for (size_t i = 0; rc == BB_OK && i < w->window_count; i++) {
        rc = packed_window(w, c, fp, f, &w->windows[i], series_at,
                           cell_at(w, block, w->windows[i].bucket), err);
    }
    return rc;
}

/* ---- decoded rows ---- */

/* valid AND mask, for rows [from, from + count), bits counted from `from`. */
static const uint64_t *mask_valid(struct bbi_agg_worker *w, const struct bbi_vector *v,
                                  size_t count)
{
    if (w->agg->filter == NULL) {
        return v->valid;
    }
    for (size_t i = 0; i < BBI_BITMAP_WORDS(count); i++) {
        w->masked[i] = v->valid == NULL ? w->filter.mask[i] : w->filter.mask[i] & v->valid[i];
    }
    return w->masked;
}

static int reserve_masked(struct bbi_agg_worker *w, size_t rows, struct bb_error *err)
{
    size_t words = BBI_BITMAP_WORDS(rows);
    if (words > w->masked_words) {
        uint64_t *masked = bbi_mem_realloc(&w->agg->scan->ctx->acct, w->masked,
                                           words * sizeof(masked[0]));
        if (masked == NULL) {
            return bbi_error_nomem(err, "filter");
        }
        w->masked = masked;
        w->masked_words = words;
    }
    return BB_OK;
}

static int add_vector(struct bbi_agg_worker *w, size_t field, const uint64_t *valid,
                      const struct bbi_agg_window *win, size_t series_at, uint8_t *block,
                      struct bb_error *err)
{
    const struct bbi_state_field *f = &w->agg->layout.fields[field];
    const struct bbi_vector *v = &w->rows.rows.vectors[field];
    void *cell = cell_at(w, block, win->bucket);
    if (v->type == BBI_STRING) {
        return bbi_state_add_strings(cell, f, v->strs, w->rows.rows.times, valid, win->from,
                                     win->to, (uint32_t)series_at, copy_string, w, err);
    }
    return bbi_state_add_rows(cell, f, v->bits, w->rows.rows.times, valid, win->from, win->to,
                              (uint32_t)series_at, &w->agg->scan->ctx->acct, err);
}

/* Windows of at most as many rows as there is room for windows. */
static int add_windows(struct bbi_agg_worker *w, size_t from, size_t to, size_t series_at,
                       uint8_t *block, struct bb_error *err)
{
    const struct bbi_rows *rows = &w->rows.rows;
    int rc = BB_OK;
    w->window_count = 0;
    cut_times(w, rows->times, from, to, 0);
    for (size_t k = 0; rc == BB_OK && k < w->agg->scan->field_count; k++) {
        const struct bbi_vector *v = &rows->vectors[k];
        if (!v->present || w->agg->layout.fields[k].needs == 0) {
            continue;
        }
        const uint64_t *valid = mask_valid(w, v, rows->count);
        for (size_t i = 0; rc == BB_OK && i < w->window_count; i++) {
            rc = add_vector(w, k, valid, &w->windows[i], series_at, block, err);
        }
    }
    return rc;
}

static int add_rows(struct bbi_agg_worker *w, size_t series_at, struct bb_error *err)
{
    const struct bbi_agg *agg = w->agg;
    size_t count = w->rows.rows.count;
    uint8_t *block;
    int rc = BB_OK;
    if (agg->filter != NULL) {
        size_t kept;
        const char *const *tags = agg->tags_of == NULL ? NULL
                                                       : agg->tags->list[agg->tags_of[series_at]];
        rc = bbi_filter_run(agg->filter, &w->rows.rows, tags, &w->filter, &kept, err);
        w->stats.rows_filtered += count - kept;
        if (rc != BB_OK || kept == 0) {
            return rc;
        }
        rc = reserve_masked(w, count, err);
    }
    rc = rc == BB_OK ? block_of(w, series_at, &block, err) : rc;
    for (size_t from = 0; rc == BB_OK && from < count; from += BBI_SEGMENT_CHUNK_ROWS) {
        size_t to = count - from < BBI_SEGMENT_CHUNK_ROWS ? count : from + BBI_SEGMENT_CHUNK_ROWS;
        rc = add_windows(w, from, to, series_at, block, err);
    }
    return rc;
}

/* ---- visits ---- */

static int visit_rows(void *arg, size_t series_at, const struct bbi_window *window,
                      struct bb_error *err)
{
    struct bbi_agg_worker *w = arg;
    bbi_rows_present(&w->rows, window);
    return add_rows(w, series_at, err);
}

static int visit_chunk(void *arg, size_t series_at, struct bbi_qscan_cursor *c, size_t from,
                       size_t to, struct bb_error *err)
{
    struct bbi_agg_worker *w = arg;
    uint8_t *block;
    if (w->agg->filter != NULL) {
        int rc = bbi_rows_decode(&w->rows, c, from, to, err);
        return rc == BB_OK ? add_rows(w, series_at, err) : rc;
    }
    int rc = block_of(w, series_at, &block, err);
    if (rc == BB_OK) {
        rc = cut_chunk(w, c, from, to, err);
    }
    for (size_t k = 0; rc == BB_OK && k < w->agg->scan->field_count; k++) {
        if (w->agg->layout.fields[k].needs != 0) {
            rc = chunk_field(w, c, k, series_at, block, err);
        }
    }
    return rc;
}

/* Whether the index says all that is needed of a field. */
static bool stats_suffice(const struct bbi_state_field *f, const struct bbi_segment_field *s)
{
    unsigned needs = f->needs;
    if ((needs & (BBI_NEED_FIRST | BBI_NEED_LAST | BBI_NEED_TIMES | BBI_NEED_SKETCH)) != 0) {
        return false;
    }
    if ((needs & BBI_NEED_SUM) != 0 && (s->stats & BBI_STATS_SUM) == 0) {
        return false;
    }
    return (needs & (BBI_NEED_MIN | BBI_NEED_MAX)) == 0 || (s->stats & BBI_STATS_MINMAX) != 0;
}

static void take_stats(struct bbi_agg_worker *w, void *cell, const struct bbi_state_field *f,
                       const struct bbi_segment_field *s)
{
    struct bbi_state_point low = {.bits = s->min_bits, .set = 1};
    struct bbi_state_point high = {.bits = s->max_bits, .set = 1};
    *bbi_state_count(cell, f) += s->value_count;
    w->stats.values_from_statistics += s->value_count;
    if ((f->needs & BBI_NEED_SUM) != 0 && f->type == BBI_FLOAT) {
        bbi_sum_add_scaled(bbi_state_float_sum(cell, f, &w->agg->scan->ctx->acct), s->sum, 9);
    } else if ((f->needs & BBI_NEED_SUM) != 0) {
        bbi_state_sum(cell, f)->i += s->sum;
    }
    if ((f->needs & BBI_NEED_MIN) != 0) {
        bbi_state_offer_extreme(bbi_state_min(cell, f), f->type, false, &low);
    }
    if ((f->needs & BBI_NEED_MAX) != 0) {
        bbi_state_offer_extreme(bbi_state_max(cell, f), f->type, true, &high);
    }
}

static bool one_output_group(const struct bbi_agg *agg, const struct bbi_segment_group *g,
                             size_t series_at)
{
    if (agg->group_of == NULL) {
        return true;
    }
    for (size_t i = series_at; i < agg->scan->series_count && agg->scan->series[i] <= g->series_max;
         i++) {
        if (agg->group_of[i] != agg->group_of[series_at]) {
            return false;
        }
    }
    return true;
}

static int visit_group(void *arg, const struct bbi_segment_group *g, size_t series_at, bool *done,
                       struct bb_error *err)
{
    struct bbi_agg_worker *w = arg;
    const struct bbi_agg *agg = w->agg;
    int64_t bucket = bbi_bucket_of(&agg->buckets, g->tmin);
    uint8_t *block;
    if (agg->filter != NULL || bbi_bucket_of(&agg->buckets, g->tmax) != bucket ||
        !one_output_group(agg, g, series_at)) {
        return BB_OK;
    }
    for (size_t k = 0; k < agg->scan->field_count; k++) {
        size_t at = bbi_segment_find_field(g, agg->scan->fields[k]);
        if (at != SIZE_MAX && !stats_suffice(&agg->layout.fields[k], &g->fields[at])) {
            return BB_OK;
        }
    }
    int rc = block_of(w, series_at, &block, err);
    for (size_t k = 0; rc == BB_OK && k < agg->scan->field_count; k++) {
        size_t at = bbi_segment_find_field(g, agg->scan->fields[k]);
        if (at != SIZE_MAX) {
            take_stats(w, cell_at(w, block, (size_t)(bucket - agg->bucket_first)),
                       &agg->layout.fields[k], &g->fields[at]);
        }
    }
    w->stats.groups_from_statistics++;
    *done = rc == BB_OK;
    return rc;
}

/* Whether every series of the group has its first and last values elsewhere. */
static bool is_settled(const struct bbi_agg_worker *w, const struct bbi_segment_group *g,
                       size_t series_at)
{
    const struct bbi_agg *agg = w->agg;
    for (size_t i = series_at; i < agg->scan->series_count && agg->scan->series[i] <= g->series_max;
         i++) {
        void *cell = w->blocks[agg->group_of == NULL ? 0 : agg->group_of[i]];
        for (size_t k = 0; k < agg->scan->field_count; k++) {
            if (cell == NULL || !ends_known(&agg->layout.fields[k], cell, g->tmin, g->tmax)) {
                return false;
            }
        }
    }
    return true;
}

static bool visit_wants(void *arg, const struct bbi_segment_group *g, size_t series_at)
{
    const struct bbi_agg_worker *w = arg;
    const struct bbi_agg *agg = w->agg;
    if (agg->filter != NULL && !bbi_filter_may_match(agg->filter, g, agg->scan)) {
        return false;
    }
    return !agg->ends_only || !is_settled(w, g, series_at);
}

struct bbi_visitor bbi_agg_visitor(struct bbi_agg_worker *w)
{
    return (struct bbi_visitor){.arg = w,
                                .group = visit_group,
                                .wants = visit_wants,
                                .chunk = visit_chunk,
                                .rows = visit_rows};
}
