#include "client/import_send.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/import_exit.h"

#define BATCHES         4
#define WAIT_MS         50
/* Of a group that the server refused as a whole, this many rows are told apart by asking again. */
#define TELL_APART_ROWS 64

struct batch_row {
    size_t lines_at, raw_at, raw_len;
    unsigned line_count;
    uint64_t line;
};

struct sender {
    struct bb_client *client;
    struct rejects *rejects;
    volatile sig_atomic_t *stop;
    sender_done_fn *done;
    void *context;
    struct import_position position; /* of the sending thread */
    pthread_t thread;
    bool started;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch batches[BATCHES];
    struct batch *idle, *queue, **queue_end;
    bool busy, stopping, failed;
    uint64_t stored;
    int exit_code;
    char error[BB_CLIENT_TEXT_MAX];
};

/* ---- the sending thread ---- */

static bool fail(struct sender *s, int exit_code, const char *text)
{
    pthread_mutex_lock(&s->lock);
    if (!s->failed) {
        s->exit_code = exit_code;
        snprintf(s->error, sizeof(s->error), "%s", text);
    }
    s->failed = true;
    pthread_mutex_unlock(&s->lock);
    return false;
}

static size_t lines_at(const struct batch *b, unsigned row)
{
    return row == b->row_count ? b->lines.len : b->rows[row].lines_at;
}

static uint64_t count_lines(const struct batch *b, unsigned from, unsigned to)
{
    uint64_t n = 0;
    for (unsigned i = from; i < to; i++)
        n += b->rows[i].line_count;
    return n;
}

static bool fail_rejects(struct sender *s)
{
    char text[512];
    snprintf(text, sizeof(text), "%s: %s", rejects_path(s->rejects), rejects_error(s->rejects));
    return fail(s, EXIT_FILE, text);
}

static bool reject_rows(struct sender *s, const struct batch *b, unsigned from, unsigned to,
                        const char *reason)
{
    for (unsigned i = from; i < to; i++) {
        const struct batch_row *row = &b->rows[i];
        if (!rejects_add(s->rejects, row->line, b->raw.data + row->raw_at, row->raw_len, reason))
            return fail_rejects(s);
    }
    return true;
}

/**
 * The first reason of "partial write: REASON\nREASON ... dropped=N" or of several lines "unable to
 * parse 'LINE': REASON": of a single row it is the row's; of a group, one of theirs.
 */
static const char *first_reason(struct bb_client_error *err)
{
    static const char prefix[] = "partial write: ";
    char *text = err->text;
    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
        text += sizeof(prefix) - 1;
    char *end = strchr(text, '\n');
    if (end == NULL)
        end = strstr(text, " dropped=");
    if (end != NULL)
        *end = '\0';
    return text;
}

/** Store rows from .. to - 1, or know which of them the server refuses. */
static bool send_rows(struct sender *s, const struct batch *b, unsigned from, unsigned to)
{
    size_t at = lines_at(b, from), len = lines_at(b, to) - at;
    struct bb_client_error err;
    uint64_t lines = count_lines(b, from, to), dropped;
    if (len == 0)
        return true;
    int kind = bb_client_write(s->client, b->lines.data + at, len, &err);
    if (kind == BB_CLIENT_OK) {
        s->position.stored += lines;
        return true;
    }
    if (kind != BB_CLIENT_PARTIAL)
        return fail(s, import_exit_of(&err), err.text);
    dropped = err.dropped > lines ? lines : err.dropped;
    if (to - from == 1 || (dropped == lines && to - from > TELL_APART_ROWS)) {
        s->position.stored += lines - dropped;
        return reject_rows(s, b, from, to, first_reason(&err));
    }
    unsigned middle = from + (to - from) / 2;
    return send_rows(s, b, from, middle) && send_rows(s, b, middle, to);
}

static void send_batch(struct sender *s, const struct batch *b)
{
    uint64_t stored_before = s->position.stored;
    if (!send_rows(s, b, 0, b->row_count))
        return;
    if (!rejects_flush(s->rejects)) {
        fail_rejects(s);
        return;
    }
    uint64_t stored = s->position.stored;
    s->position = b->end;
    s->position.stored = stored;
    pthread_mutex_lock(&s->lock);
    s->stored += stored - stored_before;
    pthread_mutex_unlock(&s->lock);
    s->done(s->context, &s->position);
}

