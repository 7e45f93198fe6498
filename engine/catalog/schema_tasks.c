#include "engine/catalog/schema_tasks.h"

#include <string.h>

/* Where an id stands or would stand. */
static size_t place(const struct bbi_schema_db *db, uint32_t id)
{
    size_t lo = 0;
    size_t hi = db->task_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (db->tasks[mid]->id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static struct bbi_schema_task *by_id(const struct bbi_schema_db *db, uint32_t id)
{
    size_t at = place(db, id);
    return at < db->task_count && db->tasks[at]->id == id ? db->tasks[at] : NULL;
}

static bool is_named(const struct bbi_schema_task *task, enum bbi_task_kind kind, uint32_t rp_id,
                     const uint8_t *name, size_t len)
{
    return task->kind == kind && task->rp_id == rp_id && task->name_len == len &&
           (len == 0 || memcmp(task->name, name, len) == 0);
}

struct bbi_schema_task *bbi_tasks_by_name(const struct bbi_schema_db *db, enum bbi_task_kind kind,
                                          uint32_t rp_id, const uint8_t *name, size_t len)
{
    for (size_t i = 0; i < db->task_count; i++) {
        if (is_named(db->tasks[i], kind, rp_id, name, len)) {
            return db->tasks[i];
        }
    }
    return NULL;
}

static struct bbi_schema_task *build(const struct bbi_schema *s, const struct bbi_record_task *r)
{
    struct bbi_schema_task *task = bbi_mem_alloc(s->acct,
                                                 sizeof(*task) + r->name_len + r->text_len);
    if (task == NULL) {
        return NULL;
    }
    uint8_t *name = (uint8_t *)(task + 1);
    uint8_t *text = name + r->name_len;
    memcpy(name, r->name, r->name_len);
    memcpy(text, r->text, r->text_len);
    *task = (struct bbi_schema_task){.id = r->task_id,
                                     .rp_id = r->rp_id,
                                     .kind = r->kind,
                                     .name_len = (uint32_t)r->name_len,
                                     .text_len = r->text_len,
                                     .name = name,
                                     .text = text};
    return task;
}

static int contradiction(const struct bbi_record_task *r, struct bb_error *err)
{
    return bbi_error_set(err, BB_ECORRUPT,
                         "record TASK_NEW of database %u, id %u: contradicts what is known",
                         r->db_id, r->task_id);
}

static int add(struct bbi_schema *s, struct bbi_schema_db *db, const struct bbi_record_task *r,
               struct bb_error *err)
{
    if (bbi_tasks_by_name(db, r->kind, r->rp_id, r->name, r->name_len) != NULL ||
        r->task_id == UINT32_MAX) {
        return contradiction(r, err);
    }
    struct bbi_schema_task **tasks = bbi_mem_realloc(
        s->acct, db->tasks, (db->task_count + 1) * sizeof(struct bbi_schema_task *));
    db->tasks = tasks == NULL ? db->tasks : tasks;
    struct bbi_schema_task *task = tasks == NULL ? NULL : build(s, r);
    if (task == NULL) {
        return bbi_error_nomem(err, "task");
    }
    tasks[db->task_count++] = task; /* ids are given ascending */
    db->next_task_id = task->id + 1;
    return BB_OK;
}

static void drop(struct bbi_schema_db *db, uint32_t id)
{
    size_t at = place(db, id);
    bbi_mem_free(db->tasks[at]);
    memmove(&db->tasks[at], &db->tasks[at + 1],
            (db->task_count - at - 1) * sizeof(struct bbi_schema_task *));
    db->task_count--;
}

int bbi_tasks_apply(struct bbi_schema *s, struct bbi_schema_db *db, enum bbi_record_type type,
                    const struct bbi_record_task *r, bool *changed, struct bb_error *err)
{
    const struct bbi_schema_task *known = by_id(db, r->task_id);
    int rc = BB_OK;
    if (type == BBI_RECORD_TASK_DROP) {
        /* The index keeps the highest id that was dropped, whatever had it. */
        *changed = known != NULL || r->task_id >= db->next_task_id;
        if (known != NULL) {
            drop(db, r->task_id);
        }
        if (r->task_id >= db->next_task_id && r->task_id != UINT32_MAX) {
            db->next_task_id = r->task_id + 1;
        }
    } else if (known != NULL) {
        rc = is_named(known, r->kind, r->rp_id, r->name, r->name_len) ? BB_OK
                                                                      : contradiction(r, err);
    } else if (r->task_id >= db->next_task_id) {
        rc = add(s, db, r, err);
        *changed = rc == BB_OK;
    }
    s->task_changes += *changed;
    return rc;
}

void bbi_tasks_fini(struct bbi_schema_db *db)
{
    for (size_t i = 0; i < db->task_count; i++) {
        bbi_mem_free(db->tasks[i]);
    }
    bbi_mem_free(db->tasks);
    db->tasks = NULL;
    db->task_count = 0;
}
