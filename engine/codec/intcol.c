/*
 * A column is one byte that says how, its parameters, and packed residuals (docs/format/codec.md).
 * The encoder prices every transform from a histogram of bit lengths, so that nothing is packed
 * twice; it needs no memory but for the patches, of which there are at most PATCH_MAX.
 */
#include "engine/codec/intcol.h"

#include <string.h>

#include "engine/codec/bitpack.h"
#include "engine/codec/kernel.h"

enum transform {
    FOR,
    DELTA,
    DELTA2,
    TRANSFORM_COUNT
};

#define HEAD_ZERO    0                          /* every value is 0; nothing follows */
#define HEAD_PLAIN   1                          /* + transform * 65 + width */
#define HEAD_PATCHED (1 + TRANSFORM_COUNT * 65) /* + transform */
#define HEAD_END     (HEAD_PATCHED + TRANSFORM_COUNT)
#define PATCH_MAX    1024

struct plan {
    enum transform transform;
    unsigned width;
    size_t patch_count;
    uint64_t base;  /* the smallest residual */
    uint64_t price; /* bits */
};

/* Residual i of a transform; residuals before the transform's order do not exist. */
static inline uint64_t residual(const uint64_t *v, size_t i, enum transform transform)
{
    switch (transform) {
    case DELTA:
        return v[i] - v[i - 1];
    case DELTA2:
        return v[i] - 2 * v[i - 1] + v[i - 2];
    default:
        return v[i];
    }
}

/* Differences are signed numbers, plain values are not. */
static uint64_t smallest_residual(const uint64_t *v, size_t n, enum transform transform)
{
    uint64_t flip = transform == FOR ? 0 : (uint64_t)1 << 63;
    uint64_t min = UINT64_MAX;
    for (size_t i = transform; i < n; i++) {
        uint64_t r = residual(v, i, transform) ^ flip;
        min = r < min ? r : min;
    }
    return min ^ flip;
}

static unsigned varint_bits(uint64_t v)
{
    unsigned bits = bbi_bit_length(v);
    return bits == 0 ? 8 : (bits + 6) / 7 * 8;
}

/* Walk the widths down from the widest: each step turns the values of that length into patches. */
static void choose_width(const size_t *lengths, size_t count, bool may_patch, struct plan *plan)
{
    unsigned widest = 64;
    while (widest > 0 && lengths[widest] == 0) {
        widest--;
    }
    uint64_t header = plan->price;
    plan->width = widest;
    plan->patch_count = 0;
    plan->price = header + (uint64_t)count * widest;
    size_t patches = 0;
    for (unsigned width = widest; may_patch && width-- > 0;) {
        patches += lengths[width + 1];
        if (patches > PATCH_MAX || patches > count / 4) {
            break;
        }
        unsigned place = bbi_bit_length(count / patches) + 2;
        uint64_t price = header + 72 + (uint64_t)count * width + patches * (place + widest - width);
        if (price < plan->price) {
            plan->width = width;
            plan->patch_count = patches;
            plan->price = price;
        }
    }
}

static struct plan make_plan(const uint64_t *v, size_t n, enum transform transform, bool may_patch)
{
    struct plan plan = {.transform = transform, .base = smallest_residual(v, n, transform)};
    size_t lengths[65] = {0};
    for (size_t i = transform; i < n; i++) {
        lengths[bbi_bit_length(residual(v, i, transform) - plan.base)]++;
    }
    plan.price = 8 + varint_bits(transform == FOR ? plan.base : bbi_zigzag((int64_t)plan.base));
    if (transform != FOR) {
        plan.price += varint_bits(v[0]);
    }
    if (transform == DELTA2) {
        plan.price += varint_bits(bbi_zigzag((int64_t)(v[1] - v[0])));
    }
    choose_width(lengths, n - transform, may_patch, &plan);
    return plan;
}

