/**
 * Rows on their way to the sink: gathered into batches, counted.
 */
#ifndef BBI_QUERY_EMIT_H
#define BBI_QUERY_EMIT_H

#include "engine/query/context.h"

/** Rows handed to the sink at a time, and values, when a row has many. */
#define BBI_EMIT_ROWS   1024
#define BBI_EMIT_VALUES 65536

struct bbi_emit {
    struct bbi_qctx *ctx;
    const struct bb_sink *sink; /* NULL: rows are counted and dropped (EXPLAIN ANALYZE) */
    struct bb_value *values;    /* [cap * column_count] */
    size_t column_count;
    size_t row_count;
    size_t cap;               /* rows */
    struct bbi_arena strings; /* of bbi_emit_string, until the next flush */
};

/** Results go to the context's sink, or nowhere if `quiet`. */
void bbi_emit_init(struct bbi_emit *e, struct bbi_qctx *ctx, bool quiet);
void bbi_emit_fini(struct bbi_emit *e);

/** Begin a series; what was gathered for the one before is flushed. */
int bbi_emit_series(struct bbi_emit *e, const struct bb_series *series,
                    struct bb_error *err) BB_CHECKED;

/** Begin a series without tags. */
int bbi_emit_columns(struct bbi_emit *e, const char *name, const char *const *columns,
                     size_t column_count, struct bb_error *err) BB_CHECKED;

/**
 * Room for one more row: *row is [column_count] of BB_VALUE_NULL. Strings put there are borrowed
 * until the next flush, which this call may be.
 */
int bbi_emit_row(struct bbi_emit *e, struct bb_value **row, struct bb_error *err) BB_CHECKED;

/** A value of a row that is a string, copied. */
int bbi_emit_string(struct bbi_emit *e, const char *str, size_t length, struct bb_value *out,
                    struct bb_error *err) BB_CHECKED;

/** Hand over what is gathered. */
int bbi_emit_flush(struct bbi_emit *e, struct bb_error *err) BB_CHECKED;

/** A warning beside the result. */
int bbi_emit_message(struct bbi_qctx *ctx, const char *text, struct bb_error *err) BB_CHECKED;

static inline struct bb_value bbi_value_string(const void *str, size_t length)
{
    struct bb_value v = {.kind = BB_VALUE_STRING, .length = (uint32_t)length};
    v.v.str = str;
    return v;
}

static inline struct bb_value bbi_value_time(int64_t time_ns)
{
    struct bb_value v = {.kind = BB_VALUE_TIME};
    v.v.time_ns = time_ns;
    return v;
}

static inline struct bb_value bbi_value_int(int64_t i)
{
    struct bb_value v = {.kind = BB_VALUE_INT};
    v.v.i = i;
    return v;
}

static inline struct bb_value bbi_value_uint(uint64_t u)
{
    struct bb_value v = {.kind = BB_VALUE_UINT};
    v.v.u = u;
    return v;
}

static inline struct bb_value bbi_value_float(double f)
{
    struct bb_value v = {.kind = BB_VALUE_FLOAT};
    v.v.f = f;
    return v;
}

static inline struct bb_value bbi_value_bool(bool b)
{
    struct bb_value v = {.kind = BB_VALUE_BOOL};
    v.v.b = b;
    return v;
}

/** A stored value that is no string. */
struct bb_value bbi_value_of_bits(enum bbi_type type, uint64_t bits);

#endif
