#include "engine/wal/batchrec.h"

#include <string.h>

#define BODY_VERSION 1

/* The head byte of a row: how its series, its time and its list of fields follow from the row
 * before. */
enum {
    SERIES_NEXT = 0, /* one more */
    SERIES_SAME = 1,
    SERIES_DELTA = 2, /* zigzag follows */
    SERIES_MASK = 0x03,

    TIME_SAME = 0,
    TIME_STEP = 1 << 2,    /* the last difference that was written, once more */
    TIME_DELTA = 2 << 2,   /* zigzag of nanoseconds follows */
    TIME_SECONDS = 3 << 2, /* zigzag of seconds follows */
    TIME_MASK = 0x0c,

    SHAPE_SAME = 0,
    SHAPE_NEW = 1 << 4,   /* the list follows */
    SHAPE_KNOWN = 2 << 4, /* number of an earlier list follows */
    SHAPE_MASK = 0x30,

    HEAD_MASK = 0x3f
};

#define SECOND_NS INT64_C(1000000000)

/* Longest row but for its cells: head, series, time, shape. */
#define ROW_FIXED_MAX (1 + 3 * BBI_VARINT_MAX)

/* Lists of fields the encoder remembers, by a hash. Forgetting one costs bytes, nothing else. */
#define SHAPE_SLOTS 64

/* Fewest bytes of a row (head and one value) and of a field in a list (id and type). */
#define ROW_MIN   2
#define FIELD_MIN 2

struct shape_slot {
    size_t point; /* one that has this list, plus 1; 0: free */
    uint32_t number;
};

struct encoder {
    const struct bbi_batch *batch;
    struct bbi_buf *out;
    struct shape_slot slots[SHAPE_SLOTS];
    uint32_t shape_count;
    uint32_t series_id;
    uint64_t time;
    uint64_t step;
};

static bool same_shape(const struct bbi_batch *batch, const struct bbi_point *a,
                       const struct bbi_point *b)
{
    if (a->measurement_id != b->measurement_id || a->cell_count != b->cell_count) {
        return false;
    }
    const struct bbi_cell *x = batch->cells + a->cell_first;
    const struct bbi_cell *y = batch->cells + b->cell_first;
    for (uint32_t i = 0; i < a->cell_count; i++) {
        if (x[i].field_id != y[i].field_id || x[i].type != y[i].type) {
            return false;
        }
    }
    return true;
}

static size_t shape_slot_of(const struct bbi_batch *batch, const struct bbi_point *p)
{
    uint32_t last = batch->cells[p->cell_first + p->cell_count - 1].field_id;
    uint32_t h = p->measurement_id * 0x9e3779b1U + batch->cells[p->cell_first].field_id;
    h = (h * 0x85ebca77U) ^ (last * 0xc2b2ae3dU) ^ p->cell_count;
    return (h ^ (h >> 15)) % SHAPE_SLOTS;
}

/* Room for n bytes at the end of out; NULL: its error is set. */
static uint8_t *reserve(struct encoder *e, size_t n)
{
    return bbi_buf_reserve(e->out, n);
}

static void commit(struct encoder *e, const uint8_t *end)
{
    e->out->len = (size_t)(end - e->out->data);
}

/* A list of fields that the row before does not have. */
static uint8_t *put_shape(struct encoder *e, const struct bbi_point *p, uint8_t *head, uint8_t *at)
{
    struct shape_slot *slot = &e->slots[shape_slot_of(e->batch, p)];
    if (slot->point != 0 && same_shape(e->batch, p, &e->batch->points[slot->point - 1])) {
        *head |= SHAPE_KNOWN;
        return bbi_put_varint(at, slot->number);
    }
    *slot = (struct shape_slot){.point = (size_t)(p - e->batch->points) + 1,
                                .number = e->shape_count++};
    *head |= SHAPE_NEW;
    at = bbi_put_varint(at, p->measurement_id);
    at = bbi_put_varint(at, p->cell_count);
    const struct bbi_cell *cells = e->batch->cells + p->cell_first;
    for (uint32_t i = 0; i < p->cell_count; i++) {
        at = bbi_put_varint(at, cells[i].field_id);
        *at++ = cells[i].type;
    }
    return at;
}

