/*
 * The formats for programs: csv, json and line protocol.
 */
#include <stdlib.h>
#include <string.h>

#include "client/shell.h"
#include "client/shell_schema.h"
#include "client/shell_term.h"

#define LINE_MAX_ ((size_t)256 << 20)

/* What csv and json know of the running series. */
struct rows {
    struct shell *shell;
    struct text prefix; /* csv: name and tags of each row */
    struct text line;
    struct text columns; /* csv: the head that was printed last */
    bool any;
    bool statement, series, row; /* json: what is open */
    struct bbsh_schema *schema;  /* line */
    struct text names;           /* line: columns, each with a zero behind */
};

static void *rows_open(struct shell *shell, const char *argument)
{
    (void)argument;
    struct rows *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->shell = shell;
    text_init(&r->prefix, LINE_MAX_);
    text_init(&r->line, LINE_MAX_);
    text_init(&r->columns, LINE_MAX_);
    text_init(&r->names, LINE_MAX_);
    return r;
}

static void rows_free(struct rows *r)
{
    text_fini(&r->prefix);
    text_fini(&r->line);
    text_fini(&r->columns);
    text_fini(&r->names);
    bbsh_schema_destroy(&r->schema);
    free(r);
}

static int print_line(struct rows *r)
{
    bool bad = r->line.failed || r->prefix.failed;
    fwrite(text_get(&r->line), 1, r->line.len, r->shell->out);
    text_clear(&r->line);
    return bad || ferror(r->shell->out) ? -1 : 0;
}

/* RFC 4180: quoted where it must be. */
static void put_csv(struct text *t, const char *s, size_t n)
{
    bool plain = true;
    for (size_t i = 0; i < n && plain; i++)
        plain = s[i] != '"' && s[i] != ',' && s[i] != '\n' && s[i] != '\r';
    if (plain) {
        text_put(t, s, n);
        return;
    }
    text_putc(t, '"');
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"')
            text_putc(t, '"');
        text_putc(t, s[i]);
    }
    text_putc(t, '"');
}

static int csv_series(void *state, const struct bb_client_series *series)
{
    struct rows *r = state;
    text_clear(&r->prefix);
    put_csv(&r->prefix, series->name, strlen(series->name));
    text_puts(&r->line, "name");
    for (size_t i = 0; i < series->tag_count; i++) {
        text_putc(&r->prefix, ',');
        put_csv(&r->prefix, series->tag_values[i], strlen(series->tag_values[i]));
        text_putc(&r->line, ',');
        put_csv(&r->line, series->tag_keys[i], strlen(series->tag_keys[i]));
    }
    for (size_t i = 0; i < series->column_count; i++) {
        text_putc(&r->line, ',');
        put_csv(&r->line, series->columns[i], strlen(series->columns[i]));
    }
    text_puts(&r->line, "\r\n");
    /* Series of one shape share a head; another head begins behind an empty line. */
    bool same = r->any && strcmp(text_get(&r->line), text_get(&r->columns)) == 0;
    if (same) {
        text_clear(&r->line);
        return 0;
    }
    if (r->any)
        fputs("\r\n", r->shell->out);
    r->any = true;
    text_clear(&r->columns);
    text_puts(&r->columns, text_get(&r->line));
    return print_line(r);
}

static int csv_row(void *state, const struct bb_client_cell *cells, size_t n)
{
    struct rows *r = state;
    text_puts(&r->line, text_get(&r->prefix));
    for (size_t i = 0; i < n; i++) {
        text_putc(&r->line, ',');
        if (cells[i].kind != BB_CLIENT_CELL_TIME ||
            !bbsh_put_cell_time(r->shell, &r->line, &cells[i]))
            put_csv(&r->line, cells[i].text, cells[i].len);
    }
    text_puts(&r->line, "\r\n");
    return print_line(r);
}

static void csv_close(void *state, bool complete)
{
    (void)complete;
    rows_free(state);
}

const struct bbsh_output bbsh_csv = {
    .name = "csv",
    .open = rows_open,
    .series = csv_series,
    .row = csv_row,
    .close = csv_close,
};

