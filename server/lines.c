#include "server/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/line_batch.h"
#include "server/line_directive.h"
#include "server/log.h"
#include "server/units.h"

#define RETRY_MS            250
#define REPLIES_MAX_BYTES   ((size_t)64 << 10)
#define TOKEN_MAX_BYTES     256
#define NAME_MAX_BYTES      ((size_t)64 << 10)
#define LOGGED_REJECTS_MAX  20
#define BATCHES_WAITING_MAX 256

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

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
static void submit_next(struct line_conn *conn);

static struct server *server_of(const struct line_conn *conn)
{
    return conn->client.loop->server;
}

static uint64_t now_of(const struct line_conn *conn)
{
    return loop_now_ms(conn->client.loop);
}

/* ---- refusals ---- */

static void log_reject(struct line_conn *conn, uint64_t lines, const char *reason, size_t n)
{
    char quoted[1024];
    if (conn->logged_rejects >= LOGGED_REJECTS_MAX)
        return;
    conn->logged_rejects++;
    log_event(LOG_WARNING, "lines rejected=%" PRIu64 " reason=%s%s", lines,
              log_quote(quoted, sizeof(quoted), reason, n),
              conn->logged_rejects == LOGGED_REJECTS_MAX
                  ? " note=\"more of this connection are counted, not logged\""
                  : "");
}

static void reject_lines(struct line_conn *conn, int code, uint64_t lines, const char *reason)
{
    count_add(&server_of(conn)->counters.rejected[code], lines);
    log_reject(conn, lines, reason, strlen(reason));
}

static void give_up(struct line_conn *conn, const char *reason)
{
    char quoted[1024];
    log_event(LOG_ERROR, "lines close reason=%s",
              log_quote(quoted, sizeof(quoted), reason, strlen(reason)));
    client_close(&conn->client);
}

/* ---- reading or not ---- */

static void update_reading(struct line_conn *conn)
{
    const struct settings *settings = &server_of(conn)->settings;
    uv_stream_t *stream = (uv_stream_t *)&conn->client.tcp;
    if (conn->client.closing)
        return;
    size_t held = conn->waiting_bytes + (conn->filling == NULL ? 0 : conn->filling->lines.len);
    bool want = !conn->ending && !conn->starved && conn->waiting_count < BATCHES_WAITING_MAX &&
                held < settings->line_in_flight &&
                uv_stream_get_write_queue_size(stream) < REPLIES_MAX_BYTES;
    if (want == conn->reading)
        return;
    conn->reading = want;
    if (want)
        uv_read_start(stream, on_alloc, on_read);
    else
        uv_read_stop(stream);
}

/* ---- batches that are done ---- */

struct sync_reply {
    uv_write_t write; /* first */
    char text[TOKEN_MAX_BYTES + 16];
};

static void on_reply_written(uv_write_t *write, int status)
{
    struct line_conn *conn = write->data;
    if (status != 0)
        client_close(&conn->client);
    else
        update_reading(conn);
    free(write);
}

static void answer_sync(struct line_conn *conn, const struct buf *token)
{
    struct sync_reply *reply = malloc(sizeof(*reply));
    if (reply == NULL) {
        give_up(conn, "out of memory");
        return;
    }
    int n = snprintf(reply->text, sizeof(reply->text), "synced %.*s\n", (int)token->len,
                     token->data);
    uv_buf_t buf = uv_buf_init(reply->text, (unsigned)n);
    reply->write.data = conn;
    count_add(&server_of(conn)->counters.line_syncs, 1);
    if (uv_write(&reply->write, (uv_stream_t *)&conn->client.tcp, &buf, 1, on_reply_written) != 0) {
        free(reply);
        client_close(&conn->client);
    }
}

static void finish_done(struct line_conn *conn)
{
    while (conn->first != NULL && conn->first->state == LINE_BATCH_DONE) {
        struct line_batch *batch = conn->first;
        conn->first = batch->next;
        if (conn->first == NULL)
            conn->last = NULL;
        conn->waiting_bytes -= batch->bytes;
        conn->waiting_count--;
        if (batch->token.len > 0 && !conn->client.closing)
            answer_sync(conn, &batch->token);
        line_batch_destroy(batch);
    }
    if (conn->ending && conn->first == NULL && conn->filling == NULL &&
        uv_stream_get_write_queue_size((uv_stream_t *)&conn->client.tcp) == 0)
        client_close(&conn->client);
    update_reading(conn);
}

