#include "server/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static _Atomic int lowest = LOG_INFO;

void log_set_level(const char *name)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (strcmp(name, level_names[i]) == 0)
            atomic_store(&lowest, i);
}

static size_t put_prefix(char *line, size_t size, enum log_level level)
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(line + n, size - n, ".%03ldZ %s ", now.tv_nsec / 1000000,
                                level_names[level]);
}

void log_event(enum log_level level, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    if ((int)level < atomic_load_explicit(&lowest, memory_order_relaxed))
        return;
    size_t n = put_prefix(line, sizeof(line), level);
    va_list args;
    va_start(args, fmt);
    int more = vsnprintf(line + n, sizeof(line) - n, fmt, args);
    va_end(args);
    if (more > 0)
        n += (size_t)more < sizeof(line) - n ? (size_t)more : sizeof(line) - n - 1;
    line[n++] = '\n'; /* in place of the NUL */
    ssize_t written = write(STDERR_FILENO, line, n);
    (void)written; /* there is nowhere left to say so */
}

void log_engine(void *arg, int severity, const char *text)
{
    (void)arg;
    enum log_level level = severity < LOG_DEBUG   ? LOG_DEBUG
                           : severity > LOG_ERROR ? LOG_ERROR
                                                  : (enum log_level)severity;
    log_event(level, "%s", text);
}

const char *log_quote(char *out, size_t size, const char *text, size_t n)
{
    size_t len = 0;
    out[len++] = '"';
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (size - len < 12) {
            memcpy(out + len, "...", 3);
            len += 3;
            break;
        }
        if (c == '"' || c == '\\') {
            out[len++] = '\\';
            out[len++] = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            len += (size_t)snprintf(out + len, size - len, "\\x%02x", c);
        } else {
            out[len++] = (char)c;
        }
    }
    out[len++] = '"';
    out[len] = '\0';
    return out;
}
