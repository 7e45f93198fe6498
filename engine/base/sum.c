#include "engine/base/sum.h"

#include <math.h>
#include <string.h>

/*
 * The superaccumulator is an integer in units of 2^-1088: DIGITS signed digits of base 2^32, each
 * in an int64, so that carries can wait for CARRY_EVERY additions. A finite double is its 53-bit
 * mantissa at a bit offset of 14 (denormals) to 2059; with 68 digits 2^64 of the largest fit. The
 * unit is a whole number of 64-bit limbs below 1 and lies 14 bits below the smallest denormal, so a
 * quotient in this unit has the bits that rounding needs.
 */
#define DIGITS      68
#define UNIT_EXP    (-1088)
#define OFFSET_BIAS 13
#define CARRY_EVERY (UINT32_C(1) << 29)

#define LIMBS          36 /* of the exact total in units of 2^-1088 / 10^9, two's complement */
#define ONE_LIMB       17 /* the limb that has 1 as its lowest bit */
#define QUOTIENT_LIMBS 6  /* enough of a dividend for 64-bit precision behind a 94-bit divisor */
#define NANO_PER_ONE   UINT64_C(1000000000)
#define DOUBLE_EXACT   (INT64_C(1) << 53)
#define BLOCK          64
#define SINGLY         256

enum {
    SEEN_NAN = 1,
    SEEN_POS_INF = 2,
    SEEN_NEG_INF = 4,
    HAS_WIDE = 8,
    WIDE_NEGATIVE = 16
};
#define SEEN_MASK (SEEN_NAN | SEEN_POS_INF | SEEN_NEG_INF)

typedef double vdouble __attribute__((vector_size(16)));
typedef uint64_t vbits __attribute__((vector_size(16)));

struct bbi_superacc {
    int64_t digit[DIGITS];
    uint32_t pending; /* additions since the last carry */
    uint32_t seen;
};

const double bbi_decimal_pow10[BBI_DECIMAL_E_MAX + 1] = {1e0, 1e1, 1e2, 1e3, 1e4,
                                                         1e5, 1e6, 1e7, 1e8, 1e9};
