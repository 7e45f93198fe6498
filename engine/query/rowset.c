#include "engine/query/rowset.h"

#include <string.h>

#include "engine/query/fill.h"
#include "engine/query/select.h"

/* Each source may hold at least this much. */
#define SOURCE_BYTES_MIN (UINT64_C(1) << 20)

/* Streams that read at the same time. */
static uint64_t count_sources(const struct bbi_plan *plan)
{
    uint64_t count = plan->from.count > 0;
    for (size_t i = 0; i < plan->sub_count; i++) {
        count += count_sources(plan->subs[i]);
    }
    return count * (plan->call_count == 0 ? 1 : plan->call_count);
}

struct bbi_flow bbi_flow_of(const struct bbi_plan *plan)
{
    uint64_t sources = count_sources(plan);
    uint64_t budget = bbi_select_budget(plan->ctx) / (sources == 0 ? 1 : sources);
    return (struct bbi_flow){.plan = plan,
                             .tmin = plan->when.tmin,
                             .tmax = plan->when.tmax,
                             .budget = budget < SOURCE_BYTES_MIN ? SOURCE_BYTES_MIN : budget,
                             .is_hasty = plan->limit != 0};
}

static int add_scanner(struct bbi_rowset *r, size_t slot, struct bb_error *err)
{
    const struct bbi_plan *plan = r->flow.plan;
    struct bbi_scanner *s = &r->scanners[r->scanner_count++];
    struct bbi_stream *stream = NULL;
    s->slot = slot;
    s->used = true;
    int rc = slot == SIZE_MAX ? bbi_stream_source(&r->flow, NULL, &stream, err)
                              : bbi_stream_call(&r->flow, &plan->calls[slot], &stream, err);
    s->stream = stream;
    return rc == BB_OK ? bbi_stream_limit(&r->flow, stream, &s->stream, err) : rc;
}

/* Calls of what is not there have no stream, as if they were not written. */
static int add_scanners(struct bbi_rowset *r, struct bb_error *err)
{
    const struct bbi_plan *plan = r->flow.plan;
    int rc = BB_OK;
    if (plan->call_count == 0) {
        return bbi_plan_begins(plan) ? add_scanner(r, SIZE_MAX, err) : BB_OK;
    }
    for (size_t i = 0; rc == BB_OK && i < plan->call_count; i++) {
        if (plan->calls[i].type != BBI_QL_TYPE_UNKNOWN) {
            rc = add_scanner(r, i, err);
        }
    }
    return rc;
}

int bbi_rowset_open(struct bbi_rowset *r, const struct bbi_flow *flow, struct bb_error *err)
{
    const struct bbi_plan *plan = flow->plan;
    struct bbi_qctx *ctx = plan->ctx;
    size_t slots = plan->call_count + plan->ref_count;
    memset(r, 0, sizeof(*r));
    r->flow = *flow;
    r->flow.is_hasty = flow->is_hasty || plan->limit != 0;
    int rc = bbi_qctx_array(ctx, plan->call_count + 1, sizeof(r->scanners[0]), &r->scanners, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, slots, sizeof(r->slots[0]), &r->slots, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, plan->depth, sizeof(r->stack[0]), &r->stack, err) : rc;
    rc = rc == BB_OK
             ? bbi_qctx_array(ctx, plan->output_count, sizeof(r->values[0]), &r->values, err)
             : rc;
    if (rc == BB_OK && plan->fill == BBI_QL_FILL_PREVIOUS) {
        rc = bbi_qctx_array(ctx, slots, sizeof(r->kept[0]), &r->kept, err);
        for (size_t i = 0; rc == BB_OK && i < slots; i++) {
            bbi_buf_init(&r->kept[i], &ctx->acct, SIZE_MAX / 4);
        }
    }
    return rc == BB_OK ? add_scanners(r, err) : rc;
}

void bbi_rowset_close(struct bbi_rowset *r)
{
    for (size_t i = 0; i < r->scanner_count; i++) {
        bbi_stream_close(&r->scanners[i].stream);
    }
    if (r->kept != NULL) {
        const struct bbi_plan *plan = r->flow.plan;
        for (size_t i = 0; i < plan->call_count + plan->ref_count; i++) {
            bbi_buf_fini(&r->kept[i]);
        }
    }
    r->scanner_count = 0;
    r->kept = NULL;
}

/* ---- slots ---- */

static int set_slot(struct bbi_rowset *r, size_t slot, const struct bb_value *value,
                    struct bb_error *err)
{
    struct bb_value *out = &r->slots[slot];
    *out = *value;
    if (r->kept == NULL || out->kind != BB_VALUE_STRING) {
        return BB_OK;
    }
    struct bbi_buf *kept = &r->kept[slot];
    bbi_buf_reset(kept);
    bbi_buf_put(kept, out->v.str, out->length);
    out->v.str = (const char *)kept->data;
    return bbi_buf_check(kept, "a value to fill with", err);
}

