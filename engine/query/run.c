#include <string.h>

#include "engine/base/clock.h"
#include "engine/influxql/influxql.h"
#include "engine/query/authorize.h"
#include "engine/query/emit.h"
#include "engine/query/parse.h"
#include "engine/query/qualify.h"
#include "engine/query/statement.h"

/* What a statement does besides answering. */
enum effect {
    EFFECT_NONE,
    EFFECT_CHANGE
};

static enum effect effect_of(const struct bbi_ql_statement *statement)
{
    switch (statement->kind) {
    case BBI_QL_SELECT:
        return statement->u.select->into != NULL ? EFFECT_CHANGE : EFFECT_NONE;
    case BBI_QL_EXPLAIN:
        return EFFECT_NONE;
    case BBI_QL_KILL_QUERY:
        return EFFECT_NONE;
    default:
        return statement->kind >= BBI_QL_SHOW_DATABASES ? EFFECT_NONE : EFFECT_CHANGE;
    }
}

/* Of a DELETE InfluxDB says nothing. */
static bool is_warned_of(const struct bbi_ql_statement *statement)
{
    return effect_of(statement) == EFFECT_CHANGE && statement->kind != BBI_QL_DELETE;
}

static int unsupported(const struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                       struct bb_error *err)
{
    struct bbi_buf text;
    bbi_buf_init(&text, (struct bbi_account *)(uintptr_t)&ctx->acct, 64 * 1024);
    bbi_ql_format(statement, &text);
    int length = text.len > 200 ? 200 : (int)text.len;
    (void)bbi_error_set(err, BB_EUNSUPPORTED, "%.*s is not supported", length,
                        (const char *)text.data);
    bbi_buf_fini(&text);
    return err->code;
}

/* Databases that are not there are told before anything else that is wrong. */
static int check_names(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                       struct bb_error *err)
{
    const struct bbi_ql_select *full;
    return bbi_qualify_select(ctx, select, ctx->query->database, &full, err);
}

static int dispatch(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                    struct bb_error *err)
{
    int rc;
    switch (statement->kind) {
    case BBI_QL_SELECT:
        rc = check_names(ctx, statement->u.select, err);
        return rc == BB_OK ? bbi_statement_select(ctx, statement->u.select, err) : rc;
    case BBI_QL_EXPLAIN:
        rc = check_names(ctx, statement->u.explain.select, err);
        return rc != BB_OK ? rc : bbi_statement_explain(ctx, statement, err);
    case BBI_QL_DELETE:
    case BBI_QL_DROP_SERIES:
    case BBI_QL_DROP_MEASUREMENT:
        return bbi_statement_delete(ctx, statement, err);
    case BBI_QL_CREATE_DATABASE:
    case BBI_QL_CREATE_POLICY:
    case BBI_QL_ALTER_POLICY:
    case BBI_QL_DROP_DATABASE:
    case BBI_QL_DROP_POLICY:
        return bbi_statement_schema(ctx, statement, err);
    case BBI_QL_CREATE_CQ:
    case BBI_QL_DROP_CQ:
        return bbi_statement_task(ctx, statement, err);
    case BBI_QL_CREATE_SUBSCRIPTION:
    case BBI_QL_DROP_SUBSCRIPTION:
        return bbi_statement_subscription(ctx, statement, err);
    case BBI_QL_DROP_SHARD:
        return bbi_statement_drop_shard(ctx, statement->u.drop.id, err);
    case BBI_QL_KILL_QUERY:
        return bbi_running_kill(ctx->env->running, statement->u.kill.id, err);
    case BBI_QL_CREATE_USER:
    case BBI_QL_DROP_USER:
    case BBI_QL_SET_PASSWORD:
    case BBI_QL_GRANT:
    case BBI_QL_GRANT_ADMIN:
    case BBI_QL_REVOKE:
    case BBI_QL_REVOKE_ADMIN:
        return bbi_statement_user(ctx, statement, err);
    default:
        return statement->kind >= BBI_QL_SHOW_DATABASES ? bbi_statement_show(ctx, statement, err)
                                                        : unsupported(ctx, statement, err);
    }
}

/* A statement as InfluxDB prints it once it has given its sources their full names. */
static int name_fully(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                      struct bbi_ql_statement *out, struct bb_error *err)
{
    *out = *statement;
    if (statement->kind == BBI_QL_CREATE_CQ) {
        return bbi_qualify_cq(ctx, statement, out, err);
    }
    if (statement->kind != BBI_QL_SELECT) {
        return BB_OK;
    }
    const struct bbi_ql_select *select;
    int rc = bbi_qualify_select(ctx, statement->u.select, ctx->query->database, &select, err);
    if (rc == BB_OK) {
        out->u.select = (struct bbi_ql_select *)(uintptr_t)select;
    }
    return rc;
}

