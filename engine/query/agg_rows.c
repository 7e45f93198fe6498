/*
 * Rows of a group from its cells: fill, LIMIT and OFFSET, and columns.
 *
 * As in InfluxDB each call is a stream of its own, which fills its gaps and counts its rows towards
 * the limit; a row joins what the streams have for one interval.
 */
#include <string.h>

#include "engine/query/fill.h"
#include "engine/query/select_agg.h"

int bbi_agg_rows_init(struct bbi_agg_rows *r, struct bbi_binding *b, struct bbi_emit *e,
                      struct bb_error *err)
{
    const struct bbi_plan *plan = b->plan;
    struct bbi_qctx *ctx = plan->ctx;
    size_t slots = plan->call_count + plan->ref_count;
    memset(r, 0, sizeof(*r));
    r->b = b;
    r->e = e;
    int rc = bbi_qctx_array(ctx, plan->call_count, sizeof(r->calls[0]), &r->calls, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, slots, sizeof(r->slots[0]), &r->slots, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, slots, sizeof(r->before[0]), &r->before, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, plan->call_count, sizeof(r->live[0]), &r->live, err)
                     : rc;
    return rc == BB_OK ? bbi_qctx_array(ctx, plan->depth, sizeof(r->stack[0]), &r->stack, err) : rc;
}

static const struct bbi_state_field *state_field(const struct bbi_agg_rows *r, size_t call)
{
    size_t field = r->b->call_fields[call];
    return field == SIZE_MAX ? NULL : &r->agg->layout.fields[field];
}

/* The cell of a bucket if the call has a value there. */
static void *cell_of(const struct bbi_agg_rows *r, size_t call, int64_t bucket)
{
    const struct bbi_agg *agg = r->agg;
    const struct bbi_state_field *f = state_field(r, call);
    if (f == NULL || bucket < agg->bucket_first ||
        bucket - agg->bucket_first >= (int64_t)agg->bucket_count) {
        return NULL;
    }
    void *cell = bbi_agg_cell(agg, r->cells, (size_t)(bucket - agg->bucket_first));
    return cell == NULL || *bbi_state_count(cell, f) == 0 ? NULL : cell;
}

void bbi_agg_rows_begin(struct bbi_agg_rows *r, size_t group)
{
    const struct bbi_plan *plan = r->b->plan;
    int64_t end = r->agg->bucket_first + (int64_t)r->agg->bucket_count;
    r->group = group;
    r->has_head = false;
    memset(r->before, 0, (plan->call_count + plan->ref_count) * sizeof(r->before[0]));
    for (size_t i = 0; i < plan->call_count; i++) {
        struct bbi_call_rows *c = &r->calls[i];
        memset(c, 0, sizeof(*c));
        for (int64_t k = r->agg->bucket_first; k < end && !c->any; k++) {
            c->any = cell_of(r, i, k) != NULL;
            c->first = k;
        }
        for (int64_t k = end - 1; c->any && k >= c->first; k--) {
            c->last = k;
            if (cell_of(r, i, k) != NULL) {
                break;
            }
        }
    }
}

static bool fills(const struct bbi_plan *plan)
{
    return plan->buckets.width_ns != 0 && plan->fill != BBI_QL_FILL_NONE;
}

/* The buckets of one call's rows: up to the ends of the query's times when gaps are filled, but
 * without a lower bound from the first value on. */
static void call_range(const struct bbi_agg_rows *r, const struct bbi_call_rows *c, int64_t *from,
                       int64_t *to)
{
    const struct bbi_plan *plan = r->b->plan;
    *from = c->first;
    *to = c->last;
    if (fills(plan)) {
        *from = plan->when.has_tmin ? bbi_bucket_of(&plan->buckets, plan->when.tmin) : *from;
        *to = bbi_bucket_of(&plan->buckets, plan->when.tmax);
    }
}

bool bbi_agg_rows_range(const struct bbi_agg_rows *r, int64_t *from, int64_t *to)
{
    bool any = false;
    for (size_t i = 0; i < r->b->plan->call_count; i++) {
        int64_t low;
        int64_t high;
        if (!r->calls[i].any) {
            continue;
        }
        call_range(r, &r->calls[i], &low, &high);
        *from = any && *from < low ? *from : low;
        *to = any && *to > high ? *to : high;
        any = true;
    }
    return any;
}

