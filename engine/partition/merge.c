#include "engine/partition/merge.h"

#include <string.h>

/* Most values of a memtable's series in one piece: 16 MiB of values and LSNs. */
#define MEMSPACE_CELLS ((size_t)1 << 20)

/* One source of the merge, and where it stands in the series: rows [from, to) of its current piece
 * are to come. */
struct bbi_merge_source {
    struct bbi_segcursor cursor; /* of a segment; else zeroed */
    const struct bbi_memspace *space;
    struct bbi_memmerge mem;
    uint64_t lsn; /* of a segment's cells, when it comes to deletions */
    size_t from;
    size_t to;
    int64_t first; /* time of row `from` */
    int64_t last;  /* time of row `to` - 1 */
    bool done;
};

/* A column of a slice; lsns only of a memtable's. */
struct slice_column {
    struct bbi_column column;
    uint64_t *valid; /* the writable side of column.valid */
    const uint64_t *lsns;
};

/* What one source has in a window. */
struct slice {
    size_t rows;
    const int64_t *times;
    struct slice_column *columns;
    size_t column_count;
};

void bbi_merge_init(struct bbi_merge *m, struct bbi_account *acct, uint32_t db_id, uint32_t rp_id,
                    const uint32_t *fields, size_t field_count, const struct bbi_tombset *tombs,
                    uint64_t snapshot_lsn)
{
    *m = (struct bbi_merge){.acct = acct,
                            .tombs = tombs,
                            .snapshot_lsn = snapshot_lsn,
                            .db_id = db_id,
                            .rp_id = rp_id,
                            .fields = fields,
                            .field_count = field_count};
    bbi_arena_init(&m->arena, acct);
}

void bbi_merge_fini(struct bbi_merge *m)
{
    for (size_t i = 0; i < m->source_count; i++) {
        if (m->sources[i].space != NULL) {
            bbi_memmerge_fini(&m->sources[i].mem);
        } else {
            bbi_segcursor_close(&m->sources[i].cursor);
        }
    }
    bbi_mem_free(m->sources);
    bbi_arena_fini(&m->arena);
}

static int new_source(struct bbi_merge *m, struct bbi_merge_source **out, struct bb_error *err)
{
    if (m->source_count == m->source_cap) {
        size_t cap = m->source_cap == 0 ? 4 : m->source_cap * 2;
        struct bbi_merge_source *sources = bbi_mem_realloc(m->acct, m->sources,
                                                           cap * sizeof(sources[0]));
        if (sources == NULL) {
            return bbi_error_nomem(err, "sources of a merge");
        }
        m->sources = sources;
        m->source_cap = cap;
    }
    *out = &m->sources[m->source_count];
    memset(*out, 0, sizeof(**out));
    return BB_OK;
}

int bbi_merge_add_segment(struct bbi_merge *m, struct bbi_segment *seg, struct bb_error *err)
{
    struct bbi_merge_source *s = NULL;
    int rc = new_source(m, &s, err);
    if (rc == BB_OK) {
        rc = bbi_segcursor_open(&s->cursor, seg, m->fields, m->field_count, m->acct, err);
    }
    if (rc == BB_OK) {
        s->lsn = bbi_segment_get_meta(seg)->tombs_lsn;
        s->done = true;
        m->source_count++;
    }
    return rc;
}

int bbi_merge_add_memspace(struct bbi_merge *m, const struct bbi_memspace *space,
                           struct bb_error *err)
{
    struct bbi_merge_source *s = NULL;
    int rc = new_source(m, &s, err);
    if (rc == BB_OK) {
        s->space = space;
        s->done = true;
        bbi_memmerge_init(&s->mem, m->acct);
        s->mem.max_cells = MEMSPACE_CELLS;
        m->source_count++;
    }
    return rc;
}

/* Row of the first time >= t in the current piece of a segment, or its row count. */
static int piece_bound(struct bbi_segcursor *c, int64_t t, size_t *row, struct bb_error *err)
{
    if (t <= bbi_segcursor_tmin(c)) {
        *row = 0;
        return BB_OK;
    }
    if (t > bbi_segcursor_tmax(c)) {
        *row = bbi_segcursor_rows(c);
        return BB_OK;
    }
    return bbi_timepage_lower_bound(&c->time, c->chunk, t, row, err);
}