/* InfluxDB runs what a GET should not change, and says so. */
static int warn_read_only(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                          struct bb_error *err)
{
    struct bbi_buf text;
    struct bbi_ql_statement full;
    int rc = name_fully(ctx, statement, &full, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_buf_init(&text, &ctx->acct, 1 << 20);
    bbi_buf_str(&text, "deprecated use of '");
    bbi_ql_format_told(&full, &text);
    bbi_buf_str(&text, "' in a read only context, please use a POST request instead");
    bbi_buf_u8(&text, 0);
    rc = bbi_buf_check(&text, "warning", err);
    if (rc == BB_OK) {
        rc = bbi_emit_message(ctx, (const char *)text.data, err);
    }
    bbi_buf_fini(&text);
    return rc;
}

/* Memory that ran out because of the query's own limit is told as that. */
static void explain_limit(const struct bbi_qctx *ctx, struct bb_error *err)
{
    uint64_t limit = ctx->acct.limit_bytes;
    if (err->code == BB_ENOMEM && limit != 0 &&
        atomic_load_explicit(&ctx->acct.peak_bytes, memory_order_relaxed) >= limit / 2) {
        (void)bbi_error_set(err, BB_ELIMIT,
                            "query needs more memory than the %llu MiB that one may use: select "
                            "fewer series, a shorter time or longer intervals",
                            (unsigned long long)(limit >> 20));
    }
}

static enum bb_chunks chunks_of(const struct bbi_ql_statement *statement)
{
    switch (statement->kind) {
    case BBI_QL_SHOW_TAG_KEYS:
    case BBI_QL_SHOW_TAG_VALUES:
        return BB_CHUNKS_SERIES;
    case BBI_QL_EXPLAIN:
    case BBI_QL_SHOW_DATABASES:
    case BBI_QL_SHOW_POLICIES:
    case BBI_QL_SHOW_MEASUREMENTS:
    case BBI_QL_SHOW_SHARDS:
    case BBI_QL_SHOW_SHARD_GROUPS:
    case BBI_QL_SHOW_QUERIES:
    case BBI_QL_SHOW_STATS:
    case BBI_QL_SHOW_DIAGNOSTICS:
    case BBI_QL_SHOW_CQS:
    case BBI_QL_SHOW_SUBSCRIPTIONS:
    case BBI_QL_SHOW_USERS:
    case BBI_QL_SHOW_GRANTS:
        return BB_CHUNKS_NONE;
    default:
        return BB_CHUNKS_ROWS;
    }
}

static int run_statement(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                         struct bb_error *err)
{
    memset(&ctx->stats, 0, sizeof(ctx->stats));
    atomic_store_explicit(&ctx->points, 0, memory_order_relaxed);
    bbi_arena_init(&ctx->arena, &ctx->acct);
    ctx->zone = NULL;
    ctx->goes_on = false;
    ctx->chunks = chunks_of(statement);
    int rc = dispatch(ctx, statement, err);
    if (rc == BB_OK && ctx->query->read_only && is_warned_of(statement)) {
        rc = warn_read_only(ctx, statement, err);
    }
    if (effect_of(statement) == EFFECT_CHANGE) {
        bbi_qctx_drop_snapshot(ctx);
    }
    bbi_arena_fini(&ctx->arena);
    if (rc != BB_OK) {
        explain_limit(ctx, err);
    }
    return rc;
}

static enum bb_statement class_of(const struct bbi_ql_statement *statement)
{
    switch (statement->kind) {
    case BBI_QL_SELECT:
        return BB_STATEMENT_SELECT;
    case BBI_QL_EXPLAIN:
        return BB_STATEMENT_EXPLAIN;
    case BBI_QL_DELETE:
    case BBI_QL_DROP_SERIES:
    case BBI_QL_DROP_MEASUREMENT:
    case BBI_QL_DROP_SHARD:
        return BB_STATEMENT_DELETE;
    case BBI_QL_CREATE_DATABASE:
    case BBI_QL_CREATE_POLICY:
    case BBI_QL_ALTER_POLICY:
    case BBI_QL_DROP_DATABASE:
    case BBI_QL_DROP_POLICY:
        return BB_STATEMENT_SCHEMA;
    default:
        return statement->kind >= BBI_QL_SHOW_DATABASES ? BB_STATEMENT_SHOW : BB_STATEMENT_ADMIN;
    }
}

static void count_error(const struct bbi_query_env *env, int code)
{
    atomic_fetch_add_explicit(&env->counters->errors, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&env->counters->errors_by_code[code], 1, memory_order_relaxed);
}

/* One statement, timed and counted. */
static int run_counted(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                       struct bb_error *err)
{
    int64_t start_ns = bbi_clock_mono_ns();
    int rc = run_statement(ctx, statement, err);
    bb_latency_add(&ctx->env->counters->statements[class_of(statement)],
                   (uint64_t)(bbi_clock_mono_ns() - start_ns));
    if (rc != BB_OK) {
        count_error(ctx->env, rc);
    }
    return rc;
}

static int refused(struct bb_error *err)
{
    return bbi_error_set(err, BB_ECANCELED, "query interrupted");
}

/* As InfluxDB: what follows a statement that failed is not executed, but for conditions of SHOW. */
static int run_all(struct bbi_qctx *ctx, const struct bbi_ql_query *ast, struct bb_error *err)
{
    const struct bb_sink *sink = ctx->sink;
    struct bb_error failure = {.code = BB_OK};
    bool ended = false;
    for (size_t i = 0; i < ast->statement_count; i++) {
        int rc;
        if (sink->statement_begin(sink->arg, i) != 0) {
            return refused(err);
        }
        if (ended) {
            rc = bbi_error_set(&failure, BB_ECANCELED, "not executed");
        } else {
            rc = run_counted(ctx, ast->statements[i], &failure);
            ended = rc != BB_OK && !(rc == BB_EINVAL && ctx->goes_on);
        }
        if (sink->statement_end(sink->arg, rc != BB_OK ? &failure : NULL) != 0) {
            return refused(err);
        }
    }
    return BB_OK;
}

/* The text for SHOW QUERIES: as it was understood, without passwords. */
static int name_query(struct bbi_qctx *ctx, const struct bbi_ql_query *ast, struct bbi_arena *arena,
                      struct bb_error *err)
{
    struct bbi_buf text;
    bbi_buf_init(&text, &ctx->acct, SIZE_MAX / 2);
    for (size_t i = 0; i < ast->statement_count && text.len < BBI_RUNNING_TEXT_MAX; i++) {
        bbi_buf_str(&text, i == 0 ? "" : ";\n");
        bbi_ql_format_told(ast->statements[i], &text);
    }
    int rc = bbi_buf_check(&text, "query text", err);
    struct bbi_running_query *q = &ctx->running;
    q->text_length = text.len > BBI_RUNNING_TEXT_MAX ? BBI_RUNNING_TEXT_MAX : text.len;
    q->text = rc == BB_OK ? bbi_arena_dup(arena, text.data, q->text_length) : NULL;
    q->database = ctx->query->database == NULL ? "" : ctx->query->database;
    q->user = ctx->query->user;
    q->on_killed = ctx->query->killed;
    q->on_killed_arg = ctx->query->killed_arg;
    bbi_buf_fini(&text);
    return rc == BB_OK && q->text == NULL ? bbi_error_nomem(err, "query text") : rc;
}

static int run_entered(struct bbi_qctx *ctx, const struct bbi_ql_query *ast,
                       struct bbi_arena *arena, struct bb_error *err)
{
    int rc = name_query(ctx, ast, arena, err);
    rc = rc == BB_OK ? bbi_running_enter(ctx->env->running, &ctx->running, err) : rc;
    if (rc == BB_OK) {
        rc = run_all(ctx, ast, err);
        bbi_running_leave(ctx->env->running, &ctx->running);
    }
    return rc;
}

int bbi_query_run(const struct bbi_query_env *env, const struct bb_query *query,
                  const struct bb_sink *sink, struct bb_error *err)
{
    struct bbi_qctx ctx = {.env = env, .query = query, .sink = sink};
    struct bbi_arena ast_arena;
    struct bbi_ql_query *ast;
    uint32_t timeout_ms = query->timeout_ms != 0 ? query->timeout_ms : env->timeout_ms;
    ctx.now_ns = bbi_clock_wall_ns();
    ctx.deadline_ns = timeout_ms == 0 ? INT64_MAX
                                      : bbi_clock_mono_ns() + (int64_t)timeout_ms * 1000000;
    bbi_account_init(&ctx.acct, "query", env->query_memory_bytes, env->acct);
    bbi_arena_init(&ast_arena, &ctx.acct);
    atomic_fetch_add_explicit(&env->counters->queries, 1, memory_order_relaxed);
    int rc = bbi_query_parse(query, env->zones, &ast_arena, &ast, err);
    rc = rc == BB_OK ? bbi_authorize(&ctx, ast, err) : rc;
    if (rc == BB_OK) {
        rc = run_entered(&ctx, ast, &ast_arena, err);
    } else {
        count_error(env, rc);
    }
    bbi_qctx_drop_snapshot(&ctx);
    bbi_arena_fini(&ast_arena);
    return rc;
}
