#include "server/http_auth.h"

#include <stdlib.h>
#include <string.h>

#include "server/auth.h"
#include "server/log.h"

#define LOGGED_NAME_MAX 128

struct auth_run {
    struct http_job base; /* first */
    struct auth auth;
    struct bb_error err;
};

static struct server *server_of(const struct http_conn *conn)
{
    return conn->client.loop->server;
}

const char *http_auth_user(const struct http_conn *conn)
{
    return conn->request.user == 0 ? NULL : http_text(conn, conn->request.user);
}

/* ---- what is found ---- */

static void refuse(struct http_conn *conn, int status, const char *text)
{
    count_add(&server_of(conn)->counters.auth_failures, 1);
    http_error(conn, status, "%s", text);
}

/** The name stands among the head's texts then. */
static bool keep_user(struct http_conn *conn, const struct auth *auth)
{
    size_t at = conn->head.len;
    if (buf_put(&conn->head, auth->user.data, auth->user.len + 1) != BB_OK) {
        http_error(conn, 503, "overloaded: no memory for more requests");
        return false;
    }
    conn->request.user = at;
    return true;
}

static bool check_access(struct http_conn *conn)
{
    const char *user = http_auth_user(conn);
    if (conn->request.route->access != HTTP_ACCESS_ADMIN)
        return true;
    if (user == NULL)
        refuse(conn, 403, "create admin user first or disable authentication");
    else if (!bb_user_is_admin(server_of(conn)->db, user))
        http_error(conn, 403, "\"%.200s\" user is not an administrator, which %s requires", user,
                   conn->request.route->path);
    else
        return true;
    return false;
}

/** The password has been checked; false: refused. */
static bool settle(struct http_conn *conn, const struct auth *auth, const struct bb_error *err)
{
    char name[LOGGED_NAME_MAX];
    if (err->code == BB_OK)
        return keep_user(conn, auth) && check_access(conn);
    if (err->code == BB_EUNAUTHORIZED) {
        log_event(LOG_INFO, "login refused user=%s request=%s",
                  log_quote(name, sizeof(name), auth->user.data, auth->user.len), conn->request.id);
        refuse(conn, 401, err->text);
    } else {
        http_error(conn, bb_code_http(err->code), "%s", err->text);
    }
    return false;
}

/* ---- hashing on a thread ---- */

static void work(struct http_job *job)
{
    struct auth_run *run = (struct auth_run *)job;
    run->err.code = bb_user_check(job->loop->server->db, run->auth.user.data,
                                  run->auth.password.data, &run->err);
    http_job_done(job);
}

static void reply(struct http_job *job, struct http_conn *conn)
{
    struct auth_run *run = (struct auth_run *)job;
    conn->state = CONN_BODY;
    if (settle(conn, &run->auth, &run->err) && http_route_check(conn))
        http_head_taken(conn);
    http_resume(conn);
}

static void destroy(struct http_job *job)
{
    struct auth_run *run = (struct auth_run *)job;
    auth_fini(&run->auth);
    free(run);
}

/** Takes over what auth holds. */
static void wait_for_hash(struct http_conn *conn, struct auth *auth)
{
    struct auth_run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        http_error(conn, 503, "overloaded: no memory for more requests");
        return;
    }
    run->auth = *auth;
    auth_init(auth);
    run->base.work = work;
    run->base.reply = reply;
    run->base.destroy = destroy;
    http_job_submit(&run->base, conn, &server_of(conn)->auth_pool);
    if (conn->job == &run->base)
        conn->state = CONN_AUTH;
}

void http_auth_overdue(struct http_conn *conn)
{
    conn->state = CONN_BODY; /* a refusal may be held until the body's end */
    http_job_overdue(conn);
    if (conn->job != NULL)
        conn->state = CONN_AUTH; /* it is being hashed */
    else
        http_resume(conn);
}

/* ---- the request ---- */

static bool is_asked(const struct http_conn *conn)
{
    const struct settings *settings = &server_of(conn)->settings;
    enum http_access access = conn->request.route->access;
    if (strcmp(settings->auth_enabled, "true") != 0 || access == HTTP_ACCESS_OPEN)
        return false;
    return access != HTTP_ACCESS_PING || strcmp(settings->ping_auth_enabled, "true") == 0;
}

static bool check_password(struct http_conn *conn, struct auth *auth)
{
    struct bb_error err;
    if (auth->user.len == 0) {
        refuse(conn, 401, "username required");
        return false;
    }
    err.code = bb_user_check_at_once(server_of(conn)->db, auth->user.data, auth->password.data,
                                     &err);
    if (err.code != BB_EBUSY)
        return settle(conn, auth, &err);
    wait_for_hash(conn, auth);
    return false;
}

static bool check(struct http_conn *conn, struct auth *auth)
{
    int rc = auth_read(auth, http_text(conn, conn->request.query),
                       http_text(conn, conn->request.authorization));
    if (rc == BB_ENOMEM || rc == BB_EBUSY) {
        http_error(conn, 503, "overloaded: no memory for more requests");
        return false;
    }
    if (rc == BB_OK && auth->kind == AUTH_PASSWORD)
        return check_password(conn, auth);
    if (rc == BB_OK && auth->kind == AUTH_BEARER)
        refuse(conn, 401, "bearer auth disabled");
    else
        refuse(conn, 401, "unable to parse authentication credentials");
    return false;
}

bool http_auth_begin(struct http_conn *conn)
{
    struct auth auth;
    if (!is_asked(conn))
        return true;
    /* As InfluxDB: without an administrator nobody can log in, and little is allowed to nobody. */
    if (!bb_user_admin_exists(server_of(conn)->db))
        return check_access(conn);
    auth_init(&auth);
    bool ok = check(conn, &auth);
    auth_fini(&auth);
    return ok;
}

bool http_auth_may_write(struct http_conn *conn, const char *database)
{
    struct bb_error err;
    if (!is_asked(conn))
        return true;
    int rc = bb_user_may_write(server_of(conn)->db, http_auth_user(conn), database, &err);
    if (rc != BB_OK)
        http_error_text(conn, bb_code_http(rc), err.text, strlen(err.text));
    return rc == BB_OK;
}
