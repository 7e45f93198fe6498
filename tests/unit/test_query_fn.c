/* The machines behind InfluxQL's functions: cases worked out by hand or by a plain definition. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/query/emit.h"
#include "engine/query/fn.h"
#include "tests/lib/rng.h"
#include "tests/lib/torture.h"
#include "tests/lib/unit.h"

#define SECOND  INT64_C(1000000000)
#define OUT_MAX 64

struct results {
    struct bbi_fn_point list[OUT_MAX];
    size_t count;
};

static int drain(struct bbi_fn *fn, struct results *out)
{
    struct bbi_fn_point p;
    while (bbi_fn_next(fn, &p)) {
        assert_true(out->count < OUT_MAX);
        out->list[out->count++] = p;
    }
    return BB_OK;
}

/* Push floats at the given seconds; what comes out has no strings, so it may outlive the machine.
 */
static int run(const struct bbi_fn_spec *spec, const int64_t *seconds,
               const struct bb_value *values, size_t count, struct results *out,
               struct bb_error *err)
{
    struct bbi_fn *fn;
    out->count = 0;
    int rc = bbi_fn_open(spec, &fn, err);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        struct bbi_fn_point p = {.time_ns = seconds[i] * SECOND, .value = values[i]};
        rc = bbi_fn_push(fn, &p, err);
        rc = rc == BB_OK ? drain(fn, out) : rc;
    }
    rc = rc == BB_OK ? bbi_fn_finish(fn, err) : rc;
    rc = rc == BB_OK ? drain(fn, out) : rc;
    bbi_fn_close(&fn);
    return rc;
}

static struct results run_floats(struct bbi_fn_spec spec, const int64_t *seconds, const double *f,
                                 size_t count)
{
    struct bb_value values[OUT_MAX];
    struct results out;
    struct bb_error err;
    for (size_t i = 0; i < count; i++) {
        values[i] = bbi_value_float(f[i]);
    }
    spec.input = BBI_QL_TYPE_FLOAT;
    assert_ok(run(&spec, seconds, values, count, &out, &err), &err);
    return out;
}

static void assert_floats(const struct results *out, const double *want, size_t count)
{
    assert_int_equal(out->count, count);
    for (size_t i = 0; i < count; i++) {
        double got = out->list[i].value.v.f;
        assert_int_equal(out->list[i].value.kind, BB_VALUE_FLOAT);
        if (!(fabs(got - want[i]) <= 1e-12 * fmax(1, fabs(want[i])))) {
            fail_msg("point %zu: got %.17g, want %.17g", i, got, want[i]);
        }
    }
}

static const int64_t at[] = {0, 10, 20, 30, 40};
static const double plain[] = {1, 4, 2, 2, 8};

static void test_reducers(void **state)
{
    (void)state;
    static const struct {
        enum bbi_func func;
        double number;
        double want;
    } cases[] = {
        {BBI_FUNC_SUM, 0, 17},
        {BBI_FUNC_MEAN, 0, 3.4},
        {BBI_FUNC_MIN, 0, 1},
        {BBI_FUNC_MAX, 0, 8},
        {BBI_FUNC_SPREAD, 0, 7},
        {BBI_FUNC_FIRST, 0, 1},
        {BBI_FUNC_LAST, 0, 8},
        {BBI_FUNC_MEDIAN, 0, 2},
        {BBI_FUNC_MODE, 0, 2},
        {BBI_FUNC_PERCENTILE, 50, 2},
        {BBI_FUNC_PERCENTILE, 75, 4},
        {BBI_FUNC_PERCENTILE, 100, 8},
        {BBI_FUNC_STDDEV, 0, 2.7928480087537886},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bbi_fn_spec spec = {.func = cases[i].func, .number = cases[i].number};
        struct results out = run_floats(spec, at, plain, 5);
        assert_floats(&out, &cases[i].want, 1);
        out = run_floats(spec, at, plain, 0);
        assert_int_equal(out.count, 0);
    }
    struct bbi_fn_spec low = {.func = BBI_FUNC_PERCENTILE, .number = 9};
    assert_int_equal(run_floats(low, at, plain, 5).count, 0);
    struct bbi_fn_spec one = {.func = BBI_FUNC_STDDEV};
    struct results out = run_floats(one, at, plain, 1);
    assert_true(isnan(out.list[0].value.v.f));
}

