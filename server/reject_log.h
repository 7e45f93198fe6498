/**
 * Lines that the line-protocol listener had to refuse, kept with their reasons, so that people can
 * look at them and send them again: their producer got no reply.
 *
 * They stand in DIR/rejects.lp, newest last, two parts each:
 *
 *     # {"id":7,"time":"2024-03-15T12:00:00Z","time_ns":..,"db":"energy","precision_ns":1,
 *        "reason":"...","cut":false,"bytes":33}           one line
 *     reading,device_id=MTR-1 value=abc                   `bytes` bytes and a newline
 *
 * so the file is line protocol with comments, too. When it passes its limit the older half goes.
 * Entries wait in memory until a thread of the admin pool has written them; whoever cannot be kept
 * is counted as lost.
 */
#ifndef SERVER_REJECT_LOG_H
#define SERVER_REJECT_LOG_H

#include <pthread.h>

#include "server/buf.h"
#include "server/pool.h"

#define REJECT_LOG_PATH_MAX 4200

struct reject_log {
    struct job job; /* first */
    struct pool *pool;
    char path[REJECT_LOG_PATH_MAX];
    uint64_t limit_bytes; /* 0: nothing is kept */
    _Atomic uint64_t last_id;
    _Atomic uint64_t lost, kept; /* kept: in the file */
    pthread_mutex_t queue_lock;
    struct buf queue; /* under queue_lock */
    bool under_way;   /* under queue_lock */
    pthread_mutex_t file_lock;
    uint64_t file_bytes; /* under file_lock */
};

/** A line as it is kept. Texts are borrowed. */
struct reject_entry {
    uint64_t id;
    int64_t time_ns; /* of its arrival */
    int64_t precision_ns;
    const char *database, *reason;
    const char *line;
    size_t length;
    bool cut; /* only the beginning of the line is known */
};

/** Make ready in a data directory, reading what an earlier server left. */
int reject_log_open(struct reject_log *log, const char *dir, uint64_t limit_bytes,
                    struct pool *pool, struct bb_error *err) BB_CHECKED;

/** Nobody uses it any more, and the pool has ended; what waits is written. */
void reject_log_close(struct reject_log *log);

/** Lay an entry out behind what is in text; its id is given here. */
int reject_log_lay_out(struct reject_log *log, struct buf *text,
                       const struct reject_entry *entry) BB_CHECKED;

/** Any thread, never blocks on a file: keep `count` entries that were laid out. */
void reject_log_keep(struct reject_log *log, const struct buf *text, uint64_t count);

/** Told of each entry, oldest first; not BB_OK ends it. */
typedef int (*reject_log_fn)(void *arg, const struct reject_entry *entry);

/** Not for a loop's thread. fn must not call the log. */
int reject_log_each(struct reject_log *log, reject_log_fn fn, void *arg,
                    struct bb_error *err) BB_CHECKED;

/** Whether an entry is to be dropped. */
typedef bool (*reject_log_drop_fn)(void *arg, uint64_t id);

/** Not for a loop's thread: rewrite the file without the entries that drop chooses. */
int reject_log_drop(struct reject_log *log, reject_log_drop_fn drop, void *arg, uint64_t *dropped,
                    struct bb_error *err) BB_CHECKED;

#endif
