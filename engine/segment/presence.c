/*
 * A column of states, one per chunk; then, for the chunks that lack some rows, the runs of missing
 * rows (their starts and lengths as two columns over all chunks), or a plain bitmap where runs are
 * many.
 */
#include "engine/segment/presence.h"

#include "engine/codec/intcol.h"

/* A run costs about this many bits; a bitmap one per row. */
#define RUN_BITS 12

size_t bbi_bitmap_rank(const uint64_t *bitmap, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n / 64; i++) {
        count += (size_t)__builtin_popcountll(bitmap[i]);
    }
    if (n % 64 != 0) {
        uint64_t below = (UINT64_C(1) << n % 64) - 1;
        count += (size_t)__builtin_popcountll(bitmap[n / 64] & below);
    }
    return count;
}

size_t bbi_bitmap_select(const uint64_t *bitmap, size_t k)
{
    size_t word = 0;
    for (;; word++) {
        size_t ones = (size_t)__builtin_popcountll(bitmap[word]);
        if (k < ones) {
            break;
        }
        k -= ones;
    }
    uint64_t bits = bitmap[word];
    for (; k > 0; k--) {
        bits &= bits - 1;
    }
    return word * 64 + (size_t)__builtin_ctzll(bits);
}

void bbi_bitmap_fill(uint64_t *out, size_t n)
{
    for (size_t i = 0; i < BBI_BITMAP_WORDS(n); i++) {
        out[i] = UINT64_MAX;
    }
    if (n % 64 != 0) {
        out[n / 64] = (UINT64_C(1) << n % 64) - 1;
    }
}

void bbi_bitmap_window(const uint64_t *bitmap, size_t from, size_t to, uint64_t *out)
{
    size_t n = to - from;
    size_t shift = from % 64;
    size_t last = to == 0 ? 0 : (to - 1) / 64;
    for (size_t i = 0; i < BBI_BITMAP_WORDS(n); i++) {
        size_t word = from / 64 + i;
        uint64_t bits = bitmap[word] >> shift;
        if (shift != 0 && word < last) {
            bits |= bitmap[word + 1] << (64 - shift);
        }
        out[i] = bits;
    }
    if (n % 64 != 0) {
        out[n / 64] &= (UINT64_C(1) << n % 64) - 1;
    }
}

static bool get_bit(const uint64_t *bitmap, size_t i)
{
    return (bitmap[i / 64] >> i % 64 & 1) != 0;
}

/* ---- encode ---- */

/* What the partial chunks of a page become. */
struct runs {
    uint64_t *counts; /* [partial_count] runs of a chunk; 0: it has a bitmap */
    uint64_t *starts; /* [run_count] */
    uint64_t *spans;  /* [run_count] missing rows, less one */
    size_t partial_count;
    size_t run_count;
};

static size_t count_runs(const uint64_t *bitmap, size_t rows)
{
    size_t runs = 0;
    bool before = true;
    for (size_t i = 0; i < rows; i++) {
        bool has = get_bit(bitmap, i);
        runs += before && !has ? 1 : 0;
        before = has;
    }
    return runs;
}

static void add_runs(struct runs *r, const uint64_t *bitmap, size_t rows)
{
    for (size_t i = 0; i < rows;) {
        if (get_bit(bitmap, i)) {
            i++;
            continue;
        }
        size_t start = i;
        while (i < rows && !get_bit(bitmap, i)) {
            i++;
        }
        r->starts[r->run_count] = start;
        r->spans[r->run_count++] = i - start - 1;
    }
}

static int put_bitmaps(const struct runs *r, const uint8_t *states, const uint16_t *rows,
                       size_t chunk_count, const uint64_t *words, struct bbi_buf *out)
{
    size_t partial = 0;
    for (size_t c = 0; c < chunk_count; c++) {
        if (states[c] != BBI_PRESENT_SOME) {
            continue;
        }
        if (r->counts[partial++] == 0) {
            bbi_buf_put(out, words, ((size_t)rows[c] + 7) / 8);
        }
        words += BBI_BITMAP_WORDS(rows[c]);
    }
    return out->err;
}

