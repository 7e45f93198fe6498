/* Many writers, a trimmer and the sync thread on one log. */
#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/bytes.h"
#include "tests/lib/rng.h"
#include "tests/unit/wal_util.h"

enum {
    WRITERS = 6,
    FRAMES = 400 /* of each writer */
};

struct shared {
    struct log *log;
    struct bbi_wal *wal;
    pthread_mutex_t write_lock;
    uint64_t next_number;
    _Atomic uint64_t hook_lsn; /* what on_durable said last */
    _Atomic uint64_t told;     /* notices called */
    _Atomic uint64_t asked;
    _Atomic bool failed;
    _Atomic bool done;
    _Atomic uint64_t trimmed;
};

static void check(struct shared *sh, bool ok)
{
    if (!ok) {
        atomic_store(&sh->failed, true);
    }
}

static void on_durable(void *arg, uint64_t lsn)
{
    struct shared *sh = arg;
    check(sh, lsn > atomic_load(&sh->hook_lsn));
    atomic_store(&sh->hook_lsn, lsn);
}

struct request {
    struct bbi_wal_notice notice;
    struct shared *shared;
};

static void on_told(void *arg, const struct bb_error *err)
{
    struct request *r = arg;
    struct shared *sh = r->shared;
    check(sh, err == NULL && bbi_wal_durable(sh->wal) >= r->notice.lsn &&
                  atomic_load(&sh->hook_lsn) >= r->notice.lsn);
    atomic_fetch_add(&sh->told, 1);
    free(r);
}

static uint64_t append_one(struct shared *sh, size_t length)
{
    uint8_t data[PAYLOAD_MAX];
    struct bb_error err;
    uint64_t lsn;
    pthread_mutex_lock(&sh->write_lock);
    length = payload_of(++sh->next_number, data, length);
    struct bbi_wal_piece pieces[2] = {{data, length / 2}, {data + length / 2, length - length / 2}};
    check(sh, bbi_wal_append(sh->wal, pieces, NULL, &lsn, &err) == BB_OK);
    pthread_mutex_unlock(&sh->write_lock);
    return lsn;
}

static void *write_frames(void *arg)
{
    struct shared *sh = arg;
    struct bb_error err;
    struct rng r = rng_of((uint64_t)(uintptr_t)&r);
    for (int i = 0; i < FRAMES && !atomic_load(&sh->failed); i++) {
        uint64_t lsn = append_one(sh, rng_below(&r, rng_one_in(&r, 10) ? PAYLOAD_MAX : 200));
        if (rng_one_in(&r, 2)) {
            check(sh, bbi_wal_wait(sh->wal, lsn, &err) == BB_OK);
            check(sh, atomic_load(&sh->hook_lsn) >= lsn);
        } else {
            struct request *request = calloc(1, sizeof(*request));
            request->shared = sh;
            request->notice = (struct bbi_wal_notice){.lsn = lsn, .fn = on_told, .arg = request};
            atomic_fetch_add(&sh->asked, 1);
            bbi_wal_notify(sh->wal, &request->notice);
        }
    }
    return NULL;
}

static void *trim_frames(void *arg)
{
    struct shared *sh = arg;
    struct bb_error err;
    while (!atomic_load(&sh->done)) {
        uint64_t lsn = bbi_wal_durable(sh->wal);
        check(sh, bbi_wal_trim(sh->wal, lsn, &err) == BB_OK);
        atomic_store(&sh->trimmed, lsn);
        check(sh, bbi_wal_bytes(sh->wal) > 0 && bbi_wal_status(sh->wal, &err) == BB_OK);
        nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    }
    return NULL;
}

static void run(struct shared *sh, bool trim)
{
    pthread_t writers[WRITERS];
    pthread_t trimmer;
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, write_frames, sh), 0);
    }
    if (trim) {
        assert_int_equal(pthread_create(&trimmer, NULL, trim_frames, sh), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    }
    atomic_store(&sh->done, true);
    if (trim) {
        assert_int_equal(pthread_join(trimmer, NULL), 0);
    }
}

