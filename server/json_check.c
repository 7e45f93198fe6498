#include "server/json_check.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX       1000
#define NUMBER_TEXT_MAX 64

struct reader {
    const char *p, *end;
    struct json_check *check;
};

/** The character as Go quotes it. */
static void quote(unsigned char c, char out[16])
{
    static const char escapes[] = "\a\b\f\n\r\t\v\\";
    static const char letters[] = "abfnrtv\\";
    const char *found = c == 0 ? NULL : strchr(escapes, c);
    if (c == '\'')
        strcpy(out, "'\\''");
    else if (found != NULL)
        snprintf(out, 16, "'\\%c'", letters[found - escapes]);
    else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad)
        snprintf(out, 16, "'\\x%02x'", c);
    else if (c < 0x80)
        snprintf(out, 16, "'%c'", c);
    else
        snprintf(out, 16, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
}

/** False, with what stands at p as not fit for this place. */
static bool wrong(struct reader *r, const char *where)
{
    char c[16];
    if (r->p == r->end) {
        strcpy(r->check->why, "unexpected EOF");
        return false;
    }
    quote((unsigned char)*r->p, c);
    snprintf(r->check->why, JSON_CHECK_TEXT_MAX, "invalid character %s %s", c, where);
    return false;
}

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && strchr(" \t\r\n", *r->p) != NULL && *r->p != '\0')
        r->p++;
}

static bool is_digit(const struct reader *r)
{
    return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

static bool is_hex(const struct reader *r)
{
    return is_digit(r) ||
           (r->p < r->end && ((*r->p >= 'a' && *r->p <= 'f') || (*r->p >= 'A' && *r->p <= 'F')));
}

static bool read_escape(struct reader *r)
{
    if (r->p == r->end || *r->p == '\0' || strchr("bfnrt\\/\"u", *r->p) == NULL)
        return wrong(r, "in string escape code");
    bool unicode = *r->p++ == 'u';
    for (int i = 0; unicode && i < 4; i++, r->p++)
        if (!is_hex(r))
            return wrong(r, "in \\u hexadecimal character escape");
    return true;
}

/** Behind the first quote. */
static bool read_string(struct reader *r)
{
    while (r->p < r->end && *r->p != '"') {
        if ((unsigned char)*r->p < 0x20)
            return wrong(r, "in string literal");
        if (*r->p++ == '\\' && !read_escape(r))
            return false;
    }
    if (r->p == r->end)
        return wrong(r, "");
    r->p++;
    return true;
}

static bool read_word(struct reader *r, const char *word)
{
    char where[64];
    for (const char *w = word; *w != '\0'; w++, r->p++) {
        if (r->p < r->end && *r->p == *w)
            continue;
        snprintf(where, sizeof(where), "in literal %s (expecting '%c')", word, *w);
        return wrong(r, where);
    }
    return true;
}

/** Whether a member of the object at the top can be a parameter. */
static void check_number(struct reader *r, const char *start)
{
    char text[NUMBER_TEXT_MAX + 1];
    size_t n = (size_t)(r->p - start);
    char *end;
    snprintf(text, sizeof(text), "%.*s", (int)(n < NUMBER_TEXT_MAX ? n : NUMBER_TEXT_MAX), start);
    bool point = memchr(start, '.', n) != NULL;
    const char *why = NULL;
    errno = 0;
    if (point)
        why = isinf(strtod(text, NULL)) ? "value out of range" : NULL;
    else if (strtoll(text, &end, 10), *end != '\0')
        why = "invalid syntax";
    else if (errno == ERANGE)
        why = "value out of range";
    if (why != NULL && r->check->number[0] == '\0')
        snprintf(r->check->number, JSON_CHECK_TEXT_MAX, "strconv.Parse%s: parsing \"%s\": %s",
                 point ? "Float" : "Int", text, why);
}

static bool read_number(struct reader *r)
{
    if (*r->p == '-')
        r->p++;
    if (!is_digit(r))
        return wrong(r, "in numeric literal");
    if (*r->p++ != '0')
        while (is_digit(r))
            r->p++;
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (!is_digit(r))
            return wrong(r, "after decimal point in numeric literal");
        while (is_digit(r))
            r->p++;
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        if (!is_digit(r))
            return wrong(r, "in exponent of numeric literal");
        while (is_digit(r))
            r->p++;
    }
    return true;
}

/** A value that holds no others. member: of the object at the top. */
static bool read_scalar(struct reader *r, bool member)
{
    const char *start = r->p;
    char c = r->p == r->end ? '\0' : *r->p;
    if (c == '"') {
        r->p++;
        return read_string(r);
    }
    if (c == 't')
        return read_word(r, "true");
    if (c == 'f')
        return read_word(r, "false");
    if (c == 'n')
        return read_word(r, "null");
    if (c != '-' && !is_digit(r))
        return wrong(r, "looking for beginning of value");
    if (!read_number(r))
        return false;
    if (member)
        check_number(r, start);
    return true;
}

/** The key of a member and its colon. */
static bool read_key(struct reader *r)
{
    skip_blanks(r);
    if (r->p == r->end || *r->p != '"')
        return wrong(r, "looking for beginning of object key string");
    r->p++;
    if (!read_string(r))
        return false;
    skip_blanks(r);
    if (r->p == r->end || *r->p != ':')
        return wrong(r, "after object key");
    r->p++;
    return true;
}

/** Behind an opening bracket: whether the closing one follows at once. */
static bool take_empty(struct reader *r, char closing)
{
    skip_blanks(r);
    bool empty = r->p < r->end && *r->p == closing;
    r->p += empty;
    return empty;
}

/** Close what ends behind a value, *depth: what stays open. False: wrong, or all is closed. */
static bool go_on(struct reader *r, const bool objects[DEPTH_MAX], size_t *depth)
{
    while (*depth > 0) {
        bool object = objects[*depth - 1];
        skip_blanks(r);
        char c = r->p == r->end ? '\0' : *r->p;
        if (c == ',') {
            r->p++;
            return !object || read_key(r);
        }
        if (c != (object ? '}' : ']'))
            return wrong(r, object ? "after object key:value pair" : "after array element");
        r->p++;
        --*depth;
    }
    return false;
}

static void read_value(struct reader *r)
{
    bool objects[DEPTH_MAX];
    size_t depth = 0;
    for (;;) {
        skip_blanks(r);
        char c = r->p == r->end ? '\0' : *r->p;
        if (c != '{' && c != '[') {
            if (!read_scalar(r, depth == 1 && objects[0]) || !go_on(r, objects, &depth))
                return;
            continue;
        }
        if (depth == DEPTH_MAX) {
            strcpy(r->check->why, "exceeded max depth");
            return;
        }
        r->p++;
        if (take_empty(r, c == '{' ? '}' : ']')) {
            if (!go_on(r, objects, &depth))
                return;
            continue;
        }
        objects[depth++] = c == '{';
        if (c == '{' && !read_key(r))
            return;
    }
}

void json_check(const char *text, size_t n, struct json_check *check)
{
    struct reader r = {.p = text, .end = text + n, .check = check};
    *check = (struct json_check){.end = 0};
    skip_blanks(&r);
    if (r.p == r.end) {
        strcpy(check->why, "EOF");
        return;
    }
    check->kind = *r.p;
    read_value(&r);
    check->end = (size_t)(r.p - text);
}
