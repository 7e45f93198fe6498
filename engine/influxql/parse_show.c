#include "engine/influxql/parser.h"

/* ON database */
static bool parse_on(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    return !bbi_qlp_accept(p, BBI_QL_TOK_ON) || bbi_qlp_ident(p, &show->database);
}

/* FROM sources, none of them a subquery */
static bool parse_from(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    return !bbi_qlp_accept(p, BBI_QL_TOK_FROM) ||
           bbi_qlp_sources(p, false, &show->sources, &show->source_count);
}

static bool parse_limits(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    return bbi_qlp_limit(p, BBI_QL_TOK_LIMIT, &show->limit) &&
           bbi_qlp_limit(p, BBI_QL_TOK_OFFSET, &show->offset);
}

/* ORDER BY, LIMIT, OFFSET */
static bool parse_order_and_limits(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    return bbi_qlp_order_by(p, &show->sorts, &show->sort_count) && parse_limits(p, show);
}

static bool parse_key_list(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    return bbi_qlp_expect(p, BBI_QL_TOK_LPAREN) &&
           bbi_qlp_ident_list(p, &show->keys, &show->key_count) &&
           bbi_qlp_expect(p, BBI_QL_TOK_RPAREN);
}

static bool parse_key_regex(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    if (!bbi_qlp_regex(p, &show->key_regex)) {
        return false;
    }
    return show->key_regex != NULL || bbi_qlp_unexpected(p, bbi_qlp_scan(p), "regex");
}

static bool parse_key(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    const char *key;

    return bbi_qlp_ident(p, &key) &&
           bbi_qlp_push(p, &show->keys, &show->key_count, &key, sizeof(key));
}

/* Behind WITH KEY: operator keys */
static bool parse_key_choice(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);
    switch (token.kind) {
    case BBI_QL_TOK_IN:
        show->key_op = BBI_QL_IN;
        return parse_key_list(p, show);
    case BBI_QL_TOK_EQ:
    case BBI_QL_TOK_NEQ:
        show->key_op = token.kind == BBI_QL_TOK_EQ ? BBI_QL_EQ : BBI_QL_NEQ;
        return parse_key(p, show);
    case BBI_QL_TOK_EQREGEX:
    case BBI_QL_TOK_NEQREGEX:
        show->key_op = token.kind == BBI_QL_TOK_EQREGEX ? BBI_QL_EQREGEX : BBI_QL_NEQREGEX;
        return parse_key_regex(p, show);
    default:
        return bbi_qlp_unexpected(p, token, "IN, =, =~");
    }
}

static bool parse_with_key(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    return bbi_qlp_expect(p, BBI_QL_TOK_WITH) && bbi_qlp_expect(p, BBI_QL_TOK_KEY) &&
           parse_key_choice(p, show);
}

/* The rest of a CARDINALITY statement. */
static bool parse_cardinality(struct bbi_ql_parser *p, struct bbi_ql_show *show, bool with_key)
{
    return parse_on(p, show) && parse_from(p, show) && (!with_key || parse_with_key(p, show)) &&
           bbi_qlp_where(p, &show->condition) &&
           bbi_qlp_group_by(p, &show->dimensions, &show->dimension_count) && parse_limits(p, show);
}

bool bbi_qlp_show_bare(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    (void)p;
    (void)statement;
    return true;
}

bool bbi_qlp_show_module(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return !bbi_qlp_accept(p, BBI_QL_TOK_FOR) || bbi_qlp_string(p, &statement->u.show.name);
}

bool bbi_qlp_show_grants(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return bbi_qlp_ident(p, &statement->u.show.name);
}

bool bbi_qlp_show_policies(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return parse_on(p, &statement->u.show);
}

/* A name, or a star that is told by *all. */
static bool name_or_star(struct bbi_ql_parser *p, const char **name, bool *all)
{
    *all = bbi_qlp_accept(p, BBI_QL_TOK_MUL);
    return *all || bbi_qlp_ident(p, name);
}

static bool parse_on_wide(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    if (!bbi_qlp_accept(p, BBI_QL_TOK_ON)) {
        return true;
    }
    return name_or_star(p, &show->database, &show->all_databases) &&
           (!bbi_qlp_accept(p, BBI_QL_TOK_DOT) ||
            name_or_star(p, &show->policy, &show->all_policies));
}

