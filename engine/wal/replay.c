/**
 * Reading the log when it is opened.
 *
 * Frames follow one another; where a position has no good frame, the log ends there or is damaged.
 * It is damaged, for certain, if something later proves that the position had been synced: a good
 * frame whose synced LSN lies above it, or the header of a later file, which is written only after
 * all files before are on disk. Then reading goes on at the next good frame. Else what follows
 * never was acknowledged, and the log is cut there.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/wal/internal.h"
#include "engine/wal/reader.h"

#define COPY_BYTES ((size_t)1 << 20)

struct listed {
    uint64_t start_lsn;
    uint64_t size; /* after the cut; of files read */
    uint32_t salt; /* of files with a header */
    bool has_header;
    bool damaged;
};

struct scan {
    struct bbi_wal *wal;
    const struct wal_replay *what;
    struct wal_reader reader;
    struct wal_reader later; /* looks ahead for proof */
    struct listed *files;    /* [count] by rising start */
    size_t count;
    uint64_t lsn;        /* everything below is settled */
    uint64_t proven_lsn; /* had been synced, as some frame delivered says */
    bool over;
    bool cut; /* the log ends at lsn, in the file that was read last, and not by itself */
};

/* ---- what was found ---- */

static void report_damage(struct scan *s, uint64_t from, uint64_t to, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void report_damage(struct scan *s, uint64_t from, uint64_t to, const char *fmt, ...)
{
    struct bbi_wal_report *report = s->what->report;
    size_t used = strlen(report->message);
    va_list args;
    report->corrupt_ranges++;
    report->corrupt_bytes += to - from;
    if (used > 0 && used + 2 < sizeof(report->message)) {
        memcpy(report->message + used, "; ", 3);
        used += 2;
    }
    va_start(args, fmt);
    vsnprintf(report->message + used, sizeof(report->message) - used, fmt, args);
    va_end(args);
}

static int copy_file(struct bbi_wal *wal, const char *from, const char *to, struct bb_error *err)
{
    struct bbi_file *in = NULL;
    struct bbi_file *out = NULL;
    uint8_t *data = bbi_mem_alloc(wal->acct, COPY_BYTES);
    size_t got = COPY_BYTES;
    int rc = data == NULL ? bbi_error_nomem(err, "copy") : BB_OK;
    if (rc == BB_OK) {
        rc = bbi_fs_open(wal->fs, from, BBI_FS_READ, &in, err);
    }
    if (rc == BB_OK) {
        rc = bbi_fs_open(wal->fs, to, BBI_FS_WRITE | BBI_FS_CREATE | BBI_FS_TRUNC, &out, err);
    }
    for (uint64_t at = 0; rc == BB_OK && got == COPY_BYTES; at += got) {
        rc = bbi_file_read_some(in, data, COPY_BYTES, at, &got, err);
        if (rc == BB_OK && got > 0) {
            rc = bbi_file_write(out, data, got, at, err);
        }
    }
    if (rc == BB_OK) {
        rc = bbi_file_sync(out, err);
    }
    bbi_file_close(&in);
    bbi_file_close(&out);
    bbi_mem_free(data);
    return rc;
}

/* Keep a copy of a damaged file, under its own name, made aside so that it is whole. */
static int quarantine(struct scan *s, uint64_t start_lsn, struct bb_error *err)
{
    char name[WAL_NAME_BYTES + 4];
    char from[BBI_FS_PATH_MAX];
    char to[BBI_FS_PATH_MAX];
    char aside[BBI_FS_PATH_MAX];
    struct bbi_fs_stat there;
    const struct bbi_fs *fs = s->wal->fs;
    const char *dir = s->what->quarantine_dir;
    int rc = wal_path(s->wal->dir, start_lsn, from, err);
    rc = rc == BB_OK ? wal_path(dir, start_lsn, to, err) : rc;
    wal_name(name, start_lsn);
    memcpy(name + WAL_NAME_BYTES - 1, ".tmp", 5);
    rc = rc == BB_OK ? bbi_fs_join(aside, dir, name, err) : rc;
    rc = rc == BB_OK ? bbi_fs_stat(fs, to, &there, err) : rc;
    if (rc != BB_OK || there.exists) {
        return rc;
    }
    rc = copy_file(s->wal, from, aside, err);
    if (rc == BB_OK) {
        rc = bbi_fs_rename(fs, aside, to, err);
    }
    return rc == BB_OK ? bbi_fs_sync_dir(fs, dir, err) : rc;
}

/* The file is damaged; a copy that cannot be made is no reason not to go on. */
static void mark_damaged(struct scan *s, struct listed *f)
{
    struct bb_error err;
    if (f->damaged) {
        return;
    }
    f->damaged = true;
    if (s->what->quarantine_dir != NULL && quarantine(s, f->start_lsn, &err) != BB_OK) {
        struct bbi_wal_report *report = s->what->report;
        size_t used = strlen(report->message);
        snprintf(report->message + used, sizeof(report->message) - used, " (not copied: %s)",
                 err.text);
    }
}

/* ---- proof ---- */

static uint64_t limit_of(const struct scan *s, size_t i)
{
    return i + 1 < s->count ? s->files[i + 1].start_lsn : UINT64_MAX & ~UINT64_C(7);
}

static int open_reader(struct scan *s, struct wal_reader *r, size_t i, bool sync,
                       struct bb_error *err)
{
    char path[BBI_FS_PATH_MAX];
    int rc = wal_path(s->wal->dir, s->files[i].start_lsn, path, err);
    if (rc != BB_OK) {
        return rc;
    }
    return wal_reader_open(r, s->wal->fs, path, s->files[i].start_lsn, limit_of(s, i), sync, err);
}

/* Whether a good frame of this reader from search_lsn on had its synced LSN above lsn. *first gets
 * the first good frame's position, if there is one. */
static int frames_prove(struct wal_reader *r, uint64_t search_lsn, uint64_t lsn, bool *proven,
                        uint64_t *first, struct bb_error *err)
{
    struct wal_found found;
    bool good = true;
    bool any = false;
    *proven = false;
    while (!*proven) {
        int rc = wal_reader_search(r, search_lsn, &found, &good, err);
        if (rc != BB_OK || !good) {
            return rc;
        }
        if (!any) {
            *first = found.frame.lsn_start;
            any = true;
        }
        *proven = found.synced_lsn > lsn;
        search_lsn = found.frame.lsn_end;
    }
    return BB_OK;
}

/* Whether a file behind the i-th proves that lsn, which is not in it, had been synced. */
static int later_proves(struct scan *s, size_t i, uint64_t lsn, bool *proven, struct bb_error *err)
{
    *proven = false;
    int rc = BB_OK;
    for (i++; rc == BB_OK && !*proven && i < s->count; i++) {
        uint64_t ignored;
        rc = open_reader(s, &s->later, i, true, err);
        if (rc == BB_OK) {
            *proven = s->later.has_header;
        }
        if (rc == BB_OK && !*proven) {
            rc = frames_prove(&s->later, s->files[i].start_lsn, lsn, proven, &ignored, err);
        }
        wal_reader_close(&s->later);
    }
    return rc;
}

/* Whether anything from search_lsn of the i-th file on proves that lsn had been synced, and where
 * reading goes on if so. */
static int prove(struct scan *s, size_t i, uint64_t search_lsn, uint64_t lsn, bool *proven,
                 uint64_t *go_on, struct bb_error *err)
{
    *go_on = limit_of(s, i);
    int rc = frames_prove(&s->reader, search_lsn, lsn, proven, go_on, err);
    if (rc == BB_OK && !*proven) {
        rc = later_proves(s, i, lsn, proven, err);
    }
    return rc;
}

/* ---- reading ---- */

static int deliver(struct scan *s, const struct wal_found *found, struct bb_error *err)
{
    struct bbi_wal_report *report = s->what->report;
    report->frames++;
    report->bytes += found->frame.lsn_end - found->frame.lsn_start;
    s->lsn = found->frame.lsn_end;
    s->proven_lsn = found->synced_lsn > s->proven_lsn ? found->synced_lsn : s->proven_lsn;
    if (s->what->deliver == NULL) {
        return BB_OK;
    }
    return s->what->deliver(s->what->deliver_arg, &found->frame, err);
}

/* The log ends here; what follows in this file and those behind never was acknowledged. */
static void cut_here(struct scan *s, size_t i, uint64_t written)
{
    s->what->report->torn_bytes += written;
    s->files[i].size = wal_reader_offset(&s->reader, s->lsn);
    s->count = i + 1;
    s->over = true;
    s->cut = true;
}

/* No good frame at s->lsn of the i-th file: the end, a torn tail, or damage. */
static int settle(struct scan *s, size_t i, struct bb_error *err)
{
    uint64_t offset = wal_reader_offset(&s->reader, s->lsn);
    bool proven;
    uint64_t go_on;
    uint64_t written;
    if (offset >= s->reader.size && i + 1 == s->count) {
        s->over = true;
        return BB_OK;
    }
    int rc = wal_reader_written(&s->reader, offset, &written, err);
    if (rc == BB_OK) {
        rc = prove(s, i, s->lsn + 8, s->lsn, &proven, &go_on, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    if (!proven) {
        cut_here(s, i, written);
        return BB_OK;
    }
    if (written == 0) {
        report_damage(s, s->lsn, go_on, "log from LSN %llu to %llu is missing behind %s",
                      (unsigned long long)s->lsn, (unsigned long long)go_on, s->reader.file->path);
    } else {
        report_damage(s, s->lsn, go_on, "%s: bytes %llu to %llu (LSN %llu to %llu) are damaged",
                      s->reader.file->path, (unsigned long long)offset,
                      (unsigned long long)wal_reader_offset(&s->reader, go_on),
                      (unsigned long long)s->lsn, (unsigned long long)go_on);
        mark_damaged(s, &s->files[i]);
    }
    s->lsn = go_on;
    return BB_OK;
}

/* A file without a good header: never synced, or damaged. */
static int settle_header(struct scan *s, size_t i, struct bb_error *err)
{
    uint64_t start = s->files[i].start_lsn;
    bool proven = s->lsn > start;
    uint64_t go_on;
    uint64_t written;
    int rc = proven ? BB_OK : prove(s, i, start, start, &proven, &go_on, err);
    if (rc == BB_OK && !proven) {
        rc = wal_reader_written(&s->reader, 0, &written, err);
        if (rc == BB_OK) {
            cut_here(s, i, written);
        }
        return rc;
    }
    if (rc != BB_OK) {
        return rc;
    }
    report_damage(s, 0, 0, "%s: the header is damaged", s->reader.file->path);
    mark_damaged(s, &s->files[i]);
    return BB_OK;
}

static int read_frames(struct scan *s, size_t i, struct bb_error *err)
{
    int rc = BB_OK;
    while (rc == BB_OK && !s->over && s->lsn < limit_of(s, i)) {
        struct wal_found found;
        bool good;
        rc = wal_reader_frame(&s->reader, s->lsn, &found, &good, err);
        if (rc == BB_OK) {
            rc = good ? deliver(s, &found, err) : settle(s, i, err);
        }
    }
    return rc;
}

static int read_file(struct scan *s, size_t i, struct bb_error *err)
{
    struct listed *f = &s->files[i];
    int rc = open_reader(s, &s->reader, i, true, err);
    if (rc != BB_OK) {
        return rc;
    }
    f->size = s->reader.size;
    f->has_header = s->reader.has_header;
    f->salt = s->reader.salt;
    if (s->lsn < f->start_lsn) {
        /* Only before the first: between files, the one before has settled it. */
        report_damage(s, s->lsn, f->start_lsn, "log from LSN %llu to %llu is missing",
                      (unsigned long long)s->lsn, (unsigned long long)f->start_lsn);
        s->lsn = f->start_lsn;
    }
    if (!f->has_header) {
        rc = settle_header(s, i, err);
    }
    if (rc == BB_OK) {
        rc = read_frames(s, i, err);
    }
    wal_reader_close(&s->reader);
    return rc;
}

/* ---- listing and setting up ---- */

static int unlink_file(struct scan *s, uint64_t start_lsn, struct bb_error *err)
{
    char path[BBI_FS_PATH_MAX];
    int rc = wal_path(s->wal->dir, start_lsn, path, err);
    return rc == BB_OK ? bbi_fs_unlink(s->wal->fs, path, err) : rc;
}

static int list_files(struct scan *s, struct bb_error *err)
{
    struct bbi_fs_names names;
    int rc = bbi_fs_list(s->wal->fs, s->wal->dir, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    s->files = bbi_mem_zalloc(s->wal->acct, names.count, sizeof(*s->files));
    if (s->files == NULL) {
        bbi_fs_names_fini(&names);
        return bbi_error_nomem(err, "list of log files");
    }
    for (size_t i = 0; i < names.count; i++) {
        uint64_t start_lsn;
        if (wal_parse_name(names.names[i], &start_lsn)) {
            s->files[s->count++].start_lsn = start_lsn;
        }
    }
    bbi_fs_names_fini(&names);
    return BB_OK;
}

static int is_blank(struct scan *s, size_t i, bool *blank, struct bb_error *err)
{
    uint64_t written = 1;
    int rc = open_reader(s, &s->reader, i, false, err);
    if (rc == BB_OK && !s->reader.has_header) {
        rc = wal_reader_written(&s->reader, 0, &written, err);
    }
    wal_reader_close(&s->reader);
    *blank = written == 0;
    return rc;
}

/* Drop files that nothing was written to, as a failed append or the start of a file leaves them:
 * their names say little, since the file before may have taken more frames after all. Where there
 * is nothing else, the last name still tells how far the log had come. */
static int drop_blank_files(struct scan *s, struct bb_error *err)
{
    size_t kept = 0;
    uint64_t last_lsn = s->lsn;
    for (size_t i = 0; i < s->count; i++) {
        bool blank;
        int rc = is_blank(s, i, &blank, err);
        if (rc == BB_OK && blank) {
            last_lsn = s->files[i].start_lsn;
            rc = unlink_file(s, last_lsn, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        if (!blank) {
            s->files[kept++] = s->files[i];
        }
    }
    s->count = kept;
    s->lsn = kept == 0 && last_lsn > s->lsn ? last_lsn : s->lsn;
    return BB_OK;
}

/* Remove what stands behind the cut, for good before anything is appended: a file that came back
 * would stand in the middle of later ones. The last goes first, so that a stop half-way leaves a
 * log that is cut at the same place. */
static int apply_cut(struct scan *s, size_t listed_count, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = listed_count; rc == BB_OK && i > s->count; i--) {
        rc = unlink_file(s, s->files[i - 1].start_lsn, err);
    }
    const struct listed *last = &s->files[s->count - 1];
    if (rc == BB_OK && !last->has_header && !last->damaged) {
        rc = unlink_file(s, last->start_lsn, err);
        s->count--;
        return rc == BB_OK ? bbi_fs_sync_dir(s->wal->fs, s->wal->dir, err) : rc;
    }
    char path[BBI_FS_PATH_MAX];
    struct bbi_file *file = NULL;
    rc = rc == BB_OK ? wal_path(s->wal->dir, last->start_lsn, path, err) : rc;
    rc = rc == BB_OK ? bbi_fs_open(s->wal->fs, path, BBI_FS_WRITE, &file, err) : rc;
    rc = rc == BB_OK ? bbi_file_truncate(file, last->size, err) : rc;
    rc = rc == BB_OK ? bbi_file_sync(file, err) : rc;
    bbi_file_close(&file);
    return rc == BB_OK ? bbi_fs_sync_dir(s->wal->fs, s->wal->dir, err) : rc;
}

/* Write the frames of the last file that nothing proves to be on disk once more, in place. A sync
 * of theirs may have failed before the process ended; then the system shows them, and a second sync
 * would claim success without writing them. */
static int write_tail_again(struct scan *s, struct bb_error *err)
{
    const struct listed *last = &s->files[s->count - 1];
    uint64_t lsn = s->proven_lsn > last->start_lsn ? s->proven_lsn : last->start_lsn;
    uint64_t at = WAL_FILE_HEADER + (lsn - last->start_lsn);
    struct bbi_file *file = NULL;
    char path[BBI_FS_PATH_MAX];
    uint8_t *data = bbi_mem_alloc(s->wal->acct, COPY_BYTES);
    int rc = data == NULL ? bbi_error_nomem(err, "log") : BB_OK;
    rc = rc == BB_OK ? wal_path(s->wal->dir, last->start_lsn, path, err) : rc;
    rc = rc == BB_OK ? bbi_fs_open(s->wal->fs, path, BBI_FS_READ | BBI_FS_WRITE, &file, err) : rc;
    at = lsn == last->start_lsn ? 0 : at;
    while (rc == BB_OK && at < last->size) {
        size_t n = last->size - at < COPY_BYTES ? (size_t)(last->size - at) : COPY_BYTES;
        rc = bbi_file_read(file, data, n, at, err);
        rc = rc == BB_OK ? bbi_file_write(file, data, n, at, err) : rc;
        at += n;
    }
    rc = rc == BB_OK ? bbi_file_sync(file, err) : rc;
    bbi_file_close(&file);
    bbi_mem_free(data);
    return rc;
}

static int keep_file(struct scan *s, const struct listed *f, uint64_t end_lsn, bool open,
                     struct bb_error *err)
{
    char path[BBI_FS_PATH_MAX];
    struct wal_file *file = bbi_mem_zalloc(s->wal->acct, 1, sizeof(*file));
    if (file == NULL) {
        return bbi_error_nomem(err, "log file");
    }
    file->start_lsn = f->start_lsn;
    file->end_lsn = end_lsn;
    file->reserved = f->size;
    file->salt = f->salt;
    file->has_header = true;
    int rc = open ? wal_path(s->wal->dir, f->start_lsn, path, err) : BB_OK;
    if (rc == BB_OK && open) {
        rc = bbi_fs_open(s->wal->fs, path, BBI_FS_READ | BBI_FS_WRITE, &file->file, err);
    }
    if (rc != BB_OK) {
        wal_free_file(&file);
        return rc;
    }
    wal_add_file(s->wal, file);
    return BB_OK;
}

/* Appending goes on in the last file if it ends at the end of the log and is sound. */
static int set_up(struct scan *s, struct bb_error *err)
{
    struct bbi_wal *wal = s->wal;
    bool go_on = false;
    if (s->count > 0) {
        const struct listed *last = &s->files[s->count - 1];
        go_on = last->has_header && !last->damaged &&
                last->size == WAL_FILE_HEADER + (s->lsn - last->start_lsn);
        if (!go_on && last->start_lsn == s->lsn) {
            s->count--; /* holds nothing; the new file takes its name */
        }
    }
    int rc = s->count > 0 ? write_tail_again(s, err) : BB_OK;
    for (size_t i = 0; rc == BB_OK && i < s->count; i++) {
        bool last = i + 1 == s->count;
        rc = keep_file(s, &s->files[i], last ? s->lsn : s->files[i + 1].start_lsn, last && go_on,
                       err);
    }
    if (rc == BB_OK && !go_on) {
        struct wal_file *fresh;
        rc = wal_create_file(wal, s->lsn, &fresh, err);
        if (rc == BB_OK) {
            wal_add_file(wal, fresh);
        }
    }
    atomic_store(&wal->end_lsn, s->lsn);
    atomic_store(&wal->durable_lsn, s->lsn);
    return rc;
}

static int scan_log(struct scan *s, struct bb_error *err)
{
    int rc = list_files(s, err);
    if (rc == BB_OK) {
        rc = drop_blank_files(s, err);
    }
    size_t listed_count = s->count;
    if (rc == BB_OK) {
        rc = bbi_fs_sync_dir(s->wal->fs, s->wal->dir, err);
    }
    for (size_t i = 0; rc == BB_OK && !s->over && i < s->count; i++) {
        if (limit_of(s, i) > s->lsn) {
            rc = read_file(s, i, err);
        }
    }
    if (rc == BB_OK && s->cut) {
        rc = apply_cut(s, listed_count, err);
    }
    return rc == BB_OK ? set_up(s, err) : rc;
}

int wal_replay(struct bbi_wal *wal, const struct wal_replay *what, struct bb_error *err)
{
    struct scan s = {.wal = wal, .what = what, .lsn = what->from_lsn};
    struct bb_error ignored;
    wal_reader_init(&s.reader, wal->acct);
    wal_reader_init(&s.later, wal->acct);
    int rc = scan_log(&s, err);
    if (rc == BB_OK && wal_remove_covered(wal, what->from_lsn, &ignored) != BB_OK) {
        rc = BB_OK; /* the next trim tries again */
    }
    wal_reader_fini(&s.later);
    wal_reader_fini(&s.reader);
    bbi_mem_free(s.files);
    return rc == BB_OK ? BB_OK : bbi_error_wrap(err, "log");
}
