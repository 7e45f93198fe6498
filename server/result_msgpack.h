/**
 * The result of a query as InfluxDB 1.x writes it for "Accept: application/x-msgpack": a bb_sink.
 *
 * The document is that of the JSON reply (result.h) but for these: a statement always has "series",
 * a series always "values"; times are extension type 5 unless the request has an epoch; a statement
 * that failed is {"error": text} alone.
 *
 * Counts stand before what they count, so a document is laid out whole before it is handed on: all
 * of a result that is not chunked. What does not fit the buffer ends the query with BB_ELIMIT.
 */
#ifndef SERVER_RESULT_MSGPACK_H
#define SERVER_RESULT_MSGPACK_H

#include "server/msgpack.h"

struct result_msgpack {
    struct msgpack pack;
    size_t flush_bytes;
    int (*flush)(void *arg, struct buf *out);
    void *flush_arg;
    int64_t epoch_ns;  /* what one unit of a time is; 0: extension type 5 */
    size_t chunk_rows; /* 0: one document */

    struct buf head;     /* members of the open series up to its values, laid out */
    struct buf messages; /* of the statement, laid out one behind the other */
    size_t head_members, message_count;
    size_t column_count, statement;
    /* Where the heads of what is open stand in the buffer, and what they will count. */
    size_t document_at, results_at, statement_at, list_at, series_at, values_at;
    size_t result_count, series_count, rows;
    bool truncated; /* the open series has more rows than there is place for */
    bool begun, document_open, statement_open, series_open;
};

void result_msgpack_init(struct result_msgpack *r, int64_t epoch_ns, size_t chunk_rows,
                         struct buf *out, size_t flush_bytes,
                         int (*flush)(void *arg, struct buf *out), void *arg);
void result_msgpack_fini(struct result_msgpack *r);

/** The sink for bb_query; r must outlive it. */
struct bb_sink result_msgpack_sink(struct result_msgpack *r);

/**
 * End the text. err: why the query as a whole stopped after its text had begun, or NULL.
 * Returns BB_OK or the first error of the text.
 */
int result_msgpack_finish(struct result_msgpack *r, const struct bb_error *err);

#endif
