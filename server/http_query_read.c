/**
 * What a request asks of /query: its parameters, from the body's form or parts, else from the URL.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/form.h"
#include "server/http_handlers.h"
#include "server/http_query_run.h"
#include "server/multipart.h"
#include "server/units.h"

#define VALUE_MAX_BYTES ((size_t)64 << 10)
#define CHUNK_ROWS      10000

static bool is_form(const struct http_conn *conn)
{
    static const char form[] = "application/x-www-form-urlencoded";
    return conn->request.method == HTTP_POST &&
           strncasecmp(http_text(conn, conn->request.content_type), form, sizeof(form) - 1) == 0;
}

static int find(struct http_conn *conn, const char *name, struct buf *value)
{
    const char *type = http_text(conn, conn->request.content_type);
    const struct buf *body = &conn->body;
    int rc = BB_ENOTFOUND;
    if (is_form(conn))
        rc = form_get(body->data, body->len, name, value);
    else if (conn->request.method == HTTP_POST && multipart_is(type))
        rc = multipart_get(type, body->data, body->len, name, value);
    if (rc == BB_ENOTFOUND) {
        const char *query = http_text(conn, conn->request.query);
        rc = form_get(query, strlen(query), name, value);
    }
    return rc == BB_ENOTFOUND ? BB_OK : rc;
}

/** Empty where there is none. After the first failure, nothing. */
static void get(struct query_run *run, const char *name, struct buf *value)
{
    int rc = run->err.code == BB_OK ? find(run->base.conn, name, value) : BB_OK;
    if (rc != BB_OK)
        http_param_fault(name, rc, &run->err);
}

static bool get_flag(struct query_run *run, const char *name, struct buf *value)
{
    get(run, name, value);
    return run->err.code == BB_OK && strcmp(value->data, "true") == 0;
}

/** As InfluxDB, which looks for this one in the URL alone. */
static bool wants_pretty(struct query_run *run, struct buf *value)
{
    const char *query = http_text(run->base.conn, run->base.conn->request.query);
    int rc = form_get(query, strlen(query), "pretty", value);
    return rc == BB_OK && strcmp(value->data, "true") == 0;
}

/** As InfluxDB, of a size that is none the usual one. */
static size_t chunk_rows(const char *text)
{
    char *end;
    errno = 0;
    long rows = strtol(text, &end, 10);
    return *end == '\0' && errno == 0 && rows > 0 ? (size_t)rows : CHUNK_ROWS;
}

static void get_format(struct query_run *run)
{
    struct buf value;
    buf_init(&value, VALUE_MAX_BYTES, NULL);
    run->async = get_flag(run, "async", &value);
    bool chunked = get_flag(run, "chunked", &value);
    run->format.pretty = wants_pretty(run, &value);
    get(run, "epoch", &value);
    if (run->err.code == BB_OK)
        run->format.epoch_ns = units_epoch_ns(value.data);
    get(run, "chunk_size", &value);
    if (run->err.code == BB_OK && chunked)
        run->format.chunk_rows = chunk_rows(value.data);
    buf_fini(&value);
}

/* As InfluxDB: blanks around the text do not count for places in messages. */
static void trim(struct buf *text)
{
    static const char blanks[] = " \t\n\v\f\r";
    size_t at = 0;
    while (text->len > 0 && strchr(blanks, text->data[text->len - 1]) != NULL &&
           text->data[text->len - 1] != '\0')
        text->len--;
    while (at < text->len && strchr(blanks, text->data[at]) != NULL && text->data[at] != '\0')
        at++;
    text->len -= at;
    if (at > 0)
        memmove(text->data, text->data + at, text->len);
}

int http_query_read(struct query_run *run)
{
    run->err.code = BB_OK;
    get(run, "q", &run->text);
    get(run, "db", &run->database);
    get(run, "rp", &run->policy);
    get(run, "params", &run->params);
    get_format(run);
    if (run->err.code != BB_OK)
        return run->err.code;
    trim(&run->text);
    if (run->text.len > 0)
        return BB_OK;
    snprintf(run->err.text, sizeof(run->err.text), "missing required parameter \"q\"");
    return run->err.code = BB_EINVAL;
}
