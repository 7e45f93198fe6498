/*
 * Damaged files: a byte flipped or a file cut anywhere in catalog.mdb or catalog.log never crashes,
 * and the answers are those of before, or the loss is told.
 */
#include "engine/catalog/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/rng.h"
#include "tests/lib/unit.h"
#include "tests/unit/catalog_util.h"

static struct bb_error err;

/* A catalog with all that it can have, over several commits, so that there are free pages and
 * overflow pages too. */
static void fill(struct cat *c)
{
    char text[1000];
    uint32_t gone;
    uint32_t db = cat_create_db(c, "meters");
    uint32_t drop = cat_create_db(c, "drop");
    const struct bbi_tombstone tomb = {
        .lsn = 1, .db_id = db, .tmax = 5, .series = roaring_bitmap_from_range(0, 100000, 3)};
    for (int i = 0; i < 60; i++) {
        uint32_t field;
        (void)snprintf(text, sizeof(text), "reading,device=%d,fuel=%s", i / 2, i % 2 ? "e" : "g");
        (void)cat_series(c, db, text);
        (void)snprintf(text, sizeof(text), "x%d,long=%0*d", i % 5, 600, i);
        (void)cat_series(c, i % 3 ? db : drop, text);
        (void)snprintf(text, sizeof(text), "f%d", i % 7);
        assert_ok(bbi_catalog_field_resolve(c->catalog, db, cat_mid(c, db, "reading"),
                                            (const uint8_t *)text, strlen(text), BBI_FLOAT, &field,
                                            &err),
                  &err);
        if (i % 15 == 14) {
            cat_flush(c);
        }
    }
    assert_ok(bbi_catalog_database_drop(c->catalog, "drop", 4, &gone, &err), &err);
    cat_flush(c);
    for (uint64_t i = 0; i < 3; i++) {
        c->files[i] = (struct bbi_segment_meta){.id = bbi_catalog_segment_id_new(c->catalog),
                                                .db_id = db,
                                                .rp_id = 1,
                                                .lsn_lo = i,
                                                .lsn_hi = i + 1,
                                                .tombs_lsn = i + 1,
                                                .job_id = 100 + i,
                                                .job_parts = 1};
        const struct bbi_catalog_edit edit = {.add_segments = &c->files[i],
                                              .add_segment_count = 1,
                                              .add_tombstones = &tomb,
                                              .add_tombstone_count = 1};
        assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
        c->file_count++;
    }
    roaring_bitmap_free(tomb.series);
}

static void dump(struct cat *c, struct bbi_buf *text)
{
    cat_dump(c, text);
    for (size_t i = 0; i < c->state.segment_count; i++) {
        bbi_buf_printf(text, "segment %" PRIu64 "\n", c->state.segments[i].id);
    }
    for (size_t i = 0; i < c->state.tombstone_count; i++) {
        bbi_buf_printf(text, "tombstone %" PRIu64 "\n", c->state.tombstones[i].lsn);
    }
    bbi_buf_u8(text, 0);
    assert_int_equal(text->err, BB_OK);
}

struct fixture {
    struct cat c;
    struct bbi_buf want;
    struct bbi_buf have;
    uint8_t *index; /* the good files */
    size_t index_len;
    uint8_t *log;
    size_t log_len;
};

static uint8_t *read_file(struct cat *c, const char *path, size_t *len)
{
    struct bbi_file *f;
    *len = (size_t)cat_size(c, path);
    uint8_t *bytes = bbi_mem_alloc(NULL, *len);
    assert_ok(bbi_fs_open(simdisk_fs(c->disk), path, BBI_FS_READ, &f, &err), &err);
    assert_ok(bbi_file_read(f, bytes, *len, 0, &err), &err);
    bbi_file_close(&f);
    return bytes;
}

