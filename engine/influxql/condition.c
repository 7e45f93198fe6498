/* A WHERE clause split into a range of time and the rest. */
#include <math.h>
#include <string.h>

#include "engine/base/batch.h"
#include "engine/influxql/influxql.h"
#include "engine/influxql/reduce.h"

struct range {
    int64_t tmin;
    int64_t tmax;
    bool has_tmin;
    bool has_tmax;
};

struct split {
    struct bbi_ql_fold fold;
    struct bb_error *err;
    int code; /* BB_OK, or what went wrong */
};

/* Both for parts without and with a condition left: NULL is "always true". */
static struct bbi_ql_expr *split_expr(struct split *s, struct bbi_ql_expr *expr,
                                      struct range *range);

bool bbi_ql_is_time(const struct bbi_ql_expr *expr)
{
    const char *name = expr->kind == BBI_QL_VAR ? expr->u.var.name : "";
    return (name[0] | 0x20) == 't' && (name[1] | 0x20) == 'i' && (name[2] | 0x20) == 'm' &&
           (name[3] | 0x20) == 'e' && name[4] == '\0';
}

static struct range intersect(struct range a, struct range b)
{
    if (b.has_tmin && (!a.has_tmin || b.tmin > a.tmin)) {
        a.tmin = b.tmin;
        a.has_tmin = true;
    }
    if (b.has_tmax && (!a.has_tmax || b.tmax < a.tmax)) {
        a.tmax = b.tmax;
        a.has_tmax = true;
    }
    return a;
}

/* ---- one comparison with time ---- */

/* The names that InfluxDB's messages have for the kinds of nodes. */
static const char *kind_name(enum bbi_ql_expr_kind kind)
{
    static const char *const names[] = {
        [BBI_QL_VAR] = "VarRef",
        [BBI_QL_CALL] = "Call",
        [BBI_QL_BINARY] = "BinaryExpr",
        [BBI_QL_PAREN] = "ParenExpr",
        [BBI_QL_NUMBER] = "NumberLiteral",
        [BBI_QL_INTEGER] = "IntegerLiteral",
        [BBI_QL_UNSIGNED] = "UnsignedLiteral",
        [BBI_QL_STRING] = "StringLiteral",
        [BBI_QL_BOOLEAN] = "BooleanLiteral",
        [BBI_QL_DURATION] = "DurationLiteral",
        [BBI_QL_TIME] = "TimeLiteral",
        [BBI_QL_REGEX] = "RegexLiteral",
        [BBI_QL_WILDCARD] = "Wildcard",
        [BBI_QL_DISTINCT] = "Distinct",
        [BBI_QL_PARAM] = "BoundParameter",
        [BBI_QL_NULL] = "nilLiteral",
    };
    return names[kind];
}

static bool bad_far_time(struct split *s, bbi_ql_wide ns)
{
    struct bbi_buf text;

    bbi_buf_init(&text, s->fold.arena->acct, SIZE_MAX);
    bbi_ql_time_format_wide(ns, false, &text);
    s->code = bbi_error_set(s->err, BB_EPARSE, "time %.*s %s time literal", (int)text.len,
                            text.data == NULL ? "" : (const char *)text.data,
                            ns > 0 ? "overflows" : "underflows");
    bbi_buf_fini(&text);
    return false;
}

/* The constant that time is compared with. */
static bool time_value(struct split *s, struct bbi_ql_expr *expr, int64_t *ns)
{
    struct bbi_ql_expr time;
    bbi_ql_wide wide;

    if (expr->kind == BBI_QL_STRING) {
        enum bbi_ql_time_form form = bbi_ql_time_parse_wide(expr->u.string, s->fold.world, &wide);
        if (form == BBI_QL_BAD_TIME) {
            s->code = bbi_error_set(s->err, BB_EPARSE, "invalid timestamp string");
            return false;
        }
        if (form == BBI_QL_FAR_TIME) {
            return bad_far_time(s, wide);
        }
        if (form == BBI_QL_GOOD_TIME) {
            time = (struct bbi_ql_expr){.kind = BBI_QL_TIME, .u.time_ns = (int64_t)wide};
            expr = &time;
        }
    }
    s->fold.far = false;
    expr = bbi_ql_fold_expr(&s->fold, expr);
    if (expr == NULL) {
        return false;
    }
    expr = expr->kind == BBI_QL_PAREN ? expr->u.inner : expr;
    switch (expr->kind) {
    case BBI_QL_TIME:
        /* The lowest time that can be stored is one that cannot be asked for. */
        if (expr->u.time_ns > BBI_TIME_MAX || expr->u.time_ns <= BBI_TIME_MIN) {
            return bad_far_time(s, expr->u.time_ns);
        }
        *ns = expr->u.time_ns;
        return true;
    case BBI_QL_DURATION:
        *ns = expr->u.duration.ns;
        return true;
    case BBI_QL_INTEGER:
        *ns = expr->u.integer;
        return true;
    case BBI_QL_NUMBER: {
        double value = expr->u.number;
        *ns = isnan(value)      ? 0
              : value >= 0x1p63 ? INT64_MAX
              : value < -0x1p63 ? INT64_MIN
                                : (int64_t)value;
        return true;
    }
    default:
        break;
    }
    if (s->fold.far) {
        return bad_far_time(s, s->fold.far_ns);
    }
    s->code = bbi_error_set(s->err, BB_EPARSE,
                            "invalid operation: time and *influxql.%s are not compatible",
                            kind_name(expr->kind));
    return false;
}

