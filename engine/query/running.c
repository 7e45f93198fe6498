#include "engine/query/running.h"

#include "engine/base/clock.h"

void bbi_running_init(struct bbi_running *r, uint32_t count_max)
{
    *r = (struct bbi_running){.next_qid = 1, .count_max = count_max};
    int rc = pthread_mutex_init(&r->lock, NULL);
    BB_ASSERT(rc == 0);
}

void bbi_running_fini(struct bbi_running *r)
{
    BB_ASSERT(r->first == NULL);
    (void)pthread_mutex_destroy(&r->lock);
}

int bbi_running_enter(struct bbi_running *r, struct bbi_running_query *q, struct bb_error *err)
{
    int rc = BB_OK;
    pthread_mutex_lock(&r->lock);
    if (r->count_max != 0 && r->count >= r->count_max) {
        rc = bbi_error_set(err, BB_EBUSY, "max-concurrent-queries limit exceeded(%u, %u)", r->count,
                           r->count_max);
    } else {
        struct bbi_running_query **at = &r->first;
        while (*at != NULL) {
            at = &(*at)->next;
        }
        *at = q;
        q->next = NULL;
        q->qid = r->next_qid++;
        q->started_ns = bbi_clock_mono_ns();
        atomic_init(&q->killed, false);
        r->count++;
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

void bbi_running_leave(struct bbi_running *r, struct bbi_running_query *q)
{
    pthread_mutex_lock(&r->lock);
    struct bbi_running_query **at = &r->first;
    while (*at != q) {
        at = &(*at)->next;
    }
    *at = q->next;
    r->count--;
    pthread_mutex_unlock(&r->lock);
}

int bbi_running_kill(struct bbi_running *r, uint64_t qid, struct bb_error *err)
{
    int rc;
    pthread_mutex_lock(&r->lock);
    struct bbi_running_query *q = r->first;
    while (q != NULL && q->qid != qid) {
        q = q->next;
    }
    if (q == NULL) {
        rc = bbi_error_set(err, BB_ENOTFOUND, "no such query id: %llu", (unsigned long long)qid);
    } else if (atomic_exchange(&q->killed, true)) {
        rc = bbi_error_set(err, BB_EEXIST, "already killed");
    } else {
        rc = BB_OK;
        if (q->on_killed != NULL) {
            q->on_killed(q->on_killed_arg);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

int bbi_running_each(struct bbi_running *r,
                     int (*fn)(void *arg, const struct bbi_running_query *q, struct bb_error *err),
                     void *arg, struct bb_error *err)
{
    int rc = BB_OK;
    pthread_mutex_lock(&r->lock);
    for (const struct bbi_running_query *q = r->first; rc == BB_OK && q != NULL; q = q->next) {
        rc = fn(arg, q, err);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}
