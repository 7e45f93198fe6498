#include "server/status.h"

#include "server/json.h"
#include "server/number.h"
#include "server/process.h"

static void put_u64(struct json *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_u64(j, value);
}

static void put_double(struct json *j, const char *key, double value)
{
    json_key(j, key);
    json_double(j, value);
}

/** Null where there is nothing to divide by. */
static void put_ratio(struct json *j, const char *key, double a, double b)
{
    json_key(j, key);
    if (b > 0)
        json_double(j, a / b);
    else
        json_null(j);
}

static void put_time(struct json *j, const char *key, bool known, int64_t time_ns)
{
    char text[NUMBER_MAX_BYTES];
    json_key(j, key);
    if (known)
        json_plain_string(j, text, number_time(text, time_ns));
    else
        json_null(j);
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
    json_object_begin(j);
    json_key(j, "name");
    json_cstring(j, s->name);
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
    json_object_end(j);
    return j->err;
}

/* ---- the server as a whole ---- */

static void put_storage(struct json *j, const struct bb_stats *s, uint64_t partitions)
{
    json_key(j, "storage");
    json_object_begin(j);
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
    json_key(j, "background_idle");
    json_bool(j, s->background_idle);
    json_object_end(j);
}

static void put_wal(struct json *j, const struct bb_stats *s)
{
    json_key(j, "wal");
    json_object_begin(j);
    put_u64(j, "bytes", s->wal_bytes_on_disk);
    put_u64(j, "durable_lsn", s->durable_lsn);
    put_u64(j, "checkpoint_lsn", s->checkpoint_lsn);
    put_u64(j, "bytes_written", s->wal_bytes_written);
    put_u64(j, "syncs", s->wal_syncs);
    put_ratio(j, "sync_mean_ms", (double)s->wal_sync.sum_ns / 1e6, (double)s->wal_syncs);
    put_u64(j, "corruptions", s->wal_corruptions);
    json_object_end(j);
}

static void put_memory(struct json *j, const struct bb_stats *s, const struct process *p,
                       const struct server *server)
{
    json_key(j, "memory");
    json_object_begin(j);
    put_double(j, "resident_bytes", p->resident_bytes);
    put_double(j, "resident_peak_bytes", p->resident_peak_bytes);
    put_u64(j, "engine_bytes", s->memory_used_bytes);
    put_u64(j, "engine_peak_bytes", s->memory_peak_bytes);
    put_u64(j, "request_bytes", server->request_budget.used_bytes);
    put_u64(j, "budget_bytes", server->settings.memory);
    json_object_end(j);
}

static void put_counts(struct json *j, const struct bb_stats *s, const struct server *server)
{
    json_key(j, "ingest");
    json_object_begin(j);
    put_u64(j, "points_written", s->points_written);
    put_u64(j, "points_rejected", s->points_rejected);
    put_u64(j, "batches", s->batches_written);
    json_object_end(j);
    json_key(j, "queries");
    json_object_begin(j);
    put_u64(j, "texts", s->queries);
    put_u64(j, "errors", s->query_errors);
    json_object_end(j);
    json_key(j, "connections");
    json_object_begin(j);
    json_key(j, "http");
    json_i64(j, server->connections_http);
    json_key(j, "line");
    json_i64(j, server->connections_line);
    put_u64(j, "max", server->settings.max_connections);
    json_object_end(j);
}

static void put_rates(struct json *j, const struct rates_now *now)
{
    json_key(j, "rates");
    json_object_begin(j);
    put_double(j, "seconds", now->seconds);
    put_double(j, "points_per_second", now->points);
    put_double(j, "rejected_per_second", now->rejected);
    put_double(j, "wal_bytes_per_second", now->wal_bytes);
    put_double(j, "queries_per_second", now->statements);
    json_object_end(j);
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
    json_init(&json, out, false);
    json_object_begin(&json);
    json_key(&json, "version");
    json_cstring(&json, bb_version());
    put_time(&json, "started", true, (int64_t)(process.start_seconds * 1e3) * 1000000);
    put_double(&json, "cpu_seconds", process.cpu_seconds);
    json_key(&json, "data");
    json_cstring(&json, server->settings.data);
    json_key(&json, "read_only");
    json_bool(&json, stats.read_only);
    json_key(&json, "databases");
    json_array_begin(&json);
    int rc = bb_stats_databases(server->db, put_database, &databases, err);
    json_array_end(&json);
    put_storage(&json, &stats, databases.partitions);
    put_wal(&json, &stats);
    put_memory(&json, &stats, &process, server);
    put_counts(&json, &stats, server);
    put_rates(&json, &now);
    json_object_end(&json);
    json_newline(&json);
    return rc != BB_OK ? rc : json.err;
}
