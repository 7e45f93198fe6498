/* Creating, altering and dropping databases and retention policies, with InfluxDB's rules. */
#include <string.h>

#include "engine/catalog/internal.h"
#include "engine/catalog/tasks.h"

#define HOUR_NS (INT64_C(3600) * 1000000000)
#define DAY_NS  (24 * HOUR_NS)

/* Two records with names. */
#define RECORDS_MAX 4096

int64_t bbi_rp_shard_ns(int64_t duration_ns)
{
    if (duration_ns == 0 || duration_ns >= 180 * DAY_NS) {
        return 7 * DAY_NS;
    }
    return duration_ns >= 2 * DAY_NS ? DAY_NS : HOUR_NS;
}

int64_t bbi_rp_shard_asked_ns(int64_t asked_ns, int64_t duration_ns)
{
    return asked_ns == 0 ? bbi_rp_shard_ns(duration_ns) : asked_ns < HOUR_NS ? HOUR_NS : asked_ns;
}

/* InfluxDB's rule: printable, no slashes, and no name that means a folder. */
static bool name_is_good(const char *name, size_t len)
{
    if (len == 0 || (len <= 2 && memcmp(name, "..", len) == 0)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\') {
            return false;
        }
    }
    return true;
}

static int check_name(const char *name, size_t len, struct bb_error *err)
{
    if (len > BBI_DB_NAME_MAX) {
        return bbi_error_set(err, BB_EINVAL, "name too long");
    }
    return name_is_good(name, len) ? BB_OK : bbi_error_set(err, BB_EINVAL, "invalid name");
}

static int no_database(const char *name, size_t len, struct bb_error *err)
{
    return bbi_error_set(err, BB_ENOTFOUND, "database not found: %.*s", len > 200 ? 200 : (int)len,
                         name);
}

static int no_rp(const char *name, size_t len, struct bb_error *err)
{
    return bbi_error_set(err, BB_ENOTFOUND, "retention policy not found: %.*s",
                         len > 200 ? 200 : (int)len, name);
}

/* What a policy is when spec changes `was`. */
static int rp_durations(const struct bbi_rp_spec *spec, int64_t was_duration_ns,
                        int64_t was_shard_ns, int64_t *duration_ns, int64_t *shard_ns,
                        struct bb_error *err)
{
    *duration_ns = spec->has_duration ? spec->duration_ns : was_duration_ns;
    *shard_ns = was_shard_ns;
    if (spec->has_shard || was_shard_ns == 0) {
        int64_t asked = spec->has_shard ? spec->shard_ns : 0;
        *shard_ns = bbi_rp_shard_asked_ns(asked, *duration_ns);
    }
    if (*duration_ns < 0 || (*duration_ns != 0 && *duration_ns < HOUR_NS)) {
        return bbi_error_set(err, BB_EINVAL, "retention policy duration must be at least 1h0m0s");
    }
    return BB_OK;
}

static int check_durations(int64_t duration_ns, int64_t shard_ns, struct bb_error *err)
{
    if (duration_ns != 0 && duration_ns < shard_ns) {
        return bbi_error_set(err, BB_EINVAL,
                             "retention policy duration must be greater than the shard duration");
    }
    return BB_OK;
}

static bool is_subscribed(const struct bbi_schema_db *db, uint32_t rp_id)
{
    for (size_t i = 0; i < db->task_count; i++) {
        if (db->tasks[i]->rp_id == rp_id) {
            return true;
        }
    }
    return false;
}

static void fill_rp(const struct bbi_schema_db *db, const struct bbi_schema_rp *from,
                    struct bbi_rp *rp)
{
    *rp = (struct bbi_rp){.db_id = db->id,
                          .id = from->id,
                          .duration_ns = from->duration_ns,
                          .shard_ns = from->shard_ns,
                          .replicas = from->replicas,
                          .is_default = db->default_rp_id == from->id,
                          .is_subscribed = is_subscribed(db, from->id),
                          .name_len = from->name_len};
    BB_ASSERT(from->name_len <= BBI_DB_NAME_MAX);
    memcpy(rp->name, from->name, from->name_len);
}

/* ---- databases ---- */

