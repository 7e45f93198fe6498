/** Reading one log file: frames at positions, and the search for them in damaged stretches. */
#ifndef BBI_WAL_READER_H
#define BBI_WAL_READER_H

#include "engine/fs/fs.h"
#include "engine/wal/format.h"
#include "engine/wal/wal.h"

/* A file and a window on it that slides forward. */
struct wal_reader {
    struct bbi_file *file;
    uint64_t size;      /* of the file */
    uint64_t start_lsn; /* of its first frame, by name */
    uint64_t limit_lsn; /* no frame ends beyond */
    uint32_t salt;
    bool has_salt; /* else the first good frame's is taken */
    bool has_header;
    uint8_t *window; /* [window_cap], kept from file to file */
    size_t window_cap;
    uint64_t window_at; /* offset in the file */
    size_t window_len;
    struct bb_source source; /* of the last frame found */
    char topic[BBI_WAL_TOPIC_MAX + 1];
    struct bbi_account *acct;
};

/* A good frame; pointers go into the reader and hold until its next call. */
struct wal_found {
    struct bbi_frame frame;
    uint64_t synced_lsn;
};

void wal_reader_init(struct wal_reader *r, struct bbi_account *acct);
void wal_reader_fini(struct wal_reader *r);

/* Open a file and read its header; a damaged one leaves has_header false. `sync`: make it durable
 * first, so that what is delivered stays. */
int wal_reader_open(struct wal_reader *r, const struct bbi_fs *fs, const char *path,
                    uint64_t start_lsn, uint64_t limit_lsn, bool sync, struct bb_error *err);
void wal_reader_close(struct wal_reader *r);

static inline uint64_t wal_reader_offset(const struct wal_reader *r, uint64_t lsn)
{
    return WAL_FILE_HEADER + (lsn - r->start_lsn);
}

/* The frame at a position; *good false: there is none, or it is damaged. */
int wal_reader_frame(struct wal_reader *r, uint64_t lsn, struct wal_found *found, bool *good,
                     struct bb_error *err);

/* The first good frame at or behind a position; *good false: none to the end of the file. */
int wal_reader_search(struct wal_reader *r, uint64_t lsn, struct wal_found *found, bool *good,
                      struct bb_error *err);

/* Bytes from an offset in the file to the last one that is not zero. */
int wal_reader_written(struct wal_reader *r, uint64_t offset, uint64_t *bytes,
                       struct bb_error *err);

#endif
