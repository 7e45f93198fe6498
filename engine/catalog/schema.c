#include "engine/catalog/schema.h"

#include <string.h>

#include "engine/base/hash.h"
#include "engine/catalog/catalog.h"
#include "engine/catalog/key.h"
#include "engine/catalog/schema_tasks.h"
#include "engine/catalog/schema_users.h"

#define TABLE_CAP_MIN 16

/* ---- tables ---- */

static uint64_t hash_name(uint32_t owner, const uint8_t *name, size_t len)
{
    return bbi_hash64_seed(name, len, owner);
}

static uint64_t hash_id(uint32_t id)
{
    uint64_t h = id * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

static bool same_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

struct bbi_schema_entry *bbi_schema_find(const struct bbi_schema_table *t, uint32_t owner,
                                         const uint8_t *name, size_t len)
{
    if (t->cap == 0) {
        return NULL;
    }
    uint64_t hash = hash_name(owner, name, len);
    for (size_t slot = hash & (t->cap - 1); t->by_name[slot] != NULL;
         slot = (slot + 1) & (t->cap - 1)) {
        struct bbi_schema_entry *e = t->by_name[slot];
        if (e->hash == hash && e->owner == owner && same_bytes(e->name, e->name_len, name, len)) {
            return e;
        }
    }
    return NULL;
}

struct bbi_schema_entry *bbi_schema_get(const struct bbi_schema_table *t, uint32_t id)
{
    if (t->cap == 0) {
        return NULL;
    }
    for (size_t slot = hash_id(id) & (t->cap - 1); t->by_id[slot] != NULL;
         slot = (slot + 1) & (t->cap - 1)) {
        if (t->by_id[slot]->id == id) {
            return t->by_id[slot];
        }
    }
    return NULL;
}

static void table_put(struct bbi_schema_entry **slots, size_t cap, uint64_t hash,
                      struct bbi_schema_entry *e)
{
    size_t slot = hash & (cap - 1);
    while (slots[slot] != NULL) {
        slot = (slot + 1) & (cap - 1);
    }
    slots[slot] = e;
}

/* Room for one more. */
static bool table_reserve(struct bbi_schema_table *t)
{
    if (t->count < t->cap / 4 * 3) {
        return true;
    }
    size_t cap = t->cap == 0 ? TABLE_CAP_MIN : t->cap * 2;
    struct bbi_schema_entry **by_name = bbi_mem_zalloc(t->acct, cap,
                                                       sizeof(struct bbi_schema_entry *));
    struct bbi_schema_entry **by_id = bbi_mem_zalloc(t->acct, cap,
                                                     sizeof(struct bbi_schema_entry *));
    if (by_name == NULL || by_id == NULL) {
        bbi_mem_free(by_name);
        bbi_mem_free(by_id);
        return false;
    }
    for (size_t slot = 0; slot < t->cap; slot++) {
        struct bbi_schema_entry *e = t->by_id[slot];
        if (e != NULL) {
            table_put(by_name, cap, e->hash, e);
            table_put(by_id, cap, hash_id(e->id), e);
        }
    }
    bbi_mem_free(t->by_name);
    bbi_mem_free(t->by_id);
    t->by_name = by_name;
    t->by_id = by_id;
    t->cap = cap;
    return true;
}

/* Add an entry with id, owner, type and name of `want`. siblings: the list of the owner's own that
 * it goes into; NULL: none. */
static bool table_add(struct bbi_schema_table *t, struct bbi_arena *arena,
                      const struct bbi_schema_entry *want, struct bbi_schema_entry **siblings)
{
    struct bbi_schema_entry *e = bbi_arena_alloc(arena, sizeof(*e));
    uint8_t *name = bbi_arena_dup(arena, want->name, want->name_len);
    if (e == NULL || name == NULL || !table_reserve(t)) {
        return false;
    }
    *e = *want;
    e->hash = hash_name(want->owner, name, want->name_len);
    e->name = name;
    if (siblings != NULL) {
        e->next = *siblings;
        *siblings = e;
    }
    table_put(t->by_name, t->cap, e->hash, e);
    table_put(t->by_id, t->cap, hash_id(e->id), e);
    t->count++;
    return true;
}

/* Take an entry out of a table's slots and move up those that stand behind it for want of a free
 * one. */
static void slots_remove(struct bbi_schema_entry **slots, size_t cap, bool by_id,
                         const struct bbi_schema_entry *e)
{
    size_t mask = cap - 1;
    size_t hole = (by_id ? hash_id(e->id) : e->hash) & mask;
    while (slots[hole] != e) {
        hole = (hole + 1) & mask;
    }
    for (size_t at = (hole + 1) & mask; slots[at] != NULL; at = (at + 1) & mask) {
        size_t home = (by_id ? hash_id(slots[at]->id) : slots[at]->hash) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            slots[hole] = slots[at];
            hole = at;
        }
    }
    slots[hole] = NULL;
}