static bool may_pass(int code)
{
    return code == BB_EBUSY || code == BB_ENOMEM || code == BB_ENOSPC || code == BB_ETIMEOUT;
}

/** The batch is in the log's buffer, or has been refused. */
static void on_submitted(struct line_batch *batch)
{
    struct line_conn *conn = batch->owner;
    bool refused = batch->err.code != BB_OK;
    conn->submitting = false;
    if (!refused) {
        count_add(&server_of(conn)->counters.line_batches, 1);
        if (batch->rejects.count > 0)
            log_reject(conn, batch->rejects.count, batch->rejects.text.data,
                       batch->rejects.text.len);
        conn->next = batch->next;
        submit_next(conn);
    } else if (may_pass(batch->err.code)) {
        if (batch->tries == 1)
            log_reject(conn, 0, batch->err.text, strlen(batch->err.text));
        count_add(&server_of(conn)->counters.line_retries, 1);
        conn->retry_at_ms = now_of(conn) + RETRY_MS;
    } else if (batch->err.code == BB_ENOTFOUND) {
        reject_lines(conn, BB_ENOTFOUND, batch->line_count, batch->err.text);
        batch->state = LINE_BATCH_DONE;
        conn->next = batch->next;
        submit_next(conn);
    } else {
        give_up(conn, batch->err.text);
    }
    if (refused)
        client_release(&conn->client); /* there will be no on_durable */
    finish_done(conn);
    client_release(&conn->client);
}

static void on_durable(struct line_batch *batch)
{
    struct line_conn *conn = batch->owner;
    if (batch->durable_err.code != BB_OK)
        give_up(conn, batch->durable_err.text);
    finish_done(conn);
    client_release(&conn->client);
}

/** Batches go into the log one after the other, so that later readings replace earlier ones. */
static void submit_next(struct line_conn *conn)
{
    while (conn->next != NULL && conn->next->line_count == 0) {
        conn->next->state = LINE_BATCH_DONE;
        conn->next = conn->next->next;
    }
    conn->retry_at_ms = 0;
    if (conn->next == NULL || conn->submitting || conn->client.closing)
        return;
    struct line_batch *batch = conn->next;
    if (!line_batch_submit(batch)) {
        conn->retry_at_ms = now_of(conn) + RETRY_MS;
        return;
    }
    conn->submitting = true;
    client_hold(&conn->client); /* until on_submitted, and until on_durable */
    client_hold(&conn->client);
}

/* ---- filling ---- */

static struct line_batch *make_batch(struct line_conn *conn)
{
    const struct settings *settings = &server_of(conn)->settings;
    struct line_batch *batch = line_batch_create(
        conn->client.loop, settings->line_batch_bytes + settings->max_line + 2 * LOOP_READ_BYTES);
    if (batch == NULL)
        return NULL;
    batch->owner = conn;
    batch->submitted = on_submitted;
    batch->durable = on_durable;
    batch->precision_ns = conn->precision_ns;
    if (buf_put(&batch->database, conn->database.data, conn->database.len + 1) != BB_OK)
        line_batch_destroy(batch);
    else
        return batch;
    return NULL;
}

/** Close the batch behind its last whole line; what follows begins the next one. */
static bool close_batch(struct line_conn *conn, const char *token, size_t token_len)
{
    struct line_batch *batch = conn->filling;
    struct line_batch *next = NULL;
    size_t rest = batch->lines.len - conn->complete;
    if (token_len > TOKEN_MAX_BYTES)
        token_len = TOKEN_MAX_BYTES;
    bool ok = buf_put(&batch->token, token, token_len) == BB_OK;
    if (ok && rest > 0) {
        next = make_batch(conn);
        ok = next != NULL &&
             buf_put(&next->lines, batch->lines.data + conn->complete, rest) == BB_OK;
    }
    if (!ok) {
        if (next != NULL)
            line_batch_destroy(next);
        return false;
    }
    batch->lines.len = conn->complete;
    if (conn->last != NULL)
        conn->last->next = batch;
    else
        conn->first = batch;
    conn->last = batch;
    if (conn->next == NULL)
        conn->next = batch;
    batch->bytes = batch->lines.len;
    conn->waiting_bytes += batch->bytes;
    conn->waiting_count++;
    conn->filling = next;
    conn->scanned -= conn->complete;
    conn->complete = 0;
    if (!conn->submitting && conn->retry_at_ms == 0)
        submit_next(conn);
    return true;
}

