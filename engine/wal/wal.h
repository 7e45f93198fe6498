/**
 * The write-ahead log: one for the server, in files of bounded size.
 *
 * A position (LSN) is a byte position in the logical log, which is the concatenation of all frames
 * ever written; a frame's LSN is the position behind it. Positions are multiples of 8 and never
 * reused once acknowledged. A frame is atomic: it is delivered whole or not at all.
 *
 * Appending copies a frame into a bounded buffer; one sync thread writes and syncs everything that
 * waits in the buffer together (group commit), then publishes the durable position, tells
 * on_durable, and wakes who waits. Disk space is claimed by the append, so that a full disk is
 * answered there (BB_ENOSPC, nothing logged) and the log goes on when space returns. Where a file
 * system cannot promise space, the sync thread meets the full disk and tries again until there is
 * room; appends are refused meanwhile. After any other failed write, and after a failed sync, the
 * log is read-only for good.
 *
 * Durable runs ahead of applied: the sync thread may publish a frame before its appender has put it
 * into the memtable. Who reads at the durable position must also stay at or below what was applied.
 *
 * Source  docs/format/wal.md
 */
#ifndef BBI_WAL_WAL_H
#define BBI_WAL_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/fs/fs.h"

struct bbi_wal;

/** Largest payload of a frame; a smaller buffer lowers it. */
#define BBI_WAL_PAYLOAD_MAX (64U << 20)

/** Longest topic of a source position. */
#define BBI_WAL_TOPIC_MAX 1024

/** Called by the sync thread with the new durable position, before anyone waiting for it wakes. It
 * must not call the log. */
typedef void bbi_wal_durable_fn(void *arg, uint64_t lsn);

/** 0 or NULL means the default. */
struct bbi_wal_options {
    uint64_t file_bytes;     /* start a new file beyond this; default 64 MiB */
    uint64_t buffer_bytes;   /* appended and not yet durable, charged whole; default 32 MiB */
    uint64_t headroom_bytes; /* claimed behind the last frame for bbi_wal_append_reserved */
    int64_t append_wait_ms;  /* longest wait of an append for room in the buffer; default 5,000;
                              * below 0: none */
    bbi_wal_durable_fn *on_durable;
    void *on_durable_arg;
};

/** A frame, as replayed; everything is borrowed for the call. */
struct bbi_frame {
    uint64_t lsn_start;
    uint64_t lsn_end;               /* the frame's LSN */
    int64_t commit_ns;              /* wall clock when it was appended */
    const struct bb_source *source; /* NULL: none */
    const uint8_t *payload;         /* records; engine/base/record.h */
    size_t length;
};

/** Receives the frames above the checkpoint in order of position. Anything but BB_OK ends the open
 * with that error. */
typedef int bbi_wal_deliver_fn(void *arg, const struct bbi_frame *frame, struct bb_error *err);

/** What opening found. */
struct bbi_wal_report {
    uint64_t bytes;          /* of the frames delivered, headers included */
    uint64_t frames;         /* delivered */
    uint64_t torn_bytes;     /* never acknowledged and cut from the end */
    uint64_t corrupt_ranges; /* damaged or missing stretches of what had been synced */
    uint64_t corrupt_bytes;
    char message[1024]; /* names each corrupt range, as far as it fits; "" when there is none */
};

/**
 * Open the log in dir (which exists): deliver every frame above from_lsn, then make ready to append
 * at the end.
 *
 * Frames are streamed through one buffer (1 MiB, or as much as the largest frame takes). A tail
 * that never was acknowledged is cut. Damage to what was acknowledged, a missing file included, is
 * reported, the file is copied to quarantine_dir, and the frames around the damage are delivered.
 * Files that hold nothing above from_lsn are removed. Where the log ends below from_lsn it goes on
 * at from_lsn.
 *
 * fs, acct       must outlive the log
 * quarantine_dir exists; NULL: nothing is copied
 * options        NULL: all defaults
 * from_lsn       the checkpoint: 0 or the LSN of a frame
 * deliver        may be NULL
 * out, report    out; report may be NULL, and is also filled on failure as far as it came
 * Returns BB_OK; what deliver returned; BB_EINVAL (from_lsn); BB_EIO; BB_ENOSPC; BB_ENOMEM;
 * BB_EVERSION (written by a newer version).
 */
int bbi_wal_open(const struct bbi_fs *fs, const char *dir, const char *quarantine_dir,
                 const struct bbi_wal_options *options, struct bbi_account *acct, uint64_t from_lsn,
                 bbi_wal_deliver_fn *deliver, void *deliver_arg, struct bbi_wal **out,
                 struct bbi_wal_report *report, struct bb_error *err) BB_CHECKED;

