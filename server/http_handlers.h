/**
 * What the routes run: checks of a request's head, and the work on a whole request.
 */
#ifndef SERVER_HTTP_HANDLERS_H
#define SERVER_HTTP_HANDLERS_H

#include "server/http.h"

/** Refuses what can be seen to be wrong before the body comes: encoding, precision, no database. */
bool http_write_check(struct http_conn *conn);
void http_write_run(struct http_conn *conn);
void http_write_v2_run(struct http_conn *conn);
void http_write_piece(struct http_conn *conn);

void http_query_run(struct http_conn *conn);

void http_ping_run(struct http_conn *conn);
void http_old_status_run(struct http_conn *conn);
void http_health_run(struct http_conn *conn);
void http_metrics_run(struct http_conn *conn);
void http_status_run(struct http_conn *conn);
void http_vars_run(struct http_conn *conn);
void http_rejects_run(struct http_conn *conn);
void http_flush_run(struct http_conn *conn);
void http_compact_run(struct http_conn *conn);

void http_requests_run(struct http_conn *conn);

/** A request for /write or /query is taken: whoever asks at /debug/requests hears of it. */
void http_requests_count(const struct http_conn *conn, bool write);

/**
 * A parameter of the URL's query, decoded and NUL-terminated into value (initialised, with any
 * maximum). Returns BB_OK also when there is none (empty then); otherwise the request has been
 * refused.
 */
int http_url_param(struct http_conn *conn, const char *name, struct buf *value) BB_CHECKED;

/** Say why a parameter could not be taken; err->code has the status. */
void http_param_fault(const char *name, int code, struct bb_error *err);

#endif
