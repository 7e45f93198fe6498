#include "engine/query/context.h"

#include <string.h>

#include "engine/base/clock.h"

int bbi_qctx_check(const struct bbi_qctx *ctx, struct bb_error *err)
{
    if (ctx->query->canceled != NULL &&
        __atomic_load_n(ctx->query->canceled, __ATOMIC_RELAXED) != 0) {
        return bbi_error_set(err, BB_ECANCELED, "query interrupted");
    }
    if (atomic_load_explicit(&ctx->running.killed, memory_order_relaxed)) {
        return bbi_error_set(err, BB_ECANCELED, "query interrupted");
    }
    if (bbi_clock_mono_ns() > ctx->deadline_ns) {
        return bbi_error_set(err, BB_ETIMEOUT, "query-timeout limit exceeded");
    }
    if (atomic_load_explicit(&ctx->stopped, memory_order_relaxed)) {
        return bbi_error_set(err, BB_ECANCELED, "query interrupted");
    }
    return BB_OK;
}

int bbi_qctx_points(struct bbi_qctx *ctx, uint64_t count, struct bb_error *err)
{
    uint64_t limit = ctx->env->points_max;
    if (limit == 0) {
        return BB_OK;
    }
    uint64_t before = atomic_fetch_add_explicit(&ctx->points, count, memory_order_relaxed);
    if (before + count <= limit) {
        return BB_OK;
    }
    return bbi_error_set(err, BB_ELIMIT, "max-select-point limit exceeed: (%llu/%llu)",
                         (unsigned long long)(before + count), (unsigned long long)limit);
}

int bbi_qctx_snapshot(struct bbi_qctx *ctx, struct bb_error *err)
{
    if (ctx->has_snapshot) {
        return BB_OK;
    }
    memset(&ctx->snapshot, 0, sizeof(ctx->snapshot));
    int rc = ctx->env->snapshot(ctx->env->arg, &ctx->snapshot, err);
    ctx->has_snapshot = rc == BB_OK;
    return rc;
}

void bbi_qctx_drop_snapshot(struct bbi_qctx *ctx)
{
    if (ctx->has_snapshot) {
        bbi_snapshot_release(&ctx->snapshot);
        ctx->has_snapshot = false;
    }
}

void bbi_qstats_add(struct bbi_qstats *dst, const struct bbi_qstats *src)
{
#define BBI_QSTAT_ADD(name, text) dst->name += src->name;
    BBI_QSTAT_TABLE(BBI_QSTAT_ADD)
#undef BBI_QSTAT_ADD
}

int bbi_qctx_database(struct bbi_qctx *ctx, const char *name, uint32_t *db_id, struct bb_error *err)
{
    if (name == NULL || name[0] == '\0') {
        name = ctx->query->database;
    }
    if (name == NULL || name[0] == '\0') {
        return bbi_error_set(err, BB_EINVAL, "database name required");
    }
    return bbi_catalog_database_find(ctx->env->catalog, name, strlen(name), db_id, err);
}

const char *bbi_qctx_lost_policy(const struct bbi_qctx *ctx, uint32_t db_id)
{
    return ctx->env->no_autogen ? NULL : bbi_catalog_lost_default(ctx->env->catalog, db_id);
}

int bbi_qctx_array(struct bbi_qctx *ctx, size_t count, size_t size, void *out, struct bb_error *err)
{
    void *p = bbi_arena_zalloc(&ctx->arena, count, size);
    memcpy(out, &p, sizeof(p));
    return p == NULL ? bbi_error_nomem(err, "query") : BB_OK;
}
