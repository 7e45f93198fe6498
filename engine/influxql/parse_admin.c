/* Statements on users, continuous queries, subscriptions and running queries. */
#include <string.h>

#include "engine/influxql/parser.h"

/* ---- continuous queries ---- */

static bool resample_duration(struct bbi_ql_parser *p, enum bbi_ql_token_kind keyword, int64_t *ns)
{
    if (!bbi_qlp_accept(p, keyword)) {
        return true;
    }
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind != BBI_QL_TOK_DURATIONVAL) {
        return bbi_qlp_unexpected(p, token, "duration");
    }
    return bbi_qlp_duration_value(p, token, false, ns);
}

static bool parse_resample(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    int64_t *every_ns = &statement->u.cq.every_ns;
    int64_t *for_ns = &statement->u.cq.for_ns;

    if (!resample_duration(p, BBI_QL_TOK_EVERY, every_ns) ||
        !resample_duration(p, BBI_QL_TOK_FOR, for_ns)) {
        return false;
    }
    return *every_ns != 0 || *for_ns != 0 || bbi_qlp_unexpected(p, bbi_qlp_scan(p), "EVERY, FOR");
}

/* The width of GROUP BY time(); months 0, ns 0: there is none. Returns what is wrong, or NULL. */
static const char *group_width(const struct bbi_ql_select *select, int64_t *ns, int64_t *months)
{
    *ns = 0;
    *months = 0;
    for (size_t i = 0; i < select->dimension_count; i++) {
        const struct bbi_ql_expr *d = select->dimensions[i];
        if (d->kind != BBI_QL_CALL || strcmp(d->u.call.name, "time") != 0) {
            continue;
        }
        if (d->u.call.arg_count < 1 || d->u.call.arg_count > 2) {
            return "time dimension expected 1 or 2 arguments";
        }
        if (d->u.call.args[0]->kind != BBI_QL_DURATION) {
            return "time dimension must have duration argument";
        }
        *ns = d->u.call.args[0]->u.duration.ns;
        *months = d->u.call.args[0]->u.duration.months;
        break;
    }
    return NULL;
}

/* An aggregate needs a width; the error stands at the last token of the SELECT, two back. */
static bool check_width(struct bbi_ql_parser *p, const struct bbi_ql_select *select)
{
    char expected[100] = "GROUP BY time(...)";
    int64_t ns;
    int64_t months;

    if (select->is_raw) {
        return true;
    }
    const char *fault = group_width(select, &ns, &months);
    if (fault == NULL && (ns != 0 || months != 0)) {
        return true;
    }
    bbi_qlp_unscan(p);
    bbi_qlp_unscan(p);
    if (fault != NULL) {
        strcat(expected, ", ");
        strcat(expected, fault);
    }
    return bbi_qlp_unexpected(p, bbi_qlp_scan(p), expected);
}

static void duration_text(int64_t ns, char *text, size_t size)
{
    struct bbi_buf buf;

    bbi_buf_init(&buf, NULL, size);
    bbi_ql_duration_format(ns, &buf);
    size_t length = buf.len < size ? buf.len : size - 1;
    if (length > 0) {
        memcpy(text, buf.data, length);
    }
    text[length] = '\0';
    bbi_buf_fini(&buf);
}

static bool check_resample(struct bbi_ql_parser *p, const struct bbi_ql_statement *statement)
{
    int64_t for_ns = statement->u.cq.for_ns;
    int64_t every_ns = statement->u.cq.every_ns;
    int64_t width_ns;
    int64_t months;
    char want[32];
    char got[32];

    const char *fault = group_width(statement->u.cq.select, &width_ns, &months);
    if (fault != NULL) {
        return bbi_qlp_fail(p, "%s", fault);
    }
    if (every_ns > width_ns) {
        width_ns = every_ns;
    }
    if (for_ns == 0 || width_ns <= for_ns) {
        return true;
    }
    duration_text(width_ns, want, sizeof(want));
    duration_text(for_ns, got, sizeof(got));
    return bbi_qlp_fail(p,
                        "FOR duration must be >= GROUP BY time duration: must be a minimum of %s, "
                        "got %s",
                        want, got);
}

bool bbi_qlp_create_cq(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    if (!bbi_qlp_ident(p, &statement->u.cq.name) || !bbi_qlp_expect(p, BBI_QL_TOK_ON) ||
        !bbi_qlp_ident(p, &statement->u.cq.database)) {
        return false;
    }
    if (bbi_qlp_accept(p, BBI_QL_TOK_RESAMPLE) && !parse_resample(p, statement)) {
        return false;
    }
    return bbi_qlp_expect(p, BBI_QL_TOK_BEGIN) && bbi_qlp_expect(p, BBI_QL_TOK_SELECT) &&
           bbi_qlp_select(p, BBI_QLP_TARGET_REQUIRED, &statement->u.cq.select) &&
           check_width(p, statement->u.cq.select) && bbi_qlp_expect(p, BBI_QL_TOK_END) &&
           check_resample(p, statement);
}

