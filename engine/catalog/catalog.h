/**
 * The catalog: which databases, policies, measurements, fields and series there are, which series
 * have which tags, which segments and deletions are in force.
 *
 * Three layers hold it. The schema (databases, policies, measurements, fields) is in memory. Series
 * are in LMDB (catalog.mdb): series by id, ids by the hash of their key, postings by tag. What came
 * since the last commit is in the overlay, in memory, in generations. Below all stands catalog.log,
 * append-only and checksummed: it is the truth, and catalog.mdb can be rebuilt from it.
 *
 * Life of a series. Resolving an unknown key assigns an id, puts the series into the active overlay
 * and a record into the pending buffer, both at once; from then on any writer may use the id.
 * Whoever appends the next frame to the log puts all pending records before its own
 * (bbi_catalog_take_pending), so that each record precedes its uses. When the memtable rotates, so
 * does the overlay (bbi_catalog_rotate); when the flush is on disk, bbi_catalog_commit writes the
 * frozen overlay and the flush's edit to catalog.log, syncs it, and applies both to LMDB in one
 * transaction. A failed commit leaves the frozen overlay to the next one.
 *
 * Readers see overlay and LMDB together, without gap or duplicate, whatever is committed meanwhile.
 * No LMDB reader lives while a callback runs or memory is waited for.
 *
 * Ids are never reused: of databases and policies in the server, of the rest in their database. A
 * database id below the next one that is not there has been dropped; records about it are ignored.
 *
 * Memory  the overlay, the schema and all results are on accounts. CRoaring 0.2 (Debian 12) has no
 * hooks for memory: bitmaps of results are the caller's, who charges bbi_bitmap_bytes() where they
 * are big or live long. LMDB maps its file and allocates its dirty pages itself.
 *
 * Thread  all functions may be called from any thread at any time, but for open and close, and but
 * for take_pending, pending_done and rotate, whose callers hold the engine's write lock.
 */
#ifndef BBI_CATALOG_CATALOG_H
#define BBI_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <roaring/roaring.h>

#include "engine/base/batch.h"
#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/meta.h"
#include "engine/base/record.h"
#include "engine/catalog/key.h"
#include "engine/fs/fs.h"

struct bbi_catalog;

/** Longest name of a database or a policy. */
#define BBI_DB_NAME_MAX 255

/* ---- open, close ---- */

struct bbi_catalog_options {
    uint64_t map_bytes; /* address space of LMDB, reserved once; 0: 64 GiB */
};

/** Tells the metas of the segment files on disk, asked for only when catalog.log is damaged: calls
 * add for each. */
typedef int (*bbi_catalog_list_segments_fn)(
    void *arg, int (*add)(void *add_arg, const struct bbi_segment_meta *meta, struct bb_error *err),
    void *add_arg, struct bb_error *err);

/** What the catalog knew when it was opened. Free with bbi_catalog_state_fini;
 * whoever takes a tombstone's series over puts NULL there. */
struct bbi_catalog_state {
    uint64_t checkpoint_lsn;           /* replay the log from here */
    struct bbi_segment_meta *segments; /* [segment_count], ids ascending: the live set */
    size_t segment_count;
    struct bbi_tombstone *tombstones; /* [tombstone_count], lsn ascending; series owned by this */
    size_t tombstone_count;
    bool rebuilt;   /* catalog.mdb was made anew */
    bool damaged;   /* catalog.log had lost something; messages say what */
    char *messages; /* what was found and done, for the server's log, a line each; "" if nothing */
};

void bbi_catalog_state_fini(struct bbi_catalog_state *state);

