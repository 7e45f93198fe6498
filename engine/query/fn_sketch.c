/* percentile_approx and median_approx: a sketch of the window's values. */
#include "engine/query/fn_internal.h"
#include "engine/query/sketch.h"

struct sketcher {
    struct bbi_fn base;
    struct bbi_sketch sketch;
};

static int sketch_init(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    BBI_FN_SELF(struct sketcher, fn)->sketch.acct = fn->spec.acct;
    return BB_OK;
}

static int sketch_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    return bbi_sketch_add(&BBI_FN_SELF(struct sketcher, fn)->sketch, bbi_fn_double(&point->value),
                          err);
}

static int sketch_finish(struct bbi_fn *fn, struct bb_error *err)
{
    const struct bbi_sketch *sketch = &BBI_FN_SELF(struct sketcher, fn)->sketch;
    double value;
    int rc = fn->spec.func == BBI_FUNC_MEDIAN_APPROX
                 ? bbi_sketch_median(sketch, &value, err)
                 : bbi_sketch_percentile(sketch, fn->spec.number, &value, err);
    if (rc == BB_OK && sketch->count > 0) {
        bbi_fn_put_timeless(fn, bbi_value_float(value));
    }
    return rc;
}

static void sketch_reset(struct bbi_fn *fn)
{
    bbi_sketch_reset(&BBI_FN_SELF(struct sketcher, fn)->sketch);
}

static void sketch_fini(struct bbi_fn *fn)
{
    bbi_sketch_fini(&BBI_FN_SELF(struct sketcher, fn)->sketch);
}

const struct bbi_fn_ops bbi_fn_sketch_ops = {.size = sizeof(struct sketcher),
                                             .init = sketch_init,
                                             .push = sketch_push,
                                             .finish = sketch_finish,
                                             .reset = sketch_reset,
                                             .fini = sketch_fini};
