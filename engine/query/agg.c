#include "engine/query/agg.h"

#include <string.h>

#include "engine/query/agg_worker.h"
#include "engine/query/walk.h"

/* Below this many rows threads cost more than they bring. */
#define ROWS_PER_THREAD 20000

/* Rows that are worth a task of their own. */
#define ROWS_PER_TASK 100000

struct task {
    size_t region; /* SIZE_MAX: these series in all regions */
    size_t series_first;
    size_t series_end;
    size_t piece;
    size_t piece_count;
};

struct job {
    struct bbi_agg *agg;
    struct task *tasks;
    size_t task_count;
    _Atomic size_t next;
};

unsigned bbi_agg_threads(const struct bbi_qscan *scan)
{
    const struct bbi_pool *pool = scan->ctx->env->pool;
    uint64_t useful = 1 + scan->rows / ROWS_PER_THREAD;
    unsigned threads = pool == NULL ? 1 : bbi_pool_thread_count(pool);
    return useful < threads ? (unsigned)useful : threads;
}

static int run_region(struct bbi_agg_worker *w, const struct bbi_region *region,
                      const struct task *task, struct bb_error *err)
{
    size_t first = task->series_first > region->series_first ? task->series_first
                                                             : region->series_first;
    size_t end = task->series_end < region->series_end ? task->series_end : region->series_end;
    if (first >= end) {
        return BB_OK;
    }
    struct bbi_walk_part part = {region, first, end, task->piece, task->piece_count};
    struct bbi_visitor visitor = bbi_agg_visitor(w);
    return bbi_walk(w->agg->scan, &part, &visitor, &w->stats, err);
}

/* For the last values alone, the latest regions come first, so that the others are passed over. */
static size_t region_at(const struct bbi_agg *agg, size_t i)
{
    bool latest_first = agg->ends_only;
    for (size_t k = 0; k < agg->layout.field_count; k++) {
        latest_first = latest_first && (agg->layout.fields[k].needs & BBI_NEED_FIRST) == 0;
    }
    return latest_first ? agg->scan->region_count - 1 - i : i;
}

static int run_task(struct bbi_agg_worker *w, const struct task *task, struct bb_error *err)
{
    const struct bbi_qscan *scan = w->agg->scan;
    if (task->region != SIZE_MAX) {
        return run_region(w, &scan->regions[task->region], task, err);
    }
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < scan->region_count; i++) {
        rc = run_region(w, &scan->regions[region_at(w->agg, i)], task, err);
    }
    return rc;
}

static void run_worker(void *arg, size_t index)
{
    struct job *job = arg;
    struct bbi_agg_worker *w = &job->agg->workers[index];
    int rc = BB_OK;
    while (rc == BB_OK) {
        size_t i = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
        if (i >= job->task_count) {
            return;
        }
        rc = run_task(w, &job->tasks[i], &w->err);
    }
    /* Whoever stops because another failed says "interrupted"; the first failure is kept. */
    w->failed_first = !atomic_exchange(&job->agg->scan->ctx->stopped, true);
}

/* With many groups, each range of series is one task, so that threads meet few groups in common;
 * else regions are cut as their rows suggest. */
