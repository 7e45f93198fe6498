#include "server/http.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/log.h"

#define PENDING_MAX_BYTES LOOP_READ_BYTES
#define LINGER_MS         5000
#define HALF_CLOSED_MS    1000

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

const char *http_text(const struct http_conn *conn, size_t at)
{
    return at == 0 ? "" : conn->head.data + at;
}

/* ---- the parser's callbacks: the head ---- */

/** Append to the head's texts; -1 where it is too long or there is no memory. */
static int keep(struct http_conn *conn, const char *at, size_t n)
{
    int rc = buf_put(&conn->head, at, n);
    if (rc != BB_OK)
        conn->head_error = rc;
    return rc == BB_OK ? 0 : -1;
}

static int count_head(struct http_conn *conn, size_t n)
{
    conn->head_bytes += n;
    if (conn->head_bytes > server_of(conn)->settings.max_head)
        conn->head_error = BB_ELIMIT;
    return conn->head_error != BB_OK ? -1 : 0;
}

static int on_message_begin(llhttp_t *parser)
{
    struct http_conn *conn = parser->data;
    uint64_t now = now_of(conn);
    memset(&conn->request, 0, sizeof(conn->request));
    conn->head.len = 0;
    conn->body.len = 0;
    conn->head_bytes = conn->name_len = 0;
    conn->received = conn->held = false;
    conn->head_error = BB_OK;
    conn->deadline_ms = now + server_of(conn)->settings.read_timeout;
    conn->request_end_ms = now + server_of(conn)->settings.request_timeout;
    int rc = keep(conn, "", 1); /* offset 0 means "not there" */
    conn->request.path = 1;
    return rc;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
    struct http_conn *conn = parser->data;
    return count_head(conn, n) != 0 ? -1 : keep(conn, at, n);
}

