/*
 * The page index is two tables, of groups and of field pages, written column by column: equal and
 * slowly moving numbers then take next to nothing. Offsets are not stored: pages stand without
 * holes.
 */
#include "engine/segment/index.h"

#include "engine/codec/intcol.h"
#include "engine/segment/format.h"
#include "engine/segment/grow.h"

enum group_column {
    GROUP_MEASUREMENT,
    GROUP_SERIES_MIN,
    GROUP_SERIES_SPAN,
    GROUP_CHUNKS,
    GROUP_ROWS,
    GROUP_TMIN,
    GROUP_TIME_SPAN,
    GROUP_PAGE_BYTES,
    GROUP_FIELDS,
    GROUP_COLUMNS
};

enum field_column {
    FIELD_ID,
    FIELD_TYPE,
    FIELD_STATS,
    FIELD_PAGE_BYTES,
    FIELD_VALUES,
    FIELD_MIN,
    FIELD_MAX,
    FIELD_SUM_LOW,
    FIELD_SUM_HIGH,
    FIELD_COLUMNS
};

#define SLICE BBI_INTCOL_MAX

void bbi_segment_index_init(struct bbi_segment_index *ix, struct bbi_account *acct)
{
    *ix = (struct bbi_segment_index){.acct = acct};
}

void bbi_segment_index_fini(struct bbi_segment_index *ix)
{
    bbi_mem_free(ix->groups);
    bbi_mem_free(ix->fields);
    bbi_segment_index_init(ix, ix->acct);
}

int bbi_segment_index_add_group(struct bbi_segment_index *ix, const struct bbi_segment_group *group,
                                struct bb_error *err)
{
    struct bbi_segment_group *groups = bbi_grow(ix->acct, ix->groups, &ix->group_cap,
                                                ix->group_count + 1, sizeof(*groups));
    if (groups == NULL) {
        return bbi_error_nomem(err, "page index");
    }
    ix->groups = groups;
    groups[ix->group_count++] = *group;
    return BB_OK;
}

int bbi_segment_index_add_field(struct bbi_segment_index *ix, const struct bbi_segment_field *field,
                                struct bb_error *err)
{
    struct bbi_segment_field *fields = bbi_grow(ix->acct, ix->fields, &ix->field_cap,
                                                ix->field_count + 1, sizeof(*fields));
    if (fields == NULL) {
        return bbi_error_nomem(err, "page index");
    }
    ix->fields = fields;
    fields[ix->field_count++] = *field;
    ix->groups[ix->group_count - 1].field_count++;
    return BB_OK;
}

/* ---- columns ---- */

static uint64_t get_group(const struct bbi_segment_group *g, unsigned column)
{
    switch ((enum group_column)column) {
    case GROUP_MEASUREMENT:
        return g->measurement_id;
    case GROUP_SERIES_MIN:
        return g->series_min;
    case GROUP_SERIES_SPAN:
        return g->series_max - g->series_min;
    case GROUP_CHUNKS:
        return g->chunk_count;
    case GROUP_ROWS:
        return g->row_count;
    case GROUP_TMIN:
        return (uint64_t)g->tmin;
    case GROUP_TIME_SPAN:
        return (uint64_t)g->tmax - (uint64_t)g->tmin;
    case GROUP_PAGE_BYTES:
        return g->page_bytes;
    default:
        return g->field_count;
    }
}

/* False: the number cannot be there. */
static bool set_group(struct bbi_segment_group *g, unsigned column, uint64_t v)
{
    switch ((enum group_column)column) {
    case GROUP_MEASUREMENT:
        g->measurement_id = (uint32_t)v;
        return v <= UINT32_MAX;
    case GROUP_SERIES_MIN:
        g->series_min = (uint32_t)v;
        return v <= UINT32_MAX;
    case GROUP_SERIES_SPAN:
        g->series_max = g->series_min + (uint32_t)v;
        return v <= UINT32_MAX - g->series_min;
    case GROUP_CHUNKS:
        g->chunk_count = (uint32_t)v;
        return v >= 1 && v <= BBI_SEGMENT_GROUP_CHUNKS;
    case GROUP_ROWS:
        g->row_count = (uint32_t)v;
        return v >= g->chunk_count && v <= BBI_SEGMENT_GROUP_ROWS;
    case GROUP_TMIN:
        g->tmin = (int64_t)v;
        return true;
    case GROUP_TIME_SPAN:
        g->tmax = (int64_t)((uint64_t)g->tmin + v);
        return v <= (uint64_t)INT64_MAX - (uint64_t)g->tmin;
    case GROUP_PAGE_BYTES:
        g->page_bytes = (uint32_t)v;
        return v >= BBI_PAGE_BYTES && v <= BBI_PAGE_BYTES_MAX;
    default:
        g->field_count = (uint32_t)v;
        return v <= UINT32_MAX;
    }
}

