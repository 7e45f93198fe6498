/* catalog.log: what was committed is read again, whatever is cut off, and damage stays local. */
#include "engine/catalog/catlog.h"

#include <string.h>

#include "engine/base/hash.h"
#include "tests/lib/rng.h"
#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"

#define PATH "/catalog.log"

static struct bb_error err;

/* Reads what is there as a list of the ids of SEGMENT_REMOVE records. */
struct reading {
    uint64_t ids[4096];
    size_t count;
    size_t commits;
    uint64_t last_end;
};

static int take(void *arg, struct bbi_cursor *records, uint64_t end, bool at_commit,
                struct bb_error *e)
{
    struct reading *r = arg;
    while (bbi_cursor_left(records) > 0) {
        struct bbi_record record;
        assert_ok(bbi_record_next(records, &record, e), e);
        assert_true(r->count < 4096);
        assert_ok(bbi_record_get_segment_remove(&record, &r->ids[r->count++], e), e);
    }
    r->commits += at_commit;
    assert_true(end > r->last_end);
    r->last_end = end;
    return BB_OK;
}

static void add(struct bbi_catlog *log, uint64_t id)
{
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 1000);
    bbi_record_put_segment_remove(&b, id);
    assert_ok(bbi_catlog_add(log, b.data, b.len, &err), &err);
    bbi_buf_fini(&b);
}

/* Commits of 1, 2, 3 ... records with the ids from `from` on. */
static void fill(struct bbi_catlog *log, uint64_t from, size_t commits)
{
    for (size_t i = 1; i <= commits; i++) {
        for (size_t k = 0; k < i; k++) {
            add(log, from++);
        }
        assert_ok(bbi_catlog_commit(log, &err), &err);
    }
}

static void create(struct simdisk *disk, struct bbi_catlog *log)
{
    const struct bbi_catlog_id id = {.id = 7, .base_id = 8, .base_end = 9};
    assert_ok(bbi_catlog_create(simdisk_fs(disk), PATH, &id, NULL, log, &err), &err);
}

static void reopen(struct simdisk *disk, struct bbi_catlog *log, struct bbi_catlog_scan *scan)
{
    bbi_catlog_close(log);
    assert_ok(bbi_catlog_open(simdisk_fs(disk), PATH, NULL, log, scan, &err), &err);
}

static void test_read_again(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_catlog log;
    struct bbi_catlog_scan scan;
    struct reading r = {.count = 0};
    assert_ok(bbi_catlog_open(simdisk_fs(disk), PATH, NULL, &log, &scan, &err), &err);
    assert_false(scan.exists);
    bbi_catlog_close(&log);
    create(disk, &log);
    fill(&log, 1, 10);
    reopen(disk, &log, &scan);
    assert_true(scan.exists && scan.header_is_good && scan.hole_count == 0);
    assert_int_equal(scan.frame_count, 10);
    assert_false(log.tail_is_dirty);
    assert_true(log.id.id == 7 && log.id.base_id == 8 && log.id.base_end == 9);
    assert_ok(bbi_catlog_read(&log, 0, take, &r, &err), &err);
    assert_int_equal(r.count, 55);
    assert_int_equal(r.commits, 10);
    assert_true(r.ids[0] == 1 && r.ids[54] == 55);
    assert_int_equal(r.last_end, log.end);

    uint64_t middle = scan.first_commit_end;
    r = (struct reading){.count = 0};
    assert_ok(bbi_catlog_read(&log, middle, take, &r, &err), &err);
    assert_int_equal(r.count, 54);
    assert_int_equal(r.ids[0], 2);
    bbi_catlog_close(&log);
    simdisk_destroy(&disk);
}

/* More than a frame holds: several frames, one commit. */
static void test_long_commit(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_catlog log;
    struct bbi_catlog_scan scan;
    struct bbi_buf big;
    struct reading r = {.count = 0};
    create(disk, &log);
    bbi_buf_init(&big, NULL, (size_t)1 << 30);
    uint8_t *body = bbi_mem_zalloc(NULL, 1, 300000);
    bbi_record_put(&big, BBI_RECORD_BATCH, body, 300000);
    for (int i = 0; i < 10; i++) {
        assert_ok(bbi_catlog_add(&log, big.data, big.len, &err), &err);
    }
    assert_ok(bbi_catlog_commit(&log, &err), &err);
    reopen(disk, &log, &scan);
    assert_true(scan.frame_count > 2);
    assert_true(scan.first_commit_end == log.end && log.end > 3000000);
    fill(&log, 1, 1);
    assert_ok(bbi_catlog_read(&log, scan.first_commit_end, take, &r, &err), &err);
    assert_int_equal(r.count, 1);

    /* A commit that is forgotten, written in part, leaves nothing. */
    for (int i = 0; i < 10; i++) {
        assert_ok(bbi_catlog_add(&log, big.data, big.len, &err), &err);
    }
    uint64_t end = log.end;
    bbi_catlog_abort(&log);
    reopen(disk, &log, &scan);
    assert_int_equal(log.end, end);
    assert_true(log.tail_is_dirty && scan.hole_count == 0);
    fill(&log, 2, 1);
    reopen(disk, &log, &scan);
    assert_false(log.tail_is_dirty);
    r = (struct reading){.count = 0};
    assert_ok(bbi_catlog_read(&log, scan.first_commit_end, take, &r, &err), &err);
    assert_int_equal(r.count, 2);
    bbi_mem_free(body);
    bbi_buf_fini(&big);
    bbi_catlog_close(&log);
    simdisk_destroy(&disk);
}

