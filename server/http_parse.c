/**
 * llhttp's callbacks: they keep what is needed of a request and refuse it as soon as it can be seen
 * that it must be.
 *
 * The parser pauses behind a head that announces a body, so that room for the body can be made
 * before its bytes are taken, and at the end of each request.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/http.h"

static struct server *server_of(const struct http_conn *conn)
{
    return conn->client.loop->server;
}

const char *http_text(const struct http_conn *conn, size_t at)
{
    return at == 0 ? "" : conn->head.data + at;
}

/* ---- the head ---- */

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
    uint64_t now = loop_now_ms(conn->client.loop);
    memset(&conn->request, 0, sizeof(conn->request));
    conn->head.len = 0;
    conn->body.len = 0;
    conn->body.max = server_of(conn)->settings.max_body + LOOP_READ_BYTES;
    conn->body_bytes = 0;
    conn->piece_bytes = conn->piece_rest = 0;
    conn->head_bytes = conn->name_len = 0;
    conn->received = conn->held = false;
    conn->head_error = BB_OK;
    conn->deadline_ms = now + server_of(conn)->settings.read_timeout;
    conn->request_end_ms = now + server_of(conn)->settings.request_timeout;
    conn->value = NULL;
    return keep(conn, "", 1); /* offset 0 means "not there" */
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
    conn->request.path = 1;
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
    if (memchr(at, ' ', n) != NULL) { /* before the colon: others would read another header */
        llhttp_set_error_reason(parser, "Invalid header field char");
        return -1;
    }
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
            conn->value = slot;
            conn->value_at = conn->head.len;
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
    size_t *slot = conn->value;
    if (slot == NULL)
        return 0;
    conn->value = NULL;
    if (keep(conn, "", 1) != 0)
        return -1;
    *slot = conn->value_at; /* now that its text has an end */
    return 0;
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

static bool has_body(const struct http_conn *conn)
{
    return conn->request.chunked || conn->request.content_length > 0;
}

void http_head_taken(struct http_conn *conn)
{
    if (!has_body(conn))
        return;
    if (conn->request.content_length > server_of(conn)->settings.max_body)
        http_error(conn, 413, "Request Entity Too Large");
    else if (answer_expect(conn))
        loop_take_spare(conn->client.loop, &conn->body);
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
    conn->state = CONN_BODY;
    const char *coding = http_text(conn, request->transfer_encoding);
    if (parser->http_major != 1)
        http_error(conn, 505, "HTTP/1.0 and HTTP/1.1 are spoken here");
    else if (coding[0] != '\0' && strcasecmp(coding, "chunked") != 0)
        http_error(conn, 501, "unsupported transfer encoding: %.100s", coding);
    else if (http_route(conn))
        http_head_taken(conn);
    if (conn->client.closing || (conn->state != CONN_BODY && conn->state != CONN_AUTH))
        return -1;
    return has_body(conn) ? HPE_PAUSED : 0;
}

/* ---- body and end ---- */

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct http_conn *conn = parser->data;
    if (conn->held)
        return 0;
    if (n > server_of(conn)->settings.max_body - conn->body_bytes) {
        http_fail(conn, 413, "Request Entity Too Large");
        return -1;
    }
    conn->body_bytes += n;
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

void http_parse_init(struct http_conn *conn)
{
    llhttp_init(&conn->parser, HTTP_REQUEST, &parser_settings);
    conn->parser.data = conn;
}
