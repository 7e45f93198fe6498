/*
 * The buffer holds a stretch of the input; a row is looked for from its first byte, and when the
 * buffer ends before the row does, the row moves to the front, the rest is read and the row is
 * scanned once more. Fields point into the buffer; those with doubled quotes are unfolded into
 * `unquoted`, so that the row's own bytes stay as they are for a rejects file.
 */
#include "client/csv.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (2 * CSV_ROW_MAX)

enum byte_class {
    PLAIN,
    DELIMITER,
    NEWLINE,
    ZERO
};

struct csv_reader {
    csv_read_fn *read;
    void *context;
    char delimiter, comment;
    bool at_end, failed, started;
    unsigned char class[256];
    char *buffer, *unquoted;
    size_t at, filled; /* of buffer */
    size_t unquoted_len;
    uint64_t line, offset; /* of buffer[at] */
    struct csv_field *fields;
};

/** Where a scan stands. */
struct scan {
    const char *at, *end;
    unsigned count;
    uint64_t newlines; /* inside quotes */
    const char *reason;
    bool more; /* the buffer ended before the row */
};

void csv_set_format(struct csv_reader *r, char delimiter, char comment)
{
    r->delimiter = delimiter;
    r->comment = comment;
    memset(r->class, PLAIN, sizeof(r->class));
    r->class['\0'] = ZERO;
    r->class['\n'] = NEWLINE;
    r->class[(unsigned char)delimiter] = DELIMITER;
}

struct csv_reader *csv_create(const struct csv_options *options, csv_read_fn *read, void *context)
{
    struct csv_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->buffer = malloc(BUFFER_BYTES);
    r->unquoted = malloc(BUFFER_BYTES);
    r->fields = calloc(CSV_COLUMNS_MAX, sizeof(*r->fields));
    if (r->buffer == NULL || r->unquoted == NULL || r->fields == NULL) {
        csv_destroy(&r);
        return NULL;
    }
    r->read = read;
    r->context = context;
    r->line = options->first_line;
    r->offset = options->offset;
    csv_set_format(r, options->delimiter, options->comment);
    return r;
}

void csv_destroy(struct csv_reader **reader)
{
    struct csv_reader *r = *reader;
    if (r == NULL)
        return;
    free(r->buffer);
    free(r->unquoted);
    free(r->fields);
    free(r);
    *reader = NULL;
}

/** Move what is left to the front and read until there are `wanted` bytes or the end. */
static bool fill(struct csv_reader *r, size_t wanted)
{
    if (r->at > 0)
        memmove(r->buffer, r->buffer + r->at, r->filled - r->at);
    r->filled -= r->at;
    r->at = 0;
    while (r->filled < wanted && !r->at_end) {
        ssize_t n = r->read(r->context, r->buffer + r->filled, BUFFER_BYTES - r->filled);
        if (n < 0) {
            r->failed = r->at_end = true;
            return false;
        }
        r->at_end = n == 0;
        r->filled += (size_t)n;
    }
    return true;
}

/** Read the start; a byte order mark is no text. */
static void start(struct csv_reader *r)
{
    if (r->started)
        return;
    r->started = true;
    fill(r, CSV_ROW_MAX);
    if (r->offset == 0 && r->filled >= 3 && memcmp(r->buffer, "\xef\xbb\xbf", 3) == 0) {
        r->at = 3;
        r->offset = 3;
    }
}

const char *csv_peek(struct csv_reader *r, size_t *len)
{
    start(r);
    *len = r->filled - r->at;
    if (*len > CSV_ROW_MAX)
        *len = CSV_ROW_MAX;
    return r->failed && *len == 0 ? NULL : r->buffer + r->at;
}

static void put_field(struct csv_reader *r, struct scan *s, const char *text, size_t len,
                      bool quoted)
{
    if (s->count == CSV_COLUMNS_MAX) {
        s->reason = "too many columns";
        return;
    }
    r->fields[s->count++] = (struct csv_field){text, len, quoted};
}

/** A field in quotes: s->at stands behind its first quote, at its delimiter or line end after. */
static void scan_quoted(struct csv_reader *r, struct scan *s)
{
    const char *text = s->at;
    char *copy = r->unquoted + r->unquoted_len, *to = copy;
    bool copied = false;
    for (;;) {
        const char *quote = memchr(s->at, '"', (size_t)(s->end - s->at));
        if (quote == NULL) {
            s->more = true;
            return;
        }
        bool doubled = quote + 1 < s->end && quote[1] == '"';
        size_t n = (size_t)(quote - s->at) + doubled;
        for (const char *p = s->at; (p = memchr(p, '\n', (size_t)(quote - p))) != NULL; p++)
            s->newlines++;
        if (copied || doubled) {
            memcpy(to, s->at, n);
            to += n;
            copied = true;
        }
        s->at = quote + 1 + doubled;
        if (!doubled) {
            size_t len = copied ? (size_t)(to - copy) : (size_t)(quote - text);
            put_field(r, s, copied ? copy : text, len, true);
            r->unquoted_len += copied ? len : 0;
            return;
        }
    }
}

