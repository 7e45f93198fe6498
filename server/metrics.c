#include "server/metrics.h"

#include <string.h>

#include "server/number.h"
#include "server/process.h"

enum kind {
    COUNTER,
    GAUGE,
    HISTOGRAM
};

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

/** What the tables' expressions read. */
struct sample {
    struct bb_stats stats;
    struct process process;
    struct pool_load write, query;
    const struct server *server;
    const struct counters *counters;
};

static double load(const _Atomic uint64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

/* X(name, labels, kind, value, help); rows of one name stand together. */
#define METRIC_TABLE(X)                                                                            \
    X("process_cpu_seconds_total", "", COUNTER, s->process.cpu_seconds,                            \
      "CPU time, user and system")                                                                 \
    X("process_start_time_seconds", "", GAUGE, s->process.start_seconds,                           \
      "when it was started, seconds since 1970")                                                   \
    X("process_resident_memory_bytes", "", GAUGE, s->process.resident_bytes, "memory in RAM")      \
    X("process_resident_memory_peak_bytes", "", GAUGE, s->process.resident_peak_bytes,             \
      "most memory in RAM since the start")                                                        \
    X("process_virtual_memory_bytes", "", GAUGE, s->process.virtual_bytes, "address space")        \
    X("process_open_fds", "", GAUGE, s->process.open_fds, "open file descriptors")                 \
    X("process_max_fds", "", GAUGE, s->process.max_fds, "how many it may open")                    \
    X("process_threads", "", GAUGE, s->process.threads, "threads")                                 \
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
    X("busbar_wal_syncs_total", "", COUNTER, s->stats.wal_syncs,                                   \
      "syncs of the log that covered all waiting batches")                                         \
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
    X("busbar_deletions_pending", "", GAUGE, s->stats.deletions_pending,                           \
      "deletions whose rows are not all gone from the disk yet")                                   \
    X("busbar_deletion_segments", "", GAUGE, s->stats.deletion_segments,                           \
      "segments with deleted rows, to be rewritten")                                               \
    X("busbar_deletion_bytes", "", GAUGE, s->stats.deletion_bytes,                                 \
      "bytes of the segments with deleted rows")                                                   \
    X("busbar_values_removed_total", "", COUNTER, s->stats.values_removed,                         \
      "values that compactions left out, deleted or overwritten")                                  \
    X("busbar_compaction_paused", "", GAUGE, s->stats.compaction_paused,                           \
      "1 while compaction is paused by an operator")                                               \
    X("busbar_background_idle", "", GAUGE, s->stats.background_idle,                               \
      "1 while there is nothing to flush or compact")                                              \
    X("busbar_series", "", GAUGE, s->stats.series, "series")                                       \
    X("busbar_databases", "", GAUGE, s->stats.databases, "databases")                              \
    X("busbar_queries_total", "", COUNTER, s->stats.queries, "statements run")                     \
    X("busbar_query_errors_total", "", COUNTER, s->stats.query_errors, "statements that failed")   \
    X("busbar_cq_runs_total", "", COUNTER, s->stats.cq_runs,                                       \
      "runs of continuous queries that ended well")                                                \
    X("busbar_cq_failures_total", "", COUNTER, s->stats.cq_failures,                               \
      "runs of continuous queries that failed")                                                    \
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
      load(&s->counters->requests[SERVER_PATH_WRITE]), "requests")                                 \
    X("busbar_http_requests_total", "{path=\"/query\"}", COUNTER,                                  \
      load(&s->counters->requests[SERVER_PATH_QUERY]), "requests")                                 \
    X("busbar_http_requests_total", "{path=\"other\"}", COUNTER,                                   \
      load(&s->counters->requests[SERVER_PATH_OTHER]), "requests")                                 \
    X("busbar_http_points_total", "{result=\"stored\"}", COUNTER,                                  \
      load(&s->counters->http_points_stored), "points of replies to /write")                       \
    X("busbar_http_points_total", "{result=\"refused\"}", COUNTER,                                 \
      load(&s->counters->http_points_refused), "points of replies to /write")                      \
    X("busbar_http_pings_total", "", COUNTER, load(&s->counters->pings),                           \
      "requests for /ping, among the others")                                                      \
    X("busbar_http_query_reply_bytes_total", "", COUNTER, load(&s->counters->query_reply_bytes),   \
      "bytes of results, as they were sent")                                                       \
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
    X("busbar_http_auth_failures_total", "", COUNTER, load(&s->counters->auth_failures),           \
      "requests without a user, or with a wrong password")                                         \
    X("busbar_overloads_total", "", COUNTER, load(&s->counters->overloads),                        \
      "requests answered 503 for want of a thread or of memory")                                   \
    X("busbar_line_bytes_total", "", COUNTER, load(&s->counters->line_bytes),                      \
      "bytes read by the line-protocol listener")                                                  \
    X("busbar_line_batches_total", "", COUNTER, load(&s->counters->line_batches),                  \
      "batches that it stored")                                                                    \
    X("busbar_line_syncs_total", "", COUNTER, load(&s->counters->line_syncs),                      \
      "'# sync' lines that it answered")                                                           \
    X("busbar_line_retries_total", "", COUNTER, load(&s->counters->line_retries),                  \
      "batches that had to wait for the engine")                                                   \
    X("busbar_udp_datagrams_total", "", COUNTER, load(&s->counters->udp_datagrams),                \
      "datagrams read by the UDP listener")                                                        \
    X("busbar_udp_bytes_total", "", COUNTER, load(&s->counters->udp_bytes), "bytes of them")       \
    X("busbar_udp_dropped_total", "", COUNTER, load(&s->counters->udp_dropped),                    \
      "datagrams for which the system had no room, as far as it has told")                         \
    X("busbar_udp_batches_total", "", COUNTER, load(&s->counters->udp_batches),                    \
      "batches that the UDP listener stored")                                                      \
    X("busbar_udp_retries_total", "", COUNTER, load(&s->counters->udp_retries),                    \
      "batches that had to wait for the engine")                                                   \
    X("busbar_subscriber_points_written_total", "", COUNTER,                                       \
      load(&s->server->subscriber.counters.points_written),                                        \
      "points sent to all destinations of a subscription that they should go to")                  \
    X("busbar_subscriber_write_failures_total", "", COUNTER,                                       \
      load(&s->server->subscriber.counters.write_failures),                                        \
      "writes that some destination of a subscription did not get")                                \
    X("busbar_subscriber_create_failures_total", "", COUNTER,                                      \
      load(&s->server->subscriber.counters.create_failures),                                       \
      "subscriptions that could not be started")                                                   \
    X("busbar_subscriber_dropped_total", "{reason=\"queue\"}", COUNTER,                            \
      load(&s->server->subscriber.counters.dropped),                                               \
      "writes not sent to a subscription: its queue or 'subscriber-memory' was full")              \
    X("busbar_subscriber_dropped_total", "{reason=\"memory\"}", COUNTER, s->stats.lines_dropped,   \
      "writes not sent to a subscription: its queue or 'subscriber-memory' was full")              \
    X("busbar_read_only", "", GAUGE, s->stats.read_only,                                           \
      "1 after an I/O error of the log: writes are refused until a restart")                       \
    X("busbar_measurements", "", GAUGE, s->stats.measurements, "measurements")                     \
    X("busbar_segment_values", "", GAUGE, s->stats.segment_values, "values in live segments")      \
    X("busbar_requests_running", "{pool=\"write\"}", GAUGE, s->write.running,                      \
      "requests that are worked on")                                                               \
    X("busbar_requests_running", "{pool=\"query\"}", GAUGE, s->query.running,                      \
      "requests that are worked on")                                                               \
    X("busbar_requests_waiting", "{pool=\"write\"}", GAUGE, s->write.waiting,                      \
      "requests that wait for a thread")                                                           \
    X("busbar_requests_waiting", "{pool=\"query\"}", GAUGE, s->query.waiting,                      \
      "requests that wait for a thread")                                                           \
    X("busbar_rejects_kept", "", GAUGE, s->server->reject_log.kept, "lines in the reject log")     \
    X("busbar_rejects_lost_total", "", COUNTER, s->server->reject_log.lost,                        \
      "refused lines that the reject log could not keep or lost to its limit")

