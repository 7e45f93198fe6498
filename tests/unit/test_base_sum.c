#include "tests/lib/unit.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/sum.h"
#include "tests/lib/rng.h"

/*
 * The reference: slow integers of sign and magnitude, in units of 2^-1074 * 10^-9, and decimals
 * recognised by printing and parsing. It shares nothing with the code under test.
 */
#define WORDS 80

struct big {
    bool negative;
    uint32_t word[WORDS];
};

static int big_compare_size(const struct big *a, const struct big *b)
{
    for (unsigned k = WORDS; k-- > 0;) {
        if (a->word[k] != b->word[k]) {
            return a->word[k] < b->word[k] ? -1 : 1;
        }
    }
    return 0;
}

static bool big_is_zero(const struct big *a)
{
    static const struct big zero;
    return big_compare_size(a, &zero) == 0;
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (big_is_zero(a) && big_is_zero(b)) {
        return 0;
    }
    if (a->negative != b->negative) {
        return big_is_zero(a) ? (b->negative ? 1 : -1) : (a->negative ? -1 : 1);
    }
    return a->negative ? big_compare_size(b, a) : big_compare_size(a, b);
}

static void big_add(struct big *to, const struct big *from)
{
    if (to->negative == from->negative) {
        uint64_t at = 0;
        for (unsigned k = 0; k < WORDS; k++) {
            at += (uint64_t)to->word[k] + from->word[k];
            to->word[k] = (uint32_t)at;
            at >>= 32;
        }
        assert_true(at == 0);
        return;
    }
    struct big large = *to;
    struct big small = *from;
    if (big_compare_size(to, from) < 0) {
        large = *from;
        small = *to;
    }
    int64_t borrow = 0;
    for (unsigned k = 0; k < WORDS; k++) {
        int64_t at = (int64_t)large.word[k] - small.word[k] - borrow;
        borrow = at < 0;
        large.word[k] = (uint32_t)at;
    }
    *to = large;
}

static void big_multiply(struct big *to, uint32_t by)
{
    uint64_t at = 0;
    for (unsigned k = 0; k < WORDS; k++) {
        at += (uint64_t)to->word[k] * by;
        to->word[k] = (uint32_t)at;
        at >>= 32;
    }
    assert_true(at == 0);
}

static struct big big_of(uint64_t number, bool negative, unsigned doublings)
{
    struct big b = {.negative = negative};
    b.word[0] = (uint32_t)number;
    b.word[1] = (uint32_t)(number >> 32);
    for (; doublings >= 31; doublings -= 31) {
        big_multiply(&b, UINT32_C(1) << 31);
    }
    big_multiply(&b, UINT32_C(1) << doublings);
    return b;
}

/* v in units of 2^-1074; what lies beyond DBL_MAX as if the exponent went on. */
static struct big big_of_double(double v, bool beyond)
{
    if (beyond) {
        return big_of(1, v < 0, 1024 + 1074);
    }
    int exponent;
    double fraction = frexp(fabs(v), &exponent);
    uint64_t mantissa = (uint64_t)ldexp(fraction, 53);
    int shift = exponent - 53 + 1074;
    if (shift < 0) {
        mantissa >>= -shift;
        shift = 0;
    }
    return big_of(mantissa, v < 0, (unsigned)shift);
}

static bool slow_decimal(double v, int64_t *i, unsigned *e)
{
    if (!isfinite(v) || fabs(v) >= 1e15) {
        return false;
    }
    for (unsigned places = 0; places <= 9; places++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%.*f", (int)places, fabs(v));
        if (strtod(text, NULL) != fabs(v)) {
            continue;
        }
        int64_t number = 0;
        for (const char *at = text; *at != '\0' && number < INT64_C(1000000000000000); at++) {
            number = *at == '.' ? number : number * 10 + (*at - '0');
        }
        if (number < INT64_C(1000000000000000)) {
            *i = v < 0 ? -number : number;
            *e = places;
            return true;
        }
    }
    return false;
}

