/* Creating, changing and dropping users, with InfluxDB's rules and words. */
#include "engine/catalog/users.h"

#include <string.h>

#include "engine/catalog/internal.h"
#include "engine/catalog/schema_users.h"

/* A user of all databases that a server may ever have. */
#define RECORD_MAX ((size_t)64 << 20)

static int no_user(struct bb_error *err)
{
    return bbi_error_set(err, BB_ENOTFOUND, "user not found");
}

static const struct bbi_schema_user *find(const struct bbi_catalog *cat, const char *name,
                                          size_t name_len)
{
    return bbi_users_by_name(&cat->schema, (const uint8_t *)name, name_len);
}

static void fill(const struct bbi_schema_user *from, struct bbi_user *user)
{
    *user = (struct bbi_user){.id = from->id,
                              .is_admin = from->is_admin,
                              .name_len = from->name_len,
                              .verifier_len = from->verifier_len};
    BB_ASSERT(from->name_len <= BBI_USER_NAME_MAX && from->verifier_len <= BBI_VERIFIER_MAX);
    memcpy(user->name, from->name, from->name_len);
    memcpy(user->verifier, from->verifier, from->verifier_len);
}

/* ---- changing; the caller holds the write lock ---- */

static int publish(struct bbi_catalog *cat, enum bbi_record_type type,
                   const struct bbi_record_user *r, const struct bbi_grant *grants,
                   struct bb_error *err)
{
    struct bbi_buf records;
    bbi_buf_init(&records, cat->acct, RECORD_MAX);
    if (type == BBI_RECORD_USER_DROP) {
        bbi_record_put_user_drop(&records, r->user_id);
    } else {
        bbi_record_put_user(&records, type, r, grants);
    }
    int rc = bbi_catalog_publish(cat, &records, err);
    bbi_buf_fini(&records);
    return rc;
}

static int create(struct bbi_catalog *cat, struct bbi_record_user *r, struct bb_error *err)
{
    if (bbi_users_by_name(&cat->schema, r->name, r->name_len) != NULL) {
        return bbi_error_set(err, BB_EEXIST, "user already exists");
    }
    r->user_id = cat->schema.next_user_id;
    if (r->user_id == UINT32_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "no more user ids");
    }
    return publish(cat, BBI_RECORD_USER_NEW, r, NULL, err);
}

/* The user's grants with that of one database changed; grants has room for one more. */
static size_t change_grants(const struct bbi_schema_user *user, uint32_t db_id,
                            const struct bbi_user_change *change, struct bbi_grant *grants)
{
    size_t count = 0;
    bool done = false;
    for (size_t i = 0; i <= user->grant_count; i++) {
        bool at_end = i == user->grant_count;
        if (!done && (at_end || user->grants[i].db_id >= db_id)) {
            bool is_there = !at_end && user->grants[i].db_id == db_id;
            enum bbi_privilege was = is_there ? user->grants[i].privilege : BBI_PRIVILEGE_NONE;
            enum bbi_privilege now = change->give != BBI_PRIVILEGE_NONE ? change->give : was;
            grants[count++] = (struct bbi_grant){
                db_id, (enum bbi_privilege)((unsigned)now & ~(unsigned)change->take)};
            done = true;
            if (is_there) {
                continue;
            }
        }
        if (!at_end) {
            grants[count++] = user->grants[i];
        }
    }
    return count;
}

static int alter(struct bbi_catalog *cat, const struct bbi_schema_user *user,
                 const struct bbi_user_change *change, struct bb_error *err)
{
    struct bbi_record_user r = {.user_id = user->id,
                                .is_admin = change->set_admin ? change->is_admin : user->is_admin,
                                .verifier = user->verifier,
                                .verifier_len = user->verifier_len,
                                .name = user->name,
                                .name_len = user->name_len,
                                .grant_count = (uint32_t)user->grant_count};
    if (change->verifier != NULL) {
        r.verifier = change->verifier;
        r.verifier_len = change->verifier_len;
    }
    if (change->database == NULL) {
        return publish(cat, BBI_RECORD_USER_ALTER, &r, user->grants, err);
    }
    const struct bbi_schema_db *db = bbi_schema_db_by_name(
        &cat->schema, (const uint8_t *)change->database, strlen(change->database));
    if (db == NULL) {
        return bbi_error_set(err, BB_ENOTFOUND, "database not found: %.200s", change->database);
    }
    struct bbi_grant *grants = bbi_mem_zalloc(cat->acct, user->grant_count + 1, sizeof(grants[0]));
    if (grants == NULL) {
        return bbi_error_nomem(err, "privileges");
    }
    r.grant_count = (uint32_t)change_grants(user, db->id, change, grants);
    int rc = publish(cat, BBI_RECORD_USER_ALTER, &r, grants, err);
    bbi_mem_free(grants);
    return rc;
}

