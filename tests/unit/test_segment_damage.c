/*
 * Damaged segments: every byte of a file is under a checksum, so every change and every cut is
 * noticed and named; and bytes that pass the checksum, because someone computed it, are still read
 * without a fault.
 */
#include "engine/base/hash.h"
#include "engine/segment/format.h"
#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"
#include "tests/unit/segment_model.h"

#define PATH "/seg-0000000000000007.bbs"

static struct rng rng;

/* A small segment on a disk, and its bytes. */
struct fixture {
    struct simdisk *disk;
    const struct bbi_fs *fs;
    uint8_t *bytes;
    size_t len;
};

static void setup(struct fixture *f, size_t rows, size_t series)
{
    struct model m;
    struct bbi_segment_meta meta;
    struct bb_error err;
    struct bbi_buf buf;
    f->disk = simdisk_create(1);
    f->fs = simdisk_fs(f->disk);
    model_init(&m, &rng);
    for (size_t i = 0; i < series; i++) {
        model_add(&m, 1 + (uint32_t)(i / 3), (uint32_t)i, 1 + rng_below(&rng, rows),
                  i % 3 == 0 ? MODEL_PLAIN : MODEL_WILD);
    }
    assert_ok(model_write(&m, f->fs, "/", 7, false, NULL, &meta, &err), &err);
    model_fini(&m);
    bbi_buf_init(&buf, NULL, 1 << 24);
    assert_ok(bbi_fs_read_file(f->fs, PATH, 1 << 24, &buf, &err), &err);
    f->len = buf.len;
    f->bytes = malloc(buf.len);
    assert_non_null(f->bytes);
    memcpy(f->bytes, buf.data, buf.len);
    bbi_buf_fini(&buf);
}

static void teardown(struct fixture *f)
{
    free(f->bytes);
    simdisk_destroy(&f->disk);
}

static void put_file(struct fixture *f, const uint8_t *bytes, size_t len)
{
    struct bbi_file *file = NULL;
    struct bb_error err;
    assert_ok(bbi_fs_open(f->fs, PATH, BBI_FS_WRITE | BBI_FS_CREATE | BBI_FS_TRUNC, &file, &err),
              &err);
    assert_ok(bbi_file_write(file, bytes, len, 0, &err), &err);
    bbi_file_close(&file);
}

/* Open and verify. */
static int verify(struct fixture *f, struct bb_error *err)
{
    struct bbi_segment *seg = NULL;
    int code = bbi_segment_open(f->fs, PATH, NULL, &seg, err);
    if (code == BB_OK) {
        code = bbi_segment_verify(seg, NULL, err);
    }
    bbi_segment_unref(&seg);
    return code;
}

static void test_every_changed_byte_is_noticed(void **state)
{
    (void)state;
    struct fixture f;
    struct bb_error err;
    setup(&f, 30, 5);
    assert_ok(verify(&f, &err), &err);
    print_message("a segment of %zu bytes\n", f.len);
    for (size_t i = 0; i < f.len; i++) {
        uint8_t mask = (uint8_t)(1u << rng_below(&rng, 8));
        assert_true(simdisk_corrupt(f.disk, PATH, i, mask));
        assert_int_equal(verify(&f, &err), BB_ECORRUPT);
        assert_contains(err.text, PATH);
        assert_true(simdisk_corrupt(f.disk, PATH, i, mask));
    }
    assert_ok(verify(&f, &err), &err);
    teardown(&f);
}

static void test_every_cut_is_noticed(void **state)
{
    (void)state;
    struct fixture f;
    struct bb_error err;
    setup(&f, 30, 5);
    for (size_t len = 0; len < f.len; len++) {
        put_file(&f, f.bytes, len);
        assert_int_equal(verify(&f, &err), BB_ECORRUPT);
        assert_contains(err.text, PATH);
    }
    /* One byte more is as bad as one less. */
    uint8_t *longer = calloc(f.len + 1, 1);
    assert_non_null(longer);
    memcpy(longer, f.bytes, f.len);
    put_file(&f, longer, f.len + 1);
    assert_int_equal(verify(&f, &err), BB_ECORRUPT);
    /* So is a whole footer too many. */
    longer = realloc(longer, f.len + BBI_FOOTER_BYTES);
    assert_non_null(longer);
    memcpy(longer + f.len, f.bytes + f.len - BBI_FOOTER_BYTES, BBI_FOOTER_BYTES);
    put_file(&f, longer, f.len + BBI_FOOTER_BYTES);
    assert_int_equal(verify(&f, &err), BB_ECORRUPT);
    free(longer);
    teardown(&f);
}

static void test_a_page_elsewhere_is_not_taken_for_another(void **state)
{
    (void)state;
    struct fixture f;
    struct bb_error err;
    setup(&f, 30, 1);
    struct bbi_footer footer;
    assert_ok(bbi_format_get_footer(f.bytes + f.len - BBI_FOOTER_BYTES, &footer, &err), &err);
    struct bbi_page_header header;
    uint8_t *page = f.bytes + BBI_FILE_BYTES;
    size_t bytes = BBI_PAGE_BYTES + bbi_get_u32(page + BBI_PAGE_BODY_AT);
    assert_ok(bbi_format_open_page(page, bytes, 7, BBI_FILE_BYTES, &header, &err), &err);
    assert_int_equal(header.kind, BBI_PAGE_TIME);
    assert_int_equal(bbi_format_open_page(page, bytes, 7, BBI_FILE_BYTES + 1, &header, &err),
                     BB_ECORRUPT);
    assert_int_equal(bbi_format_open_page(page, bytes, 8, BBI_FILE_BYTES, &header, &err),
                     BB_ECORRUPT);
    teardown(&f);
}