bool bbi_agg_rows_done(const struct bbi_agg_rows *r)
{
    const struct bbi_plan *plan = r->b->plan;
    if (plan->limit == 0) {
        return false;
    }
    for (size_t i = 0; i < r->b->plan->call_count; i++) {
        if (r->calls[i].any && r->calls[i].at < plan->limit + plan->offset) {
            return false;
        }
    }
    return true;
}

/* ---- filling ---- */

static int fill_linear(struct bbi_agg_rows *r, size_t call, int64_t bucket, struct bb_value *out,
                       struct bb_error *err)
{
    struct bbi_call_rows *c = &r->calls[call];
    int64_t step = r->b->plan->descending ? -1 : 1;
    memset(out, 0, sizeof(*out));
    if (!c->has_previous || bucket < c->first || bucket > c->last) {
        return BB_OK;
    }
    if (!c->has_next || (c->next_bucket - bucket) * step <= 0) {
        c->next_bucket = bucket + step;
        while (cell_of(r, call, c->next_bucket) == NULL) {
            c->next_bucket += step;
        }
        c->has_next = true;
    }
    struct bb_value next;
    int rc = bbi_call_value(&r->b->plan->calls[call], state_field(r, call),
                            cell_of(r, call, c->next_bucket), &r->b->plan->ctx->acct, &next, err);
    if (rc == BB_OK) {
        *out = bbi_fill_between(c->previous_bucket, c->previous, c->next_bucket, next, bucket);
    }
    return rc;
}

/* What stands in a gap. */
static int fill_gap(struct bbi_agg_rows *r, size_t call, int64_t bucket, struct bb_value *out,
                    struct bb_error *err)
{
    const struct bbi_plan *plan = r->b->plan;
    const struct bbi_call *what = &plan->calls[call];
    const struct bbi_call_rows *c = &r->calls[call];
    memset(out, 0, sizeof(*out));
    switch (plan->fill) {
    case BBI_QL_FILL_NULL:
        if (what->func == BBI_FUNC_COUNT) {
            *out = bbi_value_int(0);
        }
        return BB_OK;
    case BBI_QL_FILL_NUMBER:
        *out = bbi_fill_number(plan, what->type);
        return BB_OK;
    case BBI_QL_FILL_PREVIOUS:
        if (c->has_previous) {
            *out = c->previous;
        }
        return BB_OK;
    case BBI_QL_FILL_LINEAR:
        return fill_linear(r, call, bucket, out, err);
    case BBI_QL_FILL_NONE:
        break;
    }
    return BB_OK;
}

/* ---- rows ---- */

/* The call's value at a bucket, and whether it has a row there within the limit. */
static int step_call(struct bbi_agg_rows *r, size_t call, int64_t bucket, bool *live,
                     struct bb_error *err)
{
    const struct bbi_plan *plan = r->b->plan;
    struct bbi_call_rows *c = &r->calls[call];
    struct bb_value *out = &r->slots[call];
    int64_t from;
    int64_t to;
    int rc = BB_OK;
    *live = false;
    memset(out, 0, sizeof(*out));
    if (!c->any) {
        return BB_OK;
    }
    call_range(r, c, &from, &to);
    void *cell = cell_of(r, call, bucket);
    if (bucket < from || bucket > to || (cell == NULL && !fills(plan))) {
        return BB_OK;
    }
    if (cell != NULL) {
        rc = bbi_call_value(&plan->calls[call], state_field(r, call), cell, &plan->ctx->acct, out,
                            err);
        c->has_previous = true;
        c->previous = *out;
        c->previous_bucket = bucket;
    } else {
        rc = fill_gap(r, call, bucket, out, err);
    }
    uint64_t at = c->at++;
    *live = at >= plan->offset && (plan->limit == 0 || at - plan->offset < plan->limit);
    return rc;
}

static struct bb_value cast_ref(const struct bbi_ref_source *ref, struct bb_value v)
{
    return ref->cast == BBI_QL_TYPE_UNKNOWN ? v : bbi_value_cast(v, ref->cast);
}

