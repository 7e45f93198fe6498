/**
 * Records: what the frames of the log and of the catalog log are made of.
 *
 *     type u8 | length varint | body [length]
 *
 * Every body but those of BATCH and SOURCE, which belong to the log's module, starts with a version
 * byte; ids, counts and lengths are varints, times zigzag varints. docs/format/catalog.md has each
 * layout. Everything that changes the meaning of later records precedes its uses.
 *
 * Encoding appends to a bbi_buf, whose error sticks. Decoding takes bytes from anywhere: whatever
 * they are, the answer is a value within the documented limits or an error: BB_ECORRUPT, or
 * BB_EVERSION for a type or version that this program does not know, named by its number.
 * Decoded names and keys are borrowed from the record's bytes.
 */
#ifndef BBI_BASE_RECORD_H
#define BBI_BASE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/batch.h"
#include "engine/base/buf.h"
#include "engine/base/cursor.h"
#include "engine/base/error.h"
#include "engine/base/meta.h"

enum bbi_record_type {
    BBI_RECORD_DATABASE_NEW = 1,
    BBI_RECORD_DATABASE_DROP = 2,
    BBI_RECORD_RP_NEW = 3,
    BBI_RECORD_RP_ALTER = 4,
    BBI_RECORD_RP_DROP = 5,
    BBI_RECORD_MEASUREMENT_NEW = 6,
    BBI_RECORD_FIELD_NEW = 7,
    BBI_RECORD_SERIES_NEW = 8,
    BBI_RECORD_DELETE = 9,
    BBI_RECORD_BATCH = 10,  /* body: the log's module */
    BBI_RECORD_SOURCE = 11, /* body: the log's module */
    BBI_RECORD_SERIES_DROP = 12,
    BBI_RECORD_MEASUREMENT_DROP = 13,
    BBI_RECORD_USER_NEW = 14,
    BBI_RECORD_USER_ALTER = 15,
    BBI_RECORD_USER_DROP = 16,
    BBI_RECORD_TASK_NEW = 17,
    BBI_RECORD_TASK_DROP = 18,
    /* only in the catalog log: */
    BBI_RECORD_SEGMENT_ADD = 32,
    BBI_RECORD_SEGMENT_REMOVE = 33,
    BBI_RECORD_TOMBSTONE_REMOVE = 34,
    BBI_RECORD_CHECKPOINT = 35
};

/** Longest name of a database, retention policy, measurement or field, and longest series key. */
#define BBI_NAME_MAX       32767
#define BBI_SERIES_KEY_MAX 65535

/** A record in place. */
struct bbi_record {
    enum bbi_record_type type;
    const uint8_t *body;
    size_t len;
};

/** "SERIES_NEW"-like; for a type that is none, "?". */
const char *bbi_record_type_name(unsigned type);

/** The next record of a payload; the caller asks while bbi_cursor_left() > 0. */
int bbi_record_next(struct bbi_cursor *c, struct bbi_record *record,
                    struct bb_error *err) BB_CHECKED;

/** Append a record whose body stands ready. */
void bbi_record_put(struct bbi_buf *b, enum bbi_record_type type, const void *body, size_t len);

/* ---- schema ---- */

/** DATABASE_NEW; DATABASE_DROP has no name. */
struct bbi_record_database {
    uint32_t db_id;
    const uint8_t *name;
    size_t name_len;
};

/** RP_NEW and RP_ALTER carry all of a policy; RP_DROP the ids alone. */
struct bbi_record_rp {
    uint32_t db_id;
    uint32_t rp_id;
    int64_t duration_ns; /* 0: infinite */
    int64_t shard_ns;    /* length of a partition, > 0 */
    uint32_t replicas;   /* 1 or more; 0 counts as 1 */
    bool is_default;
    const uint8_t *name;
    size_t name_len;
};

/** MEASUREMENT_NEW; MEASUREMENT_DROP has no name. */
struct bbi_record_measurement {
    uint32_t db_id;
    uint32_t mid;
    const uint8_t *name;
    size_t name_len;
};

struct bbi_record_field {
    uint32_t db_id;
    uint32_t mid;
    uint32_t field_id;
    enum bbi_type type;
    const uint8_t *name;
    size_t name_len;
};

