#include "server/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MIN_BYTES 256

bool budget_take(struct budget *budget, uint64_t bytes)
{
    if (budget == NULL)
        return true;
    uint64_t used = atomic_load_explicit(&budget->used_bytes, memory_order_relaxed);
    do {
        if (used > budget->limit_bytes || bytes > budget->limit_bytes - used)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->used_bytes, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void budget_give(struct budget *budget, uint64_t bytes)
{
    if (budget != NULL)
        atomic_fetch_sub_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
}

void buf_init(struct buf *b, size_t max, struct budget *budget)
{
    *b = (struct buf){.max = max, .budget = budget};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    budget_give(b->budget, b->cap);
    buf_init(b, b->max, b->budget);
}

int buf_reserve(struct buf *b, size_t more)
{
    if (more <= b->cap - b->len)
        return BB_OK;
    if (more > b->max - b->len)
        return BB_ELIMIT;
    size_t cap = b->cap < BUF_MIN_BYTES ? BUF_MIN_BYTES : b->cap;
    while (cap - b->len < more)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    if (cap > b->max)
        cap = b->max;
    if (!budget_take(b->budget, cap - b->cap))
        return BB_EBUSY;
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        budget_give(b->budget, cap - b->cap);
        return BB_ENOMEM;
    }
    b->data = data;
    b->cap = cap;
    return BB_OK;
}

int buf_put(struct buf *b, const void *data, size_t n)
{
    int rc = buf_reserve(b, n);
    if (rc == BB_OK && n > 0) {
        memcpy(b->data + b->len, data, n);
        b->len += n;
    }
    return rc;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return BB_EINVAL;
    int rc = buf_reserve(b, (size_t)n + 1);
    if (rc != BB_OK)
        return rc;
    va_start(args, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
    va_end(args);
    b->len += (size_t)n;
    return BB_OK;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n > 0 && n < b->len)
        memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

void buf_swap(struct buf *a, struct buf *b)
{
    struct buf old = *a;
    *a = *b;
    *b = old;
    size_t max = a->max;
    a->max = b->max;
    b->max = max;
}
