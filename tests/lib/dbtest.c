#include "tests/lib/dbtest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ANSWER_MAX (64u << 20)

static void must(int rc, const struct bb_error *err)
{
    if (rc != BB_OK) {
        fail_msg("%s", err->text);
    }
}

static void open_again(struct dbtest *t)
{
    struct bb_error err;
    must(bb_db_open(t->dir, &t->options, &t->db, &err), &err);
}

void dbtest_open(struct dbtest *t)
{
    memset(t, 0, sizeof(*t));
    (void)snprintf(t->dir, sizeof(t->dir), "/tmp/busbar-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    bb_options_init(&t->options);
    t->options.manual_background = true;
    t->options.memory_bytes = UINT64_C(1) << 30;
    t->options.query_threads = 2;
    open_again(t);
    dbtest_run(t, "CREATE DATABASE t");
}

void dbtest_crash(struct dbtest *t)
{
    bbi_db_abandon(&t->db);
    open_again(t);
}

void dbtest_reopen(struct dbtest *t)
{
    struct bb_error err;
    must(bb_db_close(&t->db, &err), &err);
    open_again(t);
}

void dbtest_close(struct dbtest *t)
{
    char command[256];
    struct bb_error err;
    must(bb_db_close(&t->db, &err), &err);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", t->dir);
    assert_int_equal(system(command), 0);
}

static void refuse(void *arg, uint64_t line_number, const char *line, size_t line_length, int code,
                   const char *reason)
{
    (void)arg;
    (void)code;
    fail_msg("line %" PRIu64 " '%.*s': %s", line_number, (int)line_length, line, reason);
}

static void write_part(struct dbtest *t, const char *lines, size_t length)
{
    struct bb_error err;
    struct bb_write_result result;
    struct bb_write write = {.database = "t",
                             .precision_ns = 1,
                             .lines = lines,
                             .lines_length = length,
                             .reject = refuse};
    must(bb_write(t->db, &write, &result, &err), &err);
}

void dbtest_write(struct dbtest *t, const char *lines)
{
    write_part(t, lines, strlen(lines));
}

void dbtest_flush(struct dbtest *t)
{
    struct bb_error err;
    must(bb_flush(t->db, &err), &err);
}

void dbtest_compact(struct dbtest *t)
{
    struct bb_error err;
    must(bb_compact(t->db, true, &err), &err);
}

static void lose_catalog(struct dbtest *t)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/catalog.mdb", t->dir);
    dbtest_reopen(t);
    bbi_db_abandon(&t->db);
    assert_int_equal(unlink(path), 0);
    dbtest_crash(t);
}

void dbtest_happen(struct dbtest *t, enum dbtest_event event)
{
    switch (event) {
    case DBTEST_FLUSH:
        dbtest_flush(t);
        break;
    case DBTEST_CRASH:
        dbtest_crash(t);
        break;
    case DBTEST_FLUSH_CRASH:
        dbtest_flush(t);
        dbtest_crash(t);
        break;
    case DBTEST_COMPACT:
        dbtest_flush(t);
        dbtest_compact(t);
        break;
    case DBTEST_REOPEN:
        dbtest_reopen(t);
        break;
    case DBTEST_REBUILD:
        lose_catalog(t);
        break;
    case DBTEST_NOTHING:
    case DBTEST_EVENTS:
        break;
    }
}

/* ---- answers as text ---- */

struct answer {
    struct bbi_buf *out;
    struct bbi_buf head;
    char columns[64][64];
    size_t column_count;
    bool failed;
};

static int on_begin(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return 0;
}

static int on_series(void *arg, const struct bb_series *series)
{
    struct answer *a = arg;
    bbi_buf_reset(&a->head);
    bbi_buf_printf(&a->head, "%s", series->name == NULL ? "" : series->name);
    if (series->tag_count != 0) {
        bbi_buf_str(&a->head, "{");
        for (size_t i = 0; i < series->tag_count; i++) {
            bbi_buf_printf(&a->head, "%s%s=%s", i == 0 ? "" : ",", series->tag_keys[i],
                           series->tag_values[i]);
        }
        bbi_buf_str(&a->head, "}");
    }
    assert_true(series->column_count <= 64);
    a->column_count = series->column_count;
    for (size_t i = 0; i < series->column_count; i++) {
        (void)snprintf(a->columns[i], sizeof(a->columns[i]), "%s", series->columns[i]);
    }
    return 0;
}

