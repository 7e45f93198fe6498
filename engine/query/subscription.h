/**
 * A subscription: where the points that are written to a policy are sent on to.
 *
 * The catalog keeps it as the statement that made it. What a destination may be is InfluxDB's: a
 * URL as Go's net/url reads it, of the scheme udp, http or https, with a port.
 */
#ifndef BBI_QUERY_SUBSCRIPTION_H
#define BBI_QUERY_SUBSCRIPTION_H

#include "engine/base/arena.h"
#include "engine/base/error.h"

/** All texts are in the arena. */
struct bbi_subscription {
    const char *name;
    const char *database;
    const char *policy;
    bool all; /* to each destination; else to one of them */
    const char *const *destinations;
    size_t destination_count;
};

/** BB_EINVAL "invalid subscription URL: x". */
int bbi_subscription_check(const char *destination, struct bb_error *err) BB_CHECKED;

/** Read a subscription's text. BB_EPARSE, BB_EINVAL: it is none; BB_ENOMEM. */
int bbi_subscription_parse(const char *text, size_t length, struct bbi_arena *arena,
                           struct bbi_subscription *out, struct bb_error *err) BB_CHECKED;

#endif
