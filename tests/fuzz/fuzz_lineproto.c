/*
 * The line-protocol parser on any bytes: the fast and the strict half agree, text that comes in two
 * pieces gives the same lines as in one, and keys come out sorted.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/arena.h"
#include "tests/lib/lineproto.h"

#define NOW 1710511200123456789

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bbi_lp_field fields[2][BBI_LP_FIELDS_MAX];

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static bool key_less(const struct bbi_lp_tag *a, const struct bbi_lp_tag *b)
{
    uint32_t shorter = a->key_length < b->key_length ? a->key_length : b->key_length;
    int order = memcmp(a->key, b->key, shorter);
    return order < 0 || (order == 0 && a->key_length < b->key_length);
}

static void check_key(const struct bbi_lp_line *line)
{
    struct bbi_arena arena;
    struct bbi_lp_key key;
    struct bb_error err;

    bbi_arena_init(&arena, NULL);
    int rc = bbi_lp_key_parse(line->key, line->key_length, &arena, &key, &err);
    must(rc == BB_OK || rc == BB_EPARSE, "a key is good or bad");
    if (rc == BB_OK) {
        must(key.measurement_length > 0, "a key has a measurement");
        for (uint32_t i = 0; i < key.tag_count; i++) {
            must(key.tags[i].key_length > 0 && key.tags[i].value_length > 0, "tags are not empty");
            must(i == 0 || key_less(&key.tags[i - 1], &key.tags[i]), "tags ascend");
        }
    }
    bbi_arena_fini(&arena);
}

static void check_names(const struct bbi_lp_line *line)
{
    for (uint32_t i = 0; i < line->field_count; i++) {
        const struct bbi_lp_field *f = &line->fields[i];
        static uint8_t text[BBI_LP_LINE_MAX];
        must(bbi_lp_unescape_name(f->name, f->name_length, text) > 0, "a field has a name");
        if (f->type == BBI_STRING) {
            size_t length = bbi_lp_unescape_string(f->v.str, f->length, text);
            must(length <= BBI_LP_STRING_MAX && (length == f->length) == !f->string_escaped,
                 "a string knows whether it is escaped");
        }
    }
}

static void both_halves_agree(const uint8_t *data, size_t size, int64_t precision_ns)
{
    struct bbi_lp_parser p[2];
    struct bbi_lp_line line[2];
    struct bb_error err[2];
    int rc;

    for (int i = 0; i < 2; i++) {
        bbi_lp_init(&p[i], fields[i], precision_ns, NOW);
        bbi_lp_feed(&p[i], data, size, true);
    }
    do {
        rc = next_with_key(&p[0], false, &line[0], &err[0]);
        must(rc == next_with_key(&p[1], true, &line[1], &err[1]), "fast and strict: result");
        must(bbi_lp_rest(&p[0]) == bbi_lp_rest(&p[1]), "fast and strict: place");
        if (rc == BB_OK) {
            must(same_line(&line[0], &line[1]), "fast and strict: line");
            check_key(&line[0]);
            check_names(&line[0]);
        } else if (rc == BB_EPARSE) {
            must(strcmp(err[0].text, err[1].text) == 0, "fast and strict: reason");
        }
    } while (rc != BBI_LP_END);
}

/* The whole text by one parser, the text cut at `cut` by the other. */
static void pieces_give_the_same(const uint8_t *data, size_t size, size_t cut)
{
    struct bbi_lp_parser whole;
    struct bbi_lp_parser piece;
    struct bbi_lp_line line[2];
    struct bb_error err[2];
    int rc;

    bbi_lp_init(&whole, fields[0], 1, NOW);
    bbi_lp_init(&piece, fields[1], 1, NOW);
    bbi_lp_feed(&whole, data, size, true);
    bbi_lp_feed(&piece, data, cut, false);
    do {
        int piece_rc = next_with_key(&piece, false, &line[1], &err[1]);
        if (piece_rc == BBI_LP_END && !piece.last) {
            size_t rest = bbi_lp_rest(&piece);
            bbi_lp_feed(&piece, data + cut - rest, size - cut + rest, true);
            piece_rc = next_with_key(&piece, false, &line[1], &err[1]);
        }
        rc = next_with_key(&whole, false, &line[0], &err[0]);
        must(rc == piece_rc, "pieces: result");
        must(rc != BB_OK || same_line(&line[0], &line[1]), "pieces: line");
        must(rc != BB_EPARSE || strcmp(err[0].text, err[1].text) == 0, "pieces: reason");
    } while (rc != BBI_LP_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > BBI_LP_LINE_MAX / 2) {
        return 0;
    }
    both_halves_agree(data, size, 1);
    both_halves_agree(data, size, INT64_C(3600) * 1000000000);
    for (size_t i = 0; i < 4; i++) {
        pieces_give_the_same(data, size, size * i / 3);
    }
    return 0;
}
