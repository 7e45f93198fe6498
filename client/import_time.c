#include "client/import_time.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAY_S INT64_C(86400)

static const char *const not_a_time = "is not a time";
static const char *const no_such_day = "there is no such day";
static const char *const no_such_hour = "there is no such time of day";

struct cursor {
    const char *at, *end;
};

/** The parts of a time as they are read. */
struct parts {
    int year, month, day, hour, minute, second;
    int year_day; /* 1 to 366; 0: not given */
    int32_t nanos;
    int offset_s;
    bool has_offset, afternoon, has_half;
    bool is_epoch;
    int64_t epoch_s;
};

static bool at_char(const struct cursor *c, char wanted)
{
    return c->at < c->end && *c->at == wanted;
}

static bool take_char(struct cursor *c, char wanted)
{
    bool yes = at_char(c, wanted);
    c->at += yes;
    return yes;
}

static bool at_digit(const struct cursor *c)
{
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static void skip_blanks(struct cursor *c)
{
    while (at_char(c, ' ') || at_char(c, '\t'))
        c->at++;
}

/** One to `max` digits. Returns how many there were; 0 for none. */
static int take_number(struct cursor *c, int max, int *value)
{
    int n = 0;
    *value = 0;
    for (; n < max && at_digit(c); n++, c->at++)
        *value = *value * 10 + (*c->at - '0');
    return n;
}

/** A fraction's digits behind its point; those beyond nanoseconds are passed over. */
static bool take_fraction(struct cursor *c, int32_t *nanos)
{
    int32_t unit = 100000000;
    if (!at_digit(c))
        return false;
    for (*nanos = 0; at_digit(c); c->at++, unit /= 10)
        *nanos += (*c->at - '0') * unit;
    return true;
}

static const char *const month_names[12] = {"january",   "february", "march",    "april",
                                            "may",       "june",     "july",     "august",
                                            "september", "october",  "november", "december"};

/** A month's English name, whole or its first three letters. */
static bool take_month(struct cursor *c, int *month)
{
    size_t n = 0;
    while (c->at + n < c->end && isalpha((unsigned char)c->at[n]))
        n++;
    for (int i = 0; i < 12; i++) {
        size_t whole = strlen(month_names[i]);
        if ((n == 3 || n == whole) && strncasecmp(c->at, month_names[i], n) == 0) {
            c->at += n;
            *month = i + 1;
            return true;
        }
    }
    return false;
}

/** Z, UTC, GMT, +hh, +hhmm or +hh:mm. */
static bool take_offset(struct cursor *c, struct parts *p)
{
    int hours, minutes = 0;
    p->has_offset = true;
    p->offset_s = 0;
    if (take_char(c, 'Z') || take_char(c, 'z'))
        return true;
    if (c->end - c->at >= 3 && (memcmp(c->at, "UTC", 3) == 0 || memcmp(c->at, "GMT", 3) == 0)) {
        c->at += 3;
        return true;
    }
    bool west = at_char(c, '-');
    if (!west && !at_char(c, '+'))
        return false;
    c->at++;
    if (take_number(c, 2, &hours) != 2)
        return false;
    take_char(c, ':');
    if (at_digit(c) && take_number(c, 2, &minutes) != 2)
        return false;
    p->offset_s = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return hours <= 15 && minutes < 60;
}

static bool take_half(struct cursor *c, struct parts *p)
{
    if (c->end - c->at < 2 || (c->at[1] != 'M' && c->at[1] != 'm'))
        return false;
    char half = (char)toupper((unsigned char)*c->at);
    if (half != 'A' && half != 'P')
        return false;
    p->has_half = true;
    p->afternoon = half == 'P';
    c->at += 2;
    return true;
}

static int two_digit_year(int year)
{
    return year + (year < 69 ? 2000 : 1900);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

bool time_of_day(int year, int month, int day, int64_t *second_s)
{
    *second_s = 0;
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month))
        return false;
    /* Years that begin in March end with the leap day. */
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t m = month <= 2 ? month + 9 : month - 3;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    *second_s = (days - 719468) * DAY_S;
    return true;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t time_minus_months(int64_t second_s, int months)
{
    int64_t days = floor_div(second_s, DAY_S);
    int64_t rest = second_s - days * DAY_S;
    int64_t since = days + 719468; /* 0000-03-01; within years 1 to 9999 it is positive */
    int64_t era = since / 146097, in_era = since % 146097;
    int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * in_year + 2) / 153;
    int day = (int)(in_year - (153 * m + 2) / 5 + 1);
    int64_t index = (era * 400 + y + (m >= 10)) * 12 + (m < 10 ? m + 2 : m - 10) - months;
    int year = (int)floor_div(index, 12), month = (int)(index - floor_div(index, 12) * 12) + 1;
    int64_t result;
    if (year >= 1 && day > days_in_month(year, month))
        day = days_in_month(year, month);
    return time_of_day(year, month, day, &result) ? result + rest : second_s;
}

