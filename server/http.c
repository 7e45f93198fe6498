#include "server/http_auth.h"

#include <stdlib.h>
#include <string.h>

#include "server/log.h"

#define PENDING_MAX_BYTES LOOP_READ_BYTES
#define LINGER_MS         5000
#define HALF_CLOSED_MS    50

static const char *const refusal =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    "X-Influxdb-Error: too many connections\r\nRetry-After: 5\r\nConnection: close\r\n"
    "Content-Length: 34\r\n\r\n{\"error\":\"too many connections\"}\r\n";

static void advance(struct http_conn *conn, const char *data, size_t n);
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static struct server *server_of(const struct http_conn *conn)
{
    return conn->client.loop->server;
}

static uint64_t now_of(const struct http_conn *conn)
{
    return loop_now_ms(conn->client.loop);
}

/* ---- taking bytes ---- */

static bool receiving(const struct http_conn *conn)
{
    return !conn->client.closing && (conn->state == CONN_HEAD || conn->state == CONN_BODY);
}

static void start_request(struct http_conn *conn)
{
    struct counters *counters = &server_of(conn)->counters;
    count_add(&counters->request_bytes, conn->body_bytes);
    conn->request.whole_at_ns = uv_hrtime();
    conn->state = CONN_BUSY;
    conn->deadline_ms = conn->request_end_ms = 0;
    if (conn->held) {
        conn->held = false;
        http_reply_ready(conn);
    } else {
        conn->request.route->run(conn);
    }
}

static void refuse_malformed(struct http_conn *conn)
{
    count_add(&server_of(conn)->counters.requests_malformed, 1);
    conn->close_after = true;
    if (conn->head_error == BB_ELIMIT)
        http_error(conn, 431, "request head too large");
    else if (conn->head_error != BB_OK)
        http_error(conn, 503, "overloaded: no memory for more requests");
    else
        http_fail(conn, 400, "malformed request: %s", llhttp_get_error_reason(&conn->parser));
}

/** Room for n bytes of the body. Where others have the memory, a body that goes in pieces makes do
 * with a smaller one. */
static bool make_room(struct http_conn *conn, size_t n)
{
    if (conn->state != CONN_BODY || conn->held || buf_reserve(&conn->body, n) == BB_OK)
        return true;
    if (conn->parked != NULL && conn->body.len > conn->piece_rest)
        conn->request.route->piece(conn);
    else if (conn->starved_since_ms == 0)
        conn->starved_since_ms = now_of(conn);
    return false;
}

/** How many of n bytes to parse at once: no more than end the piece, so that pieces do not depend
 * on how the bytes came. */
static size_t feed_bytes(const struct http_conn *conn, size_t n)
{
    size_t most = LOOP_READ_BYTES;
    if (conn->state == CONN_BODY && !conn->held && conn->piece_bytes != 0 &&
        most > conn->piece_bytes - conn->body.len)
        most = conn->piece_bytes - conn->body.len + 1;
    return n < most ? n : most;
}

static bool piece_is_due(const struct http_conn *conn)
{
    return conn->state == CONN_BODY && !conn->held && conn->piece_bytes != 0 &&
           conn->body.len > conn->piece_bytes;
}

/** Parse up to n bytes while a request is being received. Returns how many were taken. */
static size_t feed(struct http_conn *conn, const char *data, size_t n)
{
    if (!make_room(conn, n))
        return 0;
    conn->starved_since_ms = 0;
    if (llhttp_get_errno(&conn->parser) == HPE_PAUSED)
        llhttp_resume(&conn->parser);
    llhttp_errno_t rc = llhttp_execute(&conn->parser, data, n);
    if (!receiving(conn) && (conn->state != CONN_AUTH || conn->client.closing))
        return n; /* refused: what follows is dropped */
    size_t used = rc == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&conn->parser) - data);
    if (conn->state == CONN_AUTH)
        return used;
    if (conn->received)
        start_request(conn);
    else if (rc != HPE_OK && rc != HPE_PAUSED) {
        refuse_malformed(conn);
        return n;
    }
    if (piece_is_due(conn))
        conn->request.route->piece(conn);
    return used;
}

/** Few bytes are read ahead while a request is worked on; a body is read as it comes. */
static void update_reading(struct http_conn *conn)
{
    bool want = !conn->client.closing && !conn->peer_done && conn->starved_since_ms == 0 &&
                (conn->state == CONN_LINGER || conn->pending.len < PENDING_MAX_BYTES);
    if (want == conn->reading || conn->client.closing)
        return;
    conn->reading = want;
    if (want)
        uv_read_start((uv_stream_t *)&conn->client.tcp, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)&conn->client.tcp);
}

