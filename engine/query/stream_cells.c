/*
 * The results of one call over one measurement from cells, which statistics and packed pages fill
 * by many threads (agg.h).
 *
 * As many groups as fit are filled at a time; of groups that do not fit, stretches of intervals.
 * Groups that come together in the order of the query are told interval by interval, those of a
 * function that picks a point in the order of these points' times.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/query/select_agg.h"
#include "engine/query/stream.h"

/* Intervals that are filled first where a LIMIT may want no more. */
#define FEW_BUCKETS 256
#define FEW_GROWTH  8

struct timed_group {
    int64_t time_ns;
    uint32_t rank;
};

struct cells {
    struct bbi_stream base;
    struct bbi_plan plan; /* of the call alone */
    struct bbi_call call;
    const struct bbi_measurement *measurement;
    int64_t start; /* of the only window, without intervals */
    bool to_window;
    uint64_t budget;
    bool is_open;
    bool is_empty;
    struct bbi_binding binding;
    struct bbi_agg agg;
    bool has_cells;
    int64_t bucket_first; /* that the data has */
    size_t bucket_count;
    size_t cells_max;
    /* groups by place in the order of the query, then by themselves: their ranks */
    uint32_t *group_at;        /* [groups] by rank */
    uint32_t *rank_of;         /* [groups] */
    size_t *place_at;          /* [places + 1] ranks of each place */
    struct timed_group *timed; /* [groups] by rank, those of a place by time, of one bucket; NULL:
                                  as they are */
    size_t done;               /* places that are done or in the portion */
    /* the portion: places [place_first, place_end), which begin at a rank */
    size_t place_first;
    size_t place_end;
    size_t buckets_done; /* of the portion, if not all fit */
    size_t buckets_few;  /* at a time, as long as a LIMIT may make an end of it; SIZE_MAX: as fit */
    uint32_t *portion;
    uint32_t *portion_of;
    uint32_t *portion_tags;
    struct bbi_qscan scan; /* of the stretch */
    bool has_scan;
    /* where the next point is, as steps in the order of the query */
    size_t place_step;
    size_t bucket_step;
    size_t group_step;
};

/* ---- opening ---- */

static int rank_groups(struct cells *c, struct bb_error *err)
{
    struct bbi_binding *b = &c->binding;
    struct bbi_qctx *ctx = c->plan.ctx;
    size_t groups = b->series.groups.count;
    int rc = bbi_qctx_array(ctx, groups, sizeof(c->group_at[0]), &c->group_at, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, groups, sizeof(c->rank_of[0]), &c->rank_of, err) : rc;
    rc = rc == BB_OK
             ? bbi_qctx_array(ctx, b->order_count + 2, sizeof(c->place_at[0]), &c->place_at, err)
             : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t g = 0; g < groups; g++) {
        c->place_at[(b->order_of == NULL ? g : b->order_of[g]) + 2]++;
    }
    for (size_t p = 2; p < b->order_count + 2; p++) {
        c->place_at[p] += c->place_at[p - 1];
    }
    for (size_t g = 0; g < groups; g++) {
        size_t rank = c->place_at[(b->order_of == NULL ? g : b->order_of[g]) + 1]++;
        c->group_at[rank] = (uint32_t)g;
        c->rank_of[g] = (uint32_t)rank;
    }
    return BB_OK;
}

static bool picks_points(const struct bbi_call *call)
{
    return call->func == BBI_FUNC_MIN || call->func == BBI_FUNC_MAX ||
           call->func == BBI_FUNC_FIRST || call->func == BBI_FUNC_LAST;
}

/* Whether it matters to what is around a plan in which order the points of one interval come. */
static bool is_order_seen(const struct bbi_plan *plan)
{
    const struct bbi_plan *around = plan->parent;
    if (plan->buckets.width_ns == 0 || around == NULL || around->call_count == 0 ||
        plan->fill != BBI_QL_FILL_NONE) {
        return true;
    }
    for (size_t i = 0; i < around->call_count; i++) {
        if (bbi_func_info(around->calls[i].func)->class != BBI_FN_AGGREGATE) {
            return true;
        }
    }
    return false;
}

static int cells_open(struct cells *c, struct bb_error *err)
{
    struct bbi_binding *b = &c->binding;
    struct bbi_qctx *ctx = c->plan.ctx;
    c->is_open = true;
    int rc = bbi_binding_build(&c->plan, c->measurement, b, err);
    c->is_empty = rc != BB_OK || b->is_empty || b->series.groups.count == 0 ||
                  b->scan.region_count == 0;
    if (c->is_empty) {
        return rc;
    }
    size_t n = b->series.count;
    rc = bbi_agg_prepare(&c->agg, b, &c->bucket_first, &c->bucket_count, err);
    rc = rc == BB_OK ? rank_groups(c, err) : rc;
    if (rc == BB_OK && c->plan.keeps_times && b->order_count < b->series.groups.count) {
        rc = bbi_qctx_array(ctx, b->series.groups.count, sizeof(c->timed[0]), &c->timed, err);
    }
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &c->portion, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &c->portion_of, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &c->portion_tags, err) : rc;
    if (rc == BB_OK) {
        c->cells_max = c->budget / (bbi_agg_cell_cost(&c->agg, c->bucket_count) *
                                    bbi_agg_threads(&b->scan)) +
                       1;
    }
    return rc;
}