static void *run(void *context)
{
    struct sender *s = context;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->queue == NULL && !s->stopping)
            pthread_cond_wait(&s->changed, &s->lock);
        if (s->stopping)
            break;
        struct batch *b = s->queue;
        s->queue = b->next;
        if (s->queue == NULL)
            s->queue_end = &s->queue;
        s->busy = true;
        bool skip = s->failed;
        pthread_mutex_unlock(&s->lock);
        if (!skip)
            send_batch(s, b);
        pthread_mutex_lock(&s->lock);
        s->busy = false;
        b->next = s->idle;
        s->idle = b;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the caller ---- */

/** Wait for the sending thread, or for the user to stop it. With the lock held. */
static void wait_or_stop(struct sender *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WAIT_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
    if (*s->stop == 0)
        return;
    if (!s->failed) {
        s->exit_code = EXIT_INTERRUPTED;
        snprintf(s->error, sizeof(s->error), "interrupted");
    }
    s->failed = true;
    /* Again each time: a request may have begun after the last one was canceled. */
    if (s->busy)
        bb_client_cancel(s->client);
}

struct sender *sender_create(const struct bb_client_options *options, struct rejects *rejects,
                             const struct import_position *start, volatile sig_atomic_t *stop,
                             sender_done_fn *done, void *context)
{
    struct sender *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->rejects = rejects;
    s->position = *start;
    s->stored = start->stored;
    s->stop = stop;
    s->done = done;
    s->context = context;
    s->queue_end = &s->queue;
    for (unsigned i = 0; i < BATCHES; i++) {
        s->batches[i].next = s->idle;
        s->idle = &s->batches[i];
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    struct bb_client_error err;
    if (bb_client_create(&s->client, options, &err) != BB_CLIENT_OK)
        fail(s, import_exit_of(&err), err.text);
    s->started = pthread_create(&s->thread, NULL, run, s) == 0;
    if (!s->started)
        sender_destroy(&s);
    return s;
}

void sender_destroy(struct sender **sender)
{
    struct sender *s = *sender;
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (s->started)
        pthread_join(s->thread, NULL);
    bb_client_destroy(&s->client);
    for (unsigned i = 0; i < BATCHES; i++) {
        import_buf_fini(&s->batches[i].lines);
        import_buf_fini(&s->batches[i].raw);
        free(s->batches[i].rows);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
    *sender = NULL;
}

struct batch *sender_take(struct sender *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->idle == NULL && !s->failed)
        wait_or_stop(s);
    struct batch *b = s->failed ? NULL : s->idle;
    if (b != NULL) {
        s->idle = b->next;
        b->lines.len = b->raw.len = b->row_count = 0;
        b->next = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return b;
}

void sender_give(struct sender *s, struct batch *b)
{
    pthread_mutex_lock(&s->lock);
    *s->queue_end = b;
    s->queue_end = &b->next;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

bool batch_add_row(struct batch *b, size_t at, unsigned line_count, uint64_t line, const char *raw,
                   size_t raw_len)
{
    if (b->row_count == b->row_cap) {
        unsigned cap = b->row_cap == 0 ? 1024 : b->row_cap * 2;
        struct batch_row *rows = realloc(b->rows, cap * sizeof(*rows));
        if (rows == NULL)
            return false;
        b->rows = rows;
        b->row_cap = cap;
    }
    b->rows[b->row_count++] = (struct batch_row){at, b->raw.len, raw_len, line_count, line};
    import_buf_add(&b->raw, raw, raw_len);
    return !b->raw.failed && !b->lines.failed;
}

bool sender_flush(struct sender *s)
{
    pthread_mutex_lock(&s->lock);
    while ((s->queue != NULL || s->busy) && !s->failed)
        wait_or_stop(s);
    while (s->busy)
        wait_or_stop(s);
    bool ok = !s->failed;
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool sender_set_target(struct sender *s, const char *database, const char *policy)
{
    if (!sender_flush(s))
        return false;
    struct bb_client_error err;
    return bb_client_use(s->client, database, policy, &err) == BB_CLIENT_OK ||
           fail(s, import_exit_of(&err), err.text);
}

const char *sender_error(struct sender *s, int *exit_code)
{
    pthread_mutex_lock(&s->lock);
    const char *error = s->failed ? s->error : NULL;
    *exit_code = s->exit_code;
    pthread_mutex_unlock(&s->lock);
    return error;
}

uint64_t sender_stored(struct sender *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t stored = s->stored;
    pthread_mutex_unlock(&s->lock);
    return stored;
}
