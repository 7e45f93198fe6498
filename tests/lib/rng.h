/** Random numbers for tests: one seed, printed; BUSBAR_SEED repeats a run. */
#ifndef TESTS_LIB_RNG_H
#define TESTS_LIB_RNG_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rng {
    uint64_t state;
};

/** A generator with this very seed. */
static inline struct rng rng_of(uint64_t seed)
{
    return (struct rng){.state = seed};
}

/** A generator whose seed is BUSBAR_SEED or the time; prints it. */
static inline struct rng rng_from_env(void)
{
    const char *set = getenv("BUSBAR_SEED");
    uint64_t seed = set != NULL ? strtoull(set, NULL, 0)
                                : (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u;
    printf("BUSBAR_SEED=0x%" PRIx64 "\n", seed);
    return rng_of(seed);
}

/** splitmix64 */
static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/** 0 .. limit - 1 */
static inline uint64_t rng_below(struct rng *r, uint64_t limit)
{
    return rng_u64(r) % limit;
}

/** True once in n times. */
static inline int rng_one_in(struct rng *r, uint64_t n)
{
    return rng_below(r, n) == 0;
}

/** Any finite double, all exponents alike. */
static inline double rng_finite(struct rng *r)
{
    for (;;) {
        uint64_t bits = rng_u64(r);
        if ((bits >> 52 & 0x7ff) != 0x7ff) {
            double v;
            memcpy(&v, &bits, sizeof(v));
            return v;
        }
    }
}

#endif