/* ---- subscriptions ---- */

/* name ON database.policy; the point follows its name at once. */
static bool parse_subscription(struct bbi_ql_parser *p, const char **name, const char **database,
                               const char **policy)
{
    if (!bbi_qlp_ident(p, name) || !bbi_qlp_expect(p, BBI_QL_TOK_ON) ||
        !bbi_qlp_ident(p, database)) {
        return false;
    }
    struct bbi_ql_token token = bbi_qlp_next(p);
    if (token.kind != BBI_QL_TOK_DOT) {
        return bbi_qlp_unexpected(p, token, ".");
    }
    return bbi_qlp_ident(p, policy);
}

bool bbi_qlp_create_subscription(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    if (!parse_subscription(p, &statement->u.subscription.name, &statement->u.subscription.database,
                            &statement->u.subscription.policy) ||
        !bbi_qlp_expect(p, BBI_QL_TOK_DESTINATIONS)) {
        return false;
    }
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind != BBI_QL_TOK_ALL && token.kind != BBI_QL_TOK_ANY) {
        return bbi_qlp_unexpected(p, token, "ALL, ANY");
    }
    statement->u.subscription.all = token.kind == BBI_QL_TOK_ALL;
    return bbi_qlp_string_list(p, &statement->u.subscription.destinations,
                               &statement->u.subscription.destination_count);
}

bool bbi_qlp_drop_subscription(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return parse_subscription(p, &statement->u.drop.name, &statement->u.drop.database,
                              &statement->u.drop.policy);
}

/* ---- users ---- */

bool bbi_qlp_create_user(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    if (!bbi_qlp_ident(p, &statement->u.user.name) || !bbi_qlp_expect(p, BBI_QL_TOK_WITH) ||
        !bbi_qlp_expect(p, BBI_QL_TOK_PASSWORD) ||
        !bbi_qlp_string(p, &statement->u.user.password)) {
        return false;
    }
    if (!bbi_qlp_accept(p, BBI_QL_TOK_WITH)) {
        return true;
    }
    statement->u.user.admin = true;
    return bbi_qlp_expect(p, BBI_QL_TOK_ALL) && bbi_qlp_expect(p, BBI_QL_TOK_PRIVILEGES);
}

bool bbi_qlp_set_password(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return bbi_qlp_ident(p, &statement->u.user.name) && bbi_qlp_expect(p, BBI_QL_TOK_EQ) &&
           bbi_qlp_string(p, &statement->u.user.password);
}

static bool parse_privilege(struct bbi_ql_parser *p, enum bbi_ql_privilege *privilege)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);

    switch (token.kind) {
    case BBI_QL_TOK_READ:
        *privilege = BBI_QL_PRIVILEGE_READ;
        return true;
    case BBI_QL_TOK_WRITE:
        *privilege = BBI_QL_PRIVILEGE_WRITE;
        return true;
    case BBI_QL_TOK_ALL:
        *privilege = BBI_QL_PRIVILEGE_ALL;
        (void)bbi_qlp_accept(p, BBI_QL_TOK_PRIVILEGES);
        return true;
    default:
        return bbi_qlp_unexpected(p, token, "READ, WRITE, ALL [PRIVILEGES]");
    }
}

/* privilege ON database TO user, or ALL TO user, which makes an administrator; `to` is FROM when
 * they are taken away. */
static bool parse_grant(struct bbi_ql_parser *p, struct bbi_ql_statement *statement,
                        enum bbi_ql_token_kind to, enum bbi_ql_statement_kind of_admin)
{
    enum bbi_ql_privilege *privilege = &statement->u.grant.privilege;
    bool revoke = to == BBI_QL_TOK_FROM;

    if (!parse_privilege(p, privilege)) {
        return false;
    }
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind == BBI_QL_TOK_ON) {
        return bbi_qlp_ident(p, &statement->u.grant.database) && bbi_qlp_expect(p, to) &&
               bbi_qlp_ident(p, &statement->u.grant.user);
    }
    if (*privilege != BBI_QL_PRIVILEGE_ALL) {
        return bbi_qlp_unexpected(p, token, "ON");
    }
    if (token.kind != to) {
        return bbi_qlp_unexpected(p, token, revoke ? "ON, FROM" : "ON, TO");
    }
    statement->kind = of_admin;
    return bbi_qlp_ident(p, &statement->u.grant.user);
}

bool bbi_qlp_grant(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return parse_grant(p, statement, BBI_QL_TOK_TO, BBI_QL_GRANT_ADMIN);
}

bool bbi_qlp_revoke(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return parse_grant(p, statement, BBI_QL_TOK_FROM, BBI_QL_REVOKE_ADMIN);
}

/* ---- running queries ---- */

bool bbi_qlp_kill_query(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return bbi_qlp_uint64(p, &statement->u.kill.id) &&
           (!bbi_qlp_accept(p, BBI_QL_TOK_ON) || bbi_qlp_ident(p, &statement->u.kill.host));
}
