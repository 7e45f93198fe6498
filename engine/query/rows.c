#include "engine/query/rows.h"

#include <string.h>

#include "engine/query/emit.h"

int bbi_row_buffer_init(struct bbi_row_buffer *b, const struct bbi_qscan *scan,
                        const uint8_t *types, struct bb_error *err)
{
    struct bbi_account *acct = &scan->ctx->acct;
    size_t n = scan->field_count;
    memset(b, 0, sizeof(*b));
    b->scan = scan;
    b->types = types;
    b->times = bbi_mem_alloc(acct, BBI_SEGMENT_CHUNK_ROWS * sizeof(b->times[0]));
    b->values = bbi_mem_zalloc(acct, n, sizeof(b->values[0]));
    b->valid = bbi_mem_zalloc(acct, n, sizeof(b->valid[0]));
    b->rows.vectors = bbi_mem_zalloc(acct, n, sizeof(b->rows.vectors[0]));
    bool ok = b->times != NULL && b->values != NULL && b->valid != NULL && b->rows.vectors != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        size_t size = types[i] == BBI_STRING ? sizeof(struct bbi_string) : sizeof(uint64_t);
        b->values[i] = bbi_mem_alloc(acct, BBI_SEGMENT_CHUNK_ROWS * size);
        b->valid[i] = bbi_mem_zalloc(acct, BBI_BITMAP_WORDS(BBI_SEGMENT_CHUNK_ROWS),
                                     sizeof(uint64_t));
        b->rows.vectors[i].type = types[i];
        ok = b->values[i] != NULL && b->valid[i] != NULL;
    }
    if (!ok) {
        bbi_row_buffer_fini(b);
        return bbi_error_nomem(err, "vectors");
    }
    return BB_OK;
}

void bbi_row_buffer_fini(struct bbi_row_buffer *b)
{
    if (b->scan == NULL) {
        return;
    }
    for (size_t i = 0; i < b->scan->field_count; i++) {
        if (b->values != NULL) {
            bbi_mem_free(b->values[i]);
        }
        if (b->valid != NULL) {
            bbi_mem_free(b->valid[i]);
        }
    }
    bbi_mem_free(b->times);
    bbi_mem_free(b->values);
    bbi_mem_free(b->valid);
    bbi_mem_free(b->rows.vectors);
    memset(b, 0, sizeof(*b));
}

static int decode_field(struct bbi_row_buffer *b, struct bbi_qscan_cursor *c, size_t field,
                        size_t from, size_t to, struct bb_error *err)
{
    struct bbi_vector *v = &b->rows.vectors[field];
    struct bbi_fieldpage *fp;
    size_t count = 0;
    v->present = false;
    int rc = bbi_qscan_cursor_page(c, field, &fp, err);
    if (rc != BB_OK || fp == NULL) {
        return rc;
    }
    enum bbi_presence presence = bbi_fieldpage_presence(fp, c->chunk);
    if (presence == BBI_PRESENT_NONE) {
        return BB_OK;
    }
    uint64_t *valid = presence == BBI_PRESENT_ALL ? NULL : b->valid[field];
    v->bits = NULL;
    v->strs = NULL;
    if (v->type == BBI_STRING) {
        rc = bbi_fieldpage_strings(fp, c->chunk, from, to, b->values[field], valid, &count, err);
        v->strs = b->values[field];
    } else {
        rc = bbi_fieldpage_values(fp, c->chunk, from, to, b->values[field], valid, &count, err);
        v->bits = b->values[field];
    }
    v->present = count > 0;
    v->valid = count == to - from ? NULL : valid;
    return rc;
}

int bbi_rows_decode(struct bbi_row_buffer *b, struct bbi_qscan_cursor *c, size_t from, size_t to,
                    struct bb_error *err)
{
    b->rows.count = to - from;
    b->rows.times = b->times;
    int rc = bbi_timepage_times(&c->time, c->chunk, from, to, b->times, err);
    for (size_t i = 0; rc == BB_OK && i < b->scan->field_count; i++) {
        rc = decode_field(b, c, i, from, to, err);
    }
    return rc;
}

void bbi_rows_present(struct bbi_row_buffer *b, const struct bbi_window *window)
{
    size_t k = 0;
    b->rows.count = window->rows;
    b->rows.times = window->times;
    for (size_t i = 0; i < b->scan->field_count; i++) {
        struct bbi_vector *v = &b->rows.vectors[i];
        while (k < window->column_count && window->columns[k].field_id < b->scan->fields[i]) {
            k++;
        }
        v->present = k < window->column_count && window->columns[k].field_id == b->scan->fields[i];
        if (v->present) {
            v->bits = window->columns[k].bits;
            v->strs = window->columns[k].strs;
            v->valid = window->columns[k].valid;
        }
    }
}

struct bb_value bbi_vector_get(const struct bbi_vector *v, size_t row)
{
    struct bb_value none = {.kind = BB_VALUE_NULL};
    if (!bbi_vector_has(v, row)) {
        return none;
    }
    if (v->type == BBI_STRING) {
        return bbi_value_string(v->strs[row].ptr, v->strs[row].len);
    }
    return bbi_value_of_bits(v->type, v->bits[row]);
}
