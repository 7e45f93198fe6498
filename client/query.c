#include <stdlib.h>
#include <string.h>

#include "client/impl.h"
#include "client/results.h"

static void put_param(struct text *t, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    if (t->len > 0)
        text_putc(t, '&');
    text_puts(t, name);
    text_putc(t, '=');
    text_put_escaped(t, value);
}

static void put_form(struct text *t, const struct bb_client *client, const char *text,
                     const struct bb_client_query_options *options)
{
    put_param(t, "db", client->options.database);
    put_param(t, "rp", client->options.retention_policy);
    put_param(t, "q", text);
    put_param(t, "params", options->params);
    put_param(t, "epoch", options->epoch);
    put_param(t, "chunked", "true");
    if (options->chunk_rows > 0)
        text_printf(t, "&chunk_size=%u", (unsigned)options->chunk_rows);
}

static int feed(void *arg, const char *data, size_t n)
{
    return bbc_results_feed(arg, data, n);
}

int bb_client_query(struct bb_client *client, const char *text,
                    const struct bb_client_query_options *options,
                    const struct bb_client_handler *handler, struct bb_client_error *error)
{
    static const struct bb_client_query_options none;
    if (text == NULL || text[0] == '\0')
        return bbc_fail(error, BB_CLIENT_USAGE, "no query");
    bbc_arm(client);
    struct text form;
    text_init(&form, BBC_BODY_MAX);
    put_form(&form, client, text, options != NULL ? options : &none);
    struct bbc_results *results = bbc_results_create(handler);
    if (form.failed || results == NULL) {
        text_fini(&form);
        bbc_results_destroy(&results);
        return bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    }
    struct bbc_request request = {
        .post = true,
        .path = "/query",
        .body = form.data,
        .body_len = form.len,
        .type = "application/x-www-form-urlencoded",
        .timeout_ms = client->options.query_timeout_ms,
        .sink = feed,
        .sink_arg = results,
    };
    struct bbc_reply reply;
    int rc = bbc_perform(client, &request, &reply, error);
    if (rc == BB_CLIENT_OK || reply.sink_ended) {
        rc = bbc_results_end(results, rc == BB_CLIENT_OK, error);
        if (error != NULL)
            error->status = reply.status;
        if (rc == BB_CLIENT_PROTOCOL && reply.server.version[0] == '\0')
            bbc_fail(error, rc, "%s: no InfluxDB API there: the reply to a query is %s",
                     client->shown_url, reply.type[0] != '\0' ? reply.type : "something else");
    }
    text_fini(&reply.said);
    text_fini(&form);
    bbc_results_destroy(&results);
    return rc;
}

static int gather(void *arg, const char *data, size_t n)
{
    struct text *t = arg;
    text_put(t, data, n);
    return t->failed ? -1 : 0;
}

static int fetch(struct bb_client *client, struct bbc_request *request, char **body, size_t *len,
                 struct bb_client_error *error)
{
    if (body != NULL)
        *body = NULL;
    if (len != NULL)
        *len = 0;
    if (request->path == NULL || request->path[0] != '/')
        return bbc_fail(error, BB_CLIENT_USAGE, "a path begins with /");
    bbc_arm(client);
    struct text got;
    text_init(&got, BBC_BODY_MAX);
    request->timeout_ms = client->options.get_timeout_ms;
    request->any_status = true;
    request->sink = body != NULL ? gather : NULL;
    request->sink_arg = &got;
    struct bbc_reply reply;
    int rc = bbc_perform(client, request, &reply, error);
    if (got.failed)
        rc = bbc_fail(error, BB_CLIENT_NOMEM, "%s: the reply is too long", request->path);
    text_fini(&reply.said);
    if (body != NULL && reply.status > 0 && !got.failed) {
        text_put(&got, "", 0);
        if (len != NULL)
            *len = got.len;
        *body = text_take(&got);
    }
    text_fini(&got);
    return rc;
}

int bb_client_get(struct bb_client *client, const char *path, char **body, size_t *len,
                  struct bb_client_error *error)
{
    struct bbc_request request = {.path = path};
    return fetch(client, &request, body, len, error);
}

int bb_client_post(struct bb_client *client, const char *path, const void *data, size_t n,
                   char **body, size_t *len, struct bb_client_error *error)
{
    struct bbc_request request = {.post = true, .path = path, .body = data, .body_len = n};
    return fetch(client, &request, body, len, error);
}

int bb_client_delete(struct bb_client *client, const char *path, char **body, size_t *len,
                     struct bb_client_error *error)
{
    struct bbc_request request = {.method = "DELETE", .path = path};
    return fetch(client, &request, body, len, error);
}

int bb_client_ping(struct bb_client *client, struct bb_client_server *server,
                   struct bb_client_error *error)
{
    *server = (struct bb_client_server){.version = ""};
    bbc_arm(client);
    struct bbc_request request = {.path = "/ping", .timeout_ms = client->options.get_timeout_ms};
    struct bbc_reply reply;
    int rc = bbc_perform(client, &request, &reply, error);
    text_fini(&reply.said);
    if ((rc == BB_CLIENT_OK || rc == BB_CLIENT_HTTP) && reply.server.version[0] == '\0')
        rc = bbc_fail(error, BB_CLIENT_PROTOCOL, "%s: no InfluxDB API there: /ping says status %d",
                      client->shown_url, reply.status);
    if (rc == BB_CLIENT_OK)
        *server = reply.server;
    return rc;
}
