#include "engine/memtable/internal.h"

#include <string.h>

#include "engine/base/bytes.h"

/* Series structs are taken from the arena this many at a time, to lie on cache lines. */
#define SERIES_SLAB 64U
#define CACHE_LINE  64U

#define TOP_MIN       64U
#define WIDE_MIN      64U
#define STR_CHUNK_MIN ((size_t)64 << 10)

/* How many points ahead the directory slot and the series are fetched, and cells ahead the row. */
#define SLOT_AHEAD   24U
#define SERIES_AHEAD 12U
#define ROW_AHEAD    12U

int bbi_memtable_create(struct bbi_account *acct, uint64_t base_lsn, struct bbi_memtable **out,
                        struct bb_error *err)
{
    *out = NULL;
    BB_ASSERT(base_lsn % 8 == 0);
    acct = acct == NULL ? bbi_account_server() : acct;
    struct bbi_memtable *mt = bbi_mem_zalloc(acct, 1, sizeof(*mt));
    if (mt == NULL) {
        return bbi_error_nomem(err, "memtable");
    }
    bbi_account_init(&mt->acct, "memtable", 0, acct);
    bbi_arena_init(&mt->arena, &mt->acct);
    mt->base_lsn = base_lsn;
    atomic_init(&mt->refs, 1);
    atomic_init(&mt->last_lsn, base_lsn);
    atomic_init(&mt->value_count, 0);
    atomic_init(&mt->spaces, NULL);
    *out = mt;
    return BB_OK;
}

struct bbi_memtable *bbi_memtable_ref(struct bbi_memtable *mt)
{
    atomic_fetch_add_explicit(&mt->refs, 1, memory_order_relaxed);
    return mt;
}

