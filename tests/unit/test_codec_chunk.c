/*
 * Chunks: whatever goes in comes out bit for bit, from every window, on every kernel; sums and
 * extremes equal those of the decoded values; directories bring entries back; damaged bytes are
 * refused or decode to something, inside the memory that is theirs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/sum.h"
#include "engine/codec/chunk.h"
#include "engine/codec/chunk_layout.h"
#include "tests/unit/codec_values.h"

static const enum bbi_type types[] = {BBI_FLOAT, BBI_INT, BBI_UINT, BBI_BOOL};
static const size_t sizes[] = {1, 2, 3, 15, 16, 17, 48, 63, 64, 65, 96, 336, 511, 512, 1023, 1024};
#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))

static struct codec_random rng;
static struct bbi_chunk_scratch *scratch;
static uint64_t values[BBI_CHUNK_MAX];
static uint64_t decoded[BBI_CHUNK_MAX];

/* A payload in a block of its own size and the promised pad. */
struct packed {
    struct bbi_chunk entry;
    uint8_t *payload;
};

static struct packed pack(enum bbi_type type, size_t n)
{
    struct packed p;
    struct bb_error err;
    struct bbi_buf buf;
    bbi_buf_init(&buf, NULL, 1 << 20);
    assert_int_equal(bbi_chunk_encode(type, values, n, &p.entry, &buf, scratch, &err), BB_OK);
    assert_int_equal(p.entry.payload_bytes, buf.len);
    assert_int_equal(p.entry.value_count, n);
    p.payload = malloc(buf.len + BBI_CODEC_PAD);
    assert_non_null(p.payload);
    if (buf.len > 0) {
        memcpy(p.payload, buf.data, buf.len);
    }
    memset(p.payload + buf.len, 0xa5, BBI_CODEC_PAD);
    bbi_buf_fini(&buf);
    return p;
}

static bool set_kernel(size_t k)
{
    return bbi_codec_set_kernel((enum bbi_codec_kernel)k);
}

static void check_decode(enum bbi_type type, const struct packed *p, size_t from, size_t to)
{
    struct bb_error err;
    uint64_t *out = malloc((to - from) * sizeof(*out) + 1);
    assert_non_null(out);
    assert_int_equal(bbi_chunk_decode(type, &p->entry, p->payload, from, to, out, &err), BB_OK);
    assert_memory_equal(out, values + from, (to - from) * sizeof(*out));
    free(out);
}

static void check_float_sum(const struct packed *p, size_t from, size_t to)
{
    struct bb_error err;
    struct bbi_chunk_total total;
    struct bbi_sum whole;
    struct bbi_sum parts;
    bbi_sum_init(&whole, NULL);
    bbi_sum_init(&parts, NULL);
    assert_int_equal(bbi_chunk_sum(BBI_FLOAT, &p->entry, p->payload, from, to, &total, &err),
                     BB_OK);
    bbi_sum_add_scaled(&parts, total.scaled, total.exponent);
    for (size_t i = 0; i < total.exception_count; i++) {
        assert_int_equal(bbi_sum_add(&parts, total.exceptions[i]), BB_OK);
    }
    for (size_t i = from; i < to; i++) {
        assert_int_equal(bbi_sum_add(&whole, codec_double_of(values[i])), BB_OK);
    }
    double a = bbi_sum_value(&whole);
    double b = bbi_sum_value(&parts);
    assert_true(memcmp(&a, &b, sizeof(a)) == 0 || (isnan(a) && isnan(b)));
    assert_true(whole.nano == parts.nano);
    bbi_sum_fini(&whole);
    bbi_sum_fini(&parts);
}

static void check_int_sum(enum bbi_type type, const struct packed *p, size_t from, size_t to)
{
    struct bb_error err;
    struct bbi_chunk_total total;
    __int128 want = 0;
    for (size_t i = from; i < to; i++) {
        want += type == BBI_INT ? (__int128)(int64_t)values[i] : (__int128)values[i];
    }
    assert_int_equal(bbi_chunk_sum(type, &p->entry, p->payload, from, to, &total, &err), BB_OK);
    assert_true(total.scaled == want);
    assert_int_equal(total.exponent, 0);
    assert_int_equal(total.exception_count, 0);
}

