/**
 * A query of GET or POST /query between its request (http_query.c), the thread that runs it
 * (http_query_work.c, http_query_async.c) and its reply's way to the client (http_query_stream.c).
 */
#ifndef SERVER_HTTP_QUERY_RUN_H
#define SERVER_HTTP_QUERY_RUN_H

#include <pthread.h>

#include "server/gzip.h"
#include "server/http.h"
#include "server/result_writer.h"

struct query_run {
    struct http_job base; /* first */
    struct buf database, policy, text, params;
    char *user; /* who asks; NULL: nobody */
    struct result_format format;
    bool read_only;
    bool as_gzip, async;
    enum accept_type type;
    char request_id[HTTP_REQUEST_ID_MAX + 1];

    /* the thread's */
    struct result_writer writer;
    struct gzip gzip;
    struct buf reply; /* its text; when the work is done, as it is to be sent */
    struct bb_error err;
    int text_err;  /* why the text is not whole */
    bool begun;    /* a statement has been begun: errors of the query stand in the text */
    bool answered; /* of async: the loop has been told, this thread goes on */

    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t taken;
    struct http_piece *first, *last; /* not yet seen by the loop */
    size_t unsent;                   /* bytes of all pieces not taken by the client */
    bool posted;
    bool killed;
    volatile int canceled;

    /* the loop's */
    struct message wake;
    _Atomic unsigned refs; /* the job, each piece on its way, and the thread of async */
    bool streaming;
};

/** Who holds the run lets go of it. Any thread. */
void http_query_release(struct query_run *run);

/* ---- on the query's thread (http_query_read.c, http_query_work.c, http_query_async.c) ---- */

/** Read the request's parameters: BB_OK, or why not, as run->err. */
int http_query_read(struct query_run *run) BB_CHECKED;

/** The job's work: run the text, lay its result out. */
void http_query_work(struct http_job *job);

/** The same for async=true: nobody sees the result, what fails is logged. */
void http_query_work_async(struct http_job *job);

/** Run the text into a sink; *canceled ends it. Its code, with run->err. */
int http_query_execute(struct query_run *run, const struct bb_sink *sink,
                       const volatile int *canceled) BB_CHECKED;

/** A query that took long is worth a line of the log. */
void http_query_log_if_slow(const struct query_run *run, int rc, uint64_t ns);

/** The text for a line of the log, in out [size]: without passwords, quoted, cut. */
const char *http_query_quote(const struct query_run *run, char *out, size_t size);

/** Of a text in the log. */
#define HTTP_QUERY_QUOTE_MAX 2048

/* ---- pieces of the reply (http_query_stream.c) ---- */

/** The writer's flush, on the query's thread: hand the text to the loop as a piece, once the client
 * has taken enough of the earlier ones. arg: the run. BB_ECANCELED: nobody wants it. */
int http_query_flush(void *arg, struct buf *text) BB_CHECKED;

/** Compress what is in text, in place. */
int http_query_pack(struct query_run *run, struct buf *text, bool ends) BB_CHECKED;

/** Any thread: the query has been killed, and will say so in its text. What it has still to hand
 * over waits for nobody. arg: the run. */
void http_query_killed(void *arg);

/** The message that pieces wait. */
void http_query_on_wake(struct message *message);

/** On the loop: the rest of a reply whose first pieces have gone, and its end. */
void http_query_stream_end(struct query_run *run);

/** On the loop: nobody waits for the result any more. */
void http_query_cancel(struct query_run *run);

/** Content-Encoding as a header line, or "". */
const char *http_query_encoding(const struct query_run *run);

#endif
