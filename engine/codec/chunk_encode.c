/*
 * The encoder. Doubles become integers (chunk_scale.c), the integers, divided by their gcd, are
 * priced under each transform that could win (chunk_plan.c), and the cheapest is written.
 */
#include "engine/codec/chunk_encode.h"

#include <string.h>

#include "engine/codec/chunk_plan.h"

#define PRICE_FIRST 14 /* directory bits of a delta's first value */
#define PRICE_RUNS  10
#define PRICE_DICT  30

struct bbi_chunk_scratch *bbi_chunk_scratch_create(struct bbi_account *acct)
{
    struct bbi_chunk_scratch *s = bbi_mem_zalloc(acct, 1, sizeof(*s));
    if (s != NULL) {
        s->acct = acct;
        s->hint_mode = BBI_MODE_DECIMAL;
        s->hint_exponent = 3;
    }
    return s;
}

void bbi_chunk_scratch_destroy(struct bbi_chunk_scratch **scratch)
{
    bbi_mem_free(*scratch);
    *scratch = NULL;
}

/* ---- Residuals: one way to write integers ---- */

struct candidate {
    uint8_t transform;
    uint64_t base;
    const uint64_t *residuals;
    struct bbi_chunk_plan plan;
};

/* Take the plan for residuals if it is cheaper by a part in 64: a chunk that stays under FOR is
 * summed as it is packed and read faster. */
static void offer(struct bbi_chunk_scratch *s, size_t m, uint32_t extra, const struct candidate *c,
                  struct candidate *best)
{
    struct bbi_profile profile;
    bbi_kernel_get()->profile(s->lengths, m, &profile);
    struct bbi_chunk_plan plan = bbi_chunk_plan_residuals(&profile, m);
    plan.price += extra;
    if (plan.price + plan.price / 64 < best->plan.price) {
        *best = *c;
        best->plan = plan;
    }
}

/* Delta and delta of delta, where the sum of their lengths promises something. */
static void offer_deltas(struct bbi_chunk_scratch *s, const uint64_t *k, size_t n, bool second,
                         uint32_t floor, struct candidate *best)
{
    const struct bbi_kernel_ops *ops = bbi_kernel_get();
    uint64_t *d = s->residuals[1];
    uint64_t *dd = s->residuals[2];
    struct candidate c = {.transform = BBI_TRANSFORM_DELTA, .residuals = d};
    if (ops->differences(k, n, d)) {
        c.transform = BBI_TRANSFORM_DELTA_ZIGZAG;
    } else {
        c.base = ops->subtract_min(d, n - 1, 0, d);
    }
    uint32_t delta_floor = ops->lengths(d, n - 1, s->lengths);
    if (delta_floor < floor) {
        offer(s, n - 1, PRICE_FIRST, &c, best);
        floor = delta_floor;
    }
    if (!second || n < 8 || delta_floor < 2 * n) {
        return;
    }
    for (size_t i = 0; i + 2 < n; i++) {
        dd[i] = bbi_zigzag((int64_t)(k[i + 2] - 2 * k[i + 1] + k[i]));
    }
    if (ops->lengths(dd, n - 2, s->lengths) < floor) {
        c = (struct candidate){.transform = BBI_TRANSFORM_DELTA2_ZIGZAG, .residuals = dd};
        offer(s, n - 2, 2 * PRICE_FIRST, &c, best);
    }
}

/* The cheapest transform and coding of k[n], n >= 1; flip: 2^63 where the order is signed; second:
 * whether delta of delta may be it; low: out, the smallest of k. */
