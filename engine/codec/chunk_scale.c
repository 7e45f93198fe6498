/*
 * Doubles to integers. The mode and exponent that served the chunk before are tried first; the
 * kernel that scales proves each value with the decoders' arithmetic, and what fails is an
 * exception. Too many of them start a search over all exponents on a sample.
 */
#include <math.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/codec/chunk_encode.h"

/* An exception's raw bits and position. */
#define PRICE_EXCEPTION 74

/* Exceptions that differ from a decimal by more bits than this are stored raw. */
#define NUDGE_BITS_MAX 12

#define SAMPLE_MAX   32
#define PATIENCE_MAX 4

static uint64_t gcd_of(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t magnitude(uint64_t k, uint64_t flip)
{
    return flip != 0 && (int64_t)k < 0 ? 0 - k : k;
}

/* Ends early at 1, the usual case. */
uint64_t bbi_chunk_common_divisor(const uint64_t *k, size_t n, uint64_t flip)
{
    uint64_t gcd = 0;
    for (size_t i = 0; i < n && gcd != 1; i++) {
        uint64_t v = magnitude(k[i], flip);
        if (v != 0) {
            gcd = gcd_of(v, gcd);
        }
    }
    return gcd == 0 || gcd > INT64_MAX ? 1 : gcd;
}

static struct bbi_scale scale_of(unsigned mode, unsigned exponent)
{
    struct bbi_chunk c = {.gcd = 1, .mode = (uint8_t)mode, .exponent = (uint8_t)exponent};
    return bbi_chunk_scale(&c);
}

static size_t scale_to(struct bbi_chunk_scratch *s, const uint64_t *bits, size_t n, unsigned mode,
                       unsigned exponent)
{
    struct bbi_scale scale = scale_of(mode, exponent);
    s->bad_count = bbi_kernel_get()->scale(bits, n, &scale, (int64_t *)(void *)s->k, s->bad);
    return s->bad_count;
}

/* Bits of the integers that are good, and of exceptions for the others. */
static uint32_t scaled_price(const struct bbi_chunk_scratch *s, size_t n)
{
    uint64_t all = 0;
    size_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        if (bad < s->bad_count && s->bad[bad] == i) {
            bad++;
        } else {
            all |= magnitude(s->k[i], 1);
        }
    }
    return (uint32_t)(n - bad) * (bbi_bit_length(all) + 1) + (uint32_t)bad * PRICE_EXCEPTION;
}

struct choice {
    unsigned mode;
    unsigned exponent;
};

/* Try every exponent on values spread over the chunk. */
static struct choice search(struct bbi_chunk_scratch *s, const uint64_t *bits, size_t n)
{
    uint64_t sample[SAMPLE_MAX];
    size_t count = n < SAMPLE_MAX ? n : SAMPLE_MAX;
    for (size_t i = 0; i < count; i++) {
        sample[i] = bits[i * n / count];
    }
    struct choice best = {BBI_MODE_RAW, 0};
    uint32_t least = (uint32_t)count * 60;
    for (unsigned mode = BBI_MODE_DECIMAL; mode <= BBI_MODE_FLOAT32; mode++) {
        for (unsigned e = 0; e < 10; e++) {
            size_t bad = scale_to(s, sample, count, mode, e);
            uint32_t price = scaled_price(s, count);
            if (price < least) {
                least = price;
                best = (struct choice){mode, e};
            }
            if (bad == 0) {
                break;
            }
        }
    }
    return best;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* The nearest integer to an exception, and by how much its double must be nudged (in units of the
 * last place, zigzagged) to be the exception. False: too far, or decoders might differ. */
static bool nudge(uint64_t bits, const struct bbi_scale *scale, uint64_t *k, uint64_t *by)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    double i = v * scale->power;
    if (!(fabs(i) < BBI_CHUNK_INT_LIMIT)) {
        return false;
    }
    i = (i + 0x1.8p52) - 0x1.8p52;
    double q = i / scale->power;
    double other = q;
    if (scale->divide) {
        other = i * scale->inverse;
        other = fma(fma(-other, scale->power, i), scale->inverse, other);
    }
    uint64_t decoded = bits_of(scale->float32 ? (double)(float)q : q);
    *k = (uint64_t)(int64_t)i;
    *by = bbi_zigzag((int64_t)(bits - decoded));
    return q == other && *by >> NUDGE_BITS_MAX == 0;
}

