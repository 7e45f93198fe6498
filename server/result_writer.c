#include "server/result_writer.h"

void result_writer_init(struct result_writer *w, enum accept_type type,
                        const struct result_format *format, struct buf *out, size_t flush_bytes,
                        int (*flush)(void *arg, struct buf *out), void *arg)
{
    w->type = type;
    switch (type) {
    case ACCEPT_APPLICATION_CSV:
    case ACCEPT_TEXT_CSV:
        result_csv_init(&w->csv, format->epoch_ns, out, flush_bytes, flush, arg);
        break;
    case ACCEPT_MSGPACK:
        result_msgpack_init(&w->msgpack, format->epoch_ns, format->chunk_rows, out, flush_bytes,
                            flush, arg);
        break;
    case ACCEPT_JSON:
    default:
        result_init(&w->json, format, out, flush_bytes, flush, arg);
        break;
    }
}

void result_writer_fini(struct result_writer *w)
{
    switch (w->type) {
    case ACCEPT_APPLICATION_CSV:
    case ACCEPT_TEXT_CSV:
        result_csv_fini(&w->csv);
        break;
    case ACCEPT_MSGPACK:
        result_msgpack_fini(&w->msgpack);
        break;
    case ACCEPT_JSON:
    default:
        result_fini(&w->json);
        break;
    }
}

struct bb_sink result_writer_sink(struct result_writer *w)
{
    switch (w->type) {
    case ACCEPT_APPLICATION_CSV:
    case ACCEPT_TEXT_CSV:
        return result_csv_sink(&w->csv);
    case ACCEPT_MSGPACK:
        return result_msgpack_sink(&w->msgpack);
    case ACCEPT_JSON:
    default:
        return result_sink(&w->json);
    }
}

bool *result_writer_truncated(struct result_writer *w)
{
    switch (w->type) {
    case ACCEPT_APPLICATION_CSV:
    case ACCEPT_TEXT_CSV:
        return NULL;
    case ACCEPT_MSGPACK:
        return &w->msgpack.truncated;
    case ACCEPT_JSON:
    default:
        return &w->json.truncated;
    }
}

bool result_writer_begun(const struct result_writer *w)
{
    switch (w->type) {
    case ACCEPT_APPLICATION_CSV:
    case ACCEPT_TEXT_CSV:
        return w->csv.begun;
    case ACCEPT_MSGPACK:
        return w->msgpack.begun;
    case ACCEPT_JSON:
    default:
        return w->json.begun;
    }
}

int result_writer_finish(struct result_writer *w, const struct bb_error *err)
{
    switch (w->type) {
    case ACCEPT_APPLICATION_CSV:
    case ACCEPT_TEXT_CSV:
        return w->csv.err != BB_OK || err == NULL ? w->csv.err : err->code;
    case ACCEPT_MSGPACK:
        return result_msgpack_finish(&w->msgpack, err);
    case ACCEPT_JSON:
    default:
        return result_finish(&w->json, err);
    }
}
