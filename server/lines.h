/**
 * The line-protocol listener: plain TCP, one line per reading, no replies.
 *
 * Lines are stored in batches, in the order in which they came (docs/http.md, "Line protocol over
 * TCP"). A connection whose lines are not on disk fast enough is read no further, so the producer's
 * writes block. Nothing is dropped silently: a line that is refused is counted by reason and the
 * first ones are logged; when the engine cannot take a batch for a while it is tried again, and
 * when it never will the connection is closed, so that no sync is answered that is not true.
 *
 * Comment lines may be directives:
 *
 *     # sync TOKEN       answered "synced TOKEN" when all before it is on disk
 *     # db NAME          the lines behind it go to this database
 *     # precision UNIT   the lines behind it have timestamps in n, ns, u, us, ms, s, m or h
 */
#ifndef SERVER_LINES_H
#define SERVER_LINES_H

#include "server/loop.h"

/** A listener's accept function. */
void lines_accept(struct listener *listener);

enum lines_directive {
    LINES_NONE, /* a reading or a comment */
    LINES_SYNC,
    LINES_DB,
    LINES_PRECISION
};

/** What a line without its newline is; *value: the directive's argument within it. */
enum lines_directive lines_directive(const char *line, size_t n, const char **value,
                                     size_t *value_len);

#endif
