#include "engine/continuous.h"

#include <string.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/catalog/tasks.h"
#include "engine/influxql/expr.h"

/* What goes on failing is told once in this time. */
#define REPEAT_NS INT64_C(10000000000)

/* Of a name or an error in the log. */
#define TEXT_SHOWN 200

struct bbi_continuous_query {
    uint32_t db_id;
    uint32_t id;
    bool is_good; /* it could be read */
    struct bbi_cq cq;
    struct bbi_cq_clock clock;
    int64_t told_ns; /* of the monotonic clock: its last failure in the log; 0: none */
};

void bbi_continuous_init(struct bbi_continuous *c, const struct bbi_query_env *env,
                         uint32_t interval_ms, bool logs_runs)
{
    pthread_condattr_t attr;
    *c = (struct bbi_continuous){.env = env, .logs_runs = logs_runs, .interval_ms = interval_ms};
    bbi_arena_init(&c->arena, env->acct);
    int rc = pthread_mutex_init(&c->lock, NULL);
    rc = rc == 0 ? pthread_condattr_init(&attr) : rc;
    rc = rc == 0 ? pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) : rc;
    rc = rc == 0 ? pthread_cond_init(&c->wake, &attr) : rc;
    BB_ASSERT(rc == 0);
    (void)pthread_condattr_destroy(&attr);
}

void bbi_continuous_fini(struct bbi_continuous *c)
{
    if (c->env != NULL) {
        bbi_arena_fini(&c->arena);
        (void)pthread_cond_destroy(&c->wake);
        (void)pthread_mutex_destroy(&c->lock);
    }
}

/* ---- the log ---- */

/* A text that may stand between double quotes, cut. */
static void quotable(const char *text, char out[TEXT_SHOWN + 1])
{
    size_t n = 0;
    for (; text[n] != '\0' && n < TEXT_SHOWN; n++) {
        out[n] = text[n] == '"' ? '\'' : text[n];
    }
    out[n] = '\0';
}

static void log_failure(struct bbi_continuous_query *q, const char *name, const char *database,
                        const struct bb_error *err)
{
    char name_text[TEXT_SHOWN + 1];
    char database_text[TEXT_SHOWN + 1];
    char reason[TEXT_SHOWN + 1];
    int64_t now_ns = bbi_clock_mono_ns();
    if (q->told_ns != 0 && now_ns - q->told_ns < REPEAT_NS) {
        return;
    }
    q->told_ns = now_ns;
    quotable(name, name_text);
    quotable(database, database_text);
    quotable(err->text, reason);
    bbi_log(BBI_LOG_WARN, "continuous_query_failed", "name=\"%s\" db=\"%s\" reason=\"%s\"",
            name_text, database_text, reason);
}

static void time_text(int64_t time_ns, char out[64])
{
    struct bbi_buf text = {.data = (uint8_t *)out, .cap = 63, .max = 63};
    bbi_ql_time_format(time_ns, &text);
    out[text.len] = '\0';
}

static void log_run(const struct bbi_cq *cq, int64_t start_ns, int64_t end_ns, int64_t written,
                    int64_t took_ns)
{
    char name[TEXT_SHOWN + 1];
    char database[TEXT_SHOWN + 1];
    char start[64];
    char end[64];
    quotable(cq->name, name);
    quotable(cq->database, database);
    time_text(start_ns, start);
    time_text(end_ns, end);
    bbi_log(BBI_LOG_INFO, "continuous_query",
            "name=\"%s\" db=\"%s\" start=%s end=%s written=%lld ms=%lld", name, database, start,
            end, (long long)written, (long long)(took_ns / 1000000));
}

/* ---- the queries ---- */

/* Both lists stand in the order of database and id. */
static void keep_clocks(const struct bbi_continuous_query *old, size_t old_count,
                        struct bbi_continuous_query *now, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < old_count && (old[at].db_id < now[i].db_id ||
                                  (old[at].db_id == now[i].db_id && old[at].id < now[i].id))) {
            at++;
        }
        if (at < old_count && old[at].db_id == now[i].db_id && old[at].id == now[i].id) {
            now[i].clock = old[at].clock;
            now[i].told_ns = old[at].told_ns;
        }
    }
}

/* One that cannot be read, or not any more, is told and passed over. Memory is another matter. */
static int read_query(struct bbi_continuous *c, const struct bbi_catalog_task *task,
                      struct bbi_arena *arena, struct bbi_continuous_query *q, struct bb_error *err)
{
    *q = (struct bbi_continuous_query){.db_id = task->db_id, .id = task->id};
    int rc = bbi_cq_parse(task->text, task->text_len, c->env->zones, arena, &q->cq, err);
    q->is_good = rc == BB_OK;
    if (rc != BB_OK && rc != BB_ENOMEM) {
        atomic_fetch_add_explicit(&c->failures, 1, memory_order_relaxed);
        log_failure(q, task->name, task->database, err);
        rc = BB_OK;
    }
    return rc;
}

