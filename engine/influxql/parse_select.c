#include <string.h>

#include "engine/influxql/expr.h"
#include "engine/influxql/parser.h"

/* ---- fields ---- */

/* The operator of a condition in the tree: the last of those that no other stands above. */
static enum bbi_ql_op find_condition(const struct bbi_ql_expr *expr)
{
    enum bbi_ql_op op = BBI_QL_OP_NONE;

    switch (expr->kind) {
    case BBI_QL_BINARY:
        if (expr->u.binary.op <= BBI_QL_GTE) {
            return expr->u.binary.op;
        }
        op = find_condition(expr->u.binary.rhs);
        return op != BBI_QL_OP_NONE ? op : find_condition(expr->u.binary.lhs);
    case BBI_QL_PAREN:
        return find_condition(expr->u.inner);
    case BBI_QL_CALL:
        for (size_t i = expr->u.call.arg_count; i-- > 0 && op == BBI_QL_OP_NONE;) {
            op = find_condition(expr->u.call.args[i]);
        }
        return op;
    default:
        return op;
    }
}

static bool has_call(const struct bbi_ql_expr *expr)
{
    switch (expr->kind) {
    case BBI_QL_CALL:
        return true;
    case BBI_QL_BINARY:
        return has_call(expr->u.binary.lhs) || has_call(expr->u.binary.rhs);
    case BBI_QL_PAREN:
        return has_call(expr->u.inner);
    default:
        return false;
    }
}

static bool parse_field(struct bbi_ql_parser *p, struct bbi_ql_field *field)
{
    const char *pattern;

    if (!bbi_qlp_regex(p, &pattern)) {
        return false;
    }
    if (pattern != NULL) {
        field->expr = bbi_qlp_alloc(p, sizeof(*field->expr));
        if (field->expr == NULL) {
            return false;
        }
        field->expr->kind = BBI_QL_REGEX;
        field->expr->u.string = pattern;
    } else {
        struct bbi_ql_pos pos = bbi_qlp_scan(p).pos;
        bbi_qlp_unscan(p);
        if (!bbi_qlp_expr(p, &field->expr)) {
            return false;
        }
        enum bbi_ql_op op = find_condition(field->expr);
        if (op != BBI_QL_OP_NONE) {
            return bbi_qlp_fail(p,
                                "invalid operator %s in SELECT clause at line %u, char %u; "
                                "operator is intended for WHERE clause",
                                bbi_ql_op_text(op), pos.line + 1, pos.column + 1);
        }
    }
    if (bbi_qlp_accept(p, BBI_QL_TOK_AS) && !bbi_qlp_ident(p, &field->alias)) {
        return false;
    }
    bbi_qlp_skip_white(p);
    return true;
}

static bool parse_fields(struct bbi_ql_parser *p, struct bbi_ql_select *select)
{
    select->is_raw = true;
    for (;;) {
        struct bbi_ql_field field = {NULL, NULL};
        if (!parse_field(p, &field) ||
            !bbi_qlp_push(p, &select->fields, &select->field_count, &field, sizeof(field))) {
            return false;
        }
        select->is_raw = select->is_raw && !has_call(field.expr);
        if (bbi_qlp_next(p).kind != BBI_QL_TOK_COMMA) {
            bbi_qlp_unscan(p);
            return true;
        }
    }
}

/* ---- sources ---- */

static const char *not_empty(const char *name)
{
    return name[0] == '\0' ? NULL : name;
}

/* INTO; a name of ":MEASUREMENT" stands for that of the source. */
static bool parse_into(struct bbi_ql_parser *p, enum bbi_qlp_target target,
                       struct bbi_ql_source **into)
{
    const char *segments[3] = {"", "", ""};
    size_t count;
    bool back_reference = false;
    struct bbi_ql_token token = bbi_qlp_scan(p);

    if (token.kind != BBI_QL_TOK_INTO) {
        if (target == BBI_QLP_TARGET_REQUIRED) {
            return bbi_qlp_unexpected(p, token, "INTO");
        }
        bbi_qlp_unscan(p);
        return true;
    }
    if (!bbi_qlp_segments(p, segments, &count)) {
        return false;
    }
    if (count < 3 && bbi_qlp_peek(p) == ':') {
        if (!bbi_qlp_expect(p, BBI_QL_TOK_COLON) || !bbi_qlp_expect(p, BBI_QL_TOK_MEASUREMENT)) {
            return false;
        }
        back_reference = true;
        segments[count++] = "";
    }
    struct bbi_ql_source *made = bbi_qlp_alloc(p, sizeof(*made));
    if (made == NULL) {
        return false;
    }
    made->back_reference = back_reference;
    made->name = back_reference ? NULL : segments[count - 1];
    made->policy = count >= 2 ? not_empty(segments[count - 2]) : NULL;
    made->database = count == 3 ? not_empty(segments[0]) : NULL;
    *into = made;
    return true;
}

