#include "server/result.h"

#include <string.h>

#include "server/number.h"

#define HEAD_MAX_BYTES     ((size_t)16 << 20)
#define MESSAGES_MAX_BYTES ((size_t)64 << 10)

void result_init(struct result *r, const struct result_format *format, struct buf *out,
                 size_t flush_bytes, int (*flush)(void *arg, struct buf *out), void *arg)
{
    memset(r, 0, sizeof(*r));
    r->format = *format;
    jsonw_init(&r->json, out, format->pretty);
    jsonw_set_flush(&r->json, flush_bytes, flush, arg);
    buf_init(&r->head, HEAD_MAX_BYTES, NULL);
    buf_init(&r->messages, MESSAGES_MAX_BYTES, NULL);
}

void result_fini(struct result *r)
{
    buf_fini(&r->head);
    buf_fini(&r->messages);
}

/* ---- opening and closing, outside in ---- */

static void open_statement(struct result *r)
{
    struct json *j = &r->json;
    if (!r->document_open) {
        jsonw_object_begin(j);
        jsonw_key(j, "results");
        jsonw_array_begin(j);
        r->document_open = true;
    }
    jsonw_object_begin(j);
    jsonw_key(j, "statement_id");
    jsonw_u64(j, r->statement);
    r->statement_open = true;
}

static void open_series(struct result *r)
{
    struct json *j = &r->json;
    if (!r->list_open) {
        jsonw_key(j, "series");
        jsonw_array_begin(j);
        r->list_open = true;
    }
    jsonw_object_begin(j);
    jsonw_raw_members(j, r->head.data, r->head.len);
    r->series_open = true;
    r->rows = 0;
}

static void close_series(struct result *r, bool partial)
{
    struct json *j = &r->json;
    if (!r->series_open)
        return;
    if (r->values_open)
        jsonw_array_end(j);
    if (partial || r->truncated) {
        jsonw_key(j, "partial");
        jsonw_bool(j, true);
    }
    r->truncated = false;
    jsonw_object_end(j);
    r->series_open = r->values_open = false;
}

static void close_document(struct result *r)
{
    jsonw_array_end(&r->json);
    jsonw_object_end(&r->json);
    jsonw_newline(&r->json);
    r->document_open = false;
}

/** more: this document is not its last; partial: and says so. */
static void close_statement(struct result *r, bool more, bool partial, const struct bb_error *err)
{
    struct json *j = &r->json;
    close_series(r, false);
    if (r->list_open)
        jsonw_array_end(j);
    r->list_open = false;
    if (!more && r->messages.len > 0) {
        jsonw_key(j, "messages");
        jsonw_array_begin(j);
        jsonw_raw_members(j, r->messages.data, r->messages.len);
        jsonw_array_end(j);
    }
    if (partial) {
        jsonw_key(j, "partial");
        jsonw_bool(j, true);
    }
    if (err != NULL) {
        jsonw_key(j, "error");
        jsonw_cstring(j, err->text);
    }
    jsonw_object_end(j);
    r->statement_open = false;
    if (r->format.chunk_rows > 0)
        close_document(r);
}

/* ---- the sink ---- */

/** A writer of members that will stand `depth` deep in the text. */
static void start_members(struct result *r, struct json *members, struct buf *out, unsigned depth)
{
    out->len = 0;
    jsonw_init(members, out, r->format.pretty);
    members->depth = depth;
}

static int sink_statement_begin(void *arg, size_t index)
{
    struct result *r = arg;
    r->statement = index;
    r->begun = true;
    open_statement(r);
    /* Each message is an element of an array in the statement. */
    start_members(r, &r->messages_json, &r->messages, r->json.depth + 1);
    return r->json.err;
}

static void lay_out_head(struct result *r, const struct bb_series *series)
{
    struct json *j = &r->head_json;
    start_members(r, j, &r->head, r->json.depth + (r->list_open ? 1 : 2));
    if (series->name != NULL && series->name[0] != '\0') {
        jsonw_key(j, "name");
        jsonw_cstring(j, series->name);
    }
    if (series->tag_count > 0) {
        jsonw_key(j, "tags");
        jsonw_object_begin(j);
        for (size_t i = 0; i < series->tag_count; i++) {
            /* A tag's key is the user's: it is written as a string, then made a key. */
            jsonw_cstring(j, series->tag_keys[i]);
            if (j->err == 0)
                j->err = buf_put(j->out, ": ", j->pretty ? 2 : 1);
            j->after_key = true;
            jsonw_cstring(j, series->tag_values[i]);
        }
        jsonw_object_end(j);
    }
    if (series->column_count > 0) {
        jsonw_key(j, "columns");
        jsonw_array_begin(j);
        for (size_t i = 0; i < series->column_count; i++)
            jsonw_cstring(j, series->columns[i]);
        jsonw_array_end(j);
    }
}

