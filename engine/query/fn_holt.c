/*
 * holt_winters: a damped trend, with seasons of m points if m > 1, fitted to what a group has, and
 * its next points.
 *
 * The parameters are alpha, beta, gamma, phi (each cut to 0..1), the level and trend to begin with,
 * and the seasons'. From 16 guesses of the first four a simplex search goes to the least sum of
 * squared errors. Points that are missing between others count for nothing.
 *
 * Source  R. Hyndman, G. Athanasopoulos, "Forecasting: Principles and Practice", the damped
 *         Holt-Winters method; first guesses and their order are InfluxDB's.
 */
#include <math.h>
#include <string.h>

#include "engine/query/fn_internal.h"
#include "engine/query/fn_simplex.h"

#define GUESSES 16
#define EPSILON 1.0e-4
#define FIXED   6 /* parameters before the seasons' */

struct seen {
    int64_t time_ns;
    double value;
};

struct holt {
    struct bbi_fn base;
    struct seen *points;
    size_t count;
    size_t cap;
    double *y; /* [y_count] values on a grid of the interval; NaN: missing */
    size_t y_count;
    double *forecast; /* [y_count + n] */
    size_t forecast_count;
    size_t seasons; /* 0: none */
    double *parameters;
    double *best;
    size_t next;
    size_t steps;
};

static void free_results(struct holt *h)
{
    bbi_mem_free(h->y);
    bbi_mem_free(h->forecast);
    bbi_mem_free(h->parameters);
    bbi_mem_free(h->best);
    h->y = NULL;
    h->forecast = NULL;
    h->parameters = NULL;
    h->best = NULL;
    h->y_count = 0;
    h->forecast_count = 0;
    h->next = 0;
}

static void holt_reset(struct bbi_fn *fn)
{
    struct holt *h = BBI_FN_SELF(struct holt, fn);
    free_results(h);
    h->count = 0;
}

static void holt_fini(struct bbi_fn *fn)
{
    struct holt *h = BBI_FN_SELF(struct holt, fn);
    free_results(h);
    bbi_mem_free(h->points);
}

static int holt_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    struct holt *h = BBI_FN_SELF(struct holt, fn);
    int rc = bbi_fn_grow(fn, &h->points, h->count, &h->cap, sizeof(h->points[0]), err);
    if (rc == BB_OK) {
        h->points[h->count++] = (struct seen){point->time_ns, bbi_fn_double(&point->value)};
    }
    return rc;
}

/* ---- the grid ---- */

/* Which place of the grid a time is nearest to; halves go down. */
static int64_t place_of(const struct holt *h, int64_t time_ns)
{
    int64_t width = h->base.spec.buckets.width_ns;
    return time_ns / width + (time_ns % width > width / 2);
}

/* Yields false: too few points, or none after the first. */
static bool measure_grid(struct holt *h, size_t *count)
{
    if (h->count < 2 || h->count < h->seasons || h->base.spec.buckets.width_ns == 0) {
        return false;
    }
    int64_t first = place_of(h, h->points[0].time_ns);
    int64_t last = place_of(h, h->points[h->count - 1].time_ns);
    *count = last > first ? (size_t)(last - first) + 1 : 0;
    return *count > 1 && *count >= h->seasons;
}

static int fill_grid(struct holt *h, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < h->y_count; i++) {
        h->y[i] = NAN;
        rc = bbi_fn_step(&h->base, h->steps++, err);
    }
    int64_t first = place_of(h, h->points[0].time_ns);
    int64_t reached = first - 1;
    for (size_t i = 0; i < h->count; i++) {
        int64_t place = place_of(h, h->points[i].time_ns);
        if (place > reached) { /* of the points of one place the first counts */
            h->y[place - first] = h->points[i].value;
            reached = place;
        }
    }
    return rc;
}

/* ---- the model ---- */

