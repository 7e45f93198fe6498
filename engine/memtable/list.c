/* What is in a memtable: counters, spaces, series and fields. */
#include "engine/memtable/internal.h"

#include <string.h>

uint64_t bbi_memtable_base_lsn(const struct bbi_memtable *mt)
{
    return mt->base_lsn;
}

uint64_t bbi_memtable_last_lsn(const struct bbi_memtable *mt)
{
    return atomic_load_explicit(&mt->last_lsn, memory_order_acquire);
}

uint64_t bbi_memtable_bytes(const struct bbi_memtable *mt)
{
    return sizeof(*mt) + atomic_load_explicit(&mt->acct.used_bytes, memory_order_relaxed);
}

uint64_t bbi_memtable_values(const struct bbi_memtable *mt)
{
    return atomic_load_explicit(&mt->value_count, memory_order_relaxed);
}

const struct bbi_memspace *bbi_memtable_space(const struct bbi_memtable *mt, uint32_t db_id,
                                              uint32_t rp_id)
{
    const struct bbi_memspace *s = bbi_memtable_next_space(mt, NULL);
    while (s != NULL && (s->db_id != db_id || s->rp_id != rp_id)) {
        s = bbi_memtable_next_space(mt, s);
    }
    return s;
}

const struct bbi_memspace *bbi_memtable_next_space(const struct bbi_memtable *mt,
                                                   const struct bbi_memspace *space)
{
    const _Atomic(struct bbi_memspace *) *next = space == NULL ? &mt->spaces : &space->next;
    return atomic_load_explicit(next, memory_order_acquire);
}

void bbi_memspace_info(const struct bbi_memspace *space, struct bbi_memspace_info *info)
{
    *info = (struct bbi_memspace_info){
        .db_id = space->db_id,
        .rp_id = space->rp_id,
        .tmin = atomic_load_explicit(&space->tmin, memory_order_relaxed),
        .tmax = atomic_load_explicit(&space->tmax, memory_order_relaxed),
        .point_count = atomic_load_explicit(&space->point_count, memory_order_relaxed),
        .value_count = atomic_load_explicit(&space->value_count, memory_order_relaxed),
        .series_count = atomic_load_explicit(&space->series_count, memory_order_relaxed),
    };
}

static const struct mem_field *next_field(const struct mem_field *f)
{
    return atomic_load_explicit(&f->next, memory_order_acquire);
}

static uint32_t row_count(const struct mem_field *f)
{
    return atomic_load_explicit(&f->count, memory_order_acquire);
}

bool bbi_memspace_series_range(const struct bbi_memspace *space, uint32_t series_id, int64_t *tmin,
                               int64_t *tmax)
{
    *tmin = INT64_MAX;
    *tmax = INT64_MIN;
    const struct mem_series *s = mem_find_series(space, series_id);
    for (const struct mem_field *f = s == NULL ? NULL : &s->field; f != NULL; f = next_field(f)) {
        if (row_count(f) == 0) {
            continue;
        }
        int64_t low = atomic_load_explicit(&f->tmin, memory_order_relaxed);
        int64_t high = atomic_load_explicit(&f->tmax, memory_order_relaxed);
        *tmin = low < *tmin ? low : *tmin;
        *tmax = high > *tmax ? high : *tmax;
    }
    return *tmin <= *tmax;
}

static uint64_t last_lsn(const struct bbi_memspace *space, const struct mem_field *f)
{
    uint32_t left = row_count(f);
    const struct mem_block *block = f->first;
    uint32_t at = 0;
    while (left != 0) {
        uint32_t cap;
        (void)mem_block_index(at, &cap);
        if (left <= cap) {
            return space->mt->base_lsn + (uint64_t)block->rows[left - 1].lsn * 8;
        }
        at += cap;
        left -= cap;
        block = atomic_load_explicit(&block->next, memory_order_acquire);
    }
    return 0;
}

uint64_t bbi_memspace_series_lsn(const struct bbi_memspace *space, uint32_t series_id)
{
    uint64_t last = 0;
    const struct mem_series *s = mem_find_series(space, series_id);
    for (const struct mem_field *f = s == NULL ? NULL : &s->field; f != NULL; f = next_field(f)) {
        uint64_t lsn = last_lsn(space, f);
        last = lsn > last ? lsn : last;
    }
    return last;
}

