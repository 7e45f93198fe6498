/* SHOW ... CARDINALITY: counts of what the other SHOWs list. All of them are exact here; where
 * InfluxDB estimates, the column is named as its is. */
#include <stdlib.h>
#include <string.h>

#include "engine/influxql/expr.h"
#include "engine/query/show.h"
#include "engine/query/statement.h"
#include "engine/query/tagcond.h"

static const char *const count_column[] = {"count"};
static const char *const estimate_column[] = {"cardinality estimation"};

static int one_row(struct bbi_emit *e, const char *name, const char *const *columns, uint64_t count,
                   struct bb_error *err)
{
    struct bb_value *row;
    int rc = bbi_emit_columns(e, name, columns, 1, err);
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_int((int64_t)count);
    }
    return rc == BB_OK ? bbi_emit_flush(e, err) : rc;
}

/* A series of one row each: OFFSET passes over it. */
static int counted(const struct bbi_ql_show *show, const struct bbi_measurement *m, uint64_t count,
                   struct bbi_emit *e, struct bb_error *err)
{
    return count == 0 || show->offset > 0 ? BB_OK : one_row(e, m->name, count_column, count, err);
}

static int count_series(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        const struct bbi_measurement *m, const roaring_bitmap_t *within,
                        struct bbi_emit *e, struct bb_error *err)
{
    uint64_t count = 0;
    int rc = BB_OK;
    if (within != NULL) {
        count = roaring_bitmap_get_cardinality(within);
    } else {
        rc = bbi_catalog_series_count(ctx->env->catalog, m->db_id, m->id, &count, err);
    }
    return rc == BB_OK ? counted(show, m, count, e, err) : rc;
}

static int count_tag_keys(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                          const struct bbi_measurement *m, const roaring_bitmap_t *within,
                          struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_names names;
    int rc = bbi_catalog_tag_keys(ctx->env->catalog, m->db_id, m->id, within, &ctx->acct, &names,
                                  err);
    if (rc == BB_OK) {
        rc = counted(show, m, names.count, e, err);
        bbi_names_fini(&names);
    }
    return rc;
}

static int count_field_keys(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                            const struct bbi_measurement *m, const roaring_bitmap_t *within,
                            struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_names names;
    (void)within;
    int rc = bbi_show_field_names(ctx, m, &names, err);
    if (rc == BB_OK) {
        rc = counted(show, m, names.count, e, err);
        bbi_names_fini(&names);
    }
    return rc;
}

static int by_bytes(const void *a, const void *b)
{
    const struct bbi_name *x = a;
    const struct bbi_name *y = b;
    size_t least = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->name, y->name, least);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* Values of all wanted keys, each once whatever key has it. */
struct value_set {
    struct bbi_names *lists; /* [list_count] one for each key */
    size_t list_count;
    size_t total;
};

static int count_distinct(struct bbi_qctx *ctx, const struct value_set *set, uint64_t *count,
                          struct bb_error *err)
{
    struct bbi_name *all = bbi_mem_zalloc(&ctx->acct, set->total, sizeof(all[0]));
    size_t n = 0;
    if (all == NULL) {
        return bbi_error_nomem(err, "tag values");
    }
    for (size_t i = 0; i < set->list_count; i++) {
        if (set->lists[i].count != 0) {
            memcpy(all + n, set->lists[i].list, set->lists[i].count * sizeof(all[0]));
        }
        n += set->lists[i].count;
    }
    qsort(all, n, sizeof(all[0]), by_bytes);
    *count = n > 0;
    for (size_t i = 1; i < n; i++) {
        *count += by_bytes(&all[i - 1], &all[i]) != 0;
    }
    bbi_mem_free(all);
    return BB_OK;
}

static int list_values(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                       const struct bbi_measurement *m, const roaring_bitmap_t *within,
                       const struct bbi_names *keys, struct value_set *set, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < keys->count; i++) {
        bool wanted;
        rc = bbi_show_key_wanted(ctx, show, &keys->list[i], &wanted, err);
        if (rc != BB_OK || !wanted) {
            continue;
        }
        rc = bbi_catalog_tag_values(ctx->env->catalog, m->db_id, m->id, keys->list[i].name,
                                    keys->list[i].len, within, &ctx->acct,
                                    &set->lists[set->list_count], err);
        if (rc == BB_OK) {
            set->total += set->lists[set->list_count++].count;
        }
    }
    return rc;
}

static int count_tag_values(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                            const struct bbi_measurement *m, const roaring_bitmap_t *within,
                            struct bbi_emit *e, struct bb_error *err)
{
    struct value_set set = {.list_count = 0};
    struct bbi_names keys;
    uint64_t count = 0;
    int rc = bbi_catalog_tag_keys(ctx->env->catalog, m->db_id, m->id, within, &ctx->acct, &keys,
                                  err);
    if (rc != BB_OK) {
        return rc;
    }
    set.lists = bbi_mem_zalloc(&ctx->acct, keys.count, sizeof(set.lists[0]));
    rc = set.lists == NULL ? bbi_error_nomem(err, "tag values") : BB_OK;
    rc = rc == BB_OK ? list_values(ctx, show, m, within, &keys, &set, err) : rc;
    rc = rc == BB_OK ? count_distinct(ctx, &set, &count, err) : rc;
    for (size_t i = 0; i < set.list_count; i++) {
        bbi_names_fini(&set.lists[i]);
    }
    bbi_mem_free(set.lists);
    bbi_names_fini(&keys);
    return rc == BB_OK ? counted(show, m, count, e, err) : rc;
}

