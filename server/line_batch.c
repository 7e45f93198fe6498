#include "server/line_batch.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES  ((size_t)64 << 10)
#define TOKEN_MAX_BYTES 256
#define KEPT_MAX_BYTES  ((size_t)4 << 20)

struct line_batch *line_batch_create(struct loop *loop, size_t max)
{
    struct line_batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL)
        return NULL;
    batch->loop = loop;
    buf_init(&batch->lines, max, &loop->server->request_budget);
    buf_init(&batch->database, NAME_MAX_BYTES, NULL);
    buf_init(&batch->token, TOKEN_MAX_BYTES, NULL);
    buf_init(&batch->kept, KEPT_MAX_BYTES, NULL);
    rejects_init(&batch->rejects);
    return batch;
}

void line_batch_destroy(struct line_batch *batch)
{
    buf_fini(&batch->lines);
    buf_fini(&batch->database);
    buf_fini(&batch->token);
    buf_fini(&batch->kept);
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

/** Laid out now, kept once the other lines of the batch are stored. */
static void keep_line(void *arg, const char *line, size_t length, const char *reason)
{
    struct line_batch *batch = arg;
    struct reject_entry entry = {.time_ns = batch->now_ns,
                                 .precision_ns = batch->precision_ns,
                                 .database = batch->database.data,
                                 .reason = reason,
                                 .line = line,
                                 .length = length};
    if (reject_log_lay_out(&batch->loop->server->reject_log, &batch->kept, &entry) != BB_OK)
        count_add(&batch->loop->server->reject_log.lost, 1);
}

static void on_run(struct job *job)
{
    struct line_batch *batch = (struct line_batch *)job;
    batch->rejects.keep = keep_line;
    batch->rejects.keep_arg = batch;
    batch->kept.len = 0;
    struct bb_write write = {.database = batch->database.data,
                             .precision_ns = batch->precision_ns,
                             .lines = batch->lines.data,
                             .lines_length = batch->lines.len,
                             .newline_ends_line = true,
                             .now_ns = batch->now_ns,
                             .reject = rejects_add,
                             .reject_arg = &batch->rejects};
    int rc = bb_write_submit(batch->loop->server->db, &write, &batch->result, on_durable, batch,
                             &batch->err);
    batch->err.code = rc;
    if (rc == BB_OK) {
        rejects_count(&batch->rejects, &batch->loop->server->counters);
        reject_log_keep(&batch->loop->server->reject_log, &batch->kept, batch->rejects.count);
        buf_fini(&batch->kept);
    }
    /* The loop hears of the submit first: its message is in the box before the other can be. */
    loop_post(batch->loop, &batch->submit_message);
    if (rc == BB_OK)
        finish_half(batch);
}

void line_batch_reject(struct line_batch *batch, const char *reason)
{
    const char *p = batch->lines.data;
    const char *end = p + batch->lines.len;
    uint64_t count = 0;
    batch->kept.len = 0;
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = newline == NULL ? (size_t)(end - p) : (size_t)(newline - p);
        if (n > 0 && *p != '#') {
            keep_line(batch, p, n, reason);
            count++;
        }
        p += n + 1;
    }
    reject_log_keep(&batch->loop->server->reject_log, &batch->kept, count);
    buf_fini(&batch->kept);
}

bool line_batch_submit(struct line_batch *batch)
{
    rejects_fini(&batch->rejects);
    rejects_init(&batch->rejects);
    batch->err.code = BB_OK;
    if (batch->now_ns == 0)
        batch->now_ns = wall_clock_ns();
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