static void table_remove(struct bbi_schema_table *t, struct bbi_schema_entry *e)
{
    slots_remove(t->by_name, t->cap, false, e);
    slots_remove(t->by_id, t->cap, true, e);
    t->count--;
    bbi_valueset_destroy(&e->values);
}

/* What belongs to a measurement; its memory goes with the database. */
static void table_remove_list(struct bbi_schema_table *t, struct bbi_schema_entry *list)
{
    for (; list != NULL; list = list->next) {
        table_remove(t, list);
    }
}

struct bbi_schema_walk bbi_schema_fields(const struct bbi_schema_db *db, uint32_t mid)
{
    const struct bbi_schema_entry *m = bbi_schema_get(&db->measurements, mid);
    return (struct bbi_schema_walk){.table = mid == 0 ? &db->fields : NULL,
                                    .next = m == NULL ? NULL : m->fields};
}

struct bbi_schema_walk bbi_schema_tag_keys(const struct bbi_schema_db *db, uint32_t mid)
{
    const struct bbi_schema_entry *m = bbi_schema_get(&db->measurements, mid);
    return (struct bbi_schema_walk){.table = mid == 0 ? &db->tag_keys : NULL,
                                    .next = m == NULL ? NULL : m->tag_keys};
}

const struct bbi_schema_entry *bbi_schema_walk_next(struct bbi_schema_walk *w)
{
    const struct bbi_schema_entry *e = w->next;
    while (w->table != NULL && e == NULL && w->slot < w->table->cap) {
        e = bbi_schema_slot(w->table, w->slot++);
    }
    w->next = w->table != NULL || e == NULL ? NULL : e->next;
    return e;
}

static void table_fini(struct bbi_schema_table *t)
{
    for (size_t slot = 0; slot < t->cap; slot++) {
        if (t->by_id[slot] != NULL) {
            bbi_valueset_destroy(&t->by_id[slot]->values);
        }
    }
    bbi_mem_free(t->by_name);
    bbi_mem_free(t->by_id);
    *t = (struct bbi_schema_table){.cap = 0};
}

/* ---- databases, policies ---- */

void bbi_schema_init(struct bbi_schema *s, struct bbi_account *acct)
{
    *s = (struct bbi_schema){.next_db_id = 1, .next_rp_id = 1, .next_user_id = 1, .acct = acct};
}

static void db_destroy(struct bbi_schema_db *db)
{
    bbi_mem_free(db->rps);
    bbi_tasks_fini(db);
    table_fini(&db->measurements);
    table_fini(&db->fields);
    table_fini(&db->tag_keys);
    if (db->dropped != NULL) {
        roaring_bitmap_free(db->dropped);
    }
    bbi_arena_fini(&db->arena);
    bbi_mem_free(db);
}

void bbi_schema_fini(struct bbi_schema *s)
{
    for (size_t i = 0; i < s->db_count; i++) {
        db_destroy(s->dbs[i]);
    }
    bbi_mem_free(s->dbs);
    s->dbs = NULL;
    s->db_count = 0;
    bbi_users_fini(s);
}

