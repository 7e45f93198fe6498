/** XXH3, for checksums on disk and for hash tables. */
#ifndef BBI_BASE_HASH_H
#define BBI_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct bbi_hash128 {
    uint64_t low;
    uint64_t high;
};

/** XXH3_64bits: the checksum of every format on disk. */
uint64_t bbi_hash64(const void *p, size_t len);

/** XXH3_64bits with a seed: hash tables whose keys come from outside take a random one. */
uint64_t bbi_hash64_seed(const void *p, size_t len, uint64_t seed);

struct bbi_hash128 bbi_hash128_seed(const void *p, size_t len, uint64_t seed);

#endif