/* rp: its default policy; NULL: none. */
static int database_create(struct bbi_catalog *cat, const char *name, size_t name_len,
                           struct bbi_record_rp *rp, uint32_t *db_id, struct bb_error *err)
{
    uint8_t bytes[RECORDS_MAX];
    struct bbi_buf records = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    struct bbi_record_database r = {cat->schema.next_db_id, (const uint8_t *)name, name_len};
    const struct bbi_schema_db *known = bbi_schema_db_by_name(&cat->schema, r.name, name_len);
    if (known != NULL) {
        *db_id = known->id;
        return bbi_error_set(err, BB_EEXIST, "database already exists: %.*s", (int)name_len, name);
    }
    int rc = rp == NULL ? BB_OK : check_durations(rp->duration_ns, rp->shard_ns, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (r.db_id == UINT32_MAX || cat->schema.next_rp_id == UINT32_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "no more database ids");
    }
    bbi_record_put_database_new(&records, &r);
    if (rp != NULL) {
        rp->db_id = r.db_id;
        rp->rp_id = cat->schema.next_rp_id;
        bbi_record_put_rp_new(&records, rp);
    }
    *db_id = r.db_id;
    return bbi_catalog_publish(cat, &records, err);
}

const char *bbi_catalog_lost_default(struct bbi_catalog *cat, uint32_t db_id)
{
    struct bbi_rp rp;
    struct bb_error ignored;
    int rc = bbi_catalog_rp_find(cat, db_id, BBI_DEFAULT_RP, strlen(BBI_DEFAULT_RP), &rp, &ignored);
    return rc == BB_OK ? NULL : BBI_DEFAULT_RP;
}

