/*
 * Time grids: what goes in comes out, look-ups agree with a plain search, regular times cost
 * nothing, damage is an error or another rising sequence and never a fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/batch.h"
#include "engine/codec/time.h"
#include "tests/unit/codec_random.h"

#define MINUTE    INT64_C(60000000000)
#define HALF_HOUR (30 * MINUTE)
#define START     INT64_C(1235865600000000000)

static struct codec_random rnd;
static int64_t times[BBI_TIMES_ROWS_MAX];
static uint16_t rows[BBI_TIMES_ROWS_MAX];

/* The encoded page in a block of its exact size, so that a sanitizer sees reads behind it. */
struct page {
    uint8_t *data;
    size_t len;
    size_t chunk_count;
};

static struct page encode(size_t chunk_count)
{
    struct bbi_buf buf;
    struct bb_error err;
    bbi_buf_init(&buf, NULL, 1 << 24);
    assert_int_equal(bbi_times_encode(times, rows, chunk_count, &buf, NULL, &err), BB_OK);
    struct page page = {malloc(buf.len), buf.len, chunk_count};
    assert_non_null(page.data);
    memcpy(page.data, buf.data, buf.len);
    bbi_buf_fini(&buf);
    return page;
}

static int open_page(struct bbi_times *t, const struct page *page, struct bb_error *err)
{
    struct bbi_cursor c;
    bbi_cursor_init(&c, page->data, page->len);
    int code = bbi_times_open(t, &c, rows, page->chunk_count, err);
    if (code == BB_OK) {
        assert_int_equal(bbi_cursor_left(&c), 0);
    }
    return code;
}

static void check_window(struct bbi_times *t, size_t chunk, const int64_t *expected, size_t from,
                         size_t to)
{
    int64_t out[BBI_TIMES_CHUNK_MAX];
    struct bb_error err;
    assert_int_equal(bbi_times_decode(t, chunk, from, to, out, &err), BB_OK);
    assert_memory_equal(out, expected + from, (to - from) * sizeof(out[0]));
}

static void check_lower_bound(struct bbi_times *t, size_t chunk, const int64_t *expected,
                              int64_t time)
{
    size_t want = 0;
    while (want < rows[chunk] && expected[want] < time) {
        want++;
    }
    size_t row = SIZE_MAX;
    struct bb_error err;
    assert_int_equal(bbi_times_lower_bound(t, chunk, time, &row, &err), BB_OK);
    assert_int_equal(row, want);
}

static void check_chunk(struct bbi_times *t, size_t chunk, const int64_t *expected)
{
    size_t n = rows[chunk];
    assert_true(t->first[chunk] == expected[0]);
    assert_true(t->last[chunk] == expected[n - 1]);
    bool regular = true;
    for (size_t i = 2; i < n; i++) {
        regular &= (uint64_t)expected[i] - (uint64_t)expected[i - 1] ==
                   (uint64_t)expected[1] - (uint64_t)expected[0];
    }
    int64_t t0 = 0;
    uint64_t step = 0;
    assert_int_equal(bbi_times_regular(t, chunk, &t0, &step), regular);
    if (regular) {
        assert_true(t0 == expected[0] && step >= 1);
        assert_true(n == 1 || step == (uint64_t)expected[1] - (uint64_t)expected[0]);
    }
    check_window(t, chunk, expected, 0, n);
    size_t from = codec_random_below(&rnd, n + 1);
    check_window(t, chunk, expected, from, from + codec_random_below(&rnd, n - from + 1));
    for (int i = 0; i < 4; i++) {
        int64_t near = expected[codec_random_below(&rnd, n)];
        check_lower_bound(t, chunk, expected, near);
        check_lower_bound(t, chunk, expected, near == INT64_MAX ? near : near + 1);
        check_lower_bound(t, chunk, expected, near == INT64_MIN ? near : near - 1);
    }
    check_lower_bound(t, chunk, expected, (int64_t)codec_random_u64(&rnd));
    check_lower_bound(t, chunk, expected, INT64_MIN);
    check_lower_bound(t, chunk, expected, INT64_MAX);
}

