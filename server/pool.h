/**
 * Threads that do what an event loop must not: jobs that wait for disk, locks or slow clients.
 *
 * Jobs start in the order in which they came. A pool has no bound of its own on waiting jobs,
 * because every connection has at most one job waiting and connections are bounded; whoever waits
 * too long is taken back by pool_cancel and answered 503. Threads start when they are first needed.
 * A job that waits for a client may lend its place to another, so that clients who do not read
 * cannot keep the others from being answered.
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "engine/busbar.h"

struct job {
    struct job *next, *prev; /* while waiting */
    void (*run)(struct job *job);
    bool waiting;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, *last;
    pthread_t *threads;
    size_t thread_count;
    size_t run_max, running; /* jobs at one time, those that have lent their place not counted */
    size_t lend_max, lent;
    size_t idle, waiting;
    bool stopping;
};

/** run_max jobs run at one time, and up to lend_max more have lent their place. */
int pool_init(struct pool *pool, size_t run_max, size_t lend_max, struct bb_error *err) BB_CHECKED;

/** How busy a pool is. */
struct pool_load {
    size_t running, waiting; /* jobs; those that have lent their place run, too */
};
struct pool_load pool_look(struct pool *pool);

/** Run what still waits, then end the threads. Nobody submits any more. */
void pool_fini(struct pool *pool);

/** Have job->run called on a thread; job stays the caller's and must live until then. False: there
 * is no thread and none can be started. */
bool pool_submit(struct pool *pool, struct job *job) BB_CHECKED;

/** Take back a job that still waits. False: it has started. */
bool pool_cancel(struct pool *pool, struct job *job) BB_CHECKED;

/** On a job's thread, before and after it waits for a client: another job may start meanwhile. The
 * place is there again at once, so that for a while more jobs may run than run_max. False: enough
 * places are lent, and there is nothing to take back. */
bool pool_lend(struct pool *pool) BB_CHECKED;
void pool_take_back(struct pool *pool);

#endif
