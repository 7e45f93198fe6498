/**
 * The one door for heap memory: every block is charged to an account, and tests can make the n-th
 * request fail.
 *
 * Accounts form a tree (query -> database -> server); a request must fit all limits on its way up.
 * A block remembers its account and size in a 16-byte header, so freeing needs neither; blocks are
 * 16-byte aligned. Thread  all functions are thread-safe.
 */
#ifndef BBI_BASE_MEM_H
#define BBI_BASE_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bbi_account {
    const char *name;
    struct bbi_account *parent; /* NULL: top */
    uint64_t limit_bytes;       /* 0: none */
    _Atomic uint64_t used_bytes;
    _Atomic uint64_t peak_bytes;
};

/** Start an account; parent must outlive it. */
void bbi_account_init(struct bbi_account *acct, const char *name, uint64_t limit_bytes,
                      struct bbi_account *parent);

/** Charge bytes that did not come from bbi_mem_alloc (a library's own memory). False: over a limit,
 * nothing charged. */
bool bbi_account_charge(struct bbi_account *acct, uint64_t bytes);
void bbi_account_release(struct bbi_account *acct, uint64_t bytes);

/** The account of what belongs to nobody in particular. */
struct bbi_account *bbi_account_server(void);

/** NULL when memory or the account's limit is exhausted. acct NULL means the server's. Size 0 gives
 * a valid block. */
void *bbi_mem_alloc(struct bbi_account *acct, size_t size);

/** Zeroed count * size bytes; NULL also when the product overflows. */
void *bbi_mem_zalloc(struct bbi_account *acct, size_t count, size_t size);

/** As realloc; p may be NULL; on failure p stays valid. The block stays on the account it came from
 * (acct if p is NULL). */
void *bbi_mem_realloc(struct bbi_account *acct, void *p, size_t size);

/** A copy of len bytes with a NUL behind. */
void *bbi_mem_dup(struct bbi_account *acct, const void *p, size_t len);

/** p may be NULL. */
void bbi_mem_free(void *p);

/** Usable size asked for by the block's owner. */
size_t bbi_mem_size(const void *p);

/** Tests: let the n-th request from now fail (1 = the next), once; 0 turns it off. */
void bbi_mem_fail_at(uint64_t n);

/** Tests: requests since the last bbi_mem_fail_at. */
uint64_t bbi_mem_requests(void);

#endif
