/* From checked and expanded fields to calls, names, column names and programs. */
#include "engine/query/plan.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/influxql/influxql.h"
#include "engine/query/emit.h"
#include "engine/query/plan_internal.h"
#include "engine/query/stream.h"

/* ---- column names ---- */

/* A set of names and the number that the next equal one may get. */
struct used_name {
    const char *name;
    unsigned next;
};

struct used_names {
    struct used_name *slots;
    size_t count;
};

static struct used_name *find_used(struct used_names *u, const char *name)
{
    size_t at = bbi_hash64(name, strlen(name)) % u->count;
    while (u->slots[at].name != NULL && strcmp(u->slots[at].name, name) != 0) {
        at = (at + 1) % u->count;
    }
    return &u->slots[at];
}

/* Names of variables and calls, from left to right, joined by "_". */
static int name_of(struct bbi_plan *plan, const struct bbi_ql_expr *expr, const char **out,
                   struct bb_error *err)
{
    struct bbi_arena *arena = &plan->ctx->arena;
    struct bbi_buf buf;
    const struct bbi_ql_expr **todo = NULL;
    size_t count = 1;
    size_t cap = 64;
    bbi_buf_init(&buf, &plan->ctx->acct, 1 << 20);
    int rc = bbi_qctx_array(plan->ctx, cap, sizeof(todo[0]), &todo, err);
    if (rc == BB_OK) {
        todo[0] = expr;
    }
    while (rc == BB_OK && count > 0) {
        const struct bbi_ql_expr *at = todo[--count];
        const char *part = NULL;
        if (at->kind == BBI_QL_PAREN) {
            todo[count++] = at->u.inner;
        } else if (at->kind == BBI_QL_BINARY) {
            if (count + 2 > cap) {
                const struct bbi_ql_expr **more;
                rc = bbi_qctx_array(plan->ctx, cap * 2, sizeof(more[0]), &more, err);
                if (rc != BB_OK) {
                    break;
                }
                memcpy(more, todo, count * sizeof(more[0]));
                todo = more;
                cap *= 2;
            }
            todo[count++] = at->u.binary.rhs;
            todo[count++] = at->u.binary.lhs;
        } else if (at->kind == BBI_QL_VAR) {
            part = at->u.var.name;
        } else if (at->kind == BBI_QL_CALL) {
            part = at->u.call.name;
        } else if (at->kind == BBI_QL_DISTINCT) {
            part = "distinct";
        }
        if (part != NULL) {
            bbi_buf_str(&buf, buf.len == 0 ? "" : "_");
            bbi_buf_str(&buf, part);
        }
    }
    rc = rc == BB_OK ? bbi_buf_check(&buf, "column name", err) : rc;
    if (rc == BB_OK) {
        *out = buf.len == 0 ? "" : bbi_arena_dup(arena, buf.data, buf.len);
        rc = *out == NULL ? bbi_error_nomem(err, "column name") : BB_OK;
    }
    bbi_buf_fini(&buf);
    return rc;
}

/* The first of name_1, name_2 ... that is free. */
static int number_name(struct bbi_plan *plan, struct used_names *used, struct used_name *conflict,
                       const char **name, struct bb_error *err)
{
    for (;; conflict->next++) {
        size_t bytes = strlen(*name) + 16;
        char *text = bbi_arena_alloc(&plan->ctx->arena, bytes);
        if (text == NULL) {
            return bbi_error_nomem(err, "column name");
        }
        (void)snprintf(text, bytes, "%s_%u", *name, conflict->next);
        if (find_used(used, text)->name == NULL) {
            conflict->next++;
            *name = text;
            return BB_OK;
        }
    }
}

static void use_name(struct used_names *used, const char *name)
{
    struct used_name *slot = find_used(used, name);
    slot->next += slot->name == NULL ? 1 : 0;
    slot->name = name;
}

