/**
 * Every file operation of the engine goes through here, so that a test can put its own disk below.
 *
 * A `struct bbi_fs` is a table of operations and its state; bbi_fs_posix() is the real one. Errors
 * name operation, path and offset; a full disk (or quota) is BB_ENOSPC, a missing file
 * BB_ENOTFOUND, anything else the system reports BB_EIO.
 *
 * Durability  a write survives a power cut only after bbi_file_sync; a created, renamed or removed
 * name only after bbi_fs_sync_dir of its directory. Thread  all functions are thread-safe; closing
 * a file while another thread uses it is the caller's error.
 */
#ifndef BBI_FS_FS_H
#define BBI_FS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

/** Longest path, its NUL included. */
#define BBI_FS_PATH_MAX 1024

/** How bbi_fs_open opens. */
enum bbi_fs_open_flags {
    BBI_FS_READ = 1,
    BBI_FS_WRITE = 2,
    BBI_FS_CREATE = 4, /* make it if it is missing */
    BBI_FS_EXCL = 8,   /* with CREATE: BB_EEXIST if it is there */
    BBI_FS_TRUNC = 16  /* empty it */
};

struct bbi_fs_stat {
    bool exists;
    bool is_dir;
    uint64_t size_bytes;
};

struct bbi_fs_space {
    uint64_t total_bytes;
    uint64_t free_bytes; /* what an ordinary process may still write */
};

/** The names in a directory, sorted bytewise, without "." and "..". */
struct bbi_fs_names {
    char **names; /* [count] */
    size_t count;
};

struct bbi_fs {
    const struct bbi_fs_ops *ops;
    void *state;
};

/** An open file or a held lock; implementations put it first in their own struct. */
struct bbi_file {
    const struct bbi_fs *fs;
    const char *path; /* as opened, for messages */
};

/** What a file system implements; contracts stand at the functions below. */
struct bbi_fs_ops {
    int (*open)(const struct bbi_fs *fs, const char *path, unsigned flags, struct bbi_file **file,
                struct bb_error *err);
    int (*read_some)(struct bbi_file *file, void *data, size_t len, uint64_t offset, size_t *got,
                     struct bb_error *err);
    int (*write)(struct bbi_file *file, const void *data, size_t len, uint64_t offset,
                 struct bb_error *err);
    int (*size)(struct bbi_file *file, uint64_t *size_bytes, struct bb_error *err);
    int (*truncate)(struct bbi_file *file, uint64_t size_bytes, struct bb_error *err);
    int (*reserve)(struct bbi_file *file, uint64_t offset, uint64_t len, struct bb_error *err);
    int (*sync)(struct bbi_file *file, struct bb_error *err);
    void (*close)(struct bbi_file *file);
    int (*rename)(const struct bbi_fs *fs, const char *from, const char *to, struct bb_error *err);
    int (*unlink)(const struct bbi_fs *fs, const char *path, struct bb_error *err);
    int (*mkdir)(const struct bbi_fs *fs, const char *path, struct bb_error *err);
    int (*sync_dir)(const struct bbi_fs *fs, const char *path, struct bb_error *err);
    int (*list)(const struct bbi_fs *fs, const char *path, struct bbi_buf *names,
                struct bb_error *err); /* appends each name and a NUL, in any order */
    int (*stat)(const struct bbi_fs *fs, const char *path, struct bbi_fs_stat *st,
                struct bb_error *err);
    int (*space)(const struct bbi_fs *fs, const char *path, struct bbi_fs_space *space,
                 struct bb_error *err);
    int (*lock)(const struct bbi_fs *fs, const char *path, struct bbi_file **lock,
                struct bb_error *err);
    int (*external_begin)(const struct bbi_fs *fs, const char *path, struct bb_error *err);
    int (*external_end)(const struct bbi_fs *fs, const char *path, bool ok, struct bb_error *err);
    int (*real_path)(const struct bbi_fs *fs, const char *path, char out[BBI_FS_PATH_MAX],
                     struct bb_error *err);
};

/** The operating system's files. */
const struct bbi_fs *bbi_fs_posix(void);

/** Open a file; flags of enum bbi_fs_open_flags, READ or WRITE or both. */
int bbi_fs_open(const struct bbi_fs *fs, const char *path, unsigned flags, struct bbi_file **file,
                struct bb_error *err) BB_CHECKED;

/** Close, releasing a lock; *file may be NULL and is nulled. Unsynced writes stay unsynced. */
void bbi_file_close(struct bbi_file **file);

/** Read exactly len bytes. BB_ECORRUPT: the file ends before. */
int bbi_file_read(struct bbi_file *file, void *data, size_t len, uint64_t offset,
                  struct bb_error *err) BB_CHECKED;

