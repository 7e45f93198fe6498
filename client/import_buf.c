#include "client/import_buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256

bool import_buf_room(struct import_buf *b, size_t n)
{
    if (n <= b->cap - b->len)
        return true;
    if (b->failed || n > SIZE_MAX / 4 - b->len) {
        b->failed = true;
        return false;
    }
    size_t cap = b->cap == 0 ? FIRST_BYTES : b->cap;
    while (cap - b->len < n)
        cap *= 2;
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void import_buf_add(struct import_buf *b, const void *bytes, size_t n)
{
    if (n == 0 || !import_buf_room(b, n))
        return;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
}

void import_buf_add_char(struct import_buf *b, char c)
{
    if (import_buf_room(b, 1))
        b->data[b->len++] = c;
}

void import_buf_add_text(struct import_buf *b, const char *text)
{
    import_buf_add(b, text, strlen(text));
}

void import_buf_printf(struct import_buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n >= 0 && import_buf_room(b, (size_t)n + 1)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void import_buf_add_int(struct import_buf *b, int64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        import_buf_add_char(b, '-');
    import_buf_add(b, digits + at, sizeof(digits) - at);
}

const char *import_buf_text(struct import_buf *b)
{
    if (!import_buf_room(b, 1))
        return "";
    b->data[b->len] = '\0';
    return b->data;
}

void import_buf_fini(struct import_buf *b)
{
    free(b->data);
    *b = (struct import_buf){0};
}
