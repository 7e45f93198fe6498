/*
 * What each function takes, in InfluxDB's order and words (tests/diff compares them). The order in
 * which faults are found is part of it: the number of arguments, those behind the first, the first.
 */
#include <stdio.h>
#include <string.h>

#include "engine/influxql/influxql.h"
#include "engine/query/plan_internal.h"

static int refuse(struct bb_error *err, const char *text)
{
    return bbi_error_set(err, BB_EINVAL, "%s", text);
}

/* text: a literal with one %s, for the function's name. */
#define REFUSE_NAMED(err, text, name) bbi_error_set(err, BB_EINVAL, text, name)

/* An expression cut to a length that fits a message. */
static int refuse_found(struct bb_error *err, const char *before, const char *name,
                        const struct bbi_ql_expr *found)
{
    struct bbi_buf text;
    bbi_buf_init(&text, NULL, 4096);
    bbi_ql_format_brief(found, &text);
    (void)bbi_error_set(err, BB_EINVAL, "%s in %s(), found %.*s", before, name,
                        (int)(text.len < 200 ? text.len : 200), (const char *)text.data);
    bbi_buf_fini(&text);
    return err->code;
}

/* What InfluxDB calls a kind of expression. */
static const char *kind_name(const struct bbi_ql_expr *expr)
{
    switch (expr->kind) {
    case BBI_QL_VAR:
        return "*influxql.VarRef";
    case BBI_QL_CALL:
        return "*influxql.Call";
    case BBI_QL_BINARY:
        return "*influxql.BinaryExpr";
    case BBI_QL_PAREN:
        return "*influxql.ParenExpr";
    case BBI_QL_NUMBER:
        return "*influxql.NumberLiteral";
    case BBI_QL_INTEGER:
        return "*influxql.IntegerLiteral";
    case BBI_QL_UNSIGNED:
        return "*influxql.UnsignedLiteral";
    case BBI_QL_STRING:
        return "*influxql.StringLiteral";
    case BBI_QL_BOOLEAN:
        return "*influxql.BooleanLiteral";
    case BBI_QL_DURATION:
        return "*influxql.DurationLiteral";
    case BBI_QL_REGEX:
        return "*influxql.RegexLiteral";
    case BBI_QL_WILDCARD:
        return "*influxql.Wildcard";
    case BBI_QL_DISTINCT:
        return "*influxql.Distinct";
    default:
        return "an expression";
    }
}

/* ---- the number of arguments ---- */

static int check_count(const struct bbi_ql_expr *call, const struct bbi_func_info *info,
                       struct bb_error *err)
{
    const char *name = call->u.call.name;
    size_t count = call->u.call.arg_count;
    if (count >= info->args_min && count <= info->args_max) {
        return BB_OK;
    }
    if (info->args_max == UINT8_MAX) {
        return bbi_error_set(err, BB_EINVAL,
                             "invalid number of arguments for %s, expected at least %u, got %zu",
                             name, (unsigned)info->args_min, count);
    }
    if (info->args_min != info->args_max) {
        return bbi_error_set(err, BB_EINVAL,
                             "invalid number of arguments for %s, expected at least %u but no "
                             "more than %u, got %zu",
                             name, (unsigned)info->args_min, (unsigned)info->args_max, count);
    }
    return bbi_error_set(err, BB_EINVAL, "invalid number of arguments for %s, expected %u, got %zu",
                         name, (unsigned)info->args_min, count);
}

/* ---- the arguments behind the first ---- */

static int check_unit(const struct bbi_ql_expr *call, struct bb_error *err)
{
    const struct bbi_ql_expr *unit = call->u.call.args[1];
    if (unit->kind != BBI_QL_DURATION) {
        return bbi_error_set(err, BB_EINVAL, "second argument to %s must be a duration, got %s",
                             call->u.call.name, kind_name(unit));
    }
    if (unit->u.duration.months == 0 && unit->u.duration.ns <= 0) {
        struct bbi_buf text;
        bbi_buf_init(&text, NULL, 64);
        bbi_ql_format_brief(unit, &text);
        (void)bbi_error_set(err, BB_EINVAL, "duration argument must be positive, got %.*s",
                            (int)text.len, (const char *)text.data);
        bbi_buf_fini(&text);
        return err->code;
    }
    return BB_OK;
}

static int check_sample(const struct bbi_ql_expr *size, struct bb_error *err)
{
    if (size->kind != BBI_QL_INTEGER) {
        return refuse(err, "expected integer argument in sample()");
    }
    return size->u.integer > 0
               ? BB_OK
               : bbi_error_set(err, BB_EINVAL, "sample window must be greater than 1, got %lld",
                               (long long)size->u.integer);
}

