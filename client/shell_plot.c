/*
 * Results as pictures: lines in braille cells (2 by 4 dots each), bars, and hour by weekday.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/shell.h"
#include "client/shell_canvas.h"
#include "client/shell_term.h"
#include "client/shell_text.h"

#define POINTS_MAX  2000000
#define CURVES_MAX  6
#define BARS_MAX    500
#define LABEL_WIDTH 10
#define TICK_ROWS   4
#define WEEK_HOURS  168

struct point {
    int64_t time_ns;
    double value; /* NAN: a gap */
};

struct curve {
    char name[200];
    struct text points; /* of struct point */
};

struct picture {
    struct shell *shell;
    struct curve curves[CURVES_MAX];
    size_t curve_count;
    size_t first; /* curve of the first column of the running series */
    size_t columns;
    size_t left_out; /* curves beyond CURVES_MAX */
    size_t points;
    bool utc;
};

static void *picture_open(struct shell *shell, const char *argument)
{
    (void)argument;
    struct picture *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->shell = shell;
    p->utc = bbsh_is_utc(shell->zone);
    for (size_t i = 0; i < CURVES_MAX; i++)
        text_init(&p->curves[i].points, POINTS_MAX * sizeof(struct point));
    return p;
}

static void picture_free(struct picture *p)
{
    for (size_t i = 0; i < CURVES_MAX; i++)
        text_fini(&p->curves[i].points);
    free(p);
}

static int picture_series(void *state, const struct bb_client_series *series)
{
    struct picture *p = state;
    if (series->continued)
        return 0;
    if (series->column_count < 2 || strcmp(series->columns[0], "time") != 0) {
        bbsh_complain(p->shell, BBSH_EXIT_FAILED,
                      "error: this result has no times, so there is nothing to draw");
        return -1;
    }
    struct text name;
    text_init(&name, 4096);
    if (series->tag_count == 0)
        bbsh_put_safe(&name, series->name, strlen(series->name));
    for (size_t i = 0; i < series->tag_count; i++) {
        text_puts(&name, i > 0 ? "," : "");
        bbsh_put_safe(&name, series->tag_values[i], strlen(series->tag_values[i]));
    }
    p->first = p->curve_count;
    p->columns = series->column_count - 1;
    for (size_t i = 0; i < p->columns; i++) {
        if (p->curve_count >= CURVES_MAX) {
            p->left_out++;
            continue;
        }
        struct text column;
        text_init(&column, 4096);
        bbsh_put_safe(&column, series->columns[i + 1], strlen(series->columns[i + 1]));
        snprintf(p->curves[p->curve_count++].name, sizeof(p->curves[0].name), "%.120s %.60s",
                 text_get(&name), text_get(&column));
        text_fini(&column);
    }
    text_fini(&name);
    return 0;
}

static int picture_row(void *state, const struct bb_client_cell *cells, size_t n)
{
    struct picture *p = state;
    struct point point;
    if (!bbsh_parse_ns(cells[0].text, cells[0].len, &point.time_ns))
        return 0;
    for (size_t i = 1; i < n && p->first + i - 1 < p->curve_count; i++) {
        point.value = NAN;
        if (cells[i].kind == BB_CLIENT_CELL_NUMBER)
            point.value = strtod(cells[i].text, NULL);
        if (cells[i].kind == BB_CLIENT_CELL_BOOL)
            point.value = cells[i].text[0] == 't';
        struct text *points = &p->curves[p->first + i - 1].points;
        text_put(points, &point, sizeof(point));
        p->points += isnan(point.value) ? 0 : 1;
        if (points->failed) {
            bbsh_complain(p->shell, BBSH_EXIT_FAILED,
                          "error: more than %d points; group them by time", POINTS_MAX);
            return -1;
        }
    }
    return 0;
}

static struct point point_at(const struct curve *c, size_t i)
{
    struct point point;
    memcpy(&point, c->points.data + i * sizeof(point), sizeof(point));
    return point;
}

static size_t point_count(const struct curve *c)
{
    return c->points.len / sizeof(struct point);
}

struct extent {
    int64_t t0, t1;
    double low, high;
};

