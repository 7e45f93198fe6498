/* Reducers whose state does not grow: count, sum, mean, min, max, spread, first, last. */
#include <math.h>

#include "engine/base/sum.h"
#include "engine/query/fn_internal.h"

/* ---- count ---- */

struct counter {
    struct bbi_fn base;
    int64_t count;
};

static int count_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    (void)point;
    (void)err;
    BBI_FN_SELF(struct counter, fn)->count++;
    return BB_OK;
}

static int count_finish(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    bbi_fn_put_timeless(fn, bbi_value_int(BBI_FN_SELF(struct counter, fn)->count));
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_count_ops = {
    .size = sizeof(struct counter), .push = count_push, .finish = count_finish};

/* ---- sum and mean ---- */

struct adder {
    struct bbi_fn base;
    struct bbi_sum floats;
    __int128 integers;
    uint64_t count;
};

static int adder_init(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    bbi_sum_init(&BBI_FN_SELF(struct adder, fn)->floats, fn->spec.acct);
    return BB_OK;
}

static void adder_fini(struct bbi_fn *fn)
{
    bbi_sum_fini(&BBI_FN_SELF(struct adder, fn)->floats);
}

static void adder_reset(struct bbi_fn *fn)
{
    struct adder *a = BBI_FN_SELF(struct adder, fn);
    bbi_sum_reset(&a->floats);
    a->integers = 0;
    a->count = 0;
}

static int adder_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct adder *a = BBI_FN_SELF(struct adder, fn);
    a->count++;
    if (point->value.kind == BB_VALUE_FLOAT) {
        return bbi_sum_add(&a->floats, point->value.v.f) == BB_OK ? BB_OK
                                                                  : bbi_error_nomem(err, "sum");
    }
    a->integers += point->value.kind == BB_VALUE_INT ? (__int128)point->value.v.i
                                                     : (__int128)point->value.v.u;
    return BB_OK;
}

static int sum_finish(struct bbi_fn *fn, struct bb_error *err)
{
    const struct adder *a = BBI_FN_SELF(struct adder, fn);
    if (fn->spec.input == BBI_QL_TYPE_FLOAT) {
        bbi_fn_put_timeless(fn, bbi_value_float(bbi_sum_value(&a->floats)));
    } else if (fn->spec.input == BBI_QL_TYPE_UNSIGNED) {
        if (a->integers > (__int128)UINT64_MAX) {
            return bbi_error_set(err, BB_ERANGE, "sum() is beyond the range of unsigned integers");
        }
        bbi_fn_put_timeless(fn, bbi_value_uint((uint64_t)a->integers));
    } else {
        if (a->integers > INT64_MAX || a->integers < INT64_MIN) {
            return bbi_error_set(err, BB_ERANGE, "sum() is beyond the range of integers");
        }
        bbi_fn_put_timeless(fn, bbi_value_int((int64_t)a->integers));
    }
    return BB_OK;
}

