#include "engine/query/authorize.h"

#include <string.h>

#include "engine/catalog/users.h"
#include "engine/influxql/influxql.h"

/* Of a statement in a message. */
#define TEXT_SHOWN 240

/* What is asked for one text. */
struct asking {
    struct bbi_qctx *ctx;
    const struct bbi_ql_statement *statement;
};

static const char *privilege_text(enum bbi_privilege privilege)
{
    return privilege == BBI_PRIVILEGE_WRITE ? "WRITE" : "READ";
}

/* database NULL: the right of an administrator is missing. */
static int refuse(struct asking *a, enum bbi_privilege privilege, const char *database,
                  struct bb_error *err)
{
    struct bbi_buf text;
    const char *user = a->ctx->query->user;
    bbi_buf_init(&text, &a->ctx->acct, SIZE_MAX / 2);
    bbi_ql_format_told(a->statement, &text);
    int rc = bbi_buf_check(&text, "statement", err);
    if (rc == BB_OK) {
        bool cut = text.len > TEXT_SHOWN;
        int shown = cut ? TEXT_SHOWN : (int)text.len;
        const char *more = cut ? "..." : "";
        rc = database == NULL
                 ? bbi_error_set(err, BB_EFORBIDDEN,
                                 "error authorizing query: %.100s not authorized to execute "
                                 "statement '%.*s%s', requires admin privilege",
                                 user, shown, (const char *)text.data, more)
                 : bbi_error_set(err, BB_EFORBIDDEN,
                                 "error authorizing query: %.100s not authorized to execute "
                                 "statement '%.*s%s', requires %s on %.100s",
                                 user, shown, (const char *)text.data, more,
                                 privilege_text(privilege), database);
    }
    bbi_buf_fini(&text);
    return rc;
}

/* database NULL: the query's. */
static int need(struct asking *a, enum bbi_privilege privilege, const char *database,
                struct bb_error *err)
{
    const struct bb_query *query = a->ctx->query;
    bool is_admin;
    if (database == NULL) {
        database = query->database == NULL ? "" : query->database;
    }
    enum bbi_privilege has = bbi_catalog_user_privilege(a->ctx->env->catalog, query->user,
                                                        strlen(query->user), database,
                                                        strlen(database), &is_admin);
    return ((unsigned)has & (unsigned)privilege) != 0 ? BB_OK : refuse(a, privilege, database, err);
}

/* database: of names without one; NULL: the query's. Depth is bounded by the parser's. */
static int need_select(struct asking *a, const struct bbi_ql_select *select, const char *database,
                       struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < select->source_count; i++) {
        const struct bbi_ql_source *source = &select->sources[i];
        const char *of = source->database != NULL ? source->database : database;
        rc = source->subquery != NULL ? need_select(a, source->subquery, database, err)
                                      : need(a, BBI_PRIVILEGE_READ, of, err);
    }
    if (rc == BB_OK && select->into != NULL) {
        const char *of = select->into->database != NULL ? select->into->database : database;
        rc = need(a, BBI_PRIVILEGE_WRITE, of, err);
    }
    return rc;
}

/* Those of FROM that name a database of their own. */
static int need_sources(struct asking *a, enum bbi_privilege privilege,
                        const struct bbi_ql_source *sources, size_t count, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        if (sources[i].database != NULL) {
            rc = need(a, privilege, sources[i].database, err);
        }
    }
    return rc;
}

static int need_drop(struct asking *a, struct bb_error *err)
{
    const struct bbi_ql_statement *s = a->statement;
    int rc = need(a, BBI_PRIVILEGE_WRITE, s->u.drop.database, err);
    return rc == BB_OK ? need_sources(a, BBI_PRIVILEGE_WRITE, s->u.drop.sources,
                                      s->u.drop.source_count, err)
                       : rc;
}

static int need_show(struct asking *a, struct bb_error *err)
{
    const struct bbi_ql_show *show = &a->statement->u.show;
    if (show->all_databases) {
        return refuse(a, BBI_PRIVILEGE_NONE, NULL, err);
    }
    int rc = need(a, BBI_PRIVILEGE_READ, show->database, err);
    return rc == BB_OK ? need_sources(a, BBI_PRIVILEGE_READ, show->sources, show->source_count, err)
                       : rc;
}

