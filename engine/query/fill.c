#include "engine/query/fill.h"

#include "engine/query/emit.h"

struct bb_value bbi_fill_number(const struct bbi_plan *plan, enum bbi_ql_type type)
{
    switch (type) {
    case BBI_QL_TYPE_STRING:
        return bbi_value_string("", 0);
    case BBI_QL_TYPE_BOOLEAN:
        return bbi_value_bool(false);
    case BBI_QL_TYPE_FLOAT:
    case BBI_QL_TYPE_INTEGER:
    case BBI_QL_TYPE_UNSIGNED:
        return bbi_value_cast(plan->fill_value, type);
    default:
        return plan->fill_value;
    }
}

struct bb_value bbi_fill_absent(const struct bbi_plan *plan, enum bbi_ql_type type)
{
    bool number = type == BBI_QL_TYPE_FLOAT || type == BBI_QL_TYPE_INTEGER ||
                  type == BBI_QL_TYPE_UNSIGNED;
    return number ? bbi_value_cast(plan->fill_value, type) : plan->fill_value;
}

struct bb_value bbi_fill_between(int64_t before_at, struct bb_value before, int64_t next_at,
                                 struct bb_value next, int64_t at)
{
    double x = (double)(at - before_at);
    double span = (double)(next_at - before_at);
    switch (before.kind) {
    case BB_VALUE_FLOAT:
        return bbi_value_float((next.v.f - before.v.f) / span * x + before.v.f);
    case BB_VALUE_INT: {
        double m = (double)(next.v.i - before.v.i) / span;
        return bbi_value_int((int64_t)(m * x + (double)before.v.i));
    }
    case BB_VALUE_UINT: {
        double m = ((double)next.v.u - (double)before.v.u) / span;
        return bbi_value_uint((uint64_t)(m * x + (double)before.v.u));
    }
    default:
        return (struct bb_value){.kind = BB_VALUE_NULL};
    }
}
