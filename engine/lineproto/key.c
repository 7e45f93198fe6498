/*
 * A series key taken apart. A backslash escapes the byte behind it wherever it stands, as in
 * InfluxDB's key: "a\\ b" is one name, because the blank follows a backslash.
 */
#include <string.h>

#include "engine/base/arena.h"
#include "engine/lineproto/strict.h"

static bool escaped(const uint8_t *at)
{
    return at[-1] == '\\';
}

enum bbi_lp_key_state bbi_lp_key_measurement(const uint8_t **at, const uint8_t *end,
                                             const uint8_t **part_end, const char **reason)
{
    const uint8_t *p = *at;

    if (p == end || *p == ',') {
        *reason = "missing measurement";
        return BBI_LP_KEY_BAD;
    }
    for (p++; p < end; p++) {
        if (*p == ',' && !escaped(p)) {
            *part_end = p;
            *at = p + 1;
            return BBI_LP_KEY_TAG;
        }
    }
    *part_end = p;
    *at = p;
    return BBI_LP_KEY_DONE;
}

enum bbi_lp_key_state bbi_lp_key_tag(const uint8_t **at, const uint8_t *end, const uint8_t **equals,
                                     const uint8_t **part_end, const char **reason)
{
    const uint8_t *p = *at;

    if (p == end || *p == ',' || *p == '=') {
        *reason = "missing tag key";
        return BBI_LP_KEY_BAD;
    }
    for (p++; p < end && (*p != '=' || escaped(p)); p++) {
        if (*p == ',' && !escaped(p)) {
            break;
        }
    }
    *reason = "missing tag value";
    if (p == end || *p == ',') {
        return BBI_LP_KEY_BAD;
    }
    *equals = p++;
    if (p == end || *p == ',') {
        return BBI_LP_KEY_BAD;
    }
    for (p++; p < end; p++) {
        if (*p == '=' && !escaped(p)) {
            *reason = "invalid tag format";
            return BBI_LP_KEY_BAD;
        }
        if (*p == ',' && !escaped(p)) {
            *part_end = p;
            *at = p + 1;
            return BBI_LP_KEY_TAG;
        }
    }
    *part_end = p;
    *at = p;
    return BBI_LP_KEY_DONE;
}

static size_t unescape(const uint8_t *from, size_t length, uint8_t *to, const char *specials)
{
    size_t written = 0;

    for (size_t i = 0; i < length; i++) {
        if (from[i] == '\\' && i + 1 < length && from[i + 1] != '\0' &&
            strchr(specials, from[i + 1]) != NULL) {
            i++;
        }
        to[written++] = from[i];
    }
    return written;
}

size_t bbi_lp_unescape_name(const uint8_t *from, size_t length, uint8_t *to)
{
    return unescape(from, length, to, ",\" =");
}

size_t bbi_lp_unescape_string(const uint8_t *from, size_t length, uint8_t *to)
{
    return unescape(from, length, to, "\"\\");
}

/* The bytes [from, end) without escapes, in place if there are none. */
static int take_part(const uint8_t *from, const uint8_t *end, const char *specials,
                     struct bbi_arena *arena, const uint8_t **out, uint32_t *out_length,
                     struct bb_error *err)
{
    size_t length = (size_t)(end - from);

    if (memchr(from, '\\', length) == NULL) {
        *out = from;
        *out_length = (uint32_t)length;
        return BB_OK;
    }
    uint8_t *to = bbi_arena_alloc(arena, length);
    if (to == NULL) {
        return bbi_error_nomem(err, "series key");
    }
    *out = to;
    *out_length = (uint32_t)unescape(from, length, to, specials);
    return BB_OK;
}

static int compare_tags(const struct bbi_lp_tag *a, const struct bbi_lp_tag *b)
{
    uint32_t shorter = a->key_length < b->key_length ? a->key_length : b->key_length;
    int order = memcmp(a->key, b->key, shorter);
    if (order != 0 || a->key_length == b->key_length) {
        return order;
    }
    return a->key_length < b->key_length ? -1 : 1;
}

