/**
 * catalog.log: the truth about schema, series, segments and deletions; append-only, checksummed.
 *
 * A commit is a run of frames, the last of them flagged; frames carry records
 * (engine/base/record.h) and are never split within one. A file whose end is not a whole commit was
 * cut while it was written; a bad frame with good ones behind it is damage, and reading goes on
 * behind it, because each frame says where it stands. docs/format/catalog.md has the bytes.
 *
 * Thread  one user at a time.
 */
#ifndef BBI_CATALOG_CATLOG_H
#define BBI_CATALOG_CATLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/record.h"
#include "engine/fs/fs.h"

#define BBI_CATLOG_HEADER_BYTES       48
#define BBI_CATLOG_FRAME_HEADER_BYTES 32

/** Which log it is, and the place in which earlier log it begins: what it holds first equals what
 * that log held up to there. */
struct bbi_catlog_id {
    uint64_t id; /* random; its low half, the salt of the frames, is not 0 */
    uint64_t base_id;
    uint64_t base_end;
};

/** Bytes of the file in memory. */
struct bbi_catlog_window {
    struct bbi_buf bytes;
    uint64_t at;
};

struct bbi_catlog {
    const struct bbi_fs *fs;
    char path[BBI_FS_PATH_MAX];
    struct bbi_file *file;
    struct bbi_account *acct;
    struct bbi_catlog_id id;
    uint32_t salt;        /* 0: not known */
    uint64_t end;         /* after the last whole commit */
    uint64_t append_at;   /* where the next frame of the open commit goes */
    bool tail_is_dirty;   /* there may be bytes behind end */
    struct bbi_buf frame; /* the frame that is being built, its header's room first */
    struct bbi_catlog_window window;
};

/** What opening found. */
struct bbi_catlog_scan {
    bool exists;
    bool header_is_good;
    uint64_t file_bytes;
    uint64_t frame_count;
    uint64_t hole_count; /* damaged regions with good frames behind them */
    uint64_t hole_bytes;
    uint64_t first_hole;
    uint64_t last_hole;
    uint64_t first_commit_end; /* 0: there is none */
};

/**
 * Open a log and check it whole. A missing file leaves log->file NULL; one with a bad header can be
 * read all the same; scan tells both.
 *
 * Returns BB_EVERSION a newer format; BB_EIO, BB_ENOMEM.
 */
int bbi_catlog_open(const struct bbi_fs *fs, const char *path, struct bbi_account *acct,
                    struct bbi_catlog *log, struct bbi_catlog_scan *scan,
                    struct bb_error *err) BB_CHECKED;

/** A new, empty log, replacing what is there. Not durable before the first commit. */
int bbi_catlog_create(const struct bbi_fs *fs, const char *path, const struct bbi_catlog_id *id,
                      struct bbi_account *acct, struct bbi_catlog *log,
                      struct bb_error *err) BB_CHECKED;

/** A new id, unlike all others. */
uint64_t bbi_catlog_new_id(void);

/** Close; fine for one that was never opened but zeroed. */
void bbi_catlog_close(struct bbi_catlog *log);

/** Records of one frame; end: the position behind it, at_commit: it ends a commit. Other than BB_OK
 * stops the reading, which returns it. */
typedef int (*bbi_catlog_read_fn)(void *arg, struct bbi_cursor *records, uint64_t end,
                                  bool at_commit, struct bb_error *err);

/** Read the good frames of [from, log->end); from is a commit's end, or 0 for all. */
int bbi_catlog_read(struct bbi_catlog *log, uint64_t from, bbi_catlog_read_fn each, void *arg,
                    struct bb_error *err) BB_CHECKED;

/** Add whole records to the open commit, which the first call opens. */
int bbi_catlog_add(struct bbi_catlog *log, const void *records, size_t len,
                   struct bb_error *err) BB_CHECKED;

/** Write and sync the open commit; log->end moves behind it. An empty commit is fine. */
int bbi_catlog_commit(struct bbi_catlog *log, struct bb_error *err) BB_CHECKED;

/** Forget the open commit; what it wrote is cut off before the next. */
void bbi_catlog_abort(struct bbi_catlog *log);

/** Take back the last commit, which began at `end`. After a failure it is in doubt. */
int bbi_catlog_rewind(struct bbi_catlog *log, uint64_t end, struct bb_error *err) BB_CHECKED;

#endif
