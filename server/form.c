#include "server/form.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/** One byte of the text at p, which is before end; *used: how long it was there. -1: bad. */
static int decode_byte(const char *p, const char *end, size_t *used)
{
    *used = 1;
    if (*p == '+')
        return ' ';
    if (*p != '%')
        return (unsigned char)*p;
    *used = 3;
    if (end - p < 3)
        return -1;
    int high = hex_digit(p[1]);
    int low = hex_digit(p[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool name_is(const char *p, const char *end, const char *name)
{
    size_t used;
    for (; p < end; p += used, name++) {
        int c = decode_byte(p, end, &used);
        if (c <= 0 || c != (unsigned char)*name)
            return false;
    }
    return *name == '\0';
}

static int decode(const char *p, const char *end, struct buf *value)
{
    int rc = buf_reserve(value, (size_t)(end - p) + 1);
    if (rc != BB_OK)
        return rc;
    for (size_t used; p < end; p += used) {
        int c = decode_byte(p, end, &used);
        if (c <= 0)
            return BB_EPARSE;
        value->data[value->len++] = (char)c;
    }
    value->data[value->len] = '\0';
    return BB_OK;
}

int form_get(const char *text, size_t n, const char *name, struct buf *value)
{
    const char *end = n == 0 ? text : text + n; /* of nothing there is no text */
    for (const char *p = text; p < end;) {
        if (*p == '&') {
            p++; /* nothing, and maybe much of it */
            continue;
        }
        const char *next = memchr(p, '&', (size_t)(end - p));
        if (next == NULL)
            next = end;
        const char *equals = memchr(p, '=', (size_t)(next - p));
        if (name_is(p, equals == NULL ? next : equals, name)) {
            value->len = 0;
            return decode(equals == NULL ? next : equals + 1, next, value);
        }
        p = next == end ? end : next + 1;
    }
    value->len = 0;
    int rc = buf_put(value, "", 1);
    value->len = 0;
    return rc != BB_OK ? rc : BB_ENOTFOUND;
}
