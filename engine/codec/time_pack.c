/*
 * Blocks of irregular shapes, written (docs/format/segment.md, "Times"; time.c reads them).
 *
 * On a grid of a step, row i stands at slot[i] * step + jitter[i], less jitter[0]. The grid is laid
 * so that the offset most rows share becomes jitter 0: then a row that is off by a little is one
 * patch in a column of zeros.
 */
#include "engine/codec/time_blocks.h"

#include "engine/codec/bitpack.h"

uint64_t bbi_time_gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void bbi_time_pack_begin(struct bbi_time_packer *p, enum bbi_time_kind kind)
{
    p->kind = kind;
    p->rows = 0;
    p->step_count = 0;
}

/* The value that more than half of v[n] share, by Boyer and Moore's majority vote; else 0. */
static int64_t majority(const int64_t *v, size_t n)
{
    int64_t candidate = 0;
    size_t votes = 0;
    for (size_t i = 0; i < n; i++) {
        candidate = votes == 0 ? v[i] : candidate;
        votes += v[i] == candidate ? 1 : (size_t)-1;
    }
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += v[i] == candidate ? 1 : 0;
    }
    return count * 2 > n ? candidate : 0;
}

static bool add_to_grid(struct bbi_time_packer *p, const uint64_t *rel, size_t n, uint64_t step)
{
    if (step == 0 || step > (uint64_t)INT64_MAX / 4 || rel[n - 1] > UINT64_MAX - step) {
        return false;
    }
    /* First the nearest slot and the distance from it, in (-step/2, step/2]. */
    uint64_t *slot = p->column;
    int64_t *off = p->jitter + p->rows;
    for (size_t i = 0; i < n; i++) {
        uint64_t rest = rel[i] % step;
        bool up = rest > step / 2;
        slot[i] = rel[i] / step + (up ? 1 : 0);
        off[i] = (int64_t)(up ? rest - step : rest);
    }
    /* Then shift the grid, which moves some rows to the slot beside. */
    int64_t shift = majority(off, n);
    int64_t half = (int64_t)(step / 2);
    for (size_t i = 0; i < n; i++) {
        int64_t j = off[i] - shift;
        int move = j > half ? 1 : j < -half ? -1 : 0;
        slot[i] += (uint64_t)(int64_t)move;
        off[i] = j - move * (int64_t)step;
        if (i > 0 && slot[i] == slot[i - 1]) {
            /* Two rows near one slot: the later one is early for the next. */
            slot[i]++;
            off[i] -= (int64_t)step;
        }
        if (i > 0 && (int64_t)(slot[i] - slot[i - 1]) <= 0) {
            return false;
        }
    }
    for (size_t i = 1; i < n; i++) {
        p->steps[p->step_count++] = slot[i] - slot[i - 1] - 1;
    }
    p->rows += n;
    return true;
}

bool bbi_time_pack_add(struct bbi_time_packer *p, const uint64_t *rel, size_t n, uint64_t step)
{
    BB_ASSERT(n >= 2 && n <= BBI_TIME_BLOCK_ROWS_MAX - p->rows);
    if (p->kind == BBI_TIME_GRID) {
        return add_to_grid(p, rel, n, step);
    }
    for (size_t i = 1; i < n; i++) {
        p->steps[p->step_count++] = rel[i] - rel[i - 1];
    }
    p->rows += n;
    return true;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

static int64_t smallest(const int64_t *v, size_t n)
{
    int64_t min = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        min = v[i] < min ? v[i] : min;
    }
    return min;
}

/* ---- estimates ---- */

/* Bits of n numbers, `lengths` of each length, packed with the best width and the longer ones
 * patched. */
static uint64_t packed_bits(const uint32_t lengths[65], size_t n)
{
    unsigned widest = 64;
    while (widest > 0 && lengths[widest] == 0) {
        widest--;
    }
    uint64_t best = (uint64_t)n * widest;
    size_t patches = 0;
    for (unsigned width = widest; width-- > 0 && patches <= n / 4;) {
        patches += lengths[width + 1];
        unsigned place = bbi_bit_length(n / patches) + 2;
        uint64_t bits = 72 + (uint64_t)n * width + patches * (place + widest - width);
        best = bits < best ? bits : best;
    }
    return best;
}

