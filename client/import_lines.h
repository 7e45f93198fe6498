#ifndef CLIENT_IMPORT_LINES_H
#define CLIENT_IMPORT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/csv.h"

/**
 * Lines of a file of line protocol, and the directives of an export by `influx_inspect export` or
 * `busbar export`: below "# DDL" stand statements, below "# DML" lines, and
 * "# CONTEXT-DATABASE: x" and "# CONTEXT-RETENTION-POLICY: y" say where they go.
 */
struct lines_reader;

enum lines_kind {
    LINES_POINT,
    LINES_STATEMENT, /* below # DDL */
    LINES_DATABASE,  /* text is the name */
    LINES_POLICY,
    LINES_BAD, /* reason tells */
    LINES_END,
    LINES_ERROR /* the input failed, or no memory */
};

struct lines_record {
    const char *text; /* not terminated, without its line end; a string may hold newlines */
    size_t len;
    uint64_t line; /* of its first byte, from 1 */
    const char *reason;
};

#define LINES_MAX_BYTES (1u << 20)

struct lines_reader *lines_create(csv_read_fn *read, void *context);
void lines_destroy(struct lines_reader **reader);

/** The next record; valid until the next call. Empty lines and other comments are passed over. */
enum lines_kind lines_next(struct lines_reader *reader, struct lines_record *record);

#endif
