/*
 * A SELECT with calls: which groups and buckets are worked on at a time, so that the cells stay
 * within a part of the query's memory, whatever the query asks for.
 *
 * All groups at once is the usual case. More groups than fit are taken in portions, in the order of
 * the result; a single group with more buckets than fit is taken in stretches of time.
 */
#include "engine/query/select_agg.h"

#include <stdlib.h>
#include <string.h>

struct runner {
    struct bbi_binding *b;
    struct bbi_emit *e;
    struct bbi_agg agg;
    struct bbi_agg_rows rows;
    int64_t bucket_first; /* that the data has */
    size_t bucket_count;
    uint64_t cells_max; /* at a time */
    uint64_t few;       /* intervals that LIMIT and OFFSET ask for of a group; 0: not few */
    /* for portions: series by group */
    uint32_t *members;    /* [series.count] indexes, group after group */
    size_t *group_at;     /* [group_count + 1] */
    uint32_t *portion;    /* ids of the portion's series, ascending */
    uint32_t *portion_of; /* their groups, counted in the portion */
    uint32_t *portion_tags;
};

/* ---- what the cells hold ---- */

static unsigned needs_of(const struct bbi_plan *plan, enum bbi_func func)
{
    bool timed = plan->is_selector && (plan->buckets.width_ns == 0 || plan->ref_count > 0);
    unsigned times = timed || plan->keeps_times ? BBI_NEED_TIMES : 0;
    switch (func) {
    case BBI_FUNC_COUNT:
        return BBI_NEED_COUNT;
    case BBI_FUNC_SUM:
    case BBI_FUNC_MEAN:
        return BBI_NEED_COUNT | BBI_NEED_SUM;
    case BBI_FUNC_MIN:
        return BBI_NEED_COUNT | BBI_NEED_MIN | times;
    case BBI_FUNC_MAX:
        return BBI_NEED_COUNT | BBI_NEED_MAX | times;
    case BBI_FUNC_SPREAD:
        return BBI_NEED_COUNT | BBI_NEED_MIN | BBI_NEED_MAX;
    case BBI_FUNC_FIRST:
        return BBI_NEED_FIRST;
    case BBI_FUNC_LAST:
        return BBI_NEED_LAST;
    case BBI_FUNC_PERCENTILE_APPROX:
    case BBI_FUNC_MEDIAN_APPROX:
        return BBI_NEED_COUNT | BBI_NEED_SKETCH;
    default:
        return BBI_NEED_COUNT;
    }
}

static int init_layout(struct bbi_agg *agg, struct bbi_binding *b, struct bb_error *err)
{
    struct bbi_state_layout *layout = &agg->layout;
    layout->field_count = b->fields.count;
    int rc = bbi_qctx_array(b->plan->ctx, b->fields.count, sizeof(layout->fields[0]),
                            &layout->fields, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < b->fields.count; i++) {
        layout->fields[i].type = b->fields.types[i];
    }
    for (size_t i = 0; i < b->plan->call_count; i++) {
        if (b->call_fields[i] != SIZE_MAX) {
            unsigned needs = needs_of(b->plan, b->plan->calls[i].func);
            layout->fields[b->call_fields[i]].needs |= (uint8_t)needs;
        }
    }
    bbi_state_layout_init(layout);
    return BB_OK;
}

/* Buckets are counted in int64, with room to spare. */
static bool counts_fit(const struct bbi_plan *plan)
{
    return plan->buckets.width_ns == 0 || (double)plan->when.tmax - (double)plan->when.tmin <
                                              0x1p62 * (double)plan->buckets.width_ns;
}

int bbi_agg_prepare(struct bbi_agg *agg, struct bbi_binding *b, int64_t *bucket_first,
                    size_t *bucket_count, struct bb_error *err)
{
    const struct bbi_qscan *scan = &b->scan;
    *agg = (struct bbi_agg){.scan = &b->scan,
                            .types = b->fields.types,
                            .filter = b->has_filter ? &b->filter : NULL,
                            .group_of = b->series.group_of,
                            .group_count = b->series.groups.count,
                            .tags_of = b->series.tags_of,
                            .tags = &b->series.tags,
                            .buckets = b->plan->buckets};
    *bucket_first = bbi_bucket_of(&agg->buckets, scan->data_tmin);
    uint64_t count = (uint64_t)(bbi_bucket_of(&agg->buckets, scan->data_tmax) - *bucket_first);
    if (count >= (uint64_t)1 << 40 || !counts_fit(b->plan)) {
        return bbi_error_set(err, BB_ELIMIT, "GROUP BY time() gives too many intervals");
    }
    *bucket_count = (size_t)count + 1;
    return init_layout(agg, b, err);
}

