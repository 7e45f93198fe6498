/**
 * Exact sums of doubles: independent of the order, the grouping and the threads to the last bit.
 *
 * A double that is a decimal i/10^e (see bbi_decimal_of) counts as exactly that decimal, any other
 * as its own binary value; -0.0 counts as 0. So readings such as 0.1 add up as on paper. Decimals
 * gather in a 128-bit count of 10^-9; the others in a superaccumulator, allocated when the first
 * one comes, which also remembers NaN and infinities. The 128-bit count holds more than 10^14 of
 * the largest decimals; beyond, it wraps.
 *
 * Source  the accumulator follows R. Neal, "Fast exact summation using small and large
 * superaccumulators" (2015), the small variant.
 */
#ifndef BBI_BASE_SUM_H
#define BBI_BASE_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/cursor.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

#define BBI_DECIMAL_E_MAX 9
#define BBI_DECIMAL_I_MAX INT64_C(999999999999999) /* |i| < 10^15 */

struct bbi_superacc;

struct bbi_sum {
    __int128 nano;             /* decimals, in units of 10^-9 */
    struct bbi_superacc *wide; /* NULL until a value comes that is no decimal */
    struct bbi_account *acct;
};

void bbi_sum_init(struct bbi_sum *s, struct bbi_account *acct);
void bbi_sum_fini(struct bbi_sum *s);

/** Back to zero; keeps the memory. */
void bbi_sum_reset(struct bbi_sum *s);

/** bbi_sum_add for what is no decimal of 9 places. */
int bbi_sum_add_other(struct bbi_sum *s, double v) BB_CHECKED;

/** Add one value. BB_ENOMEM: unchanged. */
BB_CHECKED static inline int bbi_sum_add(struct bbi_sum *s, double v)
{
    double scaled = v * 1e9;
    if (scaled > -999999999999999.0 && scaled < 999999999999999.0) {
        /* See bbi_decimal_of: nine places subsume all fewer ones. */
        double rounded = (scaled + 0x1.8p52) - 0x1.8p52;
        if (rounded / 1e9 == v) {
            s->nano = (__int128)((unsigned __int128)s->nano + (unsigned __int128)(int64_t)rounded);
            return BB_OK;
        }
    }
    return bbi_sum_add_other(s, v);
}

/** Add n values. BB_ENOMEM: unchanged. */
int bbi_sum_add_array(struct bbi_sum *s, const double *v, size_t n) BB_CHECKED;

/** Add i/10^e, e <= 9, |i| <= 10^29: a sum of scaled integers whose values are decimals. */
void bbi_sum_add_scaled(struct bbi_sum *s, __int128 i, unsigned e);

/** dst += src. BB_ENOMEM: unchanged. */
int bbi_sum_merge(struct bbi_sum *dst, const struct bbi_sum *src) BB_CHECKED;

/** The double nearest to the exact sum, ties to even; beyond the range infinity; zero is +0.0. NaN
 * if a NaN or both infinities were added, else an infinity that was. */
double bbi_sum_value(const struct bbi_sum *s);

/** The double nearest to the exact sum divided by count, rounded once. count 0 gives NaN. */
double bbi_sum_mean(const struct bbi_sum *s, uint64_t count);

/** Append the state; equal multisets of values give equal bytes, however they were added. At most
 * BBI_SUM_ENCODED_MAX bytes; 2 to 10 for a decimal sum below 10^9. Failure is sticky in b. */
void bbi_sum_encode(const struct bbi_sum *s, struct bbi_buf *b);
#define BBI_SUM_ENCODED_MAX 300

/** Replace *s (initialised) by an encoded state. BB_ECORRUPT: malformed (also set in c), BB_ENOMEM;
 * s is zero then. */
int bbi_sum_decode(struct bbi_sum *s, struct bbi_cursor *c) BB_CHECKED;

/** The part of bbi_decimal_of that does not trust the hint. */
bool bbi_decimal_search(double v, int64_t *i, unsigned *e);

/** i/10^e with the smallest e that leaves i whole. */
void bbi_decimal_shorten(int64_t *i, unsigned *e);

extern const double bbi_decimal_pow10[BBI_DECIMAL_E_MAX + 1];

/**
 * Whether v is a decimal: v == i/10^e in correctly rounded division for an |i| < 10^15 and e <= 9;
 * yields the smallest such e. -0.0 gives i = 0 (whoever needs its sign must look at v).
 *
 * e  in: any number, best the e of the previous value; out: e. The result does not depend on the
 *    hint. Unchanged, as is i, when v is no decimal.
 *
 * Why it is unique: for |i| < 10^15 the product v * 10^e is off from i by less than 1/4, so
 * rounding it finds the only candidate; different i of one e are different doubles; and i/10^e with
 * i % 10 != 0 equals no j/10^d with d < e, because j * 10^(e-d) would be a second candidate for e.
 */
static inline bool bbi_decimal_of(double v, int64_t *i, unsigned *e)
{
    unsigned hint = *e <= BBI_DECIMAL_E_MAX ? *e : 0;
    double pow10 = bbi_decimal_pow10[hint];
    double scaled = v * pow10;
    if (scaled > -1e15 && scaled < 1e15) { /* and so is i: no product of a larger one rounds here */
        /* Adding 1.5 * 2^52 rounds to an integer in the low bits, without a libm call. */
        double rounded = (scaled + 0x1.8p52) - 0x1.8p52;
        int64_t candidate = (int64_t)rounded;
        if (rounded / pow10 == v) {
            *i = candidate;
            *e = hint;
            if (hint != 0 && candidate % 10 == 0) {
                bbi_decimal_shorten(i, e);
            }
            return true;
        }
    }
    return bbi_decimal_search(v, i, e);
}

#endif
