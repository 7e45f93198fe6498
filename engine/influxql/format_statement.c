/* Statements as text. Passwords are not told. */
#include "engine/influxql/format.h"
#include "engine/influxql/influxql.h"

/* The keywords that a statement begins with. */
static const char *const starts[] = {
    [BBI_QL_SELECT] = "",
    [BBI_QL_EXPLAIN] = "EXPLAIN ",
    [BBI_QL_DELETE] = "DELETE",
    [BBI_QL_CREATE_DATABASE] = "CREATE DATABASE ",
    [BBI_QL_CREATE_POLICY] = "CREATE RETENTION POLICY ",
    [BBI_QL_CREATE_USER] = "CREATE USER ",
    [BBI_QL_CREATE_CQ] = "CREATE CONTINUOUS QUERY ",
    [BBI_QL_CREATE_SUBSCRIPTION] = "CREATE SUBSCRIPTION ",
    [BBI_QL_ALTER_POLICY] = "ALTER RETENTION POLICY ",
    [BBI_QL_DROP_DATABASE] = "DROP DATABASE ",
    [BBI_QL_DROP_POLICY] = "DROP RETENTION POLICY ",
    [BBI_QL_DROP_MEASUREMENT] = "DROP MEASUREMENT ",
    [BBI_QL_DROP_SERIES] = "DROP SERIES",
    [BBI_QL_DROP_SHARD] = "DROP SHARD ",
    [BBI_QL_DROP_USER] = "DROP USER ",
    [BBI_QL_DROP_CQ] = "DROP CONTINUOUS QUERY ",
    [BBI_QL_DROP_SUBSCRIPTION] = "DROP SUBSCRIPTION ",
    [BBI_QL_GRANT] = "GRANT ",
    [BBI_QL_GRANT_ADMIN] = "GRANT ALL PRIVILEGES TO ",
    [BBI_QL_REVOKE] = "REVOKE ",
    [BBI_QL_REVOKE_ADMIN] = "REVOKE ALL PRIVILEGES FROM ",
    [BBI_QL_SET_PASSWORD] = "SET PASSWORD FOR ",
    [BBI_QL_KILL_QUERY] = "KILL QUERY ",
    [BBI_QL_SHOW_DATABASES] = "SHOW DATABASES",
    [BBI_QL_SHOW_POLICIES] = "SHOW RETENTION POLICIES",
    [BBI_QL_SHOW_MEASUREMENTS] = "SHOW MEASUREMENTS",
    [BBI_QL_SHOW_MEASUREMENT_CARDINALITY] = "SHOW MEASUREMENT",
    [BBI_QL_SHOW_SERIES] = "SHOW SERIES",
    [BBI_QL_SHOW_SERIES_CARDINALITY] = "SHOW SERIES",
    [BBI_QL_SHOW_TAG_KEYS] = "SHOW TAG KEYS",
    [BBI_QL_SHOW_TAG_KEY_CARDINALITY] = "SHOW TAG KEY",
    [BBI_QL_SHOW_TAG_VALUES] = "SHOW TAG VALUES",
    [BBI_QL_SHOW_TAG_VALUES_CARDINALITY] = "SHOW TAG VALUES",
    [BBI_QL_SHOW_FIELD_KEYS] = "SHOW FIELD KEYS",
    [BBI_QL_SHOW_FIELD_KEY_CARDINALITY] = "SHOW FIELD KEY",
    [BBI_QL_SHOW_SHARDS] = "SHOW SHARDS",
    [BBI_QL_SHOW_SHARD_GROUPS] = "SHOW SHARD GROUPS",
    [BBI_QL_SHOW_QUERIES] = "SHOW QUERIES",
    [BBI_QL_SHOW_STATS] = "SHOW STATS",
    [BBI_QL_SHOW_DIAGNOSTICS] = "SHOW DIAGNOSTICS",
    [BBI_QL_SHOW_CQS] = "SHOW CONTINUOUS QUERIES",
    [BBI_QL_SHOW_SUBSCRIPTIONS] = "SHOW SUBSCRIPTIONS",
    [BBI_QL_SHOW_USERS] = "SHOW USERS",
    [BBI_QL_SHOW_GRANTS] = "SHOW GRANTS FOR ",
};

