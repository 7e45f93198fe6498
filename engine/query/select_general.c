/* A SELECT of any kind, by streams of points. */
#include <math.h>
#include <string.h>

#include "engine/query/rowset.h"
#include "engine/query/select.h"

static int give_head(const struct bbi_rowset *r, const char **tags, struct bbi_emit *e,
                     struct bb_error *err)
{
    const struct bbi_plan *plan = r->flow.plan;
    for (size_t i = 0; i < plan->dim_count; i++) {
        tags[i] = bbi_group_tag(&r->group, i);
    }
    struct bb_series series = {.name = r->group.name,
                               .tag_count = plan->dim_count,
                               .tag_keys = plan->dims,
                               .tag_values = tags,
                               .column_count = plan->output_count + 1,
                               .columns = plan->columns};
    return bbi_emit_series(e, &series, err);
}

static int give_row(const struct bbi_rowset *r, struct bbi_emit *e, struct bb_error *err)
{
    struct bb_value *row;
    int rc = bbi_emit_row(e, &row, err);
    if (rc != BB_OK) {
        return rc;
    }
    row[0] = bbi_value_time(r->time);
    for (size_t i = 0; rc == BB_OK && i < r->flow.plan->output_count; i++) {
        const struct bb_value *v = &r->values[i];
        if (v->kind == BB_VALUE_STRING) {
            rc = bbi_emit_string(e, v->v.str, v->length, &row[i + 1], err);
        } else if (v->kind != BB_VALUE_FLOAT || !isnan(v->v.f)) {
            row[i + 1] = *v;
        }
    }
    return rc;
}

int bbi_select_general(const struct bbi_plan *plan, struct bbi_emit *e, bool execute,
                       struct bbi_trace *trace, struct bb_error *err)
{
    struct bbi_flow flow = bbi_flow_of(plan);
    struct bbi_rowset rows;
    const char **tags;
    bool any = execute;
    bool new_group;
    uint64_t count = 0;
    flow.trace = trace;
    int rc = bbi_rowset_open(&rows, &flow, err);
    rc = rc == BB_OK ? bbi_qctx_array(plan->ctx, plan->dim_count, sizeof(tags[0]), &tags, err) : rc;
    while (rc == BB_OK && any) {
        rc = bbi_rowset_next(&rows, &any, &new_group, err);
        if (rc == BB_OK && any && new_group) {
            rc = give_head(&rows, tags, e, err);
        }
        if (rc == BB_OK && any) {
            rc = give_row(&rows, e, err);
        }
        if (rc == BB_OK && count++ % 1024 == 1023) {
            rc = bbi_qctx_check(plan->ctx, err);
        }
    }
    rc = rc == BB_OK ? bbi_emit_flush(e, err) : rc;
    bbi_rowset_close(&rows);
    return rc;
}
