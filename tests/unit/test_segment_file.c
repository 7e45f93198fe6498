/*
 * Segments: what is written is read, in every way of reading, whatever its shape; names, references
 * and refusals.
 */
#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"
#include "tests/unit/segment_model.h"

static struct rng rng;

/* A disk and a directory for segments. */
struct fixture {
    struct simdisk *disk;
    const struct bbi_fs *fs;
    struct bbi_account acct;
    struct model model;
};

static void setup(struct fixture *f)
{
    struct bb_error err;
    f->disk = simdisk_create(rng_u64(&rng));
    f->fs = simdisk_fs(f->disk);
    assert_ok(bbi_fs_mkdir(f->fs, "/segments", &err), &err);
    bbi_account_init(&f->acct, "segment", 0, NULL);
    model_init(&f->model, &rng);
}

static void teardown(struct fixture *f)
{
    model_fini(&f->model);
    assert_int_equal(f->acct.used_bytes, 0);
    simdisk_destroy(&f->disk);
}

static struct bbi_segment *open_segment(struct fixture *f, uint64_t id)
{
    char path[BBI_FS_PATH_MAX];
    struct bbi_segment *seg = NULL;
    struct bb_error err;
    assert_ok(bbi_segment_path(path, "/segments", id, &err), &err);
    assert_ok(bbi_segment_open(f->fs, path, &f->acct, &seg, &err), &err);
    return seg;
}

/* Without the bytes that pad the struct. */
static void check_same_meta(const struct bbi_segment_meta *a, const struct bbi_segment_meta *b)
{
    assert_memory_equal(a, b, offsetof(struct bbi_segment_meta, level) + sizeof(a->level));
}

/* Write the model as segment 7 and compare. Returns its size. */
static uint64_t round_trip(struct fixture *f, bool split)
{
    struct bbi_segment_meta meta;
    struct bb_error err;
    assert_ok(model_write(&f->model, f->fs, "/segments", 7, split, &f->acct, &meta, &err), &err);
    struct bbi_segment *seg = open_segment(f, 7);
    check_same_meta(bbi_segment_get_meta(seg), &meta);
    model_check(&f->model, seg, &f->acct);
    bbi_segment_drop(seg);
    bbi_segment_unref(&seg);
    return meta.file_bytes;
}

static void test_lengths_of_series(void **state)
{
    (void)state;
    static const size_t lengths[] = {1,    2,    3,    63,   64,   65,    336,
                                     1023, 1024, 1025, 2048, 3072, 33000, 70001};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct fixture f;
        setup(&f);
        model_add(&f.model, 1, 5, lengths[i], MODEL_PLAIN);
        model_add(&f.model, 1, 6, lengths[i], MODEL_WILD);
        model_add(&f.model, 1, 7, 1, MODEL_PLAIN);
        round_trip(&f, false);
        round_trip(&f, true);
        teardown(&f);
    }
}

static void test_random_models(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct fixture f;
        setup(&f);
        uint32_t mid = 1;
        uint32_t sid = 0;
        size_t most = (size_t)1 << rng_below(&rng, 13);
        size_t series = 1 + rng_below(&rng, 40);
        for (size_t i = 0; i < series; i++) {
            mid += rng_one_in(&rng, 8) ? 1 + (uint32_t)rng_below(&rng, 3) : 0;
            /* Ids may be anything: they only rise inside a measurement. */
            sid = i == 0 || f.model.series[i - 1].measurement_id != mid
                      ? (uint32_t)rng_below(&rng, 1000000)
                      : sid + 1 + (uint32_t)rng_below(&rng, rng_one_in(&rng, 9) ? 100000000 : 3);
            model_add(&f.model, mid, sid, 1 + rng_below(&rng, most), MODEL_WILD);
        }
        round_trip(&f, rng_one_in(&rng, 2));
        teardown(&f);
    }
}

static void test_many_tiny_series(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (uint32_t i = 0; i < 100000; i++) {
        model_add(&f.model, 1, i * 3, 3, MODEL_PLAIN);
    }
    uint64_t bytes = round_trip(&f, false);
    print_message("100,000 series of 3 rows: %.3f bytes per row\n", (double)bytes / 300000);
    teardown(&f);
}