/* ( SELECT ... ), behind the parenthesis. */
static bool parse_subquery(struct bbi_ql_parser *p, struct bbi_ql_source *source)
{
    if (!bbi_qlp_enter(p)) {
        return false;
    }
    bool good = bbi_qlp_expect(p, BBI_QL_TOK_SELECT) &&
                bbi_qlp_select(p, BBI_QLP_TARGET_OPTIONAL, &source->subquery) &&
                bbi_qlp_expect(p, BBI_QL_TOK_RPAREN);
    bbi_qlp_leave(p);
    return good;
}

bool bbi_qlp_source(struct bbi_ql_parser *p, bool subqueries, struct bbi_ql_source *source)
{
    const char *segments[3];
    size_t count;

    memset(source, 0, sizeof(*source));
    if (!bbi_qlp_regex(p, &source->regex)) {
        return false;
    }
    if (source->regex != NULL) {
        return true;
    }
    if (subqueries && bbi_qlp_accept(p, BBI_QL_TOK_LPAREN)) {
        return parse_subquery(p, source);
    }
    if (!bbi_qlp_segments(p, segments, &count)) {
        return false;
    }
    /* Three names leave no room for a regex behind them. */
    if (count < 3 && !bbi_qlp_regex(p, &source->regex)) {
        return false;
    }
    if (source->regex == NULL) {
        source->name = segments[--count];
    }
    source->policy = count > 0 ? not_empty(segments[count - 1]) : NULL;
    source->database = count > 1 ? not_empty(segments[count - 2]) : NULL;
    return true;
}

bool bbi_qlp_sources(struct bbi_ql_parser *p, bool subqueries, struct bbi_ql_source **sources,
                     size_t *count)
{
    struct bbi_ql_source source;

    do {
        if (!bbi_qlp_source(p, subqueries, &source) ||
            !bbi_qlp_push(p, sources, count, &source, sizeof(source))) {
            return false;
        }
    } while (bbi_qlp_accept(p, BBI_QL_TOK_COMMA));
    return true;
}

/* ---- clauses ---- */

bool bbi_qlp_where(struct bbi_ql_parser *p, struct bbi_ql_expr **condition)
{
    return !bbi_qlp_accept(p, BBI_QL_TOK_WHERE) || bbi_qlp_expr(p, condition);
}

static bool has_months(const struct bbi_ql_expr *expr)
{
    switch (expr->kind) {
    case BBI_QL_DURATION:
        return expr->u.duration.months != 0;
    case BBI_QL_BINARY:
        return has_months(expr->u.binary.lhs) || has_months(expr->u.binary.rhs);
    case BBI_QL_PAREN:
        return has_months(expr->u.inner);
    case BBI_QL_CALL:
        for (size_t i = 0; i < expr->u.call.arg_count; i++) {
            if (has_months(expr->u.call.args[i])) {
                return true;
            }
        }
        return false;
    default:
        return false;
    }
}

/* Months and years are allowed as the width of time() and nowhere else. */
static bool misplaced_months(const struct bbi_ql_expr *expr)
{
    if (expr->kind != BBI_QL_CALL || strcmp(expr->u.call.name, "time") != 0) {
        return has_months(expr);
    }
    for (size_t i = 0; i < expr->u.call.arg_count; i++) {
        const struct bbi_ql_expr *arg = expr->u.call.args[i];
        if ((i > 0 || arg->kind != BBI_QL_DURATION) && has_months(arg)) {
            return true;
        }
    }
    return false;
}

/* (host) is host, and time(5m + 5m) is time(10m). */
static bool fold_dimension(struct bbi_ql_parser *p, struct bbi_ql_expr **dimension)
{
    struct bbi_ql_world world = {.keeps_now = true};

    if (bbi_ql_reduce(*dimension, &world, p->arena, dimension, p->err) != BB_OK) {
        p->failed = true;
    }
    return !p->failed;
}

static bool parse_dimension(struct bbi_ql_parser *p, struct bbi_ql_expr **dimension)
{
    p->calendar = true;
    bool good = bbi_qlp_regex_or_expr(p, dimension);
    p->calendar = false;
    if (!good) {
        return false;
    }
    if (misplaced_months(*dimension)) {
        return bbi_qlp_fail(p, "invalid duration");
    }
    if ((*dimension)->kind == BBI_QL_REGEX) {
        return true;
    }
    bbi_qlp_skip_white(p);
    return fold_dimension(p, dimension);
}