static void sift_down(struct bbi_lp_tag *tags, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && compare_tags(&tags[child], &tags[child + 1]) < 0) {
            child++;
        }
        if (compare_tags(&tags[root], &tags[child]) >= 0) {
            return;
        }
        struct bbi_lp_tag moved = tags[root];
        tags[root] = tags[child];
        tags[child] = moved;
        root = child;
    }
}

/* Tags mostly come sorted. The rest is a heap sort: a key of 16,000 tags in the worst order must
 * not cost a square. */
static void sort_tags(struct bbi_lp_tag *tags, size_t count)
{
    size_t i = 1;
    while (i < count && compare_tags(&tags[i - 1], &tags[i]) <= 0) {
        i++;
    }
    if (i >= count) {
        return;
    }
    for (size_t root = count / 2; root-- > 0;) {
        sift_down(tags, root, count);
    }
    for (size_t left = count - 1; left > 0; left--) {
        struct bbi_lp_tag largest = tags[0];
        tags[0] = tags[left];
        tags[left] = largest;
        sift_down(tags, 0, left);
    }
}

/* No more tags than commas. */
static size_t count_commas(const uint8_t *raw, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += raw[i] == ',';
    }
    return count;
}

static int take_tags(const uint8_t *at, const uint8_t *end, struct bbi_arena *arena,
                     struct bbi_lp_key *out, struct bb_error *err)
{
    enum bbi_lp_key_state state;

    out->tags = bbi_arena_zalloc(arena, count_commas(at, (size_t)(end - at)) + 1,
                                 sizeof(struct bbi_lp_tag));
    if (out->tags == NULL) {
        return bbi_error_nomem(err, "tags of a series key");
    }
    do {
        const uint8_t *start = at;
        const uint8_t *equals;
        const uint8_t *tag_end;
        const char *reason;
        struct bbi_lp_tag *tag = &out->tags[out->tag_count];
        state = bbi_lp_key_tag(&at, end, &equals, &tag_end, &reason);
        if (state == BBI_LP_KEY_BAD) {
            return bbi_error_set(err, BB_EPARSE, "%s", reason);
        }
        int rc = take_part(start, equals, ", =", arena, &tag->key, &tag->key_length, err);
        if (rc == BB_OK) {
            rc = take_part(equals + 1, tag_end, ", =", arena, &tag->value, &tag->value_length, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        out->tag_count++;
    } while (state == BBI_LP_KEY_TAG);
    sort_tags(out->tags, out->tag_count);
    for (uint32_t i = 1; i < out->tag_count; i++) {
        if (compare_tags(&out->tags[i - 1], &out->tags[i]) == 0) {
            return bbi_error_set(err, BB_EPARSE, "duplicate tags");
        }
    }
    return BB_OK;
}

int bbi_lp_key_parse(const uint8_t *raw, size_t length, struct bbi_arena *arena,
                     struct bbi_lp_key *out, struct bb_error *err)
{
    const uint8_t *at = raw;
    const uint8_t *end = raw + length;
    const uint8_t *part_end;
    const char *reason;

    memset(out, 0, sizeof(*out));
    if (length > BBI_LP_KEY_MAX) {
        return bbi_error_set(err, BB_EPARSE, "max key length exceeded: %zu > %u", length,
                             BBI_LP_KEY_MAX);
    }
    enum bbi_lp_key_state state = bbi_lp_key_measurement(&at, end, &part_end, &reason);
    if (state == BBI_LP_KEY_BAD) {
        return bbi_error_set(err, BB_EPARSE, "%s", reason);
    }
    int rc = take_part(raw, part_end, ",\" =", arena, &out->measurement, &out->measurement_length,
                       err);
    if (rc == BB_OK && state == BBI_LP_KEY_TAG) {
        rc = take_tags(at, end, arena, out, err);
    }
    return rc;
}
