/* SHOW of what the server does and is: QUERIES, STATS, DIAGNOSTICS, CONTINUOUS QUERIES ... */
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/influxql/expr.h"
#include "engine/influxql/influxql.h"
#include "engine/query/authorize.h"
#include "engine/query/show.h"
#include "engine/query/statement.h"

/* ---- queries ---- */

/* A duration as Go prints it, cut to whole units. */
static void short_duration(int64_t ns, char text[64])
{
    if (ns < 1000) {
        (void)snprintf(text, 64, "%lldns", (long long)ns);
    } else if (ns < 1000000) {
        (void)snprintf(text, 64, "%lld\xc2\xb5s", (long long)(ns / 1000));
    } else if (ns < INT64_C(1000000000)) {
        (void)snprintf(text, 64, "%lldms", (long long)(ns / 1000000));
    } else {
        int64_t s = ns / INT64_C(1000000000);
        if (s >= 3600) {
            (void)snprintf(text, 64, "%lldh%lldm%llds", (long long)(s / 3600),
                           (long long)(s / 60 % 60), (long long)(s % 60));
        } else if (s >= 60) {
            (void)snprintf(text, 64, "%lldm%llds", (long long)(s / 60), (long long)(s % 60));
        } else {
            (void)snprintf(text, 64, "%llds", (long long)s);
        }
    }
}

/* Everything is copied into the statement's arena: the queries go on. */
static int add_text(struct bbi_qctx *ctx, const char *text, size_t length, struct bb_value *value,
                    struct bb_error *err)
{
    const char *copy = bbi_arena_dup(&ctx->arena, text, length);
    *value = bbi_value_string(copy, length);
    return copy == NULL ? bbi_error_nomem(err, "running queries") : BB_OK;
}

struct shown_query {
    uint64_t qid;
    struct bb_value text, database, duration;
    bool killed;
};

struct shown_queries {
    struct bbi_qctx *ctx;
    struct shown_query *list; /* [count] */
    size_t count;
    size_t cap;
    int64_t now_ns;
    bool all;
};

/* What others ask may name databases and values that the user must not read. */
static bool is_for_user(const struct shown_queries *l, const struct bbi_running_query *q)
{
    const char *user = l->ctx->query->user;
    return l->all || (user != NULL && q->user != NULL && strcmp(user, q->user) == 0);
}

static int take_query(void *arg, const struct bbi_running_query *q, struct bb_error *err)
{
    struct shown_queries *l = arg;
    char duration[64];
    if (!is_for_user(l, q)) {
        return BB_OK;
    }
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        struct shown_query *list = bbi_mem_realloc(&l->ctx->acct, l->list, cap * sizeof(list[0]));
        if (list == NULL) {
            return bbi_error_nomem(err, "running queries");
        }
        l->list = list;
        l->cap = cap;
    }
    struct shown_query *s = &l->list[l->count++];
    short_duration(l->now_ns - q->started_ns, duration);
    s->qid = q->qid;
    s->killed = atomic_load(&q->killed);
    int rc = add_text(l->ctx, q->text, q->text_length, &s->text, err);
    rc = rc == BB_OK ? add_text(l->ctx, q->database, strlen(q->database), &s->database, err) : rc;
    return rc == BB_OK ? add_text(l->ctx, duration, strlen(duration), &s->duration, err) : rc;
}

static int show_queries(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"qid", "query", "database", "duration", "status"};
    struct shown_queries l = {
        .ctx = ctx, .now_ns = bbi_clock_mono_ns(), .all = bbi_authorize_sees_all(ctx)};
    int rc = bbi_running_each(ctx->env->running, take_query, &l, err);
    rc = rc == BB_OK ? bbi_emit_columns(e, NULL, columns, 5, err) : rc;
    for (size_t i = 0; rc == BB_OK && i < l.count; i++) {
        const char *status = l.list[i].killed ? "killed" : "running";
        struct bb_value *row;
        rc = bbi_emit_row(e, &row, err);
        if (rc == BB_OK) {
            row[0] = bbi_value_uint(l.list[i].qid);
            row[1] = l.list[i].text;
            row[2] = l.list[i].database;
            row[3] = l.list[i].duration;
            row[4] = bbi_value_string(status, strlen(status));
        }
    }
    rc = rc == BB_OK ? bbi_emit_flush(e, err) : rc;
    bbi_mem_free(l.list);
    return rc;
}

/* ---- numbers ---- */

