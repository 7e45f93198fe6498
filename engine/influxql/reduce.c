/*
 * Constants folded as InfluxDB folds them, its oddities included: the quotient of two integers is a
 * float, anything divided by zero is zero, an integer beside a duration or a time is a time.
 *
 * The fold_ functions compute one operation on two literals. They return false where the pair has
 * no such operation, and leave *out alone.
 */
#include "engine/influxql/reduce.h"

#include <math.h>
#include <string.h>

/* ---- making nodes ---- */

struct bbi_ql_expr *bbi_ql_fold_make(struct bbi_ql_fold *fold, enum bbi_ql_expr_kind kind)
{
    struct bbi_ql_expr *made = bbi_arena_zalloc(fold->arena, 1, sizeof(*made));

    if (made == NULL) {
        fold->no_memory = true;
    } else {
        made->kind = kind;
    }
    return made;
}

struct bbi_ql_expr *bbi_ql_fold_binary(struct bbi_ql_fold *fold, enum bbi_ql_op op,
                                       struct bbi_ql_expr *lhs, struct bbi_ql_expr *rhs)
{
    struct bbi_ql_expr *made = bbi_ql_fold_make(fold, BBI_QL_BINARY);

    if (made != NULL) {
        made->u.binary.op = op;
        made->u.binary.lhs = lhs;
        made->u.binary.rhs = rhs;
    }
    return made;
}

/* ---- results ---- */

static bool set_boolean(struct bbi_ql_expr *out, bool value)
{
    *out = (struct bbi_ql_expr){.kind = BBI_QL_BOOLEAN, .u.boolean = value};
    return true;
}

static bool set_integer(struct bbi_ql_expr *out, uint64_t bits)
{
    *out = (struct bbi_ql_expr){.kind = BBI_QL_INTEGER, .u.integer = (int64_t)bits};
    return true;
}

static bool set_unsigned(struct bbi_ql_expr *out, uint64_t value)
{
    *out = (struct bbi_ql_expr){.kind = BBI_QL_UNSIGNED, .u.unsigned_integer = value};
    return true;
}

static bool set_number(struct bbi_ql_expr *out, double value)
{
    *out = (struct bbi_ql_expr){.kind = BBI_QL_NUMBER, .u.number = value};
    return true;
}

static bool set_duration(struct bbi_ql_expr *out, uint64_t bits)
{
    *out = (struct bbi_ql_expr){.kind = BBI_QL_DURATION};
    out->u.duration.ns = (int64_t)bits;
    return true;
}

static bool set_time(struct bbi_ql_fold *fold, struct bbi_ql_expr *out, bbi_ql_wide ns)
{
    if (!bbi_ql_fits(ns)) {
        fold->far_ns = fold->far ? fold->far_ns : ns;
        fold->far = true;
        return false;
    }
    *out = (struct bbi_ql_expr){.kind = BBI_QL_TIME, .u.time_ns = (int64_t)ns};
    return true;
}

static bool to_time(struct bbi_ql_fold *fold, const struct bbi_ql_expr *string,
                    struct bbi_ql_expr *out)
{
    bbi_ql_wide ns;
    enum bbi_ql_time_form form = bbi_ql_time_parse_wide(string->u.string, fold->world, &ns);
    return (form == BBI_QL_GOOD_TIME || form == BBI_QL_FAR_TIME) && set_time(fold, out, ns);
}

/* A comparison, of what is ordered: order < 0, 0 or > 0. */
static bool compare(enum bbi_ql_op op, int order, struct bbi_ql_expr *out)
{
    switch (op) {
    case BBI_QL_EQ:
        return set_boolean(out, order == 0);
    case BBI_QL_NEQ:
        return set_boolean(out, order != 0);
    case BBI_QL_LT:
        return set_boolean(out, order < 0);
    case BBI_QL_LTE:
        return set_boolean(out, order <= 0);
    case BBI_QL_GT:
        return set_boolean(out, order > 0);
    case BBI_QL_GTE:
        return set_boolean(out, order >= 0);
    default:
        return false;
    }
}

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

/* ---- pairs ---- */

static bool fold_booleans(enum bbi_ql_op op, bool a, bool b, struct bbi_ql_expr *out)
{
    switch (op) {
    case BBI_QL_EQ:
        return set_boolean(out, a == b);
    case BBI_QL_NEQ:
    case BBI_QL_BITXOR:
        return set_boolean(out, a != b);
    case BBI_QL_AND:
    case BBI_QL_BITAND:
        return set_boolean(out, a && b);
    case BBI_QL_OR:
    case BBI_QL_BITOR:
        return set_boolean(out, a || b);
    default:
        return false;
    }
}

