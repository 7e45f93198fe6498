#ifndef CLIENT_IMPORT_TIME_H
#define CLIENT_IMPORT_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_PATTERN_MAX 128

enum time_kind {
    TIME_AUTO,   /* dates and times as people write them; RFC 3339 among them */
    TIME_EPOCH,  /* a number of units since 1970 */
    TIME_PATTERN /* strptime's letters */
};

/** How 03/04/2024 reads. Dates whose year comes first need no order. */
enum date_order {
    DATE_ORDER_UNKNOWN,
    DATE_DAY_FIRST,
    DATE_MONTH_FIRST
};

struct time_format {
    enum time_kind kind;
    enum date_order order;
    int64_t unit_ns; /* of TIME_EPOCH */
    char pattern[TIME_PATTERN_MAX];
};

/** A time as it was read: of UTC if it came with an offset or as an epoch, else of a clock. */
struct moment {
    int64_t second_s; /* since 1970 of that clock */
    int32_t nanos;
    bool is_utc;
};

/** Parse times of one format; remembers the last day, so that the next one costs less. */
struct time_reader {
    struct time_format format;
    char day_text[10];
    int64_t day_s;
    bool day_known;
};

/**
 * spec  auto, dmy, mdy, s, ms, us, ns, or a pattern: %Y %y %m %b %d %e %j %H %I %M %S %f %p %z %s
 *       %F %T %R %D %% and text that stands for itself
 * Returns false if it is none of these; then `error` tells the part that is not known.
 */
bool time_format_parse(const char *spec, struct time_format *format, char *error,
                       size_t error_bytes);

/** The format in words that time_format_parse takes. */
const char *time_format_name(const struct time_format *format);

void time_reader_init(struct time_reader *reader, const struct time_format *format);

/** Returns NULL, or why the text is no time of this format. */
const char *time_read(struct time_reader *reader, const char *text, size_t len,
                      struct moment *moment);

/** Seconds since 1970 of a date of the Gregorian calendar, years 1 to 9999; false if there is no
 * such day. */
bool time_of_day(int year, int month, int day, int64_t *second_s);

/** Move a clock's time back by whole months; the day of the month is cut to the month's length. */
int64_t time_minus_months(int64_t second_s, int months);

struct time_sample {
    const char *text;
    size_t len;
};

/**
 * What fits four fifths of these samples or more: an epoch by the count of digits, or a date, whose
 * order is the one that fits more of them. Returns false if nothing does. If days and months fit
 * either way, *needs_order becomes true.
 */
bool time_guess(const struct time_sample *samples, size_t n, struct time_format *format,
                bool *needs_order);

#endif
