/*
 * docs/format/codec.md taken at its word: payloads and directories are put together here bit by bit
 * as the page says, and every kernel must read them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/codec/chunk.h"
#include "engine/codec/intcol.h"
#include "engine/codec/strings.h"

static uint8_t page[4096];
static size_t page_bits;
static uint64_t decoded[BBI_CHUNK_MAX];

static void begin(void)
{
    memset(page, 0, sizeof(page));
    page_bits = 0;
}

static void put(uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++, page_bits++) {
        page[page_bits / 8] |= (uint8_t)((value >> i & 1) << (page_bits % 8));
    }
}

static void bytes(size_t n, const uint8_t *list)
{
    for (size_t i = 0; i < n; i++) {
        put(list[i], 8);
    }
}

#define BYTES(...) bytes(sizeof((uint8_t[]){__VA_ARGS__}), (const uint8_t[]){__VA_ARGS__})

/* One entry from the directory in `page`, which it must fill. */
static struct bbi_chunk entry(enum bbi_type type, uint16_t value_count)
{
    struct bb_error err;
    struct bbi_cursor c;
    struct bbi_chunk chunk = {.value_count = value_count};
    bbi_cursor_init(&c, page, page_bits / 8);
    if (bbi_chunkdir_decode(&c, type, 1, &chunk, NULL, &err) != BB_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(bbi_cursor_left(&c), 0);
    return chunk;
}

static void check_values(enum bbi_type type, const struct bbi_chunk *chunk, const void *want)
{
    struct bb_error err;
    assert_int_equal(chunk->payload_bytes, (page_bits + 7) / 8);
    for (int k = BBI_KERNEL_C; k <= BBI_KERNEL_AVX512; k++) {
        if (!bbi_codec_set_kernel((enum bbi_codec_kernel)k)) {
            continue;
        }
        if (bbi_chunk_decode(type, chunk, page, 0, chunk->value_count, decoded, &err) != BB_OK) {
            fail_msg("%s", err.text);
        }
        assert_memory_equal(decoded, want, chunk->value_count * sizeof(uint64_t));
    }
}

static void check_column(size_t n, const uint64_t *want)
{
    struct bb_error err;
    struct bbi_cursor c;
    bbi_cursor_init(&c, page, page_bits / 8);
    assert_int_equal(bbi_intcol_decode(&c, n, decoded, &err), BB_OK);
    assert_int_equal(bbi_cursor_left(&c), 0);
    assert_memory_equal(decoded, want, n * sizeof(*want));
}

static void integer_columns(void **state)
{
    (void)state;
    begin();
    BYTES(0);
    check_column(3, (const uint64_t[]){0, 0, 0});

    /* plain, width 3, base 300 */
    begin();
    BYTES(1 + 3, 0xac, 0x02);
    put(5, 3);
    put(0, 3);
    put(7, 3);
    put(0, 7);
    check_column(3, (const uint64_t[]){305, 300, 307});

    /* delta, width 1, first 9, base -1 */
    begin();
    BYTES(66 + 1, 9, 1);
    put(0, 1);
    put(1, 1);
    put(0, 6);
    check_column(3, (const uint64_t[]){9, 8, 8});

    /* delta of delta, width 0, first 1, step 2, base 3: 1, 3, 8, 16 */
    begin();
    BYTES(131, 1, 4, 6);
    check_column(4, (const uint64_t[]){1, 3, 8, 16});

    /* patched plain, width 0, one patch, base 4: index 2 has 10 above no low bits */
    begin();
    BYTES(196, 0, 1, 4, 1, 2, 1, 10);
    check_column(4, (const uint64_t[]){4, 4, 14, 4});
}

static void packed_decimals_with_exceptions(void **state)
{
    (void)state;
    const double want[5] = {0.125, 0.13, -0.0, 0.14, 0.125};
    begin();
    /* mode 1, exponent 3, 1 exception of width 64, coding 1, transform 0, gcd 5, no dictionary,
     * base 25 (zigzag 50), width 2 */
    BYTES(1, 1, 1, 3, 1, 1, 1, 64, 1, 1, 0, 1, 5, 0, 1, 50, 1, 2);
    struct bbi_chunk chunk = entry(BBI_FLOAT, 5);
    begin();
    put(2, 3);
    put(UINT64_C(1) << 63, 64);
    put(0, 2);
    put(1, 2);
    put(0, 2);
    put(3, 2);
    put(0, 2);
    check_values(BBI_FLOAT, &chunk, want);
}

static void nudged_decimals(void **state)
{
    (void)state;
    const double want[3] = {0.1, 0.30000000000000004, 0.2};
    begin();
    /* mode 1, exponent 1, 1 exception of width 2, coding 1, transform 0, gcd 1, no dictionary,
     * base 1, width 2 */
    BYTES(1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 0, 1, 1, 0, 1, 2, 1, 2);
    struct bbi_chunk chunk = entry(BBI_FLOAT, 3);
    begin();
    put(1, 2);
    put(2, 2);
    put(0, 2);
    put(2, 2);
    put(1, 2);
    check_values(BBI_FLOAT, &chunk, want);
}

/* Seven int64 in groups of two, the last alone; layers of 2, 3 and 8 bits. */
static void layers(void **state)
{
    (void)state;
    const int64_t want[7] = {-10, -7, -6 + 4 * 5, -9, -10 + 32 * 200, -10 + 2 + 4 * 7, -8 + 4};
    begin();
    /* coding 3, transform 0, gcd 1, no dictionary, base -10, widths 2 3 8, w3 0, group log 1, and
     * 5 bytes beyond the 2 of layer 0 */
    BYTES(1, 3, 0, 1, 1, 0, 1, 19, 1, 2, 1, 3, 1, 8, 0, 1, 1, 1, 5);
    struct bbi_chunk chunk = entry(BBI_INT, 7);
    begin();
    const uint64_t residual[7] = {0, 3, 24, 1, 6400, 30, 6};
    for (size_t i = 0; i < 7; i++) {
        put(residual[i] & 3, 2);
    }
    /* groups {0,1} {2,3} {4,5} {6}: all but the first have more */
    put(0xe, 4);
    for (size_t i = 2; i < 7; i++) {
        put(residual[i] >> 2 & 7, 3);
    }
    put(0, 3);
    /* of these groups the second has still more */
    put(2, 3);
    put(200, 8);
    put(0, 8);
    check_values(BBI_INT, &chunk, want);
}

static void patched_deltas(void **state)
{
    (void)state;
    const uint64_t want[6] = {100, 101, 103, 106, 1000, 1001};
    begin();
    /* coding 2, transform 1, gcd 1, no dictionary, base 1, first 100, widths 2 and 9, 1 patch */
    BYTES(1, 2, 1, 1, 1, 1, 0, 1, 2, 1, 100, 1, 2, 1, 9, 1, 1);
    struct bbi_chunk chunk = entry(BBI_UINT, 6);
    begin();
    const uint64_t residual[5] = {0, 1, 2, 893, 0};
    for (size_t i = 0; i < 5; i++) {
        put(residual[i] & 3, 2);
    }
    put(3, 3);
    put(893 >> 2, 9);
    check_values(BBI_UINT, &chunk, want);
}

static void runs_of_bools(void **state)
{
    (void)state;
    const uint64_t want[9] = {1, 1, 1, 1, 0, 0, 0, 0, 1};
    begin();
    /* coding 4, transform 0, gcd 1, no dictionary, base 0, widths 1 and 2, 3 runs */
    BYTES(1, 4, 0, 1, 1, 0, 0, 1, 1, 1, 2, 1, 3);
    struct bbi_chunk chunk = entry(BBI_BOOL, 9);
    begin();
    put(1, 1);
    put(0, 1);
    put(1, 1);
    put(3, 2);
    put(3, 2);
    put(0, 2);
    check_values(BBI_BOOL, &chunk, want);
}

static void a_dictionary_under_zigzag_deltas(void **state)
{
    (void)state;
    const int64_t want[5] = {70, -5, 1000, 70, 70};
    begin();
    /* coding 1, transform 2, gcd 1, 3 words, gaps of 10 bits, word -5, first code 1, width 3 */
    BYTES(1, 1, 1, 2, 1, 1, 1, 3, 1, 10, 1, 9, 1, 2, 1, 3);
    struct bbi_chunk chunk = entry(BBI_INT, 5);
    begin();
    put(74, 10);
    put(929, 10);
    put(1, 3);
    put(4, 3);
    put(1, 3);
    put(0, 3);
    check_values(BBI_INT, &chunk, want);
}

static void strings(void **state)
{
    (void)state;
    struct bb_error err;
    struct bbi_strings *s;
    begin();
    /* dictionary of 2 words, codes 0 1 1 of one bit, lengths 2 and 3 */
    BYTES(1, 2, 1 + 1, 0, 6, 1 + 1, 2, 2, 'o', 'k', 'b', 'a', 'd');
    assert_int_equal(bbi_strings_open(&s, page, page_bits / 8, 3, NULL, &err), BB_OK);
    struct bbi_string first = bbi_strings_get(s, 0);
    struct bbi_string last = bbi_strings_get(s, 2);
    assert_int_equal(first.len, 2);
    assert_memory_equal(first.ptr, "ok", 2);
    assert_int_equal(last.len, 3);
    assert_memory_equal(last.ptr, "bad", 3);
    bbi_strings_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_columns),
        cmocka_unit_test(packed_decimals_with_exceptions),
        cmocka_unit_test(nudged_decimals),
        cmocka_unit_test(layers),
        cmocka_unit_test(patched_deltas),
        cmocka_unit_test(runs_of_bools),
        cmocka_unit_test(a_dictionary_under_zigzag_deltas),
        cmocka_unit_test(strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
