#include "engine/query/machines.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"

static int check(void *arg, struct bb_error *err)
{
    return bbi_qctx_check(arg, err);
}

/* The result of an inner function, or what the name is. */
static enum bbi_ql_type input_of(const struct bbi_call *call)
{
    switch (call->input) {
    case BBI_QL_TYPE_UNKNOWN:
        return BBI_QL_TYPE_FLOAT;
    case BBI_QL_TYPE_TAG:
        return BBI_QL_TYPE_STRING;
    default:
        return call->input;
    }
}

int bbi_machines_init(struct bbi_machines *m, const struct bbi_flow *flow,
                      const struct bbi_call *call, struct bb_error *err)
{
    const struct bbi_plan *plan = flow->plan;
    struct bbi_fn_spec *spec = &m->spec;
    memset(m, 0, sizeof(*m));
    m->plan = plan;
    m->call = call;
    spec->buckets = plan->buckets;
    bbi_fn_spec_read(spec, call->expr);
    spec->input = input_of(call);
    spec->descending = plan->descending;
    spec->start_ns = flow->tmin == BBI_TIME_MIN ? 0 : flow->tmin;
    spec->seed = (uint64_t)plan->ctx->now_ns;
    spec->tag_count = call->tag_count;
    spec->aux_count = call->tag_count + plan->ref_count;
    spec->acct = &plan->ctx->acct;
    spec->check = check;
    spec->check_arg = plan->ctx;
    return bbi_qctx_array(plan->ctx, spec->aux_count, sizeof(m->aux[0]), &m->aux, err);
}

void bbi_machines_fini(struct bbi_machines *m)
{
    for (size_t i = 0; i < m->made; i++) {
        bbi_fn_close(&m->list[i].fn);
    }
    bbi_mem_free(m->list);
    bbi_mem_free(m->slots);
    m->list = NULL;
    m->slots = NULL;
    m->made = 0;
}

/* ---- finding ---- */

static uint64_t hash_of(const struct bbi_plan *plan, const struct bbi_group *group)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < plan->dim_count; i++) {
        const char *tag = bbi_group_tag(group, i);
        hash = hash * UINT64_C(0x9e3779b97f4a7c15) + bbi_hash64(tag, strlen(tag));
    }
    return hash ^ hash >> 32;
}

static uint32_t *slot_of(const struct bbi_machines *m, const struct bbi_group *group)
{
    size_t at = hash_of(m->plan, group) & (m->slot_count - 1);
    while (m->slots[at] != 0 && !bbi_group_same(m->plan, &m->list[m->slots[at] - 1].group, group)) {
        at = (at + 1) & (m->slot_count - 1);
    }
    return &m->slots[at];
}

static int grow(struct bbi_machines *m, struct bb_error *err)
{
    struct bbi_account *acct = m->spec.acct;
    size_t cap = m->cap == 0 ? 4 : m->cap * 2;
    struct bbi_machine *list = bbi_mem_realloc(acct, m->list, cap * sizeof(list[0]));
    if (list == NULL) {
        return bbi_error_nomem(err, "groups");
    }
    m->list = list;
    uint32_t *slots = bbi_mem_zalloc(acct, cap * 4, sizeof(slots[0]));
    if (slots == NULL) {
        return bbi_error_nomem(err, "groups");
    }
    bbi_mem_free(m->slots);
    m->slots = slots;
    m->slot_count = cap * 4;
    m->cap = cap;
    for (size_t i = 0; i < m->count; i++) {
        *slot_of(m, &m->list[i].group) = (uint32_t)i + 1;
    }
    return BB_OK;
}

static int add(struct bbi_machines *m, const struct bbi_group *group, struct bb_error *err)
{
    int rc = m->count == m->cap ? grow(m, err) : BB_OK;
    if (rc == BB_OK && m->count == m->made) {
        m->list[m->made].fn = NULL;
        rc = bbi_fn_open(&m->spec, &m->list[m->made].fn, err);
        m->made += rc == BB_OK;
    }
    if (rc == BB_OK) {
        m->list[m->count].group = *group;
        *slot_of(m, group) = (uint32_t)m->count + 1;
        m->last = m->count++;
    }
    return rc;
}

int bbi_machines_find(struct bbi_machines *m, const struct bbi_group *group,
                      struct bbi_machine **out, struct bb_error *err)
{
    int rc = BB_OK;
    if (m->count == 0 || !bbi_group_same(m->plan, &m->list[m->last].group, group)) {
        uint32_t slot = m->count == 0 ? 0 : *slot_of(m, group);
        m->last = slot - 1;
        rc = slot == 0 ? add(m, group, err) : BB_OK;
    }
    *out = rc == BB_OK ? &m->list[m->last] : NULL;
    return rc;
}

void bbi_machines_clear(struct bbi_machines *m)
{
    if (m->count > 0) {
        memset(m->slots, 0, m->slot_count * sizeof(m->slots[0]));
    }
    for (size_t i = 0; i < m->count; i++) {
        bbi_fn_reset(m->list[i].fn);
    }
    m->count = 0;
}

/* ---- points ---- */

static bool fits(const struct bb_value *v, enum bbi_ql_type type)
{
    switch (type) {
    case BBI_QL_TYPE_FLOAT:
        return v->kind == BB_VALUE_FLOAT;
    case BBI_QL_TYPE_INTEGER:
        return v->kind == BB_VALUE_INT;
    case BBI_QL_TYPE_UNSIGNED:
        return v->kind == BB_VALUE_UINT;
    case BBI_QL_TYPE_BOOLEAN:
        return v->kind == BB_VALUE_BOOL;
    default:
        return v->kind == BB_VALUE_STRING;
    }
}

int bbi_machines_push(struct bbi_machines *m, struct bbi_machine *machine,
                      const struct bbi_stream_point *point, struct bb_error *err)
{
    struct bbi_fn_point p = {.time_ns = point->time, .value = point->value, .aux = m->aux};
    if (!fits(&p.value, m->spec.input)) {
        p.value = bbi_value_cast(p.value, m->spec.input);
    }
    if (p.value.kind == BB_VALUE_NULL) {
        return BB_OK;
    }
    for (size_t i = 0; i < m->spec.aux_count; i++) {
        size_t ref = i < m->call->tag_count ? m->call->tags[i] : i - m->call->tag_count;
        m->aux[i] = point->aux == NULL ? (struct bb_value){.kind = BB_VALUE_NULL} : point->aux[ref];
    }
    return bbi_fn_push(machine->fn, &p, err);
}

void bbi_machines_result(const struct bbi_machines *m, const struct bbi_machine *machine,
                         const struct bbi_fn_point *result, struct bbi_stream_point *out)
{
    out->group = machine->group;
    out->time = result->time_ns;
    out->value = result->value;
    out->aux = result->aux == NULL ? NULL : result->aux + m->call->tag_count;
}

/* ---- order ---- */

static int by_group(const void *a, const void *b, void *plan)
{
    const struct bbi_machine *x = a;
    const struct bbi_machine *y = b;
    return bbi_group_compare(plan, &x->group, &y->group);
}

void bbi_machines_sort(struct bbi_machines *m)
{
    if (m->count > 1) {
        qsort_r(m->list, m->count, sizeof(m->list[0]), by_group,
                (void *)(uintptr_t)(const void *)m->plan);
    }
    m->last = 0;
}