void bbi_record_put_database_new(struct bbi_buf *b, const struct bbi_record_database *r);
void bbi_record_put_database_drop(struct bbi_buf *b, uint32_t db_id);
void bbi_record_put_rp_new(struct bbi_buf *b, const struct bbi_record_rp *r);
void bbi_record_put_rp_alter(struct bbi_buf *b, const struct bbi_record_rp *r);
void bbi_record_put_rp_drop(struct bbi_buf *b, uint32_t db_id, uint32_t rp_id);
void bbi_record_put_measurement_new(struct bbi_buf *b, const struct bbi_record_measurement *r);
void bbi_record_put_measurement_drop(struct bbi_buf *b, uint32_t db_id, uint32_t mid);
void bbi_record_put_field_new(struct bbi_buf *b, const struct bbi_record_field *r);

/** DATABASE_NEW or DATABASE_DROP. */
int bbi_record_get_database(const struct bbi_record *record, struct bbi_record_database *r,
                            struct bb_error *err) BB_CHECKED;
/** RP_NEW, RP_ALTER or RP_DROP. */
int bbi_record_get_rp(const struct bbi_record *record, struct bbi_record_rp *r,
                      struct bb_error *err) BB_CHECKED;
/** MEASUREMENT_NEW or MEASUREMENT_DROP. */
int bbi_record_get_measurement(const struct bbi_record *record, struct bbi_record_measurement *r,
                               struct bb_error *err) BB_CHECKED;
int bbi_record_get_field(const struct bbi_record *record, struct bbi_record_field *r,
                         struct bb_error *err) BB_CHECKED;

/* ---- users ---- */

/** What a user may do with a database: bits. */
enum bbi_privilege {
    BBI_PRIVILEGE_NONE = 0, /* taken away again, which SHOW GRANTS tells */
    BBI_PRIVILEGE_READ = 1,
    BBI_PRIVILEGE_WRITE = 2,
    BBI_PRIVILEGE_ALL = 3
};

/** A privilege on one database. */
struct bbi_grant {
    uint32_t db_id;
    enum bbi_privilege privilege;
};

/** Longest name of a user, and longest verifier of a password. */
#define BBI_USER_NAME_MAX 255
#define BBI_VERIFIER_MAX  128

/** USER_NEW and USER_ALTER carry all of a user; USER_DROP the id alone. */
struct bbi_record_user {
    uint32_t user_id;
    bool is_admin;
    const uint8_t *verifier; /* what the password is checked against; never the password */
    size_t verifier_len;
    const uint8_t *name;
    size_t name_len;
    uint32_t grant_count;
    struct bbi_cursor grants; /* decoded: the grants, for bbi_record_next_grant */
};

/** type: USER_NEW or USER_ALTER; grants [r->grant_count], db ids ascending, none twice. */
void bbi_record_put_user(struct bbi_buf *b, enum bbi_record_type type,
                         const struct bbi_record_user *r, const struct bbi_grant *grants);
void bbi_record_put_user_drop(struct bbi_buf *b, uint32_t user_id);

/** USER_NEW, USER_ALTER or USER_DROP; the grants have been checked too. */
int bbi_record_get_user(const struct bbi_record *record, struct bbi_record_user *r,
                        struct bb_error *err) BB_CHECKED;
/** The next of r->grant_count grants of a record that bbi_record_get_user has taken. */
struct bbi_grant bbi_record_next_grant(struct bbi_record_user *r);

/* ---- tasks ---- */

/** What a database does by itself. */
enum bbi_task_kind {
    BBI_TASK_CONTINUOUS_QUERY = 1,
    BBI_TASK_SUBSCRIPTION = 2
};

/** Longest name of a task, and longest statement that makes one. */
#define BBI_TASK_NAME_MAX 1024
#define BBI_TASK_TEXT_MAX ((size_t)256 << 10)

/** TASK_NEW carries all of a task; TASK_DROP the ids alone. */
struct bbi_record_task {
    uint32_t db_id;
    uint32_t task_id; /* of the database's */
    enum bbi_task_kind kind;
    uint32_t rp_id; /* of a subscription's policy; 0 of a continuous query */
    const uint8_t *name;
    size_t name_len;
    const uint8_t *text; /* the statement that made it */
    size_t text_len;
};

void bbi_record_put_task_new(struct bbi_buf *b, const struct bbi_record_task *r);
void bbi_record_put_task_drop(struct bbi_buf *b, uint32_t db_id, uint32_t task_id);

/** TASK_NEW or TASK_DROP. */
int bbi_record_get_task(const struct bbi_record *record, struct bbi_record_task *r,
                        struct bb_error *err) BB_CHECKED;

/* ---- series ---- */

