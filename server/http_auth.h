/**
 * Authentication of requests, as soon as their heads are there.
 *
 * A password that was checked of late is recognised on the loop; one that was not is hashed on a
 * thread, and the connection waits for that in CONN_AUTH: its body is not read before it is known
 * who sends it.
 */
#ifndef SERVER_HTTP_AUTH_H
#define SERVER_HTTP_AUTH_H

#include "server/http.h"

/** Threads that hash passwords: each takes a core and 16 MiB while it does. */
#define HTTP_AUTH_THREADS 2

/** The head is there: false when the request has been refused, or waits (the state tells). */
bool http_auth_begin(struct http_conn *conn);

/** The name of who sent the request; NULL: nobody, or it was not asked. */
const char *http_auth_user(const struct http_conn *conn);

/** Whether the request may write to a database; refused if not. */
bool http_auth_may_write(struct http_conn *conn, const char *database);

/** The wait for a thread has been too long. */
void http_auth_overdue(struct http_conn *conn);

#endif
