/*
 * A ring of batches between the caller and one sender. The caller fills the batch at `filling`; it
 * becomes the sender's when it is full or flushed. Batches in [sending, filling) wait or are under
 * way. The caller's own batch needs no lock: the sender never looks at it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/impl.h"

#define BATCH_BYTES_MAX ((size_t)64 << 20)
#define QUEUE_MAX       1024u

struct batch {
    struct text lines;
    uint64_t count;
    uint64_t position;
};

struct bb_client_writer {
    struct bb_client *client;
    struct bb_client_writer_options options;
    struct batch *batches; /* [slots] */
    unsigned slots;        /* queue_batches and the one that is filled */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    uint64_t filling; /* count of batches handed over so far; the slot is its remainder */
    uint64_t sending; /* count of batches done */
    bool stopping;
    bool stopped; /* an error that stays */
    struct bb_client_error error;
};

void bb_client_writer_options_init(struct bb_client_writer_options *options)
{
    *options = (struct bb_client_writer_options){
        .batch_lines = 5000,
        .batch_bytes = (size_t)4 << 20,
        .queue_batches = 4,
    };
}

static int sticky(struct bb_client_writer *w, struct bb_client_error *error)
{
    if (error != NULL)
        *error = w->error;
    return w->error.kind;
}

static void acknowledge(struct bb_client_writer *w, const struct batch *b,
                        const struct bb_client_error *error)
{
    struct bb_client_ack ack = {
        .position = b->position,
        .lines = b->count,
        .bytes = b->lines.len,
        .data = text_get(&b->lines),
        .error = error,
    };
    if (w->options.acknowledged != NULL)
        w->options.acknowledged(w->options.arg, &ack);
}

static void send_batch(struct bb_client_writer *w, struct batch *b)
{
    struct bb_client_error error;
    int rc = bbc_write(w->client, b->lines.data, b->lines.len, &error);
    acknowledge(w, b, rc == BB_CLIENT_OK ? NULL : &error);
    bool fatal = rc != BB_CLIENT_OK && (rc != BB_CLIENT_PARTIAL || w->options.stop_on_refusal);
    text_clear(&b->lines);
    b->count = 0;
    pthread_mutex_lock(&w->lock);
    w->sending++;
    if (fatal && !w->stopped) {
        w->stopped = true;
        w->error = error;
    }
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void *send_all(void *arg)
{
    struct bb_client_writer *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->stopping && !w->stopped && w->sending == w->filling)
            pthread_cond_wait(&w->changed, &w->lock);
        if (w->stopping || w->stopped)
            break;
        struct batch *b = &w->batches[w->sending % w->slots];
        pthread_mutex_unlock(&w->lock);
        send_batch(w, b);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static int start(struct bb_client_writer *w, struct bb_client_error *error)
{
    w->slots = w->options.queue_batches + 1;
    w->batches = calloc(w->slots, sizeof(*w->batches));
    if (w->batches == NULL)
        return bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    for (unsigned i = 0; i < w->slots; i++)
        text_init(&w->batches[i].lines, BATCH_BYTES_MAX);
    bbc_arm(w->client);
    int rc = pthread_create(&w->thread, NULL, send_all, w);
    if (rc != 0)
        return bbc_fail(error, BB_CLIENT_NOMEM, "start a thread: %s", strerror(rc));
    w->started = true;
    return BB_CLIENT_OK;
}

int bb_client_writer_create(struct bb_client_writer **writer,
                            const struct bb_client_options *options,
                            const struct bb_client_writer_options *writer_options,
                            struct bb_client_error *error)
{
    *writer = NULL;
    if (options == NULL || options->database == NULL)
        return bbc_fail(error, BB_CLIENT_USAGE, "no database to write to");
    struct bb_client_writer *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    bb_client_writer_options_init(&w->options);
    if (writer_options != NULL)
        w->options = *writer_options;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    int rc;
    if (w->options.batch_lines == 0 || w->options.batch_bytes == 0 ||
        w->options.batch_bytes > BATCH_BYTES_MAX || w->options.queue_batches == 0 ||
        w->options.queue_batches > QUEUE_MAX)
        rc = bbc_fail(error, BB_CLIENT_USAGE, "a size of batches or queue is out of range");
    else
        rc = bb_client_create(&w->client, options, error);
    if (rc == BB_CLIENT_OK)
        rc = start(w, error);
    if (rc != BB_CLIENT_OK)
        bb_client_writer_destroy(&w);
    *writer = w;
    return rc;
}

/* Hand the batch over and wait for the next slot to be free. */
static int hand_over(struct bb_client_writer *w, struct bb_client_error *error)
{
    int rc = BB_CLIENT_OK;
    pthread_mutex_lock(&w->lock);
    if (!w->stopped) {
        w->filling++;
        pthread_cond_broadcast(&w->changed);
        while (!w->stopped && w->filling - w->sending >= w->slots)
            pthread_cond_wait(&w->changed, &w->lock);
    }
    if (w->stopped)
        rc = sticky(w, error);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static uint64_t count_lines(const char *lines, size_t n)
{
    uint64_t count = 0;
    const char *end = lines + n;
    for (const char *p = lines; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
        count++;
    return count;
}

int bb_client_writer_put(struct bb_client_writer *w, const char *lines, size_t n, uint64_t position,
                         struct bb_client_error *error)
{
    if (n > BATCH_BYTES_MAX || (n > 0 && lines[n - 1] != '\n'))
        return bbc_fail(error, BB_CLIENT_USAGE, "whole lines of at most %zu bytes are wanted",
                        BATCH_BYTES_MAX);
    struct batch *b = &w->batches[w->filling % w->slots];
    int rc = BB_CLIENT_OK;
    if (b->count > 0 && b->lines.len + n > w->options.batch_bytes) {
        rc = hand_over(w, error);
        b = &w->batches[w->filling % w->slots];
    }
    if (rc != BB_CLIENT_OK)
        return rc;
    text_put(&b->lines, lines, n);
    if (b->lines.failed)
        return bbc_fail(error, BB_CLIENT_NOMEM, "out of memory for a batch");
    b->count += count_lines(lines, n);
    b->position = position;
    if (b->count >= w->options.batch_lines || b->lines.len >= w->options.batch_bytes)
        return hand_over(w, error);
    bbc_ok(error);
    return BB_CLIENT_OK;
}

int bb_client_writer_flush(struct bb_client_writer *w, struct bb_client_error *error)
{
    int rc = BB_CLIENT_OK;
    bbc_ok(error);
    if (w->batches[w->filling % w->slots].count > 0)
        rc = hand_over(w, error);
    pthread_mutex_lock(&w->lock);
    while (!w->stopped && w->sending != w->filling)
        pthread_cond_wait(&w->changed, &w->lock);
    if (w->stopped)
        rc = sticky(w, error);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

void bb_client_writer_cancel(struct bb_client_writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    if (!w->stopped) {
        w->stopped = true;
        bbc_fail(&w->error, BB_CLIENT_CANCELED, "canceled");
    }
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    bb_client_cancel(w->client);
}

void bb_client_writer_destroy(struct bb_client_writer **writer)
{
    struct bb_client_writer *w = *writer;
    if (w == NULL)
        return;
    if (w->started) {
        bb_client_writer_cancel(w);
        pthread_join(w->thread, NULL);
    }
    for (unsigned i = 0; w->batches != NULL && i < w->slots; i++)
        text_fini(&w->batches[i].lines);
    free(w->batches);
    bb_client_destroy(&w->client);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
    *writer = NULL;
}
