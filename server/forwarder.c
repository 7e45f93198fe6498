#include "server/forwarder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "server/log.h"

#define TELL_EVERY_NS UINT64_C(10000000000)

/* Nobody needs more of an answer to a write. */
#define ANSWER_MAX_BYTES ((size_t)64 << 10)
#define REASON_MAX_BYTES 200

#define IDLE_MS 60000

/** One text on its way: to a destination, and when that is done perhaps to the next. */
struct transfer {
    CURL *easy;
    struct bb_lines *lines; /* NULL: not in use */
    size_t tried;
    size_t at; /* destination */
    bool failed;
    size_t received;
    size_t said_len;
    char said[REASON_MAX_BYTES + 1]; /* by the destination */
    char reason[CURL_ERROR_SIZE];    /* by libcurl */
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static bool is_over(void *arg)
{
    struct forwarder *f = arg;
    uint64_t deadline_ns = atomic_load(&f->deadline_ns);
    return deadline_ns != 0 && uv_hrtime() >= deadline_ns;
}

/* ---- the outcome ---- */

static void log_failure(struct forwarder *f, const struct destination *d, const char *reason)
{
    char name[512], to[512], text[2 * REASON_MAX_BYTES];
    uint64_t now_ns = uv_hrtime();
    if (f->told_ns != 0 && now_ns - f->told_ns < TELL_EVERY_NS) {
        f->untold++;
        return;
    }
    log_event(LOG_WARNING, "subscription_failed name=%s destination=%s reason=%s more=%llu",
              log_quote(name, sizeof(name), f->name, strlen(f->name)),
              log_quote(to, sizeof(to), d->shown, strlen(d->shown)),
              log_quote(text, sizeof(text), reason, strlen(reason)), (unsigned long long)f->untold);
    f->told_ns = now_ns;
    f->untold = 0;
}

/** True: the text has been where it should go. */
static bool take_outcome(struct forwarder *f, struct transfer *t, const char *failure)
{
    struct destination *d = &f->destinations[t->at];
    t->tried++;
    if (failure == NULL) {
        count(&d->points, t->lines->count);
        return !f->all || t->tried == f->destination_count;
    }
    t->failed = true;
    count(&d->failures, 1);
    log_failure(f, d, failure);
    return t->tried == f->destination_count;
}

/** As InfluxDB counts: a text that failed anywhere is a failure, sent elsewhere or not. */
static void end_transfer(struct forwarder *f, struct transfer *t)
{
    if (t->failed)
        count(&f->counters->write_failures, 1);
    else
        count(&f->counters->points_written, t->lines->count);
    bb_lines_unref(t->lines);
    t->lines = NULL;
    f->active--;
}

/* ---- HTTP ---- */

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t bytes = size * n;
    size_t room = REASON_MAX_BYTES - t->said_len;
    size_t kept = bytes < room ? bytes : room;
    memcpy(t->said + t->said_len, data, kept);
    t->said_len += kept;
    t->received += bytes;
    return t->received <= ANSWER_MAX_BYTES ? bytes : 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    (void)data;
    t->received += size * n;
    return t->received <= ANSWER_MAX_BYTES ? size * n : 0;
}

static void set_request(struct forwarder *f, struct transfer *t)
{
    const struct forward_config *c = f->config;
    CURL *e = t->easy;
    long checks = c->any_certificate ? 0 : 1;
    curl_easy_reset(e);
    curl_easy_setopt(e, CURLOPT_URL, f->destinations[t->at].url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "InfluxDBClient");
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->lines->text);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->lines->length);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, checks);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2 * checks);
    if (c->ca_certs[0] != '\0')
        curl_easy_setopt(e, CURLOPT_CAINFO, c->ca_certs);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* a name that is being looked up is left alone */
#endif
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->reason);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    t->received = t->said_len = 0;
    t->reason[0] = '\0';
}

/** NULL: the destination has taken the lines. */
static const char *http_failure(struct transfer *t, CURLcode code, char *text, size_t size)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    bool cut = code == CURLE_WRITE_ERROR && t->received > ANSWER_MAX_BYTES;
    if ((code == CURLE_OK || cut) && (status == 204 || status == 200))
        return NULL;
    t->said[t->said_len] = '\0';
    if (code != CURLE_OK && !cut)
        snprintf(text, size, "%s", t->reason[0] != '\0' ? t->reason : curl_easy_strerror(code));
    else
        snprintf(text, size, "status %ld: %s", status, t->said);
    return text;
}

/* ---- from destination to destination ---- */

