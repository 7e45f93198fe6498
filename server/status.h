/**
 * The state of a running server as one JSON document, for people: GET /debug/status.
 */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include "server/server.h"

/** Append the document. Looks at the engine and at /proc: not for a loop's thread. */
int status_write(struct server *server, struct buf *out, struct bb_error *err) BB_CHECKED;

#endif
