/**
 * The memtable: what the log holds and no segment does yet, one generation over all databases.
 *
 * A space (database and retention policy) has series, a series has fields, a field has its rows in
 * append-only blocks of 4, 8, ... 256 rows that never move. A row is its time, its value and the
 * LSN of its batch; of several rows of one time the last one appended counts.
 *
 * One writer (whoever holds the engine's write lock) and any number of readers go side by side
 * without locks: rows, blocks, fields and series are filled first and published after, with release
 * stores that readers acquire. Nothing is freed before the last reference is dropped. A reader
 * passes visible_lsn and sees no row above it; every batch up to visible_lsn must have been applied
 * before (bbi_memtable_apply returned, and the reader learnt of it through some lock or atomic).
 */
#ifndef BBI_MEMTABLE_MEMTABLE_H
#define BBI_MEMTABLE_MEMTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/batch.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

struct bbi_memtable;

/** The rows of one (database, retention policy). */
struct bbi_memspace;

/** A generation holds LSNs in (base_lsn, base_lsn + this); the engine starts another well before.
 */
#define BBI_MEMTABLE_LSN_SPAN (UINT64_C(8) << 32)

/** An empty generation, with one reference. base_lsn: a multiple of 8; all its rows lie above. */
int bbi_memtable_create(struct bbi_account *acct, uint64_t base_lsn, struct bbi_memtable **out,
                        struct bb_error *err) BB_CHECKED;

/** Take another reference; returns mt. Thread  any. */
struct bbi_memtable *bbi_memtable_ref(struct bbi_memtable *mt);

/** Drop a reference, freeing the memtable with the last; *mt may be NULL and is nulled. Thread
 * any. */
void bbi_memtable_unref(struct bbi_memtable **mt);

/* ---- writing: under the engine's write lock ---- */

/**
 * Allocate everything that applying this batch takes.
 *
 * batch   must stay unchanged until applied; every point has at least one cell
 * Returns BB_OK, BB_ENOMEM. Rows are the same afterwards either way. A batch that was prepared need
 * not be applied: the next prepare forgets it.
 */
int bbi_memtable_prepare(struct bbi_memtable *mt, const struct bbi_batch *batch,
                         struct bb_error *err) BB_CHECKED;

/** Add the rows of the batch prepared last. lsn: a multiple of 8, above base_lsn and within its
 * span, not below that of any batch before. */
void bbi_memtable_apply(struct bbi_memtable *mt, const struct bbi_batch *batch, uint64_t lsn);

/* ---- what is there; Thread  any ---- */

uint64_t bbi_memtable_base_lsn(const struct bbi_memtable *mt);

/** LSN of the last batch applied; base_lsn when there is none. */
uint64_t bbi_memtable_last_lsn(const struct bbi_memtable *mt);

/** Memory held, bytes. */
uint64_t bbi_memtable_bytes(const struct bbi_memtable *mt);

/** Values (rows times fields), superseded ones too. */
uint64_t bbi_memtable_values(const struct bbi_memtable *mt);

/** NULL: nothing was ever written there. Valid as long as a reference is held. */
const struct bbi_memspace *bbi_memtable_space(const struct bbi_memtable *mt, uint32_t db_id,
                                              uint32_t rp_id);

/** All spaces: pass NULL for the first, the last one for the next; NULL at the end. */
const struct bbi_memspace *bbi_memtable_next_space(const struct bbi_memtable *mt,
                                                   const struct bbi_memspace *space);

/** Of a space; the times are meaningless while value_count is 0. */
struct bbi_memspace_info {
    uint32_t db_id;
    uint32_t rp_id;
    int64_t tmin; /* inclusive; no row lies outside */
    int64_t tmax;
    uint64_t point_count;
    uint64_t value_count;
    uint64_t series_count; /* those of a batch prepared and not yet applied too */
};

void bbi_memspace_info(const struct bbi_memspace *space, struct bbi_memspace_info *info);

struct bbi_memseries {
    uint32_t measurement_id;
    uint32_t series_id;
};

/**
 * The series of a space, sorted by (measurement_id, series_id).
 *
 * out     out: [*count], the caller's to bbi_mem_free; charged to acct
 */
int bbi_memspace_series(const struct bbi_memspace *space, struct bbi_account *acct,
                        struct bbi_memseries **out, size_t *count, struct bb_error *err) BB_CHECKED;

