#include "engine/base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "engine/base/clock.h"

static void to_stderr(void *arg, enum bbi_log_level level, const char *event, const char *pairs);

static bbi_log_sink *log_sink = to_stderr;
static void *log_arg;
static enum bbi_log_level log_least = BBI_LOG_INFO;

static void to_stderr(void *arg, enum bbi_log_level level, const char *event, const char *pairs)
{
    (void)arg;
    int64_t wall_ns = bbi_clock_wall_ns();
    time_t seconds = (time_t)(wall_ns / 1000000000);
    int64_t millis = wall_ns / 1000000 % 1000;
    struct tm utc;
    char stamp[32] = "";
    if (gmtime_r(&seconds, &utc) != NULL) {
        (void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    }
    (void)fprintf(stderr, "ts=%s.%03dZ level=%s event=%s%s%s\n", stamp, (int)millis,
                  bbi_log_level_name(level), event, pairs[0] == '\0' ? "" : " ", pairs);
}

void bbi_log_set(bbi_log_sink *sink, void *arg, enum bbi_log_level least)
{
    log_sink = sink == NULL ? to_stderr : sink;
    log_arg = arg;
    log_least = least;
}

const char *bbi_log_level_name(enum bbi_log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return names[level];
}

void bbi_log(enum bbi_log_level level, const char *event, const char *fmt, ...)
{
    if (level < log_least) {
        return;
    }
    char pairs[BBI_LOG_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(pairs, sizeof(pairs), fmt, ap);
    va_end(ap);
    if (len < 0) {
        pairs[0] = '\0';
    }
    for (char *at = pairs; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *at = ' ';
        }
    }
    log_sink(log_arg, level, event, pairs);
}