static void test_many_measurements(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (uint32_t i = 0; i < 400; i++) {
        model_add(&f.model, i * 2, 400 - i, 2, MODEL_WILD);
    }
    uint64_t bytes = round_trip(&f, true);
    print_message("400 measurements of one series: %.0f bytes each\n", (double)bytes / 400);
    teardown(&f);
}

static void test_ids_at_their_limits(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    model_add(&f.model, 0, 0, 5, MODEL_PLAIN);
    model_add(&f.model, 0, UINT32_MAX, 5, MODEL_WILD);
    model_add(&f.model, UINT32_MAX / 100 - 1, 0, 5, MODEL_PLAIN);
    round_trip(&f, false);
    teardown(&f);
}

static void test_empty_segment(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct bbi_segment_meta meta;
    struct bb_error err;
    assert_ok(model_write(&f.model, f.fs, "/segments", 7, false, &f.acct, &meta, &err), &err);
    assert_true(meta.row_count == 0 && meta.tmin > meta.tmax && meta.series_min > meta.series_max);
    struct bbi_segment *seg = open_segment(&f, 7);
    assert_ok(bbi_segment_verify(seg, &f.acct, &err), &err);
    assert_ok(bbi_segment_pin(seg, &err), &err);
    size_t count = 1;
    (void)bbi_segment_groups(seg, &count);
    assert_int_equal(count, 0);
    size_t first = 1;
    size_t end = 2;
    bbi_segment_find(seg, 1, 0, UINT32_MAX, &first, &end);
    assert_int_equal(first, end);
    bbi_segment_unpin(seg);
    bbi_segment_unref(&seg);
    teardown(&f);
}

/* ---- names, meta, references ---- */

static void test_names(void **state)
{
    (void)state;
    char path[BBI_FS_PATH_MAX];
    struct bb_error err;
    uint64_t id = 0;
    assert_ok(bbi_segment_path(path, "d", UINT64_C(0x1f), &err), &err);
    assert_string_equal(path, "d/seg-000000000000001f.bbs");
    assert_true(bbi_segment_parse_name("seg-00000000000abc1f.bbs", &id));
    assert_int_equal(id, 0xabc1f);
    assert_true(bbi_segment_is_tmp_name("tmp-00000000000abc1f.bbs"));
    static const char *const others[] = {
        "",
        "seg-00000000000abc1f.bb",
        "seg-00000000000abc1f.bbsx",
        "seg-00000000000ABC1F.bbs",
        "seg-00000000000abc1g.bbs",
        "tmp-00000000000abc1f.bbs",
        "seg-00000000000abc1f_bbs",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(bbi_segment_parse_name(others[i], &id));
    }
    assert_false(bbi_segment_is_tmp_name("seg-00000000000abc1f.bbs"));
}

static void test_meta_is_in_the_file(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    model_add(&f.model, 1, 5, 100, MODEL_PLAIN);
    struct bbi_segment_meta meta;
    struct bbi_segment_meta read;
    struct bb_error err;
    assert_ok(model_write(&f.model, f.fs, "/segments", 7, false, &f.acct, &meta, &err), &err);
    assert_ok(bbi_segment_read_meta(f.fs, "/segments/seg-0000000000000007.bbs", &read, &err), &err);
    check_same_meta(&read, &meta);
    assert_true(meta.id == 7 && meta.db_id == 3 && meta.rp_id == 4 && meta.lsn_lo == 800 &&
                meta.lsn_hi == 1600 && meta.tombs_lsn == 1608 && meta.job_id == 9 &&
                meta.job_part == 1 && meta.job_parts == 2 && meta.level == 5);
    struct bbi_fs_stat st;
    assert_ok(bbi_fs_stat(f.fs, "/segments/seg-0000000000000007.bbs", &st, &err), &err);
    assert_int_equal(st.size_bytes, meta.file_bytes);
    assert_int_equal(bbi_segment_read_meta(f.fs, "/segments/none", &read, &err), BB_ENOTFOUND);
    teardown(&f);
}

