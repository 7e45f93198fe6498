/* Making, dropping and listing tasks, with InfluxDB's rules and words. */
#include "engine/catalog/tasks.h"

#include <ctype.h>
#include <string.h>

#include "engine/catalog/internal.h"
#include "engine/catalog/schema_tasks.h"

#define RECORD_MAX (BBI_TASK_TEXT_MAX + BBI_TASK_NAME_MAX + 128)

/* Where a task stands, once its names are resolved; the caller holds a lock. */
struct task_place {
    struct bbi_schema_db *db;
    enum bbi_task_kind kind;
    uint32_t rp_id;
    const uint8_t *name;
    size_t name_len;
};

static int find_place(struct bbi_catalog *cat, const struct bbi_task_name *name,
                      struct task_place *place, struct bb_error *err)
{
    *place = (struct task_place){
        .db = bbi_schema_db_by_name(&cat->schema, (const uint8_t *)name->database,
                                    strlen(name->database)),
        .kind = name->policy == NULL ? BBI_TASK_CONTINUOUS_QUERY : BBI_TASK_SUBSCRIPTION,
        .name = (const uint8_t *)name->name,
        .name_len = strlen(name->name)};
    if (place->db == NULL) {
        return bbi_error_set(err, BB_ENOTFOUND, "database not found: %.200s", name->database);
    }
    if (name->policy == NULL) {
        return BB_OK;
    }
    const struct bbi_schema_rp *rp = bbi_schema_rp_by_name(place->db, (const uint8_t *)name->policy,
                                                           strlen(name->policy));
    if (rp == NULL) {
        return bbi_error_set(err, BB_ENOTFOUND, "retention policy not found: %.200s", name->policy);
    }
    place->rp_id = rp->id;
    return BB_OK;
}

static const struct bbi_schema_task *find_task(const struct task_place *place)
{
    return bbi_tasks_by_name(place->db, place->kind, place->rp_id, place->name, place->name_len);
}

static bool same_text(const struct bbi_schema_task *task, const char *text, size_t len)
{
    for (size_t i = 0; i < len && i < task->text_len; i++) {
        if (tolower(task->text[i]) != tolower((unsigned char)text[i])) {
            return false;
        }
    }
    return len == task->text_len;
}

static int publish_new(struct bbi_catalog *cat, const struct task_place *place, const char *text,
                       size_t text_len, struct bb_error *err)
{
    const struct bbi_record_task r = {.db_id = place->db->id,
                                      .task_id = place->db->next_task_id,
                                      .kind = place->kind,
                                      .rp_id = place->rp_id,
                                      .name = place->name,
                                      .name_len = place->name_len,
                                      .text = (const uint8_t *)text,
                                      .text_len = text_len};
    struct bbi_buf records;
    if (r.task_id == UINT32_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "no more ids of tasks");
    }
    bbi_buf_init(&records, cat->acct, RECORD_MAX);
    bbi_record_put_task_new(&records, &r);
    int rc = bbi_catalog_publish(cat, &records, err);
    bbi_buf_fini(&records);
    return rc;
}

static size_t count_of(const struct bbi_catalog *cat, enum bbi_task_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < cat->schema.db_count; i++) {
        const struct bbi_schema_db *db = cat->schema.dbs[i];
        for (size_t k = 0; k < db->task_count; k++) {
            count += db->tasks[k]->kind == kind;
        }
    }
    return count;
}

static int create(struct bbi_catalog *cat, const struct bbi_task_name *name, const char *text,
                  size_t text_len, bool *created, struct bb_error *err)
{
    struct task_place place;
    int rc = find_place(cat, name, &place, err);
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_schema_task *known = find_task(&place);
    if (known != NULL && place.kind == BBI_TASK_SUBSCRIPTION) {
        return bbi_error_set(err, BB_EEXIST, "subscription already exists");
    }
    if (known != NULL) {
        return same_text(known, text, text_len)
                   ? BB_OK
                   : bbi_error_set(err, BB_EEXIST, "continuous query already exists");
    }
    if (place.kind == BBI_TASK_SUBSCRIPTION &&
        count_of(cat, BBI_TASK_SUBSCRIPTION) >= BBI_SUBSCRIPTIONS_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "too many subscriptions: at most %d",
                             BBI_SUBSCRIPTIONS_MAX);
    }
    rc = publish_new(cat, &place, text, text_len, err);
    *created = rc == BB_OK;
    return rc;
}

int bbi_catalog_task_create(struct bbi_catalog *cat, const struct bbi_task_name *name,
                            const char *text, size_t text_len, bool *created, struct bb_error *err)
{
    const char *what = name->policy == NULL ? "continuous query" : "subscription";
    *created = false;
    if (strlen(name->name) > BBI_TASK_NAME_MAX) {
        return bbi_error_set(err, BB_EINVAL, "%s: name too long: at most %d bytes", what,
                             BBI_TASK_NAME_MAX);
    }
    if (text_len > BBI_TASK_TEXT_MAX) {
        return bbi_error_set(err, BB_EINVAL, "%s too long: at most %zu bytes", what,
                             BBI_TASK_TEXT_MAX);
    }
    bbi_catalog_write_lock(cat);
    int rc = create(cat, name, text, text_len, created, err);
    bbi_catalog_unlock(cat);
    return rc;
}

