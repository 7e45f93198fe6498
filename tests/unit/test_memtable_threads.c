/* One writer and several readers of a memtable side by side. */
#include <pthread.h>
#include <stdatomic.h>

#include "engine/memtable/memtable.h"
#include "tests/lib/unit.h"
#include "tests/unit/batch_gen.h"

enum {
    READERS = 3,
    SERIES = 700, /* more than one page of the directory */
    ROUNDS = 60,
    SPACES = 3
};

struct shared {
    struct bbi_memtable *mt;
    _Atomic uint64_t visible; /* number of rounds applied */
    _Atomic bool failed;
};

/* A round gives each space's every series one row; fields and series join as rounds go on, and odd
 * series run backwards in time. */
static bool is_in(uint32_t series, uint32_t field, uint64_t round)
{
    return series < round * 40 && (field < 2 || round % field == 0);
}

static int64_t time_of(uint32_t series, uint64_t round)
{
    return series % 2 == 0 ? (int64_t)round : 1000 - (int64_t)round;
}

static void *write_rounds(void *arg)
{
    struct shared *sh = arg;
    struct bb_error err;
    struct gen *g = gen_create();
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (uint32_t rp = 0; rp < SPACES && rp < round; rp++) {
            gen_start(g, 1, rp);
            for (uint32_t s = 0; s < SERIES; s++) {
                if (!is_in(s, 0, round)) {
                    continue;
                }
                gen_point(g, 1 + s % 3, s, time_of(s, round));
                for (uint32_t f = 0; f < 20; f++) {
                    if (is_in(s, f, round)) {
                        gen_cell(g, f, BBI_UINT, round * 100 + f);
                    }
                }
            }
            if (bbi_memtable_prepare(sh->mt, &g->batch, &err) != BB_OK) {
                atomic_store(&sh->failed, true);
                break;
            }
            bbi_memtable_apply(sh->mt, &g->batch, 8 * round);
        }
        atomic_store_explicit(&sh->visible, round, memory_order_release);
    }
    free(g);
    return NULL;
}

static uint64_t rounds_seen(uint32_t rp, uint32_t series, uint32_t field, uint64_t visible)
{
    uint64_t n = 0;
    for (uint64_t round = 1; round <= visible; round++) {
        n += rp < round && is_in(series, field, round);
    }
    return n;
}

static bool check_field(const struct bbi_memspace *space, uint32_t rp, uint32_t series,
                        uint32_t field, uint64_t visible, struct bbi_memrows *rows)
{
    struct bb_error err;
    if (bbi_memspace_read(space, series, field, INT64_MIN, INT64_MAX, 8 * visible, rows, &err) !=
            BB_OK ||
        rows->count != rounds_seen(rp, series, field, visible)) {
        return false;
    }
    for (size_t i = 0; i < rows->count; i++) {
        uint64_t round = rows->lsns[i] / 8;
        if (rows->bits[i] != round * 100 + field || rows->times[i] != time_of(series, round) ||
            (i > 0 && rows->times[i] <= rows->times[i - 1])) {
            return false;
        }
    }
    return true;
}

/* Everything visible is listed, and within the bounds. */
static bool check_lists(const struct bbi_memspace *space, uint32_t rp, uint64_t visible)
{
    struct bb_error err;
    struct bbi_memseries *series;
    size_t count;
    if (bbi_memspace_series(space, NULL, &series, &count, &err) != BB_OK) {
        return false;
    }
    bbi_mem_free(series);
    uint64_t least = rp < visible ? (visible * 40 < SERIES ? visible * 40 : SERIES) : 0;
    int64_t tmin;
    int64_t tmax;
    bool there = bbi_memspace_series_range(space, 0, &tmin, &tmax);
    return count >= least && (least == 0 || (there && tmax >= (int64_t)visible));
}

static bool check_once(struct shared *sh, struct rng *r, struct bbi_memrows *rows,
                       struct bbi_memmerge *merge)
{
    struct bb_error err;
    uint64_t visible = atomic_load_explicit(&sh->visible, memory_order_acquire);
    uint32_t rp = (uint32_t)rng_below(r, SPACES);
    uint32_t series = (uint32_t)rng_below(r, SERIES);
    const struct bbi_memspace *space = bbi_memtable_space(sh->mt, 1, rp);
    if (space == NULL) {
        return rp >= visible;
    }
    if (!check_field(space, rp, series, (uint32_t)rng_below(r, 20), visible, rows) ||
        bbi_memspace_read_series(space, series, INT64_MIN, INT64_MAX, 8 * visible, merge, &err) !=
            BB_OK) {
        return false;
    }
    return merge->count == rounds_seen(rp, series, 0, visible) &&
           (!rng_one_in(r, 10) || check_lists(space, rp, visible));
}

static void *read_rounds(void *arg)
{
    struct shared *sh = arg;
    struct rng r = rng_of((uint64_t)(uintptr_t)&r);
    struct bbi_memrows rows;
    struct bbi_memmerge merge;
    bbi_memrows_init(&rows, NULL);
    bbi_memmerge_init(&merge, NULL);
    bool ok = true;
    while (ok && atomic_load(&sh->visible) < ROUNDS) {
        ok = check_once(sh, &r, &rows, &merge);
    }
    for (int i = 0; ok && i < 300; i++) {
        ok = check_once(sh, &r, &rows, &merge);
    }
    if (!ok) {
        atomic_store(&sh->failed, true);
    }
    bbi_memmerge_fini(&merge);
    bbi_memrows_fini(&rows);
    return NULL;
}

static void test_readers_beside_the_writer(void **state)
{
    (void)state;
    struct bb_error err;
    struct shared sh = {.visible = 0};
    assert_ok(bbi_memtable_create(NULL, 0, &sh.mt, &err), &err);
    pthread_t writer;
    pthread_t readers[READERS];
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_rounds, &sh), 0);
    }
    assert_int_equal(pthread_create(&writer, NULL, write_rounds, &sh), 0);
    assert_int_equal(pthread_join(writer, NULL), 0);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    assert_false(atomic_load(&sh.failed));
    bbi_memtable_unref(&sh.mt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_beside_the_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
