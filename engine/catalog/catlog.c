#include "engine/catalog/catlog.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/hash.h"

#define MAGIC           "BUSBARCL"
#define VERSION         1
#define FRAME_MAGIC     UINT32_C(0x46434242) /* "BBCF" */
#define FRAME_AT_COMMIT 1
#define FRAME_BYTES     ((size_t)1 << 20) /* a frame closes when it has this many */
#define FRAME_MAX       ((size_t)1 << 31)
#define WINDOW_BYTES    ((size_t)256 << 10)

struct frame {
    const uint8_t *payload;
    size_t len;
    uint64_t end;
    bool at_commit;
};

uint64_t bbi_catlog_new_id(void)
{
    static _Atomic uint64_t count;
    uint64_t noise[4] = {(uint64_t)bbi_clock_wall_ns(), (uint64_t)bbi_clock_mono_ns(),
                         (uint64_t)(uintptr_t)&noise, ++count};
    uint64_t id = bbi_hash64(noise, sizeof(noise));
    return (uint32_t)id == 0 ? id + 1 : id;
}

/* In each frame, so that bytes of a key that look like a frame are not taken for one: who wrote
 * them could not know it. */
static uint32_t salt_of(const struct bbi_catlog_id *id)
{
    return (uint32_t)id->id;
}

static void log_init(struct bbi_catlog *log, const struct bbi_fs *fs, const char *path,
                     struct bbi_account *acct)
{
    *log = (struct bbi_catlog){.fs = fs, .acct = acct};
    (void)snprintf(log->path, sizeof(log->path), "%s", path);
    bbi_buf_init(&log->frame, acct, FRAME_MAX);
    bbi_buf_init(&log->window.bytes, acct, FRAME_MAX);
}

void bbi_catlog_close(struct bbi_catlog *log)
{
    bbi_file_close(&log->file);
    bbi_buf_fini(&log->frame);
    bbi_buf_fini(&log->window.bytes);
}

/* ---- reading ---- */

/* Bytes [at, at + len) of the file, which has them; valid until the next call. */
static int window_get(struct bbi_catlog *log, uint64_t file_bytes, uint64_t at, size_t len,
                      const uint8_t **p, struct bb_error *err)
{
    struct bbi_catlog_window *w = &log->window;
    *p = NULL;
    if (at < w->at || at - w->at > w->bytes.len || len > w->bytes.len - (at - w->at)) {
        size_t want = len > WINDOW_BYTES ? len : WINDOW_BYTES;
        want = want > file_bytes - at ? (size_t)(file_bytes - at) : want;
        bbi_buf_reset(&w->bytes);
        uint8_t *data = bbi_buf_reserve(&w->bytes, want);
        if (data == NULL) {
            return bbi_error_nomem(err, log->path);
        }
        int rc = bbi_file_read(log->file, data, want, at, err);
        if (rc != BB_OK) {
            return rc;
        }
        w->bytes.len = want;
        w->at = at;
    }
    *p = w->bytes.data + (at - w->at);
    return BB_OK;
}

static uint64_t frame_checksum(const uint8_t *header, const uint8_t *payload, size_t len)
{
    return bbi_hash64_seed(payload, len, bbi_hash64(header, 24));
}

static uint64_t padded(uint64_t len)
{
    return (len + 7) & ~(uint64_t)7;
}

/* The frame at `at`; good false if there is none. */
static int frame_get(struct bbi_catlog *log, uint64_t file_bytes, uint64_t at, struct frame *f,
                     bool *good, struct bb_error *err)
{
    const uint8_t *p;
    *good = false;
    if (at > file_bytes || file_bytes - at < BBI_CATLOG_FRAME_HEADER_BYTES) {
        return BB_OK;
    }
    int rc = window_get(log, file_bytes, at, BBI_CATLOG_FRAME_HEADER_BYTES, &p, err);
    if (rc != BB_OK) {
        return rc;
    }
    size_t len = bbi_get_u32(p + 4);
    uint32_t flags = bbi_get_u32(p + 16);
    uint32_t salt = bbi_get_u32(p + 20);
    if (bbi_get_u32(p) != FRAME_MAGIC || bbi_get_u64(p + 8) != at || flags > FRAME_AT_COMMIT ||
        (log->salt != 0 && salt != log->salt) ||
        padded(len) > file_bytes - at - BBI_CATLOG_FRAME_HEADER_BYTES) {
        return BB_OK;
    }
    rc = window_get(log, file_bytes, at, BBI_CATLOG_FRAME_HEADER_BYTES + len, &p, err);
    if (rc != BB_OK) {
        return rc;
    }
    *f = (struct frame){.payload = p + BBI_CATLOG_FRAME_HEADER_BYTES,
                        .len = len,
                        .end = at + BBI_CATLOG_FRAME_HEADER_BYTES + padded(len),
                        .at_commit = flags == FRAME_AT_COMMIT};
    *good = frame_checksum(p, f->payload, len) == bbi_get_u64(p + 24);
    /* Behind a broken header the first frame tells. */
    log->salt = *good ? salt : log->salt;
    return BB_OK;
}

