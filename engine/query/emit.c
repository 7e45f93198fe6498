#include "engine/query/emit.h"

#include <string.h>

void bbi_emit_init(struct bbi_emit *e, struct bbi_qctx *ctx, bool quiet)
{
    *e = (struct bbi_emit){.ctx = ctx, .sink = quiet ? NULL : ctx->sink};
    bbi_arena_init(&e->strings, &ctx->acct);
}

void bbi_emit_fini(struct bbi_emit *e)
{
    bbi_mem_free(e->values);
    e->values = NULL;
    bbi_arena_fini(&e->strings);
}

static int refused(struct bb_error *err)
{
    return bbi_error_set(err, BB_ECANCELED, "query interrupted");
}

/* Times of a statement with tz() are shown by the clocks of its zone. */
static void tell_offsets(const struct bbi_zone *zone, struct bb_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i].kind == BB_VALUE_TIME) {
            int64_t t = values[i].v.time_ns;
            int64_t s = t / 1000000000 - (t % 1000000000 < 0);
            values[i].utc_offset_s = bbi_zone_offset(zone, s);
        }
    }
}

int bbi_emit_flush(struct bbi_emit *e, struct bb_error *err)
{
    size_t n = e->row_count;
    e->row_count = 0;
    if (n == 0) {
        return BB_OK;
    }
    e->ctx->stats.rows_returned += n;
    if (e->ctx->zone != NULL) {
        tell_offsets(e->ctx->zone, e->values, n * e->column_count);
    }
    if (e->sink != NULL && e->sink->rows(e->sink->arg, e->values, n) != 0) {
        return refused(err);
    }
    bbi_arena_reset(&e->strings);
    return bbi_qctx_check(e->ctx, err);
}

int bbi_emit_series(struct bbi_emit *e, const struct bb_series *series, struct bb_error *err)
{
    int rc = bbi_emit_flush(e, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (series->column_count != e->column_count || e->values == NULL) {
        bbi_mem_free(e->values);
        e->column_count = series->column_count;
        e->cap = BBI_EMIT_VALUES / (e->column_count + 1) + 1;
        e->cap = e->cap < BBI_EMIT_ROWS ? e->cap : BBI_EMIT_ROWS;
        e->values = bbi_mem_zalloc(&e->ctx->acct, e->cap * e->column_count, sizeof(e->values[0]));
        if (e->values == NULL) {
            return bbi_error_nomem(err, "rows of a result");
        }
    }
    struct bb_series told = *series;
    told.chunks = e->ctx->chunks;
    if (e->sink != NULL && e->sink->series(e->sink->arg, &told) != 0) {
        return refused(err);
    }
    return BB_OK;
}

int bbi_emit_columns(struct bbi_emit *e, const char *name, const char *const *columns,
                     size_t column_count, struct bb_error *err)
{
    struct bb_series series = {.name = name, .columns = columns, .column_count = column_count};
    return bbi_emit_series(e, &series, err);
}

int bbi_emit_row(struct bbi_emit *e, struct bb_value **row, struct bb_error *err)
{
    if (e->row_count == e->cap) {
        int rc = bbi_emit_flush(e, err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    *row = e->values + e->row_count++ * e->column_count;
    memset(*row, 0, e->column_count * sizeof(**row));
    return BB_OK;
}

int bbi_emit_string(struct bbi_emit *e, const char *str, size_t length, struct bb_value *out,
                    struct bb_error *err)
{
    const char *copy = bbi_arena_dup(&e->strings, str, length);
    if (copy == NULL) {
        return bbi_error_nomem(err, "rows of a result");
    }
    *out = bbi_value_string(copy, length);
    return BB_OK;
}

int bbi_emit_message(struct bbi_qctx *ctx, const char *text, struct bb_error *err)
{
    if (ctx->sink->message != NULL && ctx->sink->message(ctx->sink->arg, "warning", text) != 0) {
        return refused(err);
    }
    return BB_OK;
}

struct bb_value bbi_value_of_bits(enum bbi_type type, uint64_t bits)
{
    struct bb_value v = {.kind = BB_VALUE_NULL};
    switch (type) {
    case BBI_FLOAT:
        v.kind = BB_VALUE_FLOAT;
        memcpy(&v.v.f, &bits, sizeof(bits));
        break;
    case BBI_INT:
        v.kind = BB_VALUE_INT;
        v.v.i = (int64_t)bits;
        break;
    case BBI_UINT:
        v.kind = BB_VALUE_UINT;
        v.v.u = bits;
        break;
    case BBI_BOOL:
        v.kind = BB_VALUE_BOOL;
        v.v.b = bits != 0;
        break;
    case BBI_STRING:
        break;
    }
    return v;
}
