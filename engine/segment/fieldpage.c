/*
 * Field pages. Values stand without gaps in their chunk; a window of rows is a window of values
 * between two ranks.
 */
#include "engine/segment/page_load.h"
#include "engine/segment/presence.h"

struct bbi_fieldpage_chunk {
    struct bbi_presence_chunk presence;
    uint32_t rows;
    uint32_t entry; /* number among the chunks that have values */
    uint32_t at;    /* strings: number of the first value; else place in the payload */
};

void bbi_fieldpage_init(struct bbi_fieldpage *fp, struct bbi_account *acct)
{
    *fp = (struct bbi_fieldpage){.acct = acct};
    bbi_buf_init(&fp->body, acct, (size_t)BBI_PAGE_BYTES_MAX + BBI_PAGE_PAD);
    bbi_arena_init(&fp->arena, acct);
}

void bbi_fieldpage_fini(struct bbi_fieldpage *fp)
{
    bbi_strings_destroy(&fp->strings);
    bbi_buf_fini(&fp->body);
    bbi_arena_fini(&fp->arena);
    fp->chunk_count = 0;
}

/* ---- loading ---- */

static int corrupt(struct bb_error *err, const char *what)
{
    return bbi_error_set(err, BB_ECORRUPT, "%s", what);
}

static int read_presence(struct bbi_fieldpage *fp, const struct bbi_timepage *tp,
                         struct bbi_cursor *c, uint32_t value_count, size_t *entry_count,
                         struct bb_error *err)
{
    size_t n = tp->chunk_count;
    struct bbi_presence_chunk *presence = bbi_arena_zalloc(&fp->arena, n, sizeof(*presence));
    fp->chunks = bbi_arena_zalloc(&fp->arena, n, sizeof(*fp->chunks));
    if (presence == NULL || fp->chunks == NULL) {
        return bbi_error_nomem(err, "field page");
    }
    int code = bbi_presence_decode(c, tp->rows, n, presence, &fp->arena, err);
    if (code != BB_OK) {
        return code;
    }
    uint32_t values = 0;
    uint32_t entries = 0;
    for (size_t i = 0; i < n; i++) {
        fp->chunks[i] = (struct bbi_fieldpage_chunk){
            .presence = presence[i], .rows = tp->rows[i], .entry = entries, .at = values};
        values += presence[i].value_count;
        entries += presence[i].value_count > 0 ? 1 : 0;
    }
    *entry_count = entries;
    return values == value_count ? BB_OK : corrupt(err, "values differ from the index");
}

/* The codec's directory, and each payload's place. */
static int read_entries(struct bbi_fieldpage *fp, size_t n, size_t entry_count,
                        struct bbi_cursor *c, struct bb_error *err)
{
    fp->entries = bbi_arena_zalloc(&fp->arena, entry_count, sizeof(*fp->entries));
    if (fp->entries == NULL) {
        return bbi_error_nomem(err, "field page");
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t values = fp->chunks[i].presence.value_count;
        if (values > 0) {
            fp->entries[fp->chunks[i].entry].value_count = (uint16_t)values;
        }
    }
    int code = bbi_chunkdir_decode(c, fp->type, entry_count, fp->entries, fp->acct, err);
    if (code != BB_OK) {
        return code;
    }
    size_t payload_bytes = bbi_cursor_left(c);
    fp->payload = c->p;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        struct bbi_fieldpage_chunk *chunk = &fp->chunks[i];
        if (chunk->presence.value_count == 0) {
            continue;
        }
        const struct bbi_chunk *entry = &fp->entries[chunk->entry];
        if (entry->payload_bytes > payload_bytes - at) {
            return corrupt(err, "payloads longer than the page");
        }
        chunk->at = (uint32_t)at;
        at += entry->payload_bytes;
    }
    return at == payload_bytes ? BB_OK : corrupt(err, "bytes behind the payloads");
}

static int read_page(struct bbi_fieldpage *fp, const struct bbi_page_header *h,
                     const struct bbi_segment_field *field, const struct bbi_timepage *tp,
                     struct bb_error *err)
{
    struct bbi_cursor c;
    size_t entry_count = 0;
    bbi_cursor_init(&c, fp->body.data + BBI_PAGE_BYTES, h->body_bytes);
    int code = read_presence(fp, tp, &c, field->value_count, &entry_count, err);
    if (code != BB_OK) {
        return code;
    }
    if (fp->type == BBI_STRING) {
        return bbi_strings_open(&fp->strings, c.p, bbi_cursor_left(&c), field->value_count,
                                fp->acct, err);
    }
    return read_entries(fp, tp->chunk_count, entry_count, &c, err);
}

