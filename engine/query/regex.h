/**
 * Regular expressions of conditions and names, with a limit on what a match may cost.
 *
 * Their syntax is Go's, as in InfluxDB (engine/base/re2.h).
 */
#ifndef BBI_QUERY_REGEX_H
#define BBI_QUERY_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"

struct bbi_regex;

/** Compile into an arena, whose end is the pattern's. BB_EPARSE: it is none; BB_ENOMEM. */
int bbi_regex_compile(struct bbi_arena *arena, const char *pattern, struct bbi_regex **out,
                      struct bb_error *err) BB_CHECKED;

/** Whether the pattern is found anywhere in the text. BB_ELIMIT: too costly to say; BB_ENOMEM.
 * Thread  any number at a time. */
int bbi_regex_match(const struct bbi_regex *regex, const void *text, size_t length, bool *found,
                    struct bb_error *err) BB_CHECKED;

#endif
