/**
 * Regular expressions as Go's package regexp reads them, which is what InfluxQL means by them.
 *
 * Go's syntax (RE2's) is close to Perl's, but not within it nor around it: it has no look-around
 * and no references, allows `^*`, limits repetitions to 1,000, and an unknown escape is an error.
 * Patterns are read by Go's rules and written anew for PCRE2, with nothing in them that PCRE2 reads
 * in its own way.
 */
#ifndef BBI_BASE_RE2_H
#define BBI_BASE_RE2_H

#include <stddef.h>

#include "engine/base/buf.h"

/**
 * Append to out the pattern for pcre2_compile, to be compiled with PCRE2_UTF, PCRE2_DOLLAR_ENDONLY
 * and PCRE2_ALT_CIRCUMFLEX.
 *
 * Returns BB_OK; BB_EPARSE: no expression, in Go's words; what out's buffer says.
 */
int bbi_re2_to_pcre2(const char *pattern, size_t length, struct bbi_buf *out,
                     struct bb_error *err) BB_CHECKED;

#endif