static int sink_series(void *arg, const struct bb_series *series)
{
    struct result *r = arg;
    bool again = r->series_open;
    close_series(r, false);
    if (again && r->format.chunk_rows > 0 && series->chunks != BB_CHUNKS_NONE) {
        close_statement(r, true, series->chunks == BB_CHUNKS_ROWS, NULL);
        open_statement(r);
    }
    lay_out_head(r, series);
    if (r->head_json.err != 0)
        return r->json.err = r->head_json.err;
    r->column_count = series->column_count;
    r->chunks = series->chunks;
    open_series(r);
    return r->json.err;
}

static void put_time(struct result *r, int64_t time_ns, int32_t utc_offset_s)
{
    char text[NUMBER_MAX_BYTES];
    if (r->format.epoch_ns > 0)
        jsonw_i64(&r->json, time_ns / r->format.epoch_ns);
    else
        jsonw_plain_string(&r->json, text, number_time_at(text, time_ns, utc_offset_s));
}

static void put_value(struct result *r, const struct bb_value *value)
{
    struct json *j = &r->json;
    switch (value->kind) {
    case BB_VALUE_FLOAT:
        jsonw_double(j, value->v.f);
        break;
    case BB_VALUE_INT:
        jsonw_i64(j, value->v.i);
        break;
    case BB_VALUE_UINT:
        jsonw_u64(j, value->v.u);
        break;
    case BB_VALUE_BOOL:
        jsonw_bool(j, value->v.b);
        break;
    case BB_VALUE_STRING:
        jsonw_string(j, value->v.str, value->length);
        break;
    case BB_VALUE_TIME:
        put_time(r, value->v.time_ns, value->utc_offset_s);
        break;
    case BB_VALUE_STRINGS:
        jsonw_array_begin(j);
        for (uint32_t i = 0; i < value->length; i++)
            jsonw_cstring(j, value->v.strings[i]);
        jsonw_array_end(j);
        break;
    case BB_VALUE_NULL:
    default:
        jsonw_null(j);
        break;
    }
}

static int sink_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct result *r = arg;
    struct json *j = &r->json;
    for (size_t row = 0; row < row_count && j->err == 0; row++) {
        if (r->chunks == BB_CHUNKS_ROWS && r->format.chunk_rows > 0 &&
            r->rows == r->format.chunk_rows) {
            close_series(r, true);
            close_statement(r, true, true, NULL);
            open_statement(r);
            open_series(r);
        }
        if (!r->values_open) {
            jsonw_key(j, "values");
            jsonw_array_begin(j);
            r->values_open = true;
        }
        jsonw_array_begin(j);
        for (size_t i = 0; i < r->column_count; i++)
            put_value(r, &values[row * r->column_count + i]);
        jsonw_array_end(j);
        r->rows++;
    }
    return j->err;
}

static int sink_message(void *arg, const char *level, const char *text)
{
    struct result *r = arg;
    struct json *j = &r->messages_json;
    size_t before = r->messages.len;
    jsonw_object_begin(j);
    jsonw_key(j, "level");
    jsonw_cstring(j, level);
    jsonw_key(j, "text");
    jsonw_cstring(j, text);
    jsonw_object_end(j);
    if (j->err != 0)
        r->messages.len = before; /* more messages than anybody reads: the first ones stay */
    return 0;
}

static int sink_statement_end(void *arg, const struct bb_error *err)
{
    struct result *r = arg;
    close_statement(r, false, false, err);
    return r->json.err;
}

struct bb_sink result_sink(struct result *r)
{
    return (struct bb_sink){.arg = r,
                            .statement_begin = sink_statement_begin,
                            .series = sink_series,
                            .rows = sink_rows,
                            .message = sink_message,
                            .statement_end = sink_statement_end};
}

int result_finish(struct result *r, const struct bb_error *err)
{
    struct json *j = &r->json;
    if (r->statement_open)
        close_statement(r, false, false, err);
    else if (err != NULL && r->format.chunk_rows == 0 && r->document_open) {
        jsonw_array_end(j);
        jsonw_key(j, "error");
        jsonw_cstring(j, err->text);
        jsonw_object_end(j);
        jsonw_newline(j);
        r->document_open = false;
    }
    if (r->document_open)
        close_document(r);
    if (!r->begun) {
        jsonw_object_begin(j);
        jsonw_object_end(j);
        jsonw_newline(j);
    }
    return j->err;
}
