/**
 * GET /debug/vars: what SHOW STATS says, as one JSON object in the shape of InfluxDB's, which
 * Telegraf's plugin `influxdb` reads:
 *
 *     "httpd:127.0.0.1:8086": {"name":"httpd","tags":{"bind":"127.0.0.1:8086"},"values":{...}}
 *
 * and beside it "system", "cmdline", "memstats" and an entry "database:NAME" for each database.
 */
#ifndef SERVER_DEBUG_VARS_H
#define SERVER_DEBUG_VARS_H

#include "server/server.h"

/** On a thread that may wait for the engine. */
int debug_vars_write(struct server *server, struct buf *out, struct bb_error *err) BB_CHECKED;

#endif
