/*
 * SHOW STATS: the engine's numbers by module, those of each database and shard, and what the
 * program around the library has to tell.
 */
#include <stddef.h>
#include <string.h>

#include "engine/query/show.h"

struct numbers {
    struct bb_stats stats;
    uint64_t queries_active;
    uint64_t queries_finished;
    uint64_t query_ns;
};

/* X(module, name, member of struct numbers); InfluxDB's names stand beside ours. */
#define STATS_TABLE(X)                                                      \
    X("write", points_written, stats.points_written)                        \
    X("write", points_rejected, stats.points_rejected)                      \
    X("write", batches_written, stats.batches_written)                      \
    X("write", req, stats.batches_written)                                  \
    X("write", pointReq, stats.points_written)                              \
    X("write", writeOk, stats.batches_written)                              \
    X("write", writeDrop, stats.points_rejected)                            \
    X("write", subWriteOk, stats.lines_stored)                              \
    X("write", subWriteDrop, stats.lines_dropped)                           \
    X("wal", wal_bytes_written, stats.wal_bytes_written)                    \
    X("wal", wal_syncs, stats.wal_syncs)                                    \
    X("wal", wal_bytes_on_disk, stats.wal_bytes_on_disk)                    \
    X("wal", wal_corruptions, stats.wal_corruptions)                        \
    X("wal", durable_lsn, stats.durable_lsn)                                \
    X("wal", checkpoint_lsn, stats.checkpoint_lsn)                          \
    X("memtable", memtable_bytes, stats.memtable_bytes)                     \
    X("memtable", memtable_rows, stats.memtable_rows)                       \
    X("segments", flushes, stats.flushes)                                   \
    X("segments", flush_bytes_written, stats.flush_bytes_written)           \
    X("segments", compactions, stats.compactions)                           \
    X("segments", compaction_bytes_read, stats.compaction_bytes_read)       \
    X("segments", compaction_bytes_written, stats.compaction_bytes_written) \
    X("segments", segments, stats.segments)                                 \
    X("segments", segment_bytes, stats.segment_bytes)                       \
    X("segments", segments_quarantined, stats.segments_quarantined)         \
    X("deletions", deletions_pending, stats.deletions_pending)              \
    X("deletions", segments_to_rewrite, stats.deletion_segments)            \
    X("deletions", bytes_to_rewrite, stats.deletion_bytes)                  \
    X("deletions", values_removed, stats.values_removed)                    \
    X("queryExecutor", queries, stats.queries)                              \
    X("queryExecutor", query_errors, stats.query_errors)                    \
    X("queryExecutor", queriesExecuted, stats.queries)                      \
    X("queryExecutor", queriesActive, queries_active)                       \
    X("queryExecutor", queriesFinished, queries_finished)                   \
    X("queryExecutor", queryDurationNs, query_ns)                           \
    X("cq", queryFail, stats.cq_failures)                                   \
    X("cq", queryOk, stats.cq_runs)                                         \
    X("catalog", databases, stats.databases)                                \
    X("catalog", series, stats.series)                                      \
    X("memory", memory_used_bytes, stats.memory_used_bytes)                 \
    X("memory", memory_peak_bytes, stats.memory_peak_bytes)

struct stat_line {
    const char *module;
    const char *name;
    size_t offset;
};

static const struct stat_line stat_lines[] = {
#define STAT_LINE(module, name, member) {module, #name, offsetof(struct numbers, member)},
    STATS_TABLE(STAT_LINE)
#undef STAT_LINE
};

#define STAT_COUNT     (sizeof(stat_lines) / sizeof(stat_lines[0]))
#define MORE_STATS_MAX 128

/* One module's numbers in one row: lines [from, to). */
static int show_module(const struct numbers *numbers, size_t from, size_t to, struct bbi_emit *e,
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
        memcpy(&value, (const char *)numbers + stat_lines[i].offset, sizeof(value));
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

/* ---- databases and shards ---- */

static int show_database(struct bbi_qctx *ctx, const struct bbi_name *database, struct bbi_emit *e,
                         struct bb_error *err)
{
    static const char *const columns[] = {"numMeasurements", "numSeries"};
    static const char *const tag = "database";
    const char *name = bbi_arena_dup(&ctx->arena, database->name, database->len);
    struct bb_series head = {.name = "database",
                             .tag_count = 1,
                             .tag_keys = &tag,
                             .tag_values = &name,
                             .column_count = 2,
                             .columns = columns};
    struct bbi_names measurements;
    uint64_t series;
    struct bb_value *row;
    if (name == NULL) {
        return bbi_error_nomem(err, "databases");
    }
    int rc = bbi_catalog_measurements(ctx->env->catalog, database->id, &ctx->acct, &measurements,
                                      err);
    if (rc != BB_OK) {
        return rc == BB_ENOTFOUND ? BB_OK : rc; /* dropped meanwhile */
    }
    rc = bbi_catalog_series_count(ctx->env->catalog, database->id, 0, &series, err);
    rc = rc == BB_OK ? bbi_emit_series(e, &head, err) : rc;
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_uint(measurements.count);
        row[1] = bbi_value_uint(series);
        rc = bbi_emit_flush(e, err);
    }
    bbi_names_fini(&measurements);
    return rc;
}

static int show_databases(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_names names;
    int rc = bbi_catalog_databases(ctx->env->catalog, &ctx->acct, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        rc = show_database(ctx, &names.list[i], e, err);
    }
    bbi_names_fini(&names);
    return rc;
}

/* ---- all of it ---- */

static int count_query(void *arg, const struct bbi_running_query *q, struct bb_error *err)
{
    (void)q;
    (void)err;
    ++*(uint64_t *)arg;
    return BB_OK;
}

static int read_numbers(struct bbi_qctx *ctx, struct numbers *out, struct bb_error *err)
{
    *out = (struct numbers){.queries_active = 0};
    ctx->env->stats(ctx->env->arg, &out->stats);
    for (size_t i = 0; i < BB_STATEMENT_COUNT; i++) {
        out->query_ns += out->stats.statements[i].sum_ns;
    }
    int rc = bbi_running_each(ctx->env->running, count_query, &out->queries_active, err);
    out->queries_finished = out->stats.queries - out->queries_active;
    return rc;
}

int bbi_show_stats(struct bbi_qctx *ctx, const char *module, struct bbi_emit *e,
                   struct bb_error *err)
{
    struct numbers numbers;
    int rc = read_numbers(ctx, &numbers, err);
    for (size_t from = 0, to; rc == BB_OK && from < STAT_COUNT; from = to) {
        const char *name = stat_lines[from].module;
        for (to = from; to < STAT_COUNT && strcmp(stat_lines[to].module, name) == 0; to++) {
        }
        if (module == NULL || strcmp(module, name) == 0) {
            rc = show_module(&numbers, from, to, e, err);
        }
    }
    if (rc == BB_OK && (module == NULL || strcmp(module, "database") == 0)) {
        rc = show_databases(ctx, e, err);
    }
    if (rc == BB_OK && (module == NULL || strcmp(module, "shard") == 0)) {
        rc = bbi_show_shard_stats(ctx, e, err);
    }
    if (rc == BB_OK && ctx->env->more_stats != NULL) {
        rc = show_more_stats(ctx, module, e, err);
    }
    return rc == BB_OK && (module == NULL || strcmp(module, "subscriber") == 0)
               ? bbi_show_subscription_stats(ctx, e, err)
               : rc;
}
