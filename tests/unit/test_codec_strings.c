#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/codec/strings.h"
#include "tests/unit/codec_random.h"

#define COUNT 3000

static struct codec_random rng;
static struct bbi_string strings[BBI_STRINGS_COUNT_MAX + 1];
static char pool[1 << 20];

enum shape {
    FEW_WORDS,
    ONE_WORD,
    ALL_EMPTY,
    DISTINCT,
    RANDOM_BYTES,
    SENTENCES,
    SHAPE_COUNT
};

/* Fill strings[n] with texts of a shape, kept in pool. */
static void fill(enum shape shape, size_t n)
{
    static const char *const words[] = {"ok", "estimated", "", "substituted", "suspect", "missing"};
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        char *at = pool + used;
        size_t len = 0;
        switch (shape) {
        case FEW_WORDS:
            len = (size_t)sprintf(at, "%s", words[codec_random_below(&rng, 6)]);
            break;
        case ONE_WORD:
            len = (size_t)sprintf(at, "estimated");
            break;
        case ALL_EMPTY:
            break;
        case DISTINCT:
            len = (size_t)sprintf(at, "MTR-%08zu", i * 7);
            break;
        case RANDOM_BYTES:
            len = codec_random_below(&rng, 30);
            for (size_t b = 0; b < len; b++) {
                at[b] = (char)codec_random_u64(&rng);
            }
            break;
        default:
            len = (size_t)sprintf(at, "event %" PRIu64 ": voltage %s, code %zu",
                                  codec_random_below(&rng, 1000), i % 3 == 0 ? "sag" : "swell", i);
        }
        strings[i] = (struct bbi_string){len == 0 ? NULL : (const uint8_t *)at, (uint32_t)len};
        used += len + 1;
        assert_true(used + 100 < sizeof(pool));
    }
}

static bool equal(struct bbi_string a, struct bbi_string b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static size_t round_trip(size_t n)
{
    struct bb_error err;
    struct bbi_buf buf;
    struct bbi_strings *s;
    bbi_buf_init(&buf, NULL, 1 << 24);
    assert_int_equal(bbi_strings_encode(strings, n, &buf, NULL, &err), BB_OK);
    uint8_t *exact = malloc(buf.len);
    assert_non_null(exact);
    memcpy(exact, buf.data, buf.len);
    assert_int_equal(bbi_strings_open(&s, exact, buf.len, n, NULL, &err), BB_OK);
    free(exact);
    for (size_t i = 0; i < n; i++) {
        assert_true(equal(bbi_strings_get(s, i), strings[i]));
    }
    struct bbi_string some[8];
    size_t from = codec_random_below(&rng, n);
    size_t to = n - from < 8 ? n : from + 8;
    bbi_strings_range(s, from, to, some);
    for (size_t i = from; i < to; i++) {
        assert_true(equal(some[i - from], strings[i]));
    }
    bbi_strings_destroy(&s);
    assert_null(s);
    size_t size = buf.len;
    bbi_buf_fini(&buf);
    return size;
}

static void every_shape_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 17, 100, 1024, COUNT};
    for (size_t z = 0; z < sizeof(sizes) / sizeof(sizes[0]); z++) {
        for (int shape = 0; shape < SHAPE_COUNT; shape++) {
            fill((enum shape)shape, sizes[z]);
            round_trip(sizes[z]);
        }
    }
}

static void sizes_are_small(void **state)
{
    (void)state;
    fill(ONE_WORD, COUNT);
    assert_true(round_trip(COUNT) <= 16);
    fill(ALL_EMPTY, COUNT);
    assert_true(round_trip(COUNT) <= 8);
    fill(FEW_WORDS, COUNT);
    assert_true(round_trip(COUNT) <= COUNT * 3 / 8 + 60);
    fill(DISTINCT, COUNT);
    assert_true(round_trip(COUNT) <= COUNT * 4);
}

