/**
 * Walking a range of LMDB without holding a reader: entries are copied out in slices, and the next
 * slice begins behind the last key that was seen.
 *
 * What is committed between two slices may or may not be seen.
 *
 * Thread  one owner at a time.
 */
#ifndef BBI_CATALOG_SCAN_H
#define BBI_CATALOG_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/catalog/index.h"

struct bbi_scan {
    struct bbi_index *index;
    enum bbi_index_table table;
    uint8_t prefix[BBI_INDEX_KEY_MAX];
    size_t prefix_len;
    uint8_t last[BBI_INDEX_KEY_MAX];
    size_t last_len;
    size_t slice_entries; /* of the next slice: grows, so that short ranges cost little */
    bool is_first;
    bool is_done;
    struct bbi_buf slice;
    struct bbi_cursor left; /* of the slice */
};

/** All entries whose key begins with prefix, which may be empty. */
void bbi_scan_init(struct bbi_scan *s, struct bbi_index *index, struct bbi_account *acct,
                   enum bbi_index_table table, const void *prefix, size_t prefix_len);
void bbi_scan_fini(struct bbi_scan *s);

/** The next entry, valid until the next call; *found false at the end. */
int bbi_scan_next(struct bbi_scan *s, struct bbi_index_entry *entry, bool *found,
                  struct bb_error *err) BB_CHECKED;

#endif
