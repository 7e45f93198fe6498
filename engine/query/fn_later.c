/* Functions over all points of a group, until they have machines of their own: refused. */
#include "engine/query/fn_internal.h"

static int refuse(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    (void)point;
    return bbi_error_set(err, BB_EUNSUPPORTED, "%s() is not supported",
                         bbi_func_info(fn->spec.func)->name);
}

const struct bbi_fn_ops bbi_fn_average_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_change_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_cumulative_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_elapsed_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_holt_winters_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_increase_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_integral_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_kaufman_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_momentum_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_moving_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
const struct bbi_fn_ops bbi_fn_weighted_ops = {.size = sizeof(struct bbi_fn), .push = refuse};
