#include "engine/query/raw_cursor.h"

#include <stdlib.h>
#include <string.h>

#include "engine/query/emit.h"
#include "engine/query/keytext.h"

/* Series of one group that are merged in the order of their keys; more are in that of their ids. */
#define SORTED_SERIES_MAX 65536

/* LIMIT and OFFSET up to which that is done. */
#define TOP_ROWS_MAX 65536

/* Rows that the first window of a query with a LIMIT aims at. */
#define WINDOW_ROWS_MIN 4096

/* InfluxDB's shards count from the year 1. */
#define SECONDS_FROM_YEAR_1 INT64_C(62135596800)

/* ---- a group's series in the order of their keys ---- */

struct keyed {
    size_t at; /* of the key's text */
    uint32_t member;
    const struct bbi_buf *text;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a;
    const struct keyed *y = b;
    return strcmp((const char *)x->text->data + x->at, (const char *)y->text->data + y->at);
}

static int sort_group(struct bbi_raw_cursor *c, uint32_t *members, size_t count,
                      struct bb_error *err)
{
    struct bbi_qctx *ctx = c->b->plan->ctx;
    struct bbi_buf key;
    struct bbi_buf text;
    uint32_t mid;
    if (count < 2 || count > SORTED_SERIES_MAX) {
        return BB_OK;
    }
    struct keyed *list = bbi_mem_zalloc(&ctx->acct, count, sizeof(list[0]));
    if (list == NULL) {
        return bbi_error_nomem(err, "series");
    }
    bbi_buf_init(&key, &ctx->acct, 1 << 20);
    bbi_buf_init(&text, &ctx->acct, SIZE_MAX / 4);
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        bbi_buf_reset(&key);
        rc = bbi_catalog_series_key(ctx->env->catalog, c->b->measurement->db_id,
                                    c->b->series.ids[members[i]], &mid, &key, err);
        rc = rc == BB_ENOTFOUND ? BB_OK : rc; /* dropped meanwhile: any place will do */
        list[i] = (struct keyed){text.len, members[i], &text};
        bbi_keytext_put(&text, key.data, key.len);
        bbi_buf_u8(&text, 0);
        if (rc == BB_OK && i % 256 == 255) {
            rc = bbi_qctx_check(ctx, err);
        }
    }
    if (rc == BB_OK) {
        rc = bbi_buf_check(&text, "series keys", err);
    }
    if (rc == BB_OK) {
        qsort(list, count, sizeof(list[0]), by_key);
        for (size_t i = 0; i < count; i++) {
            members[i] = list[c->merge.descending ? count - 1 - i : i].member;
        }
    }
    bbi_buf_fini(&text);
    bbi_buf_fini(&key);
    bbi_mem_free(list);
    return rc;
}

/* ---- portions ---- */

