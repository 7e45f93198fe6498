/**
 * InfluxQL: text to tree and back.
 *
 * The grammar, the precedence of operators and the texts of errors are InfluxDB 1.8's. Extensions:
 * the durations `mo` and `y` in GROUP BY time().
 */
#ifndef BBI_INFLUXQL_INFLUXQL_H
#define BBI_INFLUXQL_INFLUXQL_H

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/influxql/ast.h"

struct bbi_arena;

/** How deep parentheses, calls and subqueries may nest. */
#define BBI_QL_DEPTH_MAX 200

/**
 * How deep the tree of an expression may be, operators in a row included; a row of AND or OR
 * becomes a tree of logarithmic depth, so that it may be as long as it likes. Code that walks
 * expressions may recurse.
 */
#define BBI_QL_TREE_MAX 2000

/** A value for $name. kind: NUMBER, INTEGER, UNSIGNED, STRING, BOOLEAN, DURATION, REGEX, VAR for an
 * identifier, or PARAM for none: an error where it is used. */
struct bbi_ql_param {
    const char *name; /* without $ */
    enum bbi_ql_expr_kind kind;
    union {
        double number;
        int64_t integer; /* INTEGER; DURATION in ns if text is NULL */
        uint64_t unsigned_integer;
        const char *string; /* STRING, REGEX, VAR; PARAM: what is wrong */
        bool boolean;
    } value;
    const char *text; /* DURATION as written, or NULL */
};

struct bbi_ql_options {
    const struct bbi_ql_param
        *params; /* [param_count] names ascending bytewise; borrowed for the call */
    size_t param_count;
    bool keep_params; /* a $name without a value becomes a PARAM node, not an error */
    /* Is there such a time zone? NULL: any name in tz() is taken. */
    bool (*zone_known)(void *arg, const char *name);
    void *zone_arg;
    /* Is this pattern a regex? If not, fault says why. NULL: any is taken. */
    bool (*regex_good)(void *arg, const char *pattern, char *fault, size_t fault_size);
    void *regex_arg;
};

/**
 * Parse one or more statements.
 *
 * text     [length] InfluxQL; the caller bounds its length
 * options  NULL: none
 * out      the tree, in arena
 * Returns BB_OK; BB_EPARSE with InfluxDB's words ("error parsing query: found X, expected Y at line
 * 1, char 8"); BB_ENOMEM.
 */
int bbi_ql_parse(const char *text, size_t length, const struct bbi_ql_options *options,
                 struct bbi_arena *arena, struct bbi_ql_query **out,
                 struct bb_error *err) BB_CHECKED;

/** As bbi_ql_parse, for one expression that fills the text: a condition, a field. */
int bbi_ql_parse_expr(const char *text, size_t length, const struct bbi_ql_options *options,
                      struct bbi_arena *arena, struct bbi_ql_expr **out,
                      struct bb_error *err) BB_CHECKED;

/** Append a tree as text that parses to an equal tree. Failures stick in buf. */
void bbi_ql_format(const struct bbi_ql_statement *statement, struct bbi_buf *buf);
void bbi_ql_format_expr(const struct bbi_ql_expr *expr, struct bbi_buf *buf);

/** As bbi_ql_format, but numbers have three decimals, as where InfluxDB tells of a statement. */
void bbi_ql_format_told(const struct bbi_ql_statement *statement, struct bbi_buf *buf);

/** As bbi_ql_format_expr, but numbers have three decimals, as in InfluxDB's messages. */
void bbi_ql_format_brief(const struct bbi_ql_expr *expr, struct bbi_buf *buf);

/** Append an identifier, quoted where it must be. */
void bbi_ql_format_name(const char *name, struct bbi_buf *buf);

/** Append a text between quotes, " or ', with what must be escaped escaped. */
void bbi_ql_format_quoted(const char *text, char quote, struct bbi_buf *buf);

/** The operator as written ("=~", "AND"). */
const char *bbi_ql_op_text(enum bbi_ql_op op);

/** "float", "tag", ...; "unknown". */
const char *bbi_ql_type_text(enum bbi_ql_type type);

#define BBI_QL_DURATION_FAULT_MAX 128

/** Read a duration, "1h30m", "-5s". Returns false: it is none, or beyond int64; fault says so in
 * InfluxDB's words. */
bool bbi_ql_duration_read(const char *text, int64_t *ns, char fault[BBI_QL_DURATION_FAULT_MAX]);

/** Read a calendar duration, "1mo", "1y6mo": units mo and y alone. Returns false: it is none. */
bool bbi_ql_months_read(const char *text, int64_t *months);

/** Append a duration in InfluxQL's shortest unit that is exact: 90m, 1w, 1500ms. */
void bbi_ql_duration_format(int64_t ns, struct bbi_buf *buf);

/** Append a duration of at least 0 as Go prints those of a second or more: 168h0m0s, 1m0.5s. */
void bbi_ql_duration_format_go(int64_t ns, struct bbi_buf *buf);

#endif
