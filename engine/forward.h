/**
 * Stored points for those who subscribe to them: written out as lines, told when they are on disk.
 *
 * A write to a policy without subscriptions costs a look at one flag of the policy. For one that
 * has some, its points become one text, on the writer's thread; the log's notice hands it over when
 * the write is durable. What finds no memory is counted and gone: no write waits or fails for it.
 */
#ifndef BBI_FORWARD_H
#define BBI_FORWARD_H

#include <stdatomic.h>

#include "engine/base/mem.h"
#include "engine/busbar.h"
#include "engine/points.h"

struct bbi_wal;

struct bbi_forward {
    struct bbi_wal *wal;
    void (*stored)(void *arg, struct bb_lines *lines); /* NULL: nobody asks */
    void (*changed)(void *arg);                        /* NULL: nobody asks */
    void *arg;
    struct bbi_account acct; /* of the texts */
    _Atomic uint64_t told;   /* bbi_catalog_task_changes, when `changed` was called last */
    _Atomic uint64_t ok;     /* texts handed over */
    _Atomic uint64_t dropped;
};

/** options  outlive it; acct: its parent. */
void bbi_forward_init(struct bbi_forward *f, const struct bb_options *options,
                      struct bbi_account *acct);

/** Before the first write; the log outlives it. */
void bbi_forward_start(struct bbi_forward *f, struct bbi_catalog *catalog, struct bbi_wal *wal);

/** The points of a batch that has been appended to the log up to lsn; their lines are still there.
 */
void bbi_forward_points(struct bbi_forward *f, const struct bbi_points *points, uint64_t lsn);

/** The catalog has been made durable: tell if its subscriptions may be others than before. */
void bbi_forward_changed(struct bbi_forward *f, struct bbi_catalog *catalog);

#endif