uint64_t bbi_agg_cell_cost(const struct bbi_agg *agg, size_t bucket_count)
{
    uint64_t cost = agg->layout.cell_bytes;
    double cells = (double)(agg->group_count + 1) * (double)bucket_count;
    double rows = (double)agg->scan->rows / cells + 1;
    /* A table is at least a quarter full, once it has grown. */
    double bytes = (rows * 4 + 32) * BBI_SKETCH_BYTES_MAX / (2 * BBI_SKETCH_BINS);
    for (size_t i = 0; i < agg->layout.field_count; i++) {
        if ((agg->layout.fields[i].needs & BBI_NEED_SKETCH) != 0) {
            cost += bytes < (double)BBI_SKETCH_BYTES_MAX ? (uint64_t)bytes : BBI_SKETCH_BYTES_MAX;
        }
    }
    return cost;
}

static int init(struct runner *r, struct bbi_binding *b, struct bbi_emit *e, struct bb_error *err)
{
    r->b = b;
    r->e = e;
    int rc = bbi_agg_prepare(&r->agg, b, &r->bucket_first, &r->bucket_count, err);
    if (rc == BB_OK) {
        rc = bbi_agg_rows_init(&r->rows, b, e, err);
    }
    if (rc == BB_OK) {
        r->cells_max = bbi_select_budget(b->plan->ctx) /
                       (bbi_agg_cell_cost(&r->agg, r->bucket_count) * bbi_agg_threads(&b->scan));
    }
    return rc;
}

/* ---- rows beside a selector ---- */

static int look_up(struct runner *r, const struct bbi_qscan *scan, struct bbi_arena *arena,
                   struct bbi_lookup_row ***out, struct bb_error *err)
{
    const struct bbi_plan *plan = r->b->plan;
    const struct bbi_agg *agg = &r->agg;
    size_t cells = agg->group_count * agg->bucket_count;
    size_t count = 0;
    *out = NULL;
    if (plan->ref_count == 0 || !plan->is_selector || r->b->call_fields[0] == SIZE_MAX) {
        return BB_OK;
    }
    const struct bbi_state_field *f = &agg->layout.fields[r->b->call_fields[0]];
    struct bbi_lookup_row **by_cell = bbi_arena_zalloc(arena, cells, sizeof(by_cell[0]));
    struct bbi_lookup_row **list = bbi_arena_zalloc(arena, cells, sizeof(list[0]));
    if (by_cell == NULL || list == NULL) {
        return bbi_error_nomem(err, "rows");
    }
    for (size_t i = 0; i < cells; i++) {
        void *cell = bbi_agg_cell(agg, i / agg->bucket_count, i % agg->bucket_count);
        if (cell == NULL || *bbi_state_count(cell, f) == 0) {
            continue;
        }
        const struct bbi_state_point *p = bbi_call_point(&plan->calls[0], f, cell);
        by_cell[i] = bbi_arena_zalloc(arena, 1, sizeof(*by_cell[i]));
        if (by_cell[i] == NULL) {
            return bbi_error_nomem(err, "rows");
        }
        by_cell[i]->series_at = p->series_at;
        by_cell[i]->time = p->time;
        list[count++] = by_cell[i];
    }
    *out = by_cell;
    return bbi_lookup_rows(r->b, scan, list, count, arena, err);
}

/* ---- portions of groups ---- */

static int give_groups(struct runner *r, size_t first, struct bb_error *err)
{
    struct bbi_arena arena;
    struct bbi_lookup_row **beside;
    size_t count = r->agg.group_count;
    bbi_arena_init(&arena, &r->b->plan->ctx->acct);
    int rc = look_up(r, r->agg.scan, &arena, &beside, err);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        size_t at = r->b->plan->descending ? count - 1 - i : i;
        int64_t from;
        int64_t to;
        if (r->agg.cells[at] == NULL) {
            continue;
        }
        r->rows.cells = at;
        r->rows.beside = beside == NULL ? NULL : beside + at * r->agg.bucket_count;
        bbi_agg_rows_begin(&r->rows, first + at);
        if (bbi_agg_rows_range(&r->rows, &from, &to)) {
            rc = bbi_agg_rows_give(&r->rows, from, to, err);
        }
    }
    /* Strings in the batch live in the cells. */
    if (rc == BB_OK) {
        rc = bbi_emit_flush(r->e, err);
    }
    bbi_arena_fini(&arena);
    return rc;
}

static int run_all(struct runner *r, struct bb_error *err)
{
    r->agg.bucket_first = r->bucket_first;
    r->agg.bucket_count = r->bucket_count;
    r->rows.agg = &r->agg;
    int rc = bbi_agg_run(&r->agg, err);
    if (rc == BB_OK) {
        rc = give_groups(r, 0, err);
    }
    bbi_agg_fini(&r->agg);
    return rc;
}

