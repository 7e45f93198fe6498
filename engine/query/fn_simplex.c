#include "engine/query/fn_simplex.h"

#include <math.h>
#include <string.h>

#define ROUNDS_MAX 1000

int bbi_simplex_init(struct bbi_simplex *s, size_t n, struct bbi_account *acct,
                     struct bb_error *err)
{
    *s = (struct bbi_simplex){.n = n};
    if (n > 65536) { /* the corners alone take n * n numbers */
        return bbi_error_set(err, BB_ELIMIT, "too many parameters to fit: %zu", n);
    }
    s->corner = bbi_mem_zalloc(acct, n + 1, sizeof(s->corner[0]));
    s->room = bbi_mem_zalloc(acct, (n + 1) * (n + 1) + 3 * n, sizeof(s->room[0]));
    if (s->corner == NULL || s->room == NULL) {
        bbi_simplex_fini(s);
        return bbi_error_nomem(err, "simplex");
    }
    double *at = s->room;
    for (size_t i = 0; i <= n; i++, at += n) {
        s->corner[i] = at;
    }
    s->value = at;
    s->reflected = s->value + n + 1;
    s->tried = s->reflected + n;
    s->center = s->tried + n;
    return BB_OK;
}

void bbi_simplex_fini(struct bbi_simplex *s)
{
    bbi_mem_free(s->corner);
    bbi_mem_free(s->room);
    s->corner = NULL;
    s->room = NULL;
}

static void place_corners(struct bbi_simplex *s, const double *start)
{
    double n = (double)s->n;
    double near = (sqrt(n + 1) - 1) / (n * sqrt(2));
    double far = (sqrt(n + 1) - 1 + n) / (n * sqrt(2));
    for (size_t i = 0; i <= s->n; i++) {
        for (size_t k = 0; k < s->n; k++) {
            double apart = i == 0 ? 0 : i - 1 == k ? far : near;
            s->corner[i][k] = apart + start[k];
        }
    }
}

struct places {
    size_t worst;
    size_t second; /* the worst but one, in value */
    size_t best;
};

static struct places find_places(const struct bbi_simplex *s)
{
    struct places p = {0};
    for (size_t i = 0; i <= s->n; i++) {
        p.worst = s->value[i] > s->value[p.worst] ? i : p.worst;
        p.best = s->value[i] < s->value[p.best] ? i : p.best;
    }
    p.second = p.best;
    for (size_t i = 0; i <= s->n; i++) {
        if (s->value[i] > s->value[p.second] && s->value[i] < s->value[p.worst]) {
            p.second = i;
        }
    }
    return p;
}

static void find_center(struct bbi_simplex *s, size_t without)
{
    for (size_t k = 0; k < s->n; k++) {
        double sum = 0;
        for (size_t i = 0; i <= s->n; i++) {
            sum += i == without ? 0 : s->corner[i][k];
        }
        s->center[k] = sum / (double)s->n;
    }
}

static void move_corner(struct bbi_simplex *s, size_t at, const double *to, double value)
{
    memcpy(s->corner[at], to, s->n * sizeof(to[0]));
    s->value[at] = value;
}

/* The reflection was the best of all: go on that way. */
static void expand(struct bbi_simplex *s, const struct places *p, double reflected,
                   bbi_simplex_fn fn, void *arg)
{
    for (size_t k = 0; k < s->n; k++) {
        s->tried[k] = s->center[k] + 2 * (s->reflected[k] - s->center[k]);
    }
    double value = fn(arg, s->tried);
    if (value < reflected) {
        move_corner(s, p->worst, s->tried, value);
    } else {
        move_corner(s, p->worst, s->reflected, reflected);
    }
}

/* It was bad: try between, and else draw all towards the best. */
static void contract(struct bbi_simplex *s, const struct places *p, double reflected,
                     bbi_simplex_fn fn, void *arg)
{
    for (size_t k = 0; k < s->n; k++) {
        s->tried[k] = reflected < s->value[p->worst]
                          ? s->center[k] + 0.5 * (s->reflected[k] - s->center[k])
                          : s->center[k] - 0.5 * (s->center[k] - s->corner[p->worst][k]);
    }
    double value = fn(arg, s->tried);
    if (value < s->value[p->worst]) {
        move_corner(s, p->worst, s->tried, value);
        return;
    }
    const double *best = s->corner[p->best];
    for (size_t i = 0; i <= s->n; i++) {
        for (size_t k = 0; i != p->best && k < s->n; k++) {
            s->corner[i][k] = best[k] + (s->corner[i][k] - best[k]) / 2;
        }
    }
    s->value[p->worst] = fn(arg, s->corner[p->worst]);
    s->value[p->second] = fn(arg, s->corner[p->second]);
}

static bool is_flat(const struct bbi_simplex *s, double epsilon)
{
    double n = (double)s->n;
    double sum = 0;
    double spread = 0;
    for (size_t i = 0; i <= s->n; i++) {
        sum += s->value[i];
    }
    double mean = sum / (n + 1);
    for (size_t i = 0; i <= s->n; i++) {
        spread += (s->value[i] - mean) * (s->value[i] - mean) / n;
    }
    return sqrt(spread) < epsilon;
}

static void round_once(struct bbi_simplex *s, bbi_simplex_fn fn, void *arg)
{
    struct places p = find_places(s);
    find_center(s, p.worst);
    for (size_t k = 0; k < s->n; k++) {
        s->reflected[k] = s->center[k] + (s->center[k] - s->corner[p.worst][k]);
    }
    double reflected = fn(arg, s->reflected);
    double best = s->value[p.best];
    double second = s->value[p.second];
    if (reflected < second && reflected >= best) {
        move_corner(s, p.worst, s->reflected, reflected);
    }
    if (reflected < best) {
        expand(s, &p, reflected, fn, arg);
    }
    if (reflected >= s->value[p.second]) {
        contract(s, &p, reflected, fn, arg);
    }
}

int bbi_simplex_run(struct bbi_simplex *s, bbi_simplex_fn fn, void *arg, const double *start,
                    double epsilon, int (*check)(void *arg, struct bb_error *err), double *value,
                    double *best, struct bb_error *err)
{
    int rc = BB_OK;
    place_corners(s, start);
    for (size_t i = 0; rc == BB_OK && i <= s->n; i++) {
        s->value[i] = fn(arg, s->corner[i]);
        rc = check == NULL ? BB_OK : check(arg, err);
    }
    for (unsigned round = 0; rc == BB_OK && round < ROUNDS_MAX; round++) {
        round_once(s, fn, arg);
        if (is_flat(s, epsilon)) {
            break;
        }
        rc = check == NULL ? BB_OK : check(arg, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    struct places p = find_places(s);
    memcpy(best, s->corner[p.best], s->n * sizeof(best[0]));
    *value = fn(arg, s->corner[p.best]);
    return BB_OK;
}