static int read_queries(struct bbi_continuous *c, struct bb_error *err)
{
    struct bbi_catalog_tasks tasks;
    struct bbi_arena arena;
    int rc = bbi_catalog_tasks(c->env->catalog, BBI_TASK_CONTINUOUS_QUERY, c->env->acct, &tasks,
                               err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_arena_init(&arena, c->env->acct);
    struct bbi_continuous_query *queries = bbi_arena_zalloc(&arena, tasks.count,
                                                            sizeof(queries[0]));
    rc = queries == NULL ? bbi_error_nomem(err, "continuous queries") : BB_OK;
    for (size_t i = 0; rc == BB_OK && i < tasks.count; i++) {
        rc = read_query(c, &tasks.list[i], &arena, &queries[i], err);
    }
    if (rc == BB_OK) {
        keep_clocks(c->queries, c->count, queries, tasks.count);
        bbi_arena_fini(&c->arena);
        c->arena = arena;
        c->queries = queries;
        c->count = tasks.count;
        c->changes = tasks.changes;
        c->is_read = true;
    } else {
        bbi_arena_fini(&arena);
    }
    bbi_catalog_tasks_free(&tasks);
    return rc;
}

/* ---- running ---- */

/* What a run answers: how many points were written, or why none. */
struct outcome {
    int64_t written;
    struct bb_error err;
};

static int take_begin(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return 0;
}

static int take_series(void *arg, const struct bb_series *series)
{
    (void)arg;
    (void)series;
    return 0;
}

static int take_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct outcome *o = arg;
    if (row_count == 1 && values[1].kind == BB_VALUE_INT) {
        o->written = values[1].v.i;
    }
    return 0;
}

static int take_end(void *arg, const struct bb_error *err)
{
    struct outcome *o = arg;
    if (err != NULL) {
        o->err = *err;
    }
    return 0;
}

static int run_text(struct bbi_continuous *c, const struct bbi_cq *cq, const struct bbi_buf *text,
                    int64_t *written, struct bb_error *err)
{
    struct outcome outcome = {.written = 0};
    const struct bb_sink sink = {.arg = &outcome,
                                 .statement_begin = take_begin,
                                 .series = take_series,
                                 .rows = take_rows,
                                 .statement_end = take_end};
    const struct bb_query query = {.database = cq->database,
                                   .text = (const char *)text->data,
                                   .text_length = text->len,
                                   .canceled = &c->stopping};
    int rc = bbi_query_run(c->env, &query, &sink, err);
    if (rc == BB_OK && outcome.err.code != BB_OK) {
        *err = outcome.err;
        rc = err->code;
    }
    *written = outcome.written;
    return rc;
}

static int run_query(struct bbi_continuous *c, const struct bbi_cq *cq, int64_t start_ns,
                     int64_t end_ns, struct bb_error *err)
{
    struct bbi_arena arena;
    struct bbi_buf text;
    int64_t written;
    int64_t began_ns = bbi_clock_mono_ns();
    bbi_arena_init(&arena, c->env->acct);
    bbi_buf_init(&text, c->env->acct, BBI_TASK_TEXT_MAX + 1024);
    int rc = bbi_cq_format(cq, start_ns, end_ns, &arena, &text, err);
    rc = rc == BB_OK ? run_text(c, cq, &text, &written, err) : rc;
    bbi_buf_fini(&text);
    bbi_arena_fini(&arena);
    if (rc == BB_OK && c->logs_runs) {
        log_run(cq, start_ns, end_ns, written, bbi_clock_mono_ns() - began_ns);
    }
    return rc;
}

static bool is_stopping(const struct bbi_continuous *c)
{
    return __atomic_load_n(&c->stopping, __ATOMIC_RELAXED) != 0;
}

void bbi_continuous_look(struct bbi_continuous *c)
{
    struct bb_error err;
    if (!c->is_read || c->changes != bbi_catalog_task_changes(c->env->catalog)) {
        if (read_queries(c, &err) != BB_OK) {
            bbi_log(BBI_LOG_WARN, "continuous_queries_not_read", "reason=\"%s\"", err.text);
            return;
        }
    }
    int64_t now_ns = bbi_clock_wall_ns();
    for (size_t i = 0; i < c->count && !is_stopping(c); i++) {
        struct bbi_continuous_query *q = &c->queries[i];
        int64_t start_ns;
        int64_t end_ns;
        if (!q->is_good || !bbi_cq_due(&q->cq, now_ns, &q->clock, &start_ns, &end_ns)) {
            continue;
        }
        if (run_query(c, &q->cq, start_ns, end_ns, &err) == BB_OK) {
            atomic_fetch_add_explicit(&c->runs, 1, memory_order_relaxed);
            q->told_ns = 0;
        } else if (!is_stopping(c)) {
            atomic_fetch_add_explicit(&c->failures, 1, memory_order_relaxed);
            log_failure(q, q->cq.name, q->cq.database, &err);
        }
    }
}

/* ---- the thread ---- */

/* False: it is time to end. */
static bool sleep_until_next(struct bbi_continuous *c)
{
    int64_t at_ns = bbi_clock_mono_ns() + (int64_t)c->interval_ms * 1000000;
    const struct timespec until = {at_ns / 1000000000, at_ns % 1000000000};
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    while (rc == 0 && !is_stopping(c)) {
        rc = pthread_cond_timedwait(&c->wake, &c->lock, &until);
    }
    pthread_mutex_unlock(&c->lock);
    return !is_stopping(c);
}

static void *thread_main(void *arg)
{
    struct bbi_continuous *c = arg;
    while (sleep_until_next(c)) {
        bbi_continuous_look(c);
    }
    return NULL;
}

int bbi_continuous_start(struct bbi_continuous *c, struct bb_error *err)
{
    if (pthread_create(&c->thread, NULL, thread_main, c) != 0) {
        return bbi_error_set(err, BB_ENOMEM, "cannot start the thread of continuous queries");
    }
    c->has_thread = true;
    return BB_OK;
}

void bbi_continuous_stop(struct bbi_continuous *c)
{
    if (!c->has_thread) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    __atomic_store_n(&c->stopping, 1, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    (void)pthread_join(c->thread, NULL);
    c->has_thread = false;
}
