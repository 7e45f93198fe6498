/**
 * The JSON of /query, read while it arrives.
 *
 * yajl hands out events, and numbers as their text, so that neither a uint64 nor the shortest form
 * of a double passes through a conversion. Only one row is held at a time.
 */
#ifndef CLIENT_RESULTS_H
#define CLIENT_RESULTS_H

#include "client/busbar_client.h"

struct bbc_results;

/** NULL: out of memory. handler is borrowed. */
struct bbc_results *bbc_results_create(const struct bb_client_handler *handler);
void bbc_results_destroy(struct bbc_results **results);

/** Read a piece; not 0 ends it: see bbc_results_end. */
int bbc_results_feed(struct bbc_results *results, const char *data, size_t n);

/**
 * What became of it: BB_CLIENT_OK after a whole document; BB_CLIENT_SERVER with the error that
 * stands beside the results; BB_CLIENT_PROTOCOL; BB_CLIENT_CANCELED by a callback; BB_CLIENT_NOMEM.
 *
 * complete  nothing follows; false: only tell why feeding ended
 */
int bbc_results_end(struct bbc_results *results, bool complete, struct bb_client_error *error);

/** The text of `{"error": text}`, for free(); NULL if that is not what data is. */
char *bbc_error_text(const char *data, size_t n);

#endif
