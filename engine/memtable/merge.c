/* The fields of a series side by side over the union of their times. */
#include "engine/memtable/internal.h"

#include <string.h>

/* A buffer that grows and is reused; its content is lost when it grows. */
struct room {
    void *at;
    size_t bytes;
};

struct bbi_memmerge_state {
    struct bbi_memrows *rows; /* [rows_cap]; one per field, all initialised */
    size_t rows_cap;
    struct room keys;    /* fields in order: field_id above index into rows; and a spare */
    struct room columns; /* struct bbi_memcolumn */
    struct room times;   /* union of the times */
    struct room order;   /* two index arrays for sorting them */
    struct room cells;   /* arrays of the columns */
};

void bbi_memmerge_init(struct bbi_memmerge *merge, struct bbi_account *acct)
{
    *merge = (struct bbi_memmerge){.acct = acct};
}

void bbi_memmerge_fini(struct bbi_memmerge *merge)
{
    struct bbi_memmerge_state *st = merge->state;
    if (st != NULL) {
        for (size_t i = 0; i < st->rows_cap; i++) {
            bbi_memrows_fini(&st->rows[i]);
        }
        bbi_mem_free(st->rows);
        bbi_mem_free(st->keys.at);
        bbi_mem_free(st->columns.at);
        bbi_mem_free(st->times.at);
        bbi_mem_free(st->order.at);
        bbi_mem_free(st->cells.at);
        bbi_mem_free(st);
    }
    bbi_memmerge_init(merge, merge->acct);
}

/* Room for count * size bytes; NULL: out of memory. */
static void *reach(struct bbi_memmerge *merge, struct room *room, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    if (bytes > room->bytes || room->at == NULL) {
        size_t larger = bytes > SIZE_MAX / 2 ? bytes : bytes + bytes / 2;
        bbi_mem_free(room->at);
        room->at = bbi_mem_alloc(merge->acct, larger);
        room->bytes = room->at == NULL ? 0 : larger;
    }
    return room->at;
}

static bool reach_rows(struct bbi_memmerge *merge, size_t count)
{
    struct bbi_memmerge_state *st = merge->state;
    if (count <= st->rows_cap) {
        return true;
    }
    size_t cap = 2 * count;
    struct bbi_memrows *rows = bbi_mem_realloc(merge->acct, st->rows, cap * sizeof(*rows));
    if (rows == NULL) {
        return false;
    }
    for (size_t i = st->rows_cap; i < cap; i++) {
        bbi_memrows_init(&rows[i], merge->acct);
    }
    st->rows = rows;
    st->rows_cap = cap;
    return true;
}

/* Read each field that has something to show into rows[0 .. *used). */
static int read_fields(struct bbi_memmerge *merge, const struct bbi_memspace *space,
                       const struct mem_series *s, const struct mem_view *view, size_t *used,
                       struct bb_error *err)
{
    struct bbi_memmerge_state *st = merge->state;
    size_t n = 0;
    *used = 0;
    const struct mem_field *f = &s->field;
    for (; f != NULL; f = atomic_load_explicit(&f->next, memory_order_acquire)) {
        if (!reach_rows(merge, n + 1)) {
            return bbi_error_nomem(err, "fields of a series");
        }
        int rc = mem_read_field(space->mt, f, view, &st->rows[n], err);
        if (rc != BB_OK) {
            return rc;
        }
        n += st->rows[n].count > 0;
    }
    *used = n;
    return BB_OK;
}

static bool same_times(const struct bbi_memrows *rows, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (rows[i].count != rows[0].count ||
            memcmp(rows[i].times, rows[0].times, rows[0].count * sizeof(*rows[0].times)) != 0) {
            return false;
        }
    }
    return true;
}

/* Set the times of merge; false: out of memory. */
static bool unite_times(struct bbi_memmerge *merge, size_t n)
{
    struct bbi_memmerge_state *st = merge->state;
    if (same_times(st->rows, n)) {
        merge->times = st->rows[0].times;
        merge->count = st->rows[0].count;
        return true;
    }
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += st->rows[i].count;
    }
    /* All of them in a row, and behind them room for the union. */
    int64_t *all = total > UINT32_MAX ? NULL : reach(merge, &st->times, 2 * total, sizeof(*all));
    uint32_t *order = all == NULL ? NULL : reach(merge, &st->order, 2 * total, sizeof(*order));
    if (order == NULL) {
        return false;
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(all + at, st->rows[i].times, st->rows[i].count * sizeof(*all));
        at += st->rows[i].count;
    }
    order = mem_sort_times(all, order, order + total, total);
    int64_t *united = all + total;
    size_t count = 0;
    for (size_t i = 0; i < total; i++) {
        int64_t time = all[order[i]];
        if (count == 0 || united[count - 1] != time) {
            united[count++] = time;
        }
    }
    merge->times = united;
    merge->count = count;
    return true;
}

