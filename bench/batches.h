/**
 * The requests of a run: `lines` lines each, the last one fewer.
 */
#ifndef BENCH_BATCHES_H
#define BENCH_BATCHES_H

#include "bench/workload.h"

struct batch {
    char *data;
    size_t len;
    uint64_t lines;
};

struct batches {
    const struct workload *workload; /* NULL: all are prepared */
    uint64_t lines;                  /* of a batch */
    uint64_t total_lines;
    uint64_t count;
    uint64_t prepared; /* the first so many are in memory */
    struct batch *batch;
    char *text; /* of a file */
};

/** Make as many as fit into max_bytes. 0, or -1 after a message. */
int batches_generate(struct batches *b, const struct workload *w, uint64_t lines,
                     uint64_t max_bytes);

/** Cut a file's lines. 0, or -1 after a message. */
int batches_load(struct batches *b, const char *path, uint64_t lines);

void batches_free(struct batches *b);

/** Batch i; one that is not prepared is made in *scratch, the caller's thread's own buffer, which
 * is allocated when NULL. NULL: no memory. */
const struct batch *batches_get(const struct batches *b, uint64_t i, struct batch *scratch);

#endif