int bbi_catalog_user_create(struct bbi_catalog *cat, const char *name, size_t name_len,
                            const uint8_t *verifier, size_t verifier_len, bool is_admin,
                            struct bb_error *err)
{
    struct bbi_record_user r = {.is_admin = is_admin,
                                .verifier = verifier,
                                .verifier_len = verifier_len,
                                .name = (const uint8_t *)name,
                                .name_len = name_len};
    BB_ASSERT(verifier_len <= BBI_VERIFIER_MAX);
    if (name_len == 0) {
        return bbi_error_set(err, BB_EINVAL, "username required");
    }
    if (name_len > BBI_USER_NAME_MAX) {
        return bbi_error_set(err, BB_EINVAL, "username too long: at most %d bytes",
                             BBI_USER_NAME_MAX);
    }
    bbi_catalog_write_lock(cat);
    int rc = create(cat, &r, err);
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_user_drop(struct bbi_catalog *cat, const char *name, size_t name_len,
                          struct bb_error *err)
{
    bbi_catalog_write_lock(cat);
    const struct bbi_schema_user *user = find(cat, name, name_len);
    struct bbi_record_user r = {.user_id = user == NULL ? 0 : user->id};
    int rc = user == NULL ? no_user(err) : publish(cat, BBI_RECORD_USER_DROP, &r, NULL, err);
    bbi_catalog_unlock(cat);
    return rc;
}

int bbi_catalog_user_alter(struct bbi_catalog *cat, const char *name, size_t name_len,
                           const struct bbi_user_change *change, struct bb_error *err)
{
    bbi_catalog_write_lock(cat);
    const struct bbi_schema_user *user = find(cat, name, name_len);
    int rc = user == NULL ? no_user(err) : alter(cat, user, change, err);
    bbi_catalog_unlock(cat);
    return rc;
}

/* ---- looking up ---- */

int bbi_catalog_user_find(struct bbi_catalog *cat, const char *name, size_t name_len,
                          struct bbi_user *user, struct bb_error *err)
{
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_user *known = find(cat, name, name_len);
    if (known != NULL) {
        fill(known, user);
    }
    bbi_catalog_unlock(cat);
    return known == NULL ? no_user(err) : BB_OK;
}

enum bbi_privilege bbi_catalog_user_privilege(struct bbi_catalog *cat, const char *name,
                                              size_t name_len, const char *database,
                                              size_t database_len, bool *is_admin)
{
    enum bbi_privilege privilege = BBI_PRIVILEGE_NONE;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_user *user = find(cat, name, name_len);
    const struct bbi_schema_db *db = bbi_schema_db_by_name(&cat->schema, (const uint8_t *)database,
                                                           database_len);
    *is_admin = user != NULL && user->is_admin;
    if (user != NULL && (db != NULL || user->is_admin)) {
        privilege = bbi_user_privilege(user, db == NULL ? 0 : db->id);
    }
    bbi_catalog_unlock(cat);
    return privilege;
}

void bbi_catalog_user_counts(struct bbi_catalog *cat, size_t *users, size_t *admins)
{
    bbi_catalog_read_lock(cat);
    *users = cat->schema.user_count;
    *admins = cat->schema.admin_count;
    bbi_catalog_unlock(cat);
}

int bbi_catalog_users(struct bbi_catalog *cat, struct bbi_account *acct, struct bbi_user **users,
                      size_t *count, struct bb_error *err)
{
    *count = 0;
    bbi_catalog_read_lock(cat);
    *users = bbi_mem_zalloc(acct, cat->schema.user_count, sizeof(**users));
    int rc = *users == NULL ? bbi_error_nomem(err, "users") : BB_OK;
    for (size_t i = 0; rc == BB_OK && i < cat->schema.user_count; i++) {
        fill(cat->schema.users[i], &(*users)[(*count)++]);
    }
    bbi_catalog_unlock(cat);
    return rc;
}

static int copy_grants(const struct bbi_catalog *cat, const struct bbi_schema_user *user,
                       struct bbi_account *acct, struct bbi_user_grant **grants, size_t *count,
                       struct bb_error *err)
{
    *grants = bbi_mem_zalloc(acct, user->grant_count, sizeof(**grants));
    if (*grants == NULL) {
        return bbi_error_nomem(err, "privileges");
    }
    for (size_t i = 0; i < user->grant_count; i++) {
        const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, user->grants[i].db_id);
        BB_ASSERT(db != NULL && db->name_len <= BBI_DB_NAME_MAX);
        struct bbi_user_grant *grant = &(*grants)[(*count)++];
        grant->privilege = user->grants[i].privilege;
        grant->database_len = db->name_len;
        memcpy(grant->database, db->name, db->name_len);
    }
    return BB_OK;
}

int bbi_catalog_user_grants(struct bbi_catalog *cat, const char *name, size_t name_len,
                            struct bbi_account *acct, struct bbi_user_grant **grants, size_t *count,
                            struct bb_error *err)
{
    *grants = NULL;
    *count = 0;
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_user *user = find(cat, name, name_len);
    int rc = user == NULL ? no_user(err) : copy_grants(cat, user, acct, grants, count, err);
    bbi_catalog_unlock(cat);
    return rc;
}