/* Cut the current piece to the range of times, going on to the next while nothing is left of it. */
static int settle_segment(struct bbi_merge *m, struct bbi_merge_source *s, struct bb_error *err)
{
    struct bbi_segcursor *c = &s->cursor;
    for (;;) {
        if (c->at_end || bbi_segcursor_tmin(c) > m->tmax) {
            s->done = true;
            return BB_OK;
        }
        int rc = piece_bound(c, m->tmin, &s->from, err);
        s->to = bbi_segcursor_rows(c);
        if (rc == BB_OK && m->tmax < bbi_segcursor_tmax(c)) {
            rc = piece_bound(c, m->tmax + 1, &s->to, err);
        }
        if (rc == BB_OK && s->from >= s->to) {
            rc = bbi_segcursor_next(c, err);
            if (rc == BB_OK) {
                continue;
            }
        }
        s->first = bbi_segcursor_tmin(c);
        s->last = bbi_segcursor_tmax(c);
        if (rc == BB_OK && s->from != 0) {
            rc = bbi_timepage_times(&c->time, c->chunk, s->from, s->from + 1, &s->first, err);
        }
        if (rc == BB_OK && s->to != bbi_segcursor_rows(c)) {
            rc = bbi_timepage_times(&c->time, c->chunk, s->to - 1, s->to, &s->last, err);
        }
        return rc;
    }
}

/* The piece of a memtable's series that starts at tmin. */
static int read_memspace(struct bbi_merge *m, struct bbi_merge_source *s, int64_t tmin,
                         struct bb_error *err)
{
    int rc = bbi_memspace_read_series(s->space, m->series_id, tmin, m->tmax, m->snapshot_lsn,
                                      &s->mem, err);
    if (rc == BB_OK && s->mem.count != 0) {
        s->done = false;
        s->from = 0;
        s->to = s->mem.count;
        s->first = s->mem.times[0];
        s->last = s->mem.times[s->to - 1];
    }
    return rc;
}

static int start_memspace(struct bbi_merge *m, struct bbi_merge_source *s, struct bb_error *err)
{
    int64_t tmin;
    int64_t tmax;
    s->done = true;
    s->mem.more = false;
    if (!bbi_memspace_series_range(s->space, m->series_id, &tmin, &tmax) || tmin > m->tmax ||
        tmax < m->tmin) {
        return BB_OK;
    }
    return read_memspace(m, s, m->tmin, err);
}