bool bbi_qlp_group_by(struct bbi_ql_parser *p, struct bbi_ql_expr ***dimensions, size_t *count)
{
    struct bbi_ql_expr *dimension;

    if (!bbi_qlp_accept(p, BBI_QL_TOK_GROUP)) {
        return true;
    }
    if (!bbi_qlp_expect(p, BBI_QL_TOK_BY)) {
        return false;
    }
    for (;;) {
        if (!parse_dimension(p, &dimension) ||
            !bbi_qlp_push(p, dimensions, count, &dimension, sizeof(dimension))) {
            return false;
        }
        if (bbi_qlp_next(p).kind != BBI_QL_TOK_COMMA) {
            bbi_qlp_unscan(p);
            return true;
        }
    }
}

static bool same_letters(const char *a, const char *lower)
{
    for (; *a != '\0' && *lower != '\0'; a++, lower++) {
        if ((*a >= 'A' && *a <= 'Z' ? *a - 'A' + 'a' : *a) != *lower) {
            return false;
        }
    }
    return *a == *lower;
}

/* Does the next token spell this function, that is no keyword? */
static bool next_is(struct bbi_ql_parser *p, const char *name)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);
    bbi_qlp_unscan(p);
    return token.kind == BBI_QL_TOK_IDENT && same_letters(token.text, name);
}

static bool fill_option(struct bbi_ql_parser *p, struct bbi_ql_expr *arg,
                        struct bbi_ql_select *select)
{
    static const struct {
        const char *name;
        enum bbi_ql_fill fill;
    } options[] = {
        {"null", BBI_QL_FILL_NULL},
        {"none", BBI_QL_FILL_NONE},
        {"previous", BBI_QL_FILL_PREVIOUS},
        {"linear", BBI_QL_FILL_LINEAR},
    };

    if (arg->kind == BBI_QL_INTEGER || arg->kind == BBI_QL_NUMBER) {
        select->fill = BBI_QL_FILL_NUMBER;
        select->fill_value = arg;
        return true;
    }
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (arg->kind == BBI_QL_VAR && arg->u.var.type == BBI_QL_TYPE_UNKNOWN &&
            strcmp(arg->u.var.name, options[i].name) == 0) {
            select->fill = options[i].fill;
            return true;
        }
    }
    return bbi_qlp_fail(p, "expected number argument in fill()");
}

static bool parse_fill(struct bbi_ql_parser *p, struct bbi_ql_select *select)
{
    struct bbi_ql_expr *expr;

    if (!next_is(p, "fill")) {
        return true;
    }
    if (!bbi_qlp_expr(p, &expr)) {
        return false;
    }
    if (expr->kind != BBI_QL_CALL) {
        return bbi_qlp_fail(p, "fill must be a function call");
    }
    if (expr->u.call.arg_count != 1) {
        return bbi_qlp_fail(p, "fill requires an argument, e.g.: 0, null, none, previous, linear");
    }
    select->fill_given = true;
    return fill_option(p, expr->u.call.args[0], select);
}

static bool parse_zone(struct bbi_ql_parser *p, struct bbi_ql_select *select)
{
    struct bbi_ql_expr *expr;

    if (!next_is(p, "tz")) {
        return true;
    }
    if (!bbi_qlp_expr(p, &expr)) {
        return false;
    }
    if (expr->kind != BBI_QL_CALL) {
        return bbi_qlp_fail(p, "tz must be a function call");
    }
    if (expr->u.call.arg_count != 1) {
        return bbi_qlp_fail(p, "tz requires exactly one argument");
    }
    if (expr->u.call.args[0]->kind != BBI_QL_STRING) {
        return bbi_qlp_fail(p, "expected string argument in tz()");
    }
    select->zone = expr->u.call.args[0]->u.string;
    if (p->options != NULL && p->options->zone_known != NULL &&
        !p->options->zone_known(p->options->zone_arg, select->zone)) {
        return bbi_qlp_fail(p, "unable to find time zone %.200s", select->zone);
    }
    return true;
}

