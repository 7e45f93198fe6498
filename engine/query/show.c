/* SHOW ...: what the catalog knows, in InfluxDB's shapes. */
#include <stdlib.h>
#include <string.h>

#include "engine/catalog/names.h"
#include "engine/influxql/expr.h"
#include "engine/influxql/influxql.h"
#include "engine/query/authorize.h"
#include "engine/query/emit.h"
#include "engine/query/presence.h"
#include "engine/query/regex.h"
#include "engine/query/shards.h"
#include "engine/query/show.h"
#include "engine/query/sources.h"
#include "engine/query/statement.h"
#include "engine/query/tagcond.h"

struct bbi_show_page bbi_show_page_of(int64_t limit, int64_t offset)
{
    return (struct bbi_show_page){.skip = (uint64_t)offset,
                                  .left = limit == 0 ? UINT64_MAX : (uint64_t)limit};
}

bool bbi_show_page_takes(struct bbi_show_page *page)
{
    if (page->skip > 0) {
        page->skip--;
        return false;
    }
    if (page->left == 0) {
        return false;
    }
    page->left--;
    return true;
}

int bbi_show_begin(struct bbi_show_series *s, struct bb_error *err)
{
    if (s->begun) {
        return BB_OK;
    }
    int rc = bbi_emit_columns(s->e, s->name, s->columns, s->column_count, err);
    s->begun = rc == BB_OK;
    return rc;
}

int bbi_show_row(struct bbi_show_series *s, struct bb_value **row, struct bb_error *err)
{
    int rc = bbi_show_begin(s, err);
    return rc == BB_OK ? bbi_emit_row(s->e, row, err) : rc;
}

/* ---- databases, policies ---- */

/* The order in which they were made. */
static int by_name_id(const void *a, const void *b)
{
    const struct bbi_name *x = a;
    const struct bbi_name *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

int bbi_show_database_names(struct bbi_qctx *ctx, struct bbi_names *names, struct bb_error *err)
{
    int rc = bbi_catalog_databases(ctx->env->catalog, &ctx->acct, names, err);
    if (rc == BB_OK && names->count > 1) {
        qsort(names->list, names->count, sizeof(names->list[0]), by_name_id);
    }
    return rc;
}

static int show_databases(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"name"};
    struct bbi_names names;
    int rc = bbi_show_database_names(ctx, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_emit_columns(e, "databases", columns, 1, err);
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        struct bb_value *row;
        if (!bbi_authorize_sees(ctx, names.list[i].name, names.list[i].len)) {
            continue;
        }
        rc = bbi_emit_row(e, &row, err);
        if (rc == BB_OK) {
            row[0] = bbi_value_string(names.list[i].name, names.list[i].len);
        }
    }
    if (rc == BB_OK) {
        rc = bbi_emit_flush(e, err);
    }
    bbi_names_fini(&names);
    return rc;
}

static const char *duration_text(struct bbi_arena *arena, int64_t ns)
{
    uint8_t bytes[64];
    struct bbi_buf text = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    bbi_ql_duration_format_go(ns, &text);
    return bbi_arena_dup(arena, text.data, text.len);
}

