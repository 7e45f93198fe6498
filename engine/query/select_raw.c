/*
 * A SELECT of fields.
 *
 * Groups that fit into memory are read many at a time, each series once, and given one after the
 * other. A group that does not fit is given as it is read: shard by shard, each in windows of time
 * that fit. A window also brings the next row of each series, so that the heap of the merge can go
 * on over the seam as if there were none.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/query/keytext.h"
#include "engine/query/raw_merge.h"
#include "engine/query/select.h"

/* Series of one group that are merged in the order of their keys; more are in that of their ids. */
#define SORTED_SERIES_MAX 65536

/* LIMIT and OFFSET up to which that is done. */
#define TOP_ROWS_MAX 65536

/* Rows that the first window of a query with a LIMIT aims at. */
#define WINDOW_ROWS_MIN 4096

/* InfluxDB's shards count from the year 1. */
#define SECONDS_FROM_YEAR_1 INT64_C(62135596800)

struct runner {
    struct bbi_binding *b;
    struct bbi_emit *e;
    struct bbi_raw_store store;
    struct bbi_raw_merge merge;
    struct bbi_buckets shards;
    struct bb_value *slots;
    struct bb_value *stack;
    uint64_t budget;
    uint64_t row_bytes;
    /* series by group */
    uint32_t *members; /* [series.count] indexes, group after group */
    size_t *group_at;  /* [groups + 2] */
    /* the portion that is read */
    struct bbi_qscan *scan;
    uint32_t *portion;
    uint32_t *portion_tags;
    uint32_t *place; /* [series.count] of a member: its index in the portion */
    /* the group that is given */
    size_t group;
    bool has_head;
    uint64_t seen; /* rows, for OFFSET and LIMIT */
};

/* ---- rows out ---- */

static bool is_done(const struct runner *r)
{
    const struct bbi_ql_select *select = r->b->plan->select;
    return select->limit != 0 && r->seen >= (uint64_t)select->offset + (uint64_t)select->limit;
}

static void fill_slots(struct runner *r, size_t series_at, struct bbi_raw_head head)
{
    const struct bbi_binding *b = r->b;
    for (size_t i = 0; i < b->plan->ref_count; i++) {
        const struct bbi_ref_source *ref = &b->refs[i];
        struct bb_value *out = &r->slots[i];
        memset(out, 0, sizeof(*out));
        if (ref->kind == BBI_REF_FIELD) {
            *out = bbi_vector_get(&head.piece->vectors[ref->index], head.row);
            if (ref->cast != BBI_QL_TYPE_UNKNOWN) {
                *out = bbi_value_cast(*out, ref->cast);
            }
        } else if (ref->kind == BBI_REF_TAG) {
            const char *value = b->series.tags.list[r->store.tags_of[series_at]][ref->index];
            if (value[0] != '\0') {
                *out = bbi_value_string(value, strlen(value));
            }
        }
    }
}

static int give_row(struct runner *r, size_t series_at, struct bbi_raw_head head,
                    struct bb_error *err)
{
    struct bb_value *row;
    int rc = BB_OK;
    if (r->seen++ < (uint64_t)r->b->plan->select->offset) {
        return BB_OK;
    }
    if (!r->has_head) {
        rc = bbi_select_head(r->b, r->e, r->group, err);
        r->has_head = true;
    }
    if (rc == BB_OK) {
        rc = bbi_emit_row(r->e, &row, err);
    }
    if (rc == BB_OK) {
        fill_slots(r, series_at, head);
        row[0] = bbi_value_time(bbi_raw_time(head));
        rc = bbi_select_outputs(r->b->plan, r->slots, r->stack, row + 1, err);
    }
    return rc;
}

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

