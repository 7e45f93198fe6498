/**
 * The server's log: one line per event on standard error, "time level event key=value ...".
 *
 * Thread-safe; a line is written whole. Lines below the level are dropped; info and above go out by
 * default.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/busbar.h"

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR
};

/** One of debug, info, warning, error. */
void log_set_level(const char *name);

void log_event(enum log_level level, const char *fmt, ...) BB_PRINTF(2, 3);

/** The engine's lines: a bb_log_fn. */
void log_engine(void *arg, int severity, const char *text);

/** text as the value of a key: quoted, escaped, cut to fit out. Returns out. */
const char *log_quote(char *out, size_t size, const char *text, size_t n);

#endif