static int count_measurements(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                              bool is_estimate, struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_measurements list;
    struct bbi_ql_expr *rest;
    uint32_t db_id;
    uint64_t count = 0;
    int rc = bbi_qctx_database(ctx, show->database, &db_id, err);
    if (rc == BB_ENOTFOUND && is_estimate) {
        return one_row(e, NULL, estimate_column, 0, err);
    }
    rc = rc == BB_OK ? bbi_sources_list(ctx, db_id, show->sources, show->source_count, &list, err)
                     : rc;
    if (rc == BB_OK) {
        rc = bbi_show_no_time(ctx, show->condition, "SHOW MEASUREMENT EXACT CARDINALITY", &rest,
                              err);
    }
    for (size_t i = 0; rc == BB_OK && i < list.count; i++) {
        struct bbi_tagcond cond;
        roaring_bitmap_t *ids = NULL;
        const struct bbi_measurement *m = &list.list[i];
        rc = bbi_qctx_check(ctx, err);
        rc = rc == BB_OK
                 ? bbi_tagcond_split(ctx, m->db_id, m->id, rest, BBI_FIELDS_NEVER, &cond, err)
                 : rc;
        rc = rc == BB_OK ? bbi_tagcond_select(ctx, m->db_id, m->id, &cond, &ids, err) : rc;
        count += rc == BB_OK && !roaring_bitmap_is_empty(ids);
        if (ids != NULL) {
            roaring_bitmap_free(ids);
        }
    }
    if (rc != BB_OK || is_estimate) {
        return rc == BB_OK ? one_row(e, NULL, estimate_column, count, err) : rc;
    }
    return count == 0 || show->offset > 0 ? BB_OK : one_row(e, NULL, count_column, count, err);
}

static int estimate_series(struct bbi_qctx *ctx, const struct bbi_ql_show *show, struct bbi_emit *e,
                           struct bb_error *err)
{
    uint32_t db_id;
    uint64_t count = 0;
    int rc = bbi_qctx_database(ctx, show->database, &db_id, err);
    if (rc == BB_OK) {
        rc = bbi_catalog_series_count(ctx->env->catalog, db_id, 0, &count, err);
    } else if (rc == BB_ENOTFOUND) {
        rc = BB_OK;
    }
    return rc == BB_OK ? one_row(e, NULL, estimate_column, count, err) : rc;
}

/* InfluxDB estimates where nothing narrows it down. */
static bool is_estimate(const struct bbi_ql_show *show)
{
    return !show->exact && show->source_count == 0 && show->condition == NULL &&
           show->dimension_count == 0 && show->limit == 0 && show->offset == 0;
}

static int count_each(struct bbi_qctx *ctx, const struct bbi_ql_show *show, const char *what,
                      bbi_show_fn fn, struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_ql_expr *rest;
    int rc = bbi_show_no_time(ctx, show->condition, what, &rest, err);
    return rc == BB_OK ? bbi_show_each(ctx, show, BBI_FIELDS_NEVER, fn, e, err) : rc;
}

/* Tag values have no time of their own: to InfluxDB each has time 0. */
static int count_all_values(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                            struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_ql_world world = {.now_ns = ctx->now_ns};
    struct bbi_ql_condition when = {.has_tmin = false};
    int rc = BB_OK;
    if (show->condition != NULL) {
        rc = bbi_ql_condition_split(show->condition, &world, &ctx->arena, &when, err);
    }
    if (rc != BB_OK || (when.has_tmin && when.tmin > 0) || (when.has_tmax && when.tmax < 0)) {
        return rc;
    }
    return bbi_show_each(ctx, show, BBI_FIELDS_ABSENT, count_tag_values, e, err);
}

int bbi_show_cardinality(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                         struct bbi_emit *e, struct bb_error *err)
{
    const struct bbi_ql_show *show = &statement->u.show;
    struct bbi_ql_expr *rest;
    int rc;
    if (show->dimension_count != 0) {
        return bbi_error_set(err, BB_EUNSUPPORTED, "GROUP BY of a CARDINALITY is not supported");
    }
    switch (statement->kind) {
    case BBI_QL_SHOW_MEASUREMENT_CARDINALITY:
        return count_measurements(ctx, show, is_estimate(show), e, err);
    case BBI_QL_SHOW_SERIES_CARDINALITY:
        if (is_estimate(show)) {
            return estimate_series(ctx, show, e, err);
        }
        return count_each(ctx, show, "SHOW SERIES EXACT CARDINALITY", count_series, e, err);
    case BBI_QL_SHOW_TAG_KEY_CARDINALITY:
        return count_each(ctx, show, "SHOW TAG KEY EXACT CARDINALITY", count_tag_keys, e, err);
    case BBI_QL_SHOW_TAG_VALUES_CARDINALITY:
        return count_all_values(ctx, show, e, err);
    default:
        rc = bbi_show_no_time(ctx, show->condition, "SHOW FIELD KEY CARDINALITY", &rest, err);
        return rc == BB_OK
                   ? bbi_show_each_policy(ctx, show, BBI_FIELDS_NEVER, count_field_keys, e, err)
                   : rc;
    }
}
