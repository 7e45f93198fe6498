/**
 * An open data directory, from the inside: what engine/{db,write,deletion,replay,background}.c
 * share.
 *
 * Locks, in the order in which they are taken (docs/LOCKS.md):
 *   flush_lock    one flush at a time
 *   compact_lock  one compaction at a time
 *   publish_lock  one edit of the catalog and of what snapshots see at a time
 *   write_lock    who holds it appends to the log and applies to the memtable: the order of LSNs
 *   state_lock    the pointers that a snapshot copies; held for a few instructions
 */
#ifndef BBI_DB_IMPL_H
#define BBI_DB_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/pool.h"
#include "engine/catalog/catalog.h"
#include "engine/continuous.h"
#include "engine/disk_watch.h"
#include "engine/forward.h"
#include "engine/fs/fs.h"
#include "engine/hook.h"
#include "engine/logins.h"
#include "engine/partition/version.h"
#include "engine/points.h"
#include "engine/query/query.h"
#include "engine/series_cache.h"
#include "engine/wal/wal.h"

/** A batch waits this long in all, for room in the memtable, for the disk and for the log's buffer,
 * before it is refused as overload. */
#define BBI_WRITE_WAIT_MS 4000

/** The log since the last checkpoint may grow to this, whatever the memtable holds: replaying it
 * bounds a restart. */
#define BBI_WAL_SINCE_CHECKPOINT_MAX (UINT64_C(192) << 20)

/** Kept in the log for deletions and schema changes on a full disk: some dozens of them. */
#define BBI_WAL_HEADROOM (UINT64_C(16) << 10)

/** New series in memory before a flush takes them to the catalog. */
#define BBI_OVERLAY_SERIES_MAX 250000

struct bbi_db_counters {
    _Atomic uint64_t points_written, points_rejected, batches;
    _Atomic uint64_t flushes, compactions;
    _Atomic uint64_t flush_bytes_written, compaction_bytes_read, compaction_bytes_written;
    _Atomic uint64_t values_removed;
    _Atomic uint64_t quarantined, wal_corruptions;
};

struct bb_db {
    const struct bbi_fs *fs;
    struct bb_options options;
    char dir[BBI_FS_PATH_MAX];
    char segment_dir[BBI_FS_PATH_MAX];
    char wal_dir[BBI_FS_PATH_MAX];
    char quarantine_dir[BBI_FS_PATH_MAX];
    struct bbi_file *lock;

    struct bbi_account acct; /* everything below */
    struct bbi_account write_acct;
    struct bbi_account memtable_acct;
    struct bbi_account segment_acct;
    struct bbi_account catalog_acct;
    struct bbi_account query_acct;
    struct bbi_account background_acct;

    struct bbi_catalog *catalog;
    struct bbi_wal *wal;
    struct bbi_series_cache *cache;
    struct bbi_pool *pool;
    struct bbi_query_env query_env;
    struct bbi_query_counters query_counters;
    struct bbi_running running;
    struct bbi_zones *zones;
    struct bbi_logins logins;
    struct bbi_hook hook;
    struct bbi_continuous continuous;
    struct bbi_forward forward;

    pthread_mutex_t write_lock;
    unsigned batches_since_look;  /* under write_lock */
    struct bbi_disk_watch disk;   /* under write_lock */
    _Atomic uint64_t applied_lsn; /* every frame up to here is in memory */
    struct bbi_buf pending;       /* records of the catalog for the next frame; under write_lock */

    pthread_mutex_t flush_lock;
    pthread_mutex_t compact_lock;
    pthread_mutex_t publish_lock;

    pthread_mutex_t state_lock;
    pthread_cond_t state_changed; /* a flush ended, a request came, the engine stops */
    struct bbi_memtable *active;
    struct bbi_memtable *flushing; /* NULL: none */
    bool trimming;                 /* a flush has ended, the log it covers is being removed */
    uint64_t flushing_lsn;         /* everything up to here is in `flushing` or older */
    struct bbi_version *version;
    struct bbi_tombset *tombs;
    uint64_t checkpoint_lsn;
    uint64_t state_seq;           /* rises with every change that may make a compaction due */
    uint64_t settled_seq;         /* state_seq at which none was due */
    _Atomic int stopping;         /* not 0: background work ends soon */
    _Atomic int compaction_stops; /* not 0: stopping, or paused */
    _Atomic bool compaction_paused;
    _Atomic bool compacting;
    _Atomic bool flush_fails; /* the last try did */
    _Atomic bool
        in_doubt; /* a commit of the catalog may or may not be on disk: none is tried any more */
    bool flusher_runs;
    bool compactor_runs;
    pthread_t flusher;
    pthread_t compactor;

    pthread_mutex_t points_lock;
    struct bbi_points *free_points; /* under points_lock */

    struct bbi_db_counters counters;
};

