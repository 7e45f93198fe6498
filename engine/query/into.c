#include "engine/query/into.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/base/decimal.h"

/* Lines that are written at a time. */
#define LINES_MAX 10000
#define BYTES_MAX (1u << 20)

/* ---- lines ---- */

static void put_escaped(struct bbi_buf *b, const char *text, size_t length, const char *special)
{
    for (size_t i = 0; i < length; i++) {
        if (strchr(special, text[i]) != NULL && text[i] != '\0') {
            bbi_buf_u8(b, '\\');
        }
        bbi_buf_u8(b, (uint8_t)text[i]);
    }
}

static void put_value(struct bbi_buf *b, const struct bb_value *v)
{
    char text[BBI_DECIMAL_TEXT_MAX];
    switch (v->kind) {
    case BB_VALUE_FLOAT:
        bbi_buf_put(b, text, bbi_decimal_format(v->v.f, text));
        break;
    case BB_VALUE_INT:
        bbi_buf_printf(b, "%" PRId64 "i", v->v.i);
        break;
    case BB_VALUE_UINT:
        bbi_buf_printf(b, "%" PRIu64 "u", v->v.u);
        break;
    case BB_VALUE_BOOL:
        bbi_buf_str(b, v->v.b ? "true" : "false");
        break;
    default:
        bbi_buf_u8(b, '"');
        put_escaped(b, v->v.str, v->length, "\"\\");
        bbi_buf_u8(b, '"');
        break;
    }
}

static void put_tag(struct bbi_buf *b, const char *key, const char *value, size_t length)
{
    if (length > 0) {
        bbi_buf_u8(b, ',');
        put_escaped(b, key, strlen(key), ", =");
        bbi_buf_u8(b, '=');
        put_escaped(b, value, length, ", =");
    }
}

/* What a line cannot hold: no value, or no number. */
static bool is_storable(const struct bb_value *v)
{
    return v->kind != BB_VALUE_NULL && (v->kind != BB_VALUE_FLOAT || isfinite(v->v.f));
}

/* As InfluxDB, which leaves out the whole point. */
static bool has_infinity(const struct bbi_plan *plan, const struct bb_value *row)
{
    for (size_t i = 0; i < plan->output_count; i++) {
        if (row[i + 1].kind == BB_VALUE_FLOAT && isinf(row[i + 1].v.f)) {
            return true;
        }
    }
    return false;
}

/* A row without a field is no point, and is not counted. */
static void put_row(struct bbi_into *into, const struct bb_value *row)
{
    const struct bbi_plan *plan = into->plan;
    struct bbi_buf *b = &into->lines;
    size_t begin = b->len;
    char separator = ' ';
    if (has_infinity(plan, row)) {
        return;
    }
    bbi_buf_put(b, into->key.data, into->key.len);
    for (size_t i = 0; i < plan->output_count; i++) {
        if (plan->outputs[i].is_picked && row[i + 1].kind == BB_VALUE_STRING) {
            put_tag(b, plan->outputs[i].name, row[i + 1].v.str, row[i + 1].length);
        }
    }
    for (size_t i = 0; i < plan->output_count; i++) {
        const char *name = plan->columns[i + 1];
        if (plan->outputs[i].is_picked || !is_storable(&row[i + 1])) {
            continue;
        }
        bbi_buf_u8(b, (uint8_t)separator);
        put_escaped(b, name, strlen(name), ", =");
        bbi_buf_u8(b, '=');
        put_value(b, &row[i + 1]);
        separator = ',';
    }
    if (separator == ' ') {
        b->len = begin;
        return;
    }
    bbi_buf_printf(b, " %" PRId64 "\n", row[0].v.time_ns);
    into->line_count++;
}

static int write_lines(struct bbi_into *into)
{
    const struct bbi_query_env *env = into->plan->ctx->env;
    struct bbi_buf *b = &into->lines;
    int rc = bbi_buf_check(b, "lines to write", &into->err);
    if (rc == BB_OK && b->len > 0) {
        rc = env->write_lines(env->arg, into->database, into->policy, (const char *)b->data, b->len,
                              &into->err);
    }
    if (rc == BB_OK) {
        into->written += into->line_count;
    }
    bbi_buf_reset(b);
    into->line_count = 0;
    return rc;
}

/* ---- the sink ---- */

static int take_series(void *arg, const struct bb_series *series)
{
    struct bbi_into *into = arg;
    const char *name = into->name != NULL ? into->name : series->name;
    bbi_buf_reset(&into->key);
    put_escaped(&into->key, name, strlen(name), ", ");
    for (size_t i = 0; i < series->tag_count; i++) {
        put_tag(&into->key, series->tag_keys[i], series->tag_values[i],
                strlen(series->tag_values[i]));
    }
    return bbi_buf_check(&into->key, "lines to write", &into->err);
}

static int take_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct bbi_into *into = arg;
    size_t columns = into->plan->output_count + 1;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < row_count; i++) {
        put_row(into, values + i * columns);
        if (into->line_count == LINES_MAX || into->lines.len >= BYTES_MAX) {
            rc = write_lines(into);
        }
    }
    return rc;
}

int bbi_into_init(struct bbi_into *into, const struct bbi_plan *plan, struct bb_error *err)
{
    struct bbi_qctx *ctx = plan->ctx;
    const struct bbi_ql_source *target = plan->select->into;
    uint32_t db_id;
    memset(into, 0, sizeof(*into));
    into->plan = plan;
    into->sink = (struct bb_sink){.arg = into, .series = take_series, .rows = take_rows};
    into->database = target->database != NULL ? target->database : ctx->query->database;
    into->policy = target->policy != NULL ? target->policy : ctx->query->retention_policy;
    into->name = target->name;
    bbi_buf_init(&into->key, &ctx->acct, 1 << 20);
    bbi_buf_init(&into->lines, &ctx->acct, 64 << 20);
    if (strcmp(plan->columns[0], "time") != 0) {
        return bbi_error_set(err, BB_EINVAL, "error finding time index in result");
    }
    return bbi_qctx_database(ctx, target->database, &db_id, err);
}

void bbi_into_fini(struct bbi_into *into)
{
    bbi_buf_fini(&into->key);
    bbi_buf_fini(&into->lines);
}

int bbi_into_end(struct bbi_into *into, int rc, struct bb_error *err)
{
    if (rc == BB_OK) {
        rc = write_lines(into);
    }
    if (into->err.code != BB_OK) {
        *err = into->err;
        rc = err->code;
    }
    return rc;
}
