/*
 * busbar export: one query for each measurement, its rows written as they arrive. Series come one
 * after the other, in the order of their tags, each in the order of time. Types come from
 * SHOW FIELD KEYS, and numbers pass as the server wrote them, so that nothing changes on the way.
 */
#include "client/export.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/export_schema.h"
#include "client/import_conn.h"
#include "client/import_exit.h"
#include "client/import_progress.h"
#include "client/password.h"

#define MEASUREMENTS_MAX 64

static const char usage_text[] =
    "usage: busbar export -d DATABASE [options]\n"
    "\n"
    "Write a database's readings as CSV or line protocol, exact in value and type.\n"
    "\n" CONN_USAGE
    "  --format csv|line       (csv; line if the output's name ends in .lp or .lp.gz)\n"
    "  -o, --output FILE       (standard output); compressed if the name ends in .gz\n"
    "  --measurement NAME      only this one; repeatable; csv holds one\n"
    "  --since TIME            from this time on: RFC 3339, a date, or nanoseconds\n"
    "  --until TIME            and before this one\n"
    "  --where CONDITION       on tags and fields, as in InfluxQL: \"device_id = 'MTR-1'\"\n"
    "  --time-format FORMAT    of csv: rfc3339 (default), s, ms, us, ns\n"
    "  --time-column NAME      of csv: name of the time's column (time)\n"
    "  --delimiter CHAR        of csv: (,)\n"
    "  -q, --quiet             no progress and no summary\n"
    "\n"
    "exit codes: 0 done; 1 the server refused, or warned that something is missing; 2 usage;\n"
    "3 nobody answers; 4 the file cannot be written; 5 access denied; 6 the connection broke;\n"
    "7 what answers is no InfluxDB API; 130 interrupted\n";

enum {
    OPT_FORMAT = 256,
    OPT_MEASUREMENT,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_WHERE,
    OPT_TIME_FORMAT,
    OPT_TIME_COLUMN,
    OPT_DELIMITER
};

static const struct option long_options[] = {
    CONN_LONG_OPTIONS,
    {"format", required_argument, NULL, OPT_FORMAT},
    {"output", required_argument, NULL, 'o'},
    {"measurement", required_argument, NULL, OPT_MEASUREMENT},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"where", required_argument, NULL, OPT_WHERE},
    {"time-format", required_argument, NULL, OPT_TIME_FORMAT},
    {"time-column", required_argument, NULL, OPT_TIME_COLUMN},
    {"delimiter", required_argument, NULL, OPT_DELIMITER},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct export
{
    struct bb_client_options client_options;
    const char *format_name, *output;
    const char *measurements[MEASUREMENTS_MAX];
    size_t measurement_count;
    const char *since, *until, *where;
    const char *epoch; /* NULL: RFC 3339 */
    bool quiet;
    struct export_format format;

    struct bb_client *client;
    struct export_out *out;
    struct export_rows rows;
    uint64_t row_count;
    struct progress progress;
    bool warned;
    char statement_error[1024];
};

static struct bb_client *volatile running; /* what a signal ends */
static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    stopped = signal_number;
    if (running != NULL)
        bb_client_cancel(running);
}

