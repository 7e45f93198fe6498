#include "engine/base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#define CAP_MIN 256

void bbi_buf_init(struct bbi_buf *b, struct bbi_account *acct, size_t max_bytes)
{
    *b = (struct bbi_buf){.acct = acct, .max = max_bytes};
}

void bbi_buf_fini(struct bbi_buf *b)
{
    bbi_mem_free(b->data);
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
}

void bbi_buf_reset(struct bbi_buf *b)
{
    b->len = 0;
    b->err = BB_OK;
}

uint8_t *bbi_buf_grow(struct bbi_buf *b, size_t n)
{
    if (b->err != BB_OK) {
        return NULL;
    }
    if (n > b->max - b->len) {
        b->err = BB_ELIMIT;
        return NULL;
    }
    size_t need = b->len + n;
    if (need <= b->cap && b->data != NULL) {
        return b->data + b->len;
    }
    size_t cap = b->cap > b->max / 2 ? b->max : b->cap * 2;
    cap = cap < CAP_MIN ? CAP_MIN : cap;
    cap = cap > b->max ? b->max : cap;
    cap = cap < need ? need : cap;
    uint8_t *data = bbi_mem_realloc(b->acct, b->data, cap);
    if (data == NULL) {
        b->err = BB_ENOMEM;
        return NULL;
    }
    b->data = data;
    b->cap = cap;
    return data + b->len;
}

void bbi_buf_put(struct bbi_buf *b, const void *p, size_t n)
{
    if (n == 0) {
        return;
    }
    uint8_t *at = bbi_buf_reserve(b, n);
    if (at != NULL) {
        memcpy(at, p, n);
        b->len += n;
    }
}

void bbi_buf_str(struct bbi_buf *b, const char *s)
{
    bbi_buf_put(b, s, strlen(s));
}

void bbi_buf_u8(struct bbi_buf *b, uint8_t v)
{
    bbi_buf_put(b, &v, sizeof(v));
}

void bbi_buf_u16(struct bbi_buf *b, uint16_t v)
{
    bbi_buf_put(b, &v, sizeof(v));
}

void bbi_buf_u32(struct bbi_buf *b, uint32_t v)
{
    bbi_buf_put(b, &v, sizeof(v));
}

void bbi_buf_u64(struct bbi_buf *b, uint64_t v)
{
    bbi_buf_put(b, &v, sizeof(v));
}

void bbi_buf_varint(struct bbi_buf *b, uint64_t v)
{
    uint8_t tmp[BBI_VARINT_MAX];
    bbi_buf_put(b, tmp, (size_t)(bbi_put_varint(tmp, v) - tmp));
}

void bbi_buf_zigzag(struct bbi_buf *b, int64_t v)
{
    bbi_buf_varint(b, bbi_zigzag(v));
}

void bbi_buf_block(struct bbi_buf *b, const void *p, size_t n)
{
    bbi_buf_varint(b, n);
    bbi_buf_put(b, p, n);
}

void bbi_buf_zero(struct bbi_buf *b, size_t n)
{
    uint8_t *at = n == 0 ? NULL : bbi_buf_reserve(b, n);
    if (at != NULL) {
        memset(at, 0, n);
        b->len += n;
    }
}

void bbi_buf_printf(struct bbi_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->err = b->err == BB_OK ? BB_EINTERNAL : b->err;
        return;
    }
    char *at = (char *)bbi_buf_reserve(b, (size_t)n + 1);
    if (at == NULL) {
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(at, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

int bbi_buf_check(const struct bbi_buf *b, const char *what, struct bb_error *err)
{
    if (b->err == BB_OK) {
        return BB_OK;
    }
    return bbi_error_set(err, b->err, "%s: %s", what, bb_code_text(b->err));
}
