/* Statements on databases, retention policies, measurements and series. */
#include "engine/influxql/parser.h"

#define REPLICATION_MAX INT32_MAX

static bool parse_replication(struct bbi_ql_parser *p, struct bbi_ql_policy *policy)
{
    policy->has_replication = true;
    return bbi_qlp_count(p, REPLICATION_MAX, &policy->replication);
}

static bool parse_policy_duration(struct bbi_ql_parser *p, struct bbi_ql_policy *policy)
{
    policy->has_duration = true;
    return bbi_qlp_duration(p, &policy->duration_ns);
}

/* Behind SHARD. INF is refused, but by CREATE DATABASE. */
static bool parse_shard_duration(struct bbi_ql_parser *p, bool allow_inf,
                                 struct bbi_ql_policy *policy)
{
    policy->has_shard_duration = true;
    if (!bbi_qlp_expect(p, BBI_QL_TOK_DURATION)) {
        return false;
    }
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind == BBI_QL_TOK_INF && !allow_inf) {
        return bbi_qlp_fail_at(p, token.pos, "invalid duration INF for shard duration");
    }
    bbi_qlp_unscan(p);
    return bbi_qlp_duration(p, &policy->shard_duration_ns);
}

/* NAME "" is as good as none. */
static bool parse_policy_name(struct bbi_ql_parser *p, struct bbi_ql_policy *policy)
{
    if (!bbi_qlp_ident(p, &policy->name)) {
        return false;
    }
    policy->name = policy->name[0] == '\0' ? NULL : policy->name;
    return true;
}

/* CREATE DATABASE name WITH, behind WITH: at least one option, in this order. */
static bool parse_database_options(struct bbi_ql_parser *p, struct bbi_ql_policy *policy)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);

    if (token.kind != BBI_QL_TOK_DURATION && token.kind != BBI_QL_TOK_NAME &&
        token.kind != BBI_QL_TOK_REPLICATION && token.kind != BBI_QL_TOK_SHARD) {
        return bbi_qlp_unexpected(p, token, "DURATION, NAME, REPLICATION, SHARD");
    }
    bbi_qlp_unscan(p);
    return (!bbi_qlp_accept(p, BBI_QL_TOK_DURATION) || parse_policy_duration(p, policy)) &&
           (!bbi_qlp_accept(p, BBI_QL_TOK_REPLICATION) || parse_replication(p, policy)) &&
           (!bbi_qlp_accept(p, BBI_QL_TOK_SHARD) || parse_shard_duration(p, true, policy)) &&
           (!bbi_qlp_accept(p, BBI_QL_TOK_NAME) || parse_policy_name(p, policy));
}

bool bbi_qlp_create_database(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    struct bbi_ql_policy *policy = &statement->u.create.policy;

    if (!bbi_qlp_ident(p, &policy->database)) {
        return false;
    }
    statement->u.create.has_options = bbi_qlp_accept(p, BBI_QL_TOK_WITH);
    return !statement->u.create.has_options || parse_database_options(p, policy);
}

bool bbi_qlp_create_policy(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    struct bbi_ql_policy *policy = &statement->u.create.policy;

    if (!bbi_qlp_ident(p, &policy->name) || !bbi_qlp_expect(p, BBI_QL_TOK_ON) ||
        !bbi_qlp_ident(p, &policy->database) || !bbi_qlp_expect(p, BBI_QL_TOK_DURATION) ||
        !parse_policy_duration(p, policy) || !bbi_qlp_expect(p, BBI_QL_TOK_REPLICATION) ||
        !parse_replication(p, policy)) {
        return false;
    }
    if (bbi_qlp_accept(p, BBI_QL_TOK_SHARD) && !parse_shard_duration(p, false, policy)) {
        return false;
    }
    policy->is_default = bbi_qlp_accept(p, BBI_QL_TOK_DEFAULT);
    return true;
}

/* One option of ALTER RETENTION POLICY; *last: what came is none. */
static bool parse_policy_option(struct bbi_ql_parser *p, struct bbi_ql_policy *policy, bool *last)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);
    bool again = false;
    bool good = true;

    *last = false;
    switch (token.kind) {
    case BBI_QL_TOK_DURATION:
        again = policy->has_duration;
        good = again || parse_policy_duration(p, policy);
        break;
    case BBI_QL_TOK_REPLICATION:
        again = policy->has_replication;
        good = again || parse_replication(p, policy);
        break;
    case BBI_QL_TOK_SHARD:
        again = policy->has_shard_duration;
        good = again || parse_shard_duration(p, false, policy);
        break;
    case BBI_QL_TOK_DEFAULT:
        again = policy->is_default;
        policy->is_default = true;
        break;
    default:
        *last = true;
        bbi_qlp_unscan(p);
        break;
    }
    return again ? bbi_qlp_fail_at(p, token.pos, "found duplicate %s option",
                                   bbi_ql_token_name(token.kind))
                 : good;
}

bool bbi_qlp_alter_policy(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    struct bbi_ql_policy *policy = &statement->u.create.policy;
    bool last;

    if (bbi_qlp_accept(p, BBI_QL_TOK_DEFAULT)) {
        policy->name = "default";
    } else if (!bbi_qlp_ident(p, &policy->name)) {
        return false;
    }
    if (!bbi_qlp_expect(p, BBI_QL_TOK_ON) || !bbi_qlp_ident(p, &policy->database)) {
        return false;
    }
    for (unsigned options = 0;; options++) {
        if (!parse_policy_option(p, policy, &last)) {
            return false;
        }
        if (last) {
            return options > 0 ||
                   bbi_qlp_unexpected(p, bbi_qlp_scan(p), "DURATION, REPLICATION, SHARD, DEFAULT");
        }
    }
}

bool bbi_qlp_drop_name(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return bbi_qlp_ident(p, &statement->u.drop.name);
}

bool bbi_qlp_drop_name_on(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return bbi_qlp_ident(p, &statement->u.drop.name) && bbi_qlp_expect(p, BBI_QL_TOK_ON) &&
           bbi_qlp_ident(p, &statement->u.drop.database);
}

bool bbi_qlp_drop_shard(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return bbi_qlp_uint64(p, &statement->u.drop.id);
}

/* DELETE and DROP SERIES: FROM or WHERE or both; names without database or policy, because they go
 * for all policies of the database of the query. */
bool bbi_qlp_delete(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    static const struct bbi_ql_pos nowhere = {0, 0};
    struct bbi_ql_source **sources = &statement->u.drop.sources;
    const char *fault = NULL;
    struct bbi_ql_token token = bbi_qlp_scan(p);

    if (token.kind != BBI_QL_TOK_FROM) {
        bbi_qlp_unscan(p);
    } else if (!bbi_qlp_sources(p, false, sources, &statement->u.drop.source_count)) {
        return false;
    }
    for (size_t i = 0; i < statement->u.drop.source_count; i++) {
        fault = (*sources)[i].database != NULL ? "database not supported" : fault;
        fault = (*sources)[i].policy != NULL ? "retention policy not supported" : fault;
    }
    if (fault != NULL) {
        return bbi_qlp_fail_at(p, nowhere, "%s", fault);
    }
    if (!bbi_qlp_where(p, &statement->u.drop.condition)) {
        return false;
    }
    return *sources != NULL || statement->u.drop.condition != NULL ||
           bbi_qlp_unexpected(p, token, "FROM, WHERE");
}