/* The deviation of values far from 0, and of integers at the ends of their range, is exact. */
static void test_stddev_is_exact(void **state)
{
    (void)state;
    static const double far[] = {1e15 + 1, 1e15 + 2, 1e15 + 3};
    static const double want[] = {1};
    struct bbi_fn_spec spec = {.func = BBI_FUNC_STDDEV};
    struct results out = run_floats(spec, at, far, 3);
    assert_floats(&out, want, 1);
    static const double same[] = {0.1, 0.1, 0.1, 0.1};
    static const double zero[] = {0};
    out = run_floats(spec, at, same, 4);
    assert_true(out.list[0].value.v.f == zero[0]);
    static const double wide[] = {1e300, -1e300};
    static const double wide_want[] = {1.4142135623730951e300};
    out = run_floats(spec, at, wide, 2);
    assert_floats(&out, wide_want, 1);
    struct bb_value ends[] = {bbi_value_int(INT64_MIN), bbi_value_int(INT64_MAX)};
    struct bb_error err;
    spec.input = BBI_QL_TYPE_INTEGER;
    assert_ok(run(&spec, at, ends, 2, &out, &err), &err);
    static const double ends_want[] = {13043817825332782212.0};
    assert_floats(&out, ends_want, 1);
}

static void test_streams(void **state)
{
    (void)state;
    static const struct {
        struct bbi_fn_spec spec;
        size_t count;
        double want[5];
    } cases[] = {
        {{.func = BBI_FUNC_DIFFERENCE}, 4, {3, -2, 0, 6}},
        {{.func = BBI_FUNC_NN_DIFFERENCE}, 3, {3, 0, 6}},
        {{.func = BBI_FUNC_DERIVATIVE, .unit_ns = SECOND}, 4, {0.3, -0.2, 0, 0.6}},
        {{.func = BBI_FUNC_NN_DERIVATIVE, .unit_ns = 10 * SECOND}, 3, {3, 0, 6}},
        {{.func = BBI_FUNC_CUMULATIVE_SUM}, 5, {1, 5, 7, 9, 17}},
        {{.func = BBI_FUNC_MOVING_AVERAGE, .n = 2}, 4, {2.5, 3, 2, 5}},
        {{.func = BBI_FUNC_MOVING_AVERAGE, .n = 6}, 0, {0}},
        /* weights 2/3, then 2/4 from the second point of a period of 3 on */
        {{.func = BBI_FUNC_EMA, .n = 3, .hold = 0}, 5, {1, 3, 2.5, 2.25, 5.125}},
        {{.func = BBI_FUNC_EMA, .n = 3, .hold = -1}, 3, {2.5, 2.25, 5.125}},
        {{.func = BBI_FUNC_EMA, .n = 3, .hold = -1, .warmup = BBI_FN_SIMPLE},
         3,
         {7.0 / 3, (7.0 / 3 + 2) / 2, ((7.0 / 3 + 2) / 2 + 8) / 2}},
        /* |8 - 1| over 3 + 2 + 0 + 6 */
        {{.func = BBI_FUNC_KER, .n = 4, .hold = -1}, 1, {7.0 / 11}},
        /* up 9, down 2 over the last four steps */
        {{.func = BBI_FUNC_CMO, .n = 5, .hold = -1, .warmup = BBI_FN_NO_WARMUP},
         1,
         {100.0 * 7 / 11}},
        {{.func = BBI_FUNC_INTEGRAL, .unit_ns = SECOND}, 1, {125}},
        {{.func = BBI_FUNC_INCREASE}, 1, {3 + 2 + 0 + 6}},
        {{.func = BBI_FUNC_INCREASE, .number = 10}, 1, {3 + 8 + 0 + 6}},
        {{.func = BBI_FUNC_TIME_WEIGHTED_MEAN}, 1, {125.0 / 40}},
        {{.func = BBI_FUNC_TIME_WEIGHTED_MEAN, .between = BBI_FN_STEPS}, 1, {90.0 / 40}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct results out = run_floats(cases[i].spec, at, plain, 5);
        assert_floats(&out, cases[i].want, cases[i].count);
    }
}

static void test_elapsed(void **state)
{
    (void)state;
    struct bbi_fn_spec spec = {.func = BBI_FUNC_ELAPSED, .unit_ns = 3 * SECOND};
    struct results out = run_floats(spec, at, plain, 3);
    assert_int_equal(out.count, 2);
    assert_int_equal(out.list[0].value.kind, BB_VALUE_INT);
    assert_int_equal(out.list[1].value.v.i, 3);
    assert_int_equal(out.list[1].time_ns, 20 * SECOND);
}

/* Areas over windows of 15 s; those of our own share out a gap, integral gives it to the later. */
static void test_windows(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 10, 40};
    static const double line[] = {0, 10, 40};
    struct bbi_buckets b = {.width_ns = 15 * SECOND};
    static const double areas[] = {112.5, 687.5};
    static const double counts[] = {15, 15, 10};
    static const double means[] = {7.5, 22.5, 35};
    struct bbi_fn_spec spec = {.func = BBI_FUNC_INTEGRAL, .unit_ns = SECOND, .buckets = b};
    struct results out = run_floats(spec, times, line, 3);
    assert_floats(&out, areas, 2);
    assert_int_equal(out.list[1].time_ns, 30 * SECOND);
    spec.func = BBI_FUNC_INCREASE;
    out = run_floats(spec, times, line, 3);
    assert_floats(&out, counts, 3);
    assert_int_equal(out.list[1].time_ns, 15 * SECOND);
    spec.func = BBI_FUNC_TIME_WEIGHTED_MEAN;
    out = run_floats(spec, times, line, 3);
    assert_floats(&out, means, 3);
    static const int64_t falling[] = {40, 10, 0};
    static const double back[] = {40, 10, 0};
    static const double counts_back[] = {10, 15, 15};
    spec.func = BBI_FUNC_INCREASE;
    spec.descending = true;
    out = run_floats(spec, falling, back, 3);
    assert_floats(&out, counts_back, 3);
}

