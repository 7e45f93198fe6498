/**
 * Where statements end in what was typed.
 */
#ifndef CLIENT_SHELL_INPUT_H
#define CLIENT_SHELL_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Whether more lines are to come before the text can run: inside quotes, a comment or parentheses,
 * or at a word or sign behind which something must stand. A semicolon at the end completes it.
 */
bool bbsh_input_open(const char *text);

/**
 * The first statement: [*begin, *end) without white space around it and without its semicolon.
 *
 * Returns the length of the text up to where the next begins; 0 if there is none.
 */
size_t bbsh_input_statement(const char *text, size_t *begin, size_t *end);

#endif
