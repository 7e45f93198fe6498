#include "engine/wal/internal.h"

#include <string.h>
#include <time.h>

#include "engine/base/bytes.h"
#include "engine/base/clock.h"
#include "engine/base/hash.h"

#define FILE_BYTES_DEFAULT   ((uint64_t)64 << 20)
#define BUFFER_BYTES_DEFAULT ((uint64_t)32 << 20)
#define APPEND_WAIT_DEFAULT  5000
#define BYTES_MIN            4096U

/* ---- opening and closing ---- */

static void set_options(struct bbi_wal *wal, const struct bbi_wal_options *options)
{
    struct bbi_wal_options *o = &wal->options;
    if (options != NULL) {
        *o = *options;
    }
    o->file_bytes = o->file_bytes == 0 ? FILE_BYTES_DEFAULT : o->file_bytes;
    o->buffer_bytes = o->buffer_bytes == 0 ? BUFFER_BYTES_DEFAULT : o->buffer_bytes;
    o->append_wait_ms = o->append_wait_ms == 0 ? APPEND_WAIT_DEFAULT : o->append_wait_ms;
    o->file_bytes = o->file_bytes < BYTES_MIN ? BYTES_MIN : o->file_bytes;
    o->buffer_bytes = o->buffer_bytes < BYTES_MIN ? BYTES_MIN : o->buffer_bytes;
    o->buffer_bytes &= ~UINT64_C(7);
}

static void init_locks(struct bbi_wal *wal)
{
    pthread_condattr_t monotonic;
    BB_ASSERT(pthread_condattr_init(&monotonic) == 0);
    BB_ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    BB_ASSERT(pthread_mutex_init(&wal->trim_lock, NULL) == 0);
    BB_ASSERT(pthread_mutex_init(&wal->append_lock, NULL) == 0);
    BB_ASSERT(pthread_mutex_init(&wal->lock, NULL) == 0);
    BB_ASSERT(pthread_cond_init(&wal->work, &monotonic) == 0);
    BB_ASSERT(pthread_cond_init(&wal->room, &monotonic) == 0);
    BB_ASSERT(pthread_cond_init(&wal->durable, NULL) == 0);
    pthread_condattr_destroy(&monotonic);
}

/* Everything but the thread. */
static void destroy(struct bbi_wal *wal)
{
    while (wal->first_file != NULL) {
        struct wal_file *f = wal->first_file;
        wal->first_file = f->next;
        wal_free_file(&f);
    }
    pthread_cond_destroy(&wal->durable);
    pthread_cond_destroy(&wal->room);
    pthread_cond_destroy(&wal->work);
    pthread_mutex_destroy(&wal->lock);
    pthread_mutex_destroy(&wal->append_lock);
    pthread_mutex_destroy(&wal->trim_lock);
    bbi_mem_free(wal->buffer);
    bbi_mem_free(wal);
}

static int start(struct bbi_wal *wal, struct bb_error *err)
{
    wal->buffer = bbi_mem_alloc(wal->acct, wal->options.buffer_bytes);
    if (wal->buffer == NULL) {
        return bbi_error_nomem(err, "log buffer");
    }
    atomic_store(&wal->durable_lsn, atomic_load(&wal->end_lsn));
    int rc = pthread_create(&wal->thread, NULL, wal_sync_thread, wal);
    return rc == 0 ? BB_OK : bbi_error_errno(err, rc, "start the log's sync thread");
}