/** Sync what is appended, give back claimed space, stop the sync thread, free; *wal may be NULL and
 * is nulled. Returns BB_OK, or BB_EREADONLY if appended frames may be lost. Nobody may be using or
 * waiting on the log. */
int bbi_wal_close(struct bbi_wal **wal, struct bb_error *err);

struct bbi_wal_piece {
    const void *ptr; /* may be NULL when length is 0 */
    size_t length;
};

/**
 * Append one frame whose payload is the pieces, one after the other; not yet durable on return.
 *
 * pieces  [2]; borrowed for the call
 * source  NULL: none; borrowed for the call
 * lsn     out: the frame's LSN
 * Returns BB_OK; BB_ELIMIT (payload above BBI_WAL_PAYLOAD_MAX or the buffer, topic too long);
 * BB_ENOSPC (disk full); BB_EBUSY (no room in the buffer within append_wait_ms); BB_EIO (a new file
 * cannot be made); BB_EREADONLY. After any error nothing has been logged and, BB_EREADONLY apart,
 * a later append may succeed.
 * Thread  one appender at a time: the caller holds the engine's write lock.
 */
int bbi_wal_append(struct bbi_wal *wal, const struct bbi_wal_piece pieces[2],
                   const struct bb_source *source, uint64_t *lsn, struct bb_error *err) BB_CHECKED;

/** The same, for what frees space: it may use the room that is kept for it behind the last frame,
 * so that a full disk does not refuse it. */
int bbi_wal_append_reserved(struct bbi_wal *wal, const struct bbi_wal_piece pieces[2],
                            uint64_t *lsn, struct bb_error *err) BB_CHECKED;

/** Wait, without appending, until the buffer has room for a frame with this payload, or until a
 * time of the monotonic clock. Others may take the room first. Returns BB_OK; BB_EBUSY; what an
 * append would return meanwhile: BB_EREADONLY, BB_ENOSPC. Thread  any. */
int bbi_wal_wait_room(struct bbi_wal *wal, size_t payload_bytes, int64_t deadline_ns,
                      struct bb_error *err) BB_CHECKED;

/** Claim no more space ahead than a frame needs, because the disk is nearly full; false: as usual.
 */
void bbi_wal_be_frugal(struct bbi_wal *wal, bool frugal);

/** Block until everything up to lsn (at most bbi_wal_end) is durable. Returns BB_OK or
 * BB_EREADONLY. Thread  any, but the sync thread's callbacks. */
int bbi_wal_wait(struct bbi_wal *wal, uint64_t lsn, struct bb_error *err) BB_CHECKED;

/** err is NULL when durable, else says why it never will be (BB_EREADONLY). */
typedef void bbi_wal_notify_fn(void *arg, const struct bb_error *err);

/** One request to be told; the caller's memory, untouched until fn is called. */
struct bbi_wal_notice {
    uint64_t lsn;
    bbi_wal_notify_fn *fn;
    void *arg;
    struct bbi_wal_notice *next; /* the log's */
};

/**
 * Call notice->fn exactly once, when everything up to notice->lsn is durable or the log has failed:
 * from the sync thread, or from this call when that is known already. fn may free the notice; it
 * must not block, and may call bbi_wal_durable and bbi_wal_notify only. Calls come in order of LSN
 * where notices wait. Thread  any.
 */
void bbi_wal_notify(struct bbi_wal *wal, struct bbi_wal_notice *notice);

/** Everything up to here is durable. Thread  any. */
uint64_t bbi_wal_durable(const struct bbi_wal *wal);

/** The position behind the last frame appended. Thread  any. */
uint64_t bbi_wal_end(const struct bbi_wal *wal);

/** BB_OK, or BB_EREADONLY with the first cause. Thread  any. */
int bbi_wal_status(struct bbi_wal *wal, struct bb_error *err);

/**
 * Remove the files whose frames all lie at or below lsn (at most the durable position); where that
 * is all of the log, go on in a new, empty file. Gives back space that is claimed and not used.
 *
 * Returns BB_OK; BB_EIO or BB_ENOSPC: some file stays, a later call may succeed.
 * Thread  any; may run beside the appender.
 */
int bbi_wal_trim(struct bbi_wal *wal, uint64_t lsn, struct bb_error *err) BB_CHECKED;

/** Bytes of the log's files, claimed space apart. Thread  any. */
uint64_t bbi_wal_bytes(struct bbi_wal *wal);

/** Counters since open. */
struct bbi_wal_stats {
    uint64_t frames;        /* appended */
    uint64_t bytes;         /* appended, headers included */
    uint64_t syncs;         /* groups made durable */
    uint64_t sync_ns;       /* time spent in write and sync */
    uint64_t waits;         /* appends that waited for room in the buffer */
    struct bb_latency sync; /* of each write and sync */
};

void bbi_wal_get_stats(struct bbi_wal *wal, struct bbi_wal_stats *stats);

#endif
