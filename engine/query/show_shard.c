/*
 * SHOW SHARDS, SHOW SHARD GROUPS, DROP SHARD: a shard is a partition, a policy's stretch of time.
 *
 * Its number is made of the policy's id and the stretch's place, so that it is the same whatever is
 * flushed or compacted. Shown are those that have rows.
 */
#include <stdio.h>

#include "engine/influxql/expr.h"
#include "engine/partition/span.h"
#include "engine/query/shard_places.h"
#include "engine/query/show.h"
#include "engine/query/statement.h"

/* The policy's id stands above the place. */
#define PLACE_BITS 32

struct shard_list {
    struct bbi_qctx *ctx;
    const struct bbi_rp *rp;
    roaring_bitmap_t *places;
};

/* A time as RFC 3339, in the statement's arena. */
static int put_time(struct bbi_qctx *ctx, int64_t time_ns, struct bb_value *value,
                    struct bb_error *err)
{
    struct bbi_buf text;
    bbi_buf_init(&text, &ctx->acct, 256);
    bbi_ql_time_format(time_ns, &text);
    int rc = bbi_buf_check(&text, "time", err);
    const char *copy = rc == BB_OK ? bbi_arena_dup(&ctx->arena, text.data, text.len) : NULL;
    if (rc == BB_OK && copy == NULL) {
        rc = bbi_error_nomem(err, "time");
    }
    *value = bbi_value_string(copy, text.len);
    bbi_buf_fini(&text);
    return rc;
}

static uint64_t shard_id(const struct bbi_rp *rp, uint32_t place)
{
    return ((uint64_t)rp->id << PLACE_BITS) + place;
}

static int put_shard(struct shard_list *l, const struct bbi_name *database, uint32_t place,
                     bool groups, struct bb_value *row, struct bb_error *err)
{
    const struct bbi_rp *rp = l->rp;
    struct bbi_span span = bbi_span_of(bbi_place_start(place, rp->shard_ns), rp->shard_ns);
    int64_t expiry;
    size_t k = 0;
    if (__builtin_add_overflow(span.t1, rp->duration_ns, &expiry)) {
        expiry = INT64_MAX;
    }
    row[k++] = bbi_value_uint(shard_id(rp, place));
    row[k++] = bbi_value_string(database->name, database->len);
    row[k++] = bbi_value_string(rp->name, rp->name_len);
    if (!groups) {
        row[k++] = bbi_value_uint(shard_id(rp, place));
    }
    int rc = put_time(l->ctx, span.t0, &row[k++], err);
    rc = rc == BB_OK ? put_time(l->ctx, span.t1, &row[k++], err) : rc;
    rc = rc == BB_OK ? put_time(l->ctx, expiry, &row[k++], err) : rc;
    if (!groups) {
        row[k] = bbi_value_string("", 0);
    }
    return rc;
}

static int show_policy(struct bbi_qctx *ctx, const struct bbi_name *database,
                       const struct bbi_rp *rp, bool groups, struct bbi_show_series *series,
                       struct bb_error *err)
{
    struct shard_list l = {.ctx = ctx, .rp = rp};
    int rc = bbi_shard_places(ctx, rp, false, &l.places, err);
    if (rc != BB_OK) {
        return rc;
    }
    roaring_uint32_iterator_t it;
    roaring_init_iterator(l.places, &it);
    for (; rc == BB_OK && it.has_value; roaring_advance_uint32_iterator(&it)) {
        struct bb_value *row;
        rc = bbi_show_row(series, &row, err);
        rc = rc == BB_OK ? put_shard(&l, database, it.current_value, groups, row, err) : rc;
    }
    roaring_bitmap_free(l.places);
    return rc;
}

static int show_database(struct bbi_qctx *ctx, const struct bbi_name *database, bool groups,
                         struct bbi_show_series *series, struct bb_error *err)
{
    struct bbi_rp *rps;
    size_t count;
    int rc = bbi_catalog_rps(ctx->env->catalog, database->id, &ctx->acct, &rps, &count, err);
    if (rc == BB_ENOTFOUND) {
        return BB_OK; /* dropped meanwhile */
    }
    rc = rc == BB_OK ? bbi_show_begin(series, err) : rc;
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        rc = show_policy(ctx, database, &rps[i], groups, series, err);
    }
    rc = rc == BB_OK ? bbi_emit_flush(series->e, err) : rc;
    bbi_mem_free(rps);
    return rc;
}