/** Read up to len bytes; *got < len only at the end of the file. */
int bbi_file_read_some(struct bbi_file *file, void *data, size_t len, uint64_t offset, size_t *got,
                       struct bb_error *err) BB_CHECKED;

/** Write all len bytes at offset, extending the file. After a failure any part may be there. */
int bbi_file_write(struct bbi_file *file, const void *data, size_t len, uint64_t offset,
                   struct bb_error *err) BB_CHECKED;

int bbi_file_size(struct bbi_file *file, uint64_t *size_bytes, struct bb_error *err) BB_CHECKED;

/** Cut or extend (with zeros). */
int bbi_file_truncate(struct bbi_file *file, uint64_t size_bytes, struct bb_error *err) BB_CHECKED;

/** Claim disk space for [offset, offset + len) so that writing there cannot meet a full disk; the
 * file is at least that long afterwards, new bytes read as zeros. Where the file system cannot
 * promise space, only the length changes. BB_ENOSPC: not that much left. */
int bbi_file_reserve(struct bbi_file *file, uint64_t offset, uint64_t len,
                     struct bb_error *err) BB_CHECKED;

/** Make the content and length durable (fdatasync). After a failure the unsynced writes may be lost
 * even if a later sync succeeds. */
int bbi_file_sync(struct bbi_file *file, struct bb_error *err) BB_CHECKED;

/** Rename within one file system, replacing `to` atomically. */
int bbi_fs_rename(const struct bbi_fs *fs, const char *from, const char *to,
                  struct bb_error *err) BB_CHECKED;

int bbi_fs_unlink(const struct bbi_fs *fs, const char *path, struct bb_error *err) BB_CHECKED;

/** Make a directory; one that is there is fine. Its parent must exist. */
int bbi_fs_mkdir(const struct bbi_fs *fs, const char *path, struct bb_error *err) BB_CHECKED;

/** Make the names in a directory durable. */
int bbi_fs_sync_dir(const struct bbi_fs *fs, const char *path, struct bb_error *err) BB_CHECKED;

/** List a directory; free the result with bbi_fs_names_fini. */
int bbi_fs_list(const struct bbi_fs *fs, const char *path, struct bbi_fs_names *names,
                struct bb_error *err) BB_CHECKED;
void bbi_fs_names_fini(struct bbi_fs_names *names);

/** A missing path is BB_OK with exists false. */
int bbi_fs_stat(const struct bbi_fs *fs, const char *path, struct bbi_fs_stat *st,
                struct bb_error *err) BB_CHECKED;

/** Space of the file system that holds path (which must exist). */
int bbi_fs_space(const struct bbi_fs *fs, const char *path, struct bbi_fs_space *space,
                 struct bb_error *err) BB_CHECKED;

/** Take the exclusive lock that the file at path stands for, without waiting; creates the file.
 * bbi_file_close releases it, as does the end of the process. BB_ELOCKED: someone holds it. */
int bbi_fs_lock(const struct bbi_fs *fs, const char *path, struct bbi_file **lock,
                struct bb_error *err) BB_CHECKED;

/**
 * Brackets around a commit of a library that writes and syncs its own file (LMDB): begin before the
 * commit, end after it, `ok` telling whether the library reported success. Nothing but the commit
 * changes the file. A failure of begin means: do not commit; of end: the commit is in doubt.
 */
int bbi_fs_external_begin(const struct bbi_fs *fs, const char *path,
                          struct bb_error *err) BB_CHECKED;
int bbi_fs_external_end(const struct bbi_fs *fs, const char *path, bool ok,
                        struct bb_error *err) BB_CHECKED;

/** Where such a library finds the file that the engine calls path. */
int bbi_fs_real_path(const struct bbi_fs *fs, const char *path, char out[BBI_FS_PATH_MAX],
                     struct bb_error *err) BB_CHECKED;

/** out = dir "/" name. BB_ELIMIT: too long. */
int bbi_fs_join(char out[BBI_FS_PATH_MAX], const char *dir, const char *name,
                struct bb_error *err) BB_CHECKED;

/** Replace dir/name by these bytes, durably: whoever looks, even after a power cut, finds the old
 * file or the new one, whole. Uses dir/name.tmp. */
int bbi_fs_write_file_atomic(const struct bbi_fs *fs, const char *dir, const char *name,
                             const void *data, size_t len, struct bb_error *err) BB_CHECKED;

/** Append the whole file to buf. BB_ELIMIT: longer than max_bytes. */
int bbi_fs_read_file(const struct bbi_fs *fs, const char *path, size_t max_bytes,
                     struct bbi_buf *buf, struct bb_error *err) BB_CHECKED;

#endif