/* ---- portions ---- */

static void drop_cells(struct cells *c)
{
    if (c->has_cells) {
        bbi_agg_fini(&c->agg);
        c->has_cells = false;
    }
    if (c->has_scan) {
        bbi_qscan_fini(&c->scan);
        c->has_scan = false;
    }
}

/* As many places as fit, at least one. */
static void next_places(struct cells *c)
{
    size_t places = c->binding.order_count;
    bool descending = c->plan.descending;
    size_t most = c->cells_max / c->bucket_count;
    size_t count = 0;
    size_t groups = 0;
    do {
        size_t place = descending ? places - 1 - c->done - count : c->done + count;
        groups += c->place_at[place + 1] - c->place_at[place];
        count++;
    } while (c->done + count < places && groups < most);
    c->place_first = descending ? places - c->done - count : c->done;
    c->place_end = c->place_first + count;
    c->done += count;
    c->buckets_done = 0;
}

static size_t choose_series(struct cells *c, size_t rank_first, size_t rank_end)
{
    const struct bbi_series_set *set = &c->binding.series;
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++) {
        size_t rank = c->rank_of[bbi_series_group(set, i)];
        if (rank >= rank_first && rank < rank_end) {
            c->portion[n] = set->ids[i];
            c->portion_of[n] = (uint32_t)(rank - rank_first);
            c->portion_tags[n] = set->tags_of == NULL ? 0 : set->tags_of[i];
            n++;
        }
    }
    return n;
}