/* " keyword name", if there is a name. */
static void name_after(const char *keyword, const char *name, struct bbi_buf *buf)
{
    if (name != NULL) {
        bbi_buf_printf(buf, " %s ", keyword);
        bbi_ql_format_name(name, buf);
    }
}

static void duration_after(const char *keyword, int64_t ns, struct bbi_buf *buf)
{
    bbi_buf_printf(buf, " %s ", keyword);
    if (ns == 0) {
        bbi_buf_str(buf, "INF");
    } else {
        bbi_ql_duration_format(ns, buf);
    }
}

/* ---- SHOW ---- */

static void format_with_key(const struct bbi_ql_show *show, struct bbi_buf *buf)
{
    if (show->key_op == BBI_QL_OP_NONE) {
        return;
    }
    bbi_buf_printf(buf, " WITH KEY %s ", bbi_ql_op_text(show->key_op));
    if (show->key_regex != NULL) {
        bbi_ql_format_regex(show->key_regex, buf);
        return;
    }
    bbi_buf_str(buf, show->key_op == BBI_QL_IN ? "(" : "");
    for (size_t i = 0; i < show->key_count; i++) {
        bbi_buf_str(buf, i == 0 ? "" : ", ");
        bbi_ql_format_name(show->keys[i], buf);
    }
    bbi_buf_str(buf, show->key_op == BBI_QL_IN ? ")" : "");
}

static void format_on(const struct bbi_ql_show *show, struct bbi_buf *buf)
{
    if (show->all_databases) {
        bbi_buf_str(buf, " ON *");
    } else {
        name_after("ON", show->database, buf);
    }
    if (show->all_policies) {
        bbi_buf_str(buf, ".*");
    } else if (show->policy != NULL) {
        bbi_buf_str(buf, ".");
        bbi_ql_format_name(show->policy, buf);
    }
}

static bool is_cardinality(enum bbi_ql_statement_kind kind)
{
    return kind == BBI_QL_SHOW_MEASUREMENT_CARDINALITY || kind == BBI_QL_SHOW_SERIES_CARDINALITY ||
           kind == BBI_QL_SHOW_TAG_KEY_CARDINALITY || kind == BBI_QL_SHOW_TAG_VALUES_CARDINALITY ||
           kind == BBI_QL_SHOW_FIELD_KEY_CARDINALITY;
}

static void format_show(const struct bbi_ql_statement *statement, bool brief, struct bbi_buf *buf)
{
    const struct bbi_ql_show *show = &statement->u.show;

    if (is_cardinality(statement->kind)) {
        bbi_buf_str(buf, show->exact ? " EXACT CARDINALITY" : " CARDINALITY");
    }
    if (statement->kind == BBI_QL_SHOW_GRANTS) {
        bbi_ql_format_name(show->name, buf);
    } else if (show->name != NULL) {
        bbi_buf_str(buf, " FOR ");
        bbi_ql_format_quoted(show->name, '\'', buf);
    }
    format_on(show, buf);
    if (statement->kind == BBI_QL_SHOW_MEASUREMENTS) {
        bool regex = show->source_count > 0 && show->sources[0].regex != NULL;
        bbi_ql_format_sources(regex ? " WITH MEASUREMENT =~ " : " WITH MEASUREMENT = ",
                              show->sources, show->source_count, brief, buf);
    } else {
        bbi_ql_format_sources(" FROM ", show->sources, show->source_count, brief, buf);
    }
    format_with_key(show, buf);
    bbi_ql_format_where(show->condition, brief, buf);
    bbi_ql_format_group_by(show->dimensions, show->dimension_count, brief, buf);
    bbi_ql_format_order_by(show->sorts, show->sort_count, buf);
    bbi_ql_format_limit("LIMIT", show->limit, buf);
    bbi_ql_format_limit("OFFSET", show->offset, buf);
    bbi_ql_format_limit("SLIMIT", show->slimit, buf);
    bbi_ql_format_limit("SOFFSET", show->soffset, buf);
}