struct bbi_record_series {
    uint32_t sid;
    uint32_t mid;
    const uint8_t *key;
    size_t key_len;
};

/** Builds SERIES_NEW records: many series of one database in each, ids ascending. */
struct bbi_series_writer {
    struct bbi_buf body;
    uint32_t db_id;
    uint32_t last_sid;
    uint32_t count; /* of the record that is being built */
};

/** A record closes by itself at this size; a reader need not be prepared for more. */
#define BBI_SERIES_RECORD_BYTES (256 * 1024)

void bbi_series_writer_init(struct bbi_series_writer *w, struct bbi_account *acct);
void bbi_series_writer_fini(struct bbi_series_writer *w);
/** Add one; closes the record before it into out when database, order or size ask for it. Failure
 * is sticky in w->body or out. */
void bbi_series_writer_add(struct bbi_series_writer *w, uint32_t db_id,
                           const struct bbi_record_series *series, struct bbi_buf *out);
/** Append the record that is being built, if any, to out. */
void bbi_series_writer_close(struct bbi_series_writer *w, struct bbi_buf *out);

/** Walks a SERIES_NEW record. */
struct bbi_series_reader {
    struct bbi_cursor c;
    uint32_t db_id;
    uint32_t left; /* series that follow */
    uint32_t last_sid;
};

int bbi_series_reader_init(struct bbi_series_reader *r, const struct bbi_record *record,
                           struct bb_error *err) BB_CHECKED;
/** The next of r->left series. */
int bbi_series_reader_next(struct bbi_series_reader *r, struct bbi_record_series *series,
                           struct bb_error *err) BB_CHECKED;

/** SERIES_DROP: names that are no more; their rows go by a DELETE. */
struct bbi_record_series_drop {
    uint32_t db_id;
    uint32_t mid;
    roaring_bitmap_t *sids;
};

void bbi_record_put_series_drop(struct bbi_buf *b, const struct bbi_record_series_drop *r);
/** r->sids is the caller's to free. */
int bbi_record_get_series_drop(const struct bbi_record *record, struct bbi_record_series_drop *r,
                               struct bb_error *err) BB_CHECKED;

/* ---- deletions ---- */

/** DELETE with t->lsn as it is: 0 in the log, where the frame gives it. */
void bbi_record_put_delete(struct bbi_buf *b, const struct bbi_tombstone *t);

/** lsn: what t->lsn becomes when the record has 0. t->series is the caller's to free. */
int bbi_record_get_delete(const struct bbi_record *record, uint64_t lsn, struct bbi_tombstone *t,
                          struct bb_error *err) BB_CHECKED;

void bbi_record_put_tombstone_remove(struct bbi_buf *b, uint64_t lsn);
int bbi_record_get_tombstone_remove(const struct bbi_record *record, uint64_t *lsn,
                                    struct bb_error *err) BB_CHECKED;

/* ---- segments, checkpoints ---- */

void bbi_record_put_segment_add(struct bbi_buf *b, const struct bbi_segment_meta *m);
int bbi_record_get_segment_add(const struct bbi_record *record, struct bbi_segment_meta *m,
                               struct bb_error *err) BB_CHECKED;
void bbi_record_put_segment_remove(struct bbi_buf *b, uint64_t id);
int bbi_record_get_segment_remove(const struct bbi_record *record, uint64_t *id,
                                  struct bb_error *err) BB_CHECKED;

/** The next ids of one database. */
struct bbi_next_ids {
    uint32_t db_id;
    uint32_t mid;
    uint32_t field_id;
    uint32_t sid;
};

struct bbi_record_checkpoint {
    uint64_t lsn; /* the log up to here is in the catalog and the segments */
    uint64_t next_segment_id;
    uint32_t next_db_id;
    uint32_t next_rp_id;
    uint32_t db_count; /* entries behind it */
};

/** ids [db_count] */
void bbi_record_put_checkpoint(struct bbi_buf *b, const struct bbi_record_checkpoint *r,
                               const struct bbi_next_ids *ids);
/** c is left before the db_count entries, to be read by bbi_record_get_next_ids. */
int bbi_record_get_checkpoint(const struct bbi_record *record, struct bbi_record_checkpoint *r,
                              struct bbi_cursor *c, struct bb_error *err) BB_CHECKED;
int bbi_record_get_next_ids(struct bbi_cursor *c, struct bbi_next_ids *ids,
                            struct bb_error *err) BB_CHECKED;

#endif
