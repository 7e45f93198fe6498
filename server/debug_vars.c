#include "server/debug_vars.h"

#include <string.h>

#include "server/json.h"
#include "server/number.h"
#include "server/process.h"

#define COLUMNS_MAX_BYTES ((size_t)64 << 10)

/** The sink of SHOW STATS: one series of one row for each module. */
struct vars {
    struct json json;
    struct buf columns; /* names of the series' columns, a NUL behind each */
    struct bb_error failed;
};

/** A key that may need escapes. */
static void put_key(struct json *j, const char *text)
{
    jsonw_cstring(j, text);
    if (j->err == BB_OK)
        j->err = buf_put(j->out, ":", 1);
    j->after_key = true;
}

static void put_u64(struct json *j, const char *key, uint64_t value)
{
    jsonw_key(j, key);
    jsonw_u64(j, value);
}

/** "NAME" or "NAME:TAG:TAG"; of a subscription's destination what InfluxDB makes of it. */
static int put_point_key(struct buf *key, const struct bb_series *series)
{
    static const size_t of_destination[] = {0, 4, 3, 1};
    bool is_destination = series->tag_count == 5 && strcmp(series->name, "subscriber") == 0;
    size_t count = is_destination ? 4 : series->tag_count;
    int rc = buf_put(key, series->name, strlen(series->name));
    for (size_t i = 0; i < count && rc == BB_OK; i++)
        rc = buf_printf(key, ":%s", series->tag_values[is_destination ? of_destination[i] : i]);
    return rc == BB_OK ? buf_put(key, "", 1) : rc;
}

/** Its key, and {"name":NAME,"tags":{...},"values":{ ... */
static void begin_point(struct json *j, const struct bb_series *series)
{
    struct buf key;
    buf_init(&key, COLUMNS_MAX_BYTES, NULL);
    int rc = put_point_key(&key, series);
    if (j->err == BB_OK)
        j->err = rc;
    if (j->err == BB_OK)
        put_key(j, key.data);
    buf_fini(&key);
    jsonw_object_begin(j);
    jsonw_key(j, "name");
    jsonw_cstring(j, series->name);
    jsonw_key(j, "tags");
    jsonw_object_begin(j);
    for (size_t i = 0; i < series->tag_count; i++) {
        put_key(j, series->tag_keys[i]);
        jsonw_cstring(j, series->tag_values[i]);
    }
    jsonw_object_end(j);
    jsonw_key(j, "values");
    jsonw_object_begin(j);
}

static void end_point(struct json *j)
{
    jsonw_object_end(j);
    jsonw_object_end(j);
}

/* ---- the sink ---- */

static int on_statement_begin(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return 0;
}

static int on_series(void *arg, const struct bb_series *series)
{
    struct vars *vars = arg;
    vars->columns.len = 0;
    for (size_t i = 0; i < series->column_count && vars->json.err == BB_OK; i++)
        vars->json.err = buf_put(&vars->columns, series->columns[i],
                                 strlen(series->columns[i]) + 1);
    begin_point(&vars->json, series);
    return vars->json.err;
}

static int on_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct vars *vars = arg;
    const char *name = vars->columns.data;
    (void)row_count; /* one */
    for (; name < vars->columns.data + vars->columns.len; name += strlen(name) + 1, values++) {
        put_key(&vars->json, name);
        if (values->kind == BB_VALUE_UINT)
            jsonw_u64(&vars->json, values->v.u);
        else
            jsonw_null(&vars->json);
    }
    end_point(&vars->json);
    return vars->json.err;
}

static int on_statement_end(void *arg, const struct bb_error *err)
{
    struct vars *vars = arg;
    if (err != NULL)
        vars->failed = *err;
    return 0;
}

static int put_stats(struct vars *vars, struct server *server, struct bb_error *err)
{
    static const char text[] = "SHOW STATS";
    struct bb_query query = {.text = text, .text_length = sizeof(text) - 1};
    struct bb_sink sink = {.arg = vars,
                           .statement_begin = on_statement_begin,
                           .series = on_series,
                           .rows = on_rows,
                           .statement_end = on_statement_end};
    int rc = bb_query(server->db, &query, &sink, err);
    if (rc == BB_OK && vars->failed.code != BB_OK) {
        *err = vars->failed;
        rc = err->code;
    }
    return rc;
}

/* ---- the rest ---- */

static void put_system(struct json *j, const struct process *process)
{
    char text[NUMBER_MAX_BYTES];
    int64_t now_ns = wall_clock_ns();
    int64_t started_ns = (int64_t)(process->start_seconds * 1e3) * 1000000;
    jsonw_key(j, "system");
    jsonw_object_begin(j);
    jsonw_key(j, "currentTime");
    jsonw_plain_string(j, text, number_time(text, now_ns));
    jsonw_key(j, "started");
    jsonw_plain_string(j, text, number_time(text, started_ns));
    jsonw_key(j, "uptime");
    jsonw_i64(j, (now_ns - started_ns) / 1000000000);
    jsonw_object_end(j);
}

static void put_memory(struct json *j, const struct process *process, struct server *server)
{
    struct bb_stats stats;
    bb_stats_get(server->db, &stats);
    jsonw_key(j, "memstats");
    jsonw_object_begin(j);
    put_u64(j, "Alloc", stats.memory_used_bytes);
    put_u64(j, "Sys", (uint64_t)process->resident_bytes);
    put_u64(j, "HeapAlloc", stats.memory_used_bytes);
    put_u64(j, "HeapSys", (uint64_t)process->resident_bytes);
    put_u64(j, "HeapInuse", stats.memory_used_bytes);
    jsonw_object_end(j);
}

int debug_vars_write(struct server *server, struct buf *out, struct bb_error *err)
{
    struct vars vars = {.failed.code = BB_OK};
    struct process process;
    struct json *j = &vars.json;
    process_look(&process);
    buf_init(&vars.columns, COLUMNS_MAX_BYTES, NULL);
    jsonw_init(j, out, false);
    jsonw_object_begin(j);
    put_system(j, &process);
    jsonw_key(j, "cmdline");
    jsonw_array_begin(j);
    jsonw_cstring(j, "busbard");
    jsonw_array_end(j);
    put_memory(j, &process, server);
    int rc = put_stats(&vars, server, err);
    jsonw_object_end(j);
    jsonw_newline(j);
    buf_fini(&vars.columns);
    return rc != BB_OK ? rc : j->err;
}
