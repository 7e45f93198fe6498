/*
 * The parts of the executor that stand alone: buckets, arithmetic, mergeable states, searching.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/query/bucket.h"
#include "engine/query/emit.h"
#include "engine/query/program.h"
#include "engine/query/scan.h"
#include "engine/query/state.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

/* ---- buckets ---- */

static void test_buckets(void **state)
{
    (void)state;
    struct bbi_buckets b = {.width_ns = 10, .offset_ns = 3};
    assert_int_equal(bbi_bucket_of(&b, 3), 0);
    assert_int_equal(bbi_bucket_of(&b, 12), 0);
    assert_int_equal(bbi_bucket_of(&b, 13), 1);
    assert_int_equal(bbi_bucket_of(&b, 2), -1);
    assert_int_equal(bbi_bucket_of(&b, -7), -1);
    assert_int_equal(bbi_bucket_of(&b, -8), -2);
    assert_int_equal(bbi_bucket_start(&b, -1), -7);
    assert_int_equal(bbi_bucket_last(&b, -1), 2);
    struct bbi_buckets none = {0};
    assert_int_equal(bbi_bucket_of(&none, -5), 0);
    assert_true(bbi_bucket_last(&none, 0) == INT64_MAX);
}

static void test_buckets_at_the_ends(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 7, 1000000007, INT64_C(86400000000000), INT64_MAX};
    static const int64_t times[] = {BBI_TIME_MIN,     BBI_TIME_MIN + 1, -1, 0, 1,
                                    BBI_TIME_MAX - 1, BBI_TIME_MAX};
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        for (int sign = -1; sign <= 1; sign++) {
            struct bbi_buckets b = {.width_ns = widths[i], .offset_ns = sign * (widths[i] / 3)};
            for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
                if (widths[i] == 1 && (times[k] < -1 || times[k] > 1)) {
                    continue;
                }
                int64_t at = bbi_bucket_of(&b, times[k]);
                assert_true(bbi_bucket_start(&b, at) <= times[k]);
                assert_true(bbi_bucket_last(&b, at) >= times[k]);
            }
        }
    }
}

/* ---- arithmetic ---- */

static void assert_value(struct bb_value got, struct bb_value want)
{
    if (!bbi_value_equal(&got, &want)) {
        fail_msg("got kind %d %" PRIx64 ", want kind %d %" PRIx64, got.kind, got.v.u, want.kind,
                 want.v.u);
    }
}

static void test_arithmetic(void **state)
{
    (void)state;
    struct bb_value none = {.kind = BB_VALUE_NULL};
    struct bb_value i7 = bbi_value_int(7);
    struct bb_value i2 = bbi_value_int(2);
    struct bb_value i0 = bbi_value_int(0);
    struct bb_value f2 = bbi_value_float(2.5);
    struct bb_value u9 = bbi_value_uint(9);
    struct bb_value minus = bbi_value_int(-1);
    struct bb_value yes = bbi_value_bool(true);
    struct bb_value text = bbi_value_string("x", 1);
    assert_value(bbi_program_apply(BBI_QL_DIV, i7, i2), bbi_value_float(3.5));
    assert_value(bbi_program_apply(BBI_QL_DIV, i7, i0), bbi_value_float(0));
    assert_value(bbi_program_apply(BBI_QL_MOD, i7, i0), i0);
    assert_value(bbi_program_apply(BBI_QL_MOD, bbi_value_int(INT64_MIN), minus), i0);
    assert_value(bbi_program_apply(BBI_QL_ADD, i7, f2), bbi_value_float(9.5));
    assert_value(bbi_program_apply(BBI_QL_ADD, bbi_value_int(INT64_MAX), bbi_value_int(1)),
                 bbi_value_int(INT64_MIN));
    assert_value(bbi_program_apply(BBI_QL_LT, minus, u9), yes);
    assert_value(bbi_program_apply(BBI_QL_GT, minus, u9), bbi_value_bool(false));
    assert_value(bbi_program_apply(BBI_QL_DIV, u9, i2), bbi_value_uint(4));
    assert_value(bbi_program_apply(BBI_QL_ADD, none, i7), none);
    assert_value(bbi_program_apply(BBI_QL_EQ, none, i7), bbi_value_bool(false));
    assert_value(bbi_program_apply(BBI_QL_NEQ, text, i7), bbi_value_bool(false));
    assert_value(bbi_program_apply(BBI_QL_EQ, text, text), yes);
    assert_value(bbi_program_apply(BBI_QL_ADD, text, text), none);
    assert_value(bbi_program_apply(BBI_QL_BITXOR, yes, yes), bbi_value_bool(false));
    assert_value(bbi_program_apply(BBI_QL_BITAND, f2, i7), none);
    assert_value(bbi_value_cast(f2, BBI_QL_TYPE_INTEGER), i2);
    assert_value(bbi_value_cast(text, BBI_QL_TYPE_INTEGER), none);
}

/* ---- states ---- */

#define VALUES 400

struct sample {
    uint64_t bits[VALUES];
    int64_t times[VALUES];
    uint64_t valid[(VALUES + 63) / 64];
};

static void fill(struct rng *r, enum bbi_type type, struct sample *s)
{
    for (size_t i = 0; i < VALUES; i++) {
        double f = (double)((int64_t)rng_below(r, 2000) - 1000) / 100;
        s->bits[i] = rng_below(r, 40);
        if (type == BBI_INT) {
            s->bits[i] -= 20;
        } else if (type == BBI_FLOAT) {
            f = rng_below(r, 8) == 0 ? f / 3 : f;
            memcpy(&s->bits[i], &f, sizeof(f));
        } else if (type == BBI_BOOL) {
            s->bits[i] &= 1;
        }
        s->times[i] = (int64_t)i * 3;
    }
    for (size_t i = 0; i < sizeof(s->valid) / sizeof(s->valid[0]); i++) {
        s->valid[i] = rng_u64(r) | rng_u64(r);
    }
}

