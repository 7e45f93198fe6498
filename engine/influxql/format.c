/*
 * Expressions and SELECT as text. Parentheses are nodes of the tree, so operators print as they
 * stand; the text parses to an equal tree.
 */
#include <math.h>
#include <string.h>

#include "engine/base/decimal.h"
#include "engine/influxql/expr.h"
#include "engine/influxql/format.h"
#include "engine/influxql/influxql.h"
#include "engine/influxql/token.h"

const char *bbi_ql_op_text(enum bbi_ql_op op)
{
    static const char *const texts[] = {
        [BBI_QL_OP_NONE] = "",    [BBI_QL_OR] = "OR",   [BBI_QL_AND] = "AND",
        [BBI_QL_EQ] = "=",        [BBI_QL_NEQ] = "!=",  [BBI_QL_EQREGEX] = "=~",
        [BBI_QL_NEQREGEX] = "!~", [BBI_QL_LT] = "<",    [BBI_QL_LTE] = "<=",
        [BBI_QL_GT] = ">",        [BBI_QL_GTE] = ">=",  [BBI_QL_ADD] = "+",
        [BBI_QL_SUB] = "-",       [BBI_QL_BITOR] = "|", [BBI_QL_BITXOR] = "^",
        [BBI_QL_MUL] = "*",       [BBI_QL_DIV] = "/",   [BBI_QL_MOD] = "%",
        [BBI_QL_BITAND] = "&",    [BBI_QL_IN] = "IN",
    };
    return texts[op];
}

const char *bbi_ql_type_text(enum bbi_ql_type type)
{
    static const char *const texts[] = {
        [BBI_QL_TYPE_UNKNOWN] = "unknown", [BBI_QL_TYPE_FLOAT] = "float",
        [BBI_QL_TYPE_INTEGER] = "integer", [BBI_QL_TYPE_UNSIGNED] = "unsigned",
        [BBI_QL_TYPE_STRING] = "string",   [BBI_QL_TYPE_BOOLEAN] = "boolean",
        [BBI_QL_TYPE_TIME] = "time",       [BBI_QL_TYPE_DURATION] = "duration",
        [BBI_QL_TYPE_TAG] = "tag",         [BBI_QL_TYPE_FIELD] = "field",
    };
    return texts[type];
}

/* ---- names and literals ---- */

void bbi_ql_format_quoted(const char *text, char quote, struct bbi_buf *buf)
{
    bbi_buf_put(buf, &quote, 1);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\n') {
            bbi_buf_str(buf, "\\n");
        } else {
            if (*c == quote || *c == '\\') {
                bbi_buf_str(buf, "\\");
            }
            bbi_buf_put(buf, c, 1);
        }
    }
    bbi_buf_put(buf, &quote, 1);
}

void bbi_ql_format_name(const char *name, struct bbi_buf *buf)
{
    if (bbi_ql_is_bare(name)) {
        bbi_buf_str(buf, name);
    } else {
        bbi_ql_format_quoted(name, '"', buf);
    }
}

void bbi_ql_format_regex(const char *pattern, struct bbi_buf *buf)
{
    bbi_buf_str(buf, "/");
    for (const char *c = pattern; *c != '\0'; c++) {
        if (*c == '/') {
            bbi_buf_str(buf, "\\");
        }
        bbi_buf_put(buf, c, 1);
    }
    bbi_buf_str(buf, "/");
}

/* With a point, or it would be an integer. */
static void format_number(double value, struct bbi_buf *buf)
{
    char text[BBI_DECIMAL_TEXT_MAX];

    if (!isfinite(value)) {
        bbi_buf_str(buf, isnan(value) ? "NaN" : value < 0 ? "-Inf" : "+Inf");
        return;
    }
    (void)bbi_decimal_format(value, text);
    bbi_buf_str(buf, text);
    if (strchr(text, '.') == NULL) {
        bbi_buf_str(buf, ".0");
    }
}

static void format_duration(const struct bbi_ql_expr *expr, struct bbi_buf *buf)
{
    int64_t months = expr->u.duration.months;

    if (months == 0) {
        bbi_ql_duration_format(expr->u.duration.ns, buf);
    } else if (months % 12 == 0) {
        bbi_buf_printf(buf, "%lldy", (long long)(months / 12));
    } else {
        bbi_buf_printf(buf, "%lldmo", (long long)months);
    }
}

/* ---- expressions: brief is for messages ---- */

static void format_expr(const struct bbi_ql_expr *expr, bool brief, struct bbi_buf *buf);

/* distinct is the one function whose name is a keyword; behind a sign it must be quoted all the
 * same. */
static void format_call(const struct bbi_ql_expr *expr, bool is_signed, bool brief,
                        struct bbi_buf *buf)
{
    if (!is_signed && strcmp(expr->u.call.name, "distinct") == 0) {
        bbi_buf_str(buf, "distinct");
    } else {
        bbi_ql_format_name(expr->u.call.name, buf);
    }
    bbi_buf_str(buf, "(");
    for (size_t i = 0; i < expr->u.call.arg_count; i++) {
        bbi_buf_str(buf, i == 0 ? "" : ", ");
        format_expr(expr->u.call.args[i], brief, buf);
    }
    bbi_buf_str(buf, ")");
}

