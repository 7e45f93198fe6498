/** Comparing what two parsers of line protocol say of one text. */
#ifndef TESTS_LIB_LINEPROTO_H
#define TESTS_LIB_LINEPROTO_H

#include <stdbool.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/lineproto/strict.h"

static inline bool same_bytes(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

static inline bool same_field(const struct bbi_lp_field *a, const struct bbi_lp_field *b)
{
    return same_bytes(a->name, a->name_length, b->name, b->name_length) && a->type == b->type &&
           a->name_escaped == b->name_escaped && a->string_escaped == b->string_escaped &&
           (a->type == BBI_STRING ? same_bytes(a->v.str, a->length, b->v.str, b->length)
                                  : a->v.bits == b->v.bits);
}

/** The texts may lie in different places. */
static inline bool same_line(const struct bbi_lp_line *a, const struct bbi_lp_line *b)
{
    if (!same_bytes(a->text, a->length, b->text, b->length) || a->line_number != b->line_number ||
        !same_bytes(a->key, a->key_length, b->key, b->key_length) || a->time_ns != b->time_ns ||
        a->has_time != b->has_time || a->field_count != b->field_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->field_count; i++) {
        if (!same_field(&a->fields[i], &b->fields[i])) {
            return false;
        }
    }
    return true;
}

/** A line and its key, by one of the two halves: the strict one sees a bad key at once, the fast
 * one leaves it to bbi_lp_key_parse. */
static inline int next_with_key(struct bbi_lp_parser *p, bool strict, struct bbi_lp_line *line,
                                struct bb_error *err)
{
    struct bbi_arena arena;
    struct bbi_lp_key key;

    int rc = strict ? bbi_lp_next_strict(p, line, err) : bbi_lp_next(p, line, err);
    if (rc == BB_OK) {
        bbi_arena_init(&arena, NULL);
        rc = bbi_lp_key_parse(line->key, line->key_length, &arena, &key, err);
        bbi_arena_fini(&arena);
    }
    return rc;
}

#endif