static int sort_members(struct bbi_raw_cursor *c, struct bb_error *err)
{
    const struct bbi_series_set *set = &c->b->series;
    size_t groups = c->b->order_count;
    for (size_t i = 0; i < set->count; i++) {
        c->group_at[bbi_binding_order(c->b, i) + 2]++;
    }
    for (size_t g = 2; g < groups + 2; g++) {
        c->group_at[g] += c->group_at[g - 1];
    }
    for (size_t i = 0; i < set->count; i++) {
        c->members[c->group_at[bbi_binding_order(c->b, i) + 1]++] = (uint32_t)i;
    }
    int rc = BB_OK;
    for (size_t g = 0; rc == BB_OK && g < groups; g++) {
        rc = sort_group(c, c->members + c->group_at[g], c->group_at[g + 1] - c->group_at[g], err);
    }
    return rc;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Let the scan see groups [first, first + count) alone. */
static int choose_portion(struct bbi_raw_cursor *c, size_t first, size_t count,
                          struct bb_error *err)
{
    const struct bbi_series_set *set = &c->b->series;
    const uint32_t *members = c->members + c->group_at[first];
    size_t n = c->group_at[first + count] - c->group_at[first];
    c->first = first;
    c->count = count;
    c->at = 0;
    memcpy(c->portion, members, n * sizeof(members[0]));
    qsort(c->portion, n, sizeof(c->portion[0]), by_number);
    for (size_t i = 0; i < n; i++) {
        uint32_t member = c->portion[i];
        c->place[member] = (uint32_t)i;
        c->portion_tags[i] = set->tags_of == NULL ? 0 : set->tags_of[member];
        c->portion_groups[i] = bbi_series_group(set, member);
        c->portion[i] = set->ids[member];
    }
    return bbi_qscan_restrict(c->scan, c->portion, n, err);
}

static const uint32_t *tags_of(const struct bbi_raw_cursor *c)
{
    return c->b->series.tags_of == NULL ? NULL : c->portion_tags;
}

/* The most rows of one series that can matter. */
static uint64_t rows_max(const struct bbi_raw_cursor *c)
{
    const struct bbi_plan *plan = c->b->plan;
    return plan->limit == 0 ? 0 : plan->limit + plan->offset;
}

static int read_rows(struct bbi_raw_cursor *c, const struct bbi_raw_range *range,
                     struct bb_error *err)
{
    int rc = BB_OK;
    if (c->holds && c->before_drop != NULL) {
        rc = c->before_drop(c->arg, err);
    }
    c->holds = false;
    return rc == BB_OK ? bbi_raw_store_read(&c->store, c->scan, tags_of(c), range, err) : rc;
}

/* ---- groups in memory ---- */

static void begin_group(struct bbi_raw_cursor *c, size_t group)
{
    size_t from = c->group_at[group];
    c->group = group;
    c->seen = 0;
    c->skips = false;
    c->series_count = c->group_at[group + 1] - from;
    for (size_t i = 0; i < c->series_count; i++) {
        c->series[i] = c->place[c->members[from + i]];
    }
    c->merge.by_id = c->series_count > SORTED_SERIES_MAX;
}

static bool is_done(const struct bbi_raw_cursor *c)
{
    const struct bbi_plan *plan = c->b->plan;
    return c->skips || (plan->limit != 0 && c->seen >= plan->offset + plan->limit);
}

static int64_t shard_of(const struct bbi_raw_cursor *c, struct bbi_raw_head head)
{
    return bbi_bucket_of(&c->shards, bbi_raw_time(head));
}

/* The shard that the next rows of the group are in; false: there are none. */
static bool next_shard(struct bbi_raw_cursor *c)
{
    bool any = false;
    for (size_t i = 0; i < c->series_count; i++) {
        struct bbi_raw_head head = c->merge.heads[c->series[i]];
        if (head.piece == NULL) {
            continue;
        }
        int64_t s = shard_of(c, head);
        if (!any || (c->merge.descending ? s > c->shard : s < c->shard)) {
            c->shard = s;
        }
        any = true;
    }
    return any;
}

/* ---- sweeps ---- */

/* To look at each series once a window is worth it where most of them have rows in each. */
static bool is_dense(const struct bbi_raw_cursor *c, double rows, int64_t tmin, int64_t tmax)
{
    const struct bbi_buckets *buckets = &c->b->plan->buckets;
    double windows = (double)bbi_bucket_of(buckets, tmax) - (double)bbi_bucket_of(buckets, tmin);
    return rows >= (windows + 1) * (double)c->series_count;
}

static bool is_dense_group(const struct bbi_raw_cursor *c)
{
    int64_t tmin = INT64_MAX;
    int64_t tmax = INT64_MIN;
    double rows = 0;
    for (size_t i = 0; i < c->series_count; i++) {
        const struct bbi_raw_series *s = &c->store.series[c->series[i]];
        if (s->first != NULL) {
            int64_t first = s->first->times[0];
            int64_t last = s->last->times[s->last->count - 1];
            tmin = first < tmin ? first : tmin;
            tmax = last > tmax ? last : tmax;
            rows += (double)s->rows;
        }
    }
    return rows > 0 && is_dense(c, rows, tmin, tmax);
}

/* The first window that a series has rows left in; those without any leave. */
static bool next_bucket(struct bbi_raw_cursor *c)
{
    struct bbi_raw_sweep *s = &c->sweep;
    const struct bbi_buckets *buckets = &c->b->plan->buckets;
    uint32_t *live = c->series + c->series_count;
    size_t left = 0;
    int64_t first = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct bbi_raw_head head = c->merge.heads[live[i]];
        if (head.piece == NULL) {
            continue;
        }
        int64_t time = bbi_raw_time(head);
        if (left == 0 || (c->merge.descending ? time > first : time < first)) {
            first = time;
        }
        live[left++] = live[i];
    }
    int64_t bucket = bbi_bucket_of(buckets, first);
    s->tmin = buckets->width_ns == 0 ? INT64_MIN : bbi_bucket_start(buckets, bucket);
    s->tmax = bbi_bucket_last(buckets, bucket);
    s->count = left;
    s->at = 0;
    return left > 0;
}

