#include "engine/query/state.h"

#include <string.h>

static uint32_t place(size_t *at, size_t bytes)
{
    uint32_t here = (uint32_t)*at;
    *at += bytes;
    return here;
}

void bbi_state_layout_init(struct bbi_state_layout *layout)
{
    size_t at = 0;
    /* Sums first: they are the ones that want 16-byte alignment. */
    for (size_t i = 0; i < layout->field_count; i++) {
        struct bbi_state_field *f = &layout->fields[i];
        if ((f->needs & BBI_NEED_SUM) != 0) {
            f->sum_at = place(&at,
                              f->type == BBI_FLOAT ? sizeof(struct bbi_sum) : sizeof(__int128));
        }
    }
    for (size_t i = 0; i < layout->field_count; i++) {
        struct bbi_state_field *f = &layout->fields[i];
        f->count_at = place(&at, sizeof(uint64_t));
        if ((f->needs & BBI_NEED_MIN) != 0) {
            f->min_at = place(&at, sizeof(struct bbi_state_point));
        }
        if ((f->needs & BBI_NEED_MAX) != 0) {
            f->max_at = place(&at, sizeof(struct bbi_state_point));
        }
        if ((f->needs & BBI_NEED_FIRST) != 0) {
            f->first_at = place(&at, sizeof(struct bbi_state_point));
        }
        if ((f->needs & BBI_NEED_LAST) != 0) {
            f->last_at = place(&at, sizeof(struct bbi_state_point));
        }
        if ((f->needs & BBI_NEED_SKETCH) != 0) {
            f->sketch_at = place(&at, sizeof(struct bbi_sketch));
        }
    }
    layout->cell_bytes = (at + 15) & ~(size_t)15;
}

static double as_double(uint64_t bits)
{
    double f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

static int compare_strings(uint64_t a, uint64_t b)
{
    const struct bbi_string *x = (const struct bbi_string *)(uintptr_t)a;
    const struct bbi_string *y = (const struct bbi_string *)(uintptr_t)b;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = n == 0 ? 0 : memcmp(x->ptr, y->ptr, n);
    return c != 0 ? (c > 0) - (c < 0) : (x->len > y->len) - (x->len < y->len);
}

int bbi_state_compare(enum bbi_type type, uint64_t a, uint64_t b)
{
    switch (type) {
    case BBI_FLOAT: {
        double x = as_double(a);
        double y = as_double(b);
        return (x > y) - (x < y);
    }
    case BBI_INT:
        return ((int64_t)a > (int64_t)b) - ((int64_t)a < (int64_t)b);
    case BBI_STRING:
        return compare_strings(a, b);
    default:
        return (a > b) - (a < b);
    }
}

/* Of values that are equal, which one stands for both: the earlier, then the lower series. */
static bool is_before(const struct bbi_state_point *a, const struct bbi_state_point *b)
{
    return a->time != b->time ? a->time < b->time : a->series_at < b->series_at;
}

void bbi_state_offer_extreme(struct bbi_state_point *p, enum bbi_type type, bool want_max,
                             const struct bbi_state_point *value)
{
    if (!value->set) {
        return;
    }
    int c = p->set ? bbi_state_compare(type, value->bits, p->bits) : 1;
    c = p->set && !want_max ? -c : c;
    if (c > 0 || (c == 0 && is_before(value, p))) {
        *p = *value;
    }
}

void bbi_state_offer_end(struct bbi_state_point *p, enum bbi_type type, bool want_last,
                         const struct bbi_state_point *value)
{
    if (!value->set) {
        return;
    }
    bool take = !p->set;
    if (!take && value->time != p->time) {
        take = (value->time > p->time) == want_last;
    } else if (!take) {
        int c = bbi_state_compare(type, value->bits, p->bits);
        c = type == BBI_BOOL && !want_last ? -c : c;
        take = c > 0 || (c == 0 && value->series_at < p->series_at);
    }
    if (take) {
        *p = *value;
    }
}

/* ---- rows ---- */

static bool has(const uint64_t *valid, size_t row)
{
    return valid == NULL || (valid[row / 64] >> (row % 64) & 1) != 0;
}

static size_t count_valid(const uint64_t *valid, size_t from, size_t to)
{
    size_t count = 0;
    if (valid == NULL) {
        return to - from;
    }
    for (size_t row = from; row < to;) {
        size_t bit = row % 64;
        size_t n = to - row < 64 - bit ? to - row : 64 - bit;
        uint64_t word = valid[row / 64] >> bit;
        word = n < 64 ? word & ((UINT64_C(1) << n) - 1) : word;
        count += (size_t)__builtin_popcountll(word);
        row += n;
    }
    return count;
}

static int sum_floats(struct bbi_sum *sum, const uint64_t *bits, const uint64_t *valid, size_t from,
                      size_t to, struct bb_error *err)
{
    for (size_t i = from; i < to; i++) {
        if (has(valid, i) && bbi_sum_add(sum, as_double(bits[i])) != BB_OK) {
            return bbi_error_nomem(err, "sum");
        }
    }
    return BB_OK;
}

static void sum_integers(__int128 *sum, enum bbi_type type, const uint64_t *bits,
                         const uint64_t *valid, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (has(valid, i)) {
            *sum += type == BBI_INT ? (__int128)(int64_t)bits[i] : (__int128)bits[i];
        }
    }
}

