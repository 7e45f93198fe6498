#include "engine/series_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#include "engine/base/clock.h"

#define WAYS        5
#define BUCKETS_MIN 1024

struct entry {
    uint64_t low;
    uint64_t high;
    uint32_t series_id; /* 0: free */
    uint32_t measurement_id;
};

/* Two cache lines; the rest counts puts, to choose whom to forget. */
struct bucket {
    struct entry entries[WAYS];
    uint64_t puts;
};

_Static_assert(sizeof(struct bucket) == 128, "a bucket is two cache lines");

struct bbi_series_cache {
    pthread_rwlock_t lock;
    struct bbi_account *acct;
    struct bucket *buckets;
    uint64_t bucket_count; /* a power of two */
    uint64_t buckets_max;
    uint64_t used;
    uint64_t seed;
    _Atomic uint64_t epoch;
};

/* Readers hold the lock for a batch each; without preference they would never let a new series in.
 */
static bool init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attr;
    if (pthread_rwlockattr_init(&attr) != 0) {
        return false;
    }
    (void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    bool ok = pthread_rwlock_init(lock, &attr) == 0;
    (void)pthread_rwlockattr_destroy(&attr);
    return ok;
}

int bbi_series_cache_create(struct bbi_account *acct, uint64_t max_bytes,
                            struct bbi_series_cache **out, struct bb_error *err)
{
    *out = NULL;
    struct bbi_series_cache *c = bbi_mem_zalloc(acct, 1, sizeof(*c));
    if (c == NULL) {
        return bbi_error_nomem(err, "series cache");
    }
    c->acct = acct;
    c->bucket_count = BUCKETS_MIN;
    c->buckets_max = max_bytes / sizeof(struct bucket);
    c->buckets = bbi_mem_zalloc(acct, c->bucket_count, sizeof(struct bucket));
    if (c->buckets == NULL || !init_lock(&c->lock)) {
        bbi_mem_free(c->buckets);
        bbi_mem_free(c);
        return bbi_error_nomem(err, "series cache");
    }
    if (getrandom(&c->seed, sizeof(c->seed), 0) != (ssize_t)sizeof(c->seed)) {
        c->seed = (uint64_t)bbi_clock_wall_ns() ^ (uint64_t)(uintptr_t)c;
    }
    *out = c;
    return BB_OK;
}

void bbi_series_cache_destroy(struct bbi_series_cache **cache)
{
    struct bbi_series_cache *c = *cache;
    *cache = NULL;
    if (c != NULL) {
        (void)pthread_rwlock_destroy(&c->lock);
        bbi_mem_free(c->buckets);
        bbi_mem_free(c);
    }
}

void bbi_series_cache_read_lock(struct bbi_series_cache *cache)
{
    BB_ASSERT(pthread_rwlock_rdlock(&cache->lock) == 0);
}

void bbi_series_cache_write_lock(struct bbi_series_cache *cache)
{
    BB_ASSERT(pthread_rwlock_wrlock(&cache->lock) == 0);
}

void bbi_series_cache_unlock(struct bbi_series_cache *cache)
{
    BB_ASSERT(pthread_rwlock_unlock(&cache->lock) == 0);
}

struct bbi_hash128 bbi_series_cache_hash(const struct bbi_series_cache *cache, uint32_t db_id,
                                         const void *key, size_t len)
{
    return bbi_hash128_seed(key, len, cache->seed ^ ((uint64_t)db_id << 32));
}

static struct bucket *bucket_of(struct bucket *buckets, uint64_t count, uint64_t low)
{
    return &buckets[low & (count - 1)];
}

void bbi_series_cache_prefetch(const struct bbi_series_cache *cache, struct bbi_hash128 hash)
{
    const struct bucket *b = bucket_of(cache->buckets, cache->bucket_count, hash.low);
    __builtin_prefetch(b);
    __builtin_prefetch((const char *)b + sizeof(*b) / 2);
}

bool bbi_series_cache_get(const struct bbi_series_cache *cache, struct bbi_hash128 hash,
                          uint32_t *series_id, uint32_t *measurement_id)
{
    const struct bucket *b = bucket_of(cache->buckets, cache->bucket_count, hash.low);
    for (size_t i = 0; i < WAYS; i++) {
        const struct entry *e = &b->entries[i];
        if (e->low == hash.low && e->high == hash.high && e->series_id != 0) {
            *series_id = e->series_id;
            *measurement_id = e->measurement_id;
            return true;
        }
    }
    return false;
}

static void place(struct bbi_series_cache *cache, const struct entry *entry)
{
    struct bucket *b = bucket_of(cache->buckets, cache->bucket_count, entry->low);
    struct entry *at = &b->entries[b->puts % WAYS];
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *e = &b->entries[i];
        if (e->series_id == 0 || (e->low == entry->low && e->high == entry->high)) {
            at = e;
            break;
        }
    }
    cache->used += at->series_id == 0;
    *at = *entry;
    b->puts++;
}

static bool is_full(const struct bucket *b)
{
    for (size_t i = 0; i < WAYS; i++) {
        if (b->entries[i].series_id == 0) {
            return false;
        }
    }
    return true;
}

/* Without memory the cache stays as large as it is. */
static void grow(struct bbi_series_cache *cache)
{
    uint64_t old_count = cache->bucket_count;
    struct bucket *old = cache->buckets;
    struct bucket *bigger = bbi_mem_zalloc(cache->acct, old_count * 2, sizeof(struct bucket));
    if (bigger == NULL) {
        cache->buckets_max = old_count;
        return;
    }
    cache->buckets = bigger;
    cache->bucket_count = old_count * 2;
    cache->used = 0;
    for (uint64_t i = 0; i < old_count; i++) {
        for (size_t k = 0; k < WAYS; k++) {
            if (old[i].entries[k].series_id != 0) {
                place(cache, &old[i].entries[k]);
            }
        }
    }
    bbi_mem_free(old);
}

void bbi_series_cache_put(struct bbi_series_cache *cache, uint64_t epoch, struct bbi_hash128 hash,
                          uint32_t series_id, uint32_t measurement_id)
{
    if (epoch != bbi_series_cache_epoch(cache)) {
        return;
    }
    uint64_t slots = cache->bucket_count * WAYS;
    bool crowded = cache->used >= slots / 2 ||
                   (cache->used >= slots / 8 &&
                    is_full(bucket_of(cache->buckets, cache->bucket_count, hash.low)));
    if (crowded && cache->bucket_count * 2 <= cache->buckets_max) {
        grow(cache);
    }
    struct entry entry = {hash.low, hash.high, series_id, measurement_id};
    place(cache, &entry);
}

void bbi_series_cache_clear(struct bbi_series_cache *cache)
{
    bbi_series_cache_write_lock(cache);
    memset(cache->buckets, 0, cache->bucket_count * sizeof(struct bucket));
    cache->used = 0;
    atomic_fetch_add(&cache->epoch, 1);
    bbi_series_cache_unlock(cache);
}

uint64_t bbi_series_cache_epoch(const struct bbi_series_cache *cache)
{
    return atomic_load(&cache->epoch);
}
