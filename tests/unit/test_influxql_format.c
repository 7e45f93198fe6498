#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/influxql/expr.h"
#include "engine/influxql/influxql.h"
#include "tests/lib/rng.h"

/* Random queries, written from the grammar. */
struct writer {
    struct rng rng;
    struct bbi_buf buf;
};

static const char *pick(struct writer *w, const char *const *texts, size_t count)
{
    return texts[rng_below(&w->rng, count)];
}

#define PICK(w, ...)                            \
    pick(w, (const char *const[]){__VA_ARGS__}, \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void put(struct writer *w, const char *text)
{
    bbi_buf_str(&w->buf, text);
    if (rng_one_in(&w->rng, 30)) {
        bbi_buf_str(&w->buf, PICK(w, " ", "\n", "\t", " -- c\n", " "));
    }
}

static const char *name(struct writer *w)
{
    return PICK(w, "a", "host", "_x1", "\"a b\"", "\"select\"", "\"q\\\"\\\\\"", "\"\"", "a.b",
                "\"\xc3\xa9\"", "time", "a::float", "b::tag");
}

static void write_expr(struct writer *w, unsigned depth);

static void write_literal(struct writer *w)
{
    switch (rng_below(&w->rng, 6)) {
    case 0:
        bbi_buf_printf(&w->buf, "%lld", (long long)(int64_t)rng_u64(&w->rng));
        break;
    case 1:
        bbi_buf_printf(&w->buf, "%.6f", (double)(int64_t)rng_u64(&w->rng) / 1e6);
        break;
    case 2:
        put(w,
            PICK(w, "'x'", "''", "'it\\'s'", "'\\\\\\n\"'", "'2000-01-01'", "'\xf0\x9f\x98\x80'"));
        break;
    case 3:
        put(w, PICK(w, "true", "FALSE", "18446744073709551615", ".5", "1.", "0.1"));
        break;
    case 4:
        put(w, PICK(w, "1h", "90m", "1w2d", "1500u", "5\xc2\xb5", "-3ms", "0s"));
        break;
    default:
        put(w, name(w));
        break;
    }
}

/* A bare distinct takes no sign. */
static void write_call(struct writer *w, unsigned depth)
{
    if (rng_one_in(&w->rng, 4)) {
        bbi_buf_str(&w->buf, PICK(w, "-", "+"));
        bbi_buf_str(&w->buf, PICK(w, "mean", "\"my f\"", "\"distinct\""));
    } else {
        bbi_buf_str(&w->buf, PICK(w, "mean", "COUNT", "\"my f\"", "distinct", "now"));
    }
    bbi_buf_str(&w->buf, "(");
    for (uint64_t args = rng_below(&w->rng, 4); args > 0; args--) {
        if (rng_one_in(&w->rng, 4)) {
            bbi_buf_str(&w->buf, PICK(w, "/x/", "/a\\/b\\d/", "*", "*::field"));
        } else {
            write_expr(w, depth);
        }
        bbi_buf_str(&w->buf, args > 1 ? ", " : "");
    }
    bbi_buf_str(&w->buf, ")");
}

static void write_expr(struct writer *w, unsigned depth)
{
    uint64_t form = depth == 0 ? 0 : rng_below(&w->rng, 6);

    if (form <= 1) {
        write_literal(w);
    } else if (form == 2) {
        bbi_buf_str(&w->buf, PICK(w, "(", "-(", "+("));
        write_expr(w, depth - 1);
        bbi_buf_str(&w->buf, ")");
    } else if (form == 3) {
        write_call(w, depth - 1);
    } else {
        write_expr(w, depth - 1);
        bbi_buf_str(&w->buf, PICK(w, " + ", " - ", " * ", " / ", " % ", " & ", " | ", "^", "*"));
        bbi_buf_str(&w->buf, PICK(w, "", "", "", "-\"n\" * ", "- n - "));
        write_expr(w, depth - 1);
    }
}

static void write_condition(struct writer *w, unsigned depth)
{
    uint64_t form = depth == 0 ? 0 : rng_below(&w->rng, 4);

    if (form == 0) {
        write_expr(w, depth);
        bbi_buf_str(&w->buf, PICK(w, " = ", " != ", " <> ", " < ", " <= ", " > ", " >= "));
        write_expr(w, depth);
    } else if (form == 1) {
        put(w, name(w));
        bbi_buf_str(&w->buf, PICK(w, " =~ /x/", " !~ /a\\/b/", "=~/^(a|b)$/"));
    } else if (form == 2) {
        bbi_buf_str(&w->buf, "(");
        write_condition(w, depth - 1);
        bbi_buf_str(&w->buf, ")");
    } else {
        write_condition(w, depth - 1);
        for (uint64_t more = rng_below(&w->rng, 6); more > 0; more--) {
            bbi_buf_str(&w->buf, PICK(w, " AND ", " or "));
            write_condition(w, depth - 1);
        }
    }
}

static void write_select(struct writer *w, unsigned depth)
{
    bbi_buf_str(&w->buf, "SELECT ");
    for (uint64_t fields = rng_below(&w->rng, 3) + 1; fields > 0; fields--) {
        if (rng_one_in(&w->rng, 5)) {
            bbi_buf_str(&w->buf, PICK(w, "*", "*::tag", "DISTINCT \"a b\"", "/re/"));
        } else {
            write_expr(w, 3);
        }
        bbi_buf_str(&w->buf, PICK(w, "", " AS x", " as \"from\""));
        bbi_buf_str(&w->buf, fields > 1 ? ", " : "");
    }
    bbi_buf_str(&w->buf, PICK(w, "", "", " INTO a.b.:MEASUREMENT", " INTO \"x y\"", " INTO a..b"));
    bbi_buf_str(&w->buf, " FROM ");
    if (depth > 0 && rng_one_in(&w->rng, 3)) {
        bbi_buf_str(&w->buf, "(");
        write_select(w, depth - 1);
        bbi_buf_str(&w->buf, ")");
    } else {
        bbi_buf_str(&w->buf, PICK(w, "m", "d.p.m", "d..m, n", "/r/", "p./r\\//", "\"\""));
    }
    if (rng_one_in(&w->rng, 2)) {
        bbi_buf_str(&w->buf, " WHERE ");
        write_condition(w, 3);
    }
    bbi_buf_str(&w->buf, PICK(w, "", "", " GROUP BY time(1h, -5m), *", " GROUP BY host, /x/",
                              " GROUP BY time(1mo) fill(0)", " group by a fill(previous)"));
    bbi_buf_str(&w->buf, PICK(w, "", "", " ORDER BY time DESC", " ORDER BY ASC"));
    bbi_buf_str(&w->buf, PICK(w, "", " LIMIT 5", " LIMIT 5 OFFSET 6 SLIMIT 7 SOFFSET 8"));
    bbi_buf_str(&w->buf, PICK(w, "", "", " tz('Europe/Berlin')"));
    bbi_buf_str(&w->buf, PICK(w, "", "", " lookback(90m)"));
}

static struct bbi_ql_select *parse(const struct bbi_buf *text, struct bbi_arena *arena)
{
    struct bbi_ql_query *query;
    struct bb_error err;

    int rc = bbi_ql_parse((const char *)text->data, text->len, NULL, arena, &query, &err);
    if (rc != BB_OK) {
        fail_msg("%.*s\n%s", (int)text->len, (const char *)text->data, err.text);
    }
    assert_int_equal(query->statement_count, 1);
    return query->statements[0]->u.select;
}

static void expect_same(const struct bbi_ql_select *a, const struct bbi_ql_select *b)
{
    assert_int_equal(a->field_count, b->field_count);
    for (size_t i = 0; i < a->field_count; i++) {
        assert_true(bbi_ql_expr_equal(a->fields[i].expr, b->fields[i].expr));
    }
    assert_int_equal(a->condition == NULL, b->condition == NULL);
    assert_true(a->condition == NULL || bbi_ql_expr_equal(a->condition, b->condition));
    assert_int_equal(a->dimension_count, b->dimension_count);
    for (size_t i = 0; i < a->dimension_count; i++) {
        assert_true(bbi_ql_expr_equal(a->dimensions[i], b->dimensions[i]));
    }
    for (size_t i = 0; i < a->source_count; i++) {
        if (a->sources[i].subquery != NULL) {
            expect_same(a->sources[i].subquery, b->sources[i].subquery);
        }
    }
    assert_int_equal(a->is_raw, b->is_raw);
    assert_int_equal(a->limit, b->limit);
    assert_int_equal(a->soffset, b->soffset);
}

static void what_is_printed_parses_to_the_same(void **state)
{
    struct writer w = {.rng = rng_from_env()};
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct bbi_arena arena;
        struct bbi_buf printed[2];
        bbi_arena_init(&arena, NULL);
        bbi_buf_init(&w.buf, NULL, SIZE_MAX);
        write_select(&w, 2);
        const struct bbi_ql_select *first = parse(&w.buf, &arena);
        const struct bbi_ql_select *select = first;
        for (int i = 0; i < 2; i++) {
            struct bbi_ql_statement statement = {.kind = BBI_QL_SELECT};
            statement.u.select = (struct bbi_ql_select *)(uintptr_t)select;
            bbi_buf_init(&printed[i], NULL, SIZE_MAX);
            bbi_ql_format(&statement, &printed[i]);
            select = parse(&printed[i], &arena);
            expect_same(first, select);
        }
        assert_int_equal(printed[0].len, printed[1].len);
        assert_memory_equal(printed[0].data, printed[1].data, printed[0].len);
        bbi_buf_fini(&printed[0]);
        bbi_buf_fini(&printed[1]);
        bbi_buf_fini(&w.buf);
        bbi_arena_fini(&arena);
    }
}

