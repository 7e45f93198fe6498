/*
 * A table of each series. The first rows are gathered to see how wide the columns are; then they
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
    size_t column_count;
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
    return t;
}

static void add(struct table *t, size_t column, const char *s, size_t n, bool is_text)
{
    struct cell_at cell = {t->bytes.len, 0};
    bbsh_put_safe(&t->bytes, s, n);
    cell.len = t->bytes.len - cell.at;
    text_put(&t->cells, &cell, sizeof(cell));
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
    if (series->tag_count == 0 && series->name[0] == '\0')
        return;
    const char *bold = t->shell->color ? "\033[1m" : "", *off = t->shell->color ? "\033[0m" : "";
    text_puts(&t->head, bold);
    bbsh_put_safe(&t->head, series->name, strlen(series->name));
    text_puts(&t->head, off);
    for (size_t i = 0; i < series->tag_count; i++) {
        text_puts(&t->head, i == 0 ? "  " : ", ");
        bbsh_put_safe(&t->head, series->tag_keys[i], strlen(series->tag_keys[i]));
        text_putc(&t->head, '=');
        bbsh_put_safe(&t->head, series->tag_values[i], strlen(series->tag_values[i]));
    }
    text_putc(&t->head, '\n');
}

static int table_series(void *state, const struct bb_client_series *series)
{
    struct table *t = state;
    if (series->continued && series->column_count == t->column_count)
        return 0;
    if (t->open)
        print_head(t);
    t->open = true;
    t->printed = false;
    t->gathered = 0;
    t->series_count++;
    free(t->columns);
    t->column_count = series->column_count;
    t->columns = calloc(t->column_count + 1, sizeof(*t->columns));
    if (t->columns == NULL || t->column_count == 0)
        return -1;
    text_clear(&t->bytes);
    text_clear(&t->cells);
    put_head(t, series);
    for (size_t i = 0; i < t->column_count; i++) {
        t->columns[i].numbers = true;
        add(t, i, series->columns[i], strlen(series->columns[i]), false);
    }
    return t->bytes.failed || t->cells.failed || t->head.failed ? -1 : 0;
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
    struct text shown;
    text_init(&shown, 256);
    for (size_t i = 0; i < n; i++) {
        size_t width = t->columns[i].width;
        text_clear(&shown);
        if (cells[i].kind == BB_CLIENT_CELL_TIME && bbsh_put_cell_time(t->shell, &shown, &cells[i]))
            add(t, i, shown.data, shown.len, true);
        else
            add(t, i, cells[i].text, cells[i].len,
                cells[i].kind != BB_CLIENT_CELL_NUMBER && cells[i].kind != BB_CLIENT_CELL_NULL &&
                    !t->printed);
        if (t->printed)
            t->columns[i].width = width;
    }
    text_fini(&shown);
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
