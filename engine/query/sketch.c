#include "engine/query/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 32

void bbi_sketch_fini(struct bbi_sketch *s)
{
    bbi_mem_free(s->keys);
    bbi_mem_free(s->counts);
    *s = (struct bbi_sketch){.acct = s->acct};
}

void bbi_sketch_reset(struct bbi_sketch *s)
{
    struct bbi_sketch empty = {
        .acct = s->acct, .keys = s->keys, .counts = s->counts, .slot_count = s->slot_count};
    if (s->bin_count > 0) {
        memset(s->counts, 0, s->slot_count * sizeof(s->counts[0]));
    }
    *s = empty;
}

/* ---- bins ---- */

/* The bin of a positive number before any joining: edges are powers of the base, the upper one
 * belongs to the bin. */
static int32_t bin_of(double size)
{
    return (int32_t)ceil(log(size) / BBI_SKETCH_LOG_BASE);
}

/* Which bin it becomes: half of its number, rounded up, `times` times. */
static int32_t joined(int32_t bin, uint32_t times)
{
    int64_t unit = INT64_C(1) << times;
    int64_t n = bin;
    return (int32_t)(n >= 0 ? (n + unit - 1) / unit : -(-n / unit));
}

static int32_t key_joined(int32_t key, uint32_t times)
{
    int32_t sign = key & 1;
    return joined((key - sign) / 2, times) * 2 + sign;
}

static uint32_t slot_of(const int32_t *keys, const uint64_t *counts, uint32_t slot_count,
                        int32_t key)
{
    uint32_t at = ((uint32_t)key * UINT32_C(0x9e3779b1)) >> 8 & (slot_count - 1);
    while (counts[at] != 0 && keys[at] != key) {
        at = (at + 1) & (slot_count - 1);
    }
    return at;
}

/* Move all bins to a table of so many slots, joined so many times. */
static int rebuild(struct bbi_sketch *s, uint32_t slot_count, uint32_t times, struct bb_error *err)
{
    int32_t *keys = bbi_mem_zalloc(s->acct, slot_count, sizeof(keys[0]));
    uint64_t *counts = bbi_mem_zalloc(s->acct, slot_count, sizeof(counts[0]));
    if (keys == NULL || counts == NULL) {
        bbi_mem_free(keys);
        bbi_mem_free(counts);
        return bbi_error_nomem(err, "sketch");
    }
    s->bin_count = 0;
    for (uint32_t i = 0; i < s->slot_count; i++) {
        if (s->counts[i] != 0) {
            int32_t key = key_joined(s->keys[i], times);
            uint32_t at = slot_of(keys, counts, slot_count, key);
            s->bin_count += counts[at] == 0;
            keys[at] = key;
            counts[at] += s->counts[i];
        }
    }
    bbi_mem_free(s->keys);
    bbi_mem_free(s->counts);
    s->keys = keys;
    s->counts = counts;
    s->slot_count = slot_count;
    s->level += times;
    return BB_OK;
}

/* Count into a bin of the sketch's level. */
static int add_bin(struct bbi_sketch *s, int32_t key, uint64_t count, struct bb_error *err)
{
    if (s->slot_count == 0 || s->bin_count >= s->slot_count / 2) {
        uint32_t slots = s->slot_count == 0 ? SLOTS_MIN : s->slot_count * 2;
        if (s->slot_count < 2 * BBI_SKETCH_BINS) {
            int rc = rebuild(s, slots, 0, err);
            if (rc != BB_OK) {
                return rc;
            }
        }
    }
    uint32_t level = s->level;
    uint32_t at = slot_of(s->keys, s->counts, s->slot_count, key);
    while (s->counts[at] == 0 && s->bin_count == BBI_SKETCH_BINS) {
        int rc = rebuild(s, s->slot_count, 1, err);
        if (rc != BB_OK) {
            return rc;
        }
        at = slot_of(s->keys, s->counts, s->slot_count, key_joined(key, s->level - level));
    }
    s->bin_count += s->counts[at] == 0;
    s->keys[at] = key_joined(key, s->level - level);
    s->counts[at] += count;
    return BB_OK;
}

/* ---- numbers ---- */

