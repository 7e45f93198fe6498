/* From states to values. */
#include <string.h>

#include "engine/query/select_agg.h"

static int overflow(const struct bbi_call *call, const char *range, struct bb_error *err)
{
    return bbi_error_set(err, BB_ERANGE, "%s(%.100s) is beyond the range of %s", call->name,
                         call->field, range);
}

static int sum_value(const struct bbi_call *call, const struct bbi_state_field *f, void *cell,
                     struct bb_value *out, struct bb_error *err)
{
    const union bbi_state_sum *sum = bbi_state_sum(cell, f);
    if (f->type == BBI_FLOAT) {
        *out = bbi_value_float(bbi_sum_value(&sum->f));
        return BB_OK;
    }
    if (f->type == BBI_UINT) {
        if (sum->i > (__int128)UINT64_MAX) {
            return overflow(call, "unsigned integers", err);
        }
        *out = bbi_value_uint((uint64_t)sum->i);
        return BB_OK;
    }
    if (sum->i > INT64_MAX || sum->i < INT64_MIN) {
        return overflow(call, "integers", err);
    }
    *out = bbi_value_int((int64_t)sum->i);
    return BB_OK;
}

static void mean_value(const struct bbi_state_field *f, void *cell, struct bbi_account *acct,
                       struct bb_value *out)
{
    uint64_t count = *bbi_state_count(cell, f);
    if (f->type == BBI_FLOAT) {
        *out = bbi_value_float(bbi_sum_mean(&bbi_state_sum(cell, f)->f, count));
        return;
    }
    struct bbi_sum sum;
    bbi_sum_init(&sum, acct);
    bbi_sum_add_scaled(&sum, bbi_state_sum(cell, f)->i, 0);
    *out = bbi_value_float(bbi_sum_mean(&sum, count));
    bbi_sum_fini(&sum);
}

static int sketch_value(const struct bbi_call *call, const struct bbi_sketch *sketch,
                        struct bb_value *out, struct bb_error *err)
{
    struct bbi_fn_spec spec = {.buckets = {.width_ns = 0}};
    double value;
    bbi_fn_spec_read(&spec, call->expr);
    int rc = call->func == BBI_FUNC_MEDIAN_APPROX
                 ? bbi_sketch_median(sketch, &value, err)
                 : bbi_sketch_percentile(sketch, spec.number, &value, err);
    *out = bbi_value_float(value);
    return rc;
}

static struct bb_value point_value(const struct bbi_state_field *f, const struct bbi_state_point *p)
{
    if (f->type == BBI_STRING) {
        const struct bbi_string *s = (const struct bbi_string *)(uintptr_t)p->bits;
        return bbi_value_string(s->ptr, s->len);
    }
    return bbi_value_of_bits(f->type, p->bits);
}

/* Which of -0.0 and 0.0 was met first is left open: an extreme of zero is 0. */
static struct bb_value extreme_value(const struct bbi_state_field *f,
                                     const struct bbi_state_point *p)
{
    struct bb_value v = point_value(f, p);
    if (v.kind == BB_VALUE_FLOAT && v.v.f == 0) {
        v.v.f = 0;
    }
    return v;
}

const struct bbi_state_point *bbi_call_point(const struct bbi_call *call,
                                             const struct bbi_state_field *f, void *cell)
{
    switch (call->func) {
    case BBI_FUNC_MIN:
        return bbi_state_min(cell, f);
    case BBI_FUNC_MAX:
        return bbi_state_max(cell, f);
    case BBI_FUNC_FIRST:
        return bbi_state_first(cell, f);
    default:
        return bbi_state_last(cell, f);
    }
}

static struct bb_value cast(const struct bbi_call *call, struct bb_value v)
{
    bool plain = call->cast == BBI_QL_TYPE_UNKNOWN || call->cast == BBI_QL_TYPE_FIELD;
    return plain ? v : bbi_value_cast(v, call->cast);
}

static int value_of(const struct bbi_call *call, const struct bbi_state_field *f, void *cell,
                    struct bbi_account *acct, struct bb_value *out, struct bb_error *err)
{
    switch (call->func) {
    case BBI_FUNC_COUNT:
        *out = bbi_value_int((int64_t)*bbi_state_count(cell, f));
        return BB_OK;
    case BBI_FUNC_SUM:
        return sum_value(call, f, cell, out, err);
    case BBI_FUNC_MEAN:
        mean_value(f, cell, acct, out);
        return BB_OK;
    case BBI_FUNC_MIN:
    case BBI_FUNC_MAX:
        *out = cast(call, extreme_value(f, bbi_call_point(call, f, cell)));
        return BB_OK;
    case BBI_FUNC_SPREAD:
        *out = bbi_program_apply(BBI_QL_SUB, extreme_value(f, bbi_state_max(cell, f)),
                                 extreme_value(f, bbi_state_min(cell, f)));
        return BB_OK;
    case BBI_FUNC_FIRST:
    case BBI_FUNC_LAST:
        *out = cast(call, point_value(f, bbi_call_point(call, f, cell)));
        return BB_OK;
    case BBI_FUNC_PERCENTILE_APPROX:
    case BBI_FUNC_MEDIAN_APPROX:
        return sketch_value(call, bbi_state_sketch(cell, f, acct), out, err);
    default:
        return bbi_error_set(err, BB_EINTERNAL, "%s() is not answered from cells", call->name);
    }
}

/* Where a field is a float in another measurement, integers of this one become floats. */
int bbi_call_value(const struct bbi_call *call, const struct bbi_state_field *f, void *cell,
                   struct bbi_account *acct, struct bb_value *out, struct bb_error *err)
{
    int rc = value_of(call, f, cell, acct, out, err);
    bool number = out->kind == BB_VALUE_INT || out->kind == BB_VALUE_UINT;
    bool differs = call->type == BBI_QL_TYPE_FLOAT ||
                   (call->type == BBI_QL_TYPE_INTEGER && out->kind == BB_VALUE_UINT);
    if (rc == BB_OK && number && differs) {
        *out = bbi_value_cast(*out, call->type);
    }
    return rc;
}
