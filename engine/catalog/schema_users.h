/**
 * Users in the schema: who may log in, and what each may do with which database.
 *
 * As the schema, plain data that the catalog's lock covers; changes come as records.
 */
#ifndef BBI_CATALOG_SCHEMA_USERS_H
#define BBI_CATALOG_SCHEMA_USERS_H

#include "engine/catalog/schema.h"

struct bbi_schema_user *bbi_users_by_name(const struct bbi_schema *s, const uint8_t *name,
                                          size_t len);

/** What a user may do with a database, as it was granted: an administrator may do all of it. */
enum bbi_privilege bbi_user_privilege(const struct bbi_schema_user *user, uint32_t db_id);

/** USER_NEW, USER_ALTER, USER_DROP; as bbi_schema_apply. Grants on databases that are not there
 * are passed over. */
int bbi_users_apply(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                    struct bb_error *err) BB_CHECKED;

/** The database goes, and all grants on it. */
void bbi_users_forget_db(struct bbi_schema *s, uint32_t db_id);

void bbi_users_fini(struct bbi_schema *s);

#endif
