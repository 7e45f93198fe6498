/* Sketches: the error against sorted numbers, one state by any order and merging, memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/query/sketch.h"
#include "tests/lib/rng.h"
#include "tests/lib/torture.h"
#include "tests/lib/unit.h"

#define NUMBERS_MAX 60000

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Numbers of a kind: what meters give, and what is hard. */
static double draw(struct rng *rng, int kind)
{
    double even = (double)(rng_u64(rng) >> 11) / 0x1p53;
    switch (kind) {
    case 0:
        return (double)rng_below(rng, 5000) / 1000; /* half-hours in kWh */
    case 1:
        return -log(1 - even);
    case 2:
        return exp(20 * (even - 0.5)); /* 8 decades */
    case 3:
        return rng_one_in(rng, 3) ? 0 : (even - 0.5) * 1000;
    case 4:
        return 230 + even; /* narrow */
    case 5:
        return (double)rng_below(rng, 3);
    case 6:
        return 1e9 * even * even * even;
    default:
        return rng_finite(rng);
    }
}

#define KINDS 8

static void fill(struct bbi_sketch *s, const double *list, size_t count)
{
    struct bb_error err;
    for (size_t i = 0; i < count; i++) {
        assert_ok(bbi_sketch_add(s, list[i], &err), &err);
    }
}

static void expect_near(double got, double exact, double error, int kind)
{
    /* Numbers below the normal ones have fewer digits than the error. */
    double slack = fabs(exact) * (error + 1e-11) + 1e-305;
    if (!(fabs(got - exact) <= slack)) {
        fail_msg("kind %d: %.17g for %.17g, error bound %g", kind, got, exact, error);
    }
}

static void test_error(void **state)
{
    static const double percents[] = {0, 0.1, 1, 5, 25, 50, 75, 90, 95, 99, 99.9, 100};
    static double list[NUMBERS_MAX];
    struct rng rng = rng_from_env();
    struct bb_error err;
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t count = 1; count <= NUMBERS_MAX; count = count * 7 + 3) {
            struct bbi_sketch s = {.acct = NULL};
            double median;
            for (size_t i = 0; i < count; i++) {
                list[i] = draw(&rng, kind);
            }
            fill(&s, list, count);
            qsort(list, count, sizeof(list[0]), by_size);
            double error = bbi_sketch_error(&s);
            for (size_t p = 0; p < sizeof(percents) / sizeof(percents[0]); p++) {
                double place = floor((double)count * percents[p] / 100 + 0.5) - 1;
                double got;
                place = place < 0 ? 0 : place;
                assert_ok(bbi_sketch_percentile(&s, percents[p], &got, &err), &err);
                expect_near(got, list[(size_t)place], error, kind);
            }
            assert_ok(bbi_sketch_median(&s, &median, &err), &err);
            double low = list[(count - 1) / 2];
            double high = list[count / 2];
            assert_true(fabs(median - (low / 2 + high / 2)) <=
                        (fabs(low) / 2 + fabs(high) / 2) * (error + 1e-11) + 1e-305);
            /* The promised error, but for numbers of all exponents. */
            assert_true(kind == KINDS - 1 || error < 0.0051);
            assert_true(s.bin_count <= BBI_SKETCH_BINS && s.slot_count <= 2 * BBI_SKETCH_BINS);
            bbi_sketch_fini(&s);
        }
    }
}

struct sorted_bin {
    int32_t key;
    uint64_t count;
};

static int by_key(const void *a, const void *b)
{
    const struct sorted_bin *x = a;
    const struct sorted_bin *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static size_t bins_of(const struct bbi_sketch *s, struct sorted_bin *out)
{
    size_t n = 0;
    memset(out, 0, BBI_SKETCH_BINS * sizeof(out[0]));
    for (uint32_t i = 0; i < s->slot_count; i++) {
        if (s->counts[i] != 0) {
            out[n].key = s->keys[i];
            out[n++].count = s->counts[i];
        }
    }
    qsort(out, n, sizeof(out[0]), by_key);
    return n;
}

static void expect_same(const struct bbi_sketch *a, const struct bbi_sketch *b)
{
    static struct sorted_bin x[BBI_SKETCH_BINS];
    static struct sorted_bin y[BBI_SKETCH_BINS];
    assert_int_equal(a->level, b->level);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->zeros, b->zeros);
    assert_memory_equal(&a->min, &b->min, sizeof(a->min));
    assert_memory_equal(&a->max, &b->max, sizeof(a->max));
    size_t n = bins_of(a, x);
    assert_int_equal(n, bins_of(b, y));
    assert_memory_equal(x, y, sizeof(x));
}