/* An external file is written where LMDB would. */
static void write_file(struct cat *c, const char *path, const uint8_t *bytes, size_t len)
{
    struct bbi_file *f;
    char real[BBI_FS_PATH_MAX];
    if (strcmp(path, CAT_INDEX) == 0) {
        assert_ok(bbi_fs_real_path(simdisk_fs(c->disk), path, real, &err), &err);
        assert_ok(bbi_fs_external_begin(simdisk_fs(c->disk), path, &err), &err);
        FILE *out = fopen(real, "wb");
        assert_non_null(out);
        assert_true(fwrite(bytes, 1, len, out) == len && fclose(out) == 0);
        assert_ok(bbi_fs_external_end(simdisk_fs(c->disk), path, true, &err), &err);
        return;
    }
    assert_ok(bbi_fs_open(simdisk_fs(c->disk), path,
                          BBI_FS_READ | BBI_FS_WRITE | BBI_FS_CREATE | BBI_FS_TRUNC, &f, &err),
              &err);
    assert_ok(bbi_file_write(f, bytes, len, 0, &err), &err);
    assert_ok(bbi_file_sync(f, &err), &err);
    bbi_file_close(&f);
}

/* Both files as they were. */
static void restore(struct fixture *f)
{
    cat_close(&f->c);
    write_file(&f->c, CAT_INDEX, f->index, f->index_len);
    write_file(&f->c, CAT_LOG, f->log, f->log_len);
}

static int setup(void **state)
{
    struct fixture *f = bbi_mem_alloc(NULL, sizeof(*f));
    cat_init(&f->c, 1);
    bbi_buf_init(&f->want, NULL, 1 << 24);
    bbi_buf_init(&f->have, NULL, 1 << 24);
    cat_open(&f->c);
    fill(&f->c);
    cat_reopen(&f->c);
    dump(&f->c, &f->want);
    cat_close(&f->c);
    f->index = read_file(&f->c, CAT_INDEX, &f->index_len);
    f->log = read_file(&f->c, CAT_LOG, &f->log_len);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cat_fini(&f->c);
    bbi_buf_fini(&f->want);
    bbi_buf_fini(&f->have);
    bbi_mem_free(f->index);
    bbi_mem_free(f->log);
    bbi_mem_free(f);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
    return 0;
}

/* The catalog opens and says what it said before. */
static void expect_all(struct fixture *f)
{
    cat_open(&f->c);
    dump(&f->c, &f->have);
    assert_string_equal((char *)f->have.data, (char *)f->want.data);
}

/* ---- catalog.mdb ---- */

/* A copy of catalog.mdb in a file of the system's, where one byte can be changed at little cost. */
struct scratch {
    char path[64];
    struct bbi_file *file;
};

