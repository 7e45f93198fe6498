#include "client/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_init(struct text *t, size_t max)
{
    *t = (struct text){.max = max};
}

void text_fini(struct text *t)
{
    free(t->data);
    *t = (struct text){.max = t->max};
}

void text_clear(struct text *t)
{
    t->len = 0;
    t->failed = false;
    if (t->data != NULL)
        t->data[0] = '\0';
}

const char *text_get(const struct text *t)
{
    return t->data != NULL ? t->data : "";
}

char *text_room(struct text *t, size_t n)
{
    if (t->failed)
        return NULL;
    if (n > t->max - t->len || t->max == SIZE_MAX) {
        t->failed = true;
        return NULL;
    }
    if (t->data == NULL || n > t->cap - t->len) {
        size_t cap = t->cap < 64 ? 64 : t->cap;
        while (cap - t->len < n)
            cap = cap > t->max / 2 ? t->max : cap * 2;
        char *data = realloc(t->data, cap + 1);
        if (data == NULL) {
            t->failed = true;
            return NULL;
        }
        t->data = data;
        t->cap = cap;
        t->data[t->len] = '\0';
    }
    return t->data + t->len;
}

void text_put(struct text *t, const void *data, size_t n)
{
    char *room = text_room(t, n);
    if (room == NULL)
        return;
    if (n > 0)
        memcpy(room, data, n);
    t->len += n;
    t->data[t->len] = '\0';
}

void text_puts(struct text *t, const char *s)
{
    text_put(t, s, strlen(s));
}

void text_putc(struct text *t, char c)
{
    text_put(t, &c, 1);
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *room = n < 0 ? NULL : text_room(t, (size_t)n);
    if (room == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(room, (size_t)n + 1, fmt, args);
    va_end(args);
    t->len += (size_t)n;
}

void text_put_escaped(struct text *t, const char *s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    while (*s != '\0') {
        size_t n = strspn(s, plain);
        text_put(t, s, n);
        s += n;
        if (*s != '\0')
            text_printf(t, "%%%02X", (unsigned)(unsigned char)*s++);
    }
}

char *text_take(struct text *t)
{
    char *data = t->data;
    *t = (struct text){.max = t->max};
    return data;
}