static int sort_members(struct runner *r, struct bb_error *err)
{
    struct bbi_qctx *ctx = r->b->plan->ctx;
    const struct bbi_series_set *set = &r->b->series;
    size_t groups = set->groups.count;
    int rc = bbi_qctx_array(ctx, set->count, sizeof(r->members[0]), &r->members, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, groups + 2, sizeof(r->group_at[0]), &r->group_at, err)
                     : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, set->count, sizeof(uint32_t), &r->portion, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, set->count, sizeof(uint32_t), &r->portion_of, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, set->count, sizeof(uint32_t), &r->portion_tags, err)
                     : rc;
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < set->count; i++) {
        r->group_at[bbi_series_group(set, i) + 2]++;
    }
    for (size_t g = 2; g < groups + 2; g++) {
        r->group_at[g] += r->group_at[g - 1];
    }
    for (size_t i = 0; i < set->count; i++) {
        r->members[r->group_at[bbi_series_group(set, i) + 1]++] = (uint32_t)i;
    }
    return BB_OK;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Let the scan and the aggregation see groups [first, first + count) alone. */
static int choose_portion(struct runner *r, size_t first, size_t count, struct bb_error *err)
{
    const struct bbi_series_set *set = &r->b->series;
    uint32_t *members = r->members + r->group_at[first];
    size_t n = r->group_at[first + count] - r->group_at[first];
    qsort(members, n, sizeof(members[0]), by_number);
    for (size_t i = 0; i < n; i++) {
        r->portion[i] = set->ids[members[i]];
        r->portion_of[i] = bbi_series_group(set, members[i]) - (uint32_t)first;
        r->portion_tags[i] = set->tags_of == NULL ? 0 : set->tags_of[members[i]];
    }
    r->agg.group_of = r->portion_of;
    r->agg.tags_of = set->tags_of == NULL ? NULL : r->portion_tags;
    r->agg.group_count = count;
    return bbi_qscan_restrict(&r->b->scan, r->portion, n, err);
}

static int run_portion(struct runner *r, size_t first, size_t count, struct bb_error *err)
{
    int rc = choose_portion(r, first, count, err);
    if (rc == BB_OK) {
        rc = bbi_agg_run(&r->agg, err);
        rc = rc == BB_OK ? give_groups(r, first, err) : rc;
        bbi_agg_fini(&r->agg);
    }
    return rc;
}

static int run_portions(struct runner *r, struct bb_error *err)
{
    size_t groups = r->b->series.groups.count;
    size_t most = (size_t)(r->cells_max / r->bucket_count);
    size_t portions = (groups + most - 1) / most;
    int rc = sort_members(r, err);
    r->agg.bucket_first = r->bucket_first;
    r->agg.bucket_count = r->bucket_count;
    r->rows.agg = &r->agg;
    for (size_t i = 0; rc == BB_OK && i < portions; i++) {
        size_t first = (r->b->plan->descending ? portions - 1 - i : i) * most;
        rc = run_portion(r, first, groups - first < most ? groups - first : most, err);
    }
    return rc;
}

/* ---- stretches of time ---- */

/* Which buckets of the group have values of each call, from one cell of counts, first and last. */
static int survey(struct runner *r, struct bbi_call_rows *out, struct bb_error *err)
{
    struct bbi_agg agg = r->agg;
    const struct bbi_plan *plan = r->b->plan;
    agg.layout.fields = NULL;
    int rc = bbi_qctx_array(plan->ctx, agg.layout.field_count, sizeof(agg.layout.fields[0]),
                            &agg.layout.fields, err);
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < agg.layout.field_count; i++) {
        agg.layout.fields[i] = (struct bbi_state_field){.type = r->agg.layout.fields[i].type};
        if (r->agg.layout.fields[i].needs != 0) {
            agg.layout.fields[i].needs = BBI_NEED_FIRST | BBI_NEED_LAST;
        }
    }
    bbi_state_layout_init(&agg.layout);
    agg.buckets = (struct bbi_buckets){0};
    agg.bucket_first = 0;
    agg.bucket_count = 1;
    rc = bbi_agg_run(&agg, err);
    for (size_t i = 0; rc == BB_OK && i < plan->call_count; i++) {
        size_t field = r->b->call_fields[i];
        void *cell = bbi_agg_cell(&agg, 0, 0);
        const struct bbi_state_field *f = field == SIZE_MAX ? NULL : &agg.layout.fields[field];
        memset(&out[i], 0, sizeof(out[i]));
        if (cell != NULL && f != NULL && *bbi_state_count(cell, f) != 0) {
            out[i].any = true;
            out[i].first = bbi_bucket_of(&plan->buckets, bbi_state_first(cell, f)->time);
            out[i].last = bbi_bucket_of(&plan->buckets, bbi_state_last(cell, f)->time);
        }
    }
    bbi_agg_fini(&agg);
    return rc;
}

