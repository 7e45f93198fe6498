/* LMDB behind its wrapper: order of numbers in keys, checksums, ranges, and posting lists. */
#include "engine/catalog/index.h"

#include <stdio.h>
#include <string.h>

#include "engine/catalog/posting.h"
#include "engine/catalog/scan.h"
#include "tests/lib/rng.h"
#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"

#define PATH "/catalog.mdb"

static struct bb_error err;

static int compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static void check_uint(uint32_t v)
{
    uint8_t bytes[BBI_INDEX_UINT_MAX];
    uint8_t next[BBI_INDEX_UINT_MAX];
    struct bbi_cursor c;
    size_t len = (size_t)(bbi_index_put_uint(bytes, v) - bytes);
    assert_true(len <= BBI_INDEX_UINT_MAX);
    bbi_cursor_init(&c, bytes, len);
    assert_int_equal(bbi_index_get_uint(&c), v);
    assert_true(c.err == BB_OK && bbi_cursor_left(&c) == 0);
    bbi_cursor_init(&c, bytes, len - 1);
    (void)bbi_index_get_uint(&c);
    assert_int_equal(c.err, BB_ECORRUPT);
    if (v != UINT32_MAX) {
        size_t next_len = (size_t)(bbi_index_put_uint(next, v + 1) - next);
        assert_true(compare(bytes, len, next, next_len) < 0);
        assert_true(next_len >= len);
    }
}

static void test_numbers_keep_their_order(void **state)
{
    (void)state;
    struct rng rng = rng_from_env();
    for (uint32_t v = 0; v < 70000; v++) {
        check_uint(v);
    }
    for (int i = 0; i < 100000; i++) {
        check_uint((uint32_t)(rng_u64(&rng) >> (32 + rng_below(&rng, 32))));
    }
    check_uint(UINT32_MAX);
    check_uint((1u << 24) - 1);
}

struct fixture {
    struct simdisk *disk;
    struct bbi_index *index;
};

static void open_index(struct fixture *f)
{
    assert_ok(bbi_index_open(simdisk_fs(f->disk), PATH, (uint64_t)1 << 30, NULL, &f->index, &err),
              &err);
}

static int setup(void **state)
{
    struct fixture *f = bbi_mem_alloc(NULL, sizeof(*f));
    f->disk = simdisk_create(1);
    open_index(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bbi_index_close(&f->index);
    simdisk_destroy(&f->disk);
    bbi_mem_free(f);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
    return 0;
}

static struct bbi_index_writer *begin(struct fixture *f)
{
    struct bbi_index_writer *w;
    assert_ok(bbi_index_write_begin(f->index, &w, &err), &err);
    return w;
}

static void commit(struct fixture *f, struct bbi_index_writer *w)
{
    struct bbi_index_about about = *bbi_index_about(f->index);
    about.log_end++;
    assert_ok(bbi_index_write_commit(&w, &about, &err), &err);
    assert_null(w);
}

static void put(struct bbi_index_writer *w, const char *key, const char *value)
{
    assert_ok(bbi_index_put(w, BBI_INDEX_KEYS, key, strlen(key), value, strlen(value), &err), &err);
}

static void expect_text(struct fixture *f, const char *key, const char *value)
{
    struct bbi_index_reader *r;
    struct bbi_index_entry e;
    bool found;
    assert_ok(bbi_index_read_begin(f->index, &r, &err), &err);
    assert_ok(bbi_index_get(r, BBI_INDEX_KEYS, key, strlen(key), &e, &found, &err), &err);
    assert_int_equal(found, value != NULL);
    if (value != NULL) {
        assert_int_equal(e.value_len, strlen(value));
        assert_memory_equal(e.value, value, e.value_len);
    }
    bbi_index_read_end(&r);
}

static void test_values(void **state)
{
    struct fixture *f = *state;
    struct bbi_index_writer *w = begin(f);
    put(w, "b", "2");
    put(w, "d", "4");
    put(w, "a", "1");
    put(w, "c", "");
    put(w, "d", "44");
    commit(f, w);
    w = begin(f);
    put(w, "zz", "lost");
    bbi_index_write_abort(&w);
    for (int round = 0; round < 2; round++) {
        expect_text(f, "a", "1");
        expect_text(f, "b", "2");
        expect_text(f, "c", "");
        expect_text(f, "d", "44");
        expect_text(f, "zz", NULL);
        bbi_index_close(&f->index);
        open_index(f);
    }
    assert_int_equal(bbi_index_about(f->index)->log_end, 1);
    w = begin(f);
    assert_ok(bbi_index_delete(w, BBI_INDEX_KEYS, "b", 1, &err), &err);
    assert_ok(bbi_index_delete(w, BBI_INDEX_KEYS, "nothing", 7, &err), &err);
    commit(f, w);
    expect_text(f, "b", NULL);
    expect_text(f, "c", "");
}

static void test_ranges_go(void **state)
{
    struct fixture *f = *state;
    struct bbi_index_writer *w = begin(f);
    char key[32];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(key, sizeof(key), "%c%05d", "pqr"[i % 3], i);
        put(w, key, "some value to fill the pages with");
    }
    commit(f, w);
    w = begin(f);
    assert_ok(bbi_index_delete_prefix(w, BBI_INDEX_KEYS, "q", 1, &err), &err);
    assert_ok(bbi_index_delete_prefix(w, BBI_INDEX_KEYS, "x", 1, &err), &err);
    commit(f, w);
    struct bbi_scan scan;
    struct bbi_index_entry e;
    bool found = true;
    size_t count = 0;
    char last[8] = "";
    bbi_scan_init(&scan, f->index, NULL, BBI_INDEX_KEYS, NULL, 0);
    while (found) {
        assert_ok(bbi_scan_next(&scan, &e, &found, &err), &err);
        if (found) {
            assert_true(e.key_len == 6 && e.key[0] != 'q' && memcmp(last, e.key, 6) < 0);
            memcpy(last, e.key, 6);
            count++;
        }
    }
    bbi_scan_fini(&scan);
    assert_int_equal(count, 2000);
    bbi_scan_init(&scan, f->index, NULL, BBI_INDEX_KEYS, "r0001", 5);
    for (count = 0, found = true; found; count += found) {
        assert_ok(bbi_scan_next(&scan, &e, &found, &err), &err);
    }
    bbi_scan_fini(&scan);
    assert_int_equal(count, 3);
}