static int check_window(const struct bbi_ql_expr *window, struct bb_error *err)
{
    if (window->kind != BBI_QL_INTEGER) {
        return bbi_error_set(err, BB_EINVAL,
                             "second argument for moving_average must be an integer, got %s",
                             kind_name(window));
    }
    return window->u.integer > 1
               ? BB_OK
               : bbi_error_set(err, BB_EINVAL,
                               "moving_average window must be greater than 1, got %lld",
                               (long long)window->u.integer);
}

static int check_warmup(const struct bbi_ql_expr *call, bool may_be_none, struct bb_error *err)
{
    const struct bbi_ql_expr *arg = call->u.call.args[3];
    const char *name = call->u.call.name;
    if (arg->kind != BBI_QL_STRING) {
        return REFUSE_NAMED(err, "%s warmup type must be a string", name);
    }
    if (strcmp(arg->u.string, "exponential") == 0 || strcmp(arg->u.string, "simple") == 0 ||
        (may_be_none && strcmp(arg->u.string, "none") == 0)) {
        return BB_OK;
    }
    return may_be_none
               ? REFUSE_NAMED(err, "%s warmup type must be one of: 'none' 'exponential' 'simple'",
                              name)
               : REFUSE_NAMED(err, "%s warmup type must be one of: 'exponential' 'simple'", name);
}

/* Period, hold period and warmup of the averages. */
static int check_average(const struct bbi_ql_expr *call, bool may_be_none, struct bb_error *err)
{
    struct bbi_ql_expr **args = call->u.call.args;
    const char *name = call->u.call.name;
    if (args[1]->kind != BBI_QL_INTEGER) {
        return REFUSE_NAMED(err, "%s period must be an integer", name);
    }
    if (args[1]->u.integer < 1) {
        return REFUSE_NAMED(err, "%s period must be greater than or equal to 1", name);
    }
    if (call->u.call.arg_count > 2 && args[2]->kind != BBI_QL_INTEGER) {
        return REFUSE_NAMED(err, "%s hold period must be an integer", name);
    }
    bool slope = strcmp(name, "triple_exponential_derivative") == 0;
    if (call->u.call.arg_count > 2 && args[2]->u.integer < slope && args[2]->u.integer != -1) {
        return slope ? REFUSE_NAMED(err, "%s hold period must be greater than or equal to 1", name)
                     : REFUSE_NAMED(err, "%s hold period must be greater than or equal to 0", name);
    }
    return call->u.call.arg_count > 3 ? check_warmup(call, may_be_none, err) : BB_OK;
}

static int check_forecast(const struct bbi_ql_expr *call, struct bb_error *err)
{
    struct bbi_ql_expr **args = call->u.call.args;
    const char *name = call->u.call.name;
    if (args[1]->kind != BBI_QL_INTEGER) {
        return REFUSE_NAMED(err, "expected integer argument as second arg in %s", name);
    }
    if (args[1]->u.integer <= 0) {
        return bbi_error_set(err, BB_EINVAL, "second arg to %s must be greater than 0, got %lld",
                             name, (long long)args[1]->u.integer);
    }
    if (args[2]->kind != BBI_QL_INTEGER) {
        return REFUSE_NAMED(err, "expected integer argument as third arg in %s", name);
    }
    return args[2]->u.integer >= 0
               ? BB_OK
               : bbi_error_set(err, BB_EINVAL, "third arg to %s cannot be negative, got %lld", name,
                               (long long)args[2]->u.integer);
}

static int check_behind(const struct bbi_ql_expr *call, enum bbi_func func, struct bb_error *err)
{
    const struct bbi_ql_expr *second = call->u.call.arg_count > 1 ? call->u.call.args[1] : NULL;
    switch (func) {
    case BBI_FUNC_PERCENTILE:
        return second->kind == BBI_QL_INTEGER || second->kind == BBI_QL_NUMBER
                   ? BB_OK
                   : refuse(err, "expected float argument in percentile()");
    case BBI_FUNC_PERCENTILE_APPROX:
        return second->kind == BBI_QL_INTEGER || second->kind == BBI_QL_NUMBER
                   ? BB_OK
                   : refuse(err, "expected float argument in percentile_approx()");
    case BBI_FUNC_SAMPLE:
        return check_sample(second, err);
    case BBI_FUNC_MOVING_AVERAGE:
        return check_window(second, err);
    case BBI_FUNC_INTEGRAL:
        if (second != NULL && second->kind != BBI_QL_DURATION) {
            return refuse(err, "second argument must be a duration");
        }
        return second != NULL ? check_unit(call, err) : BB_OK;
    case BBI_FUNC_DERIVATIVE:
    case BBI_FUNC_NN_DERIVATIVE:
    case BBI_FUNC_ELAPSED:
        return second != NULL ? check_unit(call, err) : BB_OK;
    case BBI_FUNC_HOLT_WINTERS:
    case BBI_FUNC_HOLT_WINTERS_FIT:
        return check_forecast(call, err);
    case BBI_FUNC_EMA:
    case BBI_FUNC_DEMA:
    case BBI_FUNC_TEMA:
    case BBI_FUNC_TRIX:
    case BBI_FUNC_RSI:
    case BBI_FUNC_KER:
    case BBI_FUNC_KAMA:
        return check_average(call, false, err);
    case BBI_FUNC_CMO:
        return check_average(call, true, err);
    default:
        return second == NULL || second->kind == BBI_QL_INTEGER || second->kind == BBI_QL_NUMBER ||
                       second->kind == BBI_QL_DURATION || second->kind == BBI_QL_STRING
                   ? BB_OK
                   : refuse_found(err, "expected a literal", call->u.call.name, second);
    }
}

