#ifndef CLIENT_IMPORT_EXIT_H
#define CLIENT_IMPORT_EXIT_H

#include "client/busbar_client.h"

/** Exit codes of busbar import, export and status, those of the shell; busbar(1) lists them. */
enum import_exit {
    EXIT_OK = 0,
    EXIT_FAILED = 1, /* the server refused; rows were rejected; status: something is wrong */
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3, /* nobody answers at the address */
    EXIT_FILE = 4,        /* cannot be read or written, or is not what it says */
    EXIT_DENIED = 5,      /* 401 or 403 */
    EXIT_LOST = 6,        /* the connection broke, or no reply came in time */
    EXIT_PROTOCOL = 7,    /* what answers is no InfluxDB API */
    EXIT_INTERRUPTED = 130
};

/** The exit code of what a call of the client library reported. */
int import_exit_of(const struct bb_client_error *error);

#endif
