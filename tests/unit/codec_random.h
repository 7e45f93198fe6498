/**
 * Random and adversarial integers for the codec tests; the seed is printed, BUSBAR_SEED sets it.
 */
#ifndef TESTS_CODEC_RANDOM_H
#define TESTS_CODEC_RANDOM_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct codec_random {
    uint64_t state;
};

static inline void codec_random_init(struct codec_random *r)
{
    const char *set = getenv("BUSBAR_SEED");
    r->state = set != NULL ? strtoull(set, NULL, 0) : (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u;
    printf("BUSBAR_SEED=0x%" PRIx64 "\n", r->state);
}

/** splitmix64 */
static inline uint64_t codec_random_u64(struct codec_random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/** 0..limit-1 */
static inline uint64_t codec_random_below(struct codec_random *r, uint64_t limit)
{
    return codec_random_u64(r) % limit;
}

/** At most `width` significant bits. */
static inline uint64_t codec_random_bits(struct codec_random *r, unsigned width)
{
    return width == 0 ? 0 : codec_random_u64(r) >> (64 - width);
}

#define CODEC_SHAPES 14

/** Fill v[n] with integers of one of CODEC_SHAPES shapes. */
static inline void codec_random_shape(struct codec_random *r, unsigned shape, uint64_t *v, size_t n)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   UINT64_MAX,
                                   (uint64_t)INT64_MAX,
                                   (uint64_t)INT64_MIN,
                                   (uint64_t)1 << 53,
                                   ((uint64_t)1 << 53) + 1,
                                   ((uint64_t)1 << 53) - 1,
                                   (uint64_t)INT64_MIN + 1};
    unsigned width = (unsigned)codec_random_below(r, 65);
    uint64_t start = codec_random_bits(r, (unsigned)codec_random_below(r, 65));
    uint64_t step = codec_random_bits(r, (unsigned)codec_random_below(r, 20));
    for (size_t i = 0; i < n; i++) {
        uint64_t noise = codec_random_bits(r, width);
        uint64_t rare = codec_random_below(r, 50) == 0;
        uint64_t last = i == 0 ? start : v[i - 1];
        const uint64_t shapes[CODEC_SHAPES] = {
            0,
            start,
            noise,
            start + noise,
            last + step,
            last + codec_random_below(r, step + 1),
            last + codec_random_below(r, 7) - 3,
            start + step * i * i,
            rare ? noise : codec_random_bits(r, width / 2),
            rare ? last + noise : last,
            rare ? 0 - noise : start + codec_random_below(r, 1000),
            odd[codec_random_below(r, sizeof(odd) / sizeof(odd[0]))],
            codec_random_bits(r, (unsigned)codec_random_below(r, 65)),
            start + codec_random_below(r, 5) * step,
        };
        v[i] = shapes[shape];
    }
}

#endif
