/**
 * How errors read: in the format that the client accepts, as InfluxDB has them.
 */
#include <string.h>

#include "server/accept.h"
#include "server/form.h"
#include "server/http.h"
#include "server/json.h"
#include "server/msgpack.h"
#include "server/result_csv.h"

#define FLAG_MAX_BYTES 64

/** "pretty=true" stands in the URL. */
static bool wants_pretty(const struct http_conn *conn)
{
    struct buf value;
    const char *query = http_text(conn, conn->request.query);
    buf_init(&value, FLAG_MAX_BYTES, NULL);
    bool pretty = form_get(query, strlen(query), "pretty", &value) == BB_OK &&
                  strcmp(value.data, "true") == 0;
    buf_fini(&value);
    return pretty;
}

static int put_json(const struct http_conn *conn, const char *text, size_t n, struct buf *body)
{
    struct json json;
    jsonw_init(&json, body, wants_pretty(conn));
    jsonw_object_begin(&json);
    jsonw_key(&json, "error");
    jsonw_string(&json, text, n);
    jsonw_object_end(&json);
    jsonw_newline(&json);
    return json.err;
}

static int put_msgpack(const char *text, size_t n, struct buf *body)
{
    struct msgpack pack;
    msgpack_init(&pack, body);
    msgpack_map(&pack, 1);
    msgpack_cstring(&pack, "error");
    msgpack_string(&pack, text, n);
    return pack.err;
}

int http_error_body(const struct http_conn *conn, const char *text, size_t n, struct buf *body,
                    const char **type)
{
    enum accept_type accepted = accept_choose(http_text(conn, conn->request.accept));
    *type = accept_name(accepted);
    switch (accepted) {
    case ACCEPT_APPLICATION_CSV:
    case ACCEPT_TEXT_CSV:
        return result_csv_put_error(body, text, n);
    case ACCEPT_MSGPACK:
        return put_msgpack(text, n, body);
    case ACCEPT_JSON:
    default:
        return put_json(conn, text, n, body);
    }
}
