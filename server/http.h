/**
 * HTTP/1.1 connections.
 *
 * A connection takes one request at a time: it reads the head, chooses the route, reads the body,
 * and hands the request to the route's `run`, which replies at once or later from a message of a
 * job. Pipelined bytes wait until the reply has been sent, so replies are in order and what a
 * client can make the server hold is bounded.
 *
 *     HEAD -> BODY -> BUSY -> SENDING -> HEAD ...        keep-alive
 *      | ^  | ^  |             '-> LINGER -> closed    what the client still sends is read and
 *      v |  v |  |                                     dropped, so that it gets to see the reply
 *     AUTH PIECE '-> SENDING (refused early)
 *
 * In AUTH a password is being hashed. A route with `piece` is given a long body in pieces: its job
 * works on conn->body while nothing is read, and leaves there what it could not use yet.
 *
 * Thread  all functions are for the loop's thread.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <llhttp.h>

#include "server/loop.h"

#define HTTP_NAME_MAX       32
#define HTTP_REQUEST_ID_MAX 128

enum conn_state {
    CONN_HEAD,
    CONN_AUTH, /* the head is there; who sent it is being found out */
    CONN_BODY,
    CONN_PIECE,
    CONN_BUSY,
    CONN_SENDING,
    CONN_LINGER
};

/** Headers that are kept; X(member, lower-case name). */
#define HTTP_HEADER_TABLE(X)                  \
    X(content_type, "content-type")           \
    X(content_encoding, "content-encoding")   \
    X(transfer_encoding, "transfer-encoding") \
    X(expect, "expect")                       \
    X(authorization, "authorization")         \
    X(accept, "accept")                       \
    X(accept_encoding, "accept-encoding")     \
    X(origin, "origin")                       \
    X(request_id, "request-id")               \
    X(x_request_id, "x-request-id")

/** What a route asks of who comes, where auth-enabled is true. */
enum http_access {
    HTTP_ACCESS_OPEN,
    HTTP_ACCESS_PING, /* as HTTP_ACCESS_USER with ping-auth-enabled, else open */
    HTTP_ACCESS_USER, /* what he may do is asked where it is known what he wants */
    HTTP_ACCESS_ADMIN
};

struct http_conn;

struct http_route {
    const char *path;
    unsigned methods; /* bits 1 << llhttp_method_t */
    const char *allow;
    bool local_only;
    /** The head is there: false when it has been refused (http_error). May be NULL. */
    bool (*check)(struct http_conn *conn);
    void (*run)(struct http_conn *conn);
    /** conn->body holds more than conn->piece_bytes and is not all: have a job take it, in state
     * CONN_PIECE. NULL: bodies are taken whole. */
    void (*piece)(struct http_conn *conn);
    enum http_access access;
};

#define HTTP_HEADER_MEMBER(member, name) size_t member;
struct http_request {
    llhttp_method_t method;
    const struct http_route *route;
    /* Offsets of NUL-terminated texts in conn->head; 0: not there. */
    size_t path, query;
    size_t user; /* who it is from, where that was asked and is known */
    HTTP_HEADER_TABLE(HTTP_HEADER_MEMBER)
    uint64_t content_length;
    enum server_path counted_as;
    uint64_t whole_at_ns; /* when all of it was there; 0: not yet */
    bool keep_alive, http_1_0, chunked;
    char id[HTTP_REQUEST_ID_MAX + 1];
};
#undef HTTP_HEADER_MEMBER

struct http_job;

struct http_conn {
    struct client client; /* first */
    llhttp_t parser;
    enum conn_state state;
    struct http_request request;
    struct buf head;           /* texts of the request's head */
    struct buf body;           /* of the request */
    struct buf pending;        /* read behind the request */
    struct buf out;            /* reply that is being sent */
    uint64_t deadline_ms;      /* of the state; 0: none */
    uint64_t request_end_ms;   /* when the whole request must be there; 0: none has begun */
    uint64_t starved_since_ms; /* waiting for request memory; 0: not */
    uint64_t body_bytes;       /* received of this body */
    size_t piece_bytes;        /* in body: when more, a piece is due */
    size_t piece_rest;         /* of them: left over by the last piece */
    size_t head_bytes;         /* received of this head */
    char name[HTTP_NAME_MAX];  /* header being read, lower case; cut names match nothing */
    size_t name_len;
    size_t *value;           /* slot of the header being read, NULL: not kept */
    size_t value_at;         /* offset of its text, which has no NUL yet */
    bool reading;            /* uv_read_start is on */
    bool peer_done;          /* the client has sent its last byte */
    bool advancing;          /* http_advance is on the stack */
    int head_error;          /* why the head cannot be kept: BB_ELIMIT, BB_EBUSY ... */
    bool received;           /* the whole request is there */
    bool held;               /* a reply is ready in out and waits for the rest of the request */
    bool close_after;        /* no request after this one */
    size_t unsent;           /* bytes that waited for the client at the last look */
    struct http_job *job;    /* what the request waits for */
    struct http_job *parked; /* has taken a piece of the body and waits for the next */
    uv_write_t out_write, end_write;
    uv_shutdown_t shutdown;
};