static uint8_t all_needs(enum bbi_type type)
{
    unsigned needs = BBI_NEED_COUNT | BBI_NEED_MIN | BBI_NEED_MAX | BBI_NEED_FIRST | BBI_NEED_LAST |
                     BBI_NEED_TIMES;
    return (uint8_t)(type == BBI_BOOL ? needs : needs | BBI_NEED_SUM);
}

static void assert_point(const struct bbi_state_point *a, const struct bbi_state_point *b)
{
    assert_int_equal(a->set, b->set);
    assert_true(a->bits == b->bits);
    assert_true(a->time == b->time);
    assert_int_equal(a->series_at, b->series_at);
}

static void assert_same(const struct bbi_state_field *f, void *a, void *b)
{
    assert_true(*bbi_state_count(a, f) == *bbi_state_count(b, f));
    assert_point(bbi_state_min(a, f), bbi_state_min(b, f));
    assert_point(bbi_state_max(a, f), bbi_state_max(b, f));
    assert_point(bbi_state_first(a, f), bbi_state_first(b, f));
    assert_point(bbi_state_last(a, f), bbi_state_last(b, f));
    if (f->type == BBI_FLOAT) {
        double x = bbi_sum_value(&bbi_state_sum(a, f)->f);
        double y = bbi_sum_value(&bbi_state_sum(b, f)->f);
        assert_memory_equal(&x, &y, sizeof(x));
    } else if (f->type != BBI_BOOL) {
        assert_true(bbi_state_sum(a, f)->i == bbi_state_sum(b, f)->i);
    }
}

/* Rows given at once, or in pieces to several cells that are merged in any order, are the same. */
static void test_merging(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int round = 0; round < 200; round++) {
        enum bbi_type type = (enum bbi_type)(1 + rng_below(&r, 4));
        struct bbi_state_field f = {.type = (uint8_t)type, .needs = all_needs(type)};
        struct bbi_state_layout layout = {.fields = &f, .field_count = 1};
        struct sample s;
        struct bb_error err;
        bbi_state_layout_init(&layout);
        fill(&r, type, &s);
        uint8_t *cells = bbi_mem_zalloc(NULL, 4, layout.cell_bytes);
        assert_non_null(cells);
        assert_ok(bbi_state_add_rows(cells, &f, s.bits, s.times, s.valid, 0, VALUES, 5, NULL, &err),
                  &err);
        for (size_t from = 0; from < VALUES;) {
            size_t to = from + 1 + rng_below(&r, 50);
            to = to < VALUES ? to : VALUES;
            uint8_t *cell = cells + (1 + rng_below(&r, 3)) * layout.cell_bytes;
            assert_ok(
                bbi_state_add_rows(cell, &f, s.bits, s.times, s.valid, from, to, 5, NULL, &err),
                &err);
            from = to;
        }
        uint64_t first = 1 + rng_below(&r, 3);
        for (unsigned i = 1; i < 4; i++) {
            if (i != first) {
                assert_ok(bbi_state_merge(&layout, cells + first * layout.cell_bytes,
                                          cells + i * layout.cell_bytes, NULL, &err),
                          &err);
            }
        }
        assert_same(&f, cells, cells + first * layout.cell_bytes);
        for (unsigned i = 0; i < 4; i++) {
            bbi_state_fini(&layout, cells + i * layout.cell_bytes);
        }
        bbi_mem_free(cells);
    }
}

static struct bbi_state_point point(uint64_t bits, int64_t time, uint32_t series)
{
    return (struct bbi_state_point){bits, time, series, 1};
}

static void test_ties(void **state)
{
    (void)state;
    struct bbi_state_point max = point(5, 20, 3);
    struct bbi_state_point earlier = point(5, 10, 9);
    struct bbi_state_point other = point(5, 10, 2);
    bbi_state_offer_extreme(&max, BBI_UINT, true, &earlier);
    assert_int_equal(max.time, 10);
    bbi_state_offer_extreme(&max, BBI_UINT, true, &other);
    assert_int_equal(max.series_at, 2);
    struct bbi_state_point last = point(5, 20, 1);
    struct bbi_state_point larger = point(6, 20, 2);
    struct bbi_state_point smaller = point(4, 20, 0);
    bbi_state_offer_end(&last, BBI_INT, true, &larger);
    bbi_state_offer_end(&last, BBI_INT, true, &smaller);
    assert_int_equal(last.bits, 6);
    struct bbi_state_point first = point(1, 20, 1);
    struct bbi_state_point no = point(0, 20, 1);
    bbi_state_offer_end(&first, BBI_BOOL, false, &no);
    assert_int_equal(first.bits, 0);
}

/* ---- searching ---- */

static void test_series_find(void **state)
{
    (void)state;
    uint32_t ids[300];
    for (uint32_t i = 0; i < 300; i++) {
        ids[i] = i * 3 + 1;
    }
    for (uint32_t id = 0; id < 905; id++) {
        size_t want = 0;
        while (want < 300 && ids[want] < id) {
            want++;
        }
        for (size_t from = 0; from <= want; from += 7) {
            assert_int_equal(bbi_series_find(ids, from, 300, id), want);
        }
    }
    assert_int_equal(bbi_series_find(ids, 0, 0, 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),    cmocka_unit_test(test_buckets_at_the_ends),
        cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_merging),
        cmocka_unit_test(test_ties),       cmocka_unit_test(test_series_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
