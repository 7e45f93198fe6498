/*
 * Statements on users, with the words of InfluxDB 1.6.7; logging in; and which rights each
 * statement needs.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

static struct bb_error err;

static void expect(struct dbtest *t, const char *text, const char *answer)
{
    dbtest_expect(t, text, answer);
}

static void test_statements(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    expect(&t, "SHOW USERS", "");
    dbtest_run(&t, "CREATE USER root WITH PASSWORD 'r00t' WITH ALL PRIVILEGES");
    dbtest_run(&t, "CREATE USER ann WITH PASSWORD 'a'; CREATE DATABASE other");
    dbtest_run(&t, "CREATE USER ann WITH PASSWORD 'a'"); /* once more is fine */
    expect(&t, "CREATE USER ann WITH PASSWORD 'b'", "error: user already exists\n");
    expect(&t, "CREATE USER ann WITH PASSWORD 'a' WITH ALL PRIVILEGES",
           "error: user already exists\n");
    expect(&t, "CREATE USER \"\" WITH PASSWORD 'n'", "error: username required\n");
    expect(&t, "SHOW USERS", ": user=\"root\" admin=true\n: user=\"ann\" admin=false\n");
    expect(&t, "DROP USER eve", "error: user not found\n");
    expect(&t, "SET PASSWORD FOR eve = 'x'", "error: user not found\n");
    expect(&t, "GRANT READ ON t TO eve", "error: user not found\n");
    expect(&t, "GRANT ALL TO eve", "error: user not found\n");
    expect(&t, "REVOKE ALL FROM eve", "error: user not found\n");
    expect(&t, "SHOW GRANTS FOR eve", "error: user not found\n");
    expect(&t, "GRANT READ ON none TO ann", "error: database not found: none\n");
    expect(&t, "REVOKE READ ON none FROM ann", "error: database not found: none\n");
    dbtest_run(&t, "REVOKE READ ON t FROM ann");
    expect(&t, "SHOW GRANTS FOR ann", ": database=\"t\" privilege=\"NO PRIVILEGES\"\n");
    dbtest_run(&t, "GRANT READ ON t TO ann; REVOKE WRITE ON t FROM ann");
    expect(&t, "SHOW GRANTS FOR ann", ": database=\"t\" privilege=\"READ\"\n");
    dbtest_run(&t, "GRANT WRITE ON t TO ann");
    expect(&t, "SHOW GRANTS FOR ann", ": database=\"t\" privilege=\"WRITE\"\n");
    dbtest_run(&t, "GRANT ALL ON t TO ann; GRANT ALL PRIVILEGES ON other TO ann");
    dbtest_run(&t, "REVOKE READ ON t FROM ann");
    expect(&t, "SHOW GRANTS FOR ann",
           ": database=\"t\" privilege=\"WRITE\"\n"
           ": database=\"other\" privilege=\"ALL PRIVILEGES\"\n");
    dbtest_run(&t, "DROP DATABASE other; CREATE DATABASE other");
    expect(&t, "SHOW GRANTS FOR ann", ": database=\"t\" privilege=\"WRITE\"\n");
    dbtest_run(&t, "GRANT ALL TO ann; REVOKE ALL PRIVILEGES FROM root; DROP USER root");
    dbtest_crash(&t);
    expect(&t, "SHOW USERS", ": user=\"ann\" admin=true\n");
    expect(&t, "SHOW GRANTS FOR ann", ": database=\"t\" privilege=\"WRITE\"\n");
    dbtest_close(&t);
}

