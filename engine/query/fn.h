/**
 * The functions of InfluxQL: what each takes and gives, and state machines that compute them.
 *
 * A machine (struct bbi_fn) is pure: points go in one by one, points come out, nothing else is
 * touched. There are two families with one interface:
 *
 * reducers  (AGGREGATE, SELECTOR, MULTI) give their points of one window of one group when it
 *           ends: push all points of the window, finish, take what next gives, reset.
 * streams   (STREAM) go over all windows of a group: push, then take what next gives, after each
 *           point; at the end of the group finish, take the rest, reset. Those over an aggregate,
 *           derivative(mean(x)), take its results as points, windows without one left out.
 *
 *     bbi_fn_open
 *       for each window (reducers) or group (streams)
 *         for each point: bbi_fn_push; while (bbi_fn_next) ...    reducers give nothing yet
 *         bbi_fn_finish; while (bbi_fn_next) ...
 *         bbi_fn_reset
 *     bbi_fn_close
 *
 * Points come in the order of the query's time, falling if spec.descending; points of one time in
 * any order that is always the same (that of the series). Of one series a time comes once. A value
 * is of the kind that spec.input says, or an integer beside floats.
 *
 * Who owns what: a pushed point, its string and its aux values are borrowed for the call; what is
 * kept is copied on spec.acct. A point from bbi_fn_next, its string and aux values are the
 * machine's, until the next call that is not bbi_fn_next.
 *
 * Math functions have no machine: program.h evaluates them.
 *
 * Source  the results are those of InfluxDB 1.8, ties included, as far as its own do not depend on
 *         the order of its shards.
 */
#ifndef BBI_QUERY_FN_H
#define BBI_QUERY_FN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/influxql/ast.h"
#include "engine/query/bucket.h"

/** Kinds of functions. */
enum bbi_fn_class {
    BBI_FN_AGGREGATE, /* a value of a window; it has the window's time */
    BBI_FN_SELECTOR,  /* a point of a window, or none */
    BBI_FN_MULTI,     /* several points of a window */
    BBI_FN_STREAM,    /* from points to points, over all windows */
    BBI_FN_MATH       /* of the values of one row */
};

/** What it takes, or-ed. */
enum bbi_fn_takes {
    BBI_FN_FLOAT = 1,
    BBI_FN_INT = 2,
    BBI_FN_UINT = 4,
    BBI_FN_BOOL = 8,
    BBI_FN_STR = 16,
    BBI_FN_NUMBERS = 7,
    BBI_FN_ORDERED = 15, /* numbers and booleans */
    BBI_FN_ALL = 31
};

/** What it gives. */
enum bbi_fn_gives {
    BBI_FN_GIVES_SAME,
    BBI_FN_GIVES_FLOAT,
    BBI_FN_GIVES_INT
};

/**
 * All functions: X(ID, name, class, arguments at least, at most, takes, gives, in_cells).
 *
 * in_cells: the cells of query/state.h answer it from statistics and packed pages; such a function
 * has a machine nevertheless, for subqueries and merged rows. The last four are Busbar's own.
 * holt_winters takes no unsigned integers in InfluxDB, nor here.
 */
