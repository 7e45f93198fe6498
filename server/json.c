#include "server/json.h"

#include <math.h>
#include <string.h>

#include "server/number.h"

#define INDENT_BYTES 4

void jsonw_init(struct json *j, struct buf *out, bool pretty)
{
    *j = (struct json){.out = out, .pretty = pretty, .first = true};
}

void jsonw_set_flush(struct json *j, size_t flush_bytes, int (*flush)(void *, struct buf *),
                     void *arg)
{
    j->flush_bytes = flush_bytes;
    j->flush = flush;
    j->flush_arg = arg;
}

static void put(struct json *j, const char *text, size_t n)
{
    if (j->err == 0)
        j->err = buf_put(j->out, text, n);
}

static void put_char(struct json *j, char c)
{
    put(j, &c, 1);
}

static void new_line(struct json *j)
{
    static const char spaces[] = "                                ";
    size_t n = (size_t)j->depth * INDENT_BYTES;
    put_char(j, '\n');
    while (n > 0) {
        size_t part = n < sizeof(spaces) - 1 ? n : sizeof(spaces) - 1;
        put(j, spaces, part);
        n -= part;
    }
}

/** What goes in front of a key, or of a value that has none. */
static void separate(struct json *j)
{
    if (!j->first)
        put_char(j, ',');
    j->first = false;
    if (j->pretty && j->depth > 0)
        new_line(j);
}

static void value_begin(struct json *j)
{
    if (j->after_key)
        j->after_key = false;
    else
        separate(j);
}

static void value_end(struct json *j)
{
    if (j->err == 0 && j->flush_bytes > 0 && j->out->len >= j->flush_bytes)
        j->err = j->flush(j->flush_arg, j->out);
}

static void open_bracket(struct json *j, char bracket)
{
    value_begin(j);
    put_char(j, bracket);
    j->depth++;
    j->first = true;
}

static void close_bracket(struct json *j, char bracket)
{
    j->depth--;
    if (j->pretty && !j->first)
        new_line(j);
    j->first = false;
    put_char(j, bracket);
    value_end(j);
}

void jsonw_object_begin(struct json *j)
{
    open_bracket(j, '{');
}

void jsonw_object_end(struct json *j)
{
    close_bracket(j, '}');
}

void jsonw_array_begin(struct json *j)
{
    open_bracket(j, '[');
}

void jsonw_array_end(struct json *j)
{
    close_bracket(j, ']');
}

void jsonw_key(struct json *j, const char *key)
{
    separate(j);
    put_char(j, '"');
    put(j, key, strlen(key));
    put(j, "\": ", j->pretty ? 3 : 2);
    j->after_key = true;
}

static void put_value(struct json *j, const char *text, size_t n)
{
    value_begin(j);
    put(j, text, n);
    value_end(j);
}

void jsonw_i64(struct json *j, int64_t v)
{
    char text[NUMBER_MAX_BYTES];
    put_value(j, text, number_i64(text, v));
}

void jsonw_u64(struct json *j, uint64_t v)
{
    char text[NUMBER_MAX_BYTES];
    put_value(j, text, number_u64(text, v));
}

void jsonw_double(struct json *j, double v)
{
    char text[NUMBER_MAX_BYTES];
    if (isfinite(v))
        put_value(j, text, number_double(text, v));
    else
        jsonw_null(j);
}

void jsonw_bool(struct json *j, bool v)
{
    put_value(j, v ? "true" : "false", v ? 4 : 5);
}

void jsonw_null(struct json *j)
{
    put_value(j, "null", 4);
}

void jsonw_plain_string(struct json *j, const char *text, size_t n)
{
    value_begin(j);
    put_char(j, '"');
    put(j, text, n);
    put_char(j, '"');
    value_end(j);
}

size_t json_utf8_length(const unsigned char *s, size_t n)
{
    unsigned char c = s[0];
    size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
        (c == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static void put_escaped(struct json *j, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    switch (c) {
    case '"':
    case '\\':
        text[1] = (char)c;
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\r':
        text[1] = 'r';
        break;
    case '\t':
        text[1] = 't';
        break;
    default:
        break;
    }
    put(j, text, text[1] == 'u' ? 6 : 2);
}

/** One sequence at s that is not plain; returns its length. */
static size_t put_special(struct json *j, const unsigned char *s, size_t n)
{
    if (s[0] < 0x80) {
        put_escaped(j, s[0]);
        return 1;
    }
    size_t len = json_utf8_length(s, n);
    if (len == 0) {
        put(j, "\\ufffd", 6);
        return 1;
    }
    /* U+2028 and U+2029 end a line in JavaScript. */
    if (len == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] & 0xfe) == 0xa8)
        put(j, s[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
    else
        put(j, (const char *)s, len);
    return len;
}

void jsonw_string(struct json *j, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    value_begin(j);
    put_char(j, '"');
    size_t i = 0;
    while (i < n) {
        size_t start = i;
        while (i < n && is_plain(s[i]))
            i++;
        put(j, text + start, i - start);
        if (i < n)
            i += put_special(j, s + i, n - i);
    }
    put_char(j, '"');
    value_end(j);
}

void jsonw_cstring(struct json *j, const char *text)
{
    jsonw_string(j, text, strlen(text));
}

void jsonw_raw_members(struct json *j, const char *text, size_t n)
{
    if (n == 0)
        return;
    if (!j->first)
        put_char(j, ',');
    j->first = false;
    put(j, text, n);
    value_end(j);
}

void jsonw_newline(struct json *j)
{
    put_char(j, '\n');
    j->first = true;
}
