/** Machines, by file: what fn_machine.c needs of them, and what they share. */
#ifndef BBI_QUERY_FN_INTERNAL_H
#define BBI_QUERY_FN_INTERNAL_H

#include "engine/query/emit.h"
#include "engine/query/fn.h"

/** Steps of long work between two calls of spec.check: a few milliseconds. */
#define BBI_FN_CHECK_EVERY 65536

struct bbi_fn_ops {
    size_t size; /* of the machine, which begins with a struct bbi_fn; it starts as zeros */
    int (*init)(struct bbi_fn *fn, struct bb_error *err); /* NULL: zeros will do */
    /* The value is of the kind of spec.input. */
    int (*push)(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err);
    int (*finish)(struct bbi_fn *fn, struct bb_error *err); /* only after a push; NULL: nothing */
    /* Beside bbi_fn_put: more points; NULL: none. */
    bool (*next)(struct bbi_fn *fn, struct bbi_fn_point *out);
    void (*reset)(struct bbi_fn *fn); /* NULL: zeros behind the head will do */
    void (*fini)(struct bbi_fn *fn);  /* NULL: holds no memory */
};

struct bbi_fn {
    const struct bbi_fn_ops *ops;
    struct bbi_fn_spec spec;
    bool any; /* a point was pushed since the reset */
    bool has_out;
    struct bbi_fn_point out;
};

/** A machine's own state, by its type. */
#define BBI_FN_SELF(type, fn) ((type *)(void *)(fn))

/** Let next give this point, once. */
void bbi_fn_put(struct bbi_fn *fn, int64_t time_ns, struct bb_value value);

/** The same for a value that has its window's time. */
void bbi_fn_put_timeless(struct bbi_fn *fn, struct bb_value value);

/** The same for the value of `count` points, the first at this time. InfluxDB's median and mode of
 * a single point are that point with its time, by which it stands among its window's groups. */
void bbi_fn_put_middle(struct bbi_fn *fn, size_t count, int64_t time_ns, struct bb_value value);

/** Let spec.check look, once in BBI_FN_CHECK_EVERY steps. */
static inline int bbi_fn_step(const struct bbi_fn *fn, size_t step, struct bb_error *err)
{
    if (step % BBI_FN_CHECK_EVERY != BBI_FN_CHECK_EVERY - 1 || fn->spec.check == NULL) {
        return BB_OK;
    }
    return fn->spec.check(fn->spec.check_arg, err);
}

/** Room for one more in an array that doubles; *array is a pointer to its pointer. */
int bbi_fn_grow(const struct bbi_fn *fn, void *array, size_t count, size_t *cap, size_t size,
                struct bb_error *err) BB_CHECKED;

/** A number as a double. */
static inline double bbi_fn_double(const struct bb_value *v)
{
    return v->kind == BB_VALUE_INT    ? (double)v->v.i
           : v->kind == BB_VALUE_UINT ? (double)v->v.u
                                      : v->v.f;
}

/** Less, equal, greater: -1, 0, 1, of two values of one kind; false is less than true. With NaN, 0.
 */
int bbi_fn_compare(const struct bb_value *a, const struct bb_value *b);

/** a - b of numbers of one kind; integers wrap. */
struct bb_value bbi_fn_subtract(const struct bb_value *a, const struct bb_value *b);

/** -0.0 as 0. */
static inline struct bb_value bbi_fn_plain_zero(struct bb_value v)
{
    if (v.kind == BB_VALUE_FLOAT && v.v.f == 0) {
        v.v.f = 0;
    }
    return v;
}

/* ---- points that are kept ---- */

struct bbi_fn_kept {
    int64_t time_ns;
    struct bb_value value;
    struct bb_value *aux;
    char *bytes; /* of the strings */
    size_t bytes_cap;
};

/** Copy a point, strings and all, over what was kept. BB_ENOMEM: as before. */
int bbi_fn_keep(const struct bbi_fn *fn, struct bbi_fn_kept *kept, const struct bbi_fn_point *point,
                struct bb_error *err) BB_CHECKED;
void bbi_fn_kept_fini(struct bbi_fn_kept *kept);

/** As a point to give. */
static inline struct bbi_fn_point bbi_fn_kept_point(const struct bbi_fn_kept *kept)
{
    return (struct bbi_fn_point){.time_ns = kept->time_ns, .value = kept->value, .aux = kept->aux};
}

/** Sort pointers to kept points by time, falling if asked for; those of one time stay as they are.
 */
int bbi_fn_sort_kept(const struct bbi_fn *fn, void **list, size_t count,
                     struct bb_error *err) BB_CHECKED;

/** Sort pointers to anything; equal ones stay in their order. BB_ENOMEM, what spec.check said. */
int bbi_fn_sort(const struct bbi_fn *fn, void **list, size_t count,
                int (*compare)(const void *a, const void *b, const void *arg), const void *arg,
                struct bb_error *err) BB_CHECKED;

/* ---- by file ---- */

extern const struct bbi_fn_ops bbi_fn_count_ops, bbi_fn_sum_ops, bbi_fn_mean_ops,
    bbi_fn_extreme_ops, bbi_fn_spread_ops, bbi_fn_end_ops;            /* fn_reduce.c */
extern const struct bbi_fn_ops bbi_fn_stddev_ops;                     /* fn_stddev.c */
extern const struct bbi_fn_ops bbi_fn_rank_ops;                       /* fn_rank.c */
extern const struct bbi_fn_ops bbi_fn_sketch_ops;                     /* fn_sketch.c */
extern const struct bbi_fn_ops bbi_fn_mode_ops;                       /* fn_mode.c */
extern const struct bbi_fn_ops bbi_fn_distinct_ops;                   /* fn_distinct.c */
extern const struct bbi_fn_ops bbi_fn_top_ops;                        /* fn_top.c */
extern const struct bbi_fn_ops bbi_fn_sample_ops;                     /* fn_sample.c */
extern const struct bbi_fn_ops bbi_fn_change_ops, bbi_fn_elapsed_ops, /* fn_stream.c */
    bbi_fn_moving_ops, bbi_fn_cumulative_ops;
extern const struct bbi_fn_ops bbi_fn_average_ops, bbi_fn_kaufman_ops, /* fn_average.c */
    bbi_fn_momentum_ops;
extern const struct bbi_fn_ops bbi_fn_integral_ops, bbi_fn_increase_ops, /* fn_area.c */
    bbi_fn_weighted_ops;
extern const struct bbi_fn_ops bbi_fn_holt_winters_ops; /* fn_holt.c */

#endif