/* Where an id stands or would stand. */
static size_t db_place(const struct bbi_schema *s, uint32_t db_id)
{
    size_t lo = 0;
    size_t hi = s->db_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->dbs[mid]->id < db_id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct bbi_schema_db *bbi_schema_db_by_id(const struct bbi_schema *s, uint32_t db_id)
{
    size_t at = db_place(s, db_id);
    return at < s->db_count && s->dbs[at]->id == db_id ? s->dbs[at] : NULL;
}

struct bbi_schema_db *bbi_schema_db_by_name(const struct bbi_schema *s, const uint8_t *name,
                                            size_t len)
{
    for (size_t i = 0; i < s->db_count; i++) {
        if (same_bytes(s->dbs[i]->name, s->dbs[i]->name_len, name, len)) {
            return s->dbs[i];
        }
    }
    return NULL;
}

struct bbi_schema_rp *bbi_schema_rp_by_id(const struct bbi_schema_db *db, uint32_t rp_id)
{
    for (size_t i = 0; i < db->rp_count; i++) {
        if (db->rps[i]->id == rp_id) {
            return db->rps[i];
        }
    }
    return NULL;
}

struct bbi_schema_rp *bbi_schema_rp_by_name(const struct bbi_schema_db *db, const uint8_t *name,
                                            size_t len)
{
    for (size_t i = 0; i < db->rp_count; i++) {
        if (same_bytes(db->rps[i]->name, db->rps[i]->name_len, name, len)) {
            return db->rps[i];
        }
    }
    return NULL;
}

bool bbi_schema_note_tag_key(struct bbi_schema_db *db, uint32_t mid, const uint8_t *key,
                             size_t key_len)
{
    struct bbi_schema_table *t = &db->tag_keys;
    struct bbi_schema_entry *m = bbi_schema_get(&db->measurements, mid);
    const struct bbi_schema_entry want = {.id = (uint32_t)t->count + 1,
                                          .owner = mid,
                                          .type = BBI_STRING,
                                          .name = key,
                                          .name_len = (uint32_t)key_len};
    return bbi_schema_find(t, mid, key, key_len) != NULL ||
           table_add(t, &db->arena, &want, m == NULL ? NULL : &m->tag_keys);
}

bool bbi_schema_note_tags(struct bbi_schema_db *db, uint32_t mid, const uint8_t *key,
                          size_t key_len)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t measurement_len;
    bool ok = true;
    (void)bbi_key_first(&c, key, key_len, &measurement_len);
    while (ok && bbi_key_next(&c, &tag)) {
        ok = bbi_schema_note_tag_key(db, mid, tag.key, tag.key_len);
    }
    return ok;
}

/* ---- applying records ---- */

static int contradiction(const struct bbi_record *record, uint32_t db_id, uint32_t id,
                         struct bb_error *err)
{
    return bbi_error_set(err, BB_ECORRUPT,
                         "record %s of database %u, id %u: contradicts what is known",
                         bbi_record_type_name(record->type), db_id, id);
}

/* The record's database: NULL with BB_OK if it has been dropped. */
static int find_db(const struct bbi_schema *s, const struct bbi_record *record, uint32_t db_id,
                   struct bbi_schema_db **db, struct bb_error *err)
{
    *db = bbi_schema_db_by_id(s, db_id);
    if (*db == NULL && db_id >= s->next_db_id) {
        return bbi_error_set(err, BB_ECORRUPT, "record %s: of database %u, which was never created",
                             bbi_record_type_name(record->type), db_id);
    }
    return BB_OK;
}

static struct bbi_schema_db *db_create(struct bbi_schema *s, const struct bbi_record_database *r)
{
    struct bbi_schema_db *db = bbi_mem_zalloc(s->acct, 1, sizeof(*db));
    if (db == NULL) {
        return NULL;
    }
    bbi_arena_init(&db->arena, s->acct);
    db->id = r->db_id;
    db->measurements.acct = s->acct;
    db->fields.acct = s->acct;
    db->tag_keys.acct = s->acct;
    db->next = (struct bbi_next_ids){r->db_id, 1, 1, 1};
    db->next_task_id = 1;
    db->name = bbi_arena_dup(&db->arena, r->name, r->name_len);
    db->name_len = (uint32_t)r->name_len;
    if (db->name == NULL) {
        db_destroy(db);
        return NULL;
    }
    return db;
}