static void check_scaled(enum bbi_type type, const struct packed *p, size_t from, size_t to)
{
    struct bb_error err;
    int64_t out[BBI_CHUNK_MAX];
    int rc = bbi_chunk_decode_scaled(type, &p->entry, p->payload, from, to, out, &err);
    if (!bbi_chunk_is_scaled(type, &p->entry) || p->entry.exception_count > 0) {
        assert_int_equal(rc, from == to ? BB_OK : BB_EINVAL);
        return;
    }
    assert_int_equal(rc, BB_OK);
    for (size_t i = from; i < to; i++) {
        int64_t v = out[i - from];
        if (type == BBI_FLOAT) {
            double quotient = (double)v / bbi_chunk_power[p->entry.exponent];
            assert_int_equal(codec_bits_of(quotient), values[i]);
        } else {
            assert_int_equal(v, values[i]);
        }
    }
}

static bool precedes(enum bbi_type type, uint64_t a, uint64_t b)
{
    switch (type) {
    case BBI_FLOAT:
        return codec_double_of(a) < codec_double_of(b);
    case BBI_INT:
        return (int64_t)a < (int64_t)b;
    default:
        return a < b;
    }
}

static void check_minmax(enum bbi_type type, const struct packed *p, size_t from, size_t to)
{
    struct bb_error err;
    struct bbi_chunk_extremes want = {0};
    struct bbi_chunk_extremes got;
    for (size_t i = from; i < to; i++) {
        if (type == BBI_FLOAT && !isfinite(codec_double_of(values[i]))) {
            want.non_finite = true;
        }
        if (type == BBI_FLOAT && isnan(codec_double_of(values[i]))) {
            continue;
        }
        if (want.count == 0 || precedes(type, values[i], values[want.min_at])) {
            want.min_at = i;
        }
        if (want.count == 0 || precedes(type, values[want.max_at], values[i])) {
            want.max_at = i;
        }
        want.count++;
    }
    assert_int_equal(bbi_chunk_minmax(type, &p->entry, p->payload, from, to, &got, &err), BB_OK);
    assert_int_equal(got.count, want.count);
    assert_int_equal(got.non_finite, want.non_finite);
    if (want.count > 0) {
        assert_int_equal(got.min_at, want.min_at);
        assert_int_equal(got.max_at, want.max_at);
        assert_int_equal(got.min_bits, values[want.min_at]);
        assert_int_equal(got.max_bits, values[want.max_at]);
    }
}

static void check_window(enum bbi_type type, const struct packed *p, size_t from, size_t to)
{
    check_decode(type, p, from, to);
    check_scaled(type, p, from, to);
    check_minmax(type, p, from, to);
    if (!bbi_chunk_is_scaled(type, &p->entry)) {
        return;
    }
    if (type == BBI_FLOAT) {
        check_float_sum(p, from, to);
    } else {
        check_int_sum(type, p, from, to);
    }
}

static void check_all_windows(enum bbi_type type, const struct packed *p, size_t n)
{
    check_window(type, p, 0, n);
    check_window(type, p, n, n);
    check_window(type, p, n - 1, n);
    for (int i = 0; i < 4; i++) {
        size_t from = codec_random_below(&rng, n);
        check_window(type, p, from, from + codec_random_below(&rng, n - from + 1));
    }
}

/* Chunks of one kernel are read by all: a file moves between machines. */
static void every_value_comes_back(void **state)
{
    (void)state;
    for (size_t round = 0; round < 40; round++) {
        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
            for (unsigned shape = 0; shape < codec_value_shapes(types[t]); shape++) {
                size_t n = sizes[codec_random_below(&rng, SIZE_COUNT)];
                codec_values(&rng, types[t], shape, values, n);
                size_t writer = round % 3;
                if (!set_kernel(writer)) {
                    continue;
                }
                struct packed p = pack(types[t], n);
                for (size_t k = 0; k < 3; k++) {
                    if (set_kernel(k)) {
                        check_all_windows(types[t], &p, n);
                    }
                }
                free(p.payload);
            }
        }
    }
}

static void kernels_write_the_same_bytes(void **state)
{
    (void)state;
    for (size_t round = 0; round < 300; round++) {
        enum bbi_type type = types[round % 4];
        size_t n = sizes[codec_random_below(&rng, SIZE_COUNT)];
        codec_values(&rng, type, (unsigned)codec_random_below(&rng, codec_value_shapes(type)),
                     values, n);
        struct bbi_chunk_scratch *kept = scratch;
        struct packed first = {.payload = NULL};
        for (size_t k = 0; k < 3; k++) {
            if (!set_kernel(k)) {
                continue;
            }
            scratch = bbi_chunk_scratch_create(NULL);
            assert_non_null(scratch);
            struct packed p = pack(type, n);
            bbi_chunk_scratch_destroy(&scratch);
            if (first.payload == NULL) {
                first = p;
                continue;
            }
            assert_int_equal(p.entry.payload_bytes, first.entry.payload_bytes);
            assert_memory_equal(p.payload, first.payload, p.entry.payload_bytes);
            assert_int_equal(p.entry.coding, first.entry.coding);
            free(p.payload);
        }
        free(first.payload);
        scratch = kept;
    }
}

