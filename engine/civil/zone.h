/**
 * Time zones: a list of moments at which the distance from UTC changes, and a rule for the time
 * behind the last of them, from a file as tzdata has it (RFC 8536). Thread  a zone is read-only.
 */
#ifndef BBI_CIVIL_ZONE_H
#define BBI_CIVIL_ZONE_H

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

struct bbi_zone;

/** Longest file of a zone. */
#define BBI_ZONE_BYTES_MAX ((size_t)256 << 10)

/** A zone from the bytes of its file. Free with bbi_mem_free. BB_ECORRUPT: they are none. */
int bbi_zone_parse(const uint8_t *bytes, size_t length, struct bbi_account *acct,
                   struct bbi_zone **out, struct bb_error *err) BB_CHECKED;

/** Seconds that the zone's clocks are ahead of UTC at a moment, seconds since 1970 UTC. */
int32_t bbi_zone_offset(const struct bbi_zone *zone, int64_t utc_s);

/** The moment at which the clocks show a time (seconds since 1970 if they showed UTC). One that
 * they show twice or never is taken as InfluxDB does: by the offset found first. */
int64_t bbi_zone_to_utc(const struct bbi_zone *zone, int64_t local_s);

/** The first moment at which the clocks show this time or a later one for good: where they show it
 * twice the first, where they jump over it the jump. */
int64_t bbi_zone_first(const struct bbi_zone *zone, int64_t local_s);

#endif
