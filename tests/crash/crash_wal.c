/**
 * The log against power cuts and failing operations: a random life of appends, waits, trims and
 * openings on a simulated disk, the power going or the disk failing at some operation, again and
 * again. What was acknowledged and not trimmed is always there, whole and in order; nothing is
 * taken for damage.
 */
#include "tests/lib/rng.h"
#include "tests/unit/wal_util.h"

#define NUMBERS_MAX 100000

struct life {
    struct log *log;
    struct rng random;
    uint64_t next_number;
    uint64_t acknowledged; /* number of the last frame known to be on disk */
    uint64_t checkpoint;   /* position and number of the last frame trimmed away */
    uint64_t checkpoint_number;
    uint64_t lsns[NUMBERS_MAX];
};

/* The log after a cut: all that was acknowledged, and a prefix of the rest. */
static void check_opened(struct life *v)
{
    struct log *l = v->log;
    assert_string_equal(l->report.message, "");
    uint64_t last = v->checkpoint_number + l->seen_count;
    assert_true(last >= v->acknowledged && last < v->next_number);
    for (size_t i = 0; i < l->seen_count; i++) {
        uint64_t number = v->checkpoint_number + 1 + i;
        assert_int_equal(l->seen[i].number, number);
        assert_int_equal(l->seen[i].lsn_end, v->lsns[number]);
    }
    assert_int_equal(bbi_wal_end(l->wal), last == 0 ? 0 : v->lsns[last]);
    v->next_number = last + 1;
    v->acknowledged = last;
}

static void append(struct life *v)
{
    struct log *l = v->log;
    uint64_t lsn = log_try_append(l, v->next_number,
                                  rng_below(&v->random, rng_one_in(&v->random, 8) ? 3000 : 300));
    if (lsn == 0) {
        assert_true(l->err.code == BB_EREADONLY || l->err.code == BB_EIO);
        return;
    }
    assert_true(v->next_number < NUMBERS_MAX);
    v->lsns[v->next_number++] = lsn;
    if (rng_one_in(&v->random, 2) && bbi_wal_wait(l->wal, lsn, &l->err) == BB_OK) {
        v->acknowledged = v->next_number - 1;
    }
}

static void trim(struct life *v)
{
    struct log *l = v->log;
    uint64_t number = v->checkpoint_number +
                      rng_below(&v->random, v->acknowledged - v->checkpoint_number + 1);
    if (number == 0) {
        return;
    }
    v->checkpoint_number = number;
    v->checkpoint = v->lsns[number];
    if (bbi_wal_trim(l->wal, v->checkpoint, &l->err) != BB_OK) {
        assert_int_equal(l->err.code, BB_EIO);
    }
}

static void reopen(struct life *v)
{
    struct log *l = v->log;
    bool ok = log_close(l) == BB_OK;
    if (ok) {
        v->acknowledged = v->next_number - 1;
    }
    /* A process that ends leaves the disk as it is, failed syncs and all; a cut does not. */
    simdisk_fail_op(l->disk, 0, NULL, 0, 0, false);
    bool cut = simdisk_is_dead(l->disk) || (!ok && rng_one_in(&v->random, 2));
    if (cut || log_try_open(l, v->checkpoint) != BB_OK) {
        assert_true(cut || simdisk_is_dead(l->disk));
        simdisk_reboot(l->disk, rng_u64(&v->random));
        log_open(l, v->checkpoint);
    }
    check_opened(v);
}

static void live(struct life *v, unsigned cuts)
{
    log_open(v->log, 0);
    while (cuts > 0) {
        if (rng_one_in(&v->random, 4)) {
            simdisk_cut_at(v->log->disk, 1 + rng_below(&v->random, 60));
        }
        if (rng_one_in(&v->random, 4)) {
            simdisk_fail_op(v->log->disk, 1U << rng_below(&v->random, 9), "/wal",
                            1 + rng_below(&v->random, 10), BB_EIO, rng_one_in(&v->random, 4));
        }
        unsigned steps = 1 + (unsigned)rng_below(&v->random, 60);
        while (steps-- > 0 && !simdisk_is_dead(v->log->disk)) {
            if (rng_one_in(&v->random, 25)) {
                trim(v);
            } else {
                append(v);
            }
        }
        cuts -= simdisk_is_dead(v->log->disk);
        reopen(v);
    }
}

static void test_lives(void **state)
{
    (void)state;
    struct rng seeds = rng_from_env();
    for (int i = 0; i < 20; i++) {
        struct life *v = calloc(1, sizeof(*v));
        v->log = log_create(8192, 16384);
        v->random = rng_of(rng_u64(&seeds));
        v->next_number = 1;
        live(v, 40);
        log_destroy(v->log);
        free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
