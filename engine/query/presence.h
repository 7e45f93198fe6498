/**
 * Which fields a measurement has where a query looks.
 *
 * InfluxDB keeps the fields of each shard apart: wildcards and types come from the shards of the
 * policy that the query's time touches, tags from the whole database if there is such a shard. Here
 * the rows tell: segments and memory say for most fields that they are there, and rows are read
 * only where deletions or the ends of the time leave it open.
 */
#ifndef BBI_QUERY_PRESENCE_H
#define BBI_QUERY_PRESENCE_H

#include "engine/influxql/expr.h"
#include "engine/query/sources.h"

/**
 * Fill m->has_shard and the fields that are there, once.
 *
 * when    the outermost query's times
 * Returns BB_OK; errors of reading; BB_ENOMEM; BB_ECANCELED, BB_ETIMEOUT.
 */
int bbi_presence_find(struct bbi_qctx *ctx, struct bbi_measurement *m,
                      const struct bbi_ql_condition *when, struct bb_error *err) BB_CHECKED;

/** Whether a field is there; after bbi_presence_find. */
bool bbi_presence_has(const struct bbi_measurement *m, uint32_t field_id);

#endif
