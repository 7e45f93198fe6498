/**
 * Full names: what FROM and INTO name gets its database and policy, as InfluxDB writes them into
 * continuous queries and warnings.
 */
#ifndef BBI_QUERY_QUALIFY_H
#define BBI_QUERY_QUALIFY_H

#include "engine/influxql/ast.h"
#include "engine/query/context.h"

/**
 * A copy of a SELECT, subqueries included, in which every name is db.policy.measurement.
 *
 * database  where a name says none; "" or NULL: there is none
 * out       in the statement's arena; shares what does not change
 * Returns BB_EINVAL "database name required"; BB_ENOTFOUND "database not found: x", "default
 * retention policy not set for: x". Policies that are named need not be there.
 */
int bbi_qualify_select(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                       const char *database, const struct bbi_ql_select **out,
                       struct bb_error *err) BB_CHECKED;

/** Whether all policies of a SELECT with full names are there: BB_ENOTFOUND "retention policy not
 * found: db.policy". */
int bbi_qualify_check(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                      struct bb_error *err) BB_CHECKED;

#endif
