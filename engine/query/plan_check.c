/* The rules for a SELECT that need no schema, in InfluxDB's order and words. */
#include <string.h>

#include "engine/influxql/influxql.h"
#include "engine/query/emit.h"
#include "engine/query/plan_internal.h"

static int refuse(struct bb_error *err, const char *text)
{
    return bbi_error_set(err, BB_EINVAL, "%s", text);
}

/* ---- fields ---- */

static bool is_math(const struct bbi_ql_expr *expr)
{
    enum bbi_func func;
    return expr->kind == BBI_QL_CALL && bbi_func_find(expr->u.call.name, &func) &&
           bbi_func_info(func)->class == BBI_FN_MATH;
}

static bool is_literal(const struct bbi_ql_expr *expr)
{
    return (expr->kind >= BBI_QL_NUMBER && expr->kind <= BBI_QL_REGEX) || expr->kind == BBI_QL_NULL;
}

static int check_side(const struct bbi_ql_expr *expr, struct bbi_field_rules *r,
                      struct bb_error *err)
{
    return is_literal(expr) ? BB_OK : bbi_plan_check_expr(expr, r, err);
}

static int check_math_count(const struct bbi_ql_expr *call, struct bb_error *err)
{
    enum bbi_func func;
    const char *name = call->u.call.name;
    size_t count = bbi_func_find(name, &func) ? bbi_func_info(func)->args_min : 0;
    return call->u.call.arg_count == count
               ? BB_OK
               : bbi_error_set(err, BB_EINVAL,
                               "invalid number of arguments for %s, expected %zu, got %zu", name,
                               count, call->u.call.arg_count);
}

/* The arguments of a math function are expressions of their own. */
static int check_math(const struct bbi_ql_expr *call, struct bbi_field_rules *r,
                      struct bb_error *err)
{
    int rc = check_math_count(call, err);
    for (size_t i = 0; rc == BB_OK && i < call->u.call.arg_count; i++) {
        rc = check_side(call->u.call.args[i], r, err);
    }
    return rc;
}

static int check_leaf(const struct bbi_ql_expr *expr, struct bbi_field_rules *r,
                      struct bb_error *err)
{
    switch (expr->kind) {
    case BBI_QL_VAR:
        r->has_plain = true;
        return BB_OK;
    case BBI_QL_CALL:
        return is_math(expr) ? check_math(expr, r, err) : bbi_plan_check_call(expr, r, err);
    case BBI_QL_WILDCARD:
        r->has_plain = true;
        return r->in_binary ? refuse(err, "unable to use wildcard in a binary expression") : BB_OK;
    case BBI_QL_REGEX:
        r->has_plain = true;
        return r->in_binary ? refuse(err, "unable to use regex in a binary expression") : BB_OK;
    case BBI_QL_DISTINCT:
        r->call_count++;
        r->only_selectors = false;
        r->has_distinct = true;
        return BB_OK;
    default:
        return refuse(err, "field must contain at least one variable");
    }
}

static const struct bbi_ql_expr *bare(const struct bbi_ql_expr *expr)
{
    while (expr->kind == BBI_QL_PAREN) {
        expr = expr->u.inner;
    }
    return expr;
}

/* Operators in a row hang on each other's left sides, and there may be very many: they are listed
 * on the way down and looked at from the leftmost on. */
static int check_row(const struct bbi_ql_expr *expr, struct bbi_field_rules *r,
                     struct bb_error *err)
{
    size_t count = 0;
    for (const struct bbi_ql_expr *e = expr; e->kind == BBI_QL_BINARY; e = bare(e->u.binary.lhs)) {
        count++;
    }
    const struct bbi_ql_expr **row = bbi_arena_alloc(r->arena, count * sizeof(row[0]));
    if (row == NULL) {
        return bbi_error_nomem(err, "expression");
    }
    r->in_binary = true;
    for (size_t i = 0; i < count; i++, expr = bare(expr->u.binary.lhs)) {
        row[i] = expr;
        if (is_literal(expr->u.binary.lhs) && is_literal(expr->u.binary.rhs)) {
            return refuse(err, "cannot perform a binary expression on two literals");
        }
    }
    int rc = is_literal(expr) ? BB_OK : check_leaf(expr, r, err);
    for (size_t i = count; rc == BB_OK && i > 0; i--) {
        rc = check_side(row[i - 1]->u.binary.rhs, r, err);
    }
    return rc;
}

