/* Conditions on tags and lists of tags, while series are in overlays, in LMDB, and in both. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/catalog_util.h"

static struct bb_error err;

/* Where the first half of the series and the second half are. */
enum place {
    OVERLAY,
    FROZEN,
    INDEX,
    HALF, /* first in LMDB, rest in the overlay */
    PLACES
};

struct fixture {
    struct cat c;
    uint32_t db;
    uint32_t mid;
};

static const char *const series[] = {
    "cpu,host=a,region=eu",   /* 1 */
    "cpu,host=b,region=eu",   /* 2 */
    "cpu,host=c,region=us",   /* 3 */
    "cpu,host=ab",            /* 4: no region */
    "cpu",                    /* 5: no tags */
    "cpu,host=a.b,region=us", /* 6 */
    "mem,host=a",             /* 7 */
    "mem,region=eu",          /* 8 */
};
#define SERIES (sizeof(series) / sizeof(series[0]))

static void fixture_init(struct fixture *f, enum place place)
{
    cat_init(&f->c, 1);
    cat_open(&f->c);
    f->db = cat_create_db(&f->c, "d");
    for (size_t i = 0; i < SERIES; i++) {
        if (place == HALF && i == SERIES / 2) {
            cat_flush(&f->c);
        }
        assert_int_equal(cat_series(&f->c, f->db, series[i]), i + 1);
    }
    f->mid = cat_mid(&f->c, f->db, "cpu");
    if (place == FROZEN) {
        assert_ok(bbi_catalog_rotate(f->c.catalog, &err), &err);
    } else if (place == INDEX) {
        cat_flush(&f->c);
        cat_reopen(&f->c);
    }
}

static struct bbi_tagpred leaf(enum bbi_tagpred_op op, const char *key, const char *value)
{
    return (struct bbi_tagpred){.op = op,
                                .key = (const uint8_t *)key,
                                .key_len = strlen(key),
                                .value = (const uint8_t *)value,
                                .value_len = strlen(value)};
}

/* Ids as digits, ascending. */
static void ids_text(const roaring_bitmap_t *ids, char *text)
{
    for (uint32_t sid = 1; sid <= SERIES; sid++) {
        if (roaring_bitmap_contains(ids, sid)) {
            *text++ = (char)('0' + sid);
        }
    }
    *text = '\0';
}

static void expect(struct fixture *f, uint32_t mid, const struct bbi_tagpred *pred, const char *ids)
{
    roaring_bitmap_t *out;
    char text[SERIES + 1];
    assert_ok(bbi_catalog_select(f->c.catalog, f->db, mid, pred, &out, &err), &err);
    ids_text(out, text);
    assert_string_equal(text, ids);
    assert_int_equal(roaring_bitmap_get_cardinality(out), strlen(ids));
    roaring_bitmap_free(out);
}

static void expect_leaf(struct fixture *f, enum bbi_tagpred_op op, const char *key,
                        const char *value, const char *ids)
{
    struct bbi_tagpred pred = leaf(op, key, value);
    expect(f, f->mid, &pred, ids);
}