/** The filling batch has just been closed behind the directive; later lines obey it. */
static bool obey(struct line_conn *conn, enum line_directive directive, const char *value, size_t n)
{
    char text[TOKEN_MAX_BYTES + 1];
    snprintf(text, sizeof(text), "%.*s", (int)(n < TOKEN_MAX_BYTES ? n : TOKEN_MAX_BYTES), value);
    if (directive == LINE_PRECISION) {
        int64_t unit = units_precision_ns(text);
        if (unit == 0) {
            give_up(conn, "# precision: not one of n, u, ms, s, m or h");
            return false;
        }
        conn->precision_ns = unit;
    } else if (directive == LINE_DB) {
        conn->database.len = 0;
        if (buf_put(&conn->database, text, strlen(text) + 1) != BB_OK)
            return false;
        conn->database.len--;
    }
    if (conn->filling != NULL) {
        conn->filling->precision_ns = conn->precision_ns;
        conn->filling->database.len = 0;
        return buf_put(&conn->filling->database, conn->database.data, conn->database.len + 1) ==
               BB_OK;
    }
    return true;
}

/** One whole line at the end of what is complete. False: the connection has to end. */
static bool take_line(struct line_conn *conn, const char *line, size_t n)
{
    const struct settings *settings = &server_of(conn)->settings;
    char copy[TOKEN_MAX_BYTES];
    const char *value = NULL;
    size_t value_len = 0;
    enum line_directive directive = n > 0 && line[0] == '#'
                                        ? line_directive_parse(line, n, &value, &value_len)
                                        : LINE_NONE;
    if (directive == LINE_NONE) {
        if (conn->filling->line_count++ == 0)
            conn->filling_since_ms = now_of(conn);
        if ((conn->filling->line_count >= settings->line_batch_lines ||
             conn->complete >= settings->line_batch_bytes) &&
            !close_batch(conn, "", 0))
            conn->starved = true; /* the next tick closes it */
        return true;
    }
    /* The line goes with the batch that is closed. */
    value_len = value_len < sizeof(copy) ? value_len : sizeof(copy);
    memcpy(copy, value, value_len);
    return close_batch(conn, copy, directive == LINE_SYNC ? value_len : 0) &&
           obey(conn, directive, copy, value_len);
}

/** Take out the unfinished line at the end of the filling batch. */
static void drop_tail(struct line_conn *conn)
{
    conn->filling->lines.len = conn->complete;
    conn->scanned = conn->complete;
}

/** End of the line that was too long: lose it, newline included. */
static void end_skipping(struct line_conn *conn)
{
    struct buf *lines = &conn->filling->lines;
    char *tail = lines->data + conn->complete;
    const char *newline = memchr(tail, '\n', lines->len - conn->complete);
    if (newline == NULL) {
        drop_tail(conn);
        return;
    }
    size_t rest = (size_t)(lines->data + lines->len - (newline + 1));
    memmove(tail, newline + 1, rest);
    lines->len = conn->complete + rest;
    conn->scanned = conn->complete;
    conn->skipping = false;
}

/** Look at bytes that have been read into the filling batch. */
static bool scan(struct line_conn *conn)
{
    if (conn->skipping)
        end_skipping(conn);
    while (conn->filling != NULL && conn->scanned < conn->filling->lines.len) {
        const struct buf *lines = &conn->filling->lines;
        const char *start = lines->data + conn->complete;
        const char *newline = memchr(lines->data + conn->scanned, '\n', lines->len - conn->scanned);
        if (newline == NULL) {
            conn->scanned = lines->len;
            break;
        }
        conn->scanned = conn->complete = (size_t)(newline + 1 - lines->data);
        if (!take_line(conn, start, (size_t)(newline - start)))
            return false;
    }
    if (conn->filling != NULL &&
        conn->filling->lines.len - conn->complete > server_of(conn)->settings.max_line) {
        reject_lines(conn, BB_ELIMIT, 1, "line longer than max-line");
        drop_tail(conn);
        conn->skipping = true;
    }
    return true;
}

/* ---- the connection ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct line_conn *conn = (struct line_conn *)handle;
    (void)suggested;
    *buf = uv_buf_init(NULL, 0); /* read as UV_ENOBUFS */
    if (conn->filling == NULL) {
        conn->filling = make_batch(conn);
        conn->scanned = conn->complete = 0;
    }
    if (conn->filling == NULL)
        return;
    struct buf *lines = &conn->filling->lines;
    if (buf_reserve(lines, LOOP_READ_BYTES) == BB_OK)
        *buf = uv_buf_init(lines->data + lines->len, LOOP_READ_BYTES);
}

