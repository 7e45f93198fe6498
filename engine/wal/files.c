/* The files of the log: making, claiming space, removing. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "engine/base/clock.h"
#include "engine/wal/internal.h"

/* Space is claimed ahead in steps as large as the file is, within these bounds: a small log stays
 * small, a busy one rarely asks. */
#define STEP_MIN ((uint64_t)256 << 10)
#define STEP_MAX ((uint64_t)8 << 20)

int wal_path(const char *dir, uint64_t start_lsn, char out[BBI_FS_PATH_MAX], struct bb_error *err)
{
    char name[WAL_NAME_BYTES];
    wal_name(name, start_lsn);
    return bbi_fs_join(out, dir, name, err);
}

/* Nobody who writes data can guess it, so no text of theirs passes for a frame. */
static uint32_t make_salt(void)
{
    uint32_t salt;
    if (getrandom(&salt, sizeof(salt), GRND_NONBLOCK) != (ssize_t)sizeof(salt)) {
        uint64_t now = (uint64_t)bbi_clock_mono_ns() ^ (uint64_t)(uintptr_t)&salt;
        salt = (uint32_t)((now * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
    }
    return salt;
}

void wal_free_file(struct wal_file **file)
{
    if (*file != NULL) {
        bbi_file_close(&(*file)->file);
        bbi_mem_free(*file);
        *file = NULL;
    }
}

void wal_add_file(struct bbi_wal *wal, struct wal_file *file)
{
    file->next = NULL;
    if (wal->current == NULL) {
        wal->first_file = file;
    } else {
        wal->current->next = file;
    }
    wal->current = file;
    wal->file_count++;
}

/* For files that nothing was written to. One that cannot be removed is no harm: replay passes over
 * files without content. */
static void discard_file(struct bbi_wal *wal, struct wal_file **f)
{
    char path[BBI_FS_PATH_MAX];
    struct bb_error ignored;
    int rc = wal_path(wal->dir, (*f)->start_lsn, path, &ignored);
    bool opened = (*f)->file != NULL;
    wal_free_file(f);
    if (rc == BB_OK && opened) {
        rc = bbi_fs_unlink(wal->fs, path, &ignored);
    }
}

int wal_create_file(struct bbi_wal *wal, uint64_t start_lsn, struct wal_file **out,
                    struct bb_error *err)
{
    char path[BBI_FS_PATH_MAX];
    *out = NULL;
    struct wal_file *f = bbi_mem_zalloc(wal->acct, 1, sizeof(*f));
    if (f == NULL) {
        return bbi_error_nomem(err, "log file");
    }
    f->start_lsn = start_lsn;
    f->end_lsn = start_lsn;
    f->salt = make_salt();
    int rc = wal_path(wal->dir, start_lsn, path, err);
    if (rc == BB_OK) {
        /* What may lie there is the rest of a failed attempt: positions only rise. */
        rc = bbi_fs_open(wal->fs, path, BBI_FS_READ | BBI_FS_WRITE | BBI_FS_CREATE | BBI_FS_TRUNC,
                         &f->file, err);
    }
    if (rc == BB_OK) {
        f->reserved = WAL_FILE_HEADER + wal->options.headroom_bytes;
        rc = bbi_file_reserve(f->file, 0, f->reserved, err);
        if (rc == BB_ENOSPC && wal->options.headroom_bytes != 0) {
            f->reserved = WAL_FILE_HEADER;
            rc = bbi_file_reserve(f->file, 0, f->reserved, err);
        }
    }
    if (rc != BB_OK) {
        discard_file(wal, &f);
        return rc;
    }
    *out = f;
    return BB_OK;
}

/* Claim up to offset `need` of the current file, and more if it is to be had. */
static int claim_in_file(const struct bbi_wal *wal, struct wal_file *f, uint64_t need,
                         struct bb_error *err)
{
    uint64_t file_bytes = wal->options.file_bytes;
    if (need <= f->reserved) {
        return BB_OK;
    }
    uint64_t step = need < STEP_MIN ? STEP_MIN : need;
    step = step > STEP_MAX ? STEP_MAX : step;
    uint64_t ahead = need + step;
    ahead = ahead > file_bytes ? file_bytes : ahead;
    ahead = ahead < need || atomic_load(&wal->is_frugal) ? need : ahead;
    int rc = bbi_file_reserve(f->file, f->reserved, ahead - f->reserved, err);
    if (rc == BB_ENOSPC && ahead > need) {
        ahead = need;
        rc = bbi_file_reserve(f->file, f->reserved, ahead - f->reserved, err);
    }
    if (rc == BB_OK) {
        f->reserved = ahead;
    }
    return rc;
}

/* Give back what is claimed behind the last frame of a file that takes no more. Frames on their way
 * to the file are not touched; space that stays is harmless. */
static void cut_claimed(struct wal_file *f, uint64_t end)
{
    struct bb_error ignored;
    if (f->reserved > end && bbi_file_truncate(f->file, end, &ignored) == BB_OK) {
        f->reserved = end;
    }
}

int wal_claim(struct bbi_wal *wal, uint64_t end_lsn, uint64_t bytes, bool reserved,
              struct bb_error *err)
{
    struct wal_file *f = wal->current;
    uint64_t at = wal_offset(f, end_lsn);
    if (reserved && at + bytes <= f->reserved) {
        return BB_OK;
    }
    uint64_t need = bytes + (reserved ? 0 : wal->options.headroom_bytes);
    if (end_lsn == f->start_lsn || at + bytes <= wal->options.file_bytes) {
        return claim_in_file(wal, f, at + need, err);
    }
    struct wal_file *fresh;
    int rc = wal_create_file(wal, end_lsn, &fresh, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = claim_in_file(wal, fresh, WAL_FILE_HEADER + need, err);
    if (rc != BB_OK) {
        discard_file(wal, &fresh);
        return rc;
    }
    cut_claimed(f, at);
    pthread_mutex_lock(&wal->lock);
    f->end_lsn = end_lsn;
    wal_add_file(wal, fresh);
    pthread_mutex_unlock(&wal->lock);
    return BB_OK;
}

/* ---- trim ---- */

/* Under append_lock, with nothing on its way to disk: give back what is claimed ahead. */
static int give_back(struct bbi_wal *wal, uint64_t end_lsn, struct bb_error *err)
{
    struct wal_file *f = wal->current;
    uint64_t end = wal_offset(f, end_lsn) + wal->options.headroom_bytes;
    if (f->reserved <= end) {
        return BB_OK;
    }
    int rc = bbi_file_truncate(f->file, end, err);
    if (rc == BB_OK) {
        f->reserved = end;
    }
    return rc;
}

/* Begin a new file if all of the current one is covered and on disk; else give back its claimed
 * space, if nobody needs it now. */
static int shrink_current(struct bbi_wal *wal, uint64_t lsn, struct bb_error *err)
{
    int rc = BB_OK;
    pthread_mutex_lock(&wal->append_lock);
    uint64_t end = atomic_load(&wal->end_lsn);
    struct wal_file *fresh = NULL;
    if (!atomic_load(&wal->failed) && end == atomic_load(&wal->durable_lsn)) {
        if (end <= lsn && end > wal->current->start_lsn) {
            rc = wal_create_file(wal, end, &fresh, err);
        } else {
            rc = give_back(wal, end, err);
        }
    }
    if (fresh != NULL) {
        pthread_mutex_lock(&wal->lock);
        wal->current->end_lsn = end;
        wal_add_file(wal, fresh);
        pthread_mutex_unlock(&wal->lock);
    }
    pthread_mutex_unlock(&wal->append_lock);
    return rc;
}

/* The oldest file if it is covered, else NULL. Its handle is closed by whoever frees it. */
static struct wal_file *covered_file(struct bbi_wal *wal, uint64_t lsn)
{
    pthread_mutex_lock(&wal->lock);
    struct wal_file *f = wal->first_file;
    bool covered = f != wal->current && f->end_lsn <= lsn &&
                   f->end_lsn <= atomic_load(&wal->durable_lsn);
    pthread_mutex_unlock(&wal->lock);
    return covered ? f : NULL;
}

int wal_remove_covered(struct bbi_wal *wal, uint64_t lsn, struct bb_error *err)
{
    char path[BBI_FS_PATH_MAX];
    struct wal_file *f;
    bool removed = false;
    while ((f = covered_file(wal, lsn)) != NULL) {
        int rc = wal_path(wal->dir, f->start_lsn, path, err);
        if (rc == BB_OK) {
            rc = bbi_fs_unlink(wal->fs, path, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        pthread_mutex_lock(&wal->lock);
        wal->first_file = f->next;
        wal->file_count--;
        pthread_mutex_unlock(&wal->lock);
        wal_free_file(&f);
        removed = true;
    }
    return removed ? bbi_fs_sync_dir(wal->fs, wal->dir, err) : BB_OK;
}

int bbi_wal_trim(struct bbi_wal *wal, uint64_t lsn, struct bb_error *err)
{
    pthread_mutex_lock(&wal->trim_lock);
    /* Old files first: on a full disk they make the room that a new one takes. */
    int rc = wal_remove_covered(wal, lsn, err);
    if (rc == BB_OK) {
        rc = shrink_current(wal, lsn, err);
    }
    if (rc == BB_OK) {
        rc = wal_remove_covered(wal, lsn, err);
    }
    pthread_mutex_unlock(&wal->trim_lock);
    return rc;
}

uint64_t bbi_wal_bytes(struct bbi_wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    uint64_t bytes = wal->file_count * WAL_FILE_HEADER;
    for (const struct wal_file *f = wal->first_file; f != NULL; f = f->next) {
        uint64_t end = f == wal->current ? atomic_load(&wal->end_lsn) : f->end_lsn;
        bytes += end - f->start_lsn;
    }
    pthread_mutex_unlock(&wal->lock);
    return bytes;
}
