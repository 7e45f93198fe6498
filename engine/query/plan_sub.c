/* Subqueries of a plan: each is a plan of its own that takes times, intervals, order and groups
 * from the query around it. */
#include <stdlib.h>
#include <string.h>

#include "engine/query/plan_internal.h"

int bbi_plan_check_subqueries(struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    int rc = bbi_qctx_array(plan->ctx, select->source_count, sizeof(plan->subs[0]), &plan->subs,
                            err);
    for (size_t i = 0; rc == BB_OK && i < select->source_count; i++) {
        struct bbi_plan *sub;
        if (select->sources[i].subquery == NULL) {
            continue;
        }
        rc = bbi_qctx_array(plan->ctx, 1, sizeof(*sub), &sub, err);
        if (rc == BB_OK) {
            rc = bbi_plan_check_all(plan->ctx, select->sources[i].subquery, plan, sub, err);
        }
        plan->subs[plan->sub_count] = sub;
        plan->sub_count += rc == BB_OK;
    }
    return rc;
}

/* ---- what comes from around ---- */

static void inherit_times(struct bbi_plan *plan)
{
    const struct bbi_ql_condition *outer = &plan->parent->when;
    struct bbi_ql_condition *when = &plan->when;
    when->tmin = outer->tmin > when->tmin ? outer->tmin : when->tmin;
    when->tmax = outer->tmax < when->tmax ? outer->tmax : when->tmax;
    when->has_tmin = when->has_tmin || outer->has_tmin;
    when->has_tmax = when->has_tmax || outer->has_tmax;
}

void bbi_plan_inherit(struct bbi_plan *plan)
{
    const struct bbi_plan *outer = plan->parent;
    plan->own_tmin = plan->when.tmin;
    plan->own_tmax = plan->when.tmax;
    if (outer == NULL) {
        /* What is no value is not written. */
        if (plan->select->into != NULL && plan->fill == BBI_QL_FILL_NULL) {
            plan->fill = BBI_QL_FILL_NONE;
        }
        return;
    }
    inherit_times(plan);
    if (plan->buckets.width_ns == 0) {
        plan->buckets = outer->buckets;
    }
    /* Values that are none are of no use to the query around it. */
    if (plan->fill == BBI_QL_FILL_NULL && !plan->select->is_raw) {
        plan->fill = BBI_QL_FILL_NONE;
    }
    plan->slimit += outer->slimit;
    plan->soffset += outer->soffset;
}

/* ---- groups ---- */

static bool is_among(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_dim(struct bbi_plan *plan, const char *name)
{
    if (!is_among(plan->dims, plan->dim_count, name)) {
        plan->dims[plan->dim_count++] = name;
    }
}

static int unite_dims(struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_plan *outer = plan->parent;
    size_t most = plan->own_dim_count + outer->dim_count + outer->ref_count;
    int rc = bbi_qctx_array(plan->ctx, most, sizeof(plan->dims[0]), &plan->dims, err);
    if (rc != BB_OK || most == 0) {
        return rc;
    }
    plan->dim_count = plan->own_dim_count;
    if (plan->own_dim_count != 0) {
        memcpy(plan->dims, plan->own_dims, plan->own_dim_count * sizeof(plan->dims[0]));
    }
    for (size_t i = 0; i < outer->dim_count; i++) {
        add_dim(plan, outer->dims[i]);
    }
    for (size_t i = outer->tie_count; i < outer->ref_count; i++) {
        add_dim(plan, outer->refs[i].name);
    }
    qsort(plan->dims, plan->dim_count, sizeof(plan->dims[0]), by_text);
    return BB_OK;
}

static int set_order(struct bbi_plan *plan, const struct bbi_plan *outermost, struct bb_error *err)
{
    int rc = bbi_qctx_array(plan->ctx, outermost->dim_count, sizeof(plan->order[0]), &plan->order,
                            err);
    plan->order_count = 0;
    for (size_t i = 0; rc == BB_OK && i < plan->dim_count; i++) {
        if (is_among(outermost->dims, outermost->dim_count, plan->dims[i])) {
            plan->order[plan->order_count++] = i;
        }
    }
    for (size_t i = 0; rc == BB_OK && i < plan->sub_count; i++) {
        rc = unite_dims(plan->subs[i], err);
        if (rc == BB_OK) {
            rc = set_order(plan->subs[i], outermost, err);
        }
    }
    return rc;
}

int bbi_plan_order(struct bbi_plan *plan, struct bb_error *err)
{
    plan->own_dims = plan->dims;
    plan->own_dim_count = plan->dim_count;
    return plan->parent == NULL ? set_order(plan, plan, err) : BB_OK;
}
