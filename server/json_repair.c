#include "server/json_repair.h"

#include <string.h>

#include "server/json.h"

#define ESCAPE_BYTES   6 /* of \ud800 */
#define MARK_UTF8      "\xef\xbf\xbd"
#define MARK_AS_ESCAPE "\\ufffd"

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/** The unit that an escape of [n] bytes or more stands for; 0: it is of another kind. */
static unsigned unit_at(const char *s, size_t n)
{
    unsigned unit = 0;
    if (n < ESCAPE_BYTES || s[0] != '\\' || s[1] != 'u')
        return 0;
    for (int i = 2; i < ESCAPE_BYTES; i++)
        unit = unit << 4 | hex_digit(s[i]);
    return unit;
}

static bool is_high(unsigned unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(unsigned unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Bytes from s on that may stay as they are; 0: *mark takes the place of *length bytes. */
static size_t sound_bytes(const char *s, size_t n, const char **mark, size_t *length)
{
    if (s[0] != '\\') {
        *mark = MARK_UTF8;
        *length = 1;
        return json_utf8_length((const unsigned char *)s, n);
    }
    unsigned unit = unit_at(s, n);
    if (unit == 0)
        return n < 2 ? n : 2;
    if (is_high(unit) && is_low(unit_at(s + ESCAPE_BYTES, n - ESCAPE_BYTES)))
        return (size_t)2 * ESCAPE_BYTES;
    *mark = MARK_AS_ESCAPE;
    *length = ESCAPE_BYTES;
    return is_high(unit) || is_low(unit) ? 0 : ESCAPE_BYTES;
}

int json_repair(const char *text, size_t n, struct buf *out)
{
    int rc = BB_OK;
    size_t from = 0;
    for (size_t at = 0; rc == BB_OK && at < n;) {
        const char *mark;
        size_t length;
        size_t sound = sound_bytes(text + at, n - at, &mark, &length);
        if (sound > 0) {
            at += sound;
            continue;
        }
        rc = buf_put(out, text + from, at - from);
        rc = rc == BB_OK ? buf_put(out, mark, strlen(mark)) : rc;
        at += length;
        from = at;
    }
    return rc == BB_OK ? buf_put(out, text + from, n - from) : rc;
}
