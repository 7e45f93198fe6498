/**
 * GET and POST /query. A thread of the query pool runs the statements and lays their result out;
 * every 64 KiB go to the loop as a piece of a chunked reply, and the thread waits while more than
 * `reply-buffer` bytes have not been taken by the client. A result of one piece is sent whole.
 *
 * async=true: the request is answered 204 when the first statement begins. The thread goes on alone
 * then; nobody sees the result, and what fails is logged.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/accept.h"
#include "server/form.h"
#include "server/gzip.h"
#include "server/http_auth.h"
#include "server/http_handlers.h"
#include "server/log.h"
#include "server/multipart.h"
#include "server/params.h"
#include "server/redact.h"
#include "server/result_writer.h"
#include "server/row_limit.h"
#include "server/units.h"

#define PIECE_BYTES     ((size_t)64 << 10)
#define PIECE_MAX_BYTES ((size_t)64 << 20)
#define PARAM_MAX_BYTES ((size_t)64 << 10)
#define CHUNK_ROWS      10000
#define SLOW_TEXT_MAX   2048

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
    volatile int canceled;

    /* the loop's */
    struct message wake;
    _Atomic unsigned refs; /* the job, each piece on its way, and the thread of async */
    bool streaming;
};

/** Under lock; the engine looks at it without. */
static void cancel(struct query_run *run)
{
    __atomic_store_n(&run->canceled, 1, __ATOMIC_RELAXED);
}

/** On the loop, or the thread of async. */
static void release(struct query_run *run)
{
    if (atomic_fetch_sub(&run->refs, 1) > 1)
        return;
    result_writer_fini(&run->writer);
    gzip_close(&run->gzip);
    buf_fini(&run->database);
    buf_fini(&run->policy);
    buf_fini(&run->text);
    buf_fini(&run->params);
    buf_fini(&run->reply);
    free(run->user);
    pthread_cond_destroy(&run->taken);
    pthread_mutex_destroy(&run->lock);
    free(run);
}

/* ---- on the query's thread ---- */

/** Hand a piece to the loop, when the client has taken enough of the earlier ones. */
static int push(struct query_run *run, struct http_piece *piece)
{
    size_t limit = run->base.loop->server->settings.reply_buffer;
    pthread_mutex_lock(&run->lock);
    while (run->unsent > 0 && run->unsent + piece->data.len > limit && !run->canceled)
        pthread_cond_wait(&run->taken, &run->lock);
    bool canceled = run->canceled != 0;
    bool post = !canceled && !run->posted;
    if (!canceled) {
        if (run->last != NULL)
            run->last->next = piece;
        else
            run->first = piece;
        run->last = piece;
        run->unsent += piece->data.len;
        run->posted = true;
    }
    pthread_mutex_unlock(&run->lock);
    if (post)
        loop_post(run->base.loop, &run->wake);
    return canceled ? BB_ECANCELED : BB_OK;
}

static void on_piece_sent(struct http_piece *piece, bool ok);

static struct http_piece *make_piece(struct query_run *run, struct buf *text)
{
    struct http_piece *piece = calloc(1, sizeof(*piece));
    if (piece == NULL)
        return NULL;
    buf_init(&piece->data, text->max, text->budget);
    buf_swap(&piece->data, text);
    piece->owner = run;
    piece->sent = on_piece_sent;
    return piece;
}

static void free_piece(struct http_piece *piece)
{
    buf_fini(&piece->data);
    free(piece);
}

/** Compress what is in text, in place. */
static int pack(struct query_run *run, struct buf *text, bool ends)
{
    struct buf packed;
    buf_init(&packed, text->max, text->budget);
    int rc = gzip_put(&run->gzip, text->data, text->len, ends, &packed);
    if (rc == BB_OK)
        buf_swap(&packed, text);
    buf_fini(&packed);
    return rc;
}

static int flush(void *arg, struct buf *text)
{
    struct query_run *run = arg;
    int packed = run->as_gzip ? pack(run, text, false) : BB_OK;
    if (packed != BB_OK)
        return packed;
    struct http_piece *piece = make_piece(run, text);
    if (piece == NULL)
        return BB_ENOMEM;
    int rc = push(run, piece);
    if (rc != BB_OK)
        free_piece(piece);
    return rc;
}

/** The text, for a line of the log. */
static const char *quote_text(const struct query_run *run, char *out, size_t size)
{
    struct buf text;
    buf_init(&text, SIZE_MAX, NULL);
    bool ok = redact(run->text.data, run->text.len, &text) == BB_OK;
    const char *quoted = log_quote(out, size, ok ? text.data : "", ok ? text.len : 0);
    buf_fini(&text);
    return quoted;
}

