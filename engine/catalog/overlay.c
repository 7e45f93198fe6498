#include "engine/catalog/overlay.h"

#include <string.h>

/* Series are carved from blocks of this size; long keys get their own. */
#define SLAB_BYTES  ((size_t)16 << 10)
#define SLAB_LARGE  (SLAB_BYTES / 8)
#define SLOTS_MIN   64
#define SERIES_MIN  64
#define CHAINS_MIN  16
#define RECORDS_MAX ((size_t)1 << 30)

struct bbi_overlay *bbi_overlay_create(struct bbi_account *acct)
{
    struct bbi_overlay *o = bbi_mem_zalloc(acct, 1, sizeof(*o));
    if (o == NULL) {
        return NULL;
    }
    atomic_init(&o->refs, 1);
    o->acct = acct;
    bbi_buf_init(&o->records, acct, RECORDS_MAX);
    bbi_arena_init(&o->arena, acct);
    return o;
}

void bbi_overlay_ref(struct bbi_overlay *o)
{
    (void)atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
}

static void db_free_tables(struct bbi_overlay_db *db)
{
    bbi_mem_free(db->series);
    bbi_mem_free(db->slots);
    bbi_mem_free(db->chains);
}

void bbi_overlay_unref(struct bbi_overlay *o)
{
    if (o == NULL || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (struct bbi_overlay_db *db = o->dbs; db != NULL; db = db->next) {
        db_free_tables(db);
    }
    bbi_arena_fini(&o->arena);
    bbi_buf_fini(&o->records);
    bbi_mem_free(o->next_ids);
    bbi_mem_free(o);
}

bool bbi_overlay_is_empty(const struct bbi_overlay *o)
{
    return o->series_count == 0 && o->records.len == 0;
}

struct bbi_overlay_db *bbi_overlay_db_find(const struct bbi_overlay *o, uint32_t db_id)
{
    struct bbi_overlay_db *db = o->dbs;
    while (db != NULL && db->db_id != db_id) {
        db = db->next;
    }
    return db;
}

const struct bbi_overlay_series *bbi_overlay_find(const struct bbi_overlay *o, uint32_t db_id,
                                                  uint64_t hash, const uint8_t *key, size_t key_len,
                                                  const roaring_bitmap_t *dropped)
{
    const struct bbi_overlay_db *db = bbi_overlay_db_find(o, db_id);
    if (db == NULL || db->slot_cap == 0) {
        return NULL;
    }
    uint32_t hash32 = (uint32_t)hash;
    for (size_t at = hash32 & (db->slot_cap - 1); db->slots[at].place != 0;
         at = (at + 1) & (db->slot_cap - 1)) {
        if (db->slots[at].hash == hash32) {
            const struct bbi_overlay_series *s = db->series[db->slots[at].place - 1];
            if (s->key_len == key_len && memcmp(s->key, key, key_len) == 0 &&
                (dropped == NULL || !roaring_bitmap_contains(dropped, s->sid))) {
                return s;
            }
        }
    }
    return NULL;
}

/* The place of the first series whose id is not below sid. */
static size_t place_of(const struct bbi_overlay_db *db, uint32_t sid)
{
    size_t lo = 0;
    size_t hi = db->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (db->series[mid]->sid < sid) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

const struct bbi_overlay_series *bbi_overlay_get(const struct bbi_overlay *o, uint32_t db_id,
                                                 uint32_t sid)
{
    const struct bbi_overlay_db *db = bbi_overlay_db_find(o, db_id);
    if (db == NULL) {
        return NULL;
    }
    size_t at = place_of(db, sid);
    return at < db->count && db->series[at]->sid == sid ? db->series[at] : NULL;
}

static void put_slot(struct bbi_overlay_slot *slots, size_t cap, uint32_t hash, uint32_t place)
{
    size_t at = hash & (cap - 1);
    while (slots[at].place != 0) {
        at = (at + 1) & (cap - 1);
    }
    slots[at] = (struct bbi_overlay_slot){hash, place};
}

static bool reserve_slot(struct bbi_overlay *o, struct bbi_overlay_db *db)
{
    if (db->count < db->slot_cap / 4 * 3) {
        return true;
    }
    size_t cap = db->slot_cap == 0 ? SLOTS_MIN : db->slot_cap * 2;
    struct bbi_overlay_slot *slots = bbi_mem_zalloc(o->acct, cap, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < db->slot_cap; i++) {
        if (db->slots[i].place != 0) {
            put_slot(slots, cap, db->slots[i].hash, db->slots[i].place);
        }
    }
    bbi_mem_free(db->slots);
    db->slots = slots;
    db->slot_cap = cap;
    return true;
}

static bool reserve_series(struct bbi_overlay *o, struct bbi_overlay_db *db)
{
    if (db->count < db->cap) {
        return true;
    }
    size_t cap = db->cap == 0 ? SERIES_MIN : db->cap * 2;
    struct bbi_overlay_series **series = bbi_mem_realloc(o->acct, db->series,
                                                         cap * sizeof(struct bbi_overlay_series *));
    if (series == NULL) {
        return false;
    }
    db->series = series;
    db->cap = cap;
    return true;
}

/* The chain of a measurement, or the free one where it would be; there is room. */
static struct bbi_overlay_chain *chain_of(struct bbi_overlay_chain *chains, size_t cap,
                                          uint32_t mid)
{
    size_t at = mid & (cap - 1);
    while (chains[at].mid != 0 && chains[at].mid != mid) {
        at = (at + 1) & (cap - 1);
    }
    return &chains[at];
}

const struct bbi_overlay_series *bbi_overlay_first(const struct bbi_overlay_db *db, uint32_t mid)
{
    return db->chain_cap == 0 ? NULL : chain_of(db->chains, db->chain_cap, mid)->first;
}

static bool reserve_chain(struct bbi_overlay *o, struct bbi_overlay_db *db)
{
    if (db->chain_count < db->chain_cap / 2) {
        return true;
    }
    size_t cap = db->chain_cap == 0 ? CHAINS_MIN : db->chain_cap * 2;
    struct bbi_overlay_chain *chains = bbi_mem_zalloc(o->acct, cap, sizeof(*chains));
    if (chains == NULL) {
        return false;
    }
    for (size_t i = 0; i < db->chain_cap; i++) {
        if (db->chains[i].mid != 0) {
            *chain_of(chains, cap, db->chains[i].mid) = db->chains[i];
        }
    }
    bbi_mem_free(db->chains);
    db->chains = chains;
    db->chain_cap = cap;
    return true;
}

static void put_chain(struct bbi_overlay_db *db, struct bbi_overlay_series *s)
{
    struct bbi_overlay_chain *chain = chain_of(db->chains, db->chain_cap, s->mid);
    s->next = NULL;
    if (chain->mid == 0) {
        db->chain_count++;
        *chain = (struct bbi_overlay_chain){.mid = s->mid, .first = s};
    } else {
        chain->last->next = s;
    }
    chain->last = s;
}

static struct bbi_overlay_series *alloc_series(struct bbi_overlay *o, size_t key_len)
{
    size_t size = (sizeof(struct bbi_overlay_series) + key_len + 7) & ~(size_t)7;
    if (size > SLAB_LARGE) {
        return bbi_arena_alloc(&o->arena, size);
    }
    if (size > o->slab_left) {
        uint8_t *slab = bbi_arena_alloc(&o->arena, SLAB_BYTES);
        if (slab == NULL) {
            return NULL;
        }
        o->slab = slab;
        o->slab_left = SLAB_BYTES;
    }
    struct bbi_overlay_series *s = (struct bbi_overlay_series *)(void *)o->slab;
    o->slab += size;
    o->slab_left -= size;
    return s;
}

static struct bbi_overlay_db *get_db(struct bbi_overlay *o, uint32_t db_id)
{
    struct bbi_overlay_db *db = bbi_overlay_db_find(o, db_id);
    if (db == NULL) {
        db = bbi_arena_zalloc(&o->arena, 1, sizeof(*db));
        if (db != NULL) {
            db->db_id = db_id;
            db->next = o->dbs;
            o->dbs = db;
        }
    }
    return db;
}

int bbi_overlay_add(struct bbi_overlay *o, uint32_t db_id, const struct bbi_record_series *series,
                    uint64_t hash, struct bb_error *err)
{
    struct bbi_overlay_db *db = get_db(o, db_id);
    struct bbi_overlay_series *s;
    if (db == NULL || !reserve_slot(o, db) || !reserve_series(o, db) || !reserve_chain(o, db) ||
        (s = alloc_series(o, series->key_len)) == NULL) {
        return bbi_error_nomem(err, "new series");
    }
    s->sid = series->sid;
    s->mid = series->mid;
    s->key_len = (uint32_t)series->key_len;
    memcpy(s->key, series->key, series->key_len);

    /* Ids come ascending but from a log that lost a part; then the places behind shift. */
    size_t at = db->count;
    if (at > 0 && db->series[at - 1]->sid > series->sid) {
        at = place_of(db, series->sid);
        memmove(&db->series[at + 1], &db->series[at],
                (db->count - at) * sizeof(struct bbi_overlay_series *));
        for (size_t i = 0; i < db->slot_cap; i++) {
            if (db->slots[i].place > at) {
                db->slots[i].place++;
            }
        }
    }
    db->series[at] = s;
    db->count++;
    put_chain(db, s);
    put_slot(db->slots, db->slot_cap, (uint32_t)hash, (uint32_t)at + 1);
    o->series_count++;
    return BB_OK;
}

void bbi_overlay_drop_db(struct bbi_overlay *o, uint32_t db_id)
{
    for (struct bbi_overlay_db **at = &o->dbs; *at != NULL; at = &(*at)->next) {
        struct bbi_overlay_db *db = *at;
        if (db->db_id == db_id) {
            o->series_count -= db->count;
            *at = db->next;
            db_free_tables(db);
            return;
        }
    }
}
