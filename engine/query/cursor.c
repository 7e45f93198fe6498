#include "engine/query/cursor.h"

#include <string.h>

int bbi_qscan_cursor_open(struct bbi_qscan_cursor *c, const struct bbi_qscan *scan, size_t segment,
                          uint32_t series_min, uint32_t series_max, int64_t tmin, int64_t tmax,
                          struct bbi_qstats *stats, struct bb_error *err)
{
    struct bbi_segment *seg = scan->segments[segment].segment;
    size_t count;
    memset(c, 0, sizeof(*c));
    int rc = bbi_segment_pin(seg, err);
    if (rc != BB_OK) {
        return rc;
    }
    c->scan = scan;
    c->stats = stats;
    c->segment = seg;
    c->tmin = tmin;
    c->tmax = tmax;
    c->group = SIZE_MAX;
    bbi_timepage_init(&c->time, &scan->ctx->acct);
    c->groups = bbi_segment_groups(seg, &count);
    bbi_segment_find(seg, scan->measurement_id, series_min, series_max, &c->group_first,
                     &c->group_end);
    c->next_group = c->group_first;
    c->at_end = c->group_first >= c->group_end;
    c->slots = bbi_mem_zalloc(&scan->ctx->acct, scan->field_count, sizeof(c->slots[0]));
    if (c->slots == NULL) {
        return bbi_error_nomem(err, "field pages");
    }
    for (size_t i = 0; i < scan->field_count; i++) {
        bbi_fieldpage_init(&c->slots[i].page, &scan->ctx->acct);
    }
    return BB_OK;
}

void bbi_qscan_cursor_collect(struct bbi_qscan_cursor *c)
{
    for (size_t i = 0; c->slots != NULL && i < c->scan->field_count; i++) {
        struct bbi_fieldpage *fp = &c->slots[i].page;
        c->stats->values_packed += fp->packed_values;
        c->stats->values_decoded += fp->decoded_values;
        fp->packed_values = 0;
        fp->decoded_values = 0;
    }
}

void bbi_qscan_cursor_close(struct bbi_qscan_cursor *c)
{
    if (c->segment == NULL) {
        return;
    }
    bbi_qscan_cursor_collect(c);
    for (size_t i = 0; c->slots != NULL && i < c->scan->field_count; i++) {
        bbi_fieldpage_fini(&c->slots[i].page);
    }
    bbi_mem_free(c->slots);
    bbi_timepage_fini(&c->time);
    bbi_segment_unpin(c->segment);
    c->segment = NULL;
}

int bbi_qscan_cursor_enter(struct bbi_qscan_cursor *c, size_t group, struct bb_error *err)
{
    const struct bbi_segment_group *g = &c->groups[group];
    c->group = SIZE_MAX;
    int rc = bbi_qctx_check(c->scan->ctx, err);
    if (rc == BB_OK) {
        rc = bbi_segment_read_time(c->segment, group, &c->time, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < c->scan->field_count; i++) {
        c->slots[i].loaded = false;
        c->slots[i].index = bbi_segment_find_field(g, c->scan->fields[i]);
    }
    c->stats->pages_read++;
    c->group = group;
    c->next_group = group + 1;
    c->chunk = 0;
    c->at_end = false;
    return BB_OK;
}

int bbi_qscan_cursor_page(struct bbi_qscan_cursor *c, size_t field, struct bbi_fieldpage **page,
                          struct bb_error *err)
{
    struct bbi_cursor_slot *slot = &c->slots[field];
    *page = NULL;
    if (slot->index == SIZE_MAX) {
        return BB_OK;
    }
    if (!slot->loaded) {
        int rc = bbi_segment_read_field(c->segment, c->group, slot->index, &c->time, &slot->page,
                                        err);
        if (rc != BB_OK) {
            return rc;
        }
        c->stats->pages_read++;
        slot->loaded = true;
    }
    *page = &slot->page;
    return BB_OK;
}

bool bbi_qscan_cursor_is_full(const struct bbi_qscan_cursor *c, size_t field)
{
    const struct bbi_segment_group *g = &c->groups[c->group];
    size_t index = c->slots[field].index;
    return index != SIZE_MAX && g->fields[index].value_count == g->row_count;
}

static bool chunk_meets(const struct bbi_qscan_cursor *c)
{
    return c->time.tmin[c->chunk] <= c->tmax && c->time.tmax[c->chunk] >= c->tmin;
}

/* From `chunk` of the current group on, over all following groups that may hold series >= id. */
static int settle(struct bbi_qscan_cursor *c, size_t chunk, uint32_t series_id,
                  struct bb_error *err)
{
    for (;;) {
        if (c->group != SIZE_MAX) {
            for (c->chunk = chunk; c->chunk < c->time.chunk_count; c->chunk++) {
                if (chunk_meets(c)) {
                    return BB_OK;
                }
            }
        }
        size_t g = c->next_group;
        while (g < c->group_end && (c->groups[g].series_max < series_id ||
                                    c->groups[g].tmin > c->tmax || c->groups[g].tmax < c->tmin)) {
            g++;
            c->stats->groups_pruned++;
        }
        if (g >= c->group_end) {
            c->next_group = g;
            c->at_end = true;
            return BB_OK;
        }
        int rc = bbi_qscan_cursor_enter(c, g, err);
        if (rc != BB_OK) {
            return rc;
        }
        chunk = bbi_timepage_find(&c->time, series_id);
    }
}

/* Chunks looked at one by one before the page is searched. */
#define NEAR 8

int bbi_qscan_cursor_seek(struct bbi_qscan_cursor *c, uint32_t series_id, struct bb_error *err)
{
    if (c->at_end) {
        return BB_OK;
    }
    if (c->group == SIZE_MAX) {
        return settle(c, 0, series_id, err);
    }
    size_t chunk = c->chunk;
    for (size_t i = 0; i < NEAR && chunk < c->time.chunk_count; i++, chunk++) {
        if (c->time.series[chunk] >= series_id) {
            return chunk == c->chunk ? BB_OK : settle(c, chunk, series_id, err);
        }
    }
    return settle(c, bbi_timepage_find(&c->time, series_id), series_id, err);
}

int bbi_qscan_cursor_next(struct bbi_qscan_cursor *c, struct bb_error *err)
{
    return settle(c, c->chunk + 1, bbi_qscan_cursor_series(c), err);
}

static int bound(struct bbi_qscan_cursor *c, int64_t time, size_t *row, struct bb_error *err)
{
    if (time <= c->time.tmin[c->chunk]) {
        *row = 0;
        return BB_OK;
    }
    if (time > c->time.tmax[c->chunk]) {
        *row = c->time.rows[c->chunk];
        return BB_OK;
    }
    return bbi_timepage_lower_bound(&c->time, c->chunk, time, row, err);
}

int bbi_qscan_cursor_rows(struct bbi_qscan_cursor *c, int64_t tmin, int64_t tmax, size_t *from,
                          size_t *to, struct bb_error *err)
{
    int rc = bound(c, tmin, from, err);
    *to = c->time.rows[c->chunk];
    if (rc == BB_OK && tmax < c->time.tmax[c->chunk]) {
        rc = bound(c, tmax + 1, to, err);
    }
    return rc;
}
