/* Any bytes as a BATCH record; what decodes must survive being encoded and decoded again. */
#include <stdlib.h>
#include <string.h>

#include "engine/wal/batchrec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void compare(const struct bbi_batch *a, const struct bbi_batch *b)
{
    expect(a->point_count == b->point_count && a->cell_count == b->cell_count);
    for (size_t i = 0; i < a->point_count; i++) {
        expect(memcmp(&a->points[i], &b->points[i], sizeof(a->points[i])) == 0);
    }
    for (size_t i = 0; i < a->cell_count; i++) {
        const struct bbi_cell *c = &a->cells[i];
        const struct bbi_cell *d = &b->cells[i];
        expect(c->field_id == d->field_id && c->type == d->type && c->length == d->length);
        expect(c->type == BBI_STRING ? c->length == 0 || memcmp(c->v.str, d->v.str, c->length) == 0
                                     : c->v.bits == d->v.bits);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bb_error err;
    struct bbi_cursor c;
    struct bbi_batchbuf first;
    struct bbi_batchbuf second;
    struct bbi_buf buf;
    bbi_batchbuf_init(&first, NULL);
    bbi_batchbuf_init(&second, NULL);
    bbi_buf_init(&buf, NULL, SIZE_MAX / 2);
    bbi_cursor_init(&c, data, size);
    if (bbi_batchrec_decode(&c, &first, &err) == BB_OK) {
        bbi_batchrec_encode(&buf, &first.batch);
        expect(buf.err == BB_OK);
        bbi_cursor_init(&c, buf.data, buf.len);
        expect(bbi_batchrec_decode(&c, &second, &err) == BB_OK);
        compare(&first.batch, &second.batch);
    }
    bbi_buf_fini(&buf);
    bbi_batchbuf_fini(&second);
    bbi_batchbuf_fini(&first);
    return 0;
}