/* An extension: how far functions and fill() may look back before the range. */
static bool parse_lookback(struct bbi_ql_parser *p, struct bbi_ql_select *select)
{
    struct bbi_ql_expr *expr;

    if (!next_is(p, "lookback")) {
        return true;
    }
    if (!bbi_qlp_expr(p, &expr)) {
        return false;
    }
    if (expr->kind != BBI_QL_CALL) {
        return bbi_qlp_fail(p, "lookback must be a function call");
    }
    if (expr->u.call.arg_count != 1) {
        return bbi_qlp_fail(p, "lookback requires exactly one argument");
    }
    const struct bbi_ql_expr *arg = expr->u.call.args[0];
    if (arg->kind != BBI_QL_DURATION || arg->u.duration.ns <= 0) {
        return bbi_qlp_fail(p, "expected a positive duration in lookback()");
    }
    select->lookback_ns = arg->u.duration.ns;
    return true;
}

static bool parse_sort(struct bbi_ql_parser *p, struct bbi_ql_sort *sort)
{
    sort->descending = false;
    if (!bbi_qlp_ident(p, &sort->name)) {
        return false;
    }
    enum bbi_ql_token_kind kind = bbi_qlp_scan(p).kind;
    if (kind != BBI_QL_TOK_ASC && kind != BBI_QL_TOK_DESC) {
        bbi_qlp_unscan(p);
    }
    sort->descending = kind == BBI_QL_TOK_DESC;
    return true;
}

#define ONLY_TIME "only ORDER BY time supported at this time"

bool bbi_qlp_order_by(struct bbi_ql_parser *p, struct bbi_ql_sort **sorts, size_t *count)
{
    struct bbi_ql_sort sort = {NULL, false};

    if (!bbi_qlp_accept(p, BBI_QL_TOK_ORDER)) {
        return true;
    }
    if (!bbi_qlp_expect(p, BBI_QL_TOK_BY)) {
        return false;
    }
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind == BBI_QL_TOK_ASC || token.kind == BBI_QL_TOK_DESC) {
        sort.descending = token.kind == BBI_QL_TOK_DESC;
    } else if (token.kind == BBI_QL_TOK_IDENT) {
        bbi_qlp_unscan(p);
        if (!parse_sort(p, &sort)) {
            return false;
        }
        if (strcmp(sort.name, "time") != 0) {
            return bbi_qlp_fail(p, ONLY_TIME);
        }
    } else {
        return bbi_qlp_unexpected(p, token, "identifier, ASC, DESC");
    }
    if (!bbi_qlp_push(p, sorts, count, &sort, sizeof(sort))) {
        return false;
    }
    while (bbi_qlp_accept(p, BBI_QL_TOK_COMMA)) {
        if (!parse_sort(p, &sort) || !bbi_qlp_push(p, sorts, count, &sort, sizeof(sort))) {
            return false;
        }
    }
    return *count == 1 || bbi_qlp_fail(p, ONLY_TIME);
}

bool bbi_qlp_limit(struct bbi_ql_parser *p, enum bbi_ql_token_kind keyword, int64_t *value)
{
    if (!bbi_qlp_accept(p, keyword)) {
        return true;
    }
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind != BBI_QL_TOK_INTEGER) {
        return bbi_qlp_unexpected(p, token, "integer");
    }
    if (token.text[0] == '-') {
        return bbi_qlp_fail_at(p, token.pos, "%s must be >= 0", bbi_ql_token_name(keyword));
    }
    /* Beyond int64 means all there is. */
    *value = 0;
    for (const char *c = token.text; *c != '\0'; c++) {
        int64_t digit = *c - '0';
        *value = *value > (INT64_MAX - digit) / 10 ? INT64_MAX : *value * 10 + digit;
    }
    return true;
}

bool bbi_qlp_select(struct bbi_ql_parser *p, enum bbi_qlp_target target,
                    struct bbi_ql_select **select)
{
    struct bbi_ql_select *s = bbi_qlp_alloc(p, sizeof(*s));

    *select = s;
    return s != NULL && parse_fields(p, s) && parse_into(p, target, &s->into) &&
           bbi_qlp_expect(p, BBI_QL_TOK_FROM) &&
           bbi_qlp_sources(p, true, &s->sources, &s->source_count) &&
           bbi_qlp_where(p, &s->condition) &&
           bbi_qlp_group_by(p, &s->dimensions, &s->dimension_count) && parse_fill(p, s) &&
           bbi_qlp_order_by(p, &s->sorts, &s->sort_count) &&
           bbi_qlp_limit(p, BBI_QL_TOK_LIMIT, &s->limit) &&
           bbi_qlp_limit(p, BBI_QL_TOK_OFFSET, &s->offset) &&
           bbi_qlp_limit(p, BBI_QL_TOK_SLIMIT, &s->slimit) &&
           bbi_qlp_limit(p, BBI_QL_TOK_SOFFSET, &s->soffset) && parse_zone(p, s) &&
           parse_lookback(p, s);
}
