/*
 * mode: the most frequent value of a window. All are kept, sorted at the end, and told by runs.
 *
 * Of values that are equally frequent InfluxDB takes the one whose last point is the earliest to
 * its way of looking: a run displaces the best one when it is not shorter and its first point is
 * not later than the best one's last. A value that comes once never displaces the smallest.
 */
#include "engine/base/arena.h"
#include "engine/query/fn_internal.h"

struct entry {
    struct bb_value value;
    int64_t time_ns;
};

struct mode {
    struct bbi_fn base;
    struct entry *list;
    size_t count;
    size_t cap;
    struct bbi_arena strings;
};

static int mode_init(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    bbi_arena_init(&BBI_FN_SELF(struct mode, fn)->strings, fn->spec.acct);
    return BB_OK;
}

static void mode_fini(struct bbi_fn *fn)
{
    struct mode *m = BBI_FN_SELF(struct mode, fn);
    bbi_mem_free(m->list);
    bbi_arena_fini(&m->strings);
}

static void mode_reset(struct bbi_fn *fn)
{
    struct mode *m = BBI_FN_SELF(struct mode, fn);
    m->count = 0;
    bbi_arena_reset(&m->strings);
}

static int mode_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct mode *m = BBI_FN_SELF(struct mode, fn);
    int rc = bbi_fn_grow(fn, &m->list, m->count, &m->cap, sizeof(m->list[0]), err);
    if (rc != BB_OK) {
        return rc;
    }
    struct entry *e = &m->list[m->count];
    *e = (struct entry){point->value, point->time_ns};
    if (e->value.kind == BB_VALUE_STRING) {
        e->value.v.str = bbi_arena_dup(&m->strings, point->value.v.str, point->value.length);
        if (e->value.v.str == NULL) {
            return bbi_error_nomem(err, "mode");
        }
    }
    m->count++;
    return BB_OK;
}

/* Equal ones by time, as the query goes through it. */
static int by_value(const void *a, const void *b, const void *arg)
{
    const struct entry *x = a;
    const struct entry *y = b;
    const struct bbi_fn_spec *spec = arg;
    int c = bbi_fn_compare(&x->value, &y->value);
    if (c == 0) {
        c = (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
        return spec->descending ? -c : c;
    }
    return c;
}

static const struct entry *best_of(void **order, size_t count)
{
    const struct entry *best = order[0];
    const struct entry *begin = order[0];
    size_t best_length = 0;
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = order[i];
        if (bbi_fn_compare(&e->value, &begin->value) != 0) {
            begin = e;
            length = 1;
            continue;
        }
        length++;
        if (best_length < length || (best_length == length && begin->time_ns <= best->time_ns)) {
            best_length = length;
            best = e;
        }
    }
    return best;
}

static void boolean_finish(struct mode *m)
{
    size_t yes = 0;
    for (size_t i = 0; i < m->count; i++) {
        yes += m->list[i].value.v.b;
    }
    bbi_fn_put_middle(&m->base, m->count, m->list[0].time_ns,
                      bbi_value_bool(yes >= m->count - yes));
}

static int mode_finish(struct bbi_fn *fn, struct bb_error *err)
{
    struct mode *m = BBI_FN_SELF(struct mode, fn);
    if (fn->spec.input == BBI_QL_TYPE_BOOLEAN) {
        boolean_finish(m);
        return BB_OK;
    }
    void **order = bbi_mem_zalloc(fn->spec.acct, m->count, sizeof(order[0]));
    if (order == NULL) {
        return bbi_error_nomem(err, "mode");
    }
    for (size_t i = 0; i < m->count; i++) {
        order[i] = &m->list[i];
    }
    int rc = bbi_fn_sort(fn, order, m->count, by_value, &fn->spec, err);
    if (rc == BB_OK) {
        bbi_fn_put_middle(fn, m->count, m->list[0].time_ns,
                          bbi_fn_plain_zero(best_of(order, m->count)->value));
    }
    bbi_mem_free(order);
    return rc;
}

const struct bbi_fn_ops bbi_fn_mode_ops = {.size = sizeof(struct mode),
                                           .init = mode_init,
                                           .push = mode_push,
                                           .finish = mode_finish,
                                           .reset = mode_reset,
                                           .fini = mode_fini};
