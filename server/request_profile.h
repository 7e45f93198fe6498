/**
 * Who sends how many writes and queries, counted while somebody asks (GET /debug/requests).
 *
 * Thread  all functions for any thread.
 */
#ifndef SERVER_REQUEST_PROFILE_H
#define SERVER_REQUEST_PROFILE_H

#include <pthread.h>

#include "server/buf.h"

#define REQUEST_PROFILES_MAX 16  /* at a time */
#define REQUEST_CLIENTS_MAX  512 /* in one of them; the others are counted together */
#define REQUEST_CLIENT_BYTES 192 /* of a client's name, NUL included */

struct request_profile;

struct request_profiles {
    pthread_mutex_t lock;
    struct request_profile *first; /* under lock */
    _Atomic size_t count;          /* written under lock */
};

void request_profiles_init(struct request_profiles *profiles);
void request_profiles_fini(struct request_profiles *profiles);

/** Whether anybody wants to know of requests now. */
bool request_profiles_wanted(const struct request_profiles *profiles);

/** Count a request in all profiles that run. client is cut to REQUEST_CLIENT_BYTES. */
void request_profiles_count(struct request_profiles *profiles, const char *client, bool write);

/** Begin to count; NULL: REQUEST_PROFILES_MAX run already, or no memory. */
struct request_profile *request_profile_begin(struct request_profiles *profiles);

/** Count no more and lay out what has been counted, {"CLIENT": {"writes":N,"queries":N}, ...}. The
 * profile lives on. Errors of buf_put. */
int request_profile_end(struct request_profiles *profiles, struct request_profile *profile,
                        struct buf *out) BB_CHECKED;

/** Count no more, and free it. */
void request_profile_destroy(struct request_profiles *profiles, struct request_profile *profile);

#endif