static uint8_t *put_series_and_time(struct encoder *e, const struct bbi_point *p, uint8_t *head,
                                    uint8_t *at)
{
    uint32_t ahead = p->series_id - e->series_id;
    if (ahead != 1) {
        *head |= ahead == 0 ? SERIES_SAME : SERIES_DELTA;
        if (ahead != 0) {
            at = bbi_put_varint(at, bbi_zigzag((int32_t)ahead));
        }
    }
    e->series_id = p->series_id;
    uint64_t delta = (uint64_t)p->time_ns - e->time;
    e->time = (uint64_t)p->time_ns;
    if (delta == 0) {
        return at;
    }
    if (delta == e->step) {
        *head |= TIME_STEP;
        return at;
    }
    e->step = delta;
    if ((int64_t)delta % SECOND_NS == 0) {
        *head |= TIME_SECONDS;
        return bbi_put_varint(at, bbi_zigzag((int64_t)delta / SECOND_NS));
    }
    *head |= TIME_DELTA;
    return bbi_put_varint(at, bbi_zigzag((int64_t)delta));
}

static uint8_t *put_value(uint8_t *at, const struct bbi_cell *cell)
{
    switch (cell->type) {
    case BBI_FLOAT:
        bbi_put_u64(at, cell->v.bits);
        return at + 8;
    case BBI_INT:
        return bbi_put_varint(at, bbi_zigzag((int64_t)cell->v.bits));
    case BBI_UINT:
        return bbi_put_varint(at, cell->v.bits);
    case BBI_BOOL:
        *at = cell->v.bits != 0;
        return at + 1;
    default:
        BB_ASSERT(cell->type == BBI_STRING);
        at = bbi_put_varint(at, cell->length);
        if (cell->length != 0) {
            memcpy(at, cell->v.str, cell->length);
        }
        return at + cell->length;
    }
}

