#include "engine/query/bind.h"

#include <stdlib.h>
#include <string.h>

#include "engine/query/emit.h"
#include "engine/query/plan_internal.h"
#include "engine/query/shards.h"
#include "engine/query/tagcond.h"

/* ---- fields ---- */

struct field {
    uint32_t id;
    uint8_t type;
};

struct field_set {
    struct field *list;
    size_t count;
    size_t cap;
};

static int add_field(struct bbi_qctx *ctx, struct field_set *s, uint32_t id, enum bbi_type type,
                     struct bb_error *err)
{
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 8 : s->cap * 2;
        struct field *list;
        int rc = bbi_qctx_array(ctx, cap, sizeof(list[0]), &list, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (s->count != 0) {
            memcpy(list, s->list, s->count * sizeof(list[0]));
        }
        s->list = list;
        s->cap = cap;
    }
    s->list[s->count++] = (struct field){id, (uint8_t)type};
    return BB_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct field *x = a;
    const struct field *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int settle_fields(struct bbi_qctx *ctx, struct field_set *s, struct bbi_field_list *out,
                         struct bb_error *err)
{
    int rc = bbi_qctx_array(ctx, s->count, sizeof(out->ids[0]), &out->ids, err);
    if (rc == BB_OK) {
        rc = bbi_qctx_array(ctx, s->count, sizeof(out->types[0]), &out->types, err);
    }
    out->count = 0;
    if (rc != BB_OK || s->count == 0) {
        return rc;
    }
    qsort(s->list, s->count, sizeof(s->list[0]), by_id);
    for (size_t i = 0; i < s->count; i++) {
        if (out->count == 0 || out->ids[out->count - 1] != s->list[i].id) {
            out->ids[out->count] = s->list[i].id;
            out->types[out->count++] = s->list[i].type;
        }
    }
    return BB_OK;
}

size_t bbi_field_list_find(const struct bbi_field_list *list, uint32_t field_id)
{
    size_t i = bbi_series_find(list->ids, 0, list->count, field_id);
    return i < list->count && list->ids[i] == field_id ? i : SIZE_MAX;
}

/* ---- names ---- */

struct binder {
    struct bbi_binding *b;
    struct bbi_qctx *ctx;
    struct field_set fields;     /* of the scan */
    struct field_set ref_fields; /* of the plan's names */
    uint32_t *call_ids;          /* [call_count] 0: none */
    uint32_t *ref_ids;           /* [ref_count] 0: none */
    size_t tag_cap;
    struct bbi_tagcond cond;
    uint32_t *slot_ids; /* of the filter's slots that are fields */
    size_t slot_cap;
};

static int find_field(struct binder *x, const char *name, bool *found, uint32_t *id,
                      enum bbi_type *type, struct bb_error *err)
{
    const struct bbi_measurement *m = x->b->measurement;
    int rc = bbi_catalog_field_find(x->ctx->env->catalog, m->db_id, m->id, (const uint8_t *)name,
                                    strlen(name), id, type, err);
    *found = rc == BB_OK;
    return rc == BB_ENOTFOUND ? BB_OK : rc;
}

static int add_tag(struct binder *x, const char *key, size_t *index, struct bb_error *err)
{
    struct bbi_binding *b = x->b;
    for (size_t i = 0; i < b->tag_count; i++) {
        if (strcmp(b->tags[i], key) == 0) {
            *index = i;
            return BB_OK;
        }
    }
    if (b->tag_count == x->tag_cap) {
        size_t cap = x->tag_cap == 0 ? 8 : x->tag_cap * 2;
        const char **tags;
        int rc = bbi_qctx_array(x->ctx, cap, sizeof(tags[0]), &tags, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (b->tag_count != 0) {
            memcpy(tags, b->tags, b->tag_count * sizeof(tags[0]));
        }
        b->tags = tags;
        x->tag_cap = cap;
    }
    b->tags[b->tag_count] = key;
    *index = b->tag_count++;
    return BB_OK;
}

/* Numbers can be cast to each other, anything else to itself alone. */
static bool can_cast(enum bbi_type type, enum bbi_ql_type cast)
{
    bool number = type == BBI_FLOAT || type == BBI_INT || type == BBI_UINT;
    switch (cast) {
    case BBI_QL_TYPE_FLOAT:
    case BBI_QL_TYPE_INTEGER:
    case BBI_QL_TYPE_UNSIGNED:
        return number;
    case BBI_QL_TYPE_UNKNOWN:
    case BBI_QL_TYPE_FIELD:
        return true;
    default:
        return bbi_ql_type_of(type) == cast;
    }
}

/* A field that has other types in other measurements is of the type that the plan chose, or has no
 * value of this one. */
static enum bbi_ql_type field_cast(enum bbi_ql_type cast, enum bbi_ql_type type)
{
    bool plain = cast == BBI_QL_TYPE_UNKNOWN || cast == BBI_QL_TYPE_FIELD;
    return plain && type != BBI_QL_TYPE_TAG ? type : cast;
}

static int bind_call(struct binder *x, size_t i, struct bb_error *err)
{
    const struct bbi_call *call = &x->b->plan->calls[i];
    uint32_t id;
    enum bbi_type type = BBI_FLOAT;
    enum bbi_ql_type result;
    bool found;
    int rc = call->cast == BBI_QL_TYPE_TAG ? BB_OK
                                           : find_field(x, call->field, &found, &id, &type, err);
    /* A field that the plan does not know has no rows here. */
    if (rc != BB_OK || call->cast == BBI_QL_TYPE_TAG || !found ||
        call->input == BBI_QL_TYPE_UNKNOWN ||
        !can_cast(type, field_cast(call->cast, call->input))) {
        return rc;
    }
    if (!bbi_func_type(call->func, bbi_ql_type_of(type), &result)) {
        struct bbi_call as_here = *call;
        as_here.input = bbi_ql_type_of(type);
        return bbi_plan_refuse_type(&as_here, err);
    }
    x->call_ids[i] = id;
    return add_field(x->ctx, &x->fields, id, type, err);
}

static int bind_ref(struct binder *x, size_t i, struct bb_error *err)
{
    const struct bbi_ref *ref = &x->b->plan->refs[i];
    struct bbi_ref_source *source = &x->b->refs[i];
    const struct bbi_measurement *m = x->b->measurement;
    uint32_t id;
    enum bbi_type type;
    bool found = false;
    int rc = BB_OK;
    if (ref->cast != BBI_QL_TYPE_TAG) {
        rc = find_field(x, ref->name, &found, &id, &type, err);
    }
    if (rc == BB_OK && found) {
        enum bbi_ql_type cast = field_cast(ref->cast, ref->type);
        if (!can_cast(type, cast)) {
            return BB_OK;
        }
        source->kind = BBI_REF_FIELD;
        source->cast = cast == BBI_QL_TYPE_FIELD || cast == bbi_ql_type_of(type)
                           ? BBI_QL_TYPE_UNKNOWN
                           : cast;
        x->ref_ids[i] = id;
        return add_field(x->ctx, &x->ref_fields, id, type, err);
    }
    bool may_be_tag = ref->type == BBI_QL_TYPE_TAG || ref->type == BBI_QL_TYPE_UNKNOWN;
    if (rc == BB_OK && may_be_tag &&
        (ref->cast == BBI_QL_TYPE_UNKNOWN || ref->cast == BBI_QL_TYPE_TAG)) {
        rc = bbi_catalog_tag_key_exists(x->ctx->env->catalog, m->db_id, m->id,
                                        (const uint8_t *)ref->name, strlen(ref->name), &found, err);
        if (rc == BB_OK && found) {
            source->kind = BBI_REF_TAG;
            rc = add_tag(x, ref->name, &source->index, err);
        }
    }
    return rc;
}

static int bind_names(struct binder *x, struct bb_error *err)
{
    const struct bbi_plan *plan = x->b->plan;
    int rc = bbi_qctx_array(x->ctx, plan->call_count, sizeof(x->call_ids[0]), &x->call_ids, err);
    if (rc == BB_OK) {
        rc = bbi_qctx_array(x->ctx, plan->call_count, sizeof(x->b->call_fields[0]),
                            &x->b->call_fields, err);
    }
    if (rc == BB_OK) {
        rc = bbi_qctx_array(x->ctx, plan->ref_count, sizeof(x->ref_ids[0]), &x->ref_ids, err);
    }
    if (rc == BB_OK) {
        rc = bbi_qctx_array(x->ctx, plan->ref_count, sizeof(x->b->refs[0]), &x->b->refs, err);
    }
    for (size_t i = 0; rc == BB_OK && i < plan->call_count; i++) {
        rc = bind_call(x, i, err);
    }
    for (size_t i = 0; rc == BB_OK && i < plan->ref_count; i++) {
        rc = bind_ref(x, i, err);
    }
    /* Without calls the names are what is scanned, else their rows are looked up afterwards. */
    for (size_t i = 0; rc == BB_OK && plan->call_count == 0 && i < x->ref_fields.count; i++) {
        rc = add_field(x->ctx, &x->fields, x->ref_fields.list[i].id, x->ref_fields.list[i].type,
                       err);
    }
    x->b->is_empty = x->fields.count == 0;
    return rc;
}

/* ---- the filter ---- */

static int new_slot(struct binder *x, uint32_t id, struct bbi_filter_slot slot, uint32_t *out,
                    struct bb_error *err)
{
    struct bbi_filter *f = &x->b->filter;
    if (f->slot_count == x->slot_cap) {
        size_t cap = x->slot_cap == 0 ? 8 : x->slot_cap * 2;
        struct bbi_filter_slot *slots;
        uint32_t *ids;
        int rc = bbi_qctx_array(x->ctx, cap, sizeof(slots[0]), &slots, err);
        if (rc == BB_OK) {
            rc = bbi_qctx_array(x->ctx, cap, sizeof(ids[0]), &ids, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        if (f->slot_count != 0) {
            memcpy(slots, f->slots, f->slot_count * sizeof(slots[0]));
            memcpy(ids, x->slot_ids, f->slot_count * sizeof(ids[0]));
        }
        f->slots = slots;
        x->slot_ids = ids;
        x->slot_cap = cap;
    }
    x->slot_ids[f->slot_count] = id;
    f->slots[f->slot_count] = slot;
    *out = (uint32_t)f->slot_count++;
    return BB_OK;
}

/* What is no field is a tag, present or not. */
static int filter_leaf(void *arg, const struct bbi_ql_expr *leaf, uint32_t *slot,
                       struct bb_error *err)
{
    struct binder *x = arg;
    struct bbi_filter_slot s = {.cast = BBI_QL_TYPE_UNKNOWN};
    uint32_t id = 0;
    enum bbi_type type;
    bool found = false;
    if (leaf->kind == BBI_QL_DISTINCT) {
        *slot = BBI_PROGRAM_NOTHING;
        return BB_OK;
    }
    if (leaf->kind != BBI_QL_VAR) {
        return bbi_error_set(err, BB_EUNSUPPORTED, "a call in a condition is not supported");
    }
    enum bbi_ql_type cast = leaf->u.var.type;
    int rc = BB_OK;
    if (cast != BBI_QL_TYPE_TAG) {
        rc = find_field(x, leaf->u.var.name, &found, &id, &type, err);
    }
    if (rc == BB_OK && found) {
        s.missing = !can_cast(type, cast);
        s.cast = cast == BBI_QL_TYPE_FIELD || cast == bbi_ql_type_of(type) ? BBI_QL_TYPE_UNKNOWN
                                                                           : cast;
        rc = add_field(x->ctx, &x->fields, id, type, err);
    } else if (rc == BB_OK && (cast == BBI_QL_TYPE_UNKNOWN || cast == BBI_QL_TYPE_TAG)) {
        s.is_tag = true;
        rc = add_tag(x, leaf->u.var.name, &s.index, err);
    } else {
        s.missing = true;
    }
    return rc == BB_OK ? new_slot(x, id, s, slot, err) : rc;
}

static int join_rest(struct binder *x, struct bbi_ql_expr **out, struct bb_error *err)
{
    *out = x->cond.rest[0];
    for (size_t i = 1; i < x->cond.rest_count; i++) {
        struct bbi_ql_expr *both;
        int rc = bbi_qctx_array(x->ctx, 1, sizeof(*both), &both, err);
        if (rc != BB_OK) {
            return rc;
        }
        both->kind = BBI_QL_BINARY;
        both->u.binary.op = BBI_QL_AND;
        both->u.binary.lhs = *out;
        both->u.binary.rhs = x->cond.rest[i];
        *out = both;
    }
    return BB_OK;
}

static enum bbi_ql_op mirrored(enum bbi_ql_op op)
{
    switch (op) {
    case BBI_QL_LT:
        return BBI_QL_GT;
    case BBI_QL_LTE:
        return BBI_QL_GTE;
    case BBI_QL_GT:
        return BBI_QL_LT;
    case BBI_QL_GTE:
        return BBI_QL_LTE;
    default:
        return op;
    }
}

static bool number_of(const struct bbi_ql_expr *expr, struct bb_value *out)
{
    if (expr->kind == BBI_QL_NUMBER) {
        *out = bbi_value_float(expr->u.number);
    } else if (expr->kind == BBI_QL_INTEGER) {
        *out = bbi_value_int(expr->u.integer);
    } else if (expr->kind == BBI_QL_UNSIGNED) {
        *out = bbi_value_uint(expr->u.unsigned_integer);
    } else {
        return false;
    }
    return true;
}

/* Whether a condition is a numeric field against a number. Its fields are settled. */
static int as_test(struct binder *x, const struct bbi_ql_expr *expr, struct bbi_filter_test *test,
                   bool *is_test, struct bb_error *err)
{
    *is_test = false;
    if (expr->kind != BBI_QL_BINARY) {
        return BB_OK;
    }
    enum bbi_ql_op op = expr->u.binary.op;
    const struct bbi_ql_expr *var = expr->u.binary.lhs;
    const struct bbi_ql_expr *number = expr->u.binary.rhs;
    if (var->kind != BBI_QL_VAR) {
        var = expr->u.binary.rhs;
        number = expr->u.binary.lhs;
        op = mirrored(op);
    }
    bool compares = op == BBI_QL_EQ || op == BBI_QL_NEQ || (op >= BBI_QL_LT && op <= BBI_QL_GTE);
    if (!compares || var->kind != BBI_QL_VAR || var->u.var.type != BBI_QL_TYPE_UNKNOWN ||
        !number_of(number, &test->constant)) {
        return BB_OK;
    }
    uint32_t id;
    enum bbi_type type;
    bool found;
    int rc = find_field(x, var->u.var.name, &found, &id, &type, err);
    if (rc != BB_OK || !found || type == BBI_BOOL || type == BBI_STRING) {
        return rc;
    }
    test->op = (uint8_t)op;
    test->field = bbi_field_list_find(&x->b->fields, id);
    *is_test = true;
    return BB_OK;
}

static bool pushes_tag(const struct bbi_filter *f, const struct bbi_instruction *in)
{
    return in->code == BBI_PUSH_SLOT && f->slots[in->slot].is_tag;
}

/* A name is compared with a name as InfluxDB's index does it, and its shards. */
static void mark_names(struct bbi_filter *f)
{
    struct bbi_instruction *code = f->program.code;
    for (size_t i = 2; i < f->program.count; i++) {
        struct bbi_instruction *in = &code[i];
        if (in->code == BBI_APPLY && in->op >= BBI_QL_EQ && in->op <= BBI_QL_GTE &&
            code[i - 1].code == BBI_PUSH_SLOT && code[i - 2].code == BBI_PUSH_SLOT) {
            in->tags = (uint8_t)(pushes_tag(f, &code[i - 2]) + 2 * pushes_tag(f, &code[i - 1]));
            in->code = in->tags == 0 ? BBI_APPLY : BBI_NAMES;
        }
    }
}

static int compile_filter(struct binder *x, struct bb_error *err)
{
    struct bbi_ql_expr *all;
    if (x->cond.rest_count == 0) {
        return BB_OK;
    }
    x->b->has_filter = true;
    int rc = join_rest(x, &all, err);
    rc = rc == BB_OK ? bbi_program_compile(x->ctx, all, filter_leaf, x, &x->b->filter.program, err)
                     : rc;
    if (rc == BB_OK) {
        mark_names(&x->b->filter);
    }
    return rc;
}

static int settle_filter(struct binder *x, struct bb_error *err)
{
    struct bbi_filter *f = &x->b->filter;
    if (!x->b->has_filter) {
        return BB_OK;
    }
    for (size_t i = 0; i < f->slot_count; i++) {
        if (!f->slots[i].is_tag && !f->slots[i].missing) {
            f->slots[i].index = bbi_field_list_find(&x->b->fields, x->slot_ids[i]);
        }
    }
    int rc = bbi_qctx_array(x->ctx, x->cond.rest_count, sizeof(f->tests[0]), &f->tests, err);
    for (size_t i = 0; rc == BB_OK && i < x->cond.rest_count; i++) {
        bool is_test;
        rc = as_test(x, x->cond.rest[i], &f->tests[f->test_count], &is_test, err);
        f->test_count += rc == BB_OK && is_test;
    }
    f->is_tests = f->test_count == x->cond.rest_count;
    return rc;
}

/* ---- all of it ---- */

static int settle_names(struct binder *x, struct bb_error *err)
{
    struct bbi_binding *b = x->b;
    int rc = settle_fields(x->ctx, &x->fields, &b->fields, err);
    if (rc == BB_OK) {
        rc = settle_fields(x->ctx, &x->ref_fields, &b->ref_fields, err);
    }
    for (size_t i = 0; rc == BB_OK && i < b->plan->call_count; i++) {
        b->call_fields[i] = x->call_ids[i] == 0 ? SIZE_MAX
                                                : bbi_field_list_find(&b->fields, x->call_ids[i]);
    }
    for (size_t i = 0; rc == BB_OK && i < b->plan->ref_count; i++) {
        if (b->refs[i].kind == BBI_REF_FIELD) {
            b->refs[i].index = bbi_field_list_find(&b->ref_fields, x->ref_ids[i]);
        }
    }
    return rc;
}

/* SLIMIT and SOFFSET count groups whatever the order of time; an offset without a
 * limit leaves nothing, as in InfluxDB. */
static int slice_groups(struct bbi_binding *b, struct bb_error *err)
{
    size_t count = b->series.groups.count;
    size_t first = (size_t)b->plan->soffset;
    size_t limit = (size_t)b->plan->slimit;
    if (limit == 0 && first == 0) {
        return BB_OK;
    }
    if (first > count) {
        first = count;
    }
    limit = limit < count - first ? limit : count - first;
    return bbi_series_set_slice(&b->series, b->plan->ctx, first, limit, err);
}

/* ---- the order of groups ---- */

static int compare_groups(const struct bbi_binding *b, size_t x, size_t y)
{
    const struct bbi_plan *plan = b->plan;
    int c = 0;
    for (size_t i = 0; c == 0 && i < plan->order_count; i++) {
        size_t dim = plan->order[i];
        c = strcmp(b->series.groups.list[x][dim], b->series.groups.list[y][dim]);
    }
    return c;
}

struct ranked {
    uint32_t group;
    const struct bbi_binding *b;
};

static int by_rank(const void *x, const void *y)
{
    const struct ranked *a = x;
    const struct ranked *c = y;
    return compare_groups(a->b, a->group, c->group);
}

static int order_groups(struct bbi_binding *b, struct bb_error *err)
{
    struct bbi_qctx *ctx = b->plan->ctx;
    size_t count = b->series.groups.count;
    struct ranked *list;
    b->order_count = count;
    if (!bbi_plan_interleaves(b->plan) || count == 0) {
        return BB_OK;
    }
    int rc = bbi_qctx_array(ctx, count, sizeof(b->order_of[0]), &b->order_of, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, count, sizeof(list[0]), &list, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct ranked){(uint32_t)i, b};
    }
    qsort(list, count, sizeof(list[0]), by_rank);
    uint32_t place = 0;
    for (size_t i = 0; i < count; i++) {
        place += i > 0 && compare_groups(b, list[i - 1].group, list[i].group) != 0;
        b->order_of[list[i].group] = place;
    }
    b->order_count = (size_t)place + 1;
    return BB_OK;
}

static int find_others(struct bbi_binding *b, bool unconditional, struct bb_error *err)
{
    const struct bbi_measurement *m = b->measurement;
    roaring_bitmap_t *all;
    b->scan.complete = unconditional && b->plan->slimit == 0 && b->plan->soffset == 0;
    if (b->scan.complete) {
        return BB_OK;
    }
    int rc = bbi_catalog_select(b->plan->ctx->env->catalog, m->db_id, m->id, NULL, &all, err);
    if (rc == BB_OK) {
        roaring_bitmap_andnot_inplace(all, b->series.bitmap);
        b->others = all;
        b->scan.others = all;
    }
    return rc;
}

/* InfluxDB stops counting at the first series too many, before SLIMIT. */
static int check_series_count(const struct bbi_binding *b, const roaring_bitmap_t *series,
                              struct bb_error *err)
{
    uint64_t limit = b->plan->ctx->env->series_max;
    if (limit == 0 || roaring_bitmap_get_cardinality(series) <= limit) {
        return BB_OK;
    }
    return bbi_error_set(err, BB_ELIMIT, "max-select-series limit exceeded: (%llu/%llu)",
                         (unsigned long long)limit + 1, (unsigned long long)limit);
}

/* SLIMIT counts series that have rows in the shards that the outermost query's times touch. */
static int keep_present(const struct bbi_binding *b, roaring_bitmap_t *bitmap, struct bb_error *err)
{
    const struct bbi_plan *root = b->plan;
    bool all = b->plan->slimit == 0 && b->plan->soffset == 0;
    while (root->parent != NULL) {
        root = root->parent;
    }
    int rc = all ? BB_OK
                 : bbi_shards_are_all(root->ctx, b->measurement->db_id, &root->reach, &all, err);
    return rc != BB_OK || all
               ? rc
               : bbi_shards_keep(root->ctx, b->measurement, &root->reach, bitmap, err);
}

static int bind_series(struct binder *x, struct bb_error *err)
{
    struct bbi_binding *b = x->b;
    const struct bbi_plan *plan = b->plan;
    const struct bbi_measurement *m = b->measurement;
    roaring_bitmap_t *bitmap;
    int rc = bbi_tagcond_select(x->ctx, m->db_id, m->id, &x->cond, &bitmap, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = check_series_count(b, bitmap, err);
    rc = rc == BB_OK ? keep_present(b, bitmap, err) : rc;
    if (rc != BB_OK) {
        roaring_bitmap_free(bitmap);
    } else {
        rc = bbi_series_set_build(&b->series, x->ctx, m->db_id, bitmap, plan->dims, plan->dim_count,
                                  b->tags, b->tag_count, err);
    }
    if (rc == BB_OK) {
        rc = slice_groups(b, err);
    }
    if (rc == BB_OK) {
        rc = order_groups(b, err);
    }
    x->ctx->stats.series_selected += rc == BB_OK ? b->series.count : 0;
    return rc == BB_OK ? find_others(b, x->cond.pred == NULL && !x->cond.never, err) : rc;
}

static int prepare_scan(struct bbi_binding *b, struct bb_error *err)
{
    struct bbi_qscan *scan = &b->scan;
    scan->ctx = b->plan->ctx;
    scan->db_id = b->measurement->db_id;
    scan->rp_id = b->measurement->rp.id;
    scan->measurement_id = b->measurement->id;
    scan->fields = b->fields.ids;
    scan->field_count = b->fields.count;
    scan->tmin = b->plan->when.tmin;
    scan->tmax = b->plan->when.tmax;
    scan->series = b->series.ids;
    scan->series_count = b->series.count;
    return bbi_qscan_prepare(scan, err);
}

int bbi_binding_build(const struct bbi_plan *plan, const struct bbi_measurement *measurement,
                      struct bbi_binding *out, struct bb_error *err)
{
    struct binder x = {.b = out, .ctx = plan->ctx};
    memset(out, 0, sizeof(*out));
    out->plan = plan;
    out->measurement = measurement;
    int rc = bind_names(&x, err);
    if (rc != BB_OK || out->is_empty) {
        return rc;
    }
    rc = bbi_tagcond_split(x.ctx, measurement->db_id, measurement->id, plan->when.rest,
                           BBI_FIELDS_KEEP, &x.cond, err);
    if (rc == BB_OK) {
        rc = compile_filter(&x, err);
    }
    if (rc == BB_OK) {
        rc = settle_names(&x, err);
    }
    if (rc == BB_OK) {
        rc = settle_filter(&x, err);
    }
    if (rc == BB_OK) {
        rc = bind_series(&x, err);
    }
    return rc == BB_OK ? prepare_scan(out, err) : rc;
}

void bbi_binding_fini(struct bbi_binding *b)
{
    if (b->scan.ctx != NULL) {
        bbi_qscan_fini(&b->scan);
    }
    if (b->others != NULL) {
        roaring_bitmap_free(b->others);
        b->others = NULL;
    }
    bbi_series_set_fini(&b->series);
}