/* time op value. The ends of int64 cannot be stored, so a range that stops at one is empty. */
static bool compare_time(struct split *s, enum bbi_ql_op op, struct bbi_ql_expr *value,
                         struct range *range)
{
    int64_t ns = 0;

    if (!time_value(s, value, &ns)) {
        return false;
    }
    switch (op) {
    case BBI_QL_GT:
    case BBI_QL_GTE:
        range->has_tmin = true;
        range->tmin = op == BBI_QL_GT && ns < INT64_MAX ? ns + 1 : ns;
        return true;
    case BBI_QL_LT:
    case BBI_QL_LTE:
        range->has_tmax = true;
        range->tmax = op == BBI_QL_LT && ns > INT64_MIN ? ns - 1 : ns;
        return true;
    case BBI_QL_EQ:
        *range = (struct range){.tmin = ns, .tmax = ns, .has_tmin = true, .has_tmax = true};
        return true;
    default:
        s->code = bbi_error_set(s->err, BB_EPARSE, "invalid time comparison operator: %s",
                                bbi_ql_op_text(op));
        return false;
    }
}

static enum bbi_ql_op swap_sides(enum bbi_ql_op op)
{
    switch (op) {
    case BBI_QL_GT:
        return BBI_QL_LT;
    case BBI_QL_LT:
        return BBI_QL_GT;
    case BBI_QL_GTE:
        return BBI_QL_LTE;
    case BBI_QL_LTE:
        return BBI_QL_GTE;
    default:
        return op;
    }
}

/* ---- trees ---- */

static struct bbi_ql_expr *split_logic(struct split *s, struct bbi_ql_expr *expr,
                                       struct range *range)
{
    enum bbi_ql_op op = expr->u.binary.op;
    struct range ranges[2] = {{.has_tmin = false}, {.has_tmin = false}};
    struct bbi_ql_expr *lhs = split_expr(s, expr->u.binary.lhs, &ranges[0]);

    if (s->code != BB_OK) {
        return NULL;
    }
    struct bbi_ql_expr *rhs = split_expr(s, expr->u.binary.rhs, &ranges[1]);
    if (s->code != BB_OK) {
        return NULL;
    }
    *range = intersect(ranges[0], ranges[1]);
    if (lhs == NULL || rhs == NULL) {
        return lhs == NULL ? rhs : lhs;
    }
    struct bbi_ql_expr *side = bbi_ql_fold_logic(op, lhs, rhs);
    if (side != NULL) {
        return side;
    }
    if (lhs == expr->u.binary.lhs && rhs == expr->u.binary.rhs) {
        return expr;
    }
    return bbi_ql_fold_binary(&s->fold, op, lhs, rhs);
}

static void bad_condition(struct split *s, const struct bbi_ql_expr *expr)
{
    struct bbi_buf text;

    bbi_buf_init(&text, s->fold.arena->acct, SIZE_MAX);
    bbi_ql_format_brief(expr, &text);
    s->code = bbi_error_set(s->err, BB_EPARSE, "invalid condition expression: %.*s", (int)text.len,
                            text.data == NULL ? "" : (const char *)text.data);
    bbi_buf_fini(&text);
}

/* What arithmetic on constants comes to, other than a truth. */
static bool is_literal(const struct bbi_ql_expr *expr)
{
    return expr->kind != BBI_QL_BINARY && expr->kind != BBI_QL_PAREN &&
           expr->kind != BBI_QL_BOOLEAN;
}

static struct bbi_ql_expr *split_binary(struct split *s, struct bbi_ql_expr *expr,
                                        struct range *range)
{
    enum bbi_ql_op op = expr->u.binary.op;

