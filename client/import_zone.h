#ifndef CLIENT_IMPORT_ZONE_H
#define CLIENT_IMPORT_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * One time zone per process: a fixed offset, or a zone of the system's tzdata by way of the C
 * library's TZ. Not for use beside another thread that reads or sets TZ.
 */
struct zone {
    bool fixed;
    int64_t offset_s; /* of a fixed one, east of UTC */
    int64_t block;    /* the quarter of an hour of the local clock that is remembered */
    bool block_known;
    int block_count;
    int64_t block_offset_s[2];
};

/** name  UTC, +01:00, or as in tzdata: Europe/Berlin. False: no such zone. */
bool zone_init(struct zone *zone, const char *name);

/**
 * The moments at which the local clock shows this time, in order: none (the clock skips it), one,
 * or two (the clock comes by again).
 */
int zone_resolve(struct zone *zone, int64_t local_s, int64_t utc_s[2]);

#endif