static int by_id(const void *a, const void *b)
{
    const struct bbi_rp *x = a;
    const struct bbi_rp *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int show_policies(struct bbi_qctx *ctx, const struct bbi_ql_show *show, struct bbi_emit *e,
                         struct bb_error *err)
{
    static const char *const columns[] = {"name", "duration", "shardGroupDuration", "replicaN",
                                          "default"};
    uint32_t db_id;
    struct bbi_rp *rps = NULL;
    size_t count;
    int rc = bbi_qctx_database(ctx, show->database, &db_id, err);
    if (rc == BB_OK) {
        rc = bbi_catalog_rps(ctx->env->catalog, db_id, &ctx->acct, &rps, &count, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    qsort(rps, count, sizeof(rps[0]), by_id);
    rc = bbi_emit_columns(e, NULL, columns, 5, err);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        struct bb_value *row;
        const char *duration = duration_text(&ctx->arena, rps[i].duration_ns);
        const char *shard = duration_text(&ctx->arena, rps[i].shard_ns);
        if (duration == NULL || shard == NULL) {
            rc = bbi_error_nomem(err, "retention policies");
            break;
        }
        rc = bbi_emit_row(e, &row, err);
        if (rc == BB_OK) {
            row[0] = bbi_value_string(rps[i].name, rps[i].name_len);
            row[1] = bbi_value_string(duration, strlen(duration));
            row[2] = bbi_value_string(shard, strlen(shard));
            row[3] = bbi_value_int(rps[i].replicas);
            row[4] = bbi_value_bool(rps[i].is_default);
        }
    }
    if (rc == BB_OK) {
        rc = bbi_emit_flush(e, err);
    }
    bbi_mem_free(rps);
    return rc;
}

/* ---- conditions ---- */

int bbi_show_no_time(struct bbi_qctx *ctx, struct bbi_ql_expr *condition, const char *what,
                     struct bbi_ql_expr **rest, struct bb_error *err)
{
    struct bbi_ql_world world = {.now_ns = ctx->now_ns};
    struct bbi_ql_condition split;
    *rest = NULL;
    if (condition == NULL) {
        return BB_OK;
    }
    int rc = bbi_ql_condition_split(condition, &world, &ctx->arena, &split, err);
    if (rc == BB_OK && (split.has_tmin || split.has_tmax)) {
        rc = bbi_error_set(err, BB_EINVAL, "%s doesn't support time in WHERE clause", what);
    }
    *rest = rc == BB_OK ? split.rest : NULL;
    return rc;
}

/* ---- measurements ---- */

static int show_measurements(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                             struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"name"};
    struct bbi_show_series series = {e, "measurements", columns, 1, false};
    struct bbi_show_page page = bbi_show_page_of(show->limit, show->offset);
    struct bbi_measurements list;
    struct bbi_ql_expr *rest;
    uint32_t db_id;
    bool any = false;
    int rc = bbi_qctx_database(ctx, show->database, &db_id, err);
    if (rc == BB_ENOTFOUND) {
        return BB_OK;
    }
    rc = rc == BB_OK ? bbi_show_any_shard(ctx, db_id, &bbi_shards_always, &any, err) : rc;
    if (rc == BB_OK) {
        rc = bbi_sources_list(ctx, db_id, show->sources, show->source_count, &list, err);
    }
    if (rc == BB_OK) {
        rc = bbi_show_no_time(ctx, show->condition, "SHOW MEASUREMENTS", &rest, err);
    }
    ctx->goes_on = rc == BB_OK;
    if (rc == BB_OK && any && rest != NULL && list.count == 0) {
        rc = bbi_show_check_leaves(rest, err); /* InfluxDB looks at it if anything is stored */
    }
    for (size_t i = 0; rc == BB_OK && any && i < list.count; i++) {
        bool has = true;
        struct bb_value *row;
        if (rest != NULL) {
            rc = bbi_show_measurement_has(ctx, &list.list[i], rest, &has, err);
        }
        if (rc == BB_OK && has && bbi_show_page_takes(&page)) {
            rc = bbi_show_row(&series, &row, err);
            if (rc == BB_OK) {
                row[0] = bbi_value_string(list.list[i].name, strlen(list.list[i].name));
            }
        }
    }
    return rc;
}

/* ---- per measurement: tag keys, tag values, field keys ---- */

static int add_fields(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                      struct bbi_names_builder *out, struct bb_error *err)
{
    struct bbi_measurement here = *m;
    struct bbi_names names;
    int rc = bbi_presence_find(ctx, &here, &bbi_shards_always, err);
    rc = rc == BB_OK
             ? bbi_catalog_fields(ctx->env->catalog, m->db_id, m->id, &ctx->acct, &names, err)
             : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        const struct bbi_name *n = &names.list[i];
        rc = bbi_presence_has(&here, n->id)
                 ? bbi_names_builder_add(out, n->name, n->len, n->type, n->id, err)
                 : BB_OK;
    }
    bbi_names_fini(&names);
    return rc;
}