/* X(module, name, member of struct bb_stats); InfluxDB's names stand beside ours. */
#define STATS_TABLE(X)                                                \
    X("write", points_written, points_written)                        \
    X("write", points_rejected, points_rejected)                      \
    X("write", batches_written, batches_written)                      \
    X("write", req, batches_written)                                  \
    X("write", pointReq, points_written)                              \
    X("write", writeOk, batches_written)                              \
    X("write", writeDrop, points_rejected)                            \
    X("wal", wal_bytes_written, wal_bytes_written)                    \
    X("wal", wal_syncs, wal_syncs)                                    \
    X("wal", wal_bytes_on_disk, wal_bytes_on_disk)                    \
    X("wal", wal_corruptions, wal_corruptions)                        \
    X("wal", durable_lsn, durable_lsn)                                \
    X("wal", checkpoint_lsn, checkpoint_lsn)                          \
    X("memtable", memtable_bytes, memtable_bytes)                     \
    X("memtable", memtable_rows, memtable_rows)                       \
    X("segments", flushes, flushes)                                   \
    X("segments", flush_bytes_written, flush_bytes_written)           \
    X("segments", compactions, compactions)                           \
    X("segments", compaction_bytes_read, compaction_bytes_read)       \
    X("segments", compaction_bytes_written, compaction_bytes_written) \
    X("segments", segments, segments)                                 \
    X("segments", segment_bytes, segment_bytes)                       \
    X("segments", segments_quarantined, segments_quarantined)         \
    X("deletions", deletions_pending, deletions_pending)              \
    X("deletions", segments_to_rewrite, deletion_segments)            \
    X("deletions", bytes_to_rewrite, deletion_bytes)                  \
    X("deletions", values_removed, values_removed)                    \
    X("queryExecutor", queries, queries)                              \
    X("queryExecutor", query_errors, query_errors)                    \
    X("queryExecutor", queriesExecuted, queries)                      \
    X("catalog", databases, databases)                                \
    X("catalog", series, series)                                      \
    X("memory", memory_used_bytes, memory_used_bytes)                 \
    X("memory", memory_peak_bytes, memory_peak_bytes)

struct stat_line {
    const char *module;
    const char *name;
    size_t offset;
};

static const struct stat_line stat_lines[] = {
#define STAT_LINE(module, name, member) {module, #name, offsetof(struct bb_stats, member)},
    STATS_TABLE(STAT_LINE)
#undef STAT_LINE
};

#define STAT_COUNT     (sizeof(stat_lines) / sizeof(stat_lines[0]))
#define MORE_STATS_MAX 128

/* One module's numbers in one row: lines [from, to). */
static int show_module(const struct bb_stats *stats, size_t from, size_t to, struct bbi_emit *e,
                       struct bb_error *err)
{
    const char *columns[STAT_COUNT];
    struct bb_value *row;
    for (size_t i = from; i < to; i++) {
        columns[i - from] = stat_lines[i].name;
    }
    int rc = bbi_emit_columns(e, stat_lines[from].module, columns, to - from, err);
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    for (size_t i = from; rc == BB_OK && i < to; i++) {
        uint64_t value;
        memcpy(&value, (const char *)stats + stat_lines[i].offset, sizeof(value));
        row[i - from] = bbi_value_uint(value);
    }
    return rc == BB_OK ? bbi_emit_flush(e, err) : rc;
}

/* Numbers [0, n) of one module of the program around the library. */
static int show_more_module(const struct bb_stat *list, size_t n, struct bbi_emit *e,
                            struct bb_error *err)
{
    const char *columns[MORE_STATS_MAX];
    struct bb_value *row;
    for (size_t i = 0; i < n; i++) {
        columns[i] = list[i].name;
    }
    struct bb_series series = {.name = list[0].module,
                               .tag_count = list[0].tag != NULL,
                               .tag_keys = &list[0].tag,
                               .tag_values = &list[0].tag_text,
                               .column_count = n,
                               .columns = columns};
    int rc = bbi_emit_series(e, &series, err);
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    for (size_t i = 0; rc == BB_OK && i < n; i++) {
        row[i] = bbi_value_uint(list[i].value);
    }
    return rc == BB_OK ? bbi_emit_flush(e, err) : rc;
}

static int show_more_stats(struct bbi_qctx *ctx, const char *module, struct bbi_emit *e,
                           struct bb_error *err)
{
    const struct bbi_query_env *env = ctx->env;
    struct bb_stat list[MORE_STATS_MAX];
    size_t count = env->more_stats(env->more_stats_arg, list, MORE_STATS_MAX);
    int rc = BB_OK;
    for (size_t from = 0, to; rc == BB_OK && from < count; from = to) {
        const char *name = list[from].module;
        for (to = from; to < count && strcmp(list[to].module, name) == 0; to++) {
        }
        if (module == NULL || strcmp(module, name) == 0) {
            rc = show_more_module(&list[from], to - from, e, err);
        }
    }
    return rc;
}

