/** The text of a query to its tree, its parameters in place. */
#ifndef BBI_QUERY_PARSE_H
#define BBI_QUERY_PARSE_H

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/influxql/ast.h"
#include "engine/query/zones.h"

/**
 * Parse query->text with query->params.
 *
 * zones  those that tz() may name
 * arena  of the tree
 * Returns BB_OK; BB_EPARSE in InfluxDB's words; BB_EINVAL two parameters of one name, a number
 * that is not finite; BB_ELIMIT too many parameters; BB_ENOMEM.
 */
int bbi_query_parse(const struct bb_query *query, struct bbi_zones *zones, struct bbi_arena *arena,
                    struct bbi_ql_query **out, struct bb_error *err) BB_CHECKED;

#endif
