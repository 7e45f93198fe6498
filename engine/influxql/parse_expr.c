#include <math.h>
#include <string.h>

#include "engine/base/decimal.h"
#include "engine/influxql/parser.h"

/* A tree and its height: literals and variables have 1. */
struct node {
    struct bbi_ql_expr *expr;
    unsigned height;
};

static bool parse_level(struct bbi_ql_parser *p, int level, struct node *out);
static bool parse_unary(struct bbi_ql_parser *p, struct node *out);

/* How tightly an operator binds; all of one level group to the left. */
enum {
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_COMPARE,
    LEVEL_ADD,
    LEVEL_MULTIPLY,
    LEVEL_UNARY
};

struct operator
{
    enum bbi_ql_token_kind token;
    enum bbi_ql_op op;
    int level;
};

static const struct operator operators[] = {
    {BBI_QL_TOK_OR, BBI_QL_OR, LEVEL_OR},
    {BBI_QL_TOK_AND, BBI_QL_AND, LEVEL_AND},
    {BBI_QL_TOK_EQ, BBI_QL_EQ, LEVEL_COMPARE},
    {BBI_QL_TOK_NEQ, BBI_QL_NEQ, LEVEL_COMPARE},
    {BBI_QL_TOK_EQREGEX, BBI_QL_EQREGEX, LEVEL_COMPARE},
    {BBI_QL_TOK_NEQREGEX, BBI_QL_NEQREGEX, LEVEL_COMPARE},
    {BBI_QL_TOK_LT, BBI_QL_LT, LEVEL_COMPARE},
    {BBI_QL_TOK_LTE, BBI_QL_LTE, LEVEL_COMPARE},
    {BBI_QL_TOK_GT, BBI_QL_GT, LEVEL_COMPARE},
    {BBI_QL_TOK_GTE, BBI_QL_GTE, LEVEL_COMPARE},
    {BBI_QL_TOK_ADD, BBI_QL_ADD, LEVEL_ADD},
    {BBI_QL_TOK_SUB, BBI_QL_SUB, LEVEL_ADD},
    {BBI_QL_TOK_BITOR, BBI_QL_BITOR, LEVEL_ADD},
    {BBI_QL_TOK_BITXOR, BBI_QL_BITXOR, LEVEL_ADD},
    {BBI_QL_TOK_MUL, BBI_QL_MUL, LEVEL_MULTIPLY},
    {BBI_QL_TOK_DIV, BBI_QL_DIV, LEVEL_MULTIPLY},
    {BBI_QL_TOK_MOD, BBI_QL_MOD, LEVEL_MULTIPLY},
    {BBI_QL_TOK_BITAND, BBI_QL_BITAND, LEVEL_MULTIPLY},
};

/* The next token if it is an operator of this level; else it is put back. */
static enum bbi_ql_op accept_operator(struct bbi_ql_parser *p, int level)
{
    enum bbi_ql_token_kind kind = bbi_qlp_scan(p).kind;

    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (operators[i].token == kind && operators[i].level == level) {
            return operators[i].op;
        }
    }
    bbi_qlp_unscan(p);
    return BBI_QL_OP_NONE;
}

static bool make(struct bbi_ql_parser *p, enum bbi_ql_expr_kind kind, struct node *out)
{
    out->expr = bbi_qlp_alloc(p, sizeof(*out->expr));
    out->height = 1;
    if (out->expr == NULL) {
        return false;
    }
    out->expr->kind = kind;
    return true;
}

static bool check_height(struct bbi_ql_parser *p, struct node *node)
{
    return node->height <= BBI_QL_TREE_MAX ||
           bbi_qlp_fail(p, "expression is deeper than %d operators", BBI_QL_TREE_MAX);
}

static bool make_binary(struct bbi_ql_parser *p, enum bbi_ql_op op, struct node lhs,
                        struct node rhs, struct node *out)
{
    struct node made;

    if (!make(p, BBI_QL_BINARY, &made)) {
        return false;
    }
    made.expr->u.binary.op = op;
    made.expr->u.binary.lhs = lhs.expr;
    made.expr->u.binary.rhs = rhs.expr;
    made.height = 1 + (lhs.height > rhs.height ? lhs.height : rhs.height);
    *out = made;
    return check_height(p, out);
}

