#ifndef CLIENT_STATUS_PRINT_H
#define CLIENT_STATUS_PRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/import_buf.h"

/** What the server answered. */
struct status_replies {
    const char *url;
    const char *status;  /* JSON of /debug/status */
    const char *metrics; /* text of /metrics; NULL: there is none */
    bool health_passes;
    const char *health; /* body of /health */
};

/**
 * Append the state of the server for people.
 *
 * healthy  out: the server takes writes and nothing of it is damaged
 * Returns NULL, or what of the replies is not as expected.
 */
const char *status_print(const struct status_replies *replies, struct import_buf *out,
                         bool *healthy);

/** 1.5 kB, 12 MB: three digits. */
void status_add_bytes(struct import_buf *out, double bytes);

/** 3 d 4 h, 5 min 6 s. */
void status_add_age(struct import_buf *out, double seconds);

#endif
