/** Times beyond int64 nanoseconds, as they turn up between reading and checking. */
#ifndef BBI_INFLUXQL_TIME_H
#define BBI_INFLUXQL_TIME_H

#include "engine/influxql/expr.h"

__extension__ typedef __int128 bbi_ql_wide;

/** As bbi_ql_time_parse, exact for any year of four digits. */
enum bbi_ql_time_form bbi_ql_time_parse_wide(const char *text, const struct bbi_ql_world *world,
                                             bbi_ql_wide *time_ns);

/** Append an RFC 3339 time in UTC, without a fraction if not `fraction`. */
void bbi_ql_time_format_wide(bbi_ql_wide time_ns, bool fraction, struct bbi_buf *buf);

static inline bool bbi_ql_fits(bbi_ql_wide value)
{
    return value >= INT64_MIN && value <= INT64_MAX;
}

#endif
