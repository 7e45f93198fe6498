/**
 * The syntax tree of InfluxQL: every statement of InfluxDB 1.8.
 *
 * A tree lives in the arena it was parsed into, strings included, and is never freed by parts.
 * Strings end with a NUL and contain none. Optional parts that are not there are NULL, 0 or false.
 * The tree says what was written: wildcards are not expanded, names not resolved, time strings not
 * read. Trees are read-only once parsed and may be shared by threads.
 */
#ifndef BBI_INFLUXQL_AST_H
#define BBI_INFLUXQL_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Types that a cast can name (`value::float`), and those of variables once they are resolved. */
enum bbi_ql_type {
    BBI_QL_TYPE_UNKNOWN, /* no cast */
    BBI_QL_TYPE_FLOAT,
    BBI_QL_TYPE_INTEGER,
    BBI_QL_TYPE_UNSIGNED,
    BBI_QL_TYPE_STRING,
    BBI_QL_TYPE_BOOLEAN,
    BBI_QL_TYPE_TIME,
    BBI_QL_TYPE_DURATION,
    BBI_QL_TYPE_TAG,
    BBI_QL_TYPE_FIELD /* any field: `x::field` */
};

/** Operators of binary expressions. */
enum bbi_ql_op {
    BBI_QL_OP_NONE,
    BBI_QL_OR,
    BBI_QL_AND,
    BBI_QL_EQ,       /* = */
    BBI_QL_NEQ,      /* != <> */
    BBI_QL_EQREGEX,  /* =~ rhs is a regex */
    BBI_QL_NEQREGEX, /* !~ rhs is a regex */
    BBI_QL_LT,
    BBI_QL_LTE,
    BBI_QL_GT,
    BBI_QL_GTE,
    BBI_QL_ADD,
    BBI_QL_SUB,
    BBI_QL_BITOR,
    BBI_QL_BITXOR,
    BBI_QL_MUL,
    BBI_QL_DIV,
    BBI_QL_MOD,
    BBI_QL_BITAND,
    BBI_QL_IN /* of WITH KEY IN (...) alone */
};

enum bbi_ql_expr_kind {
    BBI_QL_VAR,      /* a field, a tag or `time` */
    BBI_QL_CALL,     /* name(args) */
    BBI_QL_BINARY,   /* lhs op rhs */
    BBI_QL_PAREN,    /* ( inner ) */
    BBI_QL_NUMBER,   /* 1.5 */
    BBI_QL_INTEGER,  /* 15 */
    BBI_QL_UNSIGNED, /* an integer above int64 */
    BBI_QL_STRING,   /* 'text', time strings too */
    BBI_QL_BOOLEAN,
    BBI_QL_DURATION, /* 1h30m */
    BBI_QL_TIME,     /* from reducing a condition, never from the parser */
    BBI_QL_REGEX,    /* the pattern between / and /, \/ replaced by / */
    BBI_QL_WILDCARD, /* * *::field *::tag */
    BBI_QL_DISTINCT, /* distinct name, without parentheses */
    BBI_QL_PARAM,    /* $name, if the parser was told to keep those without a value */
    BBI_QL_NULL      /* from reducing an expression: no value */
};

struct bbi_ql_expr {
    enum bbi_ql_expr_kind kind;
    union {
        struct {
            const char *name; /* "a.b" for a segmented name */
            enum bbi_ql_type type;
        } var;
        struct {
            const char *name; /* lower case */
            struct bbi_ql_expr **args;
            size_t arg_count;
        } call;
        struct {
            enum bbi_ql_op op;
            struct bbi_ql_expr *lhs;
            struct bbi_ql_expr *rhs;
        } binary;
        struct bbi_ql_expr *inner; /* PAREN */
        double number;
        int64_t integer;
        uint64_t unsigned_integer;
        const char *string; /* STRING, REGEX, DISTINCT (the name), PARAM (without $) */
        bool boolean;
        struct {
            int64_t ns;     /* 0 if months is not */
            int64_t months; /* 1mo, 1y: calendar units, in GROUP BY time() alone; an extension */
        } duration;
        int64_t time_ns;
        enum bbi_ql_type wildcard; /* UNKNOWN: both; FIELD or TAG */
    } u;
};