void bbi_memtable_unref(struct bbi_memtable **mt_at)
{
    struct bbi_memtable *mt = *mt_at;
    *mt_at = NULL;
    if (mt == NULL || atomic_fetch_sub_explicit(&mt->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    bbi_mem_free(mt->targets);
    bbi_mem_free(mt->wide);
    bbi_arena_fini(&mt->arena);
    bbi_mem_free(mt);
}

/* ---- the directory ---- */

static struct bbi_memspace *find_space(const struct bbi_memtable *mt, uint32_t db_id,
                                       uint32_t rp_id)
{
    struct bbi_memspace *s = atomic_load_explicit(&mt->spaces, memory_order_acquire);
    while (s != NULL && (s->db_id != db_id || s->rp_id != rp_id)) {
        s = atomic_load_explicit(&s->next, memory_order_relaxed);
    }
    return s;
}

static struct bbi_memspace *make_space(struct bbi_memtable *mt, uint32_t db_id, uint32_t rp_id)
{
    struct bbi_memspace *s = bbi_arena_zalloc(&mt->arena, 1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->mt = mt;
    s->db_id = db_id;
    s->rp_id = rp_id;
    atomic_init(&s->tmin, INT64_MAX);
    atomic_init(&s->tmax, INT64_MIN);
    atomic_init(&s->next, atomic_load_explicit(&mt->spaces, memory_order_relaxed));
    atomic_store_explicit(&mt->spaces, s, memory_order_release);
    return s;
}

/* A directory that reaches page `at`. */
static struct mem_top *reach_top(struct bbi_memtable *mt, struct bbi_memspace *space, size_t at)
{
    struct mem_top *old = atomic_load_explicit(&space->top, memory_order_relaxed);
    size_t old_count = old == NULL ? 0 : old->page_count;
    if (at < old_count) {
        return old;
    }
    size_t count = 2 * old_count < TOP_MIN ? TOP_MIN : 2 * old_count;
    count = at >= count ? at + 1 : count;
    struct mem_top *top = bbi_arena_zalloc(&mt->arena, 1,
                                           sizeof(*top) + count * sizeof(top->pages[0]));
    if (top == NULL) {
        return NULL;
    }
    top->page_count = count;
    for (size_t i = 0; i < old_count; i++) {
        atomic_init(&top->pages[i], atomic_load_explicit(&old->pages[i], memory_order_relaxed));
    }
    atomic_store_explicit(&space->top, top, memory_order_release);
    return top;
}

/* The slot of a series, or NULL without memory. */
static _Atomic(struct mem_series *) *reach_slot(struct bbi_memtable *mt, struct bbi_memspace *space,
                                                uint32_t series_id)
{
    size_t at = series_id / PAGE_SLOTS;
    struct mem_top *top = reach_top(mt, space, at);
    if (top == NULL) {
        return NULL;
    }
    struct mem_page *page = atomic_load_explicit(&top->pages[at], memory_order_relaxed);
    if (page == NULL) {
        page = bbi_arena_zalloc(&mt->arena, 1, sizeof(*page));
        if (page == NULL) {
            return NULL;
        }
        atomic_store_explicit(&top->pages[at], page, memory_order_release);
    }
    return &page->slots[series_id % PAGE_SLOTS];
}

/* ---- series and fields ---- */

static struct mem_block *make_block(struct bbi_memtable *mt, uint32_t cap)
{
    struct mem_block *b = bbi_arena_alloc(&mt->arena,
                                          sizeof(*b) + (size_t)cap * sizeof(b->rows[0]));
    if (b != NULL) {
        atomic_init(&b->next, NULL);
    }
    return b;
}

static bool init_field(struct bbi_memtable *mt, struct mem_field *f, const struct bbi_cell *cell)
{
    struct mem_block *first = make_block(mt, BLOCK_FIRST);
    if (first == NULL) {
        return false;
    }
    f->field_id = cell->field_id;
    f->type = cell->type;
    f->wide = 0;
    f->unused = 0;
    f->reserved = 0;
    f->first = first;
    f->tail = first;
    atomic_init(&f->unordered, 0);
    atomic_init(&f->count, 0);
    atomic_init(&f->tmin, INT64_MAX);
    atomic_init(&f->tmax, INT64_MIN);
    atomic_init(&f->next, NULL);
    return true;
}

static struct mem_series *make_series(struct bbi_memtable *mt, struct bbi_memspace *space,
                                      const struct bbi_point *p, const struct bbi_cell *cell)
{
    _Atomic(struct mem_series *) *slot = reach_slot(mt, space, p->series_id);
    if (slot == NULL) {
        return NULL;
    }
    if (mt->series_free_count == 0) {
        uint8_t *slab = bbi_arena_alloc(&mt->arena,
                                        SERIES_SLAB * sizeof(struct mem_series) + CACHE_LINE);
        if (slab == NULL) {
            return NULL;
        }
        slab += (CACHE_LINE - (uintptr_t)slab % CACHE_LINE) % CACHE_LINE;
        mt->series_free = (struct mem_series *)(void *)slab;
        mt->series_free_count = SERIES_SLAB;
    }
    struct mem_series *s = mt->series_free;
    s->series_id = p->series_id;
    s->measurement_id = p->measurement_id;
    if (!init_field(mt, &s->field, cell)) {
        return NULL;
    }
    mt->series_free++;
    mt->series_free_count--;
    atomic_store_explicit(slot, s, memory_order_release);
    atomic_fetch_add_explicit(&space->series_count, 1, memory_order_relaxed);
    return s;
}

static struct mem_field *next_field(const struct mem_field *f)
{
    return atomic_load_explicit(&f->next, memory_order_relaxed);
}

static size_t wide_slot(const struct bbi_memtable *mt, const struct mem_series *s,
                        uint32_t field_id)
{
    uint64_t h = ((uint64_t)(uintptr_t)s >> 6) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ field_id) * UINT64_C(0xc2b2ae3d27d4eb4f);
    size_t at = (size_t)(h >> 32) & (mt->wide_cap - 1);
    while (mt->wide[at].series != NULL &&
           (mt->wide[at].series != s || mt->wide[at].field->field_id != field_id)) {
        at = (at + 1) & (mt->wide_cap - 1);
    }
    return at;
}

/* Keep the table of wide fields at most half full with one more in it. */
static bool grow_wide(struct bbi_memtable *mt)
{
    if (2 * (mt->wide_count + 1) <= mt->wide_cap) {
        return true;
    }
    size_t cap = mt->wide_cap == 0 ? WIDE_MIN : 2 * mt->wide_cap;
    struct mem_wide *wide = bbi_mem_zalloc(&mt->acct, cap, sizeof(*wide));
    if (wide == NULL) {
        return false;
    }
    struct mem_wide *old = mt->wide;
    size_t old_cap = mt->wide_cap;
    mt->wide = wide;
    mt->wide_cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].series != NULL) {
            wide[wide_slot(mt, old[i].series, old[i].field->field_id)] = old[i];
        }
    }
    bbi_mem_free(old);
    return true;
}