int bbi_catalog_database_create(struct bbi_catalog *cat, const char *name, size_t name_len,
                                const char *rp_name, size_t rp_name_len,
                                const struct bbi_rp_spec *spec, uint32_t *db_id,
                                struct bb_error *err)
{
    const struct bbi_rp_spec defaults = {.has_duration = false};
    struct bbi_record_rp rp = {.is_default = true, .replicas = 1};
    if (spec != NULL && spec->replicas != 0) {
        rp.replicas = spec->replicas;
    }
    *db_id = 0;
    if (rp_name == NULL) {
        rp_name = BBI_DEFAULT_RP;
        rp_name_len = strlen(rp_name);
    }
    rp.name = (const uint8_t *)rp_name;
    rp.name_len = rp_name_len;
    int rc = check_name(name, name_len, err);
    rc = rc == BB_OK ? check_name(rp_name, rp_name_len, err) : rc;
    rc = rc == BB_OK ? rp_durations(spec == NULL ? &defaults : spec, 0, 0, &rp.duration_ns,
                                    &rp.shard_ns, err)
                     : rc;
    if (rc != BB_OK) {
        return rc;
    }
    bbi_catalog_write_lock(cat);
    rc = database_create(cat, name, name_len, spec != NULL && spec->none ? NULL : &rp, db_id, err);
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_database_drop(struct bbi_catalog *cat, const char *name, size_t name_len,
                              uint32_t *db_id, struct bb_error *err)
{
    uint8_t bytes[64];
    struct bbi_buf records = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    int rc;
    *db_id = 0;
    bbi_catalog_write_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_name(&cat->schema, (const uint8_t *)name,
                                                           name_len);
    if (db == NULL) {
        rc = no_database(name, name_len, err);
    } else {
        *db_id = db->id;
        bbi_record_put_database_drop(&records, db->id);
        rc = bbi_catalog_publish(cat, &records, err);
    }
    if (rc == BB_OK) {
        bbi_overlay_drop_db(cat->active, *db_id);
    }
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_database_find(struct bbi_catalog *cat, const char *name, size_t name_len,
                              uint32_t *db_id, struct bb_error *err)
{
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_name(&cat->schema, (const uint8_t *)name,
                                                           name_len);
    *db_id = db == NULL ? 0 : db->id;
    bbi_catalog_unlock(cat);
    return *db_id == 0 ? no_database(name, name_len, err) : BB_OK;
}

uint32_t bbi_catalog_next_series(struct bbi_catalog *cat, uint32_t db_id)
{
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    uint32_t next = db == NULL ? 0 : db->next.sid;
    bbi_catalog_unlock(cat);
    return next;
}

bool bbi_catalog_database_exists(struct bbi_catalog *cat, uint32_t db_id)
{
    bbi_catalog_read_lock(cat);
    bool exists = bbi_schema_db_by_id(&cat->schema, db_id) != NULL;
    bbi_catalog_unlock(cat);
    return exists;
}

/* ---- policies ---- */

static struct bbi_record_rp rp_record(const struct bbi_schema_db *db,
                                      const struct bbi_schema_rp *rp)
{
    return (struct bbi_record_rp){.db_id = db->id,
                                  .rp_id = rp->id,
                                  .duration_ns = rp->duration_ns,
                                  .shard_ns = rp->shard_ns,
                                  .replicas = rp->replicas,
                                  .is_default = db->default_rp_id == rp->id,
                                  .name = rp->name,
                                  .name_len = rp->name_len};
}

/* Each record says all of its policy: the default that was is told first that it is none now. */
static void put_old_default(struct bbi_buf *records, const struct bbi_schema_db *db,
                            uint32_t new_default)
{
    const struct bbi_schema_rp *old = bbi_schema_rp_by_id(db, db->default_rp_id);
    if (old != NULL && old->id != new_default) {
        struct bbi_record_rp r = rp_record(db, old);
        r.is_default = false;
        bbi_record_put_rp_alter(records, &r);
    }
}

static int rp_create(struct bbi_catalog *cat, const struct bbi_schema_db *db,
                     struct bbi_record_rp *r, struct bb_error *err)
{
    uint8_t bytes[RECORDS_MAX];
    struct bbi_buf records = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    const struct bbi_schema_rp *known = bbi_schema_rp_by_name(db, r->name, r->name_len);
    if (known != NULL) {
        if (known->duration_ns != r->duration_ns || known->shard_ns != r->shard_ns ||
            known->replicas != r->replicas) {
            return bbi_error_set(err, BB_EEXIST, "retention policy already exists");
        }
        return db->default_rp_id == known->id || !r->is_default
                   ? BB_OK
                   : bbi_error_set(err, BB_EEXIST,
                                   "retention policy conflicts with an existing policy");
    }
    if (cat->schema.next_rp_id == UINT32_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "no more retention policy ids");
    }
    r->db_id = db->id;
    r->rp_id = cat->schema.next_rp_id;
    if (r->is_default) {
        put_old_default(&records, db, r->rp_id);
    }
    bbi_record_put_rp_new(&records, r);
    return bbi_catalog_publish(cat, &records, err);
}

int bbi_catalog_rp_check(const char *name, size_t name_len, const struct bbi_rp_spec *spec,
                         struct bb_error *err)
{
    int64_t duration_ns;
    int64_t shard_ns;
    int rc = check_name(name, name_len, err);
    rc = rc == BB_OK ? rp_durations(spec, 0, 0, &duration_ns, &shard_ns, err) : rc;
    return rc == BB_OK ? check_durations(duration_ns, shard_ns, err) : rc;
}

int bbi_catalog_rp_create(struct bbi_catalog *cat, uint32_t db_id, const char *name,
                          size_t name_len, const struct bbi_rp_spec *spec, struct bbi_rp *rp,
                          struct bb_error *err)
{
    struct bbi_record_rp r = {.is_default = spec->make_default,
                              .replicas = spec->replicas == 0 ? 1 : spec->replicas,
                              .name = (const uint8_t *)name,
                              .name_len = name_len};
    int rc = bbi_catalog_rp_check(name, name_len, spec, err);
    rc = rc == BB_OK ? rp_durations(spec, 0, 0, &r.duration_ns, &r.shard_ns, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    bbi_catalog_write_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    rc = db == NULL ? bbi_catalog_no_database(db_id, err) : rp_create(cat, db, &r, err);
    if (rc == BB_OK) {
        fill_rp(db, bbi_schema_rp_by_name(db, r.name, r.name_len), rp);
    }
    bbi_catalog_unlock(cat);
    return rc;
}

static int rp_alter(struct bbi_catalog *cat, const struct bbi_schema_db *db,
                    const struct bbi_schema_rp *known, const struct bbi_rp_spec *spec,
                    struct bb_error *err)
{
    uint8_t bytes[RECORDS_MAX];
    struct bbi_buf records = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    struct bbi_record_rp r = rp_record(db, known);
    int rc = rp_durations(spec, known->duration_ns, known->shard_ns, &r.duration_ns, &r.shard_ns,
                          err);
    rc = rc == BB_OK ? check_durations(r.duration_ns, r.shard_ns, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    r.replicas = spec->replicas == 0 ? known->replicas : spec->replicas;
    if (spec->make_default) {
        put_old_default(&records, db, known->id);
        r.is_default = true;
    }
    bbi_record_put_rp_alter(&records, &r);
    return bbi_catalog_publish(cat, &records, err);
}

int bbi_catalog_rp_alter(struct bbi_catalog *cat, uint32_t db_id, const char *name, size_t name_len,
                         const struct bbi_rp_spec *spec, struct bbi_rp *rp, struct bb_error *err)
{
    const struct bbi_schema_rp *known = NULL;
    int rc;
    bbi_catalog_write_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db == NULL) {
        rc = bbi_catalog_no_database(db_id, err);
    } else {
        known = bbi_schema_rp_by_name(db, (const uint8_t *)name, name_len);
        rc = known == NULL ? no_rp(name, name_len, err) : rp_alter(cat, db, known, spec, err);
    }
    if (rc == BB_OK) {
        fill_rp(db, known, rp);
    }
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_rp_drop(struct bbi_catalog *cat, uint32_t db_id, const char *name, size_t name_len,
                        uint32_t *rp_id, struct bb_error *err)
{
    struct bbi_buf records;
    const struct bbi_schema_rp *known = NULL;
    int rc;
    *rp_id = 0;
    bbi_buf_init(&records, cat->acct, SIZE_MAX / 2);
    bbi_catalog_write_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db != NULL) {
        known = bbi_schema_rp_by_name(db, (const uint8_t *)name, name_len);
    }
    if (known == NULL) {
        rc = db == NULL ? bbi_catalog_no_database(db_id, err) : no_rp(name, name_len, err);
    } else {
        *rp_id = known->id;
        bbi_catalog_put_policy_tasks_drop(cat, db_id, known->id, &records);
        bbi_record_put_rp_drop(&records, db_id, known->id);
        rc = bbi_catalog_publish(cat, &records, err);
    }
    bbi_catalog_unlock(cat);
    bbi_buf_fini(&records);
    return rc;
}

int bbi_catalog_rp_find(struct bbi_catalog *cat, uint32_t db_id, const char *name, size_t name_len,
                        struct bbi_rp *rp, struct bb_error *err)
{
    const struct bbi_schema_rp *known = NULL;
    int rc = BB_OK;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db != NULL) {
        known = name_len == 0 ? bbi_schema_rp_by_id(db, db->default_rp_id)
                              : bbi_schema_rp_by_name(db, (const uint8_t *)name, name_len);
    }
    if (db == NULL) {
        rc = bbi_catalog_no_database(db_id, err);
    } else if (known == NULL) {
        rc = no_rp(name_len == 0 ? "" : name, name_len, err);
    } else {
        fill_rp(db, known, rp);
    }
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_rp_get(struct bbi_catalog *cat, uint32_t rp_id, struct bbi_rp *rp,
                       struct bb_error *err)
{
    bool found = false;
    bbi_catalog_read_lock(cat);
    for (size_t i = 0; i < cat->schema.db_count && !found; i++) {
        const struct bbi_schema_db *db = cat->schema.dbs[i];
        const struct bbi_schema_rp *known = bbi_schema_rp_by_id(db, rp_id);
        if (known != NULL) {
            fill_rp(db, known, rp);
            found = true;
        }
    }
    bbi_catalog_unlock(cat);
    return found ? BB_OK
                 : bbi_error_set(err, BB_ENOTFOUND,
                                 "retention policy not found: it was dropped "
                                 "(id %u)",
                                 rp_id);
}

static int compare_rps(const struct bbi_rp *a, const struct bbi_rp *b)
{
    size_t least = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = memcmp(a->name, b->name, least);
    return order != 0 ? order : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

int bbi_catalog_rps(struct bbi_catalog *cat, uint32_t db_id, struct bbi_account *acct,
                    struct bbi_rp **rps, size_t *count, struct bb_error *err)
{
    int rc = BB_OK;
    *rps = NULL;
    *count = 0;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db == NULL) {
        rc = bbi_catalog_no_database(db_id, err);
    } else {
        *rps = bbi_mem_zalloc(acct, db->rp_count, sizeof(**rps));
        rc = *rps == NULL ? bbi_error_nomem(err, "retention policies") : BB_OK;
    }
    for (; rc == BB_OK && *count < db->rp_count; ++*count) {
        struct bbi_rp rp;
        fill_rp(db, db->rps[*count], &rp);
        size_t at = *count;
        for (; at > 0 && compare_rps(&rp, &(*rps)[at - 1]) < 0; at--) {
            (*rps)[at] = (*rps)[at - 1];
        }
        (*rps)[at] = rp;
    }
    bbi_catalog_unlock(cat);
    return rc;
}
