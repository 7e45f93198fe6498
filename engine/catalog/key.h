/**
 * The canonical key of a series: measurement and tags, so that equal series have equal bytes.
 *
 *     measurement length varint | measurement
 *     for each tag, keys ascending bytewise, no key twice:
 *         key length varint | key | value length varint | value
 *
 * Any bytes are allowed everywhere, also none. A tag's bytes are also those of its posting list. At
 * most BBI_SERIES_KEY_MAX bytes.
 */
#ifndef BBI_CATALOG_KEY_H
#define BBI_CATALOG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/cursor.h"
#include "engine/base/error.h"
#include "engine/base/record.h"

/** Borrowed bytes. */
struct bbi_tag {
    const uint8_t *key;
    size_t key_len;
    const uint8_t *value;
    size_t value_len;
};

/** How long the key will be. BB_ELIMIT, BB_EINVAL as bbi_key_build. */
int bbi_key_size(size_t measurement_len, const struct bbi_tag *tags, size_t tag_count,
                 size_t *key_len, struct bb_error *err) BB_CHECKED;

/** Write the key, whose size bbi_key_size has told, at `at`. */
void bbi_key_write(uint8_t *at, const uint8_t *measurement, size_t measurement_len,
                   const struct bbi_tag *tags, size_t tag_count);

/** Append the key. BB_ELIMIT: longer than BBI_SERIES_KEY_MAX; BB_EINVAL: tags not ascending or one
 * twice; BB_ENOMEM. b is then as before. */
int bbi_key_build(struct bbi_buf *b, const uint8_t *measurement, size_t measurement_len,
                  const struct bbi_tag *tags, size_t tag_count, struct bb_error *err) BB_CHECKED;

/** Start on a key; yields its measurement. Then bbi_key_next until it is false; a key that is
 * malformed ends early with c->err set. */
const uint8_t *bbi_key_first(struct bbi_cursor *c, const uint8_t *key, size_t key_len,
                             size_t *measurement_len);
bool bbi_key_next(struct bbi_cursor *c, struct bbi_tag *tag);

/** Whether this is a canonical key. */
bool bbi_key_valid(const uint8_t *key, size_t key_len);

/** The value of a tag, "" (not NULL) if the series does not have it. */
const uint8_t *bbi_key_tag_value(const uint8_t *key, size_t key_len, const uint8_t *tag_key,
                                 size_t tag_key_len, size_t *value_len);

#endif
