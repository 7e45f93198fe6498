/** Series keys as people write them. */
#ifndef BBI_QUERY_KEYTEXT_H
#define BBI_QUERY_KEYTEXT_H

#include "engine/base/buf.h"

/** Append a canonical key as in line protocol: measurement,tag=value,... with escapes. Failures
 * stick in out. */
void bbi_keytext_put(struct bbi_buf *out, const uint8_t *key, size_t key_len);

#endif
