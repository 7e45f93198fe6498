/**
 * busbar-bench: readings for load tests, and what they cost a server.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/options.h"
#include "bench/workload.h"
#include "bench/write.h"

static int generate(const struct options *o, const struct workload *w)
{
    char line[WORKLOAD_LINE_MAX];
    FILE *out = o->out[0] == '\0' ? stdout : fopen(o->out, "we");
    if (out == NULL) {
        fprintf(stderr, "busbar-bench: %s: %s\n", o->out, strerror(errno));
        return 1;
    }
    uint64_t count = workload_lines(w);
    for (uint64_t n = 0; n < count; n++)
        if (fwrite(line, 1, workload_line(w, n, line), out) == 0)
            break;
    if (fflush(out) != 0 || ferror(out)) {
        fprintf(stderr, "busbar-bench: write: %s\n", strerror(errno));
        return 1;
    }
    return out == stdout || fclose(out) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        options_help();
        return argc < 2 ? 2 : 0;
    }
    int is_write = strcmp(argv[1], "write") == 0;
    if (!is_write && strcmp(argv[1], "generate") != 0) {
        fprintf(stderr, "busbar-bench: %s: no such command (see --help)\n", argv[1]);
        return 2;
    }
    if (options_parse(&o, argc - 1, argv + 1) != 0)
        return 2;
    if (is_write && o.file[0] != '\0')
        return bench_write(&o, NULL);
    struct workload w = {.meters = o.meters,
                         .intervals = o.intervals,
                         .interval_s = (int64_t)o.interval_s,
                         .start_s = o.start_s,
                         .unit_ns = o.unit_ns,
                         .seed = o.seed};
    if (workload_init(&w) != 0) {
        fprintf(stderr, "busbar-bench: out of memory\n");
        return 1;
    }
    int rc = is_write ? bench_write(&o, &w) : generate(&o, &w);
    workload_fini(&w);
    return rc;
}
