/* What belongs to a measurement, of many that came mixed: series, tags, fields; in memory, in LMDB
 * and in both, and when one of them is gone. */
#include <string.h>

#include "tests/lib/unit.h"
#include "tests/unit/catalog_util.h"

#define MEASUREMENTS 3
#define SERIES       15000 /* of a measurement more than one slice of an overlay */

static struct bb_error err;

/* Series "m0,k0=7" and fields "v" of different types, and "f0". */
static void add(struct cat *c, uint32_t db, int from, int to)
{
    for (int i = from; i < to; i++) {
        char text[64];
        int m = i % MEASUREMENTS;
        (void)snprintf(text, sizeof(text), "m%d,k%d=%d", m, m, i);
        (void)cat_series(c, db, text);
    }
    for (int m = 0; m < MEASUREMENTS; m++) {
        char name[] = {'m', (char)('0' + m), '\0'};
        char field[] = {'f', (char)('0' + m)};
        uint32_t mid = cat_mid(c, db, name);
        uint32_t id;
        assert_ok(bbi_catalog_field_resolve(c->catalog, db, mid, (const uint8_t *)field, 2,
                                            BBI_STRING, &id, &err),
                  &err);
        assert_ok(bbi_catalog_field_resolve(c->catalog, db, mid, (const uint8_t *)"v", 1,
                                            m == 0 ? BBI_FLOAT : BBI_INT, &id, &err),
                  &err);
    }
}

static void expect_names(struct bbi_names *names, const char *text)
{
    char got[256] = "";
    for (size_t i = 0; i < names->count; i++) {
        size_t at = strlen(got);
        (void)snprintf(got + at, sizeof(got) - at, "%.*s ", (int)names->list[i].len,
                       (const char *)names->list[i].name);
    }
    assert_string_equal(got, text);
    bbi_names_fini(names);
}

/* mid 0: of all. */
static void expect(struct cat *c, uint32_t db, uint32_t mid, const char *key, size_t series,
                   const char *keys, const char *fields)
{
    struct bbi_names names;
    roaring_bitmap_t *ids;
    assert_ok(bbi_catalog_select(c->catalog, db, mid, NULL, &ids, &err), &err);
    assert_int_equal(roaring_bitmap_get_cardinality(ids), series);
    roaring_bitmap_free(ids);
    assert_ok(bbi_catalog_tag_values(c->catalog, db, mid, (const uint8_t *)key, strlen(key), NULL,
                                     NULL, &names, &err),
              &err);
    assert_int_equal(names.count, SERIES / MEASUREMENTS);
    bbi_names_fini(&names);
    assert_ok(bbi_catalog_tag_keys(c->catalog, db, mid, NULL, NULL, &names, &err), &err);
    expect_names(&names, keys);
    assert_ok(bbi_catalog_fields(c->catalog, db, mid, NULL, &names, &err), &err);
    expect_names(&names, fields);
}

static void expect_all(struct cat *c, uint32_t db)
{
    size_t each = SERIES / MEASUREMENTS;
    expect(c, db, cat_mid(c, db, "m0"), "k0", each, "k0 ", "f0 v ");
    expect(c, db, cat_mid(c, db, "m1"), "k1", each, "k1 ", "f1 v ");
    expect(c, db, cat_mid(c, db, "m2"), "k2", each, "k2 ", "f2 v ");
    expect(c, db, 0, "k1", SERIES, "k0 k1 k2 ", "f0 f1 f2 v v ");
}

/* The first values are the first of all. */
static void expect_first(struct cat *c, uint32_t db, const roaring_bitmap_t *within)
{
    static const size_t counts[] = {1, 7, 1999, 5000, 6000, SIZE_MAX};
    const uint8_t *key = (const uint8_t *)"k0";
    uint32_t mid = cat_mid(c, db, "m0");
    struct bbi_names all;
    assert_ok(bbi_catalog_tag_values(c->catalog, db, mid, key, 2, within, NULL, &all, &err), &err);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct bbi_names first;
        assert_ok(bbi_catalog_tag_values_first(c->catalog, db, mid, key, 2, within, counts[i], NULL,
                                               &first, &err),
                  &err);
        assert_int_equal(first.count, counts[i] < all.count ? counts[i] : all.count);
        for (size_t k = 0; k < first.count; k++) {
            assert_int_equal(first.list[k].len, all.list[k].len);
            assert_memory_equal(first.list[k].name, all.list[k].name, all.list[k].len);
        }
        bbi_names_fini(&first);
    }
    bbi_names_fini(&all);
}

static void test_first(void **state)
{
    static struct cat c;
    roaring_bitmap_t *within = roaring_bitmap_from_range(100, 14000, 2);
    (void)state;
    for (int half = 0; half <= SERIES; half += SERIES / 2) {
        cat_init(&c, 2);
        cat_open(&c);
        uint32_t db = cat_create_db(&c, "d");
        if (half > 0) {
            add(&c, db, SERIES - half, SERIES); /* the late ones first */
            cat_flush(&c);
        }
        add(&c, db, 0, SERIES - half);
        expect_first(&c, db, NULL);
        expect_first(&c, db, within);
        cat_fini(&c);
    }
    roaring_bitmap_free(within);
}

static void drop(struct cat *c, uint32_t db, const char *measurement)
{
    struct bbi_catalog_drop drop;
    uint32_t mid = cat_mid(c, db, measurement);
    cat_log(c);
    assert_ok(bbi_catalog_drop_begin(c->catalog, db, mid, NULL, &drop, &err), &err);
    bbi_buf_put(&c->wal, drop.records.data, drop.records.len);
    c->frame_ends[c->frame_count++] = c->wal.len;
    bbi_catalog_drop_end(c->catalog, &drop, true);
}

static void test_mixed(void **state)
{
    static struct cat c;
    (void)state;
    for (int half = 0; half <= SERIES; half += SERIES / 2) { /* that many of them in LMDB */
        cat_init(&c, 1);
        cat_open(&c);
        uint32_t db = cat_create_db(&c, "d");
        if (half > 0) {
            add(&c, db, 0, half);
            cat_flush(&c);
        }
        add(&c, db, half, SERIES);
        expect_all(&c, db);
        drop(&c, db, "m1");
        expect(&c, db, 0, "k0", SERIES / MEASUREMENTS * 2, "k0 k2 ", "f0 f2 v v ");
        expect(&c, db, cat_mid(&c, db, "m2"), "k2", SERIES / MEASUREMENTS, "k2 ", "f2 v ");
        add(&c, db, 0, SERIES); /* under a new id */
        expect_all(&c, db);
        cat_log(&c);
        cat_reopen(&c);
        expect_all(&c, db);
        cat_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mixed), cmocka_unit_test(test_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
