/**
 * A growable byte buffer with a maximum, for building frames, pages and replies.
 *
 * The first failure (no memory, over the maximum) sticks in `err`; later puts do nothing. Check it
 * once at the end. Thread  one owner at a time.
 */
#ifndef BBI_BASE_BUF_H
#define BBI_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

struct bbi_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
    struct bbi_account *acct;
    int err; /* BB_OK, BB_ENOMEM or BB_ELIMIT */
};

void bbi_buf_init(struct bbi_buf *b, struct bbi_account *acct, size_t max_bytes);
void bbi_buf_fini(struct bbi_buf *b);

/** Empty it and forget its error; keeps the memory. */
void bbi_buf_reset(struct bbi_buf *b);

/** Room for n more bytes at the returned place; the caller writes them, then adds to len. NULL: err
 * is set. */
uint8_t *bbi_buf_grow(struct bbi_buf *b, size_t n);

static inline uint8_t *bbi_buf_reserve(struct bbi_buf *b, size_t n)
{
    if (b->err == BB_OK && n <= b->cap - b->len) {
        return b->data + b->len;
    }
    return bbi_buf_grow(b, n);
}

void bbi_buf_put(struct bbi_buf *b, const void *p, size_t n);
void bbi_buf_str(struct bbi_buf *b, const char *s);
void bbi_buf_u8(struct bbi_buf *b, uint8_t v);
void bbi_buf_u16(struct bbi_buf *b, uint16_t v);
void bbi_buf_u32(struct bbi_buf *b, uint32_t v);
void bbi_buf_u64(struct bbi_buf *b, uint64_t v);
void bbi_buf_varint(struct bbi_buf *b, uint64_t v);
void bbi_buf_zigzag(struct bbi_buf *b, int64_t v);
/** varint length, then the bytes */
void bbi_buf_block(struct bbi_buf *b, const void *p, size_t n);
void bbi_buf_zero(struct bbi_buf *b, size_t n);
void bbi_buf_printf(struct bbi_buf *b, const char *fmt, ...) BB_PRINTF(2, 3);

/** The sticky error as a result: BB_OK, or *err names `what`. */
int bbi_buf_check(const struct bbi_buf *b, const char *what, struct bb_error *err);

#endif