/* ---- AND, OR ---- */

/* operands joined by op, halves of halves. */
static bool make_row(struct bbi_ql_parser *p, enum bbi_ql_op op, const struct node *operands,
                     size_t count, struct node *out)
{
    struct node lhs;
    struct node rhs;
    size_t half = count - count / 2;

    if (count == 1) {
        *out = operands[0];
        return true;
    }
    return make_row(p, op, operands, half, &lhs) &&
           make_row(p, op, operands + half, count - half, &rhs) &&
           make_binary(p, op, lhs, rhs, out);
}

static bool parse_row(struct bbi_ql_parser *p, int level, struct node *out)
{
    struct node *operands = NULL;
    size_t count = 0;
    enum bbi_ql_op op = BBI_QL_OP_NONE;
    enum bbi_ql_op next;

    do {
        struct node operand;
        if (!parse_level(p, level + 1, &operand) ||
            !bbi_qlp_push(p, &operands, &count, &operand, sizeof(operand))) {
            return false;
        }
        next = accept_operator(p, level);
        op = next == BBI_QL_OP_NONE ? op : next;
    } while (next != BBI_QL_OP_NONE);
    return make_row(p, op, operands, count, out);
}

/* ---- other operators ---- */

static bool require_regex(struct bbi_ql_parser *p, struct node *out)
{
    const char *pattern;

    if (!bbi_qlp_regex(p, &pattern)) {
        return false;
    }
    if (pattern == NULL) {
        return bbi_qlp_unexpected(p, bbi_qlp_scan(p), "regex");
    }
    if (!make(p, BBI_QL_REGEX, out)) {
        return false;
    }
    out->expr->u.string = pattern;
    return true;
}

static bool parse_operators(struct bbi_ql_parser *p, int level, struct node *out);

/* As far as the syntax goes a pattern may be an operand of arithmetic. */
static bool parse_pattern(struct bbi_ql_parser *p, struct node *out)
{
    return require_regex(p, out) && parse_operators(p, LEVEL_MULTIPLY, out) &&
           parse_operators(p, LEVEL_ADD, out);
}

static bool parse_level(struct bbi_ql_parser *p, int level, struct node *out)
{
    if (level == LEVEL_UNARY) {
        return parse_unary(p, out);
    }
    if (level <= LEVEL_AND) {
        return parse_row(p, level, out);
    }
    return parse_level(p, level + 1, out) && parse_operators(p, level, out);
}

/* Operators of a level and what they are with; the first operand is in out. */
static bool parse_operators(struct bbi_ql_parser *p, int level, struct node *out)
{
    struct node rhs;
    enum bbi_ql_op op;

    while ((op = accept_operator(p, level)) != BBI_QL_OP_NONE) {
        bool regex = op == BBI_QL_EQREGEX || op == BBI_QL_NEQREGEX;
        if (!(regex ? parse_pattern(p, &rhs) : parse_level(p, level + 1, &rhs)) ||
            !make_binary(p, op, *out, rhs, out)) {
            return false;
        }
    }
    return true;
}

static bool parse_expr(struct bbi_ql_parser *p, struct node *out)
{
    if (!bbi_qlp_enter(p)) {
        return false;
    }
    bool good = parse_level(p, LEVEL_OR, out);
    bbi_qlp_leave(p);
    return good;
}

static bool parse_regex_or_expr(struct bbi_ql_parser *p, struct node *out)
{
    const char *pattern;

    if (!bbi_qlp_regex(p, &pattern)) {
        return false;
    }
    if (pattern == NULL) {
        return parse_expr(p, out);
    }
    if (!make(p, BBI_QL_REGEX, out)) {
        return false;
    }
    out->expr->u.string = pattern;
    return true;
}

