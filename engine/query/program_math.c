/* Math functions on the values of a row. */
#include <math.h>

#include "engine/query/emit.h"
#include "engine/query/program.h"

static bool to_double(const struct bb_value *v, double *out)
{
    struct bb_value f = bbi_value_cast(*v, BBI_QL_TYPE_FLOAT);
    *out = f.v.f;
    return f.kind == BB_VALUE_FLOAT;
}

/* Integers keep their type, and the smallest its sign. */
static struct bb_value keep_integer(enum bbi_func func, const struct bb_value *v)
{
    if (func == BBI_FUNC_ABS && v->kind == BB_VALUE_INT && v->v.i < 0) {
        return bbi_value_int((int64_t)(0 - (uint64_t)v->v.i));
    }
    return *v;
}

static double round_half_away(double x)
{
    double whole = trunc(x);
    return fabs(x - whole) >= 0.5 ? whole + copysign(1, x) : whole;
}

static double of_one(enum bbi_func func, double x)
{
    switch (func) {
    case BBI_FUNC_ABS:
        return fabs(x);
    case BBI_FUNC_ACOS:
        return acos(x);
    case BBI_FUNC_ASIN:
        return asin(x);
    case BBI_FUNC_ATAN:
        return atan(x);
    case BBI_FUNC_CEIL:
        return ceil(x);
    case BBI_FUNC_COS:
        return cos(x);
    case BBI_FUNC_EXP:
        return exp(x);
    case BBI_FUNC_FLOOR:
        return floor(x);
    case BBI_FUNC_LN:
        return log(x);
    case BBI_FUNC_LOG2:
        return log2(x);
    case BBI_FUNC_LOG10:
        return log10(x);
    case BBI_FUNC_ROUND:
        return round_half_away(x);
    case BBI_FUNC_SIN:
        return sin(x);
    case BBI_FUNC_SQRT:
        return sqrt(x);
    default:
        return tan(x);
    }
}

static double of_two(enum bbi_func func, double x, double y)
{
    switch (func) {
    case BBI_FUNC_ATAN2:
        return atan2(x, y);
    case BBI_FUNC_LOG:
        return log(x) / log(y);
    default:
        return pow(x, y);
    }
}

struct bb_value bbi_math_call(enum bbi_func func, const struct bb_value *args)
{
    const struct bb_value none = {.kind = BB_VALUE_NULL};
    const struct bbi_func_info *info = bbi_func_info(func);
    double x;
    double y;
    bool whole = args[0].kind == BB_VALUE_INT || args[0].kind == BB_VALUE_UINT;
    if (whole && info->gives == BBI_FN_GIVES_SAME) {
        return keep_integer(func, &args[0]);
    }
    if (!to_double(&args[0], &x)) {
        return none;
    }
    if (info->args_max == 1) {
        return bbi_value_float(of_one(func, x));
    }
    return to_double(&args[1], &y) ? bbi_value_float(of_two(func, x, y)) : none;
}

static struct bb_value number_of(const struct bbi_ql_expr *literal)
{
    switch (literal->kind) {
    case BBI_QL_NUMBER:
        return bbi_value_float(literal->u.number);
    case BBI_QL_INTEGER:
        return bbi_value_int(literal->u.integer);
    case BBI_QL_UNSIGNED:
        return bbi_value_uint(literal->u.unsigned_integer);
    default:
        return (struct bb_value){.kind = BB_VALUE_NULL};
    }
}

bool bbi_math_fold(const char *name, struct bbi_ql_expr *const *args, size_t arg_count,
                   struct bbi_ql_expr *out)
{
    enum bbi_func func;
    if (!bbi_func_find(name, &func) || bbi_func_info(func)->class != BBI_FN_MATH ||
        bbi_func_info(func)->args_min != arg_count) {
        return false;
    }
    struct bb_value values[2] = {{.kind = BB_VALUE_NULL}, {.kind = BB_VALUE_NULL}};
    for (size_t i = 0; i < arg_count && i < 2; i++) {
        values[i] = number_of(args[i]);
    }
    struct bb_value value = bbi_math_call(func, values);
    *out = (struct bbi_ql_expr){.kind = BBI_QL_NULL};
    if (value.kind == BB_VALUE_FLOAT) {
        *out = (struct bbi_ql_expr){.kind = BBI_QL_NUMBER, .u.number = value.v.f};
    } else if (value.kind == BB_VALUE_INT) {
        *out = (struct bbi_ql_expr){.kind = BBI_QL_INTEGER, .u.integer = value.v.i};
    }
    return true;
}