static void big_add_value(struct big *total, double v)
{
    int64_t i;
    unsigned e;
    struct big part;
    if (slow_decimal(v, &i, &e)) {
        part = big_of((uint64_t)llabs(i), i < 0, 1074);
        for (; e < 9; e++) {
            big_multiply(&part, 10);
        }
    } else {
        part = big_of_double(v, false);
        big_multiply(&part, 1000000000);
    }
    big_add(total, &part);
}

/* Where the exact quotient total / (10^9 * count) lies to the middle of a and b. */
static int compare_to_middle(const struct big *total, uint64_t count, double a, double b,
                             bool b_beyond)
{
    struct big middle = big_of_double(a, false);
    struct big other = big_of_double(b, b_beyond);
    big_add(&middle, &other);
    big_multiply(&middle, 1000000000);
    struct big scaled = {.negative = middle.negative};
    for (unsigned k = 0; k < 64; k++) {
        struct big doubled = scaled;
        big_add(&scaled, &doubled);
        if (count >> (63 - k) & 1) {
            big_add(&scaled, &middle);
        }
    }
    struct big twice = *total;
    big_add(&twice, total);
    return big_compare(&twice, &scaled);
}

static bool is_even(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return (bits & 1) == 0;
}

/* got is the double nearest to total / (10^9 * count), ties to even. */
static void check_nearest(const struct big *total, uint64_t count, double got)
{
    if (isinf(got)) {
        double last = copysign(DBL_MAX, got);
        int at = compare_to_middle(total, count, last, got, true);
        assert_true(got > 0 ? at >= 0 : at <= 0);
        return;
    }
    assert_true(!isnan(got));
    double up = nextafter(got, (double)INFINITY);
    double down = nextafter(got, -(double)INFINITY);
    int to_up = compare_to_middle(total, count, got, up, isinf(up));
    int to_down = compare_to_middle(total, count, got, down, isinf(down));
    assert_true(to_up < 0 || (to_up == 0 && is_even(got)));
    assert_true(to_down > 0 || (to_down == 0 && is_even(got)));
    if (big_is_zero(total)) {
        assert_true(got == 0 && !signbit(got));
    }
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* Values of many kinds; kind 0 is what meters say. */
static double some_value(struct rng *r, unsigned kind)
{
    static const double powers[] = {1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    double sign = rng_one_in(r, 2) ? -1 : 1;
    switch (kind) {
    case 0:
        return (double)rng_below(r, 100000) / 1000;
    case 1:
        return sign * (double)rng_below(r, UINT64_C(1) << rng_below(r, 50)) /
               powers[rng_below(r, 10)];
    case 2:
        return sign * ldexp((double)(rng_u64(r) >> 11), (int)rng_below(r, 60) - 60);
    case 3:
        return rng_finite(r);
    case 4:
        return sign * (double)(float)((double)rng_below(r, 100000) / 700);
    case 5:
        return sign * ldexp((double)rng_below(r, 5), -1074);
    case 6:
        return sign * (rng_one_in(r, 2) ? 1e308 : DBL_MAX);
    default:
        return some_value(r, (unsigned)rng_below(r, 7));
    }
}

static void add_all(struct bbi_sum *s, const double *v, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        assert_int_equal(bbi_sum_add(s, v[k]), BB_OK);
    }
}

static void test_results_are_nearest(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int round = 0; round < 1500; round++) {
        unsigned kind = (unsigned)rng_below(&r, 8);
        struct big total = {0};
        struct bbi_sum s;
        bbi_sum_init(&s, NULL);
        uint64_t n = 1 + rng_below(&r, 6);
        for (uint64_t k = 0; k < n; k++) {
            double v = some_value(&r, kind);
            big_add_value(&total, v);
            assert_int_equal(bbi_sum_add(&s, v), BB_OK);
        }
        check_nearest(&total, 1, bbi_sum_value(&s));
        check_nearest(&total, n, bbi_sum_mean(&s, n));
        uint64_t count = 1 + (rng_u64(&r) >> rng_below(&r, 64)) / 2;
        check_nearest(&total, count, bbi_sum_mean(&s, count));
        bbi_sum_fini(&s);
    }
}