struct bbi_ql_select;

/** One of FROM, or the target of INTO. */
struct bbi_ql_source {
    const char *database; /* NULL: the query's */
    const char *policy;   /* NULL: the default one; never "" */
    const char *name;     /* NULL: regex or subquery, or :MEASUREMENT of a target */
    const char *regex;    /* NULL: name or subquery */
    struct bbi_ql_select *subquery;
    bool back_reference; /* INTO db.rp.:MEASUREMENT */
};

struct bbi_ql_field {
    struct bbi_ql_expr *expr;
    const char *alias;
};

struct bbi_ql_sort {
    const char *name; /* NULL: time */
    bool descending;
};

enum bbi_ql_fill {
    BBI_QL_FILL_NULL, /* also when fill() was not written */
    BBI_QL_FILL_NONE,
    BBI_QL_FILL_NUMBER,
    BBI_QL_FILL_PREVIOUS,
    BBI_QL_FILL_LINEAR
};

struct bbi_ql_select {
    struct bbi_ql_field *fields;
    size_t field_count;
    struct bbi_ql_source *into; /* NULL: none */
    struct bbi_ql_source *sources;
    size_t source_count;
    struct bbi_ql_expr *condition;   /* NULL: none */
    struct bbi_ql_expr **dimensions; /* VAR, CALL time(DURATION[, DURATION | STRING | now()]),
                                        WILDCARD, REGEX */
    size_t dimension_count;
    enum bbi_ql_fill fill;
    bool fill_given;
    struct bbi_ql_expr *fill_value; /* NUMBER or INTEGER, for BBI_QL_FILL_NUMBER */
    struct bbi_ql_sort *sorts;
    size_t sort_count;
    int64_t limit; /* rows of a series; 0: no limit */
    int64_t offset;
    int64_t slimit; /* series; 0: no limit */
    int64_t soffset;
    const char *zone;    /* tz('...'); NULL: UTC */
    int64_t lookback_ns; /* lookback(d), an extension; 0: none */
    bool is_raw;         /* no function call among the fields */
};

/**
 * SHOW ... of anything. WITH MEASUREMENT and FROM both come as sources; WITH KEY as key_op and
 * key.
 */
struct bbi_ql_show {
    const char *database; /* ON; NULL: the query's */
    const char *policy;   /* SHOW MEASUREMENTS ON db.rp alone */
    bool all_databases;   /* SHOW MEASUREMENTS ON * */
    bool all_policies;    /* SHOW MEASUREMENTS ON db.* */
    struct bbi_ql_source *sources;
    size_t source_count;
    enum bbi_ql_op key_op; /* EQ, NEQ, EQREGEX, NEQREGEX, IN; NONE: no WITH KEY */
    const char *key_regex; /* for EQREGEX, NEQREGEX */
    const char **keys;     /* one for EQ and NEQ, all of the list for IN */
    size_t key_count;
    struct bbi_ql_expr *condition;
    struct bbi_ql_expr **dimensions; /* of the exact CARDINALITY forms */
    size_t dimension_count;
    struct bbi_ql_sort *sorts;
    size_t sort_count;
    int64_t limit;
    int64_t offset;
    int64_t slimit; /* SHOW FIELD KEYS, TAG KEYS */
    int64_t soffset;
    bool exact;       /* EXACT CARDINALITY */
    const char *name; /* SHOW GRANTS FOR user; SHOW STATS FOR 'module' */
};

/** Options of a retention policy: CREATE DATABASE ... WITH, CREATE and ALTER RETENTION POLICY. */
struct bbi_ql_policy {
    const char *name; /* NULL: not given (CREATE DATABASE) */
    const char *database;
    bool has_duration;
    int64_t duration_ns; /* 0: INF */
    bool has_replication;
    int64_t replication;
    bool has_shard_duration;
    int64_t shard_duration_ns;
    bool is_default;
};

enum bbi_ql_privilege {
    BBI_QL_PRIVILEGE_READ,
    BBI_QL_PRIVILEGE_WRITE,
    BBI_QL_PRIVILEGE_ALL
};

/** Every kind of statement, and the member of the union that holds it. */
enum bbi_ql_statement_kind {
    BBI_QL_SELECT,  /* select */
    BBI_QL_EXPLAIN, /* explain */
    BBI_QL_DELETE,  /* drop: sources, condition */

