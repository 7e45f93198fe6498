/**
 * A fixed pool of threads.
 *
 * Tasks are structs of the caller, so handing one over cannot fail; a task must stay where it is
 * until its function is called (which may then free or reuse it). Tasks start in the order of
 * submission. Whoever waits for a group of tasks works on that group meanwhile, so that a task may
 * itself wait for a group without tying up the pool.
 *
 * Thread  all functions are thread-safe, except that creation and destruction exclude the others.
 */
#ifndef BBI_BASE_POOL_H
#define BBI_BASE_POOL_H

#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

struct bbi_pool;
struct bbi_task_group;

struct bbi_task {
    void (*run)(void *arg);
    void *arg;
    struct bbi_task_group *group; /* the rest is the pool's */
    struct bbi_task *next;
    struct bbi_task *prev;
};

struct bbi_task_group {
    struct bbi_pool *pool;
    size_t pending; /* tasks that have not ended; under the pool's mutex */
};

/** Start a pool. thread_count 1..256. */
int bbi_pool_create(unsigned thread_count, struct bbi_account *acct, struct bbi_pool **pool,
                    struct bb_error *err) BB_CHECKED;

/** Run what is queued, end the threads, null *pool (which may be NULL). */
void bbi_pool_destroy(struct bbi_pool **pool);

unsigned bbi_pool_thread_count(const struct bbi_pool *pool);

/** Run run(arg) on a thread of the pool; nobody waits for it. */
void bbi_pool_submit(struct bbi_pool *pool, struct bbi_task *task, void (*run)(void *arg),
                     void *arg);

/** A group without tasks. pool NULL: its tasks run at once in the calling thread. */
void bbi_task_group_init(struct bbi_task_group *group, struct bbi_pool *pool);

/** Add a task to the group. */
void bbi_task_group_run(struct bbi_task_group *group, struct bbi_task *task, void (*run)(void *arg),
                        void *arg);

/** Help with the group's queued tasks and return when all have ended. The group can be used again.
 */
void bbi_task_group_wait(struct bbi_task_group *group);

/**
 * Call each(arg, 0) ... each(arg, count - 1), in any order, on the caller's and at most
 * thread_count - 1 further threads (0: as many as the pool has); returns when all have ended.
 * pool NULL: all in the caller.
 */
void bbi_pool_for(struct bbi_pool *pool, unsigned thread_count, size_t count,
                  void (*each)(void *arg, size_t index), void *arg);

#endif
