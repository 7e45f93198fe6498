/** Asking for a password at the terminal. */
#ifndef CLIENT_PASSWORD_H
#define CLIENT_PASSWORD_H

#include "client/busbar_client.h"

#define PASSWORD_MAX 512

struct password {
    char text[PASSWORD_MAX];
};

/**
 * Where the options name a user and nothing else that tells who it is, and standard input is a
 * terminal, ask there for the password, which is not shown. The options borrow it until
 * password_forget, which must follow; if nothing is typed they stay as they are.
 */
void password_complete(struct password *password, struct bb_client_options *options);
void password_forget(struct password *password, struct bb_client_options *options);

#endif
