/**
 * Shortest decimals by Schubfach: a double c * 2^q stands for the interval of reals that round to
 * it. Scaled by a power of ten 10^-k chosen so that the interval holds at least one integer and at
 * most ten or so, its ends and its middle come out of one 64 x 128 bit product each; the decimal is
 * then the multiple of ten inside the interval if there is one, else the integer nearest to f.
 *
 * The 617 powers of ten that doubles need are kept as 128-bit significands rounded up, and computed
 * exactly at first use with a plain big integer.
 */
#include "server/number.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define POW10_MIN (-292)
#define POW10_MAX 324
#define BIG_WORDS 36

struct u128 {
    uint64_t hi, lo;
};

/** [k - POW10_MIN] ceil(10^k * 2^(127 - floor(log2(10^k)))) */
static struct u128 pow10_table[POW10_MAX - POW10_MIN + 1];
static pthread_once_t pow10_once = PTHREAD_ONCE_INIT;

static const char two_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "6869707172737475767778798081828384858687888990919293949596979899";

/* ---- powers of ten ---- */

struct big {
    uint32_t w[BIG_WORDS]; /* least significant first */
};

static void big_mul10(struct big *b)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < BIG_WORDS; i++) {
        carry += (uint64_t)b->w[i] * 10;
        b->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void big_div10(struct big *b)
{
    uint64_t rest = 0;
    for (size_t i = BIG_WORDS; i-- > 0;) {
        rest = rest << 32 | b->w[i];
        b->w[i] = (uint32_t)(rest / 10);
        rest %= 10;
    }
}

static unsigned big_bit(const struct big *b, int bit)
{
    return bit < 0 ? 0 : b->w[bit / 32] >> (bit % 32) & 1;
}

/** The top 128 bits, the highest of them set, plus one if `inexact` or a bit below them is set. */
static struct u128 big_top(const struct big *b, bool inexact)
{
    int top = BIG_WORDS * 32 - 1;
    while (big_bit(b, top) == 0)
        top--;
    struct u128 v = {0, 0};
    for (int i = 0; i < 64; i++) {
        v.hi = v.hi << 1 | big_bit(b, top - i);
        v.lo = v.lo << 1 | big_bit(b, top - 64 - i);
    }
    for (int i = top - 128; i >= 0 && !inexact; i--)
        inexact = big_bit(b, i) != 0;
    if (inexact && ++v.lo == 0)
        v.hi++;
    return v;
}

static void pow10_fill(void)
{
    struct big b = {{1}};
    for (int k = 0; k <= POW10_MAX; k++) {
        pow10_table[k - POW10_MIN] = big_top(&b, false);
        big_mul10(&b);
    }
    memset(&b, 0, sizeof(b));
    b.w[BIG_WORDS - 1] = 1u << 31;
    for (int k = -1; k >= POW10_MIN; k--) {
        big_div10(&b);
        pow10_table[k - POW10_MIN] = big_top(&b, true);
    }
}

/* ---- shortest digits ---- */

struct decimal {
    uint64_t digits;
    int exponent; /* value = digits * 10^exponent */
};

static int floor_log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/** floor(g * cp / 2^128) with the lowest bit set if the quotient is not exact. */
static uint64_t round_to_odd(struct u128 g, uint64_t cp)
{
    unsigned __int128 low = (unsigned __int128)g.lo * cp;
    unsigned __int128 high = (unsigned __int128)g.hi * cp + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/** c * 2^q, c > 0; lower_closer: the next smaller double is only half as far as the next larger. */
static struct decimal shortest(uint64_t c, int q, bool lower_closer)
{
    bool even = (c & 1) == 0;
    int k = (q * 1262611 - (lower_closer ? 524031 : 0)) >> 22;
    int shift = q + floor_log2_pow10(-k) + 1;
    struct u128 g = pow10_table[-k - POW10_MIN];
    uint64_t lower = round_to_odd(g, (4 * c - 2 + lower_closer) << shift) + !even;
    uint64_t middle = round_to_odd(g, (4 * c) << shift);
    uint64_t upper = round_to_odd(g, (4 * c + 2) << shift) - !even;
    uint64_t s = middle / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below = lower <= 40 * tens;
        bool above = 40 * tens + 40 <= upper;
        if (below != above)
            return (struct decimal){tens + above, k + 1};
    }
    bool below = lower <= 4 * s;
    bool above = 4 * s + 4 <= upper;
    if (below != above)
        return (struct decimal){s + above, k};
    uint64_t half = 4 * s + 2;
    bool up = middle > half || (middle == half && (s & 1) != 0);
    return (struct decimal){s + up, k};
}

static struct decimal double_digits(uint64_t bits)
{
    uint64_t fraction = bits & 0xfffffffffffff;
    int biased = (int)(bits >> 52 & 0x7ff);
    uint64_t c = biased == 0 ? fraction : fraction | (uint64_t)1 << 52;
    int q = (biased == 0 ? 1 : biased) - 1075;
    struct decimal d;
    if (q <= 0 && q > -53 && (c & (((uint64_t)1 << -q) - 1)) == 0)
        d = (struct decimal){c >> -q, 0};
    else
        d = shortest(c, q, fraction == 0 && biased > 1);
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        d.exponent++;
    }
    return d;
}

