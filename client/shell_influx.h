/**
 * Words of the `influx` shell: help, format NAME, precision UNIT, settings, clear WHAT, connect
 * URL, auth [USER] and INSERT INTO. What else it can set (pretty, chunked, chunk, consistency,
 * node) is taken and does nothing.
 */
#ifndef CLIENT_SHELL_INFLUX_H
#define CLIENT_SHELL_INFLUX_H

#include <stdbool.h>
#include <stddef.h>

struct shell;

/** Do what text says if it is one of these words; else false. */
bool bbsh_influx_word(struct shell *shell, const char *text);

/** How many bytes of what stands behind INSERT are INTO and its target: [DB.]RP, quoted or not. 0:
 * there is none. */
size_t bbsh_influx_target(const char *text);

#endif