static int name_columns(struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    struct used_names used = {.count = plan->output_count * 3 + 8};
    int rc = bbi_qctx_array(plan->ctx, plan->output_count + 1, sizeof(plan->columns[0]),
                            &plan->columns, err);
    if (rc == BB_OK) {
        rc = bbi_qctx_array(plan->ctx, used.count, sizeof(used.slots[0]), &used.slots, err);
    }
    if (rc == BB_OK) {
        rc = bbi_qctx_array(plan->ctx, plan->output_count, sizeof(plan->outputs[0]), &plan->outputs,
                            err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    plan->columns[0] = "time";
    for (size_t i = 0; i < select->field_count; i++) {
        if (bbi_ql_is_time(select->fields[i].expr) && select->fields[i].alias != NULL) {
            plan->columns[0] = select->fields[i].alias;
        }
    }
    for (size_t i = 0; i < plan->output_count; i++) {
        if (plan->fields[i].alias != NULL) {
            plan->columns[i + 1] = plan->fields[i].alias;
            plan->outputs[i].name = plan->fields[i].alias;
            use_name(&used, plan->fields[i].alias);
        }
    }
    for (size_t i = 0; rc == BB_OK && i < plan->output_count; i++) {
        const char *name = "";
        if (plan->columns[i + 1] != NULL) {
            continue;
        }
        rc = name_of(plan, plan->fields[i].expr, &name, err);
        plan->outputs[i].name = name;
        if (rc == BB_OK && find_used(&used, name)->name != NULL) {
            rc = number_name(plan, &used, find_used(&used, name), &name, err);
        }
        if (rc == BB_OK) {
            use_name(&used, name);
            plan->columns[i + 1] = name;
        }
    }
    return rc;
}

/* ---- calls, names, programs ---- */

struct collector {
    struct bbi_plan *plan;
    size_t call_cap;
    size_t ref_cap;
};

static int grow_list(struct bbi_qctx *ctx, void *list, size_t count, size_t *cap, size_t size,
                     struct bb_error *err)
{
    if (count < *cap) {
        return BB_OK;
    }
    void *old;
    void *more;
    size_t next = *cap == 0 ? 8 : *cap * 2;
    int rc = bbi_qctx_array(ctx, next, size, &more, err);
    if (rc == BB_OK) {
        memcpy(&old, list, sizeof(old));
        if (count != 0) {
            memcpy(more, old, count * size);
        }
        memcpy(list, &more, sizeof(more));
        *cap = next;
    }
    return rc;
}

static int ref_slot(struct collector *c, const struct bbi_ref *ref, uint32_t *slot,
                    struct bb_error *err);

static struct bbi_ref read_ref(const struct bbi_ql_expr *expr)
{
    return (struct bbi_ref){.name = expr->u.var.name, .cast = expr->u.var.type};
}

static bool is_distinct(const struct bbi_ql_expr *expr)
{
    return expr->kind == BBI_QL_DISTINCT ||
           (expr->kind == BBI_QL_CALL && strcmp(expr->u.call.name, "distinct") == 0);
}

/* What distinct is over, with or without parentheses. */
static void read_name(struct bbi_call *call, const struct bbi_ql_expr *arg)
{
    if (arg->kind == BBI_QL_DISTINCT) {
        call->field = arg->u.string;
        return;
    }
    arg = arg->kind == BBI_QL_CALL ? arg->u.call.args[0] : arg;
    call->field = arg->u.var.name;
    call->cast = arg->u.var.type;
}

static bool is_number(enum bbi_ql_type type)
{
    return type == BBI_QL_TYPE_FLOAT || type == BBI_QL_TYPE_INTEGER || type == BBI_QL_TYPE_UNSIGNED;
}

/* x::integer is an integer; a field that cannot be one has no values then, and is as good as not
 * there. */
static enum bbi_ql_type cast_input(enum bbi_ql_type input, enum bbi_ql_type cast)
{
    bool plain = cast == BBI_QL_TYPE_UNKNOWN || cast == BBI_QL_TYPE_FIELD ||
                 cast == BBI_QL_TYPE_TAG;
    if (input == BBI_QL_TYPE_UNKNOWN || input == BBI_QL_TYPE_TAG || plain || input == cast) {
        return input;
    }
    return is_number(input) && is_number(cast) ? cast : BBI_QL_TYPE_UNKNOWN;
}

static enum bbi_ql_type given_type(const struct bbi_call *call)
{
    bool plain = call->inner != NULL || call->cast == BBI_QL_TYPE_FIELD ||
                 call->cast == BBI_QL_TYPE_TAG;
    return plain ? BBI_QL_TYPE_UNKNOWN : call->cast;
}

/* InfluxDB refuses what a function does not take when it meets the first series, so only if there
 * is one; of several refusals it names the first that has one. */
static int refuse(struct bbi_plan *plan, struct bbi_call *call, struct bb_error *err)
{
    struct bb_error refusal;
    bool nothing = call->inner != NULL && (call->inner->input == BBI_QL_TYPE_UNKNOWN ||
                                           bbi_stream_first_decides(plan, call->inner));
    if (nothing) {
        /* Over nothing; fill() takes the type all the same. */
        call->type = call->type == BBI_QL_TYPE_UNKNOWN ? call->inner->type : call->type;
        call->input = BBI_QL_TYPE_UNKNOWN;
        return BB_OK;
    }
    call->type = BBI_QL_TYPE_UNKNOWN;
    struct bbi_refusal *r = bbi_arena_zalloc(&plan->ctx->arena, 1, sizeof(*r));
    bbi_error_clear(&refusal);
    if (r != NULL && bbi_plan_refuse_type(call, &refusal) == BB_EINVAL) {
        r->text = bbi_arena_strdup(&plan->ctx->arena, refusal.text);
    }
    if (r == NULL || r->text == NULL) {
        return bbi_error_nomem(err, "an error's text");
    }
    const struct bbi_call *innermost = call;
    while (innermost->inner != NULL) {
        innermost = innermost->inner;
    }
    call->input = BBI_QL_TYPE_UNKNOWN; /* where no series is met it is over nothing, too */
    call->is_filled = true;
    bool plain = innermost->cast == BBI_QL_TYPE_UNKNOWN || innermost->cast == BBI_QL_TYPE_TAG;
    r->field = call->field;
    r->cast = plain ? BBI_QL_TYPE_FIELD : innermost->cast;
    struct bbi_refusal **end = &plan->refusals;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = r;
    return BB_OK;
}

/* What is a tag within a subquery is a string outside. */
static bool of_subquery(const struct bbi_plan *plan, const struct bbi_call *call)
{
    struct bbi_ref name = {.name = call->field, .cast = call->cast, .type = call->input};
    bool found = false;
    for (size_t i = 0; i < plan->sub_count; i++) {
        found = found || bbi_stream_subquery_has(plan->subs[i], &name);
    }
    return found;
}

static int type_call(struct bbi_plan *plan, struct bbi_call *call, struct bb_error *err)
{
    int rc = BB_OK;
    if (call->inner != NULL) {
        call->input = call->inner->type;
    } else {
        rc = bbi_plan_name_type(plan, call->field, call->cast, &call->input, err);
        call->input = cast_input(call->input, call->cast);
        if (call->input == BBI_QL_TYPE_TAG && of_subquery(plan, call)) {
            call->input = BBI_QL_TYPE_STRING;
        }
    }
    /* Many know their type without a field, and with a cast that it does not have. */
    (void)bbi_func_type(call->func, given_type(call), &call->type);
    if (rc == BB_OK && call->input != BBI_QL_TYPE_UNKNOWN && call->input != BBI_QL_TYPE_TAG &&
        !bbi_func_type(call->func, call->input, &call->type)) {
        return refuse(plan, call, err);
    }
    call->is_filled = call->input == BBI_QL_TYPE_TAG && call->type == BBI_QL_TYPE_UNKNOWN;
    return rc;
}

static int read_call(struct collector *c, struct bbi_call *call, const struct bbi_ql_expr *expr,
                     struct bb_error *err);

/* The names in the middle of top() and bottom() are columns of the rows that these pick. */
static int read_tags(struct collector *c, struct bbi_call *call, struct bb_error *err)
{
    const struct bbi_ql_expr *expr = call->expr;
    bool picks = call->func == BBI_FUNC_TOP || call->func == BBI_FUNC_BOTTOM;
    if (!picks || expr->u.call.arg_count < 3) {
        return BB_OK;
    }
    int rc = bbi_qctx_array(c->plan->ctx, expr->u.call.arg_count, sizeof(call->tags[0]),
                            &call->tags, err);
    for (size_t i = 1; rc == BB_OK && i + 1 < expr->u.call.arg_count; i++) {
        struct bbi_ref ref = read_ref(expr->u.call.args[i]);
        ref.is_key = true;
        ref.cast = BBI_QL_TYPE_TAG;
        rc = ref_slot(c, &ref, &call->tags[call->tag_count++], err);
    }
    return rc;
}

static int read_inner(struct collector *c, struct bbi_call *call, const struct bbi_ql_expr *arg,
                      struct bb_error *err)
{
    struct bbi_call *inner;
    int rc = bbi_qctx_array(c->plan->ctx, 1, sizeof(*inner), &inner, err);
    if (rc == BB_OK) {
        rc = read_call(c, inner, arg, err);
        call->inner = inner;
        call->field = inner->field;
    }
    return rc;
}

static int read_call(struct collector *c, struct bbi_call *call, const struct bbi_ql_expr *expr,
                     struct bb_error *err)
{
    const struct bbi_ql_expr *arg = expr->kind == BBI_QL_CALL ? expr->u.call.args[0] : expr;
    int rc = BB_OK;
    memset(call, 0, sizeof(*call));
    call->func = BBI_FUNC_DISTINCT;
    call->name = "distinct";
    call->expr = expr;
    if (expr->kind == BBI_QL_CALL) {
        (void)bbi_func_find(expr->u.call.name, &call->func);
        call->name = expr->u.call.name;
    }
    bool counts_distinct = call->func == BBI_FUNC_COUNT && is_distinct(arg);
    if (arg->kind == BBI_QL_VAR || counts_distinct || expr->kind == BBI_QL_DISTINCT) {
        read_name(call, arg);
    } else if (arg->kind != BBI_QL_CALL) {
        /* A wildcard or pattern where nothing expands it: asin((mean(*))). */
        return bbi_error_set(err, BB_EINVAL, "unsupported expression with wildcard");
    } else {
        rc = read_inner(c, call, arg, err);
    }
    bool plain = call->cast == BBI_QL_TYPE_UNKNOWN || call->cast == BBI_QL_TYPE_FIELD ||
                 call->cast == BBI_QL_TYPE_TAG;
    call->in_cells = bbi_func_info(call->func)->in_cells && call->inner == NULL &&
                     !counts_distinct && plain;
    if (rc == BB_OK) {
        rc = read_tags(c, call, err);
    }
    return rc == BB_OK ? type_call(c->plan, call, err) : rc;
}

/* Of a name as a column or an argument. */
static enum bbi_ql_type type_of_ref(const struct bbi_ref *ref)
{
    bool plain = ref->cast == BBI_QL_TYPE_UNKNOWN || ref->cast == BBI_QL_TYPE_FIELD;
    return plain ? ref->type : ref->cast;
}

/* value, value::field and value::float are the same if value is a float. */
static int same_name(struct bbi_plan *plan, const struct bbi_ql_expr *a,
                     const struct bbi_ql_expr *b, bool *same, struct bb_error *err)
{
    struct bbi_ref x = read_ref(a);
    struct bbi_ref y = read_ref(b);
    *same = strcmp(x.name, y.name) == 0;
    if (!*same || x.cast == y.cast) {
        return BB_OK;
    }
    int rc = bbi_plan_name_type(plan, x.name, x.cast, &x.type, err);
    rc = rc == BB_OK ? bbi_plan_name_type(plan, y.name, y.cast, &y.type, err) : rc;
    *same = type_of_ref(&x) == type_of_ref(&y);
    return rc;
}

static int same_calls(struct bbi_plan *plan, const struct bbi_ql_expr *a,
                      const struct bbi_ql_expr *b, bool *same, struct bb_error *err)
{
    int rc = BB_OK;
    while (a->kind == BBI_QL_CALL && b->kind == BBI_QL_CALL && a->u.call.arg_count > 0 &&
           a->u.call.arg_count == b->u.call.arg_count &&
           strcmp(a->u.call.name, b->u.call.name) == 0) {
        *same = true;
        for (size_t i = 1; *same && i < a->u.call.arg_count; i++) {
            *same = bbi_ql_expr_equal(a->u.call.args[i], b->u.call.args[i]);
        }
        if (!*same) {
            return BB_OK;
        }
        a = a->u.call.args[0];
        b = b->u.call.args[0];
    }
    *same = bbi_ql_expr_equal(a, b);
    if (a->kind == BBI_QL_VAR && b->kind == BBI_QL_VAR) {
        rc = same_name(plan, a, b, same, err);
    }
    return rc;
}

static int call_slot(struct collector *c, const struct bbi_ql_expr *expr, uint32_t *slot,
                     struct bb_error *err)
{
    struct bbi_plan *plan = c->plan;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < plan->call_count; i++) {
        bool same;
        rc = same_calls(plan, plan->calls[i].expr, expr, &same, err);
        if (rc != BB_OK || same) {
            *slot = (uint32_t)i;
            return rc;
        }
    }
    rc = grow_list(plan->ctx, &plan->calls, plan->call_count, &c->call_cap, sizeof(plan->calls[0]),
                   err);
    if (rc == BB_OK) {
        *slot = (uint32_t)plan->call_count;
        rc = read_call(c, &plan->calls[plan->call_count++], expr, err);
    }
    return rc;
}

static bool same_ref(const struct bbi_ref *a, const struct bbi_ref *b)
{
    return strcmp(a->name, b->name) == 0 && a->is_key == b->is_key && a->cast == b->cast;
}

static int ref_slot(struct collector *c, const struct bbi_ref *ref, uint32_t *slot,
                    struct bb_error *err)
{
    struct bbi_plan *plan = c->plan;
    for (size_t i = 0; i < plan->ref_count; i++) {
        if (same_ref(&plan->refs[i], ref)) {
            *slot = (uint32_t)i;
            return BB_OK;
        }
    }
    int rc = grow_list(plan->ctx, &plan->refs, plan->ref_count, &c->ref_cap, sizeof(plan->refs[0]),
                       err);
    if (rc != BB_OK) {
        return rc;
    }
    struct bbi_ref *added = &plan->refs[plan->ref_count];
    *added = *ref;
    *slot = (uint32_t)plan->ref_count++;
    rc = bbi_plan_name_type(plan, ref->name, ref->cast, &added->type, err);
    added->type = type_of_ref(added);
    return rc;
}

/* Names get slots from this on until all calls are known. */
#define REF_SLOTS 0x80000000U

static int leaf_slot(void *arg, const struct bbi_ql_expr *leaf, uint32_t *slot,
                     struct bb_error *err)
{
    struct collector *c = arg;
    if (leaf->kind == BBI_QL_CALL || leaf->kind == BBI_QL_DISTINCT) {
        return call_slot(c, leaf, slot, err);
    }
    struct bbi_ref ref = read_ref(leaf);
    int rc = ref_slot(c, &ref, slot, err);
    *slot |= REF_SLOTS;
    return rc;
}

/* InfluxDB's order, by name and type: rows of one time stand in it. */
static int by_ref(const void *a, const void *b)
{
    const struct bbi_ref *x = a;
    const struct bbi_ref *y = b;
    int c = strcmp(x->name, y->name);
    c = x->is_key != y->is_key ? (x->is_key ? 1 : -1) : c;
    c = c == 0 ? (type_of_ref(x) > type_of_ref(y)) - (type_of_ref(x) < type_of_ref(y)) : c;
    return c != 0 ? c : (x->cast > y->cast) - (x->cast < y->cast);
}

static size_t find_ref(const struct bbi_plan *plan, const struct bbi_ref *key)
{
    const struct bbi_ref *ref = bsearch(key, plan->refs, plan->ref_count, sizeof(plan->refs[0]),
                                        by_ref);
    return (size_t)(ref - plan->refs);
}

/* Sort the names, and let the programs know their final slots. */
static int settle_slots(struct bbi_plan *plan, struct bb_error *err)
{
    struct bbi_ref *before;
    int rc = bbi_qctx_array(plan->ctx, plan->ref_count, sizeof(before[0]), &before, err);
    if (rc != BB_OK || plan->ref_count == 0) {
        return rc;
    }
    memcpy(before, plan->refs, plan->ref_count * sizeof(before[0]));
    qsort(plan->refs, plan->ref_count, sizeof(plan->refs[0]), by_ref);
    for (size_t i = 0; i < plan->call_count; i++) {
        for (size_t k = 0; k < plan->calls[i].tag_count; k++) {
            uint32_t *tag = &plan->calls[i].tags[k];
            *tag = (uint32_t)find_ref(plan, &before[*tag]);
        }
    }
    for (size_t i = 0; i < plan->output_count; i++) {
        struct bbi_program *p = &plan->outputs[i].program;
        for (size_t k = 0; k < p->count; k++) {
            struct bbi_instruction *in = &p->code[k];
            if (in->code != BBI_PUSH_SLOT || (in->slot & REF_SLOTS) == 0) {
                continue;
            }
            in->slot = (uint32_t)(plan->call_count +
                                  find_ref(plan, &before[in->slot & ~REF_SLOTS]));
        }
    }
    return BB_OK;
}

/* Columns of the tags of top() and bottom() come behind it. */
static void mark_picked(struct bbi_plan *plan)
{
    size_t left = 0;
    for (size_t i = 0; i < plan->output_count; i++) {
        const struct bbi_output *o = &plan->outputs[i];
        plan->outputs[i].is_picked = left > 0;
        left -= left > 0;
        if (o->direct && o->slot < plan->call_count) {
            left = plan->calls[o->slot].tag_count;
        }
    }
}

static int compile_outputs(struct bbi_plan *plan, struct bb_error *err)
{
    struct collector c = {.plan = plan};
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < plan->output_count; i++) {
        rc = bbi_program_compile(plan->ctx, plan->fields[i].expr, leaf_slot, &c,
                                 &plan->outputs[i].program, err);
        plan->outputs[i].program.in_column = true;
        plan->outputs[i].program.null_is_false = true;
    }
    if (rc == BB_OK) {
        rc = settle_slots(plan, err);
    }
    for (size_t i = 0; rc == BB_OK && i < plan->output_count; i++) {
        struct bbi_output *o = &plan->outputs[i];
        o->direct = o->program.count == 1 && o->program.code[0].code == BBI_PUSH_SLOT;
        o->slot = o->direct ? o->program.code[0].slot : 0;
        plan->depth = o->program.depth > plan->depth ? o->program.depth : plan->depth;
    }
    mark_picked(plan);
    return rc;
}