static struct extent measure(const struct picture *p)
{
    struct extent e = {INT64_MAX, INT64_MIN, DBL_MAX, -DBL_MAX};
    for (size_t k = 0; k < p->curve_count; k++) {
        for (size_t i = 0; i < point_count(&p->curves[k]); i++) {
            struct point point = point_at(&p->curves[k], i);
            if (!isfinite(point.value))
                continue;
            e.t0 = point.time_ns < e.t0 ? point.time_ns : e.t0;
            e.t1 = point.time_ns > e.t1 ? point.time_ns : e.t1;
            e.low = fmin(e.low, point.value);
            e.high = fmax(e.high, point.value);
        }
    }
    return e;
}

/* The axis begins and ends at round values, and at zero where that is near. */
static double round_axis(struct extent *e)
{
    if (e->low > 0 && e->low < e->high / 2)
        e->low = 0;
    if (e->high <= e->low)
        e->high = e->low + (e->low == 0 ? 1 : fabs(e->low) / 10);
    double rough = e->high / TICK_ROWS - e->low / TICK_ROWS;
    double base = pow(10, floor(log10(rough)));
    double step = rough <= base       ? base
                  : rough <= 2 * base ? 2 * base
                  : rough <= 5 * base ? 5 * base
                                      : 10 * base;
    e->low = floor(e->low / step) * step;
    e->high = ceil(e->high / step) * step;
    return step;
}

static void draw_curve(struct bbsh_canvas *canvas, const struct curve *c, unsigned color,
                       const struct extent *e)
{
    bool pen = false;
    int last_x = 0, last_y = 0;
    double span = (double)e->t1 - (double)e->t0;
    for (size_t i = 0; i < point_count(c); i++) {
        struct point point = point_at(c, i);
        if (!isfinite(point.value)) {
            pen = false;
            continue;
        }
        double fx = span > 0 ? ((double)point.time_ns - (double)e->t0) / span : 0;
        double fy = point.value / (e->high - e->low) - e->low / (e->high - e->low);
        int x = (int)lround(fx * (canvas->columns * 2 - 1));
        int y = (int)lround((1 - fy) * (canvas->rows * 4 - 1));
        bbsh_canvas_line(canvas, pen ? last_x : x, pen ? last_y : y, x, y, color);
        pen = true;
        last_x = x;
        last_y = y;
    }
}

/* The label of the row whose middle is nearest to a tick, else blank. */
static void put_tick(struct text *line, const struct extent *e, double step, unsigned row,
                     unsigned rows)
{
    double per_row = rows > 1 ? (e->high - e->low) / (rows - 1) : 1;
    double value = e->high - row * per_row;
    double tick = round(value / step) * step;
    struct text label;
    text_init(&label, 100);
    if (fabs(tick - value) <= per_row / 2 * 0.999 || row == 0 || row + 1 == rows)
        bbsh_put_number(&label, fabs(tick) < step / 1e6 ? 0 : tick);
    bbsh_put_fitted(line, text_get(&label), label.len, LABEL_WIDTH, true, true);
    text_fini(&label);
}

static void print_times(const struct picture *p, const struct extent *e, unsigned columns)
{
    struct text line, label;
    text_init(&line, 4096);
    text_init(&label, 100);
    size_t at = 0;
    for (unsigned k = 0; k < 3; k++) {
        text_clear(&label);
        int64_t time_ns = e->t0 + (int64_t)(((double)e->t1 - (double)e->t0) / 2 * k);
        if (k == 2)
            time_ns = e->t1;
        bbsh_put_short_time(&label, time_ns, p->utc,
                            e->t1 / 2 - e->t0 / 2 > INT64_MAX / 4 ? INT64_MAX : e->t1 - e->t0);
        size_t want = k == 0 ? 0 : k == 1 ? columns / 2 - label.len / 2 : columns - label.len;
        if (want > columns || (k > 0 && want < at + 2))
            continue;
        for (; at < want; at++)
            text_putc(&line, ' ');
        text_puts(&line, text_get(&label));
        at += label.len;
    }
    fprintf(p->shell->out, "%*s%s\n", LABEL_WIDTH + 2, "", text_get(&line));
    text_fini(&line);
    text_fini(&label);
}

static void print_legend(const struct picture *p)
{
    for (size_t k = 0; k < p->curve_count; k++) {
        fprintf(p->shell->out, "%*s", k == 0 ? LABEL_WIDTH + 2 : 3, "");
        if (p->shell->color)
            fprintf(p->shell->out, "\033[%um", bbsh_canvas_colors[k]);
        fprintf(p->shell->out, "%s %s%s", p->shell->utf8 ? "\u2501" : "-", p->curves[k].name,
                p->shell->color ? "\033[0m" : "");
    }
    fputc('\n', p->shell->out);
    if (p->left_out > 0)
        fprintf(p->shell->out, "%*s%zu more are left out\n", LABEL_WIDTH + 2, "", p->left_out);
}