/* ---- families whose rows depend on what has happened ---- */

static int put_value(struct buf *out, const char *name, const char *labels, double value)
{
    char text[NUMBER_MAX_BYTES];
    size_t n = number_double(text, value);
    return buf_printf(out, "%s%s %.*s\n", name, labels, (int)n, text);
}

/** label: "path=\"/write\"" or "". */
static int put_latency(struct buf *out, const char *name, const char *label,
                       const struct bb_latency *latency)
{
    uint64_t count = 0;
    char labels[160], series[160];
    const char *comma = label[0] == '\0' ? "" : ",";
    int rc = BB_OK;
    snprintf(series, sizeof(series), "%s_bucket", name);
    for (size_t i = 0; i < BB_LATENCY_BUCKETS && rc == BB_OK; i++) {
        char bound[NUMBER_MAX_BYTES] = "+Inf";
        size_t n = strlen(bound);
        if (i < BB_LATENCY_BUCKETS - 1)
            n = number_double(bound, (double)bb_latency_bound_ns(i) / 1e9);
        count += latency->buckets[i];
        snprintf(labels, sizeof(labels), "{%s%sle=\"%.*s\"}", label, comma, (int)n, bound);
        rc = put_value(out, series, labels, (double)count);
    }
    labels[0] = '\0';
    if (label[0] != '\0')
        snprintf(labels, sizeof(labels), "{%s}", label);
    snprintf(series, sizeof(series), "%s_sum", name);
    if (rc == BB_OK)
        rc = put_value(out, series, labels, (double)latency->sum_ns / 1e9);
    snprintf(series, sizeof(series), "%s_count", name);
    return rc == BB_OK ? put_value(out, series, labels, (double)count) : rc;
}