static uint64_t difference_bits(const uint64_t *steps, size_t n)
{
    uint64_t min = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        min = steps[i] < min ? steps[i] : min;
    }
    uint32_t lengths[65] = {0};
    for (size_t i = 0; i < n; i++) {
        lengths[bbi_bit_length(steps[i] - min)]++;
    }
    return packed_bits(lengths, n);
}

static uint64_t jitter_bits(const int64_t *jitter, size_t n, enum bbi_time_jitter form)
{
    uint32_t lengths[65] = {0};
    if (form == BBI_JITTER_BIASED) {
        uint64_t min = (uint64_t)smallest(jitter, n);
        for (size_t i = 0; i < n; i++) {
            lengths[bbi_bit_length((uint64_t)jitter[i] - min)]++;
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            lengths[bbi_bit_length(bbi_zigzag(jitter[i]))]++;
        }
    }
    return packed_bits(lengths, n);
}

static enum bbi_time_jitter better_form(const int64_t *jitter, size_t n, uint64_t *bits)
{
    uint64_t zigzag = jitter_bits(jitter, n, BBI_JITTER_ZIGZAG);
    uint64_t biased = jitter_bits(jitter, n, BBI_JITTER_BIASED);
    *bits = biased < zigzag ? biased : zigzag;
    return biased < zigzag ? BBI_JITTER_BIASED : BBI_JITTER_ZIGZAG;
}

uint64_t bbi_time_pack_estimate(struct bbi_time_packer *p, const uint64_t *rel, size_t n,
                                uint64_t step)
{
    bbi_time_pack_begin(p, step == 0 ? BBI_TIME_DELTA : BBI_TIME_GRID);
    if (!bbi_time_pack_add(p, rel, n, step)) {
        return UINT64_MAX;
    }
    uint64_t bits = 0;
    if (step != 0) {
        (void)better_form(p->jitter, p->rows, &bits);
    }
    return bits + difference_bits(p->steps, p->step_count);
}

/* ---- writing ---- */

/* Append the jitter, which consists of multiples of m. */
static int put_jitter(struct bbi_time_packer *p, uint64_t m, struct bbi_buf *out)
{
    uint64_t bits = 0;
    enum bbi_time_jitter form = better_form(p->jitter, p->rows, &bits);
    bbi_buf_u8(out, (uint8_t)form);
    if (form == BBI_JITTER_ZIGZAG) {
        for (size_t i = 0; i < p->rows; i++) {
            p->column[i] = bbi_zigzag(p->jitter[i] / (int64_t)m);
        }
        return bbi_intcol_encode(p->column, p->rows, out);
    }
    int64_t min = smallest(p->jitter, p->rows);
    bbi_buf_zigzag(out, min / (int64_t)m);
    for (size_t i = 0; i < p->rows; i++) {
        p->column[i] = ((uint64_t)p->jitter[i] - (uint64_t)min) / m;
    }
    return bbi_intcol_encode(p->column, p->rows, out);
}

/* v's part in a greatest common divisor, quickly where it changes nothing. */
static uint64_t join_gcd(uint64_t v, uint64_t m)
{
    return v == 0 || m == 1 || (m != 0 && v % m == 0) ? m : bbi_time_gcd(v, m);
}

static int put_grid(struct bbi_time_packer *p, struct bbi_buf *out)
{
    uint64_t m = 0;
    for (size_t i = 0; i < p->rows; i++) {
        m = join_gcd(magnitude(p->jitter[i]), m);
    }
    m = m == 0 ? 1 : m;
    bbi_buf_varint(out, m);
    int code = bbi_intcol_encode(p->steps, p->step_count, out);
    return code == BB_OK ? put_jitter(p, m, out) : code;
}

static int put_deltas(struct bbi_time_packer *p, struct bbi_buf *out)
{
    uint64_t m = 0;
    for (size_t i = 0; i < p->step_count; i++) {
        m = join_gcd(p->steps[i], m);
    }
    m = m == 0 ? 1 : m;
    for (size_t i = 0; i < p->step_count; i++) {
        p->column[i] = p->steps[i] / m;
    }
    bbi_buf_varint(out, m);
    return bbi_intcol_encode(p->column, p->step_count, out);
}

int bbi_time_pack_end(struct bbi_time_packer *p, struct bbi_buf *out)
{
    return p->kind == BBI_TIME_GRID ? put_grid(p, out) : put_deltas(p, out);
}
