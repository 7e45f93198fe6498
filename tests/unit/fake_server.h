/**
 * An HTTP server that answers by a script, for tests of the client library.
 *
 * Each request gets the next reply; behind the last one connections are closed unanswered.
 */
#ifndef TESTS_UNIT_FAKE_SERVER_H
#define TESTS_UNIT_FAKE_SERVER_H

#include <stddef.h>

struct fake_reply {
    const char *status;  /* "204 No Content"; NULL: close without a word */
    const char *headers; /* lines, each with its \r\n; NULL: none */
    const char *body;
    size_t body_len; /* 0: the body's strlen */
    size_t announce; /* Content-Length; 0: what the body has */
    unsigned delay_ms;
};

struct fake_server;

/** replies: [count], borrowed until the server is destroyed. NULL: it did not start. */
struct fake_server *fake_server_create(const struct fake_reply *replies, size_t count);
void fake_server_destroy(struct fake_server **server);

/** "http://127.0.0.1:PORT" */
const char *fake_server_url(const struct fake_server *server);

/** How many requests came so far; their texts. A borrowed text lives as long as the server. */
size_t fake_server_requests(struct fake_server *server);
const char *fake_server_request(struct fake_server *server, size_t i, size_t *len);

#endif
