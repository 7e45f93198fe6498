/**
 * Series that LMDB does not have yet: one generation of them.
 *
 * A generation is filled while it is active, frozen at a rotation, written to LMDB by a commit and
 * dropped when its last reader lets go. Beside the series it holds the schema records of its time,
 * for the same commit. About 60 bytes a series beyond its key.
 *
 * Thread  the catalog's lock covers all but the count of references; readers that hold a reference
 * look at entries in slices, under the lock each time, by index: entries never go and never move.
 */
#ifndef BBI_CATALOG_OVERLAY_H
#define BBI_CATALOG_OVERLAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <roaring/roaring.h>

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/record.h"

struct bbi_overlay_series {
    struct bbi_overlay_series *next; /* of its measurement */
    uint32_t sid;
    uint32_t mid;
    uint32_t key_len;
    uint8_t key[];
};

/** The series of a measurement, in the order in which they came. */
struct bbi_overlay_chain {
    uint32_t mid; /* 0: free */
    struct bbi_overlay_series *first;
    struct bbi_overlay_series *last;
};

struct bbi_overlay_slot {
    uint32_t hash;
    uint32_t place; /* index into series, + 1; 0: free */
};

struct bbi_overlay_db {
    struct bbi_overlay_db *next;
    uint32_t db_id;
    struct bbi_overlay_series **series; /* [count], sids ascending */
    size_t count;
    size_t cap;
    struct bbi_overlay_slot *slots; /* [slot_cap], by the low bits of the hash */
    size_t slot_cap;
    struct bbi_overlay_chain *chains; /* [chain_cap], by the measurement's id */
    size_t chain_count;
    size_t chain_cap;
};

struct bbi_overlay {
    _Atomic uint32_t refs;
    struct bbi_overlay *next; /* the catalog's list of frozen ones */
    struct bbi_overlay_db *dbs;
    struct bbi_buf records;        /* schema records, in the order in which they were applied */
    struct bbi_next_ids *next_ids; /* [db_count], as of the freezing */
    struct bbi_record_checkpoint counters; /* db_count, next_db_id, next_rp_id as of the freezing */
    uint64_t series_count;
    struct bbi_arena arena;
    uint8_t *slab; /* free bytes of the arena's newest block, eight-byte aligned */
    size_t slab_left;
    struct bbi_account *acct;
};

/** A new one with one reference; NULL without memory. */
struct bbi_overlay *bbi_overlay_create(struct bbi_account *acct);
void bbi_overlay_ref(struct bbi_overlay *o);
/** o may be NULL. */
void bbi_overlay_unref(struct bbi_overlay *o);

bool bbi_overlay_is_empty(const struct bbi_overlay *o);

/** The series of one database, NULL if there are none. */
struct bbi_overlay_db *bbi_overlay_db_find(const struct bbi_overlay *o, uint32_t db_id);

/** By key and the key's hash, passing over ids in `dropped` (may be NULL), or by id. NULL if it is
 * not there. */
const struct bbi_overlay_series *bbi_overlay_find(const struct bbi_overlay *o, uint32_t db_id,
                                                  uint64_t hash, const uint8_t *key, size_t key_len,
                                                  const roaring_bitmap_t *dropped);
const struct bbi_overlay_series *bbi_overlay_get(const struct bbi_overlay *o, uint32_t db_id,
                                                 uint32_t sid);

/** The first series of a measurement; NULL if there is none. */
const struct bbi_overlay_series *bbi_overlay_first(const struct bbi_overlay_db *db, uint32_t mid);

/** Add a series whose id is not there, nor its key but for dropped ones. BB_ENOMEM: unchanged. */
int bbi_overlay_add(struct bbi_overlay *o, uint32_t db_id, const struct bbi_record_series *series,
                    uint64_t hash, struct bb_error *err) BB_CHECKED;

/** Forget the series of a dropped database; only while the generation is active. */
void bbi_overlay_drop_db(struct bbi_overlay *o, uint32_t db_id);

#endif
