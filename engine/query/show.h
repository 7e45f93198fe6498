/** Which names a SHOW wants. */
#ifndef BBI_QUERY_SHOW_H
#define BBI_QUERY_SHOW_H

#include "engine/query/sources.h"

/** Whether WITH KEY takes a tag key; without such a clause, any. */
int bbi_show_key_wanted(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                        const struct bbi_name *key, bool *wanted, struct bb_error *err) BB_CHECKED;

/**
 * Whether SHOW MEASUREMENTS WHERE lists a measurement: InfluxDB asks of the measurement as a whole
 * whether any series has such a value, so `k != 'v'` means that none has it.
 */
int bbi_show_measurement_has(struct bbi_qctx *ctx, const struct bbi_measurement *m,
                             const struct bbi_ql_expr *condition, bool *has,
                             struct bb_error *err) BB_CHECKED;

#endif
