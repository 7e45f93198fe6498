/**
 * The line-protocol listener: plain TCP, one line per reading, no replies.
 *
 * Lines are stored in batches, in the order in which they came (docs/http.md, "Line protocol over
 * TCP"). A connection whose lines are not on disk fast enough is read no further, so the producer's
 * writes block. Nothing is dropped silently: a line that is refused is counted by reason and the
 * first ones are logged; when the engine cannot take a batch for a while it is tried again, and
 * when it never will the connection is closed, so that no sync is answered that is not true.
 */
#ifndef SERVER_LINES_H
#define SERVER_LINES_H

#include "server/loop.h"

/** A listener's accept function. */
void lines_accept(struct listener *listener, int fd);

#endif
