/* The rows of one field, sorted and with their duplicates resolved. */
#include "engine/memtable/internal.h"

#include <string.h>

#include "engine/base/bytes.h"

#define ROWS_MIN 16U

void bbi_memrows_init(struct bbi_memrows *rows, struct bbi_account *acct)
{
    *rows = (struct bbi_memrows){.acct = acct};
}

void bbi_memrows_fini(struct bbi_memrows *rows)
{
    bbi_mem_free(rows->times);
    bbi_mem_free(rows->bits);
    bbi_mem_free(rows->lsns);
    bbi_mem_free(rows->scratch);
    bbi_memrows_init(rows, rows->acct);
}

static bool grow_array(struct bbi_account *acct, void *array_at, size_t cap)
{
    void **array = array_at;
    void *p = cap > SIZE_MAX / 8 ? NULL : bbi_mem_realloc(acct, *array, cap * 8);
    if (p == NULL) {
        return false;
    }
    *array = p;
    return true;
}

/* Room for n rows behind those that are there. */
static bool grow_rows(struct bbi_memrows *rows, size_t n)
{
    if (n <= rows->cap - rows->count) {
        return true;
    }
    size_t cap = 2 * rows->cap < ROWS_MIN ? ROWS_MIN : 2 * rows->cap;
    cap = rows->count + n > cap ? rows->count + n : cap;
    if (!grow_array(rows->acct, &rows->times, cap) || !grow_array(rows->acct, &rows->bits, cap) ||
        !grow_array(rows->acct, &rows->lsns, cap)) {
        return false;
    }
    rows->cap = cap;
    return true;
}

static int64_t row_time(const struct mem_row *row)
{
    return (int64_t)bbi_get_u64(row->time);
}

struct gather {
    const struct mem_view *view;
    struct bbi_memrows *rows;
    uint64_t base_lsn;
    uint32_t visible; /* as rows have their LSN */
    bool ordered;     /* times rise strictly */
};

/* Take the rows of (part of) a block that are in the view; false: no row behind them is. There is
 * room. */
static bool gather_block(struct gather *g, const struct mem_row *block, uint32_t n)
{
    struct bbi_memrows *out = g->rows;
    int64_t tmin = g->view->tmin;
    int64_t tmax = g->view->tmax;
    if (g->ordered && row_time(&block[n - 1]) < tmin) {
        return true;
    }
    size_t at = out->count;
    bool more = true;
    for (uint32_t i = 0; i < n; i++) {
        int64_t time = row_time(&block[i]);
        if (block[i].lsn > g->visible || (g->ordered && time > tmax)) {
            more = false;
            break;
        }
        out->times[at] = time;
        out->bits[at] = bbi_get_u64(block[i].bits);
        out->lsns[at] = g->base_lsn + (uint64_t)block[i].lsn * 8;
        at += time >= tmin && time <= tmax;
    }
    out->count = at;
    return more;
}

/* The field's rows in the view, in the order in which they were written. */
static bool gather_field(struct gather *g, const struct mem_field *f)
{
    uint32_t count = atomic_load_explicit(&f->count, memory_order_acquire);
    g->ordered = atomic_load_explicit(&f->unordered, memory_order_relaxed) == 0;
    if (count == 0 || atomic_load_explicit(&f->tmin, memory_order_relaxed) > g->view->tmax ||
        atomic_load_explicit(&f->tmax, memory_order_relaxed) < g->view->tmin) {
        return true;
    }
    const struct mem_block *block = f->first;
    uint32_t cap = BLOCK_FIRST;
    for (;;) {
        uint32_t n = count < cap ? count : cap;
        if (!grow_rows(g->rows, n)) {
            return false;
        }
        count -= n;
        if (!gather_block(g, block->rows, n) || count == 0) {
            return true;
        }
        block = atomic_load_explicit(&block->next, memory_order_acquire);
        cap = cap < BLOCK_MAX ? 2 * cap : BLOCK_MAX;
    }
}

/* ---- sorting ---- */

/* End of the rising run that starts at `at`. */
static size_t run_end(const int64_t *times, const uint32_t *order, size_t at, size_t n)
{
    at++;
    while (at < n && times[order[at - 1]] <= times[order[at]]) {
        at++;
    }
    return at;
}

