/* The sync thread: writes what waits in the buffer, syncs it, tells who waits for it. */
#include <string.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/wal/internal.h"

/* How long to wait for space before a write is tried again. */
#define FULL_RETRY_NS INT64_C(100000000)

/* ---- writing a group ---- */

/* Wait for room on the disk; false: the log is being closed. */
static bool wait_for_space(struct bbi_wal *wal)
{
    int64_t until = bbi_clock_mono_ns() + FULL_RETRY_NS;
    struct timespec ts = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    pthread_mutex_lock(&wal->lock);
    wal->disk_full = true;
    pthread_cond_broadcast(&wal->room);
    if (!wal->stopping) {
        pthread_cond_timedwait(&wal->work, &wal->lock, &ts);
    }
    bool stopping = wal->stopping;
    pthread_mutex_unlock(&wal->lock);
    return !stopping;
}

static int write_header(const struct wal_file *file, struct bb_error *err)
{
    uint8_t header[WAL_FILE_HEADER];
    wal_put_file_header(header, &(struct wal_file_header){.start_lsn = file->start_lsn,
                                                          .created_ns = bbi_clock_wall_ns(),
                                                          .salt = file->salt});
    return bbi_file_write(file->file, header, sizeof(header), 0, err);
}

/* A write that failed for lack of space changed nothing that is durable, so it may be repeated;
 * anything else is final. */
static int write_extent(struct bbi_wal *wal, const struct wal_extent *e, struct bb_error *err)
{
    int rc;
    do {
        rc = e->file->has_header ? BB_OK : write_header(e->file, err);
        if (rc == BB_OK) {
            rc = bbi_file_write(e->file->file, wal->buffer + e->at, e->length, e->offset, err);
        }
    } while (rc == BB_ENOSPC && wait_for_space(wal));
    return rc;
}

static int sync_file(struct bbi_wal *wal, struct wal_file *f, struct bb_error *err)
{
    int rc = bbi_file_sync(f->file, err);
    if (rc == BB_OK && !f->has_header) {
        rc = bbi_fs_sync_dir(wal->fs, wal->dir, err);
        f->has_header = rc == BB_OK;
    }
    return rc;
}

/* Write and sync the extents taken. A file is on disk before anything of the next is written, so
 * that a file's header proves all that stands before it. */
static int write_group(struct bbi_wal *wal, size_t first, size_t count, struct bb_error *err)
{
    struct wal_file *f = wal->extents[first].file;
    for (size_t i = 0; i < count; i++) {
        const struct wal_extent *e = &wal->extents[(first + i) % WAL_EXTENTS];
        int rc = e->file == f ? BB_OK : sync_file(wal, f, err);
        f = e->file;
        if (rc == BB_OK) {
            rc = write_extent(wal, e, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
    }
    return sync_file(wal, f, err);
}

/* ---- telling ---- */

/* Take the notices that are due from the list; under lock. */
static struct bbi_wal_notice *take_notices(struct bbi_wal *wal, bool all)
{
    struct bbi_wal_notice *taken = wal->notice_first;
    struct bbi_wal_notice *last = NULL;
    struct bbi_wal_notice *n = taken;
    uint64_t durable = atomic_load(&wal->durable_lsn);
    while (n != NULL && (all || n->lsn <= durable)) {
        last = n;
        n = n->next;
    }
    wal->notice_first = n;
    if (n == NULL) {
        wal->notice_last = NULL;
    }
    if (last == NULL) {
        return NULL;
    }
    last->next = NULL;
    return taken;
}

static void tell(struct bbi_wal_notice *n, const struct bb_error *err)
{
    while (n != NULL) {
        struct bbi_wal_notice *next = n->next;
        n->fn(n->arg, err);
        n = next;
    }
}

/* Handles of files that are on disk and no longer current; under lock. */
static size_t take_handles(struct bbi_wal *wal, struct bbi_file **handles, size_t max)
{
    size_t count = 0;
    for (struct wal_file *f = wal->first_file; f != wal->current && count < max; f = f->next) {
        if (f->file != NULL && f->end_lsn <= atomic_load(&wal->durable_lsn)) {
            handles[count++] = f->file;
            f->file = NULL;
        }
    }
    return count;
}

static void publish(struct bbi_wal *wal, size_t count, int64_t sync_ns)
{
    struct bbi_file *handles[WAL_EXTENTS];
    uint64_t lsn = wal->extents[(wal->extent_first + count - 1) % WAL_EXTENTS].end_lsn;
    if (wal->options.on_durable != NULL) {
        wal->options.on_durable(wal->options.on_durable_arg, lsn);
    }
    pthread_mutex_lock(&wal->lock);
    atomic_store(&wal->durable_lsn, lsn);
    wal->extent_first = (wal->extent_first + count) % WAL_EXTENTS;
    wal->extent_count -= count;
    wal->taken_count = 0;
    wal->disk_full = false;
    wal->stats.syncs++;
    wal->stats.sync_ns += (uint64_t)sync_ns;
    bb_latency_add(&wal->stats.sync, (uint64_t)sync_ns);
    struct bbi_wal_notice *due = take_notices(wal, false);
    size_t handle_count = take_handles(wal, handles, WAL_EXTENTS);
    pthread_cond_broadcast(&wal->room);
    pthread_cond_broadcast(&wal->durable);
    pthread_mutex_unlock(&wal->lock);
    tell(due, NULL);
    for (size_t i = 0; i < handle_count; i++) {
        bbi_file_close(&handles[i]);
    }
}

/* Read-only from here on, with the first cause. */
static void fail(struct bbi_wal *wal, const struct bb_error *cause)
{
    pthread_mutex_lock(&wal->lock);
    bbi_error_set(&wal->failure, BB_EREADONLY, "log is read-only: %s", cause->text);
    atomic_store(&wal->failed, true);
    wal->disk_full = false;
    struct bbi_wal_notice *all = take_notices(wal, true);
    pthread_cond_broadcast(&wal->room);
    pthread_cond_broadcast(&wal->durable);
    pthread_mutex_unlock(&wal->lock);
    tell(all, &wal->failure);
}

/* Wait for extents and take all there are; 0: stopping, and nothing is left. */
static size_t take_group(struct bbi_wal *wal, size_t *first)
{
    pthread_mutex_lock(&wal->lock);
    while (wal->extent_count == 0 && !wal->stopping) {
        pthread_cond_wait(&wal->work, &wal->lock);
    }
    size_t count = wal->extent_count;
    *first = wal->extent_first;
    wal->taken_count = count;
    pthread_mutex_unlock(&wal->lock);
    return count;
}

void *wal_sync_thread(void *arg)
{
    struct bbi_wal *wal = arg;
    struct bb_error err;
    size_t first;
    size_t count;
    while ((count = take_group(wal, &first)) > 0) {
        int64_t start = bbi_clock_mono_ns();
        if (write_group(wal, first, count, &err) != BB_OK) {
            fail(wal, &err);
            break;
        }
        publish(wal, count, bbi_clock_mono_ns() - start);
    }
    return NULL;
}