/* Functions whose result is a row: that row's time counts, and other columns are its. */
static bool picks_rows(const struct bbi_call *call)
{
    switch (call->func) {
    case BBI_FUNC_MIN:
    case BBI_FUNC_MAX:
    case BBI_FUNC_FIRST:
    case BBI_FUNC_LAST:
    case BBI_FUNC_PERCENTILE:
    case BBI_FUNC_SAMPLE:
    case BBI_FUNC_TOP:
    case BBI_FUNC_BOTTOM:
        return true;
    default:
        return false;
    }
}

/* From names to programs, once the sources are known. */
static int compile(struct bbi_plan *plan, struct bb_error *err)
{
    int rc = bbi_plan_type_condition(plan, err);
    if (rc == BB_OK) {
        rc = bbi_plan_expand(plan, err);
    }
    if (rc == BB_OK) {
        rc = name_columns(plan, err);
    }
    if (rc == BB_OK) {
        rc = compile_outputs(plan, err);
    }
    if (rc == BB_OK) {
        rc = bbi_plan_types(plan, err);
    }
    plan->is_selector = plan->call_count == 1 && plan->calls[0].inner == NULL &&
                        picks_rows(&plan->calls[0]);
    for (size_t i = 0; i < plan->ref_count; i++) {
        plan->tie_count += !plan->refs[i].is_key;
    }
    return rc == BB_OK ? bbi_plan_order(plan, err) : rc;
}

