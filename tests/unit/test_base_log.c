#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"

struct seen {
    int count;
    enum bbi_log_level level;
    char event[64];
    char pairs[BBI_LOG_TEXT_MAX];
};

static void remember(void *arg, enum bbi_log_level level, const char *event, const char *pairs)
{
    struct seen *seen = arg;
    seen->count++;
    seen->level = level;
    (void)snprintf(seen->event, sizeof(seen->event), "%s", event);
    (void)snprintf(seen->pairs, sizeof(seen->pairs), "%s", pairs);
}

static void test_a_sink_receives_events(void **state)
{
    (void)state;
    struct seen seen = {0};
    bbi_log_set(remember, &seen, BBI_LOG_INFO);
    bbi_log(BBI_LOG_DEBUG, "ignored", "a=%d", 1);
    assert_int_equal(seen.count, 0);
    bbi_log(BBI_LOG_WARN, "segment_quarantined", "name=%s offset=%d", "seg-1\n\x7f", 7);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.level, BBI_LOG_WARN);
    assert_string_equal(seen.event, "segment_quarantined");
    assert_string_equal(seen.pairs, "name=seg-1   offset=7");
    bbi_log_set(NULL, NULL, BBI_LOG_INFO);
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
    struct seen seen = {0};
    bbi_log_set(remember, &seen, BBI_LOG_DEBUG);
    bbi_log(BBI_LOG_DEBUG, "long", "v=%05000d", 1);
    assert_int_equal(strlen(seen.pairs), BBI_LOG_TEXT_MAX - 1);
    bbi_log_set(NULL, NULL, BBI_LOG_INFO);
}

static void test_standard_error_gets_whole_lines(void **state)
{
    (void)state;
    int out[2];
    assert_int_equal(pipe(out), 0);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    (void)dup2(out[1], STDERR_FILENO);
    bbi_clock_set_wall(INT64_C(1710511200123000000));
    bbi_log(BBI_LOG_ERROR, "log_failed", "reason=\"%s\"", "disk full");
    bbi_log(BBI_LOG_INFO, "started", "%s", "");
    bbi_log(BBI_LOG_DEBUG, "unseen", "%s", "");
    bbi_clock_reset();
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    (void)close(out[1]);
    char text[512] = "";
    assert_true(read(out[0], text, sizeof(text) - 1) > 0);
    (void)close(out[0]);
    assert_string_equal(text, "ts=2024-03-15T14:00:00.123Z level=error event=log_failed "
                              "reason=\"disk full\"\n"
                              "ts=2024-03-15T14:00:00.123Z level=info event=started\n");
    assert_string_equal(bbi_log_level_name(BBI_LOG_DEBUG), "debug");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sink_receives_events),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_standard_error_gets_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
