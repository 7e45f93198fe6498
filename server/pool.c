#include "server/pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int pool_init(struct pool *pool, size_t run_max, size_t lend_max, struct bb_error *err)
{
    *pool = (struct pool){.run_max = run_max, .lend_max = lend_max};
    pool->threads = calloc(run_max + lend_max, sizeof(pool->threads[0]));
    if (pool->threads == NULL) {
        snprintf(err->text, sizeof(err->text), "out of memory: %zu threads", run_max + lend_max);
        return err->code = BB_ENOMEM;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    return BB_OK;
}

/* A job that lends its place may start one more while the others end. */
static bool has_thread(struct pool *pool, size_t i)
{
    pthread_mutex_lock(&pool->lock);
    bool has = i < pool->thread_count;
    pthread_mutex_unlock(&pool->lock);
    return has;
}

void pool_fini(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; has_thread(pool, i); i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    *pool = (struct pool){0};
}

static void unlink_job(struct pool *pool, struct job *job)
{
    if (job->prev != NULL)
        job->prev->next = job->next;
    else
        pool->first = job->next;
    if (job->next != NULL)
        job->next->prev = job->prev;
    else
        pool->last = job->prev;
    job->next = job->prev = NULL;
    job->waiting = false;
    pool->waiting--;
}

/* Under lock: the next job, when it may run; NULL: the pool ends. */
static struct job *wait_for_job(struct pool *pool)
{
    while (pool->first != NULL ? pool->running >= pool->run_max : !pool->stopping) {
        pool->idle++;
        pthread_cond_wait(&pool->wake, &pool->lock);
        pool->idle--;
    }
    struct job *job = pool->first;
    if (job != NULL)
        unlink_job(pool, job);
    return job;
}

static void *thread_main(void *arg)
{
    struct pool *pool = arg;
    struct job *job;
    pthread_mutex_lock(&pool->lock);
    while ((job = wait_for_job(pool)) != NULL) {
        pool->running++;
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
        pool->running--;
    }
    /* Who waits for a place that it will not need. */
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/** Signals are for the main thread alone. */
static bool start_thread(struct pool *pool)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    bool ok = pthread_create(&pool->threads[pool->thread_count], NULL, thread_main, pool) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ok)
        pool->thread_count++;
    return ok;
}

/* Under lock: a thread for one more job, if it may run; false: there is none at all. */
static bool need_thread(struct pool *pool, size_t waiting)
{
    if (waiting > pool->idle && pool->thread_count < pool->run_max + pool->lent)
        return start_thread(pool) || pool->thread_count > 0;
    return true;
}

bool pool_submit(struct pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool ok = need_thread(pool, pool->waiting + 1);
    if (ok) {
        job->next = NULL;
        job->prev = pool->last;
        job->waiting = true;
        if (pool->last != NULL)
            pool->last->next = job;
        else
            pool->first = job;
        pool->last = job;
        pool->waiting++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return ok;
}

bool pool_cancel(struct pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool waiting = job->waiting;
    if (waiting)
        unlink_job(pool, job);
    pthread_mutex_unlock(&pool->lock);
    return waiting;
}

struct pool_load pool_look(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_load load = {pool->thread_count - pool->idle, pool->waiting};
    pthread_mutex_unlock(&pool->lock);
    return load;
}

bool pool_lend(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool lends = pool->lent < pool->lend_max;
    if (lends) {
        pool->lent++;
        pool->running--;
        (void)!need_thread(pool, pool->waiting);
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return lends;
}

void pool_take_back(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->lent--;
    pool->running++;
    pthread_mutex_unlock(&pool->lock);
}
