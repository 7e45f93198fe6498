#include <stdio.h>
#include <string.h>

#include "server/line_conn.h"
#include "server/line_directive.h"
#include "server/units.h"

static struct server *server_of(const struct line_conn *conn)
{
    return conn->client.loop->server;
}

struct line_batch *line_make_batch(struct line_conn *conn)
{
    const struct settings *settings = &server_of(conn)->settings;
    struct line_batch *batch = line_batch_create(
        conn->client.loop, settings->line_batch_bytes + settings->max_line + 2 * LOOP_READ_BYTES);
    if (batch == NULL)
        return NULL;
    batch->precision_ns = conn->precision_ns;
    if (buf_put(&batch->database, conn->database.data, conn->database.len + 1) != BB_OK)
        line_batch_destroy(batch);
    else
        return batch;
    return NULL;
}

bool line_close_batch(struct line_conn *conn, const char *token, size_t token_len)
{
    struct line_batch *batch = conn->filling;
    struct line_batch *next = NULL;
    size_t rest = batch->lines.len - conn->complete;
    if (token_len > LINE_TOKEN_MAX)
        token_len = LINE_TOKEN_MAX;
    bool ok = buf_put(&batch->token, token, token_len) == BB_OK;
    if (ok && rest > 0) {
        next = line_make_batch(conn);
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
        line_submit_next(conn);
    return true;
}

/** The filling batch has just been closed behind the directive; later lines obey it. */
static bool obey(struct line_conn *conn, enum line_directive directive, const char *value, size_t n)
{
    char text[LINE_TOKEN_MAX + 1];
    snprintf(text, sizeof(text), "%.*s", (int)(n < LINE_TOKEN_MAX ? n : LINE_TOKEN_MAX), value);
    if (directive == LINE_PRECISION) {
        int64_t unit = units_precision_ns(text);
        if (unit == 0) {
            line_give_up(conn, "# precision: not one of n, u, ms, s, m or h");
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
    char copy[LINE_TOKEN_MAX];
    const char *value = NULL;
    size_t value_len = 0;
    enum line_directive directive = n > 0 && line[0] == '#'
                                        ? line_directive_parse(line, n, &value, &value_len)
                                        : LINE_NONE;
    if (directive == LINE_NONE) {
        if (conn->filling->line_count++ == 0)
            conn->filling_since_ms = loop_now_ms(conn->client.loop);
        if ((conn->filling->line_count >= settings->line_batch_lines ||
             conn->complete >= settings->line_batch_bytes) &&
            !line_close_batch(conn, "", 0))
            conn->starved = true; /* the next tick closes it */
        return true;
    }
    /* The line goes with the batch that is closed. */
    value_len = value_len < sizeof(copy) ? value_len : sizeof(copy);
    memcpy(copy, value, value_len);
    return line_close_batch(conn, copy, directive == LINE_SYNC ? value_len : 0) &&
           obey(conn, directive, copy, value_len);
}

void line_drop_tail(struct line_conn *conn)
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
        line_drop_tail(conn);
        return;
    }
    size_t rest = (size_t)(lines->data + lines->len - (newline + 1));
    memmove(tail, newline + 1, rest);
    lines->len = conn->complete + rest;
    conn->scanned = conn->complete;
    conn->skipping = false;
}

bool line_scan(struct line_conn *conn)
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
        line_reject_tail(conn, BB_ELIMIT, "line longer than max-line");
        conn->skipping = true;
    }
    return true;
}
