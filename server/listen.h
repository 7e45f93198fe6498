/**
 * Listening sockets that several loops share by SO_REUSEPORT.
 */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/busbar.h"

#define LISTEN_ADDRESS_MAX 80

/**
 * Bind `count` sockets to one address; none of them listens yet.
 *
 * type     SOCK_STREAM, or SOCK_DGRAM with a count of 1
 * spec     "ADDRESS:PORT", "[V6]:PORT", "NAME:PORT" or ":PORT" (all addresses); port 0: a free one
 * fds      [count] out: sockets, non-blocking, the caller's to close
 * address  out, LISTEN_ADDRESS_MAX: the address they have, port included
 * Returns BB_OK; BB_EINVAL no such address; BB_ELOCKED the port is in use, also by another process
 * that would share it; BB_EIO. No socket is left open then.
 */
int listen_bind(int type, const char *spec, int *fds, size_t count, char *address,
                struct bb_error *err) BB_CHECKED;

/** True for "off" and "". */
bool listen_is_off(const char *spec);

#endif