static int put_partial(const uint8_t *states, const uint16_t *rows, size_t chunk_count,
                       const uint64_t *words, struct bbi_buf *out, struct bbi_arena *arena,
                       struct bb_error *err)
{
    size_t total_rows = 0;
    for (size_t c = 0; c < chunk_count; c++) {
        total_rows += rows[c];
    }
    struct runs r = {.counts = bbi_arena_zalloc(arena, chunk_count, sizeof(uint64_t)),
                     .starts = bbi_arena_zalloc(arena, total_rows / 2 + 1, sizeof(uint64_t)),
                     .spans = bbi_arena_zalloc(arena, total_rows / 2 + 1, sizeof(uint64_t))};
    if (r.counts == NULL || r.starts == NULL || r.spans == NULL) {
        return bbi_error_nomem(err, "presence");
    }
    const uint64_t *bitmap = words;
    for (size_t c = 0; c < chunk_count; c++) {
        if (states[c] != BBI_PRESENT_SOME) {
            continue;
        }
        size_t count = count_runs(bitmap, rows[c]);
        if (count * RUN_BITS < rows[c]) {
            add_runs(&r, bitmap, rows[c]);
            r.counts[r.partial_count] = count;
        }
        r.partial_count++;
        bitmap += BBI_BITMAP_WORDS(rows[c]);
    }
    int code = bbi_intcol_encode(r.counts, r.partial_count, out);
    if (code == BB_OK) {
        code = bbi_intcol_encode(r.starts, r.run_count, out);
    }
    if (code == BB_OK) {
        code = bbi_intcol_encode(r.spans, r.run_count, out);
    }
    if (code == BB_OK) {
        code = put_bitmaps(&r, states, rows, chunk_count, words, out);
    }
    return code == BB_OK ? BB_OK : bbi_buf_check(out, "presence", err);
}

int bbi_presence_encode(const uint8_t *states, const uint16_t *rows, size_t chunk_count,
                        const uint64_t *words, struct bbi_buf *out, struct bbi_arena *arena,
                        struct bb_error *err)
{
    uint64_t *column = bbi_arena_zalloc(arena, chunk_count, sizeof(*column));
    if (column == NULL) {
        return bbi_error_nomem(err, "presence");
    }
    bool partial = false;
    for (size_t c = 0; c < chunk_count; c++) {
        column[c] = states[c];
        partial |= states[c] == BBI_PRESENT_SOME;
    }
    if (bbi_intcol_encode(column, chunk_count, out) != BB_OK) {
        return bbi_buf_check(out, "presence", err);
    }
    return partial ? put_partial(states, rows, chunk_count, words, out, arena, err) : BB_OK;
}

/* ---- decode ---- */

static int corrupt(struct bb_error *err, const char *what)
{
    return bbi_error_set(err, BB_ECORRUPT, "presence: %s", what);
}

static int read_states(struct bbi_cursor *c, const uint16_t *rows, size_t chunk_count,
                       struct bbi_presence_chunk *out, struct bbi_arena *arena,
                       size_t *partial_count, struct bb_error *err)
{
    uint64_t *column = bbi_arena_zalloc(arena, chunk_count, sizeof(*column));
    if (column == NULL) {
        return bbi_error_nomem(err, "presence");
    }
    int code = bbi_intcol_decode(c, chunk_count, column, err);
    *partial_count = 0;
    for (size_t i = 0; code == BB_OK && i < chunk_count; i++) {
        if (column[i] > BBI_PRESENT_SOME) {
            return corrupt(err, "unknown state");
        }
        out[i].state = (enum bbi_presence)column[i];
        out[i].value_count = column[i] == BBI_PRESENT_ALL ? rows[i] : 0;
        out[i].bitmap = NULL;
        *partial_count += column[i] == BBI_PRESENT_SOME ? 1 : 0;
    }
    return code;
}

/* Clear a chunk's missing rows in a full bitmap. */
static bool clear_runs(uint64_t *bitmap, size_t rows, const uint64_t *starts, const uint64_t *spans,
                       size_t run_count)
{
    uint64_t free_from = 0;
    for (size_t k = 0; k < run_count; k++) {
        if (starts[k] < free_from || starts[k] >= rows || spans[k] >= rows - starts[k]) {
            return false;
        }
        uint64_t end = starts[k] + spans[k] + 1;
        for (uint64_t i = starts[k]; i < end; i++) {
            bitmap[i / 64] &= ~(UINT64_C(1) << i % 64);
        }
        /* Runs that touch would be one. */
        free_from = end + 1;
    }
    return true;
}

