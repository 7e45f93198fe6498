/* SHOW ... CARDINALITY: counts of what the other SHOWs list. All of them are exact here; where
 * InfluxDB estimates, the column is named as its is. */
#include <stdlib.h>
#include <string.h>

#include "engine/influxql/expr.h"
#include "engine/query/show.h"
#include "engine/query/statement.h"
#include "engine/query/tagcond.h"

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

/* How many of something a measurement has; within: as for bbi_show_fn. */
typedef int (*count_fn)(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        const struct bbi_measurement *m, size_t places,
                        const roaring_bitmap_t *within, uint64_t *count, struct bb_error *err);

struct counter {
    struct bbi_qctx *ctx;
    const struct bbi_show_groups *groups;
    const struct bbi_measurement *m; /* [places] */
    size_t places;
    struct bbi_emit *e;
    count_fn fn;
};

static int count_group(void *arg, const char *const *tags, const roaring_bitmap_t *series,
                       struct bb_error *err)
{
    const struct counter *c = arg;
    uint64_t count = 0;
    int rc = c->fn(c->ctx, &c->groups->show, c->m, c->places, series, &count, err);
    return rc == BB_OK ? bbi_show_count_row(c->e, c->m->name, c->groups, tags, count, err) : rc;
}

/* show is that of a struct bbi_show_groups. */
static int tell_count(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                      const struct bbi_measurement *m, size_t places,
                      const roaring_bitmap_t *within, struct bbi_emit *e, count_fn fn,
                      struct bb_error *err)
{
    const struct bbi_show_groups *groups = (const struct bbi_show_groups *)show;
    struct counter c = {.ctx = ctx, .groups = groups, .m = m, .places = places, .e = e, .fn = fn};
    uint64_t count = 0;
    if (groups->dim_count > 0) {
        return bbi_show_grouped(ctx, groups, m, within, count_group, &c, err);
    }
    int rc = fn(ctx, show, m, places, within, &count, err);
    return rc == BB_OK ? bbi_show_count_row(e, m->name, groups, NULL, count, err) : rc;
}

static int count_series(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        const struct bbi_measurement *m, size_t places,
                        const roaring_bitmap_t *within, uint64_t *count, struct bb_error *err)
{
    (void)show;
    (void)places;
    if (within == NULL) {
        return bbi_catalog_series_count(ctx->env->catalog, m->db_id, m->id, count, err);
    }
    *count = roaring_bitmap_get_cardinality(within);
    return BB_OK;
}

static int count_tag_keys(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                          const struct bbi_measurement *m, size_t places,
                          const roaring_bitmap_t *within, uint64_t *count, struct bb_error *err)
{
    struct bbi_names names;
    (void)show;
    (void)places;
    int rc = bbi_catalog_tag_keys(ctx->env->catalog, m->db_id, m->id, within, &ctx->acct, &names,
                                  err);
    if (rc == BB_OK) {
        *count = names.count;
        bbi_names_fini(&names);
    }
    return rc;
}

