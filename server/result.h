/**
 * The result of a query as InfluxDB 1.x writes it in JSON: a bb_sink that lays out what it is given
 * and hands the text on in pieces.
 *
 *     {"results":[{"statement_id":0,"series":[{"name":"reading","tags":{"device_id":"MTR-1"},
 *       "columns":["time","value"],"values":[["2024-03-15T12:00:00Z",0.123]]}]}]}
 *
 * In chunked form each document holds at most chunk_rows rows of one series of one statement; a
 * series or statement that goes on in the next document says "partial": true. What SHOW answers may
 * be divided otherwise (enum bb_chunks).
 */
#ifndef SERVER_RESULT_H
#define SERVER_RESULT_H

#include "server/json.h"

struct result_format {
    int64_t epoch_ns;  /* what one unit of a time is; 0: RFC 3339 */
    size_t chunk_rows; /* 0: one document */
    bool pretty;
};

struct result {
    struct json json;
    struct result_format format;
    struct buf head;     /* members of the open series up to its columns, laid out */
    struct buf messages; /* members of the statement's messages, laid out */
    struct json head_json;
    struct json messages_json;
    size_t column_count;
    size_t statement;
    enum bb_chunks chunks;
    size_t rows;    /* in this document and series */
    bool truncated; /* the open series has more rows than there is place for */
    bool begun, document_open, statement_open, list_open, series_open, values_open;
};

/** Write into out, which flush empties (see jsonw_set_flush). */
void result_init(struct result *r, const struct result_format *format, struct buf *out,
                 size_t flush_bytes, int (*flush)(void *arg, struct buf *out), void *arg);
void result_fini(struct result *r);

/** The sink for bb_query; r must outlive it. */
struct bb_sink result_sink(struct result *r);

/**
 * End the text. err: why the query as a whole stopped after its text had begun, or NULL.
 * Returns BB_OK or the first error of the text, after which it is cut off.
 */
int result_finish(struct result *r, const struct bb_error *err);

#endif
