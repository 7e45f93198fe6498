/**
 * Bodies in gzip form, as they come in.
 */
#ifndef SERVER_GUNZIP_H
#define SERVER_GUNZIP_H

#include "server/buf.h"

struct z_stream_s;

struct gunzip {
    struct z_stream_s *stream; /* NULL: closed */
    struct budget *budget;     /* that its memory is charged to; may be NULL */
    bool ended;                /* behind a whole member: the body may end here */
};

/** Returns BB_OK; BB_EBUSY the budget is used up; BB_ENOMEM. To be closed whatever is returned. */
int gunzip_open(struct gunzip *g, struct budget *budget, struct bb_error *err) BB_CHECKED;
void gunzip_close(struct gunzip *g);

/**
 * Decompress what comes next of a gzip file of any number of members, behind what is in out.
 *
 * stop  go on until out holds so many bytes; where it holds less on return, all that these bytes
 *       tell has been told. At most out's maximum.
 * used  out: how many of the n bytes were taken; all, if out holds less than stop
 *
 * Returns BB_OK; BB_EPARSE it is no gzip or is damaged; BB_EBUSY, BB_ENOMEM. out holds a part then.
 */
int gunzip_some(struct gunzip *g, const char *data, size_t n, size_t *used, struct buf *out,
                size_t stop, struct bb_error *err) BB_CHECKED;

/** No more bytes will come: BB_OK, or BB_EPARSE in the middle of a member or before the first. */
int gunzip_end(const struct gunzip *g, struct bb_error *err) BB_CHECKED;

#endif
