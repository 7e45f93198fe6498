#include "server/result_msgpack.h"

#include <math.h>
#include <string.h>

#define HEAD_MAX_BYTES     ((size_t)16 << 20)
#define MESSAGES_MAX_BYTES ((size_t)64 << 10)

void result_msgpack_init(struct result_msgpack *r, int64_t epoch_ns, size_t chunk_rows,
                         struct buf *out, size_t flush_bytes,
                         int (*flush)(void *arg, struct buf *out), void *arg)
{
    *r = (struct result_msgpack){.flush_bytes = flush_bytes,
                                 .flush = flush,
                                 .flush_arg = arg,
                                 .epoch_ns = epoch_ns,
                                 .chunk_rows = chunk_rows};
    msgpack_init(&r->pack, out);
    buf_init(&r->head, HEAD_MAX_BYTES, NULL);
    buf_init(&r->messages, MESSAGES_MAX_BYTES, NULL);
}

void result_msgpack_fini(struct result_msgpack *r)
{
    buf_fini(&r->head);
    buf_fini(&r->messages);
}

/* ---- opening and closing, outside in ---- */

static void put_laid_out(struct result_msgpack *r, const struct buf *text)
{
    if (r->pack.err == BB_OK)
        r->pack.err = buf_put(r->pack.out, text->data, text->len);
}

static void open_document(struct result_msgpack *r)
{
    r->document_at = msgpack_open_map(&r->pack);
    msgpack_cstring(&r->pack, "results");
    r->results_at = msgpack_open_array(&r->pack);
    r->result_count = 0;
    r->document_open = true;
}

static void close_document(struct result_msgpack *r, const struct bb_error *err)
{
    struct msgpack *m = &r->pack;
    msgpack_set_array(m, r->results_at, r->result_count);
    msgpack_set_map(m, r->document_at, err == NULL ? 1 : 2);
    if (err != NULL) {
        msgpack_cstring(m, "error");
        msgpack_cstring(m, err->text);
    }
    r->document_open = false;
    if (m->err == BB_OK && r->chunk_rows > 0 && m->out->len >= r->flush_bytes)
        m->err = r->flush(r->flush_arg, m->out);
}

static void open_statement(struct result_msgpack *r)
{
    struct msgpack *m = &r->pack;
    if (!r->document_open)
        open_document(r);
    r->statement_at = msgpack_open_map(m);
    msgpack_cstring(m, "statement_id");
    msgpack_u64(m, r->statement);
    msgpack_cstring(m, "series");
    r->list_at = msgpack_open_array(m);
    r->series_count = 0;
    r->statement_open = true;
}

static void open_series(struct result_msgpack *r)
{
    struct msgpack *m = &r->pack;
    r->series_at = msgpack_open_map(m);
    put_laid_out(r, &r->head);
    msgpack_cstring(m, "values");
    r->values_at = msgpack_open_array(m);
    r->series_count++;
    r->rows = 0;
    r->series_open = true;
}

static void put_partial(struct msgpack *m)
{
    msgpack_cstring(m, "partial");
    msgpack_bool(m, true);
}

static void close_series(struct result_msgpack *r, bool partial)
{
    struct msgpack *m = &r->pack;
    if (!r->series_open)
        return;
    partial = partial || r->truncated;
    r->truncated = false;
    msgpack_set_array(m, r->values_at, r->rows);
    msgpack_set_map(m, r->series_at, r->head_members + 1 + partial);
    if (partial)
        put_partial(m);
    r->series_open = false;
}

/** As InfluxDB: the reason takes the place of the statement. */
static void put_failed(struct result_msgpack *r, const struct bb_error *err)
{
    if (r->pack.err == BB_OK)
        r->pack.out->len = r->statement_at;
    msgpack_map(&r->pack, 1);
    msgpack_cstring(&r->pack, "error");
    msgpack_cstring(&r->pack, err->text);
    r->series_open = false;
}

static void close_statement(struct result_msgpack *r, bool partial, const struct bb_error *err)
{
    struct msgpack *m = &r->pack;
    bool messages = !partial && r->message_count > 0;
    if (err != NULL) {
        put_failed(r, err);
    } else {
        close_series(r, false);
        msgpack_set_array(m, r->list_at, r->series_count);
        msgpack_set_map(m, r->statement_at, (size_t)2 + messages + partial);
        if (messages) {
            msgpack_cstring(m, "messages");
            msgpack_array(m, r->message_count);
            put_laid_out(r, &r->messages);
        }
        if (partial)
            put_partial(m);
    }
    r->result_count++;
    r->statement_open = false;
    if (r->chunk_rows > 0)
        close_document(r, NULL);
}

/* ---- the sink ---- */