static const char *finish(const struct parts *p, struct moment *out)
{
    int hour = p->hour;
    if (p->is_epoch) {
        *out = (struct moment){p->epoch_s, p->nanos, true};
        return NULL;
    }
    if (p->has_half) {
        if (hour < 1 || hour > 12)
            return no_such_hour;
        hour = hour % 12 + (p->afternoon ? 12 : 0);
    }
    bool midnight = hour == 24 && p->minute == 0 && p->second == 0 && p->nanos == 0;
    if ((hour > 23 && !midnight) || p->minute > 59 || p->second > 59)
        return no_such_hour;
    int month = p->year_day > 0 ? 1 : p->month;
    int day = p->year_day > 0 ? 1 : p->day;
    int64_t second_s;
    if (!time_of_day(p->year, month, day, &second_s) || p->year_day > 366)
        return no_such_day;
    if (p->year_day > 0)
        second_s += (p->year_day - 1) * DAY_S;
    second_s += hour * 3600 + p->minute * 60 + p->second - p->offset_s;
    *out = (struct moment){second_s, p->nanos, p->has_offset};
    return NULL;
}

/* ---- dates as people write them ---- */

static bool is_date_separator(char c)
{
    return c == '-' || c == '/' || c == '.' || c == ' ' || c == ',';
}

static void skip_separators(struct cursor *c)
{
    while (c->at < c->end && is_date_separator(*c->at))
        c->at++;
}

/** YYYYMMDD, which a T or blank and a time without colons may follow. */
static bool take_compact(struct cursor *c, struct parts *p)
{
    size_t n = 0;
    while (c->at + n < c->end && isdigit((unsigned char)c->at[n]))
        n++;
    if (n != 8 && n != 12 && n != 14)
        return false;
    bool ok = take_number(c, 4, &p->year) == 4 && take_number(c, 2, &p->month) == 2 &&
              take_number(c, 2, &p->day) == 2;
    if (n == 8 && (at_char(c, 'T') || at_char(c, ' ')) && c->end - c->at >= 5 && c->at[3] != ':') {
        c->at++;
        n = 12;
    }
    if (ok && n > 8)
        ok = take_number(c, 2, &p->hour) == 2 && take_number(c, 2, &p->minute) == 2;
    if (ok && n > 8 && at_digit(c))
        ok = take_number(c, 2, &p->second) == 2;
    return ok;
}

/** Three parts with a month's name among them, the year's part longest or last. */
static const char *take_date(struct cursor *c, enum date_order order, struct parts *p)
{
    int number[3] = {0}, digits[3] = {0}, named = -1;
    for (int i = 0; i < 3; i++) {
        if (i > 0)
            skip_separators(c);
        digits[i] = take_number(c, 4, &number[i]);
        if (digits[i] == 0 && named < 0 && i < 2 && take_month(c, &number[i]))
            named = i;
        else if (digits[i] == 0)
            return not_a_time;
    }
    if (digits[0] == 4) {
        p->year = number[0];
        p->month = number[1];
        p->day = number[2];
        return named == 0 ? not_a_time : NULL;
    }
    p->year = digits[2] <= 2 ? two_digit_year(number[2]) : number[2];
    if (named < 0 && order == DATE_ORDER_UNKNOWN)
        return "day or month first? give the format dmy or mdy";
    bool day_first = named == 1 || (named < 0 && order == DATE_DAY_FIRST);
    p->day = day_first ? number[0] : number[1];
    p->month = day_first ? number[1] : number[0];
    return NULL;
}

