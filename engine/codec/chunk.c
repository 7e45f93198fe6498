#include "engine/codec/chunk.h"

#include <math.h>
#include <string.h>

#include "engine/codec/chunk_layout.h"
#include "engine/codec/chunk_read.h"

const double bbi_chunk_power[10] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
const double bbi_chunk_inverse[10] = {1e-0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9};

/*
 * Division i/b, b a power of ten, as q = i*y with y the double next to 1/b, then q += (i - q*b)*y
 * with fused multiply-adds, is correctly rounded if q is within one unit in the last place before
 * (Markstein). q is off by half a unit from its own rounding and by the relative error of y, which
 * is at most 2^-54, half a unit, for all powers up to 10^9 but 10^5 and 10^9. For these two the
 * encoder compares the two results for every value.
 */
struct bbi_scale bbi_chunk_scale(const struct bbi_chunk *c)
{
    unsigned e = c->exponent < 10 ? c->exponent : 0;
    return (struct bbi_scale){
        .gcd = (double)c->gcd,
        .power = bbi_chunk_power[e],
        .inverse = bbi_chunk_inverse[e],
        .float32 = c->mode == BBI_MODE_FLOAT32,
        .divide = e == 5 || e == 9,
    };
}

static int check_window(const struct bbi_chunk *c, size_t from, size_t to, struct bb_error *err)
{
    if (from > to || to > c->value_count) {
        return bbi_error_set(err, BB_EINVAL, "chunk: values [%zu, %zu) of %u", from, to,
                             c->value_count);
    }
    return BB_OK;
}

static bool is_decimal(const struct bbi_chunk *c)
{
    return c->mode == BBI_MODE_DECIMAL || c->mode == BBI_MODE_FLOAT32;
}

static void multiply(uint64_t *v, size_t n, uint64_t gcd)
{
    for (size_t i = 0; gcd != 1 && i < n; i++) {
        v[i] *= gcd;
    }
}

/* Integers to values of the type; a damaged payload's bools are 0 or 1 too. */
static void finish(enum bbi_type type, const struct bbi_chunk *c, const struct bbi_chunk_ints *ints,
                   size_t n, uint64_t *out)
{
    const struct bbi_kernel_ops *ops = bbi_kernel_get();
    if (is_decimal(c)) {
        struct bbi_scale scale = bbi_chunk_scale(c);
        if (ints->narrow) {
            ops->double32(ints->r32, n, ints->base, &scale, out);
        } else {
            ops->double64((const int64_t *)(const void *)ints->k64, n, &scale, out);
        }
        return;
    }
    if (ints->narrow) {
        ops->widen32(ints->r32, n, ints->base, out);
    } else {
        memcpy(out, ints->k64, n * sizeof(*out));
    }
    multiply(out, n, c->gcd);
    for (size_t i = 0; type == BBI_BOOL && i < n; i++) {
        out[i] &= 1;
    }
}

static int put_exceptions(const struct bbi_chunk *c, const struct bbi_chunk_body *body, size_t from,
                          size_t to, uint64_t *out, struct bb_error *err)
{
    for (size_t i = 0; i < c->exception_count; i++) {
        size_t at = bbi_chunk_exception_at(c, body, i);
        if (at >= c->value_count) {
            return bbi_chunk_corrupt(err, "exception outside the chunk");
        }
        if (at >= from && at < to) {
            out[at - from] = bbi_chunk_exception_value(c, body, i, out[at - from]);
        }
    }
    return BB_OK;
}

