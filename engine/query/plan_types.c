/*
 * Types of columns, found as InfluxDB finds them: from the text and the types of names alone.
 *
 * A name with a cast has the type that the cast says. A function that is not known to give floats
 * or integers gives what its first argument is, math functions too: sqrt(i) of an integer field is
 * an integer here, though its values are floats. An operator is tried on zeros of the two types; if
 * that gives no value they are incompatible. What is not known goes with everything.
 */
#include <stdio.h>
#include <string.h>

#include "engine/influxql/influxql.h"
#include "engine/query/emit.h"
#include "engine/query/plan_internal.h"

static struct bb_value zero_of(enum bbi_ql_type type)
{
    switch (type) {
    case BBI_QL_TYPE_FLOAT:
        return bbi_value_float(0);
    case BBI_QL_TYPE_INTEGER:
        return bbi_value_int(0);
    case BBI_QL_TYPE_UNSIGNED:
        return bbi_value_uint(0);
    case BBI_QL_TYPE_BOOLEAN:
        return bbi_value_bool(false);
    case BBI_QL_TYPE_STRING:
    case BBI_QL_TYPE_TAG:
        return bbi_value_string("", 0);
    default:
        return (struct bb_value){.kind = BB_VALUE_NULL};
    }
}

static enum bbi_ql_type type_of_value(const struct bb_value *value)
{
    static const enum bbi_ql_type types[] = {
        [BB_VALUE_NULL] = BBI_QL_TYPE_UNKNOWN, [BB_VALUE_FLOAT] = BBI_QL_TYPE_FLOAT,
        [BB_VALUE_INT] = BBI_QL_TYPE_INTEGER,  [BB_VALUE_UINT] = BBI_QL_TYPE_UNSIGNED,
        [BB_VALUE_BOOL] = BBI_QL_TYPE_BOOLEAN, [BB_VALUE_STRING] = BBI_QL_TYPE_STRING,
        [BB_VALUE_TIME] = BBI_QL_TYPE_UNKNOWN,
    };
    return types[value->kind];
}

static bool is_plain(enum bbi_ql_type cast)
{
    return cast == BBI_QL_TYPE_UNKNOWN || cast == BBI_QL_TYPE_FIELD;
}

static int type_of_name(struct bbi_plan *plan, const struct bbi_ql_expr *var,
                        enum bbi_ql_type *type, struct bb_error *err)
{
    *type = var->u.var.type;
    return is_plain(*type) ? bbi_plan_name_type(plan, var->u.var.name, *type, type, err) : BB_OK;
}

/* What is told to be a field and is there neither as one nor as a tag counts as written plainly. */
static int drop_field_cast(struct bbi_plan *plan, struct bbi_ql_expr *var, struct bb_error *err)
{
    enum bbi_ql_type type = BBI_QL_TYPE_UNKNOWN;
    int rc = BB_OK;
    if (var->u.var.type != BBI_QL_TYPE_FIELD) {
        return BB_OK;
    }
    rc = bbi_plan_name_type(plan, var->u.var.name, type, &type, err);
    if (rc == BB_OK && type == BBI_QL_TYPE_UNKNOWN) {
        var->u.var.type = type;
    }
    return rc;
}

/* A copy in which each name has its type, or (not all) those have it whose cast tells nothing.
 * There may be very many operators in a row: they hang on each other's left sides. */
static int copy_typed(struct bbi_plan *plan, const struct bbi_ql_expr *expr, bool all,
                      struct bbi_ql_expr **out, struct bb_error *err)
{
    for (;;) {
        int rc = bbi_qctx_array(plan->ctx, 1, sizeof(**out), out, err);
        if (rc != BB_OK) {
            return rc;
        }
        struct bbi_ql_expr *copy = *out;
        *copy = *expr;
        switch (expr->kind) {
        case BBI_QL_VAR:
            return all ? type_of_name(plan, expr, &copy->u.var.type, err)
                       : drop_field_cast(plan, copy, err);
        case BBI_QL_PAREN:
            expr = expr->u.inner;
            out = &copy->u.inner;
            break;
        case BBI_QL_BINARY:
            rc = copy_typed(plan, expr->u.binary.rhs, all, &copy->u.binary.rhs, err);
            expr = expr->u.binary.lhs;
            out = &copy->u.binary.lhs;
            break;
        case BBI_QL_CALL:
            rc = bbi_qctx_array(plan->ctx, expr->u.call.arg_count, sizeof(copy->u.call.args[0]),
                                &copy->u.call.args, err);
            for (size_t i = 0; rc == BB_OK && i < expr->u.call.arg_count; i++) {
                rc = copy_typed(plan, expr->u.call.args[i], all, &copy->u.call.args[i], err);
            }
            return rc;
        default:
            return BB_OK;
        }
        if (rc != BB_OK) {
            return rc;
        }
    }
}

