/*
 * The InfluxQL parser on any bytes. What parses prints as text that parses to an equal tree; its
 * conditions split and fold without harm.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/influxql/expr.h"
#include "engine/influxql/influxql.h"
#include "engine/query/subscription.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct bbi_ql_param params[] = {
    {"b", BBI_QL_BOOLEAN, {.boolean = true}, NULL},
    {"d", BBI_QL_DURATION, {.integer = -90}, NULL},
    {"i", BBI_QL_INTEGER, {.integer = INT64_MIN}, NULL},
    {"n", BBI_QL_NUMBER, {.number = -1.5}, NULL},
    {"r", BBI_QL_REGEX, {.string = "a/b\\d"}, NULL},
    {"s", BBI_QL_STRING, {.string = "it's"}, NULL},
    {"v", BBI_QL_VAR, {.string = "select"}, NULL},
};

static const struct bbi_ql_options options = {
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .keep_params = true,
};

static void must(bool holds, const char *what, const struct bbi_buf *text)
{
    if (!holds) {
        fprintf(stderr, "%s: %.*s\n", what, (int)text->len, (const char *)text->data);
        abort();
    }
}

/* Passwords are not printed, so those statements do not parse again. */
static bool has_password(const struct bbi_ql_statement *statement)
{
    return statement->kind == BBI_QL_CREATE_USER || statement->kind == BBI_QL_SET_PASSWORD;
}

static const struct bbi_ql_select *select_of(const struct bbi_ql_statement *statement)
{
    switch (statement->kind) {
    case BBI_QL_SELECT:
        return statement->u.select;
    case BBI_QL_EXPLAIN:
        return statement->u.explain.select;
    case BBI_QL_CREATE_CQ:
        return statement->u.cq.select;
    default:
        return NULL;
    }
}

static void compare_selects(const struct bbi_ql_select *a, const struct bbi_ql_select *b,
                            const struct bbi_buf *text)
{
    must(a->field_count == b->field_count && a->source_count == b->source_count &&
             a->dimension_count == b->dimension_count && a->is_raw == b->is_raw &&
             a->fill == b->fill && a->limit == b->limit,
         "counts", text);
    for (size_t i = 0; i < a->field_count; i++) {
        must(bbi_ql_expr_equal(a->fields[i].expr, b->fields[i].expr), "field", text);
    }
    for (size_t i = 0; i < a->dimension_count; i++) {
        must(bbi_ql_expr_equal(a->dimensions[i], b->dimensions[i]), "dimension", text);
    }
    for (size_t i = 0; i < a->source_count; i++) {
        if (a->sources[i].subquery != NULL) {
            compare_selects(a->sources[i].subquery, b->sources[i].subquery, text);
        }
    }
    must((a->condition == NULL) == (b->condition == NULL), "condition", text);
    must(a->condition == NULL || bbi_ql_expr_equal(a->condition, b->condition), "condition", text);
}

static void fold(struct bbi_ql_expr *condition, struct bbi_arena *arena, const struct bbi_buf *text)
{
    struct bbi_ql_world world = {.now_ns = 1710511200000000000};
    struct bbi_ql_condition split;
    struct bbi_ql_expr *reduced;
    struct bb_error err;

    int rc = bbi_ql_condition_split(condition, &world, arena, &split, &err);
    must(rc == BB_OK || rc == BB_EPARSE, "split", text);
    if (rc == BB_OK && split.rest != NULL) {
        must(split.rest->kind != BBI_QL_PAREN, "split", text);
        must(bbi_ql_reduce(split.rest, &world, arena, &reduced, &err) == BB_OK, "reduce", text);
    }
}

/* What is taken as a destination, and what the catalog would keep, reads back as it was. */
static void check_subscription(const struct bbi_ql_statement *statement, struct bbi_arena *arena,
                               const struct bbi_buf *text)
{
    struct bbi_subscription s;
    struct bb_error err;
    size_t count = statement->u.subscription.destination_count;
    int rc = bbi_subscription_parse((const char *)text->data, text->len, arena, &s, &err);
    must(rc == BB_OK && s.all == statement->u.subscription.all && s.destination_count == count &&
             strcmp(s.name, statement->u.subscription.name) == 0 &&
             strcmp(s.policy, statement->u.subscription.policy) == 0,
         "subscription", text);
    for (size_t i = 0; i < count; i++) {
        const char *url = statement->u.subscription.destinations[i];
        must(strcmp(s.destinations[i], url) == 0, "destination", text);
        if (bbi_subscription_check(url, &err) == BB_OK) {
            const char *host = strstr(url, "://");
            must(host != NULL && strchr(host + 3, ':') != NULL, "a port", text);
        }
    }
}

static void check_statement(const struct bbi_ql_statement *statement, struct bbi_arena *arena)
{
    struct bbi_buf first;
    struct bbi_buf second;
    struct bbi_ql_query *again;
    struct bb_error err;

    bbi_buf_init(&first, NULL, SIZE_MAX);
    bbi_buf_init(&second, NULL, SIZE_MAX);
    bbi_ql_format(statement, &first);
    must(first.err == BB_OK, "format", &first);
    if (statement->kind == BBI_QL_CREATE_SUBSCRIPTION) {
        check_subscription(statement, arena, &first);
    }
    if (!has_password(statement)) {
        int rc = bbi_ql_parse((const char *)first.data, first.len, &options, arena, &again, &err);
        must(rc == BB_OK && again->statement_count == 1, "parse again", &first);
        bbi_ql_format(again->statements[0], &second);
        must(first.len == second.len && memcmp(first.data, second.data, first.len) == 0,
             "format again", &first);
        const struct bbi_ql_select *select = select_of(statement);
        if (select != NULL) {
            compare_selects(select, select_of(again->statements[0]), &first);
        }
        if (select != NULL && select->condition != NULL) {
            fold(select->condition, arena, &first);
        }
    }
    bbi_buf_fini(&first);
    bbi_buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bbi_arena arena;
    struct bbi_ql_query *query;
    struct bb_error err;

    bbi_arena_init(&arena, NULL);
    if (bbi_ql_parse((const char *)data, size, &options, &arena, &query, &err) == BB_OK) {
        for (size_t i = 0; i < query->statement_count; i++) {
            check_statement(query->statements[i], &arena);
        }
    }
    bbi_arena_fini(&arena);
    return 0;
}
