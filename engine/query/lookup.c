#include "engine/query/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "engine/query/emit.h"

struct place {
    struct bbi_lookup_row *row;
    size_t region;
};

static int by_region(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    if (x->region != y->region) {
        return x->region < y->region ? -1 : 1;
    }
    if (x->row->series_at != y->row->series_at) {
        return x->row->series_at < y->row->series_at ? -1 : 1;
    }
    return (x->row->time > y->row->time) - (x->row->time < y->row->time);
}

static size_t region_of(const struct bbi_qscan *scan, const struct bbi_lookup_row *row)
{
    for (size_t i = 0; i < scan->region_count; i++) {
        const struct bbi_region *r = &scan->regions[i];
        if (row->time >= r->tmin && row->time <= r->tmax && row->series_at >= r->series_first &&
            row->series_at < r->series_end) {
            return i;
        }
    }
    return SIZE_MAX;
}

static int open_region(const struct bbi_binding *b, const struct bbi_qscan *scan,
                       const struct bbi_region *region, struct bbi_merge *m, struct bb_error *err)
{
    const struct bbi_qctx *ctx = scan->ctx;
    int rc = BB_OK;
    bbi_merge_init(m, &scan->ctx->acct, scan->db_id, scan->rp_id, b->ref_fields.ids,
                   b->ref_fields.count, ctx->snapshot.tombs, ctx->snapshot.lsn);
    for (size_t i = 0; rc == BB_OK && i < region->segment_count; i++) {
        rc = bbi_merge_add_segment(m, scan->segments[region->segments[i]].segment, err);
    }
    for (size_t i = 0; rc == BB_OK && region->has_spaces && i < scan->space_count; i++) {
        rc = bbi_merge_add_memspace(m, scan->spaces[i].space, err);
    }
    return rc;
}

static int keep_value(const struct bbi_column *column, struct bbi_arena *arena,
                      struct bb_value *out, struct bb_error *err)
{
    struct bbi_vector v = {.type = column->type,
                           .present = true,
                           .bits = column->bits,
                           .strs = column->strs,
                           .valid = column->valid};
    *out = bbi_vector_get(&v, 0);
    if (out->kind == BB_VALUE_STRING && out->length > 0) {
        out->v.str = bbi_arena_dup(arena, out->v.str, out->length);
        if (out->v.str == NULL) {
            return bbi_error_nomem(err, "strings");
        }
    }
    return BB_OK;
}

static int fetch(const struct bbi_binding *b, const struct bbi_qscan *scan, struct bbi_merge *m,
                 struct bbi_lookup_row *row, struct bbi_arena *arena, struct bb_error *err)
{
    struct bbi_window window;
    int rc = bbi_merge_series(m, scan->measurement_id, scan->series[row->series_at], row->time,
                              row->time, err);
    if (rc == BB_OK) {
        rc = bbi_merge_next(m, &window, err);
    }
    if (rc != BB_OK || window.rows == 0) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < window.column_count; i++) {
        size_t field = bbi_field_list_find(&b->ref_fields, window.columns[i].field_id);
        if (field != SIZE_MAX) {
            rc = keep_value(&window.columns[i], arena, &row->values[field], err);
        }
    }
    return rc;
}

static int fetch_all(const struct bbi_binding *b, const struct bbi_qscan *scan,
                     const struct place *places, size_t count, struct bbi_arena *arena,
                     struct bb_error *err)
{
    struct bbi_merge m;
    size_t open = SIZE_MAX;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < count && places[i].region != SIZE_MAX; i++) {
        if (places[i].region != open) {
            if (open != SIZE_MAX) {
                bbi_merge_fini(&m);
            }
            open = places[i].region;
            rc = open_region(b, scan, &scan->regions[open], &m, err);
        }
        if (rc == BB_OK) {
            rc = fetch(b, scan, &m, places[i].row, arena, err);
        }
        if (rc == BB_OK && i % 64 == 63) {
            rc = bbi_qctx_check(scan->ctx, err);
        }
    }
    if (open != SIZE_MAX) {
        scan->ctx->stats.pages_read += m.pages_read;
        bbi_merge_fini(&m);
    }
    return rc;
}

int bbi_lookup_rows(const struct bbi_binding *b, const struct bbi_qscan *scan,
                    struct bbi_lookup_row **rows, size_t count, struct bbi_arena *arena,
                    struct bb_error *err)
{
    struct place *places = bbi_arena_zalloc(arena, count, sizeof(places[0]));
    if (places == NULL) {
        return bbi_error_nomem(err, "rows");
    }
    for (size_t i = 0; i < count; i++) {
        rows[i]->values = bbi_arena_zalloc(arena, b->ref_fields.count, sizeof(struct bb_value));
        if (rows[i]->values == NULL) {
            return bbi_error_nomem(err, "rows");
        }
        places[i] = (struct place){rows[i], region_of(scan, rows[i])};
    }
    if (count == 0 || b->ref_fields.count == 0) {
        return BB_OK;
    }
    qsort(places, count, sizeof(places[0]), by_region);
    return fetch_all(b, scan, places, count, arena, err);
}
