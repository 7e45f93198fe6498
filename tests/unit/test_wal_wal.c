#include "engine/wal/wal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "engine/wal/format.h"
#include "tests/unit/wal_util.h"

/* ---- a log that nothing happens to ---- */

static void test_new_log(void **state)
{
    (void)state;
    struct log *l = log_create(0, 0);
    log_open(l, 0);
    assert_int_equal(l->report.frames, 0);
    assert_string_equal(l->report.message, "");
    assert_int_equal(bbi_wal_end(l->wal), 0);
    assert_int_equal(bbi_wal_durable(l->wal), 0);
    assert_ok(bbi_wal_wait(l->wal, 0, &l->err), &l->err);
    assert_int_equal(bbi_wal_bytes(l->wal), WAL_FILE_HEADER);
    log_reopen(l, 0);
    assert_int_equal(count_files(l, "/wal"), 1);
    log_destroy(l);
}

static void test_append_and_reopen(void **state)
{
    (void)state;
    struct log *l = log_create(0, 0);
    log_open(l, 0);
    uint64_t end = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        uint64_t lsn = log_put(l, i, i * 3);
        size_t length = i * 3 < 8 ? 8 : i * 3;
        assert_int_equal(lsn, end + WAL_FRAME_HEADER + (length + 7) / 8 * 8);
        end = lsn;
    }
    assert_int_equal(bbi_wal_end(l->wal), end);
    assert_int_equal(bbi_wal_bytes(l->wal), WAL_FILE_HEADER + end);
    log_reopen(l, 0);
    assert_seen(l, 1, 100);
    assert_int_equal(l->report.bytes, end);
    assert_int_equal(l->report.torn_bytes, 0);
    assert_int_equal(l->report.corrupt_ranges, 0);
    assert_int_equal(l->seen[99].lsn_end, end);
    assert_int_equal(bbi_wal_end(l->wal), end);
    assert_int_equal(simdisk_used(l->disk), WAL_FILE_HEADER + end);
    log_put(l, 101, 10);
    log_reopen(l, 0);
    assert_seen(l, 1, 101);
    log_destroy(l);
}

static void test_sources(void **state)
{
    (void)state;
    struct log *l = log_create(0, 0);
    log_open(l, 0);
    uint8_t data[100];
    uint64_t lsn;
    payload_of(1, data, 100);
    struct bbi_wal_piece pieces[2] = {{data, 100}, {NULL, 0}};
    struct bb_source source = {"meters", 7, UINT64_MAX, 3};
    assert_ok(bbi_wal_append(l->wal, pieces, &source, &lsn, &l->err), &l->err);
    source = (struct bb_source){NULL, 1, 2, 3};
    assert_ok(bbi_wal_append(l->wal, pieces, &source, &lsn, &l->err), &l->err);
    log_append(l, 3, 20);
    log_reopen(l, 0);
    assert_int_equal(l->seen_count, 3);
    assert_true(l->seen[0].has_source);
    assert_string_equal(l->seen[0].topic, "meters");
    assert_int_equal(l->seen[0].source.partition, 7);
    assert_int_equal(l->seen[0].source.offset, UINT64_MAX);
    assert_int_equal(l->seen[0].source.epoch, 3);
    assert_true(l->seen[1].has_source);
    assert_string_equal(l->seen[1].topic, "");
    assert_false(l->seen[2].has_source);

    char topic[BBI_WAL_TOPIC_MAX + 2];
    memset(topic, 't', sizeof(topic) - 1);
    topic[sizeof(topic) - 1] = '\0';
    source.topic = topic;
    assert_int_equal(bbi_wal_append(l->wal, pieces, &source, &lsn, &l->err), BB_ELIMIT);
    topic[BBI_WAL_TOPIC_MAX] = '\0';
    assert_ok(bbi_wal_append(l->wal, pieces, &source, &lsn, &l->err), &l->err);
    log_reopen(l, 0);
    assert_int_equal(l->seen_count, 4);
    log_destroy(l);
}

