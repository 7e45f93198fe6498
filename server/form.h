/**
 * Parameters of a URL's query or of a form body: "a=1&b=x%20y".
 */
#ifndef SERVER_FORM_H
#define SERVER_FORM_H

#include "server/buf.h"

/**
 * Decode the first parameter of that name into value, with a NUL behind it that len does not count.
 *
 * Returns BB_OK; BB_ENOTFOUND there is none (value is empty then); BB_EPARSE a bad escape or a NUL
 * byte in it; errors of buf_put.
 */
int form_get(const char *text, size_t n, const char *name, struct buf *value) BB_CHECKED;

#endif
