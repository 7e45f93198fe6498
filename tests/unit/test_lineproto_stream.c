#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/lineproto.h"
#include "tests/lib/rng.h"

#define NOW 1710511200123456789

static struct bbi_lp_field fields[2][BBI_LP_FIELDS_MAX];

static const char stream[] = "a,t=1 v=1 1\nb v=\"x\ny\" 2\r\n# c \"\n\nbad\nc\\\nd v=\"\\\"\" 3\n"
                             "e v=x\n f v=1i,w=t  4 \ng v=1";

/* Feed the stream in two pieces, cut anywhere; all lines come out as from one piece. */
static void any_cut_gives_the_same_lines(void **state)
{
    size_t size = sizeof(stream) - 1;
    (void)state;
    for (size_t cut = 0; cut <= size; cut++) {
        struct bbi_lp_parser whole;
        struct bbi_lp_parser piece;
        struct bbi_lp_line line[2];
        struct bb_error err[2];
        int rc;
        bbi_lp_init(&whole, fields[0], 1, NOW);
        bbi_lp_init(&piece, fields[1], 1, NOW);
        bbi_lp_feed(&whole, stream, size, true);
        bbi_lp_feed(&piece, stream, cut, false);
        do {
            rc = next_with_key(&whole, false, &line[0], &err[0]);
            int piece_rc = next_with_key(&piece, false, &line[1], &err[1]);
            if (piece_rc == BBI_LP_END && !piece.last) {
                size_t rest = bbi_lp_rest(&piece);
                assert_true(rest <= cut);
                bbi_lp_feed(&piece, stream + cut - rest, size - cut + rest, true);
                piece_rc = next_with_key(&piece, false, &line[1], &err[1]);
            }
            assert_int_equal(rc, piece_rc);
            assert_true(rc != BB_OK || same_line(&line[0], &line[1]));
            assert_true(rc != BB_EPARSE || strcmp(err[0].text, err[1].text) == 0);
        } while (rc != BBI_LP_END);
    }
}

/* One byte at a time, the rest carried along: nothing is lost, nothing comes twice. */
static void byte_by_byte(void **state)
{
    char carried[256];
    size_t held = 0;
    unsigned good = 0;
    unsigned bad = 0;
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    (void)state;
    bbi_lp_init(&p, fields[0], 1, NOW);
    for (size_t i = 0; i < sizeof(stream) - 1; i++) {
        carried[held++] = stream[i];
        bbi_lp_feed(&p, carried, held, i == sizeof(stream) - 2);
        for (int rc; (rc = bbi_lp_next(&p, &line, &err)) != BBI_LP_END;) {
            good += rc == BB_OK;
            bad += rc == BB_EPARSE;
        }
        size_t rest = bbi_lp_rest(&p);
        memmove(carried, carried + held - rest, rest);
        held = rest;
    }
    assert_int_equal(good, 5);
    assert_int_equal(bad, 2);
}

/* Any garble of good lines: the fast half never says anything the strict half does not. */
static void fast_and_strict_agree(void **state)
{
    static const char *const seeds[] = {
        "m,a=b,c=d v=1,w=\"x y\",z=t 123\n",
        "reading,device_id=MTR-1 value=0.123 1710511200000000000\r\n",
        "m\\ x,a\\,b=c\\=d \"f\"=1i,g\\ h=\"a\\\"b\\\\c\" -5\nn v=1e5,w=-.5,x=FALSE",
        "n v=\"a\nb\",u=18446744073709551615u 5\n# c\n\no v=0.30000000000000004",
    };
    static const char alphabet[] = ", =\"\\\n1ie-.ta#\t+Nu\r";
    struct rng rng = rng_from_env();
    (void)state;
    for (int round = 0; round < 100000; round++) {
        char text[256];
        const char *seed = seeds[rng_below(&rng, sizeof(seeds) / sizeof(seeds[0]))];
        size_t length = strlen(seed);
        memcpy(text, seed, length);
        for (uint64_t edits = rng_below(&rng, 4); edits > 0; edits--) {
            size_t at = (size_t)rng_below(&rng, length);
            if (rng_one_in(&rng, 2)) {
                memmove(text + at + 1, text + at, length - at);
                length++;
            }
            text[at] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        }
        struct bbi_lp_parser p[2];
        struct bbi_lp_line line[2];
        struct bb_error err[2];
        int rc;
        for (int i = 0; i < 2; i++) {
            bbi_lp_init(&p[i], fields[i], 1, NOW);
            bbi_lp_feed(&p[i], text, length, true);
        }
        do {
            rc = next_with_key(&p[0], false, &line[0], &err[0]);
            int strict_rc = next_with_key(&p[1], true, &line[1], &err[1]);
            if (rc != strict_rc || (rc == BB_OK && !same_line(&line[0], &line[1])) ||
                (rc == BB_EPARSE && strcmp(err[0].text, err[1].text) != 0)) {
                fail_msg("'%.*s'", (int)length, text);
            }
        } while (rc != BBI_LP_END);
    }
}

/* Text of a line with one string of `length` bytes. */
static size_t long_string_line(char *text, size_t length)
{
    memcpy(text, "m v=\"", 5);
    memset(text + 5, 'x', length);
    memcpy(text + 5 + length, "\" 5\n", 4);
    return length + 9;
}