static int sort_group(struct runner *r, uint32_t *members, size_t count, struct bb_error *err)
{
    struct bbi_qctx *ctx = r->b->plan->ctx;
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
        rc = bbi_catalog_series_key(ctx->env->catalog, r->b->measurement->db_id,
                                    r->b->series.ids[members[i]], &mid, &key, err);
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
            members[i] = list[r->merge.descending ? count - 1 - i : i].member;
        }
    }
    bbi_buf_fini(&text);
    bbi_buf_fini(&key);
    bbi_mem_free(list);
    return rc;
}

/* ---- portions ---- */

static int sort_members(struct runner *r, struct bb_error *err)
{
    const struct bbi_series_set *set = &r->b->series;
    size_t groups = set->groups.count;
    for (size_t i = 0; i < set->count; i++) {
        r->group_at[bbi_series_group(set, i) + 2]++;
    }
    for (size_t g = 2; g < groups + 2; g++) {
        r->group_at[g] += r->group_at[g - 1];
    }
    for (size_t i = 0; i < set->count; i++) {
        r->members[r->group_at[bbi_series_group(set, i) + 1]++] = (uint32_t)i;
    }
    int rc = BB_OK;
    for (size_t g = 0; rc == BB_OK && g < groups; g++) {
        rc = sort_group(r, r->members + r->group_at[g], r->group_at[g + 1] - r->group_at[g], err);
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
static int choose_portion(struct runner *r, size_t first, size_t count, struct bb_error *err)
{
    const struct bbi_series_set *set = &r->b->series;
    const uint32_t *members = r->members + r->group_at[first];
    size_t n = r->group_at[first + count] - r->group_at[first];
    memcpy(r->portion, members, n * sizeof(members[0]));
    qsort(r->portion, n, sizeof(r->portion[0]), by_number);
    for (size_t i = 0; i < n; i++) {
        uint32_t member = r->portion[i];
        r->place[member] = (uint32_t)i;
        r->portion_tags[i] = set->tags_of == NULL ? 0 : set->tags_of[member];
        r->portion[i] = set->ids[member];
    }
    return bbi_qscan_restrict(r->scan, r->portion, n, err);
}

static const uint32_t *tags_of(const struct runner *r)
{
    return r->b->series.tags_of == NULL ? NULL : r->portion_tags;
}

/* The most rows of one series that can matter. */
static uint64_t rows_max(const struct runner *r)
{
    const struct bbi_ql_select *select = r->b->plan->select;
    return select->limit == 0 ? 0 : (uint64_t)select->limit + (uint64_t)select->offset;
}

/* ---- groups in memory ---- */

static void list_places(const struct runner *r, uint32_t *out, size_t *count)
{
    size_t from = r->group_at[r->group];
    *count = r->group_at[r->group + 1] - from;
    for (size_t i = 0; i < *count; i++) {
        out[i] = r->place[r->members[from + i]];
    }
}

static int64_t shard_of(const struct runner *r, struct bbi_raw_head head)
{
    return bbi_bucket_of(&r->shards, bbi_raw_time(head));
}

/* The shard that the next rows of these series are in; false: there are none. */
static bool next_shard(const struct runner *r, const uint32_t *series, size_t count, int64_t *shard)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        struct bbi_raw_head head = r->merge.heads[series[i]];
        if (head.piece == NULL) {
            continue;
        }
        int64_t s = shard_of(r, head);
        if (!any || (r->merge.descending ? s > *shard : s < *shard)) {
            *shard = s;
        }
        any = true;
    }
    return any;
}

/* Those whose next row is in the shard, in the same order. */
static size_t in_shard(const struct runner *r, const uint32_t *series, size_t count, int64_t shard,
                       uint32_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct bbi_raw_head head = r->merge.heads[series[i]];
        if (head.piece != NULL && shard_of(r, head) == shard) {
            out[n++] = series[i];
        }
    }
    return n;
}

/* Give the heap's rows as long as they lie in a range of times; a series whose next row lies beyond
 * the shard leaves the heap. */
