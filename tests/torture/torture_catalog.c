/*
 * The catalog while memory runs out, files fail and the power goes: an error is told, nothing
 * leaks, and what was committed is there.
 */
#include <stdio.h>
#include <string.h>

#include "engine/catalog/users.h"
#include "tests/lib/torture.h"
#include "tests/lib/unit.h"
#include "tests/unit/catalog_util.h"

#define ROUNDS 3

static const char *const series[] = {"reading,device=1,fuel=e", "reading,device=2", "weather"};

static int resolve(struct bbi_catalog *catalog, uint32_t db_id, const char *text,
                   struct bb_error *err)
{
    uint32_t mid;
    uint32_t sid;
    uint32_t field;
    struct bbi_tag tags[2];
    const uint8_t *m = (const uint8_t *)text;
    size_t count = 0;
    size_t m_len = strcspn(text, ",");
    for (text += m_len; *text == ','; text++, count++) {
        size_t key_len = strcspn(text + 1, "=");
        tags[count].key = (const uint8_t *)text + 1;
        tags[count].key_len = key_len;
        text += 1 + key_len;
        tags[count].value = (const uint8_t *)text + 1;
        tags[count].value_len = strcspn(text + 1, ",");
        text += tags[count].value_len;
    }
    int rc = bbi_catalog_series_resolve(catalog, db_id, m, m_len, tags, count, &mid, &sid, NULL,
                                        err);
    if (rc == BB_OK) {
        rc = bbi_catalog_field_resolve(catalog, db_id, mid, (const uint8_t *)"value", 5, BBI_FLOAT,
                                       &field, err);
    }
    return rc;
}

/* A user of the database, and one that goes again. */
static int make_users(struct bbi_catalog *catalog, const char *database, struct bb_error *err)
{
    const struct bbi_user_change change = {.database = database, .give = BBI_PRIVILEGE_READ};
    int rc = bbi_catalog_user_create(catalog, database, 2, (const uint8_t *)"v", 1, false, err);
    if (rc == BB_OK || rc == BB_EEXIST) {
        rc = bbi_catalog_user_alter(catalog, database, 2, &change, err);
    }
    if (rc == BB_OK) {
        rc = bbi_catalog_user_create(catalog, "guest", 5, NULL, 0, false, err);
    }
    if (rc == BB_OK || rc == BB_EEXIST) {
        rc = bbi_catalog_user_drop(catalog, "guest", 5, err);
    }
    return rc;
}

/* Databases a0, a1 ... with series, a policy, a user and a commit each. */
static int work(struct bbi_catalog *catalog, unsigned *committed, struct bb_error *err)
{
    int rc = BB_OK;
    *committed = 0;
    for (unsigned round = 0; rc == BB_OK && round < ROUNDS; round++) {
        const struct bbi_segment_meta meta = {.id = 100 + round, .db_id = 1, .rp_id = 1};
        const struct bbi_catalog_edit edit = {
            .add_segments = &meta, .add_segment_count = 1, .checkpoint_lsn = 1 + round};
        const struct bbi_rp_spec spec = {.make_default = true};
        struct bbi_rp rp;
        char name[8];
        uint32_t db_id = 0;
        (void)snprintf(name, sizeof(name), "a%u", round);
        rc = bbi_catalog_database_create(catalog, name, 2, NULL, 0, NULL, &db_id, err);
        if (rc == BB_OK || rc == BB_EEXIST) {
            rc = bbi_catalog_rp_create(catalog, db_id, "more", 4, &spec, &rp, err);
        }
        if (rc == BB_OK) {
            rc = make_users(catalog, name, err);
        }
        for (size_t i = 0; rc == BB_OK && i < sizeof(series) / sizeof(series[0]); i++) {
            rc = resolve(catalog, db_id, series[i], err);
        }
        if (rc == BB_OK) {
            rc = bbi_catalog_rotate(catalog, err);
        }
        if (rc == BB_OK) {
            rc = bbi_catalog_commit(catalog, &edit, err);
        }
        *committed += rc == BB_OK;
    }
    return rc;
}

static int open_catalog(struct simdisk *disk, struct bbi_catalog **catalog,
                        struct bbi_catalog_state *state, struct bb_error *err)
{
    const struct bbi_catalog_options options = {.map_bytes = (uint64_t)1 << 30};
    return bbi_catalog_open(simdisk_fs(disk), CAT_DIR, &options, NULL, NULL, NULL, catalog, state,
                            err);
}

/* What the first `committed` rounds made is there; of the one after them, all or nothing of the
 * commit. */
