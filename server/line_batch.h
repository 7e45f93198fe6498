/**
 * Lines of one connection of the line-protocol listener on their way into the log.
 *
 *     WAITING -> SUBMITTED -> DONE
 *        ^----------'            refused by the engine for now (submitted() sees err)
 *
 * Thread  the loop's, but for what runs inside bb_write_submit and its durable callback.
 */
#ifndef SERVER_LINE_BATCH_H
#define SERVER_LINE_BATCH_H

#include "server/loop.h"
#include "server/reject.h"

enum line_batch_state {
    LINE_BATCH_WAITING,
    LINE_BATCH_SUBMITTED,
    LINE_BATCH_DONE
};

struct line_batch {
    struct job job; /* first */
    struct message submit_message, durable_message;
    struct loop *loop;
    struct line_batch *next;
    void *owner;
    /** On the loop: it is in the log's buffer, or err says why not and it is WAITING again. */
    void (*submitted)(struct line_batch *batch);
    /** On the loop, after submitted without an error: it is on disk unless durable_err is set. */
    void (*durable)(struct line_batch *batch);
    _Atomic int pending; /* the submit and its durability */
    enum line_batch_state state;
    struct buf lines, database, token;
    uint64_t line_count;
    size_t bytes; /* of lines, which are freed once they are in the log's buffer */
    unsigned tries;
    int64_t precision_ns;
    struct bb_write_result result;
    struct buf kept; /* lines that were refused, laid out for the reject log */
    int64_t now_ns;  /* when it was submitted first */
    struct rejects rejects;
    struct bb_error err, durable_err;
};

/** An empty batch of at most max bytes; NULL: no memory. */
struct line_batch *line_batch_create(struct loop *loop, size_t max);

/** Never while it is SUBMITTED. */
void line_batch_destroy(struct line_batch *batch);

/** None of its lines can be stored: all go to the reject log. */
void line_batch_reject(struct line_batch *batch, const char *reason);

/** WAITING to SUBMITTED; submitted and durable follow. False: no thread, nothing has happened. */
bool line_batch_submit(struct line_batch *batch) BB_CHECKED;

#endif