static int give_heap(struct runner *r, int64_t shard, int64_t tmin, int64_t tmax,
                     struct bb_error *err)
{
    struct bbi_raw_merge *m = &r->merge;
    int rc = BB_OK;
    while (rc == BB_OK && m->count > 0 && !is_done(r)) {
        struct bbi_raw_head head = m->heads[m->heap[0]];
        if (bbi_raw_time(head) < tmin || bbi_raw_time(head) > tmax) {
            return BB_OK;
        }
        size_t series_at = bbi_raw_heap_pop(m);
        rc = give_row(r, series_at, head, err);
        m->heads[series_at] = bbi_raw_next(m, head);
        if (m->heads[series_at].piece != NULL && shard_of(r, m->heads[series_at]) == shard) {
            bbi_raw_heap_push(m, series_at);
        }
    }
    return rc;
}

static int give_one_series(struct runner *r, size_t series_at, struct bb_error *err)
{
    struct bbi_raw_head head = r->merge.heads[series_at];
    int rc = BB_OK;
    for (; rc == BB_OK && head.piece != NULL && !is_done(r); head = bbi_raw_next(&r->merge, head)) {
        rc = give_row(r, series_at, head, err);
    }
    return rc;
}

static void begin_group(struct runner *r, size_t group)
{
    r->group = group;
    r->has_head = false;
    r->seen = 0;
}

static int give_group(struct runner *r, size_t group, uint32_t *scratch, struct bb_error *err)
{
    size_t count;
    int64_t shard = 0;
    int rc = BB_OK;
    begin_group(r, group);
    list_places(r, scratch, &count);
    if (count == 1) {
        return give_one_series(r, scratch[0], err);
    }
    uint32_t *live = scratch + count;
    r->merge.by_id = count > SORTED_SERIES_MAX;
    while (rc == BB_OK && !is_done(r) && next_shard(r, scratch, count, &shard)) {
        size_t n = in_shard(r, scratch, count, shard, live);
        bbi_raw_heap_begin(&r->merge, live, n);
        rc = give_heap(r, shard, INT64_MIN, INT64_MAX, err);
    }
    return rc;
}

static int give_portion(struct runner *r, size_t first, size_t count, struct bb_error *err)
{
    size_t n = r->group_at[first + count] - r->group_at[first];
    uint32_t *scratch = bbi_arena_alloc(&r->store.arena, 2 * n * sizeof(scratch[0]));
    if (scratch == NULL) {
        return bbi_error_nomem(err, "rows");
    }
    int rc = bbi_raw_merge_rewind(&r->merge, err);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        rc = give_group(r, first + (r->merge.descending ? count - 1 - i : i), scratch, err);
    }
    return rc == BB_OK ? bbi_emit_flush(r->e, err) : rc;
}

static int read_portion(struct runner *r, size_t first, size_t count, struct bb_error *err)
{
    int rc = choose_portion(r, first, count, err);
    struct bbi_raw_range range = {.tmin = r->scan->tmin,
                                  .tmax = r->scan->tmax,
                                  .limit_tmin = r->scan->tmin,
                                  .limit_tmax = r->scan->tmax,
                                  .rows_max = rows_max(r),
                                  .bytes_max = r->budget};
    return rc == BB_OK ? bbi_raw_store_read(&r->store, r->scan, tags_of(r), &range, err) : rc;
}

/* ---- a group as it is read ---- */

struct window {
    int64_t shard;
    int64_t shard_tmin; /* of its data */
    int64_t shard_tmax;
    int64_t tmin; /* the window */
    int64_t tmax;
    uint64_t width; /* of the next one, ns - 1 */
    bool begun;     /* the heap stands from the window before */
};

