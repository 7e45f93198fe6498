#include "client/shell_canvas.h"

#include <stdlib.h>

/* Cyan, yellow, magenta, green, red, blue. */
const unsigned bbsh_canvas_colors[6] = {36, 33, 35, 32, 31, 34};

bool bbsh_canvas_init(struct bbsh_canvas *canvas, unsigned columns, unsigned rows)
{
    *canvas = (struct bbsh_canvas){.columns = columns, .rows = rows};
    canvas->dots = calloc((size_t)columns * rows, 1);
    canvas->colors = calloc((size_t)columns * rows, 1);
    return canvas->dots != NULL && canvas->colors != NULL;
}

void bbsh_canvas_fini(struct bbsh_canvas *canvas)
{
    free(canvas->dots);
    free(canvas->colors);
    *canvas = (struct bbsh_canvas){0};
}

static void dot(struct bbsh_canvas *canvas, int x, int y, unsigned color)
{
    /* Bits of U+2800 by column and row of the dot. */
    static const unsigned char bits[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
    if (x < 0 || y < 0 || x >= (int)canvas->columns * 2 || y >= (int)canvas->rows * 4)
        return;
    size_t cell = (size_t)(y / 4) * canvas->columns + (size_t)(x / 2);
    canvas->dots[cell] = (unsigned char)(canvas->dots[cell] | bits[x % 2][y % 4]);
    canvas->colors[cell] = (unsigned char)color;
}

void bbsh_canvas_line(struct bbsh_canvas *canvas, int x0, int y0, int x1, int y1, unsigned color)
{
    int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);
    for (int i = 0; i <= steps; i++) {
        int half = steps / 2;
        int dx = steps == 0 ? 0 : ((x1 - x0) * i + (x1 < x0 ? -half : half)) / steps;
        int dy = steps == 0 ? 0 : ((y1 - y0) * i + (y1 < y0 ? -half : half)) / steps;
        dot(canvas, x0 + dx, y0 + dy, color);
    }
}

void bbsh_canvas_put_row(const struct bbsh_canvas *canvas, unsigned row, struct text *t, bool color,
                         bool utf8)
{
    int current = -1;
    for (unsigned x = 0; x < canvas->columns; x++) {
        size_t cell = (size_t)row * canvas->columns + x;
        unsigned char dots = canvas->dots[cell];
        if (dots == 0) {
            text_putc(t, ' ');
            continue;
        }
        if (color && current != canvas->colors[cell]) {
            current = canvas->colors[cell];
            text_printf(t, "\033[%um", bbsh_canvas_colors[current]);
        }
        if (!utf8)
            text_putc(t, '*');
        else /* U+2800 to U+28FF: three bytes */
            text_printf(t, "\xe2%c%c", 0xa0 + (dots >> 6), 0x80 + (dots & 0x3f));
    }
    if (current >= 0)
        text_puts(t, "\033[0m");
}
