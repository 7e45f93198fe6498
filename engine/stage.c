#include "engine/stage.h"

/* Points older than the policy keeps would be dropped by its next enforcement: refuse them now,
 * with a reason. */
static int stage_retention(struct bbi_points *points, const struct bbi_rp *rp, int64_t now_ns,
                           struct bb_error *err)
{
    (void)err;
    int64_t oldest;
    if (rp->duration_ns <= 0 || __builtin_sub_overflow(now_ns, rp->duration_ns, &oldest)) {
        return BB_OK;
    }
    struct bbi_batch *batch = &points->batch;
    size_t kept = 0;
    for (size_t i = 0; i < batch->point_count; i++) {
        if (batch->points[i].time_ns < oldest) {
            bbi_points_reject(points, i, BB_ERANGE, "points beyond retention policy");
            continue;
        }
        batch->points[kept] = batch->points[i];
        points->lines[kept++] = points->lines[i];
    }
    batch->point_count = kept;
    return BB_OK;
}

static const struct bbi_stage stages[] = {
    {"retention", stage_retention},
};

int bbi_stages_run(struct bbi_points *points, const struct bbi_rp *rp, int64_t now_ns,
                   struct bb_error *err)
{
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        if (stages[i].run(points, rp, now_ns, err) != BB_OK) {
            return bbi_error_wrap(err, "stage %s", stages[i].name);
        }
    }
    bbi_points_close_gaps(points);
    return BB_OK;
}
