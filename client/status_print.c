#include "client/status_print.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yajl/yajl_tree.h>

#include "client/import_progress.h"
#include "client/import_time.h"

#define DATABASES_SHOWN 50

void status_add_bytes(struct import_buf *out, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    while (fabs(bytes) >= 999.5 && unit < sizeof(units) / sizeof(units[0]) - 1) {
        bytes /= 1000;
        unit++;
    }
    int decimals = unit == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
    import_buf_printf(out, "%.*f %s", decimals, bytes, units[unit]);
}

void status_add_age(struct import_buf *out, double seconds)
{
    int64_t s = seconds < 0 ? 0 : (int64_t)seconds;
    if (s >= 86400)
        import_buf_printf(out, "%lld d %lld h", (long long)(s / 86400), (long long)(s / 3600 % 24));
    else if (s >= 3600)
        import_buf_printf(out, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
    else if (s >= 60)
        import_buf_printf(out, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
    else
        import_buf_printf(out, "%lld s", (long long)s);
}

/* ---- reading ---- */

static yajl_val find(yajl_val node, const char *a, const char *b)
{
    const char *path[] = {a, b, NULL};
    return node == NULL ? NULL : yajl_tree_get(node, path, yajl_t_any);
}

/** A number; 0 if there is none. */
static double number(yajl_val node, const char *a, const char *b)
{
    yajl_val v = find(node, a, b);
    return YAJL_IS_NUMBER(v) ? strtod(YAJL_GET_NUMBER(v), NULL) : 0;
}

static const char *text(yajl_val node, const char *a)
{
    yajl_val v = find(node, a, NULL);
    return YAJL_IS_STRING(v) ? YAJL_GET_STRING(v) : "";
}

/** A count that a double told. */
static uint64_t count_of(double n)
{
    return n >= 1e18 ? (uint64_t)1e18 : n > 0 ? (uint64_t)n : 0;
}

/* ---- the lines ---- */

static void add_count(struct import_buf *out, yajl_val node, const char *a, const char *b,
                      const char *what)
{
    progress_add_count(out, count_of(number(node, a, b)));
    import_buf_add_text(out, what);
}

static void add_size(struct import_buf *out, const char *before, double bytes, const char *behind)
{
    import_buf_add_text(out, before);
    status_add_bytes(out, bytes);
    import_buf_add_text(out, behind);
}

static void print_head(const struct status_replies *r, yajl_val root, struct import_buf *out)
{
    struct time_format format = {.kind = TIME_AUTO};
    struct time_reader reader;
    struct moment started;
    const char *since = text(root, "started");
    import_buf_printf(out, "busbar %s at %s", text(root, "version"), r->url);
    time_reader_init(&reader, &format);
    if (time_read(&reader, since, strlen(since), &started) == NULL) {
        import_buf_add_text(out, ", up ");
        status_add_age(out, difftime(time(NULL), (time_t)started.second_s));
    }
    import_buf_printf(out, ", data in %s\n", text(root, "data"));
}

static bool print_state(const struct status_replies *r, yajl_val root, struct import_buf *out)
{
    bool read_only = YAJL_IS_TRUE(find(root, "read_only", NULL));
    double quarantined = number(root, "storage", "segments_quarantined");
    double corruptions = number(root, "wal", "corruptions");
    bool healthy = r->health_passes && !read_only && quarantined <= 0 && corruptions <= 0;
    import_buf_add_text(out, "state        ");
    import_buf_add_text(out, healthy ? "healthy" : "UNHEALTHY");
    if (read_only)
        import_buf_add_text(out, "; read-only: the log met an I/O error, writes are refused until "
                                 "a restart");
    else if (!r->health_passes)
        import_buf_printf(out, "; /health: %.200s", r->health);
    if (quarantined > 0)
        import_buf_printf(out, "; %.0f segments are damaged and set aside in quarantine/",
                          quarantined);
    if (corruptions > 0)
        import_buf_printf(out, "; %.0f damaged places were met in the log", corruptions);
    import_buf_add_char(out, '\n');
    return healthy;
}

static void print_storage(yajl_val root, struct import_buf *out)
{
    import_buf_add_text(out, "storage      ");
    add_count(out, root, "storage", "series", " series, ");
    add_count(out, root, "storage", "partitions", " partitions, ");
    add_count(out, root, "storage", "segments", " segments, ");
    status_add_bytes(out, number(root, "storage", "segment_bytes"));
    double values = number(root, "storage", "segment_values");
    if (values > 0)
        import_buf_printf(out, ", %.2f bytes a value",
                          number(root, "storage", "segment_bytes") / values);
    double deleting = number(root, "storage", "deletions_pending");
    if (deleting > 0) {
        import_buf_printf(out, "; %.0f deletions hold ", deleting);
        status_add_bytes(out, number(root, "storage", "deletion_bytes"));
        import_buf_add_text(out, " to be rewritten");
    }
    if (YAJL_IS_TRUE(find(root, "storage", "compaction_paused")))
        import_buf_add_text(out, "; compaction paused");
    import_buf_add_text(out, YAJL_IS_TRUE(find(root, "storage", "background_idle"))
                                 ? "; background idle\n"
                                 : "; flushing or compacting\n");
    import_buf_add_text(out, "memtable     ");
    add_count(out, root, "storage", "memtable_values", " values, ");
    add_size(out, "", number(root, "storage", "memtable_bytes"), "; ");
    add_count(out, root, "storage", "flushes", " flushes, ");
    add_count(out, root, "storage", "compactions", " compactions\n");
    import_buf_add_text(out, "log          ");
    add_size(out, "", number(root, "wal", "bytes"), " on disk, ");
    add_count(out, root, "wal", "syncs", " syncs");
    if (number(root, "wal", "syncs") > 0)
        import_buf_printf(out, " of %.2f ms on average", number(root, "wal", "sync_mean_ms"));
    import_buf_add_char(out, '\n');
}

static void print_memory(yajl_val root, struct import_buf *out)
{
    add_size(out, "memory       ", number(root, "memory", "resident_bytes"), " resident (at most ");
    add_size(out, "", number(root, "memory", "resident_peak_bytes"), "), engine ");
    add_size(out, "", number(root, "memory", "engine_bytes"), " of ");
    add_size(out, "", number(root, "memory", "budget_bytes"), "\n");
}

static void print_traffic(yajl_val root, struct import_buf *out)
{
    import_buf_add_text(out, "ingest       ");
    add_count(out, root, "ingest", "points_written", " points stored, ");
    add_count(out, root, "ingest", "points_rejected", " rejected; now ");
    progress_add_count(out, count_of(number(root, "rates", "points_per_second")));
    import_buf_add_text(out, " points/s, ");
    add_size(out, "", number(root, "rates", "wal_bytes_per_second"), "/s of log\n");
    import_buf_add_text(out, "queries      ");
    add_count(out, root, "queries", "texts", ", ");
    add_count(out, root, "queries", "errors", " failed; ");
    import_buf_printf(out, "now %.1f/s\n", number(root, "rates", "queries_per_second"));
    import_buf_add_text(out, "connections  ");
    add_count(out, root, "connections", "http", " HTTP, ");
    add_count(out, root, "connections", "line", " line protocol, of ");
    add_count(out, root, "connections", "max", "\n");
}

/** The rows of one metric, `name{label="what"} value`: each what and value above zero. */
static void print_reasons(const char *metrics, struct import_buf *out)
{
    static const char name[] = "busbar_lines_rejected_total{reason=\"";
    bool any = false;
    for (const char *at = metrics; at != NULL && (at = strstr(at, name)) != NULL;) {
        at += sizeof(name) - 1;
        const char *end = strstr(at, "\"} ");
        if (end == NULL)
            break;
        double count = strtod(end + 3, NULL);
        if (count > 0)
            import_buf_printf(out, "%s%.*s %.0f", any ? ", " : "rejected     ", (int)(end - at), at,
                              count);
        any = any || count > 0;
        at = end;
    }
    if (any)
        import_buf_add_char(out, '\n');
}

/* ---- databases ---- */

static void print_database(yajl_val d, struct import_buf *out)
{
    struct import_buf size = {0};
    status_add_bytes(&size, number(d, "segment_bytes", NULL));
    double values = number(d, "segment_values", NULL);
    import_buf_printf(out, "  %-20s %12.0f %10.0f %8.0f %14.0f %9s ", text(d, "name"),
                      number(d, "series", NULL), number(d, "partitions", NULL),
                      number(d, "segments", NULL), values, import_buf_text(&size));
    if (values > 0)
        import_buf_printf(out, "%8.2f", number(d, "segment_bytes", NULL) / values);
    else
        import_buf_printf(out, "%8s", "-");
    import_buf_printf(out, "  %.16s .. %.16s\n", text(d, "first_time"), text(d, "last_time"));
    import_buf_fini(&size);
}

static void print_databases(yajl_val root, struct import_buf *out)
{
    yajl_val all = find(root, "databases", NULL);
    if (!YAJL_IS_ARRAY(all) || YAJL_GET_ARRAY(all)->len == 0) {
        import_buf_add_text(out, "databases    none\n");
        return;
    }
    size_t n = YAJL_GET_ARRAY(all)->len;
    import_buf_printf(out, "databases    %zu; values and sizes as flushed\n", n);
    import_buf_printf(out, "  %-20s %12s %10s %8s %14s %9s %8s  %s\n", "name", "series",
                      "partitions", "segments", "values", "size", "bytes/v", "from .. to");
    for (size_t i = 0; i < n && i < DATABASES_SHOWN; i++)
        print_database(YAJL_GET_ARRAY(all)->values[i], out);
    if (n > DATABASES_SHOWN)
        import_buf_printf(out, "  ... and %zu more: --json has all\n", n - DATABASES_SHOWN);
}

const char *status_print(const struct status_replies *r, struct import_buf *out, bool *healthy)
{
    char error[256];
    *healthy = false;
    yajl_val root = yajl_tree_parse(r->status, error, sizeof(error));
    if (root == NULL || !YAJL_IS_OBJECT(find(root, "storage", NULL))) {
        yajl_tree_free(root);
        return "/debug/status is not what Busbar answers";
    }
    print_head(r, root, out);
    *healthy = print_state(r, root, out);
    print_databases(root, out);
    print_storage(root, out);
    print_memory(root, out);
    print_traffic(root, out);
    print_reasons(r->metrics, out);
    yajl_tree_free(root);
    return out->failed ? "out of memory" : NULL;
}
