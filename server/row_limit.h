/**
 * max-row-limit: a bb_sink in front of another that lets so many rows through and then ends the
 * query, as InfluxDB does: a series that has more rows is marked, later series and statements are
 * left out, and none of it is an error.
 */
#ifndef SERVER_ROW_LIMIT_H
#define SERVER_ROW_LIMIT_H

#include <stdint.h>

#include "engine/busbar.h"

struct row_limit {
    struct bb_sink inner;
    uint64_t rows_left;
    size_t column_count;
    bool *truncated; /* set if the open series has more rows; may be NULL */
    bool full;       /* no more is taken: the query's error is of no interest */
};

/** inner: where rows go; rows_max: >= 1. */
void row_limit_init(struct row_limit *l, const struct bb_sink *inner, uint64_t rows_max,
                    bool *truncated);

/** The sink for bb_query; l must outlive it. */
struct bb_sink row_limit_sink(struct row_limit *l);

#endif