int bbi_show_shards(struct bbi_qctx *ctx, bool groups, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const shard_columns[] = {"id",          "database",   "retention_policy",
                                                "shard_group", "start_time", "end_time",
                                                "expiry_time", "owners"};
    static const char *const group_columns[] = {"id",         "database", "retention_policy",
                                                "start_time", "end_time", "expiry_time"};
    struct bbi_show_series all = {e, "shard groups", group_columns, 6, false};
    struct bbi_names names;
    int rc = bbi_qctx_snapshot(ctx, err);
    if (rc == BB_OK) {
        rc = bbi_show_database_names(ctx, &names, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    rc = groups ? bbi_show_begin(&all, err) : BB_OK;
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        const char *name = bbi_arena_dup(&ctx->arena, names.list[i].name, names.list[i].len);
        struct bbi_show_series own = {e, name, shard_columns, 8, false};
        rc = name == NULL ? bbi_error_nomem(err, "shards")
                          : show_database(ctx, &names.list[i], groups, groups ? &all : &own, err);
    }
    rc = rc == BB_OK ? bbi_emit_flush(e, err) : rc;
    bbi_names_fini(&names);
    return rc;
}

/* ---- numbers ---- */

/*
 * Monitoring keeps a series for each shard that it is told of, so here a file of scattered rows
 * counts for the shards in which it begins and ends, not for thousands between, and its bytes for
 * the first.
 */

/* bytes: a number for each place, of the segments that begin there. */
static void add_segments(const struct shard_list *l, uint64_t *bytes)
{
    const struct bbi_version *version = l->ctx->snapshot.version;
    size_t first;
    size_t count;
    bbi_version_range(version, l->rp->db_id, l->rp->id, &first, &count);
    for (size_t i = first; i < first + count; i++) {
        const struct bbi_segment_meta *meta = &version->segments[i].meta;
        /* It is there: bbi_shard_places saw the same version. */
        uint32_t place = bbi_place_of(meta->tmin, l->rp->shard_ns);
        bytes[roaring_bitmap_rank(l->places, place) - 1] += meta->file_bytes;
    }
}

static int put_shard_stats(struct shard_list *l, const char *database, const char *policy,
                           uint32_t place, uint64_t bytes, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const tags[] = {"database", "engine", "id", "retentionPolicy"};
    static const char *const columns[] = {"diskBytes"};
    char id[24];
    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)shard_id(l->rp, place));
    const char *const values[] = {database, "busbar", id, policy};
    struct bb_series series = {.name = "shard",
                               .tag_count = 4,
                               .tag_keys = tags,
                               .tag_values = values,
                               .column_count = 1,
                               .columns = columns};
    struct bb_value *row;
    int rc = bbi_emit_series(e, &series, err);
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_uint(bytes);
        rc = bbi_emit_flush(e, err);
    }
    return rc;
}

static int put_places(struct shard_list *l, const char *database, struct bbi_emit *e,
                      struct bb_error *err)
{
    struct bbi_qctx *ctx = l->ctx;
    size_t count = (size_t)roaring_bitmap_get_cardinality(l->places);
    const char *policy = bbi_arena_dup(&ctx->arena, l->rp->name, l->rp->name_len);
    uint64_t *bytes = bbi_mem_zalloc(&ctx->acct, count, sizeof(bytes[0]));
    int rc = policy == NULL || bytes == NULL ? bbi_error_nomem(err, "shards") : BB_OK;
    roaring_uint32_iterator_t it;
    roaring_init_iterator(l->places, &it);
    if (rc == BB_OK) {
        add_segments(l, bytes);
    }
    for (size_t i = 0; rc == BB_OK && it.has_value; i++) {
        rc = put_shard_stats(l, database, policy, it.current_value, bytes[i], e, err);
        roaring_advance_uint32_iterator(&it);
    }
    bbi_mem_free(bytes);
    return rc;
}

static int policy_stats(struct bbi_qctx *ctx, const char *database, const struct bbi_rp *rp,
                        struct bbi_emit *e, struct bb_error *err)
{
    struct shard_list l = {.ctx = ctx, .rp = rp};
    int rc = bbi_shard_places(ctx, rp, true, &l.places, err);
    if (rc == BB_OK) {
        rc = put_places(&l, database, e, err);
        roaring_bitmap_free(l.places);
    }
    return rc;
}