static void test_limits(void **state)
{
    (void)state;
    struct log *l = log_create(0, 4096);
    log_open(l, 0);
    assert_int_equal(log_try_append(l, 1, 4096 - WAL_FRAME_HEADER + 1), 0);
    assert_int_equal(l->err.code, BB_ELIMIT);
    log_put(l, 1, 4096 - WAL_FRAME_HEADER);
    log_put(l, 2, 4096 - WAL_FRAME_HEADER);
    log_reopen(l, 0);
    assert_seen(l, 1, 2);
    log_destroy(l);

    struct bb_error err;
    struct bbi_wal *wal;
    assert_int_equal(
        bbi_wal_open(bbi_fs_posix(), "/", NULL, NULL, NULL, 4, NULL, NULL, &wal, NULL, &err),
        BB_EINVAL);
    assert_null(wal);
}

/* ---- files ---- */

static void test_files_and_trim(void **state)
{
    (void)state;
    struct log *l = log_create(4096, 0);
    log_open(l, 0);
    uint64_t lsns[101] = {0};
    for (uint64_t i = 1; i <= 100; i++) {
        lsns[i] = log_put(l, i, 400);
    }
    assert_in_range(count_files(l, "/wal"), 12, 14);
    log_reopen(l, 0);
    assert_seen(l, 1, 100);

    assert_ok(bbi_wal_trim(l->wal, lsns[50], &l->err), &l->err);
    assert_in_range(count_files(l, "/wal"), 6, 8);
    assert_in_range(bbi_wal_bytes(l->wal), 50 * 400, 62 * 450);
    log_reopen(l, lsns[50]);
    assert_seen(l, 51, 100);
    assert_string_equal(l->report.message, "");

    assert_ok(bbi_wal_trim(l->wal, lsns[100], &l->err), &l->err);
    assert_int_equal(count_files(l, "/wal"), 1);
    assert_int_equal(simdisk_used(l->disk), WAL_FILE_HEADER);
    assert_int_equal(bbi_wal_bytes(l->wal), WAL_FILE_HEADER);
    assert_ok(bbi_wal_trim(l->wal, lsns[100], &l->err), &l->err);
    assert_int_equal(bbi_wal_end(l->wal), lsns[100]);
    log_put(l, 101, 400);
    log_reopen(l, lsns[100]);
    assert_seen(l, 101, 101);
    log_destroy(l);
}

/* Opening at a checkpoint delivers what lies above and removes what does not count any more. */
static void test_checkpoint(void **state)
{
    (void)state;
    struct log *l = log_create(4096, 0);
    log_open(l, 0);
    uint64_t lsns[41] = {0};
    for (uint64_t i = 1; i <= 40; i++) {
        lsns[i] = log_put(l, i, 300);
    }
    for (uint64_t i = 1; i <= 40; i++) {
        size_t before = count_files(l, "/wal");
        log_reopen(l, lsns[i]);
        if (i < 40) {
            assert_seen(l, i + 1, 40);
        }
        assert_true(count_files(l, "/wal") <= before);
        assert_int_equal(l->report.corrupt_ranges, 0);
        assert_int_equal(bbi_wal_end(l->wal), lsns[40]);
    }
    assert_int_equal(l->seen_count, 0);
    assert_int_equal(count_files(l, "/wal"), 1);
    log_destroy(l);
}

/* A checkpoint above the end: what was flushed outlived the log. */
static void test_checkpoint_beyond_the_end(void **state)
{
    (void)state;
    struct log *l = log_create(4096, 0);
    log_open(l, 800);
    assert_int_equal(bbi_wal_end(l->wal), 800);
    log_put(l, 1, 100);
    log_reopen(l, 80000);
    assert_int_equal(l->seen_count, 0);
    assert_int_equal(l->report.corrupt_ranges, 0);
    assert_int_equal(bbi_wal_end(l->wal), 80000);
    assert_int_equal(count_files(l, "/wal"), 1);
    log_put(l, 2, 100);
    log_reopen(l, 80000);
    assert_seen(l, 2, 2);
    log_destroy(l);
}