static int sink_statement_begin(void *arg, size_t index)
{
    struct result_msgpack *r = arg;
    r->statement = index;
    r->begun = true;
    r->messages.len = r->message_count = 0;
    open_statement(r);
    return r->pack.err;
}

static void lay_out_head(struct result_msgpack *r, const struct bb_series *series)
{
    struct msgpack m;
    r->head.len = 0;
    r->head_members = 1;
    msgpack_init(&m, &r->head);
    if (series->name != NULL && series->name[0] != '\0') {
        msgpack_cstring(&m, "name");
        msgpack_cstring(&m, series->name);
        r->head_members++;
    }
    if (series->tag_count > 0) {
        msgpack_cstring(&m, "tags");
        msgpack_map(&m, series->tag_count);
        for (size_t i = 0; i < series->tag_count; i++) {
            msgpack_cstring(&m, series->tag_keys[i]);
            msgpack_cstring(&m, series->tag_values[i]);
        }
        r->head_members++;
    }
    msgpack_cstring(&m, "columns");
    msgpack_array(&m, series->column_count);
    for (size_t i = 0; i < series->column_count; i++)
        msgpack_cstring(&m, series->columns[i]);
    if (r->pack.err == BB_OK)
        r->pack.err = m.err;
}

static int sink_series(void *arg, const struct bb_series *series)
{
    struct result_msgpack *r = arg;
    bool again = r->series_open;
    close_series(r, false);
    if (again && r->chunk_rows > 0) {
        close_statement(r, true, NULL);
        open_statement(r);
    }
    lay_out_head(r, series);
    r->column_count = series->column_count;
    open_series(r);
    return r->pack.err;
}

static void put_value(struct result_msgpack *r, const struct bb_value *value)
{
    struct msgpack *m = &r->pack;
    switch (value->kind) {
    case BB_VALUE_FLOAT:
        if (isnan(value->v.f))
            msgpack_nil(m); /* as InfluxDB */
        else
            msgpack_double(m, value->v.f);
        break;
    case BB_VALUE_INT:
        msgpack_i64(m, value->v.i);
        break;
    case BB_VALUE_UINT:
        msgpack_u64(m, value->v.u);
        break;
    case BB_VALUE_BOOL:
        msgpack_bool(m, value->v.b);
        break;
    case BB_VALUE_STRING:
        msgpack_string(m, value->v.str, value->length);
        break;
    case BB_VALUE_TIME:
        if (r->epoch_ns > 0)
            msgpack_i64(m, value->v.time_ns / r->epoch_ns);
        else
            msgpack_time(m, value->v.time_ns);
        break;
    case BB_VALUE_STRINGS:
        msgpack_array(m, value->length);
        for (uint32_t i = 0; i < value->length; i++)
            msgpack_cstring(m, value->v.strings[i]);
        break;
    case BB_VALUE_NULL:
    default:
        msgpack_nil(m);
        break;
    }
}

static int sink_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct result_msgpack *r = arg;
    for (size_t row = 0; row < row_count && r->pack.err == BB_OK; row++) {
        if (r->chunk_rows > 0 && r->rows == r->chunk_rows) {
            close_series(r, true);
            close_statement(r, true, NULL);
            open_statement(r);
            open_series(r);
        }
        msgpack_array(&r->pack, r->column_count);
        for (size_t i = 0; i < r->column_count; i++)
            put_value(r, &values[row * r->column_count + i]);
        r->rows++;
    }
    return r->pack.err;
}

static int sink_message(void *arg, const char *level, const char *text)
{
    struct result_msgpack *r = arg;
    struct msgpack m;
    size_t before = r->messages.len;
    msgpack_init(&m, &r->messages);
    msgpack_map(&m, 2);
    msgpack_cstring(&m, "level");
    msgpack_cstring(&m, level);
    msgpack_cstring(&m, "text");
    msgpack_cstring(&m, text);
    if (m.err == BB_OK)
        r->message_count++;
    else
        r->messages.len = before; /* more messages than anybody reads: the first ones stay */
    return 0;
}

static int sink_statement_end(void *arg, const struct bb_error *err)
{
    struct result_msgpack *r = arg;
    close_statement(r, false, err);
    return r->pack.err;
}

struct bb_sink result_msgpack_sink(struct result_msgpack *r)
{
    return (struct bb_sink){.arg = r,
                            .statement_begin = sink_statement_begin,
                            .series = sink_series,
                            .rows = sink_rows,
                            .message = sink_message,
                            .statement_end = sink_statement_end};
}

int result_msgpack_finish(struct result_msgpack *r, const struct bb_error *err)
{
    if (r->statement_open) {
        close_statement(r, false, err);
        err = NULL;
    }
    if (!r->document_open && (!r->begun || err != NULL))
        open_document(r);
    if (r->document_open)
        close_document(r, err);
    return r->pack.err;
}