static void same_entry(const struct bbi_chunk *a, const struct bbi_chunk *b)
{
    assert_int_equal(a->payload_bytes, b->payload_bytes);
    assert_int_equal(a->value_count, b->value_count);
    assert_int_equal(a->exception_count, b->exception_count);
    assert_int_equal(a->exception_width, b->exception_width);
    assert_int_equal(a->part_count, b->part_count);
    assert_int_equal(a->dict_count, b->dict_count);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->exponent, b->exponent);
    assert_int_equal(a->coding, b->coding);
    assert_int_equal(a->transform, b->transform);
    assert_int_equal(a->group_log, b->group_log);
    assert_int_equal(a->dict_width, b->dict_width);
    assert_memory_equal(a->width, b->width, sizeof(a->width));
    assert_int_equal(a->gcd, b->gcd);
    assert_int_equal(a->base, b->base);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->first_step, b->first_step);
    assert_int_equal(a->dict_base, b->dict_base);
    assert_int_equal(a->has_stats, b->has_stats);
    if (a->has_stats) {
        assert_int_equal(a->stats_min, b->stats_min);
        assert_int_equal(a->stats_max, b->stats_max);
        assert_true(a->stats_sum == b->stats_sum);
    }
}

#define DIR_CHUNKS 60

static void directories_bring_entries_back(void **state)
{
    (void)state;
    struct bb_error err;
    for (size_t round = 0; round < 120; round++) {
        enum bbi_type type = types[round % 4];
        size_t n = 1 + codec_random_below(&rng, DIR_CHUNKS);
        struct packed p[DIR_CHUNKS];
        struct bbi_chunk entries[DIR_CHUNKS];
        struct bbi_chunk back[DIR_CHUNKS];
        size_t counts[DIR_CHUNKS];
        unsigned shape = (unsigned)codec_random_below(&rng, codec_value_shapes(type));
        for (size_t i = 0; i < n; i++) {
            counts[i] = sizes[codec_random_below(&rng, SIZE_COUNT)];
            codec_values(&rng, type, round % 8 < 4 ? (unsigned)i % codec_value_shapes(type) : shape,
                         values, counts[i]);
            p[i] = pack(type, counts[i]);
            entries[i] = p[i].entry;
        }
        struct bbi_buf buf;
        bbi_buf_init(&buf, NULL, 1 << 20);
        assert_int_equal(bbi_chunkdir_encode(type, entries, n, &buf, &err), BB_OK);
        for (size_t i = 0; i < n; i++) {
            back[i].value_count = (uint16_t)counts[i];
        }
        struct bbi_cursor c;
        bbi_cursor_init(&c, buf.data, buf.len);
        assert_int_equal(bbi_chunkdir_decode(&c, type, n, back, NULL, &err), BB_OK);
        assert_int_equal(bbi_cursor_left(&c), 0);
        for (size_t i = 0; i < n; i++) {
            same_entry(&entries[i], &back[i]);
            assert_int_equal(
                bbi_chunk_decode(type, &back[i], p[i].payload, 0, counts[i], decoded, &err), BB_OK);
            free(p[i].payload);
        }
        bbi_buf_fini(&buf);
    }
}

static void use_hostile_chunk(enum bbi_type type, const struct bbi_chunk *c, const uint8_t *payload)
{
    struct bb_error err;
    struct bbi_chunk_total total;
    struct bbi_chunk_extremes extremes;
    int64_t scaled[BBI_CHUNK_MAX];
    size_t n = c->value_count;
    size_t from = codec_random_below(&rng, n + 1);
    size_t to = from + codec_random_below(&rng, n - from + 1);
    int rc = bbi_chunk_decode(type, c, payload, 0, n, decoded, &err);
    assert_true(rc == BB_OK || rc == BB_ECORRUPT);
    rc = bbi_chunk_decode(type, c, payload, from, to, decoded, &err);
    assert_true(rc == BB_OK || rc == BB_ECORRUPT);
    rc = bbi_chunk_sum(type, c, payload, from, to, &total, &err);
    assert_true(rc == BB_OK || rc == BB_ECORRUPT || rc == BB_EINVAL);
    rc = bbi_chunk_minmax(type, c, payload, from, to, &extremes, &err);
    assert_true(rc == BB_OK || rc == BB_ECORRUPT);
    rc = bbi_chunk_decode_scaled(type, c, payload, from, to, scaled, &err);
    assert_true(rc == BB_OK || rc == BB_ECORRUPT || rc == BB_EINVAL);
}