static void test_taken_back(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_catlog log;
    struct bbi_catlog_scan scan;
    struct reading r = {.count = 0};
    create(disk, &log);
    fill(&log, 1, 3);
    uint64_t end = log.end;
    fill(&log, 100, 1);
    assert_ok(bbi_catlog_rewind(&log, end, &err), &err);
    fill(&log, 7, 1);
    reopen(disk, &log, &scan);
    assert_ok(bbi_catlog_read(&log, 0, take, &r, &err), &err);
    assert_int_equal(r.count, 7);
    assert_int_equal(r.ids[6], 7);
    bbi_catlog_close(&log);
    simdisk_destroy(&disk);
}

/* Cut anywhere: the commits before the cut are there, and the log goes on behind them. */
static void test_cut_at_each_byte(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_catlog log;
    struct bbi_catlog_scan scan;
    uint64_t ends[9] = {0};
    create(disk, &log);
    for (size_t i = 1; i <= 8; i++) {
        fill(&log, i, 1);
        ends[i] = log.end;
    }
    for (uint64_t len = log.end; len-- > 0;) {
        struct reading r = {.count = 0};
        assert_ok(bbi_file_truncate(log.file, len, &err), &err);
        reopen(disk, &log, &scan);
        size_t whole = 0;
        while (whole < 8 && ends[whole + 1] <= len) {
            whole++;
        }
        assert_int_equal(scan.header_is_good, len >= BBI_CATLOG_HEADER_BYTES);
        assert_int_equal(scan.hole_count, 0);
        if (scan.header_is_good) {
            assert_ok(bbi_catlog_read(&log, 0, take, &r, &err), &err);
            assert_int_equal(r.count, whole);
            assert_int_equal(log.end, whole == 0 ? BBI_CATLOG_HEADER_BYTES : ends[whole]);
        }
    }
    bbi_catlog_close(&log);
    simdisk_destroy(&disk);
}

/* A byte flipped anywhere: at most the frame it stands in is lost; padding is nobody's. */
static void test_flip_at_each_byte(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_catlog log;
    struct bbi_catlog_scan scan;
    struct rng rng = rng_from_env();
    create(disk, &log);
    for (size_t i = 1; i <= 8; i++) {
        fill(&log, i, 1);
    }
    uint64_t end = log.end;
    for (uint64_t at = 0; at < end; at++) {
        struct reading r = {.count = 0};
        uint8_t mask = (uint8_t)(1u << rng_below(&rng, 8));
        assert_true(simdisk_corrupt(disk, PATH, at, mask));
        bbi_catlog_close(&log);
        int rc = bbi_catlog_open(simdisk_fs(disk), PATH, NULL, &log, &scan, &err);
        assert_ok(rc, &err);
        assert_ok(bbi_catlog_read(&log, 0, take, &r, &err), &err);
        if (at < BBI_CATLOG_HEADER_BYTES) {
            assert_false(scan.header_is_good);
            assert_int_equal(r.count, 8);
        } else {
            assert_true(scan.header_is_good);
            assert_true(r.count == 8 || r.count == 7);
            bool is_last = at >= end - 40;
            assert_int_equal(scan.hole_count, r.count == 7 && !is_last);
        }
        assert_true(simdisk_corrupt(disk, PATH, at, mask));
    }
    bbi_catlog_close(&log);
    simdisk_destroy(&disk);
}

