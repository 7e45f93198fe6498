/* distinct and count(distinct): a set of a window's values, each with the time of its first point.
 */
#include <math.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/hash.h"
#include "engine/query/fn_internal.h"

struct entry {
    struct bb_value value;
    int64_t time_ns;
};

struct distinct {
    struct bbi_fn base;
    struct entry *list;
    size_t count;
    size_t cap;
    size_t *slots; /* [slot_count] index into list + 1; 0: free */
    size_t slot_count;
    struct bbi_arena strings;
    void **order; /* [count] after finish */
    size_t next;
};

static int distinct_init(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    bbi_arena_init(&BBI_FN_SELF(struct distinct, fn)->strings, fn->spec.acct);
    return BB_OK;
}

static void distinct_reset(struct bbi_fn *fn)
{
    struct distinct *d = BBI_FN_SELF(struct distinct, fn);
    bbi_mem_free(d->order);
    d->order = NULL;
    d->next = 0;
    d->count = 0;
    if (d->slots != NULL) {
        memset(d->slots, 0, d->slot_count * sizeof(d->slots[0]));
    }
    bbi_arena_reset(&d->strings);
}

static void distinct_fini(struct bbi_fn *fn)
{
    struct distinct *d = BBI_FN_SELF(struct distinct, fn);
    bbi_mem_free(d->order);
    bbi_mem_free(d->list);
    bbi_mem_free(d->slots);
    bbi_arena_fini(&d->strings);
}

static uint64_t hash_of(const struct distinct *d, const struct bb_value *v)
{
    if (v->kind == BB_VALUE_STRING) {
        return bbi_hash64_seed(v->v.str, v->length, d->base.spec.seed);
    }
    struct bb_value plain = bbi_fn_plain_zero(*v);
    uint64_t bits = v->kind == BB_VALUE_BOOL ? v->v.b : plain.v.u;
    return bbi_hash64_seed(&bits, sizeof(bits), d->base.spec.seed);
}

/* As in InfluxDB no NaN equals another. */
static bool same(const struct bb_value *a, const struct bb_value *b)
{
    if (a->kind == BB_VALUE_FLOAT) {
        return a->v.f == b->v.f;
    }
    return bbi_fn_compare(a, b) == 0;
}

/* Where the value is, or the slot where it would go. */
static size_t *find(const struct distinct *d, const struct bb_value *v)
{
    size_t at = (size_t)hash_of(d, v) & (d->slot_count - 1);
    while (d->slots[at] != 0 && !same(&d->list[d->slots[at] - 1].value, v)) {
        at = (at + 1) & (d->slot_count - 1);
    }
    return &d->slots[at];
}

static int grow_slots(struct distinct *d, struct bb_error *err)
{
    size_t count = d->slot_count == 0 ? 64 : d->slot_count * 2;
    size_t *slots = bbi_mem_zalloc(d->base.spec.acct, count, sizeof(slots[0]));
    if (slots == NULL) {
        return bbi_error_nomem(err, "distinct");
    }
    bbi_mem_free(d->slots);
    d->slots = slots;
    d->slot_count = count;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < d->count; i++) {
        *find(d, &d->list[i].value) = i + 1;
        rc = bbi_fn_step(&d->base, i, err);
    }
    return rc;
}

static int distinct_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct distinct *d = BBI_FN_SELF(struct distinct, fn);
    int rc = BB_OK;
    if (d->count >= d->slot_count / 2) {
        rc = grow_slots(d, err);
    }
    if (rc == BB_OK) {
        rc = bbi_fn_grow(fn, &d->list, d->count, &d->cap, sizeof(d->list[0]), err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    size_t *slot = find(d, &point->value);
    if (*slot != 0) {
        return BB_OK;
    }
    struct entry *e = &d->list[d->count];
    *e = (struct entry){bbi_fn_plain_zero(point->value), point->time_ns};
    if (e->value.kind == BB_VALUE_STRING) {
        e->value.v.str = bbi_arena_dup(&d->strings, point->value.v.str, point->value.length);
        if (e->value.v.str == NULL) {
            return bbi_error_nomem(err, "distinct");
        }
    }
    *slot = ++d->count;
    return BB_OK;
}

/* By the time of the first point, in the order of the query; at one time by value. */
static int by_time_and_value(const void *a, const void *b, const void *arg)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int c = (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
    if (c != 0) {
        return *(const bool *)arg ? -c : c;
    }
    return bbi_fn_compare(&x->value, &y->value);
}

static int distinct_finish(struct bbi_fn *fn, struct bb_error *err)
{
    struct distinct *d = BBI_FN_SELF(struct distinct, fn);
    if (fn->spec.count_distinct) {
        bbi_fn_put_timeless(fn, bbi_value_int((int64_t)d->count));
        return BB_OK;
    }
    bbi_mem_free(d->order);
    d->next = 0;
    d->order = bbi_mem_zalloc(fn->spec.acct, d->count, sizeof(d->order[0]));
    if (d->order == NULL) {
        return bbi_error_nomem(err, "distinct");
    }
    for (size_t i = 0; i < d->count; i++) {
        d->order[i] = &d->list[i];
    }
    return bbi_fn_sort(fn, d->order, d->count, by_time_and_value, &fn->spec.descending, err);
}

static bool distinct_next(struct bbi_fn *fn, struct bbi_fn_point *out)
{
    struct distinct *d = BBI_FN_SELF(struct distinct, fn);
    if (d->order == NULL || d->next >= d->count) {
        return false;
    }
    const struct entry *e = d->order[d->next++];
    *out = (struct bbi_fn_point){.time_ns = e->time_ns, .value = e->value};
    return true;
}

const struct bbi_fn_ops bbi_fn_distinct_ops = {.size = sizeof(struct distinct),
                                               .init = distinct_init,
                                               .push = distinct_push,
                                               .finish = distinct_finish,
                                               .next = distinct_next,
                                               .reset = distinct_reset,
                                               .fini = distinct_fini};
