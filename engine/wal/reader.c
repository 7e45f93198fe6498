#include "engine/wal/reader.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"

#define WINDOW_BYTES ((size_t)1 << 20)

void wal_reader_init(struct wal_reader *r, struct bbi_account *acct)
{
    *r = (struct wal_reader){.acct = acct};
}

void wal_reader_close(struct wal_reader *r)
{
    bbi_file_close(&r->file);
}

void wal_reader_fini(struct wal_reader *r)
{
    wal_reader_close(r);
    bbi_mem_free(r->window);
    wal_reader_init(r, r->acct);
}

static int grow_window(struct wal_reader *r, size_t need, struct bb_error *err)
{
    size_t cap = need < WINDOW_BYTES ? WINDOW_BYTES : need;
    if (cap <= r->window_cap) {
        return BB_OK;
    }
    bbi_mem_free(r->window);
    r->window_cap = 0;
    r->window_len = 0;
    r->window = bbi_mem_alloc(r->acct, cap);
    if (r->window == NULL) {
        return bbi_error_nomem(err, "log reader");
    }
    r->window_cap = cap;
    return BB_OK;
}

/* n bytes at an offset, in one piece; *p NULL: the file ends before. */
static int need(struct wal_reader *r, uint64_t offset, size_t n, const uint8_t **p,
                struct bb_error *err)
{
    *p = NULL;
    if (offset > r->size || n > r->size - offset) {
        return BB_OK;
    }
    if (offset < r->window_at || offset - r->window_at > r->window_len ||
        n > r->window_len - (offset - r->window_at)) {
        int rc = grow_window(r, n, err);
        if (rc != BB_OK) {
            return rc;
        }
        uint64_t left = r->size - offset;
        size_t want = left < r->window_cap ? (size_t)left : r->window_cap;
        r->window_at = offset;
        r->window_len = 0;
        rc = bbi_file_read_some(r->file, r->window, want, offset, &r->window_len, err);
        if (rc != BB_OK || n > r->window_len) {
            return rc;
        }
    }
    *p = r->window + (offset - r->window_at);
    return BB_OK;
}

int wal_reader_open(struct wal_reader *r, const struct bbi_fs *fs, const char *path,
                    uint64_t start_lsn, uint64_t limit_lsn, bool sync, struct bb_error *err)
{
    const uint8_t *bytes;
    struct wal_file_header header;
    r->start_lsn = start_lsn;
    r->limit_lsn = limit_lsn;
    r->window_len = 0;
    r->has_salt = false;
    r->has_header = false;
    int rc = bbi_fs_open(fs, path, BBI_FS_READ | BBI_FS_WRITE, &r->file, err);
    if (rc == BB_OK && sync) {
        rc = bbi_file_sync(r->file, err);
    }
    if (rc == BB_OK) {
        rc = bbi_file_size(r->file, &r->size, err);
    }
    if (rc == BB_OK) {
        rc = need(r, 0, WAL_FILE_HEADER, &bytes, err);
    }
    if (rc != BB_OK || bytes == NULL) {
        return rc;
    }
    rc = wal_get_file_header(bytes, &header, err);
    if (rc == BB_EVERSION) {
        return bbi_error_wrap(err, "%s", path);
    }
    if (rc == BB_OK && header.start_lsn == start_lsn) {
        r->has_header = true;
        r->has_salt = true;
        r->salt = header.salt;
    }
    return BB_OK;
}

static bool fits(const struct wal_reader *r, const struct wal_frame_header *h)
{
    uint64_t bytes = wal_frame_bytes(h->length);
    return h->length <= BBI_WAL_PAYLOAD_MAX && (!r->has_salt || h->salt == r->salt) &&
           bytes <= r->limit_lsn - h->lsn;
}

/* False: the frame has a source and it is malformed. */
static bool take_source(struct wal_reader *r, const struct wal_frame_header *h,
                        struct wal_found *found)
{
    if ((h->flags & WAL_FLAG_SOURCE) == 0) {
        return true;
    }
    size_t n = wal_get_source(found->frame.payload, found->frame.length, &r->source, r->topic);
    found->frame.source = &r->source;
    found->frame.payload += n;
    found->frame.length -= n;
    return n != 0;
}

int wal_reader_frame(struct wal_reader *r, uint64_t lsn, struct wal_found *found, bool *good,
                     struct bb_error *err)
{
    const uint8_t *bytes;
    struct wal_frame_header h;
    *good = false;
    uint64_t offset = wal_reader_offset(r, lsn);
    int rc = need(r, offset, WAL_FRAME_HEADER, &bytes, err);
    if (rc != BB_OK || bytes == NULL || !wal_may_be_frame(bytes, lsn) ||
        !wal_get_frame_header(bytes, &h) || !fits(r, &h)) {
        return rc;
    }
    rc = need(r, offset, (size_t)wal_frame_bytes(h.length), &bytes, err);
    if (rc != BB_OK || bytes == NULL) {
        return rc;
    }
    const uint8_t *payload = bytes + WAL_FRAME_HEADER;
    if (bbi_hash64(payload, (size_t)wal_padded(h.length)) != h.payload_check) {
        return BB_OK;
    }
    if ((h.flags & ~WAL_FLAGS_KNOWN) != 0) {
        return bbi_error_set(err, BB_EVERSION, "%s: frame at %llu is of a newer version",
                             r->file->path, (unsigned long long)lsn);
    }
    *found = (struct wal_found){.frame = {.lsn_start = lsn,
                                          .lsn_end = lsn + wal_frame_bytes(h.length),
                                          .commit_ns = h.commit_ns,
                                          .payload = payload,
                                          .length = h.length},
                                .synced_lsn = h.synced_lsn};
    *good = take_source(r, &h, found);
    if (*good) {
        r->salt = h.salt;
        r->has_salt = true;
    }
    return BB_OK;
}

int wal_reader_search(struct wal_reader *r, uint64_t lsn, struct wal_found *found, bool *good,
                      struct bb_error *err)
{
    *good = false;
    for (; lsn < r->limit_lsn; lsn += 8) {
        const uint8_t *bytes;
        int rc = need(r, wal_reader_offset(r, lsn), WAL_FRAME_HEADER, &bytes, err);
        if (rc != BB_OK || bytes == NULL) {
            return rc;
        }
        if (wal_may_be_frame(bytes, lsn)) {
            rc = wal_reader_frame(r, lsn, found, good, err);
            if (rc != BB_OK || *good) {
                return rc;
            }
        }
    }
    return BB_OK;
}

int wal_reader_written(struct wal_reader *r, uint64_t offset, uint64_t *bytes, struct bb_error *err)
{
    *bytes = 0;
    for (uint64_t at = offset; at < r->size;) {
        const uint8_t *p;
        size_t n = r->size - at < WINDOW_BYTES ? (size_t)(r->size - at) : WINDOW_BYTES;
        int rc = need(r, at, n, &p, err);
        if (rc != BB_OK || p == NULL) {
            return rc;
        }
        for (size_t i = n; i > 0; i--) {
            if (p[i - 1] != 0) {
                *bytes = at + i - offset;
                break;
            }
        }
        at += n;
    }
    return BB_OK;
}