/* ---- the first argument ---- */

static int check_symbol(const struct bbi_ql_expr *arg, const char *name, struct bbi_field_rules *r,
                        struct bb_error *err)
{
    switch (arg->kind) {
    case BBI_QL_VAR:
        return BB_OK;
    case BBI_QL_WILDCARD:
        r->only_selectors = false;
        return r->in_binary ? REFUSE_NAMED(err, "unsupported expression with wildcard: %s()", name)
                            : BB_OK;
    case BBI_QL_REGEX:
        r->only_selectors = false;
        return r->in_binary
                   ? REFUSE_NAMED(err, "unsupported expression with regex field: %s()", name)
                   : BB_OK;
    default:
        return REFUSE_NAMED(err, "expected field argument in %s()", name);
    }
}

static int check_distinct(const struct bbi_ql_expr *call, bool counted, struct bbi_field_rules *r,
                          struct bb_error *err)
{
    r->only_selectors = false;
    r->has_distinct = r->has_distinct || !counted;
    if (call->kind == BBI_QL_DISTINCT) {
        return BB_OK;
    }
    if (call->u.call.arg_count == 0) {
        return refuse(err, "distinct function requires at least one argument");
    }
    if (call->u.call.arg_count != 1) {
        return refuse(err, "distinct function can only have one argument");
    }
    return call->u.call.args[0]->kind == BBI_QL_VAR
               ? BB_OK
               : refuse(err, "expected field argument in distinct()");
}

int bbi_plan_refuse_company(const char *name, struct bb_error *err)
{
    return REFUSE_NAMED(err, "selector function %s() cannot be combined with other functions",
                        name);
}

static int check_top(const struct bbi_ql_expr *call, struct bbi_field_rules *r,
                     struct bb_error *err)
{
    const char *name = call->u.call.name;
    size_t last = call->u.call.arg_count - 1;
    const struct bbi_ql_expr *limit = call->u.call.args[last];
    if (limit->kind != BBI_QL_INTEGER) {
        return refuse_found(err, "expected integer as last argument", name, limit);
    }
    if (limit->u.integer <= 0) {
        return bbi_error_set(err, BB_EINVAL, "limit (%lld) in %s function must be at least 1",
                             (long long)limit->u.integer, name);
    }
    if (r->limit > 0 && limit->u.integer > r->limit) {
        return bbi_error_set(err, BB_EINVAL,
                             "limit (%lld) in %s function can not be larger than the LIMIT (%lld) "
                             "in the select statement",
                             (long long)limit->u.integer, name, (long long)r->limit);
    }
    for (size_t i = 0; i < last; i++) {
        const struct bbi_ql_expr *arg = call->u.call.args[i];
        if (arg->kind != BBI_QL_VAR) {
            return refuse_found(err,
                                i == 0 ? "expected first argument to be a field"
                                       : "only fields or tags are allowed",
                                name, arg);
        }
    }
    r->top = name;
    return BB_OK;
}

static bool is_math(const struct bbi_ql_expr *call)
{
    enum bbi_func func;
    return bbi_func_find(call->u.call.name, &func) && bbi_func_info(func)->class == BBI_FN_MATH;
}

/* Intervals before those asked for, as InfluxDB counts them. */
static int64_t intervals_back(const struct bbi_ql_expr *call, enum bbi_func func)
{
    switch (func) {
    case BBI_FUNC_HOLT_WINTERS:
    case BBI_FUNC_HOLT_WINTERS_FIT:
    case BBI_FUNC_TIME_WEIGHTED_MEAN:
        return 0;
    case BBI_FUNC_MOVING_AVERAGE:
        return call->u.call.args[1]->u.integer;
    default:
        return func >= BBI_FUNC_EMA && func <= BBI_FUNC_CMO ? call->u.call.args[1]->u.integer : 1;
    }
}

