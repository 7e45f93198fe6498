/**
 * The reply of a query that is longer than a piece: its pieces wait in a list of the run for the
 * loop, which sends them; the query's thread waits while the client has more than `reply-buffer`
 * bytes to take.
 */
#include <stdlib.h>

#include "server/accept.h"
#include "server/http_query_run.h"

/** Under lock; the engine looks at it without. */
static void set_canceled(struct query_run *run)
{
    __atomic_store_n(&run->canceled, 1, __ATOMIC_RELAXED);
}

/* ---- on the query's thread ---- */

/** Under lock: whether the client has to take of what it was given, before n bytes more. */
static bool must_wait(const struct query_run *run, size_t n)
{
    size_t limit = run->base.loop->server->settings.reply_buffer;
    return run->unsent > 0 && run->unsent + n > limit && !run->canceled && !run->killed;
}

/** Under lock. Other queries go on meanwhile: their clients may read. */
static void wait_for_client(struct query_run *run, size_t n)
{
    struct pool *pool = &run->base.loop->server->query_pool;
    bool lent = pool_lend(pool);
    while (must_wait(run, n))
        pthread_cond_wait(&run->taken, &run->lock);
    if (lent)
        pool_take_back(pool);
}

/** Hand a piece to the loop, when the client has taken enough of the earlier ones. */
static int push(struct query_run *run, struct http_piece *piece)
{
    pthread_mutex_lock(&run->lock);
    if (must_wait(run, piece->data.len))
        wait_for_client(run, piece->data.len);
    bool canceled = run->canceled != 0;
    bool post = !canceled && !run->posted;
    if (!canceled) {
        if (run->last != NULL)
            run->last->next = piece;
        else
            run->first = piece;
        run->last = piece;
        run->unsent += piece->data.len;
        run->posted = true;
    }
    pthread_mutex_unlock(&run->lock);
    if (post)
        loop_post(run->base.loop, &run->wake);
    return canceled ? BB_ECANCELED : BB_OK;
}

static void on_piece_sent(struct http_piece *piece, bool ok);

static struct http_piece *make_piece(struct query_run *run, struct buf *text)
{
    struct http_piece *piece = calloc(1, sizeof(*piece));
    if (piece == NULL)
        return NULL;
    buf_init(&piece->data, text->max, text->budget);
    buf_swap(&piece->data, text);
    piece->owner = run;
    piece->sent = on_piece_sent;
    return piece;
}

static void free_piece(struct http_piece *piece)
{
    buf_fini(&piece->data);
    free(piece);
}

int http_query_pack(struct query_run *run, struct buf *text, bool ends)
{
    struct buf packed;
    buf_init(&packed, text->max, text->budget);
    int rc = gzip_put(&run->gzip, text->data, text->len, ends, &packed);
    if (rc == BB_OK)
        buf_swap(&packed, text);
    buf_fini(&packed);
    return rc;
}

int http_query_flush(void *arg, struct buf *text)
{
    struct query_run *run = arg;
    int packed = run->as_gzip ? http_query_pack(run, text, false) : BB_OK;
    if (packed != BB_OK)
        return packed;
    struct http_piece *piece = make_piece(run, text);
    if (piece == NULL)
        return BB_ENOMEM;
    int rc = push(run, piece);
    if (rc != BB_OK)
        free_piece(piece);
    return rc;
}

void http_query_killed(void *arg)
{
    struct query_run *run = arg;
    pthread_mutex_lock(&run->lock);
    run->killed = true;
    pthread_cond_signal(&run->taken);
    pthread_mutex_unlock(&run->lock);
}

/* ---- on the loop ---- */

static void on_piece_sent(struct http_piece *piece, bool ok)
{
    struct query_run *run = piece->owner;
    pthread_mutex_lock(&run->lock);
    run->unsent -= piece->data.len;
    if (!ok)
        set_canceled(run);
    pthread_cond_signal(&run->taken);
    pthread_mutex_unlock(&run->lock);
    free_piece(piece);
    http_query_release(run);
}

const char *http_query_encoding(const struct query_run *run)
{
    return run->as_gzip ? "Content-Encoding: gzip\r\n" : "";
}

static void send_piece(struct query_run *run, struct http_piece *piece)
{
    struct http_conn *conn = run->base.conn;
    if (!run->streaming && !conn->client.closing)
        http_stream_begin(conn, 200, accept_name(run->type), http_query_encoding(run));
    run->streaming = true;
    count_add(&conn->client.loop->server->counters.query_reply_bytes, piece->data.len);
    run->refs++;
    http_stream_put(conn, piece);
}

void http_query_on_wake(struct message *message)
{
    struct query_run *run = (struct query_run *)(void *)((char *)message -
                                                         offsetof(struct query_run, wake));
    pthread_mutex_lock(&run->lock);
    struct http_piece *piece = run->first;
    run->first = run->last = NULL;
    run->posted = false;
    pthread_mutex_unlock(&run->lock);
    while (piece != NULL) {
        struct http_piece *next = piece->next;
        send_piece(run, piece);
        piece = next;
    }
}

void http_query_stream_end(struct query_run *run)
{
    struct http_conn *conn = run->base.conn;
    struct http_piece *piece = run->reply.len > 0 ? make_piece(run, &run->reply) : NULL;
    if (piece != NULL) {
        pthread_mutex_lock(&run->lock);
        run->unsent += piece->data.len;
        pthread_mutex_unlock(&run->lock);
        send_piece(run, piece);
    }
    if (piece != NULL || run->reply.len == 0)
        http_stream_end(conn);
    else
        client_close(&conn->client);
}

void http_query_cancel(struct query_run *run)
{
    pthread_mutex_lock(&run->lock);
    set_canceled(run);
    pthread_cond_signal(&run->taken);
    pthread_mutex_unlock(&run->lock);
}
