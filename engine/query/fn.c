/* The table of functions, and calls read into specs. */
#include "engine/query/fn.h"

#include <math.h>
#include <string.h>

static const struct bbi_func_info infos[] = {
#define FUNC_INFO(id, name, class, args_min, args_max, takes, gives, in_cells)   \
    [BBI_FUNC_##id] = {name,           BBI_FN_##class,       args_min, args_max, \
                       BBI_FN_##takes, BBI_FN_GIVES_##gives, in_cells},
    BBI_FUNC_TABLE(FUNC_INFO)
#undef FUNC_INFO
};

#define FUNC_COUNT (sizeof(infos) / sizeof(infos[0]))

bool bbi_func_find(const char *name, enum bbi_func *func)
{
    for (size_t i = 0; i < FUNC_COUNT; i++) {
        if (strcmp(name, infos[i].name) == 0) {
            *func = (enum bbi_func)i;
            return true;
        }
    }
    return false;
}

const struct bbi_func_info *bbi_func_info(enum bbi_func func)
{
    BB_ASSERT((size_t)func < FUNC_COUNT);
    return &infos[func];
}

bool bbi_func_takes_any_order(enum bbi_func func, bool has_others)
{
    switch (func) {
    case BBI_FUNC_COUNT:
    case BBI_FUNC_STDDEV:
    case BBI_FUNC_MEDIAN:
    case BBI_FUNC_MODE:
        return true;
    case BBI_FUNC_PERCENTILE:
    case BBI_FUNC_TOP:
    case BBI_FUNC_BOTTOM:
        return !has_others;
    default:
        return false;
    }
}

static unsigned bit_of(enum bbi_ql_type type)
{
    switch (type) {
    case BBI_QL_TYPE_FLOAT:
        return BBI_FN_FLOAT;
    case BBI_QL_TYPE_INTEGER:
        return BBI_FN_INT;
    case BBI_QL_TYPE_UNSIGNED:
        return BBI_FN_UINT;
    case BBI_QL_TYPE_BOOLEAN:
        return BBI_FN_BOOL;
    case BBI_QL_TYPE_STRING:
        return BBI_FN_STR;
    default:
        return 0;
    }
}

bool bbi_func_type(enum bbi_func func, enum bbi_ql_type arg, enum bbi_ql_type *result)
{
    const struct bbi_func_info *info = bbi_func_info(func);
    *result = info->gives == BBI_FN_GIVES_FLOAT ? BBI_QL_TYPE_FLOAT
              : info->gives == BBI_FN_GIVES_INT ? BBI_QL_TYPE_INTEGER
                                                : arg;
    return (info->takes & bit_of(arg)) != 0;
}

/* ---- calls ---- */

static bool is_average(enum bbi_func func)
{
    return func >= BBI_FUNC_EMA && func <= BBI_FUNC_CMO;
}

static int64_t default_unit(const struct bbi_fn_spec *spec)
{
    switch (spec->func) {
    case BBI_FUNC_ELAPSED:
        return 1;
    case BBI_FUNC_DERIVATIVE:
    case BBI_FUNC_NN_DERIVATIVE:
        return spec->buckets.width_ns > 0 ? spec->buckets.width_ns : INT64_C(1000000000);
    default:
        return INT64_C(1000000000);
    }
}

static void read_text(struct bbi_fn_spec *spec, const char *text)
{
    if (strcmp(text, "simple") == 0) {
        spec->warmup = BBI_FN_SIMPLE;
    } else if (strcmp(text, "exponential") == 0) {
        spec->warmup = BBI_FN_EXPONENTIAL;
    } else if (strcmp(text, "none") == 0) {
        spec->warmup = BBI_FN_NO_WARMUP;
    } else if (strcmp(text, "steps") == 0) {
        spec->between = BBI_FN_STEPS;
    }
}

/* Integers go to n, then to hold or season, in the order in which they stand. */
static void read_integer(struct bbi_fn_spec *spec, size_t at, int64_t i)
{
    if (spec->func == BBI_FUNC_PERCENTILE || spec->func == BBI_FUNC_PERCENTILE_APPROX ||
        spec->func == BBI_FUNC_INCREASE) {
        spec->number = (double)i;
    } else if (at == 2 && is_average(spec->func)) {
        spec->hold = i;
    } else if (at == 2 && spec->func != BBI_FUNC_TOP && spec->func != BBI_FUNC_BOTTOM) {
        spec->season = i;
    } else {
        spec->n = i;
    }
}

static bool is_distinct(const struct bbi_ql_expr *expr)
{
    return expr->kind == BBI_QL_DISTINCT ||
           (expr->kind == BBI_QL_CALL && strcmp(expr->u.call.name, "distinct") == 0);
}

void bbi_fn_spec_read(struct bbi_fn_spec *spec, const struct bbi_ql_expr *call)
{
    enum bbi_func func = BBI_FUNC_DISTINCT;
    bool found = call->kind == BBI_QL_DISTINCT || bbi_func_find(call->u.call.name, &func);
    BB_ASSERT(found);
    spec->func = func;
    spec->hold = -1;
    spec->warmup = func == BBI_FUNC_CMO ? BBI_FN_NO_WARMUP : BBI_FN_EXPONENTIAL;
    spec->unit_ns = default_unit(spec);
    if (call->kind == BBI_QL_DISTINCT) {
        return;
    }
    spec->count_distinct = func == BBI_FUNC_COUNT && is_distinct(call->u.call.args[0]);
    for (size_t i = 1; i < call->u.call.arg_count; i++) {
        const struct bbi_ql_expr *arg = call->u.call.args[i];
        if (arg->kind == BBI_QL_INTEGER) {
            read_integer(spec, i, arg->u.integer);
        } else if (arg->kind == BBI_QL_NUMBER) {
            spec->number = arg->u.number;
        } else if (arg->kind == BBI_QL_DURATION) {
            spec->unit_ns = arg->u.duration.ns;
        } else if (arg->kind == BBI_QL_STRING) {
            read_text(spec, arg->u.string);
        }
    }
}
