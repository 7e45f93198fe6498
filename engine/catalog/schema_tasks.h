/**
 * Tasks in the schema: the continuous queries and subscriptions of each database.
 *
 * As the schema, plain data that the catalog's lock covers; changes come as records. A task goes
 * with its database. A subscription goes with its policy: whoever drops that drops it first.
 */
#ifndef BBI_CATALOG_SCHEMA_TASKS_H
#define BBI_CATALOG_SCHEMA_TASKS_H

#include "engine/catalog/schema.h"

/** rp_id: of a subscription; 0 of a continuous query. */
struct bbi_schema_task *bbi_tasks_by_name(const struct bbi_schema_db *db, enum bbi_task_kind kind,
                                          uint32_t rp_id, const uint8_t *name, size_t len);

/** type: TASK_NEW or TASK_DROP, of this database; as bbi_schema_apply. */
int bbi_tasks_apply(struct bbi_schema *s, struct bbi_schema_db *db, enum bbi_record_type type,
                    const struct bbi_record_task *r, bool *changed,
                    struct bb_error *err) BB_CHECKED;

void bbi_tasks_fini(struct bbi_schema_db *db);

#endif