/* A full map says what to do, and changes nothing. */
static void test_full_map(void **state)
{
    struct fixture *f = *state;
    char *value = bbi_mem_zalloc(NULL, 1, 100000);
    bbi_index_close(&f->index);
    assert_ok(bbi_index_open(simdisk_fs(f->disk), PATH, 1 << 20, NULL, &f->index, &err), &err);
    struct bbi_index_writer *w = begin(f);
    put(w, "a", "1");
    commit(f, w);
    w = begin(f);
    int rc = BB_OK;
    for (char key = 'b'; rc == BB_OK; key++) {
        rc = bbi_index_put(w, BBI_INDEX_KEYS, &key, 1, value, 100000, &err);
    }
    assert_int_equal(rc, BB_ENOSPC);
    assert_contains(err.text, "catalog_map_bytes");
    bbi_index_write_abort(&w);
    expect_text(f, "a", "1");
    bbi_mem_free(value);
}

/* ---- posting lists ---- */

static uint32_t random_sid(struct rng *rng)
{
    return rng_one_in(rng, 3) ? (uint32_t)rng_below(rng, 200000)
                              : 65536 + (uint32_t)rng_below(rng, 300);
}

enum {
    BLOBS = 6
};

struct lists {
    struct bbi_buf blobs[BLOBS];
    roaring_bitmap_t *want[BLOBS];
    struct bbi_buf scratch;
};

static void lists_init(struct lists *l)
{
    static const size_t lens[BLOBS] = {0, 1, 60, 492, 493, 30000};
    bbi_buf_init(&l->scratch, NULL, 1 << 20);
    for (size_t i = 0; i < BLOBS; i++) {
        bbi_buf_init(&l->blobs[i], NULL, 1 << 20);
        l->want[i] = roaring_bitmap_create();
        uint8_t *bytes = bbi_mem_zalloc(NULL, 1, lens[i]);
        if (i > 0) {
            bbi_buf_block(&l->blobs[i], "k", 1);
            bbi_buf_block(&l->blobs[i], bytes, lens[i]);
        }
        bbi_mem_free(bytes);
    }
}

static void lists_fini(struct lists *l)
{
    for (size_t i = 0; i < BLOBS; i++) {
        roaring_bitmap_free(l->want[i]);
        bbi_buf_fini(&l->blobs[i]);
    }
    bbi_buf_fini(&l->scratch);
}

