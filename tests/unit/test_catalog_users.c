/* Users in the catalog: they come back from the log and from either file; ids are given once. */
#include "engine/catalog/users.h"

#include <string.h>

#include "tests/lib/torture.h"
#include "tests/lib/unit.h"
#include "tests/unit/catalog_util.h"

static struct bb_error err;

static void create(struct cat *c, const char *name, const char *verifier, bool is_admin)
{
    assert_ok(bbi_catalog_user_create(c->catalog, name, strlen(name), (const uint8_t *)verifier,
                                      strlen(verifier), is_admin, &err),
              &err);
}

static void drop(struct cat *c, const char *name)
{
    assert_ok(bbi_catalog_user_drop(c->catalog, name, strlen(name), &err), &err);
}

static void alter(struct cat *c, const char *name, struct bbi_user_change change)
{
    assert_ok(bbi_catalog_user_alter(c->catalog, name, strlen(name), &change, &err), &err);
}

static void grant(struct cat *c, const char *name, const char *database,
                  enum bbi_privilege privilege)
{
    alter(c, name, (struct bbi_user_change){.database = database, .give = privilege});
}

/* All users: "3 ann admin verifier db=3 other=1;". */
static void dump(struct cat *c, struct bbi_buf *out)
{
    struct bbi_user *users;
    size_t count;
    bbi_buf_reset(out);
    assert_ok(bbi_catalog_users(c->catalog, NULL, &users, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        struct bbi_user_grant *grants;
        size_t grant_count;
        const struct bbi_user *u = &users[i];
        bbi_buf_printf(out, "%u %s%s %.*s", u->id, u->name, u->is_admin ? " admin" : "",
                       (int)u->verifier_len, (const char *)u->verifier);
        assert_ok(bbi_catalog_user_grants(c->catalog, u->name, u->name_len, NULL, &grants,
                                          &grant_count, &err),
                  &err);
        for (size_t k = 0; k < grant_count; k++) {
            bbi_buf_printf(out, " %s=%d", grants[k].database, (int)grants[k].privilege);
        }
        bbi_mem_free(grants);
        bbi_buf_str(out, ";");
    }
    bbi_mem_free(users);
    bbi_buf_u8(out, 0);
    assert_int_equal(out->err, BB_OK);
}

static void expect(struct cat *c, const char *text)
{
    struct bbi_buf out;
    bbi_buf_init(&out, NULL, 1 << 20);
    dump(c, &out);
    assert_string_equal((const char *)out.data, text);
    bbi_buf_fini(&out);
}

static enum bbi_privilege may(struct cat *c, const char *name, const char *database, bool *is_admin)
{
    return bbi_catalog_user_privilege(c->catalog, name, strlen(name), database, strlen(database),
                                      is_admin);
}

static void test_rules(void **state)
{
    struct cat c;
    bool is_admin;
    size_t users;
    size_t admins;
    char longest[BBI_USER_NAME_MAX + 2];
    struct bbi_user_change change = {.database = "none", .give = BBI_PRIVILEGE_READ};
    (void)state;
    cat_init(&c, 1);
    cat_open(&c);
    (void)cat_create_db(&c, "a");
    (void)cat_create_db(&c, "b");
    create(&c, "ann", "v1", true);
    create(&c, "bob", "v2", false);
    assert_int_equal(bbi_catalog_user_create(c.catalog, "bob", 3, NULL, 0, true, &err), BB_EEXIST);
    assert_string_equal(err.text, "user already exists");
    assert_int_equal(bbi_catalog_user_create(c.catalog, "", 0, NULL, 0, true, &err), BB_EINVAL);
    assert_string_equal(err.text, "username required");
    memset(longest, 'x', sizeof(longest));
    assert_int_equal(
        bbi_catalog_user_create(c.catalog, longest, BBI_USER_NAME_MAX + 1, NULL, 0, true, &err),
        BB_EINVAL);
    assert_int_equal(bbi_catalog_user_drop(c.catalog, "eve", 3, &err), BB_ENOTFOUND);
    assert_string_equal(err.text, "user not found");
    assert_int_equal(bbi_catalog_user_alter(c.catalog, "eve", 3, &change, &err), BB_ENOTFOUND);
    assert_int_equal(bbi_catalog_user_alter(c.catalog, "bob", 3, &change, &err), BB_ENOTFOUND);
    assert_string_equal(err.text, "database not found: none");
    grant(&c, "bob", "b", BBI_PRIVILEGE_ALL);
    grant(&c, "bob", "a", BBI_PRIVILEGE_READ);
    alter(&c, "bob", (struct bbi_user_change){.database = "b", .take = BBI_PRIVILEGE_READ});
    expect(&c, "1 ann admin v1;2 bob v2 a=1 b=2;");
    assert_int_equal(may(&c, "bob", "a", &is_admin), BBI_PRIVILEGE_READ);
    assert_int_equal(may(&c, "bob", "b", &is_admin), BBI_PRIVILEGE_WRITE);
    assert_false(is_admin);
    assert_int_equal(may(&c, "bob", "none", &is_admin), BBI_PRIVILEGE_NONE);
    assert_int_equal(may(&c, "eve", "a", &is_admin), BBI_PRIVILEGE_NONE);
    assert_int_equal(may(&c, "ann", "none", &is_admin), BBI_PRIVILEGE_ALL);
    assert_true(is_admin);
    bbi_catalog_user_counts(c.catalog, &users, &admins);
    assert_int_equal(users, 2);
    assert_int_equal(admins, 1);
    alter(&c, "ann", (struct bbi_user_change){.set_admin = true});
    bbi_catalog_user_counts(c.catalog, &users, &admins);
    assert_int_equal(admins, 0);
    cat_fini(&c);
}

static void expect_everywhere(struct cat *c, const char *text)
{
    cat_everywhere(c, expect, text);
}

static void test_restarts(void **state)
{
    struct cat c;
    (void)state;
    cat_init(&c, 2);
    cat_open(&c);
    (void)cat_create_db(&c, "a");
    (void)cat_create_db(&c, "b");
    create(&c, "ann", "v1", true);
    create(&c, "bob", "v2", false);
    grant(&c, "bob", "a", BBI_PRIVILEGE_READ);
    grant(&c, "bob", "b", BBI_PRIVILEGE_ALL);
    expect_everywhere(&c, "1 ann admin v1;2 bob v2 a=1 b=3;");
    alter(&c, "bob",
          (struct bbi_user_change){.verifier = (const uint8_t *)"new", .verifier_len = 3});
    alter(&c, "ann", (struct bbi_user_change){.set_admin = true});
    create(&c, "cat", "", false);
    create(&c, "dan", "v4", false);
    drop(&c, "dan");
    expect_everywhere(&c, "1 ann v1;2 bob new a=1 b=3;3 cat ;");
    create(&c, "eve", "v5", false); /* dan's id is not given again */
    expect_everywhere(&c, "1 ann v1;2 bob new a=1 b=3;3 cat ;5 eve v5;");
    drop(&c, "ann");
    drop(&c, "eve");
    expect_everywhere(&c, "2 bob new a=1 b=3;3 cat ;");
    create(&c, "ann", "v6", false);
    expect_everywhere(&c, "2 bob new a=1 b=3;3 cat ;6 ann v6;");
    cat_fini(&c);
}

static void test_database_dropped(void **state)
{
    struct cat c;
    uint32_t db_id;
    (void)state;
    cat_init(&c, 3);
    cat_open(&c);
    (void)cat_create_db(&c, "a");
    (void)cat_create_db(&c, "b");
    create(&c, "bob", "v", false);
    grant(&c, "bob", "a", BBI_PRIVILEGE_READ);
    grant(&c, "bob", "b", BBI_PRIVILEGE_WRITE);
    cat_flush(&c);
    assert_ok(bbi_catalog_database_drop(c.catalog, "a", 1, &db_id, &err), &err);
    expect_everywhere(&c, "1 bob v b=2;");
    (void)cat_create_db(&c, "a"); /* another database of that name */
    expect_everywhere(&c, "1 bob v b=2;");
    cat_fini(&c);
}

/* A log that is replayed over what is already there changes nothing, and leaves the newest. */
static void test_replayed_again(void **state)
{
    struct cat c;
    (void)state;
    cat_init(&c, 4);
    cat_open(&c);
    (void)cat_create_db(&c, "a");
    create(&c, "ann", "v1", false);
    cat_log(&c);
    alter(&c, "ann",
          (struct bbi_user_change){.verifier = (const uint8_t *)"v2", .verifier_len = 2});
    cat_log(&c);
    drop(&c, "ann");
    create(&c, "ann", "v3", true);
    cat_log(&c);
    assert_ok(bbi_catalog_rotate(c.catalog, &err), &err);
    const struct bbi_catalog_edit edit = {.checkpoint_lsn = 0};
    assert_ok(bbi_catalog_commit(c.catalog, &edit, &err), &err);
    cat_reopen(&c);
    expect(&c, "2 ann admin v3;");
    cat_fini(&c);
}

static void replay(struct cat *c, const struct bbi_buf *b, int code)
{
    struct bbi_cursor cursor;
    struct bbi_record record;
    bbi_cursor_init(&cursor, b->data, b->len);
    assert_ok(bbi_record_next(&cursor, &record, &err), &err);
    assert_int_equal(bbi_catalog_replay(c->catalog, &record, &err), code);
}

static void replay_user(struct cat *c, enum bbi_record_type type, uint32_t id, const char *name,
                        int code)
{
    struct bbi_buf b;
    struct bbi_record_user r = {
        .user_id = id, .name = (const uint8_t *)name, .name_len = strlen(name)};
    bbi_buf_init(&b, NULL, 1000);
    bbi_record_put_user(&b, type, &r, NULL);
    replay(c, &b, code);
    bbi_buf_fini(&b);
}

/* A log that lost a frame: what contradicts is told and changes nothing. */
static void test_contradictions(void **state)
{
    struct cat c;
    (void)state;
    cat_init(&c, 5);
    cat_open(&c);
    create(&c, "ann", "v", false);
    replay_user(&c, BBI_RECORD_USER_NEW, 1, "bob", BB_ECORRUPT);
    replay_user(&c, BBI_RECORD_USER_NEW, 2, "ann", BB_ECORRUPT);
    replay_user(&c, BBI_RECORD_USER_ALTER, 1, "bob", BB_ECORRUPT);
    replay_user(&c, BBI_RECORD_USER_ALTER, 7, "zoe", BB_ECORRUPT);
    replay_user(&c, BBI_RECORD_USER_NEW, 8, "", BB_ECORRUPT);
    replay_user(&c, BBI_RECORD_USER_NEW, UINT32_MAX, "max", BB_ECORRUPT);
    replay_user(&c, BBI_RECORD_USER_NEW, 1, "ann", BB_OK);
    expect(&c, "1 ann v;");
    cat_fini(&c);
}

/* Each prefix of a record, and each byte of it changed, is an error or a user within the limits. */
static void test_damaged_records(void **state)
{
    struct bbi_buf b;
    const struct bbi_grant grants[] = {{1, BBI_PRIVILEGE_READ}, {300, BBI_PRIVILEGE_ALL}};
    const struct bbi_record_user user = {.user_id = 70000,
                                         .verifier = (const uint8_t *)"verifier",
                                         .verifier_len = 8,
                                         .name = (const uint8_t *)"ann",
                                         .name_len = 3,
                                         .grant_count = 2};
    (void)state;
    bbi_buf_init(&b, NULL, 1000);
    bbi_record_put_user(&b, BBI_RECORD_USER_NEW, &user, grants);
    assert_int_equal(b.err, BB_OK);
    for (size_t at = 2; at < b.len; at++) {
        struct bbi_record_user r;
        const struct bbi_record cut = {BBI_RECORD_USER_NEW, b.data + 2, at - 2};
        assert_int_not_equal(bbi_record_get_user(&cut, &r, &err), BB_OK);
        for (unsigned bit = 0; bit < 8; bit++) {
            const struct bbi_record whole = {BBI_RECORD_USER_NEW, b.data + 2, b.len - 2};
            b.data[at] ^= (uint8_t)(1U << bit);
            if (bbi_record_get_user(&whole, &r, &err) == BB_OK) {
                assert_true(r.user_id != 0 && r.name_len != 0 && r.name_len <= BBI_USER_NAME_MAX);
                assert_true(r.verifier_len <= BBI_VERIFIER_MAX && r.grant_count <= 2);
            }
            b.data[at] ^= (uint8_t)(1U << bit);
        }
    }
    bbi_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_database_dropped),
        cmocka_unit_test(test_replayed_again),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_damaged_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