static void names_are_quoted_where_they_must_be(void **state)
{
    static const struct {
        const char *name;
        const char *want;
    } cases[] = {
        {"a", "a"},
        {"_a1", "_a1"},
        {"1a", "\"1a\""},
        {"a b", "\"a b\""},
        {"", "\"\""},
        {"select", "\"select\""},
        {"SELECT", "\"SELECT\""},
        {"inf", "\"inf\""},
        {"selects", "selects"},
        {"a\"b", "\"a\\\"b\""},
        {"a\\b", "\"a\\\\b\""},
        {"a\nb", "\"a\\nb\""},
        {"\xc3\xa9", "\"\xc3\xa9\""},
        {"a.b", "\"a.b\""},
        {"it's", "\"it's\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bbi_buf buf;
        bbi_buf_init(&buf, NULL, 100);
        bbi_ql_format_name(cases[i].name, &buf);
        bbi_buf_u8(&buf, 0);
        assert_string_equal((const char *)buf.data, cases[i].want);
        bbi_buf_fini(&buf);
    }
}

static void a_full_buffer_is_told(void **state)
{
    static const char text[] = "SELECT mean(a) FROM m WHERE b = 'c'";
    struct bbi_arena arena;
    struct bbi_ql_query *query;
    struct bb_error err;
    (void)state;
    bbi_arena_init(&arena, NULL);
    assert_ok(bbi_ql_parse(text, sizeof(text) - 1, NULL, &arena, &query, &err), &err);
    for (size_t max = 0; max < sizeof(text) - 1; max++) {
        struct bbi_buf buf;
        bbi_buf_init(&buf, NULL, max);
        bbi_ql_format(query->statements[0], &buf);
        assert_int_equal(buf.err, BB_ELIMIT);
        bbi_buf_fini(&buf);
    }
    bbi_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_parses_to_the_same),
        cmocka_unit_test(names_are_quoted_where_they_must_be),
        cmocka_unit_test(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
