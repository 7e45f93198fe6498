#include "server/line_batch.h"

#include <stdlib.h>

#define NAME_MAX_BYTES  ((size_t)64 << 10)
#define TOKEN_MAX_BYTES 256

struct line_batch *line_batch_create(struct loop *loop, size_t max)
{
    struct line_batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL)
        return NULL;
    batch->loop = loop;
    buf_init(&batch->lines, max, &loop->server->request_budget);
    buf_init(&batch->database, NAME_MAX_BYTES, NULL);
    buf_init(&batch->token, TOKEN_MAX_BYTES, NULL);
    rejects_init(&batch->rejects);
    return batch;
}

void line_batch_destroy(struct line_batch *batch)
{
    buf_fini(&batch->lines);
    buf_fini(&batch->database);
    buf_fini(&batch->token);
    rejects_fini(&batch->rejects);
    free(batch);
}

static void on_durable_message(struct message *message)
{
    struct line_batch *batch = (struct line_batch *)(void *)((char *)message -
                                                             offsetof(struct line_batch,
                                                                      durable_message));
    batch->state = LINE_BATCH_DONE;
    batch->durable(batch);
}

static void on_submit_message(struct message *message)
{
    struct line_batch *batch = (struct line_batch *)(void *)((char *)message -
                                                             offsetof(struct line_batch,
                                                                      submit_message));
    if (batch->err.code == BB_OK)
        buf_fini(&batch->lines);
    else
        batch->state = LINE_BATCH_WAITING;
    batch->submitted(batch);
}

/* ---- on other threads ---- */

static void finish_half(struct line_batch *batch)
{
    if (atomic_fetch_sub(&batch->pending, 1) == 1)
        loop_post(batch->loop, &batch->durable_message);
}

static void on_durable(void *arg, const struct bb_error *err)
{
    struct line_batch *batch = arg;
    if (err != NULL)
        batch->durable_err = *err;
    finish_half(batch);
}

static void on_run(struct job *job)
{
    struct line_batch *batch = (struct line_batch *)job;
    struct bb_write write = {.database = batch->database.data,
                             .precision_ns = batch->precision_ns,
                             .lines = batch->lines.data,
                             .lines_length = batch->lines.len,
                             .reject = rejects_add,
                             .reject_arg = &batch->rejects};
    int rc = bb_write_submit(batch->loop->server->db, &write, &batch->result, on_durable, batch,
                             &batch->err);
    batch->err.code = rc;
    if (rc == BB_OK)
        rejects_count(&batch->rejects, &batch->loop->server->counters);
    /* The loop hears of the submit first: its message is in the box before the other can be. */
    loop_post(batch->loop, &batch->submit_message);
    if (rc == BB_OK)
        finish_half(batch);
}

bool line_batch_submit(struct line_batch *batch)
{
    rejects_fini(&batch->rejects);
    rejects_init(&batch->rejects);
    batch->err.code = BB_OK;
    batch->job.run = on_run;
    batch->submit_message.run = on_submit_message;
    batch->durable_message.run = on_durable_message;
    atomic_store(&batch->pending, 2);
    batch->state = LINE_BATCH_SUBMITTED;
    batch->tries++;
    if (pool_submit(&batch->loop->server->write_pool, &batch->job))
        return true;
    batch->state = LINE_BATCH_WAITING;
    return false;
}