static int put_wal_sync(struct buf *out, const char *name, const struct sample *s)
{
    return put_latency(out, name, "", &s->stats.wal_sync);
}

static int put_statements(struct buf *out, const char *name, const struct sample *s)
{
#define STATEMENT_TEXT(name, text) text,
    static const char *const texts[] = {BB_STATEMENT_TABLE(STATEMENT_TEXT)};
#undef STATEMENT_TEXT
    int rc = BB_OK;
    for (size_t i = 0; i < BB_STATEMENT_COUNT && rc == BB_OK; i++) {
        char label[64];
        snprintf(label, sizeof(label), "statement=\"%s\"", texts[i]);
        rc = put_latency(out, name, label, &s->stats.statements[i]);
    }
    return rc;
}

static int put_requests(struct buf *out, const char *name, const struct sample *s)
{
    static const char *const paths[SERVER_PATHS] = {"/write", "/query", "other"};
    int rc = BB_OK;
    for (size_t i = 0; i < SERVER_PATHS && rc == BB_OK; i++) {
        struct bb_latency latency;
        char label[64];
        bb_latency_read(&s->counters->request_latency[i], &latency);
        snprintf(label, sizeof(label), "path=\"%s\"", paths[i]);
        rc = put_latency(out, name, label, &latency);
    }
    return rc;
}

static int put_reason(struct buf *out, const char *name, int code, double value)
{
    char labels[128];
    snprintf(labels, sizeof(labels), "{reason=\"%s\"}", bb_code_text(code));
    return value > 0 ? put_value(out, name, labels, value) : BB_OK;
}

