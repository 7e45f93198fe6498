/*
 * Streams that go on from window to window: integral, increase, time_weighted_mean.
 *
 * integral is InfluxDB's: the trapezium rule; where two points lie in different windows the value
 * at the end of the first window is interpolated, and what lies behind that end goes to the window
 * of the second point, also if there are others between. It differs in one thing: for integers
 * InfluxDB carries wrong values over the end of a window; here they count as floats do.
 *
 * The other two are Busbar's own and share out what lies between two points exactly, a window
 * between them included. A register that falls has been reset to 0, or has rolled over at a given
 * value.
 */
#include "engine/query/fn_internal.h"

struct area {
    struct bbi_fn base;
    bool has_last;
    int64_t last_ns;
    double last;
    int64_t bucket;
    double sum;
    double span_ns; /* time_weighted_mean: what the sum stands for */
    bool has_left;  /* a window has been left */
    /* Windows between two points, which next gives one by one: of a line from a to b. */
    int64_t to_bucket;
    int64_t a_ns, b_ns;
    double a, b;
};

static double apart(int64_t to_ns, int64_t from_ns)
{
    return (double)((__int128)to_ns - from_ns);
}

static int64_t bucket_of(const struct bbi_fn *fn, int64_t time_ns)
{
    return bbi_bucket_of(&fn->spec.buckets, time_ns);
}

/* The time at which the stream leaves a window, and that under which it is known. */
static int64_t edge(const struct bbi_fn *fn, int64_t bucket)
{
    return bbi_bucket_start(&fn->spec.buckets, fn->spec.descending ? bucket : bucket + 1);
}

static int64_t known_as(const struct bbi_fn *fn, int64_t bucket)
{
    return bbi_bucket_start(&fn->spec.buckets, fn->spec.descending ? bucket + 1 : bucket);
}

static bool has_windows(const struct bbi_fn *fn)
{
    return fn->spec.buckets.width_ns != 0;
}

/* ---- integral ---- */

static void add_trapezium(struct area *a, int64_t to_ns, double to)
{
    double elapsed = apart(to_ns, a->last_ns) / (double)a->base.spec.unit_ns;
    a->sum += 0.5 * (to + a->last) * elapsed;
    a->last_ns = to_ns;
    a->last = to;
}

/* Whether a time is behind the window; its far edge counts as behind. */
static bool is_behind(const struct bbi_fn *fn, int64_t bucket, int64_t time_ns)
{
    return fn->spec.descending ? time_ns <= edge(fn, bucket) : time_ns >= edge(fn, bucket);
}

static int integral_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    (void)err;
    struct area *a = BBI_FN_SELF(struct area, fn);
    double v = bbi_fn_double(&point->value);
    if (!a->has_last || a->last_ns == point->time_ns) {
        a->bucket = a->has_last ? a->bucket : bucket_of(fn, point->time_ns);
        a->has_last = true;
        a->last_ns = point->time_ns;
        a->last = v;
        return BB_OK;
    }
    if (has_windows(fn) && is_behind(fn, a->bucket, point->time_ns)) {
        int64_t end = edge(fn, a->bucket);
        if (a->last_ns != end) {
            double slope = (v - a->last) / apart(point->time_ns, a->last_ns);
            add_trapezium(a, end, slope * apart(end, a->last_ns) + a->last);
        }
        bbi_fn_put(fn, known_as(fn, a->bucket), bbi_value_float(a->sum));
        a->bucket = bucket_of(fn, point->time_ns);
        a->sum = 0;
    }
    add_trapezium(a, point->time_ns, v);
    return BB_OK;
}

/* What ends where it begins has no area: a window with nothing but a point there, and likewise all
 * points of a query, which for floats begins at 0. */
