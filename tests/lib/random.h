/**
 * Random numbers for tests; the seed is printed, BUSBAR_SEED sets it.
 */
#ifndef TESTS_LIB_RANDOM_H
#define TESTS_LIB_RANDOM_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct test_random {
    uint64_t state;
};

static inline void test_random_init(struct test_random *r)
{
    const char *set = getenv("BUSBAR_SEED");
    r->state = set != NULL ? strtoull(set, NULL, 0) : (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u;
    printf("BUSBAR_SEED=0x%" PRIx64 "\n", r->state);
}

/** splitmix64 */
static inline uint64_t test_random_u64(struct test_random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/** 0..limit-1 */
static inline uint32_t test_random_below(struct test_random *r, uint64_t limit)
{
    return (uint32_t)(test_random_u64(r) % limit);
}

#endif
