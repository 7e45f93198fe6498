/**
 * Texts of queries for the log: what may be a password is not told.
 */
#ifndef SERVER_REDACT_H
#define SERVER_REDACT_H

#include "server/buf.h"

/**
 * Append a text of InfluxQL, of any quality, to out with [REDACTED] for what stands where CREATE
 * USER and SET PASSWORD have the password, and for what stands before the @ of a URL: more rather
 * than less. Errors as buf_put.
 */
int redact(const char *text, size_t n, struct buf *out) BB_CHECKED;

#endif
