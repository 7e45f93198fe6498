/**
 * From a line's raw series key to the series id, without parsing the key: a bounded cache by its
 * 128-bit hash.
 *
 * The seed is random in each process, so that nobody can prepare keys that collide; two of ten
 * million keys do so with a probability below 10^-24. Full buckets forget an entry; a lost one only
 * costs the look-up in the catalog. Thread  get by many under a read lock, put by one under the
 * write lock: bbi_series_cache_lock and its kin.
 */
#ifndef BBI_SERIES_CACHE_H
#define BBI_SERIES_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"

struct bbi_series_cache;

int bbi_series_cache_create(struct bbi_account *acct, uint64_t max_bytes,
                            struct bbi_series_cache **out, struct bb_error *err) BB_CHECKED;
void bbi_series_cache_destroy(struct bbi_series_cache **cache);

void bbi_series_cache_read_lock(struct bbi_series_cache *cache);
void bbi_series_cache_write_lock(struct bbi_series_cache *cache);
void bbi_series_cache_unlock(struct bbi_series_cache *cache);

/** The hash of a raw key in a database. */
struct bbi_hash128 bbi_series_cache_hash(const struct bbi_series_cache *cache, uint32_t db_id,
                                         const void *key, size_t len);

/** Begin to bring in what a get of this hash will look at. */
void bbi_series_cache_prefetch(const struct bbi_series_cache *cache, struct bbi_hash128 hash);

/** False: not cached. */
bool bbi_series_cache_get(const struct bbi_series_cache *cache, struct bbi_hash128 hash,
                          uint32_t *series_id, uint32_t *measurement_id);

/** Remember; may forget another. With an epoch that is past, nothing is remembered. */
void bbi_series_cache_put(struct bbi_series_cache *cache, uint64_t epoch, struct bbi_hash128 hash,
                          uint32_t series_id, uint32_t measurement_id);

/**
 * Forget everything, because series were dropped, and begin a new epoch. Called without the lock.
 *
 * Whoever resolves names notes the epoch first, under the lock; what was resolved in an epoch that
 * is past may be gone.
 */
void bbi_series_cache_clear(struct bbi_series_cache *cache);
uint64_t bbi_series_cache_epoch(const struct bbi_series_cache *cache);

#endif