static void test_index_lost(void **state)
{
    struct dbtest t;
    char path[256];
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE USER ann WITH PASSWORD 'a'; GRANT READ ON t TO ann");
    dbtest_write(&t, "m v=1 1000\n");
    dbtest_reopen(&t);
    dbtest_run(&t, "CREATE USER bob WITH PASSWORD 'b' WITH ALL PRIVILEGES");
    bbi_db_abandon(&t.db);
    (void)snprintf(path, sizeof(path), "%s/catalog.mdb", t.dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(bb_db_open(t.dir, &t.options, &t.db, &err), BB_OK);
    expect(&t, "SHOW USERS", ": user=\"ann\" admin=false\n: user=\"bob\" admin=true\n");
    expect(&t, "SHOW GRANTS FOR ann", ": database=\"t\" privilege=\"READ\"\n");
    assert_ok(bb_user_check(t.db, "ann", "a", &err), &err);
    assert_ok(bb_user_check(t.db, "bob", "b", &err), &err);
    dbtest_close(&t);
}

static void refused(int rc)
{
    assert_int_equal(rc, BB_EUNAUTHORIZED);
    assert_string_equal(err.text, "authorization failed");
}

static void test_logins(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    assert_false(bb_user_admin_exists(t.db));
    dbtest_run(&t, "CREATE USER ann WITH PASSWORD 'a'; CREATE USER \"\xc3\xa9\" WITH PASSWORD ''");
    assert_false(bb_user_admin_exists(t.db));
    assert_int_equal(bb_user_check_at_once(t.db, "ann", "a", &err), BB_EBUSY);
    assert_ok(bb_user_check(t.db, "ann", "a", &err), &err);
    assert_ok(bb_user_check_at_once(t.db, "ann", "a", &err), &err);
    assert_ok(bb_user_check(t.db, "\xc3\xa9", "", &err), &err);
    refused(bb_user_check(t.db, "ann", "b", &err));
    refused(bb_user_check_at_once(t.db, "ann", "b", &err)); /* known to be wrong */
    refused(bb_user_check(t.db, "eve", "a", &err));
    refused(bb_user_check_at_once(t.db, "eve", "a", &err));
    dbtest_run(&t, "SET PASSWORD FOR ann = 'b'");
    assert_int_equal(bb_user_check_at_once(t.db, "ann", "a", &err), BB_EBUSY);
    refused(bb_user_check(t.db, "ann", "a", &err));
    assert_ok(bb_user_check(t.db, "ann", "b", &err), &err);
    dbtest_run(&t, "DROP USER ann; CREATE USER ann WITH PASSWORD 'a' WITH ALL PRIVILEGES");
    refused(bb_user_check(t.db, "ann", "b", &err));
    assert_ok(bb_user_check(t.db, "ann", "a", &err), &err);
    assert_true(bb_user_admin_exists(t.db));
    assert_true(bb_user_is_admin(t.db, "ann"));
    assert_false(bb_user_is_admin(t.db, "\xc3\xa9"));
    assert_int_equal(bb_user_may_write(t.db, "\xc3\xa9", "t", &err), BB_EFORBIDDEN);
    assert_string_equal(err.text, "\"\xc3\xa9\" user is not authorized to write to database \"t\"");
    assert_int_equal(bb_user_may_write(t.db, NULL, "t", &err), BB_EFORBIDDEN);
    assert_string_equal(err.text, "user is required to write to database \"t\"");
    dbtest_run(&t, "GRANT WRITE ON t TO \"\xc3\xa9\"");
    assert_ok(bb_user_may_write(t.db, "\xc3\xa9", "t", &err), &err);
    assert_ok(bb_user_may_write(t.db, "ann", "t", &err), &err);
    dbtest_close(&t);
}

/* ---- rights ---- */

static int quiet_begin(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return 0;
}

static int quiet_series(void *arg, const struct bb_series *series)
{
    (void)arg;
    (void)series;
    return 0;
}

static int count_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    (void)values;
    *(size_t *)arg += row_count;
    return 0;
}

static int quiet_end(void *arg, const struct bb_error *end)
{
    (void)arg;
    (void)end;
    return 0;
}

static int ask(struct dbtest *t, const char *user, const char *database, const char *text,
               size_t *rows)
{
    struct bb_sink sink = {.arg = rows,
                           .statement_begin = quiet_begin,
                           .series = quiet_series,
                           .rows = count_rows,
                           .statement_end = quiet_end};
    struct bb_query query = {.database = database,
                             .text = text,
                             .text_length = strlen(text),
                             .check_rights = true,
                             .user = user};
    *rows = 0;
    return bb_query(t->db, &query, &sink, &err);
}

/* ---- queries of others ---- */

struct nested {
    struct dbtest *t;
    const char *user; /* who looks while the outer query runs */
    size_t rows;
};

static int look_on(void *arg, size_t index)
{
    struct nested *nested = arg;
    (void)index;
    return ask(nested->t, nested->user, "t", "SHOW QUERIES", &nested->rows);
}

static int ignore_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    (void)arg;
    (void)values;
    (void)row_count;
    return 0;
}