static void put_value(struct bbi_buf *out, const struct bb_value *v)
{
    switch (v->kind) {
    case BB_VALUE_NULL:
        bbi_buf_str(out, "null");
        break;
    case BB_VALUE_FLOAT:
        bbi_buf_printf(out, "%.17g", v->v.f);
        break;
    case BB_VALUE_INT:
        bbi_buf_printf(out, "%" PRId64 "i", v->v.i);
        break;
    case BB_VALUE_UINT:
        bbi_buf_printf(out, "%" PRIu64 "u", v->v.u);
        break;
    case BB_VALUE_BOOL:
        bbi_buf_str(out, v->v.b ? "true" : "false");
        break;
    case BB_VALUE_STRING:
        bbi_buf_printf(out, "\"%.*s\"", (int)v->length, v->v.str);
        break;
    case BB_VALUE_TIME:
        bbi_buf_printf(out, "%" PRId64, v->v.time_ns);
        break;
    case BB_VALUE_STRINGS:
        for (uint32_t i = 0; i < v->length; i++) {
            bbi_buf_printf(out, "%s%s", i == 0 ? "[" : " ", v->v.strings[i]);
        }
        bbi_buf_str(out, "]");
        break;
    }
}

static int on_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct answer *a = arg;
    for (size_t r = 0; r < row_count; r++) {
        bbi_buf_put(a->out, a->head.data, a->head.len);
        bbi_buf_str(a->out, ":");
        for (size_t k = 0; k < a->column_count; k++) {
            bbi_buf_printf(a->out, " %s=", a->columns[k]);
            put_value(a->out, &values[r * a->column_count + k]);
        }
        bbi_buf_str(a->out, "\n");
    }
    return 0;
}

static int on_end(void *arg, const struct bb_error *err)
{
    struct answer *a = arg;
    if (err != NULL && err->code != BB_OK) {
        bbi_buf_printf(a->out, "error: %s\n", err->text);
        a->failed = true;
    }
    return 0;
}

static bool run(struct dbtest *t, const char *text, struct bbi_buf *out)
{
    struct bb_error err;
    struct answer a = {.out = out};
    struct bb_sink sink = {.arg = &a,
                           .statement_begin = on_begin,
                           .series = on_series,
                           .rows = on_rows,
                           .statement_end = on_end};
    struct bb_query query = {.database = "t",
                             .text = text,
                             .text_length = strlen(text),
                             .params = t->params,
                             .param_count = t->param_count};
    bbi_buf_init(&a.head, NULL, ANSWER_MAX);
    if (bb_query(t->db, &query, &sink, &err) != BB_OK) {
        bbi_buf_printf(out, "error: %s\n", err.text);
        a.failed = true;
    }
    bbi_buf_fini(&a.head);
    assert_int_equal(out->err, BB_OK);
    return !a.failed;
}

void dbtest_query(struct dbtest *t, const char *text, struct bbi_buf *out)
{
    (void)run(t, text, out);
    bbi_buf_u8(out, 0);
    out->len--;
}

void dbtest_run(struct dbtest *t, const char *text)
{
    struct bbi_buf out;
    bbi_buf_init(&out, NULL, ANSWER_MAX);
    bool ok = run(t, text, &out);
    bbi_buf_u8(&out, 0);
    if (!ok) {
        fail_msg("%s: %s", text, (const char *)out.data);
    }
    bbi_buf_fini(&out);
}

void dbtest_expect(struct dbtest *t, const char *text, const char *answer)
{
    struct bbi_buf out;
    bbi_buf_init(&out, NULL, ANSWER_MAX);
    dbtest_query(t, text, &out);
    if (strcmp((const char *)out.data, answer) != 0) {
        fail_msg("%s\nexpected:\n%s\ngot:\n%s", text, answer, (const char *)out.data);
    }
    bbi_buf_fini(&out);
}

