/**
 * What the loops of one busbard share.
 *
 * Thread  settings, db and loops do not change once the loops run; the rest is atomic or has locks
 * of its own.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "engine/busbar.h"
#include "server/buf.h"
#include "server/listen.h"
#include "server/pool.h"
#include "server/rates.h"
#include "server/reject_log.h"
#include "server/request_profile.h"
#include "server/settings.h"
#include "server/subscriber.h"

/** What requests are counted by. */
enum server_path {
    SERVER_PATH_WRITE,
    SERVER_PATH_QUERY,
    SERVER_PATH_OTHER,
    SERVER_PATHS
};

/** Replies from 400 on are counted one by one up to here. */
#define SERVER_STATUS_MAX 512

/** Counters of the server; metrics.c tells them. */
struct counters {
    _Atomic uint64_t requests[SERVER_PATHS];
    _Atomic uint64_t replies_2xx, replies_4xx, replies_5xx;
    _Atomic uint64_t request_bytes;
    _Atomic uint64_t pings, query_reply_bytes, http_points_stored, http_points_refused;
    _Atomic uint64_t overloads;
    _Atomic uint64_t auth_failures;
    _Atomic uint64_t clients_closed_slow, clients_closed_idle, clients_refused, requests_malformed;
    _Atomic uint64_t udp_datagrams, udp_bytes, udp_dropped, udp_batches, udp_retries;
    _Atomic uint64_t line_batches, line_bytes, line_syncs, line_retries;
    _Atomic uint64_t rejected[BB_CODE_COUNT];
    _Atomic uint64_t errors[SERVER_STATUS_MAX - 400]; /* replies, by status - 400 */
    struct bb_latency request_latency[SERVER_PATHS];
};

struct loop;

struct server {
    struct settings settings;
    struct bb_db *db;
    struct pool write_pool, query_pool;
    struct pool auth_pool;  /* hashes passwords */
    struct pool admin_pool; /* health, metrics, operators: answered however busy the others are */
    struct budget request_budget;
    struct rates rates;
    struct reject_log reject_log;
    struct request_profiles request_profiles;
    struct subscriber subscriber;
    struct counters counters;
    struct loop *loops;
    size_t loop_count;
    char http_address[LISTEN_ADDRESS_MAX], line_address[LISTEN_ADDRESS_MAX];
    char udp_address[LISTEN_ADDRESS_MAX];
    int64_t line_precision_ns, udp_precision_ns;
    _Atomic int64_t connections_http, connections_line;
    _Atomic bool stopping;
    volatile int async_canceled; /* not 0: queries that nobody waits for end */
};

static inline int64_t wall_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void count_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