/* ---- operands ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static const char *lower_copy(struct bbi_ql_parser *p, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = bbi_qlp_alloc(p, size);

    for (size_t i = 0; copy != NULL && i < size; i++) {
        copy[i] = lower(text[i]);
    }
    return copy;
}

/* A call, behind its opening parenthesis. */
static bool parse_call(struct bbi_ql_parser *p, const char *name, struct node *out)
{
    struct bbi_ql_expr **args = NULL;
    size_t count = 0;
    unsigned height = 0;
    const char *pattern;

    /* A regex is looked for even where the call may end, since that may take white space. */
    if (!make(p, BBI_QL_CALL, out) || !bbi_qlp_regex(p, &pattern)) {
        return false;
    }
    out->expr->u.call.name = lower_copy(p, name);
    if (out->expr->u.call.name == NULL) {
        return false;
    }
    if (pattern == NULL) {
        if (bbi_qlp_next(p).kind == BBI_QL_TOK_RPAREN) {
            return true;
        }
        bbi_qlp_unscan(p);
    }
    do {
        struct node arg;
        if (pattern != NULL) {
            if (!make(p, BBI_QL_REGEX, &arg)) {
                return false;
            }
            arg.expr->u.string = pattern;
            pattern = NULL;
        } else if (count == 0 ? !parse_expr(p, &arg) : !parse_regex_or_expr(p, &arg)) {
            return false;
        }
        if (!bbi_qlp_push(p, &args, &count, &arg.expr, sizeof(arg.expr))) {
            return false;
        }
        height = arg.height > height ? arg.height : height;
    } while (bbi_qlp_accept(p, BBI_QL_TOK_COMMA));
    struct bbi_ql_token token = bbi_qlp_next(p);
    if (token.kind != BBI_QL_TOK_RPAREN) {
        return bbi_qlp_unexpected(p, token, ")");
    }
    out->expr->u.call.args = args;
    out->expr->u.call.arg_count = count;
    out->height = 1 + height;
    return check_height(p, out);
}

struct cast {
    const char *name;
    enum bbi_ql_type type;
};

/* Behind `::`. */
static bool parse_cast(struct bbi_ql_parser *p, enum bbi_ql_type *type)
{
    static const struct cast casts[] = {
        {"float", BBI_QL_TYPE_FLOAT},       {"integer", BBI_QL_TYPE_INTEGER},
        {"unsigned", BBI_QL_TYPE_UNSIGNED}, {"string", BBI_QL_TYPE_STRING},
        {"boolean", BBI_QL_TYPE_BOOLEAN},
    };
    struct bbi_ql_token token = bbi_qlp_next(p);

    if (token.kind == BBI_QL_TOK_FIELD || token.kind == BBI_QL_TOK_TAG) {
        *type = token.kind == BBI_QL_TOK_FIELD ? BBI_QL_TYPE_FIELD : BBI_QL_TYPE_TAG;
        return true;
    }
    if (token.kind != BBI_QL_TOK_IDENT) {
        return bbi_qlp_unexpected(p, token, "float, integer, string, boolean, field, tag");
    }
    const char *name = lower_copy(p, token.text);
    for (size_t i = 0; name != NULL && i < sizeof(casts) / sizeof(casts[0]); i++) {
        if (strcmp(casts[i].name, name) == 0) {
            *type = casts[i].type;
            return true;
        }
    }
    return bbi_qlp_unexpected(p, token, "float, integer, unsigned, string, boolean, field, tag");
}

static const char *join_segments(struct bbi_ql_parser *p, const char *const *segments, size_t count)
{
    size_t size = count;

    if (count == 1) {
        return segments[0];
    }
    for (size_t i = 0; i < count; i++) {
        size += strlen(segments[i]);
    }
    char *name = bbi_qlp_alloc(p, size);
    char *out = name;
    for (size_t i = 0; name != NULL && i < count; i++) {
        size_t length = strlen(segments[i]);
        memcpy(out, segments[i], length);
        out += length;
        *out++ = i == count - 1 ? '\0' : '.';
    }
    return name;
}

static bool parse_var(struct bbi_ql_parser *p, struct node *out)
{
    const char *segments[3];
    size_t count;

    if (!make(p, BBI_QL_VAR, out) || !bbi_qlp_segments(p, segments, &count)) {
        return false;
    }
    out->expr->u.var.name = join_segments(p, segments, count);
    if (out->expr->u.var.name == NULL) {
        return false;
    }
    if (bbi_qlp_next(p).kind == BBI_QL_TOK_DOUBLECOLON) {
        return parse_cast(p, &out->expr->u.var.type);
    }
    bbi_qlp_unscan(p);
    return true;
}