/* ---- the others ---- */

/* CREATE DATABASE has its durations as Go prints them, the others as InfluxQL does. */
static void format_options(const struct bbi_ql_statement *statement, struct bbi_buf *buf)
{
    const struct bbi_ql_policy *policy = &statement->u.create.policy;
    void (*put)(int64_t ns, struct bbi_buf * buf) = statement->kind == BBI_QL_CREATE_DATABASE
                                                        ? bbi_ql_duration_format_go
                                                        : bbi_ql_duration_format;
    bool is_alter = statement->kind == BBI_QL_ALTER_POLICY;
    if (policy->has_duration) {
        bbi_buf_str(buf, " DURATION ");
        put(policy->duration_ns, buf);
    }
    if (policy->has_replication) {
        bbi_buf_printf(buf, " REPLICATION %lld", (long long)policy->replication);
    }
    if (policy->has_shard_duration && (is_alter || policy->shard_duration_ns > 0)) {
        bbi_buf_str(buf, " SHARD DURATION ");
        put(policy->shard_duration_ns, buf);
    }
    bbi_buf_str(buf, policy->is_default ? " DEFAULT" : "");
}

static void format_create(const struct bbi_ql_statement *statement, struct bbi_buf *buf)
{
    const struct bbi_ql_policy *policy = &statement->u.create.policy;

    if (statement->kind != BBI_QL_CREATE_DATABASE) {
        bbi_ql_format_name(policy->name, buf);
        name_after("ON", policy->database, buf);
        format_options(statement, buf);
        return;
    }
    bbi_ql_format_name(policy->database, buf);
    if (statement->u.create.has_options) {
        bbi_buf_str(buf, " WITH");
        format_options(statement, buf);
        name_after("NAME", policy->name, buf);
    }
}

static void format_drop(const struct bbi_ql_statement *statement, bool brief, struct bbi_buf *buf)
{
    if (statement->kind == BBI_QL_DROP_SHARD) {
        bbi_buf_printf(buf, "%llu", (unsigned long long)statement->u.drop.id);
        return;
    }
    if (statement->u.drop.name != NULL) {
        bbi_ql_format_name(statement->u.drop.name, buf);
    }
    name_after("ON", statement->u.drop.database, buf);
    if (statement->u.drop.policy != NULL) {
        bbi_buf_str(buf, ".");
        bbi_ql_format_name(statement->u.drop.policy, buf);
    }
    bbi_ql_format_sources(" FROM ", statement->u.drop.sources, statement->u.drop.source_count,
                          brief, buf);
    bbi_ql_format_where(statement->u.drop.condition, brief, buf);
}

static void format_grant(const struct bbi_ql_statement *statement, struct bbi_buf *buf)
{
    static const char *const privileges[] = {
        [BBI_QL_PRIVILEGE_READ] = "READ",
        [BBI_QL_PRIVILEGE_WRITE] = "WRITE",
        [BBI_QL_PRIVILEGE_ALL] = "ALL PRIVILEGES",
    };

    if (statement->kind == BBI_QL_GRANT || statement->kind == BBI_QL_REVOKE) {
        bbi_buf_str(buf, privileges[statement->u.grant.privilege]);
        name_after("ON", statement->u.grant.database, buf);
        bbi_buf_str(buf, statement->kind == BBI_QL_GRANT ? " TO " : " FROM ");
    }
    bbi_ql_format_name(statement->u.grant.user, buf);
}

