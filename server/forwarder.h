/**
 * One subscription at work: a thread, a bounded queue of what is to be sent, and up to
 * `concurrency` requests at a time.
 *
 * Texts that come while the queue is full are dropped and counted, as in InfluxDB: forwarding never
 * waits for a destination. Requests run side by side, so they may arrive in another order.
 */
#ifndef SERVER_FORWARDER_H
#define SERVER_FORWARDER_H

#include <curl/curl.h>
#include <pthread.h>

#include "server/destination.h"

/** For all subscriptions. */
struct forward_config {
    uint32_t timeout_ms; /* of a request */
    size_t concurrency;  /* requests of a subscription */
    size_t queue_max;    /* texts that wait for it */
    bool any_certificate;
    const char *ca_certs; /* "": the system's */
};

struct forward_counters {
    _Atomic uint64_t create_failures, points_written, write_failures, dropped;
};

struct transfer;

struct forwarder {
    const struct forward_config *config;
    struct forward_counters *counters;
    uint64_t id;
    uint32_t database_id, policy_id;
    bool all;
    char *name; /* for the log: database, policy and name */
    struct destination *destinations;
    size_t destination_count;
    pthread_t thread;

    pthread_mutex_t lock; /* of what follows */
    struct bb_lines **queue;
    size_t first, waiting;
    bool asleep;
    bool closing;

    _Atomic uint64_t deadline_ns; /* by uv_hrtime: no more work then; 0: none yet */
    _Atomic bool done;

    /* of the thread */
    CURLM *multi;
    struct curl_slist *headers;
    struct transfer **transfers; /* [concurrency] those that were ever needed */
    size_t transfer_count, active;
    size_t next; /* destination */
    uint64_t told_ns;
    uint64_t untold;

    struct forwarder *next_retired;
};

/** Begin. Errors: BB_EINVAL, BB_ENOMEM. */
int forwarder_start(const struct bb_subscription *subscription, const struct forward_config *config,
                    struct forward_counters *counters, struct forwarder **out,
                    struct bb_error *err) BB_CHECKED;

/** Have lines sent, or counted as dropped. Thread  any; does not block. */
void forwarder_offer(struct forwarder *f, struct bb_lines *lines);

/** No more is offered: what waits may be sent for so long. Returns at once. */
void forwarder_close(struct forwarder *f, uint32_t ms);

/** Wait until a closed one has ended, which `done` tells, and free it. */
void forwarder_free(struct forwarder *f);

#endif