static void test_leaves(void **state)
{
    (void)state;
    for (int place = 0; place < PLACES; place++) {
        struct fixture f;
        fixture_init(&f, (enum place)place);
        expect(&f, 0, NULL, "12345678");
        expect(&f, f.mid, NULL, "123456");
        expect(&f, f.mid + 9, NULL, "");
        expect_leaf(&f, BBI_TAGPRED_EQ, "host", "a", "1");
        expect_leaf(&f, BBI_TAGPRED_EQ, "host", "z", "");
        expect_leaf(&f, BBI_TAGPRED_EQ, "host", "", "5");
        expect_leaf(&f, BBI_TAGPRED_EQ, "region", "", "45");
        expect_leaf(&f, BBI_TAGPRED_EQ, "nokey", "", "123456");
        expect_leaf(&f, BBI_TAGPRED_EQ, "nokey", "a", "");
        expect_leaf(&f, BBI_TAGPRED_NEQ, "host", "a", "23456");
        expect_leaf(&f, BBI_TAGPRED_NEQ, "region", "", "1236");
        expect_leaf(&f, BBI_TAGPRED_NEQ, "nokey", "a", "123456");
        expect_leaf(&f, BBI_TAGPRED_NEQ, "nokey", "", "");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "host", "a", "146");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "host", "^a", "146");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "host", "^(a|b|zz)$", "12");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "host", "^(?:a|a\\.b)$", "16");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "host", "^a.b$", "6");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "host", "^a$", "1");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "host", "^(a|)$", "15");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "host", ".*", "123456");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "host", ".+", "12346");
        expect_leaf(&f, BBI_TAGPRED_NREGEX, "host", ".+", "5");
        expect_leaf(&f, BBI_TAGPRED_NREGEX, "host", "^a", "235");
        expect_leaf(&f, BBI_TAGPRED_NREGEX, "nokey", "x", "123456");
        expect_leaf(&f, BBI_TAGPRED_REGEX, "nokey", "x*", "123456");
        struct bbi_tagpred any = leaf(BBI_TAGPRED_EQ, "host", "a");
        expect(&f, 0, &any, "17");
        any = leaf(BBI_TAGPRED_EQ, "host", "");
        expect(&f, 0, &any, "58");
        cat_fini(&f.c);
    }
}

static void test_trees(void **state)
{
    (void)state;
    for (int place = 0; place < PLACES; place++) {
        struct fixture f;
        fixture_init(&f, (enum place)place);
        struct bbi_tagpred eu = leaf(BBI_TAGPRED_EQ, "region", "eu");
        struct bbi_tagpred us = leaf(BBI_TAGPRED_EQ, "region", "us");
        struct bbi_tagpred a = leaf(BBI_TAGPRED_REGEX, "host", "a");
        struct bbi_tagpred not_b = leaf(BBI_TAGPRED_NEQ, "host", "b");
        const struct bbi_tagpred *both[] = {&eu, &us};
        struct bbi_tagpred or = {.op = BBI_TAGPRED_OR, .children = both, .child_count = 2};
        const struct bbi_tagpred *all[] = {& or, &a, &not_b};
        struct bbi_tagpred and = {.op = BBI_TAGPRED_AND, .children = all, .child_count = 3};
        struct bbi_tagpred none = {.op = BBI_TAGPRED_AND, .children = both, .child_count = 2};
        const struct bbi_tagpred *one[] = {&and};
        struct bbi_tagpred wrapped = {.op = BBI_TAGPRED_OR, .children = one, .child_count = 1};
        expect(&f, f.mid, & or, "1236");
        expect(&f, f.mid, &and, "16");
        expect(&f, f.mid, &none, "");
        expect(&f, f.mid, &wrapped, "16");
        expect(&f, 0, & or, "12368");
        cat_fini(&f.c);
    }
}

static void expect_error(struct fixture *f, const struct bbi_tagpred *pred, int code)
{
    roaring_bitmap_t *out;
    assert_int_equal(bbi_catalog_select(f->c.catalog, f->db, f->mid, pred, &out, &err), code);
    assert_null(out);
}

static void test_bad_conditions(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, HALF);
    struct bbi_tagpred bad = leaf(BBI_TAGPRED_REGEX, "host", "a(");
    expect_error(&f, &bad, BB_EPARSE);
    assert_non_null(strstr(err.text, "missing closing )"));
    const struct bbi_tagpred *some[] = {&bad, &bad};
    struct bbi_tagpred tree = {.op = BBI_TAGPRED_AND, .children = some, .child_count = 2};
    expect_error(&f, &tree, BB_EPARSE);

    char pattern[BBI_TAGPRED_REGEX_MAX + 2];
    memset(pattern, 'a', sizeof(pattern) - 1);
    pattern[sizeof(pattern) - 1] = '\0';
    struct bbi_tagpred too_long = leaf(BBI_TAGPRED_REGEX, "host", pattern);
    expect_error(&f, &too_long, BB_ELIMIT);

    struct bbi_tagpred nest[BBI_TAGPRED_DEPTH_MAX + 1];
    const struct bbi_tagpred *children[BBI_TAGPRED_DEPTH_MAX + 1];
    nest[0] = leaf(BBI_TAGPRED_EQ, "host", "a");
    for (size_t i = 1; i <= BBI_TAGPRED_DEPTH_MAX; i++) {
        children[i] = &nest[i - 1];
        nest[i] = (struct bbi_tagpred){
            .op = BBI_TAGPRED_OR, .children = &children[i], .child_count = 1};
    }
    expect(&f, f.mid, &nest[BBI_TAGPRED_DEPTH_MAX - 1], "1");
    expect_error(&f, &nest[BBI_TAGPRED_DEPTH_MAX], BB_ELIMIT);
    f.db++;
    expect_error(&f, NULL, BB_ENOTFOUND);
    cat_fini(&f.c);
}

