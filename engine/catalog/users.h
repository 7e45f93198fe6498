/**
 * Users, their passwords' verifiers and what they may do, in the catalog.
 *
 * A change is in force at once and durable with the next frame of the log, as that of a database.
 * Privileges hang on the database's id: dropping a database drops them, and a new one of the same
 * name begins without. Thread  all from any thread.
 */
#ifndef BBI_CATALOG_USERS_H
#define BBI_CATALOG_USERS_H

#include "engine/catalog/catalog.h"

/** A user; a copy. */
struct bbi_user {
    uint32_t id;
    bool is_admin;
    uint32_t name_len;
    uint32_t verifier_len;
    char name[BBI_USER_NAME_MAX + 1];
    uint8_t verifier[BBI_VERIFIER_MAX];
};

/** BB_EEXIST "user already exists"; BB_EINVAL "username required", or a name that is too long. */
int bbi_catalog_user_create(struct bbi_catalog *cat, const char *name, size_t name_len,
                            const uint8_t *verifier, size_t verifier_len, bool is_admin,
                            struct bb_error *err) BB_CHECKED;

/** BB_ENOTFOUND "user not found". */
int bbi_catalog_user_drop(struct bbi_catalog *cat, const char *name, size_t name_len,
                          struct bb_error *err) BB_CHECKED;
int bbi_catalog_user_find(struct bbi_catalog *cat, const char *name, size_t name_len,
                          struct bbi_user *user, struct bb_error *err) BB_CHECKED;

/** What is to be different; the rest stays. */
struct bbi_user_change {
    const uint8_t *verifier; /* [verifier_len]; NULL: as it was */
    size_t verifier_len;
    bool set_admin, is_admin;
    const char *database;    /* NULL: no privilege changes */
    enum bbi_privilege give; /* in place of what was there; NONE: as it was */
    enum bbi_privilege take; /* from what is there then */
};

/** BB_ENOTFOUND "user not found", "database not found: x". */
int bbi_catalog_user_alter(struct bbi_catalog *cat, const char *name, size_t name_len,
                           const struct bbi_user_change *change, struct bb_error *err) BB_CHECKED;

/** What the user may do with the database, ALL for an administrator; NONE also where there is no
 * such user or database. */
enum bbi_privilege bbi_catalog_user_privilege(struct bbi_catalog *cat, const char *name,
                                              size_t name_len, const char *database,
                                              size_t database_len, bool *is_admin);

void bbi_catalog_user_counts(struct bbi_catalog *cat, size_t *users, size_t *admins);

/** All users, oldest first; free with bbi_mem_free. */
int bbi_catalog_users(struct bbi_catalog *cat, struct bbi_account *acct, struct bbi_user **users,
                      size_t *count, struct bb_error *err) BB_CHECKED;

struct bbi_user_grant {
    enum bbi_privilege privilege;
    uint32_t database_len;
    char database[BBI_DB_NAME_MAX + 1];
};

/** A user's privileges, oldest database first; free with bbi_mem_free. BB_ENOTFOUND. */
int bbi_catalog_user_grants(struct bbi_catalog *cat, const char *name, size_t name_len,
                            struct bbi_account *acct, struct bbi_user_grant **grants, size_t *count,
                            struct bb_error *err) BB_CHECKED;

#endif