/* What a slot gets that has no value: what fill() says; with fill(previous) it stays. */
static void set_default(struct bbi_rowset *r, size_t slot)
{
    const struct bbi_plan *plan = r->flow.plan;
    enum bbi_ql_type type = slot < plan->call_count ? plan->calls[slot].type
                                                    : plan->refs[slot - plan->call_count].type;
    if (plan->fill == BBI_QL_FILL_PREVIOUS) {
        return;
    }
    r->slots[slot] = plan->fill == BBI_QL_FILL_NUMBER ? bbi_fill_absent(plan, type)
                                                      : (struct bb_value){.kind = BB_VALUE_NULL};
}

static void set_defaults(struct bbi_rowset *r, const struct bbi_scanner *s)
{
    const struct bbi_plan *plan = r->flow.plan;
    if (s->slot != SIZE_MAX) {
        set_default(r, s->slot);
    }
    for (size_t i = 0; i < plan->ref_count; i++) {
        set_default(r, plan->call_count + i);
    }
}

static int set_slots(struct bbi_rowset *r, const struct bbi_scanner *s, struct bb_error *err)
{
    const struct bbi_plan *plan = r->flow.plan;
    int rc = BB_OK;
    if (s->slot != SIZE_MAX && s->point.value.kind == BB_VALUE_NULL) {
        set_default(r, s->slot);
    } else if (s->slot != SIZE_MAX) {
        rc = set_slot(r, s->slot, &s->point.value, err);
    }
    for (size_t i = 0; rc == BB_OK && i < plan->ref_count; i++) {
        const struct bb_value *value = s->point.aux == NULL ? NULL : &s->point.aux[i];
        if (value == NULL || value->kind == BB_VALUE_NULL) {
            set_default(r, plan->call_count + i);
        } else {
            rc = set_slot(r, plan->call_count + i, value, err);
        }
    }
    return rc;
}

/* ---- rows ---- */

static int refill(struct bbi_rowset *r, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < r->scanner_count; i++) {
        struct bbi_scanner *s = &r->scanners[i];
        if (s->used) {
            rc = s->stream->next(s->stream, &s->point, &s->any, err);
            s->used = false;
        }
    }
    return rc;
}

static int compare_points(const struct bbi_plan *plan, const struct bbi_stream_point *a,
                          const struct bbi_stream_point *b)
{
    int c = bbi_group_compare(plan, &a->group, &b->group);
    if (c == 0) {
        c = (a->time > b->time) - (a->time < b->time);
    }
    return plan->descending ? -c : c;
}

static const struct bbi_scanner *first_scanner(const struct bbi_rowset *r)
{
    const struct bbi_scanner *best = NULL;
    for (size_t i = 0; i < r->scanner_count; i++) {
        const struct bbi_scanner *s = &r->scanners[i];
        if (s->any && (best == NULL || compare_points(r->flow.plan, &s->point, &best->point) < 0)) {
            best = s;
        }
    }
    return best;
}

bool bbi_rowset_skips(const struct bbi_rowset *r)
{
    bool skips = !bbi_plan_interleaves(r->flow.plan);
    for (size_t i = 0; i < r->scanner_count; i++) {
        skips = skips && r->scanners[i].stream != NULL && r->scanners[i].stream->skip != NULL;
    }
    return skips;
}

/* A scanner that is used gave the last point that it had, or one before it. */
void bbi_rowset_skip(struct bbi_rowset *r)
{
    for (size_t i = 0; i < r->scanner_count; i++) {
        struct bbi_scanner *s = &r->scanners[i];
        if (s->any && bbi_group_same(r->flow.plan, &s->point.group, &r->group)) {
            s->used = true;
            s->stream->skip(s->stream);
        }
    }
}

/* Calls without a stream that have values all the same. */
static void set_filled(struct bbi_rowset *r)
{
    const struct bbi_plan *plan = r->flow.plan;
    for (size_t i = 0; plan->fill == BBI_QL_FILL_NUMBER && i < plan->call_count; i++) {
        if (plan->calls[i].is_filled) {
            r->slots[i] = plan->fill_value;
        }
    }
}

static int compute(struct bbi_rowset *r, struct bb_error *err)
{
    return bbi_select_outputs(r->flow.plan, r->slots, r->stack, r->values, err);
}

int bbi_rowset_next(struct bbi_rowset *r, bool *any, bool *new_group, struct bb_error *err)
{
    const struct bbi_plan *plan = r->flow.plan;
    int rc = refill(r, err);
    const struct bbi_scanner *first = rc == BB_OK ? first_scanner(r) : NULL;
    *any = first != NULL;
    if (first == NULL) {
        return rc;
    }
    struct bbi_stream_point point = first->point;
    *new_group = !r->begun || !bbi_group_same(plan, &r->group, &point.group);
    r->begun = true;
    r->group = point.group;
    r->time = point.time;
    if (*new_group) {
        memset(r->slots, 0, (plan->call_count + plan->ref_count) * sizeof(r->slots[0]));
        set_filled(r);
    }
    for (size_t i = 0; rc == BB_OK && i < r->scanner_count; i++) {
        struct bbi_scanner *s = &r->scanners[i];
        if (!s->any || compare_points(plan, &s->point, &point) != 0) {
            set_defaults(r, s);
            continue;
        }
        rc = set_slots(r, s, err);
        s->used = true;
    }
    return rc == BB_OK ? compute(r, err) : rc;
}
