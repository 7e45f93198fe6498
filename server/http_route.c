#include <stdio.h>
#include <string.h>

#include "server/form.h"
#include "server/http_auth.h"
#include "server/http_handlers.h"

#define GET    (1u << HTTP_GET)
#define HEAD   (1u << HTTP_HEAD)
#define POST   (1u << HTTP_POST)
#define DELETE (1u << HTTP_DELETE)

static bool refuse_flux(struct http_conn *conn)
{
    http_error(conn, 403, "Flux is not supported: use InfluxQL at /query");
    return false;
}

static bool refuse_prometheus(struct http_conn *conn)
{
    http_error(conn, 404,
               "Prometheus remote read and write are not supported: use /write and /query");
    return false;
}

static const struct http_route routes[] = {
    {"/write", POST, "POST", false, http_write_check, http_write_run, http_write_piece,
     HTTP_ACCESS_USER},
    {"/query", GET | POST, "GET, POST", false, NULL, http_query_run, NULL, HTTP_ACCESS_USER},
    {"/api/v2/write", POST, "POST", false, http_write_check, http_write_v2_run, http_write_piece,
     HTTP_ACCESS_USER},
    {"/api/v2/query", GET | POST, "GET, POST", false, refuse_flux, NULL, NULL, HTTP_ACCESS_OPEN},
    {"/api/v1/prom/read", POST, "POST", false, refuse_prometheus, NULL, NULL, HTTP_ACCESS_OPEN},
    {"/api/v1/prom/write", POST, "POST", false, refuse_prometheus, NULL, NULL, HTTP_ACCESS_OPEN},
    {"/ping", GET | HEAD, "GET, HEAD", false, NULL, http_ping_run, NULL, HTTP_ACCESS_PING},
    {"/status", GET | HEAD, "GET, HEAD", false, NULL, http_old_status_run, NULL, HTTP_ACCESS_PING},
    {"/health", GET | HEAD, "GET, HEAD", false, NULL, http_health_run, NULL, HTTP_ACCESS_PING},
    {"/metrics", GET | HEAD, "GET, HEAD", false, NULL, http_metrics_run, NULL, HTTP_ACCESS_PING},
    {"/debug/status", GET | HEAD, "GET, HEAD", false, NULL, http_status_run, NULL,
     HTTP_ACCESS_ADMIN},
    {"/debug/vars", GET | HEAD, "GET, HEAD", false, NULL, http_vars_run, NULL, HTTP_ACCESS_PING},
    {"/debug/requests", GET, "GET", false, NULL, http_requests_run, NULL, HTTP_ACCESS_ADMIN},
    {"/debug/rejects", GET | HEAD | POST | DELETE, "GET, HEAD, POST, DELETE", false, NULL,
     http_rejects_run, NULL, HTTP_ACCESS_ADMIN},
    {"/debug/flush", POST, "POST", true, NULL, http_flush_run, NULL, HTTP_ACCESS_ADMIN},
    {"/debug/compact", POST, "POST", true, NULL, http_compact_run, NULL, HTTP_ACCESS_ADMIN},
};

static void count_request(struct http_conn *conn)
{
    struct counters *counters = &conn->client.loop->server->counters;
    const struct http_route *route = conn->request.route;
    conn->request.counted_as = SERVER_PATH_OTHER;
    if (route != NULL && route->check == http_write_check)
        conn->request.counted_as = SERVER_PATH_WRITE;
    else if (route != NULL && route->run == http_query_run)
        conn->request.counted_as = SERVER_PATH_QUERY;
    count_add(&counters->requests[conn->request.counted_as], 1);
}

/** As in InfluxDB what only tells of the server does so below its path too. */
static bool is_at(const struct http_route *route, const char *path)
{
    size_t n = strlen(route->path);
    bool below = route->run == http_vars_run || route->run == http_requests_run;
    return strncmp(route->path, path, n) == 0 && (path[n] == '\0' || (below && path[n] == '/'));
}

bool http_route(struct http_conn *conn)
{
    const char *path = http_text(conn, conn->request.path);
    const struct http_route *route = NULL;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (is_at(&routes[i], path))
            route = &routes[i];
    conn->request.route = route;
    count_request(conn);
    if (route == NULL) {
        http_error(conn, 404, "no such path: %.200s", path);
        return false;
    }
    if (conn->request.method == HTTP_OPTIONS) {
        http_reply(conn, 200, NULL, "", NULL, 0);
        return false;
    }
    unsigned method = (unsigned)conn->request.method;
    if (method >= 32 || (route->methods & 1u << method) == 0) {
        http_error(conn, 405, "method not allowed on %s: use %s", path, route->allow);
        return false;
    }
    if (route->local_only && !client_is_local(&conn->client)) {
        http_error(conn, 403, "%s is for clients on this machine", path);
        return false;
    }
    return http_auth_begin(conn) && http_route_check(conn);
}

bool http_route_check(struct http_conn *conn)
{
    const struct http_route *route = conn->request.route;
    if (conn->request.counted_as != SERVER_PATH_OTHER)
        http_requests_count(conn, conn->request.counted_as == SERVER_PATH_WRITE);
    return route->check == NULL || route->check(conn);
}

void http_param_fault(const char *name, int code, struct bb_error *err)
{
    bool bad = code == BB_EPARSE || code == BB_ELIMIT;
    err->code = bad ? BB_EPARSE : BB_EBUSY;
    if (bad)
        snprintf(err->text, sizeof(err->text), "parameter %s: %s", name,
                 code == BB_EPARSE ? "cannot be read" : "too long");
    else
        snprintf(err->text, sizeof(err->text), "overloaded: no memory for more requests");
}

int http_url_param(struct http_conn *conn, const char *name, struct buf *value)
{
    const char *query = http_text(conn, conn->request.query);
    int rc = form_get(query, strlen(query), name, value);
    if (rc == BB_ENOTFOUND)
        rc = BB_OK;
    if (rc != BB_OK) {
        struct bb_error err;
        http_param_fault(name, rc, &err);
        http_error(conn, bb_code_http(err.code), "%s", err.text);
    }
    return rc;
}
