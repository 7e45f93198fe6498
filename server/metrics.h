/**
 * The numbers of a running server as Prometheus text, from one table.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdio.h>

#include "server/server.h"

/** Append all metrics. Looks at the engine and at /proc: not for a loop's thread. */
int metrics_write(struct server *server, struct buf *out) BB_CHECKED;

/** The list of metrics in docs/metrics.md. */
void metrics_document(FILE *out);

#endif