static bool nothing(struct picture *p)
{
    if (p->points == 0)
        fputs("no numbers to draw\n", stderr);
    return p->points == 0;
}

static void plot_close(void *state, bool complete)
{
    struct picture *p = state;
    if (!complete || nothing(p)) {
        picture_free(p);
        return;
    }
    unsigned columns, rows;
    bbsh_term_size(p->shell, &columns, &rows);
    columns -= LABEL_WIDTH + 3;
    rows = rows > 24 ? 20 : rows - 5;
    struct extent e = measure(p);
    double step = round_axis(&e);
    struct bbsh_canvas canvas;
    if (bbsh_canvas_init(&canvas, columns, rows)) {
        for (size_t k = 0; k < p->curve_count; k++)
            draw_curve(&canvas, &p->curves[k], (unsigned)k, &e);
        struct text line;
        text_init(&line, (size_t)1 << 20);
        for (unsigned row = 0; row < rows; row++) {
            put_tick(&line, &e, step, row, rows);
            text_puts(&line, p->shell->utf8 ? " \u2502" : " |");
            bbsh_canvas_put_row(&canvas, row, &line, p->shell->color, p->shell->utf8);
            text_putc(&line, '\n');
        }
        fwrite(text_get(&line), 1, line.len, p->shell->out);
        text_fini(&line);
        print_times(p, &e, columns);
        print_legend(p);
    }
    bbsh_canvas_fini(&canvas);
    picture_free(p);
}

const struct bbsh_output bbsh_plot = {
    .name = "plot",
    .open = picture_open,
    .series = picture_series,
    .row = picture_row,
    .close = plot_close,
};

static void put_bar_label(const struct picture *p, struct text *label, size_t curve, size_t i)
{
    text_clear(label);
    const struct curve *c = &p->curves[curve];
    if (point_count(c) > 1 || p->curve_count == 1)
        bbsh_put_time(label, point_at(c, i).time_ns, p->utc);
    if (p->curve_count > 1)
        text_printf(label, "%s%s", label->len > 0 ? " " : "", c->name);
}

static void print_bar(const struct picture *p, const struct text *label, size_t label_width,
                      double value, double most, unsigned room)
{
    static const char *const eighths[] = {"",       "\u258f", "\u258e", "\u258d",
                                          "\u258c", "\u258b", "\u258a", "\u2589"};
    struct text line;
    text_init(&line, (size_t)1 << 16);
    bbsh_put_fitted(&line, text_get(label), label->len, label_width, false, p->shell->utf8);
    text_putc(&line, ' ');
    unsigned parts = isfinite(value) && most > 0 ? (unsigned)lround(fabs(value) / most * room * 8)
                                                 : 0;
    if (p->shell->color)
        text_puts(&line, value < 0 ? "\033[31m" : "\033[36m");
    for (unsigned i = 0; i < parts / 8; i++)
        text_puts(&line, p->shell->utf8 ? "\u2588" : "#");
    text_puts(&line, p->shell->utf8 ? eighths[parts % 8] : "");
    if (p->shell->color)
        text_puts(&line, "\033[0m");
    text_putc(&line, ' ');
    if (isfinite(value))
        bbsh_put_number(&line, value);
    text_putc(&line, '\n');
    fwrite(text_get(&line), 1, line.len, p->shell->out);
    text_fini(&line);
}

/* Points up to the last that has a value: buckets up to now() are mostly empty. */
static size_t bar_count(const struct curve *c)
{
    size_t n = point_count(c);
    while (n > 0 && !isfinite(point_at(c, n - 1).value))
        n--;
    return n;
}