static void scratch_open(struct scratch *s, const struct fixture *f)
{
    (void)snprintf(s->path, sizeof(s->path), "/tmp/busbar-damage-XXXXXX");
    int fd = mkstemp(s->path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_ok(bbi_fs_open(bbi_fs_posix(), s->path, BBI_FS_READ | BBI_FS_WRITE, &s->file, &err),
              &err);
    assert_ok(bbi_file_write(s->file, f->index, f->index_len, 0, &err), &err);
}

static void scratch_close(struct scratch *s)
{
    bbi_file_close(&s->file);
    assert_ok(bbi_fs_unlink(bbi_fs_posix(), s->path, &err), &err);
}

/* What checking says when these bytes stand there. */
static int scratch_verify(struct scratch *s, const uint8_t *bytes, size_t at, size_t len)
{
    struct bb_error ignored;
    assert_ok(bbi_file_write(s->file, bytes, len, at, &err), &err);
    int rc = bbi_verify(bbi_fs_posix(), s->path, NULL, &ignored);
    assert_true(rc == BB_OK || rc == BB_ECORRUPT);
    return rc;
}

/* Every byte (of the many zeros of empty space, some): noticed, or of no importance; a sample is
 * opened for good. */
static void test_flipped_index(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_from_env();
    struct scratch s;
    size_t noticed = 0;
    size_t opened = 0;
    scratch_open(&s, f);
    for (size_t at = 0; at < f->index_len; at++) {
        if (f->index[at] == 0 && !rng_one_in(&rng, 20)) {
            continue;
        }
        uint8_t byte = f->index[at] ^ (uint8_t)(1u << rng_below(&rng, 8));
        int rc = scratch_verify(&s, &byte, at, 1);
        assert_ok(bbi_file_write(s.file, &f->index[at], 1, at, &err), &err);
        noticed += rc != BB_OK;
        if (rng_one_in(&rng, 500)) {
            uint8_t *copy = bbi_mem_dup(NULL, f->index, f->index_len);
            copy[at] = byte;
            write_file(&f->c, CAT_INDEX, copy, f->index_len);
            expect_all(f);
            assert_int_equal(f->c.state.rebuilt, rc != BB_OK);
            assert_false(f->c.state.damaged);
            opened++;
            restore(f);
            bbi_mem_free(copy);
        }
    }
    scratch_close(&s);
    print_message("%zu bytes, %zu noticed, %zu opened\n", f->index_len, noticed, opened);
    assert_true(noticed > f->index_len / 20 && opened > 50);
}

static void test_cut_index(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_from_env();
    for (size_t len = 0; len < f->index_len; len += 1 + rng_below(&rng, 4096)) {
        write_file(&f->c, CAT_INDEX, f->index, len);
        expect_all(f);
        restore(f);
    }
    /* longer than it should be is fine */
    uint8_t *copy = bbi_mem_zalloc(NULL, 1, f->index_len + 5000);
    memcpy(copy, f->index, f->index_len);
    write_file(&f->c, CAT_INDEX, copy, f->index_len + 5000);
    expect_all(f);
    assert_false(f->c.state.rebuilt);
    bbi_mem_free(copy);
}

/* Pages of rubbish, of zeros, and pages that stand where others should. */
static void test_wrong_pages(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_from_env();
    struct scratch s;
    size_t pages = f->index_len / 4096;
    uint8_t *copy = bbi_mem_alloc(NULL, f->index_len);
    scratch_open(&s, f);
    for (int round = 0; round < 2000; round++) {
        memcpy(copy, f->index, f->index_len);
        uint8_t *page = copy + rng_below(&rng, pages) * 4096;
        size_t from = rng_below(&rng, 4096);
        size_t len = rng_below(&rng, 4096 - from) + 1;
        switch (rng_below(&rng, 4)) {
        case 0:
            for (size_t i = 0; i < len; i++) {
                page[from + i] = (uint8_t)rng_u64(&rng);
            }
            break;
        case 1:
            memset(page + from, 0, len);
            break;
        case 2:
            memcpy(page, f->index + rng_below(&rng, pages) * 4096, 4096);
            break;
        default: /* a small number where one of LMDB's stands */
            bbi_put_u16(page + (from & 0xffeu), (uint16_t)rng_below(&rng, 5000));
            break;
        }
        (void)scratch_verify(&s, copy, 0, f->index_len);
        if (round % 80 == 0) {
            write_file(&f->c, CAT_INDEX, copy, f->index_len);
            expect_all(f);
            restore(f);
        }
    }
    bbi_mem_free(copy);
    scratch_close(&s);
}

static void test_not_lmdb_at_all(void **state)
{
    struct fixture *f = *state;
    uint8_t rubbish[20000];
    memset(rubbish, 'x', sizeof(rubbish));
    write_file(&f->c, CAT_INDEX, rubbish, sizeof(rubbish));
    expect_all(f);
    assert_true(f->c.state.rebuilt);
    assert_contains(f->c.state.messages, "not a meta page of LMDB");
    assert_contains(f->c.state.messages, "quarantine/catalog.mdb-");
    cat_reopen(&f->c);
    assert_string_equal(f->c.state.messages, "");
}

/* A flipped byte in the log, LMDB being whole: nothing is lost, and the log is whole again. */
static void test_flipped_log(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_from_env();
    size_t replaced = 0;
    for (size_t at = 0; at < f->log_len; at += 1 + rng_below(&rng, 120)) {
        assert_true(simdisk_corrupt(f->c.disk, CAT_LOG, at, (uint8_t)(1u << rng_below(&rng, 8))));
        int rc = cat_try_open(&f->c, &err);
        if (rc == BB_EVERSION) {
            restore(f);
            continue;
        }
        assert_ok(rc, &err);
        dump(&f->c, &f->have);
        assert_string_equal((char *)f->have.data, (char *)f->want.data);
        assert_false(f->c.state.damaged);
        bool was_replaced = strstr(f->c.state.messages, "written anew") != NULL;
        replaced += was_replaced;
        /* The new log alone has all. */
        if (was_replaced && rng_one_in(&rng, 8)) {
            cat_close(&f->c);
            cat_remove(&f->c, CAT_INDEX);
            expect_all(f);
            assert_false(f->c.state.damaged);
        }
        restore(f);
    }
    assert_true(replaced > 20);
}

static void test_cut_log(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_from_env();
    for (size_t len = 0; len < f->log_len; len += 1 + rng_below(&rng, 400)) {
        write_file(&f->c, CAT_LOG, f->log, len);
        expect_all(f);
        assert_false(f->c.state.damaged);
        cat_reopen(&f->c);
        assert_string_equal(f->c.state.messages, "");
        restore(f);
    }
}

static void test_either_file_is_missing(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 4; round++) {
        cat_close(&f->c);
        cat_remove(&f->c, round % 2 == 0 ? CAT_LOG : CAT_INDEX);
        expect_all(f);
        assert_int_equal(f->c.state.rebuilt, round % 2 == 1);
        assert_false(f->c.state.damaged);
    }
}

