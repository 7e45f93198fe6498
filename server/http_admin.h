/**
 * Requests of operators: questions to the engine that run on the admin pool, however busy the
 * others are.
 */
#ifndef SERVER_HTTP_ADMIN_H
#define SERVER_HTTP_ADMIN_H

#include "server/http.h"

struct admin_run {
    struct http_job base; /* first */
    /** On a thread: fill text, perhaps status and type. */
    int (*ask)(struct admin_run *run, struct server *server);
    const char *type;
    struct buf text;
    struct bb_error err;
    int status;
    bool full;         /* /debug/compact */
    struct buf ids;    /* /debug/rejects: uint64_t, ascending */
    uint64_t after_id; /* the same */
    uint64_t limit;    /* the same */
};

/** A run whose reply is `status` with what ask wrote; NULL: the request has been refused. */
struct admin_run *admin_run_make(struct http_conn *conn,
                                 int (*ask)(struct admin_run *, struct server *), const char *type,
                                 int status);

#endif