/** Everything has been answered and nothing more will come. */
static void close_if_done(struct http_conn *conn)
{
    if (!conn->peer_done || !receiving(conn) || conn->starved_since_ms != 0)
        return;
    if (conn->request_end_ms == 0) {
        client_close(&conn->client);
        return;
    }
    conn->close_after = true;
    http_fail(conn, 400, "the request ended in the middle");
}

/** Take new bytes (n may be 0) behind the ones that wait, as far as the state allows. */
static void advance(struct http_conn *conn, const char *data, size_t n)
{
    if (conn->advancing)
        return;
    client_hold(&conn->client);
    conn->advancing = true;
    if (conn->pending.len > 0 && n > 0 && conn->state != CONN_LINGER) {
        if (buf_put(&conn->pending, data, n) != BB_OK)
            client_close(&conn->client);
        n = 0;
    }
    bool from_pending = conn->pending.len > 0;
    if (from_pending) {
        data = conn->pending.data;
        n = conn->pending.len;
    }
    size_t used = 0;
    while (used < n && receiving(conn)) {
        size_t more = feed(conn, data + used, feed_bytes(conn, n - used));
        used += more;
        if (more == 0 && conn->starved_since_ms != 0)
            break;
    }
    if (conn->state == CONN_LINGER || conn->client.closing)
        used = n;
    if (from_pending)
        buf_consume(&conn->pending, used);
    else if (used < n && buf_put(&conn->pending, data + used, n - used) != BB_OK)
        client_close(&conn->client);
    if (conn->pending.len == 0 && conn->pending.cap > 0)
        buf_fini(&conn->pending);
    conn->advancing = false;
    close_if_done(conn);
    update_reading(conn);
    client_release(&conn->client);
}

/* ---- reading ---- */

/** A body of known length is read to where it will stay; never beyond its end, nor so far beyond
 * the end of a piece that the rest could not wait in pending. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct http_conn *conn = (struct http_conn *)handle;
    const struct buf *body = &conn->body;
    client_read_shared_buffer(handle, suggested, buf);
    if (conn->state != CONN_BODY || conn->held || conn->request.chunked || conn->pending.len > 0)
        return;
    uint64_t left = conn->request.content_length - conn->body_bytes;
    if (body->len > 0 && body->cap - body->len >= LOOP_READ_BYTES / 2 && left > 0) {
        size_t room = body->cap - body->len;
        if (conn->piece_bytes != 0 && room > conn->piece_bytes + LOOP_READ_BYTES - body->len)
            room = conn->piece_bytes + LOOP_READ_BYTES - body->len;
        *buf = uv_buf_init(body->data + body->len, (unsigned)(left < room ? left : room));
    }
}

/**
 * The client sends no more. Whether it still reads cannot be told, but who has gone looks just like
 * this, so a query gets a moment more and is canceled then, as InfluxDB cancels at once.
 */
static void await_job(struct http_conn *conn)
{
    if (conn->job == NULL || conn->job->abandon == NULL)
        return;
    conn->deadline_ms = now_of(conn) + HALF_CLOSED_MS;
    loop_tick_soon(conn->client.loop, HALF_CLOSED_MS);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct http_conn *conn = (struct http_conn *)stream;
    if (nread == 0)
        return;
    if (nread == UV_EOF) {
        conn->peer_done = true;
        conn->reading = false;
        uv_read_stop(stream);
        if (conn->state == CONN_LINGER)
            client_close(&conn->client);
        else if (conn->state == CONN_BUSY)
            await_job(conn);
        else
            close_if_done(conn);
        return;
    }
    if (nread < 0) {
        client_close(&conn->client);
        return;
    }
    if (conn->state == CONN_BODY)
        conn->deadline_ms = now_of(conn) + server_of(conn)->settings.read_timeout;
    advance(conn, buf->base, (size_t)nread);
}

/* ---- after the reply ---- */

static void linger(struct http_conn *conn)
{
    conn->state = CONN_LINGER;
    conn->deadline_ms = now_of(conn) + LINGER_MS;
    if (uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->client.tcp, NULL) != 0)
        client_close(&conn->client);
    else
        update_reading(conn);
}

void http_reply_sent(struct http_conn *conn)
{
    if (conn->client.closing)
        return;
    buf_fini(&conn->out);
    if (conn->close_after && (conn->received || conn->peer_done))
        client_close(&conn->client);
    else if (conn->close_after)
        linger(conn);
    else {
        conn->state = CONN_HEAD;
        conn->received = false; /* an empty line between requests begins none */
        conn->request_end_ms = 0;
        conn->deadline_ms = now_of(conn) + server_of(conn)->settings.idle_timeout;
        loop_give_spare(conn->client.loop, &conn->body);
        buf_fini(&conn->head);
        advance(conn, NULL, 0);
    }
}