static uint64_t get_field(const struct bbi_segment_field *f, unsigned column)
{
    switch ((enum field_column)column) {
    case FIELD_ID:
        return f->field_id;
    case FIELD_TYPE:
        return f->type;
    case FIELD_STATS:
        return f->stats;
    case FIELD_PAGE_BYTES:
        return f->page_bytes;
    case FIELD_VALUES:
        return f->value_count;
    case FIELD_MIN:
        return f->min_bits;
    case FIELD_MAX:
        return f->max_bits;
    case FIELD_SUM_LOW:
        return (uint64_t)f->sum;
    default:
        return (uint64_t)((unsigned __int128)f->sum >> 64);
    }
}

static bool set_field(struct bbi_segment_field *f, unsigned column, uint64_t v)
{
    switch ((enum field_column)column) {
    case FIELD_ID:
        f->field_id = (uint32_t)v;
        return v <= UINT32_MAX;
    case FIELD_TYPE:
        f->type = (uint8_t)v;
        return v >= BBI_FLOAT && v <= BBI_STRING;
    case FIELD_STATS:
        f->stats = (uint8_t)v;
        return v <= (BBI_STATS_MINMAX | BBI_STATS_SUM | BBI_STATS_NON_FINITE);
    case FIELD_PAGE_BYTES:
        f->page_bytes = (uint32_t)v;
        return v >= BBI_PAGE_BYTES && v <= BBI_PAGE_BYTES_MAX;
    case FIELD_VALUES:
        f->value_count = (uint32_t)v;
        return v >= 1 && v <= BBI_SEGMENT_GROUP_ROWS;
    case FIELD_MIN:
        f->min_bits = v;
        return true;
    case FIELD_MAX:
        f->max_bits = v;
        return true;
    case FIELD_SUM_LOW:
        f->sum = v;
        return true;
    default:
        f->sum = (__int128)((unsigned __int128)f->sum | (unsigned __int128)v << 64);
        return true;
    }
}

/* A column of either table. */
struct table {
    const struct bbi_segment_index *ix;
    bool of_fields;
    unsigned column;
    size_t count;
};

static struct table get_table(const struct bbi_segment_index *ix, unsigned n)
{
    bool of_fields = n >= GROUP_COLUMNS;
    return (struct table){.ix = ix,
                          .of_fields = of_fields,
                          .column = of_fields ? n - GROUP_COLUMNS : n,
                          .count = of_fields ? ix->field_count : ix->group_count};
}

static int put_column(const struct table *t, uint64_t *work, struct bbi_buf *out)
{
    for (size_t from = 0; from < t->count; from += SLICE) {
        size_t n = t->count - from < SLICE ? t->count - from : SLICE;
        for (size_t i = 0; i < n; i++) {
            work[i] = t->of_fields ? get_field(&t->ix->fields[from + i], t->column)
                                   : get_group(&t->ix->groups[from + i], t->column);
        }
        if (bbi_intcol_encode(work, n, out) != BB_OK) {
            break;
        }
    }
    return out->err;
}

static int read_column(const struct table *t, uint64_t *work, struct bbi_cursor *c,
                       struct bb_error *err)
{
    for (size_t from = 0; from < t->count; from += SLICE) {
        size_t n = t->count - from < SLICE ? t->count - from : SLICE;
        int code = bbi_intcol_decode(c, n, work, err);
        if (code != BB_OK) {
            return code;
        }
        bool good = true;
        for (size_t i = 0; i < n; i++) {
            good &= t->of_fields ? set_field(&t->ix->fields[from + i], t->column, work[i])
                                 : set_group(&t->ix->groups[from + i], t->column, work[i]);
        }
        if (!good) {
            return bbi_error_set(err, BB_ECORRUPT, "a number of %s column %u is out of range",
                                 t->of_fields ? "field" : "group", t->column);
        }
    }
    return BB_OK;
}