static void cut_to_bounds(double *parameters)
{
    for (int i = 0; i < 4; i++) {
        parameters[i] = parameters[i] > 1 ? 1 : parameters[i] < 0 ? 0 : parameters[i];
    }
}

/* By squaring from the lowest bit, as Go's Pow does: the search amplifies the last digit. */
static double power(double base, size_t exponent)
{
    double result = 1;
    for (; exponent != 0; exponent >>= 1) {
        if (exponent & 1) {
            result *= base;
        }
        base *= base;
    }
    return result;
}

/* Forecast count points. The seasons among the parameters go round with the points, which changes
 * them; so it is in InfluxDB, where the search sees the changed ones. */
static void run_model(const struct holt *h, double *parameters, double *out, size_t count)
{
    cut_to_bounds(parameters);
    double alpha = parameters[0];
    double beta = parameters[1];
    double gamma = parameters[2];
    double phi = parameters[3];
    double level = parameters[4];
    double trend = parameters[5];
    double *season = parameters + FIXED;
    size_t m = h->seasons;
    size_t turn = m == 0 ? 0 : m - 1;
    double damping = phi;
    double y = h->y[0];
    out[0] = y;
    for (size_t t = 1; t < count; t++) {
        double then = 1;
        double ahead = 1;
        if (m != 0) {
            then = season[(t - m + turn) % m];
            ahead = season[(t - m + t % m + turn) % m];
        }
        double expected = level + phi * trend;
        double new_level = alpha * (y / then) + (1 - alpha) * expected;
        double new_trend = beta * (new_level - level) + (1 - beta) * phi * trend;
        double new_season = gamma * (y / expected) + (1 - gamma) * then;
        y = (new_level + damping * new_trend) * ahead;
        level = new_level;
        trend = new_trend;
        damping += power(phi, t);
        if (m != 0) {
            season[(t + turn) % m] = new_season;
            turn++;
        }
        out[t] = y;
    }
}

static double squared_error(void *arg, double *parameters)
{
    struct holt *h = arg;
    double sum = 0;
    run_model(h, parameters, h->forecast, h->y_count);
    for (size_t i = 0; i < h->y_count; i++) {
        if (isnan(h->y[i])) {
            continue;
        }
        if (isnan(h->forecast[i])) {
            return HUGE_VAL;
        }
        double apart = h->forecast[i] - h->y[i];
        sum += apart * apart;
    }
    return sum;
}

/* ---- fitting ---- */

static void guess_plain(struct holt *h)
{
    h->parameters[4] = 0.5 * h->y[0];
    h->parameters[5] = isnan(h->y[1]) ? 0 : 0.5 * (h->y[1] - h->y[0]);
}

static void guess_seasonal(struct holt *h)
{
    size_t m = h->seasons;
    double each = 1 / (double)m;
    double level = 0;
    double trend = 0;
    for (size_t i = 0; i < m; i++) {
        level += isnan(h->y[i]) ? 0 : each * h->y[i];
        if (m + i < h->y_count && !isnan(h->y[i]) && !isnan(h->y[m + i])) {
            trend += 1 / ((double)m * (double)m) * (h->y[m + i] - h->y[i]);
        }
    }
    h->parameters[4] = level;
    h->parameters[5] = trend;
    for (size_t i = 0; i < m; i++) {
        h->parameters[FIXED + i] = isnan(h->y[i]) ? 0 : h->y[i] / level;
    }
}

static int check_search(void *arg, struct bb_error *err)
{
    const struct holt *h = arg;
    return h->base.spec.check == NULL ? BB_OK : h->base.spec.check(h->base.spec.check_arg, err);
}

