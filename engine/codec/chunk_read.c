/*
 * From payload to integers. Residuals come out of the packed form, the transform is undone by
 * prefix sums, codes of a dictionary are looked up. Chunks whose integers lie within 2^31 of their
 * base (the entry's widths prove it) go through 32-bit lanes, others through 64 bits. All
 * arithmetic wraps: a damaged payload gives wrong integers, nothing worse.
 */
#include "engine/codec/chunk_read.h"

#include <string.h>

#include "engine/base/bytes.h"

#define WORK_MAX (BBI_CHUNK_MAX + 4 * BBI_LANES)

int bbi_chunk_corrupt(struct bb_error *err, const char *what)
{
    return bbi_error_set(err, BB_ECORRUPT, "chunk: %s", what);
}

size_t bbi_chunk_exception_at(const struct bbi_chunk *c, const struct bbi_chunk_body *body,
                              size_t i)
{
    unsigned width = bbi_position_bits(c->value_count);
    uint32_t at = 0;
    bbi_bits_unpack32(body->payload, body->exception_places + i * width, 1, width, &at);
    return at;
}

uint64_t bbi_chunk_exception_value(const struct bbi_chunk *c, const struct bbi_chunk_body *body,
                                   size_t i, uint64_t decoded)
{
    unsigned width = c->exception_width;
    uint64_t v = 0;
    bbi_bits_unpack64(body->payload, body->exception_bits + i * width, 1, width, &v);
    return width == BBI_EXCEPTION_RAW ? v : decoded + (uint64_t)bbi_unzigzag(v);
}

/* Each upper layer is a bitmap over the groups of the layer below, then the bits of those marked:
 * their number is known only by counting. Yields where the last one ends; never counts behind
 * `end`. */
static bool open_layers(struct bbi_layers *l, size_t end, size_t *at)
{
    const struct bbi_kernel_ops *ops = bbi_kernel_get();
    size_t group = (size_t)1 << l->group_log;
    for (unsigned u = 1; u < l->count; u++) {
        size_t groups = (l->values[u - 1] + group - 1) >> l->group_log;
        if (groups > end - *at) {
            return false;
        }
        l->mark_bit[u] = *at;
        l->values[u] = ops->popcount(l->payload, *at, groups) << l->group_log;
        *at += groups;
        if (l->values[u] * l->width[u] > end - *at) {
            return false;
        }
        l->value_bit[u] = *at;
        *at += l->values[u] * l->width[u];
    }
    return true;
}

int bbi_chunk_open(const struct bbi_chunk *c, const uint8_t *payload, struct bbi_chunk_body *body,
                   struct bb_error *err)
{
    size_t places = bbi_chunk_dict_bits(c);
    size_t residuals = places + bbi_chunk_exception_bits(c);
    size_t at = residuals + bbi_chunk_main_bits(c);
    size_t end = 8 * (size_t)c->payload_bytes;
    if (at > end) {
        return bbi_chunk_corrupt(err, "payload shorter than its parts");
    }
    body->payload = payload;
    body->exception_places = places;
    body->exception_bits = places + c->exception_count * (size_t)bbi_position_bits(c->value_count);
    struct bbi_layers *l = &body->layers;
    l->count = bbi_chunk_layers(c);
    l->group_log = c->group_log;
    memcpy(l->width, c->width, sizeof(l->width));
    l->payload = payload;
    l->value_bit[0] = residuals;
    l->values[0] = c->coding == BBI_CODING_RUNS ? c->part_count : bbi_chunk_residuals(c);
    body->patches = residuals + l->values[0] * c->width[0];
    if (c->coding == BBI_CODING_LAYERED && !open_layers(l, end, &at)) {
        return bbi_chunk_corrupt(err, "layers end early");
    }
    return end - at < 8 ? BB_OK : bbi_chunk_corrupt(err, "payload longer than its parts");
}

/* The position in layer u of the value at position x of layer u - 1, or of the next one after x
 * that the layer has. */
