/** Values of every type in many shapes, ordinary and adversarial, for the chunk tests. */
#ifndef TESTS_CODEC_VALUES_H
#define TESTS_CODEC_VALUES_H

#include <math.h>
#include <string.h>

#include "engine/base/batch.h"
#include "tests/unit/codec_random.h"

static inline uint64_t codec_bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static inline double codec_double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static inline double codec_odd_double(struct codec_random *r)
{
    static const double odd[] = {
        0.0,      -0.0, INFINITY, -INFINITY, 5e-324,  -5e-324,   2.2e-308,         1.7e308,
        -1.7e308, 1e15, 1e15 - 1, -1e15,     1e16,    0x1p53,    0x1p53 + 2,       0x1p62,
        -0x1p63,  0.1,  1e-9,     1e-10,     1.0 / 3, 0.1 + 0.2, 999999999999999.0};
    uint64_t pick = codec_random_below(r, sizeof(odd) / sizeof(odd[0]) + 2);
    if (pick < sizeof(odd) / sizeof(odd[0])) {
        return odd[pick];
    }
    /* NaNs with payloads and signs, quiet and signalling */
    return codec_double_of(UINT64_C(0x7ff0000000000001) | codec_random_u64(r));
}

#define CODEC_DOUBLE_SHAPES 21

/** Fill bits[n] with doubles of one of CODEC_DOUBLE_SHAPES shapes. */
static inline void codec_doubles(struct codec_random *r, unsigned shape, uint64_t *bits, size_t n)
{
    unsigned digits = (unsigned)codec_random_below(r, 10);
    double power = pow(10, digits);
    int64_t walk = (int64_t)codec_random_below(r, 100000);
    int64_t step = (int64_t)codec_random_below(r, 50);
    double last = 0;
    for (size_t i = 0; i < n; i++) {
        bool rare = codec_random_below(r, 40) == 0;
        int64_t noise = (int64_t)codec_random_below(r, 1000);
        int64_t skewed = (int64_t)codec_random_bits(r, (unsigned)codec_random_below(r, 14));
        walk += (int64_t)codec_random_below(r, 41) - 20;
        double small = (double)skewed / 1000;
        double odd = codec_odd_double(r);
        const double shapes[CODEC_DOUBLE_SHAPES] = {
            0.25,
            small,
            (double)walk / 1000,
            (double)noise / power,
            last + (double)codec_random_below(r, 400) / 1000,
            (double)((int64_t)i * step + walk / 64) / 100,
            (double)(float)((double)walk / 100),
            (double)((float)walk / 3.0F),
            rare ? odd : small,
            odd,
            codec_double_of(codec_random_u64(r)),
            (double)(i / 50 * 7) / 10,
            (double)(230000 + walk / 10 * 10) / 1000,
            (double)(noise % 7 * 1531) / 100,
            rare ? 1e12 : (double)noise,
            sin((double)i / 30) * 100,
            (double)(noise + walk) / 3,
            rare ? last + (double)skewed : last,
            rare ? -(double)skewed : (double)skewed * 5 / 1000,
            small + (double)noise / 1000,
            ldexp((double)noise, (int)codec_random_below(r, 100) - 50),
        };
        double v = shapes[shape];
        last = v;
        bits[i] = codec_bits_of(v);
    }
    if (shape == 10 && codec_random_below(r, 4) == 0) {
        for (size_t i = 0; i < n; i++) {
            bits[i] = UINT64_C(0x7ff8000000000123);
        }
    }
}

/** Shapes of a type. */
static inline unsigned codec_value_shapes(enum bbi_type type)
{
    return type == BBI_FLOAT ? CODEC_DOUBLE_SHAPES : CODEC_SHAPES;
}

/** Fill bits[n] with values of a type. */
static inline void codec_values(struct codec_random *r, enum bbi_type type, unsigned shape,
                                uint64_t *bits, size_t n)
{
    if (type == BBI_FLOAT) {
        codec_doubles(r, shape, bits, n);
        return;
    }
    codec_random_shape(r, shape, bits, n);
    for (size_t i = 0; type == BBI_BOOL && i < n; i++) {
        bits[i] = shape % 3 == 0 ? bits[i] & 1 : (bits[i] >> 7) % 16 == 0;
    }
}

#endif