/* Encode, open, compare; returns the size. */
static size_t round_trip(size_t chunk_count)
{
    struct page page = encode(chunk_count);
    struct bbi_times t;
    struct bb_error err;
    bbi_times_init(&t, NULL);
    assert_int_equal(open_page(&t, &page, &err), BB_OK);
    size_t at = 0;
    for (size_t c = 0; c < chunk_count; c++) {
        check_chunk(&t, c, times + at);
        at += rows[c];
    }
    /* Again from behind: blocks of shapes are unpacked in any order. */
    for (size_t c = chunk_count; c-- > 0;) {
        at -= rows[c];
        check_window(&t, c, times + at, 0, rows[c]);
    }
    bbi_times_fini(&t);
    free(page.data);
    return page.len;
}

/* ---- generators ---- */

static void fill_regular(size_t chunk_count, uint16_t n, int64_t step)
{
    for (size_t c = 0; c < chunk_count; c++) {
        rows[c] = n;
        for (size_t i = 0; i < n; i++) {
            times[c * n + i] = START + (int64_t)i * step;
        }
    }
}

enum style {
    REGULAR,
    OTHER_START,
    OTHER_STEP,
    GAPS,
    FEW_LATE,
    MS_JITTER,
    NS_RANDOM,
    SHARED_JITTER,
    EXTREME,
    HOURLY_AND_EARLY,
    STYLE_COUNT
};

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static size_t sort_unique(int64_t *t, size_t n)
{
    qsort(t, n, sizeof(*t), compare_times);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++) {
        if (t[i] != t[kept - 1]) {
            t[kept++] = t[i];
        }
    }
    return kept;
}

/* Times of one chunk of up to n rows. Returns how many. */
static size_t fill_chunk(int64_t *t, size_t n, enum style style)
{
    int64_t at = START +
                 (style == OTHER_START ? (int64_t)codec_random_below(&rnd, 1000) * MINUTE : 0);
    int64_t step = style == OTHER_STEP ? 15 * MINUTE : HALF_HOUR;
    for (size_t i = 0; i < n; i++) {
        uint64_t r = codec_random_u64(&rnd);
        t[i] = at;
        at += step;
        switch (style) {
        case GAPS:
            at += r % 50 == 0 ? step * (int64_t)(1 + r / 50 % 7) : 0;
            break;
        case FEW_LATE:
            t[i] += r % 50 == 0 ? (int64_t)(r / 50 % 3000) * 1000000 : 0;
            break;
        case MS_JITTER:
            t[i] += (int64_t)(r % 3000) * 1000000;
            break;
        case SHARED_JITTER:
            t[i] += (int64_t)(i * 7919 % 3001) * 1000000;
            break;
        case NS_RANDOM:
            t[i] = START + (int64_t)(r >> 8);
            break;
        case EXTREME:
            t[i] = i == 0 ? BBI_TIME_MIN : i == 1 ? BBI_TIME_MAX : (int64_t)r;
            break;
        case HOURLY_AND_EARLY:
            t[i] = START + 51 * MINUTE + (int64_t)i * 60 * MINUTE -
                   (r % 9 == 0 ? (int64_t)(r / 9 % 50) * MINUTE : 0);
            break;
        default:
            break;
        }
    }
    return sort_unique(t, n);
}

/* A random page. Returns the count of its chunks. */
static size_t fill_random(size_t row_limit)
{
    size_t used = 0;
    size_t chunks = 0;
    bool mixed = codec_random_below(&rnd, 2) == 0;
    enum style style = (enum style)codec_random_below(&rnd, STYLE_COUNT);
    size_t most = (size_t)1 << codec_random_below(&rnd, 11);
    while (used < row_limit && codec_random_below(&rnd, 300) != 0) {
        size_t n = 1 + codec_random_below(&rnd, most);
        n = n < row_limit - used ? n : row_limit - used;
        style = mixed ? (enum style)codec_random_below(&rnd, STYLE_COUNT) : style;
        rows[chunks] = (uint16_t)fill_chunk(times + used, n, style);
        used += rows[chunks++];
    }
    if (chunks == 0) {
        rows[chunks++] = (uint16_t)fill_chunk(times, 1, style);
    }
    return chunks;
}

/* ---- tests ---- */

static void test_random_pages_round_trip(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        round_trip(fill_random(1 + codec_random_below(&rnd, 32768)));
    }
    for (int style = 0; style < STYLE_COUNT; style++) {
        for (size_t n = 1; n <= 1024; n += n < 9 ? 1 : 203) {
            rows[0] = (uint16_t)fill_chunk(times, n, (enum style)style);
            round_trip(1);
        }
    }
}