static int drop(struct bbi_catalog *cat, const struct bbi_task_name *name, bool *dropped,
                struct bb_error *err)
{
    struct task_place place;
    uint8_t bytes[64];
    struct bbi_buf records = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};
    int rc = find_place(cat, name, &place, err);
    if (rc != BB_OK) {
        return name->policy == NULL ? BB_OK : rc;
    }
    const struct bbi_schema_task *task = find_task(&place);
    if (task == NULL) {
        return place.kind == BBI_TASK_CONTINUOUS_QUERY
                   ? BB_OK
                   : bbi_error_set(err, BB_ENOTFOUND, "subscription not found");
    }
    bbi_record_put_task_drop(&records, place.db->id, task->id);
    rc = bbi_catalog_publish(cat, &records, err);
    *dropped = rc == BB_OK;
    return rc;
}

int bbi_catalog_task_drop(struct bbi_catalog *cat, const struct bbi_task_name *name, bool *dropped,
                          struct bb_error *err)
{
    *dropped = false;
    bbi_catalog_write_lock(cat);
    int rc = drop(cat, name, dropped, err);
    bbi_catalog_unlock(cat);
    return rc;
}

void bbi_catalog_put_policy_tasks_drop(const struct bbi_catalog *cat, uint32_t db_id,
                                       uint32_t rp_id, struct bbi_buf *records)
{
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    for (size_t i = 0; db != NULL && i < db->task_count; i++) {
        if (db->tasks[i]->rp_id == rp_id) {
            bbi_record_put_task_drop(records, db_id, db->tasks[i]->id);
        }
    }
}

/* ---- listing ---- */

uint64_t bbi_catalog_task_changes(struct bbi_catalog *cat)
{
    bbi_catalog_read_lock(cat);
    uint64_t changes = cat->schema.task_changes;
    bbi_catalog_unlock(cat);
    return changes;
}

static const struct bbi_schema_rp *policy_of(const struct bbi_schema_db *db,
                                             const struct bbi_schema_task *task)
{
    return task->rp_id == 0 ? NULL : bbi_schema_rp_by_id(db, task->rp_id);
}

/* What the list takes: texts with a NUL behind each. */
static void measure(const struct bbi_catalog *cat, enum bbi_task_kind kind, size_t *count,
                    size_t *bytes)
{
    *count = *bytes = 0;
    for (size_t i = 0; i < cat->schema.db_count; i++) {
        const struct bbi_schema_db *db = cat->schema.dbs[i];
        for (size_t k = 0; k < db->task_count; k++) {
            const struct bbi_schema_task *task = db->tasks[k];
            const struct bbi_schema_rp *rp = policy_of(db, task);
            if (task->kind == kind) {
                *count += 1;
                *bytes += db->name_len + (rp == NULL ? 0 : rp->name_len) + task->name_len +
                          task->text_len + 4;
            }
        }
    }
}

static const char *copy(char **at, const uint8_t *text, size_t len)
{
    char *out = *at;
    if (len != 0) {
        memcpy(out, text, len);
    }
    out[len] = '\0';
    *at += len + 1;
    return out;
}

static void fill(const struct bbi_catalog *cat, enum bbi_task_kind kind,
                 struct bbi_catalog_tasks *tasks)
{
    char *at = tasks->bytes;
    for (size_t i = 0; i < cat->schema.db_count; i++) {
        const struct bbi_schema_db *db = cat->schema.dbs[i];
        for (size_t k = 0; k < db->task_count; k++) {
            const struct bbi_schema_task *task = db->tasks[k];
            const struct bbi_schema_rp *rp = policy_of(db, task);
            if (task->kind == kind) {
                tasks->list[tasks->count++] = (struct bbi_catalog_task){
                    .db_id = db->id,
                    .rp_id = task->rp_id,
                    .id = task->id,
                    .kind = kind,
                    .database = copy(&at, db->name, db->name_len),
                    .policy = copy(&at, rp == NULL ? NULL : rp->name,
                                   rp == NULL ? 0 : rp->name_len),
                    .name = copy(&at, task->name, task->name_len),
                    .text = copy(&at, task->text, task->text_len),
                    .text_len = task->text_len};
            }
        }
    }
}

int bbi_catalog_tasks(struct bbi_catalog *cat, enum bbi_task_kind kind, struct bbi_account *acct,
                      struct bbi_catalog_tasks *tasks, struct bb_error *err)
{
    size_t count;
    size_t bytes;
    *tasks = (struct bbi_catalog_tasks){.count = 0};
    bbi_catalog_read_lock(cat);
    measure(cat, kind, &count, &bytes);
    tasks->changes = cat->schema.task_changes;
    tasks->list = bbi_mem_zalloc(acct, count, sizeof(tasks->list[0]));
    tasks->bytes = bbi_mem_zalloc(acct, bytes, 1);
    bool has_memory = tasks->list != NULL && tasks->bytes != NULL;
    if (has_memory) {
        fill(cat, kind, tasks);
    }
    bbi_catalog_unlock(cat);
    if (!has_memory) {
        bbi_catalog_tasks_free(tasks);
        return bbi_error_nomem(err, "tasks");
    }
    return BB_OK;
}

void bbi_catalog_tasks_free(struct bbi_catalog_tasks *tasks)
{
    bbi_mem_free(tasks->list);
    bbi_mem_free(tasks->bytes);
    *tasks = (struct bbi_catalog_tasks){.count = 0};
}
