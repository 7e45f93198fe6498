/**
 * The terminal, and cells as the shell's settings want them.
 */
#ifndef CLIENT_SHELL_TERM_H
#define CLIENT_SHELL_TERM_H

#include "client/shell.h"

/** Columns of the output; 0: it is no terminal, lines may be as long as they are. */
unsigned bbsh_term_width(const struct shell *shell);

/** Size for a plot, where no terminal is too. */
void bbsh_term_size(const struct shell *shell, unsigned *columns, unsigned *rows);

/** Append a time cell as the settings want it; false: it is no time in nanoseconds. */
bool bbsh_put_cell_time(const struct shell *shell, struct text *t,
                        const struct bb_client_cell *cell);

#endif