/* A pattern that explodes on a value that invites it: an error, soon. */
static void test_costly_pattern_is_stopped(void **state)
{
    (void)state;
    for (int flushed = 0; flushed < 2; flushed++) {
        struct fixture f;
        fixture_init(&f, OVERLAY);
        (void)cat_series(&f.c, f.db, "cpu,host=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
        if (flushed != 0) {
            cat_flush(&f.c);
        }
        struct bbi_tagpred bomb = leaf(BBI_TAGPRED_REGEX, "host", "^(a+)+(a+)+(a+)+$");
        expect_error(&f, &bomb, BB_ELIMIT);
        cat_fini(&f.c);
    }
}

static void names_text(struct bbi_names *names, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < names->count; i++) {
        at += (size_t)snprintf(text + at, size - at, "%.*s|", (int)names->list[i].len,
                               (const char *)names->list[i].name);
    }
    bbi_names_fini(names);
}

static void test_tag_lists(void **state)
{
    (void)state;
    for (int place = 0; place < PLACES; place++) {
        struct fixture f;
        struct bbi_names names;
        char text[200];
        bool exists;
        fixture_init(&f, (enum place)place);
        struct bbi_catalog *cat = f.c.catalog;
        const uint8_t *host = (const uint8_t *)"host";
        assert_ok(bbi_catalog_tag_keys(cat, f.db, f.mid, NULL, NULL, &names, &err), &err);
        names_text(&names, text, sizeof(text));
        assert_string_equal(text, "host|region|");
        assert_ok(bbi_catalog_tag_values(cat, f.db, f.mid, host, 4, NULL, NULL, &names, &err),
                  &err);
        names_text(&names, text, sizeof(text));
        assert_string_equal(text, "a|a.b|ab|b|c|");
        assert_ok(bbi_catalog_tag_values(cat, f.db, f.mid, host, 3, NULL, NULL, &names, &err),
                  &err);
        names_text(&names, text, sizeof(text));
        assert_string_equal(text, "");

        roaring_bitmap_t *within = roaring_bitmap_of(2, 3, 4);
        assert_ok(bbi_catalog_tag_values(cat, f.db, 0, host, 4, within, NULL, &names, &err), &err);
        names_text(&names, text, sizeof(text));
        assert_string_equal(text, "ab|c|");
        roaring_bitmap_remove(within, 3);
        assert_ok(bbi_catalog_tag_keys(cat, f.db, 0, within, NULL, &names, &err), &err);
        names_text(&names, text, sizeof(text));
        assert_string_equal(text, "host|");
        roaring_bitmap_free(within);

        assert_ok(bbi_catalog_tag_key_exists(cat, f.db, f.mid, host, 4, &exists, &err), &err);
        assert_true(exists);
        assert_ok(bbi_catalog_tag_key_exists(cat, f.db, 0, host, 4, &exists, &err), &err);
        assert_true(exists);
        assert_ok(bbi_catalog_tag_key_exists(cat, f.db, f.mid, host, 3, &exists, &err), &err);
        assert_false(exists);
        assert_int_equal(bbi_catalog_tag_key_exists(cat, 99, 1, host, 3, &exists, &err),
                         BB_ENOTFOUND);
        cat_fini(&f.c);
    }
}

