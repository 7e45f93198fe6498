/**
 * The rows of a SELECT: the streams of its calls joined by time, columns computed.
 *
 * Each call is a stream that counts its own points towards LIMIT; a row joins the points that the
 * streams have for one group and time. A SELECT without calls has one stream, of its fields.
 */
#ifndef BBI_QUERY_ROWSET_H
#define BBI_QUERY_ROWSET_H

#include "engine/query/stream.h"

struct bbi_scanner {
    struct bbi_stream *stream;
    size_t slot; /* of its value; SIZE_MAX: it has none, the names alone count */
    struct bbi_stream_point point;
    bool any;  /* the point is there */
    bool used; /* and was taken: the stream has to be asked again */
};

struct bbi_rowset {
    struct bbi_flow flow;
    struct bbi_scanner *scanners; /* [scanner_count] */
    size_t scanner_count;
    struct bb_value *slots; /* [calls, then names] */
    struct bbi_buf *kept;   /* [slots] strings that fill(previous) may come back to; NULL: it does
                               not */
    struct bb_value *stack;
    bool begun;
    /* the row */
    struct bbi_group group;
    int64_t time;
    struct bb_value *values; /* [plan->output_count] borrowed until the next row */
};

/** Begin. Needs bbi_rowset_close afterwards, also on an error. */
int bbi_rowset_open(struct bbi_rowset *r, const struct bbi_flow *flow,
                    struct bb_error *err) BB_CHECKED;
void bbi_rowset_close(struct bbi_rowset *r);

/** The next row; false in *any: there is none. *new_group: it begins one. */
int bbi_rowset_next(struct bbi_rowset *r, bool *any, bool *new_group,
                    struct bb_error *err) BB_CHECKED;

/** Whether bbi_rowset_skip may be called: groups do not interleave, and all streams can skip. */
bool bbi_rowset_skips(const struct bbi_rowset *r);

/** The rows that are left of the last row's group are not wanted. */
void bbi_rowset_skip(struct bbi_rowset *r);

/** The flow of a plan as a query of its own. */
struct bbi_flow bbi_flow_of(const struct bbi_plan *plan);

#endif