/* Fill and give the rows of buckets [from, to] of one group; those without data need no cells. */
static int run_stretch(struct runner *r, const struct bbi_qscan *whole, int64_t from, int64_t to,
                       struct bb_error *err)
{
    struct bbi_qscan scan = *whole;
    struct bbi_arena arena;
    struct bbi_lookup_row **beside = NULL;
    int64_t low = bbi_bucket_start(&r->agg.buckets, from);
    int64_t high = bbi_bucket_last(&r->agg.buckets, to);
    scan.tmin = low > whole->tmin ? low : whole->tmin;
    scan.tmax = high < whole->tmax ? high : whole->tmax;
    bbi_arena_init(&scan.region_arena, &scan.ctx->acct);
    bbi_arena_init(&arena, &scan.ctx->acct);
    int rc = bbi_qscan_restrict(&scan, scan.series, scan.series_count, err);
    r->agg.scan = &scan;
    r->agg.bucket_first = from;
    r->agg.bucket_count = (size_t)(to - from) + 1;
    if (rc == BB_OK) {
        rc = bbi_agg_run(&r->agg, err);
    }
    if (rc == BB_OK) {
        rc = look_up(r, &scan, &arena, &beside, err);
    }
    if (rc == BB_OK) {
        r->rows.beside = beside;
        rc = bbi_agg_rows_give(&r->rows, from, to, err);
    }
    if (rc == BB_OK) {
        rc = bbi_emit_flush(r->e, err);
    }
    bbi_agg_fini(&r->agg);
    bbi_arena_fini(&arena);
    bbi_qscan_fini(&scan);
    return rc;
}

/* Intervals without values may not count towards a LIMIT: longer and longer stretches follow. */
static int run_stretches(struct runner *r, size_t group, struct bb_error *err)
{
    int64_t cells = r->cells_max < 4096 ? 4096 : (int64_t)r->cells_max;
    int64_t most = r->few != 0 && (int64_t)r->few < cells ? (int64_t)r->few : cells;
    int64_t from;
    int64_t to;
    const struct bbi_qscan *whole = &r->b->scan;
    int rc = choose_portion(r, group, 1, err);
    r->agg.scan = whole;
    r->agg.bucket_count = 0;
    r->rows.agg = &r->agg;
    r->rows.cells = 0;
    if (rc == BB_OK && r->b->scan.region_count > 0) {
        bbi_agg_rows_begin(&r->rows, group);
        rc = survey(r, r->rows.calls, err);
    }
    if (rc != BB_OK || !bbi_agg_rows_range(&r->rows, &from, &to)) {
        return rc;
    }
    if (r->b->plan->fill == BBI_QL_FILL_LINEAR) {
        return bbi_error_set(err, BB_ELIMIT,
                             "GROUP BY time() gives more intervals than fill(linear) can hold");
    }
    bool descending = r->b->plan->descending;
    while (rc == BB_OK && from <= to && !bbi_agg_rows_done(&r->rows)) {
        int64_t n = to - from < most ? to - from + 1 : most;
        rc = run_stretch(r, whole, descending ? to - n + 1 : from, descending ? to : from + n - 1,
                         err);
        from += descending ? 0 : n;
        to -= descending ? n : 0;
        most = most > cells / 4 ? cells : most * 4;
    }
    r->agg.scan = whole;
    return rc;
}

static int run_groups_in_stretches(struct runner *r, struct bb_error *err)
{
    size_t groups = r->b->series.groups.count;
    int rc = sort_members(r, err);
    for (size_t i = 0; rc == BB_OK && i < groups; i++) {
        rc = run_stretches(r, r->b->plan->descending ? groups - 1 - i : i, err);
    }
    return rc;
}

/* Whether it is worth it to find out first where the data begins and ends, which takes a filter all
 * values, and then to read from there until LIMIT has its rows: of one group, since it is done
 * group by group. */
static bool wants_few(const struct runner *r)
{
    const struct bbi_plan *plan = r->b->plan;
    uint64_t most = r->bucket_count / 4;
    return plan->limit != 0 && plan->limit <= most && plan->offset <= most - plan->limit &&
           r->b->series.groups.count == 1 && !r->b->has_filter && plan->fill != BBI_QL_FILL_LINEAR;
}

int bbi_select_aggregates(struct bbi_binding *b, struct bbi_emit *e, struct bb_error *err)
{
    struct runner r;
    if (b->scan.region_count == 0) {
        return BB_OK;
    }
    memset(&r, 0, sizeof(r));
    int rc = init(&r, b, e, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (wants_few(&r)) {
        r.few = b->plan->limit + b->plan->offset;
    }
    if (r.few != 0 || r.bucket_count > r.cells_max) {
        return run_groups_in_stretches(&r, err);
    }
    if (b->series.groups.count > r.cells_max / r.bucket_count) {
        return run_portions(&r, err);
    }
    return run_all(&r, err);
}
