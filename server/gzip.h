/**
 * Replies in gzip form, piece by piece.
 */
#ifndef SERVER_GZIP_H
#define SERVER_GZIP_H

#include <zlib.h>

#include "server/buf.h"

struct gzip {
    z_stream stream;
    bool open;
};

/** Whether an Accept-Encoding header takes gzip. */
bool gzip_accepted(const char *accept_encoding);

/** BB_ENOMEM. */
int gzip_open(struct gzip *gzip) BB_CHECKED;
void gzip_close(struct gzip *gzip);

/**
 * Append n bytes, compressed, to out, so that all of them can be read there; ends: they are the
 * last. Errors of buf_reserve.
 */
int gzip_put(struct gzip *gzip, const char *data, size_t n, bool ends, struct buf *out) BB_CHECKED;

#endif