static size_t map_up(const struct bbi_layers *l, unsigned u, size_t x)
{
    size_t q = x >> l->group_log;
    size_t inside = x & (((size_t)1 << l->group_log) - 1);
    size_t up = bbi_kernel_get()->popcount(l->payload, l->mark_bit[u], q) << l->group_log;
    size_t bit = l->mark_bit[u] + q;
    if (inside > 0 && (l->payload[bit / 8] >> (bit % 8) & 1) != 0) {
        up += inside;
    }
    return up;
}

struct patch {
    size_t at;
    uint64_t high; /* to be added, shifted to its place */
};

static struct patch patch_at(const struct bbi_chunk *c, const struct bbi_chunk_body *body, size_t i)
{
    unsigned place_bits = bbi_position_bits(bbi_chunk_residuals(c));
    uint64_t packed = 0;
    unsigned width = place_bits + c->width[1];
    bbi_bits_unpack64(body->payload, body->patches + i * width, 1, width, &packed);
    return (struct patch){(size_t)(packed & bbi_low_mask(place_bits)),
                          packed >> place_bits << c->width[0]};
}

/* Groups [from, to) of a layer, as values and as groups of the layer above. */
struct span {
    size_t first;
    size_t count;
    size_t up_from;
    size_t up_to;
};

static struct span span_of(const struct bbi_layers *l, unsigned u, size_t from, size_t to)
{
    const struct bbi_kernel_ops *ops = bbi_kernel_get();
    size_t end = to << l->group_log;
    bool whole = end >= l->values[u];
    struct span s = {.first = from << l->group_log};
    s.count = (whole ? l->values[u] : end) - s.first;
    if (u + 1 < l->count && s.count > 0) {
        s.up_from = from == 0 ? 0 : ops->popcount(l->payload, l->mark_bit[u + 1], from);
        s.up_to = whole ? l->values[u + 1] >> l->group_log
                        : ops->popcount(l->payload, l->mark_bit[u + 1], to);
    }
    return s;
}

/* Whole groups [from, to) of a layer and all above it. dst has BBI_LANES to spare behind. */
static void read_layers64(const struct bbi_layers *l, unsigned u, size_t from, size_t to,
                          uint64_t *dst)
{
    uint64_t upper[WORK_MAX];
    struct span s = span_of(l, u, from, to);
    bbi_bits_unpack64(l->payload, l->value_bit[u] + s.first * l->width[u], s.count, l->width[u],
                      dst);
    if (s.up_from < s.up_to) {
        read_layers64(l, u + 1, s.up_from, s.up_to, upper);
        bbi_kernel_get()->expand64(dst, s.count, l->payload, l->mark_bit[u + 1] + from,
                                   l->group_log, upper, l->width[u]);
    }
}

/* Residuals [from, to); they start at the returned index of dst. */
static size_t residuals32(const struct bbi_chunk *c, const struct bbi_chunk_body *body, size_t from,
                          size_t to, uint32_t *dst)
{
    if (c->coding == BBI_CODING_CONSTANT || from == to) {
        memset(dst, 0, (to - from) * sizeof(*dst));
        return 0;
    }
    if (c->coding == BBI_CODING_LAYERED) {
        size_t group = (size_t)1 << c->group_log;
        size_t first = from >> c->group_log;
        size_t lead = from - (first << c->group_log);
        bbi_kernel_get()->layers32(&body->layers, first, (to + group - 1) >> c->group_log, dst);
        return lead;
    }
    bbi_bits_unpack32(body->payload, body->layers.value_bit[0] + from * c->width[0], to - from,
                      c->width[0], dst);
    for (size_t i = 0; c->coding == BBI_CODING_PATCHED && i < c->part_count; i++) {
        struct patch p = patch_at(c, body, i);
        if (p.at >= from && p.at < to) {
            dst[p.at - from] += (uint32_t)p.high;
        }
    }
    return 0;
}

