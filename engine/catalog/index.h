/**
 * catalog.mdb: LMDB, in four tables, each value with a checksum behind it.
 *
 *     misc      what is small: schema, segments, deletions, checkpoint, which log it follows
 *     series    (db, sid) -> measurement and key
 *     keys      (db, hash of the key) -> sids
 *     postings  (db, measurement, tag, sid >> 16) -> sids
 *
 * docs/format/catalog.md has the bytes. Reading goes through a pool of transactions that are
 * renewed rather than begun; none may be held while anything blocks. There is one writer at a time.
 *
 * LMDB allocates its own memory; only what is copied out is on accounts.
 *
 * Thread  bbi_index_read_begin and end from any thread; a reader belongs to one thread at a time.
 */
#ifndef BBI_CATALOG_INDEX_H
#define BBI_CATALOG_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/cursor.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/record.h"
#include "engine/fs/fs.h"

enum bbi_index_table {
    BBI_INDEX_MISC,
    BBI_INDEX_SERIES,
    BBI_INDEX_KEYS,
    BBI_INDEX_POSTINGS
};
#define BBI_INDEX_TABLES 4

/** LMDB's limit, and the bytes of a checksum. */
#define BBI_INDEX_KEY_MAX   511
#define BBI_INDEX_SUM_BYTES 4

/** First byte of a key in misc; the order is that in which the schema is loaded. */
enum bbi_index_misc {
    BBI_MISC_ABOUT = 1,
    BBI_MISC_DATABASE = 2,    /* db -> DATABASE_NEW */
    BBI_MISC_RP = 3,          /* rp be32 -> RP_NEW */
    BBI_MISC_MEASUREMENT = 4, /* db, mid -> MEASUREMENT_NEW */
    BBI_MISC_FIELD = 5,       /* db, field -> FIELD_NEW */
    BBI_MISC_SEGMENT = 6,     /* id be64 -> SEGMENT_ADD */
    BBI_MISC_TOMBSTONE = 7,   /* lsn be64 -> DELETE */
    BBI_MISC_CHECKPOINT = 8,  /* -> CHECKPOINT */
    BBI_MISC_USER = 9,        /* user be32 -> USER_NEW */
    BBI_MISC_USER_GONE = 10,  /* -> USER_DROP of the highest id that was dropped */
    BBI_MISC_TASK = 11,       /* db, task be32 -> TASK_NEW */
    BBI_MISC_TASK_GONE = 12   /* db -> TASK_DROP of the highest id that was dropped */
};

/** What the file says of itself. */
struct bbi_index_about {
    uint64_t log_id;  /* of the log it follows */
    uint64_t log_end; /* up to where */
    uint64_t seed;    /* of the hashes in keys */
};

struct bbi_index;
struct bbi_index_reader;
struct bbi_index_writer;

/** A key and its value without checksum, in LMDB's memory: valid while the transaction lives. */
struct bbi_index_entry {
    const uint8_t *key;
    size_t key_len;
    const uint8_t *value;
    size_t value_len;
};

/** The checksum behind a value. */
static inline uint32_t bbi_index_checksum(enum bbi_index_table table, const void *key,
                                          size_t key_len, const void *value, size_t value_len)
{
    uint64_t seed = bbi_hash64_seed(key, key_len, (uint64_t)table);
    return (uint32_t)bbi_hash64_seed(value, value_len, seed);
}

/* ---- numbers in keys ---- */

#define BBI_INDEX_UINT_MAX 5 /* bytes */

/** Append v so that the order of bytes is that of numbers: up to 240 in one byte, up to 2,287 in
 * two, 67,823 in three, else four or five (SQLite4's variable-length integers). Returns the end. */
uint8_t *bbi_index_put_uint(uint8_t *p, uint32_t v);
uint32_t bbi_index_get_uint(struct bbi_cursor *c);

/* ---- opening ---- */

