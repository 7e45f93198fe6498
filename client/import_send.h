#ifndef CLIENT_IMPORT_SEND_H
#define CLIENT_IMPORT_SEND_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/busbar_client.h"
#include "client/import_buf.h"
#include "client/import_rejects.h"
#include "client/import_state.h"

/**
 * Batches of rows on their way to the server: one thread sends them one after the other, in order,
 * while the next ones are made. Where the server refuses lines of a batch, the batch is sent again
 * in halves, which is harmless, until each refused row is known with its own reason.
 */
struct sender;

/** Rows that are sent together; filled by the caller between sender_take and sender_give. */
struct batch {
    struct import_buf lines; /* of line protocol */
    struct import_buf raw;   /* the rows as they stand in the file */
    struct batch_row *rows;
    unsigned row_count, row_cap;
    struct import_position end; /* behind the last row; `stored` is the sender's */
    struct batch *next;
};

/** Called by the sending thread when all up to this position is stored or rejected. */
typedef void sender_done_fn(void *context, const struct import_position *position);

/**
 * Options, rejects and context must stay. Once *stop is not 0, no call waits any longer: the
 * request that is running is canceled, and what was not acknowledged counts as not sent.
 *
 * Returns NULL: no memory, or no thread.
 */
struct sender *sender_create(const struct bb_client_options *options, struct rejects *rejects,
                             const struct import_position *start, volatile sig_atomic_t *stop,
                             sender_done_fn *done, void *context);

/** Ends without waiting for what has not been sent. */
void sender_destroy(struct sender **sender);

/** An empty batch; waits for one. NULL: sending has failed. */
struct batch *sender_take(struct sender *sender);
void sender_give(struct sender *sender, struct batch *batch);

/** Tell of the row whose lines were appended to batch->lines at `lines_at`. False: no memory. */
bool batch_add_row(struct batch *batch, size_t lines_at, unsigned line_count, uint64_t line,
                   const char *raw, size_t raw_len);

/** Wait until all that was given is sent. False: sending has failed, sender_error tells why. */
bool sender_flush(struct sender *sender);

/** What follows goes to this database and policy. Flushes. */
bool sender_set_target(struct sender *sender, const char *database, const char *policy);

/** Why sending failed; NULL while it has not. `exit_code`: of the program. */
const char *sender_error(struct sender *sender, int *exit_code);

/** Lines on the server's disk, of this run and those before. */
uint64_t sender_stored(struct sender *sender);

#endif
