/**
 * Text for people: widths on a terminal, escapes, times and numbers.
 */
#ifndef CLIENT_SHELL_TEXT_H
#define CLIENT_SHELL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/text.h"

/** Append with control characters and bytes that are no UTF-8 as \n, \t, \xNN. */
void bbsh_put_safe(struct text *t, const char *s, size_t n);

/** Columns that safe text takes. */
size_t bbsh_width(const char *s, size_t n);

/**
 * Append safe text in exactly `width` columns, cut where it is too long (then its last column is an
 * ellipsis).
 */
void bbsh_put_fitted(struct text *t, const char *s, size_t n, size_t width, bool right, bool utf8);

/** Digits to a time; false: no int64. */
bool bbsh_parse_ns(const char *digits, size_t n, int64_t *time_ns);

/** RFC 3339 in UTC, or with its offset in the zone that bbsh_set_zone took. */
void bbsh_put_time(struct text *t, int64_t time_ns, bool utc);

/** As short as a span of that length allows: 14:30, 15 Mar, Mar 2024. */
void bbsh_put_short_time(struct text *t, int64_t time_ns, bool utc, int64_t span_ns);

/** Hour and weekday (0 is Monday) there. */
void bbsh_hour_and_day(int64_t time_ns, bool utc, unsigned *hour, unsigned *weekday);

/**
 * The zone of the process: a name of the system's zone data, "local" for the machine's own.
 * false: there is no such zone; nothing is changed.
 */
bool bbsh_set_zone(const char *name);

/**
 * The zone that a query asks for with tz('ZONE'), the first if there are several.
 * zone   out; "" where it names none, or none that fits
 * size   of zone
 */
void bbsh_find_zone(const char *query, char *zone, size_t size);

/** Whether the zone of the process is as of now UTC by name: "", "UTC", "Z". */
bool bbsh_is_utc(const char *name);

/** At most 4 significant digits. */
void bbsh_put_number(struct text *t, double x);

/** Whether s is the same as t but for the case of ASCII letters. */
bool bbsh_same_word(const char *s, size_t n, const char *word);

#endif