static void test_a_renamed_file_is_readable(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    model_add(&f.model, 1, 5, 100, MODEL_WILD);
    struct bbi_segment_meta meta;
    struct bbi_segment *seg = NULL;
    struct bb_error err;
    assert_ok(model_write(&f.model, f.fs, "/segments", 7, false, &f.acct, &meta, &err), &err);
    assert_ok(bbi_fs_rename(f.fs, "/segments/seg-0000000000000007.bbs", "/segments/x", &err), &err);
    assert_ok(bbi_segment_open(f.fs, "/segments/x", &f.acct, &seg, &err), &err);
    model_check(&f.model, seg, &f.acct);
    bbi_segment_unref(&seg);
    teardown(&f);
}

static bool exists(struct fixture *f, const char *path)
{
    struct bbi_fs_stat st;
    struct bb_error err;
    assert_ok(bbi_fs_stat(f->fs, path, &st, &err), &err);
    return st.exists;
}

static void test_last_reference_removes_a_dropped_file(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    model_add(&f.model, 1, 5, 100, MODEL_PLAIN);
    struct bbi_segment_meta meta;
    struct bb_error err;
    const char *path = "/segments/seg-0000000000000007.bbs";
    assert_ok(model_write(&f.model, f.fs, "/segments", 7, false, &f.acct, &meta, &err), &err);
    struct bbi_segment *seg = open_segment(&f, 7);
    struct bbi_segment *other = bbi_segment_ref(seg);
    assert_string_equal(bbi_segment_get_path(seg), path);
    bbi_segment_unref(&seg);
    assert_true(exists(&f, path));
    assert_null(seg);
    bbi_segment_drop(other);
    /* A reader that came before goes on reading. */
    model_check(&f.model, other, &f.acct);
    assert_true(exists(&f, path));
    bbi_segment_unref(&other);
    assert_false(exists(&f, path));
    bbi_segment_unref(&other);
    teardown(&f);
}

static void test_trim_waits_for_pins(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    model_add(&f.model, 1, 5, 100, MODEL_PLAIN);
    struct bbi_segment_meta meta;
    struct bb_error err;
    assert_ok(model_write(&f.model, f.fs, "/segments", 7, false, &f.acct, &meta, &err), &err);
    struct bbi_segment *seg = open_segment(&f, 7);
    uint64_t small = f.acct.used_bytes;
    assert_ok(bbi_segment_pin(seg, &err), &err);
    assert_ok(bbi_segment_pin(seg, &err), &err);
    assert_true(f.acct.used_bytes > small);
    bbi_segment_unpin(seg);
    assert_false(bbi_segment_trim(seg));
    bbi_segment_unpin(seg);
    assert_true(bbi_segment_trim(seg));
    assert_int_equal(f.acct.used_bytes, small);
    model_check(&f.model, seg, &f.acct);
    bbi_segment_unref(&seg);
    teardown(&f);
}

static void test_few_idle_segments_keep_their_index(void **state)
{
    (void)state;
    enum {
        COUNT = 20,
        KEEP = 5
    };
    struct fixture f;
    setup(&f);
    model_add(&f.model, 1, 5, 100, MODEL_PLAIN);
    struct bbi_segment *segs[COUNT];
    struct bbi_segment_meta meta;
    struct bb_error err;
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_ok(model_write(&f.model, f.fs, "/segments", i, false, &f.acct, &meta, &err), &err);
        segs[i] = open_segment(&f, i);
    }
    uint64_t none = f.acct.used_bytes;
    assert_ok(bbi_segment_pin(segs[0], &err), &err);
    uint64_t one = f.acct.used_bytes - none;
    bbi_segment_unpin(segs[0]);
    assert_int_equal(f.acct.used_bytes, none + one);
    bbi_segment_set_idle_max(KEEP);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            assert_ok(bbi_segment_verify(segs[i], &f.acct, &err), &err);
        }
        assert_int_equal(f.acct.used_bytes, none + KEEP * one);
    }
    /* Pinned ones do not count; the list may lose any of its members. */
    assert_ok(bbi_segment_pin(segs[COUNT - 1], &err), &err);
    assert_ok(bbi_segment_pin(segs[0], &err), &err);
    assert_int_equal(f.acct.used_bytes, none + (KEEP + 1) * one);
    bbi_segment_unref(&segs[COUNT - 3]);
    assert_true(bbi_segment_trim(segs[COUNT - 2]));
    bbi_segment_unpin(segs[0]);
    bbi_segment_unpin(segs[COUNT - 1]);
    bbi_segment_set_idle_max(0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(segs[i] == NULL || bbi_segment_trim(segs[i]));
        bbi_segment_unref(&segs[i]);
    }
    bbi_segment_set_idle_max(BBI_SEGMENT_IDLE_MAX);
    teardown(&f);
}

