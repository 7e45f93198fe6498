/**
 * What fill() puts where there is no value.
 */
#ifndef BBI_QUERY_FILL_H
#define BBI_QUERY_FILL_H

#include "engine/query/plan.h"

/** InfluxDB's number for a gap: cast to the type of the column, "" and false where it is none. */
struct bb_value bbi_fill_number(const struct bbi_plan *plan, enum bbi_ql_type type);

/** InfluxDB's number where a stream has no row at all: cast to a number's type, else as it is. */
struct bb_value bbi_fill_absent(const struct bbi_plan *plan, enum bbi_ql_type type);

/** On the line between two values, by the numbers of their intervals; none if they are no numbers.
 */
struct bb_value bbi_fill_between(int64_t before_at, struct bb_value before, int64_t next_at,
                                 struct bb_value next, int64_t at);

#endif