/** Store what is there; close when it is on disk. */
static void end(struct line_conn *conn)
{
    if (conn->ending)
        return;
    conn->ending = true;
    if (conn->filling != NULL && conn->filling->lines.len > conn->complete && !conn->skipping) {
        reject_lines(conn, BB_EPARSE, 1, "the connection ended within a line");
        drop_tail(conn);
    }
    if (conn->filling != NULL && conn->complete > 0) {
        if (!close_batch(conn, "", 0))
            give_up(conn, "out of memory");
    } else if (conn->filling != NULL) {
        line_batch_destroy(conn->filling);
        conn->filling = NULL;
    }
    finish_done(conn);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct line_conn *conn = (struct line_conn *)stream;
    (void)buf;
    if (nread == 0)
        return;
    client_hold(&conn->client);
    if (nread == UV_ENOBUFS) {
        conn->starved = true; /* the next tick tries again */
        update_reading(conn);
    } else if (nread < 0) {
        end(conn);
    } else {
        conn->last_read_ms = now_of(conn);
        count_add(&server_of(conn)->counters.line_bytes, (uint64_t)nread);
        conn->filling->lines.len += (size_t)nread;
        if (!scan(conn) && !conn->client.closing)
            give_up(conn, "out of memory");
        finish_done(conn);
    }
    client_release(&conn->client);
}

static void on_tick(struct client *client, uint64_t now)
{
    struct line_conn *conn = (struct line_conn *)client;
    const struct settings *settings = &server_of(conn)->settings;
    client_hold(client);
    if (conn->retry_at_ms != 0 && now >= conn->retry_at_ms)
        submit_next(conn);
    struct line_batch *batch = conn->filling;
    if (batch != NULL && batch->line_count > 0 &&
        (conn->starved || now - conn->filling_since_ms >= settings->line_batch_delay) &&
        !close_batch(conn, "", 0))
        conn->starved = true;
    else
        conn->starved = false;
    if (conn->filling != NULL && conn->filling->lines.len == 0) {
        line_batch_destroy(conn->filling); /* an idle connection holds no memory */
        conn->filling = NULL;
    }
    if (!conn->ending && conn->first == NULL && conn->filling == NULL &&
        now - conn->last_read_ms >= settings->line_idle_timeout) {
        count_add(&server_of(conn)->counters.clients_closed_idle, 1);
        client_close(client);
    }
    finish_done(conn);
    client_release(client);
}

static void on_stop(struct client *client)
{
    end((struct line_conn *)client);
}

static void on_closing(struct client *client)
{
    struct line_conn *conn = (struct line_conn *)client;
    uint64_t lost = conn->filling == NULL ? 0 : conn->filling->line_count;
    for (struct line_batch *batch = conn->next; batch != NULL; batch = batch->next)
        lost += batch->state == LINE_BATCH_WAITING ? batch->line_count : 0;
    if (lost > 0)
        log_event(LOG_WARNING, "lines lost=%" PRIu64 " reason=\"connection closed by the server\"",
                  lost);
}

static void on_destroy(struct client *client)
{
    struct line_conn *conn = (struct line_conn *)client;
    while (conn->first != NULL) {
        struct line_batch *next = conn->first->next;
        line_batch_destroy(conn->first);
        conn->first = next;
    }
    if (conn->filling != NULL)
        line_batch_destroy(conn->filling);
    buf_fini(&conn->database);
    free(conn);
}

static _Atomic int64_t *count_of(struct server *server)
{
    return &server->connections_line;
}

static const struct client_ops ops = {.tick = on_tick,
                                      .stop = on_stop,
                                      .closing = on_closing,
                                      .destroy = on_destroy,
                                      .count = count_of};

void lines_accept(struct listener *listener)
{
    struct client *client = client_accept(listener, sizeof(struct line_conn), &ops, NULL);
    if (client == NULL)
        return;
    struct line_conn *conn = (struct line_conn *)client;
    struct server *server = server_of(conn);
    const char *database = server->settings.line_database;
    conn->precision_ns = server->line_precision_ns;
    conn->last_read_ms = now_of(conn);
    buf_init(&conn->database, NAME_MAX_BYTES, NULL);
    if (buf_put(&conn->database, database, strlen(database) + 1) != BB_OK) {
        client_close(client);
        return;
    }
    conn->database.len--;
    update_reading(conn);
}
