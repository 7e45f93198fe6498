/**
 * Rows at given places: the columns beside a selector, as in SELECT max(v), other FROM m.
 */
#ifndef BBI_QUERY_LOOKUP_H
#define BBI_QUERY_LOOKUP_H

#include "engine/query/bind.h"

/** A place and the values found there. */
struct bbi_lookup_row {
    uint32_t series_at; /* index into the scan's series */
    int64_t time;
    struct bb_value *values; /* out: [b->ref_fields.count] */
};

/**
 * Fetch the binding's ref_fields at rows[count], which are sorted on the way.
 *
 * scan   prepared, of the series that series_at counts in
 * arena  for values and strings
 */
int bbi_lookup_rows(const struct bbi_binding *b, const struct bbi_qscan *scan,
                    struct bbi_lookup_row **rows, size_t count, struct bbi_arena *arena,
                    struct bb_error *err) BB_CHECKED;

#endif