/* How many queries `user` is shown while `other` has one running. */
static size_t shown_to(struct dbtest *t, const char *user, const char *other)
{
    static const char text[] = "SHOW MEASUREMENTS";
    struct nested nested = {t, user, 0};
    struct bb_sink sink = {.arg = &nested,
                           .statement_begin = look_on,
                           .series = quiet_series,
                           .rows = ignore_rows,
                           .statement_end = quiet_end};
    struct bb_query query = {.database = "t",
                             .text = text,
                             .text_length = sizeof(text) - 1,
                             .check_rights = other != NULL,
                             .user = other};
    assert_ok(bb_query(t->db, &query, &sink, &err), &err);
    return nested.rows;
}

static void test_queries_of_others(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES");
    dbtest_run(&t, "CREATE USER ann WITH PASSWORD 'a'; GRANT READ ON t TO ann");
    dbtest_run(&t, "CREATE USER bob WITH PASSWORD 'b'; GRANT ALL ON t TO bob");
    assert_int_equal(shown_to(&t, "root", "ann"), 2);
    assert_int_equal(shown_to(&t, "ann", "ann"), 2);
    assert_int_equal(shown_to(&t, "bob", "ann"), 1);
    assert_int_equal(shown_to(&t, "ann", "root"), 1);
    assert_int_equal(shown_to(&t, "ann", NULL), 1); /* the server's own */
    dbtest_close(&t);
}

/* What one who has no right is told that it needs; "" nothing, NULL an administrator's. */
struct need {
    const char *text;
    const char *needs;
};

/* clang-format off */
static const struct need needs[] = {
    {"SELECT * FROM m", "READ on t"},
    {"SELECT * FROM other..m", "READ on other"},
    {"SELECT * INTO other..n FROM m", "READ on t"},
    {"SELECT * FROM (SELECT * FROM other..m)", "READ on other"},
    {"SELECT * FROM m, other..m", "READ on t"},
    {"EXPLAIN SELECT * FROM m", "READ on t"},
    {"EXPLAIN ANALYZE SELECT * FROM other..m", "READ on other"},
    {"DELETE FROM m", "WRITE on t"},
    {"CREATE DATABASE z", NULL},
    {"CREATE RETENTION POLICY r ON t DURATION 1d REPLICATION 1", NULL},
    {"CREATE USER z WITH PASSWORD [REDACTED]", NULL},
    {"CREATE CONTINUOUS QUERY c ON t BEGIN SELECT mean(v) INTO n FROM m GROUP BY time(1m) END",
     "READ on t"},
    {"CREATE SUBSCRIPTION s ON t.autogen DESTINATIONS ALL 'udp://h:1'", NULL},
    {"ALTER RETENTION POLICY autogen ON t DURATION 0s", NULL},
    {"DROP DATABASE z", NULL},
    {"DROP RETENTION POLICY r ON t", "WRITE on t"},
    {"DROP RETENTION POLICY r ON other", "WRITE on other"},
    {"DROP MEASUREMENT m", NULL},
    {"DROP SERIES FROM m", "WRITE on t"},
    {"DROP SHARD 99", NULL},
    {"DROP USER z", NULL},
    {"DROP CONTINUOUS QUERY c ON other", "WRITE on other"},
    {"DROP SUBSCRIPTION s ON t.autogen", NULL},
    {"GRANT READ ON t TO z", NULL},
    {"GRANT ALL PRIVILEGES TO z", NULL},
    {"REVOKE READ ON t FROM z", NULL},
    {"REVOKE ALL PRIVILEGES FROM z", NULL},
    {"SET PASSWORD FOR z = [REDACTED]", NULL},
    {"KILL QUERY 99", NULL},
    {"SHOW DATABASES", ""},
    {"SHOW RETENTION POLICIES", "READ on t"},
    {"SHOW RETENTION POLICIES ON other", "READ on other"},
    {"SHOW MEASUREMENTS", "READ on t"},
    {"SHOW MEASUREMENTS ON other", "READ on other"},
    {"SHOW MEASUREMENTS ON *", NULL},
    {"SHOW MEASUREMENT CARDINALITY", "READ on t"},
    {"SHOW MEASUREMENT EXACT CARDINALITY ON other", "READ on other"},
    {"SHOW SERIES", "READ on t"},
    {"SHOW SERIES ON other FROM m", "READ on other"},
    {"SHOW SERIES EXACT CARDINALITY ON other", "READ on other"},
    {"SHOW TAG KEYS ON other", "READ on other"},
    {"SHOW TAG KEY CARDINALITY", "READ on t"},
    {"SHOW TAG VALUES WITH KEY = k", "READ on t"},
    {"SHOW TAG VALUES CARDINALITY WITH KEY = k", "READ on t"},
    {"SHOW FIELD KEYS ON other", "READ on other"},
    {"SHOW FIELD KEY CARDINALITY", "READ on t"},
    {"SHOW SHARDS", NULL},
    {"SHOW SHARD GROUPS", NULL},
    {"SHOW QUERIES", "READ on t"},
    {"SHOW STATS", NULL},
    {"SHOW DIAGNOSTICS", NULL},
    {"SHOW CONTINUOUS QUERIES", "READ on t"},
    {"SHOW SUBSCRIPTIONS", NULL},
    {"SHOW USERS", NULL},
    {"SHOW GRANTS FOR nobody", NULL},
};
/* clang-format on */