void http_resume(struct http_conn *conn)
{
    if (conn->client.closing)
        return;
    if (conn->state == CONN_BODY) {
        conn->deadline_ms = now_of(conn) + server_of(conn)->settings.read_timeout;
        if (conn->received)
            start_request(conn);
    }
    advance(conn, NULL, 0);
}

void http_progress(struct http_conn *conn)
{
    conn->deadline_ms = now_of(conn) + server_of(conn)->settings.send_timeout;
}

void http_piece_taken(struct http_conn *conn)
{
    conn->deadline_ms = now_of(conn) + server_of(conn)->settings.read_timeout;
    advance(conn, NULL, 0);
}

/* ---- deadlines and ends ---- */

static void request_overdue(struct http_conn *conn, const char *what)
{
    count_add(&server_of(conn)->counters.clients_closed_slow, 1);
    conn->close_after = true;
    http_fail(conn, 408, "%s", what);
}

static void receiving_overdue(struct http_conn *conn)
{
    if (conn->request_end_ms != 0) {
        request_overdue(conn, "request timeout: the request did not arrive in time");
        return;
    }
    count_add(&server_of(conn)->counters.clients_closed_idle, 1);
    client_close(&conn->client);
}

static void sending_overdue(struct http_conn *conn)
{
    size_t unsent = uv_stream_get_write_queue_size((uv_stream_t *)&conn->client.tcp);
    if (unsent == 0 || unsent < conn->unsent) {
        conn->unsent = unsent;
        http_progress(conn);
        return;
    }
    count_add(&server_of(conn)->counters.clients_closed_slow, 1);
    log_event(LOG_INFO, "http close reason=\"client does not read its reply\" request=%s",
              conn->request.id);
    client_close(&conn->client);
}

static void busy_overdue(struct http_conn *conn)
{
    if (conn->peer_done && conn->job != NULL && conn->job->abandon != NULL)
        client_close(&conn->client); /* the one who asked has gone */
    else
        http_job_overdue(conn);
}

static void on_tick(struct client *client, uint64_t now)
{
    struct http_conn *conn = (struct http_conn *)client;
    if (conn->starved_since_ms != 0) {
        if (now - conn->starved_since_ms < server_of(conn)->settings.queue_timeout) {
            advance(conn, NULL, 0);
            return;
        }
        conn->starved_since_ms = 0;
        conn->close_after = true;
        http_fail(conn, 503, "overloaded: no memory for more requests");
        return;
    }
    bool late = conn->deadline_ms != 0 && now >= conn->deadline_ms;
    if (receiving(conn) && conn->request_end_ms != 0 && now >= conn->request_end_ms)
        late = true;
    if (!late)
        return;
    switch (conn->state) {
    case CONN_HEAD:
    case CONN_BODY:
        receiving_overdue(conn);
        break;
    case CONN_AUTH:
        http_auth_overdue(conn);
        break;
    case CONN_PIECE:
    case CONN_BUSY:
        busy_overdue(conn);
        break;
    case CONN_SENDING:
        sending_overdue(conn);
        break;
    case CONN_LINGER:
    default:
        client_close(client);
        break;
    }
}

static void on_stop(struct client *client)
{
    struct http_conn *conn = (struct http_conn *)client;
    conn->close_after = true;
    if (conn->state == CONN_HEAD && conn->request_end_ms == 0)
        client_close(client);
}

static void on_closing(struct client *client)
{
    http_job_abandon((struct http_conn *)client);
}

static void on_destroy(struct client *client)
{
    struct http_conn *conn = (struct http_conn *)client;
    loop_give_spare(client->loop, &conn->body);
    buf_fini(&conn->head);
    buf_fini(&conn->pending);
    buf_fini(&conn->out);
    free(conn);
}

static _Atomic int64_t *count_of(struct server *server)
{
    return &server->connections_http;
}

static const struct client_ops ops = {.tick = on_tick,
                                      .stop = on_stop,
                                      .closing = on_closing,
                                      .destroy = on_destroy,
                                      .count = count_of};

void http_accept(struct listener *listener, int fd)
{
    struct client *client = client_accept(listener, fd, sizeof(struct http_conn), &ops, refusal);
    if (client == NULL)
        return;
    struct http_conn *conn = (struct http_conn *)client;
    struct server *server = server_of(conn);
    const struct settings *settings = &server->settings;
    http_parse_init(conn);
    conn->state = CONN_HEAD;
    conn->deadline_ms = now_of(conn) + settings->idle_timeout;
    /* Room for a terminating NUL behind each kept text, and for reading ahead of the check. */
    buf_init(&conn->head, settings->max_head + 64, &server->request_budget);
    buf_init(&conn->body, settings->max_body + LOOP_READ_BYTES, &server->request_budget);
    buf_init(&conn->pending, PENDING_MAX_BYTES + LOOP_READ_BYTES, NULL);
    buf_init(&conn->out, SIZE_MAX, NULL);
    update_reading(conn);
}