static struct candidate choose(struct bbi_chunk_scratch *s, const uint64_t *k, size_t n,
                               uint64_t flip, bool second, uint64_t *low)
{
    const struct bbi_kernel_ops *ops = bbi_kernel_get();
    struct candidate best = {.transform = BBI_TRANSFORM_FOR, .residuals = s->residuals[0]};
    struct bbi_profile profile;
    *low = ops->subtract_min(k, n, flip, s->residuals[0]);
    best.base = *low;
    for (size_t i = 0; s->exception_width == BBI_EXCEPTION_RAW && i < s->bad_count; i++) {
        s->residuals[0][s->bad[i]] = 0;
    }
    uint32_t floor = ops->lengths(s->residuals[0], n, s->lengths);
    ops->profile(s->lengths, n, &profile);
    best.plan = bbi_chunk_plan_residuals(&profile, n);
    if (profile.widest == 0) {
        best.plan.coding = BBI_CODING_CONSTANT;
        return best;
    }
    if (n >= 2) {
        offer_deltas(s, k, n, second, floor, &best);
    }
    return best;
}

/* ---- Writing ---- */

static void put_layers(struct bbi_chunk_scratch *s, const struct candidate *c, size_t m,
                       struct bbi_bitwriter *w)
{
    uint64_t marks[BBI_MARK_WORDS];
    const uint64_t *values = c->residuals;
    for (unsigned l = 0;; l++) {
        unsigned width = c->plan.width[l];
        bbi_bitwriter_put(w, values, m, width);
        if (l + 1 == BBI_CHUNK_LAYERS_MAX || c->plan.width[l + 1] == 0) {
            return;
        }
        size_t groups = (m + ((size_t)1 << c->plan.group_log) - 1) >> c->plan.group_log;
        uint64_t *upper = s->layer[l % 2];
        m = bbi_kernel_get()->split(values, m, width, c->plan.group_log, marks, upper);
        values = upper;
        bbi_bitwriter_put_bitmap(w, marks, groups);
    }
}

static void put_patched(struct bbi_chunk_scratch *s, const struct candidate *c, size_t m,
                        struct bbi_bitwriter *w)
{
    unsigned width = c->plan.width[0];
    unsigned place_bits = bbi_position_bits(m);
    uint64_t *patches = s->layer[0];
    size_t count = 0;
    for (size_t i = 0; i < m; i++) {
        uint64_t high = c->residuals[i] >> width;
        if (high != 0) {
            patches[count++] = i | high << place_bits;
        }
    }
    BB_ASSERT(count == c->plan.part_count);
    bbi_bitwriter_put(w, c->residuals, m, width);
    bbi_bitwriter_put(w, patches, count, place_bits + c->plan.width[1]);
}

/* Write integers as planned: the entry's fields and the residuals. */
static void put_candidate(struct bbi_chunk_scratch *s, const struct candidate *c, const uint64_t *k,
                          struct bbi_chunk *out)
{
    size_t order = bbi_transform_order(c->transform);
    size_t m = out->value_count - order;
    out->transform = c->transform;
    out->coding = c->plan.coding;
    out->group_log = c->plan.group_log;
    out->part_count = c->plan.part_count;
    memcpy(out->width, c->plan.width, sizeof(out->width));
    out->base = c->base;
    out->first = order >= 1 ? k[0] : 0;
    out->first_step = order == 2 ? k[1] - k[0] : 0;
    if (c->plan.coding == BBI_CODING_PATCHED) {
        put_patched(s, c, m, &s->writer);
    } else if (c->plan.coding != BBI_CODING_CONSTANT) {
        put_layers(s, c, m, &s->writer);
    }
}

/* ---- Runs ---- */

struct runs {
    size_t count;
    unsigned value_width;
    unsigned length_width;
};

/* Gives up on more than n / 2 runs: then only the count means anything. */
static struct runs measure_runs(const uint64_t *k, size_t n, uint64_t base)
{
    struct runs r = {0};
    uint64_t values = 0;
    size_t longest = 0;
    for (size_t i = 0; i < n && r.count <= n / 2;) {
        size_t end = i + 1;
        while (end < n && k[end] == k[i]) {
            end++;
        }
        values |= k[i] - base;
        longest = end - i > longest ? end - i : longest;
        r.count++;
        i = end;
    }
    r.value_width = bbi_bit_length(values);
    r.length_width = bbi_bit_length(longest - 1);
    return r;
}