static void test_results_near_ties_are_nearest(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int round = 0; round < 1000; round++) {
        int shift = (int)rng_below(&r, 60) - 30;
        double base = ldexp((double)((UINT64_C(1) << 52) + (rng_u64(&r) >> 12)), shift);
        double half = ldexp(1, shift - 1);
        double v[3] = {base, half, 0};
        switch (rng_below(&r, 3)) {
        case 0:
            v[2] = 5e-324;
            break;
        case 1:
            v[2] = -5e-324;
            break;
        default:
            break;
        }
        double sign = rng_one_in(&r, 2) ? -1 : 1;
        struct big total = {0};
        struct bbi_sum s;
        bbi_sum_init(&s, NULL);
        for (int k = 0; k < 3; k++) {
            big_add_value(&total, sign * v[k]);
            assert_int_equal(bbi_sum_add(&s, sign * v[k]), BB_OK);
        }
        check_nearest(&total, 1, bbi_sum_value(&s));
        bbi_sum_fini(&s);
    }
}

static void test_order_and_grouping_do_not_matter(void **state)
{
    (void)state;
    enum {
        N = 500,
        PARTS = 8
    };
    struct rng r = rng_from_env();
    for (int round = 0; round < 60; round++) {
        double v[N];
        unsigned kind = (unsigned)rng_below(&r, 8);
        for (int k = 0; k < N; k++) {
            v[k] = some_value(&r, kind);
        }
        struct bbi_sum one;
        bbi_sum_init(&one, NULL);
        add_all(&one, v, N);
        for (int k = N - 1; k > 0; k--) {
            size_t j = rng_below(&r, (uint64_t)k + 1);
            double t = v[k];
            v[k] = v[j];
            v[j] = t;
        }
        struct bbi_sum part[PARTS];
        for (int p = 0; p < PARTS; p++) {
            bbi_sum_init(&part[p], NULL);
        }
        for (size_t k = 0; k < N;) {
            size_t n = rng_below(&r, 150);
            n = n > N - k ? N - k : n;
            assert_int_equal(bbi_sum_add_array(&part[rng_below(&r, PARTS)], v + k, n), BB_OK);
            k += n;
        }
        for (int left = PARTS; left > 1; left--) {
            size_t from = (size_t)left - 1;
            size_t to = rng_below(&r, from);
            assert_int_equal(bbi_sum_merge(&part[to], &part[from]), BB_OK);
        }
        assert_true(bits_of(bbi_sum_value(&one)) == bits_of(bbi_sum_value(&part[0])));
        assert_true(bits_of(bbi_sum_mean(&one, N)) == bits_of(bbi_sum_mean(&part[0], N)));
        struct bbi_buf a, b;
        bbi_buf_init(&a, NULL, BBI_SUM_ENCODED_MAX);
        bbi_buf_init(&b, NULL, BBI_SUM_ENCODED_MAX);
        bbi_sum_encode(&one, &a);
        bbi_sum_encode(&part[0], &b);
        assert_int_equal(a.err, BB_OK);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.data, b.data, a.len);
        bbi_buf_fini(&a);
        bbi_buf_fini(&b);
        bbi_sum_fini(&one);
        for (int p = 0; p < PARTS; p++) {
            bbi_sum_fini(&part[p]);
        }
    }
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

static double sum_of(const double *v, size_t n)
{
    struct bbi_sum s;
    bbi_sum_init(&s, NULL);
    add_all(&s, v, n);
    double result = bbi_sum_value(&s);
    bbi_sum_fini(&s);
    return result;
}

