#ifndef CLIENT_IMPORT_ESCAPE_H
#define CLIENT_IMPORT_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/import_buf.h"

/** Names and values as line protocol writes them. */
enum escape {
    ESCAPE_MEASUREMENT,
    ESCAPE_TAG,    /* keys and values */
    ESCAPE_FIELD,  /* names */
    ESCAPE_STRING, /* values, between their quotes */
};

void escape_add(struct import_buf *out, enum escape kind, const char *text, size_t len);

/** Why line protocol cannot carry this name or tag value; NULL if it can. */
const char *escape_refusal(enum escape kind, const char *text, size_t len);

#endif
