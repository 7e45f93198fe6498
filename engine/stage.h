/**
 * Stages: what a batch passes between resolving and the log.
 *
 * Each may reject points with a reason, change values, and put records of its own (diverted
 * readings, quality marks) into the batch's frame, so that they become durable and visible with it.
 * Today there is one: the retention window. Thread  stages run on the writer's thread, many at a
 * time; they keep no state of a batch.
 */
#ifndef BBI_STAGE_H
#define BBI_STAGE_H

#include "engine/points.h"

struct bbi_stage {
    const char *name;
    int (*run)(struct bbi_points *points, const struct bbi_rp *rp, int64_t now_ns,
               struct bb_error *err);
};

/** Run all stages in order. An error refuses the whole batch. */
int bbi_stages_run(struct bbi_points *points, const struct bbi_rp *rp, int64_t now_ns,
                   struct bb_error *err) BB_CHECKED;

#endif