static void begin_sweep(struct bbi_raw_cursor *c)
{
    memcpy(c->series + c->series_count, c->series, c->series_count * sizeof(c->series[0]));
    c->sweep.count = c->series_count;
    c->sweep.at = c->sweep.count;
}

static bool take_from_sweep(struct bbi_raw_cursor *c, struct bbi_raw_row *row)
{
    struct bbi_raw_sweep *s = &c->sweep;
    while (s->at < s->count || next_bucket(c)) {
        size_t series_at = c->series[c->series_count + s->at];
        struct bbi_raw_head head = c->merge.heads[series_at];
        if (head.piece != NULL && bbi_raw_time(head) >= s->tmin && bbi_raw_time(head) <= s->tmax) {
            *row = (struct bbi_raw_row){series_at, head};
            c->merge.heads[series_at] = bbi_raw_next(&c->merge, head);
            return true;
        }
        s->at++;
    }
    return false;
}

/* ---- groups in memory, one after the other ---- */

/* Merge those series whose next row is in the shard. */
static void begin_shard(struct bbi_raw_cursor *c)
{
    c->heap_tmin = INT64_MIN;
    c->heap_tmax = INT64_MAX;
    if (c->sweep.on) {
        begin_sweep(c);
        return;
    }
    uint32_t *live = c->series + c->series_count;
    size_t n = 0;
    for (size_t i = 0; i < c->series_count; i++) {
        struct bbi_raw_head head = c->merge.heads[c->series[i]];
        if (head.piece != NULL && shard_of(c, head) == c->shard) {
            live[n++] = c->series[i];
        }
    }
    bbi_raw_heap_begin(&c->merge, live, n);
}

static void next_group(struct bbi_raw_cursor *c)
{
    if (c->at == c->count) {
        c->stage = BBI_RAW_PORTION;
        return;
    }
    size_t at = c->merge.descending ? c->count - 1 - c->at : c->at;
    c->at++;
    begin_group(c, c->first + at);
    c->stage = BBI_RAW_SHARD;
    if (c->series_count == 1) {
        c->head = c->merge.heads[c->series[0]];
        c->stage = BBI_RAW_SERIES;
    }
    c->sweep.on = c->any_order && is_dense_group(c);
}

/* ---- a group as it is read ---- */

static void place_window(const struct bbi_raw_cursor *c, struct bbi_raw_window *w)
{
    if (c->merge.descending) {
        w->tmax = w->begun ? w->tmin - 1 : w->shard_tmax;
        uint64_t left = (uint64_t)w->tmax - (uint64_t)w->shard_tmin;
        w->tmin = (int64_t)((uint64_t)w->tmax - (left < w->width ? left : w->width));
    } else {
        w->tmin = w->begun ? w->tmax + 1 : w->shard_tmin;
        uint64_t left = (uint64_t)w->shard_tmax - (uint64_t)w->tmin;
        w->tmax = (int64_t)((uint64_t)w->tmin + (left < w->width ? left : w->width));
    }
}

/* Of very many series the first rows are found without reading all of them. */
static uint64_t top_rows(const struct bbi_raw_cursor *c)
{
    uint64_t rows = rows_max(c);
    return c->merge.by_id && rows <= TOP_ROWS_MAX ? rows : 0;
}

