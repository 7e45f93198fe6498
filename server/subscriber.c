#include "server/subscriber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/log.h"

/* A subscription that is dropped has this long to send what was written before. */
#define DROP_MS 5000

int subscriber_init(struct subscriber *s, const struct settings *settings, struct bb_error *err)
{
    *s = (struct subscriber){
        .config = {.timeout_ms = (uint32_t)settings->subscriber_http_timeout,
                   .concurrency = settings->subscriber_write_concurrency,
                   .queue_max = settings->subscriber_write_buffer_size,
                   .any_certificate = strcmp(settings->subscriber_any_certificate, "true") == 0,
                   .ca_certs = settings->subscriber_ca_certs}};
    pthread_mutex_init(&s->update_lock, NULL);
    pthread_mutex_init(&s->lock, NULL);
    if (s->config.ca_certs[0] != '\0' && access(s->config.ca_certs, R_OK) != 0) {
        snprintf(err->text, sizeof(err->text), "subscriber-ca-certs: %.400s cannot be read",
                 s->config.ca_certs);
        return err->code = BB_EINVAL;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(err->text, sizeof(err->text), "out of memory: libcurl");
        return err->code = BB_ENOMEM;
    }
    return BB_OK;
}

/* ---- who subscribes ---- */

/** The list as it will be. */
struct update {
    struct subscriber *s;
    struct forwarder **list;
    size_t count, cap;
};

static struct forwarder *find_known(struct subscriber *s, uint64_t id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i]->id == id)
            return s->list[i];
    return NULL;
}

static void log_change(const char *event, const char *name)
{
    char text[512];
    log_event(LOG_INFO, "%s name=%s", event, log_quote(text, sizeof(text), name, strlen(name)));
}

static void create_failed(struct subscriber *s, const struct bb_subscription *subscription,
                          const struct bb_error *err)
{
    char text[512];
    atomic_fetch_add_explicit(&s->counters.create_failures, 1, memory_order_relaxed);
    log_event(LOG_WARNING, "subscription_not_started name=%s reason=\"%s\"",
              log_quote(text, sizeof(text), subscription->name, strlen(subscription->name)),
              err->text);
}

/** One that cannot be started is told and passed over. */
static int on_subscription(void *arg, const struct bb_subscription *subscription)
{
    struct update *u = arg;
    struct bb_error err = {.code = BB_OK};
    if (u->count == u->cap) {
        size_t cap = u->cap == 0 ? 8 : 2 * u->cap;
        struct forwarder **list = realloc(u->list, cap * sizeof(struct forwarder *));
        if (list == NULL)
            return BB_ENOMEM;
        u->list = list;
        u->cap = cap;
    }
    struct forwarder *f = find_known(u->s, subscription->id);
    if (f == NULL && forwarder_start(subscription, &u->s->config, &u->s->counters, &f, &err) != 0)
        create_failed(u->s, subscription, &err);
    else if (find_known(u->s, subscription->id) == NULL)
        log_change("subscription_started", f->name);
    if (f != NULL)
        u->list[u->count++] = f;
    return BB_OK;
}

static bool is_in(const struct update *u, const struct forwarder *f)
{
    for (size_t i = 0; i < u->count; i++)
        if (u->list[i] == f)
            return true;
    return false;
}

/** Under update_lock. `all`: also those that have not ended yet, which are waited for. */
static void free_retired(struct subscriber *s, bool all)
{
    struct forwarder **at = &s->retired;
    while (*at != NULL) {
        struct forwarder *f = *at;
        if (!all && !atomic_load(&f->done)) {
            at = &f->next_retired;
            continue;
        }
        *at = f->next_retired;
        forwarder_free(f);
    }
}

/** Under update_lock: the new list in place of the old one, whose members that are gone end. */
static void put_in_force(struct subscriber *s, struct update *u, uint32_t ms)
{
    pthread_mutex_lock(&s->lock);
    struct forwarder **old = s->list;
    size_t old_count = s->count;
    s->list = u->list;
    s->count = u->count;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < old_count; i++) {
        if (is_in(u, old[i]))
            continue;
        forwarder_close(old[i], ms);
        old[i]->next_retired = s->retired;
        s->retired = old[i];
        log_change("subscription_ended", old[i]->name);
    }
    free(old);
}

static void update(struct subscriber *s)
{
    struct update u = {.s = s};
    struct bb_error err = {.code = BB_OK};
    free_retired(s, false);
    int rc = bb_subscriptions_each(s->db, on_subscription, &u, &err);
    if (rc == BB_OK) {
        put_in_force(s, &u, DROP_MS);
        return;
    }
    log_event(LOG_WARNING, "subscriptions_not_read reason=\"%s\"",
              err.code != BB_OK ? err.text : "out of memory");
    for (size_t i = 0; i < u.count; i++) { /* the old ones go on alone */
        if (find_known(s, u.list[i]->id) == NULL) {
            forwarder_close(u.list[i], 0);
            forwarder_free(u.list[i]);
        }
    }
    free(u.list);
}

void subscriber_start(struct subscriber *s, struct bb_db *db)
{
    if (s->config.any_certificate)
        log_event(LOG_WARNING, "subscriber certificates=unchecked");
    pthread_mutex_lock(&s->update_lock);
    s->db = db;
    pthread_mutex_lock(&s->lock);
    s->running = true;
    pthread_mutex_unlock(&s->lock);
    update(s);
    pthread_mutex_unlock(&s->update_lock);
}

void subscriber_changed(void *arg)
{
    struct subscriber *s = arg;
    pthread_mutex_lock(&s->update_lock);
    if (s->running)
        update(s);
    pthread_mutex_unlock(&s->update_lock);
}

void subscriber_stop(struct subscriber *s, uint32_t ms)
{
    struct update none = {.s = s};
    pthread_mutex_lock(&s->update_lock);
    pthread_mutex_lock(&s->lock);
    s->running = false;
    pthread_mutex_unlock(&s->lock);
    for (struct forwarder *f = s->retired; f != NULL; f = f->next_retired)
        forwarder_close(f, ms);
    put_in_force(s, &none, ms);
    free_retired(s, true);
    pthread_mutex_unlock(&s->update_lock);
}

/* ---- lines ---- */

void subscriber_stored(void *arg, struct bb_lines *lines)
{
    struct subscriber *s = arg;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; s->running && i < s->count; i++) {
        struct forwarder *f = s->list[i];
        if (f->database_id == lines->database_id && f->policy_id == lines->policy_id)
            forwarder_offer(f, lines);
    }
    pthread_mutex_unlock(&s->lock);
}

bool subscriber_numbers(void *arg, uint64_t id, size_t destination, uint64_t *points,
                        uint64_t *failures)
{
    struct subscriber *s = arg;
    pthread_mutex_lock(&s->lock);
    const struct forwarder *f = find_known(s, id);
    bool known = f != NULL && destination < f->destination_count;
    if (known) {
        *points = atomic_load_explicit(&f->destinations[destination].points, memory_order_relaxed);
        *failures = atomic_load_explicit(&f->destinations[destination].failures,
                                         memory_order_relaxed);
    }
    pthread_mutex_unlock(&s->lock);
    return known;
}