size_t bbi_memspace_fields(const struct bbi_memspace *space, uint32_t series_id,
                           struct bbi_memfield *out, size_t cap)
{
    size_t n = 0;
    const struct mem_series *s = mem_find_series(space, series_id);
    for (const struct mem_field *f = s == NULL ? NULL : &s->field; f != NULL; f = next_field(f)) {
        uint32_t rows = row_count(f);
        if (rows == 0) {
            continue;
        }
        if (n < cap) {
            out[n] = (struct bbi_memfield){
                .field_id = f->field_id,
                .type = f->type,
                .row_count = rows,
                .tmin = atomic_load_explicit(&f->tmin, memory_order_relaxed),
                .tmax = atomic_load_explicit(&f->tmax, memory_order_relaxed),
            };
        }
        n++;
    }
    return n;
}

/* ---- all series, sorted ---- */

void mem_sort_keys(uint64_t *keys, uint64_t *spare, size_t n)
{
    uint64_t same_and = UINT64_MAX;
    uint64_t same_or = 0;
    for (size_t i = 0; i < n; i++) {
        same_and &= keys[i];
        same_or |= keys[i];
    }
    uint64_t *from = keys;
    uint64_t *to = spare;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if ((((same_and ^ same_or) >> shift) & 0xff) == 0) {
            continue;
        }
        size_t starts[256] = {0};
        for (size_t i = 0; i < n; i++) {
            starts[(from[i] >> shift) & 0xff]++;
        }
        size_t sum = 0;
        for (unsigned b = 0; b < 256; b++) {
            size_t count = starts[b];
            starts[b] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++) {
            to[starts[(from[i] >> shift) & 0xff]++] = from[i];
        }
        uint64_t *t = from;
        from = to;
        to = t;
    }
    if (from != keys && n > 0) {
        memcpy(keys, from, n * sizeof(*keys));
    }
}

static bool has_rows(const struct mem_series *s)
{
    for (const struct mem_field *f = &s->field; f != NULL; f = next_field(f)) {
        if (row_count(f) > 0) {
            return true;
        }
    }
    return false;
}

/* Keys of the series that have rows, measurement_id above series_id: at most cap are stored, all
 * are counted. */
static size_t collect_keys(const struct mem_top *top, uint64_t *keys, size_t cap)
{
    size_t n = 0;
    for (size_t p = 0; p < top->page_count; p++) {
        const struct mem_page *page = atomic_load_explicit(&top->pages[p], memory_order_acquire);
        for (size_t i = 0; page != NULL && i < PAGE_SLOTS; i++) {
            const struct mem_series *s = atomic_load_explicit(&page->slots[i],
                                                              memory_order_acquire);
            if (s == NULL || !has_rows(s)) {
                continue;
            }
            if (n < cap) {
                keys[n] = (uint64_t)s->measurement_id << 32 | s->series_id;
            }
            n++;
        }
    }
    return n;
}

static void sort_series(uint64_t *keys, uint64_t *spare, struct bbi_memseries *series, size_t n)
{
    mem_sort_keys(keys, spare, n);
    for (size_t i = 0; i < n; i++) {
        series[i] = (struct bbi_memseries){.measurement_id = (uint32_t)(keys[i] >> 32),
                                           .series_id = (uint32_t)keys[i]};
    }
}

int bbi_memspace_series(const struct bbi_memspace *space, struct bbi_account *acct,
                        struct bbi_memseries **out, size_t *count, struct bb_error *err)
{
    *out = NULL;
    *count = 0;
    size_t cap = atomic_load_explicit(&space->series_count, memory_order_relaxed);
    for (;;) {
        const struct mem_top *top = atomic_load_explicit(&space->top, memory_order_acquire);
        uint64_t *keys = bbi_mem_alloc(acct, cap * sizeof(*keys));
        struct bbi_memseries *series = bbi_mem_alloc(acct, cap * sizeof(*series));
        uint64_t *spare = bbi_mem_alloc(acct, cap * sizeof(*spare));
        bool ok = keys != NULL && series != NULL && spare != NULL;
        size_t n = ok && top != NULL ? collect_keys(top, keys, cap) : 0;
        bool fits = n <= cap;
        if (ok && fits) {
            sort_series(keys, spare, series, n);
            *out = series;
            *count = n;
            series = NULL;
        }
        bbi_mem_free(keys);
        bbi_mem_free(series);
        bbi_mem_free(spare);
        if (!ok) {
            return bbi_error_nomem(err, "list of series");
        }
        if (fits) {
            return BB_OK;
        }
        /* Series came while their number was being found out. */
        cap = n + n / 8;
    }
}
