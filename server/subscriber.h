/**
 * Subscriptions: what is written to their policies is forwarded, by a forwarder for each.
 *
 * Thread  subscriber_changed and subscriber_stored are the engine's callbacks, from any thread,
 * also before subscriber_start and after subscriber_stop; the first may take a while, the second
 * does not block.
 */
#ifndef SERVER_SUBSCRIBER_H
#define SERVER_SUBSCRIBER_H

#include "server/forwarder.h"
#include "server/settings.h"

struct subscriber {
    struct forward_config config;
    struct forward_counters counters;
    struct bb_db *db;
    pthread_mutex_t update_lock; /* outside of `lock`: one update at a time */
    pthread_mutex_t lock;        /* of what follows; held for a look */
    bool running;
    struct forwarder **list; /* [count] */
    size_t count;
    struct forwarder *retired; /* closed, not freed; under update_lock */
};

/** Before the database is opened. BB_EINVAL: a setting is not good. */
int subscriber_init(struct subscriber *s, const struct settings *settings,
                    struct bb_error *err) BB_CHECKED;

/** Begin with the subscriptions that there are. */
void subscriber_start(struct subscriber *s, struct bb_db *db);

/** What waits is sent, for so long at the most. The database is closed after it. */
void subscriber_stop(struct subscriber *s, uint32_t ms);

/** arg: the subscriber. */
void subscriber_changed(void *arg);
void subscriber_stored(void *arg, struct bb_lines *lines);

/** What a destination of a subscription was sent, for SHOW STATS: false: it is not known. */
bool subscriber_numbers(void *arg, uint64_t id, size_t destination, uint64_t *points,
                        uint64_t *failures);

#endif