static void bars_close(void *state, bool complete)
{
    struct picture *p = state;
    if (!complete || nothing(p)) {
        picture_free(p);
        return;
    }
    unsigned columns, rows;
    bbsh_term_size(p->shell, &columns, &rows);
    struct extent e = measure(p);
    double most = fmax(fabs(e.low), fabs(e.high));
    struct text label;
    text_init(&label, 4096);
    for (int pass = 0, width = 0; pass < 2; pass++) {
        size_t bars = 0;
        for (size_t k = 0; k < p->curve_count; k++) {
            for (size_t i = 0; i < bar_count(&p->curves[k]) && bars < BARS_MAX; i++, bars++) {
                put_bar_label(p, &label, k, i);
                int w = (int)bbsh_width(text_get(&label), label.len);
                if (pass == 0 && w > width)
                    width = w > (int)columns / 2 ? (int)columns / 2 : w;
                if (pass == 1)
                    print_bar(p, &label, (size_t)width, point_at(&p->curves[k], i).value, most,
                              columns - (unsigned)width - 12);
            }
        }
        if (pass == 1 && bars == BARS_MAX)
            fprintf(p->shell->out, "the first %d are shown\n", BARS_MAX);
    }
    text_fini(&label);
    picture_free(p);
}

const struct bbsh_output bbsh_bars = {
    .name = "bars",
    .open = picture_open,
    .series = picture_series,
    .row = picture_row,
    .close = bars_close,
};

static void print_heat(const struct picture *p, const double mean[WEEK_HOURS])
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char *const shades[] = {"  ", "\u2591\u2591", "\u2592\u2592", "\u2593\u2593",
                                         "\u2588\u2588"};
    static const char *const plain[] = {"  ", "..", "--", "++", "##"};
    static const unsigned colors[] = {17, 18,  19,  20,  26,  32,  38, 44,
                                      43, 118, 190, 226, 214, 202, 196};
    const unsigned color_count = sizeof(colors) / sizeof(colors[0]);
    double low = DBL_MAX, high = -DBL_MAX;
    for (int i = 0; i < WEEK_HOURS; i++) {
        low = isnan(mean[i]) ? low : fmin(low, mean[i]);
        high = isnan(mean[i]) ? high : fmax(high, mean[i]);
    }
    FILE *out = p->shell->out;
    fputs("    ", out);
    for (int hour = 0; hour < 24; hour++)
        fprintf(out, hour % 3 == 0 ? "%02d" : "  ", hour);
    fputc('\n', out);
    for (int i = 0; i < WEEK_HOURS; i++) {
        if (i % 24 == 0)
            fprintf(out, "%s ", days[i / 24]);
        double f = high > low ? (mean[i] - low) / (high - low) : 1;
        if (isnan(mean[i]))
            fputs(" .", out);
        else if (p->shell->color)
            fprintf(out, "\033[48;5;%um  \033[0m",
                    colors[(unsigned)fmin(f * color_count, color_count - 1)]);
        else
            fputs((p->shell->utf8 ? shades : plain)[(unsigned)fmin(f * 5, 4)], out);
        if (i % 24 == 23)
            fputc('\n', out);
    }
    struct text legend;
    text_init(&legend, 200);
    text_puts(&legend, "    mean: lowest ");
    bbsh_put_number(&legend, low);
    text_puts(&legend, ", highest ");
    bbsh_put_number(&legend, high);
    fprintf(out, "%s; . has no readings; zone %s\n", text_get(&legend),
            p->utc ? "UTC" : p->shell->zone);
    text_fini(&legend);
}

static void heat_close(void *state, bool complete)
{
    struct picture *p = state;
    double sums[WEEK_HOURS] = {0}, mean[WEEK_HOURS];
    uint64_t counts[WEEK_HOURS] = {0};
    if (!complete || nothing(p)) {
        picture_free(p);
        return;
    }
    for (size_t k = 0; k < p->curve_count; k++) {
        for (size_t i = 0; i < point_count(&p->curves[k]); i++) {
            struct point point = point_at(&p->curves[k], i);
            if (!isfinite(point.value))
                continue;
            unsigned hour, day;
            bbsh_hour_and_day(point.time_ns, p->utc, &hour, &day);
            sums[day * 24 + hour] += point.value;
            counts[day * 24 + hour]++;
        }
    }
    for (int i = 0; i < WEEK_HOURS; i++)
        mean[i] = counts[i] > 0 ? sums[i] / (double)counts[i] : NAN;
    print_heat(p, mean);
    if (p->left_out > 0)
        fprintf(p->shell->out, "    %zu more series are left out\n", p->left_out);
    picture_free(p);
}

const struct bbsh_output bbsh_heat = {
    .name = "heat",
    .open = picture_open,
    .series = picture_series,
    .row = picture_row,
    .close = heat_close,
};