/* A statement as it is sent: the password in place of what is shown of it. */
static void with_password(const char *shown, char *text, size_t size)
{
    const char *mark = strstr(shown, "[REDACTED]");
    if (mark == NULL) {
        (void)snprintf(text, size, "%s", shown);
    } else {
        (void)snprintf(text, size, "%.*s'secret'%s", (int)(mark - shown), shown, mark + 10);
    }
}

static void test_needs(void **state)
{
    struct dbtest t;
    size_t rows;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE other; CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES");
    dbtest_run(&t, "CREATE USER nobody WITH PASSWORD 'n'");
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        char text[256];
        char message[400];
        char requires[64] = "admin privilege";
        with_password(needs[i].text, text, sizeof(text));
        if (needs[i].needs != NULL) {
            (void)snprintf(requires, sizeof(requires), "%s", needs[i].needs);
        }
        (void)snprintf(message, sizeof(message),
                       "error authorizing query: nobody not authorized to execute statement '%s', "
                       "requires %s",
                       needs[i].text, requires);
        int rc = ask(&t, "nobody", "t", text, &rows);
        if (requires[0] == '\0') {
            assert_ok(rc, &err);
            continue;
        }
        assert_int_equal(rc, BB_EFORBIDDEN);
        assert_string_equal(err.text, message);
    }
    dbtest_close(&t);
}

/* Rows that a user with some right gets; -1: refused. */
static void expect_rows(struct dbtest *t, const char *user, const char *text, int want)
{
    size_t rows;
    int rc = ask(t, user, "t", text, &rows);
    int got = rc == BB_EFORBIDDEN ? -1 : (int)rows;
    if (got != want || (rc != BB_OK && rc != BB_EFORBIDDEN)) {
        fail_msg("%s by %s: %d rows, not %d: %s", text, user, got, want, rc == 0 ? "" : err.text);
    }
}

static void test_rights(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE other; CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES");
    dbtest_run(&t, "CREATE USER r WITH PASSWORD 'x'; GRANT READ ON t TO r");
    dbtest_run(&t, "CREATE USER w WITH PASSWORD 'x'; GRANT WRITE ON t TO w");
    dbtest_run(&t, "CREATE USER a WITH PASSWORD 'x'; GRANT ALL ON t TO a");
    dbtest_run(&t, "CREATE USER n WITH PASSWORD 'x'; REVOKE ALL ON t FROM n");
    dbtest_write(&t, "m v=1 1000\nm v=2 2000\n");
    expect_rows(&t, "r", "SELECT * FROM m", 2);
    expect_rows(&t, "w", "SELECT * FROM m", -1);
    expect_rows(&t, "a", "SELECT * FROM m", 2);
    expect_rows(&t, "n", "SELECT * FROM m", -1);
    expect_rows(&t, "root", "SELECT * FROM m", 2);
    expect_rows(&t, "gone", "SELECT * FROM m", -1);
    expect_rows(&t, "r", "SELECT * INTO x FROM m", -1);
    expect_rows(&t, "w", "SELECT * INTO x FROM m", -1);
    expect_rows(&t, "a", "SELECT * INTO x FROM m", 1);
    expect_rows(&t, "a", "SELECT * INTO other..x FROM m", -1);
    expect_rows(&t, "root", "SELECT * INTO other..x FROM m", 1);
    expect_rows(&t, "r", "SHOW DATABASES", 1);
    expect_rows(&t, "w", "SHOW DATABASES", 1);
    expect_rows(&t, "n", "SHOW DATABASES", 0);
    expect_rows(&t, "root", "SHOW DATABASES", 2);
    expect_rows(&t, "r", "SHOW SERIES FROM other..x", -1);
    /* Nothing of a text runs if one statement may not. */
    expect_rows(&t, "w", "DELETE FROM m; SELECT * FROM m", -1);
    expect_rows(&t, "r", "SELECT * FROM m", 2);
    expect_rows(&t, "w", "DELETE FROM m WHERE time < 1500", 0);
    expect_rows(&t, "r", "SELECT * FROM m", 1);
    dbtest_run(&t, "REVOKE READ ON t FROM r");
    expect_rows(&t, "r", "SELECT * FROM m", -1);
    dbtest_close(&t);
}