static void format_cq(const struct bbi_ql_statement *statement, bool brief, struct bbi_buf *buf)
{
    bbi_ql_format_name(statement->u.cq.name, buf);
    name_after("ON", statement->u.cq.database, buf);
    if (statement->u.cq.every_ns != 0 || statement->u.cq.for_ns != 0) {
        bbi_buf_str(buf, " RESAMPLE");
    }
    if (statement->u.cq.every_ns != 0) {
        duration_after("EVERY", statement->u.cq.every_ns, buf);
    }
    if (statement->u.cq.for_ns != 0) {
        duration_after("FOR", statement->u.cq.for_ns, buf);
    }
    bbi_buf_str(buf, " BEGIN ");
    bbi_ql_format_select(statement->u.cq.select, brief, buf);
    bbi_buf_str(buf, " END");
}

static void format_subscription(const struct bbi_ql_statement *statement, struct bbi_buf *buf)
{
    bbi_ql_format_name(statement->u.subscription.name, buf);
    name_after("ON", statement->u.subscription.database, buf);
    bbi_buf_str(buf, ".");
    bbi_ql_format_name(statement->u.subscription.policy, buf);
    bbi_buf_str(buf, statement->u.subscription.all ? " DESTINATIONS ALL " : " DESTINATIONS ANY ");
    for (size_t i = 0; i < statement->u.subscription.destination_count; i++) {
        bbi_buf_str(buf, i == 0 ? "" : ", ");
        bbi_ql_format_quoted(statement->u.subscription.destinations[i], '\'', buf);
    }
}

static void format_user(const struct bbi_ql_statement *statement, struct bbi_buf *buf)
{
    bbi_ql_format_name(statement->u.user.name, buf);
    if (statement->kind == BBI_QL_SET_PASSWORD) {
        bbi_buf_str(buf, " = [REDACTED]");
        return;
    }
    bbi_buf_str(buf, " WITH PASSWORD [REDACTED]");
    bbi_buf_str(buf, statement->u.user.admin ? " WITH ALL PRIVILEGES" : "");
}

static void format(const struct bbi_ql_statement *statement, bool brief, struct bbi_buf *buf)
{
    bbi_buf_str(buf, starts[statement->kind]);
    switch (statement->kind) {
    case BBI_QL_SELECT:
        bbi_ql_format_select(statement->u.select, brief, buf);
        break;
    case BBI_QL_EXPLAIN:
        bbi_buf_str(buf, statement->u.explain.analyze ? "ANALYZE " : "");
        bbi_ql_format_select(statement->u.explain.select, brief, buf);
        break;
    case BBI_QL_CREATE_DATABASE:
    case BBI_QL_CREATE_POLICY:
    case BBI_QL_ALTER_POLICY:
        format_create(statement, buf);
        break;
    case BBI_QL_CREATE_USER:
    case BBI_QL_SET_PASSWORD:
        format_user(statement, buf);
        break;
    case BBI_QL_CREATE_CQ:
        format_cq(statement, brief, buf);
        break;
    case BBI_QL_CREATE_SUBSCRIPTION:
        format_subscription(statement, buf);
        break;
    case BBI_QL_DELETE:
    case BBI_QL_DROP_DATABASE:
    case BBI_QL_DROP_POLICY:
    case BBI_QL_DROP_MEASUREMENT:
    case BBI_QL_DROP_SERIES:
    case BBI_QL_DROP_SHARD:
    case BBI_QL_DROP_USER:
    case BBI_QL_DROP_CQ:
    case BBI_QL_DROP_SUBSCRIPTION:
        format_drop(statement, brief, buf);
        break;
    case BBI_QL_GRANT:
    case BBI_QL_GRANT_ADMIN:
    case BBI_QL_REVOKE:
    case BBI_QL_REVOKE_ADMIN:
        format_grant(statement, buf);
        break;
    case BBI_QL_KILL_QUERY:
        bbi_buf_printf(buf, "%llu", (unsigned long long)statement->u.kill.id);
        name_after("ON", statement->u.kill.host, buf);
        break;
    default:
        format_show(statement, brief, buf);
        break;
    }
}

void bbi_ql_format(const struct bbi_ql_statement *statement, struct bbi_buf *buf)
{
    format(statement, false, buf);
}

void bbi_ql_format_told(const struct bbi_ql_statement *statement, struct bbi_buf *buf)
{
    format(statement, true, buf);
}
