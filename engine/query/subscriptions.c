/* CREATE and DROP SUBSCRIPTION, and SHOW SUBSCRIPTIONS. */
#include <stdlib.h>
#include <string.h>

#include "engine/catalog/tasks.h"
#include "engine/influxql/influxql.h"
#include "engine/query/emit.h"
#include "engine/query/show.h"
#include "engine/query/statement.h"
#include "engine/query/subscription.h"

int bbi_subscription_parse(const char *text, size_t length, struct bbi_arena *arena,
                           struct bbi_subscription *out, struct bb_error *err)
{
    struct bbi_ql_query *query;
    *out = (struct bbi_subscription){.name = NULL};
    int rc = bbi_ql_parse(text, length, NULL, arena, &query, err);
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_ql_statement *s = query->statement_count == 1 ? query->statements[0] : NULL;
    if (s == NULL || s->kind != BBI_QL_CREATE_SUBSCRIPTION) {
        return bbi_error_set(err, BB_EINVAL, "not a subscription");
    }
    *out = (struct bbi_subscription){.name = s->u.subscription.name,
                                     .database = s->u.subscription.database,
                                     .policy = s->u.subscription.policy,
                                     .all = s->u.subscription.all,
                                     .destinations = s->u.subscription.destinations,
                                     .destination_count = s->u.subscription.destination_count};
    return BB_OK;
}

static int create(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement, bool *changed,
                  struct bb_error *err)
{
    const struct bbi_task_name name = {statement->u.subscription.database,
                                       statement->u.subscription.policy,
                                       statement->u.subscription.name};
    for (size_t i = 0; i < statement->u.subscription.destination_count; i++) {
        int rc = bbi_subscription_check(statement->u.subscription.destinations[i], err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    return bbi_task_store(ctx, statement, &name, changed, err);
}

int bbi_statement_subscription(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                               struct bb_error *err)
{
    bool changed = false;
    int rc;
    if (statement->kind == BBI_QL_CREATE_SUBSCRIPTION) {
        rc = create(ctx, statement, &changed, err);
    } else {
        const struct bbi_task_name name = {statement->u.drop.database, statement->u.drop.policy,
                                           statement->u.drop.name};
        rc = bbi_catalog_task_drop(ctx->env->catalog, &name, &changed, err);
    }
    return rc == BB_OK && changed ? ctx->env->schema_changed(ctx->env->arg, err) : rc;
}

/* ---- SHOW ---- */

/* As databases, their policies and the subscriptions of each were made: ids tell. */
static int compare_tasks(const void *a, const void *b)
{
    const struct bbi_catalog_task *x = a;
    const struct bbi_catalog_task *y = b;
    if (x->db_id != y->db_id) {
        return x->db_id < y->db_id ? -1 : 1;
    }
    if (x->rp_id != y->rp_id) {
        return x->rp_id < y->rp_id ? -1 : 1;
    }
    return x->id < y->id ? -1 : x->id > y->id;
}

/* fn is told of each subscription, and whether it is the first of its database. */
static int each_subscription(struct bbi_qctx *ctx, struct bbi_emit *e,
                             int (*fn)(struct bbi_qctx *ctx, const struct bbi_catalog_task *task,
                                       const struct bbi_subscription *s, bool first,
                                       struct bbi_emit *e, struct bb_error *err),
                             struct bb_error *err)
{
    struct bbi_catalog_tasks tasks;
    int rc = bbi_catalog_tasks(ctx->env->catalog, BBI_TASK_SUBSCRIPTION, &ctx->acct, &tasks, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (tasks.count > 1) {
        qsort(tasks.list, tasks.count, sizeof(tasks.list[0]), compare_tasks);
    }
    for (size_t i = 0; rc == BB_OK && i < tasks.count; i++) {
        const struct bbi_catalog_task *task = &tasks.list[i];
        struct bbi_subscription s;
        bool first = i == 0 || tasks.list[i].db_id != tasks.list[i - 1].db_id;
        rc = bbi_subscription_parse(task->text, task->text_len, &ctx->arena, &s, err);
        rc = rc == BB_OK ? fn(ctx, task, &s, first, e, err) : rc;
    }
    rc = rc == BB_OK ? bbi_emit_flush(e, err) : rc;
    bbi_catalog_tasks_free(&tasks);
    return rc;
}

static int show_row(struct bbi_qctx *ctx, const struct bbi_catalog_task *task,
                    const struct bbi_subscription *s, bool first, struct bbi_emit *e,
                    struct bb_error *err)
{
    static const char *const columns[] = {"retention_policy", "name", "mode", "destinations"};
    struct bb_value *row;
    (void)ctx;
    int rc = first ? bbi_emit_columns(e, task->database, columns, 4, err) : BB_OK;
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_string(task->policy, strlen(task->policy));
        row[1] = bbi_value_string(task->name, strlen(task->name));
        row[2] = bbi_value_string(s->all ? "ALL" : "ANY", 3);
        row[3] = (struct bb_value){.kind = BB_VALUE_STRINGS,
                                   .length = (uint32_t)s->destination_count,
                                   .v.strings = s->destinations};
    }
    return rc;
}

int bbi_show_subscriptions(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    return each_subscription(ctx, e, show_row, err);
}

static int show_numbers(struct bbi_qctx *ctx, const struct bbi_catalog_task *task,
                        const struct bbi_subscription *s, bool first, struct bbi_emit *e,
                        struct bb_error *err)
{
    static const char *const keys[] = {"database", "destination", "mode", "name",
                                       "retention_policy"};
    static const char *const columns[] = {"pointsWritten", "writeFailures"};
    const struct bbi_query_env *env = ctx->env;
    uint64_t id = (uint64_t)task->db_id << 32 | task->id;
    int rc = BB_OK;
    (void)first;
    for (size_t i = 0; rc == BB_OK && i < s->destination_count; i++) {
        const char *const values[] = {task->database, s->destinations[i], s->all ? "ALL" : "ANY",
                                      task->name, task->policy};
        const struct bb_series head = {.name = "subscriber",
                                       .tag_count = 5,
                                       .tag_keys = keys,
                                       .tag_values = values,
                                       .column_count = 2,
                                       .columns = columns};
        uint64_t points;
        uint64_t failures;
        struct bb_value *row;
        if (!env->subscription_numbers(env->forward_arg, id, i, &points, &failures)) {
            continue; /* it could not be started, or begins just now */
        }
        rc = bbi_emit_series(e, &head, err);
        rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
        if (rc == BB_OK) {
            row[0] = bbi_value_uint(points);
            row[1] = bbi_value_uint(failures);
        }
    }
    return rc;
}

int bbi_show_subscription_stats(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    return ctx->env->subscription_numbers == NULL ? BB_OK
                                                  : each_subscription(ctx, e, show_numbers, err);
}