/** Goes on until a request is under way, or the transfer has ended. */
static void go_on(struct forwarder *f, struct transfer *t, bool ended)
{
    struct bb_error err;
    while (!ended) {
        t->at = t->tried == 0 || !f->all ? f->next : (t->at + 1) % f->destination_count;
        if (t->tried == 0 || !f->all)
            f->next = (f->next + 1) % f->destination_count;
        if (!f->destinations[t->at].udp) {
            set_request(f, t);
            if (curl_multi_add_handle(f->multi, t->easy) == CURLM_OK)
                return;
            ended = take_outcome(f, t, "the request cannot be started");
            continue;
        }
        int rc = destination_send_udp(&f->destinations[t->at], t->lines, is_over, f, &err);
        ended = take_outcome(f, t, rc == BB_OK ? NULL : err.text);
    }
    end_transfer(f, t);
}

static void take_answers(struct forwarder *f)
{
    CURLMsg *message;
    int left;
    char text[CURL_ERROR_SIZE + REASON_MAX_BYTES];
    while ((message = curl_multi_info_read(f->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        struct transfer *t;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
        const char *failure = http_failure(t, code, text, sizeof(text));
        curl_multi_remove_handle(f->multi, easy);
        go_on(f, t, take_outcome(f, t, failure));
    }
}

static struct transfer *free_transfer(struct forwarder *f)
{
    for (size_t i = 0; i < f->transfer_count; i++)
        if (f->transfers[i]->lines == NULL)
            return f->transfers[i];
    if (f->transfer_count == f->config->concurrency)
        return NULL;
    struct transfer *t = calloc(1, sizeof(*t));
    if (t != NULL && (t->easy = curl_easy_init()) == NULL) {
        free(t);
        t = NULL;
    }
    if (t != NULL)
        f->transfers[f->transfer_count++] = t;
    return t;
}

/* ---- the queue ---- */

void forwarder_offer(struct forwarder *f, struct bb_lines *lines)
{
    pthread_mutex_lock(&f->lock);
    bool full = f->waiting == f->config->queue_max || f->closing;
    if (!full) {
        f->queue[(f->first + f->waiting++) % f->config->queue_max] = bb_lines_ref(lines);
    }
    bool wakes = !full && f->asleep;
    f->asleep = f->asleep && !wakes;
    pthread_mutex_unlock(&f->lock);
    if (full) {
        count(&f->counters->write_failures, 1);
        count(&f->counters->dropped, 1);
    }
    if (wakes)
        curl_multi_wakeup(f->multi);
}

/** NULL: none waits, and whoever offers one wakes the thread. */
static struct bb_lines *take_lines(struct forwarder *f)
{
    struct bb_lines *lines = NULL;
    pthread_mutex_lock(&f->lock);
    if (f->waiting > 0) {
        lines = f->queue[f->first];
        f->first = (f->first + 1) % f->config->queue_max;
        f->waiting--;
    }
    f->asleep = lines == NULL;
    pthread_mutex_unlock(&f->lock);
    return lines;
}

/** Closed, and all has been sent. */
static bool is_finished(struct forwarder *f)
{
    pthread_mutex_lock(&f->lock);
    bool finished = f->closing && f->waiting == 0;
    pthread_mutex_unlock(&f->lock);
    return finished && f->active == 0;
}

static void start_waiting(struct forwarder *f)
{
    struct transfer *t;
    struct bb_lines *lines;
    while (!is_over(f) && (t = free_transfer(f)) != NULL && (lines = take_lines(f)) != NULL) {
        t->lines = lines;
        t->tried = 0;
        t->failed = false;
        f->active++;
        go_on(f, t, false);
    }
}

/* ---- the thread ---- */

/** What did not get through in time. */
static void drop_all(struct forwarder *f)
{
    struct bb_lines *lines;
    for (size_t i = 0; i < f->transfer_count; i++) {
        struct transfer *t = f->transfers[i];
        if (t->lines != NULL) {
            curl_multi_remove_handle(f->multi, t->easy);
            t->failed = true;
            end_transfer(f, t);
        }
    }
    while ((lines = take_lines(f)) != NULL) {
        count(&f->counters->write_failures, 1);
        count(&f->counters->dropped, 1);
        bb_lines_unref(lines);
    }
}

/** A transfer has ended, and what waits in the queue can take its place. */
static bool has_room_for_waiting(struct forwarder *f)
{
    pthread_mutex_lock(&f->lock);
    bool waits = f->waiting > 0;
    pthread_mutex_unlock(&f->lock);
    return waits && f->active < f->config->concurrency;
}

/** Until when nothing has to be done unless somebody says so; libcurl knows its own timeouts. */
static int patience_ms(struct forwarder *f)
{
    uint64_t deadline_ns = atomic_load(&f->deadline_ns);
    uint64_t now_ns = uv_hrtime();
    if (deadline_ns == 0)
        return IDLE_MS;
    uint64_t left_ms = deadline_ns < now_ns ? 0 : (deadline_ns - now_ns) / 1000000 + 1;
    return left_ms < IDLE_MS ? (int)left_ms : IDLE_MS;
}

static void *thread_main(void *arg)
{
    struct forwarder *f = arg;
    for (;;) {
        int running;
        start_waiting(f);
        curl_multi_perform(f->multi, &running);
        take_answers(f);
        if (is_finished(f) || is_over(f))
            break;
        if (!has_room_for_waiting(f))
            curl_multi_poll(f->multi, NULL, 0, patience_ms(f), NULL);
    }
    drop_all(f);
    atomic_store(&f->done, true);
    return NULL;
}

static int start_thread(struct forwarder *f)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&f->thread, NULL, thread_main, f);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

/* ---- from start to end ---- */

static void release(struct forwarder *f)
{
    for (size_t i = 0; f->transfers != NULL && i < f->transfer_count; i++) {
        curl_easy_cleanup(f->transfers[i]->easy);
        free(f->transfers[i]);
    }
    if (f->multi != NULL)
        curl_multi_cleanup(f->multi);
    curl_slist_free_all(f->headers);
    for (size_t i = 0; f->destinations != NULL && i < f->destination_count; i++)
        destination_fini(&f->destinations[i]);
    pthread_mutex_destroy(&f->lock);
    free(f->destinations);
    free(f->transfers);
    free(f->queue);
    free(f->name);
    free(f);
}

static int fill(struct forwarder *f, const struct bb_subscription *s, struct bb_error *err)
{
    size_t name_size = strlen(s->database) + strlen(s->policy) + strlen(s->name) + 3;
    int rc = BB_OK;
    f->name = malloc(name_size);
    f->destinations = calloc(s->destination_count, sizeof(f->destinations[0]));
    f->queue = calloc(f->config->queue_max, sizeof(struct bb_lines *));
    f->transfers = calloc(f->config->concurrency, sizeof(struct transfer *));
    f->multi = curl_multi_init();
    /* Content-Type as InfluxDB sends it, which is none; without "Expect" nothing is waited for. */
    f->headers = curl_slist_append(NULL, "Content-Type;");
    if (f->headers == NULL || curl_slist_append(f->headers, "Expect:") == NULL || f->name == NULL ||
        f->destinations == NULL || f->queue == NULL || f->transfers == NULL || f->multi == NULL) {
        snprintf(err->text, sizeof(err->text), "out of memory");
        return err->code = BB_ENOMEM;
    }
    snprintf(f->name, name_size, "%s.%s.%s", s->database, s->policy, s->name);
    for (size_t i = 0; i < s->destination_count && rc == BB_OK; i++) {
        f->destination_count++;
        rc = destination_init(&f->destinations[i], s->destinations[i], s->database, s->policy, err);
    }
    return rc;
}

int forwarder_start(const struct bb_subscription *s, const struct forward_config *config,
                    struct forward_counters *counters, struct forwarder **out, struct bb_error *err)
{
    struct forwarder *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        snprintf(err->text, sizeof(err->text), "out of memory");
        return err->code = BB_ENOMEM;
    }
    f->config = config;
    f->counters = counters;
    f->id = s->id;
    f->database_id = s->database_id;
    f->policy_id = s->policy_id;
    f->all = s->all;
    pthread_mutex_init(&f->lock, NULL);
    int rc = fill(f, s, err);
    if (rc == BB_OK && start_thread(f) != 0) {
        snprintf(err->text, sizeof(err->text), "a thread cannot be started");
        rc = err->code = BB_ENOMEM;
    }
    if (rc != BB_OK) {
        release(f);
        return rc;
    }
    *out = f;
    return BB_OK;
}

void forwarder_close(struct forwarder *f, uint32_t ms)
{
    atomic_store(&f->deadline_ns, uv_hrtime() + (uint64_t)ms * 1000000);
    pthread_mutex_lock(&f->lock);
    f->closing = true;
    pthread_mutex_unlock(&f->lock);
    curl_multi_wakeup(f->multi);
}

void forwarder_free(struct forwarder *f)
{
    pthread_join(f->thread, NULL);
    release(f);
}
