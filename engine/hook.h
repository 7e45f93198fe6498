/**
 * Told of everything that changes readings, in the order of the log, when it is appended and again
 * when it is replayed: where dirty marks for continuous aggregates are derived.
 *
 * Thread  called under the write lock, or by the one thread that replays; must not block.
 */
#ifndef BBI_HOOK_H
#define BBI_HOOK_H

#include <stdint.h>

#include "engine/base/batch.h"
#include "engine/base/meta.h"

struct bbi_hook {
    void *arg;
    void (*batch)(void *arg, const struct bbi_batch *batch, uint64_t lsn); /* NULL: nobody */
    void (*deletion)(void *arg, const struct bbi_tombstone *tombstone);    /* NULL: nobody */
};

#endif
