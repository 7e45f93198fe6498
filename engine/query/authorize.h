/**
 * Which rights a text of statements needs, and whether its user has them.
 */
#ifndef BBI_QUERY_AUTHORIZE_H
#define BBI_QUERY_AUTHORIZE_H

#include "engine/influxql/ast.h"
#include "engine/query/context.h"

/**
 * All statements before the first one runs, as InfluxDB. Without any user, a text may run whose
 * first statement makes an administrator. Only where the query says check_rights.
 *
 * Returns BB_OK; BB_EFORBIDDEN in InfluxDB's words; BB_ENOMEM.
 */
int bbi_authorize(struct bbi_qctx *ctx, const struct bbi_ql_query *ast,
                  struct bb_error *err) BB_CHECKED;

/** Whether SHOW DATABASES tells the query's user of a database: who may read or write it. */
bool bbi_authorize_sees(const struct bbi_qctx *ctx, const void *database, size_t len);

/** Whether the query's user may know of everybody's: rights are not asked for, or he is an
 * administrator. */
bool bbi_authorize_sees_all(const struct bbi_qctx *ctx);

#endif
