#include "client/busbar_client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/clock.h"
#include "client/impl.h"
#include "config.h"

const char *bb_client_version(void)
{
    return PACKAGE_VERSION;
}

void bb_client_free(void *memory)
{
    free(memory);
}

int bbc_fail(struct bb_client_error *error, int kind, const char *fmt, ...)
{
    if (error == NULL)
        return kind;
    error->kind = kind;
    error->status = 0;
    error->dropped = 0;
    va_list args;
    va_start(args, fmt);
    vsnprintf(error->text, sizeof(error->text), fmt, args);
    va_end(args);
    return kind;
}

void bbc_ok(struct bb_client_error *error)
{
    bbc_fail(error, BB_CLIENT_OK, "%s", "");
}

void bb_client_options_init(struct bb_client_options *options)
{
    *options = (struct bb_client_options){
        .url = "http://127.0.0.1:8086",
        .precision = "ns",
        .connect_timeout_ms = 5000,
        .write_timeout_ms = 60000,
        .get_timeout_ms = 30000,
        .retry_total_ms = 60000,
        .retry_first_ms = 200,
        .retry_longest_ms = 10000,
    };
}

static bool copy(const char **to, const char *from)
{
    *to = from == NULL || from[0] == '\0' ? NULL : strdup(from);
    return *to != NULL || from == NULL || from[0] == '\0';
}

static void drop(const char **s)
{
    free((void *)(uintptr_t)*s);
    *s = NULL;
}

static bool copy_options(struct bb_client_options *to, const struct bb_client_options *from)
{
    *to = *from;
    bool ok = copy(&to->url, from->url);
    ok = copy(&to->database, from->database) && ok;
    ok = copy(&to->retention_policy, from->retention_policy) && ok;
    ok = copy(&to->user, from->user) && ok;
    ok = copy(&to->password, from->password) && ok;
    ok = copy(&to->token, from->token) && ok;
    ok = copy(&to->precision, from->precision) && ok;
    return copy(&to->ca_file, from->ca_file) && ok;
}

static void drop_options(struct bb_client_options *options)
{
    drop(&options->url);
    drop(&options->database);
    drop(&options->retention_policy);
    drop(&options->user);
    drop(&options->password);
    drop(&options->token);
    drop(&options->precision);
    drop(&options->ca_file);
}

/* Take credentials out of the address, so that no message shows them, and a "/" from its end. */
static int set_url(struct bb_client *client, struct bb_client_error *error)
{
    if (client->options.url == NULL)
        return bbc_fail(error, BB_CLIENT_USAGE, "no address");
    CURLU *url = curl_url();
    char *shown = NULL;
    int rc = BB_CLIENT_OK;
    CURLUcode code = url == NULL ? CURLUE_OUT_OF_MEMORY
                                 : curl_url_set(url, CURLUPART_URL, client->options.url,
                                                CURLU_GUESS_SCHEME);
    char *user = NULL, *password = NULL;
    if (code == CURLUE_OK) {
        curl_url_get(url, CURLUPART_USER, &user, CURLU_URLDECODE);
        curl_url_get(url, CURLUPART_PASSWORD, &password, CURLU_URLDECODE);
        curl_url_set(url, CURLUPART_USER, NULL, 0);
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
        code = curl_url_get(url, CURLUPART_URL, &shown, 0);
    }
    if (code != CURLUE_OK)
        rc = bbc_fail(error, code == CURLUE_OUT_OF_MEMORY ? BB_CLIENT_NOMEM : BB_CLIENT_USAGE,
                      "address \"%.200s\": %s", client->options.url, curl_url_strerror(code));
    else if (strncmp(shown, "http://", 7) != 0 && strncmp(shown, "https://", 8) != 0)
        rc = bbc_fail(error, BB_CLIENT_USAGE, "address \"%.200s\": want http:// or https://",
                      shown);
    else if ((client->shown_url = strdup(shown)) == NULL ||
             (user != NULL && client->options.user == NULL &&
              (!copy(&client->options.user, user) || !copy(&client->options.password, password))))
        rc = bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    for (size_t n = client->shown_url == NULL ? 0 : strlen(client->shown_url);
         n > 0 && client->shown_url[n - 1] == '/'; n--)
        client->shown_url[n - 1] = '\0';
    curl_free(user);
    curl_free(password);
    curl_free(shown);
    curl_url_cleanup(url);
    return rc;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

int bb_client_create(struct bb_client **client, const struct bb_client_options *options,
                     struct bb_client_error *error)
{
    *client = NULL;
    bbc_ok(error);
    struct bb_client_options defaults;
    bb_client_options_init(&defaults);
    pthread_once(&curl_once, start_curl);
    struct bb_client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    c->wake[0] = c->wake[1] = -1;
    c->jitter = ((uint64_t)clock_now_ns() << 20) ^ (uint64_t)(uintptr_t)c ^ 0x9e3779b97f4a7c15u;
    bool copied = copy_options(&c->options, options != NULL ? options : &defaults);
    int rc = copied ? set_url(c, error) : bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    if (rc == BB_CLIENT_OK && pipe2(c->wake, O_CLOEXEC | O_NONBLOCK) != 0)
        rc = bbc_fail(error, BB_CLIENT_NOMEM, "pipe: %s", strerror(errno));
    if (rc == BB_CLIENT_OK) {
        c->easy = curl_easy_init();
        c->multi = curl_multi_init();
        if (c->easy == NULL || c->multi == NULL)
            rc = bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    }
    if (rc != BB_CLIENT_OK)
        bb_client_destroy(&c);
    *client = c;
    return rc;
}

void bb_client_destroy(struct bb_client **client)
{
    struct bb_client *c = *client;
    if (c == NULL)
        return;
    curl_easy_cleanup(c->easy);
    curl_multi_cleanup(c->multi);
    for (int i = 0; i < 2; i++)
        if (c->wake[i] >= 0)
            close(c->wake[i]);
    drop_options(&c->options);
    free(c->shown_url);
    free(c);
    *client = NULL;
}

int bb_client_use(struct bb_client *client, const char *database, const char *retention_policy,
                  struct bb_client_error *error)
{
    const char *db, *rp;
    bbc_ok(error);
    bool ok = copy(&db, database);
    ok = copy(&rp, retention_policy) && ok;
    if (!ok) {
        drop(&db);
        drop(&rp);
        return bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    }
    drop(&client->options.database);
    drop(&client->options.retention_policy);
    client->options.database = db;
    client->options.retention_policy = rp;
    return BB_CLIENT_OK;
}

const char *bb_client_url(const struct bb_client *client)
{
    return client->shown_url;
}

void bb_client_cancel(struct bb_client *client)
{
    int saved = errno;
    atomic_store(&client->canceled, true);
    /* A full pipe wakes as well. */
    ssize_t n = write(client->wake[1], "", 1);
    (void)n;
    errno = saved;
}