int bbi_plan_type_condition(struct bbi_plan *plan, struct bb_error *err)
{
    struct bbi_ql_expr *typed;
    if (plan->when.rest == NULL) {
        return BB_OK;
    }
    bool several = plan->from.count + plan->sub_count > 1;
    int rc = copy_typed(plan, plan->when.rest, several, &typed, err);
    plan->when.rest = rc == BB_OK ? typed : plan->when.rest;
    return rc;
}

/* "type error: ", the expression, and why. */
static int type_error(struct bbi_plan *plan, const struct bbi_ql_expr *expr, const char *why,
                      struct bb_error *err)
{
    struct bbi_ql_expr *typed;
    struct bbi_buf text;
    int rc = copy_typed(plan, expr, true, &typed, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_buf_init(&text, &plan->ctx->acct, 1 << 20);
    bbi_ql_format_brief(typed, &text);
    rc = bbi_error_set(err, BB_EINVAL, "type error: %.*s: %s",
                       (int)(text.len < 300 ? text.len : 300), (const char *)text.data, why);
    bbi_buf_fini(&text);
    return rc;
}

static int incompatible(struct bbi_plan *plan, const struct bbi_ql_expr *expr, enum bbi_ql_type lhs,
                        enum bbi_ql_type rhs, struct bb_error *err)
{
    char why[96];
    (void)snprintf(why, sizeof(why), "incompatible types: %s and %s", bbi_ql_type_text(lhs),
                   bbi_ql_type_text(rhs));
    return type_error(plan, expr, why, err);
}

static bool is_number(const struct bbi_ql_expr *expr)
{
    return expr->kind == BBI_QL_INTEGER || expr->kind == BBI_QL_UNSIGNED;
}

/* Integers go with unsigned integers where they are literals; not the other way round. */
static int check_signs(struct bbi_plan *plan, const struct bbi_ql_expr *expr, enum bbi_ql_type lhs,
                       enum bbi_ql_type rhs, struct bb_error *err)
{
    const struct bbi_ql_expr *with_sign = expr->u.binary.lhs;
    const struct bbi_ql_expr *without = expr->u.binary.rhs;
    char why[96];
    if (lhs == BBI_QL_TYPE_UNSIGNED && rhs == BBI_QL_TYPE_INTEGER) {
        with_sign = expr->u.binary.rhs;
        without = expr->u.binary.lhs;
    } else if (lhs != BBI_QL_TYPE_INTEGER || rhs != BBI_QL_TYPE_UNSIGNED) {
        return BB_OK;
    }
    const char *what = is_number(without) ? "with an integer and unsigned literal"
                                          : "between an integer and unsigned, an explicit cast is "
                                            "required";
    if (is_number(with_sign) && !is_number(without)) {
        return BB_OK;
    }
    (void)snprintf(why, sizeof(why), "cannot use %s %s", bbi_ql_op_text(expr->u.binary.op), what);
    return type_error(plan, expr, why, err);
}

static int type_of(struct bbi_plan *plan, const struct bbi_ql_expr *expr, enum bbi_ql_type *type,
                   struct bb_error *err);

static int type_of_binary(struct bbi_plan *plan, const struct bbi_ql_expr *expr,
                          enum bbi_ql_type *type, struct bb_error *err)
{
    enum bbi_ql_type rhs;
    int rc = type_of(plan, expr->u.binary.lhs, type, err);
    rc = rc == BB_OK ? type_of(plan, expr->u.binary.rhs, &rhs, err) : rc;
    rc = rc == BB_OK ? check_signs(plan, expr, *type, rhs, err) : rc;
    if (rc != BB_OK || rhs == BBI_QL_TYPE_UNKNOWN) {
        return rc;
    }
    if (*type == BBI_QL_TYPE_UNKNOWN) {
        *type = rhs;
        return BB_OK;
    }
    if (expr->u.binary.op == BBI_QL_DIV && *type == rhs && rhs == BBI_QL_TYPE_INTEGER) {
        return BB_OK; /* of the type that it does not have: InfluxDB divides zeros as integers */
    }
    struct bb_value value = bbi_program_apply(expr->u.binary.op, zero_of(*type), zero_of(rhs));
    if (value.kind == BB_VALUE_NULL) {
        return incompatible(plan, expr, *type, rhs, err);
    }
    *type = type_of_value(&value);
    return BB_OK;
}

/* With a first argument that is not known, a math function looks at its second; of what, that is
 * said of the outermost columns alone. */
static int type_of_math(const struct bbi_plan *plan, const struct bbi_func_info *info,
                        enum bbi_ql_type second, enum bbi_ql_type *type, struct bb_error *err)
{
    bool number = second == BBI_QL_TYPE_UNKNOWN || second == BBI_QL_TYPE_FLOAT ||
                  second == BBI_QL_TYPE_INTEGER || second == BBI_QL_TYPE_UNSIGNED;
    if (!number && info->args_max > 1 && strcmp(info->name, "log") != 0) {
        return bbi_error_set(err, BB_EINVAL,
                             "invalid argument type for the second argument in %s(): %s",
                             info->name, bbi_ql_type_text(second));
    }
    bool is_float = info->gives == BBI_FN_GIVES_FLOAT && plan->parent == NULL;
    *type = is_float ? BBI_QL_TYPE_FLOAT : BBI_QL_TYPE_UNKNOWN;
    return BB_OK;
}

static int type_of_call(struct bbi_plan *plan, const struct bbi_ql_expr *expr,
                        enum bbi_ql_type *type, struct bb_error *err)
{
    enum bbi_ql_type args[2] = {BBI_QL_TYPE_UNKNOWN, BBI_QL_TYPE_UNKNOWN};
    enum bbi_func func;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < expr->u.call.arg_count; i++) {
        enum bbi_ql_type found;
        rc = type_of(plan, expr->u.call.args[i], &found, err);
        if (i < 2) {
            args[i] = found;
        }
    }
    *type = args[0];
    if (rc != BB_OK || !bbi_func_find(expr->u.call.name, &func)) {
        return rc;
    }
    const struct bbi_func_info *info = bbi_func_info(func);
    if (info->class == BBI_FN_MATH) {
        return args[0] == BBI_QL_TYPE_UNKNOWN ? type_of_math(plan, info, args[1], type, err)
                                              : BB_OK;
    }
    (void)bbi_func_type(func, args[0], type);
    return BB_OK;
}