static int mean_finish(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    struct adder *a = BBI_FN_SELF(struct adder, fn);
    if (fn->spec.input != BBI_QL_TYPE_FLOAT) {
        bbi_sum_add_scaled(&a->floats, a->integers, 0);
    }
    bbi_fn_put_timeless(fn, bbi_value_float(bbi_sum_mean(&a->floats, a->count)));
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_sum_ops = {.size = sizeof(struct adder),
                                          .init = adder_init,
                                          .push = adder_push,
                                          .finish = sum_finish,
                                          .reset = adder_reset,
                                          .fini = adder_fini};
const struct bbi_fn_ops bbi_fn_mean_ops = {.size = sizeof(struct adder),
                                           .init = adder_init,
                                           .push = adder_push,
                                           .finish = mean_finish,
                                           .reset = adder_reset,
                                           .fini = adder_fini};

/* ---- min, max, first, last: one point is kept ---- */

struct chooser {
    struct bbi_fn base;
    struct bbi_fn_kept kept;
};

static void chooser_fini(struct bbi_fn *fn)
{
    bbi_fn_kept_fini(&BBI_FN_SELF(struct chooser, fn)->kept);
}

/* What is kept is written over by the next point. */
static void chooser_reset(struct bbi_fn *fn)
{
    BBI_FN_SELF(struct chooser, fn)->kept.value.kind = BB_VALUE_NULL;
}

static int chooser_finish(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    fn->has_out = true;
    fn->out = bbi_fn_kept_point(&BBI_FN_SELF(struct chooser, fn)->kept);
    return BB_OK;
}

static int extreme_finish(struct bbi_fn *fn, struct bb_error *err)
{
    int rc = chooser_finish(fn, err);
    fn->out.value = bbi_fn_plain_zero(fn->out.value);
    return rc;
}

/* Of equal extremes the earliest counts. */
static int extreme_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct bbi_fn_kept *kept = &BBI_FN_SELF(struct chooser, fn)->kept;
    if (kept->value.kind != BB_VALUE_NULL) {
        int c = bbi_fn_compare(&point->value, &kept->value);
        bool nan = point->value.kind == BB_VALUE_FLOAT &&
                   (isnan(point->value.v.f) || isnan(kept->value.v.f));
        bool better = fn->spec.func == BBI_FUNC_MIN ? c < 0 : c > 0;
        if (nan || !(better || (c == 0 && point->time_ns < kept->time_ns))) {
            return BB_OK;
        }
    }
    return bbi_fn_keep(fn, kept, point, err);
}

/* At one time the larger value counts; of first booleans false. */
static int end_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct bbi_fn_kept *kept = &BBI_FN_SELF(struct chooser, fn)->kept;
    if (kept->value.kind != BB_VALUE_NULL) {
        bool first = fn->spec.func == BBI_FUNC_FIRST;
        int c = bbi_fn_compare(&point->value, &kept->value);
        if (first && point->value.kind == BB_VALUE_BOOL) {
            c = -c;
        }
        bool nearer = first ? point->time_ns < kept->time_ns : point->time_ns > kept->time_ns;
        if (!(nearer || (point->time_ns == kept->time_ns && c > 0))) {
            return BB_OK;
        }
    }
    return bbi_fn_keep(fn, kept, point, err);
}

const struct bbi_fn_ops bbi_fn_extreme_ops = {.size = sizeof(struct chooser),
                                              .push = extreme_push,
                                              .finish = extreme_finish,
                                              .reset = chooser_reset,
                                              .fini = chooser_fini};
const struct bbi_fn_ops bbi_fn_end_ops = {.size = sizeof(struct chooser),
                                          .push = end_push,
                                          .finish = chooser_finish,
                                          .reset = chooser_reset,
                                          .fini = chooser_fini};

/* ---- spread ---- */

struct spread {
    struct bbi_fn base;
    bool nan;
    struct bb_value min;
    struct bb_value max;
};

static int spread_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    (void)err;
    struct spread *s = BBI_FN_SELF(struct spread, fn);
    const struct bb_value *v = &point->value;
    s->nan = s->nan || (v->kind == BB_VALUE_FLOAT && isnan(v->v.f));
    if (s->min.kind == BB_VALUE_NULL || bbi_fn_compare(v, &s->min) < 0) {
        s->min = *v;
    }
    if (s->max.kind == BB_VALUE_NULL || bbi_fn_compare(v, &s->max) > 0) {
        s->max = *v;
    }
    return BB_OK;
}

static int spread_finish(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    const struct spread *s = BBI_FN_SELF(struct spread, fn);
    bbi_fn_put_timeless(fn, s->nan ? bbi_value_float(NAN) : bbi_fn_subtract(&s->max, &s->min));
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_spread_ops = {
    .size = sizeof(struct spread), .push = spread_push, .finish = spread_finish};
