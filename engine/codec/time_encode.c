/*
 * The writer of time grids (docs/format/segment.md, "Times").
 *
 * First every chunk gets a shape, equal ones the same; then for each irregular shape the cost as
 * differences and as a grid is estimated, and the lower kept; then everything is written column by
 * column. All in multiples of the page's unit.
 */
#include <string.h>

#include "engine/base/hash.h"
#include "engine/codec/time.h"
#include "engine/codec/time_blocks.h"

#define NO_SHAPE UINT32_MAX

struct shape {
    enum bbi_time_kind kind;
    uint32_t chunk;  /* the first that has it */
    uint32_t number; /* as written */
    uint32_t uses;
    uint64_t step; /* of regular and grid, in units */
};

struct encoder {
    const int64_t *times;
    const uint16_t *rows;
    size_t chunk_count;
    uint32_t *start; /* [chunk_count] each chunk's place in times */
    uint32_t *shape_of;
    struct shape *shapes;
    size_t shape_count;
    uint32_t *order; /* [shape_count] shapes by number */
    uint32_t *table; /* open addressing, shape + 1 */
    size_t table_mask;
    uint64_t *column; /* [chunk_count] work */
    uint64_t *rel;    /* by row: distance from the chunk's first in units, of irregular chunks */
    size_t row_count;
    int64_t origin;
    uint64_t unit;
    uint64_t usual_step; /* of the regular shape with most uses; 0: none */
    struct bbi_time_packer packer;
    struct bbi_buf trial;
    struct bbi_arena arena;
};

static uint64_t distance(int64_t later, int64_t earlier)
{
    return (uint64_t)later - (uint64_t)earlier;
}

/* Fill in the distances of an irregular chunk. */
static int load_rows(struct encoder *e, size_t chunk)
{
    if (e->rel == NULL) {
        e->rel = bbi_arena_alloc(&e->arena, e->row_count * sizeof(*e->rel));
        if (e->rel == NULL) {
            return BB_ENOMEM;
        }
    }
    const int64_t *t = e->times + e->start[chunk];
    uint64_t *rel = e->rel + e->start[chunk];
    for (size_t i = 0; i < e->rows[chunk]; i++) {
        rel[i] = distance(t[i], t[0]) / e->unit;
    }
    return BB_OK;
}

static const uint64_t *get_rows(const struct encoder *e, size_t chunk)
{
    return e->rel + e->start[chunk];
}

/* ---- shapes ---- */

static int check_rows(const uint16_t *rows, size_t chunk_count, struct bb_error *err)
{
    size_t total = 0;
    for (size_t c = 0; c < chunk_count; c++) {
        if (rows[c] == 0 || rows[c] > BBI_TIMES_CHUNK_MAX) {
            return bbi_error_set(err, BB_EINVAL, "times: a chunk of %u rows", rows[c]);
        }
        total += rows[c];
    }
    if (chunk_count == 0 || total > BBI_TIMES_ROWS_MAX) {
        return bbi_error_set(err, BB_EINVAL, "times: %zu chunks of %zu rows", chunk_count, total);
    }
    return BB_OK;
}

/* Find origin and unit; prove that times rise. */
static int survey(struct encoder *e, struct bb_error *err)
{
    size_t at = 0;
    e->origin = INT64_MAX;
    for (size_t c = 0; c < e->chunk_count; c++) {
        e->start[c] = (uint32_t)at;
        e->origin = e->times[at] < e->origin ? e->times[at] : e->origin;
        at += e->rows[c];
    }
    e->row_count = at;
    uint64_t unit = 0;
    for (size_t c = 0; c < e->chunk_count; c++) {
        const int64_t *t = e->times + e->start[c];
        unit = bbi_time_gcd(distance(t[0], e->origin), unit);
        uint64_t last = 0;
        for (size_t i = 1; i < e->rows[c]; i++) {
            if (t[i] <= t[i - 1]) {
                return bbi_error_set(err, BB_EINVAL, "times: row %zu of a chunk does not rise", i);
            }
            uint64_t delta = distance(t[i], t[i - 1]);
            if (delta != last && unit != 1) {
                unit = bbi_time_gcd(delta, unit);
            }
            last = delta;
        }
    }
    e->unit = unit == 0 ? 1 : unit;
    return BB_OK;
}

static bool is_regular(const struct encoder *e, size_t chunk, uint64_t *step)
{
    const int64_t *t = e->times + e->start[chunk];
    uint64_t delta = distance(t[1], t[0]);
    for (size_t i = 2; i < e->rows[chunk]; i++) {
        if (distance(t[i], t[i - 1]) != delta) {
            return false;
        }
    }
    *step = delta / e->unit;
    return true;
}

