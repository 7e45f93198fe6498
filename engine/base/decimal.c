#include "engine/base/decimal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"

#define POW5_MAX 27

/* Digits that decide how the value rounds: the longest exact double has 767. */
#define KEPT_DIGITS 770

/* Written exponents saturate here, far beyond the length of any text. */
#define EXP_LIMIT INT64_C(1000000000000)

/* Exponents beyond this are zero or infinity with any mantissa that is kept. */
#define EXP_FLAT 100000

const double bbi_decimal_exact_pow10[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const uint64_t pow5[POW5_MAX + 1] = {
    UINT64_C(1),
    UINT64_C(5),
    UINT64_C(25),
    UINT64_C(125),
    UINT64_C(625),
    UINT64_C(3125),
    UINT64_C(15625),
    UINT64_C(78125),
    UINT64_C(390625),
    UINT64_C(1953125),
    UINT64_C(9765625),
    UINT64_C(48828125),
    UINT64_C(244140625),
    UINT64_C(1220703125),
    UINT64_C(6103515625),
    UINT64_C(30517578125),
    UINT64_C(152587890625),
    UINT64_C(762939453125),
    UINT64_C(3814697265625),
    UINT64_C(19073486328125),
    UINT64_C(95367431640625),
    UINT64_C(476837158203125),
    UINT64_C(2384185791015625),
    UINT64_C(11920928955078125),
    UINT64_C(59604644775390625),
    UINT64_C(298023223876953125),
    UINT64_C(1490116119384765625),
    UINT64_C(7450580596923828125),
};

__extension__ typedef unsigned __int128 u128;

/* (whole + a bit more if sticky) * 2^exp2 as a double; whole has its top bit at or above bit 53,
 * the result is a normal number. */
static double round_bits(u128 whole, bool sticky, int exp2)
{
    uint64_t high = (uint64_t)(whole >> 64);
    int length = high != 0 ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)whole);
    int shift = length - 53;
    uint64_t mantissa = (uint64_t)(whole >> shift);
    u128 rest = whole & (((u128)1 << shift) - 1);
    u128 half = (u128)1 << (shift - 1);

    if (rest > half || (rest == half && (sticky || (mantissa & 1) != 0))) {
        mantissa++;
    }
    /* A mantissa of 2^53 carries into the exponent, which is right. */
    uint64_t bits = ((uint64_t)(exp2 + shift + 52 + 1023) << 52) + (mantissa - (UINT64_C(1) << 52));
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static double make_product(uint64_t digits, int exp10)
{
    u128 product = (u128)digits * pow5[exp10];
    int shift = 0;
    if (product >> 54 == 0) {
        shift = 54;
    }
    return round_bits(product << shift, false, exp10 - shift);
}

/* digits / 5^k: both moved up to their top bit, so that the quotient has 63 or 64 bits and the
 * remainder tells whether it is exact. */
static double make_quotient(uint64_t digits, int k)
{
    int up = __builtin_clzll(digits);
    int den_up = __builtin_clzll(pow5[k]);
    u128 numerator = (u128)(digits << up) << 63;
    uint64_t denominator = pow5[k] << den_up;
    uint64_t quotient = (uint64_t)(numerator / denominator);
    bool sticky = (u128)quotient * denominator != numerator;
    return round_bits(quotient, sticky, den_up - up - 63 - k);
}

/* No decimal point in the text, so that the locale has no say. */
static double make_libc(uint64_t digits, int exp10)
{
    char text[48];
    (void)snprintf(text, sizeof(text), "%llue%d", (unsigned long long)digits, exp10);
    return strtod(text, NULL);
}

double bbi_decimal_make_slow(uint64_t digits, int exp10)
{
    if (digits == 0) {
        return 0.0;
    }
    if (exp10 >= 0 && exp10 <= POW5_MAX) {
        return make_product(digits, exp10);
    }
    if (exp10 < 0 && exp10 >= -POW5_MAX) {
        return make_quotient(digits, -exp10);
    }
    return make_libc(digits, exp10);
}

/* The parts of a number in text. */
struct number {
    bool negative;
    const uint8_t *whole; /* digits before the point */
    size_t whole_count;
    const uint8_t *fraction; /* digits behind it */
    size_t fraction_count;
    int64_t exp10; /* as written; saturates */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && is_digit(*p)) {
        p++;
    }
    return p;
}

static bool split_exponent(const uint8_t *p, const uint8_t *end, struct number *n)
{
    bool negative = false;

    if (p < end && (*p == '-' || *p == '+')) {
        negative = *p++ == '-';
    }
    if (p == end) {
        return false;
    }
    for (; p < end; p++) {
        if (!is_digit(*p)) {
            return false;
        }
        if (n->exp10 < EXP_LIMIT) {
            n->exp10 = n->exp10 * 10 + (*p - '0');
        }
    }
    n->exp10 = negative ? -n->exp10 : n->exp10;
    return true;
}

