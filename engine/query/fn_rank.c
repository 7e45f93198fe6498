/*
 * Functions of the order of a window's values, which are all kept: median and percentile.
 *
 * A value is kept as a key, an integer in the same order, beside its time. Values that are equal
 * are ranked by time, as the query goes through it, and those of one time in the order in which
 * they came. So the k-th is found without sorting, and without other values of its row it is the
 * same whatever the order.
 */
#include <math.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/query/fn_internal.h"

struct item {
    uint64_t key;
    int64_t time_ns;
    size_t at; /* which it was: of the row's other values */
};

struct rank {
    struct bbi_fn base;
    struct item *items;
    size_t count;
    size_t cap;
    struct bb_value *aux; /* [cap * spec.aux_count], in the order of arrival */
    size_t aux_cap;
    struct bbi_arena strings; /* of aux, begun when the first one comes */
    uint64_t random;
    size_t steps;
};

/* ---- keys ---- */

static uint64_t key_of(const struct bb_value *v)
{
    switch (v->kind) {
    case BB_VALUE_INT:
        return v->v.u ^ (UINT64_C(1) << 63);
    case BB_VALUE_FLOAT: {
        struct bb_value plain = bbi_fn_plain_zero(*v);
        uint64_t bits = plain.v.u;
        return bits >> 63 != 0 ? ~bits : bits | UINT64_C(1) << 63;
    }
    default:
        return v->v.u;
    }
}

static struct bb_value value_of(const struct bbi_fn *fn, uint64_t key)
{
    switch (fn->spec.input) {
    case BBI_QL_TYPE_INTEGER:
        return bbi_value_int((int64_t)(key ^ UINT64_C(1) << 63));
    case BBI_QL_TYPE_FLOAT: {
        struct bb_value v = bbi_value_float(0);
        v.v.u = key >> 63 != 0 ? key ^ UINT64_C(1) << 63 : ~key;
        return v;
    }
    default:
        return bbi_value_uint(key);
    }
}

static bool before(const struct rank *r, const struct item *a, const struct item *b)
{
    if (a->key != b->key) {
        return a->key < b->key;
    }
    if (a->time_ns != b->time_ns) {
        return (a->time_ns < b->time_ns) != r->base.spec.descending;
    }
    return a->at < b->at;
}

/* ---- keeping ---- */

static int rank_init(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    bbi_arena_init(&BBI_FN_SELF(struct rank, fn)->strings, fn->spec.acct);
    return BB_OK;
}

static void rank_fini(struct bbi_fn *fn)
{
    struct rank *r = BBI_FN_SELF(struct rank, fn);
    bbi_mem_free(r->items);
    bbi_mem_free(r->aux);
    bbi_arena_fini(&r->strings);
}

static void rank_reset(struct bbi_fn *fn)
{
    struct rank *r = BBI_FN_SELF(struct rank, fn);
    r->count = 0;
    bbi_arena_reset(&r->strings);
}

/* Only a percentile is a row's value. */
static size_t aux_count(const struct bbi_fn *fn)
{
    return fn->spec.func == BBI_FUNC_PERCENTILE ? fn->spec.aux_count : 0;
}

static int keep_aux(struct rank *r, const struct bb_value *aux, struct bb_error *err)
{
    size_t width = aux_count(&r->base);
    if (width == 0) {
        return BB_OK;
    }
    int rc = bbi_fn_grow(&r->base, &r->aux, r->count, &r->aux_cap, width * sizeof(r->aux[0]), err);
    for (size_t i = 0; rc == BB_OK && i < width; i++) {
        struct bb_value *v = &r->aux[r->count * width + i];
        *v = aux[i];
        if (v->kind == BB_VALUE_STRING) {
            v->v.str = bbi_arena_dup(&r->strings, aux[i].v.str, aux[i].length);
            rc = v->v.str == NULL ? bbi_error_nomem(err, "percentile") : BB_OK;
        }
    }
    return rc;
}

