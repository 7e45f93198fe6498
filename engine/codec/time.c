/*
 * The reader of time grids (docs/format/segment.md, "Times"). Opening checks what the columns say;
 * a block of irregular shapes is unpacked when one of them is asked for, and kept until another is.
 */
#include "engine/codec/time.h"

#include "engine/codec/time_blocks.h"

#define NO_BLOCK SIZE_MAX

struct bbi_time_shape {
    enum bbi_time_kind kind;
    uint32_t rows;  /* of irregular ones; 0: no chunk has it yet */
    uint32_t block; /* irregular: where its rows are */
    uint32_t at;    /* irregular: its first row in the block */
    uint64_t step;  /* regular and grid, units */
    uint64_t span;  /* irregular: last row's distance, units */
};

struct bbi_time_block {
    const uint8_t *data;
    size_t bytes;
    uint32_t shape; /* the first */
    uint32_t shape_count;
    uint32_t rows;
};

static int corrupt(struct bb_error *err, const char *what)
{
    return bbi_error_set(err, BB_ECORRUPT, "times: %s", what);
}

void bbi_times_init(struct bbi_times *t, struct bbi_account *acct)
{
    *t = (struct bbi_times){.unpacked_block = NO_BLOCK};
    bbi_arena_init(&t->arena, acct);
}

void bbi_times_fini(struct bbi_times *t)
{
    bbi_arena_fini(&t->arena);
    *t = (struct bbi_times){.unpacked_block = NO_BLOCK};
}

/* ---- opening ---- */

/* What opening works with; everything lies in the arena. */
struct opening {
    struct bbi_times *t;
    struct bbi_cursor *c;
    int64_t *first;
    int64_t *last;
    uint32_t *shape_of;
    uint64_t *work; /* [chunk_count] */
    size_t regular_count;
    size_t grid_count;
};

static int open_alloc(struct opening *o, size_t n, struct bb_error *err)
{
    struct bbi_arena *arena = &o->t->arena;
    o->first = bbi_arena_zalloc(arena, n, sizeof(*o->first));
    o->last = bbi_arena_zalloc(arena, n, sizeof(*o->last));
    o->shape_of = bbi_arena_zalloc(arena, n, sizeof(*o->shape_of));
    o->work = bbi_arena_zalloc(arena, n, sizeof(*o->work));
    if (o->first == NULL || o->last == NULL || o->shape_of == NULL || o->work == NULL) {
        return bbi_error_nomem(err, "times");
    }
    return BB_OK;
}

static int read_firsts(struct opening *o, struct bb_error *err)
{
    struct bbi_times *t = o->t;
    int64_t origin = bbi_cursor_zigzag(o->c);
    t->unit = bbi_cursor_varint(o->c);
    int code = bbi_intcol_decode(o->c, t->chunk_count, o->work, err);
    if (code != BB_OK) {
        return code;
    }
    if (t->unit == 0) {
        return corrupt(err, "unit 0");
    }
    uint64_t most = ((uint64_t)INT64_MAX - (uint64_t)origin) / t->unit;
    for (size_t i = 0; i < t->chunk_count; i++) {
        if (o->work[i] > most) {
            return corrupt(err, "a first time out of range");
        }
        o->first[i] = (int64_t)((uint64_t)origin + o->work[i] * t->unit);
    }
    return BB_OK;
}

/* Counts and steps of the shapes. */
static int read_shapes(struct opening *o, struct bb_error *err)
{
    struct bbi_times *t = o->t;
    uint64_t shapes = bbi_cursor_varint(o->c);
    uint64_t grids = bbi_cursor_varint(o->c);
    uint64_t deltas = bbi_cursor_varint(o->c);
    if (o->c->err != BB_OK || shapes == 0 || shapes > t->chunk_count || grids > shapes ||
        deltas > shapes - grids) {
        return corrupt(err, "impossible count of shapes");
    }
    t->shape_count = (size_t)shapes;
    o->grid_count = (size_t)grids;
    o->regular_count = (size_t)(shapes - grids - deltas);
    struct bbi_time_shape *s = bbi_arena_zalloc(&t->arena, t->shape_count, sizeof(*s));
    if (s == NULL) {
        return bbi_error_nomem(err, "times");
    }
    t->shapes = s;
    size_t stepped = o->regular_count + o->grid_count;
    int code = bbi_intcol_decode(o->c, stepped, o->work, err);
    if (code != BB_OK) {
        return code;
    }
    for (size_t i = 0; i < t->shape_count; i++) {
        s[i].kind = i < o->regular_count ? BBI_TIME_REGULAR
                    : i < stepped        ? BBI_TIME_GRID
                                         : BBI_TIME_DELTA;
        s[i].step = i < stepped ? o->work[i] : 0;
        if (i < stepped && (s[i].step == 0 || s[i].step > UINT64_MAX / t->unit)) {
            return corrupt(err, "a step out of range");
        }
    }
    return BB_OK;
}

