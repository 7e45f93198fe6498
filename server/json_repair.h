/**
 * Strings of a JSON text that are no Unicode, made what Go's encoding/json takes them for.
 */
#ifndef SERVER_JSON_REPAIR_H
#define SERVER_JSON_REPAIR_H

#include "server/buf.h"

/**
 * Append text [n], which json_check has passed: each byte that is not UTF-8, and each half of a
 * surrogate pair that stands alone (\ud800), is U+FFFD there.
 *
 * Returns BB_OK; BB_ENOMEM, BB_ELIMIT as buf_put.
 */
int json_repair(const char *text, size_t n, struct buf *out);

#endif
