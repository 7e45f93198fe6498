#include "engine/segment/field_builder.h"

#include "engine/segment/format.h"
#include "engine/segment/grow.h"
#include "engine/segment/order.h"
#include "engine/segment/presence.h"

static int nomem(struct bb_error *err)
{
    return bbi_error_nomem(err, "field page");
}

/* Nothing of a group. */
static void begin_group(struct bbi_field_builder *b)
{
    b->state_count = 0;
    b->entry_count = 0;
    b->value_count = 0;
    b->stats = BBI_STATS_MINMAX;
    b->integers = 0;
    b->text_bytes = 0;
    bbi_arena_reset(&b->text);
    bbi_buf_reset(&b->words);
    bbi_buf_reset(&b->payload);
    /* Not reset: that would keep the accumulator, whose absence says that all were decimals. */
    bbi_sum_fini(&b->floats);
    bbi_sum_init(&b->floats, b->acct);
}

struct bbi_field_builder *bbi_field_builder_create(uint32_t field_id, enum bbi_type type,
                                                   struct bbi_account *acct)
{
    struct bbi_field_builder *b = bbi_mem_zalloc(acct, 1, sizeof(*b));
    if (b == NULL) {
        return NULL;
    }
    b->field_id = field_id;
    b->type = type;
    b->acct = acct;
    bbi_buf_init(&b->words, acct, BBI_PAGE_BYTES_MAX);
    bbi_buf_init(&b->payload, acct, BBI_PAGE_BYTES_MAX);
    bbi_arena_init(&b->text, acct);
    bbi_sum_init(&b->floats, acct);
    begin_group(b);
    return b;
}

void bbi_field_builder_destroy(struct bbi_field_builder **builder)
{
    struct bbi_field_builder *b = *builder;
    *builder = NULL;
    if (b == NULL) {
        return;
    }
    bbi_mem_free(b->bits);
    bbi_mem_free(b->strs);
    bbi_mem_free(b->states);
    bbi_mem_free(b->entries);
    bbi_mem_free(b->values);
    bbi_buf_fini(&b->words);
    bbi_buf_fini(&b->payload);
    bbi_arena_fini(&b->text);
    bbi_sum_fini(&b->floats);
    bbi_mem_free(b);
}

/* ---- rows ---- */

static void set_bits(uint64_t *bitmap, size_t from, size_t to)
{
    for (size_t i = from; i < to;) {
        size_t bit = i % 64;
        size_t n = 64 - bit < to - i ? 64 - bit : to - i;
        bitmap[i / 64] |= (n == 64 ? UINT64_MAX : ((UINT64_C(1) << n) - 1)) << bit;
        i += n;
    }
}

static bool column_has(const struct bbi_column *column, size_t row)
{
    return column->valid == NULL || (column->valid[row / 64] >> row % 64 & 1) != 0;
}

/* Keep a string. Status words come again and again: one equal to the last is not copied. */
static bool keep_string(struct bbi_field_builder *b, const struct bbi_string *last,
                        const struct bbi_string *s, struct bbi_string *out)
{
    *out = (struct bbi_string){.ptr = last == NULL ? NULL : last->ptr, .len = s->len};
    if (s->len == 0) {
        return true;
    }
    if (last != NULL && last->len == s->len && memcmp(last->ptr, s->ptr, s->len) == 0) {
        return true;
    }
    uint8_t *copy = bbi_arena_dup(&b->text, s->ptr, s->len);
    out->ptr = copy;
    b->text_bytes += s->len;
    return copy != NULL;
}

static int put_strings(struct bbi_field_builder *b, size_t at, const struct bbi_column *column,
                       size_t from, size_t n, struct bb_error *err)
{
    const struct bbi_string *last = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!column_has(column, from + i)) {
            continue;
        }
        const struct bbi_string *s = &column->strs[from + i];
        if (s->len > BBI_STRINGS_LENGTH_MAX) {
            return bbi_error_set(err, BB_ELIMIT, "a string of %u bytes, at most %d", s->len,
                                 BBI_STRINGS_LENGTH_MAX);
        }
        if (!keep_string(b, last, s, &b->strs[at + i])) {
            return nomem(err);
        }
        last = s->len == 0 ? last : &b->strs[at + i];
    }
    return BB_OK;
}

static bool room_for_rows(struct bbi_field_builder *b, size_t need)
{
    if (b->type == BBI_STRING) {
        struct bbi_string *strs = bbi_grow(b->acct, b->strs, &b->row_cap, need, sizeof(*strs));
        b->strs = strs == NULL ? b->strs : strs;
        return strs != NULL;
    }
    uint64_t *bits = bbi_grow(b->acct, b->bits, &b->row_cap, need, sizeof(*bits));
    b->bits = bits == NULL ? b->bits : bits;
    return bits != NULL;
}