/* ---- writer ---- */

static struct bbi_segment_writer *create_writer(struct fixture *f)
{
    struct bbi_segment_meta identity = {.id = 7, .job_parts = 1};
    struct bbi_segment_writer *w = NULL;
    struct bb_error err;
    assert_ok(bbi_segment_writer_create(f->fs, "/segments", &identity, &f->acct, &w, &err), &err);
    return w;
}

static int add_one(struct bbi_segment_writer *w, uint32_t mid, uint32_t sid, int64_t time,
                   uint32_t field_id, uint8_t type, uint64_t bits, struct bb_error *err)
{
    struct bbi_column column = {.field_id = field_id, .type = type, .bits = &bits};
    return bbi_segment_writer_add(w, mid, sid, &time, 1, &column, 1, err);
}

static void expect_refusal(const struct bbi_column *columns, size_t count, const int64_t *times,
                           size_t rows, uint32_t mid, uint32_t sid, int code)
{
    struct fixture f;
    setup(&f);
    struct bbi_segment_writer *w = create_writer(&f);
    struct bbi_segment_meta meta;
    struct bb_error err;
    assert_ok(add_one(w, 5, 50, 500, 1, BBI_INT, 1, &err), &err);
    assert_int_equal(bbi_segment_writer_add(w, mid, sid, times, rows, columns, count, &err), code);
    assert_contains(err.text, "tmp-0000000000000007.bbs");
    assert_int_equal(add_one(w, 5, 51, 500, 1, BBI_INT, 1, &err), BB_EINVAL);
    assert_int_equal(bbi_segment_writer_finish(w, &meta, &err), BB_EINVAL);
    bbi_segment_writer_destroy(&w);
    assert_false(exists(&f, "/segments/tmp-0000000000000007.bbs"));
    assert_false(exists(&f, "/segments/seg-0000000000000007.bbs"));
    teardown(&f);
}

static void test_refusals(void **state)
{
    (void)state;
    uint64_t bits[2] = {1, 2};
    uint8_t byte = 'x';
    struct bbi_string strs[2] = {{&byte, 1}, {&byte, 65536}};
    int64_t rising[2] = {600, 601};
    int64_t falling[2] = {601, 600};
    int64_t before[1] = {500};
    struct bbi_column ints[2] = {{.field_id = 1, .type = BBI_INT, .bits = bits},
                                 {.field_id = 2, .type = BBI_INT, .bits = bits}};
    struct bbi_column twice[2] = {ints[0], ints[0]};
    struct bbi_column other_type = {.field_id = 1, .type = BBI_UINT, .bits = bits};
    struct bbi_column no_type = {.field_id = 3, .type = 6, .bits = bits};
    struct bbi_column no_bool = {.field_id = 3, .type = BBI_BOOL, .bits = bits};
    struct bbi_column too_long = {.field_id = 3, .type = BBI_STRING, .strs = strs};
    expect_refusal(ints, 2, rising, 2, 4, 60, BB_EINVAL);
    expect_refusal(ints, 2, rising, 2, 5, 49, BB_EINVAL);
    expect_refusal(ints, 2, before, 1, 5, 50, BB_EINVAL);
    expect_refusal(ints, 2, falling, 2, 5, 51, BB_EINVAL);
    expect_refusal(twice, 2, rising, 2, 5, 51, BB_EINVAL);
    expect_refusal(&other_type, 1, rising, 2, 5, 51, BB_EINVAL);
    expect_refusal(&no_type, 1, rising, 2, 5, 51, BB_EINVAL);
    expect_refusal(&too_long, 1, rising, 2, 5, 51, BB_ELIMIT);
    /* Packed only when its chunk closes. */
    struct fixture f;
    setup(&f);
    struct bbi_segment_writer *w = create_writer(&f);
    struct bbi_segment_meta meta;
    struct bb_error err;
    assert_ok(bbi_segment_writer_add(w, 5, 51, rising, 2, &no_bool, 1, &err), &err);
    assert_int_equal(bbi_segment_writer_finish(w, &meta, &err), BB_EINVAL);
    bbi_segment_writer_destroy(&w);
    teardown(&f);
}

