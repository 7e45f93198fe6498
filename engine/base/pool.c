#include "engine/base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define THREADS_MAX 256
#define HELPERS_MAX 64

struct bbi_pool {
    pthread_mutex_t mutex;
    pthread_cond_t work;  /* a task was queued, or the end has come */
    pthread_cond_t ended; /* a task of some group ended */
    struct bbi_task *first;
    struct bbi_task *last;
    bool closing;
    unsigned thread_count;
    pthread_t threads[];
};

static void lock(struct bbi_pool *pool)
{
    BB_ASSERT(pthread_mutex_lock(&pool->mutex) == 0);
}

static void unlock(struct bbi_pool *pool)
{
    BB_ASSERT(pthread_mutex_unlock(&pool->mutex) == 0);
}

static void enqueue(struct bbi_pool *pool, struct bbi_task *task)
{
    task->next = NULL;
    task->prev = pool->last;
    if (pool->last == NULL) {
        pool->first = task;
    } else {
        pool->last->next = task;
    }
    pool->last = task;
}

static void dequeue(struct bbi_pool *pool, struct bbi_task *task)
{
    if (task->prev == NULL) {
        pool->first = task->next;
    } else {
        task->prev->next = task->next;
    }
    if (task->next == NULL) {
        pool->last = task->prev;
    } else {
        task->next->prev = task->prev;
    }
}

/* Called with the mutex held, which is released around the task's function. The task may be gone
 * once that is called; the group lives as long as it has pending tasks. */
static void run_task(struct bbi_pool *pool, struct bbi_task *task)
{
    struct bbi_task_group *group = task->group;
    void (*run)(void *arg) = task->run;
    void *arg = task->arg;
    dequeue(pool, task);
    unlock(pool);
    run(arg);
    lock(pool);
    if (group != NULL) {
        group->pending--;
        if (group->pending == 0) {
            (void)pthread_cond_broadcast(&pool->ended);
        }
    }
}

static void *thread_main(void *arg)
{
    struct bbi_pool *pool = arg;
    lock(pool);
    for (;;) {
        if (pool->first != NULL) {
            run_task(pool, pool->first);
        } else if (pool->closing) {
            break;
        } else {
            (void)pthread_cond_wait(&pool->work, &pool->mutex);
        }
    }
    unlock(pool);
    return NULL;
}

int bbi_pool_create(unsigned thread_count, struct bbi_account *acct, struct bbi_pool **out,
                    struct bb_error *err)
{
    *out = NULL;
    BB_ASSERT(thread_count >= 1 && thread_count <= THREADS_MAX);
    struct bbi_pool *pool = bbi_mem_zalloc(acct, 1,
                                           sizeof(*pool) + thread_count * sizeof(pool->threads[0]));
    if (pool == NULL) {
        return bbi_error_nomem(err, "thread pool");
    }
    BB_ASSERT(pthread_mutex_init(&pool->mutex, NULL) == 0);
    BB_ASSERT(pthread_cond_init(&pool->work, NULL) == 0);
    BB_ASSERT(pthread_cond_init(&pool->ended, NULL) == 0);
    for (; pool->thread_count < thread_count; pool->thread_count++) {
        int reason = pthread_create(&pool->threads[pool->thread_count], NULL, thread_main, pool);
        if (reason != 0) {
            bbi_pool_destroy(&pool);
            return bbi_error_errno(err, reason, "start a thread");
        }
    }
    *out = pool;
    return BB_OK;
}

void bbi_pool_destroy(struct bbi_pool **pool_at)
{
    struct bbi_pool *pool = *pool_at;
    if (pool == NULL) {
        return;
    }
    lock(pool);
    pool->closing = true;
    (void)pthread_cond_broadcast(&pool->work);
    unlock(pool);
    for (unsigned k = 0; k < pool->thread_count; k++) {
        BB_ASSERT(pthread_join(pool->threads[k], NULL) == 0);
    }
    (void)pthread_cond_destroy(&pool->ended);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->mutex);
    bbi_mem_free(pool);
    *pool_at = NULL;
}

unsigned bbi_pool_thread_count(const struct bbi_pool *pool)
{
    return pool->thread_count;
}

static void submit(struct bbi_pool *pool, struct bbi_task *task, struct bbi_task_group *group,
                   void (*run)(void *arg), void *arg)
{
    task->run = run;
    task->arg = arg;
    task->group = group;
    lock(pool);
    if (group != NULL) {
        group->pending++;
    }
    enqueue(pool, task);
    (void)pthread_cond_signal(&pool->work);
    unlock(pool);
}

void bbi_pool_submit(struct bbi_pool *pool, struct bbi_task *task, void (*run)(void *arg),
                     void *arg)
{
    submit(pool, task, NULL, run, arg);
}

void bbi_task_group_init(struct bbi_task_group *group, struct bbi_pool *pool)
{
    group->pool = pool;
    group->pending = 0;
}

void bbi_task_group_run(struct bbi_task_group *group, struct bbi_task *task, void (*run)(void *arg),
                        void *arg)
{
    if (group->pool == NULL) {
        run(arg);
    } else {
        submit(group->pool, task, group, run, arg);
    }
}

static struct bbi_task *find_queued(struct bbi_pool *pool, const struct bbi_task_group *group)
{
    for (struct bbi_task *task = pool->first; task != NULL; task = task->next) {
        if (task->group == group) {
            return task;
        }
    }
    return NULL;
}

/* Only the group's own tasks are helped with: another's could take long, or wait for what this
 * caller holds. Tasks of the group that are not queued run elsewhere, so waiting for them ends. */
void bbi_task_group_wait(struct bbi_task_group *group)
{
    struct bbi_pool *pool = group->pool;
    if (pool == NULL) {
        return;
    }
    lock(pool);
    while (group->pending > 0) {
        struct bbi_task *task = find_queued(pool, group);
        if (task != NULL) {
            run_task(pool, task);
        } else {
            (void)pthread_cond_wait(&pool->ended, &pool->mutex);
        }
    }
    unlock(pool);
}

struct for_loop {
    void (*each)(void *arg, size_t index);
    void *arg;
    size_t count;
    _Atomic size_t next;
};

static void for_loop_run(void *arg)
{
    struct for_loop *loop = arg;
    for (;;) {
        size_t index = atomic_fetch_add_explicit(&loop->next, 1, memory_order_relaxed);
        if (index >= loop->count) {
            return;
        }
        loop->each(loop->arg, index);
    }
}

void bbi_pool_for(struct bbi_pool *pool, unsigned thread_count, size_t count,
                  void (*each)(void *arg, size_t index), void *arg)
{
    struct for_loop loop = {.each = each, .arg = arg, .count = count};
    size_t helpers = 0;
    if (pool != NULL && count > 1) {
        helpers = pool->thread_count;
        helpers = thread_count != 0 && thread_count - 1 < helpers ? thread_count - 1 : helpers;
        helpers = count - 1 < helpers ? count - 1 : helpers;
        helpers = helpers > HELPERS_MAX ? HELPERS_MAX : helpers;
    }
    struct bbi_task tasks[HELPERS_MAX];
    struct bbi_task_group group;
    bbi_task_group_init(&group, pool);
    for (size_t k = 0; k < helpers; k++) {
        bbi_task_group_run(&group, &tasks[k], for_loop_run, &loop);
    }
    for_loop_run(&loop);
    bbi_task_group_wait(&group);
}