int bbi_wal_open(const struct bbi_fs *fs, const char *dir, const char *quarantine_dir,
                 const struct bbi_wal_options *options, struct bbi_account *acct, uint64_t from_lsn,
                 bbi_wal_deliver_fn *deliver, void *deliver_arg, struct bbi_wal **out,
                 struct bbi_wal_report *report, struct bb_error *err)
{
    struct bbi_wal_report unwanted;
    report = report == NULL ? &unwanted : report;
    *report = (struct bbi_wal_report){.bytes = 0};
    *out = NULL;
    if (from_lsn % 8 != 0 || strlen(dir) >= BBI_FS_PATH_MAX) {
        return bbi_error_set(err, BB_EINVAL, "open log %s at %llu", dir,
                             (unsigned long long)from_lsn);
    }
    struct bbi_wal *wal = bbi_mem_zalloc(acct, 1, sizeof(*wal));
    if (wal == NULL) {
        return bbi_error_nomem(err, "log");
    }
    wal->fs = fs;
    wal->acct = acct;
    memcpy(wal->dir, dir, strlen(dir) + 1);
    set_options(wal, options);
    init_locks(wal);
    const struct wal_replay what = {.from_lsn = from_lsn,
                                    .quarantine_dir = quarantine_dir,
                                    .deliver = deliver,
                                    .deliver_arg = deliver_arg,
                                    .report = report};
    int rc = wal_replay(wal, &what, err);
    if (rc == BB_OK) {
        rc = start(wal, err);
    }
    if (rc != BB_OK) {
        destroy(wal);
        return rc;
    }
    *out = wal;
    return BB_OK;
}

/* Claimed space that stays is found and cut by the next open. */
static void cut_claimed(struct wal_file *f, uint64_t end)
{
    struct bb_error ignored;
    int rc = f->reserved > end ? bbi_file_truncate(f->file, end, &ignored) : BB_OK;
    if (rc == BB_OK) {
        rc = bbi_file_sync(f->file, &ignored);
    }
    f->reserved = rc == BB_OK ? end : f->reserved;
}

int bbi_wal_close(struct bbi_wal **wal_at, struct bb_error *err)
{
    struct bbi_wal *wal = *wal_at;
    *wal_at = NULL;
    if (wal == NULL) {
        return BB_OK;
    }
    pthread_mutex_lock(&wal->lock);
    wal->stopping = true;
    pthread_cond_signal(&wal->work);
    pthread_mutex_unlock(&wal->lock);
    BB_ASSERT(pthread_join(wal->thread, NULL) == 0);
    BB_ASSERT(wal->notice_first == NULL);
    int rc = bbi_wal_status(wal, err);
    if (rc == BB_OK) {
        cut_claimed(wal->current, wal_offset(wal->current, atomic_load(&wal->end_lsn)));
    }
    destroy(wal);
    return rc;
}

/* ---- appending ---- */

/* A place for size bytes in one piece, between the newest extent and the oldest; under lock.
 * False: there is none now. */
static bool find_room(const struct bbi_wal *wal, size_t size, size_t *at)
{
    size_t cap = wal->options.buffer_bytes;
    if (wal->extent_count == 0) {
        *at = 0;
        return true;
    }
    if (wal->extent_count == WAL_EXTENTS) {
        return false;
    }
    const struct wal_extent *oldest = &wal->extents[wal->extent_first];
    const struct wal_extent *newest =
        &wal->extents[(wal->extent_first + wal->extent_count - 1) % WAL_EXTENTS];
    size_t tail = oldest->at;
    size_t head = newest->at + newest->length;
    if (newest->at < tail) {
        *at = head;
        return size <= tail - head;
    }
    if (size <= cap - head) {
        *at = head;
        return true;
    }
    *at = 0;
    return size <= tail;
}

static int refuse(struct bbi_wal *wal, struct bb_error *err)
{
    if (wal->failed) {
        *err = wal->failure;
        return err->code;
    }
    return bbi_error_set(err, BB_ENOSPC, "append to the log: no space left on device");
}

static int wait_for_room(struct bbi_wal *wal, size_t size, int64_t until, size_t *at,
                         struct bb_error *err)
{
    int rc = BB_OK;
    pthread_mutex_lock(&wal->lock);
    if (!wal->failed && !wal->disk_full && !find_room(wal, size, at)) {
        struct timespec ts = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
        wal->stats.waits += until != 0;
        while (rc == BB_OK && !wal->failed && !wal->disk_full && !find_room(wal, size, at)) {
            if (pthread_cond_timedwait(&wal->room, &wal->lock, &ts) != 0 &&
                bbi_clock_mono_ns() >= until) {
                rc = bbi_error_set(err, BB_EBUSY, "append to the log: its buffer is full");
            }
        }
    }
    if (wal->failed || wal->disk_full) {
        rc = refuse(wal, err);
    }
    pthread_mutex_unlock(&wal->lock);
    return rc;
}

