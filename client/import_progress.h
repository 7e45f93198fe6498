#ifndef CLIENT_IMPORT_PROGRESS_H
#define CLIENT_IMPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client/import_buf.h"

/** One line on a terminal that is written over: how far, how fast, how long yet. */
struct progress {
    FILE *out;
    bool shown;
    int64_t start_ms, last_ms;
    uint64_t start_rows;
    uint64_t start_bytes;
    const char *name;
};

struct progress_now {
    uint64_t bytes, total_bytes; /* as they are on disk; total 0: not known */
    uint64_t rows, rejected;
};

/** out NULL: shows nothing. name: borrowed. */
void progress_start(struct progress *progress, FILE *out, const char *name,
                    const struct progress_now *now);

/** Show it, at most five times a second. */
void progress_show(struct progress *progress, const struct progress_now *now);

/** Take the line away. */
void progress_clear(struct progress *progress);

double progress_seconds(const struct progress *progress);

/** 1,234,567 */
void progress_add_count(struct import_buf *out, uint64_t count);

/** 1:02:03, 0:05 */
void progress_add_duration(struct import_buf *out, double seconds);

#endif