/** hh:mm[:ss[.fraction]] [AM|PM] [offset]; nothing at all is midnight. */
static const char *take_clock(struct cursor *c, struct parts *p)
{
    if (at_char(c, 'T') || at_char(c, 't'))
        c->at++;
    else
        skip_separators(c);
    if (c->at == c->end)
        return NULL;
    if (at_digit(c) && p->hour == 0 && p->minute == 0) {
        take_number(c, 2, &p->hour);
        bool minute = take_char(c, ':') || take_char(c, '.');
        if (!minute || take_number(c, 2, &p->minute) != 2)
            return not_a_time;
        if (take_char(c, ':') && take_number(c, 2, &p->second) != 2)
            return not_a_time;
    }
    if ((take_char(c, '.') || take_char(c, ',')) && !take_fraction(c, &p->nanos))
        return not_a_time;
    skip_blanks(c);
    take_half(c, p);
    skip_blanks(c);
    if (c->at < c->end && !take_offset(c, p))
        return not_a_time;
    skip_blanks(c);
    return c->at == c->end ? NULL : not_a_time;
}

static const char *read_auto(const struct time_format *format, const char *text, size_t len,
                             struct moment *out)
{
    struct parts p = {.month = 1, .day = 1};
    struct cursor c = {text, text + len};
    if (!take_compact(&c, &p)) {
        p = (struct parts){.month = 1, .day = 1};
        c.at = text;
        const char *reason = take_date(&c, format->order, &p);
        if (reason != NULL)
            return reason;
    }
    const char *reason = take_clock(&c, &p);
    return reason != NULL ? reason : finish(&p, out);
}

/* ---- epochs ---- */

static const char *read_epoch(int64_t unit_ns, const char *text, size_t len, struct moment *out)
{
    struct cursor c = {text, text + len};
    bool negative = take_char(&c, '-');
    __int128 ns = 0;
    if (!at_digit(&c))
        return not_a_time;
    for (int n = 0; at_digit(&c); n++, c.at++) {
        if (n == 20)
            return "is out of range";
        ns = ns * 10 + (*c.at - '0');
    }
    ns *= unit_ns;
    int32_t fraction = 0;
    if (take_char(&c, '.') && !take_fraction(&c, &fraction))
        return not_a_time;
    if (c.at != c.end)
        return not_a_time;
    ns += (__int128)fraction * unit_ns / 1000000000;
    if (ns > INT64_MAX)
        return "is out of range";
    int64_t value = negative ? -(int64_t)ns : (int64_t)ns;
    out->second_s = floor_div(value, 1000000000);
    out->nanos = (int32_t)(value - (__int128)out->second_s * 1000000000);
    out->is_utc = true;
    return NULL;
}

/* ---- patterns ---- */

/** What %F, %T, %R and %D stand for; NULL for other letters. */
static const char *expansion(char letter)
{
    switch (letter) {
    case 'F':
        return "%Y-%m-%d";
    case 'T':
        return "%H:%M:%S";
    case 'R':
        return "%H:%M";
    case 'D':
        return "%m/%d/%y";
    default:
        return NULL;
    }
}

static bool take_epoch(struct cursor *c, struct parts *p)
{
    bool negative = take_char(c, '-');
    int n = 0;
    for (p->epoch_s = 0; at_digit(c) && n < 11; n++, c->at++)
        p->epoch_s = p->epoch_s * 10 + (*c->at - '0');
    p->epoch_s = negative ? -p->epoch_s : p->epoch_s;
    p->is_epoch = true;
    return n > 0;
}