static bool parse_wildcard(struct bbi_ql_parser *p, struct node *out)
{
    if (!make(p, BBI_QL_WILDCARD, out)) {
        return false;
    }
    if (bbi_qlp_next(p).kind != BBI_QL_TOK_DOUBLECOLON) {
        bbi_qlp_unscan(p);
        return true;
    }
    struct bbi_ql_token token = bbi_qlp_next(p);
    if (token.kind != BBI_QL_TOK_FIELD && token.kind != BBI_QL_TOK_TAG) {
        return bbi_qlp_unexpected(p, token, "field, tag");
    }
    out->expr->u.wildcard = token.kind == BBI_QL_TOK_FIELD ? BBI_QL_TYPE_FIELD : BBI_QL_TYPE_TAG;
    return true;
}

/* Behind DISTINCT: a call, or a name after white space. */
static bool parse_distinct(struct bbi_ql_parser *p, struct node *out)
{
    struct bbi_ql_token token = bbi_qlp_next(p);

    if (token.kind == BBI_QL_TOK_LPAREN) {
        return parse_call(p, "distinct", out);
    }
    if (token.kind != BBI_QL_TOK_WS) {
        return bbi_qlp_unexpected(p, token, "(, identifier");
    }
    return make(p, BBI_QL_DISTINCT, out) && bbi_qlp_ident(p, &out->expr->u.string);
}

/* Digits, with a minus where the number was bound to a parameter. */
static bool parse_integer(struct bbi_ql_parser *p, struct bbi_ql_token token, struct node *out)
{
    const char *c = token.text;
    bool negative = *c == '-';
    uint64_t value = 0;

    for (c += negative; *c != '\0'; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return bbi_qlp_fail_at(p, token.pos, "unable to parse integer");
        }
        value = value * 10 + digit;
    }
    bool fits = value <= (uint64_t)INT64_MAX + negative;
    if (negative && !fits) {
        return bbi_qlp_fail_at(p, token.pos, "unable to parse integer");
    }
    if (!make(p, fits ? BBI_QL_INTEGER : BBI_QL_UNSIGNED, out)) {
        return false;
    }
    if (fits) {
        out->expr->u.integer = (int64_t)(negative ? -value : value);
    } else {
        out->expr->u.unsigned_integer = value;
    }
    return true;
}

static bool parse_number(struct bbi_ql_parser *p, struct bbi_ql_token token, struct node *out)
{
    if (!make(p, BBI_QL_NUMBER, out)) {
        return false;
    }
    return (bbi_decimal_parse(token.text, strlen(token.text), &out->expr->u.number) &&
            isfinite(out->expr->u.number)) ||
           bbi_qlp_fail_at(p, token.pos, "unable to parse number");
}

static bool parse_duration(struct bbi_ql_parser *p, struct bbi_ql_token token, struct node *out)
{
    if (!make(p, BBI_QL_DURATION, out)) {
        return false;
    }
    if (p->calendar && bbi_ql_months_read(token.text, &out->expr->u.duration.months)) {
        return true;
    }
    return bbi_qlp_duration_value(p, token, true, &out->expr->u.duration.ns);
}

static bool parse_param(struct bbi_ql_parser *p, struct bbi_ql_token token, struct node *out)
{
    const char *name = token.text + (token.text[0] == '$');

    if (name[0] == '\0') {
        return bbi_qlp_fail(p, "empty bound parameter");
    }
    if (token.text[0] != '$' || p->options == NULL || !p->options->keep_params) {
        return bbi_qlp_fail(p, "missing parameter: %.200s", name);
    }
    if (!make(p, BBI_QL_PARAM, out)) {
        return false;
    }
    out->expr->u.string = name;
    return true;
}

static bool parse_paren(struct bbi_ql_parser *p, struct node *out)
{
    struct node inner;

    if (!parse_expr(p, &inner)) {
        return false;
    }
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind != BBI_QL_TOK_RPAREN) {
        return bbi_qlp_unexpected(p, token, ")");
    }
    if (!make(p, BBI_QL_PAREN, out)) {
        return false;
    }
    out->expr->u.inner = inner.expr;
    out->height = 1 + inner.height;
    return check_height(p, out);
}

