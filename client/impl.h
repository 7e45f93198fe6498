/**
 * Inside libbusbar-client: what a client holds, and one HTTP request with its reply.
 *
 * libcurl carries the requests: it knows HTTP/1.1, TLS, proxies and IPv6 with all of their corners.
 * Each client drives one easy handle through a multi handle, whose poll also waits for a pipe, so
 * that bb_client_cancel can wake it from a signal handler.
 */
#ifndef CLIENT_IMPL_H
#define CLIENT_IMPL_H

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdint.h>

#include "client/busbar_client.h"
#include "client/text.h"

#define BBC_BODY_MAX      ((size_t)256 << 20) /* of bb_client_get */
#define BBC_SAID_MAX      ((size_t)64 << 10)  /* of an error's body */
#define BBC_RETRY_LONGEST 3600000u            /* ms that a Retry-After may ask for */

struct bb_client {
    struct bb_client_options options; /* its strings are own copies */
    char *shown_url;                  /* without credentials */
    CURL *easy;
    CURLM *multi;
    int wake[2];           /* pipe: written by cancel */
    _Atomic bool canceled; /* of the running request */
    uint64_t jitter;       /* state of a small generator */
    char curl_error[CURL_ERROR_SIZE];
};

/** Takes a piece of the body; not 0 ends the request. */
typedef int (*bbc_sink)(void *arg, const char *data, size_t n);

struct bbc_request {
    bool post;
    const char *method; /* another than GET and POST; NULL: as post says */
    const char *path;   /* with its parameters */
    const void *body;   /* of a post */
    size_t body_len;
    const char *type;    /* Content-Type; NULL: none */
    bool gzipped;        /* the body is */
    uint32_t timeout_ms; /* 0: none */
    bool any_status;     /* sink takes the body of an error too */
    bbc_sink sink;       /* NULL: the body is dropped */
    void *sink_arg;
};

struct bbc_reply {
    int status;
    uint32_t retry_after_ms; /* 0: not said */
    char type[64];
    struct bb_client_server server;
    struct text said; /* the body of an error, its beginning */
    bool sink_ended;
};

/**
 * Run one request. A status of 400 and above fails with what the server said. The caller has the
 * reply's text_fini to do, whatever is returned.
 */
int bbc_perform(struct bb_client *client, const struct bbc_request *request,
                struct bbc_reply *reply, struct bb_client_error *error);

/** Wait; BB_CLIENT_CANCELED when bb_client_cancel comes first. */
int bbc_sleep(struct bb_client *client, uint32_t ms, struct bb_client_error *error);

/** Begin a request or a series of tries: a cancel before this does not count. */
void bbc_arm(struct bb_client *client);

/** Fill an error, which may be NULL; returns kind. */
int bbc_fail(struct bb_client_error *error, int kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void bbc_ok(struct bb_client_error *error);

/** bb_client_write without bbc_arm: for the writer, whose cancel is for good. */
int bbc_write(struct bb_client *client, const char *lines, size_t n, struct bb_client_error *error);

#endif
