/**
 * The catalog's own state, shared by the files of this folder.
 *
 * Locks, outermost first: drop_lock (one drop of series at a time), commit_lock (one commit at a
 * time; log, committed counters), lock (schema, overlays, pending records), the index's pool of
 * readers. The rest is atomic or fixed after open.
 */
#ifndef BBI_CATALOG_INTERNAL_H
#define BBI_CATALOG_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/catalog/catalog.h"
#include "engine/catalog/catlog.h"
#include "engine/catalog/index.h"
#include "engine/catalog/overlay.h"
#include "engine/catalog/schema.h"

/** Records that no frame of the log carries yet. */
struct bbi_pending {
    struct bbi_buf records;
    struct bbi_series_writer series; /* the record of series that stands behind them */
    size_t taken;                    /* bytes of records that the frame in the making has */
    _Atomic bool any;
};

struct bbi_catalog {
    const struct bbi_fs *fs;
    struct bbi_account *acct;
    char dir[BBI_FS_PATH_MAX];
    char log_path[BBI_FS_PATH_MAX];
    char index_path[BBI_FS_PATH_MAX];
    struct bbi_index *index;
    uint64_t seed; /* of key hashes, the index's */

    pthread_mutex_t commit_lock;
    struct bbi_catlog log;
    uint64_t rewritten_bytes; /* length of the log when it was last written anew */
    bool in_doubt;            /* a commit may or may not be on disk: no more of them */
    struct bbi_record_checkpoint committed; /* counters of the last commit */
    struct bbi_next_ids *committed_ids;     /* [committed.db_count] */

    pthread_rwlock_t lock;
    struct bbi_schema schema;
    struct bbi_overlay *active;
    struct bbi_overlay *frozen; /* oldest first */
    uint64_t epoch;             /* changes when frozen overlays have gone into LMDB */
    struct bbi_pending pending;

    pthread_mutex_t drop_lock; /* from the beginning of a drop to its end; new series of the
                                * measurement wait for it, holding no other lock of this struct */
    uint32_t dropping_db_id;   /* under lock; 0: none */
    uint32_t dropping_mid;
    size_t drop_bytes; /* under lock: kept free in the active overlay's records */

    uint64_t series_max; /* of a database; 0: no limit. Fixed after the start */
    uint64_t tag_values_max;

    _Atomic uint64_t next_segment_id;
    _Atomic uint64_t commit_count;
    _Atomic uint64_t log_bytes;
};

/** Room between the segment ids given and the one that a commit notes as next. */
#define BBI_SEGMENT_ID_RESERVE 65536

void bbi_catalog_read_lock(struct bbi_catalog *cat);
void bbi_catalog_write_lock(struct bbi_catalog *cat);
void bbi_catalog_unlock(struct bbi_catalog *cat);

/** "database not found". */
int bbi_catalog_no_database(uint32_t db_id, struct bb_error *err);

/* ---- changing the schema (publish.c); the caller holds the write lock ---- */

/** Apply these records, which are new, to schema, active overlay and pending buffer. BB_ENOMEM,
 * BB_EBUSY (too much waits for the log): nothing changed. */
int bbi_catalog_publish(struct bbi_catalog *cat, const struct bbi_buf *records,
                        struct bb_error *err) BB_CHECKED;

/** Add a series that is new to active overlay and pending buffer, under the next id. */
int bbi_catalog_publish_series(struct bbi_catalog *cat, struct bbi_schema_db *db, uint32_t mid,
                               const uint8_t *key, size_t key_len, uint64_t hash, uint32_t *sid,
                               struct bb_error *err) BB_CHECKED;

/** Room for n bytes in a buffer of records; its error does not stick, so that others can go on.
 * BB_ENOMEM, BB_EBUSY. */
int bbi_catalog_reserve(struct bbi_buf *b, size_t n, struct bb_error *err) BB_CHECKED;

/** Apply a record that may be known already to schema and active overlay, not to pending: from a
 * log. Also SERIES_NEW. */
int bbi_catalog_absorb(struct bbi_catalog *cat, const struct bbi_record *record,
                       struct bb_error *err) BB_CHECKED;

/* ---- limits (limits.c) ---- */

/** Before a series is created, without a lock: have the values of its tags listed where they are
 * limited. */