static void test_edges_of_int64(void **state)
{
    (void)state;
    rows[0] = 2;
    times[0] = INT64_MIN;
    times[1] = INT64_MAX;
    round_trip(1);
    rows[0] = 3;
    times[1] = 0;
    times[2] = INT64_MAX;
    round_trip(1);
    times[1] = INT64_MIN + 1;
    round_trip(1);
    times[1] = INT64_MAX - 1;
    round_trip(1);
    rows[0] = rows[1] = rows[2] = 1;
    times[1] = INT64_MAX;
    times[2] = -1;
    round_trip(3);
    rows[0] = 1024;
    for (size_t i = 0; i < 1024; i++) {
        times[i] = (int64_t)((uint64_t)INT64_MIN + i * (UINT64_MAX / 1024));
    }
    round_trip(1);
    times[1]++;
    round_trip(1);
}

static void test_every_row_its_own_chunk(void **state)
{
    (void)state;
    for (size_t i = 0; i < BBI_TIMES_ROWS_MAX; i++) {
        rows[i] = 1;
        times[i] = (int64_t)codec_random_u64(&rnd);
    }
    round_trip(BBI_TIMES_ROWS_MAX);
}

static void test_regular_times_cost_nothing(void **state)
{
    (void)state;
    fill_regular(97, 336, HALF_HOUR);
    size_t base = round_trip(97);
    print_message("97 regular chunks of 336 rows: %zu bytes\n", base);
    assert_in_range(base, 1, 24);

    /* One meter misses three readings. */
    for (size_t i = 100; i < 336; i++) {
        times[40 * 336 + i] += 3 * HALF_HOUR;
    }
    size_t gap = round_trip(97);
    print_message("one of them with a gap: %zu bytes\n", gap);
    assert_in_range(gap, base, base + 32);

    /* A long series, chunk after chunk. */
    for (size_t i = 0; i < 32768; i++) {
        times[i] = START + (int64_t)i * HALF_HOUR;
        rows[i / 1024] = 1024;
    }
    size_t series = round_trip(32);
    print_message("32 chunks of one series: %zu bytes\n", series);
    assert_in_range(series, 1, 32);
}

/* The study's table: 1,024-row chunks, bytes per row. */
static void check_bytes_per_row(const char *what, enum style style, double most)
{
    size_t used = 0;
    for (size_t c = 0; c < 32; c++) {
        rows[c] = (uint16_t)fill_chunk(times + used, 1024, style);
        used += rows[c];
    }
    double bytes = (double)round_trip(32) / (double)used;
    print_message("%s: %.4f bytes per row\n", what, bytes);
    assert_true(bytes <= most);
}

static void test_irregular_times_cost_what_they_say(void **state)
{
    (void)state;
    check_bytes_per_row("2 % gaps", GAPS, 0.05);
    check_bytes_per_row("2 % late by up to 3 s", FEW_LATE, 0.075);
    check_bytes_per_row("jitter of 0-3 s in ms", MS_JITTER, 1.53);
    check_bytes_per_row("the same jitter for all", SHARED_JITTER, 0.06);
    check_bytes_per_row("hourly, a ninth early", HOURLY_AND_EARLY, 0.30);
}

static void test_refuses_bad_input(void **state)
{
    (void)state;
    struct bbi_buf buf;
    struct bb_error err;
    bbi_buf_init(&buf, NULL, 1 << 20);
    rows[0] = 0;
    assert_int_equal(bbi_times_encode(times, rows, 1, &buf, NULL, &err), BB_EINVAL);
    rows[0] = 1025;
    assert_int_equal(bbi_times_encode(times, rows, 1, &buf, NULL, &err), BB_EINVAL);
    assert_int_equal(bbi_times_encode(times, rows, 0, &buf, NULL, &err), BB_EINVAL);
    rows[0] = 2;
    times[0] = times[1] = 7;
    assert_int_equal(bbi_times_encode(times, rows, 1, &buf, NULL, &err), BB_EINVAL);
    times[1] = 6;
    assert_int_equal(bbi_times_encode(times, rows, 1, &buf, NULL, &err), BB_EINVAL);
    times[1] = 8;
    assert_int_equal(bbi_times_encode(times, rows, 1, &buf, NULL, &err), BB_OK);
    bbi_buf_fini(&buf);
    bbi_buf_init(&buf, NULL, 8);
    assert_int_equal(bbi_times_encode(times, rows, 1, &buf, NULL, &err), BB_ELIMIT);
    bbi_buf_fini(&buf);
}