static size_t residuals64(const struct bbi_chunk *c, const struct bbi_chunk_body *body, size_t from,
                          size_t to, uint64_t *dst)
{
    if (c->coding == BBI_CODING_CONSTANT || from == to) {
        memset(dst, 0, (to - from) * sizeof(*dst));
        return 0;
    }
    if (c->coding == BBI_CODING_LAYERED) {
        size_t group = (size_t)1 << c->group_log;
        size_t first = from >> c->group_log;
        read_layers64(&body->layers, 0, first, (to + group - 1) >> c->group_log, dst);
        return from - (first << c->group_log);
    }
    bbi_bits_unpack64(body->payload, body->layers.value_bit[0] + from * c->width[0], to - from,
                      c->width[0], dst);
    for (size_t i = 0; c->coding == BBI_CODING_PATCHED && i < c->part_count; i++) {
        struct patch p = patch_at(c, body, i);
        if (p.at >= from && p.at < to) {
            dst[p.at - from] += p.high;
        }
    }
    return 0;
}

static bool within(uint64_t signed_value, unsigned bits)
{
    return bbi_zigzag((int64_t)signed_value) <= bbi_low_mask(bits);
}

/* Whether all integers are base + a 32-bit number: at most 2^31 after 1,024 steps of a delta, or
 * steps of steps. */
static bool is_narrow(const struct bbi_chunk *c)
{
    unsigned bits = c->width[0];
    bits += c->coding == BBI_CODING_PATCHED ? c->width[1] : 0;
    for (unsigned l = 1; c->coding == BBI_CODING_LAYERED && l < BBI_CHUNK_LAYERS_MAX; l++) {
        bits += c->width[l];
    }
    switch (bbi_transform_order(c->transform)) {
    case 0:
        return bits <= 31;
    case 1:
        return bits <= 19 && within(c->base, 19);
    default:
        return bits <= 9 && within(c->base, 9) && within(c->first_step, 19);
    }
}

static void read_narrow(const struct bbi_chunk *c, const struct bbi_chunk_body *body, size_t from,
                        size_t to, struct bbi_chunk_ints *out)
{
    const struct bbi_kernel_ops *ops = bbi_kernel_get();
    uint32_t *work = out->work.u32;
    size_t order = bbi_transform_order(c->transform);
    size_t start = from;
    out->narrow = true;
    if (order == 0) {
        out->base = (int64_t)c->base;
        start = residuals32(c, body, from, to, work);
    } else {
        bool zigzag = bbi_transform_zigzag(c->transform);
        uint32_t step = order == 2 ? (uint32_t)c->first_step : 0;
        out->base = (int64_t)c->first;
        work[0] = 0;
        work[1] = step;
        if (to > order) {
            residuals32(c, body, 0, to - order, work + order);
            ops->scan32(work + order, to - order, step, (uint32_t)c->base, zigzag);
        }
        if (order == 2) {
            ops->scan32(work, to, 0, 0, false);
        }
    }
    out->r32 = (int32_t *)(void *)(work + start);
}

static void scan64(uint64_t *v, size_t n, uint64_t start, uint64_t base, bool zigzag)
{
    for (size_t i = 0; i < n; i++) {
        start += (zigzag ? (uint64_t)bbi_unzigzag(v[i]) : v[i]) + base;
        v[i] = start;
    }
}

static void read_wide(const struct bbi_chunk *c, const struct bbi_chunk_body *body, size_t from,
                      size_t to, struct bbi_chunk_ints *out)
{
    uint64_t *work = out->work.u64;
    size_t order = bbi_transform_order(c->transform);
    out->narrow = false;
    if (order == 0) {
        size_t start = residuals64(c, body, from, to, work);
        out->k64 = work + start;
        for (size_t i = start; i < start + (to - from); i++) {
            work[i] += c->base;
        }
        return;
    }
    bool zigzag = bbi_transform_zigzag(c->transform);
    work[0] = c->first;
    work[1] = c->first_step;
    if (to > order) {
        residuals64(c, body, 0, to - order, work + order);
        scan64(work + order, to - order, order == 2 ? c->first_step : c->first, c->base, zigzag);
    }
    if (order == 2) {
        scan64(work, to, 0, 0, false);
    }
    out->k64 = work + from;
}

