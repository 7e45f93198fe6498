/* Continuous queries and subscriptions in the catalog: they come back from the log and from either
 * file; ids are given once. */
#include "engine/catalog/tasks.h"

#include <string.h>

#include "tests/lib/torture.h"
#include "tests/lib/unit.h"
#include "tests/unit/catalog_util.h"

static struct bb_error err;

static int try_create(struct cat *c, const char *database, const char *policy, const char *name,
                      const char *text, bool *created)
{
    const struct bbi_task_name n = {database, policy, name};
    return bbi_catalog_task_create(c->catalog, &n, text, strlen(text), created, &err);
}

static void create(struct cat *c, const char *database, const char *policy, const char *name,
                   const char *text)
{
    bool created;
    assert_ok(try_create(c, database, policy, name, text, &created), &err);
    assert_true(created);
}

static int try_drop(struct cat *c, const char *database, const char *policy, const char *name,
                    bool *dropped)
{
    const struct bbi_task_name n = {database, policy, name};
    return bbi_catalog_task_drop(c->catalog, &n, dropped, &err);
}

static void drop(struct cat *c, const char *database, const char *policy, const char *name)
{
    bool dropped;
    assert_ok(try_drop(c, database, policy, name, &dropped), &err);
    assert_true(dropped);
}

/* All tasks, continuous queries first: "2 a.q text;3 a.autogen.s text;". */
static void expect(struct cat *c, const char *text)
{
    static const enum bbi_task_kind kinds[] = {BBI_TASK_CONTINUOUS_QUERY, BBI_TASK_SUBSCRIPTION};
    struct bbi_buf out;
    bbi_buf_init(&out, NULL, 1 << 20);
    for (size_t k = 0; k < 2; k++) {
        struct bbi_catalog_tasks tasks;
        assert_ok(bbi_catalog_tasks(c->catalog, kinds[k], NULL, &tasks, &err), &err);
        for (size_t i = 0; i < tasks.count; i++) {
            const struct bbi_catalog_task *t = &tasks.list[i];
            assert_int_equal(t->text_len, strlen(t->text));
            bbi_buf_printf(&out, "%u %s%s%s.%s %s;", t->id, t->database,
                           t->policy[0] == '\0' ? "" : ".", t->policy, t->name, t->text);
        }
        bbi_catalog_tasks_free(&tasks);
    }
    bbi_buf_u8(&out, 0);
    assert_int_equal(out.err, BB_OK);
    assert_string_equal((const char *)out.data, text);
    bbi_buf_fini(&out);
}

static void test_rules(void **state)
{
    struct cat c;
    bool changed;
    char longest[BBI_TASK_NAME_MAX + 2];
    (void)state;
    cat_init(&c, 1);
    cat_open(&c);
    (void)cat_create_db(&c, "a");
    create(&c, "a", NULL, "q", "Text");
    assert_ok(try_create(&c, "a", NULL, "q", "tEXT", &changed), &err);
    assert_false(changed);
    assert_int_equal(try_create(&c, "a", NULL, "q", "Text ", &changed), BB_EEXIST);
    assert_string_equal(err.text, "continuous query already exists");
    assert_int_equal(try_create(&c, "none", NULL, "q", "Text", &changed), BB_ENOTFOUND);
    assert_string_equal(err.text, "database not found: none");
    create(&c, "a", "autogen", "q", "sub");
    assert_int_equal(try_create(&c, "a", "autogen", "q", "sub", &changed), BB_EEXIST);
    assert_string_equal(err.text, "subscription already exists");
    assert_int_equal(try_create(&c, "a", "none", "q", "sub", &changed), BB_ENOTFOUND);
    assert_string_equal(err.text, "retention policy not found: none");
    assert_int_equal(try_create(&c, "none", "autogen", "q", "sub", &changed), BB_ENOTFOUND);
    memset(longest, 'x', sizeof(longest));
    longest[BBI_TASK_NAME_MAX + 1] = '\0';
    assert_int_equal(try_create(&c, "a", NULL, longest, "Text", &changed), BB_EINVAL);
    create(&c, "a", NULL, longest + 1, "");
    drop(&c, "a", NULL, longest + 1);
    expect(&c, "1 a.q Text;2 a.autogen.q sub;");
    assert_ok(try_drop(&c, "a", NULL, "none", &changed), &err);
    assert_false(changed);
    assert_ok(try_drop(&c, "none", NULL, "q", &changed), &err);
    assert_int_equal(try_drop(&c, "a", "autogen", "none", &changed), BB_ENOTFOUND);
    assert_string_equal(err.text, "subscription not found");
    assert_int_equal(try_drop(&c, "a", "none", "q", &changed), BB_ENOTFOUND);
    assert_int_equal(try_drop(&c, "none", "autogen", "q", &changed), BB_ENOTFOUND);
    uint64_t before = bbi_catalog_task_changes(c.catalog);
    drop(&c, "a", NULL, "q");
    assert_true(bbi_catalog_task_changes(c.catalog) > before);
    expect(&c, "2 a.autogen.q sub;");
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
    create(&c, "b", NULL, "q", "one");
    create(&c, "a", NULL, "q", "two");
    create(&c, "a", "autogen", "s", "three");
    expect_everywhere(&c, "1 a.q two;1 b.q one;2 a.autogen.s three;");
    create(&c, "a", NULL, "r", "four");
    drop(&c, "a", NULL, "r");
    drop(&c, "b", NULL, "q");
    expect_everywhere(&c, "1 a.q two;2 a.autogen.s three;");
    create(&c, "a", NULL, "r", "five"); /* 3 is not given again */
    create(&c, "b", NULL, "q", "six");
    expect_everywhere(&c, "1 a.q two;4 a.r five;2 b.q six;2 a.autogen.s three;");
    cat_fini(&c);
}

