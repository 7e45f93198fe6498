/* Which statement it is, by its first keywords, and the ways into the parser. */
#include <string.h>

#include "engine/influxql/parser.h"

static bool parse_select(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return bbi_qlp_select(p, BBI_QLP_TARGET_OPTIONAL, &statement->u.select);
}

static bool parse_explain(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    statement->u.explain.analyze = bbi_qlp_accept(p, BBI_QL_TOK_ANALYZE);
    return bbi_qlp_expect(p, BBI_QL_TOK_SELECT) &&
           bbi_qlp_select(p, BBI_QLP_TARGET_OPTIONAL, &statement->u.explain.select);
}

#define WORDS_MAX 3

struct entry {
    enum bbi_ql_token_kind words[WORDS_MAX]; /* ILLEGAL: no more */
    enum bbi_ql_statement_kind kind;
    bool (*parse)(struct bbi_ql_parser *, struct bbi_ql_statement *);
};

#define ONE(a)                                                 \
    {                                                          \
        BBI_QL_TOK_##a, BBI_QL_TOK_ILLEGAL, BBI_QL_TOK_ILLEGAL \
    }
#define TWO(a, b)                                          \
    {                                                      \
        BBI_QL_TOK_##a, BBI_QL_TOK_##b, BBI_QL_TOK_ILLEGAL \
    }
#define THREE(a, b, c)                                 \
    {                                                  \
        BBI_QL_TOK_##a, BBI_QL_TOK_##b, BBI_QL_TOK_##c \
    }