static void put_json(struct text *t, const char *s, size_t n)
{
    text_putc(t, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\') {
            text_putc(t, '\\');
            text_putc(t, (char)c);
        } else if (c == '\n') {
            text_puts(t, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            text_printf(t, "\\u%04x", (unsigned)c);
        } else {
            text_putc(t, (char)c);
        }
    }
    text_putc(t, '"');
}

static void close_series(struct rows *r)
{
    if (r->series)
        text_puts(&r->line, "]}");
    r->series = false;
}

static void close_statement(struct rows *r)
{
    if (!r->statement)
        return;
    bool series = r->series;
    close_series(r);
    text_puts(&r->line, series ? "]}" : "}");
    r->statement = false;
}

static void *json_open(struct shell *shell, const char *argument)
{
    struct rows *r = rows_open(shell, argument);
    if (r != NULL)
        fputs("{\"results\":[", shell->out);
    return r;
}

static int json_statement(void *state, unsigned statement)
{
    struct rows *r = state;
    close_statement(r);
    text_printf(&r->line, "%s{\"statement_id\":%u", r->any ? "," : "", statement);
    r->any = r->statement = true;
    return print_line(r);
}

static void put_list(struct text *t, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            text_putc(t, ',');
        put_json(t, list[i], strlen(list[i]));
    }
}

static int json_series(void *state, const struct bb_client_series *series)
{
    struct rows *r = state;
    if (series->continued && r->series)
        return 0;
    text_puts(&r->line, r->series ? "]},{" : ",\"series\":[{");
    if (series->name[0] != '\0') {
        text_puts(&r->line, "\"name\":");
        put_json(&r->line, series->name, strlen(series->name));
        text_putc(&r->line, ',');
    }
    if (series->tag_count > 0)
        text_puts(&r->line, "\"tags\":{");
    for (size_t i = 0; i < series->tag_count; i++) {
        if (i > 0)
            text_putc(&r->line, ',');
        put_list(&r->line, &series->tag_keys[i], 1);
        text_putc(&r->line, ':');
        put_list(&r->line, &series->tag_values[i], 1);
    }
    if (series->tag_count > 0)
        text_puts(&r->line, "},");
    text_puts(&r->line, "\"columns\":[");
    put_list(&r->line, series->columns, series->column_count);
    text_puts(&r->line, "],\"values\":[");
    r->series = true;
    r->row = false;
    return print_line(r);
}

/** "[a b]" as ["a","b"]. A URL has no blank in it, or should not. */
static void put_json_list(struct text *t, const struct bb_client_cell *c)
{
    const char *at = c->text + 1, *end = c->text + c->len - 1;
    text_putc(t, '[');
    while (at < end) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank == NULL ? end : blank;
        if (at > c->text + 1)
            text_putc(t, ',');
        put_json(t, at, (size_t)(stop - at));
        at = stop + 1;
    }
    text_putc(t, ']');
}

static int json_row(void *state, const struct bb_client_cell *cells, size_t n)
{
    struct rows *r = state;
    text_puts(&r->line, r->row ? ",[" : "[");
    r->row = true;
    for (size_t i = 0; i < n; i++) {
        const struct bb_client_cell *c = &cells[i];
        if (i > 0)
            text_putc(&r->line, ',');
        bool quoted = c->kind == BB_CLIENT_CELL_TIME && r->shell->epoch == NULL;
        if (quoted)
            text_putc(&r->line, '"');
        if (c->kind == BB_CLIENT_CELL_TIME && bbsh_put_cell_time(r->shell, &r->line, c))
            text_puts(&r->line, quoted ? "\"" : "");
        else if (c->kind == BB_CLIENT_CELL_STRING)
            put_json(&r->line, c->text, c->len);
        else if (c->kind == BB_CLIENT_CELL_LIST)
            put_json_list(&r->line, c);
        else
            text_puts(&r->line, c->kind == BB_CLIENT_CELL_NULL ? "null" : c->text);
    }
    text_putc(&r->line, ']');
    return print_line(r);
}

static int json_failed(void *state, unsigned statement, const char *text)
{
    struct rows *r = state;
    (void)statement;
    bool series = r->series;
    close_series(r);
    text_puts(&r->line, series ? "],\"error\":" : ",\"error\":");
    put_json(&r->line, text, strlen(text));
    return print_line(r);
}