/* A continuous query needs what its SELECT needs: nobody asks again when it runs. */
static void test_continuous_queries(void **state)
{
    static const char own[] = "CREATE CONTINUOUS QUERY c ON t BEGIN SELECT mean(v) INTO n FROM m "
                              "GROUP BY time(1m) END";
    struct dbtest t;
    size_t rows;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE other; CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES");
    dbtest_run(&t, "CREATE USER r WITH PASSWORD 'x'; GRANT READ ON t TO r");
    dbtest_run(&t, "CREATE USER a WITH PASSWORD 'x'; GRANT ALL ON t TO a");
    expect_rows(&t, "r", own, -1);
    assert_int_equal(ask(&t, "a", "other", own, &rows), BB_EFORBIDDEN);
    expect_rows(&t, "a",
                "CREATE CONTINUOUS QUERY c ON t BEGIN SELECT mean(v) INTO other..n FROM m GROUP BY "
                "time(1m) END",
                -1);
    expect_rows(&t, "a",
                "CREATE CONTINUOUS QUERY c ON t BEGIN SELECT mean(v) INTO n FROM (SELECT v FROM "
                "other..m) GROUP BY time(1m) END",
                -1);
    expect_rows(&t, "a",
                "CREATE CONTINUOUS QUERY c ON other BEGIN SELECT mean(v) INTO n FROM m GROUP BY "
                "time(1m) END",
                -1);
    expect_rows(&t, "a", own, 0);
    dbtest_run(&t, "CREATE CONTINUOUS QUERY o ON other BEGIN SELECT mean(v) INTO n FROM m GROUP BY "
                   "time(1m) END");
    expect_rows(&t, "r", "SHOW CONTINUOUS QUERIES", 1);
    expect_rows(&t, "root", "SHOW CONTINUOUS QUERIES", 2);
    expect_rows(&t, "r", "DROP CONTINUOUS QUERY c ON t", -1);
    expect_rows(&t, "a", "DROP CONTINUOUS QUERY o ON other", -1);
    expect_rows(&t, "a", "DROP CONTINUOUS QUERY c ON t", 0);
    expect_rows(&t, "root", "SHOW CONTINUOUS QUERIES", 1);
    dbtest_close(&t);
}

/* Without users only the first may be made; without administrators nobody gets in. */
static void test_first_user(void **state)
{
    static const char create[] = "error authorizing query: create admin user first or disable "
                                 "authentication";
    struct dbtest t;
    size_t rows;
    (void)state;
    dbtest_open(&t);
    assert_int_equal(ask(&t, NULL, "t", "SHOW DATABASES", &rows), BB_EFORBIDDEN);
    assert_string_equal(err.text, create);
    assert_int_equal(ask(&t, NULL, "t", "CREATE USER a WITH PASSWORD 'a'", &rows), BB_EFORBIDDEN);
    assert_string_equal(err.text, create);
    assert_ok(ask(&t, NULL, "t",
                  "CREATE USER a WITH PASSWORD 'a' WITH ALL PRIVILEGES; SHOW DATABASES", &rows),
              &err);
    assert_int_equal(rows, 1);
    assert_int_equal(ask(&t, NULL, "t", "SHOW DATABASES", &rows), BB_EFORBIDDEN);
    assert_string_equal(err.text, "error authorizing query: no user provided");
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_index_lost),
        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_queries_of_others),
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_continuous_queries),
        cmocka_unit_test(test_first_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