static int fail(struct export *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct export *e, int code, const char *fmt, ...)
{
    va_list args;
    progress_clear(&e->progress);
    fputs("busbar export: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

/* ---- options ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool set_time_format(struct export *e, const char *value)
{
    static const char *const units[] = {"s", "ms", "us", "ns"};
    static const char *const epochs[] = {"s", "ms", "u", "ns"};
    bool rfc3339 = strcmp(value, "rfc3339") == 0;
    e->epoch = NULL;
    for (int i = 0; i < 4; i++) {
        if (strcmp(value, units[i]) == 0)
            e->epoch = epochs[i];
    }
    return rfc3339 || e->epoch != NULL;
}

static bool add_measurement(struct export *e, const char *value)
{
    if (e->measurement_count == MEASUREMENTS_MAX || *value == '\0')
        return false;
    e->measurements[e->measurement_count++] = value;
    return true;
}

static bool take_option(struct export *e, int c, char *value)
{
    switch (c) {
    case OPT_FORMAT:
        e->format_name = value;
        return strcmp(value, "csv") == 0 || strcmp(value, "line") == 0;
    case 'o':
        e->output = value;
        return *value != '\0';
    case OPT_MEASUREMENT:
        return add_measurement(e, value);
    case OPT_SINCE:
        e->since = value;
        return strpbrk(value, "'\\") == NULL && *value != '\0';
    case OPT_UNTIL:
        e->until = value;
        return strpbrk(value, "'\\") == NULL && *value != '\0';
    case OPT_WHERE:
        e->where = value;
        return *value != '\0';
    case OPT_TIME_FORMAT:
        return set_time_format(e, value);
    case OPT_TIME_COLUMN:
        e->format.time_column = value;
        return *value != '\0';
    case OPT_DELIMITER:
        e->format.delimiter = strcmp(value, "tab") == 0 ? '\t' : *value;
        return strcmp(value, "tab") == 0 || (strlen(value) == 1 && *value != '"');
    case 'q':
        e->quiet = true;
        return true;
    default:
        return conn_take(&e->client_options, c, value);
    }
}

static int parse_options(struct export *e, int argc, char **argv)
{
    int c, index = 0;
    conn_init(&e->client_options);
    e->output = "-";
    e->format.delimiter = ',';
    e->format.time_column = "time";
    optind = 1;
    while ((c = getopt_long(argc, argv, "H:d:u:o:qh", long_options, &index)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            return EXIT_OK;
        }
        if (c == '?')
            return fail(e, EXIT_USAGE, "--help lists the options");
        if (!take_option(e, c, optarg))
            return fail(e, EXIT_USAGE, "--%s %s: not understood; --help tells more",
                        c < 256 ? "" : long_options[index].name, optarg);
    }
    if (optind < argc)
        return fail(e, EXIT_USAGE, "%s: what is this? --help lists the options", argv[optind]);
    if (e->client_options.database == NULL)
        return fail(e, EXIT_USAGE, "no database is given: use --database");
    if (e->format_name == NULL)
        e->format.lines = ends_with(e->output, ".lp") || ends_with(e->output, ".lp.gz");
    else
        e->format.lines = strcmp(e->format_name, "line") == 0;
    if (e->format.lines)
        e->epoch = "ns";
    return -1;
}

/* ---- the query ---- */

static void add_time(struct import_buf *text, const char *operator, const char * time, bool *any)
{
    if (time == NULL)
        return;
    bool digits = time[strspn(time, "-0123456789")] == '\0' && strchr(time + 1, '-') == NULL;
    import_buf_printf(text, "%s time %s %s%s%s", *any ? " AND" : " WHERE", operator,
                      digits ? "" : "'", time, digits ? "" : "'");
    *any = true;
}

static void make_query(const struct export *e, const char *measurement, struct import_buf *text)
{
    bool any = false;
    import_buf_add_text(text, "SELECT ");
    for (size_t i = 0; i < e->format.field_count; i++) {
        if (i > 0)
            import_buf_add_text(text, ", ");
        export_quote(text, e->format.fields[i].name);
        import_buf_add_text(text, "::field");
    }
    import_buf_add_text(text, " FROM ");
    if (e->client_options.retention_policy != NULL) {
        export_quote(text, e->client_options.retention_policy);
        import_buf_add_char(text, '.');
    }
    export_quote(text, measurement);
    add_time(text, ">=", e->since, &any);
    add_time(text, "<", e->until, &any);
    if (e->where != NULL)
        import_buf_printf(text, "%s (%s)", any ? " AND" : " WHERE", e->where);
    import_buf_add_text(text, " GROUP BY *");
}

static int on_series(void *arg, const struct bb_client_series *series)
{
    struct export *e = arg;
    return !export_rows_series(&e->rows, series);
}

static int on_row(void *arg, const struct bb_client_cell *cells, size_t n)
{
    struct export *e = arg;
    if (e->rows.rows % 8192 == 0) {
        struct progress_now now = {.rows = e->row_count + e->rows.rows};
        progress_show(&e->progress, &now);
    }
    return stopped != 0 || !export_rows_add(&e->rows, cells, n);
}

static int on_message(void *arg, const char *level, const char *text)
{
    struct export *e = arg;
    e->warned = true;
    fail(e, 0, "the server's %s: %s", level, text);
    return 0;
}

static int on_statement_error(void *arg, unsigned statement, const char *text)
{
    struct export *e = arg;
    (void)statement;
    snprintf(e->statement_error, sizeof(e->statement_error), "%s", text);
    return 1;
}

/** Why a query has ended too early. */
static int query_failed(struct export *e, const struct bb_client_error *err)
{
    if (stopped != 0)
        return fail(e, EXIT_INTERRUPTED, "interrupted");
    if (e->statement_error[0] != '\0')
        return fail(e, EXIT_FAILED, "%s", e->statement_error);
    if (e->rows.error != NULL)
        return fail(e, EXIT_PROTOCOL, "%s", e->rows.error);
    if (err->kind == BB_CLIENT_CANCELED)
        return -1; /* the file could not be written, as closing it will tell */
    return fail(e, import_exit_of(err), "%s", err->text);
}

static int export_measurement(struct export *e, const char *measurement)
{
    struct bb_client_error err;
    struct import_buf text = {0};
    int code = EXIT_OK;
    if (export_schema(e->client, measurement, &e->format, &err) != BB_CLIENT_OK) {
        code = query_failed(e, &err);
        export_schema_fini(&e->format);
        return code;
    }
    export_rows_init(&e->rows, &e->format, e->out);
    if (e->format.field_count == 0)
        fail(e, 0, "%s has no fields: is there such a measurement?", measurement);
    make_query(e, measurement, &text);
    struct bb_client_handler handler = {e, NULL, on_series, on_row, on_message, on_statement_error};
    struct bb_client_query_options options = {.epoch = e->epoch, .chunk_rows = 10000};
    if (e->format.field_count > 0 && (e->format.lines || export_rows_header(&e->rows)) &&
        bb_client_query(e->client, import_buf_text(&text), &options, &handler, &err) !=
            BB_CLIENT_OK)
        code = query_failed(e, &err);
    if (code == EXIT_OK && e->statement_error[0] != '\0')
        code = query_failed(e, &err);
    e->row_count += e->rows.rows;
    export_rows_fini(&e->rows);
    export_schema_fini(&e->format);
    import_buf_fini(&text);
    return code;
}

/** What `influx -import` and `busbar import` need to know of a file of lines. */
static void put_context(struct export *e, const char *policy)
{
    const char *database = e->client_options.database;
    struct import_buf text = {0};
    import_buf_add_text(&text, "# DDL\nCREATE DATABASE ");
    export_quote(&text, database);
    import_buf_printf(&text, "\n# DML\n# CONTEXT-DATABASE: %s\n# CONTEXT-RETENTION-POLICY: %s\n",
                      database, policy);
    export_out_put(e->out, import_buf_text(&text), text.len);
    import_buf_fini(&text);
}

/** See that the database is there, and by which name its readings are imported again. */
static int begin(struct export *e)
{
    struct bb_client_error err;
    struct export_names policies = {0};
    const char *policy = e->client_options.retention_policy;
    int code = EXIT_OK;
    if (export_default_policy(e->client, e->client_options.database, &policies, &err) !=
        BB_CLIENT_OK)
        code = query_failed(e, &err);
    if (policy == NULL)
        policy = policies.count > 0 ? policies.names[0] : "autogen";
    if (code == EXIT_OK && e->format.lines)
        put_context(e, policy);
    export_names_fini(&policies);
    return code;
}

static int export_all(struct export *e)
{
    struct bb_client_error err;
    struct export_names all = {0};
    int code = begin(e);
    if (code != EXIT_OK)
        return code;
    if (e->measurement_count == 0 && export_measurements(e->client, &all, &err) != BB_CLIENT_OK) {
        export_names_fini(&all);
        return query_failed(e, &err);
    }
    size_t count = e->measurement_count > 0 ? e->measurement_count : all.count;
    if (!e->format.lines && count > 1)
        code = fail(
            e, EXIT_USAGE,
            "there are %zu measurements (%s, %s ...): csv holds one: --measurement NAME, or "
            "--format line",
            count, all.count > 1 ? all.names[0] : e->measurements[0],
            all.count > 1 ? all.names[1] : e->measurements[1]);
    for (size_t i = 0; i < count && code == EXIT_OK; i++)
        code = export_measurement(e, e->measurement_count > 0 ? e->measurements[i] : all.names[i]);
    export_names_fini(&all);
    return code;
}

static void print_summary(const struct export *e, uint64_t bytes)
{
    struct import_buf text = {0};
    double seconds = progress_seconds(&e->progress);
    progress_add_count(&text, e->row_count);
    import_buf_add_text(&text, " rows, ");
    progress_add_count(&text, bytes);
    import_buf_printf(&text, " bytes; %.1f s, ", seconds);
    progress_add_count(&text, (uint64_t)((double)e->row_count / (seconds > 1e-3 ? seconds : 1e-3)));
    fprintf(stderr, "%s: %s rows/s\n", e->output, import_buf_text(&text));
    import_buf_fini(&text);
}

static int run(struct export *e)
{
    struct bb_client_error err;
    char error[512];
    struct password password;
    password_complete(&password, &e->client_options);
    int rc = bb_client_create(&e->client, &e->client_options, &err);
    password_forget(&password, &e->client_options);
    if (rc != BB_CLIENT_OK)
        return fail(e, import_exit_of(&err), "%s", err.text);
    e->out = export_out_open(e->output, error, sizeof(error));
    if (e->out == NULL)
        return fail(e, EXIT_FILE, "%s", error);
    running = e->client;
    bool to_file = strcmp(e->output, "-") != 0;
    struct progress_now start = {0};
    progress_start(&e->progress, to_file && !e->quiet && isatty(STDERR_FILENO) ? stderr : NULL,
                   e->output, &start);
    int code = export_all(e);
    progress_clear(&e->progress);
    running = NULL;
    uint64_t bytes = export_out_bytes(e->out);
    if (!export_out_close(&e->out, code == EXIT_OK, error, sizeof(error)))
        return fail(e, EXIT_FILE, "%s", error);
    if (code == EXIT_OK && to_file && !e->quiet)
        print_summary(e, bytes);
    return code == EXIT_OK && e->warned ? EXIT_FAILED : code;
}

int bbsh_export_main(int argc, char **argv)
{
    struct export e = {0};
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    int code = parse_options(&e, argc, argv);
    if (code >= 0)
        return code;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    code = run(&e);
    bb_client_destroy(&e.client);
    return code;
}
