#include "server/request_profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/json.h"

#define SLOTS (2 * REQUEST_CLIENTS_MAX)

struct client_count {
    char name[REQUEST_CLIENT_BYTES]; /* "": a free slot */
    uint64_t writes, queries;
};

struct request_profile {
    struct request_profile *next;
    bool running;
    size_t used;
    struct client_count others;
    struct client_count slots[SLOTS];
};

void request_profiles_init(struct request_profiles *profiles)
{
    *profiles = (struct request_profiles){.first = NULL};
    pthread_mutex_init(&profiles->lock, NULL);
}

void request_profiles_fini(struct request_profiles *profiles)
{
    pthread_mutex_destroy(&profiles->lock);
}

bool request_profiles_wanted(const struct request_profiles *profiles)
{
    return atomic_load_explicit(&profiles->count, memory_order_relaxed) > 0;
}

/** FNV-1a. */
static uint32_t hash(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}

/** At most half of the slots are in use, so there is a free one. */
static struct client_count *find(struct request_profile *profile, const char *name)
{
    size_t at = hash(name) % SLOTS;
    while (profile->slots[at].name[0] != '\0' && strcmp(profile->slots[at].name, name) != 0)
        at = (at + 1) % SLOTS;
    struct client_count *slot = &profile->slots[at];
    if (slot->name[0] != '\0')
        return slot;
    if (profile->used == REQUEST_CLIENTS_MAX)
        return &profile->others;
    profile->used++;
    strcpy(slot->name, name);
    return slot;
}

void request_profiles_count(struct request_profiles *profiles, const char *client, bool write)
{
    char name[REQUEST_CLIENT_BYTES];
    snprintf(name, sizeof(name), "%s", client);
    pthread_mutex_lock(&profiles->lock);
    for (struct request_profile *p = profiles->first; p != NULL; p = p->next) {
        struct client_count *slot = find(p, name);
        slot->writes += write;
        slot->queries += !write;
    }
    pthread_mutex_unlock(&profiles->lock);
}

struct request_profile *request_profile_begin(struct request_profiles *profiles)
{
    struct request_profile *profile = calloc(1, sizeof(*profile));
    if (profile == NULL)
        return NULL;
    pthread_mutex_lock(&profiles->lock);
    bool fits = profiles->count < REQUEST_PROFILES_MAX;
    if (fits) {
        profile->running = true;
        profile->next = profiles->first;
        profiles->first = profile;
        profiles->count++;
    }
    pthread_mutex_unlock(&profiles->lock);
    if (!fits) {
        free(profile);
        profile = NULL;
    }
    return profile;
}

static void stop(struct request_profiles *profiles, struct request_profile *profile)
{
    pthread_mutex_lock(&profiles->lock);
    for (struct request_profile **p = &profiles->first; profile->running; p = &(*p)->next) {
        if (*p != profile)
            continue;
        *p = profile->next;
        profile->running = false;
        profiles->count--;
        break;
    }
    pthread_mutex_unlock(&profiles->lock);
}

static int put_client(struct buf *out, const struct client_count *client, bool first)
{
    struct json name;
    int rc = first ? BB_OK : buf_put(out, ",\n", 2);
    if (rc != BB_OK)
        return rc;
    jsonw_init(&name, out, false);
    jsonw_cstring(&name, client->name);
    if (name.err != BB_OK)
        return name.err;
    return buf_printf(out, ": {\"writes\":%" PRIu64 ",\"queries\":%" PRIu64 "}", client->writes,
                      client->queries);
}

int request_profile_end(struct request_profiles *profiles, struct request_profile *profile,
                        struct buf *out)
{
    stop(profiles, profile);
    strcpy(profile->others.name, "others");
    int rc = buf_put(out, "{\n", 2);
    bool first = true;
    for (size_t i = 0; i < SLOTS && rc == BB_OK; i++) {
        if (profile->slots[i].name[0] == '\0')
            continue;
        rc = put_client(out, &profile->slots[i], first);
        first = false;
    }
    if (rc == BB_OK && profile->others.writes + profile->others.queries > 0)
        rc = put_client(out, &profile->others, first);
    return rc == BB_OK ? buf_put(out, "\n}\n", 3) : rc;
}

void request_profile_destroy(struct request_profiles *profiles, struct request_profile *profile)
{
    stop(profiles, profile);
    free(profile);
}