/* Which chunk has which shape; an irregular one must have the same number of rows everywhere. */
static int read_shape_numbers(struct opening *o, struct bb_error *err)
{
    struct bbi_times *t = o->t;
    if (t->shape_count > 1) {
        int code = bbi_intcol_decode(o->c, t->chunk_count, o->work, err);
        if (code != BB_OK) {
            return code;
        }
    }
    for (size_t i = 0; i < t->chunk_count; i++) {
        uint64_t number = t->shape_count > 1 ? o->work[i] : 0;
        if (number >= t->shape_count) {
            return corrupt(err, "a shape's number out of range");
        }
        o->shape_of[i] = (uint32_t)number;
        struct bbi_time_shape *s = &t->shapes[number];
        if (s->kind == BBI_TIME_REGULAR) {
            continue;
        }
        if (t->rows[i] < 2 || (s->rows != 0 && s->rows != t->rows[i])) {
            return corrupt(err, "a shape's rows differ from its chunk's");
        }
        s->rows = t->rows[i];
    }
    for (size_t i = o->regular_count; i < t->shape_count; i++) {
        if (t->shapes[i].rows == 0) {
            return corrupt(err, "a shape without chunks");
        }
    }
    return BB_OK;
}

static int read_blocks(struct opening *o, struct bb_error *err)
{
    struct bbi_times *t = o->t;
    size_t count = t->shape_count - o->regular_count;
    int code = bbi_intcol_decode(o->c, count, o->work, err);
    if (code != BB_OK) {
        return code;
    }
    t->blocks = bbi_arena_zalloc(&t->arena, count, sizeof(*t->blocks));
    if (t->blocks == NULL) {
        return bbi_error_nomem(err, "times");
    }
    struct bbi_time_cutter cutter = {0};
    for (size_t i = 0; i < count; i++) {
        struct bbi_time_shape *s = &t->shapes[o->regular_count + i];
        s->span = o->work[i];
        if (bbi_time_cut(&cutter, s->kind, s->rows)) {
            t->blocks[cutter.blocks - 1].shape = (uint32_t)(o->regular_count + i);
        }
        struct bbi_time_block *b = &t->blocks[cutter.blocks - 1];
        s->block = (uint32_t)(cutter.blocks - 1);
        s->at = b->rows;
        b->rows += s->rows;
        b->shape_count++;
    }
    t->block_count = cutter.blocks;
    code = bbi_intcol_decode(o->c, t->block_count, o->work, err);
    for (size_t i = 0; code == BB_OK && i < t->block_count; i++) {
        struct bbi_time_block *b = &t->blocks[i];
        b->bytes = o->work[i] > bbi_cursor_left(o->c) ? SIZE_MAX : (size_t)o->work[i];
        b->data = bbi_cursor_bytes(o->c, b->bytes);
        code = bbi_cursor_check(o->c, "times: blocks", err);
    }
    return code;
}

static int find_lasts(struct opening *o, struct bb_error *err)
{
    struct bbi_times *t = o->t;
    for (size_t i = 0; i < t->chunk_count; i++) {
        const struct bbi_time_shape *s = &t->shapes[o->shape_of[i]];
        uint64_t room = ((uint64_t)INT64_MAX - (uint64_t)o->first[i]) / t->unit;
        uint64_t steps = (uint64_t)t->rows[i] - 1;
        bool regular = s->kind == BBI_TIME_REGULAR;
        if (regular ? steps > room / s->step : s->span > room) {
            return corrupt(err, "a last time out of range");
        }
        uint64_t span = (regular ? steps * s->step : s->span) * t->unit;
        o->last[i] = (int64_t)((uint64_t)o->first[i] + span);
    }
    return BB_OK;
}

