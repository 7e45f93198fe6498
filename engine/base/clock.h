/** The one clock: wall time that a test can set, and monotonic time that it cannot turn back. */
#ifndef BBI_BASE_CLOCK_H
#define BBI_BASE_CLOCK_H

#include <stdint.h>

/** Nanoseconds since 1970-01-01 UTC; a test's if it set one. */
int64_t bbi_clock_wall_ns(void);

/** Nanoseconds since some start, never falling. */
int64_t bbi_clock_mono_ns(void);

/** CPU time of this process, nanoseconds. */
int64_t bbi_clock_cpu_ns(void);

/** Tests: the wall clock stands still at this time until bbi_clock_reset. */
void bbi_clock_set_wall(int64_t wall_ns);
void bbi_clock_reset(void);

#endif
