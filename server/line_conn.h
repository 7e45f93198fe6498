/**
 * A connection of the line-protocol listener, and how its bytes become batches.
 *
 * Bytes are read into the batch that is being filled; line_scan finds the lines in them. A batch is
 * closed behind its last whole line, when it is full, old or followed by a directive, and joins the
 * list of those that wait. They go into the log one after the other, so that later readings replace
 * earlier ones; several may wait for the disk together.
 *
 * Thread  the loop's.
 */
#ifndef SERVER_LINE_CONN_H
#define SERVER_LINE_CONN_H

#include "server/line_batch.h"

#define LINE_TOKEN_MAX 256

struct line_conn {
    struct client client; /* first */
    struct buf database;
    int64_t precision_ns;
    struct line_batch *filling;
    size_t scanned;                  /* of filling's bytes: searched for newlines */
    size_t complete;                 /* of them: end of the last whole line */
    uint64_t filling_since_ms;       /* when the first of its lines came */
    struct line_batch *first, *last; /* closed, oldest first */
    struct line_batch *next;         /* the first of them that has not been submitted */
    size_t waiting_bytes, waiting_count;
    uint64_t retry_at_ms; /* 0: no batch has to be tried again */
    uint64_t last_read_ms;
    unsigned logged_rejects;
    bool submitting; /* one batch is on its way into the log, the others wait their turn */
    bool reading, starved;
    bool skipping; /* inside a line that was refused for its length */
    bool ending;   /* no more bytes will be taken */
};

/* ---- line_fill.c ---- */

/** A batch with the connection's database and precision; NULL: no memory. */
struct line_batch *line_make_batch(struct line_conn *conn);

/**
 * Close the filling batch behind its last whole line; what follows begins the next one.
 *
 * token  [token_len] of the sync to answer when it is on disk; none if empty
 * Returns false when there is no memory: nothing has changed.
 */
bool line_close_batch(struct line_conn *conn, const char *token, size_t token_len) BB_CHECKED;

/** Look at the bytes that have been read into the filling batch. False: the connection must end. */
bool line_scan(struct line_conn *conn) BB_CHECKED;

/** Take out the unfinished line at the end of the filling batch. */
void line_drop_tail(struct line_conn *conn);

/* ---- lines.c ---- */

/** Submit the next batch unless one is on its way into the log. */
void line_submit_next(struct line_conn *conn);

/** Count lines that are not stored, and log the first reasons of a connection. */
void line_reject(struct line_conn *conn, int code, uint64_t lines, const char *reason);

/** Refuse the unfinished line at the end of the filling batch, of which only this is known. */
void line_reject_tail(struct line_conn *conn, int code, const char *reason);

/** Log why, and close at once. */
void line_give_up(struct line_conn *conn, const char *reason);

#endif