static uint32_t runs_price(const struct runs *r)
{
    return (uint32_t)r->count * (r->value_width + r->length_width) + PRICE_RUNS;
}

static void put_runs(struct bbi_chunk_scratch *s, const struct runs *r, uint64_t base,
                     struct bbi_chunk *out)
{
    const uint64_t *k = s->k;
    size_t n = out->value_count;
    out->coding = BBI_CODING_RUNS;
    out->transform = BBI_TRANSFORM_FOR;
    out->part_count = (uint16_t)r->count;
    out->width[0] = (uint8_t)r->value_width;
    out->width[1] = (uint8_t)r->length_width;
    out->base = base;
    size_t count = 0;
    for (size_t i = 0; i < n; count++) {
        size_t end = i + 1;
        while (end < n && k[end] == k[i]) {
            end++;
        }
        s->layer[0][count] = k[i] - base;
        s->layer[1][count] = end - i - 1;
        i = end;
    }
    bbi_bitwriter_put(&s->writer, s->layer[0], count, r->value_width);
    bbi_bitwriter_put(&s->writer, s->layer[1], count, r->length_width);
}

/* ---- Dictionary ---- */

static size_t hash_of(uint64_t v)
{
    return (size_t)((v * 0x9e3779b97f4a7c15u) >> 54);
}

/* Gather the distinct integers; 0: more than limit. Slots with code 0 are free. */
static size_t gather_words(struct bbi_chunk_scratch *s, const uint64_t *k, size_t n, size_t limit)
{
    size_t count = 0;
    memset(s->slot_code, 0, sizeof(s->slot_code));
    for (size_t i = 0; i < n; i++) {
        size_t slot = hash_of(k[i]);
        while (s->slot_code[slot] != 0 && s->slot_word[slot] != k[i]) {
            slot = (slot + 1) % HASH_SLOTS;
        }
        if (s->slot_code[slot] == 0) {
            if (count == limit) {
                return 0;
            }
            s->slot_code[slot] = 1;
            s->slot_word[slot] = k[i];
            s->words[count++] = k[i];
        }
    }
    return count;
}

/* Shell sort: few words, no callback. */
static void sort_words(uint64_t *v, size_t n, uint64_t flip)
{
    static const size_t gaps[] = {132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
        for (size_t i = gaps[g]; i < n; i++) {
            uint64_t x = v[i];
            size_t j = i;
            for (; j >= gaps[g] && (v[j - gaps[g]] ^ flip) > (x ^ flip); j -= gaps[g]) {
                v[j] = v[j - gaps[g]];
            }
            v[j] = x;
        }
    }
}

static void number_words(struct bbi_chunk_scratch *s, const uint64_t *k, size_t n, size_t count)
{
    for (size_t w = 0; w < count; w++) {
        size_t slot = hash_of(s->words[w]);
        while (s->slot_word[slot] != s->words[w] || s->slot_code[slot] == 0) {
            slot = (slot + 1) % HASH_SLOTS;
        }
        s->slot_code[slot] = (uint16_t)(w + 1);
    }
    for (size_t i = 0; i < n; i++) {
        size_t slot = hash_of(k[i]);
        while (s->slot_word[slot] != k[i] || s->slot_code[slot] == 0) {
            slot = (slot + 1) % HASH_SLOTS;
        }
        s->codes[i] = s->slot_code[slot] - 1U;
    }
}

static unsigned gap_width(const uint64_t *words, size_t count)
{
    uint64_t gaps = 0;
    for (size_t i = 1; i < count; i++) {
        gaps |= words[i] - words[i - 1] - 1;
    }
    return bbi_bit_length(gaps);
}