/* Read the columns of runs; r->counts holds the chunks' counts already. */
static int read_runs(struct bbi_cursor *c, size_t row_count, struct runs *r,
                     struct bbi_arena *arena, struct bb_error *err)
{
    int code = bbi_intcol_decode(c, r->partial_count, r->counts, err);
    for (size_t i = 0; code == BB_OK && i < r->partial_count; i++) {
        if (r->counts[i] > row_count - r->run_count) {
            return corrupt(err, "more runs than rows");
        }
        r->run_count += (size_t)r->counts[i];
    }
    if (code != BB_OK) {
        return code;
    }
    r->starts = bbi_arena_zalloc(arena, r->run_count, sizeof(uint64_t));
    r->spans = bbi_arena_zalloc(arena, r->run_count, sizeof(uint64_t));
    if (r->starts == NULL || r->spans == NULL) {
        return bbi_error_nomem(err, "presence");
    }
    code = bbi_intcol_decode(c, r->run_count, r->starts, err);
    return code == BB_OK ? bbi_intcol_decode(c, r->run_count, r->spans, err) : code;
}

static int read_bitmap(struct bbi_cursor *c, size_t rows, uint64_t *bitmap, struct bb_error *err)
{
    const uint8_t *bytes = bbi_cursor_bytes(c, (rows + 7) / 8);
    if (bytes == NULL) {
        return bbi_cursor_check(c, "presence", err);
    }
    memset(bitmap, 0, BBI_BITMAP_WORDS(rows) * sizeof(*bitmap));
    memcpy(bitmap, bytes, (rows + 7) / 8);
    if (rows % 64 != 0 && bitmap[rows / 64] >> rows % 64 != 0) {
        return corrupt(err, "bits behind the rows");
    }
    return BB_OK;
}

static int read_partial(struct bbi_cursor *c, const uint16_t *rows, size_t chunk_count,
                        size_t partial_count, struct bbi_presence_chunk *out,
                        struct bbi_arena *arena, struct bb_error *err)
{
    size_t row_count = 0;
    size_t word_count = 0;
    for (size_t i = 0; i < chunk_count; i++) {
        row_count += rows[i];
        word_count += out[i].state == BBI_PRESENT_SOME ? BBI_BITMAP_WORDS(rows[i]) : 0;
    }
    struct runs r = {.counts = bbi_arena_zalloc(arena, partial_count, sizeof(uint64_t)),
                     .partial_count = partial_count};
    uint64_t *bitmap = bbi_arena_zalloc(arena, word_count, sizeof(*bitmap));
    if (r.counts == NULL || bitmap == NULL) {
        return bbi_error_nomem(err, "presence");
    }
    int code = read_runs(c, row_count, &r, arena, err);
    size_t partial = 0;
    size_t run = 0;
    for (size_t i = 0; code == BB_OK && i < chunk_count; i++) {
        if (out[i].state != BBI_PRESENT_SOME) {
            continue;
        }
        size_t runs = (size_t)r.counts[partial++];
        if (runs == 0) {
            code = read_bitmap(c, rows[i], bitmap, err);
        } else {
            bbi_bitmap_fill(bitmap, rows[i]);
            if (!clear_runs(bitmap, rows[i], r.starts + run, r.spans + run, runs)) {
                code = corrupt(err, "runs outside the chunk or out of order");
            }
        }
        run += runs;
        out[i].bitmap = bitmap;
        out[i].value_count = (uint32_t)bbi_bitmap_rank(bitmap, rows[i]);
        bitmap += BBI_BITMAP_WORDS(rows[i]);
        if (code == BB_OK && (out[i].value_count == 0 || out[i].value_count == rows[i])) {
            code = corrupt(err, "a partial chunk is not");
        }
    }
    return code;
}

int bbi_presence_decode(struct bbi_cursor *c, const uint16_t *rows, size_t chunk_count,
                        struct bbi_presence_chunk *out, struct bbi_arena *arena,
                        struct bb_error *err)
{
    size_t partial_count = 0;
    int code = read_states(c, rows, chunk_count, out, arena, &partial_count, err);
    if (code != BB_OK || partial_count == 0) {
        return code;
    }
    return read_partial(c, rows, chunk_count, partial_count, out, arena, err);
}
