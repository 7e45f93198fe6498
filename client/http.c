#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/impl.h"
#include "client/results.h"
#include "config.h"

struct exchange {
    const struct bbc_request *request;
    struct bbc_reply *reply;
    CURL *easy;
    const _Atomic bool *canceled;
};

void bbc_arm(struct bb_client *client)
{
    char drain[64];
    while (read(client->wake[0], drain, sizeof(drain)) > 0)
        continue;
    atomic_store(&client->canceled, false);
}

static int canceled(struct bb_client_error *error)
{
    return bbc_fail(error, BB_CLIENT_CANCELED, "canceled");
}

int bbc_sleep(struct bb_client *client, uint32_t ms, struct bb_client_error *error)
{
    int64_t end = clock_now_ms() + ms;
    for (int64_t now = end - ms; now < end; now = clock_now_ms()) {
        struct pollfd wake = {.fd = client->wake[0], .events = POLLIN};
        poll(&wake, 1, (int)(end - now));
        if (atomic_load(&client->canceled))
            return canceled(error);
    }
    return BB_CLIENT_OK;
}

static void copy_value(char *to, size_t size, const char *value, size_t n)
{
    if (n >= size)
        n = size - 1;
    memcpy(to, value, n);
    to[n] = '\0';
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t n = size * count;
    char *colon = memchr(data, ':', n);
    if (n > 5 && memcmp(data, "HTTP/", 5) == 0) {
        /* A new head: an interim reply came before it. */
        x->reply->type[0] = '\0';
        return n;
    }
    if (colon == NULL)
        return n;
    size_t name = (size_t)(colon - data);
    char *value = colon + 1, *end = data + n;
    while (value < end && isspace((unsigned char)*value))
        value++;
    while (end > value && isspace((unsigned char)end[-1]))
        end--;
    size_t len = (size_t)(end - value);
    struct bbc_reply *r = x->reply;
    if (name == 12 && strncasecmp(data, "Content-Type", name) == 0) {
        copy_value(r->type, sizeof(r->type), value, len);
    } else if (name == 18 && strncasecmp(data, "X-Influxdb-Version", name) == 0) {
        copy_value(r->server.version, sizeof(r->server.version), value, len);
    } else if (name == 16 && strncasecmp(data, "X-Influxdb-Build", name) == 0) {
        copy_value(r->server.build, sizeof(r->server.build), value, len);
    } else if (name == 11 && strncasecmp(data, "Retry-After", name) == 0) {
        char seconds[24];
        copy_value(seconds, sizeof(seconds), value, len);
        unsigned long s = strtoul(seconds, NULL, 10);
        r->retry_after_ms = s > BBC_RETRY_LONGEST / 1000 ? BBC_RETRY_LONGEST : (uint32_t)s * 1000;
    }
    return n;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t n = size * count;
    long status = 0;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    x->reply->status = (int)status;
    if (x->reply->status >= 300 && n <= x->reply->said.max - x->reply->said.len)
        text_put(&x->reply->said, data, n);
    if (x->request->sink == NULL || (x->reply->status >= 300 && !x->request->any_status))
        return n;
    /* A cancel does not wait for all that libcurl has at hand, which may be megabytes. */
    if (atomic_load(x->canceled) || x->request->sink(x->request->sink_arg, data, n) != 0) {
        x->reply->sink_ended = true;
        return n == 0 ? 1 : 0;
    }
    return n;
}

