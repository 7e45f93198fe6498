#include "engine/query/filter.h"

#include <string.h>

#include "engine/query/emit.h"

int bbi_filter_scratch_init(struct bbi_filter_scratch *s, const struct bbi_filter *filter,
                            struct bbi_account *acct, struct bb_error *err)
{
    memset(s, 0, sizeof(*s));
    s->acct = acct;
    s->slots = bbi_mem_zalloc(acct, filter->slot_count, sizeof(s->slots[0]));
    s->stack = bbi_mem_zalloc(acct, filter->program.depth, sizeof(s->stack[0]));
    if (s->slots == NULL || s->stack == NULL) {
        return bbi_error_nomem(err, "filter");
    }
    return BB_OK;
}

void bbi_filter_scratch_fini(struct bbi_filter_scratch *s)
{
    bbi_mem_free(s->slots);
    bbi_mem_free(s->stack);
    bbi_mem_free(s->mask);
    memset(s, 0, sizeof(*s));
}

static int reserve_mask(struct bbi_filter_scratch *s, size_t rows, struct bb_error *err)
{
    size_t words = BBI_BITMAP_WORDS(rows);
    if (words > s->mask_words) {
        uint64_t *mask = bbi_mem_realloc(s->acct, s->mask, words * sizeof(mask[0]));
        if (mask == NULL) {
            return bbi_error_nomem(err, "filter");
        }
        s->mask = mask;
        s->mask_words = words;
    }
    return BB_OK;
}

/* ---- over vectors ---- */

#define TEST_LOOP(condition)                                        \
    for (size_t i = 0; i < n; i++) {                                \
        out[i / 64] |= (uint64_t)((condition) ? 1 : 0) << (i % 64); \
    }                                                               \
    break

#define TEST_SWITCH(value, c)      \
    switch (op) {                  \
    case BBI_QL_EQ:                \
        TEST_LOOP((value) == (c)); \
    case BBI_QL_NEQ:               \
        TEST_LOOP((value) != (c)); \
    case BBI_QL_LT:                \
        TEST_LOOP((value) < (c));  \
    case BBI_QL_LTE:               \
        TEST_LOOP((value) <= (c)); \
    case BBI_QL_GT:                \
        TEST_LOOP((value) > (c));  \
    case BBI_QL_GTE:               \
        TEST_LOOP((value) >= (c)); \
    default:                       \
        break;                     \
    }

static double as_double(uint64_t bits)
{
    double f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

static void test_floats(enum bbi_ql_op op, const uint64_t *bits, size_t n, double c, uint64_t *out)
{
    TEST_SWITCH(as_double(bits[i]), c)
}

static void test_ints(enum bbi_ql_op op, const uint64_t *bits, size_t n, int64_t c, uint64_t *out)
{
    TEST_SWITCH((int64_t)bits[i], c)
}

/* Types that the loops above do not cover, such as an integer field against a float. */
static void test_values(enum bbi_ql_op op, const struct bbi_vector *v, size_t n,
                        const struct bb_value *constant, uint64_t *out)
{
    for (size_t i = 0; i < n; i++) {
        struct bb_value value = bbi_value_of_bits(v->type, v->bits[i]);
        struct bb_value result = bbi_program_apply(op, value, *constant);
        out[i / 64] |= (uint64_t)(result.kind == BB_VALUE_BOOL && result.v.b) << (i % 64);
    }
}

static bool constant_as_double(const struct bb_value *c, double *out)
{
    if (c->kind == BB_VALUE_FLOAT) {
        *out = c->v.f;
    } else if (c->kind == BB_VALUE_INT) {
        *out = (double)c->v.i;
    } else {
        return false;
    }
    return true;
}

/* mask &= rows that pass one test. */
static void apply_test(const struct bbi_filter_test *test, const struct bbi_rows *rows,
                       uint64_t *mask)
{
    const struct bbi_vector *v = &rows->vectors[test->field];
    uint64_t pass[BBI_BITMAP_WORDS(BBI_SEGMENT_CHUNK_ROWS)];
    double f;
    for (size_t from = 0; from < rows->count; from += BBI_SEGMENT_CHUNK_ROWS) {
        size_t n = rows->count - from;
        n = n < BBI_SEGMENT_CHUNK_ROWS ? n : BBI_SEGMENT_CHUNK_ROWS;
        memset(pass, 0, sizeof(pass));
        struct bbi_vector part = *v;
        if (v->present) {
            part.bits += from;
            if (v->type == BBI_FLOAT && constant_as_double(&test->constant, &f)) {
                test_floats(test->op, part.bits, n, f, pass);
            } else if (v->type == BBI_INT && test->constant.kind == BB_VALUE_INT) {
                test_ints(test->op, part.bits, n, test->constant.v.i, pass);
            } else {
                test_values(test->op, &part, n, &test->constant, pass);
            }
        }
        for (size_t w = 0; w < BBI_BITMAP_WORDS(n); w++) {
            bool all = !v->present || v->valid == NULL;
            mask[from / 64 + w] &= all ? pass[w] : pass[w] & v->valid[from / 64 + w];
        }
    }
}

_Static_assert(BBI_SEGMENT_CHUNK_ROWS % 64 == 0, "parts of a bitmap begin at a word");

/* ---- row by row ---- */

static void fill_slots(const struct bbi_filter *filter, const struct bbi_rows *rows, size_t row,
                       const char *const *tags, struct bb_value *slots)
{
    for (size_t i = 0; i < filter->slot_count; i++) {
        const struct bbi_filter_slot *slot = &filter->slots[i];
        if (slot->missing) {
            slots[i] = (struct bb_value){.kind = BB_VALUE_NULL};
        } else if (slot->is_tag) {
            slots[i] = bbi_value_string(tags[slot->index], strlen(tags[slot->index]));
        } else {
            slots[i] = bbi_vector_get(&rows->vectors[slot->index], row);
            if (slot->cast != BBI_QL_TYPE_UNKNOWN) {
                slots[i] = bbi_value_cast(slots[i], slot->cast);
            }
        }
    }
}

static int run_program(const struct bbi_filter *filter, const struct bbi_rows *rows,
                       const char *const *tags, struct bbi_filter_scratch *s, struct bb_error *err)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct bb_value result;
        fill_slots(filter, rows, i, tags, s->slots);
        int rc = bbi_program_run(&filter->program, s->slots, s->stack, &result, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (result.kind != BB_VALUE_BOOL || !result.v.b) {
            s->mask[i / 64] &= ~(UINT64_C(1) << (i % 64));
        }
    }
    return BB_OK;
}

