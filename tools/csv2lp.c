/*
 * csv2lp: turn CSV readings into line protocol, in seconds.
 *
 *     csv2lp [-m MEASUREMENT] [-t TAG=VALUE]... < readings.csv > readings.lp
 *
 * The first line is exactly `device_id,timestamp,value`. Each further line becomes
 * `reading,device_id=X value=V T`; the value's digits are passed on as they stand. Whatever is not
 * exactly so ends the run with the line and the column at fault: half-understood readings are worse
 * than none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER   "device_id,timestamp,value"
#define COLUMNS  3
#define TAGS_MAX 8

static const char *const column_names[COLUMNS] = {"device_id", "timestamp", "value"};

struct options {
    const char *measurement;
    const char *tag_keys[TAGS_MAX];
    const char *tag_values[TAGS_MAX];
    unsigned tag_count;
};

struct row {
    uint64_t line; /* from 1 */
    const char *column[COLUMNS];
};

/** Report a fault of column 0..COLUMNS-1, or of the whole line if `column` is negative, and end. */
__attribute__((noreturn, format(printf, 3, 4))) static void refuse(uint64_t line, int column,
                                                                   const char *fmt, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "csv2lp: line %" PRIu64, line);
    if (column >= 0) {
        fprintf(stderr, ", column %d (%s)", column + 1, column_names[column]);
    }
    fputs(": ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

/** A tag key, tag value or measurement with line protocol's escapes. */
static void put_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == ',' || *text == '=' || *text == ' ') {
            putchar('\\');
        }
        putchar(*text);
    }
}

