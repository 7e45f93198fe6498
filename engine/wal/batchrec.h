/**
 * The body of a BATCH record: the rows of one batch, about 9 bytes and the values' own for a row of
 * a regular feed (9 in all for one float).
 *
 * Rows keep their order. What a row shares with its predecessor (series + 1, same time or same
 * step, same fields) costs bits of one byte; a list of fields is written once per batch.
 *
 * Source  docs/format/wal.md, "BATCH"
 */
#ifndef BBI_WAL_BATCHREC_H
#define BBI_WAL_BATCHREC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/batch.h"
#include "engine/base/buf.h"
#include "engine/base/cursor.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

/** Append the body to out; its sticky error tells. Every point has at least one cell, and the cells
 * of the points stand in batch->cells in the points' order, without gaps. */
void bbi_batchrec_encode(struct bbi_buf *out, const struct bbi_batch *batch);

/** Arrays that decoded batches live in, reused from one to the next. */
struct bbi_batchbuf {
    struct bbi_batch batch; /* the last one decoded; strings borrow the body */
    size_t point_cap;
    size_t cell_cap;
    uint32_t *shapes; /* first point of each list of fields */
    size_t shape_cap;
    struct bbi_account *acct;
};

void bbi_batchbuf_init(struct bbi_batchbuf *b, struct bbi_account *acct);
void bbi_batchbuf_fini(struct bbi_batchbuf *b);

/**
 * Decode a body that takes all of c into b->batch.
 *
 * Returns BB_OK; BB_ECORRUPT, BB_EVERSION, BB_ENOMEM (b->batch is empty). Memory is bounded by a
 * constant times the body's length, whatever the body says.
 */
int bbi_batchrec_decode(struct bbi_cursor *c, struct bbi_batchbuf *b,
                        struct bb_error *err) BB_CHECKED;

#endif