/* Space is claimed ahead while writing and given back by trim and close. */
static void test_claimed_space(void **state)
{
    (void)state;
    struct log *l = log_create(0, 0);
    log_open(l, 0);
    uint64_t lsn = log_put(l, 1, 1000);
    assert_true(simdisk_used(l->disk) > 100000);
    assert_ok(bbi_wal_trim(l->wal, 0, &l->err), &l->err);
    assert_int_equal(simdisk_used(l->disk), WAL_FILE_HEADER + lsn);
    log_put(l, 2, 1000);
    assert_true(simdisk_used(l->disk) > 100000);
    log_reopen(l, 0);
    assert_int_equal(simdisk_used(l->disk), WAL_FILE_HEADER + bbi_wal_end(l->wal));
    assert_seen(l, 1, 2);
    log_destroy(l);
}

static void test_foreign_files_stay(void **state)
{
    (void)state;
    static const char *const names[] = {"0.wal", "000000000000000A.wal", "notes.txt",
                                        "0000000000000001.wal", "0000000000000000.wal.tmp"};
    struct log *l = log_create(0, 0);
    const struct bbi_fs *fs = simdisk_fs(l->disk);
    for (size_t i = 0; i < 5; i++) {
        assert_ok(bbi_fs_write_file_atomic(fs, "/wal", names[i], "x", 1, &l->err), &l->err);
    }
    log_open(l, 0);
    log_put(l, 1, 10);
    assert_ok(bbi_wal_trim(l->wal, bbi_wal_end(l->wal), &l->err), &l->err);
    log_reopen(l, bbi_wal_end(l->wal));
    assert_int_equal(count_files(l, "/wal"), 6);
    log_destroy(l);
}

static void test_deliver_can_refuse(void **state)
{
    (void)state;
    struct log *l = log_create(0, 0);
    log_open(l, 0);
    log_put(l, 1, 10);
    log_put(l, 2, 10);
    assert_ok(log_close(l), &l->err);
    l->deliver_rc = BB_ENOMEM;
    assert_int_equal(log_try_open(l, 0), BB_ENOMEM);
    assert_null(l->wal);
    assert_int_equal(l->seen_count, 1);
    l->deliver_rc = BB_OK;
    log_open(l, 0);
    assert_seen(l, 1, 2);
    log_destroy(l);
}

/* ---- notices and the hook ---- */

struct told {
    struct bbi_wal_notice notice;
    struct bbi_wal *wal;
    _Atomic int calls;
    int code;
    uint64_t durable_then;
    int order;
};

static _Atomic int told_count;

static void on_told(void *arg, const struct bb_error *err)
{
    struct told *t = arg;
    t->code = err == NULL ? BB_OK : err->code;
    t->durable_then = bbi_wal_durable(t->wal);
    t->order = atomic_fetch_add(&told_count, 1);
    atomic_fetch_add(&t->calls, 1);
}

static void ask(struct log *l, struct told *t, uint64_t lsn)
{
    *t = (struct told){.wal = l->wal};
    t->notice = (struct bbi_wal_notice){.lsn = lsn, .fn = on_told, .arg = t};
    bbi_wal_notify(l->wal, &t->notice);
}

/* The hook runs before waiters know; blocking it stands for a slow disk. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool closed;
    bool waiting; /* the sync thread stands before it */
    uint64_t last_lsn;
};

static void on_durable(void *arg, uint64_t lsn)
{
    struct gate *g = arg;
    pthread_mutex_lock(&g->lock);
    while (g->closed) {
        g->waiting = true;
        pthread_cond_broadcast(&g->moved);
        pthread_cond_wait(&g->moved, &g->lock);
    }
    assert_true(lsn > g->last_lsn);
    g->last_lsn = lsn;
    pthread_mutex_unlock(&g->lock);
}

static void set_gate(struct gate *g, bool closed)
{
    pthread_mutex_lock(&g->lock);
    g->closed = closed;
    pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->lock);
}

