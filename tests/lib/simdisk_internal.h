/** What the files of the simulated disk share. */
#ifndef TESTS_LIB_SIMDISK_INTERNAL_H
#define TESTS_LIB_SIMDISK_INTERNAL_H

#include <pthread.h>

#include "tests/lib/rng.h"
#include "tests/lib/simdisk.h"

/* Sparse bytes: chunks that nobody wrote are NULL and read as zeros. */
#define CHUNK_BYTES ((size_t)16384)

struct content {
    uint64_t size;
    uint8_t **chunks;
    size_t chunk_count;
};

void content_free(struct content *c);
void content_copy(struct content *to, const struct content *from);
void content_resize(struct content *c, uint64_t size);
void content_write(struct content *c, const uint8_t *data, uint64_t len, uint64_t offset);
void content_read(const struct content *c, uint8_t *data, uint64_t len, uint64_t offset);

/* A change of a file that no sync has made durable. */
enum change_kind {
    CHANGE_WRITE,
    CHANGE_RESIZE,
    CHANGE_EXTEND
};

struct change {
    struct change *next;
    enum change_kind kind;
    uint64_t offset; /* the new size, of RESIZE and EXTEND */
    uint64_t len;
    uint8_t data[];
};

struct entry {
    char *name;
    struct node *node;
};

struct entries {
    struct entry *at;
    size_t count;
};

/* A change of a directory that no sync has made durable: take away a name, then set one. */
struct dir_op {
    struct dir_op *next;
    uint64_t seq; /* rising over the whole disk */
    char *remove; /* or NULL */
    char *set;    /* or NULL */
    struct node *node;
    struct node *needs_dir; /* must have made needs_seq durable before; or NULL */
    uint64_t needs_seq;
};

struct blob {
    uint8_t *data;
    size_t len;
    bool exists;
};

/* A file or directory; lives while an entry, a directory operation or an open file refers to it. */
struct node {
    unsigned refs;
    bool is_dir;
    bool is_external;

    struct content live;
    struct content durable;
    struct change *first;
    struct change *last;
    uint64_t locked_in; /* the generation (from 1) in which it is locked */
    uint64_t rebooted_in;

    struct node *parent; /* a directory's; not a reference, directories stay */
    uint64_t created_seq;
    struct entries live_names;
    struct entries durable_names;
    struct dir_op *first_op;
    struct dir_op *last_op;
    uint64_t keep_seq; /* what a reboot keeps */

    bool in_commit;
    struct blob snapshot; /* at the last end that was well */
    struct blob after;    /* what a commit left that a cut fell into */
};

struct fault {
    unsigned ops;
    const char *path_part;
    uint64_t countdown; /* 0: off */
    int code;
    bool forever;
    uint64_t struck;
};

struct simdisk {
    struct bbi_fs fs;
    pthread_mutex_t mutex;
    struct rng rng;
    struct node *root;
    char real_dir[64];
    uint64_t generation;
    uint64_t next_seq;
    uint64_t op_count;
    uint64_t cut_countdown; /* 0: off */
    bool is_dead;
    bool trace;
    uint64_t capacity;
    uint64_t used;
    struct fault fault;
};

void *sim_alloc(size_t size);
char *sim_strdup(const char *s, size_t len);

struct node *node_create(bool is_dir);
void node_ref(struct node *node);
void node_unref(struct simdisk *disk, struct node *node);

struct node *entries_find(const struct entries *e, const char *name);
void entries_set(struct simdisk *disk, struct entries *e, const char *name, struct node *node);
void entries_remove(struct simdisk *disk, struct entries *e, const char *name);
void entries_copy(struct simdisk *disk, struct entries *to, const struct entries *from);
void entries_free(struct simdisk *disk, struct entries *e);

/** Change the live size, keeping account of what is used. */
void node_resize(struct simdisk *disk, struct node *node, uint64_t size);

void node_add_change(struct node *node, enum change_kind kind, const void *data, uint64_t len,
                     uint64_t offset);

/** All changes become durable. */
void node_sync(struct node *node);

/** Some changes become durable, the others are forgotten. */
void node_settle(struct node *node, struct rng *r);

/** Append an operation to a directory and do it in its live names. Returns its seq. */
uint64_t dir_change(struct simdisk *disk, struct node *dir, const char *take, const char *set,
                    struct node *node, struct node *needs_dir, uint64_t needs_seq);

/** Make the operations up to seq durable, and those they need. */
void dir_sync(struct simdisk *disk, struct node *dir, uint64_t seq);