static int put_rejected(struct buf *out, const char *name, const struct sample *s)
{
    int rc = BB_OK;
    for (int code = BB_OK + 1; code < BB_CODE_COUNT && rc == BB_OK; code++)
        rc = put_reason(out, name, code, load(&s->counters->rejected[code]));
    return rc;
}

static int put_statement_errors(struct buf *out, const char *name, const struct sample *s)
{
    int rc = BB_OK;
    for (int code = BB_OK + 1; code < BB_CODE_COUNT && rc == BB_OK; code++)
        rc = put_reason(out, name, code, (double)s->stats.statement_errors[code]);
    return rc;
}

static int put_http_errors(struct buf *out, const char *name, const struct sample *s)
{
    int rc = BB_OK;
    for (int status = 400; status < SERVER_STATUS_MAX && rc == BB_OK; status++) {
        double value = load(&s->counters->errors[status - 400]);
        char labels[64];
        snprintf(labels, sizeof(labels), "{status=\"%d\"}", status);
        rc = value > 0 ? put_value(out, name, labels, value) : BB_OK;
    }
    return rc;
}

static const struct family {
    const char *name, *label;
    enum kind kind;
    const char *help;
    int (*put)(struct buf *out, const char *name, const struct sample *s);
} families[] = {
    {"busbar_lines_rejected_total", "reason", COUNTER,
     "lines not stored, of HTTP and line protocol", put_rejected},
    {"busbar_statement_errors_total", "reason", COUNTER,
     "statements that failed, and texts that do not parse", put_statement_errors},
    {"busbar_http_errors_total", "status", COUNTER, "replies that refuse or fail", put_http_errors},
    {"busbar_wal_sync_seconds", "", HISTOGRAM, "each write and sync of the log", put_wal_sync},
    {"busbar_statement_seconds", "statement", HISTOGRAM,
     "each statement of a query, waiting for a slow client included", put_statements},
    {"busbar_http_request_seconds", "path", HISTOGRAM,
     "from a whole request to the beginning of its reply", put_requests},
};

#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

/* ---- the text ---- */

static int put_header(struct buf *out, const char *name, enum kind kind, const char *help)
{
    return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind_names[kind]);
}

static void look(struct server *server, struct sample *s)
{
    s->server = server;
    s->counters = &server->counters;
    bb_stats_get(server->db, &s->stats);
    process_look(&s->process);
    s->write = pool_look(&server->write_pool);
    s->query = pool_look(&server->query_pool);
}

int metrics_write(struct server *server, struct buf *out)
{
    struct sample sample;
    const struct sample *s = &sample;
    look(server, &sample);
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
    for (size_t i = 0; i < FAMILY_COUNT && rc == BB_OK; i++) {
        rc = put_header(out, families[i].name, families[i].kind, families[i].help);
        if (rc == BB_OK)
            rc = families[i].put(out, families[i].name, s);
    }
    return rc;
}

static void document_row(const char *name, const char *label, size_t label_length, enum kind kind,
                         const char *help, FILE *out)
{
    fprintf(out, "| `%s` | %s | %.*s | %s |\n", name, kind_names[kind], (int)label_length, label,
            help);
}

void metrics_document(FILE *out)
{
#define METRIC_TEXT(name, labels, kind, value, help) {name, labels, kind, help},
    static const struct {
        const char *name, *labels;
        enum kind kind;
        const char *help;
    } rows[] = {METRIC_TABLE(METRIC_TEXT)};
#undef METRIC_TEXT
    fputs("| metric | type | label | |\n| --- | --- | --- | --- |\n", out);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *label = rows[i].labels + (rows[i].labels[0] == '{');
        if (i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0)
            document_row(rows[i].name, label, strcspn(label, "="), rows[i].kind, rows[i].help, out);
    }
    for (size_t i = 0; i < FAMILY_COUNT; i++)
        document_row(families[i].name, families[i].label, strlen(families[i].label),
                     families[i].kind, families[i].help, out);
}
