/**
 * A raster of braille cells: two dots wide, four high, one colour each.
 */
#ifndef CLIENT_SHELL_CANVAS_H
#define CLIENT_SHELL_CANVAS_H

#include <stdbool.h>

#include "client/text.h"

struct bbsh_canvas {
    unsigned columns, rows; /* in cells */
    unsigned char *dots;    /* [columns * rows] */
    unsigned char *colors;
};

/** Codes of the terminal's colours, by number of a curve. */
extern const unsigned bbsh_canvas_colors[6];

/** false: out of memory; fini is safe anyway. */
bool bbsh_canvas_init(struct bbsh_canvas *canvas, unsigned columns, unsigned rows);
void bbsh_canvas_fini(struct bbsh_canvas *canvas);

/** A line between dots; what lies outside is left out. (0, 0) is at the top left. */
void bbsh_canvas_line(struct bbsh_canvas *canvas, int x0, int y0, int x1, int y1, unsigned color);

/** Append one row of cells; an asterisk for any dot where there is no Unicode. */
void bbsh_canvas_put_row(const struct bbsh_canvas *canvas, unsigned row, struct text *t, bool color,
                         bool utf8);

#endif