static void test_owner_dropped(void **state)
{
    struct cat c;
    struct bbi_rp rp;
    uint32_t db_id;
    uint32_t rp_id;
    const struct bbi_rp_spec spec = {.has_duration = true};
    (void)state;
    cat_init(&c, 3);
    cat_open(&c);
    (void)cat_create_db(&c, "a");
    db_id = cat_create_db(&c, "b");
    assert_ok(bbi_catalog_rp_create(c.catalog, db_id, "p", 1, &spec, &rp, &err), &err);
    create(&c, "a", NULL, "q", "one");
    create(&c, "b", NULL, "q", "two");
    create(&c, "b", "p", "s", "three");
    create(&c, "b", "p", "t", "four");
    create(&c, "b", "autogen", "s", "five");
    cat_flush(&c);
    assert_ok(bbi_catalog_rp_drop(c.catalog, db_id, "p", 1, &rp_id, &err), &err);
    expect_everywhere(&c, "1 a.q one;1 b.q two;4 b.autogen.s five;");
    uint64_t before = bbi_catalog_task_changes(c.catalog);
    assert_ok(bbi_catalog_database_drop(c.catalog, "b", 1, &db_id, &err), &err);
    assert_true(bbi_catalog_task_changes(c.catalog) > before);
    expect_everywhere(&c, "1 a.q one;");
    (void)cat_create_db(&c, "b"); /* another database of that name */
    create(&c, "b", NULL, "q", "six");
    expect_everywhere(&c, "1 a.q one;1 b.q six;");
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
    create(&c, "a", NULL, "q", "one");
    cat_log(&c);
    drop(&c, "a", NULL, "q");
    create(&c, "a", NULL, "q", "two");
    cat_log(&c);
    assert_ok(bbi_catalog_rotate(c.catalog, &err), &err);
    const struct bbi_catalog_edit edit = {.checkpoint_lsn = 0};
    assert_ok(bbi_catalog_commit(c.catalog, &edit, &err), &err);
    cat_reopen(&c);
    expect(&c, "2 a.q two;");
    cat_fini(&c);
}

static void replay_task(struct cat *c, struct bbi_record_task r, int code)
{
    struct bbi_buf b;
    struct bbi_cursor cursor;
    struct bbi_record record;
    r.text = (const uint8_t *)"text";
    r.text_len = 4;
    bbi_buf_init(&b, NULL, 1000);
    bbi_record_put_task_new(&b, &r);
    bbi_cursor_init(&cursor, b.data, b.len);
    assert_ok(bbi_record_next(&cursor, &record, &err), &err);
    assert_int_equal(bbi_catalog_replay(c->catalog, &record, &err), code);
    bbi_buf_fini(&b);
}

#define NAME(text) .name = (const uint8_t *)(text), .name_len = sizeof(text) - 1

