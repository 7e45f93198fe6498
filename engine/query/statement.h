/** The statements, by file. All: BB_OK or the statement's error; results go to ctx->sink. */
#ifndef BBI_QUERY_STATEMENT_H
#define BBI_QUERY_STATEMENT_H

#include "engine/influxql/ast.h"
#include "engine/query/context.h"

/** CREATE, ALTER and DROP of databases and policies: schema.c. */
int bbi_statement_schema(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                         struct bb_error *err) BB_CHECKED;

/** SHOW ...: show.c. BB_EUNSUPPORTED for those that are not there. */
int bbi_statement_show(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                       struct bb_error *err) BB_CHECKED;

/** DELETE, DROP SERIES, DROP MEASUREMENT: delete.c. */
int bbi_statement_delete(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                         struct bb_error *err) BB_CHECKED;

/** Names go with their last row: those of these series of a measurement, or with mid 0 of any of
 * the database: delete.c. */
int bbi_statement_forget(struct bbi_qctx *ctx, uint32_t db_id, uint32_t mid,
                         const roaring_bitmap_t *series, struct bb_error *err) BB_CHECKED;

/** DROP SHARD: the rows of a policy's partition, by its number in SHOW SHARDS: show_shard.c. */
int bbi_statement_drop_shard(struct bbi_qctx *ctx, uint64_t id, struct bb_error *err) BB_CHECKED;

/** CREATE USER, DROP USER, SET PASSWORD, GRANT, REVOKE: users.c. */
int bbi_statement_user(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                       struct bb_error *err) BB_CHECKED;

/** CREATE and DROP CONTINUOUS QUERY: tasks.c. */
int bbi_statement_task(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                       struct bb_error *err) BB_CHECKED;

struct bbi_task_name;

/** Have the catalog keep a statement, as text, under these names: tasks.c. *changed: it is new. */
int bbi_task_store(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                   const struct bbi_task_name *name, bool *changed,
                   struct bb_error *err) BB_CHECKED;

/** CREATE and DROP SUBSCRIPTION: subscriptions.c. */
int bbi_statement_subscription(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                               struct bb_error *err) BB_CHECKED;

/** CREATE CONTINUOUS QUERY with full names, as InfluxDB tells it: tasks.c. */
int bbi_qualify_cq(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                   struct bbi_ql_statement *out, struct bb_error *err) BB_CHECKED;

/** SELECT: select.c. */
int bbi_statement_select(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                         struct bb_error *err) BB_CHECKED;

/** EXPLAIN, EXPLAIN ANALYZE: explain.c. */
int bbi_statement_explain(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                          struct bb_error *err) BB_CHECKED;

#endif