static void merge_runs(const int64_t *times, const uint32_t *from, size_t a, size_t a_end,
                       size_t b_end, uint32_t *to)
{
    size_t b = a_end;
    size_t at = a;
    while (a < a_end && b < b_end) {
        to[at++] = times[from[b]] < times[from[a]] ? from[b++] : from[a++];
    }
    memcpy(to + at, from + a, (a_end - a) * sizeof(*to));
    at += a_end - a;
    memcpy(to + at, from + b, (b_end - b) * sizeof(*to));
}

uint32_t *mem_sort_times(const int64_t *times, uint32_t *order, uint32_t *spare, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
    }
    for (;;) {
        size_t at = 0;
        size_t runs = 0;
        while (at < n) {
            size_t mid = run_end(times, order, at, n);
            if (mid == n && runs == 0) {
                return order;
            }
            size_t end = mid == n ? n : run_end(times, order, mid, n);
            merge_runs(times, order, at, mid, end, spare);
            at = end;
            runs++;
        }
        uint32_t *t = order;
        order = spare;
        spare = t;
        if (runs <= 1) {
            return order;
        }
    }
}

static bool rises_strictly(const int64_t *times, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (times[i] <= times[i - 1]) {
            return false;
        }
    }
    return true;
}

/* array[i] = array[order[i]], by way of spare. */
static void permute(void *array, const uint32_t *order, size_t n, uint64_t *spare)
{
    uint64_t *values = array;
    for (size_t i = 0; i < n; i++) {
        spare[i] = values[order[i]];
    }
    memcpy(values, spare, n * sizeof(*values));
}

/* Sort by time; of equal times the row written last stays. */
static bool sort_rows(struct bbi_memrows *rows)
{
    size_t n = rows->count;
    size_t need = n * (sizeof(uint64_t) + 2 * sizeof(uint32_t));
    if (need > rows->scratch_bytes) {
        void *p = bbi_mem_realloc(rows->acct, rows->scratch, need);
        if (p == NULL) {
            return false;
        }
        rows->scratch = p;
        rows->scratch_bytes = need;
    }
    uint64_t *spare = rows->scratch;
    uint32_t *indexes = (uint32_t *)(void *)(spare + n);
    uint32_t *order = mem_sort_times(rows->times, indexes, indexes + n, n);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || rows->times[order[i]] != rows->times[order[i + 1]]) {
            order[kept++] = order[i];
        }
    }
    permute(rows->bits, order, kept, spare);
    permute(rows->lsns, order, kept, spare);
    permute(rows->times, order, kept, spare);
    rows->count = kept;
    return true;
}

static uint32_t row_lsn(const struct bbi_memtable *mt, uint64_t lsn)
{
    if (lsn <= mt->base_lsn) {
        return 0;
    }
    uint64_t above = (lsn - mt->base_lsn) / 8;
    return above > UINT32_MAX ? UINT32_MAX : (uint32_t)above;
}

int mem_read_field(const struct bbi_memtable *mt, const struct mem_field *field,
                   const struct mem_view *view, struct bbi_memrows *rows, struct bb_error *err)
{
    struct gather g = {.view = view,
                       .rows = rows,
                       .base_lsn = mt->base_lsn,
                       .visible = row_lsn(mt, view->visible_lsn)};
    rows->count = 0;
    rows->field_id = field->field_id;
    rows->type = field->type;
    if (!gather_field(&g, field) ||
        (!g.ordered && !rises_strictly(rows->times, rows->count) && !sort_rows(rows))) {
        rows->count = 0;
        return bbi_error_nomem(err, "rows of a series");
    }
    return BB_OK;
}

int bbi_memspace_read(const struct bbi_memspace *space, uint32_t series_id, uint32_t field_id,
                      int64_t tmin, int64_t tmax, uint64_t visible_lsn, struct bbi_memrows *rows,
                      struct bb_error *err)
{
    const struct mem_view view = {.tmin = tmin, .tmax = tmax, .visible_lsn = visible_lsn};
    rows->count = 0;
    const struct mem_series *s = mem_find_series(space, series_id);
    const struct mem_field *f = s == NULL ? NULL : &s->field;
    while (f != NULL && f->field_id != field_id) {
        f = atomic_load_explicit(&f->next, memory_order_acquire);
    }
    return f == NULL ? BB_OK : mem_read_field(space->mt, f, &view, rows, err);
}

struct bbi_memstr bbi_memtable_str(uint64_t bits)
{
    const uint8_t *at = (const uint8_t *)(uintptr_t)bits;
    return (struct bbi_memstr){.ptr = at + sizeof(uint32_t), .len = bbi_get_u32(at)};
}