/* What influxd 1.6.7 answers on the same points. */
static void test_holt_winters(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 5, 10, 20};
    static const double means[] = {2, 2, 8, 1};
    static const double plain_want[] = {3.8584770253027725, 3.8543963343191487, 3.853905303248731};
    static const double fit_want[] = {2,
                                      2.0019608190791134,
                                      8.000759808786977,
                                      0.8755968337951239,
                                      1.0096180205069036,
                                      -0.2557497325731619,
                                      -3.4558643719898736,
                                      -0.8791730725474349};
    struct bbi_fn_spec spec = {
        .func = BBI_FUNC_HOLT_WINTERS, .n = 3, .buckets = {.width_ns = 5 * SECOND}};
    struct results out = run_floats(spec, times, means, 4);
    assert_floats(&out, plain_want, 3);
    assert_int_equal(out.list[0].time_ns, 25 * SECOND);
    spec.func = BBI_FUNC_HOLT_WINTERS_FIT;
    spec.season = 2;
    out = run_floats(spec, times, means, 4);
    assert_floats(&out, fit_want, 8);
    assert_int_equal(run_floats(spec, times, means, 1).count, 0);
}

static void test_top_and_ties(void **state)
{
    (void)state;
    static const double values[] = {5, 9, 9, 1, 5};
    struct bbi_fn_spec spec = {.func = BBI_FUNC_TOP, .n = 3};
    struct results out = run_floats(spec, at, values, 5);
    static const double top[] = {5, 9, 9};
    assert_floats(&out, top, 3);
    assert_int_equal(out.list[0].time_ns, 0); /* the earlier of the two fives */
    spec.func = BBI_FUNC_BOTTOM;
    spec.n = 2;
    out = run_floats(spec, at, values, 5);
    static const double bottom[] = {5, 1};
    assert_floats(&out, bottom, 2);
    assert_int_equal(out.list[0].time_ns, 0);
    /* Zeros of one time come out alike, in whichever order they came in. */
    static const int64_t same[] = {0, 0};
    static const double zeros[2][2] = {{0.0, -0.0}, {-0.0, 0.0}};
    for (size_t i = 0; i < 2; i++) {
        out = run_floats(spec, same, zeros[i], 2);
        assert_int_equal(out.count, 2);
        assert_true(signbit(out.list[0].value.v.f) != 0 && signbit(out.list[1].value.v.f) == 0);
    }
}

/* The values beside a selected point stay with it, strings as copies. */
static void test_rows_are_kept(void **state)
{
    (void)state;
    static const enum bbi_func funcs[] = {BBI_FUNC_MAX, BBI_FUNC_LAST, BBI_FUNC_PERCENTILE,
                                          BBI_FUNC_TOP, BBI_FUNC_SAMPLE};
    for (size_t f = 0; f < sizeof(funcs) / sizeof(funcs[0]); f++) {
        struct bbi_fn_spec spec = {.func = funcs[f],
                                   .input = BBI_QL_TYPE_FLOAT,
                                   .n = funcs[f] == BBI_FUNC_SAMPLE ? 100 : 1,
                                   .number = 100,
                                   .aux_count = 2};
        struct bb_error err;
        struct bbi_fn *fn;
        struct bbi_fn_point p;
        assert_ok(bbi_fn_open(&spec, &fn, &err), &err);
        for (int i = 0; i < 20; i++) {
            char text[8];
            (void)snprintf(text, sizeof(text), "row%d", i);
            struct bb_value aux[] = {bbi_value_string(text, strlen(text)), bbi_value_int(i)};
            p = (struct bbi_fn_point){.time_ns = i, .value = bbi_value_float(i), .aux = aux};
            assert_ok(bbi_fn_push(fn, &p, &err), &err);
            memset(text, 'x', sizeof(text));
        }
        assert_ok(bbi_fn_finish(fn, &err), &err);
        bool any = false;
        while (bbi_fn_next(fn, &p)) {
            any = true;
        }
        assert_true(any);
        assert_int_equal(p.time_ns, 19);
        assert_int_equal(p.aux[1].v.i, 19);
        assert_memory_equal(p.aux[0].v.str, "row19", 5);
        bbi_fn_close(&fn);
    }
}