int bbi_wal_wait_room(struct bbi_wal *wal, size_t payload_bytes, int64_t deadline_ns,
                      struct bb_error *err)
{
    size_t at;
    size_t cap = wal->options.buffer_bytes;
    size_t size = payload_bytes < cap ? wal_frame_bytes(payload_bytes) : cap;
    return wait_for_room(wal, size < cap ? size : cap, deadline_ns, &at, err);
}

static void build_frame(const struct bbi_wal *wal, uint8_t *out,
                        const struct bbi_wal_piece pieces[2], const struct bb_source *source,
                        uint64_t lsn)
{
    uint8_t *payload = out + WAL_FRAME_HEADER;
    uint8_t *at = payload;
    if (source != NULL) {
        wal_put_source(at, source);
        at += wal_source_bytes(source);
    }
    for (int i = 0; i < 2; i++) {
        if (pieces[i].length != 0) {
            memcpy(at, pieces[i].ptr, pieces[i].length);
            at += pieces[i].length;
        }
    }
    size_t length = (size_t)(at - payload);
    size_t padded = wal_padded(length);
    memset(at, 0, padded - length);
    wal_put_frame_header(out, &(struct wal_frame_header){
                                  .flags = (uint16_t)(source == NULL ? 0 : WAL_FLAG_SOURCE),
                                  .length = (uint32_t)length,
                                  .lsn = lsn,
                                  .commit_ns = bbi_clock_wall_ns(),
                                  .synced_lsn = atomic_load(&wal->durable_lsn),
                                  .payload_check = bbi_hash64(payload, padded),
                                  .salt = wal->current->salt,
                              });
}

/* Hand a frame at buffer + at to the sync thread. */
static void hand_over(struct bbi_wal *wal, size_t at, size_t size, uint64_t lsn)
{
    pthread_mutex_lock(&wal->lock);
    size_t last = (wal->extent_first + wal->extent_count - 1) % WAL_EXTENTS;
    struct wal_extent *e = &wal->extents[last];
    if (wal->extent_count > wal->taken_count && e->file == wal->current &&
        e->at + e->length == at) {
        e->length += size;
    } else {
        e = &wal->extents[(wal->extent_first + wal->extent_count) % WAL_EXTENTS];
        *e = (struct wal_extent){.file = wal->current,
                                 .offset = wal_offset(wal->current, lsn),
                                 .at = at,
                                 .length = size};
        wal->extent_count++;
    }
    e->end_lsn = lsn + size;
    atomic_store(&wal->end_lsn, lsn + size);
    wal->stats.frames++;
    wal->stats.bytes += size;
    pthread_cond_signal(&wal->work);
    pthread_mutex_unlock(&wal->lock);
}

static int check_size(const struct bbi_wal *wal, const struct bbi_wal_piece pieces[2],
                      const struct bb_source *source, size_t *size, struct bb_error *err)
{
    if (source != NULL && source->topic != NULL && strlen(source->topic) > BBI_WAL_TOPIC_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "append to the log: topic longer than %d bytes",
                             BBI_WAL_TOPIC_MAX);
    }
    size_t payload = wal_source_bytes(source);
    if (pieces[0].length > BBI_WAL_PAYLOAD_MAX || pieces[1].length > BBI_WAL_PAYLOAD_MAX ||
        payload + pieces[0].length + pieces[1].length > BBI_WAL_PAYLOAD_MAX ||
        wal_frame_bytes(payload + pieces[0].length + pieces[1].length) >
            wal->options.buffer_bytes) {
        return bbi_error_set(err, BB_ELIMIT, "append to the log: %llu bytes exceed its buffer",
                             (unsigned long long)pieces[0].length + pieces[1].length);
    }
    *size = wal_frame_bytes(payload + pieces[0].length + pieces[1].length);
    return BB_OK;
}

static int64_t append_deadline(const struct bbi_wal *wal)
{
    int64_t wait_ms = wal->options.append_wait_ms;
    return wait_ms < 0 ? 0 : bbi_clock_mono_ns() + wait_ms * 1000000;
}

