#include "engine/catalog/key.h"

/* Three varints of lengths up to 65,535 take at most 3 bytes each. */
#define LENGTH_BYTES_MAX 3

static size_t varint_bytes(size_t v)
{
    return v < 0x80 ? 1 : v < 0x4000 ? 2 : LENGTH_BYTES_MAX;
}

static int compare_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    size_t least = a_len < b_len ? a_len : b_len;
    int order = least == 0 ? 0 : memcmp(a, b, least);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/* Bytes of the part, or more than BBI_SERIES_KEY_MAX. */
static size_t part_bytes(size_t len)
{
    return len > BBI_SERIES_KEY_MAX ? (size_t)BBI_SERIES_KEY_MAX + 1 : varint_bytes(len) + len;
}

int bbi_key_size(size_t measurement_len, const struct bbi_tag *tags, size_t tag_count,
                 size_t *key_len, struct bb_error *err)
{
    size_t n = part_bytes(measurement_len);
    for (size_t i = 0; i < tag_count && n <= BBI_SERIES_KEY_MAX; i++) {
        if (i > 0 && compare_bytes(tags[i - 1].key, tags[i - 1].key_len, tags[i].key,
                                   tags[i].key_len) >= 0) {
            return bbi_error_set(err, BB_EINVAL, "series key: tag keys are not ascending");
        }
        n += part_bytes(tags[i].key_len) + part_bytes(tags[i].value_len);
    }
    *key_len = n;
    if (n > BBI_SERIES_KEY_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "series key: longer than %d bytes",
                             BBI_SERIES_KEY_MAX);
    }
    return BB_OK;
}

static uint8_t *write_part(uint8_t *at, const uint8_t *p, size_t len)
{
    at = bbi_put_varint(at, len);
    if (len != 0) {
        memcpy(at, p, len);
    }
    return at + len;
}

void bbi_key_write(uint8_t *at, const uint8_t *measurement, size_t measurement_len,
                   const struct bbi_tag *tags, size_t tag_count)
{
    at = write_part(at, measurement, measurement_len);
    for (size_t i = 0; i < tag_count; i++) {
        at = write_part(at, tags[i].key, tags[i].key_len);
        at = write_part(at, tags[i].value, tags[i].value_len);
    }
}

int bbi_key_build(struct bbi_buf *b, const uint8_t *measurement, size_t measurement_len,
                  const struct bbi_tag *tags, size_t tag_count, struct bb_error *err)
{
    size_t n;
    int rc = bbi_key_size(measurement_len, tags, tag_count, &n, err);
    if (rc != BB_OK) {
        return rc;
    }
    uint8_t *at = bbi_buf_reserve(b, n);
    if (at == NULL) {
        return bbi_buf_check(b, "series key", err);
    }
    bbi_key_write(at, measurement, measurement_len, tags, tag_count);
    b->len += n;
    return BB_OK;
}

const uint8_t *bbi_key_first(struct bbi_cursor *c, const uint8_t *key, size_t key_len,
                             size_t *measurement_len)
{
    bbi_cursor_init(c, key, key_len);
    return bbi_cursor_block(c, measurement_len);
}

bool bbi_key_next(struct bbi_cursor *c, struct bbi_tag *tag)
{
    if (c->err != BB_OK || bbi_cursor_left(c) == 0) {
        return false;
    }
    tag->key = bbi_cursor_block(c, &tag->key_len);
    tag->value = bbi_cursor_block(c, &tag->value_len);
    return c->err == BB_OK;
}

bool bbi_key_valid(const uint8_t *key, size_t key_len)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    struct bbi_tag last = {.key = NULL};
    size_t measurement_len;
    size_t canonical;

    if (key_len > BBI_SERIES_KEY_MAX) {
        return false;
    }
    (void)bbi_key_first(&c, key, key_len, &measurement_len);
    /* A varint may be written longer than needed; then the sum of the parts is less than the key.
     */
    canonical = part_bytes(measurement_len);
    for (bool first = true; bbi_key_next(&c, &tag); first = false) {
        if (!first && compare_bytes(last.key, last.key_len, tag.key, tag.key_len) >= 0) {
            return false;
        }
        canonical += part_bytes(tag.key_len) + part_bytes(tag.value_len);
        last = tag;
    }
    return c.err == BB_OK && canonical == key_len;
}

const uint8_t *bbi_key_tag_value(const uint8_t *key, size_t key_len, const uint8_t *tag_key,
                                 size_t tag_key_len, size_t *value_len)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t measurement_len;
    (void)bbi_key_first(&c, key, key_len, &measurement_len);
    while (bbi_key_next(&c, &tag)) {
        if (tag.key_len == tag_key_len &&
            (tag_key_len == 0 || memcmp(tag.key, tag_key, tag_key_len) == 0)) {
            *value_len = tag.value_len;
            return tag.value;
        }
    }
    *value_len = 0;
    return (const uint8_t *)"";
}