static int show_stats(struct bbi_qctx *ctx, const char *module, struct bbi_emit *e,
                      struct bb_error *err)
{
    struct bb_stats stats;
    int rc = BB_OK;
    ctx->env->stats(ctx->env->arg, &stats);
    for (size_t from = 0, to; rc == BB_OK && from < STAT_COUNT; from = to) {
        const char *name = stat_lines[from].module;
        for (to = from; to < STAT_COUNT && strcmp(stat_lines[to].module, name) == 0; to++) {
        }
        if (module == NULL || strcmp(module, name) == 0) {
            rc = show_module(&stats, from, to, e, err);
        }
    }
    return rc == BB_OK && ctx->env->more_stats != NULL ? show_more_stats(ctx, module, e, err) : rc;
}

/* ---- diagnostics ---- */

static int time_text(struct bbi_qctx *ctx, int64_t time_ns, struct bb_value *value,
                     struct bb_error *err)
{
    struct bbi_buf text;
    bbi_buf_init(&text, &ctx->acct, 256);
    bbi_ql_time_format(time_ns, &text);
    int rc = bbi_buf_check(&text, "time", err);
    rc = rc == BB_OK ? add_text(ctx, (const char *)text.data, text.len, value, err) : rc;
    bbi_buf_fini(&text);
    return rc;
}

static int show_system(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"PID", "currentTime", "started", "uptime"};
    char uptime[64];
    struct bb_value *row;
    int64_t up_ns = bbi_clock_mono_ns() - ctx->env->started_mono_ns;
    short_duration(up_ns, uptime);
    int rc = bbi_emit_columns(e, "system", columns, 4, err);
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_int(getpid());
        rc = time_text(ctx, ctx->now_ns, &row[1], err);
    }
    rc = rc == BB_OK ? time_text(ctx, ctx->now_ns - up_ns, &row[2], err) : rc;
    rc = rc == BB_OK ? add_text(ctx, uptime, strlen(uptime), &row[3], err) : rc;
    return rc == BB_OK ? bbi_emit_flush(e, err) : rc;
}

static int show_diagnostics(struct bbi_qctx *ctx, const char *module, struct bbi_emit *e,
                            struct bb_error *err)
{
    static const char *const columns[] = {"Version"};
    struct bb_value *row;
    int rc = BB_OK;
    if (module == NULL || strcmp(module, "build") == 0) {
        rc = bbi_emit_columns(e, "build", columns, 1, err);
        rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
        if (rc == BB_OK) {
            row[0] = bbi_value_string(bb_version(), strlen(bb_version()));
            rc = bbi_emit_flush(e, err);
        }
    }
    if (rc == BB_OK && (module == NULL || strcmp(module, "system") == 0)) {
        rc = show_system(ctx, e, err);
    }
    return rc;
}

/* ---- what there is none of ---- */

/* One empty list for each database. */
static int show_continuous_queries(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"name", "query"};
    struct bbi_names names;
    int rc = bbi_catalog_databases(ctx->env->catalog, &ctx->acct, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        const char *name = bbi_arena_dup(&ctx->arena, names.list[i].name, names.list[i].len);
        rc = name == NULL ? bbi_error_nomem(err, "databases")
                          : bbi_emit_columns(e, name, columns, 2, err);
    }
    bbi_names_fini(&names);
    return rc;
}

int bbi_show_state(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                   struct bbi_emit *e, struct bb_error *err)
{
    switch (statement->kind) {
    case BBI_QL_SHOW_QUERIES:
        return show_queries(ctx, e, err);
    case BBI_QL_SHOW_STATS:
        return show_stats(ctx, statement->u.show.name, e, err);
    case BBI_QL_SHOW_DIAGNOSTICS:
        return show_diagnostics(ctx, statement->u.show.name, e, err);
    case BBI_QL_SHOW_SHARDS:
        return bbi_show_shards(ctx, false, e, err);
    case BBI_QL_SHOW_SHARD_GROUPS:
        return bbi_show_shards(ctx, true, e, err);
    case BBI_QL_SHOW_CQS:
        return show_continuous_queries(ctx, e, err);
    case BBI_QL_SHOW_SUBSCRIPTIONS:
        return BB_OK;
    case BBI_QL_SHOW_USERS:
        return bbi_show_users(ctx, e, err);
    case BBI_QL_SHOW_GRANTS:
        return bbi_show_grants(ctx, statement->u.show.name, e, err);
    default:
        return bbi_error_set(err, BB_EINTERNAL, "no such SHOW");
    }
}
