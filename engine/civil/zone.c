#include "engine/civil/zone.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/cursor.h"
#include "engine/civil/rule.h"

#define TYPES_MAX  256
#define OFFSET_MAX (26 * 3600) /* RFC 8536: -25 to +26 hours */

struct moment {
    int64_t utc_s;
    int32_t offset_s; /* from then on */
};

struct bbi_zone {
    int32_t first_offset_s; /* before the first moment */
    bool has_rule;          /* behind the last one */
    struct bbi_zone_rule rule;
    size_t count;
    struct moment moments[];
};

/* ---- files ---- */

struct header {
    unsigned version;
    uint32_t utc_count, std_count, leap_count, time_count, type_count, char_count;
};

static uint32_t take_be32(struct bbi_cursor *c)
{
    const uint8_t *p = bbi_cursor_bytes(c, 4);
    return c->err != BB_OK ? 0 : bbi_get_be32(p);
}

static bool take_header(struct bbi_cursor *c, struct header *h)
{
    const uint8_t *magic = bbi_cursor_bytes(c, 4);
    if (c->err != BB_OK || memcmp(magic, "TZif", 4) != 0) {
        return false;
    }
    h->version = bbi_cursor_u8(c);
    (void)bbi_cursor_bytes(c, 15);
    h->utc_count = take_be32(c);
    h->std_count = take_be32(c);
    h->leap_count = take_be32(c);
    h->time_count = take_be32(c);
    h->type_count = take_be32(c);
    h->char_count = take_be32(c);
    uint32_t most = (uint32_t)BBI_ZONE_BYTES_MAX;
    return c->err == BB_OK && h->type_count > 0 && h->type_count <= TYPES_MAX &&
           h->time_count < most && h->leap_count < most && h->char_count < most &&
           h->std_count <= h->type_count && h->utc_count <= h->type_count;
}

/* Bytes of a data block whose times have `width` bytes. */
static size_t block_bytes(const struct header *h, size_t width)
{
    return h->time_count * (width + 1) + (size_t)h->type_count * 6 + h->char_count +
           h->leap_count * (width + 4) + h->std_count + h->utc_count;
}

static int64_t get_time(const uint8_t *p, size_t width)
{
    return width == 8 ? (int64_t)bbi_get_be64(p) : (int32_t)bbi_get_be32(p);
}

/* Times ascending, types that are there. */
static bool take_moments(const uint8_t *block, const struct header *h, size_t width,
                         struct bbi_zone *z)
{
    int32_t offsets[TYPES_MAX];
    const uint8_t *types = block + h->time_count * width;
    const uint8_t *infos = types + h->time_count;
    for (size_t i = 0; i < h->type_count; i++) {
        offsets[i] = (int32_t)bbi_get_be32(infos + i * 6);
        if (offsets[i] < -OFFSET_MAX || offsets[i] > OFFSET_MAX) {
            return false;
        }
    }
    z->first_offset_s = offsets[0];
    for (size_t i = 0; i < h->time_count; i++) {
        int64_t at = get_time(block + i * width, width);
        if (types[i] >= h->type_count || (i > 0 && at <= z->moments[i - 1].utc_s)) {
            return false;
        }
        z->moments[i] = (struct moment){at, offsets[types[i]]};
    }
    z->count = h->time_count;
    return true;
}

/* "\n<rule>\n"; an empty rule is none. */
static bool take_footer(struct bbi_cursor *c, struct bbi_zone *z)
{
    size_t length = bbi_cursor_left(c);
    const char *text = (const char *)bbi_cursor_bytes(c, length);
    const char *end = length < 2 || text[0] != '\n' ? NULL : memchr(text + 1, '\n', length - 1);
    if (end == NULL) {
        return false;
    }
    size_t rule_length = (size_t)(end - text) - 1;
    z->has_rule = rule_length > 0;
    return !z->has_rule || bbi_zone_rule_parse(text + 1, rule_length, &z->rule);
}

int bbi_zone_parse(const uint8_t *bytes, size_t length, struct bbi_account *acct,
                   struct bbi_zone **out, struct bb_error *err)
{
    struct bbi_cursor c;
    struct header h;
    size_t width = 4;
    *out = NULL;
    bbi_cursor_init(&c, bytes, length);
    bool good = length <= BBI_ZONE_BYTES_MAX && take_header(&c, &h);
    if (good && h.version >= '2') {
        (void)bbi_cursor_bytes(&c, block_bytes(&h, width));
        width = 8;
        good = take_header(&c, &h);
    }
    const uint8_t *block = good ? bbi_cursor_bytes(&c, block_bytes(&h, width)) : NULL;
    if (!good || c.err != BB_OK) {
        return bbi_error_set(err, BB_ECORRUPT, "not a file of a time zone");
    }
    struct bbi_zone *z = bbi_mem_zalloc(acct, 1, sizeof(*z) + h.time_count * sizeof(struct moment));
    if (z == NULL) {
        return bbi_error_nomem(err, "time zone");
    }
    if (!take_moments(block, &h, width, z) || (width == 8 && !take_footer(&c, z))) {
        bbi_mem_free(z);
        return bbi_error_set(err, BB_ECORRUPT, "not a file of a time zone");
    }
    *out = z;
    return BB_OK;
}

/* ---- using them ---- */

int32_t bbi_zone_offset(const struct bbi_zone *zone, int64_t utc_s)
{
    size_t low = 0;
    size_t high = zone->count;
    if (zone->has_rule && (high == 0 || utc_s >= zone->moments[high - 1].utc_s)) {
        return bbi_zone_rule_offset(&zone->rule, utc_s);
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->moments[middle].utc_s <= utc_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? zone->first_offset_s : zone->moments[low - 1].offset_s;
}

int64_t bbi_zone_to_utc(const struct bbi_zone *zone, int64_t local_s)
{
    int64_t guess = local_s - bbi_zone_offset(zone, local_s);
    return local_s - bbi_zone_offset(zone, guess);
}

int64_t bbi_zone_first(const struct bbi_zone *zone, int64_t local_s)
{
    int64_t before = local_s - 2 * OFFSET_MAX;
    int64_t early = local_s - bbi_zone_offset(zone, before);
    int64_t late = local_s - bbi_zone_offset(zone, local_s + 2 * OFFSET_MAX);
    if (early == late) {
        /* Mostly no change is near; a change there and back within days would show here. */
        return local_s - bbi_zone_offset(zone, early);
    }
    if (early + bbi_zone_offset(zone, early) == local_s) {
        return early;
    }
    if (late + bbi_zone_offset(zone, late) == local_s) {
        return late;
    }
    /* Jumped over: the change lies between. */
    int64_t low = early < late ? early : late;
    int64_t high = early < late ? late : early;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (middle + bbi_zone_offset(zone, middle) >= local_s) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}