static const int64_t int_pow10[BBI_DECIMAL_E_MAX + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

/* v as i/10^e for the largest e whose i is in range: there every decimal shows, for one that shows
 * at a smaller e does so here with zeros behind. */
static bool decimal_at_largest(double v, int64_t *i, unsigned *e)
{
    if (!(fabs(v) <= (double)BBI_DECIMAL_I_MAX)) {
        return false;
    }
    for (unsigned at = BBI_DECIMAL_E_MAX + 1; at-- > 0;) {
        double scaled = v * bbi_decimal_pow10[at];
        if (!(fabs(scaled) < 1e15)) {
            continue;
        }
        double rounded = (scaled + 0x1.8p52) - 0x1.8p52;
        if (fabs(rounded) <= (double)BBI_DECIMAL_I_MAX) {
            *i = (int64_t)rounded;
            *e = at;
            return rounded / bbi_decimal_pow10[at] == v;
        }
    }
    return false;
}

void bbi_decimal_shorten(int64_t *i, unsigned *e)
{
    int64_t number = *i;
    unsigned places = *e;
    while (places > 0 && number % 10 == 0) {
        number /= 10;
        places--;
    }
    *i = number;
    *e = places;
}

bool bbi_decimal_search(double v, int64_t *i, unsigned *e)
{
    int64_t number = 0;
    unsigned places = 0;
    if (!decimal_at_largest(v, &number, &places)) {
        return false;
    }
    bbi_decimal_shorten(&number, &places);
    *i = number;
    *e = places;
    return true;
}

void bbi_sum_init(struct bbi_sum *s, struct bbi_account *acct)
{
    *s = (struct bbi_sum){.acct = acct};
}

void bbi_sum_fini(struct bbi_sum *s)
{
    bbi_mem_free(s->wide);
    s->wide = NULL;
    s->nano = 0;
}

void bbi_sum_reset(struct bbi_sum *s)
{
    s->nano = 0;
    if (s->wide != NULL) {
        memset(s->wide, 0, sizeof(*s->wide));
    }
}

/* Wraps instead of overflowing: sums decoded from a hostile file must stay defined. */
static __int128 wrap_add(__int128 a, __int128 b)
{
    return (__int128)((unsigned __int128)a + (unsigned __int128)b);
}

/* Digits but the last into 0 .. 2^32 - 1; the last has the sign. */
static void carry(struct bbi_superacc *w)
{
    int64_t carried = 0;
    for (unsigned d = 0; d < DIGITS - 1; d++) {
        int64_t sum = w->digit[d] + carried;
        carried = sum >> 32;
        w->digit[d] = sum & UINT32_MAX;
    }
    w->digit[DIGITS - 1] += carried;
    w->pending = 0;
}

static void wide_add(struct bbi_superacc *w, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    unsigned exponent = (unsigned)(bits >> 52) & 0x7ff;
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    bool negative = bits >> 63;
    if (exponent == 0x7ff) {
        w->seen |= mantissa != 0 ? SEEN_NAN : negative ? SEEN_NEG_INF : SEEN_POS_INF;
        return;
    }
    if (exponent == 0) {
        exponent = 1;
    } else {
        mantissa |= UINT64_C(1) << 52;
    }
    if (w->pending >= CARRY_EVERY) {
        carry(w);
    }
    w->pending++;
    unsigned offset = exponent + OFFSET_BIAS;
    int64_t *digit = &w->digit[offset / 32];
    unsigned __int128 shifted = (unsigned __int128)mantissa << (offset % 32);
    int64_t sign = negative ? -1 : 1;
    digit[0] += sign * (int64_t)(uint32_t)shifted;
    digit[1] += sign * (int64_t)(uint32_t)(shifted >> 32);
    digit[2] += sign * (int64_t)(uint32_t)(shifted >> 64);
}

static int need_wide(struct bbi_sum *s)
{
    if (s->wide == NULL) {
        s->wide = bbi_mem_zalloc(s->acct, 1, sizeof(*s->wide));
    }
    return s->wide == NULL ? BB_ENOMEM : BB_OK;
}

int bbi_sum_add_other(struct bbi_sum *s, double v)
{
    int64_t number = 0;
    unsigned places = 0;
    if (decimal_at_largest(v, &number, &places)) {
        bbi_sum_add_scaled(s, number, places);
        return BB_OK;
    }
    int rc = need_wide(s);
    if (rc == BB_OK) {
        wide_add(s->wide, v);
    }
    return rc;
}

/* The sum of a block in 10^-9, or false if one of its values is no decimal of nine places below
 * 2^49 * 10^-9. Written with vectors because gcc does not find them at -O2: 0.56 ns a value
 * instead of 1.2. */
static bool block_nano(const double v[BLOCK], int64_t *nano)
{
    const vdouble magic = {0x1.8p52, 0x1.8p52};
    vbits sum = {0, 0};
    vbits far = {0, 0};
    vbits wrong = {0, 0};
    for (unsigned k = 0; k < BLOCK; k += 2) {
        vdouble value;
        memcpy(&value, v + k, sizeof(value));
        vdouble shifted = value * 1e9 + magic;
        vdouble rounded = shifted - magic;
        vbits number = (vbits)shifted - (vbits)magic;
        sum += number;
        /* Too large for the shift, or not even finite, shows above the 50 bits of -2^49 .. 2^49. */
        far |= number + (UINT64_C(1) << 49);
        /* x - y is +0.0, no bit set, only for x == y. */
        wrong |= (vbits)(rounded / 1e9 - value);
    }
    *nano = (int64_t)(sum[0] + sum[1]);
    return (wrong[0] | wrong[1]) == 0 && (far[0] | far[1]) >> 50 == 0;
}

int bbi_sum_add_array(struct bbi_sum *s, const double *v, size_t n)
{
    /* Decimals gather aside: only the first need of the accumulator can fail, and until then
     * nothing has been added. */
    struct bbi_sum part = {.wide = s->wide, .acct = s->acct};
    int rc = BB_OK;
    size_t k = 0;
    while (rc == BB_OK && k < n) {
        int64_t nano;
        if (n - k >= BLOCK && block_nano(v + k, &nano)) {
            part.nano = wrap_add(part.nano, nano);
            k += BLOCK;
            continue;
        }
        /* Where one block fails, the next few likely do. */
        size_t end = n - k < SINGLY ? n : k + SINGLY;
        for (; rc == BB_OK && k < end; k++) {
            rc = bbi_sum_add(&part, v[k]);
        }
    }
    if (rc == BB_OK) {
        s->wide = part.wide;
        s->nano = wrap_add(s->nano, part.nano);
    }
    return rc;
}

void bbi_sum_add_scaled(struct bbi_sum *s, __int128 i, unsigned e)
{
    BB_ASSERT(e <= BBI_DECIMAL_E_MAX);
    unsigned __int128 unit = (unsigned __int128)int_pow10[BBI_DECIMAL_E_MAX - e];
    s->nano = wrap_add(s->nano, (__int128)((unsigned __int128)i * unit));
}

int bbi_sum_merge(struct bbi_sum *dst, const struct bbi_sum *src)
{
    if (src->wide != NULL) {
        int rc = need_wide(dst);
        if (rc != BB_OK) {
            return rc;
        }
        struct bbi_superacc *to = dst->wide;
        const struct bbi_superacc *from = src->wide;
        if (to->pending + from->pending + 1 > CARRY_EVERY) {
            carry(to);
        }
        /* A carried digit weighs no more than one addition. */
        to->pending += from->pending + 1;
        for (unsigned d = 0; d < DIGITS; d++) {
            to->digit[d] += from->digit[d];
        }
        to->seen |= from->seen;
    }
    dst->nano = wrap_add(dst->nano, src->nano);
    return BB_OK;
}

/* limb[] = |limb[]|, two's complement. Returns whether it was negative. */
static bool make_positive(uint64_t *limb, unsigned count)
{
    if ((limb[count - 1] >> 63) == 0) {
        return false;
    }
    bool carry_in = true;
    for (unsigned k = 0; k < count; k++) {
        limb[k] = ~limb[k] + carry_in;
        carry_in = carry_in && limb[k] == 0;
    }
    return true;
}

/* The accumulator in LIMBS limbs, two's complement. */
static void wide_limbs(const struct bbi_superacc *from, uint64_t limb[LIMBS])
{
    struct bbi_superacc w = *from;
    carry(&w);
    for (unsigned k = 0; k < DIGITS / 2 - 1; k++) {
        limb[k] = (uint64_t)w.digit[2 * k] | (uint64_t)w.digit[2 * k + 1] << 32;
    }
    int64_t top = w.digit[DIGITS - 1];
    limb[DIGITS / 2 - 1] = (uint64_t)w.digit[DIGITS - 2] | (uint64_t)top << 32;
    limb[DIGITS / 2] = (uint64_t)(top >> 32);
    limb[DIGITS / 2 + 1] = top < 0 ? UINT64_MAX : 0;
}

/* limb[] = wide * 10^9 + nano * 2^1088, two's complement. */
static void total_limbs(const struct bbi_sum *s, uint64_t limb[LIMBS])
{
    wide_limbs(s->wide, limb);
    unsigned __int128 at = 0;
    uint64_t nano_sign = s->nano < 0 ? UINT64_MAX : 0;
    for (unsigned k = 0; k < LIMBS; k++) {
        uint64_t nano = k < ONE_LIMB        ? 0
                        : k == ONE_LIMB     ? (uint64_t)s->nano
                        : k == ONE_LIMB + 1 ? (uint64_t)((unsigned __int128)s->nano >> 64)
                                            : nano_sign;
        at += (unsigned __int128)limb[k] * NANO_PER_ONE + nano;
        limb[k] = (uint64_t)at;
        at >>= 64;
    }
}

/* limb[] /= divisor. Returns whether a remainder was lost. */
static bool divide(uint64_t *limb, unsigned count, uint64_t divisor)
{
    uint64_t rest = 0;
    for (unsigned k = count; k-- > 0;) {
        unsigned __int128 part = (unsigned __int128)rest << 64 | limb[k];
        limb[k] = (uint64_t)(part / divisor);
        rest = (uint64_t)(part % divisor);
    }
    return rest != 0;
}

/* The 64 bits from bit `at` on; bits past the end are 0. */
static uint64_t bits_from(const uint64_t *limb, unsigned count, unsigned at)
{
    uint64_t bits = limb[at / 64] >> (at % 64);
    if (at % 64 != 0 && at / 64 + 1 < count) {
        bits |= limb[at / 64 + 1] << (64 - at % 64);
    }
    return bits;
}

static bool any_below(const uint64_t *limb, unsigned at)
{
    for (unsigned k = 0; k < at / 64; k++) {
        if (limb[k] != 0) {
            return true;
        }
    }
    return at % 64 != 0 && limb[at / 64] << (64 - at % 64) != 0;
}

/* The double nearest to limb[] * 2^exp2, ties to even; `more`: the true value lies a fraction of a
 * unit higher. The caller sees to it that units are finer than a half of the result's last bit. */
static double round_limbs(const uint64_t *limb, unsigned count, int exp2, bool more)
{
    while (count > 0 && limb[count - 1] == 0) {
        count--;
    }
    if (count == 0) {
        return 0.0;
    }
    int top = (int)(64 * count) - 1 - __builtin_clzll(limb[count - 1]);
    int last = top - 52 > -1074 - exp2 ? top - 52 : -1074 - exp2;
    if (last > top + 1) {
        return 0.0;
    }
    BB_ASSERT(last > 0);
    uint64_t with_half = bits_from(limb, count, (unsigned)(last - 1));
    uint64_t mantissa = with_half >> 1;
    if ((with_half & 1) != 0 &&
        (more || (mantissa & 1) != 0 || any_below(limb, (unsigned)(last - 1)))) {
        mantissa++;
    }
    return ldexp((double)mantissa, last + exp2);
}

/* (limb[] * 2^exp2) / 10^9 / count, rounded once; limb[] is destroyed. Only the first
 * QUOTIENT_LIMBS limbs matter but for whether anything follows. */
static double round_quotient(uint64_t *limb, unsigned limb_count, int exp2, uint64_t count)
{
    bool more = false;
    while (limb_count > 0 && limb[limb_count - 1] == 0) {
        limb_count--;
    }
    for (; limb_count > QUOTIENT_LIMBS; limb_count--) {
        more = more || limb[0] != 0;
        limb++;
        exp2 += 64;
    }
    more = divide(limb, limb_count, NANO_PER_ONE) || more;
    if (count != 1) {
        more = divide(limb, limb_count, count) || more;
    }
    return round_limbs(limb, limb_count, exp2, more);
}

static double special_value(uint32_t seen)
{
    bool both = (seen & SEEN_POS_INF) != 0 && (seen & SEEN_NEG_INF) != 0;
    if ((seen & SEEN_NAN) != 0 || both) {
        return (double)NAN;
    }
    return (seen & SEEN_POS_INF) != 0 ? (double)INFINITY : -(double)INFINITY;
}

double bbi_sum_mean(const struct bbi_sum *s, uint64_t count)
{
    if (count == 0) {
        return (double)NAN;
    }
    if (s->wide != NULL && s->wide->seen != 0) {
        return special_value(s->wide->seen);
    }
    if (s->wide == NULL) {
        if (s->nano == 0) {
            return 0.0;
        }
        if (s->nano <= DOUBLE_EXACT && s->nano >= -DOUBLE_EXACT &&
            count <= (uint64_t)DOUBLE_EXACT / NANO_PER_ONE) {
            return (double)(int64_t)s->nano / (double)(count * NANO_PER_ONE);
        }
        bool negative = s->nano < 0;
        unsigned __int128 size = negative ? -(unsigned __int128)s->nano
                                          : (unsigned __int128)s->nano;
        uint64_t limb[5] = {0, 0, 0, (uint64_t)size, (uint64_t)(size >> 64)};
        double result = round_quotient(limb, 5, -192, count);
        return negative ? -result : result;
    }
    uint64_t limb[LIMBS];
    total_limbs(s, limb);
    bool negative = make_positive(limb, LIMBS);
    double result = round_quotient(limb, LIMBS, UNIT_EXP, count);
    return negative && result != 0.0 ? -result : result;
}

double bbi_sum_value(const struct bbi_sum *s)
{
    return bbi_sum_mean(s, 1);
}

static void put_nano(struct bbi_buf *b, __int128 nano)
{
    unsigned __int128 rest = (unsigned __int128)nano << 1 ^ (unsigned __int128)(nano >> 127);
    while (rest >= 0x80) {
        bbi_buf_u8(b, (uint8_t)((uint8_t)rest | 0x80));
        rest >>= 7;
    }
    bbi_buf_u8(b, (uint8_t)rest);
}

static __int128 get_nano(struct bbi_cursor *c)
{
    unsigned __int128 rest = 0;
    for (unsigned shift = 0; shift < 133; shift += 7) {
        uint8_t byte = bbi_cursor_u8(c);
        if (shift == 126 && byte > 3) {
            break;
        }
        rest |= (unsigned __int128)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return (__int128)(rest >> 1 ^ -(rest & 1));
        }
    }
    c->err = BB_ECORRUPT;
    return 0;
}