static void test_a_field_may_have_another_type_in_another_measurement(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct bbi_segment_writer *w = create_writer(&f);
    struct bbi_segment_meta meta;
    struct bb_error err;
    assert_ok(add_one(w, 5, 50, 500, 1, BBI_INT, 1, &err), &err);
    assert_ok(bbi_segment_writer_add(w, 5, 40, NULL, 0, NULL, 0, &err), &err);
    assert_ok(add_one(w, 6, 10, 400, 1, BBI_BOOL, 1, &err), &err);
    assert_ok(bbi_segment_writer_finish(w, &meta, &err), &err);
    bbi_segment_writer_destroy(&w);
    assert_int_equal(meta.value_count, 2);
    assert_true(meta.tmin == 400 && meta.tmax == 500);
    teardown(&f);
}

static void test_temporary_file_of_another_is_left_alone(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct bbi_segment_writer *w = create_writer(&f);
    struct bbi_segment_writer *second = NULL;
    struct bbi_segment_meta identity = {.id = 7};
    struct bb_error err;
    assert_int_equal(
        bbi_segment_writer_create(f.fs, "/segments", &identity, &f.acct, &second, &err), BB_EEXIST);
    assert_null(second);
    assert_true(exists(&f, "/segments/tmp-0000000000000007.bbs"));
    bbi_segment_writer_destroy(&w);
    teardown(&f);
}

static void test_reserve(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    simdisk_set_capacity(f.disk, 1 << 20);
    struct bbi_segment_writer *w = create_writer(&f);
    struct bbi_segment_meta meta;
    struct bb_error err;
    assert_int_equal(bbi_segment_writer_reserve(w, 2 << 20, &err), BB_ENOSPC);
    assert_ok(bbi_segment_writer_reserve(w, 1 << 19, &err), &err);
    assert_ok(add_one(w, 5, 50, 500, 1, BBI_INT, 1, &err), &err);
    assert_int_equal(bbi_segment_writer_rows(w), 1);
    assert_ok(bbi_segment_writer_finish(w, &meta, &err), &err);
    bbi_segment_writer_destroy(&w);
    assert_int_equal(simdisk_used(f.disk), meta.file_bytes);
    struct bbi_segment *seg = open_segment(&f, 7);
    assert_ok(bbi_segment_verify(seg, &f.acct, &err), &err);
    bbi_segment_unref(&seg);
    teardown(&f);
}

static void test_memory_of_a_writer_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct bbi_segment_writer *w = create_writer(&f);
    struct bbi_segment_meta meta;
    struct bb_error err;
    static int64_t times[1024];
    static uint64_t bits[1024];
    struct bbi_column column = {.field_id = 1, .type = BBI_INT, .bits = bits};
    for (size_t i = 0; i < 4000000; i += 1024) {
        for (size_t k = 0; k < 1024; k++) {
            times[k] = (int64_t)(i + k) * 1000;
            bits[k] = rng_u64(&rng);
        }
        assert_ok(bbi_segment_writer_add(w, 1, 1, times, 1024, &column, 1, &err), &err);
    }
    assert_ok(bbi_segment_writer_finish(w, &meta, &err), &err);
    assert_true(meta.file_bytes > 30000000);
    print_message("a writer of %.1f MB took %.1f MB\n", (double)meta.file_bytes / 1e6,
                  (double)f.acct.peak_bytes / 1e6);
    assert_in_range(f.acct.peak_bytes, 1, 8 << 20);
    bbi_segment_writer_destroy(&w);
    teardown(&f);
}

