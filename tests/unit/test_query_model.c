/*
 * Aggregates against a model: random readings with overwrites and deletions over several
 * partitions, flushed and compacted at random moments, asked at random for counts, exact sums,
 * means, extremes, first and last values by time and tag.
 *
 * Floats have three decimals, so that the model can add them as integers of thousandths.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/sum.h"
#include "tests/lib/dbtest.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

#define SERIES  6
#define SLOTS   700
#define STEP_S  3600
#define STEP_NS (INT64_C(1000000000) * STEP_S)
#define BASE_NS INT64_C(1262304000000000000)
#define END_NS  (BASE_NS + SLOTS * STEP_NS)
#define ROUNDS  12
#define QUERIES 40

/* A reading: a float in thousandths and perhaps an integer. */
struct cell {
    bool has[2];
    int64_t value[2];
};

struct world {
    struct rng rng;
    struct dbtest t;
    struct cell cells[SERIES][SLOTS];
};

/* Series 0 to 5 are meters m0 to m5 at sites a, b, c, two each. */
static char site_of(int series)
{
    return (char)('a' + series % 3);
}

static void put_value(struct bbi_buf *b, int64_t thousandths)
{
    uint64_t size = (uint64_t)(thousandths < 0 ? -thousandths : thousandths);
    bbi_buf_printf(b, "%s%" PRIu64 ".%03" PRIu64, thousandths < 0 ? "-" : "", size / 1000,
                   size % 1000);
}

static void write_one(struct world *w, struct bbi_buf *b, int series, int slot)
{
    struct cell *c = &w->cells[series][slot];
    bool both = rng_below(&w->rng, 3) != 0;
    c->has[0] = true;
    c->value[0] = (int64_t)rng_below(&w->rng, 60000) - 5000;
    bbi_buf_printf(b, "p,id=m%d,site=%c v=", series, site_of(series));
    put_value(b, c->value[0]);
    if (both) {
        c->has[1] = true;
        c->value[1] = (int64_t)rng_below(&w->rng, 1000) - 300;
        bbi_buf_printf(b, ",n=%" PRId64 "i", c->value[1]);
    }
    bbi_buf_printf(b, " %" PRId64 "\n", BASE_NS + slot * STEP_NS);
}

/* Runs of slots, as meters write, or single corrections. */
static void write_some(struct world *w)
{
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 8u << 20);
    for (unsigned n = 0; n < 20; n++) {
        int series = (int)rng_below(&w->rng, SERIES);
        int from = (int)rng_below(&w->rng, SLOTS);
        int run = rng_below(&w->rng, 2) == 0 ? 1 : (int)rng_below(&w->rng, 120);
        for (int slot = from; slot < from + run && slot < SLOTS; slot++) {
            write_one(w, &b, series, slot);
        }
    }
    bbi_buf_u8(&b, 0);
    dbtest_write(&w->t, (const char *)b.data);
    bbi_buf_fini(&b);
}

static void delete_some(struct world *w)
{
    char text[256];
    int series = (int)rng_below(&w->rng, SERIES);
    int from = (int)rng_below(&w->rng, SLOTS);
    int to = from + (int)rng_below(&w->rng, 60);
    bool by_site = rng_below(&w->rng, 2) == 0;
    (void)snprintf(text, sizeof(text),
                   "DELETE FROM p WHERE %s = '%s%c' AND time >= %" PRId64 " AND time <= %" PRId64,
                   by_site ? "site" : "id", by_site ? "" : "m",
                   by_site ? site_of(series) : (char)('0' + series), BASE_NS + from * STEP_NS,
                   BASE_NS + to * STEP_NS);
    dbtest_run(&w->t, text);
    for (int s = 0; s < SERIES; s++) {
        bool hit = by_site ? site_of(s) == site_of(series) : s == series;
        for (int slot = from; hit && slot <= to && slot < SLOTS; slot++) {
            memset(&w->cells[s][slot], 0, sizeof(w->cells[s][slot]));
        }
    }
}

static void act(struct world *w)
{
    write_some(w);
    switch (rng_below(&w->rng, 5)) {
    case 0:
        delete_some(w);
        break;
    case 1:
        dbtest_flush(&w->t);
        break;
    case 2:
        dbtest_flush(&w->t);
        dbtest_compact(&w->t);
        break;
    case 3:
        dbtest_crash(&w->t);
        break;
    default:
        break;
    }
}