#define BBI_FUNC_TABLE(X)                                                                        \
    X(COUNT, "count", AGGREGATE, 1, 1, ALL, INT, true)                                           \
    X(SUM, "sum", AGGREGATE, 1, 1, NUMBERS, SAME, true)                                          \
    X(MEAN, "mean", AGGREGATE, 1, 1, NUMBERS, FLOAT, true)                                       \
    X(MIN, "min", SELECTOR, 1, 1, ORDERED, SAME, true)                                           \
    X(MAX, "max", SELECTOR, 1, 1, ORDERED, SAME, true)                                           \
    X(SPREAD, "spread", AGGREGATE, 1, 1, NUMBERS, SAME, true)                                    \
    X(FIRST, "first", SELECTOR, 1, 1, ALL, SAME, true)                                           \
    X(LAST, "last", SELECTOR, 1, 1, ALL, SAME, true)                                             \
    X(STDDEV, "stddev", AGGREGATE, 1, 1, NUMBERS, FLOAT, false)                                  \
    X(MEDIAN, "median", AGGREGATE, 1, 1, NUMBERS, FLOAT, false)                                  \
    X(MODE, "mode", AGGREGATE, 1, 1, ALL, SAME, false)                                           \
    X(PERCENTILE, "percentile", SELECTOR, 2, 2, NUMBERS, SAME, false)                            \
    X(DISTINCT, "distinct", MULTI, 1, 1, ALL, SAME, false)                                       \
    X(SAMPLE, "sample", MULTI, 2, 2, ALL, SAME, false)                                           \
    X(TOP, "top", MULTI, 2, UINT8_MAX, NUMBERS, SAME, false)                                     \
    X(BOTTOM, "bottom", MULTI, 2, UINT8_MAX, NUMBERS, SAME, false)                               \
    X(INTEGRAL, "integral", STREAM, 1, 2, NUMBERS, FLOAT, false)                                 \
    X(DERIVATIVE, "derivative", STREAM, 1, 2, NUMBERS, FLOAT, false)                             \
    X(NN_DERIVATIVE, "non_negative_derivative", STREAM, 1, 2, NUMBERS, FLOAT, false)             \
    X(DIFFERENCE, "difference", STREAM, 1, 1, NUMBERS, SAME, false)                              \
    X(NN_DIFFERENCE, "non_negative_difference", STREAM, 1, 1, NUMBERS, SAME, false)              \
    X(ELAPSED, "elapsed", STREAM, 1, 2, ALL, INT, false)                                         \
    X(MOVING_AVERAGE, "moving_average", STREAM, 2, 2, NUMBERS, FLOAT, false)                     \
    X(CUMULATIVE_SUM, "cumulative_sum", STREAM, 1, 1, NUMBERS, SAME, false)                      \
    X(EMA, "exponential_moving_average", STREAM, 2, 4, NUMBERS, FLOAT, false)                    \
    X(DEMA, "double_exponential_moving_average", STREAM, 2, 4, NUMBERS, FLOAT, false)            \
    X(TEMA, "triple_exponential_moving_average", STREAM, 2, 4, NUMBERS, FLOAT, false)            \
    X(TRIX, "triple_exponential_derivative", STREAM, 2, 4, NUMBERS, FLOAT, false)                \
    X(RSI, "relative_strength_index", STREAM, 2, 4, NUMBERS, FLOAT, false)                       \
    X(KER, "kaufmans_efficiency_ratio", STREAM, 2, 3, NUMBERS, FLOAT, false)                     \
    X(KAMA, "kaufmans_adaptive_moving_average", STREAM, 2, 3, NUMBERS, FLOAT, false)             \
    X(CMO, "chande_momentum_oscillator", STREAM, 2, 4, NUMBERS, FLOAT, false)                    \
    X(HOLT_WINTERS, "holt_winters", STREAM, 3, 3, FLOAT | BBI_FN_INT, FLOAT, false)              \
    X(HOLT_WINTERS_FIT, "holt_winters_with_fit", STREAM, 3, 3, FLOAT | BBI_FN_INT, FLOAT, false) \
    X(ABS, "abs", MATH, 1, 1, NUMBERS, SAME, false)                                              \
    X(ACOS, "acos", MATH, 1, 1, NUMBERS, FLOAT, false)                                           \
    X(ASIN, "asin", MATH, 1, 1, NUMBERS, FLOAT, false)                                           \
    X(ATAN, "atan", MATH, 1, 1, NUMBERS, FLOAT, false)                                           \
    X(ATAN2, "atan2", MATH, 2, 2, NUMBERS, FLOAT, false)                                         \
    X(CEIL, "ceil", MATH, 1, 1, NUMBERS, SAME, false)                                            \
    X(COS, "cos", MATH, 1, 1, NUMBERS, FLOAT, false)                                             \
    X(EXP, "exp", MATH, 1, 1, NUMBERS, FLOAT, false)                                             \
    X(FLOOR, "floor", MATH, 1, 1, NUMBERS, SAME, false)                                          \
    X(LN, "ln", MATH, 1, 1, NUMBERS, FLOAT, false)                                               \
    X(LOG, "log", MATH, 2, 2, NUMBERS, FLOAT, false)                                             \
    X(LOG2, "log2", MATH, 1, 1, NUMBERS, FLOAT, false)                                           \
    X(LOG10, "log10", MATH, 1, 1, NUMBERS, FLOAT, false)                                         \
    X(POW, "pow", MATH, 2, 2, NUMBERS, FLOAT, false)                                             \
    X(ROUND, "round", MATH, 1, 1, NUMBERS, SAME, false)                                          \
    X(SIN, "sin", MATH, 1, 1, NUMBERS, FLOAT, false)                                             \
    X(SQRT, "sqrt", MATH, 1, 1, NUMBERS, FLOAT, false)                                           \
    X(TAN, "tan", MATH, 1, 1, NUMBERS, FLOAT, false)                                             \
    X(INCREASE, "increase", STREAM, 1, 2, NUMBERS, FLOAT, false)                                 \
    X(TIME_WEIGHTED_MEAN, "time_weighted_mean", STREAM, 1, 2, NUMBERS, FLOAT, false)             \
    X(PERCENTILE_APPROX, "percentile_approx", AGGREGATE, 2, 2, NUMBERS, FLOAT, true)             \
    X(MEDIAN_APPROX, "median_approx", AGGREGATE, 1, 1, NUMBERS, FLOAT, true)