    if (op == BBI_QL_AND || op == BBI_QL_OR) {
        return split_logic(s, expr, range);
    }
    if (bbi_ql_is_time(expr->u.binary.lhs)) {
        (void)compare_time(s, op, expr->u.binary.rhs, range);
        return NULL;
    }
    if (bbi_ql_is_time(expr->u.binary.rhs)) {
        (void)compare_time(s, swap_sides(op), expr->u.binary.lhs, range);
        return NULL;
    }
    struct bbi_ql_expr *rest = bbi_ql_fold_expr(&s->fold, expr);
    if (rest != NULL && is_literal(rest)) {
        bad_condition(s, rest);
    }
    return rest;
}

static struct bbi_ql_expr *split_expr(struct split *s, struct bbi_ql_expr *expr,
                                      struct range *range)
{
    struct bbi_ql_expr *rest = NULL;

    switch (expr->kind) {
    case BBI_QL_BINARY:
        rest = split_binary(s, expr, range);
        break;
    case BBI_QL_PAREN:
        rest = split_expr(s, expr->u.inner, range);
        if (rest != NULL && rest == expr->u.inner && rest->kind == BBI_QL_BINARY) {
            rest = expr;
        } else if (s->code == BB_OK) {
            rest = bbi_ql_fold_paren(&s->fold, rest);
        }
        break;
    case BBI_QL_BOOLEAN:
        rest = expr;
        break;
    default:
        bad_condition(s, expr);
        break;
    }
    if (s->fold.no_memory && s->code == BB_OK) {
        s->code = bbi_error_nomem(s->err, "condition");
    }
    return rest;
}

int bbi_ql_condition_split(struct bbi_ql_expr *condition, const struct bbi_ql_world *world,
                           struct bbi_arena *arena, struct bbi_ql_condition *out,
                           struct bb_error *err)
{
    struct split s = {.fold = {.world = world, .arena = arena}, .err = err, .code = BB_OK};
    struct range range = {.has_tmin = false};

    *out = (struct bbi_ql_condition){.tmin = BBI_TIME_MIN, .tmax = BBI_TIME_MAX};
    if (condition == NULL) {
        return BB_OK;
    }
    struct bbi_ql_expr *rest = split_expr(&s, condition, &range);
    if (s.code != BB_OK) {
        return s.code;
    }
    rest = rest != NULL && rest->kind == BBI_QL_PAREN ? rest->u.inner : rest;
    bool always = rest != NULL && rest->kind == BBI_QL_BOOLEAN && rest->u.boolean;
    out->rest = always ? NULL : rest;
    out->has_tmin = range.has_tmin;
    out->has_tmax = range.has_tmax;
    out->tmin = range.has_tmin ? range.tmin : out->tmin;
    out->tmax = range.has_tmax ? range.tmax : out->tmax;
    return BB_OK;
}

/* ---- equality ---- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool same_call(const struct bbi_ql_expr *a, const struct bbi_ql_expr *b)
{
    if (!same_text(a->u.call.name, b->u.call.name) || a->u.call.arg_count != b->u.call.arg_count) {
        return false;
    }
    for (size_t i = 0; i < a->u.call.arg_count; i++) {
        if (!bbi_ql_expr_equal(a->u.call.args[i], b->u.call.args[i])) {
            return false;
        }
    }
    return true;
}

bool bbi_ql_expr_equal(const struct bbi_ql_expr *a, const struct bbi_ql_expr *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case BBI_QL_VAR:
        return same_text(a->u.var.name, b->u.var.name) && a->u.var.type == b->u.var.type;
    case BBI_QL_CALL:
        return same_call(a, b);
    case BBI_QL_BINARY:
        return a->u.binary.op == b->u.binary.op &&
               bbi_ql_expr_equal(a->u.binary.lhs, b->u.binary.lhs) &&
               bbi_ql_expr_equal(a->u.binary.rhs, b->u.binary.rhs);
    case BBI_QL_PAREN:
        return bbi_ql_expr_equal(a->u.inner, b->u.inner);
    case BBI_QL_NUMBER:
        return a->u.number == b->u.number || (isnan(a->u.number) && isnan(b->u.number));
    case BBI_QL_INTEGER:
        return a->u.integer == b->u.integer;
    case BBI_QL_UNSIGNED:
        return a->u.unsigned_integer == b->u.unsigned_integer;
    case BBI_QL_BOOLEAN:
        return a->u.boolean == b->u.boolean;
    case BBI_QL_DURATION:
        return a->u.duration.ns == b->u.duration.ns && a->u.duration.months == b->u.duration.months;
    case BBI_QL_TIME:
        return a->u.time_ns == b->u.time_ns;
    case BBI_QL_WILDCARD:
        return a->u.wildcard == b->u.wildcard;
    case BBI_QL_STRING:
    case BBI_QL_REGEX:
    case BBI_QL_DISTINCT:
    case BBI_QL_PARAM:
        return same_text(a->u.string, b->u.string);
    case BBI_QL_NULL:
        break;
    }
    return true;
}