/*
 * flags u8 (SEEN_*, HAS_WIDE, WIDE_NEGATIVE); the decimals as a zigzag varint; with HAS_WIDE the
 * accumulator's magnitude: index of the first digit that is not zero u8, digits u8, each u32.
 */
void bbi_sum_encode(const struct bbi_sum *s, struct bbi_buf *b)
{
    uint64_t limb[LIMBS] = {0};
    unsigned flags = 0;
    if (s->wide != NULL) {
        wide_limbs(s->wide, limb);
        flags = s->wide->seen | (make_positive(limb, LIMBS) ? WIDE_NEGATIVE : 0);
    }
    unsigned first = 0;
    unsigned end = 2 * LIMBS;
    while (end > 0 && (uint32_t)(limb[(end - 1) / 2] >> 32 * ((end - 1) % 2)) == 0) {
        end--;
    }
    while (first < end && (uint32_t)(limb[first / 2] >> 32 * (first % 2)) == 0) {
        first++;
    }
    if (end >= DIGITS && b->err == BB_OK) {
        b->err = BB_ELIMIT;
    }
    bbi_buf_u8(b, (uint8_t)(flags | (end != 0 ? HAS_WIDE : 0)));
    put_nano(b, s->nano);
    if (end != 0) {
        bbi_buf_u8(b, (uint8_t)first);
        bbi_buf_u8(b, (uint8_t)(end - first));
        for (unsigned d = first; d < end; d++) {
            bbi_buf_u32(b, (uint32_t)(limb[d / 2] >> 32 * (d % 2)));
        }
    }
}

