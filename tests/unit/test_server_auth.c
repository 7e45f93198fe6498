/* Credentials as requests bring them, and passwords that the log does not tell. */
#include "server/auth.h"

#include <string.h>

#include "server/redact.h"
#include "tests/lib/unit.h"

static void expect_password(const char *query, const char *header, const char *user,
                            const char *password)
{
    struct auth auth;
    auth_init(&auth);
    assert_int_equal(auth_read(&auth, query, header), BB_OK);
    assert_int_equal(auth.kind, AUTH_PASSWORD);
    assert_string_equal(auth.user.data, user);
    assert_int_equal(auth.user.len, strlen(user));
    assert_string_equal(auth.password.data, password);
    auth_fini(&auth);
}

static void expect_kind(const char *query, const char *header, enum auth_kind kind)
{
    struct auth auth;
    auth_init(&auth);
    assert_int_equal(auth_read(&auth, query, header), BB_OK);
    assert_int_equal(auth.kind, kind);
    auth_fini(&auth);
}

static void test_read(void **state)
{
    (void)state;
    expect_password("u=ann&p=x", "", "ann", "x");
    expect_password("p=a%26b+c&db=t&u=%C3%A9", "", "\xc3\xa9", "a&b c");
    expect_password("u=ann&p=x", "Basic cm9vdDpyb290", "ann", "x");
    expect_password("u=ann", "Basic cm9vdDpyb290", "root", "root");
    expect_password("u=ann&p=", "bAsIc cm9vdDpyb290", "root", "root");
    expect_password("u=%zz&p=x", "Basic cm9vdDpyb290", "root", "root");
    expect_password("", "Basic YTpiOmM=", "a", "b:c"); /* a:b:c */
    expect_password("", "Basic OmI=", "", "b");
    expect_password("", "Basic YTo=", "a", "");
    expect_password("", "Basic Og==", "", "");
    expect_password("", "Token ann:x:y", "ann", "x:y");
    expect_kind("", "Bearer abc", AUTH_BEARER);
    expect_kind("", "Bearer", AUTH_NONE);
    expect_kind("", "", AUTH_NONE);
    expect_kind("", "Token ann", AUTH_NONE);
    expect_kind("", "token ann:x", AUTH_NONE); /* as InfluxDB */
    expect_kind("", "Basic", AUTH_NONE);
    expect_kind("", "Basic ", AUTH_NONE);
    expect_kind("", "Basic cm9vdA==", AUTH_NONE); /* no colon */
    expect_kind("", "Basic YQA6Yg==", AUTH_NONE); /* a NUL */
    expect_kind("", "Basic cm9vdDpyb29", AUTH_NONE);
    expect_kind("", "Basic cm9v=DpybA==", AUTH_NONE);
    expect_kind("", "Basic cm9vdDpy=A==", AUTH_NONE);
    expect_kind("", "Basic ====", AUTH_NONE);
    expect_kind("", "Basic cm9v dDpyb290", AUTH_NONE);
}

static void test_long(void **state)
{
    struct auth auth;
    static char header[70000];
    (void)state;
    memset(header, 'Y', sizeof(header) - 1);
    memcpy(header, "Basic ", 6);
    auth_init(&auth);
    int rc = auth_read(&auth, "", header);
    assert_true(rc == BB_ELIMIT || auth.kind == AUTH_NONE);
    auth_fini(&auth);
    memcpy(header, "Token x:", 8);
    auth_init(&auth);
    assert_int_equal(auth_read(&auth, "", header), BB_ELIMIT);
    auth_fini(&auth);
}

static void expect_redacted(const char *text, const char *want)
{
    struct buf out;
    buf_init(&out, 4096, NULL);
    assert_int_equal(redact(text, strlen(text), &out), BB_OK);
    assert_int_equal(buf_put(&out, "", 1), BB_OK);
    assert_string_equal(out.data, want);
    buf_fini(&out);
}

static void test_redact(void **state)
{
    (void)state;
    expect_redacted("", "");
    expect_redacted("SELECT password FROM m", "SELECT password [REDACTED] m"); /* too much */
    expect_redacted("SELECT passwords, my_password_x FROM m",
                    "SELECT passwords, my_password_x FROM m");
    expect_redacted(
        "CREATE SUBSCRIPTION s ON d.r DESTINATIONS ANY 'http://u:p@q@h:1/a', 'udp://h:9'",
        "CREATE SUBSCRIPTION s ON d.r DESTINATIONS ANY 'http://[REDACTED]@h:1/a', "
        "'udp://h:9'");
    expect_redacted("'http://@h:1' ://@", "'http://[REDACTED]@h:1' ://[REDACTED]@");
    expect_redacted("'http://u 'a@b' ://", "'http://u 'a@b' ://");
    expect_redacted("CREATE USER a WITH PASSWORD 'x y'", "CREATE USER a WITH PASSWORD [REDACTED]");
    expect_redacted("create user a with password\n'x\\'y' with all privileges; SHOW USERS",
                    "create user a with password\n[REDACTED] with all privileges; SHOW USERS");
    expect_redacted("CREATE USER a WITH PASSWORD x; CREATE USER b WITH PASSWORD 'y'",
                    "CREATE USER a WITH PASSWORD [REDACTED]; CREATE USER b WITH PASSWORD "
                    "[REDACTED]");
    expect_redacted("CREATE USER a WITH PASSWORD 'open", "CREATE USER a WITH PASSWORD [REDACTED]");
    expect_redacted("CREATE USER a WITH PASSWORD\"x\"", "CREATE USER a WITH PASSWORD[REDACTED]");
    expect_redacted("SET PASSWORD FOR a = 'x'", "SET PASSWORD FOR a = [REDACTED]");
    expect_redacted("set password for \"a=b\"='x';SHOW USERS",
                    "set password for \"a=b\"=[REDACTED];SHOW USERS");
    expect_redacted("SET PASSWORD FOR a", "SET PASSWORD FOR a");
    expect_redacted("SET PASSWORD FOR \"a", "SET PASSWORD FOR \"a");
    expect_redacted("PASSWORD", "PASSWORD");
    expect_redacted("PASSWORD '", "PASSWORD [REDACTED]");
    expect_redacted("PASSWORD 'x\\", "PASSWORD [REDACTED]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_redact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