/**
 * Open or create the catalog of a data directory: catalog.log, catalog.mdb, quarantine/.
 *
 * catalog.mdb is verified whole (structure and a checksum in every value) before LMDB opens it; one
 * that is missing, broken or not of this log goes to quarantine/ and is rebuilt from catalog.log.
 * catalog.log that is missing or damaged goes to quarantine/ and is written anew from catalog.mdb,
 * or, if that is broken too, from its readable frames, the live segments reconciled with the files
 * on disk. Nothing else is read but schema, segments and tombstones: series come when they are
 * asked for.
 *
 * dir     the data directory, held by the engine's lock; no one else has it open
 * acct    pays for schema and overlay; outlives the catalog
 * list    may be NULL: there are no segment files
 * Returns BB_EVERSION a newer format; BB_EIO, BB_ENOSPC, BB_ENOMEM.
 */
int bbi_catalog_open(const struct bbi_fs *fs, const char *dir,
                     const struct bbi_catalog_options *options, struct bbi_account *acct,
                     bbi_catalog_list_segments_fn list, void *arg, struct bbi_catalog **out,
                     struct bbi_catalog_state *state, struct bb_error *err) BB_CHECKED;

/** Close; what was not committed is in the log. NULLs *cat, which may be NULL. */
void bbi_catalog_close(struct bbi_catalog **cat);

/**
 * Apply a schema record (DATABASE_NEW .. SERIES_NEW, SERIES_DROP .. USER_DROP) of the log at start;
 * what is known already changes nothing. Others than these are BB_EINVAL.
 *
 * Returns BB_ECORRUPT for a record that cannot follow on what is known (a database never heard of,
 * an id that is another's): the log lost a frame; the caller reports it and goes on.
 */
int bbi_catalog_replay(struct bbi_catalog *cat, const struct bbi_record *record,
                       struct bb_error *err) BB_CHECKED;

/**
 * Refuse new series of a database that has so many already, and new values of a tag key of a
 * measurement; 0: no limit. What is there stays. Called once, after the log has been replayed,
 * before others use the catalog. Returns BB_EIO, BB_ECORRUPT, BB_ENOMEM.
 */
int bbi_catalog_set_limits(struct bbi_catalog *cat, uint64_t series_max, uint64_t tag_values_max,
                           struct bb_error *err) BB_CHECKED;

/* ---- the log and the commit ---- */

/** Append to out records that no frame carries yet, oldest first: whole ones, as many as fit into
 * max_bytes, but at least one (which has at most BBI_SERIES_RECORD_BYTES and some). *more: others
 * are left for the next frame. They stay until bbi_catalog_pending_done.
 * BB_ENOMEM, BB_ELIMIT: out is as before. */
int bbi_catalog_take_pending(struct bbi_catalog *cat, size_t max_bytes, struct bbi_buf *out,
                             bool *more, struct bb_error *err) BB_CHECKED;

/** After each take: whether the frame with the records was appended. If not, the next take has them
 * again. */
void bbi_catalog_pending_done(struct bbi_catalog *cat, bool appended);

/** Whether there is anything to take, without a lock. */
bool bbi_catalog_has_pending(const struct bbi_catalog *cat);

/** Freeze the overlay for the next commit. BB_ENOMEM: nothing changed. */
int bbi_catalog_rotate(struct bbi_catalog *cat, struct bb_error *err) BB_CHECKED;

/** What a flush, a compaction or an expiry changes, all or nothing. */
struct bbi_catalog_edit {
    const struct bbi_segment_meta *add_segments; /* [add_segment_count] */
    size_t add_segment_count;
    const uint64_t *remove_segments; /* ids; one that is not there is fine */
    size_t remove_segment_count;
    const struct bbi_tombstone *add_tombstones; /* lsn set; one there already is replaced */
    size_t add_tombstone_count;
    const uint64_t *remove_tombstones; /* lsns */
    size_t remove_tombstone_count;
    uint64_t checkpoint_lsn; /* 0: as it was */
};