static int open_columns(struct opening *o, struct bb_error *err)
{
    int code = open_alloc(o, o->t->chunk_count, err);
    if (code == BB_OK) {
        code = read_firsts(o, err);
    }
    if (code == BB_OK) {
        code = read_shapes(o, err);
    }
    if (code == BB_OK) {
        code = read_shape_numbers(o, err);
    }
    if (code == BB_OK && o->regular_count < o->t->shape_count) {
        code = read_blocks(o, err);
    }
    return code == BB_OK ? find_lasts(o, err) : code;
}

int bbi_times_open(struct bbi_times *t, struct bbi_cursor *c, const uint16_t *rows,
                   size_t chunk_count, struct bb_error *err)
{
    BB_ASSERT(chunk_count > 0 && chunk_count <= BBI_TIMES_ROWS_MAX);
    bbi_arena_reset(&t->arena);
    t->chunk_count = chunk_count;
    t->rows = rows;
    t->blocks = NULL;
    t->block_count = 0;
    t->unpacked = NULL;
    t->unpacked_block = NO_BLOCK;
    struct opening o = {.t = t, .c = c};
    int code = open_columns(&o, err);
    t->first = o.first;
    t->last = o.last;
    t->shape_of = o.shape_of;
    t->chunk_count = code == BB_OK ? chunk_count : 0;
    return code;
}

/* ---- irregular shapes ---- */

static int unpack_jitter(struct bbi_cursor *c, size_t rows, uint64_t m, uint64_t *jitter,
                         struct bb_error *err)
{
    unsigned form = bbi_cursor_u8(c);
    uint64_t bias = 0;
    if (form == BBI_JITTER_BIASED) {
        bias = (uint64_t)bbi_cursor_zigzag(c);
    } else if (form != BBI_JITTER_ZIGZAG) {
        return corrupt(err, "unknown form of jitter");
    }
    int code = bbi_intcol_decode(c, rows, jitter, err);
    for (size_t i = 0; code == BB_OK && i < rows; i++) {
        uint64_t v = form == BBI_JITTER_BIASED ? jitter[i] + bias
                                               : (uint64_t)bbi_unzigzag(jitter[i]);
        jitter[i] = v * m;
    }
    return code;
}

/* Distances of one shape's rows, from its steps[rows - 1]: gaps or differences. Jitter NULL: none.
 */
static int place_rows(const struct bbi_time_shape *s, const uint64_t *steps, const uint64_t *jitter,
                      uint64_t m, uint64_t *out, struct bb_error *err)
{
    uint64_t at = 0;
    out[0] = 0;
    for (size_t i = 1; i < s->rows; i++) {
        if (jitter != NULL) {
            at += (steps[i - 1] + 1) * s->step;
            out[i] = at + jitter[i] - jitter[0];
        } else {
            at += steps[i - 1] * m;
            out[i] = at;
        }
        if (out[i] <= out[i - 1]) {
            return corrupt(err, "times of a shape do not rise");
        }
    }
    return out[s->rows - 1] == s->span ? BB_OK : corrupt(err, "a shape differs from its span");
}

static int unpack_block(struct bbi_times *t, const struct bbi_time_block *b, struct bb_error *err)
{
    const struct bbi_time_shape *shapes = &t->shapes[b->shape];
    uint64_t *steps = t->unpacked + BBI_TIME_BLOCK_ROWS_MAX;
    uint64_t *jitter = NULL;
    struct bbi_cursor c;
    bbi_cursor_init(&c, b->data, b->bytes);
    uint64_t m = bbi_cursor_varint(&c);
    int code = bbi_intcol_decode(&c, b->rows - b->shape_count, steps, err);
    if (code == BB_OK && shapes->kind == BBI_TIME_GRID) {
        jitter = steps + BBI_TIME_BLOCK_ROWS_MAX;
        code = unpack_jitter(&c, b->rows, m, jitter, err);
    }
    if (code == BB_OK && bbi_cursor_left(&c) != 0) {
        code = corrupt(err, "bytes behind a block");
    }
    uint64_t *out = t->unpacked;
    for (uint32_t i = 0; code == BB_OK && i < b->shape_count; i++) {
        code = place_rows(&shapes[i], steps, jitter, m, out, err);
        out += shapes[i].rows;
        steps += shapes[i].rows - 1;
        jitter = jitter == NULL ? NULL : jitter + shapes[i].rows;
    }
    return code;
}

