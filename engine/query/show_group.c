/* GROUP BY of the CARDINALITY forms: a count for each combination of the tags' values. */
#include <stdlib.h>
#include <string.h>

#include "engine/query/groups.h"
#include "engine/query/regex.h"
#include "engine/query/show.h"

static const char *const count_column[] = {"count"};

/* ---- dimensions ---- */

struct names {
    const char **list;
    size_t count;
    size_t cap;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_name(struct bbi_qctx *ctx, struct names *names, const char *name,
                    struct bb_error *err)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i], name) == 0) {
            return BB_OK;
        }
    }
    if (names->count == names->cap) {
        size_t cap = names->cap == 0 ? 8 : names->cap * 2;
        const char **list;
        int rc = bbi_qctx_array(ctx, cap, sizeof(list[0]), &list, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (names->count != 0) {
            memcpy(list, names->list, names->count * sizeof(list[0]));
        }
        names->list = list;
        names->cap = cap;
    }
    names->list[names->count++] = name;
    return BB_OK;
}

/* The tag keys of a measurement that a wildcard (pattern NULL) or a pattern stands for. */
static int add_keys(struct bbi_qctx *ctx, const struct bbi_measurement *m, const char *pattern,
                    struct names *names, struct bb_error *err)
{
    struct bbi_regex *regex = NULL;
    struct bbi_names keys;
    int rc = pattern == NULL ? BB_OK : bbi_regex_compile(&ctx->arena, pattern, &regex, err);
    rc = rc == BB_OK ? bbi_catalog_tag_keys(ctx->env->catalog, m->db_id, m->id, NULL, &ctx->acct,
                                            &keys, err)
                     : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < keys.count; i++) {
        const struct bbi_name *key = &keys.list[i];
        bool wanted = true;
        if (regex != NULL) {
            rc = bbi_regex_match(regex, key->name, key->len, &wanted, err);
        }
        if (rc == BB_OK && wanted) {
            char *name = bbi_arena_zalloc(&ctx->arena, key->len + 1, 1);
            if (name != NULL) {
                memcpy(name, key->name, key->len);
            }
            rc = name == NULL ? bbi_error_nomem(err, "tag keys") : add_name(ctx, names, name, err);
        }
    }
    bbi_names_fini(&keys);
    return rc;
}

static int add_dimension(struct bbi_qctx *ctx, const struct bbi_measurements *from,
                         const struct bbi_ql_expr *dimension, struct names *names,
                         struct bb_error *err)
{
    if (dimension->kind == BBI_QL_VAR) {
        return add_name(ctx, names, dimension->u.var.name, err);
    }
    if (dimension->kind != BBI_QL_WILDCARD && dimension->kind != BBI_QL_REGEX) {
        return bbi_error_set(err, BB_EINVAL, "only tags may stand in GROUP BY of a CARDINALITY");
    }
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < from->count; i++) {
        const char *pattern = dimension->kind == BBI_QL_REGEX ? dimension->u.string : NULL;
        rc = add_keys(ctx, &from->list[i], pattern, names, err);
    }
    return rc;
}

int bbi_show_dimensions(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        struct bbi_show_groups *out, struct bb_error *err)
{
    struct bbi_measurements from = {.count = 0};
    struct names names = {.count = 0};
    uint32_t db_id;
    *out = (struct bbi_show_groups){.show = *show};
    if (show->dimension_count == 0) {
        return BB_OK;
    }
    int rc = bbi_qctx_database(ctx, show->database, &db_id, err);
    rc = rc == BB_OK ? bbi_sources_list(ctx, db_id, show->sources, show->source_count, &from, err)
                     : rc;
    for (size_t i = 0; rc == BB_OK && i < show->dimension_count; i++) {
        rc = add_dimension(ctx, &from, show->dimensions[i], &names, err);
    }
    if (rc == BB_OK && names.count > 1) {
        qsort(names.list, names.count, sizeof(names.list[0]), by_text);
    }
    out->dims = names.list;
    out->dim_count = names.count;
    return rc;
}

/* ---- counts ---- */

int bbi_show_count_row(struct bbi_emit *e, const char *name, const struct bbi_show_groups *g,
                       const char *const *tags, uint64_t count, struct bb_error *err)
{
    struct bb_value *row;
    struct bb_series series = {.name = name,
                               .tag_count = g->dim_count,
                               .tag_keys = g->dims,
                               .tag_values = tags,
                               .column_count = 1,
                               .columns = count_column};
    /* Each is a series of one row: OFFSET passes over it. */
    if (count == 0 || g->show.offset > 0) {
        return BB_OK;
    }
    int rc = bbi_emit_series(e, &series, err);
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_int((int64_t)count);
    }
    return rc == BB_OK ? bbi_emit_flush(e, err) : rc;
}

/* The set's series, those of a group together. */
static int sort_members(struct bbi_qctx *ctx, const struct bbi_series_set *set, uint32_t **members,
                        size_t **ends, struct bb_error *err)
{
    int rc = bbi_qctx_array(ctx, set->count, sizeof((*members)[0]), members, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, set->groups.count + 1, sizeof((*ends)[0]), ends, err)
                     : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < set->count; i++) {
        (*ends)[bbi_series_group(set, i) + 1]++;
    }
    for (size_t g = 1; g <= set->groups.count; g++) {
        (*ends)[g] += (*ends)[g - 1];
    }
    for (size_t i = 0; i < set->count; i++) {
        (*members)[(*ends)[bbi_series_group(set, i)]++] = set->ids[i];
    }
    return BB_OK;
}

static int tell_groups(struct bbi_qctx *ctx, const struct bbi_series_set *set, bbi_show_group_fn fn,
                       void *arg, struct bb_error *err)
{
    uint32_t *members;
    size_t *ends;
    size_t from = 0;
    int rc = sort_members(ctx, set, &members, &ends, err);
    for (size_t g = 0; rc == BB_OK && g < set->groups.count; g++) {
        roaring_bitmap_t *group = roaring_bitmap_of_ptr(ends[g] - from, members + from);
        from = ends[g];
        rc = group == NULL ? bbi_error_nomem(err, "series") : bbi_qctx_check(ctx, err);
        rc = rc == BB_OK ? fn(arg, set->groups.list[g], group, err) : rc;
        if (group != NULL) {
            roaring_bitmap_free(group);
        }
    }
    return rc;
}

int bbi_show_grouped(struct bbi_qctx *ctx, const struct bbi_show_groups *g,
                     const struct bbi_measurement *m, const roaring_bitmap_t *within,
                     bbi_show_group_fn fn, void *arg, struct bb_error *err)
{
    struct bbi_series_set set;
    roaring_bitmap_t *all = NULL;
    int rc = BB_OK;
    if (within != NULL) {
        all = roaring_bitmap_copy(within);
        rc = all == NULL ? bbi_error_nomem(err, "series") : BB_OK;
    } else {
        rc = bbi_catalog_select(ctx->env->catalog, m->db_id, m->id, NULL, &all, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    memset(&set, 0, sizeof(set));
    rc = bbi_series_set_build(&set, ctx, m->db_id, all, g->dims, g->dim_count, NULL, 0, err);
    rc = rc == BB_OK ? tell_groups(ctx, &set, fn, arg, err) : rc;
    bbi_series_set_fini(&set);
    return rc;
}