    BBI_QL_CREATE_DATABASE,     /* policy: database, and the rest if has_options */
    BBI_QL_CREATE_POLICY,       /* policy */
    BBI_QL_CREATE_USER,         /* user */
    BBI_QL_CREATE_CQ,           /* cq */
    BBI_QL_CREATE_SUBSCRIPTION, /* subscription */
    BBI_QL_ALTER_POLICY,        /* policy */

    BBI_QL_DROP_DATABASE,     /* drop: name */
    BBI_QL_DROP_POLICY,       /* drop: name, database */
    BBI_QL_DROP_MEASUREMENT,  /* drop: name */
    BBI_QL_DROP_SERIES,       /* drop: sources, condition */
    BBI_QL_DROP_SHARD,        /* drop: id */
    BBI_QL_DROP_USER,         /* drop: name */
    BBI_QL_DROP_CQ,           /* drop: name, database */
    BBI_QL_DROP_SUBSCRIPTION, /* drop: name, database, policy */

    BBI_QL_GRANT,        /* grant */
    BBI_QL_GRANT_ADMIN,  /* grant: user */
    BBI_QL_REVOKE,       /* grant */
    BBI_QL_REVOKE_ADMIN, /* grant: user */
    BBI_QL_SET_PASSWORD, /* user */
    BBI_QL_KILL_QUERY,   /* kill */

    /* all: show */
    BBI_QL_SHOW_DATABASES,
    BBI_QL_SHOW_POLICIES,
    BBI_QL_SHOW_MEASUREMENTS,
    BBI_QL_SHOW_MEASUREMENT_CARDINALITY,
    BBI_QL_SHOW_SERIES,
    BBI_QL_SHOW_SERIES_CARDINALITY,
    BBI_QL_SHOW_TAG_KEYS,
    BBI_QL_SHOW_TAG_KEY_CARDINALITY,
    BBI_QL_SHOW_TAG_VALUES,
    BBI_QL_SHOW_TAG_VALUES_CARDINALITY,
    BBI_QL_SHOW_FIELD_KEYS,
    BBI_QL_SHOW_FIELD_KEY_CARDINALITY,
    BBI_QL_SHOW_SHARDS,
    BBI_QL_SHOW_SHARD_GROUPS,
    BBI_QL_SHOW_QUERIES,
    BBI_QL_SHOW_STATS,
    BBI_QL_SHOW_DIAGNOSTICS,
    BBI_QL_SHOW_CQS,
    BBI_QL_SHOW_SUBSCRIPTIONS,
    BBI_QL_SHOW_USERS,
    BBI_QL_SHOW_GRANTS
};

struct bbi_ql_statement {
    enum bbi_ql_statement_kind kind;
    union {
        struct bbi_ql_select *select;
        struct {
            struct bbi_ql_select *select;
            bool analyze;
        } explain;
        struct bbi_ql_show show;
        struct {
            struct bbi_ql_policy policy;
            bool has_options; /* CREATE DATABASE ... WITH */
        } create;
        struct {
            const char *name;
            const char *database;
            const char *policy;
            uint64_t id;
            struct bbi_ql_source *sources;
            size_t source_count;
            struct bbi_ql_expr *condition;
        } drop;
        struct {
            const char *name;
            const char *password;
            bool admin;
        } user;
        struct {
            const char *user;
            const char *database;
            enum bbi_ql_privilege privilege;
        } grant;
        struct {
            uint64_t id;
            const char *host; /* NULL: this one */
        } kill;
        struct {
            const char *name;
            const char *database;
            struct bbi_ql_select *select;
            int64_t every_ns; /* RESAMPLE EVERY; 0: not given */
            int64_t for_ns;   /* RESAMPLE FOR; 0: not given */
        } cq;
        struct {
            const char *name;
            const char *database;
            const char *policy;
            bool all; /* ALL, not ANY */
            const char **destinations;
            size_t destination_count;
        } subscription;
    } u;
};

/** A text of one or more statements. */
struct bbi_ql_query {
    struct bbi_ql_statement **statements;
    size_t statement_count;
};

#endif
