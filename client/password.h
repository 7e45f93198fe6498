/** Asking for a password at the terminal. */
#ifndef CLIENT_PASSWORD_H
#define CLIENT_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

/** Ask for it on the terminal of the process, which does not show it. False: there is no terminal,
 * or nothing was typed. */
bool password_ask(const char *user, char *out, size_t size);

#endif