/**
 * Make frozen overlays and the edit durable. Commits are serialised inside. A tombstone is known by
 * its lsn: a frame holds at most one DELETE.
 *
 * Returns BB_OK: catalog.log and catalog.mdb have it. BB_ENOSPC, BB_EIO, BB_ENOMEM: the edit is not
 * there, frozen overlays stay for the next commit. BB_EREADONLY: it is in doubt whether the edit
 * is there, which opening the catalog again settles; until then keep the files that it adds and
 * those that it removes. Every later commit returns this too.
 */
int bbi_catalog_commit(struct bbi_catalog *cat, const struct bbi_catalog_edit *edit,
                       struct bb_error *err) BB_CHECKED;

/** A fresh id for a segment, a job, a file name; never given again, also after a crash. */
uint64_t bbi_catalog_segment_id_new(struct bbi_catalog *cat);

/* ---- databases and policies ---- */

/** A retention policy; a copy. */
struct bbi_rp {
    uint32_t db_id;
    uint32_t id;
    int64_t duration_ns; /* 0: infinite */
    int64_t shard_ns;    /* length of a partition */
    uint32_t replicas;   /* as it was asked for; there is one */
    bool is_default;
    bool is_subscribed; /* some subscription wants what is written to it */
    uint32_t name_len;
    char name[BBI_DB_NAME_MAX + 1];
};

/** What CREATE and ALTER RETENTION POLICY may say. */
struct bbi_rp_spec {
    bool has_duration;
    int64_t duration_ns; /* 0: infinite; else at least an hour */
    bool has_shard;
    int64_t shard_ns;  /* 0: by InfluxDB's rule from the duration */
    uint32_t replicas; /* 0: not given */
    bool make_default;
    bool none; /* of a new database: it gets no policy */
};

/** A policy's partition length when none is asked for: duration < 2 days 1 h, < 180 days 1 day,
 * else 7 days. */
int64_t bbi_rp_shard_ns(int64_t duration_ns);

/**
 * Create a database with its default policy: rp_name (NULL: "autogen") as spec says (NULL:
 * infinite, 7 days; none: without one). One that is there is BB_EEXIST with *db_id set; BB_EINVAL
 * for a bad name or durations.
 */
int bbi_catalog_database_create(struct bbi_catalog *cat, const char *name, size_t name_len,
                                const char *rp_name, size_t rp_name_len,
                                const struct bbi_rp_spec *spec, uint32_t *db_id,
                                struct bb_error *err) BB_CHECKED;

/** BB_ENOTFOUND "database not found: x". Its segments and tombstones are the engine's to remove. */
int bbi_catalog_database_drop(struct bbi_catalog *cat, const char *name, size_t name_len,
                              uint32_t *db_id, struct bb_error *err) BB_CHECKED;

/** BB_ENOTFOUND "database not found: x". */
int bbi_catalog_database_find(struct bbi_catalog *cat, const char *name, size_t name_len,
                              uint32_t *db_id, struct bb_error *err) BB_CHECKED;

bool bbi_catalog_database_exists(struct bbi_catalog *cat, uint32_t db_id);

/** The id that the next new series of a database will get; all others are lower. 0: no such
 * database. */
uint32_t bbi_catalog_next_series(struct bbi_catalog *cat, uint32_t db_id);

/** The policy that a new database gets. */
#define BBI_DEFAULT_RP "autogen"

/** The shard duration of a policy for which asked_ns was asked; 0: nothing was. */
int64_t bbi_rp_shard_asked_ns(int64_t asked_ns, int64_t duration_ns);

/** The name that is told of the default policy of a database that has none: a default that was
 * dropped is still asked for by its name, and that is nearly always this one. NULL: it is there, so
 * the default had another name. */
const char *bbi_catalog_lost_default(struct bbi_catalog *cat, uint32_t db_id);

/** What of a new policy does not depend on its database: BB_EINVAL "invalid name", or what is wrong
 * with its durations. */
int bbi_catalog_rp_check(const char *name, size_t name_len, const struct bbi_rp_spec *spec,
                         struct bb_error *err) BB_CHECKED;

