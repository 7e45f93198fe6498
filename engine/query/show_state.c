/* SHOW of what the server does and is: QUERIES, STATS, DIAGNOSTICS, CONTINUOUS QUERIES ... */
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/influxql/expr.h"
#include "engine/influxql/influxql.h"
#include "engine/query/authorize.h"
#include "engine/query/show.h"
#include "engine/query/statement.h"

/* ---- queries ---- */

/* A duration as Go prints it, cut to whole units. */
static void short_duration(int64_t ns, char text[64])
{
    if (ns < 1000) {
        (void)snprintf(text, 64, "%lldns", (long long)ns);
    } else if (ns < 1000000) {
        (void)snprintf(text, 64, "%lld\xc2\xb5s", (long long)(ns / 1000));
    } else if (ns < INT64_C(1000000000)) {
        (void)snprintf(text, 64, "%lldms", (long long)(ns / 1000000));
    } else {
        int64_t s = ns / INT64_C(1000000000);
        if (s >= 3600) {
            (void)snprintf(text, 64, "%lldh%lldm%llds", (long long)(s / 3600),
                           (long long)(s / 60 % 60), (long long)(s % 60));
        } else if (s >= 60) {
            (void)snprintf(text, 64, "%lldm%llds", (long long)(s / 60), (long long)(s % 60));
        } else {
            (void)snprintf(text, 64, "%llds", (long long)s);
        }
    }
}

/* Everything is copied into the statement's arena: the queries go on. */
static int add_text(struct bbi_qctx *ctx, const char *text, size_t length, struct bb_value *value,
                    struct bb_error *err)
{
    const char *copy = bbi_arena_dup(&ctx->arena, text, length);
    *value = bbi_value_string(copy, length);
    return copy == NULL ? bbi_error_nomem(err, "running queries") : BB_OK;
}

struct shown_query {
    uint64_t qid;
    struct bb_value text, database, duration;
    bool killed;
};

struct shown_queries {
    struct bbi_qctx *ctx;
    struct shown_query *list; /* [count] */
    size_t count;
    size_t cap;
    int64_t now_ns;
    bool all;
};

/* What others ask may name databases and values that the user must not read. */
static bool is_for_user(const struct shown_queries *l, const struct bbi_running_query *q)
{
    const char *user = l->ctx->query->user;
    return l->all || (user != NULL && q->user != NULL && strcmp(user, q->user) == 0);
}

static int take_query(void *arg, const struct bbi_running_query *q, struct bb_error *err)
{
    struct shown_queries *l = arg;
    char duration[64];
    if (!is_for_user(l, q)) {
        return BB_OK;
    }
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        struct shown_query *list = bbi_mem_realloc(&l->ctx->acct, l->list, cap * sizeof(list[0]));
        if (list == NULL) {
            return bbi_error_nomem(err, "running queries");
        }
        l->list = list;
        l->cap = cap;
    }
    struct shown_query *s = &l->list[l->count++];
    short_duration(l->now_ns - q->started_ns, duration);
    s->qid = q->qid;
    s->killed = atomic_load(&q->killed);
    int rc = add_text(l->ctx, q->text, q->text_length, &s->text, err);
    rc = rc == BB_OK ? add_text(l->ctx, q->database, strlen(q->database), &s->database, err) : rc;
    return rc == BB_OK ? add_text(l->ctx, duration, strlen(duration), &s->duration, err) : rc;
}

static int show_queries(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"qid", "query", "database", "duration", "status"};
    struct shown_queries l = {
        .ctx = ctx, .now_ns = bbi_clock_mono_ns(), .all = bbi_authorize_sees_all(ctx)};
    int rc = bbi_running_each(ctx->env->running, take_query, &l, err);
    rc = rc == BB_OK ? bbi_emit_columns(e, NULL, columns, 5, err) : rc;
    for (size_t i = 0; rc == BB_OK && i < l.count; i++) {
        const char *status = l.list[i].killed ? "killed" : "running";
        struct bb_value *row;
        rc = bbi_emit_row(e, &row, err);
        if (rc == BB_OK) {
            row[0] = bbi_value_uint(l.list[i].qid);
            row[1] = l.list[i].text;
            row[2] = l.list[i].database;
            row[3] = l.list[i].duration;
            row[4] = bbi_value_string(status, strlen(status));
        }
    }
    rc = rc == BB_OK ? bbi_emit_flush(e, err) : rc;
    bbi_mem_free(l.list);
    return rc;
}