static void shuffle(struct rng *rng, double *list, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t k = (size_t)rng_below(rng, i);
        double swap = list[i - 1];
        list[i - 1] = list[k];
        list[k] = swap;
    }
}

/* The state follows from the numbers: in any order, cut into any parts, merged in any tree. */
static void test_merging(void **state)
{
    static double list[20000];
    struct rng rng = rng_from_env();
    struct bb_error err;
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        struct bbi_sketch whole = {.acct = NULL};
        struct bbi_sketch parts[16] = {{.acct = NULL}};
        size_t count = 1 + (size_t)rng_below(&rng, sizeof(list) / sizeof(list[0]));
        for (size_t i = 0; i < count; i++) {
            list[i] = draw(&rng, kind);
        }
        fill(&whole, list, count);
        shuffle(&rng, list, count);
        for (size_t i = 0; i < count; i++) {
            struct bbi_sketch *part = &parts[rng_below(&rng, rng_one_in(&rng, 3) ? 16 : 2)];
            assert_ok(bbi_sketch_add(part, list[i], &err), &err);
        }
        for (size_t left = 16; left > 1; left--) {
            size_t into = (size_t)rng_below(&rng, left - 1);
            assert_ok(bbi_sketch_merge(&parts[into], &parts[left - 1], &err), &err);
        }
        expect_same(&whole, &parts[0]);
        for (size_t i = 0; i < 16; i++) {
            bbi_sketch_fini(&parts[i]);
        }
        bbi_sketch_fini(&whole);
    }
}

static void test_odd_numbers(void **state)
{
    struct bbi_sketch s = {.acct = NULL};
    struct bb_error err;
    double out;
    (void)state;
    assert_ok(bbi_sketch_percentile(&s, 50, &out, &err), &err);
    assert_true(out == 0);
    double numbers[] = {(double)INFINITY, (double)NAN, -(double)INFINITY, -0.0, 0.0, 2, -2, 2};
    fill(&s, numbers, sizeof(numbers) / sizeof(numbers[0]));
    assert_int_equal(s.count, 7);
    double expected[] = {-(double)INFINITY, -2, 0, 0, 2, 2, (double)INFINITY};
    for (uint64_t rank = 0; rank < 7; rank++) {
        assert_ok(bbi_sketch_ranks(&s, &rank, 1, &out, &err), &err);
        assert_true(out == expected[rank] || fabs(out - expected[rank]) < 2e-4);
    }
    bbi_sketch_reset(&s);
    assert_int_equal(s.count, 0);
    fill(&s, numbers + 5, 1);
    assert_ok(bbi_sketch_median(&s, &out, &err), &err);
    assert_true(out == 2);
    bbi_sketch_fini(&s);
}

static int fill_and_merge(void *arg, struct bb_error *err)
{
    struct bbi_sketch a = {.acct = NULL};
    struct bbi_sketch b = {.acct = NULL};
    struct rng rng = rng_of(7);
    double out;
    int rc = BB_OK;
    (void)arg;
    for (int i = 0; rc == BB_OK && i < 6000; i++) {
        rc = bbi_sketch_add(i % 2 == 0 ? &a : &b, rng_finite(&rng), err);
    }
    rc = rc == BB_OK ? bbi_sketch_merge(&a, &b, err) : rc;
    rc = rc == BB_OK ? bbi_sketch_percentile(&a, 30, &out, err) : rc;
    bbi_sketch_fini(&a);
    bbi_sketch_fini(&b);
    return rc;
}

static void test_failing_memory(void **state)
{
    (void)state;
    assert_true(torture_memory(fill_and_merge, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_odd_numbers),
        cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