struct told {
    char text[200];
    size_t count;
    size_t stop_at;
    struct cat *c;
};

static int tell(void *arg, uint32_t sid, uint32_t mid, const uint8_t *key, size_t key_len,
                struct bb_error *e)
{
    struct told *t = arg;
    size_t len;
    struct bbi_catalog_stats stats;
    assert_true(mid != 0);
    /* The catalog may be called from here. */
    bbi_catalog_stats_get(t->c->catalog, &stats);
    const uint8_t *host = bbi_key_tag_value(key, key_len, (const uint8_t *)"host", 4, &len);
    size_t at = strlen(t->text);
    (void)snprintf(t->text + at, sizeof(t->text) - at, "%u%.*s ", sid, (int)len,
                   (const char *)host);
    t->count++;
    return t->count == t->stop_at ? bbi_error_set(e, BB_ECANCELED, "enough") : BB_OK;
}

static void test_each_series(void **state)
{
    (void)state;
    for (int place = 0; place < PLACES; place++) {
        struct fixture f;
        fixture_init(&f, (enum place)place);
        struct told t = {.c = &f.c};
        roaring_bitmap_t *ids = roaring_bitmap_of(4, 2, 4, 5, 99);
        assert_ok(bbi_catalog_series_each(f.c.catalog, f.db, ids, NULL, tell, &t, &err), &err);
        assert_string_equal(t.text, "2b 4ab 5 ");
        t = (struct told){.c = &f.c, .stop_at = 6};
        assert_int_equal(bbi_catalog_series_each(f.c.catalog, f.db, NULL, NULL, tell, &t, &err),
                         BB_ECANCELED);
        assert_string_equal(t.text, "1a 2b 3c 4ab 5 6a.b ");
        roaring_bitmap_free(ids);

        struct bbi_buf key;
        uint32_t mid;
        bbi_buf_init(&key, NULL, 1000);
        assert_ok(bbi_catalog_series_key(f.c.catalog, f.db, 3, &mid, &key, &err), &err);
        assert_int_equal(mid, f.mid);
        assert_true(bbi_key_valid(key.data, key.len));
        assert_int_equal(bbi_catalog_series_key(f.c.catalog, f.db, 99, &mid, &key, &err),
                         BB_ENOTFOUND);
        bbi_buf_fini(&key);
        cat_fini(&f.c);
    }
}

/* ---- keys that no one should have ---- */

/* Tags with all bytes, none, and up to the longest key there may be. */
static size_t hostile_tags(unsigned n, struct bbi_tag *tags, uint8_t *bytes)
{
    static const size_t lens[] = {0, 1, 127, 128, 480, 498, 511, 512, 20000, 65000};
    for (size_t i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
    }
    memset(bytes + 256, 'x', 70000);
    size_t len = lens[n % 10];
    switch (n / 10) {
    case 0: /* a long value */
        tags[0] = (struct bbi_tag){(const uint8_t *)"k", 1, bytes + 256, len};
        return 1;
    case 1: /* a long key */
        tags[0] = (struct bbi_tag){bytes + 256, len, (const uint8_t *)"v", 1};
        return 1;
    case 2: /* all bytes, as key and value, and no bytes as key */
        tags[0] = (struct bbi_tag){bytes, 0, bytes, 256};
        tags[1] = (struct bbi_tag){bytes, 256, bytes + 256, len / 2};
        return 2;
    default: /* two that differ at their very ends, around LMDB's limit */
        bytes[256 + len] = (uint8_t)n;
        tags[0] = (struct bbi_tag){(const uint8_t *)"l", 1, bytes + 256, len + 1};
        return 1;
    }
}
#define HOSTILE 60

