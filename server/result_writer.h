/**
 * The result of a query in the format that the client accepts: one of the writers of result.h,
 * result_csv.h and result_msgpack.h.
 */
#ifndef SERVER_RESULT_WRITER_H
#define SERVER_RESULT_WRITER_H

#include "server/accept.h"
#include "server/result.h"
#include "server/result_csv.h"
#include "server/result_msgpack.h"

struct result_writer {
    enum accept_type type;
    union {
        struct result json;
        struct result_csv csv;
        struct result_msgpack msgpack;
    };
};

/** Write into out, which flush empties whenever it holds flush_bytes. */
void result_writer_init(struct result_writer *w, enum accept_type type,
                        const struct result_format *format, struct buf *out, size_t flush_bytes,
                        int (*flush)(void *arg, struct buf *out), void *arg);
void result_writer_fini(struct result_writer *w);

/** The sink for bb_query; w must outlive it. */
struct bb_sink result_writer_sink(struct result_writer *w);

/** What row_limit.h sets when the open series is cut; NULL: the format has no place for it. */
bool *result_writer_truncated(struct result_writer *w);

/** A statement has been begun: errors of the query stand in the text from now on. */
bool result_writer_begun(const struct result_writer *w);

/**
 * End the text. err: why the query as a whole stopped after its text had begun, or NULL.
 * Returns BB_OK, the first error of the text, or err's code where the format has no place for it;
 * the text is not whole then.
 */
int result_writer_finish(struct result_writer *w, const struct bb_error *err) BB_CHECKED;

#endif
