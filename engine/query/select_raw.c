/* A SELECT of fields of one measurement. */
#include <string.h>

#include "engine/query/fill.h"
#include "engine/query/raw_cursor.h"
#include "engine/query/select.h"

static int flush(void *arg, struct bb_error *err)
{
    return bbi_emit_flush(arg, err);
}

/* What stands where a row has no value, by fill(). */
static void fill_row(const struct bbi_plan *plan, const struct bb_value *before,
                     struct bb_value *slots)
{
    for (size_t i = 0; i < plan->ref_count; i++) {
        if (slots[i].kind != BB_VALUE_NULL) {
            continue;
        }
        if (plan->fill == BBI_QL_FILL_NUMBER) {
            slots[i] = bbi_fill_absent(plan, plan->refs[i].type);
        } else if (plan->fill == BBI_QL_FILL_PREVIOUS) {
            slots[i] = before[i];
        }
    }
}

struct raw_out {
    struct bbi_raw_cursor cursor;
    struct bbi_emit *e;
    struct bb_value *slots;  /* [ref_count] */
    struct bb_value *before; /* likewise, of the row before */
    struct bb_value *stack;
    bool fills;
    size_t group; /* SIZE_MAX: none yet */
};

static int give_row(struct raw_out *o, const struct bbi_raw_row *in, struct bb_error *err)
{
    const struct bbi_plan *plan = o->cursor.b->plan;
    struct bb_value *row;
    int rc = BB_OK;
    if (o->group != o->cursor.group) {
        o->group = o->cursor.group;
        memset(o->before, 0, plan->ref_count * sizeof(o->before[0]));
        rc = bbi_select_head(o->cursor.b, o->e, o->group, err);
    }
    if (rc == BB_OK) {
        rc = bbi_emit_row(o->e, &row, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    bbi_raw_cursor_values(&o->cursor, in, o->slots);
    if (o->fills) {
        fill_row(plan, o->before, o->slots);
        memcpy(o->before, o->slots, plan->ref_count * sizeof(o->slots[0]));
    }
    row[0] = bbi_value_time(bbi_raw_time(in->head));
    return bbi_select_outputs(plan, o->slots, o->stack, row + 1, err);
}

static int give_all(struct raw_out *o, struct bb_error *err)
{
    struct bbi_raw_row row;
    bool any = true;
    int rc = BB_OK;
    while (rc == BB_OK && any) {
        rc = bbi_raw_cursor_next(&o->cursor, &row, &any, err);
        if (rc == BB_OK && any) {
            rc = give_row(o, &row, err);
        }
    }
    return rc == BB_OK ? bbi_emit_flush(o->e, err) : rc;
}

int bbi_select_raw(struct bbi_binding *b, struct bbi_emit *e, struct bb_error *err)
{
    const struct bbi_plan *plan = b->plan;
    struct raw_out o = {.e = e, .group = SIZE_MAX};
    o.fills = plan->fill == BBI_QL_FILL_NUMBER || plan->fill == BBI_QL_FILL_PREVIOUS;
    int rc = bbi_raw_cursor_open(&o.cursor, b, bbi_select_budget(plan->ctx), err);
    o.cursor.before_drop = flush;
    o.cursor.arg = e;
    rc = rc == BB_OK ? bbi_qctx_array(plan->ctx, plan->ref_count, sizeof(o.slots[0]), &o.slots, err)
                     : rc;
    rc = rc == BB_OK
             ? bbi_qctx_array(plan->ctx, plan->ref_count, sizeof(o.before[0]), &o.before, err)
             : rc;
    rc = rc == BB_OK ? bbi_qctx_array(plan->ctx, plan->depth, sizeof(o.stack[0]), &o.stack, err)
                     : rc;
    if (rc == BB_OK) {
        rc = give_all(&o, err);
    }
    bbi_raw_cursor_close(&o.cursor);
    return rc;
}
