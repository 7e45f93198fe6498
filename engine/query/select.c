/* SELECT: plan, then measurement by measurement. */
#include "engine/query/select.h"

#include "engine/query/statement.h"

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

int bbi_select_run(const struct bbi_plan *plan, struct bbi_emit *e, bool execute,
                   bbi_select_bound_fn bound, void *arg, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < plan->from.count; i++) {
        size_t at = plan->descending ? plan->from.count - 1 - i : i;
        rc = run_measurement(plan, &plan->from.list[at], e, execute, bound, arg, err);
    }
    return rc == BB_OK ? bbi_emit_flush(e, err) : rc;
}

int bbi_statement_select(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                         struct bb_error *err)
{
    struct bbi_plan plan;
    struct bbi_emit e;
    /* First the snapshot, then what series there are: so no batch is seen in some of its series and
     * not in others. */
    int rc = bbi_qctx_snapshot(ctx, err);
    if (rc == BB_OK) {
        rc = bbi_plan_build(ctx, select, NULL, &plan, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    bbi_emit_init(&e, ctx, false);
    rc = bbi_select_run(&plan, &e, true, NULL, NULL, err);
    bbi_emit_fini(&e);
    return rc;
}
