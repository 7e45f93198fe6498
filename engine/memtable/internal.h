/** The memtable's structures, for its own files only. */
#ifndef BBI_MEMTABLE_INTERNAL_H
#define BBI_MEMTABLE_INTERNAL_H

#include <stdatomic.h>

#include "engine/base/arena.h"
#include "engine/memtable/memtable.h"

/* A block of rows: the k-th of a field has 4, 8, 16 ... and at most 256. */
#define BLOCK_FIRST 4U
#define BLOCK_MAX   256U

/* Rows in the blocks of a field before the first one of BLOCK_MAX. */
#define BLOCK_RAMP (BLOCK_MAX - BLOCK_FIRST)

/* One page of the directory of series: 4 KiB. */
#define PAGE_SLOTS 512U

/* Fields of a series that are found by walking its list; more are in the table of wide fields. */
#define WIDE_AFTER 16U

/* 20 bytes, so that most rows lie in one cache line. */
struct mem_row {
    uint32_t lsn; /* (lsn - base_lsn) / 8 */
    uint8_t time[8];
    uint8_t bits[8];
};

_Static_assert(sizeof(struct mem_row) == 20, "rows are packed");

struct mem_block {
    _Atomic(struct mem_block *) next;
    struct mem_row rows[];
};

/**
 * The rows of one field of one series.
 *
 * The writer fills a row, then raises count with a release store; a reader that has acquired count
 * may read that many rows from the first block on, and finds bounds and order at least as wide and
 * as bad as they need.
 */
struct mem_field {
    uint32_t field_id;
    uint8_t type;              /* enum bbi_type */
    _Atomic uint8_t unordered; /* times do not rise strictly */
    uint8_t wide;              /* in the table of wide fields */
    uint8_t unused;
    _Atomic uint32_t count;
    uint32_t reserved; /* count, and the rows of the batch prepared: the writer's */
    _Atomic int64_t tmin;
    _Atomic int64_t tmax;
    struct mem_block *first;
    struct mem_block *tail; /* block of row reserved - 1, or first: the writer's */
    _Atomic(struct mem_field *) next;
};

/* With its first field one cache line. */
struct mem_series {
    uint32_t series_id;
    uint32_t measurement_id;
    struct mem_field field;
};

_Static_assert(sizeof(struct mem_series) == 64, "a series and its first field are a cache line");

struct mem_page {
    _Atomic(struct mem_series *) slots[PAGE_SLOTS];
};

/* Pages by series_id / PAGE_SLOTS. It never grows: a larger one takes its place. */
struct mem_top {
    size_t page_count;
    _Atomic(struct mem_page *) pages[];
};

struct bbi_memspace {
    struct bbi_memtable *mt;
    uint32_t db_id;
    uint32_t rp_id;
    _Atomic(struct mem_top *) top;
    _Atomic int64_t tmin;
    _Atomic int64_t tmax;
    _Atomic uint64_t point_count;
    _Atomic uint64_t value_count;
    _Atomic uint64_t series_count;
    _Atomic(struct bbi_memspace *) next;
};

/* Where a cell of the batch prepared goes. */
struct mem_target {
    struct mem_row *row;
    struct mem_field *field;
};

struct mem_wide {
    struct mem_series *series; /* NULL: free */
    struct mem_field *field;
};

struct bbi_memtable {
    struct bbi_account acct; /* all its memory, this struct apart */
    _Atomic uint64_t refs;
    uint64_t base_lsn;
    _Atomic uint64_t last_lsn;
    _Atomic uint64_t value_count;
    _Atomic(struct bbi_memspace *) spaces;

    /* The writer's own. */
    struct bbi_arena arena;
    struct bbi_memspace *space; /* of the batch prepared or applied last */
    struct mem_series *series_free;
    size_t series_free_count;
    struct mem_target *targets; /* [target_count] of the batch prepared */
    size_t target_count;
    size_t target_cap;
    uint8_t *str_start; /* chunk that strings are copied to, its free bytes from str_at */
    uint8_t *str_at;
    size_t str_left;
    struct mem_wide *wide; /* open addressing by (series, field_id) */
    size_t wide_cap;       /* a power of two, or 0 */
    size_t wide_count;
};

/* Where row n of a field lies: in a block of *cap rows, at the returned index. */
static inline uint32_t mem_block_index(uint32_t n, uint32_t *cap)
{
    if (n >= BLOCK_RAMP) {
        *cap = BLOCK_MAX;
        return (n - BLOCK_RAMP) % BLOCK_MAX;
    }
    uint32_t at = n + BLOCK_FIRST;
    *cap = 1U << (31 - __builtin_clz(at));
    return at - *cap;
}

/* NULL: the series has never been written. */
static inline struct mem_series *mem_find_series(const struct bbi_memspace *space,
                                                 uint32_t series_id)
{
    const struct mem_top *top = atomic_load_explicit(&space->top, memory_order_acquire);
    size_t at = series_id / PAGE_SLOTS;
    if (top == NULL || at >= top->page_count) {
        return NULL;
    }
    const struct mem_page *page = atomic_load_explicit(&top->pages[at], memory_order_acquire);
    if (page == NULL) {
        return NULL;
    }
    return atomic_load_explicit(&page->slots[series_id % PAGE_SLOTS], memory_order_acquire);
}

/* What a reader wants of a series. */
struct mem_view {
    int64_t tmin; /* inclusive */
    int64_t tmax;
    uint64_t visible_lsn;
};

/* The rows of one field in the view, whatever rows held before. */
int mem_read_field(const struct bbi_memtable *mt, const struct mem_field *field,
                   const struct mem_view *view, struct bbi_memrows *rows, struct bb_error *err);

/**
 * Put order[n] = 0 .. n-1 into the order of rising times, equal ones as they stand.
 *
 * spare   [n], clobbered
 * Returns the array, one of the two, that has the result.
 * Source  natural merge sort: as many passes as the logarithm of the number of rising runs.
 */
uint32_t *mem_sort_times(const int64_t *times, uint32_t *order, uint32_t *spare, size_t n);

/** Sort keys[n]; spare[n] is clobbered. LSD radix sort that skips bytes that all keys share. */
void mem_sort_keys(uint64_t *keys, uint64_t *spare, size_t n);

#endif
