/** The log's structures, for its own files only. */
#ifndef BBI_WAL_INTERNAL_H
#define BBI_WAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/wal/format.h"
#include "engine/wal/wal.h"

/* One file of the log. */
struct wal_file {
    uint64_t start_lsn;
    uint64_t end_lsn;      /* behind its last frame appended; the last file's: see bbi_wal.end */
    uint64_t reserved;     /* bytes of the file that are claimed on disk: the appender's */
    struct bbi_file *file; /* NULL: closed, which only files before the current one are */
    uint32_t salt;
    bool has_header; /* header and name are on disk: the sync thread's */
    struct wal_file *next;
};

/* A stretch of the buffer that goes to one place in one file. */
struct wal_extent {
    struct wal_file *file;
    uint64_t offset; /* in the file */
    size_t at;       /* in the buffer */
    size_t length;
    uint64_t end_lsn;
};

#define WAL_EXTENTS 64U

/**
 * Locks, in the order in which they may be taken together:
 *   trim_lock    one trim at a time; only a trim removes files from the list's front
 *   append_lock  the appender's state: current file, its claimed space, end
 *   lock         extents, list of files, durable, failure, notices; never held over file operations
 * The sync thread takes `lock` alone. It works on the first taken_count extents without it; nobody
 * else touches those.
 */
struct bbi_wal {
    const struct bbi_fs *fs;
    struct bbi_account *acct;
    char dir[BBI_FS_PATH_MAX];
    struct bbi_wal_options options;

    pthread_mutex_t trim_lock;
    pthread_mutex_t append_lock;
    pthread_mutex_t lock;
    pthread_cond_t work;    /* an extent was added, or stopping */
    pthread_cond_t room;    /* extents were freed */
    pthread_cond_t durable; /* durable_lsn rose, or the log failed */
    pthread_t thread;

    struct wal_file *first_file;
    struct wal_file *current; /* the last one */
    size_t file_count;

    uint8_t *buffer;                        /* [options.buffer_bytes] */
    struct wal_extent extents[WAL_EXTENTS]; /* a ring, from extent_first */
    size_t extent_first;
    size_t extent_count;
    size_t taken_count;

    _Atomic uint64_t end_lsn;
    _Atomic uint64_t durable_lsn;
    _Atomic bool is_frugal;
    _Atomic bool failed;
    struct bb_error failure; /* BB_EREADONLY; set before failed */
    bool stopping;
    bool disk_full;                      /* the sync thread waits for space */
    struct bbi_wal_notice *notice_first; /* by rising LSN */
    struct bbi_wal_notice *notice_last;
    struct bbi_wal_stats stats;
};

/* ---- files.c ---- */

/* Path of the file that starts at start_lsn. */
int wal_path(const char *dir, uint64_t start_lsn, char out[BBI_FS_PATH_MAX], struct bb_error *err);

/* A new file at start_lsn, opened, with room for its header claimed and nothing in it: the sync
 * thread writes the header with the first frame. */
int wal_create_file(struct bbi_wal *wal, uint64_t start_lsn, struct wal_file **out,
                    struct bb_error *err);

void wal_add_file(struct bbi_wal *wal, struct wal_file *file);
void wal_free_file(struct wal_file **file);

/* Place in the file of a position. */
static inline uint64_t wal_offset(const struct wal_file *file, uint64_t lsn)
{
    return WAL_FILE_HEADER + (lsn - file->start_lsn);
}

/* Under append_lock: make sure that `bytes` more can be written at `end_lsn` of the current file,
 * or of a new one that is made current; `reserved`: at the expense of what is kept for such. */
int wal_claim(struct bbi_wal *wal, uint64_t end_lsn, uint64_t bytes, bool reserved,
              struct bb_error *err);

/* Remove the files from the front that hold nothing above lsn and are durable. Under trim_lock. */
int wal_remove_covered(struct bbi_wal *wal, uint64_t lsn, struct bb_error *err);

/* ---- sync.c ---- */

void *wal_sync_thread(void *arg);

/* ---- replay.c ---- */

/* What bbi_wal_open asks of the replay. */
struct wal_replay {
    uint64_t from_lsn;
    const char *quarantine_dir;
    bbi_wal_deliver_fn *deliver;
    void *deliver_arg;
    struct bbi_wal_report *report;
};

/* Read the log and set first_file .. current and end_lsn, ready for appending. wal has fs, acct,
 * dir and options, and the log lies in dir as the last process left it. */
int wal_replay(struct bbi_wal *wal, const struct wal_replay *what, struct bb_error *err);

#endif