int bbi_show_field_names(struct bbi_qctx *ctx, const struct bbi_measurement *m, size_t count,
                         struct bbi_names *names, struct bb_error *err)
{
    struct bbi_names_builder builder;
    int rc = BB_OK;
    bbi_names_builder_init(&builder, &ctx->acct);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        rc = add_fields(ctx, &m[i], &builder, err);
    }
    rc = rc == BB_OK ? bbi_names_builder_finish(&builder, names, err) : rc;
    bbi_names_builder_fini(&builder);
    return rc;
}

/* Whether the condition wants any of the key's values. */
static int any_value_wanted(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                            const struct bbi_name *key, const roaring_bitmap_t *within,
                            const struct bbi_value_filter *filter, bool *wanted,
                            struct bb_error *err)
{
    struct bbi_names values;
    *wanted = filter->tests == NULL;
    if (*wanted) {
        return BB_OK;
    }
    int rc = bbi_catalog_tag_values(ctx->env->catalog, m->db_id, m->id, key->name, key->len, within,
                                    &ctx->acct, &values, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && !*wanted && i < values.count; i++) {
        rc = bbi_value_filter_takes(filter, &values.list[i], wanted, err);
    }
    bbi_names_fini(&values);
    return rc;
}

static int tag_keys_of(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                       const struct bbi_measurement *m, size_t count,
                       const roaring_bitmap_t *within, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"tagKey"};
    struct bbi_show_series series = {e, m->name, columns, 1, false};
    struct bbi_show_page page = bbi_show_page_of(show->limit, show->offset);
    struct bbi_value_filter filter;
    struct bbi_names names;
    (void)count;
    int rc = bbi_value_filter_read(ctx, "value", show->condition, &filter, err);
    rc = rc == BB_OK ? bbi_catalog_tag_keys(ctx->env->catalog, m->db_id, m->id, within, &ctx->acct,
                                            &names, err)
                     : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        struct bb_value *row;
        bool wanted;
        rc = bbi_show_key_wanted(ctx, show, &names.list[i], &wanted, err);
        if (rc == BB_OK && wanted) {
            rc = any_value_wanted(ctx, m, &names.list[i], within, &filter, &wanted, err);
        }
        if (rc == BB_OK && wanted && bbi_show_page_takes(&page)) {
            rc = bbi_show_row(&series, &row, err);
            if (rc == BB_OK) {
                row[0] = bbi_value_string(names.list[i].name, names.list[i].len);
            }
        }
    }
    if (rc == BB_OK) {
        rc = bbi_emit_flush(e, err);
    }
    bbi_names_fini(&names);
    return rc;
}

static int field_keys_of(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                         const struct bbi_measurement *m, size_t count,
                         const roaring_bitmap_t *within, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"fieldKey", "fieldType"};
    struct bbi_show_series series = {e, m->name, columns, 2, false};
    struct bbi_show_page page = bbi_show_page_of(show->limit, show->offset);
    struct bbi_names names;
    (void)within;
    int rc = bbi_show_field_names(ctx, m, count, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        struct bb_value *row;
        const char *type = bbi_type_name(names.list[i].type);
        if (bbi_show_page_takes(&page)) {
            rc = bbi_show_row(&series, &row, err);
            if (rc == BB_OK) {
                row[0] = bbi_value_string(names.list[i].name, names.list[i].len);
                row[1] = bbi_value_string(type, strlen(type));
            }
        }
    }
    if (rc == BB_OK) {
        rc = bbi_emit_flush(e, err);
    }
    bbi_names_fini(&names);
    return rc;
}

