/* CREATE and DROP CONTINUOUS QUERY, and SHOW CONTINUOUS QUERIES. */
#include "engine/catalog/tasks.h"

#include <string.h>

#include "engine/influxql/influxql.h"
#include "engine/query/authorize.h"
#include "engine/query/emit.h"
#include "engine/query/qualify.h"
#include "engine/query/show.h"
#include "engine/query/statement.h"

int bbi_task_store(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                   const struct bbi_task_name *name, bool *changed, struct bb_error *err)
{
    struct bbi_buf text;
    bbi_buf_init(&text, &ctx->acct, SIZE_MAX / 2);
    bbi_ql_format(statement, &text);
    int rc = bbi_buf_check(&text, "statement", err);
    if (rc == BB_OK) {
        rc = bbi_catalog_task_create(ctx->env->catalog, name, (const char *)text.data, text.len,
                                     changed, err);
    }
    bbi_buf_fini(&text);
    return rc;
}

int bbi_qualify_cq(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                   struct bbi_ql_statement *out, struct bb_error *err)
{
    const struct bbi_ql_select *select;
    const char *database = ctx->query->database;
    if (database == NULL || database[0] == '\0') {
        database = statement->u.cq.database;
    }
    *out = *statement;
    int rc = bbi_qualify_select(ctx, statement->u.cq.select, database, &select, err);
    if (rc == BB_OK) {
        out->u.cq.select = (struct bbi_ql_select *)(uintptr_t)select;
    }
    return rc;
}

static int create_cq(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement, bool *changed,
                     struct bb_error *err)
{
    const struct bbi_task_name name = {statement->u.cq.database, NULL, statement->u.cq.name};
    struct bbi_ql_statement full; /* InfluxDB keeps it with full names */
    int rc = bbi_qualify_cq(ctx, statement, &full, err);
    rc = rc == BB_OK ? bbi_qualify_check(ctx, full.u.cq.select, err) : rc;
    return rc == BB_OK ? bbi_task_store(ctx, &full, &name, changed, err) : rc;
}

int bbi_statement_task(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                       struct bb_error *err)
{
    bool changed = false;
    int rc;
    if (statement->kind == BBI_QL_CREATE_CQ) {
        rc = create_cq(ctx, statement, &changed, err);
    } else {
        const struct bbi_task_name name = {statement->u.drop.database, NULL,
                                           statement->u.drop.name};
        rc = bbi_catalog_task_drop(ctx->env->catalog, &name, &changed, err);
    }
    return rc == BB_OK && changed ? ctx->env->schema_changed(ctx->env->arg, err) : rc;
}

/* ---- SHOW ---- */

/* One list for each database, empty ones too; its tasks are those from *at on. */
static int show_database(struct bbi_qctx *ctx, const struct bbi_name *database,
                         const struct bbi_catalog_tasks *tasks, size_t *at, struct bbi_emit *e,
                         struct bb_error *err)
{
    static const char *const columns[] = {"name", "query"};
    const char *name = bbi_arena_dup(&ctx->arena, database->name, database->len);
    int rc = name == NULL ? bbi_error_nomem(err, "databases")
                          : bbi_emit_columns(e, name, columns, 2, err);
    for (; rc == BB_OK && *at < tasks->count && tasks->list[*at].db_id == database->id; ++*at) {
        const struct bbi_catalog_task *task = &tasks->list[*at];
        struct bb_value *row;
        rc = bbi_emit_row(e, &row, err);
        if (rc == BB_OK) {
            row[0] = bbi_value_string(task->name, strlen(task->name));
            row[1] = bbi_value_string(task->text, task->text_len);
        }
    }
    return rc;
}

int bbi_show_cqs(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    struct bbi_names names;
    struct bbi_catalog_tasks tasks;
    size_t at = 0;
    int rc = bbi_show_database_names(ctx, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_catalog_tasks(ctx->env->catalog, BBI_TASK_CONTINUOUS_QUERY, &ctx->acct, &tasks, err);
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        while (at < tasks.count && tasks.list[at].db_id < names.list[i].id) {
            at++;
        }
        if (bbi_authorize_sees(ctx, names.list[i].name, names.list[i].len)) {
            rc = show_database(ctx, &names.list[i], &tasks, &at, e, err);
        }
    }
    rc = rc == BB_OK ? bbi_emit_flush(e, err) : rc;
    bbi_catalog_tasks_free(&tasks);
    bbi_names_fini(&names);
    return rc;
}