/** A listener's accept function. */
void http_accept(struct listener *listener, int fd);

/* ---- the parser (http_parse.c) ---- */

/** Make conn->parser ready for requests; its callbacks work on conn. */
void http_parse_init(struct http_conn *conn);

/** The request may go on: refuse what it announces of its body, or make ready for it. */
void http_head_taken(struct http_conn *conn);

/** The text at an offset of the head, "" for 0. */
const char *http_text(const struct http_conn *conn, size_t at);

/* ---- replies (http_reply.c) ---- */

/** A whole reply. type NULL: none; extra: further header lines, each ended by CRLF, or "". */
void http_reply(struct http_conn *conn, int status, const char *type, const char *extra,
                const void *body, size_t n);

/** {"error": text}, or the same as CSV or MessagePack if the client accepts that rather, with
 * X-Influxdb-Error, and Retry-After for 503. */
void http_error(struct http_conn *conn, int status, const char *fmt, ...) BB_PRINTF(3, 4);
void http_error_text(struct http_conn *conn, int status, const char *text, size_t n);

/**
 * As http_error, for a request that will not come to its end, while it is being received: says
 * also what has been stored of it.
 */
void http_fail(struct http_conn *conn, int status, const char *fmt, ...) BB_PRINTF(3, 4);

/** A reply whose length is not known (extra as in http_reply): begin, then pieces by
 * http_stream_put, then end. */
void http_stream_begin(struct http_conn *conn, int status, const char *type, const char *extra);

struct http_piece {
    uv_write_t write; /* first */
    struct http_piece *next;
    void (*sent)(struct http_piece *piece, bool ok); /* frees it */
    void *owner;
    struct buf data;
    char size_line[24];
};

/** Send a piece; piece->sent is called when the socket has taken it or will never. */
void http_stream_put(struct http_conn *conn, struct http_piece *piece);
void http_stream_end(struct http_conn *conn);

/* ---- how errors read (http_error.c) ---- */

/** Lay out the body of an error; *type: its Content-Type. Errors of buf_put. */
int http_error_body(const struct http_conn *conn, const char *text, size_t n, struct buf *body,
                    const char **type) BB_CHECKED;

/* ---- jobs (http_job.c) ---- */

/**
 * Work of a request on a thread of a pool. `work` runs there; when it calls http_job_done (or had
 * another thread do so), `reply` runs on the loop, unless the client has gone, and then `destroy`.
 *
 * Work that took a piece of the body sets `more`: then the job is parked, in place of the reply,
 * until the route submits it again.
 */
struct http_job {
    struct job job; /* first */
    struct message done;
    struct http_conn *conn;
    struct pool *pool;
    struct loop *loop;
    bool more;
    void (*work)(struct http_job *job);
    void (*reply)(struct http_job *job, struct http_conn *conn);
    /** The request ends with this error while the job is parked or waits: reply or have it replied,
     * then destroy. NULL: only the error matters. */
    void (*fail)(struct http_job *job, struct http_conn *conn, int status, const char *text);
    void (*abandon)(struct http_job *job); /* the client has gone while it runs; may be NULL */
    void (*destroy)(struct http_job *job);
};

/** Hand over a request; replies 503 itself where that fails. job's functions are set. */
void http_job_submit(struct http_job *job, struct http_conn *conn, struct pool *pool);

/** A job without work: its reply goes out in `ms`. */
void http_job_wait(struct http_job *job, struct http_conn *conn, uint64_t ms);

/** As http_job_submit, without work: http_job_done is called by someone else. */
void http_job_await(struct http_job *job, struct http_conn *conn);

/** Any thread, once for each submit: the work is over. */
void http_job_done(struct http_job *job);

/** The client has gone. */
void http_job_abandon(struct http_conn *conn);

/** The wait is over: 503 if the job has not started, the reply if it only waits. */
void http_job_overdue(struct http_conn *conn);

/* ---- between http.c and http_reply.c, http_job.c ---- */

/** A piece of the body has been taken, the state is CONN_BODY again: go on receiving. */
void http_piece_taken(struct http_conn *conn);

/** The socket has taken the whole reply: on to the next request, or close. */
void http_reply_sent(struct http_conn *conn);

/** The reply in conn->out is ready: send it, unless it is held until the request is there. */
void http_reply_ready(struct http_conn *conn);

/** The wait in CONN_AUTH is over, and the state CONN_BODY or beyond: go on. */
void http_resume(struct http_conn *conn);

/** A piece of the reply has gone out: the client is alive. */
void http_progress(struct http_conn *conn);

/* ---- routes (http_route.c) ---- */

/** Find the route of the request, who it is from, and check it; false when it has been refused, or
 * waits (the state tells). */
bool http_route(struct http_conn *conn);

/** The route's own check of the head; false when it has been refused. */
bool http_route_check(struct http_conn *conn);

#endif