static bool parse_ident(struct bbi_ql_parser *p, const char *name, struct node *out)
{
    if (bbi_qlp_next(p).kind == BBI_QL_TOK_LPAREN) {
        return parse_call(p, name, out);
    }
    bbi_qlp_unscan(p);
    bbi_qlp_unscan(p);
    return parse_var(p, out);
}

/* ---- signs ---- */

static bool negate(struct bbi_ql_parser *p, struct bbi_ql_expr *expr)
{
    switch (expr->kind) {
    case BBI_QL_NUMBER:
        expr->u.number = -expr->u.number;
        break;
    case BBI_QL_INTEGER:
        expr->u.integer = (int64_t)(0 - (uint64_t)expr->u.integer);
        break;
    case BBI_QL_DURATION:
        expr->u.duration.ns = (int64_t)(0 - (uint64_t)expr->u.duration.ns);
        expr->u.duration.months = -expr->u.duration.months;
        break;
    default: /* UNSIGNED: the lowest int64 is one too large without its sign */
        if (expr->u.unsigned_integer != (uint64_t)INT64_MAX + 1) {
            return bbi_qlp_fail(p, "constant -%llu underflows int64",
                                (unsigned long long)expr->u.unsigned_integer);
        }
        expr->kind = BBI_QL_INTEGER;
        expr->u.integer = INT64_MIN;
        break;
    }
    return true;
}

/* Behind + or -. A sign before anything but a literal is a product with 1 or -1. */
static bool parse_signed(struct bbi_ql_parser *p, bool negative, struct node *out)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);
    struct node one;

    switch (token.kind) {
    case BBI_QL_TOK_NUMBER:
    case BBI_QL_TOK_INTEGER:
    case BBI_QL_TOK_DURATIONVAL:
        bbi_qlp_unscan(p);
        return parse_unary(p, out) && (!negative || negate(p, out->expr));
    case BBI_QL_TOK_LPAREN:
    case BBI_QL_TOK_IDENT:
        bbi_qlp_unscan(p);
        if (!make(p, BBI_QL_INTEGER, &one) || !parse_unary(p, out)) {
            return false;
        }
        one.expr->u.integer = negative ? -1 : 1;
        return make_binary(p, BBI_QL_MUL, one, *out, out);
    default:
        return bbi_qlp_unexpected(p, token, "identifier, number, duration, (");
    }
}

static bool parse_unary(struct bbi_ql_parser *p, struct node *out)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);

    switch (token.kind) {
    case BBI_QL_TOK_LPAREN:
        return parse_paren(p, out);
    case BBI_QL_TOK_IDENT:
        return parse_ident(p, token.text, out);
    case BBI_QL_TOK_DISTINCT:
        return parse_distinct(p, out);
    case BBI_QL_TOK_STRING:
        if (!make(p, BBI_QL_STRING, out)) {
            return false;
        }
        out->expr->u.string = token.text;
        return true;
    case BBI_QL_TOK_NUMBER:
        return parse_number(p, token, out);
    case BBI_QL_TOK_INTEGER:
        return parse_integer(p, token, out);
    case BBI_QL_TOK_TRUE:
    case BBI_QL_TOK_FALSE:
        if (!make(p, BBI_QL_BOOLEAN, out)) {
            return false;
        }
        out->expr->u.boolean = token.kind == BBI_QL_TOK_TRUE;
        return true;
    case BBI_QL_TOK_DURATIONVAL:
        return parse_duration(p, token, out);
    case BBI_QL_TOK_MUL:
        return parse_wildcard(p, out);
    case BBI_QL_TOK_BOUNDPARAM:
        return parse_param(p, token, out);
    case BBI_QL_TOK_ADD:
    case BBI_QL_TOK_SUB:
        return parse_signed(p, token.kind == BBI_QL_TOK_SUB, out);
    default:
        return bbi_qlp_unexpected(p, token, "identifier, string, number, bool");
    }
}

bool bbi_qlp_expr(struct bbi_ql_parser *p, struct bbi_ql_expr **expr)
{
    struct node node;
    bool good = parse_expr(p, &node);
    *expr = good ? node.expr : NULL;
    return good;
}

bool bbi_qlp_regex_or_expr(struct bbi_ql_parser *p, struct bbi_ql_expr **expr)
{
    struct node node;
    bool good = parse_regex_or_expr(p, &node);
    *expr = good ? node.expr : NULL;
    return good;
}