enum bbi_func {
#define BBI_FUNC_ENUM(id, ...) BBI_FUNC_##id,
    BBI_FUNC_TABLE(BBI_FUNC_ENUM)
#undef BBI_FUNC_ENUM
};

struct bbi_func_info {
    const char *name;
    enum bbi_fn_class class;
    uint8_t args_min;
    uint8_t args_max;
    uint8_t takes; /* enum bbi_fn_takes, or-ed */
    enum bbi_fn_gives gives;
    bool in_cells;
};

/** By name, in lower case; false: no function of InfluxQL. */
bool bbi_func_find(const char *name, enum bbi_func *func);

/** Whether a function's results are the same whatever the order of a window's points. has_others:
 * points have other values, which come out with the one that is chosen. */
bool bbi_func_takes_any_order(enum bbi_func func, bool has_others);

const struct bbi_func_info *bbi_func_info(enum bbi_func func);

/** The types that a function takes, and the one that it gives for each; false: not taken. Also what
 * a wildcard among its arguments stands for. */
bool bbi_func_type(enum bbi_func func, enum bbi_ql_type arg, enum bbi_ql_type *result);

/** How exponential averages begin. */
enum bbi_fn_warmup {
    BBI_FN_EXPONENTIAL,
    BBI_FN_SIMPLE,
    BBI_FN_NO_WARMUP /* chande_momentum_oscillator alone, and its default: a plain window */
};

/** How time_weighted_mean goes from point to point. */
enum bbi_fn_between {
    BBI_FN_LINEAR,
    BBI_FN_STEPS /* a value counts until the next */
};

/** One call. */
struct bbi_fn_spec {
    enum bbi_func func;
    enum bbi_ql_type input; /* FLOAT, INTEGER, UNSIGNED, STRING or BOOLEAN */
    bool descending;
    bool count_distinct; /* count(distinct(x)): the points are x's */
    int64_t n;           /* of top, bottom, sample, moving_average; period; points to forecast */
    int64_t hold;        /* of the averages; -1: their own */
    int64_t season;      /* of holt_winters */
    double
        number; /* percentile, percentile_approx: 0..100; increase: where it rolls over, 0: never */
    enum bbi_fn_warmup warmup;
    enum bbi_fn_between between;
    int64_t unit_ns;            /* derivative, elapsed, integral */
    struct bbi_buckets buckets; /* of the query: integral, increase, holt_winters ... */
    int64_t start_ns;           /* of its times, 0 if they have no begin: integral */
    uint64_t seed;              /* of sample */
    /** Values beside each point, kept with what is selected: the columns of its row. */
    size_t aux_count;
    /** top(x, tag, n): the first so many of them are its tags, NULL for a name that is none. Of
     * each combination of them only the best point counts. */
    size_t tag_count;
    struct bbi_account *acct;
    /** Long work calls this every few milliseconds; a result other than BB_OK ends it. May be NULL.
     */
    int (*check)(void *arg, struct bb_error *err);
    void *check_arg;
};

/**
 * Read the arguments of a checked call behind the first, and what follows from the query's
 * intervals: the unit of derivative() is that of GROUP BY time() or else 1s; of elapsed 1ns; of
 * integral 1s. Sets func, n, hold, season, number, warmup, between, unit_ns, count_distinct; the
 * rest is the caller's, buckets before the call.
 */
void bbi_fn_spec_read(struct bbi_fn_spec *spec, const struct bbi_ql_expr *call);

struct bbi_fn_point {
    int64_t time_ns;
    bool timeless;              /* out: it has no time of its own, its window's start counts */
    struct bb_value value;      /* out: a float may be NaN, which has no place in an answer */
    const struct bb_value *aux; /* [spec.aux_count]; out: NULL if the function does not select */
};

struct bbi_fn;

/** Make a machine. BB_EINVAL a count or a unit below 1; BB_ENOMEM. */
int bbi_fn_open(const struct bbi_fn_spec *spec, struct bbi_fn **out,
                struct bb_error *err) BB_CHECKED;

/** A point without a value (BB_VALUE_NULL) counts for nothing. BB_ENOMEM: the machine may be reset
 * or closed; what spec.check returned. */
int bbi_fn_push(struct bbi_fn *fn, const struct bbi_fn_point *point,
                struct bb_error *err) BB_CHECKED;

/** No more points come: of the window, or for streams of the group. */
int bbi_fn_finish(struct bbi_fn *fn, struct bb_error *err) BB_CHECKED;

/** The next of the points that are ready; false: none. Those of MULTI come in the order of the
 * query's time, those of one time as InfluxDB orders them. Without any point pushed, finish gives
 * none. */
bool bbi_fn_next(struct bbi_fn *fn, struct bbi_fn_point *out);

/** As after open; keeps its memory for reuse. A sample goes on drawing. */
void bbi_fn_reset(struct bbi_fn *fn);

void bbi_fn_close(struct bbi_fn **fn);

#endif