/* Packed in blocks whose bits fill whole bytes, so that no copy of the column is needed. */
static void put_packed(const uint64_t *v, size_t n, const struct plan *plan, struct bbi_buf *out)
{
    uint64_t block[512];
    for (size_t i = plan->transform; i < n;) {
        size_t count = 0;
        for (; count < 512 && i < n; i++) {
            block[count++] = residual(v, i, plan->transform) - plan->base;
        }
        uint8_t *at = bbi_buf_reserve(out, bbi_bitpack_bytes(count, plan->width) + 8);
        if (at == NULL) {
            return;
        }
        bbi_bitpack_pack(block, count, plan->width, at);
        out->len += bbi_bitpack_bytes(count, plan->width);
    }
}

static void put_column(const uint64_t *v, size_t n, bool may_patch, struct bbi_buf *out);

static void put_patches(const uint64_t *v, size_t n, const struct plan *plan, struct bbi_buf *out)
{
    uint64_t places[PATCH_MAX];
    uint64_t highs[PATCH_MAX];
    size_t count = 0;
    for (size_t i = plan->transform; i < n; i++) {
        uint64_t r = residual(v, i, plan->transform) - plan->base;
        if (bbi_bit_length(r) > plan->width) {
            places[count] = i - plan->transform;
            highs[count++] = r >> plan->width;
        }
    }
    put_column(places, count, false, out);
    put_column(highs, count, false, out);
}

static void put_column(const uint64_t *v, size_t n, bool may_patch, struct bbi_buf *out)
{
    struct plan best = make_plan(v, n, FOR, may_patch);
    for (int t = DELTA; t < TRANSFORM_COUNT && (size_t)t < n && best.width > 0; t++) {
        struct plan plan = make_plan(v, n, (enum transform)t, may_patch);
        best = plan.price < best.price ? plan : best;
    }
    unsigned transform = (unsigned)best.transform;
    if (best.patch_count == 0 && best.width == 0 && transform == FOR && best.base == 0) {
        bbi_buf_u8(out, HEAD_ZERO);
        return;
    }
    if (best.patch_count == 0) {
        bbi_buf_u8(out, (uint8_t)(HEAD_PLAIN + transform * 65 + best.width));
    } else {
        bbi_buf_u8(out, (uint8_t)(HEAD_PATCHED + transform));
        bbi_buf_u8(out, (uint8_t)best.width);
        bbi_buf_varint(out, best.patch_count);
    }
    if (transform == FOR) {
        bbi_buf_varint(out, best.base);
    } else {
        bbi_buf_varint(out, v[0]);
        if (transform == DELTA2) {
            bbi_buf_zigzag(out, (int64_t)(v[1] - v[0]));
        }
        bbi_buf_zigzag(out, (int64_t)best.base);
    }
    put_packed(v, n, &best, out);
    if (best.patch_count > 0) {
        put_patches(v, n, &best, out);
    }
}

int bbi_intcol_encode(const uint64_t *v, size_t n, struct bbi_buf *out)
{
    BB_ASSERT(n <= BBI_INTCOL_MAX);
    if (n > 0) {
        put_column(v, n, true, out);
    }
    return out->err;
}

/* Kernels read behind the packed bytes, the cursor's bytes may end there: the values whose reads
 * could reach behind come from a padded copy. */
static void unpack_inside(const uint8_t *packed, size_t bytes, const uint8_t *end, size_t n,
                          unsigned width, uint64_t *out)
{
    size_t slack = (size_t)(end - packed) - bytes;
    size_t tail = 0;
    if (slack < BBI_CODEC_PAD) {
        tail = width == 0 ? 0 : (BBI_CODEC_PAD - slack) * 8 / width + 1;
        tail = tail < n ? tail : n;
    }
    size_t body = (n - tail) & ~(size_t)7;
    bbi_bitpack_unpack64(packed, 0, body, width, out);
    uint8_t copy[8 * 65 + 2 * BBI_CODEC_PAD];
    while (body < n) {
        size_t from = bbi_bitpack_bytes(body, width);
        size_t count = n - body < 64 ? n - body : 64;
        size_t size = bbi_bitpack_bytes(body + count, width) - from;
        memset(copy, 0, sizeof(copy));
        memcpy(copy, packed + from, size);
        bbi_bitpack_unpack64(copy, 0, count, width, out + body);
        body += count;
    }
}