int bbi_field_builder_put(struct bbi_field_builder *b, size_t at, const struct bbi_column *column,
                          size_t from, size_t n, struct bb_error *err)
{
    BB_ASSERT(n <= BBI_SEGMENT_CHUNK_ROWS && at <= BBI_SEGMENT_CHUNK_ROWS - n);
    if (!room_for_rows(b, at + n)) {
        return nomem(err);
    }
    b->touched = true;
    if (column->valid == NULL) {
        set_bits(b->valid, at, at + n);
    } else {
        for (size_t i = 0; i < n; i++) {
            uint64_t has = column_has(column, from + i) ? 1 : 0;
            b->valid[(at + i) / 64] |= has << (at + i) % 64;
        }
    }
    if (b->type == BBI_STRING) {
        return put_strings(b, at, column, from, n, err);
    }
    memcpy(b->bits + at, column->bits + from, n * sizeof(*b->bits));
    return BB_OK;
}

/* ---- chunks ---- */

static int add_extremes(struct bbi_field_builder *b, const struct bbi_chunk *entry,
                        const uint8_t *payload, struct bb_error *err)
{
    struct bbi_chunk_extremes found;
    int code = bbi_chunk_minmax(b->type, entry, payload, 0, entry->value_count, &found, err);
    if (code != BB_OK) {
        return code;
    }
    if (found.non_finite) {
        b->stats = (uint8_t)((b->stats | BBI_STATS_NON_FINITE) & ~BBI_STATS_MINMAX);
    }
    if (found.count > 0) {
        bool first = b->value_count == 0;
        b->min_bits = first || bbi_value_less(b->type, found.min_bits, b->min_bits) ? found.min_bits
                                                                                    : b->min_bits;
        b->max_bits = first || bbi_value_less(b->type, b->max_bits, found.max_bits) ? found.max_bits
                                                                                    : b->max_bits;
    }
    return BB_OK;
}

static int add_sum(struct bbi_field_builder *b, const struct bbi_chunk *entry,
                   const uint8_t *payload, struct bb_error *err)
{
    size_t n = entry->value_count;
    int code = BB_OK;
    if (!bbi_chunk_is_scaled(b->type, entry)) {
        double values[BBI_CHUNK_MAX];
        memcpy(values, b->bits, n * sizeof(values[0]));
        code = bbi_sum_add_array(&b->floats, values, n);
        return code == BB_OK ? BB_OK : nomem(err);
    }
    struct bbi_chunk_total total;
    code = bbi_chunk_sum(b->type, entry, payload, 0, n, &total, err);
    if (code != BB_OK) {
        return code;
    }
    if (b->type != BBI_FLOAT) {
        b->integers += total.scaled;
        return BB_OK;
    }
    bbi_sum_add_scaled(&b->floats, total.scaled, total.exponent);
    code = bbi_sum_add_array(&b->floats, total.exceptions, total.exception_count);
    return code == BB_OK ? BB_OK : nomem(err);
}

static int pack_numbers(struct bbi_field_builder *b, size_t n, struct bbi_chunk_scratch *scratch,
                        struct bb_error *err)
{
    struct bbi_chunk *entries = bbi_grow(b->acct, b->entries, &b->entry_cap, b->entry_count + 1,
                                         sizeof(*entries));
    if (entries == NULL) {
        return nomem(err);
    }
    b->entries = entries;
    struct bbi_chunk *entry = &entries[b->entry_count];
    size_t at = b->payload.len;
    int code = bbi_chunk_encode(b->type, b->bits, n, entry, &b->payload, scratch, err);
    if (code != BB_OK) {
        return code;
    }
    /* The kernels that sum it read ahead. */
    uint8_t *pad = bbi_buf_reserve(&b->payload, BBI_CODEC_PAD);
    if (pad == NULL) {
        return bbi_buf_check(&b->payload, "field page", err);
    }
    memset(pad, 0, BBI_CODEC_PAD);
    b->entry_count++;
    code = add_extremes(b, entry, b->payload.data + at, err);
    return code == BB_OK ? add_sum(b, entry, b->payload.data + at, err) : code;
}

static int pack_strings(struct bbi_field_builder *b, size_t n, struct bb_error *err)
{
    struct bbi_string *values = bbi_grow(b->acct, b->values, &b->value_cap, b->value_count + n,
                                         sizeof(*values));
    if (values == NULL) {
        return nomem(err);
    }
    b->values = values;
    memcpy(values + b->value_count, b->strs, n * sizeof(*values));
    return BB_OK;
}

