/**
 * The parser's inside: a stream of tokens that can be stepped back, and one function for each
 * phrase of the grammar.
 *
 * A function returns false once something is wrong; *err then says what (the first error wins) and
 * the parse is over. What it builds lies in the arena.
 *
 * Tokens are fetched and put back exactly as in InfluxDB's parser, ring of three included, because
 * the positions and texts of its errors follow from that. bbi_qlp_peek and bbi_qlp_regex look at
 * the text behind the last token fetched from it, even if that token was put back.
 */
#ifndef BBI_INFLUXQL_PARSER_H
#define BBI_INFLUXQL_PARSER_H

#include "engine/influxql/influxql.h"
#include "engine/influxql/lexer.h"

#define BBI_QLP_RING 3

struct bbi_ql_parser {
    struct bbi_ql_lexer lexer;
    struct bbi_ql_token ring[BBI_QLP_RING];
    unsigned at;     /* the newest token */
    unsigned unread; /* tokens put back */
    unsigned depth;  /* of phrases around this one */
    bool calendar;   /* months and years are allowed here */
    const struct bbi_ql_options *options;
    struct bbi_arena *arena;
    struct bb_error *err;
    bool failed;
};

/* parser.c: tokens */

/** The next token, white space and comments included. */
struct bbi_ql_token bbi_qlp_next(struct bbi_ql_parser *p);

/** The next token that is neither white space nor a comment. */
struct bbi_ql_token bbi_qlp_scan(struct bbi_ql_parser *p);

/** Put the last token back. */
void bbi_qlp_unscan(struct bbi_ql_parser *p);

/** Scan; if it is not of this kind put it back and return false. No error. */
bool bbi_qlp_accept(struct bbi_ql_parser *p, enum bbi_ql_token_kind kind);

/** Scan; any other kind is an error. */
bool bbi_qlp_expect(struct bbi_ql_parser *p, enum bbi_ql_token_kind kind);

/** The character behind the last token; see bbi_ql_lexer_peek. */
uint8_t bbi_qlp_peek(struct bbi_ql_parser *p);

/** Take one white space token if it comes next. */
void bbi_qlp_skip_white(struct bbi_ql_parser *p);

/* parser.c: errors; all return false */

/** "found X, expected <expected> at line L, char C" */
bool bbi_qlp_unexpected(struct bbi_ql_parser *p, struct bbi_ql_token token, const char *expected);

/** "<text> at line L, char C" */
bool bbi_qlp_fail_at(struct bbi_ql_parser *p, struct bbi_ql_pos pos, const char *fmt, ...)
    BB_PRINTF(3, 4);

/** The text alone. */
bool bbi_qlp_fail(struct bbi_ql_parser *p, const char *fmt, ...) BB_PRINTF(2, 3);

/* parser.c: memory */

/** Zeroed; NULL fails the parse. */
void *bbi_qlp_alloc(struct bbi_ql_parser *p, size_t size);

/**
 * Append an item to an array that grows in the arena.
 *
 * items  in, out: [*count] of size bytes each; NULL at first
 */
bool bbi_qlp_push(struct bbi_ql_parser *p, void *items, size_t *count, const void *item,
                  size_t size);

/** A phrase that may hold itself begins; false: nested too deep. End it with bbi_qlp_leave. */
bool bbi_qlp_enter(struct bbi_ql_parser *p);
void bbi_qlp_leave(struct bbi_ql_parser *p);

/* parser.c: small phrases */

bool bbi_qlp_ident(struct bbi_ql_parser *p, const char **name);
bool bbi_qlp_ident_list(struct bbi_ql_parser *p, const char ***names, size_t *count);
bool bbi_qlp_string(struct bbi_ql_parser *p, const char **text);
bool bbi_qlp_string_list(struct bbi_ql_parser *p, const char ***texts, size_t *count);

/** An integer of 1..max. */
bool bbi_qlp_count(struct bbi_ql_parser *p, int64_t max, int64_t *value);
bool bbi_qlp_uint64(struct bbi_ql_parser *p, uint64_t *value);

/** A duration, or INF, which is 0. */
bool bbi_qlp_duration(struct bbi_ql_parser *p, int64_t *ns);

/** The ns of a DURATIONVAL token. In an expression it may be negative, and errors do not name the
 * place. */
bool bbi_qlp_duration_value(struct bbi_ql_parser *p, struct bbi_ql_token token, bool in_expr,
                            int64_t *ns);

/** Up to three names with points between; a missing middle one is "". */
bool bbi_qlp_segments(struct bbi_ql_parser *p, const char *segments[3], size_t *count);

/** A regex if one comes next; *pattern NULL: none does. */
bool bbi_qlp_regex(struct bbi_ql_parser *p, const char **pattern);

/* parse_expr.c */

bool bbi_qlp_expr(struct bbi_ql_parser *p, struct bbi_ql_expr **expr);

/** A regex or an expression. */
bool bbi_qlp_regex_or_expr(struct bbi_ql_parser *p, struct bbi_ql_expr **expr);

/* parse_select.c; the clauses are optional and leave their outputs as they are */

enum bbi_qlp_target {
    BBI_QLP_TARGET_REQUIRED,
    BBI_QLP_TARGET_OPTIONAL
};

/** Behind SELECT. */
bool bbi_qlp_select(struct bbi_ql_parser *p, enum bbi_qlp_target target,
                    struct bbi_ql_select **select);
bool bbi_qlp_source(struct bbi_ql_parser *p, bool subqueries, struct bbi_ql_source *source);
bool bbi_qlp_sources(struct bbi_ql_parser *p, bool subqueries, struct bbi_ql_source **sources,
                     size_t *count);
bool bbi_qlp_where(struct bbi_ql_parser *p, struct bbi_ql_expr **condition);
bool bbi_qlp_group_by(struct bbi_ql_parser *p, struct bbi_ql_expr ***dimensions, size_t *count);
bool bbi_qlp_order_by(struct bbi_ql_parser *p, struct bbi_ql_sort **sorts, size_t *count);

/** LIMIT n and its kin. */
bool bbi_qlp_limit(struct bbi_ql_parser *p, enum bbi_ql_token_kind keyword, int64_t *value);

/* parse_show.c, parse_schema.c, parse_admin.c: statements, each behind the keywords of its entry in
 * the table of parse_statement.c; statement->kind is set and the rest zero */

bool bbi_qlp_show_bare(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_module(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_grants(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_policies(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_measurements(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_series(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_tag_keys(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_tag_values(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_field_keys(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_key_cardinality(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_measurement_exact(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_show_cardinality(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);

bool bbi_qlp_create_database(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_create_policy(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_alter_policy(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_drop_name(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_drop_name_on(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_drop_shard(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_delete(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);

bool bbi_qlp_create_cq(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_create_user(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_create_subscription(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_drop_subscription(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_grant(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_revoke(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_set_password(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);
bool bbi_qlp_kill_query(struct bbi_ql_parser *p, struct bbi_ql_statement *statement);

#endif