int bbi_plan_check_expr(const struct bbi_ql_expr *expr, struct bbi_field_rules *r,
                        struct bb_error *err)
{
    if (++r->depth > BBI_QL_DEPTH_MAX * 8) {
        return bbi_error_set(err, BB_ELIMIT, "expression is nested too deeply");
    }
    expr = bare(expr);
    int rc = expr->kind == BBI_QL_BINARY ? check_row(expr, r, err) : check_leaf(expr, r, err);
    r->depth--;
    return rc;
}

/* What the columns may be together. */
static int check_together(const struct bbi_plan *plan, const struct bbi_field_rules *r,
                          struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    if (r->top != NULL && r->call_count > 1) {
        return bbi_plan_refuse_company(r->top, err);
    }
    /* In a subquery, nulls that nobody asked for count as left out before this is looked at. */
    bool own_windows = plan->parent != NULL && plan->buckets.width_ns != 0;
    bool none = select->fill == BBI_QL_FILL_NONE ? select->fill_given
                                                 : select->fill == BBI_QL_FILL_NULL && own_windows;
    if (r->call_count == 0 && none) {
        return refuse(err, "fill(none) must be used with a function");
    }
    if (r->call_count == 0 && select->fill == BBI_QL_FILL_LINEAR) {
        return refuse(err, "fill(linear) must be used with a function");
    }
    if (r->call_count == 0 && plan->buckets.width_ns != 0) {
        return refuse(err, "GROUP BY requires at least one aggregate function");
    }
    if (r->has_distinct && (r->call_count != 1 || r->has_plain)) {
        return refuse(err, "aggregate function distinct() cannot be combined with other "
                           "functions or fields");
    }
    if (r->call_count > 0 && r->has_plain && !r->only_selectors) {
        return refuse(err, "mixing aggregate and non-aggregate queries is not supported");
    }
    if (r->call_count > 1 && r->has_plain) {
        return refuse(err,
                      "mixing multiple selector functions with tags or fields is not supported");
    }
    if (r->no_input != NULL) {
        return bbi_error_set(err, BB_EINVAL, "unsupported call: %s", r->no_input);
    }
    return BB_OK;
}