static void the_longest_and_the_most(void **state)
{
    (void)state;
    struct bb_error err;
    struct bbi_buf buf;
    memset(pool, 'x', sizeof(pool));
    for (size_t i = 0; i < 1025; i++) {
        pool[i] = (char)i;
        strings[i] = (struct bbi_string){(const uint8_t *)pool + i, BBI_STRINGS_LENGTH_MAX};
    }
    round_trip(3);
    bbi_buf_init(&buf, NULL, 1 << 28);
    assert_int_equal(bbi_strings_encode(strings, 1025, &buf, NULL, &err), BB_ELIMIT);
    strings[1].len = BBI_STRINGS_LENGTH_MAX + 1;
    assert_int_equal(bbi_strings_encode(strings, 2, &buf, NULL, &err), BB_ELIMIT);
    for (size_t i = 0; i <= BBI_STRINGS_COUNT_MAX; i++) {
        strings[i] = (struct bbi_string){(const uint8_t *)pool + i % 100, (uint32_t)i % 50};
    }
    assert_int_equal(bbi_strings_encode(strings, BBI_STRINGS_COUNT_MAX + 1, &buf, NULL, &err),
                     BB_ELIMIT);
    round_trip(BBI_STRINGS_COUNT_MAX);
    bbi_buf_fini(&buf);
}

static void damaged_columns_stay_inside(void **state)
{
    (void)state;
    struct bb_error err;
    for (int round = 0; round < 3000; round++) {
        size_t n = 1 + codec_random_below(&rng, 80);
        struct bbi_buf buf;
        struct bbi_strings *s;
        fill((enum shape)(round % SHAPE_COUNT), n);
        bbi_buf_init(&buf, NULL, 1 << 20);
        assert_int_equal(bbi_strings_encode(strings, n, &buf, NULL, &err), BB_OK);
        size_t len = round % 3 == 0 ? codec_random_below(&rng, buf.len) : buf.len;
        uint8_t *bytes = malloc(len + 1);
        assert_non_null(bytes);
        memcpy(bytes, buf.data, len);
        for (int flips = 0; round % 3 != 0 && flips < 3; flips++) {
            bytes[codec_random_below(&rng, len)] = (uint8_t)codec_random_u64(&rng);
        }
        int rc = bbi_strings_open(&s, bytes, len, n, NULL, &err);
        free(bytes);
        assert_true(rc == BB_OK || rc == BB_ECORRUPT);
        for (size_t i = 0; rc == BB_OK && i < n; i++) {
            struct bbi_string str = bbi_strings_get(s, i);
            assert_true(str.len <= BBI_STRINGS_LENGTH_MAX);
            assert_true(str.len == 0 || memchr(str.ptr, 0, str.len) != str.ptr - 1);
        }
        bbi_strings_destroy(&s);
        bbi_buf_fini(&buf);
    }
}

/* A few bytes that promise 64 MiB of text cost no more than the account allows. */
static void bombs_meet_the_account(void **state)
{
    (void)state;
    struct bb_error err;
    struct bbi_account small;
    struct bbi_strings *s;
    struct bbi_buf buf;
    bbi_account_init(&small, "small", 1 << 20, NULL);
    bbi_buf_init(&buf, NULL, 1000);
    bbi_buf_u8(&buf, 2);
    bbi_buf_u8(&buf, 1);
    bbi_buf_varint(&buf, 60000);
    bbi_buf_block(&buf, "not a frame", 11);
    assert_int_equal(bbi_strings_open(&s, buf.data, buf.len, 1000, &small, &err), BB_ENOMEM);
    assert_null(s);
    assert_int_equal(small.used_bytes, 0);
    bbi_buf_fini(&buf);
}

/* Every allocation fails once: an error, nothing leaked, and success at last. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct bb_error err;
    fill(SENTENCES, 500);
    for (int shape = 0; shape < 2; shape++) {
        fill(shape == 0 ? SENTENCES : FEW_WORDS, 500);
        struct bbi_account acct;
        bbi_account_init(&acct, "test", 0, NULL);
        int rc = BB_ENOMEM;
        for (uint64_t n = 1; rc != BB_OK; n++) {
            struct bbi_buf buf;
            struct bbi_strings *s = NULL;
            bbi_buf_init(&buf, &acct, 1 << 20);
            bbi_mem_fail_at(n);
            rc = bbi_strings_encode(strings, 500, &buf, &acct, &err);
            if (rc == BB_OK) {
                rc = bbi_strings_open(&s, buf.data, buf.len, 500, &acct, &err);
            }
            bbi_mem_fail_at(0);
            assert_true(rc == BB_OK || rc == BB_ENOMEM);
            bbi_strings_destroy(&s);
            bbi_buf_fini(&buf);
            assert_int_equal(acct.used_bytes, 0);
            assert_true(n < 100);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    codec_random_init(&rng);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_comes_back),   cmocka_unit_test(sizes_are_small),
        cmocka_unit_test(the_longest_and_the_most), cmocka_unit_test(damaged_columns_stay_inside),
        cmocka_unit_test(bombs_meet_the_account),   cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
