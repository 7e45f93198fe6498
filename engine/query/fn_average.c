/*
 * Technical analysis: exponential averages and what is made of them, Kaufman's efficiency ratio and
 * adaptive average, Chande's momentum oscillator.
 *
 * Each gives a point for every point behind the first `hold` ones; without a hold period of its own
 * a call waits until its averages are warm. While one warms up, it is a simple average, or an
 * exponential one of a period that grows.
 */
#include <math.h>
#include <string.h>

#include "engine/query/fn_internal.h"

/* ---- one exponential average ---- */

struct ema {
    double last;
    int64_t count; /* up to period */
};

struct average {
    struct bbi_fn base;
    struct ema ema[3];
    double last;
    int64_t pushed; /* up to one more than hold */
};

static bool is_strength(const struct bbi_fn *fn)
{
    return fn->spec.func == BBI_FUNC_RSI || fn->spec.func == BBI_FUNC_CMO;
}

/* Wilder's averages have the weight 1 / n; they are warm one point later. */
static int64_t period(const struct bbi_fn *fn)
{
    return fn->spec.n + (is_strength(fn) && fn->spec.n < INT64_MAX);
}

static bool is_warm(const struct bbi_fn *fn, const struct ema *e)
{
    return fn->spec.warmup == BBI_FN_EXPONENTIAL || e->count == period(fn);
}

static double ema_add(const struct bbi_fn *fn, struct ema *e, double v)
{
    double n = (double)fn->spec.n;
    double count = (double)e->count;
    if (e->count == 0) {
        e->last = v;
    } else if (e->count == period(fn)) {
        e->last += (v - e->last) * (is_strength(fn) ? 1 / n : 2 / (n + 1));
    } else if (fn->spec.warmup == BBI_FN_SIMPLE) {
        e->last = (e->last * count + v) / (count + 1);
    } else {
        e->last += (v - e->last) * (2 / (count + 2));
    }
    e->count += e->count < period(fn);
    return e->last;
}

/* ---- made of them ---- */

static double strength_add(struct average *a, double v)
{
    double up = v > a->last ? v - a->last : 0;
    double down = v < a->last ? a->last - v : 0;
    up = ema_add(&a->base, &a->ema[0], up);
    down = ema_add(&a->base, &a->ema[1], down);
    a->last = v;
    return a->base.spec.func == BBI_FUNC_RSI ? 100 - 100 / (1 + up / down)
                                             : 100 * ((up - down) / (up + down));
}

static double derivative_add(struct average *a, double v)
{
    double now = v;
    for (int i = 0; i < 3; i++) {
        now = ema_add(&a->base, &a->ema[i], now);
        if (!is_warm(&a->base, &a->ema[i])) {
            break;
        }
    }
    double rate = (now / a->last - 1) * 100;
    a->last = now;
    return rate;
}

static double average_add(struct average *a, double v)
{
    double avg[3];
    double now = v;
    for (int i = 0; i < 3; i++) {
        if (i == 0 || is_warm(&a->base, &a->ema[i - 1])) {
            now = ema_add(&a->base, &a->ema[i], now);
        }
        avg[i] = now;
        if (a->base.spec.func == BBI_FUNC_EMA) {
            return now;
        }
    }
    return a->base.spec.func == BBI_FUNC_DEMA ? 2 * avg[0] - avg[1]
                                              : 3 * avg[0] - 3 * avg[1] + avg[2];
}

static int64_t average_hold(const struct bbi_fn *fn)
{
    int64_t warm = period(fn) - 1;
    int64_t each = fn->spec.warmup == BBI_FN_EXPONENTIAL ? 1 : 2;
    if (fn->spec.hold != -1) {
        return fn->spec.hold;
    }
    switch (fn->spec.func) {
    case BBI_FUNC_DEMA:
        return warm > INT64_MAX / 4 ? INT64_MAX : warm * each;
    case BBI_FUNC_TEMA:
        return warm > INT64_MAX / 4 ? INT64_MAX : each == 1 ? warm : warm * 3;
    case BBI_FUNC_TRIX:
        return warm > INT64_MAX / 4 ? INT64_MAX : (each == 1 ? warm : warm * 3) + 1;
    default:
        return warm;
    }
}

/* Whether the hold period is over with one point more. */
static bool is_over(int64_t *pushed, int64_t hold)
{
    *pushed += *pushed <= hold;
    return *pushed > hold;
}