/** Create. BB_EEXIST for a name that is there, unless with the same durations and default, which is
 * BB_OK; BB_EINVAL in InfluxDB's words. */
int bbi_catalog_rp_create(struct bbi_catalog *cat, uint32_t db_id, const char *name,
                          size_t name_len, const struct bbi_rp_spec *spec, struct bbi_rp *rp,
                          struct bb_error *err) BB_CHECKED;
int bbi_catalog_rp_alter(struct bbi_catalog *cat, uint32_t db_id, const char *name, size_t name_len,
                         const struct bbi_rp_spec *spec, struct bbi_rp *rp,
                         struct bb_error *err) BB_CHECKED;
int bbi_catalog_rp_drop(struct bbi_catalog *cat, uint32_t db_id, const char *name, size_t name_len,
                        uint32_t *rp_id, struct bb_error *err) BB_CHECKED;

/** name_len 0: the database's default. BB_ENOTFOUND "retention policy not found: x". */
int bbi_catalog_rp_find(struct bbi_catalog *cat, uint32_t db_id, const char *name, size_t name_len,
                        struct bbi_rp *rp, struct bb_error *err) BB_CHECKED;
int bbi_catalog_rp_get(struct bbi_catalog *cat, uint32_t rp_id, struct bbi_rp *rp,
                       struct bb_error *err) BB_CHECKED;

/* ---- measurements, fields, series: the write path ---- */

/** "float", "integer", "unsigned", "boolean", "string". */
const char *bbi_type_name(enum bbi_type type);

/**
 * Find or create a series and its measurement.
 *
 * tags     [tag_count], keys ascending bytewise, none twice; borrowed
 * created  out: the series was unknown; may be NULL
 * Returns BB_ENOTFOUND no such database; BB_ELIMIT key over BBI_SERIES_KEY_MAX bytes, no id left,
 * a limit of bbi_catalog_set_limits;
 * BB_EINVAL tags not sorted; BB_ECORRUPT, BB_EIO from LMDB; BB_ENOMEM (nothing created).
 */
int bbi_catalog_series_resolve(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *measurement,
                               size_t measurement_len, const struct bbi_tag *tags, size_t tag_count,
                               uint32_t *mid, uint32_t *sid, bool *created,
                               struct bb_error *err) BB_CHECKED;

/** As bbi_catalog_series_resolve, from a canonical key. */
int bbi_catalog_key_resolve(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *key,
                            size_t key_len, uint32_t *mid, uint32_t *sid, bool *created,
                            struct bb_error *err) BB_CHECKED;

/** The id of a key; BB_ENOTFOUND if there is none. Creates nothing. */
int bbi_catalog_key_find(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *key,
                         size_t key_len, uint32_t *mid, uint32_t *sid,
                         struct bb_error *err) BB_CHECKED;

/** Find or create a measurement. */
int bbi_catalog_measurement_resolve(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *name,
                                    size_t name_len, uint32_t *mid,
                                    struct bb_error *err) BB_CHECKED;

/**
 * Find or create a field. BB_ETYPE when it has another type, in InfluxDB's words: field type
 * conflict: input field "f" on measurement "m" is type float, already exists as type integer.
 */
int bbi_catalog_field_resolve(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                              const uint8_t *name, size_t name_len, enum bbi_type type,
                              uint32_t *field_id, struct bb_error *err) BB_CHECKED;

/** Series that are about to be dropped; between bbi_catalog_drop_begin and its end. */
struct bbi_catalog_drop {
    uint32_t db_id;
    uint32_t mid;
    bool known;                   /* there is such a measurement; else the rest is empty */
    bool last;                    /* no series of it is left */
    uint64_t count;               /* of series that go */
    const roaring_bitmap_t *sids; /* what goes */
    roaring_bitmap_t *own;        /* those, if they are this struct's */
    struct bbi_buf records;       /* for the frame that deletes the rows */
};