int bbi_limits_prepare(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *key, size_t key_len,
                       struct bb_error *err) BB_CHECKED;

/* The caller holds the write lock. */

/** Whether one more series may be. BB_ELIMIT, in InfluxDB's words. */
int bbi_limits_check(const struct bbi_catalog *cat, const struct bbi_schema_db *db,
                     const uint8_t *key, size_t key_len, struct bb_error *err) BB_CHECKED;

/** It is. */
void bbi_limits_note(const struct bbi_catalog *cat, struct bbi_schema_db *db, uint32_t mid,
                     const uint8_t *key, size_t key_len);

/** Series of a measurement are gone. */
void bbi_limits_forget(struct bbi_schema_db *db, uint32_t mid, uint64_t series_gone);

/* ---- overlays as a reader sees them ---- */

/** The generations at one moment; while they are held, a series is in one of them, or in LMDB for
 * whoever begins to read there later, or in both. */
struct bbi_view {
    struct bbi_overlay **overlays; /* [count], oldest first */
    size_t count;
};

int bbi_view_begin(struct bbi_catalog *cat, struct bbi_view *view, struct bb_error *err) BB_CHECKED;
void bbi_view_end(struct bbi_view *view);

/** Told of one series in an overlay. Runs under the read lock: short, no calls of the catalog. */
typedef int (*bbi_view_fn)(void *arg, const struct bbi_overlay_series *series,
                           struct bb_error *err);

/** Tell of all series of a measurement (0: of the database) in a view. */
int bbi_view_each(struct bbi_catalog *cat, const struct bbi_view *view, uint32_t db_id,
                  uint32_t mid, bbi_view_fn each, void *arg, struct bb_error *err) BB_CHECKED;

/* ---- series in LMDB ---- */

/** Ids in `dropped` (may be NULL) are passed over. */
int bbi_index_find_key(struct bbi_index *index, uint32_t db_id, uint64_t hash, const uint8_t *key,
                       size_t key_len, const roaring_bitmap_t *dropped, uint32_t *mid,
                       uint32_t *sid, bool *found, struct bb_error *err) BB_CHECKED;

/** out |= all series of a measurement that LMDB has. */
int bbi_select_all(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid, roaring_bitmap_t *out,
                   struct bb_error *err) BB_CHECKED;

/* ---- copies of the schema ---- */

/** Ids of the measurements of a database, or the one that is asked for; free with bbi_mem_free.
 * BB_ENOTFOUND no such database. */
int bbi_catalog_mids(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid, uint32_t **mids,
                     size_t *count, struct bb_error *err) BB_CHECKED;

/** The schema's counters now, and the next ids of each database; the caller holds a lock. */
int bbi_catalog_counters(struct bbi_catalog *cat, struct bbi_record_checkpoint *counters,
                         struct bbi_next_ids **ids, struct bb_error *err) BB_CHECKED;

/** At start: the tag keys of the series in LMDB, into the schema. */
int bbi_catalog_load_tag_keys(struct bbi_catalog *cat, struct bb_error *err) BB_CHECKED;

/* ---- commit ---- */

/** As bbi_catalog_commit, but writes the checkpoint even if there is nothing else to write. */
int bbi_catalog_commit_always(struct bbi_catalog *cat, const struct bbi_catalog_edit *edit,
                              struct bb_error *err) BB_CHECKED;

/* The caller holds commit_lock, or is alone: */

/** Move staged records into the log's open commit once there are this many bytes of them. */
int bbi_catalog_log_stage(struct bbi_catlog *log, struct bbi_buf *stage, size_t at_least,
                          struct bb_error *err) BB_CHECKED;

/** Write catalog.log anew from LMDB, which has all of it; the old one is replaced, or kept in
 * quarantine/ if its damage is to be looked into. On failure the old one stands. */
int bbi_catalog_rewrite_log(struct bbi_catalog *cat, bool keep_old,
                            struct bb_error *err) BB_CHECKED;

/** Move a file of the data directory into quarantine/ under a name of its own; its new name is
 * appended to out. */
int bbi_catalog_quarantine(struct bbi_catalog *cat, const char *path, struct bbi_buf *out,
                           struct bb_error *err) BB_CHECKED;

#endif
