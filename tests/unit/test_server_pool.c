#include <stdatomic.h>
#include <unistd.h>

#include "server/pool.h"
#include "tests/lib/unit.h"

struct count_job {
    struct job job;
    _Atomic int *runs;
    pthread_mutex_t *gate; /* held by who wants the thread busy; NULL: none */
};

static void on_run(struct job *job)
{
    struct count_job *count = (struct count_job *)job;
    if (count->gate != NULL) {
        pthread_mutex_lock(count->gate);
        pthread_mutex_unlock(count->gate);
    }
    atomic_fetch_add(count->runs, 1);
}

static void test_all_jobs_run_before_the_end(void **state)
{
    enum {
        N = 1000
    };
    static struct count_job jobs[N];
    _Atomic int runs = 0;
    struct bb_error err;
    struct pool pool;
    (void)state;
    assert_ok(pool_init(&pool, 4, &err), &err);
    for (int i = 0; i < N; i++) {
        jobs[i] = (struct count_job){.job.run = on_run, .runs = &runs};
        assert_true(pool_submit(&pool, &jobs[i].job));
    }
    pool_fini(&pool);
    assert_int_equal(atomic_load(&runs), N);
}

/** A job behind a busy thread can be taken back; a running one cannot. */
static void test_cancel(void **state)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    _Atomic int runs = 0;
    struct bb_error err;
    struct pool pool;
    struct count_job jobs[3];
    (void)state;
    assert_ok(pool_init(&pool, 1, &err), &err);
    for (int i = 0; i < 3; i++)
        jobs[i] = (struct count_job){.job.run = on_run, .runs = &runs, .gate = &gate};
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 3; i++)
        assert_true(pool_submit(&pool, &jobs[i].job));
    while (pthread_mutex_lock(&pool.lock), jobs[0].job.waiting) {
        pthread_mutex_unlock(&pool.lock);
        usleep(1000);
    }
    pthread_mutex_unlock(&pool.lock);
    assert_false(pool_cancel(&pool, &jobs[0].job));
    assert_true(pool_cancel(&pool, &jobs[1].job));
    assert_false(pool_cancel(&pool, &jobs[1].job));
    pthread_mutex_unlock(&gate);
    pool_fini(&pool);
    assert_int_equal(atomic_load(&runs), 2);
}

/** Jobs that wait for one another need a thread each, up to the maximum. */
static void test_threads_start_when_needed(void **state)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    _Atomic int runs = 0;
    struct bb_error err;
    struct pool pool;
    struct count_job blocked[3], last;
    (void)state;
    assert_ok(pool_init(&pool, 4, &err), &err);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 3; i++) {
        blocked[i] = (struct count_job){.job.run = on_run, .runs = &runs, .gate = &gate};
        assert_true(pool_submit(&pool, &blocked[i].job));
    }
    last = (struct count_job){.job.run = on_run, .runs = &runs};
    assert_true(pool_submit(&pool, &last.job));
    for (int i = 0; i < 5000 && atomic_load(&runs) == 0; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&runs), 1);
    pthread_mutex_unlock(&gate);
    pool_fini(&pool);
    assert_int_equal(atomic_load(&runs), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_jobs_run_before_the_end),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_threads_start_when_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
