#include "server/row_limit.h"

/* What tells bb_query to stop. */
#define STOP 1

void row_limit_init(struct row_limit *l, const struct bb_sink *inner, uint64_t rows_max,
                    bool *truncated)
{
    *l = (struct row_limit){.inner = *inner, .rows_left = rows_max, .truncated = truncated};
}

static int on_begin(void *arg, size_t index)
{
    struct row_limit *l = arg;
    return l->full ? STOP : l->inner.statement_begin(l->inner.arg, index);
}

static int on_series(void *arg, const struct bb_series *series)
{
    struct row_limit *l = arg;
    if (l->rows_left == 0) {
        l->full = true;
        return STOP;
    }
    l->column_count = series->column_count;
    return l->inner.series(l->inner.arg, series);
}

static int on_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct row_limit *l = arg;
    size_t count = row_count < l->rows_left ? row_count : (size_t)l->rows_left;
    int rc = count > 0 ? l->inner.rows(l->inner.arg, values, count) : 0;
    l->rows_left -= count;
    if (rc != 0 || count == row_count)
        return rc;
    if (l->truncated != NULL)
        *l->truncated = true;
    l->full = true;
    return STOP;
}

static int on_message(void *arg, const char *level, const char *text)
{
    struct row_limit *l = arg;
    return l->inner.message(l->inner.arg, level, text);
}

/* The statement in which the limit was reached is the last one. */
static int on_end(void *arg, const struct bb_error *err)
{
    struct row_limit *l = arg;
    int rc = l->inner.statement_end(l->inner.arg, l->full ? NULL : err);
    l->full = l->full || l->rows_left == 0;
    return rc;
}

struct bb_sink row_limit_sink(struct row_limit *l)
{
    return (struct bb_sink){.arg = l,
                            .statement_begin = on_begin,
                            .series = on_series,
                            .rows = on_rows,
                            .message = on_message,
                            .statement_end = on_end};
}