static void damaged_payloads_stay_inside(void **state)
{
    (void)state;
    for (size_t round = 0; round < 4000; round++) {
        enum bbi_type type = types[round % 4];
        size_t n = sizes[codec_random_below(&rng, SIZE_COUNT)];
        codec_values(&rng, type, (unsigned)codec_random_below(&rng, codec_value_shapes(type)),
                     values, n);
        (void)(set_kernel(round % 3) || set_kernel(0));
        struct packed p = pack(type, n);
        size_t bytes = p.entry.payload_bytes;
        for (int flips = 0; bytes > 0 && flips < 3; flips++) {
            p.payload[codec_random_below(&rng, bytes)] = (uint8_t)codec_random_u64(&rng);
            use_hostile_chunk(type, &p.entry, p.payload);
        }
        for (size_t i = 0; i < bytes; i++) {
            p.payload[i] = (uint8_t)codec_random_u64(&rng);
        }
        use_hostile_chunk(type, &p.entry, p.payload);
        free(p.payload);
    }
}

/* Random bytes hardly ever pass as a directory; columns of random but plausible numbers do. */
static void hostile_directories_stay_inside(void **state)
{
    (void)state;
    struct bb_error err;
    size_t accepted = 0;
    for (size_t round = 0; round < 20000; round++) {
        enum bbi_type type = types[round % 4];
        size_t n = 1 + codec_random_below(&rng, 3);
        struct bbi_buf buf;
        struct bbi_chunk back[3];
        bbi_buf_init(&buf, NULL, 1 << 16);
        for (size_t column = 0; column < 30; column++) {
            /* One constant column: head 1, then the constant. */
            bbi_buf_u8(&buf, 1);
            bbi_buf_varint(&buf, codec_random_bits(&rng, (unsigned)codec_random_below(&rng, 7)));
        }
        if (codec_random_below(&rng, 4) == 0) {
            buf.data[codec_random_below(&rng, buf.len)] = (uint8_t)codec_random_u64(&rng);
        }
        for (size_t i = 0; i < n; i++) {
            back[i].value_count = (uint16_t)codec_random_below(&rng, BBI_CHUNK_MAX + 2);
        }
        struct bbi_cursor c;
        bbi_cursor_init(&c, buf.data, codec_random_below(&rng, 8) == 0 ? 20 : buf.len);
        int rc = bbi_chunkdir_decode(&c, type, n, back, NULL, &err);
        assert_true(rc == BB_OK || rc == BB_ECORRUPT);
        (void)(set_kernel(round % 3) || set_kernel(0));
        for (size_t i = 0; rc == BB_OK && i < n; i++) {
            accepted++;
            uint8_t *payload = malloc(back[i].payload_bytes + (size_t)BBI_CODEC_PAD);
            assert_non_null(payload);
            for (size_t b = 0; b < back[i].payload_bytes + (size_t)BBI_CODEC_PAD; b++) {
                payload[b] = (uint8_t)codec_random_u64(&rng);
            }
            use_hostile_chunk(type, &back[i], payload);
            free(payload);
        }
        bbi_buf_fini(&buf);
    }
    printf("%zu hostile entries passed the directory's checks\n", accepted);
    assert_true(accepted > 100);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    struct bb_error err;
    struct bbi_chunk c;
    struct bbi_buf buf;
    static uint64_t many[BBI_CHUNK_MAX + 1];
    bbi_buf_init(&buf, NULL, 1 << 20);
    assert_int_equal(bbi_chunk_encode(BBI_FLOAT, many, BBI_CHUNK_MAX + 1, &c, &buf, scratch, &err),
                     BB_EINVAL);
    assert_int_equal(bbi_chunk_encode(BBI_FLOAT, many, 0, &c, &buf, scratch, &err), BB_EINVAL);
    assert_int_equal(bbi_chunk_encode(BBI_STRING, many, 1, &c, &buf, scratch, &err), BB_EINVAL);
    many[3] = 2;
    assert_int_equal(bbi_chunk_encode(BBI_BOOL, many, 5, &c, &buf, scratch, &err), BB_EINVAL);
    assert_int_equal(bbi_chunk_encode(BBI_INT, many, 5, &c, &buf, scratch, &err), BB_OK);
    bbi_buf_zero(&buf, BBI_CODEC_PAD);
    assert_int_equal(bbi_chunk_decode(BBI_INT, &c, buf.data, 4, 3, decoded, &err), BB_EINVAL);
    assert_int_equal(bbi_chunk_decode(BBI_INT, &c, buf.data, 0, 6, decoded, &err), BB_EINVAL);
    bbi_buf_fini(&buf);

    bbi_buf_init(&buf, NULL, 4);
    for (size_t i = 0; i < 100; i++) {
        many[i] = codec_random_u64(&rng);
    }
    assert_int_equal(bbi_chunk_encode(BBI_INT, many, 100, &c, &buf, scratch, &err), BB_ELIMIT);
    bbi_buf_fini(&buf);
}

