/**
 * POST /write. A thread of the write pool parses the lines and puts them into the log's buffer; the
 * reply goes out when the log's thread says that they are on disk, so that all requests that wait
 * share one sync and no thread waits with them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/form.h"
#include "server/gunzip.h"
#include "server/http_handlers.h"
#include "server/reject.h"
#include "server/units.h"

#define NAME_MAX_BYTES ((size_t)64 << 10)

struct write_run {
    struct http_job base; /* first */
    _Atomic int pending;  /* the submit and its durability */
    struct buf database, policy;
    struct buf plain; /* the body, if it came compressed */
    bool compressed;
    int64_t precision_ns;
    struct bb_write_result result;
    struct rejects rejects;
    struct bb_error submit_err, durable_err;
};

/** POST /api/v2/write says bucket=DB/POLICY where POST /write says db and rp. */
static bool is_v2(const struct http_conn *conn)
{
    return conn->request.route->run == http_write_v2_run;
}

/** "db/rp" or "db"; refused as InfluxDB 1.8 does. */
static bool split_bucket(struct http_conn *conn, struct buf *database, struct buf *policy)
{
    struct buf bucket;
    buf_init(&bucket, NAME_MAX_BYTES, NULL);
    bool ok = http_url_param(conn, "bucket", &bucket) == BB_OK;
    if (ok) {
        const char *slash = strchr(bucket.data, '/');
        size_t n = slash == NULL ? bucket.len : (size_t)(slash - bucket.data);
        ok = n > 0 && buf_put(database, bucket.data, n) == BB_OK &&
             buf_put(database, "", 1) == BB_OK &&
             buf_put(policy, slash == NULL ? "" : slash + 1, slash == NULL ? 1 : bucket.len - n) ==
                 BB_OK;
        if (ok) {
            database->len--;
            policy->len--;
        } else {
            http_error(conn, 404, "bucket name \"%.200s\" is not in database/retention-policy form",
                       bucket.data);
        }
    }
    buf_fini(&bucket);
    return ok;
}

static bool get_target(struct http_conn *conn, struct buf *database, struct buf *policy)
{
    if (is_v2(conn))
        return split_bucket(conn, database, policy);
    return http_url_param(conn, "db", database) == BB_OK &&
           http_url_param(conn, "rp", policy) == BB_OK;
}

static bool check_precision(struct http_conn *conn)
{
    struct buf value;
    buf_init(&value, NAME_MAX_BYTES, NULL);
    bool ok = http_url_param(conn, "precision", &value) == BB_OK;
    if (ok && units_precision_ns(value.data) == 0) {
        http_error(conn, 400, "invalid precision \"%.100s\" (use n, u, ms, s, m or h)", value.data);
        ok = false;
    }
    buf_fini(&value);
    return ok;
}

static bool check_database(struct http_conn *conn)
{
    struct buf database, policy;
    buf_init(&database, NAME_MAX_BYTES, NULL);
    buf_init(&policy, NAME_MAX_BYTES, NULL);
    bool ok = get_target(conn, &database, &policy);
    if (ok && database.len == 0) {
        http_error(conn, 400, "database is required");
        ok = false;
    }
    buf_fini(&database);
    buf_fini(&policy);
    return ok;
}

static bool is_compressed(const struct http_conn *conn)
{
    return strcasecmp(http_text(conn, conn->request.content_encoding), "gzip") == 0;
}

bool http_write_check(struct http_conn *conn)
{
    const char *encoding = http_text(conn, conn->request.content_encoding);
    if (encoding[0] != '\0' && strcasecmp(encoding, "identity") != 0 && !is_compressed(conn)) {
        http_error(conn, 415, "unsupported Content-Encoding \"%.100s\": use gzip or none",
                   encoding);
        return false;
    }
    return check_precision(conn) && check_database(conn);
}

/* ---- on other threads ---- */

static void finish_half(struct write_run *run, int halves)
{
    if (atomic_fetch_sub(&run->pending, halves) == halves)
        http_job_done(&run->base);
}

static void on_durable(void *arg, const struct bb_error *err)
{
    struct write_run *run = arg;
    if (err != NULL)
        run->durable_err = *err;
    finish_half(run, 1);
}

static int submit(struct write_run *run)
{
    struct http_job *job = &run->base;
    const struct buf *body = &job->conn->body;
    if (run->compressed) {
        int rc = gunzip(body->data, body->len, &run->plain, &run->submit_err);
        if (rc != BB_OK)
            return rc;
        body = &run->plain;
    }
    struct bb_write write = {.database = run->database.data,
                             .retention_policy = run->policy.data,
                             .precision_ns = run->precision_ns,
                             .lines = body->data,
                             .lines_length = body->len,
                             .reject = rejects_add,
                             .reject_arg = &run->rejects};
    int rc = bb_write_submit(job->loop->server->db, &write, &run->result, on_durable, run,
                             &run->submit_err);
    if (rc == BB_OK)
        rejects_count(&run->rejects, &job->loop->server->counters);
    return rc;
}

static void work(struct http_job *job)
{
    struct write_run *run = (struct write_run *)job;
    int rc = submit(run);
    run->submit_err.code = rc;
    finish_half(run, rc == BB_OK ? 1 : 2);
}

/* ---- the reply ---- */

static void reply(struct http_job *job, struct http_conn *conn)
{
    struct write_run *run = (struct write_run *)job;
    const struct bb_error *err = run->submit_err.code != BB_OK ? &run->submit_err
                                                               : &run->durable_err;
    if (err->code != BB_OK) {
        http_error_text(conn, bb_code_http(err->code), err->text, strlen(err->text));
        return;
    }
    if (run->result.points_rejected == 0) {
        http_reply(conn, 204, NULL, "", NULL, 0);
        return;
    }
    struct buf text;
    buf_init(&text, SIZE_MAX, NULL);
    if (rejects_message(&run->rejects, &run->result, &text) == BB_OK)
        http_error_text(conn, 400, text.data, text.len);
    else
        http_error(conn, 400, "partial write: dropped=%" PRIu64, run->result.points_rejected);
    buf_fini(&text);
}

static void destroy(struct http_job *job)
{
    struct write_run *run = (struct write_run *)job;
    buf_fini(&run->database);
    buf_fini(&run->policy);
    buf_fini(&run->plain);
    rejects_fini(&run->rejects);
    free(run);
}

void http_write_run(struct http_conn *conn)
{
    struct server *server = conn->client.loop->server;
    struct write_run *run = calloc(1, sizeof(*run));
    struct buf precision;
    if (run == NULL) {
        http_error(conn, 503, "overloaded: no memory for more requests");
        return;
    }
    atomic_init(&run->pending, 2);
    buf_init(&precision, NAME_MAX_BYTES, NULL);
    buf_init(&run->database, NAME_MAX_BYTES, NULL);
    buf_init(&run->policy, NAME_MAX_BYTES, NULL);
    buf_init(&run->plain, server->settings.max_body, &server->request_budget);
    run->compressed = is_compressed(conn);
    rejects_init(&run->rejects);
    run->base.work = work;
    run->base.reply = reply;
    run->base.destroy = destroy;
    bool ok = get_target(conn, &run->database, &run->policy) &&
              http_url_param(conn, "precision", &precision) == BB_OK;
    if (ok) {
        run->precision_ns = units_precision_ns(precision.data);
        http_job_submit(&run->base, conn, &server->write_pool);
    } else {
        destroy(&run->base);
    }
    buf_fini(&precision);
}

void http_write_v2_run(struct http_conn *conn)
{
    http_write_run(conn);
}