bool bbi_plan_begins(const struct bbi_plan *plan)
{
    bool known = false;
    for (size_t i = 0; i < plan->call_count; i++) {
        known = known || plan->calls[i].type != BBI_QL_TYPE_UNKNOWN;
    }
    for (size_t i = 0; plan->call_count == 0 && i < plan->ref_count; i++) {
        const struct bbi_ref *ref = &plan->refs[i];
        bool plain = ref->cast == BBI_QL_TYPE_UNKNOWN || ref->cast == BBI_QL_TYPE_FIELD;
        bool no_field = ref->cast == BBI_QL_TYPE_FIELD && ref->type == BBI_QL_TYPE_TAG;
        known = known || (ref->type != BBI_QL_TYPE_UNKNOWN && !no_field) || !plain;
    }
    return known;
}

static bool counts_intervals(const struct bbi_plan *plan)
{
    return plan->ctx->env->buckets_max != 0 && plan->buckets.width_ns != 0 &&
           !plan->select->is_raw && plan->when.tmax > plan->when.tmin;
}

/* As InfluxDB: without a lower bound of time the last intervals are looked at, as many as there may
 * be. */
static void bound_intervals(struct bbi_plan *plan)
{
    const struct bbi_buckets *b = &plan->buckets;
    uint64_t limit = plan->ctx->env->buckets_max;
    if (!counts_intervals(plan) || plan->when.has_tmin) {
        return;
    }
    int64_t last = bbi_bucket_of(b, plan->when.tmax - 1);
    int64_t start = limit > INT32_MAX ? BBI_TIME_MIN
                                      : bbi_bucket_start(b, last - (int64_t)limit + 1);
    plan->when.tmin = start > plan->when.tmin ? start : plan->when.tmin;
}

