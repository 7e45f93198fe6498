/*
 * Which measurements and series a SHOW is about.
 *
 * InfluxDB keeps the names of a database in one index and asks its shards only whether there are
 * any where a statement looks; so SHOW TAG KEYS and TAG VALUES look at all policies, SHOW SERIES
 * and FIELD KEYS at each name of FROM in each policy of FROM, and what counts exactly (CARDINALITY)
 * or by time (SHOW SERIES WHERE time) at the series that have rows there.
 */
#include <string.h>

#include "engine/influxql/influxql.h"
#include "engine/query/shards.h"
#include "engine/query/show.h"
#include "engine/query/tagcond.h"

/* A measurement's series that the condition selects; *out NULL: no condition, all. */
static int series_within(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                         struct bbi_ql_expr *condition, enum bbi_tagcond_fields fields,
                         roaring_bitmap_t **out, struct bb_error *err)
{
    struct bbi_tagcond cond;
    *out = NULL;
    if (condition == NULL) {
        return BB_OK;
    }
    int rc = bbi_tagcond_split(ctx, m->db_id, m->id, condition, fields, &cond, err);
    return rc == BB_OK ? bbi_tagcond_select(ctx, m->db_id, m->id, &cond, out, err) : rc;
}

int bbi_show_split(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                   struct bbi_ql_condition *when, struct bb_error *err)
{
    struct bbi_ql_world world = {.now_ns = ctx->now_ns};
    *when = bbi_shards_always;
    return show->condition == NULL
               ? BB_OK
               : bbi_ql_condition_split(show->condition, &world, &ctx->arena, when, err);
}

/* The operators that a condition may have: SHOW SERIES looks at all of them (deep), SHOW TAG at
 * those that AND and OR join. */
