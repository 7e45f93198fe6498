#include "engine/busbar.h"
#include "tests/lib/unit.h"

static void bounds_rise(void **state)
{
    (void)state;
    for (size_t i = 1; i < BB_LATENCY_BUCKETS; i++) {
        assert_true(bb_latency_bound_ns(i) > bb_latency_bound_ns(i - 1));
    }
    assert_true(bb_latency_bound_ns(BB_LATENCY_BUCKETS - 1) == UINT64_MAX);
}

static void each_time_has_its_bucket(void **state)
{
    (void)state;
    struct bb_latency latency = {{0}, 0};
    struct bb_latency read;
    for (size_t i = 0; i < BB_LATENCY_BUCKETS; i++) {
        uint64_t low = i == 0 ? 0 : bb_latency_bound_ns(i - 1) + 1;
        bb_latency_add(&latency, low);
        bb_latency_read(&latency, &read);
        assert_int_equal(read.buckets[i], 1);
        if (i < BB_LATENCY_BUCKETS - 1) {
            bb_latency_add(&latency, bb_latency_bound_ns(i));
            bb_latency_read(&latency, &read);
            assert_int_equal(read.buckets[i], 2);
        }
    }
}

static void sums_are_kept(void **state)
{
    (void)state;
    struct bb_latency latency = {{0}, 0};
    bb_latency_add(&latency, 7);
    bb_latency_add(&latency, 3000000000);
    assert_int_equal(latency.sum_ns, 3000000007);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bounds_rise),
                                       cmocka_unit_test(each_time_has_its_bucket),
                                       cmocka_unit_test(sums_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
