/**
 * The command line of busbar-bench, from one table.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct options {
    /* workload */
    const char *workload; /* "M" or "series" */
    const char *file;     /* lines from here instead */
    uint64_t meters, days, seed, intervals;
    uint64_t interval_s;
    const char *start, *precision;
    int64_t start_s, unit_ns;
    /* generate */
    const char *out;
    /* write */
    const char *url;
    const char *tcp;
    const char *db;
    uint64_t connections, lines, pid, window, prepare_mib;
    const char *data;
    bool no_flush;
};

/** argv[0] is the command. 0, or -1 after a message on standard error. */
int options_parse(struct options *o, int argc, char **argv);

void options_help(void);

#endif
