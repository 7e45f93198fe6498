/* Statements on users and their privileges, and SHOW USERS, SHOW GRANTS. */
#include "engine/catalog/users.h"

#include <string.h>

#include "engine/base/password.h"
#include "engine/query/emit.h"
#include "engine/query/show.h"
#include "engine/query/statement.h"

/* As InfluxDB: the same user once more, with the same password and rights, is no error. */
static int check_same(struct bbi_qctx *ctx, const struct bbi_ql_statement *s,
                      const struct bbi_user *known, struct bb_error *err)
{
    const char *password = s->u.user.password;
    bool matches = false;
    int rc = BB_OK;
    if (known->is_admin == s->u.user.admin) {
        rc = bbi_password_check(known->verifier, known->verifier_len, password, strlen(password),
                                &ctx->acct, &matches, err);
    }
    if (rc == BB_OK && !matches) {
        rc = bbi_error_set(err, BB_EEXIST, "user already exists");
    }
    return rc;
}

static int create_user(struct bbi_qctx *ctx, const struct bbi_ql_statement *s, bool *changed,
                       struct bb_error *err)
{
    uint8_t verifier[BBI_PASSWORD_VERIFIER_BYTES];
    const char *name = s->u.user.name;
    struct bbi_user known;
    *changed = false;
    int rc = bbi_catalog_user_find(ctx->env->catalog, name, strlen(name), &known, err);
    if (rc == BB_OK) {
        return check_same(ctx, s, &known, err);
    }
    rc = bbi_password_hash(s->u.user.password, strlen(s->u.user.password), &ctx->acct, verifier,
                           err);
    if (rc == BB_OK) {
        rc = bbi_catalog_user_create(ctx->env->catalog, name, strlen(name), verifier,
                                     sizeof(verifier), s->u.user.admin, err);
    }
    *changed = rc == BB_OK;
    return rc;
}

static int set_password(struct bbi_qctx *ctx, const struct bbi_ql_statement *s,
                        struct bb_error *err)
{
    uint8_t verifier[BBI_PASSWORD_VERIFIER_BYTES];
    struct bbi_user_change change = {.verifier = verifier, .verifier_len = sizeof(verifier)};
    const char *name = s->u.user.name;
    struct bbi_user known;
    int rc = bbi_catalog_user_find(ctx->env->catalog, name, strlen(name), &known, err);
    if (rc == BB_OK) {
        rc = bbi_password_hash(s->u.user.password, strlen(s->u.user.password), &ctx->acct, verifier,
                               err);
    }
    return rc == BB_OK ? bbi_catalog_user_alter(ctx->env->catalog, name, strlen(name), &change, err)
                       : rc;
}

static enum bbi_privilege privilege_of(enum bbi_ql_privilege privilege)
{
    static const enum bbi_privilege privileges[] = {
        [BBI_QL_PRIVILEGE_READ] = BBI_PRIVILEGE_READ,
        [BBI_QL_PRIVILEGE_WRITE] = BBI_PRIVILEGE_WRITE,
        [BBI_QL_PRIVILEGE_ALL] = BBI_PRIVILEGE_ALL,
    };
    return privileges[privilege];
}

static int grant(struct bbi_qctx *ctx, const struct bbi_ql_statement *s, struct bb_error *err)
{
    struct bbi_user_change change = {.database = s->u.grant.database};
    const char *name = s->u.grant.user;
    if (s->kind == BBI_QL_GRANT) {
        change.give = privilege_of(s->u.grant.privilege);
    } else if (s->kind == BBI_QL_REVOKE) {
        change.take = privilege_of(s->u.grant.privilege);
    } else {
        change.set_admin = true;
        change.is_admin = s->kind == BBI_QL_GRANT_ADMIN;
    }
    return bbi_catalog_user_alter(ctx->env->catalog, name, strlen(name), &change, err);
}

int bbi_statement_user(struct bbi_qctx *ctx, const struct bbi_ql_statement *statement,
                       struct bb_error *err)
{
    bool changed = true;
    int rc;
    switch (statement->kind) {
    case BBI_QL_CREATE_USER:
        rc = create_user(ctx, statement, &changed, err);
        break;
    case BBI_QL_SET_PASSWORD:
        rc = set_password(ctx, statement, err);
        break;
    case BBI_QL_DROP_USER:
        rc = bbi_catalog_user_drop(ctx->env->catalog, statement->u.drop.name,
                                   strlen(statement->u.drop.name), err);
        break;
    default:
        rc = grant(ctx, statement, err);
        break;
    }
    return rc == BB_OK && changed ? ctx->env->schema_changed(ctx->env->arg, err) : rc;
}

/* ---- SHOW ---- */

int bbi_show_users(struct bbi_qctx *ctx, struct bbi_emit *e, struct bb_error *err)
{
    static const char *const columns[] = {"user", "admin"};
    struct bbi_user *users;
    size_t count;
    int rc = bbi_catalog_users(ctx->env->catalog, &ctx->acct, &users, &count, err);
    rc = rc == BB_OK ? bbi_emit_columns(e, NULL, columns, 2, err) : rc;
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        struct bb_value *row;
        rc = bbi_emit_row(e, &row, err);
        if (rc == BB_OK) {
            row[0] = bbi_value_string(users[i].name, users[i].name_len);
            row[1] = bbi_value_bool(users[i].is_admin);
        }
    }
    rc = rc == BB_OK ? bbi_emit_flush(e, err) : rc;
    bbi_mem_free(users);
    return rc;
}

int bbi_show_grants(struct bbi_qctx *ctx, const char *user, struct bbi_emit *e,
                    struct bb_error *err)
{
    static const char *const columns[] = {"database", "privilege"};
    static const char *const names[] = {[BBI_PRIVILEGE_NONE] = "NO PRIVILEGES",
                                        [BBI_PRIVILEGE_READ] = "READ",
                                        [BBI_PRIVILEGE_WRITE] = "WRITE",
                                        [BBI_PRIVILEGE_ALL] = "ALL PRIVILEGES"};
    struct bbi_user_grant *grants;
    size_t count;
    int rc = bbi_catalog_user_grants(ctx->env->catalog, user, strlen(user), &ctx->acct, &grants,
                                     &count, err);
    rc = rc == BB_OK ? bbi_emit_columns(e, NULL, columns, 2, err) : rc;
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        const char *name = names[grants[i].privilege];
        struct bb_value *row;
        rc = bbi_emit_row(e, &row, err);
        if (rc == BB_OK) {
            row[0] = bbi_value_string(grants[i].database, grants[i].database_len);
            row[1] = bbi_value_string(name, strlen(name));
        }
    }
    rc = rc == BB_OK ? bbi_emit_flush(e, err) : rc;
    bbi_mem_free(grants);
    return rc;
}
