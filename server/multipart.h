/**
 * Fields of a multipart/form-data body, RFC 7578.
 */
#ifndef SERVER_MULTIPART_H
#define SERVER_MULTIPART_H

#include "server/buf.h"

/** Whether a Content-Type is multipart/form-data. */
bool multipart_is(const char *content_type);

/**
 * Copy the first part of that name into value, with a NUL behind it that len does not count; a file
 * is a part like any other.
 *
 * Returns BB_OK; BB_ENOTFOUND there is none, or no boundary (value is empty then); BB_EPARSE a part
 * without its end, or a NUL byte in it; errors of buf_put.
 */
int multipart_get(const char *content_type, const char *body, size_t n, const char *name,
                  struct buf *value) BB_CHECKED;

#endif