/* The names beside a selector: of the row that it picked, or what fill() says. */
static void step_refs(struct bbi_agg_rows *r, int64_t bucket)
{
    const struct bbi_binding *b = r->b;
    const struct bbi_plan *plan = b->plan;
    const struct bbi_lookup_row *row = NULL;
    if (r->beside != NULL && bucket >= r->agg->bucket_first &&
        bucket - r->agg->bucket_first < (int64_t)r->agg->bucket_count) {
        row = r->beside[bucket - r->agg->bucket_first];
    }
    for (size_t i = 0; i < plan->ref_count; i++) {
        const struct bbi_ref_source *ref = &b->refs[i];
        struct bb_value *out = &r->slots[plan->call_count + i];
        memset(out, 0, sizeof(*out));
        if (row != NULL && ref->kind == BBI_REF_FIELD) {
            *out = cast_ref(ref, row->values[ref->index]);
        } else if (row != NULL && ref->kind == BBI_REF_TAG) {
            const char *value = b->series.tags.list[r->agg->tags_of[row->series_at]][ref->index];
            if (value[0] != '\0') {
                *out = bbi_value_string(value, strlen(value));
            }
        }
        if (out->kind != BB_VALUE_NULL) {
            continue;
        }
        if (plan->fill == BBI_QL_FILL_NUMBER) {
            *out = bbi_fill_absent(plan, plan->refs[i].type);
        } else if (plan->fill == BBI_QL_FILL_PREVIOUS) {
            *out = r->before[plan->call_count + i];
        }
    }
}

static int64_t row_time(const struct bbi_agg_rows *r, int64_t bucket)
{
    const struct bbi_plan *plan = r->b->plan;
    if (plan->buckets.width_ns != 0) {
        return bbi_bucket_start(&plan->buckets, bucket);
    }
    if (plan->is_selector) {
        return bbi_call_point(&plan->calls[0], state_field(r, 0), cell_of(r, 0, bucket))->time;
    }
    return plan->when.has_tmin ? plan->when.tmin : 0;
}

static int give_row(struct bbi_agg_rows *r, int64_t bucket, struct bb_error *err)
{
    const struct bbi_plan *plan = r->b->plan;
    struct bb_value *row;
    int rc = BB_OK;
    if (!r->has_head) {
        rc = bbi_select_head(r->b, r->e, r->group, err);
        r->has_head = true;
    }
    if (rc == BB_OK) {
        rc = bbi_emit_row(r->e, &row, err);
    }
    if (rc == BB_OK) {
        row[0] = bbi_value_time(row_time(r, bucket));
        rc = bbi_select_outputs(plan, r->slots, r->stack, row + 1, err);
    }
    return rc;
}

int bbi_agg_rows_give(struct bbi_agg_rows *r, int64_t from, int64_t to, struct bb_error *err)
{
    const struct bbi_plan *plan = r->b->plan;
    size_t slots = plan->call_count + plan->ref_count;
    int rc = BB_OK;
    for (int64_t n = 0; rc == BB_OK && n <= to - from && !bbi_agg_rows_done(r); n++) {
        int64_t bucket = plan->descending ? to - n : from + n;
        bool any = false;
        for (size_t i = 0; rc == BB_OK && i < plan->call_count; i++) {
            rc = step_call(r, i, bucket, &r->live[i], err);
            any = any || r->live[i];
        }
        for (size_t i = 0; i < plan->call_count; i++) {
            if (!r->live[i]) {
                memset(&r->slots[i], 0, sizeof(r->slots[i]));
                bool fills = plan->calls[i].type != BBI_QL_TYPE_UNKNOWN || plan->calls[i].is_filled;
                if (plan->fill == BBI_QL_FILL_NUMBER && fills) {
                    r->slots[i] = bbi_fill_absent(plan, plan->calls[i].type);
                }
            }
        }
        if (rc == BB_OK && any) {
            step_refs(r, bucket);
            rc = give_row(r, bucket, err);
            memcpy(r->before, r->slots, slots * sizeof(r->slots[0]));
        }
        if (rc == BB_OK && n % 4096 == 4095) {
            rc = bbi_qctx_check(plan->ctx, err);
        }
    }
    return rc;
}