/* Over a name without windows, or over the result of a call with them. */
static int check_stream(const struct bbi_ql_expr *call, enum bbi_func func,
                        struct bbi_field_rules *r, struct bb_error *err)
{
    const char *name = call->u.call.name;
    const struct bbi_ql_expr *arg = call->u.call.args[0];
    int64_t back = intervals_back(call, func);
    r->reach = back > r->reach ? back : r->reach;
    r->only_selectors = false;
    if (arg->kind == BBI_QL_CALL) {
        if (!r->windows) {
            return REFUSE_NAMED(err, "%s aggregate requires a GROUP BY interval", name);
        }
        bool average = func >= BBI_FUNC_EMA && func <= BBI_FUNC_CMO;
        if (!average && strcmp(arg->u.call.name, "distinct") == 0) {
            return check_distinct(arg, true, r, err);
        }
        r->no_input = is_math(arg) ? arg->u.call.name : r->no_input;
        return bbi_plan_check_expr(arg, r, err);
    }
    if (func == BBI_FUNC_HOLT_WINTERS || func == BBI_FUNC_HOLT_WINTERS_FIT) {
        return REFUSE_NAMED(err, "must use aggregate function with %s", name);
    }
    if (r->windows && !r->inherited) {
        return REFUSE_NAMED(err, "aggregate function required inside the call to %s", name);
    }
    return check_symbol(arg, name, r, err);
}

int bbi_plan_check_call(const struct bbi_ql_expr *call, struct bbi_field_rules *r,
                        struct bb_error *err)
{
    enum bbi_func func;
    const char *name = call->u.call.name;
    r->call_count++;
    if (!bbi_func_find(name, &func)) {
        return bbi_error_set(err, BB_EINVAL, "undefined function %.100s()", name);
    }
    if (func == BBI_FUNC_DISTINCT) {
        return check_distinct(call, false, r, err);
    }
    const struct bbi_func_info *info = bbi_func_info(func);
    bool ranks = func == BBI_FUNC_TOP || func == BBI_FUNC_BOTTOM;
    int rc = ranks && r->top != NULL ? bbi_plan_refuse_company(r->top, err)
                                     : check_count(call, info, err);
    if (rc == BB_OK && ranks) {
        return check_top(call, r, err);
    }
    rc = rc == BB_OK ? check_behind(call, func, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_ql_expr *arg = call->u.call.args[0];
    if (info->class == BBI_FN_STREAM && func != BBI_FUNC_INTEGRAL) {
        return check_stream(call, func, r, err);
    }
    if (func == BBI_FUNC_COUNT &&
        (arg->kind == BBI_QL_DISTINCT ||
         (arg->kind == BBI_QL_CALL && strcmp(arg->u.call.name, "distinct") == 0))) {
        return check_distinct(arg, true, r, err);
    }
    r->only_selectors = r->only_selectors &&
                        (info->class == BBI_FN_SELECTOR || func == BBI_FUNC_SAMPLE);
    return check_symbol(arg, name, r, err);
}

/* InfluxDB names the machine that refuses, which is one for the non-negative variants, and the kind
 * of what it would read from. */
int bbi_plan_refuse_type(const struct bbi_call *call, struct bb_error *err)
{
    enum bbi_func func = call->func;
    bool over_distinct = call->inner != NULL && call->inner->func == BBI_FUNC_DISTINCT;
    bool ranks = func == BBI_FUNC_TOP || func == BBI_FUNC_BOTTOM;
    bool by_tags = ranks && call->expr->u.call.arg_count > 2;
    bool picked = by_tags && call->input == BBI_QL_TYPE_BOOLEAN; /* min and max take booleans */
    enum bbi_func machine = func == BBI_FUNC_NN_DERIVATIVE      ? BBI_FUNC_DERIVATIVE
                            : func == BBI_FUNC_HOLT_WINTERS     ? BBI_FUNC_ELAPSED
                            : func == BBI_FUNC_HOLT_WINTERS_FIT ? BBI_FUNC_ELAPSED
                            : func == BBI_FUNC_NN_DIFFERENCE    ? BBI_FUNC_DIFFERENCE
                            : !by_tags || picked                ? func
                            : func == BBI_FUNC_TOP              ? BBI_FUNC_MAX
                                                                : BBI_FUNC_MIN;
    const char *kind = picked ? "ReduceBoolean" : over_distinct ? "Interval" : "Interrupt";
    char name[64];
    (void)snprintf(name, sizeof(name), "%s", bbi_func_info(machine)->name);
    for (char *at = name; *at != '\0'; at++) {
        *at = *at == '_' ? ' ' : *at;
    }
    return bbi_error_set(err, BB_EINVAL, "unsupported %s iterator type: *query.%s%sIterator", name,
                         bbi_ql_type_text(call->input), kind);
}
