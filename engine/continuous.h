/**
 * The runner of continuous queries: a thread that looks at them once in an interval and runs those
 * that are due, one after the other, as SELECT INTO.
 *
 * When a query ran last is kept in memory alone, as InfluxDB does: after a restart a query begins
 * anew with the interval that is open then. A run that fails is logged and counted, and not run
 * again: RESAMPLE FOR goes over its interval once more.
 */
#ifndef BBI_CONTINUOUS_H
#define BBI_CONTINUOUS_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/arena.h"
#include "engine/query/cq.h"
#include "engine/query/query.h"

struct bbi_continuous_query;

struct bbi_continuous {
    const struct bbi_query_env *env;
    bool logs_runs;
    uint32_t interval_ms;

    /* of the running thread */
    struct bbi_arena arena;               /* the queries, as they were read last */
    struct bbi_continuous_query *queries; /* [count] by database, then id */
    size_t count;
    bool is_read;
    uint64_t changes; /* of the catalog's tasks, when they were read */

    _Atomic uint64_t runs;     /* that ended well */
    _Atomic uint64_t failures; /* and those that did not */

    pthread_mutex_t lock; /* of `stopping`, for the thread's sleep */
    pthread_cond_t wake;
    int stopping; /* not 0: end; read by the query that runs, too */
    bool has_thread;
    pthread_t thread;
};

/** env outlives it. */
void bbi_continuous_init(struct bbi_continuous *c, const struct bbi_query_env *env,
                         uint32_t interval_ms, bool logs_runs);
void bbi_continuous_fini(struct bbi_continuous *c);

int bbi_continuous_start(struct bbi_continuous *c, struct bb_error *err) BB_CHECKED;

/** Ends the thread, and what it runs within a few ms; it need not have been started. */
void bbi_continuous_stop(struct bbi_continuous *c);

/** Run what is due by the wall clock. Thread  the runner's, or one that has no runner. */
void bbi_continuous_look(struct bbi_continuous *c);

#endif