static int integral_finish(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    const struct area *a = BBI_FN_SELF(struct area, fn);
    bool is_float = fn->spec.input == BBI_QL_TYPE_FLOAT;
    if (!has_windows(fn)) {
        if (a->last_ns != (is_float ? 0 : fn->spec.start_ns)) {
            bbi_fn_put(fn, 0, bbi_value_float(a->sum));
            fn->out.timeless = !is_float;
        }
    } else if (a->last_ns != known_as(fn, a->bucket)) {
        bbi_fn_put(fn, known_as(fn, a->bucket), bbi_value_float(a->sum));
    }
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_integral_ops = {
    .size = sizeof(struct area), .push = integral_push, .finish = integral_finish};

/* ---- increase and time_weighted_mean ---- */

/* How much a register has counted between two readings, the earlier first. */
static double counted(const struct bbi_fn *fn, double from, double to)
{
    if (to >= from) {
        return to - from;
    }
    return fn->spec.number > from ? fn->spec.number - from + to : to;
}

/* What lies between two times of the line goes to the window's sum. */
static void add_part(struct area *a, int64_t from_ns, int64_t to_ns)
{
    const struct bbi_fn *fn = &a->base;
    double whole = apart(a->b_ns, a->a_ns);
    double part = apart(to_ns, from_ns);
    if (fn->spec.func == BBI_FUNC_INCREASE) {
        bool falling = fn->spec.descending;
        a->sum += counted(fn, falling ? a->b : a->a, falling ? a->a : a->b) * (part / whole);
        return;
    }
    double from = a->a + (a->b - a->a) * (apart(from_ns, a->a_ns) / whole);
    double to = a->a + (a->b - a->a) * (apart(to_ns, a->a_ns) / whole);
    double mean = fn->spec.between == BBI_FN_LINEAR ? (from + to) / 2
                  : fn->spec.descending             ? a->b
                                                    : a->a;
    double span = part < 0 ? -part : part;
    a->sum += mean * span;
    a->span_ns += span;
}

static void put_window(struct area *a, struct bbi_fn_point *out)
{
    const struct bbi_fn *fn = &a->base;
    double v = a->sum;
    if (fn->spec.func == BBI_FUNC_TIME_WEIGHTED_MEAN) {
        v = a->span_ns == 0 ? a->b : a->sum / a->span_ns;
    }
    *out = (struct bbi_fn_point){.time_ns = bbi_bucket_start(&fn->spec.buckets, a->bucket),
                                 .timeless = !has_windows(fn),
                                 .value = bbi_value_float(v)};
    a->sum = 0;
    a->span_ns = 0;
}

/* One window that the line has left, with the part of it that is still open. */
static bool shared_next(struct bbi_fn *fn, struct bbi_fn_point *out)
{
    struct area *a = BBI_FN_SELF(struct area, fn);
    if (a->bucket == a->to_bucket) {
        return false;
    }
    int64_t end = edge(fn, a->bucket);
    add_part(a, a->last_ns, end);
    put_window(a, out);
    a->last_ns = end;
    a->bucket += fn->spec.descending ? -1 : 1;
    a->has_left = true;
    if (a->bucket == a->to_bucket) {
        add_part(a, end, a->b_ns);
        a->last_ns = a->b_ns;
    }
    return true;
}

static int shared_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    (void)err;
    struct area *a = BBI_FN_SELF(struct area, fn);
    double v = bbi_fn_double(&point->value);
    if (a->has_last && a->b_ns == point->time_ns) {
        return BB_OK;
    }
    a->a_ns = a->b_ns;
    a->a = a->b;
    a->b_ns = point->time_ns;
    a->b = v;
    a->to_bucket = bucket_of(fn, point->time_ns);
    if (!a->has_last) {
        a->bucket = a->to_bucket;
    } else if (a->bucket == a->to_bucket) {
        add_part(a, a->a_ns, a->b_ns);
    }
    a->last_ns = a->has_last && a->bucket != a->to_bucket ? a->a_ns : a->b_ns;
    a->has_last = true;
    return BB_OK;
}

/* A window that was only just entered has no share. */
static int shared_finish(struct bbi_fn *fn, struct bb_error *err)
{
    (void)err;
    struct area *a = BBI_FN_SELF(struct area, fn);
    bool entered = has_windows(fn) && a->has_left && a->b_ns == known_as(fn, a->bucket);
    if (!entered) {
        fn->has_out = true;
        put_window(a, &fn->out);
    }
    return BB_OK;
}

const struct bbi_fn_ops bbi_fn_increase_ops = {
    .size = sizeof(struct area), .push = shared_push, .finish = shared_finish, .next = shared_next};
const struct bbi_fn_ops bbi_fn_weighted_ops = {
    .size = sizeof(struct area), .push = shared_push, .finish = shared_finish, .next = shared_next};