static struct curl_slist *headers(const struct bb_client *client, const struct bbc_request *request)
{
    /* Without this libcurl waits a second for a "100 Continue" that few servers send. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    struct text line;
    text_init(&line, 8192);
    if (client->options.token != NULL) {
        text_printf(&line, "Authorization: Token %s", client->options.token);
        if (!line.failed)
            list = curl_slist_append(list, text_get(&line));
    }
    if (request->post) {
        text_clear(&line);
        text_printf(&line, "Content-Type: %s", request->type != NULL ? request->type : "");
        list = curl_slist_append(list, text_get(&line));
    }
    if (request->gzipped)
        list = curl_slist_append(list, "Content-Encoding: gzip");
    text_fini(&line);
    return list;
}

static void set_request(struct bb_client *client, const struct bbc_request *request,
                        const char *url, struct curl_slist *list)
{
    const struct bb_client_options *o = &client->options;
    CURL *e = client->easy;
    curl_easy_reset(e);
    curl_easy_setopt(e, CURLOPT_URL, url);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "busbar-client/" PACKAGE_VERSION);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, client->curl_error);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 131072L);
    curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 1048576L);
    if (o->ca_file != NULL)
        curl_easy_setopt(e, CURLOPT_CAINFO, o->ca_file);
    if (o->token == NULL && o->user != NULL) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(e, CURLOPT_USERNAME, o->user);
        curl_easy_setopt(e, CURLOPT_PASSWORD, o->password != NULL ? o->password : "");
    }
    if (request->method != NULL)
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->post) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, request->body_len > 0 ? request->body : "");
    }
}

static int explain(const struct bb_client *client, CURLcode code, struct bb_client_error *error)
{
    const char *why = client->curl_error[0] != '\0' ? client->curl_error : curl_easy_strerror(code);
    const char *url = client->shown_url;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return bbc_fail(error, BB_CLIENT_UNREACHABLE, "no connection to %s: %s", url, why);
    case CURLE_OPERATION_TIMEDOUT:
        return bbc_fail(error, BB_CLIENT_TIMEOUT, "%s: no reply in time: %s", url, why);
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return bbc_fail(error, BB_CLIENT_BROKEN, "%s: the connection broke: %s", url, why);
    case CURLE_URL_MALFORMAT:
        return bbc_fail(error, BB_CLIENT_USAGE, "%s: %s", url, why);
    case CURLE_OUT_OF_MEMORY:
        return bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    default:
        return bbc_fail(error, BB_CLIENT_PROTOCOL, "%s: no InfluxDB API there: %s", url, why);
    }
}

/* Drive the transfer until it ends; *code is libcurl's word then. */
static int drive(struct bb_client *client, CURLcode *code, struct bb_client_error *error)
{
    int running = 1;
    while (running > 0) {
        CURLMcode rc = curl_multi_perform(client->multi, &running);
        if (rc == CURLM_OK && running > 0) {
            struct curl_waitfd wake = {.fd = client->wake[0], .events = CURL_WAIT_POLLIN};
            rc = curl_multi_poll(client->multi, &wake, 1, 1000, NULL);
        }
        if (rc != CURLM_OK)
            return bbc_fail(error, BB_CLIENT_NOMEM, "%s", curl_multi_strerror(rc));
        if (atomic_load(&client->canceled))
            return canceled(error);
    }
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(client->multi, &left)) != NULL;)
        if (m->msg == CURLMSG_DONE)
            *code = m->data.result;
    return BB_CLIENT_OK;
}

/* A reply of 300 and above: what the server said, if it is one of ours. */
static int refusal(const struct bb_client *client, const struct bbc_request *request,
                   const struct bbc_reply *reply, struct bb_client_error *error)
{
    char *said = bbc_error_text(text_get(&reply->said), reply->said.len);
    int kind = BB_CLIENT_SERVER;
    if (said != NULL) {
        bbc_fail(error, kind, "%s", said);
    } else if (reply->server.version[0] != '\0') {
        bbc_fail(error, kind, "%s: status %d", client->shown_url, reply->status);
    } else {
        kind = BB_CLIENT_HTTP;
        bbc_fail(error, kind, "%s: status %d for %.*s; no InfluxDB API there?", client->shown_url,
                 reply->status, (int)strcspn(request->path, "?"), request->path);
    }
    free(said);
    if (error != NULL)
        error->status = reply->status;
    return kind;
}

int bbc_perform(struct bb_client *client, const struct bbc_request *request,
                struct bbc_reply *reply, struct bb_client_error *error)
{
    *reply = (struct bbc_reply){0};
    text_init(&reply->said, BBC_SAID_MAX);
    bbc_ok(error);
    struct text url;
    text_init(&url, (size_t)1 << 20);
    text_printf(&url, "%s%s", client->shown_url, request->path);
    struct curl_slist *list = headers(client, request);
    struct exchange x = {request, reply, client->easy, &client->canceled};
    int rc;
    if (url.failed || list == NULL) {
        rc = bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
        goto out;
    }
    client->curl_error[0] = '\0';
    set_request(client, request, text_get(&url), list);
    curl_easy_setopt(client->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(client->easy, CURLOPT_HEADERDATA, &x);
    curl_easy_setopt(client->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(client->easy, CURLOPT_WRITEDATA, &x);
    CURLcode code = CURLE_OK;
    if (curl_multi_add_handle(client->multi, client->easy) != CURLM_OK) {
        rc = bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
        goto out;
    }
    rc = drive(client, &code, error);
    long status = 0;
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    curl_multi_remove_handle(client->multi, client->easy);
    if (rc == BB_CLIENT_OK && reply->sink_ended)
        rc = canceled(error);
    else if (rc == BB_CLIENT_OK && code != CURLE_OK)
        rc = explain(client, code, error);
    else if (rc == BB_CLIENT_OK && reply->status >= 300)
        rc = refusal(client, request, reply, error);
out:
    curl_slist_free_all(list);
    text_fini(&url);
    return rc;
}