/* Any rank of random values, with ties, is what counting says. */
static void test_ranks_by_counting(void **state)
{
    (void)state;
    struct rng rng = rng_from_env();
    for (int round = 0; round < 200; round++) {
        double values[OUT_MAX];
        int64_t seconds[OUT_MAX];
        size_t count = 1 + rng_below(&rng, OUT_MAX);
        for (size_t i = 0; i < count; i++) {
            values[i] = (double)rng_below(&rng, 20) - 10;
            seconds[i] = (int64_t)i;
        }
        double percent = (double)rng_below(&rng, 101);
        struct bbi_fn_spec spec = {.func = BBI_FUNC_PERCENTILE, .number = percent};
        struct results out = run_floats(spec, seconds, values, count);
        size_t rank = (size_t)floor((double)count * percent / 100 + 0.5);
        assert_int_equal(out.count, rank >= 1);
        if (out.count != 0) {
            size_t below = 0;
            size_t up_to = 0;
            for (size_t i = 0; i < count; i++) {
                below += values[i] < out.list[0].value.v.f;
                up_to += values[i] <= out.list[0].value.v.f;
            }
            assert_true(below < rank && rank <= up_to);
        }
    }
}

static void test_bad_arguments(void **state)
{
    (void)state;
    static const struct bbi_fn_spec bad[] = {
        {.func = BBI_FUNC_ELAPSED},          {.func = BBI_FUNC_DERIVATIVE, .unit_ns = -1},
        {.func = BBI_FUNC_MOVING_AVERAGE},   {.func = BBI_FUNC_TOP, .n = -1},
        {.func = BBI_FUNC_HOLT_WINTERS_FIT}, {.func = BBI_FUNC_KER},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct bbi_fn *fn;
        struct bb_error err;
        assert_int_equal(bbi_fn_open(&bad[i], &fn, &err), BB_EINVAL);
        assert_null(fn);
    }
}

/* ---- want of memory ---- */

static int run_func(void *arg, struct bb_error *err)
{
    struct bbi_fn_spec spec = *(const struct bbi_fn_spec *)arg;
    struct bb_value values[40];
    int64_t seconds[40];
    struct results out;
    for (size_t i = 0; i < 40; i++) {
        values[i] = bbi_value_float((double)(i * 7 % 11) + 1e-20);
        seconds[i] = (int64_t)i;
    }
    return run(&spec, seconds, values, 40, &out, err);
}

static void test_memory_fails(void **state)
{
    (void)state;
    for (int f = BBI_FUNC_COUNT; f <= BBI_FUNC_TIME_WEIGHTED_MEAN; f++) {
        struct bbi_fn_spec spec = {.func = (enum bbi_func)f,
                                   .input = BBI_QL_TYPE_FLOAT,
                                   .n = 5,
                                   .hold = -1,
                                   .number = 50,
                                   .unit_ns = SECOND,
                                   .warmup = f == BBI_FUNC_CMO ? BBI_FN_NO_WARMUP
                                                               : BBI_FN_EXPONENTIAL};
        bool holt = f == BBI_FUNC_HOLT_WINTERS || f == BBI_FUNC_HOLT_WINTERS_FIT;
        spec.buckets.width_ns = holt ? SECOND : 0;
        if (bbi_func_info(spec.func)->class != BBI_FN_MATH) {
            assert_true(torture_memory(run_func, &spec) > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reducers),      cmocka_unit_test(test_stddev_is_exact),
        cmocka_unit_test(test_streams),       cmocka_unit_test(test_elapsed),
        cmocka_unit_test(test_windows),       cmocka_unit_test(test_holt_winters),
        cmocka_unit_test(test_top_and_ties),  cmocka_unit_test(test_rows_are_kept),
        cmocka_unit_test(test_bad_arguments), cmocka_unit_test(test_ranks_by_counting),
        cmocka_unit_test(test_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
