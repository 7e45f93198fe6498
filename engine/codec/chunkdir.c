/*
 * The directory of a page's chunks: one integer column for each field of the entry, over the chunks
 * that have the field; which those are follows from the columns before it. What another field
 * implies is not stored (docs/format/codec.md, "Chunk directory").
 */
#include <string.h>

#include "engine/codec/chunk.h"
#include "engine/codec/chunk_layout.h"
#include "engine/codec/intcol.h"

/* Upper layers of 1,024 values: 64 bits each, padding of groups, three bitmaps. */
#define EXTRA_MAX (8 * (BBI_CHUNK_MAX + 64) + 3 * 256)

typedef bool has_fn(enum bbi_type type, const struct bbi_chunk *c);

static bool has_always(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    (void)c;
    return true;
}

static bool is_float(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)c;
    return type == BBI_FLOAT;
}

static bool is_decimal(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return c->mode == BBI_MODE_DECIMAL || c->mode == BBI_MODE_FLOAT32;
}

static bool has_exceptions(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return c->exception_count > 0;
}

static bool has_dict(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return c->dict_count > 0;
}

static bool is_for(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return c->transform == BBI_TRANSFORM_FOR;
}

static bool has_delta_base(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return c->transform == BBI_TRANSFORM_DELTA || c->transform == BBI_TRANSFORM_DELTA2;
}

static bool has_first(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return bbi_transform_order(c->transform) >= 1;
}

static bool has_first_step(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return bbi_transform_order(c->transform) == 2;
}

static bool is_layered(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return c->coding == BBI_CODING_LAYERED;
}

static bool has_width(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return c->coding != BBI_CODING_CONSTANT;
}

static bool has_parts(enum bbi_type type, const struct bbi_chunk *c)
{
    (void)type;
    return c->coding == BBI_CODING_PATCHED || c->coding == BBI_CODING_RUNS;
}

static bool has_width1(enum bbi_type type, const struct bbi_chunk *c)
{
    return has_parts(type, c) || is_layered(type, c);
}

static bool has_width3(enum bbi_type type, const struct bbi_chunk *c)
{
    return is_layered(type, c) && c->width[2] > 0;
}

static bool has_stats(enum bbi_type type, const struct bbi_chunk *c)
{
    return c->value_count >= BBI_CHUNK_STATS_MIN && c->exception_count == 0 && type != BBI_BOOL &&
           (c->mode == BBI_MODE_DECIMAL || c->mode == BBI_MODE_INTEGER);
}

/* Under FOR the base is the smallest integer. */
static bool has_stats_min(enum bbi_type type, const struct bbi_chunk *c)
{
    return has_stats(type, c) && (c->transform != BBI_TRANSFORM_FOR || c->dict_count > 0);
}

/* Integers without a sign stand in the column as they are, others zigzagged. */
static bool is_unsigned(enum bbi_type type, const struct bbi_chunk *c)
{
    return type == BBI_UINT || (type == BBI_FLOAT && c->mode == BBI_MODE_RAW);
}

enum convert {
    PLAIN,
    ZIGZAG,
    VALUE, /* zigzag unless the chunk's integers have no sign */
    EXTRA  /* payload bytes beyond those that the entry implies */
};

struct column {
    has_fn *has;
    size_t offset;
    size_t size;
    enum convert convert;
};

#define COLUMN(has, field, convert)                                                             \
    {                                                                                           \
        has, offsetof(struct bbi_chunk, field), sizeof(((struct bbi_chunk *)0)->field), convert \
    }