/* Whether words repeat among the first values: counted by marking a bit for each. */
static bool dictionary_may_pay(const uint64_t *k, size_t n)
{
    uint64_t marks[5] = {0}; /* the last: kernels read 8 bytes behind */
    size_t sample = n < 48 ? n : 48;
    for (size_t i = 0; i < sample; i++) {
        size_t mark = hash_of(k[i]) % 256;
        marks[mark / 64] |= (uint64_t)1 << (mark % 64);
    }
    size_t distinct = bbi_kernel_get()->popcount((const uint8_t *)marks, 0, 256);
    return n >= 16 && distinct * 2 <= sample;
}

/* Code the integers by a dictionary if that is cheaper than `price`, which becomes its price:
 * s->words and s->codes, and what codes them best. Returns the number of words, 0: it is not. Sets
 * *used if the residuals have been overwritten. */
static size_t try_dictionary(struct bbi_chunk_scratch *s, size_t n, uint64_t flip, uint32_t price,
                             struct candidate *c, bool *used)
{
    size_t limit = n / 3 < DICT_MAX ? n / 3 : DICT_MAX;
    if (price < 2 * n || !dictionary_may_pay(s->k, n)) {
        return 0;
    }
    size_t count = gather_words(s, s->k, n, limit);
    if (count < 2) {
        return 0;
    }
    sort_words(s->words, count, flip);
    number_words(s, s->k, n, count);
    *used = true;
    uint64_t low;
    *c = choose(s, s->codes, n, 0, false, &low);
    uint32_t gaps = (uint32_t)(count - 1) * gap_width(s->words, count);
    uint32_t own = c->plan.price + gaps + PRICE_DICT;
    return own + own / 16 < price && c->plan.coding != BBI_CODING_CONSTANT ? count : 0;
}

/* The payload begins with the dictionary: its words as gaps. */
static void put_words(struct bbi_chunk_scratch *s, size_t count, struct bbi_chunk *out)
{
    unsigned width = gap_width(s->words, count);
    out->dict_count = (uint16_t)count;
    out->dict_width = (uint8_t)width;
    out->dict_base = s->words[0];
    for (size_t i = 1; i < count; i++) {
        s->layer[0][i - 1] = s->words[i] - s->words[i - 1] - 1;
    }
    bbi_bitwriter_put(&s->writer, s->layer[0], count - 1, width);
}

static void put_exceptions(struct bbi_chunk_scratch *s, size_t n, struct bbi_chunk *out)
{
    out->exception_count = (uint16_t)s->bad_count;
    out->exception_width = s->bad_count > 0 ? s->exception_width : 0;
    for (size_t i = 0; i < s->bad_count; i++) {
        s->layer[0][i] = s->bad[i];
    }
    bbi_bitwriter_put(&s->writer, s->layer[0], s->bad_count, bbi_position_bits(n));
    bbi_bitwriter_put(&s->writer, s->exceptions, s->bad_count, out->exception_width);
}

/* ---- Integers to payload ---- */

static void put_integers(struct bbi_chunk_scratch *s, size_t n, uint64_t flip,
                         struct bbi_chunk *out)
{
    uint64_t low;
    struct candidate best = choose(s, s->k, n, flip, true, &low);
    if (best.plan.coding == BBI_CODING_CONSTANT) {
        put_exceptions(s, n, out);
        put_candidate(s, &best, s->k, out);
        return;
    }
    struct runs runs = measure_runs(s->k, n, low);
    bool run = runs.count <= n / 2 && runs_price(&runs) < best.plan.price;
    uint32_t price = run ? runs_price(&runs) : best.plan.price;
    bool used = false;
    struct candidate coded;
    size_t words = try_dictionary(s, n, flip, price, &coded, &used);
    if (words > 0) {
        put_words(s, words, out);
        put_exceptions(s, n, out);
        put_candidate(s, &coded, s->codes, out);
        return;
    }
    put_exceptions(s, n, out);
    if (run) {
        put_runs(s, &runs, low, out);
        return;
    }
    if (used) {
        best = choose(s, s->k, n, flip, true, &low);
    }
    put_candidate(s, &best, s->k, out);
}

