#include <stdarg.h>
#include <stdio.h>

#include "server/http.h"

static void on_run(struct job *job)
{
    struct http_job *http_job = (struct http_job *)job;
    http_job->work(http_job);
}

static void detach(struct http_job *job)
{
    struct http_conn *conn = job->conn;
    conn->job = NULL;
    job->destroy(job);
    client_release(&conn->client);
}

/** What is refused in the middle of the body may be held until its end, or end the connection. */
static void leave_piece(struct http_conn *conn)
{
    if (conn->state == CONN_PIECE)
        conn->state = CONN_BODY;
}

/** The rest of the body is to be taken or, where the reply is held for it, to be dropped. */
static void go_on(struct http_conn *conn)
{
    if (conn->state == CONN_BODY && !conn->client.closing)
        http_piece_taken(conn);
}

static void on_done(struct message *message)
{
    struct http_job *job = (struct http_job *)(void *)((char *)message -
                                                       offsetof(struct http_job, done));
    struct http_conn *conn = job->conn;
    bool more = job->more && !conn->client.closing;
    conn->job = NULL; /* a reply may start the next request, with a job of its own */
    job->more = false;
    leave_piece(conn);
    if (more) {
        conn->parked = job;
    } else {
        if (!conn->client.closing)
            job->reply(job, conn);
        job->destroy(job);
    }
    go_on(conn);
    client_release(&conn->client);
}

void http_job_await(struct http_job *job, struct http_conn *conn)
{
    job->done.run = on_done;
    job->conn = conn;
    job->loop = conn->client.loop;
    conn->job = job;
    conn->parked = NULL;
    conn->deadline_ms = 0;
    client_hold(&conn->client);
}

static void fail(struct http_job *job, struct http_conn *conn, int status, const char *text)
{
    if (job->fail != NULL) {
        job->fail(job, conn, status, text);
        return;
    }
    job->destroy(job);
    http_error(conn, status, "%s", text);
}

/** The job will not run. */
static void refuse(struct http_job *job, const char *text)
{
    struct http_conn *conn = job->conn;
    conn->job = NULL;
    leave_piece(conn);
    fail(job, conn, 503, text);
    go_on(conn);
    client_release(&conn->client);
}

void http_job_submit(struct http_job *job, struct http_conn *conn, struct pool *pool)
{
    struct loop *loop = conn->client.loop;
    http_job_await(job, conn);
    job->job.run = on_run;
    job->pool = pool;
    conn->deadline_ms = loop_now_ms(loop) + loop->server->settings.queue_timeout;
    if (!pool_submit(pool, &job->job))
        refuse(job, "overloaded: no thread can be started");
}

void http_job_wait(struct http_job *job, struct http_conn *conn, uint64_t ms)
{
    http_job_await(job, conn);
    job->pool = NULL;
    conn->deadline_ms = loop_now_ms(conn->client.loop) + ms;
}

void http_job_done(struct http_job *job)
{
    loop_post(job->loop, &job->done);
}

void http_job_abandon(struct http_conn *conn)
{
    struct http_job *job = conn->job;
    if (conn->parked != NULL) {
        conn->parked->destroy(conn->parked);
        conn->parked = NULL;
    }
    if (job == NULL)
        return;
    if (job->pool == NULL || pool_cancel(job->pool, &job->job))
        detach(job);
    else if (job->abandon != NULL)
        job->abandon(job);
}

void http_job_overdue(struct http_conn *conn)
{
    struct http_job *job = conn->job;
    conn->deadline_ms = 0;
    if (job != NULL && job->pool == NULL)
        on_done(&job->done);
    else if (job != NULL && pool_cancel(job->pool, &job->job))
        refuse(job, "overloaded: too many requests wait");
}

void http_fail(struct http_conn *conn, int status, const char *fmt, ...)
{
    char text[BB_ERROR_TEXT_MAX];
    struct http_job *job = conn->parked;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    conn->parked = NULL;
    if (job == NULL)
        http_error(conn, status, "%s", text);
    else
        fail(job, conn, status, text);
}