/**
 * Make ready to drop series of a measurement; with the last one the measurement goes, and its
 * fields: a name that comes back gets new ids. Nothing changes yet, but that new series of the
 * measurement wait for the end. The caller appends drop->records to the log, in the frame that
 * deletes the rows.
 *
 * sids  borrowed until the end; NULL: all that there are
 * Returns BB_OK also for ids that are none; BB_ENOTFOUND no such database; BB_ENOMEM, BB_EBUSY,
 * BB_EIO, BB_ECORRUPT: nothing is to be ended.
 * Thread  the caller holds the engine's write lock until after the end, in the same thread.
 */
int bbi_catalog_drop_begin(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                           const roaring_bitmap_t *sids, struct bbi_catalog_drop *drop,
                           struct bb_error *err) BB_CHECKED;

/** appended: the series are gone from all look-ups on return, and the caller sees to it that no
 * batch that was resolved before is appended. Else all is as it was. */
void bbi_catalog_drop_end(struct bbi_catalog *cat, struct bbi_catalog_drop *drop, bool appended);

/** Whether there was a measurement of this id and is none any more. */
bool bbi_catalog_was_measurement(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid);

/* ---- look-ups ---- */

/** BB_ENOTFOUND. */
int bbi_catalog_measurement_find(struct bbi_catalog *cat, uint32_t db_id, const uint8_t *name,
                                 size_t name_len, uint32_t *mid, struct bb_error *err) BB_CHECKED;
int bbi_catalog_field_find(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                           const uint8_t *name, size_t name_len, uint32_t *field_id,
                           enum bbi_type *type, struct bb_error *err) BB_CHECKED;

/** Append the name to out. */
int bbi_catalog_measurement_name(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                                 struct bbi_buf *out, struct bb_error *err) BB_CHECKED;

/** Of which measurement and type a field is; name appended to out if not NULL. */
int bbi_catalog_field_get(struct bbi_catalog *cat, uint32_t db_id, uint32_t field_id, uint32_t *mid,
                          enum bbi_type *type, struct bbi_buf *out,
                          struct bb_error *err) BB_CHECKED;

/** Whether any series of the measurement (0: of the database) has this tag key. */
int bbi_catalog_tag_key_exists(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                               const uint8_t *key, size_t key_len, bool *exists,
                               struct bb_error *err) BB_CHECKED;

/* ---- lists ---- */

struct bbi_name {
    const uint8_t *name;
    uint32_t len;
    uint32_t id;        /* of database, measurement or field; else 0 */
    enum bbi_type type; /* of a field */
};

/** A list of names, sorted bytewise, none twice (fields: by name, then type). */
struct bbi_names {
    struct bbi_name *list; /* [count], into bytes */
    size_t count;
    uint8_t *bytes;
};

void bbi_names_fini(struct bbi_names *names);

int bbi_catalog_databases(struct bbi_catalog *cat, struct bbi_account *acct,
                          struct bbi_names *names, struct bb_error *err) BB_CHECKED;
int bbi_catalog_measurements(struct bbi_catalog *cat, uint32_t db_id, struct bbi_account *acct,
                             struct bbi_names *names, struct bb_error *err) BB_CHECKED;
/** mid 0: of all measurements; then a name may come with several types. */
int bbi_catalog_fields(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                       struct bbi_account *acct, struct bbi_names *names,
                       struct bb_error *err) BB_CHECKED;

/** rps [*count], by name; free with bbi_mem_free. */
int bbi_catalog_rps(struct bbi_catalog *cat, uint32_t db_id, struct bbi_account *acct,
                    struct bbi_rp **rps, size_t *count, struct bb_error *err) BB_CHECKED;

/** Tag keys of a measurement (0: of all), only of series in `within` if it is not NULL. */
int bbi_catalog_tag_keys(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                         const roaring_bitmap_t *within, struct bbi_account *acct,
                         struct bbi_names *names, struct bb_error *err) BB_CHECKED;