static void strings_have_a_limit(void **state)
{
    static char text[BBI_LP_STRING_MAX + 64];
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    (void)state;
    bbi_lp_init(&p, fields[0], 1, NOW);
    bbi_lp_feed(&p, text, long_string_line(text, BBI_LP_STRING_MAX), true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_OK);
    assert_int_equal(line.fields[0].length, BBI_LP_STRING_MAX);
    bbi_lp_feed(&p, text, long_string_line(text, BBI_LP_STRING_MAX + 1), true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_EPARSE);
    assert_string_equal(err.text, "max string length exceeded: 65536 > 65535");
    assert_int_equal(bbi_lp_next(&p, &line, &err), BBI_LP_END);
}

static size_t many_fields_line(char *text, size_t size, unsigned count)
{
    size_t length = (size_t)snprintf(text, size, "m ");
    for (unsigned i = 0; i < count; i++) {
        length += (size_t)snprintf(text + length, size - length, "%sf%u=%u", i == 0 ? "" : ",", i,
                                   i);
    }
    return length;
}

static void fields_have_a_limit(void **state)
{
    static char text[BBI_LP_FIELDS_MAX * 20];
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    (void)state;
    bbi_lp_init(&p, fields[0], 1, NOW);
    bbi_lp_feed(&p, text, many_fields_line(text, sizeof(text), BBI_LP_FIELDS_MAX), true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_OK);
    assert_int_equal(line.field_count, BBI_LP_FIELDS_MAX);
    bbi_lp_feed(&p, text, many_fields_line(text, sizeof(text), BBI_LP_FIELDS_MAX + 1), true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_EPARSE);
    assert_string_equal(err.text, "max field count exceeded: more than 1024");
}

static void keys_and_names_have_a_limit(void **state)
{
    static char text[BBI_LP_KEY_MAX + 64];
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    (void)state;
    memset(text, 'k', sizeof(text));
    bbi_lp_init(&p, fields[0], 1, NOW);
    memcpy(text + BBI_LP_KEY_MAX - 5, " v=1", 4);
    bbi_lp_feed(&p, text, BBI_LP_KEY_MAX - 1, true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_OK);
    memset(text, 'k', sizeof(text));
    memcpy(text + BBI_LP_KEY_MAX - 4, " v=1", 4);
    bbi_lp_feed(&p, text, BBI_LP_KEY_MAX, true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_EPARSE);
    assert_string_equal(err.text, "max key length exceeded: 65536 > 65535");
    memset(text, 'k', sizeof(text));
    memcpy(text + BBI_LP_KEY_MAX + 1, " v=1", 4);
    bbi_lp_feed(&p, text, BBI_LP_KEY_MAX + 5, true);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_EPARSE);
    assert_string_equal(err.text, "max key length exceeded: 65536 > 65535");
}

/* An open quote swallows what follows; when that is too much only its own line is lost. */
static void a_swallowed_line_comes_back(void **state)
{
    size_t size = BBI_LP_LINE_MAX + 100000;
    char *text = malloc(size);
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    unsigned good = 0;
    (void)state;
    assert_non_null(text);
    memcpy(text, "m v=\"\n", 6);
    for (size_t at = 6; at < size; at += 6) {
        memcpy(text + at, "n v=1\n", size - at < 6 ? size - at : 6);
    }
    bbi_lp_init(&p, fields[0], 1, NOW);
    bbi_lp_feed(&p, text, size, false);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_EPARSE);
    assert_string_equal(err.text, "max line length exceeded: more than 1048576 bytes");
    assert_int_equal(line.length, 5);
    for (int rc; (rc = bbi_lp_next(&p, &line, &err)) != BBI_LP_END; good++) {
        assert_int_equal(rc, BB_OK);
        assert_int_equal(line.line_number, good + 2);
    }
    assert_int_equal(good, (size - 6) / 6);
    assert_int_equal(bbi_lp_rest(&p), (size - 6) % 6);
    free(text);
}

/* A line beyond the limit, over several pieces: refused once, then skipped to its end. */
static void an_endless_line_is_skipped(void **state)
{
    size_t size = BBI_LP_LINE_MAX + 2;
    char *text = malloc(size);
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    (void)state;
    assert_non_null(text);
    memset(text, 'x', size);
    bbi_lp_init(&p, fields[0], 1, NOW);
    bbi_lp_feed(&p, text, size - 2, false);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BBI_LP_END);
    assert_int_equal(bbi_lp_rest(&p), size - 2);
    bbi_lp_feed(&p, text, size, false);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_EPARSE);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BBI_LP_END);
    assert_int_equal(bbi_lp_rest(&p), 0);
    bbi_lp_feed(&p, text, size, false);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BBI_LP_END);
    assert_int_equal(bbi_lp_rest(&p), 0);
    static const char tail[] = "xx\nm v=1\n";
    bbi_lp_feed(&p, tail, sizeof(tail) - 1, false);
    assert_int_equal(bbi_lp_next(&p, &line, &err), BB_OK);
    assert_int_equal(line.line_number, 2);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_same_lines),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(fast_and_strict_agree),
        cmocka_unit_test(strings_have_a_limit),
        cmocka_unit_test(fields_have_a_limit),
        cmocka_unit_test(keys_and_names_have_a_limit),
        cmocka_unit_test(a_swallowed_line_comes_back),
        cmocka_unit_test(an_endless_line_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