static int read_window(struct bbi_raw_cursor *c, struct bb_error *err)
{
    struct bbi_raw_window *w = &c->window;
    for (;;) {
        place_window(c, w);
        bool seam = !c->merge.by_id && !c->sweep.on;
        struct bbi_raw_range range = {.tmin = w->tmin,
                                      .tmax = w->tmax,
                                      .limit_tmin = seam ? w->shard_tmin : w->tmin,
                                      .limit_tmax = seam ? w->shard_tmax : w->tmax,
                                      .rows_max = rows_max(c),
                                      .bytes_max = c->budget,
                                      .top = top_rows(c)};
        int rc = read_rows(c, &range, err);
        if (rc != BB_OK || !c->store.over) {
            return rc;
        }
        if (w->tmin == w->tmax) {
            return bbi_error_set(err, BB_ELIMIT,
                                 "the rows of one time do not fit into the query's memory");
        }
        w->width = ((uint64_t)w->tmax - (uint64_t)w->tmin) / 2;
        /* The window before ended where this one began. */
        w->tmax = c->merge.descending ? w->tmax : w->tmin - 1;
        w->tmin = c->merge.descending ? w->tmax + 1 : w->tmin;
        w->begun = true;
    }
}

static bool at_shard_end(const struct bbi_raw_cursor *c)
{
    const struct bbi_raw_window *w = &c->window;
    return c->merge.descending ? w->tmin == w->shard_tmin : w->tmax == w->shard_tmax;
}