static bool take_conversion(struct cursor *c, char letter, struct parts *p)
{
    switch (letter) {
    case 'Y':
        return take_number(c, 4, &p->year) == 4;
    case 'y': {
        bool ok = take_number(c, 2, &p->year) == 2;
        p->year = two_digit_year(p->year);
        return ok;
    }
    case 'm':
        return take_number(c, 2, &p->month) > 0;
    case 'b':
        return take_month(c, &p->month);
    case 'd':
    case 'e':
        skip_blanks(c);
        return take_number(c, 2, &p->day) > 0;
    case 'j':
        return take_number(c, 3, &p->year_day) > 0 && p->year_day > 0;
    case 'H':
    case 'I':
        return take_number(c, 2, &p->hour) > 0;
    case 'M':
        return take_number(c, 2, &p->minute) > 0;
    case 'S':
        return take_number(c, 2, &p->second) > 0;
    case 'f':
        return take_fraction(c, &p->nanos);
    case 'p':
        return take_half(c, p);
    case 'z':
        return take_offset(c, p);
    case 's':
        return take_epoch(c, p);
    case '%':
        return take_char(c, '%');
    default:
        return false;
    }
}

static bool match(const char *pattern, struct cursor *c, struct parts *p)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '%') {
            const char *inner = expansion(*++pattern);
            if (inner != NULL ? !match(inner, c, p) : !take_conversion(c, *pattern, p))
                return false;
        } else if (*pattern == ' ') {
            skip_blanks(c);
        } else if (!take_char(c, *pattern)) {
            return false;
        }
    }
    return true;
}

static const char *read_pattern(const char *pattern, const char *text, size_t len,
                                struct moment *out)
{
    struct parts p = {.year = 1970, .month = 1, .day = 1};
    struct cursor c = {text, text + len};
    if (!match(pattern, &c, &p))
        return "is not a time of the given format";
    skip_blanks(&c);
    return c.at == c.end ? finish(&p, out) : "is not a time of the given format";
}

/* ---- the way in ---- */

static bool two_digits(const char *text, int *value)
{
    unsigned tens = (unsigned char)text[0] - '0', ones = (unsigned char)text[1] - '0';
    *value = (int)(tens * 10 + ones);
    return tens <= 9 && ones <= 9;
}

/** YYYY-MM-DDThh:mm:ss with or without Z, by far the most frequent form. False: try the others. */
static bool read_fast(struct time_reader *r, const char *text, size_t len, struct moment *out)
{
    int hour, minute, second;
    if (len < 19 || len > 20 || (len == 20 && text[19] != 'Z') ||
        (text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':')
        return false;
    if (!r->day_known || memcmp(text, r->day_text, sizeof(r->day_text)) != 0) {
        int century, year, month, day;
        if (!two_digits(text, &century) || !two_digits(text + 2, &year) || text[4] != '-' ||
            !two_digits(text + 5, &month) || text[7] != '-' || !two_digits(text + 8, &day) ||
            !time_of_day(century * 100 + year, month, day, &r->day_s))
            return false;
        memcpy(r->day_text, text, sizeof(r->day_text));
        r->day_known = true;
    }
    if (!two_digits(text + 11, &hour) || !two_digits(text + 14, &minute) ||
        !two_digits(text + 17, &second) || hour > 23 || minute > 59 || second > 59)
        return false;
    *out = (struct moment){r->day_s + hour * 3600 + minute * 60 + second, 0, len == 20};
    return true;
}

void time_reader_init(struct time_reader *reader, const struct time_format *format)
{
    *reader = (struct time_reader){.format = *format};
}

const char *time_read(struct time_reader *r, const char *text, size_t len, struct moment *out)
{
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    if (len == 0)
        return "is missing";
    switch (r->format.kind) {
    case TIME_EPOCH:
        return read_epoch(r->format.unit_ns, text, len, out);
    case TIME_PATTERN:
        return read_pattern(r->format.pattern, text, len, out);
    default:
        return read_fast(r, text, len, out) ? NULL : read_auto(&r->format, text, len, out);
    }
}

static const struct {
    const char *name;
    struct time_format format;
} formats[] = {
    {"auto", {.kind = TIME_AUTO}},
    {"dmy", {.kind = TIME_AUTO, .order = DATE_DAY_FIRST}},
    {"mdy", {.kind = TIME_AUTO, .order = DATE_MONTH_FIRST}},
    {"s", {.kind = TIME_EPOCH, .unit_ns = 1000000000}},
    {"ms", {.kind = TIME_EPOCH, .unit_ns = 1000000}},
    {"us", {.kind = TIME_EPOCH, .unit_ns = 1000}},
    {"ns", {.kind = TIME_EPOCH, .unit_ns = 1}},
};

bool time_format_parse(const char *spec, struct time_format *format, char *error,
                       size_t error_bytes)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(spec, formats[i].name) == 0) {
            *format = formats[i].format;
            return true;
        }
    }
    *format = (struct time_format){.kind = TIME_PATTERN};
    if (strchr(spec, '%') == NULL || strlen(spec) >= TIME_PATTERN_MAX) {
        snprintf(error, error_bytes,
                 "'%s' is no time format: auto, dmy, mdy, s, ms, us, ns or a pattern such as "
                 "%%d/%%m/%%Y %%H:%%M",
                 spec);
        return false;
    }
    for (const char *at = strchr(spec, '%'); at != NULL; at = strchr(at + 2, '%')) {
        if (at[1] == '\0' || strchr("YymbdejHIMSfpzsFTRD%", at[1]) == NULL) {
            snprintf(error, error_bytes, "'%%%.1s' in '%s' is not known", at + 1, spec);
            return false;
        }
    }
    memcpy(format->pattern, spec, strlen(spec) + 1);
    return true;
}

