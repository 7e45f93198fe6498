/**
 * Bounded growing buffers, charged to a budget that many of them share.
 *
 * Whatever a client can make the server hold (bodies, heads, batches, replies) lies in a buf with a
 * maximum of its own and, where clients are many, a budget for all. A buf that fails to grow keeps
 * what it has.
 */
#ifndef SERVER_BUF_H
#define SERVER_BUF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/busbar.h"

/** Bytes that all buffers of one purpose may hold together. Thread-safe. */
struct budget {
    uint64_t limit_bytes;
    _Atomic uint64_t used_bytes;
};

bool budget_take(struct budget *budget, uint64_t bytes) BB_CHECKED;
void budget_give(struct budget *budget, uint64_t bytes);

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    struct budget *budget; /* NULL: none */
};

/** An empty buffer of at most max bytes; budget may be NULL and must outlive it. */
void buf_init(struct buf *b, size_t max, struct budget *budget);
void buf_fini(struct buf *b);

/**
 * Room for `more` bytes behind len.
 *
 * Returns BB_OK; BB_ELIMIT beyond max; BB_EBUSY the budget is used up; BB_ENOMEM.
 */
int buf_reserve(struct buf *b, size_t more) BB_CHECKED;

/** Append; errors as buf_reserve, nothing appended then. */
int buf_put(struct buf *b, const void *data, size_t n) BB_CHECKED;
int buf_printf(struct buf *b, const char *fmt, ...) BB_PRINTF(2, 3) BB_CHECKED;

/** Drop the first n bytes. */
void buf_consume(struct buf *b, size_t n);

/** Exchange the memory of two buffers of the same budget; their maxima stay. */
void buf_swap(struct buf *a, struct buf *b);

#endif
