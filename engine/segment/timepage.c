#include "engine/segment/page_load.h"

void bbi_timepage_init(struct bbi_timepage *tp, struct bbi_account *acct)
{
    *tp = (struct bbi_timepage){.chunk_count = 0};
    bbi_times_init(&tp->times, acct);
    bbi_buf_init(&tp->body, acct, (size_t)BBI_PAGE_BYTES_MAX + BBI_PAGE_PAD);
    bbi_arena_init(&tp->arena, acct);
}

void bbi_timepage_fini(struct bbi_timepage *tp)
{
    bbi_times_fini(&tp->times);
    bbi_buf_fini(&tp->body);
    bbi_arena_fini(&tp->arena);
    tp->chunk_count = 0;
    tp->row_count = 0;
}

static int corrupt(struct bb_error *err, const char *what)
{
    return bbi_error_set(err, BB_ECORRUPT, "%s", what);
}

/* Which series, and how many rows of each. */
static int read_series(struct bbi_timepage *tp, size_t n, struct bbi_cursor *c,
                       const struct bbi_segment_group *g, struct bb_error *err)
{
    uint64_t *column = bbi_arena_zalloc(&tp->arena, n, sizeof(*column));
    uint32_t *series = bbi_arena_zalloc(&tp->arena, n, sizeof(*series));
    uint16_t *rows = bbi_arena_zalloc(&tp->arena, n, sizeof(*rows));
    if (column == NULL || series == NULL || rows == NULL) {
        return bbi_error_nomem(err, "time page");
    }
    int code = bbi_intcol_decode(c, n, column, err);
    for (size_t i = 0; code == BB_OK && i < n; i++) {
        if (column[i] > UINT32_MAX || (i > 0 && column[i] < column[i - 1])) {
            return corrupt(err, "series out of order");
        }
        series[i] = (uint32_t)column[i];
    }
    if (code == BB_OK) {
        code = bbi_intcol_decode(c, n, column, err);
    }
    uint64_t total = 0;
    for (size_t i = 0; code == BB_OK && i < n; i++) {
        if (column[i] >= BBI_SEGMENT_CHUNK_ROWS) {
            return corrupt(err, "too many rows in a chunk");
        }
        rows[i] = (uint16_t)(column[i] + 1);
        total += rows[i];
    }
    if (code == BB_OK &&
        (total != g->row_count || series[0] != g->series_min || series[n - 1] != g->series_max)) {
        return corrupt(err, "rows or series differ from the index");
    }
    tp->series = series;
    tp->rows = rows;
    return code;
}

/* Rows rise in time through the chunks of one series, and span what the index says. */
static int check_times(const struct bbi_timepage *tp, size_t n, const struct bbi_segment_group *g,
                       struct bb_error *err)
{
    int64_t tmin = INT64_MAX;
    int64_t tmax = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        tmin = tp->tmin[i] < tmin ? tp->tmin[i] : tmin;
        tmax = tp->tmax[i] > tmax ? tp->tmax[i] : tmax;
        if (i > 0 && tp->series[i] == tp->series[i - 1] && tp->tmin[i] <= tp->tmax[i - 1]) {
            return corrupt(err, "chunks of a series overlap");
        }
    }
    return tmin == g->tmin && tmax == g->tmax ? BB_OK : corrupt(err, "times differ from the index");
}

int bbi_timepage_load(struct bbi_timepage *tp, const struct bbi_page_header *h,
                      const struct bbi_segment_group *g, struct bb_error *err)
{
    tp->chunk_count = 0;
    tp->row_count = 0;
    if (h->kind != BBI_PAGE_TIME || h->measurement_id != g->measurement_id ||
        h->chunk_count != g->chunk_count || h->row_count != g->row_count) {
        return corrupt(err, "not the time page that the index names");
    }
    bbi_arena_reset(&tp->arena);
    struct bbi_cursor c;
    bbi_cursor_init(&c, tp->body.data + BBI_PAGE_BYTES, h->body_bytes);
    size_t n = g->chunk_count;
    int code = read_series(tp, n, &c, g, err);
    if (code == BB_OK) {
        code = bbi_times_open(&tp->times, &c, tp->rows, n, err);
        tp->tmin = tp->times.first;
        tp->tmax = tp->times.last;
    }
    if (code == BB_OK && bbi_cursor_left(&c) != 0) {
        code = corrupt(err, "bytes behind the times");
    }
    if (code == BB_OK) {
        code = check_times(tp, n, g, err);
    }
    if (code == BB_OK) {
        tp->chunk_count = n;
        tp->row_count = g->row_count;
    }
    return code;
}

size_t bbi_timepage_find(const struct bbi_timepage *tp, uint32_t series_id)
{
    size_t low = 0;
    size_t high = tp->chunk_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tp->series[middle] < series_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool bbi_timepage_regular(const struct bbi_timepage *tp, size_t chunk, int64_t *t0, uint64_t *step)
{
    return bbi_times_regular(&tp->times, chunk, t0, step);
}

int bbi_timepage_lower_bound(struct bbi_timepage *tp, size_t chunk, int64_t time, size_t *row,
                             struct bb_error *err)
{
    return bbi_times_lower_bound(&tp->times, chunk, time, row, err);
}

int bbi_timepage_times(struct bbi_timepage *tp, size_t chunk, size_t from, size_t to, int64_t *out,
                       struct bb_error *err)
{
    return bbi_times_decode(&tp->times, chunk, from, to, out, err);
}
