#ifndef CLIENT_IMPORT_EXIT_H
#define CLIENT_IMPORT_EXIT_H

#include "client/busbar_client.h"

/** Exit codes of busbar import, export and status; busbar(1) lists them. */
enum import_exit {
    EXIT_OK = 0,
    EXIT_REJECTED = 1, /* some rows were refused; status: something is wrong with the server */
    EXIT_USAGE = 2,
    EXIT_SERVER = 3,  /* not there, ends in the middle, or is something else */
    EXIT_FILE = 4,    /* cannot be read or written, or is not what it says */
    EXIT_REFUSED = 5, /* the server says no: no such database, no permission */
    EXIT_INTERRUPTED = 130
};

/** The exit code of what a call of the client library reported. */
int import_exit_of(const struct bb_client_error *error);

#endif
