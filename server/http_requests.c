/**
 * GET /debug/requests: counts of writes and queries by client, over the seconds to come. The
 * request waits on its loop; no thread waits with it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/http_auth.h"
#include "server/http_handlers.h"
#include "server/request_profile.h"

#define SECONDS_PRESET 10
#define SECONDS_MAX    21600
#define JSON_UTF8      "application/json; charset=utf-8"

struct profile_run {
    struct http_job base; /* first */
    struct request_profile *profile;
};

static struct request_profiles *profiles_of(const struct http_conn *conn)
{
    return &conn->client.loop->server->request_profiles;
}

/** "ADDRESS" or "USER:ADDRESS"; false if it has gone. */
static bool put_client(const struct http_conn *conn, char *out, size_t size)
{
    struct sockaddr_storage peer = {0};
    char address[INET6_ADDRSTRLEN];
    int n = sizeof(peer);
    if (uv_tcp_getpeername(&conn->client.tcp, (struct sockaddr *)&peer, &n) != 0 ||
        uv_ip_name((const struct sockaddr *)&peer, address, sizeof(address)) != 0)
        return false;
    const char *user = http_auth_user(conn);
    snprintf(out, size, "%.100s%s%s", user == NULL ? "" : user, user == NULL ? "" : ":", address);
    return true;
}

void http_requests_count(const struct http_conn *conn, bool write)
{
    char client[REQUEST_CLIENT_BYTES];
    if (!request_profiles_wanted(profiles_of(conn)))
        return;
    if (put_client(conn, client, sizeof(client)))
        request_profiles_count(profiles_of(conn), client, write);
}

/* ---- the request ---- */

static void reply(struct http_job *job, struct http_conn *conn)
{
    struct profile_run *run = (struct profile_run *)job;
    struct buf text;
    buf_init(&text, SIZE_MAX, NULL);
    conn->close_after = true; /* as InfluxDB */
    if (request_profile_end(profiles_of(conn), run->profile, &text) == BB_OK)
        http_reply(conn, 200, JSON_UTF8, "", text.data, text.len);
    else
        http_error(conn, 503, "overloaded: no memory for the reply");
    buf_fini(&text);
}

static void abandon(struct http_job *job)
{
    (void)job; /* that there is one lets the connection end when the client does */
}

static void destroy(struct http_job *job)
{
    struct profile_run *run = (struct profile_run *)job;
    request_profile_destroy(&job->loop->server->request_profiles, run->profile);
    free(run);
}

/** As InfluxDB: in the longest unit that gives a whole number. */
static void duration_text(long long seconds, char *out, size_t size)
{
    static const struct {
        long long seconds;
        const char *name;
    } units[] = {{604800, "w"}, {86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    size_t i = 0;
    while (seconds % units[i].seconds != 0)
        i++;
    snprintf(out, size, "%lld%s", seconds / units[i].seconds, units[i].name);
}

/** False: the request has been refused, in the words of InfluxDB. */
static bool get_seconds(struct http_conn *conn, long long *seconds)
{
    struct buf value;
    char *end = NULL;
    char longest[32];
    buf_init(&value, 256, NULL);
    *seconds = SECONDS_PRESET;
    bool ok = http_url_param(conn, "seconds", &value) == BB_OK;
    if (ok && value.len > 0) {
        errno = 0;
        *seconds = strtoll(value.data, &end, 10);
        ok = *end == '\0' && errno == 0 && strchr(" \t\n\v\f\r", value.data[0]) == NULL;
        if (!ok)
            http_error(conn, 400, "strconv.ParseInt: parsing \"%.200s\": %s", value.data,
                       errno == ERANGE ? "value out of range" : "invalid syntax");
    }
    if (ok && *seconds > SECONDS_MAX) {
        duration_text(*seconds, longest, sizeof(longest));
        http_error(conn, 400, "exceeded maximum interval time: %s > 6h", longest);
        ok = false;
    }
    buf_fini(&value);
    return ok;
}

void http_requests_run(struct http_conn *conn)
{
    long long seconds;
    if (!get_seconds(conn, &seconds))
        return;
    struct profile_run *run = calloc(1, sizeof(*run));
    struct request_profile *profile = run == NULL ? NULL : request_profile_begin(profiles_of(conn));
    if (profile == NULL) {
        free(run);
        http_error(conn, 503, "overloaded: too many requests for %s", "/debug/requests");
        return;
    }
    run->profile = profile;
    run->base.reply = reply;
    run->base.abandon = abandon;
    run->base.destroy = destroy;
    http_job_wait(&run->base, conn, seconds > 0 ? (uint64_t)seconds * 1000 : 0);
}
