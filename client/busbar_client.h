/**
 * libbusbar-client: write to and query a Busbar server, or any that speaks the HTTP API of
 * InfluxDB 1.x.
 *
 * A `struct bb_client` is one address with its credentials and at most one connection. A
 * `struct bb_client_writer` gathers lines into batches and sends them in order on a thread of its
 * own.
 *
 * Errors  every fallible function returns an enum bb_client_kind and fills the caller's
 *         bb_client_error, which may be NULL, with what failed, in a sentence for people.
 * Thread  one client serves one thread at a time; different clients are independent.
 *         bb_client_cancel alone may be called from any thread and from a signal handler.
 * Memory  what a callback is handed is borrowed until the callback returns; what a function fills
 *         through a `char **` is the caller's, to be given to bb_client_free.
 */
#ifndef BUSBAR_CLIENT_H
#define BUSBAR_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BB_CLIENT_CHECKED __attribute__((warn_unused_result))
#else
#define BB_CLIENT_CHECKED
#endif

/** What went wrong, as far as a program decides on it. */
enum bb_client_kind {
    BB_CLIENT_OK = 0,
    BB_CLIENT_USAGE,       /* an argument: a bad address, no query */
    BB_CLIENT_UNREACHABLE, /* no connection: nobody listens, no such host, TLS refused */
    BB_CLIENT_BROKEN,      /* the connection ended before the reply did */
    BB_CLIENT_TIMEOUT,     /* no reply in time */
    BB_CLIENT_HTTP,        /* a status that no server of this kind explains; see `status` */
    BB_CLIENT_SERVER,      /* the server said why; see `status` and `text` */
    BB_CLIENT_PARTIAL,     /* `dropped` lines were refused, the others are stored */
    BB_CLIENT_PROTOCOL,    /* the reply is not what this API answers */
    BB_CLIENT_CANCELED,    /* by bb_client_cancel or by a callback */
    BB_CLIENT_NOMEM,
};

#define BB_CLIENT_TEXT_MAX 4096

struct bb_client_error {
    int kind;         /* enum bb_client_kind */
    int status;       /* of the HTTP reply; 0 if there was none */
    uint64_t dropped; /* lines that the server refused, with BB_CLIENT_PARTIAL */
    char text[BB_CLIENT_TEXT_MAX];
};

/** Set by bb_client_options_init; strings are copied by bb_client_create. */
struct bb_client_options {
    const char *url;              /* http://127.0.0.1:8086; https too; without either, http */
    const char *database;         /* NULL: none; for writes and queries */
    const char *retention_policy; /* NULL: the database's default */
    const char *user, *password;  /* NULL: none */
    const char *token;            /* NULL: none; before user and password */
    const char *precision;        /* of the times in written lines: ns, u, ms, s, m, h */
    const char *ca_file;          /* NULL: the system's certificates */
    bool gzip;                    /* compress what is written */
    uint32_t connect_timeout_ms;  /* 5,000 */
    uint32_t write_timeout_ms;    /* 60,000; for one attempt */
    uint32_t query_timeout_ms;    /* 0: none; for a whole query */
    uint32_t get_timeout_ms;      /* 30,000; ping, get, post */
    uint32_t retry_total_ms;      /* 60,000; attempts of one write start within it; 0: one only */
    uint32_t retry_first_ms;      /* 200; doubled with each attempt, jittered by a half */
    uint32_t retry_longest_ms;    /* 10,000 */
};

struct bb_client;

/** The defaults. */
void bb_client_options_init(struct bb_client_options *options);

/** The version of the library that runs, "MAJOR.MINOR.PATCH". */
const char *bb_client_version(void);

/**
 * A client; no connection is made yet.
 *
 * options  NULL: the defaults
 * Returns  BB_CLIENT_OK; BB_CLIENT_USAGE for a bad address; BB_CLIENT_NOMEM. *client is NULL then.
 */