static void integrate(uint64_t *out, size_t n, enum transform transform, uint64_t base,
                      uint64_t first, uint64_t step)
{
    if (transform == FOR) {
        for (size_t i = 0; i < n; i++) {
            out[i] += base;
        }
        return;
    }
    out[0] = first;
    if (transform == DELTA) {
        for (size_t i = 1; i < n; i++) {
            out[i] += out[i - 1] + base;
        }
        return;
    }
    out[1] = first + step;
    for (size_t i = 2; i < n; i++) {
        step += out[i] + base;
        out[i] = out[i - 1] + step;
    }
}

static void get_column(struct bbi_cursor *c, size_t n, bool may_patch, uint64_t *out);

static void get_patches(struct bbi_cursor *c, size_t count, size_t patch_count, unsigned width,
                        uint64_t *out)
{
    uint64_t places[PATCH_MAX];
    uint64_t highs[PATCH_MAX];
    get_column(c, patch_count, false, places);
    get_column(c, patch_count, false, highs);
    for (size_t i = 0; c->err == BB_OK && i < patch_count; i++) {
        if (places[i] >= count || width >= 64) {
            c->err = BB_ECORRUPT;
            return;
        }
        out[places[i]] |= highs[i] << width;
    }
}

struct head {
    enum transform transform;
    unsigned width;
    size_t patch_count;
    uint64_t base, first, step;
};

static void get_head(struct bbi_cursor *c, unsigned byte, struct head *h)
{
    *h = (struct head){.transform = FOR};
    if (byte < HEAD_PATCHED) {
        h->transform = (enum transform)((byte - HEAD_PLAIN) / 65);
        h->width = (byte - HEAD_PLAIN) % 65;
    } else {
        h->transform = (enum transform)(byte - HEAD_PATCHED);
        h->width = bbi_cursor_u8(c);
        uint64_t patches = bbi_cursor_varint(c);
        if (h->width >= 64 || patches == 0 || patches > PATCH_MAX) {
            c->err = BB_ECORRUPT;
            return;
        }
        h->patch_count = (size_t)patches;
    }
    if (h->transform == FOR) {
        h->base = bbi_cursor_varint(c);
        return;
    }
    h->first = bbi_cursor_varint(c);
    if (h->transform == DELTA2) {
        h->step = (uint64_t)bbi_cursor_zigzag(c);
    }
    h->base = (uint64_t)bbi_cursor_zigzag(c);
}

/* Errors stick in the cursor. */
static void get_column(struct bbi_cursor *c, size_t n, bool may_patch, uint64_t *out)
{
    unsigned byte = bbi_cursor_u8(c);
    if (c->err != BB_OK || byte == HEAD_ZERO) {
        memset(out, 0, n * sizeof(*out));
        return;
    }
    if (byte >= (may_patch ? HEAD_END : HEAD_PATCHED)) {
        c->err = BB_ECORRUPT;
        return;
    }
    struct head h;
    get_head(c, byte, &h);
    if (c->err != BB_OK || n < h.transform) {
        c->err = BB_ECORRUPT;
        return;
    }
    size_t count = n - h.transform;
    size_t bytes = bbi_bitpack_bytes(count, h.width);
    const uint8_t *packed = bbi_cursor_bytes(c, bytes);
    if (packed == NULL) {
        return;
    }
    unpack_inside(packed, bytes, c->end, count, h.width, out + h.transform);
    if (h.patch_count > 0) {
        get_patches(c, count, h.patch_count, h.width, out + h.transform);
    }
    if (c->err == BB_OK) {
        integrate(out, n, h.transform, h.base, h.first, h.step);
    }
}

int bbi_intcol_decode(struct bbi_cursor *c, size_t n, uint64_t *out, struct bb_error *err)
{
    BB_ASSERT(n <= BBI_INTCOL_MAX);
    if (n > 0) {
        get_column(c, n, true, out);
    }
    return bbi_cursor_check(c, "integer column", err);
}
