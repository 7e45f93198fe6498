/*
 * Many writers resolve the same series, one thread takes pending records, rotates and commits,
 * readers select and list: each key has one id, and what was resolved is found at once and ever
 * after, wherever it is just then.
 */
#include "tests/lib/unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/rng.h"
#include "tests/unit/catalog_util.h"

#define KEYS    3000
#define WRITERS 3
#define READERS 2

struct shared {
    struct cat c;
    uint32_t db;
    _Atomic uint32_t sids[KEYS]; /* 0: not yet resolved */
    _Atomic uint64_t resolved;
    _Atomic bool stop;
    _Atomic uint64_t selects;
    _Atomic unsigned commits;
};

static struct shared shared;

/* cmocka's assertions belong to the main thread. */
#define CHECK(expr) BB_ASSERT(expr)

static void resolve(struct shared *s, unsigned n)
{
    char device[16];
    char group[16];
    struct bb_error err;
    uint32_t mid;
    uint32_t sid;
    uint32_t field;
    bool created;
    int device_len = snprintf(device, sizeof(device), "d%u", n);
    int group_len = snprintf(group, sizeof(group), "g%u", n % 10);
    const struct bbi_tag tags[] = {
        {(const uint8_t *)"device", 6, (uint8_t *)device, (size_t)device_len},
        {(const uint8_t *)"group", 5, (uint8_t *)group, (size_t)group_len}};
    int rc = bbi_catalog_series_resolve(s->c.catalog, s->db, (const uint8_t *)"m", 1, tags, 2, &mid,
                                        &sid, &created, &err);
    CHECK(rc == BB_OK && sid != 0 && sid <= KEYS);
    rc = bbi_catalog_field_resolve(s->c.catalog, s->db, mid, (uint8_t *)group, (size_t)group_len,
                                   BBI_FLOAT, &field, &err);
    CHECK(rc == BB_OK);
    uint32_t was = atomic_exchange(&s->sids[n], sid);
    CHECK(was == 0 || was == sid);
    if (created) {
        atomic_fetch_add(&s->resolved, 1);
    }
}

static void *write_some(void *arg)
{
    struct rng rng = rng_of((uint64_t)(uintptr_t)arg);
    for (unsigned i = 0; i < KEYS; i++) {
        resolve(&shared, i);
        resolve(&shared, (unsigned)rng_below(&rng, i + 1));
        /* Some keys between two commits, so that there are many commits. */
        while (i % 64 == 63 && atomic_load(&shared.commits) < i / 64) {
            sched_yield();
        }
    }
    return NULL;
}

/* What was resolved before the question is in the answer. */
static void *read_some(void *arg)
{
    struct rng rng = rng_of((uint64_t)(uintptr_t)arg + 77);
    while (!atomic_load(&shared.stop)) {
        struct bb_error err;
        roaring_bitmap_t *ids;
        struct bbi_names names;
        char group[16];
        unsigned g = (unsigned)rng_below(&rng, 10);
        uint32_t before[KEYS / 10];
        size_t count = 0;
        (void)snprintf(group, sizeof(group), "g%u", g);
        const struct bbi_tagpred pred = {.op = rng_one_in(&rng, 2) ? BBI_TAGPRED_EQ
                                                                   : BBI_TAGPRED_NEQ,
                                         .key = (const uint8_t *)"group",
                                         .key_len = 5,
                                         .value = (uint8_t *)group,
                                         .value_len = 2};
        for (unsigned n = g; n < KEYS; n += 10) {
            uint32_t sid = atomic_load(&shared.sids[n]);
            if (sid != 0) {
                before[count++] = sid;
            }
        }
        int rc = bbi_catalog_select(shared.c.catalog, shared.db, 0, &pred, &ids, &err);
        CHECK(rc == BB_OK);
        for (size_t i = 0; i < count; i++) {
            CHECK(roaring_bitmap_contains(ids, before[i]) == (pred.op == BBI_TAGPRED_EQ));
        }
        rc = bbi_catalog_tag_values(shared.c.catalog, shared.db, 0, (const uint8_t *)"device", 6,
                                    ids, NULL, &names, &err);
        CHECK(rc == BB_OK);
        CHECK(names.count >= (pred.op == BBI_TAGPRED_EQ ? count : 0));
        bbi_names_fini(&names);
        roaring_bitmap_free(ids);
        atomic_fetch_add(&shared.selects, 1);
    }
    return NULL;
}

static int count_one(void *arg, uint32_t sid, uint32_t mid, const uint8_t *key, size_t key_len,
                     struct bb_error *err)
{
    (void)sid;
    (void)mid;
    (void)err;
    CHECK(bbi_key_valid(key, key_len));
    ++*(uint64_t *)arg;
    return BB_OK;
}

/* Counts never fall, and nothing is told twice. */
static void *list_some(void *arg)
{
    (void)arg;
    while (!atomic_load(&shared.stop)) {
        struct bb_error err;
        uint64_t least = atomic_load(&shared.resolved);
        uint64_t told = 0;
        uint64_t count;
        int rc = bbi_catalog_series_each(shared.c.catalog, shared.db, NULL, NULL, count_one, &told,
                                         &err);
        CHECK(rc == BB_OK && told >= least && told <= KEYS);
        rc = bbi_catalog_series_count(shared.c.catalog, shared.db, 0, &count, &err);
        CHECK(rc == BB_OK && count >= told && count <= KEYS);
    }
    return NULL;
}

static void test_writers_readers_and_commits(void **state)
{
    (void)state;
    pthread_t writers[WRITERS];
    pthread_t readers[READERS + 1];
    struct bb_error err;
    cat_init(&shared.c, 1);
    cat_open(&shared.c);
    shared.db = cat_create_db(&shared.c, "d");
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, write_some, (void *)(uintptr_t)i), 0);
    }
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_some, (void *)(uintptr_t)i), 0);
    }
    assert_int_equal(pthread_create(&readers[READERS], NULL, list_some, NULL), 0);
    while (atomic_load(&shared.resolved) < KEYS && shared.c.frame_count < 4000) {
        if (shared.commits % 7 == 6) {
            cat_log(&shared.c);
            assert_ok(bbi_catalog_rotate(shared.c.catalog, &err), &err);
        } else {
            cat_flush(&shared.c);
        }
        atomic_fetch_add(&shared.commits, 1);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    }
    cat_flush(&shared.c);
    atomic_store(&shared.stop, true);
    for (size_t i = 0; i < READERS + 1; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    print_message("%u commits, %llu selects\n", atomic_load(&shared.commits),
                  (unsigned long long)atomic_load(&shared.selects));
    assert_int_equal(atomic_load(&shared.resolved), KEYS);
    assert_true(atomic_load(&shared.commits) >= KEYS / 64 - 1);

    /* The log alone makes the same ids. */
    cat_close(&shared.c);
    cat_remove(&shared.c, CAT_INDEX);
    cat_open(&shared.c);
    for (unsigned n = 0; n < KEYS; n++) {
        resolve(&shared, n);
    }
    assert_int_equal(atomic_load(&shared.resolved), KEYS);
    cat_fini(&shared.c);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers_readers_and_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
