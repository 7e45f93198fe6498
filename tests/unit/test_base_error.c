#include "tests/lib/unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/error.h"

static void test_codes_have_texts_and_statuses(void **state)
{
    (void)state;
    assert_string_equal(bb_code_text(BB_OK), "ok");
    assert_int_equal(bb_code_http(BB_OK), 200);
    assert_int_equal(bb_code_http(BB_ELIMIT), 413);
    assert_int_equal(bb_code_http(BB_ENOTFOUND), 404);
    for (int code = 0; code < BB_CODE_COUNT; code++) {
        assert_non_null(bb_code_text(code));
        assert_in_range(bb_code_http(code), 200, 599);
    }
    assert_string_equal(bb_code_text(-1), bb_code_text(BB_EINTERNAL));
    assert_string_equal(bb_code_text(BB_CODE_COUNT), bb_code_text(BB_EINTERNAL));
    assert_int_equal(bb_code_http(1000), 500);
}

static void test_set_replaces_and_wrap_adds(void **state)
{
    (void)state;
    struct bb_error err;
    assert_int_equal(bbi_error_set(&err, BB_EIO, "first %d", 1), BB_EIO);
    assert_int_equal(bbi_error_set(&err, BB_ECORRUPT, "checksum mismatch"), BB_ECORRUPT);
    assert_string_equal(err.text, "checksum mismatch");
    assert_int_equal(bbi_error_wrap(&err, "footer"), BB_ECORRUPT);
    assert_int_equal(bbi_error_wrap(&err, "open partition %s", "2024-05"), BB_ECORRUPT);
    assert_string_equal(err.text, "open partition 2024-05: footer: checksum mismatch");
    bbi_error_clear(&err);
    assert_int_equal(err.code, BB_OK);
    assert_string_equal(err.text, "");
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    char text[2 * BB_ERROR_TEXT_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct bb_error err;
    (void)bbi_error_set(&err, BB_EIO, "%s", text);
    assert_int_equal(strlen(err.text), BB_ERROR_TEXT_MAX - 1);
    (void)bbi_error_wrap(&err, "context");
    assert_int_equal(strlen(err.text), BB_ERROR_TEXT_MAX - 1);
    assert_memory_equal(err.text, "context: xxx", 12);
    (void)bbi_error_wrap(&err, "%s", text);
    assert_int_equal(strlen(err.text), BB_ERROR_TEXT_MAX - 1);
    assert_int_equal(err.code, BB_EIO);
    (void)bbi_error_errno(&err, EIO, "%s", text);
    assert_contains(err.text, "Input/output error");
}

static void test_errno_becomes_a_code(void **state)
{
    (void)state;
    struct bb_error err;
    assert_int_equal(bbi_error_errno(&err, ENOSPC, "write %s", "a"), BB_ENOSPC);
    assert_string_equal(err.text, "write a: No space left on device");
    assert_int_equal(bbi_error_errno(&err, EDQUOT, "x"), BB_ENOSPC);
    assert_int_equal(bbi_error_errno(&err, ENOMEM, "x"), BB_ENOMEM);
    assert_int_equal(bbi_error_errno(&err, ENOENT, "x"), BB_ENOTFOUND);
    assert_int_equal(bbi_error_errno(&err, EACCES, "x"), BB_EIO);
    assert_int_equal(bbi_error_nomem(&err, "page"), BB_ENOMEM);
    assert_string_equal(err.text, "out of memory: page");
}

static void test_assertion_aborts_with_a_trace(void **state)
{
    (void)state;
    BB_ASSERT(1 + 1 == 2);
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(out[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        BB_ASSERT(child != 0);
        _exit(0);
    }
    assert_true(child > 0);
    (void)close(out[1]);
    char text[512] = "";
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(text) - 1 && (n = read(out[0], text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    (void)close(out[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_contains(text, "assertion failed: child != 0");
    assert_contains(text, "test_base_error.c:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_have_texts_and_statuses),
        cmocka_unit_test(test_set_replaces_and_wrap_adds),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_errno_becomes_a_code),
        cmocka_unit_test(test_assertion_aborts_with_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
