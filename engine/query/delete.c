/* DELETE, DROP SERIES and DROP MEASUREMENT: one tombstone for each measurement. */
#include <string.h>

#include "engine/influxql/expr.h"
#include "engine/query/show.h"
#include "engine/query/statement.h"
#include "engine/query/tagcond.h"

static int check_query(const void *arg, struct bb_error *err)
{
    return bbi_qctx_check(arg, err);
}

int bbi_statement_forget(struct bbi_qctx *ctx, uint32_t db_id, uint32_t mid,
                         const roaring_bitmap_t *series, struct bb_error *err)
{
    const struct bbi_query_env *env = ctx->env;
    struct bbi_names names;
    if (mid != 0) {
        return env->forget_series(env->arg, db_id, mid, series, check_query, ctx, err);
    }
    int rc = bbi_catalog_measurements(env->catalog, db_id, &ctx->acct, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        roaring_bitmap_t *own;
        rc = bbi_catalog_select(env->catalog, db_id, names.list[i].id, NULL, &own, err);
        if (rc == BB_OK) {
            rc = env->forget_series(env->arg, db_id, names.list[i].id, own, check_query, ctx, err);
            roaring_bitmap_free(own);
        }
    }
    bbi_names_fini(&names);
    return rc == BB_ENOTFOUND ? BB_OK : rc; /* dropped meanwhile */
}

/* As InfluxDB, a series goes with its last row. */
static int delete_range(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                        const roaring_bitmap_t *series, const struct bbi_ql_condition *when,
                        struct bb_error *err)
{
    const struct bbi_query_env *env = ctx->env;
    if (roaring_bitmap_is_empty(series) || when->tmin > when->tmax) {
        return BB_OK;
    }
    int rc = env->delete_rows(env->arg, m->db_id, 0, series, when->tmin, when->tmax, err);
    return rc == BB_OK ? bbi_statement_forget(ctx, m->db_id, m->id, series, err) : rc;
}

/* What is not about tags is refused where there are series to ask it of, in InfluxDB's words. */
static int refuse_fields(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                         const roaring_bitmap_t *series, const struct bbi_ql_condition *when,
                         struct bb_error *err)
{
    uint64_t shard = 0;
    bool found = false;
    int rc = BB_OK;
    if (!roaring_bitmap_is_empty(series)) {
        rc = bbi_shard_find(ctx, m->db_id, when, &found, &shard, err);
        bbi_qctx_drop_snapshot(ctx); /* the next statement sees what this one deleted */
    }
    if (rc == BB_OK && found) {
        rc = bbi_error_set(err, BB_EINVAL,
                           "shard %llu: fields not supported in WHERE clause during deletion",
                           (unsigned long long)shard);
    }
    return rc;
}

static int delete_from(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                       const struct bbi_ql_condition *when, struct bb_error *err)
{
    struct bbi_tagcond cond;
    roaring_bitmap_t *series = NULL;
    if (when->rest == NULL && !when->has_tmin && !when->has_tmax) {
        return ctx->env->drop_series(ctx->env->arg, m->db_id, m->id, NULL, err);
    }
    int rc = bbi_tagcond_split(ctx, m->db_id, m->id, when->rest, BBI_FIELDS_REFUSE, &cond, err);
    if (rc == BB_OK) {
        rc = bbi_tagcond_select(ctx, m->db_id, m->id, &cond, &series, err);
    }
    if (rc == BB_OK && cond.rest_count > 0) {
        rc = refuse_fields(ctx, m, series, when, err);
    } else if (rc == BB_OK && !when->has_tmin && !when->has_tmax) {
        rc = ctx->env->drop_series(ctx->env->arg, m->db_id, m->id, series, err);
    } else if (rc == BB_OK) {
        rc = delete_range(ctx, m, series, when, err);
    }
    if (series != NULL) {
        roaring_bitmap_free(series);
    }
    return rc;
}

/* The parts that can be refused are looked at before anything is deleted. */
static int split_when(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                      struct bbi_ql_condition *when, struct bb_error *err)
{
    struct bbi_ql_world world = {.now_ns = ctx->now_ns};
    int rc = bbi_ql_condition_split(statement->u.drop.condition, &world, &ctx->arena, when, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (statement->kind == BBI_QL_DROP_SERIES && (when->has_tmin || when->has_tmax)) {
        return bbi_error_set(err, BB_EINVAL, "DROP SERIES doesn't support time in WHERE clause");
    }
    return BB_OK;
}

int bbi_statement_delete(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                         struct bb_error *err)
{
    struct bbi_ql_source named = {.name = statement->u.drop.name};
    bool drop = statement->kind == BBI_QL_DROP_MEASUREMENT;
    const struct bbi_ql_source *sources = drop ? &named : statement->u.drop.sources;
    size_t source_count = drop ? 1 : statement->u.drop.source_count;
    const char *database = ctx->query->database == NULL ? "" : ctx->query->database;
    struct bbi_measurements list;
    struct bbi_ql_condition when;
    uint32_t db_id;
    int rc = bbi_catalog_database_find(ctx->env->catalog, database, strlen(database), &db_id, err);
    if (rc == BB_OK) {
        rc = split_when(ctx, statement, &when, err);
    }
    if (rc == BB_OK) {
        rc = bbi_sources_list(ctx, db_id, sources, source_count, &list, err);
    }
    for (size_t i = 0; rc == BB_OK && i < list.count; i++) {
        rc = bbi_qctx_check(ctx, err);
        rc = rc == BB_OK ? delete_from(ctx, &list.list[i], &when, err) : rc;
    }
    return rc;
}