static void next_window(const struct runner *r, struct window *w)
{
    if (r->merge.descending) {
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
static uint64_t top_rows(const struct runner *r)
{
    uint64_t rows = rows_max(r);
    return r->merge.by_id && rows <= TOP_ROWS_MAX ? rows : 0;
}

static int read_window(struct runner *r, struct window *w, struct bb_error *err)
{
    for (;;) {
        next_window(r, w);
        bool seam = !r->merge.by_id;
        struct bbi_raw_range range = {.tmin = w->tmin,
                                      .tmax = w->tmax,
                                      .limit_tmin = seam ? w->shard_tmin : w->tmin,
                                      .limit_tmax = seam ? w->shard_tmax : w->tmax,
                                      .rows_max = rows_max(r),
                                      .bytes_max = r->budget,
                                      .top = top_rows(r)};
        int rc = bbi_raw_store_read(&r->store, r->scan, tags_of(r), &range, err);
        if (rc != BB_OK || !r->store.over) {
            return rc;
        }
        if (w->tmin == w->tmax) {
            return bbi_error_set(err, BB_ELIMIT,
                                 "the rows of one time do not fit into the query's memory");
        }
        w->width = ((uint64_t)w->tmax - (uint64_t)w->tmin) / 2;
        /* The window before ended where this one began. */
        w->tmax = r->merge.descending ? w->tmax : w->tmin - 1;
        w->tmin = r->merge.descending ? w->tmax + 1 : w->tmin;
        w->begun = true;
    }
}

static bool at_shard_end(const struct runner *r, const struct window *w)
{
    return r->merge.descending ? w->tmin == w->shard_tmin : w->tmax == w->shard_tmax;
}

static int give_shard(struct runner *r, struct window *w, const uint32_t *series, size_t count,
                      struct bb_error *err)
{
    bool first = true;
    bool more = true;
    int rc = BB_OK;
    w->begun = false;
    do {
        rc = read_window(r, w, err);
        if (rc == BB_OK) {
            rc = bbi_raw_merge_rewind(&r->merge, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        if (first || r->merge.by_id) {
            bbi_raw_heap_begin(&r->merge, series, count);
        }
        first = false;
        rc = give_heap(r, w->shard, w->tmin, w->tmax, err);
        if (rc == BB_OK) {
            rc = bbi_emit_flush(r->e, err);
        }
        w->begun = true;
        if (r->store.bytes < r->budget / 8) {
            w->width = w->width > UINT64_MAX / 8 ? UINT64_MAX : w->width * 8 + 1;
        }
        more = r->merge.by_id || r->merge.count > 0;
    } while (rc == BB_OK && more && !at_shard_end(r, w) && !is_done(r));
    return rc;
}

/* How long a window may be so that about as many rows as are wanted lie in it. */
static uint64_t first_width(const struct runner *r)
{
    double rows = (double)r->scan->rows + 1;
    double span = (double)r->scan->data_tmax - (double)r->scan->data_tmin + 1;
    double wanted = (double)(r->budget / r->row_bytes) / 2;
    uint64_t most = rows_max(r);
    if (most != 0) {
        double few = (double)most * 4 > WINDOW_ROWS_MIN ? (double)most * 4 : WINDOW_ROWS_MIN;
        wanted = few < wanted ? few : wanted;
    }
    double width = span * wanted / rows;
    return width >= 0x1p63 ? (uint64_t)INT64_MAX : width < 1 ? 1 : (uint64_t)width;
}

static int stream_group(struct runner *r, size_t group, struct bb_error *err)
{
    size_t count = r->group_at[group + 1] - r->group_at[group];
    struct window w = {0};
    begin_group(r, group);
    int rc = choose_portion(r, group, 1, err);
    if (rc != BB_OK || r->scan->region_count == 0) {
        return rc;
    }
    uint32_t *series = bbi_mem_zalloc(&r->scan->ctx->acct, count, sizeof(series[0]));
    if (series == NULL) {
        return bbi_error_nomem(err, "rows");
    }
    list_places(r, series, &count);
    r->merge.by_id = count > SORTED_SERIES_MAX;
    int64_t first = bbi_bucket_of(&r->shards, r->scan->data_tmin);
    int64_t last = bbi_bucket_of(&r->shards, r->scan->data_tmax);
    w.width = top_rows(r) != 0 ? UINT64_MAX : first_width(r);
    for (int64_t i = 0; rc == BB_OK && i <= last - first && !is_done(r); i++) {
        w.shard = r->merge.descending ? last - i : first + i;
        int64_t tmin = bbi_bucket_start(&r->shards, w.shard);
        int64_t tmax = bbi_bucket_last(&r->shards, w.shard);
        w.shard_tmin = tmin > r->scan->data_tmin ? tmin : r->scan->data_tmin;
        w.shard_tmax = tmax < r->scan->data_tmax ? tmax : r->scan->data_tmax;
        rc = give_shard(r, &w, series, count, err);
    }
    bbi_mem_free(series);
    return rc;
}

/* ---- all groups ---- */

/* How many groups are likely to fit. */
static size_t portion_size(const struct runner *r)
{
    size_t groups = r->b->series.groups.count;
    double rows = (double)r->b->scan.rows / (double)groups + 1;
    double most = (double)rows_max(r) * ((double)r->b->series.count / (double)groups);
    if (most > 0 && most < rows) {
        rows = most;
    }
    double fit = (double)r->budget / 2 / (rows * (double)r->row_bytes);
    return fit < 1 ? 1 : fit > (double)groups ? groups : (size_t)fit;
}

static int give_all(struct runner *r, struct bb_error *err)
{
    size_t groups = r->b->series.groups.count;
    size_t size = groups == 1 ? 1 : portion_size(r);
    size_t done = 0;
    int rc = BB_OK;
    while (rc == BB_OK && done < groups) {
        size_t count = size < groups - done ? size : groups - done;
        size_t first = r->merge.descending ? groups - done - count : done;
        if (groups == 1) {
            rc = stream_group(r, first, err);
            done += count;
            continue;
        }
        rc = read_portion(r, first, count, err);
        if (rc == BB_OK && r->store.over && count > 1) {
            size = count / 2;
            continue;
        }
        if (rc == BB_OK) {
            rc = r->store.over ? stream_group(r, first, err) : give_portion(r, first, count, err);
        }
        done += count;
    }
    return rc;
}

static int init(struct runner *r, struct bbi_binding *b, struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_qctx *ctx = b->plan->ctx;
    size_t n = b->series.count;
    int64_t shard_ns = b->measurement->rp.shard_ns;
    r->b = b;
    r->e = e;
    r->scan = &b->scan;
    r->budget = bbi_select_budget(ctx);
    r->row_bytes = 8 * (b->ref_fields.count + 2);
    r->shards.width_ns = shard_ns;
    r->shards.offset_ns = -(int64_t)((__int128)SECONDS_FROM_YEAR_1 * 1000000000 % shard_ns);
    int rc = bbi_qctx_array(ctx, b->plan->ref_count, sizeof(r->slots[0]), &r->slots, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, b->plan->depth, sizeof(r->stack[0]), &r->stack, err)
                     : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &r->members, err) : rc;
    rc = rc == BB_OK
             ? bbi_qctx_array(ctx, b->series.groups.count + 2, sizeof(size_t), &r->group_at, err)
             : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &r->portion, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &r->portion_tags, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, n, sizeof(uint32_t), &r->place, err) : rc;
    return rc == BB_OK ? sort_members(r, err) : rc;
}

int bbi_select_raw(struct bbi_binding *b, struct bbi_emit *e, struct bb_error *err)
{
    struct runner r;
    if (b->scan.region_count == 0) {
        return BB_OK;
    }
    memset(&r, 0, sizeof(r));
    bbi_raw_merge_init(&r.merge, &r.store, b->plan->descending);
    int rc = bbi_raw_store_init(&r.store, b, err);
    if (rc == BB_OK) {
        rc = init(&r, b, e, err);
    }
    if (rc == BB_OK) {
        rc = give_all(&r, err);
    }
    bbi_raw_merge_fini(&r.merge);
    bbi_raw_store_fini(&r.store);
    return rc;
}