static uint64_t *alloc_work(const struct bbi_segment_index *ix)
{
    size_t most = ix->group_count > ix->field_count ? ix->group_count : ix->field_count;
    most = most < SLICE ? most : SLICE;
    return bbi_mem_zalloc(ix->acct, most + 1, sizeof(uint64_t));
}

int bbi_segment_index_encode(const struct bbi_segment_index *ix, struct bbi_buf *out,
                             struct bb_error *err)
{
    uint64_t *work = alloc_work(ix);
    if (work == NULL) {
        return bbi_error_nomem(err, "page index");
    }
    bbi_buf_varint(out, ix->group_count);
    bbi_buf_varint(out, ix->field_count);
    int code = out->err;
    for (unsigned n = 0; code == BB_OK && n < GROUP_COLUMNS + FIELD_COLUMNS; n++) {
        struct table t = get_table(ix, n);
        code = put_column(&t, work, out);
    }
    bbi_mem_free(work);
    return bbi_buf_check(out, "page index", err);
}

/* ---- checks ---- */

/* Series do not fall from group to group; only a series that continues may be in two. */
static bool follows(const struct bbi_segment_group *a, const struct bbi_segment_group *b)
{
    if (a->measurement_id != b->measurement_id) {
        return a->measurement_id < b->measurement_id;
    }
    return a->series_max <= b->series_min;
}

/* Give each group its fields and each page its offset. */
static int lay_out(struct bbi_segment_index *ix, uint64_t index_offset, struct bb_error *err)
{
    uint64_t at = BBI_FILE_BYTES;
    size_t next = 0;
    for (size_t i = 0; i < ix->group_count; i++) {
        struct bbi_segment_group *g = &ix->groups[i];
        if (g->field_count > ix->field_count - next || (i > 0 && !follows(g - 1, g))) {
            return bbi_error_set(err, BB_ECORRUPT, "group %zu is out of order", i);
        }
        g->fields = ix->fields + next;
        g->offset = at;
        at += g->page_bytes;
        for (size_t end = next + g->field_count; next < end; next++) {
            struct bbi_segment_field *f = &ix->fields[next];
            if (f->value_count > g->row_count ||
                (f != g->fields && f->field_id <= f[-1].field_id)) {
                return bbi_error_set(err, BB_ECORRUPT, "fields of group %zu are out of order", i);
            }
            f->offset = at;
            at += f->page_bytes;
        }
    }
    if (next != ix->field_count || at != index_offset) {
        return bbi_error_set(err, BB_ECORRUPT, "pages do not end where the index begins");
    }
    return BB_OK;
}

static int read_tables(struct bbi_segment_index *ix, struct bbi_cursor *c, uint64_t index_offset,
                       struct bb_error *err)
{
    uint64_t groups = bbi_cursor_varint(c);
    uint64_t fields = bbi_cursor_varint(c);
    /* Every group and field has a page of its own. */
    uint64_t most = index_offset / BBI_PAGE_BYTES;
    if (c->err != BB_OK || groups > most || fields > most) {
        return bbi_error_set(err, BB_ECORRUPT, "more pages than the file has room for");
    }
    ix->groups = bbi_mem_zalloc(ix->acct, (size_t)groups, sizeof(*ix->groups));
    ix->fields = bbi_mem_zalloc(ix->acct, (size_t)fields, sizeof(*ix->fields));
    ix->group_count = (size_t)groups;
    ix->field_count = (size_t)fields;
    uint64_t *work = alloc_work(ix);
    int code = BB_OK;
    if (ix->groups == NULL || ix->fields == NULL || work == NULL) {
        code = bbi_error_nomem(err, "page index");
    }
    for (unsigned n = 0; code == BB_OK && n < GROUP_COLUMNS + FIELD_COLUMNS; n++) {
        struct table t = get_table(ix, n);
        code = read_column(&t, work, c, err);
    }
    bbi_mem_free(work);
    if (code == BB_OK && bbi_cursor_left(c) != 0) {
        code = bbi_error_set(err, BB_ECORRUPT, "bytes behind the last column");
    }
    return code == BB_OK ? lay_out(ix, index_offset, err) : code;
}

int bbi_segment_index_decode(struct bbi_segment_index *ix, struct bbi_cursor *c,
                             uint64_t index_offset, struct bb_error *err)
{
    int code = read_tables(ix, c, index_offset, err);
    if (code != BB_OK) {
        bbi_segment_index_fini(ix);
    }
    return code;
}