static int apply_database_new(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                              struct bb_error *err)
{
    struct bbi_record_database r;
    int rc = bbi_record_get_database(record, &r, err);
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_schema_db *known = bbi_schema_db_by_id(s, r.db_id);
    if (known != NULL) {
        return same_bytes(known->name, known->name_len, r.name, r.name_len)
                   ? BB_OK
                   : contradiction(record, r.db_id, r.db_id, err);
    }
    if (r.db_id < s->next_db_id) {
        return BB_OK;
    }
    if (bbi_schema_db_by_name(s, r.name, r.name_len) != NULL || r.db_id == UINT32_MAX) {
        return contradiction(record, r.db_id, r.db_id, err);
    }
    struct bbi_schema_db *db = db_create(s, &r);
    struct bbi_schema_db **dbs = bbi_mem_realloc(
        s->acct, s->dbs, (s->db_count + 1) * sizeof(struct bbi_schema_db *));
    s->dbs = dbs == NULL ? s->dbs : dbs;
    if (db == NULL || dbs == NULL) {
        if (db != NULL) {
            db_destroy(db);
        }
        return bbi_error_nomem(err, "database");
    }
    dbs[s->db_count++] = db;
    s->next_db_id = r.db_id + 1;
    *changed = true;
    return BB_OK;
}