/* Random damage to a longer log: never a crash, and what is read was written. */
static void test_random_damage(void **state)
{
    (void)state;
    struct rng rng = rng_from_env();
    for (int round = 0; round < 60; round++) {
        struct simdisk *disk = simdisk_create(1);
        struct bbi_catlog log;
        struct bbi_catlog_scan scan;
        struct reading r = {.count = 0};
        create(disk, &log);
        fill(&log, 1, 40);
        uint64_t end = log.end;
        for (uint64_t n = 1 + rng_below(&rng, 5); n > 0; n--) {
            assert_true(simdisk_corrupt(disk, PATH, rng_below(&rng, end),
                                        (uint8_t)(1 + rng_below(&rng, 255))));
        }
        bbi_catlog_close(&log);
        int rc = bbi_catlog_open(simdisk_fs(disk), PATH, NULL, &log, &scan, &err);
        if (rc == BB_OK) {
            assert_ok(bbi_catlog_read(&log, 0, take, &r, &err), &err);
            for (size_t i = 0; i < r.count; i++) {
                assert_true(r.ids[i] <= 820 && (i == 0 || r.ids[i] > r.ids[i - 1]));
            }
        } else {
            assert_int_equal(rc, BB_EVERSION);
        }
        bbi_catlog_close(&log);
        simdisk_destroy(&disk);
    }
}

/* A commit that failed on the disk must not come back behind the one that followed. */
static void test_failed_commit_leaves_no_ghost(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_catlog log;
    struct bbi_catlog_scan scan;
    struct bbi_buf big;
    struct reading r = {.count = 0};
    create(disk, &log);
    fill(&log, 1, 1);
    bbi_buf_init(&big, NULL, (size_t)1 << 30);
    for (uint64_t id = 1000; big.len < 900000; id++) {
        bbi_record_put_segment_remove(&big, id);
    }
    for (int i = 0; i < 4; i++) {
        assert_ok(bbi_catlog_add(&log, big.data, big.len, &err), &err);
    }
    simdisk_fail_op(disk, SIMDISK_SYNC, NULL, 1, BB_EIO, false);
    assert_int_equal(bbi_catlog_commit(&log, &err), BB_EIO);
    simdisk_fail_op(disk, 0, NULL, 0, 0, false);
    bbi_catlog_abort(&log);
    fill(&log, 2, 1);
    reopen(disk, &log, &scan);
    assert_int_equal(scan.hole_count, 0);
    assert_ok(bbi_catlog_read(&log, 0, take, &r, &err), &err);
    assert_int_equal(r.count, 2);
    bbi_buf_fini(&big);
    bbi_catlog_close(&log);
    simdisk_destroy(&disk);
}

/* Bytes of a key that look like a frame, standing where one would, are not taken for one when the
 * frame around them breaks: whoever wrote them could not know the salt. */
static void test_frame_within_a_frame(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_catlog log;
    struct bbi_catlog_scan scan;
    struct reading r = {.count = 0};
    struct bbi_buf inner;
    uint8_t body[64] = {0};
    create(disk, &log);
    fill(&log, 1, 1);
    bbi_buf_init(&inner, NULL, 1000);
    bbi_record_put_segment_remove(&inner, 666);
    /* type, length, then the body, whose sixth byte is at a multiple of 8 */
    uint64_t at = log.end + BBI_CATLOG_FRAME_HEADER_BYTES + 8;
    uint8_t *fake = body + 6;
    bbi_put_u32(fake, 0x46434242);
    bbi_put_u32(fake + 4, (uint32_t)inner.len);
    bbi_put_u64(fake + 8, at);
    bbi_put_u32(fake + 16, 1);
    bbi_put_u64(fake + 24, bbi_hash64_seed(inner.data, inner.len, bbi_hash64(fake, 24)));
    memcpy(fake + 32, inner.data, inner.len);
    bbi_buf_reset(&inner);
    bbi_record_put(&inner, BBI_RECORD_BATCH, body, sizeof(body));
    uint64_t end = log.end;
    assert_ok(bbi_catlog_add(&log, inner.data, inner.len, &err), &err);
    assert_ok(bbi_catlog_commit(&log, &err), &err);
    fill(&log, 2, 1);
    assert_true(simdisk_corrupt(disk, PATH, end, 1));
    reopen(disk, &log, &scan);
    assert_int_equal(scan.hole_count, 1);
    assert_ok(bbi_catlog_read(&log, 0, take, &r, &err), &err);
    assert_int_equal(r.count, 2);
    assert_true(r.ids[0] == 1 && r.ids[1] == 2);
    bbi_buf_fini(&inner);
    bbi_catlog_close(&log);
    simdisk_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_again),
        cmocka_unit_test(test_long_commit),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_cut_at_each_byte),
        cmocka_unit_test(test_flip_at_each_byte),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_failed_commit_leaves_no_ghost),
        cmocka_unit_test(test_frame_within_a_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