static int append(struct bbi_wal *wal, const struct bbi_wal_piece pieces[2],
                  const struct bb_source *source, bool reserved, uint64_t *lsn,
                  struct bb_error *err)
{
    size_t size = 0;
    size_t at;
    *lsn = 0;
    int rc = check_size(wal, pieces, source, &size, err);
    if (rc != BB_OK) {
        return rc;
    }
    pthread_mutex_lock(&wal->append_lock);
    uint64_t start_lsn = atomic_load(&wal->end_lsn);
    rc = wait_for_room(wal, size, append_deadline(wal), &at, err);
    if (rc == BB_OK) {
        rc = wal_claim(wal, start_lsn, size, reserved, err);
    }
    if (rc == BB_OK) {
        build_frame(wal, wal->buffer + at, pieces, source, start_lsn);
        hand_over(wal, at, size, start_lsn);
        *lsn = start_lsn + size;
    }
    pthread_mutex_unlock(&wal->append_lock);
    return rc;
}

int bbi_wal_append(struct bbi_wal *wal, const struct bbi_wal_piece pieces[2],
                   const struct bb_source *source, uint64_t *lsn, struct bb_error *err)
{
    return append(wal, pieces, source, false, lsn, err);
}

int bbi_wal_append_reserved(struct bbi_wal *wal, const struct bbi_wal_piece pieces[2],
                            uint64_t *lsn, struct bb_error *err)
{
    return append(wal, pieces, NULL, true, lsn, err);
}

void bbi_wal_be_frugal(struct bbi_wal *wal, bool frugal)
{
    atomic_store(&wal->is_frugal, frugal);
}

/* ---- waiting ---- */

uint64_t bbi_wal_durable(const struct bbi_wal *wal)
{
    return atomic_load(&wal->durable_lsn);
}

uint64_t bbi_wal_end(const struct bbi_wal *wal)
{
    return atomic_load(&wal->end_lsn);
}

int bbi_wal_status(struct bbi_wal *wal, struct bb_error *err)
{
    if (!atomic_load(&wal->failed)) {
        return BB_OK;
    }
    *err = wal->failure;
    return err->code;
}

int bbi_wal_wait(struct bbi_wal *wal, uint64_t lsn, struct bb_error *err)
{
    BB_ASSERT(lsn <= atomic_load(&wal->end_lsn));
    if (lsn <= atomic_load(&wal->durable_lsn)) {
        return BB_OK;
    }
    pthread_mutex_lock(&wal->lock);
    while (lsn > atomic_load(&wal->durable_lsn) && !wal->failed) {
        pthread_cond_wait(&wal->durable, &wal->lock);
    }
    bool done = lsn <= atomic_load(&wal->durable_lsn);
    pthread_mutex_unlock(&wal->lock);
    return done ? BB_OK : bbi_wal_status(wal, err);
}

/* Keep the list in order of LSN: notices mostly come that way. Under lock. */
static void enlist(struct bbi_wal *wal, struct bbi_wal_notice *notice)
{
    struct bbi_wal_notice **at = &wal->notice_first;
    if (wal->notice_last != NULL && wal->notice_last->lsn <= notice->lsn) {
        at = &wal->notice_last->next;
    }
    while (*at != NULL && (*at)->lsn <= notice->lsn) {
        at = &(*at)->next;
    }
    notice->next = *at;
    *at = notice;
    if (notice->next == NULL) {
        wal->notice_last = notice;
    }
}

void bbi_wal_notify(struct bbi_wal *wal, struct bbi_wal_notice *notice)
{
    pthread_mutex_lock(&wal->lock);
    BB_ASSERT(notice->lsn <= atomic_load(&wal->end_lsn));
    bool durable = notice->lsn <= atomic_load(&wal->durable_lsn);
    bool failed = wal->failed;
    if (!durable && !failed) {
        enlist(wal, notice);
    }
    pthread_mutex_unlock(&wal->lock);
    if (durable || failed) {
        notice->fn(notice->arg, durable ? NULL : &wal->failure);
    }
}

void bbi_wal_get_stats(struct bbi_wal *wal, struct bbi_wal_stats *stats)
{
    pthread_mutex_lock(&wal->lock);
    *stats = wal->stats;
    pthread_mutex_unlock(&wal->lock);
}
