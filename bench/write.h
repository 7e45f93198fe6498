/**
 * Send lines to a running busbard and say what that costs it.
 */
#ifndef BENCH_WRITE_H
#define BENCH_WRITE_H

#include "bench/options.h"
#include "bench/workload.h"

/** The command "write". w is NULL when o->file has the lines. Returns the exit code. */
int bench_write(const struct options *o, const struct workload *w);

#endif