static int read_runs(const struct bbi_chunk *c, const struct bbi_chunk_body *body, size_t from,
                     size_t to, struct bbi_chunk_ints *out, struct bb_error *err)
{
    uint64_t values[BBI_CHUNK_MAX];
    uint32_t lengths[BBI_CHUNK_MAX];
    bbi_bits_unpack64(body->payload, body->layers.value_bit[0], c->part_count, c->width[0], values);
    bbi_bits_unpack32(body->payload, body->patches, c->part_count, c->width[1], lengths);
    size_t at = 0;
    for (size_t i = 0; i < c->part_count; i++) {
        size_t end = at + lengths[i] + 1;
        if (end > c->value_count) {
            return bbi_chunk_corrupt(err, "runs are too long");
        }
        for (size_t j = at > from ? at : from; j < end && j < to; j++) {
            out->work.u64[j - from] = c->base + values[i];
        }
        at = end;
    }
    out->narrow = false;
    out->k64 = out->work.u64;
    return at == c->value_count ? BB_OK : bbi_chunk_corrupt(err, "runs are too short");
}

/* Look up codes that read_narrow left in *out. */
static int look_up(const struct bbi_chunk *c, const struct bbi_chunk_body *body, size_t n,
                   struct bbi_chunk_ints *out, struct bb_error *err)
{
    uint64_t words[BBI_CHUNK_MAX];
    words[0] = c->dict_base;
    bbi_bits_unpack64(body->payload, 0, c->dict_count - 1U, c->dict_width, words + 1);
    for (size_t i = 1; i < c->dict_count; i++) {
        words[i] += words[i - 1] + 1;
    }
    uint32_t base = (uint32_t)out->base;
    uint32_t worst = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t code = base + (uint32_t)out->r32[i];
        out->codes[i] = code;
        worst = code > worst ? code : worst;
    }
    if (worst >= c->dict_count) {
        return bbi_chunk_corrupt(err, "code outside the dictionary");
    }
    for (size_t i = 0; i < n; i++) {
        out->work.u64[i] = words[out->codes[i]];
    }
    out->narrow = false;
    out->k64 = out->work.u64;
    return BB_OK;
}

int bbi_chunk_read_ints(const struct bbi_chunk *c, const struct bbi_chunk_body *body, size_t from,
                        size_t to, struct bbi_chunk_ints *out, struct bb_error *err)
{
    if (c->coding == BBI_CODING_RUNS) {
        return read_runs(c, body, from, to, out, err);
    }
    if (c->dict_count > 0) {
        read_narrow(c, body, from, to, out);
        return look_up(c, body, to - from, out, err);
    }
    if (is_narrow(c)) {
        read_narrow(c, body, from, to, out);
    } else {
        read_wide(c, body, from, to, out);
    }
    return BB_OK;
}

static unsigned __int128 sum_bits(const uint8_t *payload, size_t bit, size_t n, unsigned width)
{
    return n == 0 || width == 0 ? 0 : bbi_kernel_get()->sum(payload, bit, n, width);
}

__int128 bbi_chunk_sum_residuals(const struct bbi_chunk *c, const struct bbi_chunk_body *body,
                                 size_t from, size_t to)
{
    const struct bbi_layers *l = &body->layers;
    unsigned __int128 total = 0;
    unsigned shift = 0;
    size_t first = from;
    size_t end = to;
    for (unsigned u = 0; u < l->count && first < end; u++) {
        if (u > 0) {
            bool whole = end == l->values[u - 1];
            first = first == 0 ? 0 : map_up(l, u, first);
            end = whole ? l->values[u] : map_up(l, u, end);
        }
        total +=
            sum_bits(l->payload, l->value_bit[u] + first * l->width[u], end - first, l->width[u])
            << shift;
        shift += l->width[u];
    }
    for (size_t i = 0; c->coding == BBI_CODING_PATCHED && i < c->part_count; i++) {
        struct patch p = patch_at(c, body, i);
        if (p.at >= from && p.at < to) {
            total += p.high;
        }
    }
    return (__int128)total;
}