/** A query that took long is worth a line. */
static void log_if_slow(const struct query_run *run, int rc, uint64_t ns)
{
    char text[SLOW_TEXT_MAX], database[256];
    uint64_t limit_ms = run->base.loop->server->settings.log_queries_after;
    if (limit_ms == 0 || ns / 1000000 < limit_ms)
        return;
    log_event(LOG_WARNING, "query slow_ms=%" PRIu64 " status=\"%s\" db=%s request=%s text=%s",
              ns / 1000000, bb_code_text(rc),
              log_quote(database, sizeof(database), run->database.data, run->database.len),
              run->request_id, quote_text(run, text, sizeof(text)));
}

static int run_query(struct query_run *run, const struct bb_sink *sink,
                     const volatile int *canceled)
{
    struct server *server = run->base.loop->server;
    struct params params;
    int rc = params_parse(run->params.data, run->params.len, &params, &run->err);
    if (rc != BB_OK)
        return rc;
    struct bb_query query = {.database = run->database.len > 0 ? run->database.data : NULL,
                             .retention_policy = run->policy.len > 0 ? run->policy.data : NULL,
                             .text = run->text.data,
                             .text_length = run->text.len,
                             .timeout_ms = (uint32_t)server->settings.query_timeout,
                             .canceled = canceled,
                             .read_only = run->read_only,
                             .check_rights = strcmp(server->settings.auth_enabled, "true") == 0,
                             .user = run->user,
                             .params = params.list,
                             .param_count = params.count};
    rc = bb_query(server->db, &query, sink, &run->err);
    params_fini(&params);
    return rc;
}

/* An answer that is not chunked ends at max-row-limit. */
static int run_limited(struct query_run *run, const struct bb_sink *sink)
{
    struct row_limit limit;
    uint64_t rows_max = run->base.loop->server->settings.max_row_limit;
    if (rows_max == 0 || run->format.chunk_rows > 0)
        return run_query(run, sink, &run->canceled);
    row_limit_init(&limit, sink, rows_max, result_writer_truncated(&run->writer));
    struct bb_sink limited = row_limit_sink(&limit);
    int rc = run_query(run, &limited, &run->canceled);
    return limit.full ? BB_OK : rc;
}

/** As InfluxDB, max-concurrent-queries is what the first statement fails of. */
static int tell_limit(struct query_run *run, const struct bb_sink *sink)
{
    static const char limit[] = "max-concurrent-queries";
    if (strncmp(run->err.text, limit, sizeof(limit) - 1) != 0)
        return BB_EBUSY;
    struct bb_error err = run->err;
    err.code = BB_EBUSY;
    int rc = sink->statement_begin(sink->arg, 0);
    return rc == BB_OK ? sink->statement_end(sink->arg, &err) : rc;
}

static void work(struct http_job *job)
{
    struct query_run *run = (struct query_run *)job;
    uint64_t start_ns = uv_hrtime();
    struct bb_sink sink = result_writer_sink(&run->writer);
    int rc = run->as_gzip ? gzip_open(&run->gzip) : BB_OK;
    if (rc == BB_OK)
        rc = run_limited(run, &sink);
    else
        snprintf(run->err.text, sizeof(run->err.text), "out of memory: gzip");
    if (rc == BB_EBUSY && !result_writer_begun(&run->writer))
        rc = tell_limit(run, &sink);
    run->err.code = rc;
    log_if_slow(run, rc, uv_hrtime() - start_ns);
    run->begun = rc == BB_OK || result_writer_begun(&run->writer);
    if (run->begun)
        run->text_err = result_writer_finish(&run->writer, rc == BB_OK ? NULL : &run->err);
    if (run->as_gzip && run->begun && run->text_err == BB_OK)
        run->text_err = pack(run, &run->reply, true);
    http_job_done(job);
}

/* ---- async ---- */

static void log_async_error(const struct query_run *run, const struct bb_error *err)
{
    char text[SLOW_TEXT_MAX], quoted[BB_ERROR_TEXT_MAX * 2];
    log_event(LOG_WARNING, "query async=failed error=%s request=%s text=%s",
              log_quote(quoted, sizeof(quoted), err->text, strlen(err->text)), run->request_id,
              quote_text(run, text, sizeof(text)));
}

static int async_statement_begin(void *arg, size_t index)
{
    struct query_run *run = arg;
    (void)index;
    if (!run->answered) {
        run->answered = run->begun = true;
        http_job_done(&run->base);
    }
    return 0;
}

static int async_series(void *arg, const struct bb_series *series)
{
    (void)arg;
    (void)series;
    return 0;
}

static int async_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    (void)arg;
    (void)values;
    (void)row_count;
    return 0;
}

static int async_statement_end(void *arg, const struct bb_error *err)
{
    if (err != NULL)
        log_async_error(arg, err);
    return 0;
}