static int earlier(const void *a, const void *b)
{
    const struct timed_group *x = a;
    const struct timed_group *y = b;
    int order = (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
    return order != 0 ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

static int later(const void *a, const void *b)
{
    return earlier(b, a);
}

static void order_by_time(struct cells *c, size_t place, size_t bucket)
{
    const struct bbi_agg *agg = &c->agg;
    const struct bbi_state_field *f = &agg->layout.fields[c->binding.call_fields[0]];
    size_t first = c->place_at[c->place_first];
    size_t from = c->place_at[place];
    size_t end = c->place_at[place + 1];
    for (size_t rank = from; rank < end; rank++) {
        void *cell = bbi_agg_cell(agg, rank - first, bucket);
        bool has = cell != NULL && *bbi_state_count(cell, f) != 0;
        c->timed[rank].rank = (uint32_t)rank;
        c->timed[rank].time_ns = has ? bbi_call_point(&c->call, f, cell)->time : 0;
    }
    qsort(c->timed + from, end - from, sizeof(c->timed[0]), c->plan.descending ? later : earlier);
}

/* Fill cells of [first, first + count) of the data's buckets. */
static int fill_cells(struct cells *c, size_t first, size_t count, struct bb_error *err)
{
    const struct bbi_qscan *whole = &c->binding.scan;
    struct bbi_agg *agg = &c->agg;
    size_t rank_first = c->place_at[c->place_first];
    size_t rank_end = c->place_at[c->place_end];
    size_t n = choose_series(c, rank_first, rank_end);
    int64_t low = bbi_bucket_start(&agg->buckets, c->bucket_first + (int64_t)first);
    int64_t high = bbi_bucket_last(&agg->buckets, c->bucket_first + (int64_t)(first + count) - 1);
    bool all = agg->buckets.width_ns == 0;
    drop_cells(c);
    c->scan = *whole;
    c->scan.tmin = all || low < whole->tmin ? whole->tmin : low;
    c->scan.tmax = all || high > whole->tmax ? whole->tmax : high;
    bbi_arena_init(&c->scan.region_arena, &c->plan.ctx->acct);
    c->has_scan = true;
    int rc = bbi_qscan_restrict(&c->scan, c->portion, n, err);
    agg->scan = &c->scan;
    agg->group_of = c->portion_of;
    agg->tags_of = c->binding.series.tags_of == NULL ? NULL : c->portion_tags;
    agg->group_count = rank_end - rank_first;
    agg->bucket_first = c->bucket_first + (int64_t)first;
    agg->bucket_count = count;
    c->place_step = 0;
    c->bucket_step = 0;
    c->group_step = 0;
    if (rc == BB_OK) {
        c->has_cells = true;
        rc = bbi_agg_run(agg, err);
    }
    return rc;
}

/* *end: all is done. */
static int next_portion(struct cells *c, bool *end, struct bb_error *err)
{
    *end = false;
    if (c->buckets_done == c->bucket_count || c->place_end == c->place_first) {
        *end = c->done == c->binding.order_count;
        if (*end) {
            return BB_OK;
        }
        next_places(c);
    }
    size_t groups = c->place_at[c->place_end] - c->place_at[c->place_first];
    size_t most = c->cells_max / groups == 0 ? 1 : c->cells_max / groups;
    size_t left = c->bucket_count - c->buckets_done;
    size_t count = most < left ? most : left;
    if (c->buckets_few < count && c->binding.order_count == 1) {
        count = c->buckets_few;
        c->buckets_few *= FEW_GROWTH;
    }
    size_t first = c->plan.descending ? left - count : c->buckets_done;
    c->buckets_done += count;
    return fill_cells(c, first, count, err);
}

/* ---- points ---- */

/* The next cell that has a value. */
static void *next_cell(struct cells *c, size_t *rank, size_t *bucket)
{
    const struct bbi_agg *agg = &c->agg;
    const struct bbi_state_field *f = &agg->layout.fields[c->binding.call_fields[0]];
    size_t places = c->place_end - c->place_first;
    bool descending = c->plan.descending;
    for (; c->place_step < places; c->place_step++, c->bucket_step = 0) {
        size_t place = descending ? c->place_end - 1 - c->place_step
                                  : c->place_first + c->place_step;
        size_t from = c->place_at[place];
        for (; c->bucket_step < agg->bucket_count; c->bucket_step++, c->group_step = 0) {
            *bucket = descending ? agg->bucket_count - 1 - c->bucket_step : c->bucket_step;
            if (c->timed != NULL && c->group_step == 0) {
                order_by_time(c, place, *bucket);
            }
            while (from + c->group_step < c->place_at[place + 1]) {
                size_t step = c->group_step++;
                *rank = c->timed != NULL ? c->timed[from + step].rank
                        : descending     ? c->place_at[place + 1] - 1 - step
                                         : from + step;
                void *cell = bbi_agg_cell(agg, *rank - c->place_at[c->place_first], *bucket);
                if (cell != NULL && *bbi_state_count(cell, f) != 0) {
                    return cell;
                }
            }
        }
    }
    return NULL;
}

static int64_t time_of(const struct cells *c, void *cell, size_t bucket)
{
    const struct bbi_agg *agg = &c->agg;
    if (agg->buckets.width_ns != 0) {
        return bbi_bucket_start(&agg->buckets, agg->bucket_first + (int64_t)bucket);
    }
    if (!c->to_window) {
        const struct bbi_state_field *f = &agg->layout.fields[c->binding.call_fields[0]];
        return bbi_call_point(&c->call, f, cell)->time;
    }
    return c->start == BBI_TIME_MIN ? 0 : c->start;
}

static int give_point(struct cells *c, void *cell, size_t rank, size_t bucket,
                      struct bbi_stream_point *out, struct bb_error *err)
{
    const struct bbi_state_field *f = &c->agg.layout.fields[c->binding.call_fields[0]];
    out->group = (struct bbi_group){c->measurement->name,
                                    c->binding.series.groups.list[c->group_at[rank]], NULL};
    out->time = time_of(c, cell, bucket);
    out->aux = NULL;
    return bbi_call_value(&c->call, f, cell, &c->plan.ctx->acct, &out->value, err);
}

static int cells_next(struct bbi_stream *base, struct bbi_stream_point *out, bool *any,
                      struct bb_error *err)
{
    struct cells *c = (struct cells *)base;
    size_t rank;
    size_t bucket;
    bool end = false;
    int rc = c->is_open ? BB_OK : cells_open(c, err);
    *any = false;
    while (rc == BB_OK && !c->is_empty && !end) {
        void *cell = c->has_cells ? next_cell(c, &rank, &bucket) : NULL;
        if (cell != NULL) {
            *any = true;
            return give_point(c, cell, rank, bucket, out, err);
        }
        rc = next_portion(c, &end, err);
    }
    return rc;
}

/* One place is one group; only of a single place not all intervals are there. */
static void cells_skip(struct bbi_stream *base)
{
    struct cells *c = (struct cells *)base;
    c->bucket_step = c->agg.bucket_count;
    c->group_step = 0;
    c->buckets_done = c->bucket_count;
}

static void cells_close(struct bbi_stream *base)
{
    struct cells *c = (struct cells *)base;
    if (c->is_open) {
        drop_cells(c);
        bbi_binding_fini(&c->binding);
        c->is_open = false;
    }
}

int bbi_stream_cells(const struct bbi_flow *flow, const struct bbi_measurement *m,
                     const struct bbi_call *call, bool to_window, struct bbi_stream **out,
                     struct bb_error *err)
{
    struct cells *c;
    *out = NULL;
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*c), &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    c->base = (struct bbi_stream){cells_next, cells_close, cells_skip};
    c->call = *call;
    c->plan = *flow->plan;
    c->plan.calls = &c->call;
    c->plan.call_count = 1;
    c->plan.ref_count = 0;
    c->plan.is_selector = !to_window;
    c->plan.keeps_times = picks_points(call) && !flow->by_group && is_order_seen(flow->plan);
    c->plan.when.tmin = flow->tmin;
    c->plan.when.tmax = flow->tmax;
    c->measurement = m;
    c->start = flow->tmin;
    c->to_window = to_window;
    c->budget = flow->budget;
    c->buckets_few = flow->is_hasty ? FEW_BUCKETS : SIZE_MAX;
    *out = &c->base;
    return BB_OK;
}
