#ifndef CLIENT_EXPORT_OUT_H
#define CLIENT_EXPORT_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * What is exported, on its way to a file or to standard output; compressed if the name ends in .gz.
 * A file is written beside its name and takes it when it is whole; pipes and devices are written as
 * they are.
 */
struct export_out;

/** path "-": standard output. NULL: `error` [error_bytes] tells. */
struct export_out *export_out_open(const char *path, char *error, size_t error_bytes);

/** False on an error, and from then on. */
bool export_out_put(struct export_out *out, const void *bytes, size_t n);

/** Bytes put so far. */
uint64_t export_out_bytes(const struct export_out *out);

/** Finish and give the file its name; if not `whole`, it is removed. False: `error` tells. */
bool export_out_close(struct export_out **out, bool whole, char *error, size_t error_bytes);

#endif