/** Split path and query; "http://host/path" is a path too. */
static int on_url_complete(llhttp_t *parser)
{
    struct http_conn *conn = parser->data;
    if (keep(conn, "", 1) != 0)
        return -1;
    char *url = conn->head.data + conn->request.path;
    char *scheme = strstr(url, "://");
    if (scheme != NULL && url[0] != '/') {
        char *slash = strchr(scheme + 3, '/');
        conn->request.path = slash == NULL ? conn->head.len - 1 : (size_t)(slash - conn->head.data);
        url = conn->head.data + conn->request.path;
    }
    char *mark = strchr(url, '?');
    if (mark != NULL) {
        *mark = '\0';
        conn->request.query = (size_t)(mark + 1 - conn->head.data);
    }
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
    struct http_conn *conn = parser->data;
    for (size_t i = 0; i < n && conn->name_len < HTTP_NAME_MAX; i++) {
        char c = at[i];
        conn->name[conn->name_len++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    return count_head(conn, n);
}

static int on_header_field_complete(llhttp_t *parser)
{
#define HEADER_SLOT(member, text) {text, offsetof(struct http_request, member)},
    static const struct {
        const char *name;
        size_t offset;
    } headers[] = {HTTP_HEADER_TABLE(HEADER_SLOT)};
#undef HEADER_SLOT
    struct http_conn *conn = parser->data;
    conn->value = NULL;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        size_t *slot = (size_t *)(void *)((char *)&conn->request + headers[i].offset);
        if (strlen(headers[i].name) == conn->name_len && *slot == 0 &&
            memcmp(headers[i].name, conn->name, conn->name_len) == 0) {
            *slot = conn->head.len;
            conn->value = slot;
        }
    }
    conn->name_len = 0;
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t n)
{
    struct http_conn *conn = parser->data;
    if (count_head(conn, n) != 0)
        return -1;
    return conn->value == NULL ? 0 : keep(conn, at, n);
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct http_conn *conn = parser->data;
    if (conn->value == NULL)
        return 0;
    conn->value = NULL;
    return keep(conn, "", 1);
}

/** The client's own id if it is fit to be repeated, else a new one. */
static void make_request_id(struct http_conn *conn)
{
    struct loop *loop = conn->client.loop;
    char *id = conn->request.id;
    const char *given = http_text(conn, conn->request.x_request_id);
    if (given[0] == '\0')
        given = http_text(conn, conn->request.request_id);
    size_t n = strlen(given);
    bool fit = n > 0 && n <= HTTP_REQUEST_ID_MAX;
    for (size_t i = 0; i < n && fit; i++)
        fit = given[i] > ' ' && given[i] < 0x7f;
    if (fit) {
        memcpy(id, given, n + 1);
        return;
    }
    uint64_t serial = ++loop->next_request;
    snprintf(id, sizeof(conn->request.id), "%08" PRIx64 "-%04x-4%03x-8000-%012" PRIx64,
             loop->id_seed & UINT32_MAX, (unsigned)(loop->index & 0xffff),
             (unsigned)(loop->id_seed >> 32 & 0xfff), serial & 0xffffffffffff);
}

/** "Expect: 100-continue": the client waits to be asked for the body. */
static bool answer_expect(struct http_conn *conn)
{
    const char *expect = http_text(conn, conn->request.expect);
    if (expect[0] == '\0' || conn->request.http_1_0)
        return true;
    if (strcasecmp(expect, "100-continue") != 0) {
        http_error(conn, 417, "unknown expectation");
        return false;
    }
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t) "HTTP/1.1 100 Continue\r\n\r\n", 25);
    if (uv_try_write((uv_stream_t *)&conn->client.tcp, &buf, 1) != 25) {
        client_close(&conn->client); /* earlier replies are sent, so the socket has room */
        return false;
    }
    return true;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_conn *conn = parser->data;
    struct http_request *request = &conn->request;
    parser->upgrade = 0; /* offers of other protocols are not taken */
    request->method = (llhttp_method_t)parser->method;
    request->http_1_0 = parser->http_minor == 0;
    request->chunked = (parser->flags & F_CHUNKED) != 0;
    request->content_length = parser->content_length;
    request->keep_alive = llhttp_should_keep_alive(parser) != 0;
    make_request_id(conn);
    bool has_body = request->chunked || parser->content_length > 0;
    conn->state = CONN_BODY;
    if (parser->http_major != 1)
        http_error(conn, 505, "HTTP/1.0 and HTTP/1.1 are spoken here");
    else if (http_route(conn) && has_body) {
        if (parser->content_length > server_of(conn)->settings.max_body)
            http_error(conn, 413, "Request Entity Too Large");
        else if (answer_expect(conn))
            loop_take_spare(conn->client.loop, &conn->body);
    }
    if (conn->client.closing || (conn->state != CONN_BODY))
        return -1;
    return has_body ? HPE_PAUSED : 0;
}

/* ---- the parser's callbacks: body and end ---- */

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct http_conn *conn = parser->data;
    if (conn->held)
        return 0;
    if (n > server_of(conn)->settings.max_body - conn->body.len) {
        http_error(conn, 413, "Request Entity Too Large");
        return -1;
    }
    if (at == conn->body.data + conn->body.len)
        conn->body.len += n; /* it was read to its place */
    else if (buf_put(&conn->body, at, n) != BB_OK)
        return -1; /* room was made before the bytes were parsed */
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_conn *conn = parser->data;
    conn->received = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t parser_settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- taking bytes ---- */

static bool receiving(const struct http_conn *conn)
{
    return !conn->client.closing && (conn->state == CONN_HEAD || conn->state == CONN_BODY);
}

static void start_request(struct http_conn *conn)
{
    struct counters *counters = &server_of(conn)->counters;
    count_add(&counters->request_bytes, conn->body.len);
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
        http_error(conn, 400, "malformed request: %s", llhttp_get_error_reason(&conn->parser));
}