int bbi_fieldpage_load(struct bbi_fieldpage *fp, const struct bbi_page_header *h,
                       const struct bbi_segment_group *g, const struct bbi_segment_field *field,
                       const struct bbi_timepage *tp, struct bb_error *err)
{
    BB_ASSERT(tp->chunk_count == g->chunk_count && tp->row_count == g->row_count);
    bbi_strings_destroy(&fp->strings);
    fp->chunk_count = 0;
    if (h->kind != BBI_PAGE_FIELD || h->measurement_id != g->measurement_id ||
        h->chunk_count != g->chunk_count || h->field_id != field->field_id ||
        h->type != field->type || h->row_count != field->value_count) {
        return corrupt(err, "not the field page that the index names");
    }
    bbi_arena_reset(&fp->arena);
    fp->field_id = field->field_id;
    fp->type = (enum bbi_type)field->type;
    fp->entries = NULL;
    fp->payload = NULL;
    int code = read_page(fp, h, field, tp, err);
    if (code != BB_OK) {
        bbi_strings_destroy(&fp->strings);
        return code;
    }
    fp->chunk_count = g->chunk_count;
    return BB_OK;
}

/* ---- windows ---- */

/* The values that rows [from, to) of a chunk have: values [first, last) of it. */
struct window {
    const struct bbi_fieldpage_chunk *chunk;
    size_t from, to;
    size_t first, last;
};

static struct window get_window(const struct bbi_fieldpage *fp, size_t chunk, size_t from,
                                size_t to)
{
    BB_ASSERT(chunk < fp->chunk_count);
    struct window w = {.chunk = &fp->chunks[chunk], .from = from, .to = to};
    BB_ASSERT(from <= to && to <= w.chunk->rows);
    switch (w.chunk->presence.state) {
    case BBI_PRESENT_ALL:
        w.first = from;
        w.last = to;
        break;
    case BBI_PRESENT_SOME:
        w.first = bbi_bitmap_rank(w.chunk->presence.bitmap, from);
        w.last = bbi_bitmap_rank(w.chunk->presence.bitmap, to);
        break;
    case BBI_PRESENT_NONE:
        break;
    }
    return w;
}

static int check_window(const struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                        bool strings, struct bb_error *err)
{
    if (chunk >= fp->chunk_count || from > to || to > fp->chunks[chunk].rows) {
        return bbi_error_set(err, BB_EINVAL, "rows %zu to %zu of chunk %zu are not in the page",
                             from, to, chunk);
    }
    if (strings != (fp->type == BBI_STRING)) {
        return bbi_error_set(err, BB_EINVAL, "field %u is %s", fp->field_id,
                             strings ? "no string" : "a string");
    }
    return BB_OK;
}

static void fill_valid(const struct window *w, uint64_t *valid)
{
    if (valid == NULL) {
        return;
    }
    switch (w->chunk->presence.state) {
    case BBI_PRESENT_ALL:
        bbi_bitmap_fill(valid, w->to - w->from);
        break;
    case BBI_PRESENT_NONE:
        memset(valid, 0, BBI_BITMAP_WORDS(w->to - w->from) * sizeof(*valid));
        break;
    case BBI_PRESENT_SOME:
        bbi_bitmap_window(w->chunk->presence.bitmap, w->from, w->to, valid);
        break;
    }
}

/* Whether row i of the window has a value. */
static bool has_value(const struct window *w, size_t i)
{
    size_t row = w->from + i;
    return (w->chunk->presence.bitmap[row / 64] >> row % 64 & 1) != 0;
}

static int decode(struct bbi_fieldpage *fp, const struct window *w, uint64_t *bits,
                  struct bb_error *err)
{
    if (w->first == w->last) {
        return BB_OK;
    }
    fp->decoded_values += w->last - w->first;
    return bbi_chunk_decode(fp->type, &fp->entries[w->chunk->entry], fp->payload + w->chunk->at,
                            w->first, w->last, bits, err);
}

enum bbi_presence bbi_fieldpage_presence(const struct bbi_fieldpage *fp, size_t chunk)
{
    BB_ASSERT(chunk < fp->chunk_count);
    return fp->chunks[chunk].presence.state;
}

size_t bbi_fieldpage_chunk_values(const struct bbi_fieldpage *fp, size_t chunk)
{
    BB_ASSERT(chunk < fp->chunk_count);
    return fp->chunks[chunk].presence.value_count;
}

size_t bbi_fieldpage_valid(const struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                           uint64_t *valid)
{
    struct window w = get_window(fp, chunk, from, to);
    fill_valid(&w, valid);
    return w.last - w.first;
}

int bbi_fieldpage_dense(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                        uint64_t *bits, size_t *count, struct bb_error *err)
{
    *count = 0;
    int code = check_window(fp, chunk, from, to, false, err);
    if (code != BB_OK) {
        return code;
    }
    struct window w = get_window(fp, chunk, from, to);
    code = decode(fp, &w, bits, err);
    *count = code == BB_OK ? w.last - w.first : 0;
    return code;
}

int bbi_fieldpage_values(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                         uint64_t *bits, uint64_t *valid, size_t *count, struct bb_error *err)
{
    int code = bbi_fieldpage_dense(fp, chunk, from, to, bits, count, err);
    if (code != BB_OK) {
        return code;
    }
    struct window w = get_window(fp, chunk, from, to);
    fill_valid(&w, valid);
    size_t left = *count;
    if (left == to - from) {
        return BB_OK;
    }
    /* Spread from the end: a value never moves towards the front, so none is overwritten early. */
    for (size_t i = to - from; i-- > 0;) {
        bits[i] = left > 0 && has_value(&w, i) ? bits[--left] : 0;
    }
    return BB_OK;
}

