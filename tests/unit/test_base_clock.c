#include "tests/lib/unit.h"

#include <time.h>

#include "engine/base/clock.h"

static void test_wall_follows_the_system(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL);
    int64_t wall = bbi_clock_wall_ns() / 1000000000;
    int64_t after = (int64_t)time(NULL);
    assert_true(wall >= before - 1 && wall <= after + 1);
}

static void test_a_set_wall_stands_still(void **state)
{
    (void)state;
    bbi_clock_set_wall(INT64_C(1710511200000000000));
    assert_true(bbi_clock_wall_ns() == INT64_C(1710511200000000000));
    bbi_clock_set_wall(-5);
    assert_true(bbi_clock_wall_ns() == -5);
    int64_t mono = bbi_clock_mono_ns();
    assert_true(bbi_clock_mono_ns() >= mono);
    bbi_clock_reset();
    assert_true(bbi_clock_wall_ns() > INT64_C(1600000000000000000));
}

static void test_monotonic_and_cpu_never_fall(void **state)
{
    (void)state;
    int64_t mono = bbi_clock_mono_ns();
    int64_t cpu = bbi_clock_cpu_ns();
    for (int i = 0; i < 10000; i++) {
        int64_t next = bbi_clock_mono_ns();
        assert_true(next >= mono);
        mono = next;
    }
    assert_true(bbi_clock_cpu_ns() > cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wall_follows_the_system),
        cmocka_unit_test(test_a_set_wall_stands_still),
        cmocka_unit_test(test_monotonic_and_cpu_never_fall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