const char *time_format_name(const struct time_format *format)
{
    if (format->kind == TIME_PATTERN)
        return format->pattern;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const struct time_format *known = &formats[i].format;
        if (known->kind == format->kind && known->order == format->order &&
            known->unit_ns == format->unit_ns)
            return formats[i].name;
    }
    return "auto";
}

/* ---- guessing ---- */

/** The unit of an epoch with so many digits: seconds from 2001 on have ten. */
static int64_t unit_of_digits(size_t digits)
{
    static const struct {
        size_t digits;
        int64_t unit_ns;
    } units[] = {{10, 1000000000}, {13, 1000000}, {16, 1000}, {19, 1}};
    for (size_t i = 0; i < 4; i++) {
        if (units[i].digits == digits || (i == 0 && digits == 9))
            return units[i].unit_ns;
    }
    return 0;
}

static int64_t epoch_unit(const struct time_sample *sample)
{
    size_t digits = 0;
    while (digits < sample->len && isdigit((unsigned char)sample->text[digits]))
        digits++;
    return digits == sample->len || sample->text[digits] == '.' ? unit_of_digits(digits) : 0;
}

/** How many of the samples are times of this format. */
static size_t count_read(const struct time_sample *samples, size_t n, struct time_format format)
{
    struct time_reader reader;
    struct moment moment;
    size_t read = 0;
    time_reader_init(&reader, &format);
    for (size_t i = 0; i < n; i++)
        read += time_read(&reader, samples[i].text, samples[i].len, &moment) == NULL;
    return read;
}

static bool is_most(size_t read, size_t n)
{
    return read > 0 && read >= n - n / 5;
}

bool time_guess(const struct time_sample *samples, size_t n, struct time_format *format,
                bool *needs_order)
{
    *needs_order = false;
    int64_t unit_ns = n > 0 ? epoch_unit(&samples[0]) : 0;
    size_t alike = 0;
    for (size_t i = 0; i < n && unit_ns != 0; i++)
        alike += epoch_unit(&samples[i]) == unit_ns;
    *format = (struct time_format){.kind = TIME_EPOCH, .unit_ns = unit_ns};
    if (is_most(alike, n))
        return true;
    *format = (struct time_format){.kind = TIME_AUTO};
    if (is_most(count_read(samples, n, *format), n))
        return true;
    struct time_format day = {.kind = TIME_AUTO, .order = DATE_DAY_FIRST};
    struct time_format month = {.kind = TIME_AUTO, .order = DATE_MONTH_FIRST};
    size_t day_read = count_read(samples, n, day), month_read = count_read(samples, n, month);
    *needs_order = day_read == month_read && is_most(day_read, n);
    if (day_read != month_read)
        *format = day_read > month_read ? day : month;
    return is_most(day_read > month_read ? day_read : month_read, n);
}