static void test_long_strings_cut_chunks_and_groups(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct bbi_segment_writer *w = create_writer(&f);
    struct bbi_segment_meta meta;
    struct bb_error err;
    static uint8_t text[65535];
    enum {
        ROWS = 1000
    };
    static int64_t times[ROWS];
    static struct bbi_string strs[ROWS];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)rng_u64(&rng);
    }
    for (size_t i = 0; i < ROWS; i++) {
        times[i] = (int64_t)i;
        strs[i] = (struct bbi_string){text + i, (uint32_t)(sizeof(text) - i)};
    }
    struct bbi_column column = {.field_id = 1, .type = BBI_STRING, .strs = strs};
    assert_ok(bbi_segment_writer_add(w, 1, 1, times, ROWS, &column, 1, &err), &err);
    assert_ok(bbi_segment_writer_finish(w, &meta, &err), &err);
    bbi_segment_writer_destroy(&w);
    assert_in_range(f.acct.peak_bytes, 1, 100 << 20);
    struct bbi_segment *seg = open_segment(&f, 7);
    assert_ok(bbi_segment_verify(seg, &f.acct, &err), &err);
    assert_int_equal(bbi_segment_get_meta(seg)->value_count, ROWS);
    bbi_segment_unref(&seg);
    teardown(&f);
}

/* ---- reading ---- */

static void test_windows_outside_a_chunk_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    model_add(&f.model, 1, 5, 10, MODEL_PLAIN);
    struct bbi_segment_meta meta;
    struct bb_error err;
    assert_ok(model_write(&f.model, f.fs, "/segments", 7, false, &f.acct, &meta, &err), &err);
    struct bbi_segment *seg = open_segment(&f, 7);
    struct bbi_timepage tp;
    struct bbi_fieldpage fp;
    bbi_timepage_init(&tp, &f.acct);
    bbi_fieldpage_init(&fp, &f.acct);
    assert_ok(bbi_segment_pin(seg, &err), &err);
    assert_ok(bbi_segment_read_time(seg, 0, &tp, &err), &err);
    assert_ok(bbi_segment_read_field(seg, 0, 0, &tp, &fp, &err), &err);
    uint64_t bits[16];
    int64_t times[16];
    struct bbi_string strs[16];
    size_t count = 0;
    assert_int_equal(bbi_fieldpage_values(&fp, 0, 5, 11, bits, NULL, &count, &err), BB_EINVAL);
    assert_int_equal(bbi_fieldpage_values(&fp, 0, 6, 5, bits, NULL, &count, &err), BB_EINVAL);
    assert_int_equal(bbi_fieldpage_values(&fp, 1, 0, 1, bits, NULL, &count, &err), BB_EINVAL);
    assert_int_equal(bbi_fieldpage_strings(&fp, 0, 0, 1, strs, NULL, &count, &err), BB_EINVAL);
    assert_int_equal(bbi_timepage_times(&tp, 0, 0, 11, times, &err), BB_EINVAL);
    fp.packed_values = 0;
    fp.decoded_values = 0;
    struct bbi_sum sum;
    bbi_sum_init(&sum, &f.acct);
    assert_ok(bbi_fieldpage_sum(&fp, 0, 2, 9, &sum, NULL, &count, &err), &err);
    assert_true(fp.packed_values == 7 && fp.decoded_values == 0);
    assert_ok(bbi_fieldpage_values(&fp, 0, 2, 9, bits, NULL, &count, &err), &err);
    assert_true(fp.packed_values == 7 && fp.decoded_values == 7);
    bbi_sum_fini(&sum);
    bbi_segment_unpin(seg);
    bbi_fieldpage_fini(&fp);
    bbi_timepage_fini(&tp);
    bbi_segment_unref(&seg);
    teardown(&f);
}

int main(void)
{
    rng = rng_from_env();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_of_series),
        cmocka_unit_test(test_random_models),
        cmocka_unit_test(test_many_tiny_series),
        cmocka_unit_test(test_many_measurements),
        cmocka_unit_test(test_ids_at_their_limits),
        cmocka_unit_test(test_empty_segment),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_meta_is_in_the_file),
        cmocka_unit_test(test_a_renamed_file_is_readable),
        cmocka_unit_test(test_last_reference_removes_a_dropped_file),
        cmocka_unit_test(test_trim_waits_for_pins),
        cmocka_unit_test(test_few_idle_segments_keep_their_index),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_field_may_have_another_type_in_another_measurement),
        cmocka_unit_test(test_temporary_file_of_another_is_left_alone),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_memory_of_a_writer_is_bounded),
        cmocka_unit_test(test_long_strings_cut_chunks_and_groups),
        cmocka_unit_test(test_windows_outside_a_chunk_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
