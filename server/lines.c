#include "server/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/line_conn.h"
#include "server/log.h"

#define RETRY_MS            250
#define REPLIES_MAX_BYTES   ((size_t)64 << 10)
#define NAME_MAX_BYTES      ((size_t)64 << 10)
#define LOGGED_REJECTS_MAX  20
#define CUT_KEPT_BYTES      ((size_t)4096)
#define BATCHES_WAITING_MAX 256

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

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

void line_reject(struct line_conn *conn, int code, uint64_t lines, const char *reason)
{
    count_add(&server_of(conn)->counters.rejected[code], lines);
    log_reject(conn, lines, reason, strlen(reason));
}

void line_reject_tail(struct line_conn *conn, int code, const char *reason)
{
    struct reject_log *log = &server_of(conn)->reject_log;
    const struct buf *lines = &conn->filling->lines;
    size_t length = lines->len - conn->complete;
    struct reject_entry entry = {.time_ns = wall_clock_ns(),
                                 .precision_ns = conn->precision_ns,
                                 .database = conn->database.data,
                                 .reason = reason,
                                 .line = lines->data + conn->complete,
                                 .length = length < CUT_KEPT_BYTES ? length : CUT_KEPT_BYTES,
                                 .cut = true};
    struct buf text;
    buf_init(&text, SIZE_MAX, NULL);
    if (reject_log_lay_out(log, &text, &entry) != BB_OK)
        text.len = 0;
    reject_log_keep(log, &text, 1);
    buf_fini(&text);
    line_reject(conn, code, 1, reason);
    line_drop_tail(conn);
}

void line_give_up(struct line_conn *conn, const char *reason)
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
    char text[LINE_TOKEN_MAX + 16];
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
        line_give_up(conn, "out of memory");
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
        line_submit_next(conn);
    } else if (may_pass(batch->err.code)) {
        if (batch->tries == 1)
            log_reject(conn, 0, batch->err.text, strlen(batch->err.text));
        count_add(&server_of(conn)->counters.line_retries, 1);
        conn->retry_at_ms = now_of(conn) + RETRY_MS;
    } else if (batch->err.code == BB_ENOTFOUND || batch->err.code == BB_ENOPOLICY) {
        line_reject(conn, batch->err.code, batch->line_count, batch->err.text);
        line_batch_reject(batch, batch->err.text);
        batch->state = LINE_BATCH_DONE;
        conn->next = batch->next;
        line_submit_next(conn);
    } else {
        line_give_up(conn, batch->err.text);
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
        line_give_up(conn, batch->durable_err.text);
    finish_done(conn);
    client_release(&conn->client);
}

void line_submit_next(struct line_conn *conn)
{
    while (conn->next != NULL && conn->next->line_count == 0) {
        conn->next->state = LINE_BATCH_DONE;
        conn->next = conn->next->next;
    }
    conn->retry_at_ms = 0;
    if (conn->next == NULL || conn->submitting || conn->client.closing)
        return;
    struct line_batch *batch = conn->next;
    batch->owner = conn;
    batch->submitted = on_submitted;
    batch->durable = on_durable;
    if (!line_batch_submit(batch)) {
        conn->retry_at_ms = now_of(conn) + RETRY_MS;
        return;
    }
    conn->submitting = true;
    client_hold(&conn->client); /* until on_submitted, and until on_durable */
    client_hold(&conn->client);
}

/* ---- the connection ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct line_conn *conn = (struct line_conn *)handle;
    (void)suggested;
    *buf = uv_buf_init(NULL, 0); /* read as UV_ENOBUFS */
    if (conn->filling == NULL) {
        conn->filling = line_make_batch(conn);
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
        line_reject_tail(conn, BB_EPARSE, "the connection ended within a line");
    }
    if (conn->filling != NULL && conn->complete > 0) {
        if (!line_close_batch(conn, "", 0))
            line_give_up(conn, "out of memory");
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
        if (!line_scan(conn) && !conn->client.closing)
            line_give_up(conn, "out of memory");
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
        line_submit_next(conn);
    struct line_batch *batch = conn->filling;
    if (batch != NULL && batch->line_count > 0 &&
        (conn->starved || now - conn->filling_since_ms >= settings->line_batch_delay) &&
        !line_close_batch(conn, "", 0))
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

void lines_accept(struct listener *listener, int fd)
{
    struct client *client = client_accept(listener, fd, sizeof(struct line_conn), &ops, NULL);
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
