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

static void on_done(struct message *message)
{
    struct http_job *job = (struct http_job *)(void *)((char *)message -
                                                       offsetof(struct http_job, done));
    struct http_conn *conn = job->conn;
    conn->job = NULL; /* a reply may start the next request, with a job of its own */
    if (!conn->client.closing)
        job->reply(job, conn);
    job->destroy(job);
    client_release(&conn->client);
}

void http_job_submit(struct http_job *job, struct http_conn *conn, struct pool *pool)
{
    struct loop *loop = conn->client.loop;
    job->job.run = on_run;
    job->done.run = on_done;
    job->conn = conn;
    job->pool = pool;
    job->loop = loop;
    conn->job = job;
    conn->deadline_ms = loop_now_ms(loop) + loop->server->settings.queue_timeout;
    client_hold(&conn->client);
    if (!pool_submit(pool, &job->job)) {
        detach(job);
        http_error(conn, 503, "overloaded: no thread can be started");
    }
}

void http_job_wait(struct http_job *job, struct http_conn *conn, uint64_t ms)
{
    struct loop *loop = conn->client.loop;
    job->done.run = on_done;
    job->conn = conn;
    job->pool = NULL;
    job->loop = loop;
    conn->job = job;
    conn->deadline_ms = loop_now_ms(loop) + ms;
    client_hold(&conn->client);
}

void http_job_done(struct http_job *job)
{
    loop_post(job->loop, &job->done);
}

void http_job_abandon(struct http_conn *conn)
{
    struct http_job *job = conn->job;
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
    if (job != NULL && job->pool == NULL) {
        on_done(&job->done);
        return;
    }
    if (job == NULL || !pool_cancel(job->pool, &job->job))
        return;
    client_hold(&conn->client);
    detach(job);
    http_error(conn, 503, "overloaded: too many requests wait");
    client_release(&conn->client);
}