/** Values of one tag key, of a measurement (0: of all), only of series in `within` if not NULL. */
int bbi_catalog_tag_values(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                           const uint8_t *key, size_t key_len, const roaring_bitmap_t *within,
                           struct bbi_account *acct, struct bbi_names *names,
                           struct bb_error *err) BB_CHECKED;

/** The first of them in their order: most, at least 1. The others take no memory. */
int bbi_catalog_tag_values_first(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                                 const uint8_t *key, size_t key_len, const roaring_bitmap_t *within,
                                 size_t most, struct bbi_account *acct, struct bbi_names *names,
                                 struct bb_error *err) BB_CHECKED;

/* ---- selecting series ---- */

enum bbi_tagpred_op {
    BBI_TAGPRED_AND,
    BBI_TAGPRED_OR,
    BBI_TAGPRED_EQ,
    BBI_TAGPRED_NEQ,
    BBI_TAGPRED_REGEX, /* value is a pattern, found anywhere in the tag's value */
    BBI_TAGPRED_NREGEX
};

/** A condition on tags. A tag that a series does not have is ''. All borrowed. */
struct bbi_tagpred {
    enum bbi_tagpred_op op;
    const struct bbi_tagpred *const *children; /* AND, OR: [child_count], 1 or more */
    size_t child_count;
    const uint8_t *key; /* the others */
    size_t key_len;
    const uint8_t *value;
    size_t value_len;
};

/** Depth of a condition, and bytes of a pattern. */
#define BBI_TAGPRED_DEPTH_MAX 256
#define BBI_TAGPRED_REGEX_MAX 65536

/**
 * The series of a measurement (mid 0: of the database) that meet a condition.
 *
 * pred  NULL: all
 * out   the caller's to roaring_bitmap_free
 * Returns BB_EPARSE a pattern that is none; BB_ELIMIT one too costly to match, or a tree too deep;
 * BB_ENOTFOUND no such database; BB_ECORRUPT, BB_EIO, BB_ENOMEM.
 */
int bbi_catalog_select(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                       const struct bbi_tagpred *pred, roaring_bitmap_t **out,
                       struct bb_error *err) BB_CHECKED;

/** One series; key borrowed for the call. Other than BB_OK stops the walk, which returns it. */
typedef int (*bbi_catalog_series_fn)(void *arg, uint32_t sid, uint32_t mid, const uint8_t *key,
                                     size_t key_len, struct bb_error *err);

/** Tell cb of each series in ids (NULL: all of the database) in the order of ids. Ids that are no
 * series are passed over. cb may block and may call the catalog: nothing is held. */
int bbi_catalog_series_each(struct bbi_catalog *cat, uint32_t db_id, const roaring_bitmap_t *ids,
                            struct bbi_account *acct, bbi_catalog_series_fn cb, void *arg,
                            struct bb_error *err) BB_CHECKED;

/** Append the key of one series. BB_ENOTFOUND. */
int bbi_catalog_series_key(struct bbi_catalog *cat, uint32_t db_id, uint32_t sid, uint32_t *mid,
                           struct bbi_buf *key, struct bb_error *err) BB_CHECKED;

/** Exact count of series of a measurement (0: of the database). */
int bbi_catalog_series_count(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid, uint64_t *count,
                             struct bb_error *err) BB_CHECKED;

/** Numbers for metrics, cheap. */
struct bbi_catalog_stats {
    uint64_t databases;
    uint64_t measurements;
    uint64_t series;         /* created in the databases that are there */
    uint64_t overlay_series; /* not yet in LMDB */
    uint64_t overlay_bytes;
    uint64_t pending_bytes;
    uint64_t log_bytes;
    uint64_t commits;
};

void bbi_catalog_stats_get(struct bbi_catalog *cat, struct bbi_catalog_stats *stats);

#endif