static int values_of_key(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                         const struct bbi_name *key, const roaring_bitmap_t *within,
                         const struct bbi_value_filter *filter, struct bbi_show_page *page,
                         struct bbi_show_series *series, struct bb_error *err)
{
    struct bbi_names values;
    if (page->left == 0) {
        return BB_OK;
    }
    bool all = filter->tests != NULL || page->left > SIZE_MAX - page->skip;
    int rc = bbi_catalog_tag_values_first(ctx->env->catalog, m->db_id, m->id, key->name, key->len,
                                          within, all ? SIZE_MAX : page->skip + page->left,
                                          &ctx->acct, &values, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && page->left > 0 && i < values.count; i++) {
        struct bb_value *row;
        bool wanted;
        rc = bbi_value_filter_takes(filter, &values.list[i], &wanted, err);
        if (rc == BB_OK && wanted && bbi_show_page_takes(page)) {
            rc = bbi_show_row(series, &row, err);
            if (rc == BB_OK) {
                row[0] = bbi_value_string(key->name, key->len);
                row[1] = bbi_value_string(values.list[i].name, values.list[i].len);
            }
        }
    }
    if (rc == BB_OK) {
        rc = bbi_emit_flush(series->e, err);
    }
    bbi_names_fini(&values);
    return rc;
}

static int tag_values_of(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                         const struct bbi_measurement *m, size_t count,
                         const roaring_bitmap_t *within, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"key", "value"};
    struct bbi_show_series series = {e, m->name, columns, 2, false};
    struct bbi_show_page page = bbi_show_page_of(show->limit, show->offset);
    struct bbi_value_filter filter;
    struct bbi_value_filter key_filter;
    struct bbi_names keys;
    (void)count;
    int rc = bbi_value_filter_read(ctx, "value", show->condition, &filter, err);
    rc = rc == BB_OK ? bbi_value_filter_read(ctx, "_tagKey", show->condition, &key_filter, err)
                     : rc;
    rc = rc == BB_OK ? bbi_catalog_tag_keys(ctx->env->catalog, m->db_id, m->id, within, &ctx->acct,
                                            &keys, err)
                     : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < keys.count; i++) {
        bool wanted;
        rc = bbi_show_key_wanted(ctx, show, &keys.list[i], &wanted, err);
        if (rc == BB_OK && wanted) {
            rc = bbi_value_filter_takes(&key_filter, &keys.list[i], &wanted, err);
        }
        if (rc == BB_OK && wanted) {
            rc = values_of_key(ctx, m, &keys.list[i], within, &filter, &page, &series, err);
        }
    }
    bbi_names_fini(&keys);
    return rc;
}

int bbi_statement_show(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                       struct bb_error *err)
{
    const struct bbi_ql_show *show = &statement->u.show;
    struct bbi_emit e;
    int rc;
    bbi_emit_init(&e, ctx, false);
    switch (statement->kind) {
    case BBI_QL_SHOW_DATABASES:
        rc = show_databases(ctx, &e, err);
        break;
    case BBI_QL_SHOW_POLICIES:
        rc = show_policies(ctx, show, &e, err);
        break;
    case BBI_QL_SHOW_MEASUREMENTS:
        rc = show_measurements(ctx, show, &e, err);
        break;
    case BBI_QL_SHOW_SERIES:
        rc = bbi_show_series_keys(ctx, show, &e, err);
        break;
    case BBI_QL_SHOW_TAG_KEYS:
        rc = bbi_show_each(ctx, show, tag_keys_of, &e, err);
        break;
    case BBI_QL_SHOW_TAG_VALUES:
        rc = bbi_show_each(ctx, show, tag_values_of, &e, err);
        break;
    case BBI_QL_SHOW_FIELD_KEYS:
        rc = bbi_show_each_field(ctx, show, field_keys_of, &e, err);
        break;
    case BBI_QL_SHOW_MEASUREMENT_CARDINALITY:
    case BBI_QL_SHOW_SERIES_CARDINALITY:
    case BBI_QL_SHOW_TAG_KEY_CARDINALITY:
    case BBI_QL_SHOW_TAG_VALUES_CARDINALITY:
    case BBI_QL_SHOW_FIELD_KEY_CARDINALITY:
        rc = bbi_show_cardinality(ctx, statement, &e, err);
        break;
    default:
        rc = bbi_show_state(ctx, statement, &e, err);
        break;
    }
    if (rc == BB_OK) {
        rc = bbi_emit_flush(&e, err);
    }
    bbi_emit_fini(&e);
    return rc;
}
