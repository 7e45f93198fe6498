#include "server/result_csv.h"

#include <math.h>
#include <string.h>

#include "server/number.h"

#define HEAD_MAX_BYTES ((size_t)16 << 20)

void result_csv_init(struct result_csv *r, int64_t epoch_ns, struct buf *out, size_t flush_bytes,
                     int (*flush)(void *arg, struct buf *out), void *arg)
{
    *r = (struct result_csv){.out = out,
                             .flush_bytes = flush_bytes,
                             .flush = flush,
                             .flush_arg = arg,
                             .epoch_ns = epoch_ns > 0 ? epoch_ns : 1};
    buf_init(&r->prefix, HEAD_MAX_BYTES, NULL);
    buf_init(&r->columns, HEAD_MAX_BYTES, NULL);
}

void result_csv_fini(struct result_csv *r)
{
    buf_fini(&r->prefix);
    buf_fini(&r->columns);
}

static void put(struct result_csv *r, struct buf *out, const char *text, size_t n)
{
    if (r->err == BB_OK)
        r->err = buf_put(out, text, n);
}

/** Whether the text begins with a blank of Unicode, which is one of one, two or three bytes. */
static bool begins_blank(const char *text, size_t n)
{
    static const char *const wide[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
                                       "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
                                       "\xe2\x81\x9f", "\xe3\x80\x80"};
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r'))
        return true;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        if (n >= strlen(wide[i]) && memcmp(text, wide[i], strlen(wide[i])) == 0)
            return true;
    /* U+2000 to U+200A */
    return n >= 3 && memcmp(text, "\xe2\x80", 2) == 0 && (unsigned char)text[2] >= 0x80 &&
           (unsigned char)text[2] <= 0x8a;
}

/** A field is quoted where Go's encoding/csv quotes it. */
static bool needs_quotes(const char *text, size_t n)
{
    if (n == 0)
        return false;
    if (n == 2 && memcmp(text, "\\.", 2) == 0)
        return true;
    if (begins_blank(text, n))
        return true;
    for (size_t i = 0; i < n; i++)
        if (text[i] == ',' || text[i] == '"' || text[i] == '\r' || text[i] == '\n')
            return true;
    return false;
}

static void put_field(struct result_csv *r, struct buf *out, const char *text, size_t n)
{
    if (!needs_quotes(text, n)) {
        put(r, out, text, n);
        return;
    }
    put(r, out, "\"", 1);
    while (n > 0) {
        const char *quote = memchr(text, '"', n);
        size_t plain = quote == NULL ? n : (size_t)(quote - text) + 1;
        put(r, out, text, plain);
        if (quote != NULL)
            put(r, out, "\"", 1);
        text += plain;
        n -= plain;
    }
    put(r, out, "\"", 1);
}

int result_csv_put_error(struct buf *out, const char *text, size_t n)
{
    struct result_csv r = {.err = BB_OK};
    put(&r, out, "error\n", strlen("error\n"));
    put_field(&r, out, text, n);
    put(&r, out, "\n", 1);
    return r.err;
}

/* ---- the sink ---- */

static int sink_statement_begin(void *arg, size_t index)
{
    struct result_csv *r = arg;
    (void)index;
    r->begun = r->fresh = true;
    return r->err;
}

/** Within a tag a comma, blank or = has a backslash, as in a series key. */
static void put_tag_text(struct result_csv *r, struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == ',' || *text == ' ' || *text == '=')
            put(r, out, "\\", 1);
        put(r, out, text, 1);
    }
}

static void lay_out_prefix(struct result_csv *r, const struct bb_series *series)
{
    struct buf tags;
    buf_init(&tags, HEAD_MAX_BYTES, NULL);
    for (size_t i = 0; i < series->tag_count; i++) {
        if (series->tag_values[i][0] == '\0')
            continue; /* as InfluxDB */
        put(r, &tags, ",", tags.len > 0);
        put_tag_text(r, &tags, series->tag_keys[i]);
        put(r, &tags, "=", 1);
        put_tag_text(r, &tags, series->tag_values[i]);
    }
    const char *name = series->name == NULL ? "" : series->name;
    r->prefix.len = 0;
    put_field(r, &r->prefix, name, strlen(name));
    put(r, &r->prefix, ",", 1);
    put_field(r, &r->prefix, tags.data, tags.len);
    buf_fini(&tags);
}