static void work_async(struct http_job *job)
{
    struct query_run *run = (struct query_run *)job;
    uint64_t start_ns = uv_hrtime();
    struct bb_sink sink = {.arg = run,
                           .statement_begin = async_statement_begin,
                           .series = async_series,
                           .rows = async_rows,
                           .statement_end = async_statement_end};
    atomic_fetch_add(&run->refs, 1);
    int rc = run_query(run, &sink, &job->loop->server->async_canceled);
    log_if_slow(run, rc, uv_hrtime() - start_ns);
    if (run->answered) {
        if (rc != BB_OK)
            log_async_error(run, &run->err);
    } else {
        run->err.code = rc;
        run->begun = rc == BB_OK;
        http_job_done(job);
    }
    release(run);
}

/* ---- on the loop ---- */

static void on_piece_sent(struct http_piece *piece, bool ok)
{
    struct query_run *run = piece->owner;
    pthread_mutex_lock(&run->lock);
    run->unsent -= piece->data.len;
    if (!ok)
        cancel(run);
    pthread_cond_signal(&run->taken);
    pthread_mutex_unlock(&run->lock);
    free_piece(piece);
    release(run);
}

static const char *encoding_of(const struct query_run *run)
{
    return run->as_gzip ? "Content-Encoding: gzip\r\n" : "";
}

static void send_piece(struct query_run *run, struct http_piece *piece)
{
    struct http_conn *conn = run->base.conn;
    if (!run->streaming && !conn->client.closing)
        http_stream_begin(conn, 200, accept_name(run->type), encoding_of(run));
    run->streaming = true;
    count_add(&conn->client.loop->server->counters.query_reply_bytes, piece->data.len);
    run->refs++;
    http_stream_put(conn, piece);
}

static void on_wake(struct message *message)
{
    struct query_run *run = (struct query_run *)(void *)((char *)message -
                                                         offsetof(struct query_run, wake));
    pthread_mutex_lock(&run->lock);
    struct http_piece *piece = run->first;
    run->first = run->last = NULL;
    run->posted = false;
    pthread_mutex_unlock(&run->lock);
    while (piece != NULL) {
        struct http_piece *next = piece->next;
        send_piece(run, piece);
        piece = next;
    }
}

static void reply_error(struct query_run *run, struct http_conn *conn)
{
    http_error_text(conn, bb_code_http(run->err.code), run->err.text, strlen(run->err.text));
}

/** The text has become too much for something. */
static void reply_cut(struct query_run *run, struct http_conn *conn)
{
    log_event(LOG_WARNING, "query reply=cut error=\"%s\" request=%s", bb_code_text(run->text_err),
              conn->request.id);
    if (run->streaming)
        client_close(&conn->client); /* without its last chunk nobody takes it for whole */
    else if (run->type == ACCEPT_MSGPACK && run->text_err != BB_ENOMEM)
        http_error(
            conn, 413,
            "result too long for one MessagePack document: ask with chunked=true or for JSON");
    else
        http_error(conn, 503, "overloaded: no memory for the result");
}

static void reply(struct http_job *job, struct http_conn *conn)
{
    struct query_run *run = (struct query_run *)job;
    if (!run->begun) {
        reply_error(run, conn);
        return;
    }
    if (run->async) {
        http_reply(conn, 204, NULL, "", NULL, 0);
        return;
    }
    if (run->text_err != BB_OK) {
        reply_cut(run, conn);
        return;
    }
    if (!run->streaming) {
        count_add(&conn->client.loop->server->counters.query_reply_bytes, run->reply.len);
        http_reply(conn, 200, accept_name(run->type), encoding_of(run), run->reply.data,
                   run->reply.len);
        return;
    }
    struct http_piece *piece = run->reply.len > 0 ? make_piece(run, &run->reply) : NULL;
    if (piece != NULL) {
        pthread_mutex_lock(&run->lock);
        run->unsent += piece->data.len;
        pthread_mutex_unlock(&run->lock);
        send_piece(run, piece);
    }
    if (piece != NULL || run->reply.len == 0)
        http_stream_end(conn);
    else
        client_close(&conn->client);
}

static void abandon(struct http_job *job)
{
    struct query_run *run = (struct query_run *)job;
    pthread_mutex_lock(&run->lock);
    cancel(run);
    pthread_cond_signal(&run->taken);
    pthread_mutex_unlock(&run->lock);
}

static void destroy(struct http_job *job)
{
    release((struct query_run *)job);
}

/* ---- the request ---- */

static bool is_form(const struct http_conn *conn)
{
    static const char form[] = "application/x-www-form-urlencoded";
    return conn->request.method == HTTP_POST &&
           strncasecmp(http_text(conn, conn->request.content_type), form, sizeof(form) - 1) == 0;
}

