/**
 * The bytes of a log file: names, the file header, frame headers, source positions.
 *
 * Source  docs/format/wal.md
 */
#ifndef BBI_WAL_FORMAT_H
#define BBI_WAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

/** "<start %016x>.wal" and its NUL. */
#define WAL_NAME_BYTES 21

void wal_name(char out[WAL_NAME_BYTES], uint64_t start_lsn);

/** False: not the name of a log file. */
bool wal_parse_name(const char *name, uint64_t *start_lsn);

/**
 * The file header: twice the same 64 bytes, either is enough.
 *
 *  0 magic u64       8 version u32     12 header bytes u32
 * 16 start LSN u64  24 created ns i64  32 salt u32   36 zero [20]
 * 56 check u64: XXH3-64 of bytes 0..55
 */
#define WAL_FILE_HEADER 128

struct wal_file_header {
    uint64_t start_lsn;
    int64_t created_ns;
    uint32_t salt; /* random; each frame of the file repeats it */
};

void wal_put_file_header(uint8_t out[WAL_FILE_HEADER], const struct wal_file_header *h);

/** BB_OK; BB_ECORRUPT: neither copy holds; BB_EVERSION. Only BB_EVERSION sets *err. */
int wal_get_file_header(const uint8_t in[WAL_FILE_HEADER], struct wal_file_header *h,
                        struct bb_error *err);

/**
 * The frame header, before the payload, which zeros fill up to a multiple of 8.
 *
 *  0 magic u16      2 flags u16       4 payload bytes u32, the filling apart
 *  8 LSN of the frame's start u64    16 commit ns i64
 * 24 synced LSN u64                  32 check of payload and filling u64: XXH3-64
 * 40 salt u32                        44 check u32: low half of the XXH3-64 of bytes 0..43
 */
#define WAL_FRAME_HEADER 48

/** The payload starts with a source position. */
#define WAL_FLAG_SOURCE 1U
#define WAL_FLAGS_KNOWN WAL_FLAG_SOURCE

struct wal_frame_header {
    uint16_t flags;
    uint32_t length;
    uint64_t lsn;
    int64_t commit_ns;
    uint64_t synced_lsn; /* durable when the frame was appended */
    uint64_t payload_check;
    uint32_t salt;
};

void wal_put_frame_header(uint8_t out[WAL_FRAME_HEADER], const struct wal_frame_header *h);

/** False: no frame header. */
bool wal_get_frame_header(const uint8_t in[WAL_FRAME_HEADER], struct wal_frame_header *h);

/** Whether bytes may be a frame header for this position: cheap, for a scan. */
bool wal_may_be_frame(const uint8_t in[WAL_FRAME_HEADER], uint64_t lsn);

static inline uint64_t wal_padded(uint64_t payload_bytes)
{
    return (payload_bytes + 7) & ~UINT64_C(7);
}

static inline uint64_t wal_frame_bytes(uint64_t payload_bytes)
{
    return WAL_FRAME_HEADER + wal_padded(payload_bytes);
}

/** A source position: topic bytes u16, partition u32, offset u64, epoch u64, topic. */
#define WAL_SOURCE_FIXED 22

/** Bytes of an encoded source; 0 without one. */
size_t wal_source_bytes(const struct bb_source *source);

void wal_put_source(uint8_t *out, const struct bb_source *source);

/** Decode a source at the start of data[len]; topic gets the NUL-terminated text, which is at most
 * BBI_WAL_TOPIC_MAX long. Returns its encoded bytes, 0: malformed. */
size_t wal_get_source(const uint8_t *data, size_t len, struct bb_source *source, char *topic);

#endif