/* Most bytes that a row can take, with its list of fields. */
static size_t row_bytes_max(const struct bbi_cell *cells, uint32_t count, bool new_shape)
{
    size_t n = ROW_FIXED_MAX + (size_t)count * BBI_VARINT_MAX;
    if (new_shape) {
        n += BBI_VARINT_MAX + (size_t)count * (BBI_VARINT_MAX + 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        n += cells[i].length;
    }
    return n;
}

static void put_row(struct encoder *e, const struct bbi_point *p, bool known_shape)
{
    const struct bbi_cell *cells = e->batch->cells + p->cell_first;
    uint8_t *at = reserve(e, row_bytes_max(cells, p->cell_count, !known_shape));
    if (at == NULL) {
        return;
    }
    uint8_t *head = at++;
    *head = 0;
    at = put_series_and_time(e, p, head, at);
    if (!known_shape) {
        at = put_shape(e, p, head, at);
    }
    for (uint32_t i = 0; i < p->cell_count; i++) {
        at = put_value(at, &cells[i]);
    }
    commit(e, at);
}

void bbi_batchrec_encode(struct bbi_buf *out, const struct bbi_batch *batch)
{
    struct encoder e = {.batch = batch, .out = out};
    bbi_buf_u8(out, BODY_VERSION);
    bbi_buf_varint(out, batch->db_id);
    bbi_buf_varint(out, batch->rp_id);
    bbi_buf_varint(out, batch->point_count);
    bbi_buf_varint(out, batch->cell_count);
    size_t cells = 0;
    for (size_t i = 0; i < batch->point_count && out->err == BB_OK; i++) {
        const struct bbi_point *p = &batch->points[i];
        BB_ASSERT(p->cell_first == cells && p->cell_count > 0);
        cells += p->cell_count;
        put_row(&e, p, i > 0 && same_shape(batch, p, p - 1));
    }
    BB_ASSERT(out->err != BB_OK || cells == batch->cell_count);
}

/* ---- decoding ---- */

void bbi_batchbuf_init(struct bbi_batchbuf *b, struct bbi_account *acct)
{
    *b = (struct bbi_batchbuf){.acct = acct};
}

void bbi_batchbuf_fini(struct bbi_batchbuf *b)
{
    bbi_mem_free(b->batch.points);
    bbi_mem_free(b->batch.cells);
    bbi_mem_free(b->shapes);
    bbi_batchbuf_init(b, b->acct);
}

/* At least `need` elements of `size` bytes. False: out of memory, the array is as it was. */
static bool grow(struct bbi_account *acct, void *array_at, size_t *cap, size_t need, size_t size)
{
    void **array = array_at;
    if (need <= *cap) {
        return true;
    }
    size_t bytes;
    void *p = NULL;
    if (!__builtin_mul_overflow(need, size, &bytes)) {
        p = bbi_mem_realloc(acct, *array, bytes);
    }
    if (p == NULL) {
        return false;
    }
    *array = p;
    *cap = need;
    return true;
}

struct decoder {
    struct bbi_cursor *c;
    struct bbi_batchbuf *b;
    size_t cells; /* decoded so far */
    uint32_t shape_count;
    uint32_t shape; /* first point that has the current list */
    uint32_t series_id;
    uint64_t time;
    uint64_t step;
    int err;
};

static void fail(struct decoder *d, int code)
{
    d->err = d->err == BB_OK ? code : d->err;
}

static void get_series(struct decoder *d, uint8_t head, struct bbi_point *p)
{
    int64_t delta = 1;
    switch (head & SERIES_MASK) {
    case SERIES_NEXT:
        break;
    case SERIES_SAME:
        delta = 0;
        break;
    case SERIES_DELTA:
        delta = bbi_cursor_zigzag(d->c);
        if (delta != (int32_t)delta) {
            fail(d, BB_ECORRUPT);
        }
        break;
    default:
        fail(d, BB_ECORRUPT);
    }
    d->series_id += (uint32_t)delta;
    p->series_id = d->series_id;
}

static void get_time(struct decoder *d, uint8_t head, struct bbi_point *p)
{
    switch (head & TIME_MASK) {
    case TIME_SAME:
        break;
    case TIME_STEP:
        d->time += d->step;
        break;
    case TIME_DELTA:
        d->step = (uint64_t)bbi_cursor_zigzag(d->c);
        d->time += d->step;
        break;
    default:
        d->step = (uint64_t)bbi_cursor_zigzag(d->c) * (uint64_t)SECOND_NS;
        d->time += d->step;
    }
    p->time_ns = (int64_t)d->time;
}

/* A list written in full: remembered under the next number. */
static void get_new_shape(struct decoder *d, struct bbi_point *p)
{
    uint64_t measurement_id = bbi_cursor_varint(d->c);
    uint64_t count = bbi_cursor_varint(d->c);
    if (measurement_id > UINT32_MAX || count == 0 || count > d->b->batch.cell_count - d->cells ||
        count > bbi_cursor_left(d->c) / FIELD_MIN) {
        fail(d, BB_ECORRUPT);
        return;
    }
    p->measurement_id = (uint32_t)measurement_id;
    p->cell_count = (uint32_t)count;
    struct bbi_cell *cells = d->b->batch.cells + d->cells;
    for (uint32_t i = 0; i < p->cell_count; i++) {
        uint64_t field_id = bbi_cursor_varint(d->c);
        uint8_t type = bbi_cursor_u8(d->c);
        if (field_id > UINT32_MAX || type < BBI_FLOAT || type > BBI_STRING) {
            fail(d, BB_ECORRUPT);
            return;
        }
        cells[i] = (struct bbi_cell){.field_id = (uint32_t)field_id, .type = type};
    }
    if (d->shape_count == d->b->shape_cap &&
        !grow(d->b->acct, &d->b->shapes, &d->b->shape_cap, 2 * (size_t)d->shape_count + 8,
              sizeof(*d->b->shapes))) {
        fail(d, BB_ENOMEM);
        return;
    }
    d->shape = (uint32_t)(p - d->b->batch.points);
    d->b->shapes[d->shape_count++] = d->shape;
}

static void copy_shape(struct decoder *d, struct bbi_point *p)
{
    const struct bbi_batch *batch = &d->b->batch;
    const struct bbi_point *like = &batch->points[d->shape];
    if (like->cell_count > batch->cell_count - d->cells) {
        fail(d, BB_ECORRUPT);
        return;
    }
    p->measurement_id = like->measurement_id;
    p->cell_count = like->cell_count;
    const struct bbi_cell *from = batch->cells + like->cell_first;
    struct bbi_cell *cells = batch->cells + d->cells;
    for (uint32_t i = 0; i < p->cell_count; i++) {
        cells[i] = (struct bbi_cell){.field_id = from[i].field_id, .type = from[i].type};
    }
}

static void get_shape(struct decoder *d, uint8_t head, struct bbi_point *p)
{
    p->cell_first = (uint32_t)d->cells;
    p->cell_count = 0;
    uint64_t number;
    switch (head & SHAPE_MASK) {
    case SHAPE_NEW:
        get_new_shape(d, p);
        return;
    case SHAPE_SAME:
        if (d->shape_count == 0) {
            fail(d, BB_ECORRUPT);
            return;
        }
        copy_shape(d, p);
        return;
    case SHAPE_KNOWN:
        number = bbi_cursor_varint(d->c);
        if (number >= d->shape_count) {
            fail(d, BB_ECORRUPT);
            return;
        }
        d->shape = d->b->shapes[number];
        copy_shape(d, p);
        return;
    default:
        fail(d, BB_ECORRUPT);
    }
}

static void get_value(struct decoder *d, struct bbi_cell *cell)
{
    size_t length = 0;
    switch (cell->type) {
    case BBI_FLOAT:
        cell->v.bits = bbi_cursor_u64(d->c);
        return;
    case BBI_INT:
        cell->v.bits = (uint64_t)bbi_cursor_zigzag(d->c);
        return;
    case BBI_UINT:
        cell->v.bits = bbi_cursor_varint(d->c);
        return;
    case BBI_BOOL:
        cell->v.bits = bbi_cursor_u8(d->c);
        if (cell->v.bits > 1) {
            fail(d, BB_ECORRUPT);
        }
        return;
    default:
        cell->v.str = bbi_cursor_block(d->c, &length);
        if (length > UINT32_MAX) {
            fail(d, BB_ECORRUPT);
            return;
        }
        cell->length = (uint32_t)length;
    }
}

static void get_row(struct decoder *d, struct bbi_point *p)
{
    uint8_t head = bbi_cursor_u8(d->c);
    if ((head & ~HEAD_MASK) != 0) {
        fail(d, BB_ECORRUPT);
        return;
    }
    get_series(d, head, p);
    get_time(d, head, p);
    get_shape(d, head, p);
    struct bbi_cell *cells = d->b->batch.cells + d->cells;
    for (uint32_t i = 0; d->err == BB_OK && i < p->cell_count; i++) {
        get_value(d, &cells[i]);
    }
    d->cells += p->cell_count;
}

/* Ids and counts; arrays of the right size. */
static void get_header(struct decoder *d)
{
    struct bbi_batch *batch = &d->b->batch;
    uint8_t version = bbi_cursor_u8(d->c);
    if (d->c->err == BB_OK && version != BODY_VERSION) {
        fail(d, BB_EVERSION);
        return;
    }
    uint64_t db_id = bbi_cursor_varint(d->c);
    uint64_t rp_id = bbi_cursor_varint(d->c);
    uint64_t points = bbi_cursor_varint(d->c);
    uint64_t cells = bbi_cursor_varint(d->c);
    size_t left = bbi_cursor_left(d->c);
    if (d->c->err != BB_OK || db_id > UINT32_MAX || rp_id > UINT32_MAX || points > left / ROW_MIN ||
        cells < points || cells > left || cells > UINT32_MAX) {
        fail(d, BB_ECORRUPT);
        return;
    }
    if (!grow(d->b->acct, &batch->points, &d->b->point_cap, points, sizeof(*batch->points)) ||
        !grow(d->b->acct, &batch->cells, &d->b->cell_cap, cells, sizeof(*batch->cells))) {
        fail(d, BB_ENOMEM);
        return;
    }
    batch->db_id = (uint32_t)db_id;
    batch->rp_id = (uint32_t)rp_id;
    batch->point_count = points;
    batch->cell_count = cells;
}

int bbi_batchrec_decode(struct bbi_cursor *c, struct bbi_batchbuf *b, struct bb_error *err)
{
    struct decoder d = {.c = c, .b = b};
    struct bbi_batch *batch = &b->batch;
    batch->point_count = 0;
    batch->cell_count = 0;
    get_header(&d);
    for (size_t i = 0; d.err == BB_OK && c->err == BB_OK && i < batch->point_count; i++) {
        get_row(&d, &batch->points[i]);
    }
    fail(&d, c->err);
    if (d.cells != batch->cell_count || bbi_cursor_left(c) != 0) {
        fail(&d, BB_ECORRUPT);
    }
    if (d.err == BB_OK) {
        return BB_OK;
    }
    batch->point_count = 0;
    batch->cell_count = 0;
    if (d.err == BB_ENOMEM) {
        return bbi_error_nomem(err, "batch record");
    }
    if (d.err == BB_EVERSION) {
        return bbi_error_set(err, BB_EVERSION, "batch record: unknown version");
    }
    return bbi_error_set(err, BB_ECORRUPT, "batch record: malformed");
}