/** Behind a closing quote stands a delimiter or the line's end. */
static void skip_to_boundary(struct csv_reader *r, struct scan *s)
{
    const char *from = s->at;
    while (s->at < s->end && r->class[(unsigned char)*s->at] != DELIMITER && *s->at != '\n')
        s->at++;
    bool cr = s->at == from + 1 && *from == '\r' && (s->at == s->end || *s->at == '\n');
    if (s->at > from && !cr)
        s->reason = "text behind a closing quote";
}

/** One field; s->at is left at its delimiter, its line end or the buffer's end. */
static void scan_field(struct csv_reader *r, struct scan *s)
{
    if (s->at < s->end && *s->at == '"') {
        s->at++;
        scan_quoted(r, s);
        if (!s->more)
            skip_to_boundary(r, s);
        return;
    }
    const char *from = s->at, *at = from;
    while (at < s->end) {
        unsigned char class = r->class[(unsigned char)*at];
        if (class == DELIMITER || class == NEWLINE)
            break;
        if (class == ZERO)
            s->reason = "holds a zero byte";
        at++;
    }
    s->at = at;
    const char *to = at;
    if (to > from && to[-1] == '\r' && (at == s->end || *at == '\n'))
        to--;
    put_field(r, s, from, (size_t)(to - from), false);
}

/** Scan the row at r->at. s->at is left behind its last field. */
static void scan_row(struct csv_reader *r, struct scan *s)
{
    *s = (struct scan){.at = r->buffer + r->at, .end = r->buffer + r->filled};
    r->unquoted_len = 0;
    for (;;) {
        scan_field(r, s);
        if (s->more || s->at == s->end || *s->at == '\n')
            break;
        s->at++;
    }
    if (s->at == s->end)
        s->more = true;
}

/** The line at r->at alone is the row: a quote was not closed, or it is too long. */
static void take_bad_line(struct csv_reader *r, struct scan *s, const char *reason)
{
    s->at = r->buffer + r->at;
    const char *newline = memchr(s->at, '\n', (size_t)(s->end - s->at));
    s->at = newline == NULL ? s->end : newline;
    s->newlines = 0;
    s->reason = reason;
}

/** A line that is too long: its first bytes are handed out, the rest is passed over. */
static void skip_long_line(struct csv_reader *r)
{
    while (r->filled > r->at || !r->at_end) {
        char *newline = memchr(r->buffer + r->at, '\n', r->filled - r->at);
        size_t n = newline == NULL ? r->filled - r->at : (size_t)(newline - r->buffer) - r->at;
        r->at += n;
        r->offset += n;
        if (newline != NULL || !fill(r, 1))
            return;
    }
}

static void finish_row(struct csv_reader *r, struct scan *s, struct csv_row *row)
{
    const char *from = r->buffer + r->at;
    size_t len = (size_t)(s->at - from);
    bool newline = s->at < s->end;
    row->fields = r->fields;
    row->count = s->count;
    row->raw = from;
    row->raw_len = len > 0 && from[len - 1] == '\r' ? len - 1 : len;
    row->line = r->line;
    row->reason = s->reason;
    r->line += s->newlines + newline;
    r->offset += len + newline;
    r->at += len + newline;
    row->end = r->offset;
    row->end_line = r->line;
}

/** Pass over empty lines and comments. False at the end of what there is. */
static bool skip_lines(struct csv_reader *r)
{
    for (;;) {
        if (r->filled - r->at < 2 && !r->at_end && !fill(r, 2))
            return false;
        if (r->at == r->filled)
            return false;
        const char *at = r->buffer + r->at;
        size_t left = r->filled - r->at;
        bool empty = *at == '\n' || (*at == '\r' && (left == 1 || at[1] == '\n'));
        if (!empty && (r->comment == '\0' || *at != r->comment))
            return true;
        skip_long_line(r);
        if (r->at < r->filled) { /* the newline */
            r->at++;
            r->offset++;
        }
        r->line++;
    }
}

enum csv_result csv_next(struct csv_reader *r, struct csv_row *row)
{
    start(r);
    if (!skip_lines(r))
        return r->failed ? CSV_ERROR : CSV_END;
    struct scan s;
    scan_row(r, &s);
    if (s.more && !r->at_end && r->filled - r->at < CSV_ROW_MAX) {
        fill(r, CSV_ROW_MAX);
        scan_row(r, &s);
    }
    if (r->failed && s.at == s.end)
        return CSV_ERROR; /* what is left may be half a row */
    if ((size_t)(s.at - (r->buffer + r->at)) > CSV_ROW_MAX || (s.more && !r->at_end))
        take_bad_line(r, &s, "the row is longer than 1 MiB, or a quote is not closed");
    else if (s.more && s.at != s.end)
        take_bad_line(r, &s, "a quote is not closed");
    bool cut = s.reason != NULL && s.at == s.end && !r->at_end;
    finish_row(r, &s, row);
    if (!cut)
        return s.reason == NULL ? CSV_ROW : CSV_BAD;
    if (row->raw_len > 256)
        row->raw_len = 256;
    memcpy(r->unquoted, row->raw, row->raw_len);
    row->raw = r->unquoted;
    skip_long_line(r);
    if (r->at < r->filled) {
        r->at++;
        r->offset++;
        r->line++;
    }
    row->end = r->offset;
    row->end_line = r->line;
    return CSV_BAD;
}
