/**
 * The mergeable state of aggregates: of one field in one bucket of one group.
 *
 * A cell holds the states of all fields of a query for one bucket, as bytes of a layout that says
 * what each field needs. All zeros is the empty state. Results do not depend on the order in which
 * values and states come together: sums are exact, of equal extremes the earliest counts, of
 * first/last values at one time the larger (of first booleans false, as in InfluxDB), of equal ones
 * that of the lower series.
 */
#ifndef BBI_QUERY_STATE_H
#define BBI_QUERY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/batch.h"
#include "engine/base/error.h"
#include "engine/base/sum.h"
#include "engine/codec/strings.h"
#include "engine/query/sketch.h"

/** What is kept of a field. Values are counted in any case, but all of them only if COUNT or SUM is
 * asked for, or an extreme: who wants nothing but the ends may leave out the rest. */
enum bbi_state_need {
    BBI_NEED_COUNT = 1,
    BBI_NEED_SUM = 2,
    BBI_NEED_MIN = 4,
    BBI_NEED_MAX = 8,
    BBI_NEED_FIRST = 16,
    BBI_NEED_LAST = 32,
    BBI_NEED_TIMES = 64,  /* when the extremes were */
    BBI_NEED_SKETCH = 128 /* of numbers, for approximate percentiles */
};

/** A value with its place. Of a string, bits is the address of a struct bbi_string. */
struct bbi_state_point {
    uint64_t bits;
    int64_t time;
    uint32_t series_at; /* index into the scan's series */
    uint32_t set;
};

/** The sum of a field: of doubles exact decimals and beyond, of integers exact. */
union bbi_state_sum {
    struct bbi_sum f;
    __int128 i;
};

struct bbi_state_field {
    uint8_t type;  /* enum bbi_type */
    uint8_t needs; /* enum bbi_state_need, or-ed */
    uint32_t count_at;
    uint32_t sum_at;
    uint32_t min_at;
    uint32_t max_at;
    uint32_t first_at;
    uint32_t last_at;
    uint32_t sketch_at;
};

struct bbi_state_layout {
    struct bbi_state_field *fields; /* [field_count] */
    size_t field_count;
    size_t cell_bytes;
};

/** Place the parts; type and needs of the fields are set. */
void bbi_state_layout_init(struct bbi_state_layout *layout);

#define BBI_STATE_PART(cell, at, type) ((type *)(void *)((uint8_t *)(cell) + (at)))

static inline uint64_t *bbi_state_count(void *cell, const struct bbi_state_field *f)
{
    return BBI_STATE_PART(cell, f->count_at, uint64_t);
}

static inline union bbi_state_sum *bbi_state_sum(void *cell, const struct bbi_state_field *f)
{
    return BBI_STATE_PART(cell, f->sum_at, union bbi_state_sum);
}

/** The sum of doubles, ready to be added to on an account. */
static inline struct bbi_sum *bbi_state_float_sum(void *cell, const struct bbi_state_field *f,
                                                  struct bbi_account *acct)
{
    struct bbi_sum *sum = &bbi_state_sum(cell, f)->f;
    sum->acct = acct;
    return sum;
}

/** The sketch, ready to be added to on an account. */
static inline struct bbi_sketch *bbi_state_sketch(void *cell, const struct bbi_state_field *f,
                                                  struct bbi_account *acct)
{
    struct bbi_sketch *sketch = BBI_STATE_PART(cell, f->sketch_at, struct bbi_sketch);
    sketch->acct = acct;
    return sketch;
}

static inline struct bbi_state_point *bbi_state_min(void *cell, const struct bbi_state_field *f)
{
    return BBI_STATE_PART(cell, f->min_at, struct bbi_state_point);
}

static inline struct bbi_state_point *bbi_state_max(void *cell, const struct bbi_state_field *f)
{
    return BBI_STATE_PART(cell, f->max_at, struct bbi_state_point);
}

static inline struct bbi_state_point *bbi_state_first(void *cell, const struct bbi_state_field *f)
{
    return BBI_STATE_PART(cell, f->first_at, struct bbi_state_point);
}

static inline struct bbi_state_point *bbi_state_last(void *cell, const struct bbi_state_field *f)
{
    return BBI_STATE_PART(cell, f->last_at, struct bbi_state_point);
}

/** Less, equal, greater: -1, 0, 1 in the order of the type; -0.0 equals 0.0. */
int bbi_state_compare(enum bbi_type type, uint64_t a, uint64_t b);

/** Offer a value to an extreme (want_max false: the minimum). */
void bbi_state_offer_extreme(struct bbi_state_point *p, enum bbi_type type, bool want_max,
                             const struct bbi_state_point *value);

/** Offer a value to first (want_last false) or last. */
void bbi_state_offer_end(struct bbi_state_point *p, enum bbi_type type, bool want_last,
                         const struct bbi_state_point *value);

/** Add decoded values bits[from, to); valid: bit r of a bitmap, NULL: all are there. */
int bbi_state_add_rows(void *cell, const struct bbi_state_field *f, const uint64_t *bits,
                       const int64_t *times, const uint64_t *valid, size_t from, size_t to,
                       uint32_t series_at, struct bbi_account *acct,
                       struct bb_error *err) BB_CHECKED;

/** The same for strings, of which first and last are copied on acct for good: the caller frees
 * nothing but the account's arena; copy yields the copy's address. */
typedef const struct bbi_string *(*bbi_state_copy_fn)(void *arg, const struct bbi_string *str);
int bbi_state_add_strings(void *cell, const struct bbi_state_field *f,
                          const struct bbi_string *strs, const int64_t *times,
                          const uint64_t *valid, size_t from, size_t to, uint32_t series_at,
                          bbi_state_copy_fn copy, void *arg, struct bb_error *err) BB_CHECKED;

/** dst += src, all fields. Copies of strings are shared. */
int bbi_state_merge(const struct bbi_state_layout *layout, void *dst, void *src,
                    struct bbi_account *acct, struct bb_error *err) BB_CHECKED;

/** Free what the sums and sketches of a cell hold. */
void bbi_state_fini(const struct bbi_state_layout *layout, void *cell);

#endif