/* In the order of the disk. */
static const struct column columns[] = {
    COLUMN(is_float, mode, PLAIN),
    COLUMN(is_decimal, exponent, PLAIN),
    COLUMN(is_decimal, exception_count, PLAIN),
    COLUMN(has_exceptions, exception_width, PLAIN),
    COLUMN(has_always, coding, PLAIN),
    COLUMN(has_always, transform, PLAIN),
    COLUMN(has_always, gcd, PLAIN),
    COLUMN(has_always, dict_count, PLAIN),
    COLUMN(has_dict, dict_width, PLAIN),
    COLUMN(has_dict, dict_base, VALUE),
    COLUMN(is_for, base, VALUE),
    COLUMN(has_delta_base, base, ZIGZAG),
    COLUMN(has_first, first, VALUE),
    COLUMN(has_first_step, first_step, ZIGZAG),
    COLUMN(has_width, width[0], PLAIN),
    COLUMN(has_width1, width[1], PLAIN),
    COLUMN(is_layered, width[2], PLAIN),
    COLUMN(has_width3, width[3], PLAIN),
    COLUMN(is_layered, group_log, PLAIN),
    COLUMN(has_parts, part_count, PLAIN),
    COLUMN(is_layered, payload_bytes, EXTRA),
};

#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

static uint64_t get_field(const struct column *column, enum bbi_type type,
                          const struct bbi_chunk *c)
{
    uint64_t v = 0;
    memcpy(&v, (const char *)c + column->offset, column->size);
    if (column->convert == EXTRA) {
        return v - bbi_chunk_fixed_bytes(c);
    }
    if (column->convert == ZIGZAG || (column->convert == VALUE && !is_unsigned(type, c))) {
        return bbi_zigzag((int64_t)v);
    }
    return v;
}

/* Each size by itself, since a copy of a length that the compiler does not know is a call. */
static inline bool put_field(char *field, size_t size, uint64_t v)
{
    switch (size) {
    case 1:
        memcpy(field, &(uint8_t){(uint8_t)v}, 1);
        return v <= UINT8_MAX;
    case 2:
        memcpy(field, &(uint16_t){(uint16_t)v}, 2);
        return v <= UINT16_MAX;
    case 4:
        memcpy(field, &(uint32_t){(uint32_t)v}, 4);
        return v <= UINT32_MAX;
    default:
        memcpy(field, &v, 8);
        return true;
    }
}

/* False: the value does not fit the field. */
static inline bool set_field(const struct column *column, enum bbi_type type, struct bbi_chunk *c,
                             uint64_t v)
{
    if (column->convert == EXTRA && v > EXTRA_MAX) {
        return false;
    }
    if (column->convert == ZIGZAG || (column->convert == VALUE && !is_unsigned(type, c))) {
        v = (uint64_t)bbi_unzigzag(v);
    }
    return put_field((char *)c + column->offset, column->size, v);
}

/* Statistics of the stored integers, before the gcd: smallest, range, and the sum above the
 * smallest in two halves. */
struct stats {
    uint64_t min;
    uint64_t range;
    unsigned __int128 above;
};

static struct stats get_stats(enum bbi_type type, const struct bbi_chunk *c)
{
    struct stats s;
    __int128 min = is_unsigned(type, c) ? (__int128)(uint64_t)c->stats_min : c->stats_min;
    __int128 gcd = (__int128)c->gcd;
    s.min = (uint64_t)(min / gcd);
    s.range = ((uint64_t)c->stats_max - (uint64_t)c->stats_min) / c->gcd;
    s.above = (unsigned __int128)((c->stats_sum - min * c->value_count) / gcd);
    return s;
}

static void set_stats(enum bbi_type type, struct bbi_chunk *c, const struct stats *s)
{
    unsigned __int128 min = is_unsigned(type, c) ? s->min
                                                 : (unsigned __int128)(__int128)(int64_t)s->min;
    c->has_stats = true;
    c->stats_min = (int64_t)(s->min * c->gcd);
    c->stats_max = (int64_t)((s->min + s->range) * c->gcd);
    c->stats_sum = (__int128)((min * c->value_count + s->above) * c->gcd);
}

enum {
    STATS_MIN,
    STATS_RANGE,
    STATS_LOW,
    STATS_HIGH,
    STATS_COUNT
};

