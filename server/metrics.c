#include "server/metrics.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/number.h"

enum kind {
    COUNTER,
    GAUGE
};

/** What the table's expressions read. */
struct sample {
    struct bb_stats stats;
    const struct server *server;
    const struct counters *counters;
    double cpu_seconds;
    double resident_bytes, resident_peak_bytes;
};

static double load(const _Atomic uint64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

/* X(name, labels, kind, value, help); rows of one name stand together. */
#define METRIC_TABLE(X)                                                                            \
    X("process_cpu_seconds_total", "", COUNTER, s->cpu_seconds, "CPU time, user and system")       \
    X("process_resident_memory_bytes", "", GAUGE, s->resident_bytes, "memory in RAM")              \
    X("process_resident_memory_peak_bytes", "", GAUGE, s->resident_peak_bytes,                     \
      "most memory in RAM since the start")                                                        \
    X("busbar_memory_used_bytes", "", GAUGE, s->stats.memory_used_bytes,                           \
      "memory that the engine accounts for")                                                       \
    X("busbar_memory_peak_bytes", "", GAUGE, s->stats.memory_peak_bytes,                           \
      "most of it since the start")                                                                \
    X("busbar_request_memory_bytes", "", GAUGE, load(&s->server->request_budget.used_bytes),       \
      "memory of requests being received and of results being sent")                               \
    X("busbar_points_written_total", "", COUNTER, s->stats.points_written, "points stored")        \
    X("busbar_points_rejected_total", "", COUNTER, s->stats.points_rejected, "points not stored")  \
    X("busbar_batches_written_total", "", COUNTER, s->stats.batches_written, "batches stored")     \
    X("busbar_wal_bytes_written_total", "", COUNTER, s->stats.wal_bytes_written,                   \
      "bytes appended to the log")                                                                 \
    X("busbar_wal_syncs_total", "", COUNTER, s->stats.wal_syncs, "syncs of the log")               \
    X("busbar_wal_bytes", "", GAUGE, s->stats.wal_bytes_on_disk, "bytes of the log on disk")       \
    X("busbar_wal_corruptions_total", "", COUNTER, s->stats.wal_corruptions,                       \
      "damaged frames met in the log")                                                             \
    X("busbar_wal_durable_lsn", "", GAUGE, s->stats.durable_lsn, "log position that is on disk")   \
    X("busbar_wal_checkpoint_lsn", "", GAUGE, s->stats.checkpoint_lsn,                             \
      "log position up to which segments hold all readings")                                       \
    X("busbar_memtable_bytes", "", GAUGE, s->stats.memtable_bytes, "unflushed readings")           \
    X("busbar_memtable_rows", "", GAUGE, s->stats.memtable_rows, "unflushed readings")             \
    X("busbar_flushes_total", "", COUNTER, s->stats.flushes, "flushes of the memtable")            \
    X("busbar_flush_bytes_written_total", "", COUNTER, s->stats.flush_bytes_written,               \
      "bytes of segments written by flushes")                                                      \
    X("busbar_compactions_total", "", COUNTER, s->stats.compactions, "compactions")                \
    X("busbar_compaction_bytes_read_total", "", COUNTER, s->stats.compaction_bytes_read,           \
      "bytes of segments read by compactions")                                                     \
    X("busbar_compaction_bytes_written_total", "", COUNTER, s->stats.compaction_bytes_written,     \
      "bytes of segments written by compactions")                                                  \
    X("busbar_segments", "", GAUGE, s->stats.segments, "live segments")                            \
    X("busbar_segment_bytes", "", GAUGE, s->stats.segment_bytes, "bytes of live segments")         \
    X("busbar_segments_quarantined", "", GAUGE, s->stats.segments_quarantined,                     \
      "segments set aside as damaged")                                                             \
    X("busbar_background_idle", "", GAUGE, s->stats.background_idle,                               \
      "1 while there is nothing to flush or compact")                                              \
    X("busbar_read_only", "", GAUGE, s->stats.read_only,                                           \
      "1 after an I/O error of the log: writes are refused until a restart")                       \
    X("busbar_series", "", GAUGE, s->stats.series, "series")                                       \
    X("busbar_databases", "", GAUGE, s->stats.databases, "databases")                              \
    X("busbar_queries_total", "", COUNTER, s->stats.queries, "statements run")                     \
    X("busbar_query_errors_total", "", COUNTER, s->stats.query_errors, "statements that failed")   \
    X("busbar_connections", "{listener=\"http\"}", GAUGE, s->server->connections_http,             \
      "open connections")                                                                          \
    X("busbar_connections", "{listener=\"line\"}", GAUGE, s->server->connections_line,             \
      "open connections")                                                                          \
    X("busbar_connections_refused_total", "", COUNTER, load(&s->counters->clients_refused),        \
      "connections over max-connections")                                                          \
    X("busbar_connections_closed_total", "{reason=\"idle\"}", COUNTER,                             \
      load(&s->counters->clients_closed_idle), "connections that the server ended")                \
    X("busbar_connections_closed_total", "{reason=\"slow\"}", COUNTER,                             \
      load(&s->counters->clients_closed_slow), "connections that the server ended")                \
    X("busbar_http_requests_total", "{path=\"/write\"}", COUNTER,                                  \
      load(&s->counters->requests_write), "requests")                                              \
    X("busbar_http_requests_total", "{path=\"/query\"}", COUNTER,                                  \
      load(&s->counters->requests_query), "requests")                                              \
    X("busbar_http_requests_total", "{path=\"other\"}", COUNTER,                                   \
      load(&s->counters->requests_other), "requests")                                              \
    X("busbar_http_requests_malformed_total", "", COUNTER, load(&s->counters->requests_malformed), \
      "requests that are no HTTP")                                                                 \
    X("busbar_http_request_body_bytes_total", "", COUNTER, load(&s->counters->request_bytes),      \
      "bytes of bodies")                                                                           \
    X("busbar_http_replies_total", "{class=\"2xx\"}", COUNTER, load(&s->counters->replies_2xx),    \
      "replies")                                                                                   \
    X("busbar_http_replies_total", "{class=\"4xx\"}", COUNTER, load(&s->counters->replies_4xx),    \
      "replies")                                                                                   \
    X("busbar_http_replies_total", "{class=\"5xx\"}", COUNTER, load(&s->counters->replies_5xx),    \
      "replies")                                                                                   \
    X("busbar_overloads_total", "", COUNTER, load(&s->counters->overloads),                        \
      "requests answered 503 after queue-timeout")                                                 \
    X("busbar_line_bytes_total", "", COUNTER, load(&s->counters->line_bytes),                      \
      "bytes read by the line-protocol listener")                                                  \
    X("busbar_line_batches_total", "", COUNTER, load(&s->counters->line_batches),                  \
      "batches that it stored")                                                                    \
    X("busbar_line_syncs_total", "", COUNTER, load(&s->counters->line_syncs),                      \
      "'# sync' lines that it answered")                                                           \
    X("busbar_line_retries_total", "", COUNTER, load(&s->counters->line_retries),                  \
      "batches that had to wait for the engine")

static int put_header(struct buf *out, const char *name, enum kind kind, const char *help)
{
    return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                      kind == COUNTER ? "counter" : "gauge");
}