static void check_content(struct simdisk *disk, unsigned committed, bool may_have_more)
{
    struct bb_error err;
    struct bbi_catalog *catalog;
    struct bbi_catalog_state state;
    assert_ok(open_catalog(disk, &catalog, &state, &err), &err);
    if (state.damaged) {
        fail_msg("%s", state.messages);
    }
    assert_true(state.checkpoint_lsn >= committed);
    assert_true(state.checkpoint_lsn <= committed + (may_have_more ? 1 : 0));
    assert_int_equal(state.segment_count, state.checkpoint_lsn);
    for (unsigned round = 0; round < state.checkpoint_lsn; round++) {
        char name[8];
        uint32_t db_id;
        struct bbi_rp rp;
        uint64_t count;
        (void)snprintf(name, sizeof(name), "a%u", round);
        assert_ok(bbi_catalog_database_find(catalog, name, 2, &db_id, &err), &err);
        assert_ok(bbi_catalog_rp_find(catalog, db_id, "", 0, &rp, &err), &err);
        assert_string_equal(rp.name, "more");
        bool is_admin;
        assert_int_equal(bbi_catalog_user_privilege(catalog, name, 2, name, 2, &is_admin),
                         BBI_PRIVILEGE_READ);
        assert_ok(bbi_catalog_series_count(catalog, db_id, 0, &count, &err), &err);
        assert_int_equal(count, 3);
    }
    bbi_catalog_state_fini(&state);
    bbi_catalog_close(&catalog);
}

static void make_dir(void *arg, struct simdisk *disk)
{
    struct bb_error err;
    (void)arg;
    assert_ok(bbi_fs_mkdir(simdisk_fs(disk), CAT_DIR, &err), &err);
    assert_ok(bbi_fs_sync_dir(simdisk_fs(disk), "/", &err), &err);
}

/* ---- memory ---- */

/* Reading all that can be read. */
static int look(struct bbi_catalog *catalog, struct bb_error *err)
{
    struct bbi_names names;
    struct bbi_rp *rps;
    size_t count;
    roaring_bitmap_t *ids;
    struct bbi_buf key;
    uint32_t mid;
    const struct bbi_tagpred leaf = {.op = BBI_TAGPRED_REGEX,
                                     .key = (const uint8_t *)"device",
                                     .key_len = 6,
                                     .value = (const uint8_t *)"^(1|2)$|x",
                                     .value_len = 9};
    const struct bbi_tagpred *children[] = {&leaf, &leaf};
    const struct bbi_tagpred tree = {.op = BBI_TAGPRED_OR, .children = children, .child_count = 2};
    uint32_t db_id = 0;
    int rc = bbi_catalog_databases(catalog, NULL, &names, err);
    if (rc == BB_OK) {
        db_id = names.list[0].id;
    }
    bbi_names_fini(&names);
    if (rc == BB_OK) {
        struct bbi_user_grant *grants;
        rc = bbi_catalog_user_grants(catalog, "a0", 2, NULL, &grants, &count, err);
        bbi_mem_free(grants);
    }
    if (rc == BB_OK) {
        struct bbi_user *users;
        rc = bbi_catalog_users(catalog, NULL, &users, &count, err);
        bbi_mem_free(users);
    }
    if (rc == BB_OK) {
        rc = bbi_catalog_tag_values(catalog, db_id, 0, (const uint8_t *)"device", 6, NULL, NULL,
                                    &names, err);
        bbi_names_fini(&names);
    }
    if (rc == BB_OK) {
        rc = bbi_catalog_rps(catalog, db_id, NULL, &rps, &count, err);
        bbi_mem_free(rps);
    }
    if (rc == BB_OK) {
        rc = bbi_catalog_select(catalog, db_id, 0, &tree, &ids, err);
    }
    if (rc == BB_OK) {
        assert_int_equal(roaring_bitmap_get_cardinality(ids), 2);
        roaring_bitmap_free(ids);
        bbi_buf_init(&key, NULL, 1000);
        rc = bbi_catalog_series_key(catalog, db_id, 1, &mid, &key, err);
        bbi_buf_fini(&key);
    }
    return rc;
}