static int put_stats(enum bbi_type type, const struct bbi_chunk *chunks, size_t n, uint64_t *work,
                     struct bbi_buf *out)
{
    for (int part = STATS_MIN; part < STATS_COUNT; part++) {
        has_fn *has = part == STATS_MIN ? has_stats_min : has_stats;
        size_t count = 0;
        for (size_t i = 0; i < n; i++) {
            if (has(type, &chunks[i])) {
                struct stats s = get_stats(type, &chunks[i]);
                uint64_t min = is_unsigned(type, &chunks[i]) ? s.min : bbi_zigzag((int64_t)s.min);
                const uint64_t parts[STATS_COUNT] = {min, s.range, (uint64_t)s.above,
                                                     (uint64_t)(s.above >> 64)};
                work[count++] = parts[part];
            }
        }
        int rc = bbi_intcol_encode(work, count, out);
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

int bbi_chunkdir_encode(enum bbi_type type, const struct bbi_chunk *chunks, size_t n,
                        struct bbi_buf *out, struct bb_error *err)
{
    BB_ASSERT(n <= BBI_INTCOL_MAX);
    uint64_t *work = bbi_mem_alloc(out->acct, n * sizeof(*work));
    if (work == NULL) {
        return bbi_error_nomem(err, "chunk directory");
    }
    int rc = BB_OK;
    for (size_t k = 0; k < COLUMN_COUNT && rc == BB_OK; k++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++) {
            if (columns[k].has(type, &chunks[i])) {
                work[count++] = get_field(&columns[k], type, &chunks[i]);
            }
        }
        rc = bbi_intcol_encode(work, count, out);
    }
    if (rc == BB_OK) {
        rc = put_stats(type, chunks, n, work, out);
    }
    bbi_mem_free(work);
    return rc == BB_OK ? BB_OK : bbi_buf_check(out, "chunk directory", err);
}

/* ---- Reading ---- */

/* What later columns and sizes are computed from. */
static bool is_sane_head(const struct bbi_chunk *c)
{
    return c->value_count >= 1 && c->value_count <= BBI_CHUNK_MAX && c->mode < BBI_MODE_COUNT &&
           c->exponent <= 9 && c->exception_count <= c->value_count && c->exception_width <= 64 &&
           c->coding < BBI_CODING_COUNT && c->transform < BBI_TRANSFORM_COUNT && c->gcd >= 1 &&
           c->value_count > bbi_transform_order(c->transform) && c->dict_count <= BBI_CHUNK_MAX &&
           c->dict_width <= 64;
}

static bool is_sane_mode(enum bbi_type type, const struct bbi_chunk *c)
{
    if (type == BBI_FLOAT) {
        return c->mode != BBI_MODE_INTEGER;
    }
    return c->mode == BBI_MODE_INTEGER;
}

/* Codes of a dictionary are read in 32-bit lanes: their widths keep within what those hold. */
static bool is_sane_dict(const struct bbi_chunk *c, unsigned bits)
{
    if (c->dict_count == 0) {
        return true;
    }
    return c->coding != BBI_CODING_CONSTANT && c->coding != BBI_CODING_RUNS &&
           bbi_transform_order(c->transform) < 2 && bits <= 19 && c->base <= BBI_CHUNK_MAX &&
           c->first <= BBI_CHUNK_MAX;
}

static bool is_sane_coding(const struct bbi_chunk *c)
{
    size_t m = bbi_chunk_residuals(c);
    unsigned bits = c->width[0];
    switch (c->coding) {
    case BBI_CODING_CONSTANT:
        return c->transform == BBI_TRANSFORM_FOR && is_sane_dict(c, 0);
    case BBI_CODING_PACKED:
        return bits <= 64 && is_sane_dict(c, bits);
    case BBI_CODING_PATCHED:
        return bits < 64 && c->width[1] >= 1 && c->width[1] + bbi_position_bits(m) <= 64 &&
               c->part_count <= m && is_sane_dict(c, bits + c->width[1]);
    case BBI_CODING_RUNS:
        return c->transform == BBI_TRANSFORM_FOR && bits <= 64 && c->width[1] <= 10 &&
               c->part_count >= 1 && c->part_count <= c->value_count && is_sane_dict(c, bits);
    default:
        bits += (unsigned)c->width[1] + c->width[2] + c->width[3];
        return bits <= 64 && c->width[1] >= 1 && c->group_log <= BBI_GROUP_LOG_MAX &&
               is_sane_dict(c, bits);
    }
}

/* The number of chunks that have a column. */
static size_t count_having(has_fn *has, enum bbi_type type, const struct bbi_chunk *chunks,
                           size_t n)
{
    size_t count = 0;
    if (has == has_always || has == is_float) {
        return has == has_always || type == BBI_FLOAT ? n : 0;
    }
    for (size_t i = 0; i < n; i++) {
        count += has(type, &chunks[i]) ? 1 : 0;
    }
    return count;
}

static int corrupt(struct bb_error *err, size_t i, const char *what)
{
    return bbi_error_set(err, BB_ECORRUPT, "chunk directory: entry %zu: %s", i, what);
}

/* The sizes that a layered entry's extra bytes add to need sane fields. */
static int settle_sizes(enum bbi_type type, struct bbi_chunk *chunks, size_t n,
                        struct bb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct bbi_chunk *c = &chunks[i];
        if (!is_sane_head(c) || !is_sane_mode(type, c) || !is_sane_coding(c)) {
            return corrupt(err, i, "impossible fields");
        }
        c->payload_bytes += (uint32_t)bbi_chunk_fixed_bytes(c);
    }
    return BB_OK;
}