static int average_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    (void)err;
    struct average *a = BBI_FN_SELF(struct average, fn);
    double v = bbi_fn_double(&point->value);
    double result = is_strength(fn)                  ? strength_add(a, v)
                    : fn->spec.func == BBI_FUNC_TRIX ? derivative_add(a, v)
                                                     : average_add(a, v);
    bool none = fn->spec.func == BBI_FUNC_TRIX && isinf(result);
    if (is_over(&a->pushed, average_hold(fn)) && !none) {
        bbi_fn_put(fn, point->time_ns, bbi_value_float(result));
    }
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_average_ops = {.size = sizeof(struct average), .push = average_push};

/* ---- rings of the last values, for Kaufman and Chande ---- */

struct step {
    double value;
    double apart; /* from the value before */
};

struct ring {
    struct bbi_fn base;
    struct step *steps; /* grows up to size; what is not there yet counts as zeros */
    size_t cap;
    size_t count;
    size_t at;    /* the newest */
    double value; /* the newest, also if the ring is of size 0 */
    double up;    /* sum of apart; Chande: of what is above 0 */
    double down;
    double average; /* Kaufman's */
    int64_t seen;   /* up to size + 1 */
    int64_t pushed;
};

static void ring_reset(struct bbi_fn *fn)
{
    struct ring *r = BBI_FN_SELF(struct ring, fn);
    struct step *steps = r->steps;
    size_t cap = r->cap;
    memset((char *)r + sizeof(r->base), 0, sizeof(*r) - sizeof(r->base));
    r->steps = steps;
    r->cap = cap;
}

static void ring_fini(struct bbi_fn *fn)
{
    bbi_mem_free(BBI_FN_SELF(struct ring, fn)->steps);
}

/* Put a step in the place of the oldest of `size`; *old is that, zeros while there are fewer. */
static int ring_put(struct ring *r, size_t size, struct step step, struct step *old,
                    struct bb_error *err)
{
    *old = (struct step){0};
    if (size == 0) {
        *old = step;
        return BB_OK;
    }
    size_t at = r->count < size ? r->count : (r->at + 1) % size;
    if (r->count < size) {
        int rc = bbi_fn_grow(&r->base, &r->steps, r->count, &r->cap, sizeof(r->steps[0]), err);
        if (rc != BB_OK) {
            return rc;
        }
        r->count++;
    } else {
        *old = r->steps[at];
    }
    r->steps[at] = step;
    r->at = at;
    return BB_OK;
}

static int kaufman_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct ring *r = BBI_FN_SELF(struct ring, fn);
    double v = bbi_fn_double(&point->value);
    double before = r->value;
    struct step old;
    int rc = ring_put(r, (size_t)fn->spec.n, (struct step){v, fabs(v - before)}, &old, err);
    if (rc != BB_OK) {
        return rc;
    }
    r->value = v;
    r->up -= old.apart;
    r->up += fabs(v - before);
    double signal = fabs(v - old.value);
    double ratio = signal == 0 || r->up == 0 ? 0 : signal / r->up;
    if (fn->spec.func == BBI_FUNC_KAMA) {
        double fast = 2.0 / 3.0;
        double slow = 2.0 / 31.0;
        double weight = ratio * (fast - slow) + slow;
        r->average = r->seen <= fn->spec.n ? before : r->average;
        r->seen += r->seen <= fn->spec.n;
        r->average += weight * weight * (v - r->average);
        ratio = r->average;
    }
    if (is_over(&r->pushed, fn->spec.hold == -1 ? fn->spec.n : fn->spec.hold) && !isinf(ratio)) {
        bbi_fn_put(fn, point->time_ns, bbi_value_float(ratio));
    }
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_kaufman_ops = {
    .size = sizeof(struct ring), .push = kaufman_push, .reset = ring_reset, .fini = ring_fini};

static int momentum_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct ring *r = BBI_FN_SELF(struct ring, fn);
    double v = bbi_fn_double(&point->value);
    double apart = r->seen == 0 ? 0 : v - r->value;
    size_t size = (size_t)fn->spec.n - 1;
    struct step old;
    int rc = ring_put(r, size, (struct step){v, apart}, &old, err);
    if (rc != BB_OK) {
        return rc;
    }
    r->seen = 1;
    r->value = v;
    r->up += apart > 0 ? apart : 0;
    r->down -= apart < 0 ? apart : 0;
    double result = r->up != 0 || r->down != 0 ? 100 * ((r->up - r->down) / (r->up + r->down)) : 0;
    r->up -= old.apart > 0 ? old.apart : 0;
    r->down += old.apart < 0 ? old.apart : 0;
    if (is_over(&r->pushed, fn->spec.hold == -1 ? (int64_t)size : fn->spec.hold)) {
        bbi_fn_put(fn, point->time_ns, bbi_value_float(result));
    }
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_momentum_ops = {
    .size = sizeof(struct ring), .push = momentum_push, .reset = ring_reset, .fini = ring_fini};