/* Some more ids for one list, a few or many, sometimes all of one range. */
static void lists_add(struct lists *l, size_t i, struct bbi_index_writer *w, struct rng *rng)
{
    roaring_bitmap_t *more = roaring_bitmap_create();
    for (uint64_t n = 1 + rng_below(rng, rng_one_in(rng, 5) ? 3000 : 4); n > 0; n--) {
        roaring_bitmap_add(more, random_sid(rng));
    }
    if (rng_one_in(rng, 10)) {
        roaring_bitmap_add_range_closed(more, 65536, 131071);
    }
    size_t count = (size_t)roaring_bitmap_get_cardinality(more);
    uint32_t *sids = bbi_mem_alloc(NULL, count * sizeof(*sids));
    roaring_bitmap_to_uint32_array(more, sids);
    for (size_t at = 0, next; at < count; at = next) {
        next = at;
        while (next < count && sids[next] >> 16 == sids[at] >> 16) {
            next++;
        }
        assert_ok(bbi_posting_add(w, 3, 300, l->blobs[i].data, l->blobs[i].len, sids + at,
                                  next - at, &l->scratch, &err),
                  &err);
    }
    roaring_bitmap_or_inplace(l->want[i], more);
    roaring_bitmap_free(more);
    bbi_mem_free(sids);
}

static void lists_check(struct lists *l, size_t i, struct bbi_index *index)
{
    struct bbi_posting_prefix prefix;
    struct bbi_scan scan;
    struct bbi_index_entry e;
    bool found = true;
    roaring_bitmap_t *have = roaring_bitmap_create();
    enum bbi_posting_form form = i == 0 ? BBI_POSTING_ALL : BBI_POSTING_VALUE;
    if (!bbi_posting_blob_prefix(&prefix, 3, 300, form, l->blobs[i].data, l->blobs[i].len)) {
        form = BBI_POSTING_LONG;
        bbi_posting_long_prefix(&prefix, 3, 300, l->blobs[i].data, l->blobs[i].len);
    }
    assert_int_equal(form == BBI_POSTING_LONG, l->blobs[i].len > 511 - 2 - 4);
    bbi_scan_init(&scan, index, NULL, BBI_INDEX_POSTINGS, prefix.bytes, prefix.len);
    while (found) {
        struct bbi_posting p;
        bool any;
        assert_ok(bbi_scan_next(&scan, &e, &found, &err), &err);
        if (found) {
            assert_ok(bbi_posting_parse(&e, form, &p, &err), &err);
            assert_int_equal(p.blob_len, l->blobs[i].len);
            assert_ok(bbi_posting_or(&p, have, &err), &err);
            assert_ok(bbi_posting_intersects(&p, l->want[i], &any, &err), &err);
            assert_true(any);
        }
    }
    bbi_scan_fini(&scan);
    assert_true(roaring_bitmap_equals(have, l->want[i]));
    roaring_bitmap_free(have);
}

/* Lists of several blobs, added to in several transactions, against bitmaps. */
static void test_lists_hold_what_was_added(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_from_env();
    struct lists l;
    lists_init(&l);
    for (int round = 0; round < 40; round++) {
        struct bbi_index_writer *w = begin(f);
        for (size_t i = 0; i < BLOBS; i++) {
            lists_add(&l, i, w, &rng);
        }
        commit(f, w);
    }
    for (size_t i = 0; i < BLOBS; i++) {
        lists_check(&l, i, f->index);
    }
    lists_fini(&l);
}

/* Whatever stands in a value, parsing it ends with an error or a list of the right ids. */
static void test_posting_bytes_of_others(void **state)
{
    (void)state;
    struct rng rng = rng_from_env();
    roaring_bitmap_t *out = roaring_bitmap_create();
    size_t good = 0;
    for (int i = 0; i < 200000; i++) {
        uint8_t key[24];
        uint8_t value[40];
        struct bbi_posting p;
        struct bbi_index_entry e = {.key = key,
                                    .key_len = rng_below(&rng, sizeof(key)),
                                    .value = value,
                                    .value_len = rng_below(&rng, sizeof(value))};
        enum bbi_posting_form form = (enum bbi_posting_form)rng_below(&rng, 4);
        for (size_t k = 0; k < sizeof(key); k++) {
            key[k] = (uint8_t)rng_u64(&rng);
        }
        for (size_t k = 0; k < sizeof(value); k++) {
            value[k] = (uint8_t)rng_below(&rng, rng_one_in(&rng, 3) ? 256 : 4);
        }
        key[0] %= 250;
        key[1] = 3;
        key[2] = (uint8_t)form;
        if (bbi_posting_parse(&e, form, &p, &err) == BB_OK &&
            bbi_posting_or(&p, out, &err) == BB_OK) {
            good++;
            assert_true(roaring_bitmap_minimum(out) >> 16 == p.high &&
                        roaring_bitmap_maximum(out) >> 16 == p.high);
        }
        roaring_bitmap_clear(out);
    }
    assert_true(good > 100);
    roaring_bitmap_free(out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_keep_their_order),
        TEST(test_values),
        TEST(test_ranges_go),
        TEST(test_full_map),
        TEST(test_lists_hold_what_was_added),
        TEST(test_posting_bytes_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