/** Exactly `digits` decimal digits at *at, which moves on; -1 if they are not there. */
static int take_digits(const char **at, int digits)
{
    int value = 0;

    for (int i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return -1;
        }
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool take_char(const char **at, char c)
{
    if (**at != c) {
        return false;
    }
    (*at)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/** Days since 1970-01-01 of a date in the Gregorian calendar, year 1 or later. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t before = year - 1;
    int64_t days = before * 365 + before / 4 - before / 100 + before / 400;

    for (int m = 1; m < month; m++) {
        days += days_in_month(year, m);
    }
    return days + day - 1 - 719162; /* days from 0001-01-01 to 1970-01-01 */
}

/** Seconds since 1970 of YYYY-MM-DDThh:mm:ssZ. Returns false if it is anything else. */
static bool parse_time(const char *text, int64_t *time_s)
{
    const char *at = text;
    int year = take_digits(&at, 4);
    bool ok = year > 0 && take_char(&at, '-');
    int month = ok ? take_digits(&at, 2) : -1;
    ok = month >= 1 && month <= 12 && take_char(&at, '-');
    int day = ok ? take_digits(&at, 2) : -1;
    ok = ok && day >= 1 && day <= days_in_month(year, month) && take_char(&at, 'T');
    int hour = ok ? take_digits(&at, 2) : -1;
    ok = hour >= 0 && hour <= 23 && take_char(&at, ':');
    int minute = ok ? take_digits(&at, 2) : -1;
    ok = minute >= 0 && minute <= 59 && take_char(&at, ':');
    int second = ok ? take_digits(&at, 2) : -1;
    ok = second >= 0 && second <= 59 && take_char(&at, 'Z') && *at == '\0';

    *time_s = 0;
    if (ok) {
        *time_s = days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    }
    return ok;
}

static const char *skip_digits(const char *at)
{
    return at + strspn(at, "0123456789");
}

/** A finite decimal number: digits, a fraction and an exponent if it likes. */
static bool is_number(const char *text)
{
    const char *at = text + (*text == '-' || *text == '+');
    const char *whole = at;

    at = skip_digits(at);
    bool any = at > whole;
    if (take_char(&at, '.')) {
        const char *fraction = at;
        at = skip_digits(at);
        any = any || at > fraction;
    }
    if (any && (*at == 'e' || *at == 'E')) {
        at++;
        at += *at == '-' || *at == '+';
        const char *exponent = at;
        at = skip_digits(at);
        any = at > exponent;
    }
    return any && *at == '\0';
}

/** Cut a line, whose end is already off, at its commas. */
static void split(char *text, struct row *row)
{
    char *at = text;

    for (int i = 0; i < COLUMNS; i++) {
        char *comma = strchr(at, ',');
        row->column[i] = at;
        if (comma == NULL) {
            if (i < COLUMNS - 1) {
                refuse(row->line, i + 1, "missing");
            }
            return;
        }
        if (i == COLUMNS - 1) {
            refuse(row->line, -1, "more than %d columns", COLUMNS);
        }
        *comma = '\0';
        at = comma + 1;
    }
}

static void convert(const struct options *options, const struct row *row)
{
    const char *device = row->column[0];
    size_t device_len = strlen(device);
    int64_t time_s;

    if (device_len == 0) {
        refuse(row->line, 0, "empty");
    }
    if (strpbrk(device, "\"\\\t\r") != NULL) {
        refuse(row->line, 0, "'%s' holds a quote, backslash, tab or carriage return", device);
    }
    if (!parse_time(row->column[1], &time_s)) {
        refuse(row->line, 1, "'%s' is not a time as 2022-12-05T23:00:00Z", row->column[1]);
    }
    if (!is_number(row->column[2])) {
        refuse(row->line, 2, "'%s' is not a decimal number", row->column[2]);
    }
    put_escaped(options->measurement);
    fputs(",device_id=", stdout);
    put_escaped(device);
    for (unsigned i = 0; i < options->tag_count; i++) {
        putchar(',');
        put_escaped(options->tag_keys[i]);
        putchar('=');
        put_escaped(options->tag_values[i]);
    }
    printf(" value=%s %" PRId64 "\n", row->column[2], time_s);
}

/** Take the line's end off. Returns false if the line holds a zero byte. */
static bool trim(char *text, ssize_t len)
{
    if (len > 0 && text[len - 1] == '\n') {
        text[--len] = '\0';
    }
    return strlen(text) == (size_t)len;
}

static void usage(void)
{
    fputs("usage: csv2lp [-m MEASUREMENT] [-t TAG=VALUE]... < CSV > LINES\n", stderr);
    exit(2);
}

static void parse_options(int argc, char **argv, struct options *options)
{
    int c;

    *options = (struct options){.measurement = "reading"};
    while ((c = getopt(argc, argv, "m:t:")) != -1) {
        char *equals = optarg == NULL ? NULL : strchr(optarg, '=');
        if (c == 'm' && *optarg != '\0') {
            options->measurement = optarg;
        } else if (c == 't' && equals != NULL && equals != optarg && equals[1] != '\0' &&
                   options->tag_count < TAGS_MAX) {
            *equals = '\0';
            options->tag_keys[options->tag_count] = optarg;
            options->tag_values[options->tag_count++] = equals + 1;
        } else {
            usage();
        }
    }
    if (optind != argc) {
        usage();
    }
}

int main(int argc, char **argv)
{
    struct options options;
    struct row row = {.line = 0};
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;

    parse_options(argc, argv, &options);
    while ((len = getline(&text, &cap, stdin)) >= 0) {
        row.line++;
        if (!trim(text, len)) {
            refuse(row.line, -1, "holds a zero byte");
        }
        if (row.line == 1) {
            if (strcmp(text, HEADER) != 0) {
                refuse(row.line, -1, "'%s' is not the header '%s'", text, HEADER);
            }
            continue;
        }
        split(text, &row);
        convert(&options, &row);
    }
    free(text);
    if (row.line == 0) {
        refuse(1, -1, "no header '%s'", HEADER);
    }
    if (ferror(stdin) != 0 || fflush(stdout) != 0 || ferror(stdout) != 0) {
        fprintf(stderr, "csv2lp: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