/** Parse up to n bytes while a request is being received. Returns how many were taken. */
static size_t feed(struct http_conn *conn, const char *data, size_t n)
{
    if (conn->state == CONN_BODY && !conn->held) {
        int rc = buf_reserve(&conn->body, n);
        if (rc != BB_OK) {
            if (conn->starved_since_ms == 0)
                conn->starved_since_ms = now_of(conn);
            return 0;
        }
    }
    conn->starved_since_ms = 0;
    if (llhttp_get_errno(&conn->parser) == HPE_PAUSED)
        llhttp_resume(&conn->parser);
    llhttp_errno_t rc = llhttp_execute(&conn->parser, data, n);
    if (!receiving(conn))
        return n; /* refused: what follows is dropped */
    size_t used = rc == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&conn->parser) - data);
    if (conn->received)
        start_request(conn);
    else if (rc != HPE_OK && rc != HPE_PAUSED) {
        refuse_malformed(conn);
        return n;
    }
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
    http_error(conn, 400, "the request ended in the middle");
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
        size_t more = feed(conn, data + used, n - used);
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

/** A body of known length is read to where it will stay; never beyond its end. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct http_conn *conn = (struct http_conn *)handle;
    const struct buf *body = &conn->body;
    client_read_shared_buffer(handle, suggested, buf);
    if (conn->state != CONN_BODY || conn->held || conn->request.chunked || conn->pending.len > 0)
        return;
    uint64_t left = conn->request.content_length - body->len;
    if (body->len > 0 && body->cap - body->len >= LOOP_READ_BYTES / 2 && left > 0) {
        size_t room = body->cap - body->len;
        *buf = uv_buf_init(body->data + body->len, (unsigned)(left < room ? left : room));
    }
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
        else if (conn->state == CONN_BUSY || conn->state == CONN_SENDING)
            conn->deadline_ms = now_of(conn) + HALF_CLOSED_MS;
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
        conn->request_end_ms = 0;
        conn->deadline_ms = now_of(conn) + server_of(conn)->settings.idle_timeout;
        loop_give_spare(conn->client.loop, &conn->body);
        buf_fini(&conn->head);
        advance(conn, NULL, 0);
    }
}

void http_progress(struct http_conn *conn)
{
    if (!conn->peer_done || conn->job == NULL)
        conn->deadline_ms = now_of(conn) + server_of(conn)->settings.send_timeout;
}

/* ---- deadlines and ends ---- */

static void request_overdue(struct http_conn *conn, const char *what)
{
    count_add(&server_of(conn)->counters.clients_closed_slow, 1);
    conn->close_after = true;
    http_error(conn, 408, "%s", what);
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
    if (conn->peer_done && conn->job != NULL) {
        client_close(&conn->client); /* nobody waits for the answer */
        return;
    }
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
        http_error(conn, 503, "overloaded: no memory for more requests");
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

void http_accept(struct listener *listener)
{
    struct client *client = client_accept(listener, sizeof(struct http_conn), &ops, refusal);
    if (client == NULL)
        return;
    struct http_conn *conn = (struct http_conn *)client;
    struct server *server = server_of(conn);
    const struct settings *settings = &server->settings;
    llhttp_init(&conn->parser, HTTP_REQUEST, &parser_settings);
    conn->parser.data = conn;
    conn->state = CONN_HEAD;
    conn->deadline_ms = now_of(conn) + settings->idle_timeout;
    /* Room for a terminating NUL behind each kept text, and for reading ahead of the check. */
    buf_init(&conn->head, settings->max_head + 64, &server->request_budget);
    buf_init(&conn->body, settings->max_body + LOOP_READ_BYTES, &server->request_budget);
    buf_init(&conn->pending, PENDING_MAX_BYTES + LOOP_READ_BYTES, NULL);
    buf_init(&conn->out, SIZE_MAX, NULL);
    update_reading(conn);
}