/**
 * Open the file, which bbi_verify has found good, or which is not there and is created.
 *
 * path  as the engine calls it; map_bytes: address space
 * Returns BB_ECORRUPT LMDB will not have it, or it lacks a table; BB_EVERSION; BB_EIO, BB_ENOMEM.
 */
int bbi_index_open(const struct bbi_fs *fs, const char *path, uint64_t map_bytes,
                   struct bbi_account *acct, struct bbi_index **index,
                   struct bb_error *err) BB_CHECKED;

/** *index may be NULL; nulled. No reader may be open. */
void bbi_index_close(struct bbi_index **index);

const struct bbi_index_about *bbi_index_about(const struct bbi_index *index);

/** A commit failed so that it may or may not be on disk: no more commits. */
bool bbi_index_is_in_doubt(const struct bbi_index *index);

/* ---- reading ---- */

int bbi_index_read_begin(struct bbi_index *index, struct bbi_index_reader **reader,
                         struct bb_error *err) BB_CHECKED;
/** *reader may be NULL; nulled. */
void bbi_index_read_end(struct bbi_index_reader **reader);

/** The value of a key, *found false if there is none. BB_ECORRUPT: its checksum is wrong. */
int bbi_index_get(struct bbi_index_reader *reader, enum bbi_index_table table, const void *key,
                  size_t key_len, struct bbi_index_entry *entry, bool *found,
                  struct bb_error *err) BB_CHECKED;

/** The first entry whose key is not below this one, and the one after the last that was given. */
int bbi_index_seek(struct bbi_index_reader *reader, enum bbi_index_table table, const void *key,
                   size_t key_len, struct bbi_index_entry *entry, bool *found,
                   struct bb_error *err) BB_CHECKED;
int bbi_index_next(struct bbi_index_reader *reader, enum bbi_index_table table,
                   struct bbi_index_entry *entry, bool *found, struct bb_error *err) BB_CHECKED;

/** Whether an entry's key begins with these bytes. */
bool bbi_index_has_prefix(const struct bbi_index_entry *entry, const void *prefix, size_t len);

/* ---- writing ---- */

/** Begin the transaction of a commit. End with bbi_index_write_commit or _abort. */
int bbi_index_write_begin(struct bbi_index *index, struct bbi_index_writer **writer,
                          struct bb_error *err) BB_CHECKED;
void bbi_index_write_abort(struct bbi_index_writer **writer);

/** Write `about` and commit, between the file system's brackets; *writer is gone in any case.
 * BB_EREADONLY: in doubt. */
int bbi_index_write_commit(struct bbi_index_writer **writer, const struct bbi_index_about *about,
                           struct bb_error *err) BB_CHECKED;

/** The seed of the hashes in keys. */
uint64_t bbi_index_seed(const struct bbi_index_writer *writer);

/** Set a value. Keys of one table that come ascending and behind its last one fill its pages. */
int bbi_index_put(struct bbi_index_writer *writer, enum bbi_index_table table, const void *key,
                  size_t key_len, const void *value, size_t value_len,
                  struct bb_error *err) BB_CHECKED;

int bbi_index_write_get(struct bbi_index_writer *writer, enum bbi_index_table table,
                        const void *key, size_t key_len, struct bbi_index_entry *entry, bool *found,
                        struct bb_error *err) BB_CHECKED;

/** As bbi_index_seek; the entry is valid until the next change. */
int bbi_index_write_seek(struct bbi_index_writer *writer, enum bbi_index_table table,
                         const void *key, size_t key_len, struct bbi_index_entry *entry,
                         bool *found, struct bb_error *err) BB_CHECKED;

/** Remove a key, which need not be there; or all with this beginning. */
int bbi_index_delete(struct bbi_index_writer *writer, enum bbi_index_table table, const void *key,
                     size_t key_len, struct bb_error *err) BB_CHECKED;
int bbi_index_delete_prefix(struct bbi_index_writer *writer, enum bbi_index_table table,
                            const void *prefix, size_t len, struct bb_error *err) BB_CHECKED;

#endif