/* ---- diagnostics ---- */

static int time_text(struct bbi_qctx *ctx, int64_t time_ns, struct bb_value *value,
                     struct bb_error *err)
{
    struct bbi_buf text;
    bbi_buf_init(&text, &ctx->acct, 256);
    bbi_ql_time_format(time_ns, &text);
    int rc = bbi_buf_check(&text, "time", err);
    rc = rc == BB_OK ? add_text(ctx, (const char *)text.data, text.len, value, err) : rc;
    bbi_buf_fini(&text);
    return rc;
}

static int show_system(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"PID", "currentTime", "started", "uptime"};
    char uptime[64];
    struct bb_value *row;
    int64_t up_ns = bbi_clock_mono_ns() - ctx->env->started_mono_ns;
    short_duration(up_ns, uptime);
    int rc = bbi_emit_columns(e, "system", columns, 4, err);
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_int(getpid());
        rc = time_text(ctx, ctx->now_ns, &row[1], err);
    }
    rc = rc == BB_OK ? time_text(ctx, ctx->now_ns - up_ns, &row[2], err) : rc;
    rc = rc == BB_OK ? add_text(ctx, uptime, strlen(uptime), &row[3], err) : rc;
    return rc == BB_OK ? bbi_emit_flush(e, err) : rc;
}

static bool is_asked(const char *module, const char *name)
{
    return module == NULL || strcmp(module, name) == 0;
}

static int show_build(struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"Version"};
    struct bb_value *row;
    int rc = bbi_emit_columns(e, "build", columns, 1, err);
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_string(bb_version(), strlen(bb_version()));
        rc = bbi_emit_flush(e, err);
    }
    return rc;
}

static int show_network(struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"hostname"};
    struct utsname host;
    struct bb_value *row;
    if (uname(&host) != 0) {
        host.nodename[0] = '\0';
    }
    int rc = bbi_emit_columns(e, "network", columns, 1, err);
    rc = rc == BB_OK ? bbi_emit_row(e, &row, err) : rc;
    if (rc == BB_OK) {
        row[0] = bbi_value_string(host.nodename, strlen(host.nodename));
        rc = bbi_emit_flush(e, err);
    }
    return rc;
}

static int show_diagnostics(struct bbi_qctx *ctx, const char *module, struct bbi_emit *e,
                            struct bb_error *err)
{
    int rc = is_asked(module, "build") ? show_build(e, err) : BB_OK;
    if (rc == BB_OK && is_asked(module, "network")) {
        rc = show_network(e, err);
    }
    if (rc == BB_OK && is_asked(module, "system")) {
        rc = show_system(ctx, e, err);
    }
    return rc;
}

int bbi_show_state(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                   struct bbi_emit *e, struct bb_error *err)
{
    switch (statement->kind) {
    case BBI_QL_SHOW_QUERIES:
        return show_queries(ctx, e, err);
    case BBI_QL_SHOW_STATS:
        return bbi_show_stats(ctx, statement->u.show.name, e, err);
    case BBI_QL_SHOW_DIAGNOSTICS:
        return show_diagnostics(ctx, statement->u.show.name, e, err);
    case BBI_QL_SHOW_SHARDS:
        return bbi_show_shards(ctx, false, e, err);
    case BBI_QL_SHOW_SHARD_GROUPS:
        return bbi_show_shards(ctx, true, e, err);
    case BBI_QL_SHOW_CQS:
        return bbi_show_cqs(ctx, e, err);
    case BBI_QL_SHOW_SUBSCRIPTIONS:
        return bbi_show_subscriptions(ctx, e, err);
    case BBI_QL_SHOW_USERS:
        return bbi_show_users(ctx, e, err);
    case BBI_QL_SHOW_GRANTS:
        return bbi_show_grants(ctx, statement->u.show.name, e, err);
    default:
        return bbi_error_set(err, BB_EINTERNAL, "no such SHOW");
    }
}