static void json_close(void *state, bool complete)
{
    struct rows *r = state;
    (void)complete;
    close_statement(r);
    text_puts(&r->line, "]}\n");
    print_line(r);
    rows_free(r);
}

const struct bbsh_output bbsh_json = {
    .name = "json",
    .open = json_open,
    .statement = json_statement,
    .series = json_series,
    .row = json_row,
    .failed = json_failed,
    .close = json_close,
};

/* Line protocol. A reply tells neither integers from floats nor tags from strings: the schema,
 * asked from the server, does. */

static void put_key(struct text *t, const char *s, size_t n, const char *special)
{
    for (size_t i = 0; i < n; i++) {
        if (strchr(special, s[i]) != NULL && s[i] != '\0')
            text_putc(t, '\\');
        text_putc(t, s[i]);
    }
}

static int line_series(void *state, const struct bb_client_series *series)
{
    struct rows *r = state;
    text_clear(&r->prefix);
    text_clear(&r->names);
    put_key(&r->prefix, series->name, strlen(series->name), ", ");
    for (size_t i = 0; i < series->tag_count; i++) {
        if (series->tag_values[i][0] == '\0')
            continue;
        text_putc(&r->prefix, ',');
        put_key(&r->prefix, series->tag_keys[i], strlen(series->tag_keys[i]), ", =");
        text_putc(&r->prefix, '=');
        put_key(&r->prefix, series->tag_values[i], strlen(series->tag_values[i]), ", =");
    }
    for (size_t i = 0; i < series->column_count; i++)
        text_put(&r->names, series->columns[i], strlen(series->columns[i]) + 1);
    if (series->column_count == 0 || strcmp(series->columns[0], "time") != 0) {
        bbsh_complain(r->shell, BBSH_EXIT_FAILED,
                      "only rows with a time can be line protocol; this result has none");
        return -1;
    }
    if (r->schema == NULL || strcmp(bbsh_schema_measurement(r->schema), series->name) != 0) {
        bbsh_schema_destroy(&r->schema);
        r->schema = bbsh_schema_create(r->shell, series->name);
    }
    return r->names.failed || r->schema == NULL ? -1 : 0;
}

static void put_value(struct text *t, const struct bb_client_cell *c, int type)
{
    if (c->kind != BB_CLIENT_CELL_STRING) {
        text_put(t, c->text, c->len);
        if (c->kind == BB_CLIENT_CELL_NUMBER && type == BBSH_INTEGER)
            text_putc(t, 'i');
        if (c->kind == BB_CLIENT_CELL_NUMBER && type == BBSH_UNSIGNED)
            text_putc(t, 'u');
        return;
    }
    text_putc(t, '"');
    put_key(t, c->text, c->len, "\"\\");
    text_putc(t, '"');
}

static int line_row(void *state, const struct bb_client_cell *cells, size_t n)
{
    struct rows *r = state;
    struct text fields;
    text_init(&fields, LINE_MAX_);
    text_put(&r->line, text_get(&r->prefix), r->prefix.len);
    const char *name = text_get(&r->names);
    for (size_t i = 0; i < n; i++, name += strlen(name) + 1) {
        if (i == 0 || cells[i].kind == BB_CLIENT_CELL_NULL)
            continue;
        int type = bbsh_schema_type(r->schema, name);
        if (type == BBSH_TAG && cells[i].len == 0)
            continue;
        struct text *to = type == BBSH_TAG ? &r->line : &fields;
        if (type == BBSH_TAG || fields.len > 0)
            text_putc(to, ',');
        put_key(to, name, strlen(name), ", =");
        text_putc(to, '=');
        if (type == BBSH_TAG)
            put_key(to, cells[i].text, cells[i].len, ", =");
        else
            put_value(to, &cells[i], type);
    }
    int rc = 0;
    if (fields.len > 0) {
        text_putc(&r->line, ' ');
        text_put(&r->line, fields.data, fields.len);
        text_printf(&r->line, " %s\n", cells[0].text);
        rc = fields.failed ? -1 : print_line(r);
    }
    text_clear(&r->line);
    text_fini(&fields);
    return rc;
}

const struct bbsh_output bbsh_line = {
    .name = "line",
    .open = rows_open,
    .series = line_series,
    .row = line_row,
    .close = csv_close,
};
