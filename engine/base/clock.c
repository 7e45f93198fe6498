#include "engine/base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

static _Atomic bool wall_is_set;
static _Atomic int64_t wall_set_ns;

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    if (clock_gettime(id, &ts) != 0) {
        return 0;
    }
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t bbi_clock_wall_ns(void)
{
    return atomic_load(&wall_is_set) ? atomic_load(&wall_set_ns) : read_ns(CLOCK_REALTIME);
}

int64_t bbi_clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t bbi_clock_cpu_ns(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void bbi_clock_set_wall(int64_t wall_ns)
{
    atomic_store(&wall_set_ns, wall_ns);
    atomic_store(&wall_is_set, true);
}

void bbi_clock_reset(void)
{
    atomic_store(&wall_is_set, false);
}