static bool same_shape(const struct encoder *e, const struct shape *s, size_t chunk,
                       enum bbi_time_kind kind, uint64_t step)
{
    if (s->kind != kind || kind == BBI_TIME_REGULAR) {
        return s->kind == kind && s->step == step;
    }
    size_t n = e->rows[chunk];
    return e->rows[s->chunk] == n &&
           memcmp(get_rows(e, s->chunk), get_rows(e, chunk), n * sizeof(*e->rel)) == 0;
}

static uint64_t shape_hash(const struct encoder *e, size_t chunk, enum bbi_time_kind kind,
                           uint64_t step)
{
    return kind == BBI_TIME_REGULAR
               ? bbi_hash64(&step, sizeof(step))
               : bbi_hash64(get_rows(e, chunk), e->rows[chunk] * sizeof(*e->rel));
}

/* The shape like this chunk's, new if there is none. Irregular ones count as BBI_TIME_DELTA until
 * they are tried. */
static uint32_t intern_shape(struct encoder *e, size_t chunk, enum bbi_time_kind kind,
                             uint64_t step)
{
    size_t slot = (size_t)shape_hash(e, chunk, kind, step) & e->table_mask;
    for (; e->table[slot] != 0; slot = (slot + 1) & e->table_mask) {
        uint32_t known = e->table[slot] - 1;
        if (same_shape(e, &e->shapes[known], chunk, kind, step)) {
            e->shapes[known].uses++;
            return known;
        }
    }
    uint32_t number = (uint32_t)e->shape_count++;
    e->shapes[number] = (struct shape){
        .kind = kind, .chunk = (uint32_t)chunk, .uses = 1, .step = step};
    e->table[slot] = number + 1;
    return number;
}

/* A chunk of one row has any regular shape: the one of the chunk before it, which costs least. */
static void place_single_rows(struct encoder *e)
{
    uint32_t regular = NO_SHAPE;
    for (uint32_t s = 0; s < e->shape_count && regular == NO_SHAPE; s++) {
        regular = e->shapes[s].kind == BBI_TIME_REGULAR ? s : NO_SHAPE;
    }
    for (size_t c = 0; c < e->chunk_count; c++) {
        if (e->shape_of[c] == NO_SHAPE) {
            regular = regular == NO_SHAPE ? intern_shape(e, c, BBI_TIME_REGULAR, 1) : regular;
            e->shape_of[c] = regular;
        } else if (e->shapes[e->shape_of[c]].kind == BBI_TIME_REGULAR) {
            regular = e->shape_of[c];
        }
    }
}

static int find_shapes(struct encoder *e)
{
    int code = BB_OK;
    for (size_t c = 0; code == BB_OK && c < e->chunk_count; c++) {
        uint64_t step = 0;
        if (e->rows[c] == 1) {
            e->shape_of[c] = NO_SHAPE;
        } else if (is_regular(e, c, &step)) {
            e->shape_of[c] = intern_shape(e, c, BBI_TIME_REGULAR, step);
        } else {
            code = load_rows(e, c);
            e->shape_of[c] = code == BB_OK ? intern_shape(e, c, BBI_TIME_DELTA, 0) : NO_SHAPE;
        }
    }
    if (code != BB_OK) {
        return code;
    }
    place_single_rows(e);
    uint32_t most = 0;
    for (size_t s = 0; s < e->shape_count; s++) {
        if (e->shapes[s].kind == BBI_TIME_REGULAR && e->shapes[s].uses > most) {
            most = e->shapes[s].uses;
            e->usual_step = e->shapes[s].step;
        }
    }
    return BB_OK;
}

/* ---- choosing ---- */

/* The middle one of up to nine differences spread over rel[n]: enough to find the step that most
 * rows keep, and cheap. */
static uint64_t median_delta(const uint64_t *rel, size_t n)
{
    uint64_t few[9];
    size_t count = 0;
    for (size_t i = 1; i < n; i += (n - 1) / 9 + 1) {
        uint64_t delta = rel[i] - rel[i - 1];
        size_t at = count++;
        for (; at > 0 && few[at - 1] > delta; at--) {
            few[at] = few[at - 1];
        }
        few[at] = delta;
    }
    return few[count / 2];
}

/* delta rounded to the largest everyday interval that moves it by less than an eighth; 0: none, or
 * not a multiple of the unit. */