static int check_fields(struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    struct bbi_ql_world world = {.keeps_now = true, .fold_call = bbi_math_fold};
    bool around = plan->parent != NULL && plan->parent->buckets.width_ns != 0;
    struct bbi_field_rules r = {.limit = select->limit,
                                .windows = plan->buckets.width_ns != 0 || around,
                                .inherited = plan->buckets.width_ns == 0,
                                .arena = &plan->ctx->arena,
                                .only_selectors = true};
    size_t count = 0;
    for (size_t i = 0; i < select->field_count; i++) {
        struct bbi_ql_expr *expr = select->fields[i].expr;
        if (bbi_ql_is_time(expr)) {
            continue;
        }
        count++;
        r.in_binary = false;
        r.depth = 0;
        int rc = bbi_ql_reduce(expr, &world, &plan->ctx->arena, &expr, err);
        if (rc == BB_OK) {
            rc = bbi_plan_check_expr(expr, &r, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
    }
    plan->intervals_back = r.reach;
    return count > 0 ? check_together(plan, &r, err)
                     : refuse(err, "at least 1 non-time field must be queried");
}

/* ---- dimensions ---- */

static int read_offset(struct bbi_plan *plan, struct bbi_ql_expr *arg, int64_t *offset,
                       struct bb_error *err)
{
    struct bbi_ql_world world = {.now_ns = plan->ctx->now_ns};
    int rc = bbi_ql_reduce(arg, &world, &plan->ctx->arena, &arg, err);
    if (rc != BB_OK) {
        return rc;
    }
    switch (arg->kind) {
    case BBI_QL_DURATION:
        *offset = arg->u.duration.ns;
        return BB_OK;
    case BBI_QL_TIME:
        *offset = arg->u.time_ns;
        return BB_OK;
    case BBI_QL_STRING:
        if (bbi_ql_time_parse(arg->u.string, &world, offset) != BBI_QL_GOOD_TIME) {
            break;
        }
        return bbi_error_set(err, BB_EINVAL, "invalid time dimension offset: '%.200s'",
                             arg->u.string);
    case BBI_QL_CALL:
        return refuse(err, strcmp(arg->u.call.name, "now") == 0
                               ? "time dimension offset now() function requires no arguments"
                               : "time dimension offset function must be now()");
    default:
        break;
    }
    return refuse(err, "time dimension offset must be duration or now()");
}

/* Of calendar intervals; a month is about so long. */
#define MONTHS_MAX 12000
#define MONTH_NS   (INT64_C(2629746) * 1000000000)

#define HOUR_NS (INT64_C(3600) * 1000000000)

/* Whether the zone's clocks change by more or less than whole intervals: by an hour and intervals
 * of seven minutes, or by half an hour, on Lord Howe. */
static bool cuts_intervals(const struct bbi_zone *zone, int64_t at_s, int64_t width_ns)
{
    int32_t ahead = bbi_zone_offset(zone, at_s);
    bool found = false;
    for (int64_t days = 91; days <= 364; days += 91) {
        int32_t by = bbi_zone_offset(zone, at_s + days * 86400) - ahead;
        found = found || by * INT64_C(1000000000) % width_ns != 0;
    }
    return found;
}

/* Intervals that changes of the clocks do not cut are fixed, at the zone's distance from UTC. */
static void follow_zone(struct bbi_plan *plan)
{
    struct bbi_buckets *b = &plan->buckets;
    if (plan->zone == NULL || b->width_ns <= 0) {
        return;
    }
    int64_t at_s = (plan->when.has_tmin ? plan->when.tmin : plan->ctx->now_ns) / 1000000000;
    if (b->months != 0 || b->width_ns > HOUR_NS || cuts_intervals(plan->zone, at_s, b->width_ns)) {
        b->zone = plan->zone;
        return;
    }
    int64_t ahead_ns = bbi_zone_offset(plan->zone, at_s) * INT64_C(1000000000);
    b->offset_ns = (b->offset_ns - ahead_ns) % b->width_ns;
}

static int64_t zone_to_utc(void *zone, int64_t local_ns)
{
    int64_t s = local_ns / 1000000000 - (local_ns % 1000000000 < 0);
    return local_ns + (bbi_zone_to_utc(zone, s) - s) * 1000000000;
}

static int find_zone(struct bbi_plan *plan, struct bb_error *err)
{
    const char *name = plan->select->zone;
    plan->zone = NULL;
    if (name == NULL) {
        return BB_OK;
    }
    return bbi_zones_get(plan->ctx->env->zones, name, &plan->zone, err);
}

static int check_time_dimension(struct bbi_plan *plan, const struct bbi_ql_expr *call,
                                struct bb_error *err)
{
    if (strcmp(call->u.call.name, "time") != 0) {
        return refuse(err, "only time() calls allowed in dimensions");
    }
    if (call->u.call.arg_count != 1 && call->u.call.arg_count != 2) {
        return refuse(err, "time dimension expected 1 or 2 arguments");
    }
    const struct bbi_ql_expr *width = call->u.call.args[0];
    if (width->kind != BBI_QL_DURATION) {
        return refuse(err, "time dimension must have duration argument");
    }
    if (plan->buckets.width_ns != 0) {
        return refuse(err, "multiple time dimensions not allowed");
    }
    plan->buckets.width_ns = width->u.duration.ns;
    if (width->u.duration.months != 0) {
        if (width->u.duration.months < 0 || width->u.duration.months > MONTHS_MAX) {
            return refuse(err, "time dimension must have a duration of 1 month to 1000 years");
        }
        plan->buckets.months = (int32_t)width->u.duration.months;
        plan->buckets.width_ns = width->u.duration.months * MONTH_NS;
    }
    if (call->u.call.arg_count == 2) {
        int64_t offset = 0;
        int rc = read_offset(plan, call->u.call.args[1], &offset, err);
        if (rc != BB_OK) {
            return rc;
        }
        plan->buckets.offset_ns = plan->buckets.width_ns == 0 ? 0 : offset % plan->buckets.width_ns;
    }
    return BB_OK;
}

static int check_dimensions(struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    for (size_t i = 0; i < select->dimension_count; i++) {
        const struct bbi_ql_expr *expr = select->dimensions[i];
        int rc = BB_OK;
        switch (expr->kind) {
        case BBI_QL_VAR:
            if (bbi_ql_is_time(expr)) {
                rc = refuse(err, "time() is a function and expects at least one argument");
            }
            break;
        case BBI_QL_CALL:
            rc = check_time_dimension(plan, expr, err);
            break;
        case BBI_QL_WILDCARD:
        case BBI_QL_REGEX:
            break;
        default:
            rc = refuse(err, "only time and tag dimensions allowed");
            break;
        }
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

/* ---- the rest ---- */

static int check_condition(const struct bbi_ql_expr *expr, unsigned depth, struct bb_error *err);

/* Of functions, a condition takes those of one row. */
static int check_condition_call(const struct bbi_ql_expr *call, unsigned depth,
                                struct bb_error *err)
{
    struct bbi_buf text;
    if (is_math(call)) {
        int rc = check_math_count(call, err);
        for (size_t i = 0; rc == BB_OK && i < call->u.call.arg_count; i++) {
            rc = check_condition(call->u.call.args[i], depth + 1, err);
        }
        return rc;
    }
    bbi_buf_init(&text, NULL, 4096);
    bbi_ql_format_brief(call, &text);
    (void)bbi_error_set(err, BB_EINVAL, "invalid function call in condition: %.*s",
                        (int)(text.len < 200 ? text.len : 200), (const char *)text.data);
    bbi_buf_fini(&text);
    return err->code;
}

static int check_condition(const struct bbi_ql_expr *expr, unsigned depth, struct bb_error *err)
{
    if (depth > BBI_QL_DEPTH_MAX * 8) {
        return bbi_error_set(err, BB_ELIMIT, "condition is nested too deeply");
    }
    for (;;) {
        if (expr->kind == BBI_QL_PAREN) {
            expr = expr->u.inner;
        } else if (expr->kind == BBI_QL_BINARY) {
            int rc = check_condition(expr->u.binary.rhs, depth + 1, err);
            if (rc != BB_OK) {
                return rc;
            }
            expr = expr->u.binary.lhs;
        } else {
            return expr->kind == BBI_QL_CALL ? check_condition_call(expr, depth, err) : BB_OK;
        }
    }
}

static int check_when(struct bbi_plan *plan, struct bb_error *err)
{
    struct bbi_ql_world world = {.now_ns = plan->ctx->now_ns};
    if (plan->zone != NULL) {
        world.zone_to_utc = zone_to_utc;
        world.zone_arg = (void *)(uintptr_t)plan->zone;
    }
    int rc = bbi_ql_condition_split(plan->select->condition, &world, &plan->ctx->arena, &plan->when,
                                    err);
    if (rc != BB_OK || plan->when.rest == NULL) {
        return rc;
    }
    if (plan->when.rest->kind == BBI_QL_VAR) {
        return bbi_error_set(err, BB_EINVAL, "invalid condition expression: %.200s",
                             plan->when.rest->u.var.name);
    }
    return check_condition(plan->when.rest, 0, err);
}

/* A subquery's order is that of the query around it, and may be said again. */
static int check_order(struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    plan->descending = select->sort_count > 0 && select->sorts[0].descending;
    if (plan->parent == NULL) {
        return BB_OK;
    }
    if (select->sort_count > 0 && plan->descending != plan->parent->descending) {
        return refuse(err, "subqueries must be ordered in the same direction as the query itself");
    }
    plan->descending = plan->parent->descending;
    return BB_OK;
}

int bbi_plan_check(struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    int rc = find_zone(plan, err);
    if (rc == BB_OK) {
        rc = check_when(plan, err);
    }
    if (rc == BB_OK) {
        rc = check_dimensions(plan, err);
    }
    if (rc == BB_OK) {
        rc = check_order(plan, err);
    }
    if (rc == BB_OK) {
        rc = check_fields(plan, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    follow_zone(plan);
    if (plan->buckets.width_ns != 0 && !plan->when.has_tmax) {
        plan->when.tmax = plan->ctx->now_ns;
    }
    plan->fill = select->fill;
    if (select->fill_value != NULL) {
        plan->fill_value = select->fill_value->kind == BBI_QL_NUMBER
                               ? bbi_value_float(select->fill_value->u.number)
                               : bbi_value_int(select->fill_value->u.integer);
    }
    return BB_OK;
}