/* Subqueries count as well, each for itself; the words are InfluxDB's. */
static int limit_intervals(const struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_buckets *b = &plan->buckets;
    uint64_t limit = plan->ctx->env->buckets_max;
    if (counts_intervals(plan) && plan->when.has_tmin) {
        __int128 count = (__int128)bbi_bucket_of(b, plan->when.tmax - 1) -
                         bbi_bucket_of(b, plan->when.tmin) + 1;
        if (count > limit) {
            return bbi_error_set(err, BB_ELIMIT, "max-select-buckets limit exceeded: (%llu/%llu)",
                                 (unsigned long long)count, (unsigned long long)limit);
        }
    }
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < plan->sub_count; i++) {
        rc = limit_intervals(plan->subs[i], err);
    }
    return rc;
}

int bbi_plan_check_all(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                       const struct bbi_plan *parent, struct bbi_plan *out, struct bb_error *err)
{
    memset(out, 0, sizeof(*out));
    out->ctx = ctx;
    out->select = select;
    out->parent = parent;
    out->limit = (uint64_t)select->limit;
    out->offset = (uint64_t)select->offset;
    out->slimit = (uint64_t)select->slimit;
    out->soffset = (uint64_t)select->soffset;
    int rc = bbi_plan_check(out, err);
    if (rc == BB_OK) {
        bbi_plan_inherit(out);
    }
    if (rc == BB_OK) {
        bound_intervals(out);
    }
    if (rc == BB_OK && select->lookback_ns != 0 && out->descending) {
        rc = bbi_error_set(err, BB_EINVAL, "lookback() cannot be combined with ORDER BY time DESC");
    }
    return rc == BB_OK ? bbi_plan_check_subqueries(out, err) : rc;
}