static int sink_series(void *arg, const struct bb_series *series)
{
    struct result_csv *r = arg;
    struct buf columns;
    buf_init(&columns, HEAD_MAX_BYTES, NULL);
    for (size_t i = 0; i < series->column_count; i++) {
        put(r, &columns, ",", 1);
        put_field(r, &columns, series->columns[i], strlen(series->columns[i]));
    }
    bool same = columns.len == r->columns.len &&
                (columns.len == 0 || memcmp(columns.data, r->columns.data, columns.len) == 0);
    if (r->fresh || !same) {
        put(r, r->out, "\n", r->header);
        put(r, r->out, "name,tags", strlen("name,tags"));
        put(r, r->out, columns.data, columns.len);
        put(r, r->out, "\n", 1);
        r->header = true;
    }
    r->fresh = false;
    buf_fini(&r->columns);
    r->columns = columns;
    r->column_count = series->column_count;
    lay_out_prefix(r, series);
    return r->err;
}

/** The name of a column as it stands in the header. */
static void put_column_name(struct result_csv *r, size_t column)
{
    size_t from = 0, to = 0, commas = 0;
    bool quoted = false;
    for (; to < r->columns.len; to++) {
        char c = r->columns.data[to];
        quoted ^= c == '"';
        if (c == ',' && !quoted && commas++ == column)
            from = to + 1;
        else if (c == ',' && !quoted && commas > column + 1)
            break;
    }
    put(r, r->out, r->columns.data + from, to - from);
}

static void put_value(struct result_csv *r, const struct bb_value *value, size_t column)
{
    char text[NUMBER_PLAIN_MAX_BYTES];
    switch (value->kind) {
    case BB_VALUE_FLOAT:
        if (!isnan(value->v.f)) /* as InfluxDB, to which it is null */
            put(r, r->out, text, number_plain_double(text, value->v.f));
        break;
    case BB_VALUE_INT:
        put(r, r->out, text, number_i64(text, value->v.i));
        break;
    case BB_VALUE_UINT:
        put(r, r->out, text, number_u64(text, value->v.u));
        break;
    case BB_VALUE_BOOL:
        put(r, r->out, value->v.b ? "true" : "false", value->v.b ? 4 : 5);
        break;
    case BB_VALUE_STRING:
        put_field(r, r->out, value->v.str, value->length);
        break;
    case BB_VALUE_TIME:
        put(r, r->out, text, number_i64(text, value->v.time_ns / r->epoch_ns));
        break;
    case BB_VALUE_STRINGS: /* InfluxDB knows no such text, and leaves the header's there */
        put_column_name(r, column);
        break;
    case BB_VALUE_NULL:
    default:
        break;
    }
}

static int sink_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct result_csv *r = arg;
    for (size_t row = 0; row < row_count && r->err == BB_OK; row++) {
        put(r, r->out, r->prefix.data, r->prefix.len);
        for (size_t i = 0; i < r->column_count; i++) {
            put(r, r->out, ",", 1);
            put_value(r, &values[row * r->column_count + i], i);
        }
        put(r, r->out, "\n", 1);
        if (r->err == BB_OK && r->out->len >= r->flush_bytes)
            r->err = r->flush(r->flush_arg, r->out);
    }
    return r->err;
}

static int sink_statement_end(void *arg, const struct bb_error *err)
{
    struct result_csv *r = arg;
    if (err != NULL) {
        put(r, r->out, "\n", r->header);
        if (r->err == BB_OK)
            r->err = result_csv_put_error(r->out, err->text, strlen(err->text));
        r->header = true;
    }
    return r->err;
}

struct bb_sink result_csv_sink(struct result_csv *r)
{
    return (struct bb_sink){.arg = r,
                            .statement_begin = sink_statement_begin,
                            .series = sink_series,
                            .rows = sink_rows,
                            .statement_end = sink_statement_end};
}