static double number_of(enum bbi_type type, uint64_t bits)
{
    return type == BBI_FLOAT ? as_double(bits)
           : type == BBI_INT ? (double)(int64_t)bits
                             : (double)bits;
}

static int sketch_rows(struct bbi_sketch *sketch, enum bbi_type type, const uint64_t *bits,
                       const uint64_t *valid, size_t from, size_t to, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = from; rc == BB_OK && i < to; i++) {
        if (has(valid, i)) {
            rc = bbi_sketch_add(sketch, number_of(type, bits[i]), err);
        }
    }
    return rc;
}

/* The first row of the smallest (largest) value among those that are there; `to`: none. */
static size_t find_extreme(enum bbi_type type, bool want_max, const uint64_t *bits,
                           const uint64_t *valid, size_t from, size_t to)
{
    size_t best = to;
    for (size_t i = from; i < to; i++) {
        if (!has(valid, i)) {
            continue;
        }
        int c = best == to ? 1 : bbi_state_compare(type, bits[i], bits[best]);
        if (best == to || (want_max ? c > 0 : c < 0)) {
            best = i;
        }
    }
    return best;
}

static size_t find_end(bool want_last, const uint64_t *valid, size_t from, size_t to)
{
    for (size_t i = 0; i < to - from; i++) {
        size_t row = want_last ? to - 1 - i : from + i;
        if (has(valid, row)) {
            return row;
        }
    }
    return to;
}

static struct bbi_state_point point_of(const uint64_t *bits, const int64_t *times, size_t row,
                                       uint32_t series_at)
{
    return (struct bbi_state_point){bits[row], times == NULL ? 0 : times[row], series_at, 1};
}

int bbi_state_add_rows(void *cell, const struct bbi_state_field *f, const uint64_t *bits,
                       const int64_t *times, const uint64_t *valid, size_t from, size_t to,
                       uint32_t series_at, struct bbi_account *acct, struct bb_error *err)
{
    size_t count = count_valid(valid, from, to);
    if (count == 0) {
        return BB_OK;
    }
    *bbi_state_count(cell, f) += count;
    int rc = BB_OK;
    if ((f->needs & BBI_NEED_SUM) != 0 && f->type == BBI_FLOAT) {
        rc = sum_floats(bbi_state_float_sum(cell, f, acct), bits, valid, from, to, err);
    } else if ((f->needs & BBI_NEED_SUM) != 0) {
        sum_integers(&bbi_state_sum(cell, f)->i, f->type, bits, valid, from, to);
    }
    if (rc == BB_OK && (f->needs & BBI_NEED_SKETCH) != 0) {
        rc = sketch_rows(bbi_state_sketch(cell, f, acct), f->type, bits, valid, from, to, err);
    }
    for (int want_max = 0; want_max < 2; want_max++) {
        if ((f->needs & (want_max ? BBI_NEED_MAX : BBI_NEED_MIN)) != 0) {
            size_t row = find_extreme(f->type, want_max != 0, bits, valid, from, to);
            struct bbi_state_point value = point_of(bits, times, row, series_at);
            bbi_state_offer_extreme(want_max ? bbi_state_max(cell, f) : bbi_state_min(cell, f),
                                    f->type, want_max != 0, &value);
        }
    }
    for (int want_last = 0; want_last < 2; want_last++) {
        if ((f->needs & (want_last ? BBI_NEED_LAST : BBI_NEED_FIRST)) != 0) {
            size_t row = find_end(want_last != 0, valid, from, to);
            struct bbi_state_point value = point_of(bits, times, row, series_at);
            bbi_state_offer_end(want_last ? bbi_state_last(cell, f) : bbi_state_first(cell, f),
                                f->type, want_last != 0, &value);
        }
    }
    return rc;
}

