#include "engine/query/keytext.h"

#include <string.h>

#include "engine/catalog/key.h"

static void put_escaped(struct bbi_buf *out, const uint8_t *p, size_t len, const char *special)
{
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        if (p[i] != '\0' && strchr(special, p[i]) != NULL) {
            bbi_buf_put(out, p + from, i - from);
            bbi_buf_u8(out, '\\');
            from = i;
        }
    }
    bbi_buf_put(out, p + from, len - from);
}

void bbi_keytext_put(struct bbi_buf *out, const uint8_t *key, size_t key_len)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t len;
    const uint8_t *measurement = bbi_key_first(&c, key, key_len, &len);
    if (measurement != NULL) {
        put_escaped(out, measurement, len, ", ");
    }
    while (bbi_key_next(&c, &tag)) {
        bbi_buf_u8(out, ',');
        put_escaped(out, tag.key, tag.key_len, ",= ");
        bbi_buf_u8(out, '=');
        put_escaped(out, tag.value, tag.value_len, ",= ");
    }
}
