/** The order of values; private to engine/segment. */
#ifndef BBI_SEGMENT_ORDER_H
#define BBI_SEGMENT_ORDER_H

#include <stdbool.h>
#include <string.h>

#include "engine/base/batch.h"

/** a < b in the order of the type, not for strings: false before true, uint64 unsigned, NaN before
 * and behind nothing. */
static inline bool bbi_value_less(enum bbi_type type, uint64_t a, uint64_t b)
{
    if (type == BBI_FLOAT) {
        double x;
        double y;
        memcpy(&x, &a, sizeof(x));
        memcpy(&y, &b, sizeof(y));
        return x < y;
    }
    return type == BBI_INT ? (int64_t)a < (int64_t)b : a < b;
}

#endif
