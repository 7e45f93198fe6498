/**
 * Who a request says it is from: u= and p= of the URL, or the Authorization header, as InfluxDB
 * 1.8 reads them.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include "server/buf.h"

enum auth_kind {
    AUTH_NONE,     /* nothing that can be read */
    AUTH_PASSWORD, /* u= and p=, "Basic BASE64" or "Token user:password" */
    AUTH_BEARER    /* "Bearer ..." */
};

struct auth {
    enum auth_kind kind;
    struct buf user, password; /* each with a NUL behind; of AUTH_PASSWORD */
};

void auth_init(struct auth *auth);

/** The password's memory is overwritten first. */
void auth_fini(struct auth *auth);

/**
 * Read what a request brings.
 *
 * query, header  the URL's query and the header's value; "" where there is none
 * Returns BB_OK, whatever was found; BB_ENOMEM, BB_ELIMIT.
 */
int auth_read(struct auth *auth, const char *query, const char *header) BB_CHECKED;

#endif