/* Move the values of the open chunk together. Returns how many. */
static size_t close_gaps(struct bbi_field_builder *b, size_t rows)
{
    size_t n = 0;
    for (size_t i = 0; i < rows; i++) {
        if ((b->valid[i / 64] >> i % 64 & 1) == 0) {
            continue;
        }
        if (b->type == BBI_STRING) {
            b->strs[n++] = b->strs[i];
        } else {
            b->bits[n++] = b->bits[i];
        }
    }
    return n;
}

/* States up to chunk number `chunk`, those not noted yet being empty. */
static bool extend_states(struct bbi_field_builder *b, size_t chunk)
{
    uint8_t *states = bbi_grow(b->acct, b->states, &b->state_cap, chunk + 1, 1);
    if (states == NULL) {
        return false;
    }
    b->states = states;
    memset(states + b->state_count, BBI_PRESENT_NONE, chunk + 1 - b->state_count);
    b->state_count = chunk + 1;
    return true;
}

static int note_state(struct bbi_field_builder *b, size_t chunk, size_t rows, size_t n,
                      struct bb_error *err)
{
    if (!extend_states(b, chunk)) {
        return nomem(err);
    }
    b->states[chunk] = n == rows ? BBI_PRESENT_ALL : n > 0 ? BBI_PRESENT_SOME : BBI_PRESENT_NONE;
    if (b->states[chunk] == BBI_PRESENT_SOME) {
        bbi_buf_put(&b->words, b->valid, BBI_BITMAP_WORDS(rows) * sizeof(b->valid[0]));
    }
    return bbi_buf_check(&b->words, "field page", err);
}

int bbi_field_builder_close_chunk(struct bbi_field_builder *b, size_t chunk, size_t rows,
                                  struct bbi_chunk_scratch *scratch, struct bb_error *err)
{
    size_t n = bbi_bitmap_rank(b->valid, rows);
    int code = note_state(b, chunk, rows, n, err);
    if (code != BB_OK) {
        return code;
    }
    if (n < rows) {
        (void)close_gaps(b, rows);
    }
    if (n > 0) {
        code = b->type == BBI_STRING ? pack_strings(b, n, err) : pack_numbers(b, n, scratch, err);
    }
    b->value_count += (uint32_t)n;
    memset(b->valid, 0, sizeof(b->valid));
    b->touched = false;
    return code;
}

size_t bbi_field_builder_bytes(const struct bbi_field_builder *b)
{
    return b->payload.len + b->words.len + b->text_bytes + b->state_count;
}

/* ---- groups ---- */

static int put_body(struct bbi_field_builder *b, const uint16_t *rows, size_t chunk_count,
                    struct bbi_buf *out, struct bb_error *err)
{
    if (b->state_count < chunk_count && !extend_states(b, chunk_count - 1)) {
        return nomem(err);
    }
    struct bbi_arena arena;
    bbi_arena_init(&arena, b->acct);
    const uint64_t *words = (const uint64_t *)(const void *)b->words.data;
    int code = bbi_presence_encode(b->states, rows, chunk_count, words, out, &arena, err);
    bbi_arena_fini(&arena);
    if (code != BB_OK) {
        return code;
    }
    if (b->type == BBI_STRING) {
        return bbi_strings_encode(b->values, b->value_count, out, b->acct, err);
    }
    code = bbi_chunkdir_encode(b->type, b->entries, b->entry_count, out, err);
    if (code != BB_OK) {
        return code;
    }
    bbi_buf_put(out, b->payload.data, b->payload.len);
    return bbi_buf_check(out, "field page", err);
}

static void describe(const struct bbi_field_builder *b, struct bbi_segment_field *field)
{
    *field = (struct bbi_segment_field){
        .field_id = b->field_id, .type = (uint8_t)b->type, .value_count = b->value_count};
    if (b->type == BBI_STRING) {
        return;
    }
    field->stats = b->stats;
    if ((b->stats & BBI_STATS_MINMAX) != 0) {
        field->min_bits = b->min_bits;
        field->max_bits = b->max_bits;
    }
    if (b->type != BBI_FLOAT) {
        field->stats |= BBI_STATS_SUM;
        field->sum = b->integers;
    } else if (b->floats.wide == NULL) {
        field->stats |= BBI_STATS_SUM;
        field->sum = b->floats.nano;
    }
}

int bbi_field_builder_finish_group(struct bbi_field_builder *b, const uint16_t *rows,
                                   size_t chunk_count, struct bbi_buf *out,
                                   struct bbi_segment_field *field, struct bb_error *err)
{
    int code = put_body(b, rows, chunk_count, out, err);
    if (code != BB_OK) {
        return code;
    }
    describe(b, field);
    begin_group(b);
    return BB_OK;
}
