#ifndef CLIENT_IMPORT_REJECTS_H
#define CLIENT_IMPORT_REJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The rows that were refused, as they stand in the file, each below a comment with its line and
 * reason; `busbar import` reads the file again when the rows have been mended. The file is made at
 * the first reject. Safe to use from several threads.
 */
struct rejects;

/** path, source: copied; append: behind what is in the file. NULL: no memory. */
struct rejects *rejects_create(const char *path, const char *source, bool append);
void rejects_destroy(struct rejects **rejects);

/** The header that a CSV file's rows need. */
bool rejects_set_header(struct rejects *rejects, const char *text, size_t len);

/** Keep what an interrupted run has written of rows up to `last_line`, and go on behind it. */
bool rejects_resume(struct rejects *rejects, uint64_t last_line);

/** False: it cannot be written; rejects_error tells why. The first few are shown on stderr. */
bool rejects_add(struct rejects *rejects, uint64_t line, const char *raw, size_t len,
                 const char *reason);

uint64_t rejects_count(struct rejects *rejects);
const char *rejects_path(const struct rejects *rejects);
const char *rejects_error(const struct rejects *rejects);

/** Write out what is buffered. False: it cannot be written. */
bool rejects_flush(struct rejects *rejects);

#endif
