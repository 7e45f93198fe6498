#include "server/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/** Behind a quoted string, or at the end if it is not closed. */
static const char *skip_quoted(const char *p, const char *end)
{
    char quote = *p++;
    for (; p < end && *p != quote; p++)
        if (*p == '\\' && end - p > 1)
            p++;
    return p < end ? p + 1 : end;
}

/** Behind a string or a word of any characters. */
static const char *skip_value(const char *p, const char *end)
{
    if (p < end && (*p == '\'' || *p == '"'))
        return skip_quoted(p, end);
    while (p < end && !is_blank(*p) && *p != ';')
        p++;
    return p;
}

static bool starts_word(const char *p, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - p) >= n && strncasecmp(p, word, n) == 0 &&
           ((size_t)(end - p) == n || !is_word(p[n]));
}

/** From behind PASSWORD to where the password stands; end: nowhere. */
static const char *find_value(const char *p, const char *end)
{
    p = skip_blanks(p, end);
    if (!starts_word(p, end, "FOR"))
        return p;
    for (p += 3; p < end && *p != '='; p++)
        if (*p == '"' || *p == '\'')
            p = skip_quoted(p, end) - 1;
    return p < end ? skip_blanks(p + 1, end) : end;
}

static bool is_url(const char *p, const char *end)
{
    return end - p > 3 && memcmp(p, "://", 3) == 0;
}

/** Of a URL from its // on: where the @ behind user and password is, or NULL. The next URL is
 * looked at for itself, so that a text of many costs no square. */
static const char *find_user_end(const char *p, const char *end)
{
    const char *at = NULL;
    for (; p < end && *p != '\'' && *p != '"' && !is_blank(*p) && !is_url(p, end); p++)
        if (*p == '@')
            at = p;
    return at;
}

/** Whether a secret is announced at p: it stands from *from to *to. */
static bool find_secret(const char *text, const char *p, const char *end, const char **from,
                        const char **to)
{
    if (is_url(p, end)) {
        *from = p + 3;
        *to = find_user_end(*from, end);
        return *to != NULL;
    }
    if (!starts_word(p, end, "PASSWORD") || (p > text && is_word(p[-1])))
        return false;
    *from = find_value(p + 8, end);
    *to = skip_value(*from, end);
    return *to != *from;
}

int redact(const char *text, size_t n, struct buf *out)
{
    const char *end = text + n;
    const char *done = text;
    const char *from, *to;
    int rc = BB_OK;
    for (const char *p = text; p < end && rc == BB_OK; p++) {
        if (!find_secret(text, p, end, &from, &to))
            continue;
        rc = buf_put(out, done, (size_t)(from - done));
        if (rc == BB_OK)
            rc = buf_printf(out, "[REDACTED]");
        done = to;
        p = to - 1;
    }
    return rc == BB_OK ? buf_put(out, done, (size_t)(end - done)) : rc;
}
