/*
 * The standard deviation of a sample, from exact sums of values and squares.
 *
 * Every number is m * 2^e with an integer m; the sums of m * 2^e and m^2 * 2^2e are kept as
 * integers in units of 2^-1074 and 2^-2148, in signed digits of base 2^32 whose carries wait. So
 * the result depends neither on the order of the values nor on cancellation: with n values it is
 * sqrt((n * S2 - S1^2) / (n * (n - 1))), rounded a few times at the very end. The digits that are
 * in use lie close together; only those are cleared and multiplied.
 */
#include <math.h>
#include <string.h>

#include "engine/query/fn_internal.h"

#define UNIT_EXP    (-1074)
#define SUM_DIGITS  70  /* 1074 + 1024 bits, and room for 2^64 of the largest */
#define SQR_DIGITS  140 /* twice as many bits */
#define PRODUCT_MAX (SQR_DIGITS + 6)
#define CARRY_EVERY (UINT32_C(1) << 28)

/* A sum: digits outside of [low, high) are 0. */
struct wide {
    int64_t *digit;
    unsigned low;
    unsigned high;
};

struct stddev {
    struct bbi_fn base;
    int64_t sum_digit[SUM_DIGITS];
    int64_t sqr_digit[SQR_DIGITS];
    struct wide sum;
    struct wide sqr;
    uint32_t pending; /* additions since the last carry */
    uint64_t count;   /* values that are not NaN */
    uint64_t pushed;
    bool infinite;
};

static void wide_init(struct wide *w, int64_t *digit, unsigned count)
{
    memset(digit, 0, count * sizeof(digit[0]));
    *w = (struct wide){.digit = digit, .low = count, .high = 0};
}

static int stddev_init(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    struct stddev *s = BBI_FN_SELF(struct stddev, fn);
    wide_init(&s->sum, s->sum_digit, SUM_DIGITS);
    wide_init(&s->sqr, s->sqr_digit, SQR_DIGITS);
    return BB_OK;
}

static void wide_clear(struct wide *w, unsigned count)
{
    if (w->high > w->low) {
        memset(w->digit + w->low, 0, (w->high - w->low) * sizeof(w->digit[0]));
    }
    w->low = count;
    w->high = 0;
}

static void stddev_reset(struct bbi_fn *fn)
{
    struct stddev *s = BBI_FN_SELF(struct stddev, fn);
    wide_clear(&s->sum, SUM_DIGITS);
    wide_clear(&s->sqr, SQR_DIGITS);
    s->pending = 0;
    s->count = 0;
    s->pushed = 0;
    s->infinite = false;
}

/* Add v * 2^bit, or subtract it. */
static void wide_add(struct wide *w, unsigned bit, unsigned __int128 v, bool negative)
{
    unsigned at = bit / 32;
    unsigned shift = bit % 32;
    w->low = at < w->low ? at : w->low;
    uint64_t part = (uint64_t)v << shift & UINT32_MAX;
    v >>= 32 - shift;
    for (;; at++) {
        w->digit[at] += negative ? -(int64_t)part : (int64_t)part;
        if (v == 0) {
            break;
        }
        part = (uint64_t)v & UINT32_MAX;
        v >>= 32;
    }
    w->high = at + 1 > w->high ? at + 1 : w->high;
}

/* Digits in [0, 2^32), but for the highest, which keeps the sign. */
static void wide_carry(struct wide *w, unsigned count)
{
    if (w->high <= w->low) {
        return;
    }
    for (unsigned i = w->low; i + 1 < w->high; i++) {
        w->digit[i + 1] += w->digit[i] >> 32;
        w->digit[i] &= UINT32_MAX;
    }
    while (w->high < count) {
        int64_t *top = &w->digit[w->high - 1];
        int64_t carry = *top >> 32;
        if (carry == 0 || carry == -1) {
            break;
        }
        *top &= UINT32_MAX;
        w->digit[w->high++] += carry;
    }
}

/* m * 2^e, m >= 0; false: no number. */
static bool split(const struct bb_value *v, uint64_t *m, int *e, bool *negative)
{
    *e = 0;
    if (v->kind == BB_VALUE_UINT) {
        *m = v->v.u;
        *negative = false;
        return true;
    }
    if (v->kind == BB_VALUE_INT) {
        *negative = v->v.i < 0;
        *m = *negative ? 0 - (uint64_t)v->v.i : (uint64_t)v->v.i;
        return true;
    }
    uint64_t bits = v->v.u;
    int exp = (int)(bits >> 52 & 0x7ff);
    *negative = bits >> 63 != 0;
    *m = (bits & ((UINT64_C(1) << 52) - 1)) | (exp == 0 ? 0 : UINT64_C(1) << 52);
    *e = (exp == 0 ? 1 : exp) + UNIT_EXP - 1;
    return exp != 0x7ff;
}