/* Entries with a common start stand together; an error lists what may follow in this order. */
static const struct entry entries[] = {
    {ONE(SELECT), BBI_QL_SELECT, parse_select},
    {ONE(DELETE), BBI_QL_DELETE, bbi_qlp_delete},
    {THREE(SHOW, CONTINUOUS, QUERIES), BBI_QL_SHOW_CQS, bbi_qlp_show_bare},
    {TWO(SHOW, DATABASES), BBI_QL_SHOW_DATABASES, bbi_qlp_show_bare},
    {TWO(SHOW, DIAGNOSTICS), BBI_QL_SHOW_DIAGNOSTICS, bbi_qlp_show_module},
    {THREE(SHOW, FIELD, KEY), BBI_QL_SHOW_FIELD_KEY_CARDINALITY, bbi_qlp_show_key_cardinality},
    {THREE(SHOW, FIELD, KEYS), BBI_QL_SHOW_FIELD_KEYS, bbi_qlp_show_field_keys},
    {THREE(SHOW, GRANTS, FOR), BBI_QL_SHOW_GRANTS, bbi_qlp_show_grants},
    {THREE(SHOW, MEASUREMENT, EXACT), BBI_QL_SHOW_MEASUREMENT_CARDINALITY,
     bbi_qlp_show_measurement_exact},
    {THREE(SHOW, MEASUREMENT, CARDINALITY), BBI_QL_SHOW_MEASUREMENT_CARDINALITY,
     bbi_qlp_show_cardinality},
    {TWO(SHOW, MEASUREMENTS), BBI_QL_SHOW_MEASUREMENTS, bbi_qlp_show_measurements},
    {TWO(SHOW, QUERIES), BBI_QL_SHOW_QUERIES, bbi_qlp_show_bare},
    {THREE(SHOW, RETENTION, POLICIES), BBI_QL_SHOW_POLICIES, bbi_qlp_show_policies},
    {TWO(SHOW, SERIES), BBI_QL_SHOW_SERIES, bbi_qlp_show_series},
    {THREE(SHOW, SHARD, GROUPS), BBI_QL_SHOW_SHARD_GROUPS, bbi_qlp_show_bare},
    {TWO(SHOW, SHARDS), BBI_QL_SHOW_SHARDS, bbi_qlp_show_bare},
    {TWO(SHOW, STATS), BBI_QL_SHOW_STATS, bbi_qlp_show_module},
    {TWO(SHOW, SUBSCRIPTIONS), BBI_QL_SHOW_SUBSCRIPTIONS, bbi_qlp_show_bare},
    {THREE(SHOW, TAG, KEY), BBI_QL_SHOW_TAG_KEY_CARDINALITY, bbi_qlp_show_key_cardinality},
    {THREE(SHOW, TAG, KEYS), BBI_QL_SHOW_TAG_KEYS, bbi_qlp_show_tag_keys},
    {THREE(SHOW, TAG, VALUES), BBI_QL_SHOW_TAG_VALUES, bbi_qlp_show_tag_values},
    {TWO(SHOW, USERS), BBI_QL_SHOW_USERS, bbi_qlp_show_bare},
    {THREE(CREATE, CONTINUOUS, QUERY), BBI_QL_CREATE_CQ, bbi_qlp_create_cq},
    {TWO(CREATE, DATABASE), BBI_QL_CREATE_DATABASE, bbi_qlp_create_database},
    {TWO(CREATE, USER), BBI_QL_CREATE_USER, bbi_qlp_create_user},
    {THREE(CREATE, RETENTION, POLICY), BBI_QL_CREATE_POLICY, bbi_qlp_create_policy},
    {TWO(CREATE, SUBSCRIPTION), BBI_QL_CREATE_SUBSCRIPTION, bbi_qlp_create_subscription},
    {THREE(DROP, CONTINUOUS, QUERY), BBI_QL_DROP_CQ, bbi_qlp_drop_name_on},
    {TWO(DROP, DATABASE), BBI_QL_DROP_DATABASE, bbi_qlp_drop_name},
    {TWO(DROP, MEASUREMENT), BBI_QL_DROP_MEASUREMENT, bbi_qlp_drop_name},
    {THREE(DROP, RETENTION, POLICY), BBI_QL_DROP_POLICY, bbi_qlp_drop_name_on},
    {TWO(DROP, SERIES), BBI_QL_DROP_SERIES, bbi_qlp_delete},
    {TWO(DROP, SHARD), BBI_QL_DROP_SHARD, bbi_qlp_drop_shard},
    {TWO(DROP, SUBSCRIPTION), BBI_QL_DROP_SUBSCRIPTION, bbi_qlp_drop_subscription},
    {TWO(DROP, USER), BBI_QL_DROP_USER, bbi_qlp_drop_name},
    {ONE(EXPLAIN), BBI_QL_EXPLAIN, parse_explain},
    {ONE(GRANT), BBI_QL_GRANT, bbi_qlp_grant},
    {ONE(REVOKE), BBI_QL_REVOKE, bbi_qlp_revoke},
    {THREE(ALTER, RETENTION, POLICY), BBI_QL_ALTER_POLICY, bbi_qlp_alter_policy},
    {THREE(SET, PASSWORD, FOR), BBI_QL_SET_PASSWORD, bbi_qlp_set_password},
    {TWO(KILL, QUERY), BBI_QL_KILL_QUERY, bbi_qlp_kill_query},
};

#define ENTRY_COUNT (sizeof(entries) / sizeof(entries[0]))

static bool starts_alike(const struct entry *entry, const enum bbi_ql_token_kind *words,
                         unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (entry->words[i] != words[i]) {
            return false;
        }
    }
    return true;
}

/* The keywords that may follow those before the count-th; room for all of SHOW. */
static bool unexpected_word(struct bbi_ql_parser *p, struct bbi_ql_token token,
                            const enum bbi_ql_token_kind *words, unsigned count)
{
    char expected[320] = "";
    size_t length = 0;
    enum bbi_ql_token_kind told = BBI_QL_TOK_ILLEGAL;

    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        enum bbi_ql_token_kind word = entries[i].words[count];
        if (word == told || !starts_alike(&entries[i], words, count)) {
            continue;
        }
        const char *name = bbi_ql_token_name(word);
        BB_ASSERT(length + strlen(name) + 3 < sizeof(expected));
        if (length > 0) {
            memcpy(expected + length, ", ", 2);
            length += 2;
        }
        memcpy(expected + length, name, strlen(name) + 1);
        length += strlen(name);
        told = word;
    }
    return bbi_qlp_unexpected(p, token, expected);
}

