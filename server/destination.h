/**
 * Where a subscription sends lines: the URL taken apart, and sending by UDP.
 *
 * A destination belongs to one thread, but for its counters and what does not change.
 */
#ifndef SERVER_DESTINATION_H
#define SERVER_DESTINATION_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine/busbar.h"

#define DESTINATION_HOST_MAX 256

struct lookup;

struct destination {
    bool udp;
    char *url;   /* of HTTP: with the path and the parameters of a write */
    char *shown; /* for the log: scheme, host and port alone */
    char host[DESTINATION_HOST_MAX];
    char port[16];
    struct lookup *lookup; /* that has not answered yet; NULL: none */
    struct sockaddr_storage address;
    socklen_t address_len; /* 0: none */
    uint64_t looked_up_ns; /* by uv_hrtime; 0: never */
    _Atomic uint64_t points, failures;
};

/** url: one that CREATE SUBSCRIPTION takes. BB_EINVAL, BB_ENOMEM. */
int destination_init(struct destination *d, const char *url, const char *database,
                     const char *policy, struct bb_error *err) BB_CHECKED;
void destination_fini(struct destination *d);

/**
 * A datagram for each line, without its newline, as InfluxDB sends them.
 *
 * quits  looked at while this waits, for a name at most DESTINATION_LOOKUP_MS: true ends it
 * Returns BB_OK, or why not all were sent.
 */
int destination_send_udp(struct destination *d, const struct bb_lines *lines,
                         bool (*quits)(void *arg), void *arg, struct bb_error *err) BB_CHECKED;

#define DESTINATION_LOOKUP_MS 5000

#endif
