#include "client/export_rows.h"

#include <stdlib.h>
#include <string.h>

#include "client/import_escape.h"

void export_rows_init(struct export_rows *r, const struct export_format *format,
                      struct export_out *out)
{
    *r = (struct export_rows){.format = format, .out = out};
}

static void free_columns(struct export_rows *r)
{
    for (size_t i = 0; i < r->column_count && r->names != NULL; i++)
        import_buf_fini(&r->names[i]);
    free(r->names);
    free(r->types);
    r->names = NULL;
    r->types = NULL;
    r->column_count = 0;
}

void export_rows_fini(struct export_rows *r)
{
    free_columns(r);
    import_buf_fini(&r->prefix);
    import_buf_fini(&r->row);
}

/** A cell of CSV: in quotes where it must be, or where nothing would mean a missing value. */
static void add_cell(struct import_buf *out, char delimiter, const char *text, size_t len)
{
    bool quote = len == 0 || text[0] == ' ' || text[len - 1] == ' ' || text[0] == '#';
    for (size_t i = 0; i < len && !quote; i++)
        quote = text[i] == delimiter || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
    if (!quote) {
        import_buf_add(out, text, len);
        return;
    }
    import_buf_add_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            import_buf_add_char(out, '"');
        import_buf_add_char(out, text[i]);
    }
    import_buf_add_char(out, '"');
}

bool export_rows_header(struct export_rows *r)
{
    const struct export_format *f = r->format;
    r->row.len = 0;
    for (size_t i = 0; i < f->tag_count; i++) {
        add_cell(&r->row, f->delimiter, f->tags[i], strlen(f->tags[i]));
        import_buf_add_char(&r->row, f->delimiter);
    }
    add_cell(&r->row, f->delimiter, f->time_column, strlen(f->time_column));
    for (size_t i = 0; i < f->field_count; i++) {
        import_buf_add_char(&r->row, f->delimiter);
        add_cell(&r->row, f->delimiter, f->fields[i].name, strlen(f->fields[i].name));
    }
    import_buf_add_char(&r->row, '\n');
    return !r->row.failed && export_out_put(r->out, r->row.data, r->row.len);
}

/** The result's columns must be the fields that were asked for: their types are known by name. */
static bool learn_columns(struct export_rows *r, const struct bb_client_series *s)
{
    const struct export_format *f = r->format;
    free_columns(r);
    r->names = calloc(s->column_count, sizeof(*r->names));
    r->types = calloc(s->column_count, sizeof(*r->types));
    if (r->names == NULL || r->types == NULL)
        return false;
    r->column_count = s->column_count;
    if (s->column_count != f->field_count + 1) {
        r->error = "the answer has other columns than the fields asked for";
        return false;
    }
    for (size_t i = 0; i < f->field_count; i++) {
        if (strcmp(s->columns[i + 1], f->fields[i].name) != 0) {
            r->error = "the answer has other columns than the fields asked for";
            return false;
        }
        r->types[i + 1] = f->fields[i].type;
        escape_add(&r->names[i + 1], ESCAPE_FIELD, f->fields[i].name, strlen(f->fields[i].name));
        import_buf_add_char(&r->names[i + 1], '=');
    }
    return true;
}

static const char *tag_value(const struct bb_client_series *s, const char *key)
{
    for (size_t i = 0; i < s->tag_count; i++) {
        if (strcmp(s->tag_keys[i], key) == 0)
            return s->tag_values[i];
    }
    return "";
}

bool export_rows_series(struct export_rows *r, const struct bb_client_series *s)
{
    const struct export_format *f = r->format;
    if (s->continued)
        return true;
    r->prefix.len = 0;
    if (!learn_columns(r, s))
        return false;
    if (f->lines)
        escape_add(&r->prefix, ESCAPE_MEASUREMENT, s->name, strlen(s->name));
    for (size_t i = 0; f->lines && i < s->tag_count; i++) {
        if (*s->tag_values[i] == '\0')
            continue;
        import_buf_add_char(&r->prefix, ',');
        escape_add(&r->prefix, ESCAPE_TAG, s->tag_keys[i], strlen(s->tag_keys[i]));
        import_buf_add_char(&r->prefix, '=');
        escape_add(&r->prefix, ESCAPE_TAG, s->tag_values[i], strlen(s->tag_values[i]));
    }
    for (size_t i = 0; !f->lines && i < f->tag_count; i++) {
        const char *value = tag_value(s, f->tags[i]);
        if (*value != '\0')
            add_cell(&r->prefix, f->delimiter, value, strlen(value));
        import_buf_add_char(&r->prefix, f->delimiter);
    }
    return !r->prefix.failed;
}

static void add_line_value(struct import_buf *out, enum export_type type,
                           const struct bb_client_cell *cell)
{
    if (type == EXPORT_STRING) {
        import_buf_add_char(out, '"');
        escape_add(out, ESCAPE_STRING, cell->text, cell->len);
        import_buf_add_char(out, '"');
        return;
    }
    import_buf_add(out, cell->text, cell->len);
    if (type == EXPORT_INTEGER)
        import_buf_add_char(out, 'i');
    else if (type == EXPORT_UNSIGNED)
        import_buf_add_char(out, 'u');
}

static bool add_line(struct export_rows *r, const struct bb_client_cell *cells, size_t n)
{
    bool any = false;
    for (size_t i = 1; i < n; i++) {
        if (cells[i].kind == BB_CLIENT_CELL_NULL)
            continue;
        import_buf_add_char(&r->row, any ? ',' : ' ');
        import_buf_add(&r->row, r->names[i].data, r->names[i].len);
        add_line_value(&r->row, r->types[i], &cells[i]);
        any = true;
    }
    import_buf_add_char(&r->row, ' ');
    import_buf_add(&r->row, cells[0].text, cells[0].len);
    return any;
}

static void add_csv(struct export_rows *r, const struct bb_client_cell *cells, size_t n)
{
    import_buf_add(&r->row, cells[0].text, cells[0].len);
    for (size_t i = 1; i < n; i++) {
        import_buf_add_char(&r->row, r->format->delimiter);
        if (cells[i].kind == BB_CLIENT_CELL_NULL)
            continue;
        if (r->types[i] == EXPORT_STRING)
            add_cell(&r->row, r->format->delimiter, cells[i].text, cells[i].len);
        else
            import_buf_add(&r->row, cells[i].text, cells[i].len);
    }
}

bool export_rows_add(struct export_rows *r, const struct bb_client_cell *cells, size_t n)
{
    if (n != r->column_count) {
        r->error = "a row of the answer has other columns than its series";
        return false;
    }
    r->row.len = 0;
    import_buf_add(&r->row, r->prefix.data, r->prefix.len);
    if (!r->format->lines)
        add_csv(r, cells, n);
    else if (!add_line(r, cells, n))
        return true;
    import_buf_add_char(&r->row, '\n');
    r->rows++;
    return !r->row.failed && export_out_put(r->out, r->row.data, r->row.len);
}
