/**
 * The queries that run: their numbers, texts and switches.
 *
 * Thread  all functions from any thread. An entry lies with the query that it is of.
 */
#ifndef BBI_QUERY_RUNNING_H
#define BBI_QUERY_RUNNING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"

/** Of a text, as much as is shown. */
#define BBI_RUNNING_TEXT_MAX 4096

struct bbi_running_query {
    struct bbi_running_query *next;
    uint64_t qid;
    const char *text; /* [text_length] as InfluxDB prints it: no passwords */
    size_t text_length;
    const char *database;         /* "": none */
    const char *user;             /* who asks; NULL: nobody that has a name */
    void (*on_killed)(void *arg); /* as bb_query.killed; called under the lock */
    void *on_killed_arg;
    int64_t started_ns; /* of the monotonic clock */
    _Atomic bool killed;
};

struct bbi_running {
    pthread_mutex_t lock;
    struct bbi_running_query *first; /* oldest first */
    uint64_t next_qid;
    uint32_t count;
    uint32_t count_max; /* 0: no limit */
};

void bbi_running_init(struct bbi_running *r, uint32_t count_max);
void bbi_running_fini(struct bbi_running *r);

/** Enter a query; all but qid, started_ns and killed is set and stays until it leaves. BB_EBUSY
 * "max-concurrent-queries limit exceeded(...)". */
int bbi_running_enter(struct bbi_running *r, struct bbi_running_query *q,
                      struct bb_error *err) BB_CHECKED;
void bbi_running_leave(struct bbi_running *r, struct bbi_running_query *q);

/** BB_ENOTFOUND "no such query id: 7"; BB_EEXIST "already killed". */
int bbi_running_kill(struct bbi_running *r, uint64_t qid, struct bb_error *err) BB_CHECKED;

/** Tell of each, oldest first, under the lock: fn copies what it needs and does not block. */
int bbi_running_each(struct bbi_running *r,
                     int (*fn)(void *arg, const struct bbi_running_query *q, struct bb_error *err),
                     void *arg, struct bb_error *err) BB_CHECKED;

#endif