static void decode_wide(struct bbi_superacc *w, struct bbi_cursor *c, int sign)
{
    unsigned first = bbi_cursor_u8(c);
    unsigned count = bbi_cursor_u8(c);
    if (count == 0 || first >= DIGITS - 1 || count > DIGITS - 1 - first) {
        c->err = BB_ECORRUPT;
        return;
    }
    for (unsigned d = first; d < first + count; d++) {
        w->digit[d] = sign * (int64_t)bbi_cursor_u32(c);
    }
    w->pending = 1;
}

int bbi_sum_decode(struct bbi_sum *s, struct bbi_cursor *c)
{
    bbi_sum_reset(s);
    unsigned flags = bbi_cursor_u8(c);
    __int128 nano = get_nano(c);
    if (flags > (WIDE_NEGATIVE | HAS_WIDE | SEEN_MASK)) {
        c->err = BB_ECORRUPT;
    }
    if (c->err == BB_OK && (flags & (HAS_WIDE | SEEN_MASK)) != 0) {
        if (need_wide(s) != BB_OK) {
            return BB_ENOMEM;
        }
        if ((flags & HAS_WIDE) != 0) {
            decode_wide(s->wide, c, (flags & WIDE_NEGATIVE) != 0 ? -1 : 1);
        }
        s->wide->seen = flags & SEEN_MASK;
    }
    if (c->err != BB_OK) {
        bbi_sum_reset(s);
        return c->err;
    }
    s->nano = nano;
    return BB_OK;
}