static int check_operators(const struct bbi_ql_expr *expr, bool deep, unsigned depth,
                           struct bb_error *err)
{
    while (expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    if (depth > BBI_QL_DEPTH_MAX * 8) {
        return bbi_error_set(err, BB_ELIMIT, "condition is nested too deeply");
    }
    if (expr->kind != BBI_QL_BINARY) {
        return BB_OK;
    }
    switch (expr->u.binary.op) {
    case BBI_QL_EQ:
    case BBI_QL_NEQ:
    case BBI_QL_EQREGEX:
    case BBI_QL_NEQREGEX:
        if (!deep) {
            return BB_OK;
        }
        break;
    case BBI_QL_AND:
    case BBI_QL_OR:
        break;
    default:
        return bbi_error_set(err, BB_EINVAL, "invalid tag comparison operator");
    }
    int rc = check_operators(expr->u.binary.lhs, deep, depth + 1, err);
    return rc == BB_OK ? check_operators(expr->u.binary.rhs, deep, depth + 1, err) : rc;
}

/* ---- names of all policies ---- */

int bbi_show_names(struct bbi_qctx *ctx, const struct bbi_ql_show *show, uint32_t db_id,
                   struct bbi_measurements *out, struct bb_error *err)
{
    struct bbi_ql_source *sources;
    int rc = bbi_qctx_array(ctx, show->source_count, sizeof(sources[0]), &sources, err);
    for (size_t i = 0; rc == BB_OK && i < show->source_count; i++) {
        sources[i] = show->sources[i];
        sources[i].database = NULL; /* FROM says only what they are called */
    }
    return rc == BB_OK ? bbi_sources_list(ctx, db_id, sources, show->source_count, out, err) : rc;
}

int bbi_show_any_shard(struct bbi_qctx *ctx, uint32_t db_id, const struct bbi_ql_condition *when,
                       bool *any, struct bb_error *err)
{
    struct bbi_rp *rps;
    size_t count;
    *any = false;
    int rc = bbi_catalog_rps(ctx->env->catalog, db_id, &ctx->acct, &rps, &count, err);
    for (size_t i = 0; rc == BB_OK && !*any && i < count; i++) {
        rc = bbi_shards_any(ctx, &rps[i], when, any, err);
    }
    bbi_mem_free(rps);
    return rc;
}

/* What the condition says of `_name` chooses measurements, the rest series. */
static int tell_named(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                      const struct bbi_measurement *m, const struct bbi_value_filter *names,
                      struct bbi_ql_expr *condition, bbi_show_fn fn, struct bbi_emit *e,
                      struct bb_error *err)
{
    struct bbi_name name = {.name = (const uint8_t *)m->name, .len = (uint32_t)strlen(m->name)};
    roaring_bitmap_t *within = NULL;
    bool wanted;
    int rc = bbi_qctx_check(ctx, err);
    rc = rc == BB_OK ? bbi_value_filter_takes(names, &name, &wanted, err) : rc;
    if (rc != BB_OK || !wanted) {
        return rc;
    }
    if (show->key_op != BBI_QL_OP_NONE && show->condition != NULL) { /* TAG VALUES */
        rc = bbi_show_check_keys(show->condition, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    rc = series_within(ctx, m, condition, BBI_FIELDS_IGNORE, &within, err);
    if (rc == BB_OK && (within == NULL || !roaring_bitmap_is_empty(within))) {
        rc = fn(ctx, show, m, 1, within, e, err);
    }
    if (within != NULL) {
        roaring_bitmap_free(within);
    }
    return rc;
}

int bbi_show_each(struct bbi_qctx *ctx, const struct bbi_ql_show *show, bbi_show_fn fn,
                  struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_measurements list = {.count = 0};
    struct bbi_ql_condition when;
    struct bbi_value_filter names;
    uint32_t db_id;
    bool any = false;
    int rc = bbi_qctx_database(ctx, show->database, &db_id, err);
    rc = rc == BB_OK ? bbi_show_names(ctx, show, db_id, &list, err) : rc;
    rc = rc == BB_OK ? bbi_show_split(ctx, show, &when, err) : rc;
    rc = rc == BB_OK ? bbi_show_any_shard(ctx, db_id, &when, &any, err) : rc;
    if (rc != BB_OK || (!any && show->key_op == BBI_QL_OP_NONE)) {
        return rc; /* TAG KEYS looks at no condition then */
    }
    ctx->goes_on = true;
    rc = bbi_value_filter_read(ctx, "_name", when.rest, &names, err);
    rc = rc == BB_OK ? bbi_show_strip(ctx, when.rest, &when.rest, err) : rc;
    if (rc == BB_OK && when.rest != NULL) {
        rc = check_operators(when.rest, false, 0, err); /* whether or not FROM names anything */
    }
    for (size_t i = 0; rc == BB_OK && any && i < list.count; i++) {
        rc = tell_named(ctx, show, &list.list[i], &names, when.rest, fn, e, err);
    }
    return rc;
}

/* ---- names in policies ---- */

/* How many of a list are one measurement, from the first on, in several policies. */
static size_t same_measurement(const struct bbi_measurement *m, size_t count)
{
    size_t n = 1;
    while (n < count && m[n].db_id == m[0].db_id && m[n].id == m[0].id) {
        n++;
    }
    return n;
}

/* The sources of a SHOW, each with a database; none: all measurements. */
static int list_sources(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        struct bbi_ql_source **out, size_t *count, struct bb_error *err)
{
    *count = show->source_count == 0 ? 1 : show->source_count;
    int rc = bbi_qctx_array(ctx, *count, sizeof((*out)[0]), out, err);
    for (size_t i = 0; rc == BB_OK && i < *count; i++) {
        if (show->source_count > 0) {
            (*out)[i] = show->sources[i];
        }
        if ((*out)[i].database == NULL) {
            (*out)[i].database = show->database;
        }
    }
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_place(const struct bbi_ql_source *a, const struct bbi_ql_source *b)
{
    return same_text(a->database, b->database) && same_text(a->policy, b->policy);
}

/* Each name in each place that any of the sources names. */
static int cross_sources(struct bbi_qctx *ctx, struct bbi_ql_source **sources, size_t *count,
                         struct bb_error *err)
{
    const struct bbi_ql_source *in = *sources;
    const struct bbi_ql_source **places;
    struct bbi_ql_source *out;
    size_t place_count = 0;
    int rc = bbi_qctx_array(ctx, *count, sizeof(places[0]), &places, err);
    for (size_t i = 0; rc == BB_OK && i < *count; i++) {
        size_t k = 0;
        while (k < place_count && !same_place(places[k], &in[i])) {
            k++;
        }
        places[k] = &in[i];
        place_count += k == place_count;
    }
    if (rc != BB_OK || place_count == 1) {
        return rc;
    }
    rc = bbi_qctx_array(ctx, *count * place_count, sizeof(out[0]), &out, err);
    for (size_t i = 0; rc == BB_OK && i < *count * place_count; i++) {
        out[i] = in[i % *count];
        out[i].database = places[i / *count]->database;
        out[i].policy = places[i / *count]->policy;
    }
    *count *= place_count;
    *sources = out;
    return rc;
}

int bbi_show_places(struct bbi_qctx *ctx, const struct bbi_ql_show *show, bool crossed,
                    struct bbi_measurements *out, struct bb_error *err)
{
    struct bbi_ql_source *sources;
    size_t count;
    int rc = list_sources(ctx, show, &sources, &count, err);
    rc = rc == BB_OK && crossed ? cross_sources(ctx, &sources, &count, err) : rc;
    rc = rc == BB_OK ? bbi_sources_resolve(ctx, sources, count, out, err) : rc;
    if (rc == BB_OK) {
        bbi_sources_unique(out);
    }
    return rc;
}

int bbi_show_each_field(struct bbi_qctx *ctx, const struct bbi_ql_show *show, bbi_show_fn fn,
                        struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_measurements list = {.count = 0};
    int rc = bbi_show_places(ctx, show, true, &list, err);
    rc = rc == BB_OK ? bbi_qctx_snapshot(ctx, err) : rc;
    for (size_t i = 0, n = 0; rc == BB_OK && i < list.count; i += n) {
        n = 1;
        while (i + n < list.count && strcmp(list.list[i].name, list.list[i + n].name) == 0) {
            n++;
        }
        rc = bbi_qctx_check(ctx, err);
        rc = rc == BB_OK ? fn(ctx, show, &list.list[i], n, NULL, e, err) : rc;
    }
    return rc;
}

/* ---- series with rows ---- */

/* The series of a measurement that have rows in any of the policies and that the condition selects;
 * *out NULL: all. */
static int series_there(struct bbi_qctx *ctx, const struct bbi_measurement *m, size_t count,
                        const struct bbi_ql_condition *when, enum bbi_tagcond_fields fields,
                        roaring_bitmap_t **out, struct bb_error *err)
{
    roaring_bitmap_t *selected = NULL;
    bool all;
    *out = NULL;
    int rc = series_within(ctx, m, when->rest, fields, &selected, err);
    rc = rc == BB_OK ? bbi_shards_are_all(ctx, m->db_id, when, &all, err) : rc;
    if (rc == BB_OK && !all && selected == NULL) {
        rc = bbi_catalog_select(ctx->env->catalog, m->db_id, m->id, NULL, &selected, err);
    }
    if (rc != BB_OK || all) {
        *out = selected;
        return rc;
    }
    *out = roaring_bitmap_create();
    rc = *out == NULL ? bbi_error_nomem(err, "series") : BB_OK;
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        roaring_bitmap_t *here = roaring_bitmap_andnot(selected, *out);
        rc = here == NULL ? bbi_error_nomem(err, "series")
                          : bbi_shards_keep(ctx, &m[i], when, here, err);
        if (here != NULL) {
            roaring_bitmap_or_inplace(*out, here);
            roaring_bitmap_free(here);
        }
    }
    roaring_bitmap_free(selected);
    return rc;
}

/* A name that is a field in any measurement of FROM is one in all. */
static int settle_fields(struct bbi_qctx *ctx, const struct bbi_measurements *list,
                         struct bbi_ql_expr *expr, unsigned depth, struct bb_error *err)
{
    int rc = BB_OK;
    while (expr != NULL && expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    if (depth > BBI_QL_DEPTH_MAX * 8) {
        return bbi_error_set(err, BB_ELIMIT, "condition is nested too deeply");
    }
    if (expr != NULL && expr->kind == BBI_QL_BINARY) {
        rc = settle_fields(ctx, list, expr->u.binary.lhs, depth + 1, err);
        return rc == BB_OK ? settle_fields(ctx, list, expr->u.binary.rhs, depth + 1, err) : rc;
    }
    if (expr == NULL || expr->kind != BBI_QL_VAR || expr->u.var.type != BBI_QL_TYPE_UNKNOWN) {
        return BB_OK;
    }
    for (size_t i = 0; rc == BB_OK && i < list->count; i++) {
        const struct bbi_measurement *m = &list->list[i];
        uint32_t id;
        enum bbi_type type;
        rc = bbi_catalog_field_find(ctx->env->catalog, m->db_id, m->id,
                                    (const uint8_t *)expr->u.var.name, strlen(expr->u.var.name),
                                    &id, &type, err);
        if (rc == BB_OK) {
            expr->u.var.type = BBI_QL_TYPE_FIELD;
            return BB_OK;
        }
        rc = rc == BB_ENOTFOUND ? BB_OK : rc;
    }
    return rc;
}

int bbi_show_each_present(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                          enum bbi_tagcond_fields fields, bbi_show_fn fn, struct bbi_emit *e,
                          struct bb_error *err)
{
    struct bbi_measurements list = {.count = 0};
    struct bbi_ql_condition when;
    int rc = bbi_show_places(ctx, show, false, &list, err);
    rc = rc == BB_OK ? bbi_show_split(ctx, show, &when, err) : rc;
    rc = rc == BB_OK ? settle_fields(ctx, &list, when.rest, 0, err) : rc;
    for (size_t i = 0, n = 0; rc == BB_OK && i < list.count; i += n) {
        roaring_bitmap_t *within = NULL;
        n = same_measurement(&list.list[i], list.count - i);
        rc = bbi_qctx_check(ctx, err);
        rc = rc == BB_OK ? series_there(ctx, &list.list[i], n, &when, fields, &within, err) : rc;
        if (rc == BB_OK && (within == NULL || !roaring_bitmap_is_empty(within))) {
            rc = fn(ctx, show, &list.list[i], n, within, e, err);
        }
        if (within != NULL) {
            roaring_bitmap_free(within);
        }
    }
    return rc;
}

/* ---- series by the index ---- */

/* What is known of policies so far. */
struct places {
    struct place {
        uint32_t rp_id;
        bool any; /* it has rows */
    } * list;
    size_t count;
};

static int ask_place(struct bbi_qctx *ctx, struct places *known, const struct bbi_measurement *m,
                     bool *any, struct bb_error *err)
{
    for (size_t i = 0; i < known->count; i++) {
        if (known->list[i].rp_id == m->rp.id) {
            *any = known->list[i].any;
            return BB_OK;
        }
    }
    int rc = bbi_shards_are_all(ctx, m->db_id, &bbi_shards_always, any, err);
    if (rc == BB_OK && !*any) {
        rc = bbi_shards_any(ctx, &m->rp, &bbi_shards_always, any, err);
    }
    known->list[known->count++] = (struct place){m->rp.id, *any};
    return rc;
}

/* Whether any policy of FROM has rows, of whatever name. Patterns that match none do not count. */
static int any_place(struct bbi_qctx *ctx, const struct bbi_ql_show *show, bool *any,
                     struct bb_error *err)
{
    struct bbi_ql_show wide = *show;
    struct bbi_measurements list = {.count = 0};
    struct places known = {.count = 0};
    *any = false;
    int rc = bbi_qctx_array(ctx, show->source_count, sizeof(wide.sources[0]), &wide.sources, err);
    wide.source_count = 0;
    for (size_t i = 0; rc == BB_OK && i < show->source_count; i++) {
        if (show->sources[i].name != NULL) {
            struct bbi_ql_source *source = &wide.sources[wide.source_count++];
            *source = show->sources[i];
            source->name = NULL;
            source->regex = "";
        }
    }
    if (rc != BB_OK || wide.source_count == 0) {
        return rc;
    }
    rc = bbi_show_places(ctx, &wide, true, &list, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, list.count, sizeof(known.list[0]), &known.list, err)
                     : rc;
    for (size_t i = 0; rc == BB_OK && !*any && i < list.count; i++) {
        rc = ask_place(ctx, &known, &list.list[i], any, err);
    }
    return rc;
}

static int each_indexed(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        const struct bbi_ql_condition *when, bbi_show_fn fn, struct bbi_emit *e,
                        struct bb_error *err)
{
    struct bbi_measurements list = {.count = 0};
    struct places known = {.count = 0};
    int rc = bbi_show_places(ctx, show, true, &list, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, list.count, sizeof(known.list[0]), &known.list, err)
                     : rc;
    if (rc == BB_OK && list.count == 0 && when->rest != NULL) {
        bool there;
        rc = any_place(ctx, show, &there, err);
        rc = rc == BB_OK && there ? check_operators(when->rest, true, 0, err) : rc;
    }
    for (size_t i = 0, n = 0; rc == BB_OK && i < list.count; i += n) {
        roaring_bitmap_t *within = NULL;
        bool any = false;
        n = same_measurement(&list.list[i], list.count - i);
        rc = bbi_qctx_check(ctx, err);
        for (size_t k = 0; rc == BB_OK && !any && k < n; k++) {
            rc = ask_place(ctx, &known, &list.list[i + k], &any, err);
        }
        if (rc == BB_OK && any && when->rest != NULL) {
            rc = check_operators(when->rest, true, 0, err);
        }
        if (rc == BB_OK && any) {
            rc = series_within(ctx, &list.list[i], when->rest, BBI_FIELDS_IGNORE, &within, err);
            rc = rc == BB_OK ? fn(ctx, show, &list.list[i], n, within, e, err) : rc;
        }
        if (within != NULL) {
            roaring_bitmap_free(within);
        }
    }
    return rc;
}

int bbi_show_each_series(struct bbi_qctx *ctx, const struct bbi_ql_show *show, bbi_show_fn fn,
                         struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_ql_condition when;
    int rc = bbi_show_split(ctx, show, &when, err);
    if (rc != BB_OK) {
        return rc;
    }
    return when.has_tmin || when.has_tmax
               ? bbi_show_each_present(ctx, show, BBI_FIELDS_NEVER, fn, e, err)
               : each_indexed(ctx, show, &when, fn, e, err);
}