/* A further field of a series, put behind `after` in its list. */
static struct mem_field *make_field(struct bbi_memtable *mt, struct mem_series *s,
                                    const struct bbi_cell *cell, struct mem_field *after, bool wide)
{
    if (wide && !grow_wide(mt)) {
        return NULL;
    }
    struct mem_field *f = bbi_arena_alloc(&mt->arena, sizeof(*f));
    if (f == NULL || !init_field(mt, f, cell)) {
        return NULL;
    }
    if (wide) {
        f->wide = 1;
        mt->wide[wide_slot(mt, s, f->field_id)] = (struct mem_wide){.series = s, .field = f};
        mt->wide_count++;
    }
    atomic_init(&f->next, next_field(after));
    atomic_store_explicit(&after->next, f, memory_order_release);
    return f;
}

/**
 * The field of a cell, made if need be. prev is that of the row's cell before, or NULL: rows mostly
 * have their fields in the order of the list, so the next one in it is tried first. Fields up to
 * WIDE_AFTER stand at the start of the list and are found by walking, later ones in the table.
 */
static struct mem_field *reach_field(struct bbi_memtable *mt, struct mem_series *s,
                                     struct mem_field *prev, const struct bbi_cell *cell)
{
    struct mem_field *f = prev == NULL ? &s->field : next_field(prev);
    if (f != NULL && f->field_id == cell->field_id) {
        return f;
    }
    struct mem_field *last = NULL;
    unsigned walked = 0;
    for (f = &s->field; f != NULL && walked < WIDE_AFTER; f = next_field(f)) {
        if (f->field_id == cell->field_id) {
            return f;
        }
        last = f;
        walked++;
    }
    bool wide = walked == WIDE_AFTER;
    if (wide && mt->wide_cap > 0) {
        const struct mem_wide *found = &mt->wide[wide_slot(mt, s, cell->field_id)];
        if (found->series != NULL) {
            return found->field;
        }
    }
    bool behind_prev = prev != NULL && (!wide || prev->wide);
    return make_field(mt, s, cell, behind_prev ? prev : last, wide);
}

/* ---- prepare ---- */

/* The place of the next row; NULL without memory. */
static struct mem_row *reserve_row(struct bbi_memtable *mt, struct mem_field *f)
{
    uint32_t cap;
    uint32_t n = f->reserved;
    uint32_t at = mem_block_index(n, &cap);
    if (at == 0 && n > 0) {
        struct mem_block *next = atomic_load_explicit(&f->tail->next, memory_order_relaxed);
        if (next == NULL) {
            next = n > UINT32_MAX - BLOCK_MAX ? NULL : make_block(mt, cap);
            if (next == NULL) {
                return NULL;
            }
            atomic_store_explicit(&f->tail->next, next, memory_order_release);
        }
        f->tail = next;
    }
    f->reserved = n + 1;
    return &f->tail->rows[at];
}

/* Give back rows that were reserved and not written; the blocks stay for later ones. */
static void unreserve(struct mem_field *f)
{
    uint32_t count = atomic_load_explicit(&f->count, memory_order_relaxed);
    if (f->reserved == count) {
        return;
    }
    f->reserved = count;
    f->tail = f->first;
    uint32_t cap = BLOCK_FIRST;
    while (count > cap) {
        count -= cap;
        cap = cap < BLOCK_MAX ? 2 * cap : BLOCK_MAX;
        f->tail = atomic_load_explicit(&f->tail->next, memory_order_relaxed);
    }
}

static void forget_prepared(struct bbi_memtable *mt)
{
    for (size_t i = 0; i < mt->target_count; i++) {
        unreserve(mt->targets[i].field);
    }
    mt->target_count = 0;
}