/* One life; after a failure the catalog still works when memory is back. */
static int live(void *arg, struct bb_error *err)
{
    struct simdisk *disk = arg;
    struct bbi_catalog *catalog;
    struct bbi_catalog_state state;
    unsigned committed;
    int rc = open_catalog(disk, &catalog, &state, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_catalog_state_fini(&state);
    rc = work(catalog, &committed, err);
    if (rc == BB_OK) {
        rc = look(catalog, err);
    }
    if (rc == BB_ENOMEM) {
        struct bb_error second;
        assert_ok(work(catalog, &committed, &second), &second);
        assert_int_equal(committed, ROUNDS);
        assert_ok(look(catalog, &second), &second);
    }
    bbi_catalog_close(&catalog);
    return rc;
}

static int live_on_new_disk(void *arg, struct bb_error *err)
{
    (void)arg;
    struct simdisk *disk = simdisk_create(1);
    make_dir(NULL, disk);
    int rc = live(disk, err);
    if (rc == BB_OK) {
        struct bbi_catalog *catalog;
        struct bbi_catalog_state state;
        rc = open_catalog(disk, &catalog, &state, err);
        bbi_catalog_state_fini(&state);
        bbi_catalog_close(&catalog);
    }
    simdisk_destroy(&disk);
    return rc;
}

static void test_without_memory(void **state)
{
    (void)state;
    uint64_t runs = torture_memory(live_on_new_disk, NULL);
    print_message("%llu allocations failed in turn\n", (unsigned long long)runs);
    assert_true(runs > 100);
}

static int rebuild(void *arg, struct bb_error *err)
{
    struct simdisk *disk = arg;
    struct bbi_catalog *catalog;
    struct bbi_catalog_state state;
    struct bb_error ignored;
    (void)!bbi_fs_unlink(simdisk_fs(disk), CAT_INDEX, &ignored);
    int rc = open_catalog(disk, &catalog, &state, err);
    bbi_catalog_state_fini(&state);
    bbi_catalog_close(&catalog);
    return rc;
}

static void test_rebuild_without_memory(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bb_error err;
    make_dir(NULL, disk);
    assert_ok(live(disk, &err), &err);
    assert_true(torture_memory(rebuild, disk) > 50);
    check_content(disk, ROUNDS, false);
    simdisk_destroy(&disk);
}

/* ---- files ---- */

static unsigned committed_rounds;

static int run_life(void *arg, struct simdisk *disk, struct bb_error *err)
{
    struct bbi_catalog *catalog;
    struct bbi_catalog_state state;
    (void)arg;
    committed_rounds = 0;
    int rc = open_catalog(disk, &catalog, &state, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_catalog_state_fini(&state);
    rc = work(catalog, &committed_rounds, err);
    bbi_catalog_close(&catalog);
    return rc;
}

static void check_life(void *arg, struct simdisk *disk, int rc)
{
    (void)arg;
    simdisk_fail_op(disk, 0, NULL, 0, BB_OK, false);
    check_content(disk, committed_rounds, rc == BB_EREADONLY);
}

static void check_after_cut(void *arg, struct simdisk *disk, int rc)
{
    (void)arg;
    (void)rc;
    check_content(disk, committed_rounds, true);
}

static void test_on_a_failing_disk(void **state)
{
    (void)state;
    const struct torture t = {.prepare = make_dir, .run = run_life, .check = check_life};
    assert_true(torture_faults(&t, SIMDISK_CHANGES, BB_EIO) > 20);
    assert_true(torture_faults(&t, SIMDISK_WRITE | SIMDISK_EXTERNAL, BB_ENOSPC) > 5);
}

static void test_while_the_power_goes(void **state)
{
    (void)state;
    const struct torture t = {.prepare = make_dir, .run = run_life, .check = check_after_cut};
    assert_true(torture_cuts(&t, 1, 12) > 100);
}

/* ---- repairs ---- */

static void prepare_broken_log(void *arg, struct simdisk *disk)
{
    struct bb_error err;
    make_dir(arg, disk);
    assert_ok(run_life(arg, disk, &err), &err);
    assert_true(simdisk_corrupt(disk, CAT_LOG, 70, 0xff));
}

static void prepare_broken_index(void *arg, struct simdisk *disk)
{
    struct bb_error err;
    make_dir(arg, disk);
    assert_ok(run_life(arg, disk, &err), &err);
    assert_true(simdisk_corrupt(disk, CAT_INDEX, 16, 0xff));
    assert_true(simdisk_corrupt(disk, CAT_INDEX, 4096 + 16, 0xff));
}

static int run_open(void *arg, struct simdisk *disk, struct bb_error *err)
{
    struct bbi_catalog *catalog;
    struct bbi_catalog_state state;
    (void)arg;
    int rc = open_catalog(disk, &catalog, &state, err);
    bbi_catalog_state_fini(&state);
    bbi_catalog_close(&catalog);
    return rc;
}

static void check_all(void *arg, struct simdisk *disk, int rc)
{
    (void)arg;
    (void)rc;
    simdisk_fail_op(disk, 0, NULL, 0, BB_OK, false);
    check_content(disk, ROUNDS, false);
}

/* Repairs that are cut short are taken up again. */
static void test_repairs(void **state)
{
    (void)state;
    struct torture t = {.prepare = prepare_broken_log, .run = run_open, .check = check_all};
    assert_true(torture_cuts(&t, 1, 6) > 30);
    assert_true(torture_faults(&t, SIMDISK_CHANGES, BB_ENOSPC) > 5);
    t.prepare = prepare_broken_index;
    assert_true(torture_cuts(&t, 1, 6) > 30);
    assert_true(torture_faults(&t, SIMDISK_CHANGES, BB_ENOSPC) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_memory),    cmocka_unit_test(test_rebuild_without_memory),
        cmocka_unit_test(test_on_a_failing_disk), cmocka_unit_test(test_while_the_power_goes),
        cmocka_unit_test(test_repairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
