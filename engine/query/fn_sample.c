/* sample: each point of a window is as likely as any other to be among the n; a reservoir. */
#include "engine/query/fn_internal.h"

struct sample {
    struct bbi_fn base;
    struct bbi_fn_kept *list;
    size_t count;     /* points in the reservoir */
    size_t kept_init; /* entries of list that hold memory */
    size_t cap;
    uint64_t pushed;
    uint64_t random;
    void **order;
    size_t next;
};

/* splitmix64 */
static uint64_t draw(struct sample *s)
{
    uint64_t z = (s->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int sample_init(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    BBI_FN_SELF(struct sample, fn)->random = fn->spec.seed;
    return BB_OK;
}

static void sample_reset(struct bbi_fn *fn)
{
    struct sample *s = BBI_FN_SELF(struct sample, fn);
    bbi_mem_free(s->order);
    s->order = NULL;
    s->next = 0;
    s->count = 0;
    s->pushed = 0;
}

static void sample_fini(struct bbi_fn *fn)
{
    struct sample *s = BBI_FN_SELF(struct sample, fn);
    sample_reset(fn);
    for (size_t i = 0; i < s->kept_init; i++) {
        bbi_fn_kept_fini(&s->list[i]);
    }
    bbi_mem_free(s->list);
}

static int sample_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct sample *s = BBI_FN_SELF(struct sample, fn);
    s->pushed++;
    if (s->count < (uint64_t)fn->spec.n) {
        int rc = bbi_fn_grow(fn, &s->list, s->count, &s->cap, sizeof(s->list[0]), err);
        if (rc != BB_OK) {
            return rc;
        }
        if (s->count == s->kept_init) {
            s->list[s->kept_init++] = (struct bbi_fn_kept){0};
        }
        rc = bbi_fn_keep(fn, &s->list[s->count], point, err);
        s->count += rc == BB_OK;
        return rc;
    }
    /* The bias of a remainder of 64 bits is nothing beside what a sample can show. */
    uint64_t at = draw(s) % s->pushed;
    return at < s->count ? bbi_fn_keep(fn, &s->list[at], point, err) : BB_OK;
}

static int by_time_and_value(const void *a, const void *b, const void *arg)
{
    const struct bbi_fn_kept *x = a;
    const struct bbi_fn_kept *y = b;
    int c = (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
    if (c != 0) {
        return *(const bool *)arg ? -c : c;
    }
    return bbi_fn_compare(&x->value, &y->value);
}

static int sample_finish(struct bbi_fn *fn, struct bb_error *err)
{
    struct sample *s = BBI_FN_SELF(struct sample, fn);
    bbi_mem_free(s->order);
    s->next = 0;
    s->order = bbi_mem_zalloc(fn->spec.acct, s->count, sizeof(s->order[0]));
    if (s->order == NULL) {
        return bbi_error_nomem(err, "sample");
    }
    for (size_t i = 0; i < s->count; i++) {
        s->order[i] = &s->list[i];
    }
    return bbi_fn_sort(fn, s->order, s->count, by_time_and_value, &fn->spec.descending, err);
}

static bool sample_next(struct bbi_fn *fn, struct bbi_fn_point *out)
{
    struct sample *s = BBI_FN_SELF(struct sample, fn);
    if (s->order == NULL || s->next >= s->count) {
        return false;
    }
    *out = bbi_fn_kept_point(s->order[s->next++]);
    return true;
}

const struct bbi_fn_ops bbi_fn_sample_ops = {.size = sizeof(struct sample),
                                             .init = sample_init,
                                             .push = sample_push,
                                             .finish = sample_finish,
                                             .next = sample_next,
                                             .reset = sample_reset,
                                             .fini = sample_fini};