int bbi_filter_run(const struct bbi_filter *filter, const struct bbi_rows *rows,
                   const char *const *tags, struct bbi_filter_scratch *s, size_t *kept,
                   struct bb_error *err)
{
    size_t words = BBI_BITMAP_WORDS(rows->count);
    *kept = 0;
    int rc = reserve_mask(s, rows->count, err);
    if (rc != BB_OK || rows->count == 0) {
        return rc;
    }
    memset(s->mask, 0xff, words * sizeof(s->mask[0]));
    if (rows->count % 64 != 0) {
        s->mask[words - 1] = UINT64_MAX >> (64 - rows->count % 64);
    }
    if (filter->is_tests) {
        for (size_t i = 0; i < filter->test_count; i++) {
            apply_test(&filter->tests[i], rows, s->mask);
        }
    } else {
        rc = run_program(filter, rows, tags, s, err);
    }
    for (size_t i = 0; i < words; i++) {
        *kept += (size_t)__builtin_popcountll(s->mask[i]);
    }
    return rc;
}

/* ---- statistics ---- */

static bool range_may_match(enum bbi_ql_op op, struct bb_value min, struct bb_value max,
                            struct bb_value c)
{
    struct bb_value low = bbi_program_apply(BBI_QL_LTE, min, c);
    struct bb_value high = bbi_program_apply(BBI_QL_GTE, max, c);
    struct bb_value result;
    switch (op) {
    case BBI_QL_EQ:
        return low.v.b && high.v.b;
    case BBI_QL_LT:
    case BBI_QL_LTE:
        result = bbi_program_apply(op, min, c);
        return result.v.b;
    case BBI_QL_GT:
    case BBI_QL_GTE:
        result = bbi_program_apply(op, max, c);
        return result.v.b;
    default:
        return true;
    }
}

bool bbi_filter_may_match(const struct bbi_filter *filter, const struct bbi_segment_group *group,
                          const struct bbi_qscan *scan)
{
    for (size_t i = 0; i < filter->test_count; i++) {
        const struct bbi_filter_test *test = &filter->tests[i];
        size_t at = bbi_segment_find_field(group, scan->fields[test->field]);
        if (at == SIZE_MAX) {
            return false;
        }
        const struct bbi_segment_field *field = &group->fields[at];
        if ((field->stats & BBI_STATS_MINMAX) != 0 && field->type != BBI_STRING &&
            !range_may_match(test->op, bbi_value_of_bits(field->type, field->min_bits),
                             bbi_value_of_bits(field->type, field->max_bits), test->constant)) {
            return false;
        }
    }
    return true;
}
