/**
 * The zones that queries named, from the system's tzdata (Debian: tzdata, /usr/share/zoneinfo).
 *
 * What was read once stays until they are closed, so that a query never sees a zone change.
 * Thread  bbi_zones_get from any thread.
 */
#ifndef BBI_QUERY_ZONES_H
#define BBI_QUERY_ZONES_H

#include "engine/civil/zone.h"

struct bbi_zones;

/** Longest name of a zone. */
#define BBI_ZONE_NAME_MAX 64

/** acct outlives them. */
int bbi_zones_create(struct bbi_account *acct, struct bbi_zones **out,
                     struct bb_error *err) BB_CHECKED;
/** No zone of theirs is in use any more. *zones may be NULL; nulled. */
void bbi_zones_destroy(struct bbi_zones **zones);

/** A zone by its name, "Europe/London"; "" is UTC. BB_ENOTFOUND there is none, or its file is not
 * one; BB_ENOMEM. */
int bbi_zones_get(struct bbi_zones *zones, const char *name, const struct bbi_zone **out,
                  struct bb_error *err) BB_CHECKED;

#endif