/* ---- The whole chunk ---- */

static void divide(uint64_t *k, size_t n, uint64_t gcd, uint64_t flip)
{
    for (size_t i = 0; gcd > 1 && i < n; i++) {
        k[i] = flip != 0 ? (uint64_t)((int64_t)k[i] / (int64_t)gcd) : k[i] / gcd;
    }
}

static void set_stats(const struct bbi_chunk_scratch *s, size_t n, uint64_t flip,
                      struct bbi_chunk *out)
{
    bool scaled = out->mode == BBI_MODE_DECIMAL || out->mode == BBI_MODE_INTEGER;
    if (n < BBI_CHUNK_STATS_MIN || !scaled || s->bad_count > 0) {
        return;
    }
    uint64_t min = UINT64_MAX;
    uint64_t max = 0;
    __int128 sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = s->k[i] ^ flip;
        min = v < min ? v : min;
        max = v > max ? v : max;
        sum += flip != 0 ? (__int128)(int64_t)s->k[i] : (__int128)s->k[i];
    }
    out->has_stats = true;
    out->stats_min = (int64_t)((min ^ flip) * out->gcd);
    out->stats_max = (int64_t)((max ^ flip) * out->gcd);
    out->stats_sum = sum * (__int128)out->gcd;
}

static int check_input(enum bbi_type type, const uint64_t *bits, size_t n, struct bb_error *err)
{
    if (n == 0 || n > BBI_CHUNK_MAX) {
        return bbi_error_set(err, BB_EINVAL, "chunk: %zu values, not 1 to %d", n, BBI_CHUNK_MAX);
    }
    if (type < BBI_FLOAT || type > BBI_BOOL) {
        return bbi_error_set(err, BB_EINVAL, "chunk: type %d", (int)type);
    }
    for (size_t i = 0; type == BBI_BOOL && i < n; i++) {
        if (bits[i] > 1) {
            return bbi_error_set(err, BB_EINVAL, "chunk: a bool that is neither 0 nor 1");
        }
    }
    return BB_OK;
}

int bbi_chunk_encode(enum bbi_type type, const uint64_t *bits, size_t n, struct bbi_chunk *out,
                     struct bbi_buf *payload, struct bbi_chunk_scratch *scratch,
                     struct bb_error *err)
{
    *out = (struct bbi_chunk){.gcd = 1};
    int rc = check_input(type, bits, n, err);
    if (rc != BB_OK) {
        return rc;
    }
    struct bbi_chunk_scratch *s = scratch;
    s->bad_count = 0;
    out->value_count = (uint16_t)n;
    if (type == BBI_FLOAT) {
        bbi_chunk_scale_doubles(s, bits, n, out);
    } else {
        memcpy(s->k, bits, n * sizeof(*bits));
        out->mode = BBI_MODE_INTEGER;
    }
    bool is_signed = type == BBI_INT || (type == BBI_FLOAT && out->mode != BBI_MODE_RAW);
    uint64_t flip = is_signed ? (uint64_t)1 << 63 : 0;
    if (type == BBI_INT || type == BBI_UINT) {
        out->gcd = bbi_chunk_common_divisor(s->k, n, flip);
    }
    divide(s->k, n, out->gcd, flip);
    s->writer = (struct bbi_bitwriter){.out = s->payload};
    put_integers(s, n, flip, out);
    const uint8_t *end = bbi_bitwriter_end(&s->writer);
    if (type != BBI_BOOL) {
        set_stats(s, n, flip, out);
    }
    out->payload_bytes = (uint32_t)(end - s->payload);
    bbi_buf_put(payload, s->payload, out->payload_bytes);
    return bbi_buf_check(payload, "chunk payload", err);
}