int bbi_sketch_add(struct bbi_sketch *s, double value, struct bb_error *err)
{
    if (isnan(value)) {
        return BB_OK;
    }
    if (isinf(value)) {
        s->infinite[value < 0]++;
    } else if (value == 0) {
        s->zeros++;
        value = 0;
    } else {
        int32_t bin = joined(bin_of(fabs(value)), s->level);
        int rc = add_bin(s, bin * 2 + (value < 0), 1, err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    s->min = s->count == 0 || value < s->min ? value : s->min;
    s->max = s->count == 0 || value > s->max ? value : s->max;
    s->count++;
    return BB_OK;
}

int bbi_sketch_merge(struct bbi_sketch *dst, const struct bbi_sketch *src, struct bb_error *err)
{
    int rc = BB_OK;
    if (src->count == 0) {
        return BB_OK;
    }
    if (dst->level < src->level && dst->slot_count > 0) {
        rc = rebuild(dst, dst->slot_count, src->level - dst->level, err);
    }
    dst->level = dst->level < src->level ? src->level : dst->level;
    for (uint32_t i = 0; rc == BB_OK && i < src->slot_count; i++) {
        if (src->counts[i] != 0) {
            rc = add_bin(dst, key_joined(src->keys[i], dst->level - src->level), src->counts[i],
                         err);
        }
    }
    dst->min = dst->count == 0 || src->min < dst->min ? src->min : dst->min;
    dst->max = dst->count == 0 || src->max > dst->max ? src->max : dst->max;
    dst->zeros += src->zeros;
    dst->infinite[0] += src->infinite[0];
    dst->infinite[1] += src->infinite[1];
    dst->count += src->count;
    return rc;
}

/* ---- answers ---- */

struct bin {
    int32_t order; /* of the numbers in it */
    int32_t key;
    uint64_t count;
};

static int by_order(const void *a, const void *b)
{
    const struct bin *x = a;
    const struct bin *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

/* Bins below zero come first, the largest numbers of them ahead. */
#define ORDER_ZERO (INT32_C(1) << 28)

static size_t list_bins(const struct bbi_sketch *s, struct bin *list)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->slot_count; i++) {
        if (s->counts[i] != 0) {
            int32_t number = (s->keys[i] - (s->keys[i] & 1)) / 2;
            bool below = (s->keys[i] & 1) != 0;
            int32_t order = below ? -ORDER_ZERO - number : ORDER_ZERO + number;
            list[n++] = (struct bin){order, s->keys[i], s->counts[i]};
        }
    }
    return n;
}

/* The number that is off by the same part from both edges of the bin. */
static double middle_of(const struct bbi_sketch *s, int32_t key)
{
    double log_base = ldexp(BBI_SKETCH_LOG_BASE, (int)s->level);
    double number = (double)((key - (key & 1)) / 2);
    double size = exp(number * log_base) * (2 / (exp(log_base) + 1));
    double value = (key & 1) != 0 ? -size : size;
    return value < s->min ? s->min : value > s->max ? s->max : value;
}

double bbi_sketch_error(const struct bbi_sketch *s)
{
    return tanh(ldexp(BBI_SKETCH_LOG_BASE, (int)s->level) / 2);
}

/* Answer those ranks that lie below `end`. */
static size_t answer(const uint64_t *ranks, size_t count, size_t done, uint64_t end, double value,
                     double *out)
{
    while (done < count && ranks[done] < end) {
        out[done++] = value;
    }
    return done;
}

int bbi_sketch_ranks(const struct bbi_sketch *s, const uint64_t *ranks, size_t count, double *out,
                     struct bb_error *err)
{
    struct bin *list = bbi_mem_zalloc(s->acct, s->bin_count + 1, sizeof(list[0]));
    if (list == NULL) {
        return bbi_error_nomem(err, "sketch");
    }
    size_t n = list_bins(s, list);
    list[n++] = (struct bin){.order = 0, .count = s->zeros};
    qsort(list, n, sizeof(list[0]), by_order);
    uint64_t end = s->infinite[1];
    size_t done = answer(ranks, count, 0, end, -(double)INFINITY, out);
    for (size_t i = 0; i < n; i++) {
        end += list[i].count;
        double value = list[i].order == 0 ? 0 : middle_of(s, list[i].key);
        done = answer(ranks, count, done, end, value, out);
    }
    (void)answer(ranks, count, done, UINT64_MAX, (double)INFINITY, out);
    for (size_t i = 0; i < count; i++) {
        out[i] = ranks[i] == 0 ? s->min : ranks[i] == s->count - 1 ? s->max : out[i];
    }
    bbi_mem_free(list);
    return BB_OK;
}

int bbi_sketch_percentile(const struct bbi_sketch *s, double percent, double *out,
                          struct bb_error *err)
{
    double place = floor((double)s->count * percent / 100 + 0.5) - 1;
    *out = 0;
    if (s->count == 0) {
        return BB_OK;
    }
    uint64_t rank = !(place >= 0)                     ? 0
                    : place >= (double)(s->count - 1) ? s->count - 1
                                                      : (uint64_t)place;
    return bbi_sketch_ranks(s, &rank, 1, out, err);
}

int bbi_sketch_median(const struct bbi_sketch *s, double *out, struct bb_error *err)
{
    double pair[2];
    *out = 0;
    if (s->count == 0) {
        return BB_OK;
    }
    uint64_t ranks[2] = {(s->count - 1) / 2, s->count / 2};
    int rc = bbi_sketch_ranks(s, ranks, 2, pair, err);
    if (rc == BB_OK) {
        *out = pair[0] == pair[1] ? pair[0] : pair[0] / 2 + pair[1] / 2;
    }
    return rc;
}
