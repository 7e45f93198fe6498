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
    assert_ok(pool_init(&pool, 4, 0, &err), &err);
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
    assert_ok(pool_init(&pool, 1, 0, &err), &err);
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
    assert_ok(pool_init(&pool, 4, 0, &err), &err);
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

/* ---- places that are lent ---- */

struct lender {
    struct job job;
    struct pool *pool;
    _Atomic bool lends, may_end;
    _Atomic int *runs;
};

static void wait_for(const _Atomic bool *flag)
{
    while (!atomic_load(flag))
        usleep(100);
}

static void on_lend(struct job *job)
{
    struct lender *l = (struct lender *)job;
    bool lent = pool_lend(l->pool);
    atomic_store(&l->lends, lent);
    wait_for(&l->may_end);
    if (lent)
        pool_take_back(l->pool);
    atomic_fetch_add(l->runs, 1);
}

/** Two places, three that may be lent: three lenders, and two more jobs run beside them. The fourth
 * lender keeps its place. */
static void test_places_are_lent(void **state)
{
    enum {
        LENDERS = 4
    };
    struct lender lenders[LENDERS];
    struct count_job jobs[20];
    _Atomic int runs = 0, ended = 0;
    struct bb_error err;
    struct pool pool;
    (void)state;
    assert_ok(pool_init(&pool, 2, 3, &err), &err);
    for (int i = 0; i < LENDERS; i++) {
        lenders[i] = (struct lender){.job.run = on_lend, .pool = &pool, .runs = &ended};
        assert_true(pool_submit(&pool, &lenders[i].job));
        if (i < 3)
            wait_for(&lenders[i].lends);
    }
    for (int i = 0; i < 20; i++) {
        jobs[i] = (struct count_job){.job.run = on_run, .runs = &runs};
        assert_true(pool_submit(&pool, &jobs[i].job));
    }
    for (int i = 0; i < 5000 && atomic_load(&runs) < 20; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&runs), 20);
    assert_false(atomic_load(&lenders[3].lends));
    assert_true(pool.thread_count <= 5);
    for (int i = 0; i < LENDERS; i++)
        atomic_store(&lenders[i].may_end, true);
    pool_fini(&pool);
    assert_int_equal(atomic_load(&ended), LENDERS);
}

struct counted {
    struct job job;
    struct pool *pool;
    _Atomic int *now, *most, *left;
};

static void on_counted(struct job *job)
{
    struct counted *c = (struct counted *)job;
    int now = atomic_fetch_add(c->now, 1) + 1;
    for (int most = atomic_load(c->most); now > most;)
        if (atomic_compare_exchange_weak(c->most, &most, now))
            break;
    usleep(200);
    atomic_fetch_sub(c->now, 1);
    if (pool_lend(c->pool)) {
        usleep(200);
        pool_take_back(c->pool);
    }
    atomic_fetch_sub(c->left, 1);
}

/** However many threads lending has started, no more jobs start than there are places. */
static void test_no_more_jobs_start_than_places(void **state)
{
    enum {
        N = 2000
    };
    static struct counted jobs[N];
    _Atomic int now = 0, most = 0, left = N;
    struct bb_error err;
    struct pool pool;
    (void)state;
    assert_ok(pool_init(&pool, 2, 6, &err), &err);
    for (int i = 0; i < N; i++) {
        jobs[i] = (struct counted){
            .job.run = on_counted, .pool = &pool, .now = &now, .most = &most, .left = &left};
        assert_true(pool_submit(&pool, &jobs[i].job));
    }
    pool_fini(&pool);
    assert_int_equal(atomic_load(&left), 0);
    assert_int_equal(atomic_load(&most), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_jobs_run_before_the_end),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_threads_start_when_needed),
        cmocka_unit_test(test_places_are_lent),
        cmocka_unit_test(test_no_more_jobs_start_than_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
