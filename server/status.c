#include "server/status.h"

#include "server/json.h"
#include "server/number.h"
#include "server/process.h"

static void put_u64(struct json *j, const char *key, uint64_t value)
{
    jsonw_key(j, key);
    jsonw_u64(j, value);
}

static void put_double(struct json *j, const char *key, double value)
{
    jsonw_key(j, key);
    jsonw_double(j, value);
}

/** Null where there is nothing to divide by. */
static void put_ratio(struct json *j, const char *key, double a, double b)
{
    jsonw_key(j, key);
    if (b > 0)
        jsonw_double(j, a / b);
    else
        jsonw_null(j);
}

static void put_time(struct json *j, const char *key, bool known, int64_t time_ns)
{
    char text[NUMBER_MAX_BYTES];
    jsonw_key(j, key);
    if (known)
        jsonw_plain_string(j, text, number_time(text, time_ns));
    else
        jsonw_null(j);
}

/* ---- databases ---- */

struct databases {
    struct json *json;
    uint64_t partitions;
};

static int put_database(void *arg, const struct bb_database_stats *s)
{
    struct databases *all = arg;
    struct json *j = all->json;
    all->partitions += s->partitions;
    jsonw_object_begin(j);
    jsonw_key(j, "name");
    jsonw_cstring(j, s->name);
    put_u64(j, "policies", s->policies);
    put_u64(j, "measurements", s->measurements);
    put_u64(j, "fields", s->fields);
    put_u64(j, "series", s->series);
    put_u64(j, "partitions", s->partitions);
    put_u64(j, "segments", s->segments);
    put_u64(j, "segments_quarantined", s->segments_quarantined);
    put_u64(j, "segment_bytes", s->segment_bytes);
    put_u64(j, "segment_values", s->segment_values);
    put_ratio(j, "bytes_per_value", (double)s->segment_bytes, (double)s->segment_values);
    put_time(j, "first_time", s->has_times, s->time_min);
    put_time(j, "last_time", s->has_times, s->time_max);
    jsonw_object_end(j);
    return j->err;
}

/* ---- the server as a whole ---- */

static void put_storage(struct json *j, const struct bb_stats *s, uint64_t partitions)
{
    jsonw_key(j, "storage");
    jsonw_object_begin(j);
    put_u64(j, "databases", s->databases);
    put_u64(j, "measurements", s->measurements);
    put_u64(j, "series", s->series);
    put_u64(j, "partitions", partitions);
    put_u64(j, "segments", s->segments);
    put_u64(j, "segments_quarantined", s->segments_quarantined);
    put_u64(j, "segment_bytes", s->segment_bytes);
    put_u64(j, "segment_values", s->segment_values);
    put_ratio(j, "bytes_per_value", (double)s->segment_bytes, (double)s->segment_values);
    put_u64(j, "memtable_bytes", s->memtable_bytes);
    put_u64(j, "memtable_values", s->memtable_rows);
    put_u64(j, "flushes", s->flushes);
    put_u64(j, "compactions", s->compactions);
    put_u64(j, "deletions_pending", s->deletions_pending);
    put_u64(j, "deletion_segments", s->deletion_segments);
    put_u64(j, "deletion_bytes", s->deletion_bytes);
    jsonw_key(j, "compaction_paused");
    jsonw_bool(j, s->compaction_paused);
    jsonw_key(j, "background_idle");
    jsonw_bool(j, s->background_idle);
    jsonw_object_end(j);
}

static void put_wal(struct json *j, const struct bb_stats *s)
{
    jsonw_key(j, "wal");
    jsonw_object_begin(j);
    put_u64(j, "bytes", s->wal_bytes_on_disk);
    put_u64(j, "durable_lsn", s->durable_lsn);
    put_u64(j, "checkpoint_lsn", s->checkpoint_lsn);
    put_u64(j, "bytes_written", s->wal_bytes_written);
    put_u64(j, "syncs", s->wal_syncs);
    put_ratio(j, "sync_mean_ms", (double)s->wal_sync.sum_ns / 1e6, (double)s->wal_syncs);
    put_u64(j, "corruptions", s->wal_corruptions);
    jsonw_object_end(j);
}

static void put_memory(struct json *j, const struct bb_stats *s, const struct process *p,
                       const struct server *server)
{
    jsonw_key(j, "memory");
    jsonw_object_begin(j);
    put_double(j, "resident_bytes", p->resident_bytes);
    put_double(j, "resident_peak_bytes", p->resident_peak_bytes);
    put_u64(j, "engine_bytes", s->memory_used_bytes);
    put_u64(j, "engine_peak_bytes", s->memory_peak_bytes);
    put_u64(j, "request_bytes", server->request_budget.used_bytes);
    put_u64(j, "budget_bytes", server->settings.memory);
    jsonw_object_end(j);
}

static void put_counts(struct json *j, const struct bb_stats *s, const struct server *server)
{
    jsonw_key(j, "ingest");
    jsonw_object_begin(j);
    put_u64(j, "points_written", s->points_written);
    put_u64(j, "points_rejected", s->points_rejected);
    put_u64(j, "batches", s->batches_written);
    jsonw_object_end(j);
    jsonw_key(j, "queries");
    jsonw_object_begin(j);
    put_u64(j, "texts", s->queries);
    put_u64(j, "errors", s->query_errors);
    jsonw_object_end(j);
    jsonw_key(j, "connections");
    jsonw_object_begin(j);
    jsonw_key(j, "http");
    jsonw_i64(j, server->connections_http);
    jsonw_key(j, "line");
    jsonw_i64(j, server->connections_line);
    put_u64(j, "max", server->settings.max_connections);
    jsonw_object_end(j);
}

static void put_rates(struct json *j, const struct rates_now *now)
{
    jsonw_key(j, "rates");
    jsonw_object_begin(j);
    put_double(j, "seconds", now->seconds);
    put_double(j, "points_per_second", now->points);
    put_double(j, "rejected_per_second", now->rejected);
    put_double(j, "wal_bytes_per_second", now->wal_bytes);
    put_double(j, "queries_per_second", now->statements);
    jsonw_object_end(j);
}

int status_write(struct server *server, struct buf *out, struct bb_error *err)
{
    struct bb_stats stats;
    struct process process;
    struct json json;
    struct databases databases = {.json = &json};
    struct rates_now now = rates_get(&server->rates);
    bb_stats_get(server->db, &stats);
    process_look(&process);
    jsonw_init(&json, out, false);
    jsonw_object_begin(&json);
    jsonw_key(&json, "version");
    jsonw_cstring(&json, bb_version());
    put_time(&json, "started", true, (int64_t)(process.start_seconds * 1e3) * 1000000);
    put_double(&json, "cpu_seconds", process.cpu_seconds);
    jsonw_key(&json, "data");
    jsonw_cstring(&json, server->settings.data);
    jsonw_key(&json, "read_only");
    jsonw_bool(&json, stats.read_only);
    jsonw_key(&json, "databases");
    jsonw_array_begin(&json);
    int rc = bb_stats_databases(server->db, put_database, &databases, err);
    jsonw_array_end(&json);
    put_storage(&json, &stats, databases.partitions);
    put_wal(&json, &stats);
    put_memory(&json, &stats, &process, server);
    put_counts(&json, &stats, server);
    put_rates(&json, &now);
    jsonw_object_end(&json);
    jsonw_newline(&json);
    return rc != BB_OK ? rc : json.err;
}