static bool fill_nudged(struct bbi_chunk_scratch *s, const uint64_t *bits,
                        const struct bbi_scale *scale)
{
    uint64_t all = 0;
    for (size_t i = 0; i < s->bad_count; i++) {
        uint16_t at = s->bad[i];
        if (!nudge(bits[at], scale, &s->k[at], &s->exceptions[i])) {
            return false;
        }
        all |= s->exceptions[i];
    }
    s->exception_width = (uint8_t)bbi_bit_length(all);
    return true;
}

/* Exceptions are nudged decimals if all of them can be, such as sums of decimals. Else they are raw
 * bits, and repeat the integer before them, so that no delta notices them; under FOR their residual
 * is 0. */
static void fill_exceptions(struct bbi_chunk_scratch *s, const uint64_t *bits, size_t n,
                            unsigned mode, unsigned exponent)
{
    struct bbi_scale scale = scale_of(mode, exponent);
    if (fill_nudged(s, bits, &scale)) {
        return;
    }
    size_t first_good = 0;
    while (first_good < s->bad_count && s->bad[first_good] == first_good) {
        first_good++;
    }
    BB_ASSERT(first_good < n);
    for (size_t i = 0; i < s->bad_count; i++) {
        uint16_t at = s->bad[i];
        s->k[at] = at < first_good ? s->k[first_good] : s->k[at - 1];
        s->exceptions[i] = bits[at];
    }
    s->exception_width = BBI_EXCEPTION_RAW;
}

/* Fewer digits than the hint for some chunks in a row: a smaller hint saves work. */
static void note_exponent(struct bbi_chunk_scratch *s, unsigned exponent)
{
    if (exponent >= s->hint_exponent) {
        s->shrunk = 0;
        s->shrunk_highest = 0;
        return;
    }
    s->shrunk++;
    s->shrunk_highest = exponent > s->shrunk_highest ? (uint8_t)exponent : s->shrunk_highest;
    if (s->shrunk == PATIENCE_MAX) {
        s->hint_exponent = s->shrunk_highest;
        s->shrunk = 0;
        s->shrunk_highest = 0;
    }
}

/* A common factor 10 is a digit too many; the proof is for one exponent, so it is made again. */
static void drop_digits(struct bbi_chunk_scratch *s, const uint64_t *bits, size_t n,
                        struct bbi_chunk *out)
{
    uint64_t gcd = bbi_chunk_common_divisor(s->k, n, 1);
    unsigned exponent = out->exponent;
    for (uint64_t rest = gcd; exponent > 0 && rest % 10 == 0; rest /= 10) {
        exponent--;
    }
    if (exponent < out->exponent) {
        size_t bad = s->bad_count;
        if (scale_to(s, bits, n, out->mode, exponent) <= bad) {
            out->exponent = (uint8_t)exponent;
        } else {
            (void)scale_to(s, bits, n, out->mode, out->exponent);
        }
        fill_exceptions(s, bits, n, out->mode, out->exponent);
        gcd = bbi_chunk_common_divisor(s->k, n, 1);
    }
    note_exponent(s, exponent);
    out->gcd = gcd;
}

/* Integers of doubles into s->k; sets mode, exponent, gcd. */
void bbi_chunk_scale_doubles(struct bbi_chunk_scratch *s, const uint64_t *bits, size_t n,
                             struct bbi_chunk *out)
{
    struct choice choice = {s->hint_mode, s->hint_exponent};
    bool good = choice.mode != BBI_MODE_RAW &&
                scale_to(s, bits, n, choice.mode, choice.exponent) <= n / 24;
    if (!good) {
        choice = search(s, bits, n);
        good = choice.mode != BBI_MODE_RAW &&
               scale_to(s, bits, n, choice.mode, choice.exponent) < n &&
               scaled_price(s, n) < n * 60;
        s->hint_mode = (uint8_t)choice.mode;
        s->hint_exponent = (uint8_t)choice.exponent;
    }
    out->mode = BBI_MODE_RAW;
    if (!good) {
        s->bad_count = 0;
        memcpy(s->k, bits, n * sizeof(*bits));
        out->gcd = bbi_chunk_common_divisor(s->k, n, 0);
        return;
    }
    out->mode = (uint8_t)choice.mode;
    out->exponent = (uint8_t)choice.exponent;
    fill_exceptions(s, bits, n, choice.mode, choice.exponent);
    drop_digits(s, bits, n, out);
}
