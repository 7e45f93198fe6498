#include "server/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY_MAX 70 /* RFC 2046 */

bool multipart_is(const char *content_type)
{
    static const char type[] = "multipart/form-data";
    return strncasecmp(content_type, type, sizeof(type) - 1) == 0;
}

/** The value of `key=` in a header: a token or a quoted string. 0: none. *at: where it begins. */
static size_t attribute(const char *text, const char *end, const char *key, const char **at)
{
    size_t n = strlen(key);
    for (const char *p = text; p < end; p++) {
        if (*p != ';')
            continue;
        const char *q = p + 1;
        while (q < end && (*q == ' ' || *q == '\t'))
            q++;
        if ((size_t)(end - q) <= n || strncasecmp(q, key, n) != 0 || q[n] != '=')
            continue;
        q += n + 1;
        bool quoted = q < end && *q == '"';
        q += quoted;
        *at = q;
        while (q < end && (quoted ? *q != '"' : *q != ';' && *q != ' '))
            q++;
        return (size_t)(q - *at);
    }
    return 0;
}

/** Whether the part whose head this is has that name. */
static bool has_name(const char *head, const char *end, const char *name)
{
    static const char field[] = "Content-Disposition:";
    while (head < end) {
        const char *line = head;
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline == NULL ? end : newline;
        head = newline == NULL ? end : newline + 1;
        if (stop > line && stop[-1] == '\r')
            stop--;
        if ((size_t)(stop - line) < sizeof(field) ||
            strncasecmp(line, field, sizeof(field) - 1) != 0)
            continue;
        const char *at = NULL;
        size_t n = attribute(line, stop, "name", &at);
        return at != NULL && n == strlen(name) && memcmp(at, name, n) == 0;
    }
    return false;
}

static int copy(const char *text, size_t n, struct buf *value)
{
    if (memchr(text, '\0', n) != NULL)
        return BB_EPARSE;
    value->len = 0;
    int rc = buf_put(value, text, n);
    if (rc == BB_OK)
        rc = buf_put(value, "", 1);
    value->len -= rc == BB_OK;
    return rc;
}

int multipart_get(const char *content_type, const char *body, size_t n, const char *name,
                  struct buf *value)
{
    char mark[BOUNDARY_MAX + 8];
    const char *boundary = NULL;
    size_t length = attribute(content_type, content_type + strlen(content_type), "boundary",
                              &boundary);
    if (length > BOUNDARY_MAX)
        return BB_EPARSE;
    if (length == 0) { /* InfluxDB takes it for no form */
        int empty = copy("", 0, value);
        return empty != BB_OK ? empty : BB_ENOTFOUND;
    }
    size_t mark_length = (size_t)snprintf(mark, sizeof(mark), "\r\n--%.*s", (int)length, boundary);
    /* The first mark has no line break before it where nothing precedes it. */
    const char *end = n == 0 ? body : body + n; /* of nothing there is no text */
    const char *p = n >= mark_length - 2 && memcmp(body, mark + 2, mark_length - 2) == 0
                        ? body + mark_length - 2
                        : NULL;
    if (p == NULL && n > 0) {
        p = memmem(body, n, mark, mark_length);
        p = p == NULL ? NULL : p + mark_length;
    }
    while (p != NULL && end - p >= 2 && memcmp(p, "--", 2) != 0) {
        const char *stop = memmem(p, (size_t)(end - p), mark, mark_length);
        const char *text = memmem(p, (size_t)(end - p), "\r\n\r\n", 4);
        if (stop == NULL || text == NULL || text + 2 > stop)
            return BB_EPARSE;
        const char *from = text + 4 > stop ? stop : text + 4;
        if (has_name(p, text, name))
            return copy(from, (size_t)(stop - from), value);
        p = stop + mark_length;
    }
    int rc = copy("", 0, value);
    return rc != BB_OK ? rc : p == NULL ? BB_EPARSE : BB_ENOTFOUND;
}
