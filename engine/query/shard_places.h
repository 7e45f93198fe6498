/** In which partitions a policy has rows. */
#ifndef BBI_QUERY_SHARD_PLACES_H
#define BBI_QUERY_SHARD_PLACES_H

#include "engine/query/context.h"

/** A partition's place in time: its number among those of its width, counted so that none is
 * negative. */
#define BBI_PLACE_ZERO (INT64_C(1) << 31)

uint32_t bbi_place_of(int64_t time_ns, int64_t shard_ns);

/** The first time of a place. */
int64_t bbi_place_start(uint32_t place, int64_t shard_ns);

/**
 * The places of the partitions that have rows in the snapshot. Rows that a deletion hides count
 * until a compaction has taken them away.
 *
 * ends_only  of a file or memtable that reaches over many partitions only the first and the last
 * out        the caller's to roaring_bitmap_free; NULL unless BB_OK
 */
int bbi_shard_places(struct bbi_qctx *ctx, const struct bbi_rp *rp, bool ends_only,
                     roaring_bitmap_t **out, struct bb_error *err) BB_CHECKED;

#endif