static int make_tasks(struct job *job, struct bb_error *err)
{
    const struct bbi_agg *agg = job->agg;
    const struct bbi_qscan *scan = agg->scan;
    size_t threads = agg->worker_count;
    bool by_series = threads == 1 || agg->group_count > 64 * threads;
    size_t ranges = threads == 1 ? 1 : threads * 4;
    size_t count = by_series ? ranges : 0;
    for (size_t i = 0; !by_series && i < scan->region_count; i++) {
        count += 1 + scan->regions[i].rows / ROWS_PER_TASK;
    }
    int rc = bbi_qctx_array(scan->ctx, count, sizeof(job->tasks[0]), &job->tasks, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (by_series) {
        for (size_t i = 0; i < ranges; i++) {
            job->tasks[job->task_count++] = (struct task){SIZE_MAX, scan->series_count * i / ranges,
                                                          scan->series_count * (i + 1) / ranges, 0,
                                                          1};
        }
        return BB_OK;
    }
    for (size_t i = 0; i < scan->region_count; i++) {
        size_t region = region_at(agg, i);
        size_t pieces = 1 + scan->regions[region].rows / ROWS_PER_TASK;
        for (size_t k = 0; k < pieces; k++) {
            job->tasks[job->task_count++] = (struct task){region, 0, scan->series_count, k, pieces};
        }
    }
    return BB_OK;
}

static int merge_group(struct bbi_agg *agg, size_t group, struct bb_error *err)
{
    for (unsigned i = 0; i < agg->worker_count; i++) {
        uint8_t *from = agg->workers[i].blocks[group];
        uint8_t *to = agg->cells[group];
        if (from == NULL || to == NULL) {
            agg->cells[group] = from == NULL ? to : from;
            continue;
        }
        for (size_t b = 0; b < agg->bucket_count; b++) {
            size_t at = b * agg->layout.cell_bytes;
            int rc = bbi_state_merge(&agg->layout, to + at, from + at, &agg->scan->ctx->acct, err);
            if (rc != BB_OK) {
                return rc;
            }
        }
    }
    return BB_OK;
}

/* The error of whoever failed first, and everybody's counts. */
static int gather(struct bbi_agg *agg, struct bb_error *err)
{
    int rc = BB_OK;
    for (unsigned i = 0; i < agg->worker_count; i++) {
        struct bbi_agg_worker *w = &agg->workers[i];
        bbi_qstats_add(&agg->scan->ctx->stats, &w->stats);
        if (w->err.code != BB_OK && (rc == BB_OK || w->failed_first)) {
            *err = w->err;
            rc = w->err.code;
        }
    }
    for (size_t g = 0; rc == BB_OK && g < agg->group_count; g++) {
        rc = merge_group(agg, g, err);
        if (rc == BB_OK && g % 4096 == 4095) {
            rc = bbi_qctx_check(agg->scan->ctx, err);
        }
    }
    return rc;
}

static int start_workers(struct bbi_agg *agg, struct bb_error *err)
{
    struct bbi_account *acct = &agg->scan->ctx->acct;
    unsigned count = bbi_agg_threads(agg->scan);
    agg->cells = bbi_mem_zalloc(acct, agg->group_count, sizeof(agg->cells[0]));
    agg->workers = bbi_mem_zalloc(acct, count, sizeof(agg->workers[0]));
    if (agg->cells == NULL || agg->workers == NULL) {
        return bbi_error_nomem(err, "aggregates");
    }
    for (unsigned i = 0; i < count; i++) {
        agg->worker_count++;
        int rc = bbi_agg_worker_init(&agg->workers[i], agg, err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

int bbi_agg_run(struct bbi_agg *agg, struct bb_error *err)
{
    struct bbi_qctx *ctx = agg->scan->ctx;
    struct job job = {.agg = agg};
    agg->cells = NULL;
    agg->workers = NULL;
    agg->worker_count = 0;
    agg->ends_only = agg->bucket_count == 1 && agg->buckets.width_ns == 0;
    for (size_t i = 0; i < agg->layout.field_count; i++) {
        agg->ends_only = agg->ends_only &&
                         (agg->layout.fields[i].needs & ~(BBI_NEED_FIRST | BBI_NEED_LAST)) == 0;
    }
    int rc = start_workers(agg, err);
    if (rc == BB_OK) {
        rc = make_tasks(&job, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    bbi_pool_for(agg->worker_count == 1 ? NULL : ctx->env->pool, agg->worker_count,
                 agg->worker_count, run_worker, &job);
    rc = gather(agg, err);
    atomic_store(&ctx->stopped, false);
    return rc;
}

void bbi_agg_fini(struct bbi_agg *agg)
{
    for (unsigned i = 0; i < agg->worker_count; i++) {
        bbi_agg_worker_fini(&agg->workers[i]);
    }
    bbi_mem_free(agg->workers);
    bbi_mem_free(agg->cells);
    agg->workers = NULL;
    agg->cells = NULL;
    agg->worker_count = 0;
}