/* WITH MEASUREMENT = name, =~ regex; which of the two follows is not held against the operator. */
static bool parse_with_measurement(struct bbi_ql_parser *p, struct bbi_ql_show *show)
{
    struct bbi_ql_source source;

    if (!bbi_qlp_accept(p, BBI_QL_TOK_WITH)) {
        return true;
    }
    if (!bbi_qlp_expect(p, BBI_QL_TOK_MEASUREMENT)) {
        return false;
    }
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind != BBI_QL_TOK_EQ && token.kind != BBI_QL_TOK_EQREGEX) {
        return bbi_qlp_unexpected(p, token, "=, =~");
    }
    return bbi_qlp_source(p, false, &source) &&
           bbi_qlp_push(p, &show->sources, &show->source_count, &source, sizeof(source));
}

bool bbi_qlp_show_measurements(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    struct bbi_ql_show *show = &statement->u.show;
    return parse_on_wide(p, show) && parse_with_measurement(p, show) &&
           bbi_qlp_where(p, &show->condition) && parse_order_and_limits(p, show);
}

bool bbi_qlp_show_series(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    struct bbi_ql_show *show = &statement->u.show;

    bool exact = bbi_qlp_accept(p, BBI_QL_TOK_EXACT);
    if (bbi_qlp_accept(p, BBI_QL_TOK_CARDINALITY)) {
        statement->kind = BBI_QL_SHOW_SERIES_CARDINALITY;
        show->exact = exact;
        return parse_cardinality(p, show, false);
    }
    return parse_on(p, show) && parse_from(p, show) && bbi_qlp_where(p, &show->condition) &&
           parse_order_and_limits(p, show);
}

bool bbi_qlp_show_tag_keys(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    struct bbi_ql_show *show = &statement->u.show;

    if (!parse_on(p, show) || !parse_from(p, show)) {
        return false;
    }
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind != BBI_QL_TOK_WITH) {
        bbi_qlp_unscan(p);
    } else if (bbi_qlp_scan(p).kind != BBI_QL_TOK_KEY) {
        return bbi_qlp_unexpected(p, token, ";"); /* InfluxDB has no WITH here */
    } else if (!parse_key_choice(p, show)) {
        return false;
    }
    return bbi_qlp_where(p, &show->condition) && parse_order_and_limits(p, show) &&
           bbi_qlp_limit(p, BBI_QL_TOK_SLIMIT, &show->slimit) &&
           bbi_qlp_limit(p, BBI_QL_TOK_SOFFSET, &show->soffset);
}

bool bbi_qlp_show_tag_values(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    struct bbi_ql_show *show = &statement->u.show;

    show->exact = bbi_qlp_accept(p, BBI_QL_TOK_EXACT);
    if (show->exact ? !bbi_qlp_expect(p, BBI_QL_TOK_CARDINALITY)
                    : !bbi_qlp_accept(p, BBI_QL_TOK_CARDINALITY)) {
        return !p->failed && parse_on(p, show) && parse_from(p, show) && parse_with_key(p, show) &&
               bbi_qlp_where(p, &show->condition) && parse_order_and_limits(p, show);
    }
    statement->kind = BBI_QL_SHOW_TAG_VALUES_CARDINALITY;
    return parse_cardinality(p, show, true);
}

bool bbi_qlp_show_field_keys(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    struct bbi_ql_show *show = &statement->u.show;
    return parse_on(p, show) && parse_from(p, show) && parse_order_and_limits(p, show);
}

/* SHOW TAG KEY, SHOW FIELD KEY */
bool bbi_qlp_show_key_cardinality(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    struct bbi_ql_show *show = &statement->u.show;

    show->exact = bbi_qlp_accept(p, BBI_QL_TOK_EXACT);
    struct bbi_ql_token token = bbi_qlp_scan(p);
    if (token.kind != BBI_QL_TOK_CARDINALITY) {
        return bbi_qlp_unexpected(p, token, show->exact ? "CARDINALITY" : "EXACT, CARDINALITY");
    }
    return parse_cardinality(p, show, false);
}

bool bbi_qlp_show_measurement_exact(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    statement->u.show.exact = true;
    return bbi_qlp_expect(p, BBI_QL_TOK_CARDINALITY) &&
           parse_cardinality(p, &statement->u.show, false);
}

bool bbi_qlp_show_cardinality(struct bbi_ql_parser *p, struct bbi_ql_statement *statement)
{
    return parse_cardinality(p, &statement->u.show, false);
}