static bool grow_targets(struct bbi_memtable *mt, size_t need)
{
    if (need <= mt->target_cap) {
        return true;
    }
    struct mem_target *targets = NULL;
    if (need <= SIZE_MAX / sizeof(*targets)) {
        targets = bbi_mem_realloc(&mt->acct, mt->targets, need * sizeof(*targets));
    }
    if (targets == NULL) {
        return false;
    }
    mt->targets = targets;
    mt->target_cap = need;
    return true;
}

/* Room for the copies of a batch's strings in one chunk. Chunks double, so that batches that are
 * prepared again and again and never applied waste no more than the largest of them takes. */
static bool grow_strings(struct bbi_memtable *mt, size_t need)
{
    if (need <= mt->str_left) {
        return true;
    }
    size_t size = STR_CHUNK_MIN;
    while (size < need) {
        size *= 2;
    }
    uint8_t *chunk = bbi_arena_alloc(&mt->arena, size);
    if (chunk == NULL) {
        return false;
    }
    mt->str_at = chunk;
    mt->str_left = size;
    return true;
}

static void fetch_ahead(const struct bbi_memspace *space, const struct bbi_batch *batch, size_t i)
{
    const struct mem_top *top = atomic_load_explicit(&space->top, memory_order_relaxed);
    if (top == NULL) {
        return;
    }
    if (i + SLOT_AHEAD < batch->point_count) {
        uint32_t id = batch->points[i + SLOT_AHEAD].series_id;
        if (id / PAGE_SLOTS < top->page_count) {
            const struct mem_page *page = atomic_load_explicit(&top->pages[id / PAGE_SLOTS],
                                                               memory_order_relaxed);
            if (page != NULL) {
                __builtin_prefetch(&page->slots[id % PAGE_SLOTS]);
            }
        }
    }
    if (i + SERIES_AHEAD < batch->point_count) {
        const struct mem_series *s = mem_find_series(space,
                                                     batch->points[i + SERIES_AHEAD].series_id);
        if (s != NULL) {
            __builtin_prefetch(s, 1);
        }
    }
}

static bool prepare_point(struct bbi_memtable *mt, struct bbi_memspace *space,
                          const struct bbi_point *p, const struct bbi_cell *cells,
                          size_t *str_bytes)
{
    BB_ASSERT(p->cell_count > 0 && p->cell_count <= mt->target_cap - mt->target_count);
    struct mem_series *s = mem_find_series(space, p->series_id);
    if (s == NULL) {
        s = make_series(mt, space, p, cells);
        if (s == NULL) {
            return false;
        }
    }
    struct mem_field *f = NULL;
    for (uint32_t i = 0; i < p->cell_count; i++) {
        f = reach_field(mt, s, f, &cells[i]);
        struct mem_row *row = f == NULL ? NULL : reserve_row(mt, f);
        if (row == NULL) {
            return false;
        }
        __builtin_prefetch(row, 1);
        mt->targets[mt->target_count++] = (struct mem_target){.row = row, .field = f};
        if (cells[i].type == BBI_STRING) {
            *str_bytes += sizeof(uint32_t) + cells[i].length;
        }
    }
    return true;
}

static bool prepare_batch(struct bbi_memtable *mt, const struct bbi_batch *batch)
{
    struct bbi_memspace *space = mt->space;
    if (space == NULL || space->db_id != batch->db_id || space->rp_id != batch->rp_id) {
        space = find_space(mt, batch->db_id, batch->rp_id);
        if (space == NULL) {
            space = make_space(mt, batch->db_id, batch->rp_id);
        }
    }
    if (space == NULL || !grow_targets(mt, batch->cell_count)) {
        return false;
    }
    mt->space = space;
    size_t str_bytes = 0;
    for (size_t i = 0; i < batch->point_count; i++) {
        const struct bbi_point *p = &batch->points[i];
        fetch_ahead(space, batch, i);
        if (!prepare_point(mt, space, p, batch->cells + p->cell_first, &str_bytes)) {
            return false;
        }
    }
    return grow_strings(mt, str_bytes);
}

