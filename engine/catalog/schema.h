/**
 * The schema in memory: databases, retention policies, measurements, fields.
 *
 * Plain data without locks: the catalog's lock covers it. Changes come as records, from a function
 * that creates something, from the log or from catalog.log alike, so that there is one way in.
 * Names and structs stay where they are until their database is dropped.
 */
#ifndef BBI_CATALOG_SCHEMA_H
#define BBI_CATALOG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <roaring/roaring.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/record.h"
#include "engine/catalog/valueset.h"

/** A measurement (owner 0), or a field or tag key (owner: its measurement). */
struct bbi_schema_entry {
    uint64_t hash; /* of owner and name */
    uint32_t id;
    uint32_t owner;
    enum bbi_type type; /* of a field */
    bool thinned;       /* of a measurement: series of it were dropped since the start */
    uint32_t name_len;
    const uint8_t *name;
    struct bbi_valueset *values; /* of a tag key, where they are limited and listed; else NULL */
    struct bbi_schema_entry *fields; /* of a measurement: its own, through `next` */
    struct bbi_schema_entry *tag_keys;
    struct bbi_schema_entry *next; /* of the same owner */
};

/** Entries by name and by id: two open-addressing tables over the same structs. */
struct bbi_schema_table {
    struct bbi_schema_entry **by_name; /* [cap] */
    struct bbi_schema_entry **by_id;   /* [cap] */
    size_t cap;                        /* a power of two, or 0 */
    size_t count;
    struct bbi_account *acct;
};

struct bbi_schema_rp {
    uint32_t id;
    int64_t duration_ns;
    int64_t shard_ns;
    uint32_t replicas;
    uint32_t name_len;
    const uint8_t *name;
};

/** A continuous query or a subscription; one allocation. */
struct bbi_schema_task {
    uint32_t id;
    uint32_t rp_id; /* of a subscription's policy */
    enum bbi_task_kind kind;
    uint32_t name_len;
    size_t text_len;
    const uint8_t *name;
    const uint8_t *text;
};

struct bbi_schema_db {
    uint32_t id;
    uint32_t name_len;
    const uint8_t *name;
    struct bbi_schema_rp **rps; /* [rp_count], in the order of creation */
    size_t rp_count;
    uint32_t default_rp_id;         /* 0: none */
    struct bbi_schema_task **tasks; /* [task_count], ids ascending */
    size_t task_count;
    uint32_t next_task_id;
    struct bbi_schema_table measurements;
    struct bbi_schema_table fields;
    struct bbi_schema_table tag_keys; /* of all series there are; ids mean nothing */
    struct bbi_next_ids next;         /* what is given next */
    uint32_t indexed_sid_limit;       /* LMDB may hold ids below this */
    uint64_t series_count;            /* live ones; only where they are limited */
    roaring_bitmap_t *dropped;        /* series that overlays and LMDB may still have, or NULL */
    struct bbi_arena arena;           /* all of its entries, policies and names */
};

/** A user; one allocation, replaced whole when it changes. */
struct bbi_schema_user {
    uint32_t id;
    bool is_admin;
    uint32_t name_len;
    uint32_t verifier_len;
    size_t grant_count;
    struct bbi_grant *grants; /* [grant_count], db ids ascending, of databases that there are */
    const uint8_t *name;
    const uint8_t *verifier;
};

struct bbi_schema {
    struct bbi_schema_db **dbs; /* [db_count], ids ascending */
    size_t db_count;
    struct bbi_schema_user **users; /* [user_count], ids ascending */
    size_t user_count;
    size_t admin_count;
    uint32_t next_db_id;
    uint32_t next_rp_id;
    uint32_t next_user_id;
    uint64_t task_changes; /* rises with each change of tasks */
    struct bbi_account *acct;
};

void bbi_schema_init(struct bbi_schema *s, struct bbi_account *acct);
void bbi_schema_fini(struct bbi_schema *s);

struct bbi_schema_db *bbi_schema_db_by_id(const struct bbi_schema *s, uint32_t db_id);
struct bbi_schema_db *bbi_schema_db_by_name(const struct bbi_schema *s, const uint8_t *name,
                                            size_t len);

struct bbi_schema_rp *bbi_schema_rp_by_id(const struct bbi_schema_db *db, uint32_t rp_id);
struct bbi_schema_rp *bbi_schema_rp_by_name(const struct bbi_schema_db *db, const uint8_t *name,
                                            size_t len);

/** Note that the measurement has this tag key. False: no memory. */
bool bbi_schema_note_tag_key(struct bbi_schema_db *db, uint32_t mid, const uint8_t *key,
                             size_t key_len);

/** The same for all tags of a series key. */
bool bbi_schema_note_tags(struct bbi_schema_db *db, uint32_t mid, const uint8_t *key,
                          size_t key_len);

/** owner 0 for measurements. */
struct bbi_schema_entry *bbi_schema_find(const struct bbi_schema_table *t, uint32_t owner,
                                         const uint8_t *name, size_t len);
struct bbi_schema_entry *bbi_schema_get(const struct bbi_schema_table *t, uint32_t id);

/** Make ready for bbi_schema_drop_series. False: no memory. */
bool bbi_schema_can_drop(struct bbi_schema_db *db);

/** Forget series of a measurement, or the measurement with its fields and tag keys. Ids that are
 * none change nothing. */
void bbi_schema_drop_series(struct bbi_schema_db *db, uint32_t mid, const roaring_bitmap_t *sids);
bool bbi_schema_drop_measurement(struct bbi_schema_db *db, uint32_t mid);

/** Whether a series was dropped since the start. */
static inline bool bbi_schema_is_dropped(const struct bbi_schema_db *db, uint32_t sid)
{
    return db->dropped != NULL && roaring_bitmap_contains(db->dropped, sid);
}

/** Whether there was such a measurement and is none any more. */
static inline bool bbi_schema_was_measurement(const struct bbi_schema_db *db, uint32_t mid)
{
    return mid < db->next.mid && bbi_schema_get(&db->measurements, mid) == NULL;
}

/** A table's entries: slot 0 .. cap - 1, NULL where there is none. */
static inline struct bbi_schema_entry *bbi_schema_slot(const struct bbi_schema_table *t,
                                                       size_t slot)
{
    return t->by_id[slot];
}

/** A walk over the fields or the tag keys of a measurement (0: of all), in no order. */
struct bbi_schema_walk {
    const struct bbi_schema_table *table; /* NULL: of one measurement */
    size_t slot;
    const struct bbi_schema_entry *next;
};

struct bbi_schema_walk bbi_schema_fields(const struct bbi_schema_db *db, uint32_t mid);
struct bbi_schema_walk bbi_schema_tag_keys(const struct bbi_schema_db *db, uint32_t mid);

/** NULL: that was all. */
const struct bbi_schema_entry *bbi_schema_walk_next(struct bbi_schema_walk *w);

/**
 * Apply DATABASE_NEW .. FIELD_NEW, SERIES_DROP, MEASUREMENT_DROP, USER_NEW .. USER_DROP.
 *
 * What is there already with the same ids and names changes nothing; what was dropped (an id below
 * the next one that is not there) is passed over. *changed tells.
 * Returns BB_ECORRUPT when it contradicts what is there or refers to what never was; BB_ENOMEM:
 * nothing changed.
 */
int bbi_schema_apply(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                     struct bb_error *err) BB_CHECKED;

#endif