static void wait_at_gate(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    while (!g->waiting) {
        pthread_cond_wait(&g->moved, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

static struct log *gated_log(struct gate *g, uint64_t buffer_bytes)
{
    struct log *l = log_create(0, buffer_bytes);
    *g = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    l->options.on_durable = on_durable;
    l->options.on_durable_arg = g;
    return l;
}

static void test_notices(void **state)
{
    (void)state;
    struct gate g;
    struct log *l = gated_log(&g, 0);
    struct told told[6];
    log_open(l, 0);
    set_gate(&g, true);
    atomic_store(&told_count, 0);
    uint64_t a = log_append(l, 1, 10);
    wait_at_gate(&g);
    uint64_t b = log_append(l, 2, 10);
    uint64_t c = log_append(l, 3, 10);
    const uint64_t lsns[] = {c, a, c, a, b};
    for (size_t i = 0; i < 5; i++) {
        ask(l, &told[i], lsns[i]);
        assert_int_equal(told[i].calls, 0);
    }
    assert_int_equal(bbi_wal_durable(l->wal), 0);
    set_gate(&g, false);
    assert_ok(bbi_wal_wait(l->wal, c, &l->err), &l->err);
    ask(l, &told[5], b);
    assert_int_equal(told[5].calls, 1);
    assert_ok(log_close(l), &l->err);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(told[i].calls, 1);
        assert_int_equal(told[i].code, BB_OK);
        assert_true(told[i].durable_then >= told[i].notice.lsn);
    }
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++) {
            assert_true(lsns[i] >= lsns[k] || told[i].order < told[k].order);
        }
    }
    assert_int_equal(g.last_lsn, c);
    log_destroy(l);
}

/* A full buffer makes the append wait, then refuses; nothing of the refused is logged. */
static void test_full_buffer(void **state)
{
    (void)state;
    struct gate g;
    struct log *l = gated_log(&g, 8192);
    l->options.append_wait_ms = 50;
    log_open(l, 0);
    set_gate(&g, true);
    uint64_t n = 0;
    while (log_try_append(l, n + 1, 1000) != 0) {
        n++;
        assert_true(n <= 8);
    }
    assert_int_equal(l->err.code, BB_EBUSY);
    assert_in_range(n, 7, 8);
    set_gate(&g, false);
    assert_ok(bbi_wal_wait(l->wal, bbi_wal_end(l->wal), &l->err), &l->err);
    log_put(l, n + 1, 1000);
    struct bbi_wal_stats stats;
    bbi_wal_get_stats(l->wal, &stats);
    assert_int_equal(stats.frames, n + 1);
    assert_int_equal(stats.waits, 1);
    log_reopen(l, 0);
    assert_seen(l, 1, n + 1);
    log_destroy(l);
}

/* ---- failures ---- */

static void assert_read_only(struct log *l, uint64_t durable)
{
    struct told late;
    assert_int_equal(log_try_append(l, 99, 10), 0);
    assert_int_equal(l->err.code, BB_EREADONLY);
    assert_contains(l->err.text, "read-only");
    assert_int_equal(bbi_wal_status(l->wal, &l->err), BB_EREADONLY);
    assert_int_equal(bbi_wal_durable(l->wal), durable);
    ask(l, &late, bbi_wal_end(l->wal));
    assert_int_equal(late.calls, 1);
    assert_int_equal(late.code, BB_EREADONLY);
    ask(l, &late, durable);
    assert_int_equal(late.code, BB_OK);
    assert_ok(bbi_wal_wait(l->wal, durable, &l->err), &l->err);
    assert_int_equal(bbi_wal_wait(l->wal, bbi_wal_end(l->wal), &l->err), BB_EREADONLY);
    assert_int_equal(log_close(l), BB_EREADONLY);
}

/* After a failed write or sync nothing pretends any more, though the disk works again. */
static void test_read_only_after_failure(void **state)
{
    (void)state;
    static const unsigned ops[] = {SIMDISK_SYNC, SIMDISK_WRITE};
    for (size_t i = 0; i < 2; i++) {
        struct log *l = log_create(0, 0);
        struct told told;
        log_open(l, 0);
        uint64_t durable = log_put(l, 1, 10);
        simdisk_fail_op(l->disk, ops[i], "/wal/", 1, BB_EIO, false);
        uint64_t lsn = log_append(l, 2, 10);
        ask(l, &told, lsn);
        assert_int_equal(bbi_wal_wait(l->wal, lsn, &l->err), BB_EREADONLY);
        assert_contains(l->err.text, "/wal/");
        assert_read_only(l, durable);
        assert_int_equal(told.calls, 1);
        assert_int_equal(told.code, BB_EREADONLY);
        log_open(l, 0);
        assert_true(l->seen_count >= 1 && l->seen[0].number == 1);
        log_destroy(l);
    }
}