static int fit(struct holt *h, struct bb_error *err)
{
    struct bbi_simplex simplex;
    size_t n = FIXED + h->seasons;
    double least = HUGE_VAL;
    int rc = bbi_simplex_init(&simplex, n, h->base.spec.acct, err);
    if (rc != BB_OK) {
        return rc;
    }
    double *found = bbi_mem_zalloc(h->base.spec.acct, n, sizeof(found[0]));
    rc = found == NULL ? bbi_error_nomem(err, "holt_winters") : BB_OK;
    for (unsigned guess = 0; rc == BB_OK && guess < GUESSES; guess++) {
        double value = 0;
        for (unsigned i = 0; i < 4; i++) {
            h->parameters[i] = (guess >> (3 - i) & 1) != 0 ? 0.3 + 0.4 : 0.3;
        }
        rc = bbi_simplex_run(&simplex, squared_error, h, h->parameters, EPSILON, check_search,
                             &value, found, err);
        if (rc == BB_OK && (value < least || guess == 0)) {
            least = value;
            memcpy(h->best, found, n * sizeof(found[0]));
        }
    }
    bbi_mem_free(found);
    bbi_simplex_fini(&simplex);
    return rc;
}

static int allocate(struct holt *h, size_t count, struct bb_error *err)
{
    struct bbi_account *acct = h->base.spec.acct;
    size_t n = (size_t)h->base.spec.n;
    if (n > SIZE_MAX / 16 - count) {
        return bbi_error_nomem(err, "holt_winters");
    }
    h->y = bbi_mem_zalloc(acct, count, sizeof(h->y[0]));
    h->forecast = bbi_mem_zalloc(acct, count + n, sizeof(h->forecast[0]));
    h->parameters = bbi_mem_zalloc(acct, FIXED + h->seasons, sizeof(h->parameters[0]));
    h->best = bbi_mem_zalloc(acct, FIXED + h->seasons, sizeof(h->best[0]));
    if (h->y == NULL || h->forecast == NULL || h->parameters == NULL || h->best == NULL) {
        return bbi_error_nomem(err, "holt_winters");
    }
    h->y_count = count;
    return BB_OK;
}

static int holt_finish(struct bbi_fn *fn, struct bb_error *err)
{
    struct holt *h = BBI_FN_SELF(struct holt, fn);
    size_t count;
    free_results(h);
    h->seasons = fn->spec.season < 2 ? 0 : (size_t)fn->spec.season;
    if (!measure_grid(h, &count)) {
        return BB_OK;
    }
    int rc = allocate(h, count, err);
    if (rc == BB_OK) {
        rc = fill_grid(h, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    if (h->seasons == 0) {
        guess_plain(h);
    } else {
        guess_seasonal(h);
    }
    rc = fit(h, err);
    if (rc == BB_OK) {
        h->forecast_count = h->y_count + (size_t)fn->spec.n;
        run_model(h, h->best, h->forecast, h->forecast_count);
        h->next = fn->spec.func == BBI_FUNC_HOLT_WINTERS ? h->y_count : 0;
    }
    return rc;
}

static bool holt_next(struct bbi_fn *fn, struct bbi_fn_point *out)
{
    struct holt *h = BBI_FN_SELF(struct holt, fn);
    while (h->next < h->forecast_count && isnan(h->forecast[h->next])) {
        h->next++;
    }
    if (h->next >= h->forecast_count) {
        return false;
    }
    size_t at = h->next++;
    bool fitted = fn->spec.func == BBI_FUNC_HOLT_WINTERS_FIT;
    __int128 steps = fitted ? (__int128)at : (__int128)(at - h->y_count) + 1;
    int64_t from = h->points[fitted ? 0 : h->count - 1].time_ns;
    __int128 time_ns = from + steps * fn->spec.buckets.width_ns;
    *out = (struct bbi_fn_point){.time_ns = time_ns > INT64_MAX ? INT64_MAX : (int64_t)time_ns,
                                 .value = bbi_value_float(h->forecast[at])};
    return true;
}

const struct bbi_fn_ops bbi_fn_holt_winters_ops = {.size = sizeof(struct holt),
                                                   .push = holt_push,
                                                   .finish = holt_finish,
                                                   .next = holt_next,
                                                   .reset = holt_reset,
                                                   .fini = holt_fini};