/* Whatever the bytes say, times that come out rise and agree with first and last. */
static void read_damaged(struct bbi_times *t, const struct page *page)
{
    struct bb_error err = {.code = BB_OK};
    struct bbi_cursor c;
    bbi_cursor_init(&c, page->data, page->len);
    if (bbi_times_open(t, &c, rows, page->chunk_count, &err) != BB_OK) {
        assert_int_equal(err.code, BB_ECORRUPT);
        return;
    }
    int64_t out[BBI_TIMES_CHUNK_MAX];
    for (size_t i = 0; i < page->chunk_count; i++) {
        int code = bbi_times_decode(t, i, 0, rows[i], out, &err);
        if (code != BB_OK) {
            assert_int_equal(code, BB_ECORRUPT);
            continue;
        }
        assert_true(out[0] == t->first[i] && out[rows[i] - 1] == t->last[i]);
        for (size_t k = 1; k < rows[i]; k++) {
            assert_true(out[k] > out[k - 1]);
        }
        size_t row = 0;
        assert_int_equal(bbi_times_lower_bound(t, i, out[rows[i] / 2], &row, &err), BB_OK);
        assert_int_equal(row, rows[i] / 2);
    }
}

static void test_damage_is_noticed_or_harmless(void **state)
{
    (void)state;
    struct bbi_times t;
    bbi_times_init(&t, NULL);
    for (int round = 0; round < 40; round++) {
        struct page page = encode(fill_random(400));
        for (size_t i = 0; i < page.len; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                page.data[i] = (uint8_t)(page.data[i] ^ 1u << bit);
                read_damaged(&t, &page);
                page.data[i] = (uint8_t)(page.data[i] ^ 1u << bit);
            }
        }
        for (size_t len = 0; len < page.len; len++) {
            struct page cut = {malloc(len + 1), len, page.chunk_count};
            assert_non_null(cut.data);
            memcpy(cut.data, page.data, len);
            read_damaged(&t, &cut);
            free(cut.data);
        }
        free(page.data);
    }
    bbi_times_fini(&t);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    size_t used = 0;
    size_t chunks = 0;
    for (int style = 0; style < STYLE_COUNT; style++) {
        rows[chunks] = (uint16_t)fill_chunk(times + used, 600, (enum style)style);
        used += rows[chunks++];
    }
    struct bbi_account acct;
    bbi_account_init(&acct, "times", 0, NULL);
    int code = BB_ENOMEM;
    for (uint64_t n = 1; code != BB_OK; n++) {
        struct bbi_buf buf;
        struct bbi_times t;
        struct bb_error err;
        int64_t out[BBI_TIMES_CHUNK_MAX];
        bbi_buf_init(&buf, &acct, 1 << 20);
        bbi_times_init(&t, &acct);
        bbi_mem_fail_at(n);
        code = bbi_times_encode(times, rows, chunks, &buf, &acct, &err);
        if (code == BB_OK) {
            struct bbi_cursor c;
            bbi_cursor_init(&c, buf.data, buf.len);
            code = bbi_times_open(&t, &c, rows, chunks, &err);
        }
        for (size_t i = 0; code == BB_OK && i < chunks; i++) {
            code = bbi_times_decode(&t, i, 0, rows[i], out, &err);
        }
        bool failed = bbi_mem_requests() >= n;
        bbi_mem_fail_at(0);
        assert_int_equal(code, failed ? BB_ENOMEM : BB_OK);
        bbi_times_fini(&t);
        bbi_buf_fini(&buf);
        assert_int_equal(acct.used_bytes, 0);
    }
}

int main(void)
{
    codec_random_init(&rnd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_pages_round_trip),
        cmocka_unit_test(test_edges_of_int64),
        cmocka_unit_test(test_every_row_its_own_chunk),
        cmocka_unit_test(test_regular_times_cost_nothing),
        cmocka_unit_test(test_irregular_times_cost_what_they_say),
        cmocka_unit_test(test_refuses_bad_input),
        cmocka_unit_test(test_damage_is_noticed_or_harmless),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