static int database_stats(struct bbi_qctx *ctx, const struct bbi_name *database, struct bbi_emit *e,
                          struct bb_error *err)
{
    struct bbi_rp *rps;
    size_t count;
    const char *name = bbi_arena_dup(&ctx->arena, database->name, database->len);
    if (name == NULL) {
        return bbi_error_nomem(err, "shards");
    }
    int rc = bbi_catalog_rps(ctx->env->catalog, database->id, &ctx->acct, &rps, &count, err);
    if (rc != BB_OK) {
        return rc == BB_ENOTFOUND ? BB_OK : rc; /* dropped meanwhile */
    }
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        rc = policy_stats(ctx, name, &rps[i], e, err);
    }
    bbi_mem_free(rps);
    return rc;
}

int bbi_show_shard_stats(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_names names;
    int rc = bbi_qctx_snapshot(ctx, err);
    rc = rc == BB_OK ? bbi_catalog_databases(ctx->env->catalog, &ctx->acct, &names, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        rc = database_stats(ctx, &names.list[i], e, err);
    }
    bbi_names_fini(&names);
    return rc;
}

/* ---- DROP SHARD ---- */

/* The first time in the range that a stretch may have, if they overlap. */
static bool shared_time(const struct bbi_ql_condition *when, int64_t tmin, int64_t tmax,
                        int64_t *time)
{
    *time = tmin > when->tmin ? tmin : when->tmin;
    return tmin <= when->tmax && tmax >= when->tmin;
}

static bool find_in_policy(const struct bbi_snapshot *snapshot, const struct bbi_rp *rp,
                           const struct bbi_ql_condition *when, int64_t *time)
{
    size_t first;
    size_t count;
    bbi_version_range(snapshot->version, rp->db_id, rp->id, &first, &count);
    for (size_t i = first; i < first + count; i++) {
        const struct bbi_segment_meta *meta = &snapshot->version->segments[i].meta;
        if (shared_time(when, meta->tmin, meta->tmax, time)) {
            return true;
        }
    }
    for (size_t i = 0; i < snapshot->memtable_count; i++) {
        struct bbi_memspace_info info;
        const struct bbi_memspace *space = bbi_memtable_space(snapshot->memtables[i], rp->db_id,
                                                              rp->id);
        if (space == NULL) {
            continue;
        }
        bbi_memspace_info(space, &info);
        if (info.value_count > 0 && shared_time(when, info.tmin, info.tmax, time)) {
            return true;
        }
    }
    return false;
}

int bbi_shard_find(struct bbi_qctx *ctx, uint32_t db_id, const struct bbi_ql_condition *when,
                   bool *found, uint64_t *id, struct bb_error *err)
{
    struct bbi_rp *rps = NULL;
    size_t count = 0;
    int64_t time;
    *found = false;
    int rc = bbi_qctx_snapshot(ctx, err);
    rc = rc == BB_OK ? bbi_catalog_rps(ctx->env->catalog, db_id, &ctx->acct, &rps, &count, err)
                     : rc;
    for (size_t i = 0; rc == BB_OK && !*found && i < count; i++) {
        *found = find_in_policy(&ctx->snapshot, &rps[i], when, &time);
        *id = *found ? shard_id(&rps[i], bbi_place_of(time, rps[i].shard_ns)) : 0;
    }
    bbi_mem_free(rps);
    return rc;
}

int bbi_statement_drop_shard(struct bbi_qctx *ctx, uint64_t id, struct bb_error *err)
{
    struct bbi_rp rp;
    roaring_bitmap_t *series;
    uint64_t rp_id = id >> PLACE_BITS;
    int64_t place = (int64_t)(id & UINT32_MAX) - BBI_PLACE_ZERO;
    int64_t start;
    int rc = rp_id > UINT32_MAX ? BB_ENOTFOUND
                                : bbi_catalog_rp_get(ctx->env->catalog, (uint32_t)rp_id, &rp, err);
    if (rc == BB_ENOTFOUND) {
        return BB_OK; /* as InfluxDB: a shard that is not there is gone */
    }
    if (rc != BB_OK || __builtin_mul_overflow(place, rp.shard_ns, &start)) {
        return rc;
    }
    struct bbi_span span = bbi_span_of(start, rp.shard_ns);
    rc = bbi_catalog_select(ctx->env->catalog, rp.db_id, 0, NULL, &series, err);
    if (rc == BB_OK) {
        rc = ctx->env->delete_rows(ctx->env->arg, rp.db_id, rp.id, series, span.t0, span.t1 - 1,
                                   err);
        roaring_bitmap_free(series);
    }
    return rc == BB_OK ? bbi_statement_forget(ctx, rp.db_id, 0, NULL, err) : rc;
}
