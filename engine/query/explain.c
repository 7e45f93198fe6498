/* EXPLAIN and EXPLAIN ANALYZE: this engine's plan, and what it did. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/influxql/influxql.h"
#include "engine/query/select.h"
#include "engine/query/statement.h"
#include "engine/query/trace.h"

struct explainer {
    struct bbi_qctx *ctx;
    struct bbi_buf text; /* lines, each ending with a NUL */
    bool times;          /* each measurement is run when it has been told of */
    int64_t begun_ns;    /* when the last of them was; 0: none */
};

static void put_line(struct explainer *x, const char *fmt, ...) BB_PRINTF(2, 3);

static void put_line(struct explainer *x, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    bbi_buf_str(&x->text, line);
    bbi_buf_u8(&x->text, 0);
}

static void put_regions(struct explainer *x, const struct bbi_qscan *scan)
{
    size_t pure = 0;
    size_t mixed = 0;
    for (size_t i = 0; i < scan->region_count; i++) {
        pure += scan->regions[i].pure;
        mixed += !scan->regions[i].pure;
    }
    put_line(x, "    regions: %zu of one segment alone, %zu where sources may overlap", pure,
             mixed);
}

static void put_time(struct explainer *x, const char *name, int64_t time)
{
    struct bbi_buf text;
    bbi_buf_init(&text, &x->ctx->acct, 4096);
    bbi_ql_time_format(time, &text);
    put_line(x, "    %s: %.*s", name, (int)text.len, (const char *)text.data);
    bbi_buf_fini(&text);
}

static double ms_since(int64_t start_ns)
{
    return (double)(bbi_clock_mono_ns() - start_ns) / 1e6;
}

/* How long the measurement took that was told of last. */
static void put_elapsed(struct explainer *x)
{
    if (x->times && x->begun_ns != 0) {
        put_line(x, "    execution: %.3f ms", ms_since(x->begun_ns));
    }
}

static int put_binding(void *arg, const struct bbi_binding *b, struct bb_error *err)
{
    struct explainer *x = arg;
    const struct bbi_plan *plan = b->plan;
    put_elapsed(x);
    x->begun_ns = bbi_clock_mono_ns();
    put_line(x, "%s %s", plan->call_count > 0 ? "aggregate" : "rows", b->measurement->name);
    put_line(x, "    policy: %s", b->measurement->rp.name);
    if (b->is_empty) {
        put_line(x, "    nothing: no such field");
        return BB_OK;
    }
    put_line(x, "    series: %zu in %zu groups", b->series.count, b->series.groups.count);
    put_line(x, "    fields: %zu", b->fields.count);
    if (b->has_filter) {
        put_line(x, "    filter: %zu slots, %zu of its tests against statistics",
                 b->filter.slot_count, b->filter.test_count);
    }
    if (b->scan.data_tmin <= b->scan.data_tmax) {
        put_time(x, "from", b->scan.data_tmin);
        put_time(x, "to", b->scan.data_tmax);
    }
    put_line(x, "    sources: %zu segments, %zu memtables", b->scan.segment_count,
             b->scan.space_count);
    put_regions(x, &b->scan);
    put_line(x, "    rows, estimated: %llu", (unsigned long long)b->scan.rows);
    return bbi_buf_check(&x->text, "plan", err);
}

static void put_stats(struct explainer *x)
{
    const struct bbi_qstats *s = &x->ctx->stats;
#define PUT_STAT(name, text) put_line(x, "    " #name ": %llu", (unsigned long long)s->name);
    BBI_QSTAT_TABLE(PUT_STAT)
#undef PUT_STAT
}

/* A measurement's stream is noted when it is opened: with ANALYZE alone. */
static void put_streams(struct explainer *x, const struct bbi_trace *trace, bool analyze)
{
    put_line(x, "streams");
    for (const struct bbi_trace_node *n = trace->first; n != NULL; n = n->next) {
        int indent = 4 * (int)(n->depth < 32 ? n->depth + 1 : 32);
        if (analyze) {
            put_line(x, "%*s%s: %llu points, %.3f ms", indent, "", n->text,
                     (unsigned long long)n->points, (double)n->ns / 1e6);
        } else {
            put_line(x, "%*s%s", indent, "", n->text);
        }
    }
}