int bbi_chunk_decode(enum bbi_type type, const struct bbi_chunk *chunk, const uint8_t *payload,
                     size_t from, size_t to, uint64_t *bits_out, struct bb_error *err)
{
    struct bbi_chunk_body body;
    struct bbi_chunk_ints ints;
    int rc = check_window(chunk, from, to, err);
    if (rc != BB_OK || from == to) {
        return rc;
    }
    rc = bbi_chunk_open(chunk, payload, &body, err);
    if (rc == BB_OK) {
        rc = bbi_chunk_read_ints(chunk, &body, from, to, &ints, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    finish(type, chunk, &ints, to - from, bits_out);
    return put_exceptions(chunk, &body, from, to, bits_out, err);
}

bool bbi_chunk_is_scaled(enum bbi_type type, const struct bbi_chunk *chunk)
{
    (void)type;
    bool nudged = chunk->exception_count > 0 && chunk->exception_width != BBI_EXCEPTION_RAW;
    return (chunk->mode == BBI_MODE_DECIMAL && !nudged) || chunk->mode == BBI_MODE_INTEGER;
}

/* An integer of the chunk as a number: uint64 has no negative ones. */
static __int128 as_number(enum bbi_type type, uint64_t k)
{
    return type == BBI_UINT ? (__int128)k : (__int128)(int64_t)k;
}

static uint64_t int_at(const struct bbi_chunk_ints *ints, size_t i)
{
    return ints->narrow ? (uint64_t)ints->base + (uint64_t)(int64_t)ints->r32[i] : ints->k64[i];
}

/* Whether base + r32[i] are the integers as numbers: deltas of int64 may wrap on their way. */
static bool narrow_is_exact(enum bbi_type type, const struct bbi_chunk_ints *ints)
{
    return ints->narrow && type != BBI_UINT && ints->base > INT64_MIN - (int64_t)INT32_MIN &&
           ints->base < INT64_MAX - INT32_MAX;
}

/* The residual of an exception is 0 under FOR, so packed residuals need no correction, only the
 * bases do. */
static bool sums_packed(const struct bbi_chunk *c)
{
    return c->transform == BBI_TRANSFORM_FOR && c->dict_count == 0 && c->coding != BBI_CODING_RUNS;
}

static int sum_ints(enum bbi_type type, const struct bbi_chunk *c,
                    const struct bbi_chunk_body *body, size_t from, size_t to, __int128 *total,
                    struct bb_error *err)
{
    if (sums_packed(c)) {
        *total = as_number(type, c->base) * (__int128)(to - from);
        if (c->coding != BBI_CODING_CONSTANT) {
            *total += bbi_chunk_sum_residuals(c, body, from, to);
        }
        for (size_t i = 0; i < c->exception_count; i++) {
            size_t at = bbi_chunk_exception_at(c, body, i);
            *total -= at >= from && at < to ? as_number(type, c->base) : 0;
        }
        return BB_OK;
    }
    struct bbi_chunk_ints ints;
    int rc = bbi_chunk_read_ints(c, body, from, to, &ints, err);
    if (rc != BB_OK) {
        return rc;
    }
    size_t n = to - from;
    __int128 sum = 0;
    if (narrow_is_exact(type, &ints)) {
        sum = (__int128)ints.base * (__int128)n + bbi_kernel_get()->total32(ints.r32, n);
    } else {
        for (size_t i = 0; i < n; i++) {
            sum += as_number(type, int_at(&ints, i));
        }
    }
    for (size_t i = 0; i < c->exception_count; i++) {
        size_t at = bbi_chunk_exception_at(c, body, i);
        sum -= at >= from && at < to ? as_number(type, int_at(&ints, at - from)) : 0;
    }
    *total = sum;
    return BB_OK;
}

static int list_exceptions(const struct bbi_chunk *c, const struct bbi_chunk_body *body,
                           size_t from, size_t to, struct bbi_chunk_total *out,
                           struct bb_error *err)
{
    for (size_t i = 0; i < c->exception_count; i++) {
        size_t at = bbi_chunk_exception_at(c, body, i);
        if (at >= c->value_count) {
            return bbi_chunk_corrupt(err, "exception outside the chunk");
        }
        if (at >= from && at < to) {
            uint64_t bits = bbi_chunk_exception_value(c, body, i, 0);
            memcpy(&out->exceptions[out->exception_count++], &bits, sizeof(bits));
        }
    }
    return BB_OK;
}

int bbi_chunk_sum(enum bbi_type type, const struct bbi_chunk *chunk, const uint8_t *payload,
                  size_t from, size_t to, struct bbi_chunk_total *out, struct bb_error *err)
{
    out->scaled = 0;
    out->exponent = chunk->exponent;
    out->exception_count = 0;
    int rc = check_window(chunk, from, to, err);
    if (rc != BB_OK || from == to) {
        return rc;
    }
    if (!bbi_chunk_is_scaled(type, chunk)) {
        return bbi_error_set(err, BB_EINVAL, "chunk: its values are no scaled integers");
    }
    if (chunk->has_stats && to - from == chunk->value_count) {
        out->scaled = chunk->stats_sum;
        return BB_OK;
    }
    struct bbi_chunk_body body;
    rc = bbi_chunk_open(chunk, payload, &body, err);
    if (rc == BB_OK) {
        rc = list_exceptions(chunk, &body, from, to, out, err);
    }
    __int128 total = 0;
    if (rc == BB_OK) {
        rc = sum_ints(type, chunk, &body, from, to, &total, err);
    }
    out->scaled = (__int128)((unsigned __int128)total * (unsigned __int128)chunk->gcd);
    return rc;
}

int bbi_chunk_decode_scaled(enum bbi_type type, const struct bbi_chunk *chunk,
                            const uint8_t *payload, size_t from, size_t to, int64_t *scaled_out,
                            struct bb_error *err)
{
    int rc = check_window(chunk, from, to, err);
    if (rc != BB_OK || from == to) {
        return rc;
    }
    if (!bbi_chunk_is_scaled(type, chunk) || chunk->exception_count > 0) {
        return bbi_error_set(err, BB_EINVAL, "chunk: its values are no scaled integers");
    }
    struct bbi_chunk_body body;
    struct bbi_chunk_ints ints;
    rc = bbi_chunk_open(chunk, payload, &body, err);
    if (rc == BB_OK) {
        rc = bbi_chunk_read_ints(chunk, &body, from, to, &ints, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    uint64_t *out = (uint64_t *)(void *)scaled_out;
    if (ints.narrow) {
        bbi_kernel_get()->widen32(ints.r32, to - from, ints.base, out);
    } else {
        memcpy(out, ints.k64, (to - from) * sizeof(*out));
    }
    multiply(out, to - from, chunk->gcd);
    return BB_OK;
}

/* Extremes by comparison of values; the first of equals stays. Comparisons with NaN are false. */
static void scan_doubles(const uint64_t *bits, size_t n, struct bbi_chunk_extremes *out)
{
    const uint64_t exponent = UINT64_C(0x7ff0000000000000);
    size_t nans = 0;
    uint64_t non_finite = 0;
    double min = NAN;
    double max = NAN;
    for (size_t i = 0; i < n; i++) {
        double v;
        memcpy(&v, bits + i, sizeof(v));
        non_finite |= (bits[i] & exponent) == exponent;
        nans += isnan(v) ? 1 : 0;
        if (i == nans && !isnan(v)) {
            min = max = v;
            out->min_at = out->max_at = i;
        }
        if (v < min) {
            min = v;
            out->min_at = i;
        }
        if (v > max) {
            max = v;
            out->max_at = i;
        }
    }
    out->non_finite = non_finite != 0;
    out->count = n - nans;
}

/* XOR with `flip` turns the type's order into the unsigned one. */
static void scan_integers(const uint64_t *bits, size_t n, uint64_t flip,
                          struct bbi_chunk_extremes *out)
{
    uint64_t min = UINT64_MAX;
    uint64_t max = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = bits[i] ^ flip;
        out->min_at = i == 0 || v < min ? i : out->min_at;
        out->max_at = i == 0 || v > max ? i : out->max_at;
        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    out->count = n;
}

/* Let exceptions repeat the integer before them: no extreme, and no earlier place of one, comes of
 * it. False: the window begins with one, or they are not raw. */
static bool hide_exceptions(const struct bbi_chunk *c, const struct bbi_chunk_body *body,
                            size_t from, size_t to, int32_t *r32)
{
    for (size_t i = 0; i < c->exception_count; i++) {
        size_t at = bbi_chunk_exception_at(c, body, i);
        if (at == from || c->exception_width != BBI_EXCEPTION_RAW) {
            return false;
        }
        if (at > from && at < to) {
            r32[at - from] = r32[at - from - 1];
        }
    }
    return true;
}

/* What one exception changes about the extremes of the others. */
static void add_exception(size_t at, uint64_t bits, struct bbi_chunk_extremes *out)
{
    double v;
    double min;
    double max;
    memcpy(&v, &bits, sizeof(v));
    memcpy(&min, &out->min_bits, sizeof(min));
    memcpy(&max, &out->max_bits, sizeof(max));
    out->non_finite = out->non_finite || !isfinite(v);
    out->count -= isnan(v) && out->count > 0 ? 1 : 0;
    if (v < min || (v == min && at < out->min_at)) {
        out->min_bits = bits;
        out->min_at = at;
    }
    if (v > max || (v == max && at < out->max_at)) {
        out->max_bits = bits;
        out->max_at = at;
    }
}

/* The order of integers in 32-bit lanes is that of the values. Yields places in the window. */
static void minmax_narrow(enum bbi_type type, const struct bbi_chunk *c,
                          const struct bbi_chunk_body *body, size_t from, size_t to,
                          struct bbi_chunk_ints *ints, struct bbi_chunk_extremes *out)
{
    const struct bbi_kernel_ops *ops = bbi_kernel_get();
    size_t n = to - from;
    int32_t ends[2];
    uint64_t bits[2];
    ops->extremes32(ints->r32, n, &ends[0], &ends[1]);
    out->min_at = ops->find32(ints->r32, n, ends[0]);
    out->max_at = ops->find32(ints->r32, n, ends[1]);
    out->count = n;
    ints->r32 = ends;
    finish(type, c, ints, 2, bits);
    out->min_bits = bits[0];
    out->max_bits = bits[1];
    for (size_t i = 0; i < c->exception_count; i++) {
        size_t at = bbi_chunk_exception_at(c, body, i);
        if (at >= from && at < to) {
            add_exception(at - from, bbi_chunk_exception_value(c, body, i, 0), out);
        }
    }
}

static int minmax_decoded(enum bbi_type type, const struct bbi_chunk *c,
                          const struct bbi_chunk_body *body, size_t from, size_t to,
                          const struct bbi_chunk_ints *ints, struct bbi_chunk_extremes *out,
                          struct bb_error *err)
{
    uint64_t bits[BBI_CHUNK_MAX];
    size_t n = to - from;
    finish(type, c, ints, n, bits);
    int rc = put_exceptions(c, body, from, to, bits, err);
    if (type == BBI_FLOAT) {
        scan_doubles(bits, n, out);
    } else {
        scan_integers(bits, n, type == BBI_INT ? (uint64_t)1 << 63 : 0, out);
    }
    out->min_bits = bits[out->min_at];
    out->max_bits = bits[out->max_at];
    return rc;
}

int bbi_chunk_minmax(enum bbi_type type, const struct bbi_chunk *chunk, const uint8_t *payload,
                     size_t from, size_t to, struct bbi_chunk_extremes *out, struct bb_error *err)
{
    *out = (struct bbi_chunk_extremes){0};
    int rc = check_window(chunk, from, to, err);
    if (rc != BB_OK || from == to) {
        return rc;
    }
    struct bbi_chunk_body body;
    struct bbi_chunk_ints ints;
    rc = bbi_chunk_open(chunk, payload, &body, err);
    if (rc == BB_OK) {
        rc = bbi_chunk_read_ints(chunk, &body, from, to, &ints, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    if (narrow_is_exact(type, &ints) && chunk->mode != BBI_MODE_RAW &&
        hide_exceptions(chunk, &body, from, to, ints.r32)) {
        minmax_narrow(type, chunk, &body, from, to, &ints, out);
    } else {
        rc = minmax_decoded(type, chunk, &body, from, to, &ints, out, err);
    }
    out->min_at += from;
    out->max_at += from;
    return rc;
}
