/*
 * top and bottom: the n best points of a window, in a heap whose root is the worst of them; with
 * tags, first the best point of each combination of tags.
 *
 * Of equal values the earlier point is better. Which of two points of one value and time stays, and
 * in which order they come out, follows InfluxDB: the heap is worked as Go's container/heap does.
 */
#include <math.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/query/fn_internal.h"

struct top {
    struct bbi_fn base;
    struct bbi_fn_kept *list; /* kept points, for use by the heap or by combination */
    size_t count;
    size_t kept_init; /* entries of list that hold memory */
    size_t cap;
    size_t *heap; /* indexes into list */
    size_t heap_count;
    size_t heap_cap;
    size_t *slots; /* of combinations: [slot_count] index into list + 1; 0: free */
    size_t slot_count;
    void **order;
    size_t next;
};

static void top_reset(struct bbi_fn *fn)
{
    struct top *t = BBI_FN_SELF(struct top, fn);
    bbi_mem_free(t->order);
    t->order = NULL;
    t->next = 0;
    t->count = 0;
    t->heap_count = 0;
    if (t->slots != NULL) {
        memset(t->slots, 0, t->slot_count * sizeof(t->slots[0]));
    }
}

static void top_fini(struct bbi_fn *fn)
{
    struct top *t = BBI_FN_SELF(struct top, fn);
    top_reset(fn);
    for (size_t i = 0; i < t->kept_init; i++) {
        bbi_fn_kept_fini(&t->list[i]);
    }
    bbi_mem_free(t->list);
    bbi_mem_free(t->heap);
    bbi_mem_free(t->slots);
}

/* ---- the heap ---- */

static bool worse(const struct top *t, const struct bb_value *a, int64_t a_ns,
                  const struct bb_value *b, int64_t b_ns)
{
    int c = bbi_fn_compare(a, b);
    if (c == 0 && a_ns == b_ns && t->base.spec.aux_count == 0 && a->kind == BB_VALUE_FLOAT &&
        b->kind == BB_VALUE_FLOAT) {
        c = (signbit(a->v.f) == 0) - (signbit(b->v.f) == 0); /* they may come in any order */
    }
    if (c != 0) {
        return t->base.spec.func == BBI_FUNC_TOP ? c < 0 : c > 0;
    }
    return a_ns > b_ns;
}

static bool is_less(const struct top *t, size_t i, size_t k)
{
    const struct bbi_fn_kept *a = &t->list[t->heap[i]];
    const struct bbi_fn_kept *b = &t->list[t->heap[k]];
    return worse(t, &a->value, a->time_ns, &b->value, b->time_ns);
}

static void swap(struct top *t, size_t i, size_t k)
{
    size_t at = t->heap[i];
    t->heap[i] = t->heap[k];
    t->heap[k] = at;
}

static void sift_up(struct top *t, size_t at)
{
    while (at > 0 && is_less(t, at, (at - 1) / 2)) {
        swap(t, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct top *t, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= t->heap_count) {
            return;
        }
        if (child + 1 < t->heap_count && is_less(t, child + 1, child)) {
            child++;
        }
        if (!is_less(t, child, at)) {
            return;
        }
        swap(t, at, child);
        at = child;
    }
}

/* A fresh entry of the list with a copy of the point. */
static int add_kept(struct top *t, const struct bbi_fn_point *point, struct bb_error *err)
{
    int rc = bbi_fn_grow(&t->base, &t->list, t->count, &t->cap, sizeof(t->list[0]), err);
    if (rc != BB_OK) {
        return rc;
    }
    if (t->count == t->kept_init) {
        t->list[t->kept_init++] = (struct bbi_fn_kept){0};
    }
    rc = bbi_fn_keep(&t->base, &t->list[t->count], point, err);
    t->count += rc == BB_OK;
    return rc;
}

/* Offer an entry of the list. */
static int offer(struct top *t, size_t at, struct bb_error *err)
{
    if (t->heap_count < (uint64_t)t->base.spec.n) {
        int rc = bbi_fn_grow(&t->base, &t->heap, t->heap_count, &t->heap_cap, sizeof(t->heap[0]),
                             err);
        if (rc == BB_OK) {
            t->heap[t->heap_count++] = at;
            sift_up(t, t->heap_count - 1);
        }
        return rc;
    }
    const struct bbi_fn_kept *root = &t->list[t->heap[0]];
    const struct bbi_fn_kept *kept = &t->list[at];
    if (worse(t, &root->value, root->time_ns, &kept->value, kept->time_ns)) {
        t->heap[0] = at;
        sift_down(t, 0);
    }
    return BB_OK;
}

static int push_plain(struct top *t, const struct bbi_fn_point *point, struct bb_error *err)
{
    if (t->heap_count < (uint64_t)t->base.spec.n) {
        int rc = add_kept(t, point, err);
        return rc == BB_OK ? offer(t, t->count - 1, err) : rc;
    }
    struct bbi_fn_kept *root = &t->list[t->heap[0]];
    if (!worse(t, &root->value, root->time_ns, &point->value, point->time_ns)) {
        return BB_OK;
    }
    int rc = bbi_fn_keep(&t->base, root, point, err);
    if (rc == BB_OK) {
        sift_down(t, 0);
    }
    return rc;
}

