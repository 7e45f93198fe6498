/* SELECT: plan, then measurement by measurement. */
#include "engine/query/select.h"

#include <string.h>

#include "engine/query/into.h"
#include "engine/query/refusal.h"
#include "engine/query/statement.h"
#include "engine/query/stream.h"

/* Of a query without a limit. */
#define BUDGET_DEFAULT (UINT64_C(256) << 20)

uint64_t bbi_select_budget(const struct bbi_qctx *ctx)
{
    uint64_t limit = ctx->acct.limit_bytes;
    return limit == 0 ? BUDGET_DEFAULT : limit / 4;
}

int bbi_select_head(const struct bbi_binding *b, struct bbi_emit *e, size_t group,
                    struct bb_error *err)
{
    const struct bbi_plan *plan = b->plan;
    struct bb_series series = {.name = b->measurement->name,
                               .tag_count = plan->dim_count,
                               .tag_keys = plan->dims,
                               .tag_values = b->series.groups.list[group],
                               .column_count = plan->output_count + 1,
                               .columns = plan->columns};
    return bbi_emit_series(e, &series, err);
}

int bbi_select_outputs(const struct bbi_plan *plan, const struct bb_value *slots,
                       struct bb_value *stack, struct bb_value *row, struct bb_error *err)
{
    for (size_t i = 0; i < plan->output_count; i++) {
        const struct bbi_output *o = &plan->outputs[i];
        if (o->direct) {
            row[i] = slots[o->slot];
        } else {
            int rc = bbi_program_run(&o->program, slots, stack, &row[i], err);
            if (rc != BB_OK) {
                return rc;
            }
        }
    }
    return BB_OK;
}

static int run_measurement(const struct bbi_plan *plan, const struct bbi_measurement *m,
                           struct bbi_emit *e, bool execute, bbi_select_bound_fn bound, void *arg,
                           struct bb_error *err)
{
    struct bbi_binding b;
    int rc = bbi_binding_build(plan, m, &b, err);
    if (rc == BB_OK && bound != NULL) {
        rc = bound(arg, &b, err);
    }
    if (rc == BB_OK && execute && !b.is_empty && b.series.groups.count > 0) {
        rc = plan->call_count > 0 ? bbi_select_aggregates(&b, e, err) : bbi_select_raw(&b, e, err);
    }
    bbi_binding_fini(&b);
    return rc;
}

bool bbi_select_is_plain(const struct bbi_plan *plan)
{
    bool fills = plan->fill == BBI_QL_FILL_PREVIOUS || plan->fill == BBI_QL_FILL_LINEAR;
    bool plain = plan->sub_count == 0 && (plan->select->lookback_ns == 0 || !fills);
    for (size_t i = 0; i < plan->call_count; i++) {
        plain = plain && plan->calls[i].in_cells;
    }
    for (size_t i = 1; i < plan->from.count; i++) {
        plain = plain && strcmp(plan->from.list[i - 1].name, plan->from.list[i].name) != 0;
    }
    return plain;
}

int bbi_select_run(const struct bbi_plan *plan, struct bbi_emit *e, bool execute,
                   bbi_select_bound_fn bound, void *arg, struct bb_error *err)
{
    int rc = bbi_refusal_find(plan, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (!bbi_select_is_plain(plan)) {
        return bbi_select_general(plan, e, execute, NULL, err);
    }
    for (size_t i = 0; rc == BB_OK && i < plan->from.count; i++) {
        size_t at = plan->descending ? plan->from.count - 1 - i : i;
        rc = run_measurement(plan, &plan->from.list[at], e, execute, bound, arg, err);
    }
    return rc == BB_OK ? bbi_emit_flush(e, err) : rc;
}

/* The answer to INTO: how many points were written. */
static int give_written(struct bbi_qctx *ctx, uint64_t written, struct bb_error *err)
{
    static const char *const columns[] = {"time", "written"};
    struct bbi_emit e;
    struct bb_value *row;
    bbi_emit_init(&e, ctx, false);
    int rc = bbi_emit_columns(&e, "result", columns, 2, err);
    rc = rc == BB_OK ? bbi_emit_row(&e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_time(0);
        row[1] = bbi_value_int((int64_t)written);
        rc = bbi_emit_flush(&e, err);
    }
    bbi_emit_fini(&e);
    return rc;
}

static int run_into(const struct bbi_plan *plan, struct bb_error *err)
{
    struct bbi_into into;
    struct bbi_emit e;
    bbi_emit_init(&e, plan->ctx, false);
    int rc = bbi_into_init(&into, plan, err);
    e.sink = &into.sink;
    if (rc == BB_OK) {
        rc = bbi_select_run(plan, &e, true, NULL, NULL, err);
        rc = bbi_into_end(&into, rc, err);
    }
    uint64_t written = into.written;
    bbi_into_fini(&into);
    bbi_emit_fini(&e);
    plan->ctx->zone = NULL; /* its rows are in the query's zone, the answer is not */
    return rc == BB_OK ? give_written(plan->ctx, written, err) : rc;
}

int bbi_statement_select(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                         struct bb_error *err)
{
    struct bbi_plan plan;
    struct bbi_emit e;
    /* First the snapshot, then what series there are: so no batch is seen in some of its series and
     * not in others. */
    int rc = bbi_qctx_snapshot(ctx, err);
    if (rc == BB_OK && select->zone != NULL) {
        rc = bbi_zones_get(ctx->env->zones, select->zone, &ctx->zone, err);
    }
    if (rc == BB_OK) {
        rc = bbi_plan_build(ctx, select, &plan, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    if (select->into != NULL) {
        return run_into(&plan, err);
    }
    bbi_emit_init(&e, ctx, false);
    rc = bbi_select_run(&plan, &e, true, NULL, NULL, err);
    bbi_emit_fini(&e);
    return rc;
}