/* A log that lost a frame: what contradicts is told and changes nothing. */
static void test_contradictions(void **state)
{
    struct cat c;
    struct bbi_record_task r = {.task_id = 1, .kind = BBI_TASK_CONTINUOUS_QUERY, NAME("q")};
    (void)state;
    cat_init(&c, 5);
    cat_open(&c);
    r.db_id = cat_create_db(&c, "a");
    create(&c, "a", NULL, "q", "text");
    replay_task(&c, r, BB_OK);
    r.task_id = 2;
    replay_task(&c, r, BB_ECORRUPT);
    r.task_id = UINT32_MAX;
    replay_task(&c, (struct bbi_record_task){r.db_id, 1, r.kind, 0, NAME("other")}, BB_ECORRUPT);
    replay_task(&c, (struct bbi_record_task){r.db_id, 3, r.kind, 77, NAME("s")}, BB_ECORRUPT);
    replay_task(&c, (struct bbi_record_task){r.db_id, 3, BBI_TASK_SUBSCRIPTION, 77, NAME("s")},
                BB_ECORRUPT);
    replay_task(&c, (struct bbi_record_task){r.db_id, 3, BBI_TASK_SUBSCRIPTION, 0, NAME("s")},
                BB_ECORRUPT);
    replay_task(&c, (struct bbi_record_task){99, 1, r.kind, 0, NAME("q")}, BB_ECORRUPT);
    replay_task(&c, (struct bbi_record_task){r.db_id, UINT32_MAX, r.kind, 0, NAME("max")},
                BB_ECORRUPT);
    replay_task(&c, (struct bbi_record_task){r.db_id, 3, (enum bbi_task_kind)3, 0, NAME("s")},
                BB_EVERSION);
    expect(&c, "1 a.q text;");
    cat_fini(&c);
}

/* Each prefix of a record, and each byte of it changed, is an error or a task within the limits. */
static void test_damaged_records(void **state)
{
    struct bbi_buf b;
    const struct bbi_record_task task = {
        300,       70000,         BBI_TASK_SUBSCRIPTION,          9,
        NAME("s"), .text_len = 4, .text = (const uint8_t *)"text"};
    (void)state;
    bbi_buf_init(&b, NULL, 1000);
    bbi_record_put_task_new(&b, &task);
    assert_int_equal(b.err, BB_OK);
    for (size_t at = 2; at < b.len; at++) {
        struct bbi_record_task r;
        const struct bbi_record cut = {BBI_RECORD_TASK_NEW, b.data + 2, at - 2};
        const struct bbi_record whole = {BBI_RECORD_TASK_NEW, b.data + 2, b.len - 2};
        int rc = bbi_record_get_task(&cut, &r, &err);
        assert_true((rc == BB_OK) == (at >= b.len - 4));
        for (unsigned bit = 0; bit < 8; bit++) {
            b.data[at] ^= (uint8_t)(1U << bit);
            if (bbi_record_get_task(&whole, &r, &err) == BB_OK) {
                assert_true(r.db_id != 0 && r.task_id != 0 && r.rp_id != 0);
                assert_true(r.name_len + r.text_len <= b.len);
            }
            b.data[at] ^= (uint8_t)(1U << bit);
        }
    }
    bbi_buf_fini(&b);
}

static void make_and_drop(struct cat *c)
{
    const struct bbi_task_name q = {"a", NULL, "q"};
    const struct bbi_task_name s = {"a", "autogen", "s"};
    struct bbi_catalog_tasks tasks;
    bool changed;
    int rc = bbi_catalog_task_create(c->catalog, &q, "text", 4, &changed, &err);
    if (rc == BB_OK) {
        rc = bbi_catalog_task_create(c->catalog, &s, "text", 4, &changed, &err);
    }
    if (rc == BB_OK || rc == BB_EEXIST) {
        rc = bbi_catalog_tasks(c->catalog, BBI_TASK_SUBSCRIPTION, NULL, &tasks, &err);
    }
    if (rc == BB_OK) {
        assert_int_equal(tasks.count, 1);
        bbi_catalog_tasks_free(&tasks);
        rc = bbi_catalog_task_drop(c->catalog, &s, &changed, &err);
    }
    assert_true(rc == BB_OK || rc == BB_ENOMEM);
}

/* Memory that runs out at any place: an error, and nothing half done. */
static void test_no_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        struct cat c;
        cat_init(&c, 6);
        cat_open(&c);
        (void)cat_create_db(&c, "a");
        bbi_mem_fail_at(n);
        make_and_drop(&c);
        bbi_mem_fail_at(0);
        make_and_drop(&c);
        expect(&c, "1 a.q text;");
        expect_everywhere(&c, "1 a.q text;");
        cat_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),          cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_owner_dropped),  cmocka_unit_test(test_replayed_again),
        cmocka_unit_test(test_contradictions), cmocka_unit_test(test_damaged_records),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
