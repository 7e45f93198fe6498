/** Minimising a function of several variables without derivatives, after Nelder and Mead. */
#ifndef BBI_QUERY_FN_SIMPLEX_H
#define BBI_QUERY_FN_SIMPLEX_H

#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

struct bbi_simplex {
    size_t n;
    double **corner; /* [n + 1] of n coordinates each */
    double *value;   /* [n + 1] of the function there */
    double *reflected;
    double *tried;
    double *center;
    double *room; /* what all of these lie in */
};

/** The function: may move the point into its bounds. */
typedef double (*bbi_simplex_fn)(void *arg, double *point);

int bbi_simplex_init(struct bbi_simplex *s, size_t n, struct bbi_account *acct,
                     struct bb_error *err) BB_CHECKED;
void bbi_simplex_fini(struct bbi_simplex *s);

/**
 * Look for a minimum near start, until the values at the corners differ by less than epsilon.
 *
 * best   out: [n] where it is
 * check  called once a round; a result other than BB_OK ends the search; may be NULL
 * Returns BB_OK, what check returned; *value is the minimum.
 *
 * Source  J. Nelder, R. Mead, "A simplex method for function minimization" (1965), with M. Hutt's
 *         choices, which InfluxDB's holt_winters uses: results agree only step by step.
 */
int bbi_simplex_run(struct bbi_simplex *s, bbi_simplex_fn fn, void *arg, const double *start,
                    double epsilon, int (*check)(void *arg, struct bb_error *err), double *value,
                    double *best, struct bb_error *err) BB_CHECKED;

#endif
