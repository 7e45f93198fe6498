/**
 * A growing text with a maximum, for the client library and the shell.
 *
 * A failure to grow is sticky: later puts do nothing, and `failed` is checked once at the end.
 */
#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* [len], and a zero behind once something was put */
    size_t len;
    size_t cap;
    size_t max;
    bool failed; /* no memory, or more than max */
};

void text_init(struct text *t, size_t max);
void text_fini(struct text *t);

/** Empty it, keep the memory, forget a failure. */
void text_clear(struct text *t);

/** What stands in it, "" if nothing does. */
const char *text_get(const struct text *t);

/** Room for n more bytes and a zero: where to write them, or NULL. */
char *text_room(struct text *t, size_t n);

void text_put(struct text *t, const void *data, size_t n);
void text_puts(struct text *t, const char *s);
void text_putc(struct text *t, char c);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** As a value in a URL or a form. */
void text_put_escaped(struct text *t, const char *s);

/** The memory of the text, which is empty then; NULL if nothing was put. */
char *text_take(struct text *t);

#endif