/* The first good frame behind `at`; *found is file_bytes if there is none. */
static int resync(struct bbi_catlog *log, uint64_t file_bytes, uint64_t at, uint64_t *found,
                  struct bb_error *err)
{
    struct frame f;
    bool good;
    for (at += 8; at < file_bytes && file_bytes - at >= BBI_CATLOG_FRAME_HEADER_BYTES; at += 8) {
        int rc = frame_get(log, file_bytes, at, &f, &good, err);
        if (rc != BB_OK || good) {
            *found = at;
            return rc;
        }
    }
    *found = file_bytes;
    return BB_OK;
}

/* Walk the frames of [at, stop), passing over what is bad. each may be NULL. */
static int walk(struct bbi_catlog *log, uint64_t at, uint64_t stop, struct bbi_catlog_scan *scan,
                bbi_catlog_read_fn each, void *arg, struct bb_error *err)
{
    while (at < stop) {
        struct frame f;
        bool good;
        int rc = frame_get(log, stop, at, &f, &good, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (!good) {
            uint64_t found;
            rc = resync(log, stop, at, &found, err);
            if (rc != BB_OK || found == stop) {
                return rc;
            }
            scan->first_hole = scan->hole_count == 0 ? at : scan->first_hole;
            scan->last_hole = at;
            scan->hole_count++;
            scan->hole_bytes += found - at;
            at = found;
            continue;
        }
        scan->frame_count++;
        at = f.end;
        if (f.at_commit && each == NULL) {
            log->end = at;
            scan->first_commit_end = scan->first_commit_end == 0 ? at : scan->first_commit_end;
        }
        if (each != NULL) {
            struct bbi_cursor c;
            bbi_cursor_init(&c, f.payload, f.len);
            rc = each(arg, &c, f.end, f.at_commit, err);
            if (rc != BB_OK) {
                return rc;
            }
        }
    }
    return BB_OK;
}

int bbi_catlog_read(struct bbi_catlog *log, uint64_t from, bbi_catlog_read_fn each, void *arg,
                    struct bb_error *err)
{
    struct bbi_catlog_scan ignored = {.exists = true};
    from = from < BBI_CATLOG_HEADER_BYTES ? BBI_CATLOG_HEADER_BYTES : from;
    int rc = walk(log, from, log->end, &ignored, each, arg, err);
    return rc == BB_OK ? rc : bbi_error_wrap(err, "%s", log->path);
}

/* ---- opening ---- */

static int read_header(struct bbi_catlog *log, struct bbi_catlog_scan *scan, struct bb_error *err)
{
    const uint8_t *p;
    int rc = bbi_file_size(log->file, &scan->file_bytes, err);
    if (rc != BB_OK || scan->file_bytes < BBI_CATLOG_HEADER_BYTES) {
        return rc;
    }
    rc = window_get(log, scan->file_bytes, 0, BBI_CATLOG_HEADER_BYTES, &p, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (memcmp(p, MAGIC, 8) != 0 || bbi_hash64(p, 40) != bbi_get_u64(p + 40)) {
        return BB_OK;
    }
    if (bbi_get_u32(p + 8) != VERSION) {
        return bbi_error_set(err, BB_EVERSION, "%s: format %u, this program knows %d", log->path,
                             bbi_get_u32(p + 8), VERSION);
    }
    log->id = (struct bbi_catlog_id){bbi_get_u64(p + 16), bbi_get_u64(p + 24), bbi_get_u64(p + 32)};
    log->salt = salt_of(&log->id);
    scan->header_is_good = true;
    return BB_OK;
}

int bbi_catlog_open(const struct bbi_fs *fs, const char *path, struct bbi_account *acct,
                    struct bbi_catlog *log, struct bbi_catlog_scan *scan, struct bb_error *err)
{
    struct bbi_fs_stat st;
    log_init(log, fs, path, acct);
    *scan = (struct bbi_catlog_scan){.exists = false};
    int rc = bbi_fs_stat(fs, path, &st, err);
    if (rc != BB_OK || !st.exists) {
        return rc;
    }
    scan->exists = true;
    rc = bbi_fs_open(fs, path, BBI_FS_READ | BBI_FS_WRITE, &log->file, err);
    if (rc == BB_OK) {
        rc = read_header(log, scan, err);
    }
    /* Frames behind a bad header are read all the same. */
    log->end = BBI_CATLOG_HEADER_BYTES;
    if (rc == BB_OK && scan->file_bytes > BBI_CATLOG_HEADER_BYTES) {
        rc = walk(log, BBI_CATLOG_HEADER_BYTES, scan->file_bytes, scan, NULL, NULL, err);
    }
    log->append_at = log->end;
    log->tail_is_dirty = scan->file_bytes > log->end;
    if (rc != BB_OK) {
        bbi_catlog_close(log);
    }
    return rc;
}

int bbi_catlog_create(const struct bbi_fs *fs, const char *path, const struct bbi_catlog_id *id,
                      struct bbi_account *acct, struct bbi_catlog *log, struct bb_error *err)
{
    uint8_t header[BBI_CATLOG_HEADER_BYTES] = {0};
    log_init(log, fs, path, acct);
    log->id = *id;
    log->salt = salt_of(id);
    log->end = sizeof(header);
    log->append_at = sizeof(header);
    memcpy(header, MAGIC, 8);
    bbi_put_u32(header + 8, VERSION);
    bbi_put_u64(header + 16, id->id);
    bbi_put_u64(header + 24, id->base_id);
    bbi_put_u64(header + 32, id->base_end);
    bbi_put_u64(header + 40, bbi_hash64(header, 40));
    int rc = bbi_fs_open(fs, path, BBI_FS_READ | BBI_FS_WRITE | BBI_FS_CREATE | BBI_FS_TRUNC,
                         &log->file, err);
    if (rc == BB_OK) {
        rc = bbi_file_write(log->file, header, sizeof(header), 0, err);
    }
    if (rc != BB_OK) {
        bbi_catlog_close(log);
    }
    return rc;
}

/* ---- appending ---- */

static int write_frame(struct bbi_catlog *log, bool at_commit, struct bb_error *err)
{
    size_t len = log->frame.len - BBI_CATLOG_FRAME_HEADER_BYTES;
    uint8_t *p = log->frame.data;
    bbi_put_u32(p, FRAME_MAGIC);
    bbi_put_u32(p + 4, (uint32_t)len);
    bbi_put_u64(p + 8, log->append_at);
    bbi_put_u32(p + 16, at_commit ? FRAME_AT_COMMIT : 0);
    bbi_put_u32(p + 20, log->salt);
    bbi_put_u64(p + 24, frame_checksum(p, p + BBI_CATLOG_FRAME_HEADER_BYTES, len));
    bbi_buf_zero(&log->frame, (size_t)(padded(len) - len));
    int rc = bbi_buf_check(&log->frame, log->path, err);
    if (rc == BB_OK) {
        log->tail_is_dirty = true;
        rc = bbi_file_write(log->file, log->frame.data, log->frame.len, log->append_at, err);
    }
    if (rc == BB_OK) {
        log->append_at += log->frame.len;
        bbi_buf_reset(&log->frame);
    }
    return rc;
}

/* An empty frame to fill; before the first of a commit, what an earlier one left goes. */
static int start_frame(struct bbi_catlog *log, struct bb_error *err)
{
    if (log->frame.len != 0) {
        return BB_OK;
    }
    if (log->append_at == log->end && log->tail_is_dirty) {
        int rc = bbi_file_truncate(log->file, log->end, err);
        if (rc != BB_OK) {
            return rc;
        }
        log->tail_is_dirty = false;
    }
    bbi_buf_zero(&log->frame, BBI_CATLOG_FRAME_HEADER_BYTES);
    return bbi_buf_check(&log->frame, log->path, err);
}

int bbi_catlog_add(struct bbi_catlog *log, const void *records, size_t len, struct bb_error *err)
{
    if (len > FRAME_MAX / 2) {
        return bbi_error_set(err, BB_ELIMIT, "%s: a record of %zu bytes", log->path, len);
    }
    if (log->frame.len + len > FRAME_BYTES && log->frame.len > BBI_CATLOG_FRAME_HEADER_BYTES) {
        int rc = write_frame(log, false, err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    int rc = start_frame(log, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_buf_put(&log->frame, records, len);
    return bbi_buf_check(&log->frame, log->path, err);
}

int bbi_catlog_commit(struct bbi_catlog *log, struct bb_error *err)
{
    int rc = start_frame(log, err);
    if (rc == BB_OK) {
        rc = write_frame(log, true, err);
    }
    if (rc == BB_OK) {
        rc = bbi_file_sync(log->file, err);
    }
    if (rc == BB_OK) {
        log->end = log->append_at;
        log->tail_is_dirty = false;
        log->window.bytes.len = 0;
    }
    return rc;
}

void bbi_catlog_abort(struct bbi_catlog *log)
{
    log->append_at = log->end;
    bbi_buf_reset(&log->frame);
}

int bbi_catlog_rewind(struct bbi_catlog *log, uint64_t end, struct bb_error *err)
{
    BB_ASSERT(end <= log->end);
    log->end = end;
    log->tail_is_dirty = true;
    bbi_catlog_abort(log);
    log->window.bytes.len = 0;
    int rc = bbi_file_truncate(log->file, end, err);
    if (rc == BB_OK) {
        rc = bbi_file_sync(log->file, err);
    }
    if (rc == BB_OK) {
        log->tail_is_dirty = false;
    }
    return rc;
}