static bool fold_numbers(enum bbi_ql_op op, double a, double b, struct bbi_ql_expr *out)
{
    switch (op) {
    case BBI_QL_ADD:
        return set_number(out, a + b);
    case BBI_QL_SUB:
        return set_number(out, a - b);
    case BBI_QL_MUL:
        return set_number(out, a * b);
    case BBI_QL_DIV:
        return set_number(out, b == 0 ? 0 : a / b);
    case BBI_QL_MOD:
        return set_number(out, fmod(a, b));
    default:
        break;
    }
    if (isnan(a) || isnan(b)) {
        return compare(op, 1, out) && set_boolean(out, op == BBI_QL_NEQ);
    }
    return compare(op, ORDER(a, b), out);
}

/* Arithmetic wraps, as in Go. */
static bool fold_integers(enum bbi_ql_op op, int64_t a, int64_t b, struct bbi_ql_expr *out)
{
    uint64_t ua = (uint64_t)a;
    uint64_t ub = (uint64_t)b;

    switch (op) {
    case BBI_QL_ADD:
        return set_integer(out, ua + ub);
    case BBI_QL_SUB:
        return set_integer(out, ua - ub);
    case BBI_QL_MUL:
        return set_integer(out, ua * ub);
    case BBI_QL_DIV:
        return set_number(out, b == 0 ? 0 : (double)a / (double)b);
    case BBI_QL_MOD:
        return set_integer(out, b == 0 || b == -1 ? 0 : (uint64_t)(a % b));
    case BBI_QL_BITAND:
        return set_integer(out, ua & ub);
    case BBI_QL_BITOR:
        return set_integer(out, ua | ub);
    case BBI_QL_BITXOR:
        return set_integer(out, ua ^ ub);
    default:
        return compare(op, ORDER(a, b), out);
    }
}

static bool fold_unsigned(enum bbi_ql_op op, uint64_t a, uint64_t b, struct bbi_ql_expr *out)
{
    switch (op) {
    case BBI_QL_ADD:
        return set_unsigned(out, a + b);
    case BBI_QL_SUB:
        return set_unsigned(out, a - b);
    case BBI_QL_MUL:
        return set_unsigned(out, a * b);
    case BBI_QL_DIV:
        return set_unsigned(out, b == 0 ? 0 : a / b);
    case BBI_QL_MOD:
        return set_unsigned(out, b == 0 ? 0 : a % b);
    default:
        return compare(op, ORDER(a, b), out);
    }
}

/* An integer below zero is less than any unsigned; otherwise its bits are taken. */
static bool fold_signs(enum bbi_ql_op op, int64_t a, uint64_t b, bool swapped,
                       struct bbi_ql_expr *out)
{
    bool ordered = op == BBI_QL_LT || op == BBI_QL_LTE || op == BBI_QL_GT || op == BBI_QL_GTE;

    if (a < 0 && ordered) {
        return compare(op, swapped ? 1 : -1, out);
    }
    return swapped ? fold_unsigned(op, b, (uint64_t)a, out)
                   : fold_unsigned(op, (uint64_t)a, b, out);
}