/** False: the series has no row. Else no row of it lies outside [*tmin, *tmax], visible or not. */
bool bbi_memspace_series_range(const struct bbi_memspace *space, uint32_t series_id, int64_t *tmin,
                               int64_t *tmax);

/** The LSN of the last row of the series that was applied; 0: there is none. Thread  the caller
 * holds the engine's write lock. */
uint64_t bbi_memspace_series_lsn(const struct bbi_memspace *space, uint32_t series_id);

struct bbi_memfield {
    uint32_t field_id;
    uint8_t type;       /* enum bbi_type */
    uint32_t row_count; /* superseded and not yet visible ones too */
    int64_t tmin;       /* no row lies outside */
    int64_t tmax;
};

/** Write up to cap fields of a series, in no particular order. Returns how many there
 * are, which may be more than cap; 0 without the series. */
size_t bbi_memspace_fields(const struct bbi_memspace *space, uint32_t series_id,
                           struct bbi_memfield *out, size_t cap);

/* ---- reading; Thread  any, each with its own struct ---- */

/** A string value, borrowed from the memtable. */
struct bbi_memstr {
    const uint8_t *ptr;
    uint32_t len;
};

/** The string that a value of a string field stands for. */
struct bbi_memstr bbi_memtable_str(uint64_t bits);

/** Rows of one field. The arrays are reused from one read to the next and grow on acct. */
struct bbi_memrows {
    uint32_t field_id;
    uint8_t type;   /* enum bbi_type */
    size_t count;   /* of each array */
    int64_t *times; /* strictly rising */
    uint64_t *bits; /* values; of a string field for bbi_memtable_str */
    uint64_t *lsns; /* of the batch that wrote the value */
    size_t cap;
    void *scratch; /* the reader's own */
    size_t scratch_bytes;
    struct bbi_account *acct;
};

void bbi_memrows_init(struct bbi_memrows *rows, struct bbi_account *acct);
void bbi_memrows_fini(struct bbi_memrows *rows);

/**
 * The rows of one field with tmin <= time <= tmax, sorted by time, the newest of each time.
 *
 * visible_lsn  rows above are not there, nor hide what they replace
 * rows         out; count 0 when the series or the field is absent
 * Returns BB_OK, BB_ENOMEM (rows->count is 0).
 */
int bbi_memspace_read(const struct bbi_memspace *space, uint32_t series_id, uint32_t field_id,
                      int64_t tmin, int64_t tmax, uint64_t visible_lsn, struct bbi_memrows *rows,
                      struct bb_error *err) BB_CHECKED;

/** One field of a merged series; arrays run over the times of the series, and may be written to
 * until the next read. */
struct bbi_memcolumn {
    uint32_t field_id;
    uint8_t type; /* enum bbi_type */
    size_t valid_count;
    uint64_t *bits; /* 0 where there is no value */
    uint64_t *lsns; /* 0 where there is no value */
    uint8_t *valid; /* bitmap, bit i & 7 of byte i / 8; bits behind the last time are 0 */
};

/** All fields of one series over the union of their times; reused from one read to the next. */
struct bbi_memmerge {
    size_t count;                  /* times */
    int64_t *times;                /* strictly rising */
    size_t column_count;           /* fields with at least one value, by field_id */
    struct bbi_memcolumn *columns; /* [column_count] */
    bool more;                     /* max_cells cut it short: rows behind the last time are left */
    size_t max_cells;              /* set by the caller: most columns times times; 0: no limit */
    struct bbi_memmerge_state *state; /* the reader's own */
    struct bbi_account *acct;
};

void bbi_memmerge_init(struct bbi_memmerge *merge, struct bbi_account *acct);
void bbi_memmerge_fini(struct bbi_memmerge *merge);

/**
 * All rows of a series with tmin <= time <= tmax, fields side by side.
 *
 * Memory is the number of fields that have a row times that of times; max_cells bounds it, so that
 * a series of many fields, each with times of its own, comes in parts: while `more`, read again
 * from behind the last time. A part has at least one time.
 * Returns BB_OK (count 0: nothing there), BB_ENOMEM (count 0).
 */
int bbi_memspace_read_series(const struct bbi_memspace *space, uint32_t series_id, int64_t tmin,
                             int64_t tmax, uint64_t visible_lsn, struct bbi_memmerge *merge,
                             struct bb_error *err) BB_CHECKED;

#endif