static int next_window(struct bbi_raw_cursor *c, struct bb_error *err)
{
    struct bbi_raw_window *w = &c->window;
    bool more = c->merge.by_id || c->sweep.on || c->merge.count > 0;
    if (!w->first && (!more || at_shard_end(c))) {
        c->stage = BBI_RAW_LAPSE;
        return BB_OK;
    }
    int rc = read_window(c, err);
    if (rc == BB_OK) {
        rc = bbi_raw_merge_rewind(&c->merge, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    if (c->sweep.on) {
        begin_sweep(c);
    } else if (w->first || c->merge.by_id) {
        bbi_raw_heap_begin(&c->merge, c->series, c->series_count);
    }
    w->first = false;
    w->begun = true;
    if (c->store.bytes < c->budget / 8) {
        w->width = w->width > UINT64_MAX / 8 ? UINT64_MAX : w->width * 8 + 1;
    }
    c->heap_tmin = w->tmin;
    c->heap_tmax = w->tmax;
    c->stage = BBI_RAW_HEAP;
    return BB_OK;
}

static void next_lapse(struct bbi_raw_cursor *c)
{
    struct bbi_raw_window *w = &c->window;
    int64_t first = bbi_bucket_of(&c->shards, c->scan->data_tmin);
    int64_t last = bbi_bucket_of(&c->shards, c->scan->data_tmax);
    if (w->lapse > last - first) {
        c->stage = BBI_RAW_PORTION;
        return;
    }
    c->shard = c->merge.descending ? last - w->lapse : first + w->lapse;
    w->lapse++;
    int64_t tmin = bbi_bucket_start(&c->shards, c->shard);
    int64_t tmax = bbi_bucket_last(&c->shards, c->shard);
    w->shard_tmin = tmin > c->scan->data_tmin ? tmin : c->scan->data_tmin;
    w->shard_tmax = tmax < c->scan->data_tmax ? tmax : c->scan->data_tmax;
    w->begun = false;
    w->first = true;
    c->stage = BBI_RAW_WINDOW;
}

/* How long a window may be so that about as many rows as are wanted lie in it. */
static uint64_t first_width(const struct bbi_raw_cursor *c)
{
    double rows = (double)c->scan->rows + 1;
    double span = (double)c->scan->data_tmax - (double)c->scan->data_tmin + 1;
    double wanted = (double)(c->budget / c->row_bytes) / 2;
    uint64_t most = rows_max(c);
    if (most != 0 || c->is_hasty) {
        double few = (double)most * 4 > WINDOW_ROWS_MIN ? (double)most * 4 : WINDOW_ROWS_MIN;
        wanted = few < wanted ? few : wanted;
    }
    double width = span * wanted / rows;
    return width >= 0x1p63 ? (uint64_t)INT64_MAX : width < 1 ? 1 : (uint64_t)width;
}

static int begin_stream(struct bbi_raw_cursor *c, size_t group, struct bb_error *err)
{
    int rc = choose_portion(c, group, 1, err);
    if (rc != BB_OK || c->scan->region_count == 0) {
        return rc;
    }
    begin_group(c, group);
    c->sweep.on = c->any_order &&
                  is_dense(c, (double)c->scan->rows, c->scan->data_tmin, c->scan->data_tmax);
    c->window = (struct bbi_raw_window){0};
    c->window.width = top_rows(c) != 0 ? UINT64_MAX : first_width(c);
    c->stage = BBI_RAW_LAPSE;
    return BB_OK;
}

/* ---- all groups ---- */

/* How many groups are likely to fit. */
static size_t portion_size(const struct bbi_raw_cursor *c)
{
    size_t groups = c->b->order_count;
    double rows = (double)c->b->scan.rows / (double)groups + 1;
    double most = (double)rows_max(c) * ((double)c->b->series.count / (double)groups);
    if (most > 0 && most < rows) {
        rows = most;
    }
    double fit = (double)c->budget / 2 / (rows * (double)c->row_bytes);
    return fit < 1 ? 1 : fit > (double)groups ? groups : (size_t)fit;
}

static int read_portion(struct bbi_raw_cursor *c, size_t first, size_t count, struct bb_error *err)
{
    int rc = choose_portion(c, first, count, err);
    struct bbi_raw_range range = {.tmin = c->scan->tmin,
                                  .tmax = c->scan->tmax,
                                  .limit_tmin = c->scan->tmin,
                                  .limit_tmax = c->scan->tmax,
                                  .rows_max = rows_max(c),
                                  .bytes_max = c->budget};
    return rc == BB_OK ? read_rows(c, &range, err) : rc;
}

/* *end: all groups are done. */
static int next_portion(struct bbi_raw_cursor *c, bool *end, struct bb_error *err)
{
    size_t groups = c->b->order_count;
    *end = c->done == groups;
    if (*end) {
        return BB_OK;
    }
    size_t left = groups - c->done;
    size_t count = c->size < left ? c->size : left;
    size_t first = c->merge.descending ? left - count : c->done;
    if (groups == 1) {
        c->done++;
        return begin_stream(c, first, err);
    }
    int rc = read_portion(c, first, count, err);
    if (rc == BB_OK && c->store.over && count > 1) {
        c->size = count / 2;
        return BB_OK;
    }
    c->done += count;
    if (rc == BB_OK && c->store.over) {
        return begin_stream(c, first, err);
    }
    if (rc == BB_OK) {
        rc = bbi_raw_merge_rewind(&c->merge, err);
        c->stage = BBI_RAW_GROUP;
    }
    return rc;
}

static int prepare(struct bbi_raw_cursor *c, struct bb_error *err)
{
    struct bbi_qctx *ctx = c->b->plan->ctx;
    size_t n = c->b->series.count;
    int rc = bbi_qctx_array(ctx, n, sizeof(uint32_t), &c->members, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, c->b->order_count + 2, sizeof(size_t), &c->group_at, err)
                     : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &c->portion, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &c->portion_tags, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &c->portion_groups, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &c->place, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n * 2, sizeof(uint32_t), &c->series, err) : rc;
    return rc == BB_OK ? sort_members(c, err) : rc;
}

int bbi_raw_cursor_open(struct bbi_raw_cursor *c, struct bbi_binding *b, uint64_t budget,
                        struct bb_error *err)
{
    int64_t shard_ns = b->measurement->rp.shard_ns;
    memset(c, 0, sizeof(*c));
    c->b = b;
    c->scan = &b->scan;
    c->budget = budget;
    c->row_bytes = 8 * (b->ref_fields.count + 2);
    c->shards.width_ns = shard_ns;
    c->shards.offset_ns = -(int64_t)((__int128)SECONDS_FROM_YEAR_1 * 1000000000 % shard_ns);
    if (b->is_empty || b->scan.region_count == 0 || b->series.groups.count == 0) {
        c->b = NULL;
        return BB_OK;
    }
    bbi_raw_merge_init(&c->merge, &c->store, b->plan->descending);
    int rc = bbi_raw_store_init(&c->store, b, err);
    if (rc == BB_OK) {
        rc = prepare(c, err);
    }
    c->size = portion_size(c);
    return rc;
}

void bbi_raw_cursor_close(struct bbi_raw_cursor *c)
{
    if (c->b != NULL) {
        bbi_raw_merge_fini(&c->merge);
        bbi_raw_store_fini(&c->store);
        c->b = NULL;
    }
}

/* ---- rows ---- */

/* The heap's next row if it lies in time; a series whose next row lies beyond the shard leaves the
 * heap. */
static bool take_from_heap(struct bbi_raw_cursor *c, struct bbi_raw_row *row)
{
    struct bbi_raw_merge *m = &c->merge;
    if (m->count == 0) {
        return false;
    }
    struct bbi_raw_head head = m->heads[m->heap[0].series_at];
    if (bbi_raw_time(head) < c->heap_tmin || bbi_raw_time(head) > c->heap_tmax) {
        return false;
    }
    size_t series_at = bbi_raw_heap_pop(m);
    *row = (struct bbi_raw_row){series_at, head};
    m->heads[series_at] = bbi_raw_next(m, head);
    if (m->heads[series_at].piece != NULL && shard_of(c, m->heads[series_at]) == c->shard) {
        bbi_raw_heap_push(m, series_at);
    }
    return true;
}

static bool take_from_series(struct bbi_raw_cursor *c, struct bbi_raw_row *row)
{
    if (c->head.piece == NULL) {
        return false;
    }
    *row = (struct bbi_raw_row){c->series[0], c->head};
    c->head = bbi_raw_next(&c->merge, c->head);
    return true;
}

/* A row of what stands ready; else the stage moves on. */
static bool take(struct bbi_raw_cursor *c, struct bbi_raw_row *row)
{
    bool streams = c->heap_tmin != INT64_MIN;
    if (c->stage == BBI_RAW_SERIES) {
        if (!is_done(c) && take_from_series(c, row)) {
            return true;
        }
        c->stage = BBI_RAW_GROUP;
        return false;
    }
    if (is_done(c)) {
        c->merge.count = 0;
        c->sweep.count = 0;
        c->sweep.at = 0;
        c->stage = streams ? BBI_RAW_PORTION : BBI_RAW_GROUP;
        return false;
    }
    if (c->sweep.on ? take_from_sweep(c, row) : take_from_heap(c, row)) {
        return true;
    }
    c->stage = streams ? BBI_RAW_WINDOW : BBI_RAW_SHARD;
    return false;
}

/* Make the next rows ready. */
static int move_on(struct bbi_raw_cursor *c, bool *end, struct bb_error *err)
{
    switch (c->stage) {
    case BBI_RAW_PORTION:
        return next_portion(c, end, err);
    case BBI_RAW_GROUP:
        next_group(c);
        return BB_OK;
    case BBI_RAW_SHARD:
        if (next_shard(c)) {
            begin_shard(c);
            c->stage = BBI_RAW_HEAP;
        } else {
            c->stage = BBI_RAW_GROUP;
        }
        return BB_OK;
    case BBI_RAW_LAPSE:
        next_lapse(c);
        return BB_OK;
    default:
        return next_window(c, err);
    }
}

int bbi_raw_cursor_next(struct bbi_raw_cursor *c, struct bbi_raw_row *row, bool *any,
                        struct bb_error *err)
{
    bool end = c->b == NULL;
    int rc = BB_OK;
    *any = false;
    while (rc == BB_OK && !end) {
        if (c->stage != BBI_RAW_HEAP && c->stage != BBI_RAW_SERIES) {
            rc = move_on(c, &end, err);
        } else if (take(c, row) && c->seen++ >= c->b->plan->offset) {
            c->holds = true;
            *any = true;
            return BB_OK;
        }
    }
    return rc;
}

void bbi_raw_cursor_values(const struct bbi_raw_cursor *c, const struct bbi_raw_row *row,
                           struct bb_value *values)
{
    const struct bbi_binding *b = c->b;
    for (size_t i = 0; i < b->plan->ref_count; i++) {
        const struct bbi_ref_source *ref = &b->refs[i];
        struct bb_value *out = &values[i];
        memset(out, 0, sizeof(*out));
        if (ref->kind == BBI_REF_FIELD) {
            *out = bbi_vector_get(&row->head.piece->vectors[ref->index], row->head.row);
            if (ref->cast != BBI_QL_TYPE_UNKNOWN) {
                *out = bbi_value_cast(*out, ref->cast);
            }
        } else if (ref->kind == BBI_REF_TAG) {
            const char *value = b->series.tags.list[c->portion_tags[row->series_at]][ref->index];
            if (value[0] != '\0') {
                *out = bbi_value_string(value, strlen(value));
            }
        }
    }
}