/* The measurements of a plan and its subqueries, as if each were asked alone. */
static int put_sources(struct explainer *x, const struct bbi_plan *plan, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < plan->from.count; i++) {
        struct bbi_binding b;
        rc = bbi_binding_build(plan, &plan->from.list[i], &b, err);
        rc = rc == BB_OK ? put_binding(x, &b, err) : rc;
        bbi_binding_fini(&b);
    }
    for (size_t i = 0; rc == BB_OK && i < plan->sub_count; i++) {
        rc = put_sources(x, plan->subs[i], err);
    }
    return rc;
}

static int run(struct explainer *x, const struct bbi_plan *plan, struct bbi_emit *quiet,
               bool analyze, struct bb_error *err)
{
    struct bbi_trace trace;
    if (bbi_select_is_plain(plan)) {
        x->times = analyze;
        int plain = bbi_select_run(plan, quiet, analyze, put_binding, x, err);
        put_elapsed(x);
        return plain;
    }
    bbi_trace_init(&trace);
    int rc = put_sources(x, plan, err);
    if (rc == BB_OK) {
        memset(&x->ctx->stats, 0, sizeof(x->ctx->stats));
        rc = bbi_select_general(plan, quiet, analyze, &trace, err);
    }
    if (rc == BB_OK) {
        put_streams(x, &trace, analyze);
    }
    return rc;
}

static int explain(struct explainer *x, const struct bbi_ql_select *select, bool analyze,
                   struct bb_error *err)
{
    struct bbi_plan plan;
    struct bbi_emit quiet;
    int64_t start = bbi_clock_mono_ns();
    int rc = bbi_qctx_snapshot(x->ctx, err);
    if (rc == BB_OK) {
        rc = bbi_plan_build(x->ctx, select, &plan, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    double planned = ms_since(start);
    start = bbi_clock_mono_ns();
    bbi_emit_init(&quiet, x->ctx, true);
    rc = run(x, &plan, &quiet, analyze, err);
    bbi_emit_fini(&quiet);
    if (rc == BB_OK && analyze) {
        put_line(x, "counters");
        put_stats(x);
        put_line(x, "time");
        put_line(x, "    planning: %.3f ms", planned);
        put_line(x, "    execution: %.3f ms", ms_since(start));
        put_line(x, "memory");
        put_line(x, "    peak: %.1f MiB",
                 (double)atomic_load(&x->ctx->acct.peak_bytes) / (1 << 20));
    }
    return rc == BB_OK ? bbi_buf_check(&x->text, "plan", err) : rc;
}

static int give_lines(struct explainer *x, const char *column, struct bb_error *err)
{
    struct bbi_emit e;
    const char *const columns[] = {column};
    bbi_emit_init(&e, x->ctx, false);
    int rc = bbi_emit_columns(&e, NULL, columns, 1, err);
    if (x->text.len == 0) {
        put_line(x, "%s", ""); /* InfluxDB's plan of nothing is one empty line */
        rc = rc == BB_OK ? bbi_buf_check(&x->text, "plan", err) : rc;
    }
    for (size_t at = 0; rc == BB_OK && at < x->text.len;) {
        const char *line = (const char *)x->text.data + at;
        struct bb_value *row;
        rc = bbi_emit_row(&e, &row, err);
        if (rc == BB_OK) {
            row[0] = bbi_value_string(line, strlen(line));
        }
        at += strlen(line) + 1;
    }
    if (rc == BB_OK) {
        rc = bbi_emit_flush(&e, err);
    }
    bbi_emit_fini(&e);
    return rc;
}

int bbi_statement_explain(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                          struct bb_error *err)
{
    struct explainer x = {.ctx = ctx};
    bool analyze = statement->u.explain.analyze;
    bbi_buf_init(&x.text, &ctx->acct, 16 << 20);
    int rc = explain(&x, statement->u.explain.select, analyze, err);
    if (rc == BB_OK) {
        rc = give_lines(&x, analyze ? "EXPLAIN ANALYZE" : "QUERY PLAN", err);
    }
    bbi_buf_fini(&x.text);
    return rc;
}
