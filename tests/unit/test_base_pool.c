#include "tests/lib/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/pool.h"

static struct bbi_pool *start(unsigned threads)
{
    struct bbi_pool *pool;
    struct bb_error err;
    assert_ok(bbi_pool_create(threads, NULL, &pool, &err), &err);
    assert_int_equal(bbi_pool_thread_count(pool), threads);
    return pool;
}

static _Atomic int ran;

static void count_one(void *arg)
{
    (void)arg;
    ran++;
}

static void free_itself(void *arg)
{
    ran++;
    bbi_mem_free(arg);
}

static void test_destroy_runs_what_is_queued(void **state)
{
    (void)state;
    ran = 0;
    struct bbi_pool *pool = start(3);
    for (int k = 0; k < 500; k++) {
        struct bbi_task *task = bbi_mem_alloc(NULL, sizeof(*task));
        bbi_pool_submit(pool, task, free_itself, task);
    }
    bbi_pool_destroy(&pool);
    assert_null(pool);
    bbi_pool_destroy(&pool);
    assert_int_equal(ran, 500);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

static void test_a_group_waits_for_its_tasks(void **state)
{
    (void)state;
    struct bbi_pool *pool = start(2);
    struct bbi_task_group group;
    bbi_task_group_init(&group, pool);
    for (int round = 0; round < 200; round++) {
        struct bbi_task tasks[20];
        ran = 0;
        for (int k = 0; k < 20; k++) {
            bbi_task_group_run(&group, &tasks[k], count_one, NULL);
        }
        bbi_task_group_wait(&group);
        assert_int_equal(ran, 20);
    }
    bbi_pool_destroy(&pool);
}

struct node {
    struct bbi_pool *pool;
    unsigned depth;
};

/* Each node waits for its children inside a task: one thread must be enough. */
static void run_node(void *arg)
{
    const struct node *node = arg;
    ran++;
    if (node->depth == 0) {
        return;
    }
    struct node child = {.pool = node->pool, .depth = node->depth - 1};
    struct bbi_task tasks[3];
    struct bbi_task_group group;
    bbi_task_group_init(&group, node->pool);
    for (int k = 0; k < 3; k++) {
        bbi_task_group_run(&group, &tasks[k], run_node, &child);
    }
    bbi_task_group_wait(&group);
}

static void test_nested_waits_do_not_deadlock(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        struct bbi_pool *pool = start(threads);
        ran = 0;
        struct node root = {.pool = pool, .depth = 6};
        run_node(&root);
        assert_int_equal(ran, (2187 - 1) / 2);
        bbi_pool_destroy(&pool);
    }
    ran = 0;
    struct node alone = {.pool = NULL, .depth = 3};
    run_node(&alone);
    assert_int_equal(ran, 40);
}

struct hits {
    struct bbi_pool *pool;
    _Atomic int at[1000];
};

static void hit(void *arg, size_t index)
{
    struct hits *hits = arg;
    hits->at[index]++;
}

static void hit_nested(void *arg, size_t index)
{
    struct hits *hits = arg;
    (void)index;
    bbi_pool_for(hits->pool, 0, 1000, hit, hits);
}

static void test_for_visits_each_index_once(void **state)
{
    (void)state;
    struct bbi_pool *pool = start(3);
    for (unsigned threads = 0; threads < 6; threads++) {
        for (size_t count = 0; count <= 1000; count = count * 3 + 1) {
            struct hits hits = {.pool = pool};
            bbi_pool_for(threads == 5 ? NULL : pool, threads, count, hit, &hits);
            for (size_t k = 0; k < 1000; k++) {
                assert_int_equal(hits.at[k], k < count);
            }
        }
    }
    struct hits hits = {.pool = pool};
    bbi_pool_for(pool, 0, 10, hit_nested, &hits);
    for (size_t k = 0; k < 1000; k++) {
        assert_int_equal(hits.at[k], 10);
    }
    bbi_pool_destroy(&pool);
}

struct meeting {
    pthread_barrier_t all;
};

static void meet(void *arg, size_t index)
{
    struct meeting *meeting = arg;
    (void)index;
    (void)pthread_barrier_wait(&meeting->all);
}

/* Four calls that wait for one another end only if caller and pool work at the same time. */
static void test_the_caller_helps(void **state)
{
    (void)state;
    struct bbi_pool *pool = start(3);
    struct meeting meeting;
    assert_int_equal(pthread_barrier_init(&meeting.all, NULL, 4), 0);
    bbi_pool_for(pool, 0, 4, meet, &meeting);
    bbi_pool_for(pool, 4, 4, meet, &meeting);
    (void)pthread_barrier_destroy(&meeting.all);
    bbi_pool_destroy(&pool);
}

static void test_no_memory_for_a_pool(void **state)
{
    (void)state;
    struct bbi_pool *pool;
    struct bb_error err;
    bbi_mem_fail_at(1);
    assert_int_equal(bbi_pool_create(2, NULL, &pool, &err), BB_ENOMEM);
    bbi_mem_fail_at(0);
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_destroy_runs_what_is_queued),
        cmocka_unit_test(test_a_group_waits_for_its_tasks),
        cmocka_unit_test(test_nested_waits_do_not_deadlock),
        cmocka_unit_test(test_for_visits_each_index_once),
        cmocka_unit_test(test_the_caller_helps),
        cmocka_unit_test(test_no_memory_for_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