/* The right side of * / % &. A product there can only come of a sign: a / -b. Messages have it as
 * InfluxDB does. */
static void format_factor(const struct bbi_ql_expr *expr, bool brief, struct bbi_buf *buf)
{
    if (!brief && expr->kind == BBI_QL_BINARY && expr->u.binary.op == BBI_QL_MUL &&
        expr->u.binary.lhs->kind == BBI_QL_INTEGER) {
        bbi_buf_str(buf, expr->u.binary.lhs->u.integer < 0 ? "-" : "+");
        expr = expr->u.binary.rhs;
        if (expr->kind == BBI_QL_CALL) {
            format_call(expr, true, brief, buf);
            return;
        }
    }
    format_expr(expr, brief, buf);
}

static void format_binary(const struct bbi_ql_expr *expr, bool brief, struct bbi_buf *buf)
{
    enum bbi_ql_op op = expr->u.binary.op;

    format_expr(expr->u.binary.lhs, brief, buf);
    bbi_buf_printf(buf, " %s ", bbi_ql_op_text(op));
    if (op == BBI_QL_MUL || op == BBI_QL_DIV || op == BBI_QL_MOD || op == BBI_QL_BITAND) {
        format_factor(expr->u.binary.rhs, brief, buf);
    } else {
        format_expr(expr->u.binary.rhs, brief, buf);
    }
}

static void format_var(const struct bbi_ql_expr *expr, struct bbi_buf *buf)
{
    bbi_ql_format_name(expr->u.var.name, buf);
    if (expr->u.var.type != BBI_QL_TYPE_UNKNOWN) {
        bbi_buf_printf(buf, "::%s", bbi_ql_type_text(expr->u.var.type));
    }
}

static void format_expr(const struct bbi_ql_expr *expr, bool brief, struct bbi_buf *buf)
{
    switch (expr->kind) {
    case BBI_QL_VAR:
        format_var(expr, buf);
        break;
    case BBI_QL_CALL:
        format_call(expr, false, brief, buf);
        break;
    case BBI_QL_BINARY:
        format_binary(expr, brief, buf);
        break;
    case BBI_QL_PAREN:
        bbi_buf_str(buf, "(");
        format_expr(expr->u.inner, brief, buf);
        bbi_buf_str(buf, ")");
        break;
    case BBI_QL_NUMBER:
        if (brief && isfinite(expr->u.number)) {
            bbi_buf_printf(buf, "%.3f", expr->u.number);
        } else {
            format_number(expr->u.number, buf);
        }
        break;
    case BBI_QL_INTEGER:
        bbi_buf_printf(buf, "%lld", (long long)expr->u.integer);
        break;
    case BBI_QL_UNSIGNED:
        bbi_buf_printf(buf, "%llu", (unsigned long long)expr->u.unsigned_integer);
        break;
    case BBI_QL_STRING:
        bbi_ql_format_quoted(expr->u.string, '\'', buf);
        break;
    case BBI_QL_BOOLEAN:
        bbi_buf_str(buf, expr->u.boolean ? "true" : "false");
        break;
    case BBI_QL_DURATION:
        format_duration(expr, buf);
        break;
    case BBI_QL_TIME:
        bbi_buf_str(buf, "'");
        bbi_ql_time_format(expr->u.time_ns, buf);
        bbi_buf_str(buf, "'");
        break;
    case BBI_QL_REGEX:
        bbi_ql_format_regex(expr->u.string, buf);
        break;
    case BBI_QL_WILDCARD:
        bbi_buf_str(buf, "*");
        if (expr->u.wildcard != BBI_QL_TYPE_UNKNOWN) {
            bbi_buf_printf(buf, "::%s", bbi_ql_type_text(expr->u.wildcard));
        }
        break;
    case BBI_QL_DISTINCT:
        bbi_buf_str(buf, "DISTINCT ");
        bbi_ql_format_name(expr->u.string, buf);
        break;
    case BBI_QL_PARAM:
        bbi_buf_str(buf, "$");
        bbi_ql_format_name(expr->u.string, buf);
        break;
    case BBI_QL_NULL:
        bbi_buf_str(buf, "nil");
        break;
    }
}

void bbi_ql_format_expr(const struct bbi_ql_expr *expr, struct bbi_buf *buf)
{
    format_expr(expr, false, buf);
}

void bbi_ql_format_brief(const struct bbi_ql_expr *expr, struct bbi_buf *buf)
{
    format_expr(expr, true, buf);
}

/* ---- clauses ---- */