/* ---- combinations of tags ---- */

static uint64_t hash_tags(const struct top *t, const struct bb_value *tags)
{
    uint64_t hash = t->base.spec.seed;
    for (size_t i = 0; i < t->base.spec.tag_count; i++) {
        bool is_string = tags[i].kind == BB_VALUE_STRING;
        hash = bbi_hash64_seed(is_string ? tags[i].v.str : "", is_string ? tags[i].length : 0,
                               hash + i);
    }
    return hash;
}

/* A tag that is not there and an empty one are the same. */
static bool same_tags(const struct top *t, const struct bb_value *a, const struct bb_value *b)
{
    for (size_t i = 0; i < t->base.spec.tag_count; i++) {
        size_t a_length = a[i].kind == BB_VALUE_STRING ? a[i].length : 0;
        size_t b_length = b[i].kind == BB_VALUE_STRING ? b[i].length : 0;
        if (a_length != b_length ||
            (a_length != 0 && memcmp(a[i].v.str, b[i].v.str, a_length) != 0)) {
            return false;
        }
    }
    return true;
}

static size_t *find(const struct top *t, const struct bb_value *tags)
{
    size_t at = (size_t)hash_tags(t, tags) & (t->slot_count - 1);
    while (t->slots[at] != 0 && !same_tags(t, t->list[t->slots[at] - 1].aux, tags)) {
        at = (at + 1) & (t->slot_count - 1);
    }
    return &t->slots[at];
}

static int grow_slots(struct top *t, struct bb_error *err)
{
    size_t count = t->slot_count == 0 ? 64 : t->slot_count * 2;
    size_t *slots = bbi_mem_zalloc(t->base.spec.acct, count, sizeof(slots[0]));
    if (slots == NULL) {
        return bbi_error_nomem(err, "top");
    }
    bbi_mem_free(t->slots);
    t->slots = slots;
    t->slot_count = count;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < t->count; i++) {
        *find(t, t->list[i].aux) = i + 1;
        rc = bbi_fn_step(&t->base, i, err);
    }
    return rc;
}

/* As max() and min() by these tags: of equal values the earliest. */
static int push_tagged(struct top *t, const struct bbi_fn_point *point, struct bb_error *err)
{
    int rc = t->count >= t->slot_count / 2 ? grow_slots(t, err) : BB_OK;
    if (rc != BB_OK) {
        return rc;
    }
    size_t *slot = find(t, point->aux);
    if (*slot == 0) {
        rc = add_kept(t, point, err);
        *slot = rc == BB_OK ? t->count : 0;
        return rc;
    }
    struct bbi_fn_kept *kept = &t->list[*slot - 1];
    if (worse(t, &kept->value, kept->time_ns, &point->value, point->time_ns)) {
        rc = bbi_fn_keep(&t->base, kept, point, err);
    }
    return rc;
}

static int top_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct top *t = BBI_FN_SELF(struct top, fn);
    return fn->spec.tag_count == 0 ? push_plain(t, point, err) : push_tagged(t, point, err);
}

/* ---- the result ---- */

static int offer_all(struct top *t, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < t->count; i++) {
        rc = offer(t, i, err);
        if (rc == BB_OK) {
            rc = bbi_fn_step(&t->base, i, err);
        }
    }
    return rc;
}

/* The best first. */
static int by_rank(const void *a, const void *b, const void *arg)
{
    const struct top *t = arg;
    const struct bbi_fn_kept *x = a;
    const struct bbi_fn_kept *y = b;
    return (int)worse(t, &x->value, x->time_ns, &y->value, y->time_ns) -
           (int)worse(t, &y->value, y->time_ns, &x->value, x->time_ns);
}

static int top_finish(struct bbi_fn *fn, struct bb_error *err)
{
    struct top *t = BBI_FN_SELF(struct top, fn);
    int rc = fn->spec.tag_count == 0 ? BB_OK : offer_all(t, err);
    bbi_mem_free(t->order);
    t->next = 0;
    t->order = bbi_mem_zalloc(fn->spec.acct, t->heap_count, sizeof(t->order[0]));
    if (t->order == NULL) {
        return bbi_error_nomem(err, "top");
    }
    for (size_t i = 0; i < t->heap_count; i++) {
        t->order[i] = &t->list[t->heap[i]];
    }
    if (rc == BB_OK) {
        rc = bbi_fn_sort(fn, t->order, t->heap_count, by_rank, t, err);
    }
    return rc == BB_OK ? bbi_fn_sort_kept(fn, t->order, t->heap_count, err) : rc;
}

static bool top_next(struct bbi_fn *fn, struct bbi_fn_point *out)
{
    struct top *t = BBI_FN_SELF(struct top, fn);
    if (t->order == NULL || t->next >= t->heap_count) {
        return false;
    }
    *out = bbi_fn_kept_point(t->order[t->next++]);
    return true;
}

const struct bbi_fn_ops bbi_fn_top_ops = {.size = sizeof(struct top),
                                          .push = top_push,
                                          .finish = top_finish,
                                          .next = top_next,
                                          .reset = top_reset,
                                          .fini = top_fini};