static int put_value(struct buf *out, const char *name, const char *labels, double value)
{
    char text[NUMBER_MAX_BYTES];
    size_t n = number_double(text, value);
    return buf_printf(out, "%s%s %.*s\n", name, labels, (int)n, text);
}

/** Rejected lines by reason: one row per error code that has occurred. */
static int put_rejected(struct buf *out, const struct counters *counters)
{
    static const char name[] = "busbar_lines_rejected_total";
    int rc = put_header(out, name, COUNTER, "lines not stored, of HTTP and line protocol");
    for (int code = BB_OK + 1; code < BB_CODE_COUNT && rc == BB_OK; code++) {
        double value = load(&counters->rejected[code]);
        char labels[128];
        snprintf(labels, sizeof(labels), "{reason=\"%s\"}", bb_code_text(code));
        if (value > 0)
            rc = put_value(out, name, labels, value);
    }
    return rc;
}

static void read_process(struct sample *s)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        s->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
        s->resident_peak_bytes = (double)usage.ru_maxrss * 1024;
    }
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages;
    if (f == NULL)
        return;
    if (fscanf(f, "%*u %lu", &pages) == 1)
        s->resident_bytes = (double)pages * (double)sysconf(_SC_PAGESIZE);
    fclose(f);
}

int metrics_write(struct server *server, struct buf *out)
{
    struct sample sample = {.server = server, .counters = &server->counters};
    const struct sample *s = &sample;
    bb_stats_get(server->db, &sample.stats);
    read_process(&sample);
#define METRIC_ROW(name, labels, kind, value, help) {name, labels, kind, (double)(value), help},
    const struct {
        const char *name, *labels;
        enum kind kind;
        double value;
        const char *help;
    } rows[] = {METRIC_TABLE(METRIC_ROW)};
#undef METRIC_ROW
    int rc = BB_OK;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && rc == BB_OK; i++) {
        if (i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0)
            rc = put_header(out, rows[i].name, rows[i].kind, rows[i].help);
        if (rc == BB_OK)
            rc = put_value(out, rows[i].name, rows[i].labels, rows[i].value);
    }
    return rc == BB_OK ? put_rejected(out, &server->counters) : rc;
}
