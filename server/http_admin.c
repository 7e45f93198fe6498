/**
 * /ping, /health, /metrics and the operator's endpoints under /debug. All but /ping ask the engine,
 * which may wait for its locks or its disk: they run on a pool.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/debug_vars.h"
#include "server/http_admin.h"
#include "server/http_handlers.h"
#include "server/json.h"
#include "server/metrics.h"
#include "server/status.h"
#include "server/version.h"

#define TEXT_MAX_BYTES ((size_t)64 << 20)

static void work(struct http_job *job)
{
    struct admin_run *run = (struct admin_run *)job;
    int rc = run->ask(run, job->loop->server);
    if (rc != BB_OK && run->err.code == BB_OK) {
        run->err.code = rc;
        snprintf(run->err.text, sizeof(run->err.text), "%s", bb_code_text(rc));
    }
    http_job_done(job);
}

static void reply(struct http_job *job, struct http_conn *conn)
{
    struct admin_run *run = (struct admin_run *)job;
    if (run->err.code != BB_OK)
        http_error_text(conn, bb_code_http(run->err.code), run->err.text, strlen(run->err.text));
    else
        http_reply(conn, run->status, run->text.len > 0 ? run->type : NULL, "", run->text.data,
                   run->text.len);
}

static void destroy(struct http_job *job)
{
    struct admin_run *run = (struct admin_run *)job;
    buf_fini(&run->ids);
    buf_fini(&run->text);
    free(run);
}

struct admin_run *admin_run_make(struct http_conn *conn,
                                 int (*ask)(struct admin_run *, struct server *), const char *type,
                                 int status)
{
    struct admin_run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        http_error(conn, 503, "overloaded: no memory for more requests");
        return NULL;
    }
    run->base.work = work;
    run->base.reply = reply;
    run->base.destroy = destroy;
    run->ask = ask;
    run->type = type;
    run->status = status;
    buf_init(&run->text, TEXT_MAX_BYTES, NULL);
    buf_init(&run->ids, (size_t)1 << 20, NULL);
    return run;
}

/* ---- what is asked ---- */

static int ask_health(struct admin_run *run, struct server *server)
{
    struct bb_stats stats;
    struct json json;
    bb_stats_get(server->db, &stats);
    if (stats.read_only)
        run->status = 503;
    jsonw_init(&json, &run->text, false);
    jsonw_object_begin(&json);
    jsonw_key(&json, "checks");
    jsonw_array_begin(&json);
    jsonw_array_end(&json);
    jsonw_key(&json, "message");
    jsonw_cstring(&json, stats.read_only ? "read-only after an I/O error of the log"
                                         : "ready for queries and writes");
    jsonw_key(&json, "name");
    jsonw_cstring(&json, "influxdb"); /* clients look for it */
    jsonw_key(&json, "status");
    jsonw_cstring(&json, stats.read_only ? "fail" : "pass");
    jsonw_key(&json, "version");
    jsonw_cstring(&json, SERVER_INFLUXDB_VERSION);
    jsonw_object_end(&json);
    jsonw_newline(&json);
    return json.err;
}

static int ask_metrics(struct admin_run *run, struct server *server)
{
    return metrics_write(server, &run->text);
}

static int ask_status(struct admin_run *run, struct server *server)
{
    return status_write(server, &run->text, &run->err);
}

static int ask_vars(struct admin_run *run, struct server *server)
{
    return debug_vars_write(server, &run->text, &run->err);
}

static int ask_flush(struct admin_run *run, struct server *server)
{
    return bb_flush(server->db, &run->err);
}

static int ask_compact(struct admin_run *run, struct server *server)
{
    return bb_compact(server->db, run->full, &run->err);
}

/* ---- routes ---- */

/** Whether "NAME=true" or "NAME=1" stands in the URL; false when the request has been refused. */
static bool has_flag(struct http_conn *conn, const char *name, bool *on)
{
    struct buf value;
    buf_init(&value, 64, NULL);
    bool ok = http_url_param(conn, name, &value) == BB_OK;
    *on = ok && (strcmp(value.data, "true") == 0 || strcmp(value.data, "1") == 0);
    buf_fini(&value);
    return ok;
}

void http_ping_run(struct http_conn *conn)
{
    static const char body[] = "{\"version\":\"" SERVER_INFLUXDB_VERSION "\"}";
    struct buf value;
    buf_init(&value, 64, NULL);
    count_add(&conn->client.loop->server->counters.pings, 1);
    bool ok = http_url_param(conn, "verbose", &value) == BB_OK;
    bool verbose = ok && value.len > 0 && strcmp(value.data, "0") != 0 &&
                   strcmp(value.data, "false") != 0;
    buf_fini(&value);
    if (!ok)
        return;
    if (verbose)
        http_reply(conn, 200, "application/json", "", body, sizeof(body) - 1);
    else
        http_reply(conn, 204, NULL, "", NULL, 0);
}

/** InfluxDB had it before /ping. */
void http_old_status_run(struct http_conn *conn)
{
    http_reply(conn, 204, NULL, "", NULL, 0);
}

void http_health_run(struct http_conn *conn)
{
    struct admin_run *run = admin_run_make(conn, ask_health, "application/json", 200);
    if (run != NULL)
        http_job_submit(&run->base, conn, &conn->client.loop->server->admin_pool);
}

void http_metrics_run(struct http_conn *conn)
{
    struct admin_run *run = admin_run_make(conn, ask_metrics,
                                           "text/plain; version=0.0.4; charset=utf-8", 200);
    if (run != NULL)
        http_job_submit(&run->base, conn, &conn->client.loop->server->admin_pool);
}

void http_status_run(struct http_conn *conn)
{
    struct admin_run *run = admin_run_make(conn, ask_status, "application/json", 200);
    if (run != NULL)
        http_job_submit(&run->base, conn, &conn->client.loop->server->admin_pool);
}

void http_vars_run(struct http_conn *conn)
{
    struct admin_run *run = admin_run_make(conn, ask_vars, "application/json; charset=utf-8", 200);
    if (run != NULL)
        http_job_submit(&run->base, conn, &conn->client.loop->server->admin_pool);
}

void http_flush_run(struct http_conn *conn)
{
    struct admin_run *run = admin_run_make(conn, ask_flush, NULL, 204);
    if (run != NULL)
        http_job_submit(&run->base, conn, &conn->client.loop->server->admin_pool);
}

/* pause=true or pause=false: only that. */
static bool set_pause(struct http_conn *conn)
{
    struct buf value;
    buf_init(&value, 64, NULL);
    bool ok = http_url_param(conn, "pause", &value) == BB_OK;
    bool on = ok && strcmp(value.data, "true") == 0;
    bool given = ok && value.len > 0;
    if (given && !on && strcmp(value.data, "false") != 0) {
        http_error(conn, 400, "parameter pause: true or false");
    } else if (given) {
        bb_compact_pause(conn->client.loop->server->db, on);
        http_reply(conn, 204, NULL, "", NULL, 0);
    }
    buf_fini(&value);
    return ok && !given;
}

void http_compact_run(struct http_conn *conn)
{
    bool full;
    if (!set_pause(conn) || !has_flag(conn, "full", &full))
        return;
    struct admin_run *run = admin_run_make(conn, ask_compact, NULL, 204);
    if (run == NULL)
        return;
    run->full = full;
    http_job_submit(&run->base, conn, &conn->client.loop->server->admin_pool);
}