/** Forget all operations that are not durable. */
void dir_forget(struct simdisk *disk, struct node *dir);

/** The real file for a path of the disk. */
void sim_real_path(const struct simdisk *disk, const char *path, char out[BBI_FS_PATH_MAX]);

void blob_free(struct blob *b);

/** The whole of a real file; exists is false if there is none. */
void blob_read(struct blob *b, const char *real_path);
void blob_write(const struct blob *b, const char *real_path);

/** Remove every file in the real directory. */
void sim_empty_real_dir(const struct simdisk *disk);

/* How an operation goes on: CUT does its work, which may or may not survive, and fails. */
enum course {
    GO,
    CUT,
    REFUSED
};

/* Where a path leads. The root is a place without a directory. */
struct place {
    struct node *dir;
    struct node *node; /* NULL: not there */
    char name[256];
};

struct simdisk *sim_disk(const struct bbi_fs *fs);

/** The disk of a file system, with its mutex held. */
struct simdisk *sim_lock_disk(const struct bbi_fs *fs);

/** Release the mutex; returns rc. */
int sim_unlock_disk(struct simdisk *disk, int rc);

/** "what path: the power is off" */
int sim_no_power(const char *what, const char *path, struct bb_error *err);

/** Count an operation down to the fault that is set. */
bool sim_fault_is_due(struct simdisk *disk, enum simdisk_op op, const char *path);

/** Every operation starts here, with the mutex held. Unless it may GO, *err says why not. */
enum course sim_start(struct simdisk *disk, enum simdisk_op op, const char *what, const char *path,
                      struct bb_error *err);

/** The operation's result so far. */
int sim_ends(enum course course, const struct bb_error *err);

/** Find directory and last name of a path, with or without power; BB_ENOTFOUND when a directory on
 * the way is missing. */
int sim_walk(struct simdisk *disk, const char *path, struct place *place, struct bb_error *err);

/** As sim_walk, but only with power. */
int sim_find(struct simdisk *disk, const char *path, struct place *place, struct bb_error *err);
int sim_find_dir(struct simdisk *disk, const char *path, struct node **dir, struct bb_error *err);

/** Whether the library's own file for a path is there; real gets its path. */
bool sim_real_exists(const struct simdisk *disk, const char *path, char real[]);

/** Put a new file at a place without one. */
void sim_create_file(struct simdisk *disk, struct place *place);

/* The operations of struct bbi_fs_ops. */
int sim_open(const struct bbi_fs *fs, const char *path, unsigned flags, struct bbi_file **file,
             struct bb_error *err);
int sim_read_some(struct bbi_file *file, void *data, size_t len, uint64_t offset, size_t *got,
                  struct bb_error *err);
int sim_write(struct bbi_file *file, const void *data, size_t len, uint64_t offset,
              struct bb_error *err);
int sim_size(struct bbi_file *file, uint64_t *size_bytes, struct bb_error *err);
int sim_truncate(struct bbi_file *file, uint64_t size_bytes, struct bb_error *err);
int sim_reserve(struct bbi_file *file, uint64_t offset, uint64_t len, struct bb_error *err);
int sim_sync(struct bbi_file *file, struct bb_error *err);
void sim_close(struct bbi_file *file);
int sim_rename(const struct bbi_fs *fs, const char *from, const char *to, struct bb_error *err);
int sim_unlink(const struct bbi_fs *fs, const char *path, struct bb_error *err);
int sim_mkdir(const struct bbi_fs *fs, const char *path, struct bb_error *err);
int sim_sync_dir(const struct bbi_fs *fs, const char *path, struct bb_error *err);
int sim_list(const struct bbi_fs *fs, const char *path, struct bbi_buf *names,
             struct bb_error *err);
int sim_stat(const struct bbi_fs *fs, const char *path, struct bbi_fs_stat *st,
             struct bb_error *err);
int sim_space(const struct bbi_fs *fs, const char *path, struct bbi_fs_space *space,
              struct bb_error *err);
int sim_lock(const struct bbi_fs *fs, const char *path, struct bbi_file **lock,
             struct bb_error *err);
int sim_external_begin(const struct bbi_fs *fs, const char *path, struct bb_error *err);
int sim_external_end(const struct bbi_fs *fs, const char *path, bool ok, struct bb_error *err);
int sim_get_real_path(const struct bbi_fs *fs, const char *path, char out[BBI_FS_PATH_MAX],
                      struct bb_error *err);

#endif