/** From the form or the parts of the body if it has them, else from the URL. */
static bool get_param(struct http_conn *conn, const char *name, struct buf *value)
{
    const char *type = http_text(conn, conn->request.content_type);
    bool parts = conn->request.method == HTTP_POST && multipart_is(type);
    if (is_form(conn) || parts) {
        const struct buf *body = &conn->body;
        int rc = parts ? multipart_get(type, body->data, body->len, name, value)
                       : form_get(body->data, body->len, name, value);
        if (rc == BB_OK)
            return true;
        if (rc != BB_ENOTFOUND) {
            http_refuse_param(conn, name, rc);
            return false;
        }
    }
    return http_url_param(conn, name, value) == BB_OK;
}

static bool get_flag(struct http_conn *conn, const char *name, struct buf *value, bool *on)
{
    bool ok = get_param(conn, name, value);
    *on = ok && strcmp(value->data, "true") == 0;
    return ok;
}

static bool get_format(struct http_conn *conn, struct result_format *format, bool *async)
{
    struct buf value;
    bool chunked = false;
    buf_init(&value, PARAM_MAX_BYTES, NULL);
    bool ok = get_flag(conn, "async", &value, async) &&
              get_flag(conn, "chunked", &value, &chunked) &&
              get_flag(conn, "pretty", &value, &format->pretty) && get_param(conn, "epoch", &value);
    if (ok) {
        format->epoch_ns = units_epoch_ns(value.data);
        ok = get_param(conn, "chunk_size", &value);
    }
    if (ok && chunked) {
        char *end;
        errno = 0;
        long rows = strtol(value.data, &end, 10);
        bool good = *end == '\0' && errno == 0 && rows > 0;
        format->chunk_rows = good ? (size_t)rows : CHUNK_ROWS;
    }
    buf_fini(&value);
    return ok;
}

static struct query_run *make_run(struct server *server)
{
    struct query_run *run = calloc(1, sizeof(*run));
    if (run == NULL)
        return NULL;
    size_t text_max = server->settings.max_body + server->settings.max_head;
    buf_init(&run->database, PARAM_MAX_BYTES, NULL);
    buf_init(&run->policy, PARAM_MAX_BYTES, NULL);
    buf_init(&run->text, text_max, &server->request_budget);
    buf_init(&run->params, text_max, &server->request_budget);
    buf_init(&run->reply, PIECE_MAX_BYTES, &server->request_budget);
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->taken, NULL);
    run->refs = 1;
    run->wake.run = on_wake;
    run->base.reply = reply;
    run->base.abandon = abandon;
    run->base.destroy = destroy;
    return run;
}

/* As InfluxDB: blanks around the text do not count for places in messages. */
static void trim(struct buf *text)
{
    static const char blanks[] = " \t\n\v\f\r";
    size_t at = 0;
    while (text->len > 0 && strchr(blanks, text->data[text->len - 1]) != NULL &&
           text->data[text->len - 1] != '\0')
        text->len--;
    while (at < text->len && strchr(blanks, text->data[at]) != NULL && text->data[at] != '\0')
        at++;
    text->len -= at;
    if (at > 0)
        memmove(text->data, text->data + at, text->len);
}

static bool keep_user(struct query_run *run, struct http_conn *conn)
{
    const char *user = http_auth_user(conn);
    if (user == NULL)
        return true;
    run->user = strdup(user);
    if (run->user == NULL)
        http_error(conn, 503, "overloaded: no memory for more requests");
    return run->user != NULL;
}

void http_query_run(struct http_conn *conn)
{
    struct server *server = conn->client.loop->server;
    struct query_run *run = make_run(server);
    if (run == NULL) {
        http_error(conn, 503, "overloaded: no memory for more requests");
        return;
    }
    bool ok = get_param(conn, "q", &run->text) && get_param(conn, "db", &run->database) &&
              get_param(conn, "rp", &run->policy) && get_param(conn, "params", &run->params) &&
              get_format(conn, &run->format, &run->async);
    if (ok)
        trim(&run->text);
    if (ok && run->text.len == 0) {
        http_error(conn, 400, "missing required parameter \"q\"");
        ok = false;
    }
    ok = ok && keep_user(run, conn);
    if (!ok) { /* and answered: what the head said is gone */
        release(run);
        return;
    }
    run->read_only = conn->request.method == HTTP_GET;
    run->base.work = run->async ? work_async : work;
    run->type = accept_choose(http_text(conn, conn->request.accept));
    result_writer_init(&run->writer, run->type, &run->format, &run->reply, PIECE_BYTES, flush, run);
    if (run->type == ACCEPT_MSGPACK)
        run->reply.max = (size_t)server->settings.request_memory / 2;
    run->as_gzip = gzip_accepted(http_text(conn, conn->request.accept_encoding));
    memcpy(run->request_id, conn->request.id, sizeof(run->request_id));
    http_job_submit(&run->base, conn, &server->query_pool);
}