int bb_client_create(struct bb_client **client, const struct bb_client_options *options,
                     struct bb_client_error *error) BB_CLIENT_CHECKED;

/** Close and free; NULL is nothing. No request may be running. */
void bb_client_destroy(struct bb_client **client);

/** The database and policy from now on; NULL: none. */
int bb_client_use(struct bb_client *client, const char *database, const char *retention_policy,
                  struct bb_client_error *error) BB_CLIENT_CHECKED;

/** The address, without credentials; lives as long as the client. */
const char *bb_client_url(const struct bb_client *client);

/**
 * End the request that is running on this client: the connection is closed, whereupon the server
 * stops the query. The request returns BB_CLIENT_CANCELED. Without one, nothing happens.
 *
 * Thread  any, and signal handlers; the client must outlive the call.
 */
void bb_client_cancel(struct bb_client *client);

void bb_client_free(void *memory);

/**
 * Write lines of line protocol in one request.
 *
 * No connection, a broken one, a timeout, 429 and 503 are tried again, as options say and as long
 * as a Retry-After asks; writing a point twice is harmless, since it replaces itself. Refused lines
 * are not tried again.
 *
 * lines    [n] whole lines
 * Returns  BB_CLIENT_OK: all lines are on the server's disk; BB_CLIENT_PARTIAL: but for
 *          error->dropped lines (possibly all) whose reasons, as far as the server named them, are
 *          in error->text; else nothing is known to be stored.
 */
int bb_client_write(struct bb_client *client, const char *lines, size_t n,
                    struct bb_client_error *error) BB_CLIENT_CHECKED;

/** One value of a row. */
enum bb_client_cell_kind {
    BB_CLIENT_CELL_NULL,
    BB_CLIENT_CELL_NUMBER, /* `text` as the server wrote it: uint64 and doubles stay exact */
    BB_CLIENT_CELL_BOOL,   /* "true" or "false" */
    BB_CLIENT_CELL_STRING,
    BB_CLIENT_CELL_TIME, /* digits in the unit of `epoch`, or RFC 3339 without one */
    BB_CLIENT_CELL_LIST, /* "[a b]", the destinations of SHOW SUBSCRIPTIONS */
};

struct bb_client_cell {
    int kind;         /* enum bb_client_cell_kind */
    const char *text; /* [len], and a zero behind; "" for null */
    size_t len;
};

struct bb_client_series {
    unsigned statement; /* 0 for the first of the query */
    const char *name;   /* "" if the server gave none */
    const char *const *tag_keys;
    const char *const *tag_values;
    size_t tag_count;
    const char *const *columns;
    size_t column_count;
    bool continued; /* more rows of the series before, which came in several chunks */
};

/**
 * What a query calls. Any may be NULL. A result that is not 0 ends the query, which then returns
 * BB_CLIENT_CANCELED.
 */
struct bb_client_handler {
    void *arg;
    int (*statement)(void *arg, unsigned statement);
    int (*series)(void *arg, const struct bb_client_series *series);
    int (*row)(void *arg, const struct bb_client_cell *cells, size_t n);
    int (*message)(void *arg, const char *level, const char *text);
    int (*statement_error)(void *arg, unsigned statement, const char *text);
};

struct bb_client_query_options {
    const char *params;  /* JSON object for $names; NULL: none */
    const char *epoch;   /* ns, u, ms, s, m, h; NULL: RFC 3339 */
    uint32_t chunk_rows; /* rows of a chunk; 0: the server's choice */
};

/**
 * Run a query; rows are handed on while they arrive, so that memory does not grow with them.
 *
 * options  NULL: none
 * Returns  BB_CLIENT_OK, also when statements failed: each was reported by statement_error;
 *          BB_CLIENT_SERVER with the server's word when none ran (a parse error) or the server cut
 *          the reply off. Queries are not tried again.
 */
int bb_client_query(struct bb_client *client, const char *text,
                    const struct bb_client_query_options *options,
                    const struct bb_client_handler *handler,
                    struct bb_client_error *error) BB_CLIENT_CHECKED;