int bbi_memtable_prepare(struct bbi_memtable *mt, const struct bbi_batch *batch,
                         struct bb_error *err)
{
    forget_prepared(mt);
    if (!prepare_batch(mt, batch)) {
        forget_prepared(mt);
        return bbi_error_nomem(err, "memtable");
    }
    return BB_OK;
}

/* ---- apply ---- */

static uint64_t keep_string(struct bbi_memtable *mt, const struct bbi_cell *cell)
{
    uint8_t *at = mt->str_at;
    size_t size = sizeof(uint32_t) + cell->length;
    BB_ASSERT(size <= mt->str_left);
    bbi_put_u32(at, cell->length);
    if (cell->length != 0) {
        memcpy(at + sizeof(uint32_t), cell->v.str, cell->length);
    }
    mt->str_at += size;
    mt->str_left -= size;
    return (uint64_t)(uintptr_t)at;
}

static void write_row(const struct mem_target *to, int64_t time, uint64_t bits, uint32_t lsn)
{
    struct mem_field *f = to->field;
    to->row->lsn = lsn;
    bbi_put_u64(to->row->time, (uint64_t)time);
    bbi_put_u64(to->row->bits, bits);
    uint32_t count = atomic_load_explicit(&f->count, memory_order_relaxed);
    if (time < atomic_load_explicit(&f->tmin, memory_order_relaxed)) {
        atomic_store_explicit(&f->tmin, time, memory_order_relaxed);
    }
    if (time > atomic_load_explicit(&f->tmax, memory_order_relaxed)) {
        atomic_store_explicit(&f->tmax, time, memory_order_relaxed);
    } else if (count > 0) {
        atomic_store_explicit(&f->unordered, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&f->count, count + 1, memory_order_release);
}

/* Only the writer changes these, so no read-modify-write instruction is needed. */
static void add_to(_Atomic uint64_t *counter, uint64_t n)
{
    uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

static void widen(struct bbi_memspace *space, int64_t tmin, int64_t tmax)
{
    if (tmin < atomic_load_explicit(&space->tmin, memory_order_relaxed)) {
        atomic_store_explicit(&space->tmin, tmin, memory_order_relaxed);
    }
    if (tmax > atomic_load_explicit(&space->tmax, memory_order_relaxed)) {
        atomic_store_explicit(&space->tmax, tmax, memory_order_relaxed);
    }
}

void bbi_memtable_apply(struct bbi_memtable *mt, const struct bbi_batch *batch, uint64_t lsn)
{
    uint64_t above = lsn - mt->base_lsn;
    BB_ASSERT(lsn > mt->base_lsn && above % 8 == 0 && above < BBI_MEMTABLE_LSN_SPAN);
    BB_ASSERT(lsn >= atomic_load_explicit(&mt->last_lsn, memory_order_relaxed));
    size_t at = 0;
    int64_t tmin = INT64_MAX;
    int64_t tmax = INT64_MIN;
    for (size_t i = 0; i < batch->point_count; i++) {
        const struct bbi_point *p = &batch->points[i];
        BB_ASSERT(p->cell_count <= mt->target_count - at);
        tmin = p->time_ns < tmin ? p->time_ns : tmin;
        tmax = p->time_ns > tmax ? p->time_ns : tmax;
        for (uint32_t k = 0; k < p->cell_count; k++, at++) {
            const struct bbi_cell *cell = &batch->cells[p->cell_first + k];
            if (at + ROW_AHEAD < mt->target_count) {
                __builtin_prefetch(mt->targets[at + ROW_AHEAD].row, 1);
                __builtin_prefetch(mt->targets[at + ROW_AHEAD].field, 1);
            }
            uint64_t bits = cell->type == BBI_STRING ? keep_string(mt, cell) : cell->v.bits;
            write_row(&mt->targets[at], p->time_ns, bits, (uint32_t)(above / 8));
        }
    }
    BB_ASSERT(at == mt->target_count);
    widen(mt->space, tmin, tmax);
    add_to(&mt->space->point_count, batch->point_count);
    add_to(&mt->space->value_count, at);
    add_to(&mt->value_count, at);
    atomic_store_explicit(&mt->last_lsn, lsn, memory_order_release);
    mt->target_count = 0;
}
