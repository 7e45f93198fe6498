/**
 * Comment lines by which a producer talks to the line-protocol listener:
 *
 *     # sync TOKEN       answered "synced TOKEN" when all before it is on disk
 *     # db NAME          the lines behind it go to this database
 *     # precision UNIT   the lines behind it have timestamps in n, ns, u, us, ms, s, m or h
 */
#ifndef SERVER_LINE_DIRECTIVE_H
#define SERVER_LINE_DIRECTIVE_H

#include <stddef.h>

enum line_directive {
    LINE_NONE, /* a reading or a comment */
    LINE_SYNC,
    LINE_DB,
    LINE_PRECISION
};

/** What a line without its newline is; *value: the directive's argument within it. */
enum line_directive line_directive_parse(const char *line, size_t n, const char **value,
                                         size_t *value_len);

#endif
