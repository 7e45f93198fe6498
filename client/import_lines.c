#include "client/import_lines.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BUFFER_BYTES (2 * LINES_MAX_BYTES)

struct lines_reader {
    csv_read_fn *read;
    void *context;
    bool at_end, failed, in_ddl;
    size_t at, filled;
    uint64_t line;
    char *buffer;
};

struct lines_reader *lines_create(csv_read_fn *read, void *context)
{
    struct lines_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->buffer = malloc(BUFFER_BYTES);
    r->read = read;
    r->context = context;
    r->line = 1;
    if (r->buffer == NULL)
        lines_destroy(&r);
    return r;
}

void lines_destroy(struct lines_reader **reader)
{
    struct lines_reader *r = *reader;
    if (r == NULL)
        return;
    free(r->buffer);
    free(r);
    *reader = NULL;
}

/** Move what is left to the front and read until there are `wanted` bytes or the end. */
static void fill(struct lines_reader *r, size_t wanted)
{
    memmove(r->buffer, r->buffer + r->at, r->filled - r->at);
    r->filled -= r->at;
    r->at = 0;
    while (r->filled < wanted && !r->at_end) {
        ssize_t n = r->read(r->context, r->buffer + r->filled, BUFFER_BYTES - r->filled);
        r->failed = n < 0;
        r->at_end = n <= 0;
        r->filled += n > 0 ? (size_t)n : 0;
    }
}

/** A point's parts as far as its end depends on them. */
struct shape {
    const char *end; /* its newline, or NULL: none */
    bool open_quote, has_time;
    uint64_t newlines; /* inside strings */
};

/** Over measurement and tags to the blank behind them, or to the line's end. A backslash before
 * another one is text here. */
static const char *skip_key(const char *at, const char *end)
{
    while (at < end && *at != ' ' && *at != '\n')
        at += *at == '\\' && at + 1 < end && at[1] == ' ' ? 2 : 1;
    return at;
}

/** Over a string to what follows its closing quote. */
static const char *skip_string(const char *at, const char *end, struct shape *shape)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        shape->newlines += *at == '\n';
    }
    shape->open_quote = at == end;
    return at < end ? at + 1 : end;
}

static struct shape shape_of(const char *from, const char *end)
{
    struct shape shape = {0};
    const char *at = skip_key(from, end);
    while (at < end && *at == ' ')
        at++;
    bool is_value = false; /* behind an equals sign that is not escaped */
    while (at < end && *at != ' ' && *at != '\n') {
        if (*at == '"' && is_value) {
            at = skip_string(at, end, &shape);
            is_value = false;
            continue;
        }
        is_value = *at == '=';
        at += *at == '\\' && at + 1 < end && at[1] != '\n' ? 2 : 1;
    }
    for (; at < end && *at != '\n'; at++)
        shape.has_time = shape.has_time || (*at >= '0' && *at <= '9');
    shape.end = at < end ? at : NULL;
    return shape;
}

static void take(struct lines_reader *r, const char *newline, struct lines_record *record)
{
    const char *from = r->buffer + r->at;
    size_t len = newline == NULL ? r->filled - r->at : (size_t)(newline - from);
    record->text = from;
    record->len = len > 0 && from[len - 1] == '\r' ? len - 1 : len;
    record->line = r->line;
    r->at += len + (newline != NULL);
}

static bool is_context(const struct lines_record *record, const char *name,
                       struct lines_record *value)
{
    size_t n = strlen(name);
    if (record->len < n || strncasecmp(record->text, name, n) != 0)
        return false;
    *value = *record;
    for (value->text += n, value->len -= n; value->len > 0 && *value->text == ' '; value->text++)
        value->len--;
    return value->len > 0;
}

/** A comment's meaning; LINES_END for none. */
static enum lines_kind comment_kind(struct lines_reader *r, struct lines_record *record)
{
    struct lines_record value;
    if (is_context(record, "# CONTEXT-DATABASE:", &value)) {
        *record = value;
        return LINES_DATABASE;
    }
    if (is_context(record, "# CONTEXT-RETENTION-POLICY:", &value)) {
        *record = value;
        return LINES_POLICY;
    }
    if (record->len >= 5 && strncmp(record->text, "# DDL", 5) == 0)
        r->in_ddl = true;
    if (record->len >= 5 && strncmp(record->text, "# DML", 5) == 0)
        r->in_ddl = false;
    return LINES_END;
}

/** The line alone is refused; what cannot be held of it is passed over. */
static enum lines_kind take_bad(struct lines_reader *r, struct lines_record *record,
                                const char *reason)
{
    const char *from = r->buffer + r->at;
    const char *newline = memchr(from, '\n', r->filled - r->at);
    take(r, newline, record);
    record->reason = reason;
    r->line++;
    if (newline != NULL || r->at_end)
        return LINES_BAD;
    record->len = record->len > 256 ? 256 : record->len;
    static _Thread_local char kept[256];
    memcpy(kept, record->text, record->len);
    record->text = kept;
    for (const char *found = NULL; found == NULL && !(r->at_end && r->at == r->filled);) {
        fill(r, 1);
        found = memchr(r->buffer, '\n', r->filled);
        r->at = found == NULL ? r->filled : (size_t)(found - r->buffer) + 1;
    }
    return LINES_BAD;
}

static enum lines_kind next_point(struct lines_reader *r, struct lines_record *record)
{
    struct shape shape = shape_of(r->buffer + r->at, r->buffer + r->filled);
    if (shape.end == NULL && !r->at_end) {
        fill(r, LINES_MAX_BYTES);
        shape = shape_of(r->buffer + r->at, r->buffer + r->filled);
    }
    if (r->failed && shape.end == NULL)
        return LINES_ERROR; /* what is left may be half a line */
    const char *end = shape.end == NULL ? r->buffer + r->filled : shape.end;
    if ((size_t)(end - (r->buffer + r->at)) > LINES_MAX_BYTES || (shape.end == NULL && !r->at_end))
        return take_bad(r, record, "the line is longer than 1 MiB, or a quote is not closed");
    if (shape.open_quote)
        return take_bad(r, record, "a quote is not closed");
    if (!shape.has_time)
        return take_bad(r, record, "has no timestamp: sent again, it would be another reading");
    take(r, shape.end, record);
    r->line += shape.newlines + 1;
    return LINES_POINT;
}

enum lines_kind lines_next(struct lines_reader *r, struct lines_record *record)
{
    *record = (struct lines_record){0};
    for (;;) {
        const char *newline = memchr(r->buffer + r->at, '\n', r->filled - r->at);
        if (newline == NULL && !r->at_end) {
            fill(r, LINES_MAX_BYTES);
            newline = memchr(r->buffer, '\n', r->filled);
        }
        if (r->at == r->filled)
            return r->failed ? LINES_ERROR : LINES_END;
        const char *at = r->buffer + r->at, *end = r->buffer + r->filled;
        while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
            at++;
        bool empty = at == end || *at == '\n';
        if (!empty && *at != '#' && !r->in_ddl)
            return next_point(r, record);
        if (newline == NULL && r->failed)
            return LINES_ERROR;
        take(r, newline, record);
        r->line++;
        if (!empty && *at != '#')
            return LINES_STATEMENT;
        enum lines_kind kind = empty ? LINES_END : comment_kind(r, record);
        if (kind != LINES_END)
            return kind;
    }
}