static uint64_t everyday_step(uint64_t delta, uint64_t unit)
{
    static const uint64_t intervals[] = {3600000000000, 900000000000, 300000000000, 60000000000,
                                         10000000000,   1000000000,   100000000,    10000000,
                                         1000000,       1000};
    if (delta > UINT64_MAX / 2 / unit) {
        return 0;
    }
    uint64_t ns = delta * unit;
    for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
        uint64_t rounded = (ns + intervals[i] / 2) / intervals[i] * intervals[i];
        uint64_t moved = rounded > ns ? rounded - ns : ns - rounded;
        if (moved < ns / 8) {
            return rounded % unit == 0 ? rounded / unit : 0;
        }
    }
    return 0;
}

/* The likely step whose grid fits rel[n] best; 0: none does. *bits: what it would cost, about. */
static uint64_t choose_step(struct encoder *e, const uint64_t *rel, size_t n, uint64_t *bits)
{
    uint64_t median = median_delta(rel, n);
    uint64_t steps[3] = {e->usual_step, everyday_step(median, e->unit), median};
    uint64_t best = 0;
    *bits = UINT64_MAX;
    for (size_t i = 0; i < 3; i++) {
        bool seen = steps[i] == 0 || (i > 0 && steps[i] == steps[0]) ||
                    (i > 1 && steps[i] == steps[1]);
        uint64_t cost = seen ? UINT64_MAX : bbi_time_pack_estimate(&e->packer, rel, n, steps[i]);
        /* A step of its own costs a number in the column of steps. */
        cost += cost != UINT64_MAX && steps[i] != e->usual_step ? 16 : 0;
        if (cost < *bits) {
            *bits = cost;
            best = steps[i];
        }
    }
    return best;
}

/* Shapes that are long choose their step by their beginning. */
#define SAMPLE_ROWS 128

static void choose_kind(struct encoder *e, struct shape *s)
{
    size_t n = e->rows[s->chunk];
    const uint64_t *rel = get_rows(e, s->chunk);
    uint64_t grid_bits = UINT64_MAX;
    uint64_t step = choose_step(e, rel, n < SAMPLE_ROWS ? n : SAMPLE_ROWS, &grid_bits);
    if (n > SAMPLE_ROWS && step != 0) {
        grid_bits = bbi_time_pack_estimate(&e->packer, rel, n, step);
    }
    if (grid_bits < bbi_time_pack_estimate(&e->packer, rel, n, 0)) {
        s->kind = BBI_TIME_GRID;
        s->step = step;
    }
}

/* ---- writing ---- */

/* Number the shapes by kind. counts[kind] of each. */
static void number_shapes(struct encoder *e, size_t counts[3])
{
    size_t number = 0;
    for (int kind = BBI_TIME_REGULAR; kind <= BBI_TIME_DELTA; kind++) {
        size_t before = number;
        for (uint32_t s = 0; s < e->shape_count; s++) {
            if ((int)e->shapes[s].kind == kind) {
                e->shapes[s].number = (uint32_t)number;
                e->order[number++] = s;
            }
        }
        counts[kind] = number - before;
    }
}

static int put_columns(struct encoder *e, const size_t counts[3], struct bbi_buf *out)
{
    bbi_buf_zigzag(out, e->origin);
    bbi_buf_varint(out, e->unit);
    for (size_t c = 0; c < e->chunk_count; c++) {
        e->column[c] = distance(e->times[e->start[c]], e->origin) / e->unit;
    }
    if (bbi_intcol_encode(e->column, e->chunk_count, out) != BB_OK) {
        return out->err;
    }
    bbi_buf_varint(out, e->shape_count);
    bbi_buf_varint(out, counts[BBI_TIME_GRID]);
    bbi_buf_varint(out, counts[BBI_TIME_DELTA]);
    size_t stepped = counts[BBI_TIME_REGULAR] + counts[BBI_TIME_GRID];
    for (size_t n = 0; n < stepped; n++) {
        e->column[n] = e->shapes[e->order[n]].step;
    }
    if (bbi_intcol_encode(e->column, stepped, out) != BB_OK || e->shape_count == 1) {
        return out->err;
    }
    for (size_t c = 0; c < e->chunk_count; c++) {
        e->column[c] = e->shapes[e->shape_of[c]].number;
    }
    return bbi_intcol_encode(e->column, e->chunk_count, out);
}

