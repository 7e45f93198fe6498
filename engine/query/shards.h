/**
 * Which series, and whether any rows at all, lie in the shards that a range of time touches.
 *
 * InfluxDB looks for names shard by shard, so a name counts if it has a row anywhere in a shard of
 * the policy that the range touches. Bounds of segments and of memory answer where they can; pages
 * and rows are read only for what they leave open.
 */
#ifndef BBI_QUERY_SHARDS_H
#define BBI_QUERY_SHARDS_H

#include "engine/influxql/expr.h"
#include "engine/query/sources.h"

/** All times. */
extern const struct bbi_ql_condition bbi_shards_always;

/** Widen a range to whole shards. They begin where InfluxDB's do: they are counted from the first
 * of January of the year 1. An empty range touches the shard that it lies in. */
void bbi_shards_round(const struct bbi_rp *rp, const struct bbi_ql_condition *when, int64_t *tmin,
                      int64_t *tmax);

/** Rows of a policy in memory; what was deleted up to base_lsn is not among them. */
typedef int (*bbi_shards_space_fn)(void *arg, const struct bbi_memspace *space, uint64_t base_lsn,
                                   struct bb_error *err);

/** Tell of each generation in memory that may have rows of a policy in [tmin, tmax]. */
int bbi_shards_each_space(struct bbi_qctx *ctx, const struct bbi_rp *rp, int64_t tmin, int64_t tmax,
                          bbi_shards_space_fn fn, void *arg, struct bb_error *err) BB_CHECKED;

/**
 * Whether a policy has a row in the shards that `when` touches.
 *
 * rp      its db_id is set
 * Returns BB_OK; errors of reading; BB_ENOMEM; BB_ECANCELED, BB_ETIMEOUT.
 */
int bbi_shards_any(struct bbi_qctx *ctx, const struct bbi_rp *rp,
                   const struct bbi_ql_condition *when, bool *any, struct bb_error *err) BB_CHECKED;

/**
 * Whether all series of a database lie in those shards, so that nobody has to look: no bounds, and
 * one policy.
 */
int bbi_shards_are_all(struct bbi_qctx *ctx, uint32_t db_id, const struct bbi_ql_condition *when,
                       bool *all, struct bb_error *err) BB_CHECKED;

/**
 * Take out of ids the series of a measurement that have no row in those shards of m->rp.
 *
 * ids     series of the measurement
 * Returns as bbi_shards_any.
 */
int bbi_shards_keep(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                    const struct bbi_ql_condition *when, roaring_bitmap_t *ids,
                    struct bb_error *err) BB_CHECKED;

#endif
