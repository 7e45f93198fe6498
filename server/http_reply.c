#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/accept.h"
#include "server/http.h"
#include "server/version.h"

/* A refused request whose body is at most this long is read to its end, so that the connection
 * stays usable. */
#define DROP_MAX_BYTES      ((uint64_t)256 << 10)
#define ERROR_HEADER_MAX    1024
#define RETRY_AFTER_SECONDS 5
#define ORIGIN_MAX          1024

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{200, "OK"},
                 {204, "No Content"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {413, "Request Entity Too Large"},
                 {415, "Unsupported Media Type"},
                 {417, "Expectation Failed"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"},
                 {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Unknown";
}

static void count_reply(struct http_conn *conn, int status)
{
    struct counters *counters = &conn->client.loop->server->counters;
    _Atomic uint64_t *counter = status < 400   ? &counters->replies_2xx
                                : status < 500 ? &counters->replies_4xx
                                               : &counters->replies_5xx;
    count_add(counter, 1);
    if (status >= 400 && status < SERVER_STATUS_MAX)
        count_add(&counters->errors[status - 400], 1);
    if (conn->request.whole_at_ns != 0)
        bb_latency_add(&counters->request_latency[conn->request.counted_as],
                       uv_hrtime() - conn->request.whole_at_ns);
}

/** Pages of any origin may ask, as InfluxDB lets them. */
static int put_cors(struct http_conn *conn, struct buf *out)
{
    const char *origin = http_text(conn, conn->request.origin);
    if (origin[0] == '\0' || strlen(origin) > ORIGIN_MAX)
        return BB_OK;
    return buf_printf(out,
                      "Access-Control-Allow-Origin: %s\r\n"
                      "Access-Control-Allow-Methods: DELETE, GET, OPTIONS, POST, PUT\r\n"
                      "Access-Control-Allow-Headers: Accept, Accept-Encoding, Authorization, "
                      "Content-Length, Content-Type, X-CSRF-Token, X-HTTP-Method-Override\r\n"
                      "Access-Control-Expose-Headers: Date, X-InfluxDB-Version, "
                      "X-InfluxDB-Build\r\n",
                      origin);
}

/** Everything but what says how long the body is. */
static int put_head(struct http_conn *conn, int status, const char *type, const char *extra)
{
    struct buf *out = &conn->out;
    char date[64];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    count_reply(conn, status);
    if (status == 204 && type == NULL) /* InfluxDB has it, though there is no content */
        type = accept_name(accept_choose(http_text(conn, conn->request.accept)));
    out->len = 0;
    int rc = buf_printf(out, "HTTP/1.1 %d %s\r\n", status, status_text(status));
    if (rc == BB_OK && type != NULL)
        rc = buf_printf(out, "Content-Type: %s\r\n", type);
    if (rc == BB_OK)
        rc = buf_printf(out,
                        "Date: %s\r\nRequest-Id: %s\r\nX-Influxdb-Build: Busbar\r\n"
                        "X-Influxdb-Version: " SERVER_INFLUXDB_VERSION "\r\nX-Request-Id: %s\r\n%s",
                        date, conn->request.id, conn->request.id, extra);
    if (rc == BB_OK)
        rc = put_cors(conn, out);
    if (rc == BB_OK && conn->close_after)
        rc = buf_printf(out, "Connection: close\r\n");
    else if (rc == BB_OK && conn->request.http_1_0)
        rc = buf_printf(out, "Connection: keep-alive\r\n");
    return rc;
}

static void on_out_written(uv_write_t *write, int status)
{
    struct http_conn *conn = write->data;
    if (status == 0)
        http_reply_sent(conn);
    else
        client_close(&conn->client);
}

/** Most replies fit into the socket's buffer: they go without a round through the loop. */
static void send_out(struct http_conn *conn)
{
    uv_stream_t *stream = (uv_stream_t *)&conn->client.tcp;
    uv_buf_t buf = uv_buf_init(conn->out.data, (unsigned)conn->out.len);
    int written = uv_try_write(stream, &buf, 1);
    if (written == (int)conn->out.len) {
        http_reply_sent(conn);
        return;
    }
    if (written > 0) {
        buf.base += written;
        buf.len -= (size_t)written;
    }
    conn->out_write.data = conn;
    if ((written < 0 && written != UV_EAGAIN) ||
        uv_write(&conn->out_write, stream, &buf, 1, on_out_written) != 0)
        client_close(&conn->client);
}

void http_reply_ready(struct http_conn *conn)
{
    conn->state = CONN_SENDING;
    http_progress(conn);
    send_out(conn);
}

/**
 * A request that is refused before it is there: the reply waits for the end of a short body; with a
 * long one, or with a client that waits to be asked for it, the connection ends.
 */
static bool hold(struct http_conn *conn)
{
    const struct http_request *request = &conn->request;
    if (conn->state != CONN_BODY || conn->received)
        return false;
    conn->held = !conn->close_after && !request->chunked && request->expect == 0 &&
                 request->content_length <= DROP_MAX_BYTES;
    if (!conn->held)
        conn->close_after = true;
    return conn->held;
}

void http_reply(struct http_conn *conn, int status, const char *type, const char *extra,
                const void *body, size_t n)
{
    bool held = hold(conn);
    if (!conn->request.keep_alive)
        conn->close_after = true;
    int rc = put_head(conn, status, type, extra);
    if (rc == BB_OK && status != 204)
        rc = buf_printf(&conn->out, "Content-Length: %zu\r\n", n);
    if (rc == BB_OK)
        rc = buf_put(&conn->out, "\r\n", 2);
    if (rc == BB_OK && status != 204 && conn->request.method != HTTP_HEAD)
        rc = buf_put(&conn->out, body, n);
    if (rc != BB_OK)
        client_close(&conn->client);
    else if (!held)
        http_reply_ready(conn);
}

/** The text as the value of a header: control characters become spaces. */
static void put_header_text(char *out, const char *text, size_t n)
{
    if (n > ERROR_HEADER_MAX)
        n = ERROR_HEADER_MAX;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    out[n] = '\0';
}

void http_error_text(struct http_conn *conn, int status, const char *text, size_t n)
{
    char header[ERROR_HEADER_MAX + 1];
    char extra[ERROR_HEADER_MAX + 128];
    put_header_text(header, text, n);
    int len = snprintf(extra, sizeof(extra), "X-Influxdb-Error: %s\r\n", header);
    if (status == 503)
        snprintf(extra + len, sizeof(extra) - (size_t)len, "Retry-After: %d\r\n",
                 RETRY_AFTER_SECONDS);
    else if (status == 401)
        snprintf(extra + len, sizeof(extra) - (size_t)len,
                 "WWW-Authenticate: Basic realm=\"InfluxDB\"\r\n");
    else if (status == 405)
        snprintf(extra + len, sizeof(extra) - (size_t)len, "Allow: %s\r\n",
                 conn->request.route->allow);
    struct buf body;
    const char *type;
    buf_init(&body, SIZE_MAX, NULL);
    if (http_error_body(conn, text, n, &body, &type) == BB_OK)
        http_reply(conn, status, type, extra, body.data, body.len);
    else
        client_close(&conn->client);
    buf_fini(&body);
}

void http_error(struct http_conn *conn, int status, const char *fmt, ...)
{
    char text[BB_ERROR_TEXT_MAX + 64];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (status == 503 && strncmp(text, "overloaded", 10) == 0)
        count_add(&conn->client.loop->server->counters.overloads, 1);
    http_error_text(conn, status, text, strlen(text));
}

/* ---- replies of unknown length ---- */

static void on_head_written(uv_write_t *write, int status)
{
    struct http_conn *conn = write->data;
    if (status != 0)
        client_close(&conn->client);
}

void http_stream_begin(struct http_conn *conn, int status, const char *type, const char *extra)
{
    /* HTTP/1.0 knows no chunks: the end of the connection ends the reply. */
    if (!conn->request.keep_alive || conn->request.http_1_0)
        conn->close_after = true;
    int rc = put_head(conn, status, type, extra);
    if (rc == BB_OK && !conn->request.http_1_0)
        rc = buf_printf(&conn->out, "Transfer-Encoding: chunked\r\n");
    if (rc == BB_OK)
        rc = buf_put(&conn->out, "\r\n", 2);
    conn->state = CONN_SENDING;
    http_progress(conn);
    uv_buf_t buf = uv_buf_init(conn->out.data, (unsigned)conn->out.len);
    conn->out_write.data = conn;
    if (rc != BB_OK ||
        uv_write(&conn->out_write, (uv_stream_t *)&conn->client.tcp, &buf, 1, on_head_written) != 0)
        client_close(&conn->client);
}

static void on_piece_written(uv_write_t *write, int status)
{
    struct http_piece *piece = (struct http_piece *)write;
    struct http_conn *conn = write->data;
    if (status == 0)
        http_progress(conn);
    else
        client_close(&conn->client);
    piece->sent(piece, status == 0);
}

void http_stream_put(struct http_conn *conn, struct http_piece *piece)
{
    uv_buf_t bufs[3] = {uv_buf_init(piece->size_line, 0),
                        uv_buf_init(piece->data.data, (unsigned)piece->data.len),
                        uv_buf_init((char *)(uintptr_t) "\r\n", 2)};
    if (conn->client.closing) {
        piece->sent(piece, false);
        return;
    }
    bufs[0].len = (size_t)snprintf(piece->size_line, sizeof(piece->size_line), "%zx\r\n",
                                   piece->data.len);
    bool framed = !conn->request.http_1_0;
    piece->write.data = conn;
    if (uv_write(&piece->write, (uv_stream_t *)&conn->client.tcp, framed ? bufs : bufs + 1,
                 framed ? 3 : 1, on_piece_written) != 0) {
        client_close(&conn->client);
        piece->sent(piece, false);
    }
}

void http_stream_end(struct http_conn *conn)
{
    uv_buf_t end = uv_buf_init((char *)(uintptr_t) "0\r\n\r\n", conn->request.http_1_0 ? 0 : 5);
    conn->end_write.data = conn;
    if (!conn->client.closing &&
        uv_write(&conn->end_write, (uv_stream_t *)&conn->client.tcp, &end, 1, on_out_written) != 0)
        client_close(&conn->client);
}
