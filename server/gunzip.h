/**
 * Bodies in gzip form, whole.
 */
#ifndef SERVER_GUNZIP_H
#define SERVER_GUNZIP_H

#include "server/buf.h"

/**
 * Decompress all members of a gzip file behind what is in out.
 *
 * Returns BB_OK; BB_EPARSE it is no gzip, is damaged or ends early; BB_ELIMIT more than out's
 * maximum; BB_EBUSY, BB_ENOMEM. out holds a part then. err says why.
 */
int gunzip(const char *data, size_t n, struct buf *out, struct bb_error *err) BB_CHECKED;

#endif