static int stddev_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    (void)err;
    struct stddev *s = BBI_FN_SELF(struct stddev, fn);
    uint64_t m;
    int e;
    bool negative;
    s->pushed++;
    if (!split(&point->value, &m, &e, &negative)) {
        s->infinite = s->infinite || !isnan(point->value.v.f);
        return BB_OK;
    }
    s->count++;
    if (m == 0) {
        return BB_OK;
    }
    unsigned bit = (unsigned)(e - UNIT_EXP);
    wide_add(&s->sum, bit, m, negative);
    wide_add(&s->sqr, 2 * bit, (unsigned __int128)m * m, false);
    if (++s->pending == CARRY_EVERY) {
        s->pending = 0;
        wide_carry(&s->sum, SUM_DIGITS);
        wide_carry(&s->sqr, SQR_DIGITS);
    }
    return BB_OK;
}

/* The digits as plain ones, from the lowest that is in use; the sign is dropped. Yields how many.
 */
static unsigned magnitude(struct wide *w, unsigned count, uint32_t *out)
{
    unsigned used = 0;
    wide_carry(w, count);
    bool negative = w->high > w->low && w->digit[w->high - 1] < 0;
    int64_t carry = 0;
    for (unsigned i = w->low; i < w->high; i++) {
        carry += negative ? -w->digit[i] : w->digit[i];
        out[used++] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0) {
        out[used++] = (uint32_t)carry;
    }
    return used;
}

/* out[0, 2 * n + 1) = a^2 */
static void square(const uint32_t *a, unsigned n, uint32_t *out)
{
    memset(out, 0, (2 * n + 1) * sizeof(out[0]));
    for (unsigned i = 0; i < n; i++) {
        uint64_t carry = 0;
        for (unsigned k = 0; k < n; k++) {
            carry += (uint64_t)a[i] * a[k] + out[i + k];
            out[i + k] = (uint32_t)carry;
            carry >>= 32;
        }
        out[i + n] = (uint32_t)carry;
    }
}

/* out[0, n + 3) = a * by */
static void multiply(const uint32_t *a, unsigned n, uint64_t by, uint32_t *out)
{
    unsigned __int128 carry = 0;
    for (unsigned i = 0; i < n; i++) {
        carry += (unsigned __int128)by * a[i];
        out[i] = (uint32_t)carry;
        carry >>= 32;
    }
    for (unsigned i = n; i < n + 3; i++) {
        out[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* a[0, n) -= b[0, m), which is not larger */
static void subtract(uint32_t *a, unsigned n, const uint32_t *b, unsigned m)
{
    int64_t borrow = 0;
    for (unsigned i = 0; i < n; i++) {
        borrow += (int64_t)a[i] - (i < m ? (int64_t)b[i] : 0);
        a[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
}

/* sqrt(a[0, n) * 2^exp / divisor), of the highest digits; exp is even. */
static double root(const uint32_t *a, unsigned n, int exp, double divisor)
{
    while (n > 0 && a[n - 1] == 0) {
        n--;
    }
    double v = 0;
    unsigned from = n > 4 ? n - 4 : 0; /* 97 bits or more */
    for (unsigned i = n; i-- > from;) {
        v = v * 0x1p32 + a[i];
    }
    return ldexp(sqrt(v / divisor), ((int)(32 * from) + exp) / 2);
}

static double deviation(struct stddev *s)
{
    uint32_t sum[SUM_DIGITS + 1];
    uint32_t sqr[SQR_DIGITS + 1];
    uint32_t left[PRODUCT_MAX] = {0};
    uint32_t right[2 * SUM_DIGITS + 3];
    double n = (double)s->count;
    unsigned sum_used = magnitude(&s->sum, SUM_DIGITS, sum);
    unsigned sqr_used = magnitude(&s->sqr, SQR_DIGITS, sqr);
    if (sqr_used == 0) {
        return 0;
    }
    /* Both products in digits from 2 * sum.low on: sqr.low is that or one more. */
    unsigned shift = s->sqr.low - 2 * s->sum.low;
    multiply(sqr, sqr_used, s->count, left + shift);
    square(sum, sum_used, right);
    subtract(left, shift + sqr_used + 3, right, 2 * sum_used + 1);
    return root(left, shift + sqr_used + 3, (int)(64 * s->sum.low) + 2 * UNIT_EXP, n * (n - 1));
}

static int stddev_finish(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    struct stddev *s = BBI_FN_SELF(struct stddev, fn);
    bool none = s->pushed < 2 || s->count < 2 || s->infinite;
    bbi_fn_put_timeless(fn, bbi_value_float(none ? NAN : deviation(s)));
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_stddev_ops = {.size = sizeof(struct stddev),
                                             .init = stddev_init,
                                             .push = stddev_push,
                                             .finish = stddev_finish,
                                             .reset = stddev_reset};
