/*
 * A table of each series, or, where tags are columns, of all series of one shape that follow each
 * other. The first rows are gathered to see how wide the columns are; then they
 * are printed, and further rows stream in those widths.
 */
#include <stdlib.h>
#include <string.h>

#include "client/shell.h"
#include "client/shell_term.h"
#include "client/shell_text.h"

#define HEAD_ROWS  1000
#define HEAD_BYTES ((size_t)8 << 20)
#define LINE_MAX_  ((size_t)64 << 20)
#define GAP        2 /* columns between columns */
#define NARROWEST  6 /* no column is cut below this */

struct column {
    size_t width;
    bool numbers; /* right-aligned: none of the gathered cells is a text */
    bool any;
};

struct cell_at {
    size_t at, len;
};

struct table {
    struct shell *shell;
    struct text head;  /* names of the series and its columns, safe */
    struct text bytes; /* of gathered cells, safe */
    struct text cells; /* of struct cell_at; the columns' names come first */
    struct text line;
    struct column *columns;
    size_t column_count; /* those of tags too */
    size_t tag_count;    /* of them; 0 where tags stand in the head */
    struct text tags;    /* values of the running series, each with a zero behind */
    struct text shape;   /* names of measurement, tags and columns, likewise */
    struct text next_shape;
    size_t gathered; /* rows */
    bool printed;    /* gathering is over */
    bool open;       /* a series is */
    uint64_t rows, series_count;
};

static void *table_open(struct shell *shell, const char *argument)
{
    (void)argument;
    struct table *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->shell = shell;
    text_init(&t->head, LINE_MAX_);
    text_init(&t->bytes, LINE_MAX_);
    text_init(&t->cells, LINE_MAX_);
    text_init(&t->line, LINE_MAX_);
    text_init(&t->tags, LINE_MAX_);
    text_init(&t->shape, LINE_MAX_);
    text_init(&t->next_shape, LINE_MAX_);
    return t;
}

static void add(struct table *t, size_t column, const char *s, size_t n, bool is_text)
{
    struct cell_at cell = {t->bytes.len, 0};
    bbsh_put_safe(&t->bytes, s, n);
    cell.len = t->bytes.len - cell.at;
    text_put(&t->cells, &cell, sizeof(cell));
    if (t->printed)
        return; /* the columns stay as they are */
    struct column *c = &t->columns[column];
    size_t width = bbsh_width(text_get(&t->bytes) + cell.at, cell.len);
    if (width > c->width)
        c->width = width;
    if (is_text)
        c->numbers = false;
}

/* Take from the widest column until the line fits. */
static void fit(struct table *t, size_t wanted)
{
    size_t total = GAP * (t->column_count - 1);
    for (size_t i = 0; i < t->column_count; i++)
        total += t->columns[i].width;
    while (total > wanted) {
        size_t widest = 0;
        for (size_t i = 1; i < t->column_count; i++)
            if (t->columns[i].width > t->columns[widest].width)
                widest = i;
        if (t->columns[widest].width <= NARROWEST)
            return;
        t->columns[widest].width--;
        total--;
    }
}

static void end_line(struct table *t)
{
    struct text *line = &t->line;
    while (line->len > 0 && line->data[line->len - 1] == ' ')
        line->len--;
    text_putc(line, '\n');
    fwrite(text_get(line), 1, line->len, t->shell->out);
    text_clear(line);
}

static void print_gathered(struct table *t, size_t first_cell)
{
    for (size_t i = 0; i < t->column_count; i++) {
        struct cell_at cell;
        memcpy(&cell, t->cells.data + (first_cell + i) * sizeof(cell), sizeof(cell));
        if (i > 0)
            text_puts(&t->line, "  ");
        bbsh_put_fitted(&t->line, text_get(&t->bytes) + cell.at, cell.len, t->columns[i].width,
                        t->columns[i].numbers, t->shell->utf8);
    }
    end_line(t);
}

static void print_rule(struct table *t)
{
    for (size_t i = 0; i < t->column_count; i++) {
        if (i > 0)
            text_puts(&t->line, "  ");
        for (size_t k = 0; k < t->columns[i].width; k++)
            text_puts(&t->line, t->shell->utf8 ? "\u2500" : "-");
    }
    end_line(t);
}

static void print_head(struct table *t)
{
    if (t->printed)
        return;
    t->printed = true;
    unsigned width = bbsh_term_width(t->shell);
    if (width > 0)
        fit(t, width);
    if (t->series_count > 1)
        fputc('\n', t->shell->out);
    fwrite(text_get(&t->head), 1, t->head.len, t->shell->out);
    print_gathered(t, 0);
    print_rule(t);
    for (size_t row = 1; row <= t->gathered; row++)
        print_gathered(t, row * t->column_count);
    text_clear(&t->bytes);
    text_clear(&t->cells);
}