/* Index of the first time above t. */
static size_t times_to(const struct bbi_memrows *rows, int64_t t)
{
    size_t low = 0;
    size_t high = rows->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (rows->times[mid] <= t) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Cut the united times, and the n fields with them, to max_cells; fields may be left empty. */
static void limit_cells(struct bbi_memmerge *merge, size_t n)
{
    if (merge->max_cells == 0 || merge->count <= merge->max_cells / n) {
        return;
    }
    size_t count = merge->max_cells / n;
    merge->count = count == 0 ? 1 : count;
    merge->more = true;
    int64_t last = merge->times[merge->count - 1];
    for (size_t i = 0; i < n; i++) {
        merge->state->rows[i].count = times_to(&merge->state->rows[i], last);
    }
}

/* Words of 8 bytes that a column takes: its bitmap and, if it has gaps, values and LSNs. */
static size_t column_words(const struct bbi_memmerge *merge, const struct bbi_memrows *rows)
{
    size_t n = merge->count;
    if (rows->count == 0) {
        return 0;
    }
    return (n + 63) / 64 + (rows->count < n ? 2 * n : 0);
}

/* Spread a column with gaps over the united times; its arrays are zeroed. */
static void spread(const struct bbi_memmerge *merge, const struct bbi_memrows *rows,
                   struct bbi_memcolumn *col)
{
    size_t i = 0;
    for (size_t r = 0; r < rows->count; r++, i++) {
        while (merge->times[i] != rows->times[r]) {
            i++;
        }
        col->bits[i] = rows->bits[r];
        col->lsns[i] = rows->lsns[r];
        col->valid[i / 8] |= (uint8_t)(1U << (i % 8));
    }
}

/* at has column_words zeroed words. */
static void fill_column(const struct bbi_memmerge *merge, const struct bbi_memrows *rows,
                        struct bbi_memcolumn *col, uint64_t *at)
{
    size_t n = merge->count;
    *col = (struct bbi_memcolumn){.field_id = rows->field_id,
                                  .type = rows->type,
                                  .valid_count = rows->count,
                                  .valid = (uint8_t *)at};
    if (rows->count == n) {
        col->bits = rows->bits;
        col->lsns = rows->lsns;
        memset(col->valid, 0xff, n / 8);
        if (n % 8 != 0) {
            col->valid[n / 8] = (uint8_t)((1U << (n % 8)) - 1);
        }
        return;
    }
    col->bits = at + (n + 63) / 64;
    col->lsns = col->bits + n;
    spread(merge, rows, col);
}

/* Columns by rising field_id; false: out of memory. */
static bool fill_columns(struct bbi_memmerge *merge, size_t n)
{
    struct bbi_memmerge_state *st = merge->state;
    uint64_t *keys = reach(merge, &st->keys, 2 * n, sizeof(*keys));
    struct bbi_memcolumn *columns = reach(merge, &st->columns, n, sizeof(*columns));
    size_t words = 0;
    for (size_t i = 0; i < n; i++) {
        if (__builtin_add_overflow(words, column_words(merge, &st->rows[i]), &words)) {
            return false;
        }
    }
    uint64_t *at = reach(merge, &st->cells, words, sizeof(*at));
    if (keys == NULL || columns == NULL || at == NULL) {
        return false;
    }
    memset(at, 0, words * sizeof(*at));
    for (size_t i = 0; i < n; i++) {
        keys[i] = (uint64_t)st->rows[i].field_id << 32 | i;
    }
    mem_sort_keys(keys, keys + n, n);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct bbi_memrows *rows = &st->rows[(uint32_t)keys[i]];
        if (rows->count > 0) {
            fill_column(merge, rows, &columns[count++], at);
            at += column_words(merge, rows);
        }
    }
    merge->columns = columns;
    merge->column_count = count;
    return true;
}

int bbi_memspace_read_series(const struct bbi_memspace *space, uint32_t series_id, int64_t tmin,
                             int64_t tmax, uint64_t visible_lsn, struct bbi_memmerge *merge,
                             struct bb_error *err)
{
    const struct mem_view view = {.tmin = tmin, .tmax = tmax, .visible_lsn = visible_lsn};
    merge->count = 0;
    merge->column_count = 0;
    merge->more = false;
    const struct mem_series *s = mem_find_series(space, series_id);
    if (s == NULL) {
        return BB_OK;
    }
    if (merge->state == NULL) {
        merge->state = bbi_mem_zalloc(merge->acct, 1, sizeof(*merge->state));
        if (merge->state == NULL) {
            return bbi_error_nomem(err, "fields of a series");
        }
    }
    size_t n;
    int rc = read_fields(merge, space, s, &view, &n, err);
    if (rc != BB_OK || n == 0) {
        return rc;
    }
    bool ok = unite_times(merge, n);
    if (ok) {
        limit_cells(merge, n);
        ok = fill_columns(merge, n);
    }
    if (!ok) {
        merge->count = 0;
        merge->column_count = 0;
        merge->more = false;
        return bbi_error_nomem(err, "fields of a series");
    }
    return BB_OK;
}