static const struct entry *find_entry(struct bbi_ql_parser *p)
{
    enum bbi_ql_token_kind words[WORDS_MAX];

    for (unsigned count = 0; count < WORDS_MAX; count++) {
        struct bbi_ql_token token = bbi_qlp_scan(p);
        bool prefix = false;
        words[count] = token.kind;
        for (size_t i = 0; i < ENTRY_COUNT && token.kind != BBI_QL_TOK_ILLEGAL; i++) {
            if (!starts_alike(&entries[i], words, count + 1)) {
                continue;
            }
            prefix = true;
            if (count + 1 == WORDS_MAX || entries[i].words[count + 1] == BBI_QL_TOK_ILLEGAL) {
                return &entries[i];
            }
        }
        if (!prefix) {
            (void)unexpected_word(p, token, words, count);
            return NULL;
        }
    }
    return NULL;
}

static bool parse_statement(struct bbi_ql_parser *p, struct bbi_ql_query *query)
{
    struct bbi_ql_statement *statement = bbi_qlp_alloc(p, sizeof(*statement));
    const struct entry *entry = statement == NULL ? NULL : find_entry(p);

    if (entry == NULL) {
        return false;
    }
    statement->kind = entry->kind;
    return entry->parse(p, statement) &&
           bbi_qlp_push(p, &query->statements, &query->statement_count, &statement,
                        sizeof(statement));
}

static bool parse_query(struct bbi_ql_parser *p, struct bbi_ql_query *query)
{
    bool separated = true;

    for (;;) {
        struct bbi_ql_token token = bbi_qlp_scan(p);
        if (token.kind == BBI_QL_TOK_EOF || p->failed) {
            return !p->failed;
        }
        if (token.kind == BBI_QL_TOK_SEMICOLON) {
            separated = true;
            continue;
        }
        if (!separated) {
            return bbi_qlp_unexpected(p, token, ";");
        }
        bbi_qlp_unscan(p);
        if (!parse_statement(p, query)) {
            return false;
        }
        separated = false;
    }
}

static void begin(struct bbi_ql_parser *p, const char *text, size_t length,
                  const struct bbi_ql_options *options, struct bbi_arena *arena,
                  struct bb_error *err)
{
    memset(p, 0, sizeof(*p));
    bbi_ql_lexer_init(&p->lexer, text, length, arena);
    p->options = options;
    p->arena = arena;
    p->err = err;
}

int bbi_ql_parse(const char *text, size_t length, const struct bbi_ql_options *options,
                 struct bbi_arena *arena, struct bbi_ql_query **out, struct bb_error *err)
{
    struct bbi_ql_parser p;

    *out = NULL;
    begin(&p, text, length, options, arena, err);
    struct bbi_ql_query *query = bbi_qlp_alloc(&p, sizeof(*query));
    if (query == NULL || !parse_query(&p, query) || p.failed) {
        return err->code;
    }
    *out = query;
    return BB_OK;
}

int bbi_ql_parse_expr(const char *text, size_t length, const struct bbi_ql_options *options,
                      struct bbi_arena *arena, struct bbi_ql_expr **out, struct bb_error *err)
{
    struct bbi_ql_parser p;
    struct bbi_ql_expr *expr;

    *out = NULL;
    begin(&p, text, length, options, arena, err);
    if (!bbi_qlp_expr(&p, &expr) || !bbi_qlp_expect(&p, BBI_QL_TOK_EOF) || p.failed) {
        return err->code;
    }
    *out = expr;
    return BB_OK;
}
