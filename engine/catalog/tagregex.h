/**
 * Regular expressions on tags: PCRE2, with limits on the work of a match.
 *
 * They are Go's, as in InfluxDB (engine/base/re2.h). A pattern is found anywhere unless anchored.
 * Text that is not UTF-8 is matched where it is.
 *
 * Thread  a compiled expression belongs to one thread at a time.
 */
#ifndef BBI_CATALOG_TAGREGEX_H
#define BBI_CATALOG_TAGREGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

struct bbi_tagregex;

/** Longest pattern, bytes. */
#define BBI_TAGREGEX_MAX 65536

struct bbi_tagregex_literal {
    const uint8_t *bytes;
    size_t len;
};

/** BB_EPARSE: no expression, with the reason and where; BB_ELIMIT: too long; BB_ENOMEM. */
int bbi_tagregex_compile(const uint8_t *pattern, size_t len, struct bbi_account *acct,
                         struct bbi_tagregex **out, struct bb_error *err) BB_CHECKED;

/** *regex may be NULL; nulled. */
void bbi_tagregex_destroy(struct bbi_tagregex **regex);

/** Whether it is found in text. BB_ELIMIT: that would take too much work or memory. */
int bbi_tagregex_match(struct bbi_tagregex *regex, const uint8_t *text, size_t len, bool *matches,
                       struct bb_error *err) BB_CHECKED;

/** When the pattern is ^a$, ^(a|b)$ or ^(?:a|b)$ with literals a, b, what they are (borrowed): it
 * matches these texts and no others. NULL for other patterns. */
const struct bbi_tagregex_literal *bbi_tagregex_literals(const struct bbi_tagregex *regex,
                                                         size_t *count);

#endif