static int get_columns(struct bbi_cursor *cursor, enum bbi_type type, size_t n,
                       struct bbi_chunk *out, uint64_t *work, struct bb_error *err)
{
    for (size_t k = 0; k < COLUMN_COUNT; k++) {
        const struct column *column = &columns[k];
        size_t count = count_having(column->has, type, out, n);
        int rc = bbi_intcol_decode(cursor, count, work, err);
        if (rc != BB_OK) {
            return bbi_error_wrap(err, "chunk directory: column %zu", k);
        }
        for (size_t i = 0, j = 0; j < count; i++) {
            if ((count == n || column->has(type, &out[i])) &&
                !set_field(column, type, &out[i], work[j++])) {
                return corrupt(err, i, "field out of range");
            }
        }
    }
    return settle_sizes(type, out, n, err);
}

static int get_stats_columns(struct bbi_cursor *cursor, enum bbi_type type, size_t n,
                             struct bbi_chunk *out, uint64_t *work, struct bb_error *err)
{
    uint64_t *parts[STATS_COUNT] = {work, work + n, work + 2 * n, work + 3 * n};
    for (int part = STATS_MIN; part < STATS_COUNT; part++) {
        has_fn *has = part == STATS_MIN ? has_stats_min : has_stats;
        int rc = bbi_intcol_decode(cursor, count_having(has, type, out, n), parts[part], err);
        if (rc != BB_OK) {
            return bbi_error_wrap(err, "chunk directory: statistics");
        }
    }
    for (size_t i = 0, at = 0, at_min = 0; i < n; i++) {
        struct bbi_chunk *c = &out[i];
        if (!has_stats(type, c)) {
            continue;
        }
        struct stats s = {.min = c->base, .range = parts[STATS_RANGE][at]};
        if (has_stats_min(type, c)) {
            uint64_t min = parts[STATS_MIN][at_min++];
            s.min = is_unsigned(type, c) ? min : (uint64_t)bbi_unzigzag(min);
        }
        s.above = (unsigned __int128)parts[STATS_HIGH][at] << 64 | parts[STATS_LOW][at];
        set_stats(type, c, &s);
        at++;
    }
    return BB_OK;
}

int bbi_chunkdir_decode(struct bbi_cursor *c, enum bbi_type type, size_t n, struct bbi_chunk *out,
                        struct bbi_account *acct, struct bb_error *err)
{
    BB_ASSERT(n <= BBI_INTCOL_MAX);
    uint64_t *work = bbi_mem_alloc(acct, STATS_COUNT * n * sizeof(*work));
    if (work == NULL) {
        return bbi_error_nomem(err, "chunk directory");
    }
    uint8_t mode = type == BBI_FLOAT ? BBI_MODE_RAW : BBI_MODE_INTEGER;
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct bbi_chunk){.mode = mode, .value_count = out[i].value_count};
    }
    int rc = get_columns(c, type, n, out, work, err);
    if (rc == BB_OK) {
        rc = get_stats_columns(c, type, n, out, work, err);
    }
    bbi_mem_free(work);
    return rc;
}