int bbi_merge_series(struct bbi_merge *m, uint32_t measurement_id, uint32_t series_id, int64_t tmin,
                     int64_t tmax, struct bb_error *err)
{
    m->measurement_id = measurement_id;
    m->series_id = series_id;
    m->tmin = tmin;
    m->tmax = tmax;
    for (size_t i = 0; i < m->source_count; i++) {
        struct bbi_merge_source *s = &m->sources[i];
        int rc;
        if (s->space != NULL) {
            rc = start_memspace(m, s, err);
        } else {
            s->done = false;
            rc = bbi_segcursor_seek(&s->cursor, measurement_id, series_id, err);
            if (rc == BB_OK) {
                rc = settle_segment(m, s, err);
            }
            s->cursor.at_end = s->done;
        }
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

int bbi_merge_find(struct bbi_merge *m, uint32_t measurement_id, uint32_t series_id, bool *found,
                   uint32_t *found_measurement, uint32_t *found_series, struct bb_error *err)
{
    *found = false;
    for (size_t i = 0; i < m->source_count; i++) {
        bool has;
        uint32_t mid;
        uint32_t sid;
        if (m->sources[i].space != NULL) {
            continue;
        }
        int rc = bbi_segcursor_find(&m->sources[i].cursor, measurement_id, series_id, &has, &mid,
                                    &sid, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (has && (!*found || mid < *found_measurement ||
                    (mid == *found_measurement && sid < *found_series))) {
            *found = true;
            *found_measurement = mid;
            *found_series = sid;
        }
    }
    return BB_OK;
}

static void set_bit(uint64_t *bitmap, size_t i)
{
    bitmap[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool get_bit(const uint64_t *bitmap, size_t i)
{
    return (bitmap[i / 64] >> (i % 64) & 1) != 0;
}

/* A bitmap of ones for rows, zeros behind. */
static uint64_t *full_bitmap(struct bbi_arena *arena, size_t rows)
{
    uint64_t *bitmap = bbi_arena_zalloc(arena, BBI_BITMAP_WORDS(rows), sizeof(bitmap[0]));
    for (size_t i = 0; bitmap != NULL && i < rows; i++) {
        set_bit(bitmap, i);
    }
    return bitmap;
}

static int decode_column(struct bbi_merge *m, struct bbi_merge_source *s, size_t slot, size_t cut,
                         struct slice_column *out, struct bb_error *err)
{
    struct bbi_segcursor *c = &s->cursor;
    struct bbi_fieldpage *fp = &c->slots[slot].page;
    size_t rows = cut - s->from;
    size_t count;
    int rc;
    bool some = bbi_fieldpage_presence(fp, c->chunk) == BBI_PRESENT_SOME;
    bool strings = c->slots[slot].type == BBI_STRING;
    void *values = bbi_arena_alloc(&m->arena,
                                   rows * (strings ? sizeof(struct bbi_string) : sizeof(uint64_t)));
    out->valid = some ? bbi_arena_zalloc(&m->arena, BBI_BITMAP_WORDS(rows), sizeof(uint64_t))
                      : NULL;
    if (values == NULL || (some && out->valid == NULL)) {
        return bbi_error_nomem(err, "rows of a series");
    }
    if (strings) {
        rc = bbi_fieldpage_strings(fp, c->chunk, s->from, cut, values, out->valid, &count, err);
        out->column.strs = values;
    } else {
        rc = bbi_fieldpage_values(fp, c->chunk, s->from, cut, values, out->valid, &count, err);
        out->column.bits = values;
    }
    if (rc == BB_OK && count == rows) {
        out->valid = NULL;
    }
    out->column.field_id = c->slots[slot].field_id;
    out->column.type = c->slots[slot].type;
    return rc;
}

static int slice_segment(struct bbi_merge *m, struct bbi_merge_source *s, size_t cut,
                         struct slice *out, struct bb_error *err)
{
    struct bbi_segcursor *c = &s->cursor;
    out->rows = cut - s->from;
    out->column_count = 0;
    int64_t *times = bbi_arena_alloc(&m->arena, out->rows * sizeof(times[0]));
    out->columns = bbi_arena_zalloc(&m->arena, c->slot_count, sizeof(out->columns[0]));
    if (times == NULL || out->columns == NULL) {
        return bbi_error_nomem(err, "rows of a series");
    }
    int rc = bbi_timepage_times(&c->time, c->chunk, s->from, cut, times, err);
    out->times = times;
    for (size_t i = 0; rc == BB_OK && i < c->slot_count; i++) {
        rc = bbi_segcursor_load(c, i, err);
        if (rc == BB_OK &&
            bbi_fieldpage_presence(&c->slots[i].page, c->chunk) != BBI_PRESENT_NONE) {
            rc = decode_column(m, s, i, cut, &out->columns[out->column_count], err);
            out->column_count++;
        }
    }
    return rc;
}

static bool is_wanted(const struct bbi_merge *m, uint32_t field_id)
{
    for (size_t i = 0; i < m->field_count; i++) {
        if (m->fields[i] == field_id) {
            return true;
        }
    }
    return m->fields == NULL;
}

/* The window's part of a memtable's bitmap of bytes; NULL in *out: all ones. False: no memory. */
static bool shift_bitmap(struct bbi_arena *arena, const uint8_t *bytes, size_t from, size_t rows,
                         uint64_t **out)
{
    size_t ones = 0;
    uint64_t *bitmap = bbi_arena_zalloc(arena, BBI_BITMAP_WORDS(rows), sizeof(bitmap[0]));
    if (bitmap == NULL) {
        return false;
    }
    for (size_t i = 0; i < rows; i++) {
        uint64_t bit = bytes[(from + i) / 8] >> ((from + i) % 8) & 1;
        bitmap[i / 64] |= bit << (i % 64);
        ones += bit;
    }
    *out = ones == rows ? NULL : bitmap;
    return true;
}

static int slice_memcolumn(struct bbi_merge *m, const struct bbi_memcolumn *from, size_t first,
                           size_t rows, size_t total, struct slice_column *out,
                           struct bb_error *err)
{
    out->column.field_id = from->field_id;
    out->column.type = from->type;
    out->lsns = from->lsns + first;
    if (from->valid_count != total &&
        !shift_bitmap(&m->arena, from->valid, first, rows, &out->valid)) {
        return bbi_error_nomem(err, "rows of a series");
    }
    if (from->type != BBI_STRING) {
        out->column.bits = from->bits + first;
        return BB_OK;
    }
    struct bbi_string *strs = bbi_arena_zalloc(&m->arena, rows, sizeof(strs[0]));
    if (strs == NULL) {
        return bbi_error_nomem(err, "rows of a series");
    }
    for (size_t i = 0; i < rows; i++) {
        if (out->valid == NULL || get_bit(out->valid, i)) {
            struct bbi_memstr str = bbi_memtable_str(from->bits[first + i]);
            strs[i] = (struct bbi_string){str.ptr, str.len};
        }
    }
    out->column.strs = strs;
    return BB_OK;
}

static int slice_memspace(struct bbi_merge *m, struct bbi_merge_source *s, size_t cut,
                          struct slice *out, struct bb_error *err)
{
    out->rows = cut - s->from;
    out->times = s->mem.times + s->from;
    out->column_count = 0;
    out->columns = bbi_arena_zalloc(&m->arena, s->mem.column_count, sizeof(out->columns[0]));
    if (out->columns == NULL) {
        return bbi_error_nomem(err, "rows of a series");
    }
    for (size_t i = 0; i < s->mem.column_count; i++) {
        const struct bbi_memcolumn *column = &s->mem.columns[i];
        if (!is_wanted(m, column->field_id)) {
            continue;
        }
        int rc = slice_memcolumn(m, column, s->from, out->rows, s->mem.count,
                                 &out->columns[out->column_count++], err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

/* Take the bits of deleted cells out of the slice. */
static int hide(struct bbi_merge *m, const struct bbi_merge_source *s, struct slice *slice,
                struct bb_error *err)
{
    if (m->tombs == NULL || m->tombs->count == 0 ||
        !bbi_tombset_touches(m->tombs, m->snapshot_lsn, m->db_id, m->rp_id, m->series_id,
                             slice->times[0], slice->times[slice->rows - 1], s->lsn)) {
        return BB_OK;
    }
    for (size_t k = 0; k < slice->column_count; k++) {
        struct slice_column *column = &slice->columns[k];
        if (column->valid == NULL &&
            (column->valid = full_bitmap(&m->arena, slice->rows)) == NULL) {
            return bbi_error_nomem(err, "rows of a series");
        }
        for (size_t i = 0; i < slice->rows; i++) {
            uint64_t lsn = column->lsns == NULL ? s->lsn : column->lsns[i];
            if (bbi_tombset_hides(m->tombs, m->snapshot_lsn, m->db_id, m->rp_id, m->series_id,
                                  slice->times[i], lsn)) {
                column->valid[i / 64] &= ~(UINT64_C(1) << (i % 64));
            }
        }
    }
    return BB_OK;
}

/* Take rows up to time `end` of a source that has some, and move it on. */
static int take_slice(struct bbi_merge *m, struct bbi_merge_source *s, int64_t end,
                      struct slice *slice, struct bb_error *err)
{
    size_t cut = s->to;
    int rc = BB_OK;
    memset(slice, 0, sizeof(*slice));
    if (s->last > end && s->space == NULL) {
        rc = piece_bound(&s->cursor, end + 1, &cut, err);
    } else if (s->last > end) {
        for (cut = s->from; s->mem.times[cut] <= end; cut++) {
        }
    }
    if (rc == BB_OK) {
        rc = s->space == NULL ? slice_segment(m, s, cut, slice, err)
                              : slice_memspace(m, s, cut, slice, err);
    }
    if (rc == BB_OK) {
        rc = hide(m, s, slice, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    s->from = cut;
    if (s->from < s->to) {
        if (s->space != NULL) {
            s->first = s->mem.times[s->from];
            return BB_OK;
        }
        return bbi_timepage_times(&s->cursor.time, s->cursor.chunk, cut, cut + 1, &s->first, err);
    }
    s->done = true;
    return BB_OK;
}

/* A source whose piece is used up goes to its next one; done last, because the slice borrows the
 * piece. */
static int advance(struct bbi_merge *m, struct bb_error *err)
{
    for (size_t i = 0; i < m->source_count; i++) {
        struct bbi_merge_source *s = &m->sources[i];
        if (s->space != NULL) {
            int rc = s->done && s->mem.more ? read_memspace(m, s, s->last + 1, err) : BB_OK;
            if (rc != BB_OK) {
                return rc;
            }
            continue;
        }
        if (!s->done || s->cursor.at_end) {
            continue;
        }
        s->done = false;
        int rc = bbi_segcursor_next(&s->cursor, err);
        if (rc == BB_OK) {
            rc = settle_segment(m, s, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        s->cursor.at_end = s->done;
    }
    return BB_OK;
}

/* The union of the slices' times, rising. */
static int64_t *union_times(struct bbi_merge *m, const struct slice *slices, size_t count,
                            size_t *rows)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += slices[i].rows;
    }
    int64_t *times = bbi_arena_alloc(&m->arena, total * sizeof(times[0]));
    size_t *at = bbi_arena_zalloc(&m->arena, count, sizeof(at[0]));
    if (times == NULL || at == NULL) {
        return NULL;
    }
    size_t n = 0;
    for (;;) {
        int64_t low = INT64_MAX;
        bool any = false;
        for (size_t i = 0; i < count; i++) {
            if (at[i] < slices[i].rows && (!any || slices[i].times[at[i]] < low)) {
                low = slices[i].times[at[i]];
                any = true;
            }
        }
        if (!any) {
            break;
        }
        for (size_t i = 0; i < count; i++) {
            at[i] += at[i] < slices[i].rows && slices[i].times[at[i]] == low;
        }
        times[n++] = low;
    }
    *rows = n;
    return times;
}

/* The merged column of a field, made when the first slice has it; kept in order of field id. NULL:
 * no memory. */
static struct slice_column *column_for(struct bbi_merge *m, struct slice *merged,
                                       const struct bbi_column *like)
{
    size_t at = 0;
    while (at < merged->column_count && merged->columns[at].column.field_id < like->field_id) {
        at++;
    }
    if (at < merged->column_count && merged->columns[at].column.field_id == like->field_id) {
        return &merged->columns[at];
    }
    bool strings = like->type == BBI_STRING;
    void *values = bbi_arena_zalloc(&m->arena, merged->rows,
                                    strings ? sizeof(struct bbi_string) : sizeof(uint64_t));
    uint64_t *valid = bbi_arena_zalloc(&m->arena, BBI_BITMAP_WORDS(merged->rows), sizeof(valid[0]));
    if (values == NULL || valid == NULL) {
        return NULL;
    }
    memmove(&merged->columns[at + 1], &merged->columns[at],
            (merged->column_count - at) * sizeof(merged->columns[0]));
    merged->column_count++;
    struct slice_column *column = &merged->columns[at];
    memset(column, 0, sizeof(*column));
    column->column.field_id = like->field_id;
    column->column.type = like->type;
    column->column.bits = strings ? NULL : values;
    column->column.strs = strings ? values : NULL;
    column->valid = valid;
    return column;
}

/* Lay a slice's cells over what older ones left. */
static int overlay(struct bbi_merge *m, struct slice *merged, const struct slice *slice,
                   struct bb_error *err)
{
    for (size_t k = 0; k < slice->column_count; k++) {
        const struct slice_column *from = &slice->columns[k];
        struct slice_column *to = column_for(m, merged, &from->column);
        if (to == NULL) {
            return bbi_error_nomem(err, "rows of a series");
        }
        uint64_t *bits = (uint64_t *)(uintptr_t)to->column.bits;
        struct bbi_string *strs = (struct bbi_string *)(uintptr_t)to->column.strs;
        size_t row = 0;
        for (size_t i = 0; i < slice->rows; i++) {
            while (merged->times[row] != slice->times[i]) {
                row++;
            }
            if (from->valid != NULL && !get_bit(from->valid, i)) {
                continue;
            }
            set_bit(to->valid, row);
            if (strs != NULL) {
                strs[row] = from->column.strs[i];
            } else {
                bits[row] = from->column.bits[i];
            }
        }
    }
    return BB_OK;
}

static int merge_slices(struct bbi_merge *m, const struct slice *slices, size_t count,
                        struct slice *merged, struct bb_error *err)
{
    size_t column_max = 0;
    memset(merged, 0, sizeof(*merged));
    for (size_t i = 0; i < count; i++) {
        column_max += slices[i].column_count;
    }
    merged->columns = bbi_arena_zalloc(&m->arena, column_max, sizeof(merged->columns[0]));
    merged->times = union_times(m, slices, count, &merged->rows);
    if (merged->columns == NULL || merged->times == NULL) {
        return bbi_error_nomem(err, "rows of a series");
    }
    for (size_t i = 0; i < count; i++) {
        int rc = overlay(m, merged, &slices[i], err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

/* Whether some column has a value in the row. */
static bool row_lives(const struct slice *slice, size_t row)
{
    for (size_t k = 0; k < slice->column_count; k++) {
        if (slice->columns[k].valid == NULL || get_bit(slice->columns[k].valid, row)) {
            return true;
        }
    }
    return false;
}

static void move_row(struct slice *slice, size_t from, size_t to)
{
    for (size_t k = 0; k < slice->column_count; k++) {
        struct slice_column *column = &slice->columns[k];
        bool valid = column->valid == NULL || get_bit(column->valid, from);
        if (column->column.strs != NULL) {
            ((struct bbi_string *)(uintptr_t)column->column.strs)[to] = column->column.strs[from];
        } else {
            ((uint64_t *)(uintptr_t)column->column.bits)[to] = column->column.bits[from];
        }
        if (column->valid != NULL) {
            column->valid[to / 64] &= ~(UINT64_C(1) << (to % 64));
            column->valid[to / 64] |= (uint64_t)valid << (to % 64);
        }
    }
}

/* Drop rows without a value. The arrays of a memtable's slice are its reader's own, so writing
 * there is fine. */
static void drop_dead_rows(struct slice *slice)
{
    size_t kept = 0;
    int64_t *times = (int64_t *)(uintptr_t)slice->times;
    for (size_t k = 0; k < slice->column_count; k++) {
        if (slice->columns[k].valid == NULL) {
            return;
        }
    }
    for (size_t i = 0; i < slice->rows; i++) {
        if (!row_lives(slice, i)) {
            continue;
        }
        if (kept != i) {
            times[kept] = times[i];
            move_row(slice, i, kept);
        }
        kept++;
    }
    for (size_t k = 0; k < slice->column_count && kept < slice->rows; k++) {
        for (size_t i = kept; i < slice->rows; i++) {
            slice->columns[k].valid[i / 64] &= ~(UINT64_C(1) << (i % 64));
        }
    }
    slice->rows = kept;
}

static int publish(struct bbi_merge *m, struct slice *slice, struct bbi_window *window,
                   struct bb_error *err)
{
    drop_dead_rows(slice);
    window->rows = slice->rows;
    window->times = slice->times;
    window->column_count = 0;
    window->columns = bbi_arena_zalloc(&m->arena, slice->column_count, sizeof(window->columns[0]));
    if (window->columns == NULL) {
        return bbi_error_nomem(err, "rows of a series");
    }
    for (size_t k = 0; k < slice->column_count; k++) {
        struct slice_column *column = &slice->columns[k];
        uint64_t any = column->valid == NULL;
        for (size_t i = 0; column->valid != NULL && i < BBI_BITMAP_WORDS(slice->rows); i++) {
            any |= column->valid[i];
        }
        if (any != 0) {
            column->column.valid = column->valid;
            window->columns[window->column_count++] = column->column;
        }
    }
    return BB_OK;
}

/* The slices of the sources that have rows up to the end of whichever piece ends first. */
static int take_slices(struct bbi_merge *m, struct slice **slices, size_t *count,
                       struct bb_error *err)
{
    int64_t end = INT64_MAX;
    *count = 0;
    for (size_t i = 0; i < m->source_count; i++) {
        if (!m->sources[i].done && m->sources[i].last < end) {
            end = m->sources[i].last;
        }
    }
    *slices = bbi_arena_zalloc(&m->arena, m->source_count, sizeof((*slices)[0]));
    if (*slices == NULL) {
        return bbi_error_nomem(err, "rows of a series");
    }
    for (size_t i = 0; i < m->source_count; i++) {
        struct bbi_merge_source *s = &m->sources[i];
        if (!s->done && s->first <= end) {
            int rc = take_slice(m, s, end, &(*slices)[(*count)++], err);
            if (rc != BB_OK) {
                return rc;
            }
        }
    }
    return BB_OK;
}

int bbi_merge_next(struct bbi_merge *m, struct bbi_window *window, struct bb_error *err)
{
    memset(window, 0, sizeof(*window));
    for (;;) {
        struct slice *slices;
        struct slice merged;
        size_t count;
        bbi_arena_reset(&m->arena);
        int rc = advance(m, err);
        if (rc == BB_OK) {
            rc = take_slices(m, &slices, &count, err);
        }
        if (rc != BB_OK || count == 0) {
            return rc;
        }
        if (count > 1) {
            rc = merge_slices(m, slices, count, &merged, err);
        } else {
            merged = slices[0];
        }
        if (rc == BB_OK) {
            rc = publish(m, &merged, window, err);
        }
        if (rc != BB_OK || window->rows != 0) {
            return rc;
        }
    }
}
