/**
 * Continuous queries and subscriptions in the catalog: names, and the statements that made them.
 *
 * A change is in force at once and durable with the next frame of the log, as that of a database.
 * Thread  all from any thread.
 */
#ifndef BBI_CATALOG_TASKS_H
#define BBI_CATALOG_TASKS_H

#include "engine/catalog/catalog.h"

/** All databases together: whoever forwards has a thread and two descriptors for each. */
#define BBI_SUBSCRIPTIONS_MAX 1000

/** A task; its texts lie in the list that it is of, and end with a NUL. */
struct bbi_catalog_task {
    uint32_t db_id;
    uint32_t rp_id; /* of a subscription; else 0 */
    uint32_t id;    /* of the database's tasks; never given again */
    enum bbi_task_kind kind;
    const char *database;
    const char *policy; /* of a subscription; else "" */
    const char *name;
    const char *text;
    size_t text_len;
};

/** The names that a task stands under. */
struct bbi_task_name {
    const char *database;
    const char *policy; /* of a subscription; NULL: a continuous query */
    const char *name;
};

/**
 * Make a task. One that is there with the same text, letters' case apart, is BB_OK for a continuous
 * query, with *created false.
 *
 * Returns BB_EEXIST "continuous query already exists", "subscription already exists"; BB_ENOTFOUND
 * "database not found: x", "retention policy not found: x"; BB_EINVAL name or text too long;
 * BB_ELIMIT more than BBI_SUBSCRIPTIONS_MAX.
 */
int bbi_catalog_task_create(struct bbi_catalog *cat, const struct bbi_task_name *name,
                            const char *text, size_t text_len, bool *created,
                            struct bb_error *err) BB_CHECKED;

/** A continuous query that is not there, or its database, is BB_OK with *dropped false.
 * BB_ENOTFOUND of a subscription: "database not found: x", "retention policy not found: x",
 * "subscription not found". */
int bbi_catalog_task_drop(struct bbi_catalog *cat, const struct bbi_task_name *name, bool *dropped,
                          struct bb_error *err) BB_CHECKED;

/** Under the write lock: records that drop the subscriptions of a policy. */
void bbi_catalog_put_policy_tasks_drop(const struct bbi_catalog *cat, uint32_t db_id,
                                       uint32_t rp_id, struct bbi_buf *records);

/** A number that rises with each change of tasks, databases that go included. */
uint64_t bbi_catalog_task_changes(struct bbi_catalog *cat);

struct bbi_catalog_tasks {
    struct bbi_catalog_task
        *list; /* [count] databases as they were made, tasks as they were made */
    size_t count;
    uint64_t changes; /* bbi_catalog_task_changes then */
    char *bytes;
};

/** All tasks of one kind; empty needs no bbi_catalog_tasks_free, which does no harm. */
int bbi_catalog_tasks(struct bbi_catalog *cat, enum bbi_task_kind kind, struct bbi_account *acct,
                      struct bbi_catalog_tasks *tasks, struct bb_error *err) BB_CHECKED;
void bbi_catalog_tasks_free(struct bbi_catalog_tasks *tasks);

#endif