/* Every frame is delivered whole and once; a small buffer wraps around many times. */
static void write_and_reopen(bool trim)
{
    struct log *l = log_create(20000, 12000);
    struct shared sh = {.log = l, .write_lock = PTHREAD_MUTEX_INITIALIZER};
    l->options.on_durable = on_durable;
    l->options.on_durable_arg = &sh;
    log_open(l, 0);
    sh.wal = l->wal;
    run(&sh, trim);
    struct bbi_wal_stats stats;
    bbi_wal_get_stats(l->wal, &stats);
    assert_int_equal(stats.frames, WRITERS * FRAMES);
    assert_true(stats.syncs <= stats.frames);
    printf("%.1f frames a sync\n", (double)stats.frames / (double)stats.syncs);
    uint64_t end = bbi_wal_end(l->wal);
    assert_ok(log_close(l), &l->err);
    assert_int_equal(atomic_load(&sh.told), atomic_load(&sh.asked));
    assert_int_equal(atomic_load(&sh.hook_lsn), end);
    assert_false(atomic_load(&sh.failed));

    l->options.on_durable = NULL;
    log_open(l, atomic_load(&sh.trimmed));
    assert_int_equal(bbi_wal_end(l->wal), end);
    assert_int_equal(l->report.corrupt_ranges, 0);
    assert_int_equal(l->report.torn_bytes, 0);
    assert_true(trim || l->seen_count == WRITERS * FRAMES);
    for (size_t i = 0; i < l->seen_count; i++) {
        assert_int_equal(l->seen[i].number, WRITERS * FRAMES - l->seen_count + 1 + i);
    }
    log_destroy(l);
}

static void test_writers(void **state)
{
    (void)state;
    write_and_reopen(false);
}

static void test_writers_and_trimmer(void **state)
{
    (void)state;
    write_and_reopen(true);
}

/* A sync fails under load: each writer is told, and what was acknowledged is there afterwards. */
struct failing {
    struct shared shared;
    _Atomic uint64_t acknowledged;
};

static void *write_until_failure(void *arg)
{
    struct failing *f = arg;
    struct bb_error err;
    uint8_t data[200];
    for (;;) {
        uint64_t lsn;
        pthread_mutex_lock(&f->shared.write_lock);
        uint64_t number = f->shared.next_number + 1;
        size_t length = payload_of(number, data, 100);
        struct bbi_wal_piece pieces[2] = {{data, length}, {NULL, 0}};
        int rc = bbi_wal_append(f->shared.wal, pieces, NULL, &lsn, &err);
        f->shared.next_number += rc == BB_OK;
        pthread_mutex_unlock(&f->shared.write_lock);
        if (rc == BB_OK) {
            rc = bbi_wal_wait(f->shared.wal, lsn, &err);
        }
        if (rc != BB_OK) {
            check(&f->shared, rc == BB_EREADONLY);
            return NULL;
        }
        uint64_t seen = atomic_load(&f->acknowledged);
        while (seen < number && !atomic_compare_exchange_weak(&f->acknowledged, &seen, number)) {
        }
    }
}

static void test_failure_under_load(void **state)
{
    (void)state;
    for (uint64_t n = 3; n < 60; n += 7) {
        struct log *l = log_create(20000, 12000);
        struct failing f = {.shared.write_lock = PTHREAD_MUTEX_INITIALIZER};
        pthread_t writers[WRITERS];
        log_open(l, 0);
        f.shared.wal = l->wal;
        simdisk_fail_op(l->disk, SIMDISK_SYNC, "/wal", n, BB_EIO, false);
        for (int i = 0; i < WRITERS; i++) {
            assert_int_equal(pthread_create(&writers[i], NULL, write_until_failure, &f), 0);
        }
        for (int i = 0; i < WRITERS; i++) {
            assert_int_equal(pthread_join(writers[i], NULL), 0);
        }
        assert_false(atomic_load(&f.shared.failed));
        assert_int_equal(log_close(l), BB_EREADONLY);
        simdisk_reboot(l->disk, n);
        log_open(l, 0);
        assert_int_equal(l->report.corrupt_ranges, 0);
        assert_true(l->seen_count >= atomic_load(&f.acknowledged));
        assert_seen(l, 1, l->seen_count);
        log_destroy(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers),
        cmocka_unit_test(test_writers_and_trimmer),
        cmocka_unit_test(test_failure_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
