#include "engine/logins.h"

#include <string.h>

#include "engine/db_impl.h"

int bbi_logins_init(struct bbi_logins *l, struct bbi_catalog *catalog, struct bbi_account *acct,
                    struct bb_error *err)
{
    *l = (struct bbi_logins){.catalog = catalog, .acct = acct};
    if (!bbi_password_random(l->key, sizeof(l->key)) || !bbi_password_decoy(l->nobody)) {
        l->catalog = NULL;
        return bbi_error_set(err, BB_EINTERNAL, "no random bytes");
    }
    (void)pthread_mutex_init(&l->lock, NULL);
    return BB_OK;
}

void bbi_logins_fini(struct bbi_logins *l)
{
    if (l->catalog == NULL) {
        return;
    }
    bbi_mem_free(l->kept);
    pthread_mutex_destroy(&l->lock);
    l->catalog = NULL;
}

/* The place of a tag; the caller holds the lock. NULL: no memory, nothing is kept. */
static struct bbi_login *slot_of(struct bbi_logins *l, const uint8_t *tag)
{
    if (l->kept == NULL) {
        l->kept = bbi_mem_zalloc(l->acct, BBI_LOGINS_KEPT, sizeof(l->kept[0]));
    }
    size_t at = (size_t)tag[0] | (size_t)tag[1] << 8;
    return l->kept == NULL ? NULL : &l->kept[at % BBI_LOGINS_KEPT];
}

static bool recall(struct bbi_logins *l, const uint8_t *tag, bool *matches)
{
    pthread_mutex_lock(&l->lock);
    const struct bbi_login *slot = slot_of(l, tag);
    bool known = slot != NULL && slot->is_there &&
                 bbi_password_same(slot->tag, tag, sizeof(slot->tag));
    *matches = known && slot->matches;
    pthread_mutex_unlock(&l->lock);
    return known;
}

static void keep(struct bbi_logins *l, const uint8_t *tag, bool matches)
{
    pthread_mutex_lock(&l->lock);
    struct bbi_login *slot = slot_of(l, tag);
    if (slot != NULL) {
        *slot = (struct bbi_login){.is_there = true, .matches = matches};
        memcpy(slot->tag, tag, sizeof(slot->tag));
    }
    pthread_mutex_unlock(&l->lock);
}

static int check(struct bbi_logins *l, const uint8_t *verifier, size_t verifier_len,
                 const char *password, bool at_once, bool *matches, struct bb_error *err)
{
    uint8_t tag[BBI_PASSWORD_TAG_BYTES];
    size_t len = strlen(password);
    if (!bbi_password_tag(l->key, verifier, verifier_len, password, len, tag)) {
        return bbi_error_nomem(err, "checking a password");
    }
    if (recall(l, tag, matches)) {
        return BB_OK;
    }
    if (at_once) {
        return bbi_error_set(err, BB_EBUSY, "the password has to be hashed");
    }
    int rc = bbi_password_check(verifier, verifier_len, password, len, l->acct, matches, err);
    if (rc == BB_OK) {
        keep(l, tag, *matches);
    }
    return rc;
}

int bbi_logins_check(struct bbi_logins *l, const char *name, const char *password, bool at_once,
                     struct bb_error *err)
{
    struct bbi_user user;
    bool matches = false;
    int rc = bbi_catalog_user_find(l->catalog, name, strlen(name), &user, err);
    if (rc == BB_OK) {
        rc = check(l, user.verifier, user.verifier_len, password, at_once, &matches, err);
    } else {
        rc = check(l, l->nobody, sizeof(l->nobody), password, at_once, &matches, err);
        matches = false;
    }
    if (rc == BB_OK && !matches) {
        rc = bbi_error_set(err, BB_EUNAUTHORIZED, "authorization failed");
    }
    return rc;
}

/* ---- the library's functions ---- */

int bb_user_check(struct bb_db *db, const char *user, const char *password, struct bb_error *err)
{
    return bbi_logins_check(&db->logins, user, password, false, err);
}

int bb_user_check_at_once(struct bb_db *db, const char *user, const char *password,
                          struct bb_error *err)
{
    return bbi_logins_check(&db->logins, user, password, true, err);
}

int bb_user_may_write(struct bb_db *db, const char *user, const char *database,
                      struct bb_error *err)
{
    bool is_admin;
    uint32_t db_id;
    int rc = bbi_catalog_database_find(db->catalog, database, strlen(database), &db_id, err);
    if (rc != BB_OK) {
        return bbi_error_set(err, rc, "database not found: \"%.200s\"", database);
    }
    if (user == NULL) {
        return bbi_error_set(err, BB_EFORBIDDEN, "user is required to write to database \"%.200s\"",
                             database);
    }
    enum bbi_privilege has = bbi_catalog_user_privilege(db->catalog, user, strlen(user), database,
                                                        strlen(database), &is_admin);
    if (((unsigned)has & BBI_PRIVILEGE_WRITE) != 0) {
        return BB_OK;
    }
    return bbi_error_set(err, BB_EFORBIDDEN,
                         "\"%.200s\" user is not authorized to write to database \"%.200s\"", user,
                         database);
}

bool bb_user_is_admin(struct bb_db *db, const char *user)
{
    bool is_admin;
    (void)bbi_catalog_user_privilege(db->catalog, user, strlen(user), "", 0, &is_admin);
    return is_admin;
}

bool bb_user_admin_exists(struct bb_db *db)
{
    size_t users;
    size_t admins;
    bbi_catalog_user_counts(db->catalog, &users, &admins);
    return admins != 0;
}