int bbi_state_add_strings(void *cell, const struct bbi_state_field *f,
                          const struct bbi_string *strs, const int64_t *times,
                          const uint64_t *valid, size_t from, size_t to, uint32_t series_at,
                          bbi_state_copy_fn copy, void *arg, struct bb_error *err)
{
    size_t count = count_valid(valid, from, to);
    if (count == 0) {
        return BB_OK;
    }
    *bbi_state_count(cell, f) += count;
    for (int want_last = 0; want_last < 2; want_last++) {
        if ((f->needs & (want_last ? BBI_NEED_LAST : BBI_NEED_FIRST)) == 0) {
            continue;
        }
        struct bbi_state_point *p = want_last ? bbi_state_last(cell, f) : bbi_state_first(cell, f);
        size_t row = find_end(want_last != 0, valid, from, to);
        struct bbi_state_point before = *p;
        struct bbi_state_point value = {(uint64_t)(uintptr_t)&strs[row], times[row], series_at, 1};
        bbi_state_offer_end(p, BBI_STRING, want_last != 0, &value);
        if (p->bits == value.bits && (!before.set || before.bits != p->bits)) {
            p->bits = (uint64_t)(uintptr_t)copy(arg, &strs[row]);
            if (p->bits == 0) {
                *p = before;
                return bbi_error_nomem(err, "strings");
            }
        }
    }
    return BB_OK;
}

/* ---- merging ---- */

static int merge_field(const struct bbi_state_field *f, void *dst, void *src,
                       struct bbi_account *acct, struct bb_error *err)
{
    *bbi_state_count(dst, f) += *bbi_state_count(src, f);
    if ((f->needs & BBI_NEED_SUM) != 0 && f->type == BBI_FLOAT) {
        if (bbi_sum_merge(bbi_state_float_sum(dst, f, acct), &bbi_state_sum(src, f)->f) != BB_OK) {
            return bbi_error_nomem(err, "sum");
        }
    } else if ((f->needs & BBI_NEED_SUM) != 0) {
        bbi_state_sum(dst, f)->i += bbi_state_sum(src, f)->i;
    }
    if ((f->needs & BBI_NEED_MIN) != 0) {
        bbi_state_offer_extreme(bbi_state_min(dst, f), f->type, false, bbi_state_min(src, f));
    }
    if ((f->needs & BBI_NEED_MAX) != 0) {
        bbi_state_offer_extreme(bbi_state_max(dst, f), f->type, true, bbi_state_max(src, f));
    }
    if ((f->needs & BBI_NEED_FIRST) != 0) {
        bbi_state_offer_end(bbi_state_first(dst, f), f->type, false, bbi_state_first(src, f));
    }
    if ((f->needs & BBI_NEED_LAST) != 0) {
        bbi_state_offer_end(bbi_state_last(dst, f), f->type, true, bbi_state_last(src, f));
    }
    if ((f->needs & BBI_NEED_SKETCH) != 0) {
        return bbi_sketch_merge(bbi_state_sketch(dst, f, acct), bbi_state_sketch(src, f, acct),
                                err);
    }
    return BB_OK;
}

int bbi_state_merge(const struct bbi_state_layout *layout, void *dst, void *src,
                    struct bbi_account *acct, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < layout->field_count; i++) {
        if (*bbi_state_count(src, &layout->fields[i]) != 0) {
            rc = merge_field(&layout->fields[i], dst, src, acct, err);
        }
    }
    return rc;
}

void bbi_state_fini(const struct bbi_state_layout *layout, void *cell)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct bbi_state_field *f = &layout->fields[i];
        if ((f->needs & BBI_NEED_SUM) != 0 && f->type == BBI_FLOAT) {
            bbi_sum_fini(&bbi_state_sum(cell, f)->f);
        }
        if ((f->needs & BBI_NEED_SKETCH) != 0) {
            bbi_sketch_fini(BBI_STATE_PART(cell, f->sketch_at, struct bbi_sketch));
        }
    }
}