/* The files of another data directory. */
static void test_index_of_another_log(void **state)
{
    struct fixture *f = *state;
    struct cat other;
    size_t len;
    cat_init(&other, 2);
    cat_open(&other);
    (void)cat_series(&other, cat_create_db(&other, "other"), "m,a=1");
    cat_flush(&other);
    cat_close(&other);
    uint8_t *bytes = read_file(&other, CAT_INDEX, &len);
    write_file(&f->c, CAT_INDEX, bytes, len);
    expect_all(f);
    assert_true(f->c.state.rebuilt);
    assert_contains(f->c.state.messages, "follows another catalog.log");
    bbi_mem_free(bytes);
    cat_fini(&other);
}

/* Both damaged: what the log still says is there, the loss is told, the segments come from their
 * files. */
static void test_both_damaged(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_from_env();
    for (int round = 0; round < 60; round++) {
        write_file(&f->c, CAT_INDEX, f->index, 5000 + rng_below(&rng, 5000));
        size_t at = 48 + rng_below(&rng, f->log_len - 48 - 200);
        assert_true(simdisk_corrupt(f->c.disk, CAT_LOG, at, (uint8_t)(1 + rng_below(&rng, 255))));
        assert_ok(cat_try_open(&f->c, &err), &err);
        dump(&f->c, &f->have);
        assert_true(f->c.state.rebuilt);
        if (f->c.state.damaged) {
            assert_contains(f->c.state.messages, "damaged places");
            assert_int_equal(f->c.state.segment_count, 3);
        } else {
            assert_string_equal((char *)f->have.data, (char *)f->want.data);
        }
        /* It is told once, and what is there stays. */
        cat_close(&f->c);
        bbi_buf_reset(&f->c.wal);
        f->c.frame_count = 0;
        struct bbi_buf again;
        bbi_buf_init(&again, NULL, 1 << 24);
        assert_ok(cat_try_open(&f->c, &err), &err);
        dump(&f->c, &again);
        assert_string_equal((char *)again.data, (char *)f->have.data);
        assert_string_equal(f->c.state.messages, "");
        assert_false(f->c.state.damaged);
        bbi_buf_fini(&again);
        restore(f);
    }
}

/* Nothing is left but segment files: they are listed, and nothing is thrown away. */
static void test_both_gone(void **state)
{
    struct fixture *f = *state;
    uint8_t rubbish[5000] = {1};
    write_file(&f->c, CAT_INDEX, rubbish, sizeof(rubbish));
    write_file(&f->c, CAT_LOG, rubbish, sizeof(rubbish));
    assert_ok(cat_try_open(&f->c, &err), &err);
    assert_true(f->c.state.damaged);
    assert_int_equal(f->c.state.segment_count, 3);
    assert_true(bbi_catalog_segment_id_new(f->c.catalog) > f->c.files[2].id);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_flipped_index),
        TEST(test_cut_index),
        TEST(test_wrong_pages),
        TEST(test_not_lmdb_at_all),
        TEST(test_flipped_log),
        TEST(test_cut_log),
        TEST(test_either_file_is_missing),
        TEST(test_index_of_another_log),
        TEST(test_both_damaged),
        TEST(test_both_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
