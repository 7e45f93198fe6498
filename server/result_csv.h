/**
 * The result of a query as InfluxDB 1.x writes it for "Accept: text/csv": a bb_sink.
 *
 *     name,tags,time,value
 *     reading,device_id=MTR-1,1710511200000000000,0.123
 *
 * A line of names stands before each statement and wherever the columns change, with an empty line
 * between; times are numbers, of nanoseconds unless the request has an epoch.
 */
#ifndef SERVER_RESULT_CSV_H
#define SERVER_RESULT_CSV_H

#include "server/buf.h"

struct result_csv {
    struct buf *out;
    size_t flush_bytes;
    int (*flush)(void *arg, struct buf *out);
    void *flush_arg;
    int64_t epoch_ns;
    struct buf prefix;  /* name and tags of the series, as they stand in each row */
    struct buf columns; /* names of the columns as they stand in the last header */
    size_t column_count;
    bool begun;  /* bb_query has come to a statement */
    bool fresh;  /* the statement has had no header yet */
    bool header; /* some header has been written */
    int err;     /* bb_code, or what flush returned */
};

void result_csv_init(struct result_csv *r, int64_t epoch_ns, struct buf *out, size_t flush_bytes,
                     int (*flush)(void *arg, struct buf *out), void *arg);
void result_csv_fini(struct result_csv *r);

/** Append an error, a line "error" and one with the text. Errors of buf_put. */
int result_csv_put_error(struct buf *out, const char *text, size_t n) BB_CHECKED;

/** The sink for bb_query; r must outlive it. */
struct bb_sink result_csv_sink(struct result_csv *r);

#endif
