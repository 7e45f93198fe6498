/**
 * Log lines as key=value pairs, lower case, to a function that the program sets.
 *
 * Thread  bbi_log is thread-safe and so must the sink be; set the sink before threads start.
 */
#ifndef BBI_BASE_LOG_H
#define BBI_BASE_LOG_H

#include "engine/busbar.h"

enum bbi_log_level {
    BBI_LOG_DEBUG,
    BBI_LOG_INFO,
    BBI_LOG_WARN,
    BBI_LOG_ERROR
};

/** Longest pairs of one line; longer ones are cut. */
#define BBI_LOG_TEXT_MAX 1024

/** Receives one event: name and "key=value key=value" without a newline; both borrowed. */
typedef void bbi_log_sink(void *arg, enum bbi_log_level level, const char *event,
                          const char *pairs);

/** Send events of at least this level to sink. sink NULL: to stderr, with time and level, which is
 * also what happens (from INFO on) when nothing is set. */
void bbi_log_set(bbi_log_sink *sink, void *arg, enum bbi_log_level least);

/** "debug", "info", "warn", "error" */
const char *bbi_log_level_name(enum bbi_log_level level);

/** Log an event; fmt gives its pairs: bbi_log(BBI_LOG_WARN, "segment_quarantined", "name=%s
 * reason=\"%s\"", ...). Control characters turn into spaces; a double quote inside a quoted value
 * is the caller's to avoid. */
void bbi_log(enum bbi_log_level level, const char *event, const char *fmt, ...) BB_PRINTF(3, 4);

#endif