/* *rel: [shape's rows] distances in units, until another block is asked for. */
static int get_rows(struct bbi_times *t, const struct bbi_time_shape *s, const uint64_t **rel,
                    struct bb_error *err)
{
    if (t->unpacked == NULL) {
        t->unpacked = bbi_arena_zalloc(&t->arena, 3 * BBI_TIME_BLOCK_ROWS_MAX, sizeof(uint64_t));
        if (t->unpacked == NULL) {
            return bbi_error_nomem(err, "times");
        }
    }
    if (t->unpacked_block != s->block) {
        t->unpacked_block = NO_BLOCK;
        int code = unpack_block(t, &t->blocks[s->block], err);
        if (code != BB_OK) {
            return code;
        }
        t->unpacked_block = s->block;
    }
    *rel = t->unpacked + s->at;
    return BB_OK;
}

/* ---- reading ---- */

bool bbi_times_regular(const struct bbi_times *t, size_t chunk, int64_t *t0, uint64_t *step)
{
    BB_ASSERT(chunk < t->chunk_count);
    const struct bbi_time_shape *s = &t->shapes[t->shape_of[chunk]];
    if (s->kind != BBI_TIME_REGULAR) {
        return false;
    }
    *t0 = t->first[chunk];
    *step = s->step * t->unit;
    return true;
}

int bbi_times_lower_bound(struct bbi_times *t, size_t chunk, int64_t time, size_t *row,
                          struct bb_error *err)
{
    BB_ASSERT(chunk < t->chunk_count);
    *row = 0;
    if (time <= t->first[chunk]) {
        return BB_OK;
    }
    if (time > t->last[chunk]) {
        *row = t->rows[chunk];
        return BB_OK;
    }
    /* Rows are at multiples of the unit: round the wanted distance up to one. */
    const struct bbi_time_shape *s = &t->shapes[t->shape_of[chunk]];
    uint64_t wanted = ((uint64_t)time - (uint64_t)t->first[chunk] - 1) / t->unit + 1;
    if (s->kind == BBI_TIME_REGULAR) {
        *row = (size_t)((wanted - 1) / s->step + 1);
        return BB_OK;
    }
    const uint64_t *rel = NULL;
    int code = get_rows(t, s, &rel, err);
    size_t low = 0;
    size_t high = s->rows;
    while (code == BB_OK && low < high) {
        size_t middle = low + (high - low) / 2;
        if (rel[middle] < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *row = low;
    return code;
}

int bbi_times_decode(struct bbi_times *t, size_t chunk, size_t from, size_t to, int64_t *out,
                     struct bb_error *err)
{
    BB_ASSERT(chunk < t->chunk_count);
    if (from > to || to > t->rows[chunk]) {
        return bbi_error_set(err, BB_EINVAL, "times: rows %zu to %zu of %u", from, to,
                             t->rows[chunk]);
    }
    const struct bbi_time_shape *s = &t->shapes[t->shape_of[chunk]];
    uint64_t first = (uint64_t)t->first[chunk];
    if (s->kind == BBI_TIME_REGULAR) {
        uint64_t step = s->step * t->unit;
        for (size_t i = from; i < to; i++) {
            out[i - from] = (int64_t)(first + i * step);
        }
        return BB_OK;
    }
    const uint64_t *rel = NULL;
    int code = get_rows(t, s, &rel, err);
    for (size_t i = from; code == BB_OK && i < to; i++) {
        out[i - from] = (int64_t)(first + rel[i] * t->unit);
    }
    return code;
}