/* Against what is stored: the sources of a SELECT first, then its subqueries. */
static int resolve(struct bbi_plan *plan, struct bb_error *err)
{
    const struct bbi_ql_select *select = plan->select;
    int rc = bbi_sources_resolve(plan->ctx, select->sources, select->source_count, &plan->from,
                                 err);
    for (size_t i = 0; rc == BB_OK && i < plan->sub_count; i++) {
        rc = resolve(plan->subs[i], err);
    }
    return rc == BB_OK ? compile(plan, err) : rc;
}

static void set_reach(struct bbi_plan *plan)
{
    struct bbi_ql_condition *r = &plan->reach;
    __int128 more = (__int128)plan->intervals_back * plan->buckets.width_ns;
    *r = plan->when;
    if (plan->descending) {
        r->tmax = r->tmax > BBI_TIME_MAX - more ? BBI_TIME_MAX : (int64_t)(r->tmax + more);
    } else {
        r->tmin = r->tmin < BBI_TIME_MIN + more ? BBI_TIME_MIN : (int64_t)(r->tmin - more);
    }
}

int bbi_plan_build(struct bbi_qctx *ctx, const struct bbi_ql_select *select, struct bbi_plan *out,
                   struct bb_error *err)
{
    int rc = bbi_plan_check_all(ctx, select, NULL, out, err);
    set_reach(out);
    rc = rc == BB_OK ? resolve(out, err) : rc;
    return rc == BB_OK ? limit_intervals(out, err) : rc;
}
