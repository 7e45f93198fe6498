/**
 * Bringing records and new series into LMDB, inside one write transaction.
 */
#ifndef BBI_CATALOG_APPLY_H
#define BBI_CATALOG_APPLY_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/catalog/index.h"
#include "engine/catalog/overlay.h"

/** The value of a series: version 1. Later versions may put facts about the meter behind it. */
#define BBI_SERIES_VERSION 1

/** The key of a series or of a list of ids in the index. */
#define BBI_SERIES_KEY_BYTES (BBI_INDEX_UINT_MAX + 8)
size_t bbi_series_index_key(uint8_t key[BBI_SERIES_KEY_BYTES], uint32_t db_id, uint32_t sid);
size_t bbi_hash_index_key(uint8_t key[BBI_SERIES_KEY_BYTES], uint32_t db_id, uint64_t hash);

/** Take apart the value of a series. BB_ECORRUPT, BB_EVERSION. */
int bbi_series_value_get(const struct bbi_index_entry *entry, uint32_t *mid, const uint8_t **key,
                         size_t *key_len, struct bb_error *err) BB_CHECKED;

/** Apply records of all types but SERIES_NEW, BATCH and SOURCE, in their order. */
int bbi_apply_records(struct bbi_index_writer *writer, const uint8_t *records, size_t len,
                      struct bbi_account *acct, struct bb_error *err) BB_CHECKED;

/** Ids that are passed over, by database. */
struct bbi_dropped {
    uint32_t db_id;
    roaring_bitmap_t *sids;
};
struct bbi_dropped_list {
    struct bbi_dropped *list; /* [count] */
    size_t count;
};

/** NULL: none of this database. */
const roaring_bitmap_t *bbi_dropped_find(const struct bbi_dropped_list *dropped, uint32_t db_id);

/**
 * Add all series of a generation but dropped ones: records, ids by key, postings.
 *
 * Those that are there already change nothing. Working memory of about 40 bytes for each series and
 * tag, but for at most half a million of them at a time, comes from acct.
 */
int bbi_apply_series(struct bbi_index_writer *writer, const struct bbi_overlay *overlay,
                     const struct bbi_dropped_list *dropped, struct bbi_account *acct,
                     struct bb_error *err) BB_CHECKED;

#endif
