/* CREATE, ALTER and DROP of databases and retention policies. */
#include <string.h>

#include "engine/query/statement.h"

static struct bbi_rp_spec spec_of(const struct bbi_ql_policy *policy)
{
    return (struct bbi_rp_spec){.has_duration = policy->has_duration,
                                .duration_ns = policy->duration_ns,
                                .has_shard = policy->has_shard_duration,
                                .shard_ns = policy->shard_duration_ns,
                                .replicas = policy->has_replication ? (uint32_t)policy->replication
                                                                    : 0,
                                .make_default = policy->is_default};
}

static int conflict(struct bb_error *err)
{
    return bbi_error_set(err, BB_EEXIST, "retention policy conflicts with an existing policy");
}

/* A database that has no policies any more gets the one that CREATE DATABASE asks for. */
static int create_lost_policy(struct bbi_qctx *ctx, uint32_t db_id,
                              const struct bbi_ql_policy *policy, struct bb_error *err)
{
    struct bbi_rp rp;
    struct bbi_rp *others;
    size_t count;
    struct bbi_rp_spec spec = spec_of(policy);
    const char *name = policy->name != NULL ? policy->name : BBI_DEFAULT_RP;
    int rc = bbi_catalog_rps(ctx->env->catalog, db_id, &ctx->acct, &others, &count, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_mem_free(others);
    if (count > 0) {
        return conflict(err);
    }
    spec.make_default = true;
    return bbi_catalog_rp_create(ctx->env->catalog, db_id, name, strlen(name), &spec, &rp, err);
}

/* CREATE DATABASE of one that is there is fine unless it asks for another default policy. */
static int check_same_policy(struct bbi_qctx *ctx, uint32_t db_id,
                             const struct bbi_ql_policy *policy, struct bb_error *err)
{
    struct bbi_rp rp;
    if (bbi_catalog_rp_find(ctx->env->catalog, db_id, NULL, 0, &rp, err) != BB_OK) {
        return create_lost_policy(ctx, db_id, policy, err);
    }
    bool same = strcmp(policy->name == NULL ? BBI_DEFAULT_RP : policy->name, rp.name) == 0;
    same = same && (!policy->has_duration || policy->duration_ns == rp.duration_ns);
    same = same && (!policy->has_replication || (uint64_t)policy->replication == rp.replicas);
    int64_t asked_ns = policy->has_shard_duration ? policy->shard_duration_ns : 0;
    same = same && rp.shard_ns == bbi_rp_shard_asked_ns(asked_ns, rp.duration_ns);
    return same ? BB_OK : conflict(err);
}

static int create_database(struct bbi_qctx *ctx, const struct bbi_ql_policy *policy,
                           bool has_options, struct bb_error *err)
{
    uint32_t db_id;
    struct bbi_rp_spec spec = spec_of(policy);
    spec.none = !has_options && ctx->env->no_autogen;
    size_t rp_len = policy->name == NULL ? 0 : strlen(policy->name);
    int rc = bbi_catalog_database_create(ctx->env->catalog, policy->database,
                                         strlen(policy->database), policy->name, rp_len,
                                         has_options || spec.none ? &spec : NULL, &db_id, err);
    if (rc == BB_EEXIST) {
        return has_options ? check_same_policy(ctx, db_id, policy, err) : BB_OK;
    }
    return rc;
}

static int drop_database(struct bbi_qctx *ctx, const char *name, struct bb_error *err)
{
    uint32_t db_id;
    int rc = bbi_catalog_database_drop(ctx->env->catalog, name, strlen(name), &db_id, err);
    return rc == BB_ENOTFOUND ? BB_OK : rc;
}

/* As InfluxDB, neither a missing policy nor a missing database is an error. */
static int drop_policy(struct bbi_qctx *ctx, const char *database, const char *name,
                       struct bb_error *err)
{
    uint32_t db_id;
    uint32_t rp_id;
    int rc = bbi_catalog_database_find(ctx->env->catalog, database, strlen(database), &db_id, err);
    if (rc == BB_OK) {
        rc = bbi_catalog_rp_drop(ctx->env->catalog, db_id, name, strlen(name), &rp_id, err);
    }
    return rc == BB_ENOTFOUND ? BB_OK : rc;
}

/* A default policy that was dropped is the default again when it comes back, as in InfluxDB, which
 * remembers its name. */
static bool comes_back(const struct bbi_qctx *ctx, uint32_t db_id, const char *name)
{
    struct bbi_rp rp;
    struct bb_error ignored;
    const char *lost = bbi_qctx_lost_policy(ctx, db_id);
    return lost != NULL && strcmp(lost, name) == 0 &&
           bbi_catalog_rp_find(ctx->env->catalog, db_id, NULL, 0, &rp, &ignored) != BB_OK;
}

static int change_policy(struct bbi_qctx *ctx, const struct bbi_ql_policy *policy, bool create,
                         struct bb_error *err)
{
    uint32_t db_id;
    struct bbi_rp rp;
    struct bbi_rp_spec spec = spec_of(policy);
    struct bbi_catalog *cat = ctx->env->catalog;
    size_t name_len = strlen(policy->name);
    int rc = create ? bbi_catalog_rp_check(policy->name, name_len, &spec, err) : BB_OK;
    rc = rc == BB_OK ? bbi_catalog_database_find(cat, policy->database, strlen(policy->database),
                                                 &db_id, err)
                     : rc;
    if (rc == BB_OK && create) {
        spec.make_default = spec.make_default || comes_back(ctx, db_id, policy->name);
        return bbi_catalog_rp_create(cat, db_id, policy->name, name_len, &spec, &rp, err);
    }
    /* No name is the default's. */
    rc = rc == BB_OK ? bbi_catalog_rp_find(cat, db_id, policy->name, name_len, &rp, err) : rc;
    return rc == BB_OK ? bbi_catalog_rp_alter(cat, db_id, rp.name, rp.name_len, &spec, &rp, err)
                       : rc;
}

int bbi_statement_schema(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                         struct bb_error *err)
{
    int rc;
    switch (statement->kind) {
    case BBI_QL_CREATE_DATABASE:
        rc = create_database(ctx, &statement->u.create.policy, statement->u.create.has_options,
                             err);
        break;
    case BBI_QL_CREATE_POLICY:
        rc = change_policy(ctx, &statement->u.create.policy, true, err);
        break;
    case BBI_QL_ALTER_POLICY:
        rc = change_policy(ctx, &statement->u.create.policy, false, err);
        break;
    case BBI_QL_DROP_DATABASE:
        rc = drop_database(ctx, statement->u.drop.name, err);
        break;
    case BBI_QL_DROP_POLICY:
        rc = drop_policy(ctx, statement->u.drop.database, statement->u.drop.name, err);
        break;
    default:
        return bbi_error_set(err, BB_EINTERNAL, "no schema statement");
    }
    return rc == BB_OK ? ctx->env->schema_changed(ctx->env->arg, err) : rc;
}
