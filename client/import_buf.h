#ifndef CLIENT_IMPORT_BUF_H
#define CLIENT_IMPORT_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A growing text. What does not fit in memory is left out and makes `failed` true for good. */
struct import_buf {
    char *data;
    size_t len, cap;
    bool failed;
};

/** Room for `n` bytes more behind `len`; false if there is no memory. */
bool import_buf_room(struct import_buf *b, size_t n);

void import_buf_add(struct import_buf *b, const void *bytes, size_t n);
void import_buf_add_char(struct import_buf *b, char c);
void import_buf_add_text(struct import_buf *b, const char *text);
void import_buf_printf(struct import_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** A decimal integer. */
void import_buf_add_int(struct import_buf *b, int64_t value);

/** The text with a zero byte behind it; "" if there is none. */
const char *import_buf_text(struct import_buf *b);

void import_buf_fini(struct import_buf *b);

#endif