/**
 * Get a path of the server, "/health" or "/debug/x?y=z", post to it, or delete it.
 *
 * A status of 400 and above is BB_CLIENT_SERVER or BB_CLIENT_HTTP, and the body is there anyway.
 *
 * body     out: text with a zero behind, the caller's; NULL without a reply; NULL: not wanted
 * len      out: its length; may be NULL
 */
int bb_client_get(struct bb_client *client, const char *path, char **body, size_t *len,
                  struct bb_client_error *error) BB_CLIENT_CHECKED;
int bb_client_post(struct bb_client *client, const char *path, const void *data, size_t n,
                   char **body, size_t *len, struct bb_client_error *error) BB_CLIENT_CHECKED;
int bb_client_delete(struct bb_client *client, const char *path, char **body, size_t *len,
                     struct bb_client_error *error) BB_CLIENT_CHECKED;

/** What answered a ping. */
struct bb_client_server {
    char version[64]; /* "1.8.10" */
    char build[64];   /* "Busbar", "OSS"; "" if it did not say */
};

/** Ask whether the server is there. BB_CLIENT_PROTOCOL if what answers is something else. */
int bb_client_ping(struct bb_client *client, struct bb_client_server *server,
                   struct bb_client_error *error) BB_CLIENT_CHECKED;

/** The end of one batch. */
struct bb_client_ack {
    uint64_t position; /* of the last bb_client_writer_put in the batch */
    uint64_t lines;
    uint64_t bytes;
    const char *data; /* [bytes] the batch */
    /* NULL: all is on disk. BB_CLIENT_PARTIAL: but for error->dropped lines, with their reasons.
     * Else nothing is known to be stored and the writer has stopped. */
    const struct bb_client_error *error;
};

struct bb_client_writer_options {
    size_t batch_lines;     /* 5,000 */
    size_t batch_bytes;     /* 4 MiB */
    unsigned queue_batches; /* 4; filled batches that wait; then put waits */
    bool stop_on_refusal;   /* a refused line stops the writer; else it goes on behind it */
    void *arg;
    /* Called on the sender's thread, in the order of the batches; NULL: not wanted. */
    void (*acknowledged)(void *arg, const struct bb_client_ack *ack);
};

struct bb_client_writer;

/** The defaults. */
void bb_client_writer_options_init(struct bb_client_writer_options *options);

/**
 * A writer with a connection and a thread of its own.
 *
 * Batches go out in the order of the puts, one at a time, while the next ones are being filled. An
 * error that retries did not overcome stops the writer: every later call returns it.
 *
 * options         as for bb_client_create; `database` is required
 * writer_options  NULL: the defaults
 */
int bb_client_writer_create(struct bb_client_writer **writer,
                            const struct bb_client_options *options,
                            const struct bb_client_writer_options *writer_options,
                            struct bb_client_error *error) BB_CLIENT_CHECKED;

/**
 * Add lines; waits while the queue is full.
 *
 * lines     [n] one or more whole lines, each ending in a newline; copied
 * position  what the acknowledgement of the batch is to say: all up to here is done
 */
int bb_client_writer_put(struct bb_client_writer *writer, const char *lines, size_t n,
                         uint64_t position, struct bb_client_error *error) BB_CLIENT_CHECKED;

/** Send what is gathered and wait until all is acknowledged. */
int bb_client_writer_flush(struct bb_client_writer *writer,
                           struct bb_client_error *error) BB_CLIENT_CHECKED;

/** End the writer: the running request is canceled; what is queued stays unsent and put and flush
 * return BB_CLIENT_CANCELED. From any thread, but not from a signal handler. */
void bb_client_writer_cancel(struct bb_client_writer *writer);

/** Cancel and free; flush before if what was put is to be sent. */
void bb_client_writer_destroy(struct bb_client_writer **writer);

#ifdef __cplusplus
}
#endif

#endif
