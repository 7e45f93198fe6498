/** The tokens of InfluxQL. */
#ifndef BBI_INFLUXQL_TOKEN_H
#define BBI_INFLUXQL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */

/* Keywords, in alphabetical order: the lookup is a binary search. */
#define BBI_QL_KEYWORDS(X)                                                                       \
    X(ALL) X(ALTER) X(ANALYZE) X(AND) X(ANY) X(AS) X(ASC) X(BEGIN) X(BY) X(CARDINALITY)          \
    X(CONTINUOUS) X(CREATE) X(DATABASE) X(DATABASES) X(DEFAULT) X(DELETE) X(DESC)                \
    X(DESTINATIONS) X(DIAGNOSTICS) X(DISTINCT) X(DROP) X(DURATION) X(END) X(EVERY) X(EXACT)      \
    X(EXPLAIN) X(FALSE) X(FIELD) X(FOR) X(FROM) X(GRANT) X(GRANTS) X(GROUP) X(GROUPS) X(IN)      \
    X(INF) X(INSERT) X(INTO) X(KEY) X(KEYS) X(KILL) X(LIMIT) X(MEASUREMENT) X(MEASUREMENTS)      \
    X(NAME) X(OFFSET) X(ON) X(OR) X(ORDER) X(PASSWORD) X(POLICIES) X(POLICY) X(PRIVILEGES)       \
    X(QUERIES) X(QUERY) X(READ) X(REPLICATION) X(RESAMPLE) X(RETENTION) X(REVOKE) X(SELECT)      \
    X(SERIES) X(SET) X(SHARD) X(SHARDS) X(SHOW) X(SLIMIT) X(SOFFSET) X(STATS) X(SUBSCRIPTION)    \
    X(SUBSCRIPTIONS) X(TAG) X(TO) X(TRUE) X(USER) X(USERS) X(VALUES) X(WHERE) X(WITH) X(WRITE)

/* The rest: name, and what an error calls it when it has no text of its own. */
#define BBI_QL_MARKS(X)                                                                          \
    X(ILLEGAL, "ILLEGAL") X(EOF, "EOF") X(WS, "WS") X(COMMENT, "")                               \
    X(IDENT, "IDENT") X(BOUNDPARAM, "") X(NUMBER, "NUMBER") X(INTEGER, "")                       \
    X(DURATIONVAL, "DURATIONVAL") X(STRING, "STRING") X(BADSTRING, "BADSTRING")                  \
    X(BADESCAPE, "BADESCAPE") X(REGEX, "REGEX") X(BADREGEX, "")                                  \
    X(ADD, "+") X(SUB, "-") X(MUL, "*") X(DIV, "/") X(MOD, "%") X(BITAND, "&") X(BITOR, "|")     \
    X(BITXOR, "^") X(EQ, "=") X(NEQ, "!=") X(EQREGEX, "=~") X(NEQREGEX, "!~") X(LT, "<")         \
    X(LTE, "<=") X(GT, ">") X(GTE, ">=") X(LPAREN, "(") X(RPAREN, ")") X(COMMA, ",")             \
    X(COLON, ":") X(DOUBLECOLON, "::") X(SEMICOLON, ";") X(DOT, ".")

/* clang-format on */

#define BBI_QL_KEYWORD_ENUM(name)    BBI_QL_TOK_##name,
#define BBI_QL_MARK_ENUM(name, text) BBI_QL_TOK_##name,
enum bbi_ql_token_kind {
    BBI_QL_KEYWORDS(BBI_QL_KEYWORD_ENUM) BBI_QL_TOK_KEYWORD_COUNT,
    BBI_QL_MARKS(BBI_QL_MARK_ENUM)
};
#undef BBI_QL_KEYWORD_ENUM
#undef BBI_QL_MARK_ENUM

/** Line and character, both from 0. */
struct bbi_ql_pos {
    uint32_t line;
    uint32_t column;
};

struct bbi_ql_token {
    enum bbi_ql_token_kind kind;
    struct bbi_ql_pos pos;
    const char *text; /* of identifiers, literals and illegal bytes; "" for others */
};

/** The keyword of these letters in any case, or BBI_QL_TOK_IDENT. */
enum bbi_ql_token_kind bbi_ql_keyword(const char *text, size_t length);

/** "SELECT", "=~", "EOF". */
const char *bbi_ql_token_name(enum bbi_ql_token_kind kind);

/** Can it stand without quotes as an identifier? */
bool bbi_ql_is_bare(const char *name);

#endif