/* It runs without its maker, for whom this is the only check: every name counts, those that get
 * their database from the request too. */
static int need_cq(struct asking *a, struct bb_error *err)
{
    const char *own = a->statement->u.cq.database;
    const char *asked = a->ctx->query->database;
    int rc = need(a, BBI_PRIVILEGE_READ, own, err);
    const char *database = asked == NULL || asked[0] == '\0' ? own : asked;
    return rc == BB_OK ? need_select(a, a->statement->u.cq.select, database, err) : rc;
}

/* What one statement asks of somebody who is no administrator. */
static int authorize(struct asking *a, struct bb_error *err)
{
    const struct bbi_ql_statement *s = a->statement;
    switch (s->kind) {
    case BBI_QL_SELECT:
        return need_select(a, s->u.select, NULL, err);
    case BBI_QL_EXPLAIN:
        return need_select(a, s->u.explain.select, NULL, err);
    case BBI_QL_CREATE_CQ:
        return need_cq(a, err);
    case BBI_QL_DELETE:
    case BBI_QL_DROP_SERIES:
    case BBI_QL_DROP_POLICY:
    case BBI_QL_DROP_CQ:
        return need_drop(a, err);
    case BBI_QL_SHOW_DATABASES:
        return BB_OK; /* tells of those that the user may see */
    case BBI_QL_SHOW_SHARDS:
    case BBI_QL_SHOW_SHARD_GROUPS:
    case BBI_QL_SHOW_STATS:
    case BBI_QL_SHOW_DIAGNOSTICS:
    case BBI_QL_SHOW_SUBSCRIPTIONS:
    case BBI_QL_SHOW_USERS:
    case BBI_QL_SHOW_GRANTS:
        return refuse(a, BBI_PRIVILEGE_NONE, NULL, err);
    default:
        return s->kind > BBI_QL_SHOW_DATABASES ? need_show(a, err)
                                               : refuse(a, BBI_PRIVILEGE_NONE, NULL, err);
    }
}

static int nobody(const struct bbi_ql_query *ast, size_t users, struct bb_error *err)
{
    const struct bbi_ql_statement *first = ast->statement_count > 0 ? ast->statements[0] : NULL;
    if (users != 0) {
        return bbi_error_set(err, BB_EFORBIDDEN, "error authorizing query: no user provided");
    }
    if (first != NULL && first->kind == BBI_QL_CREATE_USER && first->u.user.admin) {
        return BB_OK;
    }
    return bbi_error_set(err, BB_EFORBIDDEN,
                         "error authorizing query: create admin user first or disable "
                         "authentication");
}

int bbi_authorize(struct bbi_qctx *ctx, const struct bbi_ql_query *ast, struct bb_error *err)
{
    const char *user = ctx->query->user;
    bool is_admin = false;
    size_t users;
    size_t admins;
    int rc = BB_OK;
    if (!ctx->query->check_rights) {
        return BB_OK;
    }
    bbi_catalog_user_counts(ctx->env->catalog, &users, &admins);
    if (users == 0 || user == NULL) {
        return nobody(ast, users, err);
    }
    (void)bbi_catalog_user_privilege(ctx->env->catalog, user, strlen(user), "", 0, &is_admin);
    for (size_t i = 0; rc == BB_OK && !is_admin && i < ast->statement_count; i++) {
        struct asking a = {ctx, ast->statements[i]};
        rc = authorize(&a, err);
    }
    return rc;
}

bool bbi_authorize_sees(const struct bbi_qctx *ctx, const void *database, size_t len)
{
    const char *user = ctx->query->user;
    bool is_admin;
    /* Nobody is who makes the first user. */
    return !ctx->query->check_rights || user == NULL ||
           bbi_catalog_user_privilege(ctx->env->catalog, user, strlen(user), database, len,
                                      &is_admin) != BBI_PRIVILEGE_NONE;
}

bool bbi_authorize_sees_all(const struct bbi_qctx *ctx)
{
    const char *user = ctx->query->user;
    bool is_admin = false;
    if (ctx->query->check_rights && user != NULL) {
        (void)bbi_catalog_user_privilege(ctx->env->catalog, user, strlen(user), "", 0, &is_admin);
    }
    return !ctx->query->check_rights || is_admin;
}
