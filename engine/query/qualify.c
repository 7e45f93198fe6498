#include "engine/query/qualify.h"

#include <string.h>

static int qualify_source(struct bbi_qctx *ctx, const char *database, struct bbi_ql_source *source,
                          struct bb_error *err)
{
    uint32_t db_id;
    struct bbi_rp rp;
    source->database = source->database != NULL ? source->database : database;
    if (source->database == NULL || source->database[0] == '\0') {
        return bbi_error_set(err, BB_EINVAL, "database name required");
    }
    int rc = bbi_catalog_database_find(ctx->env->catalog, source->database,
                                       strlen(source->database), &db_id, err);
    if (rc != BB_OK || source->policy != NULL) {
        return rc;
    }
    const char *policy = ctx->query->retention_policy;
    if (policy == NULL || policy[0] == '\0') {
        rc = bbi_catalog_rp_find(ctx->env->catalog, db_id, NULL, 0, &rp, err);
        policy = rc == BB_OK ? rp.name : bbi_qctx_lost_policy(ctx, db_id);
        if (policy == NULL) {
            return bbi_error_set(err, BB_ENOTFOUND, "default retention policy not set for: %.200s",
                                 source->database);
        }
    }
    source->policy = bbi_arena_dup(&ctx->arena, policy, strlen(policy));
    return source->policy == NULL ? bbi_error_nomem(err, "names") : BB_OK;
}

/* Depth is bounded by the parser's. INTO comes first: its error is the one that InfluxDB tells. */
int bbi_qualify_select(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                       const char *database, const struct bbi_ql_select **out, struct bb_error *err)
{
    struct bbi_ql_select *copy;
    struct bbi_ql_source *sources;
    int rc = bbi_qctx_array(ctx, 1, sizeof(*copy), &copy, err);
    rc = rc == BB_OK
             ? bbi_qctx_array(ctx, select->source_count + 1, sizeof(sources[0]), &sources, err)
             : rc;
    if (rc != BB_OK) {
        return rc;
    }
    *copy = *select;
    if (select->into != NULL) {
        copy->into = &sources[select->source_count];
        *copy->into = *select->into;
        rc = qualify_source(ctx, database, copy->into, err);
    }
    copy->sources = sources;
    for (size_t i = 0; rc == BB_OK && i < select->source_count; i++) {
        const struct bbi_ql_select *subquery = select->sources[i].subquery;
        sources[i] = select->sources[i];
        if (subquery == NULL) {
            rc = qualify_source(ctx, database, &sources[i], err);
        } else {
            rc = bbi_qualify_select(ctx, subquery, database, &subquery, err);
            sources[i].subquery = (struct bbi_ql_select *)(uintptr_t)subquery;
        }
    }
    *out = copy;
    return rc;
}

static int check_source(struct bbi_qctx *ctx, const struct bbi_ql_source *source,
                        struct bb_error *err)
{
    uint32_t db_id;
    struct bbi_rp rp;
    int rc = bbi_catalog_database_find(ctx->env->catalog, source->database,
                                       strlen(source->database), &db_id, err);
    if (rc == BB_OK && bbi_catalog_rp_find(ctx->env->catalog, db_id, source->policy,
                                           strlen(source->policy), &rp, err) != BB_OK) {
        rc = bbi_error_set(err, BB_ENOTFOUND, "retention policy not found: %.200s.%.200s",
                           source->database, source->policy);
    }
    return rc;
}

int bbi_qualify_check(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                      struct bb_error *err)
{
    int rc = select->into == NULL ? BB_OK : check_source(ctx, select->into, err);
    for (size_t i = 0; rc == BB_OK && i < select->source_count; i++) {
        const struct bbi_ql_source *source = &select->sources[i];
        rc = source->subquery != NULL ? bbi_qualify_check(ctx, source->subquery, err)
                                      : check_source(ctx, source, err);
    }
    return rc;
}