static bool split_number(const uint8_t *p, size_t length, struct number *n)
{
    const uint8_t *end = p + length;

    memset(n, 0, sizeof(*n));
    if (p < end && (*p == '-' || *p == '+')) {
        n->negative = *p++ == '-';
    }
    n->whole = p;
    p = skip_digits(p, end);
    n->whole_count = (size_t)(p - n->whole);
    n->fraction = p;
    if (p < end && *p == '.') {
        n->fraction = ++p;
        p = skip_digits(p, end);
        n->fraction_count = (size_t)(p - n->fraction);
    }
    if (n->whole_count + n->fraction_count == 0) {
        return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        return split_exponent(p + 1, end, n);
    }
    return p == end;
}

/* Significant digits in order: leading zeros are passed over, `kept` at most are stored. */
struct digits {
    char text[KEPT_DIGITS + 32];
    size_t kept;
    size_t dropped; /* behind those that are kept */
    bool sticky;    /* one of the dropped is not 0 */
};

static void add_digits(struct digits *d, const uint8_t *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (d->kept == 0 && p[i] == '0') {
            continue;
        }
        if (d->kept < KEPT_DIGITS) {
            d->text[d->kept++] = (char)p[i];
        } else {
            d->dropped++;
            d->sticky = d->sticky || p[i] != '0';
        }
    }
}

static int flat_exponent(int64_t exp10)
{
    if (exp10 > EXP_FLAT) {
        return EXP_FLAT;
    }
    return exp10 < -EXP_FLAT ? -EXP_FLAT : (int)exp10;
}

/* More digits than 64 bits hold. Where the first 19 digits and their successor round to one double
 * the rest does not matter; else all digits do. */
static double make_long(const struct number *n)
{
    struct digits d = {.kept = 0};
    add_digits(&d, n->whole, n->whole_count);
    add_digits(&d, n->fraction, n->fraction_count);
    int exp10 = flat_exponent(n->exp10 + (int64_t)d.dropped - (int64_t)n->fraction_count);
    uint64_t head = 0;
    size_t head_count = d.kept < 19 ? d.kept : 19;

    for (size_t i = 0; i < head_count; i++) {
        head = head * 10 + (uint64_t)(d.text[i] - '0');
    }
    int head_exp = exp10 + (int)(d.kept - head_count);
    double low = bbi_decimal_make(head, head_exp);
    if (d.kept == head_count || low == bbi_decimal_make(head + 1, head_exp)) {
        return low;
    }
    if (d.sticky) {
        d.text[d.kept++] = '1';
        exp10--;
    }
    (void)snprintf(d.text + d.kept, sizeof(d.text) - d.kept, "e%d", exp10);
    return strtod(d.text, NULL);
}

bool bbi_decimal_parse(const void *text, size_t length, double *value)
{
    struct number n;
    double v;

    *value = 0.0;
    if (!split_number(text, length, &n)) {
        return false;
    }
    if (n.whole_count + n.fraction_count <= 19) {
        uint64_t digits = 0;
        for (size_t i = 0; i < n.whole_count; i++) {
            digits = digits * 10 + (uint64_t)(n.whole[i] - '0');
        }
        for (size_t i = 0; i < n.fraction_count; i++) {
            digits = digits * 10 + (uint64_t)(n.fraction[i] - '0');
        }
        v = bbi_decimal_make(digits, flat_exponent(n.exp10 - (int64_t)n.fraction_count));
    } else {
        v = make_long(&n);
    }
    *value = n.negative ? -v : v;
    return true;
}

/* "d<point>ddde[+-]xx", where the point is the locale's, to digits and exponent of the last one. */
static size_t take_scientific(const char *text, char *digits, int *exp10)
{
    size_t count = 0;
    const char *p = text;

    for (; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9') {
            digits[count++] = *p;
        }
    }
    *exp10 = atoi(p + 1) - (int)(count - 1);
    while (count > 1 && digits[count - 1] == '0') {
        count--;
        (*exp10)++;
    }
    return count;
}

static size_t shortest_digits(double magnitude, char *digits, int *exp10)
{
    size_t count = 0;

    /* Fifteen digits survive the way to a double and back, except where doubles thin out. */
    for (int precision = magnitude < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%.*e", precision, magnitude);
        count = take_scientific(text, digits, exp10);
        uint64_t whole = 0;
        for (size_t i = 0; i < count; i++) {
            whole = whole * 10 + (uint64_t)(digits[i] - '0');
        }
        if (bbi_decimal_make(whole, *exp10) == magnitude) {
            break;
        }
    }
    return count;
}

size_t bbi_decimal_format(double value, char text[BBI_DECIMAL_TEXT_MAX])
{
    char digits[32];
    int exp10;
    char *out = text;

    BB_ASSERT(isfinite(value));
    if (signbit(value)) {
        *out++ = '-';
    }
    size_t count = shortest_digits(fabs(value), digits, &exp10);
    int point = (int)count + exp10; /* digits before the point */
    if (point <= 0) {
        *out++ = '0';
        *out++ = '.';
        for (; point < 0; point++) {
            *out++ = '0';
        }
        memcpy(out, digits, count);
        out += count;
    } else {
        for (int i = 0; i < point || i < (int)count; i++) {
            if (i == point) {
                *out++ = '.';
            }
            *out++ = i < (int)count ? digits[i] : '0';
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}