static int64_t cut_to_int64(double value)
{
    if (isnan(value)) {
        return 0;
    }
    if (value >= 0x1p63) {
        return INT64_MAX;
    }
    return value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

/* A duration times or through a number, whose fraction is cut. */
static bool scale_duration(enum bbi_ql_op op, int64_t ns, int64_t by, struct bbi_ql_expr *out)
{
    if (op == BBI_QL_MUL) {
        return set_duration(out, (uint64_t)ns * (uint64_t)by);
    }
    if (op != BBI_QL_DIV) {
        return false;
    }
    if (by == -1) {
        return set_duration(out, 0 - (uint64_t)ns);
    }
    return set_duration(out, by == 0 ? 0 : (uint64_t)(ns / by));
}

static bool fold_durations(enum bbi_ql_op op, int64_t a, int64_t b, struct bbi_ql_expr *out)
{
    switch (op) {
    case BBI_QL_ADD:
        return set_duration(out, (uint64_t)a + (uint64_t)b);
    case BBI_QL_SUB:
        return set_duration(out, (uint64_t)a - (uint64_t)b);
    default:
        return compare(op, ORDER(a, b), out);
    }
}

/* ---- by the left side ---- */

static bool with_duration(struct bbi_ql_fold *fold, enum bbi_ql_op op, int64_t ns,
                          const struct bbi_ql_expr *rhs, struct bbi_ql_expr *out)
{
    struct bbi_ql_expr time;

    switch (rhs->kind) {
    case BBI_QL_DURATION:
        return fold_durations(op, ns, rhs->u.duration.ns, out);
    case BBI_QL_NUMBER:
        return scale_duration(op, ns, cut_to_int64(rhs->u.number), out);
    case BBI_QL_INTEGER:
        return scale_duration(op, ns, rhs->u.integer, out);
    case BBI_QL_TIME:
        return op == BBI_QL_ADD && set_time(fold, out, (bbi_ql_wide)rhs->u.time_ns + ns);
    case BBI_QL_STRING:
        return to_time(fold, rhs, &time) && with_duration(fold, op, ns, &time, out);
    case BBI_QL_NULL:
        return set_boolean(out, false);
    default:
        return false;
    }
}

static bool with_integer(struct bbi_ql_fold *fold, enum bbi_ql_op op, int64_t value,
                         const struct bbi_ql_expr *rhs, struct bbi_ql_expr *out)
{
    switch (rhs->kind) {
    case BBI_QL_NUMBER:
        return fold_numbers(op, (double)value, rhs->u.number, out);
    case BBI_QL_INTEGER:
        return fold_integers(op, value, rhs->u.integer, out);
    case BBI_QL_UNSIGNED:
        return fold_signs(op, value, rhs->u.unsigned_integer, false, out);
    case BBI_QL_DURATION:
        if (op == BBI_QL_ADD) {
            return set_time(fold, out, (bbi_ql_wide)value + rhs->u.duration.ns);
        }
        return op == BBI_QL_SUB && set_time(fold, out, (bbi_ql_wide)value - rhs->u.duration.ns);
    case BBI_QL_TIME:
    case BBI_QL_STRING:
    case BBI_QL_NULL:
        return with_duration(fold, op, value, rhs, out);
    default:
        return false;
    }
}

static bool with_unsigned(enum bbi_ql_op op, uint64_t value, const struct bbi_ql_expr *rhs,
                          struct bbi_ql_expr *out)
{
    switch (rhs->kind) {
    case BBI_QL_NUMBER:
        return fold_numbers(op, (double)value, rhs->u.number, out);
    case BBI_QL_INTEGER:
        return fold_signs(op, rhs->u.integer, value, true, out);
    case BBI_QL_UNSIGNED:
        return fold_unsigned(op, value, rhs->u.unsigned_integer, out);
    default:
        return false;
    }
}

static bool with_number(enum bbi_ql_op op, double value, const struct bbi_ql_expr *rhs,
                        struct bbi_ql_expr *out)
{
    switch (rhs->kind) {
    case BBI_QL_NUMBER:
        return fold_numbers(op, value, rhs->u.number, out);
    case BBI_QL_INTEGER:
        return fold_numbers(op, value, (double)rhs->u.integer, out);
    case BBI_QL_UNSIGNED:
        return fold_numbers(op, value, (double)rhs->u.unsigned_integer, out);
    case BBI_QL_NULL:
        return set_boolean(out, false);
    default:
        return false;
    }
}

static bool with_time(struct bbi_ql_fold *fold, enum bbi_ql_op op, int64_t ns,
                      const struct bbi_ql_expr *rhs, struct bbi_ql_expr *out)
{
    struct bbi_ql_expr time;

    switch (rhs->kind) {
    case BBI_QL_DURATION:
    case BBI_QL_INTEGER: {
        int64_t by = rhs->kind == BBI_QL_INTEGER ? rhs->u.integer : rhs->u.duration.ns;
        if (op == BBI_QL_ADD) {
            return set_time(fold, out, (bbi_ql_wide)ns + by);
        }
        return op == BBI_QL_SUB && set_time(fold, out, (bbi_ql_wide)ns - by);
    }
    case BBI_QL_TIME:
        if (op == BBI_QL_SUB) {
            /* Go's Sub saturates. */
            bbi_ql_wide span = (bbi_ql_wide)ns - rhs->u.time_ns;
            span = span > INT64_MAX ? INT64_MAX : span < INT64_MIN ? INT64_MIN : span;
            return set_duration(out, (uint64_t)(int64_t)span);
        }
        return compare(op, ORDER(ns, rhs->u.time_ns), out);
    case BBI_QL_STRING:
        return to_time(fold, rhs, &time) && with_time(fold, op, ns, &time, out);
    case BBI_QL_NULL:
        return set_boolean(out, false);
    default:
        return false;
    }
}

static bool join_strings(struct bbi_ql_fold *fold, const char *a, const char *b,
                         struct bbi_ql_expr *out)
{
    size_t a_length = strlen(a);
    size_t b_size = strlen(b) + 1;
    char *text = bbi_arena_alloc(fold->arena, a_length + b_size);

    if (text == NULL) {
        fold->no_memory = true;
        return false;
    }
    memcpy(text, a, a_length);
    memcpy(text + a_length, b, b_size);
    *out = (struct bbi_ql_expr){.kind = BBI_QL_STRING, .u.string = text};
    return true;
}

static bool with_string(struct bbi_ql_fold *fold, enum bbi_ql_op op, const struct bbi_ql_expr *lhs,
                        const struct bbi_ql_expr *rhs, struct bbi_ql_expr *out)
{
    struct bbi_ql_expr time;
    bool equality = op == BBI_QL_EQ || op == BBI_QL_NEQ;

    if (rhs->kind == BBI_QL_NULL) {
        return equality && set_boolean(out, false);
    }
    if (rhs->kind != BBI_QL_STRING) {
        return (rhs->kind == BBI_QL_DURATION || rhs->kind == BBI_QL_TIME ||
                rhs->kind == BBI_QL_INTEGER) &&
               to_time(fold, lhs, &time) && with_time(fold, op, time.u.time_ns, rhs, out);
    }
    if (op == BBI_QL_ADD) {
        return join_strings(fold, lhs->u.string, rhs->u.string, out);
    }
    /* Two spellings of one time are equal. */
    struct bbi_ql_expr other;
    if (equality && !(to_time(fold, lhs, &time) && to_time(fold, rhs, &other))) {
        return set_boolean(out, (strcmp(lhs->u.string, rhs->u.string) == 0) == (op == BBI_QL_EQ));
    }
    return to_time(fold, lhs, &time) && with_time(fold, op, time.u.time_ns, rhs, out);
}

static bool is_calendar(const struct bbi_ql_expr *expr)
{
    return expr->kind == BBI_QL_DURATION && expr->u.duration.months != 0;
}

static bool fold_pair(struct bbi_ql_fold *fold, enum bbi_ql_op op, const struct bbi_ql_expr *lhs,
                      const struct bbi_ql_expr *rhs, struct bbi_ql_expr *out)
{
    if (is_calendar(lhs) || is_calendar(rhs)) {
        return false;
    }
    switch (lhs->kind) {
    case BBI_QL_BOOLEAN:
        if (rhs->kind == BBI_QL_NULL) {
            return set_boolean(out, false);
        }
        return rhs->kind == BBI_QL_BOOLEAN &&
               fold_booleans(op, lhs->u.boolean, rhs->u.boolean, out);
    case BBI_QL_DURATION:
        return with_duration(fold, op, lhs->u.duration.ns, rhs, out);
    case BBI_QL_INTEGER:
        return with_integer(fold, op, lhs->u.integer, rhs, out);
    case BBI_QL_UNSIGNED:
        return with_unsigned(op, lhs->u.unsigned_integer, rhs, out);
    case BBI_QL_NUMBER:
        return with_number(op, lhs->u.number, rhs, out);
    case BBI_QL_TIME:
        return with_time(fold, op, lhs->u.time_ns, rhs, out);
    case BBI_QL_STRING:
        return with_string(fold, op, lhs, rhs, out);
    case BBI_QL_NULL:
        return (op == BBI_QL_EQ || op == BBI_QL_NEQ) && set_boolean(out, false);
    default:
        return false;
    }
}

/* ---- trees ---- */

static bool is_boolean(const struct bbi_ql_expr *expr, bool value)
{
    return expr->kind == BBI_QL_BOOLEAN && expr->u.boolean == value;
}

struct bbi_ql_expr *bbi_ql_fold_logic(enum bbi_ql_op op, struct bbi_ql_expr *lhs,
                                      struct bbi_ql_expr *rhs)
{
    if (op != BBI_QL_AND && op != BBI_QL_OR) {
        return NULL;
    }
    bool decides = op == BBI_QL_OR;
    if (is_boolean(lhs, decides) || is_boolean(rhs, !decides)) {
        return lhs;
    }
    return is_boolean(rhs, decides) || is_boolean(lhs, !decides) ? rhs : NULL;
}

static struct bbi_ql_expr *fold_binary(struct bbi_ql_fold *fold, struct bbi_ql_expr *expr)
{
    enum bbi_ql_op op = expr->u.binary.op;
    struct bbi_ql_expr *lhs = bbi_ql_fold_expr(fold, expr->u.binary.lhs);
    struct bbi_ql_expr *rhs = bbi_ql_fold_expr(fold, expr->u.binary.rhs);
    struct bbi_ql_expr value;

    if (lhs == NULL || rhs == NULL) {
        return NULL;
    }
    struct bbi_ql_expr *side = bbi_ql_fold_logic(op, lhs, rhs);
    if (side != NULL) {
        return side;
    }
    if (fold_pair(fold, op, lhs, rhs, &value)) {
        struct bbi_ql_expr *made = bbi_ql_fold_make(fold, value.kind);
        if (made != NULL) {
            *made = value;
        }
        return made;
    }
    if (lhs == expr->u.binary.lhs && rhs == expr->u.binary.rhs) {
        return fold->no_memory ? NULL : expr;
    }
    return bbi_ql_fold_binary(fold, op, lhs, rhs);
}

static bool is_literal(const struct bbi_ql_expr *expr)
{
    return (expr->kind >= BBI_QL_NUMBER && expr->kind <= BBI_QL_REGEX) || expr->kind == BBI_QL_NULL;
}

/* made with the value of its function, where that is known already. */
static void fold_value(struct bbi_ql_fold *fold, struct bbi_ql_expr *made)
{
    struct bbi_ql_expr value;
    bool literals = fold->world->fold_call != NULL;
    for (size_t i = 0; literals && i < made->u.call.arg_count; i++) {
        literals = is_literal(made->u.call.args[i]);
    }
    if (literals && fold->world->fold_call(made->u.call.name, made->u.call.args,
                                           made->u.call.arg_count, &value)) {
        *made = value;
    }
}

static struct bbi_ql_expr *fold_call(struct bbi_ql_fold *fold, struct bbi_ql_expr *expr)
{
    size_t count = expr->u.call.arg_count;

    if (count == 0) {
        if (fold->world->keeps_now || strcmp(expr->u.call.name, "now") != 0) {
            return expr;
        }
        struct bbi_ql_expr *now = bbi_ql_fold_make(fold, BBI_QL_TIME);
        if (now != NULL) {
            now->u.time_ns = fold->world->now_ns;
        }
        return now;
    }
    struct bbi_ql_expr **args = bbi_arena_alloc(fold->arena, count * sizeof(struct bbi_ql_expr *));
    struct bbi_ql_expr *made = args == NULL ? NULL : bbi_ql_fold_make(fold, BBI_QL_CALL);
    if (made == NULL) {
        fold->no_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        args[i] = bbi_ql_fold_expr(fold, expr->u.call.args[i]);
        if (args[i] == NULL) {
            return NULL;
        }
    }
    made->u.call.name = expr->u.call.name;
    made->u.call.args = args;
    made->u.call.arg_count = count;
    fold_value(fold, made);
    return made;
}

struct bbi_ql_expr *bbi_ql_fold_paren(struct bbi_ql_fold *fold, struct bbi_ql_expr *inner)
{
    if (inner == NULL || inner->kind != BBI_QL_BINARY) {
        return inner;
    }
    struct bbi_ql_expr *made = bbi_ql_fold_make(fold, BBI_QL_PAREN);
    if (made != NULL) {
        made->u.inner = inner;
    }
    return made;
}

struct bbi_ql_expr *bbi_ql_fold_expr(struct bbi_ql_fold *fold, struct bbi_ql_expr *expr)
{
    switch (expr->kind) {
    case BBI_QL_BINARY:
        return fold_binary(fold, expr);
    case BBI_QL_CALL:
        return fold_call(fold, expr);
    case BBI_QL_PAREN:
        return bbi_ql_fold_paren(fold, bbi_ql_fold_expr(fold, expr->u.inner));
    default:
        return expr;
    }
}

int bbi_ql_reduce(struct bbi_ql_expr *expr, const struct bbi_ql_world *world,
                  struct bbi_arena *arena, struct bbi_ql_expr **out, struct bb_error *err)
{
    struct bbi_ql_fold fold = {.world = world, .arena = arena};

    *out = bbi_ql_fold_expr(&fold, expr);
    if (fold.no_memory) {
        return bbi_error_nomem(err, "expression");
    }
    if ((*out)->kind == BBI_QL_PAREN) {
        *out = (*out)->u.inner;
    }
    return BB_OK;
}