/** Open on another file system than the machine's: tests. */
int bbi_db_open_on(const struct bbi_fs *fs, const char *dir, const struct bb_options *options,
                   struct bb_db **db, struct bb_error *err) BB_CHECKED;

/** Close without flushing, as a crash would leave it: tests. */
void bbi_db_abandon(struct bb_db **db);

/** Of both generations. */
uint64_t bbi_db_memtable_bytes(struct bb_db *db);

/** A snapshot of now; see bbi_query_env. */
int bbi_db_snapshot(void *db, struct bbi_snapshot *out, struct bb_error *err);

/* ---- write.c ---- */

/**
 * Append a frame of the catalog's pending records and `record` (may be empty) and call apply with
 * its LSN, all under the write lock. prepare, which may fill `record`, apply and abandon may be
 * NULL. What prepare returns other than BB_OK ends it before anything is logged; abandon undoes
 * what was prepared when the record could not be logged. A log whose buffer is full is waited for
 * without the lock, and all is prepared anew.
 */
struct bbi_append {
    const struct bbi_buf *record;
    const struct bb_source *source;
    int (*prepare)(struct bb_db *db, void *arg, struct bb_error *err);
    void (*apply)(struct bb_db *db, void *arg, uint64_t lsn);
    void (*abandon)(struct bb_db *db, void *arg);
    void *arg;
    int64_t deadline_ns; /* of the monotonic clock; 0: BBI_WRITE_WAIT_MS from now */
    bool frees_space; /* or is small: may use what the log keeps for a full disk; has no source */
};
int bbi_db_append(struct bb_db *db, const struct bbi_append *append, uint64_t *lsn,
                  struct bb_error *err) BB_CHECKED;

/** When a write that begins now has waited long enough, whatever it waits for. */
int64_t bbi_db_write_deadline(void);

/** Make the catalog's pending records durable; see bbi_query_env. */
int bbi_db_schema_changed(void *db, struct bb_error *err);

/** See bbi_query_env. */
int bbi_db_write_lines(void *db, const char *database, const char *policy, const char *lines,
                       size_t length, struct bb_error *err);

/** Under the write lock: begin a new memtable generation if that is due and can be done at once. */
int bbi_db_rotate_if_due(struct bb_db *db, struct bb_error *err) BB_CHECKED;

/* ---- deletion.c ---- */

/** See bbi_query_env. */
int bbi_db_delete_rows(void *db, uint32_t db_id, uint32_t rp_id, const roaring_bitmap_t *series,
                       int64_t tmin, int64_t tmax, struct bb_error *err);
int bbi_db_drop_series(void *db, uint32_t db_id, uint32_t mid, const roaring_bitmap_t *series,
                       struct bb_error *err);

int bbi_db_forget_series(void *db, uint32_t db_id, uint32_t mid, const roaring_bitmap_t *series,
                         int (*check)(const void *arg, struct bb_error *err), const void *arg,
                         struct bb_error *err);

/* ---- replay.c ---- */

/** Open catalog, segments and log, replaying what no segment holds yet. */
int bbi_db_recover(struct bb_db *db, struct bb_error *err) BB_CHECKED;

/* ---- background.c ---- */

int bbi_db_start_background(struct bb_db *db, struct bb_error *err) BB_CHECKED;
void bbi_db_stop_background(struct bb_db *db);

/**
 * Begin a new memtable generation that starts at lsn, if none is being flushed and there is
 * anything to flush. The caller holds write_lock, or is the one thread that replays.
 */
int bbi_db_rotate(struct bb_db *db, uint64_t lsn, struct bb_error *err) BB_CHECKED;

/** Write the generation that is being flushed, if any, to segments and publish them. The caller
 * holds flush_lock. */
int bbi_db_flush_generation(struct bb_db *db, struct bb_error *err) BB_CHECKED;

/** Put an edit into force: catalog first, then what snapshots see. added[] may be empty. */
struct bbi_publish {
    const struct bbi_segment_meta *added;
    size_t added_count;
    const uint64_t *removed;
    size_t removed_count;
    bool ends_flush;         /* `flushing` is done with */
    uint64_t checkpoint_lsn; /* with ends_flush */
};
int bbi_db_publish(struct bb_db *db, const struct bbi_publish *publish,
                   struct bb_error *err) BB_CHECKED;

/** Whether a database or policy has been dropped, durably; a drop that is not yet is made so first.
 */
int bbi_db_is_gone(struct bb_db *db, uint32_t db_id, uint32_t rp_id, bool *gone, struct bbi_rp *rp,
                   struct bb_error *err) BB_CHECKED;

/* ---- compaction.c ---- */

/** Do the next compaction that is due; *done false: none was. The caller holds compact_lock. */
int bbi_db_compact_once(struct bb_db *db, bool full, bool *done, struct bb_error *err) BB_CHECKED;

#endif