static int type_of(struct bbi_plan *plan, const struct bbi_ql_expr *expr, enum bbi_ql_type *type,
                   struct bb_error *err)
{
    struct bbi_ql_expr var = {.kind = BBI_QL_VAR};
    *type = BBI_QL_TYPE_UNKNOWN;
    switch (expr->kind) {
    case BBI_QL_VAR:
        return type_of_name(plan, expr, type, err);
    case BBI_QL_DISTINCT:
        var.u.var.name = expr->u.string;
        return type_of_name(plan, &var, type, err);
    case BBI_QL_PAREN:
        return type_of(plan, expr->u.inner, type, err);
    case BBI_QL_BINARY:
        return type_of_binary(plan, expr, type, err);
    case BBI_QL_CALL:
        return type_of_call(plan, expr, type, err);
    case BBI_QL_NUMBER:
        *type = BBI_QL_TYPE_FLOAT;
        return BB_OK;
    case BBI_QL_INTEGER:
        *type = BBI_QL_TYPE_INTEGER;
        return BB_OK;
    case BBI_QL_UNSIGNED:
        *type = BBI_QL_TYPE_UNSIGNED;
        return BB_OK;
    case BBI_QL_STRING:
        *type = BBI_QL_TYPE_STRING;
        return BB_OK;
    case BBI_QL_BOOLEAN:
        *type = BBI_QL_TYPE_BOOLEAN;
        return BB_OK;
    default:
        return BB_OK;
    }
}

int bbi_plan_types(struct bbi_plan *plan, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < plan->output_count; i++) {
        rc = type_of(plan, plan->fields[i].expr, &plan->outputs[i].type, err);
        if (rc == BB_EINVAL && plan->parent != NULL) {
            /* InfluxDB looks at the outermost columns only. */
            bbi_error_clear(err);
            plan->outputs[i].type = BBI_QL_TYPE_UNKNOWN;
            plan->outputs[i].is_mistyped = true;
            rc = BB_OK;
        }
    }
    return rc;
}