static void test_a_newer_version_is_told_from_damage(void **state)
{
    (void)state;
    struct fixture f;
    struct bb_error err;
    setup(&f, 30, 1);
    uint8_t *page = f.bytes + BBI_FILE_BYTES;
    size_t bytes = BBI_PAGE_BYTES + bbi_get_u32(page + BBI_PAGE_BODY_AT);
    page[BBI_PAGE_VERSION_AT] = 2;
    bbi_put_u64(page, bbi_format_page_checksum(page, bytes, 7, BBI_FILE_BYTES));
    put_file(&f, f.bytes, f.len);
    assert_int_equal(verify(&f, &err), BB_EVERSION);
    teardown(&f);
}

/* ---- bytes that carry a true checksum ---- */

/* Use whatever a segment yields; any code of an error is fine, any fault is not. */
static void read_everything(struct fixture *f)
{
    struct bbi_segment *seg = NULL;
    struct bb_error err;
    if (bbi_segment_open(f->fs, PATH, NULL, &seg, &err) != BB_OK) {
        return;
    }
    int code = bbi_segment_verify(seg, NULL, &err);
    assert_true(code == BB_OK || code == BB_ECORRUPT || code == BB_EVERSION || code == BB_ENOMEM);
    if (bbi_segment_pin(seg, &err) != BB_OK) {
        bbi_segment_unref(&seg);
        return;
    }
    struct bbi_timepage tp;
    struct bbi_fieldpage fp;
    bbi_timepage_init(&tp, NULL);
    bbi_fieldpage_init(&fp, NULL);
    size_t count = 0;
    const struct bbi_segment_group *groups = bbi_segment_groups(seg, &count);
    for (size_t g = 0; g < count; g++) {
        if (bbi_segment_read_time(seg, g, &tp, &err) != BB_OK) {
            continue;
        }
        for (size_t k = 0; k < groups[g].field_count; k++) {
            if (bbi_segment_read_field(seg, g, k, &tp, &fp, &err) != BB_OK) {
                continue;
            }
            for (size_t c = 0; c < fp.chunk_count; c++) {
                uint64_t bits[BBI_SEGMENT_CHUNK_ROWS];
                struct bbi_string strs[BBI_SEGMENT_CHUNK_ROWS];
                int64_t times[BBI_SEGMENT_CHUNK_ROWS];
                size_t n = tp.rows[c];
                size_t values = 0;
                if (bbi_timepage_times(&tp, c, 0, n, times, &err) == BB_OK) {
                    assert_true(times[n - 1] == tp.tmax[c]);
                }
                code = fp.type == BBI_STRING
                           ? bbi_fieldpage_strings(&fp, c, 0, n, strs, NULL, &values, &err)
                           : bbi_fieldpage_values(&fp, c, n / 3, n, bits, NULL, &values, &err);
                assert_true(code == BB_OK || code == BB_ECORRUPT);
                assert_true(values <= n);
            }
        }
    }
    bbi_fieldpage_fini(&fp);
    bbi_timepage_fini(&tp);
    bbi_segment_unpin(seg);
    bbi_segment_unref(&seg);
}

/* The page that byte `at` lies in. Returns its length, 0 if none. */
static size_t find_page(const struct fixture *f, size_t at, size_t *begin)
{
    size_t page = BBI_FILE_BYTES;
    while (page + BBI_PAGE_BYTES <= f->len - BBI_FOOTER_BYTES) {
        size_t bytes = BBI_PAGE_BYTES + bbi_get_u32(f->bytes + page + BBI_PAGE_BODY_AT);
        if (at < page + bytes) {
            *begin = page;
            return at < page ? 0 : bytes;
        }
        page += bytes;
    }
    return 0;
}

static void test_lies_with_true_checksums(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct fixture f;
        setup(&f, 80, 6);
        uint8_t *copy = malloc(f.len);
        assert_non_null(copy);
        for (size_t i = BBI_FILE_BYTES; i < f.len - BBI_FOOTER_BYTES; i++) {
            size_t begin = 0;
            size_t bytes = find_page(&f, i, &begin);
            assert_true(bytes > 0);
            memcpy(copy, f.bytes, f.len);
            copy[i] = rng_one_in(&rng, 2) ? (uint8_t)rng_u64(&rng)
                                          : (uint8_t)(copy[i] ^ 1u << rng_below(&rng, 8));
            bbi_put_u64(copy + begin, bbi_format_page_checksum(copy + begin, bytes, 7, begin));
            put_file(&f, copy, f.len);
            read_everything(&f);
        }
        /* The footer. */
        uint8_t *footer = copy + f.len - BBI_FOOTER_BYTES;
        for (size_t i = 8; i < BBI_FOOTER_BYTES; i++) {
            memcpy(copy, f.bytes, f.len);
            footer[i] = (uint8_t)(footer[i] ^ 1u << rng_below(&rng, 8));
            bbi_put_u64(footer, bbi_hash64(footer + 8, BBI_FOOTER_BYTES - 8));
            put_file(&f, copy, f.len);
            read_everything(&f);
        }
        free(copy);
        teardown(&f);
    }
}

int main(void)
{
    rng = rng_from_env();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_changed_byte_is_noticed),
        cmocka_unit_test(test_every_cut_is_noticed),
        cmocka_unit_test(test_a_page_elsewhere_is_not_taken_for_another),
        cmocka_unit_test(test_a_newer_version_is_told_from_damage),
        cmocka_unit_test(test_lies_with_true_checksums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