/* ---- layout ---- */

/** v in exactly n digits, zeros in front. */
static void put_digits(char *out, uint64_t v, size_t n)
{
    while (n >= 2) {
        n -= 2;
        memcpy(out + n, two_digits + v % 100 * 2, 2);
        v /= 100;
    }
    if (n == 1)
        out[0] = (char)('0' + v % 10);
}

static size_t count_digits(uint64_t v)
{
    size_t n = 1;
    for (; v >= 10; v /= 10)
        n++;
    return n;
}

size_t number_u64(char *out, uint64_t v)
{
    size_t n = count_digits(v);
    put_digits(out, v, n);
    return n;
}

size_t number_i64(char *out, int64_t v)
{
    if (v >= 0)
        return number_u64(out, (uint64_t)v);
    out[0] = '-';
    return 1 + number_u64(out + 1, 0 - (uint64_t)v);
}

/** digits "d.ddde+XX" */
static size_t put_exponent_form(char *out, const char *digits, size_t n, int exponent)
{
    size_t len = 0;
    out[len++] = digits[0];
    if (n > 1) {
        out[len++] = '.';
        memcpy(out + len, digits + 1, n - 1);
        len += n - 1;
    }
    out[len++] = 'e';
    out[len++] = exponent < 0 ? '-' : '+';
    return len + number_u64(out + len, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

/** point: digits in front of the decimal point, negative for zeros behind it */
static size_t put_plain_form(char *out, const char *digits, size_t n, int point)
{
    size_t len = 0;
    if (point <= 0) {
        out[len++] = '0';
        out[len++] = '.';
        memset(out + len, '0', (size_t)-point);
        len += (size_t)-point;
        memcpy(out + len, digits, n);
        return len + n;
    }
    size_t whole = (size_t)point;
    size_t copied = n < whole ? n : whole;
    memcpy(out, digits, copied);
    memset(out + copied, '0', whole - copied);
    len = whole;
    if (n > whole) {
        out[len++] = '.';
        memcpy(out + len, digits + whole, n - whole);
        len += n - whole;
    }
    return len;
}

/** exponents: laid out with one where encoding/json does. f is finite. */
static size_t put_double(char *out, double f, bool exponents)
{
    pthread_once(&pow10_once, pow10_fill);
    uint64_t bits;
    memcpy(&bits, &f, sizeof(bits));
    size_t len = 0;
    if (bits >> 63 != 0)
        out[len++] = '-';
    if (f == 0) {
        out[len++] = '0';
        return len;
    }
    struct decimal d = double_digits(bits & INT64_MAX);
    char digits[NUMBER_MAX_BYTES];
    size_t n = number_u64(digits, d.digits);
    int point = (int)n + d.exponent;
    double size = fabs(f);
    if (exponents && (size < 1e-6 || size >= 1e21))
        return len + put_exponent_form(out + len, digits, n, point - 1);
    return len + put_plain_form(out + len, digits, n, point);
}

size_t number_double(char *out, double f)
{
    return put_double(out, f, true);
}

size_t number_plain_double(char *out, double f)
{
    if (isfinite(f))
        return put_double(out, f, false);
    const char *word = isnan(f) ? "NaN" : f > 0 ? "+Inf" : "-Inf";
    size_t n = strlen(word);
    memcpy(out, word, n);
    return n;
}

size_t number_time(char *out, int64_t time_ns)
{
    int64_t seconds = time_ns / 1000000000;
    int64_t nanos = time_ns % 1000000000;
    if (nanos < 0) {
        nanos += 1000000000;
        seconds--;
    }
    int64_t days = seconds / 86400;
    int64_t second = seconds % 86400;
    if (second < 0) {
        second += 86400;
        days--;
    }
    /* Years that start in March put the leap day at their end; eras of 400 years repeat. */
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);

    memcpy(out, "0000-00-00T00:00:00", 19);
    put_digits(out, (uint64_t)year, 4);
    put_digits(out + 5, (uint64_t)month, 2);
    put_digits(out + 8, (uint64_t)day, 2);
    put_digits(out + 11, (uint64_t)(second / 3600), 2);
    put_digits(out + 14, (uint64_t)(second / 60 % 60), 2);
    put_digits(out + 17, (uint64_t)(second % 60), 2);
    size_t len = 19;
    if (nanos != 0) {
        out[len++] = '.';
        put_digits(out + len, (uint64_t)nanos, 9);
        len += 9;
        while (out[len - 1] == '0')
            len--;
    }
    out[len++] = 'Z';
    return len;
}

size_t number_time_at(char *out, int64_t time_ns, int32_t utc_offset_s)
{
    int64_t shown;
    if (utc_offset_s == 0 ||
        __builtin_add_overflow(time_ns, utc_offset_s * INT64_C(1000000000), &shown))
        return number_time(out, time_ns);
    size_t len = number_time(out, shown) - 1; /* without its Z */
    uint64_t minutes = (uint64_t)(utc_offset_s < 0 ? -utc_offset_s : utc_offset_s) / 60;
    out[len++] = utc_offset_s < 0 ? '-' : '+';
    put_digits(out + len, minutes / 60, 2);
    out[len + 2] = ':';
    put_digits(out + len + 3, minutes % 60, 2);
    return len + 5;
}
