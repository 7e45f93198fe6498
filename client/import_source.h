#ifndef CLIENT_IMPORT_SOURCE_H
#define CLIENT_IMPORT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * The bytes of a file or of standard input, decompressed if they are gzip. Which they are is told
 * by their first bytes, never by a name.
 */
struct source;

/** What tells a file from another one, and from itself after a change. */
struct source_identity {
    uint64_t size_bytes;
    int64_t mtime_ns;
    uint32_t head_crc; /* of the first 64 KiB as they are on disk */
};

#define SOURCE_ERROR_MAX 256

/**
 * path   a file, or "-" for standard input
 * error  out [SOURCE_ERROR_MAX]: why it cannot be read
 * Returns NULL on an error: not there, a directory, no memory, or an archive of another kind.
 */
struct source *source_open(const char *path, char *error);
void source_close(struct source **source);

/** Up to n decompressed bytes; 0 at the end; -1 on an error, told by source_error. */
ssize_t source_read(struct source *source, void *bytes, size_t n);

/** Why source_read failed: a read error, or gzip data that is damaged or cut off. */
const char *source_error(const struct source *source);

/** Go on at this decompressed byte, before anything was read. Fails for gzip and for pipes. */
bool source_seek(struct source *source, uint64_t offset);

bool source_is_gzip(const struct source *source);
bool source_is_file(const struct source *source);

/** Bytes read so far as they are on disk, and how many there are; 0 if that is not known. */
uint64_t source_raw_position(const struct source *source);
uint64_t source_raw_size(const struct source *source);

/** Of a regular file only. */
struct source_identity source_identity(const struct source *source);

#endif
