/**
 * Decimal text to double and back: correctly rounded, whatever the locale.
 *
 * Source  the exact range of powers of ten: Clinger, "How to Read Floating Point Numbers
 * Accurately", 1990; beyond it a 128-bit product or quotient by a power of five, rounded once.
 */
#ifndef BBI_BASE_DECIMAL_H
#define BBI_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** 10^0 .. 10^22, all that a double holds exactly. */
extern const double bbi_decimal_exact_pow10[23];

/** Largest integer up to which every integer is a double. */
#define BBI_DECIMAL_EXACT_MAX (UINT64_C(1) << 53)

/** digits * 10^exp10, rounded to nearest, ties to even; infinity or zero beyond the range. */
double bbi_decimal_make_slow(uint64_t digits, int exp10);

static inline double bbi_decimal_make(uint64_t digits, int exp10)
{
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ == 0
    /* One operation on two exact operands rounds once. */
    if (digits <= BBI_DECIMAL_EXACT_MAX && exp10 >= -22 && exp10 <= 22) {
        return exp10 < 0 ? (double)digits / bbi_decimal_exact_pow10[-exp10]
                         : (double)digits * bbi_decimal_exact_pow10[exp10];
    }
#endif
    return bbi_decimal_make_slow(digits, exp10);
}

/**
 * Read a number that fills the text: [-|+] digits [. digits] [e|E [-|+] digits], at least one digit
 * on either side of the point. Returns false: it is none. Beyond the range *value is an infinity or
 * zero.
 */
bool bbi_decimal_parse(const void *text, size_t length, double *value);

#define BBI_DECIMAL_TEXT_MAX 400

/**
 * Write the shortest decimal text without an exponent that reads back as value, which is finite:
 * "0.1", "-15", "1000000". Returns its length; a NUL stands behind.
 */
size_t bbi_decimal_format(double value, char text[BBI_DECIMAL_TEXT_MAX]);

#endif
