/**
 * GET and POST /query. A thread of the query pool runs the statements and lays their result out;
 * every 64 KiB go to the loop as a piece of a chunked reply. A result of one piece is sent whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/form.h"
#include "server/http_auth.h"
#include "server/http_handlers.h"
#include "server/http_query_run.h"
#include "server/log.h"
#include "server/multipart.h"
#include "server/units.h"

#define PIECE_BYTES     ((size_t)64 << 10)
#define PIECE_MAX_BYTES ((size_t)64 << 20)
#define PARAM_MAX_BYTES ((size_t)64 << 10)
#define CHUNK_ROWS      10000

void http_query_release(struct query_run *run)
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

/* ---- the reply ---- */

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
        http_reply(conn, 200, accept_name(run->type), http_query_encoding(run), run->reply.data,
                   run->reply.len);
        return;
    }
    http_query_stream_end(run);
}

static void abandon(struct http_job *job)
{
    http_query_cancel((struct query_run *)job);
}

static void destroy(struct http_job *job)
{
    http_query_release((struct query_run *)job);
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
    run->wake.run = http_query_on_wake;
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
        http_query_release(run);
        return;
    }
    run->read_only = conn->request.method == HTTP_GET;
    run->base.work = run->async ? http_query_work_async : http_query_work;
    run->type = accept_choose(http_text(conn, conn->request.accept));
    result_writer_init(&run->writer, run->type, &run->format, &run->reply, PIECE_BYTES,
                       http_query_flush, run);
    if (run->type == ACCEPT_MSGPACK)
        run->reply.max = (size_t)server->settings.request_memory / 2;
    run->as_gzip = gzip_accepted(http_text(conn, conn->request.accept_encoding));
    memcpy(run->request_id, conn->request.id, sizeof(run->request_id));
    http_job_submit(&run->base, conn, &server->query_pool);
}
