#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"

struct block {
    struct bbi_account *acct;
    size_t size;
};

_Static_assert(sizeof(struct block) == 16, "blocks stay 16-byte aligned");

static struct bbi_account server_account = {.name = "server"};
static _Atomic uint64_t fail_at;
static _Atomic uint64_t requests;

void bbi_account_init(struct bbi_account *acct, const char *name, uint64_t limit_bytes,
                      struct bbi_account *parent)
{
    acct->name = name;
    acct->parent = parent;
    acct->limit_bytes = limit_bytes;
    atomic_init(&acct->used_bytes, 0);
    atomic_init(&acct->peak_bytes, 0);
}

struct bbi_account *bbi_account_server(void)
{
    return &server_account;
}

static void raise_peak(struct bbi_account *acct, uint64_t used)
{
    uint64_t peak = atomic_load_explicit(&acct->peak_bytes, memory_order_relaxed);
    while (used > peak &&
           !atomic_compare_exchange_weak_explicit(&acct->peak_bytes, &peak, used,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void bbi_account_release(struct bbi_account *acct, uint64_t bytes)
{
    for (; acct != NULL; acct = acct->parent) {
        atomic_fetch_sub_explicit(&acct->used_bytes, bytes, memory_order_relaxed);
    }
}

bool bbi_account_charge(struct bbi_account *acct, uint64_t bytes)
{
    for (struct bbi_account *at = acct; at != NULL; at = at->parent) {
        uint64_t used = atomic_fetch_add_explicit(&at->used_bytes, bytes, memory_order_relaxed) +
                        bytes;
        if (at->limit_bytes != 0 && used > at->limit_bytes) {
            atomic_fetch_sub_explicit(&at->used_bytes, bytes, memory_order_relaxed);
            for (struct bbi_account *undo = acct; undo != at; undo = undo->parent) {
                atomic_fetch_sub_explicit(&undo->used_bytes, bytes, memory_order_relaxed);
            }
            return false;
        }
        raise_peak(at, used);
    }
    return true;
}

/* fail_at is 0 but in tests, so the common path is one relaxed load. */
static bool fault_is_due(void)
{
    uint64_t n = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (n == 0) {
        return false;
    }
    return atomic_fetch_add(&requests, 1) + 1 == n;
}

void bbi_mem_fail_at(uint64_t n)
{
    atomic_store(&requests, 0);
    atomic_store(&fail_at, n);
}

uint64_t bbi_mem_requests(void)
{
    return atomic_load(&requests);
}

void *bbi_mem_alloc(struct bbi_account *acct, size_t size)
{
    if (acct == NULL) {
        acct = &server_account;
    }
    if (size > SIZE_MAX / 2 || fault_is_due() || !bbi_account_charge(acct, size)) {
        return NULL;
    }
    struct block *b = malloc(sizeof(*b) + size);
    if (b == NULL) {
        bbi_account_release(acct, size);
        return NULL;
    }
    b->acct = acct;
    b->size = size;
    return b + 1;
}

void *bbi_mem_zalloc(struct bbi_account *acct, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    void *p = bbi_mem_alloc(acct, bytes);
    if (p != NULL) {
        memset(p, 0, bytes);
    }
    return p;
}

void *bbi_mem_realloc(struct bbi_account *acct, void *p, size_t size)
{
    if (p == NULL) {
        return bbi_mem_alloc(acct, size);
    }
    struct block *b = (struct block *)p - 1;
    size_t old = b->size;
    acct = b->acct;
    if (size > SIZE_MAX / 2 || fault_is_due() ||
        (size > old && !bbi_account_charge(acct, size - old))) {
        return NULL;
    }
    struct block *moved = realloc(b, sizeof(*b) + size);
    if (moved == NULL) {
        if (size > old) {
            bbi_account_release(acct, size - old);
        }
        return NULL;
    }
    if (size < old) {
        bbi_account_release(acct, old - size);
    }
    moved->size = size;
    return moved + 1;
}

void *bbi_mem_dup(struct bbi_account *acct, const void *p, size_t len)
{
    if (len == SIZE_MAX) {
        return NULL;
    }
    char *copy = bbi_mem_alloc(acct, len + 1);
    if (copy != NULL) {
        if (len != 0) {
            memcpy(copy, p, len);
        }
        copy[len] = '\0';
    }
    return copy;
}

void bbi_mem_free(void *p)
{
    if (p == NULL) {
        return;
    }
    struct block *b = (struct block *)p - 1;
    bbi_account_release(b->acct, b->size);
    free(b);
}

size_t bbi_mem_size(const void *p)
{
    return ((const struct block *)p - 1)->size;
}