/* ---- what the answers should be ---- */

struct want {
    uint64_t count;
    int64_t sum, min, max, first, last;
    int64_t first_slot, last_slot;
};

static void add(struct want *a, int64_t slot, int64_t value)
{
    if (a->count == 0 || value < a->min) {
        a->min = value;
    }
    if (a->count == 0 || value > a->max) {
        a->max = value;
    }
    if (a->count == 0 || slot < a->first_slot || (slot == a->first_slot && value > a->first)) {
        a->first = value;
        a->first_slot = slot;
    }
    if (a->count == 0 || slot > a->last_slot || (slot == a->last_slot && value > a->last)) {
        a->last = value;
        a->last_slot = slot;
    }
    a->sum += value;
    a->count++;
}

static double mean_of(const struct want *a, int field)
{
    struct bbi_sum s;
    bbi_sum_init(&s, NULL);
    bbi_sum_add_scaled(&s, a->sum, field == 0 ? 3 : 0);
    double mean = bbi_sum_mean(&s, a->count);
    bbi_sum_fini(&s);
    return mean;
}

static void put_number(struct bbi_buf *out, const char *name, int field, int64_t value)
{
    if (field == 0) {
        bbi_buf_printf(out, " %s=%.17g", name, (double)value / 1000.0);
    } else {
        bbi_buf_printf(out, " %s=%" PRId64 "i", name, value);
    }
}

static void put_row(struct bbi_buf *out, const char *head, int64_t time, const struct want *a,
                    int field)
{
    bbi_buf_printf(out, "p%s: time=%" PRId64 " count=%" PRIu64 "i", head, time, a->count);
    put_number(out, "sum", field, a->sum);
    bbi_buf_printf(out, " mean=%.17g", mean_of(a, field));
    put_number(out, "min", field, a->min);
    put_number(out, "max", field, a->max);
    put_number(out, "first", field, a->first);
    put_number(out, "last", field, a->last);
    bbi_buf_str(out, "\n");
}

struct ask {
    int field;
    int64_t tmin, tmax; /* inclusive */
    int64_t width;      /* 0: no GROUP BY time() */
    int grouping;       /* 0 none, 1 site, 2 id */
    int64_t above;      /* v > this many thousandths; INT64_MIN: no filter */
};

static bool in_group(const struct ask *q, int series, int group)
{
    return q->grouping == 0 || (q->grouping == 1 ? series % 3 == group : series == group);
}

static struct want want_of(const struct world *w, const struct ask *q, int group, int64_t from,
                           int64_t to)
{
    struct want a = {0};
    for (int s = 0; s < SERIES; s++) {
        for (int slot = 0; in_group(q, s, group) && slot < SLOTS; slot++) {
            const struct cell *c = &w->cells[s][slot];
            int64_t t = BASE_NS + slot * STEP_NS;
            bool kept = q->above == INT64_MIN || (c->has[0] && c->value[0] > q->above);
            if (c->has[q->field] && kept && t >= from && t <= to && t >= q->tmin && t <= q->tmax) {
                add(&a, slot, c->value[q->field]);
            }
        }
    }
    return a;
}

static void put_group(const struct world *w, const struct ask *q, int group, struct bbi_buf *out)
{
    char head[16] = "";
    if (q->grouping == 1) {
        (void)snprintf(head, sizeof(head), "{site=%c}", 'a' + group);
    } else if (q->grouping == 2) {
        (void)snprintf(head, sizeof(head), "{id=m%d}", group);
    }
    int64_t width = q->width == 0 ? INT64_MAX : q->width;
    int64_t from = q->width == 0 ? q->tmin : q->tmin / width * width;
    while (from <= q->tmax) {
        int64_t to = q->width == 0 ? q->tmax : from + width - 1;
        struct want a = want_of(w, q, group, from, to);
        if (a.count > 0) {
            put_row(out, head, from, &a, q->field);
        }
        if (q->width == 0) {
            break;
        }
        from += width;
    }
}

