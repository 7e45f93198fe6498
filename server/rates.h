/**
 * How fast things go: the engine's counters are looked at every few seconds, on a thread of the
 * admin pool, and kept for a minute.
 */
#ifndef SERVER_RATES_H
#define SERVER_RATES_H

#include <pthread.h>

#include "server/pool.h"

#define RATES_EVERY_MS 5000
#define RATES_SAMPLES  13 /* a minute */

struct server;

struct rates_sample {
    uint64_t at_ms;
    uint64_t points, rejected, wal_bytes, statements;
};

struct rates {
    struct job job; /* first */
    struct server *server;
    _Atomic bool under_way;
    uint64_t next_ms; /* the first loop's */
    pthread_mutex_t lock;
    struct rates_sample samples[RATES_SAMPLES]; /* under lock; a ring */
    size_t count;                               /* ever taken */
};

struct rates_now {
    double seconds; /* over which; 0: too early to tell, and all others are 0 */
    double points, rejected, wal_bytes, statements; /* a second */
};

void rates_init(struct rates *rates, struct server *server);
void rates_fini(struct rates *rates);

/** From the first loop: have a sample taken if one is due. */
void rates_tick(struct rates *rates, uint64_t now_ms);

/** Any thread but a loop's: looks at the engine. */
struct rates_now rates_get(struct rates *rates);

#endif