static void put_head(struct table *t, const struct bb_client_series *series)
{
    text_clear(&t->head);
    if (series->name[0] == '\0' && (series->tag_count == 0 || t->tag_count > 0))
        return;
    const char *bold = t->shell->color ? "\033[1m" : "", *off = t->shell->color ? "\033[0m" : "";
    text_puts(&t->head, bold);
    bbsh_put_safe(&t->head, series->name, strlen(series->name));
    text_puts(&t->head, off);
    for (size_t i = 0; i < series->tag_count && t->tag_count == 0; i++) {
        text_puts(&t->head, i == 0 ? "  " : ", ");
        bbsh_put_safe(&t->head, series->tag_keys[i], strlen(series->tag_keys[i]));
        text_putc(&t->head, '=');
        bbsh_put_safe(&t->head, series->tag_values[i], strlen(series->tag_values[i]));
    }
    text_putc(&t->head, '\n');
}

static void put_shape(struct text *shape, const struct bb_client_series *series)
{
    text_clear(shape);
    text_put(shape, series->name, strlen(series->name) + 1);
    for (size_t i = 0; i < series->tag_count; i++)
        text_put(shape, series->tag_keys[i], strlen(series->tag_keys[i]) + 1);
    text_putc(shape, '\0');
    for (size_t i = 0; i < series->column_count; i++)
        text_put(shape, series->columns[i], strlen(series->columns[i]) + 1);
}

/* Whether the rows of this series go on in the table of the one before. */
static bool goes_on(struct table *t, const struct bb_client_series *series)
{
    put_shape(&t->next_shape, series);
    bool same = t->open && t->shape.len == t->next_shape.len &&
                memcmp(t->shape.data, t->next_shape.data, t->shape.len) == 0;
    struct text shape = t->shape;
    t->shape = t->next_shape;
    t->next_shape = shape;
    if (series->continued && same)
        return true;
    text_clear(&t->tags);
    for (size_t i = 0; i < series->tag_count; i++)
        text_put(&t->tags, series->tag_values[i], strlen(series->tag_values[i]) + 1);
    return same && t->shell->tags_as_columns;
}

static int table_series(void *state, const struct bb_client_series *series)
{
    struct table *t = state;
    if (goes_on(t, series))
        return 0;
    if (t->open)
        print_head(t);
    t->open = true;
    t->printed = false;
    t->gathered = 0;
    t->series_count++;
    free(t->columns);
    t->tag_count = t->shell->tags_as_columns ? series->tag_count : 0;
    t->column_count = t->tag_count + series->column_count;
    t->columns = calloc(t->column_count + 1, sizeof(*t->columns));
    if (t->columns == NULL || series->column_count == 0)
        return -1;
    text_clear(&t->bytes);
    text_clear(&t->cells);
    put_head(t, series);
    for (size_t i = 0; i < t->column_count; i++) {
        const char *name = i < t->tag_count ? series->tag_keys[i]
                                            : series->columns[i - t->tag_count];
        t->columns[i].numbers = i >= t->tag_count;
        add(t, i, name, strlen(name), false);
    }
    return t->bytes.failed || t->cells.failed || t->head.failed || t->tags.failed ? -1 : 0;
}

static void add_cells(struct table *t, const struct bb_client_cell *cells, size_t n)
{
    struct text shown;
    text_init(&shown, 256);
    const char *tag = text_get(&t->tags);
    for (size_t i = 0; i < t->tag_count; i++, tag += strlen(tag) + 1)
        add(t, i, tag, strlen(tag), true);
    for (size_t i = 0; i < n; i++) {
        const struct bb_client_cell *c = &cells[i];
        bool is_text = c->kind != BB_CLIENT_CELL_NUMBER && c->kind != BB_CLIENT_CELL_NULL;
        text_clear(&shown);
        if (c->kind == BB_CLIENT_CELL_TIME && bbsh_put_cell_time(t->shell, &shown, c))
            add(t, t->tag_count + i, shown.data, shown.len, true);
        else
            add(t, t->tag_count + i, c->text, c->len, is_text);
    }
    text_fini(&shown);
}

static int table_row(void *state, const struct bb_client_cell *cells, size_t n)
{
    struct table *t = state;
    if (t->gathered >= HEAD_ROWS || t->bytes.len > HEAD_BYTES)
        print_head(t);
    t->rows++;
    if (t->printed) {
        text_clear(&t->bytes);
        text_clear(&t->cells);
    } else {
        t->gathered++;
    }
    add_cells(t, cells, n);
    if (t->printed)
        print_gathered(t, 0);
    return t->bytes.failed || t->cells.failed || ferror(t->shell->out) ? -1 : 0;
}

static int table_message(void *state, const char *level, const char *text)
{
    (void)state;
    fprintf(stderr, "%s: %s\n", level, text);
    return 0;
}

static void table_close(void *state, bool complete)
{
    struct table *t = state;
    if (t->open)
        print_head(t);
    if (t->open && complete && t->shell->interactive)
        fprintf(t->shell->out, "(%llu row%s)\n", (unsigned long long)t->rows,
                t->rows == 1 ? "" : "s");
    free(t->columns);
    text_fini(&t->head);
    text_fini(&t->bytes);
    text_fini(&t->cells);
    text_fini(&t->line);
    text_fini(&t->tags);
    text_fini(&t->shape);
    text_fini(&t->next_shape);
    free(t);
}

const struct bbsh_output bbsh_table = {
    .name = "table",
    .open = table_open,
    .series = table_series,
    .row = table_row,
    .message = table_message,
    .close = table_close,
};