static void ask_one(struct world *w)
{
    static const int64_t widths_h[] = {0, 0, 1, 6, 24, 100, 168};
    struct ask q = {.field = (int)rng_below(&w->rng, 2),
                    .width = widths_h[rng_below(&w->rng, 7)] * STEP_NS,
                    .grouping = (int)rng_below(&w->rng, 3),
                    .above = INT64_MIN};
    char text[512];
    char filter[64] = "";
    struct bbi_buf want;
    q.tmin = BASE_NS + (int64_t)rng_below(&w->rng, SLOTS) * STEP_NS -
             (int64_t)rng_below(&w->rng, 2);
    q.tmax = q.tmin + (int64_t)rng_below(&w->rng, SLOTS) * STEP_NS;
    if (rng_below(&w->rng, 4) == 0) {
        q.tmin = BASE_NS;
        q.tmax = END_NS;
    }
    if (rng_below(&w->rng, 4) == 0) {
        q.above = (int64_t)rng_below(&w->rng, 50) * 1000;
        (void)snprintf(filter, sizeof(filter), " AND v > %" PRId64, q.above / 1000);
    }
    const char *f = q.field == 0 ? "v" : "n";
    static const char *const by[] = {"", "site", "id"};
    int n = snprintf(text, sizeof(text),
                     "SELECT count(%s), sum(%s), mean(%s), min(%s), max(%s), first(%s), last(%s) "
                     "FROM p WHERE time >= %" PRId64 " AND time <= %" PRId64 "%s",
                     f, f, f, f, f, f, f, q.tmin, q.tmax, filter);
    if (q.width != 0) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, " GROUP BY time(%" PRId64 "h)%s%s",
                      q.width / STEP_NS, q.grouping != 0 ? ", " : "", by[q.grouping]);
        (void)snprintf(text + n, sizeof(text) - (size_t)n, " fill(none)");
    } else if (q.grouping != 0) {
        (void)snprintf(text + n, sizeof(text) - (size_t)n, " GROUP BY %s", by[q.grouping]);
    }
    bbi_buf_init(&want, NULL, 64u << 20);
    for (int g = 0; g < (q.grouping == 0 ? 1 : q.grouping == 1 ? 3 : SERIES); g++) {
        put_group(w, &q, g, &want);
    }
    bbi_buf_u8(&want, 0);
    assert_int_equal(want.err, BB_OK);
    dbtest_expect(&w->t, text, (const char *)want.data);
    bbi_buf_fini(&want);
}

/* Rows as they are, of one meter, so that their order is plain. */
static void ask_rows(struct world *w)
{
    char text[256];
    struct bbi_buf want;
    int series = (int)rng_below(&w->rng, SERIES);
    int from = (int)rng_below(&w->rng, SLOTS);
    int to = from + (int)rng_below(&w->rng, SLOTS);
    bool down = rng_below(&w->rng, 2) == 0;
    (void)snprintf(text, sizeof(text),
                   "SELECT v, n FROM p WHERE id = 'm%d' AND time >= %" PRId64
                   " AND time <= %" PRId64 "%s",
                   series, BASE_NS + from * STEP_NS, BASE_NS + to * STEP_NS,
                   down ? " ORDER BY time DESC" : "");
    bbi_buf_init(&want, NULL, 64u << 20);
    for (int i = 0; i <= to - from; i++) {
        int slot = down ? to - i : from + i;
        if (slot >= SLOTS || !w->cells[series][slot].has[0]) {
            continue;
        }
        const struct cell *c = &w->cells[series][slot];
        bbi_buf_printf(&want, "p: time=%" PRId64, BASE_NS + slot * STEP_NS);
        put_number(&want, "v", 0, c->value[0]);
        if (c->has[1]) {
            put_number(&want, "n", 1, c->value[1]);
        } else {
            bbi_buf_str(&want, " n=null");
        }
        bbi_buf_str(&want, "\n");
    }
    bbi_buf_u8(&want, 0);
    dbtest_expect(&w->t, text, (const char *)want.data);
    bbi_buf_fini(&want);
}

static void test_model(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->rng = rng_from_env();
    dbtest_open(&w->t);
    for (int round = 0; round < ROUNDS; round++) {
        act(w);
        for (int i = 0; i < QUERIES; i++) {
            ask_one(w);
        }
        ask_rows(w);
        ask_rows(w);
    }
    dbtest_close(&w->t);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