int bbi_fieldpage_strings(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                          struct bbi_string *strs, uint64_t *valid, size_t *count,
                          struct bb_error *err)
{
    *count = 0;
    int code = check_window(fp, chunk, from, to, true, err);
    if (code != BB_OK) {
        return code;
    }
    struct window w = get_window(fp, chunk, from, to);
    fill_valid(&w, valid);
    size_t left = w.last - w.first;
    bbi_strings_range(fp->strings, w.chunk->at + w.first, w.chunk->at + w.last, strs);
    fp->decoded_values += left;
    *count = left;
    if (left == to - from) {
        return BB_OK;
    }
    for (size_t i = to - from; i-- > 0;) {
        strs[i] = left > 0 && has_value(&w, i) ? strs[--left] : (struct bbi_string){NULL, 0};
    }
    return BB_OK;
}

/* ---- sums and extremes ---- */

/* Add the window's values from their packed form. */
static int sum_packed(struct bbi_fieldpage *fp, const struct window *w, struct bbi_sum *floats,
                      __int128 *integers, struct bb_error *err)
{
    struct bbi_chunk_total total;
    int code = bbi_chunk_sum(fp->type, &fp->entries[w->chunk->entry], fp->payload + w->chunk->at,
                             w->first, w->last, &total, err);
    if (code != BB_OK) {
        return code;
    }
    fp->packed_values += w->last - w->first;
    if (fp->type != BBI_FLOAT) {
        *integers = (__int128)((unsigned __int128)*integers + (unsigned __int128)total.scaled);
        return BB_OK;
    }
    bbi_sum_add_scaled(floats, total.scaled, total.exponent);
    code = bbi_sum_add_array(floats, total.exceptions, total.exception_count);
    return code == BB_OK ? BB_OK : bbi_error_nomem(err, "sum");
}

static int sum_decoded(struct bbi_fieldpage *fp, const struct window *w, struct bbi_sum *floats,
                       struct bb_error *err)
{
    uint64_t bits[BBI_SEGMENT_CHUNK_ROWS];
    double values[BBI_SEGMENT_CHUNK_ROWS];
    int code = decode(fp, w, bits, err);
    if (code != BB_OK) {
        return code;
    }
    size_t n = w->last - w->first;
    memcpy(values, bits, n * sizeof(values[0]));
    code = bbi_sum_add_array(floats, values, n);
    return code == BB_OK ? BB_OK : bbi_error_nomem(err, "sum");
}

int bbi_fieldpage_sum(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                      struct bbi_sum *floats, __int128 *integers, size_t *count,
                      struct bb_error *err)
{
    *count = 0;
    int code = check_window(fp, chunk, from, to, false, err);
    if (code != BB_OK) {
        return code;
    }
    struct window w = get_window(fp, chunk, from, to);
    if (w.first == w.last) {
        return BB_OK;
    }
    bool packed = bbi_chunk_is_scaled(fp->type, &fp->entries[w.chunk->entry]);
    code = packed ? sum_packed(fp, &w, floats, integers, err) : sum_decoded(fp, &w, floats, err);
    *count = code == BB_OK ? w.last - w.first : 0;
    return code;
}

/* The row of a chunk that has its value number i. */
static size_t row_of(const struct bbi_fieldpage_chunk *chunk, size_t i)
{
    return chunk->presence.state == BBI_PRESENT_ALL ? i
                                                    : bbi_bitmap_select(chunk->presence.bitmap, i);
}

int bbi_fieldpage_minmax(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                         struct bbi_fieldpage_extremes *out, struct bb_error *err)
{
    *out = (struct bbi_fieldpage_extremes){.count = 0};
    int code = check_window(fp, chunk, from, to, false, err);
    if (code != BB_OK) {
        return code;
    }
    struct window w = get_window(fp, chunk, from, to);
    if (w.first == w.last) {
        return BB_OK;
    }
    const struct bbi_chunk *entry = &fp->entries[w.chunk->entry];
    struct bbi_chunk_extremes found;
    code = bbi_chunk_minmax(fp->type, entry, fp->payload + w.chunk->at, w.first, w.last, &found,
                            err);
    if (code != BB_OK) {
        return code;
    }
    bool packed = bbi_chunk_is_scaled(fp->type, entry);
    *(packed ? &fp->packed_values : &fp->decoded_values) += w.last - w.first;
    out->count = found.count;
    out->non_finite = found.non_finite;
    if (found.count > 0) {
        out->min_bits = found.min_bits;
        out->max_bits = found.max_bits;
        out->min_row = row_of(w.chunk, found.min_at);
        out->max_row = row_of(w.chunk, found.max_at);
    }
    return BB_OK;
}