static int rank_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct rank *r = BBI_FN_SELF(struct rank, fn);
    int rc = bbi_fn_grow(fn, &r->items, r->count, &r->cap, sizeof(r->items[0]), err);
    if (rc == BB_OK) {
        rc = keep_aux(r, point->aux, err);
    }
    if (rc == BB_OK) {
        r->items[r->count] = (struct item){key_of(&point->value), point->time_ns, r->count};
        r->count++;
    }
    return rc;
}

/* ---- selecting ---- */

static void swap_items(struct item *a, struct item *b)
{
    struct item copy = *a;
    *a = *b;
    *b = copy;
}

/* Split [low, high) by a pivot; yields where it goes. Items are all different. */
static int partition(struct rank *r, size_t low, size_t high, size_t *at, struct bb_error *err)
{
    struct item *list = r->items;
    size_t left = low;
    size_t right = high - 1;
    int rc = BB_OK;
    /* A generator that nobody outside can see: no order of values makes this slow. */
    r->random = r->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    struct item pivot = list[low + (size_t)((r->random >> 32) % (high - low))];
    while (rc == BB_OK) {
        while (rc == BB_OK && before(r, &list[left], &pivot)) {
            left++;
            rc = bbi_fn_step(&r->base, r->steps++, err);
        }
        while (rc == BB_OK && before(r, &pivot, &list[right])) {
            right--;
            rc = bbi_fn_step(&r->base, r->steps++, err);
        }
        if (left >= right) {
            break;
        }
        swap_items(&list[left], &list[right]);
    }
    *at = left;
    return rc;
}

/* Bring the k-th item to place k, smaller ones before it, larger ones behind. */
static int select_item(struct rank *r, size_t k, struct bb_error *err)
{
    size_t low = 0;
    size_t high = r->count;
    while (high - low > 1) {
        size_t at;
        int rc = partition(r, low, high, &at, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (at == k) {
            break;
        }
        if (at < k) {
            low = at + 1;
        } else {
            high = at;
        }
    }
    return BB_OK;
}

/* ---- median and percentile ---- */

static double middle(struct bb_value low, struct bb_value high)
{
    struct bb_value apart = bbi_fn_subtract(&high, &low);
    return bbi_fn_double(&low) + bbi_fn_double(&apart) / 2;
}

static int median_finish(struct bbi_fn *fn, struct bb_error *err)
{
    struct rank *r = BBI_FN_SELF(struct rank, fn);
    size_t half = r->count / 2;
    int rc = select_item(r, half, err);
    if (rc != BB_OK) {
        return rc;
    }
    struct bb_value high = value_of(fn, r->items[half].key);
    if (r->count % 2 != 0) {
        bbi_fn_put_middle(fn, r->count, r->items[0].time_ns, bbi_value_float(bbi_fn_double(&high)));
        return BB_OK;
    }
    size_t below = 0;
    for (size_t i = 1; i < half; i++) {
        below = before(r, &r->items[below], &r->items[i]) ? i : below;
    }
    bbi_fn_put_timeless(fn, bbi_value_float(middle(value_of(fn, r->items[below].key), high)));
    return BB_OK;
}

/* The nearest rank. */
static int percentile_finish(struct bbi_fn *fn, struct bb_error *err)
{
    struct rank *r = BBI_FN_SELF(struct rank, fn);
    double rank = floor((double)r->count * fn->spec.number / 100.0 + 0.5);
    if (!(rank >= 1) || rank > (double)r->count) {
        return BB_OK;
    }
    size_t k = (size_t)rank - 1;
    int rc = select_item(r, k, err);
    if (rc == BB_OK) {
        const struct item *item = &r->items[k];
        bbi_fn_put(fn, item->time_ns, value_of(fn, item->key));
        fn->out.aux = r->aux == NULL ? NULL : r->aux + item->at * fn->spec.aux_count;
    }
    return rc;
}

static int rank_finish(struct bbi_fn *fn, struct bb_error *err)
{
    return fn->spec.func == BBI_FUNC_MEDIAN ? median_finish(fn, err) : percentile_finish(fn, err);
}

const struct bbi_fn_ops bbi_fn_rank_ops = {.size = sizeof(struct rank),
                                           .init = rank_init,
                                           .push = rank_push,
                                           .finish = rank_finish,
                                           .reset = rank_reset,
                                           .fini = rank_fini};
