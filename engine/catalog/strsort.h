/**
 * Sorting byte strings, many at once: of tags for the postings, of names for lists.
 *
 * Source  multikey quicksort with eight bytes cached in each item: J. Bentley, R. Sedgewick, "Fast
 * algorithms for sorting and searching strings" (1997); caching as W. Ng, K. Kakehi, "Cache
 * efficient radix sort for string sorting" (2007).
 */
#ifndef BBI_CATALOG_STRSORT_H
#define BBI_CATALOG_STRSORT_H

#include <stddef.h>
#include <stdint.h>

struct bbi_strsort_item {
    uint64_t cache; /* the sort's own */
    const uint8_t *str;
    uint32_t len;
    uint32_t group; /* sorts before the string */
    uint32_t id;    /* sorts after it */
    uint32_t extra; /* carried along */
};

/** Sort by group, string (bytewise, shorter first), id. In place, without memory; pivots are picked
 * so that no order of input is known to be slow. */
void bbi_strsort(struct bbi_strsort_item *items, size_t count);

#endif