static void check_hostile(struct fixture *f, const uint32_t *sids, uint8_t *bytes)
{
    for (unsigned n = 0; n < HOSTILE; n++) {
        struct bbi_tag tags[2];
        uint32_t mid;
        uint32_t sid;
        bool created;
        roaring_bitmap_t *ids;
        size_t count = hostile_tags(n, tags, bytes);
        assert_ok(bbi_catalog_series_resolve(f->c.catalog, f->db, (const uint8_t *)"h", 1, tags,
                                             count, &mid, &sid, &created, &err),
                  &err);
        assert_false(created);
        assert_int_equal(sid, sids[n]);
        for (size_t i = 0; i < count; i++) {
            struct bbi_tagpred pred = {.op = BBI_TAGPRED_EQ,
                                       .key = tags[i].key,
                                       .key_len = tags[i].key_len,
                                       .value = tags[i].value,
                                       .value_len = tags[i].value_len};
            assert_ok(bbi_catalog_select(f->c.catalog, f->db, mid, &pred, &ids, &err), &err);
            assert_true(roaring_bitmap_contains(ids, sid));
            if (tags[i].value_len != 0 && n / 10 != 2) {
                assert_int_equal(roaring_bitmap_get_cardinality(ids), 1);
            }
            roaring_bitmap_free(ids);
            pred.op = BBI_TAGPRED_NEQ;
            assert_ok(bbi_catalog_select(f->c.catalog, f->db, mid, &pred, &ids, &err), &err);
            assert_false(roaring_bitmap_contains(ids, sid));
            roaring_bitmap_free(ids);
        }
    }
}

static void test_hostile_keys(void **state)
{
    (void)state;
    struct fixture f;
    struct bbi_names names;
    uint32_t sids[HOSTILE];
    uint8_t *bytes = bbi_mem_zalloc(NULL, 1, 256 + 70001);
    fixture_init(&f, HALF);
    for (unsigned n = 0; n < HOSTILE; n++) {
        struct bbi_tag tags[2];
        uint32_t mid;
        size_t count = hostile_tags(n, tags, bytes);
        assert_ok(bbi_catalog_series_resolve(f.c.catalog, f.db, (const uint8_t *)"h", 1, tags,
                                             count, &mid, &sids[n], NULL, &err),
                  &err);
    }
    check_hostile(&f, sids, bytes);
    cat_flush(&f.c);
    check_hostile(&f, sids, bytes);
    cat_reopen(&f.c);
    check_hostile(&f, sids, bytes);
    uint32_t mid = cat_mid(&f.c, f.db, "h");
    assert_ok(bbi_catalog_tag_keys(f.c.catalog, f.db, mid, NULL, NULL, &names, &err), &err);
    size_t keys = names.count;
    bbi_names_fini(&names);
    roaring_bitmap_t *all;
    assert_ok(bbi_catalog_select(f.c.catalog, f.db, mid, NULL, &all, &err), &err);
    assert_ok(bbi_catalog_tag_keys(f.c.catalog, f.db, mid, all, NULL, &names, &err), &err);
    assert_int_equal(names.count, keys);
    bbi_names_fini(&names);
    roaring_bitmap_free(all);
    assert_ok(bbi_catalog_tag_values(f.c.catalog, f.db, mid, (const uint8_t *)"l", 1, NULL, NULL,
                                     &names, &err),
              &err);
    assert_int_equal(names.count, 30);
    bbi_names_fini(&names);

    struct bbi_tag longest = {(const uint8_t *)"k", 1, bytes + 256, BBI_SERIES_KEY_MAX};
    uint32_t sid;
    assert_int_equal(bbi_catalog_series_resolve(f.c.catalog, f.db, (const uint8_t *)"h", 1,
                                                &longest, 1, &mid, &sid, NULL, &err),
                     BB_ELIMIT);
    cat_close(&f.c);
    cat_remove(&f.c, CAT_INDEX);
    cat_open(&f.c);
    check_hostile(&f, sids, bytes);
    cat_fini(&f.c);
    bbi_mem_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves),         cmocka_unit_test(test_trees),
        cmocka_unit_test(test_bad_conditions), cmocka_unit_test(test_costly_pattern_is_stopped),
        cmocka_unit_test(test_tag_lists),      cmocka_unit_test(test_each_series),
        cmocka_unit_test(test_hostile_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