static void format_source(const struct bbi_ql_source *source, bool brief, struct bbi_buf *buf)
{
    if (source->subquery != NULL) {
        bbi_buf_str(buf, "(");
        bbi_ql_format_select(source->subquery, brief, buf);
        bbi_buf_str(buf, ")");
        return;
    }
    if (source->database != NULL) {
        bbi_ql_format_name(source->database, buf);
        bbi_buf_str(buf, ".");
    }
    if (source->policy != NULL) {
        bbi_ql_format_name(source->policy, buf);
    } else if (source->back_reference && source->database == NULL) {
        bbi_buf_str(buf, "\"\"");
    }
    if (source->policy != NULL || source->database != NULL || source->back_reference) {
        bbi_buf_str(buf, ".");
    }
    if (source->back_reference) {
        bbi_buf_str(buf, ":MEASUREMENT");
    } else if (source->regex != NULL) {
        bbi_ql_format_regex(source->regex, buf);
    } else {
        bbi_ql_format_name(source->name, buf);
    }
}

void bbi_ql_format_sources(const char *before, const struct bbi_ql_source *sources, size_t count,
                           bool brief, struct bbi_buf *buf)
{
    for (size_t i = 0; i < count; i++) {
        bbi_buf_str(buf, i == 0 ? before : ", ");
        format_source(&sources[i], brief, buf);
    }
}

void bbi_ql_format_where(const struct bbi_ql_expr *condition, bool brief, struct bbi_buf *buf)
{
    if (condition != NULL) {
        bbi_buf_str(buf, " WHERE ");
        format_expr(condition, brief, buf);
    }
}

void bbi_ql_format_group_by(struct bbi_ql_expr *const *dimensions, size_t count, bool brief,
                            struct bbi_buf *buf)
{
    for (size_t i = 0; i < count; i++) {
        bbi_buf_str(buf, i == 0 ? " GROUP BY " : ", ");
        format_expr(dimensions[i], brief, buf);
    }
}

void bbi_ql_format_order_by(const struct bbi_ql_sort *sorts, size_t count, struct bbi_buf *buf)
{
    for (size_t i = 0; i < count; i++) {
        bbi_buf_str(buf, i == 0 ? " ORDER BY" : ",");
        if (sorts[i].name != NULL) {
            bbi_buf_str(buf, " ");
            bbi_ql_format_name(sorts[i].name, buf);
        }
        bbi_buf_str(buf, sorts[i].descending ? " DESC" : " ASC");
    }
}

void bbi_ql_format_limit(const char *keyword, int64_t value, struct bbi_buf *buf)
{
    if (value > 0) {
        bbi_buf_printf(buf, " %s %lld", keyword, (long long)value);
    }
}

static void format_fill(const struct bbi_ql_select *select, struct bbi_buf *buf)
{
    static const char *const names[] = {
        [BBI_QL_FILL_NULL] = "null",     [BBI_QL_FILL_NONE] = "none",
        [BBI_QL_FILL_NUMBER] = "",       [BBI_QL_FILL_PREVIOUS] = "previous",
        [BBI_QL_FILL_LINEAR] = "linear",
    };

    if (!select->fill_given) {
        return;
    }
    bbi_buf_str(buf, " fill(");
    if (select->fill == BBI_QL_FILL_NUMBER) {
        bbi_ql_format_expr(select->fill_value, buf);
    } else {
        bbi_buf_str(buf, names[select->fill]);
    }
    bbi_buf_str(buf, ")");
}

static void format_fields(const struct bbi_ql_select *select, bool brief, struct bbi_buf *buf)
{
    for (size_t i = 0; i < select->field_count; i++) {
        bbi_buf_str(buf, i == 0 ? "SELECT " : ", ");
        format_expr(select->fields[i].expr, brief, buf);
        if (select->fields[i].alias != NULL) {
            bbi_buf_str(buf, " AS ");
            bbi_ql_format_name(select->fields[i].alias, buf);
        }
    }
}

void bbi_ql_format_select(const struct bbi_ql_select *select, bool brief, struct bbi_buf *buf)
{
    format_fields(select, brief, buf);
    if (select->into != NULL) {
        bbi_buf_str(buf, " INTO ");
        format_source(select->into, brief, buf);
    }
    bbi_ql_format_sources(" FROM ", select->sources, select->source_count, brief, buf);
    bbi_ql_format_where(select->condition, brief, buf);
    bbi_ql_format_group_by(select->dimensions, select->dimension_count, brief, buf);
    format_fill(select, buf);
    bbi_ql_format_order_by(select->sorts, select->sort_count, buf);
    bbi_ql_format_limit("LIMIT", select->limit, buf);
    bbi_ql_format_limit("OFFSET", select->offset, buf);
    bbi_ql_format_limit("SLIMIT", select->slimit, buf);
    bbi_ql_format_limit("SOFFSET", select->soffset, buf);
    if (select->zone != NULL) {
        bbi_buf_str(buf, " TZ(");
        bbi_ql_format_quoted(select->zone, '\'', buf);
        bbi_buf_str(buf, ")");
    }
    if (select->lookback_ns != 0) {
        struct bbi_ql_expr duration = {.kind = BBI_QL_DURATION};
        duration.u.duration.ns = select->lookback_ns;
        bbi_buf_str(buf, " lookback(");
        bbi_ql_format_expr(&duration, buf);
        bbi_buf_str(buf, ")");
    }
}