static int apply_database_drop(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                               struct bb_error *err)
{
    struct bbi_record_database r;
    struct bbi_schema_db *db;
    int rc = bbi_record_get_database(record, &r, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = find_db(s, record, r.db_id, &db, err);
    if (rc != BB_OK || db == NULL) {
        return rc;
    }
    size_t at = db_place(s, r.db_id);
    memmove(&s->dbs[at], &s->dbs[at + 1], (s->db_count - at - 1) * sizeof(struct bbi_schema_db *));
    s->db_count--;
    bbi_users_forget_db(s, db->id);
    s->task_changes++;
    db_destroy(db);
    *changed = true;
    return BB_OK;
}

/* True: it was different. */
static bool rp_set(struct bbi_schema_db *db, struct bbi_schema_rp *rp,
                   const struct bbi_record_rp *r)
{
    bool is_same = rp->duration_ns == r->duration_ns && rp->shard_ns == r->shard_ns &&
                   rp->replicas == r->replicas && (db->default_rp_id == rp->id) == r->is_default;
    rp->duration_ns = r->duration_ns;
    rp->shard_ns = r->shard_ns;
    rp->replicas = r->replicas;
    if (r->is_default) {
        db->default_rp_id = rp->id;
    } else if (db->default_rp_id == rp->id) {
        db->default_rp_id = 0;
    }
    return !is_same;
}

static int rp_create(struct bbi_schema *s, struct bbi_schema_db *db,
                     const struct bbi_record *record, const struct bbi_record_rp *r,
                     struct bb_error *err)
{
    if (bbi_schema_rp_by_name(db, r->name, r->name_len) != NULL || r->rp_id == UINT32_MAX ||
        r->name_len > BBI_DB_NAME_MAX) {
        return contradiction(record, r->db_id, r->rp_id, err);
    }
    struct bbi_schema_rp **rps = bbi_mem_realloc(
        s->acct, db->rps, (db->rp_count + 1) * sizeof(struct bbi_schema_rp *));
    db->rps = rps == NULL ? db->rps : rps;
    struct bbi_schema_rp *rp = bbi_arena_zalloc(&db->arena, 1, sizeof(*rp));
    uint8_t *name = bbi_arena_dup(&db->arena, r->name, r->name_len);
    if (rps == NULL || rp == NULL || name == NULL) {
        return bbi_error_nomem(err, "retention policy");
    }
    rp->id = r->rp_id;
    rp->name = name;
    rp->name_len = (uint32_t)r->name_len;
    (void)rp_set(db, rp, r);
    rps[db->rp_count++] = rp;
    s->next_rp_id = r->rp_id + 1;
    return BB_OK;
}

static void rp_drop(struct bbi_schema_db *db, const struct bbi_schema_rp *rp)
{
    size_t at = 0;
    while (db->rps[at] != rp) {
        at++;
    }
    if (db->default_rp_id == rp->id) {
        db->default_rp_id = 0;
    }
    memmove(&db->rps[at], &db->rps[at + 1],
            (db->rp_count - at - 1) * sizeof(struct bbi_schema_rp *));
    db->rp_count--;
}

static int apply_rp(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                    struct bb_error *err)
{
    struct bbi_record_rp r;
    struct bbi_schema_db *db;
    int rc = bbi_record_get_rp(record, &r, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = find_db(s, record, r.db_id, &db, err);
    if (rc != BB_OK || db == NULL) {
        return rc;
    }
    struct bbi_schema_rp *rp = bbi_schema_rp_by_id(db, r.rp_id);
    if (rp == NULL && r.rp_id < s->next_rp_id) {
        return BB_OK;
    }
    if (record->type == BBI_RECORD_RP_NEW && rp == NULL) {
        rc = rp_create(s, db, record, &r, err);
        *changed = rc == BB_OK;
        return rc;
    }
    if (rp == NULL) {
        return contradiction(record, r.db_id, r.rp_id, err);
    }
    if (record->type == BBI_RECORD_RP_DROP) {
        rp_drop(db, rp);
        *changed = true;
        return BB_OK;
    }
    if (!same_bytes(rp->name, rp->name_len, r.name, r.name_len)) {
        return contradiction(record, r.db_id, r.rp_id, err);
    }
    *changed = rp_set(db, rp, &r);
    return BB_OK;
}

/* An entry that is there must be the same; one that is not is added. */
static int add_entry(struct bbi_schema_db *db, struct bbi_schema_table *t,
                     const struct bbi_record *record, const struct bbi_schema_entry *want,
                     struct bbi_schema_entry **siblings, uint32_t *next_id, bool *changed,
                     struct bb_error *err)
{
    const struct bbi_schema_entry *by_id = bbi_schema_get(t, want->id);
    const struct bbi_schema_entry *by_name = bbi_schema_find(t, want->owner, want->name,
                                                             want->name_len);
    if (by_id == NULL && by_name != NULL && want->id < by_name->id) {
        return BB_OK; /* the name has been dropped and given again since this was written */
    }
    if (by_id != by_name || (by_id != NULL && by_id->type != want->type) ||
        want->id == UINT32_MAX) {
        return contradiction(record, db->id, want->id, err);
    }
    if (by_id == NULL && !table_add(t, &db->arena, want, siblings)) {
        return bbi_error_nomem(err, "schema");
    }
    *changed = by_id == NULL;
    *next_id = want->id >= *next_id ? want->id + 1 : *next_id;
    return BB_OK;
}

static int apply_measurement(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                             struct bb_error *err)
{
    struct bbi_record_measurement r;
    struct bbi_schema_db *db;
    int rc = bbi_record_get_measurement(record, &r, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = find_db(s, record, r.db_id, &db, err);
    if (rc != BB_OK || db == NULL) {
        return rc;
    }
    struct bbi_schema_entry want = {.id = r.mid, .name = r.name, .name_len = (uint32_t)r.name_len};
    return add_entry(db, &db->measurements, record, &want, NULL, &db->next.mid, changed, err);
}

static int apply_field(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                       struct bb_error *err)
{
    struct bbi_record_field r;
    struct bbi_schema_db *db;
    int rc = bbi_record_get_field(record, &r, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = find_db(s, record, r.db_id, &db, err);
    if (rc != BB_OK || db == NULL) {
        return rc;
    }
    struct bbi_schema_entry *m = bbi_schema_get(&db->measurements, r.mid);
    if (m == NULL) {
        return bbi_schema_was_measurement(db, r.mid)
                   ? BB_OK
                   : contradiction(record, r.db_id, r.field_id, err);
    }
    struct bbi_schema_entry want = {.id = r.field_id,
                                    .owner = r.mid,
                                    .type = r.type,
                                    .name = r.name,
                                    .name_len = (uint32_t)r.name_len};
    return add_entry(db, &db->fields, record, &want, &m->fields, &db->next.field_id, changed, err);
}

bool bbi_schema_can_drop(struct bbi_schema_db *db)
{
    if (db->dropped == NULL) {
        db->dropped = roaring_bitmap_create();
    }
    return db->dropped != NULL;
}

void bbi_schema_drop_series(struct bbi_schema_db *db, uint32_t mid, const roaring_bitmap_t *sids)
{
    struct bbi_schema_entry *m = bbi_schema_get(&db->measurements, mid);
    if (m != NULL) {
        m->thinned = true;
    }
    roaring_bitmap_or_inplace(db->dropped, sids);
}

bool bbi_schema_drop_measurement(struct bbi_schema_db *db, uint32_t mid)
{
    struct bbi_schema_entry *m = bbi_schema_get(&db->measurements, mid);
    if (m == NULL) {
        return false;
    }
    table_remove(&db->measurements, m);
    table_remove_list(&db->fields, m->fields);
    table_remove_list(&db->tag_keys, m->tag_keys);
    return true;
}

static int apply_series_drop(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                             struct bb_error *err)
{
    struct bbi_record_series_drop r;
    struct bbi_schema_db *db = NULL;
    int rc = bbi_record_get_series_drop(record, &r, err);
    if (rc == BB_OK) {
        rc = find_db(s, record, r.db_id, &db, err);
    }
    if (rc == BB_OK && db != NULL) {
        if (!bbi_schema_can_drop(db)) {
            rc = bbi_error_nomem(err, "dropped series");
        } else {
            bbi_schema_drop_series(db, r.mid, r.sids);
            *changed = true;
        }
    }
    if (r.sids != NULL) {
        roaring_bitmap_free(r.sids);
    }
    return rc;
}

static int apply_measurement_drop(struct bbi_schema *s, const struct bbi_record *record,
                                  bool *changed, struct bb_error *err)
{
    struct bbi_record_measurement r;
    struct bbi_schema_db *db;
    int rc = bbi_record_get_measurement(record, &r, err);
    if (rc == BB_OK) {
        rc = find_db(s, record, r.db_id, &db, err);
    }
    if (rc != BB_OK || db == NULL) {
        return rc;
    }
    *changed = bbi_schema_drop_measurement(db, r.mid);
    db->next.mid = r.mid >= db->next.mid && r.mid != UINT32_MAX ? r.mid + 1 : db->next.mid;
    return BB_OK;
}

static int apply_task(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                      struct bb_error *err)
{
    struct bbi_record_task r;
    struct bbi_schema_db *db;
    int rc = bbi_record_get_task(record, &r, err);
    if (rc == BB_OK) {
        rc = find_db(s, record, r.db_id, &db, err);
    }
    if (rc != BB_OK || db == NULL) {
        return rc;
    }
    if (r.rp_id >= s->next_rp_id) {
        return contradiction(record, r.db_id, r.rp_id, err);
    }
    return bbi_tasks_apply(s, db, record->type, &r, changed, err);
}

int bbi_schema_apply(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                     struct bb_error *err)
{
    *changed = false;
    switch (record->type) {
    case BBI_RECORD_DATABASE_NEW:
        return apply_database_new(s, record, changed, err);
    case BBI_RECORD_DATABASE_DROP:
        return apply_database_drop(s, record, changed, err);
    case BBI_RECORD_RP_NEW:
    case BBI_RECORD_RP_ALTER:
    case BBI_RECORD_RP_DROP:
        return apply_rp(s, record, changed, err);
    case BBI_RECORD_MEASUREMENT_NEW:
        return apply_measurement(s, record, changed, err);
    case BBI_RECORD_FIELD_NEW:
        return apply_field(s, record, changed, err);
    case BBI_RECORD_SERIES_DROP:
        return apply_series_drop(s, record, changed, err);
    case BBI_RECORD_MEASUREMENT_DROP:
        return apply_measurement_drop(s, record, changed, err);
    case BBI_RECORD_USER_NEW:
    case BBI_RECORD_USER_ALTER:
    case BBI_RECORD_USER_DROP:
        return bbi_users_apply(s, record, changed, err);
    case BBI_RECORD_TASK_NEW:
    case BBI_RECORD_TASK_DROP:
        return apply_task(s, record, changed, err);
    default:
        return bbi_error_set(err, BB_EINVAL, "record %s: not of the schema",
                             bbi_record_type_name(record->type));
    }
}