void dbtest_ask(struct dbtest *t, const struct dbtest_question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dbtest_expect(t, questions[i].text, questions[i].answer);
    }
}

/* ---- states ---- */

const char dbtest_small_lines[] = "m,h=a,r=x v=1.5,i=1i 1000000000000\n"
                                  "m,h=a,r=x v=2.5,i=2i,s=\"q\" 1060000000000\n"
                                  "m,h=b,r=x v=3,b=true 1060000000000\n"
                                  "m,h=b,r=y v=-1,i=4i 1120000000000\n"
                                  "m v=7 1120000000000\n"
                                  "m,h=c i=9i 1300000000000\n"
                                  "n,h=a w=1 1000000000000\n"
                                  "n,h=b w=2 1000000000000\n"
                                  "t,h=a v=1 0\n"
                                  "t,h=a v=2 60000000000\n"
                                  "t,h=a v=4 240000000000\n"
                                  "t,h=b v=10 120000000000\n"
                                  "t,h=b v=20 300000000000\n";

const char *dbtest_state_name(enum dbtest_state state)
{
    static const char *const names[] = {"memtable", "flushed", "compacted", "mixed"};
    return names[state];
}

/* The end of the part that begins at lines and has about `length` bytes, behind a newline. */
static size_t part_length(const char *lines, size_t length)
{
    const char *newline = strchr(lines + length, '\n');
    return newline == NULL ? strlen(lines) : (size_t)(newline - lines) + 1;
}

/* Other values at the same places: in lines without strings, a first digit 1..8 of a field becomes
 * the next one. */
static char *spoil(const char *lines, size_t length)
{
    char *copy = strndup(lines, length);
    assert_non_null(copy);
    for (char *line = copy; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        size_t n = end == NULL ? strlen(line) : (size_t)(end - line);
        char *fields = memchr(line, ' ', n);
        if (fields != NULL && memchr(line, '"', n) == NULL && memchr(line, '\\', n) == NULL) {
            for (char *p = fields; p + 1 < line + n; p++) {
                p[1] = (char)(p[1] + (*p == '=' && p[1] >= '1' && p[1] <= '8'));
            }
        }
        line = end == NULL ? NULL : end + 1;
    }
    return copy;
}

static void load_mixed(struct dbtest *t, const char *lines)
{
    size_t total = strlen(lines);
    size_t first = total == 0 ? 0 : part_length(lines, total / 3);
    size_t second = first == total ? total
                                   : first + part_length(lines + first, (total - first) / 2);
    char *other = spoil(lines, first + second);
    dbtest_write(t, "dbtest_gone,x=1 v=1 1\ndbtest_gone,x=1 v=2 2\n");
    dbtest_write(t, other);
    free(other);
    write_part(t, lines, first);
    dbtest_flush(t);
    dbtest_run(t, "DELETE FROM dbtest_gone");
    write_part(t, lines, second);
    dbtest_write(t, "dbtest_gone,x=1 v=3 3\n");
    dbtest_flush(t);
    dbtest_run(t, "DELETE FROM dbtest_gone WHERE time <= 3");
    write_part(t, lines + first, total - first);
}

void dbtest_load(struct dbtest *t, enum dbtest_state state, const char *lines)
{
    if (state == DBTEST_MIXED) {
        load_mixed(t, lines);
        return;
    }
    if (state == DBTEST_COMPACTED) {
        size_t half = part_length(lines, strlen(lines) / 2);
        write_part(t, lines, half);
        dbtest_flush(t);
        write_part(t, lines + half, strlen(lines) - half);
    } else {
        dbtest_write(t, lines);
    }
    if (state != DBTEST_MEMTABLE) {
        dbtest_flush(t);
    }
    if (state == DBTEST_COMPACTED) {
        dbtest_compact(t);
    }
}

void dbtest_ask_all(const char *lines, const struct dbtest_question *questions, size_t count)
{
    for (int state = 0; state < DBTEST_STATES; state++) {
        struct dbtest t;
        print_message("%s\n", dbtest_state_name((enum dbtest_state)state));
        dbtest_open(&t);
        dbtest_load(&t, (enum dbtest_state)state, lines);
        dbtest_ask(&t, questions, count);
        dbtest_close(&t);
    }
}