/* A full disk refuses appends before anything is logged, and takes them again when it has room. */
static void test_full_disk(void **state)
{
    (void)state;
    struct log *l = log_create(16384, 0);
    log_open(l, 0);
    simdisk_set_capacity(l->disk, 100000);
    uint64_t n = 0;
    uint64_t lsns[1000];
    while ((lsns[n + 1] = log_try_append(l, n + 1, 500)) != 0) {
        n++;
        assert_true(n < 200);
    }
    assert_int_equal(l->err.code, BB_ENOSPC);
    assert_true(n > 150);
    assert_ok(bbi_wal_wait(l->wal, lsns[n], &l->err), &l->err);
    assert_ok(bbi_wal_status(l->wal, &l->err), &l->err);
    assert_int_equal(log_try_append(l, n + 1, 500), 0);
    assert_ok(bbi_wal_trim(l->wal, lsns[n / 2], &l->err), &l->err);
    /* A file's space comes when its handle is closed, which is after those who wait were told. */
    uint64_t more = n;
    for (int ms = 0; ms < 10000 && more <= n + 50; ms++) {
        while (log_try_append(l, more + 1, 500) != 0) {
            more++;
            assert_true(more < 500);
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_true(more > n + 50);
    simdisk_set_capacity(l->disk, 0);
    log_put(l, more + 1, 500);
    log_reopen(l, lsns[n / 2]);
    assert_seen(l, n / 2 + 1, more + 1);
    log_destroy(l);
}

/* Some space is kept for frames that free space, in every file and after a trim. */
static void test_headroom(void **state)
{
    (void)state;
    struct log *l = log_create(16384, 0);
    l->options.headroom_bytes = 2048;
    log_open(l, 0);
    uint64_t n = 0;
    for (int round = 0; round < 30; round++) {
        log_put(l, ++n, 300);
        if (round == 20) {
            assert_ok(bbi_wal_trim(l->wal, 0, &l->err), &l->err);
        }
        simdisk_set_capacity(l->disk, simdisk_used(l->disk));
        while (log_try_append(l, n + 1, 300) != 0) {
            n++;
        }
        assert_int_equal(l->err.code, BB_ENOSPC);
        uint8_t payload[PAYLOAD_MAX];
        uint64_t lsn;
        for (int i = 0; i < 3; i++) {
            struct bbi_wal_piece pieces[2] = {{payload, payload_of(++n, payload, 300)}, {NULL, 0}};
            assert_ok(bbi_wal_append_reserved(l->wal, pieces, &lsn, &l->err), &l->err);
        }
        assert_ok(bbi_wal_wait(l->wal, lsn, &l->err), &l->err);
        simdisk_set_capacity(l->disk, 0);
    }
    log_reopen(l, 0);
    assert_seen(l, 1, n);
    log_destroy(l);
}

/* What is accepted has its space, wherever in a file the disk becomes full. */
static void test_accepted_is_written(void **state)
{
    (void)state;
    for (uint64_t capacity = 12000; capacity < 40000; capacity += 190) {
        struct log *l = log_create(8192, 0);
        uint64_t last = 0;
        uint64_t lsn;
        log_open(l, 0);
        simdisk_set_capacity(l->disk, capacity);
        for (uint64_t n = 1; (lsn = log_try_append(l, n, 100 + n * 5 % 1500)) != 0; n++) {
            last = lsn;
        }
        assert_int_equal(l->err.code, BB_ENOSPC);
        assert_ok(bbi_wal_wait(l->wal, last, &l->err), &l->err);
        log_destroy(l);
    }
}

/* Where claimed space is no promise, the sync thread meets the full disk and waits it out. */
static void test_full_disk_without_claims(void **state)
{
    (void)state;
    struct log *l = log_create(0, 0);
    log_open(l, 0);
    log_put(l, 1, 100);
    simdisk_fail_op(l->disk, SIMDISK_WRITE, "/wal/", 1, BB_ENOSPC, true);
    uint64_t lsn = log_append(l, 2, 100);
    while (simdisk_fault_count(l->disk) < 2) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_int_equal(log_try_append(l, 3, 100), 0);
    assert_int_equal(l->err.code, BB_ENOSPC);
    assert_ok(bbi_wal_status(l->wal, &l->err), &l->err);
    simdisk_fail_op(l->disk, 0, NULL, 0, 0, false);
    assert_ok(bbi_wal_wait(l->wal, lsn, &l->err), &l->err);
    log_put(l, 3, 100);

    simdisk_fail_op(l->disk, SIMDISK_WRITE, "/wal/", 1, BB_ENOSPC, true);
    log_append(l, 4, 100);
    assert_int_equal(log_close(l), BB_EREADONLY);
    simdisk_fail_op(l->disk, 0, NULL, 0, 0, false);
    log_open(l, 0);
    assert_true(l->seen_count >= 3);
    log_destroy(l);
}

/* A new file that cannot be made: the append fails, the next one may not. */
static void test_failing_rotation(void **state)
{
    (void)state;
    static const int codes[] = {BB_EIO, BB_ENOSPC};
    for (size_t i = 0; i < 4; i++) {
        struct log *l = log_create(4096, 0);
        log_open(l, 0);
        uint64_t n = 0;
        while (bbi_wal_end(l->wal) + 1100 < 4096) {
            log_put(l, ++n, 1000);
        }
        simdisk_fail_op(l->disk, i < 2 ? SIMDISK_OPEN : SIMDISK_RESERVE, "/wal/", 1, codes[i % 2],
                        false);
        assert_int_equal(log_try_append(l, n + 1, 1000), 0);
        assert_int_equal(l->err.code, codes[i % 2]);
        assert_int_equal(count_files(l, "/wal"), 1);
        log_put(l, n + 1, 1000);
        log_reopen(l, 0);
        assert_seen(l, 1, n + 1);
        log_destroy(l);
    }
}

/* ---- memory ---- */

static int use_log(void *arg, struct bb_error *err)
{
    struct log *l = arg;
    int rc = log_try_open(l, 0);
    for (uint64_t i = 0; rc == BB_OK && i < 20; i++) {
        rc = log_try_append(l, i, 1000) == 0 ? l->err.code : BB_OK;
    }
    if (rc == BB_OK) {
        rc = bbi_wal_trim(l->wal, 0, &l->err);
    }
    *err = l->err;
    log_close(l);
    return rc;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    struct bb_error err;
    int rc = BB_ENOMEM;
    for (uint64_t n = 1; rc != BB_OK; n++) {
        struct log *l = log_create(4096, 16384);
        struct bbi_account *server = bbi_account_server();
        uint64_t used = server->used_bytes;
        bbi_mem_fail_at(n);
        rc = use_log(l, &err);
        bbi_mem_fail_at(0);
        assert_true(rc == BB_OK || rc == BB_ENOMEM);
        assert_int_equal(l->report.corrupt_ranges, 0);
        assert_int_equal(server->used_bytes, used);
        log_open(l, 0);
        assert_true(l->seen_count <= 20 && (rc != BB_OK || l->seen_count == 20));
        log_destroy(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_log),
        cmocka_unit_test(test_append_and_reopen),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_files_and_trim),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_checkpoint_beyond_the_end),
        cmocka_unit_test(test_claimed_space),
        cmocka_unit_test(test_foreign_files_stay),
        cmocka_unit_test(test_deliver_can_refuse),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_full_buffer),
        cmocka_unit_test(test_read_only_after_failure),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_accepted_is_written),
        cmocka_unit_test(test_headroom),
        cmocka_unit_test(test_full_disk_without_claims),
        cmocka_unit_test(test_failing_rotation),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
