/**
 * Time zones, from the system's tzdata (Debian: tzdata, /usr/share/zoneinfo).
 *
 * A zone is a list of moments at which the distance from UTC changes, and a rule for the time
 * behind the last of them. Files are bounded and checked (RFC 8536); what is read once stays until
 * the zones are closed, so that a query never sees a zone change.
 *
 * Thread  a zone is read-only; bbi_zones_get from any thread.
 */
#ifndef BBI_CIVIL_ZONE_H
#define BBI_CIVIL_ZONE_H

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

struct bbi_zone;
struct bbi_zones;

/** Longest name of a zone. */
#define BBI_ZONE_NAME_MAX 64

/** acct outlives them. */
int bbi_zones_create(struct bbi_account *acct, struct bbi_zones **out,
                     struct bb_error *err) BB_CHECKED;
/** No zone of theirs is in use any more. *zones may be NULL; nulled. */
void bbi_zones_destroy(struct bbi_zones **zones);

/** A zone by its name, "Europe/London"; "" is UTC. BB_ENOTFOUND no such zone; BB_ECORRUPT its file
 * is none; BB_ENOMEM. */
int bbi_zones_get(struct bbi_zones *zones, const char *name, const struct bbi_zone **out,
                  struct bb_error *err) BB_CHECKED;

/** A zone from the bytes of its file: tests. Free with bbi_mem_free. */
int bbi_zone_parse(const uint8_t *bytes, size_t length, struct bbi_account *acct,
                   struct bbi_zone **out, struct bb_error *err) BB_CHECKED;

/** Seconds that the zone's clocks are ahead of UTC at a moment, seconds since 1970 UTC. */
int32_t bbi_zone_offset(const struct bbi_zone *zone, int64_t utc_s);

/** The moment at which the clocks show a time (seconds since 1970 if they showed UTC). One that they
 * show twice or never is taken as InfluxDB does, by the offset found first. */
int64_t bbi_zone_to_utc(const struct bbi_zone *zone, int64_t local_s);

/** The first moment at which the clocks show this time or a later one for good: where they show it
 * twice the first, where they jump over it the jump. */
int64_t bbi_zone_first(const struct bbi_zone *zone, int64_t local_s);

#endif
