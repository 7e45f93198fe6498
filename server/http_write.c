/**
 * POST /write. A thread of the write pool parses the lines and puts them into the log's buffer, a
 * long body piece by piece as it comes in; the reply goes out when the log's thread says that they
 * are on disk, so that all requests that wait share one sync and no thread waits with them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/form.h"
#include "server/http_auth.h"
#include "server/http_handlers.h"
#include "server/units.h"
#include "server/write_text.h"

#define NAME_MAX_BYTES ((size_t)64 << 10)

struct write_run {
    struct http_job base; /* first */
    struct write_text text;
    bool last;
    int status;                 /* of the reply when the request has failed; 0: it has not */
    struct bb_error why;        /* it has */
    struct bb_error not_stored; /* the log has failed */
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
            http_error(conn, 404,
                       slash == NULL ? "bucket name \"%.200s\" is missing a slash; not in "
                                       "\"database/retention-policy\" format"
                                     : "bucket name \"%.200s\" is in db/rp form but has an empty "
                                       "database",
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

/** list: ended by NULL. */
static bool is_one_of(const char *text, const char *const *list,
                      int (*compare)(const char *a, const char *b))
{
    while (*list != NULL && compare(text, *list) != 0)
        list++;
    return *list != NULL;
}

/** The two paths have names of their own. */
static bool check_precision(struct http_conn *conn)
{
    static const char *const of_v1[] = {"", "n", "ns", "u", "ms", "s", "m", "h", NULL};
    static const char *const of_v2[] = {"", "ns", "us", "ms", "s", NULL};
    bool v2 = is_v2(conn);
    struct buf value;
    buf_init(&value, NAME_MAX_BYTES, NULL);
    bool ok = http_url_param(conn, "precision", &value) == BB_OK;
    if (ok && !is_one_of(value.data, v2 ? of_v2 : of_v1, strcmp)) {
        http_error(conn, 400, "invalid precision \"%.100s\" (use %s)", value.data,
                   v2 ? "ns, us, ms or s" : "n, u, ms, s, m or h");
        ok = false;
    }
    buf_fini(&value);
    return ok;
}

/** There is one copy of everything, so all levels are the same. As in InfluxDB what is wrong with
 * the database, the body or all of its lines is told before another word is. */
static bool get_consistency(struct http_conn *conn, struct bb_error *wrong)
{
    static const char *const levels[] = {"", "any", "one", "quorum", "all", NULL};
    struct buf value;
    buf_init(&value, NAME_MAX_BYTES, NULL);
    bool ok = http_url_param(conn, "consistency", &value) == BB_OK;
    if (ok && !is_one_of(value.data, levels, strcasecmp)) {
        wrong->code = BB_EINVAL;
        snprintf(wrong->text, sizeof(wrong->text), "invalid consistency level");
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
    ok = ok && http_auth_may_write(conn, database.data);
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
    const struct settings *settings = &conn->client.loop->server->settings;
    conn->body.max = write_text_max_bytes(settings) + LOOP_READ_BYTES;
    conn->piece_bytes = is_compressed(conn) ? write_text_packed_bytes(settings)
                                            : write_text_piece_bytes(settings, 0);
    return check_precision(conn) && check_database(conn);
}

/* ---- on other threads ---- */

static void on_durable(void *arg, const struct bb_error *err)
{
    struct write_run *run = arg;
    if (err != NULL)
        run->not_stored = *err;
    http_job_done(&run->base);
}

/** The end of the request, good or bad: what was stored of it is to be on disk before the reply. */
static void finish(struct write_run *run)
{
    struct bb_db *db = run->text.server->db;
    struct bb_error err;
    /* Once told, the run may be gone. */
    if (bb_durable_notify(db, run->text.at.lsn, on_durable, run, &err) != BB_OK)
        on_durable(run, &err);
}

static void work(struct http_job *job)
{
    struct write_run *run = (struct write_run *)job;
    struct http_conn *conn = job->conn;
    int rc = write_text_put(&run->text, &conn->body, run->last, &run->why);
    if (rc != BB_OK) {
        run->status = bb_code_http(rc);
        finish(run);
    } else if (run->last) {
        finish(run);
    } else {
        const struct settings *settings = &run->text.server->settings;
        conn->piece_rest = conn->body.len;
        if (!run->text.compressed)
            conn->piece_bytes = write_text_piece_bytes(settings, conn->body.len);
        job->more = true;
        http_job_done(job);
    }
}

/* ---- the reply ---- */

/** What was stored before a request failed is stored; who sends it again changes nothing by it. */
static void reply_failure(struct write_run *run, struct http_conn *conn)
{
    uint64_t stored = run->text.total.points_written;
    if (stored > 0 && run->not_stored.code == BB_OK)
        http_error(conn, run->status, "%s; %" PRIu64 " points before that are stored",
                   run->why.text, stored);
    else
        http_error(conn, run->status, "%s", run->why.text);
}

static void reply(struct http_job *job, struct http_conn *conn)
{
    struct write_run *run = (struct write_run *)job;
    const struct bb_error *not_stored = &run->not_stored;
    struct counters *counters = &run->text.server->counters;
    count_add(&counters->http_points_stored, run->text.total.points_written);
    count_add(&counters->http_points_refused, run->text.total.points_rejected);
    if (run->status != 0) {
        reply_failure(run, conn);
        return;
    }
    if (not_stored->code != BB_OK) {
        http_error(conn, bb_code_http(not_stored->code), "%s", not_stored->text);
        return;
    }
    if (run->text.total.points_rejected == 0) {
        http_reply(conn, 204, NULL, "", NULL, 0);
        return;
    }
    struct buf text;
    buf_init(&text, SIZE_MAX, NULL);
    if (rejects_message(&run->text.rejects, &run->text.total, &text) == BB_OK)
        http_error_text(conn, 400, text.data, text.len);
    else
        http_error(conn, 400, "partial write: dropped=%" PRIu64, run->text.total.points_rejected);
    buf_fini(&text);
}

/** A body that does not come to its end. */
static void fail(struct http_job *job, struct http_conn *conn, int status, const char *text)
{
    struct write_run *run = (struct write_run *)job;
    run->status = status;
    snprintf(run->why.text, sizeof(run->why.text), "%s", text);
    if (run->text.at.lsn == 0) {
        reply_failure(run, conn);
        job->destroy(job);
        return;
    }
    if (!conn->received)
        conn->close_after = true;
    conn->state = CONN_BUSY;
    http_job_await(job, conn);
    finish(run);
}

static void destroy(struct http_job *job)
{
    struct write_run *run = (struct write_run *)job;
    write_text_fini(&run->text);
    free(run);
}

/** The run of this request: the one that took the pieces before, or a new one. NULL: replied. */
static struct write_run *get_run(struct http_conn *conn)
{
    struct server *server = conn->client.loop->server;
    struct write_run *run = (struct write_run *)conn->parked;
    if (run != NULL)
        return run;
    run = calloc(1, sizeof(*run));
    if (run == NULL) {
        http_error(conn, 503, "overloaded: no memory for more requests");
        return NULL;
    }
    write_text_init(&run->text, server, is_compressed(conn));
    run->base.work = work;
    run->base.reply = reply;
    run->base.fail = fail;
    run->base.destroy = destroy;
    struct buf precision;
    buf_init(&precision, NAME_MAX_BYTES, NULL);
    bool ok = get_target(conn, &run->text.database, &run->text.policy) &&
              http_url_param(conn, "precision", &precision) == BB_OK &&
              get_consistency(conn, &run->text.wrong);
    if (ok) {
        run->text.precision_ns = units_precision_ns(precision.data);
    } else {
        destroy(&run->base);
        run = NULL;
    }
    buf_fini(&precision);
    return run;
}

static void submit(struct http_conn *conn, bool last)
{
    struct write_run *run = get_run(conn);
    if (run != NULL) {
        if (!last)
            conn->state = CONN_PIECE;
        run->last = last;
        http_job_submit(&run->base, conn, &conn->client.loop->server->write_pool);
    }
}

void http_write_run(struct http_conn *conn)
{
    submit(conn, true);
}

void http_write_v2_run(struct http_conn *conn)
{
    submit(conn, true);
}

void http_write_piece(struct http_conn *conn)
{
    submit(conn, false);
}