#define SUM(...) \
    sum_of((const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static void test_known_sums(void **state)
{
    (void)state;
    assert_true(SUM(0.1, 0.2) == 0.3);
    assert_true(SUM(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1) == 1.0);
    assert_true(SUM(1e308, -1e308, 1e-300) == 1e-300);
    assert_true(SUM(1e308, 1e308) == (double)INFINITY);
    assert_true(SUM(-1e308, -1e308) == -(double)INFINITY);
    assert_true(SUM(1e308, 1e308, -1e308) == 1e308);
    assert_true(SUM(DBL_MAX, ldexp(1, 969)) == DBL_MAX);
    assert_true(SUM(DBL_MAX, ldexp(1, 970)) == (double)INFINITY);
    assert_true(SUM(DBL_MAX, ldexp(1, 970), -5e-324) == DBL_MAX);
    assert_true(SUM(5e-324, 5e-324) == 1e-323);
    assert_true(SUM(DBL_MIN, -5e-324) == DBL_MIN - 5e-324);
    assert_true(SUM(0x1p53, 1) == 0x1p53);
    assert_true(SUM(0x1p53, 1, 5e-324) == 0x1p53 + 2);
    assert_true(SUM(999999999999999, 1e15, 0.5, -0.5) == 1999999999999999);
    assert_true(SUM(1e-9, -1e-9) == 0 && !signbit(SUM(-0.0, -0.0)));
    assert_true(!signbit(SUM(1.0 / 3, -1.0 / 3)) && SUM(-5e-324, 5e-324) == 0);
    assert_true(SUM(1e-10) == 1e-10);
    assert_true(SUM(0) == 0 && sum_of(NULL, 0) == 0);
}

static void test_nan_and_infinities(void **state)
{
    (void)state;
    double inf = (double)INFINITY;
    assert_true(SUM(1, inf, -1e308) == inf);
    assert_true(SUM(1, -inf) == -inf);
    assert_true(isnan(SUM(inf, -inf)));
    assert_true(isnan(SUM(1, (double)NAN)));
    struct bbi_sum s;
    bbi_sum_init(&s, NULL);
    double v[100] = {[70] = inf};
    assert_int_equal(bbi_sum_add_array(&s, v, 100), BB_OK);
    assert_true(bbi_sum_mean(&s, 3) == inf);
    bbi_sum_reset(&s);
    assert_true(bbi_sum_value(&s) == 0);
    assert_true(isnan(bbi_sum_mean(&s, 0)));
    bbi_sum_fini(&s);
}

static void test_scaled_integers_count_as_their_decimals(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    static const double powers[] = {1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    for (int round = 0; round < 200; round++) {
        unsigned e = (unsigned)rng_below(&r, 10);
        struct bbi_sum scaled, plain;
        bbi_sum_init(&scaled, NULL);
        bbi_sum_init(&plain, NULL);
        __int128 total = 0;
        for (int k = 0; k < 300; k++) {
            int64_t i = (int64_t)rng_below(&r, UINT64_C(1000000000000000));
            i = rng_one_in(&r, 2) ? -i : i;
            total += i;
            assert_int_equal(bbi_sum_add(&plain, (double)i / powers[e]), BB_OK);
        }
        bbi_sum_add_scaled(&scaled, total, e);
        assert_null(plain.wide);
        assert_true(scaled.nano == plain.nano);
        bbi_sum_fini(&scaled);
        bbi_sum_fini(&plain);
    }
}

static void test_mean_is_rounded_once(void **state)
{
    (void)state;
    struct bbi_sum s;
    bbi_sum_init(&s, NULL);
    add_all(&s, (const double[]){1e308, 1e308, 1e308}, 3);
    assert_true(bbi_sum_value(&s) == (double)INFINITY);
    assert_true(bbi_sum_mean(&s, 3) == 1e308);
    bbi_sum_reset(&s);
    add_all(&s, (const double[]){0.1, 0.2, 0.6}, 3);
    assert_true(bbi_sum_mean(&s, 3) == 0.3);
    bbi_sum_fini(&s);
}

/* More additions than a digit bears without carries. */
static void test_carries_in_time(void **state)
{
    (void)state;
    struct bbi_sum s, t;
    bbi_sum_init(&s, NULL);
    bbi_sum_init(&t, NULL);
    double v = -(2 - DBL_EPSILON);
    assert_int_equal(bbi_sum_add(&s, v), BB_OK);
    for (int k = 0; k < 45; k++) {
        assert_int_equal(bbi_sum_merge(&t, &s), BB_OK);
        assert_int_equal(bbi_sum_merge(&s, &t), BB_OK);
    }
    /* Doubling in turns: s counts Fibonacci numbers of v. */
    uint64_t in_s = 1, in_t = 0;
    for (int k = 0; k < 45; k++) {
        in_t += in_s;
        in_s += in_t;
    }
    assert_true(bbi_sum_mean(&s, in_s) == v);
    assert_true(bbi_sum_mean(&t, in_t) == v);
    bbi_sum_fini(&s);
    bbi_sum_fini(&t);
}

static void test_decimals_match_the_slow_search(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int round = 0; round < 200000; round++) {
        double v = some_value(&r, (unsigned)rng_below(&r, 8));
        if (rng_one_in(&r, 20)) {
            v = nextafter(v, rng_one_in(&r, 2) ? 0 : 1e300);
        }
        int64_t want_i = -7, got_i = -7;
        unsigned hint = (unsigned)rng_below(&r, 12);
        unsigned want_e = hint, got_e = hint;
        bool want = slow_decimal(v, &want_i, &want_e);
        bool got = bbi_decimal_of(v, &got_i, &got_e);
        if (want != got || want_i != got_i || want_e != got_e) {
            fail_msg("%.17g hint %u: %d %lld/10^%u, not %d %lld/10^%u", v, hint, got,
                     (long long)got_i, got_e, want, (long long)want_i, want_e);
        }
    }
}

static void test_decimals_at_the_edges(void **state)
{
    (void)state;
    static const struct {
        double v;
        bool is;
        int64_t i;
        unsigned e;
    } cases[] = {
        {0, true, 0, 0},
        {-0.0, true, 0, 0},
        {0.5, true, 5, 1},
        {100, true, 100, 0},
        {999999999999999, true, 999999999999999, 0},
        {1e15, false, 0, 0},
        {-999999999999999, true, -999999999999999, 0},
        {99999999999999.9, true, 999999999999999, 1},
        {999999.999999999, true, 999999999999999, 9},
        {1000000.00000001, true, 100000000000001, 8},
        {1e14, true, 100000000000000, 0},
        {1e-9, true, 1, 9},
        {1e-10, false, 0, 0},
        {5e-324, false, 0, 0},
        {1.0 / 3, false, 0, 0},
        {DBL_MAX, false, 0, 0},
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        for (unsigned hint = 0; hint < 12; hint++) {
            int64_t i = 0;
            unsigned e = hint;
            assert_int_equal(bbi_decimal_of(cases[k].v, &i, &e), cases[k].is);
            assert_true(i == cases[k].i);
            assert_int_equal(e, cases[k].is ? cases[k].e : hint);
        }
    }
    int64_t i = 3;
    unsigned e = 4;
    assert_false(bbi_decimal_of((double)NAN, &i, &e));
    assert_false(bbi_decimal_of((double)INFINITY, &i, &e));
    assert_true(i == 3 && e == 4);
}

static void test_states_survive_encoding(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct bbi_sum back;
    bbi_sum_init(&back, NULL);
    for (int round = 0; round < 2000; round++) {
        struct bbi_sum s;
        bbi_sum_init(&s, NULL);
        unsigned kind = (unsigned)rng_below(&r, 8);
        for (uint64_t n = rng_below(&r, 20); n > 0; n--) {
            assert_int_equal(bbi_sum_add(&s, some_value(&r, kind)), BB_OK);
        }
        if (rng_one_in(&r, 10)) {
            assert_int_equal(bbi_sum_add(&s, (double)INFINITY), BB_OK);
        }
        struct bbi_buf b;
        bbi_buf_init(&b, NULL, BBI_SUM_ENCODED_MAX);
        bbi_sum_encode(&s, &b);
        assert_int_equal(b.err, BB_OK);
        struct bbi_cursor c;
        bbi_cursor_init(&c, b.data, b.len);
        assert_int_equal(bbi_sum_decode(&back, &c), BB_OK);
        assert_int_equal(bbi_cursor_left(&c), 0);
        uint64_t want = bits_of(bbi_sum_mean(&s, 7));
        assert_true(bits_of(bbi_sum_mean(&back, 7)) == want);
        assert_int_equal(bbi_sum_merge(&back, &s), BB_OK);
        assert_true(bits_of(bbi_sum_mean(&back, 14)) == want);
        for (size_t len = 0; len < b.len; len++) {
            bbi_cursor_init(&c, b.data, len);
            assert_int_equal(bbi_sum_decode(&back, &c), BB_ECORRUPT);
            assert_true(bbi_sum_value(&back) == 0);
        }
        bbi_buf_fini(&b);
        bbi_sum_fini(&s);
    }
    bbi_sum_fini(&back);
}

static void test_any_bytes_decode_or_are_refused(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct bbi_sum s, total;
    bbi_sum_init(&s, NULL);
    bbi_sum_init(&total, NULL);
    int accepted = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[320];
        for (size_t k = 0; k < sizeof(bytes); k++) {
            bytes[k] = rng_one_in(&r, 2) ? 0xff : (uint8_t)rng_u64(&r);
        }
        bytes[0] = (uint8_t)rng_below(&r, 40);
        bytes[1] &= 0x7f;
        bytes[2] = (uint8_t)rng_below(&r, 70);
        bytes[3] = (uint8_t)rng_below(&r, 70);
        struct bbi_cursor c;
        bbi_cursor_init(&c, bytes, sizeof(bytes));
        if (bbi_sum_decode(&s, &c) == BB_OK) {
            accepted++;
            assert_int_equal(bbi_sum_merge(&total, &s), BB_OK);
        }
        (void)bbi_sum_value(&total);
    }
    assert_in_range(accepted, 1000, 20000);
    bbi_sum_fini(&s);
    bbi_sum_fini(&total);
}

static void test_no_memory_leaves_the_sum_as_it_was(void **state)
{
    (void)state;
    struct bbi_sum s, other;
    bbi_sum_init(&s, NULL);
    bbi_sum_init(&other, NULL);
    double v[200] = {0};
    for (int k = 0; k < 200; k++) {
        v[k] = k == 150 ? 1.0 / 3 : 0.25;
    }
    assert_int_equal(bbi_sum_add(&s, 0.5), BB_OK);
    assert_int_equal(bbi_sum_add(&other, 1.0 / 3), BB_OK);
    bbi_mem_fail_at(1);
    assert_int_equal(bbi_sum_add_array(&s, v, 200), BB_ENOMEM);
    bbi_mem_fail_at(1);
    assert_int_equal(bbi_sum_add(&s, 1e300), BB_ENOMEM);
    bbi_mem_fail_at(1);
    assert_int_equal(bbi_sum_merge(&s, &other), BB_ENOMEM);
    assert_true(bbi_sum_value(&s) == 0.5);
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, BBI_SUM_ENCODED_MAX);
    bbi_sum_encode(&other, &b);
    struct bbi_cursor c;
    bbi_cursor_init(&c, b.data, b.len);
    bbi_mem_fail_at(1);
    assert_int_equal(bbi_sum_decode(&s, &c), BB_ENOMEM);
    bbi_mem_fail_at(0);
    assert_true(bbi_sum_value(&s) == 0);
    assert_int_equal(bbi_sum_merge(&s, &other), BB_OK);
    assert_true(bbi_sum_value(&s) == 1.0 / 3);
    bbi_buf_fini(&b);
    bbi_sum_fini(&s);
    bbi_sum_fini(&other);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_nearest),
        cmocka_unit_test(test_results_near_ties_are_nearest),
        cmocka_unit_test(test_order_and_grouping_do_not_matter),
        cmocka_unit_test(test_known_sums),
        cmocka_unit_test(test_nan_and_infinities),
        cmocka_unit_test(test_scaled_integers_count_as_their_decimals),
        cmocka_unit_test(test_mean_is_rounded_once),
        cmocka_unit_test(test_carries_in_time),
        cmocka_unit_test(test_decimals_match_the_slow_search),
        cmocka_unit_test(test_decimals_at_the_edges),
        cmocka_unit_test(test_states_survive_encoding),
        cmocka_unit_test(test_any_bytes_decode_or_are_refused),
        cmocka_unit_test(test_no_memory_leaves_the_sum_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