/* Directories need memory for their columns. */
static void directories_survive_want_of_memory(void **state)
{
    (void)state;
    struct bb_error err;
    struct bbi_chunk back = {.value_count = 64};
    struct bbi_buf buf;
    struct bbi_cursor c;
    codec_values(&rng, BBI_FLOAT, 1, values, 64);
    struct packed p = pack(BBI_FLOAT, 64);
    bbi_buf_init(&buf, NULL, 1 << 16);
    assert_non_null(bbi_buf_reserve(&buf, 1000));
    bbi_mem_fail_at(1);
    assert_int_equal(bbi_chunkdir_encode(BBI_FLOAT, &p.entry, 1, &buf, &err), BB_ENOMEM);
    bbi_mem_fail_at(0);
    assert_int_equal(bbi_chunkdir_encode(BBI_FLOAT, &p.entry, 1, &buf, &err), BB_OK);
    bbi_cursor_init(&c, buf.data, buf.len);
    bbi_mem_fail_at(1);
    assert_int_equal(bbi_chunkdir_decode(&c, BBI_FLOAT, 1, &back, NULL, &err), BB_ENOMEM);
    struct bbi_chunk_scratch *none = NULL;
    bbi_mem_fail_at(1);
    assert_null(bbi_chunk_scratch_create(NULL));
    bbi_mem_fail_at(0);
    bbi_chunk_scratch_destroy(&none);
    free(p.payload);
    bbi_buf_fini(&buf);
}

static size_t bytes_of(enum bbi_type type, size_t n)
{
    struct packed p = pack(type, n);
    free(p.payload);
    return p.entry.payload_bytes;
}

static void sizes_are_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1024; i++) {
        values[i] = codec_bits_of(0.25);
    }
    assert_int_equal(bytes_of(BBI_FLOAT, 1024), 0);
    for (size_t i = 0; i < 1024; i++) {
        values[i] = codec_bits_of((double)(i * 25) / 100);
    }
    assert_int_equal(bytes_of(BBI_FLOAT, 1024), 0);
    for (size_t i = 0; i < 1024; i++) {
        values[i] = codec_bits_of((double)codec_random_below(&rng, 1024) / 500);
    }
    assert_true(bytes_of(BBI_FLOAT, 1024) <= 1280);
    values[100] = codec_bits_of(-0.0);
    values[200] = codec_bits_of(NAN);
    assert_true(bytes_of(BBI_FLOAT, 1024) <= 1280 + 20);
    for (size_t i = 0; i < 1024; i++) {
        values[i] = codec_random_below(&rng, 2);
    }
    assert_true(bytes_of(BBI_BOOL, 1024) <= 128);
    for (size_t i = 0; i < 1024; i++) {
        values[i] = i > 300;
    }
    assert_true(bytes_of(BBI_BOOL, 1024) <= 4);
}

static int set_up(void **state)
{
    (void)state;
    codec_random_init(&rng);
    scratch = bbi_chunk_scratch_create(NULL);
    return scratch == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    bbi_chunk_scratch_destroy(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_comes_back),
        cmocka_unit_test(kernels_write_the_same_bytes),
        cmocka_unit_test(directories_bring_entries_back),
        cmocka_unit_test(damaged_payloads_stay_inside),
        cmocka_unit_test(hostile_directories_stay_inside),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(directories_survive_want_of_memory),
        cmocka_unit_test(sizes_are_small),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
