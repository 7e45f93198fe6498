/**
 * GET and POST /query. A thread of the query pool runs the statements and lays their result out;
 * every 64 KiB go to the loop as a piece of a chunked reply. A result of one piece is sent whole.
 */
#include <stdlib.h>
#include <string.h>

#include "server/http_auth.h"
#include "server/http_handlers.h"
#include "server/http_query_run.h"
#include "server/log.h"

#define PIECE_BYTES      ((size_t)64 << 10)
#define PIECE_MAX_BYTES  ((size_t)64 << 20)
#define NAME_MAX_BYTES   ((size_t)64 << 10)
#define PARAMS_MAX_BYTES ((size_t)1 << 20) /* of params: read, they take some 40 times as much */

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
    http_error(conn, bb_code_http(run->err.code), "%s", run->err.text);
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

static struct query_run *make_run(struct server *server)
{
    struct query_run *run = calloc(1, sizeof(*run));
    if (run == NULL)
        return NULL;
    size_t text_max = server->settings.max_body + server->settings.max_head;
    buf_init(&run->database, NAME_MAX_BYTES, NULL);
    buf_init(&run->policy, NAME_MAX_BYTES, NULL);
    buf_init(&run->text, text_max, &server->request_budget);
    buf_init(&run->params, PARAMS_MAX_BYTES, &server->request_budget);
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

/** On the query's thread: to look through a body of many parameters must not hold up the loop. */
static void work(struct http_job *job)
{
    struct query_run *run = (struct query_run *)job;
    if (http_query_read(run) != BB_OK) {
        http_job_done(job);
        return;
    }
    result_writer_init(&run->writer, run->type, &run->format, &run->reply, PIECE_BYTES,
                       http_query_flush, run);
    if (run->type == ACCEPT_MSGPACK)
        run->reply.max = (size_t)job->loop->server->settings.request_memory / 2;
    if (run->async)
        http_query_work_async(job);
    else
        http_query_work(job);
}

void http_query_run(struct http_conn *conn)
{
    struct server *server = conn->client.loop->server;
    struct query_run *run = make_run(server);
    if (run == NULL) {
        http_error(conn, 503, "overloaded: no memory for more requests");
        return;
    }
    if (!keep_user(run, conn)) {
        http_query_release(run);
        return;
    }
    run->base.work = work;
    run->read_only = conn->request.method == HTTP_GET;
    run->type = accept_choose(http_text(conn, conn->request.accept));
    run->as_gzip = gzip_accepted(http_text(conn, conn->request.accept_encoding));
    memcpy(run->request_id, conn->request.id, sizeof(run->request_id));
    http_job_submit(&run->base, conn, &server->query_pool);
}
