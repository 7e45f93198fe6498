/**
 * A bounds-checked reader of bytes from disk or network.
 *
 * Reading past the end, or a varint that is none, sets `err` for good and yields 0 or NULL; decode
 * straight on and check once with bbi_cursor_check.
 */
#ifndef BBI_BASE_CURSOR_H
#define BBI_BASE_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"

struct bbi_cursor {
    const uint8_t *p;
    const uint8_t *end;
    int err; /* BB_OK or BB_ECORRUPT */
};

static inline void bbi_cursor_init(struct bbi_cursor *c, const void *p, size_t len)
{
    c->p = p;
    c->end = len == 0 ? c->p : c->p + len;
    c->err = BB_OK;
}

static inline size_t bbi_cursor_left(const struct bbi_cursor *c)
{
    return (size_t)(c->end - c->p);
}

/** The next n bytes, in place; NULL when there are not so many. n may be 0. */
static inline const uint8_t *bbi_cursor_bytes(struct bbi_cursor *c, size_t n)
{
    if (c->err != BB_OK || n > bbi_cursor_left(c)) {
        c->err = BB_ECORRUPT;
        return NULL;
    }
    const uint8_t *at = c->p;
    c->p = n == 0 ? at : at + n;
    return at;
}

static inline uint8_t bbi_cursor_u8(struct bbi_cursor *c)
{
    const uint8_t *at = bbi_cursor_bytes(c, 1);
    return at == NULL ? 0 : *at;
}

static inline uint16_t bbi_cursor_u16(struct bbi_cursor *c)
{
    const uint8_t *at = bbi_cursor_bytes(c, 2);
    return at == NULL ? 0 : bbi_get_u16(at);
}

static inline uint32_t bbi_cursor_u32(struct bbi_cursor *c)
{
    const uint8_t *at = bbi_cursor_bytes(c, 4);
    return at == NULL ? 0 : bbi_get_u32(at);
}

static inline uint64_t bbi_cursor_u64(struct bbi_cursor *c)
{
    const uint8_t *at = bbi_cursor_bytes(c, 8);
    return at == NULL ? 0 : bbi_get_u64(at);
}

static inline uint64_t bbi_cursor_varint(struct bbi_cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = bbi_cursor_u8(c);
        if (shift == 63 && byte > 1) {
            break;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return c->err == BB_OK ? v : 0;
        }
    }
    c->err = BB_ECORRUPT;
    return 0;
}

static inline int64_t bbi_cursor_zigzag(struct bbi_cursor *c)
{
    return bbi_unzigzag(bbi_cursor_varint(c));
}

/** varint length, then the bytes, in place. */
static inline const uint8_t *bbi_cursor_block(struct bbi_cursor *c, size_t *len)
{
    uint64_t n = bbi_cursor_varint(c);
    *len = 0;
    if (n > bbi_cursor_left(c)) {
        c->err = BB_ECORRUPT;
        return NULL;
    }
    *len = (size_t)n;
    return bbi_cursor_bytes(c, (size_t)n);
}

/** BB_OK, or *err says that `what` ends early or is malformed. */
static inline int bbi_cursor_check(const struct bbi_cursor *c, const char *what,
                                   struct bb_error *err)
{
    if (c->err == BB_OK) {
        return BB_OK;
    }
    return bbi_error_set(err, BB_ECORRUPT, "%s: truncated or malformed", what);
}

#endif
