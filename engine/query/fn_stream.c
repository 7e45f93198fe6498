/* Streams over neighbours: derivative, difference, elapsed, moving_average, cumulative_sum. */
#include "engine/base/sum.h"
#include "engine/query/fn_internal.h"

/* ---- derivative, difference, and what is not negative of them ---- */

struct change {
    struct bbi_fn base;
    bool has_last;
    int64_t last_ns;
    struct bb_value last;
};

/* The difference as a double; of unsigned numbers with its sign. */
static double signed_difference(const struct bb_value *a, const struct bb_value *b)
{
    if (a->kind == BB_VALUE_UINT && a->v.u < b->v.u) {
        return -(double)(b->v.u - a->v.u);
    }
    struct bb_value apart = bbi_fn_subtract(a, b);
    return bbi_fn_double(&apart);
}

static void put_change(struct bbi_fn *fn, const struct change *c, const struct bbi_fn_point *point)
{
    bool only_positive = fn->spec.func == BBI_FUNC_NN_DERIVATIVE ||
                         fn->spec.func == BBI_FUNC_NN_DIFFERENCE;
    double apart = signed_difference(&point->value, &c->last);
    if (only_positive && apart < 0) {
        return;
    }
    if (fn->spec.func == BBI_FUNC_DIFFERENCE || fn->spec.func == BBI_FUNC_NN_DIFFERENCE) {
        bbi_fn_put(fn, point->time_ns, bbi_fn_subtract(&point->value, &c->last));
        return;
    }
    /* Wraps as InfluxDB's; of several sources the next time may be an earlier one. */
    double elapsed = (double)(int64_t)((uint64_t)point->time_ns - (uint64_t)c->last_ns);
    if (fn->spec.descending) {
        elapsed = -elapsed;
    }
    bbi_fn_put(fn, point->time_ns, bbi_value_float(apart / (elapsed / (double)fn->spec.unit_ns)));
}

/* Of the points of one time the first counts. */
static int change_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    (void)err;
    struct change *c = BBI_FN_SELF(struct change, fn);
    if (c->has_last && c->last_ns == point->time_ns) {
        return BB_OK;
    }
    if (c->has_last) {
        put_change(fn, c, point);
    }
    c->has_last = true;
    c->last_ns = point->time_ns;
    c->last = point->value;
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_change_ops = {.size = sizeof(struct change), .push = change_push};

/* ---- elapsed ---- */

static int elapsed_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    (void)err;
    struct change *c = BBI_FN_SELF(struct change, fn);
    if (c->has_last) {
        int64_t apart = (int64_t)((uint64_t)point->time_ns - (uint64_t)c->last_ns);
        bbi_fn_put(fn, point->time_ns, bbi_value_int(apart / fn->spec.unit_ns));
    }
    c->has_last = true;
    c->last_ns = point->time_ns;
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_elapsed_ops = {.size = sizeof(struct change), .push = elapsed_push};

/* ---- moving_average ---- */

/* The sum of the window is exact, so nothing of what has left it stays behind. */
struct moving {
    struct bbi_fn base;
    struct bb_value *ring; /* the last values, up to spec.n; grows with them */
    size_t count;
    size_t cap;
    size_t at; /* the oldest, when the ring is full */
    struct bbi_sum floats;
    __int128 integers;
};

static int moving_init(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    bbi_sum_init(&BBI_FN_SELF(struct moving, fn)->floats, fn->spec.acct);
    return BB_OK;
}

static void moving_reset(struct bbi_fn *fn)
{
    struct moving *m = BBI_FN_SELF(struct moving, fn);
    m->count = 0;
    m->at = 0;
    m->integers = 0;
    bbi_sum_reset(&m->floats);
}

static void moving_fini(struct bbi_fn *fn)
{
    struct moving *m = BBI_FN_SELF(struct moving, fn);
    bbi_mem_free(m->ring);
    bbi_sum_fini(&m->floats);
}

static int moving_add(struct moving *m, const struct bb_value *v, bool away, struct bb_error *err)
{
    if (v->kind == BB_VALUE_FLOAT) {
        return bbi_sum_add(&m->floats, away ? -v->v.f : v->v.f) == BB_OK
                   ? BB_OK
                   : bbi_error_nomem(err, "moving_average");
    }
    __int128 wide = v->kind == BB_VALUE_INT ? (__int128)v->v.i : (__int128)v->v.u;
    m->integers += away ? -wide : wide;
    return BB_OK;
}

static int moving_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct moving *m = BBI_FN_SELF(struct moving, fn);
    size_t n = (size_t)fn->spec.n;
    int rc = BB_OK;
    if (m->count < n) {
        rc = bbi_fn_grow(fn, &m->ring, m->count, &m->cap, sizeof(m->ring[0]), err);
        if (rc == BB_OK) {
            m->ring[m->count++] = point->value;
        }
    } else {
        rc = moving_add(m, &m->ring[m->at], true, err);
        m->ring[m->at] = point->value;
        m->at = m->at + 1 == n ? 0 : m->at + 1;
    }
    if (rc == BB_OK) {
        rc = moving_add(m, &point->value, false, err);
    }
    if (rc == BB_OK && m->count == n) {
        double mean = fn->spec.input == BBI_QL_TYPE_FLOAT ? bbi_sum_mean(&m->floats, n)
                                                          : (double)m->integers / (double)n;
        bbi_fn_put(fn, point->time_ns, bbi_value_float(mean));
    }
    return rc;
}

const struct bbi_fn_ops bbi_fn_moving_ops = {.size = sizeof(struct moving),
                                             .init = moving_init,
                                             .push = moving_push,
                                             .reset = moving_reset,
                                             .fini = moving_fini};

/* ---- cumulative_sum ---- */

struct cumulative {
    struct bbi_fn base;
    struct bbi_sum floats;
    uint64_t integers; /* wraps, as in InfluxDB */
};

static int cumulative_init(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    bbi_sum_init(&BBI_FN_SELF(struct cumulative, fn)->floats, fn->spec.acct);
    return BB_OK;
}

static void cumulative_reset(struct bbi_fn *fn)
{
    struct cumulative *c = BBI_FN_SELF(struct cumulative, fn);
    c->integers = 0;
    bbi_sum_reset(&c->floats);
}

static void cumulative_fini(struct bbi_fn *fn)
{
    bbi_sum_fini(&BBI_FN_SELF(struct cumulative, fn)->floats);
}

static int cumulative_push(struct bbi_fn *fn, const struct bbi_fn_point *point,
                           struct bb_error *err)
{
    struct cumulative *c = BBI_FN_SELF(struct cumulative, fn);
    struct bb_value sum = point->value;
    if (sum.kind == BB_VALUE_FLOAT) {
        if (bbi_sum_add(&c->floats, sum.v.f) != BB_OK) {
            return bbi_error_nomem(err, "cumulative_sum");
        }
        sum.v.f = bbi_sum_value(&c->floats);
    } else {
        c->integers += sum.v.u;
        sum.v.u = c->integers;
    }
    bbi_fn_put(fn, point->time_ns, sum);
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_cumulative_ops = {.size = sizeof(struct cumulative),
                                                 .init = cumulative_init,
                                                 .push = cumulative_push,
                                                 .reset = cumulative_reset,
                                                 .fini = cumulative_fini};