static int count_field_keys(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                            const struct bbi_measurement *m, size_t places,
                            const roaring_bitmap_t *within, uint64_t *count, struct bb_error *err)
{
    struct bbi_names names;
    (void)show;
    (void)within;
    int rc = bbi_show_field_names(ctx, m, places, &names, err);
    if (rc == BB_OK) {
        *count = names.count;
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

/* The series of within that meet the condition with `_tagKey` being this key. */
static int series_of_key(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                         const struct bbi_value_filter *filter, const struct bbi_name *key,
                         const roaring_bitmap_t *within, roaring_bitmap_t **out,
                         struct bb_error *err)
{
    struct bbi_ql_expr *settled;
    struct bbi_tagcond cond;
    int rc = bbi_value_filter_settle(ctx, filter, key, &settled, err);
    rc = rc == BB_OK
             ? bbi_tagcond_split(ctx, m->db_id, m->id, settled, BBI_FIELDS_ABSENT, &cond, err)
             : rc;
    rc = rc == BB_OK ? bbi_tagcond_select(ctx, m->db_id, m->id, &cond, out, err) : rc;
    if (rc == BB_OK && within != NULL) {
        roaring_bitmap_and_inplace(*out, within);
    }
    return rc;
}

/* filter: what the condition says of `_tagKey`. */
static int values_of_key(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                         const struct bbi_value_filter *filter, const struct bbi_name *key,
                         const roaring_bitmap_t *within, struct bbi_names *values,
                         struct bb_error *err)
{
    roaring_bitmap_t *narrow = NULL;
    int rc = BB_OK;
    if (filter->tests != NULL) {
        rc = series_of_key(ctx, m, filter, key, within, &narrow, err);
    }
    if (rc == BB_OK) {
        rc = bbi_catalog_tag_values(ctx->env->catalog, m->db_id, m->id, key->name, key->len,
                                    narrow != NULL ? narrow : within, &ctx->acct, values, err);
    }
    if (narrow != NULL) {
        roaring_bitmap_free(narrow);
    }
    return rc;
}

static int list_values(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                       const struct bbi_measurement *m, const roaring_bitmap_t *within,
                       const struct bbi_names *keys, struct value_set *set, struct bb_error *err)
{
    struct bbi_ql_condition when;
    struct bbi_value_filter filter;
    int rc = bbi_show_split(ctx, show, &when, err);
    rc = rc == BB_OK ? bbi_value_filter_read(ctx, "_tagKey", when.rest, &filter, err) : rc;
    for (size_t i = 0; rc == BB_OK && i < keys->count; i++) {
        bool wanted;
        rc = bbi_show_key_wanted(ctx, show, &keys->list[i], &wanted, err);
        if (rc != BB_OK || !wanted) {
            continue;
        }
        rc = values_of_key(ctx, m, &filter, &keys->list[i], within, &set->lists[set->list_count],
                           err);
        if (rc == BB_OK) {
            set->total += set->lists[set->list_count++].count;
        }
    }
    return rc;
}

static int count_tag_values(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                            const struct bbi_measurement *m, size_t places,
                            const roaring_bitmap_t *within, uint64_t *count, struct bb_error *err)
{
    struct value_set set = {.list_count = 0};
    struct bbi_names keys;
    (void)places;
    int rc = bbi_catalog_tag_keys(ctx->env->catalog, m->db_id, m->id, within, &ctx->acct, &keys,
                                  err);
    if (rc != BB_OK) {
        return rc;
    }
    set.lists = bbi_mem_zalloc(&ctx->acct, keys.count, sizeof(set.lists[0]));
    rc = set.lists == NULL ? bbi_error_nomem(err, "tag values") : BB_OK;
    rc = rc == BB_OK ? list_values(ctx, show, m, within, &keys, &set, err) : rc;
    rc = rc == BB_OK ? count_distinct(ctx, &set, count, err) : rc;
    for (size_t i = 0; i < set.list_count; i++) {
        bbi_names_fini(&set.lists[i]);
    }
    bbi_mem_free(set.lists);
    bbi_names_fini(&keys);
    return rc;
}

/* ---- as bbi_show_each_present wants them ---- */

static int tell_series(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                       const struct bbi_measurement *m, size_t places,
                       const roaring_bitmap_t *within, struct bbi_emit *e, struct bb_error *err)
{
    return tell_count(ctx, show, m, places, within, e, count_series, err);
}

static int tell_tag_keys(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                         const struct bbi_measurement *m, size_t places,
                         const roaring_bitmap_t *within, struct bbi_emit *e, struct bb_error *err)
{
    return tell_count(ctx, show, m, places, within, e, count_tag_keys, err);
}

static int tell_tag_values(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                           const struct bbi_measurement *m, size_t places,
                           const roaring_bitmap_t *within, struct bbi_emit *e, struct bb_error *err)
{
    return tell_count(ctx, show, m, places, within, e, count_tag_values, err);
}

static int tell_field_keys(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                           const struct bbi_measurement *m, size_t places,
                           const roaring_bitmap_t *within, struct bbi_emit *e, struct bb_error *err)
{
    return tell_count(ctx, show, m, places, within, e, count_field_keys, err);
}

/* ---- measurements ---- */

/* Combinations of values that the measurements have, each as often as it is met. */
struct tuples {
    struct bbi_qctx *ctx;
    size_t dim_count;
    struct tuple {
        const char *const *tags;
        size_t dim_count;
    } * list;
    size_t count;
    size_t cap;
};

static int keep_tuple(void *arg, const char *const *tags, const roaring_bitmap_t *series,
                      struct bb_error *err)
{
    struct tuples *t = arg;
    (void)series;
    if (t->count == t->cap) {
        size_t cap = t->cap == 0 ? 64 : t->cap * 2;
        struct tuple *list;
        int rc = bbi_qctx_array(t->ctx, cap, sizeof(list[0]), &list, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (t->count != 0) {
            memcpy(list, t->list, t->count * sizeof(list[0]));
        }
        t->list = list;
        t->cap = cap;
    }
    t->list[t->count++] = (struct tuple){tags, t->dim_count};
    return BB_OK;
}

static int by_tags(const void *a, const void *b)
{
    const struct tuple *x = a;
    const struct tuple *y = b;
    int c = 0;
    for (size_t i = 0; c == 0 && i < x->dim_count; i++) {
        c = strcmp(x->tags[i], y->tags[i]);
    }
    return c;
}

static int tell_tuples(const struct tuples *t, const struct bbi_show_groups *groups,
                       struct bbi_emit *e, struct bb_error *err)
{
    int rc = BB_OK;
    if (t->count > 1) {
        qsort(t->list, t->count, sizeof(t->list[0]), by_tags);
    }
    for (size_t i = 0, end = 0; rc == BB_OK && i < t->count; i = end) {
        while (end < t->count && by_tags(&t->list[i], &t->list[end]) == 0) {
            end++;
        }
        rc = bbi_show_count_row(e, NULL, groups, t->list[i].tags, end - i, err);
    }
    return rc;
}

/* A SHOW MEASUREMENT CARDINALITY; who is told of a measurement finds the rest behind it. */
struct measurement_count {
    struct bbi_show_groups groups; /* which begins with the show */
    struct measurement_tally {
        struct tuples tuples;
        const char *last; /* the name that was counted last */
        uint64_t count;
    } * tally;
};

static int tally_measurement(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                             const struct bbi_measurement *m, size_t places,
                             const roaring_bitmap_t *within, struct bbi_emit *e,
                             struct bb_error *err)
{
    const struct measurement_count *c = (const struct measurement_count *)show;
    (void)places;
    (void)e;
    if (c->tally->last != NULL && strcmp(c->tally->last, m->name) == 0) {
        return BB_OK; /* it was there in another database */
    }
    c->tally->last = m->name;
    c->tally->count++;
    return c->groups.dim_count == 0
               ? BB_OK
               : bbi_show_grouped(ctx, &c->groups, m, within, keep_tuple, &c->tally->tuples, err);
}

static int count_measurements(struct bbi_qctx *ctx, const struct bbi_show_groups *groups,
                              struct bbi_emit *e, struct bb_error *err)
{
    struct measurement_tally tally = {.tuples = {.ctx = ctx, .dim_count = groups->dim_count}};
    struct measurement_count c = {*groups, &tally};
    struct bbi_ql_expr *rest;
    int rc = bbi_show_no_time(ctx, groups->show.condition, "SHOW MEASUREMENT EXACT CARDINALITY",
                              &rest, err);
    rc = rc == BB_OK ? bbi_show_each_present(ctx, &c.groups.show, BBI_FIELDS_NEVER,
                                             tally_measurement, e, err)
                     : rc;
    if (rc != BB_OK) {
        return rc;
    }
    return groups->dim_count > 0 ? tell_tuples(&tally.tuples, groups, e, err)
                                 : bbi_show_count_row(e, NULL, groups, NULL, tally.count, err);
}

/* InfluxDB's estimate; all policies together. */
static int estimate_measurements(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                                 struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_names names;
    uint32_t db_id;
    uint64_t count = 0;
    int rc = bbi_qctx_database(ctx, show->database, &db_id, err);
    if (rc == BB_OK) {
        rc = bbi_catalog_measurements(ctx->env->catalog, db_id, &ctx->acct, &names, err);
    }
    if (rc == BB_OK) {
        count = names.count;
        bbi_names_fini(&names);
    }
    return rc == BB_OK || rc == BB_ENOTFOUND ? one_row(e, NULL, estimate_column, count, err) : rc;
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
    return rc == BB_OK ? bbi_show_each_present(ctx, show, BBI_FIELDS_NEVER, fn, e, err) : rc;
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
    return bbi_show_each_present(ctx, show, BBI_FIELDS_ABSENT, tell_tag_values, e, err);
}

int bbi_show_cardinality(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                         struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_show_groups groups;
    const struct bbi_ql_show *show = &groups.show;
    struct bbi_ql_expr *rest;
    int rc = bbi_show_dimensions(ctx, &statement->u.show, &groups, err);
    if (rc != BB_OK) {
        return rc;
    }
    switch (statement->kind) {
    case BBI_QL_SHOW_MEASUREMENT_CARDINALITY:
        return is_estimate(show) ? estimate_measurements(ctx, show, e, err)
                                 : count_measurements(ctx, &groups, e, err);
    case BBI_QL_SHOW_SERIES_CARDINALITY:
        if (is_estimate(show)) {
            return estimate_series(ctx, show, e, err);
        }
        return count_each(ctx, show, "SHOW SERIES EXACT CARDINALITY", tell_series, e, err);
    case BBI_QL_SHOW_TAG_KEY_CARDINALITY:
        return count_each(ctx, show, "SHOW TAG KEY EXACT CARDINALITY", tell_tag_keys, e, err);
    case BBI_QL_SHOW_TAG_VALUES_CARDINALITY:
        return count_all_values(ctx, show, e, err);
    default:
        rc = bbi_show_no_time(ctx, show->condition, "SHOW FIELD KEY CARDINALITY", &rest, err);
        return rc == BB_OK
                   ? bbi_show_each_present(ctx, show, BBI_FIELDS_NEVER, tell_field_keys, e, err)
                   : rc;
    }
}