/* Append block after block to e->trial, their sizes to sizes. */
static int put_blocks(struct encoder *e, size_t first, uint64_t *sizes, size_t *block_count)
{
    struct bbi_time_cutter cutter = {0};
    size_t mark = 0;
    int code = BB_OK;
    bbi_buf_reset(&e->trial);
    for (size_t n = first; code == BB_OK && n <= e->shape_count; n++) {
        const struct shape *s = n < e->shape_count ? &e->shapes[e->order[n]] : NULL;
        if (s == NULL || bbi_time_cut(&cutter, s->kind, e->rows[s->chunk])) {
            if (n > first) {
                code = bbi_time_pack_end(&e->packer, &e->trial);
                sizes[(*block_count)++] = e->trial.len - mark;
                mark = e->trial.len;
            }
            bbi_time_pack_begin(&e->packer, s == NULL ? BBI_TIME_DELTA : s->kind);
        }
        if (s != NULL) {
            bool fits = bbi_time_pack_add(&e->packer, get_rows(e, s->chunk), e->rows[s->chunk],
                                          s->step);
            BB_ASSERT(fits);
        }
    }
    return code;
}

static int put_irregular(struct encoder *e, const size_t counts[3], struct bbi_buf *out)
{
    size_t first = counts[BBI_TIME_REGULAR];
    for (size_t n = first; n < e->shape_count; n++) {
        uint32_t chunk = e->shapes[e->order[n]].chunk;
        const int64_t *t = e->times + e->start[chunk];
        e->column[n - first] = distance(t[e->rows[chunk] - 1], t[0]) / e->unit;
    }
    int code = bbi_intcol_encode(e->column, e->shape_count - first, out);
    size_t block_count = 0;
    if (code == BB_OK) {
        code = put_blocks(e, first, e->column, &block_count);
    }
    if (code == BB_OK) {
        code = bbi_intcol_encode(e->column, block_count, out);
        bbi_buf_put(out, e->trial.data, e->trial.len);
    }
    return code != BB_OK ? code : out->err;
}

static int encoder_alloc(struct encoder *e, struct bb_error *err)
{
    size_t n = e->chunk_count;
    size_t slots = 4;
    while (slots < n * 2) {
        slots *= 2;
    }
    e->table_mask = slots - 1;
    e->table = bbi_arena_zalloc(&e->arena, slots, sizeof(*e->table));
    e->start = bbi_arena_zalloc(&e->arena, n, sizeof(*e->start));
    e->shape_of = bbi_arena_zalloc(&e->arena, n, sizeof(*e->shape_of));
    e->order = bbi_arena_zalloc(&e->arena, n + 1, sizeof(*e->order));
    e->shapes = bbi_arena_zalloc(&e->arena, n + 1, sizeof(*e->shapes));
    e->column = bbi_arena_zalloc(&e->arena, n, sizeof(*e->column));
    if (e->column == NULL || e->table == NULL || e->start == NULL || e->shape_of == NULL ||
        e->order == NULL || e->shapes == NULL) {
        return bbi_error_nomem(err, "times");
    }
    return BB_OK;
}

static int encode(struct encoder *e, struct bbi_buf *out, struct bb_error *err)
{
    int code = encoder_alloc(e, err);
    if (code == BB_OK) {
        code = survey(e, err);
    }
    if (code != BB_OK) {
        return code;
    }
    code = find_shapes(e);
    if (code == BB_OK) {
        for (size_t s = 0; s < e->shape_count; s++) {
            if (e->shapes[s].kind == BBI_TIME_DELTA) {
                choose_kind(e, &e->shapes[s]);
            }
        }
        size_t counts[3];
        number_shapes(e, counts);
        code = put_columns(e, counts, out);
        if (code == BB_OK && counts[BBI_TIME_REGULAR] < e->shape_count) {
            code = put_irregular(e, counts, out);
        }
    }
    if (code == BB_ENOMEM) {
        return bbi_error_nomem(err, "times");
    }
    return code == BB_OK ? BB_OK : bbi_error_set(err, code, "times: page too large");
}

int bbi_times_encode(const int64_t *times, const uint16_t *rows, size_t chunk_count,
                     struct bbi_buf *out, struct bbi_account *acct, struct bb_error *err)
{
    int code = check_rows(rows, chunk_count, err);
    if (code != BB_OK) {
        return code;
    }
    struct encoder *e = bbi_mem_zalloc(acct, 1, sizeof(*e));
    if (e == NULL) {
        return bbi_error_nomem(err, "times");
    }
    e->times = times;
    e->rows = rows;
    e->chunk_count = chunk_count;
    bbi_arena_init(&e->arena, acct);
    bbi_buf_init(&e->trial, acct, out->max);
    code = encode(e, out, err);
    bbi_buf_fini(&e->trial);
    bbi_arena_fini(&e->arena);
    bbi_mem_free(e);
    return code;
}
